/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The classic pcap file format in host byte order; readers tell by the magic. */

#include "support/pcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MAGIC_NS      0xa1b23c4du
#define LINK_ETHERNET 1u
#define SNAP_LEN      65535u
#define SECOND_NS     1000000000u

struct test_pcap {
	FILE *file;
};

struct file_header {
	uint32_t magic;
	uint16_t major;
	uint16_t minor;
	uint32_t zone;
	uint32_t sigfigs;
	uint32_t snap_len;
	uint32_t link_type;
};

struct record_header {
	uint32_t sec;
	uint32_t nsec;
	uint32_t captured_len;
	uint32_t len;
};

int
test_pcap_create(const char *path, struct test_pcap **out)
{
	const struct file_header h = {
			.magic = MAGIC_NS,
			.major = 2,
			.minor = 4,
			.snap_len = SNAP_LEN,
			.link_type = LINK_ETHERNET,
	};
	struct test_pcap *f = malloc(sizeof(*f));

	if (f == NULL)
		return -ENOMEM;
	f->file = fopen(path, "wb");
	if (f->file == NULL) {
		int err = errno;

		free(f);
		return -err;
	}
	fwrite(&h, sizeof(h), 1, f->file);
	*out = f;
	return 0;
}

static void
write_header(struct test_pcap *f, uint64_t now_ns, size_t len)
{
	const struct record_header h = {
			.sec = (uint32_t)(now_ns / SECOND_NS),
			.nsec = (uint32_t)(now_ns % SECOND_NS),
			.captured_len = (uint32_t)len,
			.len = (uint32_t)len,
	};

	fwrite(&h, sizeof(h), 1, f->file);
}

void
test_pcap_write(struct test_pcap *f, uint64_t now_ns, const struct rte_mbuf *m)
{
	write_header(f, now_ns, rte_pktmbuf_pkt_len(m));
	for (; m != NULL; m = m->next)
		fwrite(rte_pktmbuf_mtod(m, const void *), m->data_len, 1, f->file);
}

void
test_pcap_write_bytes(struct test_pcap *f, uint64_t now_ns, const void *bytes, size_t len)
{
	write_header(f, now_ns, len);
	fwrite(bytes, len, 1, f->file);
}

int
test_pcap_close(struct test_pcap *f)
{
	int ret = 0;

	if (f == NULL)
		return 0;
	if (fflush(f->file) != 0 || ferror(f->file))
		ret = -EIO;
	if (fclose(f->file) != 0)
		ret = -EIO;
	free(f);
	return ret;
}
