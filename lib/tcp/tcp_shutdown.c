/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The end of the process (RES-15): FIN to everybody, RST to who has not answered by the
 * deadline, nothing left. The walks are over all blocks that were ever used; nobody waits
 * for a turn any more but those who are being let go. */

#include "tcp/tcp.h"

static void
unlisten_all(struct tcp *t)
{
	for (uint32_t i = 0; i < t->conf.max_listeners; i++)
		if (t->listeners[i].is_used)
			tcp_user_unlisten(&t->listeners[i]);
}

/* A handle of the application's stays its own until the deadline: it may still read. */
static void
close_all(struct tcp *t)
{
	const struct slab *s = &t->tcbs;

	for (uint32_t i = SLAB_CHUNK_HEAD; i < s->fresh; i = slab_next(s, i)) {
		struct tcb *c = tcp_tcb(t, i);

		if (c->head.kind != BLOCK_TCB)
			continue;
		if (c->head.state == TCPS_SYN_SENT)
			tcp_conn_end(t, c, PMTCP_LOCAL_CLOSE);
		else
			(void)tcp_user_shutdown(t, c);
	}
}

static void
abort_all(struct tcp *t)
{
	const struct slab *s = &t->tcbs;

	for (uint32_t i = SLAB_CHUNK_HEAD; i < s->fresh; i = slab_next(s, i)) {
		struct tcb *c = tcp_tcb(t, i);

		if (c->head.kind == BLOCK_TCB || c->head.kind == BLOCK_ENDED)
			tcp_user_abort(t, c);
	}
}

/* One that owes the last ACK is on a list until that has left. */
static void
drop_time_waits(struct tcp *t, bool is_late)
{
	for (uint32_t i = t->tw_first; i < t->time_waits.fresh; i++) {
		struct time_wait *tw = (struct time_wait *)tcp_block(t, i);

		if (tw->head.kind == BLOCK_TIME_WAIT && (is_late || tw->head.mark_next == 0))
			tcp_time_wait_remove(t, tw, tcp_hash(t, &tw->head.key), PMTCP_C_tw_flushed);
	}
}

uint32_t
tcp_shutdown(struct tcp *t, uint64_t deadline_ns)
{
	bool is_late = t->now_ns >= deadline_ns;

	if (!t->is_shutting_down)
		unlisten_all(t);
	/* Not both in one call: from LAST-ACK no RST would follow, and no FIN has left. */
	if (is_late)
		abort_all(t);
	else if (!t->is_shutting_down)
		close_all(t);
	t->is_shutting_down = true;
	if (t->live == 0)
		drop_time_waits(t, is_late);
	return t->tcbs.used + t->half_opens.used + t->time_waits.used;
}
