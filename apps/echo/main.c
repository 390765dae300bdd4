/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* pmtcp-echo: sends back what it receives (RFC 862), without touching it. The smallest
 * complete program on pmtcp: open a link, make a worker, listen, serve events. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/args.h"
#include "common/link.h"
#include "pmtcp_dpdk.h"

#define BURST 32

/* One connection: packets that were received and not yet taken by pmtcp_send(). */
struct session {
	LIST_ENTRY(session) next;
	struct pmtcp_conn *conn;
	struct rte_mbuf *held[BURST];
	int n_held;
	bool is_closed; /* by us */
};

static LIST_HEAD(, session) sessions = LIST_HEAD_INITIALIZER(sessions);
static struct pmtcp_worker *worker;

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
	int sent = pmtcp_send(s->conn, s->held, (uint16_t)s->n_held);
	uint32_t octets = 0;

	for (int i = 0; i < sent; i++)
		octets += s->held[i]->pkt_len;
	if (sent > 0) {
		pmtcp_recv_done(s->conn, octets);
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
		LIST_INSERT_HEAD(&sessions, s, next);
	}
	if (!s->is_closed)
		session_echo(s);
	if (ev->flags & PMTCP_EV_CLOSED) {
		session_close(s);
		rte_pktmbuf_free_bulk(s->held, (unsigned int)s->n_held);
		LIST_REMOVE(s, next);
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

static void
handle_signal(int sig)
{
	pmtcp_worker_stop(worker);
}

/* Says goodbye to everybody: FIN now, RST to those who have not answered in a second. */
static void
end_sessions(void)
{
	uint64_t deadline_ns = pmtcp_clock_now() + 1000000000u;
	struct session *s;

	LIST_FOREACH(s, &sessions, next)
		session_close(s);
	while (!LIST_EMPTY(&sessions) && pmtcp_clock_now() < deadline_ns)
		pmtcp_worker_turn(worker, serve, NULL);
	LIST_FOREACH(s, &sessions, next)
		pmtcp_abort(s->conn);
	pmtcp_worker_turn(worker, serve, NULL);
}

/* Everything between an open link and its close. Returns the exit code. */
static int
run(const struct link *link, const struct pmtcp_conf *conf, const struct pmtcp_worker_opts *opts,
		uint16_t port)
{
	struct pmtcp_addr local = pmtcp_addr4(0, port); /* all own addresses */
	struct pmtcp_listener *listener;
	int ret = pmtcp_worker_create(link->ports[0], 0, conf, opts, &worker);

	if (ret != 0) {
		fprintf(stderr, "%s: cannot make a worker: %s\n", link->program, strerror(-ret));
		return EXIT_FAILURE;
	}
	ret = pmtcp_listen(pmtcp_worker_ctx(worker), &local, NULL, &listener);
	if (ret == 0) {
		signal(SIGINT, handle_signal);
		signal(SIGTERM, handle_signal);
		printf("listening on port %u; Ctrl-C ends\n", port);
		fflush(stdout);
		pmtcp_worker_run(worker, serve, NULL);
		pmtcp_unlisten(listener);
		end_sessions();
	} else {
		fprintf(stderr, "%s: cannot listen: %s\n", link->program, strerror(-ret));
	}
	pmtcp_worker_destroy(worker);
	return ret == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct link_conf link_conf = {.word = "tap:pm0", .program = "pmtcp-echo"};
	struct args_subnet ip;
	struct args_capture pcap = {.packets = 0};
	struct pmtcp_worker_opts opts = {.idle = PMTCP_IDLE_SLEEP};
	struct pmtcp_conf conf;
	struct link link;
	uint16_t port = 7;
	int ret;
	const struct arg table[] = {
			{"link", 0, ARG_TEXT, &link_conf.word, LINK_WORDS " (tap:pm0)"},
			{"ip", 0, ARG_SUBNET, &ip, "own address and subnet (198.18.0.2/24)"},
			{"gateway", 0, ARG_IP, &conf.gateway, "next hop outside the subnet (none)"},
			{"listen", 'l', ARG_PORT, &port, "port to listen on (7)"},
			{"pcap", 0, ARG_CAPTURE, &pcap, "capture both directions (no)"},
			{"eal", 0, ARG_TEXT, &link_conf.eal, "more arguments for EAL (none)"},
			{"verbose", 'v', ARG_FLAG, &link_conf.verbose, "show what EAL says"},
	};

	pmtcp_conf_init(&conf);
	args_value(ARG_SUBNET, "198.18.0.2/24", &ip);
	args_parse(&(struct args){link_conf.program, "sends back what it receives", table, 7}, argc,
			argv);
	conf.ranges[conf.n_ranges++] = ip.range;
	conf.prefix_len = ip.prefix_len;
	opts.pcap = pcap.file[0] == '\0' ? NULL : pcap.file;
	opts.pcap_packets = pcap.packets;
	if (strncmp(link_conf.word, "ring", 4) == 0) {
		fprintf(stderr, "pmtcp-echo: nobody is at the far end of a ring; type: --link "
				"tap:pm0\n");
		return LINK_EXIT_CODE;
	}
	if (link_open(&link_conf, &link) != 0)
		return LINK_EXIT_CODE;
	ret = link_check(&link, conf.ranges, 1) == 0 ? run(&link, &conf, &opts, port)
						     : LINK_EXIT_CODE;
	link_close(&link);
	return ret;
}
