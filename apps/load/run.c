/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Carries a run out: contexts, link, the control loop. The ends are in ends.c. */

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
#define CONTROL_NS      20000000
#define SIZE_PROBE      1000000u
#define SPARE_CONNS     4096u
#define TW_MIN          1024u

/* ---- contexts -------------------------------------------------------------- */

/* A worker's share of tuples: they fall to workers by chance, so a quarter to spare. */
static uint32_t
of_worker(const struct load *l, uint64_t n)
{
	return (uint32_t)(l->n_workers > 1 ? n / 4 * 5 / l->n_workers + SPARE_CONNS : n);
}

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
	conf->max_conns = conns + (c->hold == 0 ? 0 : of_worker(l, c->hold));
	/* Each connection is closed by us before it has ended. */
	conf->orphan_max = conf->max_conns;
	conf->max_time_wait = of_worker(l, holds_time_wait ? l->plan.max_time_wait : TW_MIN);
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
	/* Behind a full device those that have ended keep their blocks until their last ACK can
	 * leave, while others are opened in their place. */
	common_conf(l, conf, 2 * (uint32_t)c->concurrency + SPARE_CONNS,
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
			.workers = l->n_workers,
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
	if (phase == RUN_DRAINED && atomic_load(&l->clock.n_busy_servers) == 0)
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

/* ---- the whole ---------------------------------------------------------------- */

static int
carry_out(struct load *l, const cpu_set_t *allowed, const sigset_t *signals)
{
	int rc = ends_start(l, allowed);

	if (rc != 0) {
		ends_stop(l);
		return load_fail(l, "start a thread", rc);
	}
	control(l, signals);
	ends_stop(l);
	ends_account(l);
	report_box_memory(&l->box);
	books_check(l);
	ends_goodbye(l);
	ends_destroy(l);
	ends_check_buffers(l);
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
			.workers = l->conf.workers,
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
	run_clock_init(&l->clock, l->n_workers);
	if (link_open(&link_conf, &l->link) != 0)
		return LOAD_EXIT_SETUP;
	/* EAL has bound this thread to one CPU; the ends must not inherit that. */
	sched_setaffinity(0, sizeof(allowed), &allowed);
	code = check_addresses(l);
	if (code == 0)
		code = ends_make(l);
	if (code == 0)
		code = carry_out(l, &allowed, &signals);
	ends_destroy(l);
	ends_fini(l);
	link_close(&l->link);
	return code;
}
