/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Connections that stay established and idle beside the others (--hold): the client opens
 * them before the clock starts and aborts them after the drain. The application keeps nothing
 * but their user word. The client's is a chain through all of them; the server's says that a
 * connection is one.
 *
 * The server takes the first it accepts for the held ones. Where packets were lost it can
 * mistake one for another; as soon as one speaks, or is reset without having spoken, it knows
 * better. */

#ifndef PMTCP_APPS_LOAD_HOLD_H
#define PMTCP_APPS_LOAD_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "load/side.h"

/* In the client's user words, whose rest is the address of the connection held before. */
enum {
	HOLD_BIT = 1, /* other user words are addresses of larger alignment */
	HOLD_LOST_BIT = 2,
	HOLD_ENDED_BIT = 4, /* only the handle is left */
	HOLD_RELEASED_BIT = 8,
	HOLD_READY_BIT = 16, /* reached ESTABLISHED */
	HOLD_BITS = 31,
	HOLD_RELEASE_MAX = 64, /* aborted in a turn at most */
};

static inline bool
hold_is_held(const void *user)
{
	return ((uintptr_t)user & HOLD_BIT) != 0;
}

/* ---- the client's: `last` is the head of the chain ---- */

/* A connection was opened to stay. */
void hold_add(struct side *s, struct pmtcp_conn **last, struct pmtcp_conn *conn);

/* An event of one of them. */
void hold_event(struct side *s, const struct pmtcp_event *e);

/* Gives some of them up; *last is NULL when none is left. */
void hold_release(struct pmtcp_conn **last);

#endif /* PMTCP_APPS_LOAD_HOLD_H */
