/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The grammar of link words (link.h) and its translation into EAL arguments: pure text
 * work, apart from link.c so that it can be tested without EAL. */

#ifndef PMTCP_APPS_LINK_WORD_H
#define PMTCP_APPS_LINK_WORD_H

#include <stddef.h>

#include "common/args.h"
#include "common/link.h"

enum link_kind {
	LINK_RING,
	LINK_MEMIF,
	LINK_TAP,
	LINK_AF_PACKET,
	LINK_AF_XDP,
	LINK_PCI,
};

#define LINK_NAME_MAX 108 /* of sun_path, the longest: memif sockets */
#define LINK_TEXT_MAX 512

struct link_word {
	enum link_kind kind;
	char name[LINK_NAME_MAX];  /* interface, socket or PCI address; empty for ring */
	bool is_server;            /* memif */
	struct args_subnet kernel; /* tap: the address of the kernel's end; version 0: none */
	uint16_t queues;           /* 0: as many as there are workers */
	uint16_t wrong_permille;   /* tuples of another worker than their queue's */
	uint16_t vlan;             /* 802.1Q VID; 0: none */
	struct pmtcp_faults faults;
};

/* Parses a link word. On -EINVAL, problem (LINK_TEXT_MAX octets) says in a few words
 * what is wrong and what would be right. */
int link_word_parse(const char *text, struct link_word *word, char *problem);

/* The EAL argument that makes the device, "" if none is needed (ring). */
void link_word_device(const struct link_word *word, char *arg, size_t size);

/* The ethdev name EAL gives the device; NULL: whatever comes first (pci). */
const char *link_word_ethdev(const struct link_word *word);

#endif /* PMTCP_APPS_LINK_WORD_H */
