/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: SEC-11 of doc/requirements.md as far as a start decides it: keys come from
 * getrandom(2), are all different, and never the same again. Method: a worker on a ring,
 * with a recorder in the context's place. */

#include "unit/worker_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { KEYS = sizeof(struct pmtcp_secrets) / 16, STARTS = 3 };

static void
sec_11_each_start_has_secrets_of_its_own(void **state)
{
	uint8_t keys[STARTS * KEYS][16];
	struct bed bed;

	for (int i = 0; i < STARTS; i++) {
		bed_open(&bed, NULL);
		memcpy(keys[i * KEYS], &init_conf.secrets, sizeof(init_conf.secrets));
		bed_close(&bed);
	}
	for (int i = 0; i < STARTS * KEYS; i++)
		for (int k = 0; k < i; k++)
			assert_memory_not_equal(keys[i], keys[k], 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sec_11_each_start_has_secrets_of_its_own),
	};

	return cmocka_run_group_tests(tests, bed_link_open, bed_link_close);
}
