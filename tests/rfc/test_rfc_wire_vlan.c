/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: W-3 of a whole context - one tag with our VID is taken off and put on every
 * answer, and nothing else gets in. Method: a context with a VID on a bed; the functions
 * below it are tested in tests/unit/test_wire_vlan.c. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <rte_mbuf.h>

#include "support/bed.h"

enum { VID = 100, PORT = 80 };

static struct bed bed;

static void
tune_vid(struct pmtcp_conf *conf)
{
	conf->vlan = VID;
}

static void
tune_vid_both(struct pmtcp_conf *conf)
{
	conf->vlan = VID;
	ctx_conf_add_v6(conf, TEST_ADDR, TEST_PEER);
}

static void
tune_stripping(struct pmtcp_conf *conf)
{
	conf->vlan = VID;
	conf->caps.rx_vlan_strip = true;
}

static const struct build syn = {.vlan = VID,
		.sport = 4000,
		.dport = PORT,
		.seq = 100,
		.flags = PKT_SYN,
		.wnd = 8192,
		.opts = PKT_OPT_MSS,
		.mss = 1460};

static void
begin(void (*tune)(struct pmtcp_conf *))
{
	struct pmtcp_addr local = {.port = PORT};
	struct pmtcp_listener *l;

	bed_create(&bed, tune);
	assert_int_equal(pmtcp_listen(bed.ctx, &local, NULL, &l), 0);
}

static void
expect_syn_ack(const struct build *b, uint16_t vlan)
{
	const struct pkt *p;

	bed_inject(&bed, b);
	bed_turn(&bed);
	p = bed_take(&bed);
	assert_non_null(p);
	assert_int_equal(p->flags, PKT_SYN | PKT_ACK);
	assert_int_equal(p->vlan, vlan);
	assert_null(bed_take(&bed));
}

static void
expect_bad(const struct build *b)
{
	uint64_t before = bed_counter(&bed, PMTCP_C_drop_vlan_bad);

	bed_inject(&bed, b);
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_vlan_bad), before + 1);
}

static void
expect_bad_bytes(const uint8_t *bytes, size_t len)
{
	uint64_t before = bed_counter(&bed, PMTCP_C_drop_vlan_bad);

	bed_inject_mbuf(&bed, build_mbuf(bed.pool, bytes, len, 0));
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_vlan_bad), before + 1);
}

/* Our VID, a priority tag, any priority bits; VID+1 and no tag: nothing. */
static void
w_3_syn_with_our_vid_is_answered_tagged(void **state)
{
	struct build b = syn;

	(void)state;
	begin(tune_vid);
	expect_syn_ack(&b, VID);
	b.sport++;
	b.vlan = 0xe000 | VID;
	expect_syn_ack(&b, VID);
	b.sport++;
	b.vlan = 0xe000; /* priority 7, VID 0 */
	expect_syn_ack(&b, VID);
	b.sport++;
	b.vlan = VID + 1;
	expect_bad(&b);
	b.vlan = 0;
	expect_bad(&b);
	bed_destroy(&bed);
}

/* Over IPv6 alike; two tags, or a service tag, are too many. */
static void
w_3_ipv6_and_second_tags(void **state)
{
	struct build b = syn;
	uint8_t bytes[128];
	size_t len;

	(void)state;
	begin(tune_vid_both);
	b.version = 6;
	ctx_ip6_of(TEST_PEER, b.saddr6);
	ctx_ip6_of(TEST_ADDR, b.daddr6);
	expect_syn_ack(&b, VID);
	assert_int_equal(bed.taken.version, 6);
	b.sport++;
	b.vlan = VID - 1;
	expect_bad(&b);
	b = syn;
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
	b.saddr = TEST_PEER;
	b.daddr = TEST_ADDR;
	len = build_tcp_bytes(&b, bytes, sizeof(bytes) - 4);
	bytes[12] = 0x88; /* 802.1ad */
	bytes[13] = 0xa8;
	expect_bad_bytes(bytes, len);
	memmove(bytes + 16, bytes + 12, len - 12);
	expect_bad_bytes(bytes, len + 4);
	bytes[12] = 0x81; /* 802.1Q, twice */
	bytes[13] = 0x00;
	expect_bad_bytes(bytes, len + 4);
	bytes[16] = 0x81;
	bytes[17] = 0x00;
	expect_bad_bytes(bytes, len + 4);
	bed_destroy(&bed);
}

/* Without a VID of ours a priority tag is as good as none, and any other is foreign. */
static void
w_3_untagged_context_takes_priority_tags_only(void **state)
{
	struct build b = syn;

	(void)state;
	begin(NULL);
	b.vlan = 0xe000;
	expect_syn_ack(&b, 0);
	b.sport++;
	b.vlan = 0;
	expect_syn_ack(&b, 0);
	b.vlan = VID;
	expect_bad(&b);
	bed_destroy(&bed);
}

/* A full frame is no longer for its tag. */
static void
w_35_tag_is_not_counted_as_oversize(void **state)
{
	static const uint8_t payload[1456];
	struct build b = syn;

	(void)state;
	for (int i = 0; i < 2; i++) {
		begin(i == 0 ? tune_vid : NULL);
		b.vlan = i == 0 ? VID : 0xe000;
		b.payload = payload;
		b.len = sizeof(payload);
		bed_inject(&bed, &b);
		bed_turn(&bed);
		assert_non_null(bed_take(&bed));
		bed_destroy(&bed);
	}
}

static void
inject_stripped(struct build b, uint16_t vid)
{
	struct rte_mbuf *m;

	b.vlan = 0;
	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
	b.saddr = PMTCP_IP4(10, 0, 0, 2);
	b.daddr = PMTCP_IP4(10, 0, 0, 1);
	m = build_tcp(bed.pool, &b);
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = vid;
	bed_inject_mbuf(&bed, m);
	bed_turn(&bed);
}

static void
w_3_stripped_tag_is_judged_alike(void **state)
{
	(void)state;
	begin(tune_stripping);
	inject_stripped(syn, VID);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.vlan, VID);
	inject_stripped(syn, VID + 1);
	assert_null(bed_take(&bed));
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_vlan_bad), 1);
	bed_destroy(&bed);
}

/* ARP, echo, RST: replies without a connection are tagged, too. */
static void
w_3_replies_are_tagged(void **state)
{
	struct build b = {.vlan = VID, .payload = "ping", .len = 4};
	struct build_icmp ping = {.type = 8, .rest = 7};
	struct build rst = syn;

	(void)state;
	begin(tune_vid);
	rst.dport = PORT + 1;
	bed_inject(&bed, &rst);
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.flags, PKT_RST | PKT_ACK);
	assert_int_equal(bed.taken.vlan, VID);

	memcpy(b.dmac, bed.conf.mac.addr_bytes, 6);
	memcpy(b.smac, (uint8_t[6]){2, 0, 10, 0, 0, 2}, 6);
	b.saddr = PMTCP_IP4(10, 0, 0, 2);
	b.daddr = PMTCP_IP4(10, 0, 0, 1);
	bed_inject_mbuf(&bed, build_icmp(bed.pool, &b, &ping));
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.icmp_type, 0);
	assert_int_equal(bed.taken.vlan, VID);

	memset(b.dmac, 0xff, 6);
	bed_inject_mbuf(&bed, build_arp(bed.pool, &b,
					      &(struct pkt_arp){.op = 1,
							      .sha = {2, 0, 10, 0, 0, 2},
							      .spa = b.saddr,
							      .tpa = b.daddr}));
	bed_turn(&bed);
	assert_non_null(bed_take(&bed));
	assert_int_equal(bed.taken.arp.op, 2);
	assert_int_equal(bed.taken.vlan, VID);
	bed_destroy(&bed);
}

static void
w_3_conf_vid_is_checked(void **state)
{
	(void)state;
	for (uint32_t vid = 4094; vid <= 4096; vid++) {
		struct pmtcp_conf conf;
		void *mem;
		size_t len;
		struct pmtcp_ctx *ctx;

		bed_create(&bed, NULL);
		conf = bed.conf;
		conf.vlan = (uint16_t)vid;
		len = pmtcp_ctx_memsize(&conf);
		mem = ctx_mem_map(len);
		assert_int_equal(pmtcp_ctx_init(mem, len, &conf, &ctx), vid < 4095 ? 0 : -EINVAL);
		if (vid < 4095)
			pmtcp_ctx_fini(ctx);
		ctx_mem_unmap(mem, len);
		bed_destroy(&bed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_3_syn_with_our_vid_is_answered_tagged),
			cmocka_unit_test(w_3_ipv6_and_second_tags),
			cmocka_unit_test(w_3_untagged_context_takes_priority_tags_only),
			cmocka_unit_test(w_35_tag_is_not_counted_as_oversize),
			cmocka_unit_test(w_3_stripped_tag_is_judged_alike),
			cmocka_unit_test(w_3_replies_are_tagged),
			cmocka_unit_test(w_3_conf_vid_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
