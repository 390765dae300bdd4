/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The plug-in preloaded: what the tool asks libc directly comes to it all the same.
 * The program is started with LD_PRELOAD naming its first argument. */

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/times.h>
#include <unistd.h>
#include <cmocka.h>

#include "packetdrill/drill.h"

static void
libc_close_is_a_close(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	assert_null(getenv("LD_PRELOAD"));
	fd = drill_connected(&d);
	drill_at(&d, 10 * DRILL_MS);
	assert_int_equal(close(fd), 0);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	assert_int_equal(close(fd), -1);
	assert_int_equal(errno, EBADF);
	drill_end(&d);
}

static void
libc_getsockopt_reads_tcp_info(void **state)
{
	struct drill d;
	struct tcp_info ti;
	socklen_t len = sizeof(ti);
	char more[64];
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	assert_int_equal(len, sizeof(ti));
	assert_int_equal(ti.tcpi_state, 1);
	assert_int_equal(ti.tcpi_snd_mss, d.mss);
	len = sizeof(more);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CC_INFO, more, &len), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, 55 /* SO_MEMINFO */, more, &len), 0);
	drill_end(&d);
}

/* What is not ours is the kernel's. */
static void
other_descriptors_are_the_kernels(void **state)
{
	struct drill d;
	socklen_t len = sizeof(int);
	int type = 0;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	drill_begin(&d, NULL);
	assert_true(fd >= 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len), 0);
	assert_int_equal(type, SOCK_STREAM);
	assert_int_equal(close(fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	drill_end(&d);
	assert_int_equal(close(-1), -1);
	assert_int_equal(errno, EBADF);
}

static void
the_real_clock_holds_nothing_up(void **state)
{
	struct tms buf;
	struct sched_param param = {.sched_priority = 1};
	clock_t first = times(&buf);

	assert_int_equal(times(&buf) - first, 1);
	assert_int_equal(sched_setscheduler(0, SCHED_FIFO, &param), 0);
	assert_int_equal(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(libc_close_is_a_close),
			cmocka_unit_test(libc_getsockopt_reads_tcp_info),
			cmocka_unit_test(other_descriptors_are_the_kernels),
			cmocka_unit_test(the_real_clock_holds_nothing_up),
	};

	if (!drill_args(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
