/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The two frames that an open and a close consist of, taken by a few wide loads and stores:
 * untagged IPv4 without options and TCP that has nothing but a timestamp, or is a SYN with its
 * options in the order in which Linux and we send them. Where one bit differs that matters,
 * sums included, it is not for these, and the careful way finds out what it is. */

#ifndef PMTCP_WIRE_WIRE_USUAL_H
#define PMTCP_WIRE_WIRE_USUAL_H

#include "wire/wire_parse.h"

#if defined(__SSE4_1__) && defined(__x86_64__)
#define WIRE_HAS_USUAL 1

#include <smmintrin.h>

#include "base/base.h"
#include "wire/wire_cksum.h"
#include "wire/wire_emit.h"
#include "wire/wire_opt.h"

enum {
	USUAL_IP = WIRE_ETH_LEN,
	USUAL_ADDRS = USUAL_IP + 12,
	USUAL_TCP = USUAL_IP + WIRE_IP4_LEN,
	USUAL_OPTS = USUAL_TCP + WIRE_TCP_LEN,
	USUAL_TS_END = USUAL_OPTS + 12,  /* NOP NOP TS; the payload begins */
	USUAL_SYN_END = USUAL_OPTS + 20, /* MSS, SACK permitted, TS, NOP, window scale */
	USUAL_PROTO = 6,
	USUAL_DOFF = USUAL_TCP + 12, /* 16 octets from here reach to the MSS of a SYN */
	USUAL_ACK = USUAL_TCP + 8,   /* and from here to the head of the first options */
};

/* What the frames at hand have to be like, said once for many. */
struct usual_rx {
	__m128i eth; /* the Ethernet header */
	__m128i eth_mask;
	uint32_t max_frame; /* 0: none is usual */
};

static PMTCP_ALWAYS_INLINE __m128i
usual_load(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* mac: only frames to this address (W-2); NULL: to any. */
static PMTCP_ALWAYS_INLINE struct usual_rx
usual_begin(const struct wire_rx_conf *conf, const struct rte_ether_addr *mac)
{
	/* No group as source, EtherType IPv4. */
	struct usual_rx rx = {.eth = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0),
			.eth_mask = _mm_setr_epi8(
					0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, -1, -1, 0, 0)};

	if (mac) {
		uint32_t head = wire_load32(mac->addr_bytes);

		rx.eth = _mm_insert_epi32(rx.eth, (int)head, 0);
		rx.eth = _mm_insert_epi16(rx.eth, wire_load16(mac->addr_bytes + 4), 2);
		rx.eth_mask = _mm_setr_epi8(-1, -1, -1, -1, -1, -1, RTE_ETHER_GROUP_ADDR, 0, 0, 0,
				0, 0, -1, -1, 0, 0);
	}
	/* A device's word on the sums is weighed elsewhere. */
	rx.max_frame = conf->trust_ip_cksum || conf->trust_tcp_cksum ? 0 : conf->max_frame;
	return rx;
}

/* All that the two have in common, and the first options. The words of the IP header that make
 * no difference leave room for those of TCP: version, IHL, TOS; total length; DOFF and flags; MF
 * and offset; TTL and protocol; two that are not looked at but for four octets of options. */
static PMTCP_ALWAYS_INLINE bool
usual_is(__m128i have, __m128i want, __m128i mask)
{
	return _mm_testz_si128(_mm_xor_si128(have, want), mask);
}

static PMTCP_ALWAYS_INLINE __m128i
usual_headers(const uint8_t *p)
{
	return _mm_blend_epi16(usual_load(p + USUAL_IP), usual_load(p + USUAL_ACK), 0xc4);
}

static PMTCP_ALWAYS_INLINE bool
usual_is_ts(__m128i headers)
{
	return usual_is(headers,
			_mm_setr_epi8(0x45, 0, 0, 0, -0x80, 0, 0, 0, 0, 6, 0, 0, 1, 1, 8, 10),
			_mm_setr_epi8(-1, 0, 0, 0, -0x10, 0, 0x3f, -1, 0, -1, 0, 0, -1, -1, -1,
					-1));
}

/* Nothing follows, and the packet is none that could be marked, as control segments are not
 * (RFC 3168 6.1.1): so there are no bits to be kept. */
static PMTCP_ALWAYS_INLINE bool
usual_is_bare(const uint8_t *p)
{
	const uint32_t mask = rte_cpu_to_be_32(0xff03ffff);
	const uint32_t want = rte_cpu_to_be_32(0x45000000 | (USUAL_TS_END - USUAL_IP));

	return (wire_load32(p + USUAL_IP) & mask) == want;
}

static PMTCP_ALWAYS_INLINE bool
usual_is_syn(__m128i headers)
{
	return usual_is(headers,
			_mm_setr_epi8(0x45, 0, 0, USUAL_SYN_END - USUAL_IP, -0x60, 2, 0, 0, 0, 6, 0,
					0, 2, 4, 0, 0),
			_mm_setr_epi8(-1, 3, -1, -1, -0x10, 2, 0x3f, -1, 0, -1, 0, 0, -1, -1, 0,
					0));
}

/* The shift of a SYN, if NOP and the option's head stand before it, else more than any. */
static PMTCP_ALWAYS_INLINE uint32_t
usual_wscale(const uint8_t *p)
{
	uint32_t tail = wire_load32(p + USUAL_SYN_END - 4) - 0x00030301;

	return tail << 8 | tail >> 24;
}

/* One's complement additions that hand the carry on in the flag, which no compiler at hand
 * makes of the same in C without an instruction between each two. */
#define USUAL_WORD(p) (*(const uint8_t(*)[8])(const void *)(p))

static PMTCP_ALWAYS_INLINE bool
usual_is_ip_good(const uint8_t *p)
{
	const uint8_t *ip = p + USUAL_IP;
	uint64_t sum = wire_load32(ip + 16);

	__asm__("addq %1, %0\n\tadcq %2, %0\n\tadcq $0, %0"
			: "+&r"(sum)
			: "m"(USUAL_WORD(ip)), "m"(USUAL_WORD(ip + 8))
			: "cc");
	return wire_cksum_is_good(sum);
}

/* Addresses and TCP header with 12 octets of options; sum is that of what else there is. */
static PMTCP_ALWAYS_INLINE bool
usual_is_tcp_good(const uint8_t *p, uint64_t sum)
{
	const uint8_t *tcp = p + USUAL_TCP;

	__asm__("addq %1, %0\n\tadcq %2, %0\n\tadcq %3, %0\n\t"
		"adcq %4, %0\n\tadcq %5, %0\n\tadcq $0, %0"
			: "+&r"(sum)
			: "m"(USUAL_WORD(p + USUAL_ADDRS)), "m"(USUAL_WORD(tcp)),
			"m"(USUAL_WORD(tcp + 8)), "m"(USUAL_WORD(tcp + 16)),
			"m"(USUAL_WORD(tcp + 24))
			: "cc");
	return wire_cksum_is_good(sum);
}

/* The pseudo-header but for the addresses. */
static PMTCP_ALWAYS_INLINE uint64_t
usual_pseudo_sum(uint32_t tcp_len)
{
	return rte_cpu_to_be_16((uint16_t)tcp_len) + (uint64_t)RTE_BE16(USUAL_PROTO);
}

/* seg from the key to the hash, and from seq to tsecr, whose option is at ts. */
static PMTCP_ALWAYS_INLINE void
usual_fill_head(struct seg *seg, const uint8_t *p, const uint8_t *ts)
{
	const __m128i turn = _mm_setr_epi8(4, 5, 6, 7, 0, 1, 2, 3, 10, 11, 8, 9, -1, -1, -1, -1);
	const __m128i swap32 = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
	__m128i key = _mm_shuffle_epi8(usual_load(p + USUAL_ADDRS), turn);
	__m128i seqs = _mm_set_epi64x(
			(long long)wire_load64(ts), (long long)wire_load64(p + USUAL_TCP + 4));

	_mm_storeu_si128((__m128i *)(void *)&seg->key, key);
	_mm_storeu_si128((__m128i *)(void *)&seg->seq, _mm_shuffle_epi8(seqs, swap32));
}

/* From wnd to the end: pick brings window, urgent pointer, flags and perhaps the MSS to their
 * places, fixed has what each frame of this shape has, the bits are wscale to is_frag. */
static PMTCP_ALWAYS_INLINE void
usual_fill_tail(struct seg *seg, __m128i doff, __m128i pick, __m128i fixed)
{
	_mm_storeu_si128((__m128i *)(void *)&seg->wnd,
			_mm_or_si128(_mm_shuffle_epi8(doff, pick), fixed));
}

/* The octet of seg with wscale and ecn as the compiler lays it out, wscale being 0. */
static PMTCP_ALWAYS_INLINE int
usual_bits(const uint8_t *p)
{
	return (int)((p[USUAL_IP + 1] & 3u) << 5);
}

/* bits: those of usual_bits() with a shift of 0. */
static PMTCP_ALWAYS_INLINE void
usual_fill_ts(struct seg *seg, const uint8_t *p, uint32_t len, int bits)
{
	const __m128i pick =
			_mm_setr_epi8(3, 2, -1, -1, -1, -1, -1, -1, 7, 6, -1, -1, 1, -1, -1, -1);
	__m128i fixed = _mm_setr_epi8(
			0, 0, 0, 0, USUAL_TS_END, 0, 0, 0, 0, 0, 0, 0, 0, SEG_OPT_TS, 0, 0);

	usual_fill_head(seg, p, p + USUAL_OPTS + 4);
	if (bits)
		fixed = _mm_insert_epi8(fixed, bits, 14);
	if (len > 0)
		fixed = _mm_insert_epi16(fixed, (int)len, 1);
	usual_fill_tail(seg, usual_load(p + USUAL_DOFF), pick, fixed);
}

static PMTCP_ALWAYS_INLINE void
usual_fill_syn(struct seg *seg, const uint8_t *p, uint32_t wscale)
{
	const __m128i pick =
			_mm_setr_epi8(3, 2, -1, -1, -1, -1, 11, 10, 7, 6, -1, -1, 1, -1, -1, -1);
	__m128i fixed = _mm_setr_epi8(0, 0, 0, 0, USUAL_SYN_END, 0, 0, 0, 0, 0, 0, 0, 0,
			SEG_OPT_MSS | SEG_OPT_SACK_PERM | SEG_OPT_TS | SEG_OPT_WSCALE, 0, 0);

	fixed = _mm_insert_epi8(fixed, (int)wscale, 14);
	usual_fill_head(seg, p, p + USUAL_OPTS + 8);
	usual_fill_tail(seg, usual_load(p + USUAL_DOFF), pick, fixed);
}

enum usual {
	USUAL_NOT,   /* or not shown to be */
	USUAL_TAKEN, /* in seg as wire_parse() has to leave it; no payload */
	USUAL_TEXT,  /* a timestamp alone, but what follows was not looked at */
};

static PMTCP_ALWAYS_INLINE enum usual
usual_take_syn(struct rte_mbuf *m, const uint8_t *p, struct seg *seg)
{
	uint32_t wscale = usual_wscale(p);
	uint64_t rest = usual_pseudo_sum(USUAL_SYN_END - USUAL_TCP) +
			wire_load32(p + USUAL_SYN_END - 8) + wire_load32(p + USUAL_SYN_END - 4);

	if (m->data_len < USUAL_SYN_END || wscale > WIRE_WSCALE_MAX ||
			wire_load32(p + USUAL_OPTS + 4) != 0x0a080204 ||
			!usual_is_tcp_good(p, rest))
		return USUAL_NOT;
	seg->m = m;
	usual_fill_syn(seg, p, wscale);
	return USUAL_TAKEN;
}

static PMTCP_ALWAYS_INLINE enum usual
usual_take(struct rte_mbuf *m, const struct usual_rx *rx, struct seg *seg)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	__m128i headers;

	if (is_unlikely(m->data_len < USUAL_TS_END) || is_unlikely(m->pkt_len > rx->max_frame))
		return USUAL_NOT;
	if (is_unlikely(!usual_is(usual_load(p), rx->eth, rx->eth_mask)) ||
			is_unlikely(wire_load16(p + USUAL_TCP) == 0) ||
			is_unlikely(wire_load16(p + USUAL_TCP + 2) == 0) ||
			is_unlikely(!usual_is_ip_good(p)))
		return USUAL_NOT;
	headers = usual_headers(p);
	if (!is_likely(usual_is_ts(headers)))
		return usual_is_syn(headers) ? usual_take_syn(m, p, seg) : USUAL_NOT;
	if (!is_likely(usual_is_bare(p)))
		return USUAL_TEXT;
	if (is_unlikely(!usual_is_tcp_good(p, usual_pseudo_sum(USUAL_TS_END - USUAL_TCP))))
		return USUAL_NOT;
	seg->m = m;
	usual_fill_ts(seg, p, 0, 0);
	return USUAL_TAKEN;
}

/* The rest of one with USUAL_TEXT. */
static PMTCP_ALWAYS_INLINE bool
usual_take_text(struct rte_mbuf *m, struct seg *seg)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint32_t total = rte_be_to_cpu_16(wire_load16(p + USUAL_IP + 2));
	uint32_t len = total - (USUAL_TS_END - USUAL_IP);

	/* Larger than any, too, if the total length is too short for the header. */
	if (len > (uint32_t)m->data_len - USUAL_TS_END ||
			!usual_is_tcp_good(
					p, wire_cksum_add(wire_cksum_bytes(p + USUAL_TS_END, len),
							   usual_pseudo_sum(total - WIRE_IP4_LEN))))
		return false;
	seg->m = m;
	usual_fill_ts(seg, p, len, usual_bits(p));
	return true;
}

#else

enum usual { USUAL_NOT, USUAL_TAKEN, USUAL_TEXT };

struct usual_rx {
	uint32_t max_frame;
};

static inline struct usual_rx
usual_begin(const struct wire_rx_conf *conf, const struct rte_ether_addr *mac)
{
	return (struct usual_rx){0};
}

static inline enum usual
usual_take(struct rte_mbuf *m, const struct usual_rx *rx, struct seg *seg)
{
	return USUAL_NOT;
}

#endif

#endif /* PMTCP_WIRE_WIRE_USUAL_H */
