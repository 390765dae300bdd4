/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Between workers; see steer.h. A notice about a neighbour travels on the same rings as
 * the frames, so that a turn looks at one place per worker: as a buffer with a struct
 * pmtcp_neigh in it, told from frames by the lowest bit of its address. */

#include "dpdk/steer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "dpdk/worker.h"

#define NOTICE_BIT ((uintptr_t)1)

/* Neighbours told in one turn, each to every other worker. */
#define NOTICES_MAX 32

/* ---- rings ------------------------------------------------------------------- */

static struct rte_ring *
make_ring(const struct steer_conf *conf, const char *kind, uint16_t from, uint16_t to)
{
	const unsigned int flags = RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ;
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "pmtcp_%s_%u_%u_%u", kind, conf->port_id, from, to);
	return rte_ring_create(name, conf->ring == 0 ? STEER_RING_DEFAULT : conf->ring,
			conf->node < 0 ? SOCKET_ID_ANY : conf->node, flags);
}

static int
make_rings(struct steer *s, const struct steer_conf *conf)
{
	for (uint16_t from = 0; from < s->n; from++) {
		for (uint16_t to = 0; to < s->n; to++) {
			if (from == to)
				continue;
			s->hand[from][to] = make_ring(conf, "hand", from, to);
			if (s->hand[from][to] == NULL)
				return -ENOMEM;
		}
		if (from < s->n_tx)
			continue;
		s->tx[from] = make_ring(conf, "tx", from, steer_sender(s, from));
		if (s->tx[from] == NULL)
			return -ENOMEM;
	}
	return 0;
}

int
steer_create(const struct steer_conf *conf, struct steer **out)
{
	struct steer *s;
	int ret;

	CHECK(conf->workers >= 2 && conf->workers <= STEER_WORKERS_MAX && conf->n_tx >= 1);
	s = aligned_alloc(PMTCP_CACHE_LINE, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	memset(s, 0, sizeof(*s));
	s->n = conf->workers;
	s->n_tx = conf->n_tx;
	for (uint16_t i = 0; i < s->n; i++)
		s->end[i].wake_fd = -1;
	ret = make_rings(s, conf);
	if (ret != 0) {
		steer_destroy(s);
		return ret;
	}
	*out = s;
	return 0;
}

void
steer_destroy(struct steer *s)
{
	if (s == NULL)
		return;
	for (uint16_t from = 0; from < s->n; from++) {
		for (uint16_t to = 0; to < s->n; to++)
			rte_ring_free(s->hand[from][to]);
		rte_ring_free(s->tx[from]);
	}
	free(s);
}

static struct rte_mbuf *
frame_of(void *entry)
{
	return (struct rte_mbuf *)((uintptr_t)entry & ~NOTICE_BIT);
}

static void
drain(struct rte_ring *ring)
{
	void *entry;

	while (ring != NULL && rte_ring_sc_dequeue(ring, &entry) == 0)
		rte_pktmbuf_free(frame_of(entry));
}

void
steer_drain(struct steer *s, uint16_t number)
{
	for (uint16_t other = 0; other < s->n; other++) {
		drain(s->hand[number][other]);
		drain(s->hand[other][number]);
		if (other >= s->n_tx && steer_sender(s, other) == number)
			drain(s->tx[other]);
	}
	drain(s->tx[number]);
}

bool
steer_is_empty(const struct steer *s, uint16_t number)
{
	for (uint16_t other = 0; other < s->n; other++) {
		if (other != number && !rte_ring_empty(s->hand[other][number]))
			return false;
		if (other >= s->n_tx && steer_sender(s, other) == number &&
				!rte_ring_empty(s->tx[other]))
			return false;
	}
	return true;
}

/* ---- sleep --------------------------------------------------------------------- */

/* Here the mark comes before the look at the rings, in wake() the frames before the look at
 * the mark: one of the two sees the other. */
bool
steer_fall_asleep(struct steer *s, uint16_t number)
{
	atomic_store_explicit(&s->end[number].is_asleep, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	if (steer_is_empty(s, number))
		return true;
	steer_wake_up(s, number);
	return false;
}

static inline void
wake(struct steer *s, uint16_t number)
{
	struct steer_end *end = &s->end[number];
	const uint64_t one = 1;

	if (is_likely(!end->may_sleep))
		return;
	atomic_thread_fence(memory_order_seq_cst);
	if (!atomic_load_explicit(&end->is_asleep, memory_order_relaxed))
		return;
	atomic_store_explicit(&end->is_asleep, false, memory_order_relaxed);
	/* A full counter is readable all the same. */
	(void)!write(end->wake_fd, &one, sizeof(one));
}

/* ---- out --------------------------------------------------------------------------- */

uint16_t
steer_send(struct steer *s, uint16_t number, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent = (uint16_t)rte_ring_sp_enqueue_burst(s->tx[number], (void **)pkts, n, NULL);

	if (sent > 0)
		wake(s, steer_sender(s, number));
	return sent;
}

/* One burst. What the ring has no room for is lost as in a network (RES-14). */
static void
flush(struct pmtcp_worker *w, uint16_t owner)
{
	struct rte_mbuf **pkts = w->stage->pkts[owner];
	uint16_t n = w->stage->n[owner];
	uint16_t sent = (uint16_t)rte_ring_sp_enqueue_burst(
			w->steer->hand[w->queue][owner], (void **)pkts, n, NULL);

	w->stage->n[owner] = 0;
	if (is_unlikely(sent < n)) {
		pmtcp_misdirected_drop(w->ctx, pkts + sent, (uint16_t)(n - sent));
		w->stats.steer_dropped += n - sent;
	}
	wake(w->steer, owner);
}

/* Sorts what the context set aside by owners; whoever has a burst full gets it at once. */
static uint32_t
sort_out(struct pmtcp_worker *w)
{
	struct steer_stage *stage = w->stage;
	struct rte_mbuf *pkts[STEER_BURST];
	uint16_t owners[STEER_BURST];
	uint32_t total = 0;
	uint16_t n;

	while ((n = pmtcp_misdirected(w->ctx, pkts, owners, STEER_BURST)) > 0) {
		total += n;
		for (uint16_t i = 0; i < n; i++) {
			uint16_t to = owners[i];

			stage->pkts[to][stage->n[to]++] = pkts[i];
			if (stage->n[to] == STEER_BURST)
				flush(w, to);
		}
	}
	w->stats.misdirected += total;
	return total;
}

void
steer_out(struct pmtcp_worker *w)
{
	if (sort_out(w) == 0)
		return;
	for (uint16_t to = 0; to < w->steer->n; to++)
		if (w->stage->n[to] > 0)
			flush(w, to);
}

static void
send_notice(struct pmtcp_worker *w, uint16_t to, const struct pmtcp_neigh *neigh)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->conf.ctl_pool);
	void *entry = (void *)((uintptr_t)m | NOTICE_BIT);

	if (m != NULL) {
		memcpy(rte_pktmbuf_mtod(m, void *), neigh, sizeof(*neigh));
		if (rte_ring_sp_enqueue(w->steer->hand[w->queue][to], entry) == 0) {
			wake(w->steer, to);
			return;
		}
		rte_pktmbuf_free(m);
	}
	/* Whoever misses it asks for itself. */
	w->stats.notices_lost++;
}

static void
send_notices(struct pmtcp_worker *w)
{
	struct pmtcp_neigh neigh[NOTICES_MAX];
	uint16_t n = pmtcp_neigh_learned(w->ctx, neigh, NOTICES_MAX);

	for (uint16_t i = 0; i < n; i++)
		for (uint16_t to = 0; to < w->steer->n; to++)
			if (to != w->queue)
				send_notice(w, to, &neigh[i]);
}

/* ---- in ------------------------------------------------------------------------------ */

/* Sees to the notices of a burst; the frames join those that wait. Returns how many there were. */
static uint16_t
sort_in(struct pmtcp_worker *w, uint64_t now_ns, void **entries, uint16_t n)
{
	struct steer_stage *stage = w->stage;
	uint16_t before = stage->n_in;
	struct pmtcp_neigh neigh;

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = frame_of(entries[i]);

		if (is_likely(m == entries[i])) {
			__builtin_prefetch(m);
			stage->in[stage->n_in++] = m;
			continue;
		}
		memcpy(&neigh, rte_pktmbuf_mtod(m, void *), sizeof(neigh));
		rte_pktmbuf_free(m);
		pmtcp_neigh_update(w->ctx, now_ns, &neigh);
	}
	return (uint16_t)(stage->n_in - before);
}

static uint16_t
take_from(struct pmtcp_worker *w, uint64_t now_ns, uint16_t from)
{
	struct rte_ring *ring = w->steer->hand[from][w->queue];
	struct steer_stage *stage = w->stage;
	void *entries[STEER_BURST];
	uint16_t n;

	if (is_likely(rte_ring_empty(ring)))
		return 0;
	n = (uint16_t)rte_ring_sc_dequeue_burst(ring, entries, STEER_BURST, NULL);
	if (stage->n_in + n > STEER_BURST) {
		pmtcp_input_handed(w->ctx, now_ns, stage->in, stage->n_in, stage->n_in);
		stage->n_in = 0;
	}
	w->stats.steer_taken += sort_in(w, now_ns, entries, n);
	return n;
}

uint16_t
steer_in(struct pmtcp_worker *w, struct rte_mbuf **pkts)
{
	struct steer_stage *stage = w->stage;
	uint16_t n = stage->n_in;

	memcpy(pkts, stage->in, n * sizeof(pkts[0]));
	stage->n_in = 0;
	return n;
}

uint32_t
steer_turn(struct pmtcp_worker *w, uint64_t now_ns)
{
	uint32_t total = 0;

	send_notices(w);
	for (uint16_t other = 0; other < w->steer->n; other++)
		if (other != w->queue)
			total += take_from(w, now_ns, other);
	return total;
}
