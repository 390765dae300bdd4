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
	int time_waits[SIM_SIDES]; /* entered by each side; -1: either */
	bool is_abort;
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

/* CLOSE-32, CLOSE-33: one side aborts; the other learns of it by the RST, or, if that was
 * lost, by the answer to its own FIN. */
static void
expect_aborted(const struct sim_flow *f)
{
	for (int side = 0; side < SIM_SIDES; side++) {
		const struct sim_half *h = &f->half[side];

		if (h->life == SIM_UNBORN)
			continue; /* its RST overtook the third ACK, which was lost */
		if (h->plan.end == SIM_END_ABORT)
			assert_int_equal(h->reason, PMTCP_LOCAL_ABORT);
		else
			assert_true(h->reason == PMTCP_PEER_RESET || h->reason == PMTCP_DATA_LOST);
	}
}

static void
run_way(struct sim *s)
{
	uint64_t subset = s->seed % SUBSETS;
	struct sim_flow *f;

	for (int side = 0; side < SIM_SIDES; side++)
		s->wire[side].both_mask = subset;
	f = sim_open(s, SIM_A, way->plan, NULL);
	sim_run_flows(s, 1200 * SIM_SEC);
	if (subset == ALL_LOST) {
		expect_unopened(s, f);
		return;
	}
	if (way->is_abort) {
		expect_aborted(f);
		return;
	}
	sim_expect_graceful(s, f);
	for (int side = 0; side < SIM_SIDES; side++)
		if (way->time_waits[side] >= 0)
			assert_int_equal(sim_stats(s, side).counter[PMTCP_C_tw_entered],
					way->time_waits[side]);
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

WAY(masks_active_close, {{{0}, {.end = SIM_END_WAIT}}, {1, 0}, false})
WAY(masks_active_close_with_text,
		{{{.octets = 100}, {.octets = 100, .end = SIM_END_WAIT}}, {1, 0}, false})
WAY(masks_passive_close, {{{.octets = 1, .end = SIM_END_WAIT}, {.octets = 10}}, {0, 1}, false})
WAY(masks_three_segment_close, {{{.end = SIM_END_CLOSE}, {.end = SIM_END_WAIT}}, {1, 0}, false})
WAY(masks_simultaneous_close, {{{.pause_ns = SIM_SEC}, {.pause_ns = SIM_SEC}}, {-1, -1}, false})
/* The opener is half a round trip ahead: the FINs cross. */
WAY(masks_crossing_close,
		{{{.pause_ns = SIM_SEC}, {.pause_ns = SIM_SEC - 5 * SIM_MS}}, {-1, -1}, false})
/* The FIN may be lost so often that the other side's, 2 s later, crosses it. */
WAY(masks_half_close, {{{.octets = 10}, {.octets = 3000, .pause_ns = 2 * SIM_SEC}}, {1, -1}, false})
WAY(masks_request_and_response,
		{{{.octets = 64, .end = SIM_END_WAIT}, {.octets = 64}}, {0, 1}, false})
WAY(masks_full_close,
		{{{.octets = 10, .end = SIM_END_CLOSE}, {.end = SIM_END_WAIT}}, {1, 0}, false})
WAY(masks_opener_aborts, {{{.end = SIM_END_ABORT}, {.end = SIM_END_CLOSE, .pause_ns = 2 * SIM_SEC}},
					 {0, 0}, true})
WAY(masks_listener_aborts,
		{{{.end = SIM_END_CLOSE, .pause_ns = 2 * SIM_SEC}, {.end = SIM_END_ABORT}}, {0, 0},
				true})

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
			sim_test(masks_half_close),
			sim_test(masks_request_and_response),
			sim_test(masks_full_close),
			sim_test(masks_opener_aborts),
			sim_test(masks_listener_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
