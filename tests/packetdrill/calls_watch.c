/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Calls that ask what a socket is like and what it can do now: fcntl, ioctl, poll. */

#include "packetdrill/plug.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <sys/ioctl.h>

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
	if (request == SIOCATMARK) {
		*value = urgent_is_at_mark(s);
		return 0;
	}
	if (s->conn)
		pmtcp_conn_info(s->conn, &info);
	switch (request) {
	case SIOCINQ:
		*value = (int)urgent_readable(s, sock_unread(s));
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
	if (s->conn && urgent_is_there(s))
		got |= POLLPRI;
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
