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
	SLOW_MS_MAX = 7 * 24 * 3600 * 1000, /* of keepalive, user timeout, linger */
	KEEP_MS_MIN = 100,
	KEEP_INTVL_MS = 75000, /* DATA-47 */
	KEEP_COUNT = 9,
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

/* What follows from the others. */
static void
derive(struct tcp_class *k)
{
	k->has_slow_timers = k->keep_idle_ms || k->user_timeout_ms;
	k->has_all = k->has_ts && k->has_sack && k->has_wscale && k->ecn != PMTCP_ECN_OFFER;
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
	k->linger_ms = PMTCP_LINGER_OFF;
	k->keep_intvl_ms = KEEP_INTVL_MS; /* MUST-25: off all the same, without idle time */
	k->keep_count = KEEP_COUNT;
	k->mss = UINT16_MAX;
	k->ttl = conf->ttl;
	k->has_ts = k->has_sack = k->has_wscale = true;
	k->is_newreno = conf->cc == PMTCP_CC_NEWRENO;
	k->ecn = conf->ecn ? conf->ecn : PMTCP_ECN_ACCEPT;
	k->rcv_wscale = shift_for(conf->recv_buffer);
	derive(k);
	t->default_class = 0;
	t->last_class = 0;
	return 0;
}

static bool
keep_ms_is_sane(uint64_t ms)
{
	return ms >= KEEP_MS_MIN && ms <= SLOW_MS_MAX;
}

static bool
slow_opts_are_sane(const struct pmtcp_conn_opts *o)
{
	bool keep_ok = o->keepalive_ms == 0 || keep_ms_is_sane(o->keepalive_ms);
	bool intvl_ok = o->keepalive_intvl_ms == 0 || keep_ms_is_sane(o->keepalive_intvl_ms);
	bool linger_ok = o->linger_ms <= SLOW_MS_MAX || o->linger_ms >= PMTCP_LINGER_ABORT;
	bool mss_ok = o->mss == 0 || o->mss >= TCP_MSS_FLOOR;

	return keep_ok && intvl_ok && linger_ok && mss_ok && o->user_timeout_ms <= SLOW_MS_MAX;
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

	return o->cc < PMTCP_CC_MAX && o->ecn <= PMTCP_ECN_OFFER && tw_ok && delack_ok &&
	       buffers_ok && o->dscp <= 63 && o->fw2_ms <= FW2_MS_MAX && slow_opts_are_sane(o);
}

static void
apply_slow_opts(struct tcp_class *k, const struct pmtcp_conn_opts *o)
{
	if (o->mss)
		k->mss = o->mss;
	if (o->keepalive_ms)
		k->keep_idle_ms = o->keepalive_ms;
	if (o->keepalive_intvl_ms)
		k->keep_intvl_ms = o->keepalive_intvl_ms;
	if (o->keepalive_count)
		k->keep_count = o->keepalive_count;
	if (o->user_timeout_ms)
		k->user_timeout_ms = o->user_timeout_ms;
	if (o->linger_ms)
		k->linger_ms = o->linger_ms == PMTCP_LINGER_ABORT ? 0 : o->linger_ms;
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
	if (o->cc)
		k->is_newreno = o->cc == PMTCP_CC_NEWRENO;
	if (o->ecn)
		k->ecn = o->ecn;
	k->is_nodelay = o->nodelay;
	k->has_ts = !o->no_timestamps;
	k->has_sack = !o->no_sack;
	k->has_wscale = !o->no_wscale;
	k->rcv_wscale = shift_for(k->recv_buffer);
	apply_slow_opts(k, o);
	derive(k);
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
set_keepalive(struct tcp_class *k, enum pmtcp_opt opt, uint64_t value)
{
	if (opt == PMTCP_OPT_KEEPALIVE_COUNT) {
		k->keep_count = (uint8_t)value;
		return value >= 1 && value <= UINT8_MAX ? 0 : -EINVAL;
	}
	if (!keep_ms_is_sane(value) && !(opt == PMTCP_OPT_KEEPALIVE_MS && value == 0))
		return -EINVAL;
	if (opt == PMTCP_OPT_KEEPALIVE_MS)
		k->keep_idle_ms = (uint32_t)value;
	else
		k->keep_intvl_ms = (uint32_t)value;
	return 0;
}

static int
set_patience(struct tcp_class *k, enum pmtcp_opt opt, uint64_t value)
{
	if (opt == PMTCP_OPT_USER_TIMEOUT_MS) {
		k->user_timeout_ms = (uint32_t)value;
		return value <= SLOW_MS_MAX ? 0 : -EINVAL;
	}
	k->linger_ms = value == PMTCP_LINGER_ABORT ? 0 : (uint32_t)value;
	return value <= SLOW_MS_MAX || value == PMTCP_LINGER_ABORT || value == PMTCP_LINGER_OFF
			       ? 0
			       : -EINVAL;
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
	case PMTCP_OPT_CC:
		k->is_newreno = value == PMTCP_CC_NEWRENO;
		return value == PMTCP_CC_CUBIC || value == PMTCP_CC_NEWRENO ? 0 : -EINVAL;
	case PMTCP_OPT_ECN:
		k->ecn = (uint8_t)value;
		return value > PMTCP_ECN_DEFAULT && value <= PMTCP_ECN_OFFER ? 0 : -EINVAL;
	case PMTCP_OPT_RETRIES:
		k->retries = (uint8_t)value;
		return value >= 1 && value <= 255 ? 0 : -EINVAL;
	case PMTCP_OPT_KEEPALIVE_MS:
	case PMTCP_OPT_KEEPALIVE_INTVL_MS:
	case PMTCP_OPT_KEEPALIVE_COUNT:
		return set_keepalive(k, opt, value);
	case PMTCP_OPT_USER_TIMEOUT_MS:
	case PMTCP_OPT_LINGER_MS:
		return set_patience(k, opt, value);
	case PMTCP_OPT_MSS:
		k->mss = (uint16_t)value;
		return value >= TCP_MSS_FLOOR && value <= UINT16_MAX ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

/* The class has changed; what depends on it and is kept elsewhere follows. */
static void
follow_class(struct tcp *t, struct tcb *c, enum pmtcp_opt opt)
{
	const struct tcp_class *k = tcp_class(t, c);
	uint32_t ts = tcb_has(c, TCB_TS) ? TCP_TS_OPT_LEN : 0;

	if (opt == PMTCP_OPT_NODELAY && c->tx)
		tcp_mark_data(t, c);
	if (opt == PMTCP_OPT_FW2_MS && c->head.state == TCPS_FIN_WAIT_2)
		tcp_timer_start(t, c, TIMER_FW2, k->fw2_ms);
	/* Before the handshake is over the class's cap is looked at there. */
	if (opt == PMTCP_OPT_MSS && tcb_is_synchronized(c)) {
		(void)tcp_tx(t, c); /* a lone message knows what a small segment was when it left */
		c->smss = (uint16_t)min_u32(c->smss, k->mss - ts);
	}
	if (opt == PMTCP_OPT_CC && c->tx) {
		cc_switch(&tcp_tx(t, c)->cc);
		tcp_tx(t, c)->flags &= (uint16_t)~TX_MARKED; /* its place is gone (tcp_ecn.c) */
	}
	if (k->has_slow_timers || c->rare)
		tcp_rare_options(t, c);
}

int
tcp_class_set(struct tcp *t, struct tcb *c, enum pmtcp_opt opt, uint64_t value)
{
	struct tcp_class want = *tcp_class(t, c);
	uint16_t cls;
	int err = set_option(&want, opt, value);

	derive(&want);
	if (err == 0 && want.has_slow_timers && c->head.kind == BLOCK_TCB && !tcp_rare_get(t, c))
		err = -ENOBUFS;
	if (err == 0)
		err = tcp_class_get(t, &want, &cls);
	if (err)
		return err;
	t->classes[cls].refs++;
	tcp_class_put(t, c->cls);
	c->cls = cls;
	follow_class(t, c, opt);
	return 0;
}
