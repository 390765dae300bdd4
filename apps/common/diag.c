/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Diagnoses as text. */

#include "common/diag.h"

#include <inttypes.h>

#define OLDEST_NAMED 3

static void
print_ip4(FILE *out, uint32_t ip4)
{
	fprintf(out, "%u.%u.%u.%u", ip4 >> 24, ip4 >> 16 & 0xff, ip4 >> 8 & 0xff, ip4 & 0xff);
}

static void
print_addr(FILE *out, const struct pmtcp_addr *a)
{
	print_ip4(out, a->ip4);
	fprintf(out, ":%u", a->port);
}

/* RES-1. In one line: who, where, since when, and what was left unread. */
static void
print_close_wait(struct pmtcp_ctx *ctx, FILE *out)
{
	struct pmtcp_close_wait_report r;

	pmtcp_close_wait_report(ctx, &r);
	fprintf(out, "peer closed, app has not: %u connections", r.count);
	for (uint16_t i = 0; i < r.n_listeners; i++) {
		fprintf(out, "%s%u on ", i == 0 ? " (" : ", ", r.listeners[i].count);
		print_addr(out, &r.listeners[i].local);
	}
	fprintf(out, "%s, %" PRIu64 " octets unread, %u of %u blocks in use; oldest",
			r.n_listeners == 0 ? "" : ")", r.unread, r.conns, r.conns_max);
	for (uint16_t i = 0; i < r.n_oldest && i < OLDEST_NAMED; i++) {
		fputs(i == 0 ? " " : ", ", out);
		print_addr(out, &r.oldest[i].remote);
		fprintf(out, " %u s %u unread", r.oldest[i].age_ms / 1000, r.oldest[i].unread);
	}
	fputc('\n', out);
}

static void
print_one(struct pmtcp_ctx *ctx, const struct pmtcp_diag *d, FILE *out)
{
	switch (d->kind) {
	case PMTCP_DIAG_ADDR_CONFLICT:
		fputs("somebody else uses our address ", out);
		print_ip4(out, d->value);
		fputc('\n', out);
		break;
	case PMTCP_DIAG_NEIGH_FAILED:
		fputs("next hop does not answer: ", out);
		print_ip4(out, d->value);
		fputc('\n', out);
		break;
	case PMTCP_DIAG_OVERSIZE:
		fprintf(out, "frame of %u octets above the MTU: switch off the peer's offloads\n",
				d->value);
		break;
	case PMTCP_DIAG_CLOSE_WAIT:
		print_close_wait(ctx, out);
		break;
	default:
		fprintf(out, "diagnosis %d: %u\n", (int)d->kind, d->value);
		break;
	}
}

void
diag_print(struct pmtcp_ctx *ctx, const char *program, FILE *out)
{
	struct pmtcp_diag d;

	while (pmtcp_diag(ctx, &d, 1) == 1) {
		fprintf(out, "%s: ", program);
		print_one(ctx, &d, out);
	}
}
