/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what one connection finds out of a path helps the next to the same destination, for
 * as long as it may be believed, and nobody else (DATA-46; RFC 1191 section 3, RFC 8201
 * section 5.2). Method: a bed of stations behind a router; a whole transfer over both
 * versions stands in tests/sim/test_sim_pmtu.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/pool.h"

enum { FULL = 1460 };

#define ELSEWHERE PMTCP_IP4(192, 0, 2, 1)
#define SEC       (1000 * BED_MS)

static struct bed bed;
static uint8_t text[4 * FULL];

/* Everybody else is behind the one neighbour. */
static void
tune(struct pmtcp_conf *conf)
{
	conf->gateway = TEST_PEER;
}

static void
tune_few_rares(struct pmtcp_conf *conf)
{
	tune(conf);
	conf->max_rares = 1;
}

static struct bed_peer
station(uint32_t ip, uint16_t port)
{
	return (struct bed_peer){.ip = ip, .port = port, .seq = 1000};
}

static struct pmtcp_conn *
open_to(struct bed_peer *peer)
{
	struct pmtcp_conn *conn;

	assert_int_equal(bed_open(&bed, peer, 0, &conn), 0);
	return conn;
}

static struct pmtcp_conn_info
info_of(const struct pmtcp_conn *conn)
{
	struct pmtcp_conn_info info;

	pmtcp_conn_info(conn, &info);
	return info;
}

static void
give_up(struct pmtcp_conn *conn)
{
	pmtcp_detach(conn);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_forget(&bed);
}

/* The router says what it can carry, of the segment with this number. */
static void
too_big(const struct bed_peer *peer, uint32_t seq, uint16_t mtu, uint16_t len)
{
	const struct build_icmp icmp = {.type = 3, .code = 4, .rest = mtu};
	struct build inner = {.saddr = TEST_ADDR,
			.daddr = peer->ip,
			.ip_len = len,
			.sport = peer->local_port,
			.dport = peer->port,
			.seq = seq,
			.flags = PKT_ACK};
	struct build b = {.saddr = TEST_PEER, .daddr = TEST_ADDR, .len = 28};
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR), router = ctx_mac_of(TEST_PEER);
	uint8_t frame[128];

	build_tcp_bytes(&inner, frame, sizeof(frame));
	b.payload = frame + 14;
	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, router.addr_bytes, 6);
	bed_inject_mbuf(&bed, build_icmp(bed.pool, &b, &icmp));
	bed_turn(&bed);
}

/* A full segment leaves and a router complains. */
static void
learn(struct bed_peer *peer, struct pmtcp_conn *conn, uint16_t mtu)
{
	uint32_t seq = peer->ack;

	assert_int_equal(pmtcp_write(conn, text, FULL), FULL);
	bed_turn(&bed);
	too_big(peer, seq, mtu, 1500);
	assert_int_equal(info_of(conn).path_mtu, mtu);
	bed_forget(&bed);
}

/* The MSS that a new connection has from its first segment on. */
static uint16_t
first_mss(uint32_t ip)
{
	struct bed_peer peer = station(ip, 4444);
	struct pmtcp_conn *conn = open_to(&peer);
	uint16_t mss = info_of(conn).mss;

	assert_int_equal(pmtcp_write(conn, text, FULL), FULL);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.len, mss);
	give_up(conn);
	return mss;
}

static void
data_46_next_connection_knows(void **state)
{
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, 80);
	struct bed_peer peer = station(ELSEWHERE, 80), passive = station(ELSEWHERE, 5555);
	struct pmtcp_listener *listener;
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &listener), 0);
	conn = open_to(&peer);
	learn(&peer, conn, 1400);
	assert_int_equal(first_mss(ELSEWHERE), 1360);
	assert_int_equal(first_mss(ELSEWHERE + 1), FULL);
	passive.local_port = 80;
	conn = bed_accept(&bed, &passive);
	assert_non_null(conn);
	assert_int_equal(info_of(conn).mss, 1360);
	assert_int_equal(info_of(conn).path_mtu, 1400);
	assert_int_equal(bed_counter(&bed, PMTCP_C_pmtu_known), 2);
	assert_int_equal(bed_counter(&bed, PMTCP_C_pmtu_lowered), 1);
	bed_destroy(&bed);
}

/* Of several paths the narrowest counts; after pmtu_raise_ms all is tried again, by who
 * learned it and by who was told. */
static void
data_46_knowledge_ages(void **state)
{
	struct bed_peer peer = station(ELSEWHERE, 80), wide = station(ELSEWHERE, 81);
	struct bed_peer late = station(ELSEWHERE, 82);
	struct pmtcp_conn *conn, *other, *told;

	(void)state;
	bed_create(&bed, tune);
	conn = open_to(&peer);
	other = open_to(&wide);
	learn(&peer, conn, 1400);
	bed_advance(&bed, 20 * BED_MS);
	learn(&wide, other, 1450);
	assert_int_equal(first_mss(ELSEWHERE), 1360);
	give_up(conn);
	give_up(other);
	bed_advance(&bed, 599 * SEC);
	told = open_to(&late);
	assert_int_equal(info_of(told).mss, 1360);
	bed_advance(&bed, 2 * SEC);
	assert_int_equal(info_of(told).mss, FULL);
	assert_int_equal(info_of(told).path_mtu, 0);
	assert_int_equal(first_mss(ELSEWHERE), FULL);
	assert_int_equal(bed_counter(&bed, PMTCP_C_pmtu_known), 2);
	bed_destroy(&bed);
}

/* SEC-10: neither a number that is not in flight, nor a claim that nothing bore out. */
static void
sec_10_mere_claims_are_not_handed_on(void **state)
{
	struct bed_peer peer = station(ELSEWHERE, 80);
	struct pmtcp_conn *conn;
	uint32_t seq;

	(void)state;
	bed_create(&bed, tune);
	conn = open_to(&peer);
	seq = peer.ack;
	assert_int_equal(pmtcp_write(conn, text, FULL), FULL);
	bed_turn(&bed);
	too_big(&peer, seq + 100000, 1000, 1500);
	too_big(&peer, seq, 1000, 100);
	too_big(&peer, seq, 500, 1500);
	bed_forget(&bed);
	assert_int_equal(first_mss(ELSEWHERE), FULL);
	/* Borne out by the timeout: good enough for this connection, not for others. */
	bed_advance(&bed, 250 * BED_MS);
	assert_int_equal(info_of(conn).mss, 960);
	bed_forget(&bed);
	assert_int_equal(first_mss(ELSEWHERE), FULL);
	/* Until the smaller segments arrive. */
	peer.ack = seq + FULL;
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_turn(&bed);
	assert_int_equal(first_mss(ELSEWHERE), 960);
	bed_destroy(&bed);
}

/* Two timeouts, and the smaller ones arrive. A hole in a path that was fine before is
 * likelier an outage, and stays between the two. */
static void
fall_into_hole(bool was_fine)
{
	struct bed_peer peer = station(ELSEWHERE, 80);
	struct pmtcp_conn *conn;
	uint32_t seq;

	bed_create(&bed, tune);
	conn = open_to(&peer);
	seq = peer.ack;
	assert_int_equal(pmtcp_write(conn, text, 3 * FULL), 3 * FULL);
	bed_turn(&bed);
	if (was_fine) {
		peer.ack = seq + FULL;
		bed_peer_sends(&bed, &peer, PKT_ACK, 0);
		bed_turn(&bed);
	}
	bed_advance(&bed, (was_fine ? 3400 : 800) * BED_MS);
	bed_forget(&bed);
	assert_int_equal(info_of(conn).mss, 1024);
	while (bed_event(&bed).flags != 0)
		;
	assert_int_equal(first_mss(ELSEWHERE), FULL);
	peer.ack = seq + 3 * FULL;
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_turn(&bed);
	bed_forget(&bed);
	assert_int_equal(first_mss(ELSEWHERE), was_fine ? FULL : 1024);
	bed_destroy(&bed);
}

static void
data_46_hole_is_handed_on_once_it_is_sure(void **state)
{
	(void)state;
	fall_into_hole(false);
	fall_into_hole(true);
}

/* Somebody with many addresses lets us learn of them all: the table stays as small as it is,
 * what others are sent stays as large as it was, and the table works on. */
static void
sec_14_filled_table_harms_nobody(void **state)
{
	enum { STRANGERS = 3000 };
	struct bed_peer peer = station(ELSEWHERE, 80);
	struct pmtcp_conn *conn;
	uint32_t known = 0;

	(void)state;
	bed_create(&bed, tune);
	for (uint32_t i = 0; i < STRANGERS; i++) {
		struct bed_peer stranger = station(PMTCP_IP4(172, 16, 0, 0) + i, 80);

		conn = open_to(&stranger);
		learn(&stranger, conn, 600);
		give_up(conn);
	}
	assert_int_equal(first_mss(ELSEWHERE), FULL);
	conn = open_to(&peer);
	learn(&peer, conn, 1400);
	assert_int_equal(first_mss(ELSEWHERE), 1360);
	for (uint32_t i = 0; i < STRANGERS; i++)
		known += first_mss(PMTCP_IP4(172, 16, 0, 0) + i) == 560;
	assert_in_range(known, 200, 256);
	bed_destroy(&bed);
}

/* Without a record its segments would stay small for good. */
static void
data_46_without_a_side_record_nothing_is_taken_over(void **state)
{
	struct bed_peer peer = station(ELSEWHERE, 80);
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_few_rares);
	conn = open_to(&peer);
	learn(&peer, conn, 1400);
	assert_int_equal(first_mss(ELSEWHERE), FULL);
	give_up(conn);
	assert_int_equal(first_mss(ELSEWHERE), 1360);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_46_next_connection_knows),
			cmocka_unit_test(data_46_knowledge_ages),
			cmocka_unit_test(sec_10_mere_claims_are_not_handed_on),
			cmocka_unit_test(data_46_hole_is_handed_on_once_it_is_sure),
			cmocka_unit_test(sec_14_filled_table_harms_nobody),
			cmocka_unit_test(data_46_without_a_side_record_nothing_is_taken_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
