/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: proportional rate reduction (RFC 6937, DATA-42). Method: the examples of the RFC's
 * section 2 with segments of 100 octets, and bounds over random recoveries. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "recovery/prr.h"

#define MSS 100

static uint32_t
ack(struct prr *p, uint32_t delivered, uint32_t pipe, uint32_t ssthresh, bool is_safe)
{
	return prr_ack(p, &(struct prr_ack){.delivered = delivered,
					  .pipe = pipe,
					  .ssthresh = ssthresh,
					  .mss = MSS,
					  .is_safe = is_safe});
}

/* 20 in flight, one lost, ssthresh 10: one goes out for two that arrive. */
static void
data_42_every_second_ack_lets_one_out(void **state)
{
	struct prr p;
	uint32_t sent = 0;
	uint32_t pipe = 19 * MSS;

	(void)state;
	prr_begin(&p, 20 * MSS);
	for (int i = 0; i < 18; i++) {
		uint32_t may;

		pipe -= MSS;
		may = ack(&p, MSS, pipe, 10 * MSS, false);
		if (may >= MSS) {
			p.out += MSS;
			pipe += MSS;
			sent++;
		}
		/* Evenly over the round trip, neither all early nor all late. */
		assert_in_range(sent, (uint32_t)i / 2, (uint32_t)i / 2 + 1);
	}
	assert_int_equal(sent, 9);
	assert_int_equal(pipe, 10 * MSS);
}

/* Most of the flight was lost: pipe is below ssthresh at once. Packet conservation, and with
 * progress one more for each ACK. */
static void
data_42_below_ssthresh_conserves_or_slow_starts(void **state)
{
	struct prr p;

	(void)state;
	prr_begin(&p, 20 * MSS);
	assert_int_equal(ack(&p, MSS, 4 * MSS, 10 * MSS, false), MSS);
	p.out += MSS;
	assert_int_equal(ack(&p, MSS, 4 * MSS, 10 * MSS, true), 2 * MSS);
	p.out += 2 * MSS;
	assert_int_equal(ack(&p, MSS, 5 * MSS, 10 * MSS, false), MSS);
	assert_int_equal(ack(&p, MSS, 10 * MSS, 10 * MSS, true), 0);
}

static void
data_42_nothing_in_flight_is_no_division_by_zero(void **state)
{
	struct prr p;

	(void)state;
	prr_begin(&p, 0);
	assert_int_equal(ack(&p, 0, 1, 0, false), 0);
	assert_true(ack(&p, UINT32_MAX, 1000, 500, false) <= UINT32_MAX / 2);
	assert_true(ack(&p, UINT32_MAX, 1000, 500, false) <= UINT32_MAX / 2);
}

/* Whatever is delivered: above ssthresh no more leaves than ssthresh for each RecoverFS
 * that arrives; below it pipe never rises above ssthresh. */
static void
data_42_bounds_hold_on_random_recoveries(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 42);
	for (int round = 0; round < 2000; round++) {
		uint32_t flight = MSS * (4 + (uint32_t)rng_below(&rng, 200));
		uint32_t ssthresh = flight / 2;
		uint32_t pipe = flight - MSS * (uint32_t)rng_below(&rng, flight / MSS);
		struct prr p;

		prr_begin(&p, flight);
		for (int i = 0; i < 100 && pipe > 0; i++) {
			uint32_t delivered = min_u32(pipe, MSS * (uint32_t)rng_below(&rng, 4));
			bool was_above;
			uint32_t may;

			pipe -= delivered;
			was_above = pipe > ssthresh;
			may = ack(&p, delivered, pipe, ssthresh, rng_below(&rng, 2) == 0);
			p.out += may;
			pipe += may;
			assert_true(was_above ? p.out <= p.delivered / 2 + MSS || may == 0
					      : pipe <= ssthresh);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_42_every_second_ack_lets_one_out),
			cmocka_unit_test(data_42_below_ssthresh_conserves_or_slow_starts),
			cmocka_unit_test(data_42_nothing_in_flight_is_no_division_by_zero),
			cmocka_unit_test(data_42_bounds_hold_on_random_recoveries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
