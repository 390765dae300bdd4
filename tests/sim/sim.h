/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Two contexts back to back over a faulty wire, on one virtual clock. Time jumps
 * to the next arrival, deadline or application act; nothing sleeps. Everything
 * random comes from the case's seed, so that a case run twice gives the same
 * frames at the same times: that is checked by a digest of all frames sent.
 *
 * On each side runs an application that follows a plan per connection, uses the
 * API as the header tells it to (reading after READABLE until -EAGAIN, writing
 * again after WRITABLE) and checks all it gets: the octets and their end, each
 * event's place in a handle's life, exactly one CLOSED. After a case both
 * contexts must be empty, their books balanced, and no mbuf lost. */

#ifndef PMTCP_TESTS_SIM_SIM_H
#define PMTCP_TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/stream.h"
#include "sim/tamper.h"
#include "sim/wire.h"
#include "support/ctx_mem.h"

enum {
	SIM_A,
	SIM_B,
	SIM_SIDES,
	SIM_PORT = 80, /* both sides listen here */
};

#define SIM_US  1000ull
#define SIM_MS  1000000ull
#define SIM_SEC 1000000000ull

/* How an application ends its side. */
enum sim_end {
	SIM_END_SHUTDOWN, /* FIN when all is sent; reads to the end, then closes */
	SIM_END_WAIT,     /* as SHUTDOWN, but only once the peer has ended */
	SIM_END_CLOSE,    /* full close when all is sent, whatever may come */
	SIM_END_ABORT,    /* abort when all is queued */
	SIM_END_DETACH,   /* as CLOSE, and no event tells of it */
};

struct sim_plan {
	uint64_t octets; /* to send */
	enum sim_end end;
	uint64_t pause_ns;  /* between the last send and the end */
	uint32_t write_max; /* octets of one write are 1 .. this; 0: 4000 */
	uint32_t read_max;  /* octets read at a time, every read_ns; 0: all at once */
	uint64_t read_ns;
	bool is_zero_copy;
};

enum sim_life {
	SIM_UNBORN,
	SIM_OPENING,
	SIM_LIVE,
	SIM_DEAD, /* the handle is gone */
};

struct sim_half {
	struct sim_flow *flow;
	int side;
	enum sim_life life;
	struct sim_plan plan;
	struct pmtcp_conn *conn;
	struct stream out; /* .at: octets taken by the core */
	struct stream in;  /* .at: octets received and right */
	bool is_eof;
	bool is_closed; /* CLOSED was popped */
	bool is_shut;
	bool is_given_up;
	bool is_ending;
	bool may_read;
	bool may_write;
	uint32_t seen; /* event flags so far */
	int reason;
	uint64_t end_ns;  /* when the pause before the end is over */
	uint64_t wake_ns; /* next act without an event */
};

struct sim_flow {
	uint32_t id;
	uint16_t port; /* of the opener */
	uint32_t iss;  /* of the opener */
	struct sim_half half[SIM_SIDES];
	int opener;
};

struct sim_opts {
	struct wire_faults faults[SIM_SIDES]; /* of what this side sends */
	struct tamper_rule rules[TAMPER_RULES_MAX];
	uint32_t n_rules;
	void (*tune)(struct pmtcp_conf *conf, int side);
	struct pmtcp_conn_opts conn;
	struct pmtcp_listen_opts listen; /* .conn is taken from conn */
	uint64_t turn_ns;                /* turns happen at multiples of this; 0: at once */
	uint32_t fail_every[SIM_SIDES];  /* each so-manieth request of an mbuf fails */
};

struct sim_end_point {
	struct pmtcp_conf conf;
	struct rte_mempool *pool;    /* of the context */
	struct rte_mempool *rx_pool; /* of the frames that arrive; never fails */
	void *mem;
	size_t mem_len;
	struct pmtcp_ctx *ctx;
	struct pmtcp_listener *listener;
};

#define SIM_FLOWS_MAX 4096

struct sim {
	const char *name;
	uint64_t seed;
	struct sim_opts opts;
	struct rng rng; /* the case's own */
	uint64_t now;
	uint64_t digest;
	uint64_t n_frames;
	uint64_t n_tcp; /* of both sides */
	uint64_t n_turns;
	uint32_t n_stuck;
	uint32_t n_flows;
	uint32_t first_live; /* flows before this one are over */
	struct sim_flow *flow[SIM_FLOWS_MAX];
	uint32_t n_strays; /* accepted without a flow that asked for it */
	struct wire wire[SIM_SIDES];
	struct sim_end_point end[SIM_SIDES];
};

/* ---- a case ---- */

/* Sets up from the seed and runs to the end it wants to see. */
struct sim_case {
	const char *name;
	uint32_t n_seeds;
	void (*setup)(struct sim_opts *opts, struct rng *rng); /* NULL: no faults, 50 us */
	void (*body)(struct sim *s);
};

/* Runs a case for each seed twice, over IPv6 if PMTCP_TEST_IPV6 is set; PMTCP_SIM_SEED=n runs only that seed, once,
 * and prints each frame; PMTCP_SIM_MORE=k takes k times as many seeds. */
void sim_run_case(const struct sim_case *c);

/* cmocka test functions do not know why they died; this teardown says which seed. */
int sim_report_unfinished(void **state);
#define sim_test(fn) cmocka_unit_test_teardown(fn, sim_report_unfinished)

void sim_fail(const struct sim *s, const char *format, ...)
		__attribute__((format(printf, 2, 3), noreturn));

/* ---- within a body ---- */

/* Starts a connection from `side` to the other's port; NULL with *err < 0 if the
 * core refuses. The flow stays valid to the end of the case. */
struct sim_flow *sim_open(struct sim *s, int side, const struct sim_plan plan[SIM_SIDES], int *err);

/* Both sides open to each other at the same time. */
struct sim_flow *sim_open_both(struct sim *s, const struct sim_plan plan[SIM_SIDES]);

/* One turn of both sides at the next moment something is due, at most until_ns. */
void sim_step(struct sim *s, uint64_t until_ns);
void sim_run_for(struct sim *s, uint64_t ns);
/* Until every handle is dead; fails after limit_ns. */
void sim_run_flows(struct sim *s, uint64_t limit_ns);
/* Full close instead of whatever was planned: for those that wait for a FIN or an RST that
 * will not come again. */
void sim_lose_patience(struct sim *s);
/* All flows are over; there is room for SIM_FLOWS_MAX others. */
void sim_forget_flows(struct sim *s);
/* And until every block is given back, TIME-WAIT included. */
void sim_settle(struct sim *s);

/* Both sides ended gracefully and every octet arrived. */
void sim_expect_graceful(struct sim *s, const struct sim_flow *f);
/* Every octet arrived and at least one side knows that all went well. On a bad wire
 * the other may wait for its last ACK longer than the first stays in TIME-WAIT. */
void sim_expect_delivered(struct sim *s, const struct sim_flow *f);
struct pmtcp_stats sim_stats(const struct sim *s, int side);

/* ---- sim_plan.c ---- */

/* Up to `octets_max` octets, small and large writes, any reading habit, an end
 * that loses nothing. */
struct sim_plan sim_plan_random(struct rng *rng, uint64_t octets_max);
/* Loss, duplication, disorder, corruption up to these strengths, some of each. */
void sim_faults_random(struct wire_faults *faults, struct rng *rng, uint16_t strength);

/* ---- sim_app.c ---- */

/* The application's part of a turn. */
void sim_app_turn(struct sim *s, int side);
/* When an application wants to act without an event. */
uint64_t sim_app_next(const struct sim *s);
bool sim_app_is_over(struct sim *s);
/* Says on stderr what is not over: for a failing case. */
void sim_app_tell(const struct sim *s);

#endif /* PMTCP_TESTS_SIM_SIM_H */
