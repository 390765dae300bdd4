/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the benches share: the line that says where numbers come from, timing,
 * medians, one line per case, ratios. A bench is one program for one question;
 * it verifies its results and ends with a non-zero status when they are wrong. */

#ifndef PMTCP_BENCH_BENCH_H
#define PMTCP_BENCH_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_version.h>

#include "base/base.h"
#include "base/rng.h"
#include "bench_build.h"

#ifndef BENCH_FLAGS
#define BENCH_FLAGS "unknown"
#endif

enum {
	BENCH_RUNS = 5,
	BENCH_RUNS_MAX = 15,
};

/* The samples of one case, in TSC cycles per operation. */
struct bench_case {
	const char *name; /* "flow_table.insert" */
	uint64_t size;    /* entries */
	double cycles[BENCH_RUNS_MAX];
	int runs;
};

/* A result that is wrong makes its bench fail, not only its number void. */
#define BENCH_VERIFY(cond)                                                                         \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: wrong result: %s\n", __FILE__, __LINE__, #cond);   \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* Reads "key : value" or a whole line of a file of the system. */
static inline void
bench_read_line(const char *path, const char *key, char *out, size_t len)
{
	FILE *file = fopen(path, "r");
	char line[512];

	snprintf(out, len, "none");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		char *value = key == NULL ? line : strstr(line, ": ");

		if (value == NULL || (key != NULL && strncmp(line, key, strlen(key)) != 0))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, len, "%.*s", (int)len - 1, key == NULL ? value : value + 2);
		break;
	}
	fclose(file);
}

/* Starts EAL for what needs it (the structures of DPDK compared against, and
 * rte_malloc, so that both sides have the same kind of pages), and prints the
 * first line. */
static inline void
bench_start(char *program, uint64_t memory_mb)
{
	char memory[32], cpu[128], governor[64];
	char *argv[] = {program, "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
			"--log-level=error", "-m", memory, "-l", "0"};

	snprintf(memory, sizeof(memory), "%llu", (unsigned long long)memory_mb);
	if (rte_eal_init((int)PMTCP_ARRAY_SIZE(argv), argv) < 0) {
		fprintf(stderr, "EAL does not start\n");
		exit(1);
	}
	bench_read_line("/proc/cpuinfo", "model name", cpu, sizeof(cpu));
	bench_read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", NULL, governor,
			sizeof(governor));
	printf("# commit=%s compiler=\"%s\" flags=\"%s\" cpu=\"%s\" tsc_mhz=%llu governor=%s "
	       "dpdk=\"%s\"\n",
			BENCH_COMMIT, __VERSION__, BENCH_FLAGS, cpu,
			(unsigned long long)(rte_get_tsc_hz() / 1000000), governor, rte_version());
	fflush(stdout);
}

static inline void *
bench_alloc(size_t size)
{
	void *mem = rte_zmalloc(NULL, size, PMTCP_CACHE_LINE);

	if (mem == NULL) {
		fprintf(stderr, "no memory for %zu bytes\n", size);
		exit(1);
	}
	return mem;
}

static inline bool
bench_is_quick(int argc, char **argv)
{
	return argc > 1 && strcmp(argv[1], "--quick") == 0;
}

/* A number as argument: only that size. */
static inline bool
bench_is_asked(int argc, char **argv, uint64_t size)
{
	uint64_t only = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;

	return only == 0 || only == size;
}

/* 1 .. count in random order. */
static inline uint32_t *
bench_permutation(uint32_t count, uint64_t seed)
{
	uint32_t *order = bench_alloc((size_t)count * sizeof(*order));
	struct rng r;

	rng_seed(&r, seed);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t j = (uint32_t)rng_below(&r, i + 1);

		order[i] = order[j];
		order[j] = i + 1;
	}
	return order;
}

static inline void
bench_add(struct bench_case *c, uint64_t cycles, uint64_t operations)
{
	if (c->runs < BENCH_RUNS_MAX)
		c->cycles[c->runs++] = (double)cycles / (double)operations;
}

static inline int
bench_compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median of the runs; sorts them. */
static inline double
bench_median(struct bench_case *c)
{
	BENCH_VERIFY(c->runs > 0);
	qsort(c->cycles, (size_t)c->runs, sizeof(c->cycles[0]), bench_compare_doubles);
	return c->cycles[c->runs / 2];
}

/* "1k", "10M": how sizes are written in the names of cases. */
static inline const char *
bench_size_name(uint64_t size, char *out, size_t len)
{
	if (size >= 1000000)
		snprintf(out, len, "%lluM", (unsigned long long)(size / 1000000));
	else if (size >= 1000)
		snprintf(out, len, "%lluk", (unsigned long long)(size / 1000));
	else
		snprintf(out, len, "%llu", (unsigned long long)size);
	return out;
}

/* One line of one case; `extra` says what else belongs to it ("burst=32"). */
static inline void
bench_report(struct bench_case *c, const char *extra)
{
	double ns = 1e9 / (double)rte_get_tsc_hz();
	double median = bench_median(c);
	char size[24];

	printf("%s.%s  %.1f ns/op  cyc=%.0f n=%d min=%.1f max=%.1f %s\n", c->name,
			bench_size_name(c->size, size, sizeof(size)), median * ns, median, c->runs,
			c->cycles[0] * ns, c->cycles[c->runs - 1] * ns, extra);
	fflush(stdout);
}

/* How many times faster `ours` is: of the medians, and of our worst run against
 * their best and the other way round. */
static inline void
bench_report_ratio(const char *name, struct bench_case *ours, struct bench_case *theirs)
{
	double median = bench_median(theirs) / bench_median(ours);
	char size[24];

	printf("ratio.%s.%s  %.2f x  min=%.2f max=%.2f vs=%s\n", name,
			bench_size_name(ours->size, size, sizeof(size)), median,
			theirs->cycles[0] / ours->cycles[ours->runs - 1],
			theirs->cycles[theirs->runs - 1] / ours->cycles[0], theirs->name);
	fflush(stdout);
}

#endif /* PMTCP_BENCH_BENCH_H */
