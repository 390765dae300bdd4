/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* ICMPv6 (RFC 4443): echo to our unicast addresses is answered within a limit, errors
 * about our own segments go to the connection that sent them, Neighbour Discovery to the
 * neighbours. The only error we send is the parameter problem. */

#include "stack/stack.h"

#include "wire/wire_icmp6.h"
#include "wire/wire_nd.h"

static bool
is_ours_to_write(const struct rte_mbuf *m)
{
	return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;
}

/* W-21: never for a group (RFC 4443 4.2 leaves it open), and within the limit. */
static void
echo(struct pmtcp_ctx *s, struct seg *seg)
{
	struct rte_mbuf *m = seg->m;

	if (!icmp_is_allowed(s)) {
		tcp_drop(&s->t, PMTCP_C_drop_icmp_limit);
		return;
	}
	tcp_count(&s->t, PMTCP_C_icmp_echo_taken);
	if (!is_ours_to_write(m) || !wire_icmp6_echo_reply(seg, s->t.conf.ttl))
		return;
	if (tcp_reply_push(&s->t, m))
		seg->m = NULL;
}

/* W-22. The error may have come to another worker than the segment left from. */
static void
error_input(struct pmtcp_ctx *s, struct seg *seg, const struct wire_icmp6 *icmp)
{
	const struct tcp_icmp_error e = {.key = icmp->inner,
			.addr6 = &icmp->inner_addr,
			.seq = icmp->inner_seq,
			.mtu = (uint16_t)min_u32(icmp->mtu, UINT16_MAX),
			.inner_len = icmp->inner_len,
			.kind = (uint8_t)tcp_icmp_kind(6, icmp->type, icmp->code),
			.type = icmp->type,
			.code = icmp->code};
	uint16_t owner;

	if (!stack_is_local6(s, icmp->inner_addr.local)) {
		tcp_drop(&s->t, PMTCP_C_drop_icmp_bad);
		return;
	}
	owner = s->t.conf.owners > 1 ? stack_owner6(s, &e.key, e.addr6) : s->t.conf.owner;
	if (owner != s->t.conf.owner)
		stack_set_aside(s, seg, owner);
	else
		tcp_icmp_error(&s->t, &e);
}

void
icmp6_input(struct pmtcp_ctx *s, struct seg *seg)
{
	bool is_to_us = stack_is_local6(s, tcp_seg_ip6(seg) + 24);
	struct wire_icmp6 icmp;

	if (!wire_parse_icmp6(seg, &s->t.flow_secret, &icmp))
		tcp_drop(&s->t, PMTCP_C_drop_icmp_bad);
	else if (icmp.type == WIRE_ICMP6_NEIGH_SOLICIT || icmp.type == WIRE_ICMP6_NEIGH_ADVERT)
		neigh6_input(s, seg);
	else if (!is_to_us)
		tcp_drop(&s->t, PMTCP_C_drop_ip_notme);
	else if (icmp.type == WIRE_ICMP6_ECHO)
		echo(s, seg);
	else if (icmp.is_error)
		error_input(s, seg, &icmp);
	else
		tcp_drop(&s->t, PMTCP_C_drop_icmp_unused);
}

void
icmp6_problem(struct pmtcp_ctx *s, struct seg *seg, enum pmtcp_counter fate)
{
	struct rte_mbuf *m = seg->m;

	tcp_drop(&s->t, fate);
	if (!is_ours_to_write(m) || !icmp_is_allowed(s))
		return;
	if (wire_icmp6_problem(seg, s->t.conf.ttl) && tcp_reply_push(&s->t, m))
		seg->m = NULL;
}
