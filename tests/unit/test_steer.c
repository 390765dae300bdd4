/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what passes between contexts that share addresses: frames by a table of owners, with
 * one fate each in the merged accounts (RES-14, RES-16), and neighbours that one of them
 * heard of (W-5, W-19). Method: two contexts on a virtual clock; the test carries over what
 * they hand out. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "base/base.h"
#include "support/bed.h"

#define STRANGER PMTCP_IP4(10, 0, 0, 9)

enum { SOLICITED = 0x40, OVERRIDE = 0x20, NS = 135, NA = 136, SYNS = 40, PORT = 80 };

static struct bed first, second;
static struct pmtcp_rss rss;

static void
tune_first(struct pmtcp_conf *conf)
{
	ctx_conf_add_v6(conf, TEST_ADDR, TEST_PEER);
	conf->owners = 2;
	conf->rss = &rss;
}

static void
tune_second(struct pmtcp_conf *conf)
{
	tune_first(conf);
	conf->owner = 1;
}

static void
begin(void)
{
	struct pmtcp_addr any = {.port = PORT};
	struct pmtcp_listener *l;

	bed_create(&first, tune_first);
	bed_create(&second, tune_second);
	assert_int_equal(pmtcp_listen(first.ctx, &any, NULL, &l), 0);
	assert_int_equal(pmtcp_listen(second.ctx, &any, NULL, &l), 0);
}

static void
end(void)
{
	bed_forget(&first);
	bed_forget(&second);
	bed_destroy(&first);
	bed_destroy(&second);
	memset(&rss, 0, sizeof(rss));
}

/* ---- frames ------------------------------------------------------------------ */

static void
inject_syns(void)
{
	for (uint16_t i = 0; i < SYNS; i++) {
		struct build syn = {.sport = (uint16_t)(2000 + i),
				.dport = PORT,
				.flags = PKT_SYN,
				.seq = 1,
				.wnd = 1000};

		bed_inject(&first, &syn);
	}
	pmtcp_input(first.ctx, first.now, first.burst, first.n_burst);
	first.n_burst = 0;
}

/* A table of two entries that names the second for both: nothing is the first one's. */
static void
res_14_table_says_who_owns_a_tuple(void **state)
{
	struct rte_mbuf *pkts[SYNS];
	uint16_t owners[SYNS];

	(void)state;
	rss.reta_size = 2;
	rss.reta[0] = rss.reta[1] = 1;
	begin();
	inject_syns();
	assert_int_equal(pmtcp_misdirected(first.ctx, pkts, owners, SYNS), SYNS);
	for (uint16_t i = 0; i < SYNS; i++) {
		assert_int_equal(owners[i], 1);
		bed_inject_mbuf(&second, pkts[i]);
	}
	assert_int_equal(pmtcp_misdirected(first.ctx, pkts, owners, SYNS), 0);
	bed_turn(&second);
	assert_int_equal(bed_forget(&second), SYNS);
	assert_int_equal(bed_stats(&second).half_open, SYNS);
	assert_int_equal(bed_counter(&second, PMTCP_C_misdirected), 0);
	end();
}

static void
res_14_table_that_names_nobody_is_refused(void **state)
{
	static struct pmtcp_conf conf;
	struct pmtcp_ctx *ctx;
	size_t len;
	void *mem;

	(void)state;
	ctx_conf_small(&conf, TEST_ADDR, TEST_PEER, 1);
	tune_first(&conf);
	rss.reta_size = 2;
	rss.reta[1] = 2;
	len = pmtcp_ctx_memsize(&conf);
	mem = ctx_mem_map(len);
	assert_int_equal(pmtcp_ctx_init(mem, len, &conf, &ctx), -EINVAL);
	ctx_mem_unmap(mem, len);
	memset(&rss, 0, sizeof(rss));
}

/* Taken five at a time, in order; a few get lost on the way. */
static void
res_16_frames_have_one_fate_in_the_merged_accounts(void **state)
{
	struct pmtcp_stats stats, sum = {0};
	struct rte_mbuf *pkts[5];
	uint64_t handed = 0, lost = 0, fates = 0;
	uint16_t owners[5], n;

	(void)state;
	begin();
	inject_syns();
	while ((n = pmtcp_misdirected(first.ctx, pkts, owners, 5)) > 0) {
		if (handed >= 5) {
			pmtcp_misdirected_drop(first.ctx, pkts, n);
			lost += n;
			continue;
		}
		for (uint16_t i = 0; i < n; i++)
			bed_inject_mbuf(&second, pkts[i]);
		handed += n;
	}
	bed_turn(&first);
	bed_turn(&second);
	assert_int_equal(handed, 5);
	assert_true(lost > 0);
	assert_int_equal(bed_counter(&first, PMTCP_C_misdirected), handed);
	assert_int_equal(bed_counter(&first, PMTCP_C_drop_misdirected), lost);
	stats = bed_stats(&first);
	pmtcp_stats_add(&sum, &stats);
	stats = bed_stats(&second);
	pmtcp_stats_add(&sum, &stats);
	for (int i = 0; i < PMTCP_FATE_MAX; i++)
		fates += sum.counter[i];
	assert_int_equal(fates, SYNS);
	assert_int_equal(sum.counter[PMTCP_C_rx_frames] - sum.counter[PMTCP_C_misdirected], SYNS);
	assert_int_equal(sum.half_open, SYNS - lost);
	assert_int_equal(sum.state[PMTCP_SYN_RCVD], SYNS - lost);
	assert_null(pmtcp_stats_audit(&sum));
	sum.counter[PMTCP_C_misdirected]--;
	assert_non_null(pmtcp_stats_audit(&sum));
	end();
}

static struct rte_mbuf *
syn_of(const struct bed *to, uint8_t version, uint16_t port, bool is_broken)
{
	struct build syn = {.version = version,
			.saddr = TEST_PEER,
			.daddr = TEST_ADDR,
			.sport = port,
			.dport = PORT,
			.flags = PKT_SYN,
			.seq = 1,
			.wnd = 1000,
			.l4_cksum_xor = is_broken};
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR), peer = ctx_mac_of(TEST_PEER);
	struct rte_mbuf *m;

	ctx_ip6_of(TEST_PEER, syn.saddr6);
	ctx_ip6_of(TEST_ADDR, syn.daddr6);
	memcpy(syn.dmac, self.addr_bytes, 6);
	memcpy(syn.smac, peer.addr_bytes, 6);
	m = build_tcp(to->pool, &syn);
	/* Left there by a sender on net_ring. */
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return m;
}

/* All is the second's. The first gives it m; returns what is for the second, NULL if it ended
 * there. */
static struct rte_mbuf *
handed_of(struct rte_mbuf *m)
{
	uint16_t owner;

	pmtcp_input(first.ctx, first.now, &m, 1);
	return pmtcp_misdirected(first.ctx, &m, &owner, 1) == 1 ? m : NULL;
}

/* A plain frame is handed over at a glance, and judged by its owner alone; flags that came with
 * it count for nobody (W-25). */
static void
w_25_plain_frame_is_judged_by_its_owner(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	rss.reta_size = 1;
	rss.reta[0] = 1;
	begin();
	m = handed_of(syn_of(&second, 4, 3000, true));
	assert_non_null(m);
	assert_int_equal(bed_counter(&first, PMTCP_C_drop_tcp_cksum), 0);
	pmtcp_input_handed(second.ctx, second.now, &m, 1, 1);
	assert_int_equal(bed_counter(&second, PMTCP_C_drop_tcp_cksum), 1);
	m = handed_of(syn_of(&second, 4, 3000, false));
	pmtcp_input_handed(second.ctx, second.now, &m, 1, 1);
	assert_int_equal(bed_stats(&second).half_open, 1);
	bed_turn(&second);
	bed_forget(&second);
	end();
}

/* Of all others the sums are added up once, by who got the frame first. What comes to the owner
 * itself after that is not believed. */
static void
w_25_sums_are_added_up_once(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	rss.reta_size = 1;
	rss.reta[0] = 1;
	begin();
	assert_null(handed_of(syn_of(&first, 6, 3000, true)));
	assert_int_equal(bed_counter(&first, PMTCP_C_drop_tcp_cksum), 1);
	m = handed_of(syn_of(&second, 6, 3000, false));
	assert_non_null(m);
	rte_pktmbuf_mtod(m, uint8_t *)[14 + 40 + 16] ^= 1; /* TCP's sum */
	pmtcp_input_handed(second.ctx, second.now, &m, 1, 1);
	assert_int_equal(bed_stats(&second).half_open, 1);
	bed_turn(&second);
	bed_forget(&second);
	m = syn_of(&second, 6, 3001, true);
	pmtcp_input(second.ctx, second.now, &m, 1);
	assert_int_equal(bed_counter(&second, PMTCP_C_drop_tcp_cksum), 1);
	end();
}

/* Frames for another station and damaged headers are no tuple of anybody: they end where they
 * came. */
static void
res_16_frames_of_no_tuple_are_not_handed_over(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	rss.reta_size = 1;
	rss.reta[0] = 1;
	begin();
	m = syn_of(&first, 4, 3000, false);
	rte_pktmbuf_mtod(m, uint8_t *)[5] ^= 1;
	assert_null(handed_of(m));
	assert_int_equal(bed_counter(&first, PMTCP_C_drop_eth_notme), 1);
	m = syn_of(&first, 4, 3000, false);
	rte_pktmbuf_trim(m, 10);
	assert_null(handed_of(m));
	assert_int_equal(bed_counter(&first, PMTCP_C_drop_ip_trunc), 1);
	end();
}

/* Once a second, and only if a device said that it steers. */
static void
open_35_device_that_steers_wrong_is_told_of(void **state)
{
	struct rte_mbuf *pkts[SYNS];
	struct pmtcp_diag diag[4];
	uint16_t owners[SYNS], n;

	(void)state;
	for (int is_device = 0; is_device < 2; is_device++) {
		rss.is_device = is_device;
		begin();
		bed_advance(&first, 10 * BED_MS);
		inject_syns();
		n = pmtcp_misdirected(first.ctx, pkts, owners, SYNS);
		assert_true(n > 1);
		pmtcp_misdirected_drop(first.ctx, pkts, n);
		assert_int_equal(pmtcp_diag(first.ctx, diag, 4), is_device);
		if (is_device) {
			assert_int_equal(diag[0].kind, PMTCP_DIAG_STEERING);
			assert_int_equal(diag[0].value, 1);
			bed_advance(&first, 1000 * BED_MS);
			inject_syns();
			n = pmtcp_misdirected(first.ctx, pkts, owners, SYNS);
			pmtcp_misdirected_drop(first.ctx, pkts, n);
			assert_int_equal(pmtcp_diag(first.ctx, diag, 4), 1);
		}
		end();
	}
}

/* ---- neighbours ---------------------------------------------------------------- */

/* The first hears ARP of the stranger, who has the MAC address of this station. */
static void
hear_arp(uint16_t op, uint32_t mac_of)
{
	struct rte_ether_addr mac = ctx_mac_of(mac_of);
	struct pkt_arp arp = {.op = op, .spa = STRANGER, .tpa = TEST_ADDR};

	memcpy(arp.sha, mac.addr_bytes, 6);
	bed_inject_arp(&first, &arp);
	bed_turn(&first);
}

static void
hear_nd(uint8_t type, uint8_t flags, uint32_t mac_of)
{
	struct rte_ether_addr mac = ctx_mac_of(mac_of);
	uint8_t opt[8] = {(uint8_t)(type - NS + 1), 1};
	struct build b = {.version = 6};
	struct build_nd nd = {.type = type, .flags = flags, .opts = opt, .opts_len = 8};

	memcpy(opt + 2, mac.addr_bytes, 6);
	ctx_ip6_of(STRANGER, b.saddr6);
	ctx_ip6_of(TEST_ADDR, b.daddr6);
	ctx_ip6_of(type == NS ? TEST_ADDR : STRANGER, nd.target);
	memcpy(b.smac, mac.addr_bytes, 6);
	memcpy(b.dmac, first.conf.mac.addr_bytes, 6);
	bed_inject_mbuf(&first, build_nd(first.pool, &b, &nd));
	bed_turn(&first);
}

/* The first has exactly this to tell, and the second hears it. */
static void
expect_told(uint8_t version, uint32_t mac_of, bool is_confirmed)
{
	struct rte_ether_addr mac = ctx_mac_of(mac_of);
	struct pmtcp_neigh neigh[2];
	uint8_t ip6[16];

	ctx_ip6_of(STRANGER, ip6);
	assert_int_equal(pmtcp_neigh_learned(first.ctx, neigh, 2), 1);
	assert_int_equal(neigh[0].addr.version, version);
	if (version == 4)
		assert_int_equal(neigh[0].addr.ip4, STRANGER);
	else
		assert_memory_equal(neigh[0].addr.ip6, ip6, 16);
	assert_true(rte_is_same_ether_addr(&neigh[0].mac, &mac));
	assert_int_equal(neigh[0].is_confirmed, is_confirmed);
	pmtcp_neigh_update(second.ctx, second.now, &neigh[0]);
}

static void
expect_nothing_told(void)
{
	struct pmtcp_neigh neigh;

	assert_int_equal(pmtcp_neigh_learned(first.ctx, &neigh, 1), 0);
}

/* The second's SYN to the stranger leaves at once, and to this MAC address. */
static void
second_opens_at_once(uint8_t version, uint32_t mac_of)
{
	struct rte_ether_addr mac = ctx_mac_of(mac_of);
	struct pmtcp_addr remote = pmtcp_addr4(STRANGER, 5000);
	struct pmtcp_conn *conn;

	if (version == 6) {
		remote = pmtcp_addr6((const uint8_t[16]){0}, 5000);
		ctx_ip6_of(STRANGER, remote.ip6);
	}
	assert_int_equal(pmtcp_connect(second.ctx, NULL, &remote, NULL, &conn), 0);
	bed_turn(&second);
	assert_non_null(bed_take(&second));
	assert_int_equal(second.taken.kind, PKT_KIND_TCP);
	assert_int_equal(second.taken.flags, PKT_SYN);
	assert_memory_equal(second.taken.dmac, mac.addr_bytes, 6);
	pmtcp_abort(conn);
	bed_turn(&second);
	bed_forget(&second);
	(void)bed_event(&second);
	bed_turn(&second);
}

static void
res_14_arp_of_one_reaches_the_other(void **state)
{
	(void)state;
	begin();
	hear_arp(1, STRANGER);
	assert_int_equal(bed_forget(&first), 1); /* answered, by the first alone */
	expect_told(4, STRANGER, true);
	second_opens_at_once(4, STRANGER);
	assert_int_equal(bed_counter(&second, PMTCP_C_neigh_requests), 0);
	assert_int_equal(bed_counter(&second, PMTCP_C_arp_taken), 0);
	end();
}

/* A flood of the same is told twice a second; news at once. */
static void
res_14_same_again_is_told_seldom(void **state)
{
	(void)state;
	begin();
	hear_arp(1, STRANGER);
	expect_told(4, STRANGER, true);
	for (int i = 0; i < 100; i++)
		hear_arp(1, STRANGER);
	expect_nothing_told();
	hear_arp(1, PMTCP_IP4(10, 0, 0, 77));
	expect_told(4, PMTCP_IP4(10, 0, 0, 77), true);
	second_opens_at_once(4, PMTCP_IP4(10, 0, 0, 77));
	bed_advance(&first, 500 * BED_MS);
	hear_arp(1, PMTCP_IP4(10, 0, 0, 77));
	expect_told(4, PMTCP_IP4(10, 0, 0, 77), true);
	assert_int_equal(bed_counter(&first, PMTCP_C_neigh_told), 3);
	end();
}

/* Who only says where it is was not heard to answer: STALE at both (RFC 4861 7.2.3), asked by
 * unicast when it is used. */
static void
res_14_neighbour_discovery_of_one_reaches_the_other(void **state)
{
	(void)state;
	begin();
	hear_nd(NS, 0, STRANGER);
	expect_told(6, STRANGER, false);
	hear_nd(NS, 0, STRANGER);
	expect_nothing_told();
	second_opens_at_once(6, STRANGER);
	hear_nd(NA, SOLICITED, STRANGER);
	expect_told(6, STRANGER, true);
	hear_nd(NA, OVERRIDE, PMTCP_IP4(10, 0, 0, 77));
	expect_told(6, PMTCP_IP4(10, 0, 0, 77), false);
	second_opens_at_once(6, PMTCP_IP4(10, 0, 0, 77));
	end();
}

/* The second asks, and the answer comes to the first, who never heard of the stranger: whatever
 * the second waited with leaves. The first keeps nothing of it (W-6), nor does who did not ask. */
static void
res_14_answer_reaches_who_asked(void **state)
{
	static const uint8_t versions[] = {4, 6};
	struct pmtcp_addr remote;
	struct pmtcp_neigh neigh;
	struct pmtcp_conn *conn;

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin();
		remote = pmtcp_addr4(STRANGER, 5000);
		if (versions[i] == 6) {
			remote = pmtcp_addr6((const uint8_t[16]){0}, 5000);
			ctx_ip6_of(STRANGER, remote.ip6);
		}
		assert_int_equal(pmtcp_connect(second.ctx, NULL, &remote, NULL, &conn), 0);
		bed_turn(&second);
		assert_int_equal(bed_forget(&second), 1); /* the question */
		if (versions[i] == 4)
			hear_arp(2, STRANGER);
		else
			hear_nd(NA, SOLICITED, STRANGER);
		expect_told(versions[i], STRANGER, true);
		bed_turn(&second);
		assert_non_null(bed_take(&second));
		assert_int_equal(second.taken.kind, PKT_KIND_TCP);
		pmtcp_abort(conn);
		bed_turn(&second);
		(void)bed_event(&second);
		bed_turn(&second);
		/* Nobody asked for this one. */
		neigh = (struct pmtcp_neigh){.addr = pmtcp_addr4(PMTCP_IP4(10, 0, 0, 50), 0),
				.mac = ctx_mac_of(1),
				.is_confirmed = true,
				.is_answer = true};
		pmtcp_neigh_update(second.ctx, second.now, &neigh);
		assert_int_equal(pmtcp_neigh_resolve(second.ctx, second.now, &neigh.addr), 0);
		end();
	}
}

/* A flood of answers nobody asked for. */
static void
res_14_answers_told_are_bounded(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 100; i++)
		hear_arp(2, STRANGER);
	assert_int_equal(bed_counter(&first, PMTCP_C_neigh_told), 8);
	bed_advance(&first, 1 * BED_MS);
	hear_arp(2, STRANGER);
	assert_int_equal(bed_counter(&first, PMTCP_C_neigh_told), 9);
	end();
}

static void
neigh_is_told_to_nobody_by_one_alone(void **state)
{
	struct pmtcp_neigh neigh;

	(void)state;
	bed_create(&first, NULL);
	hear_arp(1, STRANGER);
	assert_int_equal(pmtcp_neigh_learned(first.ctx, &neigh, 1), 0);
	assert_int_equal(bed_counter(&first, PMTCP_C_neigh_told), 0);
	bed_forget(&first);
	bed_destroy(&first);
}

/* Fifty stations ask in one turn: what is above the room is forgotten, nothing else. */
static void
neigh_list_is_bounded(void **state)
{
	struct pmtcp_neigh neigh[64];
	uint16_t n;

	(void)state;
	begin();
	for (uint32_t i = 0; i < 50; i++) {
		struct rte_ether_addr mac = ctx_mac_of(PMTCP_IP4(10, 0, 0, 100) + i);
		struct pkt_arp arp = {
				.op = 1, .spa = PMTCP_IP4(10, 0, 0, 100) + i, .tpa = TEST_ADDR};

		memcpy(arp.sha, mac.addr_bytes, 6);
		bed_inject_arp(&first, &arp);
	}
	bed_turn(&first);
	n = pmtcp_neigh_learned(first.ctx, neigh, 20);
	assert_int_equal(n, 20);
	n += pmtcp_neigh_learned(first.ctx, neigh + n, 44);
	assert_int_equal(n, 32);
	for (uint16_t i = 0; i < n; i++)
		assert_int_equal(neigh[i].addr.ip4, PMTCP_IP4(10, 0, 0, 100) + i);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_14_table_says_who_owns_a_tuple),
			cmocka_unit_test(res_14_table_that_names_nobody_is_refused),
			cmocka_unit_test(res_16_frames_have_one_fate_in_the_merged_accounts),
			cmocka_unit_test(w_25_plain_frame_is_judged_by_its_owner),
			cmocka_unit_test(w_25_sums_are_added_up_once),
			cmocka_unit_test(res_16_frames_of_no_tuple_are_not_handed_over),
			cmocka_unit_test(open_35_device_that_steers_wrong_is_told_of),
			cmocka_unit_test(res_14_arp_of_one_reaches_the_other),
			cmocka_unit_test(res_14_same_again_is_told_seldom),
			cmocka_unit_test(res_14_neighbour_discovery_of_one_reaches_the_other),
			cmocka_unit_test(res_14_answer_reaches_who_asked),
			cmocka_unit_test(res_14_answers_told_are_bounded),
			cmocka_unit_test(neigh_is_told_to_nobody_by_one_alone),
			cmocka_unit_test(neigh_list_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
