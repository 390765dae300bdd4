/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: rows RES-5, RES-7 and RES-17 where the shell keeps them: the buffer level, the transmit
 * backlog, a loop that stood still. Method: a worker with a recorder in the context's place
 * (tests/unit/worker_bed.h). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/worker_bed.h"

static void
res_5_level_of_buffers_reaches_the_context(void **state)
{
	struct rte_mempool *pool = pmtcp_port_pool(link_ring.ports[0], 0, false);
	static struct rte_mbuf *held[65536];
	struct bed bed;

	bed_open(&bed, NULL);
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, held, pool->size * 8 / 10), 0);
	for (unsigned int i = 0; i < WORKER_LOOK_TURNS; i++)
		pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_in_range(bed.ctx->pressure, 190, 210);
	rte_pktmbuf_free_bulk(held, pool->size * 8 / 10);
	for (unsigned int i = 0; i < WORKER_LOOK_TURNS; i++)
		pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_in_range(bed.ctx->pressure, 990, 1000);
	bed_close(&bed);
}

static void
res_7_full_ring_keeps_order_and_loses_nothing(void **state)
{
	enum { FRAMES = 5000 };
	uint32_t numbers[64], expected = 0;
	struct bed bed;

	bed_open(&bed, NULL);
	bed.ctx->end_output = FRAMES;
	while (expected < FRAMES) {
		uint32_t n;

		pmtcp_worker_turn(bed.w, NULL, NULL);
		assert_true(stats_of(&bed).backlog <= WORKER_BACKLOG);
		n = far_receive(&bed, numbers, 8);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(numbers[i], expected++);
	}
	assert_int_equal(stats_of(&bed).tx_dropped, 0);
	bed_close(&bed);
}

static void
sleep_50_ms(struct pmtcp_ctx *ctx, void *arg)
{
	usleep(50000);
}

static uint32_t ticks_before;

static void
note_ticks(struct pmtcp_ctx *ctx, void *arg)
{
	ticks_before = ctx->ticks;
}

/* What came while the application kept the loop is read, all of it, before the timers run. */
static void
res_17_stall_is_counted_and_caught_up_with(void **state)
{
	struct bed bed;
	uint64_t stalls;

	bed_open(&bed, NULL);
	pmtcp_worker_turn(bed.w, sleep_50_ms, NULL);
	stalls = stats_of(&bed).loop_stalls;
	far_send(&bed, 0, 200);
	pmtcp_worker_turn(bed.w, note_ticks, NULL);
	assert_int_equal(stats_of(&bed).loop_stalls, stalls + 1);
	assert_int_equal(ticks_before, 2);
	assert_int_equal(bed.ctx->n_inputs, 200);
	for (uint32_t i = 0; i < 200; i++)
		assert_int_equal(bed.ctx->inputs[i], i);
	bed_close(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_5_level_of_buffers_reaches_the_context),
			cmocka_unit_test(res_7_full_ring_keeps_order_and_loses_nothing),
			cmocka_unit_test(res_17_stall_is_counted_and_caught_up_with),
	};

	return cmocka_run_group_tests(tests, bed_link_open, bed_link_close);
}
