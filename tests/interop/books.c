/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

#include "books.h"

#include <inttypes.h>
#include <stdio.h>

bool
books_print(const struct pmtcp_ctx *ctx)
{
	struct pmtcp_stats stats;
	const char *broken;

	pmtcp_stats(ctx, &stats);
	broken = pmtcp_stats_audit(&stats);
	for (int i = 0; i < PMTCP_C_MAX; i++)
		if (stats.counter[i] != 0)
			printf("%s %" PRIu64 "\n", pmtcp_counter_name((enum pmtcp_counter)i),
					stats.counter[i]);
	if (broken != NULL)
		printf("BOOKS: %s\n", broken);
	return broken == NULL;
}
