/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* VLAN tags in frames and beside them. */

#include "wire/wire_vlan.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#include "base/base.h"
#include "wire/wire_cksum.h"
#include "wire/wire_emit.h"

enum {
	MACS_LEN = 2 * RTE_ETHER_ADDR_LEN,
	VID_MASK = 0x0fff,
};

static bool
is_tag_type(uint16_t ether_type)
{
	return ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
	       ether_type == RTE_BE16(RTE_ETHER_TYPE_QINQ);
}

/* EtherType at this offset, 0 if the frame ends before. */
static uint16_t
type_at(const struct rte_mbuf *m, uint32_t off)
{
	uint16_t copy;
	const void *p = rte_pktmbuf_read(m, off, sizeof(copy), &copy);

	return p ? wire_load16(p) : 0;
}

static int
take_stripped(struct rte_mbuf *m)
{
	const uint64_t qinq = RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED;

	if ((m->ol_flags & qinq) || is_tag_type(type_at(m, MACS_LEN)))
		return WIRE_VLAN_BAD;
	m->ol_flags &= ~(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED);
	return m->vlan_tci & VID_MASK;
}

/* Into a clone, or a buffer that others hold, too, must not be written. */
static bool
is_writable(const struct rte_mbuf *m)
{
	return RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1 &&
	       m->data_len >= WIRE_ETH_LEN + WIRE_VLAN_LEN;
}

int
wire_vlan_take(struct rte_mbuf *m, bool is_stripping)
{
	uint16_t type = type_at(m, MACS_LEN);
	uint8_t *p;
	int vid;

	if (is_stripping && (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED))
		return take_stripped(m);
	if (!is_tag_type(type))
		return WIRE_VLAN_NONE;
	/* W-3: a service tag, or a second one, is nobody's business here. */
	if (type != RTE_BE16(RTE_ETHER_TYPE_VLAN) || !is_writable(m) ||
			is_tag_type(type_at(m, MACS_LEN + WIRE_VLAN_LEN)))
		return WIRE_VLAN_BAD;
	p = rte_pktmbuf_mtod(m, uint8_t *);
	vid = rte_be_to_cpu_16(wire_load16(p + MACS_LEN + 2)) & VID_MASK;
	memmove(p + WIRE_VLAN_LEN, p, MACS_LEN);
	rte_pktmbuf_adj(m, WIRE_VLAN_LEN);
	return vid;
}

bool
wire_vlan_put(struct rte_mbuf *m, uint16_t vid)
{
	const uint16_t tag[2] = {RTE_BE16(RTE_ETHER_TYPE_VLAN), rte_cpu_to_be_16(vid)};
	char *p = rte_pktmbuf_prepend(m, WIRE_VLAN_LEN);

	if (!p)
		return false;
	memmove(p, p + WIRE_VLAN_LEN, MACS_LEN);
	memcpy(p + MACS_LEN, tag, sizeof(tag));
	/* A device that sums finds the IP header by this. */
	if (m->ol_flags & (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK))
		m->l2_len += WIRE_VLAN_LEN;
	return true;
}
