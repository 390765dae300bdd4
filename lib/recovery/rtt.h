/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Round-trip time and retransmission timeout (RFC 6298, DATA-31), in integers.
 *
 * SRTT is kept times 8 and RTTVAR times 4, so that the shifts by alpha = 1/8 and
 * beta = 1/4 lose nothing. What may be sampled (Karn, RFC 7323 section 4.1) is the
 * caller's decision; so is running the timer. */

#ifndef PMTCP_RECOVERY_RTT_H
#define PMTCP_RECOVERY_RTT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RTT_INITIAL_US = 1000000,       /* RTO before any sample, RFC 6298 2.1 */
	RTT_INITIAL_LOST_US = 3000000,  /* the same after the SYN's timer expired, RFC 6298 5.7 */
	RTT_FLOOR_US = 200000,          /* DEC-6 */
	RTT_FLOOR_RFC_US = 1000000,     /* DEC-6, preset "rfc": RFC 6298 2.4 */
	RTT_CEIL_US = 60000000,         /* RFC 6298 2.5 */
	RTT_GRANULARITY_US = 1000,      /* one tick of the wheel and of the timestamp clock */
	RTT_SAMPLE_MAX_US = 0x0fffffff, /* longer ones are taken for this: no overflow times 8 */
};

/* In rttvar_us4: what lies below it is what a backed-off RTO has above SRTT. */
#define RTT_HELD (1u << 31)

/* Beside each other in the tcb as srtt and rttvar. All zero: no sample yet. */
struct rtt {
	uint32_t srtt_us8;   /* SRTT times 8 */
	uint32_t rttvar_us4; /* RTTVAR times 4, or RTT_HELD */
};

struct rtt_limits {
	uint32_t initial_us;
	uint32_t floor_us;
	uint32_t ceil_us;
};

/* DEC-6 defaults. */
#define RTT_LIMITS_DEFAULT                                                                         \
	{                                                                                          \
		.initial_us = RTT_INITIAL_US, .floor_us = RTT_FLOOR_US, .ceil_us = RTT_CEIL_US     \
	}

void rtt_init(struct rtt *r);

static inline bool
rtt_has_sample(const struct rtt *r)
{
	return r->srtt_us8 != 0;
}

static inline uint32_t
rtt_rttvar_us(const struct rtt *r)
{
	return (r->rttvar_us4 & ~RTT_HELD) >> 2;
}

static inline uint32_t
rtt_srtt_us(const struct rtt *r)
{
	return r->srtt_us8 >> 3;
}

/* The timeout before any doubling is not above this floor. Caller: rtt_has_sample(). */
static inline bool
rtt_floor_holds(const struct rtt *r, uint32_t floor_us)
{
	uint32_t var_us = r->rttvar_us4 & ~RTT_HELD;

	return floor_us >= RTT_GRANULARITY_US + rtt_srtt_us(r) &&
	       var_us <= floor_us - rtt_srtt_us(r);
}

/* Takes one measurement made by a clock of granularity g_us (1 for our own
 * microseconds, 1000 for timestamps). A result below the granularity counts as
 * the granularity, which never underestimates. */
void rtt_sample(struct rtt *r, uint32_t sample_us, uint32_t g_us);

/* Keeps a backed-off RTO until the next sample, which then counts as the first: what was
 * known before an outage is hardly true behind it (RFC 6298 section 5). Caller:
 * rtt_has_sample(). */
void rtt_hold(struct rtt *r, uint32_t rto_us);

/* The timeout after `backoff` doublings: floor <= SRTT + max(G, 4 * RTTVAR), then
 * doubled, at most the ceiling (RFC 6298 2.3, 2.4, 2.5, 5.5). */
uint32_t rtt_rto_us(const struct rtt *r, const struct rtt_limits *lim, uint32_t backoff);

#endif /* PMTCP_RECOVERY_RTT_H */
