/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a flood of SYNs or of ACKs costs no memory, no more answers than questions, and
 * leaves those connected alone (RFC 4987; RES-5, RES-12, SEC-13). Method: 10^5 random
 * segments on a bed of stations, gauges looked at on the way and after it. */

#include <errno.h>

#include "support/cookie_bed.h"

#include "base/rng.h"

enum { FLOOD = 100000, HALF_OPEN_MAX = 16, BURST = 32 };

static struct rng rng;

static struct build
random_segment(uint8_t flags)
{
	return (struct build){.sport = (uint16_t)(1 + rng_below(&rng, 65535)),
			.dport = PORT,
			.seq = (uint32_t)rng_next(&rng),
			.ack = flags & PKT_ACK ? (uint32_t)rng_next(&rng) : 0,
			.flags = flags,
			.wnd = (uint16_t)rng_next(&rng),
			.opts = flags & PKT_SYN ? OPT_3 | PKT_OPT_MSS : PKT_OPT_TS,
			.mss = 1460,
			.wscale = 7,
			.tsval = (uint32_t)rng_next(&rng),
			.tsecr = flags & PKT_ACK ? (uint32_t)rng_next(&rng) : 0};
}

/* Nobody ever answers: n segments in bursts, a burst each 100 us. Returns frames sent. */
static uint32_t
flood(uint32_t n, uint8_t flags)
{
	uint32_t answers = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct build b = random_segment(flags);

		bed_inject(&bed, &b);
		if ((i + 1) % BURST != 0)
			continue;
		bed.now += BED_MS / 10;
		bed_turn(&bed);
		answers += bed_forget(&bed);
		assert_true(bed_stats(&bed).half_open <= HALF_OPEN_MAX);
		assert_true(bed_stats(&bed).blocks_used <= HALF_OPEN_MAX + 1);
	}
	return answers;
}

static void
tune_auto(struct pmtcp_conf *conf)
{
	conf->max_half_open = HALF_OPEN_MAX;
}

static void
tune_off(struct pmtcp_conf *conf)
{
	tune_auto(conf);
	conf->syn_cookies = PMTCP_COOKIES_OFF;
}

static void
tune_unbounded(struct pmtcp_conf *conf)
{
	tune_always(conf);
	conf->max_half_open = HALF_OPEN_MAX;
	conf->syn_per_ms = 0;
}

/* All the half-opens are gone in the end, and nothing is left of the others. */
static void
nothing_is_left(void)
{
	bed_advance(&bed, 200 * SEC);
	bed_forget(&bed);
	assert_int_equal(bed_stats(&bed).half_open, 0);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	assert_true(test_pool_live(bed.pool) <= bed.conf.spare_max);
}

static void
res_12_syn_flood_with_cookies(void **state)
{
	uint32_t answers;

	(void)state;
	rng_seed(&rng, 1);
	begin(tune_auto);
	answers = flood(FLOOD, PKT_SYN);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_replaced), 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_created), HALF_OPEN_MAX);
	/* A tuple drawn twice meets its half-open: at most a few. */
	assert_in_range(bed_counter(&bed, PMTCP_C_cookies_sent), FLOOD - 200, FLOOD);
	assert_true(answers <= FLOOD);
	nothing_is_left();
	bed_destroy(&bed);
}

static void
res_12_syn_flood_without_cookies(void **state)
{
	(void)state;
	rng_seed(&rng, 2);
	begin(tune_off);
	assert_true(flood(FLOOD, PKT_SYN) <= FLOOD);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 0);
	/* Those of the same burst have not been answered yet and cannot give way. */
	assert_true(bed_counter(&bed, PMTCP_C_half_open_replaced) > FLOOD / 4);
	nothing_is_left();
	bed_destroy(&bed);
}

/* SEC-13: one SYN-ACK per SYN by cookie, however long it goes unanswered. */
static void
sec_13_cookies_answer_once(void **state)
{
	(void)state;
	rng_seed(&rng, 3);
	begin(tune_unbounded);
	assert_int_equal(flood(FLOOD, PKT_SYN), FLOOD);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), FLOOD);
	bed_advance(&bed, 200 * SEC);
	assert_null(bed_take(&bed));
	nothing_is_left();
	bed_destroy(&bed);
}

/* SEC-13, OPEN-14: a half-open 1 + 5, none of them larger than the SYN and its options. */
static void
sec_13_half_open_answers_six_times(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3);
	uint32_t n = 0;

	(void)state;
	begin(NULL);
	bed_inject(&bed, &syn);
	bed_advance(&bed, 300 * SEC);
	while (bed_take(&bed) != NULL) {
		assert_int_equal(bed.taken.flags, PKT_SYN | PKT_ACK);
		assert_int_equal(bed.taken.len, 0);
		n++;
	}
	assert_int_equal(n, 6);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_timeout), 1);
	assert_int_equal(bed_event(&bed).flags, 0);
	nothing_is_left();
	bed_destroy(&bed);
}

/* An ACK is a right cookie by chance 16 times in 2^32. RSTs are held to their own limit. */
static void
open_31_ack_flood_opens_nothing(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3);
	uint32_t answers;

	(void)state;
	rng_seed(&rng, 4);
	begin(tune_unbounded);
	answer_to(&syn);
	answers = flood(FLOOD, PKT_ACK);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_failed), FLOOD);
	assert_int_equal(bed_counter(&bed, PMTCP_C_opened_passive), 0);
	assert_true(answers < 2000);
	nothing_is_left();
	bed_destroy(&bed);
}

/* Numbers of other tuples and of other SYNs tell nothing: those of one step lie within
 * 2^24 of the tuple's base, evenly, and no two agree. */
static void
sec_11_numbers_are_spread(void **state)
{
	static uint32_t by_x[4096];
	uint32_t tuple_bins[16] = {0}, x_bins[16] = {0};
	uint32_t base, same = 0;

	(void)state;
	begin(tune_unbounded);
	for (uint32_t i = 0; i < 4096; i++) {
		struct build other = syn_of((uint16_t)(RPORT + 1 + i), X, OPT_3);
		struct build syn = syn_of(RPORT, X + i, OPT_3);

		tuple_bins[answer_to(&other).seq >> 28]++;
		by_x[i] = answer_to(&syn).seq;
	}
	base = by_x[0];
	for (uint32_t i = 0; i < 4096; i++)
		base = seq_lt(by_x[i], base) ? by_x[i] : base;
	for (uint32_t i = 0; i < 4096; i++) {
		assert_true(by_x[i] - base < 1 << 24);
		x_bins[(by_x[i] - base) >> 20]++;
		for (uint32_t k = 0; k < i; k++)
			same += by_x[i] == by_x[k];
	}
	/* 21 bits: 4096 draws agree four times on average. */
	assert_true(same < 20);
	/* 256 per bin, 5 sigma are 78. */
	for (int i = 0; i < 16; i++) {
		assert_in_range(tuple_bins[i], 178, 334);
		assert_in_range(x_bins[i], 178, 334);
	}
	bed_destroy(&bed);
}

/* ---- RES-12: what a flood may cost --------------------------------------- */

static void
tune_ten(struct pmtcp_conf *conf)
{
	tune_always(conf);
	conf->syn_per_ms = 10;
}

static void
res_12_work_of_a_millisecond_is_bounded(void **state)
{
	(void)state;
	rng_seed(&rng, 5);
	begin(tune_ten);
	for (uint64_t ms = 1; ms <= 5; ms++) {
		bed.now += BED_MS;
		for (int i = 0; i < 200; i++) {
			struct build b = random_segment(PKT_SYN);

			bed_inject(&bed, &b);
		}
		bed_turn(&bed);
		assert_int_equal(bed_forget(&bed), 10);
		assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 10 * ms);
		assert_int_equal(bed_counter(&bed, PMTCP_C_drop_syn_limit), 190 * ms);
	}
	bed_destroy(&bed);
}

static void
tune_wide(struct pmtcp_conf *conf)
{
	conf->max_half_open = 1000;
	conf->syn_per_ms = 1;
}

/* Below the limits nothing is bounded: opening at any rate is the purpose. */
static void
res_12_below_the_limits_every_syn_is_answered(void **state)
{
	(void)state;
	begin(tune_wide);
	for (uint16_t i = 0; i < 1000; i++) {
		struct build syn = syn_of((uint16_t)(RPORT + i), X, OPT_3);

		bed_inject(&bed, &syn);
	}
	bed_turn(&bed);
	assert_int_equal(bed_forget(&bed), 1000);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_syn_limit), 0);
	bed_destroy(&bed);
}

/* A connection that was there first gets all its text through, burst by burst, and its
 * answers out, whatever else comes. */
static void
res_12_flood_leaves_the_connected_alone(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 600, .local_port = PORT, .seq = X};
	struct pmtcp_listen_opts opts = {.half_open_max = HALF_OPEN_MAX};
	struct pmtcp_conn *conn;
	uint32_t received = 0, acked = 0;
	uint8_t buf[2048];

	(void)state;
	rng_seed(&rng, 6);
	bed_create(&bed, NULL);
	listen_with(&opts);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	for (int turn = 0; turn < 2000; turn++) {
		int n;

		for (int i = 0; i < BURST; i++) {
			struct build b = random_segment(PKT_SYN);

			bed_inject(&bed, &b);
		}
		bed_peer_sends(&bed, &peer, PKT_ACK | PKT_PSH, 1000);
		assert_int_equal(pmtcp_write(conn, "answer", 6), 6);
		bed.now += BED_MS / 50;
		bed_turn(&bed);
		while ((n = pmtcp_read(conn, buf, sizeof(buf))) > 0)
			received += (uint32_t)n;
		pmtcp_recv_done(conn, 0);
		while (bed_take(&bed) != NULL) {
			if (bed.taken.dport != peer.port)
				continue;
			acked = bed.taken.ack;
			peer.ack = bed.taken.seq + bed.taken.len;
		}
	}
	assert_int_equal(received, 2000 * 1000);
	assert_int_equal(acked, X + 1 + 2000 * 1000);
	/* 32 SYNs in 20 us are 1600 in a millisecond: the rest was not answered. */
	assert_true(bed_counter(&bed, PMTCP_C_drop_syn_limit) > 40000);
	assert_in_range(bed_counter(&bed, PMTCP_C_cookies_sent), 19000, 21000);
	assert_int_equal(bed_stats(&bed).half_open, HALF_OPEN_MAX);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_forget(&bed);
	while (bed_event(&bed).flags != 0)
		;
	nothing_is_left();
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_12_syn_flood_with_cookies),
			cmocka_unit_test(res_12_syn_flood_without_cookies),
			cmocka_unit_test(sec_13_cookies_answer_once),
			cmocka_unit_test(sec_13_half_open_answers_six_times),
			cmocka_unit_test(open_31_ack_flood_opens_nothing),
			cmocka_unit_test(sec_11_numbers_are_spread),
			cmocka_unit_test(res_12_work_of_a_millisecond_is_bounded),
			cmocka_unit_test(res_12_below_the_limits_every_syn_is_answered),
			cmocka_unit_test(res_12_flood_leaves_the_connected_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
