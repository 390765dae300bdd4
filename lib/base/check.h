/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Two tiers of assertions. CHECK stays on in every build and guards what would
 * corrupt memory: init, free, indices from outside a module. ASSERT is on in
 * debug, simulation and fuzz builds (-Dasserts=true) and is still type-checked
 * in release. Neither is ever given wire input: peer bytes are a counted drop.
 */

#ifndef PMTCP_BASE_CHECK_H
#define PMTCP_BASE_CHECK_H

#define STATIC_ASSERT(cond) _Static_assert(cond, #cond)

/* Prints nothing: the core has no stdio. The trap leaves the expression in the
 * core dump and under a debugger; sanitizer builds print the location. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0))                                                  \
			__builtin_trap();                                                          \
	} while (0)

#ifdef PMTCP_ASSERTS
#define ASSERT(cond) CHECK(cond)
#else
#define ASSERT(cond) ((void)sizeof(!(cond)))
#endif

#endif /* PMTCP_BASE_CHECK_H */
