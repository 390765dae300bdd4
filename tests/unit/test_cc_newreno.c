/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: NewReno opens and closes the window as RFC 5681, 3465, 6582 and 6928 say.
 * Method: a transfer over a path that holds one window per round trip, compared with
 * a model kept in whole segments and floating point; single events by hand. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/rng.h"
#include "recovery/cc.h"

enum { MSS = 1000, ISS = 77 };

static struct cc_event
event(uint32_t bytes, uint32_t flight)
{
	return (struct cc_event){
			.mss = MSS,
			.bytes = bytes,
			.flight = flight,
			.nxt = ISS + 1 + flight,
			.is_limited = true,
	};
}

static void
start(struct cc *cc)
{
	struct cc_event e = {.mss = MSS, .nxt = ISS};

	cc_ops_get(CC_NEWRENO)->init(cc, &e);
}

static void
acked(struct cc *cc, uint32_t bytes, uint32_t flight)
{
	struct cc_event e = event(bytes, flight);

	cc_newreno.acked(cc, &e);
}

static void
lose(struct cc *cc, uint32_t flight)
{
	struct cc_event e = event(0, flight);

	cc_newreno.loss(cc, &e);
}

static void
data_43_initial_window_follows_rfc_6928(void **state)
{
	struct cc cc;

	(void)state;
	assert_int_equal(cc_initial_window(1460, 0), 14600);
	assert_int_equal(cc_initial_window(536, 0), 5360);
	assert_int_equal(cc_initial_window(1448, 0), 14480);
	assert_int_equal(cc_initial_window(4000, 0), 14600);
	assert_int_equal(cc_initial_window(8960, 0), 17920);
	assert_int_equal(cc_initial_window(1, 0), 10);
	assert_int_equal(cc_initial_window(1460, 10), 14600);
	assert_int_equal(cc_initial_window(1460, 4), 5840);
	assert_int_equal(cc_initial_window(8960, 4), 17920); /* at least two */
	assert_int_equal(cc_initial_window(1095, CC_IW_RFC5681), 4380);
	assert_int_equal(cc_initial_window(1460, CC_IW_RFC5681), 4380);
	assert_int_equal(cc_initial_window(2190, CC_IW_RFC5681), 6570);
	assert_int_equal(cc_initial_window(8960, CC_IW_RFC5681), 17920);
	start(&cc);
	assert_int_equal(cc.cwnd, 10 * MSS);
	assert_int_equal(cc.ssthresh, CC_CWND_MAX);
	assert_int_equal(cc.recover, ISS);
}

static void
data_41_slow_start_counts_octets_with_limit_two(void **state)
{
	struct cc cc;

	(void)state;
	start(&cc);
	acked(&cc, 300, 5000);
	assert_int_equal(cc.cwnd, 10300);
	acked(&cc, MSS, 5000);
	assert_int_equal(cc.cwnd, 11300);
	acked(&cc, 8 * MSS, 5000); /* a stretch ACK opens by two segments at most */
	assert_int_equal(cc.cwnd, 13300);
}

static void
data_41_slow_start_after_timeout_has_limit_one(void **state)
{
	struct cc cc;
	struct cc_event e = event(0, 8 * MSS);

	(void)state;
	start(&cc);
	cc_newreno.timeout(&cc, &e);
	assert_int_equal(cc.cwnd, MSS);
	assert_int_equal(cc.ssthresh, 4 * MSS);
	e = event(5 * MSS, 3 * MSS);
	e.is_rto = true;
	cc_newreno.acked(&cc, &e);
	assert_int_equal(cc.cwnd, 2 * MSS);
	cc_newreno.recovered(&cc, &e);
	assert_int_equal(cc.cwnd, 2 * MSS);
}

static void
data_41_window_not_full_does_not_grow(void **state)
{
	struct cc cc;
	struct cc_event e = event(MSS, MSS);

	(void)state;
	start(&cc);
	e.is_limited = false;
	cc_newreno.acked(&cc, &e);
	assert_int_equal(cc.cwnd, 10 * MSS);
	cc.ssthresh = 5 * MSS;
	cc_newreno.acked(&cc, &e);
	assert_int_equal(cc.cwnd, 10 * MSS);
	assert_int_equal(cc.acked, 0);
}

/* SEC-12: 1000 ACKs of one octet are one ACK of 1000, in both phases. */
static void
sec_12_divided_ack_gains_nothing(void **state)
{
	struct cc whole, split;
	uint32_t phase, i;

	(void)state;
	for (phase = 0; phase < 2; phase++) {
		start(&whole);
		start(&split);
		whole.ssthresh = split.ssthresh = phase ? 5 * MSS : CC_CWND_MAX;
		for (i = 0; i < 40; i++)
			acked(&whole, MSS, 10 * MSS);
		for (i = 0; i < 40 * MSS; i++)
			acked(&split, 1, 10 * MSS);
		assert_int_equal(whole.cwnd, split.cwnd);
		assert_true(whole.cwnd > 10 * MSS);
	}
}

static void
sec_12_forged_duplicates_are_bounded(void **state)
{
	struct cc cc;
	struct cc_event e = event(0, 20 * MSS);
	uint32_t i;

	(void)state;
	start(&cc);
	lose(&cc, 20 * MSS);
	for (i = 0; i < 10000; i++)
		cc_newreno.dup_ack(&cc, &e);
	assert_int_equal(cc.cwnd, 33 * MSS);
}

static void
data_41_avoidance_adds_one_segment_per_window(void **state)
{
	struct cc cc;
	uint32_t i;

	(void)state;
	start(&cc);
	cc.ssthresh = 10 * MSS;
	for (i = 0; i < 9; i++)
		acked(&cc, MSS, 10 * MSS);
	assert_int_equal(cc.cwnd, 10 * MSS);
	acked(&cc, MSS, 10 * MSS);
	assert_int_equal(cc.cwnd, 11 * MSS);
	for (i = 0; i < 10; i++)
		acked(&cc, MSS, 11 * MSS);
	assert_int_equal(cc.cwnd, 11 * MSS);
	acked(&cc, MSS, 11 * MSS);
	assert_int_equal(cc.cwnd, 12 * MSS);
}

/* RFC 6582: enter at 16 segments, 12 more duplicates, a partial and a full ACK. */
static void
data_35_recovery_inflates_deflates_and_exits(void **state)
{
	struct cc cc;
	struct cc_event e;
	uint32_t i;

	(void)state;
	start(&cc);
	cc.cwnd = 16 * MSS;
	assert_true(cc_may_enter(&cc, ISS + 1));
	lose(&cc, 16 * MSS);
	assert_int_equal(cc.ssthresh, 8 * MSS);
	assert_int_equal(cc.cwnd, 11 * MSS);
	assert_int_equal(cc.recover, ISS + 1 + 16 * MSS);
	assert_false(cc_may_enter(&cc, ISS + 1));
	e = event(0, 16 * MSS);
	for (i = 0; i < 12; i++)
		cc_newreno.dup_ack(&cc, &e);
	assert_int_equal(cc.cwnd, 23 * MSS);
	assert_false(cc_is_full_ack(&cc, cc.recover - 1));
	e = event(5 * MSS, 11 * MSS);
	cc_newreno.partial_ack(&cc, &e);
	assert_int_equal(cc.cwnd, 19 * MSS);
	e = event(400, 11 * MSS); /* less than a segment: nothing is added back */
	cc_newreno.partial_ack(&cc, &e);
	assert_int_equal(cc.cwnd, 18600);
	assert_true(cc_is_full_ack(&cc, cc.recover));
	e = event(11 * MSS, 7 * MSS);
	cc_newreno.recovered(&cc, &e);
	assert_int_equal(cc.cwnd, 8 * MSS);
}

static void
data_35_exit_with_little_in_flight_avoids_a_burst(void **state)
{
	struct cc cc;
	struct cc_event e = event(40 * MSS, 0);

	(void)state;
	start(&cc);
	lose(&cc, 40 * MSS);
	cc_newreno.recovered(&cc, &e);
	assert_int_equal(cc.cwnd, 2 * MSS);
	assert_int_equal(cc.ssthresh, 20 * MSS);
}

static void
data_35_partial_ack_never_closes_the_window(void **state)
{
	struct cc cc;
	struct cc_event e = event(900, 4 * MSS);
	uint32_t i;

	(void)state;
	start(&cc);
	lose(&cc, 4 * MSS);
	for (i = 0; i < 100; i++)
		cc_newreno.partial_ack(&cc, &e);
	assert_int_equal(cc.cwnd, MSS);
}

static void
data_33_timeout_halves_once_per_loss(void **state)
{
	struct cc cc;
	struct cc_event e = event(0, 10 * MSS);

	(void)state;
	start(&cc);
	cc_newreno.timeout(&cc, &e);
	assert_int_equal(cc.cwnd, MSS);
	assert_int_equal(cc.ssthresh, 5 * MSS);
	assert_int_equal(cc.recover, ISS + 1 + 10 * MSS);
	e.is_rto = true;
	e.flight = MSS;
	cc_newreno.timeout(&cc, &e);
	assert_int_equal(cc.cwnd, MSS);
	assert_int_equal(cc.ssthresh, 5 * MSS);
	e.is_rto = false;
	cc_newreno.timeout(&cc, &e);
	assert_int_equal(cc.ssthresh, 2 * MSS);
}

static void
data_43_idle_restarts_from_the_initial_window(void **state)
{
	struct cc cc;
	struct cc_event e = event(0, 0);

	(void)state;
	start(&cc);
	cc.cwnd = 100 * MSS;
	cc.ssthresh = 50 * MSS;
	cc_newreno.idle(&cc, &e);
	assert_int_equal(cc.cwnd, 10 * MSS);
	assert_int_equal(cc.ssthresh, 50 * MSS);
	cc.cwnd = 3 * MSS;
	cc_newreno.idle(&cc, &e);
	assert_int_equal(cc.cwnd, 3 * MSS);
}

/* Five gigabytes without loss: the recovery point must not come up again from ahead. */
static void
data_35_recovery_point_follows_a_long_transfer(void **state)
{
	const uint32_t step = 1u << 20;
	struct cc cc;
	uint32_t una = ISS + 1;
	uint32_t i;

	(void)state;
	start(&cc);
	for (i = 0; i < 5 * 1024; i++) {
		struct cc_event e = event(step, 10 * MSS);

		una += step;
		e.nxt = una + e.flight;
		cc_newreno.acked(&cc, &e);
		assert_true(cc_may_enter(&cc, una));
	}
}

static void
data_42_undo_restores_what_loss_or_timeout_took(void **state)
{
	(void)state;
	for (int is_timeout = 0; is_timeout < 2; is_timeout++) {
		struct cc cc;
		struct cc_event e = event(0, 40 * MSS);

		start(&cc);
		cc.cwnd = 40 * MSS;
		cc_newreno.undo(&cc, &e); /* nothing to undo */
		assert_int_equal(cc.cwnd, 40 * MSS);
		if (is_timeout)
			cc_newreno.timeout(&cc, &e);
		else
			cc_newreno.loss(&cc, &e);
		assert_int_equal(cc.ssthresh, 20 * MSS);
		cc_newreno.undo(&cc, &e);
		assert_int_equal(cc.cwnd, 40 * MSS);
		assert_int_equal(cc.ssthresh, CC_CWND_MAX);
		cc.cwnd = 7 * MSS;
		cc_newreno.undo(&cc, &e); /* once */
		assert_int_equal(cc.cwnd, 7 * MSS);
	}
}

/* RFC 4015 section 3: not what one ACK acknowledged beyond IW, which would leave as a burst;
 * but the threshold is where the flight was, though it lay lower before. */
static void
data_42_undo_makes_no_burst(void **state)
{
	struct cc_event e = event(0, 40 * MSS);
	struct cc cc;

	(void)state;
	start(&cc);
	cc.cwnd = 40 * MSS;
	cc.ssthresh = 16 * MSS;
	cc_newreno.timeout(&cc, &e);
	e = event(25 * MSS, 15 * MSS);
	cc_newreno.undo(&cc, &e);
	assert_int_equal(cc.cwnd, 15 * MSS + 10 * MSS);
	assert_int_equal(cc.ssthresh, 40 * MSS);
	/* A threshold above the flight comes back as it was. */
	cc.ssthresh = 64 * MSS;
	e = event(0, 20 * MSS);
	cc_newreno.loss(&cc, &e);
	e = event(3 * MSS, 17 * MSS);
	cc_newreno.undo(&cc, &e);
	assert_int_equal(cc.cwnd, 20 * MSS);
	assert_int_equal(cc.ssthresh, 64 * MSS);
}

static void
data_44_mark_halves_and_is_not_undone(void **state)
{
	struct cc cc;
	struct cc_event e = event(0, 40 * MSS);

	(void)state;
	start(&cc);
	cc.cwnd = 40 * MSS;
	cc_newreno.ecn(&cc, &e);
	assert_int_equal(cc.cwnd, 20 * MSS);
	assert_int_equal(cc.ssthresh, 20 * MSS);
	assert_int_equal(cc.recover, ISS); /* losses stay losses */
	cc_newreno.undo(&cc, &e);
	assert_int_equal(cc.cwnd, 20 * MSS);
}

static void
cwnd_growing_for_ever_saturates(void **state)
{
	struct cc cc;
	uint32_t i;

	(void)state;
	start(&cc);
	cc.cwnd = CC_CWND_MAX - MSS;
	for (i = 0; i < 10; i++)
		acked(&cc, 2 * MSS, MSS);
	assert_int_equal(cc.cwnd, CC_CWND_MAX);
	acked(&cc, CC_CWND_MAX, MSS);
	assert_int_equal(cc.cwnd, CC_CWND_MAX);
}

/* The model counts in segments and knows phases by name; one call per round trip. */
struct model {
	double cwnd;
	double ssthresh;
	double credit;
};

static void
model_ack(struct model *m, double segments)
{
	if (m->cwnd < m->ssthresh) {
		m->cwnd += segments > 2 ? 2 : segments;
		return;
	}
	m->credit += segments;
	if (m->credit >= m->cwnd) {
		m->credit -= m->cwnd;
		m->cwnd += 1;
	}
}

static void
model_recovery(struct model *m, struct cc *cc, uint32_t window, uint32_t dups)
{
	double inflated;
	struct cc_event e = event(0, window * MSS);
	uint32_t half = window * MSS / 2 / MSS;
	uint32_t i;

	lose(cc, window * MSS);
	m->ssthresh = window / 2.0 < 2 ? 2 : window / 2.0;
	inflated = m->ssthresh + 3;
	assert_int_equal(cc->cwnd, (uint32_t)(inflated * MSS));
	for (i = 0; i < dups; i++) {
		cc_newreno.dup_ack(cc, &e);
		inflated += 1;
		assert_int_equal(cc->cwnd, (uint32_t)(inflated * MSS));
	}
	e = event(half * MSS, (window - half) * MSS);
	cc_newreno.partial_ack(cc, &e);
	inflated = inflated - half + (half >= 1 ? 1 : 0);
	assert_int_equal(cc->cwnd, (uint32_t)(inflated * MSS));
	cc_newreno.recovered(cc, &e);
	m->cwnd = m->ssthresh < window - half + 1 ? m->ssthresh : window - half + 1;
	m->credit = 0;
}

static void
model_timeout(struct model *m, struct cc *cc, uint32_t window)
{
	struct cc_event e = event(0, window * MSS);
	uint32_t left = window;

	cc_newreno.timeout(cc, &e);
	m->ssthresh = window / 2.0 < 2 ? 2 : window / 2.0;
	m->cwnd = 1;
	m->credit = 0;
	for (; left > 0; left--) {
		e = event(MSS, (left - 1) * MSS);
		e.is_rto = true;
		cc_newreno.acked(cc, &e);
		model_ack(m, 1);
		assert_int_equal(cc->cwnd, (uint32_t)(m->cwnd * MSS));
	}
	cc_newreno.recovered(cc, &e);
}

static void
data_41_random_traces_match_model(void **state)
{
	uint64_t seed;

	(void)state;
	print_message("seeds 1 to 50\n");
	for (seed = 1; seed <= 50; seed++) {
		struct model m = {.cwnd = 10, .ssthresh = 1e9};
		struct rng rng;
		struct cc cc;
		uint32_t round;

		rng_seed(&rng, seed);
		start(&cc);
		for (round = 0; round < 100; round++) {
			uint32_t window = cc.cwnd / MSS;
			uint32_t left = window;
			uint64_t fate = rng_below(&rng, 20);

			if (fate == 0 && window > 4)
				model_recovery(&m, &cc, window, window - 4);
			else if (fate == 1)
				model_timeout(&m, &cc, window);
			while (fate > 1 && left > 0) {
				uint32_t n = 1 + (uint32_t)rng_below(&rng, 4);

				n = n < left ? n : left;
				left -= n;
				acked(&cc, n * MSS, left * MSS);
				model_ack(&m, n);
				assert_int_equal(cc.cwnd, (uint32_t)(m.cwnd * MSS));
			}
			assert_int_equal(cc.cwnd, (uint32_t)(m.cwnd * MSS));
			if (m.cwnd > 5000) /* keep the rounds short */
				model_timeout(&m, &cc, 100);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_43_initial_window_follows_rfc_6928),
			cmocka_unit_test(data_41_slow_start_counts_octets_with_limit_two),
			cmocka_unit_test(data_41_slow_start_after_timeout_has_limit_one),
			cmocka_unit_test(data_41_window_not_full_does_not_grow),
			cmocka_unit_test(sec_12_divided_ack_gains_nothing),
			cmocka_unit_test(sec_12_forged_duplicates_are_bounded),
			cmocka_unit_test(data_41_avoidance_adds_one_segment_per_window),
			cmocka_unit_test(data_35_recovery_inflates_deflates_and_exits),
			cmocka_unit_test(data_35_exit_with_little_in_flight_avoids_a_burst),
			cmocka_unit_test(data_35_partial_ack_never_closes_the_window),
			cmocka_unit_test(data_33_timeout_halves_once_per_loss),
			cmocka_unit_test(data_43_idle_restarts_from_the_initial_window),
			cmocka_unit_test(data_35_recovery_point_follows_a_long_transfer),
			cmocka_unit_test(data_42_undo_restores_what_loss_or_timeout_took),
			cmocka_unit_test(data_42_undo_makes_no_burst),
			cmocka_unit_test(data_44_mark_halves_and_is_not_undone),
			cmocka_unit_test(cwnd_growing_for_ever_saturates),
			cmocka_unit_test(data_41_random_traces_match_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
