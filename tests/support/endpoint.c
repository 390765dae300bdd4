/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See endpoint.h. The frames are built and decoded by build.h and pkt.h, which
 * share nothing with lib/. */

#include "support/endpoint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/check.h"
#include "support/build.h"
#include "support/pool.h"
#include "support/script.h"

#define EP_ROOM     (RTE_PKTMBUF_HEADROOM + 2048)
#define EP_START_NS (1000 * 1000 * EP_MS)
#define EP_STEP_NS  10000u
#define EP_TURNS    1000000

void
ep_create(struct ep *ep, const char *name, const struct ep_opts *opts)
{
	memset(ep, 0, sizeof(*ep));
	ep->name = name;
	ep->now = EP_START_NS + opts->later_ns;
	ep->conn_opts = opts->conn;
	ep->conn_opts.recv_buffer = EP_RECV_BUFFER;
	ep->pool = test_pool_create(EP_ROOM);
	ctx_conf_small(&ep->conf, TEST_ADDR, TEST_PEER, 1);
	ep->conf.pool = ep->pool;
	ep->conf.mtu += opts->is_same_mss && ctx_is_v6() ? 20 : 0;
	if (opts->tune != NULL)
		opts->tune(&ep->conf);
	ep->mem_len = pmtcp_ctx_memsize(&ep->conf);
	ep->mem = ctx_mem_map(ep->mem_len);
	assert_int_equal(pmtcp_ctx_init(ep->mem, ep->mem_len, &ep->conf, &ep->ctx), 0);
	ep->irs = opts->peer_iss == 0 ? EP_PEER_ISS : opts->peer_iss;
	ep_mark(ep);
}

void
ep_destroy(struct ep *ep)
{
	ep_expect_nothing(ep);
	ep_expect_event(ep, 0, PMTCP_REASON_NONE);
	pmtcp_ctx_check(ep->ctx);
	ep_drop(ep);
}

void
ep_drop(struct ep *ep)
{
	pmtcp_ctx_fini(ep->ctx);
	assert_int_equal(test_pool_live(ep->pool), 0);
	test_pool_destroy(ep->pool);
	ctx_mem_unmap(ep->mem, ep->mem_len);
}

/* ---- the application ---------------------------------------------------- */

int
ep_set(struct ep *ep, enum pmtcp_opt opt, uint32_t n)
{
	if (ep->conn != NULL)
		return pmtcp_set(ep->conn, opt, n);
	CHECK(opt == PMTCP_OPT_KEEPALIVE_MS || opt == PMTCP_OPT_USER_TIMEOUT_MS ||
			opt == PMTCP_OPT_LINGER_MS);
	if (opt == PMTCP_OPT_KEEPALIVE_MS)
		ep->conn_opts.keepalive_ms = n;
	else if (opt == PMTCP_OPT_USER_TIMEOUT_MS)
		ep->conn_opts.user_timeout_ms = n;
	else
		ep->conn_opts.linger_ms = n;
	return 0;
}

int
ep_listen(struct ep *ep)
{
	struct pmtcp_addr local = ctx_addr_of(TEST_ADDR, EP_PORT);
	struct pmtcp_listen_opts opts = {.conn = ep->conn_opts, .syn_cookies = ep->cookies};
	struct pmtcp_listener *out = NULL;
	int ret = pmtcp_listen(ep->ctx, &local, &opts, &out);

	if (ret == 0)
		ep->listener = out;
	return ret;
}

int
ep_open_active(struct ep *ep)
{
	struct pmtcp_addr local = ctx_addr_of(TEST_ADDR, EP_PORT);
	struct pmtcp_addr remote = ctx_addr_of(TEST_PEER, EP_PEER_PORT);
	struct pmtcp_conn *out = NULL;
	int ret = pmtcp_connect(ep->ctx, &local, &remote, &ep->conn_opts, &out);

	if (ret == 0) {
		ep->conn = out;
		ep->is_ended = false;
		ep->is_given_up = false;
	}
	return ret;
}

int
ep_write(struct ep *ep, uint32_t len)
{
	uint8_t *bytes = malloc(len + 1);
	int ret;

	CHECK(bytes != NULL);
	for (uint32_t i = 0; i < len; i++)
		bytes[i] = script_pattern(ep->n_written + i);
	ret = pmtcp_write(ep->conn, bytes, len);
	if (ret > 0)
		ep->n_written += (uint32_t)ret;
	free(bytes);
	return ret;
}

int
ep_read(struct ep *ep, uint32_t len)
{
	uint8_t *bytes = malloc(len + 1);
	int ret;

	CHECK(bytes != NULL);
	ret = pmtcp_read(ep->conn, bytes, len);
	for (int i = 0; i < ret; i++)
		assert_int_equal(bytes[i], script_pattern(ep->n_read + (uint32_t)i));
	if (ret > 0)
		ep->n_read += (uint32_t)ret;
	free(bytes);
	return ret;
}

static void
drop_dead_handle(struct ep *ep)
{
	if (ep->is_ended && ep->is_given_up)
		ep->conn = NULL;
}

void
ep_close(struct ep *ep)
{
	pmtcp_close(ep->conn);
	ep->is_given_up = true;
	drop_dead_handle(ep);
}

void
ep_abort(struct ep *ep)
{
	pmtcp_abort(ep->conn);
	ep->is_given_up = true;
	drop_dead_handle(ep);
}

/* The handle may be looked at, but no event tells of it again. */
void
ep_detach(struct ep *ep)
{
	pmtcp_detach(ep->conn);
	ep->conn = NULL;
}

void
ep_unlisten(struct ep *ep)
{
	pmtcp_unlisten(ep->listener);
	ep->listener = NULL;
}

/* ---- the wire ----------------------------------------------------------- */

void
ep_inject_mbuf(struct ep *ep, struct rte_mbuf *m)
{
	CHECK(ep->n_burst < EP_BURST_MAX);
	ep->burst[ep->n_burst++] = m;
	ep->n_injected++;
}

/* The same stations in IPv6, if that is under test. */
static void
take_version(struct build *b)
{
	if (!ctx_is_v6())
		return;
	b->version = 6;
	ctx_ip6_of(b->saddr, b->saddr6);
	ctx_ip6_of(b->daddr, b->daddr6);
}

void
ep_inject(struct ep *ep, const struct ep_seg *seg)
{
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR);
	struct rte_ether_addr peer = ctx_mac_of(TEST_PEER);
	struct build b = {.saddr = TEST_PEER, .daddr = TEST_ADDR, .sport = EP_PEER_PORT};
	uint8_t text[EP_TEXT_MAX];

	CHECK(seg->len <= sizeof(text));
	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, peer.addr_bytes, 6);
	b.dport = EP_PORT;
	b.tos = seg->ecn;
	b.seq = seg->seq;
	b.ack = seg->ack;
	b.urg = seg->urg;
	b.flags = pkt_flags_parse(seg->flags);
	b.wnd = (uint16_t)(seg->wnd < 0 ? EP_PEER_WND : seg->wnd);
	b.opts |= seg->mss < 0 ? 0 : PKT_OPT_MSS;
	b.mss = (uint16_t)seg->mss;
	b.opts |= seg->wscale < 0 ? 0 : PKT_OPT_WSCALE;
	b.wscale = (uint8_t)seg->wscale;
	b.opts |= seg->has_ts ? PKT_OPT_TS : 0;
	b.tsval = seg->tsval;
	b.tsecr = seg->tsecr;
	b.opts |= seg->has_sack_perm ? PKT_OPT_SACK_PERM : 0;
	b.opts |= seg->n_sack > 0 ? PKT_OPT_SACK : 0;
	b.n_sack = seg->n_sack;
	memcpy(b.sack, seg->sack, sizeof(b.sack));
	for (uint32_t i = 0; i < seg->len; i++)
		text[i] = script_pattern(seg->seq + !!(b.flags & PKT_SYN) + i - ep->irs - 1);
	b.payload = text;
	b.len = seg->len;
	take_version(&b);
	ep_inject_mbuf(ep, build_tcp(ep->pool, &b));
}

/* What a router of the other version would say (RFC 4443 section 3). */
static struct build_icmp
icmp_of(const struct ep *ep, const struct ep_icmp *e)
{
	struct build_icmp icmp = {.type = e->type, .code = e->code, .rest = e->mtu};

	if (!ctx_is_v6())
		return icmp;
	icmp.rest += e->mtu > 0 ? ep->conf.mtu - 1500u : 0;
	switch (e->type) {
	case 3:
		icmp.type = e->code == 4 ? 2 : 1;
		icmp.code = e->code == 4 ? 0 : e->code == 2 || e->code == 3 ? 4 : 0;
		break;
	case 11:
		icmp.type = 3;
		break;
	case 12:
		icmp.type = 4;
		break;
	default:
		icmp.type = 200; /* nothing that is known */
		break;
	}
	return icmp;
}

void
ep_inject_icmp(struct ep *ep, const struct ep_icmp *e)
{
	struct build sent = {.saddr = TEST_ADDR,
			.daddr = TEST_PEER,
			.sport = EP_PORT,
			.dport = EP_PEER_PORT,
			.seq = e->seq};
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR);
	struct rte_ether_addr peer = ctx_mac_of(TEST_PEER);
	struct build b = {.saddr = PMTCP_IP4(10, 9, 9, 9), .daddr = TEST_ADDR, .len = EP_QUOTE};
	struct build_icmp icmp = icmp_of(ep, e);
	uint8_t frame[96];

	/* The length field of IPv6 leaves its header out. */
	sent.ip_len = e->len;
	if (ctx_is_v6() && e->len > 40)
		sent.ip_len = (uint16_t)(e->len - 40 + ep->conf.mtu - 1500);
	b.len += ctx_is_v6() ? 20 : 0;
	take_version(&sent);
	take_version(&b);
	build_tcp_bytes(&sent, frame, sizeof(frame));
	memcpy(b.dmac, self.addr_bytes, 6);
	memcpy(b.smac, peer.addr_bytes, 6);
	b.payload = frame + 14;
	ep_inject_mbuf(ep, build_icmp(ep->pool, &b, &icmp));
}

const struct pkt *
ep_peek(struct ep *ep)
{
	const struct ep_frame *f = &ep->out[ep->first_out];

	if (ep->first_out == ep->n_out)
		return NULL;
	if (pkt_decode(&ep->taken, f->m) != 0)
		fail_msg("%s: a malformed frame was sent", ep->name);
	ep->taken_ns = f->at_ns;
	return &ep->taken;
}

const struct pkt *
ep_take(struct ep *ep)
{
	if (ep_peek(ep) == NULL)
		return NULL;
	rte_pktmbuf_free(ep->out[ep->first_out++].m);
	if (ep->first_out == ep->n_out)
		ep->first_out = ep->n_out = 0;
	return &ep->taken;
}

static void
check_ip6(const struct pkt *p)
{
	uint8_t self[16], peer[16];

	ctx_ip6_of(TEST_ADDR, self);
	ctx_ip6_of(TEST_PEER, peer);
	assert_int_equal(p->version, 6);
	assert_memory_equal(p->saddr6, self, sizeof(self));
	assert_memory_equal(p->daddr6, peer, sizeof(peer));
}

static void
check_addresses(const struct ep *ep, const struct pkt *p)
{
	assert_int_equal(p->kind, PKT_KIND_TCP);
	assert_true(p->is_l4_cksum_good);
	if (ctx_is_v6()) {
		check_ip6(p);
	} else {
		assert_true(p->is_ip_cksum_good);
		assert_int_equal(p->saddr, TEST_ADDR);
		assert_int_equal(p->daddr, TEST_PEER);
		assert_int_equal(p->frag, 0x4000);
	}
	assert_int_equal(p->sport, EP_PORT);
	assert_int_equal(p->dport, EP_PEER_PORT);
	assert_int_equal(p->ttl, ep->conf.ttl);
}

/* What a link of 1500 octets lets a script offer is 20 octets less over IPv6. */
static uint16_t
mss_of_version(const struct ep *ep, const struct ep_seg *seg)
{
	return (uint16_t)(ctx_is_v6() && seg->mss == 1460 ? ep->conf.mtu - 60 : seg->mss);
}

static bool
is_as_expected(const struct ep *ep, const struct pkt *p, const struct ep_seg *seg)
{
	bool is_same = p->flags == pkt_flags_parse(seg->flags) && p->seq == seg->seq &&
		       (p->tos & 3) == seg->ecn && p->ack == seg->ack && p->len == seg->len &&
		       p->urg == seg->urg;

	if (seg->wnd >= 0)
		is_same = is_same && p->wnd == seg->wnd;
	if (seg->mss >= 0)
		is_same = is_same && (p->opts & PKT_OPT_MSS) && p->mss == mss_of_version(ep, seg);
	if (!(p->flags & PKT_RST))
		is_same = is_same && seg->has_ts == !!(p->opts & PKT_OPT_TS);
	if (seg->has_ts && (p->opts & PKT_OPT_TS))
		is_same = is_same && p->tsecr == seg->tsecr;
	return is_same;
}

void
ep_expect(struct ep *ep, const struct ep_seg *seg)
{
	struct script_base base = {.seq = ep->iss, .ack = ep->irs};
	char line[SCRIPT_LINE_MAX];
	const struct pkt *p;

	ep_turn(ep);
	p = ep_take(ep);
	if (p == NULL)
		fail_msg("%s: expected %s seq i+%d ack p+%d len %u, nothing was sent", ep->name,
				seg->flags, (int)(seg->seq - ep->iss), (int)(seg->ack - ep->irs),
				seg->len);
	check_addresses(ep, p);
	if (!is_as_expected(ep, p, seg))
		fail_msg("%s: expected %s seq i+%d ack p+%d len %u wnd %d, got %s", ep->name,
				seg->flags, (int)(seg->seq - ep->iss), (int)(seg->ack - ep->irs),
				seg->len, seg->wnd,
				pkt_format_decoded(p, &base, line, sizeof(line)));
	for (uint32_t i = 0; i < p->len; i++)
		assert_int_equal(p->payload[i], script_pattern(p->seq + i - ep->iss - 1));
}

void
ep_expect_nothing(struct ep *ep)
{
	struct script_base base = {.seq = ep->iss, .ack = ep->irs};
	char line[SCRIPT_LINE_MAX];
	const struct pkt *p;

	ep_turn(ep);
	p = ep_take(ep);
	if (p != NULL)
		fail_msg("%s: nothing was expected, got %s", ep->name,
				pkt_format_decoded(p, &base, line, sizeof(line)));
}

/* ---- time --------------------------------------------------------------- */

static void
note_event(struct ep *ep, const struct pmtcp_event *ev)
{
	if (ev->flags & PMTCP_EV_ACCEPTED) {
		if (ep->conn != NULL)
			fail_msg("%s: a second connection was accepted", ep->name);
		ep->conn = ev->conn;
		ep->is_ended = false;
		ep->is_given_up = false;
	}
	if (ev->conn != ep->conn)
		fail_msg("%s: event 0x%x of a foreign handle", ep->name, ev->flags);
	if (ep->is_given_up && ev->flags != PMTCP_EV_CLOSED)
		fail_msg("%s: event 0x%x after close", ep->name, ev->flags);
	if (ep->is_ended)
		fail_msg("%s: event 0x%x after CLOSED", ep->name, ev->flags);
	ep->events |= ev->flags;
	if (ev->flags & (PMTCP_EV_CLOSED | PMTCP_EV_ERROR))
		ep->reason = ev->reason;
	if (ev->flags & PMTCP_EV_CLOSED)
		ep->is_ended = true;
	drop_dead_handle(ep);
}

static void
pop_events(struct ep *ep)
{
	struct pmtcp_event ev[4];
	uint16_t n;

	do {
		n = pmtcp_events(ep->ctx, ev, 4);
		for (uint16_t i = 0; i < n; i++)
			note_event(ep, &ev[i]);
	} while (n > 0);
}

void
ep_poll(struct ep *ep)
{
	if (ep->n_burst > 0) {
		ep->now += EP_STEP_NS;
		pmtcp_input(ep->ctx, ep->now, ep->burst, ep->n_burst);
		ep->n_burst = 0;
	}
	pmtcp_tick(ep->ctx, ep->now);
	pop_events(ep);
}

static void
keep_frame(struct ep *ep, struct rte_mbuf *m)
{
	struct pkt *p = &ep->taken;

	if (pkt_decode(p, m) == 0 && p->kind == PKT_KIND_ARP) {
		rte_pktmbuf_free(m);
		return;
	}
	CHECK(ep->n_out < EP_OUT_MAX);
	ep->out[ep->n_out++] = (struct ep_frame){.m = m, .at_ns = ep->now};
}

void
ep_turn(struct ep *ep)
{
	struct rte_mbuf *out[8];
	struct pmtcp_stats stats;
	const char *broken;
	uint16_t n;

	ep_poll(ep);
	while ((n = pmtcp_output(ep->ctx, ep->now, out, 8)) > 0) {
		for (uint16_t i = 0; i < n; i++)
			keep_frame(ep, out[i]);
	}
	pop_events(ep);
	pmtcp_stats(ep->ctx, &stats);
	broken = pmtcp_stats_audit(&stats);
	if (broken != NULL)
		fail_msg("%s: the books do not balance: %s", ep->name, broken);
}

void
ep_advance(struct ep *ep, uint64_t ns)
{
	uint64_t target = ep->now + ns;
	uint32_t turns = 0;

	ep_turn(ep);
	while (pmtcp_deadline(ep->ctx) < target) {
		if (turns++ == EP_TURNS)
			fail_msg("%s: the deadline stands still", ep->name);
		ep->now = max_u64(ep->now, pmtcp_deadline(ep->ctx));
		ep_turn(ep);
	}
	ep->now = max_u64(ep->now, target);
	ep_turn(ep);
}

/* ---- facts -------------------------------------------------------------- */

void
ep_expect_event(struct ep *ep, uint32_t flags, int reason)
{
	ep_poll(ep);
	if (ep->events != flags || ep->reason != reason)
		fail_msg("%s: expected events 0x%x %s, got 0x%x %s", ep->name, flags,
				pmtcp_reason_name((enum pmtcp_reason)reason), ep->events,
				pmtcp_reason_name((enum pmtcp_reason)ep->reason));
	ep->events = 0;
	ep->reason = PMTCP_REASON_NONE;
}

void
ep_expect_state(struct ep *ep, enum pmtcp_state state)
{
	struct pmtcp_conn_info info;
	struct pmtcp_stats stats;

	ep_poll(ep);
	pmtcp_stats(ep->ctx, &stats);
	for (int s = PMTCP_SYN_SENT; s < PMTCP_STATE_MAX; s++) {
		if (stats.state[s] != (s == (int)state))
			fail_msg("%s: expected %s, but %u in %s", ep->name, pmtcp_state_name(state),
					stats.state[s], pmtcp_state_name((enum pmtcp_state)s));
	}
	if (state == PMTCP_LISTEN)
		assert_non_null(ep->listener);
	if (ep->conn == NULL || ep->is_ended)
		return;
	pmtcp_conn_info(ep->conn, &info);
	assert_int_equal(info.state, state);
}

void
ep_mark(struct ep *ep)
{
	ep_poll(ep);
	pmtcp_stats(ep->ctx, &ep->mark);
	ep->n_injected = 0;
}

uint64_t
ep_gained(const struct ep *ep, enum pmtcp_counter c)
{
	struct pmtcp_stats stats;

	pmtcp_stats(ep->ctx, &stats);
	return stats.counter[c] - ep->mark.counter[c];
}
