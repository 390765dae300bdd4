/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A relay between two programs of the kernel's side: each connection that is accepted
 * is joined to one that is opened, and both directions of it are carried over packet by packet.
 * Nobody may send more than the other side takes: what does not fit is kept, at most
 * BURST packets, and the sender's window stays shut for it. An end of stream is passed
 * on as such, behind the text; a reset as a reset.
 * It exits 0 only if each pair ended so, all octets came through wherever no reset cut a
 * stream off, and the books balance. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "common/app.h"

#define BURST     32
#define PAIRS_MAX 1024

/* Time after the last end: a peer whose FIN was answered by a lost ACK repeats it. */
#define GOODBYE_NS 500000000u

/* One of the two connections of a pair. */
struct end {
	struct pair *pair;
	struct pmtcp_conn *conn;      /* NULL: not opened yet, or dead */
	struct rte_mbuf *held[BURST]; /* received here, not yet taken by the other */
	int n_held;
	uint64_t got, sent; /* octets received here, and given to be sent here */
	bool is_up;
	bool is_eof;    /* all of the peer's stream was received */
	bool is_shut;   /* ours is ended */
	bool is_let_go; /* pmtcp_close() or pmtcp_abort() was called */
	bool is_over;   /* its CLOSED came, with: */
	int32_t reason;
};

struct pair {
	struct end down, up; /* accepted, opened */
};

struct relay {
	struct app app;
	struct pmtcp_addr target;
	uint16_t listen;
	uint64_t count;
	uint32_t n_accepted, n_opened, n_ended; /* pairs, in this order */
	uint32_t n_failed, n_reset;
	struct pair pairs[PAIRS_MAX];
};

static struct relay relay;

static struct end *
other(struct end *e)
{
	return e == &e->pair->down ? &e->pair->up : &e->pair->down;
}

static void
let_go(struct end *e, void (*how)(struct pmtcp_conn *conn))
{
	if (e->conn != NULL && !e->is_let_go)
		how(e->conn);
	e->is_let_go = true;
}

/* ---- octets ------------------------------------------------------------------ */

/* Gives what is held to the other end, and as much window to the sender. Returns whether
 * nothing is held any more. */
static bool
flush(struct end *from, struct end *to)
{
	uint32_t octets[BURST];
	int sent;

	if (from->n_held == 0)
		return true;
	for (int i = 0; i < from->n_held; i++)
		octets[i] = rte_pktmbuf_pkt_len(from->held[i]);
	sent = pmtcp_send(to->conn, from->held, (uint16_t)from->n_held);
	if (sent == -ENOBUFS)
		let_go(to, pmtcp_abort);
	for (int i = 0; i < sent; i++) {
		to->sent += octets[i];
		if (!from->is_over)
			pmtcp_recv_done(from->conn, octets[i]);
	}
	if (sent > 0) {
		from->n_held -= sent;
		memmove(from->held, from->held + sent,
				(size_t)from->n_held * sizeof(from->held[0]));
	}
	return from->n_held == 0;
}

/* One direction: until nothing has come, or the other end takes no more (READABLE here or
 * WRITABLE there will tell). */
static void
carry(struct end *from, struct end *to)
{
	int n = 1;

	if (from->conn == NULL || to->conn == NULL || !to->is_up || to->is_over)
		return;
	while (n > 0 && !from->is_let_go && !to->is_let_go && flush(from, to)) {
		n = pmtcp_recv(from->conn, from->held, BURST);
		from->n_held = n > 0 ? n : 0;
		for (int i = 0; i < from->n_held; i++)
			from->got += rte_pktmbuf_pkt_len(from->held[i]);
	}
	if (n == 0 && !to->is_shut) {
		from->is_eof = true;
		to->is_shut = true;
		(void)pmtcp_shutdown(to->conn);
	}
}

static void
pair_step(struct pair *p)
{
	carry(&p->down, &p->up);
	carry(&p->up, &p->down);
	if (p->down.is_eof && p->up.is_eof) {
		let_go(&p->down, pmtcp_close);
		let_go(&p->up, pmtcp_close);
	}
}

/* ---- how it ends ------------------------------------------------------------- */

/* All octets and both ends of stream came through ... */
static bool
is_whole(const struct pair *p)
{
	return p->down.reason == PMTCP_GRACEFUL && p->up.reason == PMTCP_GRACEFUL &&
	       p->down.is_eof && p->up.is_eof && p->down.got == p->up.sent &&
	       p->up.got == p->down.sent;
}

/* ... or this side reset its connection and the other one's was reset for it, unless that
 * was over already. */
static bool
is_cut(const struct end *reset, const struct end *passed)
{
	return reset->reason == PMTCP_PEER_RESET &&
	       (passed->reason == PMTCP_LOCAL_ABORT || passed->reason == PMTCP_PEER_RESET ||
			       (passed->reason == PMTCP_GRACEFUL && passed->is_shut));
}

static void
pair_end(struct relay *r, struct pair *p)
{
	bool is_reset = is_cut(&p->down, &p->up) || is_cut(&p->up, &p->down);
	const char *word = is_whole(p) ? "whole" : is_reset ? "cut" : "FAILED";

	r->n_ended++;
	r->n_reset += is_reset;
	r->n_failed += !is_whole(p) && !is_reset;
	printf("pair %td: %s, down %s got %" PRIu64 " sent %" PRIu64 ", up %s got %" PRIu64
	       " sent %" PRIu64 "\n",
			p - r->pairs, word, pmtcp_reason_name((enum pmtcp_reason)p->down.reason),
			p->down.got, p->down.sent,
			pmtcp_reason_name((enum pmtcp_reason)p->up.reason), p->up.got, p->up.sent);
}

/* A handle whose CLOSED came is given up; not before the text that is still unread has
 * found room at the other end. */
static void
end_settle(struct relay *r, struct end *e)
{
	if (e->conn == NULL || !e->is_over || (e->reason == PMTCP_GRACEFUL && !e->is_eof))
		return;
	let_go(e, pmtcp_close);
	rte_pktmbuf_free_bulk(e->held, (unsigned int)e->n_held);
	e->n_held = 0;
	e->conn = NULL;
	if (other(e)->conn == NULL)
		pair_end(r, e->pair);
}

static void
end_over(struct end *e, int32_t reason)
{
	e->is_over = true;
	e->reason = reason;
	if (reason != PMTCP_GRACEFUL)
		let_go(other(e), pmtcp_abort);
}

/* ---- how it begins ----------------------------------------------------------- */

static struct end *
accept_one(struct relay *r, struct pmtcp_conn *conn)
{
	struct pair *p = &r->pairs[r->n_accepted];

	if (r->n_accepted == r->count)
		return NULL;
	r->n_accepted++;
	p->down = (struct end){.pair = p, .conn = conn, .is_up = true};
	p->up = (struct end){.pair = p};
	pmtcp_set_user(conn, &p->down);
	return &p->down;
}

/* One after the other: iperf3's server tells its streams' directions by their order. */
static void
open_due(struct relay *r)
{
	struct pair *p = &r->pairs[r->n_opened];
	bool is_ready = r->n_opened == 0 || p[-1].up.is_up || p[-1].up.conn == NULL;
	int ret = 1;

	if (r->n_opened == r->n_accepted || !is_ready)
		return;
	if (p->down.conn != NULL)
		ret = pmtcp_neigh_resolve(r->app.ctx, pmtcp_now(r->app.ctx), &r->target);
	if (ret == 0)
		return;
	r->n_opened++;
	r->app.opts.user = &p->up;
	if (ret == 1 && p->down.conn != NULL)
		ret = pmtcp_connect(r->app.ctx, NULL, &r->target, &r->app.opts, &p->up.conn);
	if (ret >= 0)
		return;
	fprintf(stderr, "relay: cannot connect: %s\n", strerror(-ret));
	let_go(&p->down, pmtcp_abort);
}

/* ---- all of them ------------------------------------------------------------- */

static void
handle_event(struct relay *r, const struct pmtcp_event *ev)
{
	struct end *e = ev->user;

	if (ev->flags & PMTCP_EV_ACCEPTED)
		e = accept_one(r, ev->conn);
	if (e == NULL) {
		pmtcp_detach(ev->conn); /* more than were asked for */
		r->n_failed++;
		return;
	}
	if (ev->flags & PMTCP_EV_CONNECTED)
		e->is_up = true;
	pair_step(e->pair);
	if (ev->flags & PMTCP_EV_CLOSED)
		end_over(e, ev->reason);
	end_settle(r, &e->pair->down);
	end_settle(r, &e->pair->up);
}

static void
turn(struct pmtcp_ctx *ctx, void *arg)
{
	struct relay *r = arg;
	struct pmtcp_event ev[BURST];
	uint16_t n;

	while ((n = pmtcp_events(ctx, ev, BURST)) > 0)
		for (uint16_t i = 0; i < n; i++)
			handle_event(r, &ev[i]);
	open_due(r);
	if (r->n_ended == r->count)
		pmtcp_worker_stop(r->app.worker);
}

static int
report(const struct relay *r)
{
	bool is_good = books_print(r->app.ctx);

	printf("%" PRIu32 " of %" PRIu64 " pairs ended, %" PRIu32 " cut by a reset, %" PRIu32
	       " failed\n",
			r->n_ended, r->count, r->n_reset, r->n_failed);
	return is_good && r->n_ended == r->count && r->n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct relay *r = &relay;
	struct pmtcp_listener *listener;
	int ret;
	const struct arg options[] = {
			{"listen", 0, ARG_PORT, &r->listen, "accept there"},
			{"connect", 0, ARG_ADDR, &r->target, "and join each to one to there"},
			{"count", 0, ARG_COUNT, &r->count, "pairs, then the end (1)"},
	};

	r->app = (struct app){.program = "relay",
			.summary = "joins pairs of connections",
			.options = options,
			.n_options = 3};
	r->count = 1;
	ret = app_open(&r->app, argc, argv);
	if (ret != 0)
		return ret;
	if (r->count > PAIRS_MAX)
		return app_fail(&r->app, "serve so many", -E2BIG);
	r->app.opts.nodelay = true; /* whose text it is has decided already */
	ret = pmtcp_listen(r->app.ctx, &(struct pmtcp_addr){.port = r->listen},
			&(struct pmtcp_listen_opts){.conn = r->app.opts}, &listener);
	if (ret != 0)
		return app_fail(&r->app, "listen", ret);
	printf("ready\n");
	fflush(stdout);
	app_run(&r->app, turn, r);
	app_serve_for(&r->app, GOODBYE_NS, turn, r);
	ret = report(r);
	app_close(&r->app);
	return ret;
}
