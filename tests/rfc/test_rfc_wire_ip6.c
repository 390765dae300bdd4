/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the IPv6 header, what may stand between it and TCP, and fragments (W-16 to W-18).
 * Method: a SYN behind each chain; it is answered, refused, or complained about as
 * RFC 8200 says. Every chain of random octets is in tests/unit/test_wire_ext.c. */

#include "frame_bed.h"

static uint8_t bytes[2048];

/* ---- the header ---- */

static void
w_16_version_and_lengths_are_judged(void **state)
{
	struct build b = frame_syn(6);
	size_t len;

	(void)state;
	frame_begin(NULL);
	len = build_tcp_bytes(&b, bytes, sizeof(bytes));
	for (uint32_t version = 0; version < 16; version++) {
		bytes[14] = (uint8_t)(version << 4);
		if (version != 6)
			frame_expect_silence(build_mbuf(bed.pool, bytes, len, 0),
					PMTCP_C_drop_ip_header);
	}
	/* 24 octets are there. */
	b.ip_len = 25;
	frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_ip_trunc);
	b.ip_len = 65535;
	frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_ip_trunc);
	frame_end();
}

/* RFC 2675: length 0 and a hop-by-hop option of type 0xc2. */
static void
w_16_jumbogram_is_dropped(void **state)
{
	static const uint8_t jumbo[] = {6, 0, 0xc2, 4, 0, 1, 0, 0};
	struct build b = frame_syn(6);
	size_t len;

	(void)state;
	frame_begin(NULL);
	b.next = 0;
	b.ext = jumbo;
	b.ext_len = sizeof(jumbo);
	len = build_tcp_bytes(&b, bytes, sizeof(bytes));
	bytes[18] = bytes[19] = 0;
	frame_expect_silence(build_mbuf(bed.pool, bytes, len, 0), PMTCP_C_drop_ip_header);
	frame_end();
}

static void
w_16_flow_label_is_ignored(void **state)
{
	static const uint32_t labels[] = {0, 1, 0x80000, 0xfffff};

	(void)state;
	frame_begin(NULL);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(labels); i++) {
		struct build b = frame_syn(6);

		b.sport = (uint16_t)(5000 + i);
		b.flow_label = labels[i];
		frame_expect_syn_ack(&b);
	}
	frame_end();
}

/* ---- extension headers ---- */

/* Eight octets of padding before what comes next. */
#define PAD8(next) next, 0, 1, 4, 0, 0, 0, 0

/* What becomes of the SYN behind it: an answer, a silent drop, or ICMPv6 type 4. */
enum { ANSWERED = -1, SILENT = -2 };

struct chain {
	const char *what;
	uint8_t next;
	uint8_t len;
	uint8_t ext[80];
	int code; /* of the parameter problem, or one of the above */
	uint32_t pointer;
	enum pmtcp_counter fate;
};

/* clang-format off */
static const struct chain chains[] = {
	{"hop-by-hop", 0, 8, {PAD8(6)}, .code = ANSWERED},
	{"destination options", 60, 8, {PAD8(6)}, .code = ANSWERED},
	{"hop-by-hop and destination options", 0, 16, {PAD8(60), PAD8(6)}, .code = ANSWERED},
	{"a route that has arrived", 43, 8, {6, 0, 4, 0, 0, 0, 0, 0}, .code = ANSWERED},
	{"eight headers", 60, 64, {PAD8(60), PAD8(60), PAD8(60), PAD8(60), PAD8(60), PAD8(60),
		PAD8(60), PAD8(6)}, .code = ANSWERED},
	{"nine headers", 60, 72, {PAD8(60), PAD8(60), PAD8(60), PAD8(60), PAD8(60), PAD8(60),
		PAD8(60), PAD8(60), PAD8(6)}, SILENT, .fate = PMTCP_C_drop_ip6_ext_limit},
	{"hop-by-hop second", 60, 16, {PAD8(0), PAD8(6)}, 1, 40, PMTCP_C_drop_ip_proto},
	{"routing type 0", 43, 8, {6, 0, 0, 0, 0, 0, 0, 0}, SILENT, .fate = PMTCP_C_drop_ip6_ext},
	{"routing type 0 with a hop left", 43, 24, {6, 2, 0, 1}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext},
	{"a route with a hop left", 43, 8, {6, 0, 4, 1, 0, 0, 0, 0}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext},
	{"longer than the packet", 60, 8, {6, 9, 1, 4, 0, 0, 0, 0}, SILENT,
		.fate = PMTCP_C_drop_ip_trunc},
	{"unknown option, 00: skip", 60, 8, {6, 0, 0x1e, 4, 0, 0, 0, 0}, .code = ANSWERED},
	{"unknown option, 01: drop", 60, 8, {6, 0, 0x5e, 4, 0, 0, 0, 0}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext},
	{"unknown option, 10: tell", 60, 8, {6, 0, 0x9e, 4, 0, 0, 0, 0}, 2, 42,
		PMTCP_C_drop_ip6_ext},
	{"unknown option, 11: tell", 0, 8, {6, 0, 0xde, 4, 0, 0, 0, 0}, 2, 42,
		PMTCP_C_drop_ip6_ext},
	{"option past its header", 60, 8, {6, 0, 1, 5, 0, 0, 0, 0}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext},
	{"an option without room for a length", 60, 8, {6, 0, 1, 3, 0, 0, 0, 1}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext},
	{"unknown next header", 60, 8, {PAD8(253)}, 1, 40, PMTCP_C_drop_ip_proto},
	{"unknown at once", 254, 8, {PAD8(6)}, 1, 6, PMTCP_C_drop_ip_proto},
	{"UDP", 17, 8, {PAD8(6)}, 1, 6, PMTCP_C_drop_ip_proto},
	{"no next header", 59, 8, {PAD8(6)}, SILENT, .fate = PMTCP_C_drop_ip_proto},
};

/* What RFC 8504 5.3 lets a host refuse in silence: more than 8 options in a kind of header,
 * more than 7 octets of padding in a row. Options here are unknown ones of type 0x1e. */
#define FOUR      0x1e, 0, 0x1e, 0, 0x1e, 0, 0x1e, 0
#define HEAD(next, units) next, units, 1, 4, 0, 0, 0, 0
static const struct chain bounds[] = {
	{"eight options", 60, 24, {HEAD(6, 2), FOUR, FOUR}, .code = ANSWERED},
	{"nine options", 60, 32, {HEAD(6, 3), FOUR, FOUR, 0x1e, 6}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext_limit},
	{"nine in hop-by-hop", 0, 32, {HEAD(6, 3), FOUR, FOUR, 0x1e, 6}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext_limit},
	{"eight in both", 0, 48, {HEAD(60, 2), FOUR, FOUR, HEAD(6, 2), FOUR, FOUR},
		.code = ANSWERED},
	{"eight in two of destination", 60, 32, {HEAD(60, 1), FOUR, HEAD(6, 1), FOUR},
		.code = ANSWERED},
	{"nine in two of destination", 60, 40, {HEAD(60, 1), FOUR, HEAD(6, 2), FOUR, 0x1e, 6},
		SILENT, .fate = PMTCP_C_drop_ip6_ext_limit},
	{"the ninth is told of", 60, 32, {HEAD(6, 3), FOUR, FOUR, 0x9e, 6}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext_limit},
	{"seven Pad1", 60, 16, {6, 1, 0x1e, 5}, .code = ANSWERED},
	{"eight Pad1", 60, 16, {6, 1, 0x1e, 4}, SILENT, .fate = PMTCP_C_drop_ip6_ext_limit},
	{"eight Pad1 in hop-by-hop", 0, 16, {6, 1, 0x1e, 4}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext_limit},
	{"PadN of seven", 60, 16, {6, 1, 0x1e, 5, 0, 0, 0, 0, 0, 1, 5}, .code = ANSWERED},
	{"PadN of eight", 60, 16, {6, 1, 0x1e, 4, 0, 0, 0, 0, 1, 6}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext_limit},
	{"eight of both kinds", 60, 16, {6, 1, 0x1e, 4, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 1, 0}, SILENT,
		.fate = PMTCP_C_drop_ip6_ext_limit},
	{"seven twice", 60, 24, {6, 2, 1, 5, 0, 0, 0, 0, 0, 0x1e, 6}, .code = ANSWERED},
};
/* clang-format on */

static struct build
behind(const struct chain *c)
{
	struct build b = frame_syn(6);

	b.next = c->next;
	b.ext = c->ext;
	b.ext_len = c->len;
	return b;
}

static void
check_chains(const struct chain *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct chain *c = &rows[i];
		struct build b = behind(c);
		const struct pkt *p;

		frame_begin(NULL);
		if (c->code == ANSWERED) {
			frame_expect_syn_ack(&b);
		} else if (c->code == SILENT) {
			frame_expect_silence(build_tcp(bed.pool, &b), c->fate);
		} else {
			frame_expect_fate(build_tcp(bed.pool, &b), c->fate);
			p = bed_take(&bed);
			if (!p)
				fail_msg("%s: nobody was told", c->what);
			assert_int_equal(p->icmp_type, 4);
			assert_int_equal(p->icmp_code, c->code);
			assert_int_equal(p->icmp_rest, c->pointer);
			assert_true(p->is_l4_cksum_good);
			assert_memory_equal(p->saddr6, b.daddr6, 16);
			assert_memory_equal(p->daddr6, b.saddr6, 16);
			assert_null(bed_take(&bed));
		}
		frame_end();
	}
}

static void
w_17_chains_are_walked_refused_or_complained_about(void **state)
{
	(void)state;
	check_chains(chains, PMTCP_ARRAY_SIZE(chains));
}

static void
w_17_sec_14_options_and_padding_are_bounded(void **state)
{
	(void)state;
	check_chains(bounds, PMTCP_ARRAY_SIZE(bounds));
}

/* Each length octet of each header, whatever is there: it ends, once. */
static void
w_17_any_length_ends(void **state)
{
	static const uint8_t kinds[] = {0, 43, 44, 51, 60, 135, 139, 140};

	(void)state;
	frame_begin(NULL);
	for (uint32_t i = 0; i < 256 * sizeof(kinds); i++) {
		uint8_t ext[24] = {kinds[i % sizeof(kinds)], (uint8_t)(i / sizeof(kinds))};
		struct build b = frame_syn(6);
		uint64_t before = bed_counter(&bed, PMTCP_C_rx_frames);
		struct pmtcp_stats stats;

		b.sport = (uint16_t)(5000 + i);
		b.next = kinds[i % sizeof(kinds)];
		b.ext = ext;
		b.ext_len = sizeof(ext);
		bed_inject_mbuf(&bed, build_tcp(bed.pool, &b));
		bed_turn(&bed);
		bed_forget(&bed);
		stats = bed_stats(&bed);
		assert_int_equal(stats.counter[PMTCP_C_rx_frames], before + 1);
		assert_null(pmtcp_stats_audit(&stats));
	}
	frame_end();
}

/* SEC-7: a hundred complaints per second. */
static void
w_17_complaints_are_throttled(void **state)
{
	static const struct chain unknown = {"", 253, 8, {PAD8(6)}, 1, 6, PMTCP_C_drop_ip_proto};
	struct build b = behind(&unknown);
	uint32_t told = 0;

	(void)state;
	frame_begin(NULL);
	for (uint32_t ms = 0; ms < 3000; ms++) {
		bed.now += BED_MS;
		for (int i = 0; i < 3; i++)
			bed_inject_mbuf(&bed, build_tcp(bed.pool, &b));
		bed_turn(&bed);
		told += bed_forget(&bed);
	}
	assert_in_range(told, 300, 410);
	frame_end();
}

/* W-23 (RFC 4443 2.4 e): not to a group, not to one without an address, not about an error. */
static void
w_23_complaints_are_never_about_groups_and_errors(void **state)
{
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	static const uint8_t dest_options[] = {58, 0, 0x9e, 4, 0, 0, 0, 0};
	static const struct chain unknown = {"", 253, 8, {PAD8(6)}, 1, 6, PMTCP_C_drop_ip_proto};
	struct build_icmp unreachable = {.type = 1};
	struct build b = behind(&unknown);

	(void)state;
	frame_begin(NULL);
	memcpy(b.daddr6, all_nodes, 16);
	frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_ip_notme);
	memcpy(b.dmac, (uint8_t[6]){0x33, 0x33, 0, 0, 0, 1}, 6);
	frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_eth_notme);
	b = behind(&unknown);
	memset(b.saddr6, 0, 16);
	frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_martian);
	b = frame_of(6);
	b.next = 60;
	b.ext = dest_options;
	b.ext_len = sizeof(dest_options);
	frame_expect_silence(build_icmp(bed.pool, &b, &unreachable), PMTCP_C_drop_ip6_ext);
	frame_end();
}

/* ---- fragments ---- */

/* RFC 6946: alone it is the whole datagram. With an offset or more to come it is dropped,
 * since nothing puts it together by default (DEC-11). */
static void
w_18_only_an_atomic_fragment_is_taken(void **state)
{
	static const struct {
		uint16_t field; /* offset, two reserved bits, more */
		bool is_taken;
	} rows[] = {{0x0000, true}, {0x0006, true}, {0x0001, false}, {0x0008, false},
			{0x0009, false}, {0xfff8, false}, {0xfff9, false}};

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		uint8_t ext[] = {6, 0, (uint8_t)(rows[i].field >> 8), (uint8_t)rows[i].field, 1, 2,
				3, 4};
		struct build b = frame_syn(6);

		b.next = 44;
		b.ext = ext;
		b.ext_len = sizeof(ext);
		frame_begin(NULL);
		if (rows[i].is_taken)
			frame_expect_syn_ack(&b);
		else
			frame_expect_silence(build_tcp(bed.pool, &b), PMTCP_C_drop_ip_frag);
		frame_end();
	}
}

/* Behind other headers, too. */
static void
w_18_atomic_fragment_behind_others_is_taken(void **state)
{
	static const uint8_t ext[] = {PAD8(60), PAD8(44), 60, 0, 0, 0, 0, 0, 0, 9, PAD8(6)};
	struct build b = frame_syn(6);

	(void)state;
	frame_begin(NULL);
	b.next = 0;
	b.ext = ext;
	b.ext_len = sizeof(ext);
	frame_expect_syn_ack(&b);
	frame_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_16_version_and_lengths_are_judged),
			cmocka_unit_test(w_16_jumbogram_is_dropped),
			cmocka_unit_test(w_16_flow_label_is_ignored),
			cmocka_unit_test(w_17_chains_are_walked_refused_or_complained_about),
			cmocka_unit_test(w_17_sec_14_options_and_padding_are_bounded),
			cmocka_unit_test(w_17_any_length_ends),
			cmocka_unit_test(w_17_complaints_are_throttled),
			cmocka_unit_test(w_23_complaints_are_never_about_groups_and_errors),
			cmocka_unit_test(w_18_only_an_atomic_fragment_is_taken),
			cmocka_unit_test(w_18_atomic_fragment_behind_others_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
