/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Random plans and faults for the simulator's cases. */

#include "sim/sim.h"

struct sim_plan
sim_plan_random(struct rng *rng, uint64_t octets_max)
{
	struct sim_plan plan = {.end = rng_below(rng, 2) ? SIM_END_SHUTDOWN : SIM_END_WAIT};

	plan.octets = rng_below(rng, 4) == 0 ? rng_below(rng, 4) : rng_below(rng, octets_max + 1);
	plan.write_max = 1 + (uint32_t)rng_below(rng, rng_below(rng, 3) == 0 ? 100 : 8000);
	plan.is_zero_copy = rng_below(rng, 3) == 0;
	if (rng_below(rng, 3) == 0)
		plan.pause_ns = rng_below(rng, 300 * SIM_MS);
	if (rng_below(rng, 4) == 0) {
		plan.read_max = 200 + (uint32_t)rng_below(rng, 4000);
		plan.read_ns = 1 + rng_below(rng, 2 * SIM_MS);
	}
	return plan;
}

void
sim_faults_random(struct wire_faults *faults, struct rng *rng, uint16_t strength)
{
	faults->delay_ns = 1 + rng_below(rng, 20 * SIM_MS);
	faults->jitter_ns = rng_below(rng, 2 * SIM_MS);
	faults->loss = (uint16_t)rng_below(rng, strength + 1u);
	faults->dup = (uint16_t)rng_below(rng, strength + 1u);
	faults->reorder = (uint16_t)rng_below(rng, strength + 1u);
	faults->reorder_ns = rng_below(rng, 10 * SIM_MS);
	faults->corrupt = (uint16_t)rng_below(rng, strength / 2 + 1u);
	faults->truncate = (uint16_t)rng_below(rng, strength / 4 + 1u);
	if (rng_below(rng, 2))
		faults->octet_ns = 8 + rng_below(rng, 400);
}
