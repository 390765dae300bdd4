/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Opening, the side that sent a SYN: SYN-SENT (RFC 9293 3.10.7.3), simultaneous
 * open, negotiation of options, and what both sides do on reaching ESTABLISHED.
 * Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 5.4). */

#include "tcp/tcp.h"

#include <string.h>

#include "base/siphash_pair.h"

static uint64_t
keyed(const struct siphash_key *secret, const struct flow_key *key)
{
	uint64_t addrs;
	uint32_t ports;

	memcpy(&addrs, key->addrs, 8);
	memcpy(&ports, &key->lport, 4);
	return siphash24_12(secret, addrs, ports);
}

/* OPEN-7: a clock of 4 us plus a keyed hash of the tuple: unguessable outside,
 * rising for the same tuple. */
uint32_t
tcp_isn_at(const struct tcp *t, const struct flow_key *key, uint32_t clock)
{
	return clock + (uint32_t)keyed(&t->open_secret[TCP_ISN_SECRET], key);
}

uint32_t
tcp_ts_offset(const struct tcp *t, const struct flow_key *key)
{
	return (uint32_t)keyed(&t->open_secret[TCP_TS_SECRET], key);
}

void
tcp_isn_and_ts(const struct tcp *t, const struct flow_key *key, uint32_t *iss, uint32_t *ts_offset)
{
	uint64_t addrs, drawn[TCP_OPEN_SECRETS];
	uint32_t ports;

	memcpy(&addrs, key->addrs, 8);
	memcpy(&ports, &key->lport, 4);
	siphash24_12_pair(t->open_secret, addrs, ports, drawn);
	*iss = (uint32_t)(t->now_ns / 4000) + (uint32_t)drawn[TCP_ISN_SECRET];
	*ts_offset = (uint32_t)drawn[TCP_TS_SECRET];
}

void
tcp_set_agreed(struct tcp *t, struct tcb *c, uint32_t flags, uint32_t mss, uint8_t wscale)
{
	const struct tcp_class *k = tcp_class(t, c);

	mss = min_u32(max_u32(mss, TCP_MSS_FLOOR), tcp_mss_max(t, k, tcp_is_v6(t, &c->head)));
	c->flags &= ~(uint32_t)(TCB_TS | TCB_SACK | TCB_WSCALE | TCB_ECN);
	c->flags |= flags;
	c->wscales = flags & TCB_WSCALE ? (uint8_t)(wscale << 4 | k->rcv_wscale) : 0;
	c->smss = (uint16_t)(mss - (flags & TCB_TS ? TCP_TS_OPT_LEN : 0));
	c->last_rx = t->now_ms;
}

/* The option in a SYN and the flag of who agreed to it are one bit. */
STATIC_ASSERT((uint32_t)SEG_OPT_TS == (uint32_t)TCB_TS);
STATIC_ASSERT((uint32_t)SEG_OPT_SACK_PERM == (uint32_t)TCB_SACK);
STATIC_ASSERT((uint32_t)SEG_OPT_WSCALE == (uint32_t)TCB_WSCALE);

/* OPEN-8, W-31: what both SYNs had, and what a segment may carry. */
void
tcp_set_options(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	const struct tcp_class *k = tcp_class(t, c);
	uint32_t mss = seg->opts & SEG_OPT_MSS ? seg->mss : tcp_mss_default(tcp_is_v6(t, &c->head));
	uint32_t ours = (uint32_t)k->has_ts * TCB_TS | (uint32_t)k->has_sack * TCB_SACK |
			(uint32_t)k->has_wscale * TCB_WSCALE;
	uint32_t flags = seg->opts & ours;

	if (flags & TCB_TS)
		c->ts_recent = seg->tsval;
	if (is_unlikely(seg->flags & TCP_ECE) && tcp_ecn_is_agreed(k, c, seg))
		flags |= TCB_ECN;
	tcp_set_agreed(t, c, flags, mss, seg->wscale);
}

void
tcp_established(struct tcp *t, struct tcb *c, const struct seg *seg, uint32_t event)
{
	tcp_conn_set_state(t, c, TCPS_ESTABLISHED);
	tcp_timer_stop(c);
	c->flags &= ~(uint32_t)(TCB_SYN_UNACKED | TCB_SYN_DUE);
	c->flags |= (uint32_t)TCP_QUICKACKS << TCB_QUICKACK_SHIFT;
	c->retries = 0;
	/* RFC 7323 2.2: the window field of a SYN is never scaled. */
	tcp_set_window(c, seg, seg->flags & TCP_SYN ? 0 : tcb_snd_shift(c));
	if (seg->flags & TCP_SYN)
		c->max_wnd = tcb_scaled_up(seg->wnd, tcb_snd_shift(c));
	t->hops[c->head.hop].confirmed = t->now_ms;
	if (event == PMTCP_EV_CONNECTED)
		tcp_count(t, PMTCP_C_connected);
	tcp_event(t, c, event);
	if (is_unlikely(c->rare || tcp_class(t, c)->has_slow_timers || t->paths.n))
		tcp_rare_established(t, c);
	if (c->tx) {
		/* OPEN-38: queued before the peer answered, and said what it can take. */
		tcp_tx_start(t, c, tcp_tx(t, c));
		tcp_mark_data(t, c);
	}
}

/* RTT of our SYN. Of several SYNs only an echo of the last one tells the time (Karn,
 * DATA-31): an older echo would take our own timeout for the path's round trip. When the
 * first SYN left stands where the estimate will; when the last one did follows from the
 * running timer. */
static void
sample_syn(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	uint32_t first_us = c->rtt.srtt_us8;
	uint32_t last_ms = c->deadline - tcp_syn_rto_ms(t, c->retries);

	rtt_init(&c->rtt);
	if (!tcb_has(c, TCB_SYN_REXMT))
		rtt_sample(&c->rtt, t->now_us - first_us, 1);
	else if (tcp_tsval(t, c->ts_offset) - seg->tsecr <= t->now_ms - last_ms + 1)
		tcp_sample_rtt(t, c, seg);
}

/* OPEN-40, NEG-3: an echo of a timestamp that we never sent belongs to another
 * connection. Ours lie between the first SYN's and now. */
static bool
echo_is_possible(const struct tcp *t, const struct tcb *c, const struct seg *seg)
{
	uint32_t us_of_ms = (uint32_t)(t->now_ns - t->now_tick * 1000000) / 1000;
	uint32_t elapsed_ms = (t->now_us - c->rtt.srtt_us8 + 999 - us_of_ms) / 1000;

	if (!(seg->opts & SEG_OPT_TS) || !tcp_class(t, c)->has_ts)
		return true;
	return tcp_tsval(t, c->ts_offset) - seg->tsecr <= elapsed_ms;
}

/* The peer's SYN: IRS and everything that is agreed in SYNs. */
static void
take_syn(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	tcp_set_options(t, c, seg);
	c->rcv.nxt = seg->seq + 1;
	c->ack_sent = c->rcv.nxt;
	c->rcv.adv = c->rcv.nxt + min_u32(tcp_class(t, c)->recv_buffer, UINT16_MAX);
	c->snd.wl1 = seg->seq;
	c->snd.wnd = seg->wnd;
}

/* OPEN-18 (RFC 9293 figure 7, MUST-10): both SYNs crossed. */
static void
simultaneous_open(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	take_syn(t, c, seg);
	rtt_init(&c->rtt); /* the SYN's time stood there */
	tcp_set_window(c, seg, 0);
	c->max_wnd = tcb_scaled_up(seg->wnd, tcb_snd_shift(c));
	tcp_conn_set_state(t, c, TCPS_SYN_RCVD);
	c->retries = 0;
	c->flags |= TCB_SYN_DUE;
	tcp_mark(t, &c->head);
	tcp_timer_start(t, c, TIMER_SYN, tcp_syn_rto_ms(t, 0));
	tcp_count(t, PMTCP_C_seg_taken);
}

static void
syn_ack(struct tcp *t, struct tcb *c, struct seg *seg)
{
	take_syn(t, c, seg);
	c->snd.una = seg->ack;
	sample_syn(t, c, seg);
	tcp_established(t, c, seg, PMTCP_EV_CONNECTED);
	/* OPEN-2: never delayed; it rides on data or FIN if there is any by then. */
	tcp_owe_ack(t, c);
	/* OPEN-20: text and FIN beside the SYN are taken now. */
	seg->flags &= (uint8_t)~TCP_SYN;
	seg->seq++;
	tcp_input_from_text(t, c, seg);
}

/* TW-12: our SYN reuses a tuple and the peer, still in LAST-ACK, answered by its old
 * ACK. The RST on its way ends that; the SYN follows at once, and only once. */
static void
repeat_syn(struct tcp *t, struct tcb *c)
{
	if (c->ts_recent == 0)
		return; /* no heritage, or used up */
	c->ts_recent = 0;
	c->flags |= TCB_SYN_DUE | TCB_SYN_REXMT;
	tcp_mark(t, &c->head);
	tcp_count(t, PMTCP_C_retransmitted);
	tcp_count(t, PMTCP_C_syn_retransmitted);
}

void
tcp_syn_sent_input(struct tcp *t, struct tcb *c, struct seg *seg)
{
	bool is_ack_ok = (seg->flags & TCP_ACK) && seq_gt(seg->ack, c->snd.una) &&
			 seq_leq(seg->ack, c->snd.nxt);

	/* OPEN-15, OPEN-17: an ACK of something never sent. */
	if ((seg->flags & TCP_ACK) && !is_ack_ok) {
		tcp_drop(t, seg->flags & TCP_RST ? PMTCP_C_drop_rst : PMTCP_C_drop_syn_sent);
		tcp_reply_rst(t, seg);
		if (!(seg->flags & (TCP_RST | TCP_SYN)))
			repeat_syn(t, c);
		return;
	}
	/* OPEN-16. */
	if (seg->flags & TCP_RST) {
		tcp_drop(t, is_ack_ok ? PMTCP_C_seg_taken : PMTCP_C_drop_rst);
		if (is_ack_ok)
			tcp_conn_end(t, c, PMTCP_REFUSED);
		return;
	}
	if (!(seg->flags & TCP_SYN)) {
		tcp_drop(t, PMTCP_C_drop_syn_sent);
		return;
	}
	if (!is_ack_ok) {
		simultaneous_open(t, c, seg);
		return;
	}
	if (!echo_is_possible(t, c, seg)) {
		tcp_drop(t, PMTCP_C_drop_syn_sent);
		tcp_reply_rst(t, seg);
		return;
	}
	syn_ack(t, c, seg);
}
