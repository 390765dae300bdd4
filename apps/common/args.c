/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Command lines from a table; see args.h. */

#include "common/args.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/args_addr.h"

#define OPTIONS_MAX 64

/* getopt_long() values of options without a letter. */
#define LONG_ONLY 256

struct unit {
	const char *name;
	double factor;
};

/* ---- values ---------------------------------------------------------------- */

/* "1.5m" with one of these units; an empty name is the bare number. The result is
 * within [0, max]. */
static int
parse_scaled(const char *text, const struct unit *units, double max, double *out)
{
	char *end;
	double value;

	if (!isdigit((unsigned char)text[0]) && text[0] != '.')
		return -EINVAL; /* strtod() would also take signs, blanks, "inf" and "nan" */
	if (text[0] == '0' && tolower((unsigned char)text[1]) == 'x')
		return -EINVAL;
	value = strtod(text, &end);
	if (end == text)
		return -EINVAL;
	for (; units->name != NULL; units++) {
		if (strcmp(end, units->name) != 0)
			continue;
		value *= units->factor;
		if (!(value >= 0 && value <= max))
			return -EINVAL;
		*out = value;
		return 0;
	}
	return -EINVAL;
}

static int
parse_whole(const char *text, const struct unit *units, uint64_t max, uint64_t *out)
{
	double value;

	/* Doubles are exact up to 2^53: far above any count that is meant here. */
	if (parse_scaled(text, units, fmin((double)max, 9007199254740992.0), &value) != 0)
		return -EINVAL;
	if (value != floor(value))
		return -EINVAL;
	*out = (uint64_t)value;
	return 0;
}

static int
parse_count(const char *text, uint64_t max, uint64_t *out)
{
	static const struct unit units[] = {
			{"", 1},
			{"k", 1e3},
			{"K", 1e3},
			{"m", 1e6},
			{"M", 1e6},
			{"g", 1e9},
			{"G", 1e9},
			{NULL, 0},
	};

	return parse_whole(text, units, max, out);
}

static int
parse_size(const char *text, uint64_t *out)
{
	static const struct unit units[] = {
			{"", 1},
			{"k", 1024},
			{"K", 1024},
			{"m", 1048576},
			{"M", 1048576},
			{"g", 1073741824},
			{"G", 1073741824},
			{NULL, 0},
	};

	return parse_whole(text, units, UINT64_MAX, out);
}

static int
parse_duration(const char *text, uint64_t *out)
{
	static const struct unit units[] = {
			{"ns", 1},
			{"us", 1e3},
			{"ms", 1e6},
			{"s", 1e9},
			{"m", 60e9},
			{"min", 60e9},
			{"h", 3600e9},
			{NULL, 0},
	};
	double value;

	if (strcmp(text, "0") == 0) {
		*out = 0;
		return 0;
	}
	if (parse_scaled(text, units, 1e18, &value) != 0)
		return -EINVAL;
	*out = (uint64_t)llround(value);
	return 0;
}

static int
parse_percent(const char *text, uint32_t *out)
{
	static const struct unit units[] = {{"", 1e4}, {"%", 1e4}, {NULL, 0}};
	double value;

	if (parse_scaled(text, units, 1e6, &value) != 0)
		return -EINVAL;
	*out = (uint32_t)lround(value);
	return 0;
}

char *
args_split(char *copy, char sep)
{
	char *at = strrchr(copy, sep);

	if (at == NULL)
		return NULL;
	*at = '\0';
	return at + 1;
}

static int
parse_port(const char *text, uint16_t *out)
{
	uint64_t port;

	if (strlen(text) > 5 || strspn(text, "0123456789") != strlen(text) ||
			parse_count(text, UINT16_MAX, &port) != 0 || port == 0)
		return -EINVAL;
	*out = (uint16_t)port;
	return 0;
}

static int
parse_capture(const char *text, struct args_capture *out)
{
	struct args_capture capture = {.packets = 0};
	char *packets;

	if (text[0] == '\0' || strlen(text) >= sizeof(capture.file))
		return -EINVAL;
	strcpy(capture.file, text);
	packets = args_split(capture.file, ',');
	if (packets != NULL && (parse_count(packets, UINT64_MAX, &capture.packets) != 0 ||
					       capture.packets == 0))
		return -EINVAL;
	if (capture.file[0] == '\0')
		return -EINVAL;
	*out = capture;
	return 0;
}

static int
parse_flag(const char *text, bool *out)
{
	bool is_on = strcmp(text, "on") == 0;

	if (!is_on && strcmp(text, "off") != 0)
		return -EINVAL;
	*out = is_on;
	return 0;
}

/* Names by their number; a default has none. */
static const char *const ecn_names[] = {"", "off", "accept", "offer", NULL};
static const char *const cookies_names[] = {"", "auto", "always", "off", NULL};
static const char *const cc_names[] = {"", "cubic", "newreno", NULL};
static const char *const reuse_names[] = {"off", "safe", "force", NULL};
static const char *const preset_names[] = {"default", "rfc", NULL};

static int
parse_choice(const char *const *names, const char *text, uint8_t *out)
{
	for (uint8_t i = 0; names[i] != NULL; i++) {
		if (names[i][0] == '\0' || strcmp(names[i], text) != 0)
			continue;
		*out = i;
		return 0;
	}
	return -EINVAL;
}

/* Counts that go into narrower variables. */
static int
parse_narrow(enum arg_type type, const char *text, void *out)
{
	uint64_t value;

	if (parse_count(text, type == ARG_U16 ? UINT16_MAX : UINT32_MAX, &value) != 0)
		return -EINVAL;
	if (type == ARG_U16)
		*(uint16_t *)out = (uint16_t)value;
	else
		*(uint32_t *)out = (uint32_t)value;
	return 0;
}

int
args_value(enum arg_type type, const char *text, void *out)
{
	switch (type) {
	case ARG_FLAG:
		return parse_flag(text, out);
	case ARG_TEXT:
		if (text[0] == '\0')
			return -EINVAL;
		*(const char **)out = text;
		return 0;
	case ARG_COUNT:
		return parse_count(text, UINT64_MAX, out);
	case ARG_U32:
	case ARG_U16:
		return parse_narrow(type, text, out);
	case ARG_PORT:
		return parse_port(text, out);
	case ARG_SIZE:
		return parse_size(text, out);
	case ARG_DURATION:
		return parse_duration(text, out);
	case ARG_PERCENT:
		return parse_percent(text, out);
	case ARG_ADDR:
	case ARG_RANGE:
	case ARG_SUBNET:
	case ARG_SUBNETS:
	case ARG_GATEWAY:
		return args_addr_value(type, text, out);
	case ARG_ECN:
		return parse_choice(ecn_names, text, out);
	case ARG_COOKIES:
		return parse_choice(cookies_names, text, out);
	case ARG_CC:
		return parse_choice(cc_names, text, out);
	case ARG_REUSE:
		return parse_choice(reuse_names, text, out);
	case ARG_PRESET:
		return parse_choice(preset_names, text, out);
	case ARG_CAPTURE:
		return parse_capture(text, out);
	}
	return -EINVAL;
}

/* ---- words for people ------------------------------------------------------ */

static const struct {
	const char *placeholder;
	const char *accepted;
} type_words[] = {
		[ARG_FLAG] = {"", "\"on\" or \"off\""},
		[ARG_TEXT] = {"TEXT", "a text"},
		[ARG_COUNT] = {"N", "a number such as 500, 20k, 1.5m"},
		[ARG_U32] = {"N", "a number such as 500, 20k, 1.5m, below 4294967296"},
		[ARG_U16] = {"N", "a number from 0 to 65535"},
		[ARG_PORT] = {"PORT", "a port from 1 to 65535"},
		[ARG_SIZE] = {"SIZE", "a size in octets such as 512, 64k, 4m"},
		[ARG_DURATION] = {"TIME", "a duration with its unit such as 10us, 5ms, 1s, 2m, 1h"},
		[ARG_PERCENT] = {"P%", "a percentage from 0 to 100 such as 0.5%"},
		[ARG_ADDR] = {"IP:PORT",
				"an address with port such as 198.18.0.2:80 or [2001:db8::2]:80"},
		[ARG_RANGE] = {"IP[-IP]",
				"an address or range such as 198.18.0.2-198.18.0.9; one of IPv6 "
				"differs in the last four octets only"},
		[ARG_SUBNET] = {"IP[-IP][/LEN]",
				"an address or range with the length of the subnet "
				"that holds it, 1 to 30, such as 198.18.0.2/24; of IPv6 1 to 126, "
				"such as 2001:db8::2/64"},
		[ARG_SUBNETS] = {"IP[-IP][/LEN],...",
				"addresses or ranges with the length of the subnet that holds "
				"them, such as 198.18.0.2/24 or 2001:db8::2/64; those of one "
				"version share a subnet"},
		[ARG_GATEWAY] = {"IP", "an address such as 198.18.0.1 or 2001:db8::1"},
		[ARG_ECN] = {"HOW", "\"off\", \"accept\" or \"offer\""},
		[ARG_COOKIES] = {"WHEN", "\"auto\", \"always\" or \"off\""},
		[ARG_CC] = {"HOW", "\"cubic\" or \"newreno\""},
		[ARG_REUSE] = {"HOW", "\"off\", \"safe\" or \"force\""},
		[ARG_PRESET] = {"NAME", "\"default\" or \"rfc\""},
		[ARG_CAPTURE] = {"FILE[,N]",
				"a file name and the number of frames to keep, such as "
				"out.pcap,1000"},
};

const char *
args_accepted(enum arg_type type)
{
	return type_words[type].accepted;
}

static void
print_usage(const struct args *args)
{
	printf("%s: %s\n\n", args->program, args->summary);
	for (unsigned int i = 0; i < args->n; i++) {
		const struct arg *a = &args->table[i];
		char name[64];

		snprintf(name, sizeof(name), "--%s %s", a->name, type_words[a->type].placeholder);
		if (a->letter == 0)
			printf("      %-26s %s\n", name, a->help);
		else
			printf("  -%c, %-26s %s\n", a->letter, name, a->help);
	}
	printf("  -h, %-26s %s\n", "--help", "this text");
}

static _Noreturn void
fail(const struct args *args, const char *option, const char *problem)
{
	fprintf(stderr, "%s: %s %s; %s --help lists the options\n", args->program, option, problem,
			args->program);
	exit(ARGS_EXIT_CODE);
}

/* A list on the command line replaces its default, and then grows. */
static void
take(const struct args *args, const struct arg *a, const char *text, bool is_first)
{
	if (a->type == ARG_SUBNETS && is_first)
		*(struct args_subnets *)a->out = (struct args_subnets){.n = 0};
	if (a->type == ARG_FLAG && text == NULL) {
		*(bool *)a->out = true;
		return;
	}
	if (args_value(a->type, text, a->out) == 0)
		return;
	fprintf(stderr, "%s: --%s takes %s, not \"%s\"\n", args->program, a->name,
			args_accepted(a->type), text);
	exit(ARGS_EXIT_CODE);
}

/* ---- the command line ------------------------------------------------------ */

static const struct arg *
find(const struct args *args, int value)
{
	if (value >= LONG_ONLY)
		return &args->table[value - LONG_ONLY];
	for (unsigned int i = 0; i < args->n; i++)
		if (args->table[i].letter == value)
			return &args->table[i];
	return NULL;
}

/* The tables getopt_long() wants. */
static void
make_tables(const struct args *args, struct option *longs, char *shorts)
{
	*shorts++ = ':'; /* tell a missing value from an unknown option */
	for (unsigned int i = 0; i < args->n; i++) {
		const struct arg *a = &args->table[i];

		longs[i] = (struct option){
				.name = a->name,
				.has_arg = a->type == ARG_FLAG ? no_argument : required_argument,
				.val = LONG_ONLY + (int)i,
		};
		if (a->letter == 0)
			continue;
		*shorts++ = a->letter;
		if (a->type != ARG_FLAG)
			*shorts++ = ':';
	}
	longs[args->n] = (struct option){.name = "help", .has_arg = no_argument, .val = 'h'};
	*shorts++ = 'h';
	*shorts = '\0';
}

void
args_parse(const struct args *args, int argc, char **argv)
{
	struct option longs[OPTIONS_MAX + 2] = {0};
	char shorts[2 * OPTIONS_MAX + 3];
	uint64_t seen = 0;
	int value;

	if (args->n > OPTIONS_MAX)
		abort();
	make_tables(args, longs, shorts);
	optind = 1;
	opterr = 0;
	while ((value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct arg *a;

		if (value == 'h') {
			print_usage(args);
			exit(0);
		}
		if (value == ':')
			fail(args, argv[optind - 1], "needs a value");
		if (value == '?')
			fail(args, argv[optind - 1], "is not an option here");
		a = find(args, value);
		take(args, a, optarg, (seen >> (a - args->table) & 1) == 0);
		seen |= UINT64_C(1) << (a - args->table);
	}
	if (optind < argc)
		fail(args, argv[optind], "is not an option");
}
