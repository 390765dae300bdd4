/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See side.h. */

#include "load/side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_BURST 32
#define READ_SMALL 512 /* octets: up to there a copy is cheaper than packets */

static uint8_t pattern[PATTERN_PERIOD + PATTERN_RUN];

void
pattern_init(void)
{
	uint64_t x = 0x9e3779b97f4a7c15u;

	for (uint32_t i = 0; i < PATTERN_PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		pattern[i] = (uint8_t)(x >> 32);
	}
	for (uint32_t i = 0; i < PATTERN_RUN; i++)
		pattern[PATTERN_PERIOD + i] = pattern[i % PATTERN_PERIOD];
}

const uint8_t *
pattern_at(uint64_t at)
{
	return pattern + at % PATTERN_PERIOD;
}

void
run_clock_init(struct run_clock *clock, uint16_t workers)
{
	atomic_init(&clock->phase, RUN_PREPARE);
	atomic_init(&clock->start_ns, UINT64_MAX);
	atomic_init(&clock->measure_ns, UINT64_MAX);
	atomic_init(&clock->stop_ns, UINT64_MAX);
	atomic_init(&clock->is_stop_asked, false);
	atomic_init(&clock->n_unready, workers);
	atomic_init(&clock->n_unheld, workers);
	atomic_init(&clock->n_unopened, workers);
	atomic_init(&clock->n_undrained, workers);
	atomic_init(&clock->n_busy_servers, 0);
	atomic_init(&clock->n_held, 0);
}

bool
run_clock_tick_off(_Atomic uint32_t *left, bool *is_told)
{
	if (*is_told)
		return atomic_load(left) == 0;
	*is_told = true;
	return atomic_fetch_sub(left, 1) == 1;
}

int
side_init(struct side *s, const struct load_conf *conf, struct run_clock *clock,
		uint32_t deferred_max)
{
	memset(s, 0, sizeof(*s));
	s->conf = conf;
	s->clock = clock;
	s->expected = PMTCP_GRACEFUL;
	s->deferred_max = deferred_max;
	hist_init(&s->connect);
	hist_init(&s->close);
	hist_init(&s->life);
	s->deferred = calloc(deferred_max, sizeof(struct pmtcp_conn *));
	return s->deferred == NULL ? -ENOMEM : 0;
}

void
side_fini(struct side *s)
{
	free(s->deferred);
	s->deferred = NULL;
}

void
side_snap_take(const struct side *s, uint64_t now_ns, struct side_snap *snap)
{
	snap->at_ns = now_ns;
	snap->n = s->n;
	pmtcp_stats(pmtcp_worker_ctx(s->worker), &snap->stats);
	pmtcp_worker_stats(s->worker, &snap->worker);
}

static void
counts_add(struct side_counts *sum, const struct side_counts *one)
{
	const uint64_t *from = (const uint64_t *)one;
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += from[i];
}

static void
snap_add(struct side_snap *sum, const struct side_snap *one)
{
	counts_add(&sum->n, &one->n);
	pmtcp_stats_add(&sum->stats, &one->stats);
	pmtcp_worker_stats_add(&sum->worker, &one->worker);
}

void
side_merge(struct side *s, const struct side *from)
{
	counts_add(&s->n, &from->n);
	s->live += from->live;
	s->last_ns = from->last_ns > s->last_ns ? from->last_ns : s->last_ns;
	hist_merge(&s->connect, &from->connect);
	hist_merge(&s->close, &from->close);
	hist_merge(&s->life, &from->life);
	snap_add(&s->final, &from->final);
	if (!s->has_sample)
		s->sample = from->sample;
	s->has_sample |= from->has_sample;
	/* A window is that of all workers: they open and close it at the same times. */
	if (!s->has_window || !from->has_window)
		return;
	snap_add(&s->begin, &from->begin);
	snap_add(&s->end, &from->end);
}

void
side_window(struct side *s, uint64_t now_ns)
{
	uint64_t stop_ns = atomic_load_explicit(&s->clock->stop_ns, memory_order_relaxed);

	if (s->is_measuring && now_ns >= stop_ns) {
		side_snap_take(s, now_ns, &s->end);
		s->is_measuring = false;
	}
	if (s->has_window ||
			now_ns < atomic_load_explicit(&s->clock->measure_ns, memory_order_relaxed))
		return;
	side_snap_take(s, now_ns, &s->begin);
	s->end = s->begin;
	s->has_window = true;
	s->is_measuring = now_ns < stop_ns;
}

void
side_ended(struct side *s, int32_t reason, bool is_bad)
{
	s->live--;
	if (is_bad)
		s->n.failed[SIDE_BAD_PAYLOAD]++;
	else if (reason == (int32_t)s->expected)
		s->n.closed++;
	else
		s->n.failed[reason]++;
}

uint64_t
side_failed(const struct side_counts *n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < SIDE_FAIL_MAX; i++)
		sum += n->failed[i];
	return sum;
}

uint64_t
side_open_errors(const struct side_counts *n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < SIDE_OPEN_MAX; i++)
		sum += n->open_errors[i];
	return sum;
}

const char *
side_fail_name(uint32_t cause)
{
	return cause == SIDE_BAD_PAYLOAD ? "bad_payload"
					 : pmtcp_reason_name((enum pmtcp_reason)cause);
}

const char *
side_open_error_name(enum side_open_error e)
{
	static const char *const names[SIDE_OPEN_MAX] = {
			[SIDE_OPEN_PORTS] = "ports_exhausted",
			[SIDE_OPEN_BLOCKS] = "no_connection_block",
			[SIDE_OPEN_TABLE] = "table_full",
			[SIDE_OPEN_ROUTE] = "no_route",
			[SIDE_OPEN_OTHER] = "other",
	};

	return names[e];
}

/* A message that is read at once. */
static int64_t
read_small(struct side *s, struct pmtcp_conn *conn, uint64_t at, uint64_t want)
{
	uint8_t buf[READ_SMALL];
	bool is_right = true;
	int64_t got = 0;
	int n;

	do {
		n = pmtcp_read(conn, buf, sizeof(buf));
		if (n <= 0)
			break;
		is_right = is_right && at + (uint64_t)(got + n) <= want &&
			   memcmp(buf, pattern_at(at + (uint64_t)got), (size_t)n) == 0;
		got += n;
	} while (n == READ_SMALL);
	s->n.rx_octets += (uint64_t)got;
	return is_right ? got : -EBADMSG;
}

int64_t
side_read(struct side *s, struct pmtcp_conn *conn, uint64_t at, uint64_t want)
{
	struct rte_mbuf *pkts[READ_BURST];
	uint64_t from = at;
	bool is_right = true;
	int n;

	if (want <= READ_SMALL)
		return read_small(s, conn, at, want);
	/* Bounded by the receive buffer: what arrives later comes with another event. */
	while ((n = pmtcp_recv(conn, pkts, READ_BURST)) > 0) {
		for (int i = 0; i < n; i++) {
			uint32_t len = rte_pktmbuf_data_len(pkts[i]);

			is_right = is_right && at + len <= want &&
				   memcmp(rte_pktmbuf_mtod(pkts[i], void *), pattern_at(at), len) ==
						   0;
			at += len;
		}
		rte_pktmbuf_free_bulk(pkts, (unsigned int)n);
		if (n < READ_BURST)
			break; /* that was all */
	}
	s->n.rx_octets += at - from;
	if (at > from)
		pmtcp_recv_done(conn, (uint32_t)(at - from));
	return is_right ? (int64_t)(at - from) : -EBADMSG;
}

uint64_t
side_write(struct side *s, struct pmtcp_conn *conn, uint64_t at, uint64_t want)
{
	uint64_t from = at;

	while (at < want) {
		uint64_t len = want - at < PATTERN_RUN ? want - at : PATTERN_RUN;
		int taken = pmtcp_write(conn, pattern_at(at), (uint32_t)len);

		if (taken <= 0)
			break;
		at += (uint64_t)taken;
	}
	s->n.tx_octets += at - from;
	return at - from;
}
