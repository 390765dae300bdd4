/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Memory of contexts: large, aligned, placed on a NUMA node, without cost until it is
 * touched. Not for packets (those lie in DPDK's pools). */

#ifndef PMTCP_DPDK_MEM_H
#define PMTCP_DPDK_MEM_H

#include <stddef.h>

struct mem {
	void *base; /* aligned to PMTCP_CTX_ALIGN, zero */
	size_t len;
};

/* Maps len octets, on that node if the machine has it (node < 0: anywhere). Where NUMA
 * is not to be had the memory is plain. Returns 0, -EINVAL for len 0, -ENOMEM. */
int mem_map(size_t len, int node, struct mem *mem);
void mem_unmap(struct mem *mem);

/* The node the page of this address lies on; -1 if the kernel does not tell. */
int mem_node(const void *addr);

#endif /* PMTCP_DPDK_MEM_H */
