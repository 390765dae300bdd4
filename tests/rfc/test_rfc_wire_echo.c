/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: ICMP of both versions: echo, errors and everything else (W-21 to W-23). Method:
 * messages of the independent builder; what is answered is compared octet by octet, what is
 * quoted is cut and bent. */

#include "frame_bed.h"

static uint8_t text[1400];

static void
fill_text(void)
{
	for (uint32_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
}

static struct rte_mbuf *
echo(const struct build *b, uint8_t version)
{
	struct build_icmp icmp = {.type = version == 6 ? 128 : 8, .rest = 0x12345678};

	return build_icmp(bed.pool, b, &icmp);
}

/* ---- echo ---- */

static void
w_21_echo_is_returned_as_it_came(void **state)
{
	static const uint32_t lens[] = {0, 1, 2, 55, 56, 57, 1399, 1400};

	(void)state;
	fill_text();
	frame_begin(NULL);
	FOR_EACH_VERSION(v)
	{
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(lens); i++) {
			struct build b = frame_of(*v);
			const struct pkt *p;

			b.payload = text;
			b.len = lens[i];
			b.ttl = 1;
			frame_expect_fate(echo(&b, *v), PMTCP_C_icmp_echo_taken);
			p = bed_take(&bed);
			assert_non_null(p);
			assert_int_equal(p->kind, PKT_KIND_ICMP);
			assert_int_equal(p->version, *v);
			assert_int_equal(p->icmp_type, *v == 6 ? 129 : 0);
			assert_int_equal(p->icmp_code, 0);
			assert_int_equal(p->icmp_rest, 0x12345678);
			assert_int_equal(p->ttl, 64);
			assert_int_equal(p->len, lens[i]);
			assert_memory_equal(p->payload, text, lens[i]);
			assert_memory_equal(p->dmac, b.smac, 6);
			assert_memory_equal(p->smac, b.dmac, 6);
			assert_true(p->is_l4_cksum_good);
			if (*v == 6) {
				assert_memory_equal(p->saddr6, b.daddr6, 16);
				assert_memory_equal(p->daddr6, b.saddr6, 16);
			} else {
				assert_int_equal(p->saddr, TEST_ADDR);
				assert_int_equal(p->daddr, TEST_PEER);
				assert_true(p->is_ip_cksum_good);
			}
			assert_null(bed_take(&bed));
		}
	}
	frame_end();
}

/* Not for all, not for a group, not for others, not in pieces, not if it is broken. */
static void
w_21_echo_to_groups_and_fragments_is_not_answered(void **state)
{
	static const uint32_t dst[] = {PMTCP_IP4(10, 0, 0, 255), PMTCP_IP4(255, 255, 255, 255),
			PMTCP_IP4(224, 0, 0, 1), PMTCP_IP4(10, 0, 0, 77)};
	static const uint8_t atomic[8] = {58};
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	struct build b;

	(void)state;
	frame_begin(NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(dst); i++) {
		b = frame_of(4);
		b.daddr = dst[i];
		frame_expect_silence(echo(&b, 4), PMTCP_C_drop_ip_notme);
	}
	b = frame_of(4);
	b.frag = 0x2000;
	frame_expect_silence(echo(&b, 4), PMTCP_C_drop_ip_frag);
	b = frame_of(6);
	memcpy(b.daddr6, all_nodes, 16);
	memcpy(b.dmac, (uint8_t[6]){0x33, 0x33, 0, 0, 0, 1}, 6);
	frame_expect_silence(echo(&b, 6), PMTCP_C_drop_ip_notme);
	b = frame_of(6);
	b.next = 44;
	b.ext = atomic;
	b.ext_len = sizeof(atomic);
	bed_inject_mbuf(&bed, echo(&b, 6));
	bed_turn(&bed);
	assert_null(bed_take(&bed));
	FOR_EACH_VERSION(v)
	{
		b = frame_of(*v);
		b.l4_cksum_xor = 0x0100;
		frame_expect_silence(echo(&b, *v), PMTCP_C_drop_icmp_bad);
		b = frame_of(*v);
		b.saddr = PMTCP_IP4(127, 0, 0, 1);
		memset(b.saddr6, 0, 15);
		b.saddr6[15] = 1;
		frame_expect_silence(echo(&b, *v), PMTCP_C_drop_martian);
	}
	frame_end();
}

/* SEC-7: both versions share a hundred replies per second. */
static void
w_21_echo_flood_is_throttled(void **state)
{
	uint32_t replies = 0;

	(void)state;
	frame_begin(NULL);
	for (uint32_t i = 0; i < 100000; i++) { /* one second */
		struct build b = frame_of(i % 2 ? 6 : 4);

		bed.now += 10000;
		bed_inject_mbuf(&bed, echo(&b, b.version));
		bed_turn(&bed);
		replies += bed_forget(&bed);
	}
	assert_in_range(replies, 190, 210); /* a full bucket, and a second's gain */
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_icmp_limit), 100000 - replies);
	frame_end();
}

/* ---- errors ---- */

/* The IP packet of ours that a router quotes. */
struct quote {
	uint8_t bytes[128];
	uint32_t len;
};

static void
quote_of(struct quote *q, const struct build *open, uint8_t version)
{
	struct build sent = frame_of(version);

	sent.saddr = TEST_ADDR;
	sent.daddr = TEST_PEER;
	ctx_ip6_of(TEST_ADDR, sent.saddr6);
	ctx_ip6_of(TEST_PEER, sent.daddr6);
	sent.sport = FRAME_PORT;
	sent.dport = FRAME_PEER_PORT;
	sent.seq = open->ack;
	sent.flags = PKT_ACK;
	sent.payload = "0123456789";
	sent.len = 10;
	q->len = (uint32_t)build_tcp_bytes(&sent, q->bytes, sizeof(q->bytes)) - 14;
	memmove(q->bytes, q->bytes + 14, q->len);
}

static struct rte_mbuf *
unreachable(const struct quote *q, uint8_t version, uint16_t cksum_xor)
{
	struct build_icmp icmp = {.type = version == 6 ? 1 : 3, .code = version == 6 ? 4 : 3};
	struct build b = frame_of(version);

	b.payload = q->bytes;
	b.len = q->len;
	b.l4_cksum_xor = cksum_xor;
	return build_icmp(bed.pool, &b, &icmp);
}

/* Something is in flight on `b`'s connection, so that the right quote is acted on. */
static void
begin_in_flight(struct build *b, uint8_t version)
{
	struct pmtcp_conn *conn;

	frame_begin(NULL);
	*b = frame_syn(version);
	conn = frame_accept(b);
	assert_int_equal(pmtcp_write(conn, "0123456789", 10), 10);
	bed_turn(&bed);
	assert_int_equal(bed_take(&bed)->seq, b->ack);
}

/* At least 8 octets of TCP (RFC 792); less says nothing. */
static void
w_22_quote_is_judged_at_every_length(void **state)
{
	(void)state;
	FOR_EACH_VERSION(v)
	{
		uint32_t enough = (*v == 6 ? 40 : 20) + 8;
		struct quote q;
		struct build b;

		begin_in_flight(&b, *v);
		quote_of(&q, &b, *v);
		for (uint32_t len = q.len, full = q.len; len-- > 0;) {
			q.len = len;
			if (len < enough) {
				frame_expect_silence(unreachable(&q, *v, 0), PMTCP_C_drop_icmp_bad);
				continue;
			}
			frame_expect_fate(unreachable(&q, *v, 0), PMTCP_C_icmp_error_taken);
			assert_int_equal(bed_event(&bed).flags, PMTCP_EV_ERROR);
			assert_true(len < full);
		}
		frame_end();
	}
}

/* The first octets of the quoted packet, one at a time and in each value. */
static void
w_22_bent_quotes_are_dropped(void **state)
{
	static const uint8_t at4[] = {0, 7, 9}, at6[] = {6};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		const uint8_t *at = *v == 6 ? at6 : at4;
		struct quote q;
		struct build b;

		begin_in_flight(&b, *v);
		quote_of(&q, &b, *v);
		for (size_t i = 0; i < (*v == 6 ? sizeof(at6) : sizeof(at4)); i++) {
			uint8_t right = q.bytes[at[i]];

			q.len = (*v == 6 ? 40 : 20) + 8;
			for (uint32_t value = 0; value < 256; value++) {
				q.bytes[at[i]] = (uint8_t)value;
				if (value == right)
					continue;
				frame_expect_silence(unreachable(&q, *v, 0), PMTCP_C_drop_icmp_bad);
			}
			q.bytes[at[i]] = right;
		}
		/* The version of IPv6 is half an octet. */
		for (uint32_t value = 0; *v == 6 && value < 16; value++) {
			q.bytes[0] = (uint8_t)(value << 4);
			if (value != 6)
				frame_expect_silence(unreachable(&q, *v, 0), PMTCP_C_drop_icmp_bad);
		}
		frame_end();
	}
}

/* We did not send that; and a sum that is wrong says nothing at all. */
static void
w_22_foreign_source_and_wrong_sum_are_dropped(void **state)
{
	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct quote q;
		struct build b;

		begin_in_flight(&b, *v);
		quote_of(&q, &b, *v);
		q.bytes[*v == 6 ? 23 : 15] ^= 0x40; /* the source's last octet */
		frame_expect_silence(unreachable(&q, *v, 0), PMTCP_C_drop_icmp_bad);
		quote_of(&q, &b, *v);
		for (uint32_t bit = 0; bit < 16; bit++)
			frame_expect_silence(unreachable(&q, *v, (uint16_t)(1u << bit)),
					PMTCP_C_drop_icmp_bad);
		frame_expect_fate(unreachable(&q, *v, 0), PMTCP_C_icmp_error_taken);
		bed_event(&bed);
		frame_end();
	}
}

/* ---- everything else ---- */

/* Source quench, redirect, timestamps, masks, routers, groups: each type there is, in the
 * right form of an echo or with a right quote: nothing is said, nothing happens. */
static void
w_23_other_types_are_not_answered(void **state)
{
	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct pmtcp_stats before, after;
		struct quote q;
		struct build b;

		begin_in_flight(&b, *v);
		quote_of(&q, &b, *v);
		for (uint32_t type = 0; type < 256; type++) {
			struct build_icmp icmp = {.type = (uint8_t)type};
			struct build m = frame_of(*v);

			if (*v == 4 ? type == 3 || type == 8 || type == 11 || type == 12
				    : (type >= 1 && type <= 4) || type == 128)
				continue;
			m.payload = q.bytes;
			m.len = q.len;
			before = bed_stats(&bed);
			bed_inject_mbuf(&bed, build_icmp(bed.pool, &m, &icmp));
			bed_turn(&bed);
			after = bed_stats(&bed);
			assert_null(bed_take(&bed));
			assert_int_equal(bed_event(&bed).flags, 0);
			assert_int_equal(after.counter[PMTCP_C_drop_icmp_unused] +
							 after.counter[PMTCP_C_drop_nd_bad],
					before.counter[PMTCP_C_drop_icmp_unused] +
							before.counter[PMTCP_C_drop_nd_bad] + 1);
		}
		frame_end();
	}
}

/* Nobody listens: an RST, never an ICMP error. Other protocols: nothing. */
static void
w_23_closed_ports_are_told_by_rst(void **state)
{
	(void)state;
	frame_begin(NULL);
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);

		b.dport = FRAME_PORT + 1;
		frame_expect_fate(build_tcp(bed.pool, &b), PMTCP_C_drop_no_tcb);
		assert_non_null(bed_take(&bed));
		assert_int_equal(bed.taken.kind, PKT_KIND_TCP);
		assert_int_equal(bed.taken.flags, PKT_RST | PKT_ACK);
		assert_null(bed_take(&bed));
	}
	for (uint32_t proto = 2; proto < 256; proto++) {
		struct build b = frame_of(4);

		b.proto = (uint8_t)proto;
		if (proto != 6)
			frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_ip_proto);
	}
	frame_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_21_echo_is_returned_as_it_came),
			cmocka_unit_test(w_21_echo_to_groups_and_fragments_is_not_answered),
			cmocka_unit_test(w_21_echo_flood_is_throttled),
			cmocka_unit_test(w_22_quote_is_judged_at_every_length),
			cmocka_unit_test(w_22_bent_quotes_are_dropped),
			cmocka_unit_test(w_22_foreign_source_and_wrong_sum_are_dropped),
			cmocka_unit_test(w_23_other_types_are_not_answered),
			cmocka_unit_test(w_23_closed_ports_are_told_by_rst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
