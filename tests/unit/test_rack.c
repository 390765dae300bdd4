/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: RACK's arithmetic (RFC 8985 section 6, DATA-39). Method: single steps with figures
 * worked out by hand, and random flights against a model that keeps the whole history. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "recovery/rack.h"

/* An ACK of its own. */
static void
deliver_seg(struct rack *r, uint32_t now_us, struct rack_seg seg)
{
	struct rack_ack ack = rack_ack_begin(r);

	rack_delivered(r, &ack, now_us, &seg);
}

static void
deliver(struct rack *r, uint32_t now_us, uint32_t sent_us, uint32_t end)
{
	deliver_seg(r, now_us, (struct rack_seg){.sent_us = sent_us, .end = end});
}

#define SEG(sent, right) ((struct rack_seg){.sent_us = (sent), .end = (right)})

static bool
judge(const struct rack *r, struct rack_seg seg, uint32_t reo_us, uint32_t now_us,
		uint32_t *wait_us)
{
	return rack_judge(r, &seg, reo_us, now_us, wait_us);
}

static void
data_39_sent_after_orders_a_burst_by_sequence(void **state)
{
	(void)state;
	assert_true(rack_sent_after(10, 100, 9, 200));
	assert_false(rack_sent_after(9, 200, 10, 100));
	assert_true(rack_sent_after(10, 200, 10, 100));
	assert_false(rack_sent_after(10, 100, 10, 100));
	assert_true(rack_sent_after(5, 100, UINT32_MAX - 5, 200)); /* both wrap */
	assert_true(rack_sent_after(10, 5, 10, UINT32_MAX - 5));
}

static void
data_39_lost_when_a_later_one_is_delivered(void **state)
{
	struct rack r;
	uint32_t wait = 7;

	(void)state;
	rack_init(&r, 1000);
	/* Nothing delivered: nothing to say. */
	assert_false(judge(&r, SEG(0, 1100), 0, 1000000, &wait));
	/* Three segments sent at 0, 100, 200; the third is SACKed at 20200. */
	deliver(&r, 20200, 200, 1300);
	assert_int_equal(r.rtt_us, 20000);
	assert_true(judge(&r, SEG(0, 1100), 5000, 20200, &wait));
	assert_int_equal(wait, 4800); /* 0 + 20000 + 5000 - 20200 */
	assert_true(judge(&r, SEG(100, 1200), 5000, 20200, &wait));
	assert_int_equal(wait, 4900);
	assert_true(judge(&r, SEG(0, 1100), 5000, 25000, &wait));
	assert_int_equal(wait, 0);
	assert_true(judge(&r, SEG(100, 1200), 5000, 25000, &wait));
	assert_int_equal(wait, 100);
	/* One sent later than what was delivered. */
	assert_false(judge(&r, SEG(300, 1400), 5000, 25000, &wait));
}

/* 6.2 step 4: a quarter of the least round trip, unless DupThresh or recovery says that
 * waiting is over and no reordering was ever seen. */
static void
data_39_window_is_zero_until_reordering_is_seen(void **state)
{
	struct rack r;

	(void)state;
	rack_init(&r, 1000);
	deliver(&r, 40100, 100, 1100);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 10000);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, true), 0);
	r.n_sacked = 2;
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 10000);
	r.n_sacked = 3;
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 0);
	deliver(&r, 40300, 300, 1300);
	assert_false(r.is_reordered);
	deliver(&r, 40400, 200, 1200);
	assert_true(r.is_reordered);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, true), 10000);
	assert_int_equal(rack_reo_wnd_us(&r, 5000, true), 5000); /* at most SRTT */
}

static void
data_39_retransmitted_one_is_no_sign_of_reordering(void **state)
{
	struct rack r;

	(void)state;
	rack_init(&r, 1000);
	deliver(&r, 20300, 300, 1300);
	deliver_seg(&r, 41000, (struct rack_seg){.sent_us = 20300, .end = 1100, .is_rexmt = true});
	assert_false(r.is_reordered);
	assert_int_equal(r.sent_us, 20300);
	assert_int_equal(r.rtt_us, 20700);
	assert_int_equal(r.min_rtt_us, 20000);
}

/* 6.2 step 3: two that one ACK reports are not out of order because the later one is said
 * first: the ACK that told of the other was lost. */
static void
data_39_one_ack_of_two_is_no_sign_of_reordering(void **state)
{
	struct rack_seg late = {.sent_us = 400, .end = 1400}, early = {.sent_us = 200, .end = 1200};
	struct rack_ack ack;
	struct rack r;

	(void)state;
	rack_init(&r, 1000);
	ack = rack_ack_begin(&r);
	rack_delivered(&r, &ack, 20400, &late);
	rack_delivered(&r, &ack, 20400, &early);
	assert_false(r.is_reordered);
	assert_int_equal(r.rtt_us, 20000);
	assert_int_equal(r.sent_us, 400);
	early.sent_us = 100;
	early.end = 1100;
	deliver_seg(&r, 20500, early);
	assert_true(r.is_reordered);
}

/* 6.2 step 2: RACK.rtt is of what this ACK delivers, though something sent later was
 * delivered before. */
static void
data_39_late_original_tells_the_round_trip(void **state)
{
	struct rack r;

	(void)state;
	rack_init(&r, 1000);
	deliver(&r, 20300, 300, 1300);
	deliver(&r, 26200, 200, 1200);
	assert_int_equal(r.sent_us, 300);
	assert_int_equal(r.end, 1300);
	assert_int_equal(r.rtt_us, 26000);
}

/* 6.2 step 4: the count is of what is in flight now. */
static void
data_39_count_of_sacked_falls_with_the_ack(void **state)
{
	struct rack r;

	(void)state;
	rack_init(&r, 1000);
	deliver(&r, 40100, 100, 1100);
	rack_sacked(&r, 4);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 0);
	rack_sacked_gone(&r, 2);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 10000);
	rack_sacked(&r, 20000);
	assert_int_equal(r.n_sacked, 8191);
	rack_sacked_gone(&r, 9000);
	assert_int_equal(r.n_sacked, 0);
}

/* 6.2 step 2: the answer to an earlier sending says nothing of the later one. */
static void
data_39_ambiguous_delivery_is_not_taken(void **state)
{
	struct rack r;

	(void)state;
	rack_init(&r, 1000);
	deliver(&r, 20300, 300, 1300);
	deliver_seg(&r, 25000, (struct rack_seg){.sent_us = 20300, .end = 1100, .is_rexmt = true});
	assert_int_equal(r.sent_us, 300); /* 4.7 ms: faster than the path */
	deliver_seg(&r, 45000,
			(struct rack_seg){.sent_us = 20300,
					.end = 1100,
					.is_rexmt = true,
					.is_original = true});
	assert_int_equal(r.sent_us, 300); /* the timestamp echo says so */
}

static void
data_39_dsack_widens_once_a_round_trip_for_16_recoveries(void **state)
{
	struct rack r;

	(void)state;
	rack_init(&r, 1000);
	deliver(&r, 8300, 300, 1300);
	deliver(&r, 8300, 200, 1200);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 2000);
	rack_dsack(&r, 1300, 2000);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 4000);
	rack_dsack(&r, 1999, 2500);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 4000);
	rack_dsack(&r, 2000, 3000);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 6000);
	for (int i = 0; i < 15; i++)
		rack_recovered(&r);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 6000);
	rack_recovered(&r);
	assert_int_equal(rack_reo_wnd_us(&r, 50000, false), 2000);
}

static void
data_39_least_round_trip_is_forgotten_in_time(void **state)
{
	struct rack r;

	(void)state;
	rack_init(&r, 1000);
	deliver(&r, 11000, 1000, 1100);
	deliver(&r, 15000000, 14950000, 1200);
	assert_int_equal(r.min_rtt_us, 10000);
	deliver(&r, 50000000, 49950000, 1300);
	assert_int_equal(r.min_rtt_us, 50000);
}

/* The model remembers every delivery and asks each of them. */
enum { MODEL_SEGS = 40 };

struct model_seg {
	uint32_t sent_us;
	uint32_t end;
	bool is_delivered;
};

static bool
model_is_lost(const struct model_seg *segs, uint32_t which, uint32_t rtt_us, uint32_t reo_us,
		uint32_t now_us)
{
	for (uint32_t i = 0; i < MODEL_SEGS; i++) {
		bool is_later = segs[i].sent_us > segs[which].sent_us ||
				(segs[i].sent_us == segs[which].sent_us &&
						segs[i].end > segs[which].end);

		if (segs[i].is_delivered && is_later)
			return segs[which].sent_us + rtt_us + reo_us <= now_us;
	}
	return false;
}

static void
data_39_matches_the_model_on_random_flights(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, 39);
	for (int round = 0; round < 500; round++) {
		struct model_seg segs[MODEL_SEGS];
		uint32_t now = 1000, newest = 0, wait;
		struct rack r;

		rack_init(&r, 0);
		for (uint32_t i = 0; i < MODEL_SEGS; i++) {
			now += rng_below(&rng, 3) * 100;
			segs[i] = (struct model_seg){.sent_us = now, .end = (i + 1) * 100};
		}
		for (int step = 0; step < 20; step++) {
			uint32_t at = (uint32_t)rng_below(&rng, MODEL_SEGS);

			now += 1000 + (uint32_t)rng_below(&rng, 2000);
			if (segs[at].is_delivered)
				continue;
			segs[at].is_delivered = true;
			deliver(&r, now, segs[at].sent_us, segs[at].end);
			if (step == 0 || segs[at].end > segs[newest].end)
				newest = at;
			assert_int_equal(r.end, segs[newest].end);
			for (uint32_t i = 0; i < MODEL_SEGS; i++) {
				bool is_lost = judge(&r, SEG(segs[i].sent_us, segs[i].end), 500,
							       now, &wait) &&
					       wait == 0;

				assert_int_equal(is_lost,
						model_is_lost(segs, i, r.rtt_us, 500, now));
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_39_sent_after_orders_a_burst_by_sequence),
			cmocka_unit_test(data_39_lost_when_a_later_one_is_delivered),
			cmocka_unit_test(data_39_window_is_zero_until_reordering_is_seen),
			cmocka_unit_test(data_39_retransmitted_one_is_no_sign_of_reordering),
			cmocka_unit_test(data_39_one_ack_of_two_is_no_sign_of_reordering),
			cmocka_unit_test(data_39_late_original_tells_the_round_trip),
			cmocka_unit_test(data_39_count_of_sacked_falls_with_the_ack),
			cmocka_unit_test(data_39_ambiguous_delivery_is_not_taken),
			cmocka_unit_test(data_39_dsack_widens_once_a_round_trip_for_16_recoveries),
			cmocka_unit_test(data_39_least_round_trip_is_forgotten_in_time),
			cmocka_unit_test(data_39_matches_the_model_on_random_flights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
