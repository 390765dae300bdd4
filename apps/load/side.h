/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the client's and the server's end have in common: the clock of the run, the
 * accounts of connections, the latencies and the measured window. Each end belongs
 * to its worker's thread; the control thread reads counters while they change and
 * everything else only after the end has stopped. */

#ifndef PMTCP_APPS_LOAD_SIDE_H
#define PMTCP_APPS_LOAD_SIDE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pmtcp_dpdk.h"

#include "common/hist.h"
#include "load/conf.h"

/* The clock of a run, set by the client's workers (by the server's if they are alone). */
enum run_phase {
	RUN_PREPARE, /* next hops are being resolved */
	RUN_HOLD,    /* what is to stay idle is being opened */
	RUN_OPEN,
	RUN_DRAIN, /* no more opens; what is open comes to its end */
	RUN_DRAINED,
};

/* Time for what is open at the end of a run. */
#define RUN_DRAIN_NS 5000000000ull

struct run_clock {
	_Atomic enum run_phase phase;
	_Atomic uint64_t start_ns;   /* UINT64_MAX until known, as the next two */
	_Atomic uint64_t measure_ns; /* the measured window begins ... */
	_Atomic uint64_t stop_ns;    /* ... and ends */
	_Atomic bool is_stop_asked;
	/* Workers of the end that keeps the clock: the run goes on when all are through. */
	_Atomic uint32_t n_unready;  /* next hops are not resolved */
	_Atomic uint32_t n_unheld;   /* what is to stay is not open */
	_Atomic uint32_t n_unopened; /* the count is not reached, or something is open */
	_Atomic uint32_t n_undrained;
	_Atomic uint32_t n_busy_servers; /* have something open */
	_Atomic uint64_t n_held;         /* connections the server's workers took for held ones */
};

/* Which of an end's workers this is; rate, count, concurrency and hold are shared out. Of 0: a
 * worker that owns no tuples opens nothing. */
struct side_share {
	uint16_t index;
	uint16_t of;
};

static inline uint64_t
side_share_of(uint64_t all, struct side_share share)
{
	return share.of == 0 ? 0 : all / share.of + (share.index < all % share.of);
}

/* How a connection can end beside the core's reasons. */
enum {
	SIDE_BAD_PAYLOAD = PMTCP_REASON_MAX, /* octets wrong, too many or too few */
	SIDE_FAIL_MAX,
};

/* Opens that pmtcp_connect() refused: no connection came of them. */
enum side_open_error {
	SIDE_OPEN_PORTS, /* ephemeral ports exhausted */
	SIDE_OPEN_BLOCKS,
	SIDE_OPEN_TABLE,
	SIDE_OPEN_ROUTE,
	SIDE_OPEN_OTHER,
	SIDE_OPEN_MAX,
};

/* Each connection is in exactly one class (CLOSE-45):
 * opened = closed + sum of failed + live, and apart from these
 * held = held_lost + held_released + those that are still there. */
struct side_counts {
	uint64_t opened;    /* successful opens; of a server, accepted ones */
	uint64_t connected; /* reached ESTABLISHED */
	uint64_t closed;    /* ended as the closing mode has it, payload complete */
	uint64_t failed[SIDE_FAIL_MAX];
	uint64_t open_errors[SIDE_OPEN_MAX];
	uint64_t rx_octets;
	uint64_t tx_octets;
	uint64_t held;          /* opened to stay idle; of a server, accepted as such */
	uint64_t held_ready;    /* reached ESTABLISHED */
	uint64_t held_lost;     /* ended though nobody wanted them to */
	uint64_t held_released; /* ended by the client at the end of the run */
};

struct side_snap {
	uint64_t at_ns;
	struct side_counts n;
	struct pmtcp_stats stats;
	struct pmtcp_worker_stats worker;
};

struct side {
	const struct load_conf *conf;
	struct run_clock *clock;
	struct pmtcp_worker *worker;
	enum pmtcp_reason expected; /* end of a connection that went as intended */
	bool is_measuring;
	bool has_window;
	bool has_sample;
	uint64_t live;
	uint64_t held_opening; /* of the held: neither established nor ended */
	uint64_t last_ns;      /* of the last connection event */
	bool is_ready;         /* each of these was told to the run's clock */
	bool is_holding;
	bool is_unopened_told;
	bool is_drained;
	struct side_counts n;
	struct hist connect; /* intended launch to ESTABLISHED; empty on a server */
	struct hist close;   /* CLOSE or ABORT to the end, which may be TIME-WAIT (CLOSE-45) */
	struct hist life;    /* intended launch to the end; empty on a server */
	struct side_snap begin;
	struct side_snap end;
	struct side_snap final;        /* after the worker has stopped */
	struct pmtcp_conn_info sample; /* of the first connection: options, MSS */
	/* Connections whose close waits a turn, so that their ACK leaves on its own. */
	uint32_t n_deferred;
	uint32_t deferred_max;
	struct pmtcp_conn **deferred;
};

#define SIDE_EVENTS     64u
#define SIDE_ROUNDS_MAX 16u

void run_clock_init(struct run_clock *clock, uint16_t workers);

/* Crosses a worker off one of the clock's numbers, once; true if it was the last one. */
bool run_clock_tick_off(_Atomic uint32_t *left, bool *is_told);

/* 0 or -ENOMEM. */
int side_init(struct side *s, const struct load_conf *conf, struct run_clock *clock,
		uint32_t deferred_max);
void side_fini(struct side *s);

void side_snap_take(const struct side *s, uint64_t now_ns, struct side_snap *snap);

/* Adds the accounts of another worker of this end. Both have stopped. */
void side_merge(struct side *s, const struct side *from);

/* Once a turn: opens and closes the measured window. */
void side_window(struct side *s, uint64_t now_ns);

/* Classifies an end. */
void side_ended(struct side *s, int32_t reason, bool is_bad);

static inline void
side_defer(struct side *s, struct pmtcp_conn *conn)
{
	s->deferred[s->n_deferred++] = conn;
}

/* Held connections that have not ended. */
static inline uint64_t
side_held_now(const struct side_counts *n)
{
	return n->held - n->held_lost - n->held_released;
}

/* Sum of failed. */
uint64_t side_failed(const struct side_counts *n);
uint64_t side_open_errors(const struct side_counts *n);

const char *side_fail_name(uint32_t cause);
const char *side_open_error_name(enum side_open_error e);

/* Reads what has arrived and compares it with the pattern of this direction.
 * Returns the octets read, or -EBADMSG if they are wrong or more than `want`. */
int64_t side_read(struct side *s, struct pmtcp_conn *conn, uint64_t at, uint64_t want);

/* Writes what fits of the octets at..want-1. Returns how many. */
uint64_t side_write(struct side *s, struct pmtcp_conn *conn, uint64_t at, uint64_t want);

/* Octet values depend on their position, with a period of 65521: misplaced, repeated
 * and missing segments show. Returns PATTERN_RUN octets as they stand at `at`. */
#define PATTERN_PERIOD 65521u
#define PATTERN_RUN    65536u
void pattern_init(void);
const uint8_t *pattern_at(uint64_t at);

#endif /* PMTCP_APPS_LOAD_SIDE_H */
