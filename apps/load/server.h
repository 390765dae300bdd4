/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The end that listens. server_turn() is the application of its worker. */

#ifndef PMTCP_APPS_LOAD_SERVER_H
#define PMTCP_APPS_LOAD_SERVER_H

#include "load/side.h"

struct server {
	struct side side;
	bool is_alone;    /* keeps the clock of the run itself */
	bool is_busy;     /* as the clock was told */
	uint64_t held_ns; /* nothing was heard of a held connection since then */
	uint32_t n_listeners;
	struct pmtcp_listener *listeners[PLAN_LISTEN_MAX];
};

/* 0 or -ENOMEM. */
int server_init(struct server *s, const struct load_conf *conf, struct run_clock *clock,
		uint32_t max_conns);
void server_fini(struct server *s);

/* Listens on every port. Caller: the worker does not run yet. Returns 0 or what
 * pmtcp_listen() said. */
int server_listen(struct server *s, struct plan_range ports);

/* For pmtcp_worker_run(); arg is the struct server. */
void server_turn(struct pmtcp_ctx *ctx, void *arg);

#endif /* PMTCP_APPS_LOAD_SERVER_H */
