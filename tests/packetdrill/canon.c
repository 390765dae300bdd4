/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The order in which a script's author saw the options: TCP does not prescribe one
 * (RFC 9293 3.1), but the tool compares them octet for octet. */

#include "packetdrill/plug.h"

#include <string.h>

enum {
	TCP_LEN = 20,
	OPTS_MAX = 40,
	OPT_EOL = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WSCALE = 3,
	OPT_SACK_PERM = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
	OPT_KINDS = 9,
};

/* The options that were there, each whole; NULL: not there. */
struct found {
	const uint8_t *opt[OPT_KINDS];
};

struct block {
	uint8_t bytes[OPTS_MAX + 16];
	uint32_t len;
};

/* False if there is one that we would lose. */
static bool
find_all(const uint8_t *opts, uint32_t len, struct found *found)
{
	uint32_t at = 0;

	memset(found, 0, sizeof(*found));
	while (at < len && opts[at] != OPT_EOL) {
		uint8_t kind = opts[at];

		if (kind == OPT_NOP) {
			at++;
			continue;
		}
		if (at + 1 >= len || opts[at + 1] < 2 || opts[at + 1] > len - at)
			return false;
		if (kind >= OPT_KINDS || found->opt[kind])
			return false;
		found->opt[kind] = opts + at;
		at += opts[at + 1];
	}
	return !found->opt[6] && !found->opt[7];
}

static void
put_nop(struct block *b, uint32_t n)
{
	memset(b->bytes + b->len, OPT_NOP, n);
	b->len += n;
}

static void
put_opt(struct block *b, const uint8_t *opt)
{
	memcpy(b->bytes + b->len, opt, opt[1]);
	b->len += opt[1];
}

/* As Linux writes them: SACK-permitted takes the place of the padding of timestamps. */
static void
linux_order(struct block *b, const struct found *f)
{
	if (f->opt[OPT_MSS])
		put_opt(b, f->opt[OPT_MSS]);
	if (f->opt[OPT_SACK_PERM] && f->opt[OPT_TS])
		put_opt(b, f->opt[OPT_SACK_PERM]);
	else if (f->opt[OPT_SACK_PERM] || f->opt[OPT_TS])
		put_nop(b, 2);
	if (f->opt[OPT_TS])
		put_opt(b, f->opt[OPT_TS]);
	else if (f->opt[OPT_SACK_PERM])
		put_opt(b, f->opt[OPT_SACK_PERM]);
	if (f->opt[OPT_WSCALE]) {
		put_nop(b, 1);
		put_opt(b, f->opt[OPT_WSCALE]);
	}
	if (f->opt[OPT_SACK]) {
		put_nop(b, 2);
		put_opt(b, f->opt[OPT_SACK]);
	}
	put_nop(b, -b->len & 3);
}

/* As FreeBSD writes them: each padded to its alignment, the end of list at the end. */
static void
freebsd_order(struct block *b, const struct found *f)
{
	if (f->opt[OPT_MSS])
		put_opt(b, f->opt[OPT_MSS]);
	if (f->opt[OPT_WSCALE]) {
		put_nop(b, (1 - b->len) & 1);
		put_opt(b, f->opt[OPT_WSCALE]);
	}
	if (f->opt[OPT_SACK_PERM]) {
		put_nop(b, -b->len & 1);
		put_opt(b, f->opt[OPT_SACK_PERM]);
	}
	if (f->opt[OPT_TS]) {
		put_nop(b, (2 - b->len) & 3);
		put_opt(b, f->opt[OPT_TS]);
	}
	if (f->opt[OPT_SACK]) {
		put_nop(b, (2 - b->len) & 3);
		put_opt(b, f->opt[OPT_SACK]);
	}
	while (b->len % 4 != 0)
		b->bytes[b->len++] = OPT_EOL;
}

void
canon_out(const struct plug *p, struct layout *l)
{
	uint8_t *tcp = l->l4;
	uint32_t len = (tcp[12] >> 4) * 4u - TCP_LEN;
	struct block b = {.len = 0};
	struct found found;

	if (p->profile.has_no_psh)
		tcp[13] &= (uint8_t)~PKT_PSH;
	if (p->profile.order == PROFILE_ORDER_CORE || !find_all(tcp + TCP_LEN, len, &found))
		return;
	if (p->profile.order == PROFILE_ORDER_LINUX)
		linux_order(&b, &found);
	else
		freebsd_order(&b, &found);
	/* The header keeps its length: what follows it stays where it is. */
	if (b.len == len)
		memcpy(tcp + TCP_LEN, b.bytes, len);
}
