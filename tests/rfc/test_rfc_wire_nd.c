/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: Neighbour Discovery (W-2, W-7, W-19, W-20): what is believed, who is answered, what
 * changes in the table. Method: messages of the independent builder; what the table holds
 * shows in where the next SYN goes. */

#include "frame_bed.h"

#define STRANGER PMTCP_IP4(10, 0, 0, 9)

/* A message from a station on the link, and how it is sent. */
struct message {
	struct build b;
	struct build_nd nd;
	uint8_t opt[16];
};

static void
finish(struct message *m)
{
	m->nd.opts = m->opt;
	m->nd.opts_len = 8;
	m->opt[0] = m->nd.type == 135 ? 1 : 2;
	m->opt[1] = 1;
	memcpy(m->opt + 2, m->b.smac, 6);
}

/* The stranger asks for us, by our group. */
static void
solicitation(struct message *m)
{
	struct rte_ether_addr mac = ctx_mac_of(STRANGER);

	memset(m, 0, sizeof(*m));
	m->b.version = 6;
	memcpy(m->b.smac, mac.addr_bytes, 6);
	memcpy(m->b.dmac, (uint8_t[6]){0x33, 0x33, 0xff, 0, 0, 1}, 6);
	ctx_ip6_of(STRANGER, m->b.saddr6);
	memcpy(m->b.daddr6, ((uint8_t[16]){0xff, 2, [11] = 1, 0xff, 0, 0, 1}), 16);
	m->nd.type = 135;
	ctx_ip6_of(TEST_ADDR, m->nd.target);
	finish(m);
}

/* It says where it is, to us alone. */
static void
advertisement(struct message *m, uint8_t flags, uint8_t last_of_mac)
{
	solicitation(m);
	memcpy(m->b.dmac, bed.conf.mac.addr_bytes, 6);
	ctx_ip6_of(TEST_ADDR, m->b.daddr6);
	m->b.smac[5] = last_of_mac;
	m->nd.type = 136;
	m->nd.flags = flags;
	ctx_ip6_of(STRANGER, m->nd.target);
	finish(m);
}

static struct rte_mbuf *
made(const struct message *m)
{
	struct build_nd nd = m->nd;

	nd.opts = m->opt;
	return build_nd(bed.pool, &m->b, &nd);
}

static void
hear(const struct message *m, enum pmtcp_counter fate)
{
	frame_expect_fate(made(m), fate);
}

static struct pmtcp_conn *
open_to_stranger(uint16_t port)
{
	uint8_t ip6[16];
	struct pmtcp_addr remote;
	struct pmtcp_conn *conn;

	ctx_ip6_of(STRANGER, ip6);
	remote = pmtcp_addr6(ip6, port);
	assert_int_equal(pmtcp_connect(bed.ctx, NULL, &remote, NULL, &conn), 0);
	bed_turn(&bed);
	return conn;
}

/* The last octet of the MAC address that the next SYN goes to; 0: it is asked for. */
static uint8_t
mac_in_use(void)
{
	static uint16_t port = 1000;
	struct pmtcp_conn *conn;
	uint8_t last = 0;

	bed_forget(&bed);
	conn = open_to_stranger(port++);
	while (bed_take(&bed) != NULL)
		if (bed.taken.kind == PKT_KIND_TCP)
			last = bed.taken.dmac[5];
	pmtcp_abort(conn);
	bed_turn(&bed);
	while (bed_event(&bed).flags)
		;
	bed_forget(&bed);
	return last;
}

/* ---- W-19: what is believed ---- */

static void
expect_advert(bool is_solicited, const uint8_t daddr6[16], const uint8_t dmac[6])
{
	const struct pkt *p = bed_take(&bed);
	uint8_t self[16];

	ctx_ip6_of(TEST_ADDR, self);
	assert_non_null(p);
	assert_int_equal(p->icmp_type, 136);
	assert_int_equal(p->icmp_code, 0);
	assert_int_equal(p->ttl, 255);
	assert_int_equal(p->nd.flags, is_solicited ? 0x60 : 0x20);
	assert_memory_equal(p->nd.target, self, 16);
	assert_true(p->nd.has_lladdr);
	assert_memory_equal(p->nd.lladdr, bed.conf.mac.addr_bytes, 6);
	assert_memory_equal(p->saddr6, self, 16);
	assert_memory_equal(p->daddr6, daddr6, 16);
	assert_memory_equal(p->dmac, dmac, 6);
	assert_true(p->is_l4_cksum_good);
	assert_null(bed_take(&bed));
}

static void
w_19_solicitation_for_us_is_answered_to_the_asker(void **state)
{
	struct message m;

	(void)state;
	frame_begin(NULL);
	solicitation(&m);
	hear(&m, PMTCP_C_nd_taken);
	expect_advert(true, m.b.saddr6, m.b.smac);
	/* By unicast, too. */
	memcpy(m.b.dmac, bed.conf.mac.addr_bytes, 6);
	ctx_ip6_of(TEST_ADDR, m.b.daddr6);
	hear(&m, PMTCP_C_nd_taken);
	expect_advert(true, m.b.saddr6, m.b.smac);
	/* For somebody else it is not for us to say. */
	ctx_ip6_of(TEST_PEER, m.nd.target);
	hear(&m, PMTCP_C_drop_nd_unused);
	assert_null(bed_take(&bed));
	frame_end();
}

/* RFC 4862 5.4.3: somebody is about to take our address; all hear that it is ours. */
static void
w_19_duplicate_probe_is_answered_to_all_nodes(void **state)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	static const uint8_t all_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	struct pmtcp_diag diag;
	struct message m;

	(void)state;
	frame_begin(NULL);
	solicitation(&m);
	memset(m.b.saddr6, 0, 16);
	m.nd.opts_len = 0;
	hear(&m, PMTCP_C_nd_taken);
	expect_advert(false, all_nodes, all_mac);
	assert_int_equal(pmtcp_diag(bed.ctx, &diag, 1), 1);
	assert_int_equal(diag.kind, PMTCP_DIAG_ADDR_CONFLICT);
	assert_int_equal(mac_in_use(), 0);
	frame_end();
}

/* Ours is another's: told, and not answered. */
static void
w_19_advertisement_of_our_address_is_a_conflict(void **state)
{
	struct pmtcp_diag diag;
	struct message m;

	(void)state;
	frame_begin(NULL);
	advertisement(&m, 0x20, 9);
	ctx_ip6_of(TEST_ADDR, m.nd.target);
	frame_expect_silence(made(&m), PMTCP_C_drop_nd_unused);
	assert_int_equal(bed_counter(&bed, PMTCP_C_arp_conflict), 1);
	assert_int_equal(pmtcp_diag(bed.ctx, &diag, 1), 1);
	assert_int_equal(diag.kind, PMTCP_DIAG_ADDR_CONFLICT);
	assert_int_equal(diag.value, TEST_ADDR);
	frame_end();
}

/* One rule broken at a time, in a solicitation and in an advertisement. */
static void
break_rule(struct message *m, int rule)
{
	static const uint8_t fragment[8] = {58};

	if (rule == 0) {
		m->b.ttl = 254;
	} else if (rule == 1) {
		m->b.ttl = 1;
	} else if (rule == 2) {
		m->b.l4_cksum_xor = 1;
	} else if (rule == 3) {
		m->nd.code = 1;
	} else if (rule == 4) {
		m->opt[1] = 0;
	} else if (rule == 5) {
		m->opt[1] = 2; /* past the end */
	} else if (rule == 6) {
		m->nd.opts_len = 4;
	} else if (rule == 7) {
		m->nd.target[0] = 0xff;
	} else {
		m->b.next = 44;
		m->b.ext = fragment;
		m->b.ext_len = sizeof(fragment);
	}
}

static void
w_19_each_broken_rule_is_refused(void **state)
{
	(void)state;
	for (int i = 0; i < 18; i++) {
		struct message m;

		frame_begin(NULL);
		if (i < 9)
			solicitation(&m);
		else
			advertisement(&m, 0x60, 9);
		break_rule(&m, i % 9);
		bed_inject_mbuf(&bed, made(&m));
		bed_turn(&bed);
		assert_null(bed_take(&bed));
		assert_int_equal(bed_counter(&bed, PMTCP_C_nd_taken), 0);
		assert_int_equal(bed_counter(&bed, PMTCP_C_drop_nd_bad) +
						 bed_counter(&bed, PMTCP_C_drop_icmp_bad),
				1);
		assert_int_equal(mac_in_use(), 0);
		frame_end();
	}
}

/* ---- W-2: groups ---- */

/* We are in all-nodes and in the group of our own address; other groups are others'. */
static void
w_2_only_joined_groups_are_heard(void **state)
{
	static const struct {
		uint8_t group[16];
		bool is_ours;
	} rows[] = {{{0xff, 2, [15] = 1}, true}, {{0xff, 2, [11] = 1, 0xff, 0, 0, 1}, true},
			{{0xff, 2, [11] = 1, 0xff, 0, 0, 2}, false},
			{{0xff, 2, [11] = 1, 0xff, 1, 0, 1}, false}, {{0xff, 2, [15] = 2}, false},
			{{0xff, 2, [15] = 0xfb}, false}, {{0xff, 5, [15] = 1}, false}};

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct message m;

		frame_begin(NULL);
		solicitation(&m);
		memcpy(m.b.daddr6, rows[i].group, 16);
		m.b.dmac[2] = rows[i].group[12];
		m.b.dmac[3] = rows[i].group[13];
		m.b.dmac[4] = rows[i].group[14];
		m.b.dmac[5] = rows[i].group[15];
		if (rows[i].is_ours)
			frame_expect_fate(made(&m), PMTCP_C_nd_taken);
		else
			frame_expect_silence(made(&m), PMTCP_C_drop_eth_notme);
		bed_forget(&bed);
		/* The group's address with another MAC address is nobody's. */
		m.b.dmac[5] ^= 0x40;
		frame_expect_silence(made(&m), PMTCP_C_drop_eth_notme);
		frame_end();
	}
}

/* ---- W-20: what changes ---- */

static void
w_20_unsolicited_advertisement_makes_no_entry(void **state)
{
	struct message m;

	(void)state;
	for (uint32_t flags = 0; flags < 256; flags += 32) {
		frame_begin(NULL);
		advertisement(&m, (uint8_t)flags, 9);
		frame_expect_silence(made(&m), PMTCP_C_drop_nd_unused);
		assert_int_equal(mac_in_use(), 0);
		frame_end();
	}
}

/* INCOMPLETE: any advertisement that names a MAC address resolves it. */
static void
w_20_incomplete_becomes_reachable(void **state)
{
	static const uint8_t flags[] = {0x60, 0x40, 0x20, 0x00};
	struct message m;

	(void)state;
	for (size_t i = 0; i < sizeof(flags); i++) {
		struct pmtcp_conn *conn;

		frame_begin(NULL);
		conn = open_to_stranger(80);
		assert_int_equal(bed_take(&bed)->icmp_type, 135);
		assert_null(bed_take(&bed));
		advertisement(&m, flags[i], 9);
		m.nd.opts_len = 0; /* where? */
		hear(&m, PMTCP_C_nd_taken);
		assert_null(bed_take(&bed));
		m.nd.opts_len = 8;
		m.opt[2] |= 1; /* a group is no station */
		hear(&m, PMTCP_C_nd_taken);
		assert_null(bed_take(&bed));
		m.opt[2] &= (uint8_t)~1;
		hear(&m, PMTCP_C_nd_taken);
		assert_non_null(bed_take(&bed));
		assert_int_equal(bed.taken.kind, PKT_KIND_TCP);
		assert_int_equal(bed.taken.flags, PKT_SYN);
		assert_int_equal(bed.taken.dmac[5], 9);
		pmtcp_abort(conn);
		bed_turn(&bed);
		frame_end();
	}
}

/* REACHABLE (RFC 4861 7.2.5): another MAC address counts only with the override flag; one
 * without makes us ask. */
static void
w_20_known_entry_changes_by_the_override_rules(void **state)
{
	struct message m;

	(void)state;
	for (int i = 0; i < 4; i++) {
		bool is_override = i & 1, is_solicited = i & 2;
		const struct pkt *p;

		frame_begin(NULL);
		solicitation(&m);
		hear(&m, PMTCP_C_nd_taken);
		assert_int_equal(mac_in_use(), 9);
		advertisement(&m, (is_override ? 0x20 : 0) | (is_solicited ? 0x40 : 0), 0x55);
		hear(&m, PMTCP_C_nd_taken);
		p = bed_take(&bed);
		if (is_override && is_solicited) {
			assert_null(p);
		} else {
			/* A doubt is asked about by unicast. */
			assert_non_null(p);
			assert_int_equal(p->icmp_type, 135);
			assert_int_equal(p->dmac[5], is_override ? 0x55 : 9);
		}
		assert_int_equal(mac_in_use(), is_override ? 0x55 : 9);
		frame_end();
	}
}

/* Configured is configured. */
static void
w_20_static_entry_is_not_changed(void **state)
{
	struct build syn = frame_syn(6);
	struct message m;

	(void)state;
	frame_begin(NULL);
	advertisement(&m, 0x60, 0x55);
	ctx_ip6_of(TEST_PEER, m.nd.target);
	hear(&m, PMTCP_C_drop_nd_unused);
	assert_memory_equal(frame_expect_syn_ack(&syn)->dmac, syn.smac, 6);
	frame_end();
}

/* Router advertisements and redirects are nothing to us. */
static void
w_20_routers_and_redirects_are_not_obeyed(void **state)
{
	static const uint8_t types[] = {133, 134, 137};
	static uint8_t body[64];
	struct message m;

	(void)state;
	frame_begin(NULL);
	solicitation(&m);
	hear(&m, PMTCP_C_nd_taken);
	bed_forget(&bed);
	for (size_t i = 0; i < sizeof(types); i++) {
		struct build_icmp icmp = {.type = types[i]};
		struct build b = frame_of(6);

		b.ttl = 255;
		memset(body, 0, sizeof(body));
		ctx_ip6_of(TEST_PEER, body);     /* the better hop ... */
		ctx_ip6_of(STRANGER, body + 16); /* ... to there */
		b.payload = body;
		b.len = types[i] == 137 ? 32 : 8;
		frame_expect_silence(build_icmp(bed.pool, &b, &icmp), PMTCP_C_drop_icmp_unused);
	}
	assert_int_equal(mac_in_use(), 9);
	frame_end();
}

/* ---- W-7 ---- */

/* Three solicitations a second apart, to the solicited-node group; then the event, and a
 * late answer still completes the open. */
static void
w_7_silent_neighbour_is_solicited_three_times(void **state)
{
	static const uint8_t group_mac[6] = {0x33, 0x33, 0xff, 0x00, 0x00, 0x09};
	static const uint8_t group[16] = {0xff, 2, [11] = 1, 0xff, 0, 0, 9};
	struct pmtcp_event ev;
	struct message m;
	struct pmtcp_conn *conn;
	uint64_t began;
	uint8_t ip6[16];

	(void)state;
	ctx_ip6_of(STRANGER, ip6);
	frame_begin(NULL);
	began = bed.now;
	conn = open_to_stranger(FRAME_PORT);
	for (uint64_t i = 0; i < 3; i++) {
		assert_non_null(bed_take(&bed));
		assert_int_equal(bed.taken.icmp_type, 135);
		assert_int_equal(bed.taken.ttl, 255);
		assert_memory_equal(bed.taken.dmac, group_mac, 6);
		assert_memory_equal(bed.taken.daddr6, group, 16);
		assert_memory_equal(bed.taken.nd.target, ip6, 16);
		assert_memory_equal(bed.taken.nd.lladdr, bed.conf.mac.addr_bytes, 6);
		assert_in_range(bed.taken_ns - began, i * 1000 * BED_MS, (i * 1000 + 10) * BED_MS);
		assert_null(bed_take(&bed));
		bed_advance(&bed, 1000 * BED_MS);
	}
	bed_advance(&bed, 50 * BED_MS);
	ev = bed_event(&bed);
	assert_ptr_equal(ev.conn, conn);
	assert_int_equal(ev.flags, PMTCP_EV_ERROR);
	assert_int_equal(ev.reason, PMTCP_UNREACHABLE);
	bed_forget(&bed);
	advertisement(&m, 0x60, 9);
	hear(&m, PMTCP_C_nd_taken);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.flags, PKT_SYN);
	assert_int_equal(bed.taken.dmac[5], 9);
	assert_null(bed_take(&bed));
	pmtcp_abort(conn);
	bed_turn(&bed);
	frame_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_2_only_joined_groups_are_heard),
			cmocka_unit_test(w_7_silent_neighbour_is_solicited_three_times),
			cmocka_unit_test(w_19_solicitation_for_us_is_answered_to_the_asker),
			cmocka_unit_test(w_19_duplicate_probe_is_answered_to_all_nodes),
			cmocka_unit_test(w_19_advertisement_of_our_address_is_a_conflict),
			cmocka_unit_test(w_19_each_broken_rule_is_refused),
			cmocka_unit_test(w_20_unsolicited_advertisement_makes_no_entry),
			cmocka_unit_test(w_20_incomplete_becomes_reachable),
			cmocka_unit_test(w_20_known_entry_changes_by_the_override_rules),
			cmocka_unit_test(w_20_static_entry_is_not_changed),
			cmocka_unit_test(w_20_routers_and_redirects_are_not_obeyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
