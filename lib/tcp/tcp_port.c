/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Ephemeral ports (RFC 6056 section 3.3.3, algorithm 3) per (local address, remote
 * address, remote port): a keyed start, a cursor that goes round, and the number of
 * tuples in the table, TIME-WAIT included. A full pair costs nothing, a search ends
 * after one round at most, and the port that was free longest comes first. */

#include "tcp/tcp.h"

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>

/* Places of one pair in the pair table, which is at most half full: the first few
 * nearly always do, and so many never run out in practice. */
enum { PAIR_WAYS = 64 };

static uint64_t
pair_hash(const struct tcp *t, const struct flow_key *key)
{
	uint64_t addrs;

	memcpy(&addrs, key->addrs, 8);
	return siphash13_12(&t->port_secret, addrs, key->rport);
}

static bool
is_pair(const struct tcp_pair *p, const struct flow_key *key)
{
	return p->laddr == key->laddr && p->raddr == key->raddr && p->rport == key->rport;
}

static struct tcp_pair *
pair_at(const struct tcp *t, uint64_t hash, uint32_t way)
{
	return &t->pairs[((uint32_t)hash + way) & (t->n_pairs - 1)];
}

static uint32_t *
memo_of(struct tcp *t, const struct flow_key *key)
{
	return &t->pair_memo[(key->raddr >> 24 ^ key->rport >> 8) % TCP_PAIR_MEMO];
}

static struct tcp_pair *
remember(struct tcp *t, const struct flow_key *key, struct tcp_pair *p)
{
	*memo_of(t, key) = (uint32_t)(p - t->pairs);
	return p;
}

/* Most opens go to one of a few remotes, and most entries that expire went there, too. */
static struct tcp_pair *
pair_find(struct tcp *t, const struct flow_key *key)
{
	struct tcp_pair *last = &t->pairs[*memo_of(t, key)];
	uint64_t hash;

	if (is_likely(is_pair(last, key)))
		return last;
	hash = pair_hash(t, key);
	for (uint32_t i = 0; i < PAIR_WAYS; i++)
		if (is_pair(pair_at(t, hash, i), key))
			return remember(t, key, pair_at(t, hash, i));
	return NULL;
}

static uint32_t
range_of(const struct tcp *t)
{
	return (uint32_t)t->conf.port_last - t->conf.port_first + 1;
}

/* A pair that nothing uses gives its place to another. */
static struct tcp_pair *
pair_get(struct tcp *t, const struct flow_key *key)
{
	struct tcp_pair *vacant = NULL, *p = pair_find(t, key);
	uint64_t hash;

	if (is_likely(p != NULL))
		return p;
	hash = pair_hash(t, key);
	for (uint32_t i = 0; i < PAIR_WAYS && !vacant; i++)
		if (pair_at(t, hash, i)->in_use == 0)
			vacant = remember(t, key, pair_at(t, hash, i));
	if (vacant)
		*vacant = (struct tcp_pair){.laddr = key->laddr,
				.raddr = key->raddr,
				.rport = key->rport,
				.start = (uint16_t)((hash >> 48) % range_of(t))};
	return vacant;
}

/* Only ports of the range count in a pair: others can neither fill it nor be picked. */
static bool
is_in_range(const struct tcp *t, const struct flow_key *key)
{
	uint16_t port = rte_be_to_cpu_16(key->lport);

	return port >= t->conf.port_first && port <= t->conf.port_last;
}

/* OPEN-35: would the answer come back to this core? */
static bool
is_ours(const struct tcp *t, const struct tcp_tuple *tuple)
{
	return !t->owns || t->owns(t->stack, &tuple->key, tuple->is_v6 ? &tuple->addr6 : NULL);
}

/* The port at this place of the pair's round, in the key. */
static void
set_port(const struct tcp *t, const struct tcp_pair *p, struct flow_key *key)
{
	uint32_t range = range_of(t);
	uint32_t place = p->start + p->cursor;

	place -= place >= range ? range : 0;
	key->lport = rte_cpu_to_be_16((uint16_t)(t->conf.port_first + place));
}

/* The tuple at the cursor, which moves on. False: another core's. */
static bool
take_step(struct tcp *t, struct tcp_pair *p, struct tcp_tuple *tuple)
{
	uint64_t hash = p->next_hash;

	set_port(t, p, &tuple->key);
	p->next_hash = 0;
	p->cursor = p->cursor + 1 < range_of(t) ? p->cursor + 1 : 0;
	if (is_unlikely(!is_ours(t, tuple)))
		return false;
	tuple->hash = is_likely(hash != 0) ? hash : tcp_hash(t, &tuple->key);
	return true;
}

/* A free port is told by two buckets without it, nearly always cold ones. The pair's next
 * open will ask for these: they are fetched meanwhile. */
static void
look_ahead(struct tcp *t, struct tcp_pair *p, const struct flow_key *key)
{
	struct flow_key next = *key;

	if (is_unlikely(t->owns != NULL))
		return; /* most likely not ours */
	set_port(t, p, &next);
	p->next_hash = tcp_hash(t, &next);
	flow_table_prefetch_both(&t->table, p->next_hash);
}

static bool
may_reuse(const struct tcp *t, uint32_t index)
{
	const struct block_head *b = tcp_block(t, index);

	return b->kind == BLOCK_TIME_WAIT &&
	       tcp_time_wait_may_reuse(t, (const struct time_wait *)b);
}

/* No port is free: so says the number of those in use, or, where other workers have ports of the
 * range too, a whole round that met none. One given back since is met in its turn. */
static bool
is_full(const struct tcp_pair *p, uint32_t range)
{
	return p->in_use >= range || p->barren >= range;
}

/* OPEN-34, TW-13: a free port, else one whose TIME-WAIT may be reused; that one's
 * block is returned in `reused`. The first such if no port is free; it is the oldest.
 * @return 0, -EADDRNOTAVAIL, -ENOBUFS (no room to remember the pair) */
int
tcp_port_pick(struct tcp *t, struct tcp_tuple *tuple, uint32_t *reused)
{
	struct flow_key *key = &tuple->key;
	struct tcp_pair *p = pair_get(t, key);
	uint32_t range = range_of(t);
	uint32_t limit = range;
	uint16_t candidate = 0;

	*reused = 0;
	if (!p)
		return -ENOBUFS;
	if (p->in_use >= range)
		limit = t->conf.tw_reuse != PMTCP_TW_REUSE_OFF
					? min_u32(TCP_PORT_REUSE_PROBES, range)
					: 0;
	for (uint32_t i = 0; i < limit; i++) {
		uint32_t index;

		p->barren++;
		if (!take_step(t, p, tuple))
			continue;
		tcp_count(t, PMTCP_C_port_probes);
		index = flow_table_lookup(&t->table, tuple->hash, key);
		if (index == 0) {
			p->in_use++;
			p->barren = 0;
			look_ahead(t, p, key);
			return 0;
		}
		if (*reused == 0 && may_reuse(t, index)) {
			*reused = index;
			candidate = key->lport;
			limit = is_full(p, range) ? 0 : min_u32(limit, i + TCP_PORT_LOOK_ON);
		}
	}
	if (*reused) {
		key->lport = candidate;
		tuple->hash = tcp_hash(t, key);
		return 0; /* in_use: the entry's tuple goes over to the new connection */
	}
	tcp_count(t, PMTCP_C_port_exhausted);
	return -EADDRNOTAVAIL;
}

/* A port that the application chose. */
int
tcp_port_claim(struct tcp *t, const struct flow_key *key)
{
	struct tcp_pair *p;

	if (!is_in_range(t, key))
		return 0;
	p = pair_get(t, key);
	if (!p)
		return -ENOBUFS;
	p->in_use++;
	return 0;
}

void
tcp_port_release(struct tcp *t, const struct flow_key *key)
{
	struct tcp_pair *p;

	if (!is_in_range(t, key))
		return;
	p = pair_find(t, key);
	CHECK(p && p->in_use > 0);
	p->in_use--;
}

static void
report_entry(const struct tcp *t, uint32_t index, struct pmtcp_port_report *report)
{
	const struct block_head *b = tcp_block(t, index);
	const struct time_wait *tw = (const struct time_wait *)b;
	int32_t left;

	if (b->kind != BLOCK_TIME_WAIT) {
		report->in_use++;
		return;
	}
	left = seq_diff(tw->deadline, t->now_ms);
	left = left > 0 ? left : 0;
	if (report->time_wait == 0 || (uint32_t)left < report->next_free_ms)
		report->next_free_ms = (uint32_t)left;
	report->time_wait++;
}

void
tcp_port_report(struct tcp *t, const struct tcp_tuple *asked, struct pmtcp_port_report *report)
{
	struct tcp_tuple tuple = *asked;
	struct flow_key *key = &tuple.key;

	memset(report, 0, sizeof(*report));
	for (uint32_t port = t->conf.port_first; port <= t->conf.port_last; port++) {
		uint32_t index;

		key->lport = rte_cpu_to_be_16((uint16_t)port);
		if (!is_ours(t, &tuple)) {
			report->foreign++;
			continue;
		}
		report->range++;
		index = flow_table_lookup(&t->table, tcp_hash(t, key), key);
		if (index)
			report_entry(t, index, report);
	}
}
