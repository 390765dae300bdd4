/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The addresses that the application names in OPEN and LISTEN: are they possible, which
 * version, whose next hop (RFC 9293 3.9.1.1; OPEN-10, OPEN-11, OPEN-28). */

#include "tcp/tcp.h"

#include <errno.h>
#include <string.h>

#include <rte_byteorder.h>

/* Whatever the version does not mean is zero, so that addresses can be compared. */
void
tcp_tuple_normal(struct pmtcp_addr *addr)
{
	if (addr->version == 0 && addr->ip4 != 0)
		addr->version = 4;
	if (addr->version != 4)
		addr->ip4 = 0;
	if (addr->version != 6)
		memset(addr->ip6, 0, sizeof(addr->ip6));
}

int
tcp_tuple_check_local(const struct tcp *t, const struct pmtcp_addr *local)
{
	if (local->version == 6) {
		if (!t->addr6)
			return -EAFNOSUPPORT;
		if (!flow_addr6_is_any(local->ip6) && !t->is_local6(t->stack, local->ip6))
			return -EINVAL;
		return 0;
	}
	if (local->version != 4 && local->version != 0)
		return -EINVAL;
	if (local->ip4 != 0 && !t->is_local(t->stack, rte_cpu_to_be_32(local->ip4)))
		return -EINVAL;
	return 0;
}

/* OPEN-10, OPEN-28: not a group, not ourselves. */
static int
check_remote(const struct tcp *t, const struct pmtcp_addr *remote)
{
	uint32_t ip4 = rte_cpu_to_be_32(remote->ip4);

	if (remote->port == 0)
		return -EINVAL;
	if (remote->version == 6) {
		if (!t->addr6)
			return -EAFNOSUPPORT;
		return !t->is_remote_ok6(t->stack, remote->ip6) ||
						       t->is_local6(t->stack, remote->ip6)
				       ? -EINVAL
				       : 0;
	}
	if (remote->version != 4 || remote->ip4 == 0)
		return -EINVAL;
	return !t->is_remote_ok(t->stack, ip4) || t->is_local(t->stack, ip4) ? -EINVAL : 0;
}

/* OPEN-11 (MUST-43, MUST-44): ours unless the application says which. */
static int
resolve6(struct tcp *t, const struct pmtcp_addr *local, const struct pmtcp_addr *remote,
		struct tcp_tuple *tuple)
{
	tuple->is_v6 = true;
	memcpy(tuple->addr6.remote, remote->ip6, sizeof(remote->ip6));
	tuple->hop = t->route6(t->stack, remote->ip6);
	if (tuple->hop == TCP_NO_HOP)
		return -ENETUNREACH;
	memcpy(tuple->addr6.local,
			local && !flow_addr6_is_any(local->ip6)
					? local->ip6
					: t->pick_local6(t->stack, remote->ip6),
			sizeof(tuple->addr6.local));
	flow_key6_digest(&t->flow_secret, &tuple->addr6, &tuple->key);
	return 0;
}

static int
resolve4(struct tcp *t, const struct pmtcp_addr *local, const struct pmtcp_addr *remote,
		struct tcp_tuple *tuple)
{
	struct flow_key *key = &tuple->key;

	key->raddr = rte_cpu_to_be_32(remote->ip4);
	tuple->hop = t->route(t->stack, key->raddr);
	if (tuple->hop == TCP_NO_HOP)
		return -ENETUNREACH;
	key->laddr = local && local->ip4 ? rte_cpu_to_be_32(local->ip4)
					 : t->pick_local(t->stack, key->raddr);
	return key->laddr == 0 ? -ENETUNREACH : 0;
}

/* OPEN-11: what is not given is chosen here, and fixed. */
int
tcp_tuple_resolve(struct tcp *t, const struct pmtcp_addr *local, const struct pmtcp_addr *remote,
		struct tcp_tuple *tuple)
{
	int err = check_remote(t, remote);

	if (err == 0 && local)
		err = tcp_tuple_check_local(t, local);
	if (err == 0 && local && local->version != 0 && local->version != remote->version)
		err = -EINVAL;
	if (err)
		return err;
	tuple->key.rport = rte_cpu_to_be_16(remote->port);
	tuple->key.lport = local ? rte_cpu_to_be_16(local->port) : 0;
	return remote->version == 6 ? resolve6(t, local, remote, tuple)
				    : resolve4(t, local, remote, tuple);
}
