/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The ways into the eleven states (RFC 9293 3.3.2), each step an ordinary segment or
 * call. `how` varies them: who opens, what text waits, how the end was asked for. */

#include "base/base.h"
#include "segment.h"

enum how {
	HOW_ACTIVE = 0x01,   /* opened by the context; SYN-RCVD then by a simultaneous open */
	HOW_UNSENT = 0x02,   /* text of ours in flight and waiting */
	HOW_UNREAD = 0x04,   /* the peer's text unread */
	HOW_HOLE = 0x08,     /* and some out of order */
	HOW_CLOSE = 0x10,    /* close, not shutdown */
	HOW_LISTENER = 0x20, /* a listener beside an active open */
};

#define SCRIPT_TSVAL 5000u

/* One segment at the edges, delivered and answered. */
static void
say(struct fuzz_peer *f, uint8_t flags, uint32_t ack, uint32_t len)
{
	struct build b = {.flags = flags, .ack = ack, .len = len, .wnd = f->wnd};
	struct edges e;

	peer_edges(f, PEER_PORT, &e);
	b.seq = f->peer_end;
	if (flags & PKT_SYN) {
		b.seq = f->irs;
		if (f->is_ecn)
			b.flags |= flags & PKT_ACK ? PKT_ECE : PKT_ECE | PKT_CWR;
		b.opts = f->syn_opts;
		b.mss = 1460;
		b.wscale = 2;
		b.tsval = SCRIPT_TSVAL;
		b.tsecr = flags & PKT_ACK ? e.tsval : 0;
	} else if (e.has_ts) {
		b.opts = PKT_OPT_TS;
		b.tsval = peer_tsval(&e);
		b.tsecr = e.tsval;
	}
	peer_send(f, PEER_PORT, &b);
	peer_deliver(f);
	side_output(&f->side);
}

static void
say_at_edge(struct fuzz_peer *f, uint8_t flags, uint32_t len)
{
	struct edges e;

	peer_edges(f, PEER_PORT, &e);
	say(f, flags, e.nxt, len);
}

static void
open_passive(struct fuzz_peer *f, bool is_finished)
{
	side_listen(&f->side, 0);
	say(f, PKT_SYN, 0, 0);
	if (is_finished)
		say_at_edge(f, PKT_ACK, 0);
}

static void
open_active(struct fuzz_peer *f, enum pmtcp_state state)
{
	struct edges e;

	side_connect(&f->side, SIDE_PORT, TEST_PEER, PEER_PORT);
	side_output(&f->side);
	peer_edges(f, PEER_PORT, &e);
	if (state == PMTCP_SYN_RCVD)
		say(f, PKT_SYN, 0, 0);
	else if (state > PMTCP_SYN_RCVD)
		say(f, PKT_SYN | PKT_ACK, e.nxt, 0);
}

static void
move_text(struct fuzz_peer *f, uint8_t how, struct side_conn *c)
{
	if (how & HOW_UNSENT) {
		side_write(&f->side, c, 30000);
		side_output(&f->side);
	}
	if (how & HOW_UNREAD)
		say_at_edge(f, PKT_ACK, 300);
	if (how & HOW_HOLE) {
		uint32_t end = f->peer_end;

		f->peer_end += 100;
		say_at_edge(f, PKT_ACK, 200);
		f->peer_end = end;
	}
}

/* Our FIN leaves behind whatever is queued, which the peer acknowledges. */
static void
end_ours(struct fuzz_peer *f, uint8_t how, struct side_conn *c)
{
	if (how & HOW_CLOSE)
		side_end(c, SIDE_CLOSE);
	else
		side_shutdown(c);
	side_output(&f->side);
}

static void
acknowledge_all(struct fuzz_peer *f)
{
	for (int i = 0; i < 12; i++)
		say_at_edge(f, PKT_ACK, 0);
}

static void
run_close(struct fuzz_peer *f, enum pmtcp_state state, uint8_t how, struct side_conn *c)
{
	if (state == PMTCP_CLOSE_WAIT || state == PMTCP_LAST_ACK)
		say(f, PKT_ACK | PKT_FIN, c->out_base, 0);
	if (state == PMTCP_ESTABLISHED || state == PMTCP_CLOSE_WAIT)
		return;
	end_ours(f, how, c);
	if (state == PMTCP_FIN_WAIT_2 || state == PMTCP_TIME_WAIT)
		acknowledge_all(f);
	if (state == PMTCP_TIME_WAIT)
		say_at_edge(f, PKT_ACK | PKT_FIN, 0);
	if (state == PMTCP_CLOSING)
		say(f, PKT_ACK | PKT_FIN, c->out_base, 0);
}

void
script_run(struct fuzz_peer *f, enum pmtcp_state state, uint8_t how)
{
	struct side_conn *c;

	if (state == PMTCP_CLOSED)
		return;
	if (state == PMTCP_LISTEN ||
			(how & (HOW_LISTENER | HOW_ACTIVE)) == (HOW_LISTENER | HOW_ACTIVE))
		side_listen(&f->side, how);
	if (state == PMTCP_LISTEN)
		return;
	if ((how & HOW_ACTIVE) || state == PMTCP_SYN_SENT)
		open_active(f, state);
	else
		open_passive(f, state > PMTCP_SYN_RCVD);
	c = side_pick(&f->side, 0);
	if (state <= PMTCP_SYN_RCVD || c == NULL)
		return;
	move_text(f, how, c);
	run_close(f, state, how, c);
}
