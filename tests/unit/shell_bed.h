/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Contexts on two real ports wired by rings, one or several workers at each end: an echo
 * server, and clients that check a pattern. All workers take turns on one thread. */

#ifndef PMTCP_TESTS_UNIT_SHELL_BED_H
#define PMTCP_TESTS_UNIT_SHELL_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "pmtcp_dpdk.h"

enum {
	SHELL_CONNS_MAX = 256,
	SHELL_WORKERS_MAX = 4,
	SHELL_SERVER = 0, /* the ends */
	SHELL_CLIENT = 1,
};

struct shell_conf {
	uint32_t conns;  /* of each client worker */
	uint32_t octets; /* there and back on each */
	unsigned int ring_size;
	uint16_t workers; /* at each end */
	uint16_t queues;
	uint16_t wrong_permille; /* of the server's port */
	uint16_t steer_ring;
	struct pmtcp_faults faults;
	struct pmtcp_worker_opts opts;
};

struct shell_client {
	struct pmtcp_conn *conn;
	uint32_t id, written, checked;
	uint32_t octets;
	bool is_over;
};

/* The application of one worker. */
struct shell_app {
	uint32_t over, graceful;
	uint32_t n_clients;
	struct shell_client clients[SHELL_CONNS_MAX];
};

struct shell_bed {
	struct shell_conf conf;
	struct pmtcp_port *ports[2];
	struct pmtcp_worker *workers[2][SHELL_WORKERS_MAX];
	struct shell_app apps[2][SHELL_WORKERS_MAX];
	struct rte_ring *rings[2][SHELL_WORKERS_MAX]; /* to the server, to the client; by queue */
};

/* Ports, workers, listeners; every client has called pmtcp_connect(). */
void shell_open(struct shell_bed *bed, const struct shell_conf *conf);

/* One turn of each worker. */
void shell_turn(struct shell_bed *bed);

/* Turns until all is over at both ends, with GRACEFUL. */
void shell_echo_all(struct shell_bed *bed);

/* For pmtcp_worker_start(); arg is a struct shell_app. */
void shell_serve(struct pmtcp_ctx *ctx, void *arg);
void shell_check(struct pmtcp_ctx *ctx, void *arg);

/* Every end GRACEFUL? */
bool shell_is_over(const struct shell_bed *bed);

/* Accounts of all workers of an end together. */
struct pmtcp_stats shell_stats(const struct shell_bed *bed, int end);
struct pmtcp_worker_stats shell_worker_stats(const struct shell_bed *bed, int end);

/* The books balance, of each worker and together, and no buffer is missing (RES-15). */
void shell_close(struct shell_bed *bed);

/* Group setup and teardown: EAL. */
int shell_start_eal(void **state);
int shell_stop_eal(void **state);

#endif /* PMTCP_TESTS_UNIT_SHELL_BED_H */
