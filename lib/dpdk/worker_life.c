/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The making of a worker, its end and its accounts. */

#include "dpdk/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/check.h"

#define FRAG_TIMEOUT_MS 30000 /* W-12 */

/* Frames of a queue that is being given up; more than any ring holds. */
#define DRAIN_BURSTS_MAX 4096

static int
fill_secrets(struct pmtcp_conf *conf)
{
	static const struct pmtcp_secrets unset;

	if (memcmp(&conf->secrets, &unset, sizeof(unset)) == 0 &&
			getrandom(&conf->secrets, sizeof(conf->secrets), 0) !=
					(ssize_t)sizeof(conf->secrets))
		return -EIO;
	if (conf->seed == 0 && getrandom(&conf->seed, sizeof(conf->seed), 0) !=
					       (ssize_t)sizeof(conf->seed))
		return -EIO;
	return 0;
}

/* Fills in what the caller left to us. */
static int
complete_conf(struct pmtcp_worker *w, const struct pmtcp_conf *conf)
{
	static const struct pmtcp_caps unset;
	struct pmtcp_port *port = w->port;
	struct pmtcp_conf *c = &w->conf;

	*c = *conf;
	if (c->pool == NULL)
		c->pool = port->queues[w->queue].pool;
	if (c->ctl_pool == NULL)
		c->ctl_pool = port->queues[w->queue].ctl_pool;
	if (rte_is_zero_ether_addr(&c->mac))
		c->mac = port->mac;
	if (c->mtu == 0 || c->mtu > port->mtu)
		c->mtu = port->mtu;
	if (memcmp(&c->caps, &unset, sizeof(unset)) == 0)
		c->caps = port->caps;
	if (c->owners <= 1) {
		c->owner = w->queue;
		c->owners = port->n_workers;
	}
	if (c->rss == NULL && port->n_workers > 1)
		c->rss = &port->rss;
	return fill_secrets(c);
}

static int
open_capture(struct pmtcp_worker *w, const struct pmtcp_worker_opts *opts)
{
	struct capture_conf conf = {
			.path = opts->pcap,
			.packets = opts->pcap_packets,
			.snap = opts->pcap_snap,
	};
	struct timespec wall;

	if (opts->pcap == NULL)
		return 0;
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	conf.epoch_ns = (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec -
			clock_ns(&w->clock, rte_rdtsc());
	return capture_open(&conf, &w->capture);
}

/* The key is the table's own: nothing else may be learned from how rows fill (SEC-11). */
static int
create_frag(struct pmtcp_worker *w, const struct pmtcp_worker_opts *opts)
{
	struct frag_conf conf = {.datagrams = opts->reassemble,
			.timeout_ms = FRAG_TIMEOUT_MS,
			.packet_max = w->conf.mtu,
			.mac = w->conf.mac};

	if (opts->reassemble == 0)
		return 0;
	if (getrandom(&conf.key, sizeof(conf.key), 0) != (ssize_t)sizeof(conf.key))
		return -EIO;
	return frag_create(&conf, &w->frag);
}

static int
create_stage(struct pmtcp_worker *w)
{
	w->stage = calloc(1, sizeof(*w->stage));
	return w->stage == NULL ? -ENOMEM : 0;
}

static int
build(struct pmtcp_worker *w, const struct pmtcp_conf *conf, const struct pmtcp_worker_opts *opts)
{
	int ret = complete_conf(w, conf);

	if (ret == 0)
		ret = mem_map(pmtcp_ctx_memsize(&w->conf), w->port->node, &w->mem);
	if (ret == 0)
		ret = pmtcp_ctx_init(w->mem.base, w->mem.len, &w->conf, &w->ctx);
	if (ret == 0 && w->steer != NULL)
		ret = create_stage(w);
	if (ret == 0 && faults_wanted(&opts->faults))
		ret = faults_create(&opts->faults, w->conf.pool, &w->faults);
	if (ret == 0)
		ret = create_frag(w, opts);
	if (ret == 0)
		ret = open_capture(w, opts);
	return ret;
}

int
pmtcp_worker_create(struct pmtcp_port *port, uint16_t queue, const struct pmtcp_conf *conf,
		const struct pmtcp_worker_opts *opts, struct pmtcp_worker **out)
{
	static const struct pmtcp_worker_opts defaults;
	struct pmtcp_worker *w;
	int ret;

	if (queue >= port->n_workers)
		return -EINVAL;
	if (port->queues[queue].has_worker)
		return -EBUSY;
	if (opts == NULL)
		opts = &defaults;
	if (opts->burst > WORKER_BURST_MAX)
		return -EINVAL;
	w = aligned_alloc(PMTCP_CACHE_LINE, sizeof(*w));
	if (w == NULL)
		return -ENOMEM;
	memset(w, 0, sizeof(*w));
	w->port = port;
	w->port_id = port->id;
	w->queue = queue;
	w->has_rx = queue < port->n_rx;
	w->has_tx = queue < port->n_tx;
	w->steer = port->steer;
	w->clock = *clock_get();
	w->idle = opts->idle;
	w->burst = opts->burst == 0 ? WORKER_BURST : opts->burst;
	w->rx_burst = RTE_ALIGN_CEIL(w->burst, WORKER_RX_STEP);
	w->profile = opts->profile;
	w->stats.free_permille = 1000;
	w->was_away = true;
	w->wake_fd = w->rx_fd = -1;
	port->queues[queue].has_worker = true;
	ret = build(w, conf, opts);
	if (ret != 0) {
		pmtcp_worker_destroy(w);
		return ret;
	}
	idle_open(w);
	telemetry_add(w);
	*out = w;
	return 0;
}

/* Frames left in the receive queue belong to a pool that may be gone next, a peer's on
 * net_ring: back they go while it is there (RES-15). */
static void
drain_queue(struct pmtcp_worker *w)
{
	struct rte_mbuf *pkts[WORKER_BURST_MAX];
	uint16_t n;

	for (int i = 0; i < DRAIN_BURSTS_MAX && w->has_rx; i++) {
		n = rte_eth_rx_burst(w->port_id, w->queue, pkts, WORKER_BURST_MAX);
		if (n == 0)
			break;
		rte_pktmbuf_free_bulk(pkts, n);
	}
}

void
pmtcp_worker_destroy(struct pmtcp_worker *w)
{
	if (w == NULL)
		return;
	CHECK(w->group == NULL && atomic_load(&w->owner_tid) == 0);
	telemetry_remove(w);
	idle_close(w);
	if (w->ctx != NULL)
		pmtcp_ctx_fini(w->ctx);
	rte_pktmbuf_free_bulk(w->backlog + w->backlog_head, w->backlog_tail - w->backlog_head);
	faults_destroy(w->faults);
	frag_destroy(w->frag);
	rte_pktmbuf_free_bulk(w->ahead, w->n_ahead);
	drain_queue(w);
	if (w->steer != NULL)
		steer_drain(w->steer, w->queue);
	free(w->stage);
	capture_close(w->capture);
	mem_unmap(&w->mem);
	w->port->queues[w->queue].has_worker = false;
	free(w);
}

struct pmtcp_ctx *
pmtcp_worker_ctx(const struct pmtcp_worker *w)
{
	return w->ctx;
}

struct pmtcp_port *
pmtcp_worker_port(const struct pmtcp_worker *w)
{
	return w->port;
}

const struct pmtcp_conf *
pmtcp_worker_conf(const struct pmtcp_worker *w)
{
	return &w->conf;
}

int
pmtcp_worker_mem_node(const struct pmtcp_worker *w)
{
	return mem_node(w->mem.base);
}

void
pmtcp_worker_stats(const struct pmtcp_worker *w, struct pmtcp_worker_stats *stats)
{
	struct rte_eth_stats eth;

	*stats = w->stats;
	stats->backlog = (uint16_t)(w->backlog_tail - w->backlog_head);
	if (w->faults != NULL)
		faults_stats(w->faults, stats);
	if (w->frag != NULL)
		frag_stats(w->frag, stats);
	if (w->capture != NULL)
		stats->pcap_lost = capture_lost(w->capture);
	if (rte_eth_stats_get(w->port_id, &eth) == 0)
		stats->rx_missed = eth.imissed;
}

void
pmtcp_worker_stats_add(struct pmtcp_worker_stats *sum, const struct pmtcp_worker_stats *one)
{
	enum { COUNTERS = offsetof(struct pmtcp_worker_stats, rx_missed) / sizeof(uint64_t) };
	const uint64_t *from = (const uint64_t *)one;
	uint64_t *to = (uint64_t *)sum;

	STATIC_ASSERT(offsetof(struct pmtcp_worker_stats, turns) == 0);
	for (int i = 0; i < COUNTERS; i++)
		to[i] += from[i];
	sum->rx_missed = max_u64(sum->rx_missed, one->rx_missed);
	sum->backlog += one->backlog;
	sum->free_permille = (uint16_t)min_u32(sum->free_permille, one->free_permille);
}
