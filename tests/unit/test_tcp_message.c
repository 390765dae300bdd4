/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a lone message is sent and forgotten in one line of its side record, and whatever
 * happens to it that is not that - silence, a part acknowledged, more text, a close, no
 * record - goes as with a queue (DATA-31, DATA-33, RES-6). Method: a peer with timestamps
 * and SACK; the kind of the record is looked at before and after. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "stack/stack.h"
#include "support/rows.h"
#include "support/script.h"

enum { LEN = 64, PART = 30, SPARES = 4 };

static struct ep ep;
static uint32_t tsval; /* of the context's last segment */

static const struct tcb *
tcb(void)
{
	return (const struct tcb *)ep.conn;
}

static struct tcp *
engine(void)
{
	return tcp_of(tcb());
}

static struct ep_seg
peer_seg(const char *flags, uint32_t acked)
{
	return (struct ep_seg){.flags = flags,
			.seq = ep.irs + 1,
			.ack = ep.iss + 1 + acked,
			.wnd = 1000,
			.mss = -1,
			.wscale = -1,
			.has_ts = true,
			.tsval = 1000,
			.tsecr = tsval};
}

static void
peer_acks(uint32_t acked)
{
	struct ep_seg seg = peer_seg("A", acked);

	ep_inject(&ep, &seg);
	ep_turn(&ep);
}

/* The text from there on leaves. */
static void
expect(uint8_t flags, uint32_t from, uint32_t len)
{
	const struct pkt *p;

	ep_turn(&ep);
	p = ep_take(&ep);
	assert_non_null(p);
	assert_int_equal(p->flags, flags);
	assert_int_equal(p->seq, ep.iss + 1 + from);
	assert_int_equal(p->ack, ep.irs + 1);
	assert_int_equal(p->len, len);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(p->payload[i], script_pattern(from + i));
	tsval = p->tsval;
}

/* Connected, and with packets that text can be kept in. */
static void
begin(const char *name)
{
	const struct ep_opts opts = {.conn = {.no_wscale = true}};
	struct ep_seg synack;
	const struct pkt *p;

	ep_create(&ep, name, &opts);
	assert_int_equal(ep_open_active(&ep), 0);
	ep_turn(&ep);
	p = ep_take(&ep);
	assert_non_null(p);
	ep.iss = p->seq;
	tsval = p->tsval;
	synack = peer_seg("SA", 0);
	synack.seq--;
	synack.mss = 1460;
	synack.has_sack_perm = true;
	ep_inject(&ep, &synack);
	ep_turn(&ep);
	ep_expect_event(&ep, PMTCP_EV_CONNECTED, PMTCP_REASON_NONE);
	expect(TCP_ACK, 0, 0);
	for (int i = 0; i < SPARES; i++)
		peer_acks(0);
	ep_mark(&ep);
}

static void
begin_written(const char *name)
{
	begin(name);
	assert_int_equal(ep_write(&ep, LEN), LEN);
	assert_true(tcp_is_message(tcb()));
	assert_int_equal(pmtcp_send_space(ep.conn), tcp_class(engine(), tcb())->send_buffer - LEN);
	tcp_check_all(engine());
}

static void
begin_sent(const char *name)
{
	begin_written(name);
	expect(TCP_PSH | TCP_ACK, 0, LEN);
	assert_true(tcp_is_message(tcb()));
	assert_int_equal(engine()->recs.in_use, 1);
	tcp_check_all(engine());
}

static void
end(void)
{
	const struct tcp *t = engine();

	tcp_check_all(t);
	ep_abort(&ep);
	ep_turn(&ep);
	while (ep_take(&ep) != NULL)
		;
	assert_int_equal(t->recs.in_use, 0);
	assert_int_equal(t->txs.used, 0);
	ep_drop(&ep);
}

static void
message_acked_whole(void **state)
{
	begin_sent("acked whole");
	ep_advance(&ep, 20 * EP_MS);
	peer_acks(LEN);
	assert_int_equal(tcb()->tx, 0);
	assert_int_equal(engine()->recs.in_use, 0);
	assert_int_equal(tcb_timer(tcb()), TIMER_NONE);
	/* RFC 6298 2.3 of some 20 ms behind one of less than that. */
	assert_in_range(rtt_srtt_us(&tcb()->rtt), 2000, 20000);
	ep_advance(&ep, 1000 * EP_MS);
	ep_expect_nothing(&ep);
	end();
}

static void
message_sent_again(void **state)
{
	begin_sent("sent again");
	ep_advance(&ep, 210 * EP_MS);
	expect(TCP_PSH | TCP_ACK, 0, LEN);
	assert_false(tcp_is_message(tcb()));
	assert_int_equal(ep_gained(&ep, PMTCP_C_retransmitted), 1);
	peer_acks(LEN);
	ep_expect_nothing(&ep);
	end();
}

static void
message_acked_in_part(void **state)
{
	begin_sent("acked in part");
	peer_acks(PART);
	assert_false(tcp_is_message(tcb()));
	assert_int_equal(rows_info(&ep).unacked, LEN - PART);
	ep_advance(&ep, 210 * EP_MS);
	expect(TCP_PSH | TCP_ACK, PART, LEN - PART);
	end();
}

/* Minshall: the second small one waits for the first (DATA-22). */
static void
message_not_alone(void **state)
{
	begin_sent("not alone");
	assert_int_equal(ep_write(&ep, LEN), LEN);
	assert_false(tcp_is_message(tcb()));
	ep_expect_nothing(&ep);
	peer_acks(LEN);
	expect(TCP_PSH | TCP_ACK, LEN, LEN);
	end();
}

/* The same where segments have become so short meanwhile that it would not be small now. */
static void
message_was_small_when_it_left(void **state)
{
	begin("was small");
	assert_int_equal(ep_write(&ep, 100), 100);
	expect(TCP_PSH | TCP_ACK, 0, 100);
	assert_int_equal(pmtcp_set(ep.conn, PMTCP_OPT_MSS, 88), 0);
	assert_int_equal(ep_write(&ep, PART), PART);
	ep_expect_nothing(&ep);
	peer_acks(100);
	expect(TCP_PSH | TCP_ACK, 100, PART);
	end();
}

static void
message_joined(void **state)
{
	begin_written("joined");
	assert_int_equal(ep_write(&ep, LEN), LEN);
	expect(TCP_PSH | TCP_ACK, 0, 2 * LEN);
	end();
}

static void
message_then_close(void **state)
{
	begin_written("then close");
	ep_close(&ep);
	expect(TCP_FIN | TCP_PSH | TCP_ACK, 0, LEN);
	end();
}

static void
message_sent_then_close(void **state)
{
	begin_sent("sent, then close");
	ep_close(&ep);
	expect(TCP_FIN | TCP_ACK, LEN, 0);
	peer_acks(LEN);
	assert_int_equal(engine()->recs.in_use, 0);
	ep_advance(&ep, 210 * EP_MS);
	expect(TCP_FIN | TCP_ACK, LEN, 0);
	end();
}

/* RES-6: nothing is lost, and it leaves when there is one. */
static void
message_without_record(void **state)
{
	begin_written("without record");
	engine()->recs.in_use = engine()->recs.n;
	ep_expect_nothing(&ep);
	assert_true(ep_gained(&ep, PMTCP_C_tx_norec) > 0);
	engine()->recs.in_use = 0;
	expect(TCP_PSH | TCP_ACK, 0, LEN);
	end();
}

static void
message_beyond_window(void **state)
{
	struct ep_seg seg;

	begin_written("beyond the window");
	seg = peer_seg("A", 0);
	seg.wnd = 0;
	ep_inject(&ep, &seg);
	ep_expect_nothing(&ep);
	assert_false(tcp_is_message(tcb()));
	assert_int_equal(tcb_timer(tcb()), TIMER_PERSIST);
	peer_acks(0);
	expect(TCP_PSH | TCP_ACK, 0, LEN);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(message_acked_whole),
			cmocka_unit_test(message_sent_again),
			cmocka_unit_test(message_acked_in_part),
			cmocka_unit_test(message_not_alone),
			cmocka_unit_test(message_was_small_when_it_left),
			cmocka_unit_test(message_joined),
			cmocka_unit_test(message_then_close),
			cmocka_unit_test(message_sent_then_close),
			cmocka_unit_test(message_without_record),
			cmocka_unit_test(message_beyond_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
