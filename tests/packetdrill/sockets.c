/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The table of sockets, what events do to them, and errno as the scripts expect it. */

#include "packetdrill/plug.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "packetdrill/control.h"

static struct sock *
vacant(struct plug *p)
{
	for (uint32_t i = 0; i < PLUG_SOCKS_MAX; i++)
		if (!p->socks[i].is_used)
			return &p->socks[i];
	return NULL;
}

static struct sock *
sock_init(struct plug *p, int domain)
{
	struct sock *s = vacant(p);

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->is_used = true;
	s->fd = -1;
	s->domain = domain;
	s->order = p->clock++;
	s->idle_s = (int)p->profile.keep_idle_s;
	profile_conn(&p->profile, &s->opts);
	s->opts.user = s;
	return s;
}

/* The tool may close with libc what it got from us, so it must be a descriptor. One
 * that comes again was closed so, unseen. */
int
sock_give_fd(struct plug *p, struct sock *s)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -1;
	for (uint32_t i = 0; i < PLUG_SOCKS_MAX; i++)
		if (p->socks[i].is_used && p->socks[i].fd == fd) {
			p->socks[i].fd = -1;
			sock_drop(p, &p->socks[i]);
		}
	s->fd = fd;
	return fd;
}

struct sock *
sock_new(struct plug *p, int domain)
{
	struct sock *s;

	control_read(&p->profile);
	s = sock_init(p, domain);
	if (!s || sock_give_fd(p, s) < 0) {
		if (s)
			s->is_used = false;
		errno = EMFILE;
		return NULL;
	}
	return s;
}

struct sock *
sock_of(struct plug *p, int fd)
{
	for (uint32_t i = 0; i < PLUG_SOCKS_MAX; i++)
		if (p->socks[i].is_used && fd >= 0 && p->socks[i].fd == fd)
			return &p->socks[i];
	errno = EBADF;
	return NULL;
}

void
sock_unlisten(struct plug *p, struct sock *s)
{
	for (uint32_t i = 0; i < PLUG_SOCKS_MAX; i++) {
		struct sock *child = &p->socks[i];

		if (!child->is_used || child->parent != s)
			continue;
		child->parent = NULL;
		if (!child->has_ended)
			pmtcp_abort(child->conn);
		sock_drop(p, child);
	}
	pmtcp_unlisten(s->listener);
	s->listener = NULL;
}

static void
drop_conn(struct sock *s)
{
	if (s->linger2_s > 0 && !s->has_ended)
		(void)pmtcp_set(s->conn, PMTCP_OPT_FW2_MS, (uint64_t)s->linger2_s * 1000);
	/* What was taken from the context for a peek was not read by the script. */
	if (s->n_peeked > 0 && !s->has_ended)
		pmtcp_abort(s->conn);
	pmtcp_detach(s->conn);
	s->conn = NULL;
}

void
sock_forget_conn(struct sock *s)
{
	pmtcp_detach(s->conn);
	s->conn = NULL;
	s->has_ended = false;
	s->has_fin = false;
	s->is_connecting = false;
}

void
sock_drop(struct plug *p, struct sock *s)
{
	if (s->listener)
		sock_unlisten(p, s);
	if (s->conn)
		drop_conn(s);
	if (s->fd >= 0)
		syscall(SYS_close, s->fd);
	free(s->peeked);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

/* ---- events ------------------------------------------------------------------- */

static int
errno_of(const struct plug *p, const struct sock *s, int32_t reason)
{
	switch (reason) {
	case PMTCP_REFUSED:
		return ECONNREFUSED;
	case PMTCP_PEER_RESET:
		if (s->is_connecting)
			return ECONNREFUSED;
		/* Linux calls it a broken pipe in CLOSE-WAIT. */
		return s->has_fin && !s->is_wr_shut && !p->profile.is_freebsd ? EPIPE : ECONNRESET;
	case PMTCP_TIMEOUT_SYN:
	case PMTCP_TIMEOUT_RTX:
	case PMTCP_TIMEOUT_USER:
	case PMTCP_TIMEOUT_KA:
		return s->soft_err ? s->soft_err : ETIMEDOUT;
	case PMTCP_UNREACHABLE:
		return p->icmp_err ? p->icmp_err : EHOSTUNREACH;
	case PMTCP_NO_RESOURCE:
		return ENOBUFS;
	case PMTCP_DATA_LOST:
		return ECONNRESET;
	case PMTCP_LOCAL_ABORT:
		return ECONNABORTED;
	default:
		return 0;
	}
}

/* A connection that the script may accept; NULL if there is no room for it. */
static struct sock *
adopt(struct plug *p, struct sock *listener, struct pmtcp_conn *conn)
{
	struct sock *s = sock_init(p, listener->domain);

	if (!s) {
		pmtcp_abort(conn);
		pmtcp_detach(conn);
		return NULL;
	}
	s->conn = conn;
	s->parent = listener;
	s->is_connected = true;
	s->local = listener->local;
	s->opts = listener->opts;
	s->opts.user = s;
	s->linger = listener->linger;
	s->has_keepalive = listener->has_keepalive;
	s->is_reuse = listener->is_reuse;
	s->is_oob_inline = listener->is_oob_inline;
	s->idle_s = listener->idle_s;
	s->linger2_s = listener->linger2_s;
	pmtcp_set_user(conn, s);
	return s;
}

void
sock_event(struct plug *p, const struct pmtcp_event *ev)
{
	struct sock *s = ev->user;

	if (s && ev->flags & PMTCP_EV_ACCEPTED)
		s = adopt(p, s, ev->conn);
	if (!s)
		return;
	if (ev->flags & PMTCP_EV_CONNECTED) {
		s->is_connected = true;
		s->is_connecting = false;
	}
	if (ev->flags & PMTCP_EV_URGENT)
		urgent_event(s);
	if (ev->flags & PMTCP_EV_PEER_FIN)
		s->has_fin = true;
	/* What is heard from the peer outdates what was heard of it. */
	if (ev->flags & (PMTCP_EV_CONNECTED | PMTCP_EV_READABLE | PMTCP_EV_WRITABLE))
		s->soft_err = 0;
	if ((ev->flags & (PMTCP_EV_ERROR | PMTCP_EV_CLOSED)) == PMTCP_EV_ERROR)
		s->soft_err = p->icmp_err;
	if (ev->flags & PMTCP_EV_CLOSED) {
		s->err = errno_of(p, s, ev->reason);
		s->has_ended = true;
		s->is_connecting = false;
	}
}

/* ---- what can be done now ------------------------------------------------------- */

struct sock *
sock_pending(struct plug *p, const struct sock *listener)
{
	struct sock *oldest = NULL;

	for (uint32_t i = 0; i < PLUG_SOCKS_MAX; i++) {
		struct sock *s = &p->socks[i];

		if (s->is_used && s->parent == listener && (!oldest || s->order < oldest->order))
			oldest = s;
	}
	return oldest;
}

uint32_t
sock_unread(const struct sock *s)
{
	struct pmtcp_conn_info info;

	if (!s->conn)
		return 0;
	pmtcp_conn_info(s->conn, &info);
	return s->n_peeked + info.unread;
}

bool
sock_is_readable(const struct sock *s)
{
	if (s->is_connecting)
		return false;
	return s->err || s->has_fin || s->has_ended || s->is_rd_shut ||
	       urgent_readable(s, sock_unread(s)) > 0;
}

bool
sock_is_writable(const struct sock *s)
{
	if (s->is_connecting)
		return false;
	return s->err || s->has_ended || s->is_wr_shut ||
	       (s->conn && pmtcp_send_space(s->conn) > 0);
}

int
sock_take_err(struct sock *s)
{
	int err = s->err;

	s->err = 0;
	return err;
}

enum pmtcp_state
sock_state(const struct sock *s)
{
	struct pmtcp_conn_info info;

	if (s->listener)
		return PMTCP_LISTEN;
	if (!s->conn || s->has_ended)
		return PMTCP_CLOSED;
	pmtcp_conn_info(s->conn, &info);
	return info.state;
}

/* ---- addresses ------------------------------------------------------------------- */

int
sock_addr_get(const struct sockaddr *sa, socklen_t len, struct pmtcp_addr *addr)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	memset(addr, 0, sizeof(*addr));
	if (sa && sa->sa_family == AF_INET && len >= sizeof(*in)) {
		*addr = pmtcp_addr4(ntohl(in->sin_addr.s_addr), ntohs(in->sin_port));
		return 0;
	}
	if (!sa || sa->sa_family != AF_INET6 || len < sizeof(*in6))
		return plug_fail(EINVAL);
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		*addr = pmtcp_addr4(get32(in6->sin6_addr.s6_addr + 12), ntohs(in6->sin6_port));
		return 0;
	}
	addr->version = 6;
	addr->port = ntohs(in6->sin6_port);
	memcpy(addr->ip6, &in6->sin6_addr, 16);
	return 0;
}

static void
copy_out(struct sockaddr *sa, socklen_t *len, const void *from, socklen_t n)
{
	memcpy(sa, from, *len < n ? *len : n);
	*len = n;
}

void
sock_addr_put(const struct sock *s, const struct pmtcp_addr *addr, struct sockaddr *sa,
		socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (!sa || !len)
		return;
	if (s->domain == AF_INET) {
		in.sin_port = htons(addr->port);
		in.sin_addr.s_addr = htonl(addr->ip4);
		copy_out(sa, len, &in, sizeof(in));
		return;
	}
	in6.sin6_port = htons(addr->port);
	if (addr->version == 6) {
		memcpy(&in6.sin6_addr, addr->ip6, 16);
	} else {
		in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
		put32(in6.sin6_addr.s6_addr + 12, addr->ip4);
	}
	copy_out(sa, len, &in6, sizeof(in6));
}
