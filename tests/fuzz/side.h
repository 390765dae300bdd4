/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* One context with an application that holds it to its contract: what an event may
 * say at which point of a handle's life, that each octet delivered is the right one,
 * that the books balance and that in the end nothing is left. */

#ifndef PMTCP_TESTS_FUZZ_SIDE_H
#define PMTCP_TESTS_FUZZ_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "fuzz.h"
#include "support/ctx_mem.h"
#include "tcp/tcb.h"

enum {
	SIDE_CONNS_MAX = 24, /* handles in one execution; more are detached at once */
	SIDE_HELD_MAX = 16,  /* received mbufs kept for a while */
	SIDE_PORT = 80,
	SIDE_TURNS_MAX = 20000,
};

#define SIDE_MS 1000000ull

struct side_conn {
	struct pmtcp_conn *conn; /* NULL: the handle is dead */
	uint16_t port;           /* the opener's */
	bool is_open;            /* CONNECTED or ACCEPTED was popped: the bases are known */
	bool is_opener;
	bool is_closed; /* CLOSED was popped */
	bool is_given_up;
	bool is_shut;
	bool is_eof;
	int reason;
	uint32_t out_base; /* number of the first octet sent */
	uint32_t in_base;  /* and received */
	uint32_t n_written;
	uint32_t n_read;
	uint32_t not_done; /* octets received and not yet given to pmtcp_recv_done() */
};

struct fuzz_side {
	int number; /* which memory it lives in */
	struct pmtcp_conf conf;
	bool is_v6;   /* opens and is opened over IPv6 */
	uint8_t opts; /* of every connection: enum side_opt */
	struct rte_mempool *pool;
	struct rte_mempool *rx_pool; /* of what is injected; never fails */
	struct pmtcp_ctx *ctx;
	struct pmtcp_listener *listener;
	uint64_t now;
	uint32_t n_conns;
	struct side_conn conns[SIDE_CONNS_MAX];
	uint32_t n_held;
	struct rte_mbuf *held[SIDE_HELD_MAX];
	/* Text of a connection: octet i of a direction is fuzz_text(this + i). */
	uint32_t (*in_text)(const struct fuzz_side *s, const struct side_conn *c);
	uint32_t (*out_text)(const struct fuzz_side *s, const struct side_conn *c); /* NULL: 0 */
	/* A handle's stream ended; NULL: any end is right. */
	void (*at_eof)(const struct fuzz_side *s, const struct side_conn *c);
	void (*frame)(struct fuzz_side *s, struct rte_mbuf *m); /* owns m */
	void *owner;
};

/* What connections are opened with; more is set while they live. */
enum side_opt {
	SIDE_OPT_KEEPALIVE = 0x01,
	SIDE_OPT_USER_TIMEOUT = 0x02,
	SIDE_OPT_LINGER = 0x04,
	SIDE_OPT_NO_TS = 0x08,
	SIDE_OPT_NO_SACK = 0x10,
	SIDE_OPT_NO_WSCALE = 0x20,
	SIDE_OPT_SMALL_MSS = 0x40,
	SIDE_OPT_NEWRENO = 0x80,
};

/* What a side speaks; both ends of a wire need the same of the first two. */
enum side_net {
	SIDE_NET_V6 = 0x01,
	SIDE_NET_VLAN = 0x02,
	SIDE_NET_ECN = 0x0c,      /* enum pmtcp_ecn, two bits up */
	SIDE_NET_NEWRENO = 0x10,  /* of the context */
	SIDE_NET_COOKIES = 0x60,  /* enum pmtcp_syn_cookies, five bits up */
	SIDE_NET_NO_PROBE = 0x80, /* no search for black holes, no raising of the path MTU */
	SIDE_NET_SAME = SIDE_NET_V6 | SIDE_NET_VLAN,
};

/* A small configuration that speaks so; the addresses are TEST_ADDR and TEST_PEER. */
void side_configure(struct fuzz_side *s, uint32_t self, uint32_t peer, uint8_t net);

/* s->number, conf, now and callbacks are set; pools are made here. */
void side_create(struct fuzz_side *s);

/* All given up, time runs until nothing is left, the books are checked, all freed. */
void side_destroy(struct fuzz_side *s);

/* Frames arrive (n may be 0), the application pops its events, all is checked. */
void side_input(struct fuzz_side *s, struct rte_mbuf **pkts, uint16_t n);
/* What waits leaves through s->frame. */
void side_output(struct fuzz_side *s);
/* When the next turn is: at the deadline. What waits for a buffer or a record to come free
 * is due at once or with each tick (RES-6); who holds it may do so for minutes, and time
 * goes on by larger steps. */
static inline uint64_t
side_next(uint64_t now, uint64_t deadline)
{
	return deadline > now + SIDE_MS ? deadline : now + 50 * SIDE_MS;
}

/* Turns at each deadline on the way, so many at most, then a jump. */
void side_advance(struct fuzz_side *s, uint64_t ns);
void side_check(const struct fuzz_side *s);

/* ---- what the application does; any argument is fine ---- */
void side_listen(struct fuzz_side *s, uint8_t how);
void side_connect(struct fuzz_side *s, uint16_t lport, uint32_t remote, uint16_t rport);
/* The living handle number `which`, counted round; NULL: there is none. */
struct side_conn *side_pick(struct fuzz_side *s, uint8_t which);
void side_write(struct fuzz_side *s, struct side_conn *c, uint32_t len);
void side_send(struct fuzz_side *s, struct side_conn *c, uint16_t n_pkts, uint16_t len);
int side_read(struct fuzz_side *s, struct side_conn *c, uint32_t len);
void side_recv(struct fuzz_side *s, struct side_conn *c, uint8_t how);
void side_shutdown(struct side_conn *c);
enum side_end { SIDE_CLOSE, SIDE_ABORT, SIDE_DETACH, SIDE_END_MAX };
void side_end(struct side_conn *c, enum side_end how);
void side_set(struct side_conn *c, uint8_t opt, uint8_t value);

#endif /* PMTCP_TESTS_FUZZ_SIDE_H */
