/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The plan of a run, made before it starts: which addresses and ports the client
 * walks through, how many TIME-WAIT entries will be alive, and which rate that
 * sustains. A closed tuple stays taken for 2MSL, so opens/s <= tuples / 2MSL
 * (TW-13), and each entry costs memory. Pure arithmetic; main.c asks the system
 * and prints. */

#ifndef PMTCP_APPS_LOAD_PLAN_H
#define PMTCP_APPS_LOAD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What an unpaced run is sized for, in opens a second: above what one core does. */
#define PLAN_CEILING_MEMORY 3000000u
#define PLAN_CEILING_DEVICE 1000000u

/* Of the memory that is free at the start; the rest is for the page cache, the packet
 * buffers and everybody else. */
#define PLAN_MEMORY_PERCENT 60u

#define PLAN_SOURCES_MAX      256u
#define PLAN_TARGET_PORTS_MAX 64u
#define PLAN_LISTEN_MAX       1024u

/* Whom the closing mode leaves in TIME-WAIT. */
enum plan_holder {
	PLAN_TW_NOBODY = 0,
	PLAN_TW_CLIENT = 1,
	PLAN_TW_SERVER = 2,
	PLAN_TW_BOTH = 3,
};

/* Inclusive ranges, host byte order. */
struct plan_range {
	uint32_t first;
	uint32_t last;
};

struct plan_in {
	uint64_t rate;    /* opens/s asked for; 0: as fast as it goes */
	uint64_t ceiling; /* opens/s an unpaced run is sized for */
	uint64_t run_ns;  /* warmup and duration; 0: until stopped */
	uint64_t count;   /* connections in all; 0: no limit */
	uint32_t concurrency;
	uint64_t hold;        /* connections that stay */
	uint32_t hold_octets; /* memory of each, of all ends that are here */
	uint16_t workers;     /* of each end: tuples fall to them by chance */
	uint32_t tw_ms;
	enum plan_holder holder;
	bool has_client;           /* the client is here: nobody else's tuples can come */
	uint8_t sides_here;        /* contexts in this process that hold TIME-WAIT: 0..2 */
	struct plan_range sources; /* last 0: choose from first on */
	const uint8_t *high6;      /* IPv6: the 12 octets in front of them; NULL: IPv4 */
	struct plan_range ports;
	struct plan_range target_ports; /* last 0: choose from first on */
	uint64_t memory_free;           /* octets */
	uint32_t tw_octets;             /* per entry, its share of the table included */
};

enum plan_bound {
	PLAN_BOUND_NONE,
	PLAN_BOUND_TUPLES, /* addresses and ports */
	PLAN_BOUND_MEMORY,
};

struct plan {
	struct plan_range sources;
	struct plan_range ports;
	struct plan_range target_ports;
	uint64_t pairs;          /* of source and target port: each has the whole port range */
	uint64_t hold_pairs;     /* the first so many are those of the held; 0: all are shared */
	uint64_t tuples;         /* pairs times ports */
	uint64_t alive;          /* connections and TIME-WAIT entries the run wants alive */
	uint64_t tw_octets;      /* memory of max_time_wait on all sides here */
	uint64_t sustained;      /* opens/s over this run with these tuples and this memory */
	uint64_t sustained_2msl; /* the same for ever: tuples / 2MSL */
	uint64_t pace;           /* opens/s to keep to; 0: none */
	uint32_t max_time_wait;  /* of each side that holds them */
	enum plan_bound bound;   /* what holds `sustained` below the rate or ceiling */
};

/* Makes the plan. Always succeeds: what does not fit is told by `bound`. */
void plan_make(const struct plan_in *in, struct plan *out);

/* What is to be said about a 2MSL as short as this, before a run and in its report; NULL:
 * nothing (DEC-8). */
const char *plan_tw_warning(uint32_t tw_ms);

/* The plan in words, several lines ending in a newline; returns as snprintf(). */
int plan_print(const struct plan_in *in, const struct plan *plan, char *buf, size_t len);

#endif /* PMTCP_APPS_LOAD_PLAN_H */
