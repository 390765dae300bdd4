/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Congestion control: how much may be in flight (RFC 5681, 3465, 6582, 6928).
 *
 * An algorithm is a table of functions over 48 octets of state. It knows no
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

enum { CC_NO_EPOCH = INT32_MIN }; /* no curve yet: the next increase starts one */

enum cc_kind { CC_CUBIC, CC_NEWRENO, CC_KINDS };

/* CUBIC's own state (RFC 9438); windows in octets, times in ticks of 1024 us. */
struct cc_cubic {
	uint32_t w_max; /* where the plateau of the curve lies; 0: not known */
	union {
		uint32_t prior_w_max; /* for undo, as all that is called prior */
		uint32_t mark_end;    /* the engine's, while there is nothing to undo: the end
				       * of the window in which a mark was answered */
	};
	uint32_t w_est; /* what Reno would have reached (4.3) */
	int32_t pos;    /* t - K, or CC_NO_EPOCH */
	int32_t prior_pos;
	uint16_t last;      /* tick of the last ACK, modulo 2^16 */
	uint16_t prior_est; /* w_est / cwnd, in 1/65535 */
};

struct cc {
	uint32_t cwnd;     /* octets */
	uint32_t ssthresh; /* octets */
	union {
		uint32_t acked; /* NewReno: octets towards the next increase (RFC 3465 2.1) */
		struct {        /* CUBIC: of an octet, in 1/65536 */
			uint16_t cwnd_frac;
			uint16_t est_frac;
		};
	};
	uint32_t recover;        /* SND.NXT when the last loss was found; ISS at start (RFC 6582) */
	uint32_t prior_cwnd;     /* before the last reduction; 0: there was none */
	uint32_t prior_ssthresh; /* likewise; 0: nothing can be undone */
	struct cc_cubic cubic;
};
STATIC_ASSERT(sizeof(struct cc) <= 48);

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
	uint8_t iw;       /* initial window, segments; 0: 10. For init, idle and undo */
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
	/* The peer echoed a congestion mark: the reduction of a loss without one (RFC 3168
	 * 6.1.2). That it happens once per window of data is the engine's business: recover
	 * is for losses, and stays. */
	void (*ecn)(struct cc *cc, const struct cc_event *e);
	/* The last loss or timeout was none, as an ACK of e->bytes told: what it changed is as
	 * before it, as far as no burst comes of that (RFC 4015 section 3, RFC 9438 4.9,
	 * DATA-42). Once; nothing happens if there is nothing to undo. */
	void (*undo)(struct cc *cc, const struct cc_event *e);
};

extern const struct cc_ops cc_newreno;
extern const struct cc_ops cc_cubic;

/* The table of an algorithm. Caller: kind < CC_KINDS. */
const struct cc_ops *cc_ops_get(enum cc_kind kind);

/* The algorithm changes in the middle of a connection: the next begins at the window as
 * it is, without a history. */
void cc_switch(struct cc *cc);

enum { CC_IW = 10, CC_IW_MSS = 1460, CC_IW_RFC5681 = 255 };

/* RFC 5681 3.1, DEC-13. */
static inline uint32_t
cc_initial_window_rfc5681(uint32_t mss)
{
	return (mss > 2190 ? 2 : mss > 1095 ? 3 : 4) * mss;
}

/* IW = min(10 * MSS, max(2 * MSS, 14600)), RFC 6928, DATA-43, or so with another number of
 * segments than 10 (0: 10), or CC_IW_RFC5681. A lost SYN makes it one MSS (RFC 5681 3.1): the
 * engine sets cwnd itself then. */
static inline uint32_t
cc_initial_window(uint32_t mss, uint32_t segments)
{
	uint32_t n = segments ? segments : CC_IW;

	if (segments == CC_IW_RFC5681)
		return cc_initial_window_rfc5681(mss);
	return min_u32(n * mss, max_u32(2 * mss, n * CC_IW_MSS));
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

/* ---- for the algorithms: what they have in common (cc.c) ---- */

/* RFC 3465 2.2 and 2.3: one ACK opens slow start by at most L segments, L = 2; after a
 * timeout L = 1, since that ACK may cover what had long been delivered. */
enum { CC_SLOW_START_L = 2, CC_SLOW_START_L_RTO = 1 };

static inline uint32_t
cc_cwnd_add(uint32_t cwnd, uint32_t bytes)
{
	return min_u32(cwnd + min_u32(bytes, CC_CWND_MAX), CC_CWND_MAX);
}

/* New state: IW and no threshold. */
void cc_start(struct cc *cc, const struct cc_event *e);
/* Keeps the recovery point comparable with una on connections that go on for gigabytes
 * without loss. */
void cc_recover_drag(struct cc *cc, const struct cc_event *e);
/* One ACK's opening in slow start; octets, not ACKs, count (SEC-12). */
void cc_slow_start(struct cc *cc, const struct cc_event *e);
/* Remembers what undo restores. */
void cc_save(struct cc *cc, const struct cc_event *e);
/* cc_ops that do not depend on the algorithm: fast recovery of RFC 6582. */
void cc_dup_ack(struct cc *cc, const struct cc_event *e);
void cc_partial_ack(struct cc *cc, const struct cc_event *e);
void cc_recovered(struct cc *cc, const struct cc_event *e);

#endif /* PMTCP_RECOVERY_CC_H */
