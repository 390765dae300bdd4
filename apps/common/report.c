/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See report.h. The JSON follows RFC 8259; octets above 127 are passed on as they
 * are, those below 32 are escaped. */

#include "common/report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <rte_version.h>

static void
check_nesting(bool is_right)
{
	if (!is_right)
		abort();
}

static void
write_text(FILE *f, const char *text)
{
	fputc('"', f);
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(f, "\\%c", *c);
		else if (*c < 0x20)
			fprintf(f, "\\u%04x", *c);
		else
			fputc(*c, f);
	}
	fputc('"', f);
}

/* Comma, new line, indentation and name in front of a value. */
static void
begin_value(struct json *j, const char *key)
{
	check_nesting(j->depth > 0);
	fprintf(j->f, "%s\n%*s", j->has_item[j->depth] ? "," : "", (int)j->depth * 2, "");
	j->has_item[j->depth] = true;
	if (key == NULL)
		return;
	write_text(j->f, key);
	fputs(": ", j->f);
}

static void
open_level(struct json *j, char bracket)
{
	check_nesting(j->depth < JSON_DEPTH_MAX);
	fputc(bracket, j->f);
	j->has_item[++j->depth] = false;
}

static void
close_level(struct json *j, char bracket)
{
	bool has_item = j->has_item[j->depth];

	check_nesting(j->depth > 0);
	j->depth--;
	if (has_item)
		fprintf(j->f, "\n%*s", (int)j->depth * 2, "");
	fputc(bracket, j->f);
}

void
json_begin(struct json *j, FILE *f)
{
	*j = (struct json){.f = f};
	open_level(j, '{');
}

int
json_finish(struct json *j)
{
	check_nesting(j->depth == 1);
	close_level(j, '}');
	fputc('\n', j->f);
	errno = 0;
	if (fflush(j->f) != 0 || ferror(j->f))
		return errno != 0 ? -errno : -EIO;
	return 0;
}

void
json_object(struct json *j, const char *key)
{
	begin_value(j, key);
	open_level(j, '{');
}

void
json_array(struct json *j, const char *key)
{
	begin_value(j, key);
	open_level(j, '[');
}

void
json_end_object(struct json *j)
{
	close_level(j, '}');
}

void
json_end_array(struct json *j)
{
	close_level(j, ']');
}

void
json_u64(struct json *j, const char *key, uint64_t value)
{
	begin_value(j, key);
	fprintf(j->f, "%" PRIu64, value);
}

void
json_bool(struct json *j, const char *key, bool value)
{
	begin_value(j, key);
	fputs(value ? "true" : "false", j->f);
}

void
json_text(struct json *j, const char *key, const char *value)
{
	begin_value(j, key);
	if (value == NULL)
		fputs("null", j->f);
	else
		write_text(j->f, value);
}

void
json_double(struct json *j, const char *key, double value, int decimals)
{
	begin_value(j, key);
	if (isfinite(value))
		fprintf(j->f, "%.*f", decimals, value);
	else
		fputs("null", j->f);
}

void
json_hist_us(struct json *j, const char *key, const struct hist *h)
{
	struct hist_ladder l;

	hist_summary(h, &l);
	json_object(j, key);
	json_u64(j, "count", l.count);
	json_double(j, "min", (double)l.min / 1e3, 3);
	json_double(j, "mean", (double)l.mean / 1e3, 3);
	json_double(j, "p50", (double)l.p50 / 1e3, 3);
	json_double(j, "p90", (double)l.p90 / 1e3, 3);
	json_double(j, "p99", (double)l.p99 / 1e3, 3);
	json_double(j, "p999", (double)l.p999 / 1e3, 3);
	json_double(j, "max", (double)l.max / 1e3, 3);
	json_end_object(j);
}

const char *
report_number(uint64_t value, char text[REPORT_NUMBER_LEN])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, value);
	int at = 0;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			text[at++] = ',';
		text[at++] = digits[i];
	}
	text[at] = '\0';
	return text;
}

void
report_hist_us(FILE *f, const char *name, const struct hist *h)
{
	struct hist_ladder l;

	if (h->count == 0)
		return;
	hist_summary(h, &l);
	fprintf(f, "%-10sp50 %.1f  p90 %.1f  p99 %.1f  p99.9 %.1f  max %.1f us\n", name,
			(double)l.p50 / 1e3, (double)l.p90 / 1e3, (double)l.p99 / 1e3,
			(double)l.p999 / 1e3, (double)l.max / 1e3);
}

/* The value behind "name :" of the first such line of a file in /proc. */
static void
proc_value(const char *path, const char *name, char *out, size_t len)
{
	FILE *f = fopen(path, "r");
	char line[512];
	char *colon;

	out[0] = '\0';
	if (f == NULL)
		return;
	while (out[0] == '\0' && fgets(line, sizeof(line), f) != NULL) {
		colon = strchr(line, ':');
		if (colon == NULL || strncmp(line, name, strlen(name)) != 0)
			continue;
		colon += 1 + strspn(colon + 1, " \t");
		colon[strcspn(colon, "\n")] = '\0';
		snprintf(out, len, "%s", colon);
	}
	fclose(f);
}

/* Octets, of a file that counts in kB. */
static uint64_t
memory_value(const char *path, const char *name)
{
	char text[64];

	proc_value(path, name, text, sizeof(text));
	return strtoull(text, NULL, 10) * 1024;
}

void
report_box_memory(struct report_box *box)
{
	static const char path[] = "/proc/self/smaps_rollup";

	box->resident = memory_value(path, "Rss");
	box->thp = memory_value(path, "AnonHugePages") + memory_value(path, "ShmemPmdMapped");
	box->hugetlb = memory_value(path, "Shared_Hugetlb") + memory_value(path, "Private_Hugetlb");
}

void
report_box_fill(struct report_box *box)
{
	struct utsname u;
	cpu_set_t set;

	memset(box, 0, sizeof(*box));
	if (uname(&u) == 0)
		snprintf(box->kernel, sizeof(box->kernel), "%.40s %.60s %.20s", u.sysname,
				u.release, u.machine);
	proc_value("/proc/cpuinfo", "model name", box->cpu, sizeof(box->cpu));
	snprintf(box->dpdk, sizeof(box->dpdk), "%s", rte_version());
	snprintf(box->compiler, sizeof(box->compiler), "%s", __VERSION__);
	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		box->cpus = (uint32_t)CPU_COUNT(&set);
	box->memory = memory_value("/proc/meminfo", "MemTotal");
	box->available = memory_value("/proc/meminfo", "MemAvailable");
}

void
json_box(struct json *j, const struct report_box *box)
{
	json_text(j, "kernel", box->kernel);
	json_text(j, "cpu", box->cpu);
	json_u64(j, "cpus", box->cpus);
	json_u64(j, "memory_octets", box->memory);
	json_u64(j, "memory_available_octets", box->available);
	json_u64(j, "resident_octets", box->resident);
	json_u64(j, "thp_octets", box->thp);
	json_u64(j, "hugetlb_octets", box->hugetlb);
	json_text(j, "dpdk", box->dpdk);
	json_text(j, "compiler", box->compiler);
}
