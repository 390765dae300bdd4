/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What a small endpoint program begins and ends with: the common options (link,
 * addresses, gateway, protocol, capture), the link, its workers, signals. A program with a
 * plan of its own uses link.h and pmtcp_dpdk.h itself. */

#ifndef PMTCP_APPS_APP_H
#define PMTCP_APPS_APP_H

#include "common/args.h"
#include "common/link.h"
#include "pmtcp_dpdk.h"

#define APP_WORKERS_MAX 16

struct app {
	const char *program;
	const char *summary;         /* one line for --help */
	const struct arg *options;   /* the program's own, beside the common ones */
	unsigned int n_options;      /* at most APP_OPTIONS_MAX */
	struct pmtcp_conf conf;      /* defaults; app_open() adds what the options say */
	struct pmtcp_conn_opts opts; /* for the program's opens and listeners: keepalive */
	struct link link;
	uint16_t max_workers; /* 0: the program's state belongs to one thread */
	uint16_t n_workers;
	struct pmtcp_worker *workers[APP_WORKERS_MAX];
	struct pmtcp_worker *worker; /* the first ... */
	struct pmtcp_ctx *ctx;       /* ... and its context */
};

#define APP_OPTIONS_MAX 16

/* Parses the command line, opens the link, checks it, makes the worker. Returns 0, or
 * the exit code of the program after one sentence on stderr. */
int app_open(struct app *app, int argc, char **argv);

/* Listens on every worker, each for the connections that are its own. Returns 0 or what
 * pmtcp_listen() said. */
int app_listen(struct app *app, const struct pmtcp_addr *local);

/* Serves until SIGINT or SIGTERM: the first worker on this thread, the others on threads of
 * their own. fn runs for each of them, and at the same time. */
void app_run(struct app *app, void (*fn)(struct pmtcp_ctx *ctx, void *arg), void *arg);

/* The end after app_run() (RES-15): FIN to every peer, RST to who has not answered after ns,
 * and one line about it on stdout. Returns the exit code of the program: 0, or 1 if something
 * was left or the books do not balance. */
int app_shutdown(struct app *app, uint64_t ns, void (*fn)(struct pmtcp_ctx *ctx, void *arg),
		void *arg);

/* Serves for so long, and at least one turn. */
void app_serve_for(struct app *app, uint64_t ns, void (*fn)(struct pmtcp_ctx *ctx, void *arg),
		void *arg);

/* "PROGRAM: cannot WHAT: why", worker and link ended; returns the exit code. */
int app_fail(struct app *app, const char *what, int err);

/* Ends worker and link. */
void app_close(struct app *app);

#endif /* PMTCP_APPS_APP_H */
