/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what once was wrong at a limit stays right: listeners and tables that are full,
 * windows that are shut, clocks that came round, buffers that run short. Method: beds of
 * stations and scripts; each test failed before its defect was mended. Neighbours are in
 * test_regress_neigh.c. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/check.h"
#include "base/seq.h"
#include "support/bed.h"
#include "support/pool.h"
#include "support/rows.h"

static struct bed bed;
static struct ep ep;

/* ---- tables that are full ------------------------------------------------ */

static struct pmtcp_listener *
listen_on(uint16_t port, uint32_t half_open_max)
{
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, port);
	struct pmtcp_listen_opts opts = {
			.half_open_max = half_open_max, .syn_cookies = PMTCP_COOKIES_OFF};
	struct pmtcp_listener *l;

	assert_int_equal(pmtcp_listen(bed.ctx, &local, &opts, &l), 0);
	return l;
}

/* OPEN-29, RES-12: SYNs to a listener at its limit leave the others' half-opens alone. */
static void
open_29_listener_at_limit_replaces_its_own_only(void **state)
{
	struct bed_peer quiet = {.ip = TEST_PEER, .local_port = 80};
	struct bed_peer noisy = {.ip = TEST_PEER, .local_port = 81};

	(void)state;
	bed_create(&bed, NULL);
	listen_on(80, 0);
	listen_on(81, 1);
	for (uint16_t i = 0; i < 10; i++) {
		quiet.port = (uint16_t)(5000 + i);
		bed_peer_sends(&bed, &quiet, PKT_SYN, 0);
	}
	for (uint16_t i = 0; i < 30; i++) {
		noisy.port = (uint16_t)(7000 + i);
		bed_peer_sends(&bed, &noisy, PKT_SYN, 0);
	}
	bed_turn(&bed);
	assert_int_equal(bed_stats(&bed).half_open, 11);
	assert_true(bed_counter(&bed, PMTCP_C_half_open_replaced) > 0);
	bed_destroy(&bed);
}

static void
tune_few_pairs(struct pmtcp_conf *conf)
{
	conf->max_port_pairs = 1;
}

/* TW-12: the tuple of a passive connection needs a pair of its own when it is reused. */
static void
tw_12_reuse_without_a_pair_says_so(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 5000, .has_ts = true, .tsval = 1000};
	struct pmtcp_addr local, remote = pmtcp_addr4(TEST_PEER, 5000);
	struct pmtcp_conn *conn;
	uint16_t n = 0;

	(void)state;
	bed_create(&bed, tune_few_pairs);
	peer.local_port = (uint16_t)(bed.conf.port_first + 100);
	local = pmtcp_addr4(TEST_ADDR, peer.local_port);
	listen_on(peer.local_port, 0);
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	bed_close_first(&bed, &peer, conn);
	bed_advance(&bed, 1500 * BED_MS);
	for (int err = 0; err == 0; n++) {
		struct pmtcp_addr other = pmtcp_addr4(TEST_PEER, (uint16_t)(6000 + n));

		err = pmtcp_connect(bed.ctx, NULL, &other, NULL, &conn);
		assert_true(err == 0 || err == -ENOBUFS);
	}
	assert_in_range(n, 2, 60);
	assert_int_equal(pmtcp_connect(bed.ctx, &local, &remote, NULL, &conn), -ENOBUFS);
	assert_int_equal(bed_stats(&bed).time_wait, 1);
	bed_destroy(&bed);
}

/* RES-1: a burst of any size that the call can name, looked at once. */
static void
input_of_65535_frames_ends(void **state)
{
	enum { FRAMES = UINT16_MAX };
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 64);
	struct rte_mbuf **burst = calloc(FRAMES, sizeof(*burst));
	static const uint8_t bytes[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	(void)state;
	CHECK(burst != NULL);
	bed_create(&bed, NULL);
	for (uint32_t i = 0; i < FRAMES; i++)
		burst[i] = build_mbuf(pool, bytes, sizeof(bytes), 0);
	pmtcp_input(bed.ctx, bed.now, burst, FRAMES);
	assert_int_equal(bed_counter(&bed, PMTCP_C_rx_frames), FRAMES);
	assert_int_equal(test_pool_live(pool), 0);
	bed_destroy(&bed);
	test_pool_destroy(pool);
	free(burst);
}

static int
init_says(const struct pmtcp_conf *conf, uint32_t room)
{
	struct pmtcp_conf full = *conf;
	struct pmtcp_ctx *ctx = NULL;
	size_t len;
	void *mem;
	int ret;

	full.pool = test_pool_create(room);
	len = pmtcp_ctx_memsize(&full);
	mem = ctx_mem_map(len);
	ret = pmtcp_ctx_init(mem, len, &full, &ctx);
	if (ret == 0)
		pmtcp_ctx_fini(ctx);
	test_pool_destroy(full.pool);
	ctx_mem_unmap(mem, len);
	return ret;
}

/* A full segment leaves from one buffer; without room for it nothing would ever leave. */
static void
init_with_buffers_below_the_mtu_is_refused(void **state)
{
	struct pmtcp_conf conf;

	(void)state;
	ctx_conf_small(&conf, TEST_ADDR, TEST_PEER, 1);
	assert_int_equal(init_says(&conf, RTE_PKTMBUF_HEADROOM + 1460), 0);
	assert_int_equal(init_says(&conf, RTE_PKTMBUF_HEADROOM + 1459), -EINVAL);
	conf.mtu = 9000;
	assert_int_equal(init_says(&conf, RTE_PKTMBUF_HEADROOM + 2048), -EINVAL);
	assert_int_equal(init_says(&conf, RTE_PKTMBUF_HEADROOM + 8960), 0);
}

/* W-8: static neighbours must not take up the whole table. */
static void
init_with_static_neighbours_only_is_refused(void **state)
{
	struct pmtcp_conf conf;

	(void)state;
	ctx_conf_small(&conf, TEST_ADDR, TEST_PEER, 1);
	conf.max_neighbours = conf.n_static_neigh;
	assert_int_equal(init_says(&conf, RTE_PKTMBUF_HEADROOM + 2048), -EINVAL);
	conf.max_neighbours = (uint16_t)(conf.n_static_neigh + 1);
	assert_int_equal(init_says(&conf, RTE_PKTMBUF_HEADROOM + 2048), 0);
}

/* ---- windows ------------------------------------------------------------- */

/* The peer sends its next octets and notes what it is offered. */
static void
fill_one(uint32_t *seq, uint32_t *edge, uint32_t len)
{
	struct ep_seg seg = {.flags = "A",
			.seq = *seq,
			.ack = ep.iss + 1,
			.len = len,
			.wnd = -1,
			.mss = -1,
			.wscale = -1};
	const struct pkt *p;
	struct pmtcp_conn_info info;

	ep_inject(&ep, &seg);
	ep_advance(&ep, 50 * EP_MS);
	pmtcp_conn_info(ep.conn, &info);
	while ((p = ep_take(&ep)) != NULL)
		*edge = seq_max(*edge, p->ack + ((uint32_t)p->wnd << info.rcv_wscale));
	*seq = info.rcv_nxt;
}

static void
open_with_buffer(const char *name, uint32_t recv_buffer)
{
	struct ep_opts opts = {.conn = {.no_timestamps = true, .no_sack = true}};

	ep_create(&ep, name, &opts);
	ep.conn_opts.recv_buffer = recv_buffer;
	cell_script(&ep, "{open}; < S i= 0; > SA p i+1 mss=1460 ws=7; < A i+1 p+1; [CONNECTED]");
}

/* DATA-17, RES-10: into a full buffer the peer may send what it was offered, but each of
 * its octets does not earn it another one. */
static void
res_10_full_buffer_keeps_the_edge(void **state)
{
	enum { BUFFER = 300001 };
	uint32_t seq, edge, edge_when_full;

	(void)state;
	open_with_buffer(__func__, BUFFER);
	seq = edge = ep.irs + 1;
	while (seq - ep.irs - 1 + 1460 <= BUFFER)
		fill_one(&seq, &edge, 1460);
	fill_one(&seq, &edge, BUFFER - (seq - ep.irs - 1));
	assert_int_equal(seq - ep.irs - 1, BUFFER);
	edge_when_full = edge;
	for (int i = 0; i < 100; i++)
		fill_one(&seq, &edge, 1);
	assert_true(seq_leq(seq, edge));
	assert_int_equal(edge, edge_when_full);
	ep_drop(&ep);
}

/* DATA-17, RES-10: rounding up takes the edge on with each segment that is a little
 * smaller than the scale, but by an eighth of the buffer at most. */
static void
res_10_rounding_takes_the_edge_a_little_beyond(void **state)
{
	enum { BUFFER = 4000001, SCALE = 1 << 6 };
	uint32_t seq, edge;

	(void)state;
	open_with_buffer(__func__, BUFFER);
	seq = edge = ep.irs + 1;
	for (int i = 0; i < 16000; i++)
		fill_one(&seq, &edge, SCALE - 1);
	assert_int_equal(seq - ep.irs - 1, 16000 * (SCALE - 1));
	assert_true(edge - ep.irs - 1 > BUFFER);
	assert_true(edge - ep.irs - 1 <= BUFFER + BUFFER / 8 + SCALE);
	ep_drop(&ep);
}

/* DATA-25, DATA-32: the window closes over what is in flight and opens again while the RTO
 * is backed off: what waited goes at once. */
ROW(data_25_reopened_window_sends_at_once, &rows_plain,
		REACH_WIDE
		"; {send 4380}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"
		"< PA i+2921 p+1 len=1460; > A p+1 i+1461 wnd=0; .; +5s; ~; [ERROR TIMEOUT_RTX];"
		"> A p+1 i+1461 wnd=65535; < A i+1461 p+1 len=1; < A i+1462 p+1 len=1459;"
		"< PA i+2921 p+1 len=1460; .; > A p+1 i+4381 wnd=65535; .; ?"
		" snd_una i+4381")

/* The peer's answer to everything sent so far. */
static void
answer(uint32_t ack, uint16_t wnd)
{
	struct ep_seg seg = {.flags = "A",
			.seq = ep.irs + 1,
			.ack = ack,
			.wnd = wnd,
			.mss = -1,
			.wscale = -1};

	ep_inject(&ep, &seg);
	ep_turn(&ep);
}

/* SHLD-30: the peer takes each probe and stays shut: the back-off goes on. */
static void
data_25_taken_probes_keep_the_back_off(void **state)
{
	uint32_t frames = 0;

	(void)state;
	ep_create(&ep, __func__, &rows_plain);
	cell_script(&ep, REACH_EST);
	answer(ep.iss + 1, 0);
	assert_int_equal(ep_write(&ep, 1000), 1000);
	for (int ms = 0; ms < 60000; ms += 10) {
		const struct pkt *p;

		ep_advance(&ep, 10 * EP_MS);
		while ((p = ep_take(&ep)) != NULL) {
			frames++;
			answer(p->seq + p->len, 0);
		}
	}
	/* 0.2 s and doubled: nine in a minute, not one each 0.2 s. */
	assert_in_range(frames, 5, 12);
	ep_abort(&ep);
	ep_drop(&ep);
}

/* NEG-18, CLOSE-20: nobody waits for an orphan's data; answers do not keep it. */
static void
run_orphan(const char *name, uint32_t first_wnd)
{
	uint32_t una;

	ep_create(&ep, name, &rows_plain);
	cell_script(&ep, REACH_EST);
	una = ep.iss + 1;
	answer(una, (uint16_t)first_wnd);
	assert_int_equal(ep_write(&ep, 1000), 1000);
	ep_turn(&ep);
	ep_close(&ep);
	for (int s = 0; s < 3600; s++) {
		bool was_sent = false;

		ep_advance(&ep, 1000 * EP_MS);
		while (ep_take(&ep) != NULL)
			was_sent = true;
		if (was_sent && ep.conn != NULL)
			answer(una, 0);
		if (pmtcp_deadline(ep.ctx) > ep.now + 86400ull * 1000 * EP_MS)
			break;
		answer(una, 0);
		while (ep_take(&ep) != NULL)
			;
	}
	{
		struct pmtcp_stats stats;

		pmtcp_stats(ep.ctx, &stats);
		assert_int_equal(stats.blocks_used, 0);
	}
	ep_drop(&ep);
}

static void
neg_18_orphan_with_shut_window_ends(void **state)
{
	(void)state;
	run_orphan(__func__, 0);
}

static void
neg_18_orphan_whose_window_shuts_over_its_flight_ends(void **state)
{
	(void)state;
	run_orphan(__func__, 8192);
}

/* SEND is over: there is no room to ask for. */
static void
send_space_after_shutdown_is_zero(void **state)
{
	(void)state;
	ep_create(&ep, __func__, &rows_plain);
	cell_script(&ep, REACH_EST);
	assert_true(pmtcp_send_space(ep.conn) > 0);
	cell_script(&ep, "{shutdown}; < FA i+1 p+1");
	assert_int_equal(pmtcp_send_space(ep.conn), 0);
	assert_int_equal(pmtcp_write(ep.conn, "x", 1), -EPIPE);
	ep_drop(&ep);
}

/* RES-1: a buffer without octets queues nothing and holds no side record. */
static void
send_of_an_empty_buffer_holds_no_side_record(void **state)
{
	struct rte_mbuf *m;
	struct pmtcp_stats stats;

	(void)state;
	ep_create(&ep, __func__, &rows_plain);
	cell_script(&ep, REACH_EST);
	m = rte_pktmbuf_alloc(ep.pool);
	assert_non_null(m);
	(void)pmtcp_send(ep.conn, &m, 1);
	ep_turn(&ep);
	pmtcp_stats(ep.ctx, &stats);
	assert_int_equal(stats.transfers_used, 0);
	ep_drop(&ep);
}

/* ---- buffers that run short (RES-5) -------------------------------------- */

static void
out_of_order(uint32_t i)
{
	struct ep_seg seg = {.flags = "A",
			.seq = ep.irs + 1 + 100 + 200 * i,
			.ack = ep.iss + 1,
			.len = 10,
			.wnd = -1,
			.mss = -1,
			.wscale = -1};

	ep_inject(&ep, &seg);
	ep_turn(&ep);
	while (ep_take(&ep) != NULL)
		;
}

static uint32_t
records_used(void)
{
	struct pmtcp_stats stats;

	pmtcp_stats(ep.ctx, &stats);
	return stats.records_used;
}

/* Without packets set by for answers: those would count as live. */
static void
tune_no_spares(struct pmtcp_conf *conf)
{
	conf->spare_max = 0;
}

static void
res_5_pressure_drops_out_of_order_text(void **state)
{
	struct ep_opts opts = rows_plain;

	(void)state;
	opts.tune = tune_no_spares;
	ep_create(&ep, __func__, &opts);
	cell_script(&ep, REACH_EST);
	for (uint32_t i = 0; i < 8; i++)
		out_of_order(i);
	assert_int_equal(records_used(), 8);
	pmtcp_set_pressure(ep.ctx, 99);
	ep.now += EP_MS;
	ep_poll(&ep);
	assert_int_equal(records_used(), 0);
	assert_int_equal(test_pool_live(ep.pool), 0);
	pmtcp_set_pressure(ep.ctx, 1000);
	/* The peer sends it again, all of it in order. */
	cell_script(&ep, "> A p+1 i+1 len=1000; +50; < A i+1 p+1001; [READABLE]; {recv 1000}");
	rows_end(&ep);
}

static void
tune_32_records(struct pmtcp_conf *conf)
{
	conf->max_records = 32;
}

/* The last records are for sending and for text in order. */
static void
res_5_holes_leave_an_eighth_of_the_records(void **state)
{
	struct ep_opts opts = rows_plain;

	(void)state;
	opts.tune = tune_32_records;
	ep_create(&ep, __func__, &opts);
	cell_script(&ep, REACH_EST);
	for (uint32_t i = 0; i < 100; i++)
		out_of_order(i);
	assert_in_range(records_used(), 16, 29);
	assert_int_equal(ep_write(&ep, 1460), 1460);
	ep_turn(&ep);
	assert_non_null(ep_take(&ep));
	ep_abort(&ep);
	ep_drop(&ep);
}

/* ---- clocks -------------------------------------------------------------- */

/* DATA-11: the deadline passed long ago, by more than half the range of what is kept of
 * it: the ACK leaves all the same. */
static void
data_11_stall_of_40_s_does_not_lose_the_delayed_ack(void **state)
{
	(void)state;
	ep_create(&ep, __func__, &rows_plain);
	cell_script(&ep, REACH_EST "; > A p+1 i+1 len=100; .; [READABLE]");
	ep.now += 40000 * EP_MS;
	cell_script(&ep, "< A i+1 p+101; .");
	rows_end(&ep);
}

static void
tune_rto_max(struct pmtcp_conf *conf)
{
	conf->rto_max_ms = 3600000;
}

/* DATA-28: an echo 72 minutes old was 60 s in microseconds of 32 bits. */
static void
data_28_absurd_echo_does_not_wrap(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .has_ts = true};
	struct pmtcp_conn_info info;
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_rto_max);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	assert_int_equal(pmtcp_write(conn, "x", 1), 1);
	assert_non_null(bed_peer_gets(&bed, &peer));
	peer.tsecr = bed.taken.tsval - (4294968 + 60000);
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_turn(&bed);
	pmtcp_conn_info(conn, &info);
	assert_int_equal(info.unacked, 0);
	assert_in_range(info.srtt_us, 0, 100000);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_29_listener_at_limit_replaces_its_own_only),
			cmocka_unit_test(tw_12_reuse_without_a_pair_says_so),
			cmocka_unit_test(input_of_65535_frames_ends),
			cmocka_unit_test(init_with_buffers_below_the_mtu_is_refused),
			cmocka_unit_test(init_with_static_neighbours_only_is_refused),
			cmocka_unit_test(res_10_full_buffer_keeps_the_edge),
			cmocka_unit_test(res_10_rounding_takes_the_edge_a_little_beyond),
			cmocka_unit_test(data_25_reopened_window_sends_at_once),
			cmocka_unit_test(data_25_taken_probes_keep_the_back_off),
			cmocka_unit_test(neg_18_orphan_with_shut_window_ends),
			cmocka_unit_test(neg_18_orphan_whose_window_shuts_over_its_flight_ends),
			cmocka_unit_test(send_space_after_shutdown_is_zero),
			cmocka_unit_test(send_of_an_empty_buffer_holds_no_side_record),
			cmocka_unit_test(res_5_pressure_drops_out_of_order_text),
			cmocka_unit_test(res_5_holes_leave_an_eighth_of_the_records),
			cmocka_unit_test(data_28_absurd_echo_does_not_wrap),
			cmocka_unit_test(data_11_stall_of_40_s_does_not_lose_the_delayed_ack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
