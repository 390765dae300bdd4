/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: two contexts on two real ports talk through the whole shell: every connection
 * carries its octets there and back and ends GRACEFUL, the books balance, and no buffer
 * is missing (RES-7, RES-15, RES-16). Method: an echo server and a client that checks a
 * pattern, by turns on one thread, over rings of several sizes, with and without faults. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_ring.h>

#include "common/link.h"

#define CONNS     64
#define OCTETS    20000u
#define PORT      7
#define SERVER_IP PMTCP_IP4(198u, 18, 0, 1)
#define CLIENT_IP PMTCP_IP4(198u, 18, 0, 2)
#define LIMIT_NS  60000000000ull

struct client {
	struct pmtcp_conn *conn;
	uint32_t id, written, checked;
	bool is_over;
};

struct bed {
	struct pmtcp_port *ports[2];
	struct pmtcp_worker *workers[2]; /* server, client */
	struct client clients[CONNS];
	uint32_t over, graceful;
	uint32_t server_over, server_graceful;
};

static struct link spare_link; /* brings EAL up */

static uint8_t
octet_of(uint32_t id, uint32_t at)
{
	return (uint8_t)(id * 37 + at * 11 + (at >> 8));
}

/* ---- server ----------------------------------------------------------------- */

/* Copying, so that both kinds of calls are used somewhere: pmtcp-echo does the other. */
static void
serve_conn(struct pmtcp_conn *conn)
{
	uint8_t octets[4096];
	int n = 1;

	while (n > 0 && pmtcp_send_space(conn) >= sizeof(octets)) {
		n = pmtcp_read(conn, octets, sizeof(octets));
		if (n > 0)
			assert_int_equal(pmtcp_write(conn, octets, (uint32_t)n), n);
	}
	if (n == 0)
		pmtcp_close(conn);
}

static void
server_turn(struct pmtcp_ctx *ctx, void *arg)
{
	struct bed *bed = arg;
	struct pmtcp_event ev[16];
	uint16_t n = pmtcp_events(ctx, ev, 16);

	for (uint16_t i = 0; i < n; i++) {
		if ((ev[i].flags & PMTCP_EV_CLOSED) == 0) {
			serve_conn(ev[i].conn);
			continue;
		}
		bed->server_over++;
		bed->server_graceful += ev[i].reason == PMTCP_GRACEFUL;
	}
}

/* ---- client ----------------------------------------------------------------- */

static void
client_write(struct client *c)
{
	uint8_t octets[1000];

	while (c->written < OCTETS) {
		uint32_t len = sizeof(octets);
		int n;

		for (uint32_t i = 0; i < len; i++)
			octets[i] = octet_of(c->id, c->written + i);
		n = pmtcp_write(c->conn, octets, len);
		if (n <= 0) {
			assert_int_equal(n, -EAGAIN);
			return;
		}
		c->written += (uint32_t)n;
	}
	assert_int_equal(pmtcp_shutdown(c->conn), 0);
}

static void
client_read(struct client *c)
{
	struct rte_mbuf *pkts[8];
	int n;

	while ((n = pmtcp_recv(c->conn, pkts, 8)) > 0) {
		for (int i = 0; i < n; i++) {
			const uint8_t *octets = rte_pktmbuf_mtod(pkts[i], const uint8_t *);

			for (uint32_t k = 0; k < pkts[i]->data_len; k++)
				assert_int_equal(octets[k], octet_of(c->id, c->checked + k));
			c->checked += pkts[i]->data_len;
			pmtcp_recv_done(c->conn, pkts[i]->data_len);
		}
		rte_pktmbuf_free_bulk(pkts, (unsigned int)n);
	}
	if (n == 0) {
		assert_int_equal(c->checked, OCTETS);
		c->is_over = true;
		pmtcp_close(c->conn);
	}
}

static void
client_turn(struct pmtcp_ctx *ctx, void *arg)
{
	struct bed *bed = arg;
	struct pmtcp_event ev[16];
	uint16_t n = pmtcp_events(ctx, ev, 16);

	for (uint16_t i = 0; i < n; i++) {
		struct client *c = ev[i].user;

		if ((ev[i].flags & PMTCP_EV_CLOSED) != 0) {
			bed->over++;
			bed->graceful += ev[i].reason == PMTCP_GRACEFUL;
			continue;
		}
		if ((ev[i].flags & (PMTCP_EV_CONNECTED | PMTCP_EV_WRITABLE)) != 0)
			client_write(c);
		if (!c->is_over)
			client_read(c);
	}
}

/* ---- bed -------------------------------------------------------------------- */

static struct pmtcp_port *
open_port(struct rte_ring *rx, struct rte_ring *tx)
{
	static unsigned int ports_made; /* the bus keeps the names of closed ports */
	struct pmtcp_port_conf conf = {.bufs = 4000};
	struct pmtcp_port *port = NULL;
	char name[16];
	int id;

	snprintf(name, sizeof(name), "shell%u", ports_made++);
	id = rte_eth_from_rings(name, &rx, 1, &tx, 1, 0);
	assert_true(id >= 0);
	conf.port_id = (uint16_t)id;
	assert_int_equal(pmtcp_port_open(&conf, &port), 0);
	return port;
}

static struct pmtcp_worker *
make_worker(struct pmtcp_port *port, uint32_t ip4, const struct pmtcp_faults *faults)
{
	struct pmtcp_worker_opts opts = {.faults = *faults};
	struct pmtcp_worker *w = NULL;
	struct pmtcp_conf conf;

	pmtcp_conf_init(&conf);
	conf.ranges[conf.n_ranges++] = (struct pmtcp_range){ip4, ip4};
	conf.prefix_len = 24;
	opts.faults.seed = ip4;
	assert_int_equal(pmtcp_worker_create(port, 0, &conf, &opts, &w), 0);
	return w;
}

static void
bed_open(struct bed *bed, struct rte_ring *rings[2], const struct pmtcp_faults *faults)
{
	const struct pmtcp_addr local = pmtcp_addr4(0, PORT);
	const struct pmtcp_addr remote = pmtcp_addr4(SERVER_IP, PORT);
	struct pmtcp_listener *listener;

	memset(bed, 0, sizeof(*bed));
	bed->ports[0] = open_port(rings[0], rings[1]);
	bed->ports[1] = open_port(rings[1], rings[0]);
	bed->workers[0] = make_worker(bed->ports[0], SERVER_IP, faults);
	bed->workers[1] = make_worker(bed->ports[1], CLIENT_IP, faults);
	assert_int_equal(pmtcp_listen(pmtcp_worker_ctx(bed->workers[0]), &local, NULL, &listener),
			0);
	for (uint32_t i = 0; i < CONNS; i++) {
		struct client *c = &bed->clients[i];
		const struct pmtcp_conn_opts opts = {.user = c};

		c->id = i;
		assert_int_equal(pmtcp_connect(pmtcp_worker_ctx(bed->workers[1]), NULL, &remote,
						 &opts, &c->conn),
				0);
	}
}

static void
bed_close(struct bed *bed)
{
	for (int i = 0; i < 2; i++) {
		struct pmtcp_stats stats;

		pmtcp_ctx_check(pmtcp_worker_ctx(bed->workers[i]));
		pmtcp_stats(pmtcp_worker_ctx(bed->workers[i]), &stats);
		assert_null(pmtcp_stats_audit(&stats));
	}
	for (int i = 0; i < 2; i++)
		pmtcp_worker_destroy(bed->workers[i]);
	for (int i = 0; i < 2; i++) {
		struct rte_mempool *pool = pmtcp_port_pool(bed->ports[i], 0, false);
		struct rte_mempool *ctl = pmtcp_port_pool(bed->ports[i], 0, true);

		assert_int_equal(rte_mempool_avail_count(pool), pool->size);
		assert_int_equal(rte_mempool_avail_count(ctl), ctl->size);
	}
	for (int i = 0; i < 2; i++)
		pmtcp_port_close(bed->ports[i]);
}

static void
echo_all(unsigned int ring_size, const struct pmtcp_faults *faults)
{
	const unsigned int flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
	static struct bed bed;
	struct pmtcp_worker_stats stats;
	struct rte_ring *rings[2];
	uint64_t end_ns;

	rings[0] = rte_ring_create("shell_to_server", ring_size, SOCKET_ID_ANY, flags);
	rings[1] = rte_ring_create("shell_to_client", ring_size, SOCKET_ID_ANY, flags);
	assert_true(rings[0] != NULL && rings[1] != NULL);
	bed_open(&bed, rings, faults);
	end_ns = pmtcp_clock_now() + LIMIT_NS;
	while ((bed.over < CONNS || bed.server_over < CONNS) && pmtcp_clock_now() < end_ns) {
		pmtcp_worker_turn(bed.workers[0], server_turn, &bed);
		pmtcp_worker_turn(bed.workers[1], client_turn, &bed);
	}
	assert_int_equal(bed.graceful, CONNS);
	assert_int_equal(bed.server_graceful, CONNS);
	for (int i = 0; i < 2; i++) {
		pmtcp_worker_stats(bed.workers[i], &stats);
		assert_int_equal(stats.tx_dropped, 0); /* the other end was slow, not dead */
		assert_int_equal(stats.misdirected, 0);
		assert_true((stats.fault_lost != 0) == (faults->loss_ppm != 0));
	}
	bed_close(&bed);
	rte_ring_free(rings[0]);
	rte_ring_free(rings[1]);
}

static void
shell_echo_over_a_ring(void **state)
{
	const struct pmtcp_faults none = {0};

	echo_all(1024, &none);
}

static void
res_7_ring_of_8_with_64_connections(void **state)
{
	const struct pmtcp_faults none = {0};

	echo_all(8, &none);
}

static void
shell_echo_through_every_fault(void **state)
{
	const struct pmtcp_faults faults = {.loss_ppm = 10000,
			.dup_ppm = 10000,
			.reorder_ppm = 10000,
			.corrupt_ppm = 10000,
			.delay_us = 200};

	echo_all(1024, &faults);
}

static int
start_eal(void **state)
{
	/* More buffers than it uses: without huge pages that makes room for the others. */
	const struct link_conf conf = {.word = "ring", .program = "test_shell", .bufs = 8000};

	return link_open(&conf, &spare_link);
}

static int
stop_eal(void **state)
{
	link_close(&spare_link);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(shell_echo_over_a_ring),
			cmocka_unit_test(res_7_ring_of_8_with_64_connections),
			cmocka_unit_test(shell_echo_through_every_fault),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
