/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what once was wrong with estimates, windows and retransmissions stays right (RFC
 * 6298, 5681, 9293; DATA-31 to DATA-41). Method: scripts, and a peer in a few lines that
 * acknowledges what it gets; all but two, which
 * guard the way of mending, failed before their defect was mended. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/seq.h"
#include "support/pool.h"
#include "support/rows.h"

#define MSS 1460

static struct ep ep;

static struct pmtcp_conn_info
info_now(void)
{
	struct pmtcp_conn_info info;

	pmtcp_conn_info(ep.conn, &info);
	return info;
}

/* The peer acknowledges up to `ack`; part of the burst that is delivered next. */
static void
peer_acks(uint32_t ack)
{
	struct ep_seg seg = {.flags = "A",
			.seq = ep.irs + 1,
			.ack = ack,
			.wnd = UINT16_MAX,
			.mss = -1,
			.wscale = -1};

	ep_inject(&ep, &seg);
}

/* Takes what was sent; the ends of the data segments, oldest first. */
static uint32_t
take_ends(uint32_t *ends, uint32_t max)
{
	const struct pkt *p;
	uint32_t n = 0;

	while ((p = ep_take(&ep)) != NULL) {
		assert_true(n < max);
		if (p->len > 0)
			ends[n++] = p->seq + p->len;
	}
	return n;
}

/* ---- the estimate -------------------------------------------------------- */

/* RFC 6298 section 5 (Karn): no timestamps, and the round trip rose beyond the RTO. The
 * backed-off RTO stays until a segment that was sent once is acknowledged; without that
 * each segment would leave three times, for ever. */
static void
data_31_backed_off_rto_stays_until_a_sample(void **state)
{
	uint32_t frames = 0;
	uint32_t ends[64];

	(void)state;
	ep_create(&ep, __func__, &rows_plain);
	cell_script(&ep, REACH_WIDE);
	for (uint32_t i = 1; i <= 20; i++) {
		assert_int_equal(ep_write(&ep, 1000), 1000);
		ep_advance(&ep, 700 * EP_MS);
		frames += take_ends(ends, 64);
		peer_acks(ep.iss + 1 + 1000 * i);
		ep_turn(&ep);
	}
	assert_in_range(frames, 20, 23);
	assert_true(info_now().rto_us > 700000);
	rows_end(&ep);
}

/* OPEN-18: the SYN's time of departure stands where the estimate will; it is none. */
static void
data_31_simultaneous_open_starts_without_an_estimate(void **state)
{
	struct ep_opts opts = rows_plain;

	(void)state;
	opts.later_ns = 300ull * 1000 * EP_MS;
	rows_begin(&ep, __func__, &opts,
			"{open}; < S i= 0; > S p; < SA i p+1; > A p+1 i+1; [CONNECTED]; = EST");
	assert_in_range(info_now().rto_us, 200000, 1000000);
	assert_in_range(info_now().srtt_us, 0, 1000000);
	rows_end(&ep);
}

/* ---- the congestion window ----------------------------------------------- */

/* DATA-41: each of the ACKs that come in one burst opens the window, not the first only. */
static void
data_41_every_ack_of_a_burst_grows_cwnd(void **state)
{
	struct ep_opts opts = rows_plain;
	uint32_t before, n, ends[64];

	(void)state;
	opts.conn.send_buffer = 1 << 20;
	ep_create(&ep, __func__, &opts);
	cell_script(&ep, REACH_WIDE);
	assert_true(ep_write(&ep, 300000) > 0);
	ep_turn(&ep);
	for (int round = 0; round < 2; round++) {
		before = info_now().cwnd;
		n = take_ends(ends, 64);
		assert_int_equal(n, before / MSS);
		for (uint32_t i = 0; i < n; i++)
			peer_acks(ends[i]);
		ep_turn(&ep);
		assert_int_equal(info_now().cwnd, before + n * MSS);
	}
	(void)take_ends(ends, 64);
	ep_abort(&ep);
	ep_drop(&ep);
}

/* The first flight of data that was queued while the SYN was on its way. */
static uint32_t
first_flight(const char *name, uint64_t wait_ns)
{
	struct ep_opts opts = rows_plain;
	struct ep_seg synack = {.flags = "SA", .wnd = UINT16_MAX, .mss = MSS, .wscale = -1};
	uint32_t n, ends[64];

	opts.conn.send_buffer = 100000;
	ep_create(&ep, name, &opts);
	cell_script(&ep, REACH_SYS);
	assert_int_equal(ep_write(&ep, 30000), 30000);
	ep_advance(&ep, wait_ns);
	(void)take_ends(ends, 64);
	synack.seq = ep.irs;
	synack.ack = ep.iss + 1;
	ep_inject(&ep, &synack);
	ep_turn(&ep);
	n = take_ends(ends, 64);
	ep_abort(&ep);
	ep_drop(&ep);
	return n;
}

/* OPEN-38: what the peer can take was not known when the data was queued. */
static void
open_38_queued_data_leaves_by_the_real_mss(void **state)
{
	(void)state;
	assert_int_equal(first_flight(__func__, 0), 10);
}

static void
open_13_queued_data_after_lost_syns_leaves_one_segment(void **state)
{
	(void)state;
	assert_int_equal(first_flight(__func__, 3500 * EP_MS), 1);
}

/* RFC 5681 3.1: the queue ran empty after a loss; what was learnt from it stays. */
static void
data_41_loss_outlives_an_empty_queue(void **state)
{
	struct ep_opts opts = rows_plain;
	uint32_t ends[64];

	(void)state;
	opts.conn.send_buffer = 100000;
	ep_create(&ep, __func__, &opts);
	cell_script(&ep, REACH_WIDE);
	assert_int_equal(ep_write(&ep, MSS), MSS);
	ep_advance(&ep, 700 * EP_MS);
	(void)take_ends(ends, 64);
	assert_int_equal(info_now().ssthresh, 2 * MSS);
	peer_acks(ep.iss + 1 + MSS);
	ep_poll(&ep);
	assert_int_equal(ep_write(&ep, 60000), 60000);
	ep_turn(&ep);
	assert_int_equal(info_now().ssthresh, 2 * MSS);
	assert_in_range(take_ends(ends, 64), 1, 2);
	ep_abort(&ep);
	ep_drop(&ep);
}

/* ---- sending again ------------------------------------------------------- */

/* DATA-33, SEC-14: after a timeout each octet of the flight is sent again once and in
 * order, while ACKs cut through the middle of segments. */
static void
data_33_rest_of_the_flight_is_sent_again_in_order(void **state)
{
	uint32_t ends[64], end, next, n;

	(void)state;
	ep_create(&ep, __func__, &rows_plain);
	cell_script(&ep, REACH_WIDE);
	assert_int_equal(ep_write(&ep, 10 * MSS), 10 * MSS);
	ep_turn(&ep);
	assert_int_equal(take_ends(ends, 64), 10);
	end = ends[9];
	ep_advance(&ep, 205 * EP_MS);
	assert_int_equal(take_ends(ends, 64), 1);
	next = ends[0];
	for (uint32_t i = 0; i < 20 && next != end; i++) {
		const struct pkt *p;

		peer_acks(next - 700);
		ep_turn(&ep);
		for (n = 0; (p = ep_take(&ep)) != NULL; n++) {
			assert_int_equal(p->seq, next);
			next += p->len;
		}
		assert_true(n > 0);
	}
	assert_int_equal(next, end);
	peer_acks(end);
	rows_end(&ep);
}

/* The third duplicate asks for the first segment; the same burst's last ACK covers it. */
static void
data_35_full_ack_behind_duplicates_sends_nothing_again(void **state)
{
	uint32_t ends[64];

	(void)state;
	ep_create(&ep, __func__, &rows_plain);
	cell_script(&ep, REACH_WIDE);
	assert_int_equal(ep_write(&ep, 30 * MSS), 30 * MSS);
	ep_turn(&ep);
	assert_int_equal(take_ends(ends, 64), 10);
	ep_mark(&ep);
	for (int i = 0; i < 3; i++)
		peer_acks(ep.iss + 1);
	peer_acks(ends[8]);
	peer_acks(ends[9]);
	ep_turn(&ep);
	assert_int_equal(ep_gained(&ep, PMTCP_C_retransmitted), 0);
	assert_int_equal(ep_peek(&ep)->seq, ep.iss + 1 + 10 * MSS);
	ep_abort(&ep);
	(void)take_ends(ends, 64);
	ep_drop(&ep);
}

/* ---- Nagle --------------------------------------------------------------- */

enum { JUMBO_MSS = 8960, JUMBO_SEGS = 100 };

static struct rte_mempool *jumbo_pool;

static void
tune_jumbo(struct pmtcp_conf *conf)
{
	conf->mtu = JUMBO_MSS + 40;
	conf->pool = jumbo_pool;
}

/* Sends what may leave; the peer acknowledges it all. */
static void
flush_acknowledged(void)
{
	struct rte_mbuf *out[64];
	uint16_t n;

	while ((n = pmtcp_output(ep.ctx, ep.now, out, 64)) > 0)
		rte_pktmbuf_free_bulk(out, n);
	peer_acks(info_now().snd_nxt);
	ep_poll(&ep);
}

/* DATA-22: Minshall's mark is a sequence number: beyond 2^31 octets of full segments it would lie
 * ahead of everything and hold back the last, short one (RFC 9293 A.3). */
static void
data_22_short_tail_leaves_after_2_31_octets(void **state)
{
	static uint8_t text[JUMBO_SEGS * JUMBO_MSS];
	struct ep_opts opts = {.tune = tune_jumbo};
	const struct pkt *p;

	(void)state;
	jumbo_pool = test_pool_create(RTE_PKTMBUF_HEADROOM + JUMBO_MSS);
	opts.conn = (struct pmtcp_conn_opts){.no_timestamps = true, .no_sack = true};
	opts.conn.send_buffer = 1 << 20;
	ep_create(&ep, __func__, &opts);
	cell_script(&ep, "{open}; < S i= 0; > SA p i+1 mss=8960 ws=7; < A i+1 p+1; [CONNECTED]");
	for (uint64_t total = 0; total < 2200000000ull; total += sizeof(text)) {
		assert_int_equal(pmtcp_write(ep.conn, text, sizeof(text)), sizeof(text));
		for (int i = 0; i < 100 && info_now().unsent + info_now().unacked > 0; i++)
			flush_acknowledged();
		assert_int_equal(info_now().unsent, 0);
	}
	assert_int_equal(pmtcp_write(ep.conn, text, 100), 100);
	ep_turn(&ep);
	p = ep_take(&ep);
	assert_non_null(p);
	assert_int_equal(p->len, 100);
	ep_abort(&ep);
	ep_drop(&ep);
	test_pool_destroy(jumbo_pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_31_backed_off_rto_stays_until_a_sample),
			cmocka_unit_test(data_31_simultaneous_open_starts_without_an_estimate),
			cmocka_unit_test(data_41_every_ack_of_a_burst_grows_cwnd),
			cmocka_unit_test(open_38_queued_data_leaves_by_the_real_mss),
			cmocka_unit_test(open_13_queued_data_after_lost_syns_leaves_one_segment),
			cmocka_unit_test(data_41_loss_outlives_an_empty_queue),
			cmocka_unit_test(data_33_rest_of_the_flight_is_sent_again_in_order),
			cmocka_unit_test(data_35_full_ack_behind_duplicates_sends_nothing_again),
			cmocka_unit_test(data_22_short_tail_leaves_after_2_31_octets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
