/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The frame of a small endpoint program. */

#include "common/app.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/diag.h"
#include "pmtcp_dpdk.h"

#define COMMON_OPTIONS 6

static struct pmtcp_worker *signalled;

static void
handle_signal(int sig)
{
	pmtcp_worker_stop(signalled);
}

/* Values of the common options. */
struct common {
	struct link_conf link;
	struct args_subnet ip;
	struct args_capture pcap;
};

static void
parse(struct app *app, struct common *common, int argc, char **argv)
{
	struct arg table[COMMON_OPTIONS + APP_OPTIONS_MAX] = {
			{"link", 0, ARG_TEXT, &common->link.word, LINK_WORDS " (tap:pm0)"},
			{"ip", 0, ARG_SUBNET, &common->ip,
					"own address and subnet (198.18.0.2/24)"},
			{"gateway", 0, ARG_IP, &app->conf.gateway,
					"next hop outside the subnet (none)"},
			{"pcap", 0, ARG_CAPTURE, &common->pcap, "capture both directions (no)"},
			{"eal", 0, ARG_TEXT, &common->link.eal, "more arguments for EAL (none)"},
			{"verbose", 'v', ARG_FLAG, &common->link.verbose, "show what EAL says"},
	};
	struct args args = {.program = app->program, .summary = app->summary, .table = table};

	memcpy(table + COMMON_OPTIONS, app->options, app->n_options * sizeof(table[0]));
	args.n = COMMON_OPTIONS + app->n_options;
	args_parse(&args, argc, argv);
}

int
app_open(struct app *app, int argc, char **argv)
{
	struct common common = {.link = {.word = "tap:pm0", .program = app->program}};
	struct pmtcp_worker_opts opts = {.idle = PMTCP_IDLE_SLEEP};
	int ret;

	pmtcp_conf_init(&app->conf);
	args_value(ARG_SUBNET, "198.18.0.2/24", &common.ip);
	parse(app, &common, argc, argv);
	app->conf.ranges[app->conf.n_ranges++] = common.ip.range;
	app->conf.prefix_len = common.ip.prefix_len;
	if (link_open(&common.link, &app->link) != 0)
		return LINK_EXIT_CODE;
	ret = link_check(&app->link, app->conf.ranges, app->conf.n_ranges);
	if (ret == 0) {
		opts.faults = app->link.faults;
		opts.pcap = common.pcap.file[0] == '\0' ? NULL : common.pcap.file;
		opts.pcap_packets = common.pcap.packets;
		ret = pmtcp_worker_create(app->link.ports[0], 0, &app->conf, &opts, &app->worker);
		if (ret != 0)
			fprintf(stderr, "%s: cannot make a worker: %s\n", app->program,
					strerror(-ret));
	}
	if (ret != 0) {
		link_close(&app->link);
		return LINK_EXIT_CODE;
	}
	app->ctx = pmtcp_worker_ctx(app->worker);
	return 0;
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
	pmtcp_worker_run(app->worker, watched_turn, &watched);
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
	pmtcp_worker_destroy(app->worker);
	link_close(&app->link);
}
