/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The endpoint calls of pmtcp.h: a handle is a tcb, its engine stands at the head of
 * its chunk (tcp/slab.h). */

#include "stack/stack.h"

#include <string.h>

#include <rte_byteorder.h>

#include "tcp/tcp_connect.h"

static inline struct tcb *
tcb_of(struct pmtcp_conn *conn)
{
	return (struct tcb *)conn;
}

static inline const struct tcb *
tcb_of_const(const struct pmtcp_conn *conn)
{
	return (const struct tcb *)conn;
}

int
pmtcp_listen(struct pmtcp_ctx *s, const struct pmtcp_addr *local,
		const struct pmtcp_listen_opts *opts, struct pmtcp_listener **out)
{
	return tcp_user_listen(&s->t, local, opts, out);
}

void
pmtcp_unlisten(struct pmtcp_listener *listener)
{
	tcp_user_unlisten(listener);
}

int
pmtcp_connect(struct pmtcp_ctx *s, const struct pmtcp_addr *local, const struct pmtcp_addr *remote,
		const struct pmtcp_conn_opts *opts, struct pmtcp_conn **conn)
{
	struct pmtcp_open open = {
			.remote = *remote, .opts = opts, .user = opts ? opts->user : NULL};
	int err;

	if (local)
		open.local = *local;
	if (tcp_user_connect(&s->t, &open, 1, &err) == 1)
		*conn = open.conn;
	return err;
}

uint16_t
pmtcp_connect_burst(struct pmtcp_ctx *s, struct pmtcp_open *opens, uint16_t n, int *err)
{
	return tcp_user_connect(&s->t, opens, n, err);
}

uint16_t
pmtcp_events(struct pmtcp_ctx *s, struct pmtcp_event *ev, uint16_t n)
{
	return tcp_events(&s->t, ev, n);
}

int
pmtcp_recv(struct pmtcp_conn *conn, struct rte_mbuf **pkts, uint16_t n)
{
	return tcp_user_recv(tcp_of(tcb_of(conn)), tcb_of(conn), pkts, n);
}

void
pmtcp_recv_done(struct pmtcp_conn *conn, uint32_t octets)
{
	tcp_user_recv_done(tcp_of(tcb_of(conn)), tcb_of(conn), octets);
}

int
pmtcp_read(struct pmtcp_conn *conn, void *buf, uint32_t len)
{
	return tcp_user_read(tcp_of(tcb_of(conn)), tcb_of(conn), buf, len);
}

int
pmtcp_send(struct pmtcp_conn *conn, struct rte_mbuf **pkts, uint16_t n)
{
	return tcp_user_send(tcp_of(tcb_of(conn)), tcb_of(conn), pkts, n);
}

int
pmtcp_write(struct pmtcp_conn *conn, const void *buf, uint32_t len)
{
	return tcp_user_write(tcp_of(tcb_of(conn)), tcb_of(conn), buf, len);
}

uint32_t
pmtcp_send_space(const struct pmtcp_conn *conn)
{
	return tcp_user_send_space(tcp_of(tcb_of_const(conn)), tcb_of_const(conn));
}

int
pmtcp_urgent(struct pmtcp_conn *conn)
{
	return tcp_user_urgent(tcp_of(tcb_of(conn)), tcb_of(conn));
}

int
pmtcp_shutdown(struct pmtcp_conn *conn)
{
	return tcp_user_shutdown(tcp_of(tcb_of(conn)), tcb_of(conn));
}

void
pmtcp_close(struct pmtcp_conn *conn)
{
	tcp_user_close(tcp_of(tcb_of(conn)), tcb_of(conn));
}

void
pmtcp_abort(struct pmtcp_conn *conn)
{
	tcp_user_abort(tcp_of(tcb_of(conn)), tcb_of(conn));
}

void
pmtcp_detach(struct pmtcp_conn *conn)
{
	tcp_user_detach(tcp_of(tcb_of(conn)), tcb_of(conn));
}

uint32_t
pmtcp_ctx_shutdown(struct pmtcp_ctx *s, uint64_t deadline_ns)
{
	return tcp_shutdown(&s->t, deadline_ns);
}

int
pmtcp_set(struct pmtcp_conn *conn, enum pmtcp_opt opt, uint64_t value)
{
	return tcp_class_set(tcp_of(tcb_of(conn)), tcb_of(conn), opt, value);
}

void
pmtcp_set_user(struct pmtcp_conn *conn, void *user)
{
	tcb_of(conn)->user = user;
}

void *
pmtcp_user(const struct pmtcp_conn *conn)
{
	return tcb_of_const(conn)->user;
}

struct pmtcp_ctx *
pmtcp_conn_ctx(const struct pmtcp_conn *conn)
{
	return tcp_of(tcb_of_const(conn))->stack;
}

uint16_t
pmtcp_mss(const struct pmtcp_conn *conn)
{
	return tcb_of_const(conn)->smss;
}

static void
info_queues(const struct tcp *t, const struct tcb *c, struct pmtcp_conn_info *info)
{
	const struct tcp_tx *tx = tcp_tx(t, c);
	const struct tcp_rx *rx = tcp_rx(t, c);

	info->urgent = tcp_urgent_left(t, c);
	info->unread = rx ? reasm_unread(&rx->r) : 0;
	info->unsent = tx ? sendq_unsent(&tx->q) : 0;
	info->unacked = tx ? sendq_flight(&tx->q) : 0;
	info->cwnd = tx ? tx->cc.cwnd : 0;
	info->ssthresh = tx ? tx->cc.ssthresh : 0;
}

static void
info_addresses(const struct tcp *t, const struct tcb *c, struct pmtcp_conn_info *info)
{
	const struct flow_addr6 *addr6 = tcp_addr6(t, &c->head);
	const struct flow_key *k = &c->head.key;
	uint16_t lport = rte_be_to_cpu_16(k->lport);
	uint16_t rport = rte_be_to_cpu_16(k->rport);

	info->local = addr6 ? pmtcp_addr6(addr6->local, lport)
			    : pmtcp_addr4(rte_be_to_cpu_32(k->laddr), lport);
	info->remote = addr6 ? pmtcp_addr6(addr6->remote, rport)
			     : pmtcp_addr4(rte_be_to_cpu_32(k->raddr), rport);
}

void
pmtcp_conn_info(const struct pmtcp_conn *conn, struct pmtcp_conn_info *info)
{
	const struct tcb *c = tcb_of_const(conn);
	const struct tcp *t = tcp_of(c);
	bool has_estimate = c->head.state != TCPS_SYN_SENT && c->head.state != TCPS_SYN_RCVD;

	*info = (struct pmtcp_conn_info){.state = (enum pmtcp_state)c->head.state,
			.snd_una = c->snd.una,
			.snd_nxt = c->snd.nxt,
			.snd_wnd = c->snd.wnd,
			.rcv_nxt = c->rcv.nxt,
			.rcv_wnd = tcb_rcv_wnd(c),
			.srtt_us = has_estimate ? rtt_srtt_us(&c->rtt) : 0,
			.rttvar_us = has_estimate ? rtt_rttvar_us(&c->rtt) : 0,
			.rto_us = has_estimate ? tcp_rto_ms(t, c) * 1000 : 0,
			.mss = c->smss,
			.snd_wscale = tcb_snd_shift(c),
			.rcv_wscale = tcb_rcv_shift(c),
			.timestamps = tcb_has(c, TCB_TS),
			.sack = tcb_has(c, TCB_SACK),
			.retries = c->retries,
			.icmp_type = (uint8_t)(tcp_icmp_last(t, c) >> 8),
			.icmp_code = (uint8_t)tcp_icmp_last(t, c),
			.path_mtu = c->rare ? tcp_rare(t, c)->path_mtu : 0};
	info_addresses(t, c, info);
	info_queues(t, c, info);
}

void
pmtcp_port_report(struct pmtcp_ctx *s, const struct pmtcp_addr *local,
		const struct pmtcp_addr *remote, struct pmtcp_port_report *report)
{
	struct pmtcp_open open = {.remote = *remote};
	struct tcp_tuple tuple;

	/* Nothing is said of addresses that no open could have. */
	memset(report, 0, sizeof(*report));
	if (local)
		open.local = *local;
	if (tcp_tuple_name(&s->t, &open, &tuple) == 0 && tcp_tuple_route(&s->t, &tuple) == 0)
		tcp_port_report(&s->t, &tuple, report);
}
