/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Calls that read and write. */

#include "packetdrill/plug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { IO_MAX = 16 << 20, PULL_MAX = 32 };

/* ---- receiving ------------------------------------------------------------------ */

static void
keep(struct sock *s, const void *bytes, uint32_t len)
{
	uint8_t *more = realloc(s->peeked, (size_t)s->n_peeked + len);

	CHECK(more);
	memcpy(more + s->n_peeked, bytes, len);
	s->peeked = more;
	s->n_peeked += len;
}

void
sock_pull(struct sock *s)
{
	struct rte_mbuf *pkts[PULL_MAX];
	int n;

	while ((n = pmtcp_recv(s->conn, pkts, PULL_MAX)) > 0)
		for (int i = 0; i < n; i++) {
			keep(s, rte_pktmbuf_mtod(pkts[i], const void *), pkts[i]->data_len);
			rte_pktmbuf_free(pkts[i]);
		}
}

static uint32_t
peek(struct sock *s, uint8_t *buf, uint32_t len)
{
	uint32_t skip = urgent_hole(s);
	uint32_t n;

	sock_pull(s);
	n = s->n_peeked - skip;
	n = len < n ? len : n;
	if (n > 0)
		memcpy(buf, s->peeked + skip, n);
	return n;
}

static uint32_t
take(struct sock *s, uint8_t *buf, uint32_t len)
{
	uint32_t n = len < s->n_peeked ? len : s->n_peeked;
	int got = 0;

	if (n > 0) {
		memcpy(buf, s->peeked, n);
		memmove(s->peeked, s->peeked + n, s->n_peeked - n);
		s->n_peeked -= n;
		pmtcp_recv_done(s->conn, n);
	}
	if (n < len)
		got = pmtcp_read(s->conn, buf + n, len - n);
	n += got > 0 ? (uint32_t)got : 0;
	s->n_read += n;
	urgent_was_read(s);
	return n;
}

static bool
may_read(const struct wait *w)
{
	return !w->sock->conn || sock_is_readable(w->sock);
}

/* Nothing is unread: an error, the end, EAGAIN, or 1 when more may have come. */
static int
recv_nothing(struct plug *p, struct sock *s, int flags)
{
	struct wait w = {.is_ready = may_read, .sock = s, .plug = p, .deadline_us = UINT64_MAX};

	if (s->err)
		return plug_fail(sock_take_err(s));
	if (s->has_fin || s->has_ended || s->is_rd_shut)
		return 0;
	if (s->is_nonblock || (flags & MSG_DONTWAIT) || !plug_wait(p, &w))
		return plug_fail(EAGAIN);
	return s->conn ? 1 : plug_fail(EBADF);
}

/* As many octets as are there, but not past the urgent mark. */
static uint32_t
recv_piece(struct sock *s, uint8_t *buf, size_t len, int flags)
{
	uint8_t octet;

	if (flags & MSG_PEEK)
		return peek(s, buf, urgent_limit(s, (uint32_t)len));
	if (urgent_hole(s))
		(void)take(s, &octet, 1);
	return take(s, buf, urgent_limit(s, (uint32_t)len));
}

static ssize_t
recv_some(struct plug *p, struct sock *s, uint8_t *buf, size_t len, int flags)
{
	bool wants_all = (flags & (MSG_WAITALL | MSG_PEEK)) == MSG_WAITALL;
	size_t got = 0;
	int ret;

	do {
		got += recv_piece(s, buf + got, len - got, flags);
		plug_turn(p);
		if (got == len || (got > 0 && (!wants_all || urgent_is_at_mark(s) || s->err)))
			return (ssize_t)got;
		ret = recv_nothing(p, s, flags);
	} while (ret > 0);
	return got > 0 ? (ssize_t)got : ret;
}

static ssize_t
do_recv(struct plug *p, int fd, void *buf, size_t len, int flags)
{
	struct sock *s = sock_of(p, fd);

	if (!s)
		return -1;
	if (flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL | MSG_OOB))
		return plug_fail(EOPNOTSUPP);
	if (flags & MSG_OOB)
		return len > 0 ? urgent_take(s, buf, (flags & MSG_PEEK) != 0) : 0;
	if (!s->conn)
		return plug_fail(ENOTCONN);
	if (len == 0)
		return 0;
	return recv_some(p, s, buf, len < IO_MAX ? len : IO_MAX, flags);
}

ssize_t
plug_recv(void *userdata, int fd, void *buf, size_t len, int flags)
{
	struct plug *p = userdata;
	ssize_t ret;

	plug_enter(p);
	ret = do_recv(p, fd, buf, len, flags);
	plug_leave(p);
	return ret;
}

ssize_t
plug_read(void *userdata, int fd, void *buf, size_t len)
{
	return plug_recv(userdata, fd, buf, len, 0);
}

ssize_t
plug_recvfrom(void *userdata, int fd, void *buf, size_t len, int flags, struct sockaddr *from,
		socklen_t *from_len)
{
	/* Of a connected socket there is no address to tell. */
	if (from_len)
		*from_len = 0;
	return plug_recv(userdata, fd, buf, len, flags);
}

static size_t
iov_len(const struct iovec *iov, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += iov[i].iov_len;
	return len < IO_MAX ? len : IO_MAX;
}

/* Octets go from one buffer into many, or the other way. */
static void
iov_copy(const struct iovec *iov, size_t n_iov, uint8_t *flat, size_t len, bool is_out)
{
	size_t at = 0;

	for (size_t i = 0; i < n_iov && at < len; i++) {
		size_t n = iov[i].iov_len < len - at ? iov[i].iov_len : len - at;

		if (n == 0)
			continue;
		if (is_out)
			memcpy(iov[i].iov_base, flat + at, n);
		else
			memcpy(flat + at, iov[i].iov_base, n);
		at += n;
	}
}

static ssize_t
recv_iov(void *userdata, int fd, const struct iovec *iov, size_t n, int flags)
{
	size_t len = iov_len(iov, n);
	uint8_t *flat = malloc(len + 1);
	ssize_t ret;

	CHECK(flat);
	ret = plug_recv(userdata, fd, flat, len, flags);
	if (ret > 0)
		iov_copy(iov, n, flat, (size_t)ret, true);
	free(flat);
	return ret;
}

ssize_t
plug_readv(void *userdata, int fd, const struct iovec *iov, int n)
{
	return n < 0 ? plug_fail(EINVAL) : recv_iov(userdata, fd, iov, (size_t)n, 0);
}

ssize_t
plug_recvmsg(void *userdata, int fd, struct msghdr *msg, int flags)
{
	msg->msg_namelen = 0;
	msg->msg_controllen = 0;
	msg->msg_flags = 0;
	return recv_iov(userdata, fd, msg->msg_iov, msg->msg_iovlen, flags);
}

/* ---- sending ---------------------------------------------------------------------- */

static bool
may_write(const struct wait *w)
{
	return !w->sock->conn || sock_is_writable(w->sock);
}

/* 0: text may be queued if there is room. */
static int
send_check(const struct plug *p, struct sock *s)
{
	if (!s->conn)
		return plug_fail(p->profile.is_freebsd ? ENOTCONN : EPIPE);
	if (s->err)
		return plug_fail(sock_take_err(s));
	if (s->is_wr_shut || s->has_ended)
		return plug_fail(EPIPE);
	return 0;
}

static ssize_t
send_some(struct plug *p, struct sock *s, const uint8_t *buf, size_t len, int flags)
{
	struct wait w = {.is_ready = may_write, .sock = s, .plug = p, .deadline_us = UINT64_MAX};
	bool may_wait = !s->is_nonblock && !(flags & MSG_DONTWAIT);
	size_t done = 0;

	for (;;) {
		int n = -EAGAIN;

		if (send_check(p, s) != 0)
			return done > 0 ? (ssize_t)done : -1;
		if (!s->is_connecting)
			n = pmtcp_write(s->conn, buf + done, (uint32_t)(len - done));
		if (n < 0 && n != -EAGAIN)
			return done > 0 ? (ssize_t)done : plug_fail(-n);
		done += n > 0 ? (size_t)n : 0;
		if (n > 0 && (flags & MSG_OOB))
			(void)pmtcp_urgent(s->conn);
		plug_turn(p);
		if (done == len)
			return (ssize_t)done;
		if (!may_wait || !plug_wait(p, &w))
			return done > 0 ? (ssize_t)done : plug_fail(EAGAIN);
	}
}

static ssize_t
do_send(struct plug *p, int fd, const void *buf, size_t len, int flags)
{
	struct sock *s = sock_of(p, fd);

	if (!s)
		return -1;
	if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_EOR | MSG_OOB))
		return plug_fail(EOPNOTSUPP);
	if (send_check(p, s) != 0)
		return -1;
	if (len == 0)
		return 0;
	return send_some(p, s, buf, len < IO_MAX ? len : IO_MAX, flags);
}

ssize_t
plug_send(void *userdata, int fd, const void *buf, size_t len, int flags)
{
	struct plug *p = userdata;
	ssize_t ret;

	plug_enter(p);
	ret = do_send(p, fd, buf, len, flags);
	plug_leave(p);
	return ret;
}

ssize_t
plug_write(void *userdata, int fd, const void *buf, size_t len)
{
	return plug_send(userdata, fd, buf, len, 0);
}

ssize_t
plug_sendto(void *userdata, int fd, const void *buf, size_t len, int flags,
		const struct sockaddr *to, socklen_t to_len)
{
	return plug_send(userdata, fd, buf, len, flags);
}

static ssize_t
send_iov(void *userdata, int fd, const struct iovec *iov, size_t n, int flags)
{
	size_t len = iov_len(iov, n);
	uint8_t *flat = malloc(len + 1);
	ssize_t ret;

	CHECK(flat);
	iov_copy(iov, n, flat, len, false);
	ret = plug_send(userdata, fd, flat, len, flags);
	free(flat);
	return ret;
}

ssize_t
plug_writev(void *userdata, int fd, const struct iovec *iov, int n)
{
	return n < 0 ? plug_fail(EINVAL) : send_iov(userdata, fd, iov, (size_t)n, 0);
}

ssize_t
plug_sendmsg(void *userdata, int fd, const struct msghdr *msg, int flags)
{
	return send_iov(userdata, fd, msg->msg_iov, msg->msg_iovlen, flags);
}
