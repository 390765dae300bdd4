/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: whichever of the first eight segments of a connection are lost, both ends
 * reach their end, in the right states and with the books balanced. Method: for each
 * way to release a connection, all 256 subsets, one after the other; the seed is the
 * subset. A clean open and close is five to seven segments, so all of it is covered. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

enum { SUBSETS = 256 };

#define ALL_LOST 0xffu /* eight SYNs: the opener gives up */

struct way {
	struct sim_plan plan[SIM_SIDES];
	int time_waits[SIM_SIDES]; /* entered by each side; -1: either, but one of them does */
	enum pmtcp_reason reset;   /* how the first to end tells the application; NONE: FINs */
	bool is_crossing;          /* with nothing lost, both wait */
	bool is_both;              /* both sides open */
};

static const struct way *way;

static void
setup_subset(struct sim_opts *opts, struct rng *rng)
{
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].delay_ns = 10 * SIM_MS;
}

static void
expect_unopened(struct sim *s, const struct sim_flow *f)
{
	assert_int_equal(f->half[SIM_A].reason, PMTCP_TIMEOUT_SYN);
	assert_int_equal(sim_stats(s, SIM_B).counter[PMTCP_C_rx_frames], 0);
}

/* CLOSE-29, CLOSE-32, CLOSE-33: one side resets; the other learns of it by the RST, or, if
 * that was lost, by the answer to its own FIN. */
static void
expect_reset(struct sim *s, const struct sim_flow *f)
{
	for (int side = 0; side < SIM_SIDES; side++) {
		const struct sim_half *h = &f->half[side];
		bool is_first = h->plan.end == SIM_END_ABORT || h->plan.read_max > 0;

		assert_int_equal(sim_stats(s, side).counter[PMTCP_C_tw_entered], 0);
		if (h->life == SIM_UNBORN)
			continue; /* its RST overtook the third ACK, which was lost */
		if (is_first)
			assert_int_equal(h->reason, way->reset);
		else
			assert_true(h->reason == PMTCP_PEER_RESET ||
					(way->reset == PMTCP_LOCAL_ABORT &&
							h->reason == PMTCP_DATA_LOST));
	}
}

static void
expect_time_waits(struct sim *s, uint64_t subset)
{
	uint64_t n = 0;

	for (int side = 0; side < SIM_SIDES; side++) {
		uint64_t entered = sim_stats(s, side).counter[PMTCP_C_tw_entered];

		n += entered;
		if (way->time_waits[side] >= 0)
			assert_int_equal(entered, way->time_waits[side]);
		if (way->is_crossing && subset == 0)
			assert_int_equal(entered, 1);
	}
	assert_in_range(n, 1, 2);
}

static void
run_way(struct sim *s)
{
	uint64_t subset = s->seed % SUBSETS;
	struct sim_flow *f;

	for (int side = 0; side < SIM_SIDES; side++)
		s->wire[side].both_mask = subset;
	f = way->is_both ? sim_open_both(s, way->plan) : sim_open(s, SIM_A, way->plan, NULL);
	sim_run_flows(s, 1200 * SIM_SEC);
	if (subset == ALL_LOST && !way->is_both) {
		expect_unopened(s, f);
		return;
	}
	if (way->reset != PMTCP_REASON_NONE) {
		expect_reset(s, f);
		return;
	}
	sim_expect_graceful(s, f);
	expect_time_waits(s, subset);
}

static void
try_all(const char *name, const struct way *w)
{
	way = w;
	sim_run_case(&(struct sim_case){name, SUBSETS, setup_subset, run_way});
}

#define WAY(name, ...)                                                                             \
	static void name(void **state)                                                             \
	{                                                                                          \
		static const struct way w = __VA_ARGS__;                                           \
                                                                                                   \
		(void)state;                                                                       \
		try_all(#name, &w);                                                                \
	}

WAY(masks_active_close, {.plan = {{0}, {.end = SIM_END_WAIT}}, .time_waits = {1, 0}})
WAY(masks_active_close_with_text, {.plan = {{.octets = 100}, {.octets = 100, .end = SIM_END_WAIT}},
						  .time_waits = {1, 0}})
WAY(masks_passive_close, {.plan = {{.octets = 1, .end = SIM_END_WAIT}, {.octets = 10}},
					 .time_waits = {0, 1}})
WAY(masks_three_segment_close,
		{.plan = {{.end = SIM_END_CLOSE}, {.end = SIM_END_WAIT}}, .time_waits = {1, 0}})
WAY(masks_simultaneous_close,
		{.plan = {{.pause_ns = SIM_SEC}, {.pause_ns = SIM_SEC}}, .time_waits = {-1, -1}})
/* CLOSE-15. The opener is half a round trip ahead: the FINs cross. */
WAY(masks_crossing_close, {.plan = {{.pause_ns = SIM_SEC}, {.pause_ns = SIM_SEC - 5 * SIM_MS}},
					  .time_waits = {-1, -1},
					  .is_crossing = true})
WAY(masks_crossing_close_with_text,
		{.plan = {{.octets = 100, .pause_ns = SIM_SEC},
				 {.octets = 100, .pause_ns = SIM_SEC - 5 * SIM_MS}},
				.time_waits = {-1, -1},
				.is_crossing = true})
/* The FIN may be lost so often that the other side's, 2 s later, crosses it. */
WAY(masks_half_close, {.plan = {{.octets = 10}, {.octets = 3000, .pause_ns = 2 * SIM_SEC}},
				      .time_waits = {1, -1}})
WAY(masks_request_and_response, {.plan = {{.octets = 64, .end = SIM_END_WAIT}, {.octets = 64}},
						.time_waits = {0, 1}})
WAY(masks_full_close, {.plan = {{.octets = 10, .end = SIM_END_CLOSE}, {.end = SIM_END_WAIT}},
				      .time_waits = {1, 0}})
/* After all that was lost has come: a detached connection sees neither its peer's birth nor
 * text (CLOSE-30). */
WAY(masks_detach, {.plan = {{.octets = 10, .end = SIM_END_DETACH, .pause_ns = 30 * SIM_SEC},
				   {.end = SIM_END_WAIT}},
				  .time_waits = {1, 0}})
WAY(masks_listener_detaches,
		{.plan = {{.octets = 1, .end = SIM_END_WAIT},
				 {.octets = 10, .end = SIM_END_DETACH, .pause_ns = 30 * SIM_SEC}},
				.time_waits = {0, 1}})
/* OPEN-18: both SYNs cross, as often as they are repeated. */
WAY(masks_simultaneous_open,
		{.plan = {{.octets = 10, .pause_ns = SIM_SEC}, {.octets = 10, .end = SIM_END_WAIT}},
				.time_waits = {1, 0},
				.is_both = true})
WAY(masks_simultaneous_open_and_close, {.plan = {{.pause_ns = SIM_SEC}, {.pause_ns = SIM_SEC}},
						       .time_waits = {-1, -1},
						       .is_crossing = true,
						       .is_both = true})
WAY(masks_opener_aborts,
		{.plan = {{.end = SIM_END_ABORT}, {.end = SIM_END_CLOSE, .pause_ns = 2 * SIM_SEC}},
				.reset = PMTCP_LOCAL_ABORT})
WAY(masks_listener_aborts,
		{.plan = {{.end = SIM_END_CLOSE, .pause_ns = 2 * SIM_SEC}, {.end = SIM_END_ABORT}},
				.reset = PMTCP_LOCAL_ABORT})
/* CLOSE-29: full close when all has come, however often it was lost, and one octet is read. */
#define LEAVES_TEXT                                                                                \
	{                                                                                          \
		.end = SIM_END_CLOSE, .pause_ns = 60 * SIM_SEC, .read_max = 1,                     \
		.read_ns = 600 * SIM_SEC                                                           \
	}
WAY(masks_opener_leaves_text, {.plan = {LEAVES_TEXT, {.octets = 100, .pause_ns = 120 * SIM_SEC}},
					      .reset = PMTCP_DATA_LOST})
WAY(masks_listener_leaves_text, {.plan = {{.octets = 100, .pause_ns = 120 * SIM_SEC}, LEAVES_TEXT},
						.reset = PMTCP_DATA_LOST})

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(masks_active_close),
			sim_test(masks_active_close_with_text),
			sim_test(masks_passive_close),
			sim_test(masks_three_segment_close),
			sim_test(masks_simultaneous_close),
			sim_test(masks_crossing_close),
			sim_test(masks_crossing_close_with_text),
			sim_test(masks_half_close),
			sim_test(masks_request_and_response),
			sim_test(masks_full_close),
			sim_test(masks_detach),
			sim_test(masks_listener_detaches),
			sim_test(masks_simultaneous_open),
			sim_test(masks_simultaneous_open_and_close),
			sim_test(masks_opener_aborts),
			sim_test(masks_listener_aborts),
			sim_test(masks_opener_leaves_text),
			sim_test(masks_listener_leaves_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
