/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The path MTU (DATA-46): segments leave with DF, and a path that cannot carry them says
 * so by ICMP (RFC 1191, 8201) or says nothing (RFC 2923). Either way the MSS of the
 * connection goes down, what was too big is sent again in pieces, and after
 * conf.pmtu_raise_ms something larger is tried again. A connection whose path never
 * complained has no state here. */

#include "tcp/tcp_addr.h"

/* tcp_rare.pmtu_state. */
enum pmtu_state {
	PMTU_HOLE = 0x01,   /* the path swallows large segments without a word */
	PMTU_TRIAL = 0x02,  /* and something larger is tried: one timeout is enough to go back */
	PMTU_UNSURE = 0x04, /* the smaller segments have not been seen to arrive */
};

/* What is left when the network does not say how large a segment may be: MSS 1024, then
 * 536, or 1220 with IPv6. As IP packets. */
enum {
	HOLE_MTU_1 = 1064,
	HOLE_MTU_2 = 576,
	IP6_MTU_MIN = 1280,
	/* Timeouts in a row before a hole is suspected, and between its steps. Where full
	 * segments have arrived loss is the likelier cause: at 3 % two in a row come by chance
	 * every thousand segments, four hardly ever. */
	HOLE_RTOS = 2,
	HOLE_RTOS_PROVEN = 4,
	SEGMENT_LOOKS = 64, /* records looked at for the one that an error is about (SEC-14) */
};

/* RFC 1191 section 7.1: a router that does not know of it says MTU 0; the links there are
 * have one of few MTUs. */
static uint32_t
plateau_below(uint32_t len)
{
	/* 508 and less lie below any floor there should be. */
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 576};

	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(plateaus); i++)
		if (plateaus[i] < len)
			return plateaus[i];
	return 0;
}

/* Octets of an IP packet of this connection that are not payload. */
static uint32_t
headers_len(const struct tcp *t, const struct tcb *c)
{
	uint32_t ip = tcp_is_v6(t, &c->head) ? 40 : 20;

	return ip + 20 + (tcb_has(c, TCB_TS) ? TCP_TS_OPT_LEN : 0);
}

static uint32_t
floor_mtu(const struct tcp *t, const struct tcb *c)
{
	return tcp_is_v6(t, &c->head) ? IP6_MTU_MIN : t->conf.pmtu_min;
}

static void
arm_raise(struct tcp *t, struct tcb *c, struct tcp_rare *r)
{
	r->flags &= ~(uint32_t)RARE_PMTU;
	if (t->conf.pmtu_raise_ms == 0)
		return;
	r->flags |= RARE_PMTU;
	r->pmtu_at = t->now_ms + t->tick_begun + t->conf.pmtu_raise_ms;
	tcp_timer_arm(t, c);
}

/* What arrived so far proves nothing about segments of another size. */
static void
set_mss(struct tcp *t, struct tcb *c, uint32_t mss)
{
	struct tcp_tx *tx = tcp_tx(t, c);

	c->smss = (uint16_t)mss;
	if (tx)
		tx->flags &= (uint16_t)~TX_FULL_CAME;
}

/* Without a side record the MSS goes down all the same, and for good. */
static void
set_mtu(struct tcp *t, struct tcb *c, uint32_t mtu)
{
	struct tcp_rare *r = tcp_rare_get(t, c);

	if (r && r->path_mtu == 0)
		r->saved_mss = c->smss;
	set_mss(t, c, mtu - headers_len(t, c));
	tcp_count(t, PMTCP_C_pmtu_lowered);
	if (!r)
		return;
	r->path_mtu = (uint16_t)mtu;
	r->pmtu_claim = 0;
	arm_raise(t, c, r);
}

/* The segment in flight that holds this number; NULL, too, if that lies far behind the
 * first: then the error waits for a timeout to bear it out. */
static const struct sendq_rec *
segment_at(const struct tcp *t, const struct tcp_tx *tx, uint32_t seq)
{
	uint32_t index = sendq_first(&tx->q);

	for (int i = 0; index && i < SEGMENT_LOOKS; i++) {
		const struct sendq_rec *rec = sendq_rec(&t->recs, index);

		if (seq_lt(seq, rec->seq + rec->len))
			return rec;
		index = rec->next;
	}
	return NULL;
}

/* SEC-10 (RFC 5927 7.2): only what we know to have sent that large is believed at once. */
static bool
is_evident(const struct tcp *t, const struct tcb *c, const struct tcp_tx *tx,
		const struct tcp_icmp_error *e, uint32_t mtu)
{
	const struct sendq_rec *rec = segment_at(t, tx, e->seq);

	/* What is SACKed got through, and its record may be of several segments. */
	return e->inner_len > mtu && rec && !(rec->flags & SENDQ_SACKED) &&
	       rec->len + headers_len(t, c) > mtu;
}

enum pmtcp_counter
tcp_pmtu_too_big(struct tcp *t, struct tcb *c, const struct tcp_icmp_error *e)
{
	uint32_t now_mtu = c->smss + headers_len(t, c);
	uint32_t len = min_u32(e->inner_len, now_mtu);
	uint32_t mtu = e->mtu || tcp_is_v6(t, &c->head) ? e->mtu : plateau_below(len);
	struct tcp_tx *tx = tcp_tx(t, c);
	struct tcp_rare *r;

	if (mtu >= now_mtu || mtu < floor_mtu(t, c) || !tx || sendq_flight(&tx->q) == 0)
		return PMTCP_C_drop_icmp_mtu;
	if (is_evident(t, c, tx, e, mtu)) {
		set_mtu(t, c, mtu);
		if (c->rare)
			tcp_rare(t, c)->pmtu_state = 0;
		tcp_path_learn(t, c, (uint16_t)mtu, false);
		tcp_rexmit_too_big(t, c);
		return PMTCP_C_icmp_error_taken;
	}
	r = tcp_rare_get(t, c);
	if (!r)
		return PMTCP_C_drop_icmp_mtu;
	r->pmtu_claim = (uint16_t)mtu;
	r->pmtu_claim_seq = e->seq;
	return PMTCP_C_icmp_error_taken;
}

/* What a router claimed and nothing bore out so far: the timeout does, unless what it was
 * about has arrived meanwhile. */
static bool
take_claim(struct tcp *t, struct tcb *c, const struct sendq_rec *first)
{
	struct tcp_rare *r = tcp_rare(t, c);
	uint32_t mtu;

	if (!r || r->pmtu_claim == 0)
		return false;
	mtu = r->pmtu_claim;
	r->pmtu_claim = 0;
	if (seq_lt(r->pmtu_claim_seq, c->snd.una) || mtu >= c->smss + headers_len(t, c) ||
			first->len + headers_len(t, c) <= mtu)
		return false;
	set_mtu(t, c, mtu);
	r->pmtu_state |= PMTU_UNSURE;
	return true;
}

/* The next smaller packet to try on a path that swallows this one; 0: it is small enough.
 * What is short of both a full segment and the first step proves nothing. */
static uint32_t
hole_mtu_below(const struct tcp *t, const struct tcb *c, uint32_t len)
{
	bool is_full = len >= c->smss + headers_len(t, c);
	uint32_t small = max_u32(HOLE_MTU_2, floor_mtu(t, c));

	if (!tcp_is_v6(t, &c->head) && len > HOLE_MTU_1 && HOLE_MTU_1 > small)
		return HOLE_MTU_1;
	return is_full && len > small ? small : 0;
}

/* Something larger was tried, and lately: later on a lost segment is just that. */
static bool
is_on_trial(const struct tcp *t, const struct tcp_rare *r)
{
	uint32_t raised = r->pmtu_at - (r->flags & RARE_PMTU ? t->conf.pmtu_raise_ms : 0);

	return (r->pmtu_state & PMTU_TRIAL) && t->now_ms - raised <= t->conf.rto_max_ms;
}

/* RFC 2923 2.1: small segments get through and large ones never do, nor does anybody say
 * why. Caller: the timer of the first segment ran out, and c->retries counts that. */
void
tcp_pmtu_timeout(struct tcp *t, struct tcb *c, const struct tcp_tx *tx)
{
	uint32_t first = sendq_first(&tx->q);
	const struct sendq_rec *rec = first ? sendq_rec(&t->recs, first) : NULL;
	struct tcp_rare *r = tcp_rare(t, c);
	bool is_proven = tcp_tx_has(tx, TX_FULL_CAME);
	uint32_t rtos = is_proven ? HOLE_RTOS_PROVEN : HOLE_RTOS;
	uint32_t len, mtu;

	if (!rec || take_claim(t, c, rec))
		return;
	len = rec->len + headers_len(t, c);
	mtu = hole_mtu_below(t, c, len);
	if (mtu == 0 || mtu >= c->smss + headers_len(t, c) || !t->conf.pmtu_blackhole)
		return;
	if (!(r && is_on_trial(t, r)) && (c->retries < rtos || c->retries % rtos != 0))
		return;
	set_mtu(t, c, mtu);
	tcp_count(t, PMTCP_C_pmtu_blackhole);
	if (c->rare)
		tcp_rare(t, c)->pmtu_state = is_proven ? PMTU_HOLE : PMTU_HOLE | PMTU_UNSURE;
}

/* The path may have changed for the better (RFC 1191 6.3). After an ICMP error all is tried
 * at once, since another error would come back at once; out of a hole one step is. */
void
tcp_pmtu_raise(struct tcp *t, struct tcb *c)
{
	struct tcp_rare *r = tcp_rare(t, c);
	uint32_t ts = tcb_has(c, TCB_TS) ? TCP_TS_OPT_LEN : 0;
	uint32_t full = min_u32(
			r->saved_mss, tcp_mss_max(t, tcp_class(t, c), tcp_is_v6(t, &c->head)) - ts);
	uint32_t step = HOLE_MTU_1 - headers_len(t, c);

	r->flags &= ~(uint32_t)RARE_PMTU;
	if (r->path_mtu == 0)
		return;
	tcp_count(t, PMTCP_C_pmtu_raised);
	if (r->pmtu_state & PMTU_HOLE)
		r->pmtu_state |= PMTU_TRIAL;
	if ((r->pmtu_state & PMTU_HOLE) && c->smss < step && step < full) {
		set_mss(t, c, step);
		r->path_mtu = HOLE_MTU_1;
		arm_raise(t, c, r);
		return;
	}
	set_mss(t, c, full);
	r->path_mtu = 0;
}

/* DATA-46: what an earlier connection to this destination found out. Without a side record
 * this one finds out by itself, or its segments would stay small for good. */
void
tcp_pmtu_opened(struct tcp *t, struct tcb *c)
{
	const struct tcp_path *path = tcp_path_find(t, c);
	struct tcp_rare *r;

	if (!path || path->mtu >= c->smss + headers_len(t, c) || path->mtu < floor_mtu(t, c))
		return;
	r = tcp_rare_get(t, c);
	if (!r)
		return;
	r->saved_mss = c->smss;
	r->path_mtu = path->mtu;
	r->pmtu_state = path->is_hole ? PMTU_HOLE : 0;
	c->smss = (uint16_t)(path->mtu - headers_len(t, c));
	arm_raise(t, c, r);
	if (t->conf.pmtu_raise_ms) {
		r->pmtu_at -= t->now_ms - path->since_ms;
		tcp_timer_arm(t, c);
	}
	tcp_count(t, PMTCP_C_pmtu_known);
}

/* What timeouts made us believe holds for the next connection only if it helped here: full
 * segments of the smaller size arrive. On a path that had carried larger ones it may have
 * been an outage all the same, and is not told to anybody. */
void
tcp_pmtu_acked(struct tcp *t, struct tcb *c)
{
	struct tcp_rare *r = tcp_rare(t, c);
	const struct tcp_tx *tx = tcp_tx(t, c);

	if (!(r->pmtu_state & PMTU_UNSURE) || !tx || !tcp_tx_has(tx, TX_FULL_CAME))
		return;
	r->pmtu_state &= (uint8_t)~PMTU_UNSURE;
	if (r->path_mtu)
		tcp_path_learn(t, c, r->path_mtu, r->pmtu_state & PMTU_HOLE);
}
