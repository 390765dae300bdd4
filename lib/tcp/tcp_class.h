/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The options that connections share: see tcp_class.c. */

#ifndef PMTCP_TCP_TCP_CLASS_H
#define PMTCP_TCP_TCP_CLASS_H

#include <stdbool.h>
#include <stdint.h>

/* One set of per-connection options, shared by all that have the same. */
struct tcp_class {
	uint32_t refs;
	uint32_t listener; /* number + 1 of the listener whose accepted use it, 0 none */
	uint32_t send_buffer;
	uint32_t recv_buffer;
	uint32_t tw_ms;
	uint32_t fw2_ms;          /* orphans */
	uint32_t fw2_attached_ms; /* 0: no limit */
	uint32_t linger_ms;       /* PMTCP_LINGER_OFF: none */
	uint32_t user_timeout_ms; /* 0: none */
	uint32_t keep_idle_ms;    /* 0: no keepalive */
	uint32_t keep_intvl_ms;
	uint16_t mss; /* cap, also of the one offered */
	uint8_t keep_count;
	bool has_slow_timers; /* keepalive or user timeout: its connections have a side record */
	uint16_t delack_ms;
	uint8_t syn_retries;
	uint8_t retries;
	uint8_t ttl;
	uint8_t dscp;
	bool is_nodelay;
	bool has_ts;
	bool has_sack;
	bool has_wscale;
	bool is_newreno;    /* congestion control, else CUBIC (DEC-13) */
	uint8_t ecn;        /* enum pmtcp_ecn */
	uint8_t rcv_wscale; /* smallest shift that can advertise recv_buffer */
	bool has_all;       /* its SYN offers all options, and of ECN nothing */
};

#endif /* PMTCP_TCP_TCP_CLASS_H */
