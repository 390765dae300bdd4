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

enum {
	LINGER2_MAX_S = 24 * 3600,
	DELACK_MS = 40,
	MS = 1000,
	KEEP_COUNT_MAX = 127,
	SLOW_MAX_S = 7 * 24 * 3600, /* of what the context takes in ms */
	CC_NAME_LEN = 16,
	MSS_MIN = 88,
	MSS_DEFAULT = 536, /* RFC 9293 3.7.1, IPv4 */
	MSS_DEFAULT6 = 1220,
};

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

/* What it is at close: off, abort, a time. */
static int
set_linger(struct sock *s, const void *val, socklen_t len)
{
	uint32_t ms;

	if (len < sizeof(s->linger))
		return plug_fail(EINVAL);
	memcpy(&s->linger, val, sizeof(s->linger));
	ms = clamp(s->linger.l_linger, 0, SLOW_MAX_S) * MS;
	if (!s->linger.l_onoff)
		s->opts.linger_ms = PMTCP_LINGER_OFF;
	else
		s->opts.linger_ms = ms ? ms : PMTCP_LINGER_ABORT;
	return tell(s, PMTCP_OPT_LINGER_MS, s->opts.linger_ms);
}

static int
set_keepalive(struct sock *s)
{
	s->opts.keepalive_ms = s->has_keepalive ? (uint32_t)s->idle_s * MS : 0;
	return tell(s, PMTCP_OPT_KEEPALIVE_MS, s->opts.keepalive_ms);
}

static int
set_socket(struct sock *s, int name, const void *val, socklen_t len)
{
	int value = 0;

	if (name == SO_LINGER)
		return set_linger(s, val, len);
	if (len < sizeof(value))
		return plug_fail(EINVAL);
	memcpy(&value, val, sizeof(value));
	switch (name) {
	case SO_REUSEADDR:
		s->is_reuse = value != 0;
		return 0;
	case SO_OOBINLINE:
		s->is_oob_inline = value != 0;
		return 0;
	case SO_REUSEPORT:
	case SO_PRIORITY:
	case SO_MARK:
		return 0;
	case SO_KEEPALIVE:
		s->has_keepalive = value != 0;
		return set_keepalive(s);
	case SO_RCVBUF:
	case SO_SNDBUF:
		return set_buffer(s, name == SO_SNDBUF, value);
	default:
		return plug_fail(ENOPROTOOPT);
	}
}

/* Those with a range of their own. */
static int
set_tcp_time(struct sock *s, int name, int value)
{
	int max = SLOW_MAX_S;

	if (name == TCP_KEEPCNT)
		max = KEEP_COUNT_MAX;
	if (name == TCP_USER_TIMEOUT)
		max = SLOW_MAX_S * MS;
	if (value < (name == TCP_USER_TIMEOUT ? 0 : 1) || value > max)
		return plug_fail(EINVAL);
	switch (name) {
	case TCP_KEEPIDLE:
		s->idle_s = value;
		return set_keepalive(s);
	case TCP_KEEPINTVL:
		s->opts.keepalive_intvl_ms = (uint32_t)value * MS;
		return tell(s, PMTCP_OPT_KEEPALIVE_INTVL_MS, s->opts.keepalive_intvl_ms);
	case TCP_KEEPCNT:
		s->opts.keepalive_count = (uint8_t)value;
		return tell(s, PMTCP_OPT_KEEPALIVE_COUNT, (uint64_t)value);
	default: /* TCP_USER_TIMEOUT, in ms */
		s->opts.user_timeout_ms = (uint32_t)value;
		return tell(s, PMTCP_OPT_USER_TIMEOUT_MS, (uint64_t)value);
	}
}

static int
set_congestion(struct sock *s, const char *name, socklen_t len)
{
	char text[CC_NAME_LEN] = "";
	enum pmtcp_cc cc;

	memcpy(text, name, len < CC_NAME_LEN ? len : CC_NAME_LEN - 1);
	cc = profile_cc(text);
	if (cc == PMTCP_CC_DEFAULT)
		return plug_fail(ENOENT);
	s->opts.cc = (uint8_t)cc;
	return tell(s, PMTCP_OPT_CC, cc);
}

static int
set_maxseg(struct sock *s, int value)
{
	if (value < MSS_MIN || value > UINT16_MAX)
		return plug_fail(EINVAL);
	s->opts.mss = (uint16_t)value;
	return tell(s, PMTCP_OPT_MSS, (uint64_t)value);
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
	case TCP_KEEPIDLE:
	case TCP_KEEPINTVL:
	case TCP_KEEPCNT:
	case TCP_USER_TIMEOUT:
		return set_tcp_time(s, name, value);
	case TCP_MAXSEG:
		return set_maxseg(s, value);
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

/* What the option of either version means; 0: none that we have. */
static int
ip_option(int level, int name)
{
	if (level == IPPROTO_IP)
		return name == IP_TTL || name == IP_TOS ? name : 0;
	if (name == IPV6_UNICAST_HOPS)
		return IP_TTL;
	return name == IPV6_TCLASS ? IP_TOS : 0;
}

static int
set_ip(struct sock *s, int level, int name, int value)
{
	switch (ip_option(level, name)) {
	case IP_TTL:
		if (value < 1 || value > 255)
			return plug_fail(EINVAL);
		s->opts.ttl = (uint8_t)value;
		return tell(s, PMTCP_OPT_TTL, (uint64_t)value);
	case IP_TOS:
		s->opts.dscp = (uint8_t)(value >> 2 & 0x3f);
		return tell(s, PMTCP_OPT_DSCP, s->opts.dscp);
	default:
		/* One that listens for IPv6 takes IPv4 too only if bound to such an address. */
		return level == IPPROTO_IPV6 && name == IPV6_V6ONLY ? 0 : plug_fail(ENOPROTOOPT);
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
	if (level == IPPROTO_TCP && name == TCP_CONGESTION)
		return set_congestion(s, val, len);
	if (len < sizeof(value))
		return plug_fail(EINVAL);
	memcpy(&value, val, sizeof(value));
	if (level == IPPROTO_TCP)
		return set_tcp(s, name, value);
	if (level == IPPROTO_IP || level == IPPROTO_IPV6)
		return set_ip(s, level, name, value);
	return plug_fail(ENOPROTOOPT);
}

int
plug_setsockopt(void *userdata, int fd, int level, int name, const void *val, socklen_t len)
{
	struct plug *p = userdata;
	struct sock *s;
	int ret;

	plug_enter(p);
	s = sock_of(p, fd);
	ret = do_setsockopt(s, level, name, val, len);
	if (ret == 0)
		plug_listen_anew(p, s);
	plug_turn(p);
	plug_leave(p);
	return ret;
}

/* ---- reading -------------------------------------------------------------------------- */

static uint32_t
first_of(uint32_t set, uint32_t otherwise)
{
	return set ? set : otherwise;
}

/* Linux tells what an ICMP error said, too, if nothing worse happened. */
static int
take_any_err(const struct plug *p, struct sock *s)
{
	int err = sock_take_err(s);

	if (err || p->profile.is_freebsd)
		return err;
	err = s->soft_err;
	s->soft_err = 0;
	return err;
}

static int
get_socket(const struct plug *p, struct sock *s, int name, int *value)
{
	switch (name) {
	case SO_ERROR:
		*value = take_any_err(p, s);
		return 0;
	case SO_RCVBUF:
		*value = (int)first_of(s->opts.recv_buffer, p->profile.rcvbuf);
		return 0;
	case SO_SNDBUF:
		*value = (int)first_of(s->opts.send_buffer, p->profile.sndbuf);
		return 0;
	case SO_REUSEADDR:
		*value = s->is_reuse;
		return 0;
	case SO_OOBINLINE:
		*value = s->is_oob_inline;
		return 0;
	case SO_KEEPALIVE:
		*value = s->has_keepalive;
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
		*value = s->conn ? pmtcp_mss(s->conn)
				 : (int)first_of(s->opts.mss, s->domain == AF_INET6 ? MSS_DEFAULT6
										    : MSS_DEFAULT);
		return 0;
	case TCP_KEEPIDLE:
		*value = s->idle_s;
		return 0;
	case TCP_KEEPINTVL:
		*value = (int)(s->opts.keepalive_intvl_ms / MS);
		return 0;
	case TCP_KEEPCNT:
		*value = s->opts.keepalive_count;
		return 0;
	case TCP_USER_TIMEOUT:
		*value = (int)s->opts.user_timeout_ms;
		return 0;
	case TCP_QUICKACK:
		*value = s->opts.delack_ms == PMTCP_DELACK_NONE;
		return 0;
	case TCP_SYNCNT:
		*value = s->opts.syn_retries ? s->opts.syn_retries : (int)p->profile.syn_retries;
		return 0;
	case TCP_LINGER2:
		*value = s->linger2_s ? s->linger2_s : (int)p->profile.fw2_ms / MS;
		return 0;
	default:
		return plug_fail(ENOPROTOOPT);
	}
}

static int
get_ip(const struct sock *s, int level, int name, int *value)
{
	switch (ip_option(level, name)) {
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
	if (level == IPPROTO_IP || level == IPPROTO_IPV6)
		return get_ip(s, level, name, value);
	return plug_fail(ENOPROTOOPT);
}

static void
get_congestion(const struct plug *p, const struct sock *s, void *val, socklen_t *len)
{
	char text[CC_NAME_LEN] = "cubic";
	uint32_t cc = first_of(s->opts.cc, p->profile.cc);

	if (cc == PMTCP_CC_NEWRENO)
		strcpy(text, p->profile.is_freebsd ? "newreno" : "reno");
	*len = *len < CC_NAME_LEN ? *len : CC_NAME_LEN;
	memcpy(val, text, *len);
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
	if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
		get_congestion(p, s, val, len);
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
