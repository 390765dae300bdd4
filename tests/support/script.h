/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A TCP segment in one line, for what a test sends and for what it expects:
 *
 *     <SEQ=100,ACK=301,SA len=0 wnd=65535 opts=mss1460,sack,ts,ws7>
 *
 * ACK= stands only with the flag A, opts= only if there are any. Flags come in
 * the order S R P F U E C A; "-" is none. An urgent pointer shows as urg=, SACK
 * blocks as sb100-200. The notation leaves out addresses, ports and timestamp
 * values: they are compared as fields of struct pkt. */

#ifndef PMTCP_TESTS_SUPPORT_SCRIPT_H
#define PMTCP_TESTS_SUPPORT_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "support/build.h"
#include "support/pkt.h"

#define SCRIPT_LINE_MAX 256

/* What SEQ= and ACK= (and SACK edges) are counted from; NULL means absolute. */
struct script_base {
	uint32_t seq;
	uint32_t ack;
};

/* "SA" to bits and back; a letter that is no flag stops the program. */
uint8_t pkt_flags_parse(const char *text);
void pkt_flags_format(uint8_t flags, char *buf, size_t len);

/* Anything but a well-formed TCP segment with good checksums gets a line that
 * says so and thus equals no expectation. Returns buf. */
char *pkt_format(const struct rte_mbuf *m, char *buf, size_t len);
char *pkt_format_from(
		const struct rte_mbuf *m, const struct script_base *base, char *buf, size_t len);
char *pkt_format_decoded(
		const struct pkt *p, const struct script_base *base, char *buf, size_t len);

/* The other way: sets seq, ack, flags, wnd, len, payload and options of `b` and
 * leaves the rest. Accepts also tsVAL:ECR, and fields in any order; wnd stays if
 * it is not given. The payload is script_pattern, at the offset of SEQ, so that
 * overlapping segments carry the same bytes. Bad notation stops the program. */
void script_parse(struct build *b, const struct script_base *base, const char *line);

/* The byte of the test stream at an offset; differs from its neighbours and
 * from those a page or a segment away. */
uint8_t script_pattern(uint32_t offset);

/* For use under cmocka: frees the mbuf. */
#define assert_pkt(m, base, line)                                                                  \
	do {                                                                                       \
		struct rte_mbuf *assert_pkt_m = (m);                                               \
		char assert_pkt_buf[SCRIPT_LINE_MAX];                                              \
		pkt_format_from(assert_pkt_m, (base), assert_pkt_buf, sizeof(assert_pkt_buf));     \
		rte_pktmbuf_free(assert_pkt_m);                                                    \
		assert_string_equal(assert_pkt_buf, (line));                                       \
	} while (0)

#endif /* PMTCP_TESTS_SUPPORT_SCRIPT_H */
