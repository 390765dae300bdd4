/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The table of words, the command line and the checks across words. The YAML file
 * is read in conf_yaml.c. */

#include "load/conf.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/link_word.h"

#define NS_PER_MS 1000000ull
#define SECOND_NS 1000000000ull
#define ENDS      (LOAD_RUN | LOAD_CLIENT)
#define ALL       (LOAD_RUN | LOAD_CLIENT | LOAD_SERVER)
#define REMOTE    (LOAD_CLIENT | LOAD_SERVER)
/* 198.18.0.1 and 198.19.0.1, of the range for benchmarks (RFC 2544) */
#define IP_CLIENT 0xc6120001u
#define IP_SERVER 0xc6130001u
/* The same of 2001:2::/48, for IPv6 (RFC 5180). */
#define IP6_CLIENT  "2001:2:0:1::1/64"
#define IP6_SERVER  "[2001:2:0:2::1]:5001"
#define PAYLOAD_MAX (1ull << 30)
#define CONCURRENT  1024u
/* Enough to keep both ends of a ring busy; more only waits in it. */
#define CONCURRENT_RING 256u
#define IN_FLIGHT_MAX   65536u
#define HOLD_MAX        100000000u
/* RFC 791 3.2: every host takes 576 octets; RFC 8200 5: every IPv6 link 1280. Jumbo frames end
 * at 9000. */
#define MTU_MIN          576
#define MTU6_MIN         1280
#define MTU_MAX          9000
#define KEEPALIVE_MIN_NS (100 * NS_PER_MS)
#define KEEPALIVE_MAX_NS (604800 * SECOND_NS)
/* Probes: as in the library, but a peer need not answer over two a second (SEC-4). */
#define APART_MIN_MS 1000u
#define APART_MAX_MS 75000u

struct word {
	const char *name;
	char letter;
	enum arg_type type;
	uint32_t cmds;
	size_t offset;
	const char *help;
};

/* clang-format off */
#define AT(field) offsetof(struct load_conf, field)
static const struct word words[] = {
	{"config", 'c', ARG_TEXT, ALL, AT(config), "YAML file of these same words; flags win (none)"},
	{"link", 'l', ARG_TEXT, ALL, AT(link), LINK_WORDS " (ring); all take ,vlan=VID loss=P% dup= reorder= corrupt= delay=TIME seed=N; tap ,kernel=IP/LEN; all but memif ,queues=N"},
	{"ip", 0, ARG_SUBNET, ALL, AT(ip), "own addresses A[-B]/LEN, IPv4 or IPv6 (ring: chosen from 198.18.0.0/15)"},
	{"gateway", 0, ARG_GATEWAY, REMOTE, AT(gateway), "next hop to other subnets (none)"},
	{"mac", 0, ARG_TEXT, REMOTE, AT(mac_word), "own MAC address (the device's)"},
	{"listen", 0, ARG_TEXT, LOAD_RUN | LOAD_SERVER, AT(listen_word), "PORT or LO-HI of the server (5001)"},
	{"target", 0, ARG_TEXT, ENDS, AT(target_word), "server's A:PORT or A:LO-HI, IPv6 as [A]:PORT (ring: chosen)"},
	{"source", 0, ARG_RANGE, ENDS, AT(source), "client's addresses A-B, used in turn (those of --ip)"},
	{"ports", 0, ARG_TEXT, ENDS, AT(ports_word), "client's port range LO-HI (1024-65535)"},
	{"rate", 'r', ARG_COUNT, ALL, AT(rate), "opens per second, open loop; a server sizes itself for it (as fast as it goes)"},
	{"concurrency", 'n', ARG_COUNT, ALL, AT(concurrency), "at most so many connections open at once (ring 256, else 1024; with --rate 65536)"},
	{"hold", 0, ARG_COUNT, ALL, AT(hold), "so many connections stay established and idle beside the others; a server needs the client's number (0)"},
	{"count", 0, ARG_COUNT, ENDS, AT(count), "stop after so many connections (no limit)"},
	{"duration", 'd', ARG_DURATION, ALL, AT(duration_ns), "measured time; 0: until Ctrl-C (10s; with --count and as a server 0)"},
	{"warmup", 0, ARG_DURATION, ENDS, AT(warmup_ns), "time before the measured window (1s; with --count 0)"},
	{"request", 0, ARG_SIZE, ALL, AT(request), "octets the client sends (0)"},
	{"response", 0, ARG_SIZE, ALL, AT(response), "octets the server answers with (0)"},
	{"close", 0, ARG_TEXT, ALL, AT(close_word), "client-fin | server-fin | simultaneous | client-rst (client-fin)"},
	{"tw", 0, ARG_DURATION, ALL, AT(tw_ns), "2MSL: 0, or 1s to 240s (60s; preset rfc 240s)"},
	{"syn-retries", 0, ARG_COUNT, ALL, AT(syn_retries), "give a SYN up after so many repetitions (3: 15 s)"},
	{"idle", 0, ARG_TEXT, ALL, AT(idle_word), "auto | spin | yield | sleep, when there is nothing to do (auto)"},
	{"workers", 'w', ARG_U16, ALL, AT(workers), "threads at each end, 1 to 16 (queues of the link, else 1)"},
	{"burst", 0, ARG_U16, ALL, AT(burst), "frames moved at a time, 1 to 64 (32)"},
	{"mtu", 0, ARG_U16, ALL, AT(mtu), "IP packet octets, 576 to 9000 (the device's)"},
	{"ecn", 0, ARG_ECN, ALL, AT(ecn), "explicit congestion notification: off | accept | offer (accept)"},
	{"syn-cookies", 0, ARG_COOKIES, LOAD_RUN | LOAD_SERVER, AT(syn_cookies), "auto | always | off (auto)"},
	{"cc", 0, ARG_CC, ALL, AT(cc), "congestion control: cubic | newreno (cubic)"},
	{"tw-reuse", 0, ARG_REUSE, ALL, AT(tw_reuse), "opens over own TIME-WAIT: off | safe: with timestamps | force (safe)"},
	{"preset", 0, ARG_PRESET, ALL, AT(preset), "default | rfc: RTO from 1s, 2MSL 240s (default)"},
	{"reassemble", 0, ARG_U32, ALL, AT(reassemble), "so many fragmented datagrams at a time; 0: fragments are dropped (0)"},
	{"keepalive", 0, ARG_DURATION, ALL, AT(keepalive_ns), "silence before the first probe, 100ms to 168h; 0: none (0)"},
	{"no-offloads", 0, ARG_FLAG, ALL, AT(no_offloads), "no checksum offload, even if the device has it"},
	{"pcap", 0, ARG_CAPTURE, ALL, AT(pcap), "capture both directions into FILE[,N] (the client's end in run)"},
	{"json", 'j', ARG_TEXT, ALL, AT(json), "write the report to this file; -: standard output (none)"},
	{"eal", 0, ARG_TEXT, ALL, AT(eal), "more DPDK EAL arguments in one word (none)"},
	{"check", 0, ARG_FLAG, ALL, AT(check), "validate, print the plan and end"},
	{"verbose", 'v', ARG_FLAG, ALL, AT(verbose), "show what DPDK says"},
};
/* clang-format on */

_Static_assert(sizeof(words) / sizeof(words[0]) <= LOAD_OPTS_MAX, "raise LOAD_OPTS_MAX");

static const char *const close_names[LOAD_CLOSE_MAX] = {
		[LOAD_CLOSE_CLIENT_FIN] = "client-fin",
		[LOAD_CLOSE_SERVER_FIN] = "server-fin",
		[LOAD_CLOSE_SIMULTANEOUS] = "simultaneous",
		[LOAD_CLOSE_CLIENT_RST] = "client-rst",
};

static const char *const idle_names[] = {
		[PMTCP_IDLE_AUTO] = "auto",
		[PMTCP_IDLE_SPIN] = "spin",
		[PMTCP_IDLE_YIELD] = "yield",
		[PMTCP_IDLE_SLEEP] = "sleep",
};

const char *
conf_close_name(enum load_close close)
{
	return close_names[close];
}

const char *
conf_cmd_name(enum load_cmd cmd)
{
	return cmd == LOAD_RUN ? "run" : cmd == LOAD_CLIENT ? "client" : "server";
}

void
conf_defaults(struct load_conf *c)
{
	*c = (struct load_conf){
			.cmd = LOAD_RUN,
			.link = "ring",
			.close_word = "client-fin",
			.idle_word = "auto",
			.ports_word = "1024-65535",
			.duration_ns = LOAD_UNSET,
			.warmup_ns = LOAD_UNSET,
			.tw_ns = LOAD_UNSET,
			.syn_retries = 3,
			.ecn = PMTCP_ECN_ACCEPT,
			.syn_cookies = PMTCP_COOKIES_AUTO,
			.cc = PMTCP_CC_CUBIC,
			.tw_reuse = PMTCP_TW_REUSE_SAFE,
	};
}

uint32_t
conf_table(struct load_conf *c, uint32_t cmds, struct arg out[LOAD_OPTS_MAX])
{
	uint32_t n = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if ((words[i].cmds & cmds) == 0)
			continue;
		out[n++] = (struct arg){words[i].name, words[i].letter, words[i].type,
				(char *)c + words[i].offset, words[i].help};
	}
	return n;
}

/* "N" or "LO-HI" within 1..65535. */
static int
parse_ports(const char *text, struct plan_range *out)
{
	char copy[16];
	char *dash;
	uint16_t first;
	uint16_t last;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	dash = strchr(copy, '-');
	if (dash != NULL)
		*dash = '\0';
	if (args_value(ARG_PORT, copy, &first) != 0)
		return -EINVAL;
	last = first;
	if (dash != NULL && args_value(ARG_PORT, dash + 1, &last) != 0)
		return -EINVAL;
	if (last < first)
		return -EINVAL;
	*out = (struct plan_range){first, last};
	return 0;
}

/* "A.B.C.D:PORTS" or "[IPV6]:PORTS": the address goes through the parser of all addresses,
 * with the first port. */
static int
parse_target(struct load_conf *c)
{
	const char *colon = strrchr(c->target_word, ':');
	char first[ARGS_ADDR_TEXT];

	if (colon == NULL || parse_ports(colon + 1, &c->target_ports) != 0)
		return -EINVAL;
	if (snprintf(first, sizeof(first), "%.*s:%u", (int)(colon - c->target_word), c->target_word,
			    c->target_ports.first) >= (int)sizeof(first) ||
			args_value(ARG_ADDR, first, &c->target) != 0)
		return -EINVAL;
	c->target.port = 0;
	return 0;
}

static int
find_name(const char *const *names, int n, const char *word)
{
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], word) == 0)
			return i;
	}
	return -EINVAL;
}

static int
say(char *err, const char *word, const char *what)
{
	snprintf(err, LOAD_ERR_LEN, "%s: %s", word, what);
	return -EINVAL;
}

static int
resolve_link(struct load_conf *c, char *err)
{
	char problem[LINK_TEXT_MAX];
	struct link_word word;

	if (link_word_parse(c->link, &word, problem) != 0)
		return say(err, "link", problem);
	c->is_ring = word.kind == LINK_RING;
	c->is_memory = c->is_ring || word.kind == LINK_MEMIF;
	if (c->workers == 0)
		c->workers = word.queues == 0 ? 1 : word.queues;
	if (c->workers > LOAD_WORKERS_MAX || c->workers < word.queues)
		return say(err, "workers", "must be 1 to 16, and one for each queue of the link");
	if (c->burst > BURST_MAX)
		return say(err, "burst", "must be between 1 and 64 frames");
	if (c->mtu != 0 && (c->mtu < MTU_MIN || c->mtu > MTU_MAX))
		return say(err, "mtu", "must be between 576 and 9000 octets");
	return 0;
}

static int
resolve_words(struct load_conf *c, char *err)
{
	int close = find_name(close_names, LOAD_CLOSE_MAX, c->close_word);
	int idle = find_name(idle_names, 4, c->idle_word);

	if (close < 0)
		return say(err, "close",
				"must be client-fin, server-fin, simultaneous or client-rst");
	if (idle < 0)
		return say(err, "idle", "must be auto, spin, yield or sleep");
	c->close = (enum load_close)close;
	c->idle = (enum pmtcp_idle)idle;
	if (parse_ports(c->ports_word, &c->ports) != 0 || c->ports.last == c->ports.first)
		return say(err, "ports", "must be LO-HI such as 1024-65535");
	if (c->listen_word != NULL && parse_ports(c->listen_word, &c->listen_ports) != 0)
		return say(err, "listen", "must be a port such as 5001, or LO-HI");
	if (c->target_word != NULL && parse_target(c) != 0)
		return say(err, "target", "must be A.B.C.D:PORT or A.B.C.D:LO-HI, or [IPV6]:PORT");
	if (c->listen_ports.last - c->listen_ports.first >= PLAN_LISTEN_MAX)
		return say(err, "listen", "must be at most 1024 ports");
	if (c->target_ports.last - c->target_ports.first >= PLAN_LISTEN_MAX)
		return say(err, "target", "must be at most 1024 ports");
	if (c->mac_word != NULL && (rte_ether_unformat_addr(c->mac_word, &c->mac) != 0 ||
						   !rte_is_valid_assigned_ether_addr(&c->mac)))
		return say(err, "mac", "must be like 02:00:00:00:00:01, no zero or group address");
	return 0;
}

/* The library's, of this preset. */
static uint64_t
default_tw_ns(uint8_t preset)
{
	struct pmtcp_conf conf;

	pmtcp_conf_init(&conf);
	if (preset == ARGS_PRESET_RFC)
		pmtcp_conf_rfc(&conf);
	return conf.tw_ms * NS_PER_MS;
}

static int
resolve_numbers(struct load_conf *c, char *err)
{
	bool is_server = c->cmd == LOAD_SERVER;

	if (c->duration_ns == LOAD_UNSET)
		c->duration_ns = c->count != 0 || is_server ? 0 : 10 * SECOND_NS;
	if (c->warmup_ns == LOAD_UNSET)
		c->warmup_ns = c->count != 0 || is_server ? 0 : SECOND_NS;
	if (c->concurrency == 0 && (c->rate != 0 || is_server))
		c->concurrency = IN_FLIGHT_MAX;
	if (c->concurrency == 0)
		c->concurrency = c->is_ring ? CONCURRENT_RING : CONCURRENT;
	if (c->tw_ns == LOAD_UNSET)
		c->tw_ns = default_tw_ns(c->preset);
	if (c->tw_ns != 0 && (c->tw_ns < SECOND_NS || c->tw_ns > 240 * SECOND_NS))
		return say(err, "tw", "2MSL must be 0, or between 1s and 240s");
	c->tw_ms = (uint32_t)(c->tw_ns / NS_PER_MS);
	if (c->keepalive_ns != 0 &&
			(c->keepalive_ns < KEEPALIVE_MIN_NS || c->keepalive_ns > KEEPALIVE_MAX_NS))
		return say(err, "keepalive", "must be 0, or between 100ms and 168h");
	c->keepalive_ms = (uint32_t)(c->keepalive_ns / NS_PER_MS);
	c->keepalive_intvl_ms = RTE_MIN(RTE_MAX(c->keepalive_ms, APART_MIN_MS), APART_MAX_MS);
	if (c->rate > 100000000)
		return say(err, "rate", "must be at most 100m opens per second");
	if (c->concurrency > 16000000)
		return say(err, "concurrency", "must be at most 16m connections");
	if (c->request > PAYLOAD_MAX || c->response > PAYLOAD_MAX)
		return say(err, c->request > PAYLOAD_MAX ? "request" : "response",
				"must be at most 1g octets");
	if (c->syn_retries == 0 || c->syn_retries > 10)
		return say(err, "syn-retries", "must be between 1 and 10");
	return 0;
}

/* Held connections exchange nothing, and it is the client that ends them. */
static int
resolve_hold(const struct load_conf *c, char *err)
{
	if (c->hold == 0)
		return 0;
	if (c->hold > HOLD_MAX)
		return say(err, "hold", "must be at most 100m connections");
	if (c->close != LOAD_CLOSE_CLIENT_FIN && c->close != LOAD_CLOSE_CLIENT_RST)
		return say(err, "hold", "goes with --close client-fin or client-rst only");
	if (c->response != 0 && c->request == 0)
		return say(err, "hold", "needs a --request where there is a --response");
	return 0;
}

/* The last four octets of the address, as struct args_subnet has them. */
static uint32_t
low_of(const struct pmtcp_addr *addr)
{
	const uint8_t *low = addr->ip6 + sizeof(addr->ip6) - 4;

	return addr->version == 4 ? addr->ip4 : PMTCP_IP4(low[0], low[1], low[2], low[3]);
}

/* The last host address of a subnet: on a ring the stand-in for the other end. */
static struct args_gateway
gateway_of(const struct args_subnet *subnet)
{
	unsigned int above = subnet->version == 4 ? 0 : 96;
	unsigned int len = subnet->prefix_len > above ? subnet->prefix_len - above : 0;
	uint32_t hosts = len == 0 ? UINT32_MAX : ~(UINT32_MAX << (32 - len));
	struct pmtcp_addr addr = args_subnet_addr(subnet, (subnet->range.first | hosts) - 1, 0);
	struct args_gateway gateway = {.ip4 = addr.ip4};

	memcpy(gateway.ip6, addr.ip6, sizeof(addr.ip6));
	return gateway;
}

/* Whether the subnet's addresses, those the plan may choose included, reach its gateway. */
static bool
takes_gateway(const struct args_subnet *subnet, const struct args_gateway *gateway)
{
	struct pmtcp_addr hop = subnet->version == 4 ? pmtcp_addr4(gateway->ip4, 0)
						     : pmtcp_addr6(gateway->ip6, 0);

	return subnet->range.first >= low_of(&hop) || subnet->range.last >= low_of(&hop);
}

/* Both ends on a ring. Each has a subnet of its own and sees the other through one
 * gateway, whose MAC address is the other end's: one next hop however many addresses,
 * and none to be asked for by ARP. */
static int
resolve_ring(struct load_conf *c, char *err)
{
	if (c->own.version == 0 && c->target.version == 6) {
		(void)args_value(ARG_SUBNET, IP6_CLIENT, &c->own);
		c->own.range.last = 0;
	} else if (c->own.version == 0) {
		c->own = (struct args_subnet){{IP_CLIENT, 0}, 4, 16, {0}};
	}
	if (c->target.version == 0 && c->own.version == 6)
		(void)args_value(ARG_ADDR, IP6_SERVER, &c->target);
	else if (c->target.version == 0)
		c->target = pmtcp_addr4(IP_SERVER, 0);
	c->target.port = 0;
	if (c->target.version != c->own.version)
		return say(err, "target", "must be of the same IP version as --ip");
	if (args_subnet_has(&c->own, &c->target))
		return say(err, "target", "must be in another subnet than --ip on a ring");
	if (c->target_ports.last == 0)
		c->target_ports = c->listen_ports;
	if (c->target_ports.first == 0)
		c->target_ports.first = 5001;
	c->server_own = c->own;
	c->server_own.range = (struct pmtcp_range){low_of(&c->target), low_of(&c->target)};
	memcpy(c->server_own.high, c->target.ip6, sizeof(c->server_own.high));
	c->gateway = gateway_of(&c->own);
	c->server_gateway = gateway_of(&c->server_own);
	if (takes_gateway(&c->own, &c->gateway) ||
			takes_gateway(&c->server_own, &c->server_gateway))
		return say(err, "ip",
				"and the target must leave the last address of their "
				"subnets to the gateway");
	return 0;
}

static int
resolve_remote(struct load_conf *c, char *err)
{
	static const uint8_t none[16];
	bool has_hop6 = memcmp(c->gateway.ip6, none, sizeof(none)) != 0;
	struct pmtcp_addr hop = c->own.version == 4 ? pmtcp_addr4(c->gateway.ip4, 0)
						    : pmtcp_addr6(c->gateway.ip6, 0);

	if (c->ip.version == 0)
		return say(err, "ip", "is missing: own address and prefix length, A/LEN");
	if (c->cmd == LOAD_CLIENT && c->target_word == NULL)
		return say(err, "target", "is missing: the server's A:PORT");
	if (c->cmd == LOAD_CLIENT && c->target.version != c->own.version)
		return say(err, "target", "must be of the same IP version as --ip");
	if (c->own.version == 4 ? has_hop6 : c->gateway.ip4 != 0)
		return say(err, "gateway", "must be of the same IP version as --ip");
	if ((has_hop6 || c->gateway.ip4 != 0) && !args_subnet_has(&c->own, &hop))
		return say(err, "gateway", "must lie in the subnet of --ip");
	if (c->cmd == LOAD_CLIENT && !has_hop6 && c->gateway.ip4 == 0 &&
			!args_subnet_has(&c->own, &c->target))
		return say(err, "target", "is in another subnet: give a --gateway");
	if (c->listen_ports.last == 0)
		c->listen_ports = (struct plan_range){5001, 5001};
	return 0;
}

static int
resolve_addresses(struct load_conf *c, char *err)
{
	struct pmtcp_addr first = args_subnet_addr(&c->source, c->source.range.first, 0);
	struct pmtcp_addr last = args_subnet_addr(&c->source, c->source.range.last, 0);

	c->own = c->ip;
	if (c->own.version == 0 && c->source.version != 0) {
		c->own = c->source;
		c->own.prefix_len = c->source.version == 4 ? 16 : 64;
	}
	if (c->own.version != 0 && c->own.range.first == 0)
		return say(err, "ip", "must not end in four zero octets");
	if (c->own.version == 6 && c->mtu != 0 && c->mtu < MTU6_MIN)
		return say(err, "mtu", "must be at least 1280 octets with IPv6");
	if (c->source.version != 0 &&
			!(args_subnet_has(&c->own, &first) && args_subnet_has(&c->own, &last)))
		return say(err, "source", "must lie in the subnet of --ip");
	if (c->cmd != LOAD_RUN && c->is_ring)
		return say(err, "link",
				"a ring has both ends in one process: use the subcommand "
				"run, or another link");
	if (c->cmd == LOAD_RUN && !c->is_ring)
		return say(err, "link",
				"run has both ends in one process, over a ring: use the "
				"subcommands client and server on other links");
	return c->cmd == LOAD_RUN ? resolve_ring(c, err) : resolve_remote(c, err);
}

int
conf_resolve(struct load_conf *c, char err[LOAD_ERR_LEN])
{
	int rc = resolve_link(c, err);

	if (rc == 0)
		rc = resolve_words(c, err);
	if (rc == 0)
		rc = resolve_numbers(c, err);
	if (rc == 0)
		rc = resolve_hold(c, err);
	return rc == 0 ? resolve_addresses(c, err) : rc;
}

static void
print_usage(FILE *f)
{
	fputs("pmtcp-load opens and closes TCP connections and says how fast.\n\n"
	      "usage: pmtcp-load run    [options]   both ends in this process, over a ring\n"
	      "       pmtcp-load client [options]   the end that opens\n"
	      "       pmtcp-load server [options]   the end that listens\n"
	      "       pmtcp-load SUBCOMMAND --help  the options of each\n\n"
	      "first run, no root and no NIC needed:\n"
	      "       pmtcp-load run --duration 5s\n"
	      "against the kernel's server behind a tap interface that is made for it (root):\n"
	      "       pmtcp-load client --link tap:pm0,kernel=198.18.0.1/24 --ip 198.18.0.2/24 "
	      "\\\n"
	      "           --target 198.18.0.1:5001\n\n"
	      "link options, behind commas:\n"
	      "       all                     loss=P% dup=P% reorder=P% corrupt=P% delay=TIME "
	      "seed=N,\n"
	      "                               of what is received; vlan=VID\n"
	      "       tap                     kernel=IP/LEN, the address of the kernel's end\n"
	      "       all but memif           queues=N, one for each worker or fewer\n\n"
	      "exit codes: 0 fine, 1 usage, 2 set-up, 3 errors during the run or books that "
	      "do not balance\n",
			f);
}

static enum load_cmd
parse_command(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "run") == 0)
		return LOAD_RUN;
	if (argc >= 2 && strcmp(argv[1], "client") == 0)
		return LOAD_CLIENT;
	if (argc >= 2 && strcmp(argv[1], "server") == 0)
		return LOAD_SERVER;
	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		print_usage(stdout);
		exit(0);
	}
	if (argc >= 2)
		fprintf(stderr, "pmtcp-load: '%s' is not a subcommand.\n\n", argv[1]);
	print_usage(stderr);
	exit(ARGS_EXIT_CODE);
}

static void
parse_flags(struct load_conf *c, int argc, char **argv)
{
	static const char *const summaries[] = {
			[LOAD_RUN] = "opens and closes connections, both ends in one process",
			[LOAD_CLIENT] = "opens and closes connections to a server",
			[LOAD_SERVER] = "accepts connections and closes them as the client expects",
	};
	char program[32];
	struct arg table[LOAD_OPTS_MAX];
	struct args args = {.program = program, .summary = summaries[c->cmd], .table = table};

	snprintf(program, sizeof(program), "pmtcp-load %s", conf_cmd_name(c->cmd));
	args.n = conf_table(c, c->cmd, table);
	optind = 0; /* GNU: begin anew, whatever was parsed before */
	args_parse(&args, argc - 1, argv + 1);
}

/* Whether a word was given on the command line, abbreviated or by its letter. */
static bool
is_flag(int argc, char **argv, const char *word)
{
	char letter = 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].name, word) == 0)
			letter = words[i].letter;
	}
	for (int i = 2; i < argc; i++) {
		size_t len = strcspn(argv[i], "=");

		if (len > 2 && strncmp(argv[i], "--", 2) == 0 &&
				strncmp(argv[i] + 2, word, len - 2) == 0)
			return true;
		if (argv[i][0] == '-' && letter != 0 && argv[i][1] == letter)
			return true;
	}
	return false;
}

/* A sentence of conf_resolve() begins with the word at fault: where it stands is told
 * if it came from the file. */
static void
print_error(int argc, char **argv, const char *err)
{
	char word[32];
	const char *path;
	size_t line;

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(err, ":"), err);
	line = conf_yaml_line(word, &path);
	if (line != 0 && !is_flag(argc, argv, word))
		fprintf(stderr, "pmtcp-load: %s:%zu: %s.\n", path, line, err);
	else
		fprintf(stderr, "pmtcp-load: %s.\n", err);
}

void
conf_parse(struct load_conf *c, int argc, char **argv)
{
	char err[LOAD_ERR_LEN] = "";
	int rc = 0;

	conf_defaults(c);
	c->cmd = parse_command(argc, argv);
	parse_flags(c, argc, argv);
	if (c->config != NULL) {
		/* The file over the defaults, then the flags again over the file. */
		const char *path = c->config;
		enum load_cmd cmd = c->cmd;

		conf_defaults(c);
		c->cmd = cmd;
		rc = conf_load_yaml(c, path, err);
		if (rc == 0)
			parse_flags(c, argc, argv);
	}
	if (rc == 0)
		rc = conf_resolve(c, err);
	if (rc == 0)
		return;
	print_error(argc, argv, err);
	exit(ARGS_EXIT_CODE);
}
