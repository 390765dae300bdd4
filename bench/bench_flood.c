/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What is left of the throughput of established connections while SYNs with random sources
 * flood the same core (RES-12)? One context takes full segments from one connection as fast
 * as it can, reads and acknowledges them, and meanwhile gets every SYN that a generator of so
 * many a second sends in the time that this took. Time is the thread's CPU time, so that
 * neighbours on the machine do not count, and the context's clock is made of it. The half-open
 * share is full after the first few SYNs: all others are answered by cookies, `syn_per_ms`
 * of them in a millisecond, or dropped. */

#include <arpa/inet.h>
#include <time.h>

#include <rte_mbuf.h>

#include "bench.h"
#include "pmtcp.h"
#include "support/build.h"
#include "support/ctx_mem.h"

enum {
	BURST = 32,
	FLOOD_MAX = 2048, /* SYNs that a receive queue holds */
	PORT = 80,
	SEGMENT = 1448,
	TURNS = 4000,
	TURNS_QUICK = 200,
};

static const double rates_m[] = {0, 0.1, 0.25, 0.5, 1, 2, 4};

struct world {
	struct pmtcp_conf conf;
	struct pmtcp_ctx *ctx;
	void *mem;
	size_t len;
	struct pmtcp_conn *conn;
	uint64_t now_ns;
	uint32_t seq; /* of the peer, next to send */
	uint32_t ack;
	struct rng rng;
};

static uint64_t
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static struct build
frame_of(uint32_t saddr, uint8_t flags)
{
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR), peer = ctx_mac_of(TEST_PEER);
	struct build b = {.saddr = saddr, .daddr = TEST_ADDR, .dport = PORT, .flags = flags};

	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, peer.addr_bytes, 6);
	b.wnd = 65535;
	return b;
}

static struct rte_mbuf *
text_frame(struct world *w, uint8_t flags, uint32_t len)
{
	static const uint8_t text[SEGMENT];
	struct build b = frame_of(TEST_PEER, flags);

	b.sport = 4000;
	b.seq = w->seq;
	b.ack = w->ack;
	b.opts = PKT_OPT_TS | (flags & PKT_SYN ? PKT_OPT_MSS | PKT_OPT_WSCALE : 0);
	b.mss = 1460;
	b.wscale = 7;
	b.tsval = (uint32_t)(w->now_ns / 1000000);
	b.payload = text;
	b.len = len;
	w->seq += len + !!(flags & PKT_SYN);
	return build_tcp(w->conf.pool, &b);
}

static struct rte_mbuf *
flood_frame(struct world *w)
{
	struct build b = frame_of(
			(uint32_t)rng_below(&w->rng, 1u << 24) + PMTCP_IP4(20, 0, 0, 0), PKT_SYN);

	b.sport = (uint16_t)(1024 + rng_below(&w->rng, 60000));
	b.seq = (uint32_t)rng_next(&w->rng);
	b.opts = PKT_OPT_TS | PKT_OPT_MSS | PKT_OPT_WSCALE | PKT_OPT_SACK_PERM;
	b.mss = 1460;
	b.wscale = 7;
	return build_tcp(w->conf.pool, &b);
}

/* A worker's turn over so many frames; its CPU time. Frees what was sent. */
static uint64_t
turn(struct world *w, struct rte_mbuf **pkts, uint32_t n, uint64_t *octets)
{
	struct rte_mbuf *out[BURST], *text[64];
	uint64_t begin = cpu_ns(), cost;
	uint16_t k;
	int got;

	for (uint32_t i = 0; i < n; i += BURST)
		pmtcp_input(w->ctx, w->now_ns, pkts + i, (uint16_t)min_u32(BURST, n - i));
	pmtcp_tick(w->ctx, w->now_ns);
	while (w->conn && (got = pmtcp_recv(w->conn, text, 64)) > 0)
		for (int i = 0; i < got; i++) {
			*octets += text[i]->pkt_len;
			pmtcp_recv_done(w->conn, text[i]->pkt_len);
			rte_pktmbuf_free(text[i]);
		}
	while ((k = pmtcp_output(w->ctx, w->now_ns, out, BURST)) > 0)
		rte_pktmbuf_free_bulk(out, k);
	cost = cpu_ns() - begin;
	w->now_ns += cost;
	return cost;
}

static void
begin(struct world *w, struct rte_mempool *pool)
{
	struct pmtcp_addr local = pmtcp_addr4(0, PORT);
	struct pmtcp_listener *l;
	struct pmtcp_event ev;
	struct rte_mbuf *m, *out[4];

	memset(w, 0, sizeof(*w));
	rng_seed(&w->rng, 1);
	ctx_conf_small(&w->conf, TEST_ADDR, TEST_PEER, 1);
	w->conf.pool = pool;
	w->conf.gateway = TEST_PEER;
	w->len = pmtcp_ctx_memsize(&w->conf);
	w->mem = ctx_mem_map(w->len);
	BENCH_VERIFY(pmtcp_ctx_init(w->mem, w->len, &w->conf, &w->ctx) == 0);
	w->now_ns = 1000000000;
	pmtcp_tick(w->ctx, w->now_ns);
	BENCH_VERIFY(pmtcp_listen(w->ctx, &local, NULL, &l) == 0);
	w->seq = 1000;
	m = text_frame(w, PKT_SYN, 0);
	pmtcp_input(w->ctx, w->now_ns, &m, 1);
	BENCH_VERIFY(pmtcp_output(w->ctx, w->now_ns, out, 4) == 1);
	w->ack = ntohl(*rte_pktmbuf_mtod_offset(out[0], uint32_t *, 14 + 20 + 4)) + 1;
	rte_pktmbuf_free(out[0]);
	m = text_frame(w, PKT_ACK, 0);
	pmtcp_input(w->ctx, w->now_ns, &m, 1);
	BENCH_VERIFY(pmtcp_events(w->ctx, &ev, 1) == 1 && (ev.flags & PMTCP_EV_ACCEPTED));
	w->conn = ev.conn;
}

/* What became of the SYNs. */
struct flood {
	uint64_t cookies;
	uint64_t dropped;
	uint64_t lost; /* in front of a full receive queue */
};

/* Octets per second of CPU with so many SYNs a second. */
static double
run(struct rte_mempool *pool, double syns_per_s, uint32_t turns, struct flood *r)
{
	static struct rte_mbuf *pkts[FLOOD_MAX + BURST];
	uint64_t spent_ns = 0, octets = 0, sent = 0, lost = 0;
	struct pmtcp_stats stats;
	struct world w;
	double rate;

	begin(&w, pool);
	for (uint32_t i = 0; i < turns; i++) {
		uint64_t due = (uint64_t)(syns_per_s * (double)spent_ns / 1e9);
		uint32_t n = 0;

		while (sent < due && n < FLOOD_MAX) {
			pkts[n++] = flood_frame(&w);
			sent++;
		}
		lost += due - sent;
		sent = due;
		for (uint32_t k = 0; k < BURST; k++)
			pkts[n++] = text_frame(&w, PKT_ACK, SEGMENT);
		spent_ns += turn(&w, pkts, n, &octets);
	}
	rate = (double)octets * 1e9 / (double)spent_ns;
	BENCH_VERIFY(octets == (uint64_t)turns * BURST * SEGMENT);
	pmtcp_stats(w.ctx, &stats);
	BENCH_VERIFY(stats.half_open <= w.conf.max_half_open);
	r->cookies = stats.counter[PMTCP_C_cookies_sent];
	r->dropped = stats.counter[PMTCP_C_drop_syn_limit];
	r->lost = lost;
	pmtcp_ctx_fini(w.ctx);
	ctx_mem_unmap(w.mem, w.len);
	return rate;
}

int
main(int argc, char **argv)
{
	uint32_t turns = bench_is_quick(argc, argv) ? TURNS_QUICK : TURNS;
	struct rte_mempool *pool;
	double alone = 0;

	bench_start(argv[0], 256);
	pool = rte_pktmbuf_pool_create("flood", 16383, 256, 0, RTE_PKTMBUF_HEADROOM + 2048, 0);
	BENCH_VERIFY(pool != NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rates_m); i++) {
		double rate[BENCH_RUNS], median;
		struct flood f;

		for (int k = 0; k < BENCH_RUNS; k++)
			rate[k] = run(pool, rates_m[i] * 1e6, turns, &f);
		qsort(rate, BENCH_RUNS, sizeof(rate[0]), bench_compare_doubles);
		median = rate[BENCH_RUNS / 2];
		alone = i == 0 ? median : alone;
		printf("flood.%.2fM  %.0f %%  gbit_s=%.1f n=%d min=%.0f max=%.0f cookies=%llu "
		       "dropped=%llu lost=%llu\n",
				rates_m[i], 100 * median / alone, median * 8 / 1e9, BENCH_RUNS,
				100 * rate[0] / alone, 100 * rate[BENCH_RUNS - 1] / alone,
				(unsigned long long)f.cookies, (unsigned long long)f.dropped,
				(unsigned long long)f.lost);
	}
	return 0;
}
