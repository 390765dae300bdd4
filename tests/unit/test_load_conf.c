/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a wrong configuration is refused in one sentence that names file, line and
 * key; a right one means the same in a file and in flags, and flags win. Method:
 * files are written and read; the command line runs in a child whose exit code and
 * standard error are looked at. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/base.h"
#include "load/conf.h"

#define S              1000000000ull
#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static struct load_conf conf;
static char path[] = "/tmp/test_load_conf_XXXXXX";
static char err[LOAD_ERR_LEN];

static int
make_file(void **state)
{
	int fd = mkstemp(path);

	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int
remove_file(void **state)
{
	conf_free_yaml();
	return unlink(path);
}

static int
load_text(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	conf_defaults(&conf);
	return conf_load_yaml(&conf, path, err);
}

/* The file must be refused with "PATH:LINE: KEY: " and, somewhere, the words. */
static void
assert_refused(const char *text, int line, const char *key, const char *words)
{
	char want[128];

	assert_int_not_equal(load_text(text), 0);
	snprintf(want, sizeof(want), "%s:%d: %s%s", path, line, key, *key == '\0' ? "" : ": ");
	if (strncmp(err, want, strlen(want)) != 0 || strstr(err, words) == NULL)
		print_error("want \"%s ... %s\", have \"%s\"\n", want, words, err);
	assert_int_equal(strncmp(err, want, strlen(want)), 0);
	assert_non_null(strstr(err, words));
}

static void
yaml_errors_name_file_line_and_key(void **state)
{
	assert_refused("rate: 100k\n\nspeed: 3\n", 3, "speed", "no such key");
	assert_refused("# first\nrate: fast\n", 2, "rate", "'fast'");
	assert_refused("rate: 1\nduration: 5\n", 2, "duration", "is not a duration");
	assert_refused("rate: 1\ncount: 3\nrate: 2\n", 3, "rate", "twice");
	assert_refused("rate: [1, 2]\n", 1, "rate", "one plain value");
	assert_refused("close:\n", 1, "close", "one plain value");
	assert_refused("- rate\n- count\n", 1, "", "KEY: VALUE");
	assert_refused("count: 1\nrate: 'open\n", 3, "", "end of stream");
	assert_refused("config: other.yaml\n", 1, "config", "cannot name");
	assert_refused("ip: 300.0.0.1/24\n", 1, "ip", "300.0.0.1/24");
}

static void
yaml_missing_file_is_named(void **state)
{
	conf_defaults(&conf);
	assert_int_not_equal(conf_load_yaml(&conf, "/nowhere/load.yaml", err), 0);
	assert_non_null(strstr(err, "/nowhere/load.yaml: No such file"));
}

static void
yaml_empty_file_changes_nothing(void **state)
{
	struct load_conf untouched;

	assert_int_equal(load_text("# nothing\n"), 0);
	conf_defaults(&untouched);
	assert_memory_equal(&conf, &untouched, sizeof(conf));
}

static void
yaml_every_word_reaches_its_field(void **state)
{
	assert_int_equal(load_text("link: memif:client:/tmp/s\nip: 10.1.0.2-10.1.0.9/16\n"
				   "gateway: 10.1.0.1\nmac: 02:00:00:00:00:02\n"
				   "target: 10.2.0.1:5001-5004\nsource: 10.1.0.3-10.1.0.9\n"
				   "ports: 2000-3000\nrate: 1.5k\nconcurrency: 7\ncount: 1m\n"
				   "hold: 0\n"
				   "duration: 1.5s\nwarmup: 200ms\nrequest: 1k\nresponse: 2k\n"
				   "close: server-fin\ntw: 30s\nsyn-retries: 5\nidle: sleep\n"
				   "mtu: 9000\nno-offloads: true\npcap: x.pcap,10\njson: '-'\n"
				   "eal: a b\ncheck: on\nverbose: yes\nlisten: 80-81\n"
				   "ecn: offer\nsyn-cookies: always\nkeepalive: 30s\n"
				   "cc: newreno\ntw-reuse: force\nreassemble: 64\nburst: 8\n"),
			0);
	conf.cmd = LOAD_CLIENT;
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_true(conf.is_memory && !conf.is_ring);
	assert_string_equal(conf.link, "memif:client:/tmp/s");
	assert_int_equal(conf.own.range.first, IP(10, 1, 0, 2));
	assert_int_equal(conf.own.range.last, IP(10, 1, 0, 9));
	assert_int_equal(conf.own.prefix_len, 16);
	assert_int_equal(conf.gateway.ip4, IP(10, 1, 0, 1));
	assert_int_equal(conf.mac.addr_bytes[5], 2);
	assert_int_equal(conf.target.ip4, IP(10, 2, 0, 1));
	assert_int_equal(conf.target_ports.first, 5001);
	assert_int_equal(conf.target_ports.last, 5004);
	assert_int_equal(conf.source.range.last, IP(10, 1, 0, 9));
	assert_int_equal(conf.ports.first, 2000);
	assert_int_equal(conf.rate, 1500);
	assert_int_equal(conf.concurrency, 7);
	assert_int_equal(conf.count, 1000000);
	assert_int_equal(conf.duration_ns, 3 * S / 2);
	assert_int_equal(conf.warmup_ns, S / 5);
	assert_int_equal(conf.request, 1024);
	assert_int_equal(conf.response, 2048);
	assert_int_equal(conf.close, LOAD_CLOSE_SERVER_FIN);
	assert_int_equal(conf.tw_ms, 30000);
	assert_int_equal(conf.syn_retries, 5);
	assert_int_equal(conf.idle, PMTCP_IDLE_SLEEP);
	assert_int_equal(conf.mtu, 9000);
	assert_true(conf.no_offloads && conf.check && conf.verbose);
	assert_string_equal(conf.pcap.file, "x.pcap");
	assert_int_equal(conf.pcap.packets, 10);
	assert_string_equal(conf.json, "-");
	assert_int_equal(conf.listen_ports.last, 81);
	assert_int_equal(conf.ecn, PMTCP_ECN_OFFER);
	assert_int_equal(conf.syn_cookies, PMTCP_COOKIES_ALWAYS);
	assert_int_equal(conf.keepalive_ms, 30000);
	assert_int_equal(conf.keepalive_intvl_ms, 30000);
	assert_int_equal(conf.cc, PMTCP_CC_NEWRENO);
	assert_int_equal(conf.tw_reuse, PMTCP_TW_REUSE_FORCE);
	assert_int_equal(conf.reassemble, 64);
	assert_int_equal(conf.burst, 8);
}

static void
resolve_ip6_of_both_ends(void **state)
{
	const struct pmtcp_addr source = {.version = 6, .ip6 = {0x20, 1, 0xd, 0xb8, [15] = 2}};

	assert_int_equal(load_text("link: memif:client:/tmp/s\nip: 2001:db8::2-2001:db8::9/64\n"
				   "gateway: 2001:db8::1\nsource: 2001:db8::3-2001:db8::9\n"
				   "target: '[2001:db8:1::7]:5001-5004'\n"),
			0);
	conf.cmd = LOAD_CLIENT;
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(conf.own.version, 6);
	assert_int_equal(conf.own.prefix_len, 64);
	assert_int_equal(conf.own.range.first, 2);
	assert_int_equal(conf.own.range.last, 9);
	assert_memory_equal(conf.own.high, source.ip6, 12);
	assert_int_equal(conf.source.range.first, 3);
	assert_int_equal(conf.gateway.ip4, 0);
	assert_int_equal(conf.gateway.ip6[15], 1);
	assert_int_equal(conf.target.version, 6);
	assert_int_equal(conf.target.ip6[5], 1);
	assert_int_equal(conf.target.ip6[15], 7);
	assert_int_equal(conf.target_ports.first, 5001);
	assert_int_equal(conf.target_ports.last, 5004);
}

/* A target of IPv6 is enough: addresses of 2001:2::/48 (RFC 5180), and gateways in them. */
static void
resolve_ip6_on_a_ring(void **state)
{
	assert_int_equal(load_text("target: '[2001:2:0:2::1]:5001'\n"), 0);
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(conf.own.version, 6);
	assert_int_equal(conf.own.prefix_len, 64);
	assert_int_equal(conf.own.range.first, 1);
	assert_int_equal(conf.own.range.last, 0);
	assert_int_equal(conf.own.high[7], 1);
	assert_int_equal(conf.server_own.range.last, 1);
	assert_int_equal(conf.server_own.high[7], 2);
	assert_int_equal(conf.gateway.ip6[7], 1);
	assert_int_equal(conf.gateway.ip6[15], 0xfe);
	assert_int_equal(conf.server_gateway.ip6[7], 2);
	assert_int_equal(conf.server_gateway.ip6[12], 0xff);
	assert_int_equal(load_text("ip: 2001:db8:5::1/64\n"), 0);
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(conf.target.version, 6);
	assert_int_equal(conf.target.ip6[7], 2);
}

static void
resolve_defaults_are_a_ring_of_two_subnets(void **state)
{
	conf_defaults(&conf);
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_true(conf.is_ring);
	assert_int_equal(conf.own.range.first, IP(198, 18, 0, 1));
	assert_int_equal(conf.own.range.last, 0);
	assert_int_equal(conf.target.ip4, IP(198, 19, 0, 1));
	assert_int_equal(conf.gateway.ip4, IP(198, 18, 255, 254));
	assert_int_equal(conf.server_gateway.ip4, IP(198, 19, 255, 254));
	assert_int_equal(conf.duration_ns, 10 * S);
	assert_int_equal(conf.warmup_ns, S);
	assert_int_equal(conf.tw_ms, 60000);
	assert_int_equal(conf.concurrency, 256);
	conf_defaults(&conf);
	conf.count = 5;
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(conf.duration_ns, 0);
	assert_int_equal(conf.warmup_ns, 0);
}

static void
dec_8_preset_rfc_has_a_2msl_of_240_s(void **state)
{
	(void)state;
	assert_int_equal(load_text("preset: rfc\n"), 0);
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(conf.tw_ms, 240000);
	assert_int_equal(load_text("tw: 5s\npreset: rfc\n"), 0);
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(conf.tw_ms, 5000);
	assert_int_equal(load_text("preset: default\ntw: 0\n"), 0);
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(conf.tw_ms, 0);
}

/* A client of IPv6 that does not go together. */
static void
resolve_ip6_contradictions_name_the_word(void **state)
{
	static const struct {
		const char *yaml;
		const char *word;
	} cases[] = {
			{"ip: 2001:db8::2/64\ntarget: 10.1.0.1:80\n", "target: "},
			{"ip: 10.1.0.2/24\ntarget: '[2001:db8::1]:80'\n", "target: "},
			{"ip: 2001:db8::2/64\ntarget: 2001:db8::1:80\n", "target: "},
			{"ip: 2001:db8::2/64\ntarget: '[2001:db8:1::1]:80'\n", "target: "},
			{"ip: 2001:db8::/64\ntarget: '[2001:db8::1]:80'\n", "ip: "},
			{"ip: 2001:db8::2/64\ntarget: '[2001:db8::1]:80'\nmtu: 1279\n", "mtu: "},
			{"ip: 2001:db8::2/64\ntarget: '[2001:db8::1]:80'\ngateway: 10.1.0.1\n",
					"gateway: "},
			{"ip: 2001:db8::2/64\ntarget: '[2001:db8::1]:80'\ngateway: 2001:db9::1\n",
					"gateway: "},
			{"ip: 2001:db8::2/64\ntarget: '[2001:db8::1]:80'\nsource: 2001:db9::1\n",
					"source: "},
	};
	char text[256];

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "link: tap:x\n%s", cases[i].yaml);
		assert_int_equal(load_text(text), 0);
		conf.cmd = LOAD_CLIENT;
		assert_int_not_equal(conf_resolve(&conf, err), 0);
		assert_int_equal(strncmp(err, cases[i].word, strlen(cases[i].word)), 0);
	}
}

/* One change to a sound client makes it unsound; the sentence begins with the word. */
static void
resolve_probes_often_enough_and_no_more(void **state)
{
	static const struct {
		const char *yaml;
		uint32_t apart_ms;
	} cases[] = {{"100ms", 1000}, {"2s", 2000}, {"75s", 75000}, {"2h", 75000}};
	char text[128];

	(void)state;
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text),
				"link: tap:x\nip: 10.1.0.2/24\ntarget: 10.1.0.1:80\nkeepalive: "
				"%s\n",
				cases[i].yaml);
		assert_int_equal(load_text(text), 0);
		conf.cmd = LOAD_CLIENT;
		assert_int_equal(conf_resolve(&conf, err), 0);
		assert_int_equal(conf.keepalive_intvl_ms, cases[i].apart_ms);
	}
}

static void
resolve_contradictions_name_the_word(void **state)
{
	static const struct {
		const char *yaml;
		const char *word;
	} cases[] = {
			{"close: never\n", "close: "},
			{"idle: dream\n", "idle: "},
			{"tw: 500ms\n", "tw: "},
			{"tw: 241s\n", "tw: "},
			{"ports: 5\n", "ports: "},
			{"ports: 70000-80000\n", "ports: "},
			{"ports: 3000-2000\n", "ports: "},
			{"listen: 0\n", "listen: "},
			{"mac: 01:00:00:00:00:01\n", "mac: "},
			{"mac: zz\n", "mac: "},
			{"gateway: 10.2.0.1\n", "gateway: "},
			{"source: 10.1.0.5-10.2.0.1\n", "source: "},
			{"link: ring\n", "link: "},
			{"link: ring,foo=1\n", "link: "},
			{"link: memif:client:x,queues=2\n", "link: "},
			{"workers: 17\n", "workers: "},
			{"link: tap:x,queues=2\nworkers: 1\n", "workers: "},
			{"link: tap:x,vlan=4095\n", "link: "},
			{"gateway: 2001:db8::1\n", "gateway: "},
			{"source: 2001:db8::1\n", "source: "},
			{"keepalive: 99ms\n", "keepalive: "},
			{"keepalive: 169h\n", "keepalive: "},
			{"burst: 65\n", "burst: "},
			{"mtu: 575\n", "mtu: "},
			{"mtu: 9001\n", "mtu: "},
			{"rate: 1g\n", "rate: "},
			{"concurrency: 1g\n", "concurrency: "},
			{"request: 3g\n", "request: "},
			{"syn-retries: 0\n", "syn-retries: "},
			{"hold: 101m\n", "hold: "},
			{"hold: 1\nclose: server-fin\n", "hold: "},
			{"hold: 1\nclose: simultaneous\n", "hold: "},
			{"hold: 1\nresponse: 1\n", "hold: "},
	};
	static const char *const sound = "link: tap:x\nip: 10.1.0.2/24\ntarget: 10.1.0.1:80\n";
	char text[256];

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(cases); i++) {
		bool is_link = strncmp(cases[i].yaml, "link", 4) == 0;

		snprintf(text, sizeof(text), "%s%s", is_link ? sound + 12 : sound, cases[i].yaml);
		assert_int_equal(load_text(text), 0);
		conf.cmd = LOAD_CLIENT;
		assert_int_not_equal(conf_resolve(&conf, err), 0);
		assert_int_equal(strncmp(err, cases[i].word, strlen(cases[i].word)), 0);
	}
	snprintf(text, sizeof(text), "%shold: 10m\nrequest: 64\nresponse: 64\n", sound);
	assert_int_equal(load_text(text), 0);
	conf.cmd = LOAD_CLIENT;
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(conf.hold, 10000000);
	assert_int_equal(load_text(sound), 0);
	conf.cmd = LOAD_CLIENT;
	assert_int_equal(conf_resolve(&conf, err), 0);
	conf.cmd = LOAD_RUN;
	assert_int_not_equal(conf_resolve(&conf, err), 0);
	assert_non_null(strstr(err, "link: run has both ends"));
}

static void
resolve_missing_words_are_named(void **state)
{
	assert_int_equal(load_text("link: tap:x\ntarget: 10.1.0.1:80\n"), 0);
	conf.cmd = LOAD_CLIENT;
	assert_int_not_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(strncmp(err, "ip: is missing", 14), 0);
	assert_int_equal(load_text("link: tap:x\nip: 10.1.0.2/24\n"), 0);
	conf.cmd = LOAD_CLIENT;
	assert_int_not_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(strncmp(err, "target: is missing", 18), 0);
	conf.cmd = LOAD_SERVER;
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(conf.listen_ports.first, 5001);
}

/* Parses a command line in a child; standard output and error end up in `out`. */
static int
run_child(int argc, char **argv, char *out, size_t len)
{
	int fds[2];
	pid_t child;
	int status;
	ssize_t n;
	size_t at = 0;

	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	child = fork();
	if (child == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		close(fds[0]);
		conf_parse(&conf, argc, argv);
		printf("rate=%lu close=%s\n", (unsigned long)conf.rate, conf.close_word);
		fflush(NULL);
		_exit(99);
	}
	close(fds[1]);
	while (at < len - 1 && (n = read(fds[0], out + at, len - 1 - at)) > 0)
		at += (size_t)n;
	out[at] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

#define RUN(out, ...)                                                                              \
	run_child((int)PMTCP_ARRAY_SIZE(((char *[]){__VA_ARGS__})), (char *[]){__VA_ARGS__, NULL}, \
			out, sizeof(out))

static void
flags_win_over_the_file(void **state)
{
	char out[16384];

	assert_int_equal(load_text("rate: 1k\nclose: server-fin\n"), 0);
	assert_int_equal(RUN(out, "pmtcp-load", "run", "--rate", "2k", "-c", path), 99);
	assert_string_equal(out, "rate=2000 close=server-fin\n");
	assert_int_equal(RUN(out, "pmtcp-load", "run", "-c", path), 99);
	assert_string_equal(out, "rate=1000 close=server-fin\n");
}

static void
command_line_errors_exit_with_1(void **state)
{
	char out[16384];
	char want[64];

	assert_int_equal(RUN(out, "pmtcp-load"), 1);
	assert_non_null(strstr(out, "usage:"));
	assert_int_equal(RUN(out, "pmtcp-load", "fly"), 1);
	assert_non_null(strstr(out, "'fly' is not a subcommand"));
	assert_int_equal(RUN(out, "pmtcp-load", "run", "--rate", "x"), 1);
	assert_non_null(strstr(out, "rate"));
	assert_int_equal(RUN(out, "pmtcp-load", "run", "--close", "x"), 1);
	assert_non_null(strstr(out, "pmtcp-load: close: must be client-fin"));
	assert_int_equal(load_text("rate: 5\nclose: x\n"), 0);
	assert_int_equal(RUN(out, "pmtcp-load", "run", "-c", path), 1);
	snprintf(want, sizeof(want), "%s:2: close: must be", path);
	assert_non_null(strstr(out, want));
	/* The flag's mistake is not blamed on the file. */
	assert_int_equal(RUN(out, "pmtcp-load", "run", "-c", path, "--close=y"), 1);
	assert_null(strstr(out, path));
}

static void
links_and_mtus_are_checked_before_anything_is_opened(void **state)
{
	char out[16384];
	char want[64];

	assert_int_equal(load_text("rate: 5\n\nlink: ring,foo=1\n"), 0);
	assert_int_equal(RUN(out, "pmtcp-load", "run", "--check", "-c", path), 1);
	snprintf(want, sizeof(want), "%s:3: link: \"ring,foo=1\" is not", path);
	assert_non_null(strstr(out, want));
	assert_int_equal(load_text("mtu: 99\n"), 0);
	assert_int_equal(RUN(out, "pmtcp-load", "run", "--check", "-c", path), 1);
	snprintf(want, sizeof(want), "%s:1: mtu: must be between 576", path);
	assert_non_null(strstr(out, want));
	assert_int_equal(RUN(out, "pmtcp-load", "run", "--link", "ring,loss=200%"), 1);
	assert_non_null(strstr(out, "pmtcp-load: link: \"ring,loss=200%\" is not"));
	assert_int_equal(RUN(out, "pmtcp-load", "run", "--mtu", "9001", "--check"), 1);
	assert_non_null(strstr(out, "pmtcp-load: mtu: must be"));
}

static void
help_names_every_word_and_exits_with_0(void **state)
{
	struct arg table[LOAD_OPTS_MAX];
	uint32_t n = conf_table(&conf, LOAD_RUN, table);
	char out[16384];

	assert_int_equal(RUN(out, "pmtcp-load", "--help"), 0);
	assert_non_null(strstr(out, "first run"));
	assert_non_null(strstr(out, "tap:pm0,kernel=198.18.0.1/24"));
	assert_non_null(strstr(out, "queues=N"));
	assert_int_equal(RUN(out, "pmtcp-load", "run", "--help"), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_non_null(strstr(out, table[i].name));
}

static void
sample_file_is_sound(void **state)
{
	conf_defaults(&conf);
	assert_int_equal(conf_load_yaml(&conf, "config/load.yaml", err), 0);
	assert_int_equal(conf_resolve(&conf, err), 0);
	assert_int_equal(conf.rate, 100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(yaml_errors_name_file_line_and_key),
			cmocka_unit_test(yaml_missing_file_is_named),
			cmocka_unit_test(yaml_empty_file_changes_nothing),
			cmocka_unit_test(yaml_every_word_reaches_its_field),
			cmocka_unit_test(resolve_defaults_are_a_ring_of_two_subnets),
			cmocka_unit_test(dec_8_preset_rfc_has_a_2msl_of_240_s),
			cmocka_unit_test(resolve_ip6_of_both_ends),
			cmocka_unit_test(resolve_ip6_on_a_ring),
			cmocka_unit_test(resolve_ip6_contradictions_name_the_word),
			cmocka_unit_test(resolve_probes_often_enough_and_no_more),
			cmocka_unit_test(resolve_contradictions_name_the_word),
			cmocka_unit_test(resolve_missing_words_are_named),
			cmocka_unit_test(flags_win_over_the_file),
			cmocka_unit_test(command_line_errors_exit_with_1),
			cmocka_unit_test(links_and_mtus_are_checked_before_anything_is_opened),
			cmocka_unit_test(help_names_every_word_and_exits_with_0),
			cmocka_unit_test(sample_file_is_sound),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
