/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A context on a virtual clock behind a line protocol: the pmtcp side of the
 * differential test, whose other side is a kernel socket (test_differential.py).
 *
 *     listen PORT            connect LPORT RPORT       accept
 *     send N   recv N        shutdown   close   abort  linger MS
 *     in HEX                 a frame arrives, Ethernet header and all
 *     adv MS                 time goes on
 *     state                  name of the connection's state, or of what is left of it,
 *                            "told" if an ICMP error was reported, and the reason of the end
 *     reset                  a fresh context
 *
 * Each command is answered by a line "out HEX" per frame sent meanwhile, then
 * "ok RESULT". */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "support/bed.h"
#include "support/pool.h"

enum { LINE_MAX_LEN = 8192, FRAME_MAX = 2048, TEXT_MAX = 65536 };

#define DUT_ADDR  PMTCP_IP4(198, 18, 0, 1)
#define PEER_ADDR PMTCP_IP4(198, 18, 0, 2)

static struct bed bed;
static struct pmtcp_listener *listener;
static struct pmtcp_conn *conn;
static int ended;    /* reason of CLOSED, 0 while it lives */
static bool is_told; /* of an ICMP error */
static uint32_t incarnation;

static void
tune(struct pmtcp_conf *conf)
{
	conf->mac = ctx_mac_of(DUT_ADDR);
	conf->ranges[0] = (struct pmtcp_range){.first = DUT_ADDR, .last = DUT_ADDR};
	conf->static_neigh[0].ip4 = PEER_ADDR;
	conf->static_neigh[0].mac = ctx_mac_of(PEER_ADDR);
	/* No throttle shared between connections is what is compared here. */
	conf->rst_per_s = 1000000;
	/* Within the time that answers are collected nothing is to come by itself. */
	conf->tlp = false;
	conf->seed += incarnation++;
}

static void
take_events(void)
{
	struct pmtcp_event ev;

	while (pmtcp_events(bed.ctx, &ev, 1) == 1) {
		if (ev.flags & PMTCP_EV_ACCEPTED)
			conn = ev.conn;
		if (ev.conn == conn && (ev.flags & PMTCP_EV_CLOSED))
			ended = ev.reason;
		if (ev.conn == conn && ((ev.flags & PMTCP_EV_ERROR) || ended == PMTCP_UNREACHABLE))
			is_told = true;
	}
}

static void
run(uint64_t ns)
{
	bed_turn(&bed);
	take_events();
	while (ns > 0) {
		uint64_t step = ns < BED_MS ? ns : BED_MS;

		bed_advance(&bed, step);
		take_events();
		ns -= step;
	}
	bed_turn(&bed);
}

static void
print_frames(void)
{
	while (bed.first_out < bed.n_out) {
		struct rte_mbuf *m = bed.out[bed.first_out++];
		uint8_t copy[FRAME_MAX];
		const uint8_t *p = rte_pktmbuf_read(m, 0, m->pkt_len, copy);

		printf("out ");
		for (uint32_t i = 0; i < m->pkt_len; i++)
			printf("%02x", p[i]);
		putchar('\n');
		rte_pktmbuf_free(m);
	}
	bed.first_out = bed.n_out = 0;
}

static int
call_in(const char *hex)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(bed.pool);
	size_t n = strlen(hex) / 2;
	char *dst = rte_pktmbuf_append(m, (uint16_t)n);

	for (size_t i = 0; i < n; i++) {
		unsigned int byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return -1;
		dst[i] = (char)byte;
	}
	bed_inject_mbuf(&bed, m);
	run(0);
	return 0;
}

static int
call_listen(unsigned int port)
{
	struct pmtcp_addr local = pmtcp_addr4(0, (uint16_t)port);

	return pmtcp_listen(bed.ctx, &local, NULL, &listener);
}

static int
call_connect(unsigned int lport, unsigned int rport)
{
	struct pmtcp_addr local = pmtcp_addr4(DUT_ADDR, (uint16_t)lport);
	struct pmtcp_addr remote = pmtcp_addr4(PEER_ADDR, (uint16_t)rport);
	int err = pmtcp_connect(bed.ctx, &local, &remote, NULL, &conn);

	run(0);
	return err;
}

static int
call_read(unsigned int n)
{
	static char text[TEXT_MAX];

	return pmtcp_read(conn, text, n < TEXT_MAX ? n : TEXT_MAX);
}

static int
call_write(unsigned int n)
{
	static char text[TEXT_MAX];
	int taken = pmtcp_write(conn, text, n < TEXT_MAX ? n : TEXT_MAX);

	run(0);
	return taken;
}

static int
end_conn(void (*how)(struct pmtcp_conn *))
{
	if (conn == NULL)
		return -1;
	how(conn);
	run(0);
	return 0;
}

static const char *
state_name(void)
{
	static const char *const names[] = {"CLOSED", "LISTEN", "SYN-SENT", "SYN-RCVD", "ESTAB",
			"FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING", "LAST-ACK",
			"TIME-WAIT"};
	struct pmtcp_stats stats = bed_stats(&bed);

	for (int i = PMTCP_SYN_SENT; i <= PMTCP_TIME_WAIT; i++)
		if (stats.state[i] > 0)
			return names[i];
	return "CLOSED";
}

static void
reset(void)
{
	bed_forget(&bed);
	pmtcp_ctx_fini(bed.ctx);
	test_pool_destroy(bed.pool);
	ctx_mem_unmap(bed.mem, bed.mem_len);
	listener = NULL;
	conn = NULL;
	ended = 0;
	is_told = false;
	bed_create(&bed, tune);
}

static int
answer(const char *word, char *rest)
{
	unsigned int a = 0, b = 0;

	if (sscanf(rest, "%u %u", &a, &b) < 0)
		a = b = 0;
	if (strcmp(word, "in") == 0)
		return call_in(rest);
	if (strcmp(word, "listen") == 0)
		return call_listen(a);
	if (strcmp(word, "connect") == 0)
		return call_connect(a, b);
	if (strcmp(word, "accept") == 0)
		return conn != NULL ? 0 : -1;
	if (strcmp(word, "send") == 0)
		return call_write(a);
	if (strcmp(word, "recv") == 0)
		return call_read(a);
	if (strcmp(word, "close") == 0)
		return end_conn(pmtcp_close);
	if (strcmp(word, "abort") == 0)
		return end_conn(pmtcp_abort);
	if (strcmp(word, "shutdown") == 0) {
		int err = pmtcp_shutdown(conn);

		run(0);
		return err;
	}
	if (strcmp(word, "adv") == 0) {
		run(a * BED_MS);
		return 0;
	}
	if (strcmp(word, "reset") == 0) {
		reset();
		return 0;
	}
	return -1;
}

int
main(void)
{
	static char line[LINE_MAX_LEN];

	bed_create(&bed, tune);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		char word[16] = "";
		int used = 0;
		int result = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%15s %n", word, &used) < 1)
			continue;
		if (strcmp(word, "state") != 0)
			result = answer(word, line + used);
		print_frames();
		if (strcmp(word, "state") == 0)
			printf("ok %s %s %d\n", state_name(), is_told ? "told" : "-", ended);
		else
			printf("ok %d\n", result);
		fflush(stdout);
	}
	return 0;
}
