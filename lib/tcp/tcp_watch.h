/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The watch: a hand that goes round the connections, some at a time, and finds what
 * nobody's timer tells: connections whose peer has closed and whose application has
 * not (RES-1, RES-2), and, if wanted, those whose peer takes nothing (RES-13). What
 * opens and closes at once never pays for it: nothing is counted, linked or stamped
 * on the way into CLOSE-WAIT or out of it. */

#ifndef PMTCP_TCP_TCP_WATCH_H
#define PMTCP_TCP_TCP_WATCH_H

#include <pmtcp.h>

#include "flow/flow_key.h"

enum {
	TCP_WATCH_MS = 100,      /* between two looks */
	TCP_WATCH_HURRY_MS = 10, /* while memory is short and stalled peers are to go */
	TCP_WATCH_LIST = 32,     /* the oldest of a round that are known by name */
};

/* Names a connection as it was seen: the block may be another's by now. */
struct watch_entry {
	uint32_t index; /* of its tcb */
	uint32_t age_ms;
	struct flow_key key;
};

struct watch_list {
	uint32_t n;
	struct watch_entry e[TCP_WATCH_LIST]; /* oldest first */
};

/* What was found in one round. */
struct watch_round {
	uint32_t count; /* in CLOSE-WAIT */
	uint32_t age[PMTCP_CLOSE_WAIT_AGES];
	uint64_t unread;
	struct watch_list oldest;
	struct watch_list stalled;
};

struct tcp_watch {
	uint64_t look_tick; /* of the next look */
	uint32_t hand;      /* tcb to be seen next; 0: no round runs */
	bool has_told;      /* a diagnosis, at told_tick the last */
	uint64_t told_tick;
	uint64_t ended_ns; /* when `last` ended, 0: none has */
	struct watch_round now;
	struct watch_round last;
};

struct tcp;
struct tcb;

/* Caller: look_tick has come. */
void tcp_watch_look(struct tcp *t);
/* Tick of the next look that finds something to do, else UINT64_MAX. */
uint64_t tcp_watch_deadline(const struct tcp *t);
/* Is it still there, and in CLOSE-WAIT? NULL if not. */
struct tcb *tcp_watch_found(const struct tcp *t, const struct watch_entry *e);

#endif /* PMTCP_TCP_TCP_WATCH_H */
