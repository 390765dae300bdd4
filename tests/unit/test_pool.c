/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the malloc-backed pool of the tests behaves as a DPDK pool does, counts
 * what is out and fails on command. Method: DPDK's own inline functions run on
 * it without rte_eal_init. What a wrong use does is shown in a child process
 * that must die by a signal or a sanitizer report. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/check.h"
#include "support/pool.h"

#define ROOM (RTE_PKTMBUF_HEADROOM + 2048)

static void
pool_alloc_and_free_counts_live(void **state)
{
	struct rte_mempool *pool = test_pool_create(ROOM);
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_non_null(m);
	assert_int_equal(test_pool_live(pool), 1);
	assert_ptr_equal(m->pool, pool);
	assert_int_equal(rte_pktmbuf_headroom(m), RTE_PKTMBUF_HEADROOM);
	assert_int_equal(rte_pktmbuf_tailroom(m), 2048);
	assert_int_equal((uintptr_t)m % 64, 0);
	memset(rte_pktmbuf_append(m, 2048), 1, 2048);
	assert_null(rte_pktmbuf_append(m, 1));
	rte_pktmbuf_free(m);
	assert_int_equal(test_pool_live(pool), 0);
	assert_int_equal(test_pool_allocs(pool), 1);
	test_pool_destroy(pool);
}

static void
pool_fresh_room_holds_pattern(void **state)
{
	struct rte_mempool *pool = test_pool_create(ROOM);

	for (int round = 0; round < 3; round++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
		uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, 2048);

		for (int i = 0; i < 2048; i++)
			assert_int_equal(p[i], 0xa5);
		memset(p, 0, 2048);
		rte_pktmbuf_free(m);
	}
	test_pool_destroy(pool);
}

static void
pool_chain_and_clone_free_whole(void **state)
{
	struct rte_mempool *pool = test_pool_create(ROOM);
	struct rte_mbuf *head = rte_pktmbuf_alloc(pool);
	struct rte_mbuf *tail = rte_pktmbuf_alloc(pool);
	struct rte_mbuf *clone;

	rte_pktmbuf_append(head, 10);
	rte_pktmbuf_append(tail, 20);
	assert_int_equal(rte_pktmbuf_chain(head, tail), 0);
	clone = rte_pktmbuf_clone(head, pool);
	assert_non_null(clone);
	assert_int_equal(rte_pktmbuf_pkt_len(clone), 30);
	assert_int_equal(test_pool_live(pool), 4);
	rte_pktmbuf_free(head);
	assert_int_equal(test_pool_live(pool), 4);
	rte_pktmbuf_free(clone);
	assert_int_equal(test_pool_live(pool), 0);
	test_pool_destroy(pool);
}

static void
pool_two_pools_keep_apart(void **state)
{
	struct rte_mempool *a = test_pool_create(ROOM);
	struct rte_mempool *b = test_pool_create(RTE_PKTMBUF_HEADROOM + 64);
	struct rte_mbuf *ma = rte_pktmbuf_alloc(a);
	struct rte_mbuf *mb[3];

	assert_int_equal(rte_pktmbuf_alloc_bulk(b, mb, 3), 0);
	assert_int_equal(test_pool_live(a), 1);
	assert_int_equal(test_pool_live(b), 3);
	assert_int_equal(rte_pktmbuf_tailroom(mb[0]), 64);
	assert_int_equal(rte_pktmbuf_tailroom(ma), 2048);
	rte_pktmbuf_free(ma);
	rte_pktmbuf_free_bulk(mb, 3);
	assert_int_equal(test_pool_live(b), 0);
	test_pool_destroy(a);
	test_pool_destroy(b);
}

static void
pool_fail_after_counts_mbufs(void **state)
{
	struct rte_mempool *pool = test_pool_create(ROOM);
	struct rte_mbuf *m[4];

	test_pool_fail_after(pool, 3);
	assert_int_equal(rte_mempool_avail_count(pool), 3);
	m[0] = rte_pktmbuf_alloc(pool);
	assert_non_null(m[0]);
	assert_int_not_equal(rte_pktmbuf_alloc_bulk(pool, m + 1, 3), 0);
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, m + 1, 2), 0);
	assert_null(rte_pktmbuf_alloc(pool));
	rte_pktmbuf_free(m[0]);
	assert_null(rte_pktmbuf_alloc(pool));
	test_pool_fail_after(pool, TEST_POOL_NEVER);
	m[0] = rte_pktmbuf_alloc(pool);
	assert_non_null(m[0]);
	rte_pktmbuf_free_bulk(m, 3);
	test_pool_destroy(pool);
}

static void
pool_fail_every_refuses_each_kth(void **state)
{
	struct rte_mempool *pool = test_pool_create(ROOM);

	test_pool_fail_every(pool, 3);
	for (int i = 1; i <= 12; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

		assert_int_equal(m == NULL, i % 3 == 0);
		rte_pktmbuf_free(m);
	}
	test_pool_fail_every(pool, 0);
	for (int i = 0; i < 5; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

		assert_non_null(m);
		rte_pktmbuf_free(m);
	}
	test_pool_destroy(pool);
}

static void
leak_one(struct rte_mempool *pool)
{
	CHECK(rte_pktmbuf_alloc(pool) != NULL);
	test_pool_destroy(pool);
}

static void
free_while_shared(struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	rte_mbuf_refcnt_set(m, 2);
	rte_mempool_put(pool, m);
}

static void
free_with_next(struct rte_mempool *pool)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	m->next = rte_pktmbuf_alloc(pool);
	m->nb_segs = 2;
	rte_mempool_put(pool, m);
}

/* The child prints its report into nothing; only how it ends counts. */
static bool
dies(void (*misuse)(struct rte_mempool *), struct rte_mempool *pool)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGILL, SIG_DFL);
		signal(SIGTRAP, SIG_DFL);
		close(STDERR_FILENO);
		misuse(pool);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
pool_misuse_stops_program(void **state)
{
	static void (*const misuses[])(struct rte_mempool *) = {
			leak_one,
			free_while_shared,
			free_with_next,
	};
	struct rte_mempool *pool = test_pool_create(ROOM);

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(misuses); i++)
		assert_true(dies(misuses[i], pool));
	test_pool_destroy(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(pool_alloc_and_free_counts_live),
			cmocka_unit_test(pool_fresh_room_holds_pattern),
			cmocka_unit_test(pool_chain_and_clone_free_whole),
			cmocka_unit_test(pool_two_pools_keep_apart),
			cmocka_unit_test(pool_fail_after_counts_mbufs),
			cmocka_unit_test(pool_fail_every_refuses_each_kth),
			cmocka_unit_test(pool_misuse_stops_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
