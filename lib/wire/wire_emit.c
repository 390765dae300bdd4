/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Values to bytes. A control segment's headers are written and summed in one go. */

#include "wire/wire_emit.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>

#include "base/check.h"
#include "wire/wire_cksum.h"
#include "wire/wire_opt.h"

enum {
	IP_VERSION_IHL = 0x45,
	IP_FLAG_DF = 0x4000,
	OPT_MSS_LEN = 4,
	OPT_WSCALE_LEN = 3,
	OPT_SACK_PERM_LEN = 2,
	OPT_TS_LEN = 10,
	SACK_WITH_TS_MAX = 3, /* W-34 */
};

uint16_t
wire_addr_sum(const struct flow_key *key)
{
	return wire_cksum_fold(wire_load64(key->addrs));
}

static uint8_t
sack_blocks(const struct wire_tcp *w)
{
	if (!(w->opts & SEG_OPT_SACK))
		return 0;
	if ((w->opts & SEG_OPT_TS) && w->n_sack > SACK_WITH_TS_MAX)
		return SACK_WITH_TS_MAX;
	return w->n_sack;
}

uint8_t
wire_tcp_opts_len(const struct wire_tcp *w)
{
	uint8_t len = 0;

	if (w->opts & SEG_OPT_MSS)
		len += OPT_MSS_LEN;
	/* SACK permitted fills the two octets that the timestamp's padding would take. */
	if (w->opts & SEG_OPT_TS)
		len += 2 + OPT_TS_LEN;
	else if (w->opts & SEG_OPT_SACK_PERM)
		len += 2 + OPT_SACK_PERM_LEN;
	if (w->opts & SEG_OPT_WSCALE)
		len += 1 + OPT_WSCALE_LEN;
	if (sack_blocks(w) > 0)
		len = (uint8_t)(len + 4 + 8 * sack_blocks(w));
	return len;
}

uint16_t
wire_tcp_hdr_len(const struct wire_tcp *w)
{
	return (uint16_t)(WIRE_ETH_LEN + WIRE_IP4_LEN + WIRE_TCP_LEN + wire_tcp_opts_len(w));
}

static uint8_t *
put_be32(uint8_t *p, uint32_t value)
{
	uint32_t be = rte_cpu_to_be_32(value);

	memcpy(p, &be, 4);
	return p + 4;
}

static uint8_t *
put_sack(uint8_t *p, const struct wire_tcp *w)
{
	uint8_t n = sack_blocks(w);

	if (n == 0)
		return p;
	p = put_be32(p, (uint32_t)WIRE_OPT_NOP << 24 | WIRE_OPT_NOP << 16 | WIRE_OPT_SACK << 8 |
					(uint32_t)(2 + 8 * n));
	for (uint8_t i = 0; i < 2 * n; i++)
		p = put_be32(p, w->sack[i]);
	return p;
}

/* W-34: MSS, SACK permitted, TS, WS on a SYN, as Linux orders them; every group is a
 * multiple of four octets. */
static void
put_opts(uint8_t *p, const struct wire_tcp *w)
{
	bool has_sack_perm = w->opts & SEG_OPT_SACK_PERM;
	uint32_t lead = has_sack_perm ? WIRE_OPT_SACK_PERM << 24 | OPT_SACK_PERM_LEN << 16
				      : WIRE_OPT_NOP << 24 | WIRE_OPT_NOP << 16;

	if (w->opts & SEG_OPT_MSS)
		p = put_be32(p, (uint32_t)WIRE_OPT_MSS << 24 | OPT_MSS_LEN << 16 | w->mss);
	if (w->opts & SEG_OPT_TS) {
		p = put_be32(p, lead | WIRE_OPT_TS << 8 | OPT_TS_LEN);
		p = put_be32(p, w->tsval);
		p = put_be32(p, w->tsecr);
	} else if (has_sack_perm) {
		p = put_be32(p, (uint32_t)WIRE_OPT_NOP << 24 | WIRE_OPT_NOP << 16 |
						WIRE_OPT_SACK_PERM << 8 | OPT_SACK_PERM_LEN);
	}
	if (w->opts & SEG_OPT_WSCALE)
		p = put_be32(p, (uint32_t)WIRE_OPT_NOP << 24 | WIRE_OPT_WSCALE << 16 |
						OPT_WSCALE_LEN << 8 | w->wscale);
	put_sack(p, w);
}

static void
put_eth(uint8_t *p, const struct rte_ether_addr *dst, const struct rte_ether_addr *src)
{
	uint16_t type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);

	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	memcpy(p + 12, &type, 2);
}

/* W-11: DF, any ID will do (RFC 6864). */
static void
put_ip4(uint8_t *p, const struct wire_tcp *w, uint16_t total, bool has_offload)
{
	uint16_t head[6] = {rte_cpu_to_be_16((uint16_t)(IP_VERSION_IHL << 8 | w->dscp << 2)),
			rte_cpu_to_be_16(total), 0, rte_cpu_to_be_16(IP_FLAG_DF),
			rte_cpu_to_be_16((uint16_t)(w->ttl << 8 | IPPROTO_TCP)), 0};
	uint64_t sum = w->addr_sum;

	if (!has_offload) {
		sum += wire_load64(head) & 0xffffffff;
		sum += wire_load64(head) >> 32;
		sum += head[4];
		head[5] = (uint16_t)~wire_cksum_fold(sum);
	}
	memcpy(p, head, 12);
	memcpy(p + 12, &w->key.laddr, 4);
	memcpy(p + 16, &w->key.raddr, 4);
}

static void
put_tcp(uint8_t *p, const struct wire_tcp *w, uint16_t hdr_len)
{
	uint16_t tail[2] = {0, rte_cpu_to_be_16(w->urg)};
	uint16_t wnd = rte_cpu_to_be_16(w->wnd);

	memcpy(p, &w->key.lport, 2);
	memcpy(p + 2, &w->key.rport, 2);
	put_be32(p + 4, w->seq);
	put_be32(p + 8, w->ack);
	p[12] = (uint8_t)(hdr_len / 4 << 4);
	p[13] = w->flags;
	memcpy(p + 14, &wnd, 2);
	memcpy(p + 16, tail, 4);
	put_opts(p + WIRE_TCP_LEN, w);
}

/* The pseudo-header of RFC 9293 3.1. */
static uint64_t
pseudo_sum(const struct wire_tcp *w, uint16_t tcp_len)
{
	uint64_t sum = w->addr_sum;

	sum += rte_cpu_to_be_16(IPPROTO_TCP);
	sum += rte_cpu_to_be_16(tcp_len);
	return sum;
}

static void
offload(struct rte_mbuf *m, const struct wire_tx_conf *conf, uint16_t hdr_len)
{
	m->l2_len = WIRE_ETH_LEN;
	m->l3_len = WIRE_IP4_LEN;
	m->l4_len = hdr_len;
	m->ol_flags |= RTE_MBUF_F_TX_IPV4;
	if (conf->ip_cksum_offload)
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
	if (conf->tcp_cksum_offload)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
}

/* MUST-2. The payload lies behind the headers, at an even offset of the segment. */
static uint16_t
tcp_cksum(const struct rte_mbuf *m, const struct wire_tcp *w, uint16_t hdr_len, uint16_t tcp_len)
{
	const uint8_t *tcp =
			rte_pktmbuf_mtod_offset(m, const uint8_t *, WIRE_ETH_LEN + WIRE_IP4_LEN);
	uint64_t sum = pseudo_sum(w, tcp_len);

	sum = wire_cksum_add(sum, wire_cksum_bytes(tcp, hdr_len));
	if (w->payload_summed)
		sum = wire_cksum_add(sum, w->payload_sum);
	else if (tcp_len > hdr_len)
		sum = wire_cksum_add(sum, wire_cksum_mbuf(m, WIRE_ETH_LEN + WIRE_IP4_LEN + hdr_len,
							  (uint32_t)tcp_len - hdr_len));
	return (uint16_t)~wire_cksum_fold(sum);
}

void
wire_emit_tcp(struct rte_mbuf *m, const struct wire_tcp *w, const struct wire_tx_conf *conf,
		const struct rte_ether_addr *dst, const struct rte_ether_addr *src)
{
	uint16_t hdr_len = (uint16_t)(WIRE_TCP_LEN + wire_tcp_opts_len(w));
	uint16_t tcp_len = (uint16_t)(hdr_len + m->pkt_len);
	uint8_t *p = (void *)rte_pktmbuf_prepend(m, WIRE_ETH_LEN + WIRE_IP4_LEN + hdr_len);
	uint16_t cksum;

	CHECK(p);
	put_eth(p, dst, src);
	put_ip4(p + WIRE_ETH_LEN, w, (uint16_t)(WIRE_IP4_LEN + tcp_len), conf->ip_cksum_offload);
	put_tcp(p + WIRE_ETH_LEN + WIRE_IP4_LEN, w, hdr_len);
	if (conf->tcp_cksum_offload)
		cksum = wire_cksum_fold(pseudo_sum(w, tcp_len)); /* the device adds the rest */
	else
		cksum = tcp_cksum(m, w, hdr_len, tcp_len);
	memcpy(p + WIRE_ETH_LEN + WIRE_IP4_LEN + 16, &cksum, 2);
	if (is_unlikely(conf->ip_cksum_offload || conf->tcp_cksum_offload))
		offload(m, conf, hdr_len);
}
