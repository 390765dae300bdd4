/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Plays the part of the packetdrill tool towards the plug-in: loads it, waits in its
 * clock as the tool does, injects and receives IP packets, runs blocking calls on a
 * second thread and looks into /proc whether they sleep. */

#ifndef PMTCP_PACKETDRILL_DRILL_H
#define PMTCP_PACKETDRILL_DRILL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "packetdrill/interface.h"
#include "support/build.h"
#include "support/pkt.h"

#define DRILL_MS 1000ll

/* For tests that have included <cmocka.h>, <errno.h>. */
#define NEAR(a, b, tolerance) assert_true((a) >= (b) && (a) <= (b) + (tolerance))
#define FAILS(call, error)                                                                         \
	do {                                                                                       \
		errno = 0;                                                                         \
		assert_int_equal((call), -1);                                                      \
		assert_int_equal(errno, error);                                                    \
	} while (0)

enum { DRILL_PORT = 8080, DRILL_PEER_PORT = 40000 };

struct drill {
	void *so;
	struct packetdrill_interface ifc;
	void *ud;     /* ifc.userdata */
	int domain;   /* AF_INET or AF_INET6: of sockets and packets */
	uint32_t mss; /* that the peer offers: of an MTU of 1500 */
	long long t0; /* us */
	uint32_t ip4; /* ours: of bind(), then as seen in our SYN */
	uint8_t ip6[16];
	uint32_t iss;   /* on the wire; the scripts' 0 */
	uint16_t port;  /* ours, as seen in what left */
	uint16_t rport; /* the peer's */
	uint16_t win;   /* of the peer; 0: 65535 */
	bool has_ts;
	uint32_t tsval;
	uint32_t tsecr;
	struct pkt pkt;     /* the last that left */
	long long pkt_time; /* us since t0 */
};

/* A call that runs on a thread of its own. */
struct drill_call {
	struct drill *d;
	long long (*fn)(struct drill_call *call);
	int fd;
	size_t len;
	void *buf;
	long long ret;
	int err;
	long long done_us; /* since t0, by the plug-in's clock */
	pthread_t thread;
	int tid;
	bool is_at_end; /* the plug-in will be gone: it is not asked for the time */
	bool is_over;
};

/* The program's arguments: where the plug-in lies, and `ipv6` if the cases shall run over
 * that. False: others. */
bool drill_args(int argc, char **argv);

void drill_begin(struct drill *d, const char *so_flags);
void drill_end(struct drill *d);
/* Time goes on to so many microseconds after the start. */
void drill_at(struct drill *d, long long us);
long long drill_now(struct drill *d);

/* A segment from the peer. Addresses, ports and window are filled in; its numbers count
 * from 0, b->ack too. */
void drill_in(struct drill *d, const struct build *b);
void drill_seg(struct drill *d, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len);
/* One of `len` octets of text, up to 64 KB, which no frame could carry. */
void drill_big(struct drill *d, uint8_t flags, uint32_t seq, uint32_t len);
/* An ICMP error of that type and code that quotes the last packet that left. */
void drill_icmp(struct drill *d, uint8_t type, uint8_t code, uint32_t rest);
/* The next packet, NULL if none comes. Verified; seq counts from the first of ours. */
const struct pkt *drill_out(struct drill *d);
/* It must come, with these flags, numbers and length. */
const struct pkt *drill_expect(
		struct drill *d, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len);
/* The option octets of the last packet, in hex. An MSS that came over IPv6 is shown as that
 * of IPv4, 20 more, so that one expectation stands for both. */
const char *drill_options(const struct drill *d);

/* Ours with the listening port, or the peer's; the length. */
socklen_t drill_address(const struct drill *d, bool is_peer, struct sockaddr_storage *ss);
int drill_socket(struct drill *d);
int drill_listener(struct drill *d);
/* A connection in ESTABLISHED, by passive open on fd's port or by connect(). */
int drill_accepted(struct drill *d, int listener);
int drill_connected(struct drill *d);
/* connect() to the peer, as it returns. */
int drill_connect(struct drill *d, int fd);
int drill_accept(struct drill *d, int fd);
int drill_error(struct drill *d, int fd); /* SO_ERROR */
int drill_state(struct drill *d, int fd); /* tcpi_state */
int drill_set(struct drill *d, int fd, int level, int name, int value);
int drill_get(struct drill *d, int fd, int level, int name);
int drill_nonblock(struct drill *d, int fd);

/* Starts the call and returns when its thread sleeps or is through. */
void drill_start(struct drill_call *call);
/* Joins it; it must be through. */
void drill_join(struct drill_call *call);

#endif /* PMTCP_PACKETDRILL_DRILL_H */
