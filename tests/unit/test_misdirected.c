/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: two contexts that share an address each serve the tuples that flow_owner() gives
 * them and hand the others over; ephemeral ports are chosen so that replies come back
 * (RES-14, OPEN-35). Method: SYNs from many ports to one context; what it sets aside is
 * given to the other. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/flow_owner.h"
#include "support/build.h"
#include "support/ctx_mem.h"
#include "support/pool.h"

enum { SYNS = 500, OPENS = 40, BURST = 64, PORT = 80, HELD_MAX = 512 };

struct pair {
	struct rte_mempool *pool;
	struct pmtcp_ctx *ctx[2];
	void *mem[2];
	size_t len[2];
};

static void
make_pair_on(struct pair *p, uint16_t vlan)
{
	p->pool = test_pool_create(2048 + RTE_PKTMBUF_HEADROOM);
	for (uint16_t i = 0; i < 2; i++) {
		struct pmtcp_conf conf;
		struct pmtcp_listener *l;
		struct pmtcp_addr local = pmtcp_addr4(0, PORT);

		ctx_conf_small(&conf, TEST_ADDR, TEST_PEER, 1);
		conf.pool = p->pool;
		conf.spare_max = 0;
		conf.max_conns = 2 * OPENS;
		conf.owner = i;
		conf.owners = 2;
		conf.vlan = vlan;
		conf.caps.rx_vlan_strip = vlan != 0;
		conf.max_half_open = 2 * SYNS;
		p->len[i] = pmtcp_ctx_memsize(&conf);
		p->mem[i] = ctx_mem_map(p->len[i]);
		assert_int_equal(pmtcp_ctx_init(p->mem[i], p->len[i], &conf, &p->ctx[i]), 0);
		pmtcp_tick(p->ctx[i], 1000000);
		assert_int_equal(pmtcp_listen(p->ctx[i], &local, NULL, &l), 0);
	}
}

static void
make_pair(struct pair *p)
{
	make_pair_on(p, 0);
}

static void
end_pair(struct pair *p)
{
	for (int i = 0; i < 2; i++) {
		struct pmtcp_stats stats;

		pmtcp_stats(p->ctx[i], &stats);
		assert_null(pmtcp_stats_audit(&stats));
		pmtcp_ctx_fini(p->ctx[i]);
		ctx_mem_unmap(p->mem[i], p->len[i]);
	}
	test_pool_destroy(p->pool);
}

static struct rte_mbuf *
syn_from(struct pair *p, uint16_t port)
{
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR);
	struct rte_ether_addr peer = ctx_mac_of(TEST_PEER);
	struct build b = {.saddr = TEST_PEER,
			.daddr = TEST_ADDR,
			.sport = port,
			.dport = PORT,
			.seq = 1,
			.flags = PKT_SYN,
			.wnd = 1000};

	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, peer.addr_bytes, 6);
	return build_tcp(p->pool, &b);
}

static uint32_t
half_open(struct pmtcp_ctx *ctx)
{
	struct pmtcp_stats stats;

	pmtcp_stats(ctx, &stats);
	return stats.half_open;
}

/* Hands what the first set aside to the second. Returns how many. */
static uint32_t
hand_over(struct pair *p)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t owners[BURST];
	uint32_t total = 0;
	uint16_t n;

	while ((n = pmtcp_misdirected(p->ctx[0], pkts, owners, BURST)) > 0) {
		for (uint16_t i = 0; i < n; i++)
			assert_int_equal(owners[i], 1);
		pmtcp_input(p->ctx[1], 1000000, pkts, n);
		total += n;
	}
	return total;
}

static void
res_14_frames_of_others_are_handed_over(void **state)
{
	struct pair p;
	uint32_t handed = 0;

	(void)state;
	make_pair(&p);
	for (uint16_t i = 0; i < SYNS; i++) {
		struct rte_mbuf *m = syn_from(&p, (uint16_t)(2000 + i));

		pmtcp_input(p.ctx[0], 1000000, &m, 1);
		handed += hand_over(&p);
	}
	assert_in_range(handed, SYNS / 4, SYNS * 3 / 4);
	assert_int_equal(half_open(p.ctx[0]), SYNS - handed);
	assert_int_equal(half_open(p.ctx[1]), handed);
	end_pair(&p);
}

/* What nobody takes is freed by the next input, and what is too much at once is lost. */
static void
res_14_frames_not_taken_are_not_leaked(void **state)
{
	struct rte_mbuf *pkts[3 * HELD_MAX];
	struct pair p;
	struct rte_mbuf *m;

	(void)state;
	make_pair(&p);
	for (uint16_t i = 0; i < 3 * HELD_MAX; i++)
		pkts[i] = syn_from(&p, (uint16_t)(2000 + i));
	pmtcp_input(p.ctx[0], 1000000, pkts, 3 * HELD_MAX);
	m = syn_from(&p, 1999);
	pmtcp_input(p.ctx[0], 1000000, &m, 1);
	assert_in_range(hand_over(&p), 0, 1);
	end_pair(&p);
}

static void
open_35_ports_are_chosen_for_their_owner(void **state)
{
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 9);
	struct pmtcp_port_report report;
	static struct flow_owner owner;
	struct pair p;

	(void)state;
	make_pair(&p);
	assert_int_equal(flow_owner_init(&owner, NULL, 0, 2), 0);
	for (int i = 0; i < 2 * OPENS; i++) {
		struct pmtcp_conn_info info;
		struct pmtcp_conn *conn;
		struct flow_key key;

		assert_int_equal(pmtcp_connect(p.ctx[i % 2], NULL, &remote, NULL, &conn), 0);
		pmtcp_conn_info(conn, &info);
		key.laddr = rte_cpu_to_be_32(info.local.ip4);
		key.raddr = rte_cpu_to_be_32(info.remote.ip4);
		key.lport = rte_cpu_to_be_16(info.local.port);
		key.rport = rte_cpu_to_be_16(info.remote.port);
		assert_int_equal(flow_owner(&owner, &key), i % 2);
	}
	pmtcp_port_report(p.ctx[0], NULL, &remote, &report);
	assert_int_equal(report.in_use, OPENS);
	assert_int_equal(report.range + report.foreign, 65535 - 1024 + 1);
	assert_in_range(report.foreign, 20000, 45000);
	end_pair(&p);
}

/* The device took the tag off, and it cannot be put back: into a buffer that others hold, too,
 * nobody writes. The frame is lost, and counted so. */
static void
res_14_tag_is_not_put_on_what_others_hold(void **state)
{
	struct pmtcp_stats stats;
	struct rte_mbuf *pkts[BURST];
	uint16_t owner;
	struct pair p;

	(void)state;
	make_pair_on(&p, 5);
	for (uint16_t i = 0; i < BURST; i++) {
		pkts[i] = syn_from(&p, (uint16_t)(2000 + i));
		pkts[i]->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
		pkts[i]->vlan_tci = 5;
		rte_mbuf_refcnt_update(pkts[i], 1);
	}
	pmtcp_input(p.ctx[0], 1000000, pkts, BURST);
	pmtcp_stats(p.ctx[0], &stats);
	assert_in_range(stats.counter[PMTCP_C_drop_misdirected], BURST / 4, BURST * 3 / 4);
	assert_int_equal(stats.counter[PMTCP_C_misdirected], 0);
	assert_int_equal(pmtcp_misdirected(p.ctx[0], pkts, &owner, 1), 0);
	for (uint16_t i = 0; i < BURST; i++) {
		assert_int_equal(rte_pktmbuf_mtod(pkts[i], uint8_t *)[12], 0x08);
		rte_pktmbuf_free(pkts[i]);
	}
	end_pair(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_14_frames_of_others_are_handed_over),
			cmocka_unit_test(res_14_frames_not_taken_are_not_leaked),
			cmocka_unit_test(res_14_tag_is_not_put_on_what_others_hold),
			cmocka_unit_test(open_35_ports_are_chosen_for_their_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
