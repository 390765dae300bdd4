/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The worker's insides, shared by its turn (worker.c), its run (run.c) and the files
 * that serve both. Not for applications. */

#ifndef PMTCP_DPDK_WORKER_H
#define PMTCP_DPDK_WORKER_H

#include <stdatomic.h>
#include <stdint.h>

#include "pmtcp_dpdk.h"
#include "base/base.h"
#include "dpdk/capture.h"
#include "dpdk/clock.h"
#include "dpdk/faults.h"
#include "dpdk/frag.h"
#include "dpdk/mem.h"
#include "dpdk/port.h"
#include "dpdk/steer.h"

/* Frames moved at a time: by default, and at most. */
#define WORKER_BURST     32
#define WORKER_BURST_MAX 64
/* Drivers with vector instructions take no other numbers (rte_eth_rx_burst()). */
#define WORKER_RX_STEP 8

/* Frames the device did not take yet (RES-7). */
#define WORKER_BACKLOG 256

/* While a device takes nothing for longer than this its frames are lost instead of
 * held back in the context, so that the timers of a dead link go their way. */
#define WORKER_STUCK_NS 10000000u

/* Turns between two looks at the packet buffers (RES-5); a power of two. */
#define WORKER_LOOK_TURNS 64u

/* A longer pause between two turns is counted (RES-17). */
#define WORKER_STALL_NS 1000000u

/* Workers one thread runs by turns. */
#define WORKER_JOBS_MAX 16

/* A function another thread wants run between two turns. */
struct worker_call {
	void (*fn)(struct pmtcp_ctx *ctx, void *arg);
	void *arg;
	atomic_bool is_done;
};

struct worker_group; /* a thread made by pmtcp_worker_start() */

struct pmtcp_worker {
	/* What every turn reads. */
	struct pmtcp_ctx *ctx;
	struct clock clock;
	struct capture *capture; /* NULL: none */
	struct faults *faults;   /* NULL: none */
	struct frag *frag;       /* NULL: fragments go to the context, which drops them */
	struct steer *steer;     /* to the port's other workers; NULL: there are none */
	struct steer_stage *stage;
	uint64_t last_ns;     /* start of the last turn; never goes back */
	uint64_t tx_moved_ns; /* the device took frames, or had none to take */
	uint16_t port_id;
	uint16_t queue; /* of the device, and the worker's number */
	uint16_t backlog_head;
	uint16_t backlog_tail; /* frames are in [head, tail) */
	uint16_t n_relayed;    /* so many of these, the first ones, are another worker's */
	uint16_t burst;        /* frames sent at a time ... */
	uint16_t rx_burst;     /* ... and received */
	uint16_t n_ahead;      /* frames the device gave, for the next turn */
	uint16_t n_fetched;    /* of these, the lines are on their way */
	uint32_t frame_at;     /* from an mbuf to its frame, the last time */
	bool has_rx;           /* such a receive queue exists ... */
	bool has_tx;           /* ... and such a transmit queue */
	bool profile;
	bool was_away; /* the time since the last turn was not the loop's */

	/* What other threads write. */
	__attribute__((aligned(PMTCP_CACHE_LINE))) atomic_bool must_stop;
	_Atomic(struct worker_call *) mailbox;
	atomic_int owner_tid; /* the running thread; 0: not running */

	__attribute__((aligned(PMTCP_CACHE_LINE))) struct pmtcp_worker_stats stats;
	struct rte_mbuf *ahead[WORKER_BURST_MAX];
	struct rte_mbuf *backlog[WORKER_BACKLOG];

	/* Rarely used. */
	struct pmtcp_port *port;
	struct pmtcp_conf conf;
	struct mem mem;
	struct worker_group *group; /* NULL: not started by pmtcp_worker_start() */
	enum pmtcp_idle idle;
	uint64_t flush_ns;  /* last flush of the capture */
	int wake_fd;        /* eventfd: ends a sleep */
	int rx_fd;          /* readable when frames wait; -1: the device has none */
	bool rx_fd_is_ours; /* a socket of ours, not the driver's */
};

/* Sleeping (idle.c). */

/* Finds or makes what a worker can wait for. Never fails: rx_fd stays -1. */
void idle_open(struct pmtcp_worker *w);
void idle_close(struct pmtcp_worker *w);

/* Waits until one of the workers has something to do, at most 1 ms. */
void idle_sleep(const struct pmtcp_job *jobs, uint16_t n);

/* Registers a worker for rte_telemetry (telemetry.c): /pmtcp/workers, /pmtcp/worker. */
void telemetry_add(struct pmtcp_worker *w);
void telemetry_remove(struct pmtcp_worker *w);

/* Time of this worker: the process's clock, but never going back on this worker even if
 * it moved to a core whose TSC is behind. */
static inline uint64_t
worker_clock_now(struct pmtcp_worker *w, uint64_t tsc)
{
	return max_u64(clock_ns(&w->clock, tsc), w->last_ns);
}

static inline bool
worker_has_backlog(const struct pmtcp_worker *w)
{
	return w->backlog_head != w->backlog_tail;
}

/* The earliest time a turn without received frames has work. */
static inline uint64_t
worker_deadline(const struct pmtcp_worker *w)
{
	uint64_t deadline = pmtcp_deadline(w->ctx);

	return w->faults == NULL ? deadline : min_u64(deadline, faults_deadline(w->faults));
}

#endif /* PMTCP_DPDK_WORKER_H */
