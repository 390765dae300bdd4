/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/**
 * @file
 * pmtcp on DPDK: ports and workers.
 *
 * A port (struct pmtcp_port) is a started ethdev with its packet buffers. A
 * worker (struct pmtcp_worker) drives one context (pmtcp.h) on one queue of a
 * port: it reads the clock, moves bursts between the queue and the context,
 * and calls the application in between.
 *
 * @code
 *	struct pmtcp_port_conf pc = {.port_id = 0};
 *	struct pmtcp_conf conf;
 *
 *	pmtcp_port_open(&pc, &port);
 *	pmtcp_conf_init(&conf);
 *	conf.ranges[0] = (struct pmtcp_range){ip, ip}, conf.n_ranges = 1;
 *	pmtcp_worker_create(port, 0, &conf, NULL, &worker);
 *	pmtcp_listen(pmtcp_worker_ctx(worker), &local, NULL, &listener);
 *	pmtcp_worker_run(worker, serve, app);	... until pmtcp_worker_stop(worker)
 *	pmtcp_worker_destroy(worker);
 *	pmtcp_port_close(port);
 * @endcode
 *
 * rte_eal_init() is the caller's. Errors are negative errno values. Ports and
 * workers are made and destroyed by one thread; a worker is then driven by one
 * thread at a time, which is an EAL thread or was given to rte_thread_register()
 * (pmtcp_worker_run() and pmtcp_worker_start() see to that themselves), since
 * packet buffer caches belong to such threads only.
 */

#ifndef PMTCP_DPDK_H
#define PMTCP_DPDK_H

#include "pmtcp.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pmtcp_port;   /**< a started ethdev and its packet buffers */
struct pmtcp_worker; /**< one context on one queue */

/* ---- ports ---------------------------------------------------------------- */

/** What to open. Zero means the default everywhere but in port_id. */
struct pmtcp_port_conf {
	uint16_t port_id; /**< of the ethdev */
	uint16_t workers; /**< that share the port: as many as queues, at most 16 */
	/** Receive queues, at most one per worker, and transmit queues as far as the device has
	 * so many: with workers as many as both kinds go, else 1. Workers beyond them get their
	 * frames from the others, and send through them. */
	uint16_t queues;
	uint16_t rx_desc;          /**< per queue: 1024, fitted to what the device allows */
	uint16_t tx_desc;          /**< per queue: 1024, fitted likewise */
	uint16_t mtu;              /**< IP packet octets, 576..9000: the device's, at most 9000 */
	uint32_t bufs;             /**< packet buffers per queue: 16384; raised to fill the rings */
	struct rte_ether_addr mac; /**< the device's; made up if that is zero too (net_ring) */
	bool no_offloads;          /**< use no checksum offload even if the device has it */
	uint16_t steer_ring;       /**< frames that may wait from one worker to another: 1024 */
	/** For tests and benchmarks: so many per mille of the tuples belong to another worker than
	 * the one whose queue they come to; with one queue what is not moved is the first
	 * worker's, so that 1000 leaves it nothing of its own. */
	uint16_t wrong_permille;
};

/**
 * Configures and starts a port: promiscuous, no offload that frees buffers behind the
 * context's back (MBUF_FAST_FREE). With several queues the device is asked to spread TCP by
 * its RSS hash; what key and table it then has say which worker owns a tuple. Where it has
 * no such hash, or does not tell, frames come to any worker and are handed to their owner.
 *
 * @param conf copied
 * @param port the port; close it with pmtcp_port_close()
 * @return 0, -ENODEV no such port, -EINVAL more queues than the device or the port's workers
 *         have, or a value out of range, -ENOMEM no memory for packet buffers, else what the driver said
 */
int pmtcp_port_open(const struct pmtcp_port_conf *conf, struct pmtcp_port **port);

/** Stops and closes the ethdev and frees its packet buffers. All workers of the
 * port, and those of a port wired to it by net_ring, must be gone. NULL is allowed. */
void pmtcp_port_close(struct pmtcp_port *port);

/** What the device can do, by its word and, where drivers are known to promise too
 * much, by ours. Valid as long as the port. */
const struct pmtcp_caps *pmtcp_port_caps(const struct pmtcp_port *port);

uint16_t pmtcp_port_id(const struct pmtcp_port *port);
const char *pmtcp_port_driver(const struct pmtcp_port *port);
uint16_t pmtcp_port_queues(const struct pmtcp_port *port); /**< receive queues */
uint16_t pmtcp_port_workers(const struct pmtcp_port *port);

/** Which worker owns a tuple, for conf.rss of its contexts, which get it anyway; as long as the
 * port lives. NULL: there is one worker. */
const struct pmtcp_rss *pmtcp_port_rss(const struct pmtcp_port *port);
uint16_t pmtcp_port_mtu(const struct pmtcp_port *port);
const struct rte_ether_addr *pmtcp_port_mac(const struct pmtcp_port *port);

/** NUMA node of the device; -1: it has none (virtual devices). */
int pmtcp_port_node(const struct pmtcp_port *port);

/** Packet buffers of a worker: the frames its queue receives come from here, its context's own
 * too. Any thread may free them: the caches of EAL and registered threads take them back.
 * @param ctl the small reserve for control segments instead */
struct rte_mempool *pmtcp_port_pool(const struct pmtcp_port *port, uint16_t worker, bool ctl);

/* ---- workers -------------------------------------------------------------- */

/** What to do when a turn found nothing. */
enum pmtcp_idle {
	PMTCP_IDLE_AUTO,  /**< spin if there is a CPU for every running worker, else yield */
	PMTCP_IDLE_SPIN,  /**< poll again at once */
	PMTCP_IDLE_YIELD, /**< give the CPU to whoever else wants it, then poll */
	/** wait for the device (tap, af_packet), a deadline or a call, at most 1 ms; devices that
	 * cannot be waited for are polled every 100 us */
	PMTCP_IDLE_SLEEP,
};

/** A software wire with faults in front of the receive queue; all zero: none. The
 * decisions depend on the seed and on the frames' order only. */
struct pmtcp_faults {
	uint32_t loss_ppm;    /**< frames lost, per million */
	uint32_t dup_ppm;     /**< frames doubled */
	uint32_t reorder_ppm; /**< frames held back by reorder_us, so that later ones overtake */
	uint32_t corrupt_ppm; /**< IPv4 frames with one bit changed behind the Ethernet header */
	uint32_t delay_us;    /**< of every frame */
	uint32_t reorder_us;  /**< 0: 1000 */
	uint64_t seed;
};

/** Phases of a turn, for pmtcp_worker_stats. */
enum pmtcp_phase {
	PMTCP_PHASE_RX,
	PMTCP_PHASE_INPUT,
	PMTCP_PHASE_TICK,
	PMTCP_PHASE_APP,
	PMTCP_PHASE_OUTPUT,
	PMTCP_PHASE_TX,
	PMTCP_PHASE_MAX,
};

/** Options of a worker; NULL or all zero: the defaults. Copied. */
struct pmtcp_worker_opts {
	enum pmtcp_idle idle;
	const char *pcap;           /**< capture both directions into this file; NULL: no */
	uint64_t pcap_packets;      /**< only the first so many; 0: all */
	uint32_t pcap_snap;         /**< octets kept of each frame; 0: all */
	struct pmtcp_faults faults; /**< of the receive side */
	/** IP datagrams put together from TCP fragments at one time, up to 16 fragments and 30 s
	 * each; 0: fragments are dropped. Overlapping ones, and those without the whole TCP
	 * header in the first, are dropped in any case. */
	uint32_t reassemble;
	/** Frames given to the device at a time, 1 to 64, and taken from it, there rounded up to a
	 * multiple of 8, since some drivers know no other numbers; 0: 32. Fewer answer sooner where
	 * every frame waits for its burst, more share what each call costs. */
	uint16_t burst;
	bool profile; /**< fill pmtcp_worker_stats.phase_cycles; costs 6 TSC reads a turn */
};

/**
 * Makes a worker and its context. Workers of one port share its addresses: each owns a part of
 * the tuples, listens for itself, and hands frames of others to them.
 *
 * The context's memory is placed on the port's NUMA node and touched on first use
 * only. What the caller left zero in the configuration is filled in: pool and
 * ctl_pool, mac, mtu, caps (all false counts as unset), secrets and seed (from
 * getrandom(2)), owner and owners (this worker of the port's) and rss (the port's).
 *
 * @param port  outlives the worker
 * @param number below pmtcp_port_workers(), each once; all must be made before one runs
 * @param conf  as made by pmtcp_conf_init() plus at least one range; copied
 * @param opts  NULL: defaults
 * @param out   the worker; pmtcp_worker_destroy() ends it
 * @return 0, -EINVAL a value out of range (see pmtcp_ctx_init()), -EBUSY there is such a
 *         worker, -ENOMEM, or the errno of opening the capture file
 */
int pmtcp_worker_create(struct pmtcp_port *port, uint16_t number, const struct pmtcp_conf *conf,
		const struct pmtcp_worker_opts *opts, struct pmtcp_worker **out);

/** Frees the context and everything queued; sends nothing more. Not while it, or another worker
 * of its port, runs. NULL is allowed. */
void pmtcp_worker_destroy(struct pmtcp_worker *worker);

struct pmtcp_ctx *pmtcp_worker_ctx(const struct pmtcp_worker *worker);
struct pmtcp_port *pmtcp_worker_port(const struct pmtcp_worker *worker);

/** The configuration the context got, with everything filled in. */
const struct pmtcp_conf *pmtcp_worker_conf(const struct pmtcp_worker *worker);

/**
 * One turn: receive a burst, pmtcp_input(), pmtcp_tick(), fn(ctx, arg),
 * pmtcp_output() until it is empty, transmit. Frames the device does not take wait
 * in a backlog of 256, in order. Meanwhile the context is left to keep what it has;
 * only after 10 ms without movement more is sent into the backlog, and what it
 * cannot hold is dropped and counted (RES-7). A turn that received something takes
 * the next turn's burst off the device before it calls fn.
 * Never waits.
 *
 * @param fn  the application; NULL: none
 * @return true if a frame moved or a deadline was due
 */
bool pmtcp_worker_turn(struct pmtcp_worker *worker, void (*fn)(struct pmtcp_ctx *ctx, void *arg),
		void *arg);

/** Turns until pmtcp_worker_stop(); between idle turns what opts.idle says. */
void pmtcp_worker_run(struct pmtcp_worker *worker, void (*fn)(struct pmtcp_ctx *ctx, void *arg),
		void *arg);

/** A worker and the application on it. */
struct pmtcp_job {
	struct pmtcp_worker *worker;
	void (*fn)(struct pmtcp_ctx *ctx, void *arg); /**< NULL: none */
	void *arg;
};

/** Runs up to 16 workers by turns on this thread until pmtcp_worker_stop() of any of
 * them. The first one's idle policy counts. */
void pmtcp_worker_run_all(const struct pmtcp_job *jobs, uint16_t n);

/**
 * The same on a new thread.
 *
 * @param jobs copied
 * @param cpu  to run on; -1: wherever the system likes
 * @return 0, -EINVAL n of 0 or above 16 or no such CPU, -EBUSY one of them runs already,
 *         else the errno of creating the thread
 */
int pmtcp_worker_start(const struct pmtcp_job *jobs, uint16_t n, int cpu);

/** Stops the thread that runs this worker and waits for its end. Not from that thread.
 * Nothing if the worker was not started by pmtcp_worker_start(). */
void pmtcp_worker_join(struct pmtcp_worker *worker);

/**
 * The end of the process (RES-15): runs workers by turns on this thread until
 * pmtcp_ctx_shutdown() of each has nothing left. What lives after ns is aborted, and 500 ms
 * later the turns end in any case. Not while one of them runs. The applications pop their
 * events as ever, and open nothing more.
 *
 * @param jobs n up to 16, those that talk to each other together
 * @param ns   from now; 0: aborts at once
 * @return blocks still in use; 0 unless an application did not pop its events, or RSTs
 *         could not leave: no buffers, or a next hop that does not answer
 */
uint32_t pmtcp_worker_shutdown(const struct pmtcp_job *jobs, uint16_t n, uint64_t ns);

/** Ends the run after the turn in progress. Any thread, and signal handlers. A stop
 * before the run ends it before its first turn; the run takes the mark away. */
void pmtcp_worker_stop(struct pmtcp_worker *worker);

/**
 * Runs fn(ctx, arg) on the worker's thread between two turns and waits for it: the
 * only way into a running context from another thread. On the worker's own thread,
 * or while the worker does not run, fn is called at once; callers see to it that
 * the run does not begin or end meanwhile.
 */
void pmtcp_worker_call(struct pmtcp_worker *worker, void (*fn)(struct pmtcp_ctx *ctx, void *arg),
		void *arg);

/** NUMA node the context's memory lies on, as the kernel says; -1: the kernel does not. */
int pmtcp_worker_mem_node(const struct pmtcp_worker *worker);

/** What a worker did. Cycles are TSC cycles (pmtcp_clock_hz() of them a second). */
struct pmtcp_worker_stats {
	uint64_t turns;       /**< the first of the counters that add up, to pcap_lost */
	uint64_t busy_turns;  /**< turns that returned true */
	uint64_t busy_cycles; /**< of those; busy_cycles per cycle of wall time is the CPU share */
	uint64_t phase_cycles[PMTCP_PHASE_MAX]; /**< of busy turns; only with opts.profile */
	uint64_t rx_packets;
	uint64_t rx_octets;
	uint64_t tx_packets; /**< taken by the device, or by the worker that sends for this one */
	uint64_t tx_octets;
	uint64_t tx_dropped;    /**< backlog full: lost as the network loses (RES-7) */
	uint64_t misdirected;   /**< frames of other workers that came to this one's queue */
	uint64_t steer_dropped; /**< of them, lost: the ring to the owner was full (RES-14) */
	uint64_t steer_taken;   /**< frames that other workers handed over to this one */
	uint64_t notices_lost;  /**< neighbours others were not told of: ring or buffers short */
	uint64_t tx_relayed;    /**< frames of other workers that the device took */
	uint64_t loop_stalls;   /**< more than 1 ms between two turns (RES-17) */
	uint64_t sleeps;        /**< waits of PMTCP_IDLE_SLEEP */
	uint64_t calls;         /**< pmtcp_worker_call() served */
	uint64_t fault_lost;    /**< by opts.faults ... */
	uint64_t fault_doubled;
	uint64_t fault_reordered;
	uint64_t fault_corrupted;
	uint64_t fault_overflow; /**< too many frames delayed at once, or no buffer for a copy */
	uint64_t frag_taken;     /**< fragments looked at with opts.reassemble ... */
	uint64_t frag_whole;     /**< packets put together and given to the context */
	uint64_t frag_dropped;   /**< fragments malformed, doubled, or of datagrams given up */
	uint64_t frag_overlaps;  /**< fragments that overlapped others: their datagram is dead */
	uint64_t frag_expired;   /**< datagrams given up after 30 s */
	uint64_t pcap_lost;      /**< frames the capture file had no room for */
	uint64_t rx_missed;      /**< the device's count of frames it had no room for */
	uint32_t backlog;        /**< frames waiting for the device now */
	uint16_t free_permille;  /**< packet buffers free, at the last look */
};

/** A copy; any thread may call it, values are then a moment old. */
void pmtcp_worker_stats(const struct pmtcp_worker *worker, struct pmtcp_worker_stats *stats);

/** Adds what another worker did to a sum; of rx_missed, which is the device's, and of
 * free_permille the worse one. */
void pmtcp_worker_stats_add(struct pmtcp_worker_stats *sum, const struct pmtcp_worker_stats *stats);

/* ---- clock ------------------------------------------------------------------ */

/** Nanoseconds of the clock all workers use: the TSC, from the first call on; monotonic
 * where the TSC is invariant. Any thread. */
uint64_t pmtcp_clock_now(void);

/** TSC cycles per second, for cycle counts above. */
uint64_t pmtcp_clock_hz(void);

#ifdef __cplusplus
}
#endif

#endif /* PMTCP_DPDK_H */
