/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The configuration of pmtcp-load: one table of words makes the command line, the
 * usage texts and the YAML schema. Flags win over the file. */

#ifndef PMTCP_APPS_LOAD_CONF_H
#define PMTCP_APPS_LOAD_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pmtcp_dpdk.h"

#include "common/args.h"
#include "load/plan.h"

/* Where a word applies, as bits. */
enum load_cmd {
	LOAD_RUN = 1,
	LOAD_CLIENT = 2,
	LOAD_SERVER = 4,
};

enum load_close {
	LOAD_CLOSE_CLIENT_FIN,
	LOAD_CLOSE_SERVER_FIN,
	LOAD_CLOSE_SIMULTANEOUS,
	LOAD_CLOSE_CLIENT_RST,
	LOAD_CLOSE_MAX,
};

#define LOAD_OPTS_MAX    40
#define BURST_MAX        64 /* a worker's (pmtcp_dpdk.h) */
#define LOAD_WORKERS_MAX 16
#define LOAD_ERR_LEN     640
/* "Not given", where 0 means something. */
#define LOAD_UNSET UINT64_MAX

struct load_conf {
	enum load_cmd cmd;

	/* As given. */
	const char *config;
	const char *link;
	const char *eal;
	struct args_subnet ip;
	struct args_gateway gateway; /* filled in on a ring */
	const char *mac_word;
	const char *listen_word;
	const char *target_word;
	struct args_subnet source;
	const char *ports_word;
	uint64_t rate;
	uint64_t concurrency;
	uint64_t hold;
	uint64_t count;
	uint64_t duration_ns;
	uint64_t warmup_ns;
	uint64_t request;
	uint64_t response;
	const char *close_word;
	uint64_t tw_ns;
	uint64_t syn_retries;
	const char *idle_word;
	uint16_t mtu;
	uint16_t burst;      /* frames moved at a time; 0: the worker's own number */
	uint16_t workers;    /* of each end; 0: as many as the link has queues */
	uint8_t ecn;         /* enum pmtcp_ecn */
	uint8_t syn_cookies; /* enum pmtcp_syn_cookies */
	uint8_t cc;          /* enum pmtcp_cc */
	uint8_t tw_reuse;    /* enum pmtcp_tw_reuse */
	uint8_t preset;      /* enum args_preset */
	uint32_t reassemble; /* datagrams at a time */
	uint64_t keepalive_ns;
	bool no_offloads;
	struct args_capture pcap;
	const char *json;
	bool verbose;
	bool check;

	/* Worked out by conf_resolve(). */
	struct rte_ether_addr mac;
	struct plan_range listen_ports;
	struct pmtcp_addr target;       /* without its port */
	struct plan_range target_ports; /* last 0: the plan chooses */
	struct plan_range ports;
	enum load_close close;
	enum pmtcp_idle idle;
	uint32_t tw_ms;
	bool is_ring;
	bool is_memory; /* a ring or memif: no device sets the pace */
	uint32_t keepalive_ms;
	uint32_t keepalive_intvl_ms; /* between probes */
	struct args_subnet own; /* addresses of this end; range.last 0: the plan chooses (ring) */
	struct args_subnet server_own;      /* run: those of the server's end ... */
	struct args_gateway server_gateway; /* ... and its next hop */
};

/* Every default, nothing given. */
void conf_defaults(struct load_conf *c);

/* Fills `out` with the rows of the words that apply to any of `cmds`; returns how many. */
uint32_t conf_table(struct load_conf *c, uint32_t cmds, struct arg out[LOAD_OPTS_MAX]);

/* Reads a YAML file of the same words. Returns 0, or -EINVAL (or the errno of opening it)
 * with a sentence that names file, line and key in `err`. */
int conf_load_yaml(struct load_conf *c, const char *path, char err[LOAD_ERR_LEN]);

/* The line, and the file, where conf_load_yaml() found a word; 0: it did not. */
size_t conf_yaml_line(const char *word, const char **path);

/* Gives back what conf_load_yaml() kept; the strings of the configuration are gone. */
void conf_free_yaml(void);

/* Checks what belongs together and fills in the second half. Returns 0, or -EINVAL with a
 * sentence in `err` that begins with the word at fault. */
int conf_resolve(struct load_conf *c, char err[LOAD_ERR_LEN]);

/* Reads the command line, and the file it names, or ends the program with exit code 1
 * (0 for --help). */
void conf_parse(struct load_conf *c, int argc, char **argv);

const char *conf_close_name(enum load_close close);
const char *conf_cmd_name(enum load_cmd cmd);

#endif /* PMTCP_APPS_LOAD_CONF_H */
