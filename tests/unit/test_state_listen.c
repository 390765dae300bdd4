/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what LISTEN does with each call, segment and timer (RFC 9293 section
 * 3.10.7.2). Method: one script per cell of the state table. A listener is no
 * connection: SEND, RECEIVE and SHUTDOWN want a handle of another type, so it is the
 * compiler that says E_NOTCONN. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/cell.h"

static const struct cell cells[] = {
		{"listen_open_makes_second_block", REACH_LIS,
				"{open}; < S i= 0; = SYS; {listen}=-EADDRINUSE"},
		{"listen_listen_again_is_refused", REACH_LIS, "{listen}=-EADDRINUSE; .; = LIS"},
		/* OPEN-39: RSTX to the child, and a new SYN meets CLOSED. */
		{"listen_close_resets_child", REACH_SYR,
				"{unlisten}; < RA i+1 p+1; []; = CLD; > S p; < RA 0 p+1;"
				"# half_open_closed drop_no_tcb rst_sent rst_reply_sent"},
		{"listen_close_leaves_accepted", REACH_EST_PAS,
				"{unlisten}; .; = EST; {send 10}; < PA i+1 p+1 len=10"},
		{"listen_abort_without_child_is_silent", REACH_LIS,
				"{unlisten}; .; []; = CLD; > S p; < RA 0 p+1;"
				"# half_open_closed+0 drop_no_tcb"},

		{"listen_syn_gets_syn_ack", REACH_LIS,
				"> S p; < SA i= p+1 mss=1460; []; = SYR;"
				"# syn_taken half_open_created"},
		/* OPEN-20: text on the SYN is not kept. */
		{"listen_syn_with_text_acks_syn_only", REACH_LIS,
				"> S p len=10; < SA i= p+1; = SYR; # syn_taken"},
		/* DEC-9 */
		{"listen_syn_fin_is_dropped", REACH_LIS, "> SF p; .; = LIS; # drop_syn_fin"},
		{"listen_syn_rst_is_dropped", REACH_LIS, "> SR p; .; = LIS; # drop_rst"},
		{"listen_syn_ack_gets_rsta", REACH_LIS,
				"> SA p 700; < R 700 0; = LIS; # drop_listen rst_reply_sent"},
		/* OPEN-30, OPEN-31: nothing is kept of the SYN, and its ACK opens all the same. */
		{"listen_syn_gets_cookie", "{cookies}; {listen}",
				"> S p; < SA i= p+1 mss=1460; []; = LIS; +200s; .; = LIS;"
				"# cookies_sent half_open_created+0 synack_retransmitted+0"},
		{"listen_ack_with_valid_cookie", REACH_COOKIE,
				"> A p+1 i+1; [ACCEPTED]; .; = EST; ? snd_una i+1; ? rcv_nxt p+1;"
				"# seg_taken cookies_accepted opened_passive"},
		{"listen_data_with_valid_cookie", REACH_COOKIE,
				"> PA p+1 i+1 len=10; [ACCEPTED READABLE]; = EST; {recv 10}; +42;"
				"< A i+1 p+11; # seg_taken cookies_accepted"},
		{"listen_fin_with_valid_cookie", REACH_COOKIE,
				"> PFA p+1 i+1 len=5; [ACCEPTED READABLE PEER_FIN]; < A i+1 p+7; .;"
				"= CLW; {recv 9}=5; {recv 1}=0; # seg_taken cookies_accepted"},
		{"listen_ack_above_cookie_gets_rsta", REACH_COOKIE,
				"> A p+1 i+2; < R i+2 0; = LIS;"
				"# drop_listen cookies_failed rst_reply_sent"},
		{"listen_ack_beside_cookie_gets_rsta", REACH_COOKIE,
				"> A p+2 i+1; < R i+1 0; = LIS;"
				"# drop_listen cookies_failed rst_reply_sent"},
		{"listen_syn_ack_with_valid_cookie_gets_rsta", REACH_COOKIE,
				"> SA p+1 i+1; < R i+1 0; = LIS; # drop_listen rst_reply_sent"},
		{"listen_rst_with_valid_cookie_is_dropped", REACH_COOKIE,
				"> RA p+1 i+1; .; = LIS; # drop_rst"},
		{"listen_ack_new_gets_rsta", REACH_LIS,
				"> A p 700; < R 700 0; = LIS; # drop_listen rst_reply_sent"},
		{"listen_ack_old_gets_rsta", REACH_LIS,
				"> A p 0; < R 0 0; = LIS; # drop_listen rst_reply_sent"},
		{"listen_ack_too_high_gets_rsta", REACH_LIS,
				"> A p 4294967295; < R 4294967295 0; = LIS;"
				"# drop_listen rst_reply_sent"},
		{"listen_rst_exact_is_dropped", REACH_LIS, "> R p; .; = LIS; # drop_rst"},
		{"listen_rst_in_window_is_dropped", REACH_LIS,
				"> RA p+1 700; .; = LIS; # drop_rst"},
		{"listen_rst_outside_window_is_dropped", REACH_LIS,
				"> R p-100000; .; = LIS; # drop_rst"},
		{"listen_data_in_order_gets_rsta", REACH_LIS,
				"> PA p+1 700 len=10; < R 700 0; = LIS; # drop_listen"},
		{"listen_data_above_hole_gets_rsta", REACH_LIS,
				"> PA p+11 700 len=10; < R 700 0; = LIS; # drop_listen"},
		{"listen_data_old_gets_rsta", REACH_LIS,
				"> PA p-99 700 len=10; < R 700 0; = LIS; # drop_listen"},
		{"listen_fin_in_order_gets_rsta", REACH_LIS,
				"> FA p+1 700; < R 700 0; = LIS; # drop_listen"},
		{"listen_fin_repeated_gets_rsta", REACH_LIS,
				"> FA p 700; < R 700 0; = LIS; # drop_listen"},
		{"listen_fin_above_hole_gets_rsta", REACH_LIS,
				"> FA p+11 700; < R 700 0; = LIS; # drop_listen"},
		{"listen_null_segment_is_dropped", REACH_LIS, "> - p; .; = LIS; # drop_listen"},
		{"listen_bare_fin_is_dropped", REACH_LIS, "> F p; .; = LIS; # drop_listen"},
		{"listen_icmp_hard_is_ignored", REACH_LIS,
				"! icmp 3/3 5000; .; []; = LIS; # drop_icmp_stale"},

		/* The timers of a half-open go with it, the listener has none. */
		{"listen_rto_is_not_armed", REACH_SYR,
				"> R p+1; = LIS; +60s; .; = LIS; # seg_taken "
				"synack_retransmitted+0"},
		{"listen_persist_is_not_armed", REACH_LIS,
				"> S p wnd=0; < SA i= p+1; > R p+1; = LIS; +60s; .; = LIS;"
				"# syn_taken seg_taken probe_sent+0"},
		{"listen_delayed_ack_is_not_armed", REACH_LIS,
				"> PA p+1 700 len=10; < R 700 0; +1s; .; # drop_listen "
				"ack_delayed+0"},
		{"listen_2msl_is_not_armed", REACH_LIS, "+61s; .; = LIS; # tw_expired+0"},
		{"listen_fw2_is_not_armed", REACH_LIS, "+61s; .; = LIS; # fw2_timeout+0"},
		{"listen_keepalive_is_not_armed", "{keepalive_ms 100}; " REACH_LIS,
				"+600s; .; []; = LIS; # keepalive_sent+0"},
		{"listen_user_timeout_is_not_armed", "{user_timeout_ms 100}; " REACH_LIS,
				"+600s; .; []; = LIS; # rst_sent+0"},
		{"listen_linger_is_not_armed", "{linger_ms 100}; " REACH_LIS,
				"+600s; .; []; = LIS; # rst_sent+0"},
};

/* Whether a call takes a listener for its handle. */
#define TAKES_LISTENER(fn, ret, ...)                                                               \
	__builtin_types_compatible_p(__typeof__(fn), ret(struct pmtcp_listener *, ##__VA_ARGS__))

static void
listen_send_has_no_handle(void **state)
{
	(void)state;
	assert_false(TAKES_LISTENER(pmtcp_send, int, struct rte_mbuf **, uint16_t));
	assert_false(TAKES_LISTENER(pmtcp_write, int, const void *, uint32_t));
}

static void
listen_receive_has_no_handle(void **state)
{
	(void)state;
	assert_false(TAKES_LISTENER(pmtcp_recv, int, struct rte_mbuf **, uint16_t));
	assert_false(TAKES_LISTENER(pmtcp_read, int, void *, uint32_t));
}

static void
listen_shutdown_has_no_handle(void **state)
{
	(void)state;
	assert_false(TAKES_LISTENER(pmtcp_shutdown, int));
	assert_true(TAKES_LISTENER(pmtcp_unlisten, void));
}

int
main(void)
{
	const struct CMUnitTest calls[] = {
			cmocka_unit_test(listen_send_has_no_handle),
			cmocka_unit_test(listen_receive_has_no_handle),
			cmocka_unit_test(listen_shutdown_has_no_handle),
	};
	int failed = cmocka_run_group_tests_name("listen_calls", calls, NULL, NULL);

	return failed + cell_run_all("listen", cells, PMTCP_ARRAY_SIZE(cells));
}
