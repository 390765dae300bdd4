/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The sums that are too long to stand in a header: payload and chains. */

#include "wire/wire_cksum.h"

#include "base/base.h"

enum {
	BLOCK = 32,
};

#if defined(__x86_64__)

/* One chain of carries, a word a cycle: `dec` and `lea` leave the carry alone. Caller: n > 0. */
static inline uint64_t
sum_blocks(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;

	__asm__ volatile("clc\n"
			 "1:\tadcq (%[p]), %[sum]\n\t"
			 "adcq 8(%[p]), %[sum]\n\t"
			 "adcq 16(%[p]), %[sum]\n\t"
			 "adcq 24(%[p]), %[sum]\n\t"
			 "leaq 32(%[p]), %[p]\n\t"
			 "decq %[n]\n\t"
			 "jnz 1b\n\t"
			 "adcq $0, %[sum]"
			 : [sum] "+&r"(sum), [p] "+&r"(p), [n] "+&r"(n)
			 :
			 : "cc", "memory");
	return sum;
}

/* As sum_blocks(). */
static inline uint64_t
copy_blocks(uint8_t *restrict to, const uint8_t *restrict from, size_t n)
{
	uint64_t sum = 0;

	__asm__ volatile("clc\n"
			 "1:\tmovdqu (%[from]), %%xmm0\n\t"
			 "movdqu 16(%[from]), %%xmm1\n\t"
			 "adcq (%[from]), %[sum]\n\t"
			 "adcq 8(%[from]), %[sum]\n\t"
			 "adcq 16(%[from]), %[sum]\n\t"
			 "adcq 24(%[from]), %[sum]\n\t"
			 "movdqu %%xmm0, (%[to])\n\t"
			 "movdqu %%xmm1, 16(%[to])\n\t"
			 "leaq 32(%[from]), %[from]\n\t"
			 "leaq 32(%[to]), %[to]\n\t"
			 "decq %[n]\n\t"
			 "jnz 1b\n\t"
			 "adcq $0, %[sum]"
			 : [sum] "+&r"(sum), [to] "+&r"(to), [from] "+&r"(from), [n] "+&r"(n)
			 :
			 : "cc", "memory", "xmm0", "xmm1");
	return sum;
}

#else

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

#endif

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

uint64_t
wire_cksum_copy(void *restrict dst, const void *restrict src, size_t len)
{
	const uint8_t *from = src;
	uint8_t *to = dst;
	uint64_t sum = 0;

	if (len >= BLOCK) {
		sum = copy_blocks(to, from, len / BLOCK);
		to += len - len % BLOCK;
		from += len - len % BLOCK;
	}
	for (size_t n = len % BLOCK / 8; n > 0; n--, to += 8, from += 8) {
		memcpy(to, from, 8);
		sum = wire_cksum_add(sum, wire_load64(from));
	}
	if (len % 8 == 0)
		return sum;
	memcpy(to, from, len % 8);
	return wire_cksum_add(sum, wire_cksum_bytes(from, len % 8));
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
