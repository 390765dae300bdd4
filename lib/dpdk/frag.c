/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See frag.h. A row of eight datagrams is searched whole; the oldest of a full row
 * gives way. A datagram that was killed keeps its place without pieces until its time
 * is over, so that late pieces meet it there. */

#include "dpdk/frag.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#include "base/base.h"
#include "base/check.h"
#include "wire/wire_cksum.h"

enum {
	IP4_LEN = 20,
	IP6_LEN = 40,
	FRAG6_LEN = 8,
	TCP_LEN = 20,
	PROTO_TCP = 6,
	NEXT_FRAGMENT = 44,
	TYPE_IP4 = 0x0800,
	TYPE_IP6 = 0x86dd,
	TYPE_VLAN = 0x8100,
	IP4_MF = 0x2000,
	IP4_OFFSET = 0x1fff,
	VID_MASK = 0x0fff,
	ECN_NOT_ECT = 0,
	ECN_CE = 3,
	EXPIRE_ROWS = 4, /* looked at per call */
	DATAGRAMS_MAX = 1 << 20,
};

/* Which datagram a piece belongs to (RFC 791 3.2, RFC 8200 4.5), and on which link it came. */
struct frag_key {
	uint8_t addrs[32];
	uint32_t id;
	uint32_t version;
	uint32_t vlan; /* VID + 1, 0 untagged */
};

/* One fragment, judged. */
struct piece_in {
	struct frag_key key;
	struct rte_mbuf *m;
	uint64_t ns;
	uint32_t ip_len; /* of the whole packet, header included */
	uint16_t l3_off;
	uint16_t hdr_len; /* of what stands before the payload, fragment header included */
	uint16_t start;
	uint16_t end;
	uint8_t ecn; /* code point in the IP header */
	bool is_last;
};

struct piece {
	struct rte_mbuf *m;
	uint16_t start;
	uint16_t end;
	uint16_t skip; /* octets in front of its payload */
};

struct datagram {
	struct frag_key key;
	uint64_t deadline_ns; /* 0: free */
	bool is_dead;
	uint8_t ecn;     /* 1 << code point of each piece */
	uint16_t ip_hdr; /* of the whole, the longest that any piece asks for */
	uint16_t total;  /* octets of payload, 0 until the last piece came */
	uint16_t have;
	uint16_t n;
	uint16_t l3_off;
	struct piece piece[FRAG_PIECES]; /* by start; none overlap */
};

struct frag {
	struct frag_conf conf;
	uint32_t rows;
	uint32_t hand; /* row to be looked at by the next expiry */
	uint64_t taken;
	uint64_t whole;
	uint64_t dropped;
	uint64_t overlaps;
	uint64_t expired;
	struct datagram table[];
};

int
frag_create(const struct frag_conf *conf, struct frag **out)
{
	uint32_t rows = (conf->datagrams + FRAG_WAYS - 1) / FRAG_WAYS;
	struct frag *f;

	if (conf->datagrams == 0 || conf->datagrams > DATAGRAMS_MAX || conf->timeout_ms == 0)
		return -EINVAL;
	f = calloc(1, sizeof(*f) + (size_t)rows * FRAG_WAYS * sizeof(f->table[0]));
	if (!f)
		return -ENOMEM;
	f->conf = *conf;
	f->rows = rows;
	*out = f;
	return 0;
}

static void
free_pieces(struct datagram *d)
{
	for (uint16_t i = 0; i < d->n; i++)
		rte_pktmbuf_free(d->piece[i].m);
	d->n = 0;
}

static void
forget(struct datagram *d)
{
	free_pieces(d);
	d->deadline_ns = 0;
}

void
frag_destroy(struct frag *f)
{
	if (!f)
		return;
	for (uint32_t i = 0; i < f->rows * FRAG_WAYS; i++)
		free_pieces(&f->table[i]);
	free(f);
}

static void
expire_row(struct frag *f, uint32_t row, uint64_t now_ns)
{
	for (uint32_t i = 0; i < FRAG_WAYS; i++) {
		struct datagram *d = &f->table[row * FRAG_WAYS + i];

		if (d->deadline_ns == 0 || d->deadline_ns > now_ns)
			continue;
		f->expired += !d->is_dead;
		f->dropped += d->n;
		forget(d);
	}
}

void
frag_expire(struct frag *f, uint64_t now_ns)
{
	for (int i = 0; i < EXPIRE_ROWS; i++) {
		expire_row(f, f->hand, now_ns);
		f->hand = (f->hand + 1) % f->rows;
	}
}

void
frag_stats(const struct frag *f, struct pmtcp_worker_stats *stats)
{
	stats->frag_taken = f->taken;
	stats->frag_whole = f->whole;
	stats->frag_dropped = f->dropped;
	stats->frag_overlaps = f->overlaps;
	stats->frag_expired = f->expired;
}

/* ---- one fragment --------------------------------------------------------- */

static inline uint16_t
load_be16(const uint8_t *p)
{
	return rte_be_to_cpu_16(wire_load16(p));
}

enum judgement {
	NOT_OURS, /* no fragment of TCP, or one whose header is not to be read here */
	BAD,
	GOOD,
};

/* Where the payload lies in the datagram. All but the last piece end on eight octets;
 * the first holds the TCP header whole. */
static enum judgement
judge_range(struct piece_in *in, const uint8_t *tcp, uint32_t offset, uint32_t len)
{
	uint32_t present = in->m->data_len - in->l3_off - in->hdr_len;

	if (len == 0 || (!in->is_last && len % 8 != 0) || offset + len > UINT16_MAX)
		return BAD;
	if (in->l3_off + in->ip_len > rte_pktmbuf_pkt_len(in->m))
		return BAD;
	/* RFC 3128, RFC 7112. A later piece that reaches into the header overlaps. */
	if (offset == 0 &&
			(len < TCP_LEN || present < TCP_LEN || len < (uint32_t)(tcp[12] >> 4) * 4))
		return BAD;
	in->start = (uint16_t)offset;
	in->end = (uint16_t)(offset + len);
	return GOOD;
}

static enum judgement
judge_ip4(struct piece_in *in, const uint8_t *ip, uint32_t present)
{
	uint32_t hdr_len, frag;

	if (present < IP4_LEN)
		return NOT_OURS;
	frag = load_be16(ip + 6);
	hdr_len = (uint32_t)(ip[0] & 0x0f) * 4;
	if (ip[0] >> 4 != 4 || (frag & (IP4_MF | IP4_OFFSET)) == 0 || ip[9] != PROTO_TCP)
		return NOT_OURS;
	in->ip_len = load_be16(ip + 2);
	if (hdr_len < IP4_LEN || present < hdr_len || in->ip_len < hdr_len)
		return NOT_OURS;
	/* What is put together gets a new checksum: this is the last look at this one. */
	if (wire_cksum_fold(wire_cksum_bytes(ip, hdr_len)) != 0xffff)
		return NOT_OURS;
	in->hdr_len = (uint16_t)hdr_len;
	in->is_last = (frag & IP4_MF) == 0;
	in->ecn = ip[1] & ECN_CE;
	in->key.version = 4;
	memcpy(in->key.addrs, ip + 12, 8);
	in->key.id = load_be16(ip + 4);
	return judge_range(in, ip + hdr_len, (frag & IP4_OFFSET) * 8, in->ip_len - hdr_len);
}

/* The fragment header stands right behind the fixed one; whoever hides it behind others
 * is left to the context. An atomic fragment needs nobody (RFC 6946). */
static enum judgement
judge_ip6(struct piece_in *in, const uint8_t *ip, uint32_t present)
{
	const uint8_t *fh = ip + IP6_LEN;
	uint32_t frag, len;

	if (present < IP6_LEN + FRAG6_LEN || ip[0] >> 4 != 6 || ip[6] != NEXT_FRAGMENT)
		return NOT_OURS;
	frag = load_be16(fh + 2);
	if (fh[0] != PROTO_TCP || (frag & 0xfff9) == 0)
		return NOT_OURS;
	len = load_be16(ip + 4);
	if (len < FRAG6_LEN)
		return NOT_OURS;
	in->ip_len = IP6_LEN + len;
	in->hdr_len = IP6_LEN + FRAG6_LEN;
	in->is_last = (frag & 1) == 0;
	in->ecn = ip[1] >> 4 & ECN_CE;
	in->key.version = 6;
	memcpy(in->key.addrs, ip + 8, 32);
	memcpy(&in->key.id, fh + 4, 4);
	return judge_range(in, fh + FRAG6_LEN, frag & 0xfff8, len - FRAG6_LEN);
}

/* A frame whose headers lie in several mbufs, or that others hold too, is none that we
 * may work on. */
static enum judgement
judge(const struct frag *f, struct piece_in *in)
{
	const uint8_t *p = rte_pktmbuf_mtod(in->m, const uint8_t *);
	uint32_t present = in->m->data_len;
	uint16_t type;

	if (present < 14 + IP4_LEN || rte_pktmbuf_pkt_len(in->m) > UINT16_MAX)
		return NOT_OURS;
	if (!RTE_MBUF_DIRECT(in->m) || rte_mbuf_refcnt_read(in->m) != 1)
		return NOT_OURS;
	/* A promiscuous port shows those of others, which would fill the table. */
	if (memcmp(p, &f->conf.mac, sizeof(f->conf.mac)) != 0)
		return NOT_OURS;
	type = load_be16(p + 12);
	in->l3_off = 14;
	if (in->m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		in->key.vlan = (in->m->vlan_tci & VID_MASK) + 1u;
	if (is_unlikely(type == TYPE_VLAN)) {
		in->key.vlan = (load_be16(p + 14) & VID_MASK) + 1u;
		type = load_be16(p + 16);
		in->l3_off = 18;
	}
	if (type == TYPE_IP4)
		return judge_ip4(in, p + in->l3_off, present - in->l3_off);
	if (type == TYPE_IP6)
		return judge_ip6(in, p + in->l3_off, present - in->l3_off);
	return NOT_OURS;
}

/* ---- the table ------------------------------------------------------------- */

static struct datagram *
find(struct frag *f, const struct piece_in *in)
{
	uint32_t row = (uint32_t)(siphash13(&f->conf.key, &in->key, sizeof(in->key)) % f->rows);
	struct datagram *oldest = &f->table[row * FRAG_WAYS];

	expire_row(f, row, in->ns);
	for (uint32_t i = 0; i < FRAG_WAYS; i++) {
		struct datagram *d = &f->table[row * FRAG_WAYS + i];

		if (d->deadline_ns && memcmp(&d->key, &in->key, sizeof(d->key)) == 0)
			return d;
		if (d->deadline_ns < oldest->deadline_ns)
			oldest = d;
	}
	f->dropped += oldest->n;
	forget(oldest);
	oldest->key = in->key;
	oldest->deadline_ns = in->ns + (uint64_t)f->conf.timeout_ms * 1000000;
	oldest->is_dead = false;
	oldest->ecn = 0;
	oldest->ip_hdr = 0;
	oldest->total = oldest->have = 0;
	return oldest;
}

static void
kill_datagram(struct frag *f, struct datagram *d)
{
	f->dropped += d->n;
	free_pieces(d);
	d->is_dead = true;
}

/* Of the packet that is put together: the fragment header goes. */
static uint32_t
ip_hdr_of(const struct piece_in *in)
{
	return in->key.version == 4 ? in->hdr_len : IP6_LEN;
}

enum placing {
	PLACED,
	AGAIN,    /* octet for octet where one is: the network doubled it */
	CONFLICT, /* overlaps, or does not fit the datagram's length */
};

/* W-12: longer than the link carries, no segment is. Of IPv4 the first piece may have more
 * options than the others. */
static bool
is_too_long(const struct frag *f, const struct datagram *d, const struct piece_in *in)
{
	uint32_t end = d->n ? max_u32(d->piece[d->n - 1].end, in->end) : in->end;

	return end + max_u32(d->ip_hdr, ip_hdr_of(in)) > f->conf.packet_max;
}

static enum placing
place(struct frag *f, struct datagram *d, const struct piece_in *in)
{
	uint16_t at = 0;

	while (at < d->n && d->piece[at].start < in->start)
		at++;
	if (at < d->n && d->piece[at].start == in->start && d->piece[at].end == in->end)
		return AGAIN;
	if ((at > 0 && d->piece[at - 1].end > in->start) ||
			(at < d->n && d->piece[at].start < in->end)) {
		f->overlaps++;
		return CONFLICT;
	}
	if (d->n == FRAG_PIECES || is_too_long(f, d, in))
		return CONFLICT;
	if (in->is_last ? d->total != 0 || (at < d->n) : d->total != 0 && in->end >= d->total)
		return CONFLICT;
	memmove(&d->piece[at + 1], &d->piece[at], (d->n - at) * sizeof(d->piece[0]));
	d->piece[at] = (struct piece){.m = in->m,
			.start = in->start,
			.end = in->end,
			.skip = (uint16_t)(in->l3_off + in->hdr_len)};
	d->n++;
	d->ecn |= (uint8_t)(1u << in->ecn);
	d->ip_hdr = (uint16_t)max_u32(d->ip_hdr, ip_hdr_of(in));
	d->have = (uint16_t)(d->have + (in->end - in->start));
	if (in->is_last)
		d->total = in->end;
	return PLACED;
}

/* ---- the whole -------------------------------------------------------------- */

/* The header says what is behind it now. */
static void
mend_ip4(uint8_t *ip, uint32_t len)
{
	uint32_t hdr_len = (uint32_t)(ip[0] & 0x0f) * 4;
	uint16_t field = rte_cpu_to_be_16((uint16_t)(hdr_len + len));

	memcpy(ip + 2, &field, 2);
	field = rte_cpu_to_be_16(load_be16(ip + 6) & 0x4000);
	memcpy(ip + 6, &field, 2);
	memset(ip + 10, 0, 2);
	field = (uint16_t)~wire_cksum_fold(wire_cksum_bytes(ip, hdr_len));
	memcpy(ip + 10, &field, 2);
}

/* The fragment header goes: what stands before it moves up. */
static void
mend_ip6(struct rte_mbuf *m, uint16_t l3_off, uint32_t len)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);
	uint16_t field = rte_cpu_to_be_16((uint16_t)len);

	memmove(p + FRAG6_LEN, p, l3_off + IP6_LEN);
	p = (uint8_t *)rte_pktmbuf_adj(m, FRAG6_LEN) + l3_off;
	p[6] = PROTO_TCP;
	memcpy(p + 4, &field, 2);
}

/* RFC 3168 5.3: congestion that one piece met is the whole's. False: some could not have
 * been marked, so it is not told. */
static bool
mend_ecn(const struct datagram *d, uint8_t *ip)
{
	if (!(d->ecn & 1u << ECN_CE))
		return true;
	if (d->ecn & 1u << ECN_NOT_ECT)
		return false;
	ip[1] |= (uint8_t)(d->key.version == 4 ? ECN_CE : ECN_CE << 4);
	return true;
}

/* One chain out of the pieces, link padding cut off; NULL and all freed if a chain is
 * longer than mbufs can be, or the pieces disagree. */
static struct rte_mbuf *
join(struct frag *f, struct datagram *d)
{
	struct rte_mbuf *head = d->piece[0].m;
	bool is_good = mend_ecn(d, rte_pktmbuf_mtod_offset(head, uint8_t *, d->l3_off));
	uint16_t i;

	for (i = 0; is_good && i < d->n; i++) {
		struct piece *q = &d->piece[i];
		uint32_t want = (uint32_t)q->skip + (q->end - q->start);
		uint32_t over = rte_pktmbuf_pkt_len(q->m) - want;

		if (over > 0 && rte_pktmbuf_trim(q->m, (uint16_t)over) != 0)
			break;
		if (i == 0)
			continue;
		rte_pktmbuf_adj(q->m, q->skip);
		if (rte_pktmbuf_chain(head, q->m) != 0)
			break;
		q->m = NULL; /* the head's now */
	}
	if (i < d->n) {
		f->dropped += d->n;
		forget(d);
		return NULL;
	}
	if (d->key.version == 4)
		mend_ip4(rte_pktmbuf_mtod_offset(head, uint8_t *, d->l3_off), d->total);
	else
		mend_ip6(head, d->l3_off, d->total);
	/* What the device said was about the pieces. */
	head->ol_flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_L4_CKSUM_MASK);
	d->n = 0;
	d->deadline_ns = 0;
	f->whole++;
	return head;
}

/* The piece is the table's; returns a whole packet if it was the last that was missing. */
static struct rte_mbuf *
take(struct frag *f, const struct piece_in *in)
{
	struct datagram *d = find(f, in);
	enum placing placing = d->is_dead ? AGAIN : place(f, d, in);

	f->taken++;
	if (placing != PLACED) {
		rte_pktmbuf_free(in->m);
		f->dropped++;
		if (placing == CONFLICT)
			kill_datagram(f, d);
		return NULL;
	}
	if (in->start == 0)
		d->l3_off = in->l3_off;
	return d->total != 0 && d->have == d->total ? join(f, d) : NULL;
}

uint16_t
frag_filter(struct frag *f, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t left = 0;

	for (uint16_t i = 0; i < n; i++) {
		struct piece_in in = {.m = pkts[i], .ns = now_ns};
		enum judgement judgement = judge(f, &in);
		struct rte_mbuf *m = pkts[i];

		if (judgement == BAD) {
			f->dropped++;
			f->taken++;
			rte_pktmbuf_free(m);
			continue;
		}
		if (judgement == GOOD)
			m = take(f, &in);
		if (m)
			pkts[left++] = m;
	}
	return left;
}
