/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: rows of doc/requirements.md, section "Wire", that no other program shows by
 * name. Method: frames of the independent builder, on a context with both versions. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/bed.h"

#define STRANGER PMTCP_IP4(10, 0, 0, 9)

static struct bed bed;

static void
tune_v6(struct pmtcp_conf *conf)
{
	conf->n_ranges6 = 1;
	ctx_ip6_of(TEST_ADDR, conf->ranges6[0].first);
	ctx_ip6_of(TEST_ADDR, conf->ranges6[0].last);
}

static void
listen_80(void)
{
	struct pmtcp_addr any = {.port = 80};
	struct pmtcp_listener *l;

	assert_int_equal(pmtcp_listen(bed.ctx, &any, NULL, &l), 0);
}

/* W-20: an advertisement that nobody asked for makes no entry: the open asks all the same. */
static void
w_20_unsolicited_advertisement_makes_no_entry(void **state)
{
	struct rte_ether_addr mac = ctx_mac_of(STRANGER);
	uint8_t lladdr[8] = {2, 1};
	struct build b = {.version = 6, .ttl = 255};
	struct build_nd na = {.type = 136, .flags = 0x20, .opts_len = 8, .opts = lladdr};
	struct pmtcp_addr remote;
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_v6);
	memcpy(lladdr + 2, mac.addr_bytes, 6);
	memcpy(b.smac, mac.addr_bytes, 6);
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	ctx_ip6_of(STRANGER, b.saddr6);
	ctx_ip6_of(TEST_ADDR, b.daddr6);
	ctx_ip6_of(STRANGER, na.target);
	bed_inject_mbuf(&bed, build_nd(bed.pool, &b, &na));
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_nd_unused), 1);
	remote = pmtcp_addr6(na.target, 80);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.kind, PKT_KIND_ICMP); /* a solicitation, no SYN */
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

/* W-24: a data offset below the header, and one beyond the segment. */
static void
w_24_wrong_data_offset_is_dropped(void **state)
{
	static const uint8_t offsets[] = {4, 15};
	struct build syn = {.sport = 50000, .dport = 80, .flags = PKT_SYN, .wnd = 1000};

	(void)state;
	bed_create(&bed, NULL);
	listen_80();
	for (size_t i = 0; i < sizeof(offsets); i++) {
		syn.doff = offsets[i];
		bed_inject(&bed, &syn);
		bed_turn(&bed);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_tcp_header), 2);
	assert_null(bed_take(&bed));
	bed_destroy(&bed);
}

/* W-29: a window scale option of length 4 is as good as none; the rest is read. */
static void
w_29_known_option_of_wrong_length_is_ignored(void **state)
{
	static const uint8_t opts[] = {3, 4, 7, 0, 2, 4, 0x03, 0xe8};
	struct build syn = {.sport = 50000,
			.dport = 80,
			.flags = PKT_SYN,
			.wnd = 1000,
			.raw_opts = opts,
			.raw_opts_len = sizeof(opts)};
	const struct pkt *p;

	(void)state;
	bed_create(&bed, NULL);
	listen_80();
	bed_inject(&bed, &syn);
	bed_turn(&bed);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_SYN | PKT_ACK);
	assert_false(p->opts & PKT_OPT_WSCALE);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_20_unsolicited_advertisement_makes_no_entry),
			cmocka_unit_test(w_24_wrong_data_offset_is_dropped),
			cmocka_unit_test(w_29_known_option_of_wrong_length_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
