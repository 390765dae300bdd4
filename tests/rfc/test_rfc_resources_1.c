/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: rows RES-1, RES-2 and RES-13: what waits for the application is seen and told, and
 * ended only by who asked for it; so is what waits for a peer. Method: a bed of stations, on
 * a virtual clock. */

#include <stdlib.h>

#include "common/diag.h"
#include "support/rows.h"
#include "support/cookie_bed.h"

enum { MANY = 1000 };

static struct bed_peer peers[MANY + 2];
static struct pmtcp_conn *conns[MANY + 2];

static void
tune_many(struct pmtcp_conf *conf)
{
	conf->max_conns = conf->max_half_open = conf->max_transfers = MANY + 100;
	conf->close_wait_warn = MANY;
}

static void
pop_events(void)
{
	while (bed_event(&bed).flags != 0)
		;
}

static void
accept_one(int i)
{
	peers[i] = (struct bed_peer){.ip = TEST_PEER,
			.port = (uint16_t)(2000 + i),
			.local_port = PORT,
			.seq = X};
	conns[i] = bed_accept(&bed, &peers[i]);
	assert_non_null(conns[i]);
}

/* The peer sends so many octets and its FIN; the application looks and does nothing. */
static void
peer_closes(int i, uint32_t octets)
{
	bed_peer_sends(&bed, &peers[i], PKT_FIN | PKT_ACK, octets);
	bed_turn(&bed);
	bed_forget(&bed);
	pop_events();
}

static struct pmtcp_close_wait_report
report_now(void)
{
	struct pmtcp_close_wait_report r;

	pmtcp_close_wait_report(bed.ctx, &r);
	return r;
}

static int
diags_now(void)
{
	struct pmtcp_diag d;
	int n = 0;

	while (pmtcp_diag(bed.ctx, &d, 1) == 1) {
		assert_int_equal(d.kind, PMTCP_DIAG_CLOSE_WAIT);
		n++;
	}
	return n;
}

/* ---- RES-1 ---- */

static void
res_1_thousand_in_close_wait_make_one_line(void **state)
{
	struct pmtcp_close_wait_report r;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	begin(tune_many);
	for (int i = 0; i < MANY; i++)
		accept_one(i);
	for (int i = 0; i < MANY; i++)
		peer_closes(i, i == 0 ? 12 : 0);
	for (int i = 0; i < 9; i++) {
		bed_advance(&bed, SEC);
		diag_print(bed.ctx, "server", out);
	}
	assert_int_equal(bed_stats(&bed).state[PMTCP_CLOSE_WAIT], MANY);
	fflush(out);
	assert_non_null(strstr(text, "server: peer closed, app has not: 1000 connections (1000 on "
				     "0.0.0.0:80), 12 octets unread, 1000 of 1100 blocks in use; "
				     "oldest "));
	assert_non_null(strstr(text, " s 12 unread"));
	assert_ptr_equal(strchr(text, '\n'), text + len - 1);
	bed_advance(&bed, 4 * SEC);
	assert_int_equal(diags_now(), 1);
	r = report_now();
	assert_int_equal(r.count, MANY);
	assert_int_equal(r.age[2], MANY); /* 10 s to 60 s */
	assert_int_equal(r.unread, 12);
	assert_int_equal(r.n_listeners, 1);
	assert_int_equal(r.listeners[0].local.port, PORT);
	assert_int_equal(r.listeners[0].count, MANY);
	assert_int_equal(r.listeners[0].age[2], MANY);
	fclose(out);
	free(text);
	bed_destroy(&bed);
}

static void
res_1_age_alone_makes_a_diagnosis(void **state)
{
	struct pmtcp_close_wait_report r;

	(void)state;
	begin(NULL);
	accept_one(0);
	accept_one(1);
	peer_closes(0, 7);
	bed_advance(&bed, 55 * SEC);
	peer_closes(1, 0);
	bed_advance(&bed, 4 * SEC);
	assert_int_equal(diags_now(), 0);
	bed_advance(&bed, 2 * SEC);
	assert_int_equal(diags_now(), 1);
	r = report_now();
	assert_int_equal(r.count, 2);
	assert_int_equal(r.age[1], 1); /* 1 s to 10 s */
	assert_int_equal(r.age[3], 1); /* 60 s to 600 s */
	assert_int_equal(r.n_oldest, 2);
	assert_ptr_equal(r.oldest[0].conn, conns[0]);
	assert_int_equal(r.oldest[0].remote.ip4, TEST_PEER);
	assert_int_equal(r.oldest[0].remote.port, 2000);
	assert_int_equal(r.oldest[0].local.port, PORT);
	assert_int_equal(r.oldest[0].unread, 7);
	assert_in_range(r.oldest[0].age_ms, 60000, 61300);
	assert_in_range(r.oldest[1].age_ms, 5000, 6300);
	/* The application closes after all: nobody waits any more. */
	pmtcp_abort(conns[0]);
	pmtcp_abort(conns[1]);
	bed_advance(&bed, SEC);
	assert_int_equal(report_now().count, 0);
	assert_int_equal(report_now().n_oldest, 0);
	pop_events();
	bed_destroy(&bed);
}

static void
tune_warn_1(struct pmtcp_conf *conf)
{
	conf->close_wait_warn = 1;
}

static void
res_1_closed_in_its_turn_is_never_counted(void **state)
{
	(void)state;
	begin(tune_warn_1);
	for (int i = 0; i < 40; i++) {
		accept_one(i);
		bed_peer_sends(&bed, &peers[i], PKT_FIN | PKT_ACK, 0);
		pmtcp_input(bed.ctx, bed.now, bed.burst, bed.n_burst);
		bed.n_burst = 0;
		pmtcp_tick(bed.ctx, bed.now);
		assert_int_equal(bed_event(&bed).flags, PMTCP_EV_PEER_FIN);
		pmtcp_detach(conns[i]);
		bed_turn(&bed);
		assert_int_equal(bed_take(&bed)->flags, PKT_FIN | PKT_ACK);
		peers[i].ack = bed.taken.seq + 1;
		bed_peer_sends(&bed, &peers[i], PKT_ACK, 0);
		bed_advance(&bed, 30 * BED_MS);
		assert_int_equal(report_now().count, 0);
	}
	assert_int_equal(diags_now(), 0);
	bed_destroy(&bed);
}

/* The diagnosis is for whoever never looks at events as well. */
static void
res_1_events_not_popped_are_no_excuse(void **state)
{
	(void)state;
	begin(tune_warn_1);
	accept_one(0);
	bed_peer_sends(&bed, &peers[0], PKT_FIN | PKT_ACK, 0);
	bed_advance(&bed, 900 * BED_MS);
	assert_int_equal(report_now().count, 0);
	bed_advance(&bed, 600 * BED_MS);
	assert_int_equal(report_now().count, 1);
	assert_int_equal(diags_now(), 1);
	bed_destroy(&bed);
}

static void
res_1_actively_opened_count_without_a_listener(void **state)
{
	(void)state;
	begin(tune_warn_1);
	peers[0] = (struct bed_peer){.ip = TEST_PEER, .port = 7, .seq = X};
	assert_int_equal(bed_open(&bed, &peers[0], 0, &conns[0]), 0);
	peer_closes(0, 0);
	bed_advance(&bed, SEC);
	assert_int_equal(report_now().count, 1);
	assert_int_equal(report_now().n_listeners, 0);
	assert_int_equal(report_now().oldest[0].remote.port, 7);
	assert_int_equal(diags_now(), 1);
	bed_destroy(&bed);
}

/* ---- RES-2 ---- */

ROW(res_2_stack_never_closes_for_the_application, &rows_plain,
		REACH_CLW "; +3600s; = CLW; .; {close}; < FA i+1 p+2; = LAK; > A p+2 i+2; = CLD;"
			  "[CLOSED GRACEFUL]")

static void
tune_limit_3(struct pmtcp_conf *conf)
{
	conf->close_wait_limit = 3;
}

static void
res_2_limit_aborts_the_oldest(void **state)
{
	struct pmtcp_event ev;

	(void)state;
	begin(tune_limit_3);
	for (int i = 0; i < 5; i++)
		accept_one(i);
	for (int i = 4; i >= 0; i--) {
		peer_closes(i, 0);
		if (i >= 2)
			bed_advance(&bed, SEC);
	}
	assert_int_equal(bed_counter(&bed, PMTCP_C_close_wait_abort), 0);
	bed_advance(&bed, SEC);
	assert_int_equal(bed_counter(&bed, PMTCP_C_close_wait_abort), 2);
	assert_int_equal(bed_stats(&bed).state[PMTCP_CLOSE_WAIT], 3);
	for (int i = 4; i >= 3; i--) {
		ev = bed_event(&bed);
		assert_ptr_equal(ev.conn, conns[i]);
		assert_int_equal(ev.flags, PMTCP_EV_CLOSED);
		assert_int_equal(ev.reason, PMTCP_NO_RESOURCE);
		assert_int_equal(bed_take(&bed)->flags, PKT_RST | PKT_ACK);
		assert_int_equal(bed.taken.dport, peers[i].port);
	}
	bed_advance(&bed, 60 * SEC);
	assert_int_equal(bed_counter(&bed, PMTCP_C_close_wait_abort), 2);
	bed_destroy(&bed);
}

static void
tune_two(struct pmtcp_conf *conf)
{
	conf->max_conns = 2;
}

static void
res_2_full_table_reports_close_wait_ages(void **state)
{
	struct pmtcp_listen_opts opts = {.conn_max = 3};
	struct build syn = syn_of(9, X, 0);
	struct pmtcp_close_wait_report r;

	(void)state;
	bed_create(&bed, tune_two);
	listen_with(&opts);
	accept_one(0);
	peer_closes(0, 0);
	bed_advance(&bed, 5 * SEC);
	assert_int_equal(diags_now(), 0);
	accept_one(1);
	bed_inject(&bed, &syn);
	bed_advance(&bed, SEC);
	assert_int_equal(bed_counter(&bed, PMTCP_C_drop_tcb_full), 1);
	assert_int_equal(diags_now(), 1);
	r = report_now();
	assert_int_equal(r.conns, 2);
	assert_int_equal(r.conns_max, 2);
	assert_int_equal(r.count, 1);
	assert_int_equal(r.age[1], 1); /* 1 s to 10 s */
	bed_destroy(&bed);
}

/* ---- RES-13 ---- */

static void
tune_stall(struct pmtcp_conf *conf)
{
	tune_many(conf);
	conf->stall_abort_ms = 10000;
}

static void
peer_says(int i, uint16_t wnd)
{
	struct build b = {.sport = peers[i].port,
			.dport = PORT,
			.seq = peers[i].seq,
			.ack = peers[i].ack,
			.flags = PKT_ACK,
			.wnd = wnd};

	bed_inject(&bed, &b);
	bed_turn(&bed);
}

/* Text waits for a window that does not come. */
static void
stall_one(int i)
{
	accept_one(i);
	peer_says(i, 0);
	assert_int_equal(pmtcp_write(conns[i], "0123456789", 10), 10);
	bed_turn(&bed);
	bed_forget(&bed);
}

static void
advance_forgetting(uint32_t seconds)
{
	for (uint32_t i = 0; i < 20 * seconds; i++) {
		bed_advance(&bed, 50 * BED_MS);
		bed_forget(&bed);
	}
}

static void
res_13_stalled_peers_go_when_memory_is_low(void **state)
{
	(void)state;
	begin(tune_stall);
	for (int i = 0; i < MANY; i++)
		stall_one(i);
	accept_one(MANY); /* has nothing to send */
	accept_one(MANY + 1);
	peer_closes(MANY + 1, 0); /* is watched, so that the rest is looked at, too */
	advance_forgetting(15);
	assert_int_equal(bed_counter(&bed, PMTCP_C_stall_abort), 0);
	pmtcp_set_pressure(bed.ctx, 100);
	advance_forgetting(2);
	assert_int_equal(bed_counter(&bed, PMTCP_C_stall_abort), 0);
	pmtcp_set_pressure(bed.ctx, 99);
	advance_forgetting(2);
	assert_int_equal(bed_counter(&bed, PMTCP_C_stall_abort), MANY);
	assert_int_equal(bed_stats(&bed).ended[PMTCP_NO_RESOURCE], MANY);
	assert_int_equal(bed_stats(&bed).state[PMTCP_ESTABLISHED], 1);
	pop_events();
	bed_destroy(&bed);
}

static void
tune_pressed_default(struct pmtcp_conf *conf)
{
	conf->max_conns = 2;
}

static void
res_13_is_off_by_default(void **state)
{
	(void)state;
	begin(tune_pressed_default);
	stall_one(0);
	stall_one(1);
	pmtcp_set_pressure(bed.ctx, 0);
	advance_forgetting(60);
	assert_int_equal(bed_stats(&bed).state[PMTCP_ESTABLISHED], 2);
	bed_destroy(&bed);
}

static void
tune_stall_two(struct pmtcp_conf *conf)
{
	conf->max_conns = 3;
	conf->stall_abort_ms = 5000;
}

/* No ACK of what was sent counts as a shut window does; the oldest goes first, the youngest
 * has its time. The share of connection blocks is pressure too. */
static void
res_13_oldest_stalled_goes_first(void **state)
{
	(void)state;
	begin(tune_stall_two);
	stall_one(0);
	advance_forgetting(1);
	accept_one(1);
	assert_int_equal(pmtcp_write(conns[1], "0123456789", 10), 10);
	advance_forgetting(4);
	pop_events(); /* of its retransmissions */
	stall_one(2);
	bed_advance(&bed, 700 * BED_MS);
	assert_int_equal(bed_counter(&bed, PMTCP_C_stall_abort), 1);
	assert_ptr_equal(bed_event(&bed).conn, conns[0]);
	/* Its block is free only when the application lets go: then nothing is short. */
	advance_forgetting(2);
	assert_ptr_equal(bed_event(&bed).conn, conns[1]);
	assert_int_equal(bed_counter(&bed, PMTCP_C_stall_abort), 2);
	pmtcp_detach(conns[0]);
	pmtcp_detach(conns[1]);
	advance_forgetting(30);
	assert_int_equal(bed_counter(&bed, PMTCP_C_stall_abort), 2);
	assert_int_equal(bed_stats(&bed).state[PMTCP_ESTABLISHED], 1);
	bed_destroy(&bed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_1_thousand_in_close_wait_make_one_line),
			cmocka_unit_test(res_1_age_alone_makes_a_diagnosis),
			cmocka_unit_test(res_1_closed_in_its_turn_is_never_counted),
			cmocka_unit_test(res_1_events_not_popped_are_no_excuse),
			cmocka_unit_test(res_1_actively_opened_count_without_a_listener),
			cmocka_unit_test(res_2_stack_never_closes_for_the_application),
			cmocka_unit_test(res_2_limit_aborts_the_oldest),
			cmocka_unit_test(res_2_full_table_reports_close_wait_ages),
			cmocka_unit_test(res_13_stalled_peers_go_when_memory_is_low),
			cmocka_unit_test(res_13_is_off_by_default),
			cmocka_unit_test(res_13_oldest_stalled_goes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
