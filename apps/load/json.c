/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The report for machines. Its keys are a contract: doc/load.md. */

#include <errno.h>
#include <string.h>

#include "load/load.h"

/* Of one address, or two ports, as text. */
#define ADDRESS_LEN 24

static uint64_t
in_all(const struct load *l, enum pmtcp_counter c)
{
	return l->client.side.final.stats.counter[c] + l->server.side.final.stats.counter[c];
}

static void
put_failed(struct json *j, const struct side_counts *n)
{
	json_object(j, "failed");
	for (uint32_t i = 0; i < SIDE_FAIL_MAX; i++) {
		if (n->failed[i] != 0)
			json_u64(j, side_fail_name(i), n->failed[i]);
	}
	json_end_object(j);
	json_object(j, "open_errors");
	for (uint32_t i = 0; i < SIDE_OPEN_MAX; i++) {
		if (n->open_errors[i] != 0)
			json_u64(j, side_open_error_name(i), n->open_errors[i]);
	}
	json_end_object(j);
}

static void
put_time_wait(struct json *j, const struct load *l, const struct window *w)
{
	const struct pmtcp_stats *c = &l->client.side.final.stats;
	const struct pmtcp_stats *s = &l->server.side.final.stats;

	json_object(j, "time_wait");
	json_u64(j, "entered", in_all(l, PMTCP_C_tw_entered));
	json_u64(j, "expired", in_all(l, PMTCP_C_tw_expired));
	json_u64(j, "evicted", in_all(l, PMTCP_C_tw_evicted));
	json_u64(j, "skipped", in_all(l, PMTCP_C_tw_skipped));
	json_u64(j, "reused", in_all(l, PMTCP_C_tw_reused_in) + in_all(l, PMTCP_C_tw_reused_out));
	json_u64(j, "current", (uint64_t)c->time_wait + s->time_wait);
	json_u64(j, "peak", (uint64_t)c->time_wait_peak + s->time_wait_peak);
	json_double(j, "entered_per_s", w->tw_entered_per_s, 1);
	json_double(j, "expired_per_s", w->tw_expired_per_s, 1);
	json_end_object(j);
}

static void
put_held(struct json *j, const struct side_counts *n)
{
	json_object(j, "held");
	json_u64(j, "opened", n->held);
	json_u64(j, "established", n->held_ready);
	json_u64(j, "lost", n->held_lost);
	json_u64(j, "released", n->held_released);
	json_end_object(j);
}

static void
put_pace(struct json *j, const struct load *l)
{
	const struct pace *p = &l->client.pace;
	const char *by = !p->is_paced || pace_is_held(p) ? "concurrency" : "rate";

	json_object(j, "pace");
	json_text(j, "loop", p->is_open_loop ? "open" : "closed");
	json_text(j, "bound_by", l->has_client ? by : NULL);
	json_u64(j, "launched", p->launched);
	json_u64(j, "late", p->late);
	json_double(j, "late_max_us", (double)p->late_ns_max / 1e3, 3);
	json_end_object(j);
}

static void
put_conservation(struct json *j, const struct load *l)
{
	json_object(j, "conservation");
	json_bool(j, "balanced", l->found.n_books == 0);
	json_u64(j, "opened", load_main_side(l)->n.opened);
	json_u64(j, "closed", load_main_side(l)->n.closed);
	json_u64(j, "failed", side_failed(&load_main_side(l)->n));
	json_u64(j, "live", load_main_side(l)->live);
	json_end_object(j);
	json_array(j, "errors");
	for (uint32_t i = 0; i < l->found.n; i++)
		json_text(j, NULL, l->found.text[i]);
	json_end_array(j);
}

static void
put_addresses(struct json *j, const char *key, const struct args_subnet *subnet, const char *tail)
{
	struct pmtcp_addr first = args_subnet_addr(subnet, subnet->range.first, 0);
	struct pmtcp_addr last = args_subnet_addr(subnet, subnet->range.last, 0);
	bool is_one = subnet->range.first == subnet->range.last;
	char from[ARGS_IP_TEXT];
	char to[ARGS_IP_TEXT];
	char text[3 * ARGS_IP_TEXT];

	snprintf(text, sizeof(text), "%s%s%s%s", args_ip_text(&first, from), is_one ? "" : "-",
			is_one ? "" : args_ip_text(&last, to), tail);
	json_text(j, key, text);
}

static void
put_gateway(struct json *j, const struct load_conf *c)
{
	struct pmtcp_addr hop = c->own.version == 4 ? pmtcp_addr4(c->gateway.ip4, 0)
						    : pmtcp_addr6(c->gateway.ip6, 0);
	static const uint8_t none[16];
	char text[ARGS_IP_TEXT];
	bool is_there = hop.ip4 != 0 || memcmp(hop.ip6, none, sizeof(none)) != 0;

	json_text(j, "gateway", is_there ? args_ip_text(&hop, text) : NULL);
}

/* As the word: "A:LO-HI", "[A]:LO-HI". */
static void
put_target(struct json *j, const struct load *l)
{
	char first[ARGS_ADDR_TEXT];
	char text[ARGS_ADDR_TEXT + 8];
	struct pmtcp_addr target = l->conf.target;

	target.port = (uint16_t)l->plan.target_ports.first;
	snprintf(text, sizeof(text), "%s-%u", args_addr_text(&target, first),
			l->plan.target_ports.last);
	json_text(j, "target", text);
}

/* Addresses and ports as they came out, in the form of the words that set them; null
 * where the word does not concern this end. */
static void
put_config_addresses(struct json *j, const struct load *l)
{
	const struct load_conf *c = &l->conf;
	const struct plan *p = &l->plan;
	struct plan_range listen = load_server_ports(l);
	struct args_subnet sources = c->own;
	char text[ADDRESS_LEN];

	sources.range = (struct pmtcp_range){p->sources.first, p->sources.last};
	snprintf(text, sizeof(text), "/%u", c->own.prefix_len);
	put_addresses(j, "ip", c->own.range.last == 0 ? &sources : &c->own, text);
	put_gateway(j, c);
	snprintf(text, sizeof(text), "%u-%u", listen.first, listen.last);
	json_text(j, "listen", l->has_server ? text : NULL);
	if (l->has_client) {
		put_addresses(j, "source", &sources, "");
		put_target(j, l);
	} else {
		json_text(j, "source", NULL);
		json_text(j, "target", NULL);
	}
	snprintf(text, sizeof(text), "%u-%u", p->ports.first, p->ports.last);
	json_text(j, "ports", l->has_client ? text : NULL);
	json_text(j, "mac", c->mac_word);
	snprintf(text, sizeof(text), "%u", c->mtu);
	json_text(j, "mtu", c->mtu == 0 ? NULL : text);
}

static void
put_config(struct json *j, const struct load *l)
{
	static const char *const ecn[] = {
			[PMTCP_ECN_DEFAULT] = "accept",
			[PMTCP_ECN_OFF] = "off",
			[PMTCP_ECN_ACCEPT] = "accept",
			[PMTCP_ECN_OFFER] = "offer",
	};
	const struct load_conf *c = &l->conf;

	json_object(j, "config");
	json_text(j, "command", conf_cmd_name(c->cmd));
	json_text(j, "link", c->link);
	put_config_addresses(j, l);
	json_u64(j, "rate", c->rate);
	json_u64(j, "concurrency", c->concurrency);
	json_u64(j, "hold", c->hold);
	json_u64(j, "count", c->count);
	json_double(j, "duration_s", (double)c->duration_ns / 1e9, 3);
	json_double(j, "warmup_s", (double)c->warmup_ns / 1e9, 3);
	json_u64(j, "request", c->request);
	json_u64(j, "response", c->response);
	json_text(j, "close", conf_close_name(c->close));
	json_double(j, "tw_s", (double)c->tw_ns / 1e9, 3);
	json_text(j, "preset", c->preset == ARGS_PRESET_RFC ? "rfc" : "default");
	json_u64(j, "syn_retries", c->syn_retries);
	json_text(j, "idle", c->idle_word);
	json_u64(j, "burst", c->burst);
	json_text(j, "ecn", ecn[c->ecn]);
	json_double(j, "keepalive_s", (double)c->keepalive_ms / 1e3, 3);
	json_text(j, "pcap", c->pcap.file[0] == '\0' ? NULL : c->pcap.file);
	json_end_object(j);
	json_object(j, "plan");
	json_u64(j, "pairs", l->plan.pairs);
	json_u64(j, "tuples", l->plan.tuples);
	json_u64(j, "max_time_wait", l->plan.max_time_wait);
	json_u64(j, "time_wait_octets", l->plan.tw_octets);
	json_u64(j, "sustained_per_s", l->plan.sustained);
	json_u64(j, "pace_per_s", l->plan.pace);
	json_text(j, "bound_by",
			l->plan.bound == PLAN_BOUND_NONE     ? NULL
			: l->plan.bound == PLAN_BOUND_TUPLES ? "tuples"
							     : "memory");
	json_end_object(j);
}

static void
put_box(struct json *j, const struct load *l)
{
	const struct pmtcp_caps *caps = pmtcp_port_caps(l->link.ports[0]);
	const struct pmtcp_conn_info *sample = &load_main_side(l)->sample;

	json_object(j, "box");
	json_box(j, &l->box);
	json_text(j, "device", pmtcp_port_driver(l->link.ports[0]));
	json_u64(j, "mtu", pmtcp_port_mtu(l->link.ports[0]));
	json_text(j, "tx_checksums", caps->tx_tcp_cksum ? "device" : "software");
	json_text(j, "rx_checksums", caps->rx_tcp_cksum ? "device" : "software");
	json_object(j, "options");
	json_bool(j, "timestamps", sample->timestamps);
	json_bool(j, "sack", sample->sack);
	json_bool(j, "wscale", sample->snd_wscale + sample->rcv_wscale > 0);
	json_u64(j, "mss", sample->mss);
	json_end_object(j);
	json_double(j, "two_msl_s", (double)l->conf.tw_ms / 1e3, 3);
	json_bool(j, "one_thread", l->is_one_thread);
	json_u64(j, "workers", l->n_workers);
	json_u64(j, "queues", pmtcp_port_queues(l->link.ports[0]));
	json_double(j, "client_busy_percent", summary_busy(&l->client.side), 1);
	json_double(j, "server_busy_percent", summary_busy(&l->server.side), 1);
	json_end_object(j);
}

static void
put_counters(struct json *j, const char *key, const struct pmtcp_stats *stats)
{
	json_object(j, key);
	for (uint32_t i = 0; i < PMTCP_C_MAX; i++) {
		if (stats->counter[i] != 0)
			json_u64(j, pmtcp_counter_name((enum pmtcp_counter)i), stats->counter[i]);
	}
	json_end_object(j);
}

static void
put_states(struct json *j, const struct pmtcp_stats *stats)
{
	json_object(j, "live_by_state");
	for (uint32_t i = 0; i < PMTCP_STATE_MAX; i++) {
		if (stats->state[i] != 0 && i != PMTCP_TIME_WAIT && i != PMTCP_LISTEN)
			json_u64(j, pmtcp_state_name((enum pmtcp_state)i), stats->state[i]);
	}
	json_end_object(j);
}

static void
put_worker(struct json *j, const struct side *s)
{
	const struct pmtcp_worker_stats *w = &s->final.worker;

	json_object(j, "worker");
	json_double(j, "busy_percent", summary_busy(s), 1);
	json_u64(j, "rx_packets", w->rx_packets);
	json_u64(j, "tx_packets", w->tx_packets);
	json_u64(j, "tx_dropped", w->tx_dropped);
	json_u64(j, "rx_missed", w->rx_missed);
	json_u64(j, "tx_relayed", w->tx_relayed);
	json_u64(j, "steer_taken", w->steer_taken);
	json_u64(j, "steer_dropped", w->steer_dropped);
	json_u64(j, "loop_stalls", w->loop_stalls);
	json_u64(j, "fault_lost", w->fault_lost);
	json_end_object(j);
}

static void
put_side(struct json *j, const char *key, const struct side *s, bool is_there)
{
	const struct pmtcp_stats *stats = &s->final.stats;
	double seconds = (double)(s->end.at_ns - s->begin.at_ns) / 1e9;

	if (!is_there) {
		json_text(j, key, NULL);
		return;
	}
	json_object(j, key);
	json_u64(j, "opened", s->n.opened);
	json_u64(j, "connected", s->n.connected);
	json_u64(j, "closed", s->n.closed);
	json_u64(j, "live", s->live);
	put_failed(j, &s->n);
	put_held(j, &s->n);
	put_states(j, stats);
	json_u64(j, "rx_octets", s->n.rx_octets);
	json_u64(j, "tx_octets", s->n.tx_octets);
	json_double(j, "window_s", seconds, 6);
	json_u64(j, "window_opened", s->end.n.connected - s->begin.n.connected);
	json_u64(j, "window_closed", s->end.n.closed - s->begin.n.closed);
	json_u64(j, "time_wait", stats->time_wait);
	json_u64(j, "blocks_used", stats->blocks_used);
	json_hist_us(j, "connect_us", &s->connect);
	json_hist_us(j, "close_us", &s->close);
	put_worker(j, s);
	put_counters(j, "counters", stats);
	json_end_object(j);
}

static void
put_run(struct json *j, const struct load *l)
{
	const struct side *s = load_main_side(l);
	struct window w;

	summary_window(l, &w);
	json_double(j, "opens_per_s", w.opens_per_s, 1);
	json_double(j, "closes_per_s", w.closes_per_s, 1);
	json_double(j, "window_s", w.seconds, 6);
	json_u64(j, "opened", s->n.opened);
	json_u64(j, "closed", s->n.closed);
	json_u64(j, "live", s->live);
	put_failed(j, &s->n);
	put_held(j, &s->n);
	json_hist_us(j, "connect_us", &s->connect);
	json_hist_us(j, "close_us", &s->close);
	json_hist_us(j, "life_us", &s->life);
	put_time_wait(j, l, &w);
	json_u64(j, "retransmitted", in_all(l, PMTCP_C_retransmitted));
	json_u64(j, "challenges", w.challenges);
	json_double(j, "packets_per_connection", w.packets_per_connection, 3);
	put_pace(j, l);
	put_conservation(j, l);
}

int
report_write(const struct load *l)
{
	bool is_stdout = strcmp(l->conf.json, "-") == 0;
	FILE *f = is_stdout ? stdout : fopen(l->conf.json, "w");
	struct json j;
	int rc;

	if (f == NULL) {
		fprintf(stderr, "pmtcp-load: cannot write %s: %s.\n", l->conf.json,
				strerror(errno));
		return -errno;
	}
	json_begin(&j, f);
	json_u64(&j, "version", 1);
	put_run(&j, l);
	put_config(&j, l);
	put_box(&j, l);
	put_side(&j, "client", &l->client.side, l->has_client);
	put_side(&j, "server", &l->server.side, l->has_server);
	rc = json_finish(&j);
	if (!is_stdout && fclose(f) != 0 && rc == 0)
		rc = -errno;
	if (rc != 0)
		fprintf(stderr, "pmtcp-load: cannot write %s: %s.\n", l->conf.json, strerror(-rc));
	return rc;
}
