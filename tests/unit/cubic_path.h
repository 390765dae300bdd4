/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* CUBIC on a path that gives each octet back after one round trip, and beside it a
 * model of RFC 9438, sections 4.2 to 4.8, in segments, seconds and floating point,
 * that receives the same ACKs. */

#ifndef PMTCP_TESTS_UNIT_CUBIC_PATH_H
#define PMTCP_TESTS_UNIT_CUBIC_PATH_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "recovery/cc.h"

enum { MSS = 1448, ISS = 77 };

/* ---- the model ---------------------------------------------------------- */

#define C_CUBIC 0.4
#define BETA    0.7

struct model {
	double cwnd; /* segments */
	double ssthresh;
	double w_max;
	double w_est;
	double cwnd_prior;
	double k;
	double t; /* of the epoch, seconds in which cwnd limited */
	double last;
	bool has_epoch;
};

static double
model_curve(const struct model *m, double t)
{
	return C_CUBIC * pow(t - m->k, 3) + m->w_max;
}

static void
model_avoid(struct model *m, double segments, double rtt)
{
	double alpha = m->w_est < m->cwnd_prior ? 3 * (1 - BETA) / (1 + BETA) : 1;
	double target;

	m->w_est += alpha * segments / m->cwnd;
	if (model_curve(m, m->t) < m->w_est) {
		m->cwnd = fmax(m->cwnd, m->w_est);
		return;
	}
	target = fmin(fmax(model_curve(m, m->t + rtt), m->cwnd), 1.5 * m->cwnd);
	m->cwnd += (target - m->cwnd) / m->cwnd * segments;
}

static void
model_ack(struct model *m, double now, double segments, double rtt, bool is_limited)
{
	double gap = now - m->last;

	m->last = now;
	if (!is_limited)
		return;
	if (m->cwnd < m->ssthresh) {
		m->cwnd += fmin(segments, 2);
		return;
	}
	m->t += gap;
	if (!m->has_epoch) {
		m->has_epoch = true;
		m->t = 0;
		m->w_max = fmax(m->w_max, m->cwnd);
		m->k = cbrt((m->w_max - m->cwnd) / C_CUBIC);
		m->w_est = m->cwnd;
		m->last = now;
	}
	model_avoid(m, segments, rtt);
}

static void
model_loss(struct model *m)
{
	m->cwnd_prior = m->cwnd;
	m->w_max = m->cwnd < m->w_max ? m->cwnd * (1 + BETA) / 2 : m->cwnd;
	m->ssthresh = fmax(m->cwnd * BETA, 2);
	m->cwnd = m->ssthresh;
	m->has_epoch = false;
}

static void
model_timeout(struct model *m)
{
	model_loss(m);
	m->w_max = 0;
	m->cwnd = 1;
}

/* ---- a path ------------------------------------------------------------- */

struct path {
	struct cc cc;
	struct model m;
	uint64_t now_ns;
	uint32_t rtt_us;
	uint32_t mss;
	uint32_t ack; /* octets of one ACK */
};

static struct cc_event
event(const struct path *p, uint32_t bytes)
{
	return (struct cc_event){
			.now_us = (uint32_t)(p->now_ns / 1000),
			.srtt_us = p->rtt_us,
			.mss = p->mss,
			.bytes = bytes,
			.flight = p->cc.cwnd,
			.nxt = ISS + 1 + p->cc.cwnd,
			.is_limited = true,
	};
}

/* In congestion avoidance with this window, before any loss. */
static void
path_start(struct path *p, uint32_t segments, uint32_t rtt_us)
{
	struct cc_event e = {.mss = MSS, .nxt = ISS};

	*p = (struct path){.rtt_us = rtt_us, .mss = MSS, .ack = MSS, .now_ns = 4294000000000};
	cc_ops_get(CC_CUBIC)->init(&p->cc, &e);
	p->cc.cwnd = segments * MSS;
	p->m = (struct model){.cwnd = segments, .ssthresh = 1e9};
}

static void
path_lose(struct path *p)
{
	struct cc_event e = event(p, 0);

	cc_cubic.loss(&p->cc, &e);
	e.flight = p->cc.ssthresh;
	cc_cubic.recovered(&p->cc, &e);
	model_loss(&p->m);
}

/* One ACK, when its octets would come back. */
static void
path_ack(struct path *p, bool is_limited)
{
	struct cc_event e;

	p->now_ns += (uint64_t)p->rtt_us * 1000 * p->ack / p->cc.cwnd;
	e = event(p, p->ack);
	e.is_limited = is_limited;
	cc_cubic.acked(&p->cc, &e);
	model_ack(&p->m, (double)p->now_ns / 1e9, (double)p->ack / p->mss, p->rtt_us / 1e6,
			is_limited);
}

static void
path_run(struct path *p, double seconds, bool is_limited)
{
	uint64_t end = p->now_ns + (uint64_t)(seconds * 1e9);

	while (p->now_ns < end)
		path_ack(p, is_limited);
}

static void
assert_near(double is, double want, double share)
{
	if (fabs(is - want) > want * share)
		fail_msg("%g is not within %g %% of %g", is, share * 100, want);
}

static double
segments(const struct path *p)
{
	return (double)p->cc.cwnd / p->mss;
}

#endif /* PMTCP_TESTS_UNIT_CUBIC_PATH_H */
