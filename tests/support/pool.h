/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A mempool whose mbufs are one malloc each, freed when the mbuf is freed, so
 * that AddressSanitizer and valgrind see every overrun, use after free, double
 * free and leak of a single packet. It needs no rte_eal_init. Several pools may
 * exist at once; one pool belongs to one thread. Not for measurements. */

#ifndef PMTCP_TESTS_SUPPORT_POOL_H
#define PMTCP_TESTS_SUPPORT_POOL_H

#include <stdint.h>

#include <rte_mbuf.h>

#define TEST_POOL_NEVER UINT32_MAX

/* data_room includes RTE_PKTMBUF_HEADROOM and is at most UINT16_MAX. */
struct rte_mempool *test_pool_create(uint32_t data_room);

/* Stops the program if an mbuf is outstanding, after having said where under
 * AddressSanitizer the oldest one was allocated. NULL is allowed. */
void test_pool_destroy(struct rte_mempool *pool);

/* mbufs handed out and not yet given back. */
uint32_t test_pool_live(const struct rte_mempool *pool);

/* mbufs handed out since the pool was made. */
uint64_t test_pool_allocs(const struct rte_mempool *pool);

/* The next n mbufs can be had, after them none (TEST_POOL_NEVER: no limit). A
 * bulk request that is too large fails as a whole and uses up nothing. */
void test_pool_fail_after(struct rte_mempool *pool, uint32_t n);

/* Each k-th request from now on fails; 0 ends that. A bulk is one request. */
void test_pool_fail_every(struct rte_mempool *pool, uint32_t k);

#endif /* PMTCP_TESTS_SUPPORT_POOL_H */
