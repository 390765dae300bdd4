/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: which ICMP errors reach a connection and what they do there (RFC 5927; SEC-8,
 * SEC-9, W-22, W-23). Method: rows of script, and messages cut and bent octet by
 * octet. The state matrix has its own cells in test_state_*.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/build.h"
#include "support/rows.h"
#include "tcp/tcp.h"

#define IN_FLIGHT REACH_EST "; {send 10}; < PA i+1 p+1 len=10; "
#define ALIVE     "; = EST; > A p+1 i+11; .;"

ROW(sec_8_number_below_una_is_dropped, &rows_plain,
		IN_FLIGHT "! icmp 3/3 i; []; # drop_icmp_stale" ALIVE)
ROW(sec_8_number_una_is_taken, &rows_plain,
		IN_FLIGHT "! icmp 3/3 i+1; [ERROR UNREACHABLE]; # icmp_error_taken" ALIVE)
ROW(sec_8_number_max_is_dropped, &rows_plain,
		IN_FLIGHT "! icmp 3/3 i+11; []; # drop_icmp_stale" ALIVE)
ROW(sec_8_acknowledged_number_is_dropped, &rows_plain,
		IN_FLIGHT "> A p+1 i+11; ! icmp 3/3 i+1; []; # drop_icmp_stale; = EST")
ROW(sec_8_late_error_of_the_syn_is_dropped, &rows_plain,
		REACH_EST "; ! icmp 3/3 i; []; # drop_icmp_stale; = EST")

/* SEC-9: each unreachable code but 4, and time exceeded and parameter problem. */
static void
sec_9_dec_7_only_hard_codes_end_an_opening(void **state)
{
	static struct ep ep;
	char script[128];

	(void)state;
	for (int code = 0; code < 16; code++) {
		bool is_hard = code == 2 || code == 3;

		snprintf(script, sizeof(script), "! icmp 3/%d i; [%s UNREACHABLE]; .; = %s", code,
				is_hard ? "CLOSED" : "ERROR", is_hard ? "CLD" : "SYS");
		if (code == 4)
			strcpy(script, "! icmp 3/4 i mtu=1400 len=1500; []; .; = SYS");
		rows_begin(&ep, "codes", &rows_plain, REACH_SYS);
		cell_script(&ep, script);
		ep_drop(&ep);
	}
	rows_begin(&ep, "types", &rows_plain, REACH_SYS);
	cell_script(&ep, "! icmp 11/0 i; [ERROR UNREACHABLE]; ! icmp 12/0 i; [ERROR UNREACHABLE];"
			 "= SYS");
	ep_drop(&ep);
}

/* The whole table, both families. */
static void
sec_9_kinds_of_both_families(void **state)
{
	(void)state;
	for (unsigned int type = 0; type < 256; type++) {
		for (unsigned int code = 0; code < 256; code++) {
			enum tcp_icmp_kind v4 = TCP_ICMP_NONE, v6 = TCP_ICMP_NONE;

			if (type == 3 || type == 11 || type == 12)
				v4 = TCP_ICMP_SOFT;
			if (type == 3 && (code == 2 || code == 3))
				v4 = TCP_ICMP_HARD;
			if (type == 3 && code == 4)
				v4 = TCP_ICMP_TOO_BIG;
			if (type == 1 || type == 3 || type == 4)
				v6 = TCP_ICMP_SOFT;
			if (type == 1 && (code == 1 || code == 4))
				v6 = TCP_ICMP_HARD;
			if (type == 2)
				v6 = TCP_ICMP_TOO_BIG;
			assert_int_equal(tcp_icmp_kind(4, (uint8_t)type, (uint8_t)code), v4);
			assert_int_equal(tcp_icmp_kind(6, (uint8_t)type, (uint8_t)code), v6);
		}
	}
}

/* After close nobody is there to be told (CLOSE-33). */
ROW(sec_9_error_after_close_is_not_told, &rows_plain,
		REACH_EST "; {close}; < FA i+1 p+1; ! icmp 3/3 i+1; []; = FW1; # icmp_error_taken;"
			  "> A p+1 i+2; > FA p+1 i+2; [CLOSED GRACEFUL]; < A i+2 p+2")

ROW(w_23_quench_and_redirect_are_dropped, &rows_plain,
		IN_FLIGHT "! icmp 4/0 i+1; ! icmp 5/1 i+1; []; # drop_icmp_unused+2" ALIVE)

static void
two_owners(struct pmtcp_conf *conf)
{
	conf->owners = 2;
}

/* The error belongs to the worker that owns the tuple it quotes. */
static void
w_22_error_of_anothers_tuple_is_handed_over(void **state)
{
	static const struct ep_opts opts = {.tune = two_owners};
	static struct ep ep;
	struct rte_mbuf *m;
	uint32_t handed = 0;
	uint16_t owner;

	(void)state;
	ep_create(&ep, "owners", &opts);
	for (uint32_t i = 0; i < 64; i++) {
		struct build sent = {.saddr = TEST_ADDR, .daddr = TEST_PEER, .dport = 80};
		struct rte_ether_addr self = ctx_mac_of(TEST_ADDR);
		struct build b = {.saddr = TEST_PEER, .daddr = TEST_ADDR, .len = EP_QUOTE};
		struct build_icmp icmp = {.type = 3, .code = 3};
		uint8_t frame[64];

		sent.sport = (uint16_t)(2000 + i);
		build_tcp_bytes(&sent, frame, sizeof(frame));
		memcpy(b.dmac, self.addr_bytes, 6);
		b.smac[5] = 9;
		b.payload = frame + 14;
		ep_inject_mbuf(&ep, build_icmp(ep.pool, &b, &icmp));
		ep_poll(&ep);
		while (pmtcp_misdirected(ep.ctx, &m, &owner, 1) == 1) {
			assert_int_equal(owner, 1);
			rte_pktmbuf_free(m);
			handed++;
		}
	}
	assert_in_range(handed, 10, 54);
	assert_int_equal(ep_gained(&ep, PMTCP_C_misdirected), handed);
	assert_int_equal(ep_gained(&ep, PMTCP_C_drop_icmp_stale), 64 - handed);
	ep_destroy(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sec_8_number_below_una_is_dropped),
			cmocka_unit_test(sec_8_number_una_is_taken),
			cmocka_unit_test(sec_8_number_max_is_dropped),
			cmocka_unit_test(sec_8_acknowledged_number_is_dropped),
			cmocka_unit_test(sec_8_late_error_of_the_syn_is_dropped),
			cmocka_unit_test(sec_9_dec_7_only_hard_codes_end_an_opening),
			cmocka_unit_test(sec_9_kinds_of_both_families),
			cmocka_unit_test(sec_9_error_after_close_is_not_told),
			cmocka_unit_test(w_23_quench_and_redirect_are_dropped),
			cmocka_unit_test(w_22_error_of_anothers_tuple_is_handed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
