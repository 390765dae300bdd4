/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Option classes: one record per distinct set of per-connection options, so that
 * a tcb pays two bytes for all of them. Setting an option on one connection
 * moves that connection to the class that has it. */

#include "tcp/tcp.h"

#include <errno.h>
#include <string.h>

enum {
	RECV_SHIFT_MAX = 14, /* RFC 7323 2.3 */
	TW_MS_MIN = 1000,    /* DEC-8 */
	TW_MS_MAX = 240000,
	DELACK_MS_MAX = 200, /* DATA-11 */
	FW2_MS_MAX = 24 * 3600 * 1000,
};

/* The smallest shift that can advertise the whole buffer. */
static uint8_t
shift_for(uint32_t buffer)
{
	uint8_t shift = 0;

	while (shift < RECV_SHIFT_MAX && buffer >> shift > UINT16_MAX)
		shift++;
	return shift;
}

static bool
is_same(const struct tcp_class *a, const struct tcp_class *b)
{
	struct tcp_class x = *a;

	x.refs = b->refs;
	return memcmp(&x, b, sizeof(x)) == 0;
}

int
tcp_class_get(struct tcp *t, const struct tcp_class *want, uint16_t *cls)
{
	uint16_t vacant = UINT16_MAX;

	if (is_likely(t->classes[t->last_class].refs &&
			    is_same(want, &t->classes[t->last_class]))) {
		*cls = t->last_class;
		return 0;
	}
	for (uint16_t i = 0; i < t->conf.max_classes; i++) {
		if (t->classes[i].refs == 0) {
			vacant = vacant == UINT16_MAX ? i : vacant;
			continue;
		}
		if (is_same(want, &t->classes[i])) {
			*cls = t->last_class = i;
			return 0;
		}
	}
	if (vacant == UINT16_MAX)
		return -ENOBUFS;
	t->classes[vacant] = *want;
	t->classes[vacant].refs = 0;
	*cls = t->last_class = vacant;
	return 0;
}

void
tcp_class_put(struct tcp *t, uint16_t cls)
{
	CHECK(t->classes[cls].refs > 0);
	t->classes[cls].refs--;
}

int
tcp_class_default(struct tcp *t)
{
	const struct pmtcp_conf *conf = &t->conf;
	struct tcp_class *k = &t->classes[0];

	memset(k, 0, sizeof(*k));
	k->refs = 1; /* the engine's own: never given up */
	k->send_buffer = conf->send_buffer;
	k->recv_buffer = conf->recv_buffer;
	k->tw_ms = conf->tw_ms;
	k->fw2_ms = conf->fw2_ms;
	k->delack_ms = conf->delack_ms;
	k->syn_retries = conf->syn_retries;
	k->retries = conf->retries;
	k->ttl = conf->ttl;
	k->has_ts = k->has_sack = k->has_wscale = true;
	k->rcv_wscale = shift_for(conf->recv_buffer);
	t->default_class = 0;
	t->last_class = 0;
	return 0;
}

static bool
opts_are_sane(const struct pmtcp_conn_opts *o)
{
	bool tw_ok = o->tw_ms == 0 || o->tw_ms == PMTCP_TW_NONE ||
		     (o->tw_ms >= TW_MS_MIN && o->tw_ms <= TW_MS_MAX);
	bool delack_ok = o->delack_ms <= DELACK_MS_MAX || o->delack_ms == PMTCP_DELACK_NONE;
	bool buffers_ok =
			(o->send_buffer == 0 ||
					(o->send_buffer >= TCP_BUFFER_MIN &&
							o->send_buffer <= TCP_BUFFER_MAX)) &&
			(o->recv_buffer == 0 || (o->recv_buffer >= TCP_BUFFER_MIN &&
								o->recv_buffer <= TCP_BUFFER_MAX));

	return tw_ok && delack_ok && buffers_ok && o->dscp <= 63 && o->fw2_ms <= FW2_MS_MAX;
}

/* Caller: opts were checked. */
static void
apply_opts(struct tcp_class *k, const struct pmtcp_conn_opts *o)
{
	if (o->send_buffer)
		k->send_buffer = o->send_buffer;
	if (o->recv_buffer)
		k->recv_buffer = o->recv_buffer;
	if (o->tw_ms)
		k->tw_ms = o->tw_ms == PMTCP_TW_NONE ? 0 : o->tw_ms;
	if (o->fw2_ms)
		k->fw2_ms = k->fw2_attached_ms = o->fw2_ms;
	if (o->delack_ms)
		k->delack_ms = o->delack_ms == PMTCP_DELACK_NONE ? 0 : o->delack_ms;
	if (o->syn_retries)
		k->syn_retries = o->syn_retries;
	if (o->retries)
		k->retries = o->retries;
	if (o->ttl)
		k->ttl = o->ttl;
	if (o->dscp)
		k->dscp = o->dscp;
	k->is_nodelay = o->nodelay;
	k->has_ts = !o->no_timestamps;
	k->has_sack = !o->no_sack;
	k->has_wscale = !o->no_wscale;
	k->rcv_wscale = shift_for(k->recv_buffer);
}

int
tcp_class_from_opts(struct tcp *t, const struct pmtcp_conn_opts *opts, uint16_t *cls)
{
	struct tcp_class want;

	if (!opts) {
		*cls = t->default_class;
		return 0;
	}
	if (!opts_are_sane(opts))
		return -EINVAL;
	want = t->classes[t->default_class];
	apply_opts(&want, opts);
	return tcp_class_get(t, &want, cls);
}

static int
set_buffers(struct tcp_class *k, enum pmtcp_opt opt, uint64_t value)
{
	if (value < TCP_BUFFER_MIN || value > TCP_BUFFER_MAX)
		return -EINVAL;
	/* The shift went out with the SYN and cannot change: rcv_wscale stays. */
	if (opt == PMTCP_OPT_SEND_BUFFER)
		k->send_buffer = (uint32_t)value;
	else
		k->recv_buffer = (uint32_t)value;
	return 0;
}

static int
set_times(struct tcp_class *k, enum pmtcp_opt opt, uint64_t value)
{
	switch (opt) {
	case PMTCP_OPT_TW_MS:
		if (value != 0 && (value < TW_MS_MIN || value > TW_MS_MAX))
			return -EINVAL;
		k->tw_ms = (uint32_t)value;
		return 0;
	case PMTCP_OPT_FW2_MS:
		if (value == 0 || value > FW2_MS_MAX)
			return -EINVAL;
		k->fw2_ms = k->fw2_attached_ms = (uint32_t)value;
		return 0;
	default: /* PMTCP_OPT_DELACK_MS */
		if (value > DELACK_MS_MAX)
			return -EINVAL;
		k->delack_ms = (uint16_t)value;
		return 0;
	}
}

static int
set_option(struct tcp_class *k, enum pmtcp_opt opt, uint64_t value)
{
	switch (opt) {
	case PMTCP_OPT_NODELAY:
		k->is_nodelay = value != 0;
		return value <= 1 ? 0 : -EINVAL;
	case PMTCP_OPT_SEND_BUFFER:
	case PMTCP_OPT_RECV_BUFFER:
		return set_buffers(k, opt, value);
	case PMTCP_OPT_TW_MS:
	case PMTCP_OPT_FW2_MS:
	case PMTCP_OPT_DELACK_MS:
		return set_times(k, opt, value);
	case PMTCP_OPT_DSCP:
		k->dscp = (uint8_t)value;
		return value <= 63 ? 0 : -EINVAL;
	case PMTCP_OPT_TTL:
		k->ttl = (uint8_t)value;
		return value >= 1 && value <= 255 ? 0 : -EINVAL;
	case PMTCP_OPT_RETRIES:
		k->retries = (uint8_t)value;
		return value >= 1 && value <= 255 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

int
tcp_class_set(struct tcp *t, struct tcb *c, enum pmtcp_opt opt, uint64_t value)
{
	struct tcp_class want = *tcp_class(t, c);
	uint16_t cls;
	int err = set_option(&want, opt, value);

	if (err == 0)
		err = tcp_class_get(t, &want, &cls);
	if (err)
		return err;
	t->classes[cls].refs++;
	tcp_class_put(t, c->cls);
	c->cls = cls;
	if (opt == PMTCP_OPT_NODELAY && c->tx)
		tcp_mark_data(t, c);
	if (opt == PMTCP_OPT_FW2_MS && c->head.state == TCPS_FIN_WAIT_2)
		tcp_timer_start(t, c, TIMER_FW2, (uint32_t)value);
	return 0;
}
