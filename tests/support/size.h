/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* How much of it: what doc/requirements.md names (10^7 operations, 1 GB, 10^6 ends) in a
 * release build without sanitizers and assertions; a part of it in the others, which are
 * ten times slower. */

#ifndef PMTCP_TESTS_SUPPORT_SIZE_H
#define PMTCP_TESTS_SUPPORT_SIZE_H

#ifdef PMTCP_TEST_FULL /* tests/support/meson.build */
#define TEST_SIZE(full, part) (full)
#else
#define TEST_SIZE(full, part) (part)
#endif

#endif /* PMTCP_TESTS_SUPPORT_SIZE_H */
