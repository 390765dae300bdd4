/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Steps 1 to 4 of RFC 9293 3.10.7.4: is the segment acceptable at all? Timestamps
 * (RFC 7323 section 5), sequence numbers, RST and SYN (RFC 5961). */

#include "tcp/tcp.h"

/* RFC 9293 table 6, DATA-1. */
bool
tcp_seq_is_acceptable(uint32_t seq, uint32_t len, uint32_t nxt, uint32_t wnd)
{
	if (len == 0)
		return wnd == 0 ? seq == nxt : seq_in_window(seq, nxt, wnd);
	if (wnd == 0)
		return false;
	return seq_in_window(seq, nxt, wnd) || seq_in_window(seq + len - 1, nxt, wnd);
}

/* PAWS comes before the sequence test and is not for RST (DATA-27). */
enum verdict
tcp_check_paws(struct tcp *t, struct tcb *c, struct seg *seg)
{
	if (seg->flags & TCP_RST)
		return NEXT;
	if (is_unlikely(!(seg->opts & SEG_OPT_TS))) {
		/* DEC-10: some peers leave it out of the third ACK. */
		if (c->head.state == TCPS_SYN_RCVD || t->conf.ts_lenient)
			return NEXT;
		return tcp_drop(t, PMTCP_C_drop_no_ts);
	}
	if (is_likely(seq_geq(seg->tsval, c->ts_recent)))
		return NEXT;
	if (t->now_ms - c->last_rx > TCP_PAWS_IDLE_MS) {
		c->ts_recent = seg->tsval;
		c->last_rx = t->now_ms;
		return NEXT;
	}
	tcp_challenge(t, c);
	return tcp_drop(t, PMTCP_C_drop_paws);
}

/* The segment ends at the left edge: it carries nothing new but its ACK may be what
 * both sides wait for, repeated FINs above all (RFC 9293 A.2, CLOSE-17, DATA-2). */
static bool
is_at_old_edge(const struct tcb *c, const struct seg *seg, uint32_t len)
{
	return tcb_is_synchronized(c) && len > 0 && seg->seq + len == c->rcv.nxt &&
	       (seg->flags & TCP_ACK) && seq_leq(seg->ack, c->snd.nxt) &&
	       seq_gt(seg->ack, c->snd.una);
}

/* RFC 2883 section 4, DATA-5: what came twice is the first block of the ACK it causes, also
 * when all of it was read and the side record had gone. */
static void
note_duplicate(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	struct tcp_rx *rx;

	if (seg->len == 0 || !tcb_has(c, TCB_SACK) || seq_gt(seg->seq + seg->len, c->rcv.nxt))
		return;
	rx = tcp_rx_get(t, c);
	if (!rx)
		return;
	rx->dsack_left = seg->seq;
	rx->dsack_right = seg->seq + seg->len;
}

static enum verdict
unacceptable(struct tcp *t, struct tcb *c, struct seg *seg, uint32_t len)
{
	if (seg->flags & TCP_RST) {
		/* CLOSE-34: some stacks send FIN, then RST with the FIN's own number. */
		if (t->conf.fin_rst_lenient && tcb_is_past_fin(c) && seg->seq == c->rcv.nxt - 1)
			return NEXT;
		return tcp_drop(t, PMTCP_C_drop_rst);
	}
	/* DATA-3: the peer repeats what we have: its ACK of ours was lost. Text and FIN (CLOSE-21) are
	 * answered every time (SEC-4), a bare ACK within the throttle (SEC-5). */
	if (len > 0) {
		note_duplicate(t, c, seg);
		tcp_owe_ack(t, c);
	} else {
		tcp_challenge(t, c);
	}
	/* The ACK may end the connection or make it a TIME-WAIT entry, counted then. */
	if (is_at_old_edge(c, seg, len) && tcp_check_ack(t, c, seg) == DONE)
		return DONE;
	return tcp_drop(t, PMTCP_C_drop_seq);
}

/* Window zero, text at its left edge: the text is lost on us, the ACK and the window
 * in it are not (DATA-2); a bare FIN needs no buffer (DEC-12). */
static enum verdict
at_zero_window(struct tcp *t, struct tcb *c, struct seg *seg)
{
	if (seg->len > 0) {
		seg->len = 0;
		seg->flags &= (uint8_t)~TCP_FIN;
		tcp_owe_ack(t, c);
	}
	return NEXT;
}

enum verdict
tcp_check_seq(struct tcp *t, struct tcb *c, struct seg *seg)
{
	/* RFC 5961 3.2: an RST is judged by its number alone, not by its length. */
	uint32_t len = seg->flags & TCP_RST ? 0 : seg_seq_len(seg);
	uint32_t wnd = tcb_rcv_wnd(c);

	if (is_likely(seg->seq == c->rcv.nxt)) {
		if (is_unlikely(wnd == 0 && len > 0))
			return at_zero_window(t, c, seg);
		return NEXT;
	}
	if (is_likely(tcp_seq_is_acceptable(seg->seq, len, c->rcv.nxt, wnd)))
		return NEXT;
	return unacceptable(t, c, seg, len);
}

/* SEC-1. Caller: the number is in the window, or exact while it is zero. */
enum verdict
tcp_check_rst(struct tcp *t, struct tcb *c, struct seg *seg)
{
	/* One below passed the sequence test only under the lenient rule for FINs. */
	if (seg->seq != c->rcv.nxt && seg->seq != c->rcv.nxt - 1) {
		tcp_challenge(t, c);
		return tcp_drop(t, PMTCP_C_drop_rst_challenge);
	}
	tcp_count(t, PMTCP_C_seg_taken);
	/* CLOSE-33; OPEN-26: in SYN-RECEIVED by simultaneous open. */
	tcp_conn_end(t, c, c->head.state == TCPS_SYN_RCVD ? PMTCP_REFUSED : PMTCP_PEER_RESET);
	return DONE;
}

/* The peer's SYN, or SYN-ACK, of a simultaneous open once more (OPEN-19, OPEN-25). */
static enum verdict
syn_rcvd_syn(struct tcp *t, struct tcb *c, struct seg *seg)
{
	bool is_ack_ok = (seg->flags & TCP_ACK) && seq_gt(seg->ack, c->snd.una) &&
			 seq_leq(seg->ack, c->snd.nxt);

	if (!(seg->flags & TCP_ACK)) {
		c->flags |= TCB_SYN_DUE;
		tcp_mark(t, &c->head);
		return tcp_drop(t, PMTCP_C_seg_taken);
	}
	if (!is_ack_ok) {
		tcp_challenge(t, c);
		return tcp_drop(t, PMTCP_C_drop_syn_challenge);
	}
	/* IRS lies below RCV.NXT, which no plain test would accept: the SYN's number is
	 * taken off, the ACK and whatever else it carries go on. The reply it asks for
	 * by repeating its SYN is one ACK. */
	seg->flags &= (uint8_t)~TCP_SYN;
	seg->seq++;
	/* RFC 7323 2.2: a SYN's window is not scaled, and without the flag it would be. */
	seg->wnd >>= tcb_snd_shift(c);
	tcp_owe_ack(t, c);
	return NEXT;
}

/* SEC-2, OPEN-25, CLOSE-35: whatever its number. The challenge brings a third ACK that was
 * lost (OPEN-21), or the RST of a peer that came up anew (OPEN-23). */
enum verdict
tcp_check_syn(struct tcp *t, struct tcb *c, struct seg *seg)
{
	if (!(seg->flags & TCP_SYN))
		return NEXT;
	if (seg->flags & TCP_RST)
		return NEXT;
	if (c->head.state == TCPS_SYN_RCVD && seg->seq == c->rcv.nxt - 1 && c->snd.wl1 == seg->seq)
		return syn_rcvd_syn(t, c, seg);
	tcp_challenge(t, c);
	return tcp_drop(t, PMTCP_C_drop_syn_challenge);
}
