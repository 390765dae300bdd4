/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the SACK blocks of a receiver and the room that options leave (RFC 2018 section 4,
 * 2883; DATA-29, DATA-37, W-34). Method: out-of-order segments, and the blocks of the ACK
 * that each brings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

static const struct ep_opts with_sack = {.conn = {.no_timestamps = true, .no_wscale = true}};
static const struct ep_opts with_all = {.conn = {.no_wscale = true}};

#define REACH_SACK "{listen}; > S p sackok; < SA i= p+1; > A p+1 i+1; [ACCEPTED]"

static void
text(struct ep *ep, uint32_t at, uint32_t len)
{
	struct ep_seg seg = {.flags = "A", .wnd = -1, .mss = -1, .wscale = -1};

	seg.seq = ep->irs + at;
	seg.ack = ep->iss + 1;
	seg.len = len;
	ep_inject(ep, &seg);
}

static void
expect_sack(struct ep *ep, uint8_t n, const uint32_t *edges)
{
	const struct pkt *p;

	ep_turn(ep);
	p = ep_take(ep);
	assert_non_null(p);
	assert_int_equal(p->n_sack, n);
	for (uint8_t i = 0; i < n; i++) {
		assert_int_equal(p->sack[i].left - ep->irs, edges[2 * i]);
		assert_int_equal(p->sack[i].right - ep->irs, edges[2 * i + 1]);
	}
	ep_expect_nothing(ep);
}

#define EDGES(...)                                                                                 \
	(uint8_t)(sizeof((uint32_t[]){__VA_ARGS__}) / 8), (const uint32_t[])                       \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

/* RFC 2018 section 4: the latest arrival first, then the others by age. */
static void
data_37_blocks_are_latest_first_and_duplicates_reported(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_37", &with_sack, REACH_SACK);
	text(&ep, 301, 100);
	expect_sack(&ep, EDGES(301, 401));
	text(&ep, 501, 100);
	expect_sack(&ep, EDGES(501, 601, 301, 401));
	text(&ep, 701, 100);
	expect_sack(&ep, EDGES(701, 801, 501, 601, 301, 401));
	/* DSACK (RFC 2883): the duplicate is the first block. */
	text(&ep, 301, 100);
	ep_turn(&ep);
	assert_int_equal(ep_peek(&ep)->sack[0].left - ep.irs, 301);
	assert_int_equal(ep_peek(&ep)->sack[0].right - ep.irs, 401);
	cell_script(&ep, "~");
	/* DATA-29: with SACK a burst is one ACK. The duplicate made its block a recent one. */
	text(&ep, 901, 100);
	text(&ep, 1001, 100);
	text(&ep, 1101, 100);
	expect_sack(&ep, EDGES(901, 1201, 301, 401, 701, 801, 501, 601));
	/* Below RCV.NXT: the duplicate alone. */
	text(&ep, 1, 200);
	cell_script(&ep, "~");
	text(&ep, 1, 100);
	ep_turn(&ep);
	assert_int_equal(ep_peek(&ep)->sack[0].left - ep.irs, 1);
	assert_int_equal(ep_peek(&ep)->sack[0].right - ep.irs, 101);
	cell_script(&ep, "~; {abort}; ~");
	ep.events = 0;
	ep.reason = PMTCP_REASON_NONE;
	rows_end(&ep);
}

/* W-34: three blocks beside timestamps, and nothing ever exceeds the MTU. */
static void
w_34_options_fit_beside_text(void **state)
{
	static struct ep ep;
	struct ep_seg seg = {.flags = "A", .wnd = 65535, .mss = -1, .wscale = -1, .has_ts = true};
	const struct pkt *p;
	uint32_t sent = 0, blocks = 0;

	(void)state;
	rows_begin(&ep, "w_34", &with_all,
			"{listen}; > S p wnd=65535 sackok ts=1000:0; < SA i= p+1 ts=1000;"
			"> A p+1 i+1 ts=1000:0 wnd=65535; [ACCEPTED]");
	seg.ack = ep.iss + 1;
	seg.tsval = 1000;
	for (uint32_t i = 0; i < 5; i++) {
		seg.seq = ep.irs + 101 + i * 200;
		seg.len = 100;
		ep_inject(&ep, &seg);
	}
	assert_int_equal(ep_write(&ep, 5000), 5000);
	ep_turn(&ep);
	while ((p = ep_take(&ep)) != NULL) {
		assert_true(p->frame_len <= 14u + ep.conf.mtu);
		assert_true(p->n_sack <= 3);
		assert_true(p->opts_len <= 40);
		assert_true(p->opts & PKT_OPT_TS);
		sent += p->len;
		blocks = max_u32(blocks, p->n_sack);
	}
	assert_int_equal(sent, 5000);
	assert_int_equal(blocks, 3);
	cell_script(&ep, "{abort}; ~");
	ep.events = 0;
	ep.reason = PMTCP_REASON_NONE;
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_37_blocks_are_latest_first_and_duplicates_reported),
			cmocka_unit_test(w_34_options_fit_beside_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
