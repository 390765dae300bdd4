/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Frames -> pcap; see capture.h. The format is the classic one: a file header, then a
 * record header and the octets for each frame, in the writer's byte order. */

#include "dpdk/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/check.h"

#define PCAP_MAGIC_NS      0xa1b23c4du
#define PCAP_LINK_ETHERNET 1
#define SNAP_MAX           65535u
#define BUFFER_OCTETS      (1u << 20)

struct pcap_file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, sigfigs;
	uint32_t snap;
	uint32_t link_type;
};

struct pcap_record_header {
	uint32_t sec, nsec;
	uint32_t kept, len;
};

STATIC_ASSERT(sizeof(struct pcap_file_header) == 24);
STATIC_ASSERT(sizeof(struct pcap_record_header) == 16);
STATIC_ASSERT(BUFFER_OCTETS >= SNAP_MAX + sizeof(struct pcap_record_header));

struct capture {
	int fd;
	uint32_t snap;
	uint32_t fill;
	uint32_t buffered; /* frames in the buffer */
	uint64_t left;     /* frames still wanted */
	uint64_t epoch_ns;
	uint64_t lost;
	bool failed;
	uint8_t buffer[BUFFER_OCTETS];
};

int
capture_open(const struct capture_conf *conf, struct capture **out)
{
	struct capture *c = malloc(sizeof(*c));
	struct pcap_file_header header = {
			.magic = PCAP_MAGIC_NS,
			.major = 2,
			.minor = 4,
			.link_type = PCAP_LINK_ETHERNET,
	};
	int err;

	if (c == NULL)
		return -ENOMEM;
	c->fd = open(conf->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (c->fd < 0) {
		err = errno;
		free(c);
		return -err;
	}
	c->snap = conf->snap == 0 ? SNAP_MAX : min_u32(conf->snap, SNAP_MAX);
	c->left = conf->packets == 0 ? UINT64_MAX : conf->packets;
	c->epoch_ns = conf->epoch_ns;
	c->buffered = 0;
	c->lost = 0;
	c->failed = false;
	header.snap = c->snap;
	memcpy(c->buffer, &header, sizeof(header));
	c->fill = sizeof(header);
	*out = c;
	return 0;
}

void
capture_flush(struct capture *c)
{
	uint32_t done = 0;

	while (done < c->fill && !c->failed) {
		ssize_t n = write(c->fd, c->buffer + done, c->fill - done);

		if (n < 0 && errno == EINTR)
			continue;
		/* Half a record spoils what follows it: no more after a failure. */
		c->failed = n <= 0;
		if (n > 0)
			done += (uint32_t)n;
	}
	if (c->failed)
		c->lost += c->buffered;
	c->fill = 0;
	c->buffered = 0;
}

void
capture_close(struct capture *c)
{
	if (c == NULL)
		return;
	capture_flush(c);
	(void)close(c->fd);
	free(c);
}

static void
store(struct capture *c, uint64_t wall_ns, const struct rte_mbuf *m)
{
	uint32_t kept = min_u32(m->pkt_len, c->snap);
	struct pcap_record_header header = {
			.sec = (uint32_t)(wall_ns / 1000000000u),
			.nsec = (uint32_t)(wall_ns % 1000000000u),
			.kept = kept,
			.len = m->pkt_len,
	};
	const void *from;

	if (c->fill + sizeof(header) + kept > BUFFER_OCTETS)
		capture_flush(c);
	memcpy(c->buffer + c->fill, &header, sizeof(header));
	c->fill += sizeof(header);
	/* Gives the place in the mbuf, or copies a chain's pieces to ours. */
	from = rte_pktmbuf_read(m, 0, kept, c->buffer + c->fill);
	CHECK(from != NULL);
	if (from != c->buffer + c->fill)
		memcpy(c->buffer + c->fill, from, kept);
	c->fill += kept;
	c->buffered++;
}

void
capture_frames(struct capture *c, uint64_t now_ns, struct rte_mbuf *const *pkts, uint16_t n)
{
	uint64_t wall_ns = c->epoch_ns + now_ns;

	for (uint16_t i = 0; i < n && c->left > 0; i++) {
		c->left--;
		store(c, wall_ns, pkts[i]);
		if (c->left == 0)
			capture_flush(c); /* complete: nothing else would write it before the end */
	}
}

uint64_t
capture_lost(const struct capture *c)
{
	return c->lost;
}
