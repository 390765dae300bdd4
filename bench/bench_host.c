/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What does the machine leave to a program right now? Cores of a virtual machine are threads of
 * a host that others use too, and what is measured there moves by a factor of two with what
 * these do; so each figure of bench/run has this beside it. Two threads, each on a CPU of its
 * own, count at the same time how many independent additions they get done in a TSC cycle (two
 * hyperthreads of one core, or a busy one beside ours, leave half), and then for what part of a
second, and for how long at most, they were away; then one walks through
 * memory that no cache holds, each step of which waits for the one before; then both pass a
 * cache line to and fro. Where there is one CPU only, the first two for it alone. */

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "bench.h"

enum {
	CPUS = 2,
	ADDS = 8, /* a round */
	ROUNDS = 4000000,
	GAPS_PER_S = 10000, /* those of 100 us and more count */
	CHASE_MB = 64,
	CHASE_STEPS = 500000,
	PASSES = 200000,
	HUGE = 2 << 20,
};

struct probe {
	pthread_t thread;
	int cpu;
	int runs;
	struct bench_case adds;    /* its cycles are additions per cycle, */
	struct bench_case away;    /* permille of the time, */
	struct bench_case longest; /* and microseconds */
};

static atomic_uint_fast64_t ball;
static atomic_int n_ready;

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	BENCH_VERIFY(sched_setaffinity(0, sizeof(set), &set) == 0);
}

/* The compiler may neither join nor drop additions of what it believes to be read. */
#define ONE_MORE(x)                                                                                \
	do {                                                                                       \
		x++;                                                                               \
		__asm__ volatile("" : "+r"(x));                                                    \
	} while (0)

static uint64_t
add_for_a_while(void)
{
	uint64_t a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;
	uint64_t start = rte_rdtsc();

	for (int i = 0; i < ROUNDS; i++) {
		ONE_MORE(a);
		ONE_MORE(b);
		ONE_MORE(c);
		ONE_MORE(d);
		ONE_MORE(e);
		ONE_MORE(f);
		ONE_MORE(g);
		ONE_MORE(h);
	}
	BENCH_VERIFY(a + b + c + d + e + f + g + h == (uint64_t)ROUNDS * ADDS);
	return rte_rdtsc() - start;
}

/* Without EAL, which nothing else here needs, nobody has counted them. */
static uint64_t
count_tsc_hz(void)
{
	const int64_t wait_ns = 50000000;
	struct timespec from, now;
	uint64_t start = rte_rdtsc();
	int64_t ns;

	BENCH_VERIFY(clock_gettime(CLOCK_MONOTONIC, &from) == 0);
	do {
		BENCH_VERIFY(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
		ns = (now.tv_sec - from.tv_sec) * 1000000000 + now.tv_nsec - from.tv_nsec;
	} while (ns < wait_ns);
	return (uint64_t)((double)(rte_rdtsc() - start) * 1e9 / (double)ns);
}

/* For a second: how much of it was in gaps that no program makes itself? */
static void
watch(struct probe *p)
{
	const uint64_t second = count_tsc_hz(), gap_min = second / GAPS_PER_S;
	uint64_t start = rte_rdtsc(), last = start, away = 0, longest = 0;

	while (last - start < second) {
		uint64_t now = rte_rdtsc();
		uint64_t gap = now - last;

		away += gap >= gap_min ? gap : 0;
		longest = max_u64(longest, gap);
		last = now;
	}
	bench_add(&p->away, away * 1000, second);
	bench_add(&p->longest, longest * 1000000, second);
}

static void *
add(void *arg)
{
	struct probe *p = arg;

	pin(p->cpu);
	atomic_fetch_sub(&n_ready, 1);
	while (atomic_load(&n_ready) > 0)
		continue;
	for (int i = 0; i < p->runs; i++)
		bench_add(&p->adds, (uint64_t)ROUNDS * ADDS, add_for_a_while());
	watch(p);
	return NULL;
}

/* A cycle through all lines in random order, of 8 octets each that name the next. */
static uint64_t *
make_chase(uint32_t lines)
{
	size_t size = (size_t)lines * PMTCP_CACHE_LINE;
	uint8_t *mem = aligned_alloc(HUGE, size);
	uint32_t *order = malloc(lines * sizeof(*order));
	struct rng r;

	BENCH_VERIFY(mem != NULL && order != NULL);
	(void)madvise(mem, size, MADV_HUGEPAGE); /* as the contexts' own memory */
	rng_seed(&r, 1);
	for (uint32_t i = 0; i < lines; i++) {
		uint32_t j = (uint32_t)rng_below(&r, i + 1);

		order[i] = order[j];
		order[j] = i;
	}
	for (uint32_t i = 0; i < lines; i++) {
		const uint64_t next = (uint64_t)order[(i + 1) % lines] * PMTCP_CACHE_LINE;

		memcpy(mem + (size_t)order[i] * PMTCP_CACHE_LINE, &next, sizeof(next));
	}
	free(order);
	return (uint64_t *)(void *)mem;
}

static void
chase(const uint64_t *mem, struct bench_case *c)
{
	const volatile uint64_t *at = mem;
	uint64_t start = rte_rdtsc();

	for (int i = 0; i < CHASE_STEPS; i++)
		at = mem + *at / sizeof(*mem);
	bench_add(c, rte_rdtsc() - start, CHASE_STEPS);
}

/* Each writes the number after the other's. */
static void
pass(uint64_t turn)
{
	for (uint64_t i = turn; i < 2 * PASSES; i += 2) {
		while (atomic_load_explicit(&ball, memory_order_acquire) != i)
			continue;
		atomic_store_explicit(&ball, i + 1, memory_order_release);
	}
}

static void *
catch_ball(void *arg)
{
	pin(*(const int *)arg);
	pass(1);
	return NULL;
}

static void
throw_ball(int cpu, int other, struct bench_case *c)
{
	pthread_t thread;
	uint64_t start;

	atomic_store(&ball, 0);
	BENCH_VERIFY(pthread_create(&thread, NULL, catch_ball, &other) == 0);
	pin(cpu);
	start = rte_rdtsc();
	pass(0);
	bench_add(c, rte_rdtsc() - start, PASSES);
	BENCH_VERIFY(pthread_join(thread, NULL) == 0);
}

static void
report(struct bench_case *c, const char *unit)
{
	double median = bench_median(c);

	printf("host.%s  %.2f %s  n=%d min=%.2f max=%.2f\n", c->name, median, unit, c->runs,
			c->cycles[0], c->cycles[c->runs - 1]);
}

static int
find_cpus(int cpus[CPUS])
{
	cpu_set_t set;
	int n = 0;

	BENCH_VERIFY(sched_getaffinity(0, sizeof(set), &set) == 0);
	for (int cpu = 0; cpu < CPU_SETSIZE && n < CPUS; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = cpu;
	return n;
}

static void
measure_cpus(const int *cpus, int n, int runs)
{
	static const char *const adds[CPUS] = {"adds_per_cycle.first", "adds_per_cycle.second"};
	static const char *const away[CPUS] = {"away_permille.first", "away_permille.second"};
	static const char *const longest[CPUS] = {"away_us_max.first", "away_us_max.second"};
	struct probe probes[CPUS];

	atomic_store(&n_ready, n);
	for (int i = 0; i < n; i++) {
		probes[i] = (struct probe){.cpu = cpus[i],
				.runs = runs,
				.adds = {.name = adds[i]},
				.away = {.name = away[i]},
				.longest = {.name = longest[i]}};
		BENCH_VERIFY(pthread_create(&probes[i].thread, NULL, add, &probes[i]) == 0);
	}
	for (int i = 0; i < n; i++) {
		BENCH_VERIFY(pthread_join(probes[i].thread, NULL) == 0);
		report(&probes[i].adds, "op/cyc");
		report(&probes[i].away, "permille");
		report(&probes[i].longest, "us");
	}
}

int
main(int argc, char **argv)
{
	int runs = bench_is_quick(argc, argv) ? 3 : BENCH_RUNS_MAX;
	struct bench_case miss = {.name = "miss"}, trip = {.name = "line_round_trip"};
	uint64_t *mem = make_chase((CHASE_MB << 20) / PMTCP_CACHE_LINE);
	int cpus[CPUS];
	int n = find_cpus(cpus);

	measure_cpus(cpus, n, runs);
	pin(cpus[0]);
	for (int i = 0; i < runs; i++)
		chase(mem, &miss);
	report(&miss, "cyc");
	for (int i = 0; i < runs && n == CPUS; i++)
		throw_ball(cpus[0], cpus[1], &trip);
	if (n == CPUS)
		report(&trip, "cyc");
	free(mem);
	return 0;
}
