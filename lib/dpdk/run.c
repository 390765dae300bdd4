/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* How turns follow each other: the run, its threads, what happens between turns (calls
 * from other threads, stopping) and when there is nothing to do. */

#include "dpdk/worker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_lcore.h>
#include <rte_pause.h>

/* Threads inside pmtcp_worker_run_all() now, for PMTCP_IDLE_AUTO. */
static atomic_int running_threads;

/* owner_tid of a worker whose thread was asked for but does not run yet. */
#define OWNER_STARTING (-1)

struct worker_group {
	pthread_t thread;
	uint16_t n;
	struct pmtcp_job jobs[WORKER_JOBS_MAX];
};

/* ---- between two turns ----------------------------------------------------- */

static inline void
serve_call(struct pmtcp_worker *w)
{
	struct worker_call *call;

	if (is_likely(atomic_load_explicit(&w->mailbox, memory_order_relaxed) == NULL))
		return;
	call = atomic_exchange(&w->mailbox, NULL);
	if (call == NULL)
		return; /* taken back by a caller that saw the run end */
	call->fn(w->ctx, call->arg);
	w->stats.calls++;
	atomic_store_explicit(&call->is_done, true, memory_order_release);
}

static void
wake(struct pmtcp_worker *w)
{
	const uint64_t one = 1;
	int err = errno;

	/* write(2) is async-signal-safe; a full counter is readable all the same. */
	if (w->wake_fd >= 0 && write(w->wake_fd, &one, sizeof(one)) < 0)
		errno = err;
}

/* Waits for a call that was posted. False: the run ended first, and the call was taken
 * back before anybody saw it. */
static bool
await_call(struct pmtcp_worker *w, struct worker_call *call)
{
	while (!atomic_load_explicit(&call->is_done, memory_order_acquire)) {
		struct worker_call *expected = call;

		if (atomic_load(&w->owner_tid) == 0 &&
				atomic_compare_exchange_strong(&w->mailbox, &expected, NULL))
			return false;
		sched_yield();
	}
	return true;
}

void
pmtcp_worker_call(struct pmtcp_worker *w, void (*fn)(struct pmtcp_ctx *ctx, void *arg), void *arg)
{
	struct worker_call call = {.fn = fn, .arg = arg};
	struct worker_call *expected = NULL;
	int owner = atomic_load(&w->owner_tid);

	if (owner == 0 || owner == gettid()) {
		fn(w->ctx, arg);
		return;
	}
	/* One letter fits: a second caller waits for the first one's. */
	while (!atomic_compare_exchange_strong(&w->mailbox, &expected, &call)) {
		expected = NULL;
		sched_yield();
	}
	wake(w);
	if (!await_call(w, &call))
		fn(w->ctx, arg);
}

void
pmtcp_worker_stop(struct pmtcp_worker *w)
{
	atomic_store(&w->must_stop, true);
	wake(w);
}

/* ---- the run --------------------------------------------------------------- */

static int
count_cpus(void)
{
	cpu_set_t cpus;

	/* The mask of the process's first thread: our own may be pinned to one CPU, while
	 * whoever starts EAL leaves the first one its whole set (apps/common/link.c). */
	if (sched_getaffinity(getpid(), sizeof(cpus), &cpus) != 0)
		return 1;
	return CPU_COUNT(&cpus);
}

static enum pmtcp_idle
choose_idle(enum pmtcp_idle wanted)
{
	if (wanted != PMTCP_IDLE_AUTO)
		return wanted;
	return atomic_load(&running_threads) <= count_cpus() - 1 ? PMTCP_IDLE_SPIN
								 : PMTCP_IDLE_YIELD;
}

static inline void
wait_idle(enum pmtcp_idle idle, const struct pmtcp_job *jobs, uint16_t n)
{
	if (idle == PMTCP_IDLE_SPIN)
		rte_pause();
	else if (idle == PMTCP_IDLE_YIELD)
		sched_yield();
	else
		idle_sleep(jobs, n);
}

/* One turn of each worker. Returns false once any of them was stopped. */
static inline bool
round_of_turns(const struct pmtcp_job *jobs, uint16_t n, bool *is_busy)
{
	*is_busy = false;
	for (uint16_t i = 0; i < n; i++) {
		struct pmtcp_worker *w = jobs[i].worker;

		if (is_unlikely(atomic_load_explicit(&w->must_stop, memory_order_relaxed)))
			return false;
		serve_call(w);
		*is_busy |= pmtcp_worker_turn(w, jobs[i].fn, jobs[i].arg);
	}
	return true;
}

void
pmtcp_worker_run_all(const struct pmtcp_job *jobs, uint16_t n)
{
	enum pmtcp_idle idle;
	bool is_registered, is_busy;

	if (n == 0 || n > WORKER_JOBS_MAX)
		return;
	/* Only threads EAL knows have packet buffer caches. */
	is_registered = rte_lcore_id() == LCORE_ID_ANY && rte_thread_register() == 0;
	for (uint16_t i = 0; i < n; i++) {
		atomic_store(&jobs[i].worker->owner_tid, gettid());
		jobs[i].worker->was_away = true; /* the time before the run is no stall */
	}
	atomic_fetch_add(&running_threads, 1);
	idle = choose_idle(jobs[0].worker->idle);
	while (round_of_turns(jobs, n, &is_busy))
		if (!is_busy)
			wait_idle(idle, jobs, n);
	atomic_fetch_sub(&running_threads, 1);
	for (uint16_t i = 0; i < n; i++) {
		atomic_store(&jobs[i].worker->must_stop, false);
		serve_call(jobs[i].worker);
		atomic_store(&jobs[i].worker->owner_tid, 0);
	}
	if (is_registered)
		rte_thread_unregister();
}

void
pmtcp_worker_run(struct pmtcp_worker *w, void (*fn)(struct pmtcp_ctx *ctx, void *arg), void *arg)
{
	struct pmtcp_job job = {.worker = w, .fn = fn, .arg = arg};

	pmtcp_worker_run_all(&job, 1);
}

/* ---- threads --------------------------------------------------------------- */

static void *
group_main(void *arg)
{
	const struct worker_group *group = arg;

	pmtcp_worker_run_all(group->jobs, group->n);
	return NULL;
}

static int
spawn(struct worker_group *group, int cpu)
{
	pthread_attr_t attr;
	cpu_set_t cpus;
	int ret;

	CPU_ZERO(&cpus);
	if (cpu >= CPU_SETSIZE)
		return -EINVAL;
	ret = pthread_attr_init(&attr);
	if (ret != 0)
		return -ret;
	if (cpu >= 0) {
		CPU_SET((unsigned int)cpu, &cpus);
		ret = pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	if (ret == 0)
		ret = pthread_create(&group->thread, &attr, group_main, group);
	(void)pthread_attr_destroy(&attr);
	return -ret;
}

int
pmtcp_worker_start(const struct pmtcp_job *jobs, uint16_t n, int cpu)
{
	struct worker_group *group;
	int ret;

	if (n == 0 || n > WORKER_JOBS_MAX)
		return -EINVAL;
	for (uint16_t i = 0; i < n; i++)
		if (jobs[i].worker->group != NULL || atomic_load(&jobs[i].worker->owner_tid) != 0)
			return -EBUSY;
	group = calloc(1, sizeof(*group));
	if (group == NULL)
		return -ENOMEM;
	group->n = n;
	memcpy(group->jobs, jobs, n * sizeof(jobs[0]));
	/* From here on other threads must knock, even before the thread is there. */
	for (uint16_t i = 0; i < n; i++) {
		jobs[i].worker->group = group;
		atomic_store(&jobs[i].worker->owner_tid, OWNER_STARTING);
	}
	ret = spawn(group, cpu);
	if (ret == 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		jobs[i].worker->group = NULL;
		atomic_store(&jobs[i].worker->owner_tid, 0);
	}
	free(group);
	return ret;
}

void
pmtcp_worker_join(struct pmtcp_worker *w)
{
	struct worker_group *group = w->group;

	if (group == NULL)
		return;
	pmtcp_worker_stop(w);
	(void)pthread_join(group->thread, NULL);
	for (uint16_t i = 0; i < group->n; i++) {
		group->jobs[i].worker->group = NULL;
		/* A stop of a thread that had ended by itself is used up by this join. */
		atomic_store(&group->jobs[i].worker->must_stop, false);
	}
	free(group);
}
