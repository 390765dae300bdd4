/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Sizing of a run: see plan.h. All rounding is towards the safe side. */

#include "load/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/args.h"

#define SECOND_NS     1000000000ull
#define NS_PER_MS     1000000ull
#define TIME_WAIT_MIN 1024u
/* TIME-WAIT ends in batches, up to 256 ms and a tick late. */
#define EXPIRY_SLACK_NS (260 * NS_PER_MS)
/* All blocks together are fewer than 2^30 units of 64 octets. */
#define TIME_WAIT_MAX ((1u << 30) - (1u << 26))
#define RATE_MAX      1000000000ull

static uint64_t
range_size(struct plan_range r)
{
	return r.last < r.first ? 0 : (uint64_t)r.last - r.first + 1;
}

/* a * b / c without overflow in between, saturated. */
static uint64_t
mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 q = (unsigned __int128)a * b / c;

	return q > UINT64_MAX ? UINT64_MAX : (uint64_t)q;
}

/* How long a tuple stays taken in this run: 2MSL, or to its end. */
static uint64_t
hold_ns(const struct plan_in *in)
{
	uint64_t tw_ns = in->tw_ms * NS_PER_MS + EXPIRY_SLACK_NS;

	if (in->holder == PLAN_TW_NOBODY || in->tw_ms == 0)
		return 0;
	return in->run_ns != 0 && in->run_ns < tw_ns ? in->run_ns : tw_ns;
}

/* The time whose opens there must be room for: a tenth to spare, and at least a second,
 * for what is caught up with after a standstill. */
static uint64_t
span_ns(uint64_t hold)
{
	uint64_t spare = hold / 10;

	return hold + (spare > SECOND_NS ? spare : SECOND_NS);
}

/* Entries alive at `rate` opens/s, never above the count. */
static uint64_t
entries_at(const struct plan_in *in, uint64_t rate)
{
	uint64_t entries =
			hold_ns(in) == 0 ? 1 : mul_div(rate, span_ns(hold_ns(in)), SECOND_NS) + 1;

	return in->count != 0 && in->count < entries ? in->count : entries;
}

/* The rate so many entries sustain over `hold`; the inverse of entries_at(). */
static uint64_t
rate_of(uint64_t entries, uint64_t hold)
{
	return hold == 0 ? RATE_MAX : mul_div(entries, SECOND_NS, span_ns(hold));
}

/* The rate the tuples sustain when so many of them are free. Where that is none, few are
 * busy at a time: a plan so small is held by TIME-WAIT alone. */
static uint64_t
rate_of_tuples(const struct plan *p, uint64_t free_tuples, uint64_t hold)
{
	uint64_t rate = rate_of(free_tuples, hold);

	return rate != 0 ? rate : rate_of(p->tuples, hold);
}

/* Tuples that connections hold before TIME-WAIT: all there is room for at full speed, a
 * tenth of a second's worth in an open loop, whose limit is for emergencies. */
static uint64_t
in_flight(const struct plan_in *in)
{
	uint64_t n = in->rate / 10 + 1;

	return in->rate == 0 || n > in->concurrency ? in->concurrency : n;
}

static uint64_t
pairs_of(const struct plan_in *in, uint64_t tuples)
{
	uint64_t ports = range_size(in->ports);

	return (tuples + ports - 1) / (ports == 0 ? 1 : ports);
}

/* Each worker finds its share of them if an eighth of the tuples is to spare. */
static uint64_t
pairs_of_held(const struct plan_in *in)
{
	return pairs_of(in, in->hold + (in->workers > 1 ? in->hold / 8 : 0));
}

/* Held connections have pairs of their own if there are enough: a pair full of them would
 * make each search for a free port long. */
static void
part_pairs(const struct plan_in *in, struct plan *p)
{
	uint64_t hold_pairs = pairs_of_held(in);
	uint64_t others = pairs_of(in, p->alive - in->hold);

	p->hold_pairs = hold_pairs + others <= p->pairs ? hold_pairs : 0;
}

static void
choose_addresses(const struct plan_in *in, struct plan *p)
{
	uint64_t ports = range_size(in->ports);
	uint64_t pairs = pairs_of_held(in) + pairs_of(in, p->alive - in->hold);
	uint64_t sources = range_size(in->sources);
	uint64_t targets = range_size(in->target_ports);

	p->ports = in->ports;
	p->sources = in->sources;
	p->target_ports = in->target_ports;
	if (in->sources.last == 0) {
		sources = targets == 0 ? pairs : (pairs + targets - 1) / targets;
		sources = sources > PLAN_SOURCES_MAX ? PLAN_SOURCES_MAX : sources;
		sources = sources == 0 ? 1 : sources;
		p->sources.last = in->sources.first + (uint32_t)sources - 1;
	}
	if (in->target_ports.last == 0) {
		targets = (pairs + sources - 1) / sources;
		targets = targets > PLAN_TARGET_PORTS_MAX ? PLAN_TARGET_PORTS_MAX : targets;
		targets = targets == 0 ? 1 : targets;
		p->target_ports.last = in->target_ports.first + (uint32_t)targets - 1;
	}
	p->pairs = sources * targets;
	p->tuples = p->pairs * ports;
	part_pairs(in, p);
}

static void
size_time_wait(const struct plan_in *in, struct plan *p, uint64_t rate)
{
	uint64_t need = entries_at(in, rate);
	uint64_t held = in->hold * in->hold_octets;
	uint64_t free = in->memory_free > held ? in->memory_free - held : 0;
	uint64_t budget = free / 100 * PLAN_MEMORY_PERCENT;
	uint64_t fits = TIME_WAIT_MAX;

	if (in->sides_here > 0 && in->tw_octets > 0)
		fits = budget / ((uint64_t)in->tw_octets * in->sides_here);
	fits = fits > TIME_WAIT_MAX ? TIME_WAIT_MAX : fits;
	if (hold_ns(in) == 0)
		need = 0;
	/* A tuple is in TIME-WAIT once at a time. */
	if (in->has_client && need > p->tuples)
		need = p->tuples;
	need = need > fits ? fits : need;
	p->max_time_wait = (uint32_t)(need < TIME_WAIT_MIN ? TIME_WAIT_MIN : need);
	p->tw_octets = (uint64_t)p->max_time_wait * in->tw_octets * in->sides_here;
}

/* Tuples that TIME-WAIT may have. */
static uint64_t
free_tuples_of(const struct plan_in *in, const struct plan *p)
{
	uint64_t busy = in_flight(in);

	if (p->hold_pairs == 0)
		busy += in->hold;
	else
		busy += p->hold_pairs * range_size(p->ports);
	return p->tuples > busy ? p->tuples - busy : 0;
}

/* The lowest of the limits, and which one it is. */
static void
find_bound(const struct plan_in *in, struct plan *p, uint64_t rate)
{
	uint64_t hold = hold_ns(in);
	uint64_t free_tuples = free_tuples_of(in, p);
	uint64_t by_tuples = rate_of_tuples(p, free_tuples, hold);
	uint64_t by_memory = in->sides_here > 0 ? rate_of(p->max_time_wait, hold) : RATE_MAX;
	bool is_counted = in->count != 0 && in->count <= free_tuples;

	if (is_counted)
		by_tuples = RATE_MAX;
	if (in->count != 0 && in->count <= p->max_time_wait)
		by_memory = RATE_MAX;
	p->sustained = by_tuples < by_memory ? by_tuples : by_memory;
	p->sustained_2msl =
			in->holder == PLAN_TW_NOBODY || in->tw_ms == 0
					? RATE_MAX
					: rate_of_tuples(p, free_tuples,
							  in->tw_ms * NS_PER_MS + EXPIRY_SLACK_NS);
	p->bound = PLAN_BOUND_NONE;
	/* entries_at() and rate_of() round against each other: a thousandth is no bound. */
	if (p->sustained >= rate - rate / 1000)
		return;
	p->bound = by_tuples <= by_memory ? PLAN_BOUND_TUPLES : PLAN_BOUND_MEMORY;
}

void
plan_make(const struct plan_in *in, struct plan *out)
{
	uint64_t rate = in->rate != 0 ? in->rate : in->ceiling;

	*out = (struct plan){.pace = in->rate};
	out->alive = entries_at(in, rate) + in_flight(in) + in->hold;
	choose_addresses(in, out);
	size_time_wait(in, out, rate);
	find_bound(in, out, rate);
	if (in->rate == 0 && out->bound != PLAN_BOUND_NONE)
		out->pace = out->sustained == 0 ? 1 : out->sustained;
}

const char *
plan_tw_warning(uint32_t tw_ms)
{
	enum { LONG_ENOUGH_MS = 30000 };

	if (tw_ms == 0)
		return "2MSL is 0, for benchmarks only: there is no TIME-WAIT, a lost last ACK is "
		       "answered by RST, and old segments can reach a new connection";
	return tw_ms < LONG_ENOUGH_MS
			       ? "2MSL is below 30 s: an old segment can reach a new connection"
			       : NULL;
}

static int
print_bound(const struct plan_in *in, const struct plan *p, char *buf, size_t len)
{
	const char *what = p->bound == PLAN_BOUND_TUPLES ? "addresses and ports" : "free memory";
	const char *then = in->rate != 0 ? "expect errors" : "the run keeps to that";

	if (p->bound == PLAN_BOUND_NONE)
		return 0;
	if (p->sustained == 0)
		return snprintf(buf, len,
				"note      %s for TIME-WAIT sustain %.2f opens/s (tuples / 2MSL), "
				"less than one a second: expect errors.\n",
				what, (double)p->tuples * 1000 / in->tw_ms);
	return snprintf(buf, len,
			"note      %s for TIME-WAIT sustain %" PRIu64
			" opens/s over this run, less than the %" PRIu64 "/s %s: %s.\n",
			what, p->sustained, in->rate != 0 ? in->rate : in->ceiling,
			in->rate != 0 ? "asked for" : "a core might do", then);
}

static void
print_ip(const struct plan_in *in, uint32_t ip, char buf[ARGS_IP_TEXT])
{
	struct args_subnet subnet = {.version = 4};
	struct pmtcp_addr addr;

	if (in->high6 != NULL) {
		subnet.version = 6;
		memcpy(subnet.high, in->high6, sizeof(subnet.high));
	}
	addr = args_subnet_addr(&subnet, ip, 0);
	args_ip_text(&addr, buf);
}

int
plan_print(const struct plan_in *in, const struct plan *p, char *buf, size_t len)
{
	char first[ARGS_IP_TEXT];
	char last[ARGS_IP_TEXT];
	int n;

	print_ip(in, p->sources.first, first);
	print_ip(in, p->sources.last, last);
	n = snprintf(buf, len,
			"plan      %" PRIu64 " source addresses (%s-%s) x ports %u-%u x %" PRIu64
			" target ports (%u-%u) = %" PRIu64 " tuples\n"
			"          2MSL %g s: max_time_wait %u (%.1f MB), %" PRIu64
			" tuples alive at most\n",
			range_size(p->sources), first, last, p->ports.first, p->ports.last,
			range_size(p->target_ports), p->target_ports.first, p->target_ports.last,
			p->tuples, in->tw_ms / 1000.0, p->max_time_wait, (double)p->tw_octets / 1e6,
			p->alive);
	if (n < 0 || (size_t)n >= len)
		return n;
	if (in->hold != 0)
		n += snprintf(buf + n, len - (size_t)n,
				"          %" PRIu64 " connections stay (%.1f MB)\n", in->hold,
				(double)in->hold * in->hold_octets / 1e6);
	if ((size_t)n >= len)
		return n;
	return n + print_bound(in, p, buf + n, len - (size_t)n);
}
