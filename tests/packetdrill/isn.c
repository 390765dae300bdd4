/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Initial sequence numbers as scripts expect them: ISS of the k-th connection is
 * 65536 k above that of the first. The context chooses its own (RFC 9293 3.4.1); its
 * numbers are changed on the way out, and those that come back (ACK, SACK, the quoted
 * segment of an ICMP error) on the way in. The window scale is changed in the same way. */

#include "packetdrill/plug.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/base.h"

enum {
	TCP_LEN = 20,
	TCP_CKSUM_AT = 16,
	ICMP_CKSUM_AT = 2,
	ICMP_LEN = 8,
	ISN_STEP = 65536,
	OPT_NOP = 1,
	OPT_WSCALE = 3,
	OPT_SACK = 5,
};

/* The option of that kind, NULL if there is none or the options are torn. */
static uint8_t *
option(uint8_t *tcp, uint32_t header, uint8_t kind)
{
	uint32_t at = TCP_LEN;

	while (at + 1 < header && tcp[at] != 0) {
		if (tcp[at] == OPT_NOP) {
			at++;
			continue;
		}
		if (tcp[at + 1] < 2 || tcp[at + 1] > header - at)
			return NULL;
		if (tcp[at] == kind)
			return tcp + at;
		at += tcp[at + 1];
	}
	return NULL;
}

/* ---- out ---------------------------------------------------------------------------- */

/* A SYN with another ISS is another connection. */
static void
own_syn(struct plug *p, struct flow *f, struct layout *l, uint32_t header)
{
	uint32_t iss = get32(l->l4 + 4);
	uint8_t *ws = option(l->l4, header, OPT_WSCALE);

	if (!f->has_iss || f->iss != iss) {
		f->has_iss = true;
		f->iss = iss;
		f->delta = p->profile.isn + ISN_STEP * p->n_isn++ - iss;
	}
	if (p->profile.keeps_isn)
		f->delta = 0;
	f->own_wscale = ws != NULL;
	f->shift = ws ? ws[2] : 0;
	if (ws && p->profile.wscale != PLUG_KEEP_SHIFT)
		ws[2] = (uint8_t)p->profile.wscale;
}

static void
scale_window(const struct plug *p, const struct flow *f, uint8_t *tcp)
{
	uint32_t window = (uint32_t)get16(tcp + 14) << f->shift;

	if (!f->own_wscale || !f->peer_wscale || p->profile.wscale == PLUG_KEEP_SHIFT)
		return;
	window >>= p->profile.wscale;
	put16(tcp + 14, window > UINT16_MAX ? UINT16_MAX : (uint16_t)window);
}

void
isn_out(struct plug *p, struct layout *l)
{
	uint8_t *tcp = l->l4;
	struct tuple t = {l->version, l->addr_len, l->saddr, l->daddr, get16(tcp), get16(tcp + 2)};
	uint32_t header = packet_tcp_header(l);
	uint32_t seq = get32(tcp + 4);
	bool is_syn = (tcp[13] & PKT_SYN) != 0;
	struct flow *f = is_syn ? flow_make(p, &t) : flow_find(p, &t);

	if (!f)
		return;
	if (is_syn)
		own_syn(p, f, l, header);
	else
		scale_window(p, f, tcp);
	if (tcp[13] & PKT_ACK)
		f->n_text = 0;
	/* RFC 9293 3.5.2: the RST of a segment without ACK has number 0, not one of ours. */
	if ((tcp[13] & PKT_RST) && seq == 0)
		return;
	put32(tcp + 4, seq + f->delta);
}

/* ---- in ----------------------------------------------------------------------------- */

static void
shift_sack(uint8_t *sack, uint32_t delta)
{
	for (uint32_t at = 2; at + 4 <= sack[1]; at += 4)
		put32(sack + at, get32(sack + at) - delta);
}

static void
tcp_in(struct plug *p, struct layout *l)
{
	uint8_t *tcp = l->l4;
	struct tuple t = {l->version, l->addr_len, l->daddr, l->saddr, 0, 0};
	uint32_t header = packet_tcp_header(l);
	struct flow *f;
	uint8_t *sack;

	/* What is broken stays so. */
	if (header == 0 || packet_l4_sum(l) != 0)
		return;
	t.lport = get16(tcp + 2);
	t.rport = get16(tcp);
	f = tcp[13] & PKT_SYN ? flow_make(p, &t) : flow_find(p, &t);
	if (!f)
		return;
	if (tcp[13] & PKT_SYN)
		f->peer_wscale = option(tcp, header, OPT_WSCALE) != NULL;
	if (tcp[13] & PKT_ACK)
		put32(tcp + 8, get32(tcp + 8) - f->delta);
	if (l->l4_len > header) {
		f->n_text++;
		p->text_flow = f;
	}
	sack = option(tcp, header, OPT_SACK);
	if (sack)
		shift_sack(sack, f->delta);
	packet_l4_fill(l, TCP_CKSUM_AT);
}

/* Source and destination of a quoted packet are ours and the peer's. Its length field
 * is that of the whole, so it is laid out by hand. */
static bool
quoted_tuple(uint8_t *ip, uint32_t len, struct tuple *t, uint8_t **tcp)
{
	uint32_t header = len > 0 && ip[0] >> 4 == 6 ? 40 : (ip[0] & 0xfu) * 4;

	if (len < header + 8 || header < 20)
		return false;
	t->version = ip[0] >> 4;
	t->addr_len = t->version == 6 ? 16 : 4;
	t->laddr = t->version == 6 ? ip + 8 : ip + 12;
	t->raddr = t->laddr + t->addr_len;
	*tcp = ip + header;
	t->lport = get16(*tcp);
	t->rport = get16(*tcp + 2);
	return (t->version == 6 ? ip[6] : ip[9]) == IPPROTO_TCP;
}

/* What Linux calls an ICMP error of that kind. */
static int
icmp_errno(const struct layout *l)
{
	static const int unreachable[] = {ENETUNREACH, EHOSTUNREACH, ENOPROTOOPT, ECONNREFUSED};
	static const int unreachable6[] = {
			ENETUNREACH, EACCES, EHOSTUNREACH, EHOSTUNREACH, ECONNREFUSED};
	uint8_t type = l->l4[0];
	uint8_t code = l->l4[1];

	if (l->proto == IPPROTO_ICMPV6 && type == 1 && code < PMTCP_ARRAY_SIZE(unreachable6))
		return unreachable6[code];
	if (l->proto == IPPROTO_ICMP && type == 3 && code < PMTCP_ARRAY_SIZE(unreachable))
		return unreachable[code];
	if (type == (l->proto == IPPROTO_ICMPV6 ? 4 : 12))
		return EPROTO;
	return EHOSTUNREACH;
}

static void
icmp_in(struct plug *p, struct layout *l)
{
	struct tuple t;
	struct flow *f;
	uint8_t *tcp;
	bool is_error;

	if (l->l4_len <= ICMP_LEN || packet_l4_sum(l) != 0)
		return;
	is_error = l->proto == IPPROTO_ICMPV6 ? l->l4[0] < 128
					      : l->l4[0] == 3 || l->l4[0] == 4 || l->l4[0] == 11 ||
								l->l4[0] == 12;
	if (!is_error || !quoted_tuple(l->l4 + ICMP_LEN, l->l4_len - ICMP_LEN, &t, &tcp))
		return;
	p->icmp_err = icmp_errno(l);
	f = flow_find(p, &t);
	if (!f)
		return;
	put32(tcp + 4, get32(tcp + 4) - f->delta);
	packet_l4_fill(l, ICMP_CKSUM_AT);
}

void
isn_in(struct plug *p, struct layout *l)
{
	if (l->proto == IPPROTO_TCP)
		tcp_in(p, l);
	else if (l->proto == (l->version == 6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		icmp_in(p, l);
}
