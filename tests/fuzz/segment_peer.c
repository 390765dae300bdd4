/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See segment.h. */

#include <string.h>

#include "base/base.h"
#include "segment.h"
#include "stack/stack.h"
#include "support/pool.h"

/* ---- what the context sends ---------------------------------------------- */

/* Text of ours: octets that one of the handles wrote, at their numbers. */
static bool
is_written_text(const struct fuzz_side *s, const struct pkt *p)
{
	uint32_t seq = p->seq + !!(p->flags & PKT_SYN);

	for (uint32_t i = 0; i < s->n_conns; i++) {
		const struct side_conn *c = &s->conns[i];
		uint32_t at = seq - c->out_base;

		if (at < c->n_written && p->len <= c->n_written - at &&
				memcmp(p->payload, fuzz_text(at), p->len) == 0)
			return true;
	}
	return false;
}

static bool
are_addresses6(const struct pkt *p)
{
	uint8_t self[16], peer[16];

	ctx_ip6_of(TEST_ADDR, self);
	ctx_ip6_of(TEST_PEER, peer);
	return memcmp(p->saddr6, self, 16) == 0 && memcmp(p->daddr6, peer, 16) == 0;
}

static void
judge_tcp(struct fuzz_peer *f, const struct pkt *p)
{
	uint16_t k = (uint16_t)(p->dport - PEER_PORT);

	EXPECT(p->is_ip_cksum_good && p->is_l4_cksum_good);
	EXPECT(p->vlan == f->side.conf.vlan);
	EXPECT(p->version == (f->side.is_v6 ? 6 : 4));
	EXPECT(f->side.is_v6 ? are_addresses6(p) : p->saddr == TEST_ADDR && p->daddr == TEST_PEER);
	if (k >= PEER_PORTS || p->sport != SIDE_PORT)
		return;
	if (p->flags & PKT_SYN) {
		EXPECT(!(p->flags & (PKT_FIN | PKT_RST)));
		f->iss[k] = p->seq;
		f->syn_tsval[k] = p->tsval;
		f->syn_has_ts[k] = p->opts & PKT_OPT_TS;
	}
	if (p->flags & PKT_RST)
		EXPECT(p->len == 0 && !(p->flags & PKT_FIN));
	else
		EXPECT(p->flags & (PKT_ACK | PKT_SYN));
	EXPECT(p->len == 0 || is_written_text(&f->side, p));
}

static void
judge_frame(struct fuzz_side *s, struct rte_mbuf *m)
{
	static struct pkt p;

	EXPECT(pkt_decode(&p, m) == 0);
	if (p.kind == PKT_KIND_TCP)
		judge_tcp(s->owner, &p);
	else
		EXPECT(p.kind == PKT_KIND_ARP || (p.kind == PKT_KIND_ICMP && p.is_l4_cksum_good));
	rte_pktmbuf_free(m);
}

/* The peer's text is a function of its numbers. */
static uint32_t
in_text(const struct fuzz_side *s, const struct side_conn *c)
{
	(void)s;
	return c->in_base;
}

/* ---- edges --------------------------------------------------------------- */

static void
edges_of_tcb(const struct tcp *t, const struct tcb *c, struct edges *e)
{
	e->una = c->snd.una;
	e->nxt = c->snd.nxt;
	e->max_wnd = (uint32_t)c->max_wnd << tcb_snd_shift(c);
	e->rcv_nxt = c->rcv.nxt;
	e->rcv_edge = c->rcv.adv;
	e->ts_recent = c->ts_recent;
	e->tsval = tcp_tsval(t, c->ts_offset);
	e->has_ts = tcb_has(c, TCB_TS);
}

static void
edges_of_half_open(const struct tcp *t, const struct syn_rcvd *sr, struct edges *e)
{
	e->una = sr->iss;
	e->nxt = sr->iss + 1;
	e->max_wnd = sr->wnd;
	e->rcv_nxt = sr->irs + 1;
	e->rcv_edge = sr->irs + 1 + 65535;
	e->ts_recent = sr->ts_recent;
	e->tsval = tcp_tsval(t, sr->ts_offset);
	e->has_ts = sr->flags & SR_TS;
}

static void
edges_of_time_wait(const struct tcp *t, const struct time_wait *tw, struct edges *e)
{
	e->una = tw->snd_nxt;
	e->nxt = tw->snd_nxt;
	e->max_wnd = 65535;
	e->rcv_nxt = tw->rcv_nxt;
	e->rcv_edge = tw->rcv_nxt + tw->window;
	e->ts_recent = tw->ts_recent;
	e->tsval = tcp_tsval(t, tw->ts_offset);
	e->has_ts = tw->flags & TW_TS;
}

/* No block: as a cookie's ACK would be, by the numbers of the last SYN each way. */
static void
edges_of_none(const struct fuzz_peer *f, uint16_t k, struct edges *e)
{
	memset(e, 0, sizeof(*e));
	e->una = f->iss[k];
	e->nxt = f->iss[k] + 1;
	e->max_wnd = 65535;
	e->rcv_nxt = f->syn_seq[k] + 1;
	e->rcv_edge = e->rcv_nxt + 65535;
	e->tsval = f->syn_tsval[k];
	e->has_ts = f->syn_has_ts[k];
}

void
peer_edges(const struct fuzz_peer *f, uint16_t port, struct edges *e)
{
	const struct tcp *t = &f->side.ctx->t;
	struct flow_key key = {.laddr = rte_cpu_to_be_32(TEST_ADDR),
			.raddr = rte_cpu_to_be_32(TEST_PEER),
			.lport = rte_cpu_to_be_16(SIDE_PORT),
			.rport = rte_cpu_to_be_16(port)};
	struct flow_addr6 addr6;
	const struct block_head *b;
	uint32_t index;

	if (f->side.is_v6) {
		ctx_ip6_of(TEST_ADDR, addr6.local);
		ctx_ip6_of(TEST_PEER, addr6.remote);
		flow_key6_digest(&t->flow_secret, &addr6, &key);
	}
	index = flow_table_lookup(&t->table, tcp_hash(t, &key), &key);
	b = tcp_block(t, index);
	if (index == 0)
		edges_of_none(f, (uint16_t)(port - PEER_PORT), e);
	else if (b->kind == BLOCK_TCB)
		edges_of_tcb(t, (const struct tcb *)(const void *)b, e);
	else if (b->kind == BLOCK_SYN_RCVD)
		edges_of_half_open(t, (const struct syn_rcvd *)(const void *)b, e);
	else
		edges_of_time_wait(t, (const struct time_wait *)(const void *)b, e);
}

uint32_t
peer_draw_seq(const struct fuzz_peer *f, const struct edges *e, uint8_t which)
{
	switch (which & 7) {
	case 0:
	case 1:
		return e->rcv_nxt;
	case 2:
		return e->rcv_edge;
	case 3:
		return f->peer_end;
	case 4:
		return f->irs;
	case 5:
		return e->rcv_nxt + 1448;
	case 6:
		return e->rcv_nxt + (e->rcv_edge - e->rcv_nxt) / 2;
	default:
		return e->rcv_nxt + 0x80000000u;
	}
}

uint32_t
peer_draw_ack(const struct edges *e, uint8_t which)
{
	switch (which & 7) {
	case 0:
	case 1:
	case 2:
		return e->nxt;
	case 3:
		return e->una;
	case 4:
		return e->una + (e->nxt - e->una) / 2;
	case 5:
		return e->una - e->max_wnd;
	case 6:
		return e->una + 1460;
	default:
		return e->nxt + 0x80000000u;
	}
}

/* ---- what the peer sends ------------------------------------------------- */

static void
push(struct fuzz_peer *f, struct rte_mbuf *m)
{
	if (f->n_burst == PEER_BURST_MAX)
		peer_deliver(f);
	f->burst[f->n_burst++] = m;
}

static void
address(const struct fuzz_peer *f, struct build *b)
{
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR);
	struct rte_ether_addr peer = ctx_mac_of(TEST_PEER);

	memcpy(b->dmac, self.addr_bytes, 6);
	memcpy(b->smac, peer.addr_bytes, 6);
	b->saddr = TEST_PEER;
	b->daddr = TEST_ADDR;
	b->vlan = f->side.conf.vlan;
	b->version = f->side.is_v6 ? 6 : 4;
	ctx_ip6_of(TEST_PEER, b->saddr6);
	ctx_ip6_of(TEST_ADDR, b->daddr6);
}

void
peer_send(struct fuzz_peer *f, uint16_t port, struct build *b)
{
	uint32_t first = b->seq + !!(b->flags & PKT_SYN);

	address(f, b);
	b->sport = port;
	b->dport = SIDE_PORT;
	b->payload = fuzz_text(first);
	if (b->flags & PKT_SYN)
		f->syn_seq[port - PEER_PORT] = b->seq;
	if (!(b->flags & PKT_RST))
		f->peer_end = first + b->len + !!(b->flags & PKT_FIN);
	push(f, build_tcp(f->side.rx_pool, b));
}

void
peer_send_icmp(struct fuzz_peer *f, const struct build_icmp *icmp, const uint8_t *inner,
		uint32_t len)
{
	struct build b = {.payload = inner, .len = len};

	address(f, &b);
	push(f, build_icmp(f->side.rx_pool, &b, icmp));
}

void
peer_deliver(struct fuzz_peer *f)
{
	uint16_t n = f->n_burst;

	f->n_burst = 0;
	f->side.now += 10000;
	side_input(&f->side, f->burst, n);
}

/* ---- setting up ---------------------------------------------------------- */

static void
configure(struct fuzz_peer *f, struct fuzz_in *in)
{
	static const uint64_t starts_ms[4] = {
			1000, UINT32_MAX - 2000ull, 0x7ffff000ull, 1ull << 40};
	static const uint32_t initial[4] = {1000000, UINT32_MAX - 1500, 0x7fffff00, 0};
	struct pmtcp_conf *conf = &f->side.conf;
	uint8_t knobs = fuzz_u8(in), more = fuzz_u8(in), net = fuzz_u8(in);

	side_configure(&f->side, TEST_ADDR, TEST_PEER, net);
	f->side.opts = fuzz_u8(in);
	conf->max_conns = 8;
	conf->max_half_open = 4;
	conf->max_time_wait = 4;
	conf->max_transfers = knobs & 1 ? 2 : 8;
	conf->max_records = knobs & 2 ? 16 : 256;
	conf->max_port_pairs = 4;
	conf->tw_reuse = knobs & 4 ? 1 + (more >> 7) : PMTCP_TW_REUSE_OFF;
	conf->tw_skip_new = knobs & 8;
	conf->ts_lenient = knobs & 16;
	conf->fin_rst_lenient = knobs & 32;
	conf->spare_max = knobs & 64 ? 8 : 0;
	conf->caps.tx_multi_seg = knobs & 128;
	conf->recv_buffer = more & 1 ? 4096 : 65536;
	conf->send_buffer = more & 2 ? 4096 : 65536;
	conf->ack_stretch = more & 4 ? 2 : 8;
	conf->orphan_max = more & 8 ? 1 : UINT32_MAX;
	f->side.now = starts_ms[more >> 4 & 3] * SIDE_MS;
	f->irs = initial[more >> 6];
}

void
peer_create(struct fuzz_peer *f, struct fuzz_in *in)
{
	uint8_t state, how, syn;

	memset(f, 0, sizeof(*f));
	f->side.owner = f;
	f->side.frame = judge_frame;
	f->side.in_text = in_text;
	configure(f, in);
	state = fuzz_u8(in) % PMTCP_STATE_MAX;
	how = fuzz_u8(in);
	syn = fuzz_u8(in);
	f->syn_opts = syn & (PKT_OPT_MSS | PKT_OPT_SACK_PERM | PKT_OPT_TS | PKT_OPT_WSCALE);
	f->is_ecn = syn & 32;
	f->side.conf.syn_per_ms = syn & 64 ? 1 : f->side.conf.syn_per_ms;
	f->side.conf.max_rares = syn & 128 ? 1 : 0;
	f->wnd = (uint16_t)(fuzz_u8(in) << 8 | 255);
	f->peer_end = f->irs + 1;
	f->syn_seq[0] = f->syn_seq[1] = f->irs;
	side_create(&f->side);
	fuzz_is_preparing(true);
	script_run(f, (enum pmtcp_state)state, how);
	fuzz_is_preparing(false);
}

void
peer_destroy(struct fuzz_peer *f)
{
	peer_deliver(f);
	side_destroy(&f->side);
}
