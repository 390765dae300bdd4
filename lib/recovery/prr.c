/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* PRR's arithmetic: see prr.h. */

#include "base/base.h"
#include "recovery/prr.h"

void
prr_begin(struct prr *p, uint32_t flight)
{
	*p = (struct prr){.flight = max_u32(flight, 1)};
}

uint32_t
prr_ack(struct prr *p, const struct prr_ack *ack)
{
	uint32_t delivered = min_u32(ack->delivered, UINT32_MAX - p->delivered);
	uint64_t allowed;
	uint32_t limit;

	p->delivered += delivered;
	if (ack->pipe > ack->ssthresh) {
		/* Proportional: ssthresh out for each RecoverFS in, rounded up. */
		allowed = ((uint64_t)p->delivered * ack->ssthresh + p->flight - 1) / p->flight;
		allowed = allowed > p->out ? allowed - p->out : 0;
		return (uint32_t)min_u64(allowed, UINT32_MAX / 2);
	}
	/* Below it: as much as was delivered, and with news of progress one segment more
	 * (section 3: the slow start bound where it is safe, else conservation). */
	limit = p->delivered > p->out ? p->delivered - p->out : 0;
	limit = max_u32(limit, delivered); /* or the ACK clock could stop (RFC 9937) */
	if (ack->is_safe)
		limit += ack->mss;
	return min_u32(ack->ssthresh - ack->pipe, limit);
}
