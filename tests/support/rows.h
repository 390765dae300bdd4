/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Requirement rows as scripts of cell.h, one cmocka test each, for tests that are
 * about one source file rather than one state. Unlike a cell, a row need not name
 * the fate of each frame; the books must balance all the same. */

#ifndef PMTCP_TESTS_SUPPORT_ROWS_H
#define PMTCP_TESTS_SUPPORT_ROWS_H

#include <stdlib.h>

#include "support/cell.h"
#include "support/endpoint.h"

/* No options, so that lengths are exact. */
static const struct ep_opts rows_plain = {
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};

/* Timeouts of full segments mean loss and nothing else. */
static inline void
rows_tune_no_blackhole(struct pmtcp_conf *conf)
{
	conf->pmtu_blackhole = false;
}

static const struct ep_opts rows_no_blackhole = {.tune = rows_tune_no_blackhole,
		.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};

/* Established with the peer's window wide open; the peer's segments must say wnd=65535. */
#define REACH_WIDE "{open}; < S i= 0; > SA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED]; = EST"

/* PMTCP_TEST_WRAP: all rows with both initial numbers at 2^32-10 (DATA-10). */
static inline void
rows_wrap(struct ep_opts *opts)
{
	opts->peer_iss = 0u - 10;
	opts->later_ns = cell_later_for_iss(opts, 0u - 10);
}

/* An endpoint on which the script has run; what is left to look at is the caller's. */
static inline void
rows_begin(struct ep *ep, const char *name, const struct ep_opts *opts, const char *script)
{
	struct ep_opts same = *opts;

	same.is_same_mss = true;
	if (getenv("PMTCP_TEST_WRAP") != NULL)
		rows_wrap(&same);
	ep_create(ep, name, &same);
	cell_script(ep, script);
}

static inline void
rows_end(struct ep *ep)
{
	ep_advance(ep, 2 * EP_MS);
	ep_destroy(ep);
}

static inline void
rows_run(const char *name, const struct ep_opts *opts, const char *script)
{
	static struct ep ep;

	rows_begin(&ep, name, opts, script);
	rows_end(&ep);
}

#define ROW(name, opts, script)                                                                    \
	static void name(void **state)                                                             \
	{                                                                                          \
		(void)state;                                                                       \
		rows_run(#name, opts, script);                                                     \
	}

/* STATUS of the connection under test. */
static inline struct pmtcp_conn_info
rows_info(struct ep *ep)
{
	struct pmtcp_conn_info info;

	ep_turn(ep);
	pmtcp_conn_info(ep->conn, &info);
	return info;
}

#endif /* PMTCP_TESTS_SUPPORT_ROWS_H */
