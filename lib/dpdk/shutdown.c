/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The last turns of workers, before the process ends (RES-15). */

#include "dpdk/worker.h"

#include <sched.h>

/* For the RSTs to leave, which may have to wait for buffers, and the last events to be popped. */
#define LAST_WORDS_NS 500000000u

uint32_t
pmtcp_worker_shutdown(const struct pmtcp_job *jobs, uint16_t n, uint64_t ns)
{
	uint64_t deadline_ns = pmtcp_clock_now() + ns;
	uint32_t left;
	bool is_busy;

	do {
		left = 0;
		is_busy = false;
		for (uint16_t i = 0; i < n; i++) {
			is_busy |= pmtcp_worker_turn(jobs[i].worker, jobs[i].fn, jobs[i].arg);
			left += pmtcp_ctx_shutdown(pmtcp_worker_ctx(jobs[i].worker), deadline_ns);
		}
		if (!is_busy)
			sched_yield(); /* a peer may share the CPU */
	} while (left > 0 && pmtcp_clock_now() < deadline_ns + LAST_WORDS_NS);
	return left;
}
