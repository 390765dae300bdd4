/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* For LD_PRELOAD: getrandom(2) gives octets that a test knows, so that it can look for them
 * where they must not be (SEC-11). Octet i of all that was asked for is that of the 64-bit
 * words n * 0x9e3779b97f4a7c15, n = 1, 2, ..., little-endian. That it was asked is shown by the
 * file that FIXED_RANDOM_MARK names. */

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

ssize_t
getrandom(void *buf, size_t len, unsigned int flags)
{
	static uint64_t at;
	const char *mark = getenv("FIXED_RANDOM_MARK");
	uint8_t *out = buf;

	(void)flags;
	if (mark)
		(void)close(open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	for (size_t i = 0; i < len; i++) {
		uint64_t word = (at / 8 + 1) * 0x9e3779b97f4a7c15ull;

		out[i] = (uint8_t)(word >> 8 * (at % 8));
		at++;
	}
	return (ssize_t)len;
}
