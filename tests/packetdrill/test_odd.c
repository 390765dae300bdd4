/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Calls in odd orders and on descriptors that are nobody's. The errors are Linux's. */

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cmocka.h>

#include "packetdrill/drill.h"

static char text[100];

/* ---- each call in each state -------------------------------------------------------------- */

enum situation { CLOSED_FD, FRESH, LISTENING, CONNECTING, REFUSED, RESET, SITUATIONS };

static int
in_situation(struct drill *d, enum situation situation)
{
	int fd = situation == LISTENING ? drill_listener(d) : drill_socket(d);

	drill_nonblock(d, fd);
	if (situation == CLOSED_FD)
		assert_int_equal(d->ifc.close(d->ud, fd), 0);
	if (situation == CONNECTING || situation == REFUSED || situation == RESET) {
		FAILS(drill_connect(d, fd), EINPROGRESS);
		drill_expect(d, PKT_SYN, 0, 0, 0);
	}
	if (situation == REFUSED)
		drill_seg(d, PKT_RST | PKT_ACK, 0, 1, 0);
	if (situation == RESET) {
		drill_seg(d, PKT_SYN | PKT_ACK, 0, 1, 0);
		drill_expect(d, PKT_ACK, 1, 1, 0);
		drill_seg(d, PKT_RST | PKT_ACK, 1, 1, 0);
	}
	if (situation == REFUSED || situation == RESET)
		assert_int_not_equal(drill_error(d, fd), 0);
	return fd;
}

static long
do_bind(struct drill *d, int fd)
{
	struct sockaddr_storage ss;

	return d->ifc.bind(d->ud, fd, (void *)&ss, drill_address(d, false, &ss));
}

static long
do_listen(struct drill *d, int fd)
{
	return d->ifc.listen(d->ud, fd, 1);
}

static long
do_accept(struct drill *d, int fd)
{
	return drill_accept(d, fd);
}

static long
do_connect(struct drill *d, int fd)
{
	return drill_connect(d, fd);
}

static long
do_read(struct drill *d, int fd)
{
	return d->ifc.read(d->ud, fd, text, sizeof(text));
}

static long
do_read_oob(struct drill *d, int fd)
{
	return d->ifc.recv(d->ud, fd, text, 1, MSG_OOB);
}

static long
do_write(struct drill *d, int fd)
{
	return d->ifc.write(d->ud, fd, text, 1);
}

static long
do_shut_wr(struct drill *d, int fd)
{
	return d->ifc.shutdown(d->ud, fd, SHUT_WR);
}

static long
do_shut_rd(struct drill *d, int fd)
{
	return d->ifc.shutdown(d->ud, fd, SHUT_RD);
}

static long
do_inq(struct drill *d, int fd)
{
	int value;

	return d->ifc.ioctl(d->ud, fd, SIOCINQ, &value);
}

static long
do_getfl(struct drill *d, int fd)
{
	return d->ifc.fcntl(d->ud, fd, F_GETFL, 0);
}

static long
do_set(struct drill *d, int fd)
{
	return drill_set(d, fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static long
do_get(struct drill *d, int fd)
{
	socklen_t len = sizeof(int);
	int value;

	return d->ifc.getsockopt(d->ud, fd, SOL_SOCKET, SO_ERROR, &value, &len);
}

static long
do_close(struct drill *d, int fd)
{
	return d->ifc.close(d->ud, fd);
}

struct op {
	const char *name;
	long (*fn)(struct drill *d, int fd);
	int err[SITUATIONS]; /* 0: it succeeds */
};

/* clang-format off */
static const struct op ops[] = {
	/*                            closed  fresh        listening  connecting  refused      reset */
	{"bind",       do_bind,     {EBADF,  0,           EINVAL,    EINVAL,     EINVAL,      EINVAL}},
	{"listen",     do_listen,   {EBADF,  0,           0,         EINVAL,     EINVAL,      EINVAL}},
	{"accept",     do_accept,   {EBADF,  EINVAL,      EAGAIN,    EINVAL,     EINVAL,      EINVAL}},
	{"connect",    do_connect,  {EBADF,  EINPROGRESS, EISCONN,   EALREADY,   ECONNABORTED, EISCONN}},
	{"read",       do_read,     {EBADF,  ENOTCONN,    ENOTCONN,  EAGAIN,     0,           0}},
	{"read oob",   do_read_oob, {EBADF,  EINVAL,      ENOTCONN,  EINVAL,     EINVAL,      EINVAL}},
	{"write",      do_write,    {EBADF,  EPIPE,       EPIPE,     EAGAIN,     EPIPE,       EPIPE}},
	{"shut write", do_shut_wr,  {EBADF,  ENOTCONN,    0,         0,          ENOTCONN,    ENOTCONN}},
	{"shut read",  do_shut_rd,  {EBADF,  ENOTCONN,    0,         0,          ENOTCONN,    ENOTCONN}},
	{"ioctl",      do_inq,      {EBADF,  0,           EINVAL,    0,          0,           0}},
	{"fcntl",      do_getfl,    {EBADF,  0,           0,         0,          0,           0}},
	{"setsockopt", do_set,      {EBADF,  0,           0,         0,          0,           0}},
	{"getsockopt", do_get,      {EBADF,  0,           0,         0,          0,           0}},
	{"close",      do_close,    {EBADF,  0,           0,         0,          0,           0}},
};
/* clang-format on */

enum { N_OPS = sizeof(ops) / sizeof(ops[0]) };

static void
each_call_in_each_situation(void **state)
{
	struct drill d;

	for (int i = 0; i < SITUATIONS * N_OPS; i++) {
		const struct op *op = &ops[i / SITUATIONS];
		int want = op->err[i % SITUATIONS];
		long ret;
		int fd;

		drill_begin(&d, "linux");
		fd = in_situation(&d, (enum situation)(i % SITUATIONS));
		errno = 0;
		ret = op->fn(&d, fd);
		if ((ret < 0) != (want != 0) || errno != want)
			fail_msg("%s, situation %d: %ld, %s", op->name, i % SITUATIONS, ret,
					strerror(errno));
		drill_end(&d);
	}
}

/* ---- one after the other -------------------------------------------------------------------- */

/* The failure is told once, then connect() begins anew, with a new number. */
static void
connect_again_after_a_refusal(void **state)
{
	struct drill d;
	uint32_t iss;
	int fd;

	drill_begin(&d, "linux");
	fd = in_situation(&d, CONNECTING);
	drill_seg(&d, PKT_RST | PKT_ACK, 0, 1, 0);
	FAILS(drill_connect(&d, fd), ECONNREFUSED);
	iss = d.iss;
	FAILS(drill_connect(&d, fd), EINPROGRESS);
	drill_expect(&d, PKT_SYN, 0, 0, 0);
	assert_int_equal(d.iss, iss + 65536);
	drill_seg(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	drill_expect(&d, PKT_ACK, 1, 1, 0);
	FAILS(drill_connect(&d, fd), EISCONN);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 1), 1);
	drill_end(&d);
}

static void
connect_again_after_shutdown_in_syn_sent(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux");
	fd = in_situation(&d, CONNECTING);
	assert_int_equal(d.ifc.shutdown(d.ud, fd, SHUT_RDWR), 0);
	FAILS(drill_connect(&d, fd), EINPROGRESS);
	drill_expect(&d, PKT_SYN, 0, 0, 0);
	drill_end(&d);
}

static void
listen_again_after_shutdown(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux");
	fd = drill_listener(&d);
	assert_int_equal(d.ifc.shutdown(d.ud, fd, SHUT_RD), 0);
	FAILS(drill_accept(&d, fd), EINVAL);
	drill_seg(&d, PKT_SYN, 0, 0, 0);
	drill_expect(&d, PKT_RST | PKT_ACK, 0, 1, 0);
	assert_int_equal(d.ifc.listen(d.ud, fd, 1), 0);
	assert_true(drill_accepted(&d, fd) > 2);
	drill_end(&d);
}

static void
one_listener_per_port(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux");
	fd = drill_listener(&d);
	FAILS(do_bind(&d, drill_socket(&d)), EADDRINUSE);
	assert_int_equal(d.ifc.close(d.ud, fd), 0);
	fd = drill_listener(&d);
	assert_true(drill_accepted(&d, fd) > 2);
	drill_end(&d);
}

/* The address of the first bind() is the host's; there is no other. */
static void
bind_to_a_foreign_address(void **state)
{
	struct sockaddr_storage ss;
	struct drill d;
	socklen_t len;

	drill_begin(&d, "linux");
	drill_listener(&d);
	len = drill_address(&d, true, &ss);
	FAILS(d.ifc.bind(d.ud, drill_socket(&d), (void *)&ss, len), EADDRNOTAVAIL);
	drill_end(&d);
}

/* Both sides closed, by the one who closes twice too; the reset of an end that the tool sends
 * to each socket left over changes nothing. */
static void
close_twice_and_a_late_reset(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux");
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.close(d.ud, fd), 0);
	FAILS(d.ifc.close(d.ud, fd), EBADF);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	drill_seg(&d, PKT_RST | PKT_ACK, 1, 2, 0);
	drill_seg(&d, PKT_RST | PKT_ACK, 1, 2, 0);
	FAILS(do_read(&d, fd), EBADF);
	FAILS(do_write(&d, -1), EBADF);
	FAILS(do_write(&d, 1), EBADF); /* a descriptor, but none of ours */
	drill_end(&d);
}

/* Another socket has the number by now. */
static void
a_number_that_came_again(void **state)
{
	struct drill d;
	int fd, again;

	drill_begin(&d, "linux");
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.close(d.ud, fd), 0);
	again = drill_socket(&d);
	assert_int_equal(again, fd);
	FAILS(do_read(&d, again), ENOTCONN);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	drill_end(&d);
}

/* There are 256; the next says so, and one that is closed makes room. */
static void
no_socket_left(void **state)
{
	struct drill d;
	int fds[256];

	drill_begin(&d, "linux");
	for (int i = 0; i < 256; i++)
		fds[i] = drill_socket(&d);
	FAILS(d.ifc.socket(d.ud, d.domain, SOCK_STREAM, 0), EMFILE);
	assert_int_equal(d.ifc.close(d.ud, fds[100]), 0);
	assert_true(d.ifc.socket(d.ud, d.domain, SOCK_STREAM, 0) > 2);
	drill_end(&d);
}

/* Nothing of an IP packet, a piece of one, and lengths that lie. */
static void
packets_that_are_none(void **state)
{
	uint8_t bytes[64] = {0x45, 0, 0xff, 0xff};
	struct drill d;

	drill_begin(&d, "linux,wait=1");
	assert_int_equal(d.ifc.netdev_send(d.ud, bytes, 0), 0);
	for (size_t len = 1; len <= sizeof(bytes); len++) {
		bytes[0] = len % 2 ? 0x45 : 0x60;
		assert_int_equal(d.ifc.netdev_send(d.ud, bytes, len), 0);
	}
	assert_null(drill_out(&d));
	drill_listener(&d);
	drill_end(&d);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(each_call_in_each_situation),
			cmocka_unit_test(connect_again_after_a_refusal),
			cmocka_unit_test(connect_again_after_shutdown_in_syn_sent),
			cmocka_unit_test(listen_again_after_shutdown),
			cmocka_unit_test(one_listener_per_port),
			cmocka_unit_test(bind_to_a_foreign_address),
			cmocka_unit_test(close_twice_and_a_late_reset),
			cmocka_unit_test(a_number_that_came_again),
			cmocka_unit_test(no_socket_left),
			cmocka_unit_test(packets_that_are_none),
	};

	if (!drill_args(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
