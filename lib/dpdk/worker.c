/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The turn of a worker: the whole path of a frame through the shell. It allocates nothing,
 * waits for nothing and makes no system call of its own. How turns follow each other is
 * run.c's concern, what is before and after them worker_life.c's. */

#include "dpdk/worker.h"

#include <string.h>

/* Bounds what one turn sends, so that receiving is never starved. */
#define OUTPUT_BURSTS_MAX 64

/* Frames whose lines are fetched at a time. */
#define FETCH_STEP 8

/* What piled up in a stall of the loop is received before its timers run. */
#define STALL_BURSTS_MAX 64

#define CAPTURE_FLUSH_NS 100000000u

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

/* The sender's core wrote these lines: fetch them side by side. Where a frame lies can be told
 * without waiting for its mbuf if it lies where the last one did; headers end in their second
 * line. */
static inline void
fetch_frames(const struct pmtcp_worker *w, struct rte_mbuf *const *pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *p = (const uint8_t *)pkts[i];

		__builtin_prefetch(p, 1);
		__builtin_prefetch(p + w->frame_at, 1);
		__builtin_prefetch(p + w->frame_at + PMTCP_CACHE_LINE - 1, 1);
	}
}

/* The next few frames of those taken ahead: a core has some twenty lines under way at a time,
 * and forgets prefetches beyond. */
static inline void
fetch_some(struct pmtcp_worker *w)
{
	uint16_t n = (uint16_t)min_u32(w->n_ahead - w->n_fetched, FETCH_STEP);

	fetch_frames(w, w->ahead + w->n_fetched, n);
	w->n_fetched += n;
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
		fetch_some(w);
		send_frames(w, now_ns, pkts, n);
		fetch_some(w);
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
	return faults_pop(w->faults, now_ns, pkts, w->rx_burst);
}

/* Takes the next turn's burst off the device, so that its lines come while this turn works. */
static inline void
receive_ahead(struct pmtcp_worker *w)
{
	if (is_unlikely(!w->has_rx || w->n_ahead > 0))
		return;
	w->n_ahead = rte_eth_rx_burst(w->port_id, w->queue, w->ahead, w->rx_burst);
	w->n_fetched = 0;
	fetch_some(w);
}

/* What was taken ahead is older than what the device has. */
static inline uint16_t
receive(struct pmtcp_worker *w, struct rte_mbuf **pkts)
{
	uint16_t n = w->n_ahead;

	if (n == 0) {
		n = rte_eth_rx_burst(w->port_id, w->queue, pkts, w->rx_burst);
		fetch_frames(w, pkts, n);
		return n;
	}
	fetch_frames(w, w->ahead + w->n_fetched, (uint16_t)(n - w->n_fetched));
	for (uint16_t i = 0; i < n; i++)
		pkts[i] = w->ahead[i];
	w->n_ahead = w->n_fetched = 0;
	return n;
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
		n = receive(w, pkts);
	if (is_unlikely(w->faults != NULL))
		n = receive_faulty(w, now_ns, pkts, n);
	if (n > 0) {
		w->frame_at = (uint32_t)(rte_pktmbuf_mtod(pkts[0], uint8_t *) - (uint8_t *)pkts[0]);
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
		if (receive_input(w, now_ns, s) < w->rx_burst)
			break;
}

PMTCP_HOT bool
pmtcp_worker_turn(struct pmtcp_worker *w, void (*fn)(struct pmtcp_ctx *ctx, void *arg), void *arg)
{
	struct stamps s = {.start = rte_rdtsc()};
	uint64_t now_ns = worker_clock_now(w, s.start);
	bool has_stalled = now_ns - w->last_ns > WORKER_STALL_NS && !w->was_away;
	uint16_t n_received;
	bool is_busy;

	w->was_away = false;
	w->last_ns = now_ns;
	s.last = s.start;

	is_busy = is_unlikely(w->steer != NULL) && exchange(w, now_ns);
	n_received = receive_input(w, now_ns, &s);
	is_busy |= n_received > 0;
	if (is_unlikely(has_stalled))
		catch_up(w, now_ns, &s);
	/* Behind a full device a deadline is no work: nothing could leave. */
	if (!is_busy && is_likely(!worker_has_backlog(w)))
		is_busy = worker_deadline(w) <= now_ns;
	pmtcp_tick(w->ctx, now_ns);
	stamp(w, &s, PMTCP_PHASE_TICK);
	/* Where little comes it is not worth a second look. */
	if (n_received > 0) {
		receive_ahead(w);
		stamp(w, &s, PMTCP_PHASE_RX);
	}
	if (fn != NULL)
		fn(w->ctx, arg);
	fetch_some(w);
	stamp(w, &s, PMTCP_PHASE_APP);
	is_busy |= send_output(w, now_ns, &s) > 0;

	if (is_unlikely((++w->stats.turns & (WORKER_LOOK_TURNS - 1)) == 0))
		look_around(w, now_ns);
	if (is_busy)
		account_busy(w, &s);
	return is_busy;
}
