/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The end that opens. client_turn() is the application of its worker: it takes
 * events, opens what the pace says and keeps the clock of the run. */

#ifndef PMTCP_APPS_LOAD_CLIENT_H
#define PMTCP_APPS_LOAD_CLIENT_H

#include "load/hold.h"
#include "load/pace.h"
#include "load/side.h"

/* Opens per turn at most: a burst stays in the caches, and answers are not kept waiting. */
#define CLIENT_OPENS_MAX 32u

struct client_conn {
	uint64_t launch_ns;
	uint64_t close_ns; /* 0: not closed by us yet */
	uint32_t sent;
	uint32_t got;
	bool is_bad;
	bool is_deferred;
	bool is_ended; /* while deferred */
};

/* Pairs of source and target port, in turn: the first and the last ... */
struct client_round {
	struct plan_range pairs;
	uint32_t pair; /* ... and the next, which is of ... */
	uint32_t source;
	uint32_t target_port;
};

struct client {
	struct side side;
	struct pace pace;
	uint32_t concurrency;
	struct client_conn *conns;
	struct client_conn **unused; /* a stack: the last one given back is still warm */
	uint32_t n_unused;
	struct plan_range sources;
	struct plan_range target_ports;
	struct pmtcp_conn_opts opts; /* of every open */
	struct client_round round;
	struct plan_range run_pairs; /* once everything is held */
	uint64_t hold;               /* so many stay */
	struct pmtcp_conn *held;     /* the chain of them */
	uint64_t resolve_until_ns;
	bool is_started; /* its pace was, with the clock */
	bool is_count_reached;
	/* Why the run ended early, if it did. */
	bool is_unreachable; /* the next hop did not answer before the clock started */
	int open_errno;      /* of a pmtcp_connect() that ends the run */
	struct pmtcp_port_report ports;
	uint32_t ports_source; /* whom the report is about */
	uint16_t ports_target;
};

/* 0 or -ENOMEM. */
int client_init(struct client *c, const struct load_conf *conf, const struct plan *plan,
		struct run_clock *clock, struct side_share share);
void client_fini(struct client *c);

/* Adds the accounts of another worker. Both have stopped. */
void client_merge(struct client *c, const struct client *from);

/* For pmtcp_worker_run(); arg is the struct client. */
void client_turn(struct pmtcp_ctx *ctx, void *arg);

#endif /* PMTCP_APPS_LOAD_CLIENT_H */
