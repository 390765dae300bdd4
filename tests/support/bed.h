/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* One context and any number of stations around it, on a virtual clock: for what a
 * single connection cannot show (ports, limits, neighbours, throttles). The stations
 * have no TCP of their own; a bed_peer only remembers the next numbers of its end.
 * For one connection in detail see endpoint.h. */

#ifndef PMTCP_TESTS_SUPPORT_BED_H
#define PMTCP_TESTS_SUPPORT_BED_H

#include <stdbool.h>
#include <stdint.h>

#include "support/build.h"
#include "support/ctx_mem.h"
#include "support/pkt.h"

enum { BED_OUT_MAX = 1024, BED_BURST_MAX = 64 };

#define BED_MS 1000000ull

struct bed {
	struct pmtcp_conf conf;
	struct rte_mempool *pool;
	struct pmtcp_ctx *ctx;
	void *mem;
	size_t mem_len;
	uint64_t now;
	uint32_t first_out;
	uint32_t n_out;
	struct rte_mbuf *out[BED_OUT_MAX];
	uint64_t out_ns[BED_OUT_MAX];
	uint16_t n_burst;
	struct rte_mbuf *burst[BED_BURST_MAX];
	uint64_t taken_ns;
	struct pkt taken;
};

/* The far end of one tuple. */
struct bed_peer {
	uint32_t ip;
	uint16_t port;
	uint16_t local_port;
	uint32_t seq; /* next to send */
	uint32_t ack; /* next expected */
	uint16_t wnd; /* 0: 65535 */
	bool has_ts;
	uint32_t tsval;
	uint32_t tsecr;
};

/* tune may be NULL; else it changes what ctx_conf_small() made. */
void bed_create(struct bed *bed, void (*tune)(struct pmtcp_conf *conf));
/* Checks books, structures and packet buffers. */
void bed_destroy(struct bed *bed);

/* Ethernet and IPv4 addresses that are zero become those of the ordinary way in. */
void bed_inject(struct bed *bed, const struct build *b);
void bed_inject_mbuf(struct bed *bed, struct rte_mbuf *m);
/* An ARP packet from spa/sha; dmac broadcast for a request, ours for a reply. */
void bed_inject_arp(struct bed *bed, const struct pkt_arp *arp);

/* Delivers what was injected, ticks, sends; events stay. */
void bed_turn(struct bed *bed);
/* Time goes on, with a turn at each deadline. */
void bed_advance(struct bed *bed, uint64_t ns);
/* The oldest frame sent, NULL if none; valid until the next call. */
const struct pkt *bed_take(struct bed *bed);
/* Drops what was sent; returns how many frames. */
uint32_t bed_forget(struct bed *bed);

/* The peer sends a segment of its tuple, `len` octets of text, and counts on. */
void bed_peer_sends(struct bed *bed, struct bed_peer *peer, uint8_t flags, uint32_t len);
/* A turn, then the oldest frame, which must be of this tuple; NULL if there is none. */
const struct pkt *bed_peer_gets(struct bed *bed, struct bed_peer *peer);

/* Opens towards peer->ip, peer->port and completes the handshake. lport 0: ephemeral.
 * Sets local_port and the numbers; 0 or what pmtcp_connect() said. */
int bed_open(struct bed *bed, struct bed_peer *peer, uint16_t lport, struct pmtcp_conn **conn);
/* The peer opens towards a listener; NULL if it was not accepted. */
struct pmtcp_conn *bed_accept(struct bed *bed, struct bed_peer *peer);
/* The context closes first and the tuple passes to TIME-WAIT; the handle is dead. */
void bed_close_first(struct bed *bed, struct bed_peer *peer, struct pmtcp_conn *conn);

/* Pops one event, zero if there is none. */
struct pmtcp_event bed_event(struct bed *bed);
uint64_t bed_counter(const struct bed *bed, enum pmtcp_counter c);
struct pmtcp_stats bed_stats(const struct bed *bed);

#endif /* PMTCP_TESTS_SUPPORT_BED_H */
