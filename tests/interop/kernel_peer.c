/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The Linux kernel's end of the interop tests: many short connections over plain sockets,
 * as client or as server, with the payload pattern of pmtcp-load. Each connection reads to
 * the peer's FIN, so that a reset anywhere is an error here; one thread, epoll. It also
 * writes the pattern to a file. Not a measuring tool: pmtcp-load is. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "common/args.h"
#include "load/side.h"

#define EVENTS    256
#define BACKLOG   4096
#define CHUNK     65536u
#define SECOND_NS 1000000000u
#define NS_PER_MS 1000000u

struct conn {
	int fd;
	bool is_shut;         /* our FIN is out */
	bool is_fin_received; /* and the peer's is in */
	uint64_t sent;
	uint64_t got;
};

struct peer {
	struct pmtcp_addr listen;
	struct pmtcp_addr connect;
	uint64_t send;        /* octets a connection sends ... */
	uint64_t expect;      /* ... and must receive */
	uint64_t count;       /* connections, then the end */
	uint64_t concurrency; /* of a client */
	bool closes_first;
	bool resets;       /* the client ends connections by RST */
	bool is_reset;     /* the peer does */
	uint64_t delay_ns; /* between the peer's FIN and ours */
	uint64_t keepalive_ns;
	uint64_t user_timeout_ns;
	int epoll_fd, listen_fd;
	uint64_t opened, closed, failed, live;
	int first_errno; /* of the first that failed */
};

static volatile sig_atomic_t must_stop;

static void
handle_signal(int sig)
{
	must_stop = 1;
}

/* Fills in the address and returns its length. */
static socklen_t
socket_address(const struct pmtcp_addr *addr, struct sockaddr_storage *out)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
			.sin_port = htons(addr->port),
			.sin_addr.s_addr = htonl(addr->ip4)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};

	if (addr->version == 6) {
		memcpy(in6.sin6_addr.s6_addr, addr->ip6, sizeof(addr->ip6));
		memcpy(out, &in6, sizeof(in6));
		return sizeof(in6);
	}
	memcpy(out, &in, sizeof(in));
	return sizeof(in);
}

/* ---- one connection ---------------------------------------------------------- */

static void
conn_end(struct peer *p, struct conn *c, int err)
{
	struct timespec delay = {.tv_sec = (time_t)(p->delay_ns / SECOND_NS),
			.tv_nsec = (long)(p->delay_ns % SECOND_NS)};

	if (err == 0) {
		if (p->delay_ns != 0) /* even no time at all would give the CPU away */
			(void)nanosleep(&delay, NULL);
		p->closed++;
	} else {
		if (p->failed++ == 0)
			p->first_errno = err;
	}
	p->live--;
	(void)close(c->fd);
	free(c);
}

/* Reads what there is, at most to the peer's FIN. Returns 0 or a negative errno. */
static int
conn_read(const struct peer *p, struct conn *c)
{
	static uint8_t data[CHUNK];
	ssize_t n;

	while ((n = read(c->fd, data, sizeof(data))) > 0) {
		for (ssize_t at = 0; at < n; at += PATTERN_RUN) {
			size_t len = (size_t)(n - at) < PATTERN_RUN ? (size_t)(n - at)
								    : PATTERN_RUN;

			if (memcmp(data + at, pattern_at(c->got + (uint64_t)at), len) != 0)
				return -EBADMSG;
		}
		c->got += (uint64_t)n;
		if (c->got > p->expect)
			return -EMSGSIZE;
	}
	c->is_fin_received = n == 0;
	return n == 0 || errno == EAGAIN ? 0 : -errno;
}

/* A client speaks first; a server answers what it received in full. */
static int
conn_write(const struct peer *p, struct conn *c)
{
	if (p->listen.port != 0 && c->got < p->expect)
		return 0;
	while (c->sent < p->send) {
		uint64_t left = p->send - c->sent;
		ssize_t n = send(c->fd, pattern_at(c->sent),
				left < PATTERN_RUN ? left : PATTERN_RUN, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		c->sent += (uint64_t)n;
	}
	if (p->closes_first && c->got == p->expect && !c->is_shut) {
		c->is_shut = true;
		return shutdown(c->fd, SHUT_WR) == 0 ? 0 : -errno;
	}
	return 0;
}

/* Whether a reset ends it now, as was asked for: a client's own after all was said, or the
 * peer's. */
static bool
is_reset_due(const struct peer *p, const struct conn *c, int err)
{
	struct linger linger = {.l_onoff = 1};

	if ((!p->resets && !p->is_reset) || c->got != p->expect || c->sent != p->send)
		return false;
	if (p->is_reset || p->connect.port == 0)
		return err == -ECONNRESET;
	return setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0;
}

static void
conn_step(struct peer *p, struct conn *c)
{
	int err = c->is_fin_received ? 0 : conn_read(p, c);

	if (err == 0)
		err = conn_write(p, c);
	if (is_reset_due(p, c, err)) {
		conn_end(p, c, 0);
		return;
	}
	if (err != 0)
		conn_end(p, c, -err);
	else if (c->is_fin_received && c->got < p->expect)
		conn_end(p, c, ENODATA);
	else if (c->is_fin_received && c->sent == p->send)
		conn_end(p, c, 0);
}

/* Silence in whole seconds, then probes a second apart, as many as the system wants. */
static int
set_timeouts(const struct peer *p, int fd)
{
	int on = 1;
	int idle_s = (int)(p->keepalive_ns / SECOND_NS);
	unsigned int user_ms = (unsigned int)(p->user_timeout_ns / NS_PER_MS);

	if (p->user_timeout_ns != 0 && setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms,
						       sizeof(user_ms)) != 0)
		return -errno;
	if (p->keepalive_ns == 0)
		return 0;
	if (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s)) != 0 ||
			setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &on, sizeof(on)) != 0 ||
			setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) != 0)
		return -errno;
	return 0;
}

static int
conn_add(struct peer *p, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
	struct conn *c = calloc(1, sizeof(*c));
	int one = 1;

	if (c == NULL)
		return -ENOMEM;
	c->fd = fd;
	ev.data.ptr = c;
	p->opened++;
	p->live++;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return -errno;
	return set_timeouts(p, fd);
}

/* ---- many connections -------------------------------------------------------- */

static int
open_due(struct peer *p)
{
	struct sockaddr_storage to;
	socklen_t len = socket_address(&p->connect, &to);

	while (p->connect.port != 0 && p->opened < p->count && p->live < p->concurrency) {
		int fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

		if (fd < 0)
			return -errno;
		if (connect(fd, (struct sockaddr *)&to, len) != 0 && errno != EINPROGRESS)
			return -errno;
		if (conn_add(p, fd) != 0)
			return -errno;
	}
	return 0;
}

static int
accept_all(struct peer *p)
{
	int fd;

	while ((fd = accept4(p->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		if (conn_add(p, fd) != 0)
			return -errno;
	return errno == EAGAIN || errno == ECONNABORTED ? 0 : -errno;
}

static int
start_listening(struct peer *p)
{
	struct sockaddr_storage at;
	socklen_t len = socket_address(&p->listen, &at);
	struct epoll_event ev = {.events = EPOLLIN};
	int one = 1;

	p->listen_fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->listen_fd < 0)
		return -errno;
	(void)setsockopt(p->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(p->listen_fd, (struct sockaddr *)&at, len) != 0 ||
			listen(p->listen_fd, BACKLOG) != 0 ||
			epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->listen_fd, &ev) != 0)
		return -errno;
	printf("listening\n");
	fflush(stdout);
	return 0;
}

static int
run(struct peer *p)
{
	struct epoll_event ev[EVENTS];
	int ret = 0;

	while (ret == 0 && !must_stop && p->closed + p->failed < p->count) {
		int n;

		ret = open_due(p);
		n = epoll_wait(p->epoll_fd, ev, EVENTS, 1000);
		for (int i = 0; i < n && ret == 0; i++) {
			if (ev[i].data.ptr == NULL)
				ret = accept_all(p);
			else
				conn_step(p, ev[i].data.ptr);
		}
	}
	return ret;
}

static double
seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int
report(const struct peer *p, int ret, double elapsed)
{
	if (ret != 0)
		printf("kernel_peer: %s\n", strerror(-ret));
	printf("kernel_peer: opened %" PRIu64 " closed %" PRIu64 " failed %" PRIu64 " (%s), "
	       "%.0f closed/s\n",
			p->opened, p->closed, p->failed,
			p->first_errno == 0 ? "none" : strerror(p->first_errno),
			elapsed > 0 ? (double)p->closed / elapsed : 0.0);
	return ret == 0 && p->failed == 0 && p->closed == p->count ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
write_pattern(uint64_t octets)
{
	for (uint64_t at = 0; at < octets; at += PATTERN_RUN) {
		size_t len = octets - at < PATTERN_RUN ? octets - at : PATTERN_RUN;

		if (fwrite(pattern_at(at), 1, len, stdout) != len)
			return EXIT_FAILURE;
	}
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct peer p = {.count = 1, .concurrency = 64};
	uint64_t pattern = 0;
	double start;
	int ret = 0;
	const struct arg table[] = {
			{"listen", 0, ARG_ADDR, &p.listen, "be a server there"},
			{"connect", 0, ARG_ADDR, &p.connect, "be a client of it"},
			{"send", 0, ARG_SIZE, &p.send, "octets to send (0)"},
			{"expect", 0, ARG_SIZE, &p.expect, "octets to receive (0)"},
			{"count", 0, ARG_COUNT, &p.count, "connections, then the end (1)"},
			{"concurrency", 0, ARG_COUNT, &p.concurrency, "open at once (64)"},
			{"close-first", 0, ARG_FLAG, &p.closes_first, "send the first FIN"},
			{"reset", 0, ARG_FLAG, &p.resets, "the client ends it by RST"},
			{"is-reset", 0, ARG_FLAG, &p.is_reset, "the peer ends it by RST"},
			{"close-delay", 0, ARG_DURATION, &p.delay_ns,
					"wait before the last FIN (0)"},
			{"keepalive", 0, ARG_DURATION, &p.keepalive_ns,
					"silence before probes (0)"},
			{"user-timeout", 0, ARG_DURATION, &p.user_timeout_ns,
					"without progress (0)"},
			{"pattern", 0, ARG_SIZE, &pattern, "only write so much of the pattern"},
	};

	args_parse(&(struct args){"kernel_peer", "the kernel's end of interop tests", table, 13},
			argc, argv);
	pattern_init();
	if (pattern != 0)
		return write_pattern(pattern);
	(void)signal(SIGTERM, handle_signal);
	(void)signal(SIGINT, handle_signal);
	p.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p.epoll_fd < 0)
		return EXIT_FAILURE;
	if (p.listen.port != 0)
		ret = start_listening(&p);
	start = seconds();
	if (ret == 0)
		ret = run(&p);
	return report(&p, ret, seconds() - start);
}
