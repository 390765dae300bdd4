/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The sender's scoreboard (RFC 2018, 2883, 6675; DATA-36): marks on the records of the send
 * queue, and two sums of octets, so that pipe is a subtraction.
 *
 * A mark never splits a record: a block counts for the segments it covers whole. Records
 * side by side that are SACKed become one, as long as 16 bits hold the length, so that a
 * walk passes a run in a few steps. What a peer can make an ACK cost is bounded all the same
 * (SEC-14, CVE-2019-11477). A visit is either news - the record is marked, or joined to its
 * neighbour - which each one is but once per sending, or idle. Of idle ones an ACK has a
 * few, and beyond these one for each record delivered before; so the sum grows with the
 * ACKs and the segments, whatever the blocks say. A walk that ends early goes on at the
 * next ACK. */

#include "tcp/tcp_recovery.h"

#include "wire/wire_opt.h"

enum {
	BLOCK_VISITS = 128, /* records looked at for the blocks of one ACK ... */
	BLOCK_IDLE = 16,    /* ... of which in vain, and without credit */
	UNMARK_IDLE = 64,   /* in vain, to take back the marks of a spurious recovery */
};

/* What is left for the blocks of one ACK. */
struct walk {
	uint32_t visits;
	uint32_t idle;
	uint32_t n_new; /* segments marked so far */
};

/* One of the records goes, or becomes part of `to` (0: none). */
static void
cursors_move(struct tcp_tx *tx, uint32_t from, uint32_t to)
{
	for (int i = 0; i < 2; i++)
		if (tx->sack_rec[i] == from)
			tx->sack_rec[i] = to;
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
	rack_delivered(&tx->rack, &news->rack, t->now_us, seg);
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
		if (n == r->len) {
			if (r->flags & SENDQ_SACKED)
				rack_sacked_gone(&tx->rack, r->segs);
			cursors_move(tx, index, 0);
		}
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
	rack_sacked(&tx->rack, r->segs);
	/* How often it was sent is of no interest any more, and must not keep runs apart. */
	r->flags = (uint8_t)((r->flags & ~(SENDQ_LOST | SENDQ_REXMT)) | SENDQ_SACKED);
}

/* Where to begin looking for an octet. */
static uint32_t
walk_start(const struct tcp *t, const struct tcp_tx *tx, uint32_t seq)
{
	uint32_t start = sendq_first(&tx->q);
	uint32_t best = tx->q.una;

	for (int i = 0; i < 2; i++) {
		uint32_t at = tx->sack_rec[i] ? sendq_rec(&t->recs, tx->sack_rec[i])->seq : best;

		if (seq_gt(at, best) && seq_leq(at, seq)) {
			start = tx->sack_rec[i];
			best = at;
		}
	}
	return start;
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
mark_block(struct tcp *t, struct tcp_tx *tx, const uint32_t edge[2], struct walk *walk,
		struct tcp_news *news)
{
	uint32_t index = walk_start(t, tx, edge[0]);
	uint32_t before = 0;

	while (index && walk->visits > 0 && walk->idle > 0) {
		struct sendq_rec *r = sendq_rec(&t->recs, index);
		bool is_new = !(r->flags & SENDQ_SACKED) && seq_geq(r->seq, edge[0]) &&
			      seq_leq(r->seq + r->len, edge[1]);

		if (seq_geq(r->seq, edge[1]))
			break;
		walk->visits--;
		if (is_new) {
			mark_sacked(t, tx, r, news);
			walk->n_new += r->segs;
		}
		if (join_run(t, tx, before, index))
			is_new = true;
		else
			before = index;
		walk->idle -= !is_new;
		index = sendq_rec(&t->recs, before)->next;
	}
	return before;
}

/* The walk for the newest block ended there. A new island in the flight is not far from
 * the last one, and the next block repeats that. */
static void
cursor_put(struct tcp_tx *tx, uint32_t at)
{
	if (!at || at == tx->sack_rec[0])
		return;
	tx->sack_rec[1] = tx->sack_rec[0];
	tx->sack_rec[0] = at;
}

/* DATA-36: above UNA, which the peer would have acknowledged, up to SND.MAX. */
static bool
is_in_flight(const struct tcb *c, const uint32_t edge[2])
{
	return seq_gt(edge[0], c->snd.una) && seq_lt(edge[0], edge[1]) &&
	       seq_leq(edge[1], c->snd.nxt);
}

/* What the walks for one ACK took beyond its share comes off the credit; what they marked
 * is paid for like what is acknowledged. */
static void
credit_settle(struct tcp *t, struct tcp_tx *tx, const struct walk *walk)
{
	uint32_t idle = BLOCK_IDLE + CREDIT_VISITS * tx->credit - walk->idle;

	if (idle > BLOCK_IDLE)
		tx->credit -= (uint8_t)((idle - BLOCK_IDLE + CREDIT_VISITS - 1) / CREDIT_VISITS);
	tcp_sack_credit(tx, walk->n_new);
	t->counter[PMTCP_C_sack_walked] += BLOCK_VISITS - walk->visits;
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
	struct walk walk = {
			.visits = BLOCK_VISITS, .idle = BLOCK_IDLE + CREDIT_VISITS * tx->credit};
	bool is_newest = true;
	uint32_t edge[2];

	/* Left over from an earlier episode; while all was calm nobody kept it up. */
	if (tx->lost == 0)
		tx->rexmt_rec = 0;
	for (uint8_t i = 0; wire_sack_block(seg->m, seg, i, &edge[0], &edge[1]); i++) {
		uint32_t n_new = walk.n_new;
		uint32_t at;

		if (i == 0 && is_dsack(seg, edge)) {
			news->has_dsack = true;
			news->dsack_left = edge[0];
			news->dsack_right = edge[1];
			continue;
		}
		if (!is_in_flight(c, edge)) {
			tcp_count(t, PMTCP_C_sack_ignored);
			continue;
		}
		tcp_count(t, PMTCP_C_sack_taken);
		/* The FIN's number is no octet of the queue (CLOSE-43). */
		edge[1] = seq_min(edge[1], tx->q.nxt);
		at = mark_block(t, tx, edge, &walk, news);
		if (is_newest)
			cursor_put(tx, at);
		/* What follows was reported longer ago (RFC 2018 section 4): with the same ACK
		 * as this one, which came if this one is known. */
		else if (walk.n_new == n_new)
			break;
		is_newest = false;
	}
	credit_settle(t, tx, &walk);
}

void
tcp_sack_mark_lost(struct tcp *t, struct tcp_tx *tx, uint32_t index)
{
	struct sendq_rec *r = sendq_rec(&t->recs, index);

	ASSERT(!(r->flags & (SENDQ_LOST | SENDQ_SACKED)));
	r->flags |= SENDQ_LOST;
	tx->lost += r->len;
	/* Before the first mark the cursor may be left over from earlier. Without one the walk
	 * begins at the head, where after a timeout others are marked: that must stay. */
	if (tx->lost == r->len ||
			(tx->rexmt_rec && seq_lt(r->seq, sendq_rec(&t->recs, tx->rexmt_rec)->seq)))
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

/* Once per timeout, so not at the peer's pace, and TCP_SEGS_MAX at most, as below. */
void
tcp_sack_renege(struct tcp *t, struct tcp_tx *tx)
{
	uint32_t index = sendq_first(&tx->q);

	tcp_count(t, PMTCP_C_sack_reneged);
	tx->sacked = 0;
	tx->rack.n_sacked = 0;
	tx->sack_rec[0] = tx->sack_rec[1] = 0;
	for (; index; index = sendq_rec(&t->recs, index)->next) {
		sendq_rec(&t->recs, index)->flags &= (uint8_t)~SENDQ_SACKED;
		t->counter[PMTCP_C_sack_walked]++;
	}
}

void
tcp_sack_mark_timeout(struct tcp *t, struct tcb *c, struct tcp_tx *tx)
{
	uint32_t index = sendq_first(&tx->q);
	bool is_reneged = index && (sendq_rec(&t->recs, index)->flags & SENDQ_SACKED);

	if (is_reneged)
		tcp_sack_renege(t, tx);
	for (; index; index = sendq_rec(&t->recs, index)->next) {
		struct sendq_rec *r = sendq_rec(&t->recs, index);

		t->counter[PMTCP_C_sack_walked]++;
		if (!(r->flags & (SENDQ_SACKED | SENDQ_LOST)) && is_timed_out(t, c, tx, r))
			tcp_sack_mark_lost(t, tx, index);
	}
	tx->rexmt_rec = 0;
}

void
tcp_sack_unmark_lost(struct tcp *t, struct tcp_tx *tx)
{
	uint32_t index = tx->rexmt_rec ? tx->rexmt_rec : sendq_first(&tx->q);

	/* What is left goes again: a waste, and no more. */
	for (uint32_t idle = 0; index && tx->lost > 0 && idle < UNMARK_IDLE;) {
		struct sendq_rec *r = sendq_rec(&t->recs, index);

		if (r->flags & SENDQ_LOST)
			tx->lost -= r->len;
		else
			idle++;
		r->flags &= (uint8_t)~SENDQ_LOST;
		t->counter[PMTCP_C_sack_walked]++;
		index = r->next;
	}
	tx->rexmt_rec = index;
}

uint32_t
tcp_sack_next_lost(struct tcp *t, struct tcp_tx *tx, uint32_t *visits)
{
	uint32_t index = tx->rexmt_rec ? tx->rexmt_rec : sendq_first(&tx->q);

	while (index && !(sendq_rec(&t->recs, index)->flags & SENDQ_LOST) && *visits > 0) {
		index = sendq_rec(&t->recs, index)->next;
		--*visits;
		t->counter[PMTCP_C_sack_walked]++;
	}
	tx->rexmt_rec = index;
	if (!index || !(sendq_rec(&t->recs, index)->flags & SENDQ_LOST))
		return 0;
	return index;
}

void
tcp_sack_check(const struct tcp *t, const struct tcp_tx *tx)
{
	uint32_t cursors = tx->sack_rec[0] | tx->sack_rec[1] | tx->judge_rec;
	uint32_t sacked = 0, lost = 0, segs = 0, found = 0;
	uint32_t index;

	for (index = sendq_first(&tx->q); index; index = sendq_rec(&t->recs, index)->next) {
		const struct sendq_rec *r = sendq_rec(&t->recs, index);

		CHECK((r->flags & (SENDQ_SACKED | SENDQ_LOST)) != (SENDQ_SACKED | SENDQ_LOST));
		sacked += r->flags & SENDQ_SACKED ? r->len : 0;
		lost += r->flags & SENDQ_LOST ? r->len : 0;
		segs += r->flags & SENDQ_SACKED ? r->segs : 0;
		found |= index == tx->sack_rec[0] ? 1 : 0;
		found |= index == tx->sack_rec[1] ? 8 : 0;
		found |= index == tx->judge_rec ? 2 : 0;
		found |= index == tx->rexmt_rec ? 4 : 0;
		CHECK(!(r->flags & SENDQ_LOST) || !tx->rexmt_rec || (found & 4));
	}
	CHECK(sacked == tx->sacked);
	CHECK(lost == tx->lost);
	CHECK(tx->rack.n_sacked == min_u32(segs, RACK_SACKED_MAX));
	CHECK(!tx->sack_rec[0] || (found & 1));
	CHECK(!tx->sack_rec[1] || (found & 8));
	CHECK(!tx->judge_rec || (found & 2));
	CHECK(!tx->rexmt_rec || (found & 4) || (cursors | sacked | lost) == 0);
}
