/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See tcp_starve.h. */

#include "tcp/tcp.h"

enum {
	LOOKS = 512, /* words of 64 connections, per tick */
};

static uint32_t
words_of(uint32_t end)
{
	return end / 2 / 64 + 1;
}

size_t
tcp_starve_memsize(uint32_t end)
{
	return (size_t)words_of(end) * sizeof(uint64_t);
}

void
tcp_starve_init(struct tcp_starve *s, void *mem, uint32_t end)
{
	*s = (struct tcp_starve){.bits = mem, .words = words_of(end)};
}

/* RES-10, DATA-30. */
void
tcp_starve_add(struct tcp *t, struct tcb *c)
{
	uint32_t i = tcp_index(t, c) / 2;
	uint64_t *word = &t->starve.bits[i / 64];

	c->flags |= TCB_SHORT_SEND;
	t->starve.n += !(*word >> i % 64 & 1);
	*word |= 1ull << i % 64;
}

bool
tcp_starve_is_due(const struct tcp *t)
{
	return t->starve.n > 0 && slab_available(&t->txs) > 0;
}

/* The records promised are not set aside: who comes too late is told -EAGAIN once more and
 * waits again, behind the others. */
static uint32_t
feed_word(struct tcp *t, uint32_t at, uint32_t max)
{
	struct tcp_starve *s = &t->starve;
	uint32_t fed = 0;

	while (s->bits[at] && fed < max) {
		uint32_t bit = (uint32_t)__builtin_ctzll(s->bits[at]);
		struct tcb *c = tcp_tcb(t, (at * 64 + bit) * 2);

		s->bits[at] &= s->bits[at] - 1;
		s->n--;
		if (c->head.kind != BLOCK_TCB || c->tx || !tcb_has(c, TCB_SHORT_SEND))
			continue;
		c->flags &= ~(uint32_t)TCB_SHORT_SEND;
		tcp_event(t, c, PMTCP_EV_WRITABLE);
		fed++;
	}
	return fed;
}

void
tcp_starve_feed(struct tcp *t)
{
	struct tcp_starve *s = &t->starve;
	uint32_t left = slab_available(&t->txs);

	for (uint32_t i = 0; i < min_u32(LOOKS, s->words) && s->n > 0; i++) {
		left -= feed_word(t, s->hand, left);
		if (left == 0)
			return;
		s->hand = s->hand + 1 < s->words ? s->hand + 1 : 0;
	}
}
