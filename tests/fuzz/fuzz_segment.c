/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Segments in any state. The input is a program: its head chooses options, the clock
 * and one of the eleven states, into which a script of ordinary segments brings the
 * context; then each record of 12 octets is a segment drawn around the edges of the
 * moment, a call of the application, time, or shortage. The peer's text is a function
 * of its sequence numbers, ours of the offset in the stream, so what is delivered and
 * what is sent can be judged however wild the segments were.
 *
 * After each record all structures and books are checked; in the end everything must
 * have been given back. */

#include "fuzz.h"

#include <string.h>

#include "base/base.h"
#include "segment.h"
#include "support/build.h"
#include "support/pool.h"

enum { RECORD = 12, RECORDS_MAX = 200 };

static uint32_t
draw_len(const struct edges *e, uint8_t which)
{
	uint32_t wnd = e->rcv_edge - e->rcv_nxt;

	switch (which & 15) {
	case 8:
		return 1;
	case 9:
		return which >> 4;
	case 10:
		return 536;
	case 11:
		return 1448;
	case 12:
		return min_u32(wnd, 1400);
	case 13:
		return min_u32(wnd + 1, 1400);
	case 14:
		return 100u + (which >> 4);
	case 15:
		return 1400;
	default:
		return 0;
	}
}

static void
draw_sack(struct build *b, const struct edges *e, uint8_t how, uint8_t off)
{
	uint32_t span = e->nxt - e->una;
	uint32_t at = e->una + ((how & 0x10) ? span / 2 : 0) + (uint32_t)(int8_t)off;

	b->opts |= PKT_OPT_SACK;
	b->n_sack = (uint8_t)(1 + (how & 3));
	for (uint8_t i = 0; i < b->n_sack; i++) {
		uint32_t len = (how & 0x20) ? 1448 : 1u + off % 64u;

		b->sack[i].left = at;
		b->sack[i].right = (how & 0x40) ? at - len : at + len;
		at += (how & 0x80) ? len : 2 * len;
	}
	if (b->n_sack == 4)
		b->opts &= (uint8_t)~PKT_OPT_TS;
}

static void
draw_opts(struct build *b, const struct edges *e, const uint8_t *r)
{
	static const uint8_t torn[] = {8, 10, 1, 2, 3, 4};
	static const uint8_t zero[] = {1, 2, 0, 9};
	static const uint8_t odd[] = {253, 4, 1, 2, 3, 3, 255, 1, 5, 9, 1, 2, 3, 4, 5, 6, 7};
	uint8_t how = r[5];

	/* The negotiated timestamp, unless the choice says otherwise. */
	if (e->has_ts != !!(how & 0x01)) {
		b->opts |= PKT_OPT_TS;
		b->tsval = peer_tsval(e) + (uint32_t)(int8_t)r[6];
		b->tsecr = e->tsval - ((how & 0x02) ? (uint32_t)r[6] * 257 : 0);
		if (how & 0x04)
			b->tsval = e->ts_recent + 0x80000000u + r[6];
	}
	if (b->flags & PKT_SYN) {
		b->opts |= (how & 0x20) ? 0 : PKT_OPT_MSS | PKT_OPT_WSCALE | PKT_OPT_SACK_PERM;
		b->mss = (uint16_t)(r[11] * 16);
		b->wscale = r[6];
	} else if (how & 0x10) {
		draw_sack(b, e, r[11], r[6]);
	}
	if ((how & 0xc0) == 0xc0) {
		const uint8_t *raw = (how & 8) ? torn : (how & 4) ? zero : odd;

		b->opts &= PKT_OPT_TS;
		b->raw_opts = raw;
		b->raw_opts_len = (how & 8) ? sizeof(torn) : (how & 4) ? sizeof(zero) : sizeof(odd);
	}
}

static uint8_t
draw_flags(const uint8_t *r)
{
	static const uint8_t usual[16] = {0x10, 0x10, 0x18, 0x18, 0x11, 0x11, 0x02, 0x12, 0x04,
			0x14, 0x19, 0x30, 0x50, 0x90, 0xc2, 0x10};

	return (r[2] & 0x80) ? r[1] : usual[r[1] & 15];
}

/* Small offsets; some of a segment's size. */
static uint32_t
offset_of(uint8_t v, bool is_large)
{
	return (uint32_t)(int8_t)v * (is_large ? 181u : 1u);
}

static void
segment(struct fuzz_peer *f, const uint8_t *r)
{
	struct build b = {.flags = draw_flags(r)};
	uint16_t port = PEER_PORT + (r[0] >> 7);
	struct edges e;

	peer_edges(f, port, &e);
	b.seq = peer_draw_seq(f, &e, r[2]) + offset_of(r[3], r[7] & 0x80);
	b.ack = peer_draw_ack(&e, r[2] >> 3) + offset_of(r[4], r[2] & 0x40);
	b.wnd = (uint16_t)(r[8] << 8 | r[9]);
	b.urg = !(b.flags & PKT_URG) ? 0 : r[10] & 0x20 ? (uint16_t)(r[9] << 8 | r[8]) : r[9];
	b.len = draw_len(&e, r[7]);
	draw_opts(&b, &e, r);
	b.tos = (uint8_t)(r[10] >> 6);
	b.l4_cksum_xor = r[10] == 0xff;
	b.seg_size = r[10] & 0x10 ? 54 + r[9] % 32 : 0;
	peer_send(f, port, &b);
}

/* The start of a packet of ours as an ICMP error quotes it; returns its length. */
static uint32_t
quote(const struct fuzz_peer *f, uint8_t inner[48], uint32_t seq, const uint8_t *r)
{
	uint16_t port = PEER_PORT + (r[0] >> 7);
	uint16_t len = r[4] & 4 ? 1500 : (uint16_t)(r[9] * 8);
	uint8_t *tcp = inner + (f->side.is_v6 ? 40 : 20);
	static const uint8_t ip4[20] = {
			0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
	static const uint8_t ip6[8] = {0x60, 0, 0, 0, 0, 0, 6, 64};

	memcpy(inner, f->side.is_v6 ? ip6 : ip4, f->side.is_v6 ? sizeof(ip6) : sizeof(ip4));
	if (f->side.is_v6) {
		len -= 40;
		ctx_ip6_of(TEST_ADDR, inner + 8);
		ctx_ip6_of(TEST_PEER, inner + 24);
	}
	inner[f->side.is_v6 ? 4 : 2] = (uint8_t)(len >> 8);
	inner[f->side.is_v6 ? 5 : 3] = (uint8_t)len;
	tcp[0] = 0;
	tcp[1] = SIDE_PORT;
	tcp[2] = (uint8_t)(port >> 8);
	tcp[3] = (uint8_t)port;
	for (int i = 0; i < 4; i++)
		tcp[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
	return (uint32_t)(tcp + 8 - inner);
}

/* ICMP errors quote what we sent; some are requests, or broken. Too-big, which needs a number,
 * comes with one around those that matter. */
static void
icmp(struct fuzz_peer *f, const uint8_t *r)
{
	static const uint8_t types[2][8] = {{3, 3, 3, 3, 11, 12, 8, 0}, {2, 2, 2, 1, 3, 4, 128, 1}};
	static const uint16_t mtus[16] = {0, 68, 296, 551, 576, 1006, 1279, 1280, 1281, 1300, 1400,
			1492, 1499, 1500, 9000, 65535};
	struct build_icmp icmp = {.type = types[f->side.is_v6][r[2] & 7], .code = r[3] % 16};
	uint8_t inner[48];
	struct edges e;
	uint32_t len;

	peer_edges(f, PEER_PORT + (r[0] >> 7), &e);
	len = quote(f, inner, ((r[4] & 1) ? e.nxt : e.una) + (uint32_t)(int8_t)r[5], r);
	if ((r[2] & 7) < 3 && !(r[2] & 0x80))
		icmp.code = f->side.is_v6 ? 0 : 4;
	icmp.rest = (r[4] & 2) ? (uint32_t)r[6] << 8 | r[7] : mtus[r[6] & 15];
	peer_send_icmp(f, &icmp, inner, r[8] & 1 ? r[9] % (len + 1) : len);
}

/* Beyond the 24 days of RFC 7323 5.5, and below 2^31 ms: a loop that stands still for longer
 * with a timer due takes that for one to come. */
#define PAWS_OVER_MS (49ull * 43200000)

static void
pass_time(struct fuzz_peer *f, uint8_t how)
{
	static const uint64_t ms[16] = {0, 1, 2, 10, 40, 41, 200, 500, 1000, 3000, 10000, 60000,
			240000, 7200000, 90000000, PAWS_OVER_MS};

	side_advance(&f->side, ms[how & 15] * SIDE_MS + (how >> 4) * 1000);
}

static void
conn_call(struct fuzz_peer *f, uint8_t op, const uint8_t *r)
{
	struct fuzz_side *s = &f->side;
	struct side_conn *c = side_pick(s, r[1] & 7);

	if (c == NULL)
		return;
	if (op <= 21)
		side_write(s, c, (r[2] & 1) ? r[3] * 8u : r[3] * 256u);
	else if (op == 22)
		side_send(s, c, 1 + r[2] % 4, (uint16_t)(r[3] * 6));
	else if (op == 23)
		side_read(s, c, (uint32_t)r[2] * 16);
	else if (op == 24)
		side_recv(s, c, r[2]);
	else if (op == 25)
		side_shutdown(c);
	else if (op == 26)
		side_end(c, (enum side_end)(r[2] % SIDE_END_MAX));
	else
		side_set(c, r[2], r[3]);
}

static void
other_call(struct fuzz_peer *f, uint8_t op, const uint8_t *r)
{
	struct fuzz_side *s = &f->side;

	if (op == 28 && (r[1] & 3) == 0)
		side_listen(s, r[2]);
	else if (op == 28)
		side_connect(s, (r[1] & 4) ? 0 : SIDE_PORT, TEST_PEER, PEER_PORT + (r[2] & 1));
	else if (op == 29)
		test_pool_fail_after(s->pool, r[1] & 0x80 ? TEST_POOL_NEVER : r[1] & 15);
	else if (op == 30)
		pmtcp_set_pressure(s->ctx, (uint16_t)(r[1] * 4));
	else
		icmp(f, r);
}

static void
record(struct fuzz_peer *f, const uint8_t *r)
{
	uint8_t op = r[0] & 31;
	bool is_held = false;

	if (op < 18) {
		segment(f, r);
		is_held = r[10] & 1;
	} else if (op < 20) {
		pass_time(f, r[1]);
	} else if (op < 28) {
		conn_call(f, op, r);
	} else {
		other_call(f, op, r);
	}
	if (is_held)
		return;
	peer_deliver(f);
	if (!(op < 18 && (r[10] & 2)))
		side_output(&f->side);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_peer f;
	struct fuzz_in in = {.p = data, .left = size};

	fuzz_begin();
	peer_create(&f, &in);
	for (int i = 0; i < RECORDS_MAX && in.left > 0; i++) {
		uint8_t r[RECORD];

		for (int k = 0; k < RECORD; k++)
			r[k] = fuzz_u8(&in);
		record(&f, r);
	}
	peer_destroy(&f);
	return 0;
}
