/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Calls that open, close and watch. */

#include "packetdrill/plug.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "base/check.h"

int
plug_socket(void *userdata, int domain, int type, int protocol)
{
	struct plug *p = userdata;
	struct sock *s;
	int fd = -1;

	if (domain != AF_INET && domain != AF_INET6)
		return plug_fail(EAFNOSUPPORT);
	if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
		return plug_fail(EPROTONOSUPPORT);
	plug_enter(p);
	s = sock_new(p, domain);
	if (s) {
		s->is_nonblock = (type & SOCK_NONBLOCK) != 0;
		fd = s->fd;
	}
	plug_leave(p);
	return fd;
}

static int
do_bind(struct plug *p, struct sock *s, const struct sockaddr *sa, socklen_t len)
{
	struct pmtcp_addr addr;

	if (!s)
		return -1;
	if (s->local.port != 0 || s->conn || s->listener)
		return plug_fail(EINVAL);
	if (sock_addr_get(sa, len, &addr) != 0)
		return -1;
	plug_start(p, &addr);
	s->local = addr;
	return 0;
}

int
plug_bind(void *userdata, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct plug *p = userdata;
	int ret;

	plug_enter(p);
	ret = do_bind(p, sock_of(p, fd), sa, len);
	plug_leave(p);
	return ret;
}

static int
start_listening(struct plug *p, struct sock *s)
{
	struct pmtcp_listen_opts opts = {.conn = s->opts};
	int err = pmtcp_listen(p->ctx, &s->local, &opts, &s->listener);

	return err ? plug_fail(-err) : 0;
}

/* A listener of the context has its options from the start; one of the scripts may get
 * them later. Not while somebody is half-way in: he would be reset. */
void
plug_listen_anew(struct plug *p, struct sock *s)
{
	struct pmtcp_stats stats;

	if (!s->listener)
		return;
	pmtcp_stats(p->ctx, &stats);
	if (stats.state[PMTCP_SYN_RCVD] > 0)
		return;
	pmtcp_unlisten(s->listener);
	s->listener = NULL;
	CHECK(start_listening(p, s) == 0);
}

static int
do_listen(struct plug *p, struct sock *s)
{
	if (!s)
		return -1;
	if (s->listener)
		return 0;
	if (s->conn || s->local.port == 0)
		return plug_fail(EINVAL);
	plug_start(p, &s->local);
	return start_listening(p, s);
}

int
plug_listen(void *userdata, int fd, int backlog)
{
	struct plug *p = userdata;
	int ret;

	(void)backlog;
	plug_enter(p);
	ret = do_listen(p, sock_of(p, fd));
	plug_leave(p);
	return ret;
}

static bool
may_accept(const struct wait *w)
{
	return !w->sock->listener || sock_pending(w->plug, w->sock) != NULL;
}

static int
do_accept(struct plug *p, struct sock *s, struct sockaddr *sa, socklen_t *len)
{
	struct wait w = {.is_ready = may_accept, .sock = s, .plug = p, .deadline_us = UINT64_MAX};
	struct pmtcp_conn_info info;
	struct sock *child;

	if (!s)
		return -1;
	if (!s->listener)
		return plug_fail(EINVAL);
	if (!sock_pending(p, s) && (s->is_nonblock || !plug_wait(p, &w)))
		return plug_fail(EAGAIN);
	if (!s->listener)
		return plug_fail(EINVAL);
	child = sock_pending(p, s);
	if (sock_give_fd(p, child) < 0)
		return plug_fail(EMFILE);
	child->parent = NULL;
	pmtcp_conn_info(child->conn, &info);
	sock_addr_put(child, &info.remote, sa, len);
	return child->fd;
}

int
plug_accept(void *userdata, int fd, struct sockaddr *sa, socklen_t *len)
{
	struct plug *p = userdata;
	int ret;

	plug_enter(p);
	ret = do_accept(p, sock_of(p, fd), sa, len);
	plug_turn(p);
	plug_leave(p);
	return ret;
}

/* ---- connect ------------------------------------------------------------------------ */

static bool
has_connected(const struct wait *w)
{
	return !w->sock->is_connecting;
}

static int
start_connect(struct plug *p, struct sock *s, const struct sockaddr *sa, socklen_t len)
{
	struct pmtcp_addr remote;
	int err;

	if (sock_addr_get(sa, len, &remote) != 0)
		return -1;
	plug_start(p, &s->local);
	err = pmtcp_connect(
			p->ctx, s->local.version ? &s->local : NULL, &remote, &s->opts, &s->conn);
	if (err)
		return plug_fail(err == -EISCONN || err == -EBUSY ? EADDRNOTAVAIL : -err);
	s->is_connecting = true;
	plug_turn(p);
	return 0;
}

static int
connect_result(struct sock *s)
{
	int err = sock_take_err(s);

	if (err)
		return plug_fail(err);
	return s->is_connected ? 0 : plug_fail(ECONNABORTED);
}

static int
do_connect(struct plug *p, struct sock *s, const struct sockaddr *sa, socklen_t len)
{
	struct wait w = {
			.is_ready = has_connected, .sock = s, .plug = p, .deadline_us = UINT64_MAX};

	if (!s)
		return -1;
	if (s->listener)
		return plug_fail(EOPNOTSUPP);
	if (s->is_connected)
		return plug_fail(EISCONN);
	if (s->conn && !s->is_connecting)
		return connect_result(s);
	if (s->conn && s->is_nonblock)
		return plug_fail(EALREADY);
	if (!s->conn && start_connect(p, s, sa, len) != 0)
		return -1;
	if (s->is_nonblock)
		return plug_fail(EINPROGRESS);
	if (!plug_wait(p, &w))
		return plug_fail(ETIMEDOUT);
	return connect_result(s);
}

int
plug_connect(void *userdata, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct plug *p = userdata;
	int ret;

	plug_enter(p);
	ret = do_connect(p, sock_of(p, fd), sa, len);
	plug_leave(p);
	return ret;
}

/* ---- close, shutdown ------------------------------------------------------------------ */

/* Nothing is in flight any more, or the linger time is over. */
static bool
has_lingered(const struct wait *w)
{
	enum pmtcp_state state = sock_state(w->sock);

	return state != PMTCP_FIN_WAIT_1 && state != PMTCP_CLOSING && state != PMTCP_LAST_ACK;
}

/* Only on the second thread: without an end time in the script, close() returns at once. */
static void
linger(struct plug *p, struct sock *s)
{
	struct wait w = {.is_ready = has_lingered, .sock = s, .plug = p, .deadline_us = UINT64_MAX};

	if (!s->conn || s->has_ended || s->n_peeked > 0 || !s->linger.l_onoff ||
			s->linger.l_linger == 0 || plug_is_main(p))
		return;
	pmtcp_close(s->conn);
	plug_turn(p);
	(void)plug_wait(p, &w);
}

int
plug_close(void *userdata, int fd)
{
	struct plug *p = userdata;
	struct sock *s;

	plug_enter(p);
	s = sock_of(p, fd);
	if (s) {
		linger(p, s);
		sock_drop(p, s);
		plug_turn(p);
	}
	plug_leave(p);
	return s ? 0 : -1;
}

static int
do_shutdown(struct plug *p, struct sock *s, int how)
{
	if (!s)
		return -1;
	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return plug_fail(EINVAL);
	if (!s->conn || s->has_ended)
		return plug_fail(ENOTCONN);
	/* Receiving goes on: what comes is acknowledged and never read. */
	if (how != SHUT_WR)
		s->is_rd_shut = true;
	if (how == SHUT_RD)
		return 0;
	if (s->is_wr_shut)
		return 0;
	if (pmtcp_shutdown(s->conn) != 0)
		return plug_fail(ENOTCONN);
	s->is_wr_shut = true;
	plug_turn(p);
	return 0;
}

int
plug_shutdown(void *userdata, int fd, int how)
{
	struct plug *p = userdata;
	int ret;

	plug_enter(p);
	ret = do_shutdown(p, sock_of(p, fd), how);
	plug_leave(p);
	return ret;
}

/* ---- fcntl, ioctl, poll ------------------------------------------------------------------ */

int
plug_fcntl(void *userdata, int fd, int cmd, ...)
{
	struct plug *p = userdata;
	struct sock *s;
	va_list args;
	int flags, ret = 0;

	va_start(args, cmd);
	flags = va_arg(args, int);
	va_end(args);
	plug_enter(p);
	s = sock_of(p, fd);
	if (!s)
		ret = -1;
	else if (cmd == F_GETFL)
		ret = O_RDWR | (s->is_nonblock ? O_NONBLOCK : 0);
	else if (cmd == F_SETFL)
		s->is_nonblock = (flags & O_NONBLOCK) != 0;
	else
		ret = plug_fail(EINVAL);
	plug_leave(p);
	return ret;
}

static int
do_ioctl(const struct sock *s, unsigned long request, int *value)
{
	struct pmtcp_conn_info info = {0};

	if (!s)
		return -1;
	if (s->listener || !value)
		return plug_fail(EINVAL);
	if (s->conn)
		pmtcp_conn_info(s->conn, &info);
	switch (request) {
	case SIOCINQ:
		*value = (int)sock_unread(s);
		return 0;
	case SIOCOUTQ:
		*value = (int)(info.unsent + info.unacked);
		return 0;
	case SIOCOUTQNSD:
		*value = (int)info.unsent;
		return 0;
	default:
		return plug_fail(ENOTTY);
	}
}

int
plug_ioctl(void *userdata, int fd, unsigned long request, ...)
{
	struct plug *p = userdata;
	va_list args;
	int *value;
	int ret;

	va_start(args, request);
	value = va_arg(args, int *);
	va_end(args);
	plug_enter(p);
	ret = do_ioctl(sock_of(p, fd), request, value);
	plug_leave(p);
	return ret;
}

static short
revents(struct plug *p, const struct sock *s)
{
	bool has_no_conn = !s->conn && !s->listener;
	short got = 0;

	if (s->listener)
		return sock_pending(p, s) ? POLLIN | POLLRDNORM : 0;
	if (has_no_conn || s->has_ended || (s->has_fin && s->is_wr_shut))
		got |= POLLHUP;
	if (s->err)
		got |= POLLERR;
	if (s->has_fin || s->has_ended || s->is_rd_shut)
		got |= POLLRDHUP;
	if (!has_no_conn && sock_is_readable(s))
		got |= POLLIN | POLLRDNORM;
	if (has_no_conn || sock_is_writable(s))
		got |= POLLOUT | POLLWRNORM;
	return got;
}

static int
look(struct plug *p, struct pollfd *fds, nfds_t n)
{
	int ready = 0;

	for (nfds_t i = 0; i < n; i++) {
		const struct sock *s = sock_of(p, fds[i].fd);

		fds[i].revents = 0;
		if (fds[i].fd < 0)
			continue;
		if (s)
			fds[i].revents = (short)(revents(p, s) &
						 (fds[i].events | POLLERR | POLLHUP));
		else
			fds[i].revents = POLLNVAL;
		ready += fds[i].revents != 0;
	}
	return ready;
}

static bool
is_any_ready(const struct wait *w)
{
	return look(w->plug, w->fds, w->n_fds) > 0;
}

int
plug_poll(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct plug *p = userdata;
	struct wait w = {.is_ready = is_any_ready, .plug = p, .fds = fds, .n_fds = n};
	int ready;

	plug_enter(p);
	w.deadline_us = timeout_ms < 0 ? UINT64_MAX : p->now_us + (uint64_t)timeout_ms * 1000;
	if (timeout_ms != 0)
		(void)plug_wait(p, &w);
	ready = look(p, fds, n);
	plug_leave(p);
	return ready;
}
