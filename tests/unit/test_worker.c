/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a turn moves frames between a queue and a context as pmtcp_dpdk.h says, loses
 * none that a slow device would have taken, and gives every buffer back. Method: a worker
 * with a recorder in the context's place (worker_bed.h). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include <rte_ip.h>

#include "dpdk/mem.h"
#include "worker_bed.h"

/* ---- making a worker --------------------------------------------------------- */

static void
create_fills_in_what_was_left_unset(void **state)
{
	static const struct pmtcp_secrets none;
	struct pmtcp_secrets first;
	struct bed bed;

	bed_open(&bed, NULL);
	assert_ptr_equal(init_conf.pool, pmtcp_port_pool(link_ring.ports[0], 0, false));
	assert_ptr_equal(init_conf.ctl_pool, pmtcp_port_pool(link_ring.ports[0], 0, true));
	assert_memory_equal(&init_conf.mac, pmtcp_port_mac(link_ring.ports[0]), 6);
	assert_int_equal(init_conf.mtu, 1500);
	assert_true(init_conf.caps.peer_owns_mbuf);
	assert_false(init_conf.caps.tx_multi_seg);
	assert_false(init_conf.caps.rx_tcp_cksum); /* flags would be the sender's */
	assert_int_equal(init_conf.owner, 0);
	assert_int_equal(init_conf.owners, 1);
	assert_true(init_conf.seed != 0);
	first = init_conf.secrets;
	assert_memory_not_equal(&first, &none, sizeof(none));
	assert_memory_equal(pmtcp_worker_conf(bed.w), &init_conf, sizeof(init_conf));
	bed_close(&bed);

	bed_open(&bed, NULL);
	assert_memory_not_equal(&first, &init_conf.secrets, sizeof(first)); /* SEC-11 */
	bed_close(&bed);
}

static void
create_keeps_what_was_set(void **state)
{
	struct pmtcp_conf conf = {.n_ranges = 1,
			.mtu = 1400,
			.seed = 5,
			.mac = {{2, 0, 0, 0, 0, 9}},
			.caps = {.tx_ip_cksum = true},
			.secrets = {.isn = {1, 2}}};
	struct bed bed;

	assert_int_equal(bed_try(&bed, &conf, NULL), 0);
	assert_int_equal(init_conf.mtu, 1400);
	assert_int_equal(init_conf.seed, 5);
	assert_int_equal(init_conf.mac.addr_bytes[5], 9);
	assert_true(init_conf.caps.tx_ip_cksum);
	assert_false(init_conf.caps.peer_owns_mbuf);
	assert_int_equal(init_conf.secrets.isn[1], 2);
	assert_int_equal(init_conf.secrets.ts[0], 0); /* taken literally as a whole */
	bed_close(&bed);
}

static void
create_errors_leave_nothing_behind(void **state)
{
	const struct pmtcp_worker_opts no_file = {.pcap = "/nonexistent/x"};
	const struct pmtcp_worker_opts bad_share = {.faults.loss_ppm = 2000000};
	const struct pmtcp_worker_opts bad_burst = {.burst = 65};
	const struct pmtcp_conf conf = {.n_ranges = 1};
	struct pmtcp_worker *second;
	struct bed bed;

	assert_int_equal(pmtcp_worker_create(link_ring.ports[0], 1, &conf, NULL, &second), -EINVAL);
	init_result = -EINVAL;
	assert_int_equal(bed_try(&bed, &conf, NULL), -EINVAL);
	init_result = 0;
	assert_int_equal(bed_try(&bed, &conf, &no_file), -ENOENT);
	assert_int_equal(bed_try(&bed, &conf, &bad_share), -EINVAL);
	assert_int_equal(bed_try(&bed, &conf, &bad_burst), -EINVAL);
	bed_open(&bed, NULL);
	assert_int_equal(pmtcp_worker_create(link_ring.ports[0], 0, &conf, NULL, &second), -EBUSY);
	bed_close(&bed);
}

static void
memory_lies_where_the_kernel_says(void **state)
{
	struct bed bed;
	int node;

	bed_open(&bed, NULL);
	node = pmtcp_worker_mem_node(bed.w);
	assert_int_equal(node, mem_node(bed.ctx));
	if (node >= 0 && pmtcp_port_node(link_ring.ports[0]) >= 0)
		assert_int_equal(node, pmtcp_port_node(link_ring.ports[0]));
	bed_close(&bed);
}

/* ---- the turn ----------------------------------------------------------------- */

static void
count_call(struct pmtcp_ctx *ctx, void *arg)
{
	(*(int *)arg)++;
}

static void
turn_receives_a_burst_in_order(void **state)
{
	struct bed bed;
	int calls = 0;

	bed_open(&bed, NULL);
	assert_false(pmtcp_worker_turn(bed.w, count_call, &calls));
	far_send(&bed, 100, 40);
	assert_true(pmtcp_worker_turn(bed.w, count_call, &calls));
	assert_int_equal(bed.ctx->n_inputs, 32);
	assert_true(pmtcp_worker_turn(bed.w, NULL, NULL));
	assert_int_equal(bed.ctx->n_inputs, 40);
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(bed.ctx->inputs[i], 100 + i);
	assert_int_equal(calls, 2);
	assert_int_equal(bed.ctx->ticks, 3);
	assert_int_equal(stats_of(&bed).rx_packets, 40);
	assert_int_equal(stats_of(&bed).rx_octets, 40 * FRAME_LEN);
	assert_int_equal(stats_of(&bed).turns, 3);
	assert_int_equal(stats_of(&bed).busy_turns, 2);
	assert_true(stats_of(&bed).busy_cycles > 0);
	bed_close(&bed);
}

/* What is taken off the device ahead makes room there, keeps its place before what comes later,
 * and is given back by a worker that goes first (bed_close() counts). */
static void
turn_takes_the_next_burst_ahead(void **state)
{
	struct bed bed;

	bed_open(&bed, NULL);
	far_send(&bed, 0, RING_SIZE);
	assert_true(pmtcp_worker_turn(bed.w, NULL, NULL));
	assert_int_equal(bed.ctx->n_inputs, 32);
	assert_int_equal(stats_of(&bed).rx_packets, 32);
	far_send(&bed, RING_SIZE, 64);
	while (pmtcp_worker_turn(bed.w, NULL, NULL))
		;
	assert_int_equal(bed.ctx->n_inputs, RING_SIZE + 64);
	for (uint32_t i = 0; i < RING_SIZE + 64; i++)
		assert_int_equal(bed.ctx->inputs[i], i);
	assert_int_equal(stats_of(&bed).rx_packets, RING_SIZE + 64);
	far_send(&bed, 0, 40);
	assert_true(pmtcp_worker_turn(bed.w, NULL, NULL));
	assert_int_equal(bed.ctx->n_inputs, RING_SIZE + 64 + 32);
	bed_close(&bed);
}

static void
turn_sends_all_output_in_order(void **state)
{
	uint32_t numbers[200];
	struct bed bed;

	bed_open(&bed, NULL);
	bed.ctx->end_output = 100;
	assert_true(pmtcp_worker_turn(bed.w, NULL, NULL));
	assert_int_equal(far_receive(&bed, numbers, 200), 100);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(numbers[i], i);
	assert_int_equal(stats_of(&bed).tx_packets, 100);
	assert_int_equal(stats_of(&bed).tx_octets, 100 * FRAME_LEN);
	assert_false(pmtcp_worker_turn(bed.w, NULL, NULL));
	bed_close(&bed);
}

static void
turn_with_due_deadline_counts_as_work(void **state)
{
	struct bed bed;

	bed_open(&bed, NULL);
	bed.ctx->deadline_ns = pmtcp_clock_now() + 50000000u;
	assert_false(pmtcp_worker_turn(bed.w, NULL, NULL));
	bed.ctx->deadline_ns = pmtcp_clock_now();
	assert_true(pmtcp_worker_turn(bed.w, NULL, NULL));
	assert_false(pmtcp_worker_turn(bed.w, NULL, NULL));
	bed_close(&bed);
}

/* The far end takes a few frames now and then: every frame comes, in order. */
static void
res_7_slow_device_loses_nothing(void **state)
{
	enum { FRAMES = 20000 };
	uint32_t numbers[64], expected = 0;
	struct bed bed;

	bed_open(&bed, NULL);
	bed.ctx->end_output = FRAMES;
	while (expected < FRAMES) {
		uint32_t n;

		for (int i = 0; i < 3; i++)
			pmtcp_worker_turn(bed.w, NULL, NULL);
		assert_true(stats_of(&bed).backlog <= WORKER_BACKLOG);
		n = far_receive(&bed, numbers, 1 + expected % 50);
		assert_true(n > 0);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(numbers[i], expected++);
	}
	assert_int_equal(stats_of(&bed).tx_dropped, 0);
	assert_int_equal(stats_of(&bed).tx_packets, FRAMES);
	assert_int_equal(stats_of(&bed).tx_octets, (uint64_t)FRAMES * FRAME_LEN);
	bed_close(&bed);
}

/* The far end takes nothing at all: after a while frames go the way of a dead network's,
 * and what is kept is still in order. */
static void
res_7_stuck_device_drops_above_the_backlog(void **state)
{
	enum { FRAMES = 3000 };
	static uint32_t numbers[FRAMES];
	struct bed bed;
	uint64_t start_ns;
	uint32_t n;

	bed_open(&bed, NULL);
	bed.ctx->end_output = FRAMES;
	start_ns = pmtcp_clock_now();
	while (bed.ctx->next_output < FRAMES) {
		pmtcp_worker_turn(bed.w, NULL, NULL);
		if (pmtcp_clock_now() - start_ns < WORKER_STUCK_NS / 2)
			assert_int_equal(stats_of(&bed).tx_dropped, 0);
		assert_true(pmtcp_clock_now() - start_ns < 20000000000u);
	}
	assert_int_equal(stats_of(&bed).backlog, WORKER_BACKLOG);
	assert_false(pmtcp_worker_turn(bed.w, NULL, NULL)); /* nobody is kept awake by it */
	assert_int_equal(stats_of(&bed).tx_packets, RING_SIZE);
	assert_int_equal(stats_of(&bed).tx_dropped, FRAMES - RING_SIZE - WORKER_BACKLOG);
	n = far_receive(&bed, numbers, FRAMES);
	pmtcp_worker_turn(bed.w, NULL, NULL);
	n += far_receive(&bed, numbers + n, FRAMES - n);
	assert_int_equal(n, RING_SIZE + WORKER_BACKLOG);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(numbers[i], i); /* the oldest were kept */
	bed_close(&bed);
}

static void
destroy_with_full_backlog_gives_all_buffers_back(void **state)
{
	struct bed bed;

	bed_open(&bed, NULL);
	bed.ctx->end_output = 2000;
	pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_true(stats_of(&bed).backlog > 0);
	far_send(&bed, 0, 100); /* and frames nobody received */
	bed_close(&bed);
}

static void
res_5_context_learns_the_buffer_level(void **state)
{
	struct rte_mempool *pool = pmtcp_port_pool(link_ring.ports[0], 0, false);
	static struct rte_mbuf *held[65536];
	uint32_t n = pool->size * 9 / 10;
	struct bed bed;

	bed_open(&bed, NULL);
	for (unsigned int i = 0; i < WORKER_LOOK_TURNS; i++)
		pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_in_range(bed.ctx->pressure, 990, 1000);
	assert_int_equal(rte_pktmbuf_alloc_bulk(pool, held, n), 0);
	for (unsigned int i = 0; i < WORKER_LOOK_TURNS; i++)
		pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_in_range(bed.ctx->pressure, 90, 110);
	assert_int_equal(stats_of(&bed).free_permille, bed.ctx->pressure);
	rte_pktmbuf_free_bulk(held, n);
	for (unsigned int i = 0; i < WORKER_LOOK_TURNS; i++)
		pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_in_range(bed.ctx->pressure, 990, 1000);
	bed_close(&bed);
}

/* One half of a packet of TCP, for this port. */
static void
far_send_fragment(struct bed *bed, bool is_last)
{
	static const uint8_t ip[20] = {
			0x45, 0, 0, 44, 0, 1, 0x20, 0, 64, 6, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1};
	struct rte_mbuf *m = rte_pktmbuf_alloc(pmtcp_port_pool(link_ring.ports[1], 0, false));
	uint8_t p[14 + 44];
	struct rte_ipv4_hdr hdr;

	memset(p, 0, sizeof(p));
	memcpy(p, pmtcp_port_mac(link_ring.ports[0]), 6);
	p[12] = 8;
	memcpy(&hdr, ip, sizeof(hdr));
	if (is_last)
		hdr.fragment_offset = RTE_BE16(3);
	hdr.hdr_checksum = rte_ipv4_cksum(&hdr);
	memcpy(p + 14, &hdr, sizeof(hdr));
	p[14 + 20 + 12] = 5 << 4;
	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, sizeof(p)), p, sizeof(p));
	assert_int_equal(rte_eth_tx_burst(bed->far, 0, &m, 1), 1);
}

/* DEC-11: the knob stands in front of the context. */
static void
w_12_reassemble_gives_the_context_whole_packets(void **state)
{
	const struct pmtcp_worker_opts opts = {.reassemble = 4};
	struct bed bed;

	bed_open(&bed, NULL);
	far_send_fragment(&bed, false);
	far_send_fragment(&bed, true);
	pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_int_equal(bed.ctx->n_inputs, 2);
	assert_int_equal(stats_of(&bed).frag_taken, 0);
	bed_close(&bed);

	bed_open(&bed, &opts);
	far_send_fragment(&bed, false);
	assert_true(pmtcp_worker_turn(bed.w, NULL, NULL));
	assert_int_equal(bed.ctx->n_inputs, 0);
	far_send_fragment(&bed, true);
	pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_int_equal(bed.ctx->n_inputs, 1);
	assert_int_equal(stats_of(&bed).frag_taken, 2);
	assert_int_equal(stats_of(&bed).frag_whole, 1);
	far_send_fragment(&bed, false); /* half a packet stays behind */
	pmtcp_worker_turn(bed.w, NULL, NULL);
	bed_close(&bed);
}

/* A burst bounds what one turn takes from the device, of which drivers want multiples of 8; all of
 * it comes in the end. */
static void
burst_is_what_a_turn_takes(void **state)
{
	static const struct {
		uint16_t burst, first;
	} cases[] = {{0, 32}, {1, 8}, {30, 32}, {64, 64}};
	struct pmtcp_worker_opts opts = {0};
	struct bed bed;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		opts.burst = cases[i].burst;
		bed_open(&bed, &opts);
		far_send(&bed, 0, 70);
		pmtcp_worker_turn(bed.w, NULL, NULL);
		assert_int_equal(stats_of(&bed).rx_packets, cases[i].first);
		for (int turn = 0; turn < 70; turn++)
			pmtcp_worker_turn(bed.w, NULL, NULL);
		assert_int_equal(stats_of(&bed).rx_packets, 70);
		bed_close(&bed);
	}
}

static void
res_17_long_pause_is_counted(void **state)
{
	struct bed bed;

	bed_open(&bed, NULL);
	pmtcp_worker_turn(bed.w, NULL, NULL);
	usleep(20000);
	pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_in_range(stats_of(&bed).loop_stalls, 1, 2);
	bed_close(&bed);
}

static void
profile_accounts_every_phase(void **state)
{
	const struct pmtcp_worker_opts opts = {.profile = true};
	struct pmtcp_worker_stats stats;
	uint64_t sum = 0;
	struct bed bed;

	bed_open(&bed, &opts);
	far_send(&bed, 0, 32);
	bed.ctx->end_output = 32;
	assert_true(pmtcp_worker_turn(bed.w, NULL, NULL));
	stats = stats_of(&bed);
	for (int i = 0; i < PMTCP_PHASE_MAX; i++) {
		assert_true(stats.phase_cycles[i] > 0);
		sum += stats.phase_cycles[i];
	}
	assert_true(sum <= stats.busy_cycles);
	bed_close(&bed);
}

static void
faults_stand_in_front_of_the_context(void **state)
{
	const struct pmtcp_worker_opts lossy = {.faults.loss_ppm = 1000000};
	const struct pmtcp_worker_opts slow = {.faults.delay_us = 20000};
	uint64_t sent_ns;
	struct bed bed;

	bed_open(&bed, &lossy);
	far_send(&bed, 0, 10);
	pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_int_equal(bed.ctx->n_inputs, 0);
	assert_int_equal(stats_of(&bed).fault_lost, 10);
	bed_close(&bed);

	bed_open(&bed, &slow);
	far_send(&bed, 0, 10);
	sent_ns = pmtcp_clock_now();
	while (bed.ctx->n_inputs < 10)
		pmtcp_worker_turn(bed.w, NULL, NULL);
	assert_true(pmtcp_clock_now() - sent_ns >= 20000000u);
	far_send(&bed, 0, 10); /* on the wire at the end */
	pmtcp_worker_turn(bed.w, NULL, NULL);
	bed_close(&bed);
}

static void
capture_sees_both_directions(void **state)
{
	char path[] = "/tmp/pmtcp-worker-XXXXXX";
	struct pmtcp_worker_opts opts = {.pcap = path};
	struct bed bed;
	uint8_t file[24 + 3 * (16 + FRAME_LEN) + 1];
	FILE *in;

	close(mkstemp(path));
	bed_open(&bed, &opts);
	far_send(&bed, 1, 2);
	bed.ctx->next_output = 3;
	bed.ctx->end_output = 4;
	pmtcp_worker_turn(bed.w, NULL, NULL);
	bed_close(&bed);
	in = fopen(path, "rb");
	assert_non_null(in);
	assert_int_equal(fread(file, 1, sizeof(file), in), sizeof(file) - 1);
	fclose(in);
	unlink(path);
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t number, sec;

		memcpy(&sec, file + 24 + i * (16 + FRAME_LEN), 4);
		memcpy(&number, file + 24 + i * (16 + FRAME_LEN) + 16, 4);
		assert_int_equal(number, 1 + i);
		assert_in_range(time(NULL) - (time_t)sec, 0, 5); /* wall-clock time */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(create_fills_in_what_was_left_unset),
			cmocka_unit_test(create_keeps_what_was_set),
			cmocka_unit_test(create_errors_leave_nothing_behind),
			cmocka_unit_test(memory_lies_where_the_kernel_says),
			cmocka_unit_test(turn_receives_a_burst_in_order),
			cmocka_unit_test(turn_takes_the_next_burst_ahead),
			cmocka_unit_test(turn_sends_all_output_in_order),
			cmocka_unit_test(turn_with_due_deadline_counts_as_work),
			cmocka_unit_test(res_7_slow_device_loses_nothing),
			cmocka_unit_test(res_7_stuck_device_drops_above_the_backlog),
			cmocka_unit_test(destroy_with_full_backlog_gives_all_buffers_back),
			cmocka_unit_test(res_5_context_learns_the_buffer_level),
			cmocka_unit_test(burst_is_what_a_turn_takes),
			cmocka_unit_test(w_12_reassemble_gives_the_context_whole_packets),
			cmocka_unit_test(res_17_long_pause_is_counted),
			cmocka_unit_test(profile_accounts_every_phase),
			cmocka_unit_test(faults_stand_in_front_of_the_context),
			cmocka_unit_test(capture_sees_both_directions),
	};

	return cmocka_run_group_tests(tests, bed_link_open, bed_link_close);
}
