/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* RACK: which segments are lost, by the time they were sent (RFC 8985 section 6,
 * DATA-39). A segment is lost if one sent later was delivered and the reordering window
 * has passed since. All times are microseconds modulo 2^32, `now` among them; the engine
 * walks its records and asks. */

#ifndef PMTCP_RECOVERY_RACK_H
#define PMTCP_RECOVERY_RACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/check.h"
#include "base/seq.h"

enum {
	RACK_DUP_THRESH = 3,
	RACK_PERSIST = 16, /* recoveries that a window widened by D-SACK lasts (6.2 step 4) */
	/* The minimum of the round trip is forgotten after one to two of these. */
	RACK_MIN_RTT_SHIFT = 24, /* 2^24 us, 16.8 s */
	RACK_SACKED_BITS = 13,   /* more segments than one flight has (SEC-14) */
	RACK_SACKED_MAX = (1 << RACK_SACKED_BITS) - 1,
	RACK_MORE_BITS = 7,
	RACK_MORE_MAX = (1 << RACK_MORE_BITS) - 1,
};

/* All zero but fack: nothing delivered yet. */
struct rack {
	uint32_t sent_us;         /* RACK.xmit_ts: of what was sent latest among the delivered */
	uint32_t end;             /* RACK.end_seq: and its right edge */
	uint32_t rtt_us;          /* RACK.rtt, 0: nothing delivered yet */
	uint32_t min_rtt_us;      /* RACK.min_RTT */
	uint32_t fack;            /* RACK.fack: right edge of the highest delivered */
	uint32_t dsack_round;     /* SND.NXT when a D-SACK last widened the window; means nothing
			       * unless within SND.UNA .. SND.NXT */
	uint32_t min_rtt_age : 6; /* when min_rtt_us began, units of 2^24 us */
	uint32_t n_sacked : RACK_SACKED_BITS; /* RACK.segs_sacked: of those in flight */
	uint32_t more : RACK_MORE_BITS;       /* RACK.reo_wnd_mult - 1 */
	uint32_t persist : 5;                 /* RACK.reo_wnd_persist */
	uint32_t is_reordered : 1;
};
STATIC_ASSERT(sizeof(struct rack) == 28);

/* One delivered segment, by ACK or SACK. */
struct rack_seg {
	uint32_t sent_us; /* its latest sending */
	uint32_t end;     /* right edge */
	bool is_rexmt;    /* it was sent more than once */
	bool is_original; /* and the peer's timestamp echo says: delivered by an earlier one */
};

/* One ACK, while its segments are gone through in whatever order. */
struct rack_ack {
	uint32_t fack;    /* RACK.fack before it: those it delivers together overtook nobody */
	uint32_t sent_us; /* of what was sent latest among those it delivered ... */
	uint32_t end;
	bool has_any; /* ... if there was one */
};

static inline struct rack_ack
rack_ack_begin(const struct rack *r)
{
	return (struct rack_ack){.fack = r->fack};
}

static inline void
rack_init(struct rack *r, uint32_t una)
{
	*r = (struct rack){.fack = una, .end = una, .dsack_round = una};
}

/* RACK_sent_after: a was sent after b. Segments of one burst have one time; then the
 * sequence decides. */
static inline bool
rack_sent_after(uint32_t a_us, uint32_t a_end, uint32_t b_us, uint32_t b_end)
{
	return a_us == b_us ? seq_gt(a_end, b_end) : seq_gt(a_us, b_us);
}

/* Steps 1 to 3 for a segment that was delivered: times, and was there reordering? */
void rack_delivered(
		struct rack *r, struct rack_ack *ack, uint32_t now_us, const struct rack_seg *seg);

/* So many segments became SACKed. */
static inline void
rack_sacked(struct rack *r, uint32_t segs)
{
	r->n_sacked = min_u32(r->n_sacked + segs, RACK_SACKED_MAX);
}

/* So many that were are no longer in flight. */
static inline void
rack_sacked_gone(struct rack *r, uint32_t segs)
{
	r->n_sacked -= min_u32(r->n_sacked, segs);
}

/* Step 4, on an ACK with a D-SACK: the window was too small. Once per round trip. */
void rack_dsack(struct rack *r, uint32_t una, uint32_t nxt);
/* Step 4: a recovery ended. */
void rack_recovered(struct rack *r);

/* RACK.reo_wnd: how long to wait for the reordered. */
uint32_t rack_reo_wnd_us(const struct rack *r, uint32_t srtt_us, bool is_recovering);

/* Step 5 for a segment that is neither delivered nor taken for lost: false if nothing can
 * be said; else *wait_us until it is lost, 0: it is. */
bool rack_judge(const struct rack *r, const struct rack_seg *seg, uint32_t reo_wnd_us,
		uint32_t now_us, uint32_t *wait_us);

#endif /* PMTCP_RECOVERY_RACK_H */
