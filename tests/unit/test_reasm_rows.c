/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the limits of reassembly hold and its single requirements are met. Method:
 * hand-made arrivals; memory is what the pool of the tests says is out. The random
 * comparison with a model: test_reasm.c. */

#include "reasm_world.h"

/* Behind the highest octet held out of order, of so few ranges that all can be reported. */
static uint32_t
highest(const struct world *w)
{
	uint32_t pairs[8], right = w->nxt;
	uint8_t n = reasm_sack_blocks(&w->r, &w->p, pairs, 4);

	assert_int_equal(n, w->r.n_ranges);
	for (uint8_t i = 0; i < n; i++)
		right = max_u32(right, pairs[2 * i + 1] - START);
	return START + right;
}

/* SEC-14: 10^4 one-octet segments from the top down. */
static void
data_6_reverse_octets_take_few_mbufs(void **state)
{
	struct world w;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	for (i = 10000; i > 1; i--) {
		assert_int_equal(feed(&w, i - 1, 1), REASM_QUEUED);
		assert_true(test_pool_live(w.pool) <= 8);
	}
	assert_int_equal(w.r.n_ranges, 1);
	assert_int_equal(feed(&w, 0, 1), REASM_IN_ORDER);
	assert_int_equal(w.nxt, 10000);
	drain_all(&w);
	world_end(&w);
}

static void
data_6_forward_octets_take_few_mbufs(void **state)
{
	struct world w;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	for (i = 0; i < 10000; i++)
		assert_int_equal(feed(&w, i, 1), REASM_IN_ORDER);
	for (i = 10001; i < 20000; i++)
		assert_int_equal(feed(&w, i, 1), REASM_QUEUED);
	assert_true(test_pool_live(w.pool) <= 12);
	assert_int_equal(feed(&w, 10000, 1), REASM_IN_ORDER);
	assert_int_equal(w.nxt, 20000);
	drain_all(&w);
	world_end(&w);
}

/* Every other octet first, then those between: each of the first pins a buffer until
 * its neighbours arrive, and none after that. */
static void
data_6_interleaved_octets_take_few_mbufs(void **state)
{
	struct world w;
	uint32_t base;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	for (base = 0; base < 10000; base += 100) {
		for (i = 1; i < 100; i += 2)
			assert_int_equal(feed(&w, base + i, 1), REASM_QUEUED);
		for (i = 98; i > 0; i -= 2)
			assert_int_equal(feed(&w, base + i, 1), REASM_QUEUED);
		assert_int_equal(w.r.n_ranges, 1);
		assert_int_equal(feed(&w, base, 1), REASM_IN_ORDER);
		assert_true(test_pool_live(w.pool) <= 10);
	}
	drain_all(&w);
	world_end(&w);
}

static void
unread_text_of_one_packet_is_popped_whole(void **state)
{
	struct rte_mbuf *m;
	struct world w;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	assert_null(reasm_pop_all(&w.r, 1000));
	assert_int_equal(feed(&w, 0, 1000), REASM_IN_ORDER);
	assert_int_equal(feed(&w, 3000, 10), REASM_QUEUED);
	assert_null(reasm_pop_all(&w.r, 999));
	m = reasm_pop_all(&w.r, 1000);
	assert_non_null(m);
	assert_int_equal(rte_pktmbuf_data_len(m), 1000);
	assert_int_equal(*rte_pktmbuf_mtod(m, uint8_t *), w.stream[0].value);
	rte_pktmbuf_free(m);
	w.read = 1000;
	reasm_check(&w.r, &w.p, START + w.nxt);
	assert_int_equal(feed(&w, 1000, 1000), REASM_IN_ORDER);
	assert_int_equal(feed(&w, 2000, 1000), REASM_IN_ORDER);
	assert_null(reasm_pop_all(&w.r, 4000));
	drain_all(&w);
	world_end(&w);
}

static void
data_6_in_order_text_is_never_refused(void **state)
{
	struct world w;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	w.truesize_max = 3 * MBUF_TRUESIZE;
	assert_int_equal(feed(&w, 5000, 1000), REASM_QUEUED);
	assert_int_equal(feed(&w, 7000, 1000), REASM_QUEUED);
	assert_int_equal(feed(&w, 0, 1000), REASM_IN_ORDER);
	assert_int_equal(w.out.dropped, 0);
	/* The fourth buffer: the highest range gives way, then the other. */
	assert_int_equal(feed(&w, 1000, 1000), REASM_IN_ORDER);
	assert_int_equal(w.out.dropped, 1);
	assert_int_equal(highest(&w), START + 6000);
	assert_int_equal(feed(&w, 2000, 1000), REASM_IN_ORDER);
	assert_int_equal(w.out.dropped, 1);
	assert_false(reasm_has_ooo(&w.r));
	for (i = 3; i < 20; i++)
		assert_int_equal(feed(&w, i * 1000, 1000), REASM_IN_ORDER);
	assert_int_equal(feed(&w, 30000, 1000), REASM_OVER_LIMIT);
	assert_int_equal(w.out.dropped, 1);
	drain_all(&w);
	assert_int_equal(w.read, 20000);
	assert_int_equal(feed(&w, 30000, 1000), REASM_QUEUED);
	world_end(&w);
}

static void
data_6_over_limit_drops_the_highest_range(void **state)
{
	struct world w;
	uint32_t pairs[8];

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	w.truesize_max = 2 * MBUF_TRUESIZE;
	assert_int_equal(feed(&w, 6000, 1000), REASM_QUEUED);
	assert_int_equal(feed(&w, 4000, 1000), REASM_QUEUED);
	assert_int_equal(feed(&w, 8000, 1000), REASM_OVER_LIMIT); /* itself the highest */
	assert_int_equal(feed(&w, 2000, 1000), REASM_QUEUED);
	assert_int_equal(w.out.dropped, 1);
	assert_int_equal(reasm_sack_blocks(&w.r, &w.p, pairs, 4), 2);
	assert_int_equal(pairs[0], START + 2000);
	assert_int_equal(pairs[2], START + 4000);
	/* A segment larger than the whole limit costs nobody else. */
	w.truesize_max = MBUF_TRUESIZE - 1;
	assert_int_equal(feed(&w, 1000, 500), REASM_OVER_LIMIT);
	assert_int_equal(w.out.dropped, 1);
	assert_int_equal(w.r.n_ranges, 2);
	world_end(&w);
}

static void
data_6_ranges_are_at_most_64(void **state)
{
	uint32_t latest[2];
	struct world w;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	for (i = 0; i < 64; i++)
		assert_int_equal(feed(&w, 100 + 10 * i, 5), REASM_QUEUED);
	assert_int_equal(feed(&w, 1000, 5), REASM_OVER_LIMIT);
	assert_int_equal(w.out.dropped, 1);
	assert_int_equal(w.r.n_ranges, 64);
	assert_int_equal(feed(&w, 50, 5), REASM_QUEUED);
	assert_int_equal(w.out.dropped, 1);
	assert_int_equal(w.r.n_ranges, 64);
	/* One that touches needs no range; it is the highest that is left. */
	assert_int_equal(feed(&w, 725, 3), REASM_QUEUED);
	assert_int_equal(w.out.dropped, 0);
	assert_int_equal(w.r.n_ranges, 64);
	assert_int_equal(reasm_sack_blocks(&w.r, &w.p, latest, 1), 1);
	assert_int_equal(latest[0], START + 720);
	assert_int_equal(latest[1], START + 728);
	/* One that swallows all of them leaves one. */
	assert_int_equal(feed(&w, 40, 1500), REASM_QUEUED);
	assert_int_equal(w.r.n_ranges, 1);
	assert_int_equal(w.p.in_use, 1);
	world_end(&w);
}

static void
data_6_no_record_refuses_above_a_hole_only(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, 1, 0);
	values_draw(&w);
	assert_int_equal(feed(&w, 10, 5), REASM_NO_RECORD);
	assert_int_equal(w.out.dropped, 1);
	assert_int_equal(feed(&w, 0, 10), REASM_IN_ORDER);
	assert_int_equal(feed(&w, 10, 5), REASM_IN_ORDER);
	drain_all(&w);
	world_end(&w);
}

/* At the limits, what fits into room already paid for, or touches, is still taken. */
static void
data_6_at_the_limit_small_neighbours_are_taken(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, 1, 1);
	values_draw(&w);
	w.truesize_max = MBUF_TRUESIZE;
	assert_int_equal(feed(&w, 1000, 100), REASM_QUEUED);
	assert_int_equal(feed(&w, 1100, 100), REASM_QUEUED);
	assert_int_equal(feed(&w, 900, 100), REASM_QUEUED);
	assert_int_equal(w.r.truesize, MBUF_TRUESIZE);
	assert_int_equal(feed(&w, 1200, 300), REASM_OVER_LIMIT);
	w.truesize_max = 3 * MBUF_TRUESIZE;
	assert_int_equal(feed(&w, 600, 300), REASM_QUEUED);
	assert_int_equal(feed(&w, 1200, 300), REASM_QUEUED);
	w.truesize_max = UINT32_MAX;
	/* No record is left: the highest range gives its own to a lower one. */
	assert_int_equal(feed(&w, 2000, 10), REASM_NO_RECORD);
	assert_int_equal(w.out.dropped, 1);
	assert_int_equal(feed(&w, 100, 10), REASM_QUEUED);
	assert_int_equal(w.out.dropped, 1);
	assert_int_equal(highest(&w), START + 110);
	world_end(&w);
}

static void
res_5_drop_ooo_keeps_the_unread_text(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	feed(&w, 0, 500);
	feed(&w, 1000, 300);
	feed(&w, 2000, 200);
	assert_int_equal(reasm_drop_ooo(&w.r, &w.p), 500);
	assert_false(reasm_has_ooo(&w.r));
	assert_int_equal(reasm_drop_ooo(&w.r, &w.p), 0);
	assert_int_equal(reasm_unread(&w.r), 500);
	assert_int_equal(w.p.in_use, 0);
	assert_int_equal(test_pool_live(w.pool), 1);
	reasm_check(&w.r, &w.p, START + w.nxt);
	drain_all(&w);
	world_end(&w);
}

static void
data_4_only_new_octets_are_used(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	assert_int_equal(feed(&w, 0, 100), REASM_IN_ORDER);
	assert_false(w.out.was_dup);
	assert_int_equal(feed(&w, 50, 100), REASM_IN_ORDER);
	assert_int_equal(w.nxt, 150);
	assert_true(w.out.was_dup);
	assert_int_equal(w.out.dup_left, START + 50);
	assert_int_equal(w.out.dup_right, START + 100);
	drain_all(&w);
	world_end(&w);
}

/* A buffer somebody else looks at too is read and never written, room and all. */
static void
data_7_shared_buffer_is_never_written(void **state)
{
	uint8_t before[ROOM];
	uint8_t data[100];
	struct rte_mbuf *origin;
	struct world w;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	for (i = 0; i < sizeof(data); i++)
		data[i] = w.stream[1000 + i].value;
	origin = packet_new(&w, data, sizeof(data), false);
	memcpy(before, origin->buf_addr, ROOM);
	feed_packet(&w, rte_pktmbuf_clone(origin, w.pool), 1000, sizeof(data));
	assert_int_equal(feed(&w, 990, 10), REASM_QUEUED);
	assert_int_equal(feed(&w, 1100, 10), REASM_QUEUED);
	assert_int_equal(w.r.n_ranges, 1);
	assert_int_equal(feed(&w, 0, 990), REASM_IN_ORDER);
	assert_memory_equal(origin->buf_addr, before, ROOM);
	rte_pktmbuf_free(origin);
	drain_all(&w);
	world_end(&w);
}

/* Ranges 3, 5, 7 of a hundred octets each; RFC 2018 section 4. */
static void
data_37_most_recent_block_comes_first(void **state)
{
	uint32_t pairs[8];
	struct world w;
	uint32_t k;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	for (k = 3; k <= 7; k += 2)
		feed(&w, 100 * k, 100);
	assert_int_equal(reasm_sack_blocks(&w.r, &w.p, pairs, 4), 3);
	for (k = 0; k < 3; k++) {
		assert_int_equal(pairs[2 * k], START + 700 - 200 * k);
		assert_int_equal(pairs[2 * k + 1], START + 800 - 200 * k);
	}
	assert_int_equal(feed(&w, 300, 100), REASM_DUPLICATE);
	assert_int_equal(w.out.dup_left, START + 300);
	assert_int_equal(w.out.dup_right, START + 400);
	assert_int_equal(reasm_sack_blocks(&w.r, &w.p, pairs, 2), 2);
	assert_int_equal(pairs[0], START + 300);
	assert_int_equal(pairs[2], START + 700);
	world_end(&w);
}

static void
close_25_fin_above_a_hole_waits(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	assert_false(reasm_fin_is_due(&w.r, START));
	assert_true(reasm_set_fin(&w.r, &w.p, START + 100));
	assert_false(reasm_is_idle(&w.r));
	assert_false(reasm_fin_is_due(&w.r, START + w.nxt));
	assert_int_equal(feed(&w, 0, 100), REASM_IN_ORDER);
	assert_true(reasm_fin_is_due(&w.r, START + w.nxt));
	drain_all(&w);
	assert_true(reasm_has_fin(&w.r));
	world_end(&w);
}

static void
close_27_text_past_the_fin_is_cut(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, 1, RECORDS);
	values_draw(&w);
	assert_true(reasm_set_fin(&w.r, &w.p, START + 100));
	assert_int_equal(feed(&w, 100, 10), REASM_PAST_FIN);
	assert_int_equal(feed(&w, 101, 10), REASM_PAST_FIN);
	assert_int_equal(feed(&w, 90, 50), REASM_QUEUED);
	assert_int_equal(highest(&w), START + 100);
	/* A second FIN at another number is ignored; a repeated one is the same. */
	assert_false(reasm_set_fin(&w.r, &w.p, START + 200));
	assert_true(reasm_set_fin(&w.r, &w.p, START + 100));
	assert_int_equal(feed(&w, 0, 500), REASM_IN_ORDER);
	assert_int_equal(w.nxt, 100);
	drain_all(&w);
	world_end(&w);
}

/* Text arrived first, then a FIN in its midst: nothing behind the FIN remains. */
static void
close_27_text_held_past_a_later_fin_is_forgotten(void **state)
{
	struct world w;
	uint32_t cut;

	(void)state;
	for (cut = 1; cut <= 3200; cut += 33) {
		uint32_t end = cut <= 100 ? 0 : cut < 3100 ? cut : 3100;

		world_make(&w, 1, RECORDS);
		values_draw(&w);
		feed(&w, 100, 1000);
		feed(&w, 1100, 1000);
		feed(&w, 2100, 1000);
		feed(&w, 5000, 10);
		assert_true(reasm_set_fin(&w.r, &w.p, START + cut));
		reasm_check(&w.r, &w.p, START);
		assert_int_equal(reasm_has_ooo(&w.r), end > 0);
		if (end > 0)
			assert_int_equal(highest(&w), START + end);
		feed(&w, 0, 100);
		assert_int_equal(w.nxt, cut < 100 ? cut : end ? end : 100);
		drain_all(&w);
		world_end(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_6_reverse_octets_take_few_mbufs),
			cmocka_unit_test(data_6_forward_octets_take_few_mbufs),
			cmocka_unit_test(data_6_interleaved_octets_take_few_mbufs),
			cmocka_unit_test(unread_text_of_one_packet_is_popped_whole),
			cmocka_unit_test(data_6_in_order_text_is_never_refused),
			cmocka_unit_test(data_6_over_limit_drops_the_highest_range),
			cmocka_unit_test(data_6_ranges_are_at_most_64),
			cmocka_unit_test(data_6_no_record_refuses_above_a_hole_only),
			cmocka_unit_test(data_6_at_the_limit_small_neighbours_are_taken),
			cmocka_unit_test(res_5_drop_ooo_keeps_the_unread_text),
			cmocka_unit_test(data_4_only_new_octets_are_used),
			cmocka_unit_test(data_7_shared_buffer_is_never_written),
			cmocka_unit_test(data_37_most_recent_block_comes_first),
			cmocka_unit_test(close_25_fin_above_a_hole_waits),
			cmocka_unit_test(close_27_text_past_the_fin_is_cut),
			cmocka_unit_test(close_27_text_held_past_a_later_fin_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
