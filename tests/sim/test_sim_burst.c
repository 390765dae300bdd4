/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: blocks that are made, changed and freed inside one burst of input are
 * never confused (design: the looked-up block is a hint). Method: whole lives of
 * tuples that share the few buckets of a small table arrive in one burst: SYN,
 * ACK, text, FIN, RST, SYN again. A twin context told beforehand which initial
 * numbers will be chosen, since the same secrets at the same time choose the same.
 * Then bursts of random segments that are near to right ones. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/check.h"
#include "base/rng.h"
#include "support/build.h"
#include "support/cell.h"
#include "support/endpoint.h"

#define LIVES      8
#define LIFE_STEPS 6
#define IRS        5000u
#define IRS_AGAIN  900000u

static struct rte_mbuf *
segment_with(struct ep *ep, const struct build *options, uint16_t port, uint32_t seq, uint32_t ack)
{
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR);
	struct rte_ether_addr peer = ctx_mac_of(TEST_PEER);
	struct build b = *options;
	static const uint8_t text[10];

	b.saddr = TEST_PEER;
	b.daddr = TEST_ADDR;
	b.sport = port;
	b.dport = EP_PORT;
	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, peer.addr_bytes, 6);
	b.seq = seq;
	b.ack = ack;
	b.wnd = 8192;
	b.payload = text;
	b.len = b.flags & PKT_PSH ? sizeof(text) : 0;
	return build_tcp(ep->pool, &b);
}

static struct rte_mbuf *
segment(struct ep *ep, uint16_t port, uint8_t flags, uint32_t seq, uint32_t ack)
{
	const struct build options = {.flags = flags};

	return segment_with(ep, &options, port, seq, ack);
}

static void
burst_create(struct ep *ep, const char *name)
{
	const struct ep_opts opts = {
			.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};

	ep_create(ep, name, &opts);
	assert_int_equal(ep_listen(ep), 0);
}

static void
burst_destroy(struct ep *ep)
{
	struct pmtcp_stats stats;

	pmtcp_ctx_check(ep->ctx);
	pmtcp_stats(ep->ctx, &stats);
	assert_null(pmtcp_stats_audit(&stats));
	ep_destroy(ep);
}

/* Takes the frames that are due; iss[port - EP_PEER_PORT] learns from SYN-ACKs. */
static uint32_t
take_frames(struct ep *ep, uint32_t *iss)
{
	static struct pkt p;
	struct rte_mbuf *out[16];
	uint32_t n_syn_acks = 0;
	uint16_t n;

	while ((n = pmtcp_output(ep->ctx, ep->now, out, 16)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			assert_int_equal(pkt_decode(&p, out[i]), 0);
			if (p.kind == PKT_KIND_TCP && p.flags == (PKT_SYN | PKT_ACK)) {
				iss[p.dport - EP_PEER_PORT] = p.seq;
				n_syn_acks++;
			}
			rte_pktmbuf_free(out[i]);
		}
	}
	return n_syn_acks;
}

/* What the listener will answer to each life's SYN at the time of the test. */
static void
foretell(uint32_t iss[LIVES])
{
	static struct ep twin;
	struct rte_mbuf *burst[LIVES];

	burst_create(&twin, "twin");
	for (uint16_t i = 0; i < LIVES; i++)
		burst[i] = segment(&twin, (uint16_t)(EP_PEER_PORT + i), PKT_SYN, IRS, 0);
	pmtcp_input(twin.ctx, twin.now, burst, LIVES);
	assert_int_equal(take_frames(&twin, iss), LIVES);
	burst_destroy(&twin);
}

static struct rte_mbuf *
life_step(struct ep *ep, uint16_t life, int step, uint32_t iss)
{
	uint16_t port = (uint16_t)(EP_PEER_PORT + life);

	switch (step) {
	case 0:
		return segment(ep, port, PKT_SYN, IRS, 0);
	case 1:
		return segment(ep, port, PKT_ACK, IRS + 1, iss + 1);
	case 2:
		return segment(ep, port, PKT_PSH | PKT_ACK, IRS + 1, iss + 1);
	case 3:
		return segment(ep, port, PKT_FIN | PKT_ACK, IRS + 11, iss + 1);
	case 4:
		return segment(ep, port, PKT_RST, IRS + 12, 0);
	default:
		return segment(ep, port, PKT_SYN, IRS_AGAIN, 0);
	}
}

/* All lives' steps, each life's in order, mixed in one burst. */
static uint16_t
mix_lives(struct ep *ep, struct rng *rng, const uint32_t *iss, struct rte_mbuf **burst)
{
	int step[LIVES] = {0};
	uint16_t n = 0;

	while (n < LIVES * LIFE_STEPS) {
		uint16_t life = (uint16_t)rng_below(rng, LIVES);

		if (step[life] == LIFE_STEPS)
			continue;
		burst[n++] = life_step(ep, life, step[life]++, iss[life]);
	}
	return n;
}

static void
pop_ended_lives(struct ep *ep)
{
	struct pmtcp_event ev[LIVES + 1];
	uint16_t n = pmtcp_events(ep->ctx, ev, LIVES + 1);

	assert_int_equal(n, LIVES);
	for (uint16_t i = 0; i < n; i++) {
		assert_int_equal(ev[i].flags, PMTCP_EV_ACCEPTED | PMTCP_EV_READABLE |
							      PMTCP_EV_PEER_FIN | PMTCP_EV_CLOSED);
		assert_int_equal(ev[i].reason, PMTCP_PEER_RESET);
		pmtcp_close(ev[i].conn);
	}
}

static void
one_mixed_burst(uint64_t seed, const uint32_t *iss)
{
	static struct ep ep;
	struct rte_mbuf *burst[LIVES * LIFE_STEPS];
	uint32_t again[LIVES] = {0};
	struct pmtcp_stats stats;
	struct rng rng;
	uint16_t n;

	rng_seed(&rng, seed);
	burst_create(&ep, "burst");
	n = mix_lives(&ep, &rng, iss, burst);
	pmtcp_input(ep.ctx, ep.now, burst, n);
	pmtcp_ctx_check(ep.ctx);
	pop_ended_lives(&ep);
	pmtcp_ctx_check(ep.ctx);
	/* Only the second life is there to be answered. */
	assert_int_equal(take_frames(&ep, again), LIVES);
	pmtcp_stats(ep.ctx, &stats);
	assert_int_equal(stats.state[PMTCP_SYN_RCVD], LIVES);
	assert_int_equal(stats.live, 0);
	assert_int_equal(stats.ended[PMTCP_PEER_RESET], LIVES);
	assert_int_equal(stats.counter[PMTCP_C_syn_taken], 2 * LIVES);
	burst_destroy(&ep);
}

static void
burst_whole_lives_then_syn_again(void **state)
{
	uint32_t iss[LIVES] = {0};

	foretell(iss);
	for (uint64_t seed = 1; seed <= 200; seed++)
		one_mixed_burst(seed, iss);
}

/* The third ACK gives a half-open's block back, the next SYN takes it, and then text
 * comes whose looked-up block is that one. */
static void
burst_recycled_block_is_told_by_key(void **state)
{
	static struct ep ep;
	uint32_t iss[LIVES] = {0};
	struct pmtcp_event ev[2];
	struct pmtcp_stats stats;
	struct rte_mbuf *burst[3];

	burst_create(&ep, "recycled");
	burst[0] = segment(&ep, EP_PEER_PORT, PKT_SYN, IRS, 0);
	pmtcp_input(ep.ctx, ep.now, burst, 1);
	assert_int_equal(take_frames(&ep, iss), 1);
	burst[0] = segment(&ep, EP_PEER_PORT, PKT_ACK, IRS + 1, iss[0] + 1);
	burst[1] = segment(&ep, EP_PEER_PORT + 1, PKT_SYN, IRS, 0);
	burst[2] = segment(&ep, EP_PEER_PORT, PKT_PSH | PKT_ACK, IRS + 1, iss[0] + 1);
	pmtcp_input(ep.ctx, ep.now, burst, 3);
	assert_int_equal(pmtcp_events(ep.ctx, ev, 2), 1);
	assert_int_equal(ev[0].flags, PMTCP_EV_ACCEPTED | PMTCP_EV_READABLE);
	assert_int_equal(take_frames(&ep, iss), 1);
	pmtcp_stats(ep.ctx, &stats);
	assert_int_equal(stats.state[PMTCP_ESTABLISHED], 1);
	assert_int_equal(stats.state[PMTCP_SYN_RCVD], 1);
	assert_int_equal(stats.counter[PMTCP_C_rx_octets], 10);
	burst_destroy(&ep);
}

/* TW-18: input comes before the tick of the same turn. */
static void
burst_repeated_fin_wins_over_expiry_in_same_pass(void **state)
{
	const struct ep_opts opts = {
			.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};
	static struct ep ep;

	ep_create(&ep, "same_pass", &opts);
	cell_script(&ep, REACH_TW);
	ep.now += 60300 * EP_MS;
	cell_script(&ep, "> FA p+1 i+2; < A i+2 p+2; = TW; +59s; .; = TW; +2s; .; = CLD");
	ep_destroy(&ep);
}

/* A tuple as the peer knows it: what would be right to send next. */
struct tuple {
	uint32_t seq;
	uint32_t ack;
	uint32_t tsval; /* of the peer's clock */
	uint32_t tsecr; /* what it saw last */
};

#define SOUP_TUPLES 6
#define SOUP_ROUNDS 400

static void
learn(struct tuple *tuples, const struct pkt *p)
{
	struct tuple *t = &tuples[p->dport - EP_PEER_PORT];

	if (p->kind != PKT_KIND_TCP || p->dport - EP_PEER_PORT >= SOUP_TUPLES)
		return;
	t->ack = p->seq + p->len + !!(p->flags & PKT_SYN) + !!(p->flags & PKT_FIN);
	if (p->flags & PKT_ACK)
		t->seq = p->ack;
	if (p->opts & PKT_OPT_TS)
		t->tsecr = p->tsval;
}

/* Options as a peer would send them, now and then missing, stale or absurd. */
static struct build
soup_options(uint8_t flags, struct tuple *t, struct rng *rng)
{
	struct build b = {.flags = flags};

	t->tsval += (uint32_t)rng_below(rng, 3);
	if (rng_below(rng, 16) != 0)
		b.opts |= PKT_OPT_TS;
	b.tsval = t->tsval - (rng_below(rng, 16) == 0 ? (uint32_t)rng_below(rng, 9) : 0);
	b.tsecr = rng_below(rng, 32) == 0 ? (uint32_t)rng_next(rng) : t->tsecr;
	if (flags & PKT_SYN) {
		b.opts |= PKT_OPT_MSS | PKT_OPT_SACK_PERM | PKT_OPT_WSCALE;
		b.mss = (uint16_t)rng_below(rng, 1500);
		b.wscale = (uint8_t)rng_below(rng, 15);
	} else if (rng_below(rng, 4) == 0) {
		b.opts |= PKT_OPT_SACK;
		b.n_sack = (uint8_t)(1 + rng_below(rng, 3));
		for (int i = 0; i < b.n_sack; i++) {
			b.sack[i].left = t->ack - 20 + (uint32_t)rng_below(rng, 200);
			b.sack[i].right = b.sack[i].left - 5 + (uint32_t)rng_below(rng, 100);
		}
	}
	return b;
}

static struct rte_mbuf *
soup_segment(struct ep *ep, struct tuple *tuples, struct rng *rng)
{
	static const uint8_t kinds[] = {PKT_SYN, PKT_SYN, PKT_ACK, PKT_ACK, PKT_ACK,
			PKT_PSH | PKT_ACK, PKT_PSH | PKT_ACK, PKT_FIN | PKT_ACK, PKT_FIN | PKT_ACK,
			PKT_FIN | PKT_PSH | PKT_ACK, PKT_RST, PKT_RST | PKT_ACK, PKT_SYN | PKT_ACK,
			0, PKT_FIN, PKT_SYN | PKT_FIN};
	uint32_t i = (uint32_t)rng_below(rng, SOUP_TUPLES);
	uint8_t flags = kinds[rng_below(rng, PMTCP_ARRAY_SIZE(kinds))];
	struct tuple *t = &tuples[i];
	struct build options = soup_options(flags, t, rng);
	uint32_t seq = t->seq, ack = t->ack;
	struct rte_mbuf *m;

	if (rng_below(rng, 4) == 0)
		seq += (uint32_t)rng_below(rng, 24) - 12;
	if (rng_below(rng, 6) == 0)
		ack += (uint32_t)rng_below(rng, 6) - 3;
	if (rng_below(rng, 40) == 0)
		seq = (uint32_t)rng_next(rng);
	m = segment_with(ep, &options, (uint16_t)(EP_PEER_PORT + i), seq, ack);
	/* Often the next one continues this one. */
	if (rng_below(rng, 3) != 0)
		t->seq = seq + (flags & PKT_PSH ? 10 : 0) + !!(flags & (PKT_SYN | PKT_FIN));
	return m;
}

/* An application without a plan: any call at any time. */
static void
act_at_random(const struct pmtcp_event *ev, struct rng *rng)
{
	static uint8_t text[100];

	if (ev->flags & PMTCP_EV_CLOSED) {
		if (pmtcp_user(ev->conn) == NULL)
			pmtcp_close(ev->conn);
		return;
	}
	switch (rng_below(rng, 8)) {
	case 0:
	case 1:
		pmtcp_write(ev->conn, text, sizeof(text));
		break;
	case 2:
	case 3:
		pmtcp_read(ev->conn, text, sizeof(text));
		break;
	case 4:
		pmtcp_shutdown(ev->conn);
		break;
	case 5:
		/* Marked first: only CLOSED may follow, and then the handle is dead. */
		pmtcp_set_user(ev->conn, text);
		pmtcp_close(ev->conn);
		break;
	case 6:
		pmtcp_set_user(ev->conn, text);
		pmtcp_abort(ev->conn);
		break;
	default:
		pmtcp_detach(ev->conn);
	}
}

/* Opens over the same tuples, closes the listener under its half-opens, jumps in
 * time, is short of packet buffers. */
static void
disturb(struct ep *ep, struct rng *rng)
{
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, EP_PORT);
	struct pmtcp_addr remote = pmtcp_addr4(TEST_PEER, EP_PEER_PORT);
	struct pmtcp_conn *conn;

	remote.port = (uint16_t)(EP_PEER_PORT + rng_below(rng, SOUP_TUPLES));
	switch (rng_below(rng, 40)) {
	case 0:
	case 1:
	case 2:
	case 3:
		pmtcp_connect(ep->ctx, &local, &remote, &ep->conn_opts, &conn);
		break;
	case 4:
		ep_unlisten(ep);
		assert_int_equal(ep_listen(ep), 0);
		break;
	case 5:
		ep->now += rng_below(rng, 70000) * EP_MS;
		break;
	case 6:
		pmtcp_set_pressure(ep->ctx, (uint16_t)rng_below(rng, 1001));
		break;
	case 7:
		pmtcp_set_pressure(ep->ctx, 1000);
		break;
	default:
		break;
	}
}

static void
soup_round(struct ep *ep, struct tuple *tuples, struct rng *rng)
{
	static struct pkt p;
	struct rte_mbuf *pkts[64];
	struct pmtcp_event ev[64];
	uint16_t n = (uint16_t)(1 + rng_below(rng, 64));

	for (uint16_t i = 0; i < n; i++)
		pkts[i] = soup_segment(ep, tuples, rng);
	ep->now += rng_below(rng, 50) == 0 ? 5000 * EP_MS : rng_below(rng, 3 * EP_MS);
	disturb(ep, rng);
	pmtcp_input(ep->ctx, ep->now, pkts, n);
	pmtcp_ctx_check(ep->ctx);
	pmtcp_tick(ep->ctx, ep->now);
	n = pmtcp_events(ep->ctx, ev, 64);
	for (uint16_t i = 0; i < n; i++)
		act_at_random(&ev[i], rng);
	while ((n = pmtcp_output(ep->ctx, ep->now, pkts, 64)) > 0) {
		for (uint16_t i = 0; i < n; i++) {
			assert_int_equal(pkt_decode(&p, pkts[i]), 0);
			learn(tuples, &p);
			rte_pktmbuf_free(pkts[i]);
		}
	}
	pmtcp_ctx_check(ep->ctx);
}

static void
few_blocks(struct pmtcp_conf *conf)
{
	conf->max_conns = 5;
	conf->max_half_open = 4;
	conf->max_time_wait = 3;
	conf->tw_ms = 1000;
	conf->tw_reuse = PMTCP_TW_REUSE_SAFE;
}

/* PMTCP_SIM_MORE=k: k times as many. */
static uint64_t
soup_seeds(void)
{
	const char *more = getenv("PMTCP_SIM_MORE");

	return 24 * (more == NULL ? 1 : strtoull(more, NULL, 0));
}

static void
burst_of_random_segments_keeps_invariants(void **state)
{
	struct ep_opts opts = {.tune = few_blocks};
	static struct ep ep;

	for (uint64_t seed = 1; seed <= soup_seeds(); seed++) {
		struct tuple tuples[SOUP_TUPLES] = {{0}};
		struct pmtcp_stats stats;
		struct rng rng;

		rng_seed(&rng, seed);
		opts.conn.no_timestamps = seed % 2;
		opts.conn.no_sack = seed / 2 % 2;
		opts.conn.no_wscale = seed / 4 % 2;
		ep_create(&ep, "soup", &opts);
		assert_int_equal(ep_listen(&ep), 0);
		for (int round = 0; round < SOUP_ROUNDS; round++) {
			soup_round(&ep, tuples, &rng);
			pmtcp_stats(ep.ctx, &stats);
			if (pmtcp_stats_audit(&stats) != NULL)
				fail_msg("seed %u round %d: %s", (unsigned int)seed, round,
						pmtcp_stats_audit(&stats));
		}
		ep_drop(&ep);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(burst_whole_lives_then_syn_again),
			cmocka_unit_test(burst_recycled_block_is_told_by_key),
			cmocka_unit_test(burst_repeated_fin_wins_over_expiry_in_same_pass),
			cmocka_unit_test(burst_of_random_segments_keeps_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
