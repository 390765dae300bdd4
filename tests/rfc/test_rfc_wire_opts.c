/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: TCP options in and out (W-28 to W-34), over both versions of IP. Method: option
 * areas octet by octet on a SYN and on a data segment; what was understood shows in the
 * SYN-ACK and in STATUS. */

#include "frame_bed.h"

/* A SYN with just these options is answered; what the connection then thinks of the peer. */
static struct pmtcp_conn *
accept_with(uint8_t version, const uint8_t *opts, uint8_t len)
{
	struct build b = frame_syn(version);

	b.opts = 0;
	b.raw_opts = opts;
	b.raw_opts_len = len;
	return frame_accept(&b);
}

/* ---- the walk ---- */

/* Lengths that cannot be: the SYN is dropped, the data segment is taken all the same. */
static void
check_malformed(uint8_t version, const uint8_t *opts, uint8_t len)
{
	struct build syn = frame_syn(version), b = frame_syn(version);
	uint64_t before;

	frame_begin(NULL);
	syn.opts = 0;
	syn.sport = 4001;
	syn.raw_opts = opts;
	syn.raw_opts_len = len;
	frame_expect_silence(build_tcp(bed.pool, &syn), PMTCP_C_drop_opt_bad);
	frame_accept(&b);
	before = bed_counter(&bed, PMTCP_C_opt_malformed);
	b.raw_opts = opts;
	b.raw_opts_len = len;
	b.payload = "text";
	b.len = 4;
	frame_expect_fate(build_tcp(bed.pool, &b), PMTCP_C_seg_taken);
	assert_int_equal(bed_event(&bed).flags, PMTCP_EV_READABLE);
	assert_int_equal(bed_counter(&bed, PMTCP_C_opt_malformed), before + 1);
	bed_advance(&bed, 50 * BED_MS);
	assert_int_equal(bed_take(&bed)->ack, b.seq + 4);
	frame_end();
}

static void
w_28_dec_9_kinds_of_impossible_length_are_malformed(void **state)
{
	static const uint8_t lens[] = {0, 1, 41, 255};

	(void)state;
	for (uint32_t kind = 2; kind < 256; kind++) {
		for (size_t i = 0; i < sizeof(lens); i++) {
			uint8_t opts[4] = {(uint8_t)kind, lens[i], 1, 1};

			check_malformed(kind % 2 ? 4 : 6, opts, sizeof(opts));
		}
	}
}

/* Past the end by one, and a kind without room for its length. */
static void
w_28_options_end_within_the_header(void **state)
{
	static const uint8_t rows[][4] = {{1, 253, 4, 0}, {2, 5, 0, 0}, {1, 1, 1, 8}, {1, 1, 2, 3}};

	(void)state;
	FOR_EACH_VERSION(v)
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++)
		check_malformed(*v, rows[i], 4);
}

/* NOP skips, any alignment is right, and behind EOL there is nothing (MUST-64). */
static void
w_28_alignment_and_end_of_list(void **state)
{
	static const struct {
		uint8_t opts[8];
		uint32_t mss;
	} rows[] = {{{2, 4, 0x03, 0xe8, 0, 0, 0, 0}, 1000}, {{1, 2, 4, 0x03, 0xe8, 0, 0, 0}, 1000},
			{{1, 1, 2, 4, 0x03, 0xe8, 0, 0}, 1000},
			{{1, 1, 1, 2, 4, 0x03, 0xe8, 0}, 1000},
			{{1, 1, 1, 1, 2, 4, 0x03, 0xe8}, 1000},
			{{2, 4, 0x03, 0xe8, 0, 2, 4, 0x01}, 1000},
			{{2, 4, 0x03, 0xe8, 0, 77, 0, 0}, 1000}};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
			frame_begin(NULL);
			assert_int_equal(pmtcp_mss(accept_with(*v, rows[i].opts, 8)), rows[i].mss);
			assert_int_equal(bed_counter(&bed, PMTCP_C_opt_malformed), 0);
			frame_end();
		}
	}
}

/* ---- one option ---- */

/* What is left of an option of the wrong length: nothing; the MSS behind it is read. */
static void
w_29_known_option_of_wrong_length_is_ignored(void **state)
{
	static const struct {
		uint8_t opts[16];
		uint8_t len;
	} rows[] = {
			{{2, 3, 9, 2, 4, 0x03, 0xe8, 0}, 8}, /* MSS */
			{{2, 5, 1, 1, 1, 1, 2, 4, 0x03, 0xe8, 0, 0}, 12},
			{{3, 2, 2, 4, 0x03, 0xe8, 0, 0}, 8}, /* window scale */
			{{3, 4, 7, 0, 2, 4, 0x03, 0xe8}, 8},
			{{4, 3, 0, 2, 4, 0x03, 0xe8, 0}, 8}, /* SACK permitted */
			{{4, 4, 0, 0, 2, 4, 0x03, 0xe8}, 8},
			{{8, 9, 0, 0, 0, 1, 0, 0, 0, 2, 4, 0x03, 0xe8, 0, 0, 0}, 16}, /* TS */
			{{8, 11, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 4, 0x03, 0xe8, 0}, 16},
			{{5, 9, 0, 0, 0, 1, 0, 0, 0, 2, 4, 0x03, 0xe8, 0, 0, 0}, 16}, /* SACK */
	};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
			struct build b = frame_syn(*v);
			const struct pkt *p;

			frame_begin(NULL);
			b.opts = 0;
			b.raw_opts = rows[i].opts;
			b.raw_opts_len = rows[i].len;
			p = frame_expect_syn_ack(&b);
			assert_int_equal(p->opts, PKT_OPT_MSS);
			frame_end();
			frame_begin(NULL);
			assert_int_equal(pmtcp_mss(accept_with(*v, rows[i].opts, rows[i].len)),
					1000);
			frame_end();
		}
	}
}

/* A SACK option that is no whole number of blocks moves nothing, its segment does. */
static void
w_29_sack_of_wrong_length_is_ignored(void **state)
{
	static const uint8_t perm[] = {4, 2, 1, 1};
	uint8_t sack[12] = {5, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);
		struct pmtcp_conn *conn;

		frame_begin(NULL);
		b.raw_opts = perm;
		b.raw_opts_len = sizeof(perm);
		conn = frame_accept(&b);
		assert_int_equal(pmtcp_write(conn, "0123456789", 10), 10);
		bed_turn(&bed);
		sack[5] = (uint8_t)b.ack;
		b.raw_opts = sack;
		b.raw_opts_len = sizeof(sack);
		b.wnd = 4000;
		frame_expect_fate(build_tcp(bed.pool, &b), PMTCP_C_seg_taken);
		assert_int_equal(bed_counter(&bed, PMTCP_C_sack_taken), 0);
		assert_int_equal(bed_counter(&bed, PMTCP_C_sack_ignored), 0);
		assert_int_equal(frame_info(conn).snd_wnd, 4000);
		frame_end();
	}
}

static void
w_30_option_twice_counts_the_last(void **state)
{
	static const uint8_t mss[] = {2, 4, 0x01, 0xf4, 2, 4, 0x03, 0xe8};
	static const uint8_t scale[] = {3, 3, 9, 3, 3, 2, 1, 1};
	static const uint8_t perm[] = {4, 2, 4, 2};
	static const uint8_t ts[] = {8, 10, 0, 0, 0, 5, 0, 0, 0, 0, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);

		frame_begin(NULL);
		assert_int_equal(pmtcp_mss(accept_with(*v, mss, sizeof(mss))), 1000);
		assert_int_equal(bed_counter(&bed, PMTCP_C_opt_dup), 1);
		frame_end();
		frame_begin(NULL);
		assert_int_equal(frame_info(accept_with(*v, scale, sizeof(scale))).snd_wscale, 2);
		assert_int_equal(bed_counter(&bed, PMTCP_C_opt_dup), 1);
		frame_end();
		frame_begin(NULL);
		accept_with(*v, perm, sizeof(perm));
		assert_int_equal(bed_counter(&bed, PMTCP_C_opt_dup), 1);
		frame_end();
		frame_begin(NULL);
		b.raw_opts = ts;
		b.raw_opts_len = sizeof(ts);
		assert_int_equal(frame_expect_syn_ack(&b)->tsecr, 9);
		assert_int_equal(bed_counter(&bed, PMTCP_C_opt_dup), 1);
		frame_end();
	}
}

/* MSS, window scale and SACK permitted mean nothing outside of a SYN (MUST-65). */
static void
w_30_syn_options_elsewhere_are_ignored(void **state)
{
	static const uint8_t opts[] = {2, 4, 0, 100, 3, 3, 9, 4, 2, 1, 1, 1};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct build b = frame_syn(*v);
		struct pmtcp_conn *conn;
		const struct pkt *p;

		frame_begin(NULL);
		conn = frame_accept(&b);
		b.raw_opts = opts;
		b.raw_opts_len = sizeof(opts);
		b.payload = "x";
		b.len = 1;
		b.wnd = 1000;
		b.seq += 5; /* above a hole: a SACK block would tell */
		frame_expect_fate(build_tcp(bed.pool, &b), PMTCP_C_seg_taken);
		assert_int_equal(pmtcp_mss(conn), 1400);
		assert_int_equal(frame_info(conn).snd_wnd, 1000);
		assert_int_equal(frame_info(conn).snd_wscale, 0);
		p = bed_take(&bed);
		assert_int_equal(p->opts, 0);
		frame_end();
	}
}

/* None: 536 or 1220. Below 88: 88. Above what the link carries: that. */
static void
w_31_peer_mss_is_bounded(void **state)
{
	static const struct {
		uint16_t mss;
		uint16_t want[2];
	} rows[] = {{0, {88, 88}}, {1, {88, 88}}, {87, {88, 88}}, {88, {88, 88}}, {89, {89, 89}},
			{536, {536, 536}}, {1440, {1440, 1440}}, {1441, {1441, 1440}},
			{1460, {1460, 1440}}, {1461, {1460, 1440}}, {65535, {1460, 1440}}};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		struct build b;

		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
			b = frame_syn(*v);
			b.mss = rows[i].mss;
			frame_begin(NULL);
			assert_int_equal(pmtcp_mss(frame_accept(&b)), rows[i].want[*v == 6]);
			frame_end();
		}
		b = frame_syn(*v);
		b.opts = 0;
		frame_begin(NULL);
		assert_int_equal(pmtcp_mss(frame_accept(&b)), *v == 6 ? 1220 : 536);
		frame_end();
	}
}

/* Segments of 88 octets, options taken off. */
static void
w_31_mss_0_sends_88_octets(void **state)
{
	static const uint8_t ts[] = {1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 0};
	static const uint8_t text[200];

	(void)state;
	FOR_EACH_VERSION(v)
	{
		for (int has_ts = 0; has_ts < 2; has_ts++) {
			struct build b = frame_syn(*v);
			struct pmtcp_conn *conn;

			frame_begin(NULL);
			b.mss = 0;
			b.raw_opts = ts;
			b.raw_opts_len = has_ts ? sizeof(ts) : 0;
			b.tsval = 5;
			conn = frame_accept(&b);
			if (has_ts) {
				b.opts = PKT_OPT_TS;
				frame_expect_fate(build_tcp(bed.pool, &b), PMTCP_C_seg_taken);
			}
			assert_int_equal(pmtcp_write(conn, text, sizeof(text)), sizeof(text));
			bed_turn(&bed);
			assert_int_equal(bed_take(&bed)->len, has_ts ? 76 : 88);
			assert_int_equal(bed_take(&bed)->len, has_ts ? 76 : 88);
			assert_int_equal(bed_take(&bed)->len, has_ts ? 48 : 24);
			frame_end();
		}
	}
}

/* RFC 7323 2.3: above 14 it is 14, and that is noted. */
static void
w_32_window_shift_is_at_most_14(void **state)
{
	static const struct {
		uint8_t shift;
		uint8_t want;
	} rows[] = {{0, 0}, {1, 1}, {13, 13}, {14, 14}, {15, 14}, {16, 14}, {255, 14}};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
			struct build b = frame_syn(*v);
			struct pmtcp_conn *conn;

			frame_begin(NULL);
			b.opts |= PKT_OPT_WSCALE;
			b.wscale = rows[i].shift;
			conn = frame_accept(&b);
			assert_int_equal(frame_info(conn).snd_wscale, rows[i].want);
			assert_int_equal(frame_info(conn).snd_wnd, 8192u << rows[i].want);
			assert_int_equal(bed_counter(&bed, PMTCP_C_wscale_clamped),
					rows[i].shift > 14);
			frame_end();
		}
	}
}

/* MUST-6: skipped in every segment; fast open (34) and user timeout (28) among them. */
static void
w_33_unknown_options_are_skipped(void **state)
{
	static const uint8_t rows[][8] = {{253, 6, 1, 2, 3, 4, 1, 1}, {34, 2, 1, 1, 1, 1, 1, 1},
			{34, 6, 9, 9, 9, 9, 1, 1}, {28, 4, 1, 2, 1, 1, 1, 1},
			{77, 3, 0, 1, 1, 1, 1, 1}, {255, 8, 0, 0, 0, 0, 0, 0}};

	(void)state;
	FOR_EACH_VERSION(v)
	{
		for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
			struct build b = frame_syn(*v);

			frame_begin(NULL);
			b.raw_opts = rows[i];
			b.raw_opts_len = 8;
			frame_accept(&b);
			b.raw_opts_len = 8;
			b.payload = "text";
			b.len = 4;
			frame_expect_fate(build_tcp(bed.pool, &b), PMTCP_C_seg_taken);
			assert_int_equal(bed_event(&bed).flags, PMTCP_EV_READABLE);
			b.seq += 4;
			b.len = 0;
			b.flags = PKT_ACK | PKT_FIN;
			frame_expect_fate(build_tcp(bed.pool, &b), PMTCP_C_seg_taken);
			assert_int_equal(bed_event(&bed).flags, PMTCP_EV_PEER_FIN);
			assert_int_equal(bed_counter(&bed, PMTCP_C_opt_malformed), 0);
			frame_end();
		}
	}
}

/* ---- our own ---- */

/* Of the frame sent last: the option area, in order; zeros pad it (MUST-69). */
static const uint8_t *
sent_options(const struct pkt *p)
{
	return p->bytes + 14 + (p->version == 6 ? 40 : 20) + 20;
}

static void
w_34_syn_options_stand_in_order(void **state)
{
	static const uint8_t mss4[] = {2, 4, 0x05, 0xb4}, mss6[] = {2, 4, 0x05, 0xa0};
	uint8_t ip6[16];

	(void)state;
	ctx_ip6_of(TEST_PEER, ip6);
	FOR_EACH_VERSION(v)
	{
		struct pmtcp_addr to = *v == 6 ? pmtcp_addr6(ip6, 80) : pmtcp_addr4(TEST_PEER, 80);
		uint8_t kinds[16];
		struct pmtcp_conn *conn;
		const struct pkt *p;
		const uint8_t *o;
		size_t n = 0;

		frame_begin(NULL);
		assert_int_equal(pmtcp_connect(bed.ctx, NULL, &to, NULL, &conn), 0);
		bed_turn(&bed);
		p = bed_take(&bed);
		o = sent_options(p);
		assert_memory_equal(o, *v == 6 ? mss6 : mss4, 4);
		for (uint32_t i = 0; i<p->opts_len; i += o[i]> 1 ? o[i + 1] : 1) {
			if (o[i] > 1)
				kinds[n++] = o[i];
			if (o[i] == 0)
				assert_int_equal(o[p->opts_len - 1], 0);
		}
		assert_int_equal(n, 4);
		assert_memory_equal(kinds, ((uint8_t[]){2, 4, 8, 3}), 4);
		assert_true(p->opts_len <= 40);
		pmtcp_abort(conn);
		frame_end();
	}
}

/* SACK blocks: at most 4, beside timestamps 3; the text shrinks by what they take, so that
 * no packet exceeds the MTU (RFC 2525 2.18). */
static void
w_34_options_fit_beside_text(void **state)
{
	static const uint8_t both[] = {4, 2, 8, 10, 0, 0, 0, 5, 0, 0, 0, 0}, perm[] = {4, 2, 1, 1};
	static const uint8_t text[5000];

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		bool has_ts = i & 1;
		struct build b = frame_syn(i & 2 ? 6 : 4);
		uint32_t octets = 0, blocks = 0;
		struct pmtcp_conn *conn;
		const struct pkt *p;

		frame_begin(NULL);
		b.mss = 1460;
		b.raw_opts = has_ts ? both : perm;
		b.raw_opts_len = has_ts ? sizeof(both) : sizeof(perm);
		b.wnd = 65535;
		b.tsval = 5;
		conn = frame_accept(&b);
		b.opts = has_ts ? PKT_OPT_TS : 0;
		b.payload = text;
		b.len = 100;
		for (uint32_t k = 0; k < 6; k++) {
			b.seq += 200;
			bed_inject(&bed, &b);
		}
		assert_int_equal(pmtcp_write(conn, text, sizeof(text)), sizeof(text));
		bed_turn(&bed);
		while ((p = bed_take(&bed)) != NULL) {
			assert_true(p->frame_len <= 14 + 1500);
			assert_true(p->opts_len <= 40);
			assert_int_equal(!!(p->opts & PKT_OPT_TS), has_ts);
			blocks = max_u32(blocks, p->n_sack);
			octets += p->len;
		}
		assert_int_equal(octets, sizeof(text));
		assert_int_equal(blocks, has_ts ? 3 : 4);
		frame_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_28_dec_9_kinds_of_impossible_length_are_malformed),
			cmocka_unit_test(w_28_options_end_within_the_header),
			cmocka_unit_test(w_28_alignment_and_end_of_list),
			cmocka_unit_test(w_29_known_option_of_wrong_length_is_ignored),
			cmocka_unit_test(w_29_sack_of_wrong_length_is_ignored),
			cmocka_unit_test(w_30_option_twice_counts_the_last),
			cmocka_unit_test(w_30_syn_options_elsewhere_are_ignored),
			cmocka_unit_test(w_31_peer_mss_is_bounded),
			cmocka_unit_test(w_31_mss_0_sends_88_octets),
			cmocka_unit_test(w_32_window_shift_is_at_most_14),
			cmocka_unit_test(w_33_unknown_options_are_skipped),
			cmocka_unit_test(w_34_syn_options_stand_in_order),
			cmocka_unit_test(w_34_options_fit_beside_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
