/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the JSON writer writes JSON, whatever the values, and says when it could
 * not. Method: documents are compared octet by octet. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <math.h>
#include <cmocka.h>

#include "common/report.h"

static char text[4096];

static void
document_every_kind_is_exact(void **state)
{
	FILE *f = fmemopen(text, sizeof(text), "w");
	struct json j;

	json_begin(&j, f);
	json_u64(&j, "big", UINT64_MAX);
	json_bool(&j, "yes", true);
	json_text(&j, "odd \"key\"", "tab\there \\ \x01 \xc3\xa9");
	json_text(&j, "none", NULL);
	json_double(&j, "pi", 3.14159, 2);
	json_double(&j, "nan", NAN, 2);
	json_array(&j, "list");
	json_u64(&j, NULL, 1);
	json_u64(&j, NULL, 2);
	json_end_array(&j);
	json_object(&j, "empty");
	json_end_object(&j);
	assert_int_equal(json_finish(&j), 0);
	fclose(f);
	assert_string_equal(text,
			"{\n  \"big\": 18446744073709551615,\n  \"yes\": true,\n"
			"  \"odd \\\"key\\\"\": \"tab\\u0009here \\\\ \\u0001 \xc3\xa9\",\n"
			"  \"none\": null,\n  \"pi\": 3.14,\n  \"nan\": null,\n"
			"  \"list\": [\n    1,\n    2\n  ],\n  \"empty\": {}\n}\n");
}

static void
document_to_full_device_is_an_error(void **state)
{
	FILE *f = fopen("/dev/full", "w");
	struct json j;

	assert_non_null(f);
	json_begin(&j, f);
	json_u64(&j, "x", 1);
	assert_true(json_finish(&j) < 0);
	fclose(f);
}

static void
document_unbalanced_traps(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct json j;

		json_begin(&j, stdout);
		json_object(&j, "open");
		json_finish(&j);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}

static void
number_is_grouped_by_thousands(void **state)
{
	char n[REPORT_NUMBER_LEN];

	assert_string_equal(report_number(0, n), "0");
	assert_string_equal(report_number(999, n), "999");
	assert_string_equal(report_number(1000, n), "1,000");
	assert_string_equal(report_number(UINT64_MAX, n), "18,446,744,073,709,551,615");
}

static void
box_says_what_machine_this_is(void **state)
{
	struct report_box box;

	report_box_fill(&box);
	assert_non_null(strstr(box.kernel, "Linux"));
	assert_non_null(strstr(box.dpdk, "DPDK"));
	assert_true(box.cpus >= 1);
	assert_true(box.memory > box.available);
	assert_true(box.available > 1000000);
	assert_int_equal(box.resident, 0);
	report_box_memory(&box);
	assert_in_range(box.resident, 1000000, box.memory);
	assert_true(box.thp + box.hugetlb <= box.resident);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(document_every_kind_is_exact),
			cmocka_unit_test(document_to_full_device_is_an_error),
			cmocka_unit_test(document_unbalanced_traps),
			cmocka_unit_test(number_is_grouped_by_thousands),
			cmocka_unit_test(box_says_what_machine_this_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
