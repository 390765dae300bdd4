/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A wheel beside the array of deadlines that says what it may hand out, for test_wheel.c. */

#ifndef PMTCP_TESTS_UNIT_WHEEL_MODEL_H
#define PMTCP_TESTS_UNIT_WHEEL_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/size.h"
#include "wheel/wheel.h"

#define RANDOM_OPS TEST_SIZE(10000000u, 1000000u)
#define MANY       TEST_SIZE(1000000u, 100000u)

enum {
	SEED = 20260707,
	MODEL_NODES = 200,
	PASS = 512,
	NODE_OFFSET = 20, /* where a block keeps its node */
};

#define NOT_ARMED UINT64_MAX

struct model {
	struct wheel w;
	struct rng rng;
	uint8_t *blocks;
	uint64_t now;
	uint64_t expired;
	uint32_t size;
	uint64_t deadline[MODEL_NODES]; /* NOT_ARMED */
	uint32_t slack[MODEL_NODES];
};

static uint8_t *
blocks_create(uint32_t count)
{
	uint8_t *blocks = aligned_alloc(64, (size_t)count * WHEEL_STRIDE);

	assert_non_null(blocks);
	memset(blocks, 0, (size_t)count * WHEEL_STRIDE);
	return blocks;
}

static void
model_create(struct model *m, uint64_t now, uint64_t seed)
{
	memset(m, 0, sizeof(*m));
	m->size = MODEL_NODES;
	m->now = now;
	m->blocks = blocks_create(MODEL_NODES);
	rng_seed(&m->rng, seed);
	for (uint32_t i = 0; i < MODEL_NODES; i++)
		m->deadline[i] = NOT_ARMED;
	wheel_init(&m->w, m->blocks + NODE_OFFSET, now);
}

/* Any size of number is as likely as any other. */
static uint64_t
random_size(struct rng *r, uint32_t bits_max)
{
	return rng_next(r) >> (64 - 1 - rng_below(r, bits_max));
}

/* The last tick at which the wheel may hand the node out. */
static uint64_t
latest(const struct model *m, uint32_t i)
{
	return m->deadline[i] + (m->slack[i] >= WHEEL_SLACK_MIN ? m->slack[i] : 0);
}

static void
model_arm(struct model *m, uint32_t i)
{
	static const uint32_t slacks[] = {0, 0, 0, 100, 255, 256, 60000};
	uint64_t distance = random_size(&m->rng, 31);

	m->slack[i] = slacks[rng_below(&m->rng, PMTCP_ARRAY_SIZE(slacks))];
	m->deadline[i] = m->now + distance;
	if (rng_below(&m->rng, 16) == 0)
		m->deadline[i] = m->now - min_u64(m->now, distance);
	wheel_arm(&m->w, i, m->deadline[i], m->slack[i]);
	assert_true(wheel_is_armed(&m->w, i));
}

static void
model_cancel(struct model *m, uint32_t i)
{
	wheel_cancel(&m->w, i);
	m->deadline[i] = NOT_ARMED;
	assert_false(wheel_is_armed(&m->w, i));
}

/* To a node that is not armed, of one that may be or not. */
static void
model_move(struct model *m, uint32_t from, uint32_t to)
{
	if (wheel_is_armed(&m->w, to))
		return;
	wheel_move(&m->w, from, to);
	m->deadline[to] = m->deadline[from];
	m->slack[to] = m->slack[from];
	m->deadline[from] = NOT_ARMED;
	assert_false(wheel_is_armed(&m->w, from));
	assert_int_equal(wheel_is_armed(&m->w, to), m->deadline[to] != NOT_ARMED);
}

/* Takes one call's worth and holds every node against the array. */
static uint32_t
model_take(struct model *m, uint16_t room)
{
	uint32_t due[PASS];
	uint32_t armed = m->w.armed;
	uint32_t n = wheel_advance(&m->w, m->now, due, room);

	assert_in_range(n, 0, room);
	assert_int_equal(m->w.armed, armed - n);
	for (uint32_t k = 0; k < n; k++) {
		assert_in_range(due[k], 1, m->size - 1);
		assert_true(m->deadline[due[k]] != NOT_ARMED);
		assert_true(m->deadline[due[k]] <= m->now);
		assert_false(wheel_is_armed(&m->w, due[k]));
		m->deadline[due[k]] = NOT_ARMED;
	}
	m->expired += n;
	return n;
}

/* After a complete pass nothing is left that had to come, and the next deadline
 * is not after any node's. */
static void
model_compare(const struct model *m)
{
	uint64_t next = wheel_deadline(&m->w);
	uint32_t armed = 0;

	assert_true(next > m->now);
	for (uint32_t i = 1; i < m->size; i++) {
		if (m->deadline[i] == NOT_ARMED)
			continue;
		armed++;
		assert_true(latest(m, i) > m->now);
		assert_true(next <= latest(m, i));
	}
	assert_int_equal(armed, m->w.armed);
	assert_true(armed != 0 || next == UINT64_MAX);
}

static void
model_advance(struct model *m, bool complete)
{
	uint16_t room = complete ? PASS : (uint16_t)(1 + rng_below(&m->rng, 8));
	uint32_t calls = 0;

	if (rng_below(&m->rng, 8) == 0)
		m->now += random_size(&m->rng, complete ? 34 : 20);
	else if (rng_below(&m->rng, 8) == 0) /* just where the wheel says */
		m->now = max_u64(m->now, min_u64(wheel_deadline(&m->w), m->now + (1u << 30)));
	else
		m->now += random_size(&m->rng, 10);
	model_take(m, room);
	if (!complete)
		return;
	while (wheel_deadline(&m->w) <= m->now) {
		model_take(m, room);
		assert_in_range(calls++, 0, 4 * MODEL_NODES);
	}
	model_compare(m);
}

#endif /* PMTCP_TESTS_UNIT_WHEEL_MODEL_H */
