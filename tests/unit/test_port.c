/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what a device offers becomes a capability record that never says more than is known
 * to be kept, and a port that cannot be as asked is refused and leaves nothing behind.
 * Method: tables of what drivers say; rings and null devices opened with wrong wishes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_ethdev.h>

#include "base/base.h"
#include "common/link.h"
#include "dpdk/pool.h"
#include "dpdk/port.h"

#define TX_ALL                                                                                     \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM |                            \
			RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE |        \
			RTE_ETH_TX_OFFLOAD_TCP_TSO)
#define RX_ALL                                                                                     \
	(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_LRO)
#define CKSUMS_TX (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM)
#define CKSUMS_RX (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)

static struct link ring;

/* Never FAST_FREE, segmentation or coalescing, whatever is offered. */
static void
caps_are_no_more_than_is_kept(void **state)
{
	static const struct {
		const char *driver;
		uint64_t tx, rx; /* offered */
		bool no_offloads;
		uint64_t want_tx, want_rx;
		bool shares;
	} rows[] = {
			{"net_ixgbe", TX_ALL, RX_ALL, false,
					CKSUMS_TX | RTE_ETH_TX_OFFLOAD_MULTI_SEGS, CKSUMS_RX,
					false},
			{"net_ixgbe", TX_ALL, RX_ALL, true, RTE_ETH_TX_OFFLOAD_MULTI_SEGS, 0,
					false},
			{"net_ixgbe", 0, 0, false, 0, 0, false},
			{"net_ixgbe", RTE_ETH_TX_OFFLOAD_TCP_CKSUM, RTE_ETH_RX_OFFLOAD_IPV4_CKSUM,
					false, RTE_ETH_TX_OFFLOAD_TCP_CKSUM,
					RTE_ETH_RX_OFFLOAD_IPV4_CKSUM, false},
			{NULL, TX_ALL, RX_ALL, false, CKSUMS_TX | RTE_ETH_TX_OFFLOAD_MULTI_SEGS,
					CKSUMS_RX, false},
			{"net_tap", TX_ALL, RX_ALL, false, RTE_ETH_TX_OFFLOAD_MULTI_SEGS, 0, false},
			{"net_ring", TX_ALL, RX_ALL, false, 0, 0, true},
	};

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct rte_eth_dev_info info = {.driver_name = rows[i].driver,
				.tx_offload_capa = rows[i].tx,
				.rx_offload_capa = rows[i].rx};
		struct port_plan plan;

		caps_probe(&info, rows[i].no_offloads, &plan);
		assert_int_equal(plan.tx_offloads, rows[i].want_tx);
		assert_int_equal(plan.rx_offloads, rows[i].want_rx);
		assert_int_equal(plan.caps.tx_ip_cksum,
				(rows[i].want_tx & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) != 0);
		assert_int_equal(plan.caps.tx_tcp_cksum,
				(rows[i].want_tx & RTE_ETH_TX_OFFLOAD_TCP_CKSUM) != 0);
		assert_int_equal(plan.caps.rx_ip_cksum,
				(rows[i].want_rx & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0);
		assert_int_equal(plan.caps.rx_tcp_cksum,
				(rows[i].want_rx & RTE_ETH_RX_OFFLOAD_TCP_CKSUM) != 0);
		assert_int_equal(plan.caps.tx_multi_seg,
				(rows[i].want_tx & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0);
		assert_int_equal(plan.caps.peer_owns_mbuf, rows[i].shares);
	}
}

/* A null device's port, which opens as it is asked or not at all; it is gone afterwards. */
static uint16_t
null_port(void)
{
	uint16_t id;

	assert_int_equal(rte_eal_hotplug_add("vdev", "net_null7", ""), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_null7", &id), 0);
	return id;
}

/* net_null keeps a table of 128 entries and a key of 40 octets, as a NIC does. What the port
 * says is what the device says, and the same hash comes of both directions. */
static void
open_35_rss_is_set_and_read_back(void **state)
{
	struct pmtcp_port_conf conf = {.port_id = null_port(), .queues = 2, .bufs = 4000};
	struct rte_eth_rss_reta_entry64 reta[2] = {{.mask = UINT64_MAX}, {.mask = UINT64_MAX}};
	uint8_t key[40] = {0};
	struct rte_eth_rss_conf hash = {.rss_key = key, .rss_key_len = sizeof(key)};
	const struct pmtcp_rss *rss;
	struct pmtcp_port *port;

	(void)state;
	assert_int_equal(pmtcp_port_open(&conf, &port), 0);
	rss = pmtcp_port_rss(port);
	assert_true(rss->is_device);
	assert_int_equal(rss->reta_size, 128);
	assert_int_equal(rte_eth_dev_rss_reta_query(conf.port_id, reta, 128), 0);
	for (int i = 0; i < 128; i++) {
		assert_int_equal(reta[i / 64].reta[i % 64], i % 2);
		assert_int_equal(rss->reta[i], i % 2);
	}
	assert_int_equal(rte_eth_dev_rss_hash_conf_get(conf.port_id, &hash), 0);
	assert_int_equal(rss->key_len, 40);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(key[i], i % 2 == 0 ? 0x6d : 0x5a);
		assert_int_equal(rss->key[i], key[i]);
	}
	pmtcp_port_close(port);
	rte_eal_hotplug_remove("vdev", "net_null7");
}

/* Two queues, three workers: the entries of each queue are shared out, the third worker gets
 * half of the first queue's. Frames for it do come to another: no reason to complain. */
static void
open_35_rss_of_fewer_queues_than_workers(void **state)
{
	static const uint16_t want[] = {0, 1, 2, 1};
	struct pmtcp_port_conf conf = {
			.port_id = null_port(), .queues = 2, .workers = 3, .bufs = 4000};
	const struct pmtcp_rss *rss;
	struct pmtcp_port *port;

	(void)state;
	assert_int_equal(pmtcp_port_open(&conf, &port), 0);
	rss = pmtcp_port_rss(port);
	assert_false(rss->is_device);
	for (int i = 0; i < 128; i++)
		assert_int_equal(rss->reta[i], want[i % 4]);
	pmtcp_port_close(port);
	rte_eal_hotplug_remove("vdev", "net_null7");
}

/* One worker needs none of it; one queue has nothing to spread. */
static void
open_35_without_queues_to_spread_over(void **state)
{
	struct pmtcp_port_conf conf = {.port_id = null_port(), .bufs = 4000};
	struct pmtcp_port *port;

	(void)state;
	assert_int_equal(pmtcp_port_open(&conf, &port), 0);
	assert_null(pmtcp_port_rss(port));
	pmtcp_port_close(port);
	rte_eal_hotplug_remove("vdev", "net_null7");
	conf.port_id = null_port();
	conf.workers = 2;
	conf.queues = 1;
	assert_int_equal(pmtcp_port_open(&conf, &port), 0);
	assert_false(pmtcp_port_rss(port)->is_device);
	assert_int_equal(pmtcp_port_rss(port)->reta[0], 0);
	assert_int_equal(pmtcp_port_rss(port)->reta[1], 1);
	assert_int_equal(pmtcp_port_rss(port)->reta[2], 0);
	pmtcp_port_close(port);
	rte_eal_hotplug_remove("vdev", "net_null7");
}

static void
port_is_refused_if_it_cannot_be_as_asked(void **state)
{
	static const struct {
		uint16_t queues, workers, mtu, wrong;
		int want;
	} rows[] = {
			{STEER_WORKERS_MAX + 1, 0, 0, 0, -EINVAL}, /* more than we know */
			{0, STEER_WORKERS_MAX + 1, 0, 0, -EINVAL},
			{3, 2, 0, 0, -EINVAL}, /* a queue that nobody reads */
			{0, 2, 0, 1001, -EINVAL},
			{0, 0, 575, 0, -EINVAL},
			{0, 0, 9001, 0, -EINVAL},
	};

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(rows); i++) {
		struct pmtcp_port_conf conf = {.port_id = null_port(),
				.queues = rows[i].queues,
				.workers = rows[i].workers,
				.wrong_permille = rows[i].wrong,
				.mtu = rows[i].mtu,
				.bufs = 4000};
		struct pmtcp_port *port;

		assert_int_equal(pmtcp_port_open(&conf, &port), rows[i].want);
		rte_eal_hotplug_remove("vdev", "net_null7");
	}
}

static void
port_that_is_not_there_is_refused(void **state)
{
	struct pmtcp_port_conf conf = {.port_id = 31};
	struct pmtcp_port *port;

	(void)state;
	assert_int_equal(pmtcp_port_open(&conf, &port), -ENODEV);
	pmtcp_port_close(NULL);
}

/* The MAC address asked for; without one, and without the device's, one that is local. */
static void
port_says_what_it_is(void **state)
{
	static const struct rte_ether_addr mac = {{0x02, 1, 2, 3, 4, 5}};
	struct pmtcp_port_conf conf = {.port_id = null_port(), .mac = mac, .bufs = 4000};
	struct pmtcp_port *port;

	(void)state;
	assert_int_equal(pmtcp_port_open(&conf, &port), 0);
	assert_int_equal(pmtcp_port_id(port), conf.port_id);
	assert_string_equal(pmtcp_port_driver(port), "net_null");
	assert_int_equal(pmtcp_port_queues(port), 1);
	assert_int_equal(pmtcp_port_mtu(port), 1500);
	assert_true(rte_is_same_ether_addr(pmtcp_port_mac(port), &mac));
	assert_false(pmtcp_port_caps(port)->peer_owns_mbuf);
	assert_non_null(pmtcp_port_pool(port, 0, true));
	assert_null(pmtcp_port_pool(port, 1, false));
	pmtcp_port_close(port);
	rte_eal_hotplug_remove("vdev", "net_null7");
	assert_true(pmtcp_port_caps(ring.ports[0])->peer_owns_mbuf);
	assert_true(rte_is_local_admin_ether_addr(pmtcp_port_mac(ring.ports[0])));
	assert_false(rte_is_same_ether_addr(
			pmtcp_port_mac(ring.ports[0]), pmtcp_port_mac(ring.ports[1])));
	assert_true(pmtcp_port_node(ring.ports[0]) >= -1);
}

/* Without huge pages of EAL's the buffers lie close together, in memory of their own that goes
 * with the pool: 128 octets of mbuf, 64 and 64 around it, the room, and what spreads them over
 * memory channels. All of each can be used. */
static void
buffers_do_not_take_a_page_each(void **state)
{
	enum { BUFS = 1023, ROOM = RTE_PKTMBUF_HEADROOM + 2048 };
	static struct rte_mbuf *mbufs[BUFS];
	const struct pool_conf conf = {"close", BUFS, 0, ROOM, SOCKET_ID_ANY};
	uint8_t *low = NULL, *high = NULL, *page;
	struct rte_mempool *mp;
	unsigned char present;

	(void)state;
	if (rte_eal_has_hugepages())
		skip();
	mp = pool_create(&conf);
	assert_non_null(mp);
	assert_int_equal(rte_mempool_avail_count(mp), BUFS);
	assert_int_equal(rte_pktmbuf_alloc_bulk(mp, mbufs, BUFS), 0);
	assert_null(rte_pktmbuf_alloc(mp));
	for (uint32_t i = 0; i < BUFS; i++) {
		uint8_t *at = (uint8_t *)mbufs[i];

		assert_int_equal(rte_pktmbuf_headroom(mbufs[i]), RTE_PKTMBUF_HEADROOM);
		assert_int_equal(rte_pktmbuf_tailroom(mbufs[i]), 2048);
		assert_true(mbufs[i]->buf_iova == (rte_iova_t)(uintptr_t)mbufs[i]->buf_addr);
		memset(rte_pktmbuf_append(mbufs[i], 2048), (int)i, 2048);
		low = low == NULL || at < low ? at : low;
		high = at > high ? at : high;
	}
	assert_true((uint64_t)(high - low) < (BUFS - 1) * (128 + ROOM + 64 + 64 + 128));
	for (uint32_t i = 0; i < BUFS; i++)
		assert_int_equal(*rte_pktmbuf_mtod(mbufs[i], uint8_t *), (uint8_t)i);
	rte_pktmbuf_free_bulk(mbufs, BUFS);
	page = low - (uintptr_t)low % 4096;
	assert_int_equal(mincore(page, 4096, &present), 0);
	rte_mempool_free(mp);
	assert_int_equal(mincore(page, 4096, &present), -1);
	assert_int_equal(errno, ENOMEM);
}

static int
open_ring(void **state)
{
	const struct link_conf conf = {
			.word = "ring", .program = "test_port", .bufs = 4000, .eal = "-m 512"};

	(void)state;
	return link_open(&conf, &ring);
}

static int
close_ring(void **state)
{
	(void)state;
	link_close(&ring);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(caps_are_no_more_than_is_kept),
			cmocka_unit_test(open_35_rss_is_set_and_read_back),
			cmocka_unit_test(open_35_rss_of_fewer_queues_than_workers),
			cmocka_unit_test(open_35_without_queues_to_spread_over),
			cmocka_unit_test(port_is_refused_if_it_cannot_be_as_asked),
			cmocka_unit_test(port_that_is_not_there_is_refused),
			cmocka_unit_test(port_says_what_it_is),
			cmocka_unit_test(buffers_do_not_take_a_page_each),
	};

	return cmocka_run_group_tests(tests, open_ring, close_ring);
}
