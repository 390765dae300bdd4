/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A port as the shell sees it: what was opened, and what it can do. */

#ifndef PMTCP_DPDK_PORT_H
#define PMTCP_DPDK_PORT_H

#include <stdint.h>

#include <rte_ethdev.h>

#include "pmtcp_dpdk.h"

#define PORT_QUEUES_MAX 16

/* Descriptors per queue unless told otherwise. */
#define PORT_DESC_DEFAULT 1024

/* Packet buffers per queue unless told otherwise. */
#define PORT_BUFS_DEFAULT 16384u

/* Buffers of the reserve for control segments (RES-6). */
#define PORT_CTL_BUFS 2047u

struct port_queue {
	struct rte_mempool *pool;
	struct rte_mempool *ctl_pool;
	bool has_worker;
};

struct pmtcp_port {
	uint16_t id;
	uint16_t n_queues;
	uint16_t mtu;
	int node; /* -1: none */
	char driver[32];
	struct rte_ether_addr mac;
	struct pmtcp_caps caps;
	bool is_started;
	bool has_rx_intr;  /* the driver took intr_conf.rxq */
	uint32_t if_index; /* of the kernel's side; 0: none */
	struct port_queue queues[PORT_QUEUES_MAX];
};

/* What port_open() asks the driver for, made by caps_probe(). */
struct port_plan {
	struct pmtcp_caps caps;
	uint64_t rx_offloads;
	uint64_t tx_offloads;
};

/* The capability record of a device and the offloads that go with it: by the driver's
 * word, less what the driver is known not to keep. */
void caps_probe(const struct rte_eth_dev_info *info, bool no_offloads, struct port_plan *plan);

#endif /* PMTCP_DPDK_PORT_H */
