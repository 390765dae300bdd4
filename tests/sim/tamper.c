/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See tamper.h. */

#include "sim/tamper.h"

static bool
is_match(const struct tamper_rule *r, int from, const struct pkt *p)
{
	if (r->action == TAMPER_PASS || r->from != from || (p->flags & r->mask) != r->flags)
		return false;
	if (r->text == TAMPER_WITH_TEXT)
		return p->len > 0;
	return r->text == TAMPER_ANY || p->len == 0;
}

const struct tamper_rule *
tamper_judge(struct tamper_rule *rules, size_t n, int from, const struct pkt *p)
{
	for (size_t i = 0; i < n; i++) {
		struct tamper_rule *r = &rules[i];
		uint32_t count = r->count == 0 ? 1 : r->count;

		if (!is_match(r, from, p))
			continue;
		r->seen++;
		if (r->seen > r->skip && r->seen - r->skip <= count)
			return r;
	}
	return NULL;
}
