/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* One worker: its making, its turn and its accounts. The turn is the whole path of a
 * frame through the shell; it allocates nothing, waits for nothing and makes no system
 * call of its own. How turns follow each other is run.c's concern. */

#include "dpdk/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/check.h"

/* Bounds what one turn sends, so that receiving is never starved. */
#define OUTPUT_BURSTS_MAX 64

/* What piled up in a stall of the loop is received before its timers run. */
#define STALL_BURSTS_MAX 64

#define FRAG_TIMEOUT_MS 30000 /* W-12 */

#define CAPTURE_FLUSH_NS 100000000u

/* Frames of a queue that is being given up; more than any ring holds. */
#define DRAIN_BURSTS_MAX 4096

/* Cycle stamps of one turn. */
struct stamps {
	uint64_t start;
	uint64_t last;
	uint64_t phase[PMTCP_PHASE_MAX];
};

static inline void
stamp(const struct pmtcp_worker *w, struct stamps *s, enum pmtcp_phase phase)
{
	uint64_t now;

	if (is_likely(!w->profile))
		return;
	now = rte_rdtsc();
	s->phase[phase] += now - s->last;
	s->last = now;
}

/* ---- transmit -------------------------------------------------------------- */

static uint64_t
count_octets(struct rte_mbuf *const *pkts, uint16_t n)
{
	uint64_t octets = 0;

	for (uint16_t i = 0; i < n; i++)
		octets += pkts[i]->pkt_len;
	return octets;
}

/* Gives frames to the device. Returns how many it took; the rest stays ours. */
static uint16_t
device_send(struct pmtcp_worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	/* Lengths are read before: a frame the device took is no longer ours to read. */
	uint64_t octets = count_octets(pkts, n);
	uint16_t sent;

	if (is_likely(w->has_tx))
		sent = rte_eth_tx_burst(w->port_id, w->queue, pkts, n);
	else
		sent = steer_send(w->steer, w->queue, pkts, n);
	w->stats.tx_packets += sent;
	w->stats.tx_octets += octets - count_octets(pkts + sent, n - sent);
	return sent;
}

/* Likewise frames of a worker without a transmit queue, which has counted them as sent. */
static uint16_t
relay_send(struct pmtcp_worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent = rte_eth_tx_burst(w->port_id, w->queue, pkts, n);

	w->stats.tx_relayed += sent;
	return sent;
}

/* Appends to the backlog; what does not fit is lost as in a network (RES-7). */
static PMTCP_COLD void
backlog_put(struct pmtcp_worker *w, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t waiting = w->backlog_tail - w->backlog_head;
	uint16_t fits = (uint16_t)min_u32(n, WORKER_BACKLOG - waiting);

	if (w->backlog_tail + fits > WORKER_BACKLOG) {
		memmove(w->backlog, w->backlog + w->backlog_head, waiting * sizeof(w->backlog[0]));
		w->backlog_head = 0;
		w->backlog_tail = waiting;
	}
	memcpy(w->backlog + w->backlog_tail, pkts, fits * sizeof(pkts[0]));
	w->backlog_tail += fits;
	if (fits < n) {
		rte_pktmbuf_free_bulk(pkts + fits, n - fits);
		w->stats.tx_dropped += n - fits;
	}
}

/* Offers the backlog to the device again, a burst at a time: with a full device, which is
 * when this runs again and again, the price is that of one burst. Returns frames. */
static PMTCP_COLD uint32_t
backlog_flush(struct pmtcp_worker *w, uint64_t now_ns)
{
	uint32_t total = 0;
	uint16_t n, sent;

	do {
		n = (uint16_t)min_u32(w->backlog_tail - w->backlog_head, WORKER_BURST);
		if (is_unlikely(w->n_relayed > 0)) {
			n = (uint16_t)min_u32(n, w->n_relayed);
			sent = relay_send(w, w->backlog + w->backlog_head, n);
			w->n_relayed -= sent;
		} else {
			sent = device_send(w, w->backlog + w->backlog_head, n);
		}
		w->backlog_head += sent;
		total += sent;
	} while (sent == n && worker_has_backlog(w));
	if (total > 0)
		w->tx_moved_ns = now_ns;
	if (!worker_has_backlog(w))
		w->backlog_head = w->backlog_tail = 0;
	return total;
}

static inline void
send_frames(struct pmtcp_worker *w, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t sent = 0;

	if (is_unlikely(w->capture != NULL))
		capture_frames(w->capture, now_ns, pkts, n);
	/* Behind a backlog everything queues up: order per connection is kept. */
	if (is_likely(!worker_has_backlog(w)))
		sent = device_send(w, pkts, n);
	if (sent > 0)
		w->tx_moved_ns = now_ns;
	if (is_unlikely(sent < n))
		backlog_put(w, pkts + sent, n - sent);
}

/* Sends frames of a worker without a transmit queue. What the device does not take now stays
 * in the ring, and then with that worker. Returns frames. */
static uint32_t
relay_frames(struct pmtcp_worker *w, uint64_t now_ns, struct rte_ring *ring)
{
	struct rte_mbuf *pkts[WORKER_BURST_MAX];
	uint32_t total = 0;
	uint16_t n, sent;

	for (int i = 0; i < OUTPUT_BURSTS_MAX && !worker_has_backlog(w); i++) {
		n = (uint16_t)rte_ring_sc_dequeue_burst(ring, (void **)pkts, WORKER_BURST, NULL);
		if (n == 0)
			break;
		sent = relay_send(w, pkts, n);
		total += n;
		if (sent > 0)
			w->tx_moved_ns = now_ns;
		if (sent == n)
			continue;
		backlog_put(w, pkts + sent, n - sent);
		w->n_relayed = n - sent;
	}
	return total;
}

/* What passes between workers, in and out. Returns true if anything did. */
static PMTCP_NOINLINE bool
exchange(struct pmtcp_worker *w, uint64_t now_ns)
{
	const struct steer *s = w->steer;
	uint32_t total = steer_turn(w, now_ns);

	for (uint16_t other = s->n_tx; other < s->n; other++)
		if (steer_sender(s, other) == w->queue)
			total += relay_frames(w, now_ns, s->tx[other]);
	return total > 0;
}

/* Takes frames out of the context as long as the device takes them from us. A context
 * keeps what it may not send yet without loss, so a device that is merely slow costs no
 * frame; one that is stuck gets its share thrown away. Returns frames. */
static inline uint32_t
send_output(struct pmtcp_worker *w, uint64_t now_ns, struct stamps *s)
{
	struct rte_mbuf *pkts[WORKER_BURST_MAX];
	uint32_t total = 0;
	uint16_t n;

	if (is_unlikely(worker_has_backlog(w)))
		total = backlog_flush(w, now_ns);
	if (is_unlikely(worker_has_backlog(w)) && now_ns - w->tx_moved_ns < WORKER_STUCK_NS)
		return total;
	for (int i = 0; i < OUTPUT_BURSTS_MAX; i++) {
		n = pmtcp_output(w->ctx, now_ns, pkts, w->burst);
		stamp(w, s, PMTCP_PHASE_OUTPUT);
		if (n == 0)
			break;
		total += n;
		send_frames(w, now_ns, pkts, n);
		stamp(w, s, PMTCP_PHASE_TX);
		/* Less than a burst is all there was. */
		if (n < w->burst || is_unlikely(worker_has_backlog(w)))
			break;
	}
	return total;
}

/* ---- receive --------------------------------------------------------------- */

static PMTCP_COLD uint16_t
receive_faulty(struct pmtcp_worker *w, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n)
{
	faults_push(w->faults, now_ns, pkts, n);
	return faults_pop(w->faults, now_ns, pkts, w->burst);
}

static inline uint16_t
receive_input(struct pmtcp_worker *w, uint64_t now_ns, struct stamps *s)
{
	struct rte_mbuf *all[STEER_BURST + WORKER_BURST_MAX], **pkts;
	uint16_t n = 0, handed = 0, received;

	if (is_unlikely(w->steer != NULL))
		handed = steer_in(w, all);
	pkts = all + handed;
	if (is_likely(w->has_rx))
		n = rte_eth_rx_burst(w->port_id, w->queue, pkts, w->burst);
	if (is_unlikely(w->faults != NULL))
		n = receive_faulty(w, now_ns, pkts, n);
	if (n > 0) {
		/* The sender's core wrote these lines: fetch them side by side. */
		for (uint16_t i = 0; i < n; i++)
			__builtin_prefetch(pkts[i]);
		w->stats.rx_packets += n;
		w->stats.rx_octets += count_octets(pkts, n);
		if (is_unlikely(w->capture != NULL))
			capture_frames(w->capture, now_ns, pkts, n);
	}
	received = n;
	if (is_unlikely(w->frag != NULL) && n > 0)
		n = frag_filter(w->frag, now_ns, pkts, n);
	stamp(w, s, PMTCP_PHASE_RX);
	if (is_unlikely(handed > 0))
		pmtcp_input_handed(w->ctx, now_ns, all, handed, (uint16_t)(handed + n));
	else if (n > 0)
		pmtcp_input(w->ctx, now_ns, pkts, n);
	if (n > 0) {
		if (is_unlikely(w->steer != NULL))
			steer_out(w);
		stamp(w, s, PMTCP_PHASE_INPUT);
	}
	return received;
}

/* ---- the turn -------------------------------------------------------------- */

/* What is worth a look now and then: packet buffers and the capture file. The count is
 * that of the shared ring and this thread's cache: exact enough, and it does not walk
 * the caches of all threads as rte_mempool_avail_count() does. */
static PMTCP_COLD void
look_around(struct pmtcp_worker *w, uint64_t now_ns)
{
	struct rte_mempool *pool = w->conf.pool;
	const struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());
	uint64_t free_bufs = rte_mempool_get_ops(pool->ops_index)->get_count(pool) +
			     (cache == NULL ? 0 : cache->len);

	w->stats.free_permille = (uint16_t)min_u64(free_bufs * 1000 / pool->size, 1000);
	pmtcp_set_pressure(w->ctx, w->stats.free_permille);
	if (w->frag != NULL)
		frag_expire(w->frag, now_ns);
	if (w->capture != NULL && now_ns - w->flush_ns > CAPTURE_FLUSH_NS) {
		w->flush_ns = now_ns;
		capture_flush(w->capture);
	}
}

static inline void
account_busy(struct pmtcp_worker *w, const struct stamps *s)
{
	w->stats.busy_turns++;
	w->stats.busy_cycles += rte_rdtsc() - s->start;
	if (is_likely(!w->profile))
		return;
	for (int i = 0; i < PMTCP_PHASE_MAX; i++)
		w->stats.phase_cycles[i] += s->phase[i];
}

/* RES-17: the loop stood still, most likely in the application. ACKs that came meanwhile lie
 * in the device's queue, more than one burst of them perhaps: timers that ran before they are
 * read would send everything again. */
static PMTCP_COLD void
catch_up(struct pmtcp_worker *w, uint64_t now_ns, struct stamps *s)
{
	w->stats.loop_stalls++;
	for (int i = 0; i < STALL_BURSTS_MAX; i++)
		if (receive_input(w, now_ns, s) < w->burst)
			break;
}

PMTCP_HOT bool
pmtcp_worker_turn(struct pmtcp_worker *w, void (*fn)(struct pmtcp_ctx *ctx, void *arg), void *arg)
{
	struct stamps s = {.start = rte_rdtsc()};
	uint64_t now_ns = worker_clock_now(w, s.start);
	bool has_stalled = now_ns - w->last_ns > WORKER_STALL_NS && !w->was_away;
	bool is_busy;

	w->was_away = false;
	w->last_ns = now_ns;
	s.last = s.start;

	is_busy = is_unlikely(w->steer != NULL) && exchange(w, now_ns);
	is_busy |= receive_input(w, now_ns, &s) > 0;
	if (is_unlikely(has_stalled))
		catch_up(w, now_ns, &s);
	/* Behind a full device a deadline is no work: nothing could leave. */
	if (!is_busy && is_likely(!worker_has_backlog(w)))
		is_busy = worker_deadline(w) <= now_ns;
	pmtcp_tick(w->ctx, now_ns);
	stamp(w, &s, PMTCP_PHASE_TICK);
	if (fn != NULL)
		fn(w->ctx, arg);
	stamp(w, &s, PMTCP_PHASE_APP);
	is_busy |= send_output(w, now_ns, &s) > 0;

	if (is_unlikely((++w->stats.turns & (WORKER_LOOK_TURNS - 1)) == 0))
		look_around(w, now_ns);
	if (is_busy)
		account_busy(w, &s);
	return is_busy;
}

/* ---- life ------------------------------------------------------------------ */

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
