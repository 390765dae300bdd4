/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: row RES-15 of doc/requirements.md: the end of a process with 1000 connections in all
 * states. Method: a bed of stations, on a virtual clock; some answer and some never do. */

#include <errno.h>

#include "support/cookie_bed.h"

enum { CONNS = 1000, EACH = 100, FIRST_PORT = 2000 };

/* What the connections are doing when the end comes, so many of each. */
enum kind {
	IDLE,       /* ESTABLISHED */
	UNREAD,     /* with text that the application has not read */
	UNACKED,    /* with text that the peer has not acknowledged */
	PEER_FIN,   /* CLOSE-WAIT */
	HALF,       /* FIN-WAIT-2, after pmtcp_shutdown() */
	ORPHAN,     /* FIN-WAIT-1, after pmtcp_close() */
	OPENING,    /* SYN-SENT */
	HALF_OPEN,  /* a SYN only */
	TIME_WAIT,  /* an entry */
	NEVER_LEFT, /* reset by the peer, its CLOSED popped, and never closed */
};

static struct bed_peer peers[CONNS];
static struct pmtcp_conn *conns[CONNS];

static void
tune(struct pmtcp_conf *conf)
{
	conf->max_conns = conf->max_half_open = conf->max_time_wait = CONNS;
	conf->max_transfers = conf->max_records = 2 * CONNS;
	conf->orphan_max = CONNS;
	conf->max_port_pairs = 4 * CONNS;
	conf->spare_max = 0;
}

static void
pop_all(bool is_closing)
{
	struct pmtcp_event ev;

	for (ev = bed_event(&bed); ev.flags != 0; ev = bed_event(&bed))
		if (is_closing && (ev.flags & PMTCP_EV_CLOSED))
			pmtcp_close(ev.conn);
}

static void
make_opening(int i)
{
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, peers[i].port);

	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conns[i]), 0);
	assert_int_equal(bed_peer_gets(&bed, &peers[i])->flags, PKT_SYN);
}

static void
move_on(int i, enum kind kind)
{
	switch (kind) {
	case UNREAD:
		bed_peer_sends(&bed, &peers[i], PKT_ACK, 100);
		break;
	case UNACKED:
		assert_int_equal(pmtcp_write(conns[i], "unsent", 6), 6);
		break;
	case PEER_FIN:
		bed_peer_sends(&bed, &peers[i], PKT_FIN | PKT_ACK, 0);
		break;
	case HALF:
		assert_int_equal(pmtcp_shutdown(conns[i]), 0);
		assert_int_equal(bed_peer_gets(&bed, &peers[i])->flags, PKT_FIN | PKT_ACK);
		bed_peer_sends(&bed, &peers[i], PKT_ACK, 0);
		break;
	case ORPHAN:
		pmtcp_close(conns[i]);
		break;
	case TIME_WAIT:
		bed_close_first(&bed, &peers[i], conns[i]);
		break;
	case NEVER_LEFT:
		bed_peer_sends(&bed, &peers[i], PKT_RST, 0);
		break;
	default:
		break;
	}
}

static void
make(int i, enum kind kind)
{
	peers[i] = (struct bed_peer){.ip = TEST_PEER,
			.port = (uint16_t)(FIRST_PORT + i),
			.local_port = PORT,
			.seq = X};
	if (kind == OPENING) {
		make_opening(i);
	} else if (kind == HALF_OPEN) {
		bed_peer_sends(&bed, &peers[i], PKT_SYN, 0);
		assert_int_equal(bed_peer_gets(&bed, &peers[i])->flags, PKT_SYN | PKT_ACK);
	} else {
		conns[i] = bed_accept(&bed, &peers[i]);
		assert_non_null(conns[i]);
		move_on(i, kind);
	}
	bed_turn(&bed);
	bed_forget(&bed);
	pop_all(false);
}

/* Of all buffers, blocks and side records. */
static void
assert_nothing_left(void)
{
	struct pmtcp_stats st = bed_stats(&bed);

	assert_int_equal(st.live + st.half_open + st.time_wait + st.parked, 0);
	assert_int_equal(st.blocks_used, 0);
	assert_int_equal(st.transfers_used, 0);
	assert_int_equal(st.records_used, 0);
	assert_null(pmtcp_stats_audit(&st));
	assert_int_equal(test_pool_live(bed.pool), 0);
}

static uint32_t
rsts_of(void)
{
	const struct pkt *p;
	uint32_t n = 0;

	while ((p = bed_take(&bed)) != NULL)
		n += (p->flags & PKT_RST) != 0;
	return n;
}

/* No peer says anything any more, and the application does no more than pop. */
static void
res_15_silent_peers_are_reset_at_the_deadline(void **state)
{
	struct build syn = syn_of(7, X, 0);
	uint64_t deadline;

	(void)state;
	begin(tune);
	for (int i = 0; i < CONNS; i++)
		make(i, (enum kind)(i / EACH));
	assert_int_equal(bed_stats(&bed).blocks_used, CONNS);
	deadline = bed.now + SEC;
	/* All but the openings, which end at once; their handles are still held. */
	assert_int_equal(pmtcp_ctx_shutdown(bed.ctx, deadline), CONNS - EACH);
	assert_int_equal(bed_stats(&bed).live, 6 * EACH);
	assert_int_equal(bed_stats(&bed).half_open, 0);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_LOCAL_CLOSE], EACH);
	bed_turn(&bed);
	assert_int_equal(rsts_of(), EACH); /* the half-opens */
	bed_inject(&bed, &syn);
	bed_turn(&bed);
	assert_int_equal(rsts_of(), 1); /* nobody listens */
	pop_all(false);
	while (bed.now + 10 * BED_MS < deadline) {
		bed_advance(&bed, 10 * BED_MS);
		assert_int_equal(rsts_of(), 0);
		assert_true(pmtcp_ctx_shutdown(bed.ctx, deadline) > 0);
		assert_int_equal(bed_stats(&bed).live, 6 * EACH);
		assert_int_equal(bed_stats(&bed).time_wait, EACH);
	}
	bed_advance(&bed, deadline - bed.now);
	bed_forget(&bed);
	assert_true(pmtcp_ctx_shutdown(bed.ctx, deadline) > 0); /* the RSTs have yet to leave */
	assert_int_equal(bed_stats(&bed).time_wait, 0);
	bed_turn(&bed);
	assert_int_equal(rsts_of(), 5 * EACH); /* those in LAST-ACK need none (CLOSE-32) */
	pop_all(false);
	bed_turn(&bed);
	assert_int_equal(pmtcp_ctx_shutdown(bed.ctx, deadline), 0);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_LOCAL_ABORT], 6 * EACH);
	assert_nothing_left();
	bed_destroy(&bed);
}

/* The FIN goes behind what was queued, receiving goes on, and a peer that closes too gets its
 * last ACK before its TIME-WAIT entry goes. */
static void
res_15_willing_peers_close_before_the_deadline(void **state)
{
	uint32_t last_acks = 0;
	const struct pkt *p;
	char text[6];

	(void)state;
	begin(tune);
	for (int i = 0; i < CONNS; i++)
		make(i, i % 2 ? IDLE : UNACKED);
	assert_int_equal(pmtcp_ctx_shutdown(bed.ctx, bed.now + SEC), CONNS);
	bed_turn(&bed);
	for (int i = 0; i < CONNS; i++) {
		p = bed_take(&bed);
		assert_int_equal(p->flags, PKT_FIN | PKT_ACK);
		assert_int_equal(p->dport, FIRST_PORT + i);
		peers[i].ack = p->seq + 1;
	}
	for (int i = 0; i < CONNS; i++) {
		bed_peer_sends(&bed, &peers[i], PKT_FIN | PKT_ACK | PKT_PSH, 6);
		pmtcp_input(bed.ctx, bed.now, bed.burst, bed.n_burst);
		bed.n_burst = 0;
		assert_int_equal(pmtcp_read(conns[i], text, 6), 6);
	}
	pop_all(true);
	/* Entries, each with an ACK to send. */
	assert_int_equal(pmtcp_ctx_shutdown(bed.ctx, bed.now + SEC), 2 * CONNS);
	assert_int_equal(bed_stats(&bed).time_wait, CONNS);
	bed_turn(&bed);
	for (; (p = bed_take(&bed)) != NULL; last_acks++) {
		assert_int_equal(p->flags, PKT_ACK);
		assert_int_equal(p->ack, peers[p->dport - FIRST_PORT].seq);
	}
	assert_int_equal(last_acks, CONNS);
	assert_int_equal(pmtcp_ctx_shutdown(bed.ctx, bed.now + SEC), 0);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_GRACEFUL], CONNS);
	assert_int_equal(bed_counter(&bed, PMTCP_C_tw_flushed), CONNS);
	assert_nothing_left();
	bed_destroy(&bed);
}

/* A deadline that has come: RST to all, at once. */
static void
res_15_no_time_aborts_at_once(void **state)
{
	(void)state;
	begin(tune);
	for (int i = 0; i < CONNS; i++)
		make(i, (enum kind)(i / EACH));
	assert_true(pmtcp_ctx_shutdown(bed.ctx, bed.now) > 0);
	assert_int_equal(bed_stats(&bed).live, 0);
	bed_turn(&bed);
	assert_int_equal(rsts_of(), 7 * EACH); /* half-opens too; those in CLOSE-WAIT got no FIN */
	pop_all(true);
	bed_turn(&bed);
	assert_int_equal(pmtcp_ctx_shutdown(bed.ctx, bed.now), 0);
	assert_nothing_left();
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_15_silent_peers_are_reset_at_the_deadline),
			cmocka_unit_test(res_15_willing_peers_close_before_the_deadline),
			cmocka_unit_test(res_15_no_time_aborts_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
