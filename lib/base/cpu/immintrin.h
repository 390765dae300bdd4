/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 *
 * In place of the compiler's. DPDK's headers ask for all that x86 ever had, which takes longer
 * to read than everything else in a file; below AVX they use nothing beyond SSE4.2.
 */

#if defined(__AVX__)
#include_next <immintrin.h>
#else
#include <smmintrin.h>
#endif
