/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the send queue meets its single requirements: undo, Karn, re-cut, joins,
 * copies, limits of pools and clones. Method: hand-made queues. The random
 * comparison with a model: test_sendq.c. */

#include "sendq_world.h"

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
	sendq_append(&w.q, mbuf_new(&w, 10));
	assert_int_equal(sendq_write(&w.q, w.pool, "jkl", 3), 3);
	assert_int_equal(w.q.n_mbufs, 5);
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

/* One mbuf and at most one record: the rest is for sendq_fini(). */
static void
sendq_message_is_taken_if_it_is_all(void **state)
{
	struct rte_mbuf *m;
	struct world w;

	(void)state;
	world_make(&w, 1, RECORDS);
	assert_null(sendq_take_message(&w.q, &w.p));
	m = rte_pktmbuf_alloc(w.pool);
	assert_int_equal(sendq_write_into(&w.q, m, "abcdef", 6), 6);
	sendq_check(&w.q, &w.p);
	assert_true(sendq_next(&w.q, &w.p, 3, 7) != 0);
	assert_true(sendq_next(&w.q, &w.p, 3, 7) != 0);
	assert_null(sendq_take_message(&w.q, &w.p));
	sendq_fini(&w.q, &w.p);
	assert_int_equal(test_pool_live(w.pool), 0);

	m = rte_pktmbuf_alloc(w.pool);
	assert_int_equal(sendq_write_into(&w.q, m, "abcdef", 6), 6);
	assert_true(sendq_next(&w.q, &w.p, 6, 7) != 0);
	assert_ptr_equal(sendq_take_message(&w.q, &w.p), m);
	assert_int_equal(w.p.in_use, 0);
	assert_int_equal(rte_pktmbuf_data_len(m), 6);
	assert_memory_equal(rte_pktmbuf_mtod(m, char *), "abcdef", 6);
	rte_pktmbuf_free(m);
	sendq_init(&w.q, 0);
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
	for (i = 0; i < 4; i++) {
		struct rte_mbuf *m = mbuf_new(&w, 10);

		m->ol_flags = RTE_MBUF_F_TX_TCP_CKSUM; /* of another packet's life */
		sendq_append(&w.q, m);
	}
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
	assert_int_equal(hdr->next->ol_flags, RTE_MBUF_F_INDIRECT);
	rte_pktmbuf_free(hdr);
	world_end(&w);
}

/* Joined records keep the newer sending, the older birth, the larger count. */
static void
sendq_merge_joins_records_in_the_same_state_only(void **state)
{
	static const uint8_t marks[] = {SENDQ_SACKED, SENDQ_LOST, SENDQ_REXMT};
	struct world w;
	uint32_t i;
	uint32_t k;

	(void)state;
	world_make(&w, 1, RECORDS);
	sendq_append(&w.q, mbuf_new(&w, 300));
	i = sendq_next(&w.q, &w.p, 100, 10);
	k = sendq_next(&w.q, &w.p, 100, 20);
	for (uint32_t n = 0; n < PMTCP_ARRAY_SIZE(marks); n++) {
		sendq_rec(&w.p, k)->flags = marks[n];
		assert_false(sendq_merge(&w.q, &w.p, i, 1000));
		sendq_rec(&w.p, i)->flags ^= sendq_rec(&w.p, k)->flags;
		sendq_rec(&w.p, k)->flags = 0;
		assert_false(sendq_merge(&w.q, &w.p, i, 1000));
		sendq_rec(&w.p, i)->flags = 0;
	}
	sendq_rec(&w.p, k)->segs = 3;
	assert_true(sendq_merge(&w.q, &w.p, i, 1000));
	assert_int_equal(sendq_rec(&w.p, i)->sent_us, 20);
	assert_int_equal(sendq_rec(&w.p, i)->first_us, 10);
	assert_int_equal(sendq_rec(&w.p, i)->segs, 4);
	assert_int_equal(w.q.n_recs, 1);
	/* The same with the first one sent again later. */
	sendq_rec(&w.p, i)->sent_us = 40;
	assert_true(sendq_next(&w.q, &w.p, 100, 30) != 0);
	assert_true(sendq_merge(&w.q, &w.p, i, 1000));
	assert_int_equal(sendq_rec(&w.p, i)->sent_us, 40);
	assert_int_equal(sendq_rec(&w.p, i)->segs, 5);
	/* Cut apart, the pieces stand for as many. */
	k = sendq_recut(&w.q, &w.p, i, 100);
	assert_int_equal(sendq_rec(&w.p, i)->segs, 1);
	assert_int_equal(sendq_rec(&w.p, k)->segs, 4);
	/* What 8 bits cannot count stays apart. */
	sendq_rec(&w.p, i)->segs = 252;
	assert_false(sendq_merge(&w.q, &w.p, i, 1000));
	sendq_rec(&w.p, i)->segs = 251;
	assert_true(sendq_merge(&w.q, &w.p, i, 1000));
	sendq_check(&w.q, &w.p);
	world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_6_undo_restores_the_queue),
			cmocka_unit_test(sendq_next_without_record_sends_nothing),
			cmocka_unit_test(sendq_small_writes_share_an_mbuf),
			cmocka_unit_test(sendq_write_leaves_foreign_mbufs_alone),
			cmocka_unit_test(sendq_write_with_dry_pool_takes_a_part),
			cmocka_unit_test(sendq_message_is_taken_if_it_is_all),
			cmocka_unit_test(sendq_empty_segments_of_a_chain_are_freed),
			cmocka_unit_test(sendq_ack_frees_mbufs_as_they_are_passed),
			cmocka_unit_test(data_31_retransmitted_segment_gives_no_sample),
			cmocka_unit_test(data_45_recut_gives_pieces_of_the_new_mss),
			cmocka_unit_test(sendq_attach_beyond_the_segment_limit_changes_nothing),
			cmocka_unit_test(sendq_merge_joins_records_in_the_same_state_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
