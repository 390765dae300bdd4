/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* A software wire with faults; see faults.h. */

#include "dpdk/faults.h"

#include <errno.h>
#include <stdlib.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#include "base/base.h"
#include "base/check.h"
#include "base/rng.h"

#define PPM_MAX            1000000u
#define REORDER_US_DEFAULT 1000u

STATIC_ASSERT((FAULTS_PIPE_MAX & (FAULTS_PIPE_MAX - 1)) == 0);

struct pipe_slot {
	struct rte_mbuf *m;
	uint64_t due_ns;
};

/* First in, first out: every frame of a pipe waits equally long. */
struct pipe {
	uint64_t delay_ns;
	uint32_t head, tail; /* free-running; tail - head frames are inside */
	struct pipe_slot slots[FAULTS_PIPE_MAX];
};

struct faults {
	struct pmtcp_faults conf;
	struct rng rng;
	struct rte_mempool *pool;
	uint64_t lost, doubled, reordered, corrupted, overflow;
	struct pipe fast; /* delay_us */
	struct pipe slow; /* delay_us + reorder_us */
};

bool
faults_wanted(const struct pmtcp_faults *conf)
{
	return (conf->loss_ppm | conf->dup_ppm | conf->reorder_ppm | conf->corrupt_ppm |
			       conf->delay_us) != 0;
}

int
faults_create(const struct pmtcp_faults *conf, struct rte_mempool *pool, struct faults **out)
{
	struct faults *f;
	uint32_t reorder_us = conf->reorder_us == 0 ? REORDER_US_DEFAULT : conf->reorder_us;

	if (conf->loss_ppm > PPM_MAX || conf->dup_ppm > PPM_MAX || conf->reorder_ppm > PPM_MAX ||
			conf->corrupt_ppm > PPM_MAX)
		return -EINVAL;
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return -ENOMEM;
	f->conf = *conf;
	f->pool = pool;
	f->fast.delay_ns = (uint64_t)conf->delay_us * 1000;
	f->slow.delay_ns = f->fast.delay_ns + (uint64_t)reorder_us * 1000;
	rng_seed(&f->rng, conf->seed);
	*out = f;
	return 0;
}

static void
pipe_drain(struct pipe *p)
{
	for (; p->head != p->tail; p->head++)
		rte_pktmbuf_free(p->slots[p->head & (FAULTS_PIPE_MAX - 1)].m);
}

void
faults_destroy(struct faults *f)
{
	if (f == NULL)
		return;
	pipe_drain(&f->fast);
	pipe_drain(&f->slow);
	free(f);
}

/* One draw per possible fault and frame, wanted or not happening: so changing one share
 * leaves the other decisions of a seed as they were. */
static bool
happens(struct faults *f, uint32_t ppm)
{
	return rng_below(&f->rng, PPM_MAX) < ppm;
}

static void
pipe_put(struct faults *f, struct pipe *p, struct rte_mbuf *m, uint64_t now_ns)
{
	struct pipe_slot *slot = &p->slots[p->tail & (FAULTS_PIPE_MAX - 1)];

	if (p->tail - p->head == FAULTS_PIPE_MAX) {
		f->overflow++;
		rte_pktmbuf_free(m);
		return;
	}
	slot->m = m;
	slot->due_ns = now_ns + p->delay_ns;
	p->tail++;
}

/* Flips one bit. Only in IPv4 and only behind the Ethernet header: there a checksum must
 * find it, while a real wire would catch the rest by its frame check sequence, and ARP
 * has nothing to find it with. Returns the frame to go on with. */
static struct rte_mbuf *
corrupt(struct faults *f, struct rte_mbuf *m)
{
	uint64_t draw = rng_next(&f->rng);
	const struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, const struct rte_ether_hdr *);
	uint32_t span;
	uint8_t *octets;

	if (m->data_len <= sizeof(*eth) || eth->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
		return m;
	if (rte_mbuf_refcnt_read(m) != 1 || !RTE_MBUF_DIRECT(m)) {
		/* Somebody else reads these octets: change a copy. */
		struct rte_mbuf *copy = rte_pktmbuf_copy(m, f->pool, 0, UINT32_MAX);

		if (copy == NULL)
			return m;
		rte_pktmbuf_free(m);
		m = copy;
	}
	span = m->data_len - (uint32_t)sizeof(*eth);
	octets = rte_pktmbuf_mtod_offset(m, uint8_t *, sizeof(*eth));
	octets[(draw >> 3) % span] ^= (uint8_t)(1u << (draw & 7));
	f->corrupted++;
	return m;
}

static void
duplicate(struct faults *f, const struct rte_mbuf *m, uint64_t now_ns)
{
	struct rte_mbuf *copy = rte_pktmbuf_copy(m, f->pool, 0, UINT32_MAX);

	if (copy == NULL) {
		f->overflow++;
		return;
	}
	f->doubled++;
	pipe_put(f, &f->fast, copy, now_ns);
}

static void
push_one(struct faults *f, uint64_t now_ns, struct rte_mbuf *m)
{
	bool is_lost = happens(f, f->conf.loss_ppm);
	bool is_doubled = happens(f, f->conf.dup_ppm);
	bool is_late = happens(f, f->conf.reorder_ppm);
	bool is_corrupt = happens(f, f->conf.corrupt_ppm);

	if (is_lost) {
		f->lost++;
		rte_pktmbuf_free(m);
		return;
	}
	if (is_doubled)
		duplicate(f, m, now_ns);
	if (is_corrupt)
		m = corrupt(f, m);
	f->reordered += is_late;
	pipe_put(f, is_late ? &f->slow : &f->fast, m, now_ns);
}

void
faults_push(struct faults *f, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		push_one(f, now_ns, pkts[i]);
}

static uint64_t
pipe_due(const struct pipe *p)
{
	return p->head == p->tail ? UINT64_MAX : p->slots[p->head & (FAULTS_PIPE_MAX - 1)].due_ns;
}

uint16_t
faults_pop(struct faults *f, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n)
{
	uint16_t k;

	for (k = 0; k < n; k++) {
		struct pipe *p = pipe_due(&f->slow) < pipe_due(&f->fast) ? &f->slow : &f->fast;

		if (pipe_due(p) > now_ns)
			break;
		pkts[k] = p->slots[p->head++ & (FAULTS_PIPE_MAX - 1)].m;
	}
	return k;
}

uint64_t
faults_deadline(const struct faults *f)
{
	return min_u64(pipe_due(&f->fast), pipe_due(&f->slow));
}

void
faults_stats(const struct faults *f, struct pmtcp_worker_stats *stats)
{
	stats->fault_lost += f->lost;
	stats->fault_doubled += f->doubled;
	stats->fault_reordered += f->reordered;
	stats->fault_corrupted += f->corrupted;
	stats->fault_overflow += f->overflow;
}
