/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The peer of fuzz_segment: it knows the edges of the moment, brings the context
 * into a state, builds frames, and judges what the context sends. */

#ifndef PMTCP_TESTS_FUZZ_SEGMENT_H
#define PMTCP_TESTS_FUZZ_SEGMENT_H

#include "side.h"
#include "support/build.h"

enum {
	PEER_PORT = 50000, /* and the next one */
	PEER_PORTS = 2,
	PEER_BURST_MAX = 32,
};

struct fuzz_peer {
	struct fuzz_side side;
	uint32_t irs;             /* the peer's initial number */
	uint32_t peer_end;        /* behind the last octet the peer sent */
	uint8_t syn_opts;         /* enum pkt_opt of the script's SYN */
	bool is_ecn;              /* the script's SYN offers, its SYN-ACK accepts ECN */
	uint16_t wnd;             /* of the script's segments */
	uint32_t iss[PEER_PORTS]; /* of the last SYN the context sent to each */
	uint32_t syn_tsval[PEER_PORTS];
	bool syn_has_ts[PEER_PORTS];
	uint32_t syn_seq[PEER_PORTS]; /* of the last SYN each of them sent */
	uint16_t n_burst;
	struct rte_mbuf *burst[PEER_BURST_MAX];
};

/* What the numbers of a segment are drawn around; of the block with this port, or
 * made up where there is none. */
struct edges {
	uint32_t una, nxt, max_wnd;
	uint32_t rcv_nxt, rcv_edge;
	uint32_t ts_recent;
	uint32_t tsval; /* our clock now */
	bool has_ts;
};

static inline uint32_t
peer_tsval(const struct edges *e)
{
	return e->ts_recent + 1;
}

/* Sets up as the head of the input says and runs the script of its state. */
void peer_create(struct fuzz_peer *f, struct fuzz_in *in);
void peer_destroy(struct fuzz_peer *f);

void peer_edges(const struct fuzz_peer *f, uint16_t port, struct edges *e);

/* One of the edges; offsets are the caller's. */
uint32_t peer_draw_seq(const struct fuzz_peer *f, const struct edges *e, uint8_t which);
uint32_t peer_draw_ack(const struct edges *e, uint8_t which);

/* Addresses, ports and text are filled in; the frame joins the burst. */
void peer_send(struct fuzz_peer *f, uint16_t port, struct build *b);
void peer_send_icmp(struct fuzz_peer *f, const struct build_icmp *icmp, const uint8_t *inner,
		uint32_t len);
void peer_deliver(struct fuzz_peer *f);

/* segment_script.c: ordinary segments until the context is in this state. */
void script_run(struct fuzz_peer *f, enum pmtcp_state state, uint8_t how);

#endif /* PMTCP_TESTS_FUZZ_SEGMENT_H */
