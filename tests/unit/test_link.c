/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: every link word is taken or refused as documented, becomes the EAL argument it
 * should, and the self-check finds what it is for (W-35). Method: tables; the kernel's
 * own loopback interface as the address that must not be used. */

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

#include <net/if.h>

#include <rte_ip.h>

#include "common/link_check.h"
#include "common/link_word.h"

static char problem[LINK_TEXT_MAX];
static char device[LINK_TEXT_MAX];

static void
link_word_good_words_become_devices(void **state)
{
	static const struct {
		const char *word;
		enum link_kind kind;
		const char *device; /* how it begins */
		const char *ethdev;
	} rows[] = {
			{"ring", LINK_RING, "", NULL},
			{"memif:server:/run/x.sock", LINK_MEMIF,
					"--vdev=net_memif0,role=server,socket=/run/x.sock,",
					"net_memif0"},
			{"memif:client:x.sock", LINK_MEMIF,
					"--vdev=net_memif0,role=client,socket=x.sock,",
					"net_memif0"},
			{"tap:pm0", LINK_TAP, "--vdev=net_tap0,iface=pm0", "net_tap0"},
			{"tap:pm0,queues=2", LINK_TAP, "--vdev=net_tap0,iface=pm0", "net_tap0"},
			{"af_packet:eth0", LINK_AF_PACKET,
					"--vdev=net_af_packet0,iface=eth0,qpairs=1,",
					"net_af_packet0"},
			{"af_packet:eth0,queues=4", LINK_AF_PACKET,
					"--vdev=net_af_packet0,iface=eth0,qpairs=4,",
					"net_af_packet0"},
			{"af_xdp:eth0,queues=2", LINK_AF_XDP,
					"--vdev=net_af_xdp0,iface=eth0,start_queue=0,queue_count=2",
					"net_af_xdp0"},
			{"pci:0000:01:00.0", LINK_PCI, "--allow=0000:01:00.0", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct link_word word;

		assert_int_equal(link_word_parse(rows[i].word, &word, problem), 0);
		assert_int_equal(word.kind, rows[i].kind);
		link_word_device(&word, device, sizeof(device));
		assert_memory_equal(device, rows[i].device, strlen(rows[i].device));
		if (rows[i].ethdev == NULL)
			assert_null(link_word_ethdev(&word));
		else
			assert_string_equal(link_word_ethdev(&word), rows[i].ethdev);
		assert_false(word.kind != LINK_MEMIF && word.is_server);
	}
}

static void
link_word_bad_words_are_refused_with_what_is_right(void **state)
{
	static const struct {
		const char *word;
		const char *says; /* somewhere in the message */
	} rows[] = {
			{"", "is none of ring"},
			{"wire", "is none of ring"},
			{"rings", "is none of ring"},
			{"rin", "is none of ring"},
			{"ring:x", "ring[,queues=N][,loss=P%]"},
			{"ring,loss", "ring[,queues=N][,loss=P%]"},
			{"ring,loss=101%", "ring[,queues=N][,loss=P%]"},
			{"ring,loss=-1", "ring[,queues=N][,loss=P%]"},
			{"ring,loss=nan", "ring[,queues=N][,loss=P%]"},
			{"ring,delay=5kg", "ring[,queues=N][,loss=P%]"},
			{"ring,speed=1", "ring[,queues=N][,loss=P%]"},
			{"ring,queues=17", "ring[,queues=N]"},
			{"memif:client:x,queues=2", "memif:server:SOCKET"},
			{"ring,wrong=101%", "[,wrong=P%]"},
			{"tap", "tap:IFNAME"},
			{"tap:", "tap:IFNAME"},
			{"tap:sixteen-letters-", "tap:IFNAME"},
			{"tap:a b", "tap:IFNAME"},
			{"tap:x,loss=1x", "tap:IFNAME"},
			{"tap:x,vlan=0", "[,vlan=VID]"},
			{"ring,vlan=4095", "[,vlan=VID]"},
			{"pci:0000:01:00.0,vlan=", "[,vlan=VID]"},
			{"tap:x,kernel=2001:db8::1", "tap:IFNAME[,kernel=IP/LEN]"},
			{"tap:x,queues=0", "tap:IFNAME"},
			{"tap:x,kernel=10.0.0.1", "tap:IFNAME[,kernel=IP/LEN]"},
			{"tap:x,kernel=10.0.0.1-10.0.0.2/24", "tap:IFNAME[,kernel=IP/LEN]"},
			{"ring,kernel=10.0.0.1/24", "ring[,queues=N][,loss=P%]"},
			{"memif:x.sock", "memif:server:SOCKET or memif:client:SOCKET"},
			{"memif:server:", "memif:server:SOCKET"},
			{"af_packet:eth0,queues=0", "af_packet:IFNAME[,queues=N]"},
			{"af_packet:eth0,queues=17", "af_packet:IFNAME[,queues=N]"},
			{"af_packet", "af_packet:IFNAME[,queues=N]"},
			{"pci", "pci:ADDR"},
	};
	struct link_word word;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(link_word_parse(rows[i].word, &word, problem), -EINVAL);
		assert_non_null(strstr(problem, rows[i].says));
	}
}

static void
link_word_of_any_length_stays_in_bounds(void **state)
{
	char text[4 * LINK_TEXT_MAX];
	struct link_word word;

	for (size_t len = 1; len < sizeof(text); len++) {
		memset(text, 'x', len);
		text[len] = '\0';
		memcpy(text, "memif:client:", len < 13 ? len : 13);
		assert_int_equal(link_word_parse(text, &word, problem),
				len > 13 && len - 13 < LINK_NAME_MAX ? 0 : -EINVAL);
		assert_true(strlen(problem) < LINK_TEXT_MAX);
	}
}

static void
link_word_tap_kernel_address(void **state)
{
	struct link_word word;

	assert_int_equal(link_word_parse("tap:pm0,kernel=198.18.0.1/20", &word, problem), 0);
	assert_string_equal(word.name, "pm0");
	assert_int_equal(word.kernel.range.first, PMTCP_IP4(198u, 18, 0, 1));
	assert_int_equal(word.kernel.prefix_len, 20);
	link_word_device(&word, device, sizeof(device));
	assert_string_equal(device, "--vdev=net_tap0,iface=pm0");
	assert_int_equal(link_word_parse("tap:pm0", &word, problem), 0);
	assert_int_equal(word.kernel.version, 0);
	assert_int_equal(link_word_parse("tap:pm0,kernel=2001:db8::1/64", &word, problem), 0);
	assert_int_equal(word.kernel.version, 6);
	assert_int_equal(word.kernel.range.first, 1);
}

/* Faults and the VLAN are ours, not the device's: no device is told of them. */
static void
link_word_faults_and_vlan_on_any_device(void **state)
{
	static const char *const rows[][2] = {
			{"tap:pm0,loss=2%,vlan=7", "--vdev=net_tap0,iface=pm0"},
			{"memif:client:x,vlan=7,loss=2%",
					"--vdev=net_memif0,role=client,socket=x,"},
			{"af_packet:eth0,queues=2,loss=2%,vlan=7",
					"--vdev=net_af_packet0,iface=eth0,qpairs=2,"},
			{"ring,loss=2%,vlan=7", ""},
			{"pci:0000:01:00.0,vlan=7,loss=2%", "--allow=0000:01:00.0"},
	};
	struct link_word word;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(link_word_parse(rows[i][0], &word, problem), 0);
		assert_int_equal(word.faults.loss_ppm, 20000);
		assert_int_equal(word.vlan, 7);
		link_word_device(&word, device, sizeof(device));
		assert_memory_equal(device, rows[i][1], strlen(rows[i][1]));
	}
	assert_int_equal(link_word_parse("ring,vlan=4094", &word, problem), 0);
	assert_int_equal(word.vlan, 4094);
}

/* Unset: as many queues as workers, which the word does not know. */
static void
link_word_queues_and_wrong_ones(void **state)
{
	struct link_word word;

	assert_int_equal(link_word_parse("ring", &word, problem), 0);
	assert_int_equal(word.queues, 0);
	assert_int_equal(word.wrong_permille, 0);
	assert_int_equal(link_word_parse("ring,queues=16,wrong=100%", &word, problem), 0);
	assert_int_equal(word.queues, 16);
	assert_int_equal(word.wrong_permille, 1000);
	assert_int_equal(link_word_parse("tap:x,wrong=50%,queues=1", &word, problem), 0);
	assert_int_equal(word.queues, 1);
	assert_int_equal(word.wrong_permille, 500);
}

static void
link_word_ring_faults_have_units(void **state)
{
	struct link_word word;

	assert_int_equal(link_word_parse("ring,loss=0.5%,dup=1,reorder=2.25%,corrupt=0.0001%,"
					 "delay=3ms,seed=42",
					 &word, problem),
			0);
	assert_int_equal(word.faults.loss_ppm, 5000);
	assert_int_equal(word.faults.dup_ppm, 10000);
	assert_int_equal(word.faults.reorder_ppm, 22500);
	assert_int_equal(word.faults.corrupt_ppm, 1);
	assert_int_equal(word.faults.delay_us, 3000);
	assert_int_equal(word.faults.seed, 42);
	assert_int_equal(link_word_parse("ring,delay=250", &word, problem), 0);
	assert_int_equal(word.faults.delay_us, 250); /* bare: microseconds */
	assert_int_equal(word.faults.loss_ppm, 0);
}

static void
w_35_address_of_the_kernel_is_found(void **state)
{
	const struct pmtcp_range loopback = {PMTCP_IP4(127u, 0, 0, 0), PMTCP_IP4(127u, 0, 0, 9)};
	const struct pmtcp_range beside = {PMTCP_IP4(127u, 0, 0, 2), PMTCP_IP4(127u, 0, 0, 9)};
	char name[IFNAMSIZ] = "";

	/* In a network namespace of its own the loopback may have no address yet. */
	if (link_check_address(&loopback, name) == 0)
		skip();
	assert_int_equal(link_check_address(&loopback, name), PMTCP_IP4(127u, 0, 0, 1));
	assert_string_equal(name, "lo");
	assert_int_equal(link_check_address(&beside, name), 0);
}

static void
w_35_ip6_address_of_the_kernel_is_found(void **state)
{
	const struct pmtcp_range6 loopback = {.last = {[15] = 9}};
	const struct pmtcp_range6 beside = {{[15] = 2}, {[15] = 9}};
	const uint8_t one[16] = {[15] = 1};
	char name[IFNAMSIZ] = "";
	uint8_t found[16];

	if (!link_check_address6(&loopback, name, found))
		skip(); /* no IPv6 here */
	assert_memory_equal(found, one, sizeof(one));
	assert_string_equal(name, "lo");
	assert_false(link_check_address6(&beside, name, found));
}

static void
w_35_offloads_are_named_as_ethtool_settings(void **state)
{
	char settings[64];

	/* Loopback computes no checksum and merges: as bad as an interface can be. */
	link_check_offloads("lo", true, settings, sizeof(settings));
	assert_non_null(strstr(settings, "tx off"));
	assert_non_null(strstr(settings, "gso off"));
	link_check_offloads("lo", false, settings, sizeof(settings));
	assert_null(strstr(settings, "gso off"));
	link_check_offloads("no-such-if", true, settings, sizeof(settings));
	assert_string_equal(settings, "");
}

static void
link_check_device_says_what_to_type(void **state)
{
	struct link_word word;

	assert_int_equal(link_word_parse("af_packet:no-such-if", &word, problem), 0);
	assert_int_equal(link_check_device(&word, problem), -ENODEV);
	assert_string_equal(problem, "there is no interface 'no-such-if'; type: ip link");
	assert_int_equal(link_word_parse("pci:ffff:ff:1f.7", &word, problem), 0);
	assert_int_equal(link_check_device(&word, problem), -ENODEV);
	assert_non_null(strstr(problem, "dpdk-devbind.py"));
	assert_int_equal(link_word_parse("memif:server:/no/such/dir/x", &word, problem), 0);
	assert_int_equal(link_check_device(&word, problem), -ENOENT);
	assert_non_null(strstr(problem, "/no/such/dir"));
	assert_int_equal(link_word_parse("memif:client:/no/such/socket", &word, problem), 0);
	assert_int_equal(link_check_device(&word, problem), -ENOENT);
	assert_non_null(strstr(problem, "memif:server:/no/such/socket first"));
	assert_int_equal(link_word_parse("ring", &word, problem), 0);
	assert_int_equal(link_check_device(&word, problem), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(link_word_good_words_become_devices),
			cmocka_unit_test(link_word_bad_words_are_refused_with_what_is_right),
			cmocka_unit_test(link_word_of_any_length_stays_in_bounds),
			cmocka_unit_test(link_word_tap_kernel_address),
			cmocka_unit_test(link_word_faults_and_vlan_on_any_device),
			cmocka_unit_test(link_word_queues_and_wrong_ones),
			cmocka_unit_test(link_word_ring_faults_have_units),
			cmocka_unit_test(w_35_address_of_the_kernel_is_found),
			cmocka_unit_test(w_35_ip6_address_of_the_kernel_is_found),
			cmocka_unit_test(w_35_offloads_are_named_as_ethtool_settings),
			cmocka_unit_test(link_check_device_says_what_to_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
