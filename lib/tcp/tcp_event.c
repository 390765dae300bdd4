/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Events: a ready list of connections rather than callbacks, so that no
 * application code runs inside a half-processed segment. Events of a connection
 * coalesce; each is on the list at most once. */

#include "tcp/tcp.h"

void
tcp_event(struct tcp *t, struct tcb *c, uint32_t flags)
{
	uint32_t index = tcp_index(t, c);

	/* After close or abort only CLOSED can follow; after detach nothing. */
	if (tcb_has(c, TCB_RELEASED))
		flags &= PMTCP_EV_CLOSED;
	if (tcb_has(c, TCB_DETACHED) || flags == 0)
		return;
	c->events |= (uint8_t)flags;
	if (c->ready_next)
		return;
	c->ready_next = MARK_END;
	if (t->ready_head)
		tcp_tcb(t, t->ready_tail)->ready_next = index;
	else
		t->ready_head = index;
	t->ready_tail = index;
}

static bool
pop(struct tcp *t, struct tcb *c, struct pmtcp_event *ev)
{
	uint8_t flags = c->events;

	c->events = 0;
	c->ready_next = 0;
	if (flags & PMTCP_EV_CLOSED)
		c->flags |= TCB_CLOSED_POPPED;
	if (c->head.kind == BLOCK_ENDED && tcb_has(c, TCB_RELEASED))
		tcp_mark(t, &c->head); /* given back by the output pass */
	if (flags == 0)
		return false; /* detached, or closed, while it was on the list */
	ev->conn = (struct pmtcp_conn *)c;
	ev->user = c->user;
	ev->flags = flags;
	ev->reason = flags & (PMTCP_EV_CLOSED | PMTCP_EV_ERROR) ? c->reason : PMTCP_REASON_NONE;
	return true;
}

uint16_t
tcp_events(struct tcp *t, struct pmtcp_event *ev, uint16_t n)
{
	uint16_t got = 0;

	while (got < n && t->ready_head) {
		struct tcb *c = tcp_tcb(t, t->ready_head);
		uint32_t next = c->ready_next;

		t->ready_head = next == MARK_END ? 0 : next;
		if (t->ready_head)
			__builtin_prefetch(&tcp_tcb(t, t->ready_head)->user);
		got += pop(t, c, &ev[got]);
	}
	return got;
}
