/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Making and ending a context, time, output: the drive calls of pmtcp.h that are not
 * input. */

#include "stack/stack.h"

#include <errno.h>
#include <string.h>

void
pmtcp_conf_init(struct pmtcp_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf->mtu = 1500;
	conf->prefix_len = 24;
	conf->prefix6_len = 64;
	conf->ttl = 64;
	conf->max_conns = 65536;
	conf->max_half_open = 65536;
	conf->max_time_wait = 0;
	conf->max_transfers = 65536;
	conf->max_records = 1 << 20;
	conf->max_port_pairs = 4096;
	conf->max_listeners = 256;
	conf->max_classes = 256;
	conf->max_neighbours = 1024;
	conf->spare_max = TCP_SPARES_MAX;
	conf->port_first = 1024;
	conf->port_last = 65535;
	conf->owners = 1;
	conf->tw_ms = 60000;
	conf->tw_reuse = PMTCP_TW_REUSE_SAFE;
	conf->fw2_ms = 60000;
	conf->rto_min_ms = 200;
	conf->rto_initial_ms = 1000;
	conf->rto_max_ms = 60000;
	conf->pmtu_min = 552;
	conf->pmtu_raise_ms = 600000;
	conf->pmtu_blackhole = true;
	conf->delack_ms = 40;
	conf->ack_stretch = 8;
	conf->syn_retries = 7;
	conf->synack_retries = 5;
	conf->retries = 15;
	conf->orphan_retries = 8;
	conf->cc = PMTCP_CC_CUBIC;
	conf->initial_window = CC_IW;
	conf->tlp = true;
	conf->ecn = PMTCP_ECN_ACCEPT;
	conf->orphan_max = UINT32_MAX;
	conf->send_buffer = 256 << 10;
	conf->recv_buffer = 256 << 10;
	conf->rst_per_s = 1000;
	conf->icmp_per_s = 100;
	conf->syn_cookies = PMTCP_COOKIES_AUTO;
	conf->syn_per_ms = 500;
	conf->neigh_reachable_ms = 30000;
	conf->close_wait_warn = 1024;
	conf->close_wait_warn_ms = 60000;
}

/* DEC-6 (RFC 6298 2.4), DEC-8 (RFC 9293 3.4.2). */
void
pmtcp_conf_rfc(struct pmtcp_conf *conf)
{
	conf->rto_min_ms = 1000;
	conf->tw_ms = 240000;
}

static size_t
align_line(size_t at)
{
	return (at + PMTCP_CACHE_LINE - 1) & ~(size_t)(PMTCP_CACHE_LINE - 1);
}

size_t
pmtcp_ctx_memsize(const struct pmtcp_conf *conf)
{
	return align_line(tcp_memsize(conf)) + align_line(sizeof(struct pmtcp_ctx)) +
	       align_line(neigh_memsize(conf->max_neighbours));
}

int
pmtcp_ctx_init(void *mem, size_t len, const struct pmtcp_conf *conf, struct pmtcp_ctx **ctx)
{
	size_t at = align_line(tcp_memsize(conf));
	struct pmtcp_ctx *s = (struct pmtcp_ctx *)(void *)((uint8_t *)mem + at);
	int err;

	if (len < pmtcp_ctx_memsize(conf))
		return -ENOMEM;
	err = tcp_init(&s->t, mem, len, conf);
	if (err)
		return err;
	s->t.stack = s;
	s->t.route = stack_route;
	s->t.is_local = stack_is_local;
	s->t.is_remote_ok = stack_is_remote_ok;
	s->t.pick_local = stack_pick_local;
	s->t.diag = stack_diag;
	s->t.route6 = stack_route6;
	s->t.is_local6 = stack_is_local6;
	s->t.is_remote_ok6 = stack_is_remote_ok6;
	s->t.pick_local6 = stack_pick_local6;
	s->t.knows_way = stack_knows_way;
	s->t.owns = conf->owners > 1 ? stack_owns : NULL;
	s->rx_conf.trust_ip_cksum = conf->caps.rx_ip_cksum;
	s->rx_conf.trust_tcp_cksum = conf->caps.rx_tcp_cksum;
	s->rx_conf.addr_key = conf->n_ranges6 ? &s->t.flow_secret : NULL;
	s->rx_conf.max_frame = (uint16_t)(conf->mtu + WIRE_ETH_LEN);
	s->untagged_conf = s->rx_conf;
	s->is_tagged = conf->vlan != 0 || conf->caps.rx_vlan_strip;
	/* No frame is short enough for the parser then, so that all take the way by
	 * parse_tagged() and the others pay nothing. */
	if (s->is_tagged)
		s->rx_conf.max_frame = 0;
	s->icmp_tokens = conf->icmp_per_s;
	err = stack_steer_init(s, conf->rss);
	if (err)
		return err;
	neigh_init(s, (uint8_t *)s + align_line(sizeof(*s)), conf->max_neighbours);
	err = stack_addr_init(s);
	if (err)
		return err;
	*ctx = s;
	return 0;
}

void
pmtcp_ctx_fini(struct pmtcp_ctx *s)
{
	stack_misdirected_fini(s);
	tcp_fini(&s->t);
}

void
pmtcp_tick(struct pmtcp_ctx *s, uint64_t now_ns)
{
	tcp_tick(&s->t, now_ns);
	neigh_tick(s);
}

uint64_t
pmtcp_deadline(const struct pmtcp_ctx *s)
{
	const struct tcp *t = &s->t;
	uint64_t at_ns = tcp_output_deadline(t);
	uint64_t tick;

	if (at_ns <= t->now_ns || t->n_replies || t->ready_head || t->has_wanted_hop ||
			tcp_starve_is_due(t))
		return t->now_ns;
	tick = min_u64(wheel_deadline(&t->wheel), tcp_watch_deadline(t));
	at_ns = min_u64(at_ns, tick == UINT64_MAX ? tick : tick * 1000000);
	return min_u64(at_ns, neigh_deadline(s));
}

/* Blocks whose next hop is unresolved moved to its wait list: ask for it. */
static void
ask_for_hops(struct pmtcp_ctx *s)
{
	for (uint16_t i = 1; i < s->neighs.fresh; i++) {
		if (s->t.hops[i].is_wanted)
			neigh_want(s, i);
		if (s->t.hops[i].is_suspect)
			neigh_suspect(s, i);
	}
	s->t.has_wanted_hop = false;
}

uint16_t
pmtcp_output(struct pmtcp_ctx *s, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t k;

	tcp_set_now(&s->t, now_ns);
	k = tcp_output(&s->t, pkts, n);
	if (is_likely(!s->t.has_wanted_hop))
		return k;
	ask_for_hops(s);
	return (uint16_t)(k + tcp_output(&s->t, pkts + k, (uint16_t)(n - k)));
}

void
pmtcp_set_pressure(struct pmtcp_ctx *s, uint16_t free_permille)
{
	s->t.free_permille = (uint16_t)min_u32(free_permille, 1000);
	if (s->t.free_permille >= TCP_PRESSURE_OOO) {
		s->t.ooo_spares_sack = true;
		s->t.ooo_had_plain = false;
	} else {
		s->t.watch_tick = 0;
	}
}

int
pmtcp_neigh_resolve(struct pmtcp_ctx *s, uint64_t now_ns, const struct pmtcp_addr *addr)
{
	uint16_t number;

	tcp_set_now(&s->t, now_ns);
	if (addr->version == 6 && !s->t.addr6)
		return -EAFNOSUPPORT;
	number = addr->version == 6 ? stack_route6(s, addr->ip6)
				    : stack_route(s, rte_cpu_to_be_32(addr->ip4));
	if (number == TCP_NO_HOP)
		return -ENETUNREACH;
	if (s->t.hops[number].is_resolved)
		return 1;
	if (neigh_is_pausing(s, number))
		return -EHOSTUNREACH;
	neigh_want(s, number);
	return 0;
}

struct rte_mbuf *
pmtcp_buf_alloc(struct pmtcp_ctx *s)
{
	return rte_pktmbuf_alloc(s->t.conf.pool);
}

uint64_t
pmtcp_now(const struct pmtcp_ctx *s)
{
	return s->t.now_ns;
}

void
pmtcp_ctx_check(const struct pmtcp_ctx *s)
{
	tcp_check_all(&s->t);
}
