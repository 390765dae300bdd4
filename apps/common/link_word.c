/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The grammar of link words; see link_word.h. */

#include "common/link_word.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <net/if.h>

#include "common/args.h"

/* Frames of the rings shared with the kernel: one MTU of Ethernet fits into 2 KiB, and
 * 4096 of them ride out a scheduling break of 10 ms at 400,000 frames a second. */
#define AF_PACKET_FRAME  2048
#define AF_PACKET_FRAMES 4096
#define AF_PACKET_BLOCK  65536

/* 0 and 4095 are no VLANs (802.1Q 9.6). */
#define VLAN_MAX 4094

/* What every word takes. */
#define COMMON                                                                                     \
	"[,loss=P%][,dup=P%][,reorder=P%][,corrupt=P%]"                                            \
	"[,delay=TIME][,seed=N][,vlan=VID][,wrong=P%]"

struct kind_fact {
	const char *word;
	const char *form;
	const char *ethdev;
	bool has_queues;
};

static const struct kind_fact kinds[] = {
		[LINK_RING] = {"ring", "ring[,queues=N]" COMMON, NULL, true},
		[LINK_MEMIF] = {"memif",
				"memif:server:SOCKET or memif:client:SOCKET, behind it " COMMON,
				"net_memif0", false},
		[LINK_TAP] = {"tap", "tap:IFNAME[,kernel=IP/LEN][,queues=N]" COMMON, "net_tap0",
				true},
		[LINK_AF_PACKET] = {"af_packet", "af_packet:IFNAME[,queues=N]" COMMON,
				"net_af_packet0", true},
		[LINK_AF_XDP] = {"af_xdp", "af_xdp:IFNAME[,queues=N]" COMMON, "net_af_xdp0", true},
		[LINK_PCI] = {"pci", "pci:ADDR[,queues=N]" COMMON, NULL, true},
};

static int
wrong(char *problem, const char *text, const struct kind_fact *fact)
{
	char shown[LINK_NAME_MAX];

	snprintf(shown, sizeof(shown), "%.100s", text);
	if (fact == NULL)
		snprintf(problem, LINK_TEXT_MAX, "\"%s\" is none of %s", shown, LINK_WORDS);
	else
		snprintf(problem, LINK_TEXT_MAX, "\"%s\" is not of the form %s", shown, fact->form);
	return -EINVAL;
}

/* One address, and always with its length: there is nothing to guess it from. */
static int
parse_kernel(const char *value, struct args_subnet *kernel)
{
	if (strchr(value, '/') == NULL || args_value(ARG_SUBNET, value, kernel) != 0)
		return -EINVAL;
	return kernel->range.first == kernel->range.last ? 0 : -EINVAL;
}

static int
parse_fault(const char *key, const char *value, struct pmtcp_faults *f)
{
	uint64_t number;

	if (strcmp(key, "loss") == 0)
		return args_value(ARG_PERCENT, value, &f->loss_ppm);
	if (strcmp(key, "dup") == 0)
		return args_value(ARG_PERCENT, value, &f->dup_ppm);
	if (strcmp(key, "reorder") == 0)
		return args_value(ARG_PERCENT, value, &f->reorder_ppm);
	if (strcmp(key, "corrupt") == 0)
		return args_value(ARG_PERCENT, value, &f->corrupt_ppm);
	if (strcmp(key, "seed") == 0)
		return args_value(ARG_COUNT, value, &f->seed);
	if (strcmp(key, "delay") != 0)
		return -EINVAL;
	/* A bare number is microseconds here. */
	if (value[0] != '\0' && strspn(value, "0123456789") == strlen(value))
		return args_value(ARG_U32, value, &f->delay_us);
	if (args_value(ARG_DURATION, value, &number) != 0 || number / 1000 > UINT32_MAX)
		return -EINVAL;
	f->delay_us = (uint32_t)(number / 1000);
	return 0;
}

/* One key=value behind a comma. */
static int
parse_setting(const struct kind_fact *fact, const char *key, const char *value,
		struct link_word *word)
{
	uint64_t number;
	uint32_t ppm;

	if (fact->has_queues && strcmp(key, "queues") == 0) {
		if (args_value(ARG_COUNT, value, &number) != 0 || number == 0 || number > 16)
			return -EINVAL;
		word->queues = (uint16_t)number;
		return 0;
	}
	if (word->kind == LINK_TAP && strcmp(key, "kernel") == 0)
		return parse_kernel(value, &word->kernel);
	if (strcmp(key, "vlan") == 0) {
		if (args_value(ARG_COUNT, value, &number) != 0 || number == 0 || number > VLAN_MAX)
			return -EINVAL;
		word->vlan = (uint16_t)number;
		return 0;
	}
	if (strcmp(key, "wrong") == 0) {
		if (args_value(ARG_PERCENT, value, &ppm) != 0)
			return -EINVAL;
		word->wrong_permille = (uint16_t)(ppm / 1000);
		return 0;
	}
	return parse_fault(key, value, &word->faults);
}

static int
parse_settings(const struct kind_fact *fact, char *list, struct link_word *word)
{
	char *rest = NULL;

	for (char *item = strtok_r(list, ",", &rest); item != NULL;
			item = strtok_r(NULL, ",", &rest)) {
		char *value = strchr(item, '=');

		if (value == NULL)
			return -EINVAL;
		*value++ = '\0';
		if (parse_setting(fact, item, value, word) != 0)
			return -EINVAL;
	}
	return 0;
}

/* What stands behind the first colon. */
static int
parse_name(char *name, struct link_word *word)
{
	size_t max = LINK_NAME_MAX;

	if (word->kind == LINK_RING)
		return name == NULL ? 0 : -EINVAL;
	if (name == NULL)
		return -EINVAL;
	if (word->kind == LINK_MEMIF) {
		word->is_server = strncmp(name, "server:", 7) == 0;
		if (!word->is_server && strncmp(name, "client:", 7) != 0)
			return -EINVAL;
		name += 7;
	} else if (word->kind != LINK_PCI) {
		max = IFNAMSIZ;
	}
	if (name[0] == '\0' || strlen(name) >= max || strpbrk(name, ", ") != NULL)
		return -EINVAL;
	strcpy(word->name, name);
	return 0;
}

int
link_word_parse(const char *text, struct link_word *word, char *problem)
{
	char copy[LINK_TEXT_MAX];
	const struct kind_fact *fact = NULL;
	size_t head = strcspn(text, ":,");
	char *name = NULL, *settings;

	memset(word, 0, sizeof(*word));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].word) != head || strncmp(kinds[i].word, text, head) != 0)
			continue;
		fact = &kinds[i];
		word->kind = (enum link_kind)i;
	}
	if (fact == NULL || strlen(text) >= sizeof(copy))
		return wrong(problem, text, fact);
	strcpy(copy, text + head);
	settings = strchr(copy, ',');
	if (settings != NULL)
		*settings++ = '\0';
	if (copy[0] == ':')
		name = copy + 1;
	if (parse_name(name, word) != 0)
		return wrong(problem, text, fact);
	if (settings != NULL && parse_settings(fact, settings, word) != 0)
		return wrong(problem, text, fact);
	return 0;
}

void
link_word_device(const struct link_word *word, char *arg, size_t size)
{
	unsigned int queues = word->queues == 0 ? 1 : word->queues;

	switch (word->kind) {
	case LINK_RING: /* made from two rings once EAL is up */
		snprintf(arg, size, "%s", "");
		break;
	case LINK_MEMIF:
		snprintf(arg, size,
				"--vdev=net_memif0,role=%s,socket=%s,socket-abstract=no,rsize=11",
				word->is_server ? "server" : "client", word->name);
		break;
	case LINK_TAP:
		snprintf(arg, size, "--vdev=net_tap0,iface=%s", word->name);
		break;
	case LINK_AF_PACKET:
		snprintf(arg, size,
				"--vdev=net_af_packet0,iface=%s,qpairs=%u,blocksz=%u,framesz=%u,"
				"framecnt=%u,qdisc_bypass=1",
				word->name, queues, AF_PACKET_BLOCK, AF_PACKET_FRAME,
				AF_PACKET_FRAMES);
		break;
	case LINK_AF_XDP:
		snprintf(arg, size, "--vdev=net_af_xdp0,iface=%s,start_queue=0,queue_count=%u",
				word->name, queues);
		break;
	case LINK_PCI:
		snprintf(arg, size, "--allow=%s", word->name);
		break;
	}
}

const char *
link_word_ethdev(const struct link_word *word)
{
	return kinds[word->kind].ethdev;
}
