/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Urgent data, step 6 of RFC 9293 3.10.7.4 (section 3.8.5, RFC 6093; DATA-49): a mark
 * in the stream, of any length (MUST-31), never a channel of its own. The octets stay
 * where they are; the application learns that the mark moved and how far it is. */

#include "tcp/tcp.h"

#include <errno.h>

/* Behind the last octet that the application has read. */
static uint32_t
read_edge(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_rx *rx = tcp_rx(t, c);

	return c->rcv.nxt - tcb_is_past_fin(c) - (rx ? reasm_unread(&rx->r) : 0);
}

/* RCV.UP = max(RCV.UP, SEG.UP); the pointer names the octet behind the urgent ones
 * (MUST-62), so 0, or one that lies behind what was read, says nothing. It may lie far
 * beyond the window, and then means text still to come. */
void
tcp_check_urg(struct tcp *t, struct tcb *c, const struct seg *seg)
{
	uint32_t up = seg->seq + seg->urg;
	struct tcp_rare *r;

	/* After the peer's FIN it cannot be meant; after full close nobody asks. */
	if (tcb_is_past_fin(c) || tcb_has(c, TCB_RELEASED) || seq_leq(up, read_edge(t, c)))
		return;
	r = tcp_rare_get(t, c);
	if (!r || ((r->flags & RARE_URG_RCV) && seq_leq(up, r->rcv_up)))
		return;
	r->flags |= RARE_URG_RCV;
	r->rcv_up = up;
	tcp_event(t, c, PMTCP_EV_URGENT); /* MUST-32 */
}

/* MUST-33. A peer that ended before its own mark ended the urgent data too. */
uint32_t
tcp_urgent_left(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_rare *r = tcp_rare(t, c);
	uint32_t up;

	if (!r || !(r->flags & RARE_URG_RCV))
		return 0;
	up = tcb_is_past_fin(c) ? seq_min(r->rcv_up, c->rcv.nxt - 1) : r->rcv_up;
	return seq_gt(up, read_edge(t, c)) ? up - read_edge(t, c) : 0;
}

void
tcp_urgent_drag(struct tcp *t, struct tcb *c)
{
	struct tcp_rare *r = tcp_rare(t, c);

	if ((r->flags & RARE_URG_RCV) && seq_leq(r->rcv_up, read_edge(t, c)))
		r->flags &= ~(uint32_t)RARE_URG_RCV;
	if ((r->flags & RARE_URG_SND) && seq_leq(r->snd_up, c->snd.una))
		r->flags &= ~(uint32_t)RARE_URG_SND;
}

/* RFC 9293 3.10.2: SND.UP is behind everything queued so far. */
int
tcp_user_urgent(struct tcp *t, struct tcb *c)
{
	const struct tcp_tx *tx = tcp_tx(t, c);
	struct tcp_rare *r;

	if (tcb_has(c, TCB_RELEASED))
		return -EBADF;
	if (c->head.kind == BLOCK_ENDED)
		return -ENOTCONN;
	if (tcb_has(c, TCB_FIN_WANTED))
		return -EPIPE;
	r = tcp_rare_get(t, c);
	if (!r)
		return -ENOBUFS;
	r->flags |= RARE_URG_SND;
	r->snd_up = c->snd.nxt + (tx ? sendq_unsent(&tx->q) : 0);
	return 0;
}

/* On each segment up to the mark; one farther away than the field can say is said to be
 * as far as it can. */
void
tcp_urgent_fill(const struct tcp_rare *r, struct wire_tcp *w)
{
	if (!(r->flags & RARE_URG_SND) || seq_leq(r->snd_up, w->seq))
		return;
	w->flags |= TCP_URG;
	w->urg = (uint16_t)min_u32(r->snd_up - w->seq, UINT16_MAX);
}
