/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what lies on the stack of spare packets is whole and alone - one segment, nobody else's,
 * nothing behind it - however it was received, kept or sent before: who sends a plain segment
 * writes no `next` (wire_plain.h). Method: frames in one piece and in chains cut at every place,
 * padded, in order, above a hole, twice and overlapping; text of ours in one message and in
 * several; after each step the stack and what is sent are looked at. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stack/stack.h"
#include "support/bed.h"

enum { LEN = 120, PIECE_MAX = 180, PIECE_STEP = 6 };

static struct bed bed;

static void
is_whole_and_alone(const struct rte_mbuf *m)
{
	assert_null(m->next);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->refcnt, 1);
	assert_true(RTE_MBUF_DIRECT(m));
}

/* A turn; then no spare is what it may not be, and no frame has more behind it than it says. */
static void
turn(void)
{
	const struct tcp *t = &bed.ctx->t;

	bed_turn(&bed);
	for (uint16_t i = 0; i < t->n_spare; i++) {
		is_whole_and_alone(t->spare[i]);
		for (uint16_t j = 0; j < i; j++)
			assert_ptr_not_equal(t->spare[i], t->spare[j]);
	}
	for (uint32_t i = 0; i < bed.n_out; i++) {
		const struct rte_mbuf *m = bed.out[(bed.first_out + i) % BED_OUT_MAX];
		uint32_t n = 0;

		for (const struct rte_mbuf *s = m; s; s = s->next)
			n++;
		assert_int_equal(n, m->nb_segs);
	}
	bed_forget(&bed);
}

/* Text from `off` octets above what is next on, cut into pieces; the frame ends with padding. */
static void
sends(struct bed_peer *peer, uint32_t off, uint32_t len, uint16_t piece)
{
	static const uint8_t text[LEN];
	struct build b = {.saddr = peer->ip, .sport = peer->port, .dport = peer->local_port};

	b.seq = peer->seq + off;
	b.ack = peer->ack;
	b.flags = PKT_ACK;
	b.wnd = 65535;
	b.opts = PKT_OPT_TS;
	b.tsval = peer->tsval;
	b.tsecr = peer->tsecr;
	b.payload = text;
	b.len = len;
	b.seg_size = piece;
	b.pad_to = 200;
	bed_inject(&bed, &b);
	turn();
}

static void
reads(struct pmtcp_conn *conn, uint32_t len, uint32_t at_once)
{
	uint8_t buf[3 * LEN];

	for (uint32_t got = 0; got < len;) {
		int n = pmtcp_read(conn, buf, at_once);

		assert_true(n > 0);
		got += (uint32_t)n;
	}
	assert_int_equal(pmtcp_read(conn, buf, sizeof(buf)), -EAGAIN);
	turn();
}

static void
writes(struct pmtcp_conn *conn, struct bed_peer *peer, int messages)
{
	static const uint8_t text[LEN];

	for (int i = 0; i < messages; i++) {
		assert_int_equal(pmtcp_write(conn, text, 40), 40);
		peer->ack += 40;
	}
	turn();
	sends(peer, 0, 0, 0);
}

static void
one_connection(uint16_t piece, int messages)
{
	struct bed_peer peer = {.ip = TEST_PEER,
			.port = (uint16_t)(2000 + piece * 4 + messages),
			.local_port = 80,
			.has_ts = true,
			.tsval = 1};
	struct pmtcp_conn *conn = bed_accept(&bed, &peer);
	uint32_t at_once = messages % 2 ? 50 : 3 * LEN;

	assert_non_null(conn);
	sends(&peer, 0, LEN, piece);
	peer.seq += LEN;
	reads(conn, LEN, at_once);
	sends(&peer, LEN / 2, LEN / 2, piece); /* above a hole */
	sends(&peer, LEN / 2, LEN / 2, piece); /* twice */
	sends(&peer, 0, LEN - 10, piece);      /* fills it, and more */
	peer.seq += LEN;
	reads(conn, LEN, at_once);
	sends(&peer, (uint32_t)-LEN, LEN, piece); /* all of it old */
	sends(&peer, (uint32_t)-10, LEN, piece);  /* its begin */
	peer.seq += LEN - 10;
	reads(conn, LEN - 10, at_once);
	writes(conn, &peer, messages);
	pmtcp_abort(conn);
	turn();
	while (bed_event(&bed).flags)
		;
}

static void
spares_are_whole_and_alone(void **state)
{
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, 80);
	struct pmtcp_listener *l;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
	for (int messages = 0; messages < 4; messages++) {
		one_connection(0, messages);
		for (uint16_t piece = 14; piece < PIECE_MAX; piece += PIECE_STEP)
			one_connection(piece, messages);
	}
	assert_true(bed.ctx->t.n_spare > 0);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(spares_are_whole_and_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
