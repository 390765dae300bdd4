/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Arithmetic of the launch schedule. */

#include "load/pace.h"

#define NS_PER_S 1000000000ull

void
pace_init(struct pace *p, uint64_t rate, bool is_open_loop, uint64_t count)
{
	*p = (struct pace){.left = count == 0 ? UINT64_MAX : count};
	if (rate == 0)
		return;
	p->is_paced = true;
	p->is_open_loop = is_open_loop;
	p->step_ns = NS_PER_S / rate;
	p->step_frac = (uint32_t)(((NS_PER_S % rate) << 32) / rate);
}

void
pace_start(struct pace *p, uint64_t now_ns)
{
	p->next_ns = now_ns;
	p->next_frac = 0;
	p->last_ns = now_ns;
}

/* Launches whose time has come: floor(behind / step) + 1. */
static uint64_t
schedule_due(const struct pace *p, uint64_t now_ns)
{
	uint64_t behind_ns = now_ns - p->next_ns;

	if (p->next_ns > now_ns)
		return 0;
	/* The step is rounded up: a launch may come a turn late, never early. */
	return behind_ns / (p->step_ns + (p->step_frac != 0)) + 1;
}

uint32_t
pace_due(struct pace *p, uint64_t now_ns, uint32_t room)
{
	uint64_t due = UINT32_MAX;

	if (p->is_paced && !p->is_open_loop && now_ns > p->next_ns + PACE_CATCH_UP_NS)
		p->next_ns = now_ns - PACE_CATCH_UP_NS;
	if (p->is_paced)
		due = schedule_due(p, now_ns);
	due = due < p->left ? due : p->left;
	p->spent_ns += now_ns - p->last_ns;
	if (due > 0 && room == 0)
		p->held_ns += now_ns - p->last_ns;
	p->last_ns = now_ns;
	return due < room ? (uint32_t)due : room;
}

bool
pace_is_held(const struct pace *p)
{
	return p->held_ns > p->spent_ns / 100;
}
