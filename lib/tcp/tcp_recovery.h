/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the files of loss recovery say to each other: scoreboard, RACK-TLP, what is sent
 * again, and what is undone. The state is in struct tcp_tx. */

#ifndef PMTCP_TCP_TCP_RECOVERY_H
#define PMTCP_TCP_TCP_RECOVERY_H

#include "tcp/tcp.h"

/* ---- tcp_rexmit.c ---- */
/* The record goes out once more, as it is; false: no packet buffer. */
bool tcp_rexmit_segment(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct sendq_rec *rec);
/* How much of the record the peer can take now. */
uint32_t tcp_rexmit_len(const struct tcb *c, const struct sendq_rec *rec);
struct cc_event tcp_cc_event(const struct tcp *t, const struct tcb *c, const struct tcp_tx *tx);
/* The window after a loss was found, and the recovery point. */
void tcp_reduce(struct tcp *t, struct tcb *c, struct tcp_tx *tx);

/* ---- tcp_ecn.c ---- */
/* This octet was in flight when a mark was answered. */
bool tcp_ecn_is_answered(const struct tcp_tx *tx, uint32_t seq);

/* ---- tcp_sack.c: the scoreboard ---- */
/* What one ACK told a connection with SACK. */
struct tcp_news {
	uint32_t bytes;     /* octets acknowledged cumulatively */
	uint32_t delivered; /* octets newly delivered, by ACK or SACK */
	struct rack_ack rack;
	uint32_t dsack_left;
	uint32_t dsack_right;
	bool has_dsack;
	bool has_original; /* what was sent once, before the last loss, was delivered */
	bool is_above;     /* what was sent after it was SACKed */
};
/* Nothing is marked, nothing is under way: an ACK without blocks needs no attention, and
 * no cursor can be left behind by it. */
static inline bool
tcp_sack_is_calm(const struct tcp_tx *tx, const struct seg *seg)
{
	return !tcp_tx_has(tx, TX_RECOVERING | TX_TLP_OUT) &&
	       (tx->sacked | tx->lost | tx->sack_rec[0] | tx->sack_rec[1] | tx->judge_rec) == 0 &&
	       seg->n_sack == 0;
}

/* Records that were delivered pay for walks to come: SEC-14 binds the sum, and what one
 * honest ACK has to skip may be much. */
enum { CREDIT_VISITS = 4 };
static inline void
tcp_sack_credit(struct tcp_tx *tx, uint32_t n)
{
	tx->credit = (uint8_t)min_u32(
			tx->credit + (n + CREDIT_VISITS - 1) / CREDIT_VISITS, UINT8_MAX);
}
/* una is about to move there: accounts for what leaves. */
void tcp_sack_acking(struct tcp *t, struct tcb *c, const struct seg *seg, uint32_t una,
		struct tcp_news *news);
/* The blocks of this ACK. */
void tcp_sack_blocks(struct tcp *t, struct tcb *c, const struct seg *seg, struct tcp_news *news);
/* CHECKs sums and cursors; for tests. */
void tcp_sack_check(const struct tcp *t, const struct tcp_tx *tx);
void tcp_sack_mark_lost(struct tcp *t, struct tcp_tx *tx, uint32_t index);
/* At a timeout: forgets SACKs that the peer went back on (DATA-38), marks what is lost. */
/* The peer gave up what it had SACKed (DATA-38): every mark goes. */
void tcp_sack_renege(struct tcp *t, struct tcp_tx *tx);
void tcp_sack_mark_timeout(struct tcp *t, struct tcb *c, struct tcp_tx *tx);
/* Nothing is lost after all. */
void tcp_sack_unmark_lost(struct tcp *t, struct tcp_tx *tx);
/* The next record marked LOST, 0: none found. One pass may skip LOST_VISITS others. */
enum { LOST_VISITS = 16 };
uint32_t tcp_sack_next_lost(struct tcp *t, struct tcp_tx *tx, uint32_t *visits);

/* ---- tcp_recovery.c: with SACK, what is done about loss ---- */
/* While nothing is amiss: `bytes` were acknowledged. */
void tcp_recovery_calm(struct tcp *t, struct tcb *c, struct tcp_tx *tx, uint32_t bytes);
/* After the ACK was taken; @return us until more may be lost, 0: nothing to wait for. */
uint32_t tcp_recovery_ack(
		struct tcp *t, struct tcb *c, const struct seg *seg, const struct tcp_news *news);
/* An ACK with blocks, or a duplicate one, that acknowledges nothing new. */
void tcp_recovery_dup(struct tcp *t, struct tcb *c, const struct seg *seg);
/* RACK found losses. */
void tcp_recovery_loss(struct tcp *t, struct tcb *c, struct tcp_tx *tx);
void tcp_recovery_timeout(struct tcp *t, struct tcb *c, struct tcp_tx *tx);
void tcp_recovery_shut(struct tcp *t, struct tcp_tx *tx);
bool tcp_recovery_output(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct tcp_tx *tx);

/* ---- tcp_rack.c: RACK-TLP (RFC 8985) ---- */
/* Marks what is lost now; true if something was. *wait_us as above. */
bool tcp_rack_detect(struct tcp *t, struct tcb *c, struct tcp_tx *tx, uint32_t *wait_us);
/* The transmit timer after an ACK: reordering, loss probe or RTO. */
void tcp_rack_arm(struct tcp *t, struct tcb *c, struct tcp_tx *tx, uint32_t wait_us);
void tcp_rack_timeout(struct tcp *t, struct tcb *c);
/* Until the loss probe; UINT32_MAX: none is due. */
uint32_t tcp_tlp_ms(const struct tcp *t, const struct tcb *c, const struct tcp_tx *tx);
/* The same of a segment that is alone in flight, nothing being amiss; at most the RTO. */
uint32_t tcp_tlp_single_ms(const struct tcb *c, uint32_t rto_ms);
void tcp_tlp_ack(struct tcp *t, struct tcb *c, const struct seg *seg, const struct tcp_news *news);
/* New data left: the probe waits anew. */
void tcp_tlp_start(struct tcp *t, struct tcb *c, struct tcp_tx *tx);
/* The last segment again, as a probe; false: no packet buffer. */
bool tcp_tlp_resend(struct tcp *t, struct tcb *c, struct tcp_burst *b, struct tcp_tx *tx);
void tcp_tlp_sent(struct tcp *t, struct tcb *c, struct tcp_tx *tx);

/* ---- tcp_undo.c: it was no loss (RFC 4015, 5682, 3522) ---- */
/* Of undo_n: more were sent again than can be counted, so no D-SACKs will do. */
#define TCP_UNDO_MAX UINT8_MAX
/* A loss or timeout was just acted upon. */
void tcp_undo_begin(struct tcp_tx *tx, bool is_timeout);
/* Something sent again was acknowledged. True if undone. */
bool tcp_undo_eifel(
		struct tcp *t, struct tcb *c, const struct seg *seg, const struct sendq_ack *out);
void tcp_undo_dsack(struct tcp *t, struct tcb *c, const struct tcp_news *news);
/* F-RTO with SACK; advanced: una moved. */
void tcp_undo_frto(struct tcp *t, struct tcb *c, const struct tcp_news *news);
/* F-RTO without: the ACK of so much new data, or a duplicate one. */
void tcp_undo_frto_basic(struct tcp *t, struct tcb *c, uint32_t bytes);

#endif /* PMTCP_TCP_TCP_RECOVERY_H */
