/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Blocking calls: on a second thread, which must sleep until the main thread's clock
 * reaches the moment at which it can return, and must tell that moment afterwards. */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "packetdrill/drill.h"

static char text[100000];

static long long
call_accept(struct drill_call *call)
{
	return drill_accept(call->d, call->fd);
}

static long long
call_connect(struct drill_call *call)
{
	return drill_connect(call->d, call->fd);
}

static long long
call_recv(struct drill_call *call)
{
	return call->d->ifc.recv(call->d->ud, call->fd, call->buf, call->len, 0);
}

static long long
call_recv_all(struct drill_call *call)
{
	return call->d->ifc.recv(call->d->ud, call->fd, call->buf, call->len, MSG_WAITALL);
}

static long long
call_write(struct drill_call *call)
{
	return call->d->ifc.write(call->d->ud, call->fd, call->buf, call->len);
}

static long long
call_close(struct drill_call *call)
{
	return call->d->ifc.close(call->d->ud, call->fd);
}

static long long
call_poll(struct drill_call *call)
{
	struct pollfd pfd = {.fd = call->fd, .events = POLLIN};
	int n = call->d->ifc.poll(call->d->ud, &pfd, 1, call->timeout_ms);

	return n == 1 ? pfd.revents : n;
}

static bool
is_over(const struct drill_call *call)
{
	return __atomic_load_n(&call->is_over, __ATOMIC_ACQUIRE);
}

static void
accept_sleeps_until_the_third_ack(void **state)
{
	struct drill_call call = {.fn = call_accept};
	struct drill d;

	drill_begin(&d, AF_INET, NULL);
	call.d = &d;
	call.fd = drill_listener(&d);
	drill_start(&call);
	drill_at(&d, 100 * DRILL_MS);
	drill_seg(&d, PKT_SYN, 0, 0, 0);
	drill_expect(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	drill_at(&d, 200 * DRILL_MS);
	assert_false(is_over(&call));
	drill_seg(&d, PKT_ACK, 1, 1, 0);
	drill_at(&d, 300 * DRILL_MS);
	drill_join(&call);
	assert_true(call.ret > 2);
	NEAR(call.done_us, 200 * DRILL_MS, 10);
	drill_end(&d);
}

/* The peer's answer lets connect() return; its refusal too. */
static void
connect_sleeps_until_the_answer(void **state)
{
	for (int is_refused = 0; is_refused < 2; is_refused++) {
		struct drill_call call = {.fn = call_connect};
		struct drill d;

		drill_begin(&d, AF_INET, NULL);
		call.d = &d;
		call.fd = drill_socket(&d);
		drill_start(&call);
		drill_expect(&d, PKT_SYN, 0, 0, 0);
		drill_at(&d, 50 * DRILL_MS);
		if (is_refused) {
			drill_seg(&d, PKT_RST | PKT_ACK, 0, 1, 0);
		} else {
			drill_seg(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
			drill_expect(&d, PKT_ACK, 1, 1, 0);
		}
		drill_at(&d, 60 * DRILL_MS);
		drill_join(&call);
		assert_int_equal(call.ret, is_refused ? -1 : 0);
		if (is_refused)
			assert_int_equal(call.err, ECONNREFUSED);
		NEAR(call.done_us, 50 * DRILL_MS, 10);
		assert_int_equal(drill_error(&d, call.fd), 0);
		drill_end(&d);
	}
}

/* Nothing is injected: the clock alone, moved by the wait, ends the call. */
static void
connect_times_out_in_virtual_time(void **state)
{
	struct drill_call call = {.fn = call_connect};
	struct drill d;

	drill_begin(&d, AF_INET, "linux,synretries=2");
	call.d = &d;
	call.fd = drill_socket(&d);
	drill_start(&call);
	drill_at(&d, 100000 * DRILL_MS);
	drill_join(&call);
	assert_int_equal(call.ret, -1);
	assert_int_equal(call.err, ETIMEDOUT);
	/* After 1 s, 2 s more, and the wait of 4 s for the last one. */
	NEAR(call.done_us, 7000 * DRILL_MS, 2000 * DRILL_MS);
	drill_end(&d);
}

static void
read_sleeps_until_there_is_text(void **state)
{
	struct drill_call call = {.fn = call_recv, .buf = text, .len = 1000};
	struct drill d;

	drill_begin(&d, AF_INET, NULL);
	call.d = &d;
	call.fd = drill_connected(&d);
	d.ifc.fcntl(d.ud, call.fd, F_SETFL, 0);
	drill_start(&call);
	drill_at(&d, 70 * DRILL_MS);
	assert_false(is_over(&call));
	drill_seg(&d, PKT_PSH | PKT_ACK, 1, 1, 300);
	drill_at(&d, 80 * DRILL_MS);
	drill_join(&call);
	assert_int_equal(call.ret, 300);
	NEAR(call.done_us, 70 * DRILL_MS, 10);
	drill_end(&d);
}

/* A FIN ends it with 0, a reset with ECONNRESET. */
static void
read_ends_with_the_connection(void **state)
{
	for (int is_reset = 0; is_reset < 2; is_reset++) {
		struct drill_call call = {.fn = call_recv, .buf = text, .len = 1000};
		struct drill d;

		drill_begin(&d, AF_INET, NULL);
		call.d = &d;
		call.fd = drill_connected(&d);
		d.ifc.fcntl(d.ud, call.fd, F_SETFL, 0);
		drill_start(&call);
		drill_seg(&d, (is_reset ? PKT_RST : PKT_FIN) | PKT_ACK, 1, 1, 0);
		drill_at(&d, 10 * DRILL_MS);
		drill_join(&call);
		assert_int_equal(call.ret, is_reset ? -1 : 0);
		if (is_reset)
			assert_int_equal(call.err, ECONNRESET);
		drill_end(&d);
	}
}

/* Two sleeps in one call. */
static void
read_all_sleeps_for_each_piece(void **state)
{
	struct drill_call call = {.fn = call_recv_all, .buf = text, .len = 500};
	struct drill d;

	drill_begin(&d, AF_INET, NULL);
	call.d = &d;
	call.fd = drill_connected(&d);
	d.ifc.fcntl(d.ud, call.fd, F_SETFL, 0);
	drill_start(&call);
	drill_at(&d, 10 * DRILL_MS);
	drill_seg(&d, PKT_ACK, 1, 1, 300);
	drill_at(&d, 20 * DRILL_MS);
	assert_false(is_over(&call));
	drill_seg(&d, PKT_ACK, 301, 1, 300);
	drill_at(&d, 30 * DRILL_MS);
	drill_join(&call);
	assert_int_equal(call.ret, 500);
	NEAR(call.done_us, 20 * DRILL_MS, 10);
	drill_end(&d);
}

/* A buffer of 5 segments: the call returns when the last octet is queued. */
static void
write_sleeps_until_all_is_queued(void **state)
{
	struct drill_call call = {.fn = call_write, .buf = text, .len = 14600};
	struct drill d;

	drill_begin(&d, AF_INET, "linux,sndbuf=7300");
	call.d = &d;
	call.fd = drill_connected(&d);
	d.ifc.fcntl(d.ud, call.fd, F_SETFL, 0);
	drill_start(&call);
	for (uint32_t at = 1; at < 7301; at += 1460)
		assert_int_equal(drill_out(&d)->seq, at);
	drill_at(&d, 40 * DRILL_MS);
	assert_false(is_over(&call));
	drill_seg(&d, PKT_ACK, 1, 7301, 0);
	for (uint32_t at = 7301; at < 14601; at += 1460)
		assert_int_equal(drill_out(&d)->seq, at);
	drill_at(&d, 50 * DRILL_MS);
	drill_join(&call);
	assert_int_equal(call.ret, 14600);
	NEAR(call.done_us, 40 * DRILL_MS, 10);
	drill_end(&d);
}

static void
poll_sleeps_until_readable_or_timeout(void **state)
{
	for (int is_early = 0; is_early < 2; is_early++) {
		struct drill_call call = {.fn = call_poll, .timeout_ms = 250};
		struct drill d;
		long long start;

		drill_begin(&d, AF_INET, NULL);
		call.d = &d;
		call.fd = drill_connected(&d);
		drill_at(&d, 10 * DRILL_MS);
		start = drill_now(&d);
		drill_start(&call);
		drill_at(&d, 110 * DRILL_MS);
		if (is_early)
			drill_seg(&d, PKT_ACK, 1, 1, 100);
		drill_at(&d, 1000 * DRILL_MS);
		drill_join(&call);
		assert_int_equal(call.ret, is_early ? POLLIN : 0);
		NEAR(call.done_us, is_early ? 110 * DRILL_MS : start + 250 * DRILL_MS, 10);
		drill_end(&d);
	}
}

/* The socket goes away under the sleeper. */
static void
closed_while_accept_sleeps(void **state)
{
	struct drill_call call = {.fn = call_accept};
	struct drill d;

	drill_begin(&d, AF_INET, NULL);
	call.d = &d;
	call.fd = drill_listener(&d);
	drill_start(&call);
	assert_int_equal(d.ifc.close(d.ud, call.fd), 0);
	drill_join(&call);
	assert_int_equal(call.ret, -1);
	assert_int_equal(call.err, EINVAL);
	drill_end(&d);
}

/* Without a second thread a blocking call moves the clock itself. */
static void
the_main_thread_moves_its_own_clock(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, AF_INET, "linux,synretries=1,wait=30");
	fd = drill_socket(&d);
	assert_int_equal(drill_connect(&d, fd), -1);
	assert_int_equal(errno, ETIMEDOUT);
	NEAR(drill_now(&d), 3000 * DRILL_MS, 1000 * DRILL_MS);
	fd = drill_listener(&d);
	assert_int_equal(drill_accept(&d, fd), -1);
	assert_int_equal(errno, EAGAIN);
	drill_end(&d);
}

static void
a_call_that_need_not_sleep(void **state)
{
	struct drill_call call = {.fn = call_close};
	struct drill d;

	drill_begin(&d, AF_INET, NULL);
	call.d = &d;
	call.fd = drill_connected(&d);
	drill_at(&d, 5 * DRILL_MS);
	drill_start(&call);
	drill_at(&d, 400 * DRILL_MS);
	drill_join(&call);
	assert_int_equal(call.ret, 0);
	NEAR(call.done_us, 5 * DRILL_MS, 10);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	drill_end(&d);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(accept_sleeps_until_the_third_ack),
			cmocka_unit_test(connect_sleeps_until_the_answer),
			cmocka_unit_test(connect_times_out_in_virtual_time),
			cmocka_unit_test(read_sleeps_until_there_is_text),
			cmocka_unit_test(read_ends_with_the_connection),
			cmocka_unit_test(read_all_sleeps_for_each_piece),
			cmocka_unit_test(write_sleeps_until_all_is_queued),
			cmocka_unit_test(poll_sleeps_until_readable_or_timeout),
			cmocka_unit_test(closed_while_accept_sleeps),
			cmocka_unit_test(the_main_thread_moves_its_own_clock),
			cmocka_unit_test(a_call_that_need_not_sleep),
	};

	if (argc != 2)
		return 2;
	drill_path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
