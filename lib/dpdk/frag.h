/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Reassembly of IP fragments that carry TCP, in front of a context (W-12, W-18). A
 * knob, off by default: DF and MSS make fragments of TCP abnormal (DEC-11).
 *
 * The table is bounded: so many datagrams, so many pieces of each, none larger than
 * the link's MTU, since no peer has leave to send a larger segment; all of it lives
 * at most for the time given. Overlapping pieces kill their datagram, those still to
 * come included (RFC 5722). The first one must hold the whole TCP header (RFC 1858,
 * 3128, 7112). librte_ip_frag neither looks for overlaps nor can be told to forget a
 * datagram, so the table is our own. */

#ifndef PMTCP_DPDK_FRAG_H
#define PMTCP_DPDK_FRAG_H

#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "pmtcp_dpdk.h"
#include "base/siphash.h"

struct frag;

enum {
	FRAG_PIECES = 16, /* of one datagram */
	FRAG_WAYS = 8,    /* datagrams that share a row of the table */
};

struct frag_conf {
	uint32_t datagrams;        /* at one time, rounded up to whole rows */
	uint32_t timeout_ms;       /* from the first piece on */
	uint16_t packet_max;       /* octets of a reassembled IP packet */
	struct rte_ether_addr mac; /* others' fragments are left alone */
	struct siphash_key key;    /* so that nobody can fill one row on purpose */
};

/* Returns 0, -EINVAL or -ENOMEM. */
int frag_create(const struct frag_conf *conf, struct frag **out);

/* Frees the pieces too. NULL is allowed. */
void frag_destroy(struct frag *f);

/* Takes TCP fragments out of a burst and puts whole packets in their place; everything
 * else stays, in order. Fragments it cannot judge stay as well: the context drops and
 * counts them. Returns what is left of n. */
uint16_t frag_filter(struct frag *f, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n);

/* Gives up datagrams whose time is over, a bounded number per call. */
void frag_expire(struct frag *f, uint64_t now_ns);

/* Fills in the frag_* fields. */
void frag_stats(const struct frag *f, struct pmtcp_worker_stats *stats);

#endif /* PMTCP_DPDK_FRAG_H */
