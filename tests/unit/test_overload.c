/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: under overload things give way in the order of the table in doc/operations.md, each
 * step counts, and nothing needs a restart afterwards (RES-3, RES-5, RES-6, RES-8, OPEN-29,
 * TW-14). Method: one test per step of the table, on a bed of stations. Full rings are the
 * shell's and in test_worker.c. */

#include <errno.h>

#include "support/cookie_bed.h"

static struct bed_peer
station(uint16_t port)
{
	return (struct bed_peer){.ip = TEST_PEER, .port = port, .local_port = PORT, .seq = X};
}

/* The SYN is answered, and how it was counted. */
static bool
syn_is(uint16_t rport, enum pmtcp_counter fate)
{
	struct build syn = syn_of(rport, X, OPT_3);
	uint64_t before = bed_counter(&bed, fate);

	bed_inject(&bed, &syn);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, fate), before + 1);
	return bed_forget(&bed) > 0;
}

/* ---- step 1: half-opens ---- */

static void
overload_1_half_open_limit_brings_cookies(void **state)
{
	struct pmtcp_listen_opts opts = {.half_open_max = 2};

	(void)state;
	bed_create(&bed, NULL);
	listen_with(&opts);
	assert_true(syn_is(1, PMTCP_C_syn_taken));
	assert_true(syn_is(2, PMTCP_C_syn_taken));
	assert_true(syn_is(3, PMTCP_C_cookies_sent));
	/* They time out, and the next SYN has a block again. */
	bed_advance(&bed, 200 * SEC);
	bed_forget(&bed);
	assert_true(syn_is(4, PMTCP_C_syn_taken));
	bed_destroy(&bed);
}

/* ---- step 2: a flood ---- */

static void
tune_flood(struct pmtcp_conf *conf)
{
	conf->max_half_open = 1;
	conf->syn_per_ms = 2;
}

static void
overload_2_syns_beyond_the_limit_are_rationed(void **state)
{
	(void)state;
	begin(tune_flood);
	assert_true(syn_is(1, PMTCP_C_syn_taken));
	assert_true(syn_is(2, PMTCP_C_cookies_sent));
	assert_true(syn_is(3, PMTCP_C_cookies_sent));
	assert_false(syn_is(4, PMTCP_C_drop_syn_limit));
	bed.now += BED_MS;
	assert_true(syn_is(4, PMTCP_C_cookies_sent));
	bed_destroy(&bed);
}

/* ---- step 3: a quarter of the packet buffers is left ---- */

static void
tune_off(struct pmtcp_conf *conf)
{
	conf->syn_cookies = PMTCP_COOKIES_OFF;
}

static void
overload_3_short_buffers_keep_syns_out(void **state)
{
	(void)state;
	begin(NULL);
	pmtcp_set_pressure(bed.ctx, 249);
	assert_true(syn_is(1, PMTCP_C_cookies_sent));
	pmtcp_set_pressure(bed.ctx, 250);
	assert_true(syn_is(2, PMTCP_C_syn_taken));
	bed_destroy(&bed);
	begin(tune_off);
	pmtcp_set_pressure(bed.ctx, 249);
	assert_false(syn_is(1, PMTCP_C_drop_pressure));
	pmtcp_set_pressure(bed.ctx, 250);
	assert_true(syn_is(2, PMTCP_C_syn_taken));
	bed_destroy(&bed);
}

/* The peer fills what it may; the edge after the application has read it all. */
static uint32_t
edge_after_reading(struct bed_peer *peer, struct pmtcp_conn *conn)
{
	uint8_t buf[4096];
	uint32_t edge = 0;
	int n;

	for (int i = 0; i < 20; i++)
		bed_peer_sends(&bed, peer, PKT_ACK | PKT_PSH, 1460);
	bed_turn(&bed);
	while ((n = pmtcp_read(conn, buf, sizeof(buf))) > 0)
		;
	bed_advance(&bed, 50 * BED_MS);
	while (bed_take(&bed) != NULL)
		edge = bed.taken.ack + bed.taken.wnd;
	return edge;
}

static void
overload_3_short_buffers_hold_windows(void **state)
{
	struct bed_peer peer = station(1);
	struct pmtcp_conn *conn;
	uint32_t edge;

	(void)state;
	begin(NULL);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	edge = edge_after_reading(&peer, conn);
	assert_true(seq_gt(edge, peer.seq + 60000));
	pmtcp_set_pressure(bed.ctx, 249);
	assert_int_equal(edge_after_reading(&peer, conn), edge);
	pmtcp_set_pressure(bed.ctx, 250);
	assert_true(seq_gt(edge_after_reading(&peer, conn), edge));
	bed_destroy(&bed);
}

/* ---- step 4: a tenth ---- */

static void
send_above_a_hole(uint16_t rport, uint32_t seq, uint32_t ack, uint32_t len)
{
	static const uint8_t text[1000];
	struct build b = {.sport = rport,
			.dport = PORT,
			.seq = seq + 2000,
			.ack = ack,
			.flags = PKT_ACK,
			.wnd = 1000,
			.payload = text,
			.len = len};

	bed_inject(&bed, &b);
}

static void
overload_4_text_above_holes_goes_unsacked_first(void **state)
{
	struct build syn = syn_of(1, X, PKT_OPT_SACK_PERM), plain = syn_of(2, X, 0);
	struct build ack;
	struct pkt p;

	(void)state;
	begin(NULL);
	p = answer_to(&syn);
	ack = third_ack(&p);
	assert_non_null(opened_by(&ack));
	send_above_a_hole(1, ack.seq, ack.ack, 1000);
	bed_turn(&bed);
	bed_forget(&bed);
	p = answer_to(&plain);
	ack = third_ack(&p);
	assert_non_null(opened_by(&ack));
	send_above_a_hole(2, ack.seq, ack.ack, 300);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_ooo_queued), 2);
	pmtcp_set_pressure(bed.ctx, 100);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_ooo_dropped), 0);
	pmtcp_set_pressure(bed.ctx, 99);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_ooo_dropped), 300);
	bed_turn(&bed);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_ooo_dropped), 1300);
	assert_int_equal(bed_stats(&bed).records_used, 0);
	/* No more is taken; what is in order is. */
	send_above_a_hole(2, ack.seq, ack.ack, 300);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ooo_limit), 1);
	send_above_a_hole(2, ack.seq - 2000, ack.ack, 300);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_rx_octets), 300);
	bed_destroy(&bed);
}

/* ---- step 5: none ---- */

static void
tune_reserve(struct pmtcp_conf *conf)
{
	conf->spare_max = 0;
	conf->ctl_pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 256);
}

static void
overload_5_control_segments_have_a_reserve(void **state)
{
	struct bed_peer peer = station(1);
	struct pmtcp_conn *conn;

	(void)state;
	begin(tune_reserve);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	assert_int_equal(pmtcp_write(conn, "before", 6), 6);
	bed_peer_sends(&bed, &peer, PKT_FIN | PKT_ACK, 10);
	test_pool_fail_after(bed.pool, 0);
	bed_turn(&bed);
	/* Not the text, but the acknowledgment of the peer's FIN. */
	assert_int_equal(bed_peer_gets(&bed, &peer)->len, 0);
	assert_int_equal(bed.taken.ack, peer.seq);
	assert_int_equal(bed_forget(&bed), 0);
	assert_true(bed_counter(&bed, PMTCP_C_tx_nomem) > 0);
	test_pool_fail_after(bed.pool, TEST_POOL_NEVER);
	assert_int_equal(bed_peer_gets(&bed, &peer)->len, 6);
	bed_destroy(&bed);
	test_pool_destroy(bed.conf.ctl_pool);
}

/* ---- step 6: connection blocks ---- */

static void
tune_two_conns(struct pmtcp_conf *conf)
{
	conf->max_conns = 2;
}

static void
overload_6_block_share_refuses_opens(void **state)
{
	struct pmtcp_listen_opts opts = {.conn_max = 3};
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 9);
	struct bed_peer peer[2] = {station(1), station(2)};
	struct pmtcp_conn *conn[2], *more;

	(void)state;
	bed_create(&bed, tune_two_conns);
	listen_with(&opts);
	for (int i = 0; i < 2; i++) {
		conn[i] = bed_accept(&bed, &peer[i]);
		assert_non_null(conn[i]);
	}
	assert_false(syn_is(3, PMTCP_C_drop_tcb_full));
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &more), -ENFILE);
	/* The others go on, and their end makes room. */
	bed_peer_sends(&bed, &peer[1], PKT_ACK | PKT_PSH, 10);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_READABLE);
	pmtcp_detach(conn[0]);
	bed_peer_gets(&bed, &peer[0]);
	bed_peer_sends(&bed, &peer[0], PKT_FIN | PKT_ACK, 0);
	bed_turn(&bed);
	bed_forget(&bed);
	assert_true(syn_is(4, PMTCP_C_syn_taken));
	bed_destroy(&bed);
}

/* ---- step 7: TIME-WAIT ---- */

static void
tune_two_entries(struct pmtcp_conf *conf)
{
	conf->max_time_wait = 2;
}

static void
overload_7_the_oldest_time_wait_gives_way(void **state)
{
	(void)state;
	begin(tune_two_entries);
	for (uint16_t i = 1; i <= 3; i++) {
		struct bed_peer peer = station(i);
		struct pmtcp_conn *conn = bed_accept(&bed, &peer);

		assert_non_null(conn);
		bed_close_first(&bed, &peer, conn);
		bed_advance(&bed, 1 * SEC);
	}
	assert_int_equal(bed_stats(&bed).time_wait, 2);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_evicted), 1);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(overload_1_half_open_limit_brings_cookies),
			cmocka_unit_test(overload_2_syns_beyond_the_limit_are_rationed),
			cmocka_unit_test(overload_3_short_buffers_keep_syns_out),
			cmocka_unit_test(overload_3_short_buffers_hold_windows),
			cmocka_unit_test(overload_4_text_above_holes_goes_unsacked_first),
			cmocka_unit_test(overload_5_control_segments_have_a_reserve),
			cmocka_unit_test(overload_6_block_share_refuses_opens),
			cmocka_unit_test(overload_7_the_oldest_time_wait_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
