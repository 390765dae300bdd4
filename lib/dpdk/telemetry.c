/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Workers seen through rte_telemetry: "/pmtcp/workers" lists them as port:queue, and
 * "/pmtcp/worker,PORT:QUEUE" gives a worker's own numbers and its context's;
 * "/pmtcp/port,PORT" gives the sums over the workers of a port. The telemetry thread only
 * reads counters; it never enters a context. */

#include "dpdk/worker.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <rte_telemetry.h>

#define WORKERS_MAX 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct pmtcp_worker *workers[WORKERS_MAX];
static bool is_registered;

static int
list_workers(const char *cmd, const char *params, struct rte_tel_data *data)
{
	char name[16];

	(void)cmd;
	(void)params;
	rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < WORKERS_MAX; i++) {
		if (workers[i] == NULL)
			continue;
		snprintf(name, sizeof(name), "%u:%u", workers[i]->port_id, workers[i]->queue);
		rte_tel_data_add_array_string(data, name);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

/* What one worker or several have counted. */
struct numbers {
	uint32_t workers;
	struct pmtcp_worker_stats own;
	struct pmtcp_stats stats;
};

static void
collect(struct numbers *sum, const struct pmtcp_worker *w)
{
	struct pmtcp_worker_stats own;
	struct pmtcp_stats stats;

	pmtcp_worker_stats(w, &own);
	pmtcp_stats(w->ctx, &stats);
	pmtcp_worker_stats_add(&sum->own, &own);
	pmtcp_stats_add(&sum->stats, &stats);
	sum->workers++;
}

static void
add_numbers(const struct numbers *sum, struct rte_tel_data *data)
{
	const struct pmtcp_worker_stats *own = &sum->own;
	const struct pmtcp_stats *stats = &sum->stats;

	rte_tel_data_add_dict_u64(data, "workers", sum->workers);
	rte_tel_data_add_dict_u64(data, "turns", own->turns);
	rte_tel_data_add_dict_u64(data, "busy_turns", own->busy_turns);
	rte_tel_data_add_dict_u64(data, "busy_cycles", own->busy_cycles);
	rte_tel_data_add_dict_u64(data, "rx_packets", own->rx_packets);
	rte_tel_data_add_dict_u64(data, "tx_packets", own->tx_packets);
	rte_tel_data_add_dict_u64(data, "tx_dropped", own->tx_dropped);
	rte_tel_data_add_dict_u64(data, "tx_relayed", own->tx_relayed);
	rte_tel_data_add_dict_u64(data, "steer_taken", own->steer_taken);
	rte_tel_data_add_dict_u64(data, "steer_dropped", own->steer_dropped);
	rte_tel_data_add_dict_u64(data, "notices_lost", own->notices_lost);
	rte_tel_data_add_dict_u64(data, "loop_stalls", own->loop_stalls);
	rte_tel_data_add_dict_u64(data, "free_permille", own->free_permille);
	rte_tel_data_add_dict_u64(data, "live", stats->live);
	rte_tel_data_add_dict_u64(data, "half_open", stats->half_open);
	rte_tel_data_add_dict_u64(data, "time_wait", stats->time_wait);
	for (int i = 0; i < PMTCP_C_MAX; i++)
		rte_tel_data_add_dict_u64(
				data, pmtcp_counter_name((enum pmtcp_counter)i), stats->counter[i]);
}

/* Of one worker, or of all of a port. Returns 0, or -1 if there is none. */
static int
show(uint32_t port, uint32_t queue, bool is_port, struct rte_tel_data *data)
{
	struct numbers sum;

	memset(&sum, 0, sizeof(sum));
	sum.own.free_permille = 1000;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < WORKERS_MAX; i++)
		if (workers[i] != NULL && workers[i]->port_id == port &&
				(is_port || workers[i]->queue == queue))
			collect(&sum, workers[i]);
	pthread_mutex_unlock(&lock);
	if (sum.workers == 0)
		return -1;
	rte_tel_data_start_dict(data);
	add_numbers(&sum, data);
	return 0;
}

static int
show_worker(const char *cmd, const char *params, struct rte_tel_data *data)
{
	unsigned int port, queue;

	(void)cmd;
	if (params == NULL || sscanf(params, "%u:%u", &port, &queue) != 2)
		return -1;
	return show(port, queue, false, data);
}

static int
show_port(const char *cmd, const char *params, struct rte_tel_data *data)
{
	unsigned int port;

	(void)cmd;
	if (params == NULL || sscanf(params, "%u", &port) != 1)
		return -1;
	return show(port, 0, true, data);
}

void
telemetry_add(struct pmtcp_worker *w)
{
	pthread_mutex_lock(&lock);
	if (!is_registered) {
		(void)rte_telemetry_register_cmd("/pmtcp/workers", list_workers,
				"Lists workers as port:queue. Takes no parameters");
		(void)rte_telemetry_register_cmd("/pmtcp/worker", show_worker,
				"Counters of a worker. Parameter: port:queue");
		(void)rte_telemetry_register_cmd("/pmtcp/port", show_port,
				"Counters of all workers of a port together. Parameter: port");
		is_registered = true;
	}
	for (int i = 0; i < WORKERS_MAX; i++) {
		if (workers[i] != NULL)
			continue;
		workers[i] = w;
		break;
	}
	pthread_mutex_unlock(&lock);
}

void
telemetry_remove(struct pmtcp_worker *w)
{
	pthread_mutex_lock(&lock);
	for (int i = 0; i < WORKERS_MAX; i++)
		if (workers[i] == w)
			workers[i] = NULL;
	pthread_mutex_unlock(&lock);
}
