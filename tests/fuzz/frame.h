/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Octets put right by a reader of its own, as little as can be, so that what lies behind
 * the doorkeepers is reached: what is well formed already stays as it is. */

#ifndef PMTCP_TESTS_FUZZ_FRAME_H
#define PMTCP_TESTS_FUZZ_FRAME_H

#include "segment.h"

enum { FRAME_MAX = 1518 };

struct frame {
	uint32_t len;
	uint8_t bytes[FRAME_MAX];
};

enum frame_kind {
	FRAME_SEGMENT,
	FRAME_OTHER, /* ARP, ICMP, Neighbour Discovery, what nobody knows */
};

/* As what it is: what a segment would be is left to the next. */
enum frame_kind frame_mend(struct frame *frame, const struct fuzz_peer *f);

/* As a segment that the peer sends to the context in its state. */
void frame_mend_segment(struct frame *frame, const struct fuzz_peer *f);

#endif /* PMTCP_TESTS_FUZZ_FRAME_H */
