/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What --so_flags says: whose scripts they are, and what differs from that. */

#ifndef PMTCP_PACKETDRILL_PROFILE_H
#define PMTCP_PACKETDRILL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmtcp.h"

enum profile_order { PROFILE_ORDER_CORE, PROFILE_ORDER_LINUX, PROFILE_ORDER_FREEBSD };

struct profile {
	bool is_freebsd;
	bool has_no_psh;
	bool has_no_sack;
	bool has_no_ts;
	bool has_no_wscale;
	bool has_no_tlp;
	bool has_no_tw_reuse;
	bool is_ts_lenient;
	bool is_fin_rst_lenient;
	bool keeps_isn;
	uint32_t syn_cookies; /* enum pmtcp_syn_cookies */
	uint32_t cc;          /* enum pmtcp_cc */
	uint32_t ecn;         /* enum pmtcp_ecn */
	uint32_t order;       /* enum profile_order */
	uint32_t mtu;
	uint32_t rcvbuf;
	uint32_t sndbuf;
	uint32_t wscale;    /* the shift on the wire; PLUG_KEEP_SHIFT: the context's */
	uint32_t iw;        /* segments */
	uint32_t delack_ms; /* 0: none */
	uint32_t ack_every; /* of segments with text, whatever their size; 0: not so */
	uint32_t stretch;
	uint32_t rto_ms;
	uint32_t rto_min_ms;
	uint32_t tw_ms;
	uint32_t fw2_ms;
	uint32_t retries;
	uint32_t syn_retries;
	uint32_t synack_retries;
	uint32_t orphan_retries;
	uint32_t keep_idle_s;
	uint32_t keep_intvl_s;
	uint32_t keep_count;
	uint32_t isn;            /* of the first connection; the k-th after it has 65536 k more */
	uint32_t wait_s;         /* virtual time until netdev_receive gives up */
	struct pmtcp_addr local; /* one of either version */
	struct pmtcp_addr local6;
};

/* flags may be NULL. 0, or -1 with a sentence in `why`. */
int profile_parse(struct profile *profile, const char *flags, char *why, size_t len);
/* One word of it; value NULL: it stood without one. */
int profile_set(struct profile *profile, const char *name, const char *value, char *why,
		size_t len);
/* DEFAULT for a name that is none. */
enum pmtcp_cc profile_cc(const char *name);
/* Fills in what the profile says about the context. */
void profile_conf(const struct profile *profile, struct pmtcp_conf *conf);
/* And about a new socket. */
void profile_conn(const struct profile *profile, struct pmtcp_conn_opts *opts);

#endif /* PMTCP_PACKETDRILL_PROFILE_H */
