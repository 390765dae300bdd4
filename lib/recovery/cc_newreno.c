/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* NewReno: slow start and congestion avoidance of RFC 5681 with the byte counting
 * of RFC 3465 (DATA-41), fast recovery of RFC 6582 (DATA-35), the initial window of
 * RFC 6928 (DATA-43). It holds no timer and decides no retransmission. */

#include "recovery/cc.h"

/* RFC 3465 2.2 and 2.3: one ACK opens slow start by at most L segments, L = 2; after a
 * timeout L = 1, since that ACK may cover what had long been delivered. */
enum { SLOW_START_L = 2, SLOW_START_L_RTO = 1 };

/* A recovery point further back than this says nothing any more. */
enum { RECOVER_AGE_MAX = 1 << 30 };

static uint32_t
cwnd_add(uint32_t cwnd, uint32_t bytes)
{
	return min_u32(cwnd + min_u32(bytes, CC_CWND_MAX), CC_CWND_MAX);
}

/* RFC 5681 equation 4. FlightSize and not cwnd: an idle sender's cwnd was never tried. */
static uint32_t
ssthresh_after_loss(const struct cc_event *e)
{
	return max_u32(e->flight / 2, 2 * e->mss);
}

static void
newreno_init(struct cc *cc, const struct cc_event *e)
{
	*cc = (struct cc){
			.cwnd = cc_initial_window(e->mss),
			.ssthresh = CC_CWND_MAX,
			.recover = e->nxt,
	};
}

/* Keeps the recovery point within 2^31 of una on connections that go on for gigabytes
 * without loss: cc_may_enter compares the two. */
static void
recover_drag(struct cc *cc, const struct cc_event *e)
{
	uint32_t una = e->nxt - e->flight;

	if (seq_diff(una, cc->recover) > RECOVER_AGE_MAX)
		cc->recover = una - 1;
}

static void
newreno_acked(struct cc *cc, const struct cc_event *e)
{
	recover_drag(cc, e);
	/* A window that was not full says nothing about the path (DATA-41). */
	if (!e->is_limited)
		return;
	if (cc->cwnd < cc->ssthresh) {
		uint32_t l = e->is_rto ? SLOW_START_L_RTO : SLOW_START_L;

		/* Octets, not ACKs: splitting an ACK gains nothing (SEC-12). */
		cc->cwnd = cwnd_add(cc->cwnd, min_u32(e->bytes, l * e->mss));
		return;
	}
	/* RFC 3465 2.1: one segment per cwnd of acknowledged octets, and no constant
	 * added to it (RFC 2525 2.6). */
	cc->acked += min_u32(e->bytes, CC_CWND_MAX);
	if (cc->acked >= cc->cwnd) {
		cc->acked -= cc->cwnd;
		cc->cwnd = cwnd_add(cc->cwnd, e->mss);
	}
}

static void
newreno_loss(struct cc *cc, const struct cc_event *e)
{
	cc->ssthresh = ssthresh_after_loss(e);
	/* RFC 6582 3.2 step 2: three segments have left the network. */
	cc->cwnd = cwnd_add(cc->ssthresh, 3 * e->mss);
	cc->recover = e->nxt;
	cc->acked = 0;
}

static void
newreno_dup_ack(struct cc *cc, const struct cc_event *e)
{
	/* RFC 5681 3.2 step 4. The flight was about 2 * ssthresh when loss was found, so
	 * no honest receiver inflates beyond thrice; forged duplicates may not (SEC-12). */
	uint32_t cap = cwnd_add(cc->ssthresh, 2 * cc->ssthresh + 3 * e->mss);

	cc->cwnd = max_u32(cc->cwnd, min_u32(cwnd_add(cc->cwnd, e->mss), cap));
}

static void
newreno_partial_ack(struct cc *cc, const struct cc_event *e)
{
	/* RFC 6582 3.2 step 3: deflate by what was acknowledged, then allow one segment
	 * again if at least that much was; never below the one being retransmitted. */
	cc->cwnd = max_u32(cc->cwnd - min_u32(cc->cwnd, e->bytes), e->mss);
	if (e->bytes >= e->mss)
		cc->cwnd = cwnd_add(cc->cwnd, e->mss);
}

static void
newreno_recovered(struct cc *cc, const struct cc_event *e)
{
	/* After a timeout slow start simply goes on. */
	if (e->is_rto)
		return;
	/* RFC 6582 3.2 step 3, option 1: no burst into an empty path, and the window is
	 * always deflated (RFC 2525 2.8). */
	cc->cwnd = min_u32(cc->ssthresh, cwnd_add(max_u32(e->flight, e->mss), e->mss));
	cc->acked = 0;
}

static void
newreno_timeout(struct cc *cc, const struct cc_event *e)
{
	/* RFC 5681 3.1: a further timeout of the same segment is the same loss, so the
	 * threshold stays (DATA-33). RFC 6582 section 4: recover is set here too. */
	if (!e->is_rto)
		cc->ssthresh = ssthresh_after_loss(e);
	cc->cwnd = e->mss;
	cc->recover = e->nxt;
	cc->acked = 0;
}

static void
newreno_idle(struct cc *cc, const struct cc_event *e)
{
	/* RFC 5681 4.1: restart window = min(IW, cwnd); ssthresh remembers the path. */
	cc->cwnd = min_u32(cc->cwnd, cc_initial_window(e->mss));
	cc->acked = 0;
}

const struct cc_ops cc_newreno = {
		.init = newreno_init,
		.acked = newreno_acked,
		.loss = newreno_loss,
		.dup_ack = newreno_dup_ack,
		.partial_ack = newreno_partial_ack,
		.recovered = newreno_recovered,
		.timeout = newreno_timeout,
		.idle = newreno_idle,
};
