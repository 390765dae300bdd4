/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: two contexts on two real ports talk through the whole shell: every connection
 * carries its octets there and back and ends GRACEFUL, the books balance, and no buffer
 * is missing (RES-7, RES-15, RES-16). Method: an echo server and a client that checks a
 * pattern, by turns on one thread, over rings of several sizes, with and without faults. */

#include "shell_bed.h"

static void
echo_all(unsigned int ring_size, const struct pmtcp_faults *faults)
{
	const struct shell_conf conf = {.conns = 64,
			.octets = 20000,
			.ring_size = ring_size,
			.workers = 1,
			.queues = 1,
			.faults = *faults};
	static struct shell_bed bed;

	shell_open(&bed, &conf);
	shell_echo_all(&bed);
	for (int end = 0; end < 2; end++) {
		struct pmtcp_worker_stats stats = shell_worker_stats(&bed, end);

		assert_int_equal(stats.tx_dropped, 0); /* the other end was slow, not dead */
		assert_int_equal(stats.misdirected, 0);
		assert_true((stats.fault_lost != 0) == (faults->loss_ppm != 0));
	}
	shell_close(&bed);
}

static void
shell_echo_over_a_ring(void **state)
{
	const struct pmtcp_faults none = {0};

	(void)state;
	echo_all(1024, &none);
}

static void
res_7_ring_of_8_with_64_connections(void **state)
{
	const struct pmtcp_faults none = {0};

	(void)state;
	echo_all(8, &none);
}

static void
shell_echo_through_every_fault(void **state)
{
	const struct pmtcp_faults faults = {.loss_ppm = 10000,
			.dup_ppm = 10000,
			.reorder_ppm = 10000,
			.corrupt_ppm = 10000,
			.delay_us = 200};

	(void)state;
	echo_all(1024, &faults);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(shell_echo_over_a_ring),
			cmocka_unit_test(res_7_ring_of_8_with_64_connections),
			cmocka_unit_test(shell_echo_through_every_fault),
	};

	return cmocka_run_group_tests(tests, shell_start_eal, shell_stop_eal);
}
