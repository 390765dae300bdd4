/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: runs stop when told to, calls from other threads are served between turns on
 * the worker's own thread, whatever it does when idle. Method: a worker with a recorder
 * in the context's place (worker_bed.h), and real threads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "worker_bed.h"

struct visitor {
	struct bed *bed;
	atomic_int ran_on; /* thread id */
	bool has_cache;    /* of packet buffers: the thread is known to EAL */
	int stop_after;
};

static void
visit(struct pmtcp_ctx *ctx, void *arg)
{
	struct visitor *v = arg;

	assert_ptr_equal(ctx, v->bed->ctx);
	v->has_cache = rte_mempool_default_cache(ctx->pool, rte_lcore_id()) != NULL;
	atomic_store(&v->ran_on, gettid());
}

static void
stop_after_some(struct pmtcp_ctx *ctx, void *arg)
{
	struct visitor *v = arg;

	if (--v->stop_after == 0)
		pmtcp_worker_stop(v->bed->w);
}

static void
run_ends_after_the_turn_that_stops_it(void **state)
{
	struct bed bed;
	struct visitor v = {.bed = &bed, .stop_after = 7};

	bed_open(&bed, NULL);
	pmtcp_worker_run(bed.w, stop_after_some, &v);
	assert_int_equal(stats_of(&bed).turns, 7);
	pmtcp_worker_stop(bed.w); /* beforehand: not a single turn */
	pmtcp_worker_run(bed.w, stop_after_some, &v);
	assert_int_equal(stats_of(&bed).turns, 7);
	v.stop_after = 2; /* and the mark is gone */
	pmtcp_worker_run(bed.w, stop_after_some, &v);
	assert_int_equal(stats_of(&bed).turns, 9);
	bed_close(&bed);
}

static void
call_without_run_is_made_at_once(void **state)
{
	struct bed bed;
	struct visitor v = {.bed = &bed};

	bed_open(&bed, NULL);
	pmtcp_worker_call(bed.w, visit, &v);
	assert_int_equal(atomic_load(&v.ran_on), gettid());
	bed_close(&bed);
}

static void
call_runs_on_the_worker_thread(void **state)
{
	static const enum pmtcp_idle idles[] = {
			PMTCP_IDLE_AUTO, PMTCP_IDLE_SPIN, PMTCP_IDLE_YIELD, PMTCP_IDLE_SLEEP};

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(idles); i++) {
		const struct pmtcp_worker_opts opts = {.idle = idles[i]};
		struct bed bed;
		struct visitor v = {.bed = &bed};
		struct pmtcp_job job;
		int first;

		bed_open(&bed, &opts);
		job = (struct pmtcp_job){.worker = bed.w};
		assert_int_equal(pmtcp_worker_start(&job, 1, -1), 0);
		assert_int_equal(pmtcp_worker_start(&job, 1, -1), -EBUSY);
		pmtcp_worker_call(bed.w, visit, &v);
		first = atomic_load(&v.ran_on);
		assert_true(first != 0 && first != gettid());
		assert_true(v.has_cache);
		for (int k = 0; k < 100; k++) {
			atomic_store(&v.ran_on, 0);
			pmtcp_worker_call(bed.w, visit, &v);
			assert_int_equal(atomic_load(&v.ran_on), first);
		}
		pmtcp_worker_join(bed.w);
		pmtcp_worker_join(bed.w); /* nothing */
		assert_int_equal(stats_of(&bed).calls, 101);
		assert_true(idles[i] != PMTCP_IDLE_SLEEP || stats_of(&bed).sleeps > 0);
		bed_close(&bed);
	}
}

struct caller {
	struct bed *bed;
	uint32_t *counter; /* plain: only the worker's thread touches it */
};

static void
count_in_context(struct pmtcp_ctx *ctx, void *arg)
{
	(*(uint32_t *)arg)++;
}

static void *
call_many(void *arg)
{
	const struct caller *c = arg;

	for (int i = 0; i < 500; i++)
		pmtcp_worker_call(c->bed->w, count_in_context, c->counter);
	return NULL;
}

static void
call_from_many_threads_is_served_one_by_one(void **state)
{
	struct bed bed;
	uint32_t counter = 0;
	struct caller c = {.bed = &bed, .counter = &counter};
	struct pmtcp_job job;
	pthread_t threads[4];

	bed_open(&bed, NULL);
	job = (struct pmtcp_job){.worker = bed.w};
	assert_int_equal(pmtcp_worker_start(&job, 1, -1), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_many, &c), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pmtcp_worker_join(bed.w);
	assert_int_equal(counter, 2000);
	bed_close(&bed);
}

static void
run_all_gives_turns_to_each_until_one_is_stopped(void **state)
{
	const struct pmtcp_conf conf = {.n_ranges = 1};
	struct bed bed, other;
	struct visitor v = {.bed = &bed, .stop_after = 1000};
	struct pmtcp_job jobs[2];

	bed_open(&bed, NULL);
	assert_int_equal(pmtcp_worker_create(link_ring.ports[1], 0, &conf, NULL, &other.w), 0);
	other.ctx = pmtcp_worker_ctx(other.w);
	bed.ctx->end_output = 5000;
	other.ctx->end_output = 3000;
	jobs[0] = (struct pmtcp_job){.worker = bed.w, .fn = stop_after_some, .arg = &v};
	jobs[1] = (struct pmtcp_job){.worker = other.w};
	pmtcp_worker_run_all(jobs, 2);
	assert_int_equal(other.ctx->n_inputs, INPUTS_MAX); /* 5000 came, the recorder is full */
	assert_int_equal(bed.ctx->n_inputs, 3000);
	for (uint32_t i = 0; i < 3000; i++)
		assert_int_equal(bed.ctx->inputs[i], i);
	pmtcp_worker_destroy(other.w);
	bed_close(&bed);
}

static void
start_of_nothing_or_nowhere_is_refused(void **state)
{
	struct bed bed;
	struct pmtcp_job job;

	bed_open(&bed, NULL);
	job = (struct pmtcp_job){.worker = bed.w};
	assert_int_equal(pmtcp_worker_start(&job, 0, -1), -EINVAL);
	assert_int_equal(pmtcp_worker_start(&job, WORKER_JOBS_MAX + 1, -1), -EINVAL);
	assert_int_equal(pmtcp_worker_start(&job, 1, 1 << 20), -EINVAL);
	assert_int_equal(pmtcp_worker_start(&job, 1, 1000), -EINVAL);
	assert_int_equal(pmtcp_worker_start(&job, 1, 0), 0); /* a refusal leaves no trace */
	pmtcp_worker_join(bed.w);
	bed_close(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(run_ends_after_the_turn_that_stops_it),
			cmocka_unit_test(call_without_run_is_made_at_once),
			cmocka_unit_test(call_runs_on_the_worker_thread),
			cmocka_unit_test(call_from_many_threads_is_served_one_by_one),
			cmocka_unit_test(run_all_gives_turns_to_each_until_one_is_stopped),
			cmocka_unit_test(start_of_nothing_or_nowhere_is_refused),
	};

	return cmocka_run_group_tests(tests, bed_link_open, bed_link_close);
}
