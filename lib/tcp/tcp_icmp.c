/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What an ICMP error does to a connection (RFC 9293 3.9.2.2, RFC 5927). Whoever can
 * guess a tuple can send one, so it must quote a number that is in flight, and even
 * then it ends only what was never open. Parsing is lib/wire's; the path MTU that a
 * too-big tells is tcp_pmtud.c's. */

#include "tcp/tcp.h"

enum {
	ICMP4_UNREACHABLE = 3,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER = 12,
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER = 4,
};

/* 3/2 and 3/3 say that nobody is there; 3/4 is too-big, whatever its MTU (SEC-9). Source
 * quench is obsolete (MUST-55, RFC 6633), a redirect not obeyed (W-23). */
static enum tcp_icmp_kind
kind4(uint8_t type, uint8_t code)
{
	enum { BAD_PROTOCOL = 2, BAD_PORT = 3, NEED_FRAGMENTS = 4 };

	if (type == ICMP4_TIME_EXCEEDED || type == ICMP4_PARAMETER)
		return TCP_ICMP_SOFT;
	if (type != ICMP4_UNREACHABLE)
		return TCP_ICMP_NONE;
	if (code == NEED_FRAGMENTS)
		return TCP_ICMP_TOO_BIG;
	return code == BAD_PROTOCOL || code == BAD_PORT ? TCP_ICMP_HARD : TCP_ICMP_SOFT;
}

/* SEC-9 (RFC 5461 4.2): 1/1 and 1/4 are hard. */
static enum tcp_icmp_kind
kind6(uint8_t type, uint8_t code)
{
	enum { PROHIBITED = 1, BAD_PORT = 4 };

	if (type == ICMP6_TOO_BIG)
		return TCP_ICMP_TOO_BIG;
	if (type == ICMP6_TIME_EXCEEDED || type == ICMP6_PARAMETER)
		return TCP_ICMP_SOFT;
	if (type != ICMP6_UNREACHABLE)
		return TCP_ICMP_NONE;
	return code == PROHIBITED || code == BAD_PORT ? TCP_ICMP_HARD : TCP_ICMP_SOFT;
}

enum tcp_icmp_kind
tcp_icmp_kind(uint8_t version, uint8_t type, uint8_t code)
{
	return version == 6 ? kind6(type, code) : kind4(type, code);
}

/* SEC-8 (RFC 5927 4.1): SND.UNA <= SEQ < SND.MAX. In SYN-SENT that is the ISS alone. */
static bool
is_in_flight(uint32_t una, uint32_t nxt, uint32_t seq)
{
	return seq - una < nxt - una;
}

/* OPEN-12: STATUS tells the last one, also after the end. */
static void
note_error(struct tcp *t, struct tcb *c, const struct tcp_icmp_error *e)
{
	struct tcp_rare *r = tcp_rare_get(t, c);

	if (!r)
		return;
	r->icmp_type = e->type;
	r->icmp_code = e->code;
	r->icmp_ms = t->now_ms;
}

uint16_t
tcp_icmp_last(const struct tcp *t, const struct tcb *c)
{
	const struct tcp_rare *r = tcp_rare(t, c);

	if (c->head.kind == BLOCK_ENDED)
		return c->delack;
	return r ? (uint16_t)(r->icmp_type << 8 | r->icmp_code) : 0;
}

static void
tcb_error(struct tcp *t, struct tcb *c, const struct tcp_icmp_error *e)
{
	bool is_opening = c->head.state == TCPS_SYN_SENT || c->head.state == TCPS_SYN_RCVD;

	if (!is_in_flight(c->snd.una, c->snd.nxt, e->seq)) {
		tcp_drop(t, PMTCP_C_drop_icmp_stale);
		return;
	}
	if (e->kind == TCP_ICMP_TOO_BIG) {
		tcp_count(t, tcp_pmtu_too_big(t, c, e));
		return;
	}
	tcp_count(t, PMTCP_C_icmp_error_taken);
	note_error(t, c, e);
	/* SEC-9, DEC-7 (RFC 5927 5.2 over SHLD-26): hard errors end an opening at once;
	 * an open connection survives them, since its own timers know better. */
	if (is_opening && e->kind == TCP_ICMP_HARD) {
		tcp_conn_end(t, c, PMTCP_UNREACHABLE);
		return;
	}
	/* MUST-56: a soft error is told and ends nothing. */
	c->reason = PMTCP_UNREACHABLE;
	tcp_event(t, c, PMTCP_EV_ERROR);
}

/* SEC-9: a hard error frees a half-open; soft ones have nobody to be told to. */
static void
syn_rcvd_error(struct tcp *t, struct syn_rcvd *sr, const struct tcp_icmp_error *e)
{
	if (e->seq != sr->iss) {
		tcp_drop(t, PMTCP_C_drop_icmp_stale);
		return;
	}
	tcp_count(t, PMTCP_C_icmp_error_taken);
	if (e->kind == TCP_ICMP_HARD)
		tcp_syn_rcvd_end(t, sr, PMTCP_C_half_open_icmp);
}

void
tcp_icmp_error(struct tcp *t, const struct tcp_icmp_error *e)
{
	uint32_t index = flow_table_lookup(&t->table, tcp_hash(t, &e->key), &e->key);
	struct block_head *b = index ? tcp_block(t, index) : NULL;
	const struct flow_addr6 *addr6 = b ? tcp_addr6(t, b) : NULL;

	/* One digest, other addresses. */
	if (b && ((addr6 != NULL) != (e->addr6 != NULL) ||
				 (addr6 && !flow_addr6_equal(addr6, e->addr6))))
		b = NULL;
	/* Listeners have no block; TIME-WAIT ignores (SEC-8, CLOSE-40). */
	if (b && b->kind == BLOCK_TCB)
		tcb_error(t, (struct tcb *)b, e);
	else if (b && b->kind == BLOCK_SYN_RCVD)
		syn_rcvd_error(t, (struct syn_rcvd *)b, e);
	else
		tcp_drop(t, PMTCP_C_drop_icmp_stale);
}
