/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Opening, describing and closing ports. One port at a time per ethdev; packet buffers
 * come from two pools per queue, so that control segments outlive a data shortage. */

#include "dpdk/port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>

#include "base/base.h"
#include "dpdk/pool.h"

#define MTU_MIN 576
#define MTU_MAX 9000

/* Ethernet header and one VLAN tag. */
#define FRAME_OVERHEAD 18

/* Drivers that copy out of a ring of larger frames want the whole of one to fit. */
#define ROOM_SLACK 128

/* Buffers in the cache of one thread, at most: 1.5 times its size. */
#define CACHE_SIZE 256
#define CACHED_MAX (CACHE_SIZE * 3 / 2)

/* Buffers beyond the descriptors: bursts in flight, per-thread caches, queued data. */
#define BUFS_SLACK 2048u

static uint32_t
round_pool(uint32_t n)
{
	/* rte_mempool's ring holds 2^q - 1 objects: anything else wastes its top. */
	uint32_t size = 1;

	while (size - 1 < n && size < (1u << 26))
		size <<= 1;
	return size - 1;
}

static int
make_pools(struct pmtcp_port *port, const struct pmtcp_port_conf *conf, uint32_t descs)
{
	uint32_t bufs = conf->bufs == 0 ? PORT_BUFS_DEFAULT - 1 : conf->bufs;
	uint32_t room = max_u32(RTE_MBUF_DEFAULT_BUF_SIZE,
			RTE_PKTMBUF_HEADROOM + FRAME_OVERHEAD + port->mtu + ROOM_SLACK);
	uint32_t ring = conf->steer_ring == 0 ? STEER_RING_DEFAULT : conf->steer_ring;
	int socket = port->node < 0 ? SOCKET_ID_ANY : port->node;
	char name[RTE_MEMPOOL_NAMESIZE];

	/* Others keep buffers of ours in the rings to them, and then in their caches. */
	descs += (port->n_workers - 1u) * (ring + CACHED_MAX);
	bufs = round_pool(max_u32(bufs, descs + BUFS_SLACK));
	for (uint16_t q = 0; q < port->n_workers; q++) {
		snprintf(name, sizeof(name), "pmtcp_%u_%u", port->id, q);
		port->queues[q].pool = pool_create(&(struct pool_conf){
				name, bufs, CACHE_SIZE, (uint16_t)room, socket});
		if (port->queues[q].pool == NULL)
			return -ENOMEM;
		snprintf(name, sizeof(name), "pmtcp_ctl_%u_%u", port->id, q);
		port->queues[q].ctl_pool = pool_create(&(struct pool_conf){
				name, PORT_CTL_BUFS, 64, RTE_MBUF_DEFAULT_BUF_SIZE, socket});
		if (port->queues[q].ctl_pool == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* net_ring and its like have no address; a made-up one is local and tells the port. */
static void
choose_mac(struct pmtcp_port *port, const struct rte_ether_addr *wanted)
{
	if (!rte_is_zero_ether_addr(wanted)) {
		port->mac = *wanted;
		return;
	}
	if (rte_eth_macaddr_get(port->id, &port->mac) == 0 && !rte_is_zero_ether_addr(&port->mac))
		return;
	port->mac = (struct rte_ether_addr){
			{0x02, 'p', 'm', 't', (uint8_t)(port->id >> 8), (uint8_t)port->id}};
}

/* Drivers that name no MTU of their own (65535) name a frame length. */
static uint32_t
mtu_limit(const struct rte_eth_dev_info *info)
{
	if (info->max_mtu != UINT16_MAX)
		return info->max_mtu;
	if (info->max_rx_pktlen <= FRAME_OVERHEAD)
		return 0;
	return min_u32(info->max_rx_pktlen - FRAME_OVERHEAD, UINT16_MAX);
}

/* What the configuration asks, the device's own value, and the limits of both. */
static int
choose_mtu(struct pmtcp_port *port, uint16_t wanted, const struct rte_eth_dev_info *info)
{
	uint16_t mtu = wanted;
	int ret;

	if (wanted != 0 && (wanted < MTU_MIN || wanted > MTU_MAX))
		return -EINVAL;
	if (wanted == 0 && rte_eth_dev_get_mtu(port->id, &mtu) != 0)
		mtu = RTE_ETHER_MTU;
	if (wanted != 0) {
		ret = rte_eth_dev_set_mtu(port->id, wanted);
		if (ret != 0 && ret != -ENOTSUP)
			return ret;
	}
	mtu = (uint16_t)min_u32(min_u32(mtu, MTU_MAX), mtu_limit(info));
	if (mtu < MTU_MIN || mtu < wanted)
		return -EINVAL;
	port->mtu = mtu;
	return 0;
}

static int
set_up_queues(struct pmtcp_port *port, uint16_t rx_desc, uint16_t tx_desc)
{
	unsigned int socket =
			port->node < 0 ? (unsigned int)SOCKET_ID_ANY : (unsigned int)port->node;
	int ret;

	for (uint16_t q = 0; q < port->n_rx; q++) {
		ret = rte_eth_rx_queue_setup(
				port->id, q, rx_desc, socket, NULL, port->queues[q].pool);
		if (ret != 0)
			return ret;
	}
	for (uint16_t q = 0; q < port->n_tx; q++) {
		ret = rte_eth_tx_queue_setup(port->id, q, tx_desc, socket, NULL);
		if (ret != 0)
			return ret;
	}
	return 0;
}

static int
configure(struct pmtcp_port *port, const struct rte_eth_dev_info *info, struct port_plan *plan)
{
	struct rte_eth_conf eth = {
			.rxmode = {.mtu = port->mtu, .offloads = plan->rx_offloads},
			.txmode = {.offloads = plan->tx_offloads},
			/* Only asked for where a worker may sleep on it and it costs nothing. */
			.intr_conf = {.rxq = strcmp(port->driver, "net_tap") == 0 ||
					     strcmp(port->driver, "net_memif") == 0},
	};
	int ret;

	plan->has_rss = port->n_rx > 1 && rss_ask(info, &eth);
	ret = rte_eth_dev_configure(port->id, port->n_rx, port->n_tx, &eth);
	port->has_rx_intr = ret == 0 && eth.intr_conf.rxq;
	return ret;
}

/* As many queues as asked for; transmit queues may be fewer: their workers send for others. */
static int
choose_queues(struct pmtcp_port *port, const struct pmtcp_port_conf *conf,
		const struct rte_eth_dev_info *info)
{
	uint16_t queues = conf->queues;
	uint16_t workers = conf->workers != 0 ? conf->workers : queues != 0 ? queues : 1;

	if (queues == 0)
		queues = (uint16_t)min_u32(
				workers, min_u32(info->max_rx_queues, info->max_tx_queues));
	if (workers > STEER_WORKERS_MAX || queues == 0 || queues > workers ||
			queues > info->max_rx_queues || info->max_tx_queues == 0 ||
			conf->wrong_permille > 1000)
		return -EINVAL;
	port->n_workers = workers;
	port->n_rx = queues;
	port->n_tx = (uint16_t)min_u32(queues, info->max_tx_queues);
	return 0;
}

static int
make_steer(struct pmtcp_port *port, uint16_t ring)
{
	const struct steer_conf conf = {
			.port_id = port->id,
			.workers = port->n_workers,
			.n_tx = port->n_tx,
			.ring = ring,
			.node = port->node,
	};

	return port->n_workers == 1 ? 0 : steer_create(&conf, &port->steer);
}

static int
bring_up(struct pmtcp_port *port, const struct pmtcp_port_conf *conf)
{
	uint16_t rx_desc = conf->rx_desc == 0 ? PORT_DESC_DEFAULT : conf->rx_desc;
	uint16_t tx_desc = conf->tx_desc == 0 ? PORT_DESC_DEFAULT : conf->tx_desc;
	struct rte_eth_dev_info info;
	struct port_plan plan;
	int ret;

	ret = rte_eth_dev_info_get(port->id, &info);
	if (ret != 0)
		return ret;
	ret = choose_queues(port, conf, &info);
	if (ret != 0)
		return ret;
	snprintf(port->driver, sizeof(port->driver), "%s",
			info.driver_name == NULL ? "" : info.driver_name);
	port->if_index = info.if_index;
	caps_probe(&info, conf->no_offloads, &plan);
	port->caps = plan.caps;
	choose_mac(port, &conf->mac);
	ret = choose_mtu(port, conf->mtu, &info);
	if (ret == 0)
		ret = configure(port, &info, &plan);
	if (ret == 0)
		ret = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_desc, &tx_desc);
	if (ret == 0)
		ret = make_pools(port, conf, (uint32_t)rx_desc + tx_desc);
	if (ret == 0)
		ret = make_steer(port, conf->steer_ring);
	if (ret == 0)
		ret = set_up_queues(port, rx_desc, tx_desc);
	if (ret == 0)
		ret = rte_eth_dev_start(port->id);
	if (ret != 0)
		return ret;
	port->is_started = true;
	rss_read(port, plan.has_rss);
	if (conf->wrong_permille != 0)
		rss_misdirect(port, conf->wrong_permille);
	/* Not every device can; then its filter must let our address through anyway. */
	(void)rte_eth_promiscuous_enable(port->id);
	return 0;
}

int
pmtcp_port_open(const struct pmtcp_port_conf *conf, struct pmtcp_port **out)
{
	struct pmtcp_port *port;
	int ret;

	if (!rte_eth_dev_is_valid_port(conf->port_id))
		return -ENODEV;
	port = calloc(1, sizeof(*port));
	if (port == NULL)
		return -ENOMEM;
	port->id = conf->port_id;
	port->node = rte_eth_dev_socket_id(port->id);
	if (port->node < 0)
		port->node = -1;
	ret = bring_up(port, conf);
	if (ret != 0) {
		pmtcp_port_close(port);
		return ret;
	}
	*out = port;
	return 0;
}

void
pmtcp_port_close(struct pmtcp_port *port)
{
	if (port == NULL)
		return;
	if (port->is_started)
		(void)rte_eth_dev_stop(port->id);
	(void)rte_eth_dev_close(port->id);
	steer_destroy(port->steer);
	for (uint16_t q = 0; q < port->n_workers; q++) {
		rte_mempool_free(port->queues[q].pool);
		rte_mempool_free(port->queues[q].ctl_pool);
	}
	free(port);
}

const struct pmtcp_caps *
pmtcp_port_caps(const struct pmtcp_port *port)
{
	return &port->caps;
}

uint16_t
pmtcp_port_id(const struct pmtcp_port *port)
{
	return port->id;
}

const char *
pmtcp_port_driver(const struct pmtcp_port *port)
{
	return port->driver;
}

uint16_t
pmtcp_port_queues(const struct pmtcp_port *port)
{
	return port->n_rx;
}

uint16_t
pmtcp_port_workers(const struct pmtcp_port *port)
{
	return port->n_workers;
}

const struct pmtcp_rss *
pmtcp_port_rss(const struct pmtcp_port *port)
{
	return port->n_workers > 1 ? &port->rss : NULL;
}

uint16_t
pmtcp_port_mtu(const struct pmtcp_port *port)
{
	return port->mtu;
}

const struct rte_ether_addr *
pmtcp_port_mac(const struct pmtcp_port *port)
{
	return &port->mac;
}

int
pmtcp_port_node(const struct pmtcp_port *port)
{
	return port->node;
}

struct rte_mempool *
pmtcp_port_pool(const struct pmtcp_port *port, uint16_t queue, bool ctl)
{
	if (queue >= port->n_workers)
		return NULL;
	return ctl ? port->queues[queue].ctl_pool : port->queues[queue].pool;
}
