/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a repeated SYN or SYN-ACK never makes our own timeout look like the path's
 * round trip (Karn, DATA-31; RFC 7323 4.3). What was a bug: an echo of the first one gave
 * an estimate of a second and more, and RTOs of three. Method: one context, a scripted
 * peer, the first SYN or SYN-ACK lost. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/endpoint.h"

static struct ep ep;

static const struct ep_opts with_timestamps = {.conn = {.no_sack = true, .no_wscale = true}};

static uint32_t
srtt_us(void)
{
	struct pmtcp_conn_info info;

	pmtcp_conn_info(ep.conn, &info);
	return info.srtt_us;
}

static void
end_by_abort(void)
{
	ep_abort(&ep);
	ep_turn(&ep);
	assert_int_equal(ep_take(&ep)->flags, PKT_RST | PKT_ACK);
	ep_drop(&ep);
}

/* Opens, loses the first SYN, answers the second with an echo of one of them. */
static void
open_after_lost_syn(const char *name, bool echo_first)
{
	uint32_t first, second, iss;
	const struct pkt *p;

	ep_create(&ep, name, &with_timestamps);
	assert_int_equal(ep_open_active(&ep), 0);
	ep_turn(&ep);
	first = ep_take(&ep)->tsval;
	ep_advance(&ep, 1100 * EP_MS);
	p = ep_take(&ep);
	second = p->tsval;
	iss = p->seq;
	assert_int_equal(second - first, 1000);
	ep_inject(&ep, &(struct ep_seg){.flags = "SA",
				       .seq = EP_PEER_ISS,
				       .ack = iss + 1,
				       .wnd = -1,
				       .mss = 1460,
				       .wscale = -1,
				       .has_ts = true,
				       .tsval = 5000,
				       .tsecr = echo_first ? first : second});
	ep_turn(&ep);
	assert_non_null(ep_take(&ep));
	ep_expect_event(&ep, PMTCP_EV_CONNECTED, 0);
}

static void
data_31_echo_of_the_first_syn_is_no_sample(void **state)
{
	(void)state;
	open_after_lost_syn(__func__, true);
	assert_int_equal(srtt_us(), 0);
	end_by_abort();
}

static void
data_31_echo_of_the_last_syn_is_a_sample(void **state)
{
	(void)state;
	open_after_lost_syn(__func__, false);
	assert_in_range(srtt_us(), 99000, 102000);
	end_by_abort();
}

static struct ep_seg
peer_syn(uint32_t tsval)
{
	return (struct ep_seg){.flags = "S",
			.seq = EP_PEER_ISS,
			.wnd = -1,
			.mss = 1460,
			.wscale = -1,
			.has_ts = true,
			.tsval = tsval};
}

/* The half-open answers the SYN that came last. */
static void
data_26_repeated_syn_is_echoed_itself(void **state)
{
	struct ep_seg syn = peer_syn(100);

	(void)state;
	ep_create(&ep, __func__, &with_timestamps);
	assert_int_equal(ep_listen(&ep), 0);
	ep_inject(&ep, &syn);
	ep_turn(&ep);
	assert_int_equal(ep_take(&ep)->tsecr, 100);
	ep_advance(&ep, 300 * EP_MS);
	syn.tsval = 400;
	ep_inject(&ep, &syn);
	ep_turn(&ep);
	assert_int_equal(ep_take(&ep)->tsecr, 400);
	ep_drop(&ep);
}

/* Accepts after the first SYN-ACK was lost and repeated. */
static void
accept_after_lost_syn_ack(const char *name, bool echo_first)
{
	struct ep_seg syn = peer_syn(100);
	uint32_t first, second, iss;
	const struct pkt *p;

	ep_create(&ep, name, &with_timestamps);
	assert_int_equal(ep_listen(&ep), 0);
	ep_inject(&ep, &syn);
	ep_turn(&ep);
	first = ep_take(&ep)->tsval;
	ep_advance(&ep, 1050 * EP_MS);
	p = ep_take(&ep);
	second = p->tsval;
	iss = p->seq;
	ep_inject(&ep, &(struct ep_seg){.flags = "A",
				       .seq = EP_PEER_ISS + 1,
				       .ack = iss + 1,
				       .wnd = -1,
				       .mss = -1,
				       .wscale = -1,
				       .has_ts = true,
				       .tsval = 1150,
				       .tsecr = echo_first ? first : second});
	ep_turn(&ep);
	ep_expect_event(&ep, PMTCP_EV_ACCEPTED, 0);
}

static void
data_31_echo_of_the_first_syn_ack_is_no_sample(void **state)
{
	(void)state;
	accept_after_lost_syn_ack(__func__, true);
	assert_int_equal(srtt_us(), 0);
	end_by_abort();
}

static void
data_31_echo_of_the_last_syn_ack_is_a_sample(void **state)
{
	(void)state;
	accept_after_lost_syn_ack(__func__, false);
	assert_in_range(srtt_us(), 49000, 52000);
	end_by_abort();
}

static const struct ep_opts with_sack = {.conn = {.no_timestamps = true, .no_wscale = true}};

/* A message acknowledged whole gives a round trip of its own (RFC 6298 2.3): 7/8 of the
 * handshake's 100 ms and 1/8 of its 20. */
static void
data_31_one_acknowledged_message_is_a_sample(void **state)
{
	struct ep_seg ack = {.flags = "SA",
			.seq = EP_PEER_ISS,
			.wnd = -1,
			.mss = 1460,
			.wscale = -1,
			.has_sack_perm = true};
	const struct pkt *p;

	(void)state;
	ep_create(&ep, __func__, &with_sack);
	assert_int_equal(ep_open_active(&ep), 0);
	ep_turn(&ep);
	ack.ack = ep_take(&ep)->seq + 1;
	ep_advance(&ep, 100 * EP_MS);
	ep_inject(&ep, &ack);
	ep_turn(&ep);
	assert_non_null(ep_take(&ep));
	ep_expect_event(&ep, PMTCP_EV_CONNECTED, 0);
	assert_in_range(srtt_us(), 99900, 100100);
	assert_int_equal(ep_write(&ep, 64), 64);
	ep_turn(&ep);
	p = ep_take(&ep);
	assert_int_equal(p->len, 64);
	ep_advance(&ep, 20 * EP_MS);
	ep_inject(&ep, &(struct ep_seg){.flags = "A",
				       .seq = EP_PEER_ISS + 1,
				       .ack = ack.ack + 64,
				       .wnd = -1});
	ep_turn(&ep);
	assert_in_range(srtt_us(), 89900, 90100);
	end_by_abort();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_31_echo_of_the_first_syn_is_no_sample),
			cmocka_unit_test(data_31_echo_of_the_last_syn_is_a_sample),
			cmocka_unit_test(data_26_repeated_syn_is_echoed_itself),
			cmocka_unit_test(data_31_echo_of_the_first_syn_ack_is_no_sample),
			cmocka_unit_test(data_31_echo_of_the_last_syn_ack_is_a_sample),
			cmocka_unit_test(data_31_one_acknowledged_message_is_a_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
