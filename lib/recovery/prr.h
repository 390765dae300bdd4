/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Proportional rate reduction (RFC 6937, DATA-42): during fast recovery the window goes
 * from what it was to ssthresh in step with what is delivered, without a pause or a
 * burst. */

#ifndef PMTCP_RECOVERY_PRR_H
#define PMTCP_RECOVERY_PRR_H

#include <stdbool.h>
#include <stdint.h>

struct prr {
	uint32_t delivered; /* octets delivered since recovery began */
	uint32_t out;       /* octets sent since, whether anew or again */
	uint32_t flight;    /* RecoverFS: octets in flight when it began */
};

struct prr_ack {
	uint32_t delivered; /* octets that this ACK says were delivered, SACK included */
	uint32_t pipe;      /* octets still in flight after it */
	uint32_t ssthresh;
	uint32_t mss;
	bool is_safe; /* una advanced and nothing more was found lost */
};

void prr_begin(struct prr *p, uint32_t flight);

/* One ACK during recovery; @return octets that may be sent now, beyond pipe. */
uint32_t prr_ack(struct prr *p, const struct prr_ack *ack);

#endif /* PMTCP_RECOVERY_PRR_H */
