/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a capture file holds exactly the frames and times it was given. Method: the file
 * is read back octet by octet and compared with what went in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include "base/rng.h"
#include "dpdk/capture.h"
#include "support/build.h"
#include "support/pool.h"

#define SEED     20260402
#define EPOCH_NS 1700000000123456789u

struct file {
	char path[64];
	uint8_t *octets;
	size_t len;
};

static void
file_name(struct file *f)
{
	int fd;

	strcpy(f->path, "/tmp/pmtcp-capture-XXXXXX");
	fd = mkstemp(f->path);
	assert_true(fd >= 0);
	close(fd);
}

static void
file_read(struct file *f)
{
	FILE *in = fopen(f->path, "rb");

	assert_non_null(in);
	f->octets = malloc(64u << 20);
	assert_non_null(f->octets);
	f->len = fread(f->octets, 1, 64u << 20, in);
	fclose(in);
}

static void
file_end(struct file *f)
{
	unlink(f->path);
	free(f->octets);
}

static uint32_t
word_at(const struct file *f, size_t at)
{
	uint32_t word;

	assert_true(at + 4 <= f->len);
	memcpy(&word, f->octets + at, 4);
	return word;
}

static void
check_file_header(const struct file *f, uint32_t snap)
{
	assert_int_equal(word_at(f, 0), 0xa1b23c4d); /* nanoseconds */
	assert_int_equal(word_at(f, 4), 2 | 4 << 16);
	assert_int_equal(word_at(f, 8), 0);
	assert_int_equal(word_at(f, 12), 0);
	assert_int_equal(word_at(f, 16), snap);
	assert_int_equal(word_at(f, 20), 1); /* Ethernet */
}

/* The octet a frame of this number has at this place. */
static uint8_t
octet_of(uint32_t frame, uint32_t at)
{
	return (uint8_t)(frame * 31 + at * 7);
}

static struct rte_mbuf *
make_frame(struct rte_mempool *pool, uint32_t frame, uint32_t len, uint16_t seg_size)
{
	uint8_t octets[2048];

	for (uint32_t i = 0; i < len; i++)
		octets[i] = octet_of(frame, i);
	return build_mbuf(pool, octets, len, seg_size);
}

struct record {
	uint64_t wall_ns;
	uint32_t frame, kept, len;
};

static void
check_record(const struct file *f, size_t at, const struct record *r)
{
	assert_int_equal(word_at(f, at), r->wall_ns / 1000000000u);
	assert_int_equal(word_at(f, at + 4), r->wall_ns % 1000000000u);
	assert_int_equal(word_at(f, at + 8), r->kept);
	assert_int_equal(word_at(f, at + 12), r->len);
	assert_true(at + 16 + r->kept <= f->len);
	for (uint32_t i = 0; i < r->kept; i++)
		assert_int_equal(f->octets[at + 16 + i], octet_of(r->frame, i));
}

/* More than one buffer's worth, single and chained mbufs, lengths from 1 on. */
static void
capture_random_frames_are_read_back(void **state)
{
	enum { FRAMES = 5000 };
	struct rte_mempool *pool = test_pool_create(4096);
	struct capture_conf conf = {.epoch_ns = EPOCH_NS};
	static uint32_t lens[FRAMES];
	struct capture *capture;
	struct rng rng;
	struct file f;
	size_t at = 24;

	printf("seed %d\n", SEED);
	rng_seed(&rng, SEED);
	file_name(&f);
	conf.path = f.path;
	assert_int_equal(capture_open(&conf, &capture), 0);
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint16_t cut = rng_below(&rng, 2) == 0 ? 0 : (uint16_t)(1 + rng_below(&rng, 700));
		struct rte_mbuf *m;

		lens[i] = 1 + (uint32_t)rng_below(&rng, 1500);
		m = make_frame(pool, i, lens[i], cut);
		capture_frames(capture, i * 1000003ull, &m, 1);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(capture_lost(capture), 0);
	capture_close(capture);
	file_read(&f);
	check_file_header(&f, 65535);
	for (uint32_t i = 0; i < FRAMES; i++) {
		check_record(&f, at,
				&(struct record){EPOCH_NS + i * 1000003ull, i, lens[i], lens[i]});
		at += 16 + lens[i];
	}
	assert_int_equal(at, f.len);
	file_end(&f);
	test_pool_destroy(pool);
}

static void
capture_limit_keeps_the_first_frames_and_is_on_disk_at_once(void **state)
{
	struct rte_mempool *pool = test_pool_create(4096);
	struct capture_conf conf = {.packets = 3, .snap = 60};
	struct capture *capture;
	struct rte_mbuf *burst[5];
	struct file f;

	file_name(&f);
	conf.path = f.path;
	assert_int_equal(capture_open(&conf, &capture), 0);
	for (uint32_t i = 0; i < 5; i++)
		burst[i] = make_frame(pool, i, 100, 0);
	capture_frames(capture, 5, burst, 5);
	file_read(&f); /* not closed yet */
	check_file_header(&f, 60);
	for (uint32_t i = 0; i < 3; i++)
		check_record(&f, 24 + i * 76, &(struct record){5, i, 60, 100});
	assert_int_equal(f.len, 24 + 3 * 76);
	rte_pktmbuf_free_bulk(burst, 5);
	capture_close(capture);
	file_end(&f);
	test_pool_destroy(pool);
}

static void
capture_flush_shows_what_was_stored(void **state)
{
	struct rte_mempool *pool = test_pool_create(4096);
	struct capture_conf conf = {.snap = 0};
	struct rte_mbuf *m = make_frame(pool, 9, 64, 0);
	struct capture *capture;
	struct file f;

	file_name(&f);
	conf.path = f.path;
	assert_int_equal(capture_open(&conf, &capture), 0);
	capture_frames(capture, 7, &m, 1);
	capture_flush(capture);
	file_read(&f);
	check_record(&f, 24, &(struct record){7, 9, 64, 64});
	free(f.octets);
	capture_frames(capture, 8, &m, 1);
	capture_close(capture);
	file_read(&f);
	assert_int_equal(f.len, 24 + 2 * 80);
	check_record(&f, 24 + 80, &(struct record){8, 9, 64, 64});
	rte_pktmbuf_free(m);
	file_end(&f);
	test_pool_destroy(pool);
}

static void
capture_full_disk_is_counted(void **state)
{
	struct rte_mempool *pool = test_pool_create(4096);
	struct capture_conf conf = {.path = "/dev/full"};
	struct rte_mbuf *m = make_frame(pool, 1, 100, 0);
	struct capture *capture;

	assert_int_equal(capture_open(&conf, &capture), 0);
	for (int i = 0; i < 10; i++)
		capture_frames(capture, 1, &m, 1);
	assert_int_equal(capture_lost(capture), 0);
	capture_flush(capture);
	assert_int_equal(capture_lost(capture), 10);
	capture_frames(capture, 1, &m, 1);
	capture_flush(capture);
	assert_int_equal(capture_lost(capture), 11);
	capture_close(capture);
	rte_pktmbuf_free(m);
	test_pool_destroy(pool);
}

static void
capture_open_without_directory_says_so(void **state)
{
	struct capture_conf conf = {.path = "/nonexistent/x.pcap"};
	struct capture *capture;

	assert_int_equal(capture_open(&conf, &capture), -ENOENT);
	capture_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(capture_random_frames_are_read_back),
			cmocka_unit_test(
					capture_limit_keeps_the_first_frames_and_is_on_disk_at_once),
			cmocka_unit_test(capture_flush_shows_what_was_stored),
			cmocka_unit_test(capture_full_disk_is_counted),
			cmocka_unit_test(capture_open_without_directory_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
