/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* IP packets in and out: what the tool sees as a network device. Frames of the context
 * have an Ethernet header; its only neighbours are static, so no ARP appears. */

#include "packetdrill/plug.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "support/build.h"
#include "support/pool.h"

enum {
	ROOM = RTE_PKTMBUF_HEADROOM + RTE_ETHER_HDR_LEN + PLUG_PACKET_MAX,
	TCP_CKSUM_AT = 16,
	PREFIX_MAX = 30,
	PREFIX_MIN = 16,
	SHARE = 512,
};

/* ---- the context --------------------------------------------------------------------- */

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
		if (ip == self || conf->n_static_neigh == PMTCP_STATIC_NEIGH_MAX)
			continue;
		conf->static_neigh[conf->n_static_neigh++] =
				(struct pmtcp_static_neigh){.ip4 = ip, .mac = ctx_mac_of(ip)};
	}
	conf->gateway = conf->static_neigh[0].ip4;
}

void
plug_start(struct plug *p, const struct pmtcp_addr *addr)
{
	uint32_t self = p->profile.local.ip4;

	if (p->ctx)
		return;
	if (addr && addr->version == 4 && addr->ip4 != 0)
		self = addr->ip4;
	ctx_conf_small(&p->conf, self, self ^ 3, 1);
	set_addresses(&p->conf, self);
	p->pool = test_pool_create(ROOM);
	p->conf.pool = p->pool;
	p->conf.max_conns = SHARE;
	p->conf.max_half_open = SHARE;
	p->conf.max_time_wait = SHARE;
	p->conf.max_transfers = SHARE;
	p->conf.max_records = 16 * SHARE;
	p->conf.max_port_pairs = SHARE;
	p->conf.max_listeners = PLUG_SOCKS_MAX;
	p->conf.max_classes = 2 * PLUG_SOCKS_MAX;
	p->conf.max_neighbours = 2 * PMTCP_STATIC_NEIGH_MAX;
	p->conf.spare_max = 0;
	profile_conf(&p->profile, &p->conf);
	p->mem_len = pmtcp_ctx_memsize(&p->conf);
	p->mem = ctx_mem_map(p->mem_len);
	CHECK(pmtcp_ctx_init(p->mem, p->mem_len, &p->conf, &p->ctx) == 0);
	pmtcp_tick(p->ctx, plug_core_ns(p));
}

void
plug_stop(struct plug *p)
{
	for (; p->n_out > 0; p->n_out--) {
		free(p->out[p->first_out].bytes);
		p->first_out = (p->first_out + 1) % PLUG_QUEUE_MAX;
	}
	if (!p->ctx)
		return;
	pmtcp_ctx_fini(p->ctx);
	test_pool_destroy(p->pool);
	ctx_mem_unmap(p->mem, p->mem_len);
	p->ctx = NULL;
}

/* ---- out ------------------------------------------------------------------------------ */

__attribute__((noreturn)) static void
die(const struct plug *p, const char *why)
{
	fprintf(stderr, "pmtcp: a packet that left is wrong: %s\n", why);
	for (uint32_t i = 0; i < p->pkt.frame_len && i < PKT_BYTES_MAX; i++)
		fprintf(stderr, "%02x%s", p->pkt.bytes[i], i % 16 == 15 ? "\n" : " ");
	fprintf(stderr, "\n");
	abort();
}

/* The tool looks at few of the fields that must be right, and at no TCP checksum. */
static bool
is_for_the_tool(struct plug *p, const struct rte_mbuf *m)
{
	struct pkt *pkt = &p->pkt;

	if (pkt_decode(pkt, m) != 0)
		die(p, "malformed");
	if (pkt->kind != PKT_KIND_TCP && pkt->kind != PKT_KIND_ICMP)
		return false;
	if (!pkt->is_ip_cksum_good)
		die(p, "IP checksum");
	if (!pkt->is_l4_cksum_good)
		die(p, "checksum");
	return true;
}

static void
enqueue(struct plug *p, const void *bytes, uint32_t len)
{
	struct out *out = &p->out[(p->first_out + p->n_out) % PLUG_QUEUE_MAX];

	CHECK(p->n_out < PLUG_QUEUE_MAX);
	out->bytes = malloc(len);
	CHECK(out->bytes);
	memcpy(out->bytes, bytes, len);
	out->len = len;
	out->time_us = p->now_us;
	p->n_out++;
}

void
plug_transmit(struct plug *p, struct rte_mbuf *m)
{
	struct layout l;

	if (!is_for_the_tool(p, m)) {
		rte_pktmbuf_free(m);
		return;
	}
	rte_pktmbuf_free(m);
	if (!packet_lay_out(&l, p->pkt.bytes + RTE_ETHER_HDR_LEN,
			    p->pkt.frame_len - RTE_ETHER_HDR_LEN))
		die(p, "length");
	if (l.proto == IPPROTO_TCP) {
		isn_out(p, &l);
		canon_out(p, &l);
		packet_l4_fill(&l, TCP_CKSUM_AT);
	}
	enqueue(p, l.ip, l.len);
}

int
plug_netdev_receive(void *userdata, void *buf, size_t *len, long long *time_us)
{
	struct plug *p = userdata;
	uint64_t until;
	struct out *out;

	plug_enter(p);
	until = p->now_us + p->profile.wait_s * 1000000ull;
	while (p->n_out == 0 && p->now_us < until)
		plug_step(p, until);
	*time_us = (long long)p->now_us;
	out = &p->out[p->first_out];
	if (p->n_out > 0) {
		*len = out->len < *len ? out->len : *len;
		memcpy(buf, out->bytes, *len);
		*time_us = (long long)out->time_us;
		free(out->bytes);
		p->first_out = (p->first_out + 1) % PLUG_QUEUE_MAX;
		p->n_out--;
	} else {
		*len = 0;
	}
	plug_leave(p);
	return 0;
}

/* ---- in ------------------------------------------------------------------------------- */

/* The own address, if no bind() has told it: whom the first packet is for. */
static struct pmtcp_addr
own_address(const void *buf, size_t len)
{
	struct pmtcp_addr addr = {0};
	const uint8_t *ip = buf;
	uint8_t top;

	if (len < 20 || ip[0] >> 4 != 4)
		return addr;
	top = ip[16];
	if (top != 0 && top != 127 && top < 224)
		addr = pmtcp_addr4(get32(ip + 16), 0);
	return addr;
}

static struct rte_mbuf *
frame_of(struct plug *p, const void *buf, size_t len)
{
	uint8_t bytes[RTE_ETHER_HDR_LEN + PLUG_PACKET_MAX];
	struct rte_ether_hdr *eth = (void *)bytes;
	struct layout l;

	eth->dst_addr = p->conf.mac;
	eth->src_addr = ctx_mac_of(p->conf.gateway);
	memcpy(eth + 1, buf, len);
	eth->ether_type =
			rte_cpu_to_be_16(bytes[RTE_ETHER_HDR_LEN] >> 4 == 6 ? RTE_ETHER_TYPE_IPV6
									    : RTE_ETHER_TYPE_IPV4);
	if (packet_lay_out(&l, eth + 1, (uint32_t)len))
		isn_in(p, &l);
	return build_mbuf(p->pool, bytes, RTE_ETHER_HDR_LEN + len, 0);
}

/* One packet per turn: how many ACKs a burst gets depends on the burst. */
int
plug_netdev_send(void *userdata, const void *buf, size_t len)
{
	struct plug *p = userdata;
	struct pmtcp_addr addr = own_address(buf, len);
	struct rte_mbuf *m;

	plug_enter(p);
	plug_start(p, &addr);
	if (len > p->profile.mtu && !p->has_warned_size) {
		fprintf(stderr, "pmtcp: a packet of %zu octets is lost: above the MTU of %u\n", len,
				p->profile.mtu);
		p->has_warned_size = true;
	}
	if (len <= p->profile.mtu && len > 0) {
		m = frame_of(p, buf, len);
		pmtcp_input(p->ctx, plug_core_ns(p), &m, 1);
		plug_turn(p);
	}
	plug_leave(p);
	return 0;
}
