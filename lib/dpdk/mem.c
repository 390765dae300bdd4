/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Memory of contexts; see mem.h. */

#include "dpdk/mem.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

#include <numa.h>
#include <numaif.h>

#include "pmtcp.h"
#include "base/base.h"

/* Preferred, not bound: memory of another node beats no memory. A container may forbid
 * the call, and then the memory is where the first touch puts it, mostly the same. */
static void
place(void *base, size_t len, int node)
{
	unsigned long mask[1024 / (8 * sizeof(unsigned long))] = {0};
	unsigned int bits = 8 * sizeof(mask[0]);

	if (node < 0 || numa_available() < 0 || node > numa_max_node())
		return;
	if ((unsigned int)node >= bits * PMTCP_ARRAY_SIZE(mask))
		return;
	mask[(unsigned int)node / bits] = 1ul << ((unsigned int)node % bits);
	(void)mbind(base, len, MPOL_PREFERRED, mask, bits * PMTCP_ARRAY_SIZE(mask), 0);
}

int
mem_map(size_t len, int node, struct mem *mem)
{
	const size_t align = PMTCP_CTX_ALIGN;
	uint8_t *raw, *base;
	size_t head;

	mem->base = NULL;
	mem->len = 0;
	if (len == 0)
		return -EINVAL;
	if (len > SIZE_MAX / 2)
		return -ENOMEM;
	len = (len + align - 1) & ~(align - 1);

	/* A share of connection blocks is address space until it is used, so it must
	 * not be charged when mapped. */
	raw = mmap(NULL, len + align, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (raw == MAP_FAILED)
		return -ENOMEM;
	base = (uint8_t *)(((uintptr_t)raw + align - 1) & ~(uintptr_t)(align - 1));
	head = (size_t)(base - raw);
	if (head > 0)
		(void)munmap(raw, head);
	(void)munmap(base + len, align - head);

	place(base, len, node);
	(void)madvise(base, len, MADV_HUGEPAGE);
	(void)madvise(base, len, MADV_DONTDUMP);
	mem->base = base;
	mem->len = len;
	return 0;
}

void
mem_unmap(struct mem *mem)
{
	if (mem->base != NULL)
		(void)munmap(mem->base, mem->len);
	mem->base = NULL;
	mem->len = 0;
}

int
mem_node(const void *addr)
{
	int node = -1;

	if (numa_available() < 0)
		return -1;
	if (get_mempolicy(&node, NULL, 0, (void *)(uintptr_t)addr, MPOL_F_NODE | MPOL_F_ADDR) != 0)
		return -1;
	return node;
}
