/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The socket calls through the plug-in: results and errno as the scripts expect them. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>

#include "packetdrill/drill.h"

static char text[100000];

/* ---- descriptors ------------------------------------------------------------------------ */

static void
sockets_are_descriptors(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_socket(&d);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(d.ifc.close(d.ud, fd), 0);
	FAILS(d.ifc.close(d.ud, fd), EBADF);
	FAILS(d.ifc.close(d.ud, -1), EBADF);
	FAILS(d.ifc.read(d.ud, fd, text, 1), EBADF);
	FAILS(d.ifc.socket(d.ud, AF_UNIX, SOCK_STREAM, 0), EAFNOSUPPORT);
	FAILS(d.ifc.socket(d.ud, AF_INET, SOCK_DGRAM, 0), EPROTONOSUPPORT);
	drill_end(&d);
}

/* The tool closes by libc what a script leaves open; the number may come again. */
static void
closed_by_libc_and_used_again(void **state)
{
	struct drill d;
	int fd, conn, again;

	drill_begin(&d, NULL);
	fd = drill_listener(&d);
	conn = drill_accepted(&d, fd);
	assert_int_equal(close(conn), 0);
	again = drill_socket(&d);
	assert_int_equal(again, conn);
	FAILS(d.ifc.read(d.ud, again, text, 1), ENOTCONN);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	drill_end(&d);
}

/* An IPv6 socket with IPv4 addresses in IPv6 form: on the wire it is IPv4. */
static void
ipv4_in_ipv6_form(void **state)
{
	struct sockaddr_in6 local = {.sin6_family = AF_INET6, .sin6_port = htons(DRILL_PORT)};
	struct sockaddr_in6 peer = {0};
	socklen_t len = sizeof(peer);
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	d.domain = AF_INET;
	d.mss = 1460;
	inet_pton(AF_INET6, "::ffff:192.168.5.9", &local.sin6_addr);
	fd = d.ifc.socket(d.ud, AF_INET6, SOCK_STREAM, 0);
	assert_int_equal(d.ifc.bind(d.ud, fd, (void *)&local, sizeof(local)), 0);
	assert_int_equal(d.ifc.listen(d.ud, fd, 5), 0);
	d.port = DRILL_PORT;
	drill_seg(&d, PKT_SYN, 0, 0, 0);
	drill_expect(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	assert_int_equal(d.pkt.version, 4);
	drill_seg(&d, PKT_ACK, 1, 1, 0);
	assert_true(d.ifc.accept(d.ud, fd, (void *)&peer, &len) > 2);
	assert_int_equal(len, sizeof(peer));
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &local.sin6_addr);
	assert_memory_equal(&peer.sin6_addr, &local.sin6_addr, 16);
	assert_int_equal(ntohs(peer.sin6_port), DRILL_PEER_PORT);
	drill_end(&d);
}

static void
what_is_not_there_says_so(void **state)
{
	struct drill d;
	int fds[2];

	drill_begin(&d, NULL);
	FAILS(d.ifc.epoll_create(d.ud, 1), ENOSYS);
	FAILS(d.ifc.epoll_ctl(d.ud, 1, 1, 1, NULL), ENOSYS);
	FAILS(d.ifc.epoll_wait(d.ud, 1, NULL, 1, 0), ENOSYS);
	FAILS(d.ifc.pipe(d.ud, fds), ENOSYS);
	FAILS(d.ifc.splice(d.ud, 1, NULL, 2, NULL, 1, 0), ENOSYS);
	drill_end(&d);
}

static void
flags_of_a_descriptor(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_socket(&d);
	assert_int_equal(d.ifc.fcntl(d.ud, fd, F_GETFL, 0), O_RDWR);
	assert_int_equal(drill_nonblock(&d, fd), 0);
	assert_int_equal(d.ifc.fcntl(d.ud, fd, F_GETFL, 0), O_RDWR | O_NONBLOCK);
	FAILS(d.ifc.fcntl(d.ud, fd, F_SETOWN, 1), EINVAL);
	fd = d.ifc.socket(d.ud, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(d.ifc.fcntl(d.ud, fd, F_GETFL, 0), O_RDWR | O_NONBLOCK);
	drill_end(&d);
}

/* ---- would block --------------------------------------------------------------------------- */

static void
nonblocking_calls_say_so(void **state)
{
	struct drill d;
	int fd, conn;

	drill_begin(&d, NULL);
	fd = drill_listener(&d);
	drill_nonblock(&d, fd);
	FAILS(drill_accept(&d, fd), EAGAIN);
	conn = drill_accepted(&d, fd);
	FAILS(d.ifc.recv(d.ud, conn, text, 1, MSG_DONTWAIT), EAGAIN);
	drill_nonblock(&d, conn);
	FAILS(d.ifc.read(d.ud, conn, text, 1), EAGAIN);
	drill_end(&d);
}

static void
nonblocking_connect(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_socket(&d);
	drill_nonblock(&d, fd);
	FAILS(drill_connect(&d, fd), EINPROGRESS);
	FAILS(drill_connect(&d, fd), EALREADY);
	FAILS(d.ifc.write(d.ud, fd, text, 1), EAGAIN);
	drill_expect(&d, PKT_SYN, 0, 0, 0);
	drill_seg(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	drill_expect(&d, PKT_ACK, 1, 1, 0);
	assert_int_equal(drill_error(&d, fd), 0);
	FAILS(drill_connect(&d, fd), EISCONN);
	drill_end(&d);
}

/* The clock stands while nothing waits: a full buffer takes what fits, and the rest
 * after an ACK. */
static void
a_full_buffer_is_a_short_write(void **state)
{
	struct drill d;
	int fd;
	ssize_t n;
	int queued = 0;

	drill_begin(&d, "linux,sndbuf=20000");
	fd = drill_connected(&d);
	n = d.ifc.write(d.ud, fd, text, sizeof(text));
	assert_int_equal(n, 20000);
	FAILS(d.ifc.write(d.ud, fd, text, 1), EAGAIN);
	assert_int_equal(d.ifc.ioctl(d.ud, fd, SIOCOUTQ, &queued), 0);
	assert_int_equal(queued, 20000);
	drill_seg(&d, PKT_ACK, 1, 1 + 10 * d.mss, 0); /* the initial window of ten */
	assert_int_equal(d.ifc.write(d.ud, fd, text, sizeof(text)), 10 * d.mss);
	drill_end(&d);
}

/* ---- errors of the connection --------------------------------------------------------------- */

static void
refused(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_socket(&d);
	drill_nonblock(&d, fd);
	FAILS(drill_connect(&d, fd), EINPROGRESS);
	drill_expect(&d, PKT_SYN, 0, 0, 0);
	drill_seg(&d, PKT_RST | PKT_ACK, 0, 1, 0);
	assert_int_equal(drill_error(&d, fd), ECONNREFUSED);
	assert_int_equal(drill_error(&d, fd), 0);
	drill_end(&d);
}

static void
nobody_answers(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux,synretries=2");
	fd = drill_socket(&d);
	drill_nonblock(&d, fd);
	FAILS(drill_connect(&d, fd), EINPROGRESS);
	drill_at(&d, 30000 * DRILL_MS);
	FAILS(drill_connect(&d, fd), ETIMEDOUT);
	drill_end(&d);
}

/* Once, then the end of the stream; writing is a broken pipe. */
static void
reset_by_the_peer(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	drill_seg(&d, PKT_RST | PKT_ACK, 1, 1, 0);
	FAILS(d.ifc.read(d.ud, fd, text, 1), ECONNRESET);
	assert_int_equal(d.ifc.read(d.ud, fd, text, 1), 0);
	FAILS(d.ifc.write(d.ud, fd, text, 1), EPIPE);
	FAILS(d.ifc.shutdown(d.ud, fd, SHUT_WR), ENOTCONN);
	drill_end(&d);
}

/* In CLOSE-WAIT the two systems differ. */
static void
reset_in_close_wait(void **state)
{
	static const char *const flags[2] = {"linux", "freebsd"};
	static const int errors[2] = {EPIPE, ECONNRESET};
	struct drill d;

	for (int i = 0; i < 2; i++) {
		int fd;

		drill_begin(&d, flags[i]);
		fd = drill_connected(&d);
		drill_seg(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
		drill_expect(&d, PKT_ACK, 1, 2, 0);
		drill_seg(&d, PKT_RST, 2, 0, 0);
		assert_int_equal(drill_error(&d, fd), errors[i]);
		drill_end(&d);
	}
}

static void
data_never_acknowledged(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux,retries=3");
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 100), 100);
	drill_at(&d, 60000 * DRILL_MS);
	FAILS(d.ifc.read(d.ud, fd, text, 1), ETIMEDOUT);
	drill_end(&d);
}

static void
broken_pipe_after_shutdown(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.shutdown(d.ud, fd, SHUT_WR), 0);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	FAILS(d.ifc.write(d.ud, fd, text, 1), EPIPE);
	assert_int_equal(d.ifc.shutdown(d.ud, fd, SHUT_WR), 0);
	FAILS(d.ifc.shutdown(d.ud, fd, 7), EINVAL);
	drill_end(&d);
}

/* SHUT_RD: what comes is still acknowledged; who reads finds what came, then the end. */
static void
shut_for_reading_receives_on(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.shutdown(d.ud, fd, SHUT_RD), 0);
	assert_int_equal(d.ifc.read(d.ud, fd, text, 10), 0);
	drill_seg(&d, PKT_ACK, 1, 1, 10);
	drill_expect(&d, PKT_ACK, 1, 11, 0);
	drill_end(&d);
}

/* ---- close ----------------------------------------------------------------------------------- */

static void
linger_0_resets(void **state)
{
	static const struct linger linger = {.l_onoff = 1, .l_linger = 0};
	struct linger got;
	socklen_t len = sizeof(got);
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.setsockopt(d.ud, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)),
			0);
	assert_int_equal(d.ifc.getsockopt(d.ud, fd, SOL_SOCKET, SO_LINGER, &got, &len), 0);
	assert_memory_equal(&got, &linger, sizeof(got));
	assert_int_equal(d.ifc.close(d.ud, fd), 0);
	drill_expect(&d, PKT_RST | PKT_ACK, 1, 1, 0);
	drill_end(&d);
}

static void
unread_text_resets(void **state)
{
	struct drill d;

	for (int is_peeked = 0; is_peeked < 2; is_peeked++) {
		int fd;

		drill_begin(&d, NULL);
		fd = drill_connected(&d);
		drill_seg(&d, PKT_ACK, 1, 1, 100);
		drill_expect(&d, PKT_ACK, 1, 101, 0);
		if (is_peeked)
			assert_int_equal(d.ifc.recv(d.ud, fd, text, 50, MSG_PEEK), 50);
		assert_int_equal(d.ifc.close(d.ud, fd), 0);
		drill_expect(&d, PKT_RST | PKT_ACK, 1, 101, 0);
		drill_end(&d);
	}
}

static void
a_closed_listener_resets_whom_nobody_accepted(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_listener(&d);
	drill_seg(&d, PKT_SYN, 0, 0, 0);
	drill_expect(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	drill_seg(&d, PKT_ACK, 1, 1, 0);
	assert_int_equal(d.ifc.close(d.ud, fd), 0);
	drill_expect(&d, PKT_RST | PKT_ACK, 1, 1, 0);
	drill_end(&d);
}

/* ---- reading and writing ------------------------------------------------------------------------ */

/* A buffer of two segments, of either version. */
static void
the_window_opens_when_the_script_reads(void **state)
{
	struct drill d;
	int fd, unread = 0;

	drill_begin(&d, "linux,rcvbuf=2880");
	fd = drill_connected(&d);
	assert_int_equal(d.pkt.wnd, 2880);
	drill_seg(&d, PKT_ACK, 1, 1, 1440);
	drill_expect(&d, PKT_ACK, 1, 1441, 0);
	assert_int_equal(d.pkt.wnd, 1440);
	drill_seg(&d, PKT_ACK, 1441, 1, 1440);
	drill_expect(&d, PKT_ACK, 1, 2881, 0);
	assert_int_equal(d.pkt.wnd, 0);
	assert_int_equal(d.ifc.ioctl(d.ud, fd, SIOCINQ, &unread), 0);
	assert_int_equal(unread, 2880);
	assert_int_equal(d.ifc.recv(d.ud, fd, text, 2000, MSG_PEEK), 2000);
	drill_seg(&d, PKT_ACK, 2881, 1, 1); /* a window probe */
	drill_expect(&d, PKT_ACK, 1, 2881, 0);
	assert_int_equal(d.pkt.wnd, 0);
	assert_int_equal(d.ifc.read(d.ud, fd, text, 2880), 2880);
	drill_expect(&d, PKT_ACK, 1, 2881, 0);
	assert_int_equal(d.pkt.wnd, 2880);
	drill_end(&d);
}

static void
pieces_go_where_they_belong(void **state)
{
	char a[3], b[5];
	struct iovec in[2] = {{a, 3}, {b, 5}};
	struct iovec out[2] = {{text, 10}, {text, 20}};
	struct msghdr msg = {.msg_iov = in, .msg_iovlen = 2};
	struct msghdr sent = {.msg_iov = out, .msg_iovlen = 2};
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	drill_in(&d, &(struct build){.flags = PKT_ACK,
				     .seq = 1,
				     .ack = 1,
				     .wnd = 65535,
				     .payload = "abcdefghijklmnop",
				     .len = 16});
	assert_int_equal(d.ifc.recvmsg(d.ud, fd, &msg, MSG_PEEK), 8);
	assert_memory_equal(a, "abc", 3);
	assert_memory_equal(b, "defgh", 5);
	assert_int_equal(d.ifc.readv(d.ud, fd, in, 2), 8);
	assert_int_equal(d.ifc.recvfrom(d.ud, fd, a, 3, 0, NULL, NULL), 3);
	assert_memory_equal(a, "ijk", 3);
	FAILS(d.ifc.recv(d.ud, fd, a, 3, MSG_ERRQUEUE), EOPNOTSUPP);
	drill_expect(&d, PKT_ACK, 1, 17, 0);
	assert_int_equal(d.ifc.writev(d.ud, fd, out, 2), 30);
	drill_expect(&d, PKT_PSH | PKT_ACK, 1, 17, 30);
	drill_seg(&d, PKT_ACK, 17, 31, 0);
	assert_int_equal(d.ifc.sendmsg(d.ud, fd, &sent, 0), 30);
	drill_expect(&d, PKT_PSH | PKT_ACK, 31, 17, 30);
	drill_seg(&d, PKT_ACK, 17, 61, 0);
	assert_int_equal(d.ifc.sendto(d.ud, fd, text, 7, 0, NULL, 0), 7);
	drill_expect(&d, PKT_PSH | PKT_ACK, 61, 17, 7);
	drill_end(&d);
}

static void
no_psh_if_the_script_has_none(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "freebsd,nopsh");
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 10), 10);
	drill_expect(&d, PKT_ACK, 1, 1, 10);
	drill_end(&d);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sockets_are_descriptors),
			cmocka_unit_test(closed_by_libc_and_used_again),
			cmocka_unit_test(ipv4_in_ipv6_form),
			cmocka_unit_test(what_is_not_there_says_so),
			cmocka_unit_test(flags_of_a_descriptor),
			cmocka_unit_test(nonblocking_calls_say_so),
			cmocka_unit_test(nonblocking_connect),
			cmocka_unit_test(a_full_buffer_is_a_short_write),
			cmocka_unit_test(refused),
			cmocka_unit_test(nobody_answers),
			cmocka_unit_test(reset_by_the_peer),
			cmocka_unit_test(reset_in_close_wait),
			cmocka_unit_test(data_never_acknowledged),
			cmocka_unit_test(broken_pipe_after_shutdown),
			cmocka_unit_test(shut_for_reading_receives_on),
			cmocka_unit_test(linger_0_resets),
			cmocka_unit_test(unread_text_resets),
			cmocka_unit_test(a_closed_listener_resets_whom_nobody_accepted),
			cmocka_unit_test(the_window_opens_when_the_script_reads),
			cmocka_unit_test(pieces_go_where_they_belong),
			cmocka_unit_test(no_psh_if_the_script_has_none),
	};

	if (!drill_args(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
