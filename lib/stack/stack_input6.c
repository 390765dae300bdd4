/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* IPv6 packets on their way in: who may send what to whom (W-2, W-13 to W-15). */

#include "stack/stack.h"

#include <string.h>

#include "wire/wire_nd.h"

enum { IP6_SRC = 8, IP6_DST = 24 };

/* Ethernet and IPv6 header in one piece, as everything behind wants them; NULL: no room. */
static const uint8_t *
ip6_of(struct rte_mbuf *m)
{
	if (is_unlikely(m->data_len < WIRE_ETH_LEN + WIRE_IP6_LEN) &&
			(!RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) > 1 ||
					rte_pktmbuf_linearize(m) != 0))
		return NULL;
	return rte_pktmbuf_mtod_offset(m, const uint8_t *, WIRE_ETH_LEN);
}

static bool
is_to_our_mac(const struct pmtcp_ctx *s, const struct rte_mbuf *m)
{
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);

	return rte_is_same_ether_addr(&eth->dst_addr, &s->t.conf.mac);
}

enum pmtcp_counter
stack_judge6(const struct pmtcp_ctx *s, const struct seg *seg)
{
	const uint8_t *ip = ip6_of(seg->m);

	if (!ip)
		return PMTCP_C_drop_ip_trunc;
	if (!is_to_our_mac(s, seg->m))
		return PMTCP_C_drop_eth_notme;
	if (!stack_is_local6(s, ip + IP6_DST))
		return PMTCP_C_drop_ip_notme;
	if (!stack_is_remote_ok6(s, ip + IP6_SRC))
		return PMTCP_C_drop_martian;
	if (stack_is_local6(s, ip + IP6_SRC))
		return PMTCP_C_drop_land;
	return PMTCP_C_seg_taken;
}

/* Neighbours ask groups that we are in, with the group's MAC address (RFC 2464 section 7),
 * and whoever looks for an address of its own has none yet (W-2). */
static enum pmtcp_counter
judge_icmp6(const struct pmtcp_ctx *s, const struct seg *seg)
{
	const uint8_t *ip = ip6_of(seg->m);
	struct rte_ether_addr group;

	if (!ip)
		return PMTCP_C_drop_ip_trunc;
	if (ip[IP6_DST] != 0xff && !flow_addr6_is_any(ip + IP6_SRC))
		return stack_judge6(s, seg);
	wire_nd_group_mac(ip + IP6_DST, &group);
	if (!stack_is_joined6(s, ip + IP6_DST) ||
			!rte_is_same_ether_addr(
					&rte_pktmbuf_mtod(seg->m, const struct rte_ether_hdr *)
							 ->dst_addr,
					&group))
		return PMTCP_C_drop_eth_notme;
	if (stack_is_local6(s, ip + IP6_SRC))
		return PMTCP_C_drop_land;
	if (!flow_addr6_is_any(ip + IP6_SRC) && !stack_is_remote_ok6(s, ip + IP6_SRC))
		return PMTCP_C_drop_martian;
	return PMTCP_C_seg_taken;
}

void
stack_icmp6_frame(struct pmtcp_ctx *s, struct seg *seg)
{
	enum pmtcp_counter fate = judge_icmp6(s, seg);

	if (fate == PMTCP_C_seg_taken)
		icmp6_input(s, seg);
	else
		tcp_drop(&s->t, fate);
}

void
stack_problem6_frame(struct pmtcp_ctx *s, struct seg *seg, enum pmtcp_counter fate)
{
	enum pmtcp_counter other = stack_judge6(s, seg);

	if (other == PMTCP_C_seg_taken)
		icmp6_problem(s, seg, fate);
	else
		tcp_drop(&s->t, other);
}
