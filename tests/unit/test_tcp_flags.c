/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: no mix of flags does harm in any state (W-27; RFC 9293 3.10.7). Method: all 256,
 * each to an endpoint of its own. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/bed.h"
#include "support/rows.h"

/* W-27: all 256 in each state: no crash, the books balance, and in a synchronized state
 * only an exact RST (number RCV.NXT) ends the connection. */
static void
sweep_flags(const char *name, const char *reach, uint32_t seq_off, uint32_t ack_off)
{
	static struct ep ep;

	for (uint32_t flags = 0; flags < 256; flags++) {
		struct ep_opts opts = rows_plain;
		struct build b = {.saddr = TEST_PEER, .daddr = TEST_ADDR, .sport = EP_PEER_PORT};
		struct rte_ether_addr self = ctx_mac_of(TEST_ADDR), peer = ctx_mac_of(TEST_PEER);

		rows_begin(&ep, name, &opts, reach);
		memcpy(b.dmac, self.addr_bytes, 6);
		memcpy(b.smac, peer.addr_bytes, 6);
		b.dport = EP_PORT;
		b.seq = ep.irs + seq_off;
		b.ack = ep.iss + ack_off;
		b.flags = (uint8_t)flags;
		b.wnd = 8192;
		b.urg = 65535;
		b.payload = "0123456789";
		b.len = flags % 3 ? 10 : 0;
		ep_inject_mbuf(&ep, build_tcp(ep.pool, &b));
		ep_advance(&ep, 50 * EP_MS);
		while (ep_take(&ep) != NULL) {
			/* OPEN-37: RST is never answered; no RST for a synchronized one. */
			assert_false(flags & PKT_RST && ep.taken.flags & PKT_RST);
			assert_false(ack_off != 0 && ep.taken.flags & PKT_RST);
		}
		if (ack_off != 0 && !(flags & PKT_RST))
			assert_false(ep.events & PMTCP_EV_CLOSED && ep.reason != PMTCP_GRACEFUL);
		ep_advance(&ep, 300 * 1000 * EP_MS);
		while (ep_take(&ep) != NULL)
			;
		ep.events = 0;
		ep.reason = PMTCP_REASON_NONE;
		ep_destroy(&ep);
	}
}

#define SWEEP(state_name, reach, seq_off, ack_off)                                                 \
	static void w_27_flag_sweep_##state_name(void **state)                                     \
	{                                                                                          \
		(void)state;                                                                       \
		sweep_flags("w_27_" #state_name, reach, seq_off, ack_off);                         \
	}

SWEEP(closed, REACH_CLD, 5, 0)
SWEEP(listen, REACH_LIS, 5, 0)
SWEEP(syn_sent, REACH_SYS, 5, 0)
SWEEP(syn_rcvd, REACH_SYR, 1, 0)
SWEEP(established, REACH_EST, 1, 1)
SWEEP(fin_wait_1, REACH_FW1, 1, 1)
SWEEP(fin_wait_2, REACH_FW2, 1, 2)
SWEEP(close_wait, REACH_CLW, 2, 1)
SWEEP(closing, REACH_CLG, 2, 1)
SWEEP(last_ack, REACH_LAK, 2, 1)
SWEEP(time_wait, REACH_TW, 2, 2)

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
