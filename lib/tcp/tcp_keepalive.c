/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Keepalive (RFC 9293 3.8.4, DATA-47): off unless the application asks (MUST-25), for
 * one connection (MUST-24). Whatever acceptable the peer sends shows that it lives; only after
 * so long a silence it is asked, and only after several questions without any answer
 * it is given up (MUST-29). Neither the probe nor its answer moves the congestion
 * window. */

#include "tcp/tcp.h"

/* Nothing that is unacknowledged or waits: else the transmit timers ask anyway
 * (MUST-26). Keepalive is for states in which both may stay silent for ever. */
static bool
is_idle(const struct tcp *t, const struct tcb *c)
{
	return (c->head.state == TCPS_ESTABLISHED || c->head.state == TCPS_FIN_WAIT_2 ||
			       c->head.state == TCPS_CLOSE_WAIT) &&
	       !tcp_is_waiting(t, c);
}

/* The probe is not to leave any more. What would be left of it is a window probe. */
void
tcp_keepalive_unask(struct tcp *t, struct tcb *c)
{
	struct tcp_rare *r = tcp_rare(t, c);

	if (!(r->flags & RARE_KEEP_DUE))
		return;
	r->flags &= ~(uint32_t)RARE_KEEP_DUE;
	c->flags &= ~(uint32_t)TCB_PROBE_DUE;
}

/* From the peer's last segment on. */
void
tcp_keepalive_start(struct tcp *t, struct tcb *c)
{
	struct tcp_rare *r = tcp_rare(t, c);

	r->keep_tries = 0;
	tcp_keepalive_unask(t, c);
	r->flags |= RARE_KEEP;
	r->keep_at = r->heard_ms + tcp_class(t, c)->keep_idle_ms;
	tcp_timer_arm(t, c);
}

void
tcp_keepalive_timeout(struct tcp *t, struct tcb *c)
{
	const struct tcp_class *k = tcp_class(t, c);
	struct tcp_rare *r = tcp_rare(t, c);
	uint32_t idle_at = r->heard_ms + k->keep_idle_ms;

	if (!is_idle(t, c)) {
		r->keep_tries = 0;
		r->keep_at = t->now_ms + k->keep_idle_ms;
		return;
	}
	if (r->keep_tries == 0 && seq_gt(idle_at, t->now_ms)) {
		r->keep_at = idle_at;
		return;
	}
	if (r->keep_tries >= k->keep_count) {
		tcp_conn_reset(t, c, PMTCP_TIMEOUT_KA);
		return;
	}
	r->keep_tries++;
	r->keep_at = t->now_ms + k->keep_intvl_ms;
	r->flags |= RARE_KEEP_DUE;
	c->flags |= TCB_PROBE_DUE;
	tcp_mark(t, &c->head);
}

/* <SEQ=SND.NXT-1, ACK=RCV.NXT, A> without text: old to the peer, so it must answer
 * (RFC 9293 3.8.4; no garbage octet). */
bool
tcp_keepalive_output(struct tcp *t, struct tcb *c, struct tcp_burst *b)
{
	struct tcp_out out = {.seq = c->snd.nxt - 1, .ack = c->rcv.nxt, .flags = TCP_ACK};
	struct tcp_rare *r = tcp_rare(t, c);

	/* By now the application may have sent something, which asks as well. */
	if (is_idle(t, c)) {
		if (b->n == b->max || !tcp_emit(t, c, b, NULL, out))
			return false;
		tcp_count(t, PMTCP_C_keepalive_sent);
	}
	r->flags &= ~(uint32_t)RARE_KEEP_DUE;
	return true;
}
