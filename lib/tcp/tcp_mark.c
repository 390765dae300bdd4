/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Marks: what the output pass has to visit. A block is on at most one list at a
 * time, linked through mark_next, whatever it owes; a block whose next hop is not
 * resolved moves to that hop's wait list and needs no packet buffer there (W-7). */

#include "tcp/tcp_plain.h"

#include <string.h>

static void
push(struct tcp *t, struct mark_list *list, struct block_head *b)
{
	uint32_t index = tcp_index(t, b);

	b->mark_next = MARK_END;
	if (list->head)
		tcp_block(t, list->tail)->mark_next = index;
	else
		list->head = index;
	list->tail = index;
}

void
tcp_mark(struct tcp *t, struct block_head *b)
{
	if (b->mark_next == 0)
		push(t, &t->ctl, b);
}

void
tcp_mark_data(struct tcp *t, struct tcb *c)
{
	if (c->head.mark_next == 0)
		push(t, &t->data, &c->head);
}

static bool
is_half_open(const struct tcp *t, uint32_t index)
{
	return index - (t->half_opens.end - t->half_opens.max) < t->half_opens.max;
}

/* RES-12, SEC-14: nobody answers for a forged neighbour, and a half-open that waits for one
 * cannot give way to another, since its block is on that list. Half of the next hops and a
 * quarter of the half-opens may be kept so. */
static void
judge_crowd(struct tcp *t)
{
	t->is_crowded = t->hops_waited > t->conf.max_neighbours / 2 ||
			t->half_opens_waiting > t->half_opens.max / 4;
}

void
tcp_mark_wait(struct tcp *t, struct block_head *b)
{
	struct tcp_hop *hop = &t->hops[b->hop];

	t->hops_waited += hop->wait_head == 0;
	t->half_opens_waiting += is_half_open(t, tcp_index(t, b));
	judge_crowd(t);
	b->mark_next = hop->wait_head ? hop->wait_head : MARK_END;
	hop->wait_head = tcp_index(t, b);
	hop->is_wanted = true;
	t->has_wanted_hop = true;
}

void
tcp_hop_init(struct tcp *t, uint16_t number, bool is_v6)
{
	struct tcp_hop *hop = &t->hops[number];

	memset(hop, 0, sizeof(*hop));
	hop->is_v6 = is_v6;
	if (!is_v6 && t->plain_src != 0)
		wire_plain_eth(hop->behind_mac, t->plain_src);
}

void
tcp_hop_ready(struct tcp *t, uint16_t number)
{
	struct tcp_hop *hop = &t->hops[number];
	uint32_t index = hop->wait_head;

	t->hops_waited -= index != 0;
	hop->wait_head = 0;
	while (index && index != MARK_END) {
		struct block_head *b = tcp_block(t, index);

		t->half_opens_waiting -= is_half_open(t, index);
		index = b->mark_next;
		push(t, &t->ctl, b);
	}
	judge_crowd(t);
}

void
tcp_hop_suspect(struct tcp *t, uint16_t number)
{
	t->hops[number].is_suspect = true;
	t->has_wanted_hop = true;
}

/* The hop does not answer. Connections go on waiting for it. Who only sent a SYN is not
 * there: its half-open would keep the hop for a minute (RES-12). Blocks that died go to the
 * output pass, which gives them back, or the silence would keep them. */
void
tcp_hop_failed(struct tcp *t, uint16_t number)
{
	struct tcp_hop *hop = &t->hops[number];
	uint32_t index = hop->wait_head;

	t->hops_waited -= index != 0;
	hop->wait_head = 0;
	while (index && index != MARK_END) {
		struct block_head *b = tcp_block(t, index);
		uint32_t next = b->mark_next;

		if (b->kind == BLOCK_SYN_RCVD)
			tcp_syn_rcvd_end(t, (struct syn_rcvd *)b, PMTCP_C_half_open_timeout);
		t->half_opens_waiting -= is_half_open(t, index);
		if (b->kind == BLOCK_DEAD || b->kind == BLOCK_ENDED) {
			push(t, &t->ctl, b);
		} else {
			b->mark_next = hop->wait_head ? hop->wait_head : MARK_END;
			hop->wait_head = index;
		}
		index = next;
	}
	t->hops_waited += hop->wait_head != 0;
	judge_crowd(t);
}

/* Caller: b was just taken off the head of the list. */
void
tcp_mark_last(struct tcp *t, struct mark_list *list, struct block_head *b)
{
	push(t, list, b);
}

enum {
	EPOCH_SHIFT = 7,  /* units of 128 ms, kept in 8 bits: they come round in 32 s */
	EPOCHS_APART = 5, /* more than 512 ms and at most 640 */
};

/* At most two challenges in any second per block, and no budget that is shared
 * between connections, so none can be measured (SEC-4, CVE-2016-5696). Eight bits
 * are enough: a challenge wrongly held back after a multiple of 32 s of silence
 * is asked for again by the peer's next retransmission. */
bool
tcp_challenge_allowed(struct tcp *t, uint8_t *epoch, bool had_one)
{
	uint8_t now = (uint8_t)(t->now_ms >> EPOCH_SHIFT);

	if (had_one && (uint8_t)(now - *epoch) < EPOCHS_APART) {
		tcp_count(t, PMTCP_C_challenge_throttled);
		return false;
	}
	*epoch = now;
	tcp_count(t, PMTCP_C_challenge_sent);
	return true;
}

void
tcp_challenge(struct tcp *t, struct tcb *c)
{
	if (!tcp_challenge_allowed(t, &c->challenge_epoch, tcb_has(c, TCB_CHALLENGED)))
		return;
	c->flags |= TCB_CHALLENGED;
	tcp_owe_ack(t, c);
}
