/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* getsockopt and setsockopt. Options of a socket are kept until it has a connection
 * and go on to what a listener accepts. */

#include "packetdrill/plug.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

enum { LINGER2_MAX_S = 24 * 3600, DELACK_MS = 40 };

/* SO_MEMINFO of asm-generic, which not every libc names. */
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

/* One integer option: kept in the socket, and told to the connection if there is one. */
static int
tell(struct sock *s, enum pmtcp_opt opt, uint64_t value)
{
	int err = s->conn && !s->has_ended ? pmtcp_set(s->conn, opt, value) : 0;

	return err ? plug_fail(-err) : 0;
}

static uint32_t
clamp(int64_t value, uint32_t min, uint32_t max)
{
	if (value < min)
		return min;
	return value > max ? max : (uint32_t)value;
}

static int
set_buffer(struct sock *s, bool is_send, int value)
{
	uint32_t octets = clamp(value, 2048, 4 << 20);

	if (is_send)
		s->opts.send_buffer = octets;
	else
		s->opts.recv_buffer = octets;
	return tell(s, is_send ? PMTCP_OPT_SEND_BUFFER : PMTCP_OPT_RECV_BUFFER, octets);
}

static int
set_socket(struct sock *s, int name, const void *val, socklen_t len)
{
	int value = 0;

	if (name == SO_LINGER) {
		if (len < sizeof(s->linger))
			return plug_fail(EINVAL);
		memcpy(&s->linger, val, sizeof(s->linger));
		return 0;
	}
	if (len < sizeof(value))
		return plug_fail(EINVAL);
	memcpy(&value, val, sizeof(value));
	switch (name) {
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_PRIORITY:
	case SO_MARK:
		return 0;
	case SO_RCVBUF:
	case SO_SNDBUF:
		return set_buffer(s, name == SO_SNDBUF, value);
	default:
		return plug_fail(ENOPROTOOPT);
	}
}

static int
set_tcp(struct sock *s, int name, int value)
{
	switch (name) {
	case TCP_NODELAY:
		s->opts.nodelay = value != 0;
		return tell(s, PMTCP_OPT_NODELAY, value != 0);
	case TCP_QUICKACK:
		s->opts.delack_ms = value ? PMTCP_DELACK_NONE : DELACK_MS;
		return tell(s, PMTCP_OPT_DELACK_MS, value ? 0 : DELACK_MS);
	case TCP_SYNCNT:
		if (value < 1 || value > 127)
			return plug_fail(EINVAL);
		s->opts.syn_retries = (uint8_t)value;
		return 0;
	case TCP_LINGER2:
		s->linger2_s = (int)clamp(value, 0, LINGER2_MAX_S);
		return 0;
	default:
		return plug_fail(ENOPROTOOPT);
	}
}

static int
set_ip(struct sock *s, int name, int value)
{
	switch (name) {
	case IP_TTL:
		if (value < 1 || value > 255)
			return plug_fail(EINVAL);
		s->opts.ttl = (uint8_t)value;
		return tell(s, PMTCP_OPT_TTL, (uint64_t)value);
	case IP_TOS:
		s->opts.dscp = (uint8_t)(value >> 2 & 0x3f);
		return tell(s, PMTCP_OPT_DSCP, s->opts.dscp);
	default:
		return plug_fail(ENOPROTOOPT);
	}
}

static int
do_setsockopt(struct sock *s, int level, int name, const void *val, socklen_t len)
{
	int value;

	if (!s)
		return -1;
	if (level == SOL_SOCKET)
		return set_socket(s, name, val, len);
	if (len < sizeof(value))
		return plug_fail(EINVAL);
	memcpy(&value, val, sizeof(value));
	if (level == IPPROTO_TCP)
		return set_tcp(s, name, value);
	if (level == IPPROTO_IP)
		return set_ip(s, name, value);
	return plug_fail(ENOPROTOOPT);
}

int
plug_setsockopt(void *userdata, int fd, int level, int name, const void *val, socklen_t len)
{
	struct plug *p = userdata;
	int ret;

	plug_enter(p);
	ret = do_setsockopt(sock_of(p, fd), level, name, val, len);
	plug_turn(p);
	plug_leave(p);
	return ret;
}

void
opts_apply(struct sock *s)
{
	(void)s;
}

/* ---- reading -------------------------------------------------------------------------- */

static int
get_socket(const struct plug *p, struct sock *s, int name, int *value)
{
	switch (name) {
	case SO_ERROR:
		*value = sock_take_err(s);
		return 0;
	case SO_RCVBUF:
		*value = (int)(s->opts.recv_buffer ? s->opts.recv_buffer : p->profile.rcvbuf);
		return 0;
	case SO_SNDBUF:
		*value = (int)(s->opts.send_buffer ? s->opts.send_buffer : p->profile.sndbuf);
		return 0;
	case SO_REUSEADDR:
		*value = 1;
		return 0;
	case SO_TYPE:
		*value = SOCK_STREAM;
		return 0;
	case SO_ACCEPTCONN:
		*value = s->listener != NULL;
		return 0;
	default:
		return plug_fail(ENOPROTOOPT);
	}
}

static int
get_tcp(const struct plug *p, const struct sock *s, int name, int *value)
{
	switch (name) {
	case TCP_NODELAY:
		*value = s->opts.nodelay;
		return 0;
	case TCP_MAXSEG:
		*value = s->conn ? pmtcp_mss(s->conn) : 536;
		return 0;
	case TCP_QUICKACK:
		*value = s->opts.delack_ms == PMTCP_DELACK_NONE;
		return 0;
	case TCP_SYNCNT:
		*value = s->opts.syn_retries ? s->opts.syn_retries : (int)p->profile.syn_retries;
		return 0;
	case TCP_LINGER2:
		*value = s->linger2_s ? s->linger2_s : (int)p->profile.fw2_ms / 1000;
		return 0;
	default:
		return plug_fail(ENOPROTOOPT);
	}
}

static int
get_ip(const struct sock *s, int name, int *value)
{
	switch (name) {
	case IP_TTL:
		*value = s->opts.ttl ? s->opts.ttl : 64;
		return 0;
	case IP_TOS:
		*value = s->opts.dscp << 2;
		return 0;
	default:
		return plug_fail(ENOPROTOOPT);
	}
}

static int
get_int(const struct plug *p, struct sock *s, int level, int name, int *value)
{
	if (level == SOL_SOCKET)
		return get_socket(p, s, name, value);
	if (level == IPPROTO_TCP)
		return get_tcp(p, s, name, value);
	if (level == IPPROTO_IP)
		return get_ip(s, name, value);
	return plug_fail(ENOPROTOOPT);
}

/* Options that are structures, or that the tool wants for its own variables: as many
 * octets as it asks for. False: it is none of them. */
static bool
get_struct(const struct plug *p, const struct sock *s, int level, int name, void *val,
		socklen_t *len)
{
	if (level == IPPROTO_TCP && name == TCP_INFO) {
		state_tcp_info(p, s, val, *len);
		return true;
	}
	if ((level == IPPROTO_TCP && name == TCP_CC_INFO) ||
			(level == SOL_SOCKET && name == SO_MEMINFO)) {
		memset(val, 0, *len);
		return true;
	}
	if (level == SOL_SOCKET && name == SO_LINGER && *len >= sizeof(s->linger)) {
		memcpy(val, &s->linger, sizeof(s->linger));
		*len = sizeof(s->linger);
		return true;
	}
	return false;
}

static int
do_getsockopt(struct plug *p, int fd, int level, int name, void *val, socklen_t *len)
{
	struct sock *s = sock_of(p, fd);
	int value = 0;

	if (!s)
		return -1;
	if (get_struct(p, s, level, name, val, len))
		return 0;
	if (*len < sizeof(value))
		return plug_fail(EINVAL);
	if (get_int(p, s, level, name, &value) != 0)
		return -1;
	memcpy(val, &value, sizeof(value));
	*len = sizeof(value);
	return 0;
}

int
plug_getsockopt(void *userdata, int fd, int level, int name, void *val, socklen_t *len)
{
	struct plug *p = userdata;
	int ret;

	plug_enter(p);
	ret = do_getsockopt(p, fd, level, name, val, len);
	plug_leave(p);
	return ret;
}
