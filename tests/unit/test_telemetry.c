/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: an operator's tool sees the workers and their counters through rte_telemetry, and
 * nothing of those that are gone. Method: the socket that dpdk-telemetry.py speaks to, asked
 * in this process while a worker on a ring exists. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <glob.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <rte_eal.h>

#include "worker_bed.h"

static char answer[64 * 1024];
static int fd = -1;

static bool
receive(void)
{
	ssize_t n = recv(fd, answer, sizeof(answer) - 1, 0);

	answer[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The greeting names the process: other programs' sockets may lie beside ours. */
static bool
connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char pid[32];

	snprintf(pid, sizeof(pid), "\"pid\":%d,", (int)getpid());
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 && receive() &&
			strstr(answer, pid) != NULL)
		return true;
	close(fd);
	fd = -1;
	return false;
}

static int
open_telemetry(void **state)
{
	const struct link_conf conf = {.word = "ring",
			.program = "test_telemetry",
			.bufs = 4000,
			.telemetry = true};
	char pattern[128];
	glob_t paths;

	(void)state;
	if (link_open(&conf, &link_ring) != 0)
		return -1;
	snprintf(pattern, sizeof(pattern), "%s/dpdk_telemetry.v2*", rte_eal_get_runtime_dir());
	if (glob(pattern, 0, NULL, &paths) != 0)
		return -1;
	for (size_t i = 0; i < paths.gl_pathc && fd < 0; i++)
		connect_to(paths.gl_pathv[i]);
	globfree(&paths);
	return fd < 0 ? -1 : 0;
}

static int
close_telemetry(void **state)
{
	if (fd >= 0)
		close(fd);
	return bed_link_close(state);
}

static const char *
ask(const char *command)
{
	assert_true(send(fd, command, strlen(command), 0) > 0);
	assert_true(receive());
	return answer;
}

static void
workers_are_listed_while_they_live(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, NULL);
	assert_string_equal(ask("/pmtcp/workers"), "{\"/pmtcp/workers\":[\"0:0\"]}");
	bed_close(&bed);
	assert_string_equal(ask("/pmtcp/workers"), "{\"/pmtcp/workers\":[]}");
}

/* The worker's own numbers and the context's: one turn with one frame. */
static void
worker_shows_its_numbers(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, NULL);
	far_send(&bed, 1, 1);
	pmtcp_worker_turn(bed.w, NULL, NULL);
	ask("/pmtcp/worker,0:0");
	assert_non_null(strstr(answer, "\"turns\":1,"));
	assert_non_null(strstr(answer, "\"rx_packets\":1,"));
	assert_non_null(strstr(answer, "\"tx_packets\":0,"));
	assert_non_null(strstr(answer, "\"time_wait\":0,"));
	assert_non_null(strstr(answer, "\"counter\":0"));
	ask("/pmtcp/port,0");
	assert_non_null(strstr(answer, "\"workers\":1,"));
	assert_non_null(strstr(answer, "\"rx_packets\":1,"));
	bed_close(&bed);
}

static void
nobody_is_shown_for_a_wrong_name(void **state)
{
	struct bed bed;

	(void)state;
	bed_open(&bed, NULL);
	assert_string_equal(ask("/pmtcp/worker"), "{\"/pmtcp/worker\":null}");
	assert_string_equal(ask("/pmtcp/worker,zero"), "{\"/pmtcp/worker\":null}");
	assert_string_equal(ask("/pmtcp/worker,0:7"), "{\"/pmtcp/worker\":null}");
	assert_string_equal(ask("/pmtcp/port,7"), "{\"/pmtcp/port\":null}");
	bed_close(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(workers_are_listed_while_they_live),
			cmocka_unit_test(worker_shows_its_numbers),
			cmocka_unit_test(nobody_is_shown_for_a_wrong_name),
	};

	return cmocka_run_group_tests(tests, open_telemetry, close_telemetry);
}
