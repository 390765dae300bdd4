/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: connections over IPv6, beyond what the state matrix shows
 * when it runs over IPv6. Method: one context with 2001:db8::a00:1, stations around it,
 * frames built and decoded by the independent builder. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>

#include "base/base.h"
#include "stack/stack.h"
#include "support/bed.h"

static struct bed bed;
static const uint8_t many[5000];

static void
tune_v6(struct pmtcp_conf *conf)
{
	/* Both versions: the bed's own way is IPv4. */
	ctx_conf_add_v6(conf, TEST_ADDR, TEST_PEER);
}

static struct pmtcp_addr
addr6(uint32_t ip4, uint16_t port)
{
	uint8_t ip6[16];

	ctx_ip6_of(ip4, ip6);
	return pmtcp_addr6(ip6, port);
}

static void
inject6_built(uint32_t from, uint32_t to, struct build *b)
{
	struct rte_ether_addr mac = ctx_mac_of(from);

	b->version = 6;
	b->sport = 50000;
	b->dport = 80;
	b->wnd = 65535;
	ctx_ip6_of(from, b->saddr6);
	ctx_ip6_of(to, b->daddr6);
	memcpy(b->smac, mac.addr_bytes, 6);
	memcpy(b->dmac, bed.conf.mac.addr_bytes, 6);
	bed_inject_mbuf(&bed, build_tcp(bed.pool, b));
	bed_turn(&bed);
}

static void
inject6(uint32_t from, uint32_t to, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct build b = {.flags = flags, .seq = seq, .ack = ack};

	inject6_built(from, to, &b);
}

/* The peer's, with the number 1000. */
static void
inject6_syn_ack(uint32_t ack, uint16_t mss)
{
	struct build b = {.flags = PKT_SYN | PKT_ACK,
			.seq = 1000,
			.ack = ack,
			.opts = PKT_OPT_MSS,
			.mss = mss};

	inject6_built(TEST_PEER, TEST_ADDR, &b);
}

/* The addresses behind the digest of the one connection there is. */
static struct flow_addr6 *
addr6_of_the_block(void)
{
	uint8_t peer[16];

	ctx_ip6_of(TEST_PEER, peer);
	for (uint32_t i = 0; i < bed.conf.max_conns; i++)
		if (memcmp(bed.ctx->t.addr6[i].remote, peer, sizeof(peer)) == 0)
			return &bed.ctx->t.addr6[i];
	fail_msg("there is no connection");
	return NULL;
}

static int
open6(uint32_t to, struct pmtcp_conn **conn)
{
	struct pmtcp_addr remote = addr6(to, 50000);
	struct pmtcp_addr local = addr6(TEST_ADDR, 80);

	return pmtcp_connect(bed.ctx, &local, &remote, NULL, conn);
}

static void
listen_on(const struct pmtcp_addr *local)
{
	struct pmtcp_listener *l;

	assert_int_equal(pmtcp_listen(bed.ctx, local, NULL, &l), 0);
}

/* Is a SYN answered by a SYN-ACK of this version? */
static bool
is_answered(bool is_v6)
{
	struct build b = {.sport = 50001, .dport = 80, .flags = PKT_SYN, .seq = 1, .wnd = 1000};
	const struct pkt *p;

	if (is_v6) {
		inject6(TEST_PEER, TEST_ADDR, PKT_SYN, 1, 0);
	} else {
		bed_inject(&bed, &b);
		bed_turn(&bed);
	}
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->version, is_v6 ? 6 : 4);
	return p->flags == (PKT_SYN | PKT_ACK);
}

/* A listener on no address serves both versions; one on :: or 0.0.0.0 one of them. */
static void
listener_serves_its_version(void **state)
{
	struct pmtcp_addr any = {.port = 80};
	struct pmtcp_addr any4 = {.version = 4, .port = 80};
	struct pmtcp_addr any6 = {.version = 6, .port = 80};
	struct pmtcp_addr other = addr6(TEST_PEER, 80);
	struct pmtcp_listener *l;

	(void)state;
	bed_create(&bed, tune_v6);
	assert_int_equal(pmtcp_listen(bed.ctx, &other, NULL, &l), -EINVAL);
	listen_on(&any);
	assert_int_equal(pmtcp_listen(bed.ctx, &any, NULL, &l), -EADDRINUSE);
	assert_true(is_answered(false));
	assert_true(is_answered(true));
	bed_destroy(&bed);
	bed_create(&bed, tune_v6);
	listen_on(&any4);
	assert_true(is_answered(false));
	assert_false(is_answered(true));
	bed_destroy(&bed);
	bed_create(&bed, tune_v6);
	listen_on(&any6);
	assert_false(is_answered(false));
	assert_true(is_answered(true));
	bed_destroy(&bed);
}

/* OPEN-10 of IPv6 addresses: groups, ::, ::1, IPv4 in disguise, ourselves. */
static void
open_10_impossible_addresses_are_refused(void **state)
{
	static const uint8_t bad[][16] = {{0}, {[15] = 1}, {0xff, 0x02, [15] = 1},
			{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 2}};
	struct pmtcp_addr self = addr6(TEST_ADDR, 50000);
	struct pmtcp_addr mixed = pmtcp_addr4(TEST_ADDR, 80);
	struct pmtcp_addr remote = addr6(TEST_PEER, 50000);
	struct pmtcp_conn *conn;

	(void)state;
	bed_create(&bed, tune_v6);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(bad); i++) {
		struct pmtcp_addr a = pmtcp_addr6(bad[i], 50000);

		assert_int_equal(pmtcp_connect(bed.ctx, NULL, &a, NULL, &conn), -EINVAL);
	}
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &self, NULL, &conn), -EINVAL);
	assert_int_equal(pmtcp_connect(bed.ctx, &mixed, &remote, NULL, &conn), -EINVAL);
	remote.ip6[0] = 0x30; /* outside, and there is no gateway */
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), -ENETUNREACH);
	assert_null(bed_take(&bed));
	bed_destroy(&bed);
}

static void
without_ipv6_it_is_refused(void **state)
{
	struct pmtcp_addr remote = addr6(TEST_PEER, 50000);
	struct pmtcp_addr any6 = {.version = 6, .port = 80};
	struct pmtcp_listener *l;
	struct pmtcp_conn *conn;

	(void)state;
	if (ctx_is_v6())
		skip();
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), -EAFNOSUPPORT);
	assert_int_equal(pmtcp_listen(bed.ctx, &any6, NULL, &l), -EAFNOSUPPORT);
	inject6(TEST_PEER, TEST_ADDR, PKT_SYN, 1, 0);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_ip6_off), 1);
	bed_destroy(&bed);
}

/* STATUS says the addresses; the same ports over IPv4 are another connection. */
static void
same_ports_over_both_versions(void **state)
{
	struct pmtcp_addr remote4 = pmtcp_addr4(TEST_PEER, 50000);
	struct pmtcp_addr local4 = pmtcp_addr4(TEST_ADDR, 80);
	struct pmtcp_addr remote6 = addr6(TEST_PEER, 50000);
	struct pmtcp_conn *four, *six;
	struct pmtcp_conn_info info;

	(void)state;
	bed_create(&bed, tune_v6);
	assert_int_equal(open6(TEST_PEER, &six), 0);
	assert_int_equal(pmtcp_connect(bed.ctx, &local4, &remote4, NULL, &four), 0);
	assert_int_equal(open6(TEST_PEER, &six), -EISCONN);
	pmtcp_conn_info(six, &info);
	assert_int_equal(info.remote.version, 6);
	assert_memory_equal(info.remote.ip6, remote6.ip6, 16);
	pmtcp_conn_info(four, &info);
	assert_int_equal(info.remote.version, 4);
	bed_turn(&bed);
	assert_int_equal(bed_forget(&bed), 2);
	pmtcp_abort(six);
	pmtcp_abort(four);
	bed_destroy(&bed);
}

/* OPEN-9: what a SYN offers is the MTU of 1500 less 40 + 20 octets of headers over IPv6, less
 * 20 + 20 over IPv4; and no segment is longer, whatever the peer would take. */
static void
open_9_mss_is_of_the_version(void **state)
{
	struct pmtcp_addr any = {.port = 80};
	struct build syn = {.sport = 50001, .dport = 80, .flags = PKT_SYN, .seq = 1, .wnd = 1000};
	struct pmtcp_conn *conn;
	const struct pkt *p;
	uint32_t seq;

	(void)state;
	bed_create(&bed, tune_v6);
	assert_int_equal(open6(TEST_PEER, &conn), 0);
	bed_turn(&bed);
	p = bed_take(&bed);
	assert_int_equal(p->flags, PKT_SYN);
	assert_true(p->opts & PKT_OPT_MSS);
	assert_int_equal(p->mss, 1440);
	seq = p->seq;
	inject6_syn_ack(seq + 1, 9000);
	bed_forget(&bed);
	assert_int_equal(pmtcp_write(conn, many, sizeof(many)), sizeof(many));
	bed_turn(&bed);
	p = bed_take(&bed);
	assert_int_equal(p->len + p->opts_len, 1440);
	assert_int_equal(p->frame_len, 14 + 1500);
	bed_forget(&bed);
	listen_on(&any);
	bed_inject(&bed, &syn);
	bed_turn(&bed);
	assert_int_equal(bed_take(&bed)->mss, 1460);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_forget(&bed);
	bed_destroy(&bed);
}

/* Nobody can find two pairs of addresses of one digest, so the block is given another pair,
 * one octet apart, behind the digest it has: what comes from the first pair is of nobody, and
 * from the second, whose digest differs, as well. Each of the 32 octets counts. */
static void
one_digest_is_not_one_connection(void **state)
{
	struct pmtcp_conn *conn;
	struct pmtcp_conn_info info;
	struct flow_addr6 *a;
	uint32_t seq;

	(void)state;
	bed_create(&bed, tune_v6);
	assert_int_equal(open6(TEST_PEER, &conn), 0);
	bed_turn(&bed);
	seq = bed_take(&bed)->seq;
	a = addr6_of_the_block();
	for (uint32_t i = 0; i < 32; i++) {
		uint8_t *octet = (i < 16 ? a->local : a->remote) + i % 16;

		*octet ^= 1;
		inject6_syn_ack(seq + 1, 1440);
		*octet ^= 1;
		assert_int_equal(bed_counter(&bed, PMTCP_C_drop_addr_clash), i + 1);
		assert_null(bed_take(&bed));
		pmtcp_conn_info(conn, &info);
		assert_int_equal(info.state, PMTCP_SYN_SENT);
	}
	inject6_syn_ack(seq + 1, 1440);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_CONNECTED);
	pmtcp_abort(conn);
	bed_turn(&bed);
	bed_forget(&bed);
	bed_destroy(&bed);
}

/* Marks the places of a share's blocks, each of which nobody else may have. */
static void
mark_places(const struct tcp *t, uint32_t first, uint32_t end, uint32_t units, uint8_t *marks)
{
	uint32_t room = (uint32_t)((const struct flow_addr6 *)(void *)t->starve.bits - t->addr6);

	for (uint32_t i = first; i + units <= end; i += units) {
		uint32_t place = (uint32_t)(tcp_addr6_at(t, tcp_block(t, i)) - t->addr6);

		assert_true(place < room && place < 5000);
		assert_int_equal(marks[place], 0);
		marks[place] = 1;
	}
}

/* The addresses of a connection take 32 octets, though its block has two units: in full no two
 * blocks of any kind share a place, and none is beyond the end. */
static void
every_block_has_a_place_of_its_own(void **state)
{
	static uint8_t marks[5000];
	struct pmtcp_conf conf, more;
	const struct tcp *t;

	(void)state;
	bed_create(&bed, tune_v6);
	t = &bed.ctx->t;
	mark_places(t, SLAB_CHUNK_HEAD, t->tcbs.end, 2, marks);
	mark_places(t, t->tcbs.end, t->half_opens.end, 1, marks);
	mark_places(t, t->half_opens.end, t->time_waits.end, 1, marks);
	conf = more = bed.conf;
	more.max_conns = conf.max_conns + 1000000;
	more.max_rares = conf.max_rares = 1;
	conf.n_ranges6 = 0;
	/* Block 128, 9 of the table, 32 of addresses, and what is a bit or a chunk's head. */
	assert_in_range(pmtcp_ctx_memsize(&more) - pmtcp_ctx_memsize(&conf), 168000000, 171000000);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(listener_serves_its_version),
			cmocka_unit_test(open_10_impossible_addresses_are_refused),
			cmocka_unit_test(without_ipv6_it_is_refused),
			cmocka_unit_test(same_ports_over_both_versions),
			cmocka_unit_test(open_9_mss_is_of_the_version),
			cmocka_unit_test(one_digest_is_not_one_connection),
			cmocka_unit_test(every_block_has_a_place_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
