/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: rows RES-3 to RES-6 and RES-8 of doc/requirements.md: what happens when ports, packet
 * buffers, blocks or slots of the table are short. Method: a bed of stations with small shares;
 * the flow table is filled from outside. What the shell does is in
 * test_rfc_resources_shell.c. */

#include <errno.h>

#include "resource_bed.h"

#include "stack/stack.h"

/* ---- RES-3 ---- */

static void
tune_ports(struct pmtcp_conf *conf)
{
	conf->port_first = 40000;
	conf->port_last = 40002;
	conf->tw_reuse = PMTCP_TW_REUSE_OFF;
	conf->max_conns = 4;
}

static int
open_to(uint16_t rport)
{
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, rport);
	struct pmtcp_conn *conn;

	return pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn);
}

static void
res_3_each_shortage_has_its_own_error_and_numbers(void **state)
{
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 80);
	struct pmtcp_port_report r;
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = X};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_ports);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	bed_close_first(&bed, &peer, conn);
	assert_int_equal(open_to(80), 0);
	assert_int_equal(open_to(80), 0);
	assert_int_equal(open_to(80), -EADDRNOTAVAIL);
	pmtcp_port_report(bed.ctx, NULL, &remote, &r);
	assert_int_equal(r.range, 3);
	assert_int_equal(r.in_use, 2);
	assert_int_equal(r.time_wait, 1);
	assert_int_equal(r.foreign, 0);
	assert_in_range(r.next_free_ms, 59000, 60300);
	/* Another remote has ports, until the blocks are gone. */
	assert_int_equal(open_to(81), 0);
	assert_int_equal(open_to(81), 0);
	assert_int_equal(open_to(81), -ENFILE);
	bed_advance(&bed, 250 * SEC); /* the SYNs time out */
	pop_events();
	bed_forget(&bed);
	bed_destroy(&bed);
}

static void
res_3_retry_works_after_the_first_expiry(void **state)
{
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_ports);
	for (int i = 0; i < 3; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = X};

		assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
		bed_close_first(&bed, &peer, conn);
	}
	assert_int_equal(open_to(80), -EADDRNOTAVAIL);
	bed_advance(&bed, 61 * SEC);
	assert_int_equal(open_to(80), 0);
	bed_destroy(&bed);
}

/* ---- RES-4 ---- */

enum { CROWD = 200000, CROWD_PORTS = 50000 };

static void
tune_crowd(struct pmtcp_conf *conf)
{
	conf->max_conns = CROWD;
	conf->gateway = TEST_PEER;
}

static void
res_4_one_port_takes_any_number(void **state)
{
	struct pmtcp_listen_opts opts = {.conn_max = CROWD + 1};

	(void)state;
	bed_create(&bed, tune_crowd);
	listen_with(&opts);
	for (uint32_t i = 0; i < CROWD; i++) {
		struct bed_peer peer = station((uint16_t)(2000 + i % CROWD_PORTS));

		peer.ip = PMTCP_IP4(172, 16, 0, 1) + i / CROWD_PORTS;
		assert_non_null(bed_accept(&bed, &peer));
	}
	assert_int_equal(bed_stats(&bed).state[PMTCP_ESTABLISHED], CROWD);
	/* What is exhausted in the end is blocks, not ports. */
	assert_false(syn_is_answered(9));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_tcb_full), 1);
	assert_int_equal(bed_counter(&bed, PMTCP_C_port_exhausted), 0);
	bed_destroy(&bed);
}

/* ---- RES-5, RES-6 ---- */

static void
res_5_low_buffers_keep_what_lives_going(void **state)
{
	static const uint16_t levels[] = {249, 99, 1, 1000};
	uint64_t cookies, taken;

	(void)state;
	begin(NULL);
	accept_one(0);
	for (uint32_t i = 0; i < PMTCP_ARRAY_SIZE(levels); i++) {
		bool is_low = levels[i] < 250;

		pmtcp_set_pressure(bed.ctx, levels[i]);
		cookies = bed_counter(&bed, PMTCP_C_cookies_sent);
		taken = bed_counter(&bed, PMTCP_C_syn_taken);
		for (uint16_t k = 1; k <= 20; k++)
			assert_true(syn_is_answered((uint16_t)(100 * i + k)));
		assert_int_equal(
				bed_counter(&bed, PMTCP_C_cookies_sent) - cookies, is_low ? 20 : 0);
		assert_int_equal(bed_counter(&bed, PMTCP_C_syn_taken) - taken, is_low ? 0 : 20);
		echo_works(0);
	}
	/* FIN and RST are heard. */
	pmtcp_set_pressure(bed.ctx, 1);
	bed_peer_sends(&bed, &peers[0], PKT_FIN | PKT_ACK, 0);
	assert_int_equal(bed_peer_gets(&bed, &peers[0])->ack, peers[0].seq);
	bed_peer_sends(&bed, &peers[0], PKT_RST, 0);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).reason, PMTCP_PEER_RESET);
	bed_destroy(&bed);
}

enum { BUFFERS = 512, ATTACKERS = 20, ATTACK_ROUNDS = 60, ATTACK_BURST = 32 };

/* The context may have what is left of so many buffers, and knows it. */
static void
limit_buffers(void)
{
	uint32_t left = BUFFERS - min_u32(BUFFERS, test_pool_live(bed.pool));

	pmtcp_set_pressure(bed.ctx, (uint16_t)(left * 1000 / BUFFERS));
	test_pool_fail_after(bed.pool, left);
}

/* Text above ever new holes, to pin buffers, and SYNs of stations that do not exist. */
static void
attack(uint32_t round)
{
	for (uint32_t k = 0; k < ATTACK_BURST; k++) {
		uint32_t n = round * ATTACK_BURST + k;
		struct bed_peer p = peers[1 + n % ATTACKERS];
		struct build syn = syn_of((uint16_t)(20000 + n), X, 0);

		if (test_pool_live(bed.pool) + 2 > BUFFERS)
			break; /* the device has no buffer for it */
		p.seq += 1000 + 2000 * (n / ATTACKERS % 32);
		bed_peer_sends(&bed, &p, PKT_ACK, 1000);
		if (k % 4 == 0)
			bed_inject(&bed, &syn);
	}
	limit_buffers();
	bed_turn(&bed);
	test_pool_fail_after(bed.pool, TEST_POOL_NEVER);
	bed_forget(&bed);
}

/* An octet there and back, among whatever else is sent meanwhile. */
static void
echo_among_others(void)
{
	bool is_back = false;
	char octet;

	bed_peer_sends(&bed, &peers[0], PKT_ACK | PKT_PSH, 1);
	limit_buffers();
	bed_turn(&bed);
	assert_int_equal(pmtcp_read(conns[0], &octet, 1), 1);
	assert_int_equal(pmtcp_write(conns[0], &octet, 1), 1);
	bed_turn(&bed);
	test_pool_fail_after(bed.pool, TEST_POOL_NEVER);
	while (bed_take(&bed) != NULL)
		is_back |= bed.taken.dport == peers[0].port && bed.taken.len == 1;
	assert_true(is_back);
	peers[0].ack++;
	bed_peer_sends(&bed, &peers[0], PKT_ACK, 0);
	bed_turn(&bed);
	pop_events();
}

static void
res_5_pool_of_512_under_attack(void **state)
{
	uint32_t least = BUFFERS;

	(void)state;
	begin(tune_no_spares);
	for (int i = 0; i <= ATTACKERS; i++)
		accept_one(i);
	for (uint32_t round = 0; round < ATTACK_ROUNDS; round++) {
		attack(round);
		least = min_u32(least, BUFFERS - test_pool_live(bed.pool));
		assert_in_range(least, 4, BUFFERS);
		echo_among_others();
		bed_advance(&bed, BED_MS);
		bed_forget(&bed);
	}
	/* It was short indeed; when it is over, all is as before. */
	assert_in_range(least, 4, BUFFERS / 4);
	assert_true(bed_counter(&bed, PMTCP_C_cookies_sent) > 0);
	assert_true(bed_counter(&bed, PMTCP_C_ooo_dropped) > 0);
	for (int i = 1; i <= ATTACKERS; i++)
		bed_peer_sends(&bed, &peers[i], PKT_RST, 0);
	bed_advance(&bed, 300 * SEC);
	bed_forget(&bed);
	pop_events();
	assert_int_equal(test_pool_live(bed.pool), 0);
	assert_int_equal(bed_stats(&bed).live, 1);
	assert_int_equal(bed_stats(&bed).half_open, 0);
	limit_buffers();
	assert_true(syn_is_answered(9));
	assert_int_equal(bed_stats(&bed).half_open, 1);
	echo_works(0);
	bed_destroy(&bed);
}

/* Whatever is due: the first try finds no buffer, the second does. */
static const struct pkt *
gets_at_second_try(struct bed_peer *peer)
{
	test_pool_fail_after(bed.pool, 0);
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	test_pool_fail_after(bed.pool, TEST_POOL_NEVER);
	assert_non_null(bed_peer_gets(&bed, peer));
	return &bed.taken;
}

static void
res_6_nothing_is_marked_sent_without_a_buffer(void **state)
{
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 80);
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = X};
	struct pmtcp_conn *conn;
	struct pmtcp_event ev;

	(void)state;
	bed_create(&bed, tune_no_spares);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
	assert_int_equal(gets_at_second_try(&peer)->flags, PKT_SYN);
	bed_peer_sends(&bed, &peer, PKT_SYN | PKT_ACK, 0);
	assert_int_equal(gets_at_second_try(&peer)->flags, PKT_ACK);
	assert_int_equal(pmtcp_write(conn, "text", 4), 4);
	assert_int_equal(gets_at_second_try(&peer)->len, 4);
	pop_events();
	pmtcp_close(conn);
	assert_int_equal(gets_at_second_try(&peer)->flags, PKT_FIN | PKT_ACK);
	bed_peer_sends(&bed, &peer, PKT_FIN | PKT_ACK, 0);
	assert_int_equal(gets_at_second_try(&peer)->flags, PKT_ACK);
	ev = bed_event(&bed);
	assert_int_equal(ev.reason, PMTCP_GRACEFUL);
	assert_true(bed_counter(&bed, PMTCP_C_tx_nomem) >= 5);
	assert_int_equal(bed_counter(&bed, PMTCP_C_retransmitted), 0);
	bed_destroy(&bed);
}

/* ---- RES-8 ---- */

static void
res_8_empty_share_drops_syns_and_third_acks(void **state)
{
	struct pmtcp_listen_opts opts = {.conn_max = OPENS};
	uint32_t n = 0;

	(void)state;
	bed_create(&bed, tune_share);
	listen_with(&opts);
	for (int i = 0; i < OPENS; i++) {
		peers[i] = station((uint16_t)(2000 + i));
		bed_peer_sends(&bed, &peers[i], PKT_SYN, 0);
		assert_int_equal(bed_peer_gets(&bed, &peers[i])->flags, PKT_SYN | PKT_ACK);
	}
	for (int i = 0; i < OPENS; i++)
		bed_peer_sends(&bed, &peers[i], PKT_ACK, 0);
	bed_turn(&bed);
	assert_int_equal(bed_stats(&bed).state[PMTCP_ESTABLISHED], SHARE);
	assert_int_equal(bed_stats(&bed).half_open, OPENS - SHARE);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_tcb_full), OPENS - SHARE);
	assert_false(syn_is_answered(9));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_tcb_full), OPENS - SHARE + 1);
	/* The half-opens repeat their SYN-ACKs. */
	bed_advance(&bed, 1100 * BED_MS);
	while (bed_take(&bed) != NULL)
		n += bed.taken.flags == (PKT_SYN | PKT_ACK);
	assert_int_equal(n, OPENS - SHARE);
	bed_destroy(&bed);
}

/* The table is full: every vacant slot is taken by a block that is nobody's. */
static void
stuff_table(bool is_full)
{
	struct flow_table *ft = &bed.ctx->t.table;
	const uint32_t nobody = 1; /* the head of a chunk, never a block */

	for (uint32_t i = 0; i < ft->bucket_count * FLOW_BUCKET_SLOTS; i++) {
		struct flow_bucket *b = &ft->buckets[i / FLOW_BUCKET_SLOTS];
		uint32_t slot = i % FLOW_BUCKET_SLOTS;

		if (is_full && b->tag[slot] == 0) {
			b->tag[slot] = UINT16_MAX;
			b->index[slot] = nobody;
		} else if (!is_full && b->index[slot] == nobody) {
			b->tag[slot] = 0;
			b->index[slot] = 0;
		}
	}
}

/* SYNs of new tuples until one shares a bucket with what may give way. */
static uint32_t
syns_until_counted(enum pmtcp_counter c)
{
	static uint16_t port = 5000;
	uint32_t n = 0;

	while (bed_counter(&bed, c) == 0) {
		bool is_answered = syn_is_answered(port++);

		assert_int_equal(is_answered, bed_counter(&bed, c) == 1);
		assert_true(++n < 1000);
	}
	return n;
}

static void
res_8_time_wait_gives_its_slot(void **state)
{
	uint32_t n;

	(void)state;
	begin(tune_share);
	accept_one(0);
	accept_one(1);
	bed_close_first(&bed, &peers[1], conns[1]);
	stuff_table(true);
	n = syns_until_counted(PMTCP_C_tw_evicted);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_table_full), n - 1);
	assert_int_equal(bed_counter(&bed, PMTCP_C_table_full), n - 1);
	assert_int_equal(bed_stats(&bed).time_wait, 0);
	assert_int_equal(bed_stats(&bed).half_open, 1);
	/* Then that half-open, for another; what is established stays. */
	syns_until_counted(PMTCP_C_half_open_replaced);
	assert_int_equal(bed_stats(&bed).half_open, 1);
	echo_works(0);
	stuff_table(false);
	bed_destroy(&bed);
}

static void
res_8_open_takes_the_slot_of_a_time_wait_entry(void **state)
{
	uint16_t port = 1;

	(void)state;
	begin(tune_share);
	accept_one(0);
	bed_close_first(&bed, &peers[0], conns[0]);
	stuff_table(true);
	while (bed_counter(&bed, PMTCP_C_tw_evicted) == 0) {
		int ret = open_to(port++);

		assert_int_equal(ret, bed_counter(&bed, PMTCP_C_tw_evicted) ? 0 : -ENOBUFS);
		assert_true(port < 1000);
	}
	stuff_table(false);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_3_each_shortage_has_its_own_error_and_numbers),
			cmocka_unit_test(res_3_retry_works_after_the_first_expiry),
			cmocka_unit_test(res_4_one_port_takes_any_number),
			cmocka_unit_test(res_5_low_buffers_keep_what_lives_going),
			cmocka_unit_test(res_5_pool_of_512_under_attack),
			cmocka_unit_test(res_6_nothing_is_marked_sent_without_a_buffer),
			cmocka_unit_test(res_8_empty_share_drops_syns_and_third_acks),
			cmocka_unit_test(res_8_time_wait_gives_its_slot),
			cmocka_unit_test(res_8_open_takes_the_slot_of_a_time_wait_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
