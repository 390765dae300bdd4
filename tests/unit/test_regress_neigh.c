/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what once was wrong with next hops stays right: a pause that never ended, a
 * neighbour that moved, progress that was no answer, a walk over the table for each new one.
 * Method: a bed of stations whose ARP packets are written by hand; each test failed before its
 * defect was mended, but for the walk, which bench_worst measures. */

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
#define DAY_NS   (86400ull * 1000 * BED_MS)

static struct bed bed;

static void
hear_from(uint32_t ip, struct rte_ether_addr mac, uint16_t op)
{
	struct pkt_arp arp = {.op = op, .spa = ip, .tpa = TEST_ADDR};

	memcpy(arp.sha, mac.addr_bytes, 6);
	bed_inject_arp(&bed, &arp);
	bed_turn(&bed);
}

/* Takes all that was sent: how many ARP requests by broadcast and by unicast. */
struct asked {
	uint32_t by_broadcast;
	uint32_t by_unicast;
};

static struct asked
take_requests(void)
{
	struct asked asked = {0};
	const struct pkt *p;

	while ((p = bed_take(&bed)) != NULL) {
		if (p->kind != PKT_KIND_ARP)
			continue;
		assert_int_equal(p->arp.op, 1);
		if (p->dmac[0] == 0xff)
			asked.by_broadcast++;
		else
			asked.by_unicast++;
	}
	return asked;
}

static void
open_to_stranger(struct bed_peer *peer, struct pmtcp_conn **conn)
{
	*peer = (struct bed_peer){.ip = STRANGER, .port = 80, .seq = 1000};
	bed_create(&bed, NULL);
	hear_from(STRANGER, ctx_mac_of(STRANGER), 1);
	bed_forget(&bed);
	assert_int_equal(bed_open(&bed, peer, 0, conn), 0);
}

/* NEG-24: once it failed; it is asked again however long ago that was, also when the
 * millisecond clock makes the end of the pause look like the future. */
static void
neg_24_pause_ends_after_the_clock_came_round(void **state)
{
	static const uint32_t days[] = {1, 24, 26, 40, 49};

	const struct pmtcp_addr stranger = pmtcp_addr4(STRANGER, 0);

	(void)state;
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		bed_create(&bed, NULL);
		assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &stranger), 0);
		bed_advance(&bed, 5000 * BED_MS);
		assert_int_equal(take_requests().by_broadcast, 3);
		assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &stranger), -EHOSTUNREACH);
		bed.now += days[i] * DAY_NS;
		pmtcp_tick(bed.ctx, bed.now);
		assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &stranger), 0);
		bed_advance(&bed, 5000 * BED_MS);
		assert_int_equal(take_requests().by_broadcast, 3);
		bed_destroy(&bed);
	}
}

/* W-8: nobody answers by unicast: it may have another address now, so all are asked; what
 * is sent afterwards goes there. */
static void
w_8_moved_neighbour_is_found_by_broadcast(void **state)
{
	static const struct rte_ether_addr moved = {{0x02, 0xaa, 0, 0, 0, 9}};
	struct bed_peer peer;
	struct pmtcp_conn *conn;
	struct asked asked = {0};

	(void)state;
	open_to_stranger(&peer, &conn);
	for (int s = 0; s < 34; s++) {
		struct asked more;

		bed_advance(&bed, 1000 * BED_MS);
		more = take_requests();
		asked.by_unicast += more.by_unicast;
		asked.by_broadcast += more.by_broadcast;
	}
	assert_int_equal(asked.by_unicast, 3);
	assert_in_range(asked.by_broadcast, 1, 3);
	hear_from(STRANGER, moved, 2);
	bed_forget(&bed);
	assert_int_equal(pmtcp_write(conn, "x", 1), 1);
	assert_non_null(bed_peer_gets(&bed, &peer));
	assert_memory_equal(bed.taken.dmac, moved.addr_bytes, 6);
	pmtcp_abort(conn);
	bed_destroy(&bed);
}

/* W-8: it is being probed and answers no ARP, but acknowledges data: it is there. */
static void
w_8_progress_while_probed_is_an_answer(void **state)
{
	struct bed_peer peer;
	struct pmtcp_conn *conn;

	(void)state;
	open_to_stranger(&peer, &conn);
	bed_advance(&bed, 30500 * BED_MS);
	assert_int_equal(take_requests().by_unicast, 1);
	assert_int_equal(pmtcp_write(conn, "x", 1), 1);
	assert_non_null(bed_peer_gets(&bed, &peer));
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_advance(&bed, 20000 * BED_MS);
	{
		struct asked asked = take_requests();

		assert_int_equal(asked.by_unicast, 0);
		assert_int_equal(asked.by_broadcast, 0);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_neigh_failed), 0);
	pmtcp_abort(conn);
	bed_destroy(&bed);
}

static void
tune_200(struct pmtcp_conf *conf)
{
	conf->prefix_len = 8;
	conf->max_neighbours = conf->max_conns = 200;
	conf->max_transfers = conf->max_records = 400;
	conf->max_port_pairs = 4096;
}

/* Half of a larger table is in use, in one piece: a new one finds a place all the same, and is
 * the one that is known. */
static void
sec_14_full_table_gives_up_one_out_of_use(void **state)
{
	enum { USED = 100, NEW = 1000 };
	struct bed_peer peer = {.port = 80, .seq = 1000};
	struct pmtcp_conn *conn[USED];
	struct rte_ether_addr mac;

	(void)state;
	bed_create(&bed, tune_200);
	for (uint32_t i = 0; i < USED; i++) {
		peer.ip = PMTCP_IP4(10, 2, 0, 1) + i;
		peer.seq = 1000;
		hear_from(peer.ip, ctx_mac_of(peer.ip), 1);
		bed_forget(&bed);
		assert_int_equal(bed_open(&bed, &peer, 0, &conn[i]), 0);
	}
	for (uint32_t i = 0; i < NEW; i++) {
		struct pmtcp_addr fresh = pmtcp_addr4(PMTCP_IP4(10, 1, 0, 0) + i, 80);
		struct pmtcp_conn *opened;

		hear_from(fresh.ip4, ctx_mac_of(fresh.ip4), 1);
		assert_int_equal(bed_forget(&bed), 1);
		assert_int_equal(pmtcp_connect(bed.ctx, NULL, &fresh, NULL, &opened), 0);
		bed_turn(&bed);
		pmtcp_abort(opened);
		assert_int_equal(bed_take(&bed)->kind, PKT_KIND_TCP);
		bed_turn(&bed);
		bed_forget(&bed);
		while (bed_event(&bed).flags != 0)
			;
	}
	for (uint32_t i = 0; i < USED; i++) {
		assert_int_equal(pmtcp_write(conn[i], "x", 1), 1);
		bed_turn(&bed);
		assert_int_equal(bed_take(&bed)->len, 1);
		assert_int_equal(bed.taken.daddr, PMTCP_IP4(10, 2, 0, 1) + i);
		mac = ctx_mac_of(bed.taken.daddr);
		assert_memory_equal(bed.taken.dmac, mac.addr_bytes, 6);
	}
	bed_destroy(&bed);
}

/* SYNs in the name of stations of the link that are not there; there is room for 16. */
static void
forge_syns_of(uint32_t hosts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct build syn = {.saddr = PMTCP_IP4(10, 0, 0, 100) + i % hosts,
				.sport = (uint16_t)(5000 + i),
				.dport = 80,
				.flags = PKT_SYN,
				.wnd = 1000};

		bed_inject(&bed, &syn);
		bed.now += BED_MS;
		bed_turn(&bed);
	}
}

static void
forge_syns(void)
{
	forge_syns_of(32, 32);
}

/* RES-12, SEC-14: SYNs in the name of neighbours that are not there took every next hop for a
 * minute. Now half of them stay free for others, and none is kept when nobody answers. */
static void
res_12_forged_neighbours_leave_hops_to_others(void **state)
{
	const struct pmtcp_addr local = pmtcp_addr4(0, 80), stranger = pmtcp_addr4(STRANGER, 80);
	struct pmtcp_listener *l;
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	forge_syns();
	assert_int_equal(bed_stats(&bed).half_open, 9);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 23);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &stranger, NULL, &conn), 0);
	bed_advance(&bed, 3500 * BED_MS);
	assert_int_equal(bed_stats(&bed).half_open, 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_timeout), 9);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

static void
tune_without_cookies(struct pmtcp_conf *conf)
{
	conf->syn_cookies = PMTCP_COOKIES_OFF;
}

/* A station of the link opens; nobody else is answered meanwhile. */
static void
opens(uint32_t ip)
{
	struct bed_peer peer = {.ip = ip, .port = 4000, .local_port = 80, .seq = 1};
	struct pmtcp_conn *conn;

	bed_forget(&bed);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_forget(&bed);
	assert_int_equal(bed_event(&bed).reason, PMTCP_LOCAL_ABORT);
}

/* RES-12: with cookies off, half-opens that waited for a neighbour that is not there filled the
 * table, and could not give way: others had to wait until it was given up, and then again. Now
 * a quarter of the table is theirs. */
static void
res_12_one_forged_neighbour_leaves_half_opens_to_others(void **state)
{
	const struct pmtcp_addr local = pmtcp_addr4(0, 80);
	struct pmtcp_listener *l;

	(void)state;
	bed_create(&bed, tune_without_cookies);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	for (int round = 1; round <= 3; round++) {
		forge_syns_of(1, 200);
		assert_int_equal(bed_stats(&bed).half_open, 17); /* of 64 */
		assert_int_equal(bed_counter(&bed, PMTCP_C_drop_syn_limit), round * 183);
		opens(TEST_PEER);
		/* Asked three times, a pause of 10 s in between. */
		bed_advance(&bed, 15000 * BED_MS);
		assert_int_equal(bed_stats(&bed).half_open, 0);
		assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_timeout), round * 17);
	}
	bed_destroy(&bed);
}

/* The same of SYNs that come in one burst, which are counted before any is answered. */
static void
res_12_one_burst_is_bounded_too(void **state)
{
	const struct pmtcp_addr local = pmtcp_addr4(0, 80);
	struct pmtcp_listener *l;

	(void)state;
	bed_create(&bed, tune_without_cookies);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	for (uint32_t i = 0; i < 32; i++) {
		struct build syn = {.saddr = STRANGER,
				.sport = (uint16_t)(5000 + i),
				.dport = 80,
				.flags = PKT_SYN,
				.wnd = 1000};

		bed_inject(&bed, &syn);
	}
	bed_turn(&bed);
	assert_int_equal(bed_stats(&bed).half_open, 17);
	/* It answers in the end: all of them go on, and there is room again. */
	hear_from(STRANGER, ctx_mac_of(STRANGER), 2);
	bed_advance(&bed, 10 * BED_MS);
	opens(STRANGER);
	forge_syns_of(1, 1);
	assert_int_equal(bed_stats(&bed).half_open, 18);
	bed_destroy(&bed);
}

/* W-7: a SYN whose sender's MAC address is not known waits from the beginning, without a mark;
 * the request for it is work all the same, or it would leave a second late. */
static void
w_7_request_for_who_sent_a_syn_is_due_at_once(void **state)
{
	const struct pmtcp_addr local = pmtcp_addr4(0, 80);
	struct build syn = {.saddr = STRANGER,
			.sport = 5000,
			.dport = 80,
			.flags = PKT_SYN,
			.wnd = 1000};
	struct build known = {.sport = 5000, .dport = 80, .flags = PKT_SYN, .wnd = 1000};
	struct pmtcp_listener *l;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	/* Somebody else's timer has just run, and is armed again. */
	bed_inject(&bed, &known);
	bed_advance(&bed, 1001 * BED_MS);
	bed_forget(&bed);
	bed_inject(&bed, &syn);
	pmtcp_input(bed.ctx, bed.now, bed.burst, bed.n_burst);
	bed.n_burst = 0;
	assert_int_equal(pmtcp_deadline(bed.ctx), bed.now);
	bed_turn(&bed);
	assert_int_equal(take_requests().by_broadcast, 1);
	assert_true(pmtcp_deadline(bed.ctx) > bed.now);
	bed_destroy(&bed);
}

/* OPEN-29: the table is full, a quarter of it waits for a neighbour that is not there. One of
 * these gave way to a newcomer now and then, which had nothing of it. */
static void
open_29_who_waits_for_a_neighbour_gives_no_place(void **state)
{
	const struct pmtcp_addr local = pmtcp_addr4(0, 80);
	struct build syn = {.dport = 80, .flags = PKT_SYN, .wnd = 1000};
	struct pmtcp_listener *l;

	(void)state;
	bed_create(&bed, tune_without_cookies);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	forge_syns_of(1, 17);
	for (uint16_t i = 0; i < 64 - 17 + 40; i++) {
		syn.sport = (uint16_t)(7000 + i);
		bed_inject(&bed, &syn);
		bed_turn(&bed);
		bed_forget(&bed);
	}
	assert_int_equal(bed_stats(&bed).half_open, 64);
	assert_int_equal(bed_counter(&bed, PMTCP_C_half_open_replaced), 40);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_syn_limit), 0);
	bed_destroy(&bed);
}

/* RES-12, SEC-14: nor do they take more than half of the next hops with cookies off, and who is
 * known by its own request is answered, also when nothing of it is open. */
static void
res_12_forged_neighbours_without_cookies(void **state)
{
	const struct pmtcp_addr local = pmtcp_addr4(0, 80), stranger = pmtcp_addr4(STRANGER, 80);
	struct pmtcp_listener *l;
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_without_cookies);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	hear_from(PMTCP_IP4(10, 0, 0, 50), ctx_mac_of(PMTCP_IP4(10, 0, 0, 50)), 1);
	forge_syns_of(32, 200);
	assert_int_equal(bed_stats(&bed).half_open, 9);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_syn_limit), 191);
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 0);
	opens(PMTCP_IP4(10, 0, 0, 50));
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &stranger, NULL, &conn), 0);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

/* SEC-14: what may not have a half-open takes no next hop from those that are known. */
static void
sec_14_refused_syn_takes_no_hop(void **state)
{
	const struct pmtcp_addr local = pmtcp_addr4(0, 80), stranger = pmtcp_addr4(STRANGER, 80);
	const struct pmtcp_listen_opts opts = {.syn_cookies = PMTCP_COOKIES_ALWAYS};
	struct pmtcp_listener *l;
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, &opts, &l), 0);
	hear_from(STRANGER, ctx_mac_of(STRANGER), 1);
	forge_syns();
	assert_int_equal(bed_counter(&bed, PMTCP_C_cookies_sent), 32);
	bed_forget(&bed);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &stranger, NULL, &conn), 0);
	bed_turn(&bed);
	assert_int_equal(bed_take(&bed)->kind, PKT_KIND_TCP);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(neg_24_pause_ends_after_the_clock_came_round),
			cmocka_unit_test(w_8_moved_neighbour_is_found_by_broadcast),
			cmocka_unit_test(w_8_progress_while_probed_is_an_answer),
			cmocka_unit_test(sec_14_full_table_gives_up_one_out_of_use),
			cmocka_unit_test(res_12_forged_neighbours_leave_hops_to_others),
			cmocka_unit_test(res_12_one_forged_neighbour_leaves_half_opens_to_others),
			cmocka_unit_test(res_12_one_burst_is_bounded_too),
			cmocka_unit_test(w_7_request_for_who_sent_a_syn_is_due_at_once),
			cmocka_unit_test(open_29_who_waits_for_a_neighbour_gives_no_place),
			cmocka_unit_test(res_12_forged_neighbours_without_cookies),
			cmocka_unit_test(sec_14_refused_syn_takes_no_hop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
