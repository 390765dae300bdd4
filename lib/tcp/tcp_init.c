/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Making, checking and ending an engine: shares of the region, defaults. */

#include "tcp/tcp_recovery.h"

#include <errno.h>

#include "wire/wire_parse.h"
#include "wire/wire_plain.h"
#include "wire/wire_vlan.h"

/* The region, part by part, each on a cache line of its own. */
struct layout {
	uint32_t tcb_first, tcb_end;
	uint32_t half_open_first, half_open_end;
	uint32_t time_wait_first, time_wait_end;
	size_t table, txs, rxs, rares, recs, classes, hops, pairs, listeners, ports, addr6;
	size_t starve, paths, end;
	uint32_t entries;
	uint32_t n_time_waits;
	uint32_t n_rares;
	uint32_t n_pairs;
};

static size_t
part(size_t *at, size_t len)
{
	size_t start = *at;

	*at = (start + len + PMTCP_CACHE_LINE - 1) & ~(size_t)(PMTCP_CACHE_LINE - 1);
	return start;
}

static uint32_t
pow2_at_least(uint32_t n)
{
	uint32_t p = 16;

	while (p < n && p < 1u << 30)
		p *= 2;
	return p;
}

/* TW-14: by default a quarter of the table is theirs. */
static uint32_t
time_waits(const struct pmtcp_conf *conf)
{
	uint64_t others = (uint64_t)conf->max_conns + conf->max_half_open;

	return conf->max_time_wait ? conf->max_time_wait : max_u32((uint32_t)(others / 3), 1);
}

static void
lay_out(const struct pmtcp_conf *conf, struct layout *l)
{
	size_t at;

	l->tcb_first = SLAB_CHUNK_HEAD;
	l->tcb_end = l->tcb_first + slab_units(l->tcb_first, conf->max_conns, 2, true);
	l->half_open_first = l->tcb_end;
	l->half_open_end = l->half_open_first + conf->max_half_open;
	l->time_wait_first = l->half_open_end;
	l->n_time_waits = time_waits(conf);
	l->time_wait_end = l->time_wait_first + l->n_time_waits;
	l->entries = conf->max_conns + conf->max_half_open + l->n_time_waits;
	l->n_rares = conf->max_rares ? conf->max_rares : conf->max_conns;
	l->n_pairs = pow2_at_least(2 * conf->max_port_pairs);
	at = (size_t)l->time_wait_end * SLAB_UNIT;
	l->table = part(&at, flow_table_memsize(l->entries));
	/* Side records: index 0 of each slab is none, so one object more. */
	l->txs = part(&at, ((size_t)conf->max_transfers + 1) * TCP_TX_UNITS * SLAB_UNIT);
	l->rxs = part(&at, ((size_t)conf->max_transfers + 1) * SLAB_UNIT);
	l->rares = part(&at, ((size_t)l->n_rares + 1) * SLAB_UNIT);
	l->recs = part(&at, recpool_memsize(conf->max_records));
	l->classes = part(&at, conf->max_classes * sizeof(struct tcp_class));
	l->hops = part(&at, ((size_t)conf->max_neighbours + 1) * sizeof(struct tcp_hop));
	l->pairs = part(&at, l->n_pairs * sizeof(struct tcp_pair));
	l->listeners = part(&at, conf->max_listeners * sizeof(struct pmtcp_listener));
	l->ports = part(&at, 65536 * sizeof(uint16_t));
	/* One place for each block: tcp_addr6_at(). */
	l->addr6 = part(&at, conf->n_ranges6 ? (size_t)(l->time_wait_end - l->tcb_end / 2) *
							       sizeof(struct flow_addr6)
					     : 0);
	l->starve = part(&at, tcp_starve_memsize(l->tcb_end));
	l->paths = part(&at, tcp_path_memsize());
	l->end = at;
}

size_t
tcp_memsize(const struct pmtcp_conf *conf)
{
	struct layout l;

	lay_out(conf, &l);
	return l.end;
}

static bool
counts_are_sane(const struct pmtcp_conf *conf)
{
	uint64_t units = 2ull * conf->max_conns + conf->max_half_open + time_waits(conf);

	return conf->max_conns >= 1 && conf->max_half_open >= 1 && units < 1u << 30 &&
	       conf->max_transfers >= 1 && conf->max_transfers < 1u << 29 &&
	       conf->max_rares < 1u << 30 && conf->max_records >= 1 &&
	       conf->max_records < 1u << 30 && conf->max_port_pairs >= 1 &&
	       conf->max_port_pairs < 1u << 28 && conf->max_listeners >= 1 &&
	       conf->max_listeners < UINT16_MAX && conf->max_classes >= 2 &&
	       conf->max_neighbours >= 1 && conf->max_neighbours < TCP_NO_HOP - 1 &&
	       conf->spare_max <= TCP_SPARES_MAX;
}

/* It goes to lib/recovery as it is. */
STATIC_ASSERT(PMTCP_IW_RFC5681 == CC_IW_RFC5681);

static bool
times_are_sane(const struct pmtcp_conf *conf)
{
	return (conf->tw_ms == 0 || (conf->tw_ms >= 1000 && conf->tw_ms <= 240000)) &&
	       conf->tw_reuse <= PMTCP_TW_REUSE_FORCE && conf->fw2_ms >= 1000 &&
	       conf->rto_min_ms >= 1 && conf->rto_initial_ms >= 1 &&
	       conf->rto_max_ms >= conf->rto_min_ms && conf->rto_max_ms >= conf->rto_initial_ms &&
	       conf->rto_max_ms <= 3600000 && conf->delack_ms >= 1 && conf->delack_ms <= 200 &&
	       conf->ack_stretch >= 1 && conf->cc < PMTCP_CC_MAX && conf->ecn <= PMTCP_ECN_OFFER &&
	       conf->initial_window >= 1 &&
	       (conf->initial_window <= TCP_IW_MAX || conf->initial_window == PMTCP_IW_RFC5681) &&
	       conf->pmtu_min >= 160 && conf->pmtu_min <= 1280;
}

static bool
conf_is_sane(const struct pmtcp_conf *conf)
{
	return counts_are_sane(conf) && times_are_sane(conf) && conf->pool && conf->mtu >= 576 &&
	       conf->mtu <= 9000 && conf->ttl >= 1 && conf->port_first >= 1 &&
	       conf->port_last >= conf->port_first && conf->send_buffer >= TCP_BUFFER_MIN &&
	       conf->send_buffer <= TCP_BUFFER_MAX && conf->recv_buffer >= TCP_BUFFER_MIN &&
	       conf->recv_buffer <= TCP_BUFFER_MAX && conf->owners >= 1 &&
	       conf->owner < conf->owners && conf->syn_cookies <= PMTCP_COOKIES_OFF &&
	       conf->vlan <= WIRE_VLAN_VID_MAX;
}

/* A full segment is sent from one buffer, its headers in the head room. */
static bool
buffers_hold_a_segment(const struct pmtcp_conf *conf)
{
	uint32_t room = rte_pktmbuf_data_room_size(conf->pool);

	return room >= RTE_PKTMBUF_HEADROOM + (uint32_t)conf->mtu - WIRE_IP4_LEN - WIRE_TCP_LEN;
}

static void
slab_init(struct slab *s, uint8_t *base, uint32_t first, uint32_t end, uint32_t max)
{
	*s = (struct slab){.base = base, .fresh = first, .end = end, .units = 1, .max = max};
	s->link_off = offsetof(struct block_head, mark_next);
}

static void
init_shares(struct tcp *t, uint8_t *mem, const struct layout *l)
{
	const struct pmtcp_conf *conf = &t->conf;

	slab_init(&t->tcbs, mem, l->tcb_first, l->tcb_end, conf->max_conns);
	t->tcbs.units = 2;
	t->tcbs.has_chunk_head = true;
	slab_init(&t->half_opens, mem, l->half_open_first, l->half_open_end, conf->max_half_open);
	slab_init(&t->time_waits, mem, l->time_wait_first, l->time_wait_end, l->n_time_waits);
	slab_init(&t->txs, mem + l->txs, TCP_TX_UNITS, TCP_TX_UNITS * (conf->max_transfers + 1),
			conf->max_transfers);
	t->txs.units = TCP_TX_UNITS;
	slab_init(&t->rxs, mem + l->rxs, 1, conf->max_transfers + 1, conf->max_transfers);
	slab_init(&t->rares, mem + l->rares, 1, l->n_rares + 1, l->n_rares);
	recpool_init(&t->recs, mem + l->recs, conf->max_records);
	t->classes = (void *)(mem + l->classes);
	t->hops = (void *)(mem + l->hops);
	t->pairs = (void *)(mem + l->pairs);
	t->listeners = (void *)(mem + l->listeners);
	t->listener_by_port = (void *)(mem + l->ports);
	t->addr6 = conf->n_ranges6 ? (void *)(mem + l->addr6) : NULL;
	tcp_starve_init(&t->starve, mem + l->starve, l->tcb_end);
	tcp_path_init(&t->paths, mem + l->paths);
	t->n_pairs = l->n_pairs;
	t->tw_hand = l->time_wait_first;
	t->tw_first = l->time_wait_first;
}

int
tcp_init(struct tcp *t, void *mem, size_t len, const struct pmtcp_conf *conf)
{
	const struct pmtcp_secrets *secrets = &conf->secrets;
	struct layout l;
	int err;

	if (!conf_is_sane(conf) || !buffers_hold_a_segment(conf) ||
			(uintptr_t)mem % PMTCP_CTX_ALIGN != 0)
		return -EINVAL;
	lay_out(conf, &l);
	if (len < l.end)
		return -ENOMEM;
	t->conf = *conf;
	if (!t->conf.ctl_pool)
		t->conf.ctl_pool = conf->pool;
	t->base = mem;
	t->mss = (uint16_t)(conf->mtu - 40);
	t->flow_secret = (struct siphash_key){secrets->flow[0], secrets->flow[1]};
	t->open_secret[TCP_ISN_SECRET] = (struct siphash_key){secrets->isn[0], secrets->isn[1]};
	t->open_secret[TCP_TS_SECRET] = (struct siphash_key){secrets->ts[0], secrets->ts[1]};
	t->port_secret = (struct siphash_key){secrets->port[0], secrets->port[1]};
	t->port_range = (uint32_t)conf->port_last - conf->port_first + 1;
	for (uint32_t i = 0; i < PMTCP_ARRAY_SIZE(t->pair_mult); i++)
		t->pair_mult[i] = siphash24_12(&t->port_secret, i, UINT32_MAX);
	t->cookies.master = (struct siphash_key){secrets->cookie[0], secrets->cookie[1]};
	rng_seed(&t->rng, conf->seed);
	t->free_permille = 1000;
	t->ooo_spares_sack = true;
	t->rst_tokens = conf->rst_per_s;
	t->tx_conf.ip_cksum_offload = conf->caps.tx_ip_cksum;
	t->tx_conf.tcp_cksum_offload = conf->caps.tx_tcp_cksum;
	if (!conf->caps.tx_ip_cksum && !conf->caps.tx_tcp_cksum)
		t->plain_src = wire_plain_src(&conf->mac);
	init_shares(t, mem, &l);
	err = flow_table_init(&t->table, (uint8_t *)mem + l.table, flow_table_memsize(l.entries),
			mem, l.entries);
	if (err)
		return err;
	wheel_init(&t->wheel, (uint8_t *)mem + offsetof(struct block_head, timer), 0);
	return tcp_class_default(t);
}

static void
fini_tcb(struct tcp *t, struct tcb *c)
{
	tcp_tx_release(t, c);
	tcp_rx_release(t, c);
}

void
tcp_fini(struct tcp *t)
{
	/* Given-back tcbs have no side records: tx and rx are 0 in them. */
	for (uint32_t i = SLAB_CHUNK_HEAD; i < t->tcbs.fresh; i = slab_next(&t->tcbs, i))
		fini_tcb(t, tcp_tcb(t, i));
	for (uint16_t i = 0; i < t->n_spare; i++)
		rte_pktmbuf_free(t->spare[i]);
	for (uint16_t i = 0; i < t->n_replies; i++)
		rte_pktmbuf_free(t->replies[i]);
	t->counter[PMTCP_C_tw_flushed] += t->state[TCPS_TIME_WAIT];
	t->state[TCPS_TIME_WAIT] = 0;
	t->n_spare = 0;
	t->n_replies = 0;
}

static void
check_tcb(const struct tcp *t, const struct tcb *c, uint32_t *live)
{
	const struct tcp_rx *rx = tcp_rx(t, c);
	const struct tcp_tx *tx = tcp_is_message(c) ? NULL : tcp_tx(t, c);
	uint32_t at;

	if (c->head.kind != BLOCK_TCB && c->head.kind != BLOCK_ENDED)
		return;
	tcb_check(c);
	*live += c->head.kind == BLOCK_TCB;
	CHECK(!c->rare || c->head.kind == BLOCK_TCB);
	if (c->rare && tcp_rare_deadline(t, c, &at))
		CHECK(wheel_is_armed(&t->wheel, tcp_index(t, c)));
	if (tcp_is_message(c))
		tcp_message_check(t, c);
	if (tx)
		sendq_check(&tx->q, &t->recs);
	if (tx && tcb_has(c, TCB_SACK))
		tcp_sack_check(t, tx);
	if (rx && c->head.kind == BLOCK_TCB)
		reasm_check(&rx->r, &t->recs, c->rcv.nxt);
}

void
tcp_check_all(const struct tcp *t)
{
	uint32_t live = 0;

	for (uint32_t i = SLAB_CHUNK_HEAD; i < t->tcbs.fresh; i = slab_next(&t->tcbs, i))
		check_tcb(t, tcp_tcb(t, i), &live);
	CHECK(live == t->live);
	CHECK(t->state[TCPS_TIME_WAIT] + t->parked <= t->time_waits.used);
	wheel_check(&t->wheel);
	flow_table_check(&t->table, &t->flow_secret);
}
