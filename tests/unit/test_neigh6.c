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

/* How often it was asked by unicast; all frames are taken. */
static uint32_t
take_probes(void)
{
	struct rte_ether_addr mac = ctx_mac_of(STRANGER);
	uint32_t n = 0;

	while (bed_take(&bed) != NULL)
		n += bed.taken.kind == PKT_KIND_ICMP && bed.taken.icmp_type == NS &&
		     memcmp(bed.taken.dmac, mac.addr_bytes, 6) == 0;
	return n;
}

/* RFC 4861 7.2.3, 7.2.5: who asks, or tells unasked where it is, is STALE: used at once, and
 * asked after DELAY_FIRST_PROBE_TIME; it need not hear us. An answer is a sign that it does. */
static void
w_8_who_only_talks_is_probed(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		begin();
		if (i == 0)
			say(NS, 0, STRANGER, TEST_ADDR, STRANGER);
		else
			say(NA,
					i == 1   ? 0
					: i == 2 ? OVERRIDE
						 : SOLICITED,
					STRANGER, STRANGER, STRANGER);
		bed_advance(&bed, 4900 * BED_MS);
		assert_int_equal(take_probes(), 0);
		bed_advance(&bed, 200 * BED_MS);
		assert_int_equal(take_probes(), i < 3);
		bed_advance(&bed, 2000 * BED_MS);
		assert_int_equal(take_probes(), i < 3 ? 2 : 0);
		end();
	}
}

/* RFC 4861 7.2.3: what is known stays as it is when the same is said again. */
static void
w_8_asker_with_the_known_address_changes_nothing(void **state)
{
	(void)state;
	begin_resolved();
	pmtcp_abort(conn);
	for (int i = 0; i < 29; i++) {
		bed_advance(&bed, 1000 * BED_MS);
		say(NS, 0, STRANGER, TEST_ADDR, STRANGER);
	}
	assert_int_equal(take_probes(), 0);
	bed_advance(&bed, 1500 * BED_MS);
	assert_int_equal(take_probes(), 1);
	bed_destroy(&bed);
}

static void
tune_without_cookies(struct pmtcp_conf *conf)
{
	tune(conf);
	conf->syn_cookies = PMTCP_COOKIES_OFF;
}

static void
say_syn(uint32_t from, uint16_t port)
{
	struct build b = {.version = 6, .sport = port, .dport = 80, .flags = PKT_SYN, .wnd = 1000};

	ctx_ip6_of(from, b.saddr6);
	ctx_ip6_of(TEST_ADDR, b.daddr6);
	bed_inject(&bed, &b);
	bed_turn(&bed);
}

/* RES-12: a quarter of the half-opens may wait for a neighbour that is not there; beyond that
 * who has asked for us is answered, and who has not is not. */
static void
res_12_forged_neighbour_leaves_half_opens_to_others(void **state)
{
	struct pmtcp_addr any = {.version = 0, .port = 80};
	struct pmtcp_listener *l;

	(void)state;
	bed_create(&bed, tune_without_cookies);
	assert_int_equal(pmtcp_listen(bed.ctx, &any, NULL, &l), 0);
	for (uint16_t i = 0; i < 100; i++)
		say_syn(MOVED, (uint16_t)(5000 + i));
	assert_int_equal(bed_stats(&bed).half_open, 17); /* of 64 */
	say_syn(STRANGER, 5000);
	assert_int_equal(bed_stats(&bed).half_open, 17);
	say(NS, 0, STRANGER, TEST_ADDR, STRANGER);
	bed_forget(&bed);
	say_syn(STRANGER, 5000);
	expect_frame_to(PKT_KIND_TCP, STRANGER);
	assert_int_equal(bed.taken.flags, PKT_SYN | PKT_ACK);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_syn_limit), 83 + 1);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_20_group_address_is_not_taken),
			cmocka_unit_test(
					w_19_solicitations_from_afar_and_for_others_are_not_answered),
			cmocka_unit_test(w_8_ageing_asks_by_unicast),
			cmocka_unit_test(w_8_who_only_talks_is_probed),
			cmocka_unit_test(w_8_asker_with_the_known_address_changes_nothing),
			cmocka_unit_test(res_12_forged_neighbour_leaves_half_opens_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
