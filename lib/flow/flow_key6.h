/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What a flow key stands for if the connection runs over IPv6: both addresses, and
 * the keyed digest of them that the key carries. Two pairs may have one digest, so
 * whoever finds a block by its key compares the addresses, too. */

#ifndef PMTCP_FLOW_FLOW_KEY6_H
#define PMTCP_FLOW_FLOW_KEY6_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/siphash.h"
#include "flow/flow_key.h"

/* Network byte order; as seen from here. */
struct flow_addr6 {
	uint8_t local[16];
	uint8_t remote[16];
};
STATIC_ASSERT(sizeof(struct flow_addr6) == 32);

static inline bool
flow_addr6_equal(const struct flow_addr6 *a, const struct flow_addr6 *b)
{
	uint64_t x[4], y[4];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3])) == 0;
}

/* ::, which no packet goes to. */
static inline bool
flow_addr6_is_any(const uint8_t addr[16])
{
	uint64_t x[2];

	memcpy(x, addr, sizeof(x));
	return (x[0] | x[1]) == 0;
}

/* Sets key->addrs. Keyed, so that nobody outside can find two pairs of one digest
 * (SEC-14). */
static inline void
flow_key6_digest(const struct siphash_key *secret, const struct flow_addr6 *a, struct flow_key *key)
{
	uint64_t words[4], digest;

	memcpy(words, a, sizeof(words));
	digest = siphash13_32(secret, words);
	memcpy(key->addrs, &digest, sizeof(digest));
}

/* The addresses of a received packet, whose IPv6 header begins at ip: its destination
 * is our side. */
static inline void
flow_addr6_of(const uint8_t *ip, struct flow_addr6 *a)
{
	memcpy(a->local, ip + 24, 16);
	memcpy(a->remote, ip + 8, 16);
}

#endif /* PMTCP_FLOW_FLOW_KEY6_H */
