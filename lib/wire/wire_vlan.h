/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The 802.1Q tag (W-3): taken off a received frame before it is parsed, put on a
 * finished one before it leaves, so that nothing between knows of it. */

#ifndef PMTCP_WIRE_WIRE_VLAN_H
#define PMTCP_WIRE_WIRE_VLAN_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

enum {
	WIRE_VLAN_VID_MAX = 4094, /* 4095 is reserved */
	WIRE_VLAN_NONE = -1,      /* no tag */
	WIRE_VLAN_BAD = -2,       /* two tags, cut short, or not ours to write to */
};

/* Takes the tag out of the frame, or out of the mbuf if `is_stripping` says that the
 * port has that offload on (its flags mean nothing otherwise). Returns the VID,
 * 0..4095, or one of the above with the frame as it was. Priority bits are dropped. */
int wire_vlan_take(struct rte_mbuf *m, bool is_stripping);

/* Puts a tag with this VID on the frame; false, and unchanged: no head room.
 * Caller: the first mbuf is its own to write to and holds the Ethernet header. */
bool wire_vlan_put(struct rte_mbuf *m, uint16_t vid);

#endif /* PMTCP_WIRE_WIRE_VLAN_H */
