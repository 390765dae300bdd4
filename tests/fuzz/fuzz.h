/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the fuzzers share: the input read as a row of choices, the text that
 * connections carry, and the counts that say how deep the executions went.
 *
 * A violated invariant ends the program (EXPECT, CHECK), whatever the build. A fuzzer
 * gives the same result for the same input: no clock, no randomness, no state
 * kept from one execution to the next. */

#ifndef PMTCP_TESTS_FUZZ_FUZZ_H
#define PMTCP_TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

/* libFuzzer's entry; driver_replay.c calls it with files. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* CHECK that says what it is before it ends the program. */
#define EXPECT(cond)                                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			fuzz_fail(__FILE__, __LINE__, #cond);                                      \
	} while (0)
void fuzz_fail(const char *file, int line, const char *what) __attribute__((noreturn));

/* The input as choices; past its end all choices are 0. */
struct fuzz_in {
	const uint8_t *p;
	size_t left;
};

uint8_t fuzz_u8(struct fuzz_in *in);
uint16_t fuzz_u16(struct fuzz_in *in);

/* Octet i of any stream: a fixed text with a period of 65536. */
const uint8_t *fuzz_text(uint32_t i); /* 65536 octets can be read from there */

/* One more execution begins. At exit the counts are printed: executions, the share
 * of them whose frames reached tcp_input(), segments by the state they met. */
void fuzz_begin(void);

/* Frames from here on only prepare an execution: they are not counted, until false. */
void fuzz_is_preparing(bool is_preparing);

/* One more of a kind, all printed at exit; `kind` is a string constant. */
void fuzz_tally(const char *kind);

/* The packet in pieces, each at the very end of its buffer, so that a sanitizer
 * sees the first octet read too far; behind the first one there is so much room. cut:
 * lengths of the first pieces, 0 ends. */
struct rte_mbuf *fuzz_mbuf(struct rte_mempool *pool, const uint8_t *bytes, size_t len,
		const uint8_t cut[4], uint16_t room);

#endif /* PMTCP_TESTS_FUZZ_FUZZ_H */
