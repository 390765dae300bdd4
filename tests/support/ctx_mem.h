/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Memory and a small configuration for a context under test. The memory is
 * reserved address space that costs only what is touched, as the shell's is. */

#ifndef PMTCP_TESTS_SUPPORT_CTX_MEM_H
#define PMTCP_TESTS_SUPPORT_CTX_MEM_H

#include <stddef.h>
#include <stdint.h>

#include <rte_ip.h>

#include "pmtcp.h"

#define TEST_NET  PMTCP_IP4(10, 0, 0, 0)
#define TEST_ADDR PMTCP_IP4(10, 0, 0, 1) /* the context under test */
#define TEST_PEER PMTCP_IP4(10, 0, 0, 2)

/* Zeroed, aligned to PMTCP_CTX_ALIGN; give it back with the same len. */
void *ctx_mem_map(size_t len);
void ctx_mem_unmap(void *mem, size_t len);

/* Defaults with shares for a few dozen connections, own address `self`, the one
 * neighbour `peer` static, fixed secrets derived from `seed`. */
void ctx_conf_small(struct pmtcp_conf *conf, uint32_t self, uint32_t peer, uint64_t seed);

/* An IPv6 address for both of them besides, see ctx_ip6_of(). */
void ctx_conf_add_v6(struct pmtcp_conf *conf, uint32_t self, uint32_t peer);

/* PMTCP_TEST_IPV6 is set: connections under test run over IPv6. A station with the IPv4
 * address a.b.c.d has 2001:db8::a.b.c.d then. */
bool ctx_is_v6(void);
void ctx_ip6_of(uint32_t ip4, uint8_t ip6[16]);
/* An endpoint at this station, of the version under test; ip4 0 is any. */
struct pmtcp_addr ctx_addr_of(uint32_t ip4, uint16_t port);

/* The address a test station uses: 02:00 and its IPv4 address. */
struct rte_ether_addr ctx_mac_of(uint32_t ip4);

#endif /* PMTCP_TESTS_SUPPORT_CTX_MEM_H */
