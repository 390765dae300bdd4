/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Where things lie in an IP packet, and its upper layer's checksum. Shares nothing
 * with lib/wire. */

#include "packetdrill/plug.h"

#include <netinet/in.h>
#include <string.h>

#include "support/build.h"

enum { TCP_LEN = 20 };

uint16_t
get16(const uint8_t *b)
{
	return (uint16_t)(b[0] << 8 | b[1]);
}

uint32_t
get32(const uint8_t *b)
{
	return (uint32_t)get16(b) << 16 | get16(b + 2);
}

void
put16(uint8_t *b, uint16_t v)
{
	b[0] = (uint8_t)(v >> 8);
	b[1] = (uint8_t)v;
}

void
put32(uint8_t *b, uint32_t v)
{
	put16(b, (uint16_t)(v >> 16));
	put16(b + 2, (uint16_t)v);
}

static bool
lay_out4(struct layout *l)
{
	uint32_t header = (l->ip[0] & 0xfu) * 4;

	if (header < IP4_LEN || header > l->len || get16(l->ip + 2) != l->len)
		return false;
	if (get16(l->ip + 6) & 0x3fff)
		return false;
	l->proto = l->ip[9];
	l->saddr = l->ip + 12;
	l->daddr = l->ip + 16;
	l->addr_len = 4;
	l->l4 = l->ip + header;
	l->l4_len = l->len - header;
	return true;
}

static bool
lay_out6(struct layout *l)
{
	if (l->len < IP6_LEN || get16(l->ip + 4) != l->len - IP6_LEN)
		return false;
	l->proto = l->ip[6];
	l->saddr = l->ip + 8;
	l->daddr = l->ip + 24;
	l->addr_len = 16;
	l->l4 = l->ip + IP6_LEN;
	l->l4_len = l->len - IP6_LEN;
	return true;
}

bool
packet_lay_out(struct layout *l, void *bytes, uint32_t len)
{
	memset(l, 0, sizeof(*l));
	l->ip = bytes;
	l->len = len;
	if (len < IP4_LEN)
		return false;
	l->version = l->ip[0] >> 4;
	if (l->version == 4)
		return lay_out4(l);
	return l->version == 6 && lay_out6(l);
}

uint16_t
packet_l4_sum(const struct layout *l)
{
	uint32_t sum = 0;

	if (l->proto != IPPROTO_ICMP) {
		sum = build_sum(sum, l->saddr, l->addr_len);
		sum = build_sum(sum, l->daddr, l->addr_len);
		sum += l->proto + l->l4_len;
	}
	return build_cksum(build_sum(sum, l->l4, l->l4_len));
}

void
packet_l4_fill(struct layout *l, uint32_t at)
{
	put16(l->l4 + at, 0);
	put16(l->l4 + at, packet_l4_sum(l));
}

uint32_t
packet_tcp_header(const struct layout *l)
{
	uint32_t header = l->l4_len >= TCP_LEN ? (l->l4[12] >> 4) * 4u : 0;

	return header >= TCP_LEN && header <= l->l4_len ? header : 0;
}
