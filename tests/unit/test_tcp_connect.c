/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: pmtcp_connect_burst() is pmtcp_connect() for one after the other (OPEN-1, OPEN-34): the
 * same ports in the same order, the same numbers, errors and books. Method: two contexts that
 * differ in nothing; one opens in bursts, the other one by one. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "stack/stack.h"
#include "support/bed.h"

enum { OPENS = 80, LIVE_MAX = 4096, STEPS = 400, STUFFED_MAX = 4096 };

static struct bed beds[2]; /* bursts, and the model */
static struct pmtcp_conn *live[2][LIVE_MAX];
static uint32_t n_live;
static struct rng rng;
static int last_err; /* of the burst before */

static const struct pmtcp_conn_opts short_wait = {.tw_ms = 5000};
static const struct pmtcp_conn_opts other_ttl = {.ttl = 9};
static const struct pmtcp_conn_opts insane = {.dscp = 64};

static uint32_t
draw(uint32_t below)
{
	return (uint32_t)(rng_next(&rng) % below);
}

static void
create(void (*tune)(struct pmtcp_conf *conf))
{
	bed_create(&beds[0], tune);
	bed_create(&beds[1], tune);
	n_live = 0;
}

static void
destroy(void)
{
	bed_destroy(&beds[0]);
	bed_destroy(&beds[1]);
}

static uint16_t
open_one_by_one(struct pmtcp_open *o, uint16_t n, int *err)
{
	*err = 0;
	for (uint16_t i = 0; i < n; i++) {
		struct pmtcp_conn_opts opts = {.user = o[i].user};

		if (o[i].opts != NULL) {
			opts = *o[i].opts;
			opts.user = o[i].user;
		}
		*err = pmtcp_connect(beds[1].ctx, &o[i].local, &o[i].remote, &opts, &o[i].conn);
		if (*err != 0)
			return i;
	}
	return n;
}

static void
assert_same_conn(const struct pmtcp_conn *a, const struct pmtcp_conn *b)
{
	struct pmtcp_conn_info x, y;

	pmtcp_conn_info(a, &x);
	pmtcp_conn_info(b, &y);
	assert_int_equal(x.state, y.state);
	assert_memory_equal(x.local.ip6, y.local.ip6, 16);
	assert_memory_equal(x.remote.ip6, y.remote.ip6, 16);
	assert_int_equal(x.local.ip4, y.local.ip4);
	assert_int_equal(x.remote.ip4, y.remote.ip4);
	assert_int_equal(x.local.port, y.local.port);
	assert_int_equal(x.remote.port, y.remote.port);
	assert_int_equal(x.snd_nxt, y.snd_nxt);
	assert_ptr_equal(pmtcp_user(a), pmtcp_user(b));
}

static void
assert_same_books(void)
{
	struct pmtcp_stats x = bed_stats(&beds[0]), y = bed_stats(&beds[1]);

	for (int c = 0; c < PMTCP_C_MAX; c++)
		if (x.counter[c] != y.counter[c])
			fail_msg("%s: %lu, of the model %lu",
					pmtcp_counter_name((enum pmtcp_counter)c),
					(unsigned long)x.counter[c], (unsigned long)y.counter[c]);
	assert_int_equal(x.live, y.live);
	assert_int_equal(x.time_wait, y.time_wait);
	assert_int_equal(x.blocks_used, y.blocks_used);
	assert_memory_equal(x.state, y.state, sizeof(x.state));
}

/* Opens the same in both; what was not opened must not have been touched. */
static uint16_t
open_both(const struct pmtcp_open *opens, uint16_t n)
{
	static struct pmtcp_open a[OPENS], b[OPENS];
	int want_err;
	uint16_t done, want;

	memcpy(a, opens, n * sizeof(a[0]));
	memcpy(b, opens, n * sizeof(b[0]));
	done = pmtcp_connect_burst(beds[0].ctx, a, n, &last_err);
	want = open_one_by_one(b, n, &want_err);
	assert_int_equal(last_err, want_err);
	assert_int_equal(done, want);
	for (uint16_t i = 0; i < done; i++) {
		assert_same_conn(a[i].conn, b[i].conn);
		assert_ptr_equal(pmtcp_user(a[i].conn), opens[i].user);
		assert_true(n_live < LIVE_MAX);
		live[0][n_live] = a[i].conn;
		live[1][n_live++] = b[i].conn;
	}
	for (uint16_t i = done; i < n; i++)
		assert_ptr_equal(a[i].conn, opens[i].conn);
	assert_same_books();
	return done;
}

static void
turn_both(void)
{
	for (int i = 0; i < 2; i++) {
		bed_turn(&beds[i]);
		bed_forget(&beds[i]);
	}
	assert_same_books();
}

static void
forget_live(uint32_t at)
{
	n_live--;
	live[0][at] = live[0][n_live];
	live[1][at] = live[1][n_live];
}

static void
detach_both(uint32_t at)
{
	pmtcp_detach(live[0][at]);
	pmtcp_detach(live[1][at]);
	forget_live(at);
}

/* To TIME-WAIT; the answers to a port of another worker's, which was named, do not come here. */
static void
close_both(uint32_t at)
{
	uint32_t events[2];

	for (int i = 0; i < 2; i++) {
		struct pmtcp_conn_info info;
		struct bed_peer peer = {.seq = 1000};

		pmtcp_conn_info(live[i][at], &info);
		peer.ip = info.remote.ip4;
		peer.port = info.remote.port;
		peer.local_port = info.local.port;
		peer.ack = info.snd_nxt;
		bed_peer_sends(&beds[i], &peer, PKT_SYN | PKT_ACK, 0);
		bed_turn(&beds[i]);
		bed_forget(&beds[i]);
		events[i] = bed_event(&beds[i]).flags;
		if (events[i] == PMTCP_EV_CONNECTED)
			bed_close_first(&beds[i], &peer, live[i][at]);
	}
	assert_int_equal(events[0], events[1]);
	if (events[0] == PMTCP_EV_CONNECTED)
		forget_live(at);
}

static struct pmtcp_addr
address(uint32_t ip4, uint16_t port, bool is_v6)
{
	uint8_t ip6[16];

	ctx_ip6_of(ip4, ip6);
	return is_v6 ? pmtcp_addr6(ip6, port) : pmtcp_addr4(ip4, port);
}

/* Remotes and ports are few, so that pairs come back within a burst. */
static struct pmtcp_open
some_open(bool is_v6)
{
	static const struct pmtcp_conn_opts *const opts[] = {
			NULL, NULL, NULL, &short_wait, &other_ttl};
	struct pmtcp_open o = {.user = (void *)(uintptr_t)(16 + draw(1000)),
			.conn = (struct pmtcp_conn *)0x1230,
			.opts = opts[draw(5)]};

	is_v6 = is_v6 && draw(2) == 0;
	o.remote = address(TEST_PEER, (uint16_t)(80 + draw(3)), is_v6);
	if (draw(2) == 0)
		o.local = address(TEST_ADDR, 0, is_v6);
	if (draw(20) == 0)
		o.local.port = (uint16_t)(draw(3) == 0 ? 5000 + draw(4) : 40000 + draw(12));
	if (draw(300) == 0)
		o.remote.port = 0;
	if (draw(300) == 0)
		o.opts = &insane;
	if (draw(300) == 0)
		o.remote = pmtcp_addr4(PMTCP_IP4(192, 0, 2, 1), 80); /* no route */
	return o;
}

static void
step(bool is_v6, bool has_time_wait)
{
	struct pmtcp_open opens[OPENS];
	uint16_t n = (uint16_t)(draw(4) == 0 ? draw(OPENS + 1) : draw(12));

	for (uint16_t i = 0; i < n; i++)
		opens[i] = some_open(is_v6);
	open_both(opens, n);
	turn_both();
	for (uint32_t k = draw(12); k > 0 && n_live > 0; k--) {
		uint32_t at = draw(n_live);

		if (has_time_wait && draw(2) == 0)
			close_both(at);
		else
			detach_both(at);
	}
	turn_both();
	if (draw(3) > 0)
		return;
	while (n_live > 40)
		detach_both(draw(n_live));
	turn_both();
	bed_advance(&beds[0], 700 * BED_MS);
	bed_advance(&beds[1], 700 * BED_MS);
	turn_both();
}

/* Many steps; what must have happened in them is the caller's to look for. */
static void
series(void (*tune)(struct pmtcp_conf *conf), uint64_t seed, bool is_v6, bool has_time_wait)
{
	print_message("seed %lu\n", (unsigned long)seed);
	rng_seed(&rng, seed);
	create(tune);
	for (int i = 0; i < STEPS; i++)
		step(is_v6, has_time_wait);
}

static void
tune_few(struct pmtcp_conf *conf)
{
	conf->port_first = 40000;
	conf->port_last = 40049;
	conf->max_conns = 1000;
	conf->max_time_wait = 1000;
	conf->tw_reuse = PMTCP_TW_REUSE_OFF;
	conf->syn_retries = 255; /* nothing ends by itself */
}

static void
tune_reuse(struct pmtcp_conf *conf)
{
	tune_few(conf);
	conf->tw_reuse = PMTCP_TW_REUSE_FORCE;
}

static void
tune_two_workers(struct pmtcp_conf *conf)
{
	tune_reuse(conf);
	conf->port_last = 40099;
	conf->owners = 2;
}

static void
tune_v6(struct pmtcp_conf *conf)
{
	tune_few(conf);
	conf->port_last = 40011;
	ctx_conf_add_v6(conf, TEST_ADDR, TEST_PEER);
}

static void
tune_v6_two_workers(struct pmtcp_conf *conf)
{
	tune_v6(conf);
	conf->port_last = 40049;
	conf->owners = 2;
}

static void
open_34_bursts_open_what_single_calls_do(void **state)
{
	(void)state;
	series(tune_few, 1, false, false);
	assert_true(bed_counter(&beds[0], PMTCP_C_port_exhausted) > 0);
	destroy();
	series(tune_few, 2, false, true);
	assert_true(bed_counter(&beds[0], PMTCP_C_port_exhausted) > 0);
	destroy();
}

static void
tw_12_bursts_reuse_what_single_calls_do(void **state)
{
	(void)state;
	series(tune_reuse, 3, false, true);
	assert_true(bed_counter(&beds[0], PMTCP_C_tw_reused_out) > 50);
	destroy();
}

/* All that is in use is ours: nothing was opened with another worker's port. */
static void
assert_all_ours(void)
{
	uint32_t in_use = 0;

	for (uint16_t port = 80; port < 83; port++) {
		for (int is_v6 = 0; is_v6 <= (beds[0].conf.n_ranges6 > 0); is_v6++) {
			struct pmtcp_addr remote = address(TEST_PEER, port, is_v6);
			struct pmtcp_port_report r;

			pmtcp_port_report(beds[0].ctx, NULL, &remote, &r);
			assert_true(r.foreign > 10);
			in_use += r.in_use;
		}
	}
	assert_int_equal(in_use, n_live);
}

/* OPEN-35 */
static void
open_35_bursts_pass_over_the_ports_of_others(void **state)
{
	static struct pmtcp_open opens[OPENS];

	(void)state;
	series(tune_two_workers, 4, false, true);
	destroy();
	series(tune_v6_two_workers, 5, true, false);
	destroy();
	/* Taken ports are met on the way, and others' behind them. */
	create(tune_two_workers);
	for (int round = 0; round < 20; round++) {
		for (uint16_t i = 0; i < OPENS; i++)
			opens[i] = (struct pmtcp_open){
					.remote = address(
							TEST_PEER, (uint16_t)(80 + i % 3), false)};
		open_both(opens, 60);
		turn_both();
		assert_all_ours();
		while (n_live > 55)
			detach_both((uint32_t)round % n_live);
		turn_both();
	}
	destroy();
}

static void
open_34_bursts_over_both_versions(void **state)
{
	(void)state;
	series(tune_v6, 6, true, false);
	assert_true(bed_counter(&beds[0], PMTCP_C_port_exhausted) > 0);
	destroy();
}

static struct pmtcp_open
plain_open(uint16_t rport)
{
	return (struct pmtcp_open){.remote = address(TEST_PEER, rport, false),
			.conn = (struct pmtcp_conn *)0x1230};
}

/* One pair again and again in one burst: the last ports of its range, then no more. */
static void
res_3_ports_run_out_within_a_burst(void **state)
{
	struct pmtcp_open opens[OPENS];

	(void)state;
	create(tune_few);
	for (uint16_t i = 0; i < OPENS; i++)
		opens[i] = plain_open(80);
	assert_int_equal(open_both(opens, OPENS), 50);
	assert_int_equal(last_err, -EADDRNOTAVAIL);
	/* What stands behind the failure was not tried. */
	opens[0] = plain_open(80);
	opens[1] = plain_open(81);
	assert_int_equal(open_both(opens, 2), 0);
	assert_int_equal(last_err, -EADDRNOTAVAIL);
	assert_int_equal(open_both(&opens[1], 1), 1);
	assert_int_equal(last_err, 0);
	destroy();
}

static void
tune_20_blocks(struct pmtcp_conf *conf)
{
	tune_few(conf);
	conf->max_conns = 20;
}

static void
tune_16_pairs(struct pmtcp_conf *conf)
{
	tune_few(conf);
	conf->max_port_pairs = 1;
}

static void
tune_2_classes(struct pmtcp_conf *conf)
{
	tune_few(conf);
	conf->max_classes = 2;
}

/* RES-3: what a context has is used up in the middle of a burst. */
static void
res_3_other_things_run_out_within_a_burst(void **state)
{
	static const struct pmtcp_conn_opts *const opts[] = {NULL, &short_wait, &other_ttl};
	struct pmtcp_open opens[OPENS];

	(void)state;
	for (uint16_t i = 0; i < OPENS; i++)
		opens[i] = plain_open((uint16_t)(80 + i));
	create(tune_20_blocks);
	assert_int_equal(open_both(opens, OPENS), 20);
	assert_int_equal(last_err, -ENFILE);
	destroy();
	create(tune_16_pairs);
	assert_int_equal(open_both(opens, OPENS), 16);
	assert_int_equal(last_err, -ENOBUFS);
	destroy();
	create(tune_2_classes);
	for (uint16_t i = 0; i < OPENS; i++)
		opens[i].opts = opts[i / 5 % 3];
	assert_int_equal(open_both(opens, OPENS), 10);
	assert_int_equal(last_err, -ENOBUFS);
	destroy();
}

/* Takes slots of the table, by blocks that nobody uses, until one finds none. */
static uint32_t
stuff_table(struct tcp *t, uint64_t *hash)
{
	uint32_t n = 0;

	rng_seed(&rng, 7);
	do
		hash[n] = rng_next(&rng);
	while (flow_table_insert(&t->table, hash[n], t->time_waits.end - 1 - n) == 0 &&
			++n < STUFFED_MAX);
	assert_true(n < STUFFED_MAX);
	return n;
}

/* The last of them go, as far as number `to`. */
static void
unstuff_table(struct tcp *t, const uint64_t *hash, uint32_t from, uint32_t to)
{
	while (from-- > to)
		assert_true(flow_table_remove(&t->table, hash[from], t->time_waits.end - 1 - from));
}

/* RES-8: the table is full in the middle of a burst, and nothing in it gives way. */
static void
res_8_table_is_full_within_a_burst(void **state)
{
	static uint64_t hash[2][STUFFED_MAX];
	struct pmtcp_addr remote = address(TEST_PEER, 80, false);
	struct pmtcp_open opens[OPENS];
	struct pmtcp_port_report r;
	uint32_t n[2];
	uint16_t done;

	(void)state;
	create(tune_few);
	for (int i = 0; i < 2; i++) {
		n[i] = stuff_table(&beds[i].ctx->t, hash[i]);
		unstuff_table(&beds[i].ctx->t, hash[i], n[i], n[i] - 20);
	}
	for (uint16_t i = 0; i < OPENS; i++)
		opens[i] = plain_open(80);
	done = open_both(opens, 40);
	assert_in_range(done, 12, 28);
	assert_int_equal(last_err, -ENOBUFS);
	assert_int_equal(bed_counter(&beds[0], PMTCP_C_table_full), 1);
	assert_int_equal(bed_counter(&beds[0], PMTCP_C_opened_active), done);
	assert_int_equal(bed_stats(&beds[0]).live, done);
	/* Neither a block nor a port is lost. */
	for (int i = 0; i < 2; i++)
		unstuff_table(&beds[i].ctx->t, hash[i], n[i] - 20, 0);
	assert_int_equal(open_both(opens, OPENS), 50 - done);
	assert_int_equal(last_err, -EADDRNOTAVAIL);
	pmtcp_port_report(beds[0].ctx, NULL, &remote, &r);
	assert_int_equal(r.in_use, 50);
	assert_int_equal(bed_stats(&beds[0]).blocks_used, 50);
	turn_both();
	destroy();
}

static void
fill_ports(void)
{
	struct pmtcp_open opens[OPENS];

	for (uint16_t i = 0; i < 50; i++)
		opens[i] = plain_open(80);
	assert_int_equal(open_both(opens, 50), 50);
	turn_both();
}

/* Ports that the burst itself names, and takes, are not picked by it as well. */
static void
open_34_burst_does_not_pick_what_it_named(void **state)
{
	struct pmtcp_open opens[OPENS];
	uint16_t port[2];

	(void)state;
	create(tune_few);
	fill_ports();
	for (int i = 0; i < 2; i++) {
		struct pmtcp_conn_info info;

		pmtcp_conn_info(live[0][10 + i], &info);
		port[i] = info.local.port;
	}
	detach_both(11);
	detach_both(10);
	turn_both();
	opens[0] = opens[1] = opens[2] = opens[3] = plain_open(80);
	opens[0].local.port = port[1];
	opens[1].local.port = port[1];
	assert_int_equal(open_both(opens, 2), 1);
	assert_int_equal(last_err, -EISCONN);
	assert_int_equal(open_both(&opens[2], 2), 1);
	assert_int_equal(last_err, -EADDRNOTAVAIL);
	destroy();
}

/* Options that follow each other in a burst are each connection's own. */
static void
open_1_options_of_a_burst(void **state)
{
	struct pmtcp_open opens[3] = {plain_open(80), plain_open(80), plain_open(80)};
	const struct pkt *p;
	int err;

	(void)state;
	create(tune_few);
	opens[1].opts = &other_ttl;
	assert_int_equal(pmtcp_connect_burst(beds[0].ctx, opens, 3, &err), 3);
	bed_turn(&beds[0]);
	for (int i = 0; i < 3; i++) {
		p = bed_take(&beds[0]);
		assert_non_null(p);
		assert_int_equal(p->flags, PKT_SYN);
		assert_int_equal(p->ttl, i == 1 ? 9 : 64);
	}
	assert_null(bed_take(&beds[0]));
	err = 1;
	assert_int_equal(pmtcp_connect_burst(beds[0].ctx, NULL, 0, &err), 0);
	assert_int_equal(err, 0);
	destroy();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(open_34_bursts_open_what_single_calls_do),
			cmocka_unit_test(tw_12_bursts_reuse_what_single_calls_do),
			cmocka_unit_test(open_35_bursts_pass_over_the_ports_of_others),
			cmocka_unit_test(open_34_bursts_over_both_versions),
			cmocka_unit_test(res_3_ports_run_out_within_a_burst),
			cmocka_unit_test(res_3_other_things_run_out_within_a_burst),
			cmocka_unit_test(res_8_table_is_full_within_a_burst),
			cmocka_unit_test(open_34_burst_does_not_pick_what_it_named),
			cmocka_unit_test(open_1_options_of_a_burst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
