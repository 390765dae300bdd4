/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* RTT estimator and RTO: see rtt.h. */

#include "base/base.h"
#include "base/check.h"
#include "recovery/rtt.h"

void
rtt_init(struct rtt *r)
{
	*r = (struct rtt){0};
}

void
rtt_sample(struct rtt *r, uint32_t sample_us, uint32_t g_us)
{
	uint32_t us = min_u32(max_u32(sample_us, max_u32(g_us, 1)), RTT_SAMPLE_MAX_US);
	uint32_t srtt_us;
	uint32_t err_us;

	if (!rtt_has_sample(r) || (r->rttvar_us4 & RTT_HELD)) {
		r->srtt_us8 = us << 3;   /* RFC 6298 2.2: SRTT = R */
		r->rttvar_us4 = us << 1; /* RTTVAR = R / 2 */
		return;
	}
	/* RFC 6298 2.3: RTTVAR first, from the old SRTT. Times 4 it loses a quarter
	 * of itself and gains the whole error; times 8 SRTT an eighth and the sample. */
	srtt_us = (r->srtt_us8 + 4) >> 3;
	err_us = srtt_us > us ? srtt_us - us : us - srtt_us;
	r->rttvar_us4 = r->rttvar_us4 - ((r->rttvar_us4 + 2) >> 2) + err_us;
	r->srtt_us8 = r->srtt_us8 - srtt_us + us;
}

void
rtt_hold(struct rtt *r, uint32_t rto_us)
{
	uint32_t srtt_us = rtt_srtt_us(r);

	r->rttvar_us4 = RTT_HELD | min_u32(rto_us > srtt_us ? rto_us - srtt_us : 0, ~RTT_HELD);
}

uint32_t
rtt_rto_us(const struct rtt *r, const struct rtt_limits *lim, uint32_t backoff)
{
	uint64_t rto_us = lim->initial_us;

	if (rtt_has_sample(r))
		rto_us = (uint64_t)rtt_srtt_us(r) +
			 max_u32(RTT_GRANULARITY_US, r->rttvar_us4 & ~RTT_HELD);
	rto_us = max_u64(rto_us, lim->floor_us);
	/* 2^31 times a microsecond is already above any ceiling of 32 bits. */
	return min_u64(rto_us << min_u32(backoff, 31), lim->ceil_us);
}
