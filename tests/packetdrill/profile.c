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
	KIND_FALSE,
	KIND_NUMBER,
	KIND_ORDER,
	KIND_SHIFT,
	KIND_COOKIES,
	KIND_AUTO_COOKIES,
	KIND_NO_COOKIES,
	KIND_CC,
	KIND_ECN,
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
	{"psh",        KIND_FALSE,   AT(has_no_psh),    0,    0},
	{"sack",       KIND_FALSE,   AT(has_no_sack),   0,    0},
	{"ts",         KIND_FALSE,   AT(has_no_ts),     0,    0},
	{"ws",         KIND_FALSE,   AT(has_no_wscale), 0,    0},
	{"notlp",      KIND_TRUE,    AT(has_no_tlp),    0,    0},
	{"tlp",        KIND_FALSE,   AT(has_no_tlp),    0,    0},
	{"tslenient",  KIND_TRUE,    AT(is_ts_lenient), 0,    0},
	{"finrst",     KIND_TRUE,    AT(is_fin_rst_lenient), 0, 0},
	{"notwreuse",  KIND_TRUE,    AT(has_no_tw_reuse), 0,  0},
	{"twreuse",    KIND_FALSE,   AT(has_no_tw_reuse), 0,  0},
	{"coreisn",    KIND_TRUE,    AT(keeps_isn),     0,    0},
	{"coreorder",  KIND_ORDER,   AT(order),         0,    0},
	{"corewscale", KIND_SHIFT,   AT(wscale),        0,    0},
	{"syncookies",   KIND_COOKIES,    0,            0,    0},
	{"autocookies",  KIND_AUTO_COOKIES, 0,          0,    0},
	{"nosyncookies", KIND_NO_COOKIES, 0,            0,    0},
	{"isn",        KIND_NUMBER,  AT(isn),           0,    UINT32_MAX},
	{"mtu",        KIND_NUMBER,  AT(mtu),           576,  PLUG_PACKET_MAX},
	{"rcvbuf",     KIND_NUMBER,  AT(rcvbuf),        2048, 4 << 20},
	{"sndbuf",     KIND_NUMBER,  AT(sndbuf),        2048, 4 << 20},
	{"wscale",     KIND_NUMBER,  AT(wscale),        0,    14},
	{"iw",         KIND_NUMBER,  AT(iw),            1,    100},
	{"cc",         KIND_CC,      AT(cc),            0,    0},
	{"ecn",        KIND_ECN,     AT(ecn),           0,    0},
	{"delack",     KIND_NUMBER,  AT(delack_ms),     0,    200},
	{"ackevery",   KIND_NUMBER,  AT(ack_every),     0,    255},
	{"ackstretch", KIND_NUMBER,  AT(stretch),       1,    255},
	{"rto",        KIND_NUMBER,  AT(rto_ms),        1,    60000},
	{"minrto",     KIND_NUMBER,  AT(rto_min_ms),    1,    60000},
	{"2msl",       KIND_NUMBER,  AT(tw_ms),         1000, 240000},
	{"fw2",        KIND_NUMBER,  AT(fw2_ms),        1000, 86400000},
	{"retries",    KIND_NUMBER,  AT(retries),       1,    255},
	{"synretries", KIND_NUMBER,  AT(syn_retries),   1,    255},
	{"synackretries", KIND_NUMBER, AT(synack_retries), 1, 255},
	{"orphanretries", KIND_NUMBER, AT(orphan_retries), 1, 255},
	{"keepidle",   KIND_NUMBER,  AT(keep_idle_s),   1,    604800},
	{"keepintvl",  KIND_NUMBER,  AT(keep_intvl_s),  1,    604800},
	{"keepcnt",    KIND_NUMBER,  AT(keep_count),    1,    127},
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
	pr->ack_every = 0;
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
	pr->ack_every = 2;
	pr->rto_min_ms = 230;
}

static void
set_defaults(struct profile *pr)
{
	static const uint8_t local6[16] = {0xfd, [15] = 1}; /* fd00::1 */

	memset(pr, 0, sizeof(*pr));
	pr->mtu = 1500;
	pr->sndbuf = 256 << 10;
	pr->iw = 10;
	pr->stretch = 255;
	pr->rto_ms = 1000;
	pr->tw_ms = 60000;
	pr->fw2_ms = 60000;
	pr->retries = 15;
	pr->syn_retries = 7;
	pr->isn = 0x10000;
	pr->wait_s = 200;
	pr->cc = PMTCP_CC_CUBIC;
	pr->ecn = PMTCP_ECN_ACCEPT;
	pr->synack_retries = 5;
	pr->orphan_retries = 8;
	pr->keep_idle_s = PMTCP_KEEPALIVE_DEFAULT_MS / 1000;
	pr->keep_intvl_s = 75;
	pr->keep_count = 9;
	pr->local = pmtcp_addr4(PMTCP_IP4(192, 168, 0, 1), 0);
	pr->local6 = pmtcp_addr6(local6, 0);
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
set_addr(struct profile *pr, const char *value)
{
	struct in_addr in;
	struct in6_addr in6;

	if (inet_pton(AF_INET, value, &in) == 1)
		pr->local = pmtcp_addr4(ntohl(in.s_addr), 0);
	else if (inet_pton(AF_INET6, value, &in6) == 1)
		pr->local6 = pmtcp_addr6(in6.s6_addr, 0);
	else
		return -1;
	return 0;
}

enum pmtcp_cc
profile_cc(const char *name)
{
	if (strcmp(name, "cubic") == 0)
		return PMTCP_CC_CUBIC;
	if (strcmp(name, "reno") == 0 || strcmp(name, "newreno") == 0)
		return PMTCP_CC_NEWRENO;
	return PMTCP_CC_DEFAULT;
}

static int
set_ecn(struct profile *pr, const char *value)
{
	static const char *const names[] = {
			[PMTCP_ECN_OFF] = "off",
			[PMTCP_ECN_ACCEPT] = "accept",
			[PMTCP_ECN_OFFER] = "offer",
	};

	for (uint32_t i = PMTCP_ECN_OFF; i <= PMTCP_ECN_OFFER; i++)
		if (strcmp(names[i], value) == 0) {
			pr->ecn = i;
			return 0;
		}
	return -1;
}

static bool
takes_value(enum kind kind)
{
	return kind == KIND_NUMBER || kind == KIND_ADDR || kind == KIND_CC || kind == KIND_ECN;
}

static int
set_value(struct profile *pr, const struct flag *f, const char *value)
{
	switch (f->kind) {
	case KIND_ADDR:
		return set_addr(pr, value);
	case KIND_CC:
		pr->cc = profile_cc(value);
		return pr->cc == PMTCP_CC_DEFAULT ? -1 : 0;
	case KIND_ECN:
		return set_ecn(pr, value);
	default:
		return set_number(pr, f, value);
	}
}

static void
set_word(struct profile *pr, const struct flag *f)
{
	bool *field = (void *)((char *)pr + f->offset);

	switch (f->kind) {
	case KIND_LINUX:
		be_linux(pr);
		break;
	case KIND_FREEBSD:
		be_freebsd(pr);
		break;
	case KIND_ORDER:
		pr->order = PROFILE_ORDER_CORE;
		break;
	case KIND_SHIFT:
		pr->wscale = PLUG_KEEP_SHIFT;
		break;
	case KIND_COOKIES:
		pr->syn_cookies = PMTCP_COOKIES_ALWAYS;
		break;
	case KIND_AUTO_COOKIES:
		pr->syn_cookies = PMTCP_COOKIES_AUTO;
		break;
	case KIND_NO_COOKIES:
		pr->syn_cookies = PMTCP_COOKIES_OFF;
		break;
	default:
		*field = f->kind == KIND_TRUE;
		break;
	}
}

/* value: NULL if there was no equals sign. */
static int
set_flag(struct profile *pr, const struct flag *f, const char *value)
{
	if (!value != !takes_value(f->kind))
		return -1;
	if (value)
		return set_value(pr, f, value);
	set_word(pr, f);
	return 0;
}

static void
explain(const struct flag *f, char *why, size_t len)
{
	static const char *const takes[] = {
			[KIND_ADDR] = "an address",
			[KIND_CC] = "cubic or newreno",
			[KIND_ECN] = "off, accept or offer",
	};

	if (f->kind == KIND_NUMBER)
		snprintf(why, len, "%s takes a number from %u to %u", f->name, f->min, f->max);
	else
		snprintf(why, len, "%s takes %s", f->name,
				takes_value(f->kind) ? takes[f->kind] : "no value");
}

int
profile_set(struct profile *pr, const char *name, const char *value, char *why, size_t len)
{
	for (uint32_t i = 0; i < N_FLAGS; i++) {
		const struct flag *f = &flag_table[i];

		if (strcmp(f->name, name) != 0)
			continue;
		if (set_flag(pr, f, value) == 0)
			return 0;
		explain(f, why, len);
		return -1;
	}
	snprintf(why, len, "there is no \"%s\"", name);
	return -1;
}

static int
parse_one(struct profile *pr, char *word, char *why, size_t len)
{
	char *value = strchr(word, '=');

	if (value != NULL)
		*value++ = '\0';
	return profile_set(pr, word, value, why, len);
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
			snprintf(why, len, "a word of %zu characters", n);
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
	conf->initial_window = (uint8_t)pr->iw;
	conf->tlp = !pr->has_no_tlp;
	conf->cc = (uint8_t)pr->cc;
	conf->ecn = (uint8_t)pr->ecn;
	conf->ts_lenient = pr->is_ts_lenient;
	conf->fin_rst_lenient = pr->is_fin_rst_lenient;
	conf->tw_reuse = !pr->has_no_tw_reuse;
	conf->rto_initial_ms = pr->rto_ms;
	conf->rto_min_ms = pr->rto_min_ms;
	if (pr->syn_cookies)
		conf->syn_cookies = pr->syn_cookies;
	conf->tw_ms = pr->tw_ms;
	conf->fw2_ms = pr->fw2_ms;
	conf->retries = (uint8_t)pr->retries;
	conf->syn_retries = (uint8_t)pr->syn_retries;
	conf->synack_retries = (uint8_t)pr->synack_retries;
	conf->orphan_retries = (uint8_t)pr->orphan_retries;
}

void
profile_conn(const struct profile *pr, struct pmtcp_conn_opts *opts)
{
	opts->delack_ms = pr->delack_ms ? (uint16_t)pr->delack_ms : PMTCP_DELACK_NONE;
	opts->no_sack = pr->has_no_sack;
	opts->no_timestamps = pr->has_no_ts;
	opts->no_wscale = pr->has_no_wscale;
	opts->keepalive_intvl_ms = pr->keep_intvl_s * 1000;
	opts->keepalive_count = (uint8_t)pr->keep_count;
}
