/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: CUBIC opens and closes the window as RFC 9438 says, whatever the sizes.
 * Method: a model of its sections 4.2 to 4.8 in segments, seconds and floating point
 * receives the same ACKs; the curve between two losses is compared with the closed
 * form; single events by hand; random events against the invariants. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rng.h"
#include "cubic_path.h"

/* ---- rows --------------------------------------------------------------- */

/* RFC 9438 4.2: W_cubic(t) = C * (t - K)^3 + W_max, K = cbrt((W_max - cwnd) / C), from
 * 0.7 of the old maximum through its plateau and half as far again beyond. */
static void
check_curve(double w_max, uint32_t rtt_us)
{
	double k = cbrt(0.3 * w_max / 0.4);
	struct path p;
	uint64_t start;

	path_start(&p, (uint32_t)w_max, rtt_us);
	p.ack = MSS * (1 + (uint32_t)w_max / 100);
	path_lose(&p);
	path_ack(&p, true); /* the curve begins */
	start = p.now_ns;
	for (double t = 0; t < 1.5 * k; t = (double)(p.now_ns - start) / 1e9) {
		double curve = 0.4 * pow(t - k, 3) + w_max;

		/* Below it only where Reno would be faster. */
		if (p.m.w_est < curve)
			assert_near(segments(&p), curve, 0.02);
		path_ack(&p, true);
	}
}

static void
data_41_cubic_window_is_within_2_percent_of_the_closed_form(void **state)
{
	static const uint32_t windows[] = {200, 1000, 5000, 50000};
	static const uint32_t rtts[] = {20000, 100000, 400000};

	(void)state;
	for (size_t w = 0; w < PMTCP_ARRAY_SIZE(windows); w++) {
		for (size_t r = 0; r < PMTCP_ARRAY_SIZE(rtts); r++)
			check_curve(windows[w], rtts[r]);
	}
}

/* 4.3: alpha is 3 * 0.3 / 1.7 segments per round trip up to the window before the loss,
 * one segment from there on. K is 2.1 s here, and the round trip 1 ms. */
static void
data_41_cubic_is_as_fast_as_reno_where_that_is_faster(void **state)
{
	struct path p;
	double before;

	(void)state;
	path_start(&p, 12, 1000);
	path_lose(&p);
	assert_near(segments(&p), 8.4, 0.001);
	before = segments(&p);
	for (int i = 0; i < 6; i++)
		path_run(&p, 0.001, true);
	assert_near(segments(&p) - before, 6 * 0.9 / 1.7, 0.06);
	while (segments(&p) < 12.1)
		path_ack(&p, true);
	before = segments(&p);
	path_run(&p, 0.020, true);
	assert_near(segments(&p) - before, 20, 0.03);
}

static void
data_41_cubic_multiplies_by_0_7_and_keeps_two_segments(void **state)
{
	struct path p;
	struct cc_event e;

	(void)state;
	path_start(&p, 1000, 20000);
	e = event(&p, 0);
	e.flight = 800 * MSS; /* what was in flight counts */
	cc_cubic.loss(&p.cc, &e);
	assert_int_equal(p.cc.ssthresh, 560 * MSS);
	assert_int_equal(p.cc.cwnd, 563 * MSS); /* RFC 6582: three have left */
	assert_int_equal(p.cc.recover, e.nxt);
	path_start(&p, 2, 20000);
	path_lose(&p);
	assert_int_equal(p.cc.ssthresh, 2 * MSS);
	assert_int_equal(p.cc.cwnd, 2 * MSS);
}

/* 4.7: the second loss comes below the first one's window, which was 1000 segments. */
static void
data_41_cubic_fast_convergence_lowers_the_plateau(void **state)
{
	struct path p;
	double at_loss;

	(void)state;
	path_start(&p, 1000, 20000);
	path_lose(&p);
	assert_int_equal(p.cc.cubic.w_max, 1000 * MSS);
	path_run(&p, 3, true);
	at_loss = segments(&p);
	assert_true(at_loss > 850 && at_loss < 1000);
	path_lose(&p);
	assert_near(p.cc.cubic.w_max, at_loss * 0.85 * MSS, 0.0001);
	/* Once past the plateau the next loss puts it where the window was. */
	path_run(&p, 12, true);
	at_loss = segments(&p);
	path_lose(&p);
	assert_near(p.cc.cubic.w_max, at_loss * MSS, 0.0001);
}

static void
data_41_cubic_ack_in_ten_pieces_grows_the_same(void **state)
{
	static const uint32_t windows[] = {10, 100, 1000};
	struct path whole, split;

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(windows); i++) {
		path_start(&whole, windows[i], 20000);
		path_lose(&whole);
		split = whole;
		whole.ack = 1450;
		split.ack = 145;
		for (double s = 0; s < 5; s += 0.5) {
			path_run(&whole, 0.5, true);
			path_run(&split, 0.5, true);
			assert_near(segments(&split), segments(&whole), 0.01);
		}
	}
}

/* SEC-12: a window's octets, acknowledged one by one at the same moment, in both
 * phases. */
static void
sec_12_cubic_divided_ack_gains_nothing(void **state)
{
	(void)state;
	for (int phase = 0; phase < 2; phase++) {
		struct path whole, split;
		struct cc_event e;

		path_start(&whole, 10, 20000);
		if (phase)
			path_lose(&whole);
		split = whole;
		for (int i = 0; i < 100; i++) {
			whole.now_ns += 2000000;
			e = event(&whole, MSS);
			cc_cubic.acked(&whole.cc, &e);
			for (int j = 0; j < MSS; j++) {
				e = event(&split, 1);
				e.now_us = (uint32_t)(whole.now_ns / 1000);
				cc_cubic.acked(&split.cc, &e);
			}
		}
		assert_near(split.cc.cwnd, whole.cc.cwnd, 0.005);
		assert_true(whole.cc.cwnd > 10 * MSS);
	}
}

static void
data_41_cubic_slow_start_counts_octets_with_limit_two(void **state)
{
	struct path p;
	struct cc_event e;

	(void)state;
	path_start(&p, 10, 20000);
	e = event(&p, 300);
	cc_cubic.acked(&p.cc, &e);
	assert_int_equal(p.cc.cwnd, 10 * MSS + 300);
	e = event(&p, 8 * MSS);
	cc_cubic.acked(&p.cc, &e);
	assert_int_equal(p.cc.cwnd, 12 * MSS + 300);
	e.is_rto = true;
	cc_cubic.acked(&p.cc, &e);
	assert_int_equal(p.cc.cwnd, 13 * MSS + 300);
	e.is_limited = false;
	cc_cubic.acked(&p.cc, &e);
	assert_int_equal(p.cc.cwnd, 13 * MSS + 300);
}

/* 5.8: a minute in which the application has little to send moves the curve by a
 * minute. */
static void
data_41_cubic_time_stands_still_while_the_window_is_not_used(void **state)
{
	struct path p, twin;
	uint32_t before;

	(void)state;
	path_start(&p, 1000, 20000);
	path_lose(&p);
	path_run(&p, 4, true);
	twin = p;
	before = p.cc.cwnd;
	path_run(&p, 60, false);
	assert_int_equal(p.cc.cwnd, before);
	path_run(&p, 5, true);
	path_run(&twin, 5, true);
	assert_near(p.cc.cwnd, twin.cc.cwnd, 0.002);
	assert_true(p.cc.cwnd > before);
}

/* 4.8: from the threshold on W_max is the window there, and K is 0. */
static void
data_41_cubic_after_a_timeout_has_its_plateau_at_the_threshold(void **state)
{
	struct path p;
	struct cc_event e;

	(void)state;
	path_start(&p, 1000, 20000);
	e = event(&p, 0);
	cc_cubic.timeout(&p.cc, &e);
	assert_int_equal(p.cc.cwnd, MSS);
	assert_int_equal(p.cc.ssthresh, 700 * MSS);
	e.flight = 100 * MSS;
	e.is_rto = true; /* DATA-33: the same segment again */
	cc_cubic.timeout(&p.cc, &e);
	assert_int_equal(p.cc.ssthresh, 700 * MSS);
	while (p.cc.cwnd < p.cc.ssthresh)
		path_ack(&p, true);
	path_run(&p, 2, true);
	/* 0.4 * 2^3 = 3.2 segments by the curve; Reno has 100 round trips of 0.53. */
	assert_near(segments(&p), 700 + 100 * 0.9 / 1.7, 0.01);
	path_run(&p, 8, true);
	assert_near(segments(&p), 700 + 0.4 * 1000, 0.02);
}

static void
data_43_cubic_idle_restarts_from_the_initial_window(void **state)
{
	struct path p;
	struct cc_event e;

	(void)state;
	path_start(&p, 1000, 20000);
	path_lose(&p);
	path_run(&p, 15, true);
	assert_true(p.cc.cwnd > 1000 * MSS);
	e = event(&p, 0);
	e.flight = 0;
	cc_cubic.idle(&p.cc, &e);
	assert_int_equal(p.cc.cwnd, 10 * MSS);
	assert_int_equal(p.cc.ssthresh, 700 * MSS);
	p.now_ns += 3600 * 1000000000ull;
	p.cc.cwnd = 3 * MSS;
	cc_cubic.idle(&p.cc, &e);
	assert_int_equal(p.cc.cwnd, 3 * MSS);
	/* The threshold is reached in slow start; from there a curve, and no leap. */
	while (p.cc.cwnd < p.cc.ssthresh)
		path_ack(&p, true);
	path_run(&p, 0.1, true);
	assert_true(p.cc.cwnd < 800 * MSS);
}

/* An hour of silence shorter than a window is none for the curve. */
static void
data_43_cubic_idle_does_not_run_the_clock(void **state)
{
	struct path p;
	struct cc_event e;
	uint32_t before;

	(void)state;
	path_start(&p, 10, 20000);
	path_lose(&p);
	path_run(&p, 0.1, true);
	before = p.cc.cwnd;
	p.now_ns += 50 * 1000000000ull;
	e = event(&p, 0);
	cc_cubic.idle(&p.cc, &e);
	path_ack(&p, true);
	assert_true(p.cc.cwnd - before < MSS);
}

/* 4.9: nothing was lost after all. The twin never heard of it. */
static void
data_42_cubic_undo_restores_window_and_curve(void **state)
{
	static const uint32_t windows[] = {12, 1000};

	(void)state;
	for (int is_timeout = 0; is_timeout < 2; is_timeout++) {
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(windows); i++) {
			struct path p, twin;
			struct cc_event e;

			path_start(&p, windows[i], 20000);
			path_lose(&p);
			path_run(&p, 3, true);
			twin = p;
			e = event(&p, 0);
			if (is_timeout)
				cc_cubic.timeout(&p.cc, &e);
			else
				cc_cubic.loss(&p.cc, &e);
			assert_true(p.cc.ssthresh < twin.cc.cwnd);
			cc_cubic.undo(&p.cc, &e);
			assert_int_equal(p.cc.cwnd, twin.cc.cwnd);
			assert_int_equal(p.cc.ssthresh, twin.cc.ssthresh);
			path_run(&p, 5, true);
			path_run(&twin, 5, true);
			assert_near(p.cc.cwnd, twin.cc.cwnd, 0.002);
			/* What was undone is not undone again. */
			e = event(&p, 0);
			p.cc.ssthresh = 5 * MSS;
			cc_cubic.undo(&p.cc, &e);
			assert_int_equal(p.cc.ssthresh, 5 * MSS);
		}
	}
}

static void
data_42_cubic_undo_in_slow_start_goes_on_in_slow_start(void **state)
{
	struct path p;
	struct cc_event e;

	(void)state;
	path_start(&p, 40, 20000);
	e = event(&p, 0);
	cc_cubic.timeout(&p.cc, &e);
	cc_cubic.undo(&p.cc, &e);
	assert_int_equal(p.cc.cwnd, 40 * MSS);
	assert_int_equal(p.cc.ssthresh, CC_CWND_MAX);
	path_ack(&p, true);
	assert_int_equal(p.cc.cwnd, 41 * MSS);
}

static void
data_44_cubic_mark_reduces_and_is_not_undone(void **state)
{
	struct path p;
	struct cc_event e;

	(void)state;
	path_start(&p, 1000, 20000);
	e = event(&p, 0);
	cc_cubic.ecn(&p.cc, &e);
	assert_int_equal(p.cc.ssthresh, 700 * MSS);
	assert_int_equal(p.cc.cwnd, 700 * MSS);
	assert_int_equal(p.cc.recover, ISS); /* losses stay losses */
	assert_int_equal(p.cc.cubic.w_max, 1000 * MSS);
	cc_cubic.undo(&p.cc, &e);
	assert_int_equal(p.cc.cwnd, 700 * MSS);
	/* With less in flight than cwnd it never grows. */
	path_start(&p, 4, 20000);
	e = event(&p, 0);
	e.flight = 40 * MSS;
	cc_cubic.ecn(&p.cc, &e);
	assert_int_equal(p.cc.cwnd, 4 * MSS);
}

/* ---- the model beside it, and chance ------------------------------------ */

static void
path_time_out(struct path *p)
{
	struct cc_event e = event(p, 0);

	cc_cubic.timeout(&p->cc, &e);
	model_timeout(&p->m);
	p->now_ns += 300000000;
}

static void
data_41_cubic_random_traces_match_model(void **state)
{
	static const uint32_t rtts[] = {500, 5000, 20000, 100000, 600000};

	(void)state;
	print_message("seeds 1 to 30\n");
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct rng rng;
		struct path p;

		rng_seed(&rng, seed);
		path_start(&p, 2 + (uint32_t)rng_below(&rng, 300),
				rtts[rng_below(&rng, PMTCP_ARRAY_SIZE(rtts))]);
		p.ack = 300 + (uint32_t)rng_below(&rng, 2 * MSS);
		path_lose(&p);
		for (int i = 0; i < 40; i++) {
			uint64_t fate = rng_below(&rng, 10);
			double rounds = (double)rng_below(&rng, 60);

			if (fate < 3)
				path_lose(&p);
			else if (fate == 3)
				path_time_out(&p);
			path_run(&p, rounds * p.rtt_us / 1e6, fate != 4);
			assert_near(segments(&p), p.m.cwnd, 0.01);
			if (segments(&p) > 1000) /* keep the rounds short */
				path_lose(&p);
		}
	}
}

static void
check_invariants(const struct cc *cc, uint32_t mss)
{
	assert_true(cc->cwnd >= mss && cc->cwnd <= CC_CWND_MAX);
	assert_true(cc->ssthresh >= 2 * mss && cc->ssthresh <= CC_CWND_MAX);
	assert_true(cc->cubic.w_max <= CC_CWND_MAX && cc->cubic.w_est <= CC_CWND_MAX);
}

static void
random_event(struct path *p, struct rng *rng)
{
	struct cc_event e = event(p, 0);
	uint32_t before = p->cc.cwnd;
	uint32_t shift = (uint32_t)rng_below(rng, 31);

	e.flight = (uint32_t)rng_below(rng, (1ull << shift) + 1);
	e.srtt_us = (uint32_t)rng_below(rng, 1ull << rng_below(rng, 33));
	e.now_us += (uint32_t)rng_below(rng, 1ull << rng_below(rng, 33));
	e.bytes = (uint32_t)rng_below(rng, 1ull << rng_below(rng, 32));
	e.is_limited = rng_below(rng, 4) != 0;
	e.is_rto = rng_below(rng, 4) == 0;
	p->now_ns = e.now_us * 1000ull;
	switch (rng_below(rng, 12)) {
	case 0:
		cc_cubic.loss(&p->cc, &e);
		break;
	case 1:
		cc_cubic.timeout(&p->cc, &e);
		break;
	case 2:
		cc_cubic.undo(&p->cc, &e);
		break;
	case 3:
		cc_cubic.ecn(&p->cc, &e);
		assert_true(p->cc.cwnd <= before);
		break;
	case 4:
		cc_cubic.idle(&p->cc, &e);
		assert_true(p->cc.cwnd <= before);
		break;
	case 5:
		cc_cubic.dup_ack(&p->cc, &e);
		break;
	case 6:
		cc_cubic.partial_ack(&p->cc, &e);
		break;
	case 7:
		cc_cubic.recovered(&p->cc, &e);
		break;
	default:
		cc_cubic.acked(&p->cc, &e);
		assert_true(p->cc.cwnd >= before);
		assert_true(p->cc.cwnd - before <= max_u32(before / 2 + 1, 2 * p->mss));
		break;
	}
}

/* Any order of any events: windows to 1 GiB, segments of 1 to 65535 octets, minutes of
 * round trip, clocks that jump and wrap. */
static void
data_41_cubic_random_events_keep_the_invariants(void **state)
{
	(void)state;
	print_message("seeds 1 to 200\n");
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct rng rng;
		struct path p;
		struct cc_event e;

		rng_seed(&rng, seed);
		path_start(&p, 10, 20000);
		p.mss = 1 + (uint32_t)rng_below(&rng, 1u << rng_below(&rng, 17));
		p.mss = min_u32(p.mss, 65535);
		e = event(&p, 0);
		cc_cubic.init(&p.cc, &e);
		for (int i = 0; i < 2000; i++) {
			if (rng_below(&rng, 100) == 0)
				p.cc.cwnd = max_u32(p.mss, 1u << rng_below(&rng, 31));
			random_event(&p, &rng);
			check_invariants(&p.cc, p.mss);
		}
	}
}

/* 1 GiB with segments of one octet: the largest K there is, 930 s. The window is on its
 * plateau then, to within what a tick is worth. */
static void
data_41_cubic_largest_window_and_smallest_segment_do_not_overflow(void **state)
{
	struct path p;
	struct cc_event e;
	const double k = cbrt(0.3 * CC_CWND_MAX / 0.4);

	(void)state;
	path_start(&p, 10, 1000000);
	p.mss = 1;
	p.cc.cwnd = CC_CWND_MAX;
	path_lose(&p);
	assert_near(p.cc.cwnd, 0.7 * CC_CWND_MAX, 0.0001);
	for (int i = 0; i <= (int)k; i++) {
		p.now_ns += 1000000000;
		e = event(&p, p.cc.cwnd);
		cc_cubic.acked(&p.cc, &e);
		assert_near(p.cc.cwnd, 0.4 * pow(i - k, 3) + CC_CWND_MAX, 0.02);
	}
	for (int i = 0; i < 4000; i++) {
		p.now_ns += 1000000000;
		e = event(&p, p.cc.cwnd);
		cc_cubic.acked(&p.cc, &e);
	}
	assert_int_equal(p.cc.cwnd, CC_CWND_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(
					data_41_cubic_window_is_within_2_percent_of_the_closed_form),
			cmocka_unit_test(data_41_cubic_is_as_fast_as_reno_where_that_is_faster),
			cmocka_unit_test(data_41_cubic_multiplies_by_0_7_and_keeps_two_segments),
			cmocka_unit_test(data_41_cubic_fast_convergence_lowers_the_plateau),
			cmocka_unit_test(data_41_cubic_ack_in_ten_pieces_grows_the_same),
			cmocka_unit_test(sec_12_cubic_divided_ack_gains_nothing),
			cmocka_unit_test(data_41_cubic_slow_start_counts_octets_with_limit_two),
			cmocka_unit_test(
					data_41_cubic_time_stands_still_while_the_window_is_not_used),
			cmocka_unit_test(
					data_41_cubic_after_a_timeout_has_its_plateau_at_the_threshold),
			cmocka_unit_test(data_43_cubic_idle_restarts_from_the_initial_window),
			cmocka_unit_test(data_43_cubic_idle_does_not_run_the_clock),
			cmocka_unit_test(data_42_cubic_undo_restores_window_and_curve),
			cmocka_unit_test(data_42_cubic_undo_in_slow_start_goes_on_in_slow_start),
			cmocka_unit_test(data_44_cubic_mark_reduces_and_is_not_undone),
			cmocka_unit_test(data_41_cubic_random_traces_match_model),
			cmocka_unit_test(data_41_cubic_random_events_keep_the_invariants),
			cmocka_unit_test(
					data_41_cubic_largest_window_and_smallest_segment_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
