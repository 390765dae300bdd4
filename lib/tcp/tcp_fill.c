/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The values of a tcb's segment, whatever it is: options, window, urgent pointer. Those of
 * plain segments are known without (tcp_plain.h). */

#include "tcp/tcp_plain.h"

/* Blocks that fit beside so many octets of text (W-34). */
static uint8_t
sack_blocks_max(const struct tcb *c, const struct wire_tcp *w, uint32_t len)
{
	uint32_t room = c->smss > len ? c->smss - len : 0;
	uint32_t fit = room < 12 ? 0 : (room - 4) / 8;

	return (uint8_t)min_u32(fit, w->opts & SEG_OPT_TS ? 3 : 4);
}

/* SACK blocks of this ACK: a duplicate first, then what was received last
 * (RFC 2018 section 4, 2883; DATA-37). */
static void
add_sack(struct tcp *t, struct tcb *c, struct wire_tcp *w, uint32_t len)
{
	struct tcp_rx *rx = tcp_rx(t, c);
	uint8_t max = sack_blocks_max(c, w, len);
	uint8_t n = 0;

	if (max == 0)
		return;
	/* Below the acknowledgment number only: at or above that of an earlier ACK of the
	 * burst, the duplicate would say that what is before it is missing. */
	if (rx->dsack_left != rx->dsack_right && w->ack == c->rcv.nxt) {
		w->sack[0] = rx->dsack_left;
		w->sack[1] = rx->dsack_right;
		rx->dsack_left = rx->dsack_right = 0;
		n = 1;
	}
	n = (uint8_t)(n + reasm_sack_blocks(&rx->r, &t->recs, &w->sack[2 * n], (uint8_t)(max - n)));
	if (n == 0)
		return;
	tcp_rx_rest(t, c, rx);
	w->n_sack = n;
	w->opts |= SEG_OPT_SACK;
}

static void
fill_syn(struct tcp *t, struct tcb *c, struct wire_tcp *w)
{
	const struct tcp_class *k = tcp_class(t, c);
	bool is_first = !(w->flags & TCP_ACK);

	w->opts = SEG_OPT_MSS;
	w->mss = tcp_mss_max(t, k, w->addr6 != NULL);
	w->wscale = k->rcv_wscale;
	w->wnd = (uint16_t)min_u32(k->recv_buffer, UINT16_MAX);
	/* OPEN-8: a SYN offers, a SYN-ACK repeats what the SYN had. */
	if (is_first ? k->has_ts : tcb_has(c, TCB_TS))
		w->opts |= SEG_OPT_TS;
	if (is_first ? k->has_sack : tcb_has(c, TCB_SACK))
		w->opts |= SEG_OPT_SACK_PERM;
	if (is_first ? k->has_wscale : tcb_has(c, TCB_WSCALE))
		w->opts |= SEG_OPT_WSCALE;
	/* DATA-44: not offered again if the first SYN was not answered: some routers drop
	 * such a SYN (RFC 3168 6.1.1.1). */
	if (is_unlikely(k->ecn == PMTCP_ECN_OFFER) && is_first && !tcb_has(c, TCB_SYN_REXMT))
		w->flags |= TCP_ECE | TCP_CWR;
	if (is_unlikely(tcb_has(c, TCB_ECN)) && !is_first)
		w->flags |= TCP_ECE;
}

void
tcp_fill(struct tcp *t, struct tcb *c, struct wire_tcp *w, const struct tcp_out *out, uint32_t len)
{
	const struct tcp_class *k = tcp_class(t, c);

	w->key = c->head.key;
	w->addr6 = tcp_addr6(t, &c->head);
	w->seq = out->seq;
	w->flags = out->flags;
	w->ack = out->flags & TCP_ACK ? out->ack : 0;
	w->tsval = tcp_tsval(t, c->ts_offset);
	w->tsecr = out->flags & TCP_ACK ? c->ts_recent : 0;
	w->urg = 0;
	w->addr_sum = c->addr_sum;
	w->payload_summed = false;
	w->n_sack = 0;
	w->ttl = k->ttl;
	w->dscp = k->dscp;
	w->ecn = out->ecn;
	if (out->flags & TCP_SYN) {
		fill_syn(t, c, w);
		return;
	}
	w->opts = tcb_has(c, TCB_TS) ? SEG_OPT_TS : 0;
	if (out->flags & TCP_RST) {
		w->wnd = 0;
		return;
	}
	if (is_unlikely(tcb_has(c, TCB_ECE_DUE)))
		w->flags |= TCP_ECE;
	w->wnd = tcp_advertise(t, c, out->ack);
	if (is_unlikely(c->rare))
		tcp_urgent_fill(tcp_rare(t, c), w);
	if (is_unlikely(tcp_has_sack_to_tell(t, c)))
		add_sack(t, c, w, len);
}
