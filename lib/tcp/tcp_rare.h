/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The side record of what few connections need: keepalive, user timeout, linger,
 * urgent data, path MTU, ICMP errors. A connection that uses none of it has none,
 * and its only cost is a branch on tcb.rare where the line is touched anyway.
 *
 * Its deadlines are slow ones. tcp_timer.c folds the earliest into the block's
 * one wheel node; like there, a later deadline leaves the node where it is. */

#ifndef PMTCP_TCP_TCP_RARE_H
#define PMTCP_TCP_TCP_RARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/check.h"

struct tcp;
struct tcb;
struct tcp_burst;
struct wire_tcp;
struct seg;

/* tcp_rare.flags: which deadlines run, and what else is true. */
enum rare_flag {
	RARE_KEEP = 0x01,     /* keep_at: keepalive */
	RARE_USER = 0x02,     /* user_since plus the class's user timeout */
	RARE_LINGER = 0x04,   /* linger_at */
	RARE_PMTU = 0x08,     /* pmtu_at: try a larger path MTU again */
	RARE_KEEP_DUE = 0x10, /* a keepalive probe must leave in this output pass */
	RARE_URG_RCV = 0x20,  /* rcv_up is ahead of what the application has read */
	RARE_URG_SND = 0x40,  /* snd_up is ahead of snd.una */
};

struct tcp_rare {
	uint32_t flags;      /* enum rare_flag */
	uint32_t heard_ms;   /* when the peer sent anything acceptable last */
	uint32_t keep_at;    /* ms: the next look, or the next probe */
	uint32_t user_since; /* ms: since then something waits for an ACK without progress */
	uint32_t linger_at;  /* ms */
	uint32_t rcv_up;     /* RCV.UP: behind the peer's last urgent octet */
	uint32_t snd_up;     /* SND.UP: behind ours */
	uint32_t pmtu_at;    /* ms */
	uint16_t path_mtu;   /* 0: not reduced */
	uint16_t saved_mss;  /* smss before the path MTU was reduced */
	uint8_t pmtu_state;  /* black-hole detection */
	uint8_t icmp_type;   /* of the last ICMP error, as on the wire */
	uint8_t icmp_code;
	uint8_t keep_tries;      /* probes unanswered */
	uint32_t icmp_ms;        /* when it came */
	uint32_t pmtu_claim_seq; /* of the segment that pmtu_claim was about */
	uint16_t pmtu_claim;     /* an MTU that a router said and nothing bore out; 0 none */
	uint16_t spare16;
	uint32_t spare[3];
};
STATIC_ASSERT(sizeof(struct tcp_rare) == 64);

/* ---- tcp_rare.c ---- */
/* Something of ours, SYN and FIN included, is unsent or unacknowledged. */
bool tcp_is_waiting(const struct tcp *t, const struct tcb *c);
/* The record of this connection, made if need be; NULL (counted) if the share is
 * empty: then the connection goes on without. */
struct tcp_rare *tcp_rare_get(struct tcp *t, struct tcb *c);
void tcp_rare_release(struct tcp *t, struct tcb *c);
/* The earliest deadline; false: none runs. */
bool tcp_rare_deadline(const struct tcp *t, const struct tcb *c, uint32_t *at);
/* Runs what is due; may end the connection. Caller: c->rare. */
void tcp_rare_timeout(struct tcp *t, struct tcb *c);
/* The tcb entered SYN-SENT or ESTABLISHED and its class asks for slow timers. */
void tcp_rare_opened(struct tcp *t, struct tcb *c);
void tcp_rare_established(struct tcp *t, struct tcb *c);
/* A segment of the peer arrived, its numbers acceptable. Caller: c->rare. */
void tcp_rare_heard(struct tcp *t, struct tcb *c);
/* una moved. Caller: c->rare. */
void tcp_rare_acked(struct tcp *t, struct tcb *c);
/* Data or a FIN was queued. Caller: c->rare. */
void tcp_rare_queued(struct tcp *t, struct tcb *c);
/* An option changed that the record depends on. */
void tcp_rare_options(struct tcp *t, struct tcb *c);

/* ---- tcp_user_timeout.c ---- */
void tcp_user_timeout(struct tcp *t, struct tcb *c);
/* CLOSE with a linger time. */
void tcp_linger_start(struct tcp *t, struct tcb *c);
void tcp_linger_timeout(struct tcp *t, struct tcb *c);
/* ---- tcp_keepalive.c ---- */
void tcp_keepalive_start(struct tcp *t, struct tcb *c);
void tcp_keepalive_unask(struct tcp *t, struct tcb *c);
void tcp_keepalive_timeout(struct tcp *t, struct tcb *c);
/* False: no room or no packet buffer. */
bool tcp_keepalive_output(struct tcp *t, struct tcb *c, struct tcp_burst *b);

/* ---- tcp_urgent.c ---- */
void tcp_check_urg(struct tcp *t, struct tcb *c, const struct seg *seg);
/* Octets to the end of the peer's urgent data, whether they have come or not. */
uint32_t tcp_urgent_left(const struct tcp *t, const struct tcb *c);
/* Forgets marks that were passed, or after 2^31 octets they would lie ahead again.
 * Caller: c->rare. */
void tcp_urgent_drag(struct tcp *t, struct tcb *c);
int tcp_user_urgent(struct tcp *t, struct tcb *c);
void tcp_urgent_fill(const struct tcp_rare *r, struct wire_tcp *w);

#endif /* PMTCP_TCP_TCP_RARE_H */
