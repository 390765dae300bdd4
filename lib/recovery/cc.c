/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The choice of an algorithm, and what the algorithms share: slow start (RFC 5681
 * 3.1, 3465), the window during fast recovery (RFC 6582), what undo remembers. */

#include "recovery/cc.h"

/* A recovery point further back than this says nothing any more. */
enum { RECOVER_AGE_MAX = 1 << 30 };

const struct cc_ops *
cc_ops_get(enum cc_kind kind)
{
	static const struct cc_ops *const ops[CC_KINDS] = {
			[CC_CUBIC] = &cc_cubic,
			[CC_NEWRENO] = &cc_newreno,
	};

	CHECK(kind < CC_KINDS);
	return ops[kind];
}

void
cc_start(struct cc *cc, const struct cc_event *e)
{
	*cc = (struct cc){
			.cwnd = cc_initial_window(e->mss, e->iw),
			.ssthresh = CC_CWND_MAX,
			.recover = e->nxt,
			.cubic.pos = CC_NO_EPOCH,
	};
}

void
cc_switch(struct cc *cc)
{
	cc->acked = 0;
	cc->prior_ssthresh = 0;
	cc->cubic = (struct cc_cubic){.pos = CC_NO_EPOCH};
}

void
cc_recover_drag(struct cc *cc, const struct cc_event *e)
{
	uint32_t una = e->nxt - e->flight;

	if (seq_diff(una, cc->recover) > RECOVER_AGE_MAX)
		cc->recover = una - 1;
}

void
cc_slow_start(struct cc *cc, const struct cc_event *e)
{
	uint32_t l = e->is_rto ? CC_SLOW_START_L_RTO : CC_SLOW_START_L;

	cc->cwnd = cc_cwnd_add(cc->cwnd, min_u32(e->bytes, l * e->mss));
}

void
cc_save(struct cc *cc, const struct cc_event *e)
{
	/* A window inflated by fast recovery, or never filled, is not to come back. */
	cc->prior_cwnd = min_u32(cc->cwnd, cc_cwnd_add(max_u32(e->flight, e->mss), e->mss));
	cc->prior_ssthresh = cc->ssthresh;
}

void
cc_dup_ack(struct cc *cc, const struct cc_event *e)
{
	/* RFC 5681 3.2 step 4. The flight was about 2 * ssthresh when loss was found, so
	 * no honest receiver inflates beyond thrice; forged duplicates may not (SEC-12). */
	uint32_t cap = cc_cwnd_add(cc->ssthresh, 2 * cc->ssthresh + 3 * e->mss);

	cc->cwnd = max_u32(cc->cwnd, min_u32(cc_cwnd_add(cc->cwnd, e->mss), cap));
}

void
cc_partial_ack(struct cc *cc, const struct cc_event *e)
{
	/* RFC 6582 3.2 step 3: deflate by what was acknowledged, then allow one segment
	 * again if at least that much was; never below the one being retransmitted. */
	cc->cwnd = max_u32(cc->cwnd - min_u32(cc->cwnd, e->bytes), e->mss);
	if (e->bytes >= e->mss)
		cc->cwnd = cc_cwnd_add(cc->cwnd, e->mss);
}

void
cc_recovered(struct cc *cc, const struct cc_event *e)
{
	/* After a timeout slow start simply goes on. */
	if (e->is_rto)
		return;
	/* RFC 6582 3.2 step 3, option 1: no burst into an empty path, and the window is
	 * always deflated (RFC 2525 2.8). */
	cc->cwnd = min_u32(cc->ssthresh, cc_cwnd_add(max_u32(e->flight, e->mss), e->mss));
	cc->acked = 0;
}
