/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the lines for an operator name addresses of both versions (RES-1, W-6, W-7, W-19).
 * Method: a bed of stations with both, and the text that diag_print() makes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "common/diag.h"
#include "support/bed.h"

#define STRANGER PMTCP_IP4(10, 0, 0, 9) /* on the link, and silent */
#define SEC      (1000 * BED_MS)

static struct bed bed;
static char *text;

static void
tune(struct pmtcp_conf *conf)
{
	ctx_conf_add_v6(conf, TEST_ADDR, TEST_PEER);
	conf->close_wait_warn = 1;
}

/* What there is to say, in `text` until the next call. */
static void
print(void)
{
	size_t len;
	FILE *out;

	free(text);
	out = open_memstream(&text, &len);
	diag_print(bed.ctx, "program", out);
	fclose(out);
}

static void
end(void)
{
	free(text);
	text = NULL;
	bed_forget(&bed);
	bed_destroy(&bed);
}

static void
open_to(const struct pmtcp_addr *remote)
{
	struct pmtcp_conn *conn;

	assert_int_equal(pmtcp_connect(bed.ctx, NULL, remote, NULL, &conn), 0);
	bed_advance(&bed, 4 * SEC);
	bed_forget(&bed);
}

static void
diag_silent_next_hop_is_named(void **state)
{
	struct pmtcp_addr remote4 = pmtcp_addr4(STRANGER, 80), remote6;
	uint8_t ip6[16];

	(void)state;
	ctx_ip6_of(STRANGER, ip6);
	remote6 = pmtcp_addr6(ip6, 80);
	bed_create(&bed, tune);
	open_to(&remote4);
	print();
	assert_string_equal(text, "program: next hop does not answer: 10.0.0.9\n");
	open_to(&remote6);
	print();
	assert_string_equal(text, "program: next hop does not answer: 2001:db8::a00:9\n");
	end();
}

static void
inject6(uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct build b = {.version = 6,
			.sport = 50000,
			.dport = 80,
			.flags = flags,
			.seq = seq,
			.ack = ack,
			.wnd = 65535};

	ctx_ip6_of(TEST_PEER, b.saddr6);
	ctx_ip6_of(TEST_ADDR, b.daddr6);
	bed_inject(&bed, &b);
	bed_turn(&bed);
}

static void
diag_close_wait_names_both_versions(void **state)
{
	struct bed_peer peer = {.ip = TEST_PEER, .port = 4000, .local_port = 80, .seq = 1};
	struct pmtcp_addr any = {.version = 0, .port = 80};
	struct pmtcp_listener *listener;

	(void)state;
	bed_create(&bed, tune);
	assert_int_equal(pmtcp_listen(bed.ctx, &any, NULL, &listener), 0);
	inject6(PKT_SYN, 100, 0);
	assert_non_null(bed_take(&bed));
	inject6(PKT_ACK, 101, bed.taken.seq + 1);
	inject6(PKT_ACK | PKT_FIN, 101, bed.taken.seq + 1);
	assert_true(bed_event(&bed).flags & PMTCP_EV_ACCEPTED);
	bed_advance(&bed, 3 * SEC);
	bed_forget(&bed);
	assert_non_null(bed_accept(&bed, &peer));
	bed_peer_sends(&bed, &peer, PKT_FIN | PKT_ACK, 0);
	bed_turn(&bed);
	assert_true(bed_event(&bed).flags & PMTCP_EV_PEER_FIN);
	print();
	bed_advance(&bed, 13 * SEC);
	print();
	assert_non_null(strstr(text, "program: peer closed, app has not: 2 connections (2 on "));
	assert_non_null(strstr(text, ":80), 0 octets unread, 2 of "));
	assert_non_null(strstr(text, "oldest [2001:db8::a00:2]:50000 1"));
	assert_non_null(strstr(text, ", 10.0.0.2:4000 1"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	end();
}

/* RES-1: a listener is named as it was made, of whichever version. */
static void
res_1_close_wait_names_the_listener(void **state)
{
	struct pmtcp_addr locals[] = {{.version = 6, .port = 80}, {.version = 6, .port = 80},
			{.version = 0, .port = 80}};

	(void)state;
	ctx_ip6_of(TEST_ADDR, locals[1].ip6);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(locals); i++) {
		struct pmtcp_close_wait_report report;
		struct pmtcp_listener *listener;

		bed_create(&bed, tune);
		assert_int_equal(pmtcp_listen(bed.ctx, &locals[i], NULL, &listener), 0);
		inject6(PKT_SYN, 100, 0);
		assert_non_null(bed_take(&bed));
		inject6(PKT_ACK, 101, bed.taken.seq + 1);
		inject6(PKT_ACK | PKT_FIN, 101, bed.taken.seq + 1);
		bed_advance(&bed, 3 * SEC);
		pmtcp_close_wait_report(bed.ctx, &report);
		assert_int_equal(report.n_listeners, 1);
		assert_int_equal(report.listeners[0].local.version, locals[i].version);
		assert_int_equal(report.listeners[0].local.port, 80);
		assert_memory_equal(report.listeners[0].local.ip6, locals[i].ip6, 16);
		end();
	}
}

/* RES-1, SEC-7: whoever claims our address again and again is told of once a second, and does
 * not push the other diagnoses out of the ring. */
static void
sec_7_conflicts_leave_room_for_others(void **state)
{
	struct pkt_arp claim = {
			.op = 1, .spa = TEST_ADDR, .tpa = TEST_ADDR, .sha = {2, 1, 1, 1, 1, 1}};
	struct pmtcp_addr silent = pmtcp_addr4(STRANGER, 80);

	(void)state;
	bed_create(&bed, tune);
	open_to(&silent);
	for (int i = 0; i < 100; i++) {
		bed_inject_arp(&bed, &claim);
		bed_turn(&bed);
	}
	print();
	assert_string_equal(text, "program: next hop does not answer: 10.0.0.9\n"
				  "program: somebody else uses our address 10.0.0.1\n");
	bed_advance(&bed, SEC);
	bed_inject_arp(&bed, &claim);
	bed_turn(&bed);
	print();
	assert_string_equal(text, "program: somebody else uses our address 10.0.0.1\n");
	assert_int_equal(bed_counter(&bed, PMTCP_C_arp_conflict), 101);
	end();
}

static void
tune_gateway(struct pmtcp_conf *conf)
{
	conf->gateway = PMTCP_IP4(10, 0, 0, 254);
}

/* Ten silent hosts and the silent gateway, asked for at once. */
static void
ask_for_eleven(void)
{
	for (uint32_t i = 0; i < 10; i++) {
		struct pmtcp_addr silent = pmtcp_addr4(PMTCP_IP4(10, 0, 0, 100) + i, 0);

		assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &silent), 0);
	}
	open_to(&(struct pmtcp_addr){.version = 4, .ip4 = PMTCP_IP4(192, 0, 2, 1), .port = 80});
}

/* SEC-7: a scan of a silent network made a line for each host, and pushed the other diagnoses
 * out of the ring. The gateway is always told of, for whom all others wait. */
static void
sec_7_silent_hosts_are_told_of_once_a_second(void **state)
{
	struct pmtcp_addr other = pmtcp_addr4(PMTCP_IP4(10, 0, 0, 200), 0);

	(void)state;
	bed_create(&bed, tune_gateway);
	ask_for_eleven();
	assert_int_equal(bed_counter(&bed, PMTCP_C_neigh_failed), 11);
	print();
	assert_string_equal(text, "program: next hop does not answer: 10.0.0.254\n"
				  "program: next hop does not answer: 10.0.0.100\n");
	bed_advance(&bed, SEC);
	assert_int_equal(pmtcp_neigh_resolve(bed.ctx, bed.now, &other), 0);
	bed_advance(&bed, 4 * SEC);
	print();
	assert_string_equal(text, "program: next hop does not answer: 10.0.0.200\n");
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(diag_silent_next_hop_is_named),
			cmocka_unit_test(diag_close_wait_names_both_versions),
			cmocka_unit_test(res_1_close_wait_names_the_listener),
			cmocka_unit_test(sec_7_conflicts_leave_room_for_others),
			cmocka_unit_test(sec_7_silent_hosts_are_told_of_once_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
