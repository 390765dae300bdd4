/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* When the next connection is to be opened. Two loops:
 *
 *   open    launch i is intended at start + i / rate, whatever the system does;
 *           latency counts from there, so a stall is charged to every launch it
 *           delayed (no coordinated omission)
 *   closed  as soon as there is room; a rate, if set, is only a ceiling: time
 *           lost is lost, and the intended launch is the actual one
 *
 * It opens nothing and knows no clock. */

#ifndef PMTCP_APPS_LOAD_PACE_H
#define PMTCP_APPS_LOAD_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* A launch this far behind its time is counted late. */
#define PACE_LATE_NS 1000000u

/* How much of lost time a closed loop with a ceiling may make up for: more than the
 * scheduler takes away at once, too little for a burst that matters. */
#define PACE_CATCH_UP_NS 100000000u

struct pace {
	bool is_open_loop;
	bool is_paced;
	uint64_t next_ns;   /* intended time of the next launch ... */
	uint32_t next_frac; /* ... and its 2^-32 ns */
	uint32_t step_frac;
	uint64_t step_ns;
	uint64_t left;     /* launches that the count still allows */
	uint64_t launched; /* since pace_start() */
	uint64_t late;
	uint64_t late_ns_max;
	/* What kept due launches back, in ns of turns. */
	uint64_t held_ns;  /* no room under the concurrency limit */
	uint64_t spent_ns; /* all turns */
	uint64_t last_ns;
};

/* @param rate launches a second, 1..10^9; 0: as fast as there is room
 * @param count launches in all; 0: no limit */
void pace_init(struct pace *p, uint64_t rate, bool is_open_loop, uint64_t count);

/* The clock starts: the first launch is due now. */
void pace_start(struct pace *p, uint64_t now_ns);

/* How many launches are due, at most `room` of them; books who held the rest. */
uint32_t pace_due(struct pace *p, uint64_t now_ns, uint32_t room);

/* Intended time of the next launch. */
static inline uint64_t
pace_intended(const struct pace *p, uint64_t now_ns)
{
	return p->is_open_loop ? p->next_ns : now_ns;
}

/* The next launch was made. Caller: pace_due() allowed it. */
static inline void
pace_launched(struct pace *p, uint64_t now_ns)
{
	uint64_t frac = (uint64_t)p->next_frac + p->step_frac;
	uint64_t behind_ns = now_ns - p->next_ns;

	p->launched++;
	p->left--;
	if (!p->is_paced)
		return;
	if (p->is_open_loop && behind_ns > PACE_LATE_NS) {
		p->late++;
		p->late_ns_max = behind_ns > p->late_ns_max ? behind_ns : p->late_ns_max;
	}
	p->next_frac = (uint32_t)frac;
	p->next_ns += p->step_ns + (frac >> 32);
}

/* Whether the concurrency limit, rather than the rate, set the speed: it held due
 * launches back for more than a hundredth of the time. */
bool pace_is_held(const struct pace *p);

#endif /* PMTCP_APPS_LOAD_PACE_H */
