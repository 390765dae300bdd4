/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* How many bytes does an idle established connection need at one end? Two contexts back to
 * back in memory on a virtual clock, as many connections as each of them has blocks for. Each
 * has carried 64 octets there and 64 back and is silent since: what it holds now is what an idle
 * connection costs. The figure is the larger of two: pages of an end's region that are in use,
 * over its connections; and what the program's resident set grew by, over the blocks of both
 * ends. Both contain the flow table, which is made for half-opens and TIME-WAIT as well, and the
 * application's state: the user word of the block, here a link to the connection before it.
 *
 * `plain` has pages of 4 KiB; `huge` is what pmtcp_worker_create() does, which asks for
 * transparent huge pages, and so pays up to 2 MiB at the edge of each part of the region.
 *
 *     bench_idle [--quick | CONNECTIONS] */

#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <rte_mbuf.h>

#include "bench.h"
#include "dpdk/mem.h"
#include "pmtcp.h"
#include "support/ctx_mem.h"

enum {
	BURST = 32,
	EVENTS = 64,
	QUEUE = 1024, /* frames under way in one direction */
	POOL = 16383,
	OCTETS = 64, /* of a request and of its response */
	PORT_FIRST = 5001,
	PORT_CONNS = 30000,  /* connections for one server port: half of the client's */
	HALF_OPEN = 4096,    /* far more than a wave of opens */
	STEPS_MAX = 1000,    /* turns without progress */
	AWAKE = 1000,        /* connections that are used again in the end */
	FLOOR_4 = 160,       /* bytes: no more than that over IPv4 ... */
	FLOOR_6 = 192,       /* ... and over IPv6 */
	HUGE_FROM = 1000000, /* the edges of huge pages do not count from here on */
	SILENCE_MS = 10000,
};

#define MS_NS 1000000ull

struct queue {
	struct rte_mbuf *frame[QUEUE];
	uint32_t head;
	uint32_t tail;
};

struct end {
	struct pmtcp_ctx *ctx;
	struct mem mem;
	struct queue in;
	struct queue *out;
	struct pmtcp_conn *last; /* of the chain through the user words */
	uint32_t established;
	uint32_t received; /* requests, or responses */
	uint64_t frames;
};

struct world {
	struct end client, server;
	uint32_t conns;
	uint32_t opened;
	bool is_v6;
	uint64_t now_ns;
};

static struct rte_mempool *pool;
static const uint8_t text[OCTETS] = "idle";

static uint32_t
ports_of(uint32_t conns)
{
	return conns / PORT_CONNS + 1;
}

static void
end_create(struct end *e, uint32_t conns, uint32_t self, uint32_t peer, bool is_v6)
{
	struct pmtcp_conf conf;
	size_t len;

	ctx_conf_small(&conf, self, peer, self);
	if (is_v6 && conf.n_ranges6 == 0)
		ctx_conf_add_v6(&conf, self, peer);
	if (is_v6)
		conf.n_ranges = 0;
	conf.pool = pool;
	conf.max_conns = conns;
	conf.max_half_open = HALF_OPEN;
	conf.max_time_wait = 0; /* a quarter of the table, as it comes */
	conf.max_transfers = HALF_OPEN;
	conf.max_records = HALF_OPEN;
	conf.max_port_pairs = 4 * ports_of(conns);
	conf.max_listeners = (uint16_t)ports_of(conns);
	conf.max_classes = (uint16_t)(conf.max_classes + conf.max_listeners);
	len = pmtcp_ctx_memsize(&conf);
	BENCH_VERIFY(mem_map(len, -1, &e->mem) == 0);
	BENCH_VERIFY(pmtcp_ctx_init(e->mem.base, e->mem.len, &conf, &e->ctx) == 0);
}

static struct pmtcp_addr
addr_of(const struct world *w, uint32_t ip4, uint16_t port)
{
	uint8_t ip6[16];

	if (!w->is_v6)
		return pmtcp_addr4(ip4, port);
	ctx_ip6_of(ip4, ip6);
	return pmtcp_addr6(ip6, port);
}

static void
world_create(struct world *w, uint32_t conns, bool is_v6)
{
	struct pmtcp_listener *listener;

	*w = (struct world){.conns = conns, .is_v6 = is_v6, .now_ns = 1000 * MS_NS};
	w->client.out = &w->server.in;
	w->server.out = &w->client.in;
	end_create(&w->client, conns, TEST_ADDR, TEST_PEER, is_v6);
	end_create(&w->server, conns, TEST_PEER, TEST_ADDR, is_v6);
	for (uint32_t i = 0; i < ports_of(conns); i++) {
		struct pmtcp_addr local = addr_of(w, TEST_PEER, (uint16_t)(PORT_FIRST + i));

		BENCH_VERIFY(pmtcp_listen(w->server.ctx, &local, NULL, &listener) == 0);
	}
}

static void
world_end(struct world *w)
{
	pmtcp_ctx_fini(w->client.ctx);
	pmtcp_ctx_fini(w->server.ctx);
	mem_unmap(&w->client.mem);
	mem_unmap(&w->server.mem);
}

/* ---- both applications ---- */

static void
established(struct end *e, struct pmtcp_conn *conn)
{
	pmtcp_set_user(conn, e->last);
	e->last = conn;
	e->established++;
}

static void
write_text(struct pmtcp_conn *conn)
{
	BENCH_VERIFY(pmtcp_write(conn, text, OCTETS) == OCTETS);
}

static void
read_text(struct end *e, struct pmtcp_conn *conn)
{
	struct rte_mbuf *m;

	BENCH_VERIFY(pmtcp_recv(conn, &m, 1) == 1 && rte_pktmbuf_data_len(m) == OCTETS);
	BENCH_VERIFY(memcmp(rte_pktmbuf_mtod(m, void *), text, OCTETS) == 0);
	rte_pktmbuf_free(m);
	pmtcp_recv_done(conn, OCTETS);
	e->received++;
}

static void
take_events(struct end *e, bool is_server)
{
	struct pmtcp_event ev[EVENTS];
	uint16_t n;

	while ((n = pmtcp_events(e->ctx, ev, EVENTS)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			BENCH_VERIFY((ev[i].flags & (PMTCP_EV_CLOSED | PMTCP_EV_PEER_FIN)) == 0);
			if (ev[i].flags & (PMTCP_EV_ACCEPTED | PMTCP_EV_CONNECTED))
				established(e, ev[i].conn);
			if (ev[i].flags & PMTCP_EV_CONNECTED)
				write_text(ev[i].conn);
			if ((ev[i].flags & PMTCP_EV_READABLE) == 0)
				continue;
			read_text(e, ev[i].conn);
			if (is_server)
				write_text(ev[i].conn);
		}
	}
}

static void
open_some(struct world *w)
{
	struct pmtcp_addr local = addr_of(w, TEST_ADDR, 0);

	for (uint32_t n = min_u32(w->conns - w->opened, BURST); n > 0; n--) {
		uint16_t port = (uint16_t)(PORT_FIRST + w->opened % ports_of(w->conns));
		struct pmtcp_addr remote = addr_of(w, TEST_PEER, port);
		struct pmtcp_conn *conn;

		BENCH_VERIFY(pmtcp_connect(w->client.ctx, &local, &remote, NULL, &conn) == 0);
		w->opened++;
	}
}

/* ---- turns ---- */

static bool
is_empty(const struct queue *q)
{
	return q->head == q->tail;
}

static void
turn_begin(struct end *e, uint64_t now_ns)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = 0;

	while (n < BURST && e->in.head != e->in.tail)
		pkts[n++] = e->in.frame[e->in.head++ % QUEUE];
	if (n > 0)
		pmtcp_input(e->ctx, now_ns, pkts, n);
	pmtcp_tick(e->ctx, now_ns);
}

static void
turn_end(struct end *e, uint64_t now_ns)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n;

	while ((n = pmtcp_output(e->ctx, now_ns, pkts, BURST)) > 0) {
		BENCH_VERIFY(e->out->tail - e->out->head + n <= QUEUE);
		for (uint16_t i = 0; i < n; i++)
			e->out->frame[e->out->tail++ % QUEUE] = pkts[i];
		e->frames += n;
	}
}

static void
turn(struct world *w)
{
	turn_begin(&w->client, w->now_ns);
	take_events(&w->client, false);
	if (is_empty(&w->client.in) && is_empty(&w->server.in))
		open_some(w);
	turn_end(&w->client, w->now_ns);
	turn_begin(&w->server, w->now_ns);
	take_events(&w->server, true);
	turn_end(&w->server, w->now_ns);
	w->now_ns += MS_NS; /* delayed ACKs of few waves are due at a time */
}

/* Until so many responses have come back. */
static void
run_until(struct world *w, uint32_t received)
{
	for (uint32_t idle = 0; w->client.received < received; idle++) {
		uint32_t before = w->client.received + w->opened;

		turn(w);
		idle = w->client.received + w->opened == before ? idle : 0;
		BENCH_VERIFY(idle < STEPS_MAX);
	}
}

/* Delayed acknowledgments leave, side records come back, and then nobody says a word. */
static void
fall_silent(struct world *w)
{
	uint64_t frames;

	for (uint32_t i = 0; i < 1000; i++)
		turn(w);
	frames = w->client.frames + w->server.frames;
	for (uint32_t i = 0; i < SILENCE_MS; i++)
		turn(w);
	BENCH_VERIFY(w->client.frames + w->server.frames == frames);
}

/* ---- what is there now ---- */

static void
verify_end(const struct world *w, const struct end *e)
{
	struct pmtcp_stats stats;

	pmtcp_stats(e->ctx, &stats);
	BENCH_VERIFY(pmtcp_stats_audit(&stats) == NULL);
	BENCH_VERIFY(e->established == w->conns && e->received >= w->conns);
	BENCH_VERIFY(stats.state[PMTCP_ESTABLISHED] == w->conns && stats.live == w->conns);
	BENCH_VERIFY(stats.blocks_used == w->conns && stats.half_open == 0);
	BENCH_VERIFY(stats.transfers_used == 0 && stats.records_used == 0 && stats.rares_used == 0);
	BENCH_VERIFY(stats.counter[PMTCP_C_retransmitted] == 0);
}

/* The application's chain reaches each of them, and some still answer. */
static void
wake_some(struct world *w)
{
	uint32_t every = w->conns / AWAKE, n = 0;
	struct pmtcp_conn *conn = w->client.last;

	for (; conn != NULL; conn = pmtcp_user(conn), n++) {
		if (n % every != 0)
			continue;
		write_text(conn);
		run_until(w, w->conns + n / every + 1);
	}
	BENCH_VERIFY(n == w->conns && w->server.received == w->client.received);
}

static uint64_t
memory_kb(const char *key)
{
	char text_kb[64];

	bench_read_line("/proc/self/smaps_rollup", key, text_kb, sizeof(text_kb));
	return strtoull(text_kb, NULL, 10);
}

/* Bytes of the region whose pages are there. */
static uint64_t
region_used(const struct end *e)
{
	static unsigned char present[1 << 16];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t step = page * sizeof(present);
	uint64_t pages = 0;

	for (size_t at = 0; at < e->mem.len; at += step) {
		size_t len = e->mem.len - at < step ? e->mem.len - at : step;

		BENCH_VERIFY(mincore((uint8_t *)e->mem.base + at, len, present) == 0);
		for (size_t i = 0; i < len / page; i++)
			pages += present[i] & 1;
	}
	return pages * page;
}

static void
measure(uint32_t conns, bool is_v6, bool is_huge)
{
	static struct world w;
	double region, rss, bytes, huge;
	uint64_t before_kb;
	char size[24];

	BENCH_VERIFY(prctl(PR_SET_THP_DISABLE, !is_huge, 0, 0, 0) == 0);
	before_kb = memory_kb("Rss");
	world_create(&w, conns, is_v6);
	run_until(&w, conns);
	fall_silent(&w);
	verify_end(&w, &w.client);
	verify_end(&w, &w.server);
	rss = (double)(memory_kb("Rss") - before_kb) * 1024 / (2.0 * conns);
	huge = (double)memory_kb("AnonHugePages") * 1024 / (2.0 * conns);
	region = (double)max_u64(region_used(&w.client), region_used(&w.server)) / conns;
	bytes = region > rss ? region : rss;
	printf("idle.%s.%s.%s  %.1f B/endpoint  n=1 min=%.1f max=%.1f region=%.1f rss=%.1f "
	       "in_huge_pages=%.1f\n",
			is_v6 ? "ipv6" : "ipv4", is_huge ? "huge" : "plain",
			bench_size_name(conns, size, sizeof(size)), bytes, bytes, bytes, region,
			rss, huge);
	fflush(stdout);
	BENCH_VERIFY(is_huge || huge == 0);
	if (!is_huge || conns >= HUGE_FROM)
		BENCH_VERIFY(bytes <= (is_v6 ? FLOOR_6 : FLOOR_4));
	wake_some(&w);
	world_end(&w);
}

int
main(int argc, char **argv)
{
	static const uint32_t sizes[] = {100000, 1000000, 10000000};
	bool is_quick = bench_is_quick(argc, argv);

	bench_start(argv[0], 96);
	pool = rte_pktmbuf_pool_create("idle", POOL, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	BENCH_VERIFY(pool != NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(sizes); i++) {
		if (is_quick ? i > 0 : !bench_is_asked(argc, argv, sizes[i]))
			continue;
		for (int is_v6 = 0; is_v6 < 2; is_v6++) {
			measure(sizes[i], is_v6, false);
			if (!is_quick)
				measure(sizes[i], is_v6, true);
		}
	}
	BENCH_VERIFY(rte_mempool_in_use_count(pool) == 0);
	return 0;
}
