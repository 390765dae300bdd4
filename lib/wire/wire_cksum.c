/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The Internet checksum over memory and over packets. */

#include "wire/wire_cksum.h"

#include "base/base.h"

uint64_t
wire_cksum_bytes(const void *p, size_t len)
{
	const uint8_t *at = p;
	uint64_t sum = 0;
	uint64_t last = 0;

	for (; len >= 32; len -= 32, at += 32) {
		sum = wire_cksum_add(sum, wire_load64(at));
		sum = wire_cksum_add(sum, wire_load64(at + 8));
		sum = wire_cksum_add(sum, wire_load64(at + 16));
		sum = wire_cksum_add(sum, wire_load64(at + 24));
	}
	for (; len >= 8; len -= 8, at += 8)
		sum = wire_cksum_add(sum, wire_load64(at));
	if (len & 4) {
		sum = wire_cksum_add(sum, wire_load32(at));
		at += 4;
	}
	if (len & 2) {
		sum = wire_cksum_add(sum, wire_load16(at));
		at += 2;
	}
	if (len & 1) {
		memcpy(&last, at, 1); /* the low byte in memory order, padded with zero */
		sum = wire_cksum_add(sum, last);
	}
	return sum;
}

/* A part that starts at an odd offset has its bytes on the other side of each
 * 16-bit word. */
static uint64_t
swapped(uint64_t sum)
{
	uint16_t folded = wire_cksum_fold(sum);

	return (uint16_t)(folded << 8 | folded >> 8);
}

uint64_t
wire_cksum_mbuf(const struct rte_mbuf *m, uint32_t off, uint32_t len)
{
	uint64_t sum = 0;
	uint32_t done = 0;

	for (; m && done < len; m = m->next) {
		uint32_t n;
		uint64_t part;

		if (off >= m->data_len) {
			off -= m->data_len;
			continue;
		}
		n = min_u32(m->data_len - off, len - done);
		part = wire_cksum_bytes(rte_pktmbuf_mtod_offset(m, const void *, off), n);
		sum = wire_cksum_add(sum, done & 1 ? swapped(part) : part);
		done += n;
		off = 0;
	}
	return sum;
}
