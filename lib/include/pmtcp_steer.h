/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/**
 * @file
 * Several contexts that share addresses: who owns a tuple, and what must pass from one to
 * another. Part of pmtcp.h, which includes it; the same thread rules hold. The DPDK shell
 * does all of this for the workers of a port.
 *
 * Each context gets frames in any way. Those that belong to another leave by
 * pmtcp_misdirected() and are given to the owner's pmtcp_input_handed(). What a context hears about neighbours leaves by pmtcp_neigh_learned() and goes to all
 * the others by pmtcp_neigh_update(). Contexts never touch each other.
 */

#ifndef PMTCP_STEER_H
#define PMTCP_STEER_H

#include <pmtcp.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PMTCP_RSS_KEY_MAX  52
#define PMTCP_RSS_RETA_MAX 512

/** Who owns a tuple: the Toeplitz hash over the addresses and ports of a received packet
 * (source first), and a table from its low bits to owners. The same for all contexts that
 * share addresses. */
struct pmtcp_rss {
	uint8_t key_len; /**< 40 or 52; 0: 0x6d5a repeated, the same for both directions */
	uint8_t key[PMTCP_RSS_KEY_MAX];
	/** A device steers by it: frames that come to another than their owner are told of by
	 * PMTCP_DIAG_STEERING. */
	bool is_device;
	uint16_t reta_size; /**< a power of two, 1..512; 0: owners in turn */
	uint16_t reta[PMTCP_RSS_RETA_MAX];
};

/**
 * Takes out packets of the last pmtcp_input() that belong to other workers. They are counted as
 * `misdirected` here, and have their fate at their owner (RES-16).
 *
 * @param pkts   at least n entries; the caller owns what is returned
 * @param owners the worker each belongs to
 * @param n      room in both arrays
 * @return how many, oldest first; call until 0. At most 512 wait: what is above is lost as
 *         the network loses. What is not taken is freed by the next input.
 */
uint16_t pmtcp_misdirected(
		struct pmtcp_ctx *ctx, struct rte_mbuf **pkts, uint16_t *owners, uint16_t n);

/**
 * pmtcp_input() of a burst whose first packets another context's pmtcp_misdirected() gave out,
 * unchanged: checksums that were added up there are not again. What is not this context's either
 * goes no further: its fate is `drop_misdirected`.
 *
 * @param handed so many come from another context, at most n; the rest is as of pmtcp_input()
 */
void pmtcp_input_handed(struct pmtcp_ctx *ctx, uint64_t now_ns, struct rte_mbuf **pkts,
		uint16_t handed, uint16_t n);

/** Packets of pmtcp_misdirected() that could not be handed over: frees them, and their fate
 * is `drop_misdirected` of this context. */
void pmtcp_misdirected_drop(struct pmtcp_ctx *ctx, struct rte_mbuf **pkts, uint16_t n);

/** What a packet told about a neighbour. */
struct pmtcp_neigh {
	struct pmtcp_addr addr; /**< its port is 0 */
	struct rte_ether_addr mac;
	bool is_confirmed; /**< it answered us; else it only said where it is (STALE) */
	bool is_answer;    /**< to a question of another context: only who asked takes it (W-6) */
};

/** Pops up to n of what was heard about neighbours since the last call, oldest first; nothing
 * with conf.owners 1. News at once, the same again at most twice a second. At most 32 wait,
 * more are forgotten: each context asks for the neighbours it needs itself. */
uint16_t pmtcp_neigh_learned(struct pmtcp_ctx *ctx, struct pmtcp_neigh *out, uint16_t n);

/** Another worker learned this neighbour. */
void pmtcp_neigh_update(struct pmtcp_ctx *ctx, uint64_t now_ns, const struct pmtcp_neigh *neigh);

#ifdef __cplusplus
}
#endif

#endif /* PMTCP_STEER_H */
