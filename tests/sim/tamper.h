/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Rules that single frames out: "drop the first FIN", "send the SYN-ACK twice",
 * "acknowledge one too many". They act before the wire's random faults and look at TCP frames only. */

#ifndef PMTCP_TESTS_SIM_TAMPER_H
#define PMTCP_TESTS_SIM_TAMPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/pkt.h"

enum tamper_action {
	TAMPER_PASS,
	TAMPER_DROP,
	TAMPER_DUP,   /* a second copy delay_ns later */
	TAMPER_DELAY, /* the frame itself delay_ns later */
	TAMPER_FLIP,  /* one bit of the TCP segment */
	TAMPER_MARK,  /* congestion experienced, if the frame may be marked; else dropped */
	TAMPER_ACK,   /* the ACK number is `delta` higher, and the checksum fits */
	TAMPER_FIN,   /* a FIN more, delay_ns later, `delta` behind the end of the frame */
};

enum tamper_text {
	TAMPER_ANY,
	TAMPER_WITH_TEXT,
	TAMPER_WITHOUT_TEXT,
};

#define TAMPER_RULES_MAX 8

struct tamper_rule {
	int from;      /* the side that sent the frame */
	uint8_t mask;  /* of the flags looked at */
	uint8_t flags; /* what they must be */
	enum tamper_text text;
	uint32_t skip;  /* matches let through first */
	uint32_t count; /* matches acted on; 0: one */
	enum tamper_action action;
	uint64_t delay_ns;
	uint32_t delta;
	uint32_t seen; /* state */
};

/* What to do with this frame; the first rule that matches and is not used up. */
const struct tamper_rule *tamper_judge(
		struct tamper_rule *rules, size_t n, int from, const struct pkt *p);

/* Adds to the ACK number of a TCP frame and puts the checksum right. */
void tamper_ack(uint8_t *frame, uint32_t delta);

/* A FIN that this frame's sender might send, `delta` behind the frame's last number; its
 * length. */
size_t tamper_fin(const struct pkt *p, uint32_t delta, uint8_t *out, size_t cap);

#endif /* PMTCP_TESTS_SIM_TAMPER_H */
