/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: values with units are read as documented, and a wrong command line ends the
 * program with one sentence and exit code 1. Method: tables; a child process per command
 * line, whose output and exit code are looked at. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/wait.h>

#include <rte_ip.h>

#include "common/args.h"

struct number {
	enum arg_type type;
	const char *text;
	uint64_t value;
};

static void
args_value_numbers_have_units(void **state)
{
	static const struct number rows[] = {
			{ARG_COUNT, "0", 0},
			{ARG_COUNT, "500", 500},
			{ARG_COUNT, "20k", 20000},
			{ARG_COUNT, "1.5m", 1500000},
			{ARG_COUNT, "2G", 2000000000},
			{ARG_SIZE, "64k", 65536},
			{ARG_SIZE, "4m", 4194304},
			{ARG_SIZE, "1.5g", 1610612736},
			{ARG_DURATION, "0", 0},
			{ARG_DURATION, "10us", 10000},
			{ARG_DURATION, "5ms", 5000000},
			{ARG_DURATION, "1s", 1000000000},
			{ARG_DURATION, "1.5s", 1500000000},
			{ARG_DURATION, "2m", 120000000000},
			{ARG_DURATION, "1h", 3600000000000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t value = 77;

		assert_int_equal(args_value(rows[i].type, rows[i].text, &value), 0);
		assert_int_equal(value, rows[i].value);
	}
}

static void
args_value_wrong_numbers_are_refused(void **state)
{
	static const struct number rows[] = {
			{ARG_COUNT, "", 0},
			{ARG_COUNT, "-1", 0},
			{ARG_COUNT, "+1", 0},
			{ARG_COUNT, " 1", 0},
			{ARG_COUNT, "1 ", 0},
			{ARG_COUNT, "0x10", 0},
			{ARG_COUNT, "0.5", 0},
			{ARG_COUNT, "1.0001k", 0},
			{ARG_COUNT, "1t", 0},
			{ARG_COUNT, "inf", 0},
			{ARG_COUNT, "nan", 0},
			{ARG_COUNT, "99999999999999999999", 0},
			{ARG_SIZE, "1kb", 0},
			{ARG_DURATION, "5", 0},
			{ARG_DURATION, "5 ms", 0},
			{ARG_DURATION, "5x", 0},
			{ARG_DURATION, "1e30s", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t value = 77;

		assert_int_equal(args_value(rows[i].type, rows[i].text, &value), -EINVAL);
		assert_int_equal(value, 77);
	}
}

static void
args_value_narrow_types_know_their_range(void **state)
{
	struct {
		uint32_t value, guard;
	} wide = {1, 99};
	struct {
		uint16_t value, guard;
	} narrow = {1, 99};

	assert_int_equal(args_value(ARG_U32, "4294967295", &wide.value), 0);
	assert_int_equal(wide.value, UINT32_MAX);
	assert_int_equal(args_value(ARG_U32, "4294967296", &wide.value), -EINVAL);
	assert_int_equal(args_value(ARG_PERCENT, "12.5%", &wide.value), 0);
	assert_int_equal(wide.value, 125000);
	assert_int_equal(args_value(ARG_PERCENT, "100", &wide.value), 0);
	assert_int_equal(args_value(ARG_PERCENT, "100.1", &wide.value), -EINVAL);
	assert_int_equal(wide.guard, 99);
	assert_int_equal(args_value(ARG_U16, "65535", &narrow.value), 0);
	assert_int_equal(args_value(ARG_U16, "65536", &narrow.value), -EINVAL);
	assert_int_equal(args_value(ARG_PORT, "7", &narrow.value), 0);
	assert_int_equal(narrow.value, 7);
	assert_int_equal(args_value(ARG_PORT, "0", &narrow.value), -EINVAL);
	assert_int_equal(args_value(ARG_PORT, "1k", &narrow.value), -EINVAL);
	assert_int_equal(narrow.guard, 99);
}

static void
args_value_addresses(void **state)
{
	struct pmtcp_addr addr;
	struct args_subnet range;
	struct args_subnet subnet;
	char text[ARGS_ADDR_TEXT];
	struct args_gateway hop = {.ip4 = 0};

	assert_int_equal(args_value(ARG_ADDR, "198.18.0.2:80", &addr), 0);
	assert_int_equal(addr.version, 4);
	assert_int_equal(addr.ip4, PMTCP_IP4(198u, 18, 0, 2));
	assert_int_equal(addr.port, 80);
	assert_string_equal(args_addr_text(&addr, text), "198.18.0.2:80");
	addr = pmtcp_addr4(UINT32_MAX, UINT16_MAX);
	assert_string_equal(args_addr_text(&addr, text), "255.255.255.255:65535");
	assert_int_equal(args_value(ARG_ADDR, "198.18.0.2", &addr), -EINVAL);
	assert_int_equal(args_value(ARG_ADDR, "198.18.0:80", &addr), -EINVAL);
	assert_int_equal(args_value(ARG_ADDR, "198.18.0.2:0", &addr), -EINVAL);
	assert_int_equal(args_value(ARG_GATEWAY, "10.0.0.1", &hop), 0);
	assert_int_equal(hop.ip4, PMTCP_IP4(10, 0, 0, 1));

	assert_int_equal(args_value(ARG_RANGE, "10.0.0.1-10.0.1.5", &range), 0);
	assert_int_equal(range.range.first, PMTCP_IP4(10, 0, 0, 1));
	assert_int_equal(range.range.last, PMTCP_IP4(10, 0, 1, 5));
	assert_int_equal(args_value(ARG_RANGE, "10.0.0.7", &range), 0);
	assert_int_equal(range.range.last, PMTCP_IP4(10, 0, 0, 7));
	assert_int_equal(args_value(ARG_RANGE, "10.0.0.7-10.0.0.6", &range), -EINVAL);

	assert_int_equal(args_value(ARG_SUBNET, "10.0.0.1-10.0.1.5/23", &subnet), 0);
	assert_int_equal(subnet.prefix_len, 23);
	assert_int_equal(args_value(ARG_SUBNET, "10.0.0.1", &subnet), 0);
	assert_int_equal(subnet.prefix_len, 24);
	assert_int_equal(args_value(ARG_SUBNET, "10.0.0.1-10.0.1.5/24", &subnet), -EINVAL);
	assert_int_equal(args_value(ARG_SUBNET, "10.0.0.1/31", &subnet), -EINVAL);
	assert_int_equal(args_value(ARG_SUBNET, "10.0.0.1/0", &subnet), -EINVAL);
}

static void
args_value_ip6_addresses(void **state)
{
	const struct pmtcp_addr two = {.version = 6, .ip6 = {0x20, 1, 0xd, 0xb8, [15] = 2}};
	const struct pmtcp_addr far = {.version = 6, .ip6 = {0x20, 1, 0xd, 0xb8, [7] = 1}};
	struct args_gateway hop = {.ip4 = 5};
	struct args_subnet subnet;
	struct pmtcp_addr addr;
	char text[ARGS_ADDR_TEXT];

	assert_int_equal(args_value(ARG_ADDR, "[2001:db8::2]:80", &addr), 0);
	assert_int_equal(addr.version, 6);
	assert_memory_equal(addr.ip6, two.ip6, 16);
	assert_int_equal(addr.port, 80);
	assert_string_equal(args_addr_text(&addr, text), "[2001:db8::2]:80");
	assert_string_equal(args_ip_text(&addr, text), "2001:db8::2");
	memset(addr.ip6, 0xff, 16);
	addr.port = UINT16_MAX;
	assert_string_equal(args_addr_text(&addr, text),
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
	assert_int_equal(args_value(ARG_ADDR, "2001:db8::2:80", &addr), -EINVAL);
	assert_int_equal(args_value(ARG_ADDR, "[2001:db8::2]", &addr), -EINVAL);
	assert_int_equal(args_value(ARG_ADDR, "[198.18.0.2]:80", &addr), -EINVAL);
	assert_int_equal(args_value(ARG_ADDR, "[]:80", &addr), -EINVAL);
	assert_int_equal(args_value(ARG_ADDR, "[:80", &addr), -EINVAL);
	assert_int_equal(args_value(ARG_ADDR, ":80", &addr), -EINVAL);
	assert_int_equal(args_value(ARG_ADDR, "[fe80::1%lo]:80", &addr), -EINVAL);

	assert_int_equal(args_value(ARG_GATEWAY, "2001:db8::2", &hop), 0);
	assert_memory_equal(hop.ip6, two.ip6, 16);
	assert_int_equal(hop.ip4, 5); /* one of each version */

	assert_int_equal(args_value(ARG_SUBNET, "2001:db8::2-2001:db8::1:9/64", &subnet), 0);
	assert_int_equal(subnet.version, 6);
	assert_int_equal(subnet.prefix_len, 64);
	assert_int_equal(subnet.range.first, 2);
	assert_int_equal(subnet.range.last, 0x10009);
	assert_memory_equal(subnet.high, two.ip6, 12);
	assert_true(args_subnet_has(&subnet, &two));
	assert_false(args_subnet_has(&subnet, &far));
	addr = args_subnet_addr(&subnet, 2, 7);
	assert_memory_equal(addr.ip6, two.ip6, 16);
	assert_int_equal(addr.port, 7);
	assert_int_equal(args_value(ARG_SUBNET, "2001:db8::2", &subnet), 0);
	assert_int_equal(subnet.prefix_len, 64);
	assert_int_equal(args_value(ARG_SUBNET, "2001:db8::2/127", &subnet), -EINVAL);
	assert_int_equal(args_value(ARG_SUBNET, "2001:db8::2/0", &subnet), -EINVAL);
	assert_int_equal(args_value(ARG_SUBNET, "2001:db8::2-2001:db8::7/126", &subnet), -EINVAL);
	assert_int_equal(args_value(ARG_RANGE, "2001:db8::2-2001:db8:1::2", &subnet), -EINVAL);
	assert_int_equal(args_value(ARG_RANGE, "2001:db8::2-198.18.0.1", &subnet), -EINVAL);
}

static void
args_value_lists_of_subnets(void **state)
{
	static const struct args_gateway hop = {.ip4 = 9, .ip6 = {[15] = 9}};
	struct args_subnets list = {.n = 0};
	struct pmtcp_conf conf = {.mtu = 0};

	assert_int_equal(args_value(ARG_SUBNETS, "10.0.0.1,2001:db8::1/48", &list), 0);
	assert_int_equal(args_value(ARG_SUBNETS, "10.0.0.4-10.0.0.9", &list), 0);
	assert_int_equal(list.n, 3);
	assert_int_equal(args_value(ARG_SUBNETS, "10.0.1.4", &list), -EINVAL); /* not one subnet */
	assert_int_equal(args_value(ARG_SUBNETS, "10.0.0.4/25", &list), -EINVAL);
	assert_int_equal(args_value(ARG_SUBNETS, "2001:db8:1::1/48", &list), -EINVAL);
	assert_int_equal(args_value(ARG_SUBNETS, "", &list), -EINVAL);
	assert_int_equal(args_value(ARG_SUBNETS, "10.0.0.10,x", &list), -EINVAL);
	assert_int_equal(list.n, 3);
	args_conf(&list, &hop, &conf);
	assert_int_equal(conf.n_ranges, 2);
	assert_int_equal(conf.prefix_len, 24);
	assert_int_equal(conf.ranges[1].last, PMTCP_IP4(10, 0, 0, 9));
	assert_int_equal(conf.n_ranges6, 1);
	assert_int_equal(conf.prefix6_len, 48);
	assert_int_equal(conf.ranges6[0].last[15], 1);
	assert_int_equal(conf.gateway, 9);
	assert_int_equal(conf.gateway6[15], 9);
	for (int i = 0; i < 5; i++)
		assert_int_equal(args_value(ARG_SUBNETS, "10.0.0.20", &list), 0);
	assert_int_equal(args_value(ARG_SUBNETS, "10.0.0.20", &list), -EINVAL); /* full */
}

static void
args_value_choices(void **state)
{
	uint8_t ecn = 77, cookies = 77, cc = 0, reuse = 9, preset = 9;

	assert_int_equal(args_value(ARG_ECN, "off", &ecn), 0);
	assert_int_equal(ecn, PMTCP_ECN_OFF);
	assert_int_equal(args_value(ARG_ECN, "accept", &ecn), 0);
	assert_int_equal(ecn, PMTCP_ECN_ACCEPT);
	assert_int_equal(args_value(ARG_ECN, "offer", &ecn), 0);
	assert_int_equal(ecn, PMTCP_ECN_OFFER);
	assert_int_equal(args_value(ARG_ECN, "on", &ecn), -EINVAL);
	assert_int_equal(args_value(ARG_ECN, "", &ecn), -EINVAL);
	assert_int_equal(ecn, PMTCP_ECN_OFFER);
	assert_int_equal(args_value(ARG_COOKIES, "auto", &cookies), 0);
	assert_int_equal(cookies, PMTCP_COOKIES_AUTO);
	assert_int_equal(args_value(ARG_COOKIES, "always", &cookies), 0);
	assert_int_equal(cookies, PMTCP_COOKIES_ALWAYS);
	assert_int_equal(args_value(ARG_COOKIES, "off", &cookies), 0);
	assert_int_equal(cookies, PMTCP_COOKIES_OFF);
	assert_int_equal(args_value(ARG_COOKIES, "never", &cookies), -EINVAL);
	assert_int_equal(args_value(ARG_CC, "cubic", &cc), 0);
	assert_int_equal(cc, PMTCP_CC_CUBIC);
	assert_int_equal(args_value(ARG_CC, "newreno", &cc), 0);
	assert_int_equal(cc, PMTCP_CC_NEWRENO);
	assert_int_equal(args_value(ARG_CC, "", &cc), -EINVAL);
	assert_int_equal(args_value(ARG_REUSE, "force", &reuse), 0);
	assert_int_equal(reuse, PMTCP_TW_REUSE_FORCE);
	assert_int_equal(args_value(ARG_REUSE, "safe", &reuse), 0);
	assert_int_equal(reuse, PMTCP_TW_REUSE_SAFE);
	assert_int_equal(args_value(ARG_REUSE, "off", &reuse), 0);
	assert_int_equal(reuse, PMTCP_TW_REUSE_OFF);
	assert_int_equal(args_value(ARG_REUSE, "on", &reuse), -EINVAL);
	assert_int_equal(args_value(ARG_PRESET, "rfc", &preset), 0);
	assert_int_equal(preset, ARGS_PRESET_RFC);
	assert_int_equal(args_value(ARG_PRESET, "default", &preset), 0);
	assert_int_equal(preset, ARGS_PRESET_DEFAULT);
	assert_int_equal(args_value(ARG_PRESET, "linux", &preset), -EINVAL);
}

static void
args_value_capture_file_and_number(void **state)
{
	struct args_capture capture;

	assert_int_equal(args_value(ARG_CAPTURE, "/tmp/x.pcap", &capture), 0);
	assert_string_equal(capture.file, "/tmp/x.pcap");
	assert_int_equal(capture.packets, 0);
	assert_int_equal(args_value(ARG_CAPTURE, "x,10k", &capture), 0);
	assert_string_equal(capture.file, "x");
	assert_int_equal(capture.packets, 10000);
	assert_int_equal(args_value(ARG_CAPTURE, "", &capture), -EINVAL);
	assert_int_equal(args_value(ARG_CAPTURE, ",5", &capture), -EINVAL);
	assert_int_equal(args_value(ARG_CAPTURE, "x,0", &capture), -EINVAL);
	assert_int_equal(args_value(ARG_CAPTURE, "x,y", &capture), -EINVAL);
}

/* Runs args_parse() in a child; returns its exit code, 99 if it came back, and what it
 * wrote. */
static int
parse_in_child(char **argv, char *text, size_t size)
{
	uint64_t time_ns = 5;
	bool is_fast = false;
	struct args_subnets ip = {.n = 0};
	const struct arg table[] = {
			{"time", 't', ARG_DURATION, &time_ns, "how long (5ns)"},
			{"fast", 0, ARG_FLAG, &is_fast, "hurry (no)"},
			{"ip", 0, ARG_SUBNETS, &ip, "addresses (10.0.0.1)"},
	};
	const struct args args = {"prog", "tests", table, 3};
	int argc = 0, status, fds[2];
	ssize_t len;
	pid_t pid;

	while (argv[argc] != NULL)
		argc++;
	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		args_value(ARG_SUBNETS, "10.0.0.1", &ip);
		args_parse(&args, argc, argv);
		printf("time=%llu fast=%d ip=%u", (unsigned long long)time_ns, is_fast, ip.n);
		fflush(stdout);
		_exit(99);
	}
	close(fds[1]);
	len = read(fds[0], text, size - 1);
	close(fds[0]);
	text[len > 0 ? len : 0] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
args_parse_command_lines(void **state)
{
	static const struct {
		char *argv[6];
		int code;
		const char *says;
	} rows[] = {
			{{"prog"}, 99, "time=5 fast=0"},
			{{"prog", "--time", "2us", "--fast"}, 99, "time=2000 fast=1"},
			{{"prog", "--time=2us"}, 99, "time=2000 fast=0"},
			{{"prog", "-t", "1ms"}, 99, "time=1000000 fast=0"},
			{{"prog", "--fast"}, 99, "time=5 fast=1 ip=1"}, /* the default */
			{{"prog", "--ip", "::1,::2", "--ip", "::3"}, 99, "time=5 fast=0 ip=3"},
			{{"prog", "--help"}, 0, "--time TIME"},
			{{"prog", "-h"}, 0, "how long (5ns)"},
			{{"prog", "--time", "2"}, ARGS_EXIT_CODE,
					"prog: --time takes a duration with its unit such as 10us, "
					"5ms, 1s, 2m, 1h, not \"2\"\n"},
			{{"prog", "-t", "x"}, ARGS_EXIT_CODE, "prog: --time takes"},
			{{"prog", "--time"}, ARGS_EXIT_CODE, "prog: --time needs a value; "},
			{{"prog", "--slow"}, ARGS_EXIT_CODE,
					"prog: --slow is not an option here; prog --help lists "},
			{{"prog", "word"}, ARGS_EXIT_CODE, "prog: word is not an option; "},
	};
	char text[4096];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int code = parse_in_child((char **)(uintptr_t)rows[i].argv, text, sizeof(text));

		assert_int_equal(code, rows[i].code);
		assert_non_null(strstr(text, rows[i].says));
		if (code == ARGS_EXIT_CODE) /* one line */
			assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(args_value_numbers_have_units),
			cmocka_unit_test(args_value_wrong_numbers_are_refused),
			cmocka_unit_test(args_value_narrow_types_know_their_range),
			cmocka_unit_test(args_value_addresses),
			cmocka_unit_test(args_value_ip6_addresses),
			cmocka_unit_test(args_value_lists_of_subnets),
			cmocka_unit_test(args_value_choices),
			cmocka_unit_test(args_value_capture_file_and_number),
			cmocka_unit_test(args_parse_command_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
