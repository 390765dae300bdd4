/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What an operator should look at: the diagnoses, and who waits in CLOSE-WAIT. */

#include "stack/stack.h"

#include <string.h>

#include <rte_byteorder.h>

static uint32_t
value6(const uint8_t *addr)
{
	return (uint32_t)addr[12] << 24 | (uint32_t)addr[13] << 16 | (uint32_t)addr[14] << 8 |
	       addr[15];
}

void
stack_diag_addr(struct pmtcp_ctx *s, enum pmtcp_diag_kind kind, const struct pmtcp_addr *addr)
{
	stack_diag(s, kind, addr->version == 6 ? value6(addr->ip6) : addr->ip4);
	s->diags[(s->diag_head - 1) % STACK_DIAGS].addr = *addr;
}

bool
stack_diag_is_due(const struct pmtcp_ctx *s, uint32_t *last_ms)
{
	if (*last_ms != 0 && s->t.now_ms - *last_ms < 1000)
		return false;
	*last_ms = max_u32(s->t.now_ms, 1);
	return true;
}

void
stack_diag_conflict(struct pmtcp_ctx *s, const struct pmtcp_addr *ours)
{
	if (stack_diag_is_due(s, &s->conflict_ms))
		stack_diag_addr(s, PMTCP_DIAG_ADDR_CONFLICT, ours);
}

void
stack_diag(void *stack, enum pmtcp_diag_kind kind, uint32_t value)
{
	struct pmtcp_ctx *s = stack;

	/* The newest are kept. */
	if (s->diag_head - s->diag_tail == STACK_DIAGS)
		s->diag_tail++;
	s->diags[s->diag_head++ % STACK_DIAGS] =
			(struct pmtcp_diag){.kind = kind, .value = value, .at_ns = s->t.now_ns};
}

uint16_t
pmtcp_diag(struct pmtcp_ctx *s, struct pmtcp_diag *out, uint16_t n)
{
	uint16_t k = 0;

	while (k < n && s->diag_tail != s->diag_head)
		out[k++] = s->diags[s->diag_tail++ % STACK_DIAGS];
	return k;
}

static uint32_t
sum_of(const uint32_t age[PMTCP_CLOSE_WAIT_AGES])
{
	uint32_t sum = 0;

	for (int i = 0; i < PMTCP_CLOSE_WAIT_AGES; i++)
		sum += age[i];
	return sum;
}

static void
add_oldest(const struct pmtcp_ctx *s, const struct watch_entry *e,
		struct pmtcp_close_wait_report *report)
{
	uint32_t since_ms = (uint32_t)((s->t.now_ns - s->t.watch.ended_ns) / 1000000);
	struct pmtcp_conn *conn = (struct pmtcp_conn *)tcp_watch_found(&s->t, e);
	struct pmtcp_conn_info info;

	if (!conn)
		return;
	pmtcp_conn_info(conn, &info);
	report->oldest[report->n_oldest++] = (struct pmtcp_close_wait_conn){.conn = conn,
			.local = info.local,
			.remote = info.remote,
			.age_ms = e->age_ms + since_ms,
			.unread = info.unread};
}

/* As it was given to pmtcp_listen(); of both versions: version 0. */
static struct pmtcp_addr
local_of(const struct pmtcp_listener *l)
{
	uint16_t port = rte_be_to_cpu_16(l->port);

	if (l->version == 6)
		return pmtcp_addr6(l->ip6, port);
	if (l->version == 4)
		return pmtcp_addr4(rte_be_to_cpu_32(l->ip4), port);
	return (struct pmtcp_addr){.port = port};
}

/* Those with most first; the last one of a full list gives way. */
static void
add_listener(const struct pmtcp_listener *l, struct pmtcp_close_wait_report *report)
{
	struct pmtcp_close_wait_listener *list = report->listeners;
	uint32_t count = sum_of(l->close_wait);
	uint32_t at = report->n_listeners;

	if (count == 0)
		return;
	if (at == PMTCP_CLOSE_WAIT_LISTENERS && list[--at].count >= count)
		return;
	for (; at > 0 && list[at - 1].count < count; at--)
		list[at] = list[at - 1];
	list[at].local = local_of(l);
	list[at].count = count;
	memcpy(list[at].age, l->close_wait, sizeof(list[at].age));
	if (report->n_listeners < PMTCP_CLOSE_WAIT_LISTENERS)
		report->n_listeners++;
}

/* RES-1, RES-2. */
void
pmtcp_close_wait_report(const struct pmtcp_ctx *s, struct pmtcp_close_wait_report *report)
{
	const struct watch_round *r = &s->t.watch.last;

	memset(report, 0, sizeof(*report));
	report->count = r->count;
	memcpy(report->age, r->age, sizeof(report->age));
	report->unread = r->unread;
	report->conns = s->t.tcbs.used;
	report->conns_max = s->t.tcbs.max;
	report->at_ns = s->t.watch.ended_ns;
	for (uint32_t i = 0; i < r->oldest.n && report->n_oldest < PMTCP_CLOSE_WAIT_OLDEST; i++)
		add_oldest(s, &r->oldest.e[i], report);
	for (uint16_t i = 0; i < s->t.conf.max_listeners; i++)
		if (s->t.listeners[i].is_used)
			add_listener(&s->t.listeners[i], report);
}
