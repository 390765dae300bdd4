/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The states of all connections for the world outside: a file in the form of FreeBSD's
 * sockstat for what the script runs, and Linux's struct tcp_info. */

#include "packetdrill/plug.h"

#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NO_SSTHRESH = 1 << 30 }; /* as a context says it; Linux says INT32_MAX */

static const char *
sockstat_name(enum pmtcp_state state)
{
	static const char *const names[PMTCP_STATE_MAX] = {
			[PMTCP_CLOSED] = "CLOSED",
			[PMTCP_LISTEN] = "LISTEN",
			[PMTCP_SYN_SENT] = "SYN_SENT",
			[PMTCP_SYN_RCVD] = "SYN_RCVD",
			[PMTCP_ESTABLISHED] = "ESTABLISHED",
			[PMTCP_FIN_WAIT_1] = "FIN_WAIT_1",
			[PMTCP_FIN_WAIT_2] = "FIN_WAIT_2",
			[PMTCP_CLOSE_WAIT] = "CLOSE_WAIT",
			[PMTCP_CLOSING] = "CLOSING",
			[PMTCP_LAST_ACK] = "LAST_ACK",
			[PMTCP_TIME_WAIT] = "TIME_WAIT",
	};

	return names[state];
}

/* One line per connection, taken from the context's own count: closed sockets too. */
static void
format_states(const struct pmtcp_stats *stats, char *text, size_t room)
{
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t state = PMTCP_SYN_SENT; state < PMTCP_STATE_MAX; state++)
		for (uint32_t i = 0; i < stats->state[state] && at < room; i++)
			at += (size_t)snprintf(
					text + at, room - at, "tcp %s\n", sockstat_name(state));
}

void
state_write(struct plug *p)
{
	const char *name = getenv("PMTCP_STATE_FILE");
	char text[sizeof(p->state_text)];
	struct pmtcp_stats stats;
	FILE *file;

	if (!name || !p->ctx)
		return;
	pmtcp_stats(p->ctx, &stats);
	format_states(&stats, text, sizeof(text));
	if (strcmp(text, p->state_text) == 0)
		return;
	strcpy(p->state_text, text);
	file = fopen(name, "w");
	if (!file) {
		perror(name);
		return;
	}
	fputs(text, file);
	fclose(file);
}

int
state_linux(enum pmtcp_state state)
{
	/* As <netinet/tcp.h> numbers them, which cannot be included beside <linux/tcp.h>. */
	static const int numbers[PMTCP_STATE_MAX] = {
			[PMTCP_CLOSED] = 7,
			[PMTCP_LISTEN] = 10,
			[PMTCP_SYN_SENT] = 2,
			[PMTCP_SYN_RCVD] = 3,
			[PMTCP_ESTABLISHED] = 1,
			[PMTCP_FIN_WAIT_1] = 4,
			[PMTCP_FIN_WAIT_2] = 5,
			[PMTCP_CLOSE_WAIT] = 8,
			[PMTCP_CLOSING] = 11,
			[PMTCP_LAST_ACK] = 9,
			[PMTCP_TIME_WAIT] = 6,
	};

	return numbers[state];
}

static void
fill_info(const struct plug *p, struct tcp_info *ti, const struct pmtcp_conn_info *info)
{
	uint32_t mss = info->mss ? info->mss : 536;
	uint32_t ssthresh = info->ssthresh / mss;

	ti->tcpi_options = (uint8_t)((info->timestamps ? TCPI_OPT_TIMESTAMPS : 0) |
				     (info->sack ? TCPI_OPT_SACK : 0) |
				     (info->snd_wscale || info->rcv_wscale ? TCPI_OPT_WSCALE : 0));
	ti->tcpi_snd_wscale = info->snd_wscale & 0xf;
	ti->tcpi_rcv_wscale = info->rcv_wscale & 0xf;
	ti->tcpi_rto = info->rto_us;
	ti->tcpi_rtt = info->srtt_us;
	ti->tcpi_rttvar = info->rttvar_us;
	ti->tcpi_snd_mss = mss;
	ti->tcpi_advmss = mss;
	/* Of a connection that has nothing to send the context keeps no window. */
	ti->tcpi_snd_cwnd = info->cwnd ? info->cwnd / mss : p->profile.iw;
	ti->tcpi_snd_ssthresh = ssthresh && info->ssthresh < NO_SSTHRESH ? ssthresh : INT32_MAX;
	ti->tcpi_retransmits = info->retries;
	ti->tcpi_pmtu = info->path_mtu ? info->path_mtu : p->profile.mtu;
	ti->tcpi_unacked = (info->unacked + mss - 1) / mss;
	ti->tcpi_notsent_bytes = info->unsent;
	ti->tcpi_rcv_space = info->rcv_wnd;
}

/* As many octets as were asked for; what we do not know is 0. */
void
state_tcp_info(const struct plug *p, const struct sock *s, void *val, socklen_t len)
{
	struct pmtcp_conn_info info;
	struct tcp_info ti;

	memset(&ti, 0, sizeof(ti));
	ti.tcpi_state = (uint8_t)state_linux(sock_state(s));
	if (s->conn) {
		pmtcp_conn_info(s->conn, &info);
		fill_info(p, &ti, &info);
	}
	memset(val, 0, len);
	memcpy(val, &ti, len < sizeof(ti) ? len : sizeof(ti));
}
