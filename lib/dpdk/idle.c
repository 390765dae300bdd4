/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Sleeping until there is work. What a device can be waited for differs: net_tap lends
 * the descriptor it reads from; for net_af_packet a packet socket of our own is bound to
 * the same interface and holds no more than one frame, so that it costs next to nothing
 * while nobody waits; all others are polled often. */

#include "dpdk/worker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

/* The application may have timers we do not know of. */
#define SLEEP_MAX_NS 1000000u

/* Between polls of a device that cannot be waited for. */
#define NAP_NS 100000u

/* A doorbell: keeps the first octet of a frame, and hardly more than one frame. */
static int
open_doorbell(uint32_t if_index)
{
	struct sock_filter keep_one = {.code = BPF_RET | BPF_K, .k = 1};
	struct sock_fprog filter = {.len = 1, .filter = &keep_one};
	struct sockaddr_ll addr = {
			.sll_family = AF_PACKET,
			.sll_protocol = htons(ETH_P_ALL),
			.sll_ifindex = (int)if_index,
	};
	int smallest = 0, on = 1;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest));
	(void)setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) != 0 ||
			bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

void
idle_open(struct pmtcp_worker *w)
{
	/* Only those that will sleep pay for what it needs. */
	if (w->idle != PMTCP_IDLE_SLEEP)
		return;
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->steer != NULL) {
		w->steer->end[w->queue].wake_fd = w->wake_fd;
		w->steer->end[w->queue].may_sleep = w->wake_fd >= 0;
	}
	if (!w->has_rx)
		return; /* the others wake it */
	if (strcmp(w->port->driver, "net_tap") == 0 && w->port->has_rx_intr)
		w->rx_fd = rte_eth_dev_rx_intr_ctl_q_get_fd(w->port_id, w->queue);
	if (strcmp(w->port->driver, "net_af_packet") == 0 && w->port->if_index != 0) {
		w->rx_fd = open_doorbell(w->port->if_index);
		w->rx_fd_is_ours = true;
	}
	if (w->rx_fd < 0)
		w->rx_fd = -1;
}

void
idle_close(struct pmtcp_worker *w)
{
	if (w->steer != NULL)
		w->steer->end[w->queue].may_sleep = false;
	if (w->wake_fd >= 0)
		(void)close(w->wake_fd);
	if (w->rx_fd >= 0 && w->rx_fd_is_ours)
		(void)close(w->rx_fd);
	w->wake_fd = w->rx_fd = -1;
}

/* Empties a descriptor that only rings: at most a few small frames, or one number. */
static void
silence(int fd)
{
	uint8_t scratch[8];

	for (int i = 0; i < 64 && read(fd, scratch, sizeof(scratch)) > 0; i++)
		continue;
}

/* How long all of these workers may sleep, at this time. */
static uint64_t
sleep_budget(const struct pmtcp_job *jobs, uint16_t n)
{
	uint64_t now_ns = clock_ns(&jobs[0].worker->clock, rte_rdtsc());
	uint64_t budget = SLEEP_MAX_NS;

	for (uint16_t i = 0; i < n; i++) {
		const struct pmtcp_worker *w = jobs[i].worker;
		uint64_t deadline = worker_deadline(w);

		if ((w->rx_fd < 0 && w->has_rx) || worker_has_backlog(w))
			budget = min_u64(budget, NAP_NS);
		if (!worker_has_backlog(w)) /* else what is due cannot leave anyway */
			budget = min_u64(budget, deadline > now_ns ? deadline - now_ns : 0);
	}
	return budget;
}

static void
wake_up(const struct pmtcp_job *jobs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		if (jobs[i].worker->steer != NULL)
			steer_wake_up(jobs[i].worker->steer, jobs[i].worker->queue);
}

/* From here on other workers of the port ring before they rely on us. False: something of
 * theirs waits already. */
static bool
fall_asleep(const struct pmtcp_job *jobs, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct pmtcp_worker *w = jobs[i].worker;

		if (w->steer == NULL || steer_fall_asleep(w->steer, w->queue))
			continue;
		wake_up(jobs, i);
		return false;
	}
	return true;
}

void
idle_sleep(const struct pmtcp_job *jobs, uint16_t n)
{
	struct pollfd fds[2 * WORKER_JOBS_MAX];
	struct timespec timeout = {.tv_nsec = (long)sleep_budget(jobs, n)};
	nfds_t n_fds = 0;

	if (timeout.tv_nsec == 0 || !fall_asleep(jobs, n))
		return;
	for (uint16_t i = 0; i < n; i++) {
		if (jobs[i].worker->wake_fd >= 0)
			fds[n_fds++] = (struct pollfd){
					.fd = jobs[i].worker->wake_fd, .events = POLLIN};
		if (jobs[i].worker->rx_fd >= 0)
			fds[n_fds++] = (struct pollfd){
					.fd = jobs[i].worker->rx_fd, .events = POLLIN};
	}
	(void)ppoll(fds, n_fds, &timeout, NULL);
	wake_up(jobs, n);
	for (uint16_t i = 0; i < n; i++) {
		struct pmtcp_worker *w = jobs[i].worker;

		/* Silenced before the next look at the device: a frame that comes after
		 * this rings anew, one that came before is found by that look. */
		if (w->wake_fd >= 0)
			silence(w->wake_fd);
		if (w->rx_fd >= 0 && w->rx_fd_is_ours)
			silence(w->rx_fd);
		w->stats.sleeps++;
		w->was_away = true;
	}
}
