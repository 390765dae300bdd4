/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* pmtcp-load: opens and closes TCP connections and says how fast (doc/load.md). */

#include <inttypes.h>
#include <string.h>

#include "load/load.h"

static struct load load;

static void
print_plan(const struct load *l)
{
	const struct load_conf *c = &l->conf;
	struct pmtcp_conf conf;
	char text[1024];

	fprintf(l->out, "pmtcp-load %s over %s: %" PRIu64 " + %" PRIu64 " octets, %s, ",
			conf_cmd_name(c->cmd), c->link, c->request, c->response,
			conf_close_name(c->close));
	if (c->rate != 0)
		fprintf(l->out, "%" PRIu64 " opens/s, ", c->rate);
	fprintf(l->out, "at most %" PRIu64 " open at once\n", c->concurrency);
	if (c->cmd == LOAD_SERVER) {
		/* What its context gets: next to nothing if the client keeps TIME-WAIT. */
		load_server_conf(l, &conf);
		fprintf(l->out, "plan      2MSL %g s: max_time_wait %u (%.1f MB)\n",
				c->tw_ms / 1000.0, conf.max_time_wait,
				(double)conf.max_time_wait * l->plan_in.tw_octets / 1e6);
	} else {
		plan_print(&l->plan_in, &l->plan, text, sizeof(text));
		fputs(text, l->out);
	}
	summary_warn(l);
	fflush(l->out);
}

int
main(int argc, char **argv)
{
	struct load *l = &load;
	int code = LOAD_EXIT_FINE;

	conf_parse(&l->conf, argc, argv);
	l->out = l->conf.json != NULL && strcmp(l->conf.json, "-") == 0 ? stderr : stdout;
	l->has_client = l->conf.cmd != LOAD_SERVER;
	l->has_server = l->conf.cmd != LOAD_CLIENT;
	l->n_workers = l->conf.workers;
	report_box_fill(&l->box);
	load_plan(l);
	print_plan(l);
	if (!l->conf.check)
		code = load_run(l);
	conf_free_yaml();
	return code;
}
