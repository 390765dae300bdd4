/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The tuple of a frame at a glance, for whoever only wants to know whose it is. It reads the
 * first line of the frame alone. */

#ifndef PMTCP_WIRE_WIRE_PEEK_H
#define PMTCP_WIRE_WIRE_PEEK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "flow/flow_key.h"
#include "wire/seg.h"

enum {
	WIRE_PEEK_WORDS = 3, /* of eight octets: the Ethernet header and ten of IPv4 */
	WIRE_PEEK_LEN = 54,  /* headers without options */
};

/* What these words of a frame must be where the mask is set. */
struct wire_peek {
	uint64_t want[WIRE_PEEK_WORDS];
	uint64_t mask[WIRE_PEEK_WORDS];
};

/* Frames to `mac` from no group, untagged IPv4 without options, in one piece, TCP. */
static inline struct wire_peek
wire_peek_of(const struct rte_ether_addr *mac)
{
	static const uint8_t mask[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 0, 0, 0, 0,
			0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0x3f, 0xff, 0, 0xff};
	uint8_t want[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x08, 0x00, 0x45, 0, 0, 0, 0, 0, 0, 0,
			0, 6};
	struct wire_peek peek;

	memcpy(want, mac, sizeof(*mac));
	memcpy(peek.want, want, sizeof(peek.want));
	memcpy(peek.mask, mask, sizeof(peek.mask));
	return peek;
}

/* The tuple of such a frame. Nobody has looked at its lengths or its sums. False: it takes
 * wire_parse() to know. */
static PMTCP_ALWAYS_INLINE bool
wire_peek_tuple(const struct rte_mbuf *m, const struct wire_peek *peek, struct flow_key *key)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	uint64_t word[WIRE_PEEK_WORDS], odd = 0;
	const uint8_t *ip = p + RTE_ETHER_HDR_LEN;

	if (is_unlikely(m->data_len < WIRE_PEEK_LEN))
		return false;
	memcpy(word, p, sizeof(word));
	for (int i = 0; i < WIRE_PEEK_WORDS; i++)
		odd |= (word[i] ^ peek->want[i]) & peek->mask[i];
	memcpy(&key->raddr, ip + 12, sizeof(key->raddr));
	memcpy(&key->laddr, ip + 16, sizeof(key->laddr));
	memcpy(&key->rport, ip + 20, sizeof(key->rport));
	memcpy(&key->lport, ip + 22, sizeof(key->lport));
	return odd == 0;
}

#endif /* PMTCP_WIRE_WIRE_PEEK_H */
