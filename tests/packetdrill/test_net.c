/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What so_flags changes about the connection: congestion control and notification, the
 * initial window, probes of the tail, ACKs of small segments; own addresses; packets that no
 * frame could carry. */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "packetdrill/drill.h"
#include "pmtcp.h"

static char text[65536];

/* ---- congestion notification (RFC 3168) ------------------------------------------------- */

enum { ECT0 = 2, CE = 3 };

static void
ecn_in(struct drill *d, uint8_t flags, uint32_t seq, uint32_t ack, uint8_t tos)
{
	drill_in(d, &(struct build){.flags = flags,
				    .seq = seq,
				    .ack = ack,
				    .wnd = 65535,
				    .tos = tos,
				    .payload = text,
				    .len = tos == CE ? 100 : 0});
}

static void
ecn_offered_marked_and_echoed(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux,nots,ecn=offer");
	fd = drill_socket(&d);
	drill_nonblock(&d, fd);
	FAILS(drill_connect(&d, fd), EINPROGRESS);
	drill_expect(&d, PKT_SYN | PKT_ECE | PKT_CWR, 0, 0, 0);
	assert_int_equal(d.pkt.tos, 0);
	ecn_in(&d, PKT_SYN | PKT_ACK | PKT_ECE, 0, 1, 0);
	drill_expect(&d, PKT_ACK, 1, 1, 0);
	/* A mark comes in: it is echoed until the peer says that it has reduced. */
	ecn_in(&d, PKT_ACK, 1, 1, CE);
	drill_expect(&d, PKT_ACK | PKT_ECE, 1, 101, 0);
	drill_seg(&d, PKT_ACK, 101, 1, 100);
	drill_expect(&d, PKT_ACK | PKT_ECE, 1, 201, 0);
	drill_seg(&d, PKT_ACK | PKT_CWR, 201, 1, 100);
	drill_expect(&d, PKT_ACK, 1, 301, 0);
	/* Text may be marked; the echo of that makes us reduce, and say so. */
	assert_int_equal(d.ifc.write(d.ud, fd, text, 100), 100);
	drill_expect(&d, PKT_PSH | PKT_ACK, 1, 301, 100);
	assert_int_equal(d.pkt.tos, ECT0);
	assert_int_equal(drill_set(&d, fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 100), 100);
	drill_expect(&d, PKT_PSH | PKT_ACK, 101, 301, 100);
	ecn_in(&d, PKT_ACK | PKT_ECE, 301, 101, 0);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 100), 100);
	drill_expect(&d, PKT_PSH | PKT_ACK | PKT_CWR, 201, 301, 100);
	drill_end(&d);
}

static void
ecn_accepted_or_not(void **state)
{
	static const char *const flags[] = {NULL, "linux,ecn=accept", "linux,ecn=off"};
	struct drill d;

	for (int i = 0; i < 3; i++) {
		drill_begin(&d, flags[i]);
		drill_listener(&d);
		ecn_in(&d, PKT_SYN | PKT_ECE | PKT_CWR, 0, 0, 0);
		drill_expect(&d, PKT_SYN | PKT_ACK | (i < 2 ? PKT_ECE : 0), 0, 1, 0);
		drill_end(&d);
	}
}

/* ---- congestion control -------------------------------------------------------------------- */

static struct tcp_info
info_of(struct drill *d, int fd)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	assert_int_equal(d->ifc.getsockopt(d->ud, fd, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	return ti;
}

static int
set_cc(struct drill *d, int fd, const char *name)
{
	return d->ifc.setsockopt(
			d->ud, fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

static const char *
get_cc(struct drill *d, int fd)
{
	static char name[16];
	socklen_t len = sizeof(name);

	assert_int_equal(d->ifc.getsockopt(d->ud, fd, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	assert_int_equal(len, sizeof(name));
	return name;
}

static void
congestion_control_by_name(void **state)
{
	struct drill d;
	int fd, conn;

	drill_begin(&d, NULL);
	fd = drill_listener(&d);
	assert_string_equal(get_cc(&d, fd), "cubic");
	FAILS(set_cc(&d, fd, "vegas"), ENOENT);
	assert_int_equal(set_cc(&d, fd, "reno"), 0);
	conn = drill_accepted(&d, fd);
	assert_string_equal(get_cc(&d, conn), "reno");
	assert_int_equal(set_cc(&d, conn, "cubic"), 0);
	assert_string_equal(get_cc(&d, conn), "cubic");
	drill_end(&d);
	drill_begin(&d, "freebsd,cc=newreno");
	assert_string_equal(get_cc(&d, drill_socket(&d)), "newreno");
	drill_end(&d);
}

/* Of ten segments a timeout leaves half (RFC 5681), or seven tenths (RFC 9438 4.6). */
static void
congestion_control_after_a_timeout(void **state)
{
	static const char *const flags[] = {"linux,nots,notlp,cc=newreno", "linux,nots,notlp"};
	static const uint32_t left[] = {5, 7};
	struct drill d;

	for (int i = 0; i < 2; i++) {
		int fd;

		drill_begin(&d, flags[i]);
		fd = drill_connected(&d);
		assert_int_equal(info_of(&d, fd).tcpi_snd_cwnd, 10);
		assert_int_equal(info_of(&d, fd).tcpi_snd_ssthresh, INT32_MAX);
		assert_int_equal(d.ifc.write(d.ud, fd, text, 10 * d.mss), 10 * d.mss);
		drill_at(&d, 250 * DRILL_MS);
		assert_int_equal(info_of(&d, fd).tcpi_snd_cwnd, 1);
		assert_int_equal(info_of(&d, fd).tcpi_snd_ssthresh, left[i]);
		drill_end(&d);
	}
}

static void
first_flight_of_four(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux,nots,notlp,iw=4");
	fd = drill_connected(&d);
	assert_int_equal(info_of(&d, fd).tcpi_snd_cwnd, 4);
	assert_int_equal(d.ifc.write(d.ud, fd, text, 20 * d.mss), 20 * d.mss);
	for (uint32_t at = 1; at < 1 + 4 * d.mss; at += d.mss)
		drill_expect(&d, PKT_ACK, at, 1, d.mss);
	drill_expect(&d, PKT_ACK, 1, 1, d.mss); /* the timeout */
	NEAR(d.pkt_time, 200 * DRILL_MS, 20 * DRILL_MS);
	drill_end(&d);
}

static int
connected_with_sack(struct drill *d)
{
	int fd = drill_socket(d);

	drill_nonblock(d, fd);
	FAILS(drill_connect(d, fd), EINPROGRESS);
	drill_expect(d, PKT_SYN, 0, 0, 0);
	drill_in(d, &(struct build){.flags = PKT_SYN | PKT_ACK,
				    .ack = 1,
				    .wnd = 65535,
				    .opts = PKT_OPT_MSS | PKT_OPT_SACK_PERM,
				    .mss = (uint16_t)d->mss});
	drill_expect(d, PKT_ACK, 1, 1, 0);
	return fd;
}

/* The last segment again after 2 RTTs, at least 10 ms; without that the first after the RTO. */
static void
tail_probed_or_not(void **state)
{
	static const char *const flags[] = {"linux,nots", "linux,nots,notlp"};
	struct drill d;

	for (int i = 0; i < 2; i++) {
		int fd;

		drill_begin(&d, flags[i]);
		fd = connected_with_sack(&d);
		assert_int_equal(d.ifc.write(d.ud, fd, text, 2 * d.mss), 2 * d.mss);
		drill_expect(&d, PKT_ACK, 1, 1, d.mss);
		drill_expect(&d, PKT_PSH | PKT_ACK, 1 + d.mss, 1, d.mss);
		drill_out(&d);
		assert_int_equal(d.pkt.seq, i == 0 ? 1 + d.mss : 1);
		NEAR(d.pkt_time, (i == 0 ? 10 : 200) * DRILL_MS, 20 * DRILL_MS);
		drill_end(&d);
	}
}

/* ---- delayed ACKs ---------------------------------------------------------------------------- */

/* Of small segments FreeBSD acknowledges every second at once, others when the time is over. */
static void
every_second_small_segment(void **state)
{
	static const char *const flags[] = {"freebsd,nots", "freebsd,nots,ackevery=0"};
	struct drill d;

	for (int i = 0; i < 2; i++) {
		int fd;

		drill_begin(&d, flags[i]);
		fd = drill_listener(&d);
		drill_accepted(&d, fd);
		drill_at(&d, 100 * DRILL_MS);
		drill_seg(&d, PKT_ACK, 1, 1, 10);
		drill_at(&d, 110 * DRILL_MS);
		drill_seg(&d, PKT_ACK, 11, 1, 10);
		drill_expect(&d, PKT_ACK, 1, 21, 0);
		NEAR(d.pkt_time, (i == 0 ? 110 : 140) * DRILL_MS, 4 * DRILL_MS);
		drill_at(&d, 200 * DRILL_MS);
		drill_seg(&d, PKT_ACK, 21, 1, 10);
		drill_expect(&d, PKT_ACK, 1, 31, 0);
		NEAR(d.pkt_time, 240 * DRILL_MS, 4 * DRILL_MS);
		drill_end(&d);
	}
}

/* ---- addresses ---------------------------------------------------------------------------------- */

static void
own_address_of_the_flags(void **state)
{
	uint8_t want[16];
	struct drill d;
	int fd;

	inet_pton(AF_INET6, "2001:db8:7::9", want);
	drill_begin(&d, "linux,local=10.1.2.3,local=2001:db8:7::9");
	fd = drill_socket(&d);
	drill_nonblock(&d, fd);
	FAILS(drill_connect(&d, fd), EINPROGRESS);
	drill_expect(&d, PKT_SYN, 0, 0, 0);
	if (d.domain == AF_INET6)
		assert_memory_equal(d.pkt.saddr6, want, 16);
	else
		assert_int_equal(d.pkt.saddr, PMTCP_IP4(10, 1, 2, 3));
	drill_end(&d);
}

/* The context answers its neighbours; the tool, which is none, sees nothing of it. */
static void
neighbours_talk_unseen(void **state)
{
	/* Who has the address; the asker's MAC. */
	uint8_t asked[24] = {[16] = 1, 1, 2, 0, 0, 0, 0, 5};
	struct build_icmp icmp = {.type = 135};
	struct build b = {.version = 6, .ttl = 255, .payload = asked, .len = sizeof(asked)};
	uint8_t frame[128];
	struct drill d;
	size_t len;

	drill_begin(&d, "linux,wait=1");
	drill_listener(&d);
	memcpy(asked, d.ip6, 16);
	memcpy(b.daddr6, d.ip6, 16);
	memcpy(b.saddr6, d.ip6, 16);
	b.saddr6[15] ^= 1;
	len = build_icmp_bytes(&b, &icmp, frame, sizeof(frame));
	assert_int_equal(d.ifc.netdev_send(d.ud, frame + 14, len - 14), 0);
	assert_null(drill_out(&d));
	drill_end(&d);
}

/* ---- large packets ------------------------------------------------------------------------------- */

/* A script's segment of 50 000 octets comes as the network would bring it, but is
 * acknowledged once. */
static void
a_segment_above_the_mtu(void **state)
{
	struct drill d;
	int fd;

	drill_begin(&d, "linux,nots");
	fd = drill_connected(&d);
	drill_big(&d, PKT_PSH | PKT_ACK, 1, 50000);
	drill_expect(&d, PKT_ACK, 1, 50001, 0);
	assert_int_equal(d.ifc.read(d.ud, fd, text, sizeof(text)), 50000);
	drill_big(&d, PKT_FIN | PKT_ACK, 50001, 3000);
	drill_expect(&d, PKT_ACK, 1, 50001, 0); /* the window is open again */
	drill_expect(&d, PKT_ACK, 1, 53002, 0);
	assert_int_equal(d.ifc.read(d.ud, fd, text, sizeof(text)), 3000);
	assert_int_equal(d.ifc.read(d.ud, fd, text, sizeof(text)), 0);
	drill_end(&d);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(ecn_offered_marked_and_echoed),
			cmocka_unit_test(ecn_accepted_or_not),
			cmocka_unit_test(congestion_control_by_name),
			cmocka_unit_test(congestion_control_after_a_timeout),
			cmocka_unit_test(first_flight_of_four),
			cmocka_unit_test(tail_probed_or_not),
			cmocka_unit_test(every_second_small_segment),
			cmocka_unit_test(own_address_of_the_flags),
			cmocka_unit_test(neighbours_talk_unseen),
			cmocka_unit_test(a_segment_above_the_mtu),
	};

	if (!drill_args(argc, argv))
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
