/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Neighbour Discovery (RFC 4861) for next hops: solicitations sent and answered,
 * advertisements taken. Routers and prefixes are configured: advertisements of routers
 * and redirects are not obeyed (W-20). */

#include "stack/neigh.h"

#include <string.h>

#include "stack/stack.h"
#include "wire/wire_nd.h"

/* RFC 4862 5.4: somebody else claims our address. */
static void
tell_conflict(struct pmtcp_ctx *s, const uint8_t *ip6)
{
	struct pmtcp_addr ours = pmtcp_addr6(ip6, 0);

	stack_diag_conflict(s, &ours);
}

static void
send_nd(struct pmtcp_ctx *s, const struct wire_nd *nd, enum pmtcp_counter counter)
{
	struct rte_mbuf *m = tcp_ctl_alloc(&s->t);

	if (!m)
		return;
	wire_emit_nd(m, nd);
	if (tcp_reply_push(&s->t, m))
		tcp_count(&s->t, counter);
	else
		rte_pktmbuf_free(m);
}

/* RFC 4861 7.2.2: to the solicited-node group, or by unicast to whom we know. */
void
neigh6_ask(struct pmtcp_ctx *s, uint16_t number)
{
	const struct neigh *e = &s->neighs.entries[number];
	struct wire_nd nd = {.type = WIRE_ND_SOLICIT,
			.has_lladdr = true,
			.lladdr = s->t.conf.mac,
			.eth_src = s->t.conf.mac};

	memcpy(nd.target, e->addr.words, sizeof(nd.target));
	memcpy(nd.addr.local, stack_pick_local6(s, nd.target), sizeof(nd.addr.local));
	if (e->state == NEIGH_PROBE) {
		memcpy(nd.addr.remote, nd.target, sizeof(nd.target));
		nd.eth_dst = s->t.hops[number].mac;
	} else {
		wire_nd_solicited_node(nd.target, nd.addr.remote);
		wire_nd_group_mac(nd.addr.remote, &nd.eth_dst);
	}
	send_nd(s, &nd, PMTCP_C_neigh_requests);
}

/* RFC 4861 7.2.4: to the asker, or to all if somebody asks without an address of its own
 * whether ours is free (RFC 4862 5.4.3). */
static void
answer(struct pmtcp_ctx *s, const struct wire_nd *ns)
{
	bool is_dad = flow_addr6_is_any(ns->addr.remote);
	struct wire_nd na = {.type = WIRE_ND_ADVERT,
			.is_solicited = !is_dad,
			.is_override = true,
			.has_lladdr = true,
			.lladdr = s->t.conf.mac,
			.eth_src = s->t.conf.mac,
			.eth_dst = ns->eth_src};

	memcpy(na.target, ns->target, sizeof(na.target));
	memcpy(na.addr.local, ns->target, sizeof(na.target));
	memcpy(na.addr.remote, ns->addr.remote, sizeof(na.addr.remote));
	if (is_dad) {
		wire_nd_all_nodes(na.addr.remote);
		wire_nd_group_mac(na.addr.remote, &na.eth_dst);
		tell_conflict(s, ns->target);
	}
	send_nd(s, &na, PMTCP_C_nd_advert_sent);
}

/* RFC 4861 7.2.3: what it says of itself is no sign that it hears us. */
static void
hear_asker(struct pmtcp_ctx *s, const struct wire_nd *ns, bool may_create)
{
	uint16_t number = neigh_heard(s, neigh_addr6(ns->addr.remote), &ns->lladdr, may_create);

	if (number == NEIGH_NONE)
		return;
	neigh_tell(s, number, &ns->lladdr, false);
	neigh_hear(s, number, &ns->lladdr);
}

/* W-19. As with ARP, an entry is made only by who asks for us and lives on our link. */
static void
solicit_input(struct pmtcp_ctx *s, const struct wire_nd *ns)
{
	bool is_for_us = stack_is_local6(s, ns->target);
	bool has_sender = ns->has_lladdr && !flow_addr6_is_any(ns->addr.remote) &&
			  !stack_is_local6(s, ns->addr.remote);

	if (has_sender)
		hear_asker(s, ns, is_for_us && stack_is_on_link6(s, ns->addr.remote));
	tcp_drop(&s->t, is_for_us ? PMTCP_C_nd_taken : PMTCP_C_drop_nd_unused);
	if (is_for_us)
		answer(s, ns);
}

/* RFC 4861 7.2.5: of who is known, a new MAC address counts only if the sender insists, and
 * only an answer shows that it hears us. */
static void
advert_of_known(struct pmtcp_ctx *s, uint16_t number, const struct wire_nd *na)
{
	struct rte_ether_addr mac = s->t.hops[number].mac;
	bool is_same = !na->has_lladdr || rte_is_same_ether_addr(&na->lladdr, &mac);

	if (!is_same && !na->is_override) {
		neigh_doubt(s, number);
		return;
	}
	if (!is_same && rte_is_unicast_ether_addr(&na->lladdr))
		mac = na->lladdr;
	neigh_tell(s, number, &mac, na->is_solicited);
	s->t.hops[number].mac = mac;
	if (na->is_solicited)
		neigh_resolved(s, number, &mac);
	else if (!is_same)
		neigh_doubt(s, number);
}

static void
advert_of_new(struct pmtcp_ctx *s, uint16_t number, const struct wire_nd *na)
{
	neigh_tell(s, number, &na->lladdr, na->is_solicited);
	if (na->is_solicited)
		neigh_resolved(s, number, &na->lladdr);
	else
		neigh_stale(s, number, &na->lladdr);
}

/* W-20: only what exists changes. */
static void
advert_input(struct pmtcp_ctx *s, const struct wire_nd *na)
{
	uint16_t number = neigh_find(s, neigh_addr6(na->target));

	if (stack_is_local6(s, na->target)) {
		tcp_drop(&s->t, PMTCP_C_drop_nd_unused);
		tcp_count(&s->t, PMTCP_C_arp_conflict);
		tell_conflict(s, na->target);
		return;
	}
	if (number == NEIGH_NONE && na->has_lladdr && na->is_solicited)
		neigh_tell_answer(s, pmtcp_addr6(na->target, 0), &na->lladdr, true);
	if (number == NEIGH_NONE || s->neighs.entries[number].state == NEIGH_STATIC) {
		tcp_drop(&s->t, PMTCP_C_drop_nd_unused);
		return;
	}
	tcp_count(&s->t, PMTCP_C_nd_taken);
	if (s->t.hops[number].is_resolved)
		advert_of_known(s, number, na);
	else if (!na->has_lladdr || !rte_is_unicast_ether_addr(&na->lladdr))
		return;
	else
		advert_of_new(s, number, na);
}

void
neigh6_input(struct pmtcp_ctx *s, struct seg *seg)
{
	struct wire_nd nd;

	if (!wire_parse_nd(seg, &nd))
		tcp_drop(&s->t, PMTCP_C_drop_nd_bad);
	else if (nd.type == WIRE_ND_SOLICIT)
		solicit_input(s, &nd);
	else
		advert_input(s, &nd);
}
