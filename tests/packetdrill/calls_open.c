/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Calls that open and close. */

#include "packetdrill/plug.h"

#include <errno.h>

#include "base/check.h"

enum { EPHEMERAL = 49152, EPHEMERAL_RANGE = 16384 };

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

/* As Linux has it, SO_REUSEADDR or not. */
static bool
has_listener(const struct plug *p, const struct pmtcp_addr *addr)
{
	for (uint32_t i = 0; i < PLUG_SOCKS_MAX; i++) {
		const struct sock *s = &p->socks[i];

		if (s->is_used && s->listener && s->local.port == addr->port &&
				s->local.version == addr->version)
			return true;
	}
	return false;
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
	if (!plug_is_own(p, &addr))
		return plug_fail(EADDRNOTAVAIL);
	if (has_listener(p, &addr))
		return plug_fail(EADDRINUSE);
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
	if (s->conn)
		return plug_fail(EINVAL);
	plug_start(p, &s->local);
	if (s->local.port == 0) {
		s->local.version = s->domain == AF_INET6 ? 6 : 4;
		s->local.port = (uint16_t)(EPHEMERAL + s->order % EPHEMERAL_RANGE);
	}
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

/* After a failure is told the next connect() begins anew. */
static int
connect_result(struct sock *s)
{
	int err = sock_take_err(s);

	if (s->is_connected && !err)
		return 0;
	if (!s->is_connected)
		sock_forget_conn(s);
	return plug_fail(err ? err : ECONNABORTED);
}

static int
do_connect(struct plug *p, struct sock *s, const struct sockaddr *sa, socklen_t len)
{
	struct wait w = {
			.is_ready = has_connected, .sock = s, .plug = p, .deadline_us = UINT64_MAX};

	if (!s)
		return -1;
	if (s->listener)
		return plug_fail(p->profile.is_freebsd ? EOPNOTSUPP : EISCONN);
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
	/* Linux takes it back to where it was before. */
	if (s->listener && !p->profile.is_freebsd) {
		if (how != SHUT_WR)
			sock_unlisten(p, s);
		return 0;
	}
	if (s->is_connecting) {
		pmtcp_abort(s->conn);
		sock_forget_conn(s);
		plug_turn(p);
		return 0;
	}
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
