/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* How long the application waits: the user timeout (RFC 9293 3.10.8, DATA-48) while
 * it holds the connection, the linger time (3.9.1.4, CLOSE-31) after it closed.
 *
 * The user timeout counts from the moment something was queued while nothing
 * waited, and anew from each advance of SND.UNA: it bounds the time without
 * progress. A clock per octet would need a stamp per octet; and a long transfer that
 * moves on is not what the application wants ended. Advance is the only progress:
 * a peer that answers probes of its shut window does not stop the clock. */

#include "tcp/tcp.h"

/* RFC 9293 3.10.8: flush the queues, tell the application, CLOSED. The peer is told
 * where it may hold state (CLOSE-42); in SYN-SENT it holds none. */
void
tcp_user_timeout(struct tcp *t, struct tcb *c)
{
	tcp_rare(t, c)->flags &= ~(uint32_t)RARE_USER;
	/* With nothing waiting the timer is off: tcp_rare_acked(). */
	ASSERT(tcp_is_waiting(t, c));
	if (c->head.state == TCPS_SYN_SENT)
		tcp_conn_end(t, c, PMTCP_TIMEOUT_USER);
	else
		tcp_conn_reset(t, c, PMTCP_TIMEOUT_USER);
}

void
tcp_linger_start(struct tcp *t, struct tcb *c)
{
	struct tcp_rare *r = tcp_rare_get(t, c);

	/* Without a record the connection goes on as without a linger time: R2 bounds it. */
	if (!r)
		return;
	r->flags |= RARE_LINGER;
	r->linger_at = t->now_ms + t->tick_begun + tcp_class(t, c)->linger_ms;
	tcp_timer_arm(t, c);
}

/* CLOSE-31: in these three states something of ours, the FIN at least, waits for its
 * ACK. */
void
tcp_linger_timeout(struct tcp *t, struct tcb *c)
{
	tcp_rare(t, c)->flags &= ~(uint32_t)RARE_LINGER;
	if (c->head.state == TCPS_FIN_WAIT_1 || c->head.state == TCPS_CLOSING ||
			c->head.state == TCPS_LAST_ACK)
		tcp_conn_reset(t, c, PMTCP_TIMEOUT_LINGER);
}
