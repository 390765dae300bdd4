/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the send queue gives each octet out under its own sequence number, keeps one
 * record per segment through splits, joins and ACKs, and frees each mbuf once.
 * Method: random steps beside an array with one entry per octet of the stream, the
 * sequence numbers passing 2^32; clones stay in flight beyond the ACK; the pool of
 * the tests reports leaks and double frees. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "stream/sendq.h"
#include "support/pool.h"

enum {
	ROOM = RTE_PKTMBUF_HEADROOM + 512,
	STREAM_MAX = 200000,
	FLYING_MAX = 8,
	RECORDS = 64,
	STEPS = 3000,
};

static const uint32_t START = UINT32_MAX - 20000;

struct octet {
	uint8_t value;
	uint8_t flags;
	uint32_t sent_us;
};

struct flying {
	struct rte_mbuf *hdr;
	uint32_t seq;
	uint32_t len;
};

struct world {
	struct sendq q;
	struct recpool p;
	struct rte_mempool *pool;
	struct rng rng;
	struct octet *stream; /* octet i has sequence number START + i */
	uint32_t una, nxt, end;
	uint32_t now_us;
	struct flying flying[FLYING_MAX];
};

static uint32_t
draw(struct world *w, uint32_t bound)
{
	return (uint32_t)rng_below(&w->rng, bound);
}

static void
world_make(struct world *w, uint64_t seed, uint32_t records)
{
	memset(w, 0, sizeof(*w));
	rng_seed(&w->rng, seed);
	w->pool = test_pool_create(ROOM);
	w->stream = calloc(STREAM_MAX, sizeof(*w->stream));
	assert_non_null(w->stream);
	recpool_init(&w->p, aligned_alloc(RECPOOL_REC_SIZE, recpool_memsize(records)), records);
	w->now_us = UINT32_MAX - 1000;
	sendq_init(&w->q, START);
}

static void
world_end(struct world *w)
{
	sendq_fini(&w->q, &w->p);
	sendq_check(&w->q, &w->p);
	assert_true(sendq_is_empty(&w->q));
	assert_int_equal(w->p.in_use, 0);
	assert_int_equal(test_pool_live(w->pool), 0);
	test_pool_destroy(w->pool);
	free(w->p.base);
	free(w->stream);
}

/* One more octet of the stream. */
static uint8_t
octet_new(struct world *w)
{
	uint8_t value = rng_next(&w->rng);

	assert_true(w->end < STREAM_MAX);
	w->stream[w->end++].value = value;
	return value;
}

static struct rte_mbuf *
mbuf_new(struct world *w, uint32_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	uint8_t *data;
	uint32_t i;

	assert_non_null(m);
	data = (uint8_t *)rte_pktmbuf_append(m, len);
	for (i = 0; i < len; i++)
		data[i] = octet_new(w);
	return m;
}

static void
step_append(struct world *w)
{
	uint32_t n = 1 + draw(w, 4);
	struct rte_mbuf *m = mbuf_new(w, 1 + draw(w, 300));

	for (; n > 1; n--)
		assert_int_equal(rte_pktmbuf_chain(m, mbuf_new(w, draw(w, 2) * draw(w, 300))), 0);
	sendq_append(&w->q, m);
}

static void
step_write(struct world *w)
{
	uint8_t buf[1500];
	uint32_t len = draw(w, sizeof(buf));
	uint32_t old = w->end;
	uint32_t took;
	uint32_t i;

	if (draw(w, 4) == 0)
		test_pool_fail_after(w->pool, draw(w, 3));
	for (i = 0; i < len; i++)
		buf[i] = octet_new(w);
	took = sendq_write(&w->q, w->pool, buf, len);
	test_pool_fail_after(w->pool, TEST_POOL_NEVER);
	assert_true(took <= len);
	memset(buf, 0xee, sizeof(buf));
	w->end = old + took;
}

static void
step_next(struct world *w)
{
	uint32_t len = 1 + draw(w, 700);
	uint32_t unsent = w->end - w->nxt;
	bool is_possible = unsent > 0 && recpool_available(&w->p) > 0;
	uint32_t index = sendq_next(&w->q, &w->p, len, w->now_us);
	uint32_t i;

	assert_int_equal(index != 0, is_possible);
	if (!index)
		return;
	len = len < unsent ? len : unsent;
	assert_int_equal(sendq_rec(&w->p, index)->len, len);
	assert_int_equal(sendq_rec(&w->p, index)->seq, START + w->nxt);
	if (draw(w, 4) == 0) {
		sendq_undo_last(&w->q, &w->p);
		return;
	}
	for (i = 0; i < len; i++) {
		w->stream[w->nxt + i].flags = 0;
		w->stream[w->nxt + i].sent_us = w->now_us;
	}
	w->nxt += len;
}

static uint32_t
record_pick(struct world *w)
{
	uint32_t n = draw(w, w->p.in_use + 1);
	uint32_t i = sendq_first(&w->q);

	while (i && n-- > 0 && sendq_rec(&w->p, i)->next)
		i = sendq_rec(&w->p, i)->next;
	return i;
}

/* The array takes over what the record says of its octets. */
static void
record_note(struct world *w, const struct sendq_rec *r)
{
	uint32_t i;

	for (i = 0; i < r->len; i++) {
		w->stream[r->seq - START + i].flags = r->flags;
		w->stream[r->seq - START + i].sent_us = r->sent_us;
	}
}

static void
step_mark(struct world *w)
{
	uint32_t i = record_pick(w);
	struct sendq_rec *r;

	if (!i)
		return;
	r = sendq_rec(&w->p, i);
	if (draw(w, 2)) {
		r->flags |= SENDQ_SACKED;
	} else {
		r->flags |= SENDQ_REXMT;
		r->sent_us = w->now_us;
		r->tries++;
	}
	record_note(w, r);
}

static void
step_recut(struct world *w)
{
	uint32_t i = record_pick(w);
	uint32_t len = 1 + draw(w, 300);
	uint32_t old;
	uint32_t rest;

	if (!i)
		return;
	old = sendq_rec(&w->p, i)->len;
	rest = sendq_recut(&w->q, &w->p, i, len);
	if (!rest) {
		assert_true(old <= len || recpool_available(&w->p) == 0);
		assert_int_equal(sendq_rec(&w->p, i)->len, old);
		return;
	}
	assert_int_equal(sendq_rec(&w->p, i)->len, len);
	assert_int_equal(sendq_rec(&w->p, rest)->len, old - len);
	assert_int_equal(sendq_rec(&w->p, i)->next, rest);
}

static void
step_merge(struct world *w)
{
	uint32_t i = record_pick(w);
	uint32_t len = draw(w, 1500);
	uint32_t old;

	if (!i)
		return;
	old = sendq_rec(&w->p, i)->len;
	if (!sendq_merge(&w->q, &w->p, i, len))
		return;
	assert_true(sendq_rec(&w->p, i)->len > old);
	assert_true(sendq_rec(&w->p, i)->len <= len);
	record_note(w, sendq_rec(&w->p, i));
}

static void
step_ack(struct world *w)
{
	uint32_t to = w->una + draw(w, w->nxt - w->una + 1);
	struct sendq_ack want = {.bytes = to - w->una};
	struct sendq_ack out;
	uint32_t i;

	for (i = w->una; i < to; i++) {
		const struct octet *o = &w->stream[i];

		want.has_rexmt |= !!(o->flags & SENDQ_REXMT);
		want.delivered += !(o->flags & SENDQ_SACKED);
		if (o->flags & (SENDQ_REXMT | SENDQ_SACKED))
			continue;
		if (!want.has_sample || (int32_t)(o->sent_us - want.sent_us) > 0)
			want.sent_us = o->sent_us;
		want.has_sample = true;
	}
	assert_int_equal(sendq_ack(&w->q, &w->p, START + to, &out), want.bytes);
	assert_int_equal(out.bytes, want.bytes);
	assert_int_equal(out.delivered, want.delivered);
	assert_int_equal(out.has_rexmt, want.has_rexmt);
	assert_int_equal(out.has_sample, want.has_sample);
	if (want.has_sample)
		assert_int_equal(out.sent_us, want.sent_us);
	w->una = to;
	/* An old ACK changes nothing. */
	assert_int_equal(sendq_ack(&w->q, &w->p, START + to - draw(w, to + 1), &out), 0);
	assert_int_equal(out.bytes, 0);
}

static void
stream_compare(const struct world *w, uint32_t seq, const uint8_t *data, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		assert_int_equal(data[i], w->stream[seq - START + i].value);
}

static void
flying_land(struct world *w, struct flying *f)
{
	uint8_t buf[2000];

	if (!f->hdr)
		return;
	assert_int_equal(f->hdr->pkt_len, 10 + f->len);
	rte_mbuf_sanity_check(f->hdr, 1);
	stream_compare(w, f->seq, rte_pktmbuf_read(f->hdr, 10, f->len, buf), f->len);
	rte_pktmbuf_free(f->hdr);
	f->hdr = NULL;
}

static void
step_attach(struct world *w)
{
	struct flying *f = &w->flying[draw(w, FLYING_MAX)];
	uint32_t i = record_pick(w);
	struct sendq_rec *r;
	int ret;

	flying_land(w, f);
	if (!i)
		return;
	r = sendq_rec(&w->p, i);
	f->hdr = rte_pktmbuf_alloc(w->pool);
	assert_non_null(f->hdr);
	memset(rte_pktmbuf_append(f->hdr, 10), 0xdd, 10);
	if (draw(w, 3) == 0)
		test_pool_fail_after(w->pool, draw(w, 4));
	ret = sendq_attach(r, w->pool, f->hdr, 5);
	test_pool_fail_after(w->pool, TEST_POOL_NEVER);
	if (ret == 0) {
		f->seq = r->seq;
		f->len = r->len;
		assert_true(f->hdr->nb_segs <= 5);
		return;
	}
	assert_true(ret == -ENOBUFS || ret == -E2BIG);
	assert_int_equal(f->hdr->nb_segs, 1);
	assert_int_equal(f->hdr->pkt_len, 10);
	assert_null(f->hdr->next);
	rte_pktmbuf_free(f->hdr);
	f->hdr = NULL;
}

static void
world_compare(struct world *w)
{
	static uint8_t buf[UINT16_MAX];
	uint32_t i = record_pick(w);

	sendq_check(&w->q, &w->p);
	assert_int_equal(w->q.una, START + w->una);
	assert_int_equal(w->q.nxt, START + w->nxt);
	assert_int_equal(sendq_bytes(&w->q), w->end - w->una);
	assert_int_equal(sendq_unsent(&w->q), w->end - w->nxt);
	assert_int_equal(sendq_flight(&w->q), w->nxt - w->una);
	assert_int_equal(sendq_is_empty(&w->q), w->end == w->una);
	if (!i)
		return;
	sendq_copy(&w->q, sendq_rec(&w->p, i), buf);
	stream_compare(w, sendq_rec(&w->p, i)->seq, buf, sendq_rec(&w->p, i)->len);
}

static void
run_steps(uint64_t seed)
{

	static void (*const steps[])(struct world *) = {step_append, step_write, step_next,
			step_next, step_next, step_next, step_mark, step_recut, step_merge,
			step_ack, step_attach};
	struct world w;
	uint32_t i;

	world_make(&w, seed, RECORDS);
	for (i = 0; i < STEPS && w.end < STREAM_MAX - 3000; i++) {
		uint32_t pick = draw(&w, PMTCP_ARRAY_SIZE(steps));

		/* Keep the queue near a window's size. */
		if (pick < 2 && w.end - w.una > 8000)
			pick = 9;
		w.now_us += draw(&w, 50);
		steps[pick](&w);
		world_compare(&w);
	}
	assert_true(w.end > 20000); /* passed 2^32 */
	sendq_fini(&w.q, &w.p);
	for (i = 0; i < FLYING_MAX; i++)
		flying_land(&w, &w.flying[i]);
	world_end(&w);
}

static void
sendq_random_steps_match_model(void **state)
{
	uint64_t seed;

	(void)state;
	print_message("seeds 1 to 40\n");
	for (seed = 1; seed <= 40; seed++)
		run_steps(seed);
}

static void
res_6_undo_restores_the_queue(void **state)
{
	struct world w;
	struct sendq before;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	sendq_append(&w.q, mbuf_new(&w, 300));
	for (i = 0; i < 3; i++) {
		before = w.q;
		assert_true(sendq_next(&w.q, &w.p, 100, 7) != 0);
		sendq_undo_last(&w.q, &w.p);
		before.before = w.q.before;
		before.can_undo = 0;
		assert_memory_equal(&before, &w.q, sizeof(before));
		sendq_check(&w.q, &w.p);
		assert_true(sendq_next(&w.q, &w.p, 100, 7) != 0);
	}
	/* All sent, something queued behind, then undone: the cut moves back. */
	sendq_append(&w.q, mbuf_new(&w, 50));
	sendq_undo_last(&w.q, &w.p);
	sendq_check(&w.q, &w.p);
	assert_int_equal(sendq_unsent(&w.q), 150);
	world_end(&w);
}

static void
sendq_next_without_record_sends_nothing(void **state)
{
	struct world w;

	(void)state;
	world_make(&w, 1, 1);
	sendq_append(&w.q, mbuf_new(&w, 300));
	assert_true(sendq_next(&w.q, &w.p, 100, 7) != 0);
	assert_int_equal(sendq_next(&w.q, &w.p, 100, 7), 0);
	assert_int_equal(sendq_unsent(&w.q), 200);
	sendq_check(&w.q, &w.p);
	world_end(&w);
}

static void
sendq_small_writes_share_an_mbuf(void **state)
{
	struct world w;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	for (i = 0; i < 512; i++) {
		uint8_t b = octet_new(&w);

		assert_int_equal(sendq_write(&w.q, w.pool, &b, 1), 1);
		if (i % 100 == 0)
			assert_true(sendq_next(&w.q, &w.p, 1000, 7) != 0);
		sendq_check(&w.q, &w.p);
	}
	assert_int_equal(test_pool_live(w.pool), 1);
	world_end(&w);
}

/* The tail room of an application's mbuf is not ours; nor is our own once a clone of
 * it is in flight. */
static void
sendq_write_leaves_foreign_mbufs_alone(void **state)
{
	struct world w;
	struct rte_mbuf *hdr;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	sendq_append(&w.q, mbuf_new(&w, 10));
	assert_int_equal(sendq_write(&w.q, w.pool, "abc", 3), 3);
	assert_int_equal(w.q.n_mbufs, 2);
	i = sendq_next(&w.q, &w.p, 100, 7);
	hdr = rte_pktmbuf_alloc(w.pool);
	assert_int_equal(sendq_attach(sendq_rec(&w.p, i), w.pool, hdr, 8), 0);
	assert_int_equal(sendq_write(&w.q, w.pool, "def", 3), 3);
	assert_int_equal(w.q.n_mbufs, 3);
	sendq_check(&w.q, &w.p);
	rte_pktmbuf_free(hdr);
	assert_int_equal(sendq_write(&w.q, w.pool, "ghi", 3), 3);
	assert_int_equal(w.q.n_mbufs, 3);
	world_end(&w);
}

static void
sendq_write_with_dry_pool_takes_a_part(void **state)
{
	static const uint8_t buf[2000];
	struct world w;

	(void)state;
	world_make(&w, 1, RECORDS);
	test_pool_fail_after(w.pool, 2);
	assert_int_equal(sendq_write(&w.q, w.pool, buf, sizeof(buf)), 1024);
	assert_int_equal(sendq_write(&w.q, w.pool, buf, sizeof(buf)), 0);
	test_pool_fail_after(w.pool, TEST_POOL_NEVER);
	assert_int_equal(sendq_bytes(&w.q), 1024);
	sendq_check(&w.q, &w.p);
	world_end(&w);
}

static void
sendq_empty_segments_of_a_chain_are_freed(void **state)
{
	struct world w;
	struct rte_mbuf *m;

	(void)state;
	world_make(&w, 1, RECORDS);
	m = mbuf_new(&w, 0);
	assert_int_equal(rte_pktmbuf_chain(m, mbuf_new(&w, 5)), 0);
	assert_int_equal(rte_pktmbuf_chain(m, mbuf_new(&w, 0)), 0);
	sendq_append(&w.q, m);
	assert_int_equal(test_pool_live(w.pool), 1);
	assert_int_equal(sendq_bytes(&w.q), 5);
	sendq_check(&w.q, &w.p);
	world_end(&w);
}

static void
sendq_ack_frees_mbufs_as_they_are_passed(void **state)
{
	struct world w;
	struct sendq_ack out;

	(void)state;
	world_make(&w, 1, RECORDS);
	sendq_append(&w.q, mbuf_new(&w, 100));
	sendq_append(&w.q, mbuf_new(&w, 100));
	assert_true(sendq_next(&w.q, &w.p, 200, 7) != 0);
	assert_int_equal(sendq_ack(&w.q, &w.p, START + 99, &out), 99);
	assert_int_equal(test_pool_live(w.pool), 2);
	assert_int_equal(sendq_rec(&w.p, sendq_first(&w.q))->len, 101);
	assert_int_equal(sendq_ack(&w.q, &w.p, START + 100, &out), 1);
	assert_int_equal(test_pool_live(w.pool), 1);
	assert_int_equal(sendq_ack(&w.q, &w.p, START + 200, &out), 100);
	assert_int_equal(test_pool_live(w.pool), 0);
	assert_int_equal(w.p.in_use, 0);
	sendq_check(&w.q, &w.p);
	world_end(&w);
}

/* Karn: a segment sent twice gives no sample, and says that it was there. */
static void
data_31_retransmitted_segment_gives_no_sample(void **state)
{
	struct world w;
	struct sendq_ack out;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	sendq_append(&w.q, mbuf_new(&w, 300));
	i = sendq_next(&w.q, &w.p, 100, 10);
	assert_true(sendq_next(&w.q, &w.p, 100, 20) != 0);
	assert_true(sendq_next(&w.q, &w.p, 100, 30) != 0);
	sendq_rec(&w.p, i)->flags |= SENDQ_REXMT;
	sendq_ack(&w.q, &w.p, START + 100, &out);
	assert_false(out.has_sample);
	assert_true(out.has_rexmt);
	sendq_ack(&w.q, &w.p, START + 300, &out);
	assert_true(out.has_sample);
	assert_false(out.has_rexmt);
	assert_int_equal(out.sent_us, 30);
	world_end(&w);
}

static void
data_45_recut_gives_pieces_of_the_new_mss(void **state)
{
	static const uint16_t want[] = {200, 200, 100};
	uint8_t buf[200];
	struct world w;
	uint32_t i;
	uint32_t k;

	(void)state;
	world_make(&w, 1, RECORDS);
	sendq_append(&w.q, mbuf_new(&w, 250));
	sendq_append(&w.q, mbuf_new(&w, 250));
	i = sendq_next(&w.q, &w.p, 500, 10);
	sendq_rec(&w.p, i)->flags |= SENDQ_FIN | SENDQ_PSH | SENDQ_LOST;
	for (k = 0; k < 3; k++) {
		const struct sendq_rec *r = sendq_rec(&w.p, i);
		uint32_t rest = sendq_recut(&w.q, &w.p, i, 200);

		assert_int_equal(rest != 0, k < 2);
		assert_int_equal(r->len, want[k]);
		assert_int_equal(r->sent_us, 10);
		/* CLOSE-43: FIN and PSH stay with the last octet, LOST is true of all. */
		assert_int_equal(r->flags, SENDQ_LOST | (k == 2 ? SENDQ_FIN | SENDQ_PSH : 0));
		sendq_copy(&w.q, r, buf);
		stream_compare(&w, r->seq, buf, r->len);
		sendq_check(&w.q, &w.p);
		i = rest;
	}
	/* Joined again for a larger MSS. */
	i = sendq_first(&w.q);
	assert_false(sendq_merge(&w.q, &w.p, i, 399));
	assert_true(sendq_merge(&w.q, &w.p, i, 400));
	assert_true(sendq_merge(&w.q, &w.p, i, 500));
	assert_false(sendq_merge(&w.q, &w.p, i, 1000));
	assert_int_equal(sendq_rec(&w.p, i)->flags, SENDQ_LOST | SENDQ_FIN | SENDQ_PSH);
	assert_int_equal(w.p.in_use, 1);
	sendq_check(&w.q, &w.p);
	world_end(&w);
}

static void
sendq_attach_beyond_the_segment_limit_changes_nothing(void **state)
{
	struct world w;
	struct rte_mbuf *hdr;
	uint32_t i;

	(void)state;
	world_make(&w, 1, RECORDS);
	for (i = 0; i < 4; i++)
		sendq_append(&w.q, mbuf_new(&w, 10));
	i = sendq_next(&w.q, &w.p, 100, 10);
	hdr = rte_pktmbuf_alloc(w.pool);
	assert_int_equal(sendq_attach(sendq_rec(&w.p, i), w.pool, hdr, 4), -E2BIG);
	assert_int_equal(test_pool_live(w.pool), 5);
	test_pool_fail_after(w.pool, 3);
	assert_int_equal(sendq_attach(sendq_rec(&w.p, i), w.pool, hdr, 5), -ENOBUFS);
	assert_int_equal(test_pool_live(w.pool), 5);
	test_pool_fail_after(w.pool, 4);
	assert_int_equal(sendq_attach(sendq_rec(&w.p, i), w.pool, hdr, 5), 0);
	assert_int_equal(hdr->nb_segs, 5);
	rte_pktmbuf_free(hdr);
	world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sendq_random_steps_match_model),
			cmocka_unit_test(res_6_undo_restores_the_queue),
			cmocka_unit_test(sendq_next_without_record_sends_nothing),
			cmocka_unit_test(sendq_small_writes_share_an_mbuf),
			cmocka_unit_test(sendq_write_leaves_foreign_mbufs_alone),
			cmocka_unit_test(sendq_write_with_dry_pool_takes_a_part),
			cmocka_unit_test(sendq_empty_segments_of_a_chain_are_freed),
			cmocka_unit_test(sendq_ack_frees_mbufs_as_they_are_passed),
			cmocka_unit_test(data_31_retransmitted_segment_gives_no_sample),
			cmocka_unit_test(data_45_recut_gives_pieces_of_the_new_mss),
			cmocka_unit_test(sendq_attach_beyond_the_segment_limit_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
