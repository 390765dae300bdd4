/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: SEC-1 to SEC-9 of doc/requirements.md, row after row: what somebody who guesses
 * numbers, floods or scans can do to connections and to the core. Method: scripts for one
 * connection, a bed of stations for more. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"

static struct bed bed;
static struct ep ep;

static const struct ep_opts only_ts = {.conn = {.no_sack = true, .no_wscale = true}};
static const struct ep_opts only_wscale = {.conn = {.no_timestamps = true, .no_sack = true}};
/* ---- SEC-1: RCV.WND is 32768 ---- */

ROW(sec_1_rst_below_the_window_is_dropped, &rows_plain,
		REACH_EST "; > R p; .; []; = EST; # drop_rst")
ROW(sec_1_rst_at_rcv_nxt_resets, &rows_plain, REACH_EST "; > R p+1; .; [CLOSED PEER_RESET]; = CLD")
ROW(sec_1_rst_inside_is_challenged, &rows_plain,
		REACH_EST "; > R p+2; < A i+1 p+1; +1s; > R p+32768; < A i+1 p+1; []; = EST;"
			  "# drop_rst_challenge+2 challenge_sent+2")
ROW(sec_1_rst_behind_the_window_is_dropped, &rows_plain,
		REACH_EST "; > R p+32769; > R p+2000000000; .; []; = EST; # drop_rst+2")

static void
sec_1_only_the_exact_one_resets_a_shut_window(void **state)
{
	(void)state;
	rows_begin(&ep, __func__, &rows_plain, REACH_EST);
	for (uint32_t i = 0; i < 32; i++)
		ep_inject(&ep, &(struct ep_seg){.flags = "PA",
					       .seq = ep.irs + 1 + 1024 * i,
					       .ack = ep.iss + 1,
					       .len = 1024,
					       .wnd = -1,
					       .mss = -1,
					       .wscale = -1});
	cell_script(&ep, "~; +1s; ~; [READABLE]; > R p+32768; > R p+32770; .; []; = EST;"
			 "# drop_rst+2; > R p+32769; [CLOSED PEER_RESET]; .; = CLD");
	rows_end(&ep);
}

ROW(sec_1_no_paws_for_rst, &only_ts,
		"{listen}; > S p ts=1000:0; < SA i= p+1 ts=1000; > A p+1 i+1 ts=1001:0; [ACCEPTED];"
		".; > R p+1 ts=1:0; [CLOSED PEER_RESET]; .; = CLD")

/* ---- SEC-2 ---- */

struct ground {
	const char *reach;
	const char *state;
	uint32_t seq; /* RCV.NXT from the peer's initial number */
	uint32_t ack; /* SND.NXT from ours */
};

static const struct ground open_states[] = {
		{REACH_EST, "= EST", 1, 1},
		{REACH_FW1, "= FW1", 1, 2},
		{REACH_FW2, "= FW2", 1, 2},
		{REACH_CLW, "= CLW", 2, 1},
		{REACH_CLG, "= CLG", 2, 2},
		{REACH_LAK, "= LAK", 2, 2},
};

/* Also with ACK, FIN and text, at every place of the number space. */
static void
sec_2_syn_is_challenged_whatever_its_number(void **state)
{
	static const char *const flags[] = {"S", "SA", "SF", "SPA"};
	static const uint32_t beside[] = {0u - 1, 0, 1, 100, 32767, 32768, 0x7fffffff, 0x80000000};

	(void)state;
	for (uint32_t i = 0; i < PMTCP_ARRAY_SIZE(open_states) * 32; i++) {
		const struct ground *g = &open_states[i / 32];
		struct ep_seg syn = {.flags = flags[i % 4], .wnd = -1, .mss = 1460, .wscale = -1};
		struct ep_seg want = {.flags = "A", .wnd = -1, .mss = -1, .wscale = -1};

		rows_begin(&ep, __func__, &rows_plain, g->reach);
		syn.seq = ep.irs + g->seq + beside[i % 32 / 4];
		syn.ack = strchr(syn.flags, 'A') ? ep.iss + g->ack : 0;
		syn.len = strchr(syn.flags, 'P') ? 10 : 0;
		ep_inject(&ep, &syn);
		want.seq = ep.iss + g->ack;
		want.ack = ep.irs + g->seq;
		ep_expect(&ep, &want);
		cell_script(&ep, ".; []; # drop_syn_challenge challenge_sent");
		cell_script(&ep, g->state);
		ep_drop(&ep);
	}
}

/* ---- SEC-3: the peer's largest window was 8192 ---- */

#define SENT_3                                                                                     \
	REACH_EST "; {send 4380}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"                  \
		  "< PA i+2921 p+1 len=1460; "

ROW(sec_3_oldest_ack_is_taken_with_its_text, &rows_plain,
		SENT_3 "> PA p+1 i-8191 len=10; [READABLE]; ~; {recv 10}; # drop_ack+0;"
		       "> A p+11 i+4381; .")
ROW(sec_3_older_ack_is_challenged_its_text_discarded, &rows_plain,
		SENT_3 "> PA p+1 i-8192 len=10; []; < A i+4381 p+1; ? rcv_nxt p+1; # drop_ack;"
		       "> A p+1 i+4381; .")
ROW(sec_3_ack_of_snd_max_is_taken_with_its_text, &rows_plain,
		SENT_3 "> PA p+1 i+4381 len=10; [READABLE]; {recv 10}; ~; ? snd_una i+4381")
ROW(sec_3_ack_above_is_challenged_its_text_discarded, &rows_plain,
		SENT_3 "> PA p+1 i+4382 len=10; []; < A i+4381 p+1; ? rcv_nxt p+1; ? snd_una i+1;"
		       "# drop_ack; > A p+1 i+4381; .")
ROW(sec_3_the_window_is_scaled, &only_wscale,
		"{listen}; > S p ws=7; < SA i= p+1; > A p+1 i+1 wnd=1000; [ACCEPTED];"
		"> A p+1 i-127999 wnd=1000; .; # drop_ack+0; > A p+1 i-128000 wnd=1000;"
		"< A i+1 p+1; # drop_ack")
ROW(sec_3_also_in_close_wait, &rows_plain,
		REACH_CLW "; > A p+2 i-8191; .; # drop_ack+0; > A p+2 i-8192; < A i+1 p+2; = CLW;"
			  "# drop_ack")
ROW(sec_3_also_in_fin_wait_2, &rows_plain,
		REACH_FW2 "; > PA p+1 i-8190 len=10; [READABLE]; ~; # drop_ack+0; {recv 10};"
			  "> A p+11 i-8191; < A i+2 p+11; = FW2; # drop_ack")

/* ---- SEC-4 ---- */

static void
two_connections(struct bed_peer *peer, struct pmtcp_conn **conn)
{
	for (uint16_t i = 0; i < 2; i++) {
		peer[i] = (struct bed_peer){
				.ip = TEST_PEER, .port = (uint16_t)(80 + i), .seq = 500};
		assert_int_equal(bed_open(&bed, &peer[i], 0, &conn[i]), 0);
	}
}

/* How many answers n RSTs inside the window draw, one each millisecond. */
static uint32_t
challenges(const struct bed_peer *to, int n)
{
	struct bed_peer peer = *to;
	uint32_t answers = 0;

	for (int i = 0; i < n; i++) {
		peer.seq = to->seq + 100 + (uint32_t)i;
		bed_peer_sends(&bed, &peer, PKT_RST, 0);
		bed_turn(&bed);
		answers += bed_forget(&bed);
		bed_advance(&bed, BED_MS);
	}
	return answers;
}

static void
sec_4_challenges_are_two_a_second_and_ones_own(void **state)
{
	struct pmtcp_conn *conn[2];
	struct bed_peer peer[2];

	(void)state;
	bed_create(&bed, NULL);
	two_connections(peer, conn);
	assert_in_range(challenges(&peer[0], 1000), 1, 2);
	/* Whatever the first has used up, the other has its own. */
	assert_int_equal(challenges(&peer[1], 1), 1);
	/* Idle for long: one, no more. */
	bed_advance(&bed, 60000 * BED_MS);
	assert_int_equal(challenges(&peer[0], 100), 1);
	bed_destroy(&bed);
}

ROW(sec_4_time_wait_has_its_own_stamp, &rows_plain,
		REACH_TW
		"; > A p+1 i+2; < A i+2 p+2; > A p+1 i+2; > A p+1 i+2; .; +1s; > A p+1 i+2;"
		"< A i+2 p+2; = TW")
ROW(sec_4_repeated_text_is_always_answered, &rows_plain,
		REACH_EST "; > PA p+1 i+1 len=10; [READABLE]; {recv 10}; ~; +50; ~;"
			  "> PA p+1 i+1 len=10; < A i+1 p+11; > PA p+1 i+1 len=10; < A i+1 p+11;"
			  "> PA p+1 i+1 len=10; < A i+1 p+11; # challenge_throttled+0")

/* A stale timestamp is no repeated text: once, though it consumes numbers. */
ROW(sec_4_paws_rejects_are_throttled, &only_ts,
		"{listen}; > S p ts=1000:0; < SA i= p+1 ts=1000; > A p+1 i+1 ts=1001:0; [ACCEPTED];"
		".; > PA p+1 i+1 len=10 ts=1:0; < A i+1 p+1 ts=1001; > PA p+1 i+1 len=10 ts=1:0;"
		"> PA p+1 i+1 len=10 ts=2:0; .; []; # drop_paws+3 challenge_sent "
		"challenge_throttled+2;"
		"+641; > PA p+1 i+1 len=10 ts=1:0; < A i+1 p+1 ts=1001; = EST")

/* ---- SEC-5 ---- */

/* The other end answers each of our ACKs by its own, with numbers that we do not take. */
static void
sec_5_two_ends_out_of_step_fall_silent(void **state)
{
	struct ep_seg stray = {.flags = "A", .wnd = -1, .mss = -1, .wscale = -1};
	uint32_t n_sent = 0;

	(void)state;
	rows_begin(&ep, __func__, &rows_plain, REACH_EST);
	stray.seq = ep.irs + 100000;
	stray.ack = ep.iss + 1;
	for (int ms = 0; ms < 10000; ms++) {
		ep_inject(&ep, &stray);
		ep_advance(&ep, EP_MS);
		while (ep_take(&ep) != NULL) {
			n_sent++;
			ep_inject(&ep, &stray);
		}
	}
	cell_script(&ep, "~; []; = EST");
	assert_in_range(n_sent, 1, 20);
	rows_end(&ep);
}

/* ---- SEC-6 ---- */

static void
sec_6_scan_is_answered_at_its_rate(void **state)
{
	uint32_t answers = 0;

	(void)state;
	bed_create(&bed, NULL);
	for (uint32_t port = 1; port <= 65535; port++) {
		struct build b = {.sport = 4000, .dport = (uint16_t)port, .flags = PKT_SYN};

		bed_inject(&bed, &b);
		if (port % 64 != 0)
			continue;
		bed.now += 10 * BED_MS;
		bed_turn(&bed);
		while (bed_take(&bed) != NULL) {
			answers++;
			/* Never larger than what drew it, which had 54 octets. */
			assert_int_equal(bed.taken.flags, PKT_RST | PKT_ACK);
			assert_int_equal(bed.taken.len, 0);
			assert_int_equal(bed.taken.frame_len, 54);
		}
	}
	bed_turn(&bed);
	answers += bed_forget(&bed);
	/* 10.2 s at 1000 per s, and at most one bucket at the start. */
	assert_in_range(answers, 8900, 11300);
	bed_destroy(&bed);
}

/* How much may be answered at once differs from time to time, by an eighth at most. */
static void
sec_6_budget_cannot_be_measured(void **state)
{
	uint32_t least = UINT32_MAX, most = 0;

	(void)state;
	bed_create(&bed, NULL);
	for (int i = 0; i < 16; i++) {
		uint32_t answers = 0;

		bed_advance(&bed, 2000 * BED_MS);
		for (uint16_t port = 1; port <= 1200; port++) {
			struct build b = {.sport = 4000, .dport = port, .flags = PKT_SYN};

			bed_inject(&bed, &b);
			bed_turn(&bed);
			answers += bed_forget(&bed);
		}
		least = min_u32(least, answers);
		most = max_u32(most, answers);
	}
	assert_in_range(least, 875, 960);
	assert_in_range(most, 960, 1000);
	bed_destroy(&bed);
}

static void
sec_6_own_aborts_are_not_counted(void **state)
{
	struct pmtcp_conn *conn[50];
	struct bed_peer peer[50];

	(void)state;
	bed_create(&bed, NULL);
	for (uint16_t i = 0; i < 50; i++) {
		peer[i] = (struct bed_peer){.ip = TEST_PEER, .port = (uint16_t)(80 + i % 10)};
		assert_int_equal(bed_open(&bed, &peer[i], 0, &conn[i]), 0);
	}
	for (uint16_t port = 1; port <= 1100; port++) {
		struct build b = {.sport = 4000, .dport = port, .flags = PKT_SYN};

		bed_inject(&bed, &b);
		bed_turn(&bed);
	}
	assert_true(bed_counter(&bed, PMTCP_C_rst_reply_throttled) > 0);
	bed_forget(&bed);
	for (int i = 0; i < 50; i++)
		pmtcp_abort(conn[i]);
	bed_turn(&bed);
	assert_int_equal(bed_forget(&bed), 50);
	assert_int_equal(bed_counter(&bed, PMTCP_C_rst_sent), 50);
	bed_destroy(&bed);
}

/* ---- SEC-7 ---- */

static void
sec_7_echo_replies_are_a_hundred_a_second(void **state)
{
	struct build b = {.saddr = TEST_PEER, .daddr = TEST_ADDR, .payload = "12345678", .len = 8};
	struct build_icmp echo = {.type = 8};
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR), peer = ctx_mac_of(TEST_PEER);
	uint32_t answers = 0;

	(void)state;
	bed_create(&bed, NULL);
	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, peer.addr_bytes, 6);
	for (int ms = 0; ms < 5000; ms++) {
		bed.now += BED_MS;
		for (int i = 0; i < 5; i++)
			bed_inject_mbuf(&bed, build_icmp(bed.pool, &b, &echo));
		bed_turn(&bed);
		answers += bed_forget(&bed);
	}
	assert_in_range(answers, 450, 610);
	bed_destroy(&bed);
}

static void
sec_7_neighbours_are_asked_once_a_second(void **state)
{
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	for (uint16_t i = 0; i < 40; i++) {
		struct pmtcp_addr remote =
				pmtcp_addr4(PMTCP_IP4(10, 0, 0, 99), (uint16_t)(1 + i % 10));

		assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
		bed_advance(&bed, 20 * BED_MS);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_neigh_requests), 1);
	bed_advance(&bed, 1000 * BED_MS);
	assert_int_equal(bed_counter(&bed, PMTCP_C_neigh_requests), 2);
	bed_destroy(&bed);
}

/* ---- SEC-8 ---- */

#define IN_FLIGHT REACH_EST "; {send 10}; < PA i+1 p+1 len=10; "
#define ALIVE     "; = EST; > A p+1 i+11; ."

ROW(sec_8_below_una_is_dropped, &rows_plain, IN_FLIGHT "! icmp 3/3 i; []; # drop_icmp_stale" ALIVE)
ROW(sec_8_una_is_taken, &rows_plain,
		IN_FLIGHT "! icmp 3/3 i+1; [ERROR UNREACHABLE]; # icmp_error_taken" ALIVE)
ROW(sec_8_max_is_dropped, &rows_plain, IN_FLIGHT "! icmp 3/3 i+11; []; # drop_icmp_stale" ALIVE)
ROW(sec_8_syn_sent_wants_the_iss, &rows_plain,
		REACH_SYS "; ! icmp 3/3 i-1; ! icmp 3/3 i+1; []; .; = SYS; ! icmp 3/3 i;"
			  "[CLOSED UNREACHABLE]; .; = CLD")
ROW(sec_8_listeners_and_nobody_ignore_it, &rows_plain,
		"! icmp 3/3 i; .; {listen}; ! icmp 3/3 i; .; = LIS; # drop_icmp_stale+2")
ROW(sec_8_time_wait_ignores_it, &rows_plain,
		REACH_TW "; ! icmp 3/3 i+1; ! icmp 3/3 i+2; .; []; = TW; # drop_icmp_stale+2")

/* ---- SEC-9 ---- */

ROW(sec_9_hard_ends_an_open, &rows_plain,
		REACH_SYS "; ! icmp 3/3 i; [CLOSED UNREACHABLE]; .; = CLD")
ROW(sec_9_bad_protocol_is_hard_too, &rows_plain,
		REACH_SYS "; ! icmp 3/2 i; [CLOSED UNREACHABLE]; .; = CLD")
ROW(sec_9_hard_frees_a_half_open, &rows_plain,
		REACH_SYR "; ! icmp 3/3 i; .; []; = LIS; # half_open_icmp")
ROW(sec_9_established_survives_it, &rows_plain,
		IN_FLIGHT "! icmp 3/3 i+1; [ERROR UNREACHABLE]; .; ! icmp 3/2 i+1; [ERROR "
			  "UNREACHABLE]; ." ALIVE)
ROW(sec_9_soft_is_told_only, &rows_plain,
		REACH_SYS "; ! icmp 3/0 i; [ERROR UNREACHABLE]; ! icmp 3/1 i; [ERROR UNREACHABLE];"
			  "! icmp 3/13 i; [ERROR UNREACHABLE]; ! icmp 11/0 i; [ERROR UNREACHABLE];"
			  "! icmp 12/0 i; [ERROR UNREACHABLE]; = SYS; > SA p i+1; < A i+1 p+1;"
			  "[CONNECTED]; = EST")

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sec_1_rst_below_the_window_is_dropped),
			cmocka_unit_test(sec_1_rst_at_rcv_nxt_resets),
			cmocka_unit_test(sec_1_rst_inside_is_challenged),
			cmocka_unit_test(sec_1_rst_behind_the_window_is_dropped),
			cmocka_unit_test(sec_1_only_the_exact_one_resets_a_shut_window),
			cmocka_unit_test(sec_1_no_paws_for_rst),
			cmocka_unit_test(sec_2_syn_is_challenged_whatever_its_number),
			cmocka_unit_test(sec_3_oldest_ack_is_taken_with_its_text),
			cmocka_unit_test(sec_3_older_ack_is_challenged_its_text_discarded),
			cmocka_unit_test(sec_3_ack_of_snd_max_is_taken_with_its_text),
			cmocka_unit_test(sec_3_ack_above_is_challenged_its_text_discarded),
			cmocka_unit_test(sec_3_the_window_is_scaled),
			cmocka_unit_test(sec_3_also_in_close_wait),
			cmocka_unit_test(sec_3_also_in_fin_wait_2),
			cmocka_unit_test(sec_4_challenges_are_two_a_second_and_ones_own),
			cmocka_unit_test(sec_4_time_wait_has_its_own_stamp),
			cmocka_unit_test(sec_4_repeated_text_is_always_answered),
			cmocka_unit_test(sec_4_paws_rejects_are_throttled),
			cmocka_unit_test(sec_5_two_ends_out_of_step_fall_silent),
			cmocka_unit_test(sec_6_scan_is_answered_at_its_rate),
			cmocka_unit_test(sec_6_budget_cannot_be_measured),
			cmocka_unit_test(sec_6_own_aborts_are_not_counted),
			cmocka_unit_test(sec_7_echo_replies_are_a_hundred_a_second),
			cmocka_unit_test(sec_7_neighbours_are_asked_once_a_second),
			cmocka_unit_test(sec_8_below_una_is_dropped),
			cmocka_unit_test(sec_8_una_is_taken),
			cmocka_unit_test(sec_8_max_is_dropped),
			cmocka_unit_test(sec_8_syn_sent_wants_the_iss),
			cmocka_unit_test(sec_8_listeners_and_nobody_ignore_it),
			cmocka_unit_test(sec_8_time_wait_ignores_it),
			cmocka_unit_test(sec_9_hard_ends_an_open),
			cmocka_unit_test(sec_9_bad_protocol_is_hard_too),
			cmocka_unit_test(sec_9_hard_frees_a_half_open),
			cmocka_unit_test(sec_9_established_survives_it),
			cmocka_unit_test(sec_9_soft_is_told_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
