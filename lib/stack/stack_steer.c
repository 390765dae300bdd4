/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Other workers of the same addresses (pmtcp_steer.h): who owns a tuple, frames that are
 * theirs, neighbours that they should know. */

#include "stack/stack.h"

#include <errno.h>
#include <string.h>

#include "wire/wire_peek.h"
#include "wire/wire_vlan.h"

int
stack_steer_init(struct pmtcp_ctx *s, const struct pmtcp_rss *rss)
{
	const struct pmtcp_conf *conf = &s->t.conf;
	bool has_key = rss && rss->key_len;
	uint8_t key_len = has_key ? rss->key_len : conf->n_ranges6 ? 52 : 40;
	int err = flow_owner_init(&s->owner, has_key ? rss->key : NULL, key_len, conf->owners);

	s->n_glances = conf->owners > 1 ? STACK_GLANCES : 0;
	s->is_unsure = conf->owners > 1;
	if (err || !rss)
		return err;
	s->t.conf.rss = NULL; /* the caller's memory may go */
	s->is_device_steered = rss->is_device;
	return rss->reta_size ? flow_owner_set_reta(&s->owner, rss->reta, rss->reta_size) : 0;
}

bool
stack_owns(const void *stack, const struct flow_key *key, const struct flow_addr6 *addr6)
{
	const struct pmtcp_ctx *s = stack;
	uint16_t owner = is_likely(!addr6) ? flow_owner(&s->owner, key)
					   : stack_owner6(s, key, addr6);

	return owner == s->t.conf.owner;
}

uint16_t
stack_owner6(const struct pmtcp_ctx *s, const struct flow_key *key, const struct flow_addr6 *addr6)
{
	struct flow_owner_tuple6 tuple;

	flow_owner_tuple6_of(key, addr6, &tuple);
	return flow_owner6(&s->owner, &tuple);
}

/* ---- frames ------------------------------------------------------------------ */

/* What the owner reads in place of sums that were added up here (W-25): a sender's flags, which net_ring hands over
 * with the buffer, are gone then. */
#define CKSUM_MASKS    (RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK)
#define CKSUM_VERIFIED (RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_GOOD)

/* The owner judges the tag, too. False: it cannot be put back. */
static bool
restore_tag(const struct pmtcp_ctx *s, struct rte_mbuf *m)
{
	if (s->t.conf.vlan == 0)
		return true;
	return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 && m->data_len >= WIRE_ETH_LEN &&
	       wire_vlan_put(m, s->t.conf.vlan);
}

/* False: it stays the caller's to free, a loss like any other. */
static bool
keep(struct pmtcp_ctx *s, struct rte_mbuf *m, uint16_t owner)
{
	/* RES-14: the room is bounded. Contexts that are at odds about a tuple do not let its frames
	 * circle. */
	if (is_unlikely(s->n_misdirected == STACK_MISDIRECTED || s->is_handed)) {
		tcp_drop(&s->t, PMTCP_C_drop_misdirected);
		return false;
	}
	tcp_count(&s->t, PMTCP_C_misdirected);
	s->misdirected[s->n_misdirected] = m;
	s->misdirected_owner[s->n_misdirected++] = owner;
	return true;
}

void
stack_set_aside(struct pmtcp_ctx *s, struct seg *seg, uint16_t owner)
{
	struct rte_mbuf *m = seg->m;

	if (!restore_tag(s, m)) {
		tcp_drop(&s->t, PMTCP_C_drop_misdirected);
		return;
	}
	m->ol_flags = (m->ol_flags & ~CKSUM_MASKS) | CKSUM_VERIFIED;
	if (keep(s, m, owner))
		seg->m = NULL;
}

/* OPEN-35: what the device says of its steering is held against every frame. */
static void
note_astray(struct pmtcp_ctx *s)
{
	s->n_glances = STACK_GLANCES;
	if (s->is_device_steered && stack_diag_is_due(s, &s->steering_ms))
		stack_diag(s, PMTCP_DIAG_STEERING, (uint32_t)s->t.counter[PMTCP_C_misdirected]);
}

void
stack_set_astray(struct pmtcp_ctx *s, struct seg *seg, uint16_t owner)
{
	stack_set_aside(s, seg, owner);
	note_astray(s);
}

uint16_t
pmtcp_misdirected(struct pmtcp_ctx *s, struct rte_mbuf **pkts, uint16_t *owners, uint16_t n)
{
	uint16_t at = s->misdirected_out;
	uint16_t k = (uint16_t)min_u32(n, s->n_misdirected - at);

	memcpy(pkts, s->misdirected + at, k * sizeof(pkts[0]));
	memcpy(owners, s->misdirected_owner + at, k * sizeof(owners[0]));
	s->misdirected_out = (uint16_t)(at + k);
	if (s->misdirected_out == s->n_misdirected)
		s->misdirected_out = s->n_misdirected = 0;
	return k;
}

/* Nobody has added up their sums yet; only a device's word counts (W-25). */
static uint64_t
doubtful_flags(const struct pmtcp_caps *caps)
{
	return (caps->rx_ip_cksum ? 0 : RTE_MBUF_F_RX_IP_CKSUM_MASK) |
	       (caps->rx_tcp_cksum ? 0 : RTE_MBUF_F_RX_L4_CKSUM_MASK);
}

/* Frames of others, which are out of pkts, go to where they wait. */
static void
keep_all(struct pmtcp_ctx *s, struct rte_mbuf *const *pkts, const uint16_t *owners, uint16_t n)
{
	uint64_t doubtful = doubtful_flags(&s->t.conf.caps);

	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];

		/* Unwritten, the line stays one that both cores may read. */
		if (is_unlikely(m->ol_flags & doubtful))
			m->ol_flags &= ~doubtful;
		if (is_unlikely(!keep(s, m, owners[i])))
			rte_pktmbuf_free(m);
		note_astray(s);
	}
}

/* Whose comes next cannot be foretold: no branch hangs on it. */
PMTCP_NOINLINE uint16_t
stack_sort_out(struct pmtcp_ctx *s, struct rte_mbuf **pkts, uint16_t n)
{
	const struct wire_peek peek = wire_peek_of(&s->t.conf.mac);
	uint16_t own = s->t.conf.owner, k = 0, others = 0;
	uint16_t owners[STACK_BURST];
	struct rte_mbuf *out[STACK_BURST];
	bool is_unsure = false;

	s->n_glances -= n > 0;
	for (uint16_t i = 0; i < n; i++)
		__builtin_prefetch(rte_pktmbuf_mtod(pkts[i], const void *));
	for (uint16_t i = 0; i < n; i++) {
		struct rte_mbuf *m = pkts[i];
		struct flow_key key;
		uint16_t owner = own;

		if (is_likely(wire_peek_tuple(m, &peek, &key)) && is_likely(!s->is_tagged))
			owner = flow_owner(&s->owner, &key);
		else
			is_unsure = true; /* the parser has to judge, too */
		pkts[k] = m;
		out[others] = m;
		owners[others] = owner;
		k += owner == own;
		others += owner != own;
	}
	s->is_unsure = is_unsure;
	if (others > 0)
		keep_all(s, out, owners, others);
	return k;
}

static void
trust_cksums(struct wire_rx_conf *conf, bool ip, bool tcp)
{
	conf->trust_ip_cksum = ip;
	conf->trust_tcp_cksum = tcp;
}

void
stack_trust_handed(struct pmtcp_ctx *s, bool is_handed)
{
	const struct pmtcp_caps *caps = &s->t.conf.caps;
	bool ip = is_handed || caps->rx_ip_cksum, tcp = is_handed || caps->rx_tcp_cksum;

	s->is_handed = is_handed;
	trust_cksums(&s->rx_conf, ip, tcp);
	trust_cksums(&s->untagged_conf, ip, tcp);
}

void
pmtcp_input_handed(struct pmtcp_ctx *s, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t handed,
		uint16_t n)
{
	stack_input(s, now_ns, pkts, handed, n);
}

/* RES-16: what does not arrive at its owner has its fate here. */
void
pmtcp_misdirected_drop(struct pmtcp_ctx *s, struct rte_mbuf **pkts, uint16_t n)
{
	rte_pktmbuf_free_bulk(pkts, n);
	s->t.counter[PMTCP_C_misdirected] -= n;
	s->t.counter[PMTCP_C_drop_misdirected] += n;
}

void
stack_misdirected_fini(struct pmtcp_ctx *s)
{
	pmtcp_misdirected_drop(s, s->misdirected + s->misdirected_out,
			(uint16_t)(s->n_misdirected - s->misdirected_out));
	s->misdirected_out = s->n_misdirected = 0;
}

/* ---- neighbours ---------------------------------------------------------------- */

static void
tell(struct pmtcp_ctx *s, const struct pmtcp_neigh *neigh)
{
	if (s->n_learned == STACK_LEARNED)
		return;
	s->learned[s->n_learned++] = *neigh;
	tcp_count(&s->t, PMTCP_C_neigh_told);
}

/* RES-14: answers come to one worker's queue only. */
void
neigh_tell(struct pmtcp_ctx *s, uint16_t number, const struct rte_ether_addr *mac,
		bool is_confirmed)
{
	struct neigh *e = &s->neighs.entries[number];
	const struct tcp_hop *hop = &s->t.hops[number];
	bool is_old = hop->is_resolved && rte_is_same_ether_addr(mac, &hop->mac);
	struct pmtcp_neigh neigh = {.mac = *mac, .is_confirmed = is_confirmed};

	if (s->t.conf.owners == 1 || e->state == NEIGH_STATIC)
		return;
	if (is_old && (!is_confirmed || s->t.now_ms - e->told_ms < NEIGH_TELL_MS))
		return;
	if (is_confirmed)
		e->told_ms = s->t.now_ms;
	neigh.addr = neigh_addr_of(s, number);
	tell(s, &neigh);
}

/* Whoever floods us with answers nobody asked for wins a few notices. */
void
neigh_tell_answer(struct pmtcp_ctx *s, struct pmtcp_addr addr, const struct rte_ether_addr *mac,
		bool is_confirmed)
{
	const struct pmtcp_neigh neigh = {
			.addr = addr, .mac = *mac, .is_confirmed = is_confirmed, .is_answer = true};

	if (s->t.conf.owners == 1 || !rte_is_unicast_ether_addr(mac))
		return;
	if (s->answers_ms != s->t.now_ms)
		s->n_answers = 0;
	s->answers_ms = s->t.now_ms;
	if (s->n_answers++ < NEIGH_ANSWERS)
		tell(s, &neigh);
}

uint16_t
pmtcp_neigh_learned(struct pmtcp_ctx *s, struct pmtcp_neigh *out, uint16_t n)
{
	uint16_t k = (uint16_t)min_u32(n, s->n_learned);

	memcpy(out, s->learned, k * sizeof(out[0]));
	s->n_learned = (uint16_t)(s->n_learned - k);
	memmove(s->learned, s->learned + k, s->n_learned * sizeof(out[0]));
	return k;
}

void
pmtcp_neigh_update(struct pmtcp_ctx *s, uint64_t now_ns, const struct pmtcp_neigh *neigh)
{
	const struct pmtcp_addr *addr = &neigh->addr;
	uint16_t number;

	tcp_set_now(&s->t, now_ns);
	if (addr->version == 6 && !s->t.addr6)
		return;
	number = neigh_heard(s,
			addr->version == 6 ? neigh_addr6(addr->ip6)
					   : neigh_addr4(rte_cpu_to_be_32(addr->ip4)),
			&neigh->mac, !neigh->is_answer);
	if (number == NEIGH_NONE)
		return;
	if (neigh->is_confirmed)
		neigh_believe(s, number, &neigh->mac);
	else
		neigh_hear(s, number, &neigh->mac);
}
