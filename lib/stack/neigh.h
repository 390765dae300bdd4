/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Neighbours: next hops and their MAC addresses, by ARP (RFC 826; RFC 1122 2.3.2) and by
 * Neighbour Discovery (RFC 4861), with the states of RFC 4861 7.3. The table is bounded;
 * entries are made by our own sending or by requests addressed to us, and one unused for long
 * gives way (W-5 to W-8). An entry's number is the hop number in every block. */

#ifndef PMTCP_STACK_NEIGH_H
#define PMTCP_STACK_NEIGH_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/base.h"
#include "tcp/tcp.h"
#include "wire/wire_arp.h"

enum neigh_state {
	NEIGH_FREE,
	NEIGH_INCOMPLETE, /* asked by broadcast, nothing known */
	NEIGH_REACHABLE,  /* or STALE: confirmed too long ago */
	NEIGH_PROBE,      /* known, asked again by unicast (W-8) */
	NEIGH_FAILED,     /* did not answer; asked again after a pause while somebody waits */
	NEIGH_STATIC,     /* configured: never asked, never ages */
};

enum {
	NEIGH_TRIES = 3,        /* W-7 */
	NEIGH_ASK_MS = 1000,    /* SEC-7: at most one request per second and target */
	NEIGH_DELAY_MS = 5000,  /* DELAY_FIRST_PROBE_TIME of RFC 4861 section 10 */
	NEIGH_PAUSE_MS = 10000, /* after a failure */
	NEIGH_ANSWERS = 8,      /* to others' questions, told in a millisecond */
	NEIGH_TELL_MS = 500,    /* between two notices that tell the same; below NEIGH_ASK_MS */
	NEIGH_NONE = UINT16_MAX,
};

/* Of either version: an IPv4 address is ::ffff:a.b.c.d, which is nobody's on a wire. */
struct neigh_addr {
	uint64_t words[2];
};

struct neigh {
	struct neigh_addr addr;
	uint8_t state;
	uint8_t tries;
	uint16_t next; /* in its hash bucket, NEIGH_NONE: last */
	uint32_t used_ms;
	uint32_t due_ms;  /* next request, or end of reachability */
	uint32_t told_ms; /* when the other workers heard last that it answers */
};

struct pmtcp_ctx;

struct neigh_table {
	struct neigh *entries; /* index is the hop number; 0 is never used */
	uint16_t *buckets;
	uint32_t n_buckets; /* a power of two */
	uint16_t max;
	uint16_t fresh;   /* lowest number never used */
	uint16_t hand;    /* the entry that was looked at last for one to give way */
	uint16_t last;    /* of neigh_get4(), NEIGH_NONE: none yet, or it was recycled */
	uint32_t last_ip; /* its address */
	uint32_t next_ms; /* nothing is due before this */
	bool has_due;
};

size_t neigh_memsize(uint16_t max);
void neigh_init(struct pmtcp_ctx *s, void *mem, uint16_t max);

/* ip: network order. */
struct neigh_addr neigh_addr4(uint32_t ip);
struct neigh_addr neigh_addr6(const uint8_t *ip6);

/* Of an entry; its port is 0. */
struct pmtcp_addr neigh_addr_of(const struct pmtcp_ctx *s, uint16_t number);

/* The hop of this address, made if need be; NEIGH_NONE: the table is full of hops
 * in use. */
uint16_t neigh_get(struct pmtcp_ctx *s, struct neigh_addr addr);

/* The same of an IPv4 address, as each open and each SYN asks; whoever asked last is
 * remembered. */
uint16_t neigh_get4(struct pmtcp_ctx *s, uint32_t ip);

/* The same, or NEIGH_NONE. */
uint16_t neigh_find(const struct pmtcp_ctx *s, struct neigh_addr addr);

/* The entry of who names this MAC address, made only if `may_create`; NEIGH_NONE: none. */
uint16_t neigh_heard(struct pmtcp_ctx *s, struct neigh_addr addr, const struct rte_ether_addr *mac,
		bool may_create);
/* It answered, if it may learn. */
void neigh_believe(struct pmtcp_ctx *s, uint16_t number, const struct rte_ether_addr *mac);
void neigh_set_static(
		struct pmtcp_ctx *s, struct neigh_addr addr, const struct rte_ether_addr *mac);

/* A packet told where it is, before that is believed here: the other workers will know, too. */
void neigh_tell(struct pmtcp_ctx *s, uint16_t number, const struct rte_ether_addr *mac,
		bool is_confirmed);

/* The same of an answer to a question that was not ours: another worker's, perhaps. */
void neigh_tell_answer(struct pmtcp_ctx *s, struct pmtcp_addr addr,
		const struct rte_ether_addr *mac, bool is_confirmed);

/* The entry answers; whoever waited goes on. */
void neigh_resolved(struct pmtcp_ctx *s, uint16_t number, const struct rte_ether_addr *mac);
/* It said where it is, which is no sign that it hears us. */
void neigh_stale(struct pmtcp_ctx *s, uint16_t number, const struct rte_ether_addr *mac);
/* The same, if that is news of an entry that may learn. */
void neigh_hear(struct pmtcp_ctx *s, uint16_t number, const struct rte_ether_addr *mac);
/* What is known is in doubt: asked now, by unicast. */
void neigh_doubt(struct pmtcp_ctx *s, uint16_t number);

/* Somebody waits for this hop, or wants it ready. */
void neigh_want(struct pmtcp_ctx *s, uint16_t number);

/* Retransmissions over it were never answered (DATA-34). */
void neigh_suspect(struct pmtcp_ctx *s, uint16_t number);

/* It did not answer, and is not asked again yet. */
bool neigh_is_pausing(const struct pmtcp_ctx *s, uint16_t number);

/* Requests and ageing; at most once per due time. */
void neigh_tick(struct pmtcp_ctx *s);

/* When neigh_tick has something to do, ns; UINT64_MAX: never. */
uint64_t neigh_deadline(const struct pmtcp_ctx *s);

/* A received ARP packet: answer, learn, or drop (W-5, W-6). m stays the caller's. */
void neigh_arp_input(struct pmtcp_ctx *s, const struct rte_mbuf *m);

/* ---- neigh6.c ---- */
/* Asks for an IPv6 neighbour, by multicast unless it is being probed. */
void neigh6_ask(struct pmtcp_ctx *s, uint16_t number);
/* A received ICMPv6 message of Neighbour Discovery: answer, learn or drop (W-19, W-20). */
void neigh6_input(struct pmtcp_ctx *s, struct seg *seg);

#endif /* PMTCP_STACK_NEIGH_H */
