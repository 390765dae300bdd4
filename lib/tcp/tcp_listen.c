/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Opening, the side that was asked: LISTEN (RFC 9293 3.10.7.2) and SYN-RECEIVED in
 * its 64-byte form. A listener keeps no state per peer; a SYN makes a half-open, and
 * only the third ACK makes a connection. */

#include "tcp/tcp.h"

#include <string.h>

enum {
	REPLACE_LOOKS = 8,  /* half-opens examined for one to give way (OPEN-29) */
	REPLACE_STEPS = 64, /* blocks looked at for these, since others lie between */
};

enum { FIT_NONE, FIT_ANY, FIT_EXACT };

/* How well a listener's address fits the destination of a segment. */
static int
fitness(const struct pmtcp_listener *l, const struct seg *seg)
{
	if (l->version != 0 && (l->version == 6) != seg->is_v6)
		return FIT_NONE;
	if (is_likely(!seg->is_v6))
		return l->ip4 == seg->key.laddr ? FIT_EXACT : l->ip4 == 0 ? FIT_ANY : FIT_NONE;
	if (flow_addr6_is_any(l->ip6))
		return FIT_ANY;
	return memcmp(l->ip6, tcp_seg_ip6(seg) + 24, sizeof(l->ip6)) == 0 ? FIT_EXACT : FIT_NONE;
}

struct pmtcp_listener *
tcp_listener_find(struct tcp *t, const struct seg *seg)
{
	struct pmtcp_listener *any = NULL;
	uint32_t next = t->listener_by_port[seg->key.lport];

	while (next) {
		struct pmtcp_listener *l = &t->listeners[next - 1];
		int fit = fitness(l, seg);

		if (fit == FIT_EXACT)
			return l;
		/* One of this version alone goes before one of both. */
		if (fit == FIT_ANY && (!any || l->version != 0))
			any = l;
		next = l->next_on_port;
	}
	return any;
}

static struct pmtcp_listener *
listener_of(const struct tcp *t, const struct syn_rcvd *sr)
{
	uint32_t number = t->classes[sr->cls].listener;

	return number ? &t->listeners[number - 1] : NULL;
}

void
tcp_syn_rcvd_end(struct tcp *t, struct syn_rcvd *sr, enum pmtcp_counter why)
{
	struct pmtcp_listener *l = listener_of(t, sr);

	if (sr->parked) {
		wheel_cancel(&t->wheel, tcp_index(t, sr));
		tcp_time_wait_unpark(t, sr);
	} else {
		tcp_block_forget(t, &sr->head);
	}
	if (l)
		l->half_open--;
	t->n_half_open--;
	t->state[TCPS_SYN_RCVD]--;
	tcp_count(t, why);
	tcp_class_put(t, sr->cls);
	tcp_block_free(t, &sr->head);
}

/* OPEN-29, RES-12: of the next eight, the one that was repeated most often is the
 * least likely to be answered. Where a block is what is wanted, one that is on a list, as
 * that of a neighbour who does not answer, would be ended for nothing. */
static void
replace_one(struct tcp *t, const struct pmtcp_listener *l)
{
	bool is_block_wanted = slab_available(&t->half_opens) == 0;
	uint32_t first = t->half_opens.end - t->half_opens.max;
	uint32_t n_blocks = t->half_opens.fresh - first;
	struct syn_rcvd *worst = NULL;
	int n_seen = 0;

	for (uint32_t i = 0; i < REPLACE_STEPS && i < n_blocks && n_seen < REPLACE_LOOKS; i++) {
		struct syn_rcvd *sr;

		if (++t->half_open_hand >= n_blocks)
			t->half_open_hand = 0;
		sr = (struct syn_rcvd *)tcp_block(t, first + t->half_open_hand);
		if (sr->head.kind != BLOCK_SYN_RCVD || (l && listener_of(t, sr) != l) ||
				(is_block_wanted && sr->head.mark_next != 0))
			continue;
		n_seen++;
		if (!worst || sr->tries > worst->tries)
			worst = sr;
	}
	if (worst)
		tcp_syn_rcvd_end(t, worst, PMTCP_C_half_open_replaced);
}

static bool
is_at_limit(const struct tcp *t, const struct pmtcp_listener *l)
{
	return l->half_open >= l->half_open_max || slab_available(&t->half_opens) == 0;
}

/* RES-12: a flood gets so much of each millisecond. Below the limits nothing is bounded:
 * there each SYN has a block of its own, and opening as fast as the core can is what this
 * is for. What is beyond costs the look that finds no block and no more. */
static bool
has_budget(struct tcp *t)
{
	if (t->conf.syn_per_ms == 0)
		return true;
	if (t->syn_ms != t->now_ms) {
		t->syn_ms = t->now_ms;
		t->syn_tokens = t->conf.syn_per_ms;
	}
	if (t->syn_tokens == 0)
		return false;
	t->syn_tokens--;
	return true;
}

/* A SYN that may not simply have a block: cookie, or another's place (RES-5, OPEN-29). So it
 * is too while forged neighbours have their share of the next hops or of the half-opens: a
 * cookie needs none, and without cookies only who is known already is answered, as is who
 * asked for our own MAC address first (RES-12, SEC-14). One that reopens a TIME-WAIT entry
 * gets no cookie: its number is bound to lie above the old ones, and its ACK would meet the
 * entry. */
static enum verdict
admit_beyond(struct tcp *t, struct pmtcp_listener *l, struct seg *seg, bool is_reopening)
{
	if (!has_budget(t))
		return tcp_drop(t, PMTCP_C_drop_syn_limit);
	if (l->cookies != PMTCP_COOKIES_OFF && !is_reopening) {
		tcp_cookie_answer(t, l, seg);
		return DONE;
	}
	if (t->free_permille < TCP_PRESSURE_SYN)
		return tcp_drop(t, PMTCP_C_drop_pressure);
	if (t->is_crowded && !t->knows_way(t->stack, seg))
		return tcp_drop(t, PMTCP_C_drop_syn_limit);
	if (is_at_limit(t, l))
		replace_one(t, l->half_open >= l->half_open_max ? l : NULL);
	return is_at_limit(t, l) ? tcp_drop(t, PMTCP_C_drop_syn_limit) : NEXT;
}

/* What keeps a SYN out; each has its counter (RES-5, RES-8, OPEN-29). */
static enum verdict
admit(struct tcp *t, struct pmtcp_listener *l, struct seg *seg, bool is_reopening)
{
	if (l->conns >= l->conn_max) {
		if (l->rst_on_overflow)
			tcp_reply_rst(t, seg);
		return tcp_drop(t, PMTCP_C_drop_conn_limit);
	}
	/* A cookie would only put the refusal off until the peer believes it is open. */
	if (slab_available(&t->tcbs) == 0)
		return tcp_drop(t, PMTCP_C_drop_tcb_full);
	if (is_unlikely(is_at_limit(t, l) || t->free_permille < TCP_PRESSURE_SYN || t->is_crowded ||
			    l->cookies == PMTCP_COOKIES_ALWAYS))
		return admit_beyond(t, l, seg, is_reopening);
	return NEXT;
}

/* What both SYNs offer. */
static PMTCP_ALWAYS_INLINE void
fill_options(struct syn_rcvd *sr, const struct tcp_class *k, const struct seg *seg)
{
	enum { ALL = SEG_OPT_TS | SEG_OPT_SACK_PERM | SEG_OPT_WSCALE };

	if (is_likely(k->has_all && (seg->opts & ALL) == ALL)) {
		sr->flags = SR_TS | SR_SACK | SR_WSCALE;
		sr->ts_recent = seg->tsval;
		sr->wscale = seg->wscale;
		return;
	}
	if (k->has_ts && (seg->opts & SEG_OPT_TS)) {
		sr->flags |= SR_TS;
		sr->ts_recent = seg->tsval;
	}
	if (k->has_sack && (seg->opts & SEG_OPT_SACK_PERM))
		sr->flags |= SR_SACK;
	if (k->has_wscale && (seg->opts & SEG_OPT_WSCALE)) {
		sr->flags |= SR_WSCALE;
		sr->wscale = seg->wscale;
	}
}

static void
fill_half_open(struct tcp *t, struct syn_rcvd *sr, struct pmtcp_listener *l, const struct seg *seg)
{
	const struct tcp_class *k = &t->classes[l->cls];

	memset(sr, 0, sizeof(*sr));
	sr->head.key = seg->key;
	sr->head.kind = BLOCK_SYN_RCVD;
	sr->head.state = TCPS_SYN_RCVD;
	sr->irs = seg->seq;
	/* The same SYN may have had a cookie just now, and its ACK be on the way: the numbers
	 * agree then (OPEN-25). */
	tcp_isn_and_ts(t, &seg->key, &sr->iss, &sr->ts_offset);
	if (is_unlikely(tcp_cookie_is_open(t, l)))
		sr->iss = tcp_cookie_iss(t, l, seg);
	sr->wnd = seg->wnd;
	sr->mss = seg->opts & SEG_OPT_MSS ? seg->mss : tcp_mss_default(seg->is_v6);
	sr->cls = l->cls;
	sr->sent = (uint16_t)(t->now_us >> SR_SENT_SHIFT);
	fill_options(sr, k, seg);
	if (is_unlikely(seg->flags & TCP_ECE) && tcp_ecn_is_agreed(k, NULL, seg))
		sr->flags |= SR_ECN;
}

/* The TIME-WAIT entry leaves its place to the half-open and waits aside: if the SYN
 * proves stale, it comes back (TW-10). */
static void
park(struct tcp *t, struct syn_rcvd *sr, struct time_wait *tw, uint64_t hash)
{
	bool was_there = flow_table_replace(&t->table, hash, tcp_index(t, tw), tcp_index(t, sr));
	uint32_t floor = tw->snd_nxt + 65537; /* RFC 9293 3.6.1 (1) */

	CHECK(was_there);
	if (seq_lt(sr->iss, floor))
		sr->iss = floor;
	wheel_cancel(&t->wheel, tcp_index(t, tw));
	tcp_count(t, PMTCP_C_tw_reused_in);
	t->state[TCPS_TIME_WAIT]--;
	t->parked++;
	tw->head.kind = BLOCK_PARKED;
	sr->parked = tcp_index(t, tw);
	/* One entry must stay that can be evicted, whatever is on trial. */
	if (t->parked >= t->time_waits.max)
		tcp_time_wait_drop_parked(t, sr);
}

/* OPEN-3 (RFC 9293 3.10.7.2). */
void
tcp_listen_syn(struct tcp *t, struct pmtcp_listener *l, struct seg *seg, struct time_wait *tw)
{
	uint64_t hash = seg_hash(seg);
	struct syn_rcvd *sr;
	uint32_t index;
	uint16_t hop;

	if (admit(t, l, seg, tw != NULL) == DONE)
		return;
	hop = tcp_route_back(t, seg);
	/* No cookie: its ACK would find no hop either. The peer asks again. */
	if (hop == TCP_NO_HOP) {
		tcp_drop(t, PMTCP_C_drop_no_route);
		return;
	}
	index = slab_alloc(&t->half_opens);
	if (!index) {
		/* The one that gave way is still marked: its block is not free yet. */
		tcp_drop(t, PMTCP_C_drop_syn_limit);
		return;
	}
	sr = (struct syn_rcvd *)tcp_block(t, index);
	fill_half_open(t, sr, l, seg);
	sr->head.hop = hop;
	tcp_addr6_from_seg(t, &sr->head, seg);
	if (tw) {
		park(t, sr, tw, hash);
	} else if (tcp_block_enter(t, hash, index) != 0) {
		tcp_drop(t, PMTCP_C_drop_table_full);
		sr->head.kind = BLOCK_DEAD;
		slab_free(&t->half_opens, index);
		return;
	}
	t->classes[l->cls].refs++;
	t->hops[hop].refs++;
	l->half_open++;
	t->n_half_open++;
	t->state[TCPS_SYN_RCVD]++;
	tcp_count(t, PMTCP_C_half_open_created);
	tcp_count(t, PMTCP_C_syn_taken);
	sr->flags |= SR_SYN_DUE;
	/* Counted at once, not with the burst. */
	if (is_unlikely(!t->hops[hop].is_resolved))
		tcp_mark_wait(t, &sr->head);
	else
		tcp_mark(t, &sr->head);
	tcp_syn_rcvd_open(t, sr);
}

/* OPEN-24. */
void
tcp_listen_input(struct tcp *t, struct pmtcp_listener *l, struct seg *seg)
{
	if (seg->flags & TCP_RST) {
		tcp_drop(t, PMTCP_C_drop_rst);
	} else if (seg->flags & TCP_ACK) {
		if (tcp_cookie_check(t, l, seg) == DONE)
			return;
		tcp_drop(t, PMTCP_C_drop_listen);
		tcp_reply_rst(t, seg);
	} else if (!(seg->flags & TCP_SYN)) {
		tcp_drop(t, PMTCP_C_drop_listen);
	} else if (seg->flags & TCP_FIN) {
		tcp_drop(t, PMTCP_C_drop_syn_fin); /* DEC-9 */
	} else {
		tcp_listen_syn(t, l, seg, NULL);
	}
}

static void
owe_ack(struct tcp *t, struct syn_rcvd *sr)
{
	sr->flags |= SR_ACK_DUE;
	tcp_mark(t, &sr->head);
}

static void
challenge(struct tcp *t, struct syn_rcvd *sr)
{
	if (!tcp_challenge_allowed(t, &sr->challenge_epoch, sr->flags & SR_CHALLENGED))
		return;
	sr->flags |= SR_CHALLENGED;
	owe_ack(t, sr);
}

/* What the SYN and our answer to it agreed upon. */
static void
restore_options(struct tcp *t, struct tcb *c, const struct syn_rcvd *sr)
{
	uint32_t flags = 0;

	flags |= sr->flags & SR_TS ? TCB_TS : 0;
	flags |= sr->flags & SR_SACK ? TCB_SACK : 0;
	flags |= sr->flags & SR_WSCALE ? TCB_WSCALE : 0;
	flags |= sr->flags & SR_ECN ? TCB_ECN : 0;
	c->ts_recent = sr->ts_recent;
	tcp_set_agreed(t, c, flags, sr->mss, sr->wscale);
}

/* Half-open to full: same tuple, same place in the table. No port is used up: a listener
 * takes as many as there are blocks (RES-4). */
static struct tcb *
promote(struct tcp *t, struct syn_rcvd *sr, struct pmtcp_listener *l, const struct seg *seg)
{
	struct tcb *c = tcp_tcb_new(t, &sr->head.key, sr->cls, sr->head.hop);
	uint64_t hash = seg_hash(seg);
	bool was_there;

	if (!c)
		return NULL;
	was_there = flow_table_replace(&t->table, hash, tcp_index(t, sr), tcp_index(t, c));
	CHECK(was_there);
	/* It stands where the first deadline of the connection may be. */
	wheel_move(&t->wheel, tcp_index(t, sr), tcp_index(t, c));
	if (sr->parked)
		tcp_time_wait_drop_parked(t, sr);
	restore_options(t, c, sr);
	c->snd.una = sr->iss + 1;
	c->snd.nxt = sr->iss + 1;
	c->snd.wl1 = sr->irs;
	c->max_wnd = tcb_scaled_up(sr->wnd, tcb_snd_shift(c));
	c->rcv.nxt = sr->irs + 1;
	c->ack_sent = c->rcv.nxt;
	c->rcv.adv = c->rcv.nxt + min_u32(tcp_class(t, c)->recv_buffer, UINT16_MAX);
	c->ts_offset = sr->ts_offset;
	tcp_addr6_copy(t, &c->head, &sr->head);
	c->addr_sum = tcp_addr_sum(t, &c->head);
	c->user = l->user;
	if (sr->tries)
		c->flags |= TCB_SYN_REXMT;
	if (sr->tries > 1)
		c->flags |= TCB_SYN_LOST;
	t->state[TCPS_SYN_RCVD]--;
	l->half_open--;
	t->n_half_open--;
	l->conns++;
	tcp_class_put(t, sr->cls);
	tcp_count(t, PMTCP_C_half_open_accepted);
	tcp_count(t, PMTCP_C_opened_passive);
	tcp_conn_set_state(t, c, TCPS_SYN_RCVD);
	return c;
}

/* OPEN-4, OPEN-5: the third ACK, with whatever it carries. */
static void
third_ack(struct tcp *t, struct syn_rcvd *sr, struct seg *seg)
{
	struct pmtcp_listener *l = listener_of(t, sr);
	bool is_first = !(sr->flags & SR_REPEATED);
	uint32_t rtt_us = (uint16_t)((t->now_us >> SR_SENT_SHIFT) - sr->sent) << SR_SENT_SHIFT;
	struct tcb *c;

	CHECK(l);
	if (l->conns >= l->conn_max) {
		tcp_drop(t, PMTCP_C_drop_conn_limit);
		return;
	}
	c = promote(t, sr, l, seg);
	if (!c) {
		tcp_drop(t, PMTCP_C_drop_tcb_full);
		return;
	}
	tcp_block_free(t, &sr->head);
	/* Karn (DATA-31): of several SYN-ACKs only an echo of the last tells the time. */
	if (is_first)
		rtt_sample(&c->rtt, rtt_us, 1u << SR_SENT_SHIFT);
	else if (tcp_tsval(t, c->ts_offset) - seg->tsecr <= rtt_us / 1000 + 1)
		tcp_sample_rtt(t, c, seg);
	if (seg->opts & SEG_OPT_TS && tcb_has(c, TCB_TS))
		c->ts_recent = seg->tsval;
	tcp_established(t, c, seg, PMTCP_EV_ACCEPTED);
	if (is_unlikely(tcb_has(c, TCB_ECN)))
		tcp_ecn_input(t, c, seg);
	tcp_input_from_text(t, c, seg);
}

/* Steps 1 and 2: numbers and RST. */
static enum verdict
check_seq_rst(struct tcp *t, struct syn_rcvd *sr, struct seg *seg)
{
	uint32_t nxt = sr->irs + 1;
	uint32_t wnd = min_u32(t->classes[sr->cls].recv_buffer, UINT16_MAX);
	uint32_t len = seg->flags & TCP_RST ? 0 : seg_seq_len(seg);
	bool is_acceptable = tcp_seq_is_acceptable(seg->seq, len, nxt, wnd);

	if (seg->flags & TCP_RST) {
		if (!is_acceptable)
			return tcp_drop(t, PMTCP_C_drop_rst);
		if (seg->seq != nxt) {
			challenge(t, sr);
			return tcp_drop(t, PMTCP_C_drop_rst_challenge);
		}
		/* OPEN-22, OPEN-26: the peer never asked, or no longer wants. */
		tcp_count(t, PMTCP_C_seg_taken);
		tcp_syn_rcvd_end(t, sr, PMTCP_C_half_open_reset);
		return DONE;
	}
	if (is_acceptable)
		return NEXT;
	if (len > 0)
		owe_ack(t, sr);
	else
		challenge(t, sr);
	return tcp_drop(t, PMTCP_C_drop_seq);
}

void
tcp_syn_rcvd_input(struct tcp *t, struct syn_rcvd *sr, struct seg *seg)
{
	bool has_ts = (sr->flags & SR_TS) && (seg->opts & SEG_OPT_TS);

	/* OPEN-25, DEC-3: the same SYN again gets the same SYN-ACK again. */
	if ((seg->flags & (TCP_SYN | TCP_RST)) == TCP_SYN) {
		if (seg->seq == sr->irs && !(seg->flags & TCP_ACK)) {
			sr->flags |= SR_SYN_DUE | SR_REPEATED;
			/* RFC 3168 6.1.1.1: it asks again, without. */
			if ((seg->flags & (TCP_ECE | TCP_CWR)) != (TCP_ECE | TCP_CWR))
				sr->flags &= (uint8_t)~SR_ECN;
			/* RFC 7323 4.3: the echo is of the SYN that is answered, or the
			 * peer would take its own timeout for the path's round trip. */
			if (has_ts && seq_geq(seg->tsval, sr->ts_recent))
				sr->ts_recent = seg->tsval;
			tcp_mark(t, &sr->head);
			tcp_drop(t, PMTCP_C_seg_taken);
			return;
		}
		challenge(t, sr);
		tcp_drop(t, PMTCP_C_drop_syn_challenge);
		return;
	}
	/* DEC-10: a missing timestamp is borne here. */
	if (has_ts && !(seg->flags & TCP_RST) && seq_lt(seg->tsval, sr->ts_recent)) {
		challenge(t, sr);
		tcp_drop(t, PMTCP_C_drop_paws);
		return;
	}
	if (check_seq_rst(t, sr, seg) == DONE)
		return;
	if (!(seg->flags & TCP_ACK)) {
		tcp_drop(t, PMTCP_C_drop_no_ack);
		return;
	}
	/* OPEN-27: only our SYN can be acknowledged; the half-open stays. */
	if (seg->ack != sr->iss + 1) {
		tcp_drop(t, PMTCP_C_drop_ack);
		tcp_reply_rst(t, seg);
		return;
	}
	third_ack(t, sr, seg);
}
