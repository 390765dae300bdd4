/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: SYN cookies keep nothing and open only for the right ACK in its time (RFC 4987
 * section 3.6; OPEN-30, OPEN-31, SEC-11). Method: a bed of stations that looks only at
 * frames. What the SYN's options become is in test_rfc_cookie_opts.c, floods are in
 * test_tcp_flood.c. */

#include "support/cookie_bed.h"

/* ---- OPEN-30 ------------------------------------------------------------- */

static void
open_30_syn_ack_keeps_nothing(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3);

	(void)state;
	begin(tune_always);
	answer_to(&syn);
	assert_int_equal(bed_stats(&bed).half_open, 0);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	assert_int_equal(bed_stats(&bed).state[PMTCP_SYN_RCVD], 0);
	assert_int_equal(test_pool_live(bed.pool), 0);
	assert_true(pmtcp_deadline(bed.ctx) == UINT64_MAX);
	bed_advance(&bed, 200 * SEC);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 1);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_created), 0);
	bed_destroy(&bed);
}

static void
open_30_syn_again_gets_the_same_number(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct pkt first, again;

	(void)state;
	begin(tune_always);
	first = answer_to(&syn);
	bed_advance(&bed, 1 * SEC);
	again = answer_to(&syn);
	assert_int_equal(again.seq, first.seq);
	/* Another SYN of the tuple gets another one. */
	syn.seq++;
	assert_int_not_equal(answer_to(&syn).seq, first.seq);
	assert_non_null(opened_by(&(struct build){.sport = RPORT,
			.dport = PORT,
			.seq = X + 1,
			.ack = first.seq + 1,
			.flags = PKT_ACK,
			.wnd = 1000,
			.opts = PKT_OPT_TS,
			.tsval = 950,
			.tsecr = first.tsval}));
	bed_destroy(&bed);
}

/* OPEN-29: backlog 4, 10 SYNs: 4 half-opens and 6 cookies; 4 and no more with cookies off. */
static void
open_30_auto_begins_at_half_open_max(void **state)
{
	struct pmtcp_listen_opts opts = {.half_open_max = 4};

	(void)state;
	bed_create(&bed, NULL);
	listen_with(&opts);
	for (uint16_t i = 0; i < 10; i++) {
		struct build syn = syn_of((uint16_t)(RPORT + i), X, OPT_3);
		struct pkt p = answer_to(&syn);
		struct build ack = third_ack(&p);

		if (i == 9)
			assert_non_null(opened_by(&ack));
	}
	assert_int_equal(bed_stats(&bed).half_open, 4);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 6);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_replaced), 0);
	bed_destroy(&bed);
}

static void
tune_few_half_opens(struct pmtcp_conf *conf)
{
	conf->max_half_open = 3;
}

static void
open_30_auto_begins_at_the_core_share(void **state)
{
	(void)state;
	begin(tune_few_half_opens);
	for (uint16_t i = 0; i < 5; i++) {
		struct build syn = syn_of((uint16_t)(RPORT + i), X, OPT_3);

		answer_to(&syn);
	}
	assert_int_equal(bed_stats(&bed).half_open, 3);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 2);
	bed_destroy(&bed);
}

static void
open_30_a_listener_overrides_the_context(void **state)
{
	struct pmtcp_listen_opts off = {.syn_cookies = PMTCP_COOKIES_OFF};
	struct pmtcp_listen_opts wrong = {.syn_cookies = PMTCP_COOKIES_OFF + 1};
	struct pmtcp_addr local = pmtcp_addr4(0, PORT + 1);
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct pmtcp_listener *l;

	(void)state;
	bed_create(&bed, tune_always);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, &wrong, &l), -22);
	listen_with(&off);
	answer_to(&syn);
	assert_int_equal(bed_stats(&bed).half_open, 1);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 0);
	bed_destroy(&bed);
}

/* OPEN-20: text on the SYN is not kept and not acknowledged. */
static void
open_30_text_on_the_syn_is_not_kept(void **state)
{
	struct build syn = syn_of(RPORT, X, 0);
	struct pkt p;

	(void)state;
	begin(tune_always);
	syn.payload = "0123456789";
	syn.len = 10;
	p = answer_to(&syn);
	assert_int_equal(p.len, 0);
	bed_destroy(&bed);
}

/* ---- OPEN-31 ------------------------------------------------------------- */

static void
open_31_right_ack_opens(void **state)
{
	struct build syn = syn_of(RPORT, X, 0);
	struct pmtcp_conn_info info;
	struct pmtcp_conn *conn;
	struct build ack;
	struct pkt p;

	(void)state;
	begin(tune_always);
	p = answer_to(&syn);
	ack = third_ack(&p);
	conn = opened_by(&ack);
	assert_non_null(conn);
	info = info_of(conn);
	assert_int_equal(info.state, PMTCP_ESTABLISHED);
	assert_int_equal(info.snd_una, p.seq + 1);
	assert_int_equal(info.snd_nxt, p.seq + 1);
	assert_int_equal(info.snd_wnd, 1000);
	assert_int_equal(info.rcv_nxt, X + 1);
	assert_int_equal(info.rcv_wnd, 65535);
	assert_int_equal(info.mss, 1460);
	assert_int_equal(info.srtt_us, 0);
	assert_int_equal(info.rto_us, 1000000);
	assert_null(bed_take(&bed));
	bed_destroy(&bed);
}

static void
open_31_ack_beside_the_number_is_refused(void **state)
{
	static const int32_t off[] = {1, -1, 2, 7, 8, -8, 64, 1 << 24, 16000000, -16000000};
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct build ack;
	struct pkt p;

	(void)state;
	begin(tune_always);
	p = answer_to(&syn);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(off); i++) {
		ack = third_ack(&p);
		ack.ack += (uint32_t)off[i];
		expect_refused(&ack);
		ack = third_ack(&p);
		ack.seq += (uint32_t)off[i];
		expect_refused(&ack);
	}
	ack = third_ack(&p);
	ack.sport++;
	expect_refused(&ack);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_failed), 2 * PMTCP_ARRAY_SIZE(off) + 1);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	ack = third_ack(&p);
	assert_non_null(opened_by(&ack));
	bed_destroy(&bed);
}

/* The clock starts at 1000 s, in the step of 960 to 1024 s. Another cookie, given out
 * later, keeps the door open: only the age of the first decides. */
static void
age_of(uint64_t later_ns, bool is_right)
{
	struct build syn = syn_of(RPORT, X, OPT_3), other = syn_of(RPORT + 1, X, OPT_3);
	struct build ack;
	struct pkt p;

	begin(tune_always);
	p = answer_to(&syn);
	ack = third_ack(&p);
	bed_advance(&bed, later_ns);
	answer_to(&other);
	if (is_right)
		assert_non_null(opened_by(&ack));
	else
		expect_refused(&ack);
	bed_destroy(&bed);
}

static void
open_31_cookie_lives_two_steps(void **state)
{
	(void)state;
	age_of(23 * SEC, true);
	age_of(25 * SEC, true);
	age_of(87 * SEC, true);
	age_of(89 * SEC, false);
	age_of(240 * SEC, false);
}

/* Right in number and age, but the last cookie was given out too long ago. */
static void
open_31_closed_128_s_after_the_last_cookie(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct build ack;
	struct pkt p;

	(void)state;
	begin(tune_always);
	bed_advance(&bed, 24 * SEC + BED_MS);
	p = answer_to(&syn);
	ack = third_ack(&p);
	bed_advance(&bed, 129 * SEC);
	expect_refused(&ack);
	/* It was not looked at as a cookie at all. */
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_failed), 0);
	bed_destroy(&bed);
}

/* The same secrets at the same time would have made this cookie, but did not. */
static void
open_31_cookie_never_issued_is_refused(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct build ack;
	struct pkt p;

	(void)state;
	begin(tune_always);
	p = answer_to(&syn);
	ack = third_ack(&p);
	bed_destroy(&bed);
	begin(NULL);
	expect_refused(&ack);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_failed), 0);
	bed_destroy(&bed);
}

/* 16 000 000 numbers per step of 64 s pass 2^32 between 17152 and 17216 s. The peer's
 * numbers wrap, too. */
static void
open_31_numbers_wrap(void **state)
{
	uint32_t before, after;

	(void)state;
	begin(tune_always);
	for (uint32_t i = 0; i < 3; i++) {
		struct build syn = syn_of((uint16_t)(RPORT + i), UINT32_MAX - i, OPT_3);
		struct build ack;
		struct pkt p;

		bed_advance(&bed, i == 0 ? 16150 * SEC : 62 * SEC);
		p = answer_to(&syn);
		ack = third_ack(&p);
		bed_advance(&bed, 4 * SEC);
		assert_non_null(opened_by(&ack));
		bed_forget(&bed);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_accepted), 3);
	bed_destroy(&bed);

	/* OPEN-7: from step to step they rise, by 16 000 000 and 2^24 more or less. */
	begin(tune_always);
	before = answer_to(&(struct build){.sport = RPORT, .dport = PORT, .flags = PKT_SYN}).seq;
	bed_advance(&bed, 128 * SEC);
	after = answer_to(&(struct build){.sport = RPORT, .dport = PORT, .flags = PKT_SYN}).seq;
	assert_in_range(after - before, 32000000 - (1 << 24), 32000000 + (1 << 24));
	bed_destroy(&bed);
}

static void
open_31_text_and_fin_are_taken(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct pmtcp_event ev;
	struct build ack;
	const struct pkt *p;
	struct pkt sa;
	uint8_t buf[16];

	(void)state;
	begin(tune_always);
	sa = answer_to(&syn);
	ack = third_ack(&sa);
	ack.flags |= PKT_FIN | PKT_PSH;
	ack.payload = "hello";
	ack.len = 5;
	bed_inject(&bed, &ack);
	bed_turn(&bed);
	ev = bed_event(&bed);
	assert_int_equal(ev.flags, PMTCP_EV_ACCEPTED | PMTCP_EV_READABLE | PMTCP_EV_PEER_FIN);
	assert_int_equal(pmtcp_read(ev.conn, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(pmtcp_read(ev.conn, buf, sizeof(buf)), 0);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_ACK);
	assert_int_equal(p->ack, X + 7);
	assert_int_equal(p->tsecr, 950);
	assert_null(bed_take(&bed));
	assert_int_equal(info_of(ev.conn).state, PMTCP_CLOSE_WAIT);
	bed_destroy(&bed);
}

/* OPEN-21: the third ACK was lost, the first text opens. */
static void
open_31_text_replaces_a_lost_third_ack(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = RPORT, .local_port = PORT, .seq = X};
	struct pmtcp_event ev;

	(void)state;
	begin(tune_always);
	bed_peer_sends(&bed, &peer, PKT_SYN, 0);
	assert_non_null(bed_peer_gets(&bed, &peer));
	bed_peer_sends(&bed, &peer, PKT_ACK | PKT_PSH, 100);
	bed_peer_sends(&bed, &peer, PKT_ACK | PKT_PSH, 100); /* in the same burst */
	bed_turn(&bed);
	ev = bed_event(&bed);
	assert_int_equal(ev.flags, PMTCP_EV_ACCEPTED | PMTCP_EV_READABLE);
	assert_int_equal(info_of(ev.conn).unread, 200);
	/* And the release is that of any other connection. */
	pmtcp_recv_done(ev.conn, 0);
	assert_int_equal(pmtcp_write(ev.conn, "answer", 6), 6);
	assert_int_equal(bed_peer_gets(&bed, &peer)->len, 6);
	bed_advance(&bed, 3 * BED_MS);
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_turn(&bed);
	assert_in_range(info_of(ev.conn).srtt_us, 3000, 3001);
	bed_destroy(&bed);
}

/* ---- SEC-11 -------------------------------------------------------------- */

/* 1000 s lie in the first epoch of 1024 s, 1030 s in the second. */
static void
sec_11_key_changes_and_the_last_one_is_known(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3), late = syn_of(RPORT + 1, X, OPT_3);
	struct build ack;
	struct pkt p;

	(void)state;
	begin(tune_always);
	bed_advance(&bed, 20 * SEC);
	p = answer_to(&syn);
	ack = third_ack(&p);
	bed_advance(&bed, 10 * SEC);
	answer_to(&late);
	assert_non_null(opened_by(&ack));
	bed_destroy(&bed);
}

static void
tune_other_secret(struct pmtcp_conf *conf)
{
	tune_always(conf);
	conf->secrets.cookie[1] ^= 1;
}

static void
sec_11_cookies_have_a_secret_of_their_own(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct build ack;
	struct pkt p, other;

	(void)state;
	begin(tune_always);
	p = answer_to(&syn);
	ack = third_ack(&p);
	bed_destroy(&bed);
	begin(tune_other_secret);
	other = answer_to(&syn);
	assert_int_not_equal(other.seq, p.seq);
	expect_refused(&ack);
	bed_destroy(&bed);
	/* The same again: nothing is drawn at random. */
	begin(tune_always);
	assert_int_equal(answer_to(&syn).seq, p.seq);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_30_syn_ack_keeps_nothing),
			cmocka_unit_test(open_30_syn_again_gets_the_same_number),
			cmocka_unit_test(open_30_auto_begins_at_half_open_max),
			cmocka_unit_test(open_30_auto_begins_at_the_core_share),
			cmocka_unit_test(open_30_a_listener_overrides_the_context),
			cmocka_unit_test(open_30_text_on_the_syn_is_not_kept),
			cmocka_unit_test(open_31_right_ack_opens),
			cmocka_unit_test(open_31_ack_beside_the_number_is_refused),
			cmocka_unit_test(open_31_cookie_lives_two_steps),
			cmocka_unit_test(open_31_closed_128_s_after_the_last_cookie),
			cmocka_unit_test(open_31_cookie_never_issued_is_refused),
			cmocka_unit_test(open_31_numbers_wrap),
			cmocka_unit_test(open_31_text_and_fin_are_taken),
			cmocka_unit_test(open_31_text_replaces_a_lost_third_ack),
			cmocka_unit_test(sec_11_key_changes_and_the_last_one_is_known),
			cmocka_unit_test(sec_11_cookies_have_a_secret_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
