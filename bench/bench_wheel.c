/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What does a timer cost, compared with rte_timer? Arm and cancel with n timers
 * outstanding, in two unrelated random orders; and the life of a connection: SYN
 * timer 1 s, moved to an RTO of 200 ms, moved to a TIME-WAIT of 60 s, expired. At
 * any time some n / 2 connections are in TIME-WAIT, one life ends while one
 * begins, and between two steps of a life others take theirs.
 *
 * The wheel is given its clock, milliseconds of a simulated time that moves on
 * with the lives. rte_timer reads the TSC itself, so for it the same deadlines are
 * scaled down to the time in which it manages n / 2 lives. Where it was quicker
 * than that, the wait for a free block is not counted; where an interrupt makes an
 * RTO expire, what it saves thereby is. Both are asked for expiries
 * once per millisecond of that time, or per life if lives are rarer. */

#include <rte_lcore.h>
#include <rte_timer.h>

#include "bench.h"
#include "wheel/wheel.h"

enum {
	SEED = 1,
	NODE_OFFSET = 20, /* where a block keeps its node */
	PASS = 512,
	AHEAD = 16, /* lives between the prefetch of a block and its begin */
	SYN_MS = 1000,
	RTO_MS = 200,
	TIME_WAIT_MS = 60000,
	SLACK_MS = 256,
	STEP_GAP_PART = 10000, /* between two steps of a life n / 10000 others begin: 12 ms */
};

struct world {
	uint32_t n;
	uint32_t rounds; /* per run, for small n */
	uint32_t gap;
	uint32_t *arm_order;
	uint32_t *cancel_order;
	uint32_t *delay; /* of each arm, in ms */
	uint8_t *seen;   /* expiries of each */
	uint8_t *blocks;
	struct wheel *wheel;
	struct rte_timer *timers;
	uint64_t expired;       /* by rte_timer */
	uint64_t life_cycles;   /* stand for 60 s in rte_timer: n / 2 lives of the last run */
	uint64_t population[2]; /* timers armed when the count of lives begins */
};

static void
world_create(struct world *w, uint32_t n, bool is_quick)
{
	struct rng r;

	memset(w, 0, sizeof(*w));
	rng_seed(&r, SEED);
	w->n = n;
	w->rounds = n >= 100000 || is_quick ? 1 : 100000 / n;
	w->gap = max_u32(n / STEP_GAP_PART, 1);
	w->arm_order = bench_permutation(n, SEED + 1);
	w->cancel_order = bench_permutation(n, SEED + 2);
	w->delay = bench_alloc(((size_t)n + 1) * sizeof(*w->delay));
	for (uint32_t i = 0; i <= n; i++)
		w->delay[i] = TIME_WAIT_MS + (uint32_t)rng_below(&r, TIME_WAIT_MS);
	w->seen = bench_alloc((size_t)n + 1);
	w->blocks = bench_alloc(((size_t)n + 1) * WHEEL_STRIDE);
	w->wheel = bench_alloc(sizeof(*w->wheel));
	wheel_init(w->wheel, w->blocks + NODE_OFFSET, 1);
	w->timers = bench_alloc(((size_t)n + 1) * sizeof(*w->timers));
	for (uint32_t i = 0; i <= n; i++)
		rte_timer_init(&w->timers[i]);
	w->life_cycles = rte_get_tsc_hz();
}

static void
world_free(struct world *w)
{
	rte_free(w->timers);
	rte_free(w->wheel);
	rte_free(w->blocks);
	rte_free(w->seen);
	rte_free(w->delay);
	rte_free(w->cancel_order);
	rte_free(w->arm_order);
}

/* Each block lived twice, and no TIME-WAIT was lost or came twice; `early` says
 * whether an RTO may have expired before its life went on. */
static void
verify_seen(struct world *w, bool early)
{
	for (uint32_t i = 1; i <= w->n; i++)
		BENCH_VERIFY(w->seen[i] == 2 || (early && w->seen[i] > 2));
	memset(w->seen, 0, (size_t)w->n + 1);
}

static void
on_timer(struct rte_timer *timer, void *arg)
{
	struct world *w = arg;

	w->seen[timer - w->timers]++;
	w->expired++;
}

static void
ours_arm_cancel(struct world *w, uint64_t *arm, uint64_t *cancel)
{
	uint64_t start = rte_rdtsc();
	uint64_t middle;

	for (uint32_t i = 0; i < w->n; i++)
		wheel_arm(w->wheel, w->arm_order[i], w->wheel->now + w->delay[i], 0);
	middle = rte_rdtsc();
	BENCH_VERIFY(w->wheel->armed == w->n);
	for (uint32_t i = 0; i < w->n; i++)
		wheel_cancel(w->wheel, w->cancel_order[i]);
	BENCH_VERIFY(w->wheel->armed == 0);
	*cancel += rte_rdtsc() - middle;
	*arm += middle - start;
}

static void
their_arm(struct world *w, uint32_t index, uint64_t cycles)
{
	BENCH_VERIFY(rte_timer_reset(&w->timers[index], cycles, SINGLE, rte_lcore_id(), on_timer,
				     w) == 0);
}

static void
their_arm_cancel(struct world *w, uint64_t *arm, uint64_t *cancel)
{
	uint64_t ms = rte_get_tsc_hz() / 1000;
	uint64_t start = rte_rdtsc();
	uint64_t middle;

	for (uint32_t i = 0; i < w->n; i++)
		their_arm(w, w->arm_order[i], w->delay[i] * ms);
	middle = rte_rdtsc();
	for (uint32_t i = 0; i < w->n; i++)
		BENCH_VERIFY(rte_timer_stop(&w->timers[w->cancel_order[i]]) == 0);
	*cancel += rte_rdtsc() - middle;
	*arm += middle - start;
}

/* The block at which step `step` of a life is when life `i` begins; 0: none. Its
 * line is asked for well before, as the stack does with each burst. Without divisions:
 * six of them would take as long as the timers of a life. */
static inline uint32_t
life_at(const struct world *w, uint64_t i, uint32_t step)
{
	uint64_t life = i - step * w->gap;

	life -= life >= w->n ? w->n : 0;
	life -= life >= w->n ? w->n : 0; /* what is asked for ahead of the last life */
	return i < step * w->gap ? 0 : w->arm_order[life];
}

/* The millisecond of life i, 2 * TIME_WAIT_MS * i / n, as i goes up by one. */
struct pace {
	uint64_t ms;
	uint64_t rest;
};

static inline void
pace_step(struct pace *p, uint32_t n)
{
	p->rest += 2 * TIME_WAIT_MS;
	while (p->rest >= n) {
		p->rest -= n;
		p->ms++;
	}
}

static inline void
life_prefetch(const struct world *w, uint64_t i, const void *array, size_t stride)
{
	const char *block = (const char *)array + life_at(w, i + AHEAD, 0) * stride;

	__builtin_prefetch(block, 1);
	__builtin_prefetch(block + stride - 1, 1);
}

static uint64_t
ours_advance(struct world *w, uint64_t now)
{
	uint64_t expired = 0;
	uint32_t due[PASS];

	do {
		uint32_t count = wheel_advance(w->wheel, now, due, PASS);

		for (uint32_t k = 0; k < count; k++)
			w->seen[due[k]]++;
		expired += count;
	} while (wheel_deadline(w->wheel) <= now);
	return expired;
}

/* n / 2 lives in each 60 s, so that a block's last life is over when its next one
 * begins. First those that fill the wheel, then n that count. */
static uint64_t
ours_lives(struct world *w)
{
	uint64_t now = w->wheel->now;
	struct pace pace = {.ms = now};
	uint64_t cycles = 0;

	for (uint64_t i = 0; i < 2 * (uint64_t)w->n; i++, pace_step(&pace, w->n)) {
		uint32_t syn = life_at(w, i, 0), rto = life_at(w, i, 1), last = life_at(w, i, 2);

		if (i == w->n) {
			w->population[0] = w->wheel->armed;
			cycles = rte_rdtsc();
		}
		life_prefetch(w, i, w->blocks, WHEEL_STRIDE);
		if (now != pace.ms)
			ours_advance(w, now = pace.ms);
		wheel_arm(w->wheel, syn, now + SYN_MS, 0);
		if (rto != 0)
			wheel_arm(w->wheel, rto, now + RTO_MS, 0);
		if (last != 0)
			wheel_arm(w->wheel, last, now + TIME_WAIT_MS, SLACK_MS);
	}
	cycles = rte_rdtsc() - cycles;
	ours_advance(w, now + TIME_WAIT_MS + SLACK_MS);
	BENCH_VERIFY(w->wheel->armed == 0);
	verify_seen(w, false);
	return cycles;
}

/* Cycles until the timer has expired. */
static uint64_t
wait_for(struct rte_timer *timer)
{
	uint64_t start = rte_rdtsc();

	while (rte_timer_pending(timer))
		rte_timer_manage();
	return rte_rdtsc() - start;
}

static uint64_t
their_lives(struct world *w)
{
	uint64_t ms = w->life_cycles / TIME_WAIT_MS;
	uint64_t begin = rte_rdtsc();
	uint64_t middle = begin, waited = 0, next = 0, end;
	struct pace pace = {.ms = 0};

	w->expired = 0;

	for (uint64_t i = 0; i < 2 * (uint64_t)w->n; i++, pace_step(&pace, w->n)) {
		uint32_t syn = life_at(w, i, 0), rto = life_at(w, i, 1), last = life_at(w, i, 2);

		if (i == w->n) {
			w->population[1] = i - w->expired;
			middle = rte_rdtsc();
		}
		life_prefetch(w, i, w->timers, sizeof(*w->timers));
		/* As often as the wheel is: once per millisecond or life. */
		if (next != pace.ms) {
			next = pace.ms;
			rte_timer_manage();
		}
		/* Faster than the clock was scaled for: the block's last life goes on. */
		if (is_unlikely(rte_timer_pending(&w->timers[syn])))
			waited += wait_for(&w->timers[syn]);
		their_arm(w, syn, SYN_MS * ms);
		if (rto != 0)
			their_arm(w, rto, RTO_MS * ms);
		if (last != 0)
			their_arm(w, last, TIME_WAIT_MS * ms);
	}
	end = rte_rdtsc();
	while (rte_rdtsc() - end <= w->life_cycles)
		rte_pause();
	rte_timer_manage();
	verify_seen(w, true);
	w->life_cycles = (middle - begin) / 2;
	return end - middle - waited;
}

enum question { ARM, CANCEL, LIFE, QUESTIONS };

static void
run_ours(struct world *w, uint64_t *cycles)
{
	memset(cycles, 0, QUESTIONS * sizeof(*cycles));
	for (uint32_t round = 0; round < w->rounds; round++)
		ours_arm_cancel(w, &cycles[ARM], &cycles[CANCEL]);
	cycles[LIFE] = ours_lives(w);
}

static void
run_theirs(struct world *w, uint64_t *cycles)
{
	memset(cycles, 0, QUESTIONS * sizeof(*cycles));
	for (uint32_t round = 0; round < w->rounds; round++)
		their_arm_cancel(w, &cycles[ARM], &cycles[CANCEL]);
	cycles[LIFE] = their_lives(w);
}

static void
bench_size(uint32_t n, bool is_quick)
{
	static const char *const names[QUESTIONS] = {"arm", "cancel", "life"};
	static const char *const our_names[QUESTIONS] = {"wheel.arm", "wheel.cancel", "wheel.life"};
	static const char *const their_names[QUESTIONS] = {
			"rte_timer.arm", "rte_timer.cancel", "rte_timer.life"};
	struct bench_case ours[QUESTIONS], theirs[QUESTIONS];
	uint64_t cycles[2][QUESTIONS];
	char extra[64];
	struct world w;

	world_create(&w, n, is_quick);
	for (int q = 0; q < QUESTIONS; q++) {
		ours[q] = (struct bench_case){.name = our_names[q], .size = n};
		theirs[q] = (struct bench_case){.name = their_names[q], .size = n};
	}
	/* Run 0 warms up. */
	for (int run = 0; run <= BENCH_RUNS; run++) {
		run_ours(&w, cycles[0]);
		run_theirs(&w, cycles[1]);
		for (int q = 0; q < QUESTIONS && run > 0; q++) {
			uint64_t ops = q == LIFE ? n : (uint64_t)n * w.rounds;

			bench_add(&ours[q], cycles[0][q], ops);
			bench_add(&theirs[q], cycles[1][q], ops);
		}
	}
	for (int q = 0; q < QUESTIONS; q++) {
		snprintf(extra, sizeof(extra), "timers=%llu seed=%d",
				(unsigned long long)(q == LIFE ? w.population[0] : n), SEED);
		bench_report(&ours[q], extra);
		snprintf(extra, sizeof(extra), "timers=%llu seed=%d",
				(unsigned long long)(q == LIFE ? w.population[1] : n), SEED);
		bench_report(&theirs[q], extra);
	}
	for (int q = 0; q < QUESTIONS; q++)
		bench_report_ratio(names[q], &ours[q], &theirs[q]);
	world_free(&w);
}

int
main(int argc, char **argv)
{
	static const uint32_t sizes[] = {1000, 10000, 100000, 1000000};
	bool is_quick = bench_is_quick(argc, argv);

	bench_start(argv[0], is_quick ? 128 : 512);
	BENCH_VERIFY(rte_timer_subsystem_init() == 0);
	for (uint32_t i = 0; i < (is_quick ? 2 : PMTCP_ARRAY_SIZE(sizes)); i++)
		if (bench_is_asked(argc, argv, sizes[i]))
			bench_size(sizes[i], is_quick);
	return 0;
}
