/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the SACK blocks of a receiver (RFC 2018 section 4, 2883; DATA-29, DATA-37).
 * Method: out-of-order segments, and the blocks of the ACK that each brings. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

static const struct ep_opts with_sack = {.conn = {.no_timestamps = true, .no_wscale = true}};

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

/* The side record of the receiver goes with the last octet read; a duplicate after that
 * is told all the same, and once. */
static void
data_5_duplicate_of_what_was_read_is_reported(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_5", &with_sack, REACH_SACK);
	text(&ep, 1, 200);
	cell_script(&ep, "~; {recv 200}; ~");
	for (int i = 0; i < 2; i++) {
		text(&ep, 101, 100);
		expect_sack(&ep, EDGES(101, 201));
	}
	text(&ep, 301, 100);
	expect_sack(&ep, EDGES(301, 401));
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
			cmocka_unit_test(data_5_duplicate_of_what_was_read_is_reported),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
