/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: the upper layer is found through every chain of extension headers that is
 * allowed, every other chain has its verdict, and nothing is read past the packet.
 * Method: chains by hand behind headers of the independent builder, all lengths of all
 * headers and options, random chains; mbufs of their own malloc. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_byteorder.h>
#include <rte_mbuf.h>

#include "base/rng.h"
#include "flow/flow_key6.h"
#include "wire/wire_ext.h"
#include "wire_bed.h"

#ifdef __SANITIZE_ADDRESS__
enum { RANDOM_FRAMES = 20000 };
#else
enum { RANDOM_FRAMES = 100000 };
#endif

enum { IP_AT = 14, EXT_AT = 54 };

struct row {
	const char *what;
	uint8_t next;
	uint8_t len;
	uint8_t bytes[80];
	enum wire_kind kind;
	uint16_t reason; /* if dropped or a problem */
	uint8_t code;    /* of the problem */
	uint8_t pointer; /* of the problem, from the IPv6 header on */
	uint8_t is_frag;
	uint8_t type; /* of what may be ICMPv6, if not 0 */
};

#define NONE8(next) next, 0, 1, 4, 0, 0, 0, 0

/* clang-format off */
static const struct row rows[] = {
	{"hop-by-hop", 0, 8, {NONE8(6)}, .kind = WIRE_TCP},
	{"destination options", 60, 8, {NONE8(6)}, .kind = WIRE_TCP},
	{"both", 0, 16, {NONE8(60), NONE8(6)}, .kind = WIRE_TCP},
	{"hop-by-hop second", 60, 16, {NONE8(0), NONE8(6)}, .kind = WIRE_IP6_PROBLEM,
		.reason = WIRE_DROP_IP_PROTO, .code = 1, .pointer = 40},
	{"hop-by-hop twice", 0, 16, {NONE8(0), NONE8(6)}, .kind = WIRE_IP6_PROBLEM,
		.reason = WIRE_DROP_IP_PROTO, .code = 1, .pointer = 40},
	{"eight headers", 60, 64, {NONE8(60), NONE8(60), NONE8(60), NONE8(60), NONE8(60), NONE8(60),
		NONE8(60), NONE8(6)}, .kind = WIRE_TCP},
	{"nine headers", 60, 72, {NONE8(60), NONE8(60), NONE8(60), NONE8(60), NONE8(60), NONE8(60),
		NONE8(60), NONE8(60), NONE8(6)}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP6_EXT_LIMIT},
	{"six Pad1", 60, 8, {6, 0, 0, 0, 0, 0, 0, 0}, .kind = WIRE_TCP},
	{"PadN of 0", 60, 8, {6, 0, 1, 0, 1, 0, 1, 0}, .kind = WIRE_TCP},
	{"PadN past the end", 60, 8, {6, 0, 1, 5, 0, 0, 0, 0}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP6_EXT},
	{"PadN of 255", 60, 8, {6, 0, 1, 255, 0, 0, 0, 0}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP6_EXT},
	{"type without length", 60, 8, {6, 0, 1, 3, 0, 0, 0, 1}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP6_EXT},
	{"unknown, skip", 60, 8, {6, 0, 0x1e, 4, 1, 2, 3, 4}, .kind = WIRE_TCP},
	{"unknown, drop", 60, 8, {6, 0, 0x5e, 4, 1, 2, 3, 4}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP6_EXT},
	{"unknown, tell", 60, 8, {6, 0, 0x9e, 4, 1, 2, 3, 4}, .kind = WIRE_IP6_PROBLEM,
		.reason = WIRE_DROP_IP6_EXT, .code = 2, .pointer = 42},
	{"unknown, tell if unicast", 60, 8, {6, 0, 0, 0xde, 3, 2, 3, 4}, .kind = WIRE_IP6_PROBLEM,
		.reason = WIRE_DROP_IP6_EXT, .code = 2, .pointer = 43},
	{"unknown in hop-by-hop", 0, 8, {6, 0, 1, 0, 0x9e, 2, 3, 4}, .kind = WIRE_IP6_PROBLEM,
		.reason = WIRE_DROP_IP6_EXT, .code = 2, .pointer = 44},
	{"unknown before the upper layer", 60, 16, {60, 0, 0x9e, 4, 1, 2, 3, 4, NONE8(6)},
		.kind = WIRE_IP6_PROBLEM, .reason = WIRE_DROP_IP6_EXT, .code = 2, .pointer = 42},
	{"unknown before an error", 60, 8, {58, 0, 0x9e, 4, 1, 2, 3, 4}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP6_EXT, .type = 1},
	{"unknown, then an error", 60, 16, {60, 0, 0x9e, 4, 1, 2, 3, 4, NONE8(58)},
		.kind = WIRE_DROP, .reason = WIRE_DROP_IP6_EXT, .type = 127},
	{"unknown, then no end", 60, 16, {60, 0, 0x9e, 4, 1, 2, 3, 4, 6, 99, 1, 4, 0, 0, 0, 0},
		.kind = WIRE_DROP, .reason = WIRE_DROP_IP6_EXT},
	{"hop-by-hop second, then an error", 60, 16, {NONE8(0), NONE8(58)}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP_PROTO, .type = 3},
	{"unknown before an echo", 60, 8, {58, 0, 0x9e, 4, 1, 2, 3, 4}, .kind = WIRE_IP6_PROBLEM,
		.reason = WIRE_DROP_IP6_EXT, .code = 2, .pointer = 42, .type = 128},
	{"jumbo option", 0, 8, {6, 0, 0xc2, 4, 0, 1, 0, 0}, .kind = WIRE_IP6_PROBLEM,
		.reason = WIRE_DROP_IP6_EXT, .code = 2, .pointer = 42},
	{"router alert", 0, 8, {6, 0, 5, 2, 0, 0, 1, 0}, .kind = WIRE_TCP},
	{"routing type 0, arrived", 43, 8, {6, 0, 0, 0, 0, 0, 0, 0}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP6_EXT},
	{"routing type 0", 43, 24, {6, 2, 0, 1, 0, 0, 0, 0}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP6_EXT},
	{"routing type 2, arrived", 43, 24, {6, 2, 2, 0, 0, 0, 0, 0}, .kind = WIRE_TCP},
	{"routing type 4, on its way", 43, 24, {6, 2, 4, 1, 0, 0, 0, 0}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP6_EXT},
	{"atomic fragment", 44, 8, {6, 0, 0, 0, 1, 2, 3, 4}, .kind = WIRE_TCP, .is_frag = 1},
	{"atomic fragment, reserved bits", 44, 8, {6, 200, 0, 6, 1, 2, 3, 4}, .kind = WIRE_TCP,
		.is_frag = 1},
	{"first fragment", 44, 8, {6, 0, 0, 1, 1, 2, 3, 4}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP_FRAG},
	{"last fragment", 44, 8, {6, 0, 0, 8, 1, 2, 3, 4}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP_FRAG},
	{"far fragment", 44, 8, {6, 0, 0x80, 0, 1, 2, 3, 4}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP_FRAG},
	{"first fragment without TCP", 44, 8, {60, 0, 0, 1, 1, 2, 3, 4}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP_FRAG},
	{"UDP", 17, 8, {0}, .kind = WIRE_IP6_PROBLEM, .reason = WIRE_DROP_IP_PROTO, .code = 1,
		.pointer = 6},
	{"ESP behind options", 60, 8, {NONE8(50)}, .kind = WIRE_IP6_PROBLEM,
		.reason = WIRE_DROP_IP_PROTO, .code = 1, .pointer = 40},
	{"no next header", 60, 8, {NONE8(59)}, .kind = WIRE_DROP, .reason = WIRE_DROP_IP_PROTO},
	{"ICMPv6", 60, 8, {NONE8(58)}, .kind = WIRE_ICMP6},
	{"past the end", 60, 8, {6, 30, 1, 4, 0, 0, 0, 0}, .kind = WIRE_DROP,
		.reason = WIRE_DROP_IP_TRUNC},
};
/* clang-format on */

static void
check_row(struct rte_mempool *pool, const struct row *row, uint16_t seg_size)
{
	struct build b = bed6_segment();
	struct seg seg;
	uint16_t reason = WIRE_DROP_MAX;
	enum wire_kind kind;

	b.next = row->next;
	b.ext = row->bytes;
	b.ext_len = row->len;
	b.seg_size = seg_size;
	if (row->type != 0)
		b.sport = (uint16_t)(row->type << 8 | 1);
	kind = bed_parse(pool, &b, &seg, &reason);
	if (kind != row->kind)
		fail_msg("%s: kind %d reason %u", row->what, kind, reason);
	if (kind == WIRE_TCP) {
		bed_assert_segment(&seg);
		assert_int_equal(seg.payload_off, EXT_AT + row->len + 32);
		assert_int_equal(seg.is_frag, row->is_frag);
		return;
	}
	if (kind == WIRE_ICMP6) {
		assert_int_equal(seg.payload_off, EXT_AT + row->len);
		assert_int_equal(seg.len, 32 + 11);
		return;
	}
	if (reason != row->reason)
		fail_msg("%s: reason %u", row->what, reason);
	if (kind == WIRE_IP6_PROBLEM) {
		assert_int_equal(seg.flags, row->code);
		assert_int_equal(seg.payload_off, IP_AT + row->pointer);
		assert_int_equal(seg.len, 40 + row->len + 43 - row->pointer);
	}
}

/* W-17, W-18: in one piece and in many. */
static void
w_17_extension_headers_are_walked(void **state)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_row(*state, &rows[i], 0);
		for (uint16_t size = 1; size < 80; size += 6)
			check_row(*state, &rows[i], size);
	}
}

/* A chain of one header full of octets that say nothing: options of type 0x1e, none of
 * which is padding, since of that there may not be so much. */
static void
fill_header(uint8_t *ext, uint8_t kind, uint32_t len)
{
	memset(ext, 0, len);
	ext[0] = 6;
	ext[1] = (uint8_t)(len / 8 - 1);
	ext[2] = 2; /* the routing type */
	for (uint32_t at = 2; kind != 43 && at < len; at += 2u + ext[at + 1]) {
		ext[at] = 0x1e;
		/* Never one octet that is left: Pad1 is an option of its own. */
		ext[at + 1] = (uint8_t)(len - at - 2 > 255 ? 253 : len - at - 2);
	}
}

/* W-17: each length of each kind of header, as long as the frame holds it, and one
 * octet too short for it. */
static void
w_17_all_header_lengths_stay_in_bounds(void **state)
{
	static const uint8_t kinds[] = {0, 60, 43};
	static uint8_t ext[2048];

	for (uint32_t i = 0; i < 256 * 3; i++) {
		struct build b = bed6_segment();
		uint32_t words = i / 3, len = (words + 1) * 8;
		uint8_t kind = kinds[i % 3], bytes[BUILD_BYTES_MAX];
		bool is_short = EXT_AT + len + 43 <= 1514;
		uint16_t reason = WIRE_DROP_MAX;
		uint32_t n;
		struct seg seg;

		fill_header(ext, kind, len);
		b.next = kind;
		b.ext = ext;
		b.ext_len = (uint16_t)len;
		n = (uint32_t)build_tcp_bytes(&b, bytes, sizeof(bytes));
		assert_int_equal(bed_parse_exact(&bed6_conf, bytes, n, &seg, &reason),
				is_short ? WIRE_TCP : WIRE_DROP);
		if (!is_short) {
			assert_int_equal(reason, WIRE_DROP_OVERSIZE);
			continue;
		}
		bed_assert_segment(&seg);
		bytes[IP_AT + 4] = (uint8_t)((len - 1) >> 8);
		bytes[IP_AT + 5] = (uint8_t)(len - 1);
		assert_int_equal(
				bed_parse_exact(&bed6_conf, bytes, EXT_AT + len - 1, &seg, &reason),
				WIRE_DROP);
		assert_int_equal(reason, WIRE_DROP_IP_TRUNC);
	}
}

/* W-4, W-17: what lies behind the datagram's length is link padding, though the frame holds
 * it: a header that ends in there is cut off, whatever it names. */
static void
w_17_header_does_not_end_in_link_padding(void **state)
{
	static const uint8_t kinds[] = {0, 60, 43}, named[] = {6, 58, 59, 60};
	static const uint8_t lens[] = {8, 9, 15, 16, 17, 23};

	(void)state;
	for (uint32_t i = 0; i < 3 * 4 * 6; i++) {
		uint8_t ext[24] = {named[i % 4], 2}, bytes[BUILD_BYTES_MAX];
		struct build b = bed6_segment();
		uint16_t reason = WIRE_DROP_MAX;
		struct seg seg;
		uint32_t n;

		ext[2] = kinds[i % 3] == 43 ? 2 : 0;
		b.next = kinds[i % 3];
		b.ext = ext;
		b.ext_len = sizeof(ext);
		n = (uint32_t)build_tcp_bytes(&b, bytes, sizeof(bytes));
		bytes[IP_AT + 4] = 0;
		bytes[IP_AT + 5] = lens[i / 12];
		assert_int_equal(bed_parse_exact(&bed6_conf, bytes, n, &seg, &reason), WIRE_DROP);
		assert_int_equal(reason, WIRE_DROP_IP_TRUNC);
	}
}

/* W-17: every option type with every length, at the end of its header, where 7 octets are
 * left and 5 of them are its own. */
static void
w_17_all_options_stay_in_bounds(void **state)
{
	for (uint32_t type = 1; type < 256; type++) {
		for (uint32_t len = 0; len < 256; len++) {
			uint8_t ext[16] = {
					6, 1, 0x1e, 5, 0, 0, 0, 0, 0, (uint8_t)type, (uint8_t)len};
			struct build b = bed6_segment();
			struct seg seg;
			uint16_t reason;
			enum wire_kind kind;

			b.next = 60;
			b.ext = ext;
			b.ext_len = sizeof(ext);
			kind = bed_parse(*state, &b, &seg, &reason);
			if (len > 5 || type >> 6 == 1)
				assert_int_equal(kind, WIRE_DROP);
			else
				assert_int_equal(kind, type < 64 ? WIRE_TCP : WIRE_IP6_PROBLEM);
		}
	}
}

/* W-17: random chains end, and every verdict is one. */
static void
w_17_random_chains_end(void **state)
{
	static const uint8_t likely[] = {0, 60, 43, 44, 6};
	struct rng rng;

	rng_seed(&rng, 12);
	for (int i = 0; i < RANDOM_FRAMES; i++) {
		struct build b = bed6_segment();
		uint8_t ext[120];
		uint16_t reason = WIRE_DROP_MAX;
		struct seg seg;

		for (uint32_t k = 0; k < sizeof(ext); k++)
			ext[k] = rng_below(&rng, 3) ? likely[rng_below(&rng, 5)]
						    : (uint8_t)rng_next(&rng);
		b.next = likely[rng_below(&rng, 4)];
		b.ext = ext;
		b.ext_len = (uint16_t)(1 + rng_below(&rng, sizeof(ext)));
		b.seg_size = (uint16_t)rng_below(&rng, 90);
		if (bed_parse(*state, &b, &seg, &reason) == WIRE_DROP)
			assert_true(reason < WIRE_DROP_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_17_extension_headers_are_walked),
			cmocka_unit_test(w_17_all_header_lengths_stay_in_bounds),
			cmocka_unit_test(w_17_header_does_not_end_in_link_padding),
			cmocka_unit_test(w_17_all_options_stay_in_bounds),
			cmocka_unit_test(w_17_random_chains_end),
	};

	return cmocka_run_group_tests(tests, bed_pool_setup, bed_pool_teardown);
}
