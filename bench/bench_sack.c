/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What can a peer make one ACK cost (SEC-14)? A connection sends as fast as it may; the peer
 * is this program. It opens with the smallest MSS, so that as many segments as can be are
 * in flight, and then acknowledges as an honest one does, two segments each, or reports
 * blocks that are made to be expensive. Measured is what an ACK costs from pmtcp_input() to
 * the last packet of pmtcp_output(), on a mempool of DPDK. It fails if the 99th
 * percentile of an adversary is more than 20 times the median of the honest one. */

#include "bench_peer.h"

enum {
	MSS = 88,
	FLIGHT = 4096, /* segments, as many as go out */
	ACKS = 4000,   /* of each run */
};

static uint64_t cost[ACKS];

struct block {
	uint32_t left;
	uint32_t right;
};

struct ack {
	uint32_t ack;
	uint32_t n;
	struct block block[4];
};

static uint32_t drawn;

static uint64_t
send_ack(const struct ack *a)
{
	uint8_t opts[40] = {1, 1, 5, (uint8_t)(2 + 8 * a->n)};

	for (uint32_t i = 0; i < min_u32(a->n, PMTCP_ARRAY_SIZE(a->block)); i++) {
		rte_be32_t edge[2] = {rte_cpu_to_be_32(a->block[i].left),
				rte_cpu_to_be_32(a->block[i].right)};

		memcpy(opts + 4 + 8 * i, edge, 8);
	}
	return peer_deliver(peer_segment(&(struct peer_seg){.seq = PEER_ISS + 1,
			.ack = a->ack,
			.flags = RTE_TCP_ACK_FLAG,
			.opts = opts,
			.opts_len = (uint8_t)(a->n ? 4 + 8 * a->n : 0)}));
}

static void
tune(struct pmtcp_conf *conf)
{
	conf->max_records = 3 * FLIGHT;
	conf->send_buffer = 4 << 20;
}

static struct pmtcp_conn_info
info_now(void)
{
	struct pmtcp_conn_info info;

	pmtcp_conn_info(conn, &info);
	return info;
}

static void
write_more(void)
{
	static uint8_t text[65536];

	while (info_now().unsent < 1 << 20 && pmtcp_write(conn, text, sizeof(text)) > 0)
		;
	peer_output();
}

/* A new connection with the whole flight out. */
static void
begin(void)
{
	static const uint8_t opts[12] = {2, 4, 0, MSS, 1, 3, 3, 10, 4, 2, 1, 1};
	const struct pmtcp_conn_opts with = {.no_timestamps = true, .send_buffer = 4 << 20};

	peer_open(&with, opts, sizeof(opts));
	for (uint32_t i = 0; info_now().unacked < FLIGHT * MSS; i++) {
		BENCH_VERIFY(i < 4 * FLIGHT);
		write_more();
		if (info_now().unacked >= 2 * MSS)
			send_ack(&(struct ack){.ack = info_now().snd_una + 2 * MSS});
	}
}

/* One segment, the at-th of the flight. */
static void
put(struct ack *a, uint32_t at)
{
	a->block[a->n++] = (struct block){a->ack + at * MSS, a->ack + (at + 1) * MSS};
}

static void
honest(struct ack *a, uint32_t i)
{
	(void)i;
	a->ack += 2 * MSS;
}

static void
both_ends(struct ack *a, uint32_t i)
{
	for (uint32_t k = 0; k < 4; k++) {
		uint32_t at = ((i * 4 + k) * 2 + 1) % (FLIGHT / 2);

		put(a, i % 2 ? at : FLIGHT - 2 - at);
	}
}

static void
halves(struct ack *a, uint32_t i)
{
	for (uint32_t k = 0; k < 4; k++) {
		put(a, (i + k) % 2 ? 1 : FLIGHT - 2);
		a->block[k].left += MSS / 2;
	}
}

static void
anywhere(struct ack *a, uint32_t i)
{
	(void)i;
	for (uint32_t k = 0; k < 4; k++) {
		drawn = drawn * 1664525 + 1013904223;
		put(a, 1 + (drawn >> 8) % (FLIGHT - 2));
	}
}

struct kind {
	const char *name;
	void (*next)(struct ack *a, uint32_t i);
};

/* One run: the median of its ACKs, and the least 99th percentile so far. What is beyond it
 * is the scheduler's more than ours. */
static void
run(const struct kind *k, struct bench_case *c, uint64_t *p99)
{
	begin();
	for (uint32_t i = 0; i < ACKS; i++) {
		struct ack a = {.ack = info_now().snd_una};

		k->next(&a, i);
		cost[i] = send_ack(&a);
		if (k->next == honest)
			write_more();
	}
	peer_abort();
	peer_judge(cost, ACKS, c, p99);
}

int
main(int argc, char **argv)
{
	static const struct kind kinds[] = {{"honest", honest}, {"both_ends", both_ends},
			{"halves", halves}, {"anywhere", anywhere}};
	int runs = bench_is_quick(argc, argv) ? 1 : BENCH_RUNS;
	double honest_cyc = 0;

	peer_start(argv[0], tune);
	for (size_t k = 0; k < PMTCP_ARRAY_SIZE(kinds); k++) {
		struct bench_case c = {.name = kinds[k].name, .size = FLIGHT};
		char name[48];
		uint64_t p99 = UINT64_MAX;

		snprintf(name, sizeof(name), "sack_ack.%s", kinds[k].name);
		c.name = name;
		for (int i = 0; i < runs; i++)
			run(&kinds[k], &c, &p99);
		honest_cyc = k == 0 ? bench_median(&c) : honest_cyc;
		peer_report(&c, p99, honest_cyc);
	}
	return 0;
}
