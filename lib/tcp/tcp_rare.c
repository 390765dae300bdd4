/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The side record of few connections: its life, and its deadlines as one. */

#include "tcp/tcp.h"

#include <string.h>

bool
tcp_is_waiting(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_tx *tx;

	if (c->snd.una != c->snd.nxt || tcp_is_message(c))
		return true;
	tx = tcp_tx(t, c);
	return (tx && sendq_unsent(&tx->q) > 0) ||
	       (c->flags & (TCB_FIN_WANTED | TCB_FIN_SENT)) == TCB_FIN_WANTED;
}

struct tcp_rare *
tcp_rare_get(struct tcp *t, struct tcb *c)
{
	struct tcp_rare *r;

	if (c->rare)
		return tcp_rare(t, c);
	c->rare = slab_alloc(&t->rares);
	if (!c->rare) {
		tcp_count(t, PMTCP_C_rare_full);
		return NULL;
	}
	r = tcp_rare(t, c);
	memset(r, 0, sizeof(*r));
	r->heard_ms = t->now_ms + t->tick_begun;
	return r;
}

void
tcp_rare_release(struct tcp *t, struct tcb *c)
{
	if (!c->rare)
		return;
	slab_free(&t->rares, c->rare);
	c->rare = 0;
}

static uint32_t
user_deadline(const struct tcp *t, const struct tcb *c, const struct tcp_rare *r)
{
	return r->user_since + tcp_class(t, c)->user_timeout_ms;
}

bool
tcp_rare_deadline(const struct tcp *t, const struct tcb *c, uint32_t *at)
{
	const struct tcp_rare *r = tcp_rare(t, c);
	const struct {
		uint32_t flag;
		uint32_t at;
	} deadlines[] = {
			{RARE_KEEP, r->keep_at},
			{RARE_USER, user_deadline(t, c, r)},
			{RARE_LINGER, r->linger_at},
			{RARE_PMTU, r->pmtu_at},
	};
	bool has_any = false;

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(deadlines); i++) {
		if (!(r->flags & deadlines[i].flag))
			continue;
		*at = has_any ? seq_min(*at, deadlines[i].at) : deadlines[i].at;
		has_any = true;
	}
	return has_any;
}

/* The record goes with the connection; then nothing is due any more. */
static bool
is_due(const struct tcp *t, const struct tcb *c, uint32_t flag, uint32_t at)
{
	return c->rare && (tcp_rare(t, c)->flags & flag) && seq_leq(at, t->now_ms);
}

void
tcp_rare_timeout(struct tcp *t, struct tcb *c)
{
	const struct tcp_rare *r = tcp_rare(t, c);

	if (is_due(t, c, RARE_LINGER, r->linger_at))
		tcp_linger_timeout(t, c);
	if (is_due(t, c, RARE_USER, user_deadline(t, c, r)))
		tcp_user_timeout(t, c);
	if (is_due(t, c, RARE_KEEP, r->keep_at))
		tcp_keepalive_timeout(t, c);
	if (is_due(t, c, RARE_PMTU, r->pmtu_at))
		tcp_pmtu_raise(t, c);
}

void
tcp_rare_opened(struct tcp *t, struct tcb *c)
{
	if (tcp_class(t, c)->user_timeout_ms && tcp_rare_get(t, c))
		tcp_rare_queued(t, c);
}

void
tcp_rare_established(struct tcp *t, struct tcb *c)
{
	if (tcp_class(t, c)->has_slow_timers)
		tcp_rare_get(t, c);
	if (t->paths.n)
		tcp_pmtu_opened(t, c);
	if (!c->rare)
		return;
	tcp_rare_acked(t, c);
	tcp_rare_options(t, c);
}

void
tcp_rare_options(struct tcp *t, struct tcb *c)
{
	const struct tcp_class *k = tcp_class(t, c);
	struct tcp_rare *r;

	if (c->head.kind != BLOCK_TCB)
		return;
	r = k->has_slow_timers ? tcp_rare_get(t, c) : tcp_rare(t, c);
	if (!r)
		return;
	if (!k->keep_idle_ms) {
		r->flags &= ~(uint32_t)RARE_KEEP;
		r->keep_tries = 0; /* or the peer's next segment would start it again */
		tcp_keepalive_unask(t, c);
	} else if (tcb_is_synchronized(c)) {
		tcp_keepalive_start(t, c);
	}
	if (!k->user_timeout_ms)
		r->flags &= ~(uint32_t)RARE_USER;
	else if (tcp_is_waiting(t, c))
		tcp_rare_queued(t, c);
	tcp_timer_arm(t, c);
}

void
tcp_rare_heard(struct tcp *t, struct tcb *c)
{
	struct tcp_rare *r = tcp_rare(t, c);

	r->heard_ms = t->now_ms + t->tick_begun;
	if (is_unlikely(r->keep_tries > 0))
		tcp_keepalive_start(t, c);
	tcp_urgent_drag(t, c);
}

void
tcp_rare_acked(struct tcp *t, struct tcb *c)
{
	struct tcp_rare *r = tcp_rare(t, c);

	if (is_unlikely(r->pmtu_state))
		tcp_pmtu_acked(t, c);
	if (!(r->flags & RARE_USER))
		return;
	if (tcp_is_waiting(t, c))
		r->user_since = t->now_ms + t->tick_begun;
	else
		r->flags &= ~(uint32_t)RARE_USER;
}

void
tcp_rare_queued(struct tcp *t, struct tcb *c)
{
	struct tcp_rare *r = tcp_rare(t, c);

	if ((r->flags & RARE_USER) || !tcp_class(t, c)->user_timeout_ms)
		return;
	r->flags |= RARE_USER;
	r->user_since = t->now_ms + t->tick_begun;
	tcp_timer_arm(t, c);
}
