/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See bed.h. */

#include "support/bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/check.h"
#include "support/pool.h"

#define BED_ROOM     (RTE_PKTMBUF_HEADROOM + 2048)
#define BED_START_NS (1000 * 1000 * BED_MS)
#define BED_TURNS    10000000u

void
bed_create(struct bed *bed, void (*tune)(struct pmtcp_conf *conf))
{
	memset(bed, 0, sizeof(*bed));
	bed->now = BED_START_NS;
	bed->pool = test_pool_create(BED_ROOM);
	ctx_conf_small(&bed->conf, TEST_ADDR, TEST_PEER, 1);
	bed->conf.pool = bed->pool;
	if (tune != NULL)
		tune(&bed->conf);
	bed->mem_len = pmtcp_ctx_memsize(&bed->conf);
	bed->mem = ctx_mem_map(bed->mem_len);
	assert_int_equal(pmtcp_ctx_init(bed->mem, bed->mem_len, &bed->conf, &bed->ctx), 0);
	pmtcp_tick(bed->ctx, bed->now);
}

void
bed_destroy(struct bed *bed)
{
	const struct pmtcp_stats stats = bed_stats(bed);

	bed_forget(bed);
	if (pmtcp_stats_audit(&stats) != NULL)
		fail_msg("the books do not balance: %s", pmtcp_stats_audit(&stats));
	pmtcp_ctx_check(bed->ctx);
	pmtcp_ctx_fini(bed->ctx);
	assert_int_equal(test_pool_live(bed->pool), 0);
	test_pool_destroy(bed->pool);
	ctx_mem_unmap(bed->mem, bed->mem_len);
}

void
bed_inject_mbuf(struct bed *bed, struct rte_mbuf *m)
{
	if (bed->n_burst == BED_BURST_MAX)
		bed_turn(bed);
	bed->burst[bed->n_burst++] = m;
}

static bool
is_zero_mac(const uint8_t *mac)
{
	return rte_is_zero_ether_addr((const struct rte_ether_addr *)mac);
}

static void
fill_addresses(const struct bed *bed, struct build *b)
{
	struct rte_ether_addr from;

	b->saddr = b->saddr ? b->saddr : TEST_PEER;
	b->daddr = b->daddr ? b->daddr : TEST_ADDR;
	from = ctx_mac_of(b->saddr);
	if (is_zero_mac(b->smac))
		memcpy(b->smac, from.addr_bytes, 6);
	if (is_zero_mac(b->dmac))
		memcpy(b->dmac, bed->conf.mac.addr_bytes, 6);
}

void
bed_inject(struct bed *bed, const struct build *b)
{
	struct build full = *b;

	fill_addresses(bed, &full);
	bed_inject_mbuf(bed, build_tcp(bed->pool, &full));
}

void
bed_inject_arp(struct bed *bed, const struct pkt_arp *arp)
{
	struct build b = {.pad_to = 60};

	if (arp->op == 1)
		memset(b.dmac, 0xff, 6);
	else
		memcpy(b.dmac, bed->conf.mac.addr_bytes, 6);
	memcpy(b.smac, arp->sha, 6);
	bed_inject_mbuf(bed, build_arp(bed->pool, &b, arp));
}

void
bed_turn(struct bed *bed)
{
	struct rte_mbuf *out[8];
	uint16_t n;

	if (bed->n_burst > 0)
		pmtcp_input(bed->ctx, bed->now, bed->burst, bed->n_burst);
	bed->n_burst = 0;
	pmtcp_tick(bed->ctx, bed->now);
	while ((n = pmtcp_output(bed->ctx, bed->now, out, 8)) > 0) {
		CHECK(bed->n_out + n <= BED_OUT_MAX);
		for (uint16_t i = 0; i < n; i++) {
			bed->out_ns[bed->n_out] = bed->now;
			bed->out[bed->n_out++] = out[i];
		}
	}
}

void
bed_advance(struct bed *bed, uint64_t ns)
{
	uint64_t target = bed->now + ns;
	uint32_t turns = 0;
	uint64_t next;

	bed_turn(bed);
	/* Events that nobody pops make the deadline now; then steps of a millisecond do. */
	while ((next = pmtcp_deadline(bed->ctx)) < target) {
		CHECK(turns++ < BED_TURNS);
		bed->now = next > bed->now ? next : bed->now + BED_MS;
		if (bed->now > target)
			break;
		bed_turn(bed);
	}
	bed->now = target;
	bed_turn(bed);
}

const struct pkt *
bed_take(struct bed *bed)
{
	struct rte_mbuf *m;

	if (bed->first_out == bed->n_out)
		return NULL;
	bed->taken_ns = bed->out_ns[bed->first_out];
	m = bed->out[bed->first_out++];
	if (bed->first_out == bed->n_out)
		bed->first_out = bed->n_out = 0;
	assert_int_equal(pkt_decode(&bed->taken, m), 0);
	rte_pktmbuf_free(m);
	return &bed->taken;
}

uint32_t
bed_forget(struct bed *bed)
{
	uint32_t n = 0;

	while (bed_take(bed) != NULL)
		n++;
	return n;
}

void
bed_peer_sends(struct bed *bed, struct bed_peer *peer, uint8_t flags, uint32_t len)
{
	static const uint8_t text[1460];
	struct build b = {.saddr = peer->ip, .sport = peer->port, .dport = peer->local_port};

	CHECK(len <= sizeof(text));
	b.seq = peer->seq;
	b.ack = flags & PKT_ACK ? peer->ack : 0;
	b.flags = flags;
	b.wnd = peer->wnd ? peer->wnd : 65535;
	b.opts = flags & PKT_SYN ? PKT_OPT_MSS : 0;
	b.mss = 1460;
	if (peer->has_ts)
		b.opts |= PKT_OPT_TS;
	b.tsval = peer->tsval;
	b.tsecr = peer->tsecr;
	b.payload = text;
	b.len = len;
	bed_inject(bed, &b);
	peer->seq += len + !!(flags & PKT_SYN) + !!(flags & PKT_FIN);
}

const struct pkt *
bed_peer_gets(struct bed *bed, struct bed_peer *peer)
{
	const struct pkt *p;

	bed_turn(bed);
	p = bed_take(bed);
	if (p == NULL)
		return NULL;
	assert_int_equal(p->kind, PKT_KIND_TCP);
	assert_true(p->is_ip_cksum_good && p->is_l4_cksum_good);
	assert_int_equal(p->daddr, peer->ip);
	assert_int_equal(p->dport, peer->port);
	peer->local_port = p->sport;
	if (!(p->flags & PKT_RST))
		peer->ack = p->seq + p->len + !!(p->flags & PKT_SYN) + !!(p->flags & PKT_FIN);
	if (p->opts & PKT_OPT_TS)
		peer->tsecr = p->tsval;
	return p;
}

int
bed_open(struct bed *bed, struct bed_peer *peer, uint16_t lport, struct pmtcp_conn **conn)
{
	struct pmtcp_addr local = pmtcp_addr4(TEST_ADDR, lport);
	struct pmtcp_addr remote = pmtcp_addr4(peer->ip, peer->port);
	const struct pkt *p;
	int ret = pmtcp_connect(bed->ctx, &local, &remote, NULL, conn);

	if (ret != 0)
		return ret;
	p = bed_peer_gets(bed, peer);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_SYN);
	bed_peer_sends(bed, peer, PKT_SYN | PKT_ACK, 0);
	p = bed_peer_gets(bed, peer);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_ACK);
	assert_int_equal(bed_event(bed).flags, PMTCP_EV_CONNECTED);
	return 0;
}

struct pmtcp_conn *
bed_accept(struct bed *bed, struct bed_peer *peer)
{
	struct pmtcp_event ev;

	bed_peer_sends(bed, peer, PKT_SYN, 0);
	if (bed_peer_gets(bed, peer) == NULL)
		return NULL;
	if (bed->taken.flags != (PKT_SYN | PKT_ACK))
		return NULL;
	bed_peer_sends(bed, peer, PKT_ACK, 0);
	bed_turn(bed);
	ev = bed_event(bed);
	return ev.flags & PMTCP_EV_ACCEPTED ? ev.conn : NULL;
}

void
bed_close_first(struct bed *bed, struct bed_peer *peer, struct pmtcp_conn *conn)
{
	const struct pkt *p;
	struct pmtcp_event ev;

	pmtcp_close(conn);
	p = bed_peer_gets(bed, peer);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_FIN | PKT_ACK);
	bed_peer_sends(bed, peer, PKT_FIN | PKT_ACK, 0);
	p = bed_peer_gets(bed, peer);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_ACK);
	assert_int_equal(p->ack, peer->seq);
	ev = bed_event(bed);
	assert_int_equal(ev.flags, PMTCP_EV_CLOSED);
	assert_int_equal(ev.reason, PMTCP_GRACEFUL);
	bed_turn(bed);
}

struct pmtcp_event
bed_event(struct bed *bed)
{
	struct pmtcp_event ev = {0};

	(void)pmtcp_events(bed->ctx, &ev, 1);
	return ev;
}

struct pmtcp_stats
bed_stats(const struct bed *bed)
{
	struct pmtcp_stats stats;

	pmtcp_stats(bed->ctx, &stats);
	return stats;
}

uint64_t
bed_counter(const struct bed *bed, enum pmtcp_counter c)
{
	return bed_stats(bed).counter[c];
}
