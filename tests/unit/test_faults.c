/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the faulty wire does what its shares say, keeps the order it should keep, loses
 * no buffer, and repeats itself from a seed. Method: numbered frames go in, what comes
 * out is checked against the model of a wire; each mbuf is one malloc. */

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

#include "dpdk/faults.h"
#include "support/build.h"
#include "support/pool.h"

#define FRAMES  20000u
#define STEP_NS 1000u /* between two frames that go in */

struct outcome {
	uint32_t n;
	uint32_t id[2 * FRAMES + 16];
	uint64_t at_ns[2 * FRAMES + 16];
	uint32_t changed_bits[2 * FRAMES + 16];
	struct pmtcp_worker_stats stats;
};

static struct outcome one, two;

/* An IPv4 frame with its number in front of a fixed pattern, behind the header. */
static void
frame_octets(uint32_t id, uint16_t ethertype, uint8_t octets[64])
{
	memset(octets, 0x5a, 64);
	octets[12] = (uint8_t)(ethertype >> 8);
	octets[13] = (uint8_t)ethertype;
	memcpy(octets, &id, sizeof(id)); /* in the destination MAC: never corrupted */
}

static void
take(struct outcome *o, uint64_t now_ns, struct rte_mbuf *m, uint16_t ethertype)
{
	const uint8_t *got = rte_pktmbuf_mtod(m, const uint8_t *);
	uint8_t sent[64];
	uint32_t bits = 0, id;

	assert_int_equal(m->pkt_len, 64);
	memcpy(&id, got, sizeof(id));
	frame_octets(id, ethertype, sent);
	assert_memory_equal(got, sent, 14);
	for (int i = 14; i < 64; i++)
		bits += (uint32_t)__builtin_popcount(got[i] ^ sent[i]);
	o->id[o->n] = id;
	o->at_ns[o->n] = now_ns;
	o->changed_bits[o->n] = bits;
	o->n++;
	rte_pktmbuf_free(m);
}

static void
drain(struct faults *f, struct outcome *o, uint64_t now_ns, uint16_t ethertype)
{
	struct rte_mbuf *out[7];
	uint16_t n;

	while ((n = faults_pop(f, now_ns, out, 7)) > 0)
		for (uint16_t i = 0; i < n; i++)
			take(o, now_ns, out[i], ethertype);
}

/* FRAMES frames, one each STEP_NS; then the time jumps from deadline to deadline. */
static void
run_wire(const struct pmtcp_faults *conf, uint16_t ethertype, struct outcome *o)
{
	struct rte_mempool *pool = test_pool_create(2176);
	struct faults *f;
	uint64_t now_ns = 0;

	memset(o, 0, sizeof(*o));
	assert_int_equal(faults_create(conf, pool, &f), 0);
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t octets[64];
		struct rte_mbuf *m;

		frame_octets(i, ethertype, octets);
		m = build_mbuf(pool, octets, sizeof(octets), 0);
		now_ns = (uint64_t)i * STEP_NS;
		faults_push(f, now_ns, &m, 1);
		drain(f, o, now_ns, ethertype);
	}
	while (faults_deadline(f) != UINT64_MAX) {
		assert_true(faults_deadline(f) > now_ns); /* what was due is out */
		now_ns = faults_deadline(f);
		drain(f, o, now_ns, ethertype);
	}
	faults_stats(f, &o->stats);
	faults_destroy(f);
	test_pool_destroy(pool);
}

static void
assert_share(uint64_t n, uint32_t ppm)
{
	double want = (double)FRAMES * ppm / 1e6;

	/* At least three standard deviations of a binomial; the seed is fixed. */
	assert_true((double)n > want * 0.85 && (double)n < want * 1.15);
}

static void
faults_none_passes_all_in_order_at_once(void **state)
{
	const struct pmtcp_faults conf = {.seed = 1};

	assert_false(faults_wanted(&conf));
	run_wire(&conf, 0x0800, &one);
	assert_int_equal(one.n, FRAMES);
	for (uint32_t i = 0; i < FRAMES; i++) {
		assert_int_equal(one.id[i], i);
		assert_int_equal(one.at_ns[i], (uint64_t)i * STEP_NS);
		assert_int_equal(one.changed_bits[i], 0);
	}
}

static void
faults_loss_loses_its_share_and_keeps_order(void **state)
{
	const struct pmtcp_faults conf = {.loss_ppm = 100000, .seed = 2};

	assert_true(faults_wanted(&conf));
	run_wire(&conf, 0x0800, &one);
	assert_share(FRAMES - one.n, conf.loss_ppm);
	assert_int_equal(one.stats.fault_lost, FRAMES - one.n);
	for (uint32_t i = 1; i < one.n; i++)
		assert_true(one.id[i] > one.id[i - 1]);
}

static void
faults_dup_doubles_its_share(void **state)
{
	const struct pmtcp_faults conf = {.dup_ppm = 50000, .seed = 3};
	uint32_t doubles = 0;

	run_wire(&conf, 0x0800, &one);
	assert_share(one.n - FRAMES, conf.dup_ppm);
	assert_int_equal(one.stats.fault_doubled, one.n - FRAMES);
	for (uint32_t i = 1; i < one.n; i++) {
		doubles += one.id[i] == one.id[i - 1];
		assert_true(one.id[i] - one.id[i - 1] <= 1);
	}
	assert_int_equal(doubles, one.n - FRAMES);
}

static void
faults_delay_delays_exactly(void **state)
{
	const struct pmtcp_faults conf = {.delay_us = 777, .seed = 4};

	run_wire(&conf, 0x0800, &one);
	assert_int_equal(one.n, FRAMES);
	for (uint32_t i = 0; i < FRAMES; i++) {
		assert_int_equal(one.id[i], i);
		assert_int_equal(one.at_ns[i], (uint64_t)i * STEP_NS + 777000);
	}
}

static void
faults_reorder_lets_later_frames_overtake(void **state)
{
	const struct pmtcp_faults conf = {.reorder_ppm = 30000, .reorder_us = 50, .seed = 5};
	uint32_t late = 0, highest = 0;

	run_wire(&conf, 0x0800, &one);
	assert_int_equal(one.n, FRAMES);
	for (uint32_t i = 0; i < one.n; i++) {
		late += one.id[i] < highest;
		if (one.id[i] > highest)
			highest = one.id[i];
		assert_true(one.at_ns[i] - (uint64_t)one.id[i] * STEP_NS <= 50000);
	}
	assert_share(one.stats.fault_reordered, conf.reorder_ppm);
	/* All but those at the very end were overtaken. */
	assert_in_range(late, one.stats.fault_reordered - 10, one.stats.fault_reordered);
}

static void
faults_corrupt_changes_one_bit_behind_the_ethernet_header(void **state)
{
	const struct pmtcp_faults conf = {.corrupt_ppm = 200000, .seed = 6};
	uint32_t corrupted = 0;

	run_wire(&conf, 0x0800, &one);
	assert_int_equal(one.n, FRAMES);
	for (uint32_t i = 0; i < one.n; i++) {
		assert_true(one.changed_bits[i] <= 1);
		corrupted += one.changed_bits[i];
	}
	assert_int_equal(corrupted, one.stats.fault_corrupted);
	assert_share(corrupted, conf.corrupt_ppm);

	run_wire(&conf, 0x0806, &one); /* ARP has no checksum to find it with */
	assert_int_equal(one.stats.fault_corrupted, 0);
	for (uint32_t i = 0; i < one.n; i++)
		assert_int_equal(one.changed_bits[i], 0);
}

/* On net_ring a frame may be referenced elsewhere: that reader must not see the bit. */
static void
faults_corrupt_leaves_shared_octets_alone(void **state)
{
	const struct pmtcp_faults conf = {.corrupt_ppm = 1000000, .seed = 7};
	struct rte_mempool *pool = test_pool_create(2176);
	uint8_t octets[64];
	struct rte_mbuf *m, *out;
	struct faults *f;

	frame_octets(1, 0x0800, octets);
	m = build_mbuf(pool, octets, sizeof(octets), 0);
	rte_pktmbuf_refcnt_update(m, 1);
	assert_int_equal(faults_create(&conf, pool, &f), 0);
	faults_push(f, 0, &m, 1);
	assert_int_equal(faults_pop(f, 0, &out, 1), 1);
	assert_ptr_not_equal(out, m);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), octets, 64);
	assert_memory_not_equal(rte_pktmbuf_mtod(out, uint8_t *), octets, 64);
	assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	rte_pktmbuf_free(m);
	rte_pktmbuf_free(out);
	faults_destroy(f);
	test_pool_destroy(pool);
}

static void
faults_same_seed_same_outcome(void **state)
{
	struct pmtcp_faults conf = {.loss_ppm = 20000,
			.dup_ppm = 20000,
			.reorder_ppm = 20000,
			.corrupt_ppm = 20000,
			.delay_us = 30,
			.seed = 8};

	run_wire(&conf, 0x0800, &one);
	run_wire(&conf, 0x0800, &two);
	assert_memory_equal(&one, &two, sizeof(one));
	conf.seed = 9;
	run_wire(&conf, 0x0800, &two);
	assert_memory_not_equal(&one, &two, sizeof(one));
}

static void
faults_full_pipe_drops_and_counts(void **state)
{
	const struct pmtcp_faults conf = {.delay_us = 1000000, .seed = 10};
	struct rte_mempool *pool = test_pool_create(2176);
	struct pmtcp_worker_stats stats = {0};
	uint8_t octets[64];
	struct faults *f;

	frame_octets(1, 0x0800, octets);
	assert_int_equal(faults_create(&conf, pool, &f), 0);
	for (uint32_t i = 0; i < FAULTS_PIPE_MAX + 100; i++) {
		struct rte_mbuf *m = build_mbuf(pool, octets, sizeof(octets), 0);

		faults_push(f, 0, &m, 1);
	}
	faults_stats(f, &stats);
	assert_int_equal(stats.fault_overflow, 100);
	assert_int_equal(test_pool_live(pool), FAULTS_PIPE_MAX);
	faults_destroy(f); /* frees what is on the wire */
	test_pool_destroy(pool);
}

static void
faults_dup_without_buffer_passes_the_original(void **state)
{
	const struct pmtcp_faults conf = {.dup_ppm = 1000000, .seed = 11};
	struct rte_mempool *pool = test_pool_create(2176);
	struct pmtcp_worker_stats stats = {0};
	uint8_t octets[64];
	struct rte_mbuf *m, *out[2];
	struct faults *f;

	frame_octets(1, 0x0800, octets);
	assert_int_equal(faults_create(&conf, pool, &f), 0);
	m = build_mbuf(pool, octets, sizeof(octets), 0);
	test_pool_fail_after(pool, 0);
	faults_push(f, 0, &m, 1);
	assert_int_equal(faults_pop(f, 0, out, 2), 1);
	assert_ptr_equal(out[0], m);
	faults_stats(f, &stats);
	assert_int_equal(stats.fault_overflow, 1);
	assert_int_equal(stats.fault_doubled, 0);
	rte_pktmbuf_free(m);
	faults_destroy(f);
	test_pool_destroy(pool);
}

static void
faults_share_above_one_is_refused(void **state)
{
	const struct pmtcp_faults conf = {.loss_ppm = 1000001};
	struct faults *f;

	assert_int_equal(faults_create(&conf, NULL, &f), -EINVAL);
	faults_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(faults_none_passes_all_in_order_at_once),
			cmocka_unit_test(faults_loss_loses_its_share_and_keeps_order),
			cmocka_unit_test(faults_dup_doubles_its_share),
			cmocka_unit_test(faults_delay_delays_exactly),
			cmocka_unit_test(faults_reorder_lets_later_frames_overtake),
			cmocka_unit_test(faults_corrupt_changes_one_bit_behind_the_ethernet_header),
			cmocka_unit_test(faults_corrupt_leaves_shared_octets_alone),
			cmocka_unit_test(faults_same_seed_same_outcome),
			cmocka_unit_test(faults_full_pipe_drops_and_counts),
			cmocka_unit_test(faults_dup_without_buffer_passes_the_original),
			cmocka_unit_test(faults_share_above_one_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
