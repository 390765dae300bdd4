/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What is remembered of each tuple that was seen on the wire. */

#include "packetdrill/plug.h"

#include <string.h>

static bool
is_of(const struct flow *f, const struct tuple *t)
{
	return f->is_used && f->version == t->version && f->lport == t->lport &&
	       f->rport == t->rport && memcmp(f->laddr, t->laddr, t->addr_len) == 0 &&
	       memcmp(f->raddr, t->raddr, t->addr_len) == 0;
}

struct flow *
flow_find(struct plug *p, const struct tuple *t)
{
	for (uint32_t i = 0; i < PLUG_FLOWS_MAX; i++)
		if (is_of(&p->flows[i], t)) {
			p->flows[i].used = p->clock++;
			return &p->flows[i];
		}
	return NULL;
}

struct flow *
flow_make(struct plug *p, const struct tuple *t)
{
	struct flow *f = flow_find(p, t);

	if (f)
		return f;
	f = &p->flows[0];
	for (uint32_t i = 0; i < PLUG_FLOWS_MAX && f->is_used; i++)
		if (!p->flows[i].is_used || p->flows[i].used < f->used)
			f = &p->flows[i];
	memset(f, 0, sizeof(*f));
	f->is_used = true;
	f->version = t->version;
	f->lport = t->lport;
	f->rport = t->rport;
	f->used = p->clock++;
	memcpy(f->laddr, t->laddr, t->addr_len);
	memcpy(f->raddr, t->raddr, t->addr_len);
	return f;
}
