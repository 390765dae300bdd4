/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Connections whose application was told -EAGAIN because the core had no side record left to
 * send from (RES-10): a bit each, since nothing else of theirs is free to be linked, and a
 * hand that goes round them once records come back. A bit may outlive its cause; the flag
 * TCB_SHORT_SEND of a connection without a record is what counts. */

#ifndef PMTCP_TCP_TCP_STARVE_H
#define PMTCP_TCP_TCP_STARVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcp;
struct tcb;

struct tcp_starve {
	uint64_t *bits; /* by index of the tcb / 2 */
	uint32_t words;
	uint32_t n;    /* bits set */
	uint32_t hand; /* word to be looked at next */
};

/* Octets of the bits, for tcbs below unit `end`. */
size_t tcp_starve_memsize(uint32_t end);
/* mem: zeroed. */
void tcp_starve_init(struct tcp_starve *s, void *mem, uint32_t end);
/* Its send found no record: WRITABLE is owed when there is one. */
void tcp_starve_add(struct tcp *t, struct tcb *c);
/* Somebody waits, and there is a record: tcp_starve_feed() has work. */
bool tcp_starve_is_due(const struct tcp *t);
/* Tells as many as there are records, looking at a bounded number of places. */
void tcp_starve_feed(struct tcp *t);

#endif /* PMTCP_TCP_TCP_STARVE_H */
