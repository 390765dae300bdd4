/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The side record of a sender: its queue, its window, what it knows of losses. */

#ifndef PMTCP_TCP_TCP_TX_H
#define PMTCP_TCP_TCP_TX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/check.h"
#include "recovery/cc.h"
#include "recovery/prr.h"
#include "recovery/rack.h"
#include "stream/sendq.h"
#include "tcp/slab.h"

enum {
	TCP_TX_UNITS = 3, /* of a slab, per record */
	/* SEC-14, W-31: segments of one connection in flight. The largest send buffer in full
	 * segments of 1024 octets; a peer of tiny ones gets a smaller window, not longer walks. */
	TCP_SEGS_MAX = 4096,
	TCP_CLONE_MIN = 512, /* octets from which cloning is cheaper than copying */
};

enum tcp_tx_flag {
	TX_MARKED = 1u << 15,      /* a mark was answered in the window up to cc.cubic.mark_end */
	TX_LIMITED = 1u << 0,      /* cwnd held sending back since the last ACK */
	TX_OVERRIDE = 1u << 1,     /* send what there is: sender's SWS override (DATA-21) */
	TX_IN_RECOVERY = 1u << 2,  /* fast recovery (RFC 6582, 6675) */
	TX_RTO_RECOVERY = 1u << 3, /* una has not passed the recovery point of a timeout */
	TX_REO_TIMER = 1u << 4,    /* TIMER_PROBE is RACK's reordering timer, else TLP's */
	TX_TLP_DUE = 1u << 5,      /* a loss probe must leave */
	TX_TLP_OUT = 1u << 6,      /* one is in flight, up to tlp_end */
	TX_TLP_REXMT = 1u << 7,    /* and what it carried had been sent before */
	TX_FRTO_1 = 1u << 8,       /* F-RTO waits for the first ACK after the timeout */
	TX_FRTO_2 = 1u << 9,       /* and for the next, while only new segments leave */
	TX_EIFEL = 1u << 10,       /* the ACK of what was sent again says which arrived */
	TX_UNDO = 1u << 11,        /* undo_n counts towards undoing the reduction */
	TX_FULL_CAME = 1u << 12,   /* as much as a full segment was acknowledged at once: the path
				    * is hardly one that swallows these (DATA-46) */
	TX_LOST_AGAIN = 1u << 13,  /* RACK just found lost what this recovery sent again */
	TX_CUT_AGAIN = 1u << 14,   /* the window was reduced for such a loss in this recovery */
};

/* Either kind of recovery. */
#define TX_RECOVERING (TX_IN_RECOVERY | TX_RTO_RECOVERY)
#define TX_FRTO       (TX_FRTO_1 | TX_FRTO_2)

/* Side record of a connection that has something queued, or lately had. */
struct tcp_tx {
	struct sendq q;
	struct cc cc;
	uint16_t flags;     /* enum tcp_tx_flag */
	uint8_t undo_n;     /* segments sent again and not reported as duplicates yet; UNDO_MAX:
			      * too many to be counted */
	uint8_t credit;     /* records that walks for SACK blocks may pass, in CREDIT_VISITS */
	uint32_t sacked;    /* octets in flight marked SACKED */
	uint32_t lost;      /* octets in flight marked LOST: to be sent again */
	uint32_t sent_ms;   /* of the last data segment: idle restart (RFC 5681 4.1) */
	uint32_t small_end; /* Minshall: behind the last small segment sent (RFC 9293 A.3) */
	uint32_t rexmt_rec; /* the record of rexmt_from; 0: to be looked up (SEC-14). With SACK:
			      * none before it is marked LOST, if any is */
	union {
		struct {                     /* without SACK */
			uint32_t rexmt_end;  /* go-back point after a timeout: records below are
					      * sent again */
			uint32_t rexmt_from; /* next octet to send again; == rexmt_end: nothing */
		};
		/* With it. The cursors keep walks short (SEC-14); 0: none. */
		struct {
			uint32_t undo_from;   /* SND.UNA when the window was reduced last */
			uint32_t judge_rec;   /* where RACK goes on to judge */
			uint32_t sack_rec[2]; /* where the walk for the newest block ended, and
					       * that of the one before it */
		};
	};
	struct rack rack;
	union {
		struct prr prr;           /* in recovery */
		struct {                  /* outside of it */
			uint32_t tlp_end; /* SND.NXT when the loss probe left */
			uint32_t rto_at;  /* while its timer runs: the RTO's deadline, ms */
		};
	};
};
STATIC_ASSERT(sizeof(struct tcp_tx) <= TCP_TX_UNITS * SLAB_UNIT);

/* Octets in flight: sent, and neither acknowledged, nor SACKed, nor taken for lost. */
static inline uint32_t
tcp_pipe(const struct tcp_tx *tx)
{
	return sendq_flight(&tx->q) - tx->sacked - tx->lost;
}

static inline bool
tcp_tx_has(const struct tcp_tx *tx, uint32_t flags)
{
	return (tx->flags & flags) != 0;
}

#endif /* PMTCP_TCP_TCP_TX_H */
