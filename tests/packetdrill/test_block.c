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

/* 100 octets in flight, and so many seconds for them. */
static long long
call_lingering_close(struct drill_call *call)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = (int)call->len};
	struct drill *d = call->d;

	assert_int_equal(d->ifc.setsockopt(d->ud, call->fd, SOL_SOCKET, SO_LINGER, &linger,
					 sizeof(linger)),
			0);
	assert_int_equal(d->ifc.write(d->ud, call->fd, text, 100), 100);
	return d->ifc.close(d->ud, call->fd);
}

static long long
call_poll(struct drill_call *call)
{
	struct pollfd pfd = {.fd = call->fd, .events = POLLIN};
	int n = call->d->ifc.poll(call->d->ud, &pfd, 1, (int)call->len);

	return n == 1 ? pfd.revents : n;
}

static bool
is_over(const struct drill_call *call)
{
	return __atomic_load_n(&call->is_over, __ATOMIC_ACQUIRE);
}

/* ---- one call, a few packets ------------------------------------------------------------- */

enum opening { UNCONNECTED, LISTENING, CONNECTED };

enum { STEPS_MAX = 4, ANY_FD = -2, TO_THE_END_MS = 10000 };

struct step {
	enum { STEP_END, STEP_IN, STEP_OUT } what;
	long long at_ms; /* of what comes in: the call must sleep until then */
	uint8_t flags;
	uint32_t seq, ack, len;
};

struct row {
	const char *name;
	const char *flags;
	enum opening opening;
	long long (*fn)(struct drill_call *call);
	size_t len; /* or a timeout in ms */
	struct step steps[STEPS_MAX];
	long long ret; /* ANY_FD: a descriptor */
	int err;       /* if ret is -1 */
	long long done_ms, tolerance_ms;
};

/* clang-format off */
static const struct row rows[] = {
	{"accept sleeps until the third ACK", NULL, LISTENING, call_accept, 0,
		{{STEP_IN, 100, PKT_SYN, 0, 0, 0},
		 {STEP_OUT, 0, PKT_SYN | PKT_ACK, 0, 1, 0},
		 {STEP_IN, 200, PKT_ACK, 1, 1, 0}},
		ANY_FD, 0, 200, 0},
	{"connect sleeps until the answer", NULL, UNCONNECTED, call_connect, 0,
		{{STEP_OUT, 0, PKT_SYN, 0, 0, 0},
		 {STEP_IN, 50, PKT_SYN | PKT_ACK, 0, 1, 0},
		 {STEP_OUT, 0, PKT_ACK, 1, 1, 0}},
		0, 0, 50, 0},
	{"connect sleeps until it is refused", NULL, UNCONNECTED, call_connect, 0,
		{{STEP_OUT, 0, PKT_SYN, 0, 0, 0},
		 {STEP_IN, 50, PKT_RST | PKT_ACK, 0, 1, 0}},
		-1, ECONNREFUSED, 50, 0},
	/* After 1 s, 2 s more, and the wait of 4 s for the last one. */
	{"connect times out in virtual time", "linux,synretries=2", UNCONNECTED, call_connect, 0,
		{{STEP_END, 0, 0, 0, 0, 0}}, -1, ETIMEDOUT, 7000, 2000},
	{"read sleeps until there is text", NULL, CONNECTED, call_recv, 1000,
		{{STEP_IN, 70, PKT_PSH | PKT_ACK, 1, 1, 300}}, 300, 0, 70, 0},
	{"read ends with a FIN", NULL, CONNECTED, call_recv, 1000,
		{{STEP_IN, 5, PKT_FIN | PKT_ACK, 1, 1, 0}}, 0, 0, 5, 0},
	{"read ends with a reset", NULL, CONNECTED, call_recv, 1000,
		{{STEP_IN, 5, PKT_RST | PKT_ACK, 1, 1, 0}}, -1, ECONNRESET, 5, 0},
	{"read of all sleeps for each piece", NULL, CONNECTED, call_recv_all, 500,
		{{STEP_IN, 10, PKT_ACK, 1, 1, 300},
		 {STEP_IN, 20, PKT_ACK, 301, 1, 300}}, 500, 0, 20, 0},
	{"read of all ends early with a FIN", NULL, CONNECTED, call_recv_all, 500,
		{{STEP_IN, 10, PKT_FIN | PKT_ACK, 1, 1, 300}}, 300, 0, 10, 0},
	{"poll sleeps until something is readable", NULL, CONNECTED, call_poll, 250,
		{{STEP_IN, 110, PKT_ACK, 1, 1, 100}}, POLLIN, 0, 110, 0},
	{"poll sleeps until its timeout", NULL, CONNECTED, call_poll, 250,
		{{STEP_END, 0, 0, 0, 0, 0}}, 0, 0, 250, 0},
	{"close need not sleep", NULL, CONNECTED, call_close, 0,
		{{STEP_OUT, 0, PKT_FIN | PKT_ACK, 1, 1, 0}}, 0, 0, 0, 0},
	{"close lingers until all is acknowledged", NULL, CONNECTED, call_lingering_close, 2,
		{{STEP_OUT, 0, PKT_PSH | PKT_ACK, 1, 1, 100},
		 {STEP_OUT, 0, PKT_FIN | PKT_ACK, 101, 1, 0},
		 {STEP_IN, 50, PKT_ACK, 1, 102, 0}}, 0, 0, 50, 20},
	{"close lingers until its time is over", NULL, CONNECTED, call_lingering_close, 2,
		{{STEP_OUT, 0, PKT_PSH | PKT_ACK, 1, 1, 100},
		 {STEP_OUT, 0, PKT_FIN | PKT_ACK, 101, 1, 0}}, 0, 0, 2000, 20},
};
/* clang-format on */

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static int
open_for(struct drill *d, enum opening opening)
{
	int fd;

	if (opening == UNCONNECTED)
		return drill_socket(d);
	if (opening == LISTENING)
		return drill_listener(d);
	fd = drill_connected(d);
	assert_int_equal(d->ifc.fcntl(d->ud, fd, F_SETFL, 0), 0);
	return fd;
}

static void
run_step(const struct drill_call *call, const struct step *step)
{
	if (step->what == STEP_OUT)
		drill_expect(call->d, step->flags, step->seq, step->ack, step->len);
	if (step->what != STEP_IN)
		return;
	drill_at(call->d, step->at_ms * DRILL_MS);
	assert_false(is_over(call));
	drill_seg(call->d, step->flags, step->seq, step->ack, step->len);
}

static void
call_sleeps(void **state)
{
	const struct row *r = *state;
	struct drill_call call = {.fn = r->fn, .buf = text, .len = r->len};
	struct drill d;

	drill_begin(&d, r->flags);
	call.d = &d;
	call.fd = open_for(&d, r->opening);
	drill_start(&call);
	for (int i = 0; i < STEPS_MAX; i++)
		run_step(&call, &r->steps[i]);
	drill_at(&d, TO_THE_END_MS * DRILL_MS);
	drill_join(&call);
	if (r->ret == ANY_FD)
		assert_true(call.ret > 2);
	else
		assert_int_equal(call.ret, r->ret);
	if (r->ret == -1)
		assert_int_equal(call.err, r->err);
	NEAR(call.done_us, r->done_ms * DRILL_MS, r->tolerance_ms * DRILL_MS + 10);
	drill_end(&d);
}

/* ---- others ------------------------------------------------------------------------------ */

/* A buffer of 5 segments: the call returns when the last octet is queued. */
static void
write_sleeps_until_all_is_queued(void **state)
{
	struct drill_call call = {.fn = call_write, .buf = text};
	struct drill d;

	drill_begin(&d, "linux");
	call.d = &d;
	call.len = 10 * d.mss;
	call.fd = drill_connected(&d);
	assert_int_equal(drill_set(&d, call.fd, SOL_SOCKET, SO_SNDBUF, 5 * d.mss), 0);
	d.ifc.fcntl(d.ud, call.fd, F_SETFL, 0);
	drill_start(&call);
	for (uint32_t at = 1; at < 1 + 5 * d.mss; at += d.mss)
		assert_int_equal(drill_out(&d)->seq, at);
	drill_at(&d, 40 * DRILL_MS);
	assert_false(is_over(&call));
	drill_seg(&d, PKT_ACK, 1, 1 + 5 * d.mss, 0);
	for (uint32_t at = 1 + 5 * d.mss; at < 1 + 10 * d.mss; at += d.mss)
		assert_int_equal(drill_out(&d)->seq, at);
	drill_at(&d, 50 * DRILL_MS);
	drill_join(&call);
	assert_int_equal(call.ret, 10 * d.mss);
	NEAR(call.done_us, 40 * DRILL_MS, 10);
	drill_end(&d);
}

/* The socket goes away under the sleeper. */
static void
closed_while_accept_sleeps(void **state)
{
	struct drill_call call = {.fn = call_accept};
	struct drill d;

	drill_begin(&d, NULL);
	call.d = &d;
	call.fd = drill_listener(&d);
	drill_start(&call);
	assert_int_equal(d.ifc.close(d.ud, call.fd), 0);
	drill_join(&call);
	assert_int_equal(call.ret, -1);
	assert_int_equal(call.err, EINVAL);
	drill_end(&d);
}

/* The tool gives the plug-in back while a call still sleeps. */
static void
the_end_wakes_a_sleeper(void **state)
{
	struct drill_call call = {.fn = call_recv, .buf = text, .len = 10};
	struct drill d;

	drill_begin(&d, NULL);
	call.d = &d;
	call.fd = open_for(&d, CONNECTED);
	drill_start(&call);
	assert_false(is_over(&call));
	call.is_at_end = true;
	drill_end(&d);
	drill_join(&call);
	assert_int_equal(call.ret, -1);
	assert_int_equal(call.err, EBADF);
}

/* Without a second thread a blocking call moves the clock itself. */
static void
the_main_thread_moves_its_own_clock(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux,synretries=1,wait=30");
	fd = drill_socket(&d);
	assert_int_equal(drill_connect(&d, fd), -1);
	assert_int_equal(errno, ETIMEDOUT);
	NEAR(drill_now(&d), 3000 * DRILL_MS, 1000 * DRILL_MS);
	drill_expect(&d, PKT_SYN, 0, 0, 0);
	fd = drill_listener(&d);
	assert_int_equal(drill_accept(&d, fd), -1);
	assert_int_equal(errno, EAGAIN);
	drill_end(&d);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest others[] = {
			cmocka_unit_test(write_sleeps_until_all_is_queued),
			cmocka_unit_test(closed_while_accept_sleeps),
			cmocka_unit_test(the_end_wakes_a_sleeper),
			cmocka_unit_test(the_main_thread_moves_its_own_clock),
	};
	struct CMUnitTest tests[N_ROWS + sizeof(others) / sizeof(others[0])];

	if (!drill_args(argc, argv))
		return 2;
	for (size_t i = 0; i < N_ROWS; i++)
		tests[i] = (struct CMUnitTest){
				rows[i].name, call_sleeps, NULL, NULL, (void *)(uintptr_t)&rows[i]};
	memcpy(tests + N_ROWS, others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
