/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The sums that are too long to stand in a header: payload and chains. */

#include "wire/wire_cksum.h"

#include "base/base.h"

enum {
	BLOCK = 32,
};

/* Halves of 32 bits cannot overflow their 64-bit sums below 2^34 octets, so the
 * loop has no carries and becomes vector code. */
static uint64_t
sum_blocks(const uint8_t *p, size_t n)
{
	uint64_t sum[4] = {0};

	for (size_t i = 0; i < n; i++, p += BLOCK) {
		for (int k = 0; k < 4; k++) {
			uint64_t word = wire_load64(p + 8 * k);

			sum[k] += (word & UINT32_MAX) + (word >> 32);
		}
	}
	return sum[0] + sum[1] + sum[2] + sum[3];
}

uint64_t
wire_cksum_bytes(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t sum = 0;

	if (len >= BLOCK) {
		sum = sum_blocks(p, len / BLOCK);
		p += len - len % BLOCK;
	}
	for (size_t n = len % BLOCK / 8; n > 0; n--, p += 8)
		sum = wire_cksum_add(sum, wire_load64(p));
	if (len & 4) {
		sum = wire_cksum_add(sum, wire_load32(p));
		p += 4;
	}
	if (len & 2) {
		sum = wire_cksum_add(sum, wire_load16(p));
		p += 2;
	}
	if (len & 1) {
		uint8_t pair[2] = {*p, 0};

		sum = wire_cksum_add(sum, wire_load16(pair));
	}
	return sum;
}

/* As sum_blocks(). */
static uint64_t
copy_blocks(uint8_t *restrict to, const uint8_t *restrict from, size_t n)
{
	uint64_t sum[4] = {0};

	for (size_t i = 0; i < n; i++, to += BLOCK, from += BLOCK) {
		for (int k = 0; k < 4; k++) {
			uint64_t word = wire_load64(from + 8 * k);

			memcpy(to + 8 * k, &word, sizeof(word));
			sum[k] += (word & UINT32_MAX) + (word >> 32);
		}
	}
	return sum[0] + sum[1] + sum[2] + sum[3];
}

uint64_t
wire_cksum_copy(void *restrict to, const void *restrict from, size_t len)
{
	size_t done = len - len % BLOCK;
	uint64_t sum = copy_blocks(to, from, len / BLOCK);

	if (done == len)
		return sum;
	to = (uint8_t *)to + done;
	memcpy(to, (const uint8_t *)from + done, len - done);
	return wire_cksum_add(sum, wire_cksum_bytes(to, len - done));
}

uint64_t
wire_cksum_mbuf(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	uint64_t sum = 0;
	bool is_odd = false;

	while (off >= m->data_len && m->next != NULL) {
		off -= m->data_len;
		m = m->next;
	}
	while (len > 0 && m != NULL) {
		uint32_t n = min_u32(len, m->data_len - off);
		uint64_t part = wire_cksum_bytes(
				rte_pktmbuf_mtod_offset(m, const uint8_t *, off), n);

		/* A part that starts at an odd octet has the halves of each word
		 * exchanged (RFC 1071 section 2 B). */
		if (is_odd)
			part = __builtin_bswap16(wire_cksum_fold(part));
		sum = wire_cksum_add(sum, part);
		is_odd ^= n & 1;
		len -= n;
		off = 0;
		m = m->next;
	}
	return sum;
}
