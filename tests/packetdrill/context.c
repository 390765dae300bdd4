/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The one context: own addresses of both versions, neighbours that need no asking, and
 * what profile and control file say. */

#include "packetdrill/plug.h"

#include <string.h>

#include "base/check.h"
#include "packetdrill/control.h"
#include "support/pool.h"

enum {
	ROOM = RTE_PKTMBUF_HEADROOM + RTE_ETHER_HDR_LEN + PLUG_PACKET_MAX,
	PREFIX_MAX = 30,
	PREFIX_MIN = 16,
	PREFIX6 = 126,
	NEIGH6 = 3,      /* the other hosts of such a subnet */
	MTU6_MIN = 1280, /* RFC 8200 section 5 */
	SHARE = 512,
};

static bool
is_host(uint32_t ip4, uint8_t prefix)
{
	uint32_t low = ip4 & ~(UINT32_MAX << (32 - prefix));

	return low != 0 && low != ~(UINT32_MAX << (32 - prefix));
}

/* The smallest subnet in which the own address is a host, with another host as the
 * gateway to everybody; the tool's remote addresses lie outside, or are static too. */
static void
set_addresses(struct pmtcp_conf *conf, uint32_t self)
{
	uint8_t prefix = PREFIX_MAX;
	uint32_t mask;

	while (prefix > PREFIX_MIN && !is_host(self, prefix))
		prefix--;
	mask = UINT32_MAX << (32 - prefix);
	conf->prefix_len = prefix;
	conf->n_static_neigh = 0;
	for (uint32_t ip = (self & mask) + 1; ip < (self | ~mask); ip++) {
		if (ip == self || conf->n_static_neigh == PMTCP_STATIC_NEIGH_MAX - NEIGH6)
			continue;
		conf->static_neigh[conf->n_static_neigh++] =
				(struct pmtcp_static_neigh){.ip4 = ip, .mac = ctx_mac_of(ip)};
	}
	conf->gateway = conf->static_neigh[0].ip4;
}

/* The same with IPv6, where each address of a subnet is a host. */
static void
set_addresses6(struct pmtcp_conf *conf, const uint8_t *self)
{
	conf->n_ranges6 = 1;
	conf->prefix6_len = PREFIX6;
	memcpy(conf->ranges6[0].first, self, 16);
	memcpy(conf->ranges6[0].last, self, 16);
	for (uint8_t i = 1; i <= NEIGH6; i++) {
		struct pmtcp_static_neigh *n = &conf->static_neigh[conf->n_static_neigh++];

		*n = (struct pmtcp_static_neigh){.mac = ctx_mac_of(conf->gateway)};
		memcpy(n->ip6, self, 16);
		n->ip6[15] ^= i;
		memcpy(conf->gateway6, n->ip6, 16);
	}
}

bool
plug_addr_is_any(const struct pmtcp_addr *addr)
{
	static const uint8_t any[16];

	if (addr->version == 6)
		return memcmp(addr->ip6, any, sizeof(any)) == 0;
	return addr->ip4 == 0;
}

static void
set_shares(struct pmtcp_conf *conf)
{
	conf->max_conns = SHARE;
	conf->max_half_open = SHARE;
	conf->max_time_wait = SHARE;
	conf->max_transfers = SHARE;
	conf->max_records = 16 * SHARE;
	conf->max_port_pairs = SHARE;
	conf->max_listeners = PLUG_SOCKS_MAX;
	conf->max_classes = 2 * PLUG_SOCKS_MAX;
	conf->max_neighbours = 2 * PMTCP_STATIC_NEIGH_MAX;
	conf->spare_max = 0;
}

void
plug_start(struct plug *p, const struct pmtcp_addr *addr)
{
	const struct pmtcp_addr *own4 = &p->profile.local;
	const struct pmtcp_addr *own6 = &p->profile.local6;

	if (p->ctx)
		return;
	control_read(&p->profile);
	if (addr && addr->version == 4 && !plug_addr_is_any(addr))
		own4 = addr;
	if (addr && addr->version == 6 && !plug_addr_is_any(addr))
		own6 = addr;
	ctx_conf_small(&p->conf, own4->ip4, own4->ip4 ^ 3, 1);
	set_addresses(&p->conf, own4->ip4);
	p->conf.n_ranges6 = 0;
	if (p->profile.mtu >= MTU6_MIN)
		set_addresses6(&p->conf, own6->ip6);
	p->pool = test_pool_create(ROOM);
	p->conf.pool = p->pool;
	set_shares(&p->conf);
	profile_conf(&p->profile, &p->conf);
	p->mem_len = pmtcp_ctx_memsize(&p->conf);
	p->mem = ctx_mem_map(p->mem_len);
	CHECK(pmtcp_ctx_init(p->mem, p->mem_len, &p->conf, &p->ctx) == 0);
	pmtcp_tick(p->ctx, plug_core_ns(p));
}

bool
plug_is_own(const struct plug *p, const struct pmtcp_addr *addr)
{
	if (plug_addr_is_any(addr))
		return true;
	if (addr->version == 6)
		return p->conf.n_ranges6 > 0 &&
		       memcmp(addr->ip6, p->conf.ranges6[0].first, 16) == 0;
	return addr->ip4 == p->conf.ranges[0].first;
}

void
plug_stop(struct plug *p)
{
	if (!p->ctx)
		return;
	pmtcp_ctx_fini(p->ctx);
	test_pool_destroy(p->pool);
	ctx_mem_unmap(p->mem, p->mem_len);
	p->ctx = NULL;
}
