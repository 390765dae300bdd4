/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* One word -> open ports. A link word names a device:
 *
 *	ring[,queues=N]
 *	memif:server|client:SOCKET
 *	tap:IFNAME[,kernel=IP/LEN][,queues=N]	kernel: the address of the kernel's end
 *	af_packet:IFNAME[,queues=N]
 *	af_xdp:IFNAME[,queues=N]
 *	pci:ADDR[,queues=N]
 *
 * and behind any of them
 *
 *	[,loss=P%][,dup=P%][,reorder=P%][,corrupt=P%][,delay=TIME][,seed=N]
 *	[,vlan=VID][,wrong=P%]
 *
 * faults of what we receive (of a ring: at both ends), the 802.1Q VID of all frames,
 * and, for tests, how many tuples belong to another worker than the one whose queue their
 * frames come to (of a ring: at the second port). Without queues= there is one for each
 * worker. It is translated into EAL arguments, rte_eal_init() is called once, and the
 * ports are opened. A ring has two ports, each the other's wire; all others have
 * one. What can go wrong at start is said in one sentence on stderr that tells
 * what to type; EAL's own words are shown only with -v. Not for the core: this is
 * the applications' side of pmtcp_dpdk.h. */

#ifndef PMTCP_APPS_LINK_H
#define PMTCP_APPS_LINK_H

#include "pmtcp_dpdk.h"

#define LINK_PORTS_MAX 2

/* For usage texts. */
#define LINK_WORDS "ring | memif:ROLE:SOCKET | tap:IF | af_packet:IF | af_xdp:IF | pci:ADDR"

/* The exit code of a program whose link did not open. */
#define LINK_EXIT_CODE 2

struct link_conf {
	const char *word;    /* as above; NULL: "ring" */
	const char *eal;     /* more EAL arguments, separated by spaces; NULL: none */
	const char *program; /* the name in front of messages */
	uint32_t bufs;       /* packet buffers per worker; 0: the port's default */
	uint16_t workers;    /* of each port; 0: as many as the word has queues, else 1 */
	uint16_t mtu;        /* 0: the device's */
	bool verbose;        /* show what EAL says */
	bool telemetry;      /* EAL's telemetry socket (dpdk-telemetry.py) */
	bool no_offloads;
};

struct link {
	uint16_t n_ports; /* 1; 2 for ring */
	struct pmtcp_port *ports[LINK_PORTS_MAX];
	struct pmtcp_faults faults; /* for pmtcp_worker_opts, of a ring those of both ends */
	uint16_t vlan;              /* for pmtcp_conf; 0: none */
	const char *program;
	char kernel_if[16];   /* the interface the kernel shares with us; empty: none */
	bool kernel_forwards; /* and what it received comes to us too (af_packet, af_xdp) */
	bool is_memif;
};

/* Opens the link. Returns 0, or a negative errno after the sentence on stderr: the
 * program ends with LINK_EXIT_CODE. Once per process. */
int link_open(const struct link_conf *conf, struct link *link);

/* Closes ports, and EAL where that is safe; workers must be gone. A link that did not open is allowed. */
void link_close(struct link *link);

/* Start-up self-check against the kernel's side of the wire (W-35): none of the
 * addresses of conf may belong to the kernel, which would reset our peers' connections: that
 * is said in a sentence and -EADDRINUSE returned. Offloads of the kernel's side that
 * make frames longer than the MTU or leave checksums unfinished are worth a warning
 * line with the ethtool command. Links without a kernel side return 0. */
int link_check(const struct link *link, const struct pmtcp_conf *conf);

#endif /* PMTCP_APPS_LINK_H */
