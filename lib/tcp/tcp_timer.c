/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Time passes. One wheel node per block, armed for the earliest of its deadlines
 * and re-armed lazily: a later deadline leaves the node where it is, an earlier one
 * moves it. The timers of a tcb: one transmit timer (SYN, REXMT, PROBE, PERSIST,
 * OVERRIDE, FW2 and IDLE exclude each other), the delayed ACK, and the slow ones of its rare
 * side record (tcp_rare.h). */

#include "tcp/tcp_recovery.h"

enum {
	BATCH = WHEEL_CHAINS,   /* the wheel fetches the next as many meanwhile */
	DELACK_AHEAD_MAX = 201, /* pmtcp_conf.delack_ms and the millisecond in progress */
	OOO_LOOKS = 64,         /* side records per pass, when packet buffers are nearly gone */
};

/* The delayed ACK's deadline from the low half that is kept of it. */
static uint32_t
delack_deadline(const struct tcp *t, const struct tcb *c)
{
	uint16_t left = (uint16_t)(c->delack - (uint16_t)t->now_ms);

	/* Never more than the longest delay ahead: then it has passed, however long ago. */
	return t->now_ms + (left <= DELACK_AHEAD_MAX ? left : 0);
}

/* The node stands early enough for this deadline, and for all others anyway. */
static bool
is_armed_by(const struct tcb *c, uint32_t at)
{
	return c->head.timer.prev != 0 && seq_leq(c->head.timer.tick, at);
}

/* Arms the node for the earliest deadline, unless it stands early enough. */
static PMTCP_ALWAYS_INLINE void
arm(struct tcp *t, struct tcb *c)
{
	bool has_timer = tcb_timer(c) != TIMER_NONE;
	uint32_t at = c->deadline;
	uint32_t index = tcp_index(t, c);
	uint32_t slow;
	int32_t in_ms;

	if (tcb_has(c, TCB_DELACK)) {
		uint32_t delack = delack_deadline(t, c);

		at = has_timer ? seq_min(at, delack) : delack;
		has_timer = true;
	}
	if (is_unlikely(c->rare) && tcp_rare_deadline(t, c, &slow)) {
		at = has_timer ? seq_min(at, slow) : slow;
		has_timer = true;
	}
	if (!has_timer)
		return;
	if (is_armed_by(c, at))
		return;
	in_ms = seq_diff(at, t->now_ms);
	wheel_arm(&t->wheel, index, t->now_tick + (in_ms > 0 ? (uint32_t)in_ms : 0), 0);
}

void
tcp_timer_arm(struct tcp *t, struct tcb *c)
{
	arm(t, c);
}

/* Never early: the running millisecond does not count. */
void
tcp_timer_start(struct tcp *t, struct tcb *c, enum tcb_timer timer, uint32_t in_ms)
{
	tcb_set_timer(c, timer);
	c->deadline = t->now_ms + t->tick_begun + in_ms;
	if (!is_armed_by(c, c->deadline))
		tcp_timer_arm(t, c);
}

void
tcp_timer_stop(struct tcb *c)
{
	tcb_set_timer(c, TIMER_NONE);
}

/* RFC 6298 with DEC-6; after a lost SYN the first RTO is 3 s (5.7, OPEN-13). */
static uint32_t
rto_ms(const struct tcp *t, const struct tcb *c)
{
	struct rtt_limits lim = {.initial_us = t->conf.rto_initial_ms * 1000,
			.floor_us = t->conf.rto_min_ms * 1000,
			.ceil_us = t->conf.rto_max_ms * 1000};

	if (tcb_has(c, TCB_SYN_REXMT))
		lim.initial_us = RTT_INITIAL_LOST_US;
	return (rtt_rto_us(&c->rtt, &lim, c->retries) + 999) / 1000;
}

/* On all but long paths it is the lower bound, which takes no division. */
uint32_t
tcp_rto_ms(const struct tcp *t, const struct tcb *c)
{
	uint32_t floor_us = t->conf.rto_min_ms * 1000;

	if (is_likely(c->retries == 0 && rtt_has_sample(&c->rtt) &&
			    rtt_floor_holds(&c->rtt, floor_us)))
		return t->conf.rto_min_ms;
	return rto_ms(t, c);
}

/* OPEN-12: 1, 2, 4 ... seconds, at most rto_max. */
uint32_t
tcp_syn_rto_ms(const struct tcp *t, uint8_t tries)
{
	uint64_t ms = (uint64_t)t->conf.rto_initial_ms << min_u32(tries, 20);

	return (uint32_t)min_u64(ms, t->conf.rto_max_ms);
}

/* The loss probe before the RTO, if there is one, else the RTO; one that would come later goes at the RTO's
 * time in its stead, and the RTO runs anew (DATA-40, RFC 8985 7.2, 7.3). */
static PMTCP_NOINLINE void
start_probe(struct tcp *t, struct tcb *c, uint32_t rto_ms)
{
	struct tcp_tx *tx = tcp_tx(t, c);
	uint32_t tlp_ms;

	tx->flags &= (uint16_t) ~(TX_REO_TIMER | TX_TLP_DUE);
	tlp_ms = tcp_tlp_ms(t, c, tx);
	if (tlp_ms == UINT32_MAX) {
		tcp_timer_start(t, c, TIMER_REXMT, rto_ms);
		return;
	}
	tx->rto_at = t->now_ms + t->tick_begun + rto_ms;
	tcp_timer_start(t, c, TIMER_PROBE, min_u32(tlp_ms, rto_ms));
}

void
tcp_timer_rexmt(struct tcp *t, struct tcb *c)
{
	if (c->tx && tcb_has(c, TCB_SACK))
		start_probe(t, c, tcp_rto_ms(t, c));
	else
		tcp_timer_start(t, c, TIMER_REXMT, tcp_rto_ms(t, c));
}

void
tcp_delack_start(struct tcp *t, struct tcb *c)
{
	uint32_t at;

	if (tcb_has(c, TCB_DELACK | TCB_ACK_DUE))
		return;
	at = t->now_ms + t->tick_begun + tcp_class(t, c)->delack_ms;
	c->flags |= TCB_DELACK;
	c->delack = (uint16_t)at;
	if (!is_armed_by(c, at))
		arm(t, c);
}

/* Where the node of a handshake goes: to where the first deadline behind it will be at the
 * earliest, so that no connection moves it that is over by then. One whose handshake takes
 * longer finds it expired for nothing, once. */
static uint32_t
first_ms(const struct tcp *t, const struct tcp_class *k)
{
	return k->delack_ms ? k->delack_ms : t->conf.rto_min_ms;
}

/* TIMER_SYN of an active open. */
void
tcp_timer_open(struct tcp *t, struct tcb *c)
{
	uint32_t ms = tcp_syn_rto_ms(t, 0);

	tcb_set_timer(c, TIMER_SYN);
	c->deadline = t->now_ms + t->tick_begun + ms;
	wheel_arm(&t->wheel, tcp_index(t, c),
			tcp_tick_in(t, min_u32(ms, first_ms(t, tcp_class(t, c)))), 0);
}

/* OPEN-6, OPEN-12: the same SYN again, for so long as nothing acknowledges it. */
static void
syn_timeout(struct tcp *t, struct tcb *c)
{
	const struct tcp_class *k = tcp_class(t, c);

	if (c->retries >= k->syn_retries) {
		tcp_conn_end(t, c, PMTCP_TIMEOUT_SYN);
		return;
	}
	c->flags |= c->retries ? TCB_SYN_REXMT | TCB_SYN_LOST : TCB_SYN_REXMT;
	c->retries++;
	c->flags |= TCB_SYN_DUE;
	tcp_count(t, PMTCP_C_retransmitted);
	tcp_count(t, c->head.state == TCPS_SYN_SENT ? PMTCP_C_syn_retransmitted
						    : PMTCP_C_synack_retransmitted);
	tcp_mark(t, &c->head);
	tcp_timer_start(t, c, TIMER_SYN, tcp_syn_rto_ms(t, c->retries));
}

/* DATA-24, DATA-25: the peer offers no window. Answered probes may go on for ever;
 * unanswered ones end like retransmissions do. */
static void
persist_timeout(struct tcp *t, struct tcb *c)
{
	uint8_t limit = tcb_has(c, TCB_ORPHAN) ? t->conf.orphan_retries : tcp_class(t, c)->retries;

	/* Nobody waits for an orphan's data: a peer cannot keep it alive (NEG-18). */
	if (c->retries >= limit &&
			(tcb_has(c, TCB_ORPHAN) ||
					t->now_ms - c->last_rx > 2 * t->conf.rto_max_ms)) {
		tcp_conn_reset(t, c, PMTCP_TIMEOUT_RTX);
		return;
	}
	if (c->retries < UINT8_MAX)
		c->retries++;
	c->flags |= TCB_PROBE_DUE;
	tcp_mark(t, &c->head);
	tcp_timer_start(t, c, TIMER_PERSIST, tcp_rto_ms(t, c));
}

static void
override_timeout(struct tcp *t, struct tcb *c)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	tcp_timer_stop(c);
	if (tx)
		tx->flags |= TX_OVERRIDE;
	tcp_mark_data(t, c);
}

static void
idle_timeout(struct tcp *t, struct tcb *c)
{
	const struct tcp_tx *tx = tcp_tx(t, c);

	tcp_timer_stop(c);
	if (tx && sendq_is_empty(&tx->q))
		tcp_tx_release(t, c);
}

/* CLOSE-37: the orphan's peer never sent its FIN. One that the application set for
 * itself ends with an RST, since the peer may still send. */
static void
fw2_timeout(struct tcp *t, struct tcb *c)
{
	tcp_count(t, PMTCP_C_fw2_timeout);
	if (tcb_has(c, TCB_ORPHAN))
		tcp_conn_end(t, c, PMTCP_TIMEOUT_FW2);
	else
		tcp_conn_reset(t, c, PMTCP_TIMEOUT_FW2);
}

static void
fire(struct tcp *t, struct tcb *c)
{
	switch (tcb_timer(c)) {
	case TIMER_SYN:
		syn_timeout(t, c);
		break;
	case TIMER_REXMT:
		tcp_rexmit_timeout(t, c);
		break;
	case TIMER_PROBE:
		tcp_rack_timeout(t, c);
		break;
	case TIMER_PERSIST:
		persist_timeout(t, c);
		break;
	case TIMER_OVERRIDE:
		override_timeout(t, c);
		break;
	case TIMER_FW2:
		fw2_timeout(t, c);
		break;
	case TIMER_IDLE:
		idle_timeout(t, c);
		break;
	case TIMER_NONE:
		break;
	}
}

static void
tcb_timeout(struct tcp *t, struct tcb *c)
{
	if (tcb_has(c, TCB_DELACK) && seq_leq(delack_deadline(t, c), t->now_ms)) {
		c->flags &= ~(uint32_t)TCB_DELACK;
		tcp_count(t, PMTCP_C_ack_delayed);
		tcp_owe_ack(t, c);
	}
	if (tcb_timer(c) != TIMER_NONE && seq_leq(c->deadline, t->now_ms))
		fire(t, c);
	if (is_unlikely(c->rare))
		tcp_rare_timeout(t, c);
	if (c->head.kind == BLOCK_TCB)
		tcp_timer_arm(t, c);
}

/* DATA-48: the user timeout of the listener's options bounds its half-opens too. They
 * have no room for when they came; it follows from the tries. */
static uint32_t
half_open_left_ms(const struct tcp *t, const struct tcp_class *k, const struct syn_rcvd *sr)
{
	uint64_t gone = 0;

	for (uint8_t i = 0; i < sr->tries; i++)
		gone += tcp_syn_rto_ms(t, i);
	return gone < k->user_timeout_ms ? k->user_timeout_ms - (uint32_t)gone : 0;
}

/* Until the SYN-ACK is repeated, or the half-open ends. */
static uint32_t
half_open_ms(const struct tcp *t, const struct tcp_class *k, const struct syn_rcvd *sr)
{
	uint32_t ms = tcp_syn_rto_ms(t, sr->tries);

	return is_unlikely(k->user_timeout_ms) ? min_u32(ms, half_open_left_ms(t, k, sr)) : ms;
}

void
tcp_syn_rcvd_open(struct tcp *t, struct syn_rcvd *sr)
{
	const struct tcp_class *k = &t->classes[sr->cls];

	sr->is_early = true;
	wheel_arm(&t->wheel, tcp_index(t, sr),
			tcp_tick_in(t, min_u32(half_open_ms(t, k, sr), first_ms(t, k))), 0);
}

/* The node stood where a connection of this half-open would have wanted it. False: its own
 * deadline has come with that. */
static PMTCP_NOINLINE bool
syn_rcvd_was_early(struct tcp *t, struct syn_rcvd *sr)
{
	const struct tcp_class *k = &t->classes[sr->cls];
	uint32_t ms = half_open_ms(t, k, sr);
	uint32_t at = sr->head.timer.tick - min_u32(ms, first_ms(t, k)) + ms;
	int32_t in_ms = seq_diff(at, t->now_ms);

	sr->is_early = false;
	if (in_ms <= 0)
		return false;
	wheel_arm(&t->wheel, tcp_index(t, sr), t->now_tick + (uint32_t)in_ms, 0);
	return true;
}

/* OPEN-14. */
static void
syn_rcvd_timeout(struct tcp *t, struct syn_rcvd *sr)
{
	const struct tcp_class *k = &t->classes[sr->cls];
	uint32_t rto_ms = tcp_syn_rto_ms(t, sr->tries);

	if (sr->is_early && syn_rcvd_was_early(t, sr))
		return;
	if (is_unlikely(k->user_timeout_ms) && half_open_left_ms(t, k, sr) <= rto_ms) {
		tcp_syn_rcvd_reset(t, sr);
		tcp_syn_rcvd_end(t, sr, PMTCP_C_half_open_timeout);
		return;
	}
	if (sr->tries >= k->syn_retries) {
		tcp_syn_rcvd_end(t, sr, PMTCP_C_half_open_timeout);
		return;
	}
	sr->tries++;
	sr->flags |= SR_SYN_DUE | SR_REPEATED;
	tcp_count(t, PMTCP_C_retransmitted);
	tcp_count(t, PMTCP_C_synack_retransmitted);
	tcp_mark(t, &sr->head);
	wheel_arm(&t->wheel, tcp_index(t, sr), tcp_tick_in(t, half_open_ms(t, k, sr)), 0);
}

static void
expire(struct tcp *t, uint32_t index)
{
	struct block_head *b = tcp_block(t, index);

	/* A restart by an earlier one of this batch wins (TW-18). */
	if (wheel_is_armed(&t->wheel, index))
		return;
	switch (b->kind) {
	case BLOCK_TCB:
		tcb_timeout(t, (struct tcb *)b);
		break;
	case BLOCK_SYN_RCVD:
		syn_rcvd_timeout(t, (struct syn_rcvd *)b);
		break;
	default:
		break;
	}
}

/* TIME-WAIT entries, which come in thousands, go together, behind the others of their batch. */
static void
expire_batch(struct tcp *t, const uint32_t *due, uint16_t n)
{
	uint32_t time_waits[BATCH];
	uint32_t count = 0;

	for (uint16_t i = 0; i < n; i++) {
		if (is_likely(tcp_block(t, due[i])->kind == BLOCK_TIME_WAIT))
			time_waits[count++] = due[i];
		else
			expire(t, due[i]);
	}
	tcp_time_wait_expire(t, time_waits, count);
	t->counter[PMTCP_C_timers_expired] += n;
}

/* RES-5: packet buffers are nearly gone, so text that waits above holes goes, some side
 * records a pass. The peer sends it again; but one that was told by SACK believes us to have
 * it, and learns otherwise by a timeout (RFC 2018 section 8). So these go only after a round
 * that found no others. */
static void
drop_some_ooo(struct tcp *t)
{
	for (uint32_t i = 1; i <= OOO_LOOKS && i < t->rxs.fresh; i++) {
		struct tcp_rx *rx;

		if (++t->ooo_hand >= t->rxs.fresh) {
			t->ooo_hand = 1;
			t->ooo_spares_sack = t->ooo_had_plain;
			t->ooo_had_plain = false;
		}
		/* A record given back has no ranges either. */
		rx = slab_at(&t->rxs, t->ooo_hand);
		if (!reasm_has_ooo(&rx->r) || (rx->has_sack && t->ooo_spares_sack))
			continue;
		t->ooo_had_plain |= !rx->has_sack;
		t->counter[PMTCP_C_ooo_dropped] += reasm_drop_ooo(&rx->r, &t->recs);
	}
}

/* What no timer of a block asks for: ten times a second, under pressure or while somebody
 * is to be told of room at each tick. */
static PMTCP_COLD void
look_beyond(struct tcp *t)
{
	if (t->now_tick >= t->watch.look_tick)
		tcp_watch_look(t);
	t->watch_tick = t->watch.look_tick;
	if (tcp_starve_is_due(t)) {
		tcp_starve_feed(t);
		t->watch_tick = tcp_starve_is_due(t) ? 0 : t->watch_tick;
	}
	if (t->free_permille < TCP_PRESSURE_OOO) {
		drop_some_ooo(t);
		t->watch_tick = 0;
	}
}

/* TW-17: a bounded number per pass, the rest next pass, in order. */
void
tcp_tick(struct tcp *t, uint64_t now_ns)
{
	uint32_t due[BATCH];

	tcp_set_now(t, now_ns);
	if (is_unlikely(t->now_tick >= t->watch_tick))
		look_beyond(t);
	for (int pass = 0; pass < TCP_TICK_EXPIRIES / BATCH; pass++) {
		uint16_t n;

		if (is_likely(wheel_deadline(&t->wheel) > t->now_tick))
			break;
		n = wheel_advance(&t->wheel, t->now_tick, due, BATCH);
		expire_batch(t, due, n);
	}
}
