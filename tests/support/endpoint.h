/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* One context against a scripted peer on a virtual clock. The peer has no TCP of
 * its own: the test says each segment it sends and each one it expects. Sequence
 * numbers are counted from the two initial ones, which the harness learns from
 * the first SYN of either side. A segment that nobody expected, an event that
 * nobody asked for, a book that does not balance and a lost packet buffer all
 * fail the test.
 *
 * One burst: ep_inject() any number of segments, then whatever looks at the
 * result delivers them together. The application may act before the burst's
 * output: ep_poll() delivers and pops events, ep_turn() also sends. */

#ifndef PMTCP_TESTS_SUPPORT_ENDPOINT_H
#define PMTCP_TESTS_SUPPORT_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "support/ctx_mem.h"
#include "support/pkt.h"

enum {
	EP_OUT_MAX = 256,
	EP_BURST_MAX = 64,
	EP_PORT = 80,         /* the context's, both as listener and as opener */
	EP_PEER_PORT = 50000, /* the peer's */
	EP_PEER_WND = 8192,   /* window of every injected segment unless it says its own */
	EP_RECV_BUFFER = 32768,
	EP_TEXT_MAX = 1460,
	EP_QUOTE = 28, /* what routers quote: the IP header and 8 octets (RFC 792) */
};

#define EP_PEER_ISS 1000000u
#define EP_MS       1000000ull

struct ep_opts {
	void (*tune)(struct pmtcp_conf *conf); /* NULL: ctx_conf_small() as it is */
	struct pmtcp_conn_opts conn;           /* of both kinds of open */
	uint64_t later_ns;                     /* the clock starts this much later */
	uint32_t peer_iss;                     /* 0: EP_PEER_ISS */
	bool is_same_mss; /* over IPv6 all links carry 20 octets more, so that lengths stay */
};

/* A segment as the script writes it. Numbers are absolute. */
struct ep_seg {
	const char *flags; /* "SA" */
	uint32_t seq;
	uint32_t ack;
	uint32_t len;
	uint16_t urg;   /* urgent pointer; it means something only with the flag U */
	int32_t wnd;    /* -1: not looked at; injected: EP_PEER_WND */
	int32_t mss;    /* -1: no option, or not looked at */
	int32_t wscale; /* -1: no option, or not looked at */
	uint8_t ecn;    /* IP ECN code point: 0, 2 is ECT(0), 3 is CE */
	bool has_ts;
	uint32_t tsval;
	uint32_t tsecr;
	bool has_sack_perm; /* injected only, as the blocks are */
	uint8_t n_sack;
	struct pkt_sack sack[PKT_SACK_MAX];
};

/* An ICMP error of a router, about a segment that the context sent. */
struct ep_icmp {
	uint8_t type;
	uint8_t code;
	uint16_t mtu; /* of the next hop, for too-big */
	uint16_t len; /* of the IP packet quoted */
	uint32_t seq; /* of the segment quoted */
};

struct ep_frame {
	struct rte_mbuf *m;
	uint64_t at_ns;
};

struct ep {
	const char *name; /* of the test, for messages */
	struct pmtcp_conf conf;
	struct pmtcp_conn_opts conn_opts;
	struct rte_mempool *pool;
	struct pmtcp_ctx *ctx;
	void *mem;
	size_t mem_len;
	enum pmtcp_syn_cookies cookies; /* of the listener */
	struct pmtcp_listener *listener;
	struct pmtcp_conn *conn; /* the one connection under test; NULL once the handle is dead */
	bool is_ended;           /* its CLOSED was popped */
	bool is_given_up;        /* pmtcp_close() or pmtcp_abort() was called */
	uint64_t now;
	uint32_t iss; /* of the context */
	uint32_t irs; /* of the peer */
	uint32_t events;
	int reason;
	uint16_t n_burst;
	struct rte_mbuf *burst[EP_BURST_MAX];
	uint32_t n_written; /* by ep_write() and ep_read() */
	uint32_t n_read;
	uint32_t first_out;
	uint32_t n_out;
	struct ep_frame out[EP_OUT_MAX];
	uint32_t n_injected; /* since ep_mark() */
	struct pmtcp_stats mark;
	uint64_t taken_ns; /* when the frame of the last ep_take() or ep_expect() was sent */
	struct pkt taken;
};

void ep_create(struct ep *ep, const char *name, const struct ep_opts *opts);

/* Checks that nothing is outstanding: no frame, no event, no mbuf. */
void ep_destroy(struct ep *ep);
/* Checks only that no mbuf is lost: for tests that look at the rest themselves. */
void ep_drop(struct ep *ep);

/* ---- the application ---- */
/* pmtcp_set(), or before there is a connection the option of opens to come. */
int ep_set(struct ep *ep, enum pmtcp_opt opt, uint32_t n);
int ep_listen(struct ep *ep);
int ep_open_active(struct ep *ep);
int ep_write(struct ep *ep, uint32_t len);
/* Reads up to len octets and compares them with the peer's stream; returns as pmtcp_read(). */
int ep_read(struct ep *ep, uint32_t len);
void ep_close(struct ep *ep);
void ep_abort(struct ep *ep);
void ep_detach(struct ep *ep);
void ep_unlisten(struct ep *ep);

/* ---- the wire ---- */
void ep_inject(struct ep *ep, const struct ep_seg *seg);
void ep_inject_icmp(struct ep *ep, const struct ep_icmp *e);
void ep_inject_mbuf(struct ep *ep, struct rte_mbuf *m);
/* Compares and drops the oldest frame the context sent. */
void ep_expect(struct ep *ep, const struct ep_seg *seg);
/* The same without comparing; NULL if there is none. Valid until the next turn. */
const struct pkt *ep_take(struct ep *ep);
const struct pkt *ep_peek(struct ep *ep); /* as ep_take(), and it stays */
void ep_expect_nothing(struct ep *ep);

/* ---- time ---- */
void ep_poll(struct ep *ep);                 /* deliver the burst, pop events */
void ep_turn(struct ep *ep);                 /* and let the context send */
void ep_advance(struct ep *ep, uint64_t ns); /* turns at every deadline on the way */

/* ---- facts ---- */
void ep_expect_event(struct ep *ep, uint32_t flags, int reason); /* exactly these so far */
void ep_expect_state(struct ep *ep, enum pmtcp_state state);
void ep_mark(struct ep *ep);
/* What a counter gained since ep_mark(). */
uint64_t ep_gained(const struct ep *ep, enum pmtcp_counter c);

#endif /* PMTCP_TESTS_SUPPORT_ENDPOINT_H */
