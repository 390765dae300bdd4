/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* ICMP for IPv4 (RFC 792, 1122 3.2.2): echo to our unicast address is answered
 * within a limit, and errors about our own segments go to the connection that sent
 * them. Nothing else is acted on (W-23), and no error is ever answered. */

#include "stack/stack.h"

#include "wire/wire_icmp.h"

/* SEC-7. */
bool
icmp_is_allowed(struct pmtcp_ctx *s)
{
	uint32_t rate = s->t.conf.icmp_per_s;
	uint64_t gain = (uint64_t)(s->t.now_ms - s->icmp_tokens_ms) * rate / 1000;

	if (gain > 0) {
		s->icmp_tokens = (uint32_t)min_u64(s->icmp_tokens + gain, rate);
		s->icmp_tokens_ms = s->t.now_ms;
	}
	if (s->icmp_tokens == 0)
		return false;
	s->icmp_tokens--;
	return true;
}

/* W-21: never for a group or broadcast destination, which the caller has dropped. */
static void
echo(struct pmtcp_ctx *s, struct seg *seg)
{
	struct rte_mbuf *m = seg->m;
	bool is_ours = RTE_MBUF_DIRECT(m) && rte_mbuf_refcnt_read(m) == 1;

	if (!icmp_is_allowed(s)) {
		tcp_drop(&s->t, PMTCP_C_drop_icmp_limit);
		return;
	}
	tcp_count(&s->t, PMTCP_C_icmp_echo_taken);
	if (!is_ours || !wire_icmp_echo_reply(seg, s->t.conf.ttl))
		return;
	if (tcp_reply_push(&s->t, m))
		seg->m = NULL;
}

/* W-22. The error may have come to another worker than the segment left from. */
static void
error_input(struct pmtcp_ctx *s, struct seg *seg, const struct wire_icmp *icmp)
{
	const struct tcp_icmp_error e = {.key = icmp->inner,
			.seq = icmp->inner_seq,
			.mtu = icmp->mtu,
			.inner_len = icmp->inner_len,
			.kind = (uint8_t)tcp_icmp_kind(4, icmp->type, icmp->code),
			.type = icmp->type,
			.code = icmp->code};
	uint16_t owner;

	if (!stack_is_local(s, e.key.laddr)) {
		tcp_drop(&s->t, PMTCP_C_drop_icmp_bad);
		return;
	}
	owner = s->t.conf.owners > 1 ? flow_owner(&s->owner, &e.key) : s->t.conf.owner;
	if (owner != s->t.conf.owner)
		stack_set_aside(s, seg, owner);
	else
		tcp_icmp_error(&s->t, &e);
}

void
icmp_input(struct pmtcp_ctx *s, struct seg *seg)
{
	struct wire_icmp icmp;

	if (!wire_parse_icmp(seg, &icmp))
		tcp_drop(&s->t, PMTCP_C_drop_icmp_bad);
	else if (icmp.type == WIRE_ICMP_ECHO)
		echo(s, seg);
	else if (icmp.is_error && tcp_icmp_kind(4, icmp.type, icmp.code) != TCP_ICMP_NONE)
		error_input(s, seg, &icmp);
	else
		tcp_drop(&s->t, PMTCP_C_drop_icmp_unused);
}
