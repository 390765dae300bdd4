/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What does a second worker cost, and what the wrong core? Two ports wired by rings, a queue
 * for each worker; each thread has a CPU and runs a client's and a server's worker of the
 * same number, or all of them by turns. Connections are opened and closed, by the client
 * first, without text, 128 at a time and worker; TIME-WAIT lasts a second; timestamps are on,
 * checksums are made and, at both ends, verified. The cases: one worker; two on one thread,
 * which shows the work of handing over without the way between cores; two on two threads.
 * Of two, every frame comes to its owner's queue, every second one to the other's, or
 * every one. What is told is cycles of all threads together per connection, so that two
 * threads as good as one have twice the rate. Others' work on the CPUs shows, and most of
 * all where two threads wait for each other. */

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include "base/check.h"
#include "bench.h"
#include "pmtcp_dpdk.h"

enum {
	WORKERS_MAX = 2,
	RING = 1024,
	AT_ONCE = 128,
	OPENS = 32, /* a turn */
	EVENTS = 64,
	SOURCES = 16,
	PORT = 5001,
	PORTS = 16,
	TW_MS = 1000,
	TIME_WAITS = 3000000,
	MEMORY_MB = 512,
};

#define CLIENT_IP PMTCP_IP4(198, 18, 0, 1)
#define SERVER_IP PMTCP_IP4(198, 18, 0, 200)

struct scene {
	const char *name;
	uint16_t workers;
	uint16_t threads; /* as many, or 1 */
	uint16_t wrong_permille;
};

/* The application of one worker, whose thread alone writes but must_end: a counter is stored,
 * not added to. No line of it is another's. */
struct app {
	__attribute__((aligned(PMTCP_CACHE_LINE))) atomic_bool must_end;
	uint32_t next;
	atomic_uint open;
	atomic_ullong closed;
	uint64_t failed;
};

/* A queue of net_ring as the driver lays it out: a ring and two counters, each written at each
 * poll, even one in vain. Those of queues next to each other share a line. */
struct ring_queue {
	struct rte_ring *ring;
	uint64_t frames[2];
};

struct queue_line {
	__attribute__((aligned(PMTCP_CACHE_LINE))) struct ring_queue queue;
};

struct world {
	const struct scene *scene;
	struct rte_ring *rings[2][WORKERS_MAX];     /* to the server, to the client */
	struct queue_line lines[2][WORKERS_MAX][2]; /* to receive, to send */
	struct pmtcp_port *ports[2];
	struct pmtcp_worker *workers[2][WORKERS_MAX];
	struct app apps[2][WORKERS_MAX];
};

static void
set_open(struct app *app, unsigned int open)
{
	atomic_store_explicit(&app->open, open, memory_order_relaxed);
}

static unsigned int
open_of(struct app *app)
{
	return atomic_load_explicit(&app->open, memory_order_relaxed);
}

static void
set_closed(struct app *app, unsigned long long closed)
{
	atomic_store_explicit(&app->closed, closed, memory_order_relaxed);
}

static unsigned long long
closed_of(struct app *app)
{
	return atomic_load_explicit(&app->closed, memory_order_relaxed);
}

static void
serve(struct pmtcp_ctx *ctx, void *arg)
{
	struct pmtcp_event ev[EVENTS];
	struct app *app = arg;
	uint16_t n;

	while ((n = pmtcp_events(ctx, ev, EVENTS)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			if (ev[i].flags & PMTCP_EV_PEER_FIN)
				pmtcp_close(ev[i].conn);
			if (ev[i].flags & PMTCP_EV_CLOSED)
				app->failed += ev[i].reason != PMTCP_GRACEFUL;
		}
	}
}

static void
open_some(struct pmtcp_ctx *ctx, struct app *app)
{
	struct pmtcp_open opens[OPENS] = {{.user = NULL}};
	uint32_t n = app->must_end ? 0 : min_u32(OPENS, AT_ONCE - open_of(app));
	int err;

	for (uint32_t i = 0; i < n; i++, app->next++) {
		opens[i].local = pmtcp_addr4(CLIENT_IP + app->next % SOURCES, 0);
		opens[i].remote = pmtcp_addr4(
				SERVER_IP, (uint16_t)(PORT + app->next / SOURCES % PORTS));
	}
	BENCH_VERIFY(pmtcp_connect_burst(ctx, opens, (uint16_t)n, &err) == n);
	set_open(app, open_of(app) + n);
}

static void
load(struct pmtcp_ctx *ctx, void *arg)
{
	struct pmtcp_event ev[EVENTS];
	struct app *app = arg;
	uint16_t n;

	while ((n = pmtcp_events(ctx, ev, EVENTS)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			if (ev[i].flags & PMTCP_EV_CONNECTED)
				pmtcp_close(ev[i].conn);
			if ((ev[i].flags & PMTCP_EV_CLOSED) == 0)
				continue;
			set_open(app, open_of(app) - 1);
			set_closed(app, closed_of(app) + 1);
			app->failed += ev[i].reason != PMTCP_GRACEFUL;
		}
	}
	open_some(ctx, app);
}

/* ---- the world ------------------------------------------------------------------ */

/* Two threads that poll queues of net_ring wait for each other at each poll, which no device's
 * queues make them do: each queue gets a line of its own. */
static void
part_queues(struct world *w, int end, uint16_t id)
{
	struct rte_eth_fp_ops *ops = &rte_eth_fp_ops[id];

	for (uint16_t q = 0; q < w->scene->workers; q++) {
		struct queue_line *line = w->lines[end][q];

		for (int i = 0; i < 2; i++) {
			void **data = i == 0 ? ops->rxq.data : ops->txq.data;
			struct rte_ring *ring = w->rings[i == 0 ? end : 1 - end][q];

			memcpy(&line[i].queue, data[q], sizeof(line[i].queue));
			BENCH_VERIFY(line[i].queue.ring == ring);
			data[q] = &line[i];
		}
	}
}

static struct pmtcp_port *
open_port(struct world *w, int end)
{
	static unsigned int ports_made; /* the bus keeps the names of closed ports */
	struct pmtcp_port_conf conf = {.workers = w->scene->workers,
			.queues = w->scene->workers,
			.bufs = 4000,
			.wrong_permille = end == 0 ? w->scene->wrong_permille : 0};
	struct pmtcp_port *port = NULL;
	char name[16];
	int id;

	snprintf(name, sizeof(name), "bench%u", ports_made++);
	id = rte_eth_from_rings(
			name, w->rings[end], conf.queues, w->rings[1 - end], conf.queues, 0);
	BENCH_VERIFY(id >= 0);
	conf.port_id = (uint16_t)id;
	BENCH_VERIFY(pmtcp_port_open(&conf, &port) == 0);
	part_queues(w, end, (uint16_t)id);
	return port;
}

static void
make_worker(struct world *w, int end, uint16_t number)
{
	const struct pmtcp_worker_opts opts = {.idle = PMTCP_IDLE_SPIN};
	struct pmtcp_listener *listener;
	struct pmtcp_conf conf;

	pmtcp_conf_init(&conf);
	conf.n_ranges = 1;
	conf.ranges[0].first = end == 0 ? SERVER_IP : CLIENT_IP;
	conf.ranges[0].last = end == 0 ? SERVER_IP : CLIENT_IP + SOURCES - 1;
	conf.tw_ms = TW_MS;
	conf.max_time_wait = TIME_WAITS;
	conf.max_port_pairs = 4 * SOURCES * PORTS;
	BENCH_VERIFY(pmtcp_worker_create(w->ports[end], number, &conf, &opts,
				     &w->workers[end][number]) == 0);
	for (uint16_t i = 0; i < PORTS && end == 0; i++) {
		struct pmtcp_addr local = pmtcp_addr4(SERVER_IP, (uint16_t)(PORT + i));

		BENCH_VERIFY(pmtcp_listen(pmtcp_worker_ctx(w->workers[end][number]), &local, NULL,
					     &listener) == 0);
	}
}

static void
world_open(struct world *w, const struct scene *scene)
{
	char name[32];

	memset(w, 0, sizeof(*w));
	w->scene = scene;
	for (int end = 0; end < 2; end++) {
		for (uint16_t q = 0; q < scene->workers; q++) {
			snprintf(name, sizeof(name), "bench_to_%d_%u", end, q);
			w->rings[end][q] = rte_ring_create(
					name, RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
			BENCH_VERIFY(w->rings[end][q] != NULL);
		}
	}
	for (int end = 0; end < 2; end++)
		w->ports[end] = open_port(w, end);
	for (int end = 0; end < 2; end++)
		for (uint16_t i = 0; i < scene->workers; i++)
			make_worker(w, end, i);
}

/* The n-th CPU we may use. */
static int
cpu_of(uint16_t n)
{
	static cpu_set_t allowed;

	if (CPU_COUNT(&allowed) == 0)
		BENCH_VERIFY(sched_getaffinity(getpid(), sizeof(allowed), &allowed) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && n-- == 0)
			return cpu;
	return -1;
}

static void
world_start(struct world *w)
{
	struct pmtcp_job jobs[2 * WORKERS_MAX];
	uint16_t n = 0;

	for (uint16_t i = 0; i < w->scene->workers; i++) {
		jobs[n++] = (struct pmtcp_job){w->workers[0][i], serve, &w->apps[0][i]};
		jobs[n++] = (struct pmtcp_job){w->workers[1][i], load, &w->apps[1][i]};
		if (w->scene->threads == 1 && i + 1 < w->scene->workers)
			continue;
		BENCH_VERIFY(pmtcp_worker_start(jobs, n, cpu_of(i % w->scene->threads)) == 0);
		n = 0;
	}
}

static uint64_t
closed_now(struct world *w)
{
	uint64_t sum = 0;

	for (uint16_t i = 0; i < w->scene->workers; i++)
		sum += closed_of(&w->apps[1][i]);
	return sum;
}

static void
measure(struct world *w, struct bench_case *c, uint32_t ms, int runs)
{
	usleep(2000 * TW_MS); /* expiry keeps up with entry from here on */
	for (int i = 0; i < runs; i++) {
		uint64_t closed = closed_now(w);
		uint64_t cycles = rte_rdtsc();

		usleep(1000 * ms);
		cycles = rte_rdtsc() - cycles;
		closed = closed_now(w) - closed;
		BENCH_VERIFY(closed > 0);
		bench_add(c, cycles * w->scene->threads, closed);
	}
}

/* Opens no more, and waits for what is open. */
static void
world_stop(struct world *w)
{
	for (uint16_t i = 0; i < w->scene->workers; i++)
		w->apps[1][i].must_end = true;
	for (uint16_t i = 0; i < w->scene->workers; i++)
		for (int k = 0; k < 1000 && w->apps[1][i].open > 0; k++)
			usleep(10000);
	for (uint16_t i = 0; i < w->scene->workers; i++)
		pmtcp_worker_join(w->workers[0][i]);
}

/* Nothing failed, was evicted or sent twice; frames came to the wrong worker as they should.
 * Returns the share that did, in percent. */
static double
verify(struct world *w, int end)
{
	struct pmtcp_stats sum = {0}, one;
	double share;

	for (uint16_t i = 0; i < w->scene->workers; i++) {
		BENCH_VERIFY(w->apps[end][i].failed == 0 && w->apps[end][i].open == 0);
		pmtcp_stats(pmtcp_worker_ctx(w->workers[end][i]), &one);
		pmtcp_stats_add(&sum, &one);
	}
	BENCH_VERIFY(pmtcp_stats_audit(&sum) == NULL);
	BENCH_VERIFY(sum.counter[PMTCP_C_tw_evicted] == 0);
	BENCH_VERIFY(sum.counter[PMTCP_C_drop_misdirected] == 0);
	share = 100.0 * (double)sum.counter[PMTCP_C_misdirected] /
		(double)(sum.counter[PMTCP_C_rx_frames] - sum.counter[PMTCP_C_misdirected]);
	BENCH_VERIFY(share > w->scene->wrong_permille / 10.0 - 5 &&
			share < w->scene->wrong_permille / 10.0 + 5);
	return share;
}

static void
world_close(struct world *w)
{
	for (int end = 0; end < 2; end++)
		for (uint16_t i = 0; i < w->scene->workers; i++)
			pmtcp_worker_destroy(w->workers[end][i]);
	for (int end = 0; end < 2; end++) {
		pmtcp_port_close(w->ports[end]);
		for (uint16_t q = 0; q < w->scene->workers; q++)
			rte_ring_free(w->rings[end][q]);
	}
}

int
main(int argc, char **argv)
{
	static const struct scene scenes[] = {
			{"workers.one", 1, 1, 0},
			{"workers.by_turns", 2, 1, 0},
			{"workers.by_turns_half_wrong", 2, 1, 500},
			{"workers.by_turns_all_wrong", 2, 1, 1000},
			{"workers.two", 2, 2, 0},
			{"workers.two_half_wrong", 2, 2, 500},
			{"workers.two_all_wrong", 2, 2, 1000},
	};
	static struct bench_case cases[PMTCP_ARRAY_SIZE(scenes)];
	bool is_quick = bench_is_quick(argc, argv);
	static struct world world;
	char extra[64];

	(void)cpu_of(0); /* before EAL takes this thread to one CPU */
	bench_start(argv[0], MEMORY_MB);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(scenes); i++) {
		cases[i].name = scenes[i].name;
		cases[i].size = scenes[i].workers;
		world_open(&world, &scenes[i]);
		world_start(&world);
		measure(&world, &cases[i], is_quick ? 200 : 3000, is_quick ? 1 : BENCH_RUNS);
		world_stop(&world);
		snprintf(extra, sizeof(extra), "misdirected=%.0f%%,%.0f%% tw_ms=%d",
				verify(&world, 0), verify(&world, 1), TW_MS);
		world_close(&world);
		bench_report(&cases[i], extra);
	}
	bench_report_ratio("workers.by_turns_half_wrong", &cases[2], &cases[1]);
	bench_report_ratio("workers.by_turns_all_wrong", &cases[3], &cases[1]);
	bench_report_ratio("workers.two_to_one", &cases[4], &cases[0]);
	bench_report_ratio("workers.two_half_wrong", &cases[5], &cases[4]);
	bench_report_ratio("workers.two_all_wrong", &cases[6], &cases[4]);
	return 0;
}
