/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: OPEN-34 to OPEN-38 and OPEN-40 of doc/requirements.md, row after row: ports and
 * the cores they belong to, RSTs to nobody's segments, calls before the answer, echoes of
 * time. Method: scripts, a bed of stations, and four contexts that share an address. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/pool.h"
#include "support/rows.h"

static struct bed bed;
static struct ep ep;

static const struct ep_opts only_ts = {.conn = {.no_sack = true, .no_wscale = true}};

/* ---- OPEN-34 ---- */

enum { PORTS = 65535 - 1024 + 1 };

static uint16_t
port_of_open(uint32_t ip, uint16_t rport)
{
	struct pmtcp_addr remote = pmtcp_addr4(ip, rport);
	struct pmtcp_conn_info info;
	struct pmtcp_conn *conn;

	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
	bed_turn(&bed);
	bed_forget(&bed);
	pmtcp_conn_info(conn, &info);
	return info.local.port;
}

static void
tune_all_ports(struct pmtcp_conf *conf)
{
	conf->port_first = 1024;
	conf->port_last = 65535;
	conf->max_conns = PORTS;
}

static void
open_34_60k_opens_use_each_port_once(void **state)
{
	static bool is_seen[65536];
	uint32_t n_shared = 0;
	uint64_t probes;

	(void)state;
	memset(is_seen, 0, sizeof(is_seen));
	bed_create(&bed, tune_all_ports);
	for (uint32_t i = 0; i < 60000; i++) {
		uint16_t port = port_of_open(TEST_PEER, 80);

		assert_in_range(port, 1024, 65535);
		assert_false(is_seen[port]);
		is_seen[port] = true;
	}
	probes = bed_counter(&bed, PMTCP_C_port_probes);
	assert_true(probes <= 2 * 60000);
	/* The same port serves another remote. */
	for (int i = 0; i < 60; i++)
		n_shared += is_seen[port_of_open(TEST_PEER, 81)];
	assert_true(n_shared > 30);
	bed_destroy(&bed);
}

static void
tune_other_key(struct pmtcp_conf *conf)
{
	tune_all_ports(conf);
	conf->secrets.port[0] ^= 1;
}

static void
open_34_order_is_of_remote_and_key(void **state)
{
	uint16_t first, of_port;

	(void)state;
	bed_create(&bed, tune_all_ports);
	first = port_of_open(TEST_PEER, 80);
	of_port = port_of_open(TEST_PEER, 81);
	assert_int_not_equal(first, of_port);
	assert_int_not_equal(first, port_of_open(PMTCP_IP4(10, 0, 0, 3), 80));
	bed_destroy(&bed);
	bed_create(&bed, tune_all_ports);
	assert_int_equal(port_of_open(TEST_PEER, 80), first);
	bed_destroy(&bed);
	bed_create(&bed, tune_other_key);
	assert_int_not_equal(port_of_open(TEST_PEER, 80), first);
	bed_destroy(&bed);
}

static void
tune_600_ports(struct pmtcp_conf *conf)
{
	conf->port_first = 40000;
	conf->port_last = 40599;
	conf->max_conns = 600;
	conf->tw_reuse = PMTCP_TW_REUSE_SAFE;
}

/* All ports are in use but the 500th, and the first one's TIME-WAIT may be reused (TW-13):
 * the search for the other goes on for 16 places. */
static void
open_34_search_is_bounded(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .has_ts = true, .tsval = 5000};
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 80);
	struct pmtcp_conn *conn[600];
	uint64_t probes;

	(void)state;
	bed_create(&bed, tune_600_ports);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn[0]), 0);
	for (int i = 1; i < 600; i++) {
		assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn[i]), 0);
		bed_turn(&bed);
		bed_forget(&bed);
	}
	bed_close_first(&bed, &peer, conn[0]);
	pmtcp_detach(conn[499]);
	bed_advance(&bed, 1500 * BED_MS);
	bed_forget(&bed);
	probes = bed_counter(&bed, PMTCP_C_port_probes);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn[0]), 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_reused_out), 1);
	assert_in_range(bed_counter(&bed, PMTCP_C_port_probes) - probes, 1, 17);
	bed_destroy(&bed);
}

/* ---- OPEN-35 ---- */

enum { CORES = 4, OPENS = 25000 };

struct core {
	struct pmtcp_ctx *ctx;
	void *mem;
	size_t len;
};

static void
make_core(struct core *core, struct rte_mempool *pool, uint16_t number)
{
	struct pmtcp_conf conf;

	ctx_conf_small(&conf, TEST_ADDR, TEST_PEER, 1);
	conf.pool = pool;
	conf.spare_max = 0;
	conf.owner = number;
	conf.owners = CORES;
	core->len = pmtcp_ctx_memsize(&conf);
	core->mem = ctx_mem_map(core->len);
	assert_int_equal(pmtcp_ctx_init(core->mem, core->len, &conf, &core->ctx), 0);
	pmtcp_tick(core->ctx, BED_MS);
}

/* The hash of a device: for each bit that is set in the source and destination address and
 * port of a packet it receives, the 32 bits of the key that begin at that bit. The key is 0x6d5a
 * over and over. */
static uint32_t
toeplitz(const struct build *b)
{
	const uint32_t words[] = {b->saddr, b->daddr, (uint32_t)b->sport << 16 | b->dport};
	uint32_t hash = 0;

	for (uint32_t bit = 0; bit < 3 * 32; bit++) {
		uint32_t window = 0;

		for (uint32_t k = bit; k < bit + 32; k++)
			window = window << 1 | (0x6d5au >> (15 - k % 16) & 1);
		if (words[bit / 32] >> (31 - bit % 32) & 1)
			hash ^= window;
	}
	return hash;
}

/* What a device of CORES queues does with the answer, by a redirection table of 512 entries
 * that names them in turn: RST, so that the block is free. */
static void
answer(struct core *cores, struct rte_mempool *pool, struct rte_mbuf *syn)
{
	struct build b = {.flags = PKT_RST | PKT_ACK};
	struct rte_mbuf *m;
	static struct pkt p;

	assert_int_equal(pkt_decode(&p, syn), 0);
	rte_pktmbuf_free(syn);
	assert_int_equal(p.flags, PKT_SYN);
	build_reply_to(&b, &p);
	b.ack = p.seq + 1;
	m = build_tcp(pool, &b);
	pmtcp_input(cores[toeplitz(&b) % 512 % CORES].ctx, BED_MS, &m, 1);
}

static void
open_35_answers_return_to_the_core_that_opened(void **state)
{
	struct rte_mempool *pool = test_pool_create(2048 + RTE_PKTMBUF_HEADROOM);
	struct core cores[CORES];

	(void)state;
	for (uint16_t i = 0; i < CORES; i++)
		make_core(&cores[i], pool, i);
	for (int i = 0; i < CORES * OPENS; i++) {
		struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, (uint16_t)(80 + i % 10));
		struct pmtcp_ctx *ctx = cores[i % CORES].ctx;
		struct pmtcp_event ev;
		struct pmtcp_conn *conn;
		struct rte_mbuf *m;

		assert_int_equal(pmtcp_connect(ctx, NULL, &remote, NULL, &conn), 0);
		assert_int_equal(pmtcp_output(ctx, BED_MS, &m, 1), 1);
		answer(cores, pool, m);
		assert_int_equal(pmtcp_events(ctx, &ev, 1), 1);
		assert_ptr_equal(ev.conn, conn);
		assert_int_equal(ev.reason, PMTCP_REFUSED);
		pmtcp_close(conn);
		assert_int_equal(pmtcp_output(ctx, BED_MS, &m, 1), 0);
	}
	for (int i = 0; i < CORES; i++) {
		struct pmtcp_stats stats;

		pmtcp_stats(cores[i].ctx, &stats);
		assert_int_equal(stats.counter[PMTCP_C_misdirected], 0);
		assert_int_equal(stats.counter[PMTCP_C_opened_active], OPENS);
		pmtcp_ctx_fini(cores[i].ctx);
		ctx_mem_unmap(cores[i].mem, cores[i].len);
	}
	test_pool_destroy(pool);
}

/* ---- OPEN-36 ---- */

ROW(open_36_syn_to_nobody, &rows_plain, "> S 100; < RA 0 101; []; = CLD")
ROW(open_36_ack_to_nobody, &rows_plain, "> A 50 7; < R 7 0; > PA 50 7 len=9; < R 7 0; = CLD")
ROW(open_36_length_counts_syn_fin_and_text, &rows_plain,
		"> SF 100 len=3; < RA 0 105; > F 100; < RA 0 101; > - 100 len=3; < RA 0 103")
ROW(open_36_rst_to_nobody, &rows_plain, "> R 100; > RA 100 7; .; []; = CLD; # drop_rst+2")

static void
open_36_rsts_to_nobody_are_throttled(void **state)
{
	uint32_t answers = 0;

	(void)state;
	bed_create(&bed, NULL);
	bed_advance(&bed, 2000 * BED_MS);
	for (uint16_t port = 1; port <= 5000; port++) {
		struct build b = {.sport = port, .dport = 80, .flags = PKT_SYN};

		bed_inject(&bed, &b);
		bed_turn(&bed);
		answers += bed_forget(&bed);
	}
	assert_in_range(answers, 870, 1000);
	assert_int_equal(bed_counter(&bed, PMTCP_C_rst_reply_throttled), 5000 - answers);
	bed_destroy(&bed);
}

/* ---- OPEN-37 ---- */

struct ground {
	const char *reach;
	uint32_t seq; /* RCV.NXT from the peer's initial number */
	uint32_t ack; /* SND.NXT from ours */
};

static const struct ground synchronized[] = {
		{REACH_EST, 1, 1},
		{REACH_FW1, 1, 2},
		{REACH_FW2, 1, 2},
		{REACH_CLW, 2, 1},
		{REACH_CLG, 2, 2},
		{REACH_LAK, 2, 2},
		{REACH_TW, 2, 2},
};

static bool
sends_rst_about(const struct ground *g, const struct build *how)
{
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR), peer = ctx_mac_of(TEST_PEER);
	struct build b = *how;
	bool is_seen = false;

	rows_begin(&ep, __func__, &rows_plain, g->reach);
	b.saddr = TEST_PEER;
	b.daddr = b.daddr ? b.daddr : TEST_ADDR;
	b.sport = EP_PEER_PORT;
	b.dport = EP_PORT;
	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, peer.addr_bytes, 6);
	b.seq += ep.irs + g->seq;
	b.ack += ep.iss + g->ack;
	b.wnd = 1000;
	b.payload = "0123456789";
	ep_inject_mbuf(&ep, build_tcp(ep.pool, &b));
	ep_turn(&ep);
	while (ep_take(&ep) != NULL)
		is_seen |= (ep.taken.flags & PKT_RST) != 0;
	ep_drop(&ep);
	return is_seen;
}

/* Numbers beside the window, ACKs of what was never sent or long ago, SYNs, no ACK. */
static void
open_37_unacceptable_segments_draw_no_rst(void **state)
{
	static const struct build bad[] = {
			{.flags = PKT_ACK, .seq = 0u - 20, .len = 10},
			{.flags = PKT_ACK, .seq = 70000},
			{.flags = PKT_ACK, .ack = 1},
			{.flags = PKT_ACK, .ack = 0u - 100000},
			{.flags = PKT_SYN},
			{.flags = PKT_SYN | PKT_ACK, .seq = 0u - 1},
			{.flags = PKT_FIN, .len = 10},
			{.flags = 0, .len = 10},
	};

	(void)state;
	for (size_t g = 0; g < PMTCP_ARRAY_SIZE(synchronized); g++)
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(bad); i++)
			assert_false(sends_rst_about(&synchronized[g], &bad[i]));
}

/* Whatever else is set in it, at each end of the window, in each state. */
static void
open_37_rst_draws_no_rst(void **state)
{
	static const struct ground others[] = {
			{REACH_CLD, 0, 0}, {REACH_LIS, 0, 0}, {REACH_SYS, 0, 1}, {REACH_SYR, 1, 1}};
	static const uint32_t beside[] = {0u - 1, 0, 1, 70000};

	(void)state;
	for (uint32_t i = 0; i < 4 * 64; i++) {
		struct build rst = {.flags = (uint8_t)(PKT_RST | (i / 4)), .seq = beside[i % 4]};

		rst.len = i & 1 ? 10 : 0;
		for (size_t g = 0; g < PMTCP_ARRAY_SIZE(others); g++)
			assert_false(sends_rst_about(&others[g], &rst));
		for (size_t g = 0; g < PMTCP_ARRAY_SIZE(synchronized); g++)
			assert_false(sends_rst_about(&synchronized[g], &rst));
	}
}

static void
open_37_broken_and_group_segments_draw_no_rst(void **state)
{
	static const struct ground nobody = {REACH_CLD, 0, 0};
	static const uint32_t groups[] = {PMTCP_IP4(10, 0, 0, 255), PMTCP_IP4(255, 255, 255, 255),
			PMTCP_IP4(224, 0, 0, 1)};
	struct build b = {.flags = PKT_SYN};

	(void)state;
	assert_true(sends_rst_about(&nobody, &b));
	for (int bit = 0; bit < 16; bit++) {
		b.l4_cksum_xor = (uint16_t)(1u << bit);
		assert_false(sends_rst_about(&nobody, &b));
	}
	b.l4_cksum_xor = 0;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(groups); i++) {
		b.daddr = groups[i];
		assert_false(sends_rst_about(&nobody, &b));
	}
}

ROW(open_37_icmp_draws_no_rst, &rows_plain,
		"! icmp 3/3 5; ! icmp 11/0 5; .; {listen}; ! icmp 3/3 5; .; = LIS")

/* ---- OPEN-38 ---- */

ROW(open_38_send_queues_until_the_answer, &rows_plain,
		"{open}; {send 10}; < S i= 0; {send 10}; {recv 1}=-EAGAIN; .; > SA p i+1;"
		"< PA i+1 p+1 len=20; [CONNECTED]; > A p+1 i+21; .")
ROW(open_38_also_in_syn_rcvd, &rows_plain,
		"{open}; < S i= 0; > S p; < SA i p+1; {send 10}; {recv 1}=-EAGAIN; .; > A p+1 i+1;"
		"[CONNECTED]; < PA i+1 p+1 len=10; > A p+1 i+11; .")

static void
tune_one_transfer(struct pmtcp_conf *conf)
{
	conf->max_transfers = 1;
}

static void
open_38_short_resources_are_told(void **state)
{
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 80);
	struct pmtcp_conn *conn[2];
	struct pmtcp_event ev;

	(void)state;
	bed_create(&bed, tune_one_transfer);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn[i]), 0);
	assert_int_equal(pmtcp_write(conn[0], "0123456789", 10), 10);
	assert_int_equal(pmtcp_write(conn[1], "0123456789", 10), -EAGAIN);
	bed_turn(&bed);
	assert_int_equal(bed_forget(&bed), 2);
	pmtcp_detach(conn[0]);
	bed_turn(&bed);
	ev = bed_event(&bed);
	assert_ptr_equal(ev.conn, conn[1]);
	assert_int_equal(ev.flags, PMTCP_EV_WRITABLE);
	assert_int_equal(pmtcp_write(conn[1], "0123456789", 10), 10);
	bed_destroy(&bed);
}

/* ---- OPEN-40 ---- */

static void
open_with_echo(int32_t off)
{
	struct ep_seg syn_ack = {.flags = "SA",
			.seq = EP_PEER_ISS,
			.wnd = -1,
			.mss = 1460,
			.wscale = -1,
			.has_ts = true,
			.tsval = 500};

	rows_begin(&ep, __func__, &only_ts, "{open}");
	ep_advance(&ep, 20 * EP_MS);
	assert_non_null(ep_take(&ep));
	ep.iss = ep.taken.seq;
	syn_ack.ack = ep.iss + 1;
	syn_ack.tsecr = ep.taken.tsval + (uint32_t)off;
	ep_inject(&ep, &syn_ack);
}

static void
open_40_echo_never_sent_gets_rsta(void **state)
{
	static const int32_t wrong[] = {-1, 1000, 0x40000000, -0x40000000};

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(wrong); i++) {
		open_with_echo(wrong[i]);
		cell_script(&ep, "< R i+1 0; []; = SYS; # drop_syn_sent; {close}; [CLOSED "
				 "LOCAL_CLOSE]");
		rows_end(&ep);
	}
	open_with_echo(0);
	cell_script(&ep, "< A i+1 p+1 ts=500; [CONNECTED]; = EST");
	rows_end(&ep);
}

/* Also where a half-open is, and for text and FIN. */
ROW(open_40_elsewhere_it_only_spoils_a_sample, &only_ts,
		"{listen}; > S p ts=100:0; < SA i= p+1 ts=100; > A p+1 i+1 ts=101:12345; "
		"[ACCEPTED];"
		".; = EST; > PA p+1 i+1 len=10 ts=102:99999; [READABLE]; {recv 10}; +42;"
		"< A i+1 p+11 ts=102; > FA p+11 i+1 ts=103:1; [PEER_FIN]; < A i+1 p+12 ts=103;"
		"= CLW")

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_34_60k_opens_use_each_port_once),
			cmocka_unit_test(open_34_order_is_of_remote_and_key),
			cmocka_unit_test(open_34_search_is_bounded),
			cmocka_unit_test(open_35_answers_return_to_the_core_that_opened),
			cmocka_unit_test(open_36_syn_to_nobody),
			cmocka_unit_test(open_36_ack_to_nobody),
			cmocka_unit_test(open_36_length_counts_syn_fin_and_text),
			cmocka_unit_test(open_36_rst_to_nobody),
			cmocka_unit_test(open_36_rsts_to_nobody_are_throttled),
			cmocka_unit_test(open_37_unacceptable_segments_draw_no_rst),
			cmocka_unit_test(open_37_rst_draws_no_rst),
			cmocka_unit_test(open_37_broken_and_group_segments_draw_no_rst),
			cmocka_unit_test(open_37_icmp_draws_no_rst),
			cmocka_unit_test(open_38_send_queues_until_the_answer),
			cmocka_unit_test(open_38_also_in_syn_rcvd),
			cmocka_unit_test(open_38_short_resources_are_told),
			cmocka_unit_test(open_40_echo_never_sent_gets_rsta),
			cmocka_unit_test(open_40_elsewhere_it_only_spoils_a_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
