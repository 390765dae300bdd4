/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a duplicate is reported below the acknowledgment number, never at or above it,
 * where it would say that text in between is missing (RFC 2883 section 4; the Linux
 * kernel discards such a block). Method: segments and their duplicates in one burst that
 * is owed several ACKs (DEC-5). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/build.h"
#include "support/cell.h"
#include "support/endpoint.h"

enum { MSS = 1460 };

static void
tune_strict(struct pmtcp_conf *conf)
{
	conf->ack_stretch = 1;
}

/* Established with SACK on, which a peer's SYN can only say in raw options. */
static void
begin(struct ep *ep, const char *name)
{
	static const struct ep_opts opts = {
			.tune = tune_strict, .conn = {.no_timestamps = true, .no_wscale = true}};
	static const uint8_t sack_permitted[] = {4, 2};
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR), peer = ctx_mac_of(TEST_PEER);
	struct build b = {.saddr = TEST_PEER,
			.daddr = TEST_ADDR,
			.sport = EP_PEER_PORT,
			.dport = EP_PORT,
			.flags = PKT_SYN,
			.wnd = 65535,
			.opts = PKT_OPT_MSS,
			.mss = MSS,
			.raw_opts = sack_permitted,
			.raw_opts_len = sizeof(sack_permitted)};

	ep_create(ep, name, &opts);
	cell_script(ep, "{listen}");
	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, peer.addr_bytes, 6);
	b.seq = ep->irs;
	ep_inject_mbuf(ep, build_tcp(ep->pool, &b));
	cell_script(ep, "< SA i= p+1; > A p+1 i+1; [ACCEPTED]");
}

/* The oldest frame: its ACK number, and its SACK blocks counted from irs. */
static void
expect_ack(struct ep *ep, uint32_t ack, uint8_t n_sack)
{
	const struct pkt *p = ep_take(ep);

	assert_non_null(p);
	assert_int_equal(p->ack - ep->irs, ack);
	assert_int_equal(p->n_sack, n_sack);
}

static void
duplicate_behind_a_burst_is_reported_below_the_last_ack(void **state)
{
	static struct ep ep;

	(void)state;
	begin(&ep, "dsack_stretch");
	cell_script(&ep, "> A p+1 i+1 len=1460; > A p+1461 i+1 len=1460; > A p+1461 i+1 len=1460");
	ep_turn(&ep);
	expect_ack(&ep, 1 + MSS, 0);
	expect_ack(&ep, 1 + 2 * MSS, 1);
	assert_int_equal(ep.taken.sack[0].left - ep.irs, 1 + MSS);
	assert_int_equal(ep.taken.sack[0].right - ep.irs, 1 + 2 * MSS);
	ep_expect_nothing(&ep);
	cell_script(&ep, "{abort}; ~");
	ep.events = 0;
	ep.reason = PMTCP_REASON_NONE;
	ep_advance(&ep, 2 * EP_MS);
	ep_destroy(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(duplicate_behind_a_burst_is_reported_below_the_last_ack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
