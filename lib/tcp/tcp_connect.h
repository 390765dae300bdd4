/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* OPEN of RFC 9293 3.10.1: from the addresses that the application names to a SYN that is due. */

#ifndef PMTCP_TCP_TCP_CONNECT_H
#define PMTCP_TCP_TCP_CONNECT_H

#include "tcp/tcp.h"

/* ---- tcp_tuple.c: addresses that the application named ---- */
void tcp_tuple_normal(struct pmtcp_addr *addr);
int tcp_tuple_check_local(const struct tcp *t, const struct pmtcp_addr *local);
/* Addresses and ports of a new connection; no effect on anything else. Returns 0 or -errno of
 * connect. */
int tcp_tuple_name(struct tcp *t, const struct pmtcp_open *open, struct tcp_tuple *tuple);

/* Is this one all right because `good` is, which lies between the same hosts of IPv4? */
static inline bool
tcp_tuple_is_alike(const struct pmtcp_open *open, const struct pmtcp_open *good)
{
	const struct pmtcp_addr *remote = &open->remote, *local = &open->local;

	return remote->version == 4 && good->remote.version == 4 &&
	       remote->ip4 == good->remote.ip4 && remote->port != 0 &&
	       local->version == good->local.version && local->ip4 == good->local.ip4;
}
/* Its next hop, which may be a new one and holds until the next is asked for. Returns as above. */
int tcp_tuple_route(struct tcp *t, struct tcp_tuple *tuple);

/* ---- tcp_connect.c ---- */
/* As pmtcp_connect_burst(). */
uint16_t tcp_user_connect(struct tcp *t, struct pmtcp_open *opens, uint16_t n, int *err);

#endif /* PMTCP_TCP_TCP_CONNECT_H */
