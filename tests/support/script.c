/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Formatter and parser of the one-line notation; each is the other's inverse. */

#include "support/script.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/check.h"

/* A prime, so that the stream repeats at no size that a test would use. */
#define PATTERN_PERIOD 65521u
#define TOKEN_MAX      64
#define TOKEN_ENDS     "<>, "

static const struct {
	char letter;
	uint8_t bit;
} flag_letters[] = {
		{'S', PKT_SYN},
		{'R', PKT_RST},
		{'P', PKT_PSH},
		{'F', PKT_FIN},
		{'U', PKT_URG},
		{'E', PKT_ECE},
		{'C', PKT_CWR},
		{'A', PKT_ACK},
};

struct line {
	char *buf;
	size_t len;
	size_t at;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->buf + l->at, l->len - l->at, format, args);
	va_end(args);
	CHECK(n >= 0 && (size_t)n < l->len - l->at);
	l->at += (size_t)n;
}

static uint8_t
flag_bit(char letter)
{
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(flag_letters); i++) {
		if (flag_letters[i].letter == letter)
			return flag_letters[i].bit;
	}
	return 0;
}

uint8_t
pkt_flags_parse(const char *text)
{
	uint8_t flags = 0;

	if (strcmp(text, "-") == 0)
		return 0;
	for (; *text != '\0'; text++) {
		uint8_t bit = flag_bit(*text);

		CHECK(bit != 0);
		flags |= bit;
	}
	return flags;
}

void
pkt_flags_format(uint8_t flags, char *buf, size_t len)
{
	struct line l = {.buf = buf, .len = len};

	CHECK(len > 1);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(flag_letters); i++) {
		if (flags & flag_letters[i].bit)
			add(&l, "%c", flag_letters[i].letter);
	}
	if (flags == 0)
		add(&l, "-");
}

static void
add_opts(struct line *l, const struct pkt *p, uint32_t sack_base)
{
	const char *comma = "";

	if (p->opts != 0)
		add(l, " opts=");
	if (p->opts & PKT_OPT_MSS) {
		add(l, "mss%u", p->mss);
		comma = ",";
	}
	if (p->opts & PKT_OPT_SACK_PERM) {
		add(l, "%ssack", comma);
		comma = ",";
	}
	if (p->opts & PKT_OPT_TS) {
		add(l, "%sts", comma);
		comma = ",";
	}
	if (p->opts & PKT_OPT_WSCALE) {
		add(l, "%sws%u", comma, p->wscale);
		comma = ",";
	}
	for (int i = 0; i < p->n_sack; i++) {
		add(l, "%ssb%u-%u", comma, p->sack[i].left - sack_base,
				p->sack[i].right - sack_base);
		comma = ",";
	}
	if (p->opts & PKT_OPT_OTHER)
		add(l, "%sother", comma);
}

char *
pkt_format_decoded(const struct pkt *p, const struct script_base *base, char *buf, size_t len)
{
	static const struct script_base absolute;
	struct line l = {.buf = buf, .len = len};
	char flags[sizeof("SRPFUECA")];

	if (base == NULL)
		base = &absolute;
	if (p->kind != PKT_KIND_TCP) {
		add(&l, "(not TCP: ethertype %04x proto %u)", p->ethertype, p->proto);
		return buf;
	}
	pkt_flags_format(p->flags, flags, sizeof(flags));
	add(&l, "<SEQ=%u,", p->seq - base->seq);
	if (p->flags & PKT_ACK)
		add(&l, "ACK=%u,", p->ack - base->ack);
	add(&l, "%s len=%u wnd=%u", flags, p->len, p->wnd);
	if (p->flags & PKT_URG)
		add(&l, " urg=%u", p->urg);
	add_opts(&l, p, base->ack);
	if (!p->is_ip_cksum_good)
		add(&l, " bad-ip-checksum");
	if (!p->is_l4_cksum_good)
		add(&l, " bad-tcp-checksum");
	add(&l, ">");
	return buf;
}

char *
pkt_format_from(const struct rte_mbuf *m, const struct script_base *base, char *buf, size_t len)
{
	struct line l = {.buf = buf, .len = len};
	struct pkt p;

	if (m == NULL) {
		add(&l, "(no packet)");
		return buf;
	}
	if (pkt_decode(&p, m) != 0) {
		add(&l, "(malformed: %u bytes)", rte_pktmbuf_pkt_len(m));
		return buf;
	}
	return pkt_format_decoded(&p, base, buf, len);
}

char *
pkt_format(const struct rte_mbuf *m, char *buf, size_t len)
{
	return pkt_format_from(m, NULL, buf, len);
}

uint8_t
script_pattern(uint32_t offset)
{
	uint32_t x = offset % PATTERN_PERIOD;

	return (uint8_t)((x * 2654435761u) >> 24);
}

static const uint8_t *
pattern_at(uint32_t offset)
{
	static uint8_t table[PATTERN_PERIOD + BUILD_BYTES_MAX];
	static bool is_filled;

	for (uint32_t i = 0; !is_filled && i < sizeof(table); i++)
		table[i] = script_pattern(i);
	is_filled = true;
	return table + offset % PATTERN_PERIOD;
}

/* The number that all of `text` spells. */
static uint32_t
number(const char *text)
{
	char *end;
	unsigned long v;

	CHECK(isdigit((unsigned char)*text));
	v = strtoul(text, &end, 10);
	CHECK(*end == '\0');
	CHECK(v <= UINT32_MAX);
	return (uint32_t)v;
}

/* Two numbers with a separator between them. */
static void
number_pair(char *text, char separator, uint32_t *first, uint32_t *second)
{
	char *middle = strchr(text, separator);

	CHECK(middle != NULL);
	*middle = '\0';
	*first = number(text);
	*second = number(middle + 1);
}

/* Behind `prefix`, or NULL if the token does not begin so. */
static char *
after(char *token, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(token, prefix, n) == 0 ? token + n : NULL;
}

static void
parse_sack_block(struct build *b, const struct script_base *base, char *text)
{
	struct pkt_sack *s;

	CHECK(b->n_sack < PKT_SACK_MAX);
	s = &b->sack[b->n_sack++];
	number_pair(text, '-', &s->left, &s->right);
	s->left += base->ack;
	s->right += base->ack;
	b->opts |= PKT_OPT_SACK;
}

static bool
parse_opt(struct build *b, const struct script_base *base, char *token)
{
	char *rest;

	if (strcmp(token, "sack") == 0) {
		b->opts |= PKT_OPT_SACK_PERM;
	} else if ((rest = after(token, "mss")) != NULL) {
		b->opts |= PKT_OPT_MSS;
		b->mss = (uint16_t)number(rest);
	} else if ((rest = after(token, "ts")) != NULL) {
		b->opts |= PKT_OPT_TS;
		if (*rest != '\0')
			number_pair(rest, ':', &b->tsval, &b->tsecr);
	} else if ((rest = after(token, "ws")) != NULL) {
		b->opts |= PKT_OPT_WSCALE;
		b->wscale = (uint8_t)number(rest);
	} else if ((rest = after(token, "sb")) != NULL) {
		parse_sack_block(b, base, rest);
	} else {
		return false;
	}
	return true;
}

static void
parse_token(struct build *b, const struct script_base *base, char *token)
{
	char *rest = after(token, "opts=");

	if (rest != NULL) {
		CHECK(parse_opt(b, base, rest));
	} else if ((rest = after(token, "SEQ=")) != NULL) {
		b->seq = base->seq + number(rest);
	} else if ((rest = after(token, "ACK=")) != NULL) {
		b->ack = base->ack + number(rest);
	} else if ((rest = after(token, "len=")) != NULL) {
		b->len = number(rest);
	} else if ((rest = after(token, "wnd=")) != NULL) {
		b->wnd = (uint16_t)number(rest);
	} else if ((rest = after(token, "urg=")) != NULL) {
		b->urg = (uint16_t)number(rest);
	} else if (!parse_opt(b, base, token)) {
		b->flags = pkt_flags_parse(token);
	}
}

void
script_parse(struct build *b, const struct script_base *base, const char *line)
{
	static const struct script_base absolute;
	char token[TOKEN_MAX];

	if (base == NULL)
		base = &absolute;
	b->seq = base->seq;
	b->ack = 0;
	b->flags = 0;
	b->len = 0;
	b->urg = 0;
	b->opts = 0;
	b->n_sack = 0;
	while (*(line += strspn(line, TOKEN_ENDS)) != '\0') {
		size_t n = strcspn(line, TOKEN_ENDS);

		CHECK(n < sizeof(token));
		memcpy(token, line, n);
		token[n] = '\0';
		line += n;
		parse_token(b, base, token);
	}
	CHECK(b->len <= BUILD_BYTES_MAX);
	b->payload = b->len != 0 ? pattern_at(b->seq - base->seq) : NULL;
}
