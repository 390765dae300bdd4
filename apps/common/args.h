/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Command lines from a table: one line per option makes the parser, the usage text
 * and the error messages. Values carry units. No I/O but messages, no state.
 *
 *	static uint64_t time_ns = 1000000000;
 *	static const struct arg args[] = {
 *		{"time", 't', ARG_DURATION, &time_ns, "how long (1s)"},
 *	};
 *	args_parse(&(struct args){"pmtcp-x", "does x", args, 1}, argc, argv);
 */

#ifndef PMTCP_APPS_ARGS_H
#define PMTCP_APPS_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "pmtcp.h"

/* The exit code of a wrong command line. */
#define ARGS_EXIT_CODE 1

/* The type of a value and of the variable `out` points to. */
enum arg_type {
	ARG_FLAG,     /* bool: no value */
	ARG_TEXT,     /* const char *, not empty; points into argv */
	ARG_COUNT,    /* uint64_t: 5, 1.5k, 2m, 1g (decimal) */
	ARG_U32,      /* uint32_t: the same, within 32 bits */
	ARG_U16,      /* uint16_t: the same, within 16 bits */
	ARG_PORT,     /* uint16_t: 1..65535 */
	ARG_SIZE,     /* uint64_t octets: 5, 64k, 2m, 1g (binary) */
	ARG_DURATION, /* uint64_t ns: 10us 10ms 10s 1.5m 1h, 0; a unit is required otherwise */
	ARG_PERCENT,  /* uint32_t parts per million: 0.5% or 0.5; 0..100 */
	ARG_ADDR,     /* struct pmtcp_addr: A.B.C.D:PORT or [IPV6]:PORT */
	ARG_RANGE,    /* struct args_subnet, its prefix_len 0: IP or IP-IP */
	ARG_SUBNET,   /* struct args_subnet: IP[-IP][/LEN], LEN 24 or 64 if left out */
	ARG_SUBNETS,  /* struct args_subnets: as many, behind commas or by more options */
	ARG_GATEWAY,  /* struct args_gateway: IP; one of each version, by two options */
	ARG_ECN,      /* uint8_t, enum pmtcp_ecn: off, accept, offer */
	ARG_COOKIES,  /* uint8_t, enum pmtcp_syn_cookies: auto, always, off */
	ARG_CC,       /* uint8_t, enum pmtcp_cc: cubic, newreno */
	ARG_REUSE,    /* uint8_t, enum pmtcp_tw_reuse: off, safe, force */
	ARG_PRESET,   /* uint8_t, enum args_preset: default, rfc */
	ARG_CAPTURE,  /* struct args_capture: FILE or FILE,N */
};

/* Presets of the library's configuration. */
enum args_preset {
	ARGS_PRESET_DEFAULT,
	ARGS_PRESET_RFC, /* pmtcp_conf_rfc() */
};

/* A capture file and how many frames go into it. */
struct args_capture {
	char file[256];   /* empty: no capture */
	uint64_t packets; /* 0: all */
};

/* Addresses and the subnet they lie in. Of IPv6 addresses the range is the last four octets,
 * since the others are the same for all of them. */
struct args_subnet {
	struct pmtcp_range range;
	uint8_t version; /* 4 or 6; 0: not given */
	uint8_t prefix_len;
	uint8_t high[12]; /* IPv6: the first twelve octets */
};

/* All of one version lie in one subnet. */
struct args_subnets {
	uint16_t n;
	struct args_subnet item[PMTCP_RANGES_MAX];
};

/* Next hops outside the subnets; all zero: none. */
struct args_gateway {
	uint32_t ip4;
	uint8_t ip6[16];
};

struct arg {
	const char *name; /* the long option, without dashes */
	char letter;      /* the short option; 0: none */
	enum arg_type type;
	void *out;        /* keeps its value if the option is not given */
	const char *help; /* one line, with the default */
};

struct args {
	const char *program;
	const char *summary; /* one line for --help */
	const struct arg *table;
	unsigned int n;
};

/* Parses the command line. --help prints the usage and ends the program with 0; a wrong
 * option or value prints one sentence naming the option and what it takes, and ends the
 * program with ARGS_EXIT_CODE. Non-option arguments are wrong. */
void args_parse(const struct args *args, int argc, char **argv);

/* One value of a type. Returns 0, or -EINVAL and leaves `out` alone. ARG_FLAG takes
 * "on" and "off" here. */
int args_value(enum arg_type type, const char *text, void *out);

/* What a type takes, for messages: "a duration such as 10us, 5ms, 1s". */
const char *args_accepted(enum arg_type type);

/* Room for the longest address with its port, and without. */
#define ARGS_ADDR_TEXT 56
#define ARGS_IP_TEXT   46

/* "198.18.0.2:7" or "[2001:db8::2]:7" into text of ARGS_ADDR_TEXT octets; returns text. */
char *args_addr_text(const struct pmtcp_addr *addr, char *text);

/* "198.18.0.2" or "2001:db8::2" into text of ARGS_IP_TEXT octets; returns text. */
char *args_ip_text(const struct pmtcp_addr *addr, char *text);

/* An address of the subnet: low is one of its range. */
struct pmtcp_addr args_subnet_addr(const struct args_subnet *subnet, uint32_t low, uint16_t port);

/* Whether an address of the same version lies in the subnet. */
bool args_subnet_has(const struct args_subnet *subnet, const struct pmtcp_addr *addr);

/* Makes the addresses those of the context. Returns 0, or -ENOSPC above PMTCP_RANGES_MAX. */
int args_add_range(const struct args_subnet *subnet, struct pmtcp_conf *conf);

/* The same for all of a list, and the next hops. */
void args_conf(const struct args_subnets *own, const struct args_gateway *gateway,
		struct pmtcp_conf *conf);

#endif /* PMTCP_APPS_ARGS_H */
