/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the calls of pmtcp.h as an application meets them: options and their ranges,
 * STATUS, zero copy both ways, events in bit order, the configuration's checks, names and
 * books (RFC 9293 3.9.1, 3.10.6; RES-16). Method: a bed with one or two connections. */

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

static struct bed bed;
static struct bed_peer peer;
static struct pmtcp_conn *conn;

/* So that no received packet stays behind for a reply. */
static void
tune_no_spares(struct pmtcp_conf *conf)
{
	conf->spare_max = 0;
}

static void
begin(void)
{
	peer = (struct bed_peer){.ip = TEST_PEER, .port = 80, .seq = 1000};
	bed_create(&bed, tune_no_spares);
	assert_int_equal(bed_open(&bed, &peer, 5000, &conn), 0);
}

static void
end(void)
{
	pmtcp_abort(conn);
	bed_turn(&bed);
	while (bed_event(&bed).flags != 0)
		;
	bed_turn(&bed);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	assert_int_equal(bed_stats(&bed).transfers_used, 0);
	assert_int_equal(bed_stats(&bed).records_used, 0);
	bed_destroy(&bed);
}

static void
api_options_are_held_to_their_ranges(void **state)
{
	static const struct {
		enum pmtcp_opt opt;
		uint64_t value;
		int want;
	} rows[] = {
			{PMTCP_OPT_NODELAY, 0, 0},
			{PMTCP_OPT_NODELAY, 1, 0},
			{PMTCP_OPT_NODELAY, 2, -EINVAL},
			{PMTCP_OPT_TW_MS, 0, 0},
			{PMTCP_OPT_TW_MS, 1, -EINVAL},
			{PMTCP_OPT_TW_MS, 1000, 0},
			{PMTCP_OPT_TW_MS, 240000, 0},
			{PMTCP_OPT_TW_MS, 240001, -EINVAL},
			{PMTCP_OPT_TW_MS, 1ull << 32 | 2000, -EINVAL},
			{PMTCP_OPT_SEND_BUFFER, 2047, -EINVAL},
			{PMTCP_OPT_SEND_BUFFER, 2048, 0},
			{PMTCP_OPT_SEND_BUFFER, 4 << 20, 0},
			{PMTCP_OPT_SEND_BUFFER, (4 << 20) + 1, -EINVAL},
			{PMTCP_OPT_RECV_BUFFER, 2047, -EINVAL},
			{PMTCP_OPT_RECV_BUFFER, 2048, 0},
			{PMTCP_OPT_RECV_BUFFER, (4 << 20) + 1, -EINVAL},
			{PMTCP_OPT_DSCP, 63, 0},
			{PMTCP_OPT_DSCP, 64, -EINVAL},
			{PMTCP_OPT_DSCP, 256, -EINVAL},
			{PMTCP_OPT_TTL, 0, -EINVAL},
			{PMTCP_OPT_TTL, 1, 0},
			{PMTCP_OPT_TTL, 255, 0},
			{PMTCP_OPT_TTL, 257, -EINVAL},
			{PMTCP_OPT_DELACK_MS, 0, 0},
			{PMTCP_OPT_DELACK_MS, 200, 0},
			{PMTCP_OPT_DELACK_MS, 201, -EINVAL},
			{PMTCP_OPT_RETRIES, 0, -EINVAL},
			{PMTCP_OPT_RETRIES, 1, 0},
			{PMTCP_OPT_RETRIES, 255, 0},
			{PMTCP_OPT_RETRIES, 256, -EINVAL},
			{PMTCP_OPT_CC, PMTCP_CC_DEFAULT, -EINVAL},
			{PMTCP_OPT_CC, PMTCP_CC_CUBIC, 0},
			{PMTCP_OPT_CC, PMTCP_CC_NEWRENO, 0},
			{PMTCP_OPT_CC, PMTCP_CC_MAX, -EINVAL},
			{PMTCP_OPT_ECN, PMTCP_ECN_DEFAULT, -EINVAL},
			{PMTCP_OPT_ECN, PMTCP_ECN_OFFER, 0},
			{PMTCP_OPT_ECN, PMTCP_ECN_OFFER + 1, -EINVAL},
			{PMTCP_OPT_MAX, 1, -EINVAL},
	};

	(void)state;
	begin();
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++)
		assert_int_equal(pmtcp_set(conn, rows[i].opt, rows[i].value), rows[i].want);
	end();
}

/* Sixteen classes: the seventeenth different set of options is refused, then one goes. */
static void
api_option_classes_run_out_and_come_back(void **state)
{
	struct bed_peer p[20];
	struct pmtcp_conn *c[20];
	uint32_t n = 0;

	(void)state;
	bed_create(&bed, NULL);
	for (uint16_t i = 0; i < 20; i++) {
		p[i] = (struct bed_peer){.ip = TEST_PEER, .port = (uint16_t)(80 + i), .seq = 7};
		assert_int_equal(bed_open(&bed, &p[i], 0, &c[i]), 0);
		n += pmtcp_set(c[i], PMTCP_OPT_TTL, 100u + i) == 0;
	}
	/* One is the default's. */
	assert_int_equal(n, 15);
	assert_int_equal(pmtcp_set(c[19], PMTCP_OPT_TTL, 200), -ENOBUFS);
	assert_int_equal(pmtcp_set(c[19], PMTCP_OPT_TTL, 100), 0); /* as the first: shared */
	assert_int_equal(pmtcp_set(c[1], PMTCP_OPT_TTL, 100), 0);
	assert_int_equal(pmtcp_set(c[18], PMTCP_OPT_TTL, 200), 0);
	bed_destroy(&bed);
}

/* RFC 9293 3.10.6, RES-16. */
static void
res_16_status_tells_the_connection(void **state)
{
	struct pmtcp_conn_info info;

	(void)state;
	begin();
	assert_int_equal(pmtcp_write(conn, "0123456789", 10), 10);
	assert_int_equal(bed_peer_gets(&bed, &peer)->len, 10);
	peer.ack -= 4;
	peer.wnd = 3000;
	bed_peer_sends(&bed, &peer, PKT_ACK, 5);
	bed_turn(&bed);
	pmtcp_conn_info(conn, &info);
	assert_int_equal(info.state, PMTCP_ESTABLISHED);
	assert_int_equal(info.local.ip4, TEST_ADDR);
	assert_int_equal(info.local.port, 5000);
	assert_int_equal(info.remote.ip4, TEST_PEER);
	assert_int_equal(info.remote.port, 80);
	assert_int_equal(info.snd_una, peer.ack);
	assert_int_equal(info.snd_nxt, peer.ack + 4);
	assert_int_equal(info.snd_wnd, 3000);
	assert_int_equal(info.rcv_nxt, peer.seq);
	assert_int_equal(info.unread, 5);
	assert_int_equal(info.unsent, 0);
	assert_int_equal(info.unacked, 4);
	assert_int_equal(info.mss, 1460);
	assert_int_equal(pmtcp_mss(conn), 1460);
	assert_int_equal(info.cwnd, 14600);
	assert_false(info.timestamps);
	assert_false(info.sack);
	assert_ptr_equal(pmtcp_conn_ctx(conn), bed.ctx);
	end();
}

static void
api_user_is_handed_back_in_each_event(void **state)
{
	int mine;
	struct pmtcp_event ev;

	(void)state;
	begin();
	pmtcp_set_user(conn, &mine);
	assert_ptr_equal(pmtcp_user(conn), &mine);
	bed_peer_sends(&bed, &peer, PKT_ACK | PKT_FIN, 5);
	bed_turn(&bed);
	ev = bed_event(&bed);
	assert_ptr_equal(ev.user, &mine);
	assert_ptr_equal(ev.conn, conn);
	/* One entry for all that happened. */
	assert_int_equal(ev.flags, PMTCP_EV_READABLE | PMTCP_EV_PEER_FIN);
	assert_int_equal(bed_event(&bed).flags, 0);
	end();
}

/* Zero copy out: chains and several packets; the queue owns what it took, and a
 * retransmission carries the same octets. */
static void
api_send_takes_packets_and_keeps_them_until_acked(void **state)
{
	struct rte_mbuf *pkts[3];
	uint32_t live;

	(void)state;
	begin();
	live = test_pool_live(bed.pool);
	for (int i = 0; i < 3; i++) {
		pkts[i] = pmtcp_buf_alloc(bed.ctx);
		assert_non_null(pkts[i]);
		memset(rte_pktmbuf_append(pkts[i], 700), 'a' + i, 700);
	}
	assert_int_equal(rte_pktmbuf_chain(pkts[0], pkts[1]), 0);
	pkts[1] = pkts[2];
	assert_int_equal(pmtcp_send(conn, pkts, 2), 2);
	assert_int_equal(bed_peer_gets(&bed, &peer)->len, 1460);
	for (int i = 0; i < 1460; i++)
		assert_int_equal(bed.taken.payload[i], 'a' + i / 700);
	assert_int_equal(bed_peer_gets(&bed, &peer)->len, 640);
	bed_advance(&bed, 250 * BED_MS);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.len, 1460);
	for (int i = 0; i < 1460; i++)
		assert_int_equal(bed.taken.payload[i], 'a' + i / 700);
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_turn(&bed);
	bed_forget(&bed);
	assert_int_equal(test_pool_live(bed.pool), live);
	end();
}

/* A full buffer takes what fits; the rest stays the caller's. */
static void
api_send_returns_how_many_it_took(void **state)
{
	struct rte_mbuf *pkts[4];
	int ret;

	(void)state;
	begin();
	assert_int_equal(pmtcp_set(conn, PMTCP_OPT_SEND_BUFFER, 2048), 0);
	for (int i = 0; i < 4; i++) {
		pkts[i] = pmtcp_buf_alloc(bed.ctx);
		assert_non_null(rte_pktmbuf_append(pkts[i], 900));
		memset(rte_pktmbuf_mtod(pkts[i], void *), 'x', 900);
	}
	ret = pmtcp_send(conn, pkts, 4);
	assert_int_equal(ret, 2);
	assert_int_equal(pmtcp_send(conn, pkts + 2, 2), -EAGAIN);
	rte_pktmbuf_free(pkts[2]);
	rte_pktmbuf_free(pkts[3]);
	bed_turn(&bed);
	while (bed_take(&bed) != NULL)
		peer.ack = bed.taken.seq + bed.taken.len;
	bed_peer_sends(&bed, &peer, PKT_ACK, 0);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags & PMTCP_EV_WRITABLE, PMTCP_EV_WRITABLE);
	bed_forget(&bed);
	end();
}

/* Zero copy in: packets trimmed to their payload; the window opens by recv_done. */
static void
api_recv_hands_over_payload(void **state)
{
	struct rte_mbuf *pkts[4];
	struct pmtcp_conn_info info;

	(void)state;
	begin();
	assert_int_equal(pmtcp_recv(conn, pkts, 4), -EAGAIN);
	/* Too large to be copied together. */
	bed_peer_sends(&bed, &peer, PKT_ACK, 1400);
	bed_peer_sends(&bed, &peer, PKT_ACK | PKT_FIN, 900);
	bed_turn(&bed);
	bed_event(&bed);
	assert_int_equal(pmtcp_recv(conn, pkts, 1), 1);
	assert_int_equal(pkts[0]->pkt_len, 1400);
	assert_int_equal(pkts[0]->nb_segs, 1);
	rte_pktmbuf_free(pkts[0]);
	pmtcp_conn_info(conn, &info);
	assert_int_equal(info.unread, 900);
	assert_int_equal(pmtcp_recv(conn, pkts, 4), 1);
	assert_int_equal(pkts[0]->pkt_len, 900);
	rte_pktmbuf_free(pkts[0]);
	pmtcp_recv_done(conn, 2300);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pmtcp_recv(conn, pkts, 4), 0);
	bed_forget(&bed);
	end();
}

/* A write that finds no packet buffer says so and loses nothing. */
static void
api_write_without_buffers_is_enobufs(void **state)
{
	(void)state;
	begin();
	test_pool_fail_after(bed.pool, 0);
	assert_int_equal(pmtcp_write(conn, "0123456789", 10), -ENOBUFS);
	assert_null(pmtcp_buf_alloc(bed.ctx));
	test_pool_fail_after(bed.pool, TEST_POOL_NEVER);
	assert_int_equal(pmtcp_write(conn, "0123456789", 10), 10);
	assert_int_equal(bed_peer_gets(&bed, &peer)->len, 10);
	end();
}

static int
init_with(void (*spoil)(struct pmtcp_conf *conf))
{
	struct rte_mempool *pool = test_pool_create(2048);
	struct pmtcp_ctx *ctx;
	struct pmtcp_conf conf;
	size_t len;
	void *mem;
	int ret;

	ctx_conf_small(&conf, TEST_ADDR, TEST_PEER, 1);
	conf.pool = pool;
	len = pmtcp_ctx_memsize(&conf);
	mem = ctx_mem_map(len);
	spoil(&conf);
	ret = pmtcp_ctx_init(mem, len, &conf, &ctx);
	if (ret == 0)
		pmtcp_ctx_fini(ctx);
	ctx_mem_unmap(mem, len);
	test_pool_destroy(pool);
	return ret;
}

#define SPOIL(name, what)                                                                          \
	static void spoil_##name(struct pmtcp_conf *conf)                                          \
	{                                                                                          \
		what;                                                                              \
	}

SPOIL(nothing, (void)conf)
SPOIL(no_range, conf->n_ranges = 0)
SPOIL(backward_range, conf->ranges[0].last = conf->ranges[0].first - 1)
SPOIL(broadcast_range, conf->ranges[0].last = PMTCP_IP4(10, 0, 0, 255))
SPOIL(range_beyond_net, conf->ranges[0].last = PMTCP_IP4(10, 0, 1, 1))
SPOIL(far_gateway, conf->gateway = PMTCP_IP4(10, 0, 1, 1))
SPOIL(no_pool, conf->pool = NULL)
SPOIL(small_mtu, conf->mtu = 575)
SPOIL(large_mtu, conf->mtu = 9001)
SPOIL(short_2msl, conf->tw_ms = 999)
SPOIL(long_2msl, conf->tw_ms = 240001)
SPOIL(no_window, conf->initial_window = 0)
SPOIL(large_window, conf->initial_window = 101)
SPOIL(unknown_window, conf->initial_window = 254)
SPOIL(rfc_window, conf->initial_window = PMTCP_IW_RFC5681)
SPOIL(more, conf->max_conns = 1 << 20)

static void
api_configuration_is_checked(void **state)
{
	(void)state;
	assert_int_equal(init_with(spoil_nothing), 0);
	assert_int_equal(init_with(spoil_no_range), -EINVAL);
	assert_int_equal(init_with(spoil_backward_range), -EINVAL);
	assert_int_equal(init_with(spoil_broadcast_range), -EINVAL);
	assert_int_equal(init_with(spoil_range_beyond_net), -EINVAL);
	assert_int_equal(init_with(spoil_far_gateway), -EINVAL);
	assert_int_equal(init_with(spoil_no_pool), -EINVAL);
	assert_int_equal(init_with(spoil_small_mtu), -EINVAL);
	assert_int_equal(init_with(spoil_large_mtu), -EINVAL);
	assert_int_equal(init_with(spoil_short_2msl), -EINVAL);
	assert_int_equal(init_with(spoil_long_2msl), -EINVAL);
	assert_int_equal(init_with(spoil_no_window), -EINVAL);
	assert_int_equal(init_with(spoil_large_window), -EINVAL);
	assert_int_equal(init_with(spoil_unknown_window), -EINVAL);
	assert_int_equal(init_with(spoil_rfc_window), 0);
	assert_int_equal(init_with(pmtcp_conf_rfc), 0);
	assert_int_equal(init_with(spoil_more), -ENOMEM);
}

/* Names are what reports print; each is there and none twice. */
static void
stats_names_are_distinct(void **state)
{
	(void)state;
	for (int i = 0; i < PMTCP_C_MAX; i++) {
		assert_true(strlen(pmtcp_counter_name((enum pmtcp_counter)i)) > 1);
		assert_true(strlen(pmtcp_counter_help((enum pmtcp_counter)i)) > 1);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(pmtcp_counter_name((enum pmtcp_counter)i),
					pmtcp_counter_name((enum pmtcp_counter)k));
	}
	assert_string_equal(pmtcp_counter_name(PMTCP_C_MAX), "?");
	assert_string_equal(pmtcp_reason_name(PMTCP_TIMEOUT_FW2), "timeout_fw2");
	assert_string_equal(pmtcp_state_name(PMTCP_TIME_WAIT), "TIME-WAIT");
}

/* RES-16: each identity is looked at: one count more breaks it. */
static void
stats_audit_sees_each_missing_count(void **state)
{
	static const enum pmtcp_counter rows[] = {PMTCP_C_rx_frames, PMTCP_C_drop_seq,
			PMTCP_C_opened_active, PMTCP_C_opened_passive, PMTCP_C_half_open_created,
			PMTCP_C_half_open_replaced, PMTCP_C_tw_entered, PMTCP_C_tw_expired,
			PMTCP_C_tw_restored, PMTCP_C_tw_reused_in, PMTCP_C_tw_flushed};
	struct pmtcp_stats stats;

	(void)state;
	begin();
	stats = bed_stats(&bed);
	assert_null(pmtcp_stats_audit(&stats));
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		stats = bed_stats(&bed);
		stats.counter[rows[i]]++;
		assert_non_null(pmtcp_stats_audit(&stats));
	}
	stats = bed_stats(&bed);
	stats.state[PMTCP_CLOSE_WAIT]++;
	assert_non_null(pmtcp_stats_audit(&stats));
	stats = bed_stats(&bed);
	stats.ended[PMTCP_REFUSED]++;
	assert_non_null(pmtcp_stats_audit(&stats));
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(api_options_are_held_to_their_ranges),
			cmocka_unit_test(api_option_classes_run_out_and_come_back),
			cmocka_unit_test(res_16_status_tells_the_connection),
			cmocka_unit_test(api_user_is_handed_back_in_each_event),
			cmocka_unit_test(api_send_takes_packets_and_keeps_them_until_acked),
			cmocka_unit_test(api_send_returns_how_many_it_took),
			cmocka_unit_test(api_recv_hands_over_payload),
			cmocka_unit_test(api_write_without_buffers_is_enobufs),
			cmocka_unit_test(api_configuration_is_checked),
			cmocka_unit_test(stats_names_are_distinct),
			cmocka_unit_test(stats_audit_sees_each_missing_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
