/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See ctx_mem.h. */

#include "support/ctx_mem.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/rng.h"

static size_t
round_up(size_t len)
{
	return (len + PMTCP_CTX_ALIGN - 1) & ~(size_t)(PMTCP_CTX_ALIGN - 1);
}

void *
ctx_mem_map(size_t len)
{
	size_t room = round_up(len);
	uint8_t *raw = mmap(NULL, room + PMTCP_CTX_ALIGN, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t skip;

	CHECK(raw != MAP_FAILED);
	skip = round_up((uintptr_t)raw) - (uintptr_t)raw;
	if (skip != 0)
		CHECK(munmap(raw, skip) == 0);
	if (skip != PMTCP_CTX_ALIGN)
		CHECK(munmap(raw + skip + room, PMTCP_CTX_ALIGN - skip) == 0);
	return raw + skip;
}

void
ctx_mem_unmap(void *mem, size_t len)
{
	CHECK(munmap(mem, round_up(len)) == 0);
}

struct rte_ether_addr
ctx_mac_of(uint32_t ip4)
{
	return (struct rte_ether_addr){{0x02, 0x00, (uint8_t)(ip4 >> 24), (uint8_t)(ip4 >> 16),
			(uint8_t)(ip4 >> 8), (uint8_t)ip4}};
}

bool
ctx_is_v6(void)
{
	return getenv("PMTCP_TEST_IPV6") != NULL;
}

void
ctx_ip6_of(uint32_t ip4, uint8_t ip6[16])
{
	static const uint8_t prefix[16] = {0x20, 0x01, 0x0d, 0xb8};

	for (int i = 0; i < 12; i++)
		ip6[i] = prefix[i];
	for (int i = 0; i < 4; i++)
		ip6[12 + i] = (uint8_t)(ip4 >> (24 - 8 * i));
}

struct pmtcp_addr
ctx_addr_of(uint32_t ip4, uint16_t port)
{
	struct pmtcp_addr addr = {.version = 6, .port = port};

	if (!ctx_is_v6())
		return pmtcp_addr4(ip4, port);
	if (ip4 != 0)
		ctx_ip6_of(ip4, addr.ip6);
	return addr;
}

void
ctx_conf_add_v6(struct pmtcp_conf *conf, uint32_t self, uint32_t peer)
{
	conf->n_ranges6 = 1;
	ctx_ip6_of(self, conf->ranges6[0].first);
	ctx_ip6_of(self, conf->ranges6[0].last);
	conf->n_static_neigh = 2;
	ctx_ip6_of(peer, conf->static_neigh[1].ip6);
	conf->static_neigh[1].mac = ctx_mac_of(peer);
}

static void
fill_secrets(struct pmtcp_secrets *s, uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, seed);
	for (int i = 0; i < 2; i++) {
		s->isn[i] = rng_next(&rng);
		s->ts[i] = rng_next(&rng);
		s->port[i] = rng_next(&rng);
		s->flow[i] = rng_next(&rng);
	}
	for (int i = 0; i < 2; i++)
		s->cookie[i] = rng_next(&rng);
}

void
ctx_conf_small(struct pmtcp_conf *conf, uint32_t self, uint32_t peer, uint64_t seed)
{
	pmtcp_conf_init(conf);
	conf->mac = ctx_mac_of(self);
	conf->mtu = 1500;
	conf->prefix_len = 24;
	conf->n_ranges = 1;
	conf->ranges[0] = (struct pmtcp_range){.first = self, .last = self};
	conf->n_static_neigh = 1;
	conf->static_neigh[0].ip4 = peer;
	conf->static_neigh[0].mac = ctx_mac_of(peer);
	if (ctx_is_v6())
		ctx_conf_add_v6(conf, self, peer);
	fill_secrets(&conf->secrets, seed);
	conf->seed = seed;
	conf->max_conns = 64;
	conf->max_half_open = 64;
	conf->max_time_wait = 64;
	conf->max_transfers = 64;
	conf->max_records = 4096;
	conf->max_port_pairs = 16;
	conf->max_listeners = 4;
	conf->max_classes = 16;
	conf->max_neighbours = 16;
}
