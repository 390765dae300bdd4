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

/* Others' ports passed over when looking ahead. */
enum { FORESEE_FOREIGN = 64 };

/* RFC 6056 3.3.3: where a pair's round begins. */
static uint16_t
start_of(const struct tcp *t, const struct flow_key *key)
{
	uint64_t addrs;

	memcpy(&addrs, key->addrs, 8);
	return (uint16_t)((siphash13_12(&t->port_secret, addrs, key->rport) >> 48) % t->port_range);
}

static bool
is_pair(const struct tcp_pair *p, const struct flow_key *key)
{
	uint64_t a, b;

	memcpy(&a, p, 8);
	memcpy(&b, key->addrs, 8);
	return a == b && p->rport == key->rport;
}

static struct tcp_pair *
pair_at(const struct tcp *t, uint32_t hash, uint32_t way)
{
	return &t->pairs[(hash + way) & (t->n_pairs - 1)];
}

static struct tcp_pair *
pair_find(const struct tcp *t, const struct flow_key *key)
{
	uint32_t hash = tcp_pair_hash(t->pair_mult, key);

	for (uint32_t i = 0; i < PAIR_WAYS; i++)
		if (is_likely(is_pair(pair_at(t, hash, i), key)))
			return pair_at(t, hash, i);
	return NULL;
}

/* A pair that nothing uses gives its place to another. */
static struct tcp_pair *
pair_get(struct tcp *t, const struct flow_key *key)
{
	struct tcp_pair *vacant = NULL, *p = pair_find(t, key);
	uint32_t hash;

	if (is_likely(p != NULL))
		return p;
	hash = tcp_pair_hash(t->pair_mult, key);
	for (uint32_t i = 0; i < PAIR_WAYS && !vacant; i++)
		if (pair_at(t, hash, i)->in_use == 0)
			vacant = pair_at(t, hash, i);
	if (vacant)
		*vacant = (struct tcp_pair){.laddr = key->laddr,
				.raddr = key->raddr,
				.rport = key->rport,
				.start = start_of(t, key)};
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
is_ours(const struct tcp *t, const struct flow_key *key, const struct tcp_tuple *tuple)
{
	return !t->owns || t->owns(t->stack, key, tuple->is_v6 ? &tuple->addr6 : NULL);
}

/* The port at this step of the pair's round, in the key. */
static void
set_port(const struct tcp *t, const struct tcp_pair *p, uint32_t step, struct flow_key *key)
{
	uint32_t place = p->start + step;

	place -= place >= t->port_range ? t->port_range : 0;
	key->lport = rte_cpu_to_be_16((uint16_t)(t->conf.port_first + place));
}

/* `by` is at most the number of ports. */
static uint16_t
step_on(const struct tcp *t, uint32_t step, uint32_t by)
{
	step += by;
	return (uint16_t)(step < t->port_range ? step : step - t->port_range);
}

static void
add_barren(struct tcp_pair *p, uint32_t steps)
{
	p->barren = (uint16_t)min_u32(p->barren + steps, UINT16_MAX);
}

/* The tuple at the cursor, which moves on. False: another core's. */
static bool
take_step(struct tcp *t, struct tcp_pair *p, struct tcp_tuple *tuple)
{
	uint64_t hash = p->next_hash;

	set_port(t, p, p->cursor, &tuple->key);
	p->next_hash = 0;
	p->cursor = step_on(t, p->cursor, 1);
	add_barren(p, 1);
	if (is_likely(hash != 0)) {
		tuple->hash = hash;
		return true;
	}
	if (is_unlikely(!is_ours(t, &tuple->key, tuple)))
		return false;
	tuple->hash = tcp_hash(t, &tuple->key);
	return true;
}

/* A free port is told by its buckets being without it, nearly always cold ones. The pair's next
 * open will ask for these: they are fetched meanwhile. */
static void
look_ahead(struct tcp *t, struct tcp_pair *p, const struct flow_key *key)
{
	struct flow_key next = *key;

	if (is_unlikely(t->owns != NULL))
		return; /* most likely not ours */
	set_port(t, p, p->cursor, &next);
	p->next_hash = tcp_hash(t, &next);
	flow_table_prefetch_both(&t->table, p->next_hash);
}

void
tcp_port_foresee_pair(const struct tcp *t, const struct flow_key *key, struct tcp_foresight *f)
{
	f->pair = pair_at(t, tcp_pair_hash(t->pair_mult, key), 0);
	__builtin_prefetch(f->pair, 1);
}

/* The first step from f->at on whose port is ours; its key. False: none for a while. */
static PMTCP_NOINLINE bool
foresee_ours(const struct tcp *t, const struct tcp_tuple *tuple, struct tcp_foresight *f,
		struct flow_key *key)
{
	uint32_t most = min_u32(FORESEE_FOREIGN, t->port_range);

	for (f->foreign = 0; f->foreign < most; f->foreign++) {
		set_port(t, f->pair, step_on(t, f->at, f->foreign), key);
		if (is_likely(is_ours(t, key, tuple)))
			return true;
	}
	return false;
}

void
tcp_port_foresee(struct tcp *t, const struct tcp_tuple *tuple, struct tcp_foresight *f)
{
	struct flow_key key = tuple->key;
	struct tcp_pair *p = is_likely(is_pair(f->pair, &key)) ? f->pair : pair_find(t, &key);

	f->pair = p;
	f->hash = 0;
	if (is_unlikely(!p))
		return;
	f->at = p->burst == t->open_burst ? p->foreseen : p->cursor;
	f->foreign = 0;
	if (is_unlikely(p->next_hash != 0) && f->at == p->cursor)
		f->hash = p->next_hash;
	set_port(t, p, f->at, &key);
	if (is_likely(f->hash == 0 && (!t->owns || foresee_ours(t, tuple, f, &key))))
		f->hash = tcp_hash(t, &key);
	f->lport = key.lport;
	f->behind = step_on(t, f->at, f->foreign + (f->hash != 0));
	p->foreseen = f->behind;
	p->burst = t->open_burst;
	if (is_likely(f->hash != 0))
		flow_table_prefetch(&t->table, f->hash);
}

/* What was foreseen of the cursor's way is not walked again. Returns the steps that it saves,
 * which are below `limit`. */
static uint32_t
follow(const struct tcp *t, struct tcp_pair *p, const struct tcp_foresight *f, uint32_t limit)
{
	if (is_unlikely(f->pair != p || f->at != p->cursor || f->foreign >= limit))
		return 0;
	p->next_hash = f->hash;
	if (is_unlikely(f->foreign != 0)) {
		p->cursor = step_on(t, p->cursor, f->foreign);
		add_barren(p, f->foreign);
	}
	return f->foreign;
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

/* The tuple that was foreseen, if it is the cursor's still and free: so it is nearly always.
 * False: nothing was changed. */
static inline bool
take_foreseen(struct tcp *t, struct tcp_tuple *tuple, const struct tcp_foresight *f)
{
	struct flow_key *key = &tuple->key;
	struct tcp_pair *p = f->pair;

	if (is_unlikely(!p || f->hash == 0 || !is_pair(p, key)))
		return false;
	if (is_unlikely(f->at != p->cursor || p->in_use >= t->port_range))
		return false;
	key->lport = f->lport;
	if (is_unlikely(flow_table_lookup(&t->table, f->hash, key) != 0))
		return false;
	tcp_count(t, PMTCP_C_port_probes);
	tuple->hash = f->hash;
	p->cursor = f->behind;
	p->barren = 0;
	p->in_use++;
	p->next_hash = 0;
	if (f->is_alone)
		look_ahead(t, p, key);
	return true;
}

/* OPEN-34, TW-13: a free port, else one whose TIME-WAIT may be reused; that one's
 * block is returned in `reused`. The first such if no port is free; it is the oldest. */
static PMTCP_NOINLINE int
search(struct tcp *t, struct tcp_tuple *tuple, const struct tcp_foresight *f, uint32_t *reused)
{
	struct flow_key *key = &tuple->key;
	struct tcp_pair *p = f->pair && is_pair(f->pair, key) ? f->pair : pair_get(t, key);
	uint32_t range = t->port_range;
	uint32_t limit = range;
	uint16_t candidate = 0;

	if (!p)
		return -ENOBUFS;
	if (p->in_use >= range)
		limit = t->conf.tw_reuse != PMTCP_TW_REUSE_OFF
					? min_u32(TCP_PORT_REUSE_PROBES, range)
					: 0;
	for (uint32_t i = follow(t, p, f, limit); i < limit; i++) {
		uint32_t index;

		if (!take_step(t, p, tuple))
			continue;
		tcp_count(t, PMTCP_C_port_probes);
		index = flow_table_lookup(&t->table, tuple->hash, key);
		if (index == 0) {
			p->in_use++;
			p->barren = 0;
			if (f->is_alone)
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

/* @return 0, -EADDRNOTAVAIL, -ENOBUFS (no room to remember the pair) */
int
tcp_port_pick(struct tcp *t, struct tcp_tuple *tuple, const struct tcp_foresight *f,
		uint32_t *reused)
{
	*reused = 0;
	return is_likely(take_foreseen(t, tuple, f)) ? 0 : search(t, tuple, f, reused);
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
	left = seq_diff(tw->head.timer.tick, t->now_ms);
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
		if (!is_ours(t, key, &tuple)) {
			report->foreign++;
			continue;
		}
		report->range++;
		index = flow_table_lookup(&t->table, tcp_hash(t, key), key);
		if (index)
			report_entry(t, index, report);
	}
}
