/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Carries a run out: contexts, link, threads, the control loop and the way down. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/stat.h>

#include "load/load.h"

#define SECOND_NS 1000000000ull
/* After the drain, for the held to go: this and more for each of them. */
#define RELEASE_NS      (5 * SECOND_NS)
#define RELEASE_EACH_NS 20000u
#define GOODBYE_NS      SECOND_NS
#define CONTROL_NS      20000000
#define SIZE_PROBE      1000000u
#define SPARE_CONNS     4096u
#define TW_MIN          1024u

/* ---- contexts -------------------------------------------------------------- */

static void
common_conf(const struct load *l, struct pmtcp_conf *conf, uint32_t conns, bool holds_time_wait)
{
	const struct load_conf *c = &l->conf;

	pmtcp_conf_init(conf);
	if (c->preset == ARGS_PRESET_RFC)
		pmtcp_conf_rfc(conf);
	conf->mac = c->mac;
	conf->mtu = c->mtu;
	conf->vlan = l->link.vlan;
	conf->ecn = c->ecn;
	conf->cc = c->cc;
	conf->tw_reuse = c->tw_reuse;
	conf->tw_ms = c->tw_ms;
	conf->syn_retries = (uint8_t)c->syn_retries;
	conf->max_conns = conns + (uint32_t)c->hold;
	/* Each connection is closed by us before it has ended. */
	conf->orphan_max = conf->max_conns;
	conf->max_time_wait = holds_time_wait ? l->plan.max_time_wait : TW_MIN;
	if (c->request + c->response > 0) {
		conf->max_transfers = conns > conf->max_transfers ? conns : conf->max_transfers;
		conf->max_records = 8 * conns > conf->max_records ? 8 * conns : conf->max_records;
	}
}

static void
add_own(struct pmtcp_conf *conf, const struct args_subnet *own, const struct args_gateway *gateway)
{
	(void)args_add_range(own, conf); /* the first or second: there is room */
	conf->gateway = gateway->ip4;
	memcpy(conf->gateway6, gateway->ip6, sizeof(conf->gateway6));
}

void
load_client_conf(const struct load *l, struct pmtcp_conf *conf)
{
	const struct load_conf *c = &l->conf;
	struct args_subnet sources = c->own;

	sources.range = (struct pmtcp_range){l->plan.sources.first, l->plan.sources.last};
	common_conf(l, conf, (uint32_t)c->concurrency + SPARE_CONNS,
			l->plan_in.holder & PLAN_TW_CLIENT);
	add_own(conf, &sources, &c->gateway);
	/* An own address of --ip beside those of --source. */
	if (c->own.range.last != 0 && (c->own.range.last < sources.range.first ||
						      c->own.range.first > sources.range.last))
		(void)args_add_range(&c->own, conf);
	/* A sparse pair table: a search looks at a few places only. */
	conf->max_port_pairs = 4 * (uint32_t)l->plan.pairs;
	conf->port_first = (uint16_t)l->plan.ports.first;
	conf->port_last = (uint16_t)l->plan.ports.last;
}

/* What --listen says, else whatever the client opens to. */
struct plan_range
load_server_ports(const struct load *l)
{
	return l->conf.listen_ports.last != 0 ? l->conf.listen_ports : l->plan.target_ports;
}

void
load_server_conf(const struct load *l, struct pmtcp_conf *conf)
{
	const struct load_conf *c = &l->conf;
	uint32_t conns = 2 * (uint32_t)c->concurrency + SPARE_CONNS;
	struct plan_range ports = load_server_ports(l);
	uint32_t listeners = ports.last - ports.first + 1;

	common_conf(l, conf, conns, l->plan_in.holder & PLAN_TW_SERVER);
	if (c->cmd == LOAD_RUN)
		add_own(conf, &c->server_own, &c->server_gateway);
	else
		add_own(conf, &c->own, &c->gateway);
	conf->syn_cookies = (enum pmtcp_syn_cookies)c->syn_cookies;
	conf->max_half_open = conns;
	/* Each listener has a set of options of its own. */
	conf->max_classes = (uint16_t)(conf->max_classes + listeners);
	if (listeners > conf->max_listeners)
		conf->max_listeners = (uint16_t)listeners;
}

/* Octets of one TIME-WAIT entry, or of one connection, with its share of the table. */
static uint32_t
block_octets(const struct load_conf *c, bool is_connection)
{
	struct pmtcp_conf conf;
	uint32_t *max = is_connection ? &conf.max_conns : &conf.max_time_wait;
	size_t less;

	pmtcp_conf_init(&conf);
	conf.n_ranges6 = c->own.version == 6;
	conf.max_rares = 1;
	conf.max_time_wait = SIZE_PROBE;
	*max = SIZE_PROBE;
	less = pmtcp_ctx_memsize(&conf);
	*max = 2 * SIZE_PROBE;
	return (uint32_t)((pmtcp_ctx_memsize(&conf) - less + SIZE_PROBE - 1) / SIZE_PROBE);
}

static enum plan_holder
holder_of(const struct load_conf *c)
{
	switch (c->close) {
	case LOAD_CLOSE_CLIENT_FIN:
		return PLAN_TW_CLIENT;
	case LOAD_CLOSE_SERVER_FIN:
		return PLAN_TW_SERVER;
	case LOAD_CLOSE_SIMULTANEOUS:
		return PLAN_TW_BOTH;
	case LOAD_CLOSE_CLIENT_RST:
	case LOAD_CLOSE_MAX:
		break;
	}
	return PLAN_TW_NOBODY;
}

void
load_plan(struct load *l)
{
	const struct load_conf *c = &l->conf;
	enum plan_holder holder = holder_of(c);
	struct pmtcp_range sources = c->source.version != 0 ? c->source.range : c->own.range;

	l->plan_in = (struct plan_in){
			.rate = c->rate,
			.ceiling = c->is_memory ? PLAN_CEILING_MEMORY : PLAN_CEILING_DEVICE,
			.run_ns = c->duration_ns == 0 ? 0 : c->warmup_ns + c->duration_ns,
			.count = c->count,
			.concurrency = (uint32_t)c->concurrency,
			.hold = c->hold,
			.hold_octets = block_octets(c, true) *
				       (uint32_t)(l->has_client + l->has_server),
			.tw_ms = c->tw_ms,
			.holder = holder,
			.has_client = l->has_client,
			.sides_here = (uint8_t)((l->has_client && (holder & PLAN_TW_CLIENT)) +
						(l->has_server && (holder & PLAN_TW_SERVER))),
			.sources = {sources.first, sources.last},
			.high6 = c->own.version == 6 ? c->own.high : NULL,
			.ports = c->ports,
			.target_ports = c->cmd == LOAD_SERVER ? c->listen_ports : c->target_ports,
			.memory_free = l->box.available,
			.tw_octets = block_octets(c, false),
	};
	plan_make(&l->plan_in, &l->plan);
}

/* ---- set-up ---------------------------------------------------------------- */

static int
fail_setup(const struct load *l, const char *what, int rc)
{
	fprintf(stderr, "pmtcp-load: cannot %s: %s.\n", what, strerror(-rc));
	return LOAD_EXIT_SETUP;
}

/* Whether a file can be written, asked before the run and not after it. Nothing but a
 * regular file is opened: a reader of a pipe would take that for its end. */
static int
check_output(const char *path)
{
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return access(path, W_OK) == 0 ? 0 : -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : close(fd);
}

static int
check_outputs(const struct load_conf *c)
{
	const char *json = c->json != NULL && strcmp(c->json, "-") != 0 ? c->json : "";
	const char *paths[] = {json, c->pcap.file};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int rc = paths[i][0] == '\0' ? 0 : check_output(paths[i]);

		if (rc == 0)
			continue;
		fprintf(stderr, "pmtcp-load: cannot write %s: %s.\n", paths[i], strerror(-rc));
		return LOAD_EXIT_SETUP;
	}
	return 0;
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
make_worker(struct load *l, struct side *s, const struct pmtcp_conf *conf, uint16_t port)
{
	const struct load_conf *c = &l->conf;
	bool has_capture = c->pcap.file[0] != '\0' && port == 0;
	struct pmtcp_worker_opts opts = {
			.idle = c->idle,
			.pcap = has_capture ? c->pcap.file : NULL,
			.pcap_packets = c->pcap.packets,
			.faults = l->link.faults,
			.reassemble = c->reassemble,
	};

	return pmtcp_worker_create(l->link.ports[port], 0, conf, &opts, &s->worker);
}

static int
make_server(struct load *l)
{
	uint16_t port = l->conf.cmd == LOAD_RUN ? 1 : 0;
	struct plan_range ports = load_server_ports(l);
	struct pmtcp_conf conf;
	int rc;

	load_server_conf(l, &conf);
	join_ring(l, &conf, 0);
	rc = server_init(&l->server, &l->conf, &l->clock, conf.max_conns);
	if (rc == 0)
		rc = make_worker(l, &l->server.side, &conf, port);
	if (rc != 0)
		return fail_setup(l, "make the server's worker", rc);
	rc = server_listen(&l->server, ports);
	return rc == 0 ? 0 : fail_setup(l, "listen", rc);
}

static int
make_client(struct load *l)
{
	struct pmtcp_conf conf;
	int rc;

	load_client_conf(l, &conf);
	join_ring(l, &conf, 1);
	rc = client_init(&l->client, &l->conf, &l->plan, &l->clock);
	if (rc == 0)
		rc = make_worker(l, &l->client.side, &conf, 0);
	return rc == 0 ? 0 : fail_setup(l, "make the client's worker", rc);
}

/* Addresses that are the kernel's too would be answered by it. */
static int
check_addresses(const struct load *l)
{
	struct pmtcp_conf conf;

	if (l->has_client)
		load_client_conf(l, &conf);
	else
		load_server_conf(l, &conf);
	return link_check(&l->link, &conf) == 0 ? 0 : LOAD_EXIT_SETUP;
}

static int
make_ends(struct load *l)
{
	int code = check_addresses(l);

	if (code == 0 && l->has_server)
		code = make_server(l);
	if (code == 0 && l->has_client)
		code = make_client(l);
	return code;
}

/* ---- threads --------------------------------------------------------------- */

/* The CPU of each end: one each, beside the control thread's if there are enough. -1 for
 * an end alone: another process may be the other one. */
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
	l->is_one_thread = l->has_client && l->has_server && n < 2;
	if (!l->has_client || !l->has_server || n < 1)
		return;
	cpu[0] = list[n > 2 ? 1 : 0];
	cpu[1] = list[n > 2 ? 2 : n - 1];
}

static int
start_ends(struct load *l, const int cpu[2])
{
	struct pmtcp_job jobs[2] = {
			{l->server.side.worker, server_turn, &l->server},
			{l->client.side.worker, client_turn, &l->client},
	};
	int rc = 0;

	if (l->is_one_thread)
		return pmtcp_worker_start(jobs, 2, cpu[0]);
	if (l->has_server)
		rc = pmtcp_worker_start(&jobs[0], 1, cpu[1]);
	if (rc == 0 && l->has_client)
		rc = pmtcp_worker_start(&jobs[1], 1, cpu[0]);
	return rc;
}

static void
stop_ends(struct load *l)
{
	if (l->has_client && !l->is_one_thread)
		pmtcp_worker_join(l->client.side.worker);
	if (l->has_server)
		pmtcp_worker_join(l->server.side.worker);
}

/* ---- control --------------------------------------------------------------- */

static bool
is_over(struct load *l, uint64_t now_ns, uint64_t *drain_until_ns)
{
	enum run_phase phase = atomic_load(&l->clock.phase);

	if (phase < RUN_DRAIN)
		return false;
	if (*drain_until_ns == 0)
		*drain_until_ns = now_ns + RUN_DRAIN_NS +
				  (l->conf.hold ? RELEASE_NS + l->conf.hold * RELEASE_EACH_NS : 0);
	if (phase == RUN_DRAINED && (!l->has_server || atomic_load(&l->clock.is_server_idle)))
		return true;
	return now_ns >= *drain_until_ns;
}

/* Waits for the end of the run; a line a second, a server's first at once. SIGINT and SIGTERM
 * end it early, a second one ends the drain too. */
static void
control(struct load *l, const sigset_t *signals)
{
	struct timespec wait = {.tv_nsec = CONTROL_NS};
	uint64_t drain_until_ns = 0;
	uint64_t now_ns = pmtcp_clock_now();
	uint64_t next_ns = now_ns + SECOND_NS;
	struct live live;
	uint32_t asked = 0;

	live_begin(&live, l, now_ns);
	/* Whoever is to connect may begin; if one has already, there is no time to count in yet. */
	if (!l->has_client && atomic_load(&l->clock.start_ns) == UINT64_MAX)
		live_line(&live, l, now_ns);
	while (!is_over(l, now_ns, &drain_until_ns) && asked < 2) {
		if (sigtimedwait(signals, NULL, &wait) > 0) {
			asked++;
			atomic_store(&l->clock.is_stop_asked, true);
		}
		now_ns = pmtcp_clock_now();
		if (now_ns < next_ns)
			continue;
		live_line(&live, l, now_ns);
		next_ns += SECOND_NS;
	}
	l->run_ns = now_ns - atomic_load(&l->clock.start_ns);
	if (atomic_load(&l->clock.start_ns) == UINT64_MAX)
		l->run_ns = 0;
}

/* ---- the way down ---------------------------------------------------------- */

static void
close_window(struct side *s)
{
	uint64_t now_ns = pmtcp_clock_now();

	side_snap_take(s, now_ns, &s->final);
	if (s->is_measuring)
		s->end = s->final;
	s->is_measuring = false;
	/* A server alone does not know when the client stopped: its last event tells. */
	if (s->conf->cmd == LOAD_SERVER && s->has_window && s->last_ns > s->begin.at_ns &&
			s->last_ns < s->end.at_ns)
		s->end.at_ns = s->last_ns;
}

/* Every packet buffer is back once the contexts are gone (RES-16). Devices other than
 * rings keep buffers posted for reception. */
static void
check_buffers(struct load *l)
{
	for (uint16_t i = 0; i < l->link.n_ports && l->conf.is_ring; i++) {
		for (int ctl = 0; ctl < 2; ctl++) {
			struct rte_mempool *pool = pmtcp_port_pool(l->link.ports[i], 0, ctl);
			unsigned int out = pool == NULL ? 0 : rte_mempool_in_use_count(pool);

			if (out == 0)
				continue;
			l->found.n_books++;
			books_note(l, "%u of %u packet buffers of port %u did not come back", out,
					pool->size, i);
		}
	}
}

/* FIN to who is left when the drain is over, RST to who does not answer that (RES-15). The
 * report is of the run: what ends now had not ended then. */
static void
say_goodbye(struct load *l)
{
	const struct side_counts counts[2] = {l->client.side.n, l->server.side.n};
	const uint64_t live[2] = {l->client.side.live, l->server.side.live};
	struct pmtcp_job jobs[2];
	uint32_t left;
	uint16_t n = 0;

	l->server.n_listeners = 0; /* they end with the contexts */
	if (l->has_server)
		jobs[n++] = (struct pmtcp_job){l->server.side.worker, server_turn, &l->server};
	if (l->has_client)
		jobs[n++] = (struct pmtcp_job){l->client.side.worker, client_turn, &l->client};
	left = pmtcp_worker_shutdown(jobs, n, GOODBYE_NS);
	l->client.side.n = counts[0];
	l->server.side.n = counts[1];
	l->client.side.live = live[0];
	l->server.side.live = live[1];
	if (left == 0)
		return;
	l->found.n_books++;
	books_note(l, "%u connection blocks did not come back", left);
}

static void
destroy_ends(struct load *l)
{
	pmtcp_worker_destroy(l->client.side.worker);
	pmtcp_worker_destroy(l->server.side.worker);
	l->client.side.worker = NULL;
	l->server.side.worker = NULL;
}

static int
carry_out(struct load *l, const cpu_set_t *allowed, const sigset_t *signals)
{
	int cpu[2];
	int rc;

	choose_cpus(l, allowed, cpu);
	rc = start_ends(l, cpu);
	if (rc != 0) {
		stop_ends(l);
		return fail_setup(l, "start a thread", rc);
	}
	control(l, signals);
	stop_ends(l);
	if (l->has_client)
		close_window(&l->client.side);
	if (l->has_server)
		close_window(&l->server.side);
	report_box_memory(&l->box);
	books_check(l);
	say_goodbye(l);
	destroy_ends(l);
	check_buffers(l);
	summary_print(l);
	if (l->conf.json != NULL && report_write(l) != 0)
		return LOAD_EXIT_SETUP;
	return l->found.n == 0 ? LOAD_EXIT_FINE : LOAD_EXIT_ERRORS;
}

int
load_run(struct load *l)
{
	struct link_conf link_conf = {
			.word = l->conf.link,
			.eal = l->conf.eal,
			.program = "pmtcp-load",
			.mtu = l->conf.mtu,
			.verbose = l->conf.verbose,
			.no_offloads = l->conf.no_offloads,
	};
	cpu_set_t allowed;
	sigset_t signals;
	int code = LOAD_EXIT_SETUP;

	if (check_outputs(&l->conf) != 0)
		return code;
	/* Threads inherit the mask: signals come to the control loop alone. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	pattern_init();
	run_clock_init(&l->clock);
	if (link_open(&link_conf, &l->link) != 0)
		return LOAD_EXIT_SETUP;
	/* EAL has bound this thread to one CPU; the ends must not inherit that. */
	sched_setaffinity(0, sizeof(allowed), &allowed);
	code = make_ends(l);
	if (code == 0)
		code = carry_out(l, &allowed, &signals);
	destroy_ends(l);
	client_fini(&l->client);
	server_fini(&l->server);
	link_close(&l->link);
	return code;
}
