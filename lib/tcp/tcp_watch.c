/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The watch over CLOSE-WAIT and over peers that take nothing; see tcp_watch.h.
 *
 * When a connection entered CLOSE-WAIT stands nowhere: the hand notes it at first sight,
 * in fields that are free in that state, since no text comes any more: the count of quick
 * ACKs says that the delayed ACK's time is such a note. */

#include "tcp/tcp.h"

#include <string.h>

enum {
	LOOKS_MIN = 64, /* connections per look */
	LOOKS_MAX = 1024,
	ROUND_LOOKS = 100, /* a round takes so many looks, unless LOOKS_MAX holds it up */
	TELL_MS = 10000,   /* between two diagnoses */
	NOTED = 0x0f,      /* TCB_QUICKACK: above any count */
	NOTE_SHIFT = 8,    /* units of 256 ms */
	NOTE_AGE_MAX = 1 << 15,
	UNPOPPED_MS = 1000, /* so old, an event not popped is no excuse */
};

static const uint32_t age_ends_ms[PMTCP_CLOSE_WAIT_AGES] = {
		1000, 10000, 60000, 600000, 3600000, UINT32_MAX};

/* ---- CLOSE-WAIT ------------------------------------------------------------ */

/* The peer's last segment with a timestamp is the FIN or younger; without timestamps only
 * the first sight is sure. */
static void
note(const struct tcp *t, struct tcb *c)
{
	uint32_t since = tcb_has(c, TCB_TS) ? c->last_rx : t->now_ms;

	c->flags |= (uint32_t)NOTED << TCB_QUICKACK_SHIFT;
	c->delack = (uint16_t)(since >> NOTE_SHIFT);
}

static uint32_t
close_wait_age_ms(const struct tcp *t, struct tcb *c)
{
	uint16_t now = (uint16_t)(t->now_ms >> NOTE_SHIFT);
	uint16_t age;

	/* The ACK of the FIN has not left: the delayed ACK's time may still count. */
	if (tcb_has(c, TCB_ACK_DUE | TCB_DELACK))
		return 0;
	if ((c->flags & TCB_QUICKACK) >> TCB_QUICKACK_SHIFT != NOTED)
		note(t, c);
	age = (uint16_t)(now - c->delack);
	if (age > NOTE_AGE_MAX) {
		age = NOTE_AGE_MAX;
		c->delack = (uint16_t)(now - age);
	}
	return (uint32_t)age << NOTE_SHIFT;
}

static void
list_add(struct watch_list *l, const struct tcp *t, const struct tcb *c, uint32_t age_ms)
{
	uint32_t at = l->n < TCP_WATCH_LIST ? l->n++ : TCP_WATCH_LIST - 1;

	if (at == TCP_WATCH_LIST - 1 && l->e[at].index && l->e[at].age_ms >= age_ms)
		return;
	for (; at > 0 && l->e[at - 1].age_ms < age_ms; at--)
		l->e[at] = l->e[at - 1];
	l->e[at] = (struct watch_entry){tcp_index(t, c), age_ms, c->head.key};
}

static void
see_close_wait(struct tcp *t, struct tcb *c)
{
	struct watch_round *r = &t->watch.now;
	uint32_t age_ms = close_wait_age_ms(t, c);
	uint32_t listener = tcp_class(t, c)->listener;
	const struct tcp_rx *rx = tcp_rx(t, c);
	uint32_t class = 0;

	if ((c->events & PMTCP_EV_PEER_FIN) && age_ms < UNPOPPED_MS)
		return;
	while (age_ms >= age_ends_ms[class])
		class ++;
	r->count++;
	r->age[class]++;
	r->unread += rx ? reasm_unread(&rx->r) : 0;
	if (listener && !tcb_has(c, TCB_ACTIVE))
		t->listeners[listener - 1].close_wait_now[class]++;
	list_add(&r->oldest, t, c, age_ms);
}

struct tcb *
tcp_watch_found(const struct tcp *t, const struct watch_entry *e)
{
	struct tcb *c = tcp_tcb(t, e->index);
	bool is_there = c->head.kind == BLOCK_TCB && c->head.state == TCPS_CLOSE_WAIT &&
			flow_key_equal(&c->head.key, &e->key);

	return is_there ? c : NULL;
}

/* RES-2: only where the operator asked for it, and never quietly. */
static void
enforce_limit(struct tcp *t, const struct watch_round *r)
{
	uint32_t limit = t->conf.close_wait_limit;
	uint32_t excess = limit && r->count > limit ? r->count - limit : 0;

	for (uint32_t i = 0; i < min_u32(excess, r->oldest.n); i++) {
		struct tcb *c = tcp_watch_found(t, &r->oldest.e[i]);

		if (!c)
			continue;
		tcp_count(t, PMTCP_C_close_wait_abort);
		tcp_conn_reset(t, c, PMTCP_NO_RESOURCE);
	}
}

/* RES-1: peer closed, app has not. RES-2: when there is no block left for a connection, any
 * that waits so is worth a word. */
static void
tell(struct tcp *t, const struct watch_round *r)
{
	struct tcp_watch *w = &t->watch;
	uint32_t oldest_ms = r->oldest.n ? r->oldest.e[0].age_ms : 0;
	uint32_t warn = t->conf.close_wait_warn;
	uint32_t warn_ms = t->conf.close_wait_warn_ms;
	bool is_due = (warn && r->count >= warn) || (warn_ms && oldest_ms >= warn_ms) ||
		      (slab_available(&t->tcbs) == 0 && oldest_ms >= UNPOPPED_MS);

	if (!is_due || (w->has_told && t->now_tick - w->told_tick < TELL_MS))
		return;
	w->has_told = true;
	w->told_tick = t->now_tick;
	t->diag(t->stack, PMTCP_DIAG_CLOSE_WAIT, r->count);
}

/* ---- peers that take nothing ------------------------------------------------ */

/* For how long: since the oldest octet in flight was sent first, or, with a shut window and
 * nothing in flight, since the last segment was. 0: it does not stall. */
static uint32_t
stalled_ms(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_tx *tx = tcp_tx(t, c);

	if (!tx || !tcb_is_synchronized(c) || c->retries == 0)
		return 0;
	if (tx->q.first)
		return (t->now_us - sendq_rec(&t->recs, tx->q.first)->first_us) / 1000;
	return tcb_timer(c) == TIMER_PERSIST ? t->now_ms - tx->sent_ms : 0;
}

static bool
is_short_of_memory(const struct tcp *t)
{
	return t->free_permille < TCP_PRESSURE_OOO || slab_available(&t->tcbs) == 0;
}

/* RES-13. */
static void
abort_stalled(struct tcp *t, const struct watch_list *l)
{
	for (uint32_t i = 0; i < l->n; i++) {
		struct tcb *c = tcp_tcb(t, l->e[i].index);

		if (c->head.kind != BLOCK_TCB || !flow_key_equal(&c->head.key, &l->e[i].key) ||
				stalled_ms(t, c) < t->conf.stall_abort_ms)
			continue;
		tcp_count(t, PMTCP_C_stall_abort);
		tcp_conn_reset(t, c, PMTCP_NO_RESOURCE);
	}
}

/* ---- the hand --------------------------------------------------------------- */

static bool
is_needed(const struct tcp *t)
{
	return t->state[TCPS_CLOSE_WAIT] > 0 || t->watch.last.count > 0 || t->watch.hand != 0 ||
	       (t->conf.stall_abort_ms && t->txs.used > 0 && is_short_of_memory(t));
}

uint64_t
tcp_watch_deadline(const struct tcp *t)
{
	return is_needed(t) ? t->watch.look_tick : UINT64_MAX;
}

static void
see(struct tcp *t, struct tcb *c)
{
	uint32_t ms;

	if (c->head.kind != BLOCK_TCB)
		return;
	if (c->head.state == TCPS_CLOSE_WAIT)
		see_close_wait(t, c);
	if (is_likely(t->conf.stall_abort_ms == 0))
		return;
	ms = stalled_ms(t, c);
	if (ms >= t->conf.stall_abort_ms)
		list_add(&t->watch.now.stalled, t, c, ms);
}

static void
end_round(struct tcp *t)
{
	struct tcp_watch *w = &t->watch;

	w->last = w->now;
	w->hand = 0;
	w->ended_ns = t->now_ns;
	memset(&w->now, 0, sizeof(w->now));
	for (uint16_t i = 0; i < t->conf.max_listeners; i++) {
		struct pmtcp_listener *l = &t->listeners[i];

		memcpy(l->close_wait, l->close_wait_now, sizeof(l->close_wait));
		memset(l->close_wait_now, 0, sizeof(l->close_wait_now));
	}
	tell(t, &w->last);
	enforce_limit(t, &w->last);
	if (is_short_of_memory(t))
		abort_stalled(t, &w->last.stalled);
}

void
tcp_watch_look(struct tcp *t)
{
	struct tcp_watch *w = &t->watch;
	bool is_hurried = t->conf.stall_abort_ms && is_short_of_memory(t);
	uint32_t n = t->tcbs.fresh / t->tcbs.units / ROUND_LOOKS;

	n = is_hurried ? LOOKS_MAX : min_u32(max_u32(n, LOOKS_MIN), LOOKS_MAX);
	w->look_tick = t->now_tick + (is_hurried ? TCP_WATCH_HURRY_MS : TCP_WATCH_MS);
	if (!is_needed(t))
		return;
	if (w->hand == 0)
		w->hand = SLAB_CHUNK_HEAD;
	while (n > 0 && w->hand < t->tcbs.fresh) {
		see(t, tcp_tcb(t, w->hand));
		w->hand = slab_next(&t->tcbs, w->hand);
		n--;
	}
	if (w->hand >= t->tcbs.fresh)
		end_round(t);
}
