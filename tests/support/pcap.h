/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Writes frames into a pcap file (nanoseconds, Ethernet), so that what a failing
 * test saw can be looked at with the usual tools. The names keep clear of libpcap,
 * which comes in with DPDK. */

#ifndef PMTCP_TESTS_SUPPORT_PCAP_H
#define PMTCP_TESTS_SUPPORT_PCAP_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

struct test_pcap;

/* 0, or -errno if the file cannot be made. */
int test_pcap_create(const char *path, struct test_pcap **out);

void test_pcap_write(struct test_pcap *f, uint64_t now_ns, const struct rte_mbuf *m);
void test_pcap_write_bytes(struct test_pcap *f, uint64_t now_ns, const void *bytes, size_t len);

/* 0, or -errno if anything could not be written; the handle is gone. NULL is allowed. */
int test_pcap_close(struct test_pcap *f);

#endif /* PMTCP_TESTS_SUPPORT_PCAP_H */
