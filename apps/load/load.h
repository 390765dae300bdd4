/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A whole run of pmtcp-load: what main.c prepares, run.c carries out and summary.c
 * reports. */

#ifndef PMTCP_APPS_LOAD_LOAD_H
#define PMTCP_APPS_LOAD_LOAD_H

#include <sched.h>
#include <stdio.h>

#include "common/link.h"
#include "common/report.h"
#include "load/client.h"
#include "load/server.h"

#define LOAD_EXIT_FINE   0
#define LOAD_EXIT_USAGE  1
#define LOAD_EXIT_SETUP  2
#define LOAD_EXIT_ERRORS 3

#define LOAD_FINDINGS_MAX 24
#define LOAD_FINDING_LEN  192

/* What makes the exit code 3, one sentence each. */
struct findings {
	uint32_t n;
	uint32_t n_books; /* of them: books that do not balance */
	char text[LOAD_FINDINGS_MAX][LOAD_FINDING_LEN];
};

struct load {
	struct load_conf conf;
	struct plan_in plan_in;
	struct plan plan;
	struct report_box box;
	struct run_clock clock;
	struct link link;
	uint16_t n_workers; /* of each end */
	struct client clients[LOAD_WORKERS_MAX];
	struct server servers[LOAD_WORKERS_MAX];
	/* Once all have stopped: the accounts of all workers of an end together. */
	struct client client;
	struct server server;
	bool has_client;
	bool has_server;
	bool is_one_thread;
	uint64_t run_ns; /* from the first launch to the end of the drain */
	FILE *out;       /* for people: standard output, or error if that takes the JSON */
	struct findings found;
};

/* ---- run.c */

/* The configuration of each end's context. */
void load_client_conf(const struct load *l, struct pmtcp_conf *conf);
void load_server_conf(const struct load *l, struct pmtcp_conf *conf);

/* The ports the server listens on. */
struct plan_range load_server_ports(const struct load *l);

/* Works out l->plan_in and l->plan. */
void load_plan(struct load *l);

/* "cannot WHAT: why" on stderr; returns the exit code. */
int load_fail(const struct load *l, const char *what, int rc);

/* Link, workers, run, accounts. Returns an exit code; everything is closed again. */
int load_run(struct load *l);

/* ---- ends.c: the workers of both ends */

/* Returns 0, or an exit code after a sentence. */
int ends_make(struct load *l);
/* One thread each; client and server share one where there is one CPU. 0 or a negative errno. */
int ends_start(struct load *l, const cpu_set_t *allowed);
void ends_stop(struct load *l);
/* Takes the accounts, and adds them up in l->client and l->server. */
void ends_account(struct load *l);
/* FIN to who is left when the drain is over, RST to who does not answer that (RES-15). The
 * report is of the run: what ends now had not ended then. */
void ends_goodbye(struct load *l);
void ends_destroy(struct load *l);
void ends_check_buffers(struct load *l);
void ends_fini(struct load *l);

/* ---- books.c */

/* Writes down everything that makes the run a failure. Caller: the workers have stopped
 * and `final` of each end was taken. */
void books_check(struct load *l);
__attribute__((format(printf, 2, 3))) void books_note(struct load *l, const char *format, ...);

/* ---- live.c */

/* One line of the past second. */
struct live {
	uint64_t at_ns;
	uint64_t opens;
	uint64_t closes;
};
void live_begin(struct live *live, const struct load *l, uint64_t now_ns);
void live_line(struct live *live, const struct load *l, uint64_t now_ns);

/* Writes ", cause n" for each cause that is not zero; returns as snprintf(). */
int live_causes(const struct side_counts *n, char *buf, size_t len);

/* ---- summary.c */

/* The same figures for the text and for the JSON. */
struct window {
	double seconds;
	double opens_per_s;
	double closes_per_s;
	double tw_entered_per_s;
	double tw_expired_per_s;
	double packets_per_connection;
	uint64_t challenges;
};
void summary_window(const struct load *l, struct window *w);
void summary_print(const struct load *l);
/* What must be said about the 2MSL, before the run and in its report (DEC-8). */
void summary_warn(const struct load *l);
/* Share of the window that an end had something to do, in percent of its CPU. */
double summary_busy(const struct side *s);

/* ---- json.c */

/* Returns 0 or a negative errno, said on stderr. */
int report_write(const struct load *l);

/* The end whose accounts stand for the run: the client's where there is one. */
static inline const struct side *
load_main_side(const struct load *l)
{
	return l->has_client ? &l->client.side : &l->server.side;
}

#endif /* PMTCP_APPS_LOAD_LOAD_H */
