/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Two contexts and a wire between them whose every fault is chosen: records of four
 * octets deliver, drop, repeat, hold back or damage a frame, call for an application,
 * or let time pass. Each octet delivered must be the one sent at that place of that
 * stream, and an end of stream must come behind all that was sent. Then the wire is
 * good again: everything must come to its end, and the books must balance. */

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "side.h"
#include "support/build.h"
#include "support/pool.h"

enum {
	RECORD = 4,
	RECORDS_MAX = 400,
	WIRE_MAX = 96,      /* frames under way in one direction; more are lost */
	ROUNDS_MAX = 40000, /* keepalive every 100 ms until R2 is passed */
	OPENS_MAX = 6,
};

struct frame {
	uint32_t len;
	uint8_t bytes[2048];
};

struct fuzz_wire {
	uint32_t n;
	uint16_t at[WIRE_MAX]; /* slots in order of sending */
	uint16_t n_free;
	uint16_t free_slot[WIRE_MAX];
	struct frame slot[WIRE_MAX];
};

struct world {
	struct fuzz_side side[2];
	struct fuzz_wire wire[2]; /* from this side */
	uint32_t n_opens;
};

/* ---- the wire ------------------------------------------------------------ */

static void
wire_reset(struct fuzz_wire *w)
{
	w->n = 0;
	w->n_free = WIRE_MAX;
	for (uint16_t i = 0; i < WIRE_MAX; i++)
		w->free_slot[i] = i;
}

static void
wire_push(struct fuzz_side *s, struct rte_mbuf *m)
{
	struct world *world = s->owner;
	struct fuzz_wire *w = &world->wire[s->number];
	struct frame *f;
	const void *from;

	EXPECT(m->pkt_len <= sizeof(f->bytes));
	if (w->n_free != 0) {
		w->at[w->n] = w->free_slot[--w->n_free];
		f = &w->slot[w->at[w->n++]];
		f->len = m->pkt_len;
		from = rte_pktmbuf_read(m, 0, m->pkt_len, f->bytes);
		if (from != f->bytes)
			memcpy(f->bytes, from, f->len);
	}
	rte_pktmbuf_free(m);
}

static void
wire_remove(struct fuzz_wire *w, uint32_t i)
{
	w->free_slot[w->n_free++] = w->at[i];
	memmove(&w->at[i], &w->at[i + 1], (w->n - i - 1) * sizeof(w->at[0]));
	w->n--;
}

static void
arrive(struct world *world, int to, uint32_t i)
{
	const struct fuzz_wire *w = &world->wire[!to];
	const struct frame *f = &w->slot[w->at[i]];
	struct rte_mbuf *m = build_mbuf(world->side[to].rx_pool, f->bytes, f->len, 0);

	side_input(&world->side[to], &m, 1);
}

/* One frame, or the oldest few in one burst. */
static void
deliver_burst(struct world *world, int to, uint32_t n)
{
	struct fuzz_wire *w = &world->wire[!to];
	struct rte_mbuf *burst[WIRE_MAX];

	n = min_u32(n, w->n);
	for (uint32_t i = 0; i < n; i++) {
		const struct frame *f = &w->slot[w->at[i]];

		burst[i] = build_mbuf(world->side[to].rx_pool, f->bytes, f->len, 0);
	}
	for (uint32_t i = 0; i < n; i++)
		wire_remove(w, 0);
	world->side[to].now += 5000;
	side_input(&world->side[to], burst, (uint16_t)n);
}

static void
sync_clocks(struct world *world)
{
	uint64_t now = max_u64(world->side[0].now, world->side[1].now);

	world->side[0].now = world->side[1].now = now;
}

enum fault { FAULT_DROP, FAULT_DUP, FAULT_FLIP, FAULT_LATE, FAULT_TRUNCATE, FAULT_MARK, FAULT_MAX };

/* Congestion experienced, where the sender speaks ECN (RFC 3168 5). */
static void
mark(struct frame *f)
{
	uint8_t *ip = f->bytes + (f->bytes[12] == 0x81 ? 18 : 14);
	uint16_t sum;

	if (f->len < 60)
		return;
	if (ip[0] >> 4 == 6 && (ip[1] & 0x30) != 0)
		ip[1] |= 0x30;
	if (ip[0] != 0x45 || (ip[1] & 3) == 0)
		return;
	ip[1] |= 3;
	ip[10] = ip[11] = 0;
	sum = build_cksum(build_sum(0, ip, 20));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

static void
fault(struct world *world, int to, const uint8_t *r)
{
	struct fuzz_wire *w = &world->wire[!to];
	uint32_t i = w->n == 0 ? 0 : r[2] % w->n;
	struct frame *f;

	if (w->n == 0)
		return;
	f = &w->slot[w->at[i]];
	switch (r[3] % FAULT_MAX) {
	case FAULT_DUP:
		arrive(world, to, i);
		return;
	case FAULT_FLIP:
		f->bytes[(r[3] * 7u) % f->len] ^= (uint8_t)(1u << r[2] % 8);
		break;
	case FAULT_TRUNCATE:
		f->len -= min_u32(r[3], f->len - 1);
		break;
	case FAULT_MARK:
		mark(f);
		break;
	case FAULT_LATE:
		break;
	default:
		wire_remove(w, i);
		return;
	}
	arrive(world, to, i);
	wire_remove(w, i);
}

/* ---- the oracle ---------------------------------------------------------- */

/* Each opener's port has a text of its own, so that no connection can pass off
 * another's octets as right. */
static uint32_t
text_of(const struct fuzz_side *s, const struct side_conn *c)
{
	(void)s;
	return c->port * 4099u;
}

static bool
is_other_end(const struct side_conn *c, const struct side_conn *o)
{
	return o->port == c->port && o->out_base == c->in_base && (o->is_open || o->is_opener);
}

/* A cookie is good for some time: if its connection was aborted and the RST got lost, the
 * peer's next ACK makes another with the same numbers. The stream is that of one of them. */
static void
check_eof(const struct fuzz_side *s, const struct side_conn *c)
{
	const struct world *world = s->owner;
	const struct fuzz_side *other = &world->side[!s->number];
	bool is_known = false, is_exact = false;

	for (uint32_t i = 0; i < other->n_conns; i++) {
		const struct side_conn *o = &other->conns[i];

		is_known |= is_other_end(c, o);
		is_exact |= is_other_end(c, o) && c->n_read == o->n_written;
	}
	EXPECT(is_exact || !is_known);
}

/* ---- what the records say ------------------------------------------------ */

static void
call(struct fuzz_side *s, const uint8_t *r)
{
	struct side_conn *c = side_pick(s, r[2] & 7);

	if (c == NULL)
		return;
	switch (r[0] & 15) {
	case 8:
		side_write(s, c, (r[2] & 8) ? r[3] : r[3] * 128u);
		break;
	case 9:
		side_send(s, c, 1 + (r[2] >> 6), (uint16_t)(1 + r[3] * 5));
		break;
	case 10:
		side_read(s, c, (uint32_t)r[3] * 16);
		break;
	case 11:
		side_recv(s, c, r[3]);
		break;
	case 12:
		side_shutdown(c);
		break;
	case 13:
		if (r[3] < 24)
			side_end(c, (enum side_end)(r[3] % SIDE_END_MAX));
		else
			side_shutdown(c);
		break;
	default:
		side_set(c, r[3] & 15, r[3] >> 4);
		break;
	}
}

static void
open_one(struct world *world, int from, uint8_t how)
{
	struct fuzz_side *s = &world->side[from];

	if (world->n_opens++ >= OPENS_MAX)
		return;
	/* Both sides may open the same tuple at the same time. */
	if (how & 1)
		side_connect(s, SIDE_PORT, from ? TEST_ADDR : TEST_PEER, SIDE_PORT);
	else
		side_connect(s, 0, from ? TEST_ADDR : TEST_PEER, SIDE_PORT);
}

static void
shortage(struct fuzz_side *s, uint8_t how)
{
	if (how & 0x40)
		pmtcp_set_pressure(s->ctx, (uint16_t)(how % 64 * 16));
	else
		test_pool_fail_after(s->pool, how & 0x80 ? TEST_POOL_NEVER : how & 15);
}

static void
pass_time(struct world *world, uint8_t how)
{
	static const uint32_t ms[8] = {1, 5, 41, 200, 700, 3000, 20000, 130000};

	sync_clocks(world);
	for (int i = 0; i < 2; i++)
		side_advance(&world->side[i], ms[how & 7] * SIDE_MS);
	sync_clocks(world);
}

static void
record(struct world *world, const uint8_t *r)
{
	int side = r[0] >> 7;
	uint8_t op = r[0] & 15;

	if (op < 4)
		deliver_burst(world, side, 1 + r[1] % 8);
	else if (op < 6)
		fault(world, side, r);
	else if (op == 6)
		pass_time(world, r[1]);
	else if (op == 7 && (r[1] & 7) == 0)
		shortage(&world->side[side], r[2]);
	else if (op == 7 && (r[1] & 7) < 3)
		open_one(world, side, r[2]);
	else if (op == 7)
		sync_clocks(world);
	else
		call(&world->side[side], r);
	if (!(r[1] & 0x80))
		side_output(&world->side[side]);
}

/* ---- to the end ---------------------------------------------------------- */

/* Reads to the end, ends its own direction, gives up when both are over. */
static void
wind_up(struct fuzz_side *s)
{
	for (uint32_t i = 0; i < s->n_conns; i++) {
		struct side_conn *c = &s->conns[i];

		if (c->conn == NULL || c->is_given_up)
			continue;
		if (!c->is_shut && !c->is_closed)
			side_shutdown(c);
		for (int k = 0; c->is_open && k < 1000 && side_read(s, c, 4096) > 0; k++)
			continue;
		if (c->not_done != 0)
			pmtcp_recv_done(c->conn, c->not_done);
		c->not_done = 0;
		if (c->is_closed || (c->is_eof && c->is_shut))
			side_end(c, SIDE_CLOSE);
	}
}

static bool
is_over(const struct world *world)
{
	for (int i = 0; i < 2; i++)
		for (uint32_t k = 0; k < world->side[i].n_conns; k++)
			if (world->side[i].conns[k].conn != NULL)
				return false;
	return true;
}

/* There is another with these numbers: see check_eof(). */
static bool
is_twin(const struct fuzz_side *s, const struct side_conn *c)
{
	for (uint32_t i = 0; i < s->n_conns; i++) {
		const struct side_conn *x = &s->conns[i];

		if (x != c && x->port == c->port && x->out_base == c->out_base &&
				x->in_base == c->in_base)
			return true;
	}
	return false;
}

/* All that could be its other end is given up, and not by agreement. */
static bool
is_stranded(const struct fuzz_side *s, const struct side_conn *c)
{
	const struct world *world = s->owner;
	const struct fuzz_side *other = &world->side[!s->number];

	for (uint32_t i = 0; i < other->n_conns; i++) {
		const struct side_conn *o = &other->conns[i];

		if (is_other_end(c, o) && (o->conn != NULL || o->reason == PMTCP_GRACEFUL))
			return false;
	}
	return true;
}

/* Nothing is under way and no timer runs. Right only where the other end was given up by
 * a RST that got lost, or was challenged in vain: without keepalive nothing tells. */
static void
end_stranded(struct fuzz_side *s)
{
	for (uint32_t i = 0; i < s->n_conns; i++) {
		struct side_conn *c = &s->conns[i];

		if (c->conn == NULL || c->is_given_up)
			continue;
		EXPECT(is_twin(s, c) || is_stranded(s, c));
		side_end(c, SIDE_ABORT);
	}
}

static void
run_to_end(struct world *world)
{
	for (int i = 0; i < 2; i++) {
		test_pool_fail_after(world->side[i].pool, TEST_POOL_NEVER);
		pmtcp_set_pressure(world->side[i].ctx, 1000);
	}
	for (int round = 0; !is_over(world); round++) {
		uint64_t at;

		EXPECT(round < ROUNDS_MAX);
		for (int i = 0; i < 2; i++) {
			deliver_burst(world, i, WIRE_MAX);
			wind_up(&world->side[i]);
			side_output(&world->side[i]);
		}
		sync_clocks(world);
		at = min_u64(pmtcp_deadline(world->side[0].ctx),
				pmtcp_deadline(world->side[1].ctx));
		if (world->wire[0].n != 0 || world->wire[1].n != 0)
			continue;
		if (at != UINT64_MAX) {
			world->side[0].now = side_next(world->side[0].now, at);
			sync_clocks(world);
			continue;
		}
		end_stranded(&world->side[0]);
		end_stranded(&world->side[1]);
	}
}

static void
configure(struct fuzz_side *s, uint8_t net, uint8_t knobs)
{
	struct pmtcp_conf *conf = &s->conf;

	side_configure(s, s->number ? TEST_PEER : TEST_ADDR, s->number ? TEST_ADDR : TEST_PEER,
			net);
	conf->max_conns = 12;
	conf->max_half_open = 4;
	conf->max_time_wait = 4;
	conf->max_transfers = 12;
	conf->max_records = knobs & 1 ? 24 : 512;
	conf->max_port_pairs = 4;
	conf->recv_buffer = knobs & 2 ? 4096 : 65536;
	conf->send_buffer = knobs & 4 ? 4096 : 65536;
	conf->mtu = !(knobs & 8) ? 1500 : s->is_v6 ? 1280 : 576;
	conf->caps.tx_multi_seg = knobs & 16;
	conf->spare_max = knobs & 32 ? 8 : 0;
	conf->tw_ms = knobs & 64 ? 1000 : 60000;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct fuzz_in in = {.p = data, .left = size};
	uint8_t both, net;

	fuzz_begin();
	world.n_opens = 0;
	both = fuzz_u8(&in) & SIDE_NET_SAME;
	for (int i = 0; i < 2; i++) {
		struct fuzz_side *s = &world.side[i];

		*s = (struct fuzz_side){.number = i, .now = 1000 * SIDE_MS, .owner = &world};
		s->in_text = text_of;
		s->out_text = text_of;
		s->at_eof = check_eof;
		s->frame = wire_push;
		wire_reset(&world.wire[i]);
		net = (uint8_t)(both | (fuzz_u8(&in) & ~SIDE_NET_SAME));
		s->opts = fuzz_u8(&in);
		configure(s, net, fuzz_u8(&in));
		side_create(s);
		side_listen(s, 0);
	}
	open_one(&world, 0, 0);
	side_output(&world.side[0]);
	for (int i = 0; i < RECORDS_MAX && in.left > 0; i++) {
		uint8_t r[RECORD];

		for (int k = 0; k < RECORD; k++)
			r[k] = fuzz_u8(&in);
		record(&world, r);
	}
	run_to_end(&world);
	for (int i = 0; i < 2; i++)
		side_destroy(&world.side[i]);
	return 0;
}
