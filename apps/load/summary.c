/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The end of a run in words and numbers for people. json.c writes the same figures. */

#include <inttypes.h>

#include "load/load.h"

static uint64_t
over_window(const struct side *s, enum pmtcp_counter c)
{
	return s->end.stats.counter[c] - s->begin.stats.counter[c];
}

static uint64_t
over_both(const struct load *l, enum pmtcp_counter c)
{
	return over_window(&l->client.side, c) + over_window(&l->server.side, c);
}

static uint64_t
in_all(const struct load *l, enum pmtcp_counter c)
{
	return l->client.side.final.stats.counter[c] + l->server.side.final.stats.counter[c];
}

void
summary_window(const struct load *l, struct window *w)
{
	const struct side *s = load_main_side(l);
	uint64_t closed = s->n.closed;
	/* A frame that was handed over was given to two contexts. */
	uint64_t frames = s->final.stats.counter[PMTCP_C_tx_frames] +
			  s->final.stats.counter[PMTCP_C_rx_frames] -
			  s->final.stats.counter[PMTCP_C_misdirected];

	/* The frames of what stayed open are nobody else's. */
	if (l->conf.hold != 0 && s->has_window) {
		closed = s->end.n.closed - s->begin.n.closed;
		frames = over_window(s, PMTCP_C_tx_frames) + over_window(s, PMTCP_C_rx_frames) -
			 over_window(s, PMTCP_C_misdirected);
	}

	*w = (struct window){.challenges = over_both(l, PMTCP_C_challenge_sent)};
	if (closed > 0)
		w->packets_per_connection = (double)frames / (double)closed;
	if (!s->has_window || s->end.at_ns <= s->begin.at_ns)
		return;
	w->seconds = (double)(s->end.at_ns - s->begin.at_ns) / 1e9;
	w->opens_per_s = (double)(s->end.n.connected - s->begin.n.connected) / w->seconds;
	w->closes_per_s = (double)(s->end.n.closed - s->begin.n.closed) / w->seconds;
	w->tw_entered_per_s = (double)over_both(l, PMTCP_C_tw_entered) / w->seconds;
	w->tw_expired_per_s = (double)over_both(l, PMTCP_C_tw_expired) / w->seconds;
}

static void
print_counts(const struct load *l, const struct side *s, const char *name)
{
	char text[4][REPORT_NUMBER_LEN];
	char causes[512];

	live_causes(&s->n, causes, sizeof(causes));
	fprintf(l->out, "%-10s%s opened, %s closed, %s failed, %s live%s\n", name,
			report_number(s->n.opened, text[0]), report_number(s->n.closed, text[1]),
			report_number(side_failed(&s->n), text[2]), report_number(s->live, text[3]),
			causes);
}

static void
print_held(const struct load *l)
{
	const struct side_counts *n = &load_main_side(l)->n;
	char text[4][REPORT_NUMBER_LEN];

	if (n->held == 0)
		return;
	fprintf(l->out, "held      %s opened, %s established, %s lost, %s released\n",
			report_number(n->held, text[0]), report_number(n->held_ready, text[1]),
			report_number(n->held_lost, text[2]),
			report_number(n->held_released, text[3]));
}

static void
print_time_wait(const struct load *l, const struct window *w)
{
	uint64_t now = l->client.side.final.stats.time_wait + l->server.side.final.stats.time_wait;
	char text[6][REPORT_NUMBER_LEN];

	fprintf(l->out,
			"time-wait %s entered, %s expired (%s/s in the window), %s evicted, %s "
			"skipped, %s reused, %" PRIu64 " now\n",
			report_number(in_all(l, PMTCP_C_tw_entered), text[0]),
			report_number(in_all(l, PMTCP_C_tw_expired), text[1]),
			report_number((uint64_t)w->tw_expired_per_s, text[2]),
			report_number(in_all(l, PMTCP_C_tw_evicted), text[3]),
			report_number(in_all(l, PMTCP_C_tw_skipped), text[4]),
			report_number(in_all(l, PMTCP_C_tw_reused_in) +
							in_all(l, PMTCP_C_tw_reused_out),
					text[5]),
			now);
}

static void
print_pace(const struct load *l)
{
	const struct pace *p = &l->client.pace;

	if (!l->has_client || !p->is_paced)
		return;
	fprintf(l->out, "pace      %s set the speed", pace_is_held(p) ? "concurrency" : "rate");
	if (p->is_open_loop)
		fprintf(l->out,
				"; %" PRIu64 " of %" PRIu64 " launches more than 1 ms late, at "
				"most %.1f ms",
				p->late, p->launched, (double)p->late_ns_max / 1e6);
	fputc('\n', l->out);
}

double
summary_busy(const struct side *s)
{
	double cycles = (double)(s->end.worker.busy_cycles - s->begin.worker.busy_cycles);
	double ns = (double)(s->end.at_ns - s->begin.at_ns);

	return ns > 0 ? cycles / (double)pmtcp_clock_hz() * 1e9 / ns * 100 : 0;
}

static void
print_speed(const struct load *l, const struct window *w)
{
	char text[2][REPORT_NUMBER_LEN];

	if (!load_main_side(l)->has_window) {
		fprintf(l->out, "\nwindow    %s\n",
				l->has_client && l->conf.warmup_ns > 0
						? "ended during the warm-up: no window"
						: "none");
		return;
	}
	fprintf(l->out, "\nwindow    %.3f s: %s opens/s, %s closes/s\n", w->seconds,
			report_number((uint64_t)w->opens_per_s, text[0]),
			report_number((uint64_t)w->closes_per_s, text[1]));
}

void
summary_warn(const struct load *l)
{
	const char *warning = plan_tw_warning(l->conf.tw_ms);

	if (warning != NULL)
		fprintf(l->out, "warning   %s\n", warning);
}

void
summary_print(const struct load *l)
{
	struct window w;

	summary_window(l, &w);
	print_speed(l, &w);
	if (l->has_client)
		print_counts(l, &l->client.side, "client");
	if (l->has_server)
		print_counts(l, &l->server.side, "server");
	print_held(l);
	print_time_wait(l, &w);
	summary_warn(l);
	fprintf(l->out,
			"packets   %.2f per connection, %" PRIu64 " retransmitted, %" PRIu64
			" challenge ACKs in the window\n",
			w.packets_per_connection, in_all(l, PMTCP_C_retransmitted), w.challenges);
	print_pace(l);
	report_hist_us(l->out, "connect", &l->client.side.connect);
	report_hist_us(l->out, "close", &load_main_side(l)->close);
	report_hist_us(l->out, "life", &l->client.side.life);
	if (l->has_client)
		fprintf(l->out, "cpu       client %.0f %% busy%s", summary_busy(&l->client.side),
				l->has_server ? ", " : "\n");
	if (l->has_server)
		fprintf(l->out, "%sserver %.0f %% busy%s\n", l->has_client ? "" : "cpu       ",
				summary_busy(&l->server.side),
				l->is_one_thread ? ", both on one CPU" : "");
	fprintf(l->out,
			"memory    %.1f MB resident, %.1f MB of it in transparent huge pages, "
			"%.1f MB in other huge pages\n",
			(double)l->box.resident / 1e6, (double)l->box.thp / 1e6,
			(double)l->box.hugetlb / 1e6);
	for (uint32_t i = 0; i < l->found.n; i++)
		fprintf(l->out, "error     %s\n", l->found.text[i]);
	if (l->found.n_books == 0)
		fprintf(l->out, "books     balance\n");
	fflush(l->out);
}
