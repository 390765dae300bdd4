/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: frames before any connection: whose they are, what is refused and how, ICMP, the
 * fate of each (W-2, W-4, W-11, W-13 to W-15, W-21, W-23, W-25, W-30, W-33,
 * OPEN-36, OPEN-37, SEC-6, SEC-7, RES-16). Method: frames built by hand into a bed; each
 * must end in the counter that the row names. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"

enum { PORT = 80 };

static struct bed bed;

static const struct build syn = {.sport = 4000,
		.dport = PORT,
		.seq = 100,
		.flags = PKT_SYN,
		.wnd = 8192,
		.opts = PKT_OPT_MSS,
		.mss = 1460};

static void
begin(void (*tune)(struct pmtcp_conf *))
{
	struct pmtcp_addr local = pmtcp_addr4(0, PORT);
	struct pmtcp_listener *l;

	bed_create(&bed, tune);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
}

/* The frame ends in `fate`, unanswered, and leaves nothing behind. */
static void
expect_silent(const struct build *b, enum pmtcp_counter fate)
{
	uint64_t before = bed_counter(&bed, fate);

	bed_inject(&bed, b);
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, fate), before + 1);
	assert_int_equal(bed_stats(&bed).half_open, 0);
}

static void
expect_syn_ack(const struct build *b)
{
	const struct pkt *p;

	bed_inject(&bed, b);
	bed_turn(&bed);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_SYN | PKT_ACK);
	assert_int_equal(p->ack, b->seq + 1);
	assert_null(bed_take(&bed));
}

/* ---- addresses ---- */

static void
w_2_foreign_and_group_macs_are_dropped(void **state)
{
	struct build b = syn;

	(void)state;
	begin(NULL);
	memcpy(b.dmac, (uint8_t[6]){2, 0, 10, 0, 0, 99}, 6);
	expect_silent(&b, PMTCP_C_drop_eth_notme);
	memset(b.dmac, 0xff, 6);
	expect_silent(&b, PMTCP_C_drop_eth_notme);
	memset(b.dmac, 0, 6);
	memcpy(b.smac, (uint8_t[6]){3, 0, 10, 0, 0, 2}, 6);
	expect_silent(&b, PMTCP_C_drop_eth_group_src);
	bed_destroy(&bed);
}

/* W-13: one SYN per class. */
static void
w_13_martians_are_dropped(void **state)
{
	static const uint32_t rows[] = {PMTCP_IP4(0, 0, 0, 1), PMTCP_IP4(0, 255, 1, 1),
			PMTCP_IP4(127, 0, 0, 1), PMTCP_IP4(127, 255, 255, 254),
			PMTCP_IP4(224, 0, 0, 1), PMTCP_IP4(239, 1, 2, 3), PMTCP_IP4(240, 0, 0, 1),
			PMTCP_IP4(255, 255, 255, 255), PMTCP_IP4(10, 0, 0, 255)};

	(void)state;
	begin(NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct build b = syn;

		b.saddr = rows[i];
		memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
		expect_silent(&b, PMTCP_C_drop_martian);
	}
	bed_destroy(&bed);
}

/* W-14, OPEN-37: nothing is said to a group or for somebody else. */
static void
w_14_broadcast_and_foreign_ip_are_dropped(void **state)
{
	static const uint32_t rows[] = {PMTCP_IP4(10, 0, 0, 255), PMTCP_IP4(255, 255, 255, 255),
			PMTCP_IP4(224, 0, 0, 1), PMTCP_IP4(10, 0, 0, 3), PMTCP_IP4(192, 168, 1, 1)};

	(void)state;
	begin(NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct build b = syn;

		b.daddr = rows[i];
		expect_silent(&b, PMTCP_C_drop_ip_notme);
		b.dport = 81; /* nobody listens: still no RST */
		b.flags = PKT_ACK;
		expect_silent(&b, PMTCP_C_drop_ip_notme);
	}
	bed_destroy(&bed);
}

static void
tune_two_addresses(struct pmtcp_conf *conf)
{
	conf->n_ranges = 2;
	conf->ranges[1] = (struct pmtcp_range){PMTCP_IP4(10, 0, 0, 100), PMTCP_IP4(10, 0, 0, 110)};
}

/* W-15: from any address of ours, ports equal or not. */
static void
w_15_land_is_dropped(void **state)
{
	static const uint32_t own[] = {
			TEST_ADDR, PMTCP_IP4(10, 0, 0, 100), PMTCP_IP4(10, 0, 0, 110)};

	(void)state;
	begin(tune_two_addresses);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(own); i++) {
		struct build b = syn;

		b.saddr = own[i];
		memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
		expect_silent(&b, PMTCP_C_drop_land);
		b.sport = PORT;
		expect_silent(&b, PMTCP_C_drop_land);
		b.daddr = own[i];
		expect_silent(&b, PMTCP_C_drop_land);
	}
	/* Each own address is served; its neighbours are not ours. */
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(own); i++) {
		struct build b = syn;

		b.daddr = own[i];
		expect_syn_ack(&b);
	}
	bed_destroy(&bed);
}

/* ---- headers ---- */

/* W-11: TTL 1 is as good as any; ours is the knob's, and DF is set. */
static void
w_11_received_ttl_is_not_judged(void **state)
{
	struct build b = syn;

	(void)state;
	begin(NULL);
	b.ttl = 1;
	bed_inject(&bed, &b);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.ttl, 64);
	assert_int_equal(bed.taken.frag, 0x4000);
	bed_destroy(&bed);
}

/* W-4: Ethernet padding is no text. */
static void
w_4_link_padding_is_no_text(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .local_port = PORT, .seq = 100};
	struct pmtcp_conn_info info;
	struct pmtcp_conn *conn;
	struct rte_mbuf *m;
	struct build b = {.sport = 4000, .dport = PORT, .flags = PKT_ACK, .wnd = 100};

	(void)state;
	begin(NULL);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	b.seq = peer.seq;
	b.ack = peer.ack;
	b.saddr = TEST_PEER;
	b.daddr = TEST_ADDR;
	memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	m = build_tcp(bed.pool, &b);
	memset(rte_pktmbuf_append(m, 6), 0xff, 6);
	bed_inject_mbuf(&bed, m);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, 0);
	pmtcp_conn_info(conn, &info);
	assert_int_equal(info.rcv_nxt, peer.seq);
	assert_int_equal(info.snd_wnd, 100);
	bed_destroy(&bed);
}

/* W-25: any bit of a data segment flipped: silence, and the connection does not move. */
static void
w_25_any_flipped_bit_is_noticed(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .local_port = PORT, .seq = 100};
	struct build b = {.sport = 4000,
			.dport = PORT,
			.flags = PKT_ACK | PKT_PSH,
			.wnd = 8192,
			.payload = "0123456",
			.len = 7};
	struct pmtcp_conn_info info;
	struct pmtcp_conn *conn;

	(void)state;
	begin(NULL);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	b.seq = peer.seq;
	b.ack = peer.ack;
	b.saddr = TEST_PEER;
	b.daddr = TEST_ADDR;
	memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	/* From the IP header to the last octet. */
	for (uint32_t bit = 14 * 8; bit < (14 + 40 + 7) * 8; bit++) {
		struct rte_mbuf *m = build_tcp(bed.pool, &b);

		rte_pktmbuf_mtod(m, uint8_t *)[bit / 8] ^= (uint8_t)(1 << bit % 8);
		bed_inject_mbuf(&bed, m);
		bed_turn(&bed);
		assert_null(bed_take(&bed));
		assert_int_equal(bed_event(&bed).flags, 0);
		pmtcp_conn_info(conn, &info);
		assert_int_equal(info.rcv_nxt, peer.seq);
	}
	bed_inject(&bed, &b);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_READABLE);
	bed_destroy(&bed);
}

/* ---- options ---- */

/* W-33: unknown kinds, fast open and user timeout among them, are skipped. */
static void
w_33_unknown_options_are_skipped(void **state)
{
	static const uint8_t rows[][6] = {{253, 6, 1, 2, 3, 4}, {34, 2, 1, 1, 1, 1},
			{34, 6, 9, 9, 9, 9}, {28, 4, 1, 2, 1, 1}, {77, 3, 0, 1, 1, 1}};

	(void)state;
	begin(NULL);
	for (uint16_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct build b = syn;

		b.sport = (uint16_t)(4000 + i);
		b.raw_opts = rows[i];
		b.raw_opts_len = 6;
		expect_syn_ack(&b);
	}
	bed_destroy(&bed);
}

/* W-30: the last of two counts, and it is noted. */
static void
w_30_option_twice_counts_the_last(void **state)
{
	static const uint8_t two[] = {2, 4, 0x01, 0xf4, 2, 4, 0x03, 0xe8};
	struct build b = syn;
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .local_port = PORT, .seq = 101};
	struct pmtcp_conn *conn;

	(void)state;
	begin(NULL);
	b.opts = 0;
	b.raw_opts = two;
	b.raw_opts_len = sizeof(two);
	bed_inject(&bed, &b);
	assert_non_null(bed_peer_gets(&bed, &peer));
	assert_int_equal(bed_counter(&bed, PMTCP_C_opt_dup), 1);
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_turn(&bed);
	conn = bed_event(&bed).conn;
	assert_non_null(conn);
	assert_int_equal(pmtcp_mss(conn), 1000);
	/* MSS on a segment without SYN changes nothing (MUST-65). */
	b = (struct build){.sport = 4000, .dport = PORT, .flags = PKT_ACK, .wnd = 8192};
	b.seq = peer.seq;
	b.ack = peer.ack;
	b.opts = PKT_OPT_MSS | PKT_OPT_WSCALE;
	b.mss = 100;
	b.wscale = 9;
	bed_inject(&bed, &b);
	bed_turn(&bed);
	assert_int_equal(pmtcp_mss(conn), 1000);
	bed_destroy(&bed);
}

/* W-28: a malformed option on a data segment: counted, the segment is used. */
static void
w_28_malformed_option_on_data_is_counted(void **state)
{
	static const uint8_t broken[] = {253, 0, 1, 1};
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .local_port = PORT, .seq = 100};
	struct build b = {.sport = 4000, .dport = PORT, .flags = PKT_ACK, .wnd = 8192};

	(void)state;
	begin(NULL);
	assert_non_null(bed_accept(&bed, &peer));
	b.seq = peer.seq;
	b.ack = peer.ack;
	b.raw_opts = broken;
	b.raw_opts_len = sizeof(broken);
	b.payload = "x";
	b.len = 1;
	bed_inject(&bed, &b);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_READABLE);
	assert_int_equal(bed_counter(&bed, PMTCP_C_opt_malformed), 1);
	/* On a SYN it is dropped (DEC-9). */
	b = syn;
	b.sport = 4001;
	b.raw_opts = broken;
	b.raw_opts_len = sizeof(broken);
	bed_inject(&bed, &b);
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_opt_bad), 1);
	bed_destroy(&bed);
}

/* ---- RST without a connection ---- */

static void
open_36_rst_forms(void **state)
{
	static const struct {
		uint8_t flags;
		uint32_t seq, ack, len;
		uint8_t want;
		uint32_t want_seq, want_ack;
	} rows[] = {
			{PKT_SYN, 100, 0, 0, PKT_RST | PKT_ACK, 0, 101},
			{PKT_ACK, 55, 7, 0, PKT_RST, 7, 0},
			{PKT_SYN | PKT_FIN, 100, 0, 3, PKT_RST | PKT_ACK, 0, 105},
			{0, 100, 0, 9, PKT_RST | PKT_ACK, 0, 109},
			{PKT_FIN, 100, 0, 0, PKT_RST | PKT_ACK, 0, 101},
			{PKT_ACK | PKT_PSH, 5, UINT32_MAX, 9, PKT_RST, UINT32_MAX, 0},
			{PKT_RST, 100, 0, 0, 0, 0, 0},
			{PKT_RST | PKT_ACK, 100, 7, 0, 0, 0, 0},
	};

	(void)state;
	bed_create(&bed, NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct build b = {.sport = 4000, .dport = 81, .payload = "123456789"};
		const struct pkt *p;

		b.flags = rows[i].flags;
		b.seq = rows[i].seq;
		b.ack = rows[i].ack;
		b.len = rows[i].len;
		bed_advance(&bed, 10 * BED_MS);
		bed_inject(&bed, &b);
		bed_turn(&bed);
		p = bed_take(&bed);
		if (rows[i].want == 0) {
			assert_null(p);
			continue;
		}
		assert_non_null(p);
		assert_int_equal(p->flags, rows[i].want);
		assert_int_equal(p->seq, rows[i].want_seq);
		assert_int_equal(p->ack, rows[i].want_ack);
		assert_int_equal(p->len, 0);
		assert_true(p->frame_len <= 54);
		assert_true(p->is_ip_cksum_good && p->is_l4_cksum_good);
	}
	bed_destroy(&bed);
}

static void
tune_100_rsts(struct pmtcp_conf *conf)
{
	conf->rst_per_s = 100;
}

/* SEC-6: a scan of all ports gets a bounded number of answers per second. */
static void
sec_6_scan_gets_few_answers(void **state)
{
	uint32_t answers = 0;

	(void)state;
	bed_create(&bed, tune_100_rsts);
	for (uint32_t port = 1; port <= 65535; port++) {
		struct build b = {.sport = 4000, .dport = (uint16_t)port, .flags = PKT_SYN};

		bed_inject(&bed, &b);
		if (port % 64 != 0)
			continue;
		bed.now += 10 * BED_MS;
		bed_turn(&bed);
		answers += bed_forget(&bed);
	}
	bed_turn(&bed);
	answers += bed_forget(&bed);
	/* 10.2 s at 100 per s, and at most one bucket at the start. */
	assert_in_range(answers, 850, 1130);
	assert_int_equal(answers + bed_counter(&bed, PMTCP_C_rst_reply_throttled), 65535);
	bed_destroy(&bed);
}

/* ---- ICMP ---- */

static void
inject_icmp(uint8_t type, uint8_t code, uint32_t daddr, uint32_t len)
{
	static uint8_t data[1400];
	struct build_icmp icmp = {.type = type, .code = code, .rest = 0x12345678};
	struct build b = {.saddr = TEST_PEER, .daddr = daddr, .payload = data, .len = len};

	for (uint32_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	bed_inject_mbuf(&bed, build_icmp(bed.pool, &b, &icmp));
	bed_turn(&bed);
}

static void
w_21_echo_is_returned_as_it_came(void **state)
{
	const struct pkt *p;

	(void)state;
	bed_create(&bed, NULL);
	bed_advance(&bed, 1000 * BED_MS);
	inject_icmp(8, 0, TEST_ADDR, 1400);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->kind, PKT_KIND_ICMP);
	assert_int_equal(p->icmp_type, 0);
	assert_int_equal(p->icmp_code, 0);
	assert_int_equal(p->icmp_rest, 0x12345678);
	assert_int_equal(p->saddr, TEST_ADDR);
	assert_int_equal(p->daddr, TEST_PEER);
	assert_int_equal(p->len, 1400);
	for (uint32_t i = 0; i < 1400; i++)
		assert_int_equal(p->payload[i], (uint8_t)(i * 7));
	assert_true(p->is_ip_cksum_good && p->is_l4_cksum_good);
	assert_int_equal(bed_counter(&bed, PMTCP_C_icmp_echo_taken), 1);
	inject_icmp(8, 0, PMTCP_IP4(10, 0, 0, 255), 8);
	inject_icmp(8, 0, PMTCP_IP4(224, 0, 0, 1), 8);
	assert_null(bed_take(&bed));
	bed_destroy(&bed);
}

/* SEC-7: 100 per second. */
static void
sec_7_echo_flood_is_throttled(void **state)
{
	uint32_t answers = 0;

	(void)state;
	bed_create(&bed, NULL);
	for (int ms = 0; ms < 5000; ms++) {
		bed.now += BED_MS;
		for (int i = 0; i < 5; i++)
			inject_icmp(8, 0, TEST_ADDR, 8);
		answers += bed_forget(&bed);
	}
	assert_in_range(answers, 450, 610);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_icmp_limit), 25000 - answers);
	bed_destroy(&bed);
}

/* W-23: source quench, redirect, timestamp, mask, errors: nothing. */
static void
w_23_other_icmp_is_not_answered(void **state)
{
	static const uint8_t types[] = {0, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 30, 255};

	(void)state;
	bed_create(&bed, NULL);
	bed_advance(&bed, 1000 * BED_MS);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(types); i++)
		inject_icmp(types[i], 0, TEST_ADDR, 28);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_icmp_bad) +
					 bed_counter(&bed, PMTCP_C_drop_icmp_unused),
			PMTCP_ARRAY_SIZE(types));
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_2_foreign_and_group_macs_are_dropped),
			cmocka_unit_test(w_13_martians_are_dropped),
			cmocka_unit_test(w_14_broadcast_and_foreign_ip_are_dropped),
			cmocka_unit_test(w_15_land_is_dropped),
			cmocka_unit_test(w_11_received_ttl_is_not_judged),
			cmocka_unit_test(w_4_link_padding_is_no_text),
			cmocka_unit_test(w_25_any_flipped_bit_is_noticed),
			cmocka_unit_test(w_33_unknown_options_are_skipped),
			cmocka_unit_test(w_30_option_twice_counts_the_last),
			cmocka_unit_test(w_28_malformed_option_on_data_is_counted),
			cmocka_unit_test(open_36_rst_forms),
			cmocka_unit_test(sec_6_scan_gets_few_answers),
			cmocka_unit_test(w_21_echo_is_returned_as_it_came),
			cmocka_unit_test(sec_7_echo_flood_is_throttled),
			cmocka_unit_test(w_23_other_icmp_is_not_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
