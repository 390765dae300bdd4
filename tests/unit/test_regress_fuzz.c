/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: what a fuzzer once found stays mended. Method: the finding in its smallest form,
 * as a script or a frame; each failed before its defect was mended. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "support/rows.h"
#include "wire/wire_arp.h"
#include "wire/wire_icmp.h"
#include "wire_bed.h"

static struct ep ep;

/* FIN-WAIT-1 entered from SYN-RECEIVED: an ACK of nothing proves nothing, so its text was
 * delivered, and announced before CONNECTED, to whoever guessed the peer's number. */
static void
open_27_fin_wait_1_with_syn_unacked_takes_no_text(void **state)
{
	(void)state;
	rows_begin(&ep, __func__, &rows_plain, REACH_SYR_ACT "; {shutdown}; < FA i+1 p+1; = FW1");
	cell_script(&ep, "> PA p+1 i len=10; < A i+2 p+1; []; = FW1");
	cell_script(&ep, "> FA p+1 i; []; = FW1");
	cell_script(&ep, "+600; ~; > PA p+1 i+2 len=10; [CONNECTED READABLE]; ~; = FW2; {recv 10}");
	rows_end(&ep);
}

/* The last segment is held by the peer; a repetition of that ACK shows the first one lost, as
 * the reordering time is over by then. Nothing is in flight and nothing new was delivered, so
 * PRR gave a window of 0, by which CUBIC divided at the timeout of the retransmission. */
static void
data_41_window_never_shuts_in_recovery(void **state)
{
	static const struct ep_opts with_sack = {
			.conn = {.no_timestamps = true, .no_wscale = true}};

	(void)state;
	rows_begin(&ep, __func__, &with_sack,
			"{open}; < S i= 0; > SA p i+1 wnd=65535 sackok; < A i+1 p+1; [CONNECTED];"
			"{send 2920}; ~; +9; > A p+1 i+1 wnd=65535 sack=i+1461:i+2921; .;"
			"+900us; > A p+1 i+1 wnd=65535 sack=i+1461:i+2921; < A i+1 p+1 len=1460; "
			".; # rexmt_fast");
	assert_int_equal(rows_info(&ep).cwnd, 1460);
	cell_script(&ep, "+700; < A i+1 p+1 len=1460; ~; > A p+1 i+2921 wnd=65535; .;"
			 "# rexmt_timeout+2");
	rows_end(&ep);
}

/* An ICMP error that quotes nothing, its end the end of a chain of buffers. */
static void
w_22_icmp_error_without_inner_packet_in_a_chain_is_refused(void **state)
{
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);

	(void)state;
	for (uint16_t size = 1; size < 42; size++) {
		struct build b = bed_segment();
		struct build_icmp unreachable = {.type = 3, .code = 3};
		struct wire_icmp icmp;
		struct seg seg;
		uint16_t reason;
		struct rte_mbuf *m;

		b.len = 0;
		b.seg_size = size;
		m = build_icmp(pool, &b, &unreachable);
		assert_int_equal(wire_parse(m, &bed_conf, &seg, &reason), WIRE_ICMP);
		seg.m = m;
		assert_false(wire_parse_icmp(&seg, &icmp));
		rte_pktmbuf_free(m);
	}
	test_pool_destroy(pool);
}

/* Of a message of zeros the reply's checksum is 0xffff; by RFC 1624's sum it became 0, which
 * no receiver takes. */
static void
w_21_echo_of_zeros_has_a_good_checksum(void **state)
{
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	struct build b = bed_segment();
	struct build_icmp echo = {.type = 8};
	struct rte_mbuf *m;
	struct pkt p;
	struct seg seg;
	uint16_t reason;

	(void)state;
	b.len = 0;
	m = build_icmp(pool, &b, &echo);
	assert_int_equal(wire_parse(m, &bed_conf, &seg, &reason), WIRE_ICMP);
	seg.m = m;
	assert_true(wire_icmp_echo_reply(&seg, 64));
	assert_int_equal(pkt_decode(&p, m), 0);
	assert_int_equal(p.icmp_type, 0);
	assert_true(p.is_l4_cksum_good);
	rte_pktmbuf_free(m);
	test_pool_destroy(pool);
}

/* The parts of a chain lie at any address; UBSan saw a header read at an odd one. */
static void
w_5_arp_in_odd_parts_is_read(void **state)
{
	struct rte_mempool *pool = test_pool_create(RTE_PKTMBUF_HEADROOM + 2048);
	struct pkt_arp said = {.op = 1, .spa = BED_SADDR, .tpa = BED_DADDR};

	(void)state;
	for (uint16_t size = 1; size < 42; size++) {
		struct build b = bed_segment();
		struct wire_arp arp;
		struct rte_mbuf *m;

		b.seg_size = size;
		m = build_arp(pool, &b, &said);
		assert_true(wire_parse_arp(m, &arp));
		assert_int_equal(rte_be_to_cpu_32(arp.sender_ip), BED_SADDR);
		assert_int_equal(rte_be_to_cpu_32(arp.target_ip), BED_DADDR);
		rte_pktmbuf_free(m);
	}
	/* The first part shorter than the Ethernet header, the rest in one. */
	{
		struct build b = bed_segment();
		struct rte_mbuf *m = build_arp(pool, &b, &said);
		struct rte_mbuf *tail = rte_pktmbuf_alloc(pool);
		struct wire_arp arp;
		char *to = rte_pktmbuf_append(tail, 1 + 28) + 1;

		rte_pktmbuf_adj(tail, 1);
		memcpy(to, rte_pktmbuf_mtod_offset(m, char *, 14), 28);
		assert_int_equal(rte_pktmbuf_trim(m, 28), 0);
		assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
		assert_true(wire_parse_arp(m, &arp));
		rte_pktmbuf_free(m);
	}
	test_pool_destroy(pool);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(data_41_window_never_shuts_in_recovery),
			cmocka_unit_test(open_27_fin_wait_1_with_syn_unacked_takes_no_text),
			cmocka_unit_test(
					w_22_icmp_error_without_inner_packet_in_a_chain_is_refused),
			cmocka_unit_test(w_21_echo_of_zeros_has_a_good_checksum),
			cmocka_unit_test(w_5_arp_in_odd_parts_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
