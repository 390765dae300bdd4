/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The workers of both ends: their making, their threads, their accounts and their end. */

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"

#define GOODBYE_NS 1000000000u

int
load_fail(const struct load *l, const char *what, int rc)
{
	fprintf(stderr, "pmtcp-load: cannot %s: %s.\n", what, strerror(-rc));
	return LOAD_EXIT_SETUP;
}

/* On a ring the other end is the gateway: see conf.c. */
static void
join_ring(const struct load *l, struct pmtcp_conf *conf, uint16_t other)
{
	struct pmtcp_static_neigh *neigh;

	if (!l->conf.is_ring)
		return;
	neigh = &conf->static_neigh[conf->n_static_neigh++];
	neigh->ip4 = conf->gateway;
	memcpy(neigh->ip6, conf->gateway6, sizeof(neigh->ip6));
	neigh->mac = *pmtcp_port_mac(l->link.ports[other]);
}

static int
make_worker(struct load *l, struct side *s, const struct pmtcp_conf *conf, uint16_t port,
		uint16_t number)
{
	const struct load_conf *c = &l->conf;
	bool has_capture = c->pcap.file[0] != '\0' && port == 0 && number == 0;
	struct pmtcp_worker_opts opts = {
			.idle = c->idle,
			.pcap = has_capture ? c->pcap.file : NULL,
			.pcap_packets = c->pcap.packets,
			.faults = l->link.faults,
			.reassemble = c->reassemble,
			.burst = c->burst,
	};

	return pmtcp_worker_create(l->link.ports[port], number, conf, &opts, &s->worker);
}

static int
make_server(struct load *l, uint16_t i)
{
	uint16_t port = l->conf.cmd == LOAD_RUN ? 1 : 0;
	struct server *s = &l->servers[i];
	struct pmtcp_conf conf;
	int rc;

	load_server_conf(l, &conf);
	join_ring(l, &conf, 0);
	rc = server_init(s, &l->conf, &l->clock, conf.max_conns);
	if (rc == 0)
		rc = make_worker(l, &s->side, &conf, port, i);
	if (rc != 0)
		return load_fail(l, "make the server's worker", rc);
	rc = server_listen(s, load_server_ports(l));
	return rc == 0 ? 0 : load_fail(l, "listen", rc);
}

/* Whether any tuple is this worker's (not so with wrong=100% for that of the only queue). */
static bool
owns_any(const struct pmtcp_rss *rss, uint16_t worker)
{
	for (uint16_t i = 0; rss != NULL && i < rss->reta_size; i++)
		if (rss->reta[i] == worker)
			return true;
	return rss == NULL;
}

static struct side_share
share_of(const struct load *l, uint16_t worker)
{
	const struct pmtcp_rss *rss = pmtcp_port_rss(l->link.ports[0]);
	struct side_share share = {0, 0};

	if (!owns_any(rss, worker))
		return share;
	for (uint16_t i = 0; i < l->n_workers; i++) {
		share.index += i < worker && owns_any(rss, i);
		share.of += owns_any(rss, i);
	}
	return share;
}

static int
make_client(struct load *l, uint16_t i)
{
	const struct side_share share = share_of(l, i);
	struct client *c = &l->clients[i];
	struct pmtcp_conf conf;
	int rc;

	load_client_conf(l, &conf);
	join_ring(l, &conf, 1);
	rc = client_init(c, &l->conf, &l->plan, &l->clock, share);
	if (rc == 0)
		rc = make_worker(l, &c->side, &conf, 0, i);
	return rc == 0 ? 0 : load_fail(l, "make the client's worker", rc);
}

int
ends_make(struct load *l)
{
	int code = 0;

	for (uint16_t i = 0; i < l->n_workers && code == 0; i++) {
		if (l->has_server)
			code = make_server(l, i);
		if (code == 0 && l->has_client)
			code = make_client(l, i);
	}
	return code;
}

/* ---- threads --------------------------------------------------------------- */

/* The CPU of each end: one each, beside the control thread's if there are enough. -1 for
 * an end alone, since another process may be the other one, and for several workers at an
 * end: the system knows best. */
static void
choose_cpus(struct load *l, const cpu_set_t *allowed, int cpu[2])
{
	int list[3];
	int n = 0;

	cpu[0] = -1;
	cpu[1] = -1;
	for (int i = 0; i < CPU_SETSIZE && n < 3; i++) {
		if (CPU_ISSET(i, allowed))
			list[n++] = i;
	}
	l->is_one_thread = l->has_client && l->has_server && n < 2 && l->n_workers == 1;
	if (!l->has_client || !l->has_server || n < 1 || l->n_workers > 1)
		return;
	cpu[0] = list[n > 2 ? 1 : 0];
	cpu[1] = list[n > 2 ? 2 : n - 1];
}

static struct pmtcp_job
server_job(struct load *l, uint16_t i)
{
	struct server *s = &l->servers[i];

	return (struct pmtcp_job){s->side.worker, server_turn, s};
}

static struct pmtcp_job
client_job(struct load *l, uint16_t i)
{
	struct client *c = &l->clients[i];

	return (struct pmtcp_job){c->side.worker, client_turn, c};
}

int
ends_start(struct load *l, const cpu_set_t *allowed)
{
	struct pmtcp_job jobs[2];
	int cpu[2];
	int rc = 0;

	choose_cpus(l, allowed, cpu);
	for (uint16_t i = 0; i < l->n_workers && rc == 0; i++) {
		jobs[0] = server_job(l, i);
		jobs[1] = client_job(l, i);
		if (l->is_one_thread)
			return pmtcp_worker_start(jobs, 2, cpu[0]);
		if (l->has_server)
			rc = pmtcp_worker_start(&jobs[0], 1, cpu[1]);
		if (rc == 0 && l->has_client)
			rc = pmtcp_worker_start(&jobs[1], 1, cpu[0]);
	}
	return rc;
}

void
ends_stop(struct load *l)
{
	for (uint16_t i = 0; i < l->n_workers; i++) {
		if (l->has_client && !l->is_one_thread)
			pmtcp_worker_join(l->clients[i].side.worker);
		if (l->has_server)
			pmtcp_worker_join(l->servers[i].side.worker);
	}
}

/* ---- the way down ---------------------------------------------------------- */

static void
close_window(struct side *s, uint64_t now_ns)
{
	side_snap_take(s, now_ns, &s->final);
	if (s->is_measuring)
		s->end = s->final;
	s->is_measuring = false;
}

/* A server alone does not know when the client stopped: its last event tells. */
static void
end_of_server(struct side *s)
{
	if (s->conf->cmd == LOAD_SERVER && s->has_window && s->last_ns > s->begin.at_ns &&
			s->last_ns < s->end.at_ns)
		s->end.at_ns = s->last_ns;
}

void
ends_account(struct load *l)
{
	uint64_t now_ns = pmtcp_clock_now();

	for (uint16_t i = 0; i < l->n_workers; i++) {
		if (l->has_client)
			close_window(&l->clients[i].side, now_ns);
		if (l->has_server)
			close_window(&l->servers[i].side, now_ns);
	}
	l->client = l->clients[0];
	l->server = l->servers[0];
	for (uint16_t i = 1; i < l->n_workers; i++) {
		if (l->has_client)
			client_merge(&l->client, &l->clients[i]);
		if (l->has_server)
			side_merge(&l->server.side, &l->servers[i].side);
	}
	if (l->has_server)
		end_of_server(&l->server.side);
}

void
ends_goodbye(struct load *l)
{
	struct pmtcp_job jobs[2 * LOAD_WORKERS_MAX];
	uint32_t left;
	uint16_t n = 0;

	for (uint16_t i = 0; i < l->n_workers; i++) {
		l->servers[i].n_listeners = 0; /* they end with the contexts */
		if (l->has_server)
			jobs[n++] = server_job(l, i);
		if (l->has_client)
			jobs[n++] = client_job(l, i);
	}
	left = pmtcp_worker_shutdown(jobs, n, GOODBYE_NS);
	if (left == 0)
		return;
	l->found.n_books++;
	books_note(l, "%u connection blocks did not come back", left);
}

static void
check_pool(struct load *l, uint16_t port, const struct rte_mempool *pool)
{
	unsigned int out = pool == NULL ? 0 : rte_mempool_in_use_count(pool);

	if (out == 0)
		return;
	l->found.n_books++;
	books_note(l, "%u of %u packet buffers of port %u did not come back", out, pool->size,
			port);
}

/* Every packet buffer is back once the contexts are gone (RES-16). Devices other than
 * rings keep buffers posted for reception. */
void
ends_check_buffers(struct load *l)
{
	for (uint16_t i = 0; i < l->link.n_ports && l->conf.is_ring; i++) {
		for (uint16_t k = 0; k < l->n_workers; k++) {
			check_pool(l, i, pmtcp_port_pool(l->link.ports[i], k, false));
			check_pool(l, i, pmtcp_port_pool(l->link.ports[i], k, true));
		}
	}
}

void
ends_destroy(struct load *l)
{
	for (uint16_t i = 0; i < l->n_workers; i++) {
		pmtcp_worker_destroy(l->clients[i].side.worker);
		pmtcp_worker_destroy(l->servers[i].side.worker);
		l->clients[i].side.worker = NULL;
		l->servers[i].side.worker = NULL;
	}
}

void
ends_fini(struct load *l)
{
	for (uint16_t i = 0; i < l->n_workers; i++) {
		client_fini(&l->clients[i]);
		server_fini(&l->servers[i]);
	}
}
