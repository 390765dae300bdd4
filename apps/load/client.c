/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The end that opens: see client.h. */

#include "load/client.h"

#include <errno.h>
#include <stdlib.h>

#include "common/diag.h"

/* A next hop that has not answered by then will not. */
#define RESOLVE_NS 5000000000ull

/* Every source to one target port, then the next port. */
static void
set_pairs(struct client *c, struct plan_range pairs)
{
	uint32_t sources = c->sources.last - c->sources.first + 1;
	struct client_round *r = &c->round;

	r->pairs = pairs;
	r->pair = pairs.first;
	r->source = c->sources.first + pairs.first % sources;
	r->target_port = c->target_ports.first + pairs.first / sources;
}

static void
next_pair(struct client *c)
{
	struct client_round *r = &c->round;

	if (r->pair++ == r->pairs.last) {
		set_pairs(c, r->pairs);
	} else if (r->source++ == c->sources.last) {
		r->source = c->sources.first;
		r->target_port++;
	}
}

static uint64_t
at_least_one(uint64_t n)
{
	return n == 0 ? 1 : n;
}

int
client_init(struct client *c, const struct load_conf *conf, const struct plan *plan,
		struct run_clock *clock, struct side_share share)
{
	uint32_t n = (uint32_t)at_least_one(side_share_of(conf->concurrency, share));
	int rc = side_init(&c->side, conf, clock, n);
	uint64_t count;

	if (rc != 0)
		return rc;
	if (conf->close == LOAD_CLOSE_CLIENT_RST)
		c->side.expected = PMTCP_LOCAL_ABORT;
	c->concurrency = n;
	c->conns = calloc(n, sizeof(c->conns[0]));
	c->unused = calloc(n, sizeof(struct client_conn *));
	if (c->conns == NULL || c->unused == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		c->unused[i] = &c->conns[n - 1 - i];
	c->n_unused = n;
	c->sources = plan->sources;
	c->opts.keepalive_ms = conf->keepalive_ms;
	c->opts.keepalive_intvl_ms = conf->keepalive_intvl_ms;
	c->target_ports = plan->target_ports;
	c->run_pairs = (struct plan_range){(uint32_t)plan->hold_pairs, (uint32_t)plan->pairs - 1};
	if (conf->hold != 0 && plan->hold_pairs != 0)
		set_pairs(c, (struct plan_range){0, (uint32_t)plan->hold_pairs - 1});
	else
		set_pairs(c, c->run_pairs);
	c->hold = side_share_of(conf->hold, share);
	count = side_share_of(conf->count, share);
	pace_init(&c->pace, plan->pace == 0 ? 0 : at_least_one(side_share_of(plan->pace, share)),
			conf->rate != 0, count);
	if (share.of == 0 || (conf->count != 0 && count == 0))
		c->pace.left = 0; /* fewer connections than workers, or none of its own */
	return 0;
}

void
client_merge(struct client *c, const struct client *from)
{
	struct pace *p = &c->pace;

	side_merge(&c->side, &from->side);
	p->launched += from->pace.launched;
	p->late += from->pace.late;
	if (from->pace.late_ns_max > p->late_ns_max)
		p->late_ns_max = from->pace.late_ns_max;
	p->held_ns += from->pace.held_ns;
	p->spent_ns += from->pace.spent_ns;
	c->is_count_reached &= from->is_count_reached;
	c->is_unreachable |= from->is_unreachable;
	if (c->open_errno != 0)
		return;
	c->open_errno = from->open_errno;
	c->ports = from->ports;
	c->ports_source = from->ports_source;
	c->ports_target = from->ports_target;
}

void
client_fini(struct client *c)
{
	side_fini(&c->side);
	free(c->conns);
	free(c->unused);
}

static void
conn_free(struct client *c, struct client_conn *cc)
{
	c->unused[c->n_unused++] = cc;
}

static void
conn_close(struct client *c, struct client_conn *cc, struct pmtcp_conn *conn, uint64_t now_ns)
{
	cc->close_ns = now_ns;
	if (cc->is_bad || c->side.conf->close == LOAD_CLOSE_CLIENT_RST)
		pmtcp_abort(conn);
	else
		pmtcp_close(conn);
}

/* Everything was exchanged: who closes first? */
static void
conn_complete(struct client *c, struct client_conn *cc, struct pmtcp_conn *conn, uint64_t now_ns)
{
	switch (c->side.conf->close) {
	case LOAD_CLOSE_CLIENT_FIN:
		conn_close(c, cc, conn, now_ns);
		break;
	case LOAD_CLOSE_SIMULTANEOUS:
	case LOAD_CLOSE_CLIENT_RST:
		/* The ACK of this turn has to reach the server before the FIN does, so
		 * that both FINs cross; and before the RST, so that it is accepted. */
		cc->is_deferred = true;
		side_defer(&c->side, conn);
		break;
	case LOAD_CLOSE_SERVER_FIN:
	case LOAD_CLOSE_MAX:
		break;
	}
}

/* Closes what was put off in the turn before. */
static void
flush_deferred(struct client *c, uint64_t now_ns)
{
	struct side *s = &c->side;

	for (uint32_t i = 0; i < s->n_deferred; i++) {
		struct pmtcp_conn *conn = s->deferred[i];
		struct client_conn *cc = pmtcp_user(conn);

		cc->is_deferred = false;
		conn_close(c, cc, conn, now_ns);
		if (cc->is_ended)
			conn_free(c, cc);
	}
	s->n_deferred = 0;
}

static void
take_payload(struct client *c, struct client_conn *cc, struct pmtcp_conn *conn, uint64_t now_ns)
{
	const struct load_conf *conf = c->side.conf;
	int64_t n = side_read(&c->side, conn, cc->got, conf->response);

	if (n < 0) {
		cc->is_bad = true;
		conn_close(c, cc, conn, now_ns);
		return;
	}
	cc->got += (uint32_t)n;
	if (n > 0 && cc->got == conf->response)
		conn_complete(c, cc, conn, now_ns);
}

static void
connected(struct client *c, struct client_conn *cc, const struct pmtcp_event *e, uint64_t now_ns)
{
	const struct load_conf *conf = c->side.conf;

	c->side.n.connected++;
	if (c->side.is_measuring)
		hist_record(&c->side.connect, now_ns - cc->launch_ns);
	if (!c->side.has_sample) {
		pmtcp_conn_info(e->conn, &c->side.sample);
		c->side.has_sample = true;
	}
	if (conf->request > 0)
		cc->sent += (uint32_t)side_write(&c->side, e->conn, 0, conf->request);
	if (conf->response == 0 && cc->sent == conf->request)
		conn_complete(c, cc, e->conn, now_ns);
}

static void
ended(struct client *c, struct client_conn *cc, const struct pmtcp_event *e, uint64_t now_ns)
{
	struct side *s = &c->side;

	if (s->is_measuring && e->reason == (int32_t)s->expected) {
		hist_record(&s->close, cc->close_ns == 0 ? 0 : now_ns - cc->close_ns);
		hist_record(&s->life, now_ns - cc->launch_ns);
	}
	side_ended(s, e->reason, cc->is_bad);
	if (cc->is_deferred) {
		cc->is_ended = true;
		return;
	}
	if (cc->close_ns == 0)
		pmtcp_close(e->conn); /* the handle lives until then */
	conn_free(c, cc);
}

static void
payload_event(struct client *c, struct client_conn *cc, const struct pmtcp_event *e,
		uint64_t now_ns)
{
	const struct load_conf *conf = c->side.conf;

	if ((e->flags & PMTCP_EV_READABLE) && cc->close_ns == 0)
		take_payload(c, cc, e->conn, now_ns);
	if ((e->flags & PMTCP_EV_WRITABLE) && cc->close_ns == 0) {
		uint64_t n = side_write(&c->side, e->conn, cc->sent, conf->request);

		cc->sent += (uint32_t)n;
		if (n > 0 && cc->sent == conf->request && conf->response == 0)
			conn_complete(c, cc, e->conn, now_ns);
	}
	if ((e->flags & PMTCP_EV_PEER_FIN) && cc->close_ns == 0 && !cc->is_deferred) {
		cc->is_bad = cc->got != conf->response || cc->sent != conf->request;
		conn_close(c, cc, e->conn, now_ns);
	}
}

static void
take_events(struct client *c, struct pmtcp_ctx *ctx, uint64_t now_ns)
{
	struct pmtcp_event ev[SIDE_EVENTS];
	uint32_t rounds = 0;
	uint16_t n;

	do {
		n = pmtcp_events(ctx, ev, SIDE_EVENTS);
		/* Of tens of thousands of connections these are in no cache. */
		for (uint16_t i = 0; i < n; i++)
			__builtin_prefetch(ev[i].user, 1);
		for (uint16_t i = 0; i < n; i++) {
			struct client_conn *cc = ev[i].user;

			if (hold_is_held(cc)) {
				hold_event(&c->side, &ev[i]);
				continue;
			}
			if (ev[i].flags & PMTCP_EV_CONNECTED)
				connected(c, cc, &ev[i], now_ns);
			if (ev[i].flags &
					(PMTCP_EV_READABLE | PMTCP_EV_WRITABLE | PMTCP_EV_PEER_FIN))
				payload_event(c, cc, &ev[i], now_ns);
			if (ev[i].flags & PMTCP_EV_CLOSED)
				ended(c, cc, &ev[i], now_ns);
		}
		if (n > 0)
			c->side.last_ns = now_ns;
	} while (n == SIDE_EVENTS && ++rounds < SIDE_ROUNDS_MAX);
}

static void
end_run(struct client *c, uint64_t stop_ns)
{
	atomic_store(&c->side.clock->stop_ns, stop_ns);
	atomic_store(&c->side.clock->phase, RUN_DRAIN);
}

static void
open_failed(struct client *c, struct pmtcp_ctx *ctx, int rc, uint64_t now_ns)
{
	const struct load_conf *conf = c->side.conf;
	struct pmtcp_addr local = args_subnet_addr(&conf->own, c->round.source, 0);
	struct pmtcp_addr remote = conf->target;
	enum side_open_error e = SIDE_OPEN_OTHER;

	if (rc == -EADDRNOTAVAIL)
		e = SIDE_OPEN_PORTS;
	else if (rc == -ENFILE)
		e = SIDE_OPEN_BLOCKS;
	else if (rc == -ENOBUFS)
		e = SIDE_OPEN_TABLE;
	else if (rc == -ENETUNREACH)
		e = SIDE_OPEN_ROUTE;
	c->side.n.open_errors[e]++;
	/* A short moment without blocks passes; the rest does not, so never try in vain. */
	if (e == SIDE_OPEN_BLOCKS || e == SIDE_OPEN_TABLE)
		return;
	c->open_errno = -rc;
	remote.port = (uint16_t)c->round.target_port;
	if (e == SIDE_OPEN_PORTS)
		pmtcp_port_report(ctx, &local, &remote, &c->ports);
	c->ports_source = c->round.source;
	c->ports_target = (uint16_t)c->round.target_port;
	end_run(c, now_ns);
}

/* Opens the next n pairs', CLIENT_OPENS_MAX at most; `user` of each was set. Returns how many
 * were possible; the first that was not is accounted for, and its pair is the next. */
static uint32_t
open_burst(struct client *c, struct pmtcp_ctx *ctx, struct pmtcp_open *opens, uint32_t n)
{
	const struct load_conf *conf = c->side.conf;
	struct client_round first = c->round;
	uint32_t done;
	int err;

	for (uint32_t i = 0; i < n; i++, next_pair(c)) {
		opens[i].local = args_subnet_addr(&conf->own, c->round.source, 0);
		opens[i].remote = conf->target;
		opens[i].remote.port = (uint16_t)c->round.target_port;
		opens[i].opts = &c->opts;
	}
	done = pmtcp_connect_burst(ctx, opens, (uint16_t)n, &err);
	if (done == n)
		return n;
	c->round = first;
	for (uint32_t i = 0; i < done; i++)
		next_pair(c);
	open_failed(c, ctx, err, pmtcp_now(ctx));
	return done;
}

static void
open_due(struct client *c, struct pmtcp_ctx *ctx, uint64_t now_ns)
{
	uint32_t room = c->n_unused < CLIENT_OPENS_MAX ? c->n_unused : CLIENT_OPENS_MAX;
	uint32_t n = pace_due(&c->pace, now_ns, room);
	struct pmtcp_open opens[CLIENT_OPENS_MAX];

	for (uint32_t i = 0; i < n; i++)
		opens[i].user = c->unused[c->n_unused - 1 - i];
	n = open_burst(c, ctx, opens, n);
	for (uint32_t i = 0; i < n; i++) {
		*c->unused[--c->n_unused] =
				(struct client_conn){.launch_ns = pace_intended(&c->pace, now_ns)};
		pace_launched(&c->pace, now_ns);
	}
	c->side.live += n;
	c->side.n.opened += n;
}

static void
start_clock(struct client *c, uint64_t now_ns)
{
	const struct load_conf *conf = c->side.conf;
	struct run_clock *clock = c->side.clock;

	atomic_store(&clock->start_ns, now_ns);
	atomic_store(&clock->measure_ns, now_ns + conf->warmup_ns);
	if (conf->duration_ns != 0)
		atomic_store(&clock->stop_ns, now_ns + conf->warmup_ns + conf->duration_ns);
	atomic_store(&clock->phase, RUN_OPEN);
}

/* Opens its share of what is to stay; the clock starts when all of that is established, or lost,
 * at all workers. */
static void
open_held(struct client *c, struct pmtcp_ctx *ctx, uint64_t now_ns)
{
	const struct side_counts *n = &c->side.n;
	uint64_t left = c->hold - n->held;
	uint64_t room = c->concurrency - c->side.held_opening;
	struct pmtcp_open opens[CLIENT_OPENS_MAX] = {{.user = NULL}};

	if (atomic_load(&c->side.clock->is_stop_asked)) {
		end_run(c, now_ns);
		return;
	}
	if (left == 0 && c->side.held_opening == 0 && !c->side.is_holding &&
			run_clock_tick_off(&c->side.clock->n_unheld, &c->side.is_holding))
		start_clock(c, now_ns);
	left = left < room ? left : room;
	left = left < CLIENT_OPENS_MAX ? left : CLIENT_OPENS_MAX;
	left = open_burst(c, ctx, opens, (uint32_t)left);
	for (uint32_t i = 0; i < left; i++)
		hold_add(&c->side, &c->held, opens[i].conn);
}

/* All next hops are known to all workers before the clock starts; the last one starts it. */
static void
prepare(struct client *c, struct pmtcp_ctx *ctx, uint64_t now_ns)
{
	struct run_clock *clock = c->side.clock;
	int rc = pmtcp_neigh_resolve(ctx, now_ns, &c->side.conf->target);

	if (c->resolve_until_ns == 0)
		c->resolve_until_ns = now_ns + RESOLVE_NS;
	if (rc == 1 && c->side.is_ready)
		return;
	if (rc == 1 && !run_clock_tick_off(&clock->n_unready, &c->side.is_ready))
		return;
	if (rc == 1 && c->side.conf->hold != 0)
		atomic_store(&clock->phase, RUN_HOLD);
	else if (rc == 1)
		start_clock(c, now_ns);
	if (rc == 1)
		return;
	if (rc == 0 && now_ns < c->resolve_until_ns && !atomic_load(&clock->is_stop_asked))
		return;
	c->is_unreachable = rc != 0 || now_ns >= c->resolve_until_ns;
	end_run(c, now_ns);
}

static void
check_end(struct client *c, uint64_t now_ns)
{
	struct run_clock *clock = c->side.clock;
	uint64_t stop_ns = atomic_load_explicit(&clock->stop_ns, memory_order_relaxed);

	if (now_ns >= stop_ns) {
		end_run(c, stop_ns);
	} else if (atomic_load_explicit(&clock->is_stop_asked, memory_order_relaxed)) {
		end_run(c, now_ns);
	} else if (c->pace.left == 0) {
		/* All were opened: the window ends with the last close. */
		c->is_count_reached = true;
		if (c->side.live == 0 &&
				run_clock_tick_off(&clock->n_unopened, &c->side.is_unopened_told))
			end_run(c, now_ns);
	}
}

/* The device has taken everything: an RST that finds no room in the end is lost, and nobody
 * would send it again. */
static bool
is_sent(const struct side *s)
{
	struct side_snap snap;

	side_snap_take(s, 0, &snap);
	return snap.stats.counter[PMTCP_C_tx_frames] ==
	       snap.worker.tx_packets + snap.worker.tx_dropped;
}

/* What stayed goes when the others have, or have had their time. */
static void
drain(struct client *c, uint64_t now_ns)
{
	struct run_clock *clock = c->side.clock;
	bool is_over = c->side.live == 0 && c->side.n_deferred == 0;

	if (c->held != NULL && (is_over || now_ns >= atomic_load(&clock->stop_ns) + RUN_DRAIN_NS) &&
			is_sent(&c->side))
		hold_release(&c->held);
	if (is_over && side_held_now(&c->side.n) == 0 &&
			run_clock_tick_off(&clock->n_undrained, &c->side.is_drained))
		atomic_store(&clock->phase, RUN_DRAINED);
}

void
client_turn(struct pmtcp_ctx *ctx, void *arg)
{
	struct client *c = arg;
	struct run_clock *clock = c->side.clock;
	uint64_t now_ns = pmtcp_now(ctx);
	enum run_phase phase = atomic_load_explicit(&clock->phase, memory_order_relaxed);

	diag_print(ctx, "pmtcp-load client", stderr);
	if (phase == RUN_PREPARE) {
		prepare(c, ctx, now_ns);
		return;
	}
	if (!c->is_started && phase != RUN_HOLD) {
		set_pairs(c, c->run_pairs);
		pace_start(&c->pace, now_ns);
		c->is_started = true;
	}
	if (phase == RUN_OPEN)
		check_end(c, now_ns);
	side_window(&c->side, now_ns);
	if (c->side.n_deferred > 0)
		flush_deferred(c, now_ns);
	take_events(c, ctx, now_ns);
	phase = atomic_load_explicit(&clock->phase, memory_order_relaxed);
	if (phase == RUN_OPEN)
		open_due(c, ctx, now_ns);
	else if (phase == RUN_HOLD)
		open_held(c, ctx, now_ns);
	else if (phase == RUN_DRAIN)
		drain(c, now_ns);
}
