/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See profile.h. */

#include "packetdrill/profile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packetdrill/plug.h"

enum kind {
	KIND_LINUX,
	KIND_FREEBSD,
	KIND_TRUE,
	KIND_NUMBER,
	KIND_ORDER,
	KIND_SHIFT,
	KIND_COOKIES,
	KIND_NO_COOKIES,
	KIND_ADDR,
};

struct flag {
	const char *name;
	enum kind kind;
	size_t offset;
	uint32_t min;
	uint32_t max;
};

#define AT(field) offsetof(struct profile, field)

/* The table of README.md. */
/* clang-format off */
static const struct flag flag_table[] = {
	{"linux",      KIND_LINUX,   0,                 0,    0},
	{"freebsd",    KIND_FREEBSD, 0,                 0,    0},
	{"nopsh",      KIND_TRUE,    AT(has_no_psh),    0,    0},
	{"nosack",     KIND_TRUE,    AT(has_no_sack),   0,    0},
	{"nots",       KIND_TRUE,    AT(has_no_ts),     0,    0},
	{"nows",       KIND_TRUE,    AT(has_no_wscale), 0,    0},
	{"coreisn",    KIND_TRUE,    AT(keeps_isn),     0,    0},
	{"coreorder",  KIND_ORDER,   AT(order),         0,    0},
	{"corewscale", KIND_SHIFT,   AT(wscale),        0,    0},
	{"syncookies",   KIND_COOKIES,    0,            0,    0},
	{"nosyncookies", KIND_NO_COOKIES, 0,            0,    0},
	{"isn",        KIND_NUMBER,  AT(isn),           0,    UINT32_MAX},
	{"mtu",        KIND_NUMBER,  AT(mtu),           576,  PLUG_PACKET_MAX},
	{"rcvbuf",     KIND_NUMBER,  AT(rcvbuf),        2048, 4 << 20},
	{"sndbuf",     KIND_NUMBER,  AT(sndbuf),        2048, 4 << 20},
	{"wscale",     KIND_NUMBER,  AT(wscale),        0,    14},
	{"iw",         KIND_NUMBER,  AT(iw),            10,   10},
	{"delack",     KIND_NUMBER,  AT(delack_ms),     0,    200},
	{"ackstretch", KIND_NUMBER,  AT(stretch),       1,    255},
	{"rto",        KIND_NUMBER,  AT(rto_ms),        1,    60000},
	{"minrto",     KIND_NUMBER,  AT(rto_min_ms),    1,    60000},
	{"2msl",       KIND_NUMBER,  AT(tw_ms),         1000, 240000},
	{"fw2",        KIND_NUMBER,  AT(fw2_ms),        1000, 86400000},
	{"retries",    KIND_NUMBER,  AT(retries),       1,    255},
	{"synretries", KIND_NUMBER,  AT(syn_retries),   1,    255},
	{"wait",       KIND_NUMBER,  AT(wait_s),        1,    1000000},
	{"local",      KIND_ADDR,    AT(local),         0,    0},
};
/* clang-format on */

enum { N_FLAGS = sizeof(flag_table) / sizeof(flag_table[0]), FLAG_LEN_MAX = 63 };

static void
be_linux(struct profile *pr)
{
	pr->is_freebsd = false;
	pr->order = PROFILE_ORDER_LINUX;
	pr->rcvbuf = 65535;
	pr->wscale = 8;
	pr->delack_ms = 0;
	pr->rto_min_ms = 200;
}

static void
be_freebsd(struct profile *pr)
{
	pr->is_freebsd = true;
	pr->order = PROFILE_ORDER_FREEBSD;
	pr->rcvbuf = 65700; /* 45 segments of 1460 octets */
	pr->wscale = 6;
	pr->delack_ms = 40;
	pr->rto_min_ms = 230;
}

static void
set_defaults(struct profile *pr)
{
	memset(pr, 0, sizeof(*pr));
	pr->mtu = 1500;
	pr->sndbuf = 256 << 10;
	pr->iw = 10;
	pr->stretch = 2;
	pr->rto_ms = 1000;
	pr->tw_ms = 60000;
	pr->fw2_ms = 60000;
	pr->retries = 15;
	pr->syn_retries = 7;
	pr->isn = 0x10000;
	pr->wait_s = 200;
	pr->local = pmtcp_addr4(PMTCP_IP4(192, 168, 0, 1), 0);
	be_linux(pr);
}

static int
set_number(struct profile *pr, const struct flag *f, const char *value)
{
	char *end;
	unsigned long n;

	if (*value < '0' || *value > '9')
		return -1;
	errno = 0;
	n = strtoul(value, &end, 0);
	if (errno != 0 || *end != '\0' || n < f->min || n > f->max)
		return -1;
	*(uint32_t *)(void *)((char *)pr + f->offset) = (uint32_t)n;
	return 0;
}

static int
set_addr(struct pmtcp_addr *addr, const char *value)
{
	struct in_addr in;

	if (inet_pton(AF_INET, value, &in) != 1)
		return -1;
	*addr = pmtcp_addr4(ntohl(in.s_addr), 0);
	return 0;
}

/* value: NULL if there was no equals sign. */
static int
set_flag(struct profile *pr, const struct flag *f, const char *value)
{
	char *field = (char *)pr + f->offset;

	if ((value != NULL) != (f->kind == KIND_NUMBER || f->kind == KIND_ADDR))
		return -1;
	switch (f->kind) {
	case KIND_LINUX:
		be_linux(pr);
		return 0;
	case KIND_FREEBSD:
		be_freebsd(pr);
		return 0;
	case KIND_TRUE:
		*(bool *)(void *)field = true;
		return 0;
	case KIND_ORDER:
		pr->order = PROFILE_ORDER_CORE;
		return 0;
	case KIND_SHIFT:
		pr->wscale = PLUG_KEEP_SHIFT;
		return 0;
	case KIND_COOKIES:
		pr->syn_cookies = PMTCP_COOKIES_ALWAYS;
		return 0;
	case KIND_NO_COOKIES:
		pr->syn_cookies = PMTCP_COOKIES_OFF;
		return 0;
	case KIND_ADDR:
		return set_addr(&pr->local, value);
	default:
		return set_number(pr, f, value);
	}
}

static int
parse_one(struct profile *pr, char *word, char *why, size_t len)
{
	char *value = strchr(word, '=');

	if (value != NULL)
		*value++ = '\0';
	for (uint32_t i = 0; i < N_FLAGS; i++) {
		const struct flag *f = &flag_table[i];

		if (strcmp(f->name, word) != 0)
			continue;
		if (set_flag(pr, f, value) == 0)
			return 0;
		if (f->kind == KIND_NUMBER)
			snprintf(why, len, "so_flags: %s takes a number from %u to %u", f->name,
					f->min, f->max);
		else
			snprintf(why, len, "so_flags: %s %s", f->name,
					f->kind == KIND_ADDR ? "takes an address"
							     : "takes no value");
		return -1;
	}
	snprintf(why, len, "so_flags: there is no \"%s\"", word);
	return -1;
}

int
profile_parse(struct profile *pr, const char *flags, char *why, size_t len)
{
	const char *at = flags ? flags : "";

	set_defaults(pr);
	while (*at != '\0') {
		size_t n = strcspn(at, ",");
		char word[FLAG_LEN_MAX + 1];

		if (n > FLAG_LEN_MAX) {
			snprintf(why, len, "so_flags: a word of %zu characters", n);
			return -1;
		}
		memcpy(word, at, n);
		word[n] = '\0';
		if (n > 0 && parse_one(pr, word, why, len) != 0)
			return -1;
		at += n + (at[n] == ',');
	}
	return 0;
}

void
profile_conf(const struct profile *pr, struct pmtcp_conf *conf)
{
	conf->mtu = (uint16_t)pr->mtu;
	conf->recv_buffer = pr->rcvbuf;
	conf->send_buffer = pr->sndbuf;
	conf->ack_stretch = (uint8_t)pr->stretch;
	conf->rto_initial_ms = pr->rto_ms;
	conf->rto_min_ms = pr->rto_min_ms;
	if (pr->syn_cookies)
		conf->syn_cookies = pr->syn_cookies;
	conf->tw_ms = pr->tw_ms;
	conf->fw2_ms = pr->fw2_ms;
	conf->retries = (uint8_t)pr->retries;
	conf->syn_retries = (uint8_t)pr->syn_retries;
}

void
profile_conn(const struct profile *pr, struct pmtcp_conn_opts *opts)
{
	opts->delack_ms = pr->delack_ms ? (uint16_t)pr->delack_ms : PMTCP_DELACK_NONE;
	opts->no_sack = pr->has_no_sack;
	opts->no_timestamps = pr->has_no_ts;
	opts->no_wscale = pr->has_no_wscale;
}
