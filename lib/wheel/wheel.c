/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The timing wheel: filing, expiry, cascades. See wheel.h for what it promises.
 *
 * Who waits for whom (TW-17). A call of wheel_advance has room for n due nodes
 * and n cascades. Timers of slack 0 (RTO, delayed ACK, SYN) are served before
 * the coarse ring and may take three quarters of a call while it has due nodes,
 * so a slot of 250000 TIME-WAIT entries delays none of them, and they cannot
 * starve it either. What can delay a timer of slack 0 is a cascade that is not
 * finished when its slot's time comes. Each slot of level L + 1 is therefore
 * cascaded ahead, up to n nodes per tick, during the whole time of the slot
 * before it: that is why level L has room for two slots of level L + 1. With
 * n = 512 that is 131072 nodes in 256 ms without any delay; beyond that the
 * rest is late by one call per n nodes. */

#include "wheel/wheel.h"

#include <string.h>

/* What one call may still do. */
struct pass {
	uint64_t now_tick;
	uint32_t *due;
	uint32_t count;    /* nodes in due */
	uint32_t limit;    /* of count */
	uint32_t cascades; /* nodes that may still move down */
};

enum {
	PAGE_SHIFT = 8,
	COARSE_BITS = WHEEL_PAGES * WHEEL_CHAINS,
	RING_SPAN = WHEEL_PAGES << PAGE_SHIFT, /* ticks */
};
#define CHAINS_MASK ((1ull << WHEEL_CHAINS) - 1)
STATIC_ASSERT((WHEEL_CHAINS & (WHEEL_CHAINS - 1)) == 0 && WHEEL_CHAINS < 64);

static inline uint32_t
level_list(uint32_t level, uint64_t tick)
{
	return level * WHEEL_SLOTS + (uint32_t)((tick >> (8 * level)) & (WHEEL_SLOTS - 1));
}

static inline uint32_t
coarse_list(uint64_t page)
{
	return WHEEL_COARSE + (uint32_t)(page & (WHEEL_PAGES - 1)) * WHEEL_CHAINS;
}

static inline void
list_push(struct wheel *w, uint32_t list, uint32_t index)
{
	struct wheel_node *node = wheel_node(w, index);
	uint32_t head = w->list[list];

	node->next = head;
	node->prev = WHEEL_FIRST | list;
	w->list[list] = index;
	/* A list that has nodes has its bit. */
	if (is_likely(head != 0))
		wheel_node(w, head)->prev = index;
	else
		w->map[list / 64] |= 1ull << (list % 64);
}

/* Makes `index` the first of a list whose earlier nodes were taken off. */
static inline void
list_set_head(struct wheel *w, uint32_t list, uint32_t index)
{
	w->list[list] = index;
	if (index != 0)
		wheel_node(w, index)->prev = WHEEL_FIRST | list;
	else
		w->map[list / 64] &= ~(1ull << (list % 64));
}

/* A page was left half empty. Its new heads lay in memory nobody had read then; their backward
 * links are set when somebody needs them, if anybody does. */
static PMTCP_NOINLINE void
close_page(struct wheel *w)
{
	uint32_t list = w->open;

	w->open = 0;
	for (uint32_t i = list; i < list + WHEEL_CHAINS; i++)
		list_set_head(w, i, w->list[i]);
}

static inline void
node_unlink(struct wheel *w, const struct wheel_node *node)
{
	/* The node may be one of its heads. Of the other lists none depends on it. */
	if (is_unlikely(w->open != 0) && node->tick % 256 == 0)
		close_page(w);
	if (is_unlikely(node->prev & WHEEL_FIRST)) {
		list_set_head(w, node->prev & ~WHEEL_FIRST, node->next);
		return;
	}
	wheel_node(w, node->prev)->next = node->next;
	if (node->next != 0)
		wheel_node(w, node->next)->prev = node->prev;
}

/* The tick of a node of the levels in full: none lies below w->now or farther
 * than WHEEL_SPAN above it. */
static inline uint64_t
node_tick(const struct wheel *w, const struct wheel_node *node)
{
	return w->now + (uint32_t)(node->tick - (uint32_t)w->now);
}

/* Files a node under a tick in [now, now + WHEEL_SPAN]. The level is the lowest
 * that reaches so far: a node of level L > 0 is at least one whole slot away. */
static inline void
file_level(struct wheel *w, uint32_t index, uint64_t tick)
{
	uint64_t distance = tick - w->now;
	uint32_t level = (distance >= WHEEL_SLOTS) + (distance > (WHEEL_SLOTS - 1) << 8) +
			 (distance > (WHEEL_SLOTS - 1) << 16);

	wheel_node(w, index)->tick = (uint32_t)tick;
	list_push(w, level_list(level, tick), index);
	w->next = min_u64(w->next, tick >> (8 * level) << (8 * level));
}

/* Files a node under a page if the ring reaches it. */
static inline bool
file_coarse(struct wheel *w, uint32_t index, uint64_t page)
{
	if (page - w->page >= WHEEL_PAGES)
		return false;
	wheel_node(w, index)->tick = (uint32_t)(page << PAGE_SHIFT);
	list_push(w, coarse_list(page) + index % WHEEL_CHAINS, index);
	w->next_page = min_u64(w->next_page, page);
	return true;
}

void
wheel_init(struct wheel *w, void *nodes, uint64_t now_tick)
{
	*w = (struct wheel){
			.nodes = nodes,
			.now = now_tick,
			.page = now_tick >> PAGE_SHIFT,
			.next = UINT64_MAX,
			.next_page = WHEEL_NO_PAGE,
	};
}

/* Whatever the node is and wherever it goes. */
static PMTCP_NOINLINE void
file_any(struct wheel *w, uint32_t index, uint64_t deadline_tick, uint32_t slack)
{
	struct wheel_node *node = wheel_node(w, index);
	uint64_t tick = min_u64(deadline_tick, w->now + WHEEL_SPAN - WHEEL_SLACK_MIN);

	if (slack >= WHEEL_SLACK_MIN)
		tick = (tick + 255) >> PAGE_SHIFT << PAGE_SHIFT;
	tick = max_u64(tick, w->now);
	if (node->prev != 0) {
		/* Restarts inside 256 ms: a TIME-WAIT that is re-ACKed again and again. */
		if (node->tick == (uint32_t)tick)
			return;
		node_unlink(w, node);
	} else {
		w->armed++;
	}
	if (slack >= WHEEL_SLACK_MIN && file_coarse(w, index, tick >> PAGE_SHIFT))
		return;
	file_level(w, index, tick);
}

/* Nearly all are new, and due within the ticks of level 0: no level is to be found. */
void
wheel_arm_fine(struct wheel *w, uint32_t index, uint64_t deadline_tick)
{
	struct wheel_node *node = wheel_node(w, index);

	ASSERT(index != 0);
	ASSERT(index < WHEEL_FIRST);
	if (is_unlikely(node->prev != 0 || deadline_tick - w->now >= WHEEL_SLOTS)) {
		file_any(w, index, deadline_tick, 0);
		return;
	}
	node->tick = (uint32_t)deadline_tick;
	w->armed++;
	w->next = min_u64(w->next, deadline_tick);
	list_push(w, level_list(0, deadline_tick), index);
}

/* Nearly all are new, and the ring reaches them. */
void
wheel_arm_coarse(struct wheel *w, uint32_t index, uint64_t deadline_tick)
{
	uint64_t page = (deadline_tick + 255) >> PAGE_SHIFT;

	ASSERT(index != 0);
	ASSERT(index < WHEEL_FIRST);
	if (is_unlikely(wheel_node(w, index)->prev != 0 || deadline_tick - w->now >= RING_SPAN ||
			    !file_coarse(w, index, page))) {
		file_any(w, index, deadline_tick, WHEEL_SLACK_MIN);
		return;
	}
	w->armed++;
}

void
wheel_cancel(struct wheel *w, uint32_t index)
{
	struct wheel_node *node = wheel_node(w, index);

	if (node->prev == 0)
		return;
	node_unlink(w, node);
	node->prev = 0;
	w->armed--;
}

/* The ring's chains go by the index: what may lie there is filed anew. */
void
wheel_move(struct wheel *w, uint32_t from, uint32_t to)
{
	struct wheel_node *node = wheel_node(w, from), *heir = wheel_node(w, to);

	ASSERT(heir->prev == 0);
	if (node->prev == 0)
		return;
	if (is_unlikely(node->tick % 256 == 0)) {
		uint64_t tick = node_tick(w, node);

		wheel_cancel(w, from);
		/* One of the ring may have come already. */
		wheel_arm_fine(w, to, tick - w->now > WHEEL_SPAN ? w->now : tick);
		return;
	}
	*heir = *node;
	node->prev = 0;
	if (heir->prev & WHEEL_FIRST)
		w->list[heir->prev & ~WHEEL_FIRST] = to;
	else
		wheel_node(w, heir->prev)->next = to;
	if (heir->next != 0)
		wheel_node(w, heir->next)->prev = to;
}

/* Distance from bit `from` to the next set bit of a ring of `bits` bits (a power
 * of two, >= 64), itself included; `bits` when none is set. */
static uint32_t
ring_next(const uint64_t *map, uint32_t bits, uint32_t from)
{
	uint32_t words = bits / 64;
	uint32_t word = from / 64;
	uint64_t set = map[word] & (~0ull << (from % 64));

	for (uint32_t i = 0; i <= words; i++) {
		if (set != 0)
			return (word * 64 + (uint32_t)__builtin_ctzll(set) - from) & (bits - 1);
		word = (word + 1) & (words - 1);
		set = map[word];
	}
	return bits;
}

/* The earliest tick >= now at which a list of the levels has to be opened, and
 * that list. Of equal ticks the highest level comes first: it may hold nodes
 * for this very tick. UINT64_MAX: all empty. */
static uint64_t
next_level_event(const struct wheel *w, uint32_t *list)
{
	uint64_t event = UINT64_MAX;

	for (uint32_t level = WHEEL_LEVELS; level-- > 0;) {
		uint64_t slot = w->now >> (8 * level);
		uint32_t gap = ring_next(&w->map[level * WHEEL_SLOTS / 64], WHEEL_SLOTS,
				(uint32_t)(slot & (WHEEL_SLOTS - 1)));
		uint64_t tick = max_u64((slot + gap) << (8 * level), w->now);

		if (gap == WHEEL_SLOTS || tick >= event)
			continue;
		event = tick;
		*list = level_list(level, (slot + gap) << (8 * level));
	}
	return event;
}

/* The first page >= w->page that holds nodes, or WHEEL_NO_PAGE. */
static uint64_t
find_page(const struct wheel *w)
{
	uint64_t page = max_u64(w->next_page, w->page);
	uint32_t gap;

	if (w->next_page == WHEEL_NO_PAGE)
		return WHEEL_NO_PAGE;
	gap = ring_next(&w->map[WHEEL_COARSE / 64], COARSE_BITS, coarse_list(page) - WHEEL_COARSE);
	return gap == COARSE_BITS ? WHEEL_NO_PAGE : page + gap / WHEEL_CHAINS;
}

/* Takes nodes off the front of a level 0 list until it or the limit ends. */
static void
expire_list(struct wheel *w, struct pass *p, uint32_t list)
{
	uint32_t index = w->list[list];

	while (index != 0 && p->count < p->limit) {
		struct wheel_node *node = wheel_node(w, index);

		__builtin_prefetch(wheel_node(w, node->next), 1);
		node->prev = 0;
		w->armed--;
		p->due[p->count++] = index;
		index = node->next;
	}
	list_set_head(w, list, index);
}

/* The same for the chains of a page, in turn: a list in memory order of nobody's
 * choice is one cache miss per node, and many lists overlap theirs. A call with room for
 * WHEEL_CHAINS nodes takes one of each, and the next ones come while the caller is busy with
 * these. They are only asked for, not written: a store that waits for its line would soon hold
 * up all others. */
static void
expire_page(struct wheel *w, struct pass *p, uint64_t page)
{
	uint32_t list = coarse_list(page);
	uint64_t *map = &w->map[list / 64];
	uint32_t shift = list % 64;

	if (w->open != list && w->open != 0)
		close_page(w);
	while (p->count < p->limit && (*map >> shift & CHAINS_MASK) != 0) {
		uint32_t chain = w->turn++ % WHEEL_CHAINS;
		uint32_t index = w->list[list + chain];
		struct wheel_node *node = wheel_node(w, index);
		uint32_t next;

		if (is_unlikely(index == 0))
			continue;
		next = node->next;
		node->prev = 0;
		__builtin_prefetch(wheel_node(w, next), 1);
		w->list[list + chain] = next;
		if (is_unlikely(next == 0))
			*map &= ~(1ull << (shift + chain));
		w->armed--;
		p->due[p->count++] = index;
	}
	w->open = (*map >> shift & CHAINS_MASK) != 0 ? list : 0;
}

/* Moves nodes of one slot of level 1, 2 or 3 down. A tick on the border of a
 * page is taken for a coarse timer: it was one, or is one of 256 others. */
static void
cascade(struct wheel *w, struct pass *p, uint32_t list)
{
	uint32_t index = w->list[list];

	while (index != 0 && p->cascades > 0) {
		struct wheel_node *node = wheel_node(w, index);
		uint64_t tick = node_tick(w, node);
		uint32_t next = node->next;

		__builtin_prefetch(wheel_node(w, next), 1);
		p->cascades--;
		if (tick % 256 != 0 || !file_coarse(w, index, tick >> PAGE_SHIFT))
			file_level(w, index, tick);
		index = next;
	}
	list_set_head(w, list, index);
}

/* Opens lists of the levels in order of time, and moves the wheel's clock along,
 * up to now_tick or until the pass has no room. Each turn of the loop takes off
 * or moves a node at least, so the pass bounds it. */
static void
advance_levels(struct wheel *w, struct pass *p)
{
	if (w->next > p->now_tick) {
		w->now = max_u64(w->now, p->now_tick);
		return;
	}
	while (p->count < p->limit && p->cascades > 0) {
		uint32_t list = 0;
		uint64_t tick = next_level_event(w, &list);

		if (tick > p->now_tick) {
			w->now = max_u64(w->now, p->now_tick);
			return;
		}
		w->now = tick;
		if (list < WHEEL_SLOTS)
			expire_list(w, p, list);
		else
			cascade(w, p, list);
	}
}

static void
advance_coarse(struct wheel *w, struct pass *p)
{
	while (p->count < p->limit) {
		uint64_t page = w->next_page = find_page(w);

		if (page > p->now_tick >> PAGE_SHIFT) {
			w->page = max_u64(w->page, p->now_tick >> PAGE_SHIFT);
			return;
		}
		w->page = page;
		expire_page(w, p, page);
	}
}

/* Moves down what the next slot of each level holds, before its time: see the
 * top of this file. A slot of level 2 or 3 has to wait until the level below
 * reaches its end. True: something moved. */
static bool
cascade_ahead(struct wheel *w, struct pass *p)
{
	uint32_t before = p->cascades;

	for (uint32_t level = 1; level < WHEEL_LEVELS; level++) {
		uint64_t size = 1ull << (8 * level);
		uint32_t list = level_list(level, w->now + size);

		if ((w->now & (size - 1)) >= size / 256 && w->list[list] != 0)
			cascade(w, p, list);
	}
	return p->cascades != before;
}

uint16_t
wheel_advance(struct wheel *w, uint64_t now_tick, uint32_t *due, uint16_t n)
{
	struct pass p = {.now_tick = now_tick, .due = due, .limit = n, .cascades = n};
	uint32_t list;

	if (now_tick < w->next && now_tick >> PAGE_SHIFT < w->next_page) {
		if (now_tick <= w->now)
			return 0;
		w->now = now_tick;
		w->page = max_u64(w->page, now_tick >> PAGE_SHIFT);
		if (cascade_ahead(w, &p))
			w->next = next_level_event(w, &list);
		return 0;
	}
	if (find_page(w) <= now_tick >> PAGE_SHIFT)
		p.limit = n - n / 4u;
	advance_levels(w, &p);
	p.limit = n;
	advance_coarse(w, &p);
	advance_levels(w, &p);
	if (w->now >= now_tick)
		cascade_ahead(w, &p);
	if (w->next <= now_tick)
		w->next = next_level_event(w, &list);
	w->next_page = find_page(w);
	return (uint16_t)p.count;
}

/* One list: links, flags, and each node under the tick that it says. */
static uint32_t
check_list(const struct wheel *w, uint32_t list)
{
	bool is_open = w->open != 0 && list - w->open < WHEEL_CHAINS;
	uint32_t prev = WHEEL_FIRST | list;
	uint32_t count = 0;

	CHECK((w->list[list] != 0) == (w->map[list / 64] >> (list % 64) & 1));
	for (uint32_t index = w->list[list]; index != 0; index = wheel_node(w, index)->next) {
		const struct wheel_node *node = wheel_node(w, index);
		uint64_t tick = node_tick(w, node);

		CHECK(++count <= w->armed);
		CHECK(node->prev == prev || (is_open && count == 1 && node->prev != 0));
		prev = index;
		if (list >= WHEEL_COARSE) {
			CHECK(node->tick % 256 == 0);
			CHECK(coarse_list(node->tick >> PAGE_SHIFT) + index % WHEEL_CHAINS == list);
			continue;
		}
		CHECK(level_list(list / WHEEL_SLOTS, tick) == list);
		CHECK(list >= WHEEL_SLOTS || tick - w->now < WHEEL_SLOTS);
		CHECK(tick - w->now <= WHEEL_SPAN);
	}
	return count;
}

void
wheel_check(const struct wheel *w)
{
	static const uint32_t empty[64];
	uint64_t ring_page = WHEEL_NO_PAGE;
	uint32_t count = 0, list;

	for (list = 0; list < WHEEL_LISTS; list += 64) {
		if (w->map[list / 64] == 0 && memcmp(&w->list[list], empty, sizeof(empty)) == 0)
			continue;
		for (uint32_t i = 0; i < 64; i++)
			count += check_list(w, list + i);
	}
	for (uint64_t page = w->page + WHEEL_PAGES; page-- > w->page;)
		for (uint32_t i = 0; i < WHEEL_CHAINS; i++)
			ring_page = w->list[coarse_list(page) + i] != 0 ? page : ring_page;
	CHECK(count == w->armed);
	CHECK(w->next <= next_level_event(w, &list));
	CHECK(w->next_page <= ring_page);
}
