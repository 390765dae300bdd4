/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* How many frames can a device carry at all? The echo receives bursts of 32, swaps
 * the addresses and sends them back, through the port exactly as pmtcp-load opens
 * it; the source floods the kernel's end of the link with 66-byte frames (a bare ACK
 * with timestamps) of a type nobody handles. What the echo reaches is the ceiling
 * of any stack on that device, on this machine, in this minute: a connection of p
 * packets costs p / 2 echoes.
 *
 *	echo_ceiling echo LINK SECONDS RUNS
 *	echo_ceiling source INTERFACE SECONDS			(in the kernel's namespace) */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "bench.h"
#include "common/link.h"

enum {
	BURST = 32,
	BATCH = 64,
	FRAME = 66,
	ETHER_TYPE = 0x88b5, /* IEEE 802: for local experiments */
	CLOCK_TURNS = 256,   /* turns between two looks at the clock */
};

/* The source has no EAL, so no clock of it. */
static double
seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- source ---- */

static int
source_socket(const char *interface)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
			.sll_protocol = 0, /* sends only: nothing is received into it */
			.sll_ifindex = (int)if_nametoindex(interface)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	int on = 1;

	if (fd < 0 || to.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror(interface);
		exit(2);
	}
	(void)setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	return fd;
}

static int
source(const char *interface, double seconds)
{
	static uint8_t frame[FRAME] = {0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, ETHER_TYPE >> 8,
			ETHER_TYPE & 0xff};
	struct iovec iov = {.iov_base = frame, .iov_len = sizeof(frame)};
	struct mmsghdr batch[BATCH];
	int fd = source_socket(interface);
	double start = seconds_now(), now = start;
	uint64_t sent = 0;

	memset(batch, 0, sizeof(batch));
	for (int i = 0; i < BATCH; i++)
		batch[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	while (now - start < seconds) {
		int n = sendmmsg(fd, batch, BATCH, 0);

		/* A device that cannot follow says ENOBUFS, or that nobody listens. */
		if (n > 0)
			sent += (uint64_t)n;
		else
			usleep(10);
		now = seconds_now();
	}
	printf("echo_ceiling.source  %.0f frame/s\n", (double)sent / (now - start));
	close(fd);
	return sent == 0;
}

/* ---- echo ---- */

struct echo {
	uint16_t port;
	uint64_t received;
	uint64_t sent;
	uint64_t busy; /* cycles of turns that found something */
};

static void
swap_addresses(struct rte_mbuf *m)
{
	struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
	struct rte_ether_addr dst = eth->dst_addr;

	eth->dst_addr = eth->src_addr;
	eth->src_addr = dst;
}

static void
echo_turn(struct echo *e)
{
	struct rte_mbuf *pkts[BURST];
	uint64_t start = rte_rdtsc();
	uint16_t n = rte_eth_rx_burst(e->port, 0, pkts, BURST);
	uint16_t sent;

	if (n == 0)
		return;
	for (uint16_t i = 0; i < n; i++)
		swap_addresses(pkts[i]);
	sent = rte_eth_tx_burst(e->port, 0, pkts, n);
	rte_pktmbuf_free_bulk(&pkts[sent], (unsigned int)(n - sent));
	e->received += n;
	e->sent += sent;
	e->busy += rte_rdtsc() - start;
}

static void
echo_for(struct echo *e, double seconds)
{
	double until = seconds_now() + seconds;

	do {
		for (int i = 0; i < CLOCK_TURNS; i++)
			echo_turn(e);
	} while (seconds_now() < until);
}

/* Samples that begin once frames come. */
static int
echo(const char *word, double seconds, int runs)
{
	struct link_conf conf = {.word = word, .program = "echo_ceiling"};
	double rates[BENCH_RUNS_MAX], cycles = 0;
	struct echo e = {0}, before;
	struct link link;

	if (link_open(&conf, &link) != 0)
		return LINK_EXIT_CODE;
	e.port = pmtcp_port_id(link.ports[0]);
	for (int i = 0; i < 300 && e.received == 0; i++)
		echo_for(&e, 0.1);
	echo_for(&e, 0.5);
	for (int i = 0; i < runs; i++) {
		double start = seconds_now();

		before = e;
		echo_for(&e, seconds);
		rates[i] = (double)(e.sent - before.sent) / (seconds_now() - start);
		cycles += (double)(e.busy - before.busy) /
			  (double)(e.received - before.received + 1) / runs;
	}
	qsort(rates, (size_t)runs, sizeof(rates[0]), bench_compare_doubles);
	printf("echo_ceiling.%s  %.0f frame/s  cyc=%.0f n=%d min=%.0f max=%.0f frame=%d burst=%d "
	       "received=%llu sent=%llu\n",
			pmtcp_port_driver(link.ports[0]), rates[runs / 2], cycles, runs, rates[0],
			rates[runs - 1], FRAME, BURST, (unsigned long long)e.received,
			(unsigned long long)e.sent);
	link_close(&link);
	return e.sent == 0;
}

int
main(int argc, char **argv)
{
	double seconds = argc > 3 ? strtod(argv[3], NULL) : 0;
	int runs = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 0;

	if (argc == 4 && strcmp(argv[1], "source") == 0 && seconds > 0 && seconds <= 600)
		return source(argv[2], seconds);
	if (argc == 5 && strcmp(argv[1], "echo") == 0 && seconds > 0 && seconds <= 60 &&
			runs >= 1 && runs <= BENCH_RUNS_MAX)
		return echo(argv[2], seconds, runs);
	fprintf(stderr, "usage: echo_ceiling echo LINK SECONDS RUNS\n"
			"       echo_ceiling source INTERFACE SECONDS\n");
	return 1;
}
