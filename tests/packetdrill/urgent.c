/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The socket interface's view of urgent data: its last octet is "out of band", taken from the
 * stream unless SO_OOBINLINE is set, and readers stop before it. The context leaves it where
 * it is (RFC 6093) and tells how far away its end is. */

#include "packetdrill/plug.h"

#include <errno.h>

void
urgent_event(struct sock *s)
{
	struct pmtcp_conn_info info;

	pmtcp_conn_info(s->conn, &info);
	if (info.urgent == 0)
		return;
	s->mark = s->n_read + s->n_peeked + info.urgent - 1;
	s->oob = OOB_AHEAD;
}

/* Octets before the mark; UINT32_MAX: there is none. */
static uint32_t
to_mark(const struct sock *s)
{
	return s->oob == OOB_NONE || s->mark < s->n_read ? UINT32_MAX
							 : (uint32_t)(s->mark - s->n_read);
}

bool
urgent_is_at_mark(const struct sock *s)
{
	return to_mark(s) == 0;
}

uint32_t
urgent_readable(const struct sock *s, uint32_t unread)
{
	uint32_t ahead = to_mark(s);

	if (s->is_oob_inline || ahead >= unread)
		return unread;
	return ahead > 0 ? ahead : unread - 1;
}

uint32_t
urgent_hole(const struct sock *s)
{
	return to_mark(s) == 0 && !s->is_oob_inline && sock_unread(s) > 0;
}

uint32_t
urgent_limit(const struct sock *s, uint32_t len)
{
	uint32_t ahead = to_mark(s);

	return ahead > 0 && ahead < len ? ahead : len;
}

void
urgent_was_read(struct sock *s)
{
	if (s->oob != OOB_NONE && s->mark < s->n_read)
		s->oob = OOB_NONE;
}

bool
urgent_is_there(const struct sock *s)
{
	return s->oob == OOB_AHEAD && s->mark < s->n_read + sock_unread(s);
}

int
urgent_take(struct sock *s, uint8_t *buf, bool is_peek)
{
	if (s->listener)
		return plug_fail(ENOTCONN);
	if (!s->conn || s->is_oob_inline || s->oob != OOB_AHEAD)
		return plug_fail(EINVAL);
	if (!urgent_is_there(s))
		return s->has_fin || s->has_ended || s->is_rd_shut ? 0 : plug_fail(EAGAIN);
	sock_pull(s);
	*buf = s->peeked[s->mark - s->n_read];
	if (!is_peek)
		s->oob = OOB_TAKEN;
	return 1;
}
