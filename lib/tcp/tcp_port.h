/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Ephemeral ports: see tcp_port.c. */

#ifndef PMTCP_TCP_TCP_PORT_H
#define PMTCP_TCP_TCP_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "flow/flow_key.h"

struct tcp;
struct tcp_tuple;
struct pmtcp_port_report;

/* Opens to one remote from one local address: RFC 6056 port search (OPEN-34). Two of them share
 * a cache line. */
struct tcp_pair {
	uint32_t laddr; /* network order; 0: free slot, since no connection has it */
	uint32_t raddr;
	uint16_t rport;
	uint16_t start;     /* keyed, fixed per pair, below the number of ports */
	uint16_t cursor;    /* next step from start, below the number of ports */
	uint16_t foreseen;  /* the step behind those foreseen ... */
	uint16_t burst;     /* ... in this burst of opens */
	uint16_t barren;    /* steps of the cursor since it met a free port; no more than fit */
	uint32_t in_use;    /* tuples of this pair in the table, TIME-WAIT included */
	uint64_t next_hash; /* of the tuple at the cursor, which is ours then; 0: not known */
};
STATIC_ASSERT(sizeof(struct tcp_pair) == 32);

/* What an open will find most likely. It has no effect but on the caches: whatever does not hold
 * when the open comes is looked at again. */
struct tcp_foresight {
	struct tcp_pair *pair; /* at first where it may be; then NULL: there is none yet */
	uint64_t hash;         /* of the tuple that is met then; 0: not known */
	uint16_t at;           /* where the cursor will be */
	uint16_t behind;       /* where it goes from that tuple, if that is free */
	uint16_t lport;        /* of that tuple, network order */
	uint16_t foreign;      /* steps over other workers' ports from there */
	bool is_alone;         /* in its burst: the pair's next open is to be looked ahead to */
};

/* The hash of a pair's place in its table: strongly universal, and keyed, for remote addresses
 * may come from outside (SEC-14). */
static inline uint32_t
tcp_pair_hash(const uint64_t mult[3], const struct flow_key *key)
{
	return (uint32_t)((key->laddr * mult[0] + key->raddr * mult[1] + key->rport * mult[2]) >>
			  32);
}

/* The next open of the burst t->open_burst: asks for its pair's line, ... */
void tcp_port_foresee_pair(
		const struct tcp *t, const struct flow_key *key, struct tcp_foresight *f);
/* ... and, once that has come, for the buckets of the tuple that it will take. */
void tcp_port_foresee(struct tcp *t, const struct tcp_tuple *tuple, struct tcp_foresight *f);
int tcp_port_pick(struct tcp *t, struct tcp_tuple *tuple, const struct tcp_foresight *f,
		uint32_t *reused);
int tcp_port_claim(struct tcp *t, const struct flow_key *key);
void tcp_port_release(struct tcp *t, const struct flow_key *key);
#define TCP_PORT_REUSE_PROBES 256 /* when every port of a pair is taken */
#define TCP_PORT_LOOK_ON      16  /* behind a port that may be reused, for one that is free */
void tcp_port_report(
		struct tcp *t, const struct tcp_tuple *tuple, struct pmtcp_port_report *report);

#endif /* PMTCP_TCP_TCP_PORT_H */
