/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: any order, overlap and repetition of segments delivers the stream once, in
 * order, first copy of each octet. Method: random permutations, and random overlaps
 * with different octets beside the octet model of reasm_world.h. Limits and single
 * rows: test_reasm_rows.c. */

#include "reasm_world.h"

struct cut {
	uint32_t from;
	uint32_t len;
};

static void
run_permutation(uint64_t seed)
{
	struct cut cuts[60];
	struct world w;
	uint32_t n;
	uint32_t total = 0;
	uint32_t i;

	world_make(&w, seed, RECORDS);
	values_draw(&w);
	w.nxt = w.read = draw(&w, 5000);
	total = w.nxt;
	n = 2 + draw(&w, PMTCP_ARRAY_SIZE(cuts) - 1);
	for (i = 0; i < n; i++) {
		cuts[i] = (struct cut){.from = total, .len = 1 + draw(&w, draw(&w, 2) ? 500 : 20)};
		total += cuts[i].len;
	}
	for (i = n - 1; i > 0; i--) {
		uint32_t k = draw(&w, i + 1);
		struct cut c = cuts[i];

		cuts[i] = cuts[k];
		cuts[k] = c;
	}
	for (i = 0; i < n; i++) {
		int verdict = feed(&w, cuts[i].from, cuts[i].len);

		assert_true(verdict == REASM_IN_ORDER || verdict == REASM_QUEUED);
		assert_false(w.out.was_dup);
		if (draw(&w, 3) == 0)
			drain(&w, draw(&w, 4));
		/* DATA-5: a copy of what came before is never taken. */
		assert_int_equal(feed(&w, cuts[draw(&w, i + 1)].from, 1), REASM_DUPLICATE);
		assert_true(w.out.was_dup);
	}
	assert_int_equal(w.nxt, total);
	assert_false(reasm_has_ooo(&w.r));
	drain_all(&w);
	world_end(&w);
}

static void
data_6_permutations_deliver_equal_streams(void **state)
{
	uint64_t seed;

	(void)state;
	print_message("seeds 1 to 2000\n");
	for (seed = 1; seed <= 2000; seed++)
		run_permutation(seed);
}

/* End of the run of octets with the same `held` that begins at i; at most max. */
static uint32_t
run_end(const struct world *w, uint32_t i, uint32_t max)
{
	uint32_t k = i;

	while (k < max && w->stream[k].held == w->stream[i].held)
		k++;
	return k;
}

/* No segment of these tests reaches further ahead of RCV.NXT. */
enum { AHEAD_MAX = 15000 };

struct runs {
	struct {
		uint32_t left, right, stamp;
	} at[AHEAD_MAX];
	uint32_t n;
};

static void
runs_list(const struct world *w, struct runs *runs)
{
	uint32_t i = w->nxt;
	uint32_t limit = min_u32(STREAM_MAX, w->nxt + AHEAD_MAX);

	runs->n = 0;
	while (i < limit) {
		uint32_t end = run_end(w, i, limit);
		uint32_t stamp = 0;
		uint32_t k;

		for (k = i; k < end; k++)
			stamp = w->stream[k].stamp > stamp ? w->stream[k].stamp : stamp;
		if (w->stream[i].held) {
			runs->at[runs->n].left = i;
			runs->at[runs->n].right = end;
			runs->at[runs->n++].stamp = stamp;
		}
		i = end;
	}
}

static void
model_drop_highest(struct world *w, uint32_t n)
{
	static struct runs runs;
	uint32_t i;

	for (; n > 0; n--) {
		runs_list(w, &runs);
		assert_true(runs.n > 0);
		for (i = runs.at[runs.n - 1].left; i < runs.at[runs.n - 1].right; i++) {
			w->stream[i].held = false;
			w->stream[i].stamp = 0;
		}
	}
}

/* First copy wins. A shared packet gives its first run of new octets alone, which
 * matters only if a held run and more new octets follow it. */
static void
model_insert(struct world *w, uint32_t from, uint32_t len, const uint8_t *data, bool is_shared)
{
	uint32_t end = from + len;
	uint32_t i = from;

	w->stamp++;
	if (is_shared) {
		while (i < end && w->stream[i].held)
			i++;
		i = i < end ? run_end(w, i, end) : i;
		end = i < end ? run_end(w, i, end) : end;
	}
	for (i = from; i < end; i++) {
		if (!w->stream[i].held)
			w->stream[i].value = data[i - from];
		w->stream[i].held = true;
		w->stream[i].stamp = w->stamp;
	}
}

static void
compare_sack(struct world *w, struct runs *runs)
{
	uint32_t pairs[8];
	uint8_t max = draw(w, 6);
	uint8_t n = reasm_sack_blocks(&w->r, &w->p, pairs, max);
	uint8_t k;
	uint32_t i;

	max = max > 4 ? 4 : max;
	assert_int_equal(n, runs->n < max ? runs->n : max);
	for (k = 0; k < n; k++) {
		uint32_t best = 0;

		for (i = 1; i < runs->n; i++)
			if (runs->at[i].stamp > runs->at[best].stamp)
				best = i;
		assert_int_equal(pairs[2 * k], START + runs->at[best].left);
		assert_int_equal(pairs[2 * k + 1], START + runs->at[best].right);
		runs->at[best].stamp = 0;
	}
}

static void
compare(struct world *w)
{
	static struct runs runs;

	runs_list(w, &runs);
	assert_int_equal(w->r.n_ranges, runs.n);
	assert_int_equal(reasm_has_ooo(&w->r), runs.n > 0);
	assert_int_equal(reasm_unread(&w->r), w->nxt - w->read);
	compare_sack(w, &runs);
}

/* What D-SACK must report: the leftmost held stretch of the segment. */
static void
compare_dup(struct world *w, const bool *was_held, uint32_t from, uint32_t len)
{
	uint32_t left = 0;
	uint32_t right;

	while (left < len && !was_held[left])
		left++;
	assert_int_equal(w->out.was_dup, left < len);
	if (left == len)
		return;
	right = left;
	while (right < len && was_held[right])
		right++;
	assert_int_equal(w->out.dup_left, START + from + left);
	assert_int_equal(w->out.dup_right, START + from + right);
}

static void
step_overlap(struct world *w, uint32_t span)
{
	uint8_t buffer[ROOM];
	uint8_t data[1200];
	bool was_held[1200];
	uint32_t back = draw(w, 4) ? 0 : draw(w, 100);
	uint32_t from = w->nxt - (back < w->nxt ? back : w->nxt) + draw(w, 3) * draw(w, span);
	uint32_t len = 1 + draw(w, draw(w, 2) ? 30 : 1199);
	uint32_t old = w->nxt;
	bool has_above = reasm_has_ooo(&w->r);
	uint32_t kind = draw(w, 4);
	struct rte_mbuf *origin;
	struct rte_mbuf *m;
	int verdict;
	uint32_t i;

	for (i = 0; i < len; i++) {
		data[i] = rng_next(&w->rng);
		was_held[i] = w->stream[from + i].held;
	}
	origin = packet_new(w, data, len, kind == 1);
	m = kind == 0 ? rte_pktmbuf_clone(origin, w->pool) : origin;
	memcpy(buffer, origin->buf_addr, origin->buf_len);
	verdict = feed_packet(w, m, from, len);
	if (verdict == REASM_IN_ORDER)
		model_insert(w, from, len, data, kind == 0);
	model_drop_highest(w, w->out.dropped - (verdict >= REASM_OVER_LIMIT));
	if (verdict == REASM_QUEUED || verdict == REASM_DUPLICATE)
		model_insert(w, from, len, data, kind == 0);
	if (kind == 0) { /* what was shared is as it was, room and all */
		assert_memory_equal(origin->buf_addr, buffer, origin->buf_len);
		rte_pktmbuf_free(origin);
	}
	compare_dup(w, was_held, from, len);
	assert_int_equal(verdict == REASM_IN_ORDER, w->nxt > old);
	assert_int_equal(w->out.filled_gap, verdict == REASM_IN_ORDER && has_above);
	for (i = old; i < w->nxt; i++)
		assert_true(w->stream[i].held);
	assert_false(w->stream[w->nxt].held);
}

static void
run_overlaps(uint64_t seed, uint32_t records, uint32_t truesize_max)
{
	struct world w;
	uint32_t span;

	world_make(&w, seed, records);
	w.truesize_max = truesize_max;
	span = draw(&w, 2) ? 200 : 6000;
	while (w.nxt < STREAM_MAX - AHEAD_MAX) {
		step_overlap(&w, span);
		compare(&w);
		if (draw(&w, 3) == 0)
			drain(&w, draw(&w, 5));
		else if (draw(&w, 3) == 0)
			drain_copy(&w, draw(&w, 3000));
	}
	drain_all(&w);
	world_end(&w);
}

static void
data_7_overlaps_keep_the_first_copy(void **state)
{
	uint64_t seed;

	(void)state;
	print_message("seeds 1 to 60\n");
	for (seed = 1; seed <= 60; seed++)
		run_overlaps(seed, RECORDS, UINT32_MAX);
}

/* The same with a limit of memory and of records: the model takes over what was given
 * up and sees that everything else is right. */
static void
data_6_overlaps_under_limits_match_model(void **state)
{
	uint64_t seed;

	(void)state;
	print_message("seeds 100 to 160\n");
	for (seed = 100; seed <= 160; seed++) {
		run_overlaps(seed, RECORDS, 20 * MBUF_TRUESIZE);
		run_overlaps(seed, 3, UINT32_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_6_permutations_deliver_equal_streams),
			cmocka_unit_test(data_7_overlaps_keep_the_first_copy),
			cmocka_unit_test(data_6_overlaps_under_limits_match_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
