/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Reports: a small JSON writer, numbers for people, the latency ladder and what
 * machine this is. It writes; what to report is the application's. */

#ifndef PMTCP_APPS_REPORT_H
#define PMTCP_APPS_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/hist.h"

#define JSON_DEPTH_MAX 8

/* Writes one JSON document, indented; a misuse of the nesting traps. */
struct json {
	FILE *f;
	uint32_t depth;
	bool has_item[JSON_DEPTH_MAX + 1];
};

/* Begins the document, an object. */
void json_begin(struct json *j, FILE *f);

/* Ends it. Returns 0, or a negative errno if anything could not be written. */
int json_finish(struct json *j);

/* In an object `key` is the name; in an array it must be NULL. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_end_array(struct json *j);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);
void json_text(struct json *j, const char *key, const char *value); /* NULL: null */
/* With so many decimals; what is not a number becomes null. */
void json_double(struct json *j, const char *key, double value, int decimals);

/* {count, min, mean, p50, p90, p99, p999, max} in microseconds of a histogram of ns. */
void json_hist_us(struct json *j, const char *key, const struct hist *h);

#define REPORT_NUMBER_LEN 32

/* "1,234,567"; returns text, which has REPORT_NUMBER_LEN octets. */
const char *report_number(uint64_t value, char text[REPORT_NUMBER_LEN]);

/* One line: "connect us   p50 12.3  p90 ..."; nothing for an empty histogram. */
void report_hist_us(FILE *f, const char *name, const struct hist *h);

/* What the numbers were made on. */
struct report_box {
	char kernel[128];
	char cpu[128];
	char dpdk[64];
	char compiler[64];
	uint32_t cpus;      /* that this process may use */
	uint64_t memory;    /* octets in all */
	uint64_t available; /* octets, as the kernel says in MemAvailable; 0: it does not */
	/* Octets of this process in memory, and of these in transparent and in other huge pages;
	 * 0 where the kernel does not tell. */
	uint64_t resident;
	uint64_t thp;
	uint64_t hugetlb;
};
void report_box_fill(struct report_box *box);
/* What the process has now. Takes a moment: the kernel walks its page tables. */
void report_box_memory(struct report_box *box);
void json_box(struct json *j, const struct report_box *box);

#endif /* PMTCP_APPS_REPORT_H */
