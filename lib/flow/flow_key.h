/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The 12 bytes that name a connection on its own core, as seen from here. */

#ifndef PMTCP_FLOW_FLOW_KEY_H
#define PMTCP_FLOW_FLOW_KEY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/siphash.h"

/* Network byte order throughout. For IPv6, `addrs` is a keyed 64-bit digest of
 * both addresses and the addresses themselves are compared beside the block. */
struct flow_key {
	union {
		struct {
			uint32_t laddr;
			uint32_t raddr;
		};
		uint8_t addrs[8];
	};
	uint16_t lport;
	uint16_t rport;
};
STATIC_ASSERT(sizeof(struct flow_key) == 12);

static inline bool
flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
	uint64_t a_addrs, b_addrs;
	uint32_t a_ports, b_ports;

	memcpy(&a_addrs, a->addrs, 8);
	memcpy(&b_addrs, b->addrs, 8);
	memcpy(&a_ports, &a->lport, 4);
	memcpy(&b_ports, &b->lport, 4);
	return ((a_addrs ^ b_addrs) | (a_ports ^ b_ports)) == 0;
}

/* The same as flow_key_hash(), of many keys. */
static inline uint64_t
flow_key_hash_of(const struct siphash_begun *begun, const struct flow_key *key)
{
	uint64_t addrs;
	uint32_t ports;

	memcpy(&addrs, key->addrs, 8);
	memcpy(&ports, &key->lport, 4);
	return siphash13_12_of(begun, addrs, ports);
}

/* Keyed and not linear: an outsider cannot choose colliding tuples (SEC-14). */
static inline uint64_t
flow_key_hash(const struct siphash_key *secret, const struct flow_key *key)
{
	struct siphash_begun begun = siphash_begin(secret);

	return flow_key_hash_of(&begun, key);
}

#endif /* PMTCP_FLOW_FLOW_KEY_H */
