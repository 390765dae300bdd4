/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* States and invariants of a tcb. */

#include "tcp/tcb.h"

#include "base/seq.h"

#define TO(state) (1u << (state))

/* Which states may follow which, RFC 9293 section 3.3.2 with the shortcuts of
 * its text: CLOSED from everywhere, FIN-WAIT-1 straight from SYN-RECEIVED, TIME-WAIT
 * after an RST (3.5.2, DEC-2). */
static const uint16_t next_states[PMTCP_STATE_MAX] = {
		[TCPS_CLOSED] = TO(TCPS_SYN_SENT) | TO(TCPS_SYN_RCVD),
		[TCPS_SYN_SENT] = TO(TCPS_SYN_RCVD) | TO(TCPS_ESTABLISHED) | TO(TCPS_CLOSED),
		[TCPS_SYN_RCVD] = TO(TCPS_ESTABLISHED) | TO(TCPS_FIN_WAIT_1) | TO(TCPS_CLOSED),
		[TCPS_ESTABLISHED] = TO(TCPS_FIN_WAIT_1) | TO(TCPS_CLOSE_WAIT) |
				     TO(TCPS_TIME_WAIT) | TO(TCPS_CLOSED),
		[TCPS_FIN_WAIT_1] = TO(TCPS_FIN_WAIT_2) | TO(TCPS_CLOSING) | TO(TCPS_TIME_WAIT) |
				    TO(TCPS_CLOSED),
		[TCPS_FIN_WAIT_2] = TO(TCPS_TIME_WAIT) | TO(TCPS_CLOSED),
		[TCPS_CLOSE_WAIT] = TO(TCPS_LAST_ACK) | TO(TCPS_TIME_WAIT) | TO(TCPS_CLOSED),
		[TCPS_CLOSING] = TO(TCPS_TIME_WAIT) | TO(TCPS_CLOSED),
		[TCPS_LAST_ACK] = TO(TCPS_CLOSED),
		[TCPS_TIME_WAIT] = TO(TCPS_CLOSED),
};

void
tcb_set_state(struct tcb *c, enum tcp_state state)
{
	CHECK(next_states[c->head.state] & TO(state));
	c->head.state = (uint8_t)state;
}

static void
check_fin_facts(const struct tcb *c)
{
	uint8_t state = c->head.state;
	bool has_sent = state == TCPS_FIN_WAIT_2 || state == TCPS_TIME_WAIT;
	bool wants = state == TCPS_FIN_WAIT_1 || state == TCPS_CLOSING || state == TCPS_LAST_ACK;
	bool is_rcvd = state == TCPS_CLOSE_WAIT || state == TCPS_CLOSING || state == TCPS_LAST_ACK;

	if (has_sent)
		CHECK(tcb_fin_is_acked(c));
	if (wants)
		CHECK(tcb_has(c, TCB_FIN_WANTED));
	if (is_rcvd)
		CHECK(tcb_has(c, TCB_FIN_RCVD));
	if (tcb_has(c, TCB_FIN_SENT))
		CHECK(tcb_has(c, TCB_FIN_WANTED));
	if (state == TCPS_ESTABLISHED || state == TCPS_FIN_WAIT_1 || state == TCPS_FIN_WAIT_2)
		CHECK(!tcb_has(c, TCB_FIN_RCVD));
}

void
tcb_check(const struct tcb *c)
{
	if (c->head.kind == BLOCK_ENDED) {
		CHECK(c->head.state == TCPS_CLOSED);
		CHECK(c->head.timer.prev == 0);
		CHECK(c->tx == 0);
		return;
	}
	CHECK(c->head.kind == BLOCK_TCB);
	CHECK(c->head.state >= TCPS_SYN_SENT && c->head.state < TCPS_TIME_WAIT);
	CHECK(seq_leq(c->snd.una, c->snd.nxt));
	if (c->head.state != TCPS_SYN_SENT) {
		CHECK(seq_leq(c->rcv.nxt, c->rcv.adv));
		CHECK(seq_leq(c->ack_sent, c->rcv.nxt));
	}
	CHECK(c->smss > 0);
	CHECK(!tcb_has(c, TCB_ORPHAN) || tcb_has(c, TCB_RELEASED));
	CHECK(!tcb_has(c, TCB_DETACHED) || tcb_has(c, TCB_RELEASED));
	/* Whoever waits for the peer has a timer running (NEG-21, CLOSE-20). */
	if (tcb_has(c, TCB_FIN_SENT) && !tcb_fin_is_acked(c))
		CHECK(tcb_timer(c) != TIMER_NONE);
	if (tcb_timer(c) != TIMER_NONE || tcb_has(c, TCB_DELACK))
		CHECK(c->head.timer.prev != 0);
	check_fin_facts(c);
}
