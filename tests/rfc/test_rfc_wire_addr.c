/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: who may speak to whom (W-13 to W-15), over both versions of IP. Method: one SYN and
 * one ACK per class of address; silence is the answer, and no half-open is left. */

#include "frame_bed.h"

static void
expect_nothing_made(void)
{
	assert_int_equal(bed_stats(&bed).half_open, 0);
	assert_int_equal(bed_stats(&bed).state[PMTCP_SYN_RCVD], 0);
}

/* A SYN for the listener, and an ACK that elsewhere would bring an RST. */
static void
expect_both_silent(struct build b, enum pmtcp_counter fate)
{
	frame_expect_silence(build_tcp(bed.pool, &b), fate);
	b.flags = PKT_ACK;
	b.dport = FRAME_PORT + 1;
	frame_expect_silence(build_tcp(bed.pool, &b), fate);
	expect_nothing_made();
}

/* ---- sources ---- */

static void
w_13_martians_are_dropped(void **state)
{
	static const uint32_t rows[] = {PMTCP_IP4(0, 0, 0, 0), PMTCP_IP4(0, 0, 0, 1),
			PMTCP_IP4(0, 255, 255, 255), PMTCP_IP4(127, 0, 0, 0),
			PMTCP_IP4(127, 0, 0, 1), PMTCP_IP4(127, 255, 255, 255),
			PMTCP_IP4(224, 0, 0, 0), PMTCP_IP4(239, 255, 255, 255),
			PMTCP_IP4(240, 0, 0, 0), PMTCP_IP4(255, 255, 255, 255),
			PMTCP_IP4(10, 0, 0, 255)};

	(void)state;
	frame_begin(NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct build b = frame_syn(4);

		b.saddr = rows[i];
		expect_both_silent(b, PMTCP_C_drop_martian);
	}
	frame_end();
}

static void
tune_gateways(struct pmtcp_conf *conf)
{
	frame_both_versions(conf);
	conf->gateway = TEST_PEER;
	ctx_ip6_of(TEST_PEER, conf->gateway6);
}

/* Beside each class stand peers as good as any. */
static void
w_13_neighbours_of_martians_are_served(void **state)
{
	static const uint32_t rows[] = {PMTCP_IP4(1, 0, 0, 0), PMTCP_IP4(126, 255, 255, 255),
			PMTCP_IP4(128, 0, 0, 0), PMTCP_IP4(223, 255, 255, 255),
			PMTCP_IP4(10, 0, 0, 254), PMTCP_IP4(10, 0, 1, 255)};
	static const uint8_t rows6[][16] = {{0x20, 1, 0x0d, 0xb8, [15] = 0x99},
			{0xfe, 0x80, [15] = 2}, {0xfd, [15] = 1},
			{0x00, 0x64, 0xff, 0x9b, [15] = 1}};

	(void)state;
	frame_begin(tune_gateways);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct build b = frame_syn(4);

		b.saddr = rows[i];
		bed_inject_mbuf(&bed, build_tcp(bed.pool, &b));
	}
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows6); i++) {
		struct build b = frame_syn(6);

		memcpy(b.saddr6, rows6[i], 16);
		bed_inject_mbuf(&bed, build_tcp(bed.pool, &b));
	}
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_syn_taken),
			PMTCP_ARRAY_SIZE(rows) + PMTCP_ARRAY_SIZE(rows6));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_martian), 0);
	frame_end();
}

/* MUST-63: ::, ::1, groups of every scope, IPv4 in disguise. */
static void
w_13_martians_of_ipv6_are_dropped(void **state)
{
	static const uint8_t rows[][16] = {{0}, {[15] = 1}, {0xff, 1, [15] = 1},
			{0xff, 2, [15] = 1}, {0xff, 0x0e, [15] = 9}, {0xff, 0xff, [15] = 0xff},
			{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2},
			{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};

	(void)state;
	frame_begin(NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct build b = frame_syn(6);

		memcpy(b.saddr6, rows[i], 16);
		expect_both_silent(b, PMTCP_C_drop_martian);
	}
	frame_end();
}

/* ---- destinations ---- */

/* MUST-57, OPEN-37. */
static void
w_14_groups_and_foreign_addresses_are_dropped(void **state)
{
	static const uint32_t rows[] = {PMTCP_IP4(10, 0, 0, 255), PMTCP_IP4(255, 255, 255, 255),
			PMTCP_IP4(224, 0, 0, 1), PMTCP_IP4(239, 9, 9, 9), PMTCP_IP4(10, 0, 0, 3),
			PMTCP_IP4(10, 0, 0, 0), PMTCP_IP4(192, 168, 1, 1), PMTCP_IP4(0, 0, 0, 0)};
	static const uint8_t rows6[][16] = {{0}, {0xff, 2, [15] = 1},
			{0xff, 2, [11] = 1, 0xff, 0, 0, 1}, {0xff, 0x0e, [15] = 1},
			{0x20, 1, 0x0d, 0xb8, [12] = 10, [15] = 3}, {0xfe, 0x80, [15] = 1}};

	(void)state;
	frame_begin(NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct build b = frame_syn(4);

		b.daddr = rows[i];
		expect_both_silent(b, PMTCP_C_drop_ip_notme);
	}
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows6); i++) {
		struct build b = frame_syn(6);

		memcpy(b.daddr6, rows6[i], 16);
		expect_both_silent(b, PMTCP_C_drop_ip_notme);
	}
	frame_end();
}

/* ---- ourselves ---- */

static void
tune_more_addresses(struct pmtcp_conf *conf)
{
	frame_both_versions(conf);
	conf->n_ranges = 2;
	conf->ranges[1] = (struct pmtcp_range){PMTCP_IP4(10, 0, 0, 100), PMTCP_IP4(10, 0, 0, 110)};
	conf->n_ranges6 = 2;
	ctx_ip6_of(conf->ranges[1].first, conf->ranges6[1].first);
	ctx_ip6_of(conf->ranges[1].last, conf->ranges6[1].last);
}

/* From any of our addresses to any, ports equal or not. */
static void
w_15_land_is_dropped(void **state)
{
	static const uint32_t own[] = {
			TEST_ADDR, PMTCP_IP4(10, 0, 0, 100), PMTCP_IP4(10, 0, 0, 110)};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		frame_begin(tune_more_addresses);
		for (size_t i = 0; i < 9; i++) {
			struct build b = frame_syn(*v);

			b.saddr = own[i / 3];
			b.daddr = own[i % 3];
			ctx_ip6_of(b.saddr, b.saddr6);
			ctx_ip6_of(b.daddr, b.daddr6);
			expect_both_silent(b, PMTCP_C_drop_land);
			b.sport = FRAME_PORT;
			expect_both_silent(b, PMTCP_C_drop_land);
		}
		/* Each of them is served, and their neighbours are not ours. */
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(own); i++) {
			struct build b = frame_syn(*v);

			b.daddr = own[i];
			ctx_ip6_of(b.daddr, b.daddr6);
			frame_expect_syn_ack(&b);
		}
		for (uint32_t host = 99; host <= 111; host += 12) {
			struct build b = frame_syn(*v);

			b.daddr = PMTCP_IP4(10, 0, 0, 0) + host;
			ctx_ip6_of(b.daddr, b.daddr6);
			frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_ip_notme);
		}
		frame_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_13_martians_are_dropped),
			cmocka_unit_test(w_13_neighbours_of_martians_are_served),
			cmocka_unit_test(w_13_martians_of_ipv6_are_dropped),
			cmocka_unit_test(w_14_groups_and_foreign_addresses_are_dropped),
			cmocka_unit_test(w_15_land_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
