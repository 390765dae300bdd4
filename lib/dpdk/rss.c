/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* How a device spreads frames over its queues, as flow_owner() must know it (OPEN-35): key and
 * redirection table are set where the driver lets us, and read back in any case, for what
 * counts is what it uses. Whether it really hashes so shows with each frame: the context
 * holds the arriving queue against the owner and tells (PMTCP_DIAG_STEERING). */

#include "dpdk/port.h"

#include <string.h>

#include "base/base.h"

#define RETA_QUERY_MAX 4096

/* Both are wanted; IPv6 alone may be missing. */
#define HASH_WANTED (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP)

static uint8_t symmetric_key[PMTCP_RSS_KEY_MAX];

/* Under 0x6d5a repeated both directions of a connection hash alike (Woo, Park 2012), so two
 * ends with as many queues each meet on queues of the same number. */
static uint8_t *
make_key(void)
{
	for (int i = 0; i < PMTCP_RSS_KEY_MAX; i++)
		symmetric_key[i] = i % 2 == 0 ? 0x6d : 0x5a;
	return symmetric_key;
}

static uint8_t
key_len_of(const struct rte_eth_dev_info *info)
{
	return info->hash_key_size == 0 ? 40 : info->hash_key_size;
}

static bool
is_power_of_two(uint32_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

static struct rte_eth_rss_conf
wanted(const struct rte_eth_dev_info *info)
{
	return (struct rte_eth_rss_conf){
			.rss_key = make_key(),
			.rss_key_len = key_len_of(info),
			.rss_hf = info->flow_type_rss_offloads & HASH_WANTED,
	};
}

bool
rss_ask(const struct rte_eth_dev_info *info, struct rte_eth_conf *eth)
{
	uint8_t key_len = key_len_of(info);

	if ((info->flow_type_rss_offloads & RTE_ETH_RSS_NONFRAG_IPV4_TCP) == 0 ||
			!is_power_of_two(info->reta_size) || info->reta_size > RETA_QUERY_MAX ||
			(key_len != 40 && key_len != PMTCP_RSS_KEY_MAX))
		return false;
	eth->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	eth->rx_adv_conf.rss_conf = wanted(info);
	return true;
}

/* ---- the table ------------------------------------------------------------------ */

/* The worker of entry i of those whose frames come to this queue: its own first, then those
 * without a queue. */
static uint16_t
worker_of(const struct pmtcp_port *port, uint32_t i, uint16_t queue)
{
	uint32_t sharers = (port->n_workers - queue + port->n_rx - 1u) / port->n_rx;

	return (uint16_t)(queue + port->n_rx * (i / port->n_rx % sharers));
}

/* Longer tables than ours are filled with a period of ours, and must be found so. */
static bool
write_reta(const struct pmtcp_port *port, uint16_t size)
{
	static struct rte_eth_rss_reta_entry64 reta[RETA_QUERY_MAX / RTE_ETH_RETA_GROUP_SIZE];

	memset(reta, 0, sizeof(reta));
	for (uint32_t i = 0; i < size; i++) {
		struct rte_eth_rss_reta_entry64 *group = &reta[i / RTE_ETH_RETA_GROUP_SIZE];

		group->mask |= 1ull << i % RTE_ETH_RETA_GROUP_SIZE;
		group->reta[i % RTE_ETH_RETA_GROUP_SIZE] =
				(uint16_t)(i % PMTCP_RSS_RETA_MAX % port->n_rx);
	}
	return rte_eth_dev_rss_reta_update(port->id, reta, size) == 0;
}

static bool
read_reta(struct pmtcp_port *port, uint16_t size)
{
	static struct rte_eth_rss_reta_entry64 reta[RETA_QUERY_MAX / RTE_ETH_RETA_GROUP_SIZE];
	struct pmtcp_rss *rss = &port->rss;

	memset(reta, 0, sizeof(reta));
	for (uint32_t i = 0; i < size; i++)
		reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= 1ull << i % RTE_ETH_RETA_GROUP_SIZE;
	if (rte_eth_dev_rss_reta_query(port->id, reta, size) != 0)
		return false;
	rss->reta_size = (uint16_t)min_u32(size, PMTCP_RSS_RETA_MAX);
	for (uint32_t i = 0; i < size; i++) {
		uint16_t queue =
				reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE];
		uint32_t at = i % rss->reta_size;

		if (queue >= port->n_rx)
			return false;
		if (i < rss->reta_size)
			rss->reta[i] = worker_of(port, i, queue);
		else if (rss->reta[at] != worker_of(port, at, queue))
			return false;
	}
	return true;
}

static bool
read_key(struct pmtcp_port *port, uint8_t key_len)
{
	static const uint8_t zero[PMTCP_RSS_KEY_MAX];
	struct rte_eth_rss_conf conf = {.rss_key = port->rss.key, .rss_key_len = key_len};

	if (rte_eth_dev_rss_hash_conf_get(port->id, &conf) != 0 ||
			(conf.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_TCP) == 0)
		return false;
	/* All zero is what drivers leave that do not tell. */
	port->rss.key_len = key_len;
	return memcmp(port->rss.key, zero, key_len) != 0;
}

static bool
read_device(struct pmtcp_port *port)
{
	struct rte_eth_dev_info info;
	struct rte_eth_rss_conf conf;

	if (rte_eth_dev_info_get(port->id, &info) != 0)
		return false;
	/* Some drivers take it only now, some only before. What they made of it is read next. */
	conf = wanted(&info);
	(void)rte_eth_dev_rss_hash_update(port->id, &conf);
	(void)write_reta(port, info.reta_size);
	return read_reta(port, info.reta_size) && read_key(port, key_len_of(&info));
}

static void
fill_in_turn(struct pmtcp_port *port)
{
	struct pmtcp_rss *rss = &port->rss;

	memset(rss, 0, sizeof(*rss));
	rss->reta_size = PMTCP_RSS_RETA_MAX;
	for (uint32_t i = 0; i < rss->reta_size; i++)
		rss->reta[i] = (uint16_t)(i % port->n_workers);
}

void
rss_read(struct pmtcp_port *port, bool was_asked)
{
	if (was_asked && read_device(port)) {
		/* Behind fewer queues than workers the rings are the way for some. */
		port->rss.is_device = port->n_rx == port->n_workers;
		return;
	}
	fill_in_turn(port);
}

/* Whole rounds of workers are moved or left, so that all keep their share. With one queue
 * what is not moved is the first worker's. */
void
rss_misdirect(struct pmtcp_port *port, uint16_t permille)
{
	struct pmtcp_rss *rss = &port->rss;
	uint32_t n = port->n_workers;

	if (n == 1)
		return;
	rss->is_device = false;
	for (uint32_t i = 0; i < rss->reta_size; i++) {
		uint32_t round = i / n;
		uint32_t natural = port->n_rx == 1 ? 0 : rss->reta[i];
		bool is_wrong = (round + 1) * permille / 1000 != round * permille / 1000;

		if (is_wrong)
			natural = (natural + 1 + i % (n - 1)) % n;
		rss->reta[i] = (uint16_t)natural;
	}
}
