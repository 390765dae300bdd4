/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Own addresses, the one subnet, the gateway, who may be a peer. IPv4. */

#include "stack/stack.h"

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>

bool
stack_is_local(const void *stack, uint32_t addr)
{
	const struct pmtcp_ctx *s = stack;
	uint32_t ip = rte_be_to_cpu_32(addr);

	for (uint16_t i = 0; i < s->t.conf.n_ranges; i++) {
		const struct pmtcp_range *r = &s->t.conf.ranges[i];

		if (ip - r->first <= r->last - r->first)
			return true;
	}
	return false;
}

/* W-13, OPEN-10: 0/8, 127/8, 224/4, 240/4 and the subnet's broadcast are no peers. */
bool
stack_is_remote_ok(const void *stack, uint32_t addr)
{
	const struct pmtcp_ctx *s = stack;
	uint8_t top = (uint8_t)(rte_be_to_cpu_32(addr) >> 24);

	return top != 0 && top != 127 && top < 224 && addr != s->broadcast;
}

uint16_t
stack_route(void *stack, uint32_t raddr)
{
	struct pmtcp_ctx *s = stack;

	if (s->mask && ((raddr ^ s->net) & s->mask) == 0) {
		uint16_t number = neigh_get4(s, raddr);

		return number == NEIGH_NONE ? TCP_NO_HOP : number;
	}
	return s->gateway;
}

static uint16_t
find_hop4(const struct pmtcp_ctx *s, uint32_t raddr)
{
	if (s->mask && ((raddr ^ s->net) & s->mask) == 0)
		return neigh_find(s, neigh_addr4(raddr));
	return s->gateway;
}

bool
stack_knows_way(const void *stack, const struct seg *seg)
{
	const struct pmtcp_ctx *s = stack;
	uint16_t number = seg->is_v6 ? stack_find_hop6(s, tcp_seg_ip6(seg) + 8)
				     : find_hop4(s, seg->key.raddr);

	return number != NEIGH_NONE && s->t.hops[number].is_resolved;
}

/* The address we show to this remote: one subnet, so the first of it. */
uint32_t
stack_pick_local(void *stack, uint32_t raddr)
{
	const struct pmtcp_ctx *s = stack;

	(void)raddr;
	return rte_cpu_to_be_32(s->t.conf.ranges[0].first);
}

static int
check_ranges(const struct pmtcp_conf *conf, uint32_t mask)
{
	if (conf->n_ranges > PMTCP_RANGES_MAX || conf->prefix_len < 1 || conf->prefix_len > 30 ||
			conf->n_static_neigh > PMTCP_STATIC_NEIGH_MAX ||
			conf->n_static_neigh >= conf->max_neighbours)
		return -EINVAL;
	if (conf->n_ranges + conf->n_ranges6 == 0)
		return -EINVAL;
	for (uint16_t i = 0; i < conf->n_ranges; i++) {
		const struct pmtcp_range *r = &conf->ranges[i];

		if (r->first > r->last || r->first == 0)
			return -EINVAL;
		if (((r->first ^ conf->ranges[0].first) & mask) != 0 ||
				((r->last ^ conf->ranges[0].first) & mask) != 0)
			return -EINVAL;
		/* Neither the network's own address nor its broadcast. */
		if ((r->first & ~mask) == 0 || (r->last & ~mask) == (uint32_t)~mask)
			return -EINVAL;
	}
	if (conf->gateway && conf->n_ranges == 0)
		return -EINVAL;
	if (conf->gateway && ((conf->gateway ^ conf->ranges[0].first) & mask) != 0)
		return -EINVAL;
	return 0;
}

/* Caller: the neighbour table is ready. */
int
stack_addr_init(struct pmtcp_ctx *s)
{
	const struct pmtcp_conf *conf = &s->t.conf;
	uint32_t mask = conf->prefix_len ? ~(uint32_t)0 << (32 - conf->prefix_len) : 0;
	int err = check_ranges(conf, mask);

	if (err)
		return err;
	s->gateway = TCP_NO_HOP;
	s->mask = conf->n_ranges ? rte_cpu_to_be_32(mask) : 0;
	s->net = rte_cpu_to_be_32(conf->ranges[0].first & mask);
	s->broadcast = rte_cpu_to_be_32(conf->ranges[0].first | ~mask);
	for (uint16_t i = 0; i < conf->n_static_neigh; i++) {
		const struct pmtcp_static_neigh *n = &conf->static_neigh[i];

		neigh_set_static(s,
				n->ip4 ? neigh_addr4(rte_cpu_to_be_32(n->ip4))
				       : neigh_addr6(n->ip6),
				&n->mac);
	}
	if (conf->gateway)
		s->gateway = neigh_get(s, neigh_addr4(rte_cpu_to_be_32(conf->gateway)));
	return stack_addr6_init(s);
}
