/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Ephemeral ports: see tcp_port.c. */

#ifndef PMTCP_TCP_TCP_PORT_H
#define PMTCP_TCP_TCP_PORT_H

#include <stdint.h>

#include "flow/flow_key.h"

struct tcp;
struct tcp_tuple;
struct pmtcp_port_report;

#define TCP_PAIR_MEMO 8

/* Opens to one remote from one local address: RFC 6056 port search (OPEN-34). */
struct tcp_pair {
	uint32_t laddr; /* network order; 0: free slot, since no connection has it */
	uint32_t raddr;
	uint16_t rport;
	uint16_t start;     /* keyed, fixed per pair, below the number of ports */
	uint32_t cursor;    /* next step from start, below the number of ports */
	uint32_t in_use;    /* tuples of this pair in the table, TIME-WAIT included */
	uint32_t barren;    /* steps of the cursor since it met a free port */
	uint64_t next_hash; /* of the tuple at the cursor; 0: not known */
};

int tcp_port_pick(struct tcp *t, struct tcp_tuple *tuple, uint32_t *reused);
int tcp_port_claim(struct tcp *t, const struct flow_key *key);
void tcp_port_release(struct tcp *t, const struct flow_key *key);
#define TCP_PORT_REUSE_PROBES 256 /* when every port of a pair is taken */
#define TCP_PORT_LOOK_ON      16  /* behind a port that may be reused, for one that is free */
void tcp_port_report(
		struct tcp *t, const struct tcp_tuple *tuple, struct pmtcp_port_report *report);

#endif /* PMTCP_TCP_TCP_PORT_H */
