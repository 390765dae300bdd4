/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The types of args.h that are addresses, apart from the others: of both versions, as
 * ranges, subnets and lists. */

#ifndef PMTCP_APPS_ARGS_ADDR_H
#define PMTCP_APPS_ARGS_ADDR_H

#include "common/args.h"

/* Splits a copy of the text at the last sep; returns what follows it, or NULL. args.c's own,
 * shared with args_addr.c. */
char *args_split(char *copy, char sep);

/* As args_value(), for these types only. */
int args_addr_value(enum arg_type type, const char *text, void *out);

#endif /* PMTCP_APPS_ARGS_ADDR_H */
