/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The stand-ins for what scripts start, in bin/: sysctl tells the plug-in, sockstat asks it. */

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "packetdrill/drill.h"

static char control_file[] = "/tmp/pmtcp_control_XXXXXX";
static char state_file[] = "/tmp/pmtcp_states_XXXXXX";

static int
set_up(void **state)
{
	const char *bin = getenv("PMTCP_DRILL_BIN");
	const char *path = getenv("PATH");
	char text[4096];

	if (!bin || !path)
		return -1;
	snprintf(text, sizeof(text), "%s:%s", bin, path);
	setenv("PATH", text, 1);
	close(mkstemp(control_file));
	close(mkstemp(state_file));
	setenv("PMTCP_CONTROL_FILE", control_file, 1);
	setenv("PMTCP_STATE_FILE", state_file, 1);
	return 0;
}

static int
tear_down(void **state)
{
	unlink(control_file);
	unlink(state_file);
	return 0;
}

static void
forget(void)
{
	assert_int_equal(truncate(control_file, 0), 0);
}

static const char *
said_by(const char *command)
{
	static char line[128];
	FILE *pipe = popen(command, "r");
	size_t n;

	assert_non_null(pipe);
	n = fread(line, 1, sizeof(line) - 1, pipe);
	line[n] = '\0';
	assert_int_equal(pclose(pipe), 0);
	return line;
}

static void
syn_with(struct drill *d, const char *flags, uint8_t want)
{
	int fd;

	drill_begin(d, flags);
	fd = drill_socket(d);
	drill_nonblock(d, fd);
	FAILS(drill_connect(d, fd), EINPROGRESS);
	drill_expect(d, want, 0, 0, 0);
}

static void
linux_names(void **state)
{
	struct drill d;

	forget();
	said_by("sysctl -q net.ipv4.tcp_timestamps=0 net.ipv4.tcp_ecn=1");
	said_by("sysctl -w 'net.ipv4.tcp_rmem=4096 20000 6291456'");
	syn_with(&d, "linux", PKT_SYN | PKT_ECE | PKT_CWR);
	assert_string_equal(drill_options(&d), "020405b40101040201030308");
	assert_int_equal(d.pkt.wnd, 20000);
	drill_end(&d);
}

static void
freebsd_names(void **state)
{
	struct drill d;

	forget();
	said_by("sysctl net.inet.tcp.rfc1323=0 net.inet.tcp.sack.enable=0");
	said_by("sysctl net.inet.tcp.msl=1500 net.inet.tcp.cc.algorithm=newreno");
	syn_with(&d, "freebsd", PKT_SYN);
	assert_string_equal(drill_options(&d), "020405b4");
	drill_end(&d);
}

/* Between two sockets: the second has it. */
static void
later_sockets_are_as_said_later(void **state)
{
	struct drill d;
	int fd;

	forget();
	drill_begin(&d, "linux");
	drill_listener(&d);
	said_by("sysctl net.ipv4.tcp_keepalive_time=30");
	fd = drill_socket(&d);
	assert_int_equal(drill_get(&d, fd, IPPROTO_TCP, TCP_KEEPIDLE), 30);
	drill_end(&d);
}

static void
what_is_asked_was_said(void **state)
{
	forget();
	said_by("sysctl -w net.ipv4.tcp_sack=1; sysctl -w net.ipv4.tcp_sack=0");
	assert_string_equal(said_by("sysctl -n net.ipv4.tcp_sack"), "0\n");
	assert_string_equal(said_by("sysctl net.ipv4.tcp_sack"), "net.ipv4.tcp_sack = 0\n");
	forget();
}

/* Neither does anything, and both succeed. */
static void
the_host_stays_as_it_is(void **state)
{
	assert_string_equal(said_by("ip tcp_metrics flush all && tc qdisc del dev lo root"), "");
}

static void
sockstat_lists_the_states(void **state)
{
	struct drill d;
	int fd;

	forget();
	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	assert_string_equal(said_by("sockstat -s | grep -c ESTABLISHED"), "1\n");
	d.ifc.close(d.ud, fd);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	drill_seg(&d, PKT_FIN | PKT_ACK, 1, 2, 0);
	assert_string_equal(said_by("sockstat -s"), "tcp TIME_WAIT\n");
	drill_end(&d);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(linux_names),
			cmocka_unit_test(freebsd_names),
			cmocka_unit_test(later_sockets_are_as_said_later),
			cmocka_unit_test(what_is_asked_was_said),
			cmocka_unit_test(the_host_stays_as_it_is),
			cmocka_unit_test(sockstat_lists_the_states),
	};

	if (!drill_args(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
