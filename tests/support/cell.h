/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A test of one endpoint as a line of script. Statements are separated by ';':
 *
 *     > FA p+1 i+1 len=10 wnd=0   the peer sends: flags, SEQ, ACK if the flag A is set.
 *                                 Consecutive ones arrive in one burst. More words:
 *                                 wnd= mss= ws= urg= ts=VAL:ECR sackok sack=i+LEFT:i+RIGHT
 *     < RA i+1 p+1 len=10         the context has sent exactly this as its next frame;
 *                                 more words: wnd= mss= urg= ts=ECR. For both: ect
 *                                 (ECT(0)) and ce in the IP header, which else must be
 *                                 neither
 *     ! icmp 3/4 i+1 mtu=1400     a router says by ICMP type/code that a segment of the
 *                                 context did not arrive, and quotes this SEQ; more
 *                                 words: mtu=, len= of the IP packet quoted (40)
 *     .                           it has sent nothing else
 *     ~                           whatever it has sent does not matter here
 *     {send 10} {recv 10}=-EAGAIN a call and its result (0, or the octets, unless said);
 *                                 {keepalive_ms 1000} sets the option of that name,
 *                                 before the open that of opens to come
 *     [PEER_FIN CLOSED GRACEFUL]  the events since the last such statement, in all
 *     +40 +2s +500us              time goes on
 *     ? snd_una i+1               what STATUS says: snd_una snd_nxt snd_wnd rcv_nxt unread
 *                                 unsent unacked urgent mss
 *     = FW2                       the state, by the gauges and by the connection itself
 *     # seg_taken+2 ack_sent      counters gained since the cell began, 1 unless said
 *
 * Numbers are p+n from the peer's initial sequence number, i+n from the context's,
 * or plain. "i=" learns the latter from the frame. Input is delivered by the next
 * statement that is no '>'; output happens at '<', '.', '+': a call or event before
 * it is what an application does within the burst. At the end of each script nothing
 * may follow within 2 ms, all events must have been asked for, and '#' must have
 * named the fate of every frame injected since the cell began. */

#ifndef PMTCP_TESTS_SUPPORT_CELL_H
#define PMTCP_TESTS_SUPPORT_CELL_H

#include <stddef.h>

#include "support/endpoint.h"

struct cell {
	const char *name;
	const char *reach;  /* script that leads to the state; its counts are forgotten */
	const char *script; /* NULL: not offered, reported as skipped for the reason in `reach` */
};

/* Runs a script on an endpoint; fails the cmocka test that is running. */
void cell_script(struct ep *ep, const char *script);

/* How much later an endpoint must start for its open to have this initial number. */
uint64_t cell_later_for_iss(const struct ep_opts *opts, uint32_t iss);

/* Runs one cell on an endpoint of its own, and again with numbers that wrap. */
void cell_run(const struct cell *cell, const struct ep_opts *opts);

/* Runs each cell as a cmocka test of its own name; the result is for exit(). No
 * options are offered, so that numbers and lengths are exact. */
int cell_run_all(const char *group, const struct cell *cells, size_t n);
int cell_run_all_with(
		const char *group, const struct cell *cells, size_t n, const struct ep_opts *opts);

/* The way into each state, as scripts; {cookies} before {listen}: each SYN gets a cookie.
 * The numbers there:
 *   SYS: i+1 sent.                 SYR: RCV.NXT p+1, i+1 sent.
 *   EST: RCV.NXT p+1, SND.NXT i+1. FW1, FW2: RCV.NXT p+1, SND.NXT i+2.
 *   CLW: RCV.NXT p+2, SND.NXT i+1. CLG, LAK, TW: RCV.NXT p+2, SND.NXT i+2. */
#define REACH_CLD     ""
#define REACH_LIS     "{listen}; = LIS"
#define REACH_COOKIE  "{cookies}; {listen}; > S p; < SA i= p+1; = LIS" /* i+1 sent */
#define REACH_SYS     "{open}; < S i= 0; = SYS"
#define REACH_SYR     "{listen}; > S p; < SA i= p+1; = SYR"        /* 64-byte form */
#define REACH_SYR_ACT "{open}; < S i= 0; > S p; < SA i p+1; = SYR" /* simultaneous open */
#define REACH_EST     "{open}; < S i= 0; > SA p i+1; < A i+1 p+1; [CONNECTED]; = EST"
#define REACH_EST_PAS "{listen}; > S p; < SA i= p+1; > A p+1 i+1; [ACCEPTED]; = EST"
#define REACH_FW1     REACH_EST "; {shutdown}; < FA i+1 p+1; = FW1"
#define REACH_FW1_ORP REACH_EST "; {close}; < FA i+1 p+1; = FW1" /* full close */
#define REACH_FW2     REACH_FW1 "; > A p+1 i+2; = FW2"
#define REACH_FW2_ORP REACH_FW1_ORP "; > A p+1 i+2; = FW2"
#define REACH_CLW     REACH_EST "; > FA p+1 i+1; < A i+1 p+2; [PEER_FIN]; = CLW"
#define REACH_CLG     REACH_FW1 "; > FA p+1 i+1; < A i+2 p+2; [PEER_FIN]; = CLG"
#define REACH_LAK     REACH_CLW "; {shutdown}; < FA i+1 p+2; = LAK"
/* After our own close, and after a simultaneous one; HELD: the handle is not closed yet. */
#define REACH_TW_HELD     REACH_FW2 "; > FA p+1 i+2; < A i+2 p+2; [PEER_FIN CLOSED GRACEFUL]; = TW"
#define REACH_TW          REACH_TW_HELD "; {close}"
#define REACH_TW_SIM_HELD REACH_CLG "; > A p+2 i+2; [CLOSED GRACEFUL]; = TW"
#define REACH_TW_SIM      REACH_TW_SIM_HELD "; {close}"
/* The same with a listener on the port, which a reopening SYN needs. */
#define REACH_TW_PAS                                                                               \
	REACH_EST_PAS "; {shutdown}; < FA i+1 p+1; > A p+1 i+2; = FW2; > FA p+1 i+2;"              \
		      "< A i+2 p+2; [PEER_FIN CLOSED GRACEFUL]; {close}; = TW"

#endif /* PMTCP_TESTS_SUPPORT_CELL_H */
