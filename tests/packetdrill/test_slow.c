/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the plug-in makes of options whose effect takes time (keepalive, user timeout,
 * linger), of the segment size, and of ICMP errors. */

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "packetdrill/drill.h"

static const char text[5000];

/* ---- keepalive -------------------------------------------------------------------------- */

static void
keep_alive(struct drill *d, int fd)
{
	assert_int_equal(drill_set(d, fd, IPPROTO_TCP, TCP_KEEPIDLE, 10), 0);
	assert_int_equal(drill_set(d, fd, IPPROTO_TCP, TCP_KEEPINTVL, 2), 0);
	assert_int_equal(drill_set(d, fd, IPPROTO_TCP, TCP_KEEPCNT, 3), 0);
	assert_int_equal(drill_set(d, fd, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
}

/* Probes after 10, 12 and 14 s of silence, the end 2 s later. */
static void
keepalive_ends_a_silent_connection(void **state)
{
	struct drill d;
	int fd;
	char c;

	drill_begin(&d, "linux");
	fd = drill_connected(&d);
	keep_alive(&d, fd);
	for (long long s = 10; s <= 14; s += 2) {
		drill_expect(&d, PKT_ACK, 0, 1, 0);
		NEAR(d.pkt_time, s * 1000 * DRILL_MS, 20 * DRILL_MS);
	}
	drill_expect(&d, PKT_RST | PKT_ACK, 1, 1, 0);
	NEAR(d.pkt_time, 16000 * DRILL_MS, 20 * DRILL_MS);
	assert_int_equal(d.ifc.read(d.ud, fd, &c, 1), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(d.ifc.read(d.ud, fd, &c, 1), 0);
	drill_end(&d);
}

/* Set on the listener, in force on what it accepted; an answer begins the idle time anew. */
static void
keepalive_is_inherited(void **state)
{
	struct drill d;
	int fd, conn;

	drill_begin(&d, "linux");
	fd = drill_listener(&d);
	keep_alive(&d, fd);
	conn = drill_accepted(&d, fd);
	assert_int_equal(drill_get(&d, conn, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(drill_get(&d, conn, IPPROTO_TCP, TCP_KEEPIDLE), 10);
	assert_int_equal(drill_get(&d, conn, IPPROTO_TCP, TCP_KEEPINTVL), 2);
	assert_int_equal(drill_get(&d, conn, IPPROTO_TCP, TCP_KEEPCNT), 3);
	for (long long s = 10; s <= 30; s += 10) {
		drill_expect(&d, PKT_ACK, 0, 1, 0);
		NEAR(d.pkt_time, s * 1000 * DRILL_MS, 50 * DRILL_MS);
		drill_seg(&d, PKT_ACK, 1, 1, 0);
	}
	drill_end(&d);
}

static void
keepalive_defaults(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux");
	fd = drill_socket(&d);
	assert_int_equal(drill_get(&d, fd, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(drill_get(&d, fd, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
	assert_int_equal(drill_get(&d, fd, IPPROTO_TCP, TCP_KEEPINTVL), 75);
	assert_int_equal(drill_get(&d, fd, IPPROTO_TCP, TCP_KEEPCNT), 9);
	assert_int_equal(drill_set(&d, fd, IPPROTO_TCP, TCP_KEEPCNT, 0), -1);
	assert_int_equal(errno, EINVAL);
	drill_end(&d);
}

/* ---- user timeout, segment size ------------------------------------------------------------- */

static void
user_timeout_ends_what_is_not_acknowledged(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux");
	fd = drill_connected(&d);
	assert_int_equal(drill_set(&d, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
	assert_int_equal(drill_get(&d, fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
	FAILS(drill_set(&d, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, -1), EINVAL);
	assert_int_equal(drill_set(&d, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 3600000), 0); /* 1 h */
	assert_int_equal(drill_set(&d, fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
	drill_at(&d, 1000 * DRILL_MS);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 100), 100);
	drill_at(&d, 5900 * DRILL_MS);
	assert_int_equal(drill_state(&d, fd), 1);
	drill_at(&d, 6100 * DRILL_MS);
	assert_int_equal(drill_state(&d, fd), 7);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 1), -1);
	assert_int_equal(errno, ETIMEDOUT);
	drill_end(&d);
}

static void
maxseg_caps_offer_and_segments(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux,nots");
	fd = drill_listener(&d);
	assert_int_equal(drill_set(&d, fd, IPPROTO_TCP, TCP_MAXSEG, 1000), 0);
	assert_int_equal(drill_get(&d, fd, IPPROTO_TCP, TCP_MAXSEG), 1000);
	fd = drill_accepted(&d, fd);
	assert_int_equal(d.pkt.mss, 1000);
	assert_int_equal(drill_get(&d, fd, IPPROTO_TCP, TCP_MAXSEG), 1000);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 2000), 2000);
	drill_expect(&d, PKT_ACK, 1, 1, 1000);
	drill_expect(&d, PKT_PSH | PKT_ACK, 1001, 1, 1000);
	drill_end(&d);
}

/* Probes of a closed window (RFC 9293 3.8.6.1), then all of it when the window opens. */
static void
a_closed_window_is_probed(void **state)
{
	const struct build shut = {.flags = PKT_ACK, .seq = 1, .ack = 1};
	struct drill d;
	int fd;

	drill_begin(&d, "linux,nots");
	fd = drill_connected(&d);
	drill_in(&d, &shut);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 1000), 1000);
	drill_out(&d);
	assert_true(d.pkt.len <= 1);
	assert_int_equal(d.pkt.seq, 1);
	NEAR(d.pkt_time, 200 * DRILL_MS, 1100 * DRILL_MS);
	drill_in(&d, &shut);
	drill_out(&d);
	assert_true(d.pkt.len <= 1);
	drill_seg(&d, PKT_ACK, 1, 1 + d.pkt.len, 0);
	drill_expect(&d, PKT_PSH | PKT_ACK, 1 + d.pkt.len, 1, 1000 - d.pkt.len);
	drill_end(&d);
}

/* ---- ICMP errors -------------------------------------------------------------------------------- */

/* What each version calls it. */
struct icmp_row {
	int domain;
	uint8_t type;
	uint8_t code;
	int err;
};

enum { UNREACHABLE4 = 3, UNREACHABLE6 = 1 };

static void
hard_error_ends_an_opening(void **state)
{
	static const struct icmp_row rows[] = {
			{AF_INET, UNREACHABLE4, 2, ENOPROTOOPT},
			{AF_INET, UNREACHABLE4, 3, ECONNREFUSED},
			{AF_INET6, UNREACHABLE6, 1, EACCES},
			{AF_INET6, UNREACHABLE6, 4, ECONNREFUSED},
	};
	struct drill d;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd;

		drill_begin(&d, "linux");
		fd = drill_socket(&d);
		drill_nonblock(&d, fd);
		assert_int_equal(drill_connect(&d, fd), -1);
		drill_expect(&d, PKT_SYN, 0, 0, 0);
		if (d.domain == rows[i].domain) {
			drill_icmp(&d, rows[i].type, rows[i].code, 0);
			assert_int_equal(drill_error(&d, fd), rows[i].err);
		}
		drill_end(&d);
	}
}

/* A soft one ends nothing, but a timeout that comes of it is called so, unless SO_ERROR was
 * asked before (which tells it only on Linux). */
static void
soft_error_names_the_timeout(void **state)
{
	static const char *const flags[] = {
			"linux,synretries=1", "linux,synretries=1", "freebsd,synretries=1"};
	static const int told[] = {0, EHOSTUNREACH, 0};
	static const int errors[] = {EHOSTUNREACH, ETIMEDOUT, EHOSTUNREACH};
	struct drill d;

	for (int i = 0; i < 3; i++) {
		int fd;

		drill_begin(&d, flags[i]);
		fd = drill_socket(&d);
		drill_nonblock(&d, fd);
		FAILS(drill_connect(&d, fd), EINPROGRESS);
		drill_expect(&d, PKT_SYN, 0, 0, 0);
		drill_icmp(&d, d.domain == AF_INET6 ? UNREACHABLE6 : UNREACHABLE4,
				d.domain == AF_INET6 ? 3 : 1, 0);
		assert_int_equal(drill_state(&d, fd), 2);
		if (i > 0)
			assert_int_equal(drill_error(&d, fd), told[i]);
		drill_at(&d, 10000 * DRILL_MS);
		FAILS(drill_connect(&d, fd), errors[i]);
		drill_end(&d);
	}
}

/* The quoted number is the wire's, and is taken back to the context's: in flight. */
static void
an_open_connection_survives(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux,retries=2");
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 10), 10);
	drill_expect(&d, PKT_PSH | PKT_ACK, 1, 1, 10);
	drill_icmp(&d, d.domain == AF_INET6 ? UNREACHABLE6 : UNREACHABLE4,
			d.domain == AF_INET6 ? 4 : 3, 0);
	assert_int_equal(drill_state(&d, fd), 1);
	drill_at(&d, 30000 * DRILL_MS);
	assert_int_equal(drill_error(&d, fd), ECONNREFUSED);
	drill_end(&d);
}

/* The path takes less than the link: the segment is cut anew (RFC 1191, RFC 8201). */
static void
too_big_makes_segments_smaller(void **state)
{
	struct drill d;
	bool is_v6;
	int fd;

	drill_begin(&d, "linux,nots");
	is_v6 = d.domain == AF_INET6;
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.write(d.ud, fd, text, d.mss), d.mss);
	drill_expect(&d, PKT_PSH | PKT_ACK, 1, 1, d.mss);
	drill_icmp(&d, is_v6 ? 2 : UNREACHABLE4, is_v6 ? 0 : 4, 1280);
	drill_expect(&d, PKT_ACK, 1, 1, d.mss - 220);
	NEAR(d.pkt_time, 0, 3000 * DRILL_MS); /* at once, or when it was not acknowledged */
	assert_int_equal(drill_get(&d, fd, IPPROTO_TCP, TCP_MAXSEG), d.mss - 220);
	drill_end(&d);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(keepalive_ends_a_silent_connection),
			cmocka_unit_test(keepalive_is_inherited),
			cmocka_unit_test(keepalive_defaults),
			cmocka_unit_test(user_timeout_ends_what_is_not_acknowledged),
			cmocka_unit_test(maxseg_caps_offer_and_segments),
			cmocka_unit_test(a_closed_window_is_probed),
			cmocka_unit_test(hard_error_ends_an_opening),
			cmocka_unit_test(soft_error_names_the_timeout),
			cmocka_unit_test(an_open_connection_survives),
			cmocka_unit_test(too_big_makes_segments_smaller),
	};

	if (!drill_args(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
