/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* NewReno: slow start and congestion avoidance of RFC 5681 with the byte counting
 * of RFC 3465 (DATA-41), fast recovery of RFC 6582 (DATA-35), the initial window of
 * RFC 6928 (DATA-43). It holds no timer and decides no retransmission. */

#include "recovery/cc.h"

/* RFC 5681 equation 4. FlightSize and not cwnd: an idle sender's cwnd was never tried. */
static uint32_t
ssthresh_after_loss(const struct cc_event *e)
{
	return max_u32(e->flight / 2, 2 * e->mss);
}

static void
newreno_acked(struct cc *cc, const struct cc_event *e)
{
	cc_recover_drag(cc, e);
	/* A window that was not full says nothing about the path (DATA-41). */
	if (!e->is_limited)
		return;
	if (cc->cwnd < cc->ssthresh) {
		cc_slow_start(cc, e);
		return;
	}
	/* RFC 3465 2.1: one segment per cwnd of acknowledged octets, and no constant
	 * added to it (RFC 2525 2.6). */
	cc->acked += min_u32(e->bytes, CC_CWND_MAX);
	if (cc->acked >= cc->cwnd) {
		cc->acked -= cc->cwnd;
		cc->cwnd = cc_cwnd_add(cc->cwnd, e->mss);
	}
}

/* RFC 4015 section 3: pipe_prev. What was in flight shows what the path can bear, and slow
 * start leads back there where the threshold of old would not. */
static void
save(struct cc *cc, const struct cc_event *e)
{
	cc_save(cc, e);
	cc->prior_ssthresh = max_u32(e->flight, cc->ssthresh);
}

static void
newreno_loss(struct cc *cc, const struct cc_event *e)
{
	save(cc, e);
	cc->ssthresh = ssthresh_after_loss(e);
	/* RFC 6582 3.2 step 2: three segments have left the network. */
	cc->cwnd = cc_cwnd_add(cc->ssthresh, 3 * e->mss);
	cc->recover = e->nxt;
	cc->acked = 0;
}

static void
newreno_timeout(struct cc *cc, const struct cc_event *e)
{
	/* RFC 5681 3.1: a further timeout of the same segment is the same loss, so the
	 * threshold stays (DATA-33). RFC 6582 section 4: recover is set here too. */
	if (!e->is_rto) {
		save(cc, e);
		cc->ssthresh = ssthresh_after_loss(e);
	}
	cc->cwnd = e->mss;
	cc->recover = e->nxt;
	cc->acked = 0;
}

static void
newreno_idle(struct cc *cc, const struct cc_event *e)
{
	/* RFC 5681 4.1: restart window = min(IW, cwnd); ssthresh remembers the path. */
	cc->cwnd = min_u32(cc->cwnd, cc_initial_window(e->mss, e->iw));
	cc->acked = 0;
}

static void
newreno_ecn(struct cc *cc, const struct cc_event *e)
{
	/* DATA-44 (RFC 3168 6.1.2): halved, and nothing to be sent again. */
	cc->prior_cwnd = cc->cwnd;
	cc->prior_ssthresh = 0;
	cc->ssthresh = ssthresh_after_loss(e);
	cc->cwnd = min_u32(cc->cwnd, cc->ssthresh);
	cc->acked = 0;
}

static void
newreno_undo(struct cc *cc, const struct cc_event *e)
{
	uint32_t iw = cc_initial_window(e->mss, e->iw);

	if (cc->prior_ssthresh == 0)
		return;
	/* DATA-42 (RFC 4015 section 3): the window of old, but for what this ACK acknowledged
	 * at once beyond IW, since that would leave as one burst; slow start makes it good.
	 * CUBIC restores what it had, as RFC 9438 4.9 has it. */
	cc->cwnd = max_u32(cc->cwnd, cc_cwnd_add(e->flight, min_u32(e->bytes, iw)));
	cc->ssthresh = cc->prior_ssthresh;
	cc->prior_ssthresh = 0;
	cc->acked = 0;
}

const struct cc_ops cc_newreno = {
		.init = cc_start,
		.acked = newreno_acked,
		.loss = newreno_loss,
		.dup_ack = cc_dup_ack,
		.partial_ack = cc_partial_ack,
		.recovered = cc_recovered,
		.timeout = newreno_timeout,
		.idle = newreno_idle,
		.ecn = newreno_ecn,
		.undo = newreno_undo,
};
