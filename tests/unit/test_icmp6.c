/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: ICMPv6 at a context (RFC 4443): echo, errors about our segments, what is not for us,
 * and the one error we send (W-17, W-21 to W-23, SEC-7 to SEC-9, RES-14). Method: messages of
 * the independent builder from a neighbour; what leaves is decoded and compared. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/pool.h"

#define OTHER PMTCP_IP4(10, 0, 0, 9) /* on the link, and not us */

enum { UNREACHABLE = 1, ECHO = 128, ECHO_REPLY = 129 };

static struct bed bed;

static void
tune(struct pmtcp_conf *conf)
{
	ctx_conf_add_v6(conf, TEST_ADDR, TEST_PEER);
	conf->icmp_per_s = 10;
}

/* As the second of two workers. */
static void
tune_second(struct pmtcp_conf *conf)
{
	tune(conf);
	conf->owners = 2;
	conf->owner = 1;
}

static struct build
from_to(uint32_t from, uint32_t to)
{
	struct rte_ether_addr mac = ctx_mac_of(from);
	struct build b = {.version = 6};

	ctx_ip6_of(from, b.saddr6);
	ctx_ip6_of(to, b.daddr6);
	memcpy(b.smac, mac.addr_bytes, 6);
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	return b;
}

static void
hear(const struct build *b, uint8_t type, uint8_t code)
{
	struct build_icmp icmp = {.type = type, .code = code, .rest = 0x12345678};

	bed_inject_mbuf(&bed, build_icmp(bed.pool, b, &icmp));
	bed_turn(&bed);
}

/* The peer's router quotes a segment from `source`, port 80, to the peer's `port`. */
static void
hear_unreachable(uint32_t source, uint16_t port, uint32_t seq, uint8_t code)
{
	struct build b = from_to(TEST_PEER, TEST_ADDR);
	uint8_t quote[48] = {0x60, 0, 0, 0, 0, 20, 6, 64};

	ctx_ip6_of(source, quote + 8);
	ctx_ip6_of(TEST_PEER, quote + 24);
	quote[41] = 80;
	quote[42] = (uint8_t)(port >> 8);
	quote[43] = (uint8_t)port;
	for (int i = 0; i < 4; i++)
		quote[44 + i] = (uint8_t)(seq >> (24 - 8 * i));
	b.payload = quote;
	b.len = sizeof(quote);
	hear(&b, UNREACHABLE, code);
}

/* The reply is written into the request, which somebody else holds, too: none is. */
static void
w_21_echo_in_a_shared_buffer_is_not_written_into(void **state)
{
	struct build_icmp icmp = {.type = ECHO};
	struct rte_mbuf *m;
	struct build b;

	(void)state;
	bed_create(&bed, tune);
	b = from_to(TEST_PEER, TEST_ADDR);
	m = build_icmp(bed.pool, &b, &icmp);
	rte_mbuf_refcnt_update(m, 1);
	bed_inject_mbuf(&bed, m);
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(rte_pktmbuf_mtod(m, uint8_t *)[54], ECHO);
	rte_pktmbuf_free(m);
	bed_destroy(&bed);
}

/* W-2, W-13 to W-15 of messages, W-21 for a group, W-23. */
static void
w_23_what_is_not_for_us_is_not_answered(void **state)
{
	static const uint8_t all_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	struct build ours, group, b;

	(void)state;
	bed_create(&bed, tune);
	ours = from_to(TEST_PEER, TEST_ADDR);
	group = ours;
	memcpy(group.daddr6, all_nodes, 16);
	hear(&group, ECHO, 0); /* a group's packet with our MAC address */
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_eth_notme), 1);
	memcpy(group.dmac, all_mac, 6);
	hear(&group, ECHO, 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ip_notme), 1);
	b = group;
	ctx_ip6_of(TEST_ADDR, b.saddr6);
	hear(&b, ECHO, 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_land), 1);
	memset(b.saddr6, 0, 15);
	b.saddr6[15] = 1;
	hear(&b, ECHO, 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_martian), 1);
	b = from_to(TEST_PEER, OTHER);
	hear(&b, ECHO, 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ip_notme), 2);
	hear(&ours, ECHO_REPLY, 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_icmp_unused), 1);
	ours.l4_cksum_xor = 1;
	hear(&ours, ECHO, 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_icmp_bad), 1);
	assert_null(bed_take(&bed));
	bed_destroy(&bed);
}

/* W-22: whoever quotes a packet that we cannot have sent lies. */
static void
w_22_error_about_a_packet_of_others_is_refused(void **state)
{
	(void)state;
	bed_create(&bed, tune);
	hear_unreachable(OTHER, 50000, 1, 4);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_icmp_bad), 1);
	bed_destroy(&bed);
}

/* SEC-9: port unreachable ends an opening, but only if it quotes the SYN. */
static void
sec_9_hard_error_ends_an_opening(void **state)
{
	struct pmtcp_addr local = {.version = 6, .port = 80},
			  remote = {.version = 6, .port = 50000};
	struct pmtcp_event ev;
	struct pmtcp_conn *conn;
	uint32_t iss;

	(void)state;
	bed_create(&bed, tune);
	ctx_ip6_of(TEST_PEER, remote.ip6);
	assert_int_equal(pmtcp_connect(bed.ctx, &local, &remote, NULL, &conn), 0);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	iss = bed.taken.seq;
	hear_unreachable(TEST_ADDR, 50000, iss + 1, 4);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_icmp_stale), 1);
	hear_unreachable(TEST_ADDR, 50001, iss, 4);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_icmp_stale), 2);
	hear_unreachable(TEST_ADDR, 50000, iss, 4);
	ev = bed_event(&bed);
	assert_int_equal(ev.flags, PMTCP_EV_CLOSED);
	assert_int_equal(ev.reason, PMTCP_UNREACHABLE);
	pmtcp_close(conn);
	bed_turn(&bed);
	bed_destroy(&bed);
}

/* RES-14: an error belongs to the worker whose segment it quotes, though the router's own
 * addresses may have led it to another. */
static void
res_14_error_goes_to_the_owner_of_the_segment(void **state)
{
	uint32_t n_aside = 0;

	(void)state;
	bed_create(&bed, tune_second);
	for (uint16_t port = 50000; port < 50064; port++) {
		struct rte_mbuf *aside[2];
		uint16_t owner[2];

		hear_unreachable(TEST_ADDR, port, 1, 4);
		if (pmtcp_misdirected(bed.ctx, aside, owner, 2) == 0)
			continue;
		assert_int_equal(owner[0], 0);
		rte_pktmbuf_free(aside[0]);
		n_aside++;
	}
	assert_in_range(n_aside, 16, 48);
	assert_int_equal(bed_counter(&bed, PMTCP_C_misdirected), n_aside);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_icmp_stale), 64 - n_aside);
	bed_destroy(&bed);
}

/* W-17 (RFC 8200 4): nobody here speaks protocol 200, and the sender learns it: a parameter
 * problem, code 1, that points at octet 6 of the header. Not if it was for another. */
static void
w_17_unknown_next_header_is_told_to_the_sender(void **state)
{
	struct build b;

	(void)state;
	bed_create(&bed, tune);
	b = from_to(TEST_PEER, TEST_ADDR);
	b.proto = 200;
	bed_inject_mbuf(&bed, build_tcp(bed.pool, &b));
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.icmp_type, 4);
	assert_int_equal(bed.taken.icmp_code, 1);
	assert_int_equal(bed.taken.icmp_rest, 6);
	assert_memory_equal(bed.taken.daddr6, b.saddr6, 16);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ip_proto), 1);
	b = from_to(TEST_PEER, OTHER);
	b.proto = 200;
	bed_inject_mbuf(&bed, build_tcp(bed.pool, &b));
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ip_notme), 1);
	bed_destroy(&bed);
}

/* The header in pieces is drawn together where that can be done, else the frame is lost. */
static void
w_16_header_in_pieces_is_read(void **state)
{
	struct build_icmp icmp = {.type = ECHO};
	struct rte_mbuf *m;
	struct build b;

	(void)state;
	bed_create(&bed, tune);
	b = from_to(TEST_PEER, TEST_ADDR);
	b.seg_size = 20;
	hear(&b, ECHO, 0);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.icmp_type, ECHO_REPLY);
	m = build_icmp(bed.pool, &b, &icmp);
	rte_pktmbuf_refcnt_update(m, 1);
	bed_inject_mbuf(&bed, m);
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ip_trunc), 1);
	rte_pktmbuf_free(m);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_21_echo_in_a_shared_buffer_is_not_written_into),
			cmocka_unit_test(w_23_what_is_not_for_us_is_not_answered),
			cmocka_unit_test(w_22_error_about_a_packet_of_others_is_refused),
			cmocka_unit_test(sec_9_hard_error_ends_an_opening),
			cmocka_unit_test(res_14_error_goes_to_the_owner_of_the_segment),
			cmocka_unit_test(w_17_unknown_next_header_is_told_to_the_sender),
			cmocka_unit_test(w_16_header_in_pieces_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
