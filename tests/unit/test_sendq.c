/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the send queue gives each octet out under its own sequence number, keeps one
 * record per segment through splits, joins and ACKs, and frees each mbuf once.
 * Method: random steps beside the octet model of sendq_world.h; clones stay in
 * flight beyond the ACK; the pool of the tests reports leaks and double frees.
 * Single rows: test_sendq_rows.c. */

#include "sendq_world.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sendq_random_steps_match_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
