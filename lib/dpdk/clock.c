/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The one clock of the process. */

#include "dpdk/clock.h"

#include <stdatomic.h>

#include "pmtcp_dpdk.h"
#include "base/check.h"

static struct clock process_clock;
static atomic_int clock_state; /* 0 not made, 1 being made, 2 ready */

const struct clock *
clock_get(void)
{
	int expected = 0;

	if (is_likely(atomic_load_explicit(&clock_state, memory_order_acquire) == 2))
		return &process_clock;
	if (atomic_compare_exchange_strong(&clock_state, &expected, 1)) {
		/* EAL measured it; 0 before rte_eal_init(). */
		CHECK(rte_get_tsc_hz() != 0);
		clock_init(&process_clock, rte_rdtsc(), rte_get_tsc_hz());
		atomic_store_explicit(&clock_state, 2, memory_order_release);
	}
	while (atomic_load_explicit(&clock_state, memory_order_acquire) != 2)
		; /* another thread is in the three lines above */
	return &process_clock;
}

uint64_t
pmtcp_clock_now(void)
{
	return clock_ns(clock_get(), rte_rdtsc());
}

uint64_t
pmtcp_clock_hz(void)
{
	return rte_get_tsc_hz();
}
