/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* RACK's arithmetic: see rack.h. */

#include "recovery/rack.h"

/* A filter over one to two periods: the path may have become longer. */
static void
min_rtt_take(struct rack *r, uint32_t now_us, uint32_t rtt_us)
{
	uint32_t age = now_us >> RACK_MIN_RTT_SHIFT;
	bool is_old = (age - r->min_rtt_age) % 64 > 1;

	if (r->rtt_us != 0 && !is_old && rtt_us > r->min_rtt_us)
		return;
	r->min_rtt_us = rtt_us;
	r->min_rtt_age = age % 64;
}

void
rack_delivered(struct rack *r, struct rack_ack *ack, uint32_t now_us, const struct rack_seg *seg)
{
	uint32_t rtt_us = max_u32(now_us - seg->sent_us, 1);

	/* Step 3, before anything may return: an original below what was delivered. Below
	 * what an earlier ACK said: one that was lost may have told of this one in time. */
	if (seq_gt(seg->end, r->fack))
		r->fack = seg->end;
	else if (seq_lt(seg->end, ack->fack) && !seg->is_rexmt)
		r->is_reordered = 1;
	/* Step 2: an ACK of the original tells nothing of the later sending, and one faster
	 * than any round trip so far is such a one. */
	if (seg->is_rexmt && (seg->is_original || rtt_us < r->min_rtt_us))
		return;
	min_rtt_take(r, now_us, rtt_us);
	/* RACK.rtt is of the latest sent among these, RACK.xmit_ts of all ever delivered. */
	if (ack->has_any && !rack_sent_after(seg->sent_us, seg->end, ack->sent_us, ack->end))
		return;
	*ack = (struct rack_ack){.fack = ack->fack,
			.sent_us = seg->sent_us,
			.end = seg->end,
			.has_any = true};
	if (r->rtt_us == 0 || rack_sent_after(seg->sent_us, seg->end, r->sent_us, r->end)) {
		r->sent_us = seg->sent_us;
		r->end = seg->end;
	}
	r->rtt_us = rtt_us;
}

void
rack_dsack(struct rack *r, uint32_t una, uint32_t nxt)
{
	if (seq_lt(una, r->dsack_round) && seq_leq(r->dsack_round, nxt))
		return;
	r->dsack_round = nxt;
	if (r->more < RACK_MORE_MAX)
		r->more++;
	r->persist = RACK_PERSIST;
}

void
rack_recovered(struct rack *r)
{
	if (r->persist > 0)
		r->persist--;
	if (r->persist == 0)
		r->more = 0;
}

uint32_t
rack_reo_wnd_us(const struct rack *r, uint32_t srtt_us, bool is_recovering)
{
	/* No reordering ever seen: DupThresh, or a loss already found, is enough. */
	if (!r->is_reordered && (is_recovering || r->n_sacked >= RACK_DUP_THRESH))
		return 0;
	return (uint32_t)min_u64((1ull + r->more) * r->min_rtt_us / 4, srtt_us);
}

bool
rack_judge(const struct rack *r, const struct rack_seg *seg, uint32_t reo_wnd_us, uint32_t now_us,
		uint32_t *wait_us)
{
	int32_t left;

	if (r->rtt_us == 0 || !rack_sent_after(r->sent_us, r->end, seg->sent_us, seg->end))
		return false;
	left = seq_diff(seg->sent_us + r->rtt_us + reo_wnd_us, now_us);
	*wait_us = left > 0 ? (uint32_t)left : 0;
	return true;
}
