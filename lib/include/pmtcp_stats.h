/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/**
 * @file
 * The accounts of a context: counters, gauges, their identities, and reports for whoever
 * looks for a cause. Part of pmtcp.h, which includes it; the same thread rules hold.
 */

#ifndef PMTCP_STATS_H
#define PMTCP_STATS_H

#include <pmtcp.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pmtcp_counter {
#define PMTCP_FATE(name, help)    PMTCP_C_##name,
#define PMTCP_COUNTER(name, help) PMTCP_C_##name,
#include "pmtcp_counters.def"
	PMTCP_C_MAX,
};

/** Fates of received frames are the first counters. */
#define PMTCP_FATE_MAX PMTCP_C_rx_frames

struct pmtcp_stats {
	uint64_t counter[PMTCP_C_MAX];
	uint64_t ended[PMTCP_REASON_MAX]; /**< ended connections by reason */
	uint32_t state[PMTCP_STATE_MAX];  /**< gauges; SYN_RCVD and TIME_WAIT count all forms */
	uint32_t live;                    /**< connections opened and not ended */
	uint32_t half_open;               /**< 64-byte half-opens */
	uint32_t time_wait;               /**< TIME-WAIT entries found by the table */
	uint32_t time_wait_peak;
	uint32_t parked;         /**< TIME-WAIT entries set aside by a reopening SYN */
	uint32_t blocks_used;    /**< blocks of all kinds not yet given back */
	uint32_t transfers_used; /**< side records in use */
	uint32_t records_used;
	uint32_t rares_used; /**< connections with rare side records, see max_rares */
};

/** A copy of the counters. From another thread than the context's the values are a moment old
 * and not all of the same moment: good for display, not for pmtcp_stats_audit(). */
void pmtcp_stats(const struct pmtcp_ctx *ctx, struct pmtcp_stats *stats);

/** Adds the accounts of another context to a sum, gauges and peaks too. The sum of contexts
 * that share addresses balances as each of them does; frames from the wire are then
 * rx_frames - misdirected (RES-16). */
void pmtcp_stats_add(struct pmtcp_stats *sum, const struct pmtcp_stats *stats);

/** Names and one-line explanations for reports, "?" for a value out of range; any thread. */
const char *pmtcp_counter_name(enum pmtcp_counter c);
const char *pmtcp_counter_help(enum pmtcp_counter c);
const char *pmtcp_reason_name(enum pmtcp_reason r);
const char *pmtcp_state_name(enum pmtcp_state s);

/** Checks the books: frames, connections, half-opens, TIME-WAIT (RES-16, CLOSE-45, TW-15).
 * @return NULL if they balance, else which identity is broken */
const char *pmtcp_stats_audit(const struct pmtcp_stats *stats);

/** Walks every structure of the context and traps on a broken invariant. For tests. */
void pmtcp_ctx_check(const struct pmtcp_ctx *ctx);

/** STATUS (RFC 9293 3.10.6). */
struct pmtcp_conn_info {
	enum pmtcp_state state;
	struct pmtcp_addr local;
	struct pmtcp_addr remote;
	uint32_t snd_una, snd_nxt, snd_wnd; /**< snd_nxt is the highest sent (SND.MAX) */
	uint32_t rcv_nxt, rcv_wnd;
	uint32_t cwnd, ssthresh; /**< octets; 0 while nothing is queued */
	uint32_t srtt_us, rttvar_us, rto_us;
	uint32_t unread, unsent, unacked; /**< octets */
	/** Octets from the next to be read to the end of the peer's urgent data, also those that
	 * have not come yet; 0: none, or the connection ended. It stays in the stream. */
	uint32_t urgent;
	uint16_t mss;
	uint8_t snd_wscale, rcv_wscale;
	bool timestamps, sack;
	uint8_t retries;   /**< repetitions of what was sent last without answer */
	uint8_t icmp_type; /**< of the last ICMP error about this connection, 0: none came */
	uint8_t icmp_code;
	uint16_t path_mtu; /**< octets, if the network made us send smaller packets, else 0 */
};
/** Fills in the state of a living handle; after the end, what was last. */
void pmtcp_conn_info(const struct pmtcp_conn *conn, struct pmtcp_conn_info *info);

/** Why pmtcp_connect() said -EADDRNOTAVAIL (RES-3). */
struct pmtcp_port_report {
	uint32_t range;        /**< ports of the ephemeral range that this worker may use */
	uint32_t in_use;       /**< to this remote, in other states than TIME-WAIT */
	uint32_t time_wait;    /**< to this remote */
	uint32_t foreign;      /**< ports that another worker owns */
	uint32_t next_free_ms; /**< until the first TIME-WAIT entry ends; 0: now or unknown */
};
/** Walks the port range of one (local, remote, remote port): for reports, not for loops. */
void pmtcp_port_report(struct pmtcp_ctx *ctx, const struct pmtcp_addr *local,
		const struct pmtcp_addr *remote, struct pmtcp_port_report *report);

/** What an operator should look at. */
enum pmtcp_diag_kind {
	PMTCP_DIAG_ADDR_CONFLICT = 1, /**< somebody else uses our address: addr; value = ip4,
				       * or the last four octets of an IPv6 address */
	PMTCP_DIAG_NEIGH_FAILED, /**< a next hop does not answer: addr and value as above; at most
				  * once a second unless it is a gateway; counter neigh_failed
				  * has them all */
	PMTCP_DIAG_OVERSIZE,     /**< frames above the MTU: switch off the peer's offloads */
	PMTCP_DIAG_CLOSE_WAIT, /**< peers closed, the application has not: value = how many, at most
				* once in 10 s; pmtcp_close_wait_report() has the rest */
	PMTCP_DIAG_STEERING,   /**< the device's RSS is not as it says: frames come to the wrong
				* worker, which costs time only; value = so many until now */
};
struct pmtcp_diag {
	enum pmtcp_diag_kind kind;
	uint32_t value;
	uint64_t at_ns;
	struct pmtcp_addr addr; /**< of the first two; its port is 0 */
};
/** Pops up to n diagnoses, oldest first; at most 32 wait, the newest are kept. */
uint16_t pmtcp_diag(struct pmtcp_ctx *ctx, struct pmtcp_diag *out, uint16_t n);

/** Classes of age: below 1 s, 10 s, 60 s, 10 min, 1 h, and above. */
#define PMTCP_CLOSE_WAIT_AGES      6
#define PMTCP_CLOSE_WAIT_OLDEST    8
#define PMTCP_CLOSE_WAIT_LISTENERS 8

/** A connection whose peer has closed and whose application has not. */
struct pmtcp_close_wait_conn {
	struct pmtcp_conn *conn;
	struct pmtcp_addr local;
	struct pmtcp_addr remote;
	uint32_t age_ms; /**< in CLOSE-WAIT, to within 0.3 s and the time of a round; ends at 2 h */
	uint32_t unread; /**< octets */
};

struct pmtcp_close_wait_listener {
	struct pmtcp_addr local; /**< as given to pmtcp_listen(); version 0: of both */
	uint32_t count;
	uint32_t age[PMTCP_CLOSE_WAIT_AGES];
};

/** Who waits in CLOSE-WAIT (RES-1). A hand goes round the connections, 64 to 1024 in 100 ms,
 * while there are any; the numbers are of its last full round. A connection that the
 * application closes in the turn of its PEER_FIN is not counted, nor is a PEER_FIN that was
 * not popped yet, up to a second. */
struct pmtcp_close_wait_report {
	uint32_t count;
	uint32_t age[PMTCP_CLOSE_WAIT_AGES]; /**< by age */
	uint64_t unread;                     /**< octets */
	uint32_t conns;                      /**< connection blocks in use ... */
	uint32_t conns_max;                  /**< ... of so many */
	uint64_t at_ns;                      /**< end of that round; 0: there was none */
	uint16_t n_oldest;                   /**< oldest first */
	uint16_t n_listeners;                /**< those with most first */
	struct pmtcp_close_wait_conn oldest[PMTCP_CLOSE_WAIT_OLDEST];
	struct pmtcp_close_wait_listener listeners[PMTCP_CLOSE_WAIT_LISTENERS];
};
/** Copies what the last round found; cheap. Connections that have gone since are left out of
 * `oldest`. */
void pmtcp_close_wait_report(const struct pmtcp_ctx *ctx, struct pmtcp_close_wait_report *report);

#ifdef __cplusplus
}
#endif

#endif /* PMTCP_STATS_H */
