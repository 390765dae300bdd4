/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: OPEN-29, OPEN-33 and OPEN-39 of doc/requirements.md, and ECN through cookies: what
 * a listener may hold, and what a cookie carries. Method: a bed of stations that looks only
 * at frames. SYN cookies have programs of their own, test_rfc_cookie.c and _opts.c. */

#include "support/cookie_bed.h"

#include "support/rows.h"

/* ---- OPEN-29 ---- */

static void
ten_syns(const struct pmtcp_listen_opts *opts)
{
	bed_create(&bed, NULL);
	listen_with(opts);
	for (uint16_t i = 0; i < 10; i++) {
		struct build syn = syn_of((uint16_t)(RPORT + i), X, OPT_3);

		bed_inject(&bed, &syn);
		bed_turn(&bed);
		bed_forget(&bed);
		assert_true(bed_stats(&bed).half_open <= 4);
	}
	assert_int_equal(bed_stats(&bed).half_open, 4);
}

static void
open_29_above_half_open_max_come_cookies(void **state)
{
	struct pmtcp_listen_opts opts = {.half_open_max = 4};

	(void)state;
	ten_syns(&opts);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 6);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_replaced), 0);
	bed_destroy(&bed);
}

static void
open_29_without_cookies_one_is_replaced(void **state)
{
	struct pmtcp_listen_opts opts = {.half_open_max = 4, .syn_cookies = PMTCP_COOKIES_OFF};

	(void)state;
	ten_syns(&opts);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_replaced), 6);
	bed_destroy(&bed);
}

/* Three of four have been repeated once: the fourth, which came later, is not the one. */
static void
open_29_the_most_repeated_is_replaced(void **state)
{
	struct pmtcp_listen_opts opts = {.half_open_max = 4, .syn_cookies = PMTCP_COOKIES_OFF};
	struct bed_peer last = {.ip = TEST_PEER, .port = 9000, .local_port = PORT, .seq = X};

	(void)state;
	bed_create(&bed, NULL);
	listen_with(&opts);
	for (uint16_t i = 0; i < 3; i++) {
		struct build syn = syn_of((uint16_t)(RPORT + i), X, 0);

		answer_to(&syn);
	}
	bed_advance(&bed, 1100 * BED_MS);
	bed_forget(&bed);
	bed_peer_sends(&bed, &last, PKT_SYN, 0);
	assert_non_null(bed_peer_gets(&bed, &last));
	for (uint16_t i = 3; i < 6; i++) {
		struct build syn = syn_of((uint16_t)(RPORT + i), X, 0);

		answer_to(&syn);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_replaced), 3);
	bed_peer_sends(&bed, &last, PKT_ACK, 0);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_ACCEPTED);
	bed_destroy(&bed);
}

static void
open_29_above_conn_max_silence_or_rst(void **state)
{
	(void)state;
	for (int rst = 0; rst < 2; rst++) {
		struct pmtcp_listen_opts opts = {.conn_max = 1, .rst_on_overflow = rst};
		struct bed_peer peer = {.ip = TEST_PEER, .port = 3000, .local_port = PORT};
		struct build syn = syn_of(RPORT, X, 0);

		bed_create(&bed, NULL);
		listen_with(&opts);
		assert_non_null(bed_accept(&bed, &peer));
		bed_inject(&bed, &syn);
		bed_turn(&bed);
		assert_int_equal(bed_take(&bed) != NULL, rst);
		if (rst) {
			assert_int_equal(bed.taken.flags, PKT_RST | PKT_ACK);
			assert_int_equal(bed.taken.seq, 0);
			assert_int_equal(bed.taken.ack, X + 1);
		}
		assert_int_equal(bed_counter(&bed, PMTCP_C_drop_conn_limit), 1);
		/* Who is there goes on. */
		bed_peer_sends(&bed, &peer, PKT_ACK | PKT_PSH, 5);
		bed_turn(&bed);
		assert_int_equal(bed_event(&bed).flags, PMTCP_EV_READABLE);
		bed_destroy(&bed);
	}
}

/* ---- OPEN-32 ---- */

/* The SYN-ACK to a SYN with these flags, and whether text of ours is marked ECT(0) then. */
static struct pkt
ecn_of(uint16_t rport, uint8_t flags, uint8_t opts, bool *is_marked)
{
	struct build syn = syn_of(rport, X, opts);
	struct pmtcp_conn *conn;
	struct build ack;
	struct pkt p;

	syn.flags |= flags;
	bed_inject(&bed, &syn);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	p = bed.taken;
	ack = third_ack(&p);
	conn = opened_by(&ack);
	assert_non_null(conn);
	assert_int_equal(pmtcp_write(conn, "0123456789", 10), 10);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.len, 10);
	*is_marked = (bed.taken.tos & 3) == 2;
	pmtcp_detach(conn);
	bed_turn(&bed);
	bed_forget(&bed);
	return p;
}

/* RFC 3168 6.1.1: ECE alone agrees. Bit 5 of the TSval says so; the other five stay as they
 * were, and without timestamps there is no room for it. */
static void
open_32_ecn_comes_back_in_the_echo(void **state)
{
	bool is_marked;
	struct pkt p;

	(void)state;
	begin(tune_always);
	p = ecn_of(RPORT, PKT_ECE | PKT_CWR, OPT_3, &is_marked);
	assert_int_equal(p.flags, PKT_SYN | PKT_ACK | PKT_ECE);
	assert_int_equal(p.tsval & 0x3f, 7 | 0x10 | 0x20);
	assert_true(is_marked);
	p = ecn_of(RPORT + 1, 0, OPT_3, &is_marked);
	assert_int_equal(p.flags, PKT_SYN | PKT_ACK);
	assert_int_equal(p.tsval & 0x3f, 7 | 0x10);
	assert_false(is_marked);
	p = ecn_of(RPORT + 2, PKT_ECE, OPT_3, &is_marked);
	assert_int_equal(p.flags, PKT_SYN | PKT_ACK);
	assert_false(is_marked);
	p = ecn_of(RPORT + 3, PKT_ECE | PKT_CWR, 0, &is_marked);
	assert_int_equal(p.flags, PKT_SYN | PKT_ACK);
	assert_false(is_marked);
	bed_destroy(&bed);
}

static void
tune_always_no_ecn(struct pmtcp_conf *conf)
{
	conf->syn_cookies = PMTCP_COOKIES_ALWAYS;
	conf->ecn = PMTCP_ECN_OFF;
}

static void
open_32_ecn_switched_off_is_not_agreed(void **state)
{
	bool is_marked;
	struct pkt p;

	(void)state;
	begin(tune_always_no_ecn);
	p = ecn_of(RPORT, PKT_ECE | PKT_CWR, OPT_3, &is_marked);
	assert_int_equal(p.flags, PKT_SYN | PKT_ACK);
	assert_int_equal(p.tsval & 0x3f, 7 | 0x10);
	assert_false(is_marked);
	bed_destroy(&bed);
}

/* A peer that flips the bit wants more than it was given: the cookie is wrong then. */
static void
open_32_ecn_bit_is_part_of_the_cookie(void **state)
{
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct build ack;
	struct pkt p;

	(void)state;
	begin(tune_always);
	p = answer_to(&syn);
	ack = third_ack(&p);
	ack.tsecr |= 0x20;
	expect_refused(&ack);
	bed_destroy(&bed);
}

/* The third ACK's text came with a mark. */
static void
open_32_mark_on_the_third_ack_is_echoed(void **state)
{
	static const uint8_t text[10];
	struct build syn = syn_of(RPORT, X, OPT_3);
	struct build ack;
	struct pkt p;

	(void)state;
	begin(tune_always);
	syn.flags |= PKT_ECE | PKT_CWR;
	bed_inject(&bed, &syn);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	p = bed.taken;
	ack = third_ack(&p);
	ack.payload = text;
	ack.len = sizeof(text);
	ack.tos = 3;
	assert_non_null(opened_by(&ack));
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.flags, PKT_ACK | PKT_ECE);
	bed_destroy(&bed);
}

/* ---- OPEN-33 ---- */

/* The peer believes to be open and waits for us to speak: nothing comes. */
static void
open_33_lost_third_ack_stalls_who_waits(void **state)
{
	struct build syn = syn_of(RPORT, X, 0);

	(void)state;
	begin(tune_always);
	answer_to(&syn);
	bed_advance(&bed, 100 * SEC);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_stats(&bed).live, 0);
	bed_destroy(&bed);
}

/* ---- OPEN-39 ---- */

static void
open_39_end_of_a_listener_resets_half_opens(void **state)
{
	struct bed_peer old = {.ip = TEST_PEER, .port = 3000, .local_port = PORT, .seq = X};
	struct pmtcp_addr local = pmtcp_addr4(0, PORT);
	struct build syn = syn_of(5000, X, 0);
	struct pmtcp_listener *l;
	struct bed_peer peer[3];

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	assert_non_null(bed_accept(&bed, &old));
	for (uint16_t i = 0; i < 3; i++) {
		peer[i] = old;
		peer[i].port = (uint16_t)(RPORT + i);
		peer[i].seq = X;
		bed_peer_sends(&bed, &peer[i], PKT_SYN, 0);
		assert_non_null(bed_peer_gets(&bed, &peer[i]));
	}
	assert_int_equal(bed_stats(&bed).half_open, 3);
	pmtcp_unlisten(l);
	for (int i = 0; i < 3; i++) {
		const struct pkt *p = bed_peer_gets(&bed, &peer[i]);

		assert_non_null(p);
		assert_int_equal(p->flags, PKT_RST | PKT_ACK);
		assert_int_equal(p->seq, peer[i].ack);
		assert_int_equal(p->ack, X + 1);
	}
	assert_int_equal(bed_stats(&bed).half_open, 0);
	bed_inject(&bed, &syn);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.flags, PKT_RST | PKT_ACK);
	assert_int_equal(bed.taken.seq, 0);
	assert_int_equal(bed.taken.ack, X + 1);
	bed_peer_sends(&bed, &old, PKT_ACK | PKT_PSH, 5);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_READABLE);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_29_above_half_open_max_come_cookies),
			cmocka_unit_test(open_29_without_cookies_one_is_replaced),
			cmocka_unit_test(open_29_the_most_repeated_is_replaced),
			cmocka_unit_test(open_29_above_conn_max_silence_or_rst),
			cmocka_unit_test(open_32_ecn_comes_back_in_the_echo),
			cmocka_unit_test(open_32_ecn_switched_off_is_not_agreed),
			cmocka_unit_test(open_32_ecn_bit_is_part_of_the_cookie),
			cmocka_unit_test(open_32_mark_on_the_third_ack_is_echoed),
			cmocka_unit_test(open_33_lost_third_ack_stalls_who_waits),
			cmocka_unit_test(open_39_end_of_a_listener_resets_half_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
