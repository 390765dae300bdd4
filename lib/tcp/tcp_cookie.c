/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* SYN cookies (RFC 4987 section 3.6; OPEN-30 to OPEN-33): under pressure a SYN is answered
 * without keeping anything. What the third ACK must bring back travels in two places:
 *
 *   ISS    = ISN hash of the tuple + 16 000 000 * step + (21 bits of MAC, 3 bits MSS index)
 *   TSval  = our clock with its low 6 bits replaced by window scale (4 bits, 15: none), SACK
 *            and ECN; only if the SYN had timestamps, else none of the three is on
 *
 * A step is 64 s: 16 000 000 ticks of the 4 us clock of RFC 9293 3.4.1. So cookies and
 * ordinary initial numbers of a tuple rise along one line, at most 2^24 apart (OPEN-7).
 *
 * The MAC is a SipHash-2-4 of tuple, peer's ISN, step, MSS index and those 6 bits, so an echo
 * that is not ours opens nothing: two ends that read each other's windows differently would do
 * so for the life of the connection. Of 2^32 ACKs at most 16 are right, and the next is not.
 * Its key changes every 16 steps (SEC-11): derived from a secret of its own by the number of
 * the epoch, so that nothing is drawn in the packet path; a cookie's step names its epoch.
 *
 * What cannot be helped: a peer whose third ACK was lost and that waits for our text stalls,
 * since the SYN-ACK is not repeated; one whose first text came out of order is reset, since
 * its ISN is not known; and a third ACK that comes again within 128 s opens an empty
 * connection, if its own is gone from the table. While that or its TIME-WAIT lives, the tuple
 * is found and the ACK is an old one (OPEN-33). */

#include "tcp/tcp.h"

#include <string.h>

#define STEP_NS 64000000000ull

enum {
	STEP_NUMBERS = 16000000, /* of the ISN clock */
	STEPS_VALID = 2,         /* this one and the one before (OPEN-31) */
	OPEN_MS = 128000,
	EPOCH_STEPS = 16,
	VALUE_MASK = 0xffffff, /* MAC and MSS index */
	MSS_MASK = 7,
	BITS_WSCALE = 0x0f,
	BITS_NO_WSCALE = 0x0f,
	BITS_SACK = 0x10,
	BITS_ECN = 0x20,
	BITS_TS = 0x3f,
	BITS_NO_TS = 0x40, /* in the MAC only, as is ... */
	BITS_MSS_SHIFT = 8,
};

/* Rounded down: links without and with a tunnel, IPv4 and IPv6 (1220: 1280 octets), jumbo
 * frames. The first is the least that is ever used (W-31). */
static const uint16_t mss_values[MSS_MASK + 1] = {
		TCP_MSS_FLOOR, 536, 1220, 1360, 1400, 1440, 1460, 8940};

static uint32_t
mss_index(uint32_t mss)
{
	uint32_t i = MSS_MASK;

	while (i > 0 && mss_values[i] > mss)
		i--;
	return i;
}

static uint32_t
step_now(const struct tcp *t)
{
	return (uint32_t)(t->now_ns / STEP_NS);
}

static const struct siphash_key *
key_of(struct tcp *t, uint32_t epoch)
{
	struct tcp_cookies *k = &t->cookies;
	uint32_t slot = epoch & 1;

	if (is_unlikely(k->epoch[slot] != epoch + 1)) {
		k->epoch[slot] = epoch + 1;
		k->key[slot].k0 = siphash24_12(&k->master, epoch, 0);
		k->key[slot].k1 = siphash24_12(&k->master, epoch, 1);
	}
	return &k->key[slot];
}

struct cookie {
	uint32_t irs;
	uint32_t step;
	uint32_t mss;  /* index */
	uint32_t bits; /* of the SYN's options */
};

/* The 24 bits that are added to the clocked number. */
static uint32_t
value_of(struct tcp *t, const struct flow_key *key, const struct cookie *c)
{
	uint64_t words[3];
	uint32_t ports, sum;

	memcpy(&words[0], key->addrs, 8);
	memcpy(&ports, &key->lport, 4);
	words[1] = (uint64_t)c->irs << 32 | ports;
	words[2] = (uint64_t)(c->mss << BITS_MSS_SHIFT | c->bits) << 32 | c->step;
	sum = (uint32_t)siphash24(key_of(t, c->step / EPOCH_STEPS), words, sizeof(words));
	return (sum & VALUE_MASK & ~(uint32_t)MSS_MASK) | c->mss;
}

/* OPEN-32: what the timestamp will say of the SYN's options. */
static uint32_t
bits_of(const struct tcp_class *k, const struct seg *syn)
{
	uint32_t bits;

	if (!k->has_ts || !(syn->opts & SEG_OPT_TS))
		return BITS_NO_TS;
	bits = k->has_wscale && (syn->opts & SEG_OPT_WSCALE) ? syn->wscale : BITS_NO_WSCALE;
	if (k->has_sack && (syn->opts & SEG_OPT_SACK_PERM))
		bits |= BITS_SACK;
	/* DATA-44: what the SYN-ACK will agree to. */
	if (is_unlikely(syn->flags & TCP_ECE) && tcp_ecn_is_agreed(k, NULL, syn))
		bits |= BITS_ECN;
	return bits;
}

/* The options of the SYN, from the echo. */
static void
restore_options(struct tcp *t, struct tcb *c, const struct seg *ack, uint16_t mss)
{
	struct seg syn = {.opts = SEG_OPT_MSS, .mss = mss, .tsval = ack->tsval};
	uint32_t bits = ack->tsecr & BITS_TS;

	if (tcp_class(t, c)->has_ts && (ack->opts & SEG_OPT_TS)) {
		syn.opts |= SEG_OPT_TS;
		syn.opts |= bits & BITS_SACK ? SEG_OPT_SACK_PERM : 0;
		syn.flags |= bits & BITS_ECN ? TCP_SYN | TCP_ECE | TCP_CWR : 0;
		if ((bits & BITS_WSCALE) != BITS_NO_WSCALE) {
			syn.opts |= SEG_OPT_WSCALE;
			syn.wscale = bits & BITS_WSCALE;
		}
	}
	tcp_set_options(t, c, &syn);
}

uint32_t
tcp_cookie_iss(struct tcp *t, const struct pmtcp_listener *l, const struct seg *seg)
{
	uint32_t mss = seg->opts & SEG_OPT_MSS ? seg->mss : tcp_mss_default(seg->is_v6);
	struct cookie c = {.irs = seg->seq,
			.step = step_now(t),
			.mss = mss_index(mss),
			.bits = bits_of(&t->classes[l->cls], seg)};

	return tcp_isn_at(t, &seg->key, c.step * STEP_NUMBERS) + value_of(t, &seg->key, &c);
}

bool
tcp_cookie_is_open(struct tcp *t, struct pmtcp_listener *l)
{
	if (is_likely(!l->has_cookies))
		return false;
	l->has_cookies = t->now_ms - l->cookie_ms <= OPEN_MS;
	return l->has_cookies;
}

/* The echo is never ahead of our clock, or what we send next would look old (OPEN-32). */
static uint32_t
tsval_of(const struct tcp *t, const struct flow_key *key, uint32_t bits)
{
	uint32_t clock = tcp_tsval(t, tcp_ts_offset(t, key));
	uint32_t tsval = (clock & ~(uint32_t)BITS_TS) | bits;

	return seq_gt(tsval, clock) ? tsval - (BITS_TS + 1) : tsval;
}

/* OPEN-30, SEC-13: one SYN-ACK in the SYN's own packet, and nothing is kept. */
void
tcp_cookie_answer(struct tcp *t, struct pmtcp_listener *l, struct seg *seg)
{
	const struct tcp_class *k = &t->classes[l->cls];
	uint32_t bits = bits_of(k, seg);
	struct wire_tcp w = {.seq = tcp_cookie_iss(t, l, seg),
			.ack = seg->seq + 1,
			.flags = TCP_SYN | TCP_ACK,
			.wnd = (uint16_t)min_u32(k->recv_buffer, UINT16_MAX),
			.mss = tcp_mss_max(t, k, seg->is_v6),
			.wscale = k->rcv_wscale,
			.opts = SEG_OPT_MSS,
			.ttl = k->ttl,
			.dscp = k->dscp};

	if (bits != BITS_NO_TS) {
		w.opts |= SEG_OPT_TS;
		w.opts |= bits & BITS_SACK ? SEG_OPT_SACK_PERM : 0;
		w.opts |= (bits & BITS_WSCALE) != BITS_NO_WSCALE ? SEG_OPT_WSCALE : 0;
		w.flags |= bits & BITS_ECN ? TCP_ECE : 0;
		w.tsval = tsval_of(t, &seg->key, bits);
		w.tsecr = seg->tsval;
	}
	if (!tcp_reply_send(t, seg, &w)) {
		tcp_drop(t, PMTCP_C_drop_syn_limit);
		return;
	}
	l->has_cookies = true;
	l->cookie_ms = t->now_ms;
	tcp_count(t, PMTCP_C_cookies_sent);
}

/* The MSS that a right cookie stands for, 0 if it is none of ours. */
static uint16_t
mss_of(struct tcp *t, const struct pmtcp_listener *l, const struct seg *seg)
{
	bool has_ts = t->classes[l->cls].has_ts && (seg->opts & SEG_OPT_TS);
	struct cookie c = {.irs = seg->seq - 1, .bits = has_ts ? seg->tsecr & BITS_TS : BITS_NO_TS};
	uint32_t offset = seg->ack - 1 - tcp_isn_at(t, &seg->key, 0);

	for (uint32_t age = 0; age < STEPS_VALID; age++) {
		uint32_t value;

		c.step = step_now(t) - age;
		value = offset - c.step * STEP_NUMBERS;
		/* So far comes one guess in 256. */
		if (value > VALUE_MASK)
			continue;
		c.mss = value & MSS_MASK;
		if (value == value_of(t, &seg->key, &c))
			return mss_values[c.mss];
	}
	return 0;
}

/* A new tcb in the table, or why there is none. */
static enum pmtcp_counter
make_tcb(struct tcp *t, const struct pmtcp_listener *l, const struct seg *seg, struct tcb **out)
{
	uint64_t hash = seg_hash(seg);
	uint16_t hop = tcp_route_back(t, seg);
	struct tcb *c;

	if (hop == TCP_NO_HOP)
		return PMTCP_C_drop_no_route;
	c = tcp_tcb_new(t, &seg->key, l->cls, hop);
	if (!c)
		return PMTCP_C_drop_tcb_full;
	if (tcp_block_enter(t, hash, tcp_index(t, c)) != 0) {
		tcp_tcb_undo(t, c);
		return PMTCP_C_drop_table_full;
	}
	*out = c;
	return PMTCP_C_seg_taken;
}

/* What the half-open would have handed over. The echo is up to 63 ms old by its low bits, so
 * it is no sample of the round trip: the first text gives one (DATA-31). */
static void
fill_tcb(struct tcp *t, struct pmtcp_listener *l, struct tcb *c, const struct seg *seg)
{
	c->snd.una = c->snd.nxt = seg->ack;
	c->snd.wl1 = seg->seq - 1;
	c->rcv.nxt = c->ack_sent = seg->seq;
	/* OPEN-32: what the SYN-ACK offered follows from the class. */
	c->rcv.adv = c->rcv.nxt + min_u32(tcp_class(t, c)->recv_buffer, UINT16_MAX);
	c->ts_offset = tcp_ts_offset(t, &seg->key);
	tcp_addr6_from_seg(t, &c->head, seg);
	c->addr_sum = tcp_addr_sum(t, &c->head);
	c->user = l->user;
	l->conns++;
	tcp_count(t, PMTCP_C_cookies_accepted);
	tcp_count(t, PMTCP_C_opened_passive);
	tcp_conn_set_state(t, c, TCPS_SYN_RCVD);
}

/* OPEN-33: nothing will come again by itself, so the peer must know. */
static void
refuse(struct tcp *t, struct seg *seg, enum pmtcp_counter fate)
{
	tcp_count(t, PMTCP_C_cookie_notcb);
	tcp_drop(t, fate);
	tcp_reply_rst(t, seg);
}

/* OPEN-31: LISTEN to ESTABLISHED in one step, with what the ACK carries (OPEN-5). */
enum verdict
tcp_cookie_check(struct tcp *t, struct pmtcp_listener *l, struct seg *seg)
{
	enum pmtcp_counter fate;
	struct tcb *c;
	uint16_t mss;

	if (!tcp_cookie_is_open(t, l) || (seg->flags & TCP_SYN))
		return NEXT;
	mss = mss_of(t, l, seg);
	if (mss == 0) {
		tcp_count(t, PMTCP_C_cookies_failed);
		return NEXT;
	}
	if (l->conns >= l->conn_max) {
		refuse(t, seg, PMTCP_C_drop_conn_limit);
		return DONE;
	}
	fate = make_tcb(t, l, seg, &c);
	if (fate != PMTCP_C_seg_taken) {
		refuse(t, seg, fate);
		return DONE;
	}
	fill_tcb(t, l, c, seg);
	restore_options(t, c, seg, mss);
	tcp_established(t, c, seg, PMTCP_EV_ACCEPTED);
	if (is_unlikely(tcb_has(c, TCB_ECN)))
		tcp_ecn_input(t, c, seg);
	tcp_input_from_text(t, c, seg);
	return DONE;
}
