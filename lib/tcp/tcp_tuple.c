/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The addresses that the application names in OPEN and LISTEN: are they possible, which
 * version, whose next hop (RFC 9293 3.9.1.1; OPEN-10, OPEN-11, OPEN-28). */

#include "tcp/tcp_connect.h"

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
static void
name6(struct tcp *t, const struct pmtcp_addr *local, const struct pmtcp_addr *remote,
		struct tcp_tuple *tuple)
{
	tuple->is_v6 = true;
	memcpy(tuple->addr6.remote, remote->ip6, sizeof(remote->ip6));
	memcpy(tuple->addr6.local,
			flow_addr6_is_any(local->ip6) ? t->pick_local6(t->stack, remote->ip6)
						      : local->ip6,
			sizeof(tuple->addr6.local));
	flow_key6_digest(&t->flow_secret, &tuple->addr6, &tuple->key);
}

static int
name4(struct tcp *t, const struct pmtcp_addr *local, const struct pmtcp_addr *remote,
		struct tcp_tuple *tuple)
{
	struct flow_key *key = &tuple->key;

	tuple->is_v6 = false;
	key->raddr = rte_cpu_to_be_32(remote->ip4);
	key->laddr = local->ip4 ? rte_cpu_to_be_32(local->ip4)
				: t->pick_local(t->stack, key->raddr);
	return key->laddr == 0 ? -ENETUNREACH : 0;
}

static int
judge(const struct tcp *t, const struct pmtcp_addr *local, const struct pmtcp_addr *remote)
{
	int err = check_remote(t, remote);

	if (err == 0)
		err = tcp_tuple_check_local(t, local);
	if (err == 0 && local->version != 0 && local->version != remote->version)
		err = -EINVAL;
	return err;
}

/* OPEN-11: what is not given is chosen here, and fixed. */
int
tcp_tuple_name(struct tcp *t, const struct pmtcp_open *open, struct tcp_tuple *tuple)
{
	const struct pmtcp_addr *local = &open->local, *remote = &open->remote;
	int err;

	if (remote->port == 0)
		return -EINVAL;
	err = judge(t, local, remote);
	if (err)
		return err;
	tuple->key.rport = rte_cpu_to_be_16(remote->port);
	tuple->key.lport = rte_cpu_to_be_16(local->port);
	if (is_likely(remote->version == 4))
		return name4(t, local, remote, tuple);
	name6(t, local, remote, tuple);
	return 0;
}

int
tcp_tuple_route(struct tcp *t, struct tcp_tuple *tuple)
{
	tuple->hop = is_unlikely(tuple->is_v6) ? t->route6(t->stack, tuple->addr6.remote)
					       : t->route(t->stack, tuple->key.raddr);
	return tuple->hop == TCP_NO_HOP ? -ENETUNREACH : 0;
}
