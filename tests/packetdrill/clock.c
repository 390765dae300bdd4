/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Virtual time: who moves it, and how a blocking call sleeps in it. */

#include "packetdrill/plug.h"

#include <errno.h>
#include <stdio.h>

#include "base/check.h"

enum {
	TURN_PASSES_MAX = 64,
	EVENTS_MAX = 32,
	OUTPUT_MAX = 32,
	STUCK_STEP_US = 1000, /* where the context's deadline is early: its tick */
	SPIN_US = 20,         /* the tool polls through so much of each wait itself */
	STEPS_MAX = 100000000,
};

/* When the last call of a thread other than the main one returned. */
static _Thread_local uint64_t left_us;

bool
plug_is_main(const struct plug *p)
{
	return pthread_equal(pthread_self(), p->main_thread) != 0;
}

/* Lets the sleeper go as soon as it can, and stands still until it has. */
static void
settle(struct plug *p)
{
	if (!plug_is_main(p))
		return;
	while (p->wait_state == WAIT_SLEEPS &&
			(p->wait->is_ready(p->wait) || p->now_us >= p->wait->deadline_us)) {
		p->wait_state = WAIT_GRANTED;
		pthread_cond_signal(&p->wake);
		while (p->wait_state == WAIT_GRANTED)
			pthread_cond_wait(&p->gone, &p->lock);
	}
}

void
plug_enter(struct plug *p)
{
	pthread_mutex_lock(&p->lock);
}

void
plug_leave(struct plug *p)
{
	settle(p);
	if (!plug_is_main(p)) {
		left_us = p->now_us;
		if (p->wait_state == WAIT_GRANTED) {
			p->wait_state = WAIT_NONE;
			pthread_cond_signal(&p->gone);
		}
	}
	pthread_mutex_unlock(&p->lock);
}

uint64_t
plug_core_ns(const struct plug *p)
{
	return p->now_us * 1000;
}

static bool
take_events(struct plug *p)
{
	struct pmtcp_event ev[EVENTS_MAX];
	uint16_t n = pmtcp_events(p->ctx, ev, EVENTS_MAX);

	for (uint16_t i = 0; i < n; i++)
		sock_event(p, &ev[i]);
	return n > 0;
}

static bool
take_output(struct plug *p)
{
	struct rte_mbuf *pkts[OUTPUT_MAX];
	uint16_t n = pmtcp_output(p->ctx, plug_core_ns(p), pkts, OUTPUT_MAX);

	for (uint16_t i = 0; i < n; i++)
		plug_transmit(p, pkts[i]);
	return n > 0;
}

void
plug_turn(struct plug *p)
{
	bool is_busy = true;

	if (!p->ctx)
		return;
	for (uint32_t i = 0; is_busy && i < TURN_PASSES_MAX; i++) {
		pmtcp_tick(p->ctx, plug_core_ns(p));
		is_busy = take_events(p);
		while (take_output(p))
			is_busy = true;
	}
	state_write(p);
}

/* Rounded up, never now: the context has done what is due now. */
static uint64_t
next_deadline(const struct plug *p)
{
	uint64_t ns = p->ctx ? pmtcp_deadline(p->ctx) : UINT64_MAX;
	uint64_t us;

	if (ns == UINT64_MAX)
		return UINT64_MAX;
	us = (ns + 999) / 1000;
	return us > p->now_us ? us : p->now_us + STUCK_STEP_US;
}

void
plug_step(struct plug *p, uint64_t until_us)
{
	uint64_t next = next_deadline(p);

	if (p->wait_state == WAIT_SLEEPS && p->wait->deadline_us < next)
		next = p->wait->deadline_us;
	next = next < until_us ? next : until_us;
	p->now_us = next > p->now_us ? next : p->now_us;
	plug_turn(p);
	settle(p);
}

void
plug_advance(struct plug *p, uint64_t until_us)
{
	uint32_t steps = 0;

	while (p->now_us < until_us) {
		plug_step(p, until_us);
		CHECK(steps++ < STEPS_MAX);
	}
}

/* The main thread has nobody to move the clock for it. */
static bool
wait_on_main(struct plug *p, const struct wait *w)
{
	uint64_t limit = p->now_us + p->profile.wait_s * 1000000ull;
	uint64_t until = w->deadline_us < limit ? w->deadline_us : limit;

	while (!w->is_ready(w)) {
		if (p->now_us >= until)
			return false;
		plug_step(p, until);
	}
	return true;
}

bool
plug_wait(struct plug *p, struct wait *w)
{
	if (w->is_ready(w))
		return true;
	if (plug_is_main(p))
		return wait_on_main(p, w);
	if (p->wait_state == WAIT_SLEEPS) {
		fprintf(stderr, "pmtcp: a second blocking call at the same time\n");
		return false;
	}
	p->wait = w;
	p->wait_state = WAIT_SLEEPS;
	pthread_cond_signal(&p->gone);
	while (p->wait_state != WAIT_GRANTED)
		pthread_cond_wait(&p->wake, &p->lock);
	return w->is_ready(w);
}

int
plug_usleep(void *userdata, useconds_t us)
{
	struct plug *p = userdata;

	plug_enter(p);
	plug_advance(p, p->now_us + us + SPIN_US);
	plug_leave(p);
	return 0;
}

/* On the main thread each look costs a microsecond, or a wait of a few of them, which
 * the tool does by looking again, would never end. A call that has returned on the
 * other thread ended when it left us, however late that thread asks. */
int
plug_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz)
{
	struct plug *p = userdata;
	uint64_t us;

	(void)tz;
	pthread_mutex_lock(&p->lock);
	if (plug_is_main(p))
		plug_advance(p, p->now_us + 1);
	us = plug_is_main(p) || left_us == 0 ? p->now_us : left_us;
	pthread_mutex_unlock(&p->lock);
	tv->tv_sec = (time_t)(us / 1000000);
	tv->tv_usec = (suseconds_t)(us % 1000000);
	return 0;
}
