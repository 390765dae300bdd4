/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: ephemeral ports (RFC 6056 algorithm 3; OPEN-34, RES-3, TW-12, TW-13): order,
 * no repetition, exhaustion with numbers that add up, a full pair at no cost. Method:
 * thousands of opens whose SYNs nobody answers. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "support/bed.h"

#define OTHER PMTCP_IP4(10, 0, 0, 3)

static struct bed bed;

static uint16_t
local_port(const struct pmtcp_conn *conn)
{
	struct pmtcp_conn_info info;

	pmtcp_conn_info(conn, &info);
	return info.local.port;
}

static int
open_to(uint32_t ip, uint16_t rport, uint16_t lport, struct pmtcp_conn **conn)
{
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, lport);
	struct pmtcp_addr remote = pmtcp_addr4(ip, rport);
	int ret = pmtcp_connect(bed.ctx, &local, &remote, NULL, conn);

	bed_turn(&bed);
	bed_forget(&bed);
	return ret;
}

static struct pmtcp_port_report
report_on(uint32_t ip, uint16_t rport)
{
	struct pmtcp_addr remote = pmtcp_addr4(ip, rport);
	struct pmtcp_port_report report;

	pmtcp_port_report(bed.ctx, NULL, &remote, &report);
	return report;
}

static void
tune_few(struct pmtcp_conf *conf)
{
	conf->port_first = 40000;
	conf->port_last = 40009;
	conf->tw_reuse = PMTCP_TW_REUSE_OFF;
}

static void
tune_few_reuse(struct pmtcp_conf *conf)
{
	tune_few(conf);
	conf->tw_reuse = PMTCP_TW_REUSE_SAFE;
}

static void
tune_all(struct pmtcp_conf *conf)
{
	conf->port_first = 1024;
	conf->port_last = 65535;
	conf->tw_reuse = PMTCP_TW_REUSE_OFF;
	conf->max_conns = 70000;
	conf->max_port_pairs = 64;
}

static void
tune_all_reuse(struct pmtcp_conf *conf)
{
	tune_all(conf);
	conf->tw_reuse = PMTCP_TW_REUSE_SAFE;
}

static void
tune_other_key(struct pmtcp_conf *conf)
{
	tune_all(conf);
	conf->secrets.port[0] ^= 1;
}

/* Every port of the range once, none twice, none outside; the pair is full then. */
static void
open_34_ports_of_one_pair_do_not_repeat(void **state)
{
	static uint8_t is_seen[65536];
	struct pmtcp_conn *conn;
	uint64_t probes;

	(void)state;
	memset(is_seen, 0, sizeof(is_seen));
	bed_create(&bed, tune_all);
	for (uint32_t i = 0; i < 64512; i++) {
		uint16_t port;

		assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), 0);
		port = local_port(conn);
		assert_in_range(port, 1024, 65535);
		assert_int_equal(is_seen[port], 0);
		is_seen[port] = 1;
	}
	/* OPEN-34: one probe per open while the cursor meets free ports. */
	probes = bed_counter(&bed, PMTCP_C_port_probes);
	assert_int_equal(probes, 64512);
	/* RES-3, a full pair costs O(1): no port is tried at all. */
	for (int i = 0; i < 100; i++)
		assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), -EADDRNOTAVAIL);
	assert_int_equal(bed_counter(&bed, PMTCP_C_port_probes), probes);
	assert_int_equal(bed_counter(&bed, PMTCP_C_port_exhausted), 100);
	assert_int_equal(report_on(TEST_PEER, 80).range, 64512);
	assert_int_equal(report_on(TEST_PEER, 80).in_use, 64512);
	/* The same port serves another remote. */
	assert_int_equal(open_to(TEST_PEER, 81, 0, &conn), 0);
	bed_destroy(&bed);
}

/* TW-12: with reuse a full pair is searched for an old TIME-WAIT, a bounded way. */
static void
tw_12_full_pair_is_searched_a_bounded_way(void **state)
{
	struct pmtcp_conn *conn;
	uint64_t probes;

	(void)state;
	bed_create(&bed, tune_all_reuse);
	for (uint32_t i = 0; i < 64512; i++)
		assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), 0);
	probes = bed_counter(&bed, PMTCP_C_port_probes);
	for (int i = 0; i < 100; i++)
		assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), -EADDRNOTAVAIL);
	assert_true(bed_counter(&bed, PMTCP_C_port_probes) - probes <= 100 * 256);
	bed_destroy(&bed);
}

/* One round at most, sixteen probes on average at nine tenths full. */
static void
open_34_search_at_nine_tenths_is_short(void **state)
{
	static struct pmtcp_conn *conns[64512];
	struct pmtcp_conn *conn;
	struct rng rng;
	uint64_t probes;

	(void)state;
	bed_create(&bed, tune_all);
	for (uint32_t i = 0; i < 64512; i++)
		assert_int_equal(open_to(TEST_PEER, 80, 0, &conns[i]), 0);
	rng_seed(&rng, 34);
	for (uint32_t n = 0; n < 6451;) {
		uint32_t i = (uint32_t)(rng_next(&rng) % 64512);

		if (conns[i] == NULL)
			continue;
		pmtcp_detach(conns[i]);
		conns[i] = NULL;
		n++;
	}
	bed_turn(&bed);
	probes = bed_counter(&bed, PMTCP_C_port_probes);
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), 0);
		pmtcp_detach(conn);
		bed_turn(&bed);
	}
	assert_true(bed_counter(&bed, PMTCP_C_port_probes) - probes <= 16 * 3000);
	bed_destroy(&bed);
}

static void
first_ports(void (*tune)(struct pmtcp_conf *), uint32_t ip, uint16_t rport, uint16_t *ports)
{
	struct pmtcp_conn *conn;

	bed_create(&bed, tune);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(open_to(ip, rport, 0, &conn), 0);
		ports[i] = local_port(conn);
	}
	bed_destroy(&bed);
}

/* RFC 6056 3.3.3: the start depends on remote, remote port and key, and on them alone. */
static void
open_34_order_differs_by_remote_and_key(void **state)
{
	uint16_t a[8], again[8], other_ip[8], other_port[8], other_key[8];

	(void)state;
	first_ports(tune_all, TEST_PEER, 80, a);
	first_ports(tune_all, TEST_PEER, 80, again);
	first_ports(tune_all, OTHER, 80, other_ip);
	first_ports(tune_all, TEST_PEER, 81, other_port);
	first_ports(tune_other_key, TEST_PEER, 80, other_key);
	assert_memory_equal(a, again, sizeof(a));
	assert_int_not_equal(a[0], other_ip[0]);
	assert_int_not_equal(a[0], other_port[0]);
	assert_int_not_equal(a[0], other_key[0]);
}

/* Ports that the application named outside the range take none of it away. */
static void
open_34_named_ports_do_not_use_up_the_range(void **state)
{
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_few);
	for (uint16_t i = 0; i < 12; i++)
		assert_int_equal(open_to(TEST_PEER, 80, (uint16_t)(5000 + i), &conn), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), 0);
		assert_in_range(local_port(conn), 40000, 40009);
	}
	assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), -EADDRNOTAVAIL);
	bed_destroy(&bed);
}

/* Named ports of the range are skipped, and their tuples exist. */
static void
open_34_named_port_in_the_range_is_skipped(void **state)
{
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_few);
	assert_int_equal(open_to(TEST_PEER, 80, 40004, &conn), 0);
	assert_int_equal(open_to(TEST_PEER, 80, 40004, &conn), -EISCONN);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), 0);
		assert_int_not_equal(local_port(conn), 40004);
	}
	assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), -EADDRNOTAVAIL);
	bed_destroy(&bed);
}

/* RES-3: the numbers add up, and after the first expiry a retry works. */
static void
res_3_exhaustion_report_adds_up(void **state)
{
	struct pmtcp_port_report r;
	struct pmtcp_conn *conn[10];

	(void)state;
	bed_create(&bed, tune_few);
	for (uint16_t i = 0; i < 10; i++) {
		struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 1000};

		assert_int_equal(bed_open(&bed, &peer, 0, &conn[i]), 0);
		if (i < 4)
			bed_close_first(&bed, &peer, conn[i]);
		bed_advance(&bed, 1000 * BED_MS);
		bed_forget(&bed);
	}
	assert_int_equal(open_to(TEST_PEER, 80, 0, &conn[0]), -EADDRNOTAVAIL);
	r = report_on(TEST_PEER, 80);
	assert_int_equal(r.range, 10);
	assert_int_equal(r.in_use, 6);
	assert_int_equal(r.time_wait, 4);
	assert_int_equal(r.foreign, 0);
	/* The first one entered at 0 s, now it is 10 s later, and the end may be a little late. */
	assert_in_range(r.next_free_ms, 49990, 50270);
	/* Nobody else's. */
	r = report_on(TEST_PEER, 81);
	assert_int_equal(r.in_use + r.time_wait, 0);
	bed_advance(&bed, 50300 * BED_MS);
	assert_int_equal(open_to(TEST_PEER, 80, 0, &conn[0]), 0);
	assert_int_equal(open_to(TEST_PEER, 80, 0, &conn[0]), -EADDRNOTAVAIL);
	bed_destroy(&bed);
}

/* TW-12, TW-13: a free port first; when there is none, a TIME-WAIT that had timestamps
 * and is a second old. */
static void
tw_13_free_ports_come_before_reusable_ones(void **state)
{
	struct pmtcp_conn *conn;
	uint16_t waits;

	(void)state;
	bed_create(&bed, tune_few_reuse);
	for (uint16_t i = 0; i < 10; i++) {
		struct bed_peer peer = {.ip = TEST_PEER,
				.port = 80,
				.seq = 1000,
				.has_ts = true,
				.tsval = 5000};

		assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
		if (i > 0)
			continue;
		waits = local_port(conn);
		bed_close_first(&bed, &peer, conn);
		bed_advance(&bed, 2000 * BED_MS);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_reused_out), 0);
	assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), 0);
	assert_int_equal(local_port(conn), waits);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_reused_out), 1);
	assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), -EADDRNOTAVAIL);
	bed_destroy(&bed);
}

/* Ports that other workers have are never free, and so do not tell when a pair is full. */
static void
tune_few_of_two_workers(struct pmtcp_conf *conf)
{
	tune_few_reuse(conf);
	conf->port_last = 40099;
	conf->owners = 2;
}

static void
open_and_close_first(uint16_t lport)
{
	struct bed_peer peer = {
			.ip = TEST_PEER, .port = 80, .seq = 1000, .has_ts = true, .tsval = 5000};
	struct pmtcp_conn *conn;

	assert_int_equal(bed_open(&bed, &peer, lport, &conn), 0);
	bed_close_first(&bed, &peer, conn);
}

/* Takes every port of the pair that is left into TIME-WAIT, and each over again, three times.
 * Returns the probes of the last time, per ten opens. */
static uint64_t
probes_of_reuse(void)
{
	uint64_t probes = 0;
	uint32_t left;

	open_and_close_first(0);
	left = report_on(TEST_PEER, 80).range - report_on(TEST_PEER, 80).in_use;
	for (uint32_t i = 1; i < left; i++)
		open_and_close_first(0);
	assert_int_equal(report_on(TEST_PEER, 80).time_wait, left);
	for (uint32_t round = 1; round <= 3; round++) {
		bed_advance(&bed, 1500 * BED_MS);
		probes = bed_counter(&bed, PMTCP_C_port_probes);
		for (uint32_t i = 0; i < left; i++)
			open_and_close_first(0);
		assert_int_equal(bed_counter(&bed, PMTCP_C_tw_reused_out), round * left);
	}
	return (bed_counter(&bed, PMTCP_C_port_probes) - probes) * 10 / left;
}

/* TW-12, TW-13: once no port is free, the oldest entry's is at hand, and nothing is searched. */
static void
tw_12_reuse_takes_one_probe(void **state)
{
	(void)state;
	bed_create(&bed, tune_few_reuse);
	assert_int_equal(probes_of_reuse(), 10);
	bed_destroy(&bed);
	bed_create(&bed, tune_few_of_two_workers);
	assert_int_equal(probes_of_reuse(), 10);
	bed_destroy(&bed);
}

/* TW-13: a port that was given back is found within a round, and goes before any reuse. */
static void
tw_13_free_port_is_found_again(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .has_ts = true, .tsval = 5000};
	struct pmtcp_conn *conn;
	uint16_t port;

	(void)state;
	bed_create(&bed, tune_few_of_two_workers);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	port = local_port(conn);
	assert_true(probes_of_reuse() > 0);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_forget(&bed);
	bed_advance(&bed, 1500 * BED_MS);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(open_to(TEST_PEER, 80, 0, &conn), 0);
		if (local_port(conn) == port)
			break;
	}
	assert_int_equal(local_port(conn), port);
	bed_destroy(&bed);
}

/* A pair whose last connection is gone gives its place to another; nothing is lost. */
static void
open_34_pairs_are_given_back(void **state)
{
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_few);
	for (uint16_t port = 1; port < 5000; port++) {
		assert_int_equal(open_to(TEST_PEER, port, 0, &conn), 0);
		pmtcp_detach(conn);
		bed_turn(&bed);
	}
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_34_ports_of_one_pair_do_not_repeat),
			cmocka_unit_test(tw_12_full_pair_is_searched_a_bounded_way),
			cmocka_unit_test(tw_12_reuse_takes_one_probe),
			cmocka_unit_test(tw_13_free_port_is_found_again),
			cmocka_unit_test(open_34_search_at_nine_tenths_is_short),
			cmocka_unit_test(open_34_order_differs_by_remote_and_key),
			cmocka_unit_test(open_34_named_ports_do_not_use_up_the_range),
			cmocka_unit_test(open_34_named_port_in_the_range_is_skipped),
			cmocka_unit_test(res_3_exhaustion_report_adds_up),
			cmocka_unit_test(tw_13_free_ports_come_before_reusable_ones),
			cmocka_unit_test(open_34_pairs_are_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
