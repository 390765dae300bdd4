/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The context: one TCP engine plus what it needs around it - addresses, routes,
 * neighbours, ICMP, diagnoses. Top of the sans-IO core. */

#ifndef PMTCP_STACK_STACK_H
#define PMTCP_STACK_STACK_H

#include <pmtcp.h>

#include "flow/flow_owner.h"
#include "stack/neigh.h"
#include "tcp/tcp.h"
#include "wire/wire_parse.h"

enum {
	STACK_BURST = 64,        /* frames parsed, hashed and looked up together */
	STACK_MISDIRECTED = 512, /* frames of other workers waiting to be taken */
	STACK_GLANCES = 64,      /* bursts that are sorted behind a frame of another worker */
	STACK_LEARNED = 32,      /* neighbours heard of and not passed on yet */
	STACK_DIAGS = 32,
};

struct pmtcp_ctx {
	struct tcp t;
	struct wire_rx_conf rx_conf;       /* of frames as they come */
	struct wire_rx_conf untagged_conf; /* of those whose VLAN tag has been taken off */
	struct flow_owner owner;
	struct neigh_table neighs;
	uint32_t net; /* subnet, network order */
	uint32_t mask;
	uint32_t broadcast; /* of the subnet */
	bool is_tagged;     /* each frame's VLAN tag is to be looked at first */
	uint16_t gateway;   /* hop, pinned; TCP_NO_HOP: none */
	uint16_t gateway6;
	uint16_t n_misdirected;   /* in all ... */
	uint16_t misdirected_out; /* ... of which these were taken */
	uint16_t n_learned;
	uint16_t n_answers;     /* told in this millisecond */
	uint32_t answers_ms;    /* which */
	bool is_device_steered; /* frames of others should not come */
	bool is_handed;         /* these frames come from another worker */
	bool is_unsure;         /* each segment's owner is to be judged */
	uint16_t n_glances;     /* as many bursts are sorted before they are parsed */
	uint32_t icmp_tokens;   /* SEC-7 */
	uint32_t icmp_tokens_ms;
	uint32_t diag_head;   /* counts diagnoses ever made */
	uint32_t diag_tail;   /* and popped */
	uint32_t oversize_ms; /* of the last such diagnosis, 0: none yet */
	uint32_t conflict_ms; /* the same */
	uint32_t silent_ms;   /* the same */
	uint32_t steering_ms; /* the same */
	struct pmtcp_diag diags[STACK_DIAGS];
	struct rte_mbuf *misdirected[STACK_MISDIRECTED];
	uint16_t misdirected_owner[STACK_MISDIRECTED];
	struct pmtcp_neigh learned[STACK_LEARNED];
};

/* ---- stack_addr.c: addresses and routes ---- */
int stack_addr_init(struct pmtcp_ctx *s);
bool stack_is_local(const void *stack, uint32_t addr);
bool stack_is_remote_ok(const void *stack, uint32_t addr);
uint16_t stack_route(void *stack, uint32_t raddr);
uint32_t stack_pick_local(void *stack, uint32_t raddr);
/* Of both versions. */
bool stack_knows_way(const void *stack, const struct seg *seg);

/* ---- stack_addr6.c: the same of IPv6 ---- */
int stack_addr6_init(struct pmtcp_ctx *s);
bool stack_is_local6(const void *stack, const uint8_t *addr);
bool stack_is_joined6(const struct pmtcp_ctx *s, const uint8_t *group);
bool stack_is_remote_ok6(const void *stack, const uint8_t *addr);
bool stack_is_on_link6(const struct pmtcp_ctx *s, const uint8_t *addr);
uint16_t stack_route6(void *stack, const uint8_t *raddr);
/* The next hop as it stands in the table, or NEIGH_NONE. */
uint16_t stack_find_hop6(const struct pmtcp_ctx *s, const uint8_t *raddr);
const uint8_t *stack_pick_local6(void *stack, const uint8_t *raddr);

/* ---- stack_input.c ---- */
/* The first `handed` frames were another worker's. */
void stack_input(struct pmtcp_ctx *s, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t handed,
		uint16_t n);

/* ---- stack_steer.c: other workers ---- */
int stack_steer_init(struct pmtcp_ctx *s, const struct pmtcp_rss *rss);
bool stack_owns(const void *stack, const struct flow_key *key, const struct flow_addr6 *addr6);
/* The worker of an IPv6 tuple; flow_owner() tells that of an IPv4 one. */
uint16_t stack_owner6(const struct pmtcp_ctx *s, const struct flow_key *key,
		const struct flow_addr6 *addr6);
/* Another worker's: kept for pmtcp_misdirected() and counted; seg->m is NULL if it was. */
void stack_set_aside(struct pmtcp_ctx *s, struct seg *seg, uint16_t owner);
/* Sets the others' frames of a burst aside as far as a glance tells: they are parsed, and their
 * sums added up, at their owner alone. While none come, a glance is more work than the parser's
 * is saved: it is taken for s->n_glances bursts. s->is_unsure tells whether there was a frame of
 * which it told nothing. Returns how many are left, in order. */
uint16_t stack_sort_out(struct pmtcp_ctx *s, struct rte_mbuf **pkts, uint16_t n);
/* Between these two calls frames are another worker's, who has added up their sums. */
void stack_trust_handed(struct pmtcp_ctx *s, bool is_handed);
/* The same of one that a device which steers should not have brought here. */
void stack_set_astray(struct pmtcp_ctx *s, struct seg *seg, uint16_t owner);
/* Frees what was not taken. */
void stack_misdirected_fini(struct pmtcp_ctx *s);

/* ---- stack_input6.c ---- */
/* The fate of a segment that is not for us, or PMTCP_C_seg_taken. */
enum pmtcp_counter stack_judge6(const struct pmtcp_ctx *s, const struct seg *seg);
void stack_icmp6_frame(struct pmtcp_ctx *s, struct seg *seg);
void stack_problem6_frame(struct pmtcp_ctx *s, struct seg *seg, enum pmtcp_counter fate);

/* ---- icmp.c ---- */
/* Takes the packet or leaves it in seg->m. */
void icmp_input(struct pmtcp_ctx *s, struct seg *seg);
/* SEC-7: may a reply or an error message leave now? */
bool icmp_is_allowed(struct pmtcp_ctx *s);

/* ---- icmp6.c: the same of IPv6 ---- */
void icmp6_input(struct pmtcp_ctx *s, struct seg *seg);
/* A packet that is dropped for `fate` and may be answered by a parameter problem (W-17). */
void icmp6_problem(struct pmtcp_ctx *s, struct seg *seg, enum pmtcp_counter fate);

/* ---- diag.c ---- */
void stack_diag(void *stack, enum pmtcp_diag_kind kind, uint32_t value);
/* Of what a flood can cause: once a second at most. last_ms: 0 at first. */
bool stack_diag_is_due(const struct pmtcp_ctx *s, uint32_t *last_ms);
/* Somebody else claims our address. */
void stack_diag_conflict(struct pmtcp_ctx *s, const struct pmtcp_addr *ours);
void stack_diag_addr(struct pmtcp_ctx *s, enum pmtcp_diag_kind kind, const struct pmtcp_addr *addr);

#endif /* PMTCP_STACK_STACK_H */
