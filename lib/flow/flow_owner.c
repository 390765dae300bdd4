/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The owner function. The whole hash adds one word per half byte of input, 24 for IPv4:
 * a walk bit by bit would take four times as many steps, and a table per whole
 * byte 36 KiB instead of 4.5. Each segment needs but the bits that index the redirection
 * table: for IPv4 these are added by whole bytes, out of 6 KiB, or, with a key that repeats,
 * out of the first one. */

#include "flow/flow_owner.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/base.h"

enum {
	KEY_LEN_SHORT = 40,
	KEY_LEN_LONG = 52,
	V6_ADDR_LEN = 16,
};
STATIC_ASSERT(FLOW_OWNER_INPUT_MAX + 4 <= KEY_LEN_SHORT);

/* The 32 bits of the key that start at `bit`, the most significant first. */
static uint32_t
key_window(const uint8_t *key, uint32_t bit)
{
	uint64_t window = 0;

	for (uint32_t i = 0; i < 5; i++)
		window = window << 8 | (bit / 8 + i < FLOW_OWNER_KEY_MAX ? key[bit / 8 + i] : 0);
	return (uint32_t)(window >> (8 - bit % 8));
}

/* What this half byte adds to the hash if it has this value. */
static uint32_t
part_of(const uint8_t *key, uint32_t half, uint32_t value)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < 4; i++)
		if (value & 8u >> i)
			sum ^= key_window(key, half * 4 + i);
	return sum;
}

static void
fill_parts(struct flow_owner *o)
{
	for (uint32_t half = 0; half < FLOW_OWNER_INPUT_MAX * 2; half++)
		for (uint32_t value = 0; value < 16; value++)
			o->part[half][value] = part_of(o->rss_key, half, value);
}

/* Each byte is two half bytes. */
static void
fill_low(struct flow_owner *o)
{
	for (uint32_t byte = 0; byte < FLOW_OWNER_INPUT4; byte++)
		for (uint32_t value = 0; value < 256; value++)
			o->low[byte][value] = (uint16_t)(o->part[byte * 2][value >> 4] ^
							 o->part[byte * 2 + 1][value & 15]);
}

static bool
is_periodic(const uint8_t *key, uint32_t len)
{
	for (uint32_t i = 2; i < len; i++)
		if (key[i] != key[i - 2])
			return false;
	return true;
}

int
flow_owner_init(struct flow_owner *o, const uint8_t *key, uint8_t key_len, uint16_t workers)
{
	if (key == NULL && key_len == 0)
		key_len = KEY_LEN_SHORT;
	if (key_len != KEY_LEN_SHORT && key_len != KEY_LEN_LONG)
		return -EINVAL;
	if (workers == 0 || workers > FLOW_OWNER_RETA_MAX)
		return -EINVAL;
	memset(o, 0, sizeof(*o));
	o->workers = workers;
	o->rss_key_len = key_len;
	for (uint32_t i = 0; i < key_len; i++)
		o->rss_key[i] = key != NULL ? key[i] : (i % 2 == 0 ? 0x6d : 0x5a);
	fill_parts(o);
	fill_low(o);
	o->is_periodic = is_periodic(o->rss_key, key_len);
	return flow_owner_set_reta(o, NULL, FLOW_OWNER_RETA_MAX);
}

int
flow_owner_set_reta(struct flow_owner *o, const uint16_t *reta, uint16_t size)
{
	if (size == 0 || size > FLOW_OWNER_RETA_MAX || (size & (size - 1)) != 0)
		return -EINVAL;
	for (uint32_t i = 0; reta != NULL && i < size; i++)
		if (reta[i] >= o->workers)
			return -EINVAL;
	for (uint32_t i = 0; i < size; i++)
		o->reta[i] = reta != NULL ? reta[i] : (uint16_t)(i % o->workers);
	o->reta_size = size;
	return 0;
}

/* Adds `len` input bytes that stand at `offset` of the whole input. */
static inline uint32_t
hash_bytes(const struct flow_owner *o, const void *data, uint32_t offset, uint32_t len)
{
	const uint8_t *byte = data;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i++) {
		const uint32_t(*part)[16] = &o->part[(offset + i) * 2];

		sum ^= part[0][byte[i] >> 4] ^ part[1][byte[i] & 15];
	}
	return sum;
}

uint32_t
flow_owner_hash(const struct flow_owner *o, const struct flow_key *key)
{
	return hash_bytes(o, &key->raddr, 0, 4) ^ hash_bytes(o, &key->laddr, 4, 4) ^
	       hash_bytes(o, &key->rport, 8, 2) ^ hash_bytes(o, &key->lport, 10, 2);
}

uint32_t
flow_owner_hash6(const struct flow_owner *o, const struct flow_owner_tuple6 *tuple)
{
	return hash_bytes(o, tuple->raddr, 0, V6_ADDR_LEN) ^
	       hash_bytes(o, tuple->laddr, V6_ADDR_LEN, V6_ADDR_LEN) ^
	       hash_bytes(o, &tuple->rport, 2 * V6_ADDR_LEN, 2) ^
	       hash_bytes(o, &tuple->lport, 2 * V6_ADDR_LEN + 2, 2);
}

uint32_t
flow_owner_low_of_any(const struct flow_owner *o, const struct flow_key *key)
{
	uint16_t words[6];
	uint32_t sum = 0;

	memcpy(words, &key->raddr, 4);
	memcpy(words + 2, &key->laddr, 4);
	words[4] = key->rport;
	words[5] = key->lport;
	for (uint32_t i = 0; i < PMTCP_ARRAY_SIZE(words); i++)
		sum ^= flow_owner_low_word(o, 2 * i, words[i]);
	return sum;
}

uint32_t
flow_owner_low6_of_any(const struct flow_owner *o, const struct flow_owner_tuple6 *tuple)
{
	return (uint16_t)flow_owner_hash6(o, tuple);
}
