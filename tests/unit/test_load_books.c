/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: whatever makes a run a failure becomes a sentence, and a run without fault
 * has none. Method: the accounts of a sound run are made by hand, then falsified
 * one entry at a time. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "load/load.h"

static struct load l;

/* 100 connections, closed by the client. */
static int
make_sound_run(void **state)
{
	struct side *c = &l.client.side;
	struct side *s = &l.server.side;
	struct pmtcp_stats *cs = &c->final.stats;
	struct pmtcp_stats *ss = &s->final.stats;

	memset(&l, 0, sizeof(l));
	l.has_client = true;
	l.has_server = true;
	run_clock_init(&l.clock, 1);
	atomic_store(&l.clock.phase, RUN_DRAINED);
	c->n.opened = 100;
	c->n.connected = 100;
	c->n.closed = 100;
	s->n = c->n;
	cs->counter[PMTCP_C_opened_active] = 100;
	cs->counter[PMTCP_C_tw_entered] = 100;
	cs->ended[PMTCP_GRACEFUL] = 100;
	cs->time_wait = 100;
	cs->state[PMTCP_TIME_WAIT] = 100;
	ss->counter[PMTCP_C_opened_passive] = 100;
	ss->counter[PMTCP_C_half_open_created] = 100;
	ss->counter[PMTCP_C_half_open_accepted] = 100;
	ss->ended[PMTCP_GRACEFUL] = 100;
	return 0;
}

static void
assert_found(uint32_t n, uint32_t n_books, const char *words)
{
	uint32_t hits = 0;

	books_check(&l);
	for (uint32_t i = 0; i < l.found.n; i++)
		hits += strstr(l.found.text[i], words) != NULL;
	assert_int_equal(l.found.n, n);
	assert_int_equal(l.found.n_books, n_books);
	assert_true(hits > 0 || n == 0);
}

static void
books_of_a_sound_run_have_no_findings(void **state)
{
	assert_found(0, 0, "");
}

static void
close_45_connection_in_no_class_is_found(void **state)
{
	l.client.side.n.closed = 99;
	assert_found(1, 1, "client's opened and closed + failed + live, 100 and 99");
}

static void
books_against_the_context_are_compared(void **state)
{
	l.server.side.final.stats.counter[PMTCP_C_opened_passive] = 101;
	l.server.side.final.stats.counter[PMTCP_C_cookies_accepted] = 1;
	l.server.side.final.stats.ended[PMTCP_GRACEFUL] = 101;
	assert_found(1, 1, "server's opened and its context's, 100 and 101");
}

static void
books_of_the_context_are_audited(void **state)
{
	l.client.side.final.stats.counter[PMTCP_C_rx_frames] = 1;
	assert_found(1, 1, "client's context, received frames");
}

static void
failed_connection_is_named_by_cause(void **state)
{
	l.client.side.n.closed = 97;
	l.client.side.n.failed[PMTCP_REFUSED] = 3;
	assert_found(1, 0, "3 connections of the client failed: refused");
}

static void
bad_payload_is_named(void **state)
{
	l.server.side.n.closed = 99;
	l.server.side.n.failed[SIDE_BAD_PAYLOAD] = 1;
	assert_found(1, 0, "1 connections of the server failed: bad_payload");
}

static void
evicted_time_wait_is_an_error(void **state)
{
	l.client.side.final.stats.counter[PMTCP_C_tw_evicted] = 4;
	l.client.side.final.stats.time_wait = 96;
	l.client.side.final.stats.state[PMTCP_TIME_WAIT] = 96;
	l.plan.max_time_wait = 96;
	assert_found(1, 0, "4 TIME-WAIT entries of the client were evicted before their 2MSL");
}

static void
accepted_without_a_client_is_found(void **state)
{
	l.client.side.n.connected = 99;
	assert_found(1, 1, "the client has 99 connected, the server 100 accepted");
}

static void
connected_but_never_accepted_needs_a_half_open(void **state)
{
	struct side *s = &l.server.side;
	uint64_t *n = s->final.stats.counter;

	s->n.opened = 98;
	s->n.connected = 98;
	s->n.closed = 98;
	n[PMTCP_C_opened_passive] = 98;
	n[PMTCP_C_half_open_accepted] = 98;
	n[PMTCP_C_half_open_reset] = 2;
	s->final.stats.ended[PMTCP_GRACEFUL] = 98;
	assert_found(0, 0, "");
	n[PMTCP_C_half_open_created] = 98;
	n[PMTCP_C_half_open_reset] = 0;
	assert_found(1, 1, "the client has 100 connected, the server 98 accepted");
}

static void
octets_must_arrive_if_nothing_failed(void **state)
{
	l.client.side.n.tx_octets = 1000;
	l.server.side.n.rx_octets = 999;
	assert_found(1, 1, "octets sent by the client");
}

static void
unfinished_connections_are_told_by_state(void **state)
{
	struct side *c = &l.client.side;

	atomic_store(&l.clock.phase, RUN_DRAIN);
	c->n.closed = 95;
	c->live = 5;
	c->final.stats.live = 5;
	c->final.stats.ended[PMTCP_GRACEFUL] = 95;
	c->final.stats.state[PMTCP_SYN_SENT] = 5;
	assert_found(1, 0,
			"5 connections of the client had not ended when the run did: "
			"5 SYN-SENT");
}

/* 100 more that stay: of each context's count, of none of the classes of the others. */
static void
make_held(void)
{
	struct side *sides[2] = {&l.client.side, &l.server.side};

	for (int i = 0; i < 2; i++) {
		struct pmtcp_stats *stats = &sides[i]->final.stats;

		sides[i]->n.held = sides[i]->n.held_ready = sides[i]->n.held_released = 100;
		stats->counter[i ? PMTCP_C_opened_passive : PMTCP_C_opened_active] += 100;
		stats->ended[i ? PMTCP_PEER_RESET : PMTCP_LOCAL_ABORT] = 100;
	}
	l.server.side.final.stats.counter[PMTCP_C_half_open_created] += 100;
	l.server.side.final.stats.counter[PMTCP_C_half_open_accepted] += 100;
}

static void
held_connections_have_books_of_their_own(void **state)
{
	(void)state;
	make_held();
	assert_found(0, 0, "");
	/* Lost before the run was over: an error, but no fault of the books. */
	l.client.side.n.held_lost = 1;
	l.client.side.n.held_released = 99;
	assert_found(1, 0, "1 of the client's 100 held connections ended before the run");
}

static void
held_connection_that_the_client_forgot_is_found(void **state)
{
	(void)state;
	make_held();
	l.client.side.n.held_released = 99;
	assert_found(2, 2, "client's held and lost + released, 100 and 99");
}

static void
held_connection_that_nobody_accepted_is_found(void **state)
{
	(void)state;
	make_held();
	l.server.side.n.held = 99;
	l.server.side.n.held_released = 99;
	l.server.side.final.stats.counter[PMTCP_C_opened_passive]--;
	l.server.side.final.stats.counter[PMTCP_C_half_open_accepted]--;
	l.server.side.final.stats.counter[PMTCP_C_half_open_created]--;
	l.server.side.final.stats.ended[PMTCP_PEER_RESET]--;
	assert_found(1, 1, "the client has 200 connected, the server 199 accepted");
}

/* An RST that was lost leaves one at the server, to which goodbye is said. */
static void
held_connection_that_the_server_still_has_is_no_fault(void **state)
{
	(void)state;
	make_held();
	l.server.side.n.held_released = 99;
	l.server.side.final.stats.ended[PMTCP_PEER_RESET] = 99;
	l.server.side.final.stats.live = 1;
	l.server.side.final.stats.state[PMTCP_ESTABLISHED] = 1;
	assert_found(0, 0, "");
}

static void
res_3_exhausted_ports_come_with_numbers(void **state)
{
	l.client.side.n.open_errors[SIDE_OPEN_PORTS] = 1;
	l.client.open_errno = EADDRNOTAVAIL;
	l.client.ports = (struct pmtcp_port_report){.range = 10, .in_use = 3, .time_wait = 7};
	l.client.ports_source = 0xc6120001;
	l.client.ports_target = 5001;
	assert_found(1, 0,
			"ports exhausted from 198.18.0.1 to port 5001: of 10 ports 3 are in "
			"use and 7 in TIME-WAIT");
}

static void
findings_beyond_the_limit_are_left_out(void **state)
{
	for (int i = 0; i < 2 * LOAD_FINDINGS_MAX; i++)
		books_note(&l, "finding %d", i);
	assert_int_equal(l.found.n, LOAD_FINDINGS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup(
					books_of_a_sound_run_have_no_findings, make_sound_run),
			cmocka_unit_test_setup(
					close_45_connection_in_no_class_is_found, make_sound_run),
			cmocka_unit_test_setup(
					books_against_the_context_are_compared, make_sound_run),
			cmocka_unit_test_setup(books_of_the_context_are_audited, make_sound_run),
			cmocka_unit_test_setup(failed_connection_is_named_by_cause, make_sound_run),
			cmocka_unit_test_setup(bad_payload_is_named, make_sound_run),
			cmocka_unit_test_setup(evicted_time_wait_is_an_error, make_sound_run),
			cmocka_unit_test_setup(accepted_without_a_client_is_found, make_sound_run),
			cmocka_unit_test_setup(connected_but_never_accepted_needs_a_half_open,
					make_sound_run),
			cmocka_unit_test_setup(
					octets_must_arrive_if_nothing_failed, make_sound_run),
			cmocka_unit_test_setup(
					unfinished_connections_are_told_by_state, make_sound_run),
			cmocka_unit_test_setup(
					held_connections_have_books_of_their_own, make_sound_run),
			cmocka_unit_test_setup(held_connection_that_the_client_forgot_is_found,
					make_sound_run),
			cmocka_unit_test_setup(held_connection_that_nobody_accepted_is_found,
					make_sound_run),
			cmocka_unit_test_setup(
					held_connection_that_the_server_still_has_is_no_fault,
					make_sound_run),
			cmocka_unit_test_setup(
					res_3_exhausted_ports_come_with_numbers, make_sound_run),
			cmocka_unit_test_setup(
					findings_beyond_the_limit_are_left_out, make_sound_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
