/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the programs of the interop tests say in the end. */

#ifndef PMTCP_INTEROP_BOOKS_H
#define PMTCP_INTEROP_BOOKS_H

#include <stdbool.h>

#include "pmtcp.h"

/* Prints the counters that moved. Returns whether the books balance; if not, it says why. */
bool books_print(const struct pmtcp_ctx *ctx);

#endif /* PMTCP_INTEROP_BOOKS_H */
