/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The applications of the simulator: they follow their plans through the public
 * API alone and judge what it gives them. */

#include "sim/sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/check.h"

#define APP_CHUNK    8192
#define APP_RETRY_NS SIM_MS

static const uint32_t addr_of[SIM_SIDES] = {PMTCP_IP4(10, 0, 0, 1), PMTCP_IP4(10, 0, 0, 2)};

/* ---- flows -------------------------------------------------------------- */

static struct sim_flow *
flow_create(struct sim *s, int opener, const struct sim_plan plan[SIM_SIDES])
{
	struct sim_flow *f = calloc(1, sizeof(*f));

	CHECK(f != NULL);
	if (s->n_flows == SIM_FLOWS_MAX)
		sim_fail(s, "too many flows");
	f->id = s->n_flows;
	f->opener = opener;
	for (int side = 0; side < SIM_SIDES; side++) {
		struct sim_half *h = &f->half[side];

		h->flow = f;
		h->side = side;
		h->plan = plan[side];
		h->out.key = s->seed ^ ((uint64_t)f->id * 2 + (uint64_t)side) << 32;
		h->in.key = s->seed ^ ((uint64_t)f->id * 2 + 1 - (uint64_t)side) << 32;
		h->wake_ns = UINT64_MAX;
	}
	s->flow[s->n_flows++] = f;
	return f;
}

static int
half_connect(struct sim *s, struct sim_half *h, uint16_t local_port, uint16_t remote_port)
{
	struct pmtcp_addr local = ctx_addr_of(addr_of[h->side], local_port);
	struct pmtcp_addr remote = ctx_addr_of(addr_of[1 - h->side], remote_port);
	struct pmtcp_conn_opts opts = s->opts.conn;
	struct pmtcp_conn_info info;
	int ret;

	opts.user = h;
	ret = pmtcp_connect(s->end[h->side].ctx, &local, &remote, &opts, &h->conn);
	if (ret != 0)
		return ret;
	h->life = SIM_OPENING;
	h->may_write = true;
	pmtcp_conn_info(h->conn, &info);
	h->flow->port = info.local.port;
	h->flow->iss = info.snd_una;
	return 0;
}

struct sim_flow *
sim_open(struct sim *s, int side, const struct sim_plan plan[SIM_SIDES], int *err)
{
	struct sim_flow *f = flow_create(s, side, plan);
	int ret = half_connect(s, &f->half[side], 0, SIM_PORT);

	if (err != NULL)
		*err = ret;
	else if (ret != 0)
		sim_fail(s, "open: %s", strerror(-ret));
	return ret == 0 ? f : NULL;
}

struct sim_flow *
sim_open_both(struct sim *s, const struct sim_plan plan[SIM_SIDES])
{
	struct sim_flow *f = flow_create(s, SIM_A, plan);
	uint16_t port = (uint16_t)(10000 + f->id);

	for (int side = 0; side < SIM_SIDES; side++) {
		int ret = half_connect(s, &f->half[side], port, port);

		if (ret != 0)
			sim_fail(s, "open: %s", strerror(-ret));
	}
	return f;
}

/* The flow that waits for being accepted at this side, by port and initial number:
 * segments of an earlier flow on the port may still open what that one asked for. */
static struct sim_half *
find_opener(struct sim *s, int side, const struct pmtcp_conn_info *info)
{
	struct sim_half *nearest = NULL;
	uint32_t distance = UINT32_MAX;

	for (uint32_t i = 0; i < s->n_flows; i++) {
		struct sim_flow *f = s->flow[i];
		uint32_t past = info->rcv_nxt - f->iss;

		if (f->opener == side || f->port != info->remote.port ||
				f->half[side].life != SIM_UNBORN || past >= distance)
			continue;
		nearest = &f->half[side];
		distance = past;
	}
	if (nearest == NULL || distance > nearest->flow->half[1 - side].plan.octets + 2)
		return NULL;
	return nearest;
}

/* ---- the end of a half -------------------------------------------------- */

static void
half_check_dead(struct sim_half *h)
{
	if (h->is_closed && h->is_given_up) {
		h->life = SIM_DEAD;
		h->conn = NULL;
		h->wake_ns = UINT64_MAX;
	}
}

static void
half_give_up(struct sim_half *h)
{
	if (h->is_given_up)
		return;
	pmtcp_close(h->conn);
	h->is_given_up = true;
	half_check_dead(h);
}

static void
half_end(struct sim *s, struct sim_half *h)
{
	switch (h->plan.end) {
	case SIM_END_SHUTDOWN:
	case SIM_END_WAIT:
		if (!h->is_shut && !h->is_closed && pmtcp_shutdown(h->conn) == 0)
			h->is_shut = true;
		if (h->is_eof)
			half_give_up(h);
		break;
	case SIM_END_CLOSE:
		half_give_up(h);
		break;
	case SIM_END_ABORT:
		pmtcp_abort(h->conn);
		h->is_given_up = true;
		half_check_dead(h);
		break;
	case SIM_END_DETACH:
		pmtcp_detach(h->conn);
		h->is_given_up = true;
		h->is_closed = true;
		half_check_dead(h);
		break;
	}
}

/* ---- sending ------------------------------------------------------------ */

static int
write_zero_copy(struct sim *s, struct sim_half *h, uint32_t len)
{
	struct rte_mbuf *m = pmtcp_buf_alloc(s->end[h->side].ctx);
	int ret;

	if (m == NULL)
		return -ENOBUFS;
	len = min_u32(len, rte_pktmbuf_tailroom(m));
	stream_peek(&h->out, rte_pktmbuf_append(m, (uint16_t)len), len);
	ret = pmtcp_send(h->conn, &m, 1);
	if (ret != 1)
		rte_pktmbuf_free(m);
	return ret == 1 ? (int)len : ret == 0 ? -EAGAIN : ret;
}

static int
write_some(struct sim *s, struct sim_half *h)
{
	uint32_t max = h->plan.write_max == 0 ? 4000 : h->plan.write_max;
	uint64_t left = h->plan.octets - h->out.at;
	uint32_t len = 1 + (uint32_t)rng_below(&s->rng, min_u32(max, APP_CHUNK));
	uint8_t chunk[APP_CHUNK];

	len = (uint32_t)min_u64(len, left);
	if (h->plan.is_zero_copy)
		return write_zero_copy(s, h, len);
	stream_peek(&h->out, chunk, len);
	return pmtcp_write(h->conn, chunk, len);
}

static void
half_write(struct sim *s, struct sim_half *h)
{
	while (h->may_write && h->out.at < h->plan.octets) {
		int ret = write_some(s, h);

		if (ret > 0) {
			h->out.at += (uint32_t)ret;
			continue;
		}
		h->may_write = false;
		/* No packet buffer: nobody calls back for these. */
		if (ret == -ENOBUFS)
			h->wake_ns = s->now + APP_RETRY_NS;
		else if (ret != -EAGAIN && ret != -ENOTCONN)
			sim_fail(s, "write: %d", ret);
	}
}

/* ---- receiving ---------------------------------------------------------- */

static int
read_zero_copy(struct sim *s, struct sim_half *h)
{
	struct rte_mbuf *m;
	int ret = pmtcp_recv(h->conn, &m, 1);
	uint32_t len;

	if (ret != 1)
		return ret;
	len = rte_pktmbuf_data_len(m);
	if (len == 0 || m->nb_segs != 1)
		sim_fail(s, "received %u octets in %u segments", len, m->nb_segs);
	if (!stream_take(&h->in, rte_pktmbuf_mtod(m, void *), len))
		sim_fail(s, "flow %u side %d: wrong octets after %lu", h->flow->id, h->side,
				(unsigned long)h->in.at);
	rte_pktmbuf_free(m);
	pmtcp_recv_done(h->conn, len);
	return (int)len;
}

static int
read_some(struct sim *s, struct sim_half *h)
{
	uint32_t max = h->plan.read_max == 0 ? APP_CHUNK : min_u32(h->plan.read_max, APP_CHUNK);
	uint8_t chunk[APP_CHUNK];
	int ret;

	if (h->plan.is_zero_copy)
		return read_zero_copy(s, h);
	ret = pmtcp_read(h->conn, chunk, max);
	if (ret > 0 && !stream_take(&h->in, chunk, (uint32_t)ret))
		sim_fail(s, "flow %u side %d: wrong octets after %lu", h->flow->id, h->side,
				(unsigned long)h->in.at);
	return ret;
}

static void
note_eof(struct sim *s, struct sim_half *h)
{
	const struct sim_half *peer = &h->flow->half[1 - h->side];

	if (!(h->seen & PMTCP_EV_PEER_FIN))
		sim_fail(s, "flow %u side %d: end of stream without PEER_FIN", h->flow->id,
				h->side);
	if (h->in.at != peer->out.at)
		sim_fail(s, "flow %u side %d: end of stream after %lu of %lu octets", h->flow->id,
				h->side, (unsigned long)h->in.at, (unsigned long)peer->out.at);
	h->is_eof = true;
}

static void
half_read(struct sim *s, struct sim_half *h)
{
	while (h->may_read) {
		int ret = read_some(s, h);

		if (ret == 0)
			note_eof(s, h);
		else if (ret < 0 && ret != -EAGAIN && ret != -ENOTCONN)
			sim_fail(s, "read: %d", ret);
		h->may_read = ret > 0;
		if (ret > 0 && h->plan.read_max > 0) {
			h->wake_ns = s->now + h->plan.read_ns;
			return;
		}
	}
}

/* ---- events ------------------------------------------------------------- */

static void
check_event(const struct sim *s, const struct sim_half *h, const struct pmtcp_event *ev)
{
	const uint32_t once = PMTCP_EV_ACCEPTED | PMTCP_EV_CONNECTED | PMTCP_EV_PEER_FIN |
			      PMTCP_EV_CLOSED;

	if (h->seen & ev->flags & once)
		sim_fail(s, "flow %u side %d: 0x%x came twice", h->flow->id, h->side,
				h->seen & ev->flags & once);
	if (h->is_closed)
		sim_fail(s, "flow %u side %d: 0x%x after CLOSED", h->flow->id, h->side, ev->flags);
	if (h->is_given_up && ev->flags != PMTCP_EV_CLOSED)
		sim_fail(s, "flow %u side %d: 0x%x after close", h->flow->id, h->side, ev->flags);
	if (ev->conn != h->conn)
		sim_fail(s, "flow %u side %d: foreign handle", h->flow->id, h->side);
	if ((ev->flags & PMTCP_EV_CLOSED) &&
			(ev->reason <= PMTCP_REASON_NONE || ev->reason >= PMTCP_REASON_MAX))
		sim_fail(s, "flow %u side %d: CLOSED without a reason", h->flow->id, h->side);
}

static struct sim_half *
half_of_event(struct sim *s, int side, const struct pmtcp_event *ev)
{
	struct pmtcp_conn_info info;
	struct sim_half *h;

	if (!(ev->flags & PMTCP_EV_ACCEPTED))
		return ev->user;
	pmtcp_conn_info(ev->conn, &info);
	h = find_opener(s, side, &info);
	if (h == NULL) {
		/* Nobody asked for it, as far as is known: a copy of an old SYN. */
		s->n_strays++;
		pmtcp_detach(ev->conn);
		return NULL;
	}
	h->conn = ev->conn;
	pmtcp_set_user(ev->conn, h);
	/* The opener may have been over and done with already. */
	s->first_live = min_u32(s->first_live, h->flow->id);
	return h;
}

static void
take_event(struct sim *s, int side, const struct pmtcp_event *ev)
{
	struct sim_half *h = half_of_event(s, side, ev);

	if (h == NULL)
		return;
	check_event(s, h, ev);
	h->seen |= ev->flags;
	if (ev->flags & (PMTCP_EV_ACCEPTED | PMTCP_EV_CONNECTED)) {
		h->life = SIM_LIVE;
		h->may_write = true;
	}
	if (ev->flags & PMTCP_EV_WRITABLE)
		h->may_write = true;
	if (ev->flags & (PMTCP_EV_READABLE | PMTCP_EV_PEER_FIN))
		h->may_read = true;
	if (ev->flags & PMTCP_EV_CLOSED) {
		h->is_closed = true;
		h->reason = ev->reason;
		half_check_dead(h);
	}
}

/* ---- a turn ------------------------------------------------------------- */

static bool
is_end_due(struct sim *s, struct sim_half *h)
{
	if (h->out.at < h->plan.octets)
		return false;
	if (h->plan.end == SIM_END_WAIT && !h->is_eof)
		return false;
	if (!h->is_ending) {
		h->is_ending = true;
		h->end_ns = s->now + h->plan.pause_ns;
	}
	return s->now >= h->end_ns;
}

static void
half_turn(struct sim *s, struct sim_half *h)
{
	bool is_woken = h->wake_ns <= s->now;

	if (is_woken) {
		h->wake_ns = UINT64_MAX;
		h->may_write = true;
	}
	if (!h->is_closed && !h->is_shut)
		half_write(s, h);
	if (h->plan.read_max == 0 || is_woken || h->wake_ns == UINT64_MAX)
		half_read(s, h);
	if (h->is_closed) {
		if (!h->may_read)
			half_give_up(h);
		return;
	}
	if (h->life == SIM_LIVE && is_end_due(s, h))
		half_end(s, h);
}

void
sim_app_turn(struct sim *s, int side)
{
	struct pmtcp_event ev[16];
	uint16_t n;

	while ((n = pmtcp_events(s->end[side].ctx, ev, 16)) > 0) {
		for (uint16_t i = 0; i < n; i++)
			take_event(s, side, &ev[i]);
	}
	for (uint32_t i = s->first_live; i < s->n_flows; i++) {
		struct sim_half *h = &s->flow[i]->half[side];

		if (h->conn != NULL && !h->is_given_up)
			half_turn(s, h);
	}
}

static bool
is_flow_over(const struct sim_flow *f)
{
	const struct sim_half *passive = &f->half[1 - f->opener];

	return f->half[f->opener].life != SIM_OPENING && f->half[f->opener].life != SIM_LIVE &&
	       (passive->life == SIM_UNBORN || passive->life == SIM_DEAD);
}

void
sim_lose_patience(struct sim *s)
{
	for (uint32_t i = s->first_live; i < s->n_flows; i++) {
		for (int side = 0; side < SIM_SIDES; side++)
			s->flow[i]->half[side].plan.end = SIM_END_CLOSE;
	}
	sim_step(s, s->now);
}

void
sim_forget_flows(struct sim *s)
{
	CHECK(sim_app_is_over(s));
	for (uint32_t i = 0; i < s->n_flows; i++)
		free(s->flow[i]);
	s->n_flows = s->first_live = 0;
}

uint64_t
sim_app_next(const struct sim *s)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t i = s->first_live; i < s->n_flows; i++) {
		for (int side = 0; side < SIM_SIDES; side++) {
			const struct sim_half *h = &s->flow[i]->half[side];

			if (h->conn == NULL || h->is_given_up)
				continue;
			next = min_u64(next, h->wake_ns);
			if (h->is_ending && !h->is_shut && !h->is_closed && h->end_ns > s->now)
				next = min_u64(next, h->end_ns);
		}
	}
	return next;
}

static void
tell_half(const struct sim_half *h)
{
	struct pmtcp_conn_info info = {0};

	if (h->conn == NULL)
		return;
	pmtcp_conn_info(h->conn, &info);
	fprintf(stderr, "flow %u side %d: %s sent %lu/%lu received %lu%s%s%s%s%s%s unread %u\n",
			h->flow->id, h->side, pmtcp_state_name(info.state),
			(unsigned long)h->out.at, (unsigned long)h->plan.octets,
			(unsigned long)h->in.at, h->is_eof ? " eof" : "", h->is_shut ? " shut" : "",
			h->is_given_up ? " given-up" : "", h->is_closed ? " closed" : "",
			h->may_read ? " may-read" : "", h->may_write ? " may-write" : "",
			info.unread);
}

void
sim_app_tell(const struct sim *s)
{
	for (uint32_t i = 0; i < s->n_flows; i++) {
		tell_half(&s->flow[i]->half[SIM_A]);
		tell_half(&s->flow[i]->half[SIM_B]);
	}
}

bool
sim_app_is_over(struct sim *s)
{
	while (s->first_live < s->n_flows && is_flow_over(s->flow[s->first_live]))
		s->first_live++;
	for (uint32_t i = s->first_live; i < s->n_flows; i++) {
		if (!is_flow_over(s->flow[i]))
			return false;
	}
	return true;
}

static void
expect_octets(const struct sim *s, const struct sim_half *h)
{
	const struct sim_half *peer = &h->flow->half[1 - h->side];

	if (h->life != SIM_DEAD)
		sim_fail(s, "flow %u side %d never ended", h->flow->id, h->side);
	if (h->plan.end != SIM_END_CLOSE && h->plan.end != SIM_END_DETACH &&
			h->in.at != peer->plan.octets)
		sim_fail(s, "flow %u side %d received %lu of %lu octets", h->flow->id, h->side,
				(unsigned long)h->in.at, (unsigned long)peer->plan.octets);
}

void
sim_expect_graceful(struct sim *s, const struct sim_flow *f)
{
	for (int side = 0; side < SIM_SIDES; side++) {
		const struct sim_half *h = &f->half[side];

		expect_octets(s, h);
		if (h->plan.end != SIM_END_DETACH && h->reason != PMTCP_GRACEFUL)
			sim_fail(s, "flow %u side %d ended by %s", f->id, side,
					pmtcp_reason_name((enum pmtcp_reason)h->reason));
	}
}

void
sim_expect_delivered(struct sim *s, const struct sim_flow *f)
{
	uint32_t n_graceful = 0;

	for (int side = 0; side < SIM_SIDES; side++) {
		const struct sim_half *h = &f->half[side];

		expect_octets(s, h);
		n_graceful += h->reason == PMTCP_GRACEFUL;
		if (h->reason != PMTCP_GRACEFUL && h->reason != PMTCP_PEER_RESET &&
				h->reason != PMTCP_TIMEOUT_RTX)
			sim_fail(s, "flow %u side %d ended by %s", f->id, side,
					pmtcp_reason_name((enum pmtcp_reason)h->reason));
	}
	if (n_graceful == 0)
		sim_fail(s, "flow %u: neither side ended gracefully", f->id);
}
