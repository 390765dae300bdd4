/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Accepted connections and small shares, for the tests of what is short. */

#ifndef PMTCP_TESTS_RFC_RESOURCE_BED_H
#define PMTCP_TESTS_RFC_RESOURCE_BED_H

#include "support/cookie_bed.h"

enum { OPENS = 150, SHARE = 100 };

static struct bed_peer peers[OPENS];
static struct pmtcp_conn *conns[OPENS];

static inline struct bed_peer
station(uint16_t port)
{
	return (struct bed_peer){.ip = TEST_PEER, .port = port, .local_port = PORT, .seq = X};
}

static inline void
accept_one(int i)
{
	peers[i] = station((uint16_t)(2000 + i));
	conns[i] = bed_accept(&bed, &peers[i]);
	assert_non_null(conns[i]);
}

static inline void
pop_events(void)
{
	while (bed_event(&bed).flags != 0)
		;
}

/* A SYN; true if it was answered. */
static inline bool
syn_is_answered(uint16_t rport)
{
	struct build syn = syn_of(rport, X, 0);

	bed_inject(&bed, &syn);
	bed_turn(&bed);
	return bed_forget(&bed) > 0;
}

static inline void
tune_no_spares(struct pmtcp_conf *conf)
{
	conf->spare_max = 0;
}

static inline void
tune_share(struct pmtcp_conf *conf)
{
	conf->max_conns = SHARE;
	conf->max_half_open = conf->max_time_wait = conf->max_transfers = OPENS;
	conf->spare_max = 0; /* or packets set by for answers would count as live */
}

/* An octet there and back. */
static inline void
echo_works(int i)
{
	char octet;

	bed_peer_sends(&bed, &peers[i], PKT_ACK | PKT_PSH, 1);
	bed_turn(&bed);
	assert_int_equal(pmtcp_read(conns[i], &octet, 1), 1);
	assert_int_equal(pmtcp_write(conns[i], &octet, 1), 1);
	assert_int_equal(bed_peer_gets(&bed, &peers[i])->len, 1);
	assert_int_equal(bed.taken.ack, peers[i].seq);
	bed_peer_sends(&bed, &peers[i], PKT_ACK, 0);
	bed_turn(&bed);
	pop_events();
}

#endif /* PMTCP_TESTS_RFC_RESOURCE_BED_H */
