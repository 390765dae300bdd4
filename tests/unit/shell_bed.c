/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See shell_bed.h. */

#include "shell_bed.h"

#include <errno.h>
#include <stdio.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_ring.h>

#include "common/link.h"

#define PORT      7
#define SERVER_IP PMTCP_IP4(198u, 18, 0, 1)
#define CLIENT_IP PMTCP_IP4(198u, 18, 0, 2)
#define LIMIT_NS  60000000000ull

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

void
shell_serve(struct pmtcp_ctx *ctx, void *arg)
{
	struct shell_app *app = arg;
	struct pmtcp_event ev[16];
	uint16_t n = pmtcp_events(ctx, ev, 16);

	for (uint16_t i = 0; i < n; i++) {
		if ((ev[i].flags & PMTCP_EV_CLOSED) == 0) {
			serve_conn(ev[i].conn);
			continue;
		}
		app->over++;
		app->graceful += ev[i].reason == PMTCP_GRACEFUL;
	}
}

/* ---- client ----------------------------------------------------------------- */

static void
client_write(struct shell_client *c)
{
	uint8_t octets[1000];

	while (c->written < c->octets) {
		uint32_t len = sizeof(octets);
		int n;

		if (len > c->octets - c->written)
			len = c->octets - c->written;
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
client_read(struct shell_client *c)
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
		assert_int_equal(c->checked, c->octets);
		c->is_over = true;
		pmtcp_close(c->conn);
	}
}

void
shell_check(struct pmtcp_ctx *ctx, void *arg)
{
	struct shell_app *app = arg;
	struct pmtcp_event ev[16];
	uint16_t n = pmtcp_events(ctx, ev, 16);

	for (uint16_t i = 0; i < n; i++) {
		struct shell_client *c = ev[i].user;

		if ((ev[i].flags & PMTCP_EV_CLOSED) != 0) {
			app->over++;
			app->graceful += ev[i].reason == PMTCP_GRACEFUL;
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
open_port(const struct shell_bed *bed, struct rte_ring *const *rx, struct rte_ring *const *tx,
		uint16_t wrong_permille)
{
	static unsigned int ports_made; /* the bus keeps the names of closed ports */
	const struct shell_conf *c = &bed->conf;
	struct pmtcp_port_conf conf = {.bufs = 4000,
			.workers = c->workers,
			.queues = c->queues,
			.wrong_permille = wrong_permille,
			.steer_ring = c->steer_ring};
	struct pmtcp_port *port = NULL;
	char name[16];
	int id;

	snprintf(name, sizeof(name), "shell%u", ports_made++);
	id = rte_eth_from_rings(name, (struct rte_ring **)(uintptr_t)rx, c->queues,
			(struct rte_ring **)(uintptr_t)tx, c->queues, 0);
	assert_true(id >= 0);
	conf.port_id = (uint16_t)id;
	assert_int_equal(pmtcp_port_open(&conf, &port), 0);
	assert_int_equal(pmtcp_port_queues(port), c->queues);
	assert_int_equal(pmtcp_port_workers(port), c->workers);
	return port;
}

static struct pmtcp_worker *
make_worker(const struct shell_bed *bed, struct pmtcp_port *port, uint16_t number, uint32_t ip4)
{
	struct pmtcp_worker_opts opts = bed->conf.opts;
	struct pmtcp_worker *w = NULL;
	struct pmtcp_conf conf;

	opts.faults = bed->conf.faults;
	opts.faults.seed = ip4 + number;
	pmtcp_conf_init(&conf);
	conf.ranges[conf.n_ranges++] = (struct pmtcp_range){ip4, ip4};
	conf.prefix_len = 24;
	assert_int_equal(pmtcp_worker_create(port, number, &conf, &opts, &w), 0);
	return w;
}

static void
make_rings(struct shell_bed *bed)
{
	const unsigned int flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
	char name[32];

	for (int end = 0; end < 2; end++) {
		for (uint16_t q = 0; q < bed->conf.queues; q++) {
			snprintf(name, sizeof(name), "shell_to_%d_%u", end, q);
			bed->rings[end][q] = rte_ring_create(
					name, bed->conf.ring_size, SOCKET_ID_ANY, flags);
			assert_non_null(bed->rings[end][q]);
		}
	}
}

static void
connect_all(struct shell_bed *bed, uint16_t number)
{
	const struct pmtcp_addr remote = pmtcp_addr4(SERVER_IP, PORT);
	struct shell_app *app = &bed->apps[SHELL_CLIENT][number];

	for (uint32_t i = 0; i < bed->conf.conns; i++) {
		struct shell_client *c = &app->clients[i];
		const struct pmtcp_conn_opts opts = {.user = c};

		c->id = number * SHELL_CONNS_MAX + i;
		c->octets = bed->conf.octets;
		assert_int_equal(pmtcp_connect(pmtcp_worker_ctx(bed->workers[SHELL_CLIENT][number]),
						 NULL, &remote, &opts, &c->conn),
				0);
	}
}

void
shell_open(struct shell_bed *bed, const struct shell_conf *conf)
{
	const struct pmtcp_addr local = pmtcp_addr4(0, PORT);
	struct pmtcp_listener *listener;

	assert_true(conf->conns <= SHELL_CONNS_MAX && conf->workers <= SHELL_WORKERS_MAX);
	memset(bed, 0, sizeof(*bed));
	bed->conf = *conf;
	make_rings(bed);
	bed->ports[SHELL_SERVER] =
			open_port(bed, bed->rings[0], bed->rings[1], conf->wrong_permille);
	bed->ports[SHELL_CLIENT] = open_port(bed, bed->rings[1], bed->rings[0], 0);
	for (uint16_t i = 0; i < conf->workers; i++) {
		bed->workers[SHELL_SERVER][i] =
				make_worker(bed, bed->ports[SHELL_SERVER], i, SERVER_IP);
		bed->workers[SHELL_CLIENT][i] =
				make_worker(bed, bed->ports[SHELL_CLIENT], i, CLIENT_IP);
		assert_int_equal(pmtcp_listen(pmtcp_worker_ctx(bed->workers[SHELL_SERVER][i]),
						 &local, NULL, &listener),
				0);
		connect_all(bed, i);
	}
}

void
shell_turn(struct shell_bed *bed)
{
	for (uint16_t i = 0; i < bed->conf.workers; i++) {
		pmtcp_worker_turn(bed->workers[SHELL_SERVER][i], shell_serve,
				&bed->apps[SHELL_SERVER][i]);
		pmtcp_worker_turn(bed->workers[SHELL_CLIENT][i], shell_check,
				&bed->apps[SHELL_CLIENT][i]);
	}
}

bool
shell_is_over(const struct shell_bed *bed)
{
	uint32_t over[2] = {0, 0}, graceful[2] = {0, 0};
	uint32_t all = bed->conf.conns * bed->conf.workers;

	for (int end = 0; end < 2; end++) {
		for (uint16_t i = 0; i < bed->conf.workers; i++) {
			over[end] += bed->apps[end][i].over;
			graceful[end] += bed->apps[end][i].graceful;
		}
		assert_int_equal(over[end], graceful[end]);
	}
	return over[0] == all && over[1] == all;
}

void
shell_echo_all(struct shell_bed *bed)
{
	uint64_t end_ns = pmtcp_clock_now() + LIMIT_NS;

	while (!shell_is_over(bed) && pmtcp_clock_now() < end_ns)
		shell_turn(bed);
	assert_true(shell_is_over(bed));
}

struct pmtcp_stats
shell_stats(const struct shell_bed *bed, int end)
{
	struct pmtcp_stats sum, one;

	memset(&sum, 0, sizeof(sum));
	for (uint16_t i = 0; i < bed->conf.workers; i++) {
		pmtcp_stats(pmtcp_worker_ctx(bed->workers[end][i]), &one);
		pmtcp_stats_add(&sum, &one);
	}
	return sum;
}

struct pmtcp_worker_stats
shell_worker_stats(const struct shell_bed *bed, int end)
{
	struct pmtcp_worker_stats sum, one;

	memset(&sum, 0, sizeof(sum));
	for (uint16_t i = 0; i < bed->conf.workers; i++) {
		pmtcp_worker_stats(bed->workers[end][i], &one);
		pmtcp_worker_stats_add(&sum, &one);
	}
	return sum;
}

static void
check_end(const struct shell_bed *bed, int end)
{
	struct pmtcp_stats stats = shell_stats(bed, end);

	assert_null(pmtcp_stats_audit(&stats));
	for (uint16_t i = 0; i < bed->conf.workers; i++) {
		pmtcp_ctx_check(pmtcp_worker_ctx(bed->workers[end][i]));
		pmtcp_stats(pmtcp_worker_ctx(bed->workers[end][i]), &stats);
		assert_null(pmtcp_stats_audit(&stats));
	}
}

static void
check_pools(const struct pmtcp_port *port, uint16_t number)
{
	for (int ctl = 0; ctl < 2; ctl++) {
		struct rte_mempool *pool = pmtcp_port_pool(port, number, ctl);

		assert_int_equal(rte_mempool_avail_count(pool), pool->size);
	}
}

void
shell_close(struct shell_bed *bed)
{
	for (int end = 0; end < 2; end++)
		check_end(bed, end);
	for (int end = 0; end < 2; end++)
		for (uint16_t i = 0; i < bed->conf.workers; i++)
			pmtcp_worker_destroy(bed->workers[end][i]);
	for (int end = 0; end < 2; end++)
		for (uint16_t i = 0; i < bed->conf.workers; i++)
			check_pools(bed->ports[end], i);
	for (int end = 0; end < 2; end++) {
		pmtcp_port_close(bed->ports[end]);
		for (uint16_t q = 0; q < bed->conf.queues; q++)
			rte_ring_free(bed->rings[end][q]);
	}
}

int
shell_start_eal(void **state)
{
	/* Room for the packet buffers of eight workers. */
	const struct link_conf conf = {
			.word = "ring", .program = "test_shell", .bufs = 4000, .eal = "-m 1024"};

	(void)state;
	return link_open(&conf, &spare_link);
}

int
shell_stop_eal(void **state)
{
	(void)state;
	link_close(&spare_link);
	return 0;
}
