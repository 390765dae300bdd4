/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Diagnoses as text. */

#include "common/diag.h"

#include <inttypes.h>

#include "common/args_addr.h"

#define OLDEST_NAMED 3

static void
print_addr(FILE *out, const struct pmtcp_addr *a)
{
	char text[ARGS_ADDR_TEXT];

	fputs(args_addr_text(a, text), out);
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
	char text[ARGS_IP_TEXT];

	switch (d->kind) {
	case PMTCP_DIAG_ADDR_CONFLICT:
		fprintf(out, "somebody else uses our address %s\n", args_ip_text(&d->addr, text));
		break;
	case PMTCP_DIAG_NEIGH_FAILED:
		fprintf(out, "next hop does not answer: %s\n", args_ip_text(&d->addr, text));
		break;
	case PMTCP_DIAG_OVERSIZE:
		fprintf(out, "frame of %u octets above the MTU: switch off the peer's offloads\n",
				d->value);
		break;
	case PMTCP_DIAG_STEERING:
		fprintf(out,
				"the device does not spread frames as it says: %u came to the "
				"wrong worker\n",
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
