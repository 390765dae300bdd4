/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: SEC-10 to SEC-14 of doc/requirements.md, row after row: path MTUs that somebody
 * claims, secrets, congestion windows that a peer would like to be larger, answers larger
 * than questions, and work that an attacker chooses. Method: scripts for one connection, a
 * bed of stations for more. What bounds the work of one packet is counted, not timed. That
 * secrets differ from start to start is in test_rfc_secrets.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"

static struct bed bed;
static struct ep ep;

/* ---- SEC-10 ---- */

#define ONE       REACH_WIDE "; {send 1460}; < PA i+1 p+1 len=1460; "
#define ALL_ACKED "; > A p+1 i+1461 wnd=65535; ."

ROW(sec_10_too_big_for_what_is_outstanding_is_taken, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=1400 len=1500; []; < A i+1 p+1 len=1360;"
		    "< PA i+1361 p+1 len=100; .; ? mss 1360" ALL_ACKED)
ROW(sec_10_below_the_floor_is_ignored, &rows_plain,
		ONE
		"! icmp 3/4 i+1 mtu=68 len=1500; ! icmp 3/4 i+1 mtu=551 len=1500; .; ? mss 1460;"
		"# drop_icmp_mtu+2" ALL_ACKED)
ROW(sec_10_not_below_the_current_is_ignored, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=1500 len=1500; ! icmp 3/4 i+1 mtu=9000 len=1500; .;"
		    "? mss 1460; # drop_icmp_mtu+2" ALL_ACKED)
ROW(sec_10_forged_with_an_acknowledged_number_is_ignored, &rows_plain,
		ONE "> A p+1 i+1461 wnd=65535; ! icmp 3/4 i+1 mtu=1400 len=1500; .; ? mss 1460;"
		    "# drop_icmp_stale")
ROW(sec_10_what_was_not_that_large_waits_for_the_timeout, &rows_plain,
		ONE "! icmp 3/4 i+1 mtu=1400 len=100; .; ? mss 1460; +210; < A i+1 p+1 len=1360;"
		    "? mss 1360; > A p+1 i+1361 wnd=65535; < PA i+1361 p+1 len=100" ALL_ACKED)

/* ---- SEC-11 ---- */

enum { ISN, TS, PORT, COOKIE, N_SEEN };

static int changed_secret;

static void
tune_one_secret(struct pmtcp_conf *conf)
{
	uint64_t *const secrets[] = {conf->secrets.isn, conf->secrets.ts, conf->secrets.port,
			conf->secrets.cookie, conf->secrets.flow};

	conf->port_first = 1024;
	if (changed_secret >= 0)
		secrets[changed_secret][0] ^= 1;
}

/* What an outsider sees: our initial number, clock and port, and the number of a cookie. */
static void
look(int secret, uint32_t seen[N_SEEN])
{
	struct pmtcp_listen_opts opts = {.syn_cookies = PMTCP_COOKIES_ALWAYS};
	struct build syn = {.sport = 9, .dport = 80, .flags = PKT_SYN, .seq = 5};
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 80);
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, 80);
	struct pmtcp_listener *l;
	struct pmtcp_conn *conn;

	changed_secret = secret;
	bed_create(&bed, tune_one_secret);
	assert_int_equal(pmtcp_connect(bed.ctx, &local, &remote, NULL, &conn), 0);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	seen[ISN] = bed.taken.seq;
	seen[TS] = bed.taken.tsval;
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	seen[PORT] = bed.taken.sport;
	assert_int_equal(pmtcp_listen(bed.ctx, &local, &opts, &l), 0);
	bed_inject(&bed, &syn);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.flags, PKT_SYN | PKT_ACK);
	seen[COOKIE] = bed.taken.seq;
	bed_destroy(&bed);
}

static void
sec_11_each_secret_has_one_purpose(void **state)
{
	uint32_t before[N_SEEN], after[N_SEEN];

	(void)state;
	look(-1, before);
	for (int secret = 0; secret <= N_SEEN; secret++) {
		look(secret, after);
		for (int what = 0; what < N_SEEN; what++) {
			/* A cookie is an ISN with a code in it. */
			bool is_other = what == secret || (what == COOKIE && secret == ISN);

			assert_int_equal(before[what] != after[what], is_other);
		}
	}
}

/* Any eight octets of a secret, forwards or backwards. */
static void
holds_no_secret(const void *bytes, size_t len)
{
	const uint8_t *s = (const uint8_t *)&bed.conf.secrets;
	const uint8_t *b = bytes;

	for (size_t at = 0; at + 8 <= len; at++)
		for (size_t i = 0; i + 8 <= sizeof(bed.conf.secrets); i++) {
			bool is_same = true, is_turned = true;

			for (size_t k = 0; k < 8; k++) {
				is_same = is_same && b[at + k] == s[i + k];
				is_turned = is_turned && b[at + k] == s[i + 7 - k];
			}
			assert_false(is_same || is_turned);
		}
}

/* All that a program can print of a context, and every frame that it sends. */
static void
sec_11_nothing_told_holds_a_secret(void **state)
{
	struct pmtcp_listen_opts opts = {.syn_cookies = PMTCP_COOKIES_ALWAYS};
	struct bed_peer peer = {.ip = TEST_PEER, .port = 80, .seq = 7, .has_ts = true};
	struct build syn = {.sport = 9, .dport = 81, .flags = PKT_SYN, .seq = 5};
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, 80);
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, 81);
	struct pmtcp_close_wait_report waiting;
	struct pmtcp_port_report ports;
	struct pmtcp_conn_info info;
	struct pmtcp_stats stats;
	struct pmtcp_listener *l;
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, &opts, &l), 0);
	assert_int_equal(bed_open(&bed, &peer, 0, &conn), 0);
	bed_inject(&bed, &syn);
	syn.dport = 82;
	bed_inject(&bed, &syn);
	assert_int_equal(pmtcp_write(conn, "0123456789", 10), 10);
	bed_peer_sends(&bed, &peer, PKT_ACK | PKT_FIN, 0);
	bed_advance(&bed, 1000 * BED_MS);
	while (bed_take(&bed) != NULL)
		holds_no_secret(bed.taken.bytes, 14 + 60 + bed.taken.len);
	pmtcp_stats(bed.ctx, &stats);
	holds_no_secret(&stats, sizeof(stats));
	pmtcp_conn_info(conn, &info);
	holds_no_secret(&info, sizeof(info));
	memset(&waiting, 0, sizeof(waiting));
	pmtcp_close_wait_report(bed.ctx, &waiting);
	holds_no_secret(&waiting, sizeof(waiting));
	pmtcp_port_report(bed.ctx, NULL, &remote, &ports);
	holds_no_secret(&ports, sizeof(ports));
	bed_destroy(&bed);
}

/* ---- SEC-12 ---- */

/* The initial window of ten segments is in flight, and more is waiting. */
static void
begin_with_window(const char *name)
{
	rows_begin(&ep, name, &rows_plain, REACH_WIDE "; {send 100000}");
	ep_turn(&ep);
	for (int i = 0; i < 10; i++)
		assert_non_null(ep_take(&ep));
	assert_null(ep_take(&ep));
	assert_int_equal(rows_info(&ep).cwnd, 14600);
}

static void
ack(uint32_t to)
{
	ep_inject(&ep, &(struct ep_seg){.flags = "A",
				       .seq = ep.irs + 1,
				       .ack = ep.iss + to,
				       .wnd = 65535,
				       .mss = -1,
				       .wscale = -1});
}

static void
end_by_abort(void)
{
	ep_abort(&ep);
	cell_script(&ep, "~");
	ep_drop(&ep);
}

static void
sec_12_divided_ack_gains_one_segment(void **state)
{
	(void)state;
	begin_with_window(__func__);
	for (uint32_t i = 1; i <= 1460; i++) {
		ack(1 + i);
		if (i % 32 == 0)
			cell_script(&ep, "~");
	}
	cell_script(&ep, "~");
	assert_in_range(rows_info(&ep).cwnd, 14600, 16060);
	end_by_abort();
}

static void
sec_12_optimistic_ack_gains_nothing(void **state)
{
	(void)state;
	begin_with_window(__func__);
	for (uint32_t i = 0; i < 20; i++)
		ack(14602 + 1460 * i);
	cell_script(&ep, "~; ? snd_una i+1");
	assert_int_equal(rows_info(&ep).cwnd, 14600);
	assert_int_equal(rows_info(&ep).unacked, 14600);
	end_by_abort();
}

/* Each duplicate may stand for a segment that left, but there were ten: no more than those
 * and the three that said so. The ACK of all that was sent ends the recovery, and deflates
 * the window to ssthresh (RFC 5681 3.2 step 6, RFC 6582 3.2 step 3): 0.7 of the ten segments
 * that were in flight (RFC 9438 4.6). */
static void
sec_12_spoofed_duplicates_gain_nothing_that_lasts(void **state)
{
	uint32_t n_sent = 0;

	(void)state;
	begin_with_window(__func__);
	for (int i = 0; i < 1000; i++) {
		ack(1);
		if (i % 32 != 31)
			continue;
		ep_turn(&ep);
		while (ep_take(&ep) != NULL)
			n_sent++;
	}
	assert_true(n_sent <= 40);
	ack(1 + rows_info(&ep).unacked);
	ep_turn(&ep);
	assert_true(rows_info(&ep).ssthresh <= 10220);
	assert_true(rows_info(&ep).cwnd <= rows_info(&ep).ssthresh);
	end_by_abort();
}

/* ---- SEC-13 ---- */

static uint32_t
answers_to_a_syn(enum pmtcp_syn_cookies cookies)
{
	struct pmtcp_listen_opts opts = {.syn_cookies = cookies};
	struct build syn = {.sport = 9, .dport = 80, .flags = PKT_SYN, .opts = PKT_OPT_MSS};
	struct pmtcp_addr local = pmtcp_addr4(0, 80);
	struct pmtcp_listener *l;
	uint32_t n = 0;

	bed_create(&bed, NULL);
	syn.mss = 1460;
	assert_int_equal(pmtcp_listen(bed.ctx, &local, &opts, &l), 0);
	bed_inject(&bed, &syn);
	bed_advance(&bed, 300000 * BED_MS);
	while (bed_take(&bed) != NULL) {
		assert_int_equal(bed.taken.flags, PKT_SYN | PKT_ACK);
		assert_int_equal(bed.taken.frame_len, 58); /* as the SYN was */
		n++;
	}
	bed_destroy(&bed);
	return n;
}

static void
sec_13_a_syn_is_answered_six_times_by_cookie_once(void **state)
{
	(void)state;
	assert_int_equal(answers_to_a_syn(PMTCP_COOKIES_OFF), 6);
	assert_int_equal(answers_to_a_syn(PMTCP_COOKIES_ALWAYS), 1);
}

ROW(sec_13_no_text_before_established, &rows_plain,
		"{open}; {send 10}; < S i= 0; > S p; < SA i p+1; {shutdown}; .; +1001;"
		"< SA i p+1; .; > A p+1 i+1; [CONNECTED]; < PFA i+1 p+1 len=10; = FW1")

/* ---- SEC-14 ---- */

static struct ep_seg
text_at(uint32_t off, uint32_t len)
{
	return (struct ep_seg){.flags = "A",
			.seq = ep.irs + 1 + off,
			.ack = ep.iss + 1,
			.len = len,
			.wnd = -1,
			.mss = -1,
			.wscale = -1};
}

/* W-31: an MSS of 1 makes segments of 88 octets, and as many as that takes. */
static void
sec_14_tiny_mss_makes_no_crumbs(void **state)
{
	uint32_t n = 0;

	(void)state;
	rows_begin(&ep, __func__, &rows_plain,
			"{open}; < S i= 0; > SA p i+1 mss=1 wnd=65535; < A i+1 p+1; [CONNECTED];"
			"{send 8800}");
	while (rows_info(&ep).snd_una != ep.iss + 8801) {
		ep_turn(&ep);
		while (ep_take(&ep) != NULL) {
			assert_int_equal(ep.taken.len, 88);
			n++;
		}
		ack(rows_info(&ep).snd_nxt - ep.iss);
		ep_turn(&ep);
	}
	assert_int_equal(n, 100);
	end_by_abort();
}

/* Half a window of out-of-order octets pins no more than its share of ranges. */
static void
sec_14_ranges_are_bounded(void **state)
{
	struct pmtcp_stats stats;

	(void)state;
	rows_begin(&ep, __func__, &rows_plain, REACH_EST);
	for (uint32_t i = 0; i < 5000; i++) {
		struct ep_seg seg = text_at(2 + 3 * i, 1);

		ep_inject(&ep, &seg);
		if (i % 32 == 31)
			cell_script(&ep, "~");
	}
	cell_script(&ep, "~");
	pmtcp_stats(ep.ctx, &stats);
	assert_in_range(stats.records_used, 1, 64);
	assert_true(ep_gained(&ep, PMTCP_C_drop_ooo_limit) > 4000);
	end_by_abort();
}

/* An ARP request for our address from this one. */
static void
asked_by(uint32_t ip)
{
	struct rte_ether_addr mac = ctx_mac_of(ip);
	struct pkt_arp arp = {.op = 1, .spa = ip, .tpa = TEST_ADDR};

	memcpy(arp.sha, mac.addr_bytes, 6);
	bed_inject_arp(&bed, &arp);
	bed_turn(&bed);
	assert_int_equal(bed_forget(&bed), 1);
}

/* W-6: who lives outside the subnet cannot be sent to: the answer is all that it gets, and the
 * 16 places of the table stay with those who can. */
static void
sec_14_askers_off_the_link_take_no_entry(void **state)
{
	struct pmtcp_addr near = pmtcp_addr4(PMTCP_IP4(10, 0, 0, 9), 80);
	struct pmtcp_conn *opened;

	(void)state;
	bed_create(&bed, NULL);
	asked_by(near.ip4);
	bed_advance(&bed, BED_MS);
	for (uint32_t i = 0; i < 100; i++)
		asked_by(PMTCP_IP4(10, 9, 0, 1) + i);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &near, NULL, &opened), 0);
	bed_turn(&bed);
	assert_int_equal(bed_take(&bed)->kind, PKT_KIND_TCP);
	pmtcp_abort(opened);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sec_10_too_big_for_what_is_outstanding_is_taken),
			cmocka_unit_test(sec_10_below_the_floor_is_ignored),
			cmocka_unit_test(sec_10_not_below_the_current_is_ignored),
			cmocka_unit_test(sec_10_forged_with_an_acknowledged_number_is_ignored),
			cmocka_unit_test(sec_10_what_was_not_that_large_waits_for_the_timeout),
			cmocka_unit_test(sec_11_each_secret_has_one_purpose),
			cmocka_unit_test(sec_11_nothing_told_holds_a_secret),
			cmocka_unit_test(sec_12_divided_ack_gains_one_segment),
			cmocka_unit_test(sec_12_optimistic_ack_gains_nothing),
			cmocka_unit_test(sec_12_spoofed_duplicates_gain_nothing_that_lasts),
			cmocka_unit_test(sec_13_a_syn_is_answered_six_times_by_cookie_once),
			cmocka_unit_test(sec_13_no_text_before_established),
			cmocka_unit_test(sec_14_tiny_mss_makes_no_crumbs),
			cmocka_unit_test(sec_14_ranges_are_bounded),
			cmocka_unit_test(sec_14_askers_off_the_link_take_no_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
