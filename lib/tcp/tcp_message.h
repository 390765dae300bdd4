/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A message: text that was written into an empty queue, is less than a segment and all there
 * is. Requests and responses are such. Sent at once, arrived whole and acknowledged whole, it
 * needs no queue, no congestion window and no book of losses, so of its side record only one
 * line is ever touched. Whoever wants to know more of it than this file does asks tcp_tx(),
 * which first makes the whole record of it, as it would be. */

#ifndef PMTCP_TCP_TCP_MESSAGE_H
#define PMTCP_TCP_TCP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "tcp/slab.h"
#include "tcp/tcb.h"

struct tcp;
struct tcp_burst;

/* tcb.tx: the record is a message. Shares are smaller than that. */
#define TCP_TX_MESSAGE (1u << 31)

/* What the record is then. */
struct tcp_message {
	struct rte_mbuf *m; /* nobody else's */
	uint32_t seq;       /* of its first octet: SND.UNA for as long as this is a message */
	uint16_t len;
	bool is_sent; /* once, and a record is set aside for it */
	uint32_t sent_us;
	uint32_t sent_ms; /* or when it was written */
	uint32_t rto_at;  /* as in struct tcp_tx */
};
STATIC_ASSERT(sizeof(struct tcp_message) <= SLAB_UNIT);

static inline bool
tcp_is_message(const struct tcb *c)
{
	return (c->tx & TCP_TX_MESSAGE) != 0;
}

/* Caller: tcp_is_message(), or it becomes one. */
static inline struct tcp_message *
tcp_message_at(const struct slab *txs, const struct tcb *c)
{
	return slab_at(txs, c->tx & ~TCP_TX_MESSAGE);
}

/* Takes all of the text, if it may be a message; marks. */
bool tcp_message_write(struct tcp *t, struct tcb *c, const void *buf, uint32_t len);
/* Nothing forbids that it leaves now, as the plain segment it is, or it has left already.
 * Caller: tcp_is_message(). */
bool tcp_message_is_plain(const struct tcp *t, const struct tcb *c);
/* Sends it, if it has not been sent. False: no packet buffer, record or room. Caller:
 * tcp_message_is_plain(). */
bool tcp_message_output(struct tcp *t, struct tcb *c, struct tcp_burst *b);
/* Gives back what it holds. */
void tcp_message_drop(struct tcp *t, struct tcb *c);
/* Makes the whole record of it, which cannot fail. Caller: SND.UNA has not moved. */
void tcp_message_expand(const struct tcp *t, const struct tcb *c);
void tcp_message_check(const struct tcp *t, const struct tcb *c);

#endif /* PMTCP_TCP_TCP_MESSAGE_H */
