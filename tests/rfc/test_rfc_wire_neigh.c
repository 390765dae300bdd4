/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: ARP and next hops (RFC 826, 1122 2.3.2, 5227; W-5 to W-8, SEC-7): who is
 * answered, who is remembered, how often is asked and what waits meanwhile. Method: a bed
 * of stations whose ARP packets are written by hand. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"

#define STRANGER PMTCP_IP4(10, 0, 0, 9) /* no static entry */
#define GATEWAY  PMTCP_IP4(10, 0, 0, 254)
#define FAR_AWAY PMTCP_IP4(192, 168, 7, 7)

static struct bed bed;

static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct pkt_arp
arp_from(uint32_t spa, uint16_t op, uint32_t tpa)
{
	struct rte_ether_addr mac = ctx_mac_of(spa);
	struct pkt_arp arp = {.op = op, .spa = spa, .tpa = tpa};

	memcpy(arp.sha, mac.addr_bytes, 6);
	return arp;
}

static void
hear(uint32_t spa, uint16_t op, uint32_t tpa)
{
	struct pkt_arp arp = arp_from(spa, op, tpa);

	bed_inject_arp(&bed, &arp);
	bed_turn(&bed);
}

static void
expect_request(uint32_t tpa, bool is_broadcast)
{
	const struct pkt *p = bed_take(&bed);

	assert_non_null(p);
	assert_int_equal(p->kind, PKT_KIND_ARP);
	assert_int_equal(p->arp.op, 1);
	assert_int_equal(p->arp.spa, TEST_ADDR);
	assert_int_equal(p->arp.tpa, tpa);
	assert_memory_equal(p->arp.sha, bed.conf.mac.addr_bytes, 6);
	assert_int_equal(memcmp(p->dmac, all, 6) == 0, is_broadcast);
}

static struct pmtcp_conn *
open_to(uint32_t ip)
{
	struct pmtcp_addr remote = pmtcp_addr4(ip, 80);
	struct pmtcp_conn *conn;

	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
	bed_turn(&bed);
	return conn;
}

static void
tune_gateway(struct pmtcp_conf *conf)
{
	conf->gateway = GATEWAY;
}

/* ---- answers ---- */

static void
w_5_request_for_us_is_answered_to_the_asker(void **state)
{
	struct rte_ether_addr mac = ctx_mac_of(STRANGER);
	const struct pkt *p;

	(void)state;
	bed_create(&bed, NULL);
	hear(STRANGER, 1, TEST_ADDR);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->kind, PKT_KIND_ARP);
	assert_int_equal(p->arp.op, 2);
	assert_int_equal(p->arp.spa, TEST_ADDR);
	assert_int_equal(p->arp.tpa, STRANGER);
	assert_memory_equal(p->arp.sha, bed.conf.mac.addr_bytes, 6);
	assert_memory_equal(p->arp.tha, mac.addr_bytes, 6);
	assert_memory_equal(p->dmac, mac.addr_bytes, 6);
	assert_memory_equal(p->smac, bed.conf.mac.addr_bytes, 6);
	assert_null(bed_take(&bed));
	/* W-5: it asked us, so it is known: the SYN needs no request. */
	pmtcp_abort(open_to(STRANGER));
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->kind, PKT_KIND_TCP);
	assert_memory_equal(p->dmac, mac.addr_bytes, 6);
	bed_destroy(&bed);
}

/* Our SYN to this station asks first: it is not remembered. */
static void
check_unknown(uint32_t ip)
{
	struct pmtcp_conn *conn = open_to(ip);

	expect_request(ip, true);
	assert_null(bed_take(&bed));
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

static void
w_5_request_for_others_is_ignored(void **state)
{
	(void)state;
	bed_create(&bed, NULL);
	hear(STRANGER, 1, PMTCP_IP4(10, 0, 0, 77));
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_arp_unused), 1);
	check_unknown(STRANGER);
}

static void
w_5_malformed_is_dropped(void **state)
{
	static const struct {
		uint8_t at; /* in the frame */
		uint8_t value;
	} rows[] = {{15, 6}, {16, 0x86}, {18, 0}, {18, 7}, {19, 0}, {19, 16}, {21, 0}, {21, 3}};

	(void)state;
	bed_create(&bed, NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct pkt_arp arp = arp_from(STRANGER, 1, TEST_ADDR);
		struct build b = {.pad_to = 60};
		struct rte_mbuf *m;

		memset(b.dmac, 0xff, 6);
		memcpy(b.smac, arp.sha, 6);
		m = build_arp(bed.pool, &b, &arp);
		rte_pktmbuf_mtod(m, uint8_t *)[rows[i].at] = rows[i].value;
		bed_inject_mbuf(&bed, m);
		bed_turn(&bed);
		assert_null(bed_take(&bed));
		assert_int_equal(bed_counter(&bed, PMTCP_C_drop_arp_bad), i + 1);
	}
	bed_destroy(&bed);
}

/* W-2: a unicast request for our address to somebody else's MAC. */
static void
w_2_arp_to_a_foreign_mac_is_dropped(void **state)
{
	struct pkt_arp arp = arp_from(STRANGER, 1, TEST_ADDR);
	struct rte_ether_addr other = ctx_mac_of(PMTCP_IP4(10, 0, 0, 77));
	struct build b = {.pad_to = 60};

	(void)state;
	bed_create(&bed, NULL);
	memcpy(b.dmac, other.addr_bytes, 6);
	memcpy(b.smac, arp.sha, 6);
	bed_inject_mbuf(&bed, build_arp(bed.pool, &b, &arp));
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_eth_notme), 1);
	check_unknown(STRANGER);
}

/* W-6: a probe (RFC 5227) is answered and not remembered. */
static void
w_6_probe_is_answered_and_not_kept(void **state)
{
	struct pkt_arp arp = arp_from(STRANGER, 1, TEST_ADDR);
	const struct pkt *p;

	(void)state;
	bed_create(&bed, NULL);
	arp.spa = 0;
	bed_inject_arp(&bed, &arp);
	bed_turn(&bed);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->arp.op, 2);
	assert_int_equal(p->arp.spa, TEST_ADDR);
	assert_int_equal(p->arp.tpa, 0);
	check_unknown(STRANGER);
}

static void
w_6_sender_with_our_address_is_a_conflict(void **state)
{
	struct pmtcp_diag diag;

	(void)state;
	bed_create(&bed, NULL);
	hear(TEST_ADDR, 1, TEST_ADDR);
	hear(TEST_ADDR, 2, TEST_PEER);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_arp_conflict), 2);
	assert_int_equal(pmtcp_diag(bed.ctx, &diag, 1), 1);
	assert_int_equal(diag.kind, PMTCP_DIAG_ADDR_CONFLICT);
	assert_int_equal(diag.value, TEST_ADDR);
	bed_destroy(&bed);
}

/* It makes no entry, nor does it move one: that would answer to the whole link. */
static void
w_6_group_sender_is_not_kept(void **state)
{
	for (uint16_t op = 1; op <= 2; op++) {
		struct pkt_arp arp = arp_from(STRANGER, op, TEST_ADDR);
		struct build b = {.pad_to = 60};

		bed_create(&bed, NULL);
		hear(STRANGER, 1, op == 1 ? STRANGER : TEST_ADDR);
		memcpy(b.dmac, all, 6);
		memcpy(b.smac, arp.sha, 6); /* the frame's source is fine, the claim is not */
		arp.sha[0] |= 0x01;
		bed_inject_mbuf(&bed, build_arp(bed.pool, &b, &arp));
		bed_turn(&bed);
		bed_forget(&bed);
		pmtcp_abort(open_to(STRANGER));
		assert_non_null(bed_take(&bed));
		assert_memory_equal(bed.taken.dmac, op == 1 ? all : b.smac, 6);
		bed_destroy(&bed);
	}
}

static void
w_6_unsolicited_reply_makes_no_entry(void **state)
{
	(void)state;
	bed_create(&bed, NULL);
	hear(STRANGER, 2, TEST_ADDR);
	hear(STRANGER, 2, STRANGER); /* gratuitous */
	hear(STRANGER, 1, STRANGER);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_arp_unused), 3);
	check_unknown(STRANGER);
}

/* ---- asking ---- */

/* W-7: three requests a second apart, the event, and a late answer still opens. */
static void
w_7_silent_host_is_asked_three_times(void **state)
{
	struct rte_ether_addr mac = ctx_mac_of(STRANGER);
	struct pmtcp_event ev;
	struct pmtcp_diag diag;
	const struct pkt *p;
	struct pmtcp_conn *conn;
	uint64_t began;

	(void)state;
	bed_create(&bed, NULL);
	began = bed.now;
	conn = open_to(STRANGER);
	for (uint64_t i = 0; i < 3; i++) {
		expect_request(STRANGER, true);
		assert_in_range(bed.taken_ns - began, i * 1000 * BED_MS, (i * 1000 + 10) * BED_MS);
		assert_null(bed_take(&bed));
		bed_advance(&bed, 1000 * BED_MS);
	}
	bed_advance(&bed, 50 * BED_MS);
	ev = bed_event(&bed);
	assert_ptr_equal(ev.conn, conn);
	assert_int_equal(ev.flags, PMTCP_EV_ERROR);
	assert_int_equal(ev.reason, PMTCP_UNREACHABLE);
	assert_int_equal(bed_counter(&bed, PMTCP_C_neigh_failed), 1);
	assert_int_equal(pmtcp_diag(bed.ctx, &diag, 1), 1);
	assert_int_equal(diag.kind, PMTCP_DIAG_NEIGH_FAILED);
	assert_int_equal(diag.value, STRANGER);
	bed_forget(&bed);
	hear(STRANGER, 2, TEST_ADDR);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_SYN);
	assert_memory_equal(p->dmac, mac.addr_bytes, 6);
	/* Nothing was built while it waited: one SYN, not four. */
	assert_null(bed_take(&bed));
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

/* SEC-7: a hundred connections to one silent host ask no more often than one. */
static void
sec_7_requests_are_one_per_second_and_target(void **state)
{
	(void)state;
	bed_create(&bed, NULL);
	for (uint16_t i = 0; i < 50; i++) {
		struct pmtcp_addr remote = pmtcp_addr4(STRANGER, (uint16_t)(80 + i % 10));
		struct pmtcp_conn *conn;

		assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
		bed_advance(&bed, 10 * BED_MS);
	}
	bed_advance(&bed, 400 * BED_MS);
	assert_int_equal(bed_counter(&bed, PMTCP_C_neigh_requests), 1);
	bed_advance(&bed, 1000 * BED_MS);
	assert_int_equal(bed_counter(&bed, PMTCP_C_neigh_requests), 2);
	bed_destroy(&bed);
}

/* W-7: the neighbour answers: each waiting connection's SYN leaves, once. */
static void
w_7_all_waiting_leave_when_it_answers(void **state)
{
	uint32_t n = 0;

	(void)state;
	bed_create(&bed, NULL);
	for (uint16_t i = 0; i < 20; i++) {
		struct pmtcp_addr remote = pmtcp_addr4(STRANGER, (uint16_t)(80 + i % 10));
		struct pmtcp_conn *conn;

		assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
	}
	bed_turn(&bed);
	expect_request(STRANGER, true);
	assert_null(bed_take(&bed));
	hear(STRANGER, 2, TEST_ADDR);
	while (bed_take(&bed) != NULL) {
		assert_int_equal(bed.taken.flags, PKT_SYN);
		n++;
	}
	assert_int_equal(n, 20);
	bed_destroy(&bed);
}

/* Outside the subnet the gateway is asked for, and the frames go to it. */
static void
w_7_far_hosts_go_by_the_gateway(void **state)
{
	struct rte_ether_addr mac = ctx_mac_of(GATEWAY);
	struct pmtcp_addr remote = pmtcp_addr4(FAR_AWAY, 80);
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), -ENETUNREACH);
	bed_destroy(&bed);
	bed_create(&bed, tune_gateway);
	conn = open_to(FAR_AWAY);
	expect_request(GATEWAY, true);
	hear(GATEWAY, 2, TEST_ADDR);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.daddr, FAR_AWAY);
	assert_memory_equal(bed.taken.dmac, mac.addr_bytes, 6);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

/* ---- the table ---- */

/* W-8: ten thousand hosts of the subnet ask; the table stays within its bound, and
 * the gateway and a neighbour in use stay known. */
static void
tune_wide(struct pmtcp_conf *conf)
{
	conf->prefix_len = 8;
	conf->gateway = GATEWAY;
	conf->max_neighbours = 16;
}

static void
w_8_scan_does_not_push_out_who_is_needed(void **state)
{
	struct bed_peer peer = {.ip = STRANGER, .port = 80, .seq = 1000};
	struct pmtcp_conn *conn;
	const struct pkt *p;

	(void)state;
	bed_create(&bed, tune_wide);
	hear(GATEWAY, 1, TEST_ADDR);
	hear(STRANGER, 1, TEST_ADDR);
	bed_forget(&bed);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	for (uint32_t i = 0; i < 100000; i++) {
		hear(PMTCP_IP4(10, 1, 0, 0) + i, 1, TEST_ADDR);
		assert_int_equal(bed_forget(&bed), 1);
	}
	/* The connection goes on to the same station, without asking. */
	assert_int_equal(pmtcp_write(conn, "x", 1), 1);
	p = bed_peer_gets(&bed, &peer);
	assert_non_null(p);
	assert_int_equal(p->len, 1);
	/* And so does a new one by way of the gateway. */
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_forget(&bed);
	conn = open_to(FAR_AWAY);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->kind, PKT_KIND_TCP);
	pmtcp_abort(conn);
	bed_destroy(&bed);
}

/* W-8: progress of TCP confirms; without it the neighbour is probed by unicast. */
static void
w_8_ageing_probes_by_unicast_unless_tcp_progresses(void **state)
{
	struct bed_peer peer = {.ip = STRANGER, .port = 80, .seq = 1000};
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	hear(STRANGER, 1, TEST_ADDR);
	bed_forget(&bed);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(pmtcp_write(conn, "x", 1), 1);
		assert_int_equal(bed_peer_gets(&bed, &peer)->len, 1);
		bed_peer_sends(&bed, &peer, PKT_ACK, 0);
		bed_advance(&bed, 10000 * BED_MS);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_neigh_requests), 0);
	bed_advance(&bed, 20500 * BED_MS);
	expect_request(STRANGER, false);
	/* While it is asked, traffic goes on. */
	assert_int_equal(pmtcp_write(conn, "x", 1), 1);
	assert_int_equal(bed_peer_gets(&bed, &peer)->len, 1);
	hear(STRANGER, 2, TEST_ADDR);
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_advance(&bed, 5000 * BED_MS);
	assert_int_equal(bed_counter(&bed, PMTCP_C_neigh_failed), 0);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

/* W-5: a known neighbour that moved is followed; a configured one is believed. */
static void
w_5_known_entry_is_refreshed_static_is_not(void **state)
{
	struct pkt_arp arp = arp_from(STRANGER, 1, TEST_ADDR);
	struct rte_ether_addr fixed = ctx_mac_of(TEST_PEER);

	(void)state;
	bed_create(&bed, NULL);
	hear(STRANGER, 1, TEST_ADDR);
	arp.sha[5] = 0x55;
	bed_inject_arp(&bed, &arp);
	arp.spa = TEST_PEER;
	bed_inject_arp(&bed, &arp);
	bed_turn(&bed);
	bed_forget(&bed);
	pmtcp_abort(open_to(STRANGER));
	assert_non_null(bed_take(&bed));
	assert_memory_equal(bed.taken.dmac, arp.sha, 6);
	bed_forget(&bed);
	pmtcp_abort(open_to(TEST_PEER));
	assert_non_null(bed_take(&bed));
	assert_memory_equal(bed.taken.dmac, fixed.addr_bytes, 6);
	bed_destroy(&bed);
}

static void
neigh_resolve_says_what_is_known(void **state)
{
	const struct pmtcp_addr peer = pmtcp_addr4(TEST_PEER, 0);
	const struct pmtcp_addr far_away = pmtcp_addr4(FAR_AWAY, 0);
	const struct pmtcp_addr stranger = pmtcp_addr4(STRANGER, 0);

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &peer), 1);
	assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &far_away), -ENETUNREACH);
	assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &stranger), 0);
	bed_turn(&bed);
	expect_request(STRANGER, true);
	bed_advance(&bed, 3100 * BED_MS);
	bed_forget(&bed);
	assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &stranger), -EHOSTUNREACH);
	hear(STRANGER, 2, TEST_ADDR);
	assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &stranger), 1);
	bed_destroy(&bed);
}

/* R1 tells the application and has the next hop asked again, by unicast; its new
 * address serves the next repetition. */
static void
data_34_r1_asks_for_the_neighbour_again(void **state)
{
	struct bed_peer peer = {.ip = STRANGER, .port = 80};
	struct pkt_arp moved = arp_from(STRANGER, 2, TEST_ADDR);
	struct pmtcp_event ev;
	struct pmtcp_conn *conn;
	const struct pkt *p;

	(void)state;
	bed_create(&bed, NULL);
	hear(STRANGER, 1, TEST_ADDR);
	bed_forget(&bed);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	bed_event(&bed);
	assert_int_equal(pmtcp_write(conn, "x", 1), 1);
	bed_turn(&bed);
	/* Timeouts after 200, 600 and 1400 ms: the third is R1. */
	bed_advance(&bed, 1300 * BED_MS);
	while ((p = bed_take(&bed)) != NULL)
		assert_int_equal(p->kind, PKT_KIND_TCP);
	assert_int_equal(bed_event(&bed).flags, 0);
	bed_advance(&bed, 300 * BED_MS);
	while ((p = bed_take(&bed)) != NULL && p->kind == PKT_KIND_TCP)
		;
	assert_non_null(p);
	assert_int_equal(p->arp.op, 1);
	assert_int_equal(p->arp.tpa, STRANGER);
	assert_memory_equal(p->dmac, ctx_mac_of(STRANGER).addr_bytes, 6);
	ev = bed_event(&bed);
	assert_int_equal(ev.flags, PMTCP_EV_ERROR);
	assert_int_equal(ev.reason, PMTCP_TIMEOUT_RTX);
	moved.sha[5] ^= 0x55;
	bed_inject_arp(&bed, &moved);
	bed_turn(&bed);
	bed_forget(&bed);
	bed_advance(&bed, 2000 * BED_MS);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->kind, PKT_KIND_TCP);
	assert_memory_equal(p->dmac, moved.sha, 6);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_event(&bed);
	bed_forget(&bed);
	bed_destroy(&bed);
}

/* W-8: somebody else's progress shows that the next hop is fine. */
static void
data_34_r1_believes_the_progress_of_others(void **state)
{
	struct bed_peer silent = {.ip = STRANGER, .port = 80}, other = {.ip = STRANGER, .port = 81};
	struct pmtcp_conn *conn, *busy;
	const struct pkt *p;

	(void)state;
	bed_create(&bed, NULL);
	hear(STRANGER, 1, TEST_ADDR);
	bed_forget(&bed);
	assert_int_equal(bed_open(&bed, &silent, 0, &conn), 0);
	assert_int_equal(pmtcp_write(conn, "x", 1), 1);
	bed_turn(&bed);
	bed_advance(&bed, 1200 * BED_MS);
	bed_forget(&bed);
	assert_int_equal(bed_open(&bed, &other, 0, &busy), 0);
	bed_advance(&bed, 400 * BED_MS);
	while ((p = bed_take(&bed)) != NULL)
		assert_int_equal(p->kind, PKT_KIND_TCP);
	pmtcp_detach(conn);
	pmtcp_abort(busy);
	bed_turn(&bed);
	bed_forget(&bed);
	while (bed_event(&bed).flags)
		;
	bed_forget(&bed);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_5_request_for_us_is_answered_to_the_asker),
			cmocka_unit_test(w_5_request_for_others_is_ignored),
			cmocka_unit_test(w_5_malformed_is_dropped),
			cmocka_unit_test(w_2_arp_to_a_foreign_mac_is_dropped),
			cmocka_unit_test(w_6_probe_is_answered_and_not_kept),
			cmocka_unit_test(w_6_sender_with_our_address_is_a_conflict),
			cmocka_unit_test(w_6_group_sender_is_not_kept),
			cmocka_unit_test(w_6_unsolicited_reply_makes_no_entry),
			cmocka_unit_test(w_7_silent_host_is_asked_three_times),
			cmocka_unit_test(sec_7_requests_are_one_per_second_and_target),
			cmocka_unit_test(w_7_all_waiting_leave_when_it_answers),
			cmocka_unit_test(w_7_far_hosts_go_by_the_gateway),
			cmocka_unit_test(w_8_scan_does_not_push_out_who_is_needed),
			cmocka_unit_test(w_8_ageing_probes_by_unicast_unless_tcp_progresses),
			cmocka_unit_test(w_5_known_entry_is_refreshed_static_is_not),
			cmocka_unit_test(neigh_resolve_says_what_is_known),
			cmocka_unit_test(data_34_r1_asks_for_the_neighbour_again),
			cmocka_unit_test(data_34_r1_believes_the_progress_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
