/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A port as the shell sees it: what was opened, and what it can do. */

#ifndef PMTCP_DPDK_PORT_H
#define PMTCP_DPDK_PORT_H

#include <stdint.h>

#include <rte_ethdev.h>

#include "pmtcp_dpdk.h"
#include "dpdk/steer.h"

/* Descriptors per queue unless told otherwise. */
#define PORT_DESC_DEFAULT 1024

/* Packet buffers per queue unless told otherwise. */
#define PORT_BUFS_DEFAULT 16384u

/* Buffers of the reserve for control segments (RES-6). */
#define PORT_CTL_BUFS 2047u

/* What each worker gets, whether or not the device has a queue for it. */
struct port_queue {
	struct rte_mempool *pool;
	struct rte_mempool *ctl_pool;
	bool has_worker;
};

struct pmtcp_port {
	uint16_t id;
	uint16_t n_workers;
	uint16_t n_rx; /* queues of the device: of the first so many workers */
	uint16_t n_tx;
	uint16_t mtu;
	int node; /* -1: none */
	char driver[32];
	struct rte_ether_addr mac;
	struct pmtcp_caps caps;
	bool is_started;
	bool has_rx_intr;  /* the driver took intr_conf.rxq */
	uint32_t if_index; /* of the kernel's side; 0: none */
	struct port_queue queues[STEER_WORKERS_MAX];
	struct steer *steer;  /* NULL: one worker */
	struct pmtcp_rss rss; /* who owns what; of more than one worker */
};

/* What port_open() asks the driver for, made by caps_probe(). */
struct port_plan {
	struct pmtcp_caps caps;
	uint64_t rx_offloads;
	uint64_t tx_offloads;
	bool has_rss; /* the device was asked to spread frames */
};

/* RSS (rss.c). Asks for a hash over addresses and ports if the device can tell how it does
 * that; caller: before the device is configured. False: it cannot. */
bool rss_ask(const struct rte_eth_dev_info *info, struct rte_eth_conf *eth);

/* Makes port->rss: what the device says once it runs, else workers in turn. */
void rss_read(struct pmtcp_port *port, bool was_asked);

/* Moves so many per mille of the tuples to another worker than the one whose queue they come
 * to. */
void rss_misdirect(struct pmtcp_port *port, uint16_t permille);

/* The capability record of a device and the offloads that go with it: by the driver's
 * word, less what the driver is known not to keep. */
void caps_probe(const struct rte_eth_dev_info *info, bool no_offloads, struct port_plan *plan);

#endif /* PMTCP_DPDK_PORT_H */
