/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See fuzz.h. tcp_input() is counted on its way in: the programs are linked with
 * --wrap=tcp_input. */

#include "fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/check.h"
#include "tcp/tcp.h"

#define TEXT_PERIOD 65536u
#define KINDS_MAX   8

static struct {
	uint64_t executions;
	uint64_t reached; /* executions with at least one segment */
	uint64_t segments;
	uint64_t state[PMTCP_STATE_MAX];
	uint64_t segments_before;
	bool is_running;
	bool is_preparing;
	const char *kind[KINDS_MAX];
	uint64_t n_of_kind[KINDS_MAX];
} counts;

void __real_tcp_input(struct tcp *t, struct block_head *b, struct seg *seg);
void __wrap_tcp_input(struct tcp *t, struct block_head *b, struct seg *seg);

/* The burst's hints may not lead to another block than looking this one tuple up does. */
void
__wrap_tcp_input(struct tcp *t, struct block_head *b, struct seg *seg)
{
	uint32_t index = flow_table_lookup(&t->table, tcp_hash(t, &seg->key), &seg->key);

	CHECK(b == (index != 0 ? tcp_block(t, index) : NULL));
	if (counts.is_preparing) {
		__real_tcp_input(t, b, seg);
		return;
	}
	counts.segments++;
	if (b)
		counts.state[b->state]++;
	else if (tcp_listener_find(t, seg) != NULL)
		counts.state[PMTCP_LISTEN]++;
	else
		counts.state[PMTCP_CLOSED]++;
	__real_tcp_input(t, b, seg);
}

static void
end_execution(void)
{
	counts.reached += counts.is_running && counts.segments != counts.segments_before;
	counts.segments_before = counts.segments;
	counts.is_running = false;
}

void
fuzz_is_preparing(bool is_preparing)
{
	counts.is_preparing = is_preparing;
}

void
fuzz_tally(const char *kind)
{
	int i = 0;

	while (counts.kind[i] != NULL && counts.kind[i] != kind)
		EXPECT(++i < KINDS_MAX);
	counts.kind[i] = kind;
	counts.n_of_kind[i]++;
}

static void
print_counts(void)
{
	int n_states = 0;

	end_execution();
	if (counts.executions == 0)
		return;
	fprintf(stderr, "executions %" PRIu64 ", reached tcp_input %.1f %%, segments %" PRIu64 "\n",
			counts.executions,
			100.0 * (double)counts.reached / (double)counts.executions,
			counts.segments);
	for (int i = 0; i < KINDS_MAX && counts.kind[i] != NULL; i++)
		fprintf(stderr, "%s%s %" PRIu64 "%s", i == 0 ? "of them: " : ", ", counts.kind[i],
				counts.n_of_kind[i],
				i + 1 == KINDS_MAX || counts.kind[i + 1] == NULL ? "\n" : "");
	if (counts.segments == 0)
		return;
	fprintf(stderr, "segments by state:");
	for (int i = 0; i < PMTCP_STATE_MAX; i++) {
		n_states += counts.state[i] != 0;
		fprintf(stderr, " %s=%" PRIu64, pmtcp_state_name((enum pmtcp_state)i),
				counts.state[i]);
	}
	fprintf(stderr, "\nstates hit: %d of %d\n", n_states, PMTCP_STATE_MAX);
}

void
fuzz_begin(void)
{
	if (counts.executions == 0)
		EXPECT(atexit(print_counts) == 0);
	end_execution();
	counts.executions++;
	counts.is_running = true;
}

void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

uint8_t
fuzz_u8(struct fuzz_in *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

uint16_t
fuzz_u16(struct fuzz_in *in)
{
	uint16_t high = fuzz_u8(in);

	return (uint16_t)(high << 8 | fuzz_u8(in));
}

const uint8_t *
fuzz_text(uint32_t i)
{
	static uint8_t text[2 * TEXT_PERIOD];
	static bool is_filled;

	for (uint32_t k = 0; !is_filled && k < sizeof(text); k++)
		text[k] = (uint8_t)((k % TEXT_PERIOD * 2654435761u) >> 24);
	is_filled = true;
	return text + i % TEXT_PERIOD;
}

/* As everywhere, a frame starts at an even address: rte_ether_addr relies on it. */
static struct rte_mbuf *
piece(struct rte_mempool *pool, const uint8_t *bytes, size_t len, uint16_t room)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	EXPECT(m != NULL && len + room <= m->buf_len);
	m->data_off = (uint16_t)((m->buf_len - room - len) & ~(size_t)1);
	m->data_len = (uint16_t)len;
	m->pkt_len = (uint32_t)len;
	if (len != 0)
		memcpy(rte_pktmbuf_mtod(m, void *), bytes, len);
	return m;
}

struct rte_mbuf *
fuzz_mbuf(struct rte_mempool *pool, const uint8_t *bytes, size_t len, const uint8_t cut[4],
		uint16_t room)
{
	struct rte_mbuf *head = NULL;
	size_t at = 0;

	for (int i = 0; i < 4 && cut[i] != 0 && at < len; i++) {
		size_t n = min_u64(cut[i], len - at);
		struct rte_mbuf *m = piece(pool, bytes + at, n, head == NULL ? room : 0);

		at += n;
		if (head == NULL)
			head = m;
		else
			EXPECT(rte_pktmbuf_chain(head, m) == 0);
	}
	if (head == NULL)
		return piece(pool, bytes, len, room);
	if (at < len)
		EXPECT(rte_pktmbuf_chain(head, piece(pool, bytes + at, len - at, 0)) == 0);
	return head;
}
