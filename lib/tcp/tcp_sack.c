/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The sender's scoreboard (RFC 2018, 2883, 6675; DATA-36): marks on the records of the send
 * queue, and two sums of octets, so that pipe is a subtraction.
 *
 * A mark never splits a record: a block counts for the segments it covers whole. Records
 * side by side that are SACKed become one, as long as 16 bits hold the length, so that a
 * walk passes a run in a few steps. What a peer can make one ACK cost is bounded all the same
 * (SEC-14, CVE-2019-11477): walks end after some records and go on at the next ACK. */

#include "tcp/tcp_recovery.h"

#include "wire/wire_opt.h"

enum {
	BLOCK_VISITS = 256, /* records looked at for the blocks of one ACK */
	LOST_VISITS = 256,  /* and for one to send again */
};

/* One of the records goes, or becomes part of `to` (0: none). */
static void
cursors_move(struct tcp_tx *tx, uint32_t from, uint32_t to)
{
	if (tx->sack_rec == from)
		tx->sack_rec = to;
	if (tx->judge_rec == from)
		tx->judge_rec = to;
	if (tx->rexmt_rec == from)
		tx->rexmt_rec = to;
}

static bool
is_rexmt(const struct sendq_rec *r)
{
	return (r->flags & SENDQ_REXMT) != 0;
}

/* The peer's timestamp echo is older than this sending: an earlier one was delivered. */
static bool
is_echo_before(const struct tcp *t, const struct tcb *c, const struct seg *seg, uint32_t sent_us)
{
	uint64_t sent_ms = (t->now_ns / 1000 - (t->now_us - sent_us)) / 1000;

	return tcb_has(c, TCB_TS) && (seg->opts & SEG_OPT_TS) &&
	       seq_lt(seg->tsecr, (uint32_t)sent_ms + c->ts_offset);
}

/* Octets up to `end` of a record were delivered. */
static void
delivered(struct tcp *t, struct tcp_tx *tx, const struct sendq_rec *r, struct rack_seg *seg,
		struct tcp_news *news)
{
	seg->sent_us = r->sent_us;
	seg->is_rexmt = is_rexmt(r);
	rack_delivered(&tx->rack, t->now_us, seg);
	news->delivered += seg->end - r->seq;
	/* DATA-42: F-RTO's question (RFC 5682 3.1). */
	if (!seg->is_rexmt && seq_leq(seg->end, tx->cc.recover))
		news->has_original = true;
}

void
tcp_sack_acking(struct tcp *t, struct tcb *c, const struct seg *seg, uint32_t una,
		struct tcp_news *news)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	uint32_t index = sendq_first(&tx->q);

	while (index) {
		struct sendq_rec *r = sendq_rec(&t->recs, index);
		uint32_t n = min_u32(una - r->seq, r->len);
		struct rack_seg rs = {.end = r->seq + n};

		if (seq_leq(una, r->seq))
			break;
		if (r->flags & SENDQ_SACKED) {
			tx->sacked -= n;
		} else {
			/* RFC 8985 6.2 step 2, where the echo is of what filled the hole. */
			rs.is_original = is_rexmt(r) && is_echo_before(t, c, seg, r->sent_us);
			delivered(t, tx, r, &rs, news);
			tx->lost -= r->flags & SENDQ_LOST ? n : 0;
		}
		if (n == r->len)
			cursors_move(tx, index, 0);
		index = r->next;
	}
	if (tx->sacked == 0)
		tx->rack.n_sacked = 0;
}

/* The peer holds this segment. */
static void
mark_sacked(struct tcp *t, struct tcp_tx *tx, struct sendq_rec *r, struct tcp_news *news)
{
	struct rack_seg rs = {.end = r->seq + r->len};

	delivered(t, tx, r, &rs, news);
	if (seq_gt(rs.end, tx->cc.recover))
		news->is_above = true;
	if (r->flags & SENDQ_LOST)
		tx->lost -= r->len;
	tx->sacked += r->len;
	if (tx->rack.n_sacked < UINT8_MAX)
		tx->rack.n_sacked++;
	/* How often it was sent is of no interest any more, and must not keep runs apart. */
	r->flags = (uint8_t)((r->flags & ~(SENDQ_LOST | SENDQ_REXMT)) | SENDQ_SACKED);
}

/* Where to begin looking for an octet. */
static uint32_t
walk_start(const struct tcp *t, const struct tcp_tx *tx, uint32_t seq)
{
	if (tx->sack_rec && seq_leq(sendq_rec(&t->recs, tx->sack_rec)->seq, seq))
		return tx->sack_rec;
	return sendq_first(&tx->q);
}

/* Joins the record with the one before it if both are SACKed. */
static bool
join_run(struct tcp *t, struct tcp_tx *tx, uint32_t before, uint32_t index)
{
	if (!before || !(sendq_rec(&t->recs, before)->flags & SENDQ_SACKED) ||
			!(sendq_rec(&t->recs, index)->flags & SENDQ_SACKED) ||
			!sendq_merge(&tx->q, &t->recs, before, UINT16_MAX))
		return false;
	cursors_move(tx, index, before);
	return true;
}

/* Marks the segments that [left, right) covers whole; the record where it ended. */
static uint32_t
mark_block(struct tcp *t, struct tcp_tx *tx, const uint32_t edge[2], uint32_t *visits,
		struct tcp_news *news)
{
	uint32_t index = walk_start(t, tx, edge[0]);
	uint32_t before = 0;

	while (index && *visits > 0) {
		struct sendq_rec *r = sendq_rec(&t->recs, index);

		if (seq_geq(r->seq, edge[1]))
			break;
		--*visits;
		if (!(r->flags & SENDQ_SACKED) && seq_geq(r->seq, edge[0]) &&
				seq_leq(r->seq + r->len, edge[1]))
			mark_sacked(t, tx, r, news);
		if (!join_run(t, tx, before, index))
			before = index;
		index = sendq_rec(&t->recs, before)->next;
	}
	return before;
}

/* RFC 2883 section 4: the first block reports a duplicate if it lies below the ACK, or
 * within the second block. Absurdly old ones say nothing. */
static bool
is_dsack(const struct seg *seg, const uint32_t edge[2])
{
	uint32_t outer[2];

	if (seq_geq(edge[0], edge[1]) || edge[1] - edge[0] > TCP_BUFFER_MAX)
		return false;
	if (seq_leq(edge[1], seg->ack))
		return seg->ack - edge[0] <= TCP_BUFFER_MAX;
	return wire_sack_block(seg->m, seg, 1, &outer[0], &outer[1]) &&
	       seq_geq(edge[0], outer[0]) && seq_leq(edge[1], outer[1]);
}

void
tcp_sack_blocks(struct tcp *t, struct tcb *c, const struct seg *seg, struct tcp_news *news)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	uint32_t visits = BLOCK_VISITS;
	bool is_newest = true;
	uint32_t edge[2];

	for (uint8_t i = 0; wire_sack_block(seg->m, seg, i, &edge[0], &edge[1]); i++) {
		uint32_t at;

		if (i == 0 && is_dsack(seg, edge)) {
			news->has_dsack = true;
			news->dsack_left = edge[0];
			news->dsack_right = edge[1];
			continue;
		}
		/* DATA-36: above UNA, which the peer would have acknowledged, up to SND.MAX. */
		if (seq_leq(edge[0], c->snd.una) || seq_geq(edge[0], edge[1]) ||
				seq_gt(edge[1], c->snd.nxt)) {
			tcp_count(t, PMTCP_C_sack_ignored);
			continue;
		}
		tcp_count(t, PMTCP_C_sack_taken);
		/* The FIN's number is no octet of the queue (CLOSE-43). */
		edge[1] = seq_min(edge[1], tx->q.nxt);
		at = mark_block(t, tx, edge, &visits, news);
		if (is_newest)
			tx->sack_rec = at;
		is_newest = false;
	}
	t->counter[PMTCP_C_sack_walked] += BLOCK_VISITS - visits;
}

void
tcp_sack_mark_lost(struct tcp *t, struct tcp_tx *tx, uint32_t index)
{
	struct sendq_rec *r = sendq_rec(&t->recs, index);

	ASSERT(!(r->flags & (SENDQ_LOST | SENDQ_SACKED)));
	r->flags |= SENDQ_LOST;
	tx->lost += r->len;
	if (!tx->rexmt_rec || seq_lt(r->seq, sendq_rec(&t->recs, tx->rexmt_rec)->seq))
		tx->rexmt_rec = index;
}

/* RFC 8985 6.3: the first, and what was sent longer ago than RACK would wait. */
static bool
is_timed_out(const struct tcp *t, const struct tcb *c, const struct tcp_tx *tx,
		const struct sendq_rec *r)
{
	uint32_t wait_us = tx->rack.rtt_us + rack_reo_wnd_us(&tx->rack, rtt_srtt_us(&c->rtt), true);

	return r->seq == tx->q.una || tx->rack.rtt_us == 0 ||
	       seq_leq(r->sent_us + wait_us, t->now_us);
}

void
tcp_sack_mark_timeout(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	uint32_t index = sendq_first(&tx->q);
	bool is_reneged = index && (sendq_rec(&t->recs, index)->flags & SENDQ_SACKED);

	/* DATA-38 (RFC 2018 section 8): it SACKed what it does not acknowledge. */
	if (is_reneged) {
		tcp_count(t, PMTCP_C_sack_reneged);
		tx->sacked = 0;
		tx->rack.n_sacked = 0;
		tx->sack_rec = 0;
	}
	/* Once per timeout, so not at the peer's pace. */
	for (; index; index = sendq_rec(&t->recs, index)->next) {
		struct sendq_rec *r = sendq_rec(&t->recs, index);

		if (is_reneged)
			r->flags &= (uint8_t)~SENDQ_SACKED;
		if (!(r->flags & (SENDQ_SACKED | SENDQ_LOST)) && is_timed_out(t, c, tx, r))
			tcp_sack_mark_lost(t, tx, index);
	}
	tx->rexmt_rec = 0;
}

void
tcp_sack_unmark_lost(struct tcp *t, struct tcp_tx *tx, uint32_t visits_max)
{
	uint32_t index = sendq_first(&tx->q);

	for (uint32_t i = 0; index && tx->lost > 0 && i < visits_max; i++) {
		struct sendq_rec *r = sendq_rec(&t->recs, index);

		if (r->flags & SENDQ_LOST)
			tx->lost -= r->len;
		r->flags &= (uint8_t)~SENDQ_LOST;
		index = r->next;
	}
}

uint32_t
tcp_sack_next_lost(struct tcp *t, struct tcp_tx *tx)
{
	uint32_t index = tx->rexmt_rec ? tx->rexmt_rec : sendq_first(&tx->q);
	uint32_t i;

	for (i = 0; index && i < LOST_VISITS; i++) {
		struct sendq_rec *r = sendq_rec(&t->recs, index);

		if (r->flags & SENDQ_LOST)
			break;
		index = r->next;
	}
	t->counter[PMTCP_C_sack_walked] += i;
	tx->rexmt_rec = index;
	return i < LOST_VISITS ? index : 0;
}

void
tcp_sack_check(const struct tcp *t, const struct tcp_tx *tx)
{
	uint32_t cursors = tx->sack_rec | tx->judge_rec;
	uint32_t sacked = 0, lost = 0, found = 0;
	uint32_t index;

	for (index = sendq_first(&tx->q); index; index = sendq_rec(&t->recs, index)->next) {
		const struct sendq_rec *r = sendq_rec(&t->recs, index);

		CHECK((r->flags & (SENDQ_SACKED | SENDQ_LOST)) != (SENDQ_SACKED | SENDQ_LOST));
		sacked += r->flags & SENDQ_SACKED ? r->len : 0;
		lost += r->flags & SENDQ_LOST ? r->len : 0;
		found |= index == tx->sack_rec ? 1 : 0;
		found |= index == tx->judge_rec ? 2 : 0;
		found |= index == tx->rexmt_rec ? 4 : 0;
	}
	CHECK(sacked == tx->sacked);
	CHECK(lost == tx->lost);
	CHECK(!tx->sack_rec || (found & 1));
	CHECK(!tx->judge_rec || (found & 2));
	CHECK(!tx->rexmt_rec || (found & 4) || (cursors | sacked | lost) == 0);
}
