/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Congestion control: how much may be in flight (RFC 5681, 3465, 6582, 6928).
 *
 * An algorithm is a table of functions over 24 octets of state. It knows no
 * connection, packet or clock: each event brings what it needs. Which event
 * happened - loss, partial ACK, timeout - is decided by the engine, with the
 * recovery point kept here. */

#ifndef PMTCP_RECOVERY_CC_H
#define PMTCP_RECOVERY_CC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/check.h"
#include "base/seq.h"

enum { CC_CWND_MAX = 1 << 30 }; /* the largest window of RFC 7323; also ssthresh at start */

enum cc_kind { CC_NEWRENO, CC_KINDS };

struct cc {
	uint32_t cwnd;     /* octets */
	uint32_t ssthresh; /* octets */
	uint32_t acked;    /* octets acknowledged towards the next increase (RFC 3465 2.1) */
	uint32_t recover;  /* SND.NXT when the last loss was found; ISS at start (RFC 6582) */
	uint32_t priv[2];  /* the algorithm's own */
};
STATIC_ASSERT(sizeof(struct cc) <= 24);

struct cc_event {
	uint32_t now_us;
	uint32_t srtt_us; /* 0: no sample yet */
	uint32_t mss;     /* SMSS, octets, > 0 */
	uint32_t bytes;   /* octets this ACK newly acknowledged; 0 where no ACK is meant */
	uint32_t flight;  /* FlightSize, octets: after the ACK for acked and the recovery
	                   * events, at the moment of detection for loss and timeout */
	uint32_t nxt;     /* SND.NXT, always; nxt - flight is SND.UNA. Becomes recover on loss */
	bool is_limited;  /* cwnd, not the application or the peer, held back sending since
	                   * the last ACK: only then it may grow (RFC 7661 reasoning, DATA-41) */
	bool is_rto;      /* acked, recovered: una has not passed the recover of a timeout;
	                   * timeout: this segment timed out before (ssthresh is kept) */
};

struct cc_ops {
	/* IW and no ssthresh; recover = e->nxt = ISS. */
	void (*init)(struct cc *cc, const struct cc_event *e);
	/* New octets acknowledged, outside fast recovery. */
	void (*acked)(struct cc *cc, const struct cc_event *e);
	/* Third duplicate ACK or SACK loss: enter fast recovery. */
	void (*loss)(struct cc *cc, const struct cc_event *e);
	/* A duplicate ACK within fast recovery, beyond the third. */
	void (*dup_ack)(struct cc *cc, const struct cc_event *e);
	/* New octets acknowledged within fast recovery, below recover. */
	void (*partial_ack)(struct cc *cc, const struct cc_event *e);
	/* Recover reached: leave fast recovery. */
	void (*recovered)(struct cc *cc, const struct cc_event *e);
	/* The retransmission timer fired. */
	void (*timeout)(struct cc *cc, const struct cc_event *e);
	/* Nothing was sent for longer than an RTO. */
	void (*idle)(struct cc *cc, const struct cc_event *e);
};

extern const struct cc_ops cc_newreno;

/* The table of an algorithm. Caller: kind < CC_KINDS. */
const struct cc_ops *cc_ops_get(enum cc_kind kind);

/* IW = min(10 * MSS, max(2 * MSS, 14600)), RFC 6928, DATA-43. A lost SYN makes it
 * one MSS (RFC 5681 3.1): the engine sets cwnd itself then. */
static inline uint32_t
cc_initial_window(uint32_t mss)
{
	return min_u32(10 * mss, max_u32(2 * mss, 14600));
}

/* The third duplicate ACK of una may start fast recovery: una covers more than the
 * last recovery did, so these are not echoes of our retransmissions (RFC 6582 3.2
 * step 2). At start recover is ISS, and una is above it. */
static inline bool
cc_may_enter(const struct cc *cc, uint32_t una)
{
	return seq_gt(una, cc->recover);
}

/* The ACK up to una is a full one: everything sent before the loss was found has
 * arrived (RFC 6582 3.2 step 3). */
static inline bool
cc_is_full_ack(const struct cc *cc, uint32_t una)
{
	return seq_geq(una, cc->recover);
}

#endif /* PMTCP_RECOVERY_CC_H */
