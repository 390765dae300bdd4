/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The accounts: counters by name, gauges, and the identities that must hold
 * (RES-16, CLOSE-45, TW-15). */

#include "stack/stack.h"

#include <string.h>

static const char *const counter_names[PMTCP_C_MAX] = {
#define PMTCP_FATE(name, help)    #name,
#define PMTCP_COUNTER(name, help) #name,
#include "pmtcp_counters.def"
};

static const char *const counter_helps[PMTCP_C_MAX] = {
#define PMTCP_FATE(name, help)    help,
#define PMTCP_COUNTER(name, help) help,
#include "pmtcp_counters.def"
};

static const char *const reason_names[PMTCP_REASON_MAX] = {"none", "graceful", "peer_reset",
		"refused", "timeout_syn", "timeout_rtx", "timeout_user", "timeout_ka",
		"timeout_fw2", "timeout_linger", "local_abort", "local_close", "data_lost",
		"no_resource", "unreachable"};

static const char *const state_names[PMTCP_STATE_MAX] = {"CLOSED", "LISTEN", "SYN-SENT",
		"SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",
		"LAST-ACK", "TIME-WAIT"};

const char *
pmtcp_counter_name(enum pmtcp_counter c)
{
	return (unsigned)c < PMTCP_C_MAX ? counter_names[c] : "?";
}

const char *
pmtcp_counter_help(enum pmtcp_counter c)
{
	return (unsigned)c < PMTCP_C_MAX ? counter_helps[c] : "?";
}

const char *
pmtcp_reason_name(enum pmtcp_reason r)
{
	return (unsigned)r < PMTCP_REASON_MAX ? reason_names[r] : "?";
}

const char *
pmtcp_state_name(enum pmtcp_state state)
{
	return (unsigned)state < PMTCP_STATE_MAX ? state_names[state] : "?";
}

void
pmtcp_stats(const struct pmtcp_ctx *s, struct pmtcp_stats *out)
{
	const struct tcp *t = &s->t;

	memcpy(out->counter, t->counter, sizeof(out->counter));
	memcpy(out->ended, t->ended, sizeof(out->ended));
	memcpy(out->state, t->state, sizeof(out->state));
	out->live = t->live;
	out->half_open = t->n_half_open;
	out->time_wait = t->state[PMTCP_TIME_WAIT];
	out->time_wait_peak = t->tw_peak;
	out->parked = t->parked;
	out->blocks_used = t->tcbs.used + t->half_opens.used + t->time_waits.used;
	out->transfers_used = t->txs.used + t->rxs.used;
	out->rares_used = t->rares.used;
	out->records_used = t->recs.in_use;
}

void
pmtcp_stats_add(struct pmtcp_stats *sum, const struct pmtcp_stats *one)
{
	for (int i = 0; i < PMTCP_C_MAX; i++)
		sum->counter[i] += one->counter[i];
	for (int i = 0; i < PMTCP_REASON_MAX; i++)
		sum->ended[i] += one->ended[i];
	for (int i = 0; i < PMTCP_STATE_MAX; i++)
		sum->state[i] += one->state[i];
	sum->live += one->live;
	sum->half_open += one->half_open;
	sum->time_wait += one->time_wait;
	sum->time_wait_peak += one->time_wait_peak;
	sum->parked += one->parked;
	sum->blocks_used += one->blocks_used;
	sum->transfers_used += one->transfers_used;
	sum->records_used += one->records_used;
	sum->rares_used += one->rares_used;
}

static uint64_t
sum_of(const uint64_t *v, int n)
{
	uint64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += v[i];
	return sum;
}

const char *
pmtcp_stats_audit(const struct pmtcp_stats *st)
{
	const uint64_t *c = st->counter;
	uint64_t states = 0;

	if (sum_of(c, PMTCP_FATE_MAX) + c[PMTCP_C_misdirected] != c[PMTCP_C_rx_frames])
		return "received frames = sum of their fates + handed over";
	if (c[PMTCP_C_opened_active] + c[PMTCP_C_opened_passive] !=
			sum_of(st->ended, PMTCP_REASON_MAX) + st->live)
		return "opened connections = ended by reason + live";
	if (c[PMTCP_C_half_open_created] !=
			c[PMTCP_C_half_open_accepted] + c[PMTCP_C_half_open_reset] +
					c[PMTCP_C_half_open_timeout] +
					c[PMTCP_C_half_open_replaced] +
					c[PMTCP_C_half_open_closed] + c[PMTCP_C_half_open_icmp] +
					st->half_open)
		return "half-opens made = ended by cause + waiting";
	if (c[PMTCP_C_opened_passive] !=
			c[PMTCP_C_half_open_accepted] + c[PMTCP_C_cookies_accepted])
		return "accepted connections = half-opens accepted + cookies accepted";
	if (c[PMTCP_C_tw_entered] + c[PMTCP_C_tw_restored] !=
			st->time_wait + c[PMTCP_C_tw_expired] + c[PMTCP_C_tw_evicted] +
					c[PMTCP_C_tw_reused_in] + c[PMTCP_C_tw_reused_out] +
					c[PMTCP_C_tw_flushed])
		return "TIME-WAIT entered + restored = waiting + ended by cause";
	for (int i = PMTCP_SYN_SENT; i < PMTCP_STATE_MAX; i++)
		states += st->state[i];
	if (states != (uint64_t)st->live + st->half_open + st->time_wait)
		return "blocks by state = live + half-open + TIME-WAIT";
	return NULL;
}
