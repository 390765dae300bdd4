/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What is known of the paths to some destinations: that they carry no more than so much
 * (RFC 1191 section 3, RFC 8201 section 5.2; DATA-46). What one connection had to find out
 * helps the next to the same address. The table is small, of fixed size, and a hint only:
 * an entry that was pushed out costs its destination one more discovery. It is looked at
 * when a connection opens, and only while there is anything in it. */

#ifndef PMTCP_TCP_TCP_PATH_H
#define PMTCP_TCP_TCP_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct tcp;
struct tcb;

enum {
	TCP_PATH_ROWS = 64, /* a power of two */
	TCP_PATH_WAYS = 4,  /* of one row: the oldest gives way */
};

struct tcp_path {
	uint64_t tag;      /* keyed digest of the destination: nobody can choose its row */
	uint32_t since_ms; /* when that was learned */
	uint16_t mtu;      /* octets of an IP packet; 0: free */
	uint8_t is_hole;   /* no router said so: larger packets vanish */
	uint8_t spare;
};
STATIC_ASSERT(sizeof(struct tcp_path) == 16);

struct tcp_paths {
	struct tcp_path *entry; /* TCP_PATH_ROWS * TCP_PATH_WAYS */
	uint32_t n;             /* in use */
	uint32_t last_ms;       /* when anything was learned last */
};

size_t tcp_path_memsize(void);
/* mem: zeroed. */
void tcp_path_init(struct tcp_paths *p, void *mem);
/* The path to this connection's peer carries so much and no more: as good as proven. */
void tcp_path_learn(struct tcp *t, const struct tcb *c, uint16_t mtu, bool is_hole);
/* What is known of it, NULL: nothing, or not any more. */
const struct tcp_path *tcp_path_find(struct tcp *t, const struct tcb *c);

#endif /* PMTCP_TCP_TCP_PATH_H */
