/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: Neighbour Discovery of next hops (RFC 4861 7.2; W-7, W-8, W-19, W-20). Method: one
 * context with 2001:db8::a00:1; stations on its link say what the test says, with frames of
 * the independent builder. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"

#define STRANGER PMTCP_IP4(10, 0, 0, 9)  /* on the link, unknown */
#define MOVED    PMTCP_IP4(10, 0, 0, 77) /* whose MAC address somebody else takes */

enum { SOLICITED = 0x40, OVERRIDE = 0x20, NS = 135, NA = 136 };

static struct bed bed;
static struct pmtcp_conn *conn;

static void
tune(struct pmtcp_conf *conf)
{
	ctx_conf_add_v6(conf, TEST_ADDR, TEST_PEER);
	conf->neigh_reachable_ms = 30000;
}

/* A station says of `target` that it lives at the MAC address of `mac_of`; 0: says no address. */
static void
say(uint8_t type, uint8_t flags, uint32_t from, uint32_t target, uint32_t mac_of)
{
	struct rte_ether_addr mac = ctx_mac_of(mac_of), src = ctx_mac_of(STRANGER);
	uint8_t opt[8] = {(uint8_t)(type - NS + 1), 1};
	struct build b = {.version = 6};
	struct build_nd nd = {
			.type = type, .flags = flags, .opts = opt, .opts_len = mac_of ? 8 : 0};

	memcpy(opt + 2, mac.addr_bytes, 6);
	if (from != 0)
		ctx_ip6_of(from, b.saddr6);
	ctx_ip6_of(TEST_ADDR, b.daddr6);
	ctx_ip6_of(target, nd.target);
	memcpy(b.smac, src.addr_bytes, 6);
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	bed_inject_mbuf(&bed, build_nd(bed.pool, &b, &nd));
	bed_turn(&bed);
}

/* The next frame is this and goes to the MAC address of this station. */
static void
expect_frame_to(enum pkt_kind kind, uint32_t mac_of)
{
	struct rte_ether_addr mac = ctx_mac_of(mac_of);

	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.kind, kind);
	assert_memory_equal(bed.taken.dmac, mac.addr_bytes, 6);
}

static void
expect_solicitation_to(uint32_t mac_of)
{
	expect_frame_to(PKT_KIND_ICMP, mac_of);
	assert_int_equal(bed.taken.icmp_type, NS);
}

/* An open to the stranger waits for its address. */
static void
begin(void)
{
	struct pmtcp_addr remote = {.version = 6, .port = 50000};

	bed_create(&bed, tune);
	ctx_ip6_of(STRANGER, remote.ip6);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.icmp_type, NS);
	assert_null(bed_take(&bed));
}

static void
end(void)
{
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

static void
begin_resolved(void)
{
	begin();
	say(NA, SOLICITED, STRANGER, STRANGER, STRANGER);
	expect_frame_to(PKT_KIND_TCP, STRANGER);
}

/* The SYN comes again after a second: to whom? */
static void
expect_syn_to(uint32_t mac_of)
{
	bed_forget(&bed);
	bed_advance(&bed, 1100 * BED_MS);
	expect_frame_to(PKT_KIND_TCP, mac_of);
	assert_int_equal(bed.taken.flags & PKT_SYN, PKT_SYN);
}

/* INCOMPLETE to REACHABLE; without an address the answer says nothing. */
static void
w_20_advertisement_resolves_who_was_asked_for(void **state)
{
	(void)state;
	begin();
	say(NA, SOLICITED, STRANGER, STRANGER, 0);
	assert_null(bed_take(&bed));
	say(NA, SOLICITED, STRANGER, STRANGER, STRANGER);
	expect_frame_to(PKT_KIND_TCP, STRANGER);
	assert_int_equal(bed_counter(&bed, PMTCP_C_nd_taken), 2);
	end();
}

static void
w_20_advertisement_of_the_unknown_makes_no_entry(void **state)
{
	struct pmtcp_addr addr = {.version = 6};

	(void)state;
	bed_create(&bed, tune);
	say(NA, OVERRIDE, STRANGER, STRANGER, STRANGER);
	say(NA, OVERRIDE, TEST_PEER, TEST_PEER, MOVED); /* configured: not changed by anybody */
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_nd_unused), 2);
	assert_null(bed_take(&bed));
	ctx_ip6_of(STRANGER, addr.ip6);
	assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &addr), 0);
	ctx_ip6_of(TEST_PEER, addr.ip6);
	assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &addr), 1);
	bed_turn(&bed);
	bed_destroy(&bed);
}

/* RFC 4861 7.2.5: another address without the override flag is not taken, but the one that
 * is known is asked. */
static void
w_20_without_override_the_address_stays_and_is_asked(void **state)
{
	(void)state;
	begin_resolved();
	say(NA, SOLICITED, STRANGER, STRANGER, MOVED);
	expect_solicitation_to(STRANGER);
	expect_syn_to(STRANGER);
	end();
}

static void
w_20_override_moves_the_neighbour(void **state)
{
	(void)state;
	begin_resolved();
	say(NA, SOLICITED | OVERRIDE, STRANGER, STRANGER, MOVED);
	assert_null(bed_take(&bed));
	expect_syn_to(MOVED);
	end();
}

/* Nobody asked: the new address is used, and asked. */
static void
w_20_unasked_override_moves_and_is_asked(void **state)
{
	(void)state;
	begin_resolved();
	say(NA, OVERRIDE, STRANGER, STRANGER, MOVED);
	expect_solicitation_to(MOVED);
	say(NA, SOLICITED, STRANGER, STRANGER, MOVED);
	assert_null(bed_take(&bed));
	expect_syn_to(MOVED);
	end();
}

/* A group's MAC address is nobody's. */
static void
w_20_group_address_is_not_taken(void **state)
{
	struct rte_ether_addr group = ctx_mac_of(STRANGER);
	uint8_t opt[8] = {2, 1};
	struct build b = {.version = 6};
	struct build_nd nd = {.type = NA, .flags = SOLICITED, .opts = opt, .opts_len = 8};

	(void)state;
	begin();
	memcpy(b.smac, group.addr_bytes, 6);
	group.addr_bytes[0] |= 1;
	memcpy(opt + 2, group.addr_bytes, 6);
	ctx_ip6_of(STRANGER, b.saddr6);
	ctx_ip6_of(TEST_ADDR, b.daddr6);
	ctx_ip6_of(STRANGER, nd.target);
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	bed_inject_mbuf(&bed, build_nd(bed.pool, &b, &nd));
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	end();
}

static void
w_19_advertisement_of_our_address_is_a_conflict(void **state)
{
	struct pmtcp_diag diag;

	(void)state;
	bed_create(&bed, tune);
	say(NA, OVERRIDE, STRANGER, TEST_ADDR, STRANGER);
	assert_null(bed_take(&bed));
	assert_int_equal(pmtcp_diag(bed.ctx, &diag, 1), 1);
	assert_int_equal(diag.kind, PMTCP_DIAG_ADDR_CONFLICT);
	assert_int_equal(diag.value, TEST_ADDR);
	assert_int_equal(bed_counter(&bed, PMTCP_C_arp_conflict), 1);
	bed_destroy(&bed);
}

/* RFC 4862 5.4.3: somebody is about to take our address, and has none yet: all are told. */
static void
w_19_duplicate_address_detection_is_answered_to_all(void **state)
{
	static const uint8_t group[6] = {0x33, 0x33, 0xff, 0x00, 0x00, 0x01};
	static const uint8_t all_mac[6] = {0x33, 0x33, 0x00, 0x00, 0x00, 0x01};
	static const uint8_t solicited_node[16] = {0xff, 2, [11] = 1, 0xff, 0, 0, 1};
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	struct rte_ether_addr mac = ctx_mac_of(STRANGER);
	struct build b = {.version = 6};
	struct build_nd nd = {.type = NS};
	struct pmtcp_diag diag;

	(void)state;
	bed_create(&bed, tune);
	memcpy(b.daddr6, solicited_node, 16);
	memcpy(b.dmac, group, 6);
	memcpy(b.smac, mac.addr_bytes, 6);
	ctx_ip6_of(TEST_ADDR, nd.target);
	bed_inject_mbuf(&bed, build_nd(bed.pool, &b, &nd));
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.icmp_type, NA);
	assert_int_equal(bed.taken.nd.flags, OVERRIDE);
	assert_memory_equal(bed.taken.dmac, all_mac, 6);
	assert_memory_equal(bed.taken.daddr6, all_nodes, 16);
	assert_int_equal(pmtcp_diag(bed.ctx, &diag, 1), 1);
	assert_int_equal(diag.kind, PMTCP_DIAG_ADDR_CONFLICT);
	bed_destroy(&bed);
}

/* W-19: a hop limit that a router has lowered, and a solicitation for somebody else. */
static void
w_19_solicitations_from_afar_and_for_others_are_not_answered(void **state)
{
	struct rte_ether_addr mac = ctx_mac_of(STRANGER);
	struct build b = {.version = 6, .ttl = 254};
	struct build_nd nd = {.type = NS};

	(void)state;
	bed_create(&bed, tune);
	ctx_ip6_of(STRANGER, b.saddr6);
	ctx_ip6_of(TEST_ADDR, b.daddr6);
	ctx_ip6_of(TEST_ADDR, nd.target);
	memcpy(b.smac, mac.addr_bytes, 6);
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	bed_inject_mbuf(&bed, build_nd(bed.pool, &b, &nd));
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_nd_bad), 1);
	say(NS, 0, STRANGER, MOVED, STRANGER);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_nd_unused), 1);
	assert_null(bed_take(&bed));
	bed_destroy(&bed);
}

/* W-8: after its time a neighbour is asked by unicast, to the address that is known. */
static void
w_8_ageing_asks_by_unicast(void **state)
{
	uint8_t ip6[16];

	(void)state;
	begin_resolved();
	pmtcp_abort(conn);
	bed_advance(&bed, 29000 * BED_MS);
	bed_forget(&bed);
	bed_advance(&bed, 4000 * BED_MS);
	expect_solicitation_to(STRANGER);
	ctx_ip6_of(STRANGER, ip6);
	assert_memory_equal(bed.taken.daddr6, ip6, 16);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_20_advertisement_resolves_who_was_asked_for),
			cmocka_unit_test(w_20_advertisement_of_the_unknown_makes_no_entry),
			cmocka_unit_test(w_20_without_override_the_address_stays_and_is_asked),
			cmocka_unit_test(w_20_override_moves_the_neighbour),
			cmocka_unit_test(w_20_unasked_override_moves_and_is_asked),
			cmocka_unit_test(w_20_group_address_is_not_taken),
			cmocka_unit_test(w_19_advertisement_of_our_address_is_a_conflict),
			cmocka_unit_test(w_19_duplicate_address_detection_is_answered_to_all),
			cmocka_unit_test(
					w_19_solicitations_from_afar_and_for_others_are_not_answered),
			cmocka_unit_test(w_8_ageing_asks_by_unicast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
