/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Socket options, poll and so_flags through the plug-in. */

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "packetdrill/drill.h"

static char text[10000];

/* ---- options and poll ------------------------------------------------------------------------------ */

static void
options_are_kept_and_told(void **state)
{
	struct drill d;
	int fd, conn;

	drill_begin(&d, NULL);
	fd = drill_listener(&d);
	assert_int_equal(drill_set(&d, fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	assert_int_equal(drill_set(&d, fd, SOL_SOCKET, SO_RCVBUF, 10000), 0);
	conn = drill_accepted(&d, fd);
	assert_int_equal(drill_get(&d, conn, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(drill_get(&d, conn, SOL_SOCKET, SO_RCVBUF), 10000);
	assert_int_equal(drill_set(&d, conn, SOL_SOCKET, SO_SNDBUF, 5000), 0);
	assert_int_equal(drill_get(&d, conn, SOL_SOCKET, SO_SNDBUF), 5000);
	drill_nonblock(&d, conn);
	assert_int_equal(d.ifc.write(d.ud, conn, text, 9000), 5000);
	assert_int_equal(drill_get(&d, conn, IPPROTO_TCP, TCP_MAXSEG), d.mss);
	FAILS(drill_set(&d, conn, IPPROTO_IP, IP_TTL, 256), EINVAL);
	FAILS(drill_set(&d, conn, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 0), EINVAL);
	FAILS(drill_set(&d, conn, IPPROTO_TCP, 9999, 1), ENOPROTOOPT);
	FAILS(drill_set(&d, conn, SOL_SOCKET, 9999, 1), ENOPROTOOPT);
	FAILS(drill_set(&d, -1, SOL_SOCKET, SO_REUSEADDR, 1), EBADF);
	drill_end(&d);
}

/* Told by the option of the version, seen in the header. */
static void
hop_limit_and_traffic_class(void **state)
{
	struct drill d;
	bool is_v6;
	int fd, level;

	drill_begin(&d, NULL);
	is_v6 = d.domain == AF_INET6;
	level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	fd = drill_connected(&d);
	assert_int_equal(drill_get(&d, fd, level, is_v6 ? IPV6_UNICAST_HOPS : IP_TTL), 64);
	assert_int_equal(drill_set(&d, fd, level, is_v6 ? IPV6_UNICAST_HOPS : IP_TTL, 17), 0);
	assert_int_equal(drill_set(&d, fd, level, is_v6 ? IPV6_TCLASS : IP_TOS, 0x28), 0);
	assert_int_equal(drill_get(&d, fd, level, is_v6 ? IPV6_TCLASS : IP_TOS), 0x28);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 10), 10);
	drill_expect(&d, PKT_PSH | PKT_ACK, 1, 1, 10);
	assert_int_equal(d.pkt.ttl, 17);
	assert_int_equal(d.pkt.tos, 0x28);
	drill_end(&d);
}

static void
nodelay_is_nagle_off(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 10), 10);
	drill_expect(&d, PKT_PSH | PKT_ACK, 1, 1, 10);
	drill_at(&d, 50 * DRILL_MS);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 10), 10); /* held: the first is in flight */
	drill_at(&d, 100 * DRILL_MS);
	assert_int_equal(drill_set(&d, fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	drill_expect(&d, PKT_PSH | PKT_ACK, 11, 1, 10);
	NEAR(d.pkt_time, 100 * DRILL_MS, 10);
	drill_end(&d);
}

static short
events_of(struct drill *d, int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP, .revents = -1};

	int n = d->ifc.poll(d->ud, &pfd, 1, 0);

	assert_int_equal(n, pfd.revents != 0);
	return pfd.revents;
}

static void
poll_tells_what_can_be_done(void **state)
{
	struct drill d;
	int fd, conn;

	drill_begin(&d, NULL);
	assert_int_equal(events_of(&d, 999), POLLNVAL);
	fd = drill_listener(&d);
	assert_int_equal(events_of(&d, fd), 0);
	drill_seg(&d, PKT_SYN, 0, 0, 0);
	drill_expect(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	assert_int_equal(events_of(&d, fd), 0);
	drill_seg(&d, PKT_ACK, 1, 1, 0);
	assert_int_equal(events_of(&d, fd), POLLIN);
	conn = drill_accept(&d, fd);
	assert_int_equal(events_of(&d, fd), 0);
	assert_int_equal(events_of(&d, conn), POLLOUT);
	drill_seg(&d, PKT_ACK, 1, 1, 5);
	assert_int_equal(events_of(&d, conn), POLLIN | POLLOUT);
	assert_int_equal(d.ifc.read(d.ud, conn, text, 5), 5);
	assert_int_equal(events_of(&d, conn), POLLOUT);
	drill_seg(&d, PKT_FIN | PKT_ACK, 6, 1, 0);
	assert_int_equal(events_of(&d, conn), POLLIN | POLLOUT | POLLRDHUP);
	drill_seg(&d, PKT_RST, 7, 0, 0);
	assert_int_equal(events_of(&d, conn), POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
	drill_end(&d);
}

/* On the thread that owns the clock a timeout just passes. */
static void
poll_runs_the_clock(void **state)
{
	struct pollfd pfd = {.events = POLLIN};
	struct drill d;
	long long before;

	drill_begin(&d, NULL);
	pfd.fd = drill_connected(&d);
	before = drill_now(&d);
	assert_int_equal(d.ifc.poll(d.ud, &pfd, 1, 500), 0);
	NEAR(drill_now(&d) - before, 500 * DRILL_MS, 10);
	drill_end(&d);
}

/* ---- flags ------------------------------------------------------------------------------------------ */

static int
exit_code_of(const char *flags, char *said, size_t len)
{
	struct drill d;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		drill_begin(&d, flags);
		_exit(0);
	}
	close(fds[1]);
	n = read(fds[0], said, len - 1);
	said[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
bad_flags_are_named(void **state)
{
	static const char *const rows[][2] = {
			{"linux,colour=red", "there is no \"colour\""},
			{"mtu", "mtu takes a number from 576 to 9000"},
			{"mtu=100", "mtu takes a number from 576 to 9000"},
			{"mtu=1500x", "mtu takes a number from 576 to 9000"},
			{"iw=0", "iw takes a number from 1 to 100"},
			{"nopsh=1", "nopsh takes no value"},
			{"local=here", "local takes an address"},
			{"cc=bbr", "cc takes cubic or newreno"},
			{"ecn", "ecn takes off, accept or offer"},
			{"ecn=2", "ecn takes off, accept or offer"},
	};
	char said[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(exit_code_of(rows[i][0], said, sizeof(said)), 2);
		if (!strstr(said, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], said);
	}
	assert_int_equal(exit_code_of("freebsd,nopsh,iw=4,mtu=9000,local=10.0.0.1,local=fd00::7",
					 said, sizeof(said)),
			0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(options_are_kept_and_told),
			cmocka_unit_test(hop_limit_and_traffic_class),
			cmocka_unit_test(nodelay_is_nagle_off),
			cmocka_unit_test(poll_tells_what_can_be_done),
			cmocka_unit_test(poll_runs_the_clock),
			cmocka_unit_test(bad_flags_are_named),
	};

	if (!drill_args(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
