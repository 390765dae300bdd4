/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: rows RES-9 to RES-12 and RES-14 to RES-17 of doc/requirements.md: bounds, closing without
 * memory, floods, handing over, shutting down, accounts, stalls. Method: a bed of stations. */

#include <errno.h>

#include "resource_bed.h"

#include "flow/flow_table.h"
#include "support/size.h"

/* ---- RES-9 ---- */

enum { TABLE_MAX = 4000 };

static void
res_9_failed_insert_leaves_all_keys(void **state)
{
	static struct flow_key keys[TABLE_MAX] __attribute__((aligned(64)));
	static uint8_t mem[1 << 16] __attribute__((aligned(64)));
	static uint8_t blocks[TABLE_MAX * 64] __attribute__((aligned(64)));
	const struct siphash_key secret = {1, 2};
	struct flow_table ft;
	uint32_t n = 1;

	(void)state;
	assert_true(flow_table_memsize(1000) <= sizeof(mem));
	assert_int_equal(flow_table_init(&ft, mem, sizeof(mem), blocks, 1000), 0);
	for (;; n++) {
		keys[n] = (struct flow_key){.laddr = 1, .raddr = n * 2654435761u, .lport = 7};
		memcpy(blocks + n * 64, &keys[n], sizeof(keys[n]));
		if (flow_table_insert(&ft, flow_key_hash(&secret, &keys[n]), n) != 0)
			break;
	}
	/* Far above the share it was made for, and above 90 % of the slots. */
	assert_true(n > ft.bucket_count * FLOW_BUCKET_SLOTS * 9 / 10);
	for (uint32_t i = 1; i < n; i++)
		assert_int_equal(flow_table_lookup(&ft, flow_key_hash(&secret, &keys[i]), &keys[i]),
				i);
	assert_int_equal(flow_table_lookup(&ft, flow_key_hash(&secret, &keys[n]), &keys[n]), 0);
	/* A removal frees the slot at once: one of its neighbours, and the new one fits. */
	{
		uint32_t near[2 * FLOW_BUCKET_SLOTS];
		uint64_t hash = flow_key_hash(&secret, &keys[n]);

		assert_int_equal(flow_table_neighbours(&ft, hash, near), 2 * FLOW_BUCKET_SLOTS);
		assert_true(flow_table_remove(
				&ft, flow_key_hash(&secret, &keys[near[3]]), near[3]));
		assert_int_equal(flow_table_insert(&ft, hash, n), 0);
	}
	flow_table_check(&ft, &secret);
}

/* ---- RES-10 ---- */

static void
tune_few_transfers(struct pmtcp_conf *conf)
{
	conf->max_transfers = 2;
	conf->spare_max = 0;
	conf->send_buffer = conf->recv_buffer = 8192;
}

static void
res_10_buffers_are_bounded_by_connection_and_core(void **state)
{
	static const uint8_t text[20000];
	struct pmtcp_conn_info info;
	uint32_t edge;

	(void)state;
	begin(tune_few_transfers);
	for (int i = 0; i < 3; i++)
		accept_one(i);
	/* Of the connection. */
	assert_int_equal(pmtcp_write(conns[0], text, sizeof(text)), 8192);
	assert_int_equal(pmtcp_write(conns[0], text, 1), -EAGAIN);
	/* Of the core. */
	assert_int_equal(pmtcp_write(conns[1], text, 10), 10);
	assert_int_equal(pmtcp_write(conns[2], text, 10), -EAGAIN);
	bed_turn(&bed);
	bed_forget(&bed);
	/* Readers that do not read: so much and no more, and no window moves back. */
	for (int i = 0; i < 3; i++) {
		info = info_of(conns[i]);
		edge = info.rcv_nxt + info.rcv_wnd;
		for (int k = 0; k < 20; k++)
			bed_peer_sends(&bed, &peers[i], PKT_ACK, 1000);
		bed_turn(&bed);
		bed_forget(&bed);
		info = info_of(conns[i]);
		assert_true(info.unread <= 8192);
		assert_int_equal(info.unread > 0, i < 2);
		/* DATA-18: all of the third's window goes, in order or not, and is counted. */
		assert_int_equal(bed_stats(&bed).counter[PMTCP_C_drop_rec_full], i < 2 ? 0 : 9);
		assert_true(seq_geq(info.rcv_nxt + info.rcv_wnd, edge));
	}
	assert_true(bed_stats(&bed).transfers_used <= 4);
	assert_true(test_pool_live(bed.pool) <= 40);
	bed_destroy(&bed);
}

/* So many peers fill their windows, and nobody reads. */
enum {
	IDLERS = TEST_SIZE(100000, 5000),
	IDLER_PORTS = 50000,
	IDLER_TRANSFERS = 1000,
	IDLER_BUFFER = 8192,
};

static void
tune_idlers(struct pmtcp_conf *conf)
{
	conf->max_conns = IDLERS;
	conf->max_transfers = IDLER_TRANSFERS;
	conf->max_records = 4 * IDLER_TRANSFERS;
	conf->send_buffer = conf->recv_buffer = IDLER_BUFFER;
	conf->gateway = TEST_PEER;
	conf->spare_max = 0;
}

static void
idle_one(uint32_t i)
{
	struct bed_peer peer = station((uint16_t)(2000 + i % IDLER_PORTS));
	struct pmtcp_conn_info info;
	struct pmtcp_conn *conn;
	uint32_t edge;

	peer.ip = PMTCP_IP4(172, 16, 0, 1) + i / IDLER_PORTS;
	conn = bed_accept(&bed, &peer);
	assert_non_null(conn);
	info = info_of(conn);
	edge = info.rcv_nxt + info.rcv_wnd;
	for (int k = 0; k < 10; k++)
		bed_peer_sends(&bed, &peer, PKT_ACK, 1000);
	bed_turn(&bed);
	bed_forget(&bed);
	info = info_of(conn);
	assert_int_equal(info.unread, i < IDLER_TRANSFERS ? IDLER_BUFFER : 0);
	assert_true(seq_geq(info.rcv_nxt + info.rcv_wnd, edge));
	assert_int_equal(pmtcp_write(conn, "x", 1), i < IDLER_TRANSFERS ? 1 : -EAGAIN);
	bed_turn(&bed);
	bed_forget(&bed);
	while (bed_event(&bed).flags != 0)
		;
}

/* A thousand of them hold text, each a buffer full in nine packets, and the octet that it
 * sends; the others hold nothing. */
static void
res_10_idle_readers_are_bounded(void **state)
{
	struct pmtcp_listen_opts opts = {.conn_max = IDLERS};

	(void)state;
	bed_create(&bed, tune_idlers);
	listen_with(&opts);
	for (uint32_t i = 0; i < IDLERS; i++)
		idle_one(i);
	print_message("%d idle readers\n", IDLERS);
	assert_int_equal(bed_stats(&bed).state[PMTCP_ESTABLISHED], IDLERS);
	assert_in_range(bed_stats(&bed).transfers_used, 1, 2 * IDLER_TRANSFERS);
	assert_in_range(test_pool_live(bed.pool), 1, (9 + 1) * IDLER_TRANSFERS);
	bed_destroy(&bed);
}

/* Everything that waits for the wire goes there and is acknowledged. */
static void
carry(int n)
{
	const struct pkt *p;

	bed_turn(&bed);
	while ((p = bed_take(&bed)) != NULL) {
		int i = p->dport - 2000;

		assert_in_range(i, 0, n - 1);
		if (p->len == 0)
			continue;
		peers[i].ack = p->seq + p->len;
		bed_peer_sends(&bed, &peers[i], PKT_ACK, 0);
	}
	bed_turn(&bed);
}

/* DATA-30: one octet each, with room for two at a time; who was told to wait is told when
 * there is room, and nobody waits for ever. */
static void
res_10_starved_senders_resume_when_records_come_free(void **state)
{
	enum { N = 40 };
	bool is_done[N] = {false};
	uint32_t n_done = 0, n_turns = 0;

	(void)state;
	begin(tune_few_transfers);
	for (int i = 0; i < N; i++)
		accept_one(i);
	bed_forget(&bed);
	for (int i = 0; i < N; i++) {
		int ret = pmtcp_write(conns[i], "x", 1);

		assert_int_equal(ret, i < 2 ? 1 : -EAGAIN);
		assert_int_equal(pmtcp_send_space(conns[i]) > 0, i < 2);
		is_done[i] = i < 2;
		n_done += i < 2;
	}
	/* No room, no word. */
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, 0);
	while (n_done < N) {
		struct pmtcp_event ev;

		assert_true(++n_turns <= N);
		carry(N);
		while ((ev = bed_event(&bed)).flags != 0) {
			int i = 0;

			while (conns[i] != ev.conn)
				i++;
			assert_int_equal(ev.flags, PMTCP_EV_WRITABLE);
			assert_false(is_done[i]);
			assert_int_equal(pmtcp_write(conns[i], "x", 1), 1);
			is_done[i] = true;
			n_done++;
		}
	}
	carry(N);
	bed_forget(&bed);
	bed_destroy(&bed);
}

/* Those who went away while they waited, or were told and do nothing, take nobody's turn;
 * and a driver that sleeps until the deadline is woken. */
static void
res_10_room_passes_by_those_who_left(void **state)
{
	(void)state;
	begin(tune_few_transfers);
	for (int i = 0; i < 6; i++)
		accept_one(i);
	for (int i = 0; i < 6; i++)
		pmtcp_write(conns[i], "x", 1);
	pmtcp_abort(conns[2]);
	pmtcp_detach(conns[3]);
	bed_turn(&bed);
	bed_forget(&bed);
	pop_events();
	pmtcp_abort(conns[0]);
	pmtcp_abort(conns[1]);
	assert_int_equal(pmtcp_deadline(bed.ctx), pmtcp_now(bed.ctx));
	bed_turn(&bed);
	pop_events(); /* to 4 and 5: they may, and do not */
	assert_int_equal(pmtcp_write(conns[5], "x", 1), 1);
	assert_int_equal(pmtcp_write(conns[4], "x", 1), 1);
	bed_turn(&bed);
	assert_int_equal(bed_event(&bed).flags, 0);
	bed_forget(&bed);
	bed_destroy(&bed);
}

/* ---- RES-11 ---- */

/* Both ways of closing and the end by RST, without a buffer and without a free block:
 * states change all the same; only what would be sent waits. */
static void
res_11_closing_needs_no_memory(void **state)
{
	(void)state;
	begin(tune_no_spares);
	for (int i = 0; i < 3; i++)
		accept_one(i);
	/* Injected frames are made before the drought. */
	pmtcp_shutdown(conns[0]);
	assert_int_equal(bed_peer_gets(&bed, &peers[0])->flags, PKT_FIN | PKT_ACK);
	bed_peer_sends(&bed, &peers[0], PKT_FIN | PKT_ACK, 0);
	bed_peer_sends(&bed, &peers[1], PKT_FIN | PKT_ACK, 0);
	bed_peer_sends(&bed, &peers[2], PKT_RST, 0);
	test_pool_fail_after(bed.pool, 0);
	bed_turn(&bed);
	assert_int_equal(bed_stats(&bed).state[PMTCP_TIME_WAIT], 1);
	assert_int_equal(bed_stats(&bed).state[PMTCP_CLOSE_WAIT], 1);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_GRACEFUL], 1);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_PEER_RESET], 1);
	pmtcp_close(conns[1]);
	assert_int_equal(bed_stats(&bed).state[PMTCP_LAST_ACK], 1);
	/* The timers run, and TIME-WAIT ends. */
	bed_advance(&bed, 62 * SEC);
	assert_int_equal(bed_stats(&bed).state[PMTCP_TIME_WAIT], 0);
	test_pool_fail_after(bed.pool, TEST_POOL_NEVER);
	pop_events();
	bed_advance(&bed, SEC);
	bed_forget(&bed);
	bed_destroy(&bed);
}

/* ---- RES-12 ---- */

static void
tune_flood(struct pmtcp_conf *conf)
{
	conf->max_half_open = 16;
}

static void
tune_flood_off(struct pmtcp_conf *conf)
{
	tune_flood(conf);
	conf->syn_cookies = PMTCP_COOKIES_OFF;
}

static void
res_12_flood_is_bounded_and_leaves_no_trace(void **state)
{
	(void)state;
	for (int off = 0; off < 2; off++) {
		begin(off ? tune_flood_off : tune_flood);
		accept_one(0);
		for (uint16_t i = 1; i <= 1000; i++) {
			(void)syn_is_answered(i);
			assert_true(bed_stats(&bed).half_open <= 16);
			if (i % 100 == 0)
				echo_works(0);
		}
		/* In one millisecond: 500 of those beyond the limit were worked for. */
		assert_int_equal(bed_counter(&bed, off ? PMTCP_C_half_open_replaced
						       : PMTCP_C_cookies_sent),
				500);
		assert_int_equal(bed_counter(&bed, PMTCP_C_drop_syn_limit), 1000 - 16 - 500);
		bed_advance(&bed, 200 * SEC);
		bed_forget(&bed);
		assert_int_equal(bed_stats(&bed).half_open, 0);
		assert_int_equal(bed_stats(&bed).blocks_used, 1);
		bed_destroy(&bed);
	}
}

/* ---- RES-14 ---- */

static void
tune_first_of_two(struct pmtcp_conf *conf)
{
	conf->owners = 2;
	conf->owner = 0;
}

static void
tune_second_of_two(struct pmtcp_conf *conf)
{
	conf->owners = 2;
	conf->owner = 1;
}

/* Every frame comes to the first worker; what is the second's is handed over and works. */
static void
res_14_foreign_packet_works_at_its_owner(void **state)
{
	static struct bed other;
	struct rte_mbuf *pkts[8];
	uint16_t owners[8];
	struct pmtcp_addr local = pmtcp_addr4(0, PORT);
	struct pmtcp_listener *l;
	uint16_t port = 2000, n = 0;

	(void)state;
	begin(tune_first_of_two);
	bed_create(&other, tune_second_of_two);
	assert_int_equal(pmtcp_listen(other.ctx, &local, NULL, &l), 0);
	while (n == 0) {
		struct build syn = syn_of(port++, X, 0);

		bed_inject(&bed, &syn);
		pmtcp_input(bed.ctx, bed.now, bed.burst, bed.n_burst);
		bed.n_burst = 0;
		n = pmtcp_misdirected(bed.ctx, pkts, owners, 8);
		assert_true(port < 2100);
	}
	assert_int_equal(n, 1);
	assert_int_equal(owners[0], 1);
	assert_int_equal(bed_counter(&bed, PMTCP_C_misdirected), 1);
	bed_inject_mbuf(&other, pkts[0]);
	bed_turn(&other);
	assert_int_equal(bed_take(&other)->flags, PKT_SYN | PKT_ACK);
	assert_int_equal(bed_stats(&other).half_open, 1);
	bed_turn(&bed);
	bed_forget(&bed);
	bed_destroy(&other);
	bed_destroy(&bed);
}

/* The room for them is bounded, and what is lost there is counted. */
static void
res_14_frames_not_taken_are_counted(void **state)
{
	uint64_t foreign;

	(void)state;
	begin(tune_first_of_two);
	for (uint16_t i = 0; i < 60; i++) {
		struct build syn = syn_of((uint16_t)(2000 + i), X, 0);

		bed_inject(&bed, &syn);
	}
	bed_turn(&bed);
	bed_forget(&bed);
	foreign = bed_counter(&bed, PMTCP_C_misdirected);
	assert_in_range(foreign, 10, 50);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_misdirected), 0);
	(void)syn_is_answered(1999);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_misdirected), foreign);
	bed_destroy(&bed);
}

/* ---- RES-15, RES-16 ---- */

static void
res_15_shutdown_leaks_nothing(void **state)
{
	(void)state;
	begin(tune_share);
	for (int i = 0; i < SHARE - 1; i++) {
		accept_one(i);
		assert_int_equal(pmtcp_write(conns[i], "unsent", 6), 6);
		if (i % 3 == 0)
			bed_peer_sends(&bed, &peers[i], PKT_ACK, 100);
		if (i % 3 == 1)
			pmtcp_shutdown(conns[i]);
		bed_turn(&bed);
		bed_forget(&bed);
		pop_events();
	}
	bed_advance(&bed, SEC); /* the deadline of those that could still close */
	bed_forget(&bed);
	pop_events();
	for (int i = 0; i < SHARE - 1; i++) {
		pmtcp_abort(conns[i]);
		bed_turn(&bed);
		assert_int_equal(bed_take(&bed)->flags, PKT_RST | PKT_ACK);
	}
	pop_events();
	bed_turn(&bed);
	assert_int_equal(bed_stats(&bed).live, 0);
	assert_int_equal(bed_stats(&bed).blocks_used, 0);
	assert_int_equal(test_pool_live(bed.pool), 0);
	bed_destroy(&bed);
	/* And at once, with all of them alive: bed_destroy() counts the buffers. */
	begin(tune_share);
	for (int i = 0; i < SHARE; i++) {
		accept_one(i);
		assert_int_equal(pmtcp_write(conns[i], "unsent", 6), 6);
		bed_peer_sends(&bed, &peers[i], PKT_ACK, 100);
		bed_turn(&bed);
		bed_forget(&bed);
		pop_events();
	}
	bed_destroy(&bed);
}

static void
res_16_frames_states_and_status_add_up(void **state)
{
	struct build junk = {.sport = 1, .dport = 2, .flags = PKT_ACK, .l4_cksum_xor = 1};
	struct pmtcp_conn_info info;
	struct pmtcp_stats st;
	uint64_t fates = 0;
	uint32_t states = 0;

	(void)state;
	begin(NULL);
	accept_one(0);
	accept_one(1);
	assert_true(syn_is_answered(7));
	bed_inject(&bed, &junk);
	bed_peer_sends(&bed, &peers[0], PKT_ACK, 100);
	bed_peer_sends(&bed, &peers[1], PKT_FIN | PKT_ACK, 0);
	bed_turn(&bed);
	st = bed_stats(&bed);
	for (int i = 0; i < PMTCP_FATE_MAX; i++)
		fates += st.counter[i];
	assert_int_equal(fates, 2 + 2 + 1 + 1 + 2);
	assert_int_equal(st.counter[PMTCP_C_rx_frames], fates);
	for (int i = PMTCP_SYN_SENT; i < PMTCP_STATE_MAX; i++)
		states += st.state[i];
	assert_int_equal(states, 3);
	assert_null(pmtcp_stats_audit(&st));
	info = info_of(conns[0]);
	assert_int_equal(info.state, PMTCP_ESTABLISHED);
	assert_int_equal(info.unread, 100);
	assert_int_equal(info.rcv_nxt, peers[0].seq);
	assert_int_equal(info.remote.port, peers[0].port);
	assert_int_equal(info_of(conns[1]).state, PMTCP_CLOSE_WAIT);
	bed_destroy(&bed);
}

/* ---- RES-17 ---- */

static void
tune_short_rto(struct pmtcp_conf *conf)
{
	conf->rto_min_ms = 20;
	tune_share(conf);
}

/* A callback of 50 ms, beyond each RTO: what came meanwhile is read before timers run, so
 * nothing is sent again. */
static void
res_17_long_callback_makes_no_false_timeouts(void **state)
{
	enum { N = 50 };

	(void)state;
	begin(tune_short_rto);
	for (int i = 0; i < N; i++)
		accept_one(i);
	for (int i = 0; i < N; i++)
		assert_int_equal(pmtcp_write(conns[i], "0123456789", 10), 10);
	bed_turn(&bed);
	for (int i = 0; i < N; i++) {
		assert_int_equal(bed_take(&bed)->len, 10);
		peers[i].ack += 10;
		bed_peer_sends(&bed, &peers[i], PKT_ACK, 0);
	}
	bed.now += 50 * BED_MS;
	bed_turn(&bed);
	assert_int_equal(bed_counter(&bed, PMTCP_C_rexmt_timeout), 0);
	assert_int_equal(bed_counter(&bed, PMTCP_C_retransmitted), 0);
	assert_null(bed_take(&bed));
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_9_failed_insert_leaves_all_keys),
			cmocka_unit_test(res_10_buffers_are_bounded_by_connection_and_core),
			cmocka_unit_test(res_10_idle_readers_are_bounded),
			cmocka_unit_test(res_10_starved_senders_resume_when_records_come_free),
			cmocka_unit_test(res_10_room_passes_by_those_who_left),
			cmocka_unit_test(res_11_closing_needs_no_memory),
			cmocka_unit_test(res_12_flood_is_bounded_and_leaves_no_trace),
			cmocka_unit_test(res_14_foreign_packet_works_at_its_owner),
			cmocka_unit_test(res_14_frames_not_taken_are_counted),
			cmocka_unit_test(res_15_shutdown_leaks_nothing),
			cmocka_unit_test(res_16_frames_states_and_status_add_up),
			cmocka_unit_test(res_17_long_callback_makes_no_false_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
