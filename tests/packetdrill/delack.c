/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* An ACK for every second segment whatever its size, as FreeBSD has it, where the context
 * counts full segments (RFC 9293 3.8.6.3 allows both): the delay is taken from the
 * connection for the turn of that segment. */

#include "packetdrill/plug.h"

#include <string.h>

static bool
is_at(const struct pmtcp_addr *addr, uint8_t version, const uint8_t *ip)
{
	if (addr->version != version)
		return false;
	return version == 6 ? memcmp(addr->ip6, ip, 16) == 0 : addr->ip4 == get32(ip);
}

/* The socket whose connection is this one; NULL: none. */
static struct sock *
sock_of_flow(struct plug *p, const struct flow *f)
{
	for (uint32_t i = 0; i < PLUG_SOCKS_MAX; i++) {
		struct sock *s = &p->socks[i];
		struct pmtcp_conn_info info;

		if (!s->is_used || !s->conn || s->has_ended)
			continue;
		pmtcp_conn_info(s->conn, &info);
		if (info.local.port == f->lport && info.remote.port == f->rport &&
				is_at(&info.local, f->version, f->laddr) &&
				is_at(&info.remote, f->version, f->raddr))
			return s;
	}
	return NULL;
}

struct sock *
delack_end(struct plug *p)
{
	struct sock *s;

	if (p->profile.ack_every == 0 || !p->text_flow ||
			p->text_flow->n_text < p->profile.ack_every)
		return NULL;
	s = sock_of_flow(p, p->text_flow);
	if (!s || s->opts.delack_ms == PMTCP_DELACK_NONE)
		return NULL;
	(void)pmtcp_set(s->conn, PMTCP_OPT_DELACK_MS, 0);
	return s;
}

void
delack_resume(struct sock *s)
{
	if (s->conn && !s->has_ended)
		(void)pmtcp_set(s->conn, PMTCP_OPT_DELACK_MS, s->opts.delack_ms);
}
