/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The choice of an algorithm: see cc.h. */

#include "recovery/cc.h"

const struct cc_ops *
cc_ops_get(enum cc_kind kind)
{
	static const struct cc_ops *const ops[CC_KINDS] = {
			[CC_NEWRENO] = &cc_newreno,
	};

	CHECK(kind < CC_KINDS);
	return ops[kind];
}
