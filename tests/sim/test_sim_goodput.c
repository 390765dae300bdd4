/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: under random loss a transfer is as fast as its congestion control allows
 * (DATA-36, DATA-39, DATA-41; RFC 9438 5.1): what loss recovery wastes shows here as
 * segments per round trip that are missing. Method: one connection, 20 ms of round trip,
 * 1448 octets of text per segment, a window of 4 MiB, and nothing else that limits. Of what
 * the sender sends each frame is lost with the same chance; what the receiver sends always
 * arrives. The octets that the reading application got in a minute of virtual time are
 * compared with the closed form and with a table of what they were. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "sim/sim.h"

#define RTT_NS    (20 * SIM_MS)
#define SMSS      1448
#define WARM_UP   (5 * SIM_SEC)
#define MEASURED  (60 * SIM_SEC)
#define TOLERANCE 0.12 /* of the table: another order of the same losses */
#define REQUIRED  0.85 /* of the closed form, for CUBIC with SACK */

struct cell {
	uint16_t loss; /* 1/10000 */
	enum pmtcp_cc cc;
	bool has_sack;
	double golden; /* segments per round trip */
};

static const struct cell *cell;
static double measured;

static void
tune(struct pmtcp_conf *conf, int side)
{
	(void)side;
	conf->send_buffer = 1 << 20; /* no window here comes near it */
	conf->recv_buffer = 4 << 20;
	conf->max_records = 8192;
}

static void
setup(struct sim_opts *opts, struct rng *rng)
{
	(void)rng;
	for (int side = 0; side < SIM_SIDES; side++)
		opts->faults[side].delay_ns = RTT_NS / 2;
	opts->faults[SIM_A].loss = cell->loss;
	opts->conn.cc = (uint8_t)cell->cc;
	opts->conn.no_sack = !cell->has_sack;
	opts->tune = tune;
}

static void
body(struct sim *s)
{
	struct sim_plan plan[SIM_SIDES] = {
			{.octets = 1ull << 40, .write_max = 8000, .end = SIM_END_SHUTDOWN},
			{.end = SIM_END_WAIT},
	};
	struct sim_flow *f = sim_open(s, SIM_A, plan, NULL);
	struct pmtcp_stats stats;
	uint64_t before;

	sim_run_for(s, WARM_UP);
	before = f->half[SIM_B].in.at;
	sim_run_for(s, MEASURED);
	measured = (double)(f->half[SIM_B].in.at - before) / SMSS / ((double)MEASURED / RTT_NS);
	stats = sim_stats(s, SIM_A);
	print_message("loss %u.%02u %% %s %s: %.1f segments per RTT, %lu sent again of %lu lost, "
		      "%lu timeouts, %lu fast\n",
			cell->loss / 100, cell->loss % 100,
			cell->cc == PMTCP_CC_CUBIC ? "CUBIC  " : "NewReno",
			cell->has_sack ? "SACK" : "none", measured,
			(unsigned long)stats.counter[PMTCP_C_retransmitted],
			(unsigned long)s->wire[SIM_A].n_lost,
			(unsigned long)stats.counter[PMTCP_C_rexmt_timeout],
			(unsigned long)stats.counter[PMTCP_C_rexmt_fast]);
	/* Enough: the rest of the queue goes out and both sides close. */
	f->half[SIM_A].plan.octets = f->half[SIM_A].out.at;
	f->half[SIM_A].may_write = true;
	sim_run_flows(s, 600 * SIM_SEC);
	sim_expect_graceful(s, f);
}

/* Segments per round trip of the response functions: RFC 9438 5.1 with C = 0.4, and what
 * Reno makes of the same loss. */
static double
closed_form(double p)
{
	double cubic = 1.054 * pow((double)RTT_NS / 1e9, 0.75) / pow(p, 0.75);
	double reno = sqrt(3 / (2 * p));

	return fmax(cubic, reno);
}

static void
data_41_goodput_under_loss_is_what_the_response_function_says(void **state)
{
	static const struct cell cells[] = {
			{10, PMTCP_CC_CUBIC, true, 42.6},
			{10, PMTCP_CC_CUBIC, false, 32.5},
			{10, PMTCP_CC_NEWRENO, true, 39.1},
			{10, PMTCP_CC_NEWRENO, false, 31.3},
			{100, PMTCP_CC_CUBIC, true, 12.9},
			{100, PMTCP_CC_CUBIC, false, 9.0},
			{100, PMTCP_CC_NEWRENO, true, 11.7},
			{100, PMTCP_CC_NEWRENO, false, 8.9},
			{300, PMTCP_CC_CUBIC, true, 7.4},
			{300, PMTCP_CC_CUBIC, false, 5.0},
			{300, PMTCP_CC_NEWRENO, true, 6.9},
			{300, PMTCP_CC_NEWRENO, false, 4.9},
	};
	const struct sim_case c = {"goodput", 1, setup, body};
	int n_wrong = 0;

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(cells); i++) {
		double want;

		cell = &cells[i];
		want = closed_form(cell->loss / 10000.0);
		sim_run_case(&c);
		if (cell->cc == PMTCP_CC_CUBIC && cell->has_sack && measured < REQUIRED * want) {
			print_message("less than %.0f %% of %.1f\n", REQUIRED * 100, want);
			n_wrong++;
		}
		if (fabs(measured - cell->golden) > TOLERANCE * cell->golden) {
			print_message("not within %.0f %% of %.1f\n", TOLERANCE * 100,
					cell->golden);
			n_wrong++;
		}
	}
	assert_int_equal(n_wrong, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			sim_test(data_41_goodput_under_loss_is_what_the_response_function_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
