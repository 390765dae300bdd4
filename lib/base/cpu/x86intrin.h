/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 *
 * In place of the compiler's, as immintrin.h beside it.
 */

#if defined(__AVX__)
#include_next <x86intrin.h>
#else
#include <smmintrin.h>
#endif
