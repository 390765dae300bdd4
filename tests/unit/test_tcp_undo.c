/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a window that was reduced for nothing comes back (RFC 3522, 4015, 3708, 9438 4.9;
 * DATA-42), and one that was reduced for something does not. Method: a peer in a few lines
 * that echoes the timestamp it is told to; with and without SACK, both algorithms. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"

enum {
	MSS = 1448, /* 1460 and the timestamps */
	SEGS = 10,
	IW = SEGS * MSS,
	NO_THRESHOLD = 1 << 30,
};

static struct ep ep;
static uint32_t first_tsval; /* of the flight */
static uint32_t newest_tsval;
static uint32_t n_taken; /* data segments since begin() */

static void
take_all(void)
{
	const struct pkt *p;

	while ((p = ep_take(&ep)) != NULL) {
		newest_tsval = p->tsval;
		n_taken += p->len > 0;
	}
}

/* Acknowledges up to segment number `una`, and SACKs those in [left, right) if right. */
static void
peer_acks(uint32_t una, uint32_t tsecr, uint32_t left, uint32_t right)
{
	struct ep_seg seg = {.flags = "A",
			.seq = ep.irs + 1,
			.ack = ep.iss + 1 + una * MSS,
			.wnd = UINT16_MAX,
			.mss = -1,
			.wscale = -1,
			.has_ts = true,
			.tsval = 1000,
			.tsecr = tsecr};

	if (right > 0 && rows_info(&ep).sack) {
		seg.n_sack = 1;
		seg.sack[0].left = ep.iss + 1 + left * MSS;
		seg.sack[0].right = ep.iss + 1 + right * MSS;
	}
	ep_inject(&ep, &seg);
	ep_turn(&ep);
	take_all();
}

/* Ten segments in flight, all windows but the congestion window wide, and more to send. */
static void
begin(const char *name, bool has_sack, enum pmtcp_cc cc)
{
	const struct ep_opts opts = {.conn = {.no_sack = !has_sack,
						     .no_wscale = true,
						     .send_buffer = 1 << 20,
						     .cc = (uint8_t)cc}};
	struct ep_seg synack = {.flags = "SA",
			.wnd = UINT16_MAX,
			.mss = 1460,
			.wscale = -1,
			.has_ts = true,
			.tsval = 1000,
			.has_sack_perm = has_sack};
	const struct pkt *p;

	ep_create(&ep, name, &opts);
	assert_int_equal(ep_open_active(&ep), 0);
	ep_turn(&ep);
	p = ep_take(&ep);
	assert_non_null(p);
	synack.seq = ep.irs;
	ep.iss = p->seq;
	synack.ack = p->seq + 1;
	synack.tsecr = p->tsval;
	ep_advance(&ep, 20 * EP_MS);
	ep_inject(&ep, &synack);
	ep_turn(&ep);
	cell_script(&ep, "[CONNECTED]");
	take_all();
	assert_true(ep_write(&ep, 4 * IW) > 0);
	ep_turn(&ep);
	p = ep_peek(&ep);
	assert_non_null(p);
	first_tsval = p->tsval;
	n_taken = 0;
	take_all();
	assert_int_equal(n_taken, SEGS);
	assert_int_equal(rows_info(&ep).cwnd, IW);
	assert_int_equal(rows_info(&ep).ssthresh, NO_THRESHOLD);
	ep_mark(&ep);
}

static void
end(void)
{
	ep_abort(&ep);
	ep_turn(&ep);
	take_all();
	ep_drop(&ep);
}

/* RFC 9438 4.6, 5681 equation 4. */
static uint32_t
reduced(enum pmtcp_cc cc, uint32_t flight)
{
	return cc == PMTCP_CC_CUBIC ? flight / 10 * 7 + flight % 10 * 7 / 10 : flight / 2;
}

static void
each_kind(const char *name, void (*body)(const char *name, bool has_sack, enum pmtcp_cc cc))
{
	for (int i = 0; i < 4; i++)
		body(name, i & 1, i & 2 ? PMTCP_CC_CUBIC : PMTCP_CC_NEWRENO);
}

/* The ACK of the original was late: its echo is older than what was sent again. */
static void
late_ack(const char *name, bool has_sack, enum pmtcp_cc cc)
{
	begin(name, has_sack, cc);
	ep_advance(&ep, 310 * EP_MS);
	take_all();
	assert_int_equal(ep_gained(&ep, PMTCP_C_rexmt_timeout), 1);
	assert_int_equal(rows_info(&ep).cwnd, MSS);
	assert_int_equal(rows_info(&ep).ssthresh, reduced(cc, rows_info(&ep).unacked));
	n_taken = 0;
	peer_acks(1, first_tsval, 0, 0);
	assert_int_equal(ep_gained(&ep, PMTCP_C_undo_timestamp), 1);
	assert_in_range(rows_info(&ep).cwnd, IW, IW + 2 * MSS);
	assert_int_equal(rows_info(&ep).ssthresh, NO_THRESHOLD);
	for (uint32_t una = 2; una <= SEGS; una++)
		peer_acks(una, first_tsval, 0, 0);
	/* All that followed was new. */
	assert_int_equal(ep_gained(&ep, PMTCP_C_rexmt_timeout), 1);
	assert_true(ep_gained(&ep, PMTCP_C_retransmitted) <= 2); /* a probe, and the timeout's */
	end();
}

static void
data_42_late_ack_undoes_the_timeout(void **state)
{
	(void)state;
	each_kind(__func__, late_ack);
}

/* One ACK of the originals of all: IW at most comes back at once, and that much was in
 * flight, besides a probe; the ACK opens the window by two, as each does. */
static void
late_ack_of_all(const char *name, bool has_sack, enum pmtcp_cc cc)
{
	begin(name, has_sack, cc);
	ep_advance(&ep, 310 * EP_MS);
	take_all();
	assert_int_equal(rows_info(&ep).cwnd, MSS);
	peer_acks(SEGS, first_tsval, 0, 0);
	assert_int_equal(ep_gained(&ep, PMTCP_C_undo_timestamp), 1);
	assert_in_range(rows_info(&ep).cwnd, IW, IW + 3 * MSS);
	end();
}

static void
data_42_late_ack_of_all_undoes_the_timeout(void **state)
{
	(void)state;
	each_kind(__func__, late_ack_of_all);
}

static void
real_timeout(const char *name, bool has_sack, enum pmtcp_cc cc)
{
	uint32_t ssthresh;

	begin(name, has_sack, cc);
	ep_advance(&ep, 310 * EP_MS);
	take_all();
	ssthresh = rows_info(&ep).ssthresh;
	peer_acks(1, newest_tsval, 0, 0);
	assert_int_equal(ep_gained(&ep, PMTCP_C_undo_timestamp), 0);
	assert_in_range(rows_info(&ep).cwnd, MSS, 2 * MSS);
	assert_int_equal(rows_info(&ep).ssthresh, ssthresh);
	end();
}

static void
data_42_real_timeout_is_not_undone(void **state)
{
	(void)state;
	each_kind(__func__, real_timeout);
}

/* Three segments overtook the first, which comes after it was sent again. */
static void
overtaken(const char *name, bool has_sack, enum pmtcp_cc cc)
{
	begin(name, has_sack, cc);
	ep_advance(&ep, 5 * EP_MS);
	for (uint32_t i = 2; i <= 4; i++)
		peer_acks(0, first_tsval, 1, i);
	assert_int_equal(ep_gained(&ep, PMTCP_C_rexmt_fast), 1);
	assert_true(rows_info(&ep).ssthresh < IW);
	peer_acks(4, first_tsval, 0, 0);
	assert_int_equal(ep_gained(&ep, PMTCP_C_undo_timestamp), 1);
	assert_in_range(rows_info(&ep).cwnd, IW, IW + 4 * MSS);
	assert_int_equal(rows_info(&ep).ssthresh, NO_THRESHOLD);
	assert_int_equal(ep_gained(&ep, PMTCP_C_retransmitted), 1);
	end();
}

static void
data_42_overtaken_segment_undoes_the_fast_retransmit(void **state)
{
	(void)state;
	each_kind(__func__, overtaken);
}

static void
lost(const char *name, bool has_sack, enum pmtcp_cc cc)
{
	uint32_t ssthresh;

	begin(name, has_sack, cc);
	ep_advance(&ep, 5 * EP_MS);
	for (uint32_t i = 2; i <= 4; i++)
		peer_acks(0, first_tsval, 1, i);
	ssthresh = rows_info(&ep).ssthresh;
	assert_int_equal(ssthresh, reduced(cc, IW));
	ep_advance(&ep, 5 * EP_MS);
	peer_acks(4, newest_tsval, 0, 0);
	assert_int_equal(ep_gained(&ep, PMTCP_C_undo_timestamp), 0);
	assert_int_equal(rows_info(&ep).ssthresh, ssthresh);
	end();
}

static void
data_42_real_loss_is_not_undone(void **state)
{
	(void)state;
	each_kind(__func__, lost);
}

/* RFC 3522 3.2 step 5: the first ACK decides. Two were lost; what is older than the second's
 * sending again, and comes after the first was found lost, undoes nothing. */
static void
second_ack(const char *name, bool has_sack, enum pmtcp_cc cc)
{
	uint32_t ssthresh;

	begin(name, has_sack, cc);
	ep_advance(&ep, 5 * EP_MS);
	for (uint32_t i = 3; i <= 5; i++)
		peer_acks(0, first_tsval, 2, i);
	assert_int_equal(ep_gained(&ep, PMTCP_C_rexmt_fast), 1);
	ssthresh = rows_info(&ep).ssthresh;
	ep_advance(&ep, 5 * EP_MS);
	peer_acks(1, newest_tsval, 2, 5);
	ep_advance(&ep, 5 * EP_MS);
	peer_acks(5, first_tsval, 0, 0);
	assert_int_equal(ep_gained(&ep, PMTCP_C_undo_timestamp), 0);
	assert_int_equal(rows_info(&ep).ssthresh, ssthresh);
	end();
}

static void
data_42_second_ack_is_not_asked(void **state)
{
	(void)state;
	each_kind(__func__, second_ack);
}

/* RFC 3708: the duplicate was of the recovery before, and says nothing of this one. */
static void
data_42_old_duplicate_undoes_nothing_new(void **state)
{
	static const struct ep_opts with_sack = {
			.conn = {.no_timestamps = true, .no_wscale = true}};
	uint32_t ssthresh;

	(void)state;
	rows_begin(&ep, __func__, &with_sack,
			"{open}; < S i= 0; > SA p i+1 wnd=65535 sackok; < A i+1 p+1; [CONNECTED];"
			"{send 20000}; ~; +9; > A p+1 i+1 wnd=65535 sack=i+1461:i+5841;"
			"< A i+1 p+1 len=1460; ~; > A p+1 i+14601 wnd=65535; ~;"
			"> A p+1 i+14601 wnd=65535 sack=i+16061:i+20001; < A i+14601 p+1 len=1460;"
			"~; # rexmt_fast+2");
	ssthresh = rows_info(&ep).ssthresh;
	cell_script(&ep, "> A p+1 i+14601 wnd=65535 sack=i+1:i+1461 sack=i+16061:i+20001; ~;"
			 "# dsack_received undo_dsack+0");
	assert_int_equal(rows_info(&ep).ssthresh, ssthresh);
	/* That of this one does. */
	cell_script(&ep, "> A p+1 i+20001 wnd=65535 sack=i+14601:i+16061; ~; # undo_dsack");
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_42_late_ack_undoes_the_timeout),
			cmocka_unit_test(data_42_late_ack_of_all_undoes_the_timeout),
			cmocka_unit_test(data_42_real_timeout_is_not_undone),
			cmocka_unit_test(data_42_overtaken_segment_undoes_the_fast_retransmit),
			cmocka_unit_test(data_42_real_loss_is_not_undone),
			cmocka_unit_test(data_42_second_ack_is_not_asked),
			cmocka_unit_test(data_42_old_duplicate_undoes_nothing_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
