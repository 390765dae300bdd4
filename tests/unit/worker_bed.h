/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A worker under test: on a real net_ring port whose far end the test drives, and with a
 * recorder in the context's place. The recorder implements the drive calls of pmtcp.h, so
 * that each turn can be steered and looked into; nothing of the core is linked. */

#ifndef PMTCP_TESTS_UNIT_WORKER_BED_H
#define PMTCP_TESTS_UNIT_WORKER_BED_H

#include <stdint.h>

#include "common/link.h"
#include "dpdk/worker.h"

#define FRAME_LEN  64
#define INPUTS_MAX 4096
#define RING_SIZE  1023 /* what a ring of 1024 holds */

/* The recorder. Frames carry their number in the first four octets. */
struct pmtcp_ctx {
	uint32_t inputs[INPUTS_MAX];
	uint32_t n_inputs;
	uint32_t next_output; /* numbers of the frames it sends ... */
	uint32_t end_output;  /* ... up to here */
	uint64_t deadline_ns;
	uint64_t now_ns;
	uint32_t ticks;
	uint16_t pressure;
	struct rte_mempool *pool;
};

extern struct pmtcp_conf init_conf; /* what the last pmtcp_ctx_init() got */
extern int init_result;             /* what it returns */

extern struct link link_ring;

struct bed {
	struct pmtcp_worker *w;
	struct pmtcp_ctx *ctx;
	uint16_t far; /* the port at the other end, driven by the test */
};

/* Group setup and teardown: the ring. */
int bed_link_open(void **state);
int bed_link_close(void **state);

int bed_try(struct bed *bed, const struct pmtcp_conf *conf, const struct pmtcp_worker_opts *opts);
void bed_open(struct bed *bed, const struct pmtcp_worker_opts *opts);

/* The worker goes, and no buffer is missing anywhere (RES-15). */
void bed_close(struct bed *bed);

/* The far end takes up to max frames and returns their numbers, or sends numbered ones. */
uint32_t far_receive(struct bed *bed, uint32_t *numbers, uint32_t max);
void far_send(struct bed *bed, uint32_t first, uint32_t n);

struct pmtcp_worker_stats stats_of(const struct bed *bed);

#endif /* PMTCP_TESTS_UNIT_WORKER_BED_H */
