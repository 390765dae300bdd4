/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what the scoreboard costs is bounded, whatever the peer reports (SEC-14,
 * CVE-2019-11477, FreeBSD-SA-18:08). Method: a peer with the smallest MSS and the largest
 * window gets as many segments in flight as it can, and answers with blocks made to be
 * expensive; the records looked at are counted, per ACK and in sum. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <rte_mbuf.h>

#include "base/base.h"
#include "base/seq.h"
#include "support/rows.h"

enum {
	MSS = 88,
	SEGS_MAX = 4096,      /* of one connection in flight */
	OCTETS = 1 << 20,     /* three times as much waits */
	ACKS = 1500,          /* of each adversary */
	ACK_VISITS_MAX = 256, /* for one ACK, and one more for each segment it lets out */
	ACK_VISITS = 64,      /* for one that brings nothing new, on average */
	SEG_VISITS = 3,       /* for each segment sent or delivered */
	SILENCE_MS = 1500,
	CREDIT = 1020, /* at most left over from before */
	MAP = 65536,   /* segments the whole test can send */
};

static struct ep ep;
static uint8_t is_held[MAP]; /* by the peer, as it said */
static uint64_t n_sent, n_delivered, n_timeouts;

static void
tune(struct pmtcp_conf *conf)
{
	conf->max_records = 60000;
	conf->send_buffer = 4 << 20;
}

static struct pmtcp_conn_info
info_now(void)
{
	struct pmtcp_conn_info info;

	pmtcp_conn_info(ep.conn, &info);
	return info;
}

/* A turn whose output may be more than the bed holds. */
static void
turn(void)
{
	struct rte_mbuf *out[64];
	uint16_t n;

	ep_poll(&ep);
	while ((n = pmtcp_output(ep.ctx, ep.now, out, 64)) > 0) {
		for (uint16_t i = 0; i < n; i++)
			n_sent += rte_pktmbuf_pkt_len(out[i]) > MSS;
		rte_pktmbuf_free_bulk(out, n);
	}
}

/* What an ACK says is remembered, so that news can be told from the rest. */
static void
hear(const struct ep_seg *seg, uint32_t una)
{
	for (uint32_t at = una; seq_lt(at, seg->ack); at += MSS) {
		uint8_t *held = &is_held[(at - ep.iss - 1) / MSS];

		n_delivered += !*held;
		*held = 1;
	}
	for (uint32_t k = 0; k < seg->n_sack; k++) {
		uint32_t at = seg->sack[k].left - ep.iss - 1;
		uint32_t end = seg->sack[k].right - ep.iss - 1;

		for (at = (at + MSS - 1) / MSS;
				seq_gt(seg->sack[k].left, seg->ack) && (at + 1) * MSS <= end;
				at++) {
			n_delivered += !is_held[at];
			is_held[at] = 1;
		}
	}
}

/* Takes the ACK; @return records looked at. */
static uint64_t
ack_now(struct ep_seg *seg)
{
	ep_mark(&ep);
	hear(seg, info_now().snd_una);
	ep_inject(&ep, seg);
	turn();
	return ep_gained(&ep, PMTCP_C_sack_walked);
}

/* The largest flight there can be. */
static void
begin(const char *name)
{
	const struct ep_opts opts = {
			.tune = tune, .conn = {.no_timestamps = true, .send_buffer = 4 << 20}};
	struct ep_seg seg = {.flags = "A", .wnd = 65535, .mss = -1, .wscale = -1};
	struct pmtcp_stats stats;

	n_sent = n_delivered = n_timeouts = 0;
	memset(is_held, 0, sizeof(is_held));
	rows_begin(&ep, name, &opts,
			"{open}; < S i= 0; > SA p i+1 wnd=65535 mss=88 ws=10 sackok; < A i+1 p+1;"
			"[CONNECTED]");
	seg.seq = ep.irs + 1;
	for (uint32_t i = 0; info_now().unacked < SEGS_MAX * MSS; i++) {
		assert_true(i < 4 * SEGS_MAX);
		while (info_now().unsent < OCTETS && ep_write(&ep, 32768) > 0)
			;
		turn();
		/* Slow start: as few ACKs as will do. */
		seg.ack = info_now().snd_una + 2 * MSS;
		if (info_now().unacked >= 2 * MSS)
			(void)ack_now(&seg);
	}
	/* More does not go, though both windows become wider. */
	for (uint32_t i = 0; i < 200; i++) {
		seg.ack = info_now().snd_una + 2 * MSS;
		(void)ack_now(&seg);
		assert_int_equal(info_now().unacked, SEGS_MAX * MSS);
	}
	pmtcp_stats(ep.ctx, &stats);
	assert_int_equal(stats.records_used, SEGS_MAX);
	assert_int_equal(info_now().unacked, SEGS_MAX * MSS);
}

static void
end(void)
{
	ep_abort(&ep);
	turn();
	ep_drop(&ep);
}

static void
block_put(struct ep_seg *seg, uint32_t k, uint32_t left, uint32_t len)
{
	seg->sack[k] = (struct pkt_sack){.left = left, .right = left + len};
	seg->n_sack = (uint8_t)(k + 1);
}

/* Every other segment, from the high and the low end in turn. */
static void
from_both_ends(struct ep_seg *seg, uint32_t i, uint32_t n)
{
	for (uint32_t k = 0; k < 4; k++) {
		uint32_t at = (i * 4 + k) * 2 + 1;

		at = i % 2 ? at % n : n - 1 - at % n;
		block_put(seg, k, seg->ack + at * MSS, MSS);
	}
}

/* Never a whole segment, so never news, as far apart as can be. */
static void
halves(struct ep_seg *seg, uint32_t i, uint32_t n)
{
	for (uint32_t k = 0; k < 4; k++)
		block_put(seg, k, seg->ack + ((i + k) % 2 ? 1 : n - 2) * MSS + 10, MSS / 2);
}

/* Old news, from places that no cursor is near. */
static void
known(struct ep_seg *seg, uint32_t i, uint32_t n)
{
	for (uint32_t k = 0; k < 4; k++)
		block_put(seg, k, seg->ack + (1 + (i * 3 + k * 5) % 7 * (n / 8)) * MSS, MSS);
}

/* Islands of one segment, the last first: nothing is joined on the way. */
static void
downwards(struct ep_seg *seg, uint32_t i, uint32_t n)
{
	block_put(seg, 0, seg->ack + (n - 1 - i * 2 % (n - 2)) * MSS, MSS);
	block_put(seg, 1, seg->ack + MSS, MSS);
}

/* A duplicate first, and all that was sent again is reported as one. */
static void
duplicates(struct ep_seg *seg, uint32_t i, uint32_t n)
{
	from_both_ends(seg, i, n);
	block_put(seg, 0, seg->ack - MSS, MSS);
	seg->n_sack = 4;
}

static void
any_at_all(struct ep_seg *seg, uint32_t i, uint32_t n)
{
	(void)i;
	for (uint32_t k = 0; k < 4; k++) {
		uint32_t at = (uint32_t)rand() % (n - 1);

		block_put(seg, k, seg->ack + (1 + at) * MSS, (uint32_t)rand() % 20 * MSS);
	}
}

struct adversary {
	const char *name;
	void (*next)(struct ep_seg *seg, uint32_t i, uint32_t n);
	uint32_t step;  /* octets each ACK advances: division (SEC-12) */
	uint32_t pause; /* after so many ACKs the peer is silent for a timeout, and has forgotten */
	uint32_t jump;  /* after so many it acknowledges a quarter of all */
	uint64_t worst; /* what it reached */
	double per_ack;
};

/* RFC 2018 section 8: silence, then the timeout. Its walk is one per timeout, over what
 * can be in flight. */
static void
be_silent(void)
{
	uint64_t timeouts;

	ep_mark(&ep);
	for (int ms = 0; ms < SILENCE_MS; ms++) {
		ep.now += EP_MS;
		pmtcp_tick(ep.ctx, ep.now);
		turn();
	}
	timeouts = ep_gained(&ep, PMTCP_C_rexmt_timeout);
	n_timeouts += timeouts;
	/* RACK's timer goes on with what ACKs left to it: a little, each millisecond. */
	assert_true(ep_gained(&ep, PMTCP_C_sack_walked) <=
			timeouts * SEGS_MAX + SILENCE_MS * ACK_VISITS + SEG_VISITS * n_sent);
	memset(is_held, 0, sizeof(is_held));
}

static void
attack(struct adversary *a)
{
	struct ep_seg seg = {.flags = "A", .wnd = 65535, .mss = -1, .wscale = -1};
	uint64_t sum = 0;

	begin(a->name);
	/* The flight is made: what it brought is in the credit. */
	n_sent = n_delivered = 0;
	srand(14);
	for (uint32_t i = 0; i < ACKS; i++) {
		uint32_t n = info_now().unacked / MSS;
		uint64_t visits, sent;

		seg.seq = ep.irs + 1;
		seg.ack = info_now().snd_una + a->step;
		if (a->jump && i % a->jump == a->jump - 1)
			seg.ack += n / 4 * MSS;
		a->next(&seg, i, n - n / 4);
		sent = n_sent;
		visits = ack_now(&seg);
		/* What is found not to be lost after all was found lost before: that is paid for,
		 * but not by this ACK. */
		if (ep_gained(&ep, PMTCP_C_undo_dsack) + ep_gained(&ep, PMTCP_C_frto_spurious) == 0)
			a->worst = max_u64(a->worst, visits - min_u64(visits, n_sent - sent));
		sum += visits;
		ep_write(&ep, 4 * MSS);
		if (a->pause && i % a->pause == a->pause - 1)
			be_silent();
	}
	a->per_ack = (double)sum / ACKS;
	print_message("%-12s worst %3lu, %.1f visits per ACK, %lu segments delivered\n", a->name,
			(unsigned long)a->worst, a->per_ack, (unsigned long)n_delivered);
	assert_true(a->worst <= ACK_VISITS_MAX);
	assert_true(a->pause == 0 || n_timeouts >= 3);
	assert_true(sum <= ACKS * ACK_VISITS + SEG_VISITS * (n_sent + n_delivered) + CREDIT);
	end();
}

/* SEC-14, CVE-2019-11477 */
static void
sec_14_sack_walks_are_bounded(void **state)
{
	struct adversary all[] = {
			{.name = "both ends", .next = from_both_ends},
			{.name = "halves", .next = halves},
			{.name = "halves, split", .next = halves, .step = 1},
			{.name = "known", .next = known},
			{.name = "downwards", .next = downwards},
			{.name = "duplicates", .next = duplicates},
			{.name = "split", .next = from_both_ends, .step = 1},
			{.name = "reneging", .next = from_both_ends, .pause = 100, .jump = 51},
			{.name = "anything", .next = any_at_all, .jump = 50},
			{.name = "any, silent", .next = any_at_all, .pause = 70, .jump = 40},
	};

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(all); i++)
		attack(&all[i]);
}

/* And an honest peer's far hole is passed at once: all of the second half came in one
 * burst, the first half was lost. */
static void
sec_14_one_ack_tells_of_a_far_island(void **state)
{
	struct ep_seg seg = {.flags = "A", .wnd = 65535, .mss = -1, .wscale = -1};
	const struct ep_opts opts = {
			.tune = tune, .conn = {.no_timestamps = true, .send_buffer = 4 << 20}};
	uint32_t n;

	(void)state;
	rows_begin(&ep, "far island", &opts,
			"{open}; < S i= 0; > SA p i+1 wnd=65535 mss=1460 ws=10 sackok; < A i+1 p+1;"
			"[CONNECTED]");
	while (info_now().unacked < 200 * 1460) {
		while (ep_write(&ep, 32768) > 0)
			;
		turn();
		seg.seq = ep.irs + 1;
		seg.ack = info_now().snd_una + 2920;
		ep_inject(&ep, &seg);
		turn();
	}
	n = info_now().unacked / 1460;
	seg.ack = info_now().snd_una;
	block_put(&seg, 0, seg.ack + n / 2 * 1460, (n - n / 2) * 1460);
	ep_mark(&ep);
	ep_inject(&ep, &seg);
	turn();
	assert_int_equal(ep_gained(&ep, PMTCP_C_rexmt_fast), 1);
	assert_in_range(ep_gained(&ep, PMTCP_C_sack_walked), n / 2, 256);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sec_14_sack_walks_are_bounded),
			cmocka_unit_test(sec_14_one_ack_tells_of_a_far_island),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
