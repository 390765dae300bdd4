/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What can a peer make one packet cost (SEC-14), beside the ACKs of bench_sack: out-of-order
 * text, neighbours that come and go, a flow table that fills up, the longest TCP options and
 * IPv6 extension headers? Honest is a segment of text in order that the application reads. */

#include <rte_arp.h>

#include "bench_peer.h"

enum {
	PACKETS = 4000, /* of each run */
	TEXT = 100,     /* octets of an honest segment */
	HOLES = 64,     /* ranges of a connection, at most (DATA-6) */
	CONNS = 8192,
	LISTEN = 80,
	EXT_OCTETS = 1200,
};

static uint64_t cost[PACKETS];
static uint32_t rcv_nxt; /* the context's, and so our next */
static const uint8_t self6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
static const uint8_t peer6[16] = {0x20, 1, 0xd, 0xb8, [15] = 2};

static void
tune(struct pmtcp_conf *conf)
{
	conf->max_half_open = CONNS;
	conf->syn_cookies = PMTCP_COOKIES_OFF;
	conf->syn_per_ms = 0;
	conf->n_ranges6 = 1;
	conf->prefix6_len = 64;
	memcpy(conf->ranges6[0].first, self6, 16);
	memcpy(conf->ranges6[0].last, self6, 16);
	conf->prefix_len = 8; /* room for neighbours */
}

static void
begin(void)
{
	static const uint8_t opts[8] = {2, 4, 5, 0xb4, 1, 1, 4, 2};
	const struct pmtcp_conn_opts with = {.no_timestamps = true};

	peer_open(&with, opts, sizeof(opts));
	rcv_nxt = PEER_ISS + 1;
}

/* So many octets of text, at octets above what is expected next. */
static uint64_t
text(uint32_t at, uint16_t len, const uint8_t *opts, uint8_t opts_len)
{
	return peer_deliver(peer_segment(&(struct peer_seg){.seq = rcv_nxt + at,
			.ack = iss + 1,
			.flags = RTE_TCP_ACK_FLAG,
			.len = len,
			.opts = opts,
			.opts_len = opts_len}));
}

static void
read_all(void)
{
	static uint8_t buf[65536];
	int n;

	while ((n = pmtcp_read(conn, buf, sizeof(buf))) > 0)
		rcv_nxt += (uint32_t)n;
	peer_output();
	peer_take_events();
}

static uint64_t
honest(uint32_t i)
{
	uint64_t cycles = text(0, TEXT, NULL, 0);

	(void)i;
	read_all();
	return cycles;
}

/* One octet, and one left out; beyond the limit each takes another's place or goes. */
static uint64_t
tiny_holes(uint32_t i)
{
	return text(2 + i % 16384 * 2, 1, NULL, 0);
}

/* The same from above, each below all others. */
static uint64_t
tiny_downward(uint32_t i)
{
	return text(2 * (PACKETS - i), 1, NULL, 0);
}

/* Every range that there can be, and one segment over all of them. */
static uint64_t
covered(uint32_t i)
{
	uint32_t at = i % (HOLES + 1);
	uint64_t cycles;

	if (at < HOLES)
		return text(2 + 2 * at, 1, NULL, 0);
	cycles = text(0, 4 * HOLES, NULL, 0);
	read_all();
	return cycles;
}

static uint64_t
options(uint32_t i)
{
	static const uint8_t nops[40] = {[0 ... 39] = 1};
	static uint8_t unknown[40];
	uint64_t cycles;

	for (int k = 0; k < 40; k += 2) {
		unknown[k] = 77;
		unknown[k + 1] = 2;
	}
	cycles = text(0, TEXT, i % 2 ? nops : unknown, 40);
	read_all();
	return cycles;
}

/* ARP requests for us, each from a neighbour never seen: the table is full and one goes. */
static uint64_t
neighbours(uint32_t i)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *eth;
	struct rte_arp_hdr *arp;
	uint32_t ip = PMTCP_IP4(198, 19, 0, 0) + 1 + i;

	BENCH_VERIFY(m != NULL);
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, 60);
	BENCH_VERIFY(eth != NULL);
	memset(eth, 0, 60);
	memset(&eth->dst_addr, 0xff, sizeof(eth->dst_addr));
	eth->src_addr = peer_mac_of(ip);
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP);
	arp = (struct rte_arp_hdr *)(eth + 1);
	arp->arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = RTE_ETHER_ADDR_LEN;
	arp->arp_plen = sizeof(ip);
	arp->arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REQUEST);
	arp->arp_data.arp_sha = eth->src_addr;
	arp->arp_data.arp_sip = rte_cpu_to_be_32(ip);
	arp->arp_data.arp_tip = rte_cpu_to_be_32(SELF_IP);
	return peer_deliver(m);
}

/* SYNs of tuples nobody chose, into a table whose blocks are all in use: what comes takes
 * the place of another. The keys of one bucket cannot be had without the secret. */
static uint64_t
table_full(uint32_t i)
{
	static struct pmtcp_listener *listener;
	static struct rng rng;
	const struct pmtcp_addr at = pmtcp_addr4(0, LISTEN);
	struct peer_seg syn = {.flags = RTE_TCP_SYN_FLAG, .to = LISTEN};

	if (listener == NULL) {
		rng_seed(&rng, 1);
		BENCH_VERIFY(pmtcp_listen(ctx, &at, NULL, &listener) == 0);
		for (uint32_t k = 0; k < 2 * CONNS; k++) {
			syn.from = (uint16_t)(1 + rng_below(&rng, UINT16_MAX));
			syn.seq = k;
			peer_deliver(peer_segment(&syn));
		}
	}
	syn.from = (uint16_t)(1 + rng_below(&rng, UINT16_MAX));
	syn.seq = i;
	return peer_deliver(peer_segment(&syn));
}

/* A SYN over IPv6 behind so many octets of extension headers, all 0; *ext: the first. */
static struct rte_mbuf *
syn_behind(uint32_t octets, uint8_t first, uint8_t **ext)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *eth;
	struct rte_ipv6_hdr *ip;
	uint8_t *tcp;

	BENCH_VERIFY(m != NULL);
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, (uint16_t)(14 + 40 + octets + 20));
	BENCH_VERIFY(eth != NULL);
	eth->dst_addr = peer_mac_of(SELF_IP);
	eth->src_addr = peer_mac_of(PEER_IP);
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6);
	ip = (struct rte_ipv6_hdr *)(eth + 1);
	memset(ip, 0, 40 + octets + 20);
	ip->vtc_flow = rte_cpu_to_be_32(6u << 28);
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(octets + 20));
	ip->proto = first;
	ip->hop_limits = 64;
	memcpy(ip->src_addr, peer6, 16);
	memcpy(ip->dst_addr, self6, 16);
	*ext = (uint8_t *)(ip + 1);
	tcp = *ext + octets;
	tcp[12] = 0x50;
	tcp[13] = RTE_TCP_SYN_FLAG;
	tcp[1] = tcp[3] = LISTEN;
	m->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return m;
}

/* Extension headers of eight octets up to the end of the packet, of PadN each (RFC 8200
 * 4.2), or one of destination options that is all Pad1. */
static uint64_t
extensions(uint32_t i)
{
	uint8_t *p;
	struct rte_mbuf *m = syn_behind(EXT_OCTETS, IPPROTO_DSTOPTS, &p);

	p[0] = IPPROTO_TCP;
	p[1] = EXT_OCTETS / 8 - 1;
	for (uint32_t k = 0; i % 2 && k < EXT_OCTETS; k += 8) {
		p[k] = k + 8 < EXT_OCTETS ? IPPROTO_DSTOPTS : IPPROTO_TCP;
		p[k + 1] = 0;
		p[k + 2] = 1;
		p[k + 3] = 4;
	}
	return peer_deliver(m);
}

/* Octets of a header of n options with 7 of Pad1 before and behind each. */
static uint32_t
padded_len(uint32_t n)
{
	return (2 + 7 + n * 9 + 7) / 8 * 8;
}

/* The last option fills it up. */
static uint8_t *
put_padded(uint8_t *p, uint8_t next, uint32_t n)
{
	uint32_t len = padded_len(n);

	p[0] = next;
	p[1] = (uint8_t)(len / 8 - 1);
	for (uint32_t k = 0; k < n; k++) {
		p[2 + 7 + k * 9] = 0x1e;
		p[2 + 7 + k * 9 + 1] = k + 1 < n ? 0 : (uint8_t)(len - 2 - 7 - n * 9);
	}
	return p + len;
}

/* As much of headers, options and padding as is borne (RFC 8504 5.3). */
static uint64_t
extensions_borne(uint32_t i)
{
	uint32_t octets = padded_len(8) + 6 * padded_len(1) + padded_len(2);
	uint8_t *p;
	struct rte_mbuf *m = syn_behind(octets, IPPROTO_HOPOPTS, &p);
	static struct pmtcp_stats before, after;
	uint64_t cycles;

	if (i == 0)
		pmtcp_stats(ctx, &before);
	p = put_padded(p, IPPROTO_DSTOPTS, 8);
	for (int k = 0; k < 6; k++)
		p = put_padded(p, IPPROTO_DSTOPTS, 1);
	put_padded(p, IPPROTO_TCP, 2);
	cycles = peer_deliver(m);
	if (i == PACKETS - 1) {
		pmtcp_stats(ctx, &after);
		BENCH_VERIFY(after.counter[PMTCP_C_drop_ip6_ext_limit] ==
				before.counter[PMTCP_C_drop_ip6_ext_limit]);
	}
	return cycles;
}

struct kind {
	const char *name;
	uint64_t (*next)(uint32_t i);
};

static void
run(const struct kind *k, struct bench_case *c, uint64_t *p99)
{
	begin();
	for (uint32_t i = 0; i < PACKETS; i++) {
		now_ns += 1000;
		pmtcp_tick(ctx, now_ns);
		peer_output();
		cost[i] = k->next(i);
	}
	peer_abort();
	peer_judge(cost, PACKETS, c, p99);
}

int
main(int argc, char **argv)
{
	static const struct kind kinds[] = {{"honest", honest}, {"tiny_holes", tiny_holes},
			{"tiny_downward", tiny_downward}, {"covered", covered},
			{"options", options}, {"extensions", extensions},
			{"extensions_borne", extensions_borne}, {"neighbours", neighbours},
			{"table_full", table_full}};
	int runs = bench_is_quick(argc, argv) ? 2 : BENCH_RUNS;
	double honest_cyc = 0;

	peer_start(argv[0], tune);
	pmtcp_tick(ctx, now_ns);
	for (size_t k = 0; k < PMTCP_ARRAY_SIZE(kinds); k++) {
		struct bench_case c = {.size = PACKETS};
		uint64_t p99 = UINT64_MAX;
		char name[48];

		snprintf(name, sizeof(name), "worst.%s", kinds[k].name);
		c.name = name;
		for (int i = 0; i < runs; i++)
			run(&kinds[k], &c, &p99);
		honest_cyc = k == 0 ? bench_median(&c) : honest_cyc;
		peer_report(&c, p99, honest_cyc);
	}
	return 0;
}
