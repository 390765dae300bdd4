/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what becomes of received text, when it is acknowledged and which window is
 * offered (RFC 9293 3.8.6, 3.10.7.4; RFC 5681 4.2; DATA-1 to DATA-7, DATA-10 to
 * DATA-13, DATA-17 to DATA-20, DATA-29). Method: bursts of
 * segments whose ACKs are collected and compared with numbers from the rows. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/pool.h"
#include "support/rows.h"
#include "tcp/tcp.h"

enum { ACKS_MAX = 64 };

/* The pure ACKs that one burst brought. */
struct acks {
	uint32_t n;
	uint32_t ack[ACKS_MAX]; /* from the peer's initial number */
	uint32_t wnd[ACKS_MAX];
};

static void
collect(struct ep *ep, struct acks *acks)
{
	const struct pkt *p;

	acks->n = 0;
	ep_turn(ep);
	while ((p = ep_take(ep)) != NULL) {
		assert_int_equal(p->flags, PKT_ACK);
		assert_int_equal(p->len, 0);
		acks->ack[acks->n] = p->ack - ep->irs;
		acks->wnd[acks->n++] = p->wnd;
	}
}

static void
text(struct ep *ep, uint32_t at, uint32_t len)
{
	struct ep_seg seg = {.flags = "A", .wnd = -1, .mss = -1, .wscale = -1};

	seg.seq = ep->irs + at;
	seg.ack = ep->iss + 1;
	seg.len = len;
	ep_inject(ep, &seg);
}

/* n segments of len octets in order from RCV.NXT, read at once if they were delivered. */
static void
feed(struct ep *ep, uint32_t n, uint32_t len, struct acks *acks)
{
	uint32_t at = rows_info(ep).rcv_nxt - ep->irs;

	for (uint32_t i = 0; i < n; i++)
		text(ep, at + i * len, len);
	collect(ep, acks);
}

static void
read_all(struct ep *ep)
{
	while (ep_read(ep, 4096) > 0)
		;
	ep->events &= ~(uint32_t)PMTCP_EV_READABLE;
}

/* Past the first eight full segments, which are acknowledged one by one (DATA-13). */
static void
begin_steady(struct ep *ep, const char *name, const struct ep_opts *opts)
{
	struct acks acks;

	rows_begin(ep, name, opts, REACH_EST);
	for (int i = 0; i < 8; i++) {
		feed(ep, 1, 1460, &acks);
		assert_int_equal(acks.n, 1);
		read_all(ep);
	}
}

/* ---- acceptance ---- */

static void
data_1_acceptability_is_that_of_table_6(void **state)
{
	static const struct {
		uint32_t seq, len, nxt, wnd;
		bool is_ok;
	} rows[] = {
			/* LEN 0, WND 0: exactly RCV.NXT. */
			{100, 0, 100, 0, true},
			{99, 0, 100, 0, false},
			{101, 0, 100, 0, false},
			/* LEN 0, WND > 0. */
			{99, 0, 100, 50, false},
			{100, 0, 100, 50, true},
			{149, 0, 100, 50, true},
			{150, 0, 100, 50, false},
			/* LEN > 0, WND 0: never. */
			{100, 1, 100, 0, false},
			{90, 20, 100, 0, false},
			/* LEN > 0, WND > 0: first or last octet inside. */
			{90, 10, 100, 50, false},
			{90, 11, 100, 50, true},
			{100, 10, 100, 50, true},
			{149, 10, 100, 50, true},
			{150, 10, 100, 50, false},
			/* Across 2^32. */
			{UINT32_MAX - 4, 0, UINT32_MAX - 4, 10, true},
			{4, 0, UINT32_MAX - 4, 10, true},
			{5, 0, UINT32_MAX - 4, 10, false},
			{UINT32_MAX - 9, 5, UINT32_MAX - 4, 10, false},
			{UINT32_MAX - 9, 6, UINT32_MAX - 4, 10, true},
			{4, 5, UINT32_MAX - 4, 10, true},
			{5, 5, UINT32_MAX - 4, 10, false},
	};

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++)
		assert_int_equal(tcp_seq_is_acceptable(rows[i].seq, rows[i].len, rows[i].nxt,
						 rows[i].wnd),
				rows[i].is_ok);
}

ROW(data_4_text_left_of_rcv_nxt_is_cut, &rows_plain,
		REACH_EST "; > A p+1 i+1 len=100; [READABLE]; {recv 100}; +42; < A i+1 p+101;"
			  "> A p+51 i+1 len=100; [READABLE]; {recv 200}=50; < A i+1 p+151; .")
ROW(data_5_duplicates_are_acked_and_not_delivered, &rows_plain,
		REACH_EST "; > A p+1 i+1 len=10; [READABLE]; +42; < A i+1 p+11;"
			  "> A p+1 i+1 len=10; []; < A i+1 p+11; > A p+1 i+1 len=10; [];"
			  "< A i+1 p+11; {recv 20}=10; {recv 1}=-EAGAIN")
ROW(data_5_duplicate_of_queued_text_is_acked, &rows_plain,
		REACH_EST "; > A p+11 i+1 len=10; < A i+1 p+1; > A p+11 i+1 len=10; < A i+1 p+1; .;"
			  "# drop_dup; > A p+1 i+1 len=10; [READABLE]; < A i+1 p+21; {recv 30}=20")
/* CLOSE-25, CLOSE-24: text first, then the FIN, one ACK. */
ROW(close_25_fin_above_hole_waits_for_it, &rows_plain,
		REACH_EST
		"; > FA p+101 i+1; []; < A i+1 p+1; .; = EST; > A p+1 i+1 len=100;"
		"[READABLE PEER_FIN]; < A i+1 p+102; = CLW; {recv 200}=100; {recv 1}=0; .")

/* Our window is shut; what the peer's segment acknowledges is used all the same. */
static void
data_2_shut_window_still_takes_ack_and_rst(void **state)
{
	static struct ep ep;
	struct acks acks;

	(void)state;
	rows_begin(&ep, "data_2", &rows_plain, REACH_EST);
	feed(&ep, 22, 1460, &acks);
	feed(&ep, 1, 648, &acks);
	cell_script(&ep, "+50; ~; [READABLE]; {send 10}; < PA i+1 p+32769 len=10 wnd=0;"
			 "> A p+32769 i+11 len=5 wnd=500; < A i+11 p+32769 wnd=0; .; []; ? snd_una "
			 "i+11;"
			 "? snd_wnd 500; ? rcv_nxt p+32769; +10s; .; > R p+32770; .; = EST;"
			 "> R p+32769; [CLOSED PEER_RESET]; = CLD");
	rows_end(&ep);
}

/* 40 octets of window left: 40 are taken, the rest and the FIN are cut. */
static void
data_4_text_right_of_the_window_is_cut(void **state)
{
	static struct ep ep;
	struct acks acks;

	(void)state;
	rows_begin(&ep, "data_4", &rows_plain, REACH_EST);
	feed(&ep, 22, 1460, &acks);
	feed(&ep, 1, 608, &acks);
	cell_script(&ep, "+50; ~; [READABLE]; > FA p+32729 i+1 len=100; [READABLE]; +50;"
			 "< A i+1 p+32769 wnd=0; .; = EST; ? unread 32768");
	read_all(&ep);
	assert_int_equal(ep.n_read, 32768);
	cell_script(&ep, "< A i+1 p+32769 wnd=32768; > FA p+32769 i+1 len=60; [READABLE PEER_FIN];"
			 "< A i+1 p+32830; = CLW; {recv 100}=60; {recv 1}=0");
	rows_end(&ep);
}

/* DATA-7: the same numbers with other octets: what came first stays. */
static void
data_7_overlap_never_replaces_octets(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_7", &rows_plain, REACH_EST);
	text(&ep, 101, 100);
	cell_script(&ep, "~");
	ep.irs += 7; /* the pattern shifts, the numbers do not */
	text(&ep, 51 - 7, 150);
	ep.irs -= 7;
	cell_script(&ep, "~");
	text(&ep, 1, 60);
	cell_script(&ep, "~; [READABLE]; ? unread 200");
	assert_int_equal(ep_read(&ep, 50), 50);
	/* 51 to 100 came with other octets and were new then. */
	assert_int_equal(pmtcp_read(ep.conn, (uint8_t[50]){0}, 50), 50);
	ep.n_read += 50;
	assert_int_equal(ep_read(&ep, 200), 100);
	rows_end(&ep);
}

/* DATA-6: ten thousand single octets backwards cost a bounded number of buffers, and
 * what was refused is delivered when it comes again. */
static void
data_6_octets_in_reverse_cost_bounded_memory(void **state)
{
	static struct ep ep;
	uint32_t peak = 0;

	(void)state;
	rows_begin(&ep, "data_6", &rows_plain, REACH_EST);
	for (uint32_t i = 10000; i > 1; i--) {
		text(&ep, i, 1);
		if (i % 16 == 0) {
			cell_script(&ep, "~");
			peak = max_u32(peak, test_pool_live(ep.pool));
		}
	}
	cell_script(&ep, "~");
	assert_true(peak <= 128);
	for (uint32_t at = 1; at <= 10000; at += 1000) {
		text(&ep, at, 1000);
		cell_script(&ep, "~");
	}
	cell_script(&ep, "+50; ~; [READABLE]; ? rcv_nxt p+10001");
	read_all(&ep);
	assert_int_equal(ep.n_read, 10000);
	cell_script(&ep, "~");
	rows_end(&ep);
}

/* DATA-10: both initial numbers ten below 2^32. Ours is a clock of 4 us on the same
 * tuple, so waiting moves it there. */
static void
data_10_numbers_wrap_in_both_directions(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_10", &rows_plain, "");
	ep.irs = UINT32_MAX - 9;
	cell_script(&ep, "{open}; < S i= 0; {abort}; .; [CLOSED LOCAL_ABORT]");
	ep_advance(&ep, (uint64_t)(uint32_t)(UINT32_MAX - 9 - ep.iss) * 4000);
	cell_script(&ep, REACH_WIDE);
	assert_int_equal(ep.iss, UINT32_MAX - 9);
	cell_script(&ep, "{send 4380}; < A i+1 p+1 len=1460; < A i+1461 p+1 len=1460;"
			 "< PA i+2921 p+1 len=1460; +205; < A i+1 p+1 len=1460;"
			 "> A p+1 i+1461 wnd=65535; < A i+1461 p+1 len=1460;"
			 "< PA i+2921 p+1 len=1460; > A p+1 i+4381 wnd=65535; .;"
			 "> A p+101 i+4381 len=100; < A i+4381 p+1; > A p+1 i+4381 len=100;"
			 "[READABLE]; < A i+4381 p+201; {recv 300}=200; > A p-3 i+4381 len=4;"
			 "< A i+4381 p+201; > A p+201 i+4382; < A i+4381 p+201; []; {shutdown};"
			 "< FA i+4381 p+201; > FA p+201 i+4382; < A i+4382 p+202;"
			 "[PEER_FIN CLOSED GRACEFUL]; {close}; = TW");
	rows_end(&ep);
}

/* ---- acknowledging ---- */

static void
data_12_burst_of_eight_is_one_ack(void **state)
{
	static struct ep ep;
	struct acks acks;

	(void)state;
	begin_steady(&ep, "data_12_one", &rows_plain);
	feed(&ep, 8, 1460, &acks);
	assert_int_equal(acks.n, 1);
	assert_int_equal(acks.ack[0], 1 + 16 * 1460);
	read_all(&ep);
	cell_script(&ep, "~");
	rows_end(&ep);
}

static void
data_12_eight_bursts_are_four_acks(void **state)
{
	static struct ep ep;
	struct acks acks;
	uint32_t n = 0;

	(void)state;
	begin_steady(&ep, "data_12_four", &rows_plain);
	for (int i = 0; i < 8; i++) {
		feed(&ep, 1, 1460, &acks);
		n += acks.n;
		read_all(&ep);
	}
	assert_int_equal(n, 4);
	rows_end(&ep);
}

/* DEC-5: one ACK per ack_stretch full segments, with rising numbers; DATA-18: no ACK
 * takes back what an earlier one offered. */
static void
check_stretch(const char *name, const struct ep_opts *opts, uint32_t n, uint32_t stretch)
{
	static struct ep ep;
	struct acks acks;
	uint32_t edge = 0;

	begin_steady(&ep, name, opts);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_RECV_BUFFER, 65535), 0);
	feed(&ep, 1, 1460, &acks);
	cell_script(&ep, "+50; ~");
	read_all(&ep);
	feed(&ep, 2, 1460, &acks);
	edge = acks.ack[acks.n - 1] + acks.wnd[acks.n - 1];
	read_all(&ep);
	feed(&ep, n, 1460, &acks);
	assert_int_equal(acks.n, n / stretch);
	for (uint32_t i = 0; i < acks.n; i++) {
		assert_int_equal(acks.ack[i], 1 + (11 + (i + 1) * stretch) * 1460);
		assert_true(seq_geq(acks.ack[i] + acks.wnd[i], edge));
		edge = acks.ack[i] + acks.wnd[i];
	}
	read_all(&ep);
	cell_script(&ep, "~");
	rows_end(&ep);
}

static void
tune_strict(struct pmtcp_conf *conf)
{
	conf->ack_stretch = 2;
}

static void
data_12_dec_5_burst_of_32_is_four_acks(void **state)
{
	(void)state;
	check_stretch("data_12_32", &rows_plain, 32, 8);
}

static void
data_12_dec_5_strict_burst_is_four_acks(void **state)
{
	static const struct ep_opts strict = {.tune = tune_strict,
			.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};

	(void)state;
	check_stretch("data_12_strict", &strict, 8, 2);
}

/* DATA-11: the ACK rides on the reply; nothing follows. */
ROW(data_11_reply_carries_the_ack, &rows_plain,
		REACH_EST "; > PA p+1 i+1 len=10; [READABLE]; {recv 10}; {send 10};"
			  "< PA i+1 p+11 len=10; .; > A p+11 i+11; .; +200; .; # ack_delayed+0")
/* DATA-13: a hole, its filling in parts and in full. */
ROW(data_13_gap_and_its_filling_are_acked_at_once, &rows_plain,
		REACH_EST
		"; > A p+21 i+1 len=10; < A i+1 p+1; > A p+1 i+1 len=10; [READABLE];"
		"< A i+1 p+11; > A p+11 i+1 len=10; [READABLE]; < A i+1 p+31; {recv 30}; .")
/* DATA-13, DEC-5: what the burst brought is one segment, however much waited above it. A
 * sender without SACK would take an ACK of less for a partial one (RFC 6582). */
static void
data_13_filled_gap_is_one_ack(void **state)
{
	static struct ep ep;
	struct acks acks;

	(void)state;
	rows_begin(&ep, "data_13_filled", &rows_plain, REACH_EST);
	for (uint32_t i = 1; i <= 12; i++)
		text(&ep, 1 + i * 1460, 1460);
	collect(&ep, &acks);
	assert_int_equal(acks.n, 3);
	text(&ep, 1 + 13 * 1460, 1460); /* above the hole, too, in the burst that fills it */
	text(&ep, 1, 1460);
	collect(&ep, &acks);
	assert_int_equal(acks.n, 1);
	assert_int_equal(acks.ack[0], 1 + 14 * 1460);
	read_all(&ep);
	cell_script(&ep, "~");
	rows_end(&ep);
}

/* DATA-29: without SACK three duplicate ACKs for a hole and five segments in a burst. */
ROW(data_29_burst_above_a_hole_is_three_duplicates, &rows_plain,
		REACH_EST
		"; > A p+11 i+1 len=10; > A p+21 i+1 len=10; > A p+31 i+1 len=10;"
		"> A p+41 i+1 len=10; > A p+51 i+1 len=10; < A i+1 p+1; < A i+1 p+1;"
		"< A i+1 p+1; .; > A p+1 i+1 len=10; [READABLE]; < A i+1 p+61; {recv 60}; .")

/* ---- windows ---- */

/* DATA-20: the buffer is full and read octet by octet: probes are told 0 until a real
 * step is free; then the window opens by itself (DATA-13). */
static void
data_20_window_opens_only_by_a_step(void **state)
{
	static struct ep ep;
	struct acks acks;

	(void)state;
	rows_begin(&ep, "data_20", &rows_plain, REACH_EST);
	feed(&ep, 22, 1460, &acks);
	feed(&ep, 1, 648, &acks);
	cell_script(&ep, "+50; ~; [READABLE]");
	for (int i = 1; i < 1460; i++) {
		assert_int_equal(ep_read(&ep, 1), 1);
		if (i % 100 != 0)
			continue;
		text(&ep, 32769, 1);
		cell_script(&ep, "< A i+1 p+32769 wnd=0; .");
	}
	cell_script(&ep, ".");
	assert_int_equal(ep_read(&ep, 1), 1);
	cell_script(&ep, "< A i+1 p+32769 wnd=1460; .");
	rows_end(&ep);
}

/* DATA-20, DATA-13: without a scale the field tells less than the buffer holds. What it
 * cannot tell is no step, and no reason for an update. */
static void
data_20_step_is_of_the_field_not_of_the_buffer(void **state)
{
	static struct ep ep;

	(void)state;
	ep_create(&ep, "data_20_field", &rows_plain);
	ep.conn_opts.recv_buffer = 1 << 20;
	cell_script(&ep, "{listen}; > S p; < SA i= p+1 wnd=65535; > A p+1 i+1; [ACCEPTED]");
	cell_script(&ep, "> A p+1 i+1 len=500; [READABLE]; {recv 500}; .");
	cell_script(&ep, "+42; < A i+1 p+501 wnd=65035; .");
	cell_script(&ep, "> A p+501 i+1 len=1000; [READABLE]; {recv 1000}; .");
	cell_script(&ep, "+42; < A i+1 p+1501 wnd=65535; .");
	rows_end(&ep);
}

/* DATA-18: a smaller buffer lets the field follow the data and no faster. */
static void
data_18_smaller_buffer_never_moves_the_edge_left(void **state)
{
	static struct ep ep;
	struct acks acks;

	(void)state;
	rows_begin(&ep, "data_18", &rows_plain, REACH_EST);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_RECV_BUFFER, 4096), 0);
	for (uint32_t i = 0; i < 22; i++) {
		feed(&ep, 2, 1000, &acks);
		cell_script(&ep, "+50");
		if (acks.n == 0)
			collect(&ep, &acks);
		assert_true(acks.ack[acks.n - 1] + acks.wnd[acks.n - 1] >= 1 + 32768);
		assert_true(acks.wnd[acks.n - 1] >= 32768 - (i + 1) * 2000 || i >= 16);
		read_all(&ep);
		cell_script(&ep, "~");
	}
	/* In the end the field is that of the small buffer. */
	assert_true(acks.wnd[acks.n - 1] <= 4096);
	rows_end(&ep);
}

/* DATA-17: shift 5 serves a mebibyte; odd fillings never move the edge back. */
static void
data_17_scaled_edge_is_monotone(void **state)
{
	static const struct ep_opts scaled = {.conn = {.no_timestamps = true, .no_sack = true}};
	static struct ep ep;
	struct acks acks;
	uint32_t edge = 0, n_acks = 0;

	(void)state;
	ep_create(&ep, "data_17", &scaled);
	ep.conn_opts.recv_buffer = 1 << 20;
	cell_script(&ep, "{listen}; > S p ws=7; < SA i= p+1; > A p+1 i+1; [ACCEPTED]");
	assert_int_equal(rows_info(&ep).rcv_wscale, 5);
	assert_int_equal(rows_info(&ep).snd_wscale, 7);
	for (uint32_t i = 0; i < 300; i++) {
		feed(&ep, 1 + i % 5, 1 + (i * 37) % 1459, &acks);
		if (acks.n == 0) {
			cell_script(&ep, "+50");
			collect(&ep, &acks);
		}
		for (uint32_t k = 0; k < acks.n; k++) {
			uint32_t now = acks.ack[k] + (acks.wnd[k] << 5);

			assert_true(now >= edge);
			edge = now;
		}
		/* Within the buffer, but for the rounding: less than 2^5 per ACK. */
		n_acks += acks.n;
		assert_true(edge <= rows_info(&ep).rcv_nxt - ep.irs - rows_info(&ep).unread +
						    (1 << 20) + 31 * n_acks);
		if (i % 3 == 0)
			ep_read(&ep, 701);
		ep.events = 0;
	}
	read_all(&ep);
	cell_script(&ep, "~");
	rows_end(&ep);
}

/* DATA-18: once the buffer is promised with interest (RES-10) the field is rounded down, and
 * says less than before; what was promised is taken to its last octet all the same. */
static void
data_18_promise_is_kept_when_rounding_ends(void **state)
{
	static const struct ep_opts scaled = {.conn = {.no_timestamps = true, .no_sack = true}};
	static struct ep ep;
	struct acks acks;
	uint32_t edge = 0, now = 0, at = 1;

	(void)state;
	ep_create(&ep, "data_18_rounding", &scaled);
	ep.conn_opts.recv_buffer = 1 << 17;
	cell_script(&ep, "{listen}; > S p ws=7; < SA i= p+1; > A p+1 i+1; [ACCEPTED]");
	assert_int_equal(rows_info(&ep).rcv_wscale, 2);
	for (uint32_t i = 0; i < 20000 && now >= edge; i++) {
		edge = now;
		text(&ep, at++, 1);
		cell_script(&ep, "+50");
		collect(&ep, &acks);
		assert_int_equal(acks.n, 1);
		now = acks.ack[0] + (acks.wnd[0] << 2);
	}
	assert_true(now < edge);
	while (at < edge) {
		text(&ep, at, min_u32(edge - at, 1200));
		at += min_u32(edge - at, 1200);
		cell_script(&ep, "~");
	}
	assert_int_equal(rows_info(&ep).rcv_nxt - ep.irs, edge);
	ep.events = 0;
	read_all(&ep);
	cell_script(&ep, "~");
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_1_acceptability_is_that_of_table_6),
			cmocka_unit_test(data_4_text_left_of_rcv_nxt_is_cut),
			cmocka_unit_test(data_5_duplicates_are_acked_and_not_delivered),
			cmocka_unit_test(data_5_duplicate_of_queued_text_is_acked),
			cmocka_unit_test(close_25_fin_above_hole_waits_for_it),
			cmocka_unit_test(data_2_shut_window_still_takes_ack_and_rst),
			cmocka_unit_test(data_4_text_right_of_the_window_is_cut),
			cmocka_unit_test(data_7_overlap_never_replaces_octets),
			cmocka_unit_test(data_6_octets_in_reverse_cost_bounded_memory),
			cmocka_unit_test(data_10_numbers_wrap_in_both_directions),
			cmocka_unit_test(data_12_burst_of_eight_is_one_ack),
			cmocka_unit_test(data_12_eight_bursts_are_four_acks),
			cmocka_unit_test(data_12_dec_5_burst_of_32_is_four_acks),
			cmocka_unit_test(data_12_dec_5_strict_burst_is_four_acks),
			cmocka_unit_test(data_11_reply_carries_the_ack),
			cmocka_unit_test(data_13_gap_and_its_filling_are_acked_at_once),
			cmocka_unit_test(data_13_filled_gap_is_one_ack),
			cmocka_unit_test(data_29_burst_above_a_hole_is_three_duplicates),
			cmocka_unit_test(data_20_window_opens_only_by_a_step),
			cmocka_unit_test(data_20_step_is_of_the_field_not_of_the_buffer),
			cmocka_unit_test(data_18_smaller_buffer_never_moves_the_edge_left),
			cmocka_unit_test(data_18_promise_is_kept_when_rounding_ends),
			cmocka_unit_test(data_17_scaled_edge_is_monotone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
