/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The TCP engine of one core: RFC 9293 and its companions over blocks, table,
 * wheel and lists. It knows no ports, lcores or clocks; time comes in as an
 * argument, packets as mbufs, next hops as an index into a table of addresses
 * that the layer above resolves. */

#ifndef PMTCP_TCP_TCP_H
#define PMTCP_TCP_TCP_H

#include <pmtcp.h>

#include "base/base.h"
#include "base/check.h"
#include "base/rng.h"
#include "base/seq.h"
#include "base/siphash.h"
#include "flow/flow_key6.h"
#include "flow/flow_table.h"
#include "recovery/cc.h"
#include "recovery/rtt.h"
#include "stream/reasm.h"
#include "stream/recpool.h"
#include "stream/sendq.h"
#include "tcp/slab.h"
#include "tcp/tcb.h"
#include "tcp/tcp_class.h"
#include "tcp/tcp_icmp.h"
#include "tcp/tcp_listener.h"
#include "tcp/tcp_message.h"
#include "tcp/tcp_path.h"
#include "tcp/tcp_port.h"
#include "tcp/tcp_rare.h"
#include "tcp/tcp_starve.h"
#include "tcp/tcp_tx.h"
#include "tcp/tcp_watch.h"
#include "wheel/wheel.h"
#include "wire/seg.h"
#include "wire/wire_emit.h"

enum {
	TCP_REPLIES_MAX = 256, /* RSTs, ARP, ICMP built in received mbufs, per turn */
	TCP_SPARES_MAX = 64,
	TCP_SPARES_LOW = 8,      /* that many are left: time to fetch others */
	TCP_DUP_ACKS_OWED = 3,   /* DATA-29 */
	TCP_DUP_ACKS_REXMT = 3,  /* RFC 5681 3.2 */
	TCP_QUICKACKS = 8,       /* first segments acknowledged at once (DATA-13) */
	TCP_MSS_FLOOR = 88,      /* W-31 */
	TCP_MSS_DEFAULT = 536,   /* RFC 9293 3.7.1, IPv4 */
	TCP_MSS_DEFAULT6 = 1220, /* and IPv6 */
	TCP_TS_OPT_LEN = 12,     /* with its padding */
	TCP_TICK_EXPIRIES = 128, /* per pass, some 6 us; TW-17 allows 512 */
	TCP_TW_SLACK_MS = 256,
	TCP_PAWS_IDLE_MS = 24 * 86400 * 1000u, /* RFC 7323 5.5 */
	TCP_PRESSURE_SYN = 250, /* permille of free packet buffers: SYNs, windows (RES-5) */
	TCP_PRESSURE_OOO = 100, /* out-of-order text */
	TCP_BUFFER_MIN = 2048,
	TCP_BUFFER_MAX = 4 << 20,
	TCP_IW_MAX = 100, /* segments */
};

/* A next hop as output sees it; lib/stack resolves. */
struct tcp_hop {
	struct rte_ether_addr mac;
	uint8_t behind_mac[10]; /* what follows it in plain segments; 0: none go there */
	bool is_resolved;
	bool is_wanted;     /* somebody waits: resolve */
	bool is_suspect;    /* segments over it were never answered: ask again (DATA-34) */
	bool is_v6;         /* and so is every block that names it */
	uint32_t wait_head; /* marked blocks that wait, through mark_next; 0 none */
	uint32_t confirmed; /* ms of the last forward progress (W-8) */
	uint32_t refs;      /* blocks that name it: it cannot be recycled */
};

/* Side record of a connection with text unread, out of order, or not given back. */
struct tcp_rx {
	struct reasm r;
	uint32_t held;       /* octets delivered in order and not yet given back by recv_done */
	uint32_t dsack_left; /* a duplicate to report first (RFC 2883); right 0: none */
	uint32_t dsack_right;
	uint8_t has_sack; /* what is out of order was told to the peer: it goes last (RES-5) */
	uint8_t reserved[3];
};
STATIC_ASSERT(sizeof(struct tcp_rx) <= 64);

/* Keys of SYN cookies, two generations: an ACK may answer one of the last step (SEC-11). */
struct tcp_cookies {
	struct siphash_key master;
	struct siphash_key key[2];
	uint32_t epoch[2]; /* epoch + 1 of each key, 0: none yet */
};

/* The tuple of an open: local port 0 is to be chosen. */
struct tcp_tuple {
	struct flow_key key;
	struct flow_addr6 addr6; /* if is_v6; key.addrs is its digest */
	bool is_v6;
	uint16_t hop;
	uint64_t hash; /* of the key, once it has both ports */
};

struct mark_list {
	uint32_t head; /* 0 empty */
	uint32_t tail;
};

/* The last output pass that had marks, room, and nothing to send: memory was short. It holds
 * as long as nothing was sent and nothing was marked since. */
struct tcp_dry {
	uint64_t ns;
	uint64_t frames; /* sent until then */
	uint32_t ctl;    /* the last mark of each list */
	uint32_t data;
};

/* Keys of what an opening draws from its tuple. */
enum { TCP_ISN_SECRET, TCP_TS_SECRET, TCP_OPEN_SECRETS };

struct tcp {
	/* Touched by every segment. */
	uint8_t *base; /* block i at base + 64 * i */
	uint64_t now_ns;
	uint32_t now_ms; /* low 32 bits: the wheel's tick */
	uint32_t now_us;
	uint64_t now_tick;   /* 64-bit ms, for the wheel */
	uint32_t tick_begun; /* 1 if now lies inside a millisecond: timers must not be early */
	uint64_t watch_tick; /* when tcp_tick() looks beyond the wheel again (tcp_watch.c) */
	struct flow_table table;
	struct siphash_key flow_secret;
	const struct seg *seg; /* at hand; NULL outside of a burst */
	uint16_t fate;         /* enum pmtcp_counter of the segment whose text is being taken */
	uint16_t n_spare;
	uint16_t n_replies;
	uint64_t plain_src;    /* wire_plain_src() of our MAC; 0: a device makes the sums */
	struct mark_list ctl;  /* control marks */
	struct mark_list data; /* data marks */
	uint32_t ready_head;   /* connections with events */
	uint32_t ready_tail;
	uint64_t counter[PMTCP_C_MAX];
	uint64_t ended[PMTCP_REASON_MAX];
	uint32_t state[PMTCP_STATE_MAX];
	uint32_t live;
	uint32_t orphans;
	uint32_t n_half_open; /* blocks of that kind in the table */
	uint32_t parked;
	uint32_t tw_peak;
	bool has_wanted_hop;
	bool is_shutting_down;       /* tcp_shutdown() has closed everything */
	bool is_crowded;             /* too many of the two below: forged neighbours (tcp_mark.c) */
	uint32_t hops_waited;        /* not resolved, and somebody waits */
	uint32_t half_opens_waiting; /* blocks of their share, ended ones too, on these hops */

	struct slab tcbs;
	struct slab half_opens;
	struct slab time_waits;
	struct slab txs;
	struct slab rxs;
	struct slab rares;
	struct recpool recs;
	struct tcp_class *classes;
	struct tcp_hop *hops;
	struct tcp_pair *pairs;
	struct pmtcp_listener *listeners;
	uint16_t *listener_by_port; /* number + 1, by port in network order */
	uint64_t pair_mult[3];      /* tcp_pair_hash() */
	uint32_t n_pairs;           /* slots, a power of two */
	uint32_t port_range;        /* ephemeral ports */
	uint16_t open_burst;        /* counts bursts of opens: tells what they foresaw */
	uint32_t tw_first;          /* first unit of the TIME-WAIT share */
	uint32_t tw_hand;           /* where the search for the oldest entry goes on (TW-14) */
	uint32_t ooo_hand;          /* where the search for out-of-order text goes on (RES-5) */
	bool ooo_spares_sack;       /* this round takes from connections without SACK only */
	bool ooo_had_plain;         /* and has found some */
	uint32_t half_open_hand;    /* where the search for one to give way goes on */
	uint16_t default_class;
	uint16_t last_class;
	uint16_t free_permille; /* packet buffers (RES-5) */
	uint32_t rst_tokens;    /* SEC-6 */
	uint32_t rst_tokens_ms;
	uint32_t syn_tokens; /* RES-12: SYNs beyond the limits that may still be answered ... */
	uint32_t syn_ms;     /* ... in this millisecond */
	struct rte_mbuf *spare[TCP_SPARES_MAX];
	struct rte_mbuf *replies[TCP_REPLIES_MAX];
	struct pmtcp_conf conf;
	struct siphash_key open_secret[TCP_OPEN_SECRETS];
	struct siphash_key port_secret;
	struct tcp_cookies cookies;
	struct rng rng;
	struct tcp_watch watch;
	struct tcp_starve starve;
	struct tcp_dry dry;
	struct tcp_paths paths;
	struct wire_tx_conf tx_conf;
	uint16_t mss;             /* offered over IPv4: MTU - 40 */
	struct flow_addr6 *addr6; /* see tcp_addr6_at(); NULL: no IPv6 */

	/* The layer above: which next hop serves this remote address (network
	 * order)? UINT16_MAX: no route. And is the address ours? */
	uint16_t (*route)(void *stack, uint32_t raddr);
	bool (*is_local)(const void *stack, uint32_t addr);
	bool (*is_remote_ok)(const void *stack, uint32_t addr); /* could be a peer (OPEN-10) */
	uint32_t (*pick_local)(void *stack, uint32_t raddr);
	void (*diag)(void *stack, enum pmtcp_diag_kind kind, uint32_t value);
	/* The same of IPv6 addresses, 16 octets each. */
	uint16_t (*route6)(void *stack, const uint8_t *raddr);
	bool (*is_local6)(const void *stack, const uint8_t *addr);
	bool (*is_remote_ok6)(const void *stack, const uint8_t *addr);
	const uint8_t *(*pick_local6)(void *stack, const uint8_t *raddr);
	/* Is the next hop to who sent this resolved? None is made. */
	bool (*knows_way)(const void *stack, const struct seg *seg);
	/* This worker's tuple? addr6 is NULL for IPv4. */
	bool (*owns)(const void *stack, const struct flow_key *key, const struct flow_addr6 *addr6);
	void *stack;

	struct wheel wheel; /* last: large, mostly cold */
};

#define TCP_NO_HOP UINT16_MAX

static inline struct block_head *
tcp_block(const struct tcp *t, uint32_t index)
{
	return (struct block_head *)(void *)(t->base + (uint64_t)index * SLAB_UNIT);
}

static inline uint32_t
tcp_index(const struct tcp *t, const void *block)
{
	/* Unsigned: the distance of a block is never negative, and then this is one shift. */
	return (uint32_t)((size_t)((const uint8_t *)block - t->base) / SLAB_UNIT);
}

static inline struct tcb *
tcp_tcb(const struct tcp *t, uint32_t index)
{
	return (struct tcb *)(void *)tcp_block(t, index);
}

static inline struct tcp_tx *
tcp_tx(const struct tcp *t, const struct tcb *c)
{
	if (is_unlikely(tcp_is_message(c)))
		tcp_message_expand(t, c);
	return c->tx ? slab_at(&t->txs, c->tx) : NULL;
}

static inline struct tcp_rx *
tcp_rx(const struct tcp *t, const struct tcb *c)
{
	return c->rx ? slab_at(&t->rxs, c->rx) : NULL;
}

static inline struct tcp_rare *
tcp_rare(const struct tcp *t, const struct tcb *c)
{
	return c->rare ? slab_at(&t->rares, c->rare) : NULL;
}

static inline struct tcp_class *
tcp_class(const struct tcp *t, const struct tcb *c)
{
	return &t->classes[c->cls];
}

/* The congestion control of a connection. */
static inline const struct cc_ops *
tcp_cc(const struct tcp *t, const struct tcb *c)
{
	return is_unlikely(tcp_class(t, c)->is_newreno) ? &cc_newreno : &cc_cubic;
}

/* RFC 3168 6.1.2: the peer is told of any reduction. */
static inline void
tcp_ecn_reduced(struct tcb *c)
{
	if (is_unlikely(tcb_has(c, TCB_ECN)))
		c->flags |= TCB_CWR_DUE;
}

static inline uint64_t
tcp_hash(const struct tcp *t, const struct flow_key *key)
{
	return flow_key_hash(&t->flow_secret, key);
}

/* The same where the segment at hand most likely is the connection's and knows it. */
static inline uint64_t
tcp_hash_at_hand(const struct tcp *t, const struct flow_key *key)
{
	if (is_likely(t->seg && flow_key_equal(&t->seg->key, key)))
		return seg_hash(t->seg);
	return tcp_hash(t, key);
}

static inline void
tcp_count(struct tcp *t, enum pmtcp_counter c)
{
	t->counter[c]++;
}

/* Our timestamp clock for a connection: 1 ms ticks plus its own offset (DATA-26). */
static inline uint32_t
tcp_tsval(const struct tcp *t, uint32_t ts_offset)
{
	return t->now_ms + ts_offset;
}

/* The engine that owns this tcb: its address stands at the head of the 2 MiB
 * chunk (slab.h). */
static inline struct tcp *
tcp_of(const struct tcb *c)
{
	return *(struct tcp **)((uintptr_t)c & ~(uintptr_t)(PMTCP_CTX_ALIGN - 1));
}

/* What a step of RFC 9293 3.10.7.4 leaves to the next one. */
enum verdict { NEXT, DONE };

/* The segment ends here, with this fate; a kept packet is not touched. */
static inline enum verdict
tcp_drop(struct tcp *t, enum pmtcp_counter fate)
{
	tcp_count(t, fate);
	return DONE;
}

/* ---- tcp_init.c ---- */
size_t tcp_memsize(const struct pmtcp_conf *conf);
/* mem: zeroed, PMTCP_CTX_ALIGN aligned. @return 0 or -EINVAL, -ENOMEM */
int tcp_init(struct tcp *t, void *mem, size_t len, const struct pmtcp_conf *conf);
void tcp_fini(struct tcp *t);
void tcp_check_all(const struct tcp *t);
static inline void
tcp_set_now(struct tcp *t, uint64_t now_ns)
{
	if (now_ns > t->now_ns) {
		t->now_ns = now_ns;
		t->now_tick = now_ns / 1000000;
		t->now_ms = (uint32_t)t->now_tick;
		t->tick_begun = now_ns % 1000000 != 0;
		t->now_us = (uint32_t)(now_ns / 1000);
	}
}

/* ---- tcp_conn.c: life and death of blocks ---- */
struct tcb *tcp_tcb_new(struct tcp *t, const struct flow_key *key, uint16_t cls, uint16_t hop);
/* Takes back a new tcb that never entered the table. */
void tcp_tcb_undo(struct tcp *t, struct tcb *c);
void tcp_conn_set_state(struct tcp *t, struct tcb *c, enum tcp_state state);
/* The connection is over: out of table and wheel, queues dropped, counted, CLOSED queued. */
void tcp_conn_end(struct tcp *t, struct tcb *c, enum pmtcp_reason reason);
/* Also owes the peer an RST (RSTX). */
void tcp_conn_reset(struct tcp *t, struct tcb *c, enum pmtcp_reason reason);
/* Gives the block back if both the application and the protocol are done with it. */
void tcp_conn_reap(struct tcp *t, struct tcb *c);
/* There was no slot for a block: a TIME-WAIT entry or half-open gives way (RES-8); -ENOSPC: none
 * could. */
int tcp_block_squeeze(struct tcp *t, uint64_t hash, uint32_t index);
/* Puts a block into the table. Inline: the call alone is 15 instructions of each opening. */
static inline int
tcp_block_enter(struct tcp *t, uint64_t hash, uint32_t index)
{
	if (is_likely(flow_table_insert(&t->table, hash, index) == 0))
		return 0;
	return tcp_block_squeeze(t, hash, index);
}

/* Called when a connection, half-open or TIME-WAIT leaves the table for good. */
void tcp_block_forget(struct tcp *t, struct block_head *b);
/* Gives a 64-byte block back now, or when its mark is taken off. */
void tcp_block_free(struct tcp *t, struct block_head *b);
/* Side records go back with all they hold; often there is none. */
void tcp_tx_drop(struct tcp *t, struct tcb *c);
void tcp_rx_drop(struct tcp *t, struct tcb *c);
static inline void
tcp_tx_release(struct tcp *t, struct tcb *c)
{
	if (c->tx)
		tcp_tx_drop(t, c);
}
static inline void
tcp_rx_release(struct tcp *t, struct tcb *c)
{
	if (c->rx)
		tcp_rx_drop(t, c);
}
/* The side record goes when it holds nothing and owes nothing. */
void tcp_rx_rest(struct tcp *t, struct tcb *c, const struct tcp_rx *rx);
struct tcp_tx *tcp_tx_get(struct tcp *t, struct tcb *c);
/* Makes a record that holds anything that of an empty queue at this number. */
void tcp_tx_begin(struct tcp *t, struct tcb *c, struct tcp_tx *tx, uint32_t seq);
/* Congestion control from its start: IW, or one segment after a lost SYN (OPEN-13). */
void tcp_tx_start(struct tcp *t, struct tcb *c, struct tcp_tx *tx);
struct tcp_rx *tcp_rx_get(struct tcp *t, struct tcb *c);

/* ---- tcp_shutdown.c: the end of all of them; see pmtcp_ctx_shutdown() ---- */
uint32_t tcp_shutdown(struct tcp *t, uint64_t deadline_ns);

/* ---- tcp_mark.c ---- */
/* A hop of which nothing is known yet. */
void tcp_hop_init(struct tcp *t, uint16_t number, bool is_v6);
void tcp_mark(struct tcp *t, struct block_head *b);
void tcp_mark_data(struct tcp *t, struct tcb *c);
void tcp_mark_wait(struct tcp *t, struct block_head *b);
void tcp_hop_ready(struct tcp *t, uint16_t hop);
/* Connections over this hop retransmit in vain. */
void tcp_hop_suspect(struct tcp *t, uint16_t hop);
void tcp_hop_failed(struct tcp *t, uint16_t hop);
void tcp_mark_last(struct tcp *t, struct mark_list *list, struct block_head *b);
static inline void
tcp_owe_ack(struct tcp *t, struct tcb *c)
{
	c->flags |= TCB_ACK_DUE;
	tcp_mark(t, &c->head);
}
/* A challenge ACK, at most two in any second and connection (SEC-4). */
void tcp_challenge(struct tcp *t, struct tcb *c);
bool tcp_challenge_allowed(struct tcp *t, uint8_t *epoch, bool had_one);

/* ---- tcp_class.c ---- */
int tcp_class_get(struct tcp *t, const struct tcp_class *want, uint16_t *cls);
int tcp_class_from_opts(struct tcp *t, const struct pmtcp_conn_opts *opts, uint16_t *cls);
void tcp_class_put(struct tcp *t, uint16_t cls);
int tcp_class_set(struct tcp *t, struct tcb *c, enum pmtcp_opt opt, uint64_t value);
int tcp_class_default(struct tcp *t);

/* ---- tcp_user.c: the other calls of RFC 9293 3.10.1-3.10.6 ---- */
int tcp_user_listen(struct tcp *t, const struct pmtcp_addr *local,
		const struct pmtcp_listen_opts *opts, struct pmtcp_listener **out);
void tcp_user_unlisten(struct pmtcp_listener *l);
/* RSTX of a half-open, written at once: its block is going. */
void tcp_syn_rcvd_reset(struct tcp *t, struct syn_rcvd *sr);
int tcp_user_shutdown(struct tcp *t, struct tcb *c);
void tcp_user_close(struct tcp *t, struct tcb *c);
void tcp_user_abort(struct tcp *t, struct tcb *c);
void tcp_user_detach(struct tcp *t, struct tcb *c);
/* ---- tcp_stream.c: SEND and RECEIVE ---- */
int tcp_user_send(struct tcp *t, struct tcb *c, struct rte_mbuf **pkts, uint16_t n);
int tcp_user_write(struct tcp *t, struct tcb *c, const void *buf, uint32_t len);
uint32_t tcp_send_space(const struct tcp *t, const struct tcb *c);
uint32_t tcp_user_send_space(const struct tcp *t, const struct tcb *c);
int tcp_user_recv(struct tcp *t, struct tcb *c, struct rte_mbuf **pkts, uint16_t n);
int tcp_user_read(struct tcp *t, struct tcb *c, void *buf, uint32_t len);
void tcp_user_recv_done(struct tcp *t, struct tcb *c, uint32_t octets);

/* ---- tcp_input.c ---- */
/* b: the block with this tuple, or NULL: none has it. */
void tcp_input(struct tcp *t, struct block_head *b, struct seg *seg);
/* The eight steps for a synchronized tcb or one in SYN-RCVD, from the ACK on. */
void tcp_input_from_ack(struct tcp *t, struct tcb *c, struct seg *seg);
void tcp_input_from_text(struct tcp *t, struct tcb *c, struct seg *seg);

/* ---- tcp_check.c: acceptability, PAWS, RST, SYN (RFC 9293 3.10.7.4, 5961, 7323) ---- */
enum verdict tcp_check_paws(struct tcp *t, struct tcb *c, struct seg *seg);
enum verdict tcp_check_seq(struct tcp *t, struct tcb *c, struct seg *seg);
enum verdict tcp_check_rst(struct tcp *t, struct tcb *c, struct seg *seg);
enum verdict tcp_check_syn(struct tcp *t, struct tcb *c, struct seg *seg);
bool tcp_seq_is_acceptable(uint32_t seq, uint32_t len, uint32_t nxt, uint32_t wnd);

/* ---- tcp_ack.c, tcp_text.c: steps 5, 7 and 8 ---- */
enum verdict tcp_check_ack(struct tcp *t, struct tcb *c, struct seg *seg);
enum verdict tcp_take_text(struct tcp *t, struct tcb *c, struct seg *seg);
enum verdict tcp_check_fin(struct tcp *t, struct tcb *c, struct seg *seg);
uint32_t tcp_rcv_space(const struct tcp *t, const struct tcb *c);

/* ---- tcp_listen.c, tcp_open.c ---- */
struct pmtcp_listener *tcp_listener_find(struct tcp *t, const struct seg *seg);
void tcp_listen_input(struct tcp *t, struct pmtcp_listener *l, struct seg *seg);
/* Makes a half-open; parked: index of the TIME-WAIT entry it replaces in the table, or 0. */
void tcp_listen_syn(
		struct tcp *t, struct pmtcp_listener *l, struct seg *seg, struct time_wait *parked);
void tcp_syn_rcvd_input(struct tcp *t, struct syn_rcvd *sr, struct seg *seg);
void tcp_syn_rcvd_end(struct tcp *t, struct syn_rcvd *sr, enum pmtcp_counter why);
void tcp_syn_sent_input(struct tcp *t, struct tcb *c, struct seg *seg);
/* To ESTABLISHED: windows, MSS, events. */
void tcp_established(struct tcp *t, struct tcb *c, const struct seg *seg, uint32_t event);
void tcp_set_options(struct tcp *t, struct tcb *c, const struct seg *seg);
/* Of these TCB_TS, _SACK, _WSCALE and _ECN both SYNs spoke; mss and wscale are the peer's. */
void tcp_set_agreed(struct tcp *t, struct tcb *c, uint32_t flags, uint32_t mss, uint8_t wscale);
void tcp_set_window(struct tcb *c, const struct seg *seg, uint8_t shift);
void tcp_sample_rtt(struct tcp *t, struct tcb *c, const struct seg *seg);
/* Of a new connection (OPEN-7, DATA-26). */
void tcp_isn_and_ts(const struct tcp *t, const struct flow_key *key, uint32_t *iss,
		uint32_t *ts_offset);
/* The same at another time of its clock of 4 us. */
uint32_t tcp_isn_at(const struct tcp *t, const struct flow_key *key, uint32_t clock);
uint32_t tcp_ts_offset(const struct tcp *t, const struct flow_key *key);

/* ---- tcp_cookie.c: SYN cookies ---- */
/* Answers the SYN by a cookie and counts its fate. */
void tcp_cookie_answer(struct tcp *t, struct pmtcp_listener *l, struct seg *seg);
/* An ACK to a listener: DONE if it was right and the segment has its fate. */
enum verdict tcp_cookie_check(struct tcp *t, struct pmtcp_listener *l, struct seg *seg);
/* The number that a cookie for this SYN would have now. */
uint32_t tcp_cookie_iss(struct tcp *t, const struct pmtcp_listener *l, const struct seg *seg);
/* Has this listener issued cookies that may still come back? */
bool tcp_cookie_is_open(struct tcp *t, struct pmtcp_listener *l);

/* ---- tcp_reply.c: answers that belong to no block ---- */
void tcp_reply_rst(struct tcp *t, struct seg *seg);
/* Sends w back to the station that sent seg, in its packet if that is fit; false: no packet
 * buffer, or too many replies in this turn. */
bool tcp_reply_send(struct tcp *t, struct seg *seg, struct wire_tcp *w);
/* Sends a finished frame in the next output pass; false: too many in this turn, and it stays
 * the caller's. */
bool tcp_reply_push(struct tcp *t, struct rte_mbuf *m);
void tcp_spare_put(struct tcp *t, struct rte_mbuf *m);
struct rte_mbuf *tcp_ctl_alloc(struct tcp *t);
struct rte_mbuf *tcp_text_alloc(struct tcp *t);
/* The same, with whatever it was received with. */
struct rte_mbuf *tcp_text_raw(struct tcp *t);
/* An empty spare to keep text in, not to send, unless it is needed for answers; or NULL. */
struct rte_mbuf *tcp_text_spare(struct tcp *t);
/* A spare again, and never sent or shared: it is not looked at, since it may be cold. */
void tcp_spare_own(struct tcp *t, struct rte_mbuf *m);

/* ---- tcp_output.c, tcp_rexmit.c ---- */
uint16_t tcp_output(struct tcp *t, struct rte_mbuf **pkts, uint16_t n);
/* When the marks want the next one, ns; UINT64_MAX: there are none. */
uint64_t tcp_output_deadline(const struct tcp *t);
/* Where and as what a segment leaves. */
struct tcp_out {
	uint32_t seq;
	uint32_t ack;
	uint8_t flags;
	uint8_t ecn; /* enum ip_ecn: new text may be marked */
};
/* Room in the burst being filled. */
struct tcp_burst {
	struct rte_mbuf **pkts;
	uint16_t n;
	uint16_t max;
};
/* One tcb's turn: false if it has more to send than fitted. */
bool tcp_output_tcb(struct tcp *t, struct tcb *c, struct tcp_burst *b);
/* Sends one segment of a tcb; rec 0: no payload. False: no packet buffer. */
bool tcp_emit(struct tcp *t, struct tcb *c, struct tcp_burst *b, const struct sendq_rec *rec,
		struct tcp_out out);
/* What may be sent again now; false as above. */
bool tcp_output_rexmit(struct tcp *t, struct tcb *c, struct tcp_burst *b);
/* The MSS has gone down: what is in flight and larger never arrived. */
void tcp_rexmit_too_big(struct tcp *t, struct tcb *c);
void tcp_rexmit_timeout(struct tcp *t, struct tcb *c);
void tcp_rexmit_dup_ack(struct tcp *t, struct tcb *c);
/* una moved by `bytes` of payload; Caller: una is already the new one. */
void tcp_rexmit_new_ack(struct tcp *t, struct tcb *c, uint32_t bytes);

/* ---- tcp_timer.c ---- */
void tcp_tick(struct tcp *t, uint64_t now_ns);
void tcp_timer_start(struct tcp *t, struct tcb *c, enum tcb_timer timer, uint32_t in_ms);
void tcp_timer_open(struct tcp *t, struct tcb *c);
void tcp_timer_stop(struct tcb *c);
/* A deadline of the tcb or its side record was set: moves the wheel node if need be. */
void tcp_timer_arm(struct tcp *t, struct tcb *c);
void tcp_timer_rexmt(struct tcp *t, struct tcb *c);
void tcp_delack_start(struct tcp *t, struct tcb *c);
uint32_t tcp_rto_ms(const struct tcp *t, const struct tcb *c);
/* Arms the node of a new half-open. */
void tcp_syn_rcvd_open(struct tcp *t, struct syn_rcvd *sr);
uint32_t tcp_syn_rto_ms(const struct tcp *t, uint8_t tries);
/* Deadlines up to 2^31 ms away as a 64-bit wheel tick. */
static inline uint64_t
tcp_tick_in(const struct tcp *t, uint32_t in_ms)
{
	return t->now_tick + t->tick_begun + in_ms;
}

/* ---- tcp_timewait.c ---- */
/* The application's connection ends for this reason. */
void tcp_time_wait_enter(struct tcp *t, struct tcb *c, enum pmtcp_reason reason);
void tcp_time_wait_input(struct tcp *t, struct time_wait *tw, struct seg *seg);
/* Out of table and wheel, counted. hash: of its key. */
void tcp_time_wait_remove(
		struct tcp *t, struct time_wait *tw, uint64_t hash, enum pmtcp_counter why);
/* The wheel has handed these out, n <= FLOW_BULK_MAX: those that are still entries and not armed
 * again end. */
void tcp_time_wait_expire(struct tcp *t, const uint32_t *due, uint32_t n);
/* The entry of this half-open comes back in its place. */
void tcp_time_wait_unpark(struct tcp *t, struct syn_rcvd *sr);
void tcp_time_wait_drop_parked(struct tcp *t, struct syn_rcvd *sr);
bool tcp_time_wait_may_reuse(const struct tcp *t, const struct time_wait *tw);

/* ---- tcp_event.c ---- */
void tcp_event(struct tcp *t, struct tcb *c, uint32_t flags);
uint16_t tcp_events(struct tcp *t, struct pmtcp_event *ev, uint16_t n);

/* ---- tcp_ecn.c: RFC 3168 ---- */
/* By the peer's SYN or SYN-ACK. */
bool tcp_ecn_is_agreed(const struct tcp_class *k, const struct tcb *c, const struct seg *syn);
void tcp_ecn_input(struct tcp *t, struct tcb *c, const struct seg *seg);

#include "tcp/tcp_addr.h"

#endif /* PMTCP_TCP_TCP_H */
