/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Own IPv6 addresses, the one subnet, the gateway, who may be a peer (RFC 4291). */

#include "stack/stack.h"

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>

enum { HOST_OFF = 12 }; /* ranges differ in the last four octets only */

static uint32_t
host_of(const uint8_t *addr)
{
	uint32_t word;

	memcpy(&word, addr + HOST_OFF, sizeof(word));
	return rte_be_to_cpu_32(word);
}

bool
stack_is_local6(const void *stack, const uint8_t *addr)
{
	const struct pmtcp_ctx *s = stack;

	for (uint16_t i = 0; i < s->t.conf.n_ranges6; i++) {
		const struct pmtcp_range6 *r = &s->t.conf.ranges6[i];

		if (memcmp(addr, r->first, HOST_OFF) == 0 &&
				host_of(addr) - host_of(r->first) <=
						host_of(r->last) - host_of(r->first))
			return true;
	}
	return false;
}

/* W-2: all nodes, and the solicited-node groups of our addresses (RFC 4291 2.7.1), which
 * end in the last three octets of those. */
bool
stack_is_joined6(const struct pmtcp_ctx *s, const uint8_t *group)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	static const uint8_t solicited[13] = {0xff, 2, [11] = 1, [12] = 0xff};
	uint32_t low = host_of(group) & 0xffffff;

	if (memcmp(group, all_nodes, sizeof(all_nodes)) == 0)
		return true;
	if (memcmp(group, solicited, sizeof(solicited)) != 0)
		return false;
	for (uint16_t i = 0; i < s->t.conf.n_ranges6; i++) {
		uint32_t first = host_of(s->t.conf.ranges6[i].first);

		if (((low - first) & 0xffffff) <= host_of(s->t.conf.ranges6[i].last) - first)
			return true;
	}
	return false;
}

/* W-13, OPEN-10: the unspecified and the loopback address, groups, and IPv4 in IPv6's
 * clothes are no peers. */
bool
stack_is_remote_ok6(const void *stack, const uint8_t *addr)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	static const uint8_t zero[15];

	(void)stack;
	if (addr[0] == 0xff || memcmp(addr, mapped, sizeof(mapped)) == 0)
		return false;
	return memcmp(addr, zero, sizeof(zero)) != 0 || addr[15] > 1;
}

static bool
is_in_prefix(const uint8_t *a, const uint8_t *b, uint8_t len)
{
	uint8_t rest = len % 8;

	if (memcmp(a, b, len / 8) != 0)
		return false;
	return rest == 0 || (a[len / 8] ^ b[len / 8]) >> (8 - rest) == 0;
}

bool
stack_is_on_link6(const struct pmtcp_ctx *s, const uint8_t *addr)
{
	static const uint8_t link_local[8] = {0xfe, 0x80};

	return is_in_prefix(addr, link_local, 10) ||
	       is_in_prefix(addr, s->t.conf.ranges6[0].first, s->t.conf.prefix6_len);
}

uint16_t
stack_route6(void *stack, const uint8_t *raddr)
{
	struct pmtcp_ctx *s = stack;
	uint16_t number;

	if (!stack_is_on_link6(s, raddr))
		return s->gateway6;
	number = neigh_get(s, neigh_addr6(raddr));
	return number == NEIGH_NONE ? TCP_NO_HOP : number;
}

uint16_t
stack_find_hop6(const struct pmtcp_ctx *s, const uint8_t *raddr)
{
	if (!stack_is_on_link6(s, raddr))
		return s->gateway6;
	return neigh_find(s, neigh_addr6(raddr));
}

const uint8_t *
stack_pick_local6(void *stack, const uint8_t *raddr)
{
	const struct pmtcp_ctx *s = stack;

	(void)raddr;
	return s->t.conf.ranges6[0].first;
}

static bool
range_is_good(const struct pmtcp_conf *conf, const struct pmtcp_range6 *r)
{
	return memcmp(r->first, r->last, HOST_OFF) == 0 && host_of(r->first) <= host_of(r->last) &&
	       stack_is_remote_ok6(NULL, r->first) &&
	       is_in_prefix(r->first, conf->ranges6[0].first, conf->prefix6_len) &&
	       is_in_prefix(r->last, conf->ranges6[0].first, conf->prefix6_len);
}

/* Caller: the neighbour table is ready. */
int
stack_addr6_init(struct pmtcp_ctx *s)
{
	const struct pmtcp_conf *conf = &s->t.conf;

	s->gateway6 = TCP_NO_HOP;
	if (conf->n_ranges6 == 0)
		return 0;
	/* RFC 8200 section 5: no link may be narrower. */
	if (conf->n_ranges6 > PMTCP_RANGES_MAX || conf->prefix6_len < 1 ||
			conf->prefix6_len > 126 || conf->mtu < 1280)
		return -EINVAL;
	for (uint16_t i = 0; i < conf->n_ranges6; i++)
		if (!range_is_good(conf, &conf->ranges6[i]))
			return -EINVAL;
	if (flow_addr6_is_any(conf->gateway6))
		return 0;
	if (!stack_is_on_link6(s, conf->gateway6) || !stack_is_remote_ok6(s, conf->gateway6))
		return -EINVAL;
	s->gateway6 = neigh_get(s, neigh_addr6(conf->gateway6));
	return 0;
}
