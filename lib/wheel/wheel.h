/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Hierarchical timing wheel of one core (TW-16, TW-17, TW-18).
 *
 * Four levels of 512 slots, 256 times coarser from level to level, hold timers
 * to the millisecond: level 0 holds the next 512 ticks one by one, and a slot
 * of level 1, 2 or 3 is refiled downwards ("cascaded") when its time comes. A
 * fifth ring, "coarse", has one slot per 256 ticks for timers that may be late
 * by that much, TIME-WAIT above all: they expire straight from where they were
 * armed, and being apart from the others they never stand in an RTO's way.
 *
 * Nothing is ever copied when a slot opens. The wheel's own clock stops at a
 * slot until that slot is empty, so opening costs nothing however many nodes it
 * holds, one call touches a bounded number of them, and those that still wait
 * are ordinary armed nodes: cancel and re-arm stay O(1) for them (NEG-22).
 * Bitmaps of occupied slots skip empty time: after a jump of minutes or months
 * only occupied slots are visited, each at most once per call (NEG-24).
 *
 * It knows neither TCP nor clocks: ticks come in as arguments. */

#ifndef PMTCP_WHEEL_WHEEL_H
#define PMTCP_WHEEL_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "base/check.h"

enum {
	WHEEL_STRIDE = 64,     /* bytes from the node of index i to that of i + 1 */
	WHEEL_LEVELS = 4,      /* of 256^level ticks per slot */
	WHEEL_SLOTS = 512,     /* per level: two of the next level's slots */
	WHEEL_PAGES = 512,     /* slots of the coarse ring, 256 ticks each: 131 s */
	WHEEL_CHAINS = 32,     /* lists per coarse slot, walked side by side */
	WHEEL_SLACK_MIN = 255, /* least slack that files into the coarse ring */
	WHEEL_COARSE = WHEEL_LEVELS * WHEEL_SLOTS,
	WHEEL_LISTS = WHEEL_COARSE + WHEEL_PAGES * WHEEL_CHAINS,
};

/* No node is filed farther than this (46 days) from the wheel's own clock: it
 * keeps 32 bits of its tick, and the rest is for nodes that wait to be taken. */
#define WHEEL_SPAN 0xf0000000u

/* Lies inside the block it times, so arming cannot fail. All zero is a node
 * that is not armed. */
struct wheel_node {
	uint32_t next; /* index, 0: last of its list */
	uint32_t prev; /* index, or WHEEL_FIRST | list; 0: not armed */
	uint32_t tick; /* low 32 bits of the tick it is filed under */
};
STATIC_ASSERT(sizeof(struct wheel_node) == 12);

#define WHEEL_FIRST   0x80000000u
#define WHEEL_NO_PAGE (UINT64_MAX >> 8)

struct wheel {
	uint8_t *nodes; /* the node of index i is at nodes + 64 * i */
	uint64_t now;   /* levels: no node is filed below this tick */
	uint64_t page;  /* coarse: no node is filed below 256 * page */
	uint64_t next; /* no list of the levels has to be opened before this tick; may be too low */
	uint64_t next_page; /* nor of the ring before this page; WHEEL_NO_PAGE: it is empty */
	uint32_t armed;     /* nodes in all lists */
	uint32_t open; /* first list of the page being emptied, prev of its heads unset; 0 none */
	uint32_t turn; /* chain of that page where to go on, modulo WHEEL_CHAINS */
	uint64_t map[WHEEL_LISTS / 64]; /* bit: the list is not empty */
	uint32_t list[WHEEL_LISTS];     /* first node of each, 0: empty */
};

/* Starts an empty wheel at `now_tick`. Indices are below 2^31 and never 0. */
void wheel_init(struct wheel *w, void *nodes, uint64_t now_tick);

static inline struct wheel_node *
wheel_node(const struct wheel *w, uint32_t index)
{
	return (struct wheel_node *)(void *)(w->nodes + (uint64_t)index * WHEEL_STRIDE);
}

static inline bool
wheel_is_armed(const struct wheel *w, uint32_t index)
{
	return wheel_node(w, index)->prev != 0;
}

/* What wheel_arm() does without slack, and with. */
void wheel_arm_fine(struct wheel *w, uint32_t index, uint64_t deadline_tick);
void wheel_arm_coarse(struct wheel *w, uint32_t index, uint64_t deadline_tick);

/* Arms the node, or moves it if it is armed. It becomes due in the first
 * wheel_advance whose now_tick >= deadline_tick, at the latest slack + 1 ticks
 * after; a deadline that has passed is due in the next call. Slack below
 * WHEEL_SLACK_MIN counts as 0, more than that is not used. The one early case: a
 * deadline more than 46 days away comes after 46 days, and the owner arms again. */
static inline void
wheel_arm(struct wheel *w, uint32_t index, uint64_t deadline_tick, uint32_t slack)
{
	if (slack >= WHEEL_SLACK_MIN)
		wheel_arm_coarse(w, index, deadline_tick);
	else
		wheel_arm_fine(w, index, deadline_tick);
}

/* Gives the node `to`, which is not armed, the place of `from`, which is taken off; nothing
 * happens when that is not armed. */
void wheel_move(struct wheel *w, uint32_t from, uint32_t to);

/* Asks for the nodes that wheel_cancel() of this one will touch; it lies in the cache itself. */
static inline void
wheel_prefetch_cancel(const struct wheel *w, uint32_t index)
{
	const struct wheel_node *node = wheel_node(w, index);

	__builtin_prefetch(wheel_node(w, node->next), 1);
	if (!(node->prev & WHEEL_FIRST))
		__builtin_prefetch(wheel_node(w, node->prev), 1);
}

/* Takes the node off; nothing happens when it is not armed. */
void wheel_cancel(struct wheel *w, uint32_t index);

/* Unlinks nodes that are due, in order of their slots, and writes at most `n`
 * of their indices to `due`; the rest keeps its order for the next call.
 *
 * One call touches at most 2n nodes: n due ones and n that move down a level.
 * So a result below n does not mean that nothing is left; a wheel_deadline()
 * above now_tick does. Until then the wheel only gets later, never wrong.
 *
 * Caller: before it acts on due[i] it checks that an earlier due[j] has not
 * armed that node again (wheel_is_armed: the restart wins, TW-18) and has not
 * freed its block. `now_tick` never falls; if it does, nothing is due until it is
 * back.
 *
 * @return number of indices written, <= n. */
uint16_t wheel_advance(struct wheel *w, uint64_t now_tick, uint32_t *due, uint16_t n);

/* The tick at which wheel_advance has something to do next. May be early (a
 * cascade, a cancelled timer), never late; UINT64_MAX when nothing is armed.
 * At or before the last now_tick: the last call left work. */
static inline uint64_t
wheel_deadline(const struct wheel *w)
{
	return w->armed == 0 ? UINT64_MAX : min_u64(w->next, w->next_page << 8);
}

/* CHECKs every invariant; walks all armed nodes. For tests and the simulator. */
void wheel_check(const struct wheel *w);

#endif /* PMTCP_WHEEL_WHEEL_H */
