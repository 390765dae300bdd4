/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A software wire with faults between a receive queue and a context: loss, copies,
 * reordering, corruption, delay. Two pipes of constant delay each keep the order of
 * what is in them; a reordered frame takes the slower one. The decisions come from a
 * seed and the order of frames alone. Not a bandwidth limit. */

#ifndef PMTCP_DPDK_FAULTS_H
#define PMTCP_DPDK_FAULTS_H

#include <stdint.h>

#include <rte_mbuf.h>

#include "pmtcp_dpdk.h"

struct faults;

/* Frames one pipe holds; what comes on top is lost as in a router's queue. */
#define FAULTS_PIPE_MAX 16384u

/* True if the wire would do anything at all. */
bool faults_wanted(const struct pmtcp_faults *conf);

/* pool: for copies of frames. Returns 0, -EINVAL for a share above a million, -ENOMEM. */
int faults_create(const struct pmtcp_faults *conf, struct rte_mempool *pool, struct faults **out);

/* Frees the frames on the wire too. NULL is allowed. */
void faults_destroy(struct faults *faults);

/* Frames enter; all of them are the wire's now. */
void faults_push(struct faults *faults, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n);

/* Takes out up to n frames whose time has come. */
uint16_t faults_pop(struct faults *faults, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n);

/* When the next frame comes out; UINT64_MAX: the wire is empty. */
uint64_t faults_deadline(const struct faults *faults);

/* Adds the counts to the fault_* fields. */
void faults_stats(const struct faults *faults, struct pmtcp_worker_stats *stats);

#endif /* PMTCP_DPDK_FAULTS_H */
