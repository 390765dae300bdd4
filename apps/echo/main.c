/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* pmtcp-echo: sends back what it receives (RFC 862), without touching it. The
 * smallest complete program on pmtcp: listen, serve events, say goodbye. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/app.h"

#define BURST      32
#define GOODBYE_NS 1000000000u /* FIN at once; RST to who has not answered by then */

/* One connection: packets that were received and not yet taken by pmtcp_send(). */
struct session {
	struct pmtcp_conn *conn;
	struct rte_mbuf *held[BURST];
	int n_held;
	bool is_closed; /* by us */
};

static void
session_close(struct session *s)
{
	if (!s->is_closed)
		pmtcp_close(s->conn);
	s->is_closed = true;
}

/* Sends the held packets themselves; the peer may send as much again as went out.
 * Returns true if nothing is held any more. */
static bool
session_flush(struct session *s)
{
	uint32_t octets[BURST];
	int sent;

	for (int i = 0; i < s->n_held; i++)
		octets[i] = s->held[i]->pkt_len;
	sent = pmtcp_send(s->conn, s->held, (uint16_t)s->n_held);
	if (sent == -ENOTCONN) {
		pmtcp_abort(s->conn); /* the peer is gone */
		s->is_closed = true;
	}
	for (int i = 0; i < sent; i++)
		pmtcp_recv_done(s->conn, octets[i]);
	if (sent > 0) {
		s->n_held -= sent;
		memmove(s->held, s->held + sent, (size_t)s->n_held * sizeof(s->held[0]));
	}
	return s->n_held == 0;
}

/* Moves packets until there are no more (-EAGAIN) or the send buffer is full (READABLE or
 * WRITABLE will tell). 0 is the end of the peer's stream, and all of it was sent. */
static void
session_echo(struct session *s)
{
	int n = 1;

	while (n > 0 && session_flush(s)) {
		n = pmtcp_recv(s->conn, s->held, BURST);
		s->n_held = n > 0 ? n : 0;
	}
	if (n == 0)
		session_close(s);
}

static void
handle_event(const struct pmtcp_event *ev)
{
	struct session *s = ev->user;

	if (ev->flags & PMTCP_EV_ACCEPTED) {
		s = calloc(1, sizeof(*s));
		if (s == NULL) {
			pmtcp_detach(ev->conn); /* closed, and no event of it */
			return;
		}
		s->conn = ev->conn;
		pmtcp_set_user(ev->conn, s);
	}
	if (!s->is_closed)
		session_echo(s);
	if (ev->flags & PMTCP_EV_CLOSED) {
		session_close(s);
		rte_pktmbuf_free_bulk(s->held, (unsigned int)s->n_held);
		free(s);
	}
}

static void
serve(struct pmtcp_ctx *ctx, void *arg)
{
	struct pmtcp_event ev[BURST];
	uint16_t n;

	while ((n = pmtcp_events(ctx, ev, BURST)) > 0)
		for (uint16_t i = 0; i < n; i++)
			handle_event(&ev[i]);
}

int
main(int argc, char **argv)
{
	uint16_t port = 7;
	const struct arg options[] = {{"listen", 'l', ARG_PORT, &port, "port to listen on (7)"}};
	struct app app = {.program = "pmtcp-echo",
			.summary = "sends back what it receives",
			.options = options,
			.n_options = 1,
			.max_workers = APP_WORKERS_MAX}; /* sessions belong to their worker */
	int ret = app_open(&app, argc, argv);

	if (ret != 0)
		return ret;
	ret = app_listen(&app, &(struct pmtcp_addr){.port = port});
	if (ret != 0)
		return app_fail(&app, "listen", ret);
	printf("listening on port %u; Ctrl-C ends\n", port);
	fflush(stdout);
	app_run(&app, serve, NULL);
	ret = app_shutdown(&app, GOODBYE_NS, serve, NULL);
	app_close(&app);
	return ret;
}
