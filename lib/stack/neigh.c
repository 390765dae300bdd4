/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Neighbours: the table, requests, ageing; answers by ARP. */

#include "stack/neigh.h"

#include <string.h>

#include "stack/stack.h"

size_t
neigh_memsize(uint16_t max)
{
	uint32_t n_buckets = 16;

	while (n_buckets < max)
		n_buckets *= 2;
	return ((size_t)max + 1) * sizeof(struct neigh) + n_buckets * sizeof(uint16_t);
}

void
neigh_init(struct pmtcp_ctx *s, void *mem, uint16_t max)
{
	struct neigh_table *n = &s->neighs;

	n->entries = mem;
	n->buckets = (uint16_t *)(void *)(n->entries + max + 1);
	n->n_buckets = 16;
	while (n->n_buckets < max)
		n->n_buckets *= 2;
	memset(n->buckets, 0xff, n->n_buckets * sizeof(uint16_t));
	n->max = max;
	n->fresh = 1;
	n->last = NEIGH_NONE;
}

struct neigh_addr
neigh_addr4(uint32_t ip)
{
	uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};

	memcpy(bytes + 12, &ip, sizeof(ip));
	return neigh_addr6(bytes);
}

struct neigh_addr
neigh_addr6(const uint8_t *ip6)
{
	struct neigh_addr addr;

	memcpy(addr.words, ip6, sizeof(addr.words));
	return addr;
}

static bool
is_v4(const struct neigh_addr *addr)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return memcmp(addr->words, mapped, sizeof(mapped)) == 0;
}

/* Network order; of an IPv6 address its last four octets. */
static uint32_t
ip4_of(const struct neigh_addr *addr)
{
	uint32_t ip;

	memcpy(&ip, (const uint8_t *)addr->words + 12, sizeof(ip));
	return ip;
}

/* Keyed, so that nobody outside can line up a bucket (SEC-14). An IPv4 address differs in
 * its second word only, and is looked up with each open. */
static uint16_t *
bucket_of(const struct pmtcp_ctx *s, const struct neigh_addr *addr)
{
	uint64_t words[4] = {addr->words[0], addr->words[1]};
	uint64_t hash = words[0] == 0 ? siphash13_12(&s->t.flow_secret, words[1], 0)
				      : siphash13_32(&s->t.flow_secret, words);

	return &s->neighs.buckets[hash & (s->neighs.n_buckets - 1)];
}

static bool
is_of(const struct neigh *e, const struct neigh_addr *addr)
{
	return ((e->addr.words[0] ^ addr->words[0]) | (e->addr.words[1] ^ addr->words[1])) == 0;
}

uint16_t
neigh_find(const struct pmtcp_ctx *s, struct neigh_addr addr)
{
	uint16_t number = *bucket_of(s, &addr);

	while (number != NEIGH_NONE && !is_of(&s->neighs.entries[number], &addr))
		number = s->neighs.entries[number].next;
	return number;
}

static void
unlink_entry(struct pmtcp_ctx *s, uint16_t number)
{
	uint16_t *link = bucket_of(s, &s->neighs.entries[number].addr);

	while (*link != number)
		link = &s->neighs.entries[*link].next;
	*link = s->neighs.entries[number].next;
}

enum {
	RECYCLE_LOOKS = 64,  /* entries that could give way */
	RECYCLE_STEPS = 256, /* looked at for these, since others lie between (SEC-14) */
};

static bool
is_recyclable(const struct pmtcp_ctx *s, uint16_t number)
{
	const struct tcp_hop *hop = &s->t.hops[number];

	return s->neighs.entries[number].state != NEIGH_STATIC && hop->refs == 0 &&
	       hop->wait_head == 0 && number != s->gateway && number != s->gateway6;
}

/* Of the next ones that no block refers to, the hop unused longest. */
static uint16_t
recycle(struct pmtcp_ctx *s)
{
	struct neigh_table *n = &s->neighs;
	uint16_t oldest = NEIGH_NONE;
	uint32_t n_seen = 0;

	for (uint32_t i = 0; i < RECYCLE_STEPS && i < n->max && n_seen < RECYCLE_LOOKS; i++) {
		n->hand = n->hand < n->max ? (uint16_t)(n->hand + 1) : 1;
		if (!is_recyclable(s, n->hand))
			continue;
		n_seen++;
		if (oldest == NEIGH_NONE ||
				seq_lt(n->entries[n->hand].used_ms, n->entries[oldest].used_ms))
			oldest = n->hand;
	}
	if (oldest != NEIGH_NONE)
		unlink_entry(s, oldest);
	n->last = NEIGH_NONE;
	return oldest;
}

static uint16_t
make(struct pmtcp_ctx *s, struct neigh_addr addr)
{
	struct neigh_table *n = &s->neighs;
	uint16_t number = n->fresh <= n->max ? n->fresh++ : recycle(s);
	uint16_t *bucket = bucket_of(s, &addr);

	if (number == NEIGH_NONE)
		return NEIGH_NONE;
	tcp_hop_init(&s->t, number, !is_v4(&addr));
	n->entries[number] = (struct neigh){.addr = addr,
			.state = NEIGH_FAILED,
			.next = *bucket,
			.used_ms = s->t.now_ms,
			.due_ms = s->t.now_ms,
			.told_ms = s->t.now_ms - NEIGH_TELL_MS};
	*bucket = number;
	return number;
}

uint16_t
neigh_get(struct pmtcp_ctx *s, struct neigh_addr addr)
{
	uint16_t number = neigh_find(s, addr);

	if (is_unlikely(number == NEIGH_NONE))
		number = make(s, addr);
	if (number != NEIGH_NONE)
		s->neighs.entries[number].used_ms = s->t.now_ms;
	return number;
}

uint16_t
neigh_get4(struct pmtcp_ctx *s, uint32_t ip)
{
	struct neigh_table *n = &s->neighs;

	if (is_likely(ip == n->last_ip && n->last != NEIGH_NONE)) {
		n->entries[n->last].used_ms = s->t.now_ms;
		return n->last;
	}
	n->last = neigh_get(s, neigh_addr4(ip));
	n->last_ip = ip;
	return n->last;
}

static void
set_due(struct pmtcp_ctx *s, struct neigh *e, uint32_t in_ms)
{
	struct neigh_table *n = &s->neighs;

	e->due_ms = s->t.now_ms + in_ms;
	if (!n->has_due || seq_lt(e->due_ms, n->next_ms)) {
		n->next_ms = e->due_ms;
		n->has_due = true;
	}
}

void
neigh_resolved(struct pmtcp_ctx *s, uint16_t number, const struct rte_ether_addr *mac)
{
	struct neigh *e = &s->neighs.entries[number];
	struct tcp_hop *hop = &s->t.hops[number];

	hop->mac = *mac;
	hop->is_resolved = true;
	hop->is_wanted = false;
	hop->confirmed = s->t.now_ms;
	if (e->state != NEIGH_STATIC) {
		e->state = NEIGH_REACHABLE;
		e->tries = 0;
		set_due(s, e, s->t.conf.neigh_reachable_ms);
	}
	tcp_hop_ready(&s->t, number);
}

/* STALE (RFC 4861 7.3.2): it may be used, and is asked by unicast (age()) unless TCP's
 * progress has shown by then that it hears us. */
void
neigh_stale(struct pmtcp_ctx *s, uint16_t number, const struct rte_ether_addr *mac)
{
	neigh_resolved(s, number, mac);
	s->t.hops[number].confirmed = s->t.now_ms - s->t.conf.neigh_reachable_ms;
	set_due(s, &s->neighs.entries[number], NEIGH_DELAY_MS);
}

void
neigh_hear(struct pmtcp_ctx *s, uint16_t number, const struct rte_ether_addr *mac)
{
	const struct tcp_hop *hop = &s->t.hops[number];

	if (s->neighs.entries[number].state == NEIGH_STATIC)
		return;
	if (!hop->is_resolved || !rte_is_same_ether_addr(mac, &hop->mac))
		neigh_stale(s, number, mac);
}

uint16_t
neigh_heard(struct pmtcp_ctx *s, struct neigh_addr addr, const struct rte_ether_addr *mac,
		bool may_create)
{
	uint16_t number = neigh_find(s, addr);

	/* W-6: a group address is nobody's. */
	if (!rte_is_unicast_ether_addr(mac))
		return NEIGH_NONE;
	return number == NEIGH_NONE && may_create ? make(s, addr) : number;
}

void
neigh_believe(struct pmtcp_ctx *s, uint16_t number, const struct rte_ether_addr *mac)
{
	if (s->neighs.entries[number].state != NEIGH_STATIC)
		neigh_resolved(s, number, mac);
}

void
neigh_set_static(struct pmtcp_ctx *s, struct neigh_addr addr, const struct rte_ether_addr *mac)
{
	uint16_t number = neigh_get(s, addr);

	CHECK(number != NEIGH_NONE);
	s->neighs.entries[number].state = NEIGH_STATIC;
	neigh_resolved(s, number, mac);
}

/* A request by broadcast, or by unicast to whom we know (W-8). */
static void
ask4(struct pmtcp_ctx *s, uint16_t number)
{
	struct neigh *e = &s->neighs.entries[number];
	struct wire_arp arp = {.op = WIRE_ARP_REQUEST,
			.sender_ip = stack_pick_local(s, ip4_of(&e->addr)),
			.target_ip = ip4_of(&e->addr),
			.sender_mac = s->t.conf.mac};
	struct rte_mbuf *m = tcp_ctl_alloc(&s->t);

	if (!m)
		return;
	if (e->state == NEIGH_PROBE)
		arp.eth_dst = s->t.hops[number].mac;
	else
		memset(&arp.eth_dst, 0xff, sizeof(arp.eth_dst));
	wire_emit_arp(m, &arp);
	if (tcp_reply_push(&s->t, m))
		tcp_count(&s->t, PMTCP_C_neigh_requests);
	else
		rte_pktmbuf_free(m);
}

static void
ask(struct pmtcp_ctx *s, uint16_t number)
{
	struct neigh *e = &s->neighs.entries[number];

	e->tries++;
	set_due(s, e, NEIGH_ASK_MS);
	if (s->t.hops[number].is_v6)
		neigh6_ask(s, number);
	else
		ask4(s, number);
}

void
neigh_doubt(struct pmtcp_ctx *s, uint16_t number)
{
	struct neigh *e = &s->neighs.entries[number];

	if (e->state != NEIGH_REACHABLE)
		return;
	s->t.hops[number].confirmed = s->t.now_ms - s->t.conf.neigh_reachable_ms;
	e->state = NEIGH_PROBE;
	e->tries = 0;
	ask(s, number);
}

/* After a failure it is not asked again for a while. A due time that lies farther away
 * than the pause is an old one, from before the millisecond clock came round (NEG-24). */
bool
neigh_is_pausing(const struct pmtcp_ctx *s, uint16_t number)
{
	const struct neigh *e = &s->neighs.entries[number];

	return e->state == NEIGH_FAILED && e->due_ms - s->t.now_ms - 1 < NEIGH_PAUSE_MS;
}

void
neigh_want(struct pmtcp_ctx *s, uint16_t number)
{
	struct neigh *e = &s->neighs.entries[number];

	s->t.hops[number].is_wanted = false;
	if (e->state != NEIGH_FAILED || neigh_is_pausing(s, number))
		return;
	e->state = NEIGH_INCOMPLETE;
	e->tries = 0;
	ask(s, number);
}

/* W-7: whoever is opening learns that the next hop is silent; its RTO goes on, and a
 * late answer still completes the open. */
static void
tell_waiting(struct pmtcp_ctx *s, uint16_t number)
{
	uint32_t index = s->t.hops[number].wait_head;

	while (index && index != MARK_END) {
		struct tcb *c = tcp_tcb(&s->t, index);

		index = c->head.mark_next;
		if (c->head.kind != BLOCK_TCB || c->head.state != TCPS_SYN_SENT)
			continue;
		c->reason = PMTCP_UNREACHABLE;
		tcp_event(&s->t, c, PMTCP_EV_ERROR);
	}
}

struct pmtcp_addr
neigh_addr_of(const struct pmtcp_ctx *s, uint16_t number)
{
	const struct neigh_addr *addr = &s->neighs.entries[number].addr;

	return s->t.hops[number].is_v6 ? pmtcp_addr6((const uint8_t *)addr->words, 0)
				       : pmtcp_addr4(rte_be_to_cpu_32(ip4_of(addr)), 0);
}

/* Forged SYNs, or a scan of the application's own, name as many silent hosts as they like:
 * once a second one of them is told of. Of a gateway always, which no one else can name. */
static void
diagnose(struct pmtcp_ctx *s, uint16_t number)
{
	struct pmtcp_addr addr = neigh_addr_of(s, number);

	if (number != s->gateway && number != s->gateway6 && !stack_diag_is_due(s, &s->silent_ms))
		return;
	stack_diag_addr(s, PMTCP_DIAG_NEIGH_FAILED, &addr);
}

static void
failed(struct pmtcp_ctx *s, uint16_t number)
{
	struct neigh *e = &s->neighs.entries[number];

	s->t.hops[number].is_resolved = false;
	e->state = NEIGH_FAILED;
	e->tries = 0;
	tcp_count(&s->t, PMTCP_C_neigh_failed);
	diagnose(s, number);
	tcp_hop_failed(&s->t, number);
	tell_waiting(s, number);
	set_due(s, e, NEIGH_PAUSE_MS);
}

/* What TCP's progress once proved is revoked, and it is asked by unicast, unless somebody
 * else's progress proved it only now (SEC-7: at most one request a second). */
void
neigh_suspect(struct pmtcp_ctx *s, uint16_t number)
{
	struct tcp_hop *hop = &s->t.hops[number];

	hop->is_suspect = false;
	if (s->t.now_ms - hop->confirmed >= NEIGH_ASK_MS)
		neigh_doubt(s, number);
}

/* Reachability ends by time unless TCP made progress over this hop (W-8); who is
 * not in use is left alone until somebody sends. */
static void
age(struct pmtcp_ctx *s, uint16_t number)
{
	struct neigh *e = &s->neighs.entries[number];
	const struct tcp_hop *hop = &s->t.hops[number];
	uint32_t since = s->t.now_ms - hop->confirmed;
	uint32_t limit = s->t.conf.neigh_reachable_ms;

	if (since < limit) {
		set_due(s, e, limit - since);
	} else if (hop->refs > 0 || number == s->gateway || number == s->gateway6) {
		e->state = NEIGH_PROBE;
		e->tries = 0;
		ask(s, number);
	} else {
		set_due(s, e, limit);
	}
}

/* Known, and asked by unicast. TCP's progress is an answer too (W-8); three times
 * nothing, and it may have moved: then everybody is asked. */
static void
probe_tick(struct pmtcp_ctx *s, uint16_t number)
{
	struct neigh *e = &s->neighs.entries[number];

	if (s->t.now_ms - s->t.hops[number].confirmed < s->t.conf.neigh_reachable_ms) {
		e->state = NEIGH_REACHABLE;
		age(s, number);
		return;
	}
	if (e->tries >= NEIGH_TRIES) {
		e->state = NEIGH_INCOMPLETE;
		e->tries = 0;
		s->t.hops[number].is_resolved = false;
	}
	ask(s, number);
}

static void
entry_tick(struct pmtcp_ctx *s, uint16_t number)
{
	struct neigh *e = &s->neighs.entries[number];

	switch (e->state) {
	case NEIGH_INCOMPLETE:
		if (e->tries >= NEIGH_TRIES)
			failed(s, number);
		else
			ask(s, number);
		break;
	case NEIGH_PROBE:
		probe_tick(s, number);
		break;
	case NEIGH_REACHABLE:
		age(s, number);
		break;
	case NEIGH_FAILED:
		if (s->t.hops[number].wait_head)
			neigh_want(s, number);
		break;
	default:
		break;
	}
}

/* Walks the table when the earliest entry is due: at most once a second while
 * something is being asked. */
void
neigh_tick(struct pmtcp_ctx *s)
{
	struct neigh_table *n = &s->neighs;
	uint32_t earliest = 0;
	bool has_due = false;

	if (!n->has_due || seq_gt(n->next_ms, s->t.now_ms))
		return;
	n->has_due = false;
	for (uint16_t i = 1; i < n->fresh; i++) {
		struct neigh *e = &n->entries[i];

		if (e->state == NEIGH_STATIC || e->state == NEIGH_FREE)
			continue;
		if (seq_leq(e->due_ms, s->t.now_ms))
			entry_tick(s, i);
		if (seq_leq(e->due_ms, s->t.now_ms))
			continue; /* failed and unwanted: nothing is due */
		if (!has_due || seq_lt(e->due_ms, earliest))
			earliest = e->due_ms;
		has_due = true;
	}
	n->has_due = has_due;
	n->next_ms = earliest;
}

uint64_t
neigh_deadline(const struct pmtcp_ctx *s)
{
	const struct neigh_table *n = &s->neighs;
	int32_t in_ms;

	if (!n->has_due)
		return UINT64_MAX;
	in_ms = seq_diff(n->next_ms, s->t.now_ms);
	return (s->t.now_tick + (in_ms > 0 ? (uint32_t)in_ms : 0)) * 1000000;
}

/* To the asker alone. */
static void
answer(struct pmtcp_ctx *s, const struct wire_arp *request)
{
	struct wire_arp arp = {.op = WIRE_ARP_REPLY,
			.sender_ip = request->target_ip,
			.target_ip = request->sender_ip,
			.sender_mac = s->t.conf.mac,
			.target_mac = request->sender_mac,
			.eth_dst = request->sender_mac};
	struct rte_mbuf *m = tcp_ctl_alloc(&s->t);

	if (!m)
		return;
	wire_emit_arp(m, &arp);
	if (!tcp_reply_push(&s->t, m))
		rte_pktmbuf_free(m);
}

void
neigh_arp_input(struct pmtcp_ctx *s, const struct rte_mbuf *m)
{
	struct wire_arp arp;
	struct pmtcp_addr ours;
	uint16_t number = NEIGH_NONE;
	bool is_for_us;

	if (!wire_parse_arp(m, &arp)) {
		tcp_drop(&s->t, PMTCP_C_drop_arp_bad);
		return;
	}
	/* RFC 5227 section 2: somebody else claims our address. */
	if (stack_is_local(s, arp.sender_ip)) {
		tcp_drop(&s->t, PMTCP_C_drop_arp_unused);
		tcp_count(&s->t, PMTCP_C_arp_conflict);
		ours = pmtcp_addr4(rte_be_to_cpu_32(arp.sender_ip), 0);
		stack_diag_conflict(s, &ours);
		return;
	}
	is_for_us = stack_is_local(s, arp.target_ip) && rte_is_unicast_ether_addr(&arp.sender_mac);
	/* W-6: a probe has no sender address to remember. An entry is made only by who
	 * asks for us and lives where we could send to it. */
	if (arp.sender_ip != 0)
		number = neigh_heard(s, neigh_addr4(arp.sender_ip), &arp.sender_mac,
				is_for_us && arp.op == WIRE_ARP_REQUEST &&
						((arp.sender_ip ^ s->net) & s->mask) == 0);
	if (number != NEIGH_NONE) {
		neigh_tell(s, number, &arp.sender_mac, true);
		neigh_believe(s, number, &arp.sender_mac);
	} else if (is_for_us && arp.op == WIRE_ARP_REPLY && arp.sender_ip != 0) {
		ours = pmtcp_addr4(rte_be_to_cpu_32(arp.sender_ip), 0);
		neigh_tell_answer(s, ours, &arp.sender_mac, true);
	}
	if (is_for_us && arp.op == WIRE_ARP_REQUEST) {
		tcp_count(&s->t, PMTCP_C_arp_taken);
		answer(s, &arp);
		return;
	}
	tcp_drop(&s->t, number != NEIGH_NONE ? PMTCP_C_arp_taken : PMTCP_C_drop_arp_unused);
}
