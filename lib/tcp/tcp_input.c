/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* SEGMENT ARRIVES (RFC 9293 3.10.7): which block, which kind, then the eight
 * steps in their order. Receiving only marks; the output pass sends. */

#include "tcp/tcp.h"

/* CLOSED, or LISTEN: no block has this tuple. */
static void
no_block_input(struct tcp *t, struct seg *seg)
{
	struct pmtcp_listener *l = tcp_listener_find(t, seg);

	if (l) {
		tcp_listen_input(t, l, seg);
		return;
	}
	tcp_drop(t, seg->flags & TCP_RST ? PMTCP_C_drop_rst : PMTCP_C_drop_no_tcb);
	tcp_reply_rst(t, seg);
}

static PMTCP_NOINLINE void
urgent_or_text(struct tcp *t, struct tcb *c, struct seg *seg)
{
	t->fate = PMTCP_C_seg_taken;
	if (is_unlikely(seg->flags & TCP_URG))
		tcp_check_urg(t, c, seg);
	if (seg->len == 0 || tcp_take_text(t, c, seg) == NEXT)
		tcp_check_fin(t, c, seg);
	tcp_count(t, t->fate);
}

/* The end of a segment that reached its text: one fate, whatever happens there. Without text of
 * either kind there is a FIN at most, and often not even that. */
void
tcp_input_from_text(struct tcp *t, struct tcb *c, struct seg *seg)
{
	if (seg->len != 0 || is_unlikely(seg->flags & TCP_URG) || is_unlikely(c->rx != 0)) {
		urgent_or_text(t, c, seg);
		return;
	}
	t->fate = PMTCP_C_seg_taken;
	if (seg->flags & TCP_FIN)
		tcp_check_fin(t, c, seg);
	tcp_count(t, t->fate);
}

void
tcp_input_from_ack(struct tcp *t, struct tcb *c, struct seg *seg)
{
	if (tcp_check_ack(t, c, seg) == DONE)
		return;
	tcp_input_from_text(t, c, seg);
}

/* Everything but LISTEN, SYN-SENT and the compact kinds: 3.10.7.4. */
static void
tcb_input(struct tcp *t, struct tcb *c, struct seg *seg)
{
	if (is_unlikely(c->head.state == TCPS_SYN_SENT)) {
		tcp_syn_sent_input(t, c, seg);
		return;
	}
	if (is_unlikely(c->head.state == TCPS_SYN_RCVD || (seg->flags & TCP_SYN)) &&
			tcp_check_syn(t, c, seg) == DONE)
		return;
	if (tcb_has(c, TCB_TS) && tcp_check_paws(t, c, seg) == DONE)
		return;
	if (tcp_check_seq(t, c, seg) == DONE)
		return;
	if (is_unlikely(seg->flags & TCP_RST)) {
		tcp_check_rst(t, c, seg);
		return;
	}
	/* DATA-9, CLOSE-2: without ACK it is nobody's FIN. */
	if (is_unlikely(!(seg->flags & TCP_ACK))) {
		tcp_drop(t, PMTCP_C_drop_no_ack);
		return;
	}
	/* DATA-47: whoever guesses only the tuple shows nothing of the peer. */
	if (is_unlikely(c->rare))
		tcp_rare_heard(t, c);
	/* RFC 7323 4.3 (3): only a segment that reaches what was acknowledged last
	 * moves TS.Recent, so a delayed ACK echoes the earliest (DATA-26). */
	if (tcb_has(c, TCB_TS) && (seg->opts & SEG_OPT_TS) && seq_leq(seg->seq, c->ack_sent) &&
			seq_geq(seg->tsval, c->ts_recent)) {
		c->ts_recent = seg->tsval;
		c->last_rx = t->now_ms;
	}
	/* DATA-44. */
	if (is_unlikely(tcb_has(c, TCB_ECN)))
		tcp_ecn_input(t, c, seg);
	tcp_input_from_ack(t, c, seg);
}

void
tcp_input(struct tcp *t, struct block_head *b, struct seg *seg)
{
	if (is_unlikely(!b)) {
		no_block_input(t, seg);
		return;
	}
	/* Two pairs of IPv6 addresses with one digest: the second has no place here. */
	if (is_unlikely(!tcp_is_addr_equal(t, b, seg))) {
		tcp_drop(t, PMTCP_C_drop_addr_clash);
		return;
	}
	switch (b->kind) {
	case BLOCK_TCB:
		tcb_input(t, (struct tcb *)b, seg);
		break;
	case BLOCK_SYN_RCVD:
		tcp_syn_rcvd_input(t, (struct syn_rcvd *)b, seg);
		break;
	default:
		CHECK(b->kind == BLOCK_TIME_WAIT);
		tcp_time_wait_input(t, (struct time_wait *)b, seg);
		break;
	}
}
