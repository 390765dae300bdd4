/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* SEND and RECEIVE (RFC 9293 3.10.2, 3.10.3): the byte streams of a connection. */

#include "tcp/tcp.h"

#include <errno.h>
#include <string.h>

/* 0 if the state takes data from the application now. */
static int
send_check(const struct tcb *c)
{
	if (tcb_has(c, TCB_RELEASED))
		return -EBADF;
	if (c->head.kind == BLOCK_ENDED)
		return -ENOTCONN;
	/* After the peer's FIN sending goes on as before (CLOSE-9); after our own it does not. */
	return tcb_has(c, TCB_FIN_WANTED) ? -EPIPE : 0;
}

uint32_t
tcp_send_space(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_tx *tx = tcp_is_message(c) ? NULL : tcp_tx(t, c);
	uint32_t limit = tcp_class(t, c)->send_buffer;
	uint32_t used = tx ? sendq_bytes(&tx->q) : 0;

	if (tcp_is_message(c))
		used = tcp_message_at(&t->txs, c)->len;

	return used < limit ? limit - used : 0;
}

/* A queue of tiny packets costs a buffer each: no more of them than full ones would be
 * with a quarter of the MSS in each. */
static bool
has_room(const struct tcp *t, const struct tcb *c, const struct tcp_tx *tx, uint32_t len)
{
	uint32_t limit = tcp_class(t, c)->send_buffer;

	if (is_unlikely(tx->q.n_mbufs > 16) && tx->q.n_mbufs > 16 + limit / (c->smss / 4 + 1))
		return false;
	/* One packet always fits into an empty queue, however large. */
	return sendq_is_empty(&tx->q) || sendq_bytes(&tx->q) + len <= limit;
}

static void
start_sending(struct tcp *t, struct tcb *c)
{
	if (tcb_timer(c) == TIMER_IDLE)
		tcp_timer_stop(c);
	if (is_unlikely(c->rare))
		tcp_rare_queued(t, c);
	if (tcb_is_synchronized(c))
		tcp_mark_data(t, c);
}

/* Nothing was queued after all. */
static void
rest_tx(struct tcp *t, struct tcb *c)
{
	if (c->snd.una == c->snd.nxt && tcb_timer(c) == TIMER_NONE)
		tcp_tx_release(t, c);
}

uint32_t
tcp_user_send_space(const struct tcp *t, const struct tcb *c)
{
	if (send_check(c) != 0 || (!c->tx && slab_available(&t->txs) == 0))
		return 0;
	return tcp_send_space(t, c);
}

int
tcp_user_send(struct tcp *t, struct tcb *c, struct rte_mbuf **pkts, uint16_t n)
{
	struct tcp_tx *tx;
	uint16_t taken = 0;
	int err = send_check(c);

	if (err || n == 0)
		return err;
	tx = tcp_tx_get(t, c);
	if (!tx) {
		tcp_starve_add(t, c);
		return -EAGAIN;
	}
	while (taken < n && has_room(t, c, tx, pkts[taken]->pkt_len)) {
		if (pkts[taken]->pkt_len > 0)
			sendq_append(&tx->q, pkts[taken]);
		else
			rte_pktmbuf_free(pkts[taken]);
		taken++;
	}
	if (taken < n)
		c->flags |= TCB_SHORT_SEND;
	if (taken == 0)
		return -EAGAIN;
	if (sendq_is_empty(&tx->q))
		rest_tx(t, c);
	else
		start_sending(t, c);
	return taken;
}

/* What fits. A message into an empty queue goes into a spare packet, if there is one. */
static uint32_t
write_text(struct tcp *t, struct sendq *q, const void *buf, uint32_t len)
{
	struct rte_mbuf *m = is_likely(sendq_is_empty(q)) ? tcp_text_spare(t) : NULL;
	uint32_t done;

	if (is_unlikely(!m))
		return sendq_write(q, t->conf.pool, buf, len);
	done = sendq_write_into(q, m, buf, len);
	if (is_unlikely(done < len))
		done += sendq_write(q, t->conf.pool, (const uint8_t *)buf + done, len - done);
	return done;
}

static PMTCP_NOINLINE int
write_queue(struct tcp *t, struct tcb *c, const void *buf, uint32_t len)
{
	uint32_t want = min_u32(len, tcp_send_space(t, c));
	bool is_new = c->tx == 0;
	struct tcp_tx *tx;
	uint32_t taken;
	int err = send_check(c);

	if (err || len == 0)
		return err;
	tx = tcp_tx_get(t, c);
	if (!tx) {
		tcp_starve_add(t, c);
		return -EAGAIN;
	}
	if (!has_room(t, c, tx, 0))
		want = 0;
	taken = want ? write_text(t, &tx->q, buf, want) : 0;
	if (taken < want)
		tcp_count(t, PMTCP_C_tx_nomem);
	if (taken == 0 && want > 0) {
		/* No ACK may ever come to say WRITABLE: the application tries again. */
		if (is_new)
			tcp_tx_release(t, c);
		return -ENOBUFS;
	}
	if (taken < len)
		c->flags |= TCB_SHORT_SEND;
	if (taken > 0)
		start_sending(t, c);
	return taken > 0 ? (int)taken : -EAGAIN;
}

int
tcp_user_write(struct tcp *t, struct tcb *c, const void *buf, uint32_t len)
{
	if (is_likely(c->tx == 0) && is_likely(tcp_message_write(t, c, buf, len)))
		return (int)len;
	return write_queue(t, c, buf, len);
}

/* Nothing is unread: the end of the stream, its breach, or wait. */
static int
nothing_to_read(const struct tcb *c)
{
	if (tcb_has(c, TCB_FIN_RCVD))
		return 0;
	return c->head.kind == BLOCK_ENDED ? -ENOTCONN : -EAGAIN;
}

static bool
has_text(const struct tcp_rx *rx)
{
	return rx && reasm_unread(&rx->r) > 0;
}

int
tcp_user_recv(struct tcp *t, struct tcb *c, struct rte_mbuf **pkts, uint16_t n)
{
	struct tcp_rx *rx = tcp_rx(t, c);
	uint16_t got;

	if (tcb_has(c, TCB_RELEASED))
		return -EBADF;
	got = rx ? reasm_recv(&rx->r, pkts, n) : 0;
	if (got == 0 && n > 0 && !has_text(rx))
		return nothing_to_read(c);
	return got;
}

/* An ACK is due soon, and until then the peer has most of what it was offered last and more
 * than provokes an ACK. So it is with a first request above all: what the SYN could not tell
 * of the window, the response will. */
static bool
may_wait(const struct tcp *t, const struct tcb *c, uint32_t now)
{
	uint32_t offered = c->rcv.adv - c->ack_sent;

	return tcb_has(c, TCB_DELACK) && now > offered / 2 &&
	       now >= 4u * tcp_mss_max(t, tcp_class(t, c), tcp_is_v6(t, &c->head));
}

/* CLOSE-41, DATA-13: a window update leaves at once if the peer was near its edge
 * and the step is worth a segment; never after its FIN. */
static void
update_window(struct tcp *t, struct tcb *c)
{
	uint32_t now = tcb_rcv_wnd(c);
	uint32_t full = min_u32(tcp_class(t, c)->recv_buffer, tcb_rcv_wnd_max(c));

	if (c->head.kind != BLOCK_TCB || tcb_is_past_fin(c) || !tcb_is_synchronized(c))
		return;
	if (now <= full / 2 && !may_wait(t, c, now) && tcp_rcv_space(t, c) > now)
		tcp_owe_ack(t, c);
}

static void
give_back(struct tcp *t, struct tcb *c, struct tcp_rx *rx, uint32_t octets)
{
	rx->held -= min_u32(octets, rx->held);
	update_window(t, c);
	tcp_rx_rest(t, c, rx);
}

void
tcp_user_recv_done(struct tcp *t, struct tcb *c, uint32_t octets)
{
	struct tcp_rx *rx = tcp_rx(t, c);

	if (rx)
		give_back(t, c, rx, octets);
}

int
tcp_user_read(struct tcp *t, struct tcb *c, void *buf, uint32_t len)
{
	struct tcp_rx *rx = tcp_rx(t, c);
	struct rte_mbuf *m;
	uint32_t got;

	if (tcb_has(c, TCB_RELEASED))
		return -EBADF;
	if (len == 0)
		return 0;
	if (!has_text(rx))
		return nothing_to_read(c);
	m = reasm_pop_all(&rx->r, len);
	if (is_likely(m != NULL)) {
		got = m->data_len;
		memcpy(buf, rte_pktmbuf_mtod(m, void *), got);
		tcp_spare_put(t, m);
	} else {
		got = reasm_read(&rx->r, buf, len);
	}
	give_back(t, c, rx, got);
	return (int)got;
}
