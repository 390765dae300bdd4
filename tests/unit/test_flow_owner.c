/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The owner function: the published verification suite of the Toeplitz hash (the
 * one that devices are checked against), the bit-by-bit definition and DPDK's
 * own software hash as second opinions, and how tuples spread over workers. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <rte_thash.h>

#include "base/base.h"
#include "base/rng.h"
#include "flow/flow_owner.h"

enum {
	SEED = 20260709,
	TUPLES = 20000,
};

/* The key of the verification suite. */
static const uint8_t suite_key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
		0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4,
		0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac,
		0x01, 0xfa};

struct vector {
	const char *dst;
	uint16_t dport;
	const char *src;
	uint16_t sport;
	uint32_t hash;
};

static const struct vector vectors4[] = {
		{"161.142.100.80", 1766, "66.9.149.187", 2794, 0x51ccc178},
		{"65.69.140.83", 4739, "199.92.111.2", 14230, 0xc626b0ea},
		{"12.22.207.184", 38024, "24.19.198.95", 12898, 0x5c2b394a},
		{"209.142.163.6", 2217, "38.27.205.30", 48228, 0xafc7327f},
		{"202.188.127.2", 1303, "153.39.163.191", 44251, 0x10e828a2},
};

static const struct vector vectors6[] = {
		{"3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x40207d3d},
		{"ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0xdde51bbf},
		{"fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251,
				0x02d1feef},
};

static struct flow_key
random_key(struct rng *r)
{
	return (struct flow_key){.laddr = (uint32_t)rng_next(r),
			.raddr = (uint32_t)rng_next(r),
			.lport = (uint16_t)rng_next(r),
			.rport = (uint16_t)rng_next(r)};
}

/* The definition: for each input bit that is set, the 32 key bits under it. */
static uint32_t
toeplitz(const uint8_t *key, const uint8_t *input, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t bit = 0; bit < len * 8; bit++) {
		if (!(input[bit / 8] >> (7 - bit % 8) & 1))
			continue;
		for (uint32_t i = 0; i < 32; i++) {
			uint32_t at = bit + i;

			sum ^= (uint32_t)(key[at / 8] >> (7 - at % 8) & 1) << (31 - i);
		}
	}
	return sum;
}

static uint32_t
toeplitz4(const uint8_t *rss_key, const struct flow_key *key)
{
	uint8_t packet[12];

	memcpy(packet, &key->raddr, 4);
	memcpy(packet + 4, &key->laddr, 4);
	memcpy(packet + 8, &key->rport, 2);
	memcpy(packet + 10, &key->lport, 2);
	return toeplitz(rss_key, packet, sizeof(packet));
}

static uint32_t
toeplitz6(const uint8_t *rss_key, const struct flow_owner_tuple6 *tuple)
{
	uint8_t packet[36];

	memcpy(packet, tuple->raddr, 16);
	memcpy(packet + 16, tuple->laddr, 16);
	memcpy(packet + 32, &tuple->rport, 2);
	memcpy(packet + 34, &tuple->lport, 2);
	return toeplitz(rss_key, packet, sizeof(packet));
}

static struct flow_owner_tuple6
random_tuple6(struct rng *r)
{
	struct flow_owner_tuple6 tuple = {
			.lport = (uint16_t)rng_next(r), .rport = (uint16_t)rng_next(r)};

	for (int i = 0; i < 16; i++) {
		tuple.laddr[i] = (uint8_t)rng_next(r);
		tuple.raddr[i] = (uint8_t)rng_next(r);
	}
	return tuple;
}

static void
ipv4_vectors_of_the_suite_match(void **state)
{
	struct flow_owner o;

	(void)state;
	assert_int_equal(flow_owner_init(&o, suite_key, 40, 4), 0);
	for (uint32_t i = 0; i < PMTCP_ARRAY_SIZE(vectors4); i++) {
		const struct vector *v = &vectors4[i];
		struct flow_key key = {.lport = htons(v->dport), .rport = htons(v->sport)};

		assert_int_equal(inet_pton(AF_INET, v->dst, &key.laddr), 1);
		assert_int_equal(inet_pton(AF_INET, v->src, &key.raddr), 1);
		assert_int_equal(flow_owner_hash(&o, &key), v->hash);
		assert_int_equal(flow_owner(&o, &key), v->hash % 512 % 4);
	}
}

static void
ipv6_vectors_of_the_suite_match(void **state)
{
	struct flow_owner o;

	(void)state;
	assert_int_equal(flow_owner_init(&o, suite_key, 40, 7), 0);
	for (uint32_t i = 0; i < PMTCP_ARRAY_SIZE(vectors6); i++) {
		const struct vector *v = &vectors6[i];
		struct flow_owner_tuple6 tuple = {
				.lport = htons(v->dport), .rport = htons(v->sport)};

		assert_int_equal(inet_pton(AF_INET6, v->dst, tuple.laddr), 1);
		assert_int_equal(inet_pton(AF_INET6, v->src, tuple.raddr), 1);
		assert_int_equal(flow_owner_hash6(&o, &tuple), v->hash);
		assert_int_equal(flow_owner6(&o, &tuple), v->hash % 512 % 7);
	}
}

static void
random_tuples_agree_with_the_definition(void **state)
{
	uint8_t rss_key[52];
	struct flow_owner o;
	struct rng r;

	(void)state;
	print_message("seed %u\n", SEED);
	rng_seed(&r, SEED);
	for (uint32_t i = 0; i < sizeof(rss_key); i++)
		rss_key[i] = (uint8_t)rng_next(&r);
	assert_int_equal(flow_owner_init(&o, rss_key, 52, 3), 0);
	for (uint32_t i = 0; i < TUPLES; i++) {
		struct flow_key key = random_key(&r);
		uint8_t packet[12];
		uint32_t words[3];

		memcpy(packet, &key.raddr, 4);
		memcpy(packet + 4, &key.laddr, 4);
		memcpy(packet + 8, &key.rport, 2);
		memcpy(packet + 10, &key.lport, 2);
		for (uint32_t j = 0; j < 3; j++) {
			memcpy(&words[j], packet + 4 * j, 4);
			words[j] = ntohl(words[j]);
		}
		assert_int_equal(flow_owner_hash(&o, &key), toeplitz(rss_key, packet, 12));
		assert_int_equal(flow_owner_hash(&o, &key), rte_softrss(words, 3, rss_key));
	}
}

static void
low_bits_agree(const struct flow_owner *o, struct rng *r)
{
	for (uint32_t i = 0; i < TUPLES / 10; i++) {
		struct flow_key key = random_key(r);
		struct flow_owner_tuple6 tuple = random_tuple6(r);

		assert_int_equal(flow_owner_low(o, &key), toeplitz4(o->rss_key, &key) & 0xffff);
		assert_int_equal(
				flow_owner_low6(o, &tuple), toeplitz6(o->rss_key, &tuple) & 0xffff);
	}
}

/* A key that repeats after two bytes lets words be added up first; one that does not, be it by
 * its last byte alone, does not. */
static void
low_bits_agree_with_the_definition(void **state)
{
	uint8_t rss_key[52];
	struct flow_owner o;
	struct rng r;

	(void)state;
	print_message("seed %u\n", SEED);
	rng_seed(&r, SEED);
	assert_int_equal(flow_owner_init(&o, NULL, 0, 3), 0);
	low_bits_agree(&o, &r);
	for (int len = 40; len <= 52; len += 12) {
		for (int i = 0; i < len; i++)
			rss_key[i] = i % 2 ? 0x13 : 0xc5;
		assert_int_equal(flow_owner_init(&o, rss_key, (uint8_t)len, 3), 0);
		assert_true(o.is_periodic);
		low_bits_agree(&o, &r);
		for (int at = 0; at < len; at++) {
			rss_key[at] ^= 0x10;
			assert_int_equal(flow_owner_init(&o, rss_key, (uint8_t)len, 3), 0);
			assert_false(o.is_periodic);
			rss_key[at] ^= 0x10;
		}
		for (int i = 0; i < len; i++)
			rss_key[i] = (uint8_t)rng_next(&r);
		assert_int_equal(flow_owner_init(&o, rss_key, (uint8_t)len, 3), 0);
		low_bits_agree(&o, &r);
	}
}

static void
default_key_gives_both_directions_to_one_worker(void **state)
{
	struct flow_owner o;
	struct rng r;

	(void)state;
	rng_seed(&r, SEED);
	assert_int_equal(flow_owner_init(&o, NULL, 0, 5), 0);
	assert_int_equal(o.rss_key_len, 40);
	assert_int_equal(o.rss_key[0], 0x6d);
	assert_int_equal(o.rss_key[39], 0x5a);
	for (uint32_t i = 0; i < TUPLES; i++) {
		struct flow_key key = random_key(&r);
		struct flow_key back = {.laddr = key.raddr,
				.raddr = key.laddr,
				.lport = key.rport,
				.rport = key.lport};

		assert_int_equal(flow_owner(&o, &key), flow_owner(&o, &back));
	}
}

static void
ports_of_one_pair_spread_over_the_workers(void **state)
{
	enum { WORKERS = 8 };
	struct flow_owner o;
	uint32_t owned[WORKERS] = {0};

	(void)state;
	assert_int_equal(flow_owner_init(&o, NULL, 0, WORKERS), 0);
	for (uint32_t port = 0; port < 65536; port++) {
		struct flow_key key = {.laddr = 0x0100000a,
				.raddr = 0x0200000a,
				.lport = htons((uint16_t)port),
				.rport = htons(80)};

		owned[flow_owner(&o, &key)]++;
	}
	for (uint32_t i = 0; i < WORKERS; i++)
		assert_in_range(owned[i], 65536 / WORKERS * 9 / 10, 65536 / WORKERS * 11 / 10);
}

static void
single_worker_owns_everything(void **state)
{
	struct flow_owner o;
	struct rng r;

	(void)state;
	rng_seed(&r, SEED);
	assert_int_equal(flow_owner_init(&o, suite_key, 40, 1), 0);
	for (uint32_t i = 0; i < 100; i++) {
		struct flow_key key = random_key(&r);

		assert_int_equal(flow_owner(&o, &key), 0);
	}
}

static void
table_of_the_device_is_taken_over(void **state)
{
	uint16_t reta[128];
	struct flow_owner o;

	(void)state;
	for (uint16_t i = 0; i < 128; i++)
		reta[i] = (uint16_t)(3 - i % 4);
	assert_int_equal(flow_owner_init(&o, suite_key, 40, 4), 0);
	assert_int_equal(flow_owner_set_reta(&o, reta, 128), 0);
	assert_int_equal(flow_owner_of_hash(&o, 0x51ccc178), reta[0x78]);
	assert_int_equal(flow_owner_of_hash(&o, 0xffffffff), reta[127]);
	reta[5] = 4;
	assert_int_equal(flow_owner_set_reta(&o, reta, 128), -EINVAL);
	assert_int_equal(flow_owner_set_reta(&o, reta, 100), -EINVAL);
	assert_int_equal(flow_owner_set_reta(&o, reta, 1024), -EINVAL);
	assert_int_equal(flow_owner_set_reta(&o, reta, 0), -EINVAL);
	assert_int_equal(flow_owner_of_hash(&o, 5), 2);
	assert_int_equal(flow_owner_set_reta(&o, NULL, 64), 0);
	assert_int_equal(o.reta_size, 64);
	assert_int_equal(flow_owner_of_hash(&o, 64 + 5), 1);
}

static void
init_refuses_odd_keys_and_worker_counts(void **state)
{
	struct flow_owner o;

	(void)state;
	assert_int_equal(flow_owner_init(&o, suite_key, 16, 4), -EINVAL);
	assert_int_equal(flow_owner_init(&o, suite_key, 0, 4), -EINVAL);
	assert_int_equal(flow_owner_init(&o, NULL, 0, 0), -EINVAL);
	assert_int_equal(flow_owner_init(&o, NULL, 52, 513), -EINVAL);
	assert_int_equal(flow_owner_init(&o, NULL, 52, 512), 0);
	assert_int_equal(o.rss_key[51], 0x5a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(ipv4_vectors_of_the_suite_match),
			cmocka_unit_test(ipv6_vectors_of_the_suite_match),
			cmocka_unit_test(random_tuples_agree_with_the_definition),
			cmocka_unit_test(low_bits_agree_with_the_definition),
			cmocka_unit_test(default_key_gives_both_directions_to_one_worker),
			cmocka_unit_test(ports_of_one_pair_spread_over_the_workers),
			cmocka_unit_test(single_worker_owns_everything),
			cmocka_unit_test(table_of_the_device_is_taken_over),
			cmocka_unit_test(init_refuses_odd_keys_and_worker_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
