/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* How many instructions does a connection cost? Two contexts back to back in
 * memory, on a virtual clock: no device, no EAL, no allocation while it runs, so
 * that the same build executes the same instructions each time. The client opens
 * and closes once it is connected, the server closes on the client's FIN, and the
 * client keeps a TIME-WAIT entry of 60 s. Timestamps are on, checksums are made
 * and verified in software, received mbufs serve for replies.
 *
 * The program only does the work, and fails if a connection does not end as it
 * should; bench/instructions counts, under valgrind, what drive_client() and
 * drive_server() execute. Each is the turn of a worker: a burst of at most 32 in,
 * tick, application, output until nothing is left.
 *
 * Connections come in waves of 256, each wave 256 ms after the last: a thousand a
 * second, so that from 60 s on as many TIME-WAIT entries expire as are made, from
 * a wheel and a table that are no emptier than they would be at any other rate.
 * The wheel's own walk through its ticks is one tick for each connection. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "base/base.h"
#include "base/check.h"
#include "base/rng.h"
#include "pmtcp.h"

enum {
	SEED = 1,
	BURST = 32,
	EVENTS = 64,
	WAVE = 256,
	QUEUE = 4096, /* frames under way in one direction */
	POOL = 8192,
	DATA_ROOM = RTE_PKTMBUF_HEADROOM + 2048,
	SERVER_PORT = 5001,
	SERVER_PORTS = 4,
	TURNS_MAX = 1000, /* of one wave */
	CONNS_MAX = 1 << 17,
};

#define TURN_NS 10000ull
#define WAVE_NS 256000000ull

#define CLIENT_IP PMTCP_IP4(198, 18, 0, 1)
#define SERVER_IP PMTCP_IP4(198, 18, 0, 2)

/* ---- packet buffers: a stack, as the cache of a mempool is one ---- */

struct stack_pool {
	struct rte_mempool mp;
	struct rte_pktmbuf_pool_private priv; /* right behind a mempool without caches */
	void *free[POOL];
	uint32_t n_free;
};
STATIC_ASSERT(offsetof(struct stack_pool, priv) == sizeof(struct rte_mempool));

static int
ops_alloc(struct rte_mempool *mp)
{
	return 0;
}

static void
ops_free(struct rte_mempool *mp)
{
}

static int
ops_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	struct stack_pool *p = mp->pool_data;

	CHECK(p->n_free + n <= POOL);
	memcpy(&p->free[p->n_free], objs, n * sizeof(objs[0]));
	p->n_free += n;
	return 0;
}

static int
ops_dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	struct stack_pool *p = mp->pool_data;

	if (n > p->n_free)
		return -ENOBUFS;
	p->n_free -= n;
	memcpy(objs, &p->free[p->n_free], n * sizeof(objs[0]));
	return 0;
}

static unsigned int
ops_get_count(const struct rte_mempool *mp)
{
	const struct stack_pool *p = mp->pool_data;

	return p->n_free;
}

static const struct rte_mempool_ops pool_ops = {
		.name = "bench_stack",
		.alloc = ops_alloc,
		.free = ops_free,
		.enqueue = ops_enqueue,
		.dequeue = ops_dequeue,
		.get_count = ops_get_count,
};
RTE_MEMPOOL_REGISTER_OPS(pool_ops)

static void *
map(size_t len)
{
	uint8_t *raw = mmap(NULL, len + PMTCP_CTX_ALIGN, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(raw != MAP_FAILED);
	return raw + (PMTCP_CTX_ALIGN - (uintptr_t)raw % PMTCP_CTX_ALIGN);
}

static struct rte_mempool *
pool_create(void)
{
	struct stack_pool *p = map(sizeof(*p));
	uint32_t header = RTE_ALIGN(sizeof(struct rte_mempool_objhdr), RTE_CACHE_LINE_SIZE);
	uint32_t size = RTE_ALIGN(sizeof(struct rte_mbuf) + DATA_ROOM, RTE_CACHE_LINE_SIZE);
	uint8_t *at = map((size_t)POOL * (header + size));

	p->mp.pool_data = p;
	p->mp.size = POOL;
	p->mp.populated_size = POOL;
	p->mp.elt_size = sizeof(struct rte_mbuf) + DATA_ROOM;
	p->mp.header_size = header;
	p->mp.private_data_size = sizeof(p->priv);
	p->mp.socket_id = SOCKET_ID_ANY;
	STAILQ_INIT(&p->mp.elt_list);
	STAILQ_INIT(&p->mp.mem_list);
	CHECK(rte_mempool_set_ops_byname(&p->mp, "bench_stack", NULL) == 0);
	p->priv.mbuf_data_room_size = DATA_ROOM;
	for (uint32_t i = 0; i < POOL; i++, at += header + size) {
		struct rte_mempool_objhdr *hdr;

		hdr = (struct rte_mempool_objhdr *)(at + header) - 1;
		hdr->mp = &p->mp;
		hdr->iova = (uintptr_t)(at + header);
		rte_pktmbuf_init(&p->mp, NULL, at + header, 0);
		p->free[p->n_free++] = at + header;
	}
	return &p->mp;
}

/* ---- two ends ---- */

struct queue {
	struct rte_mbuf *frame[QUEUE];
	uint32_t head;
	uint32_t tail;
};

struct end {
	struct pmtcp_ctx *ctx;
	struct rte_mempool *pool;
	struct queue in;
	struct queue *out;
	uint64_t frames; /* sent */
	uint32_t to_open;
	uint32_t opened;
	uint32_t connected;
	uint32_t closed;
};

static struct end client, server;

static struct rte_ether_addr
mac_of(uint32_t ip4)
{
	return (struct rte_ether_addr){{0x02, 0x00, (uint8_t)(ip4 >> 24), (uint8_t)(ip4 >> 16),
			(uint8_t)(ip4 >> 8), (uint8_t)ip4}};
}

static void
secrets_fill(struct pmtcp_secrets *s, uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, seed);
	for (int i = 0; i < 2; i++) {
		s->isn[i] = rng_next(&rng);
		s->ts[i] = rng_next(&rng);
		s->port[i] = rng_next(&rng);
		s->flow[i] = rng_next(&rng);
	}
}

static void
end_create(struct end *e, uint32_t self, uint32_t peer, struct queue *out)
{
	struct pmtcp_conf conf;
	size_t len;

	e->pool = pool_create();
	e->out = out;
	pmtcp_conf_init(&conf);
	conf.pool = e->pool;
	conf.mac = mac_of(self);
	conf.mtu = 1500;
	conf.prefix_len = 24;
	conf.n_ranges = 1;
	conf.ranges[0] = (struct pmtcp_range){.first = self, .last = self};
	conf.n_static_neigh = 1;
	conf.static_neigh[0].ip4 = peer;
	conf.static_neigh[0].mac = mac_of(peer);
	secrets_fill(&conf.secrets, SEED + self);
	conf.seed = SEED;
	conf.spare_max = 64;
	conf.max_conns = 4096;
	conf.max_half_open = 4096;
	conf.max_time_wait = CONNS_MAX;
	conf.tw_ms = 60000;
	len = pmtcp_ctx_memsize(&conf);
	CHECK(pmtcp_ctx_init(map(len), len, &conf, &e->ctx) == 0);
}

static uint16_t
queue_take(struct queue *q, struct rte_mbuf **pkts)
{
	uint16_t n = 0;

	while (n < BURST && q->head != q->tail)
		pkts[n++] = q->frame[q->head++ % QUEUE];
	return n;
}

static void
queue_put(struct queue *q, struct rte_mbuf **pkts, uint16_t n)
{
	CHECK(q->tail - q->head + n <= QUEUE);
	for (uint16_t i = 0; i < n; i++)
		q->frame[q->tail++ % QUEUE] = pkts[i];
}

static void
turn_begin(struct end *e, uint64_t now_ns)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = queue_take(&e->in, pkts);

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
		e->frames += n;
		queue_put(e->out, pkts, n);
	}
}

static void
take_events(struct end *e, uint32_t flag_to_close)
{
	struct pmtcp_event ev[EVENTS];
	uint16_t n;

	while ((n = pmtcp_events(e->ctx, ev, EVENTS)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			if (ev[i].flags & (PMTCP_EV_ACCEPTED | PMTCP_EV_CONNECTED))
				e->connected++;
			if (ev[i].flags & flag_to_close)
				pmtcp_close(ev[i].conn);
			if ((ev[i].flags & PMTCP_EV_CLOSED) && ev[i].reason == PMTCP_GRACEFUL)
				e->closed++;
		}
	}
}

static void
open_some(struct end *e)
{
	struct pmtcp_addr remote = pmtcp_addr4(SERVER_IP, 0);
	struct pmtcp_addr local = pmtcp_addr4(CLIENT_IP, 0);
	struct pmtcp_conn *conn;

	for (uint32_t n = min_u32(e->to_open, BURST); n > 0; n--) {
		remote.port = (uint16_t)(SERVER_PORT + e->opened % SERVER_PORTS);
		CHECK(pmtcp_connect(e->ctx, &local, &remote, NULL, &conn) == 0);
		e->opened++;
		e->to_open--;
	}
}

/* The two functions that are counted; they have to exist by name (or as name.constprop). */
__attribute__((noinline)) void drive_client(struct end *e, uint64_t now_ns);
__attribute__((noinline)) void drive_server(struct end *e, uint64_t now_ns);

void
drive_client(struct end *e, uint64_t now_ns)
{
	turn_begin(e, now_ns);
	take_events(e, PMTCP_EV_CONNECTED);
	open_some(e);
	turn_end(e, now_ns);
}

void
drive_server(struct end *e, uint64_t now_ns)
{
	turn_begin(e, now_ns);
	take_events(e, PMTCP_EV_PEER_FIN);
	turn_end(e, now_ns);
}

static bool
is_quiet(void)
{
	return client.to_open == 0 && client.in.head == client.in.tail &&
	       server.in.head == server.in.tail;
}

static void
run_wave(uint64_t now_ns, uint32_t n)
{
	uint32_t turns = 0;

	client.to_open = n;
	do {
		drive_client(&client, now_ns);
		drive_server(&server, now_ns + TURN_NS / 2);
		now_ns += TURN_NS;
		CHECK(++turns < TURNS_MAX);
	} while (!is_quiet());
}

static bool
is_right(const struct end *e, const struct pmtcp_stats *stats, uint32_t conns)
{
	const char *fault = pmtcp_stats_audit(stats);

	if (fault != NULL)
		fprintf(stderr, "the books do not balance: %s\n", fault);
	return fault == NULL && e->connected == conns && e->closed == conns && stats->live == 0 &&
	       stats->counter[PMTCP_C_retransmitted] == 0;
}

/* Everything ended well, nothing was sent twice, expiry keeps up with entry. */
static int
verify(uint32_t conns)
{
	uint32_t alive_max = (uint32_t)((60 * 1000000000ull / WAVE_NS + 3) * WAVE);
	struct pmtcp_stats cs, ss;

	pmtcp_stats(client.ctx, &cs);
	pmtcp_stats(server.ctx, &ss);
	printf("instructions.connections  %u  frames=%.2f time_wait=%u tw_expired=%llu\n", conns,
			(double)(client.frames + server.frames) / conns, cs.time_wait,
			(unsigned long long)cs.counter[PMTCP_C_tw_expired]);
	if (is_right(&client, &cs, conns) && is_right(&server, &ss, conns) &&
			cs.counter[PMTCP_C_tw_expired] + cs.time_wait == conns &&
			cs.time_wait <= alive_max && ss.time_wait == 0)
		return 0;
	fprintf(stderr, "wrong: closed %u and %u of %u\n", client.closed, server.closed, conns);
	return 1;
}

int
main(int argc, char **argv)
{
	uint32_t conns = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 4096;
	struct pmtcp_listener *listener;
	uint64_t now_ns = 1000000000;

	end_create(&client, CLIENT_IP, SERVER_IP, &server.in);
	end_create(&server, SERVER_IP, CLIENT_IP, &client.in);
	for (uint16_t i = 0; i < SERVER_PORTS; i++) {
		struct pmtcp_addr local = pmtcp_addr4(SERVER_IP, SERVER_PORT + i);

		CHECK(pmtcp_listen(server.ctx, &local, NULL, &listener) == 0);
	}
	for (uint32_t done = 0; done < conns; done += WAVE, now_ns += WAVE_NS)
		run_wave(now_ns, min_u32(conns - done, WAVE));
	return verify(conns);
}
