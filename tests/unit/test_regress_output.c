/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what once was wrong in the output pass stays right: blocks nobody gave back, one
 * block that held up all others, ACKs and duplicate ACKs that never left. Method: beds of
 * stations and scripts; each test failed before its defect was mended. */

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

#define STRANGER PMTCP_IP4(10, 0, 0, 77) /* on the link, and never answers */

static struct bed bed;

/* ---- next hops that never answer (W-7, NEG-18) --------------------------- */

static void
listen_on_bed(void)
{
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, EP_PORT);
	struct pmtcp_listener *l;

	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
}

static void
open_in_vain(uint8_t syn_retries)
{
	struct pmtcp_addr remote = pmtcp_addr4(STRANGER, 80);
	struct pmtcp_conn_opts opts = {.syn_retries = syn_retries};
	struct pmtcp_event ev = {0};
	struct pmtcp_conn *conn;

	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, &opts, &conn), 0);
	for (int s = 0; s < 300 && !(ev.flags & PMTCP_EV_CLOSED); s++) {
		bed_advance(&bed, 1000 * BED_MS);
		bed_forget(&bed);
		ev = bed_event(&bed);
	}
	assert_true(ev.flags & PMTCP_EV_CLOSED);
	pmtcp_close(conn);
}

static void
neg_18_opens_to_silent_hop_give_blocks_back(void **state)
{
	(void)state;
	bed_create(&bed, NULL);
	for (uint8_t retries = 1; retries < 5; retries++)
		open_in_vain(retries);
	/* The pause after the last failure, and one more round of requests. */
	bed_advance(&bed, 60000 * BED_MS);
	assert_int_equal(bed_stats(&bed).live, 0);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	bed_destroy(&bed);
}

static void
w_7_half_opens_of_silent_hops_give_blocks_back(void **state)
{
	struct bed_peer honest = {.ip = TEST_PEER, .port = 6000, .local_port = EP_PORT};

	(void)state;
	bed_create(&bed, NULL);
	listen_on_bed();
	for (uint16_t i = 0; i < 64; i++) {
		struct bed_peer forged = {.ip = STRANGER + i % 10,
				.port = (uint16_t)(5000 + i),
				.local_port = EP_PORT};

		bed_peer_sends(&bed, &forged, PKT_SYN, 0);
	}
	bed_turn(&bed);
	/* RES-12: half of the 16 next hops and one may be asked for in vain. */
	assert_int_equal(bed_stats(&bed).half_open, 9);
	for (int s = 0; s < 300; s++) {
		bed_advance(&bed, 1000 * BED_MS);
		bed_forget(&bed);
	}
	assert_int_equal(bed_stats(&bed).half_open, 0);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	assert_non_null(bed_accept(&bed, &honest));
	bed_destroy(&bed);
}

/* ---- nothing left for one block (RES-6, NEG-25) -------------------------- */

static struct bed_peer peers[4];
static struct pmtcp_conn *conns[3];

static void
tune_few_records(struct pmtcp_conf *conf)
{
	conf->max_records = 4;
}

/* Three accepted connections, nothing in flight. */
static void
accept_three(void)
{
	listen_on_bed();
	for (uint16_t i = 0; i < 4; i++)
		peers[i] = (struct bed_peer){.ip = TEST_PEER,
				.port = (uint16_t)(5000 + i),
				.local_port = EP_PORT,
				.seq = 1000};
	for (int i = 0; i < 3; i++) {
		conns[i] = bed_accept(&bed, &peers[i]);
		assert_non_null(conns[i]);
	}
	bed_advance(&bed, 100 * BED_MS);
	bed_forget(&bed);
}

/* Frames with these flags that leave towards the peer's port, and how often. */
static uint32_t sent_to[4];

static void
count_sent(void)
{
	const struct pkt *p;

	memset(sent_to, 0, sizeof(sent_to));
	while ((p = bed_take(&bed)) != NULL) {
		assert_int_equal(p->kind, PKT_KIND_TCP);
		sent_to[p->dport - 5000]++;
	}
}

/* One writes while another's holes hold every record: what needs none still leaves. */
static void
res_6_no_record_for_one_lets_others_send(void **state)
{
	uint32_t next;

	(void)state;
	bed_create(&bed, tune_few_records);
	accept_three();
	next = peers[0].seq;
	for (uint32_t i = 0; i < 4; i++) {
		peers[0].seq = next + 100 + 1000 * i;
		bed_peer_sends(&bed, &peers[0], PKT_ACK, 10);
	}
	bed_turn(&bed);
	bed_forget(&bed);
	assert_int_equal(bed_stats(&bed).records_used, 4);
	bed_peer_sends(&bed, &peers[1], PKT_PSH | PKT_ACK, 1460);
	bed_turn(&bed);
	bed_forget(&bed);
	(void)pmtcp_write(conns[1], "hello", 5);
	bed_peer_sends(&bed, &peers[1], PKT_PSH | PKT_ACK, 1460);
	bed_peer_sends(&bed, &peers[2], PKT_PSH | PKT_ACK, 1460);
	bed_peer_sends(&bed, &peers[3], PKT_SYN, 0);
	bed_advance(&bed, 500 * BED_MS);
	count_sent();
	assert_true(sent_to[1] > 0);
	assert_true(sent_to[2] > 0);
	assert_true(sent_to[3] > 0);
	bed_destroy(&bed);
}

static void
tune_control_pool(struct pmtcp_conf *conf)
{
	conf->spare_max = 0;
	conf->ctl_pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 256);
}

/* No buffer for data, but some for control segments: ACKs leave, also the writer's. */
static void
res_6_data_pool_dry_lets_acks_and_syns_answer(void **state)
{
	(void)state;
	bed_create(&bed, tune_control_pool);
	accept_three();
	bed_peer_sends(&bed, &peers[1], PKT_PSH | PKT_ACK, 1460);
	bed_peer_sends(&bed, &peers[2], PKT_PSH | PKT_ACK, 1460);
	bed_peer_sends(&bed, &peers[3], PKT_SYN, 0);
	pmtcp_input(bed.ctx, bed.now, bed.burst, bed.n_burst);
	bed.n_burst = 0;
	assert_int_equal(pmtcp_write(conns[1], "hello", 5), 5);
	test_pool_fail_after(bed.pool, 0);
	bed_advance(&bed, 100 * BED_MS);
	count_sent();
	assert_int_equal(sent_to[1], 1);
	assert_int_equal(sent_to[2], 1);
	assert_int_equal(sent_to[3], 1);
	test_pool_fail_after(bed.pool, TEST_POOL_NEVER);
	bed_advance(&bed, 100 * BED_MS);
	count_sent();
	assert_true(sent_to[1] > 0);
	bed_destroy(&bed);
	test_pool_destroy(bed.conf.ctl_pool);
}

/* Nothing can leave, so there is no work, and a worker that may sleep does: until a record
 * comes back, or something is marked that needs none. */
static void
res_6_senders_without_a_record_are_no_work(void **state)
{
	uint32_t next;

	(void)state;
	bed_create(&bed, tune_few_records);
	accept_three();
	next = peers[0].seq;
	for (uint32_t i = 0; i < 4; i++) {
		peers[0].seq = next + 100 + 1000 * i;
		bed_peer_sends(&bed, &peers[0], PKT_ACK, 10);
	}
	bed_turn(&bed);
	bed_forget(&bed);
	assert_int_equal(pmtcp_write(conns[1], "hello", 5), 5);
	assert_int_equal(pmtcp_deadline(bed.ctx), bed.now);
	bed_turn(&bed);
	assert_true(pmtcp_deadline(bed.ctx) > bed.now);
	assert_int_equal(pmtcp_shutdown(conns[2]), 0);
	assert_int_equal(pmtcp_deadline(bed.ctx), bed.now);
	bed_turn(&bed);
	assert_true(pmtcp_deadline(bed.ctx) > bed.now);
	count_sent();
	assert_int_equal(sent_to[1], 0);
	assert_int_equal(sent_to[2], 1);
	/* The hole closes, and a record is free. */
	peers[0].seq = next;
	bed_peer_sends(&bed, &peers[0], PKT_ACK, 100);
	bed_turn(&bed);
	count_sent();
	assert_int_equal(sent_to[1], 1);
	pmtcp_abort(conns[0]);
	bed_turn(&bed);
	bed_forget(&bed);
	bed_destroy(&bed);
}

/* Of packet buffers nobody says when one comes back: each tick tries again, no more often. */
static void
res_6_senders_without_a_buffer_look_once_a_tick(void **state)
{
	uint64_t end;
	uint64_t at;
	int n_turns = 0;

	(void)state;
	bed_create(&bed, tune_control_pool);
	accept_three();
	assert_int_equal(pmtcp_write(conns[1], "hello", 5), 5);
	test_pool_fail_after(bed.pool, 0);
	bed_turn(&bed);
	end = bed.now + 10 * BED_MS;
	while ((at = pmtcp_deadline(bed.ctx)) < end) {
		assert_true(++n_turns <= 10);
		bed.now = max_u64(bed.now, at);
		bed_turn(&bed);
	}
	assert_in_range(n_turns, 9, 10);
	test_pool_fail_after(bed.pool, TEST_POOL_NEVER);
	bed_advance(&bed, BED_MS);
	count_sent();
	assert_int_equal(sent_to[1], 1);
	bed_destroy(&bed);
	test_pool_destroy(bed.conf.ctl_pool);
}

/* ---- duplicate ACKs and windows ------------------------------------------ */

/* A peer without SACK counts the ACKs (RFC 5681 3.2, DATA-35): data that leaves before
 * them does not stand for them. */
ROW(data_35_owed_duplicates_leave_besides_data, &rows_plain,
		REACH_EST "; > A p+1461 i+1 len=1460; > A p+2921 i+1 len=1460;"
			  "> A p+4381 i+1 len=1460; > A p+5841 i+1 len=1460; {send 100};"
			  "< PA i+1 p+1 len=100; < A i+101 p+1; < A i+101 p+1; < A i+101 p+1; .;"
			  "> A p+1 i+101 len=1460; < A i+101 p+7301; .; [READABLE]")

/* DATA-17: the ACK of a half-open block offers no less than its SYN-ACK did. */
static void
data_17_half_open_ack_keeps_the_edge(void **state)
{
	static struct ep ep;
	struct ep_opts opts = {.conn = {.no_timestamps = true, .no_sack = true}};

	(void)state;
	ep_create(&ep, __func__, &opts);
	ep.conn_opts.recv_buffer = 1000000;
	cell_script(&ep, "{listen}; > S p mss=1460 ws=7; < SA i= p+1 wnd=65535;"
			 "> A p+2000000 i+1; < A i+1 p+1 wnd=4096; .; = SYR");
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(neg_18_opens_to_silent_hop_give_blocks_back),
			cmocka_unit_test(w_7_half_opens_of_silent_hops_give_blocks_back),
			cmocka_unit_test(res_6_no_record_for_one_lets_others_send),
			cmocka_unit_test(res_6_data_pool_dry_lets_acks_and_syns_answer),
			cmocka_unit_test(res_6_senders_without_a_record_are_no_work),
			cmocka_unit_test(res_6_senders_without_a_buffer_look_once_a_tick),
			cmocka_unit_test(data_35_owed_duplicates_leave_besides_data),
			cmocka_unit_test(data_17_half_open_ack_keeps_the_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
