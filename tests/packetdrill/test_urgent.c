/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Urgent data as the socket interface has it: an octet out of band, or a mark in the stream. */

#include <errno.h>
#include <linux/sockios.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <cmocka.h>

#include "packetdrill/drill.h"

static char text[16];

/* `what` at seq; the urgent pointer names the octet behind the urgent ones. */
static void
urgent_in(struct drill *d, uint32_t seq, const char *what, uint16_t urg)
{
	drill_in(d, &(struct build){.flags = PKT_ACK | (urg ? PKT_URG : 0),
				    .seq = seq,
				    .ack = 1,
				    .wnd = 65535,
				    .urg = urg,
				    .payload = what,
				    .len = (uint32_t)strlen(what)});
}

static int
ioctl_of(struct drill *d, int fd, unsigned long request)
{
	int value = -1;

	assert_int_equal(d->ifc.ioctl(d->ud, fd, request, &value), 0);
	return value;
}

static void
reads(struct drill *d, int fd, int flags, const char *want)
{
	assert_int_equal(d->ifc.recv(d->ud, fd, text, sizeof(text), flags), strlen(want));
	assert_memory_equal(text, want, strlen(want));
}

static short
poll_of(struct drill *d, int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN | POLLPRI};

	(void)d->ifc.poll(d->ud, &pfd, 1, 0);
	return pfd.revents;
}

static void
the_last_octet_sent_is_urgent(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	assert_int_equal(d.ifc.send(d.ud, fd, text, 3, MSG_OOB), 3);
	drill_expect(&d, PKT_URG | PKT_PSH | PKT_ACK, 1, 1, 3);
	assert_int_equal(d.pkt.urg, 3);
	drill_seg(&d, PKT_ACK, 1, 4, 0);
	assert_int_equal(d.ifc.send(d.ud, fd, text, 3, 0), 3);
	drill_expect(&d, PKT_PSH | PKT_ACK, 4, 1, 3);
	drill_end(&d);
}

static void
an_octet_out_of_band(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	FAILS(d.ifc.recv(d.ud, fd, text, 1, MSG_OOB), EINVAL);
	urgent_in(&d, 1, "abcde", 5);
	assert_int_equal(poll_of(&d, fd), POLLIN | POLLPRI);
	assert_int_equal(ioctl_of(&d, fd, SIOCATMARK), 0);
	assert_int_equal(ioctl_of(&d, fd, SIOCINQ), 4);
	reads(&d, fd, MSG_PEEK, "abcd");
	reads(&d, fd, 0, "abcd");
	assert_int_equal(ioctl_of(&d, fd, SIOCATMARK), 1);
	assert_int_equal(poll_of(&d, fd), POLLPRI);
	urgent_in(&d, 6, "fg", 0);
	reads(&d, fd, MSG_OOB | MSG_PEEK, "e");
	reads(&d, fd, MSG_OOB, "e");
	FAILS(d.ifc.recv(d.ud, fd, text, 1, MSG_OOB), EINVAL);
	assert_int_equal(ioctl_of(&d, fd, SIOCINQ), 2);
	reads(&d, fd, MSG_PEEK, "fg");
	reads(&d, fd, 0, "fg");
	assert_int_equal(ioctl_of(&d, fd, SIOCATMARK), 0);
	assert_int_equal(poll_of(&d, fd), 0);
	drill_end(&d);
}

/* Nobody asked for it: it is passed over. */
static void
an_octet_nobody_wants(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	urgent_in(&d, 1, "abcdefg", 5);
	reads(&d, fd, 0, "abcd");
	reads(&d, fd, 0, "fg");
	FAILS(d.ifc.recv(d.ud, fd, text, 1, MSG_OOB), EINVAL);
	urgent_in(&d, 8, "hi", 2);
	reads(&d, fd, 0, "h");
	FAILS(d.ifc.recv(d.ud, fd, text, 9, 0), EAGAIN);
	FAILS(d.ifc.recv(d.ud, fd, text, 1, MSG_OOB), EINVAL);
	drill_end(&d);
}

static void
a_mark_in_the_stream(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	assert_int_equal(drill_get(&d, fd, SOL_SOCKET, SO_OOBINLINE), 0);
	assert_int_equal(drill_set(&d, fd, SOL_SOCKET, SO_OOBINLINE, 1), 0);
	assert_int_equal(drill_get(&d, fd, SOL_SOCKET, SO_OOBINLINE), 1);
	urgent_in(&d, 1, "abcdefg", 5);
	reads(&d, fd, 0, "abcd");
	assert_int_equal(ioctl_of(&d, fd, SIOCATMARK), 1);
	FAILS(d.ifc.recv(d.ud, fd, text, 1, MSG_OOB), EINVAL);
	reads(&d, fd, 0, "efg");
	assert_int_equal(ioctl_of(&d, fd, SIOCATMARK), 0);
	drill_end(&d);
}

/* The pointer may be ahead of the text. */
static void
a_mark_announced(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, NULL);
	fd = drill_connected(&d);
	urgent_in(&d, 1, "abc", 5);
	FAILS(d.ifc.recv(d.ud, fd, text, 1, MSG_OOB), EAGAIN);
	assert_int_equal(poll_of(&d, fd), POLLIN);
	urgent_in(&d, 4, "def", 0);
	assert_int_equal(poll_of(&d, fd), POLLIN | POLLPRI);
	reads(&d, fd, MSG_OOB, "e");
	reads(&d, fd, 0, "abcd");
	reads(&d, fd, 0, "f");
	drill_end(&d);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(the_last_octet_sent_is_urgent),
			cmocka_unit_test(an_octet_out_of_band),
			cmocka_unit_test(an_octet_nobody_wants),
			cmocka_unit_test(a_mark_in_the_stream),
			cmocka_unit_test(a_mark_announced),
	};

	if (!drill_args(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
