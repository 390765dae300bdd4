/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Frames of a peer that is given SYN cookies, on a bed of stations: for the tests of
 * tcp_cookie.c, each of which is one program. */

#ifndef PMTCP_TESTS_SUPPORT_COOKIE_BED_H
#define PMTCP_TESTS_SUPPORT_COOKIE_BED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/seq.h"
#include "support/bed.h"
#include "support/pool.h"

enum { PORT = 80, RPORT = 4000 };

#define X     7000000u
#define SEC   (1000 * BED_MS)
#define OPT_3 (PKT_OPT_TS | PKT_OPT_SACK_PERM | PKT_OPT_WSCALE)

static struct bed bed;

static inline void
tune_always(struct pmtcp_conf *conf)
{
	conf->syn_cookies = PMTCP_COOKIES_ALWAYS;
}

static inline void
listen_with(const struct pmtcp_listen_opts *opts)
{
	struct pmtcp_addr local = pmtcp_addr4(0, PORT);
	struct pmtcp_listener *l = NULL;

	assert_int_equal(pmtcp_listen(bed.ctx, &local, opts, &l), 0);
}

static inline void
begin(void (*tune)(struct pmtcp_conf *conf))
{
	bed_create(&bed, tune);
	listen_with(NULL);
}

static inline struct build
syn_of(uint16_t rport, uint32_t x, uint8_t opts)
{
	return (struct build){.sport = rport,
			.dport = PORT,
			.seq = x,
			.flags = PKT_SYN,
			.wnd = 5000,
			.opts = (uint8_t)(opts | PKT_OPT_MSS),
			.mss = 1460,
			.wscale = 7,
			.tsval = 900};
}

/* Sends a SYN; its answer. */
static inline struct pkt
answer_to(const struct build *syn)
{
	const struct pkt *p;

	bed_inject(&bed, syn);
	bed_turn(&bed);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_SYN | PKT_ACK);
	assert_int_equal(p->ack, syn->seq + 1);
	assert_true(p->is_ip_cksum_good && p->is_l4_cksum_good);
	return *p;
}

static inline struct build
third_ack(const struct pkt *syn_ack)
{
	return (struct build){.sport = syn_ack->dport,
			.dport = PORT,
			.seq = syn_ack->ack,
			.ack = syn_ack->seq + 1,
			.flags = PKT_ACK,
			.wnd = 1000,
			.opts = syn_ack->opts & PKT_OPT_TS,
			.tsval = 950,
			.tsecr = syn_ack->tsval};
}

static inline struct pmtcp_conn *
opened_by(const struct build *ack)
{
	struct pmtcp_event ev;

	bed_inject(&bed, ack);
	bed_turn(&bed);
	ev = bed_event(&bed);
	if (ev.conn == NULL)
		return NULL;
	assert_true(ev.flags & PMTCP_EV_ACCEPTED);
	return ev.conn;
}

/* RSTA, no connection, no event. */
static inline void
expect_refused(const struct build *ack)
{
	const struct pkt *p;

	assert_null(opened_by(ack));
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_RST);
	assert_int_equal(p->seq, ack->ack);
	assert_null(bed_take(&bed));
}

static inline struct pmtcp_conn_info
info_of(const struct pmtcp_conn *conn)
{
	struct pmtcp_conn_info info;

	pmtcp_conn_info(conn, &info);
	return info;
}

#endif /* PMTCP_TESTS_SUPPORT_COOKIE_BED_H */
