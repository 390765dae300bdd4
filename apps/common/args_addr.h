/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The types of args.h that are addresses, apart from the others: of both versions, as
 * ranges, subnets and lists. */

#ifndef PMTCP_APPS_ARGS_ADDR_H
#define PMTCP_APPS_ARGS_ADDR_H

#include "common/args.h"

/* As args_value(), for these types only. */
int args_addr_value(enum arg_type type, const char *text, void *out);

#endif /* PMTCP_APPS_ARGS_ADDR_H */
