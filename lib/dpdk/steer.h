/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the workers of one port pass to each other (RES-14): frames that came to the wrong
 * one, notices about neighbours, and frames to send for those without a transmit queue.
 * Bounded rings of one producer and one consumer each, and nothing else: no lock, no
 * atomic read-modify-write. A full ring is a counted loss. A port with one worker has none
 * of this. */

#ifndef PMTCP_DPDK_STEER_H
#define PMTCP_DPDK_STEER_H

#include <stdatomic.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_ring.h>

#include "pmtcp_dpdk.h"
#include "base/base.h"

#define STEER_WORKERS_MAX 16

/* Frames in a ring unless told otherwise. */
#define STEER_RING_DEFAULT 1024

/* Frames that leave for one worker, or are taken from one, at a time. */
#define STEER_BURST 64

/* What a worker's peers must know to end its sleep. */
struct steer_end {
	__attribute__((aligned(PMTCP_CACHE_LINE))) atomic_bool is_asleep;
	bool may_sleep;
	int wake_fd;
};

struct steer {
	uint16_t n;    /* workers */
	uint16_t n_tx; /* of which these have a transmit queue of their own */
	struct rte_ring *hand[STEER_WORKERS_MAX][STEER_WORKERS_MAX]; /* [from][to] */
	struct rte_ring *tx[STEER_WORKERS_MAX]; /* frames of this one, for steer_sender() */
	struct steer_end end[STEER_WORKERS_MAX];
};

/* Frames on their way to the rings: one burst each behind a received one. And those that came
 * by them, which wait for the device's. */
struct steer_stage {
	uint16_t n[STEER_WORKERS_MAX];
	uint16_t n_in;
	struct rte_mbuf *in[STEER_BURST];
	struct rte_mbuf *pkts[STEER_WORKERS_MAX][STEER_BURST];
};

struct steer_conf {
	uint16_t port_id; /* for the rings' names */
	uint16_t workers; /* 2 and more */
	uint16_t n_tx;
	uint16_t ring; /* frames in each; 0: the default */
	int node;      /* where the rings lie; -1: anywhere */
};

/* Returns 0 or -ENOMEM. */
int steer_create(const struct steer_conf *conf, struct steer **out);

/* The rings must be empty, see steer_drain(). NULL is allowed. */
void steer_destroy(struct steer *s);

/* Frees what lies in the rings to and from this worker. No other one may run. */
void steer_drain(struct steer *s, uint16_t number);

/* Nothing waits for this worker. */
bool steer_is_empty(const struct steer *s, uint16_t number);

/* Tells the others that this worker sleeps from now on; false if something waits already. */
bool steer_fall_asleep(struct steer *s, uint16_t number);
static inline void
steer_wake_up(struct steer *s, uint16_t number)
{
	atomic_store_explicit(&s->end[number].is_asleep, false, memory_order_relaxed);
}

/* The worker whose queue sends the frames of this one. */
static inline uint16_t
steer_sender(const struct steer *s, uint16_t number)
{
	return (uint16_t)(number % s->n_tx);
}

/* Gives frames to the worker that sends them. Returns how many it has room for. */
uint16_t steer_send(struct steer *s, uint16_t number, struct rte_mbuf **pkts, uint16_t n);

struct pmtcp_worker;

/* Behind an input of the device's frames: those of others leave the context for their rings. */
void steer_out(struct pmtcp_worker *w);

/* Once a turn, before the device is read: takes frames that others handed over, one burst at
 * most of which waits for steer_in(). Should a device begin to bring a connection's frames to
 * the right worker, those that were handed over before are older. Notices about neighbours come
 * and go. Returns frames and notices taken. */
uint32_t steer_turn(struct pmtcp_worker *w, uint64_t now_ns);

/* Those that wait, at most STEER_BURST: they go into the context in front of the device's, in
 * one burst with these, for many at once cost less. Returns how many. */
uint16_t steer_in(struct pmtcp_worker *w, struct rte_mbuf **pkts);

#endif /* PMTCP_DPDK_STEER_H */
