/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: rows of doc/requirements.md, section "Data transfer", that no other program shows
 * by name. Method: a script per row (support/cell.h). */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/rows.h"

static const struct ep_opts rows_stamped = {.conn = {.no_sack = true, .no_wscale = true}};

#define REACH_TS                                                                                   \
	"{listen}; > S p ts=1000:0; < SA i= p+1 ts=1000; > A p+1 i+1 ts=1001:0; [ACCEPTED]; .;"    \
	"= EST"

/* Below the window: one ACK; text again is answered each time, a bare ACK is throttled. */
ROW(data_3_unacceptable_is_acked_and_dropped, &rows_plain,
		REACH_EST
		"; > A p-5 i+1; < A i+1 p+1; > A p-5 i+1; .; > PA p-20 i+1 len=10;"
		"< A i+1 p+1; > PA p-20 i+1 len=10; < A i+1 p+1; []; ? rcv_nxt p+1; = EST")
/* Nine of ten ACKs never came: the tenth covers them, and nothing is sent again. */
ROW(data_8_ack_covers_all_below, &rows_plain,
		REACH_WIDE
		"; {send 14600}; ~; > A p+1 i+14601 wnd=65535; .; +3s; .; ? snd_una i+14601")
ROW(data_9_without_ack_nothing_changes, &rows_plain,
		REACH_EST "; > P p+1 len=5; > F p+1; .; []; ? rcv_nxt p+1; = EST")
ROW(data_27_older_timestamp_is_acked_and_dropped, &rows_stamped,
		REACH_TS "; > PA p+1 i+1 len=10 ts=1000:0; []; < A i+1 p+1 ts=1001;"
			 "? rcv_nxt p+1; = EST")
ROW(data_27_after_25_idle_days_it_is_accepted, &rows_stamped,
		REACH_TS "; +2160000s; > PA p+1 i+1 len=10 ts=900:0; [READABLE]; +42;"
			 "< A i+1 p+11 ts=900; {recv 10}")
ROW(data_27_rst_is_not_judged, &rows_stamped,
		REACH_TS "; > R p+1 ts=1:0; [CLOSED PEER_RESET]; .; = CLD")
ROW(data_28_timestamp_not_agreed_is_ignored, &rows_plain,
		REACH_EST "; > PA p+1 i+1 len=10 ts=5:5; [READABLE]; +42; < A i+1 p+11; {recv 10}")
ROW(data_28_dec_10_agreed_and_missing_is_dropped, &rows_stamped,
		REACH_TS "; > PA p+1 i+1 len=10; .; []; ? rcv_nxt p+1; = EST")
ROW(data_28_absurd_echo_resets_nothing, &rows_stamped,
		REACH_TS "; > PA p+1 i+1 len=10 ts=1002:4000000000; [READABLE]; +42;"
			 "< A i+1 p+11 ts=1002; {recv 10}; = EST")

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_3_unacceptable_is_acked_and_dropped),
			cmocka_unit_test(data_8_ack_covers_all_below),
			cmocka_unit_test(data_9_without_ack_nothing_changes),
			cmocka_unit_test(data_27_older_timestamp_is_acked_and_dropped),
			cmocka_unit_test(data_27_after_25_idle_days_it_is_accepted),
			cmocka_unit_test(data_27_rst_is_not_judged),
			cmocka_unit_test(data_28_timestamp_not_agreed_is_ignored),
			cmocka_unit_test(data_28_dec_10_agreed_and_missing_is_dropped),
			cmocka_unit_test(data_28_absurd_echo_resets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
