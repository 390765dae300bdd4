/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A listening port: what is shared by all that it accepts, and how many these are. */

#ifndef PMTCP_TCP_TCP_LISTENER_H
#define PMTCP_TCP_TCP_LISTENER_H

#include <pmtcp.h>

struct tcp;

struct pmtcp_listener {
	struct tcp *t;
	uint32_t next_on_port; /* number + 1 of the next listener on this port, 0 none */
	uint32_t number;
	uint32_t ip4;    /* network order, 0 any */
	uint8_t version; /* 4, 6; 0: both, on any address */
	uint8_t ip6[16]; /* :: any */
	uint16_t port;   /* network order */
	uint16_t cls;
	bool is_used;
	bool rst_on_overflow;
	uint8_t cookies;    /* enum pmtcp_syn_cookies, never DEFAULT */
	bool has_cookies;   /* it has issued some: at cookie_ms the last */
	uint32_t cookie_ms; /* (OPEN-31) */
	uint32_t half_open_max;
	uint32_t conn_max;
	uint32_t half_open;
	uint32_t conns; /* accepted and not ended */
	/* CLOSE-WAIT connections by age, in the round of the watch that runs and in the last one
	 * that ended (RES-1). */
	uint32_t close_wait_now[PMTCP_CLOSE_WAIT_AGES];
	uint32_t close_wait[PMTCP_CLOSE_WAIT_AGES];
	void *user;
};

#endif /* PMTCP_TCP_TCP_LISTENER_H */
