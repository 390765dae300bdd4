/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a connection opened by a SYN cookie has what its SYN offered as far as a cookie can
 * carry it, and the limits of cookies are as said (RFC 4987 section 3.6, RFC 7323; OPEN-25,
 * OPEN-32, OPEN-33). Method: as in test_rfc_cookie.c. */

#include "support/cookie_bed.h"

/* ---- OPEN-32 ------------------------------------------------------------- */

static void
open_32_options_come_back_in_the_echo(void **state)
{
	static const uint8_t text[10];
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct pmtcp_conn_info info;
	struct pmtcp_conn *conn;
	struct build ack;
	const struct pkt *p;
	struct pkt sa;

	(void)state;
	begin(tune_always);
	sa = answer_to(&syn);
	assert_int_equal(sa.opts, OPT_3 | PKT_OPT_MSS);
	assert_int_equal(sa.tsval & 0x3f, 7 | 0x10);
	assert_int_equal(sa.tsecr, 900);
	assert_int_equal(sa.wscale, 3); /* 256 KiB by 65535 */
	ack = third_ack(&sa);
	conn = opened_by(&ack);
	assert_non_null(conn);
	info = info_of(conn);
	assert_true(info.timestamps && info.sack);
	assert_int_equal(info.snd_wscale, 7);
	assert_int_equal(info.rcv_wscale, 3);
	assert_int_equal(info.snd_wnd, 1000 << 7);
	assert_int_equal(info.mss, 1448);
	/* SACK is used, and the clock has not gone back. */
	ack.seq += 1000;
	ack.payload = text;
	ack.len = sizeof(text);
	bed_inject(&bed, &ack);
	bed_turn(&bed);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->n_sack, 1);
	assert_int_equal(p->sack[0].left, X + 1001);
	assert_int_equal(p->tsecr, 950);
	assert_in_range(p->tsval - sa.tsval, 0, 63);
	bed_destroy(&bed);
}

/* At any moment of the 64 ms that the low bits stand for, and for each shift. */
static void
open_32_echo_is_never_ahead_of_the_clock(void **state)
{
	(void)state;
	begin(tune_always);
	for (uint16_t i = 0; i < 64; i++) {
		struct build syn = syn_of((uint16_t)(RPORT + i), X + i, OPT_3);
		struct pmtcp_conn *conn;
		struct build ack;
		struct pkt sa;

		syn.wscale = i % 16 == 15 ? 14 : i % 16;
		if (i % 16 == 15)
			syn.opts &= (uint8_t)~PKT_OPT_WSCALE;
		if (i & 16)
			syn.opts &= (uint8_t)~PKT_OPT_SACK_PERM;
		sa = answer_to(&syn);
		ack = third_ack(&sa);
		conn = opened_by(&ack);
		assert_non_null(conn);
		assert_int_equal(info_of(conn).snd_wscale, i % 16 == 15 ? 0 : i % 16);
		assert_int_equal(info_of(conn).rcv_wscale, i % 16 == 15 ? 0 : 3);
		assert_int_equal(info_of(conn).sack, (i & 16) == 0);
		pmtcp_abort(conn);
		bed_turn(&bed);
		assert_non_null(bed_take(&bed));
		assert_in_range(bed.taken.tsval - sa.tsval, 0, 63);
		bed_event(&bed);
		bed_advance(&bed, BED_MS + 1);
	}
	bed_destroy(&bed);
}

static void
open_32_without_timestamps_neither_scaling_nor_sack(void **state)
{
	struct build syn = syn_of(RPORT, X, PKT_OPT_SACK_PERM | PKT_OPT_WSCALE);
	struct pmtcp_conn_info info;
	struct pmtcp_conn *conn;
	struct build ack;
	struct pkt sa;

	(void)state;
	begin(tune_always);
	sa = answer_to(&syn);
	assert_int_equal(sa.opts, PKT_OPT_MSS);
	ack = third_ack(&sa);
	/* A timestamp that comes later was not agreed to, and says nothing. */
	ack.opts |= PKT_OPT_TS;
	ack.tsecr = 7 | 0x10;
	expect_refused(&ack);
	ack = third_ack(&sa);
	conn = opened_by(&ack);
	assert_non_null(conn);
	info = info_of(conn);
	assert_false(info.timestamps || info.sack);
	assert_int_equal(info.snd_wscale, 0);
	assert_int_equal(info.rcv_wscale, 0);
	assert_int_equal(info.snd_wnd, 1000);
	bed_destroy(&bed);
}

/* Whose listener does not want timestamps gets the same, whatever the SYN had. */
static void
open_32_listener_without_timestamps(void **state)
{
	struct pmtcp_listen_opts opts = {.conn = {.no_timestamps = true}};
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct build ack;
	struct pkt sa;

	(void)state;
	bed_create(&bed, tune_always);
	listen_with(&opts);
	sa = answer_to(&syn);
	assert_int_equal(sa.opts, PKT_OPT_MSS);
	ack = third_ack(&sa);
	assert_non_null(opened_by(&ack));
	bed_destroy(&bed);
}

/* What the echo says of the options is part of what is checked. */
static void
open_32_forged_echo_is_refused(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct pmtcp_conn *conn;
	struct build ack;
	struct pkt sa;

	(void)state;
	begin(tune_always);
	sa = answer_to(&syn);
	for (uint32_t bit = 0; bit < 6; bit++) {
		ack = third_ack(&sa);
		ack.tsecr ^= 1u << bit;
		expect_refused(&ack);
	}
	ack = third_ack(&sa);
	ack.opts = 0;
	expect_refused(&ack);
	/* A wrong time does not matter: it is no sample (DATA-28). */
	ack = third_ack(&sa);
	ack.tsecr ^= 1u << 20;
	conn = opened_by(&ack);
	assert_non_null(conn);
	assert_int_equal(info_of(conn).srtt_us, 0);
	bed_destroy(&bed);
}

/* ---- MSS ----------------------------------------------------------------- */

static uint16_t
mss_after(uint32_t offered, uint16_t rport)
{
	struct build syn = syn_of(rport, X, 0);
	struct pmtcp_conn *conn;
	struct build ack;
	struct pkt sa;
	uint16_t mss;

	syn.mss = (uint16_t)offered;
	if (offered == UINT32_MAX)
		syn.opts = 0;
	sa = answer_to(&syn);
	ack = third_ack(&sa);
	conn = opened_by(&ack);
	assert_non_null(conn);
	mss = info_of(conn).mss;
	pmtcp_detach(conn);
	bed_turn(&bed);
	bed_forget(&bed);
	return mss;
}

static void
open_31_mss_is_rounded_down(void **state)
{
	/* clang-format off */
	static const struct {
		uint32_t offered;
		uint16_t used;
	} rows[] = {
		{UINT32_MAX, 536}, {60, 88}, {88, 88}, {535, 88}, {536, 536}, {1219, 536},
		{1220, 1220}, {1359, 1220}, {1360, 1360}, {1399, 1360}, {1400, 1400},
		{1439, 1400}, {1440, 1440}, {1452, 1440}, {1459, 1440}, {1460, 1460},
		{8939, 1460}, {8940, 1460}, {65535, 1460},
	};
	/* clang-format on */

	(void)state;
	begin(tune_always);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++)
		assert_int_equal(mss_after(rows[i].offered, (uint16_t)(RPORT + i)), rows[i].used);
	bed_destroy(&bed);
}

/* ---- OPEN-33 ------------------------------------------------------------- */

static void
tune_one_conn(struct pmtcp_conf *conf)
{
	tune_always(conf);
	conf->max_conns = 1;
}

static void
open_33_no_block_for_a_right_cookie(void **state)
{
	struct pmtcp_listen_opts opts = {.conn_max = 2}; /* more than there are blocks */
	struct build syn = syn_of(RPORT, X, OPT_3), other = syn_of(RPORT + 1, X, OPT_3);
	struct build ack, second;
	struct pmtcp_conn *conn;
	struct pkt p;

	(void)state;
	bed_create(&bed, tune_one_conn);
	listen_with(&opts);
	p = answer_to(&other);
	second = third_ack(&p);
	p = answer_to(&syn);
	ack = third_ack(&p);
	conn = opened_by(&ack);
	assert_non_null(conn);
	expect_refused(&second);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookie_notcb), 1);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_tcb_full), 1);
	assert_int_equal(bed_stats(&bed).live, 1);
	/* RES-8: a SYN without a block is dropped, cookies or not: the peer asks again. */
	bed_inject(&bed, &other);
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_tcb_full), 2);
	/* With a block free again the same cookie is good. */
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_event(&bed);
	bed_turn(&bed);
	bed_forget(&bed);
	assert_non_null(opened_by(&second));
	bed_destroy(&bed);
}

static void
open_33_conn_max_at_the_cookie_ack(void **state)
{
	struct pmtcp_listen_opts opts = {.conn_max = 1};
	struct build ack[2];

	(void)state;
	bed_create(&bed, tune_always);
	listen_with(&opts);
	for (uint16_t i = 0; i < 2; i++) {
		struct build syn = syn_of((uint16_t)(RPORT + i), X, OPT_3);
		struct pkt p = answer_to(&syn);

		ack[i] = third_ack(&p);
	}
	assert_non_null(opened_by(&ack[0]));
	expect_refused(&ack[1]);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_conn_limit), 1);
	bed_destroy(&bed);
}

/* The second is an old ACK of a living connection, or of its TIME-WAIT. */
static void
open_33_replay_opens_one_connection(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = RPORT, .local_port = PORT, .seq = X};
	struct build ack = {.sport = RPORT, .dport = PORT, .flags = PKT_ACK, .wnd = 1000};
	struct pmtcp_conn *conn;

	(void)state;
	begin(tune_always);
	bed_peer_sends(&bed, &peer, PKT_SYN, 0);
	bed_peer_gets(&bed, &peer);
	ack.seq = peer.seq;
	ack.ack = peer.ack;
	conn = opened_by(&ack);
	assert_non_null(conn);
	assert_null(opened_by(&ack));
	assert_null(bed_take(&bed));
	bed_close_first(&bed, &peer, conn);
	assert_int_equal(bed_stats(&bed).time_wait, 1);
	assert_null(opened_by(&ack));
	assert_int_equal(bed_counter(&bed, PMTCP_C_opened_passive), 1);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_accepted), 1);
	bed_destroy(&bed);
}

/* A reopening SYN gets a half-open: its number is bound, its ACK would meet the entry. */
static void
tw_8_reopening_syn_gets_no_cookie(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = RPORT, .local_port = PORT, .seq = X};
	struct pmtcp_conn *conn;
	uint32_t last;

	(void)state;
	begin(tune_always);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	bed_close_first(&bed, &peer, conn);
	last = peer.ack;
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	assert_true(seq_gt(peer.ack, last + 65536));
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_accepted), 1);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_accepted), 1);
	bed_destroy(&bed);
}

/* The SYN came twice, and there was room only for the second: both SYN-ACKs have one
 * number, so the ACK of either opens. */
static void
open_25_half_open_after_cookie_has_its_number(void **state)
{
	struct pmtcp_listen_opts opts = {.half_open_max = 1};
	struct build first = syn_of(RPORT, X, OPT_3), syn = syn_of(RPORT + 1, X, OPT_3);
	struct pkt cookie, half;
	struct build ack;

	(void)state;
	bed_create(&bed, NULL);
	listen_with(&opts);
	answer_to(&first);
	cookie = answer_to(&syn);
	first.flags = PKT_RST;
	first.seq++;
	bed_inject(&bed, &first);
	half = answer_to(&syn);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 1);
	assert_int_equal(bed_stats(&bed).half_open, 1);
	assert_int_equal(half.seq, cookie.seq);
	ack = third_ack(&cookie);
	assert_non_null(opened_by(&ack));
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_accepted), 1);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_32_options_come_back_in_the_echo),
			cmocka_unit_test(open_32_echo_is_never_ahead_of_the_clock),
			cmocka_unit_test(open_32_without_timestamps_neither_scaling_nor_sack),
			cmocka_unit_test(open_32_listener_without_timestamps),
			cmocka_unit_test(open_32_forged_echo_is_refused),
			cmocka_unit_test(open_31_mss_is_rounded_down),
			cmocka_unit_test(open_33_no_block_for_a_right_cookie),
			cmocka_unit_test(open_33_conn_max_at_the_cookie_ack),
			cmocka_unit_test(open_33_replay_opens_one_connection),
			cmocka_unit_test(tw_8_reopening_syn_gets_no_cookie),
			cmocka_unit_test(open_25_half_open_after_cookie_has_its_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
