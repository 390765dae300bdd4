/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Which worker a tuple belongs to: the one answer for the NIC's RSS, the choice
 * of an ephemeral port and software steering. It is the Toeplitz hash over the
 * addresses and ports of a packet as received, looked up in a redirection table,
 * as NICs do it. For steering only: anyone can compute colliding tuples for it,
 * so nothing is ever stored by this hash (that is flow_key_hash). It does not
 * know whether a device really hashes so; the shell probes that at start. */

#ifndef PMTCP_FLOW_FLOW_OWNER_H
#define PMTCP_FLOW_FLOW_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/base.h"
#include "flow/flow_key.h"
#include "flow/flow_key6.h"

enum {
	FLOW_OWNER_KEY_MAX = 52,   /* bytes of RSS key; devices have 40 or 52 */
	FLOW_OWNER_RETA_MAX = 512, /* entries of the redirection table */
	FLOW_OWNER_INPUT_MAX = 36, /* two IPv6 addresses and two ports */
	FLOW_OWNER_INPUT4 = 12,    /* two IPv4 addresses and two ports */
};

struct flow_owner {
	uint16_t workers;
	uint16_t reta_size; /* a power of two */
	/* The key repeats after two bytes, as the usual one does: words of 16 bits may be added
	 * up before they are hashed, wherever they stand. */
	bool is_periodic;
	uint16_t reta[FLOW_OWNER_RETA_MAX];
	/* What each byte of an IPv4 input adds to the hash, of which the table needs the low
	 * bits only: Toeplitz is linear. */
	uint16_t low[FLOW_OWNER_INPUT4][256];
	/* The same of each half byte and the whole hash. */
	uint32_t part[FLOW_OWNER_INPUT_MAX * 2][16];
	uint8_t rss_key[FLOW_OWNER_KEY_MAX];
	uint8_t rss_key_len;
};

/* Both addresses of an IPv6 tuple; a struct flow_key has but their digest. */
struct flow_owner_tuple6 {
	uint8_t laddr[16];
	uint8_t raddr[16];
	uint16_t lport; /* network byte order */
	uint16_t rport;
};

static inline void
flow_owner_tuple6_of(const struct flow_key *key, const struct flow_addr6 *addr,
		struct flow_owner_tuple6 *tuple)
{
	memcpy(tuple->laddr, addr->local, sizeof(tuple->laddr));
	memcpy(tuple->raddr, addr->remote, sizeof(tuple->raddr));
	tuple->lport = key->lport;
	tuple->rport = key->rport;
}

/* `key` NULL: 0x6d5a repeated (Woo, Park 2012), under which both directions of a
 * connection hash alike, with 40 or 52 bytes as key_len says (0: 40). The
 * redirection table is round robin over the workers, of 512 entries until
 * flow_owner_set_reta() says what the device really holds.
 * 0, or -EINVAL: workers 0 or above 512, key_len neither 40 nor 52. */
int flow_owner_init(struct flow_owner *o, const uint8_t *key, uint8_t key_len, uint16_t workers);

/* Takes over a table of `size` entries, each below the number of workers; NULL:
 * round robin of that size. 0, or -EINVAL (the old table stays): size not a power
 * of two in 1..512, or an entry names no worker. */
int flow_owner_set_reta(struct flow_owner *o, const uint16_t *reta, uint16_t size);

/* The 32-bit Toeplitz hash of a packet received for this connection: source is
 * the remote end. Equal to what a device reports in mbuf->hash.rss. */
uint32_t flow_owner_hash(const struct flow_owner *o, const struct flow_key *key);
uint32_t flow_owner_hash6(const struct flow_owner *o, const struct flow_owner_tuple6 *tuple);

/* The low 16 bits of the same two; flow_owner_low() and flow_owner_low6() are to be asked. */
uint32_t flow_owner_low_of_any(const struct flow_owner *o, const struct flow_key *key);
uint32_t flow_owner_low6_of_any(const struct flow_owner *o, const struct flow_owner_tuple6 *tuple);

static inline uint16_t
flow_owner_of_hash(const struct flow_owner *o, uint32_t hash)
{
	return o->reta[hash & (o->reta_size - 1u)];
}

/* What two bytes, as they lie in memory, add at this place of `low`. */
static inline uint32_t
flow_owner_low_word(const struct flow_owner *o, uint32_t at, uint16_t word)
{
	uint8_t byte[2];

	memcpy(byte, &word, sizeof(byte));
	return (uint32_t)o->low[at][byte[0]] ^ o->low[at + 1][byte[1]];
}

static inline uint32_t
flow_owner_low(const struct flow_owner *o, const struct flow_key *key)
{
	uint32_t addrs = key->laddr ^ key->raddr;

	if (is_unlikely(!o->is_periodic))
		return flow_owner_low_of_any(o, key);
	return flow_owner_low_word(o, 0, (uint16_t)(addrs ^ addrs >> 16 ^ key->lport ^ key->rport));
}

static inline uint32_t
flow_owner_low6(const struct flow_owner *o, const struct flow_owner_tuple6 *tuple)
{
	uint64_t l[2], r[2], sum;

	if (is_unlikely(!o->is_periodic))
		return flow_owner_low6_of_any(o, tuple);
	memcpy(l, tuple->laddr, sizeof(l));
	memcpy(r, tuple->raddr, sizeof(r));
	sum = l[0] ^ l[1] ^ r[0] ^ r[1];
	sum ^= sum >> 32;
	return flow_owner_low_word(o, 0, (uint16_t)(sum ^ sum >> 16 ^ tuple->lport ^ tuple->rport));
}

/* The worker of an IPv4 connection. */
static inline uint16_t
flow_owner(const struct flow_owner *o, const struct flow_key *key)
{
	return o->workers == 1 ? 0 : flow_owner_of_hash(o, flow_owner_low(o, key));
}

/* The worker of an IPv6 connection. */
static inline uint16_t
flow_owner6(const struct flow_owner *o, const struct flow_owner_tuple6 *tuple)
{
	return o->workers == 1 ? 0 : flow_owner_of_hash(o, flow_owner_low6(o, tuple));
}

#endif /* PMTCP_FLOW_FLOW_OWNER_H */
