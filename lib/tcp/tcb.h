/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The three connection blocks: half-open 64 bytes, full 128, TIME-WAIT 64.
 *
 * The state decides the memory. All three begin with the same 32-byte head, are
 * found by the same table lookup, lie on the same wheel and carry the mark link
 * of the output pass at the same place. A block is named by its index: its place
 * in the core's region counted in units of 64 bytes, 0 is none.
 *
 * This file knows layout and invariants; what happens to a block is the other
 * files' business. */

#ifndef PMTCP_TCP_TCB_H
#define PMTCP_TCP_TCB_H

#include <pmtcp.h>

#include "base/base.h"
#include "base/check.h"
#include "flow/flow_key.h"
#include "recovery/rtt.h"
#include "wheel/wheel.h"

enum block_kind {
	BLOCK_DEAD, /* in no table and on no wheel; waits for its mark to be taken off */
	BLOCK_TCB,
	BLOCK_SYN_RCVD,
	BLOCK_TIME_WAIT,
	BLOCK_PARKED, /* a TIME-WAIT entry set aside while a reopening SYN is on trial (TW-10) */
	BLOCK_ENDED,  /* a tcb whose connection is over and whose handle still lives */
};

/* States carry the names of RFC 9293; the bare ones belong to <netinet/tcp.h>. */
enum tcp_state {
	TCPS_CLOSED = PMTCP_CLOSED,
	TCPS_LISTEN = PMTCP_LISTEN,
	TCPS_SYN_SENT = PMTCP_SYN_SENT,
	TCPS_SYN_RCVD = PMTCP_SYN_RCVD,
	TCPS_ESTABLISHED = PMTCP_ESTABLISHED,
	TCPS_FIN_WAIT_1 = PMTCP_FIN_WAIT_1,
	TCPS_FIN_WAIT_2 = PMTCP_FIN_WAIT_2,
	TCPS_CLOSE_WAIT = PMTCP_CLOSE_WAIT,
	TCPS_CLOSING = PMTCP_CLOSING,
	TCPS_LAST_ACK = PMTCP_LAST_ACK,
	TCPS_TIME_WAIT = PMTCP_TIME_WAIT,
};

struct block_head {
	struct flow_key key;
	uint8_t kind;            /* enum block_kind */
	uint8_t state;           /* enum tcp_state */
	uint16_t hop;            /* next hop, index of the hop table */
	uint32_t mark_next;      /* 0: not marked; MARK_END: last of its list */
	struct wheel_node timer; /* offset 20, as the wheel expects */
};
STATIC_ASSERT(sizeof(struct block_head) == 32);
STATIC_ASSERT(offsetof(struct block_head, mark_next) == 16);
STATIC_ASSERT(offsetof(struct block_head, timer) == 20);

#define MARK_END UINT32_MAX

/* Can a segment find it? One of the three kinds between DEAD and PARKED. */
static inline bool
block_is_in_table(const struct block_head *b)
{
	return (uint8_t)(b->kind - BLOCK_TCB) <= BLOCK_TIME_WAIT - BLOCK_TCB;
}

/* tcb.flags. "Due" bits are what the output pass owes the peer. */
enum tcb_flag {
	TCB_ACTIVE = 1u << 0,         /* opened by us: owns an ephemeral port */
	TCB_TS = 1u << 1,             /* timestamps negotiated */
	TCB_SACK = 1u << 2,           /* SACK negotiated */
	TCB_WSCALE = 1u << 3,         /* window scaling negotiated */
	TCB_SYN_DUE = 1u << 4,        /* SYN, or SYN-ACK in SYN-RCVD */
	TCB_ACK_DUE = 1u << 5,        /* an ACK must leave in this output pass */
	TCB_DELACK = 1u << 6,         /* an ACK is owed by the time in `delack` */
	TCB_RST_DUE = 1u << 7,        /* RSTX: the connection ended and the peer must know */
	TCB_REXMT_DUE = 1u << 8,      /* send the first unacknowledged segment (or FIN) again */
	TCB_PROBE_DUE = 1u << 9,      /* zero-window probe */
	TCB_FIN_WANTED = 1u << 10,    /* shutdown or close was called: FIN after the queue */
	TCB_FIN_SENT = 1u << 11,      /* our FIN's number is snd.nxt - 1 */
	TCB_FIN_RCVD = 1u << 12,      /* the peer's FIN's number is rcv.nxt - 1 */
	TCB_ORPHAN = 1u << 13,        /* full close: the application gave up both directions */
	TCB_RELEASED = 1u << 14,      /* close, abort or detach was called on the handle */
	TCB_DETACHED = 1u << 15,      /* no events ever again */
	TCB_CLOSED_POPPED = 1u << 16, /* the application has seen CLOSED */
	TCB_SHORT_SEND = 1u << 17,    /* a send was cut short: WRITABLE is owed */
	TCB_SYN_REXMT = 1u << 18,     /* the SYN or SYN-ACK was sent more than once */
	TCB_CWR_DUE = 1u << 19,       /* the next new segment says that cwnd was reduced */
	TCB_SYN_LOST = 1u << 20,      /* the SYN or SYN-ACK timed out more than once (OPEN-13) */
	TCB_SYN_UNACKED = 1u << 21,   /* una is our SYN's number */
	TCB_CHALLENGED = 1u << 22,    /* challenge_epoch is meaningful */
	TCB_ECN = 1u << 23,           /* ECN negotiated (DATA-44) */
	TCB_QUICKACK = 0xfu << 24,    /* full segments still to be acknowledged at once */
	TCB_TIMER = 7u << 28,         /* enum tcb_timer */
	TCB_ECE_DUE = 1u << 31,       /* a mark came: ECE with every ACK until CWR */
};
#define TCB_QUICKACK_SHIFT 24
/* tcb.dups: what this burst is owed. */
#define TCB_DUPS_OWED   0x07
#define TCB_GAP_FILLED  0x08
#define TCB_TIMER_SHIFT 28

/* The transmit timers exclude each other: one deadline and one kind do. */
enum tcb_timer {
	TIMER_NONE,
	TIMER_SYN,      /* SYN or SYN-ACK of a tcb */
	TIMER_REXMT,    /* data or FIN in flight */
	TIMER_PERSIST,  /* nothing in flight, something to send, no window */
	TIMER_OVERRIDE, /* sender's SWS avoidance holds a segment back (DATA-21) */
	TIMER_FW2,      /* FIN-WAIT-2 limit */
	TIMER_IDLE,     /* nothing in flight: restart cwnd, give the side record back */
	TIMER_PROBE,    /* data in flight: loss probe, or RACK's reordering (RFC 8985) */
};

struct tcb {
	struct block_head head;
	struct {
		uint32_t una;
		uint32_t nxt; /* never moves back, so it is SND.MAX too */
		uint32_t wnd; /* scaled */
		uint32_t wl1; /* IRS until ESTABLISHED; WL2 is never above una and needs no field */
	} snd;
	struct {
		uint32_t nxt;
		uint32_t adv; /* right edge offered to the peer; never moves left (DATA-18) */
	} rcv;
	uint32_t ts_recent;
	uint32_t flags;

	void *user;
	uint32_t ready_next;     /* 0: not on the ready list */
	uint8_t events;          /* PMTCP_EV_* not popped yet */
	uint8_t reason;          /* of CLOSED, else of ERROR */
	uint16_t cls;            /* option class */
	uint32_t ts_offset;      /* our timestamp clock minus the millisecond clock */
	uint32_t ack_sent;       /* Last.ACK.sent: owed is rcv.nxt - ack_sent */
	uint32_t deadline;       /* of the transmit timer, ms tick */
	uint16_t delack;         /* low half of the delayed ACK's ms tick; ENDED: last ICMP error */
	uint8_t retries;         /* of what is sent again now; its RTO back-off too */
	uint8_t wscales;         /* peer's shift << 4 | ours */
	struct rtt rtt;          /* before ESTABLISHED srtt_us8 holds when the SYN left, us */
	uint16_t smss;           /* payload per segment, options taken off */
	uint16_t max_wnd;        /* largest window ever offered, unscaled (SEC-3) */
	uint32_t last_rx;        /* ms: PAWS expiry (DATA-27) */
	uint32_t tx;             /* side record, 0 none */
	uint32_t rx;             /* side record, 0 none */
	uint32_t rare;           /* side record, 0 none */
	uint16_t addr_sum;       /* folded sum of both addresses: pseudo-header and IP header */
	uint8_t dups;            /* duplicate ACKs: received << 4 | TCB_GAP_FILLED | owed */
	uint8_t challenge_epoch; /* of the last challenge ACK, units of 128 ms */
};
STATIC_ASSERT(sizeof(struct tcb) == 128);
STATIC_ASSERT(offsetof(struct tcb, snd) == 32);
STATIC_ASSERT(offsetof(struct tcb, user) == 64);

/* It ends at the tick of its timer, which stays there while it is parked. */
struct time_wait {
	struct block_head head;
	uint32_t snd_nxt;
	uint32_t rcv_nxt;
	uint32_t ts_recent;
	uint32_t ts_offset;
	uint32_t entered; /* ms; the age of ts_recent and TW-12 need it */
	uint32_t hash_lo; /* lower half of the key's hash: its first bucket */
	uint16_t window;  /* last window field sent */
	uint16_t cls;
	uint16_t addr_sum;
	uint8_t flags; /* enum time_wait_flag */
	uint8_t challenge_epoch;
};
STATIC_ASSERT(sizeof(struct time_wait) == 64);

enum time_wait_flag {
	TW_ACTIVE = 0x01, /* the connection was opened by us */
	TW_TS = 0x02,
	TW_ACK_DUE = 0x04,
	TW_CHALLENGED = 0x08, /* challenge_epoch is meaningful */
	TW_ABORTED = 0x10,    /* by our RST, which is the answer to all (DEC-2) */
};

struct syn_rcvd {
	struct block_head head;
	uint32_t iss;
	uint32_t irs;
	uint32_t ts_recent;
	uint16_t sent; /* when the last SYN-ACK left, units of 64 us */
	uint8_t flags; /* enum syn_rcvd_flag */
	uint8_t challenge_epoch;
	uint16_t wnd; /* of the SYN, unscaled */
	uint16_t mss; /* the peer's, options not taken off */
	uint16_t cls;
	uint8_t wscale : 4;   /* the peer's shift */
	uint8_t is_early : 1; /* the node stands before the deadline (tcp_timer.c) */
	uint8_t tries;        /* SYN-ACKs sent again */
	uint32_t parked;      /* TIME-WAIT entry this one replaced, 0 none */
	uint32_t ts_offset;
};
STATIC_ASSERT(sizeof(struct syn_rcvd) == 64);

enum syn_rcvd_flag {
	SR_TS = 0x01,
	SR_SACK = 0x02,
	SR_WSCALE = 0x04,
	SR_SYN_DUE = 0x08,    /* a SYN-ACK is due */
	SR_ACK_DUE = 0x10,    /* an ACK is due: challenge, or answer to old text */
	SR_CHALLENGED = 0x20, /* challenge_epoch is meaningful */
	SR_REPEATED = 0x40,   /* the SYN-ACK was sent more than once, for whatever cause */
	SR_ECN = 0x80,        /* every SYN offered ECN, and we agree (DATA-44) */
};
#define SR_SENT_SHIFT 6

static inline bool
tcb_has(const struct tcb *c, uint32_t flags)
{
	return (c->flags & flags) != 0;
}

static inline enum tcb_timer
tcb_timer(const struct tcb *c)
{
	return (enum tcb_timer)((c->flags & TCB_TIMER) >> TCB_TIMER_SHIFT);
}

static inline void
tcb_set_timer(struct tcb *c, enum tcb_timer timer)
{
	c->flags = (c->flags & ~(uint32_t)TCB_TIMER) | (uint32_t)timer << TCB_TIMER_SHIFT;
}

static inline uint8_t
tcb_snd_shift(const struct tcb *c)
{
	return c->wscales >> 4;
}

static inline uint8_t
tcb_rcv_shift(const struct tcb *c)
{
	return c->wscales & 0x0f;
}

/* The largest window that the field can tell. */
static inline uint32_t
tcb_rcv_wnd_max(const struct tcb *c)
{
	return (uint32_t)UINT16_MAX << tcb_rcv_shift(c);
}

/* A window from a SYN, whose field is never scaled, in units of the scale; rounded up,
 * so that without scaling it stays as it is. */
static inline uint16_t
tcb_scaled_up(uint16_t wnd, uint8_t shift)
{
	return (uint16_t)((wnd + (1u << shift) - 1) >> shift);
}

/* The window the peer may use: what was offered and not yet filled. */
static inline uint32_t
tcb_rcv_wnd(const struct tcb *c)
{
	return c->rcv.adv - c->rcv.nxt;
}

static inline bool
tcb_is_synchronized(const struct tcb *c)
{
	return c->head.state >= TCPS_ESTABLISHED;
}

/* The peer has ended its direction: text is no longer taken. */
static inline bool
tcb_is_past_fin(const struct tcb *c)
{
	return (c->flags & TCB_FIN_RCVD) != 0;
}

/* Our FIN is in flight or acknowledged and una says which; an ACK of less does not move
 * the closing states (CLOSE-18, NEG-14). */
static inline bool
tcb_fin_is_acked(const struct tcb *c)
{
	return (c->flags & TCB_FIN_SENT) && c->snd.una == c->snd.nxt;
}

/* One gate for every change of state; traps on a step RFC 9293 does not know. */
void tcb_set_state(struct tcb *c, enum tcp_state state);

/* Invariants of one tcb, with CHECK. */
void tcb_check(const struct tcb *c);

#endif /* PMTCP_TCP_TCB_H */
