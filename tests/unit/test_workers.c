/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: several workers share a port (RES-14): whichever queue a frame comes to, its owner
 * gets it; workers without a queue receive and send through the others; what one hears of a
 * neighbour all know; a full ring is a counted loss; and no buffer is missing after that.
 * Method: echo connections over rings, all workers by turns on one thread, then on threads
 * of their own. The numbers of frames are those the workers counted at the device. */

#include "shell_bed.h"

#include <errno.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "dpdk/steer.h"

enum { CONNS = 100, OCTETS = 3000 };

static struct shell_bed bed;

static struct shell_conf
conf_of(uint16_t workers, uint16_t queues)
{
	return (struct shell_conf){.conns = CONNS,
			.octets = OCTETS,
			.ring_size = 1024,
			.workers = workers,
			.queues = queues};
}

/* Everything that was handed over has arrived, and the wire's frames have one fate each. */
static void
check_conservation(int end)
{
	struct pmtcp_worker_stats shell = shell_worker_stats(&bed, end);
	struct pmtcp_stats stats = shell_stats(&bed, end);
	uint64_t fates = 0;

	for (int i = 0; i < PMTCP_FATE_MAX; i++)
		fates += stats.counter[i];
	assert_int_equal(fates, shell.rx_packets);
	assert_int_equal(shell.misdirected, shell.steer_taken + shell.steer_dropped);
	assert_int_equal(stats.counter[PMTCP_C_misdirected], shell.steer_taken);
	assert_int_equal(stats.counter[PMTCP_C_drop_misdirected], shell.steer_dropped);
	assert_int_equal(shell.tx_dropped, 0);
	assert_int_equal(shell.notices_lost, 0);
}

/* Each worker has served a fair part, and the two ends saw the same connections. */
static void
check_shares(uint16_t workers)
{
	uint32_t sum = 0;

	for (uint16_t i = 0; i < workers; i++) {
		uint32_t served = bed.apps[SHELL_SERVER][i].over;

		assert_in_range(served, CONNS / 2, 2 * CONNS);
		sum += served;
	}
	assert_int_equal(sum, workers * CONNS);
}

static void
echo_all(const struct shell_conf *conf)
{
	shell_open(&bed, conf);
	shell_echo_all(&bed);
	for (int i = 0; i < 10; i++)
		shell_turn(&bed); /* the last ACKs */
	check_conservation(SHELL_SERVER);
	check_conservation(SHELL_CLIENT);
}

/* As many queues as workers at both ends, and a hash that is the same in both directions. */
static void
res_14_right_queues_need_no_handing_over(void **state)
{
	const struct shell_conf conf = conf_of(2, 2);

	(void)state;
	echo_all(&conf);
	check_shares(2);
	assert_int_equal(shell_worker_stats(&bed, SHELL_SERVER).misdirected, 0);
	assert_int_equal(shell_worker_stats(&bed, SHELL_CLIENT).misdirected, 0);
	shell_close(&bed);
}

static void
res_14_every_frame_on_the_wrong_queue(void **state)
{
	struct shell_conf conf = conf_of(2, 2);
	uint64_t tcp_frames;

	(void)state;
	conf.wrong_permille = 1000;
	echo_all(&conf);
	check_shares(2);
	for (int end = 0; end < 2; end++) {
		struct pmtcp_stats stats = shell_stats(&bed, end);

		tcp_frames = shell_worker_stats(&bed, end).rx_packets -
			     stats.counter[PMTCP_C_arp_taken];
		assert_int_equal(stats.counter[PMTCP_C_misdirected], tcp_frames);
	}
	shell_close(&bed);
}

static void
res_14_every_second_frame_on_the_wrong_queue(void **state)
{
	struct shell_conf conf = conf_of(2, 2);
	struct pmtcp_worker_stats stats;

	(void)state;
	conf.wrong_permille = 500;
	echo_all(&conf);
	check_shares(2);
	stats = shell_worker_stats(&bed, SHELL_SERVER);
	assert_in_range(stats.misdirected, stats.rx_packets / 3, stats.rx_packets * 2 / 3);
	shell_close(&bed);
}

/* One worker receives and sends for all. It heard of the neighbour; the others never ask. */
static void
res_14_one_queue_serves_all_workers(void **state)
{
	(void)state;
	for (uint16_t workers = 2; workers <= 4; workers++) {
		const struct shell_conf conf = conf_of(workers, 1);
		struct pmtcp_worker_stats stats;

		echo_all(&conf);
		check_shares(workers);
		for (int end = 0; end < 2; end++) {
			stats = shell_worker_stats(&bed, end);
			assert_in_range(stats.misdirected, stats.rx_packets / 3,
					stats.rx_packets * 9 / 10);
			assert_in_range(stats.tx_relayed, stats.tx_packets / 3,
					stats.tx_packets * 9 / 10);
		}
		assert_int_equal(
				shell_stats(&bed, SHELL_SERVER).counter[PMTCP_C_neigh_requests], 0);
		assert_true(shell_stats(&bed, SHELL_SERVER).counter[PMTCP_C_neigh_told] > 0);
		shell_close(&bed);
	}
}

/* The only queue's worker owns nothing at all: all works at the other. */
static void
res_14_worker_of_the_queue_owns_nothing(void **state)
{
	struct shell_conf conf = conf_of(2, 1);

	(void)state;
	conf.wrong_permille = 1000;
	echo_all(&conf);
	assert_int_equal(bed.apps[SHELL_SERVER][0].over, 0);
	assert_int_equal(bed.apps[SHELL_SERVER][1].over, 2 * CONNS);
	shell_close(&bed);
}

/* Three workers, two queues: the third has no queue of its own. */
static void
res_14_more_workers_than_queues(void **state)
{
	const struct shell_conf conf = conf_of(3, 2);

	(void)state;
	echo_all(&conf);
	check_shares(3);
	assert_true(shell_worker_stats(&bed, SHELL_SERVER).tx_relayed > 0);
	shell_close(&bed);
}

/* A wire of 8 frames: the relaying worker's backlog, and behind it those of the others, hold
 * back what the device does not take. */
static void
res_7_slow_device_behind_a_relay_loses_nothing(void **state)
{
	struct shell_conf conf = conf_of(2, 1);

	(void)state;
	conf.ring_size = 8;
	echo_all(&conf);
	for (int end = 0; end < 2; end++) {
		const struct pmtcp_worker_stats stats = shell_worker_stats(&bed, end);

		/* What had to wait is counted once, by whose it is. */
		assert_int_equal(stats.tx_packets,
				shell_stats(&bed, end).counter[PMTCP_C_tx_frames]);
		assert_int_equal(stats.tx_dropped, 0);
	}
	shell_close(&bed);
}

/* The second worker stands still: eight frames wait for it, what is above is lost and counted,
 * and what waits comes back at the end. */
static void
res_14_full_ring_is_a_counted_loss(void **state)
{
	struct shell_conf conf = conf_of(2, 1);
	struct pmtcp_worker_stats stats;
	struct pmtcp_stats core;

	(void)state;
	conf.steer_ring = 8;
	shell_open(&bed, &conf);
	for (int i = 0; i < 50; i++) {
		pmtcp_worker_turn(bed.workers[SHELL_SERVER][0], NULL, NULL);
		for (uint16_t k = 0; k < 2; k++)
			pmtcp_worker_turn(bed.workers[SHELL_CLIENT][k], NULL, NULL);
	}
	pmtcp_worker_stats(bed.workers[SHELL_SERVER][0], &stats);
	pmtcp_stats(pmtcp_worker_ctx(bed.workers[SHELL_SERVER][0]), &core);
	/* A notice about the client's address is one of the eight. */
	assert_int_equal(stats.misdirected - stats.steer_dropped, 7);
	assert_true(stats.steer_dropped > 20);
	assert_int_equal(core.counter[PMTCP_C_drop_misdirected], stats.steer_dropped);
	assert_int_equal(core.counter[PMTCP_C_misdirected], 7);
	assert_null(pmtcp_stats_audit(&core));
	shell_close(&bed);
}

/* A frame whose table of owners is another's goes round once, not for ever. */
static void
res_14_frame_that_nobody_owns_does_not_circle(void **state)
{
	struct shell_conf conf = conf_of(2, 1);
	const struct pmtcp_rss nobody = {.reta_size = 1, .reta = {0}};
	struct pmtcp_worker_stats stats;
	struct pmtcp_stats core;
	struct pmtcp_conf second;

	(void)state;
	conf.wrong_permille = 1000;
	shell_open(&bed, &conf);
	second = *pmtcp_worker_conf(bed.workers[SHELL_SERVER][1]);
	pmtcp_worker_destroy(bed.workers[SHELL_SERVER][1]);
	second.rss = &nobody;
	assert_int_equal(pmtcp_worker_create(bed.ports[SHELL_SERVER], 1, &second, NULL,
					 &bed.workers[SHELL_SERVER][1]),
			0);
	for (int i = 0; i < 50; i++)
		shell_turn(&bed);
	pmtcp_worker_stats(bed.workers[SHELL_SERVER][1], &stats);
	pmtcp_stats(pmtcp_worker_ctx(bed.workers[SHELL_SERVER][1]), &core);
	assert_true(stats.steer_taken > 0);
	assert_int_equal(core.counter[PMTCP_C_drop_misdirected], stats.steer_taken);
	assert_int_equal(core.counter[PMTCP_C_misdirected], 0);
	assert_int_equal(stats.misdirected, 0);
	shell_close(&bed);
}

/* ---- threads ------------------------------------------------------------------- */

static void
on_threads(enum pmtcp_idle idle)
{
	struct shell_conf conf = conf_of(2, 1);
	uint64_t end_ns = pmtcp_clock_now() + 60000000000ull;

	conf.opts.idle = idle;
	shell_open(&bed, &conf);
	for (uint16_t i = 0; i < 2; i++) {
		const struct pmtcp_job server = {bed.workers[SHELL_SERVER][i], shell_serve,
				&bed.apps[SHELL_SERVER][i]};
		const struct pmtcp_job client = {bed.workers[SHELL_CLIENT][i], shell_check,
				&bed.apps[SHELL_CLIENT][i]};

		assert_int_equal(pmtcp_worker_start(&server, 1, -1), 0);
		assert_int_equal(pmtcp_worker_start(&client, 1, -1), 0);
	}
	for (int end = 0; end < 2; end++) {
		for (uint16_t i = 0; i < 2; i++) {
			const struct shell_app *app = &bed.apps[end][i];
			uint32_t seen;

			do {
				sched_yield();
				seen = __atomic_load_n(&app->over, __ATOMIC_RELAXED);
			} while (seen < CONNS / 2 && pmtcp_clock_now() < end_ns);
		}
	}
	for (int end = 0; end < 2; end++)
		for (uint16_t i = 0; i < 2; i++)
			pmtcp_worker_join(bed.workers[end][i]);
	shell_echo_all(&bed); /* what was under way */
	check_shares(2);
	for (int i = 0; i < 10; i++)
		shell_turn(&bed);
	check_conservation(SHELL_SERVER);
	check_conservation(SHELL_CLIENT);
	shell_close(&bed);
}

static void
res_14_workers_on_threads(void **state)
{
	(void)state;
	on_threads(PMTCP_IDLE_YIELD);
}

static void
res_14_workers_on_threads_that_sleep(void **state)
{
	(void)state;
	on_threads(PMTCP_IDLE_SLEEP);
}

static void
worker_stats_add_up(void **state)
{
	struct pmtcp_worker_stats sum = {.turns = 1,
			.pcap_lost = 2,
			.rx_missed = 5,
			.backlog = 3,
			.free_permille = 800};
	const struct pmtcp_worker_stats one = {.turns = 10,
			.tx_relayed = 7,
			.pcap_lost = 20,
			.rx_missed = 4,
			.backlog = 30,
			.free_permille = 700};

	(void)state;
	pmtcp_worker_stats_add(&sum, &one);
	assert_int_equal(sum.turns, 11);
	assert_int_equal(sum.tx_relayed, 7);
	assert_int_equal(sum.pcap_lost, 22);
	assert_int_equal(sum.rx_missed, 5);
	assert_int_equal(sum.backlog, 33);
	assert_int_equal(sum.free_permille, 700);
}

/* Whoever is about to sleep sees what waits; whoever puts something there wakes the sleeper. */
static void
steer_wakes_whoever_sleeps(void **state)
{
	const struct steer_conf conf = {
			.port_id = 30, .workers = 2, .n_tx = 1, .ring = 8, .node = -1};
	struct rte_mbuf *m = (struct rte_mbuf *)(uintptr_t)64; /* never looked at */
	struct steer *s = NULL;
	uint64_t rung = 0;
	void *entry;

	(void)state;
	assert_int_equal(steer_create(&conf, &s), 0);
	s->end[0].wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->end[0].may_sleep = true;
	assert_true(steer_fall_asleep(s, 0));
	assert_int_equal(steer_send(s, 1, &m, 1), 1);
	assert_int_equal(read(s->end[0].wake_fd, &rung, sizeof(rung)), sizeof(rung));
	assert_int_equal(rung, 1);
	assert_false(steer_fall_asleep(s, 0));
	assert_int_equal(steer_send(s, 1, &m, 1), 1); /* it is awake: no bell */
	assert_int_equal(read(s->end[0].wake_fd, &rung, sizeof(rung)), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(rte_ring_sc_dequeue(s->tx[1], &entry), 0);
	assert_int_equal(rte_ring_sc_dequeue(s->tx[1], &entry), 0);
	assert_true(steer_is_empty(s, 0));
	close(s->end[0].wake_fd);
	steer_destroy(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(res_14_right_queues_need_no_handing_over),
			cmocka_unit_test(res_14_every_frame_on_the_wrong_queue),
			cmocka_unit_test(res_14_every_second_frame_on_the_wrong_queue),
			cmocka_unit_test(res_14_one_queue_serves_all_workers),
			cmocka_unit_test(res_14_worker_of_the_queue_owns_nothing),
			cmocka_unit_test(res_14_more_workers_than_queues),
			cmocka_unit_test(res_7_slow_device_behind_a_relay_loses_nothing),
			cmocka_unit_test(res_14_full_ring_is_a_counted_loss),
			cmocka_unit_test(res_14_frame_that_nobody_owns_does_not_circle),
			cmocka_unit_test(res_14_workers_on_threads),
			cmocka_unit_test(res_14_workers_on_threads_that_sleep),
			cmocka_unit_test(worker_stats_add_up),
			cmocka_unit_test(steer_wakes_whoever_sleeps),
	};

	return cmocka_run_group_tests(tests, shell_start_eal, shell_stop_eal);
}
