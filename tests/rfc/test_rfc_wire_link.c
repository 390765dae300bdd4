/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: frames as octets - lengths, Ethernet, the IPv4 header, checksums in and out (W-1,
 * W-2, W-4, W-9 to W-11, W-24 to W-26, W-35). Method: whole frames bent octet by octet, over
 * both versions of IP; each ends in the counter that the row names, and in no other. */

#include "frame_bed.h"
#include "support/build.h"

static uint8_t bytes[2048];

/* A data segment of an open connection, as octets. */
static size_t
data_frame(const struct build *b)
{
	struct build data = *b;

	data.flags = PKT_ACK | PKT_PSH;
	data.payload = "0123456789abcdefghi";
	data.len = 19;
	return build_tcp_bytes(&data, bytes, sizeof(bytes));
}

/* The frame in `bytes` claims an IP packet of this length, its checksum right again. */
static void
say_ip_len(uint8_t version, size_t len)
{
	uint16_t sum;

	if (version == 6) {
		bytes[19] = (uint8_t)(len - 40);
		return;
	}
	bytes[17] = (uint8_t)len;
	bytes[24] = bytes[25] = 0;
	sum = rte_cpu_to_be_16(build_cksum(build_sum(0, bytes + 14, 20)));
	memcpy(bytes + 24, &sum, 2);
}

/* ---- lengths ---- */

/* Cut at every length, flat and in pieces: one drop each, nothing moves. */
static void
w_1_frame_cut_anywhere_is_dropped_once(void **state)
{
	static const uint16_t sizes[] = {0, 1, 7, 33};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);
		size_t len, headers = 14 + (*v == 6 ? 40 : 20);
		struct pmtcp_conn *conn;

		frame_begin(NULL);
		conn = frame_accept(&b);
		len = data_frame(&b);
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(sizes); i++) {
			for (size_t n = 1; n < len; n++)
				frame_expect_silence(build_mbuf(bed.pool, bytes, n, sizes[i]),
						n < 14 ? PMTCP_C_drop_eth_bad
						       : PMTCP_C_drop_ip_trunc);
			assert_int_equal(frame_info(conn).rcv_nxt, b.seq);
		}
		/* The IP length says the truth, and it is no TCP header. */
		for (size_t n = headers; n < headers + 20; n++) {
			say_ip_len(*v, n - 14);
			frame_expect_silence(
					build_mbuf(bed.pool, bytes, n, 0), PMTCP_C_drop_tcp_header);
		}
		data_frame(&b);
		frame_expect_fate(build_mbuf(bed.pool, bytes, len, 7), PMTCP_C_seg_taken);
		frame_end();
	}
}

/* 802.3 lengths and each EtherType but those of IP, ARP and tags. */
static void
w_1_other_ethertypes_are_dropped(void **state)
{
	struct build b = frame_syn(4);
	size_t len = build_tcp_bytes(&b, bytes, sizeof(bytes));

	(void)state;
	frame_begin(NULL);
	for (uint32_t type = 0; type < 0x10000; type++) {
		if (type == 0x0800 || type == 0x0806 || type == 0x86dd || type == 0x8100 ||
				type == 0x88a8)
			continue;
		bytes[12] = (uint8_t)(type >> 8);
		bytes[13] = (uint8_t)type;
		frame_expect_silence(build_mbuf(bed.pool, bytes, len, 0), PMTCP_C_drop_eth_bad);
	}
	frame_end();
}

/* ---- MAC addresses ---- */

static void
w_2_foreign_and_group_macs_are_dropped(void **state)
{
	static const uint8_t dst[][6] = {{2, 0, 10, 0, 0, 99}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			{0x33, 0x33, 0, 0, 0, 1}, {1, 0, 0x5e, 0, 0, 1}, {2, 0, 10, 0, 0, 0}};

	(void)state;
	frame_begin(NULL);
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);

		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(dst); i++) {
			memcpy(b.dmac, dst[i], 6);
			frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_eth_notme);
		}
		b = frame_syn(*v);
		b.smac[0] |= 1;
		frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_eth_group_src);
		b.smac[0] &= (uint8_t)~1;
		frame_expect_syn_ack(&b);
	}
	frame_end();
}

/* ---- IP ---- */

/* The octets behind the packet are the link's: 0xff up to 60 and more. */
static void
w_4_link_padding_is_no_text(void **state)
{
	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);
		struct pmtcp_conn *conn;

		frame_begin(NULL);
		conn = frame_accept(&b);
		for (uint16_t pad = 1; pad < 40; pad++) {
			struct rte_mbuf *m = build_tcp(bed.pool, &b);

			memset(rte_pktmbuf_append(m, pad), 0xff, pad);
			frame_expect_silence(m, PMTCP_C_seg_taken);
			assert_int_equal(frame_info(conn).rcv_nxt, b.seq);
			assert_int_equal(frame_info(conn).unread, 0);
		}
		frame_end();
	}
}

static void
w_4_length_beyond_the_frame_is_dropped(void **state)
{
	(void)state;
	frame_begin(NULL);
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);
		uint16_t truth = *v == 6 ? 24 : 44;

		for (uint32_t more = 1; more < 65536u - truth; more = 2 * more + 1) {
			b.ip_len = (uint16_t)(truth + more);
			frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_ip_trunc);
		}
	}
	frame_end();
}

/* Octet `at` of the IPv4 header becomes `value`, the header checksum right again. */
static struct rte_mbuf *
bent_ip4(uint32_t at, uint8_t value)
{
	struct build b = frame_syn(4);
	size_t len;
	uint16_t sum;

	b.opts = 0;
	len = build_tcp_bytes(&b, bytes, sizeof(bytes));
	bytes[14 + at] = value;
	bytes[24] = bytes[25] = 0;
	sum = rte_cpu_to_be_16(build_cksum(build_sum(0, bytes + 14, 20)));
	memcpy(bytes + 24, &sum, 2);
	return build_mbuf(bed.pool, bytes, len, 0);
}

static void
w_9_header_fields_are_judged(void **state)
{
	struct build b = frame_syn(4);

	(void)state;
	frame_begin(NULL);
	for (uint32_t version = 0; version < 16; version++)
		if (version != 4)
			frame_expect_silence(bent_ip4(0, (uint8_t)(version << 4 | 5)),
					PMTCP_C_drop_ip_header);
	for (uint32_t ihl = 0; ihl < 16; ihl++)
		if (ihl < 5 || ihl > 10) /* in a packet of 40 octets */
			frame_expect_silence(
					bent_ip4(0, (uint8_t)(0x40 | ihl)), PMTCP_C_drop_ip_header);
	for (uint32_t len = 0; len < 20; len++)
		frame_expect_silence(bent_ip4(3, (uint8_t)len), PMTCP_C_drop_ip_header);
	frame_expect_silence(bent_ip4(3, 41), PMTCP_C_drop_ip_trunc);
	for (uint32_t bit = 0; bit < 16; bit++) {
		b.ip_cksum_xor = (uint16_t)(1u << bit);
		frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_ip_cksum);
	}
	b.ip_cksum_xor = 0;
	frame_expect_syn_ack(&b);
	frame_end();
}

static void
w_10_options_are_walked_in_bounds(void **state)
{
	static const struct {
		const char *what;
		uint8_t len;
		bool is_good;
		uint8_t opts[12];
	} rows[] = {
			{"record route", 8, true, {7, 7, 4, 0, 0, 0, 0, 0}},
			{"timestamp", 8, true, {68, 8, 5, 0, 0, 0, 0, 0}},
			{"router alert", 4, true, {148, 4, 0, 0}},
			{"unknown", 8, true, {200, 5, 1, 2, 3, 1, 1, 1}},
			{"only NOP", 4, true, {1, 1, 1, 1}},
			{"end, then anything", 4, true, {0, 131, 0, 0}},
			{"length 0", 4, false, {7, 0, 0, 0}},
			{"length 1", 4, false, {7, 1, 0, 0}},
			{"length past the end", 4, false, {7, 5, 0, 0}},
			{"no room for a length", 4, false, {1, 1, 1, 7}},
			{"second one bad", 8, false, {200, 4, 0, 0, 200, 5, 0, 0}},
			{"loose source route", 8, false, {131, 7, 4, 10, 0, 0, 2, 0}},
			{"strict source route", 8, false, {137, 7, 4, 10, 0, 0, 2, 0}},
			{"source route behind others", 12, false,
					{1, 148, 4, 0, 0, 131, 7, 4, 10, 0, 0, 2}},
	};

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct build b = frame_syn(4);

		b.ip_opts = rows[i].opts;
		b.ip_opts_len = rows[i].len;
		frame_begin(NULL);
		if (rows[i].is_good)
			frame_expect_syn_ack(&b);
		else
			frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_ip_opt);
		frame_end();
	}
}

static void
tune_ttl(struct pmtcp_conf *conf)
{
	frame_both_versions(conf);
	conf->ttl = 7;
}

/* Any TTL is good; ours is 64 unless configured, and DF is set. */
static void
w_11_ttl_and_df(void **state)
{
	static const uint8_t ttls[] = {1, 2, 64, 255};

	(void)state;
	for (int knob = 0; knob < 2; knob++) {
		frame_begin(knob ? tune_ttl : NULL);
		FOR_EACH_VERSION(v)
		{
			for (size_t i = 0; i < sizeof(ttls); i++) {
				struct build b = frame_syn(*v);
				const struct pkt *p;

				b.sport = (uint16_t)(5000 + i);
				b.ttl = ttls[i];
				p = frame_expect_syn_ack(&b);
				assert_int_equal(p->ttl, knob ? 7 : 64);
				assert_int_equal(p->frag, *v == 4 ? 0x4000 : 0);
				assert_int_equal(p->tos, 0);
			}
		}
		frame_end();
	}
}

static void
w_11_ttl_and_dscp_are_per_connection(void **state)
{
	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct build a = frame_syn(*v), b = frame_syn(*v);
		struct pmtcp_conn *one, *other;

		frame_begin(NULL);
		one = frame_accept(&a);
		b.sport++;
		other = frame_accept(&b);
		assert_int_equal(pmtcp_set(one, PMTCP_OPT_TTL, 9), 0);
		assert_int_equal(pmtcp_set(one, PMTCP_OPT_DSCP, 46), 0);
		assert_int_equal(pmtcp_set(one, PMTCP_OPT_DSCP, 64), -EINVAL);
		assert_int_equal(pmtcp_set(one, PMTCP_OPT_TTL, 0), -EINVAL);
		assert_int_equal(pmtcp_write(one, "x", 1), 1);
		bed_turn(&bed);
		assert_int_equal(bed_take(&bed)->ttl, 9);
		assert_int_equal(bed.taken.tos, 46 << 2);
		assert_int_equal(bed.taken.frag, *v == 4 ? 0x4000 : 0);
		assert_int_equal(pmtcp_write(other, "x", 1), 1);
		bed_turn(&bed);
		assert_int_equal(bed_take(&bed)->ttl, 64);
		assert_int_equal(bed.taken.tos, 0);
		frame_end();
	}
}

/* ---- TCP ---- */

static void
w_24_wrong_data_offset_is_dropped(void **state)
{
	(void)state;
	frame_begin(NULL);
	FOR_EACH_VERSION(v)
	{
		/* A segment of 24 octets: 5 and 6 are possible. */
		for (uint32_t doff = 0; doff < 16; doff++) {
			struct build b = frame_syn(*v);
			size_t len = build_tcp_bytes(&b, bytes, sizeof(bytes));

			if (doff == 5 || doff == 6)
				continue;
			/* The sum is none of its business: it must not be reached. */
			bytes[len - 24 + 12] = (uint8_t)(doff << 4);
			frame_expect_silence(build_mbuf(bed.pool, bytes, len, 0),
					PMTCP_C_drop_tcp_header);
		}
	}
	frame_end();
}

/* Each bit of both addresses and of the segment: silence, and nothing moves. */
static void
w_25_any_flipped_bit_is_noticed(void **state)
{
	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);
		size_t len, from = *v == 6 ? 14 + 8 : 14;
		struct pmtcp_conn *conn;

		frame_begin(NULL);
		conn = frame_accept(&b);
		len = data_frame(&b);
		for (size_t bit = from * 8; bit < len * 8; bit++) {
			struct rte_mbuf *m = build_mbuf(bed.pool, bytes, len, 0);
			struct pmtcp_conn_info info;

			rte_pktmbuf_mtod(m, uint8_t *)[bit / 8] ^= (uint8_t)(1u << bit % 8);
			bed_inject_mbuf(&bed, m);
			bed_turn(&bed);
			assert_null(bed_take(&bed));
			assert_int_equal(bed_event(&bed).flags, 0);
			info = frame_info(conn);
			assert_int_equal(info.rcv_nxt, b.seq);
			assert_int_equal(info.snd_wnd, 8192);
		}
		assert_true(bed_counter(&bed, PMTCP_C_drop_tcp_cksum) >= (20 + 19) * 8 - 8);
		frame_expect_fate(build_mbuf(bed.pool, bytes, len, 0), PMTCP_C_seg_taken);
		frame_end();
	}
}

static void
w_25_odd_lengths_are_summed(void **state)
{
	static const uint8_t text[] = {0xff, 0x80, 0x7f, 0, 1, 0xfe, 0x55, 0xaa, 0xff};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);

		frame_begin(NULL);
		frame_accept(&b);
		b.payload = text;
		for (uint32_t len = 1; len <= sizeof(text); len++) {
			for (uint16_t piece = 0; piece < 60; piece++) {
				b.len = len;
				b.seg_size = piece;
				b.l4_cksum_xor = 0x0001;
				frame_expect_silence(
						build_tcp(bed.pool, &b), PMTCP_C_drop_tcp_cksum);
				b.l4_cksum_xor = 0;
				frame_expect_fate(build_tcp(bed.pool, &b), PMTCP_C_seg_taken);
				assert_int_equal(bed_event(&bed).flags, PMTCP_EV_READABLE);
				bed_forget(&bed);
				b.seq += len;
			}
		}
		frame_end();
	}
}

static void
tune_trusting(struct pmtcp_conf *conf)
{
	frame_both_versions(conf);
	conf->caps.rx_tcp_cksum = true;
	conf->caps.rx_ip_cksum = true;
}

/* The device's word: "good" and "bad" where it may be believed, else the sum decides. */
static void
w_25_device_verdict_counts_only_if_trusted(void **state)
{
	static const struct {
		uint64_t flags;
		bool is_trusted, is_wrong, is_taken;
	} rows[] = {
			{RTE_MBUF_F_RX_L4_CKSUM_GOOD, true, true, true},
			{RTE_MBUF_F_RX_L4_CKSUM_GOOD, true, false, true},
			{RTE_MBUF_F_RX_L4_CKSUM_BAD, true, false, false},
			{RTE_MBUF_F_RX_L4_CKSUM_BAD, true, true, false},
			{RTE_MBUF_F_RX_L4_CKSUM_NONE, true, true, false},
			{RTE_MBUF_F_RX_L4_CKSUM_NONE, true, false, true},
			{RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, true, true, false},
			{RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, true, false, true},
			{RTE_MBUF_F_RX_L4_CKSUM_GOOD, false, true, false},
			{RTE_MBUF_F_RX_L4_CKSUM_BAD, false, false, true},
	};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
			struct build b = frame_syn(*v);
			struct rte_mbuf *m;

			b.l4_cksum_xor = rows[i].is_wrong ? 0x8000 : 0;
			frame_begin(rows[i].is_trusted ? tune_trusting : NULL);
			m = build_tcp(bed.pool, &b);
			m->ol_flags |= rows[i].flags;
			if (rows[i].is_taken)
				frame_expect_fate(m, PMTCP_C_syn_taken);
			else
				frame_expect_silence(m, PMTCP_C_drop_tcp_cksum);
			frame_end();
		}
	}
}

/* ---- out ---- */

static void
tune_offload(struct pmtcp_conf *conf)
{
	frame_both_versions(conf);
	conf->caps.tx_ip_cksum = true;
	conf->caps.tx_tcp_cksum = true;
}

static void
tune_chains(struct pmtcp_conf *conf)
{
	frame_both_versions(conf);
	conf->caps.tx_multi_seg = true;
}

static void
tune_offload_chains(struct pmtcp_conf *conf)
{
	tune_offload(conf);
	conf->caps.tx_multi_seg = true;
}

/* Texts of each length mod 16, as copies and as chains of the application's buffers. */
static void
send_text(struct pmtcp_conn *conn, uint32_t len)
{
	struct rte_mbuf *m[2];

	for (uint32_t i = 0; i < 2; i++) {
		uint16_t half = (uint16_t)(i == 0 ? len / 2 : len - len / 2);

		m[i] = rte_pktmbuf_alloc(bed.pool);
		for (uint16_t k = 0; k < half; k++)
			*rte_pktmbuf_append(m[i], 1) = (char)(0xfe - k * 7);
	}
	assert_int_equal(rte_pktmbuf_chain(m[0], m[1]), 0);
	assert_int_equal(pmtcp_send(conn, m, 1), 1);
}

/* The decoder computes each sum anew; or, if the device is asked to, that the header is
 * prepared as DPDK wants it. Nobody is asked who cannot. */
static void
w_26_sent_checksums_are_right(void **state)
{
	static void (*const tunes[])(struct pmtcp_conf *) = {
			frame_both_versions, tune_offload, tune_chains, tune_offload_chains};

	(void)state;
	for (uint32_t i = 0; i < 2 * PMTCP_ARRAY_SIZE(tunes); i++) {
		bool is_offload = i / 2 % 2;
		struct build b = frame_syn(i % 2 ? 6 : 4);
		struct pmtcp_conn *conn;
		uint32_t n = 0;

		frame_begin(tunes[i / 2]);
		b.wnd = 65535;
		conn = frame_accept(&b);
		assert_int_equal(pmtcp_set(conn, PMTCP_OPT_NODELAY, 1), 0);
		for (uint32_t len = 2; len < 1400; len += len < 40 ? 1 : 97) {
			struct rte_mbuf *out;

			send_text(conn, len);
			bed_turn(&bed);
			out = bed.out[bed.first_out];
			assert_int_equal(!!(out->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM), is_offload);
			assert_int_equal(!!(out->ol_flags & RTE_MBUF_F_TX_IP_CKSUM),
					is_offload && b.version == 4);
			n += out->nb_segs > 1;
			assert_non_null(bed_take(&bed));
			assert_int_equal(bed.taken.len, len);
			assert_true(bed.taken.is_l4_cksum_good);
			assert_true(b.version == 6 || bed.taken.is_ip_cksum_good);
			b.ack += len;
			frame_expect_fate(build_tcp(bed.pool, &b), PMTCP_C_seg_taken);
			bed_event(&bed);
		}
		assert_int_equal(n > 0, i / 2 >= 2);
		frame_end();
	}
}

/* ---- the peer's offloads ---- */

static void
w_35_oversize_frame_is_dropped_and_told(void **state)
{
	static const uint8_t text[1500];

	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);
		struct pmtcp_diag diag;

		frame_begin(NULL);
		frame_accept(&b);
		b.payload = text;
		b.len = *v == 6 ? 1440 : 1460;
		frame_expect_fate(build_tcp(bed.pool, &b), PMTCP_C_seg_taken);
		bed_event(&bed);
		bed_forget(&bed);
		b.seq += b.len;
		b.len++;
		frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_oversize);
		assert_int_equal(pmtcp_diag(bed.ctx, &diag, 1), 1);
		assert_int_equal(diag.kind, PMTCP_DIAG_OVERSIZE);
		frame_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_1_frame_cut_anywhere_is_dropped_once),
			cmocka_unit_test(w_1_other_ethertypes_are_dropped),
			cmocka_unit_test(w_2_foreign_and_group_macs_are_dropped),
			cmocka_unit_test(w_4_link_padding_is_no_text),
			cmocka_unit_test(w_4_length_beyond_the_frame_is_dropped),
			cmocka_unit_test(w_9_header_fields_are_judged),
			cmocka_unit_test(w_10_options_are_walked_in_bounds),
			cmocka_unit_test(w_11_ttl_and_df),
			cmocka_unit_test(w_11_ttl_and_dscp_are_per_connection),
			cmocka_unit_test(w_24_wrong_data_offset_is_dropped),
			cmocka_unit_test(w_25_any_flipped_bit_is_noticed),
			cmocka_unit_test(w_25_odd_lengths_are_summed),
			cmocka_unit_test(w_25_device_verdict_counts_only_if_trusted),
			cmocka_unit_test(w_26_sent_checksums_are_right),
			cmocka_unit_test(w_35_oversize_frame_is_dropped_and_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
