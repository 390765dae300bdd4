/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What makes a run a failure: connections that ended otherwise than intended, opens
 * that were not possible, evicted TIME-WAIT entries, and books that do not balance
 * (CLOSE-45, RES-16), within each end and between them. One sentence each. */

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "load/load.h"

void
books_note(struct load *l, const char *format, ...)
{
	va_list values;

	if (l->found.n == LOAD_FINDINGS_MAX)
		return;
	va_start(values, format);
	vsnprintf(l->found.text[l->found.n++], LOAD_FINDING_LEN, format, values);
	va_end(values);
}

static void
check_equal(struct load *l, const char *what, uint64_t a, uint64_t b)
{
	if (a == b)
		return;
	l->found.n_books++;
	books_note(l, "the books do not balance: %s, %" PRIu64 " and %" PRIu64, what, a, b);
}

/* The application's accounts, the context's, and both against each other. */
static void
check_side(struct load *l, const struct side *s, const char *name)
{
	const struct side_counts *n = &s->n;
	const struct pmtcp_stats *stats = &s->final.stats;
	bool is_client = s == &l->client.side;
	const char *broken = pmtcp_stats_audit(stats);
	char what[96];

	if (broken != NULL) {
		l->found.n_books++;
		books_note(l, "the books do not balance: %s's context, %s", name, broken);
	}
	snprintf(what, sizeof(what), "%s's opened and closed + failed + live", name);
	check_equal(l, what, n->opened, n->closed + side_failed(n) + s->live);
	snprintf(what, sizeof(what), "%s's opened and its context's", name);
	check_equal(l, what, n->opened + n->held,
			stats->counter[is_client ? PMTCP_C_opened_active : PMTCP_C_opened_passive]);
	if (atomic_load(&l->clock.phase) != RUN_DRAINED)
		return; /* events of the last turn may not have been taken */
	snprintf(what, sizeof(what), "%s's live and its context's", name);
	check_equal(l, what, s->live + side_held_now(n), stats->live);
	if (!is_client)
		return; /* an RST that was lost leaves a held one here, for the goodbye */
	snprintf(what, sizeof(what), "%s's held and lost + released", name);
	check_equal(l, what, n->held, n->held_lost + n->held_released);
}

static void
check_between(struct load *l)
{
	const struct side *c = &l->client.side;
	const struct side *s = &l->server.side;
	const uint64_t *n = s->final.stats.counter;
	uint64_t lost = n[PMTCP_C_half_open_reset] + n[PMTCP_C_half_open_timeout] +
			n[PMTCP_C_half_open_replaced] + n[PMTCP_C_half_open_closed] +
			n[PMTCP_C_half_open_icmp] + s->final.stats.half_open;

	uint64_t connected = c->n.connected + c->n.held_ready;
	uint64_t accepted = s->n.opened + s->n.held;

	/* Who was connected was accepted, or its half-open tells why not. */
	if (accepted > connected || connected - accepted > lost) {
		l->found.n_books++;
		books_note(l,
				"the books do not balance: the client has %" PRIu64
				" connected, the server %" PRIu64 " accepted and %" PRIu64
				" half-opens ended",
				connected, accepted, lost);
	}
	if (side_failed(&c->n) + side_failed(&s->n) + c->live + s->live != 0)
		return;
	check_equal(l, "octets sent by the client and received by the server", c->n.tx_octets,
			s->n.rx_octets);
	check_equal(l, "octets sent by the server and received by the client", s->n.tx_octets,
			c->n.rx_octets);
}

/* "2 SYN-SENT, 1 LAST-ACK": what unfinished connections were waiting for. */
static const char *
states_text(const uint32_t *state, char *text, size_t len)
{
	size_t at = 0;

	text[0] = '\0';
	for (int i = PMTCP_SYN_SENT; i < PMTCP_TIME_WAIT && at < len; i++)
		if (state[i] != 0)
			at += (size_t)snprintf(text + at, len - at, "%s%u %s", at ? ", " : "",
					state[i], pmtcp_state_name(i));
	return text;
}

static void
note_failures(struct load *l, const struct side *s, const char *name)
{
	uint64_t evicted = s->final.stats.counter[PMTCP_C_tw_evicted];
	const uint32_t *state = s->final.stats.state;
	char text[128];

	for (uint32_t i = 0; i < SIDE_FAIL_MAX; i++) {
		if (s->n.failed[i] != 0)
			books_note(l, "%" PRIu64 " connections of the %s failed: %s",
					s->n.failed[i], name, side_fail_name(i));
	}
	if (s->n.held_lost != 0)
		books_note(l,
				"%" PRIu64 " of the %s's %" PRIu64 " held connections ended before "
				"the run",
				s->n.held_lost, name, s->n.held);
	if (evicted != 0)
		books_note(l,
				"%" PRIu64 " TIME-WAIT entries of the %s were evicted before their "
				"2MSL: max_time_wait %u is too small",
				evicted, name, l->plan.max_time_wait);
	if (s->live != 0)
		books_note(l,
				"%" PRIu64 " connections of the %s had not ended when the run did: "
				"%s",
				s->live, name, states_text(state, text, sizeof(text)));
}

static void
note_client(struct load *l)
{
	const struct client *c = &l->client;
	const struct pmtcp_port_report *p = &c->ports;
	const uint64_t *errors = c->side.n.open_errors;
	struct pmtcp_addr source = args_subnet_addr(&l->conf.own, c->ports_source, 0);
	char text[ARGS_IP_TEXT];

	if (c->is_unreachable)
		books_note(l, "the next hop to the target does not answer ARP or Neighbour "
			      "Discovery: nothing was opened");
	if (errors[SIDE_OPEN_PORTS] != 0)
		books_note(l,
				"ports exhausted from %s to port %u: of %u ports %u are in use "
				"and %u in TIME-WAIT, the next is free in %u ms",
				args_ip_text(&source, text), c->ports_target, p->range, p->in_use,
				p->time_wait, p->next_free_ms);
	else if (c->open_errno != 0)
		books_note(l, "opening failed: %s", strerror(c->open_errno));
	if (errors[SIDE_OPEN_BLOCKS] + errors[SIDE_OPEN_TABLE] != 0)
		books_note(l,
				"%" PRIu64 " opens found no connection block, %" PRIu64
				" a full table",
				errors[SIDE_OPEN_BLOCKS], errors[SIDE_OPEN_TABLE]);
}

void
books_check(struct load *l)
{
	if (l->has_client) {
		note_client(l);
		note_failures(l, &l->client.side, "client");
		check_side(l, &l->client.side, "client");
	}
	if (l->has_server) {
		note_failures(l, &l->server.side, "server");
		check_side(l, &l->server.side, "server");
	}
	if (l->has_client && l->has_server)
		check_between(l);
}
