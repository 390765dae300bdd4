/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What can a peer make one ACK cost (SEC-14)? A connection sends as fast as it may; the peer
 * is this program. It opens with the smallest MSS, so that as many segments as can be are
 * in flight, and then acknowledges as an honest one does, two segments each, or reports
 * blocks that are made to be expensive. Measured is what an ACK costs from pmtcp_input() to
 * the last packet of pmtcp_output(), on a mempool of DPDK. It fails if the 99th
 * percentile of an adversary is more than 20 times the median of the honest one. */

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_tcp.h>

#include "bench.h"
#include "pmtcp.h"

enum {
	MSS = 88,
	FLIGHT = 4096, /* segments, as many as go out */
	ACKS = 4000,   /* of each run */
	POOL = 32768,
	PEER_PORT = 5001,
	PEER_ISS = 1000,
	RATIO_MAX = 20,
	HEADERS = 14 + 20 + 20,
};

#define SELF_IP PMTCP_IP4(198, 18, 0, 1)
#define PEER_IP PMTCP_IP4(198, 18, 0, 2)

struct block {
	uint32_t left;
	uint32_t right;
};

struct ack {
	uint32_t ack;
	uint32_t n;
	struct block block[4];
};

static struct rte_mempool *pool;
static struct pmtcp_ctx *ctx;
static struct pmtcp_conn *conn;
static uint64_t now_ns = 1000000000;
static uint32_t iss;
static uint16_t port;
static uint32_t drawn;

static struct rte_ether_addr
mac_of(uint32_t ip4)
{
	return (struct rte_ether_addr){{2, 0, (uint8_t)(ip4 >> 24), (uint8_t)(ip4 >> 16),
			(uint8_t)(ip4 >> 8), (uint8_t)ip4}};
}

static void
ctx_create(void)
{
	struct pmtcp_conf conf;
	size_t len;
	uint8_t *mem;

	pmtcp_conf_init(&conf);
	conf.pool = pool;
	conf.mac = mac_of(SELF_IP);
	conf.mtu = 1500;
	conf.prefix_len = 24;
	conf.n_ranges = 1;
	conf.ranges[0] = (struct pmtcp_range){.first = SELF_IP, .last = SELF_IP};
	conf.n_static_neigh = 1;
	conf.static_neigh[0].ip4 = PEER_IP;
	conf.static_neigh[0].mac = mac_of(PEER_IP);
	conf.caps.rx_ip_cksum = conf.caps.rx_tcp_cksum = true;
	conf.caps.tx_ip_cksum = conf.caps.tx_tcp_cksum = true;
	conf.max_conns = conf.max_half_open = conf.max_time_wait = 64;
	conf.max_records = 3 * FLIGHT;
	conf.send_buffer = 4 << 20;
	len = pmtcp_ctx_memsize(&conf);
	mem = rte_zmalloc(NULL, len, PMTCP_CTX_ALIGN);
	BENCH_VERIFY(mem != NULL);
	BENCH_VERIFY(pmtcp_ctx_init(mem, len, &conf, &ctx) == 0);
}

/* What leaves is looked at for the first SYN only. */
static void
output(void)
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

/* A segment of the peer's without text. */
static struct rte_mbuf *
segment(uint32_t ack, uint8_t flags, const uint8_t *opts, uint8_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	struct rte_ether_hdr *eth;
	struct rte_ipv4_hdr *ip;
	struct rte_tcp_hdr *th;

	BENCH_VERIFY(m != NULL);
	eth = (struct rte_ether_hdr *)rte_pktmbuf_append(m, (uint16_t)(HEADERS + len));
	eth->dst_addr = mac_of(SELF_IP);
	eth->src_addr = mac_of(PEER_IP);
	eth->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
	ip = (struct rte_ipv4_hdr *)(eth + 1);
	*ip = (struct rte_ipv4_hdr){.version_ihl = RTE_IPV4_VHL_DEF,
			.total_length = rte_cpu_to_be_16((uint16_t)(40 + len)),
			.time_to_live = 64,
			.next_proto_id = IPPROTO_TCP,
			.src_addr = rte_cpu_to_be_32(PEER_IP),
			.dst_addr = rte_cpu_to_be_32(SELF_IP)};
	th = (struct rte_tcp_hdr *)(ip + 1);
	*th = (struct rte_tcp_hdr){.src_port = rte_cpu_to_be_16(PEER_PORT),
			.dst_port = port,
			.sent_seq = rte_cpu_to_be_32(PEER_ISS + !(flags & RTE_TCP_SYN_FLAG)),
			.recv_ack = rte_cpu_to_be_32(ack),
			.data_off = (uint8_t)((20 + len) / 4 << 4),
			.tcp_flags = flags,
			.rx_win = UINT16_MAX};
	memcpy(th + 1, opts, len);
	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	return m;
}

static uint64_t
deliver(struct rte_mbuf *m)
{
	uint64_t begun = rte_rdtsc_precise();

	pmtcp_input(ctx, now_ns, &m, 1);
	output();
	return rte_rdtsc_precise() - begun;
}

static uint64_t
send_ack(const struct ack *a)
{
	uint8_t opts[40] = {1, 1, 5, (uint8_t)(2 + 8 * a->n)};

	for (uint32_t i = 0; i < min_u32(a->n, PMTCP_ARRAY_SIZE(a->block)); i++) {
		rte_be32_t edge[2] = {rte_cpu_to_be_32(a->block[i].left),
				rte_cpu_to_be_32(a->block[i].right)};

		memcpy(opts + 4 + 8 * i, edge, 8);
	}
	return deliver(segment(a->ack, RTE_TCP_ACK_FLAG, opts, (uint8_t)(a->n ? 4 + 8 * a->n : 0)));
}

static struct pmtcp_conn_info
info_now(void)
{
	struct pmtcp_conn_info info;

	pmtcp_conn_info(conn, &info);
	return info;
}

static void
write_more(void)
{
	static uint8_t text[65536];

	while (info_now().unsent < 1 << 20 && pmtcp_write(conn, text, sizeof(text)) > 0)
		;
	output();
}

static void
take_events(void)
{
	struct pmtcp_event ev[8];

	while (pmtcp_events(ctx, ev, 8) > 0)
		;
}

/* A new connection with the whole flight out. */
static void
begin(void)
{
	static const uint8_t opts[12] = {2, 4, 0, MSS, 1, 3, 3, 10, 4, 2, 1, 1};
	const struct pmtcp_addr local = pmtcp_addr4(SELF_IP, 0);
	const struct pmtcp_addr remote = pmtcp_addr4(PEER_IP, PEER_PORT);
	const struct pmtcp_conn_opts with = {.no_timestamps = true, .send_buffer = 4 << 20};

	iss = 0;
	BENCH_VERIFY(pmtcp_connect(ctx, &local, &remote, &with, &conn) == 0);
	output();
	deliver(segment(iss + 1, RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG, opts, sizeof(opts)));
	take_events();
	for (uint32_t i = 0; info_now().unacked < FLIGHT * MSS; i++) {
		BENCH_VERIFY(i < 4 * FLIGHT);
		write_more();
		if (info_now().unacked >= 2 * MSS)
			send_ack(&(struct ack){.ack = info_now().snd_una + 2 * MSS});
	}
}

static void
end(void)
{
	pmtcp_abort(conn);
	output();
	take_events();
	output();
}

/* One segment, the at-th of the flight. */
static void
put(struct ack *a, uint32_t at)
{
	a->block[a->n++] = (struct block){a->ack + at * MSS, a->ack + (at + 1) * MSS};
}

static void
honest(struct ack *a, uint32_t i)
{
	(void)i;
	a->ack += 2 * MSS;
}

static void
both_ends(struct ack *a, uint32_t i)
{
	for (uint32_t k = 0; k < 4; k++) {
		uint32_t at = ((i * 4 + k) * 2 + 1) % (FLIGHT / 2);

		put(a, i % 2 ? at : FLIGHT - 2 - at);
	}
}

static void
halves(struct ack *a, uint32_t i)
{
	for (uint32_t k = 0; k < 4; k++) {
		put(a, (i + k) % 2 ? 1 : FLIGHT - 2);
		a->block[k].left += MSS / 2;
	}
}

static void
anywhere(struct ack *a, uint32_t i)
{
	(void)i;
	for (uint32_t k = 0; k < 4; k++) {
		drawn = drawn * 1664525 + 1013904223;
		put(a, 1 + (drawn >> 8) % (FLIGHT - 2));
	}
}

struct kind {
	const char *name;
	void (*next)(struct ack *a, uint32_t i);
};

static uint64_t cost[ACKS];

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* One run: the median of its ACKs, and the least 99th percentile so far. What is beyond it
 * is the scheduler's more than ours. */
static void
run(const struct kind *k, struct bench_case *c, uint64_t *p99)
{
	begin();
	for (uint32_t i = 0; i < ACKS; i++) {
		struct ack a = {.ack = info_now().snd_una};

		k->next(&a, i);
		cost[i] = send_ack(&a);
		if (k->next == honest)
			write_more();
	}
	end();
	qsort(cost, ACKS, sizeof(cost[0]), compare);
	*p99 = min_u64(*p99, cost[ACKS * 99 / 100]);
	bench_add(c, cost[ACKS / 2], 1);
}

int
main(int argc, char **argv)
{
	static const struct kind kinds[] = {{"honest", honest}, {"both_ends", both_ends},
			{"halves", halves}, {"anywhere", anywhere}};
	int runs = bench_is_quick(argc, argv) ? 1 : BENCH_RUNS;
	double honest_cyc = 0;

	bench_start(argv[0], 256);
	pool = rte_pktmbuf_pool_create("sack", POOL, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	BENCH_VERIFY(pool != NULL);
	ctx_create();
	for (size_t k = 0; k < PMTCP_ARRAY_SIZE(kinds); k++) {
		struct bench_case c = {.name = kinds[k].name, .size = FLIGHT};
		char extra[96], name[48];
		uint64_t p99 = UINT64_MAX;

		snprintf(name, sizeof(name), "sack_ack.%s", kinds[k].name);
		c.name = name;
		for (int i = 0; i < runs; i++)
			run(&kinds[k], &c, &p99);
		honest_cyc = k == 0 ? bench_median(&c) : honest_cyc;
		snprintf(extra, sizeof(extra),
				"p99_cyc=%llu times_honest=%.2f p99_times_honest=%.2f",
				(unsigned long long)p99, bench_median(&c) / honest_cyc,
				(double)p99 / honest_cyc);
		bench_report(&c, extra);
		BENCH_VERIFY((double)p99 <= RATIO_MAX * honest_cyc);
	}
	return 0;
}
