/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* OPEN (RFC 9293 3.10.1, active), in bursts. A free tuple is told by a bucket of the flow
 * table without it, seldom two, and those lie cold in memory, as does the count of the pair. So
 * the lines of all opens of a burst are asked for first: the pairs', and then, some opens ahead of
 * the one that is made, the buckets'. Looking ahead has no effect on what an open finds: the opens of a
 * burst are made one after the other, each as if it were alone. */

#include "tcp/tcp_connect.h"

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>

enum {
	CHUNK = 32, /* opens prepared together */
	AHEAD = 8,  /* opens from asking for the first bucket to looking into it */
	REST = 4,   /* ... from asking for what this will lead to */
	OLD = 2,    /* ... and, if that is an entry that will be reused, for what its end touches */
};

/* An open that is prepared. */
struct opening {
	struct tcp_tuple tuple;
	struct tcp_foresight ahead;
	int err;      /* of its addresses */
	uint32_t old; /* what has the tuple most likely; 0: nobody */
	bool is_like; /* the one before in addresses and options, and that one has no error */
};

/* What opens that are alike share: the connection of the one before holds it. */
struct way {
	uint16_t hop;
	uint16_t cls;
};

/* What a TIME-WAIT entry hands to the connection that reuses its tuple. */
struct heritage {
	bool is_set;
	uint32_t iss_floor;
	uint32_t ts_recent;
};

/* TW-12: the old entry goes, its numbers bind the new connection. */
static int
reuse_entry(struct tcp *t, uint32_t index, struct heritage *h)
{
	struct time_wait *tw = (struct time_wait *)tcp_block(t, index);

	h->is_set = true;
	h->iss_floor = tw->snd_nxt + 65537;
	h->ts_recent = tw->ts_recent ? tw->ts_recent : 1; /* 0 says that there is no heritage */
	/* The tuple stays counted in its pair: the entry does not give it back. One of a
	 * passive connection was never counted. */
	if (!(tw->flags & TW_ACTIVE) && tcp_port_claim(t, &tw->head.key) != 0)
		return -ENOBUFS;
	tw->flags &= (uint8_t)~TW_ACTIVE;
	tcp_time_wait_remove(t, tw, tcp_hash(t, &tw->head.key), PMTCP_C_tw_reused_out);
	return 0;
}

/* The application named the port. */
static int
claim_tuple(struct tcp *t, const struct tcp_tuple *tuple, struct heritage *h)
{
	const struct flow_key *key = &tuple->key;
	uint32_t index = flow_table_lookup(&t->table, tuple->hash, key);
	const struct block_head *b = tcp_block(t, index);

	if (index == 0)
		return tcp_port_claim(t, key);
	if (b->kind != BLOCK_TIME_WAIT)
		return -EISCONN;
	if (!tcp_time_wait_may_reuse(t, (const struct time_wait *)b))
		return -EBUSY;
	return reuse_entry(t, index, h);
}

static int
pick_tuple(struct tcp *t, struct opening *o, struct heritage *h)
{
	uint32_t reused;
	int err = tcp_port_pick(t, &o->tuple, &o->ahead, &reused);

	return err == 0 && reused ? reuse_entry(t, reused, h) : err;
}

/* OPEN-1 (RFC 9293 3.10.1). */
static void
start_syn(struct tcp *t, struct tcb *c, const struct heritage *h)
{
	uint32_t iss;

	tcp_isn_and_ts(t, &c->head.key, &iss, &c->ts_offset);
	if (h->is_set && seq_lt(iss, h->iss_floor))
		iss = h->iss_floor;
	c->ts_recent = h->ts_recent;
	c->addr_sum = tcp_addr_sum(t, &c->head);
	c->snd.una = iss;
	c->snd.nxt = iss + 1;
	c->smss = (uint16_t)min_u32(tcp_mss_default(tcp_is_v6(t, &c->head)), t->mss);
	c->rtt.srtt_us8 = t->now_us; /* tcp_open.c: when the SYN left */
	c->flags = TCB_ACTIVE | TCB_SYN_DUE | TCB_SYN_UNACKED;
	tcp_conn_set_state(t, c, TCPS_SYN_SENT);
	tcp_count(t, PMTCP_C_opened_active);
	tcp_mark(t, &c->head);
	tcp_timer_open(t, c);
	if (is_unlikely(tcp_class(t, c)->has_slow_timers))
		tcp_rare_opened(t, c);
}

static inline void
name_alike(const struct pmtcp_open *open, const struct tcp_tuple *named, struct tcp_tuple *tuple)
{
	memcpy(tuple->key.addrs, named->key.addrs, sizeof(tuple->key.addrs));
	tuple->key.rport = rte_cpu_to_be_16(open->remote.port);
	tuple->key.lport = rte_cpu_to_be_16(open->local.port);
	tuple->is_v6 = false;
}

/* The lines of the pairs. */
static void
prepare(struct tcp *t, const struct pmtcp_open *open, struct opening *o, uint32_t n)
{
	const struct pmtcp_open *good = NULL;
	const struct tcp_tuple *named = NULL;

	t->open_burst++;
	for (uint32_t i = 0; i < n; i++, open++, o++) {
		if (is_likely(good && tcp_tuple_is_alike(open, good))) {
			name_alike(open, named, &o->tuple);
			o->err = 0;
			o->is_like = good == open - 1 && open->opts == good->opts;
		} else {
			o->err = tcp_tuple_name(t, open, &o->tuple);
			o->is_like = false;
		}
		if (is_unlikely(o->err))
			continue;
		good = open;
		named = &o->tuple;
		tcp_port_foresee_pair(t, &o->tuple.key, &o->ahead);
	}
}

/* The lines of the first buckets. */
static void
look_into(struct tcp *t, struct opening *o, bool is_alone)
{
	struct tcp_tuple *tuple = &o->tuple;

	if (is_unlikely(o->err))
		return;
	if (tuple->key.lport == 0) {
		o->ahead.is_alone = is_alone;
		tcp_port_foresee(t, tuple, &o->ahead);
		return;
	}
	tuple->hash = tcp_hash(t, &tuple->key);
	o->ahead.hash = tuple->hash;
	flow_table_prefetch(&t->table, tuple->hash);
}

/* What the buckets lead to. A tuple that is taken is an entry in TIME-WAIT, nearly always, that
 * the open ends. */
static inline void
look_on(struct tcp *t, struct opening *o, uint32_t ahead, uint32_t n)
{
	uint32_t rest = ahead - (AHEAD - REST), old = ahead - (AHEAD - OLD);

	if (rest < n)
		o[rest].old = is_likely(o[rest].err == 0)
					      ? flow_table_foresee(&t->table, o[rest].ahead.hash)
					      : 0;
	if (old < n && is_unlikely(o[old].old != 0))
		wheel_prefetch_cancel(&t->wheel, o[old].old);
}

static int
open_prepared(struct tcp *t, struct pmtcp_open *open, struct opening *o, const struct way *way)
{
	struct tcp_tuple *tuple = &o->tuple;
	struct heritage h = {0};
	struct tcb *c;
	int err;

	if (slab_available(&t->tcbs) == 0)
		return -ENFILE;
	err = tuple->key.lport ? claim_tuple(t, tuple, &h) : pick_tuple(t, o, &h);
	if (err)
		return err;
	c = tcp_tcb_new(t, &tuple->key, way->cls, way->hop);
	CHECK(c);
	if (tcp_block_enter(t, tuple->hash, tcp_index(t, c)) != 0) {
		tcp_port_release(t, &tuple->key);
		tcp_tcb_undo(t, c);
		return -ENOBUFS;
	}
	if (is_unlikely(tuple->is_v6))
		*tcp_addr6_at(t, &c->head) = tuple->addr6;
	c->user = open->user;
	start_syn(t, c, &h);
	open->conn = (struct pmtcp_conn *)c;
	return 0;
}

/* last: the open before, or NULL. */
static PMTCP_NOINLINE int
find_way(struct tcp *t, const struct pmtcp_open *open, struct opening *o,
		const struct pmtcp_open *last, struct way *way)
{
	int err = o->err;

	if (err == 0)
		err = tcp_tuple_route(t, &o->tuple);
	way->hop = o->tuple.hop;
	/* The class of the one before has a connection, so it is still there. */
	if (err == 0 && (!last || open->opts != last->opts))
		err = tcp_class_from_opts(t, open->opts, &way->cls);
	return err;
}

/* One chunk; returns how many were opened. */
static uint16_t
open_chunk(struct tcp *t, struct pmtcp_open *open, uint16_t n, int *err)
{
	struct opening o[CHUNK];
	struct way way = {0};

	prepare(t, open, o, n);
	for (uint32_t ahead = 0; ahead < (uint32_t)n + AHEAD; ahead++) {
		uint32_t i = ahead - AHEAD;

		if (ahead < n)
			look_into(t, &o[ahead], n == 1);
		look_on(t, o, ahead, n);
		if (ahead < AHEAD)
			continue;
		if (is_unlikely(!o[i].is_like))
			*err = find_way(t, &open[i], &o[i], i ? &open[i - 1] : NULL, &way);
		if (is_likely(*err == 0))
			*err = open_prepared(t, &open[i], &o[i], &way);
		if (is_unlikely(*err))
			return (uint16_t)i;
	}
	return n;
}

uint16_t
tcp_user_connect(struct tcp *t, struct pmtcp_open *opens, uint16_t n, int *err)
{
	uint16_t done = 0;

	*err = 0;
	while (done < n && *err == 0)
		done += open_chunk(t, opens + done, (uint16_t)min_u32(CHUNK, n - done), err);
	return done;
}
