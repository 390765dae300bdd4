/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The byte-stream oracle: which octet stands at which place of a stream. A
 * receiver that gets octets twice, not at all, in another order or from another
 * connection's stream notices at the first wrong one. Holds no data. */

#ifndef PMTCP_TESTS_SIM_STREAM_H
#define PMTCP_TESTS_SIM_STREAM_H

#include <stdbool.h>
#include <stdint.h>

struct stream {
	uint64_t key; /* one per connection and direction */
	uint64_t at;  /* octets so far */
};

/* The next len octets; the place stays, since a send may take only some of them. */
void stream_peek(const struct stream *s, void *buf, uint32_t len);

/* True if these are the next len octets; then the place moves behind them. */
bool stream_take(struct stream *s, const void *buf, uint32_t len);

#endif /* PMTCP_TESTS_SIM_STREAM_H */
