/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See tcp_path.h. Entries age as a connection's own path MTU does: after
 * conf.pmtu_raise_ms something larger is to be tried again. */

#include "tcp/tcp_addr.h"

#include <string.h>

size_t
tcp_path_memsize(void)
{
	return TCP_PATH_ROWS * TCP_PATH_WAYS * sizeof(struct tcp_path);
}

void
tcp_path_init(struct tcp_paths *p, void *mem)
{
	*p = (struct tcp_paths){.entry = mem};
}

static uint64_t
tag_of(const struct tcp *t, const struct tcb *c)
{
	const struct flow_addr6 *addr6 = tcp_addr6(t, &c->head);

	if (addr6)
		return siphash13(&t->flow_secret, addr6->remote, sizeof(addr6->remote));
	return siphash13(&t->flow_secret, &c->head.key.raddr, sizeof(c->head.key.raddr));
}

static bool
is_old(const struct tcp *t, uint32_t since_ms)
{
	return t->conf.pmtu_raise_ms && t->now_ms - since_ms >= t->conf.pmtu_raise_ms;
}

static void
forget(struct tcp_paths *p, struct tcp_path *e)
{
	e->mtu = 0;
	p->n--;
}

static struct tcp_path *
row_of(const struct tcp_paths *p, uint64_t tag)
{
	return &p->entry[(tag & (TCP_PATH_ROWS - 1)) * TCP_PATH_WAYS];
}

/* The live entry of this destination; those of its row that are too old go. */
static struct tcp_path *
find(struct tcp *t, uint64_t tag)
{
	struct tcp_path *row = row_of(&t->paths, tag), *found = NULL;

	for (int i = 0; i < TCP_PATH_WAYS; i++) {
		if (row[i].mtu != 0 && is_old(t, row[i].since_ms))
			forget(&t->paths, &row[i]);
		if (row[i].mtu != 0 && row[i].tag == tag)
			found = &row[i];
	}
	return found;
}

static struct tcp_path *
place(struct tcp *t, uint64_t tag)
{
	struct tcp_path *row = row_of(&t->paths, tag), *oldest = &row[0];

	for (int i = 0; i < TCP_PATH_WAYS; i++) {
		if (row[i].mtu == 0) {
			t->paths.n++;
			return &row[i];
		}
		if (seq_lt(row[i].since_ms, oldest->since_ms))
			oldest = &row[i];
	}
	return oldest;
}

void
tcp_path_learn(struct tcp *t, const struct tcb *c, uint16_t mtu, bool is_hole)
{
	uint64_t tag = tag_of(t, c);
	struct tcp_path *e = find(t, tag);

	/* Several paths lead there: the narrowest counts. */
	if (e && e->mtu < mtu)
		return;
	if (!e)
		e = place(t, tag);
	*e = (struct tcp_path){.tag = tag, .since_ms = t->now_ms, .mtu = mtu, .is_hole = is_hole};
	t->paths.last_ms = t->now_ms;
}

const struct tcp_path *
tcp_path_find(struct tcp *t, const struct tcb *c)
{
	/* The last one has aged, so all have: opens are not to look in vain. */
	if (is_old(t, t->paths.last_ms)) {
		memset(t->paths.entry, 0, tcp_path_memsize());
		t->paths.n = 0;
		return NULL;
	}
	return find(t, tag_of(t, c));
}
