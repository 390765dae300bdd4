/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* How many instructions does a connection cost? Client and server back to back in
 * memory, on a virtual clock: no device, no EAL, no allocation while it runs, so
 * that the same build executes the same instructions each time. The client opens
 * and closes first, the server closes on the client's FIN, and the client keeps a
 * TIME-WAIT entry of 60 s. Timestamps are on, checksums are made and verified in
 * software, received mbufs serve for replies. What lies between is the mode:
 *
 *	open_close        the client closes once it is connected
 *	request_response  64 octets each way; the client closes when it has its own
 *	tw_reuse          open_close with so few ports that each open takes over a
 *	                  TIME-WAIT entry of the client's
 *	two_workers       open_close with two workers at either end, and each frame at
 *	                  the worker it belongs to
 *	wrong_core        the same with each frame at the worker whose turn it is: half
 *	                  of them are handed over
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
	PAYLOAD = 64,      /* octets of a request, and of a response */
	WORKERS_MAX = 2,   /* of either end */
	REUSE_PORTS = 512, /* to each server port: an entry is 2 s old when its turn comes */
	REUSE_PORT_FIRST = 40000,
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

struct mode {
	const char *name;
	uint16_t workers; /* of either end */
	bool is_sprayed;  /* frames come to one worker after the other */
	uint16_t port_first;
	uint16_t port_last;
	uint32_t client_writes_on; /* PMTCP_EV_*: that then the request goes */
	uint32_t client_closes_on;
};

static const struct mode modes[] = {
		{.name = "open_close", .workers = 1, .client_closes_on = PMTCP_EV_CONNECTED},
		{.name = "request_response",
				.workers = 1,
				.client_writes_on = PMTCP_EV_CONNECTED,
				.client_closes_on = PMTCP_EV_READABLE},
		{.name = "tw_reuse",
				.workers = 1,
				.port_first = REUSE_PORT_FIRST,
				.port_last = REUSE_PORT_FIRST + REUSE_PORTS - 1,
				.client_closes_on = PMTCP_EV_CONNECTED},
		{.name = "two_workers", .workers = 2, .client_closes_on = PMTCP_EV_CONNECTED},
		{.name = "wrong_core",
				.workers = 2,
				.is_sprayed = true,
				.client_closes_on = PMTCP_EV_CONNECTED},
};

struct worker {
	struct pmtcp_ctx *ctx;
	struct queue in;
};

struct end {
	struct worker worker[WORKERS_MAX];
	struct rte_mempool *pool;
	struct end *peer;
	uint16_t workers;
	bool is_sprayed;    /* frames to it come to one worker after the other ... */
	uint16_t next;      /* ... of which this is next */
	uint32_t writes_on; /* PMTCP_EV_* */
	uint32_t closes_on;
	uint64_t frames; /* sent */
	uint32_t to_open;
	uint32_t opened;
	uint32_t connected;
	uint32_t got; /* octets */
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
worker_create(struct end *e, uint16_t number, const struct pmtcp_conf *common)
{
	struct pmtcp_conf conf = *common;
	size_t len;

	conf.owner = number;
	len = pmtcp_ctx_memsize(&conf);
	CHECK(pmtcp_ctx_init(map(len), len, &conf, &e->worker[number].ctx) == 0);
}

static void
end_create(struct end *e, const struct mode *mode, uint32_t self, uint32_t peer)
{
	struct pmtcp_conf conf;

	e->pool = pool_create();
	e->workers = mode->workers;
	e->is_sprayed = mode->is_sprayed;
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
	conf.owners = mode->workers;
	if (mode->port_first != 0) {
		conf.port_first = mode->port_first;
		conf.port_last = mode->port_last;
	}
	for (uint16_t i = 0; i < e->workers; i++)
		worker_create(e, i, &conf);
}

static void
ends_create(const struct mode *mode)
{
	end_create(&client, mode, CLIENT_IP, SERVER_IP);
	end_create(&server, mode, SERVER_IP, CLIENT_IP);
	client.peer = &server;
	server.peer = &client;
	client.writes_on = mode->client_writes_on;
	client.closes_on = mode->client_closes_on;
	server.writes_on = PMTCP_EV_READABLE;
	server.closes_on = PMTCP_EV_PEER_FIN;
	for (uint16_t w = 0; w < server.workers; w++) {
		for (uint16_t i = 0; i < SERVER_PORTS; i++) {
			struct pmtcp_addr local = pmtcp_addr4(SERVER_IP, SERVER_PORT + i);
			struct pmtcp_listener *listener;

			CHECK(pmtcp_listen(server.worker[w].ctx, &local, NULL, &listener) == 0);
		}
	}
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

/* What belongs to another worker goes into its queue, as over a ring between them. */
static void
hand_over(struct end *e, struct worker *w)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t owners[BURST];
	uint16_t n;

	while ((n = pmtcp_misdirected(w->ctx, pkts, owners, BURST)) > 0) {
		for (uint16_t i = 0; i < n; i++)
			queue_put(&e->worker[owners[i]].in, &pkts[i], 1);
	}
}

static void
turn_begin(struct end *e, struct worker *w, uint64_t now_ns)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n = queue_take(&w->in, pkts);

	if (n > 0)
		pmtcp_input(w->ctx, now_ns, pkts, n);
	if (e->workers > 1)
		hand_over(e, w);
	pmtcp_tick(w->ctx, now_ns);
}

/* To the peer's worker of the same number, which has the connection's other end: both
 * directions have one owner under the usual key. Or to one after the other, whosever. */
static void
send_frames(struct end *e, const struct worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	struct end *peer = e->peer;

	e->frames += n;
	if (!peer->is_sprayed) {
		queue_put(&peer->worker[w - e->worker].in, pkts, n);
		return;
	}
	for (uint16_t i = 0; i < n; i++) {
		queue_put(&peer->worker[peer->next].in, &pkts[i], 1);
		peer->next = (uint16_t)((peer->next + 1) % peer->workers);
	}
}

static void
turn_end(struct end *e, struct worker *w, uint64_t now_ns)
{
	struct rte_mbuf *pkts[BURST];
	uint16_t n;

	while ((n = pmtcp_output(w->ctx, now_ns, pkts, BURST)) > 0)
		send_frames(e, w, pkts, n);
}

static void
take_event(struct end *e, const struct pmtcp_event *ev)
{
	static const uint8_t text[PAYLOAD] = "64 octets";
	uint8_t buf[PAYLOAD];

	if (ev->flags & (PMTCP_EV_ACCEPTED | PMTCP_EV_CONNECTED))
		e->connected++;
	if (ev->flags & PMTCP_EV_READABLE) {
		CHECK(pmtcp_read(ev->conn, buf, PAYLOAD) == PAYLOAD);
		e->got += PAYLOAD;
	}
	if (ev->flags & e->writes_on)
		CHECK(pmtcp_write(ev->conn, text, PAYLOAD) == PAYLOAD);
	if (ev->flags & e->closes_on)
		pmtcp_close(ev->conn);
	if ((ev->flags & PMTCP_EV_CLOSED) && ev->reason == PMTCP_GRACEFUL)
		e->closed++;
}

static void
take_events(struct end *e, struct worker *w)
{
	struct pmtcp_event ev[EVENTS];
	uint16_t n;

	while ((n = pmtcp_events(w->ctx, ev, EVENTS)) > 0) {
		for (uint16_t i = 0; i < n; i++)
			take_event(e, &ev[i]);
	}
}

static void
open_some(struct end *e, struct worker *w)
{
	struct pmtcp_open opens[BURST];
	uint16_t n = (uint16_t)min_u32(e->to_open, BURST);
	int err;

	for (uint16_t i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(SERVER_PORT + (e->opened + i) % SERVER_PORTS);

		opens[i] = (struct pmtcp_open){.local = pmtcp_addr4(CLIENT_IP, 0),
				.remote = pmtcp_addr4(SERVER_IP, port)};
	}
	CHECK(pmtcp_connect_burst(w->ctx, opens, n, &err) == n);
	e->opened += n;
	e->to_open -= n;
}

/* The two functions that are counted; they have to exist by name (or as name.constprop). */
__attribute__((noinline)) void drive_client(struct end *e, uint64_t now_ns);
__attribute__((noinline)) void drive_server(struct end *e, uint64_t now_ns);

void
drive_client(struct end *e, uint64_t now_ns)
{
	for (uint16_t i = 0; i < e->workers; i++) {
		struct worker *w = &e->worker[i];

		turn_begin(e, w, now_ns);
		take_events(e, w);
		open_some(e, w);
		turn_end(e, w, now_ns);
	}
}

void
drive_server(struct end *e, uint64_t now_ns)
{
	for (uint16_t i = 0; i < e->workers; i++) {
		struct worker *w = &e->worker[i];

		turn_begin(e, w, now_ns);
		take_events(e, w);
		turn_end(e, w, now_ns);
	}
}

static bool
is_quiet(void)
{
	if (client.to_open > 0)
		return false;
	for (uint16_t i = 0; i < client.workers; i++) {
		const struct queue *c = &client.worker[i].in, *s = &server.worker[i].in;

		if (c->head != c->tail || s->head != s->tail)
			return false;
	}
	return true;
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

/* What the books of an end's workers say together. */
struct books {
	uint64_t live;
	uint64_t time_wait;
	uint64_t counter[PMTCP_C_MAX];
	bool balance;
};

static struct books
books_of(const struct end *e)
{
	struct books b = {.balance = true};

	for (uint16_t i = 0; i < e->workers; i++) {
		struct pmtcp_stats stats;
		const char *fault;

		pmtcp_stats(e->worker[i].ctx, &stats);
		fault = pmtcp_stats_audit(&stats);
		if (fault != NULL)
			fprintf(stderr, "the books do not balance: %s\n", fault);
		b.balance = b.balance && fault == NULL;
		b.live += stats.live;
		b.time_wait += stats.time_wait;
		for (int c = 0; c < PMTCP_C_MAX; c++)
			b.counter[c] += stats.counter[c];
	}
	return b;
}

static bool
is_right(const struct end *e, const struct books *b, uint32_t conns)
{
	return b->balance && e->connected == conns && e->closed == conns && b->live == 0 &&
	       b->counter[PMTCP_C_retransmitted] == 0;
}

/* Did the connections take the path that the mode is for? */
static bool
is_of_mode(const struct mode *mode, const struct books *c, const struct books *s, uint32_t conns)
{
	uint32_t octets = mode->client_writes_on ? conns * PAYLOAD : 0;
	uint32_t tuples = mode->port_first != 0 ? REUSE_PORTS * SERVER_PORTS : conns;
	uint64_t handed = c->counter[PMTCP_C_misdirected] + s->counter[PMTCP_C_misdirected];
	uint64_t frames = client.frames + server.frames;

	if (client.got != octets || server.got != octets)
		return false;
	if (c->counter[PMTCP_C_tw_reused_out] != (conns > tuples ? conns - tuples : 0))
		return false;
	if (!mode->is_sprayed)
		return handed == 0;
	return handed > frames * 45 / 100 && handed < frames * 55 / 100;
}

/* Everything ended well, nothing was sent twice, expiry keeps up with entry. */
static int
verify(const struct mode *mode, uint32_t conns)
{
	uint32_t alive_max = (uint32_t)((60 * 1000000000ull / WAVE_NS + 3) * WAVE);
	struct books c = books_of(&client), s = books_of(&server);

	printf("instructions.%s.connections  %u  frames=%.2f time_wait=%llu tw_expired=%llu\n",
			mode->name, conns, (double)(client.frames + server.frames) / conns,
			(unsigned long long)c.time_wait,
			(unsigned long long)c.counter[PMTCP_C_tw_expired]);
	if (is_right(&client, &c, conns) && is_right(&server, &s, conns) &&
			is_of_mode(mode, &c, &s, conns) &&
			c.counter[PMTCP_C_tw_expired] + c.counter[PMTCP_C_tw_reused_out] +
							c.time_wait ==
					conns &&
			c.time_wait <= alive_max && s.time_wait == 0)
		return 0;
	fprintf(stderr, "wrong: closed %u and %u of %u\n", client.closed, server.closed, conns);
	return 1;
}

static const struct mode *
mode_find(const char *name)
{
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(modes); i++) {
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	}
	fprintf(stderr, "there is no mode \"%s\"\n", name);
	exit(2);
}

int
main(int argc, char **argv)
{
	const struct mode *mode = mode_find(argc > 1 ? argv[1] : "open_close");
	uint32_t conns = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 4096;
	uint64_t now_ns = 1000000000;

	ends_create(mode);
	for (uint32_t done = 0; done < conns; done += WAVE, now_ns += WAVE_NS)
		run_wave(now_ns, min_u32(conns - done, WAVE));
	return verify(mode, conns);
}
