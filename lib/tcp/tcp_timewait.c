/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* TIME-WAIT as a 64-byte entry (RFC 9293 3.4.2, 3.6.1; 1337; 6191). It answers a
 * repeated FIN, ignores RST, lets a new incarnation in when that is provably safe,
 * and ends after 2MSL. The application never sees it: its connection is closed. */

#include "tcp/tcp.h"

#include <string.h>

enum {
	EVICT_LOOKS = 16,         /* entries examined for the oldest (TW-14) */
	OLD_ACK_MAX = UINT16_MAX, /* how far below SND.NXT an ACK may lie without question */
	REUSE_AFTER_MS = 1000,    /* TW-12: our timestamp clock has moved for sure */
};

static void
give_back(struct tcp *t, struct time_wait *tw)
{
	if (tw->flags & TW_ACTIVE)
		tcp_port_release(t, &tw->head.key);
	tcp_class_put(t, tw->cls);
	tcp_block_free(t, &tw->head);
}

void
tcp_time_wait_remove(struct tcp *t, struct time_wait *tw, uint64_t hash, enum pmtcp_counter why)
{
	uint32_t index = tcp_index(t, tw);
	bool was_there = flow_table_remove(&t->table, hash, index);

	CHECK(was_there);
	wheel_cancel(&t->wheel, index);
	t->state[TCPS_TIME_WAIT]--;
	tcp_count(t, why);
	give_back(t, tw);
}

/* Those that were not in their first bucket: few. Their blocks are free, but nobody has used them
 * since. */
static PMTCP_NOINLINE void
remove_rest(struct tcp *t, const uint32_t *index, uint32_t n)
{
	uint64_t hash[FLOW_BULK_MAX];

	for (uint32_t i = 0; i < n; i++) {
		hash[i] = tcp_hash(t, &tcp_block(t, index[i])->key);
		flow_table_prefetch_both(&t->table, hash[i]);
	}
	for (uint32_t i = 0; i < n; i++) {
		bool was_there = flow_table_remove(&t->table, hash[i], index[i]);

		CHECK(was_there);
	}
}

/* Each costs a line of the table nearly always, and all of these are cold. They come while the
 * blocks, which the wheel has touched, are given back. */
void
tcp_time_wait_expire(struct tcp *t, const uint32_t *due, uint32_t n)
{
	uint32_t index[FLOW_BULK_MAX];
	uint32_t hash_lo[FLOW_BULK_MAX];
	uint32_t count = 0, left;

	for (uint32_t i = 0; i < n; i++) {
		const struct time_wait *tw = (struct time_wait *)tcp_block(t, due[i]);

		/* A restart by another timer of the batch wins (TW-18). */
		if (is_unlikely(tw->head.kind != BLOCK_TIME_WAIT || tw->head.timer.prev != 0))
			continue;
		hash_lo[count] = tw->hash_lo;
		flow_table_prefetch(&t->table, tw->hash_lo);
		index[count++] = due[i];
	}
	for (uint32_t i = 0; i < count; i++)
		give_back(t, (struct time_wait *)tcp_block(t, index[i]));
	left = flow_table_remove_bulk(&t->table, hash_lo, index, count);
	if (is_unlikely(left != 0))
		remove_rest(t, index, left);
	t->state[TCPS_TIME_WAIT] -= count;
	t->counter[PMTCP_C_tw_expired] += count;
}

/* TW-14: at the cap the entry with the least time left gives way. A hand goes round
 * the share; entries lie there in the order they were made, more or less, so the
 * best of the next few is the oldest or nearly so, in O(1). */
static void
evict_oldest(struct tcp *t)
{
	struct time_wait *oldest = NULL;

	for (uint32_t i = 0; i < min_u32(EVICT_LOOKS, t->time_waits.max); i++) {
		uint32_t at = t->tw_hand + i;
		struct time_wait *tw;

		if (at >= t->time_waits.end)
			at -= t->time_waits.max;
		tw = (struct time_wait *)tcp_block(t, at);
		if (at >= t->time_waits.fresh || tw->head.kind != BLOCK_TIME_WAIT)
			continue;
		if (!oldest || seq_lt(tw->head.timer.tick, oldest->head.timer.tick))
			oldest = tw;
	}
	if (++t->tw_hand >= t->time_waits.end)
		t->tw_hand = t->tw_first;
	if (oldest)
		tcp_time_wait_remove(t, oldest, tcp_hash(t, &oldest->head.key), PMTCP_C_tw_evicted);
}

/* Entries on trial or marked may fill every place that was looked at: go round until
 * one is free. At least one is neither, since parking leaves one (tcp_listen.c). */
static uint32_t
alloc_entry(struct tcp *t)
{
	uint32_t index = slab_alloc(&t->time_waits);

	if (index || t->conf.tw_skip_new)
		return index;
	for (uint32_t i = 0; i < t->time_waits.max && !index; i++) {
		evict_oldest(t);
		index = slab_alloc(&t->time_waits);
	}
	return index;
}

static void
arm(struct tcp *t, struct time_wait *tw, uint32_t ms)
{
	wheel_arm(&t->wheel, tcp_index(t, tw), tcp_tick_in(t, ms), TCP_TW_SLACK_MS);
}

static void
fill_entry(struct tcp *t, struct time_wait *tw, const struct tcb *c)
{
	/* Key and hop, and no mark or timer. */
	memcpy(&tw->head, &c->head, offsetof(struct block_head, mark_next));
	memset(&tw->head.mark_next, 0, sizeof(tw->head) - offsetof(struct block_head, mark_next));
	tw->head.kind = BLOCK_TIME_WAIT;
	tw->head.state = TCPS_TIME_WAIT;
	tw->snd_nxt = c->snd.nxt;
	tw->rcv_nxt = c->rcv.nxt;
	tw->ts_recent = c->ts_recent;
	tw->ts_offset = c->ts_offset;
	tw->entered = t->now_ms;
	/* Rounded up as in every other segment, so that the edge does not move back. */
	tw->window = (uint16_t)min_u32(
			(tcb_rcv_wnd(c) + (1u << tcb_rcv_shift(c)) - 1) >> tcb_rcv_shift(c),
			UINT16_MAX);
	tw->cls = c->cls;
	tw->addr_sum = c->addr_sum;
	tw->challenge_epoch = c->challenge_epoch;
	STATIC_ASSERT((int)TW_ACTIVE == (int)TCB_ACTIVE && (int)TW_TS == (int)TCB_TS);
	tw->flags = c->flags & (TCB_ACTIVE | TCB_TS);
	tw->flags |= tcb_has(c, TCB_CHALLENGED) ? TW_CHALLENGED : 0;
}

/* 2MSL 0, or no room and the newest gives way: CLOSED at once, but the last ACK is
 * still owed. */
static void
skip_entry(struct tcp *t, struct tcb *c, enum pmtcp_reason reason)
{
	bool owes_ack = tcb_has(c, TCB_ACK_DUE | TCB_DELACK);

	tcp_count(t, PMTCP_C_tw_skipped);
	tcp_conn_end(t, c, reason);
	if (owes_ack)
		tcp_owe_ack(t, c);
}

/* TW-1, TW-3, CLOSE-11: the entry takes the connection's place in the table, the tcb
 * goes on only as the application's handle. Cannot fail (RES-11). */
void
tcp_time_wait_enter(struct tcp *t, struct tcb *c, enum pmtcp_reason reason)
{
	uint64_t hash = tcp_hash_at_hand(t, &c->head.key);
	uint32_t ms = tcp_class(t, c)->tw_ms; /* TW-2 */
	uint32_t index = ms ? alloc_entry(t) : 0;
	struct time_wait *tw;
	bool was_there;

	if (!index) {
		skip_entry(t, c, reason);
		return;
	}
	tw = (struct time_wait *)tcp_block(t, index);
	fill_entry(t, tw, c);
	tw->hash_lo = (uint32_t)hash;
	tw->flags |= reason == PMTCP_LOCAL_ABORT ? TW_ABORTED : 0;
	tcp_addr6_copy(t, &tw->head, &c->head);
	t->classes[tw->cls].refs++;
	t->hops[tw->head.hop].refs++;
	was_there = flow_table_replace(&t->table, hash, tcp_index(t, c), index);
	CHECK(was_there);
	wheel_cancel(&t->wheel, tcp_index(t, c));
	arm(t, tw, ms);
	if (tcb_has(c, TCB_ACK_DUE | TCB_DELACK)) {
		tw->flags |= TW_ACK_DUE;
		tcp_mark(t, &tw->head);
	}
	t->state[TCPS_TIME_WAIT]++;
	tcp_count(t, PMTCP_C_tw_entered);
	/* By way of CLOSING or FIN-WAIT-2; then over for the application. */
	tcp_conn_set_state(t, c, TCPS_TIME_WAIT);
	tcp_conn_end(t, c, reason);
	t->tw_peak = max_u32(t->tw_peak, t->state[TCPS_TIME_WAIT]);
}

static void
challenge(struct tcp *t, struct time_wait *tw)
{
	if (!tcp_challenge_allowed(t, &tw->challenge_epoch, tw->flags & TW_CHALLENGED))
		return;
	tw->flags |= TW_CHALLENGED | TW_ACK_DUE;
	tcp_mark(t, &tw->head);
}

/* TW-8, TW-9 (RFC 6191 section 2): is this SYN surely newer than the connection? */
static bool
syn_is_newer(const struct time_wait *tw, const struct seg *seg)
{
	bool is_seq_higher = seq_gt(seg->seq, tw->rcv_nxt - 1);

	if (!(seg->opts & SEG_OPT_TS))
		return is_seq_higher;
	if (!(tw->flags & TW_TS))
		return true;
	return seq_gt(seg->tsval, tw->ts_recent) || (seg->tsval == tw->ts_recent && is_seq_higher);
}

/* TW-8 to TW-11. A SYN-ACK never reopens. */
static void
syn_input(struct tcp *t, struct time_wait *tw, struct seg *seg)
{
	struct pmtcp_listener *l = tcp_listener_find(t, seg);

	if (l && !(seg->flags & (TCP_ACK | TCP_FIN)) && syn_is_newer(tw, seg)) {
		tcp_listen_syn(t, l, seg, tw);
		return;
	}
	challenge(t, tw); /* DEC-4 */
	tcp_drop(t, PMTCP_C_drop_tw_syn);
}

/* TW-4: the peer's FIN again, since our last ACK was lost. Before any window test,
 * which would skip the restart. */
static void
fin_again(struct tcp *t, struct time_wait *tw, const struct seg *seg)
{
	if ((tw->flags & TW_TS) && (seg->opts & SEG_OPT_TS))
		tw->ts_recent = seg->tsval;
	tcp_count(t, PMTCP_C_tw_fin_again);
	tcp_count(t, PMTCP_C_seg_taken);
	tw->flags |= TW_ACK_DUE;
	tcp_mark(t, &tw->head);
	arm(t, tw, t->classes[tw->cls].tw_ms);
}

static void
ack_input(struct tcp *t, struct time_wait *tw, struct seg *seg)
{
	uint32_t len = seg_seq_len(seg);

	/* Above what was sent, or long before it: RFC 5961 5.2. */
	if (tw->snd_nxt - seg->ack > OLD_ACK_MAX) {
		challenge(t, tw);
		tcp_drop(t, PMTCP_C_drop_ack);
	} else if (seg->seq + len == tw->rcv_nxt && (seg->flags & TCP_FIN)) {
		fin_again(t, tw, seg);
	} else if (len == 0 && seq_in_window(seg->seq, tw->rcv_nxt, max_u32(tw->window, 1))) {
		tcp_count(t, PMTCP_C_seg_taken); /* TW-6: nothing to say */
	} else {
		challenge(t, tw);
		tcp_drop(t, len > 0 && seq_geq(seg->seq, tw->rcv_nxt) ? PMTCP_C_drop_past_fin
								      : PMTCP_C_drop_seq);
	}
}

void
tcp_time_wait_input(struct tcp *t, struct time_wait *tw, struct seg *seg)
{
	/* TW-5, DEC-1, RFC 1337: TIME-WAIT is not assassinated. */
	if (seg->flags & TCP_RST) {
		tcp_count(t, PMTCP_C_tw_rst_ignored);
		tcp_drop(t, PMTCP_C_drop_tw_rst);
		return;
	}
	if (seg->flags & TCP_SYN) {
		syn_input(t, tw, seg);
		return;
	}
	if (!(seg->flags & TCP_ACK)) {
		tcp_drop(t, PMTCP_C_drop_no_ack);
		return;
	}
	/* DEC-2: the RST was lost, or this had left before it came. */
	if (is_unlikely(tw->flags & TW_ABORTED)) {
		tcp_reply_rst(t, seg);
		tcp_drop(t, PMTCP_C_drop_after_close);
		return;
	}
	/* TW-7. */
	if ((tw->flags & TW_TS) && (seg->opts & SEG_OPT_TS) && seq_lt(seg->tsval, tw->ts_recent)) {
		challenge(t, tw);
		tcp_drop(t, PMTCP_C_drop_paws);
		return;
	}
	ack_input(t, tw, seg);
}

void
tcp_time_wait_unpark(struct tcp *t, struct syn_rcvd *sr)
{
	struct time_wait *tw = (struct time_wait *)tcp_block(t, sr->parked);
	uint64_t hash = tcp_hash(t, &tw->head.key);
	int32_t left = seq_diff(tw->head.timer.tick, t->now_ms);
	bool was_there = flow_table_replace(&t->table, hash, tcp_index(t, sr), sr->parked);

	CHECK(was_there && tw->head.kind == BLOCK_PARKED);
	sr->parked = 0;
	tw->head.kind = BLOCK_TIME_WAIT;
	/* Its old expiry; if that has passed, the next tick ends it. */
	wheel_arm(&t->wheel, tcp_index(t, tw), t->now_tick + (left > 0 ? (uint32_t)left : 0),
			TCP_TW_SLACK_MS);
	t->parked--;
	t->state[TCPS_TIME_WAIT]++;
	tcp_count(t, PMTCP_C_tw_restored);
}

void
tcp_time_wait_drop_parked(struct tcp *t, struct syn_rcvd *sr)
{
	struct time_wait *tw = (struct time_wait *)tcp_block(t, sr->parked);

	sr->parked = 0;
	t->parked--;
	give_back(t, tw);
}

/* TW-12: our own new connection over an old one. The peer must be able to tell old
 * from new by timestamps, so they were on and our clock has moved on; without them only
 * who asked for it goes by the ISN alone, and as late. */
bool
tcp_time_wait_may_reuse(const struct tcp *t, const struct time_wait *tw)
{
	if (t->conf.tw_reuse == PMTCP_TW_REUSE_OFF || t->now_ms - tw->entered < REUSE_AFTER_MS)
		return false;
	return (tw->flags & TW_TS) || t->conf.tw_reuse == PMTCP_TW_REUSE_FORCE;
}
