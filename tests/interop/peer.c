/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Our end of the interop tests: a few connections, opened or accepted, that send and
 * receive exact amounts of the payload pattern, in either order of the two FINs, and with
 * HTTP's header in front if need be. Many short connections are pmtcp-load's work. It
 * exits 0 only if each connection was what was asked for and the books balance. */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "common/args.h"
#include "common/link.h"
#include "load/side.h"

#define BURST      32
#define CONNS_MAX  64
#define HEAD_MAX   256
#define SECOND_NS  1000000000ull
#define NS_PER_MS  1000000u
#define RESOLVE_NS (5 * SECOND_NS)
#define STAY_NS    (SECOND_NS / 20)

struct session {
	struct pmtcp_conn *conn; /* NULL: free */
	char head[HEAD_MAX];     /* sent in front of the pattern */
	size_t head_len, head_sent;
	size_t blank; /* octets matched of the blank line that ends the peer's head */
	uint64_t sent, got;
	uint64_t up_ns; /* when it was accepted or connected; 0: not yet */
	bool is_fin_sent, is_fin_received, is_bad, is_closed;
};

struct peer {
	struct pmtcp_addr connect;
	uint16_t listen;
	uint64_t send, expect;
	uint64_t count;
	uint64_t hold_ns; /* says nothing for so long after the handshake */
	uint64_t stay_ns; /* turns after the last end: who lost our last ACK repeats a FIN */
	bool replies;     /* begins to send at the peer's FIN */
	bool is_closer;   /* ends both directions at once when all is said */
	const char *ends; /* name of the reason each connection must end with */
	const char *http; /* path; NULL: no HTTP */
	struct pmtcp_conn_opts opts;
	struct session sessions[CONNS_MAX];
	uint64_t opened, fine, failed;
	uint64_t until_ns; /* for the next hop, then to stay */
	struct pmtcp_worker *worker;
};

static const char blank_line[] = "\r\n\r\n";

static struct peer peer;

static void
handle_signal(int sig)
{
	pmtcp_worker_stop(peer.worker);
}

/* ---- one connection ---------------------------------------------------------- */

static struct session *
session_new(struct peer *p, struct pmtcp_conn *conn)
{
	struct session *s = p->sessions;

	while (s < p->sessions + CONNS_MAX && s->conn != NULL)
		s++;
	if (s == p->sessions + CONNS_MAX)
		return NULL;
	*s = (struct session){.conn = conn};
	p->opened++;
	if (p->http != NULL && p->listen == 0)
		s->head_len = (size_t)snprintf(
				s->head, HEAD_MAX, "GET %s HTTP/1.0\r\n\r\n", p->http);
	if (p->http != NULL && p->listen != 0)
		s->head_len = (size_t)snprintf(s->head, HEAD_MAX,
				"HTTP/1.0 200 OK\r\nContent-Length: %" PRIu64
				"\r\nConnection: close\r\n\r\n",
				p->send);
	pmtcp_set_user(conn, s);
	return s;
}

/* Skips the peer's head. Returns how many octets of the data belong to it. */
static uint32_t
skip_head(const struct peer *p, struct session *s, const uint8_t *data, uint32_t len)
{
	uint32_t at = 0;

	if (p->http == NULL)
		return 0;
	for (; at < len && s->blank < strlen(blank_line); at++) {
		if (data[at] == (uint8_t)blank_line[s->blank])
			s->blank++;
		else
			s->blank = data[at] == '\r';
	}
	return at;
}

static void
session_read(const struct peer *p, struct session *s)
{
	struct rte_mbuf *pkts[BURST];
	int n;

	while ((n = pmtcp_recv(s->conn, pkts, BURST)) > 0) {
		uint32_t octets = 0;

		for (int i = 0; i < n; i++) {
			const uint8_t *data = rte_pktmbuf_mtod(pkts[i], const uint8_t *);
			uint32_t len = rte_pktmbuf_data_len(pkts[i]);
			uint32_t skip = skip_head(p, s, data, len);

			octets += len;
			len -= skip;
			s->is_bad |= memcmp(data + skip, pattern_at(s->got), len) != 0;
			s->got += len;
		}
		rte_pktmbuf_free_bulk(pkts, (unsigned int)n);
		pmtcp_recv_done(s->conn, octets);
	}
	if (n == 0)
		s->is_fin_received = true;
	s->is_bad |= s->got > p->expect || (n < 0 && n != -EAGAIN);
}

/* May the session send yet? */
static bool
is_turn_to_send(const struct peer *p, const struct session *s)
{
	if (pmtcp_now(pmtcp_conn_ctx(s->conn)) < s->up_ns + p->hold_ns)
		return false;
	if (p->http != NULL && p->listen != 0)
		return s->blank == strlen(blank_line);
	return !p->replies || s->is_fin_received;
}

static void
session_write(const struct peer *p, struct session *s)
{
	int n = 1;

	while (n > 0 && s->head_sent < s->head_len) {
		n = pmtcp_write(s->conn, s->head + s->head_sent,
				(uint32_t)(s->head_len - s->head_sent));
		s->head_sent += n > 0 ? (size_t)n : 0;
	}
	while (n > 0 && s->sent < p->send) {
		uint64_t left = p->send - s->sent;

		n = pmtcp_write(s->conn, pattern_at(s->sent),
				(uint32_t)(left < PATTERN_RUN ? left : PATTERN_RUN));
		s->sent += n > 0 ? (uint64_t)n : 0;
	}
	s->is_bad |= n < 0 && n != -EAGAIN && n != -ENOBUFS;
	/* An HTTP/1.0 client ends its direction after the server did. */
	if (n > 0 && !s->is_fin_sent && !p->is_closer &&
			(p->http == NULL || p->listen != 0 || s->is_fin_received)) {
		s->is_fin_sent = true;
		s->is_bad |= pmtcp_shutdown(s->conn) != 0;
	}
}

/* Nothing is left to do but to close. */
static bool
is_said(const struct peer *p, const struct session *s)
{
	if (p->is_closer)
		return s->sent == p->send && s->got == p->expect;
	return s->is_fin_sent && s->is_fin_received;
}

static void
session_step(const struct peer *p, struct session *s)
{
	if (s->is_closed)
		return;
	session_read(p, s);
	if (!s->is_bad && is_turn_to_send(p, s))
		session_write(p, s);
	if (s->is_bad) {
		s->is_closed = true;
		pmtcp_abort(s->conn);
	} else if (is_said(p, s)) {
		s->is_closed = true;
		pmtcp_close(s->conn);
	}
}

/* Whether the connection ended as was asked for; a peer's reset and timeouts may cut
 * something off. */
static bool
is_as_asked(const struct peer *p, const struct session *s, int32_t reason)
{
	if (s->is_bad || strcmp(pmtcp_reason_name((enum pmtcp_reason)reason), p->ends) != 0)
		return false;
	if (reason != PMTCP_GRACEFUL && reason != PMTCP_LOCAL_ABORT)
		return true;
	return s->got == p->expect && s->sent == p->send;
}

static void
session_end(struct peer *p, struct session *s, int32_t reason)
{
	bool is_fine = is_as_asked(p, s, reason);
	struct pmtcp_conn_info info;

	if (is_fine)
		p->fine++;
	else
		p->failed++;
	pmtcp_conn_info(s->conn, &info);
	printf("%s: %s after %" PRIu64 " ms, sent %" PRIu64 " got %" PRIu64 "%s\n",
			is_fine ? "fine" : "FAILED", pmtcp_reason_name((enum pmtcp_reason)reason),
			(pmtcp_now(pmtcp_conn_ctx(s->conn)) - s->up_ns) / NS_PER_MS, s->sent,
			s->got, s->is_bad ? " (wrong octets, or an error)" : "");
	printf("options: mss %u, scales %u %u, timestamps %d, sack %d\n", info.mss, info.snd_wscale,
			info.rcv_wscale, info.timestamps, info.sack);
	if (!s->is_closed)
		pmtcp_close(s->conn);
	s->conn = NULL;
}

/* ---- all of them ------------------------------------------------------------- */

static void
take_events(struct peer *p, struct pmtcp_ctx *ctx)
{
	struct pmtcp_event ev[BURST];
	uint16_t n = pmtcp_events(ctx, ev, BURST);

	for (uint16_t i = 0; i < n; i++) {
		struct session *s = ev[i].user;
		if (ev[i].flags & PMTCP_EV_ACCEPTED)
			s = session_new(p, ev[i].conn);
		if (s == NULL) {
			pmtcp_detach(ev[i].conn);
			p->failed++;
			continue;
		}
		if (ev[i].flags & (PMTCP_EV_ACCEPTED | PMTCP_EV_CONNECTED))
			s->up_ns = pmtcp_now(ctx);
		/* Nothing can be done any more with one that was cut off. */
		if (s->up_ns != 0 && (!(ev[i].flags & PMTCP_EV_CLOSED) ||
						     ev[i].reason == PMTCP_GRACEFUL))
			session_step(p, s);
		if (ev[i].flags & PMTCP_EV_CLOSED)
			session_end(p, s, ev[i].reason);
	}
}

/* One at a time, once the next hop is known. Returns false if it cannot be done. */
static bool
open_due(struct peer *p, struct pmtcp_ctx *ctx)
{
	uint64_t now_ns = pmtcp_now(ctx);
	struct pmtcp_conn *conn;
	int ret;

	if (p->listen != 0 || p->opened == p->count || p->opened > p->fine + p->failed)
		return true;
	if (p->until_ns == 0)
		p->until_ns = now_ns + RESOLVE_NS;
	ret = pmtcp_neigh_resolve(ctx, now_ns, &p->connect);
	if (ret != 1 && now_ns < p->until_ns)
		return true;
	if (ret == 1)
		ret = pmtcp_connect(ctx, NULL, &p->connect, &p->opts, &conn);
	if (ret == 0)
		(void)session_new(p, conn);
	else
		fprintf(stderr, "peer: cannot connect: %s\n", strerror(-ret));
	return ret == 0;
}

static void
turn(struct pmtcp_ctx *ctx, void *arg)
{
	struct peer *p = arg;

	take_events(p, ctx);
	/* No event ends the hold, or a lack of packet buffers. */
	for (struct session *s = p->sessions; s < p->sessions + CONNS_MAX; s++)
		if (s->conn != NULL && s->up_ns != 0 && !s->is_fin_sent)
			session_step(p, s);
	if (p->fine + p->failed < p->count) {
		if (!open_due(p, ctx))
			pmtcp_worker_stop(p->worker);
		p->until_ns = p->opened == 0 ? p->until_ns : 0;
		return;
	}
	if (p->until_ns == 0)
		p->until_ns = pmtcp_now(ctx) + p->stay_ns;
	if (pmtcp_now(ctx) >= p->until_ns)
		pmtcp_worker_stop(p->worker);
}

static int
report(const struct peer *p)
{
	bool is_good = books_print(pmtcp_worker_ctx(p->worker));

	printf("%" PRIu64 " of %" PRIu64 " connections fine, %" PRIu64 " failed\n", p->fine,
			p->count, p->failed);
	return is_good && p->fine == p->count && p->failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
run(struct peer *p, const struct link *link, const struct pmtcp_conf *conf,
		const struct pmtcp_worker_opts *opts)
{
	const struct pmtcp_listen_opts listen = {.conn = p->opts};
	struct pmtcp_addr local = {.port = p->listen}; /* of both versions */
	struct pmtcp_listener *listener;
	int ret = pmtcp_worker_create(link->ports[0], 0, conf, opts, &p->worker);

	if (ret == 0 && p->listen != 0)
		ret = pmtcp_listen(pmtcp_worker_ctx(p->worker), &local, &listen, &listener);
	if (ret != 0) {
		fprintf(stderr, "peer: cannot start: %s\n", strerror(-ret));
		pmtcp_worker_destroy(p->worker);
		return EXIT_FAILURE;
	}
	(void)signal(SIGINT, handle_signal);
	(void)signal(SIGTERM, handle_signal);
	printf("ready\n");
	fflush(stdout);
	pmtcp_worker_run(p->worker, turn, p);
	ret = report(p);
	pmtcp_worker_destroy(p->worker);
	return ret;
}

int
main(int argc, char **argv)
{
	struct link_conf link_conf = {.program = "peer"};
	struct pmtcp_worker_opts opts = {.idle = PMTCP_IDLE_SLEEP};
	struct args_capture pcap = {.packets = 0};
	struct args_subnets ip = {.n = 0};
	struct args_gateway gateway = {.ip4 = 0};
	uint64_t keepalive_ns = 0, user_timeout_ns = 0, linger_ns = UINT64_MAX;
	uint8_t cookies = PMTCP_COOKIES_AUTO;
	struct pmtcp_conf conf;
	struct link link;
	int ret;
	const struct arg table[] = {
			{"link", 0, ARG_TEXT, &link_conf.word, LINK_WORDS},
			{"ip", 0, ARG_SUBNETS, &ip, "own addresses and subnets"},
			{"gateway", 0, ARG_GATEWAY, &gateway, "next hop outside the subnet (none)"},
			{"mtu", 0, ARG_U16, &link_conf.mtu, "IP packet octets (the device's)"},
			{"ecn", 0, ARG_ECN, &conf.ecn, "off, accept, offer (accept)"},
			{"syn-cookies", 0, ARG_COOKIES, &cookies, "auto, always, off (auto)"},
			{"keepalive", 0, ARG_DURATION, &keepalive_ns, "silence before probes (0)"},
			{"user-timeout", 0, ARG_DURATION, &user_timeout_ns, "without progress (0)"},
			{"linger", 0, ARG_DURATION, &linger_ns,
					"when all is said, close both directions; RST after (no)"},
			{"ends", 0, ARG_TEXT, &peer.ends, "reason of the end (graceful)"},
			{"listen", 0, ARG_PORT, &peer.listen, "accept there ..."},
			{"connect", 0, ARG_ADDR, &peer.connect, "... or connect to it"},
			{"send", 0, ARG_SIZE, &peer.send, "octets of the pattern to send (0)"},
			{"expect", 0, ARG_SIZE, &peer.expect, "octets to receive (0)"},
			{"count", 0, ARG_COUNT, &peer.count, "connections, then the end (1)"},
			{"reply", 0, ARG_FLAG, &peer.replies, "send only after the peer's FIN"},
			{"hold", 0, ARG_DURATION, &peer.hold_ns, "silence after the handshake (0)"},
			{"stay", 0, ARG_DURATION, &peer.stay_ns, "after the last end (50ms)"},
			{"http", 0, ARG_TEXT, &peer.http, "a path: HTTP's head in front (no)"},
			{"pcap", 0, ARG_CAPTURE, &pcap, "capture both directions (no)"},
			{"verbose", 'v', ARG_FLAG, &link_conf.verbose, "show what EAL says"},
	};

	pmtcp_conf_init(&conf);
	peer.count = 1;
	peer.stay_ns = STAY_NS;
	peer.ends = pmtcp_reason_name(PMTCP_GRACEFUL);
	args_parse(&(struct args){"peer", "our end of interop tests", table, 21}, argc, argv);
	args_conf(&ip, &gateway, &conf);
	conf.syn_cookies = (enum pmtcp_syn_cookies)cookies;
	peer.opts.keepalive_ms = (uint32_t)(keepalive_ns / NS_PER_MS);
	peer.opts.keepalive_intvl_ms = peer.opts.keepalive_ms;
	peer.opts.user_timeout_ms = (uint32_t)(user_timeout_ns / NS_PER_MS);
	peer.is_closer = linger_ns != UINT64_MAX;
	if (peer.is_closer)
		peer.opts.linger_ms = linger_ns == 0 ? PMTCP_LINGER_ABORT
						     : (uint32_t)(linger_ns / NS_PER_MS);
	opts.pcap = pcap.file[0] == '\0' ? NULL : pcap.file;
	opts.pcap_packets = pcap.packets;
	pattern_init();
	if (link_open(&link_conf, &link) != 0)
		return LINK_EXIT_CODE;
	conf.vlan = link.vlan;
	opts.faults = link.faults;
	ret = link_check(&link, &conf) == 0 ? run(&peer, &link, &conf, &opts) : LINK_EXIT_CODE;
	link_close(&link);
	return ret;
}
