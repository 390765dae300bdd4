/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Frames -> a classic pcap file with nanosecond times. Belongs to one worker; the file
 * is written in large pieces. Not a filter. */

#ifndef PMTCP_DPDK_CAPTURE_H
#define PMTCP_DPDK_CAPTURE_H

#include <stdint.h>

#include <rte_mbuf.h>

struct capture;

struct capture_conf {
	const char *path;
	uint64_t packets;  /* the first so many; 0: all */
	uint32_t snap;     /* octets kept of a frame; 0: all */
	uint64_t epoch_ns; /* wall-clock time at worker time 0 */
};

/* Returns 0, -ENOMEM or the errno of opening the file. */
int capture_open(const struct capture_conf *conf, struct capture **out);

/* Writes what is buffered and closes. NULL is allowed. */
void capture_close(struct capture *capture);

/* Stores frames as they are now; they stay the caller's. */
void capture_frames(
		struct capture *capture, uint64_t now_ns, struct rte_mbuf *const *pkts, uint16_t n);

/* Hands what is buffered to the system, so that a reader sees it. */
void capture_flush(struct capture *capture);

/* Frames that could not be written (disk full). */
uint64_t capture_lost(const struct capture *capture);

#endif /* PMTCP_DPDK_CAPTURE_H */
