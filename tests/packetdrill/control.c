/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See control.h. */

#include "packetdrill/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_LEN = 256, CHOICES = 3 };

/* A number goes to the flag `number`, times `factor`; else the value, 0..2, chooses among the
 * words, each "name" or "name=value". */
struct control {
	const char *name;
	const char *number;
	double factor;
	const char *choice[CHOICES];
};

/* clang-format off */
static const struct control control_table[] = {
	/* Linux */
	{"net.ipv4.tcp_timestamps",         NULL,            0, {"nots", "ts", "ts"}},
	{"net.ipv4.tcp_sack",               NULL,            0, {"nosack", "sack"}},
	{"net.ipv4.tcp_window_scaling",     NULL,            0, {"nows", "ws"}},
	{"net.ipv4.tcp_ecn",                NULL,            0, {"ecn=off", "ecn=offer", "ecn=accept"}},
	{"net.ipv4.tcp_syncookies",         NULL,            0, {"nosyncookies", "autocookies", "syncookies"}},
	{"net.ipv4.tcp_early_retrans",      NULL,            0, {"notlp"}},
	{"net.ipv4.tcp_tw_reuse",           NULL,            0, {"notwreuse", "twreuse", "twreuse"}},
	{"net.ipv4.tcp_congestion_control", "cc",            0, {NULL}},
	{"net.ipv4.tcp_fin_timeout",        "fw2",           1000, {NULL}},
	{"net.ipv4.tcp_retries2",           "retries",       1, {NULL}},
	{"net.ipv4.tcp_syn_retries",        "synretries",    1, {NULL}},
	{"net.ipv4.tcp_synack_retries",     "synackretries", 1, {NULL}},
	{"net.ipv4.tcp_orphan_retries",     "orphanretries", 1, {NULL}},
	{"net.ipv4.tcp_keepalive_time",     "keepidle",      1, {NULL}},
	{"net.ipv4.tcp_keepalive_intvl",    "keepintvl",     1, {NULL}},
	{"net.ipv4.tcp_keepalive_probes",   "keepcnt",       1, {NULL}},
	{"net.ipv4.tcp_rto_min_us",         "minrto",        0.001, {NULL}},
	{"net.ipv4.tcp_wmem",               "sndbuf",        1, {NULL}},
	{"net.ipv4.tcp_rmem",               "rcvbuf",        1, {NULL}},
	/* FreeBSD */
	{"net.inet.tcp.rfc1323",            NULL,            0, {"nots", "ts"}},
	{"net.inet.tcp.rfc1323",            NULL,            0, {"nows", "ws"}},
	{"net.inet.tcp.sack.enable",        NULL,            0, {"nosack", "sack"}},
	{"net.inet.tcp.ecn.enable",         NULL,            0, {"ecn=off", "ecn=offer", "ecn=accept"}},
	{"net.inet.tcp.syncookies",         NULL,            0, {"nosyncookies", "autocookies"}},
	{"net.inet.tcp.syncookies_only",    NULL,            0, {"autocookies", "syncookies"}},
	{"net.inet.tcp.delayed_ack",        NULL,            0, {"delack=0", "delack=40"}},
	{"net.inet.tcp.delacktime",         "delack",        1, {NULL}},
	{"net.inet.tcp.cc.algorithm",       "cc",            0, {NULL}},
	{"net.inet.tcp.initcwnd_segments",  "iw",            1, {NULL}},
	{"net.inet.tcp.msl",                "2msl",          2, {NULL}},
	{"net.inet.tcp.finwait2_timeout",   "fw2",           1, {NULL}},
	{"net.inet.tcp.rexmit_initial",     "rto",           1, {NULL}},
	{"net.inet.tcp.rexmit_min",         "minrto",        1, {NULL}},
	{"net.inet.tcp.keepidle",           "keepidle",      0.001, {NULL}},
	{"net.inet.tcp.keepintvl",          "keepintvl",     0.001, {NULL}},
	{"net.inet.tcp.keepcnt",            "keepcnt",       1, {NULL}},
	{"net.inet.tcp.sendspace",          "sndbuf",        1, {NULL}},
	{"net.inet.tcp.recvspace",          "rcvbuf",        1, {NULL}},
};
/* clang-format on */

enum { N_CONTROLS = sizeof(control_table) / sizeof(control_table[0]) };

/* Of "4096 131072 6291456" (least, usual, most) the usual one. */
static const char *
usual(const char *value)
{
	const char *space = strpbrk(value, " \t");

	return space ? space + strspn(space, " \t") : value;
}

/* The word and the value of the flag that a line comes to; false: none. */
static bool
flag_of(const struct control *c, const char *value, char *word, size_t len)
{
	long n = strtol(usual(value), NULL, 0);

	if (c->number && c->factor > 0)
		snprintf(word, len, "%s=%.0f", c->number, (double)n * c->factor);
	else if (c->number)
		snprintf(word, len, "%s=%s", c->number, value);
	else if (n >= 0 && n < CHOICES && c->choice[n])
		snprintf(word, len, "%s", c->choice[n]);
	else
		return false;
	return true;
}

static void
apply(struct profile *profile, const char *name, const char *value)
{
	char word[LINE_MAX_LEN];
	char why[LINE_MAX_LEN];

	for (uint32_t i = 0; i < N_CONTROLS; i++) {
		char *equals;

		if (strcmp(control_table[i].name, name) != 0 ||
				!flag_of(&control_table[i], value, word, sizeof(word)))
			continue;
		equals = strchr(word, '=');
		if (equals)
			*equals++ = '\0';
		if (profile_set(profile, word, equals, why, sizeof(why)) != 0)
			fprintf(stderr, "pmtcp: %s=%s: %s\n", name, value, why);
	}
}

void
control_read(struct profile *profile)
{
	const char *path = getenv("PMTCP_CONTROL_FILE");
	FILE *file = path ? fopen(path, "r") : NULL;
	char line[LINE_MAX_LEN];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		char *equals = strchr(line, '=');

		line[strcspn(line, "\n")] = '\0';
		if (!equals)
			continue;
		*equals = '\0';
		apply(profile, line, equals + 1);
	}
	fclose(file);
}
