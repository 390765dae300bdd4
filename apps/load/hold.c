/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The client's held connections: see hold.h. */

#include "load/hold.h"

static uintptr_t
word_get(struct pmtcp_conn *conn)
{
	return (uintptr_t)pmtcp_user(conn);
}

static void
word_add(struct pmtcp_conn *conn, uintptr_t bits)
{
	pmtcp_set_user(conn, (void *)(word_get(conn) | bits));
}

void
hold_add(struct side *s, struct pmtcp_conn **last, struct pmtcp_conn *conn)
{
	pmtcp_set_user(conn, (void *)((uintptr_t)*last | HOLD_BIT));
	*last = conn;
	s->n.held++;
	s->held_opening++;
}

/* It is established, or will never be. */
static void
ready(struct side *s, struct pmtcp_conn *conn)
{
	if (word_get(conn) & HOLD_READY_BIT)
		return;
	word_add(conn, HOLD_READY_BIT);
	s->held_opening--;
}

static void
lost(struct side *s, struct pmtcp_conn *conn)
{
	if (word_get(conn) & HOLD_LOST_BIT)
		return;
	word_add(conn, HOLD_LOST_BIT);
	s->n.held_lost++;
}

/* One that has ended before its time stays in the chain, its handle with it. */
static void
ended(struct side *s, struct pmtcp_conn *conn)
{
	uintptr_t word = word_get(conn);

	ready(s, conn);
	if ((word & HOLD_RELEASED_BIT) == 0) {
		lost(s, conn);
		word_add(conn, HOLD_ENDED_BIT);
	} else if ((word & HOLD_LOST_BIT) == 0) {
		s->n.held_released++;
	}
}

void
hold_event(struct side *s, const struct pmtcp_event *e)
{
	if (e->flags & PMTCP_EV_CONNECTED) {
		s->n.held_ready++;
		ready(s, e->conn);
	}
	if (e->flags & PMTCP_EV_PEER_FIN)
		lost(s, e->conn);
	if (e->flags & PMTCP_EV_CLOSED)
		ended(s, e->conn);
}

void
hold_release(struct pmtcp_conn **last)
{
	for (int n = 0; n < HOLD_RELEASE_MAX && *last != NULL; n++) {
		struct pmtcp_conn *conn = *last;
		uintptr_t word = word_get(conn);

		*last = (struct pmtcp_conn *)(word & ~(uintptr_t)HOLD_BITS);
		word_add(conn, HOLD_RELEASED_BIT);
		if (word & HOLD_ENDED_BIT)
			pmtcp_close(conn);
		else
			pmtcp_abort(conn);
	}
}
