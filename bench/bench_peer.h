/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the benches of SEC-14 share: one context, this program as its peer, what a packet
 * costs from pmtcp_input() to the last packet of pmtcp_output(), on a mempool of DPDK, and
 * the judgement: the 99th percentile of an adversary is at most 20 times the median of an
 * honest peer. */

#ifndef PMTCP_BENCH_PEER_H
#define PMTCP_BENCH_PEER_H

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "bench.h"
#include "pmtcp.h"

enum {
	PEER_PORT = 5001,
	PEER_ISS = 1000,
	PEER_POOL = 32768,
	PEER_RATIO_MAX = 20,
	PEER_HEADERS = 14 + 20 + 20,
};

#define SELF_IP PMTCP_IP4(198, 18, 0, 1)
#define PEER_IP PMTCP_IP4(198, 18, 0, 2)

static struct rte_mempool *pool;
static struct pmtcp_ctx *ctx;
static struct pmtcp_conn *conn;
static uint64_t now_ns = 1000000000;
static uint32_t iss;  /* the context's; 0: the next SYN tells */
static uint16_t port; /* and its port, network order */

static inline struct rte_ether_addr
peer_mac_of(uint32_t ip4)
{
	return (struct rte_ether_addr){{2, 0, (uint8_t)(ip4 >> 24), (uint8_t)(ip4 >> 16),
			(uint8_t)(ip4 >> 8), (uint8_t)ip4}};
}

/* EAL, pool and context. */
static inline void
peer_start(char *program, void (*tune)(struct pmtcp_conf *conf))
{
	struct pmtcp_conf conf;
	size_t len;
	uint8_t *mem;

	bench_start(program, 256);
	pool = rte_pktmbuf_pool_create("peer", PEER_POOL, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	BENCH_VERIFY(pool != NULL);
	pmtcp_conf_init(&conf);
	conf.pool = pool;
	conf.mac = peer_mac_of(SELF_IP);
	conf.mtu = 1500;
	conf.prefix_len = 24;
	conf.n_ranges = 1;
	conf.ranges[0] = (struct pmtcp_range){.first = SELF_IP, .last = SELF_IP};
	conf.n_static_neigh = 1;
	conf.static_neigh[0].ip4 = PEER_IP;
	conf.static_neigh[0].mac = peer_mac_of(PEER_IP);
	conf.caps.rx_ip_cksum = conf.caps.rx_tcp_cksum = true;
	conf.caps.tx_ip_cksum = conf.caps.tx_tcp_cksum = true;
	conf.max_conns = conf.max_half_open = conf.max_time_wait = 64;
	tune(&conf);
	len = pmtcp_ctx_memsize(&conf);
	mem = rte_zmalloc(NULL, len, PMTCP_CTX_ALIGN);
	BENCH_VERIFY(mem != NULL);
	BENCH_VERIFY(pmtcp_ctx_init(mem, len, &conf, &ctx) == 0);
}

/* What leaves is looked at for the first SYN only. */
static inline void
peer_output(void)
{
	struct rte_mbuf *out[64];
	uint16_t n;

	while ((n = pmtcp_output(ctx, now_ns, out, 64)) > 0) {
		const struct rte_tcp_hdr *th =
				rte_pktmbuf_mtod_offset(out[0], struct rte_tcp_hdr *, 34);

		if (iss == 0) {
			iss = rte_be_to_cpu_32(th->sent_seq);
			port = th->src_port;
		}
		rte_pktmbuf_free_bulk(out, n);
	}
}

/* A segment of the peer's; zero ports are those of the one connection. */
struct peer_seg {
	uint32_t seq;
	uint32_t ack;
	uint8_t flags;
	uint8_t opts_len;
	uint16_t len; /* octets of text */
	uint16_t from, to;
	const uint8_t *opts;
};

static inline struct rte_mbuf *
peer_segment(const struct peer_seg *s)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *eth;
	struct rte_ipv4_hdr *ip;
	struct rte_tcp_hdr *th;

	BENCH_VERIFY(m != NULL);
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(
			m, (uint16_t)(PEER_HEADERS + s->opts_len + s->len));
	eth->dst_addr = peer_mac_of(SELF_IP);
	eth->src_addr = peer_mac_of(PEER_IP);
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	ip = (struct rte_ipv4_hdr *)(eth + 1);
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
			.total_length = rte_cpu_to_be_16((uint16_t)(40 + s->opts_len + s->len)),
			.time_to_live = 64,
			.next_proto_id = IPPROTO_TCP,
			.src_addr = rte_cpu_to_be_32(PEER_IP),
			.dst_addr = rte_cpu_to_be_32(SELF_IP)};
	th = (struct rte_tcp_hdr *)(ip + 1);
	*th = (struct rte_tcp_hdr){
			.src_port = rte_cpu_to_be_16(s->from ? s->from : (uint16_t)PEER_PORT),
			.dst_port = s->to ? rte_cpu_to_be_16(s->to) : port,
			.sent_seq = rte_cpu_to_be_32(s->seq),
			.recv_ack = rte_cpu_to_be_32(s->ack),
			.data_off = (uint8_t)((20 + s->opts_len) / 4 << 4),
			.tcp_flags = s->flags,
			.rx_win = UINT16_MAX};
	if (s->opts_len > 0)
		memcpy(th + 1, s->opts, s->opts_len);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return m;
}

static inline uint64_t
peer_deliver(struct rte_mbuf *m)
{
	uint64_t begun = rte_rdtsc_precise();

	pmtcp_input(ctx, now_ns, &m, 1);
	peer_output();
	return rte_rdtsc_precise() - begun;
}

static inline void
peer_take_events(void)
{
	struct pmtcp_event ev[8];

	while (pmtcp_events(ctx, ev, 8) > 0)
		;
}

/* A new connection of ours; the options are those of the peer's SYN-ACK. */
static inline void
peer_open(const struct pmtcp_conn_opts *with, const uint8_t *opts, uint8_t opts_len)
{
	const struct pmtcp_addr local = pmtcp_addr4(SELF_IP, 0);
	const struct pmtcp_addr remote = pmtcp_addr4(PEER_IP, PEER_PORT);

	iss = 0;
	BENCH_VERIFY(pmtcp_connect(ctx, &local, &remote, with, &conn) == 0);
	peer_output();
	peer_deliver(peer_segment(&(struct peer_seg){.seq = PEER_ISS,
			.ack = iss + 1,
			.flags = RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG,
			.opts = opts,
			.opts_len = opts_len}));
	peer_take_events();
}

static inline void
peer_abort(void)
{
	pmtcp_abort(conn);
	peer_output();
	peer_take_events();
	peer_output();
}

static inline int
peer_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* One run: the median of its packets, and the least 99th percentile so far. What is beyond
 * it is the scheduler's more than ours. */
static inline void
peer_judge(uint64_t *cost, uint32_t n, struct bench_case *c, uint64_t *p99)
{
	qsort(cost, n, sizeof(cost[0]), peer_compare);
	*p99 = min_u64(*p99, cost[n * 99 / 100]);
	bench_add(c, cost[n / 2], 1);
}

static inline void
peer_report(struct bench_case *c, uint64_t p99, double honest_cyc)
{
	char extra[96];

	snprintf(extra, sizeof(extra), "p99_cyc=%llu times_honest=%.2f p99_times_honest=%.2f",
			(unsigned long long)p99, bench_median(c) / honest_cyc,
			(double)p99 / honest_cyc);
	bench_report(c, extra);
	/* The time of one or two runs (--quick) says nothing, the less so under sanitizers. */
	if (c->runs >= BENCH_RUNS)
		BENCH_VERIFY((double)p99 <= PEER_RATIO_MAX * honest_cyc);
}

#endif /* PMTCP_BENCH_PEER_H */
