/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The application's calls that listen and close (RFC 9293 3.10.1, 3.10.4, 3.10.5); OPEN is
 * tcp_connect.c's. They change state and mark; segments leave with the next output pass. */

#include "tcp/tcp_connect.h"

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>

/* ---- LISTEN --------------------------------------------------------------- */

static struct pmtcp_listener *
vacant_listener(struct tcp *t)
{
	for (uint32_t i = 0; i < t->conf.max_listeners; i++)
		if (!t->listeners[i].is_used) {
			memset(&t->listeners[i], 0, sizeof(t->listeners[i]));
			t->listeners[i].number = i;
			return &t->listeners[i];
		}
	return NULL;
}

static bool
is_listening(const struct tcp *t, const struct pmtcp_addr *local, uint16_t port)
{
	uint32_t next = t->listener_by_port[port];

	while (next) {
		const struct pmtcp_listener *l = &t->listeners[next - 1];

		if (l->version == local->version && l->ip4 == rte_cpu_to_be_32(local->ip4) &&
				memcmp(l->ip6, local->ip6, sizeof(l->ip6)) == 0)
			return true;
		next = l->next_on_port;
	}
	return false;
}

/* What of its own a listener says, or the context's. */
static enum pmtcp_syn_cookies
listener_cookies(const struct tcp *t, const struct pmtcp_listen_opts *opts)
{
	if (opts && opts->syn_cookies != PMTCP_COOKIES_DEFAULT)
		return opts->syn_cookies;
	return t->conf.syn_cookies != PMTCP_COOKIES_DEFAULT ? t->conf.syn_cookies
							    : PMTCP_COOKIES_AUTO;
}

/* Every listener has a class of its own: it names the listener to its half-opens
 * and connections. */
static int
listener_class(struct tcp *t, struct pmtcp_listener *l, const struct pmtcp_listen_opts *opts)
{
	struct tcp_class want;
	uint16_t base;
	int err = tcp_class_from_opts(t, opts ? &opts->conn : NULL, &base);

	if (err)
		return err;
	want = t->classes[base];
	want.listener = l->number + 1;
	if (!opts || !opts->conn.syn_retries)
		want.syn_retries = t->conf.synack_retries;
	err = tcp_class_get(t, &want, &l->cls);
	if (err)
		return err;
	t->classes[l->cls].refs++;
	return 0;
}

int
tcp_user_listen(struct tcp *t, const struct pmtcp_addr *local, const struct pmtcp_listen_opts *opts,
		struct pmtcp_listener **out)
{
	struct pmtcp_addr at = *local;
	uint16_t port = rte_cpu_to_be_16(local->port);
	struct pmtcp_listener *l;
	int err = tcp_tuple_check_local(t, local);

	if (err)
		return err;
	if (port == 0 || (opts && opts->syn_cookies > PMTCP_COOKIES_OFF))
		return -EINVAL;
	tcp_tuple_normal(&at);
	if (is_listening(t, &at, port))
		return -EADDRINUSE;
	l = vacant_listener(t);
	if (!l)
		return -ENOBUFS;
	err = listener_class(t, l, opts);
	if (err)
		return err;
	l->t = t;
	l->version = at.version;
	l->ip4 = rte_cpu_to_be_32(at.ip4);
	memcpy(l->ip6, at.ip6, sizeof(l->ip6));
	l->port = port;
	l->half_open_max =
			opts && opts->half_open_max ? opts->half_open_max : t->conf.max_half_open;
	l->conn_max = opts && opts->conn_max ? opts->conn_max : t->conf.max_conns;
	l->rst_on_overflow = opts && opts->rst_on_overflow;
	l->cookies = (uint8_t)listener_cookies(t, opts);
	l->user = opts ? opts->conn.user : NULL;
	l->next_on_port = t->listener_by_port[port];
	l->is_used = true;
	t->listener_by_port[port] = (uint16_t)(l->number + 1);
	*out = l;
	return 0;
}

void
tcp_syn_rcvd_reset(struct tcp *t, struct syn_rcvd *sr)
{
	struct wire_tcp w = {.key = sr->head.key,
			.seq = sr->iss + 1,
			.ack = sr->irs + 1,
			.flags = TCP_RST | TCP_ACK,
			.opts = sr->flags & SR_TS ? SEG_OPT_TS : 0,
			.tsval = tcp_tsval(t, sr->ts_offset),
			.tsecr = sr->ts_recent,
			.ttl = t->classes[sr->cls].ttl,
			.dscp = t->classes[sr->cls].dscp};
	const struct tcp_hop *hop = &t->hops[sr->head.hop];
	struct rte_mbuf *m;

	if (!hop->is_resolved)
		return;
	m = tcp_ctl_alloc(t);
	if (!m)
		return;
	w.addr6 = tcp_addr6(t, &sr->head);
	w.addr_sum = tcp_addr_sum(t, &sr->head);
	wire_emit_tcp(m, &w, &t->tx_conf, &hop->mac, &t->conf.mac);
	if (tcp_reply_push(t, m))
		tcp_count(t, PMTCP_C_rst_sent);
	else
		rte_pktmbuf_free(m);
}

/* OPEN-39, NEG-11: half-opens go with an RST, connections stay and forget it. */
static void
end_children(struct tcp *t, struct pmtcp_listener *l)
{
	uint32_t first = t->half_opens.end - t->half_opens.max;

	for (uint32_t i = first; i < t->half_opens.fresh && l->half_open > 0; i++) {
		struct syn_rcvd *sr = (struct syn_rcvd *)tcp_block(t, i);

		if (sr->head.kind != BLOCK_SYN_RCVD ||
				t->classes[sr->cls].listener != l->number + 1)
			continue;
		tcp_syn_rcvd_reset(t, sr);
		tcp_syn_rcvd_end(t, sr, PMTCP_C_half_open_closed);
	}
	for (uint16_t i = 0; i < t->conf.max_classes; i++)
		if (t->classes[i].refs && t->classes[i].listener == l->number + 1)
			t->classes[i].listener = 0;
}

void
tcp_user_unlisten(struct pmtcp_listener *l)
{
	struct tcp *t = l->t;
	uint16_t *head = &t->listener_by_port[l->port];

	CHECK(l->is_used);
	if (*head == l->number + 1) {
		*head = (uint16_t)l->next_on_port;
	} else {
		struct pmtcp_listener *before = &t->listeners[*head - 1];

		while (before->next_on_port != l->number + 1)
			before = &t->listeners[before->next_on_port - 1];
		before->next_on_port = l->next_on_port;
	}
	end_children(t, l);
	tcp_class_put(t, l->cls);
	l->is_used = false;
}

/* ---- CLOSE ---------------------------------------------------------------- */

static PMTCP_NOINLINE void
change_timer(struct tcp *t, struct tcb *c)
{
	if (tcb_timer(c) == TIMER_SYN)
		tcp_timer_rexmt(t, c); /* SYN-RECEIVED: FIN follows the unacknowledged SYN */
	if (tcb_timer(c) == TIMER_IDLE || tcb_timer(c) == TIMER_OVERRIDE)
		tcp_timer_stop(c);
}

/* RFC 9293 3.10.4: the state moves at the call (CLOSE-4), the FIN leaves when the
 * queue is empty. */
static void
want_fin(struct tcp *t, struct tcb *c)
{
	if (tcb_has(c, TCB_FIN_WANTED))
		return;
	c->flags |= TCB_FIN_WANTED;
	tcp_conn_set_state(
			t, c, c->head.state == TCPS_CLOSE_WAIT ? TCPS_LAST_ACK : TCPS_FIN_WAIT_1);
	if (tcb_timer(c) != TIMER_NONE)
		change_timer(t, c);
	if (is_unlikely(c->rare))
		tcp_rare_queued(t, c);
	tcp_mark(t, &c->head);
}

/* CLOSE-28: a second time changes nothing. */
int
tcp_user_shutdown(struct tcp *t, struct tcb *c)
{
	if (c->head.kind == BLOCK_ENDED)
		return tcb_has(c, TCB_FIN_WANTED) ? 0 : -ENOTCONN;
	if (c->head.state == TCPS_SYN_SENT)
		return -ENOTCONN;
	want_fin(t, c);
	return 0;
}

/* The handle is given back once CLOSED was seen, or at once if it was. */
static void
release(struct tcp *t, struct tcb *c)
{
	c->flags |= TCB_RELEASED;
	c->events &= PMTCP_EV_CLOSED;
	if (c->head.kind == BLOCK_ENDED) {
		tcp_rx_release(t, c);
		tcp_mark(t, &c->head);
	}
}

static bool
has_unread(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_rx *rx = tcp_rx(t, c);

	return rx && reasm_unread(&rx->r) > 0;
}

void
tcp_user_close(struct tcp *t, struct tcb *c)
{
	bool has_lost = has_unread(t, c);

	if (tcb_has(c, TCB_RELEASED))
		return;
	/* CLOSE-31 (RFC 9293 3.9.1.4). */
	if (is_unlikely(tcp_class(t, c)->linger_ms == 0)) {
		tcp_user_abort(t, c);
		return;
	}
	release(t, c);
	if (c->head.kind == BLOCK_ENDED)
		return;
	if (c->head.state == TCPS_SYN_SENT) {
		tcp_conn_end(t, c, PMTCP_LOCAL_CLOSE);
		return;
	}
	/* CLOSE-29, NEG-10: a FIN would say that all was taken. */
	if (has_lost) {
		tcp_count(t, PMTCP_C_abort_on_unread);
		tcp_conn_reset(t, c, PMTCP_DATA_LOST);
		return;
	}
	/* CLOSE-39. */
	if (t->orphans >= t->conf.orphan_max) {
		tcp_count(t, PMTCP_C_orphan_abort);
		tcp_conn_reset(t, c, PMTCP_NO_RESOURCE);
		return;
	}
	tcp_rx_release(t, c);
	c->flags |= TCB_ORPHAN;
	t->orphans++;
	want_fin(t, c);
	if (c->head.state == TCPS_FIN_WAIT_2)
		tcp_timer_start(t, c, TIMER_FW2, tcp_class(t, c)->fw2_ms);
	else if (is_unlikely(tcp_class(t, c)->linger_ms != PMTCP_LINGER_OFF))
		tcp_linger_start(t, c);
}

/* DEC-2 (RFC 9293 3.5.2): with tw_after_rst the tuple rests, and the tcb goes on as far as its
 * RST. */
static void
abort_to_time_wait(struct tcp *t, struct tcb *c)
{
	c->flags &= ~(uint32_t)(TCB_ACK_DUE | TCB_DELACK);
	tcp_time_wait_enter(t, c, PMTCP_LOCAL_ABORT);
	c->flags |= TCB_RST_DUE;
	tcp_mark(t, &c->head);
}

void
tcp_user_abort(struct tcp *t, struct tcb *c)
{
	uint8_t state = c->head.state;

	if (c->head.kind == BLOCK_ENDED) {
		release(t, c);
		return;
	}
	release(t, c);
	/* CLOSE-32 (RFC 9293 3.10.5): these peers need none, or hold no state. */
	if (state == TCPS_SYN_SENT || state == TCPS_CLOSING || state == TCPS_LAST_ACK)
		tcp_conn_end(t, c, PMTCP_LOCAL_ABORT);
	else if (is_unlikely(t->conf.tw_after_rst) && tcb_is_synchronized(c))
		abort_to_time_wait(t, c);
	else
		tcp_conn_reset(t, c, PMTCP_LOCAL_ABORT);
}

void
tcp_user_detach(struct tcp *t, struct tcb *c)
{
	c->user = NULL;
	c->events = 0;
	c->flags |= TCB_DETACHED;
	if (tcb_has(c, TCB_RELEASED) && c->head.kind == BLOCK_ENDED)
		tcp_mark(t, &c->head);
	tcp_user_close(t, c);
}
