/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What a context has to say to its operator, as lines of text. */

#ifndef PMTCP_APPS_DIAG_H
#define PMTCP_APPS_DIAG_H

#include <stdio.h>

#include <pmtcp.h>

/* Pops the diagnoses that wait and prints a line for each, "PROGRAM: ..."; call it in the
 * context's thread. Cheap if there are none; the context rations the lines (RES-1). */
void diag_print(struct pmtcp_ctx *ctx, const char *program, FILE *out);

#endif /* PMTCP_APPS_DIAG_H */
