/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* ICMP errors about what we sent, as the engine takes them from the layer above, and the
 * path MTU that some of them tell (RFC 5927, 1191, 8201). */

#ifndef PMTCP_TCP_TCP_ICMP_H
#define PMTCP_TCP_TCP_ICMP_H

#include <stdint.h>

#include <pmtcp.h>

#include "flow/flow_key.h"

struct tcp;
struct tcb;
struct tcp_tx;

/* ---- tcp_icmp.c: errors about what we sent ---- */
enum tcp_icmp_kind {
	TCP_ICMP_NONE, /* not acted on */
	TCP_ICMP_SOFT,
	TCP_ICMP_HARD,    /* port or protocol unreachable, or their IPv6 likes (SEC-9) */
	TCP_ICMP_TOO_BIG, /* a router could not forward it whole */
};

/* One ICMP error of either family, parsed and within its bounds (W-22). */
struct tcp_icmp_error {
	struct flow_key key;            /* of the segment we sent, from our side */
	const struct flow_addr6 *addr6; /* its addresses; NULL: IPv4 */
	uint32_t seq;                   /* its sequence number */
	uint32_t mtu;                   /* too-big: of the next hop, IP packet octets; 0 unknown */
	uint16_t inner_len;             /* IP packet octets of that segment, 0 unknown */
	uint8_t kind;                   /* enum tcp_icmp_kind */
	uint8_t type;                   /* as received: for STATUS */
	uint8_t code;
};
/* What an error message of this IP version is. */
enum tcp_icmp_kind tcp_icmp_kind(uint8_t version, uint8_t type, uint8_t code);
/* Counts the frame's fate. Caller: the key's local address is ours. */
void tcp_icmp_error(struct tcp *t, const struct tcp_icmp_error *e);

/* Type and code of the last one that concerned the connection, 0 none. */
uint16_t tcp_icmp_last(const struct tcp *t, const struct tcb *c);

/* ---- tcp_pmtud.c: the path MTU ---- */
/* @return the frame's fate. Caller: e->seq is in flight. */
enum pmtcp_counter tcp_pmtu_too_big(struct tcp *t, struct tcb *c, const struct tcp_icmp_error *e);
/* The retransmission timer ran out with text in flight; before it is taken for lost. */
void tcp_pmtu_timeout(struct tcp *t, struct tcb *c, const struct tcp_tx *tx);
/* Something larger may be tried again. Caller: c->rare. */
void tcp_pmtu_raise(struct tcp *t, struct tcb *c);
/* The handshake is done, and something is known of some path. */
void tcp_pmtu_opened(struct tcp *t, struct tcb *c);
/* una moved. Caller: c->rare. */
void tcp_pmtu_acked(struct tcp *t, struct tcb *c);

#endif /* PMTCP_TCP_TCP_ICMP_H */
