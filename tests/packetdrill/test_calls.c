/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The socket calls through the plug-in: results and errno as the scripts expect them. */

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "packetdrill/drill.h"

#define NEAR(a, b, tolerance) assert_true((a) >= (b) && (a) <= (b) + (tolerance))
#define FAILS(call, error)                                                                         \
	do {                                                                                       \
		errno = 0;                                                                         \
		assert_int_equal((call), -1);                                                      \
		assert_int_equal(errno, error);                                                    \
	} while (0)

static char text[100000];

/* ---- descriptors ------------------------------------------------------------------------ */

static void
sockets_are_descriptors(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, AF_INET, NULL);
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

	drill_begin(&d, AF_INET, NULL);
	fd = drill_listener(&d);
	conn = drill_accepted(&d, fd);
	assert_int_equal(close(conn), 0);
	again = drill_socket(&d);
	assert_int_equal(again, conn);
	FAILS(d.ifc.read(d.ud, again, text, 1), ENOTCONN);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	drill_end(&d);
}

static void
flags_of_a_descriptor(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, AF_INET, NULL);
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

	drill_begin(&d, AF_INET, NULL);
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

	drill_begin(&d, AF_INET, NULL);
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

	drill_begin(&d, AF_INET, "linux,sndbuf=20000");
	fd = drill_connected(&d);
	n = d.ifc.write(d.ud, fd, text, sizeof(text));
	assert_int_equal(n, 20000);
	FAILS(d.ifc.write(d.ud, fd, text, 1), EAGAIN);
	assert_int_equal(d.ifc.ioctl(d.ud, fd, SIOCOUTQ, &queued), 0);
	assert_int_equal(queued, 20000);
	drill_seg(&d, PKT_ACK, 1, 14601, 0); /* the initial window of ten */
	assert_int_equal(d.ifc.write(d.ud, fd, text, sizeof(text)), 14600);
	drill_end(&d);
}

/* ---- errors of the connection --------------------------------------------------------------- */

static void
refused(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, AF_INET, NULL);
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

	drill_begin(&d, AF_INET, "linux,synretries=2");
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

	drill_begin(&d, AF_INET, NULL);
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

		drill_begin(&d, AF_INET, flags[i]);
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

	drill_begin(&d, AF_INET, "linux,retries=3");
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

	drill_begin(&d, AF_INET, NULL);
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

	drill_begin(&d, AF_INET, NULL);
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

	drill_begin(&d, AF_INET, NULL);
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

		drill_begin(&d, AF_INET, NULL);
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

	drill_begin(&d, AF_INET, NULL);
	fd = drill_listener(&d);
	drill_seg(&d, PKT_SYN, 0, 0, 0);
	drill_expect(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	drill_seg(&d, PKT_ACK, 1, 1, 0);
	assert_int_equal(d.ifc.close(d.ud, fd), 0);
	drill_expect(&d, PKT_RST | PKT_ACK, 1, 1, 0);
	drill_end(&d);
}

/* ---- reading and writing ------------------------------------------------------------------------ */

static void
the_window_opens_when_the_script_reads(void **state)
{
	struct drill d;
	int fd, unread = 0;

	drill_begin(&d, AF_INET, "linux,rcvbuf=2920");
	fd = drill_connected(&d);
	assert_int_equal(d.pkt.wnd, 2920);
	drill_seg(&d, PKT_ACK, 1, 1, 1460);
	drill_expect(&d, PKT_ACK, 1, 1461, 0);
	assert_int_equal(d.pkt.wnd, 1460);
	drill_seg(&d, PKT_ACK, 1461, 1, 1460);
	drill_expect(&d, PKT_ACK, 1, 2921, 0);
	assert_int_equal(d.pkt.wnd, 0);
	assert_int_equal(d.ifc.ioctl(d.ud, fd, SIOCINQ, &unread), 0);
	assert_int_equal(unread, 2920);
	assert_int_equal(d.ifc.recv(d.ud, fd, text, 2000, MSG_PEEK), 2000);
	drill_seg(&d, PKT_ACK, 2921, 1, 1); /* a window probe */
	drill_expect(&d, PKT_ACK, 1, 2921, 0);
	assert_int_equal(d.pkt.wnd, 0);
	assert_int_equal(d.ifc.read(d.ud, fd, text, 2920), 2920);
	drill_expect(&d, PKT_ACK, 1, 2921, 0);
	assert_int_equal(d.pkt.wnd, 2920);
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

	drill_begin(&d, AF_INET, NULL);
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
	FAILS(d.ifc.recv(d.ud, fd, a, 3, MSG_OOB), EOPNOTSUPP);
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

	drill_begin(&d, AF_INET, "freebsd,nopsh");
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 10), 10);
	drill_expect(&d, PKT_ACK, 1, 1, 10);
	drill_end(&d);
}

/* ---- options and poll ------------------------------------------------------------------------------ */

static void
options_are_kept_and_told(void **state)
{
	struct drill d;
	int fd, conn;

	drill_begin(&d, AF_INET, NULL);
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
	assert_int_equal(drill_get(&d, conn, IPPROTO_TCP, TCP_MAXSEG), 1460);
	assert_int_equal(drill_set(&d, conn, IPPROTO_IP, IP_TTL, 17), 0);
	FAILS(drill_set(&d, conn, IPPROTO_IP, IP_TTL, 256), EINVAL);
	FAILS(drill_set(&d, conn, IPPROTO_TCP, 9999, 1), ENOPROTOOPT);
	FAILS(drill_set(&d, conn, SOL_SOCKET, 9999, 1), ENOPROTOOPT);
	FAILS(drill_set(&d, -1, SOL_SOCKET, SO_REUSEADDR, 1), EBADF);
	drill_end(&d);
}

static void
nodelay_is_nagle_off(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, AF_INET, NULL);
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

	drill_begin(&d, AF_INET, NULL);
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

	drill_begin(&d, AF_INET, NULL);
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
		drill_begin(&d, AF_INET, flags);
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
			{"iw=4", "iw takes a number from 10 to 10"},
			{"nopsh=1", "nopsh takes no value"},
			{"local=here", "local takes an address"},
	};
	char said[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(exit_code_of(rows[i][0], said, sizeof(said)), 2);
		if (!strstr(said, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], said);
	}
	assert_int_equal(exit_code_of("freebsd,nopsh,iw=10,mtu=9000,local=10.0.0.1", said,
					 sizeof(said)),
			0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(sockets_are_descriptors),
			cmocka_unit_test(closed_by_libc_and_used_again),
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
			cmocka_unit_test(options_are_kept_and_told),
			cmocka_unit_test(nodelay_is_nagle_off),
			cmocka_unit_test(poll_tells_what_can_be_done),
			cmocka_unit_test(poll_runs_the_clock),
			cmocka_unit_test(bad_flags_are_named),
	};

	if (argc != 2)
		return 2;
	drill_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
