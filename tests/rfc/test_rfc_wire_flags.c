/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: W-27 - port 0, the reserved bits, and every mix of flags in every state. Method:
 * each of the 256 mixes arrives at the next number expected, with and without text; what
 * must be sent and which state must follow is read off section H of the requirements. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/build.h"
#include "support/rows.h"

static struct bed bed;

static void
inject_into(struct ep *ep, struct build *b)
{
	struct rte_ether_addr self = ctx_mac_of(TEST_ADDR), peer = ctx_mac_of(TEST_PEER);

	b->saddr = TEST_PEER;
	b->daddr = TEST_ADDR;
	b->sport = EP_PEER_PORT;
	b->dport = EP_PORT;
	b->wnd = 8192;
	memcpy(b->dmac, self.addr_bytes, 6);
	memcpy(b->smac, peer.addr_bytes, 6);
	ep_inject_mbuf(ep, build_tcp(ep->pool, b));
}

/* ---- every mix of flags ---- */

enum { TEXT = 10 };

/* What leaves: nothing, one of the RST forms of section 1, the numbers as they are, the
 * ACK of all that was taken, a SYN-ACK. */
enum reply { NOTHING, RST0, RSTA, CH, ACKED, SYN_ACK };

struct outcome {
	enum reply reply;
	enum pmtcp_state state;
};

struct sweep {
	const char *name;
	const char *reach;
	enum pmtcp_state state;
	uint32_t seq; /* of the segment, from the peer's initial number: RCV.NXT, or any */
	uint32_t ack; /* from ours: SND.UNA; 0 is no good ACK */
	uint32_t nxt; /* SND.MAX from ours */
};

static bool
is_receiving(enum pmtcp_state s)
{
	return s == PMTCP_ESTABLISHED || s == PMTCP_FIN_WAIT_1 || s == PMTCP_FIN_WAIT_2;
}

static enum pmtcp_state
after_fin(enum pmtcp_state s)
{
	return s == PMTCP_ESTABLISHED  ? PMTCP_CLOSE_WAIT
	       : s == PMTCP_FIN_WAIT_1 ? PMTCP_CLOSING
				       : PMTCP_TIME_WAIT;
}

/* Columns EST to TW of section H, the segment at RCV.NXT and its ACK equal to SND.UNA. */
static struct outcome
want_synchronized(enum pmtcp_state s, uint8_t flags, uint32_t len)
{
	if (flags & PKT_RST)
		return (struct outcome){NOTHING, s == PMTCP_TIME_WAIT ? s : PMTCP_CLOSED};
	if (flags & PKT_SYN)
		return (struct outcome){CH, s};
	if (!(flags & PKT_ACK) || (len == 0 && !(flags & PKT_FIN)))
		return (struct outcome){NOTHING, s};
	if (!is_receiving(s))
		return (struct outcome){CH, s};
	return (struct outcome){ACKED, flags & PKT_FIN ? after_fin(s) : s};
}

/* Columns CLD to SYR, the ACK field no good one. */
static struct outcome
want_unsynchronized(enum pmtcp_state s, uint8_t flags)
{
	if (flags & PKT_RST)
		return (struct outcome){NOTHING, s == PMTCP_SYN_RCVD ? PMTCP_CLOSED : s};
	if (s == PMTCP_SYN_RCVD && flags & PKT_SYN)
		return (struct outcome){CH, s};
	if (flags & PKT_ACK)
		return (struct outcome){RSTA, s};
	if (s == PMTCP_CLOSED)
		return (struct outcome){RST0, s};
	if (!(flags & PKT_SYN) || s == PMTCP_SYN_RCVD)
		return (struct outcome){NOTHING, s};
	if (s == PMTCP_LISTEN)
		return flags & PKT_FIN ? (struct outcome){NOTHING, s}
				       : (struct outcome){SYN_ACK, PMTCP_SYN_RCVD};
	return (struct outcome){SYN_ACK, PMTCP_SYN_RCVD};
}

static void
check_reply(struct ep *ep, const struct sweep *s, const struct build *b, enum reply want)
{
	uint32_t len = b->len + !!(b->flags & PKT_SYN) + !!(b->flags & PKT_FIN);
	const struct pkt *p = ep_take(ep);

	if (want == NOTHING) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	assert_int_equal(p->len, 0);
	switch (want) {
	case RST0:
		assert_int_equal(p->flags, PKT_RST | PKT_ACK);
		assert_int_equal(p->seq, 0);
		assert_int_equal(p->ack, b->seq + len);
		break;
	case RSTA:
		assert_int_equal(p->flags, PKT_RST);
		assert_int_equal(p->seq, b->ack);
		break;
	case SYN_ACK:
		/* DATA-44: a SYN with both offers ECN. */
		assert_int_equal(p->flags,
				PKT_SYN | PKT_ACK |
						((~b->flags & (PKT_ECE | PKT_CWR)) ? 0 : PKT_ECE));
		assert_int_equal(p->ack, b->seq + 1);
		break;
	default:
		assert_int_equal(p->flags, PKT_ACK);
		assert_int_equal(p->seq, ep->iss + s->nxt);
		assert_int_equal(p->ack, ep->irs + s->seq + (want == ACKED ? len : 0));
		break;
	}
	assert_null(ep_take(ep));
}

static void
sweep_one(const struct sweep *s, uint8_t flags, uint32_t len)
{
	static struct ep ep;
	struct build b = {.flags = flags, .urg = 65535, .payload = "0123456789", .len = len};
	bool is_sync = s->state >= PMTCP_ESTABLISHED;
	struct outcome want = is_sync ? want_synchronized(s->state, flags, len)
				      : want_unsynchronized(s->state, flags);

	rows_begin(&ep, s->name, &rows_plain, s->reach);
	b.seq = ep.irs + s->seq;
	b.ack = ep.iss + s->ack;
	inject_into(&ep, &b);
	ep_turn(&ep);
	ep_advance(&ep, 50 * EP_MS); /* the delayed ACK */
	check_reply(&ep, s, &b, want.reply);
	if (want.state != PMTCP_LISTEN && want.state != PMTCP_CLOSED)
		ep_expect_state(&ep, want.state);
	else
		assert_null(ep.is_ended ? NULL : ep.conn);
	/* OPEN-37, CLOSE-33: only the RST ended anything. */
	if (!(flags & PKT_RST))
		assert_true(!(ep.events & PMTCP_EV_CLOSED) || ep.reason == PMTCP_GRACEFUL);
	ep_advance(&ep, 300 * 1000 * EP_MS);
	while (ep_take(&ep) != NULL)
		;
	ep.events = 0;
	ep.reason = PMTCP_REASON_NONE;
	ep_destroy(&ep);
}

static void
sweep_flags(const struct sweep *s)
{
	for (uint32_t flags = 0; flags < 256; flags++) {
		sweep_one(s, (uint8_t)flags, 0);
		sweep_one(s, (uint8_t)flags, TEXT);
	}
}

#define SWEEP(state_name, REACH, STATE, SEQ, ACK, NXT)                                             \
	static void w_27_flag_sweep_##state_name(void **state)                                     \
	{                                                                                          \
		static const struct sweep s = {                                                    \
				"w_27_" #state_name, REACH, PMTCP_##STATE, SEQ, ACK, NXT};         \
                                                                                                   \
		(void)state;                                                                       \
		sweep_flags(&s);                                                                   \
	}

SWEEP(closed, REACH_CLD, CLOSED, 5, 0, 0)
SWEEP(listen, REACH_LIS, LISTEN, 5, 0, 0)
SWEEP(syn_sent, REACH_SYS, SYN_SENT, 5, 0, 1)
SWEEP(syn_rcvd, REACH_SYR, SYN_RCVD, 1, 0, 1)
SWEEP(established, REACH_EST, ESTABLISHED, 1, 1, 1)
SWEEP(fin_wait_1, REACH_FW1, FIN_WAIT_1, 1, 1, 2)
SWEEP(fin_wait_2, REACH_FW2, FIN_WAIT_2, 1, 2, 2)
SWEEP(close_wait, REACH_CLW, CLOSE_WAIT, 2, 1, 1)
SWEEP(closing, REACH_CLG, CLOSING, 2, 1, 2)
SWEEP(last_ack, REACH_LAK, LAST_ACK, 2, 1, 2)
SWEEP(time_wait, REACH_TW, TIME_WAIT, 2, 2, 2)

/* ---- ports and reserved bits ---- */

/* Port 0 on either side, of both versions: silence. */
static void
w_27_port_0_is_dropped(void **state)
{
	struct pmtcp_addr any = {.port = 80};
	struct pmtcp_listener *l;

	(void)state;
	bed_create(&bed, NULL);
	assert_int_equal(pmtcp_listen(bed.ctx, &any, NULL, &l), 0);
	for (uint32_t i = 0; i < 6; i++) {
		struct build b = {.flags = i < 3 ? PKT_SYN : PKT_ACK, .seq = 1, .wnd = 1000};

		b.sport = i % 3 == 1 ? 4000 : 0;
		b.dport = i % 3 == 0 ? 80 : 0;
		bed_inject(&bed, &b);
		bed_turn(&bed);
		assert_null(bed_take(&bed));
		assert_int_equal(bed_counter(&bed, PMTCP_C_drop_tcp_port0), i + 1);
	}
	bed_destroy(&bed);
}

/* The four reserved bits are as if they were 0: the text is taken. That none is ever sent
 * is checked by the decoder in each test (support/pkt.c). */
static void
w_27_reserved_bits_are_ignored(void **state)
{
	static struct ep ep;

	(void)state;
	rows_begin(&ep, "w_27_reserved", &rows_plain, REACH_EST);
	for (uint32_t bits = 0; bits < 16; bits++) {
		struct build b = {.flags = PKT_ACK, .payload = "x", .len = 1};
		struct rte_mbuf *m;
		uint8_t *tcp;

		b.seq = ep.irs + 1 + bits;
		b.ack = ep.iss + 1;
		inject_into(&ep, &b);
		m = ep.burst[0];
		tcp = rte_pktmbuf_mtod_offset(m, uint8_t *, 34);
		tcp[12] |= (uint8_t)bits;
		tcp[16] = tcp[17] = 0;
		memcpy(tcp + 16,
				&(uint16_t){rte_cpu_to_be_16(build_cksum(build_sum(
						6 + 21 + build_sum(0, tcp - 8, 8), tcp, 21)))},
				2);
		ep_turn(&ep);
		assert_int_equal(rows_info(&ep).rcv_nxt, ep.irs + 2 + bits);
	}
	assert_int_equal(ep_gained(&ep, PMTCP_C_drop_tcp_cksum), 0);
	ep_abort(&ep);
	cell_script(&ep, "~");
	ep.events = 0;
	ep.reason = PMTCP_REASON_NONE;
	rows_end(&ep);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(w_27_flag_sweep_closed),
			cmocka_unit_test(w_27_flag_sweep_listen),
			cmocka_unit_test(w_27_flag_sweep_syn_sent),
			cmocka_unit_test(w_27_flag_sweep_syn_rcvd),
			cmocka_unit_test(w_27_flag_sweep_established),
			cmocka_unit_test(w_27_flag_sweep_fin_wait_1),
			cmocka_unit_test(w_27_flag_sweep_fin_wait_2),
			cmocka_unit_test(w_27_flag_sweep_close_wait),
			cmocka_unit_test(w_27_flag_sweep_closing),
			cmocka_unit_test(w_27_flag_sweep_last_ack),
			cmocka_unit_test(w_27_flag_sweep_time_wait),
			cmocka_unit_test(w_27_port_0_is_dropped),
			cmocka_unit_test(w_27_reserved_bits_are_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
