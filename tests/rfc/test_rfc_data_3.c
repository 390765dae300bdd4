/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: rows DATA-19 and DATA-31 to DATA-45 of doc/requirements.md, as far as
 * test_rfc_data_rexmit and test_rfc_data_sack_sender do not show them: estimates, timers,
 * windows that come and go. Method: scripts, models in floating point typed from the rows,
 * and a peer that follows dice. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <math.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "support/rows.h"

static const struct ep_opts rows_sack = {.conn = {.no_timestamps = true, .no_wscale = true}};
static const struct ep_opts rows_stamped = {.conn = {.no_sack = true, .no_wscale = true}};
static const struct ep_opts rows_newreno = {.conn = {.no_timestamps = true,
							    .no_sack = true,
							    .no_wscale = true,
							    .cc = PMTCP_CC_NEWRENO}};

/* The peer acknowledges up to this number of ours, offering this window. */
static void
ack(struct ep *ep, uint32_t to, uint16_t wnd)
{
	struct ep_seg seg = {.flags = "A", .wnd = wnd, .mss = -1, .wscale = -1};

	seg.seq = rows_info(ep).rcv_nxt;
	seg.ack = ep->iss + to;
	ep_inject(ep, &seg);
}

static void
forget(struct ep *ep)
{
	cell_script(ep, "~");
	ep->events = 0;
	ep->reason = PMTCP_REASON_NONE;
}

static void
end_by_abort(struct ep *ep)
{
	ep_abort(ep);
	forget(ep);
	rows_end(ep);
}

/* ---- DATA-19 ---- */

/* A peer that takes only what is next and within the window it offers now, which it opens,
 * shuts and takes back as the dice fall; frames are lost both ways. */
struct fickle {
	struct rng rng;
	uint32_t nxt; /* from our initial number */
	uint16_t wnd;
};

static void
fickle_answers(struct ep *ep, struct fickle *f)
{
	static const uint16_t windows[] = {0, 0, 1, 500, 1000, 1460, 8192, 65535};

	f->wnd = windows[rng_below(&f->rng, PMTCP_ARRAY_SIZE(windows))];
	if (rng_below(&f->rng, 5) != 0)
		ack(ep, f->nxt, f->wnd);
}

static void
fickle_takes(struct fickle *f, const struct ep *ep, const struct pkt *p)
{
	uint32_t at = p->seq - ep->iss;
	uint32_t end = min_u32(at + p->len, f->nxt + f->wnd);

	if (rng_below(&f->rng, 5) != 0 && at <= f->nxt && end > f->nxt)
		f->nxt = end;
}

/* Nothing but a single octet goes beyond the window that was told last. */
static void
check_within(const struct pkt *p, const struct pmtcp_conn_info *info)
{
	if (p->len > 1)
		assert_true((int32_t)(p->seq + p->len - info->snd_una - info->snd_wnd) <= 0);
}

static void
run_fickle(const char *name, const struct ep_opts *opts, const char *reach, uint64_t seed)
{
	enum { OCTETS = 40000 };
	static struct ep ep;
	struct fickle f = {.nxt = 1, .wnd = 8192};
	const struct pkt *p;

	rng_seed(&f.rng, seed);
	rows_begin(&ep, name, opts, reach);
	assert_int_equal(ep_write(&ep, OCTETS), OCTETS);
	for (int i = 0; f.nxt < 1 + OCTETS; i++) {
		struct pmtcp_conn_info info = rows_info(&ep);

		if (ep.is_ended || i == 20000)
			fail_msg("%s: seed %u stops at %u", name, (unsigned int)seed, f.nxt);
		ep_advance(&ep, 20 * EP_MS);
		while ((p = ep_take(&ep)) != NULL) {
			check_within(p, &info);
			fickle_takes(&f, &ep, p);
		}
		if (rng_below(&f.rng, 4) == 0)
			fickle_answers(&ep, &f);
		ep.events = 0;
		ep.reason = PMTCP_REASON_NONE;
	}
	ack(&ep, f.nxt, 8192);
	forget(&ep);
	assert_int_equal(rows_info(&ep).unacked, 0);
	rows_end(&ep);
}

#define REACH_SACK "{open}; < S i= 0; > SA p i+1 wnd=8192 sackok; < A i+1 p+1; [CONNECTED]; = EST"

static void
data_19_transfer_ends_whatever_the_window_does(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		run_fickle("data_19_fickle", &rows_no_blackhole, REACH_EST, seed);
		run_fickle("data_19_fickle_sack", &rows_sack, REACH_SACK, seed);
	}
}

/* ---- DATA-31, DATA-32 ---- */

/* RFC 6298 section 2, in seconds: alpha 1/8, beta 1/4, the variance first. */
struct model {
	double srtt, rttvar;
};

static void
model_sample(struct model *m, double r)
{
	m->rttvar = 0.75 * m->rttvar + 0.25 * fabs(m->srtt - r);
	m->srtt = 0.875 * m->srtt + 0.125 * r;
}

static double
model_rto(const struct model *m)
{
	return fmin(60, fmax(0.2, m->srtt + fmax(0.001, 4 * m->rttvar)));
}

static void
expect_near(double got, double want)
{
	if (fabs(got - want) > 0.002 + want / 500)
		fail_msg("%f instead of %f", got, want);
}

static void
data_31_thousand_samples_match_the_model(void **state)
{
	static struct ep ep;
	struct model m = {.srtt = 0.1, .rttvar = 0.05};
	struct rng rng;

	(void)state;
	rng_seed(&rng, 31);
	rows_begin(&ep, "data_31_model", &rows_plain,
			"{open}; < S i= 0; +100; > SA p i+1 wnd=65535; < A i+1 p+1; [CONNECTED]");
	for (uint32_t i = 0; i < 1000; i++) {
		/* Some are long, none as long as the RTO. */
		double r = 0.001 * (double)(1 + rng_below(&rng, i % 50 == 0 ? 2000 : 150));

		r = fmin(r, 0.8 * model_rto(&m));
		assert_int_equal(ep_write(&ep, 10), 10);
		ep_turn(&ep);
		ep_advance(&ep, (uint64_t)(r * 1e9));
		ack(&ep, 1 + 10 * (i + 1), 65535);
		forget(&ep);
		model_sample(&m, r);
		expect_near(rows_info(&ep).srtt_us / 1e6, m.srtt);
		expect_near(rows_info(&ep).rttvar_us / 1e6, m.rttvar);
		expect_near(rows_info(&ep).rto_us / 1e6, model_rto(&m));
	}
	assert_int_equal(ep_gained(&ep, PMTCP_C_retransmitted), 0);
	rows_end(&ep);
}

/* Whatever happened: if something is in flight it is sent again in time, if not never. */
static void
data_32_timer_runs_iff_something_is_outstanding(void **state)
{
	static struct ep ep;
	uint32_t sent = 0, acked = 0;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 32);
	rows_begin(&ep, "data_32_traces", &rows_no_blackhole, REACH_WIDE);
	for (int round = 0; round < 300; round++) {
		uint64_t before;

		for (uint64_t k = 1 + rng_below(&rng, 8); k > 0; k--) {
			uint32_t n = 1 + (uint32_t)rng_below(&rng, 3000);

			if (rng_below(&rng, 2)) {
				assert_int_equal(ep_write(&ep, n), n);
				forget(&ep);
				sent = rows_info(&ep).snd_nxt - ep.iss - 1;
			} else {
				acked += (uint32_t)rng_below(&rng, sent - acked + 1);
				ack(&ep, 1 + acked, 65535);
				forget(&ep);
				sent = rows_info(&ep).snd_nxt - ep.iss - 1;
			}
			ep_advance(&ep, rng_below(&rng, 100) * EP_MS);
			forget(&ep);
		}
		sent = rows_info(&ep).snd_nxt - ep.iss - 1;
		before = ep_gained(&ep, PMTCP_C_rexmt_timeout);
		ep_advance(&ep, 61000 * EP_MS); /* no RTO is longer */
		forget(&ep);
		assert_int_equal(ep_gained(&ep, PMTCP_C_rexmt_timeout) > before, sent != acked);
		/* All arrives in the end; a sample ends the back-off. */
		for (int k = 0; k < 100 && rows_info(&ep).unacked + rows_info(&ep).unsent > 0;
				k++) {
			acked = rows_info(&ep).snd_nxt - ep.iss - 1;
			ack(&ep, 1 + acked, 65535);
			forget(&ep);
		}
		assert_int_equal(ep_write(&ep, 10), 10);
		forget(&ep);
		acked = sent = rows_info(&ep).snd_nxt - ep.iss - 1;
		ack(&ep, 1 + acked, 65535);
		forget(&ep);
	}
	rows_end(&ep);
}

/* ---- DATA-41, DATA-42, DATA-43 ---- */

/* The window is not used, so it does not grow. */
static void
data_41_unused_window_does_not_grow(void **state)
{
	static struct ep ep;

	(void)state;
	for (int i = 0; i < 2; i++) {
		rows_begin(&ep, "data_41_unused", i ? &rows_newreno : &rows_plain, REACH_WIDE);
		for (uint32_t k = 1; k <= 100; k++) {
			assert_int_equal(ep_write(&ep, 1460), 1460);
			forget(&ep);
			assert_int_equal(rows_info(&ep).cwnd, 14600);
			ack(&ep, 1 + 1460 * k, 65535);
			forget(&ep);
		}
		rows_end(&ep);
	}
}

/* Eifel (RFC 4015): the echo is of the original, so the timeout was spurious. */
static void
data_42_echo_of_the_original_undoes_a_timeout(void **state)
{
	static struct ep ep;
	struct ep_seg seg = {.flags = "A", .wnd = 65535, .mss = -1, .wscale = -1, .has_ts = true};

	(void)state;
	rows_begin(&ep, "data_42_eifel", &rows_stamped,
			"{listen}; > S p ts=1000:0 wnd=65535; < SA i= p+1 ts=1000;"
			"> A p+1 i+1 ts=1001:0 wnd=65535; [ACCEPTED]; {send 14480}");
	ep_turn(&ep);
	seg.tsecr = ep_take(&ep)->tsval;
	forget(&ep);
	assert_int_equal(rows_info(&ep).cwnd, 14480);
	cell_script(&ep, "+205; ~; # rexmt_timeout");
	assert_true(rows_info(&ep).cwnd < 14480);
	seg.seq = ep.irs + 1;
	seg.ack = ep.iss + 1449;
	seg.tsval = 1300;
	ep_inject(&ep, &seg);
	cell_script(&ep, "~; # undo_timestamp");
	assert_true(rows_info(&ep).cwnd >= 14480);
	end_by_abort(&ep);
}

/* And the echo of the retransmission is none. */
static void
data_42_echo_of_the_retransmission_undoes_nothing(void **state)
{
	static struct ep ep;
	struct ep_seg seg = {.flags = "A", .wnd = 65535, .mss = -1, .wscale = -1, .has_ts = true};

	(void)state;
	rows_begin(&ep, "data_42_no_eifel", &rows_stamped,
			"{listen}; > S p ts=1000:0 wnd=65535; < SA i= p+1 ts=1000;"
			"> A p+1 i+1 ts=1001:0 wnd=65535; [ACCEPTED]; {send 14480}; ~; +205");
	seg.tsecr = ep_take(&ep)->tsval;
	forget(&ep);
	seg.seq = ep.irs + 1;
	seg.ack = ep.iss + 1449;
	seg.tsval = 1300;
	ep_inject(&ep, &seg);
	cell_script(&ep, "~; # undo_timestamp+0 frto_spurious+0");
	assert_true(rows_info(&ep).cwnd < 14480);
	end_by_abort(&ep);
}

/* min(10*MSS, max(2*MSS, 14600)): the first flight, octet by octet. */
static void
data_43_first_flight_by_mss(void **state)
{
	static const struct {
		uint16_t mss;
		uint32_t octets;
	} rows[] = {{1460, 14600}, {1400, 14000}, {536, 5360}, {88, 880}};
	static struct ep ep;
	char reach[160];

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		uint32_t octets = 0;

		snprintf(reach, sizeof(reach),
				"{listen}; > S p wnd=65535 mss=%u; < SA i= p+1;"
				"> A p+1 i+1 wnd=65535; [ACCEPTED]; {send 30000}",
				rows[i].mss);
		rows_begin(&ep, "data_43_iw", &rows_plain, reach);
		ep_turn(&ep);
		while (ep_take(&ep) != NULL)
			octets += ep.taken.len;
		assert_int_equal(octets, rows[i].octets);
		end_by_abort(&ep);
	}
}

/* Probes of a shut window are no loss. */
static void
data_43_persist_leaves_cwnd_alone(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "data_43_persist", &rows_plain,
			REACH_EST "; > A p+1 i+1 wnd=0; .; {send 30000}; .");
	for (int i = 0; i < 20; i++) {
		ep_advance(&ep, 1000 * EP_MS);
		while (ep_take(&ep) != NULL)
			assert_int_equal(ep.taken.len, 1);
		ack(&ep, 1, 0);
	}
	assert_true(ep_gained(&ep, PMTCP_C_probe_sent) > 4);
	assert_int_equal(rows_info(&ep).cwnd, 14600);
	assert_int_equal(ep_gained(&ep, PMTCP_C_rexmt_timeout), 0);
	end_by_abort(&ep);
}

/* ---- DATA-33, DATA-45 ---- */

/* Never earlier than an RTO after the last sending, whatever the first one was. */
ROW(data_33_timer_counts_from_the_last_ack_or_sending, &rows_no_blackhole,
		REACH_WIDE "; {send 1460}; < PA i+1 p+1 len=1460; +100; {send 1460};"
			   "< PA i+1461 p+1 len=1460; +50; > A p+1 i+1461 wnd=65535; .; +195; .;"
			   "+10; < PA i+1461 p+1 len=1460; > A p+1 i+2921 wnd=65535; .")

/* What is sent again says what is known now: ACK, window and clock. */
ROW(data_45_retransmission_carries_the_present, &rows_stamped,
		"{listen}; > S p ts=1000:0; < SA i= p+1 ts=1000; > A p+1 i+1 ts=1001:0; [ACCEPTED];"
		"{send 10}; < PA i+1 p+1 len=10 ts=1001 wnd=32768;"
		"> PA p+1 i+1 len=100 ts=1050:0; [READABLE]; +42; < A i+11 p+101 ts=1050 wnd=32668;"
		"+160; < PA i+1 p+101 len=10 ts=1050 wnd=32668; {recv 100}; > A p+101 i+11 "
		"ts=1060:0;"
		".")
/* It obeys the window of now, and goes on where that ends. */
ROW(data_45_retransmission_obeys_the_window, &rows_no_blackhole,
		REACH_WIDE "; {send 1460}; < PA i+1 p+1 len=1460; > A p+1 i+1 wnd=400; .; +205;"
			   "< A i+1 p+1 len=400; .; > A p+1 i+401 wnd=65535; ~; +205; ~;"
			   "> A p+1 i+1461 wnd=65535; .; ? unacked 0")

#define T(name) cmocka_unit_test(name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			T(data_19_transfer_ends_whatever_the_window_does),
			T(data_31_thousand_samples_match_the_model),
			T(data_32_timer_runs_iff_something_is_outstanding),
			T(data_33_timer_counts_from_the_last_ack_or_sending),
			T(data_41_unused_window_does_not_grow),
			T(data_42_echo_of_the_original_undoes_a_timeout),
			T(data_42_echo_of_the_retransmission_undoes_nothing),
			T(data_43_first_flight_by_mss),
			T(data_43_persist_leaves_cwnd_alone),
			T(data_45_retransmission_carries_the_present),
			T(data_45_retransmission_obeys_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
