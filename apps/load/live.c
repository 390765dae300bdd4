/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The line of each second. It reads counters that other threads are changing: each
 * is right for some moment of the last microseconds, which is good enough here. */

#include <inttypes.h>
#include <string.h>

#include "load/load.h"

#define LINE_MAX_LEN 512

static uint64_t
peek(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Adds them to a sum. */
static void
peek_counts(const struct side *s, struct side_counts *out)
{
	const uint64_t *from = (const uint64_t *)&s->n;
	uint64_t *to = (uint64_t *)out;

	for (size_t i = 0; i < sizeof(*out) / sizeof(uint64_t); i++)
		to[i] += peek(from + i);
}

int
live_causes(const struct side_counts *n, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (uint32_t i = 0; i < SIDE_FAIL_MAX && at < len; i++) {
		if (n->failed[i] != 0)
			at += (size_t)snprintf(buf + at, len - at, ", %s %" PRIu64,
					side_fail_name(i), n->failed[i]);
	}
	for (uint32_t i = 0; i < SIDE_OPEN_MAX && at < len; i++) {
		if (n->open_errors[i] != 0)
			at += (size_t)snprintf(buf + at, len - at, ", %s %" PRIu64,
					side_open_error_name(i), n->open_errors[i]);
	}
	return (int)at;
}

/* Of all workers of the end that counts; returns how many connections live. */
static uint64_t
peek_end(const struct load *l, struct side_counts *sum)
{
	uint64_t live = 0;

	memset(sum, 0, sizeof(*sum));
	for (uint16_t i = 0; i < l->n_workers; i++) {
		const struct side *s = l->has_client ? &l->clients[i].side : &l->servers[i].side;

		peek_counts(s, sum);
		live += peek(&s->live);
	}
	return live;
}

static uint64_t
time_wait_now(const struct load *l, uint64_t *evicted)
{
	struct pmtcp_stats stats;
	uint64_t sum = 0;

	*evicted = 0;
	for (uint16_t i = 0; i < 2 * l->n_workers; i++) {
		const struct side *s =
				i % 2 == 0 ? &l->clients[i / 2].side : &l->servers[i / 2].side;

		if (s->worker == NULL)
			continue;
		pmtcp_stats(pmtcp_worker_ctx(s->worker), &stats);
		sum += stats.time_wait;
		*evicted += stats.counter[PMTCP_C_tw_evicted];
	}
	return sum;
}

void
live_begin(struct live *live, const struct load *l, uint64_t now_ns)
{
	struct side_counts n;

	peek_end(l, &n);
	*live = (struct live){now_ns, n.connected, n.closed};
}

void
live_line(struct live *live, const struct load *l, uint64_t now_ns)
{
	double seconds = (double)(now_ns - live->at_ns) / 1e9;
	uint64_t start_ns = atomic_load(&l->clock.start_ns);
	uint64_t evicted;
	uint64_t time_wait = time_wait_now(l, &evicted);
	struct side_counts n;
	uint64_t alive;
	char text[5][REPORT_NUMBER_LEN];
	char causes[LINE_MAX_LEN];
	uint64_t errors;

	if (atomic_load(&l->clock.phase) == RUN_HOLD) {
		peek_end(l, &n);
		fprintf(l->out, "      %s held\n", report_number(n.held_ready, text[0]));
		fflush(l->out);
		return;
	}
	if (start_ns == UINT64_MAX) {
		fprintf(l->out, "      waiting for %s\n",
				l->has_client ? "the next hop's MAC address"
					      : "the first connection");
		fflush(l->out);
		return;
	}
	alive = peek_end(l, &n);
	errors = side_failed(&n) + side_open_errors(&n) + n.held_lost + evicted;
	live_causes(&n, causes, sizeof(causes));
	fprintf(l->out,
			"%4.0fs  opens/s %s  closes/s %s  established %s  time-wait %s  errors "
			"%s%s",
			(double)(now_ns - start_ns) / 1e9,
			report_number((uint64_t)((double)(n.connected - live->opens) / seconds),
					text[0]),
			report_number((uint64_t)((double)(n.closed - live->closes) / seconds),
					text[1]),
			report_number(alive, text[2]), report_number(time_wait, text[3]),
			report_number(errors, text[4]), causes);
	if (evicted != 0)
		fprintf(l->out, ", tw_evicted %" PRIu64, evicted);
	if (n.held != 0)
		fprintf(l->out, "  held %s", report_number(side_held_now(&n), text[0]));
	fputc('\n', l->out);
	fflush(l->out);
	*live = (struct live){now_ns, n.connected, n.closed};
}
