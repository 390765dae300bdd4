/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Opening and closing through the plug-in: whole scripts in the tool's words, with the
 * options octet for octet as each profile's scripts have them. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "packetdrill/drill.h"

enum {
	ESTABLISHED = 1,
	SYN_SENT,
	SYN_RECV,
	FIN_WAIT1,
	FIN_WAIT2,
	TIME_WAIT,
	CLOSE,
	CLOSE_WAIT,
	LAST_ACK,
	LISTEN,
	CLOSING
};

/* connect, then close first: SYN, ACK, FIN, ACK of the peer's FIN, TIME-WAIT. */
static void
close_first(struct drill *d)
{
	int fd = drill_connected(d);

	assert_int_equal(drill_state(d, fd), ESTABLISHED);
	drill_at(d, 100 * DRILL_MS);
	assert_int_equal(d->ifc.close(d->ud, fd), 0);
	drill_expect(d, PKT_FIN | PKT_ACK, 1, 1, 0);
	NEAR(d->pkt_time, 100 * DRILL_MS, 10);
	drill_at(d, 200 * DRILL_MS);
	drill_seg(d, PKT_ACK, 1, 2, 0);
	drill_seg(d, PKT_FIN | PKT_ACK, 1, 2, 0);
	drill_expect(d, PKT_ACK, 2, 2, 0);
}

static void
active_open_and_close_first(void **state)
{
	static const char *const flags[] = {
			NULL, "linux", "freebsd", "linux,mtu=9000,isn=0xffffffff"};
	struct drill d;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		drill_begin(&d, flags[i]);
		close_first(&d);
		drill_end(&d);
	}
}

/* 60 s of TIME-WAIT: until then the peer's FIN is acknowledged again, then it meets
 * nobody and is reset. */
static void
time_wait_lasts_60_s_of_virtual_time(void **state)
{
	struct drill d;

	drill_begin(&d, "linux");
	close_first(&d);
	drill_at(&d, 59000 * DRILL_MS);
	drill_seg(&d, PKT_FIN | PKT_ACK, 1, 2, 0);
	drill_expect(&d, PKT_ACK, 2, 2, 0);
	drill_at(&d, 118000 * DRILL_MS); /* it began again with the FIN */
	drill_seg(&d, PKT_FIN | PKT_ACK, 1, 2, 0);
	drill_expect(&d, PKT_ACK, 2, 2, 0);
	drill_at(&d, 179000 * DRILL_MS);
	drill_seg(&d, PKT_FIN | PKT_ACK, 1, 2, 0);
	drill_expect(&d, PKT_RST, 2, 0, 0);
	drill_end(&d);
}

static void
shorter_2msl(void **state)
{
	struct drill d;

	drill_begin(&d, "linux,2msl=2000");
	close_first(&d);
	drill_at(&d, 3000 * DRILL_MS);
	drill_seg(&d, PKT_FIN | PKT_ACK, 1, 2, 0);
	drill_expect(&d, PKT_RST, 2, 0, 0);
	drill_end(&d);
}

/* examples/close.pkt, line by line. */
static void
the_example_script(void **state)
{
	struct drill d;
	int fd, conn;

	drill_begin(&d, "linux,nots");
	fd = drill_listener(&d);
	drill_at(&d, 100 * DRILL_MS);
	drill_in(&d, &(struct build){.flags = PKT_SYN,
				     .wnd = 65535,
				     .opts = PKT_OPT_MSS | PKT_OPT_SACK_PERM | PKT_OPT_WSCALE,
				     .mss = (uint16_t)d.mss,
				     .wscale = 7});
	drill_expect(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	assert_string_equal(drill_options(&d), "020405b40101040201030308");
	drill_at(&d, 200 * DRILL_MS);
	drill_seg(&d, PKT_ACK, 1, 1, 0);
	conn = drill_accept(&d, fd);
	drill_at(&d, 300 * DRILL_MS);
	assert_int_equal(d.ifc.close(d.ud, conn), 0);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	drill_at(&d, 400 * DRILL_MS);
	drill_seg(&d, PKT_FIN | PKT_ACK, 1, 2, 0);
	drill_expect(&d, PKT_ACK, 2, 2, 0);
	assert_string_equal(drill_options(&d), "");
	drill_at(&d, 59400 * DRILL_MS);
	drill_seg(&d, PKT_FIN | PKT_ACK, 1, 2, 0);
	drill_expect(&d, PKT_ACK, 2, 2, 0);
	drill_at(&d, 120400 * DRILL_MS);
	drill_seg(&d, PKT_FIN | PKT_ACK, 1, 2, 0);
	drill_expect(&d, PKT_RST, 2, 0, 0);
	drill_end(&d);
}

/* ---- options --------------------------------------------------------------------------- */

struct order_row {
	const char *flags;
	const char *head; /* up to the timestamp's value; the value itself differs */
	const char *tail;
};

static void
syn_of(struct drill *d, const char *flags)
{
	drill_begin(d, flags);
	assert_int_equal(drill_nonblock(d, drill_socket(d)), 0);
}

/* mss 1460, then as the two systems write them. */
static void
options_of_the_syn_in_the_order_of_the_profile(void **state)
{
	static const struct order_row rows[] = {
			{"linux", "020405b40402080a", "01030308"},
			{"linux,nosack", "020405b40101080a", "01030308"},
			{"linux,nows", "020405b40402080a", ""},
			{"linux,nots", "020405b40101040201030308", ""},
			{"linux,nots,nosack", "020405b401030308", ""},
			{"linux,nots,nosack,nows", "020405b4", ""},
			{"linux,nots,nows", "020405b401010402", ""},
			{"freebsd", "020405b4010303060402080a", ""},
			{"freebsd,nosack", "020405b4010303060101080a", ""},
			{"freebsd,nots", "020405b40103030604020000", ""},
			{"freebsd,nots,nosack", "020405b401030306", ""},
			{"freebsd,nots,nows", "020405b404020000", ""},
			{"freebsd,mtu=1400,nots,nosack,wscale=2", "0204055001030302", ""},
	};
	struct drill d;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got;
		int fd;

		syn_of(&d, rows[i].flags);
		fd = drill_socket(&d);
		drill_nonblock(&d, fd);
		drill_connect(&d, fd);
		drill_expect(&d, PKT_SYN, 0, 0, 0);
		got = drill_options(&d);
		if (strncmp(got, rows[i].head, strlen(rows[i].head)) != 0 ||
				strcmp(got + strlen(got) - strlen(rows[i].tail), rows[i].tail) != 0)
			fail_msg("%s: %s", rows[i].flags, got);
		drill_end(&d);
	}
}

static void
peer_syn(struct drill *d)
{
	drill_in(d, &(struct build){.flags = PKT_SYN,
				    .wnd = 65535,
				    .opts = PKT_OPT_MSS | PKT_OPT_WSCALE | PKT_OPT_TS |
					    PKT_OPT_SACK_PERM,
				    .mss = (uint16_t)d->mss,
				    .wscale = 6,
				    .tsval = 1000});
}

/* The window in units of the wire's shift. The SYN's 65535 ended at 65536, and the edge
 * does not move by less than a segment (RFC 9293 3.8.6.2.2). */
static void
freebsd_passive_open_with_window_scale_6(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "freebsd");
	fd = drill_listener(&d);
	peer_syn(&d);
	drill_expect(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	assert_int_equal(d.pkt.wnd, 65535);
	assert_memory_equal(drill_options(&d), "020405b4010303060402080a", 24);
	d.has_ts = true;
	d.tsval = 1001;
	drill_seg(&d, PKT_ACK, 1, 1, 0);
	assert_true(drill_accept(&d, fd) > 2);
	drill_seg(&d, PKT_PSH | PKT_ACK, 1, 1, 100);
	drill_expect(&d, PKT_ACK, 1, 101, 0);
	assert_int_equal(d.pkt.wnd, (65536 - 101) / 64);
	assert_memory_equal(drill_options(&d), "0101080a", 8);
	NEAR(d.pkt_time, 40 * DRILL_MS, 4 * DRILL_MS); /* delayed */
	drill_end(&d);
}

/* A peer without the option gets unscaled windows. */
static void
no_window_scale_if_the_peer_has_none(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux");
	fd = drill_listener(&d);
	assert_true(drill_accepted(&d, fd) > 2);
	drill_seg(&d, PKT_ACK, 1, 1, 1000);
	drill_expect(&d, PKT_ACK, 1, 1001, 0);
	assert_int_equal(d.pkt.wnd, 65535 - 1000);
	drill_end(&d);
}

/* ---- sequence numbers ---------------------------------------------------------------------- */

static void
initial_numbers_65536_apart(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux,isn=4294967295");
	fd = drill_listener(&d);
	drill_accepted(&d, fd);
	assert_int_equal(d.iss, 4294967295u);
	d.rport++;
	drill_accepted(&d, fd);
	assert_int_equal(d.iss, 65535);
	d.rport++;
	drill_accepted(&d, fd);
	assert_int_equal(d.iss, 131071);
	drill_end(&d);
}

/* The cookie is a number of the context's; the script sees the usual one, and the
 * SYN-ACK is sent once. */
static void
cookies_in_the_numbers_of_the_wire(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux,syncookies,wait=20");
	fd = drill_listener(&d);
	drill_seg(&d, PKT_SYN, 0, 0, 0);
	drill_expect(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	assert_int_equal(d.iss, 0x10000);
	assert_null(drill_out(&d));
	drill_seg(&d, PKT_ACK, 1, 1, 0);
	assert_true(drill_accept(&d, fd) > 2);
	drill_end(&d);
}

static void
a_syn_is_repeated_with_its_number(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux");
	fd = drill_socket(&d);
	drill_nonblock(&d, fd);
	drill_connect(&d, fd);
	drill_expect(&d, PKT_SYN, 0, 0, 0);
	assert_int_equal(d.iss, 0x10000);
	drill_expect(&d, PKT_SYN, 0, 0, 0);
	assert_int_equal(d.iss, 0x10000);
	NEAR(d.pkt_time, 1000 * DRILL_MS, 10 * DRILL_MS);
	drill_end(&d);
}

static void
selective_acknowledgments_in_the_numbers_of_the_wire(void **state)
{
	struct drill d;
	char text[4000] = {0};
	int fd;

	drill_begin(&d, "linux,nots,nows");
	fd = drill_listener(&d);
	drill_in(&d, &(struct build){.flags = PKT_SYN,
				     .wnd = 65535,
				     .opts = PKT_OPT_MSS | PKT_OPT_SACK_PERM,
				     .mss = 1000});
	drill_expect(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	drill_seg(&d, PKT_ACK, 1, 1, 0);
	fd = drill_accept(&d, fd);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 4000), 4000);
	for (uint32_t at = 1; at < 4001; at += 1000)
		drill_expect(&d, at == 3001 ? PKT_PSH | PKT_ACK : PKT_ACK, at, 1, 1000);
	/* The first is missing, the others came: it alone is sent again. */
	drill_in(&d, &(struct build){.flags = PKT_ACK,
				     .seq = 1,
				     .ack = 1,
				     .wnd = 65535,
				     .opts = PKT_OPT_SACK,
				     .n_sack = 1,
				     .sack = {{1001, 4001}}});
	drill_expect(&d, PKT_ACK, 1, 1, 1000);
	drill_seg(&d, PKT_ACK, 1, 4001, 0);
	d.ifc.close(d.ud, fd);
	drill_expect(&d, PKT_FIN | PKT_ACK, 4001, 1, 0);
	drill_end(&d);
}

/* ---- nobody there, resets, nothing --------------------------------------------------------- */

static void
closed_port_resets_without_any_socket(void **state)
{
	struct drill d;

	drill_begin(&d, "linux");
	d.port = DRILL_PORT;
	drill_seg(&d, PKT_SYN, 0, 0, 0);
	drill_expect(&d, PKT_RST | PKT_ACK, 0, 1, 0);
	drill_seg(&d, PKT_ACK, 1, 77, 0);
	drill_expect(&d, PKT_RST, 77, 0, 0);
	drill_end(&d);
}

static void
nothing_leaves_within_the_bound(void **state)
{
	struct drill d;
	long long before;

	drill_begin(&d, "linux,wait=50");
	drill_listener(&d);
	before = drill_now(&d);
	assert_null(drill_out(&d));
	NEAR(drill_now(&d) - before, 50000 * DRILL_MS, DRILL_MS);
	drill_end(&d);
}

static void
passive_close_after_the_peer(void **state)
{
	struct drill d;
	int fd, conn;

	drill_begin(&d, "linux");
	fd = drill_listener(&d);
	assert_int_equal(drill_state(&d, fd), LISTEN);
	conn = drill_accepted(&d, fd);
	drill_seg(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	drill_expect(&d, PKT_ACK, 1, 2, 0);
	assert_int_equal(drill_state(&d, conn), CLOSE_WAIT);
	assert_int_equal(d.ifc.shutdown(d.ud, conn, SHUT_WR), 0);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 2, 0);
	assert_int_equal(drill_state(&d, conn), LAST_ACK);
	drill_seg(&d, PKT_ACK, 2, 2, 0);
	assert_int_equal(drill_state(&d, conn), CLOSE);
	assert_int_equal(d.ifc.close(d.ud, conn), 0);
	drill_end(&d);
}

static void
states_in_the_numbers_of_linux(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux");
	fd = drill_socket(&d);
	assert_int_equal(drill_state(&d, fd), CLOSE);
	drill_nonblock(&d, fd);
	drill_connect(&d, fd);
	assert_int_equal(drill_state(&d, fd), SYN_SENT);
	drill_expect(&d, PKT_SYN, 0, 0, 0);
	drill_seg(&d, PKT_SYN, 0, 0, 0); /* both at once */
	drill_expect(&d, PKT_SYN | PKT_ACK, 0, 1, 0);
	assert_int_equal(drill_state(&d, fd), SYN_RECV);
	drill_seg(&d, PKT_ACK, 1, 1, 0);
	assert_int_equal(drill_state(&d, fd), ESTABLISHED);
	d.ifc.shutdown(d.ud, fd, SHUT_WR);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	assert_int_equal(drill_state(&d, fd), FIN_WAIT1);
	drill_seg(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	drill_expect(&d, PKT_ACK, 2, 2, 0);
	assert_int_equal(drill_state(&d, fd), CLOSING);
	d.ifc.close(d.ud, fd);
	fd = drill_connected(&d);
	d.ifc.shutdown(d.ud, fd, SHUT_WR);
	drill_expect(&d, PKT_FIN | PKT_ACK, 1, 1, 0);
	drill_seg(&d, PKT_ACK, 1, 2, 0);
	assert_int_equal(drill_state(&d, fd), FIN_WAIT2);
	drill_end(&d);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(active_open_and_close_first),
			cmocka_unit_test(time_wait_lasts_60_s_of_virtual_time),
			cmocka_unit_test(shorter_2msl),
			cmocka_unit_test(the_example_script),
			cmocka_unit_test(options_of_the_syn_in_the_order_of_the_profile),
			cmocka_unit_test(freebsd_passive_open_with_window_scale_6),
			cmocka_unit_test(no_window_scale_if_the_peer_has_none),
			cmocka_unit_test(initial_numbers_65536_apart),
			cmocka_unit_test(cookies_in_the_numbers_of_the_wire),
			cmocka_unit_test(a_syn_is_repeated_with_its_number),
			cmocka_unit_test(selective_acknowledgments_in_the_numbers_of_the_wire),
			cmocka_unit_test(closed_port_resets_without_any_socket),
			cmocka_unit_test(nothing_leaves_within_the_bound),
			cmocka_unit_test(passive_close_after_the_peer),
			cmocka_unit_test(states_in_the_numbers_of_linux),
	};

	if (!drill_args(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
