/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What a device can do. Drivers say it in their offload flags; of some drivers we know
 * better. A wrong "no" costs cycles, a wrong "yes" costs connections. */

#include "dpdk/port.h"

#include <string.h>

#include "base/base.h"

struct driver_fact {
	const char *name;
	bool shares_mbuf;  /* the peer gets the very mbuf, header flags and all */
	bool soft_offload; /* checksum "offload" is the driver's own loop: no gain over ours */
};

static const struct driver_fact driver_facts[] = {
		{"net_ring", .shares_mbuf = true, .soft_offload = true},
		{"net_null", .shares_mbuf = false, .soft_offload = true},
		{"net_tap", .shares_mbuf = false, .soft_offload = true},
		{"net_memif", .shares_mbuf = false, .soft_offload = true},
		{"net_af_packet", .shares_mbuf = false, .soft_offload = true},
		{"net_af_xdp", .shares_mbuf = false, .soft_offload = true},
		{"net_pcap", .shares_mbuf = false, .soft_offload = true},
};

static const struct driver_fact *
find_fact(const char *driver)
{
	static const struct driver_fact nothing_known;

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(driver_facts); i++)
		if (strcmp(driver_facts[i].name, driver) == 0)
			return &driver_facts[i];
	return &nothing_known;
}

void
caps_probe(const struct rte_eth_dev_info *info, bool no_offloads, struct port_plan *plan)
{
	const struct driver_fact *fact =
			find_fact(info->driver_name == NULL ? "" : info->driver_name);
	bool use_cksum = !no_offloads && !fact->soft_offload;
	struct pmtcp_caps *caps = &plan->caps;

	memset(plan, 0, sizeof(*plan));
	if (use_cksum && (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0) {
		caps->tx_ip_cksum = true;
		plan->tx_offloads |= RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
	}
	if (use_cksum && (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0) {
		caps->tx_tcp_cksum = true;
		plan->tx_offloads |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM;
	}
	if (use_cksum && (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0) {
		caps->rx_ip_cksum = true;
		plan->rx_offloads |= RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	}
	if (use_cksum && (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) != 0) {
		caps->rx_tcp_cksum = true;
		plan->rx_offloads |= RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
	}
	/* A chain handed to the peer as it is would carry octets that may be sent again;
	 * and a driver that copies each frame anyway gains nothing from a chain, but does
	 * not lose either, so its word is taken. MBUF_FAST_FREE is never asked for: it
	 * would put clones and other workers' buffers into the wrong pool. */
	caps->peer_owns_mbuf = fact->shares_mbuf;
	if (!fact->shares_mbuf && (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0) {
		caps->tx_multi_seg = true;
		plan->tx_offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	}
}
