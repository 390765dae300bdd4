/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The frame of a small endpoint program. */

#include "common/app.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/diag.h"
#include "pmtcp_dpdk.h"

#define COMMON_OPTIONS 15
#define NS_PER_MS      1000000u

/* RFC 791 3.2: every host takes 576 octets; RFC 8200 5: every IPv6 link 1280. */
#define APP_MTU_MIN          576
#define APP_MTU6_MIN         1280
#define APP_MTU_MAX          9000
#define APP_KEEPALIVE_MIN_NS (100ull * NS_PER_MS)
#define APP_KEEPALIVE_MAX_NS (604800000ull * NS_PER_MS)

/* The first one's end is the others', see app_run(). */
static struct pmtcp_worker *signalled;

static void
handle_signal(int sig)
{
	pmtcp_worker_stop(signalled);
}

/* Values of the common options. */
struct common {
	struct link_conf link;
	struct args_subnets ip;
	struct args_gateway gateway;
	struct args_capture pcap;
	uint64_t keepalive_ns;
	uint32_t reassemble;
	uint16_t workers;
	uint8_t ecn, syn_cookies, cc, tw_reuse, preset;
};

static void
parse(struct app *app, struct common *common, int argc, char **argv)
{
	struct arg table[COMMON_OPTIONS + APP_OPTIONS_MAX] = {
			{"link", 0, ARG_TEXT, &common->link.word, LINK_WORDS " (tap:pm0)"},
			{"ip", 0, ARG_SUBNETS, &common->ip,
					"own addresses and subnets (198.18.0.2/24)"},
			{"gateway", 0, ARG_GATEWAY, &common->gateway,
					"next hop outside the subnet (none)"},
			{"mtu", 0, ARG_U16, &common->link.mtu,
					"IP packet octets, 576 to 9000 (the device's)"},
			{"ecn", 0, ARG_ECN, &common->ecn,
					"congestion notification: off, accept, offer (accept)"},
			{"keepalive", 0, ARG_DURATION, &common->keepalive_ns,
					"silence before the first probe, 0: none (0)"},
			{"syn-cookies", 0, ARG_COOKIES, &common->syn_cookies,
					"auto, always, off (auto)"},
			{"cc", 0, ARG_CC, &common->cc,
					"congestion control: cubic, newreno (cubic)"},
			{"tw-reuse", 0, ARG_REUSE, &common->tw_reuse,
					"opens over own TIME-WAIT: off, safe, force (safe)"},
			{"preset", 0, ARG_PRESET, &common->preset,
					"default, rfc: RTO from 1 s, 2MSL 240 s (default)"},
			{"reassemble", 0, ARG_U32, &common->reassemble,
					"fragmented datagrams at a time, 0: dropped (0)"},
			{"workers", 0, ARG_U16, &common->workers,
					"threads that share the addresses (queues of the link)"},
			{"pcap", 0, ARG_CAPTURE, &common->pcap,
					"capture both directions, of the first worker (no)"},
			{"eal", 0, ARG_TEXT, &common->link.eal, "more arguments for EAL (none)"},
			{"verbose", 'v', ARG_FLAG, &common->link.verbose, "show what EAL says"},
	};
	struct args args = {.program = app->program, .summary = app->summary, .table = table};

	memcpy(table + COMMON_OPTIONS, app->options, app->n_options * sizeof(table[0]));
	args.n = COMMON_OPTIONS + app->n_options;
	args_parse(&args, argc, argv);
}

static bool
has_ip6(const struct args_subnets *list)
{
	for (uint16_t i = 0; i < list->n; i++)
		if (list->item[i].version == 6)
			return true;
	return false;
}

/* Ranges that the types do not know. Returns 0, or says what is wrong. */
static int
check(const struct app *app, const struct common *common)
{
	const char *problem = NULL;

	if (common->link.mtu != 0 &&
			(common->link.mtu < APP_MTU_MIN || common->link.mtu > APP_MTU_MAX))
		problem = "--mtu must be between 576 and 9000 octets";
	else if (common->link.mtu != 0 && common->link.mtu < APP_MTU6_MIN && has_ip6(&common->ip))
		problem = "--mtu must be at least 1280 octets with an IPv6 address in --ip";
	else if (common->keepalive_ns != 0 &&
			(common->keepalive_ns < APP_KEEPALIVE_MIN_NS ||
					common->keepalive_ns > APP_KEEPALIVE_MAX_NS))
		problem = "--keepalive must be 0, or between 100ms and 168h";
	else if (common->workers > APP_WORKERS_MAX ||
			common->workers > (app->max_workers == 0 ? 1 : app->max_workers))
		problem = app->max_workers == 0 ? "--workers must be 1 for this program"
						: "--workers must be at most 16";
	if (problem == NULL)
		return 0;
	fprintf(stderr, "%s: %s\n", app->program, problem);
	return -EINVAL;
}

/* All of the port; only the first one's frames go into the capture. */
static int
make_workers(struct app *app, const struct common *common)
{
	struct pmtcp_worker_opts opts = {.idle = PMTCP_IDLE_SLEEP,
			.faults = app->link.faults,
			.reassemble = common->reassemble,
			.pcap = common->pcap.file[0] == '\0' ? NULL : common->pcap.file,
			.pcap_packets = common->pcap.packets};
	uint16_t n = pmtcp_port_workers(app->link.ports[0]);
	int ret;

	for (uint16_t i = 0; i < n; i++) {
		ret = pmtcp_worker_create(
				app->link.ports[0], i, &app->conf, &opts, &app->workers[i]);
		if (ret != 0) {
			fprintf(stderr, "%s: cannot make a worker: %s\n", app->program,
					strerror(-ret));
			return ret;
		}
		app->n_workers++;
		opts.pcap = NULL;
	}
	return 0;
}

int
app_open(struct app *app, int argc, char **argv)
{
	struct common common = {.link = {.word = "tap:pm0", .program = app->program}};

	pmtcp_conf_init(&app->conf);
	args_value(ARG_SUBNETS, "198.18.0.2/24", &common.ip);
	common.ecn = app->conf.ecn;
	common.syn_cookies = (uint8_t)app->conf.syn_cookies;
	common.cc = app->conf.cc;
	common.tw_reuse = app->conf.tw_reuse;
	parse(app, &common, argc, argv);
	if (check(app, &common) != 0)
		return ARGS_EXIT_CODE;
	args_conf(&common.ip, &common.gateway, &app->conf);
	app->conf.ecn = common.ecn;
	app->conf.syn_cookies = (enum pmtcp_syn_cookies)common.syn_cookies;
	app->conf.cc = common.cc;
	app->conf.tw_reuse = common.tw_reuse;
	if (common.preset == ARGS_PRESET_RFC)
		pmtcp_conf_rfc(&app->conf);
	app->opts.keepalive_ms = (uint32_t)(common.keepalive_ns / NS_PER_MS);
	common.link.workers = app->max_workers == 0 ? 1 : common.workers;
	if (link_open(&common.link, &app->link) != 0)
		return LINK_EXIT_CODE;
	app->conf.vlan = app->link.vlan;
	if (link_check(&app->link, &app->conf) != 0 || make_workers(app, &common) != 0) {
		app_close(app);
		return LINK_EXIT_CODE;
	}
	app->worker = app->workers[0];
	app->ctx = pmtcp_worker_ctx(app->worker);
	return 0;
}

int
app_listen(struct app *app, const struct pmtcp_addr *local)
{
	const struct pmtcp_listen_opts opts = {.conn = app->opts};
	struct pmtcp_listener *listener;
	int ret = 0;

	for (uint16_t i = 0; i < app->n_workers && ret == 0; i++)
		ret = pmtcp_listen(pmtcp_worker_ctx(app->workers[i]), local, &opts, &listener);
	return ret;
}

/* The program's turn, and what the context has to say to its operator. */
struct watched {
	const char *program;
	void (*fn)(struct pmtcp_ctx *ctx, void *arg);
	void *arg;
};

static void
watched_turn(struct pmtcp_ctx *ctx, void *arg)
{
	const struct watched *w = arg;

	w->fn(ctx, w->arg);
	diag_print(ctx, w->program, stderr);
}

void
app_run(struct app *app, void (*fn)(struct pmtcp_ctx *ctx, void *arg), void *arg)
{
	struct watched watched = {.program = app->program, .fn = fn, .arg = arg};

	signalled = app->worker;
	signal(SIGINT, handle_signal);
	signal(SIGTERM, handle_signal);
	for (uint16_t i = 1; i < app->n_workers; i++) {
		const struct pmtcp_job job = {app->workers[i], watched_turn, &watched};
		int ret = pmtcp_worker_start(&job, 1, -1);

		if (ret == 0)
			continue;
		fprintf(stderr, "%s: cannot start a thread: %s\n", app->program, strerror(-ret));
		pmtcp_worker_stop(app->worker);
	}
	pmtcp_worker_run(app->worker, watched_turn, &watched);
	for (uint16_t i = 1; i < app->n_workers; i++)
		pmtcp_worker_join(app->workers[i]);
}

/* Accounts of all workers together. */
static void
add_stats(const struct app *app, struct pmtcp_stats *sum)
{
	struct pmtcp_stats one;

	memset(sum, 0, sizeof(*sum));
	for (uint16_t i = 0; i < app->n_workers; i++) {
		pmtcp_stats(pmtcp_worker_ctx(app->workers[i]), &one);
		pmtcp_stats_add(sum, &one);
	}
}

int
app_shutdown(struct app *app, uint64_t ns, void (*fn)(struct pmtcp_ctx *ctx, void *arg), void *arg)
{
	struct pmtcp_job jobs[APP_WORKERS_MAX];
	struct pmtcp_stats before, after;
	const char *broken;
	uint32_t left;

	for (uint16_t i = 0; i < app->n_workers; i++)
		jobs[i] = (struct pmtcp_job){app->workers[i], fn, arg};
	add_stats(app, &before);
	left = pmtcp_worker_shutdown(jobs, app->n_workers, ns);
	add_stats(app, &after);
	broken = pmtcp_stats_audit(&after);
	printf("%s: %u connections at the end, %llu of them aborted, %u blocks left, %s%s\n",
			app->program, before.live,
			(unsigned long long)(after.ended[PMTCP_LOCAL_ABORT] -
					     before.ended[PMTCP_LOCAL_ABORT]),
			left, broken == NULL ? "the books balance" : "the books do not balance: ",
			broken == NULL ? "" : broken);
	return left == 0 && broken == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}

void
app_serve_for(struct app *app, uint64_t ns, void (*fn)(struct pmtcp_ctx *ctx, void *arg), void *arg)
{
	uint64_t deadline_ns = pmtcp_clock_now() + ns;

	do {
		pmtcp_worker_turn(app->worker, fn, arg);
	} while (pmtcp_clock_now() < deadline_ns);
}

int
app_fail(struct app *app, const char *what, int err)
{
	fprintf(stderr, "%s: cannot %s: %s\n", app->program, what, strerror(-err));
	app_close(app);
	return LINK_EXIT_CODE;
}

void
app_close(struct app *app)
{
	for (uint16_t i = 0; i < app->n_workers; i++)
		pmtcp_worker_destroy(app->workers[i]);
	app->n_workers = 0;
	link_close(&app->link);
}
