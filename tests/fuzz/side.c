/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See side.h. */

#include "side.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "support/pool.h"

#define ROOM       (RTE_PKTMBUF_HEADROOM + 2048)
#define MEM_BYTES  (4u << 20)
#define BURST      16
#define FRAMES_MAX 100000

/* One mapping for all executions, zeroed anew as far as it is used. */
static void *
memory_of(int number, size_t len)
{
	static void *mem[2];

	EXPECT(number < 2 && len <= MEM_BYTES);
	if (mem[number] == NULL)
		mem[number] = ctx_mem_map(MEM_BYTES);
	else
		memset(mem[number], 0, len);
	return mem[number];
}

void
side_configure(struct fuzz_side *s, uint32_t self, uint32_t peer, uint8_t net)
{
	struct pmtcp_conf *conf = &s->conf;

	ctx_conf_small(conf, self, peer, 1 + (uint64_t)s->number);
	s->is_v6 = net & SIDE_NET_V6;
	if (s->is_v6)
		ctx_conf_add_v6(conf, self, peer);
	conf->vlan = net & SIDE_NET_VLAN ? 100 : 0;
	if (net & SIDE_NET_ECN)
		conf->ecn = (net & SIDE_NET_ECN) >> 2;
	if (net & SIDE_NET_NEWRENO)
		conf->cc = PMTCP_CC_NEWRENO;
	conf->syn_cookies = (enum pmtcp_syn_cookies)((net & SIDE_NET_COOKIES) >> 5);
	if (net & SIDE_NET_NO_PROBE) {
		conf->pmtu_blackhole = false;
		conf->pmtu_raise_ms = 0;
	}
}

void
side_create(struct fuzz_side *s)
{
	size_t len;

	s->pool = test_pool_create(ROOM);
	s->rx_pool = test_pool_create(ROOM);
	s->conf.pool = s->pool;
	len = pmtcp_ctx_memsize(&s->conf);
	EXPECT(pmtcp_ctx_init(memory_of(s->number, len), len, &s->conf, &s->ctx) == 0);
	pmtcp_tick(s->ctx, s->now);
}

void
side_check(const struct fuzz_side *s)
{
	struct pmtcp_stats stats;

	pmtcp_ctx_check(s->ctx);
	pmtcp_stats(s->ctx, &stats);
	EXPECT(pmtcp_stats_audit(&stats) == NULL);
}

/* ---- events -------------------------------------------------------------- */

static struct side_conn *
add_conn(struct fuzz_side *s, struct pmtcp_conn *conn)
{
	struct side_conn *c;

	if (s->n_conns == SIDE_CONNS_MAX)
		return NULL;
	c = &s->conns[s->n_conns++];
	*c = (struct side_conn){.conn = conn};
	pmtcp_set_user(conn, c);
	return c;
}

static void
drop_dead_handle(struct side_conn *c)
{
	if (c->is_closed && c->is_given_up)
		c->conn = NULL;
}

/* At the first event of an open connection nothing is read or written yet. */
static void
note_open(struct side_conn *c)
{
	const struct tcb *tcb = (const struct tcb *)(const void *)c->conn;
	struct pmtcp_conn_info info;

	pmtcp_conn_info(c->conn, &info);
	c->is_open = true;
	c->in_base = info.rcv_nxt - info.unread - tcb_is_past_fin(tcb);
	if (!c->is_opener) {
		c->out_base = info.snd_nxt;
		c->port = info.remote.port;
	}
}

static void
note_event(struct fuzz_side *s, const struct pmtcp_event *ev)
{
	struct side_conn *c = ev->user;

	EXPECT(ev->flags != 0);
	if (ev->flags & PMTCP_EV_ACCEPTED) {
		EXPECT(c == NULL);
		c = add_conn(s, ev->conn);
		if (c == NULL) {
			pmtcp_detach(ev->conn);
			return;
		}
	}
	EXPECT(c != NULL && c->conn == ev->conn);
	EXPECT(!c->is_closed);
	if (c->is_given_up)
		EXPECT(ev->flags == PMTCP_EV_CLOSED);
	if (ev->flags & (PMTCP_EV_ACCEPTED | PMTCP_EV_CONNECTED)) {
		EXPECT(!c->is_open);
		note_open(c);
	}
	/* A send may be refused before the connection is open, and asked for again (RES-10). */
	if (!c->is_given_up && (ev->flags & ~(uint32_t)(PMTCP_EV_CLOSED | PMTCP_EV_ERROR |
							    PMTCP_EV_WRITABLE)))
		EXPECT(c->is_open);
	if (ev->flags & PMTCP_EV_CLOSED) {
		EXPECT(ev->reason > PMTCP_REASON_NONE && ev->reason < PMTCP_REASON_MAX);
		c->is_closed = true;
		c->reason = ev->reason;
	}
	drop_dead_handle(c);
}

static void
pop_events(struct fuzz_side *s)
{
	struct pmtcp_event ev[4];
	uint16_t n;

	do {
		n = pmtcp_events(s->ctx, ev, 4);
		for (uint16_t i = 0; i < n; i++)
			note_event(s, &ev[i]);
	} while (n > 0);
}

/* ---- turns --------------------------------------------------------------- */

void
side_input(struct fuzz_side *s, struct rte_mbuf **pkts, uint16_t n)
{
	if (n > 0)
		pmtcp_input(s->ctx, s->now, pkts, n);
	pmtcp_tick(s->ctx, s->now);
	pop_events(s);
	side_check(s);
}

void
side_output(struct fuzz_side *s)
{
	struct rte_mbuf *out[BURST];
	uint32_t total = 0;
	uint16_t n;

	while ((n = pmtcp_output(s->ctx, s->now, out, BURST)) > 0) {
		total += n;
		EXPECT(total <= FRAMES_MAX);
		for (uint16_t i = 0; i < n; i++)
			s->frame(s, out[i]);
	}
	pop_events(s);
	side_check(s);
}

void
side_advance(struct fuzz_side *s, uint64_t ns)
{
	uint64_t target = s->now + ns;

	for (int i = 0; i < 40 && pmtcp_deadline(s->ctx) < target; i++) {
		s->now = max_u64(s->now, pmtcp_deadline(s->ctx));
		side_input(s, NULL, 0);
		side_output(s);
	}
	s->now = target;
	side_input(s, NULL, 0);
}

/* Blocks, side records and segment records: all given back. */
static bool
is_empty(const struct fuzz_side *s)
{
	struct pmtcp_stats stats;

	pmtcp_stats(s->ctx, &stats);
	return stats.blocks_used == 0 && stats.transfers_used == 0 && stats.records_used == 0 &&
	       stats.live == 0 && stats.half_open == 0 && stats.time_wait == 0;
}

void
side_destroy(struct fuzz_side *s)
{
	test_pool_fail_after(s->pool, TEST_POOL_NEVER);
	for (uint32_t i = 0; i < s->n_held; i++)
		rte_pktmbuf_free(s->held[i]);
	if (s->listener != NULL)
		pmtcp_unlisten(s->listener);
	for (uint32_t i = 0; i < s->n_conns; i++)
		if (s->conns[i].conn != NULL && !s->conns[i].is_given_up)
			side_end(&s->conns[i], SIDE_ABORT);
	for (int i = 0; !is_empty(s); i++) {
		uint64_t at = pmtcp_deadline(s->ctx);

		EXPECT(i < SIDE_TURNS_MAX && at != UINT64_MAX);
		s->now = side_next(s->now, at);
		side_input(s, NULL, 0);
		side_output(s);
	}
	for (uint32_t i = 0; i < s->n_conns; i++)
		EXPECT(s->conns[i].conn == NULL);
	pmtcp_ctx_fini(s->ctx);
	test_pool_destroy(s->pool);
	test_pool_destroy(s->rx_pool);
}

/* ---- the application ----------------------------------------------------- */

static void
fill_opts(struct pmtcp_conn_opts *opts, uint8_t how)
{
	opts->keepalive_ms = how & SIDE_OPT_KEEPALIVE ? 1000 : 0;
	opts->keepalive_intvl_ms = 300;
	opts->keepalive_count = 3;
	opts->user_timeout_ms = how & SIDE_OPT_USER_TIMEOUT ? 5000 : 0;
	opts->linger_ms = how & SIDE_OPT_LINGER ? 2000 : 0;
	opts->no_timestamps = how & SIDE_OPT_NO_TS;
	opts->no_sack = how & SIDE_OPT_NO_SACK;
	opts->no_wscale = how & SIDE_OPT_NO_WSCALE;
	opts->mss = how & SIDE_OPT_SMALL_MSS ? 536 : 0;
	opts->cc = how & SIDE_OPT_NEWRENO ? PMTCP_CC_NEWRENO : PMTCP_CC_DEFAULT;
}

static struct pmtcp_addr
addr_of(const struct fuzz_side *s, uint32_t ip4, uint16_t port)
{
	struct pmtcp_addr addr = {.version = 6, .port = port};

	if (!s->is_v6)
		return pmtcp_addr4(ip4, port);
	if (ip4 != 0)
		ctx_ip6_of(ip4, addr.ip6);
	return addr;
}

void
side_listen(struct fuzz_side *s, uint8_t how)
{
	/* Of either version where there are two. */
	struct pmtcp_addr local = {.version = s->is_v6 ? 0 : 4, .port = SIDE_PORT};
	struct pmtcp_listen_opts opts = {.rst_on_overflow = how & 1,
			.conn_max = how & 2 ? 2 : 0,
			.half_open_max = how & 4 ? 2 : 0};

	if (s->listener != NULL) {
		pmtcp_unlisten(s->listener);
		s->listener = NULL;
		return;
	}
	fill_opts(&opts.conn, s->opts);
	opts.conn.nodelay = how & 8;
	opts.conn.no_timestamps |= !!(how & 16);
	opts.conn.no_sack |= !!(how & 32);
	opts.conn.recv_buffer = how & 64 ? 4096 : 0;
	opts.conn.tw_ms = how & 128 ? PMTCP_TW_NONE : 0;
	if (pmtcp_listen(s->ctx, &local, &opts, &s->listener) != 0)
		s->listener = NULL;
}

void
side_connect(struct fuzz_side *s, uint16_t lport, uint32_t remote, uint16_t rport)
{
	struct pmtcp_addr from = addr_of(s, 0, lport);
	struct pmtcp_addr to = addr_of(s, remote, rport);
	struct pmtcp_conn_opts opts = {0};
	struct pmtcp_conn_info info;
	struct pmtcp_conn *conn;
	struct side_conn *c;

	fill_opts(&opts, s->opts);
	if (s->n_conns == SIDE_CONNS_MAX || pmtcp_connect(s->ctx, &from, &to, &opts, &conn) != 0)
		return;
	c = add_conn(s, conn);
	pmtcp_conn_info(conn, &info);
	c->is_opener = true;
	c->port = info.local.port;
	c->out_base = ((const struct tcb *)(const void *)conn)->snd.una + 1;
}

struct side_conn *
side_pick(struct fuzz_side *s, uint8_t which)
{
	for (uint32_t i = 0; i < s->n_conns; i++) {
		struct side_conn *c = &s->conns[(which + i) % s->n_conns];

		if (c->conn != NULL && !c->is_given_up)
			return c;
	}
	return NULL;
}

static uint32_t
out_text(const struct fuzz_side *s, const struct side_conn *c)
{
	return (s->out_text == NULL ? 0 : s->out_text(s, c)) + c->n_written;
}

void
side_write(struct fuzz_side *s, struct side_conn *c, uint32_t len)
{
	uint32_t space = pmtcp_send_space(c->conn);
	int n;

	n = pmtcp_write(c->conn, fuzz_text(out_text(s, c)), len);
	EXPECT(n <= (int)len && n <= (int)space);
	if (n > 0)
		c->n_written += (uint32_t)n;
}

void
side_send(struct fuzz_side *s, struct side_conn *c, uint16_t n_pkts, uint16_t len)
{
	struct rte_mbuf *pkts[4];
	uint32_t at = out_text(s, c);
	uint16_t n = 0;
	int taken;

	while (n < n_pkts && n < RTE_DIM(pkts)) {
		struct rte_mbuf *m = pmtcp_buf_alloc(s->ctx);
		char *to = m == NULL ? NULL : rte_pktmbuf_append(m, len);

		if (to == NULL) {
			rte_pktmbuf_free(m);
			break;
		}
		memcpy(to, fuzz_text(at), len);
		at += len;
		pkts[n++] = m;
	}
	taken = pmtcp_send(c->conn, pkts, n);
	EXPECT(taken <= n);
	for (int i = taken < 0 ? 0 : taken; i < n; i++)
		rte_pktmbuf_free(pkts[i]);
	if (taken > 0)
		c->n_written += (uint32_t)taken * len;
}

static void
check_text(const struct fuzz_side *s, struct side_conn *c, const void *bytes, uint32_t len)
{
	EXPECT(c->is_open);
	EXPECT(memcmp(bytes, fuzz_text(s->in_text(s, c) + c->n_read), len) == 0);
	c->n_read += len;
}

static void
note_end(const struct fuzz_side *s, struct side_conn *c, int ret)
{
	if (ret != 0)
		return;
	c->is_eof = true;
	if (s->at_eof != NULL)
		s->at_eof(s, c);
}

int
side_read(struct fuzz_side *s, struct side_conn *c, uint32_t len)
{
	uint8_t bytes[4096];
	bool was_eof = c->is_eof;
	int n;

	n = pmtcp_read(c->conn, bytes, min_u32(len, sizeof(bytes)));
	if (len > 0)
		note_end(s, c, n);
	if (was_eof)
		EXPECT(n == 0 || (n < 0 && c->is_closed));
	if (n > 0)
		check_text(s, c, bytes, (uint32_t)n);
	return n;
}

/* Gives octets back in another rhythm than it takes them. */
void
side_recv(struct fuzz_side *s, struct side_conn *c, uint8_t how)
{
	struct rte_mbuf *pkts[4];
	int n = pmtcp_recv(c->conn, pkts, (uint16_t)(1 + how % 4));

	note_end(s, c, n);
	for (int i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		EXPECT(m->nb_segs == 1);
		check_text(s, c, rte_pktmbuf_mtod(m, void *), m->data_len);
		c->not_done += m->data_len;
		if ((how & 16) && s->n_held < SIDE_HELD_MAX)
			s->held[s->n_held++] = m;
		else
			rte_pktmbuf_free(m);
	}
	if (how & 32) {
		uint32_t part = how & 64 ? c->not_done / 2 : c->not_done;

		pmtcp_recv_done(c->conn, part);
		c->not_done -= part;
	}
}

void
side_shutdown(struct side_conn *c)
{
	int ret = pmtcp_shutdown(c->conn);

	EXPECT(ret == 0 || ret == -ENOTCONN);
	if (ret == 0)
		c->is_shut = true;
}

void
side_end(struct side_conn *c, enum side_end how)
{
	struct pmtcp_conn *conn = c->conn;

	c->is_given_up = true;
	if (how == SIDE_DETACH) {
		c->conn = NULL;
		pmtcp_detach(conn);
		return;
	}
	if (how == SIDE_CLOSE)
		pmtcp_close(conn);
	else
		pmtcp_abort(conn);
	drop_dead_handle(c);
}

void
side_set(struct side_conn *c, uint8_t opt, uint8_t value)
{
	static const uint64_t values[] = {0, 1, 2, 63, 64, 200, 255, 1000, 2048, 4096, 60000, 65536,
			240000, 100, 4u << 20, PMTCP_LINGER_OFF, UINT64_MAX};

	pmtcp_set(c->conn, (enum pmtcp_opt)(opt % (PMTCP_OPT_MAX + 1)),
			values[value % RTE_DIM(values)]);
}
