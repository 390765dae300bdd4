/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The end that listens: see server.h. A connection's state is its `user` word:
 *
 *	before our close   bits 32..62 octets got, 0..30 octets sent; bit 31 deferred
 *	after it           bit 63; bit 62 payload bad; below, when we closed, in ns
 *	held               HELD_WORD
 */

#include "load/server.h"

#include <errno.h>
#include <stdio.h>

#include "common/diag.h"

#define CLOSED_BIT   (1ull << 63)
#define BAD_BIT      (1ull << 62)
#define DEFERRED_BIT (1ull << 31)
#define SENT_MASK    (DEFERRED_BIT - 1)
#define NS_MASK      (BAD_BIT - 1)
/* Held connections end by an RST each, some of which may be lost: so long after the last one
 * nobody waits for more. */
#define HELD_SILENCE_NS 500000000ull
/* The user word of a connection that ended while its close was put off. */
#define ENDED_WORD (CLOSED_BIT | NS_MASK)
/* And of one that stays idle (hold.h): more octets sent than there can be. */
#define HELD_WORD SENT_MASK

int
server_init(struct server *s, const struct load_conf *conf, struct run_clock *clock,
		uint32_t max_conns)
{
	int rc = side_init(&s->side, conf, clock, max_conns);

	if (conf->close == LOAD_CLOSE_CLIENT_RST)
		s->side.expected = PMTCP_PEER_RESET;
	s->is_alone = conf->cmd == LOAD_SERVER;
	return rc;
}

void
server_fini(struct server *s)
{
	side_fini(&s->side);
}

int
server_listen(struct server *s, struct plan_range ports)
{
	const struct pmtcp_listen_opts opts = {.conn.keepalive_ms = s->side.conf->keepalive_ms,
			.conn.keepalive_intvl_ms = s->side.conf->keepalive_intvl_ms};
	struct pmtcp_ctx *ctx = pmtcp_worker_ctx(s->side.worker);
	int rc = 0;

	for (uint32_t port = ports.first; port <= ports.last && rc == 0; port++) {
		struct pmtcp_addr local = {.port = (uint16_t)port}; /* of both versions */

		rc = pmtcp_listen(ctx, &local, &opts, &s->listeners[s->n_listeners]);
		s->n_listeners += rc == 0;
	}
	return rc;
}

static uint64_t
word_get(struct pmtcp_conn *conn)
{
	return (uint64_t)(uintptr_t)pmtcp_user(conn);
}

static void
word_set(struct pmtcp_conn *conn, uint64_t word)
{
	pmtcp_set_user(conn, (void *)(uintptr_t)word);
}

static void
conn_close(struct pmtcp_conn *conn, bool is_bad, uint64_t now_ns)
{
	word_set(conn, CLOSED_BIT | (is_bad ? BAD_BIT : 0) | now_ns);
	if (is_bad)
		pmtcp_abort(conn);
	else
		pmtcp_close(conn);
}

/* The response is on its way: who closes first? */
static void
conn_complete(struct server *s, struct pmtcp_conn *conn, uint64_t now_ns)
{
	const struct load_conf *conf = s->side.conf;

	if (conf->close == LOAD_CLOSE_SERVER_FIN) {
		conn_close(conn, false, now_ns);
	} else if (conf->close == LOAD_CLOSE_SIMULTANEOUS && conf->response == 0) {
		conn_close(conn, false, now_ns);
	} else if (conf->close == LOAD_CLOSE_SIMULTANEOUS) {
		/* A FIN with the response would be a close by the server first. */
		word_set(conn, word_get(conn) | DEFERRED_BIT);
		side_defer(&s->side, conn);
	}
}

static void
flush_deferred(struct server *s, uint64_t now_ns)
{
	for (uint32_t i = 0; i < s->side.n_deferred; i++) {
		struct pmtcp_conn *conn = s->side.deferred[i];

		if (word_get(conn) == ENDED_WORD)
			pmtcp_close(conn);
		else
			conn_close(conn, false, now_ns);
	}
	s->side.n_deferred = 0;
}

static void
send_response(struct server *s, struct pmtcp_conn *conn, uint64_t now_ns)
{
	const struct load_conf *conf = s->side.conf;
	uint64_t word = word_get(conn);
	uint64_t sent = word & SENT_MASK;

	if (sent > 0 && sent == conf->response)
		return; /* all of it is out, and the connection is on its way to the end */
	if (conf->response > 0) {
		sent += side_write(&s->side, conn, sent, conf->response);
		word_set(conn, (word & ~SENT_MASK) | sent);
	}
	if (sent == conf->response)
		conn_complete(s, conn, now_ns);
}

static void
take_request(struct server *s, struct pmtcp_conn *conn, uint64_t now_ns)
{
	const struct load_conf *conf = s->side.conf;
	uint64_t word = word_get(conn);
	int64_t n = side_read(&s->side, conn, word >> 32, conf->request);

	if (n < 0) {
		conn_close(conn, true, now_ns);
		return;
	}
	word += (uint64_t)n << 32;
	word_set(conn, word);
	if (n > 0 && word >> 32 == conf->request)
		send_response(s, conn, now_ns);
}

/* Whether one more can be a held one: they fall to the workers by chance. */
static bool
claim_held(struct server *s)
{
	_Atomic uint64_t *n_held = &s->side.clock->n_held;
	uint64_t hold = s->side.conf->hold;
	uint64_t n;

	if (hold == 0)
		return false;
	n = atomic_load(n_held);
	while (n < hold && !atomic_compare_exchange_strong(n_held, &n, n + 1))
		; /* another worker has one more: at most `hold` times */
	return n < hold;
}

static void
accepted(struct server *s, const struct pmtcp_event *e, uint64_t now_ns)
{
	struct side *side = &s->side;

	if (claim_held(s)) {
		word_set(e->conn, HELD_WORD);
		side->n.held++;
		side->n.held_ready++;
		return;
	}
	side->n.opened++;
	side->n.connected++;
	side->live++;
	if (!side->has_sample) {
		pmtcp_conn_info(e->conn, &side->sample);
		side->has_sample = true;
	}
	if (side->conf->request == 0)
		send_response(s, e->conn, now_ns);
}

/* The client has ended its direction: it must have sent, and got, everything. */
static void
take_fin(struct server *s, struct pmtcp_conn *conn, uint64_t now_ns)
{
	const struct load_conf *conf = s->side.conf;
	uint64_t word = word_get(conn);

	if ((word & (CLOSED_BIT | DEFERRED_BIT)) != 0)
		return;
	conn_close(conn, word >> 32 != conf->request || (word & SENT_MASK) != conf->response,
			now_ns);
}

static void
ended(struct server *s, const struct pmtcp_event *e, uint64_t now_ns)
{
	uint64_t word = word_get(e->conn);
	bool is_deferred = (word & (CLOSED_BIT | DEFERRED_BIT)) == DEFERRED_BIT;
	bool is_bad = false;

	if (word & CLOSED_BIT) {
		is_bad = (word & BAD_BIT) != 0;
		if (s->side.is_measuring && e->reason == (int32_t)s->side.expected)
			hist_record(&s->side.close, now_ns - (word & NS_MASK));
	} else if (is_deferred) {
		word_set(e->conn, ENDED_WORD);
	} else {
		pmtcp_close(e->conn); /* the handle lives until then */
	}
	side_ended(&s->side, e->reason, is_bad);
}

static void
held_ended(struct server *s, const struct pmtcp_event *e)
{
	if (e->reason == PMTCP_PEER_RESET)
		s->side.n.held_released++;
	else
		s->side.n.held_lost++;
	pmtcp_close(e->conn);
}

/* Whether that is all about this event. One that speaks was no held one. */
static bool
take_held_event(struct server *s, const struct pmtcp_event *e)
{
	struct side *side = &s->side;

	if (e->flags & (PMTCP_EV_READABLE | PMTCP_EV_PEER_FIN)) {
		word_set(e->conn, 0);
		atomic_fetch_sub(&side->clock->n_held, 1);
		side->n.held--;
		side->n.held_ready--;
		side->n.opened++;
		side->n.connected++;
		side->live++;
		return false;
	}
	if (e->flags & PMTCP_EV_CLOSED)
		held_ended(s, e);
	return true;
}

/* And one that is reset without a word, while one is missing, was one. */
static bool
is_mistaken(struct server *s, const struct pmtcp_event *e)
{
	return (e->flags & PMTCP_EV_CLOSED) && e->reason == PMTCP_PEER_RESET &&
	       word_get(e->conn) == 0 && claim_held(s);
}

static void
take_mistaken(struct server *s, const struct pmtcp_event *e)
{
	struct side *side = &s->side;

	side->n.opened--;
	side->n.connected--;
	side->live--;
	side->n.held++;
	side->n.held_ready++;
	held_ended(s, e);
}

static void
take_event(struct server *s, const struct pmtcp_event *e, uint64_t now_ns)
{
	uint32_t payload = e->flags & (PMTCP_EV_READABLE | PMTCP_EV_WRITABLE);

	if (e->flags & PMTCP_EV_ACCEPTED)
		accepted(s, e, now_ns);
	if (word_get(e->conn) == HELD_WORD && take_held_event(s, e)) {
		s->held_ns = now_ns;
		return;
	}
	if (is_mistaken(s, e)) {
		take_mistaken(s, e);
		return;
	}
	s->side.last_ns = now_ns;
	if (payload != 0 && (word_get(e->conn) & CLOSED_BIT) == 0) {
		if (payload & PMTCP_EV_READABLE)
			take_request(s, e->conn, now_ns);
		if ((payload & PMTCP_EV_WRITABLE) && (word_get(e->conn) & CLOSED_BIT) == 0)
			send_response(s, e->conn, now_ns);
	}
	if (e->flags & PMTCP_EV_PEER_FIN)
		take_fin(s, e->conn, now_ns);
	if (e->flags & PMTCP_EV_CLOSED)
		ended(s, e, now_ns);
}

static void
take_events(struct server *s, struct pmtcp_ctx *ctx, uint64_t now_ns)
{
	struct pmtcp_event ev[SIDE_EVENTS];
	uint32_t rounds = 0;
	uint16_t n;

	do {
		n = pmtcp_events(ctx, ev, SIDE_EVENTS);
		for (uint16_t i = 0; i < n; i++)
			take_event(s, &ev[i], now_ns);
	} while (n == SIDE_EVENTS && ++rounds < SIDE_ROUNDS_MAX);
}

static bool
is_idle(const struct server *s, uint64_t now_ns)
{
	return s->side.live == 0 && s->side.n_deferred == 0 &&
	       (side_held_now(&s->side.n) == 0 || now_ns - s->held_ns > HELD_SILENCE_NS);
}

/* A server alone: its clock starts with the first connection. */
static void
keep_clock(struct server *s, uint64_t now_ns)
{
	struct run_clock *clock = s->side.clock;
	uint64_t duration_ns = s->side.conf->duration_ns;
	enum run_phase phase = atomic_load_explicit(&clock->phase, memory_order_relaxed);

	if (phase == RUN_PREPARE && s->side.n.opened > 0 &&
			atomic_compare_exchange_strong(&clock->phase, &phase, RUN_OPEN)) {
		atomic_store(&clock->start_ns, now_ns);
		atomic_store(&clock->measure_ns, now_ns);
		if (duration_ns != 0)
			atomic_store(&clock->stop_ns, now_ns + duration_ns);
	}
	if (phase < RUN_DRAIN &&
			(atomic_load_explicit(&clock->is_stop_asked, memory_order_relaxed) ||
					now_ns >= atomic_load(&clock->stop_ns))) {
		if (now_ns < atomic_load(&clock->stop_ns))
			atomic_store(&clock->stop_ns, now_ns);
		atomic_store(&clock->phase, RUN_DRAIN);
		phase = RUN_DRAIN;
	}
	if (phase < RUN_DRAIN)
		return;
	for (uint32_t i = 0; i < s->n_listeners; i++)
		pmtcp_unlisten(s->listeners[i]);
	s->n_listeners = 0;
	if (phase == RUN_DRAIN && is_idle(s, now_ns) &&
			run_clock_tick_off(&clock->n_undrained, &s->side.is_drained))
		atomic_store(&clock->phase, RUN_DRAINED);
}

void
server_turn(struct pmtcp_ctx *ctx, void *arg)
{
	struct server *s = arg;
	uint64_t now_ns = pmtcp_now(ctx);
	bool is_busy;

	diag_print(ctx, "pmtcp-load server", stderr);
	if (s->is_alone)
		keep_clock(s, now_ns);
	side_window(&s->side, now_ns);
	if (s->side.n_deferred > 0)
		flush_deferred(s, now_ns);
	take_events(s, ctx, now_ns);
	/* Until the client has let go, the silence of what it holds means nothing. */
	if (s->side.conf->hold != 0 && !s->is_alone &&
			atomic_load(&s->side.clock->phase) < RUN_DRAINED)
		s->held_ns = now_ns;
	is_busy = !is_idle(s, now_ns);
	if (is_busy != s->is_busy)
		atomic_fetch_add(&s->side.clock->n_busy_servers, is_busy ? 1u : -1u);
	s->is_busy = is_busy;
}
