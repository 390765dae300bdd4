/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Goal: a share hands out each object once, within its bounds, never on a chunk head, the
 * one given back last first (tcp/slab.h). Method: a random walk beside a byte per unit. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/rng.h"
#include "support/ctx_mem.h"
#include "tcp/slab.h"

/* More than one chunk of 2 MiB, so that heads lie inside. */
enum { OBJECTS = 40000, FIRST = 2, WALK = 400000, SEED = 20 };

struct world {
	struct slab s;
	uint8_t *mem;
	size_t len;
	uint8_t *is_out; /* per unit */
	uint32_t *out;   /* objects out */
	uint32_t n_out;
};

static void
world_create(struct world *w, uint32_t units, bool has_chunk_head)
{
	uint32_t share = slab_units(FIRST, OBJECTS, units, has_chunk_head);

	w->len = (size_t)(FIRST + share) * SLAB_UNIT;
	w->mem = ctx_mem_map(w->len);
	w->is_out = calloc(FIRST + share, 1);
	w->out = calloc(OBJECTS, sizeof(uint32_t));
	w->n_out = 0;
	w->s = (struct slab){.base = w->mem,
			.fresh = FIRST,
			.end = FIRST + share,
			.units = units,
			.max = OBJECTS,
			.link_off = 16,
			.has_chunk_head = has_chunk_head};
}

static void
world_destroy(struct world *w)
{
	ctx_mem_unmap(w->mem, w->len);
	free(w->is_out);
	free(w->out);
}

static void
take(struct world *w)
{
	uint32_t index = slab_alloc(&w->s);

	if (w->n_out == OBJECTS) {
		assert_int_equal(index, 0);
		return;
	}
	assert_in_range(index, FIRST, w->s.end - w->s.units);
	for (uint32_t u = index; u < index + w->s.units; u++) {
		assert_int_equal(w->is_out[u], 0);
		if (w->s.has_chunk_head)
			assert_true(u % SLAB_CHUNK_UNITS >= SLAB_CHUNK_HEAD);
		w->is_out[u] = 1;
	}
	memset(slab_at(&w->s, index), 0xa5, (size_t)w->s.units * SLAB_UNIT);
	w->out[w->n_out++] = index;
}

static void
give(struct world *w, uint32_t at)
{
	uint32_t index = w->out[at];

	memset(&w->is_out[index], 0, w->s.units);
	w->out[at] = w->out[--w->n_out];
	slab_free(&w->s, index);
}

static void
walk(uint32_t units, bool has_chunk_head)
{
	struct world w;
	struct rng rng;

	print_message("seed %d\n", SEED);
	rng_seed(&rng, SEED);
	world_create(&w, units, has_chunk_head);
	for (uint32_t i = 0; i < OBJECTS + 10; i++)
		take(&w);
	assert_int_equal(w.s.used, OBJECTS);
	assert_int_equal(slab_available(&w.s), 0);
	for (uint32_t i = 0; i < WALK; i++) {
		if (w.n_out > 0 && rng_below(&rng, 100) < 52)
			give(&w, rng_below(&rng, w.n_out));
		else
			take(&w);
		assert_int_equal(w.s.used, w.n_out);
	}
	assert_int_equal(w.s.peak, OBJECTS);
	world_destroy(&w);
}

static void
slab_one_unit_hands_out_each_object_once(void **state)
{
	(void)state;
	walk(1, false);
}

static void
slab_two_units_skip_the_chunk_heads(void **state)
{
	(void)state;
	walk(2, true);
}

/* Warm lines: what was given back last is taken first, before anything fresh. */
static void
slab_takes_the_last_given_back_first(void **state)
{
	struct world w;
	uint32_t a, b, fresh;

	(void)state;
	world_create(&w, 1, false);
	a = slab_alloc(&w.s);
	b = slab_alloc(&w.s);
	fresh = w.s.fresh;
	slab_free(&w.s, a);
	slab_free(&w.s, b);
	assert_int_equal(slab_alloc(&w.s), b);
	assert_int_equal(slab_alloc(&w.s), a);
	assert_int_equal(w.s.fresh, fresh);
	world_destroy(&w);
}

/* The same of a whole share, with objects given back and taken in runs of every length: the
 * model is a stack. */
static void
slab_given_back_objects_are_one_stack(void **state)
{
	uint32_t *stack = calloc(OBJECTS, sizeof(uint32_t));
	uint32_t depth = 0;
	struct world w;
	struct rng rng;

	(void)state;
	print_message("seed %d\n", SEED);
	rng_seed(&rng, SEED);
	world_create(&w, 1, false);
	for (uint32_t i = 0; i < OBJECTS; i++)
		take(&w);
	for (uint32_t turn = 0; turn < 2000; turn++) {
		uint32_t n = (uint32_t)rng_below(&rng, 100);
		bool gives = rng_below(&rng, 2) != 0;

		for (uint32_t i = 0; i < n && gives && w.n_out > 0; i++) {
			uint32_t at = (uint32_t)rng_below(&rng, w.n_out);

			stack[depth++] = w.out[at];
			give(&w, at);
		}
		for (uint32_t i = 0; i < n && !gives && depth > 0; i++) {
			take(&w);
			assert_int_equal(w.out[w.n_out - 1], stack[--depth]);
		}
	}
	world_destroy(&w);
	free(stack);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(slab_one_unit_hands_out_each_object_once),
			cmocka_unit_test(slab_two_units_skip_the_chunk_heads),
			cmocka_unit_test(slab_takes_the_last_given_back_first),
			cmocka_unit_test(slab_given_back_objects_are_one_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
