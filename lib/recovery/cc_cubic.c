/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* CUBIC (RFC 9438, DATA-41, DEC-13): after a reduction the window is a cubic function
 * of time, W(t) = C * (t - K)^3 + W_max, and never below what Reno would have reached.
 * Slow start, fast recovery and the idle restart are those of RFC 5681 and 6582.
 *
 * Windows are octets where the RFC has segments. Time is counted in ticks of 1024 us,
 * and only while cwnd is what limits the sender (4.2, 5.8): the state holds the place on
 * the curve, t - K, not two moments. No floating point: 64-bit products whose bounds
 * stand beside them. */

#include "recovery/cc.h"

enum {
	TICK_SHIFT = 10,         /* us to ticks */
	POS_MAX = (1 << 21) - 1, /* ticks, 36 min: its cube fits, and any window is reached */
	BETA_10 = 7,             /* beta_cubic = 0.7 (4.6) */
	FAST_CONV_20 = 17,       /* (1 + beta) / 2 = 0.85 (4.7) */
	ALPHA_NUM = 9,           /* alpha_cubic = 3 * (1 - beta) / (1 + beta) = 9/17 (4.3) */
	ALPHA_DEN = 17,
	FRAC_SHIFT = 16,
};

/* 1 / C in ticks^3 per segment, C = 0.4 per s^3: 10^18 / 1024^3 / 0.4. */
#define CUBE_PER_SEGMENT 2328306437ull

/* The largest x with x^3 <= n. */
static uint32_t
cube_root(uint64_t n)
{
	uint32_t x = 0;

	/* 2^21 cubed is 2^63, and no argument here reaches it. */
	for (uint32_t bit = 1u << 20; bit > 0; bit >>= 1) {
		uint64_t y = x | bit;

		if (y * y * y <= n)
			x |= bit;
	}
	return x;
}

/* Ticks in which the curve climbs so many octets to, or from, its plateau. The product
 * is below 2^30 * 2^32. */
static int32_t
climb_ticks(uint32_t octets, uint32_t mss)
{
	return (int32_t)cube_root(octets * CUBE_PER_SEGMENT / mss);
}

/* W_cubic at this place (RFC 9438 figure 1), within 0 .. CC_CWND_MAX. */
static uint32_t
w_cubic(const struct cc_cubic *q, int32_t pos, uint32_t mss)
{
	uint64_t d = min_u32((uint32_t)(pos < 0 ? -pos : pos), POS_MAX);
	uint64_t cube = d * d * d; /* < 2^63 */
	uint32_t octets = CC_CWND_MAX;

	/* The product is then at most 2^30 * 2^32. */
	if (cube <= CC_CWND_MAX * CUBE_PER_SEGMENT / mss)
		octets = (uint32_t)(cube * mss / CUBE_PER_SEGMENT);
	if (pos < 0)
		return q->w_max - min_u32(octets, q->w_max);
	return cc_cwnd_add(q->w_max, octets);
}

static uint16_t
tick_of(const struct cc_event *e)
{
	return (uint16_t)(e->now_us >> TICK_SHIFT);
}

/* A window grows by num / cwnd octets, num / cwnd < 2^31; what is less than an octet is
 * kept in *frac, so that an ACK in pieces grows it as a whole one does. */
static uint32_t
grow(uint32_t w, uint16_t *frac, uint64_t num, uint32_t cwnd)
{
	uint64_t rest = (num % cwnd << FRAC_SHIFT) / cwnd + *frac;

	*frac = (uint16_t)rest;
	return cc_cwnd_add(w, (uint32_t)(num / cwnd + (rest >> FRAC_SHIFT)));
}

/* Congestion avoidance begins: the curve leads from here to the old maximum. Without one
 * - after a timeout, or a slow start that lost nothing - its plateau is here, K = 0
 * (RFC 9438 4.2, 4.8, 4.10). */
static void
epoch_start(struct cc *cc, const struct cc_event *e)
{
	struct cc_cubic *q = &cc->cubic;

	if (q->w_max > cc->cwnd) {
		q->pos = -climb_ticks(q->w_max - cc->cwnd, e->mss);
	} else {
		q->w_max = cc->cwnd;
		q->pos = 0;
	}
	q->w_est = cc->cwnd;
	cc->cwnd_frac = cc->est_frac = 0;
}

/* Reno's window beside the curve (4.3): its additive increase is smaller, since its
 * reduction is, until it has made that one good. The product is below 2^30 * 2^16. */
static void
estimate_reno(struct cc *cc, const struct cc_event *e, uint32_t bytes)
{
	struct cc_cubic *q = &cc->cubic;
	uint64_t num = (uint64_t)bytes * e->mss;

	if (q->w_est < cc->prior_cwnd)
		num = num * ALPHA_NUM / ALPHA_DEN;
	q->w_est = grow(q->w_est, &cc->est_frac, num, cc->cwnd);
}

/* One ACK in congestion avoidance (4.3 to 4.5). */
static void
avoid(struct cc *cc, const struct cc_event *e)
{
	struct cc_cubic *q = &cc->cubic;
	/* One ACK of more than a window is no more than a round trip. */
	uint32_t bytes = min_u32(e->bytes, cc->cwnd);
	int32_t rtt = (int32_t)(e->srtt_us >> TICK_SHIFT);
	uint32_t target, limit = cc->cwnd + cc->cwnd / 2;

	if (q->pos == CC_NO_EPOCH)
		epoch_start(cc, e);
	else
		q->pos = (int32_t)min_u32((uint32_t)(q->pos + POS_MAX) +
							  (uint16_t)(tick_of(e) - q->last),
					 2u * POS_MAX) -
			 POS_MAX;
	estimate_reno(cc, e, bytes);
	if (w_cubic(q, q->pos, e->mss) < q->w_est) {
		cc->cwnd = max_u32(cc->cwnd, min_u32(q->w_est, limit));
		return;
	}
	/* Towards where the curve is one round trip from now, but by no more than half. */
	target = min_u32(w_cubic(q, q->pos + rtt, e->mss), limit);
	if (target > cc->cwnd)
		cc->cwnd = grow(cc->cwnd, &cc->cwnd_frac, (uint64_t)(target - cc->cwnd) * bytes,
				cc->cwnd);
}

static void
cubic_acked(struct cc *cc, const struct cc_event *e)
{
	cc_recover_drag(cc, e);
	/* A window that was not full says nothing about the path (DATA-41), and the time
	 * does not count either (5.8). */
	if (e->is_limited) {
		if (cc->cwnd < cc->ssthresh)
			cc_slow_start(cc, e);
		else
			avoid(cc, e);
	}
	cc->cubic.last = tick_of(e);
}

static void
save(struct cc *cc, const struct cc_event *e)
{
	struct cc_cubic *q = &cc->cubic;

	cc_save(cc, e);
	q->prior_w_max = q->w_max;
	q->prior_pos = q->pos;
	q->prior_est = (uint16_t)((uint64_t)min_u32(q->w_est, cc->cwnd) * UINT16_MAX / cc->cwnd);
}

/* RFC 9438 4.6: FlightSize, as an idle sender's cwnd was never tried. */
static uint32_t
ssthresh_after_loss(const struct cc_event *e)
{
	return max_u32((uint32_t)((uint64_t)e->flight * BETA_10 / 10), 2 * e->mss);
}

/* 4.7, fast convergence: a window that did not come back to its last maximum makes room
 * for others. */
static void
note_maximum(struct cc *cc)
{
	struct cc_cubic *q = &cc->cubic;

	if (cc->cwnd < q->w_max)
		q->w_max = (uint32_t)((uint64_t)cc->cwnd * FAST_CONV_20 / 20);
	else
		q->w_max = cc->cwnd;
	q->pos = CC_NO_EPOCH;
}

static void
cubic_loss(struct cc *cc, const struct cc_event *e)
{
	save(cc, e);
	note_maximum(cc);
	cc->ssthresh = ssthresh_after_loss(e);
	/* RFC 6582 3.2 step 2: three segments have left the network. */
	cc->cwnd = cc_cwnd_add(cc->ssthresh, 3 * e->mss);
	cc->recover = e->nxt;
}

static void
cubic_timeout(struct cc *cc, const struct cc_event *e)
{
	/* A further timeout of the same segment is the same loss (DATA-33). */
	if (!e->is_rto) {
		save(cc, e);
		cc->ssthresh = ssthresh_after_loss(e);
	}
	/* 4.8: as in Reno, and the first curve after it has its plateau where it begins. */
	cc->cwnd = e->mss;
	cc->cubic.w_max = 0;
	cc->cubic.pos = CC_NO_EPOCH;
	cc->recover = e->nxt;
}

static void
cubic_idle(struct cc *cc, const struct cc_event *e)
{
	struct cc_cubic *q = &cc->cubic;
	uint32_t restart = cc_initial_window(e->mss, e->iw);

	q->last = tick_of(e);
	/* RFC 5681 4.1: restart window = min(IW, cwnd). A window that was reached without
	 * loss is where the next curve leads. */
	if (cc->cwnd <= restart)
		return;
	if (q->pos != CC_NO_EPOCH)
		q->w_max = max_u32(q->w_max, cc->cwnd);
	q->pos = CC_NO_EPOCH;
	cc->cwnd = restart;
}

static void
cubic_ecn(struct cc *cc, const struct cc_event *e)
{
	/* DATA-44 (RFC 3168 6.1.2, RFC 9438 4.6): the mark was real, nothing to undo. */
	cc->prior_cwnd = cc->cwnd;
	cc->prior_ssthresh = 0;
	note_maximum(cc);
	cc->ssthresh = ssthresh_after_loss(e);
	cc->cwnd = min_u32(cc->cwnd, cc->ssthresh);
}

static void
cubic_undo(struct cc *cc, const struct cc_event *e)
{
	struct cc_cubic *q = &cc->cubic;

	if (cc->prior_ssthresh == 0)
		return;
	/* DATA-42 (RFC 9438 4.9): the curve goes on where it was left. */
	cc->cwnd = max_u32(cc->cwnd, cc->prior_cwnd);
	cc->ssthresh = cc->prior_ssthresh;
	cc->prior_ssthresh = 0;
	q->w_max = q->prior_w_max;
	q->pos = q->prior_pos;
	q->w_est = (uint32_t)((uint64_t)cc->prior_cwnd * q->prior_est / UINT16_MAX);
	q->last = tick_of(e);
}

const struct cc_ops cc_cubic = {
		.init = cc_start,
		.acked = cubic_acked,
		.loss = cubic_loss,
		.dup_ack = cc_dup_ack,
		.partial_ack = cc_partial_ack,
		.recovered = cc_recovered,
		.timeout = cubic_timeout,
		.idle = cubic_idle,
		.ecn = cubic_ecn,
		.undo = cubic_undo,
};
