/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See sim.h: contexts, clock, digest, and what must hold after each case. */

#include "sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/check.h"
#include "support/pool.h"
#include "support/script.h"

#define SIM_ROOM        (RTE_PKTMBUF_HEADROOM + 2048)
#define SIM_START_NS    (5000 * SIM_SEC)
#define SIM_BURST       64
#define SIM_STUCK_MAX   20000 /* turns without any frame and without time going on */
#define SIM_TURNS_MAX   5000000
#define SIM_SETTLE_NS   (3600 * SIM_SEC)
#define SIM_FNV_PRIME   0x100000001b3ull
#define SIM_CHECK_EVERY 32

static const uint32_t addr_of[SIM_SIDES] = {PMTCP_IP4(10, 0, 0, 1), PMTCP_IP4(10, 0, 0, 2)};

/* The case that is running, for messages. */
static const struct sim_case *running;
static uint64_t running_seed;
static bool is_tracing;

void
sim_fail(const struct sim *s, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "%s at %.6f s\n", text, (double)(s->now - SIM_START_NS) / 1e9);
	fail_msg("%s: PMTCP_SIM_SEED=%lu: %s", s->name, (unsigned long)s->seed, text);
	abort();
}

int
sim_report_unfinished(void **state)
{
	if (running != NULL)
		print_message("%s: stopped at PMTCP_SIM_SEED=%lu\n", running->name,
				(unsigned long)running_seed);
	running = NULL;
	return 0;
}

struct pmtcp_stats
sim_stats(const struct sim *s, int side)
{
	struct pmtcp_stats stats;

	pmtcp_stats(s->end[side].ctx, &stats);
	return stats;
}

/* ---- frames ------------------------------------------------------------- */

static void
mix_digest(struct sim *s, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	uint64_t word;

	for (; len >= sizeof(word); b += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, b, sizeof(word));
		s->digest = (s->digest ^ word) * SIM_FNV_PRIME;
	}
	for (; len > 0; b++, len--)
		s->digest = (s->digest ^ *b) * SIM_FNV_PRIME;
}

static void
trace(const struct sim *s, int from, const void *bytes, uint32_t len)
{
	char line[SCRIPT_LINE_MAX] = "(malformed)";
	static struct pkt p;

	if (!is_tracing)
		return;
	if (pkt_decode_bytes(&p, bytes, len) == 0)
		pkt_format_decoded(&p, NULL, line, sizeof(line));
	fprintf(stderr, "%12.6f %c> %5u %5u %s\n", (double)(s->now - SIM_START_NS) / 1e9,
			"AB"[from], p.sport, p.dport, line);
}

static void
send_frame(struct sim *s, int side, struct rte_mbuf *m)
{
	static uint8_t copy[PKT_BYTES_MAX];
	uint32_t len = rte_pktmbuf_pkt_len(m);
	const void *bytes;

	if (len > s->end[side].conf.mtu + 14u)
		sim_fail(s, "side %d sent a frame of %u octets", side, len);
	bytes = rte_pktmbuf_read(m, 0, len, copy);
	mix_digest(s, &s->now, sizeof(s->now));
	mix_digest(s, &side, sizeof(side));
	mix_digest(s, bytes, len);
	s->n_frames++;
	trace(s, side, bytes, len);
	wire_put(&s->wire[side], s->now, bytes, len);
	rte_pktmbuf_free(m);
}

static struct rte_mbuf *
receive_frame(struct sim *s, int side)
{
	struct wire_frame *f = wire_take(&s->wire[1 - side], s->now);
	struct rte_mbuf *m;

	m = rte_pktmbuf_alloc(s->end[side].rx_pool);
	memcpy(rte_pktmbuf_append(m, (uint16_t)f->len), f->bytes, f->len);
	free(f);
	return m;
}

/* ---- a turn ------------------------------------------------------------- */

static void
check_books(const struct sim *s, int side)
{
	struct pmtcp_stats stats = sim_stats(s, side);
	const char *broken = pmtcp_stats_audit(&stats);

	if (broken != NULL)
		sim_fail(s, "side %d: %s", side, broken);
	pmtcp_ctx_check(s->end[side].ctx);
}

static bool
turn_input(struct sim *s, int side)
{
	struct sim_end_point *end = &s->end[side];
	struct rte_mbuf *burst[SIM_BURST];
	bool has_moved = false;
	uint16_t n;

	while (wire_next(&s->wire[1 - side]) <= s->now) {
		for (n = 0; n < SIM_BURST && wire_next(&s->wire[1 - side]) <= s->now;) {
			burst[n++] = receive_frame(s, side);
		}
		pmtcp_input(end->ctx, s->now, burst, n);
		has_moved = true;
	}
	return has_moved;
}

static bool
turn(struct sim *s, int side)
{
	struct sim_end_point *end = &s->end[side];
	struct rte_mbuf *out[32];
	bool has_moved = turn_input(s, side);
	uint16_t n;

	pmtcp_tick(end->ctx, s->now);
	sim_app_turn(s, side);
	while ((n = pmtcp_output(end->ctx, s->now, out, 32)) > 0) {
		for (uint16_t i = 0; i < n; i++)
			send_frame(s, side, out[i]);
		has_moved = true;
	}
	return has_moved;
}

static uint64_t
next_moment(const struct sim *s)
{
	uint64_t next = sim_app_next(s);

	for (int side = 0; side < SIM_SIDES; side++) {
		next = min_u64(next, wire_next(&s->wire[side]));
		next = min_u64(next, pmtcp_deadline(s->end[side].ctx));
	}
	return next;
}

/* A deadline may be early or even stand still while the core is short of packet
 * buffers, but not for long; a driver that spins meanwhile sees time go on. */
static void
note_progress(struct sim *s, bool has_moved, uint64_t before_ns)
{
	if (has_moved || s->now > before_ns) {
		s->n_stuck = 0;
		return;
	}
	if (++s->n_stuck % 4 == 0)
		s->now += 100 * SIM_US;
	if (s->n_stuck > SIM_STUCK_MAX)
		sim_fail(s, "something is due for ever and never happens");
}

void
sim_step(struct sim *s, uint64_t until_ns)
{
	uint64_t before_ns = s->now;
	uint64_t next = next_moment(s);
	bool has_moved = false;

	if (next > until_ns) {
		s->now = max_u64(s->now, until_ns);
	} else if (next > s->now) {
		s->now = next;
		if (s->opts.turn_ns > 0)
			s->now += s->opts.turn_ns - 1 - (s->now - 1) % s->opts.turn_ns;
	}
	for (int side = 0; side < SIM_SIDES; side++)
		has_moved |= turn(s, side);
	note_progress(s, has_moved, before_ns);
	if (s->n_turns++ % SIM_CHECK_EVERY == 0) {
		check_books(s, SIM_A);
		check_books(s, SIM_B);
	}
	if (s->n_turns > SIM_TURNS_MAX)
		sim_fail(s, "%u turns and no end", SIM_TURNS_MAX);
}

void
sim_run_for(struct sim *s, uint64_t ns)
{
	uint64_t until = s->now + ns;

	while (s->now < until)
		sim_step(s, until);
}

void
sim_run_flows(struct sim *s, uint64_t limit_ns)
{
	uint64_t until = s->now + limit_ns;

	while (!sim_app_is_over(s)) {
		if (s->now >= until) {
			sim_app_tell(s);
			sim_fail(s, "connections still open after the limit");
		}
		sim_step(s, until);
	}
}

void
sim_settle(struct sim *s)
{
	uint64_t until = s->now + SIM_SETTLE_NS;

	while (sim_stats(s, SIM_A).blocks_used + sim_stats(s, SIM_B).blocks_used > 0) {
		if (s->now >= until)
			sim_fail(s, "%u and %u blocks are never given back",
					sim_stats(s, SIM_A).blocks_used,
					sim_stats(s, SIM_B).blocks_used);
		sim_step(s, until);
	}
}

/* ---- a case ------------------------------------------------------------- */

static void
end_point_create(struct sim *s, int side)
{
	struct sim_end_point *end = &s->end[side];
	struct pmtcp_listen_opts opts = s->opts.listen;
	struct pmtcp_addr local = ctx_addr_of(addr_of[side], SIM_PORT);

	end->pool = test_pool_create(SIM_ROOM);
	end->rx_pool = test_pool_create(SIM_ROOM);
	ctx_conf_small(&end->conf, addr_of[side], addr_of[1 - side], s->seed * 2 + (uint64_t)side);
	end->conf.pool = end->pool;
	if (s->opts.tune != NULL)
		s->opts.tune(&end->conf, side);
	end->mem_len = pmtcp_ctx_memsize(&end->conf);
	end->mem = ctx_mem_map(end->mem_len);
	if (pmtcp_ctx_init(end->mem, end->mem_len, &end->conf, &end->ctx) != 0)
		sim_fail(s, "side %d does not start", side);
	/* A new context stands at time 0. */
	pmtcp_tick(end->ctx, s->now);
	opts.conn = s->opts.conn;
	if (pmtcp_listen(end->ctx, &local, &opts, &end->listener) != 0)
		sim_fail(s, "side %d does not listen", side);
	test_pool_fail_every(end->pool, s->opts.fail_every[side]);
}

static void
expect_empty(const struct sim *s, int side)
{
	struct pmtcp_stats stats = sim_stats(s, side);
	uint32_t n_held;

	check_books(s, side);
	for (int state = PMTCP_SYN_SENT; state < PMTCP_STATE_MAX; state++) {
		if (stats.state[state] != 0)
			sim_fail(s, "side %d: %u left in %s", side, stats.state[state],
					pmtcp_state_name((enum pmtcp_state)state));
	}
	if (stats.live + stats.half_open + stats.time_wait + stats.parked + stats.blocks_used != 0)
		sim_fail(s, "side %d: connections or blocks left", side);
	if (stats.transfers_used + stats.records_used != 0)
		sim_fail(s, "side %d: %u side records, %u segment records left", side,
				stats.transfers_used, stats.records_used);
	n_held = test_pool_live(s->end[side].pool) + test_pool_live(s->end[side].rx_pool);
	if (n_held > s->end[side].conf.spare_max)
		sim_fail(s, "side %d holds %u packet buffers with no connection", side, n_held);
}

static void
end_point_destroy(struct sim *s, int side)
{
	struct sim_end_point *end = &s->end[side];

	pmtcp_ctx_fini(end->ctx);
	if (test_pool_live(end->pool) + test_pool_live(end->rx_pool) != 0)
		sim_fail(s, "side %d lost %u packet buffers", side,
				test_pool_live(end->pool) + test_pool_live(end->rx_pool));
	test_pool_destroy(end->pool);
	test_pool_destroy(end->rx_pool);
	ctx_mem_unmap(end->mem, end->mem_len);
}

static void
sim_create(struct sim *s, const struct sim_case *c, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->name = c->name;
	s->seed = seed;
	s->now = SIM_START_NS;
	s->digest = 0xcbf29ce484222325ull;
	rng_seed(&s->rng, seed);
	for (int side = 0; side < SIM_SIDES; side++)
		s->opts.faults[side].delay_ns = 50 * SIM_US;
	if (c->setup != NULL)
		c->setup(&s->opts, &s->rng);
	for (int side = 0; side < SIM_SIDES; side++) {
		wire_init(&s->wire[side], side, &s->opts.faults[side], rng_next(&s->rng));
		s->wire[side].n_both = &s->n_tcp;
		s->wire[side].back = &s->wire[!side];
		s->wire[side].rules = s->opts.rules;
		s->wire[side].n_rules = s->opts.n_rules;
		end_point_create(s, side);
	}
}

static uint64_t
run_once(const struct sim_case *c, uint64_t seed)
{
	struct sim *s = malloc(sizeof(*s));
	uint64_t digest;

	CHECK(s != NULL);
	sim_create(s, c, seed);
	c->body(s);
	sim_settle(s);
	for (int side = 0; side < SIM_SIDES; side++)
		expect_empty(s, side);
	for (int side = 0; side < SIM_SIDES; side++) {
		end_point_destroy(s, side);
		wire_fini(&s->wire[side]);
	}
	for (uint32_t i = 0; i < s->n_flows; i++)
		free(s->flow[i]);
	digest = s->digest;
	free(s);
	return digest;
}

void
sim_run_case(const struct sim_case *c)
{
	const char *only = getenv("PMTCP_SIM_SEED");
	uint64_t first = only == NULL ? 1 : strtoull(only, NULL, 0);
	const char *more = getenv("PMTCP_SIM_MORE");
	uint64_t times = more == NULL ? 1 : strtoull(more, NULL, 0);
	uint64_t n = only == NULL ? c->n_seeds * times : 1;

	is_tracing = only != NULL;
	running = c;
	for (uint64_t seed = first; seed < first + n; seed++) {
		uint64_t digest;

		running_seed = seed;
		digest = run_once(c, seed);
		if (only == NULL && run_once(c, seed) != digest)
			fail_msg("%s: PMTCP_SIM_SEED=%lu: two runs differ", c->name,
					(unsigned long)seed);
	}
	running = NULL;
}
