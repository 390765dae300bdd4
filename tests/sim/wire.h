/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* One direction of a faulty wire on a virtual clock. Frames travel as bytes: the
 * sender's packet buffer goes back at once, the receiver's is made on arrival.
 * All faults come from one seed. */

#ifndef PMTCP_TESTS_SIM_WIRE_H
#define PMTCP_TESTS_SIM_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "sim/tamper.h"

/* Probabilities in 1/10000 of the frames. */
struct wire_faults {
	uint16_t loss;
	uint16_t dup;
	uint16_t reorder;
	uint16_t corrupt;   /* one bit anywhere */
	uint16_t truncate;  /* cut short */
	uint16_t mark;      /* congestion experienced (RFC 3168), of those that may be marked */
	uint64_t loss_mask; /* bit i: TCP frame number i is lost */
	uint16_t mtu;       /* of a link on the way: larger packets are lost; 0: none */
	bool is_mtu_silent; /* and no ICMP error tells of it */
	bool is_down;       /* there is no way on; routers tell so of each TCP segment */
	uint64_t delay_ns;
	uint64_t jitter_ns;  /* added evenly; does not reorder */
	uint64_t reorder_ns; /* at most so much later than its successors */
	uint64_t octet_ns;   /* time to put one octet on the wire */
};

struct wire_frame {
	uint64_t at_ns;
	uint64_t serial;
	uint32_t len;
	uint8_t bytes[];
};

#define WIRE_FRAMES_MAX 65536

struct wire {
	int from; /* the sending side */
	struct wire_faults faults;
	struct wire *back; /* where routers answer; NULL: they do not */
	struct tamper_rule *rules;
	uint32_t n_rules;
	struct rng rng;
	uint64_t last_ns; /* arrival of the last frame in order */
	uint64_t free_ns; /* the sender's end is busy until then */
	uint64_t n_tcp;
	uint64_t *n_both;   /* TCP frames of both directions so far; NULL: not counted */
	uint64_t both_mask; /* bit i: frame i of both directions together is lost */
	uint64_t serial;
	uint64_t n_lost;
	uint64_t n_marked;
	uint64_t n_told; /* ICMP errors */
	uint32_t n;
	uint32_t room;
	struct wire_frame **heap; /* earliest first */
};

void wire_init(struct wire *w, int from, const struct wire_faults *faults, uint64_t seed);
void wire_fini(struct wire *w);

void wire_put(struct wire *w, uint64_t now_ns, const void *bytes, uint32_t len);

/* When the next frame arrives; UINT64_MAX: none is under way. */
uint64_t wire_next(const struct wire *w);

/* The next frame that has arrived by now, or NULL; free() it. */
struct wire_frame *wire_take(struct wire *w, uint64_t now_ns);

#endif /* PMTCP_TESTS_SIM_WIRE_H */
