/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See cell.h. A script that does not parse stops the program: it is a mistake of
 * the test, never an outcome. */

#include "support/cell.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "base/check.h"

#define CELL_SCRIPT_MAX 2048
#define CELL_WORDS_MAX  12
#define CELL_TESTS_MAX  128
#define CELL_QUIET_NS   (2 * EP_MS)

struct words {
	int n;
	char *at[CELL_WORDS_MAX];
};

struct word_value {
	const char *word;
	int value;
};

static const struct word_value states[] = {
		{"CLD", PMTCP_CLOSED},
		{"LIS", PMTCP_LISTEN},
		{"SYS", PMTCP_SYN_SENT},
		{"SYR", PMTCP_SYN_RCVD},
		{"EST", PMTCP_ESTABLISHED},
		{"FW1", PMTCP_FIN_WAIT_1},
		{"FW2", PMTCP_FIN_WAIT_2},
		{"CLW", PMTCP_CLOSE_WAIT},
		{"CLG", PMTCP_CLOSING},
		{"LAK", PMTCP_LAST_ACK},
		{"TW", PMTCP_TIME_WAIT},
		{NULL, 0},
};

static const struct word_value events[] = {
		{"ACCEPTED", PMTCP_EV_ACCEPTED},
		{"CONNECTED", PMTCP_EV_CONNECTED},
		{"READABLE", PMTCP_EV_READABLE},
		{"URGENT", PMTCP_EV_URGENT},
		{"PEER_FIN", PMTCP_EV_PEER_FIN},
		{"WRITABLE", PMTCP_EV_WRITABLE},
		{"ERROR", PMTCP_EV_ERROR},
		{"CLOSED", PMTCP_EV_CLOSED},
		{NULL, 0},
};

static const struct word_value reasons[] = {
		{"GRACEFUL", PMTCP_GRACEFUL},
		{"PEER_RESET", PMTCP_PEER_RESET},
		{"REFUSED", PMTCP_REFUSED},
		{"TIMEOUT_SYN", PMTCP_TIMEOUT_SYN},
		{"TIMEOUT_RTX", PMTCP_TIMEOUT_RTX},
		{"TIMEOUT_FW2", PMTCP_TIMEOUT_FW2},
		{"TIMEOUT_USER", PMTCP_TIMEOUT_USER},
		{"TIMEOUT_KA", PMTCP_TIMEOUT_KA},
		{"TIMEOUT_LINGER", PMTCP_TIMEOUT_LINGER},
		{"LOCAL_ABORT", PMTCP_LOCAL_ABORT},
		{"LOCAL_CLOSE", PMTCP_LOCAL_CLOSE},
		{"DATA_LOST", PMTCP_DATA_LOST},
		{"NO_RESOURCE", PMTCP_NO_RESOURCE},
		{"UNREACHABLE", PMTCP_UNREACHABLE},
		{NULL, 0},
};

static const struct word_value errors[] = {
		{"-EAGAIN", -EAGAIN},
		{"-EBADF", -EBADF},
		{"-EPIPE", -EPIPE},
		{"-ENOTCONN", -ENOTCONN},
		{"-EISCONN", -EISCONN},
		{"-EADDRINUSE", -EADDRINUSE},
		{"-EBUSY", -EBUSY},
		{"-EINVAL", -EINVAL},
		{"-ENOBUFS", -ENOBUFS},
		{NULL, 0},
};

/* {name value}: pmtcp_set(). */
static const struct word_value options[] = {
		{"fw2_ms", PMTCP_OPT_FW2_MS},
		{"retries", PMTCP_OPT_RETRIES},
		{"nodelay", PMTCP_OPT_NODELAY},
		{"keepalive_ms", PMTCP_OPT_KEEPALIVE_MS},
		{"keepalive_intvl_ms", PMTCP_OPT_KEEPALIVE_INTVL_MS},
		{"keepalive_count", PMTCP_OPT_KEEPALIVE_COUNT},
		{"user_timeout_ms", PMTCP_OPT_USER_TIMEOUT_MS},
		{"linger_ms", PMTCP_OPT_LINGER_MS},
		{"mss", PMTCP_OPT_MSS},
		{"ecn", PMTCP_OPT_ECN},
		{"tw_ms", PMTCP_OPT_TW_MS},
		{NULL, 0},
};

static const struct word_value *
find_word(const struct word_value *table, const char *word)
{
	while (table->word != NULL && strcmp(table->word, word) != 0)
		table++;
	return table->word == NULL ? NULL : table;
}

/* The script is wrong: say where and stop. */
static void
require(bool fact, const char *what, const char *text)
{
	if (fact)
		return;
	fprintf(stderr, "script: %s: '%s'\n", what, text);
	CHECK(fact);
}

static uint32_t
number_of(const struct ep *ep, const char *word)
{
	uint32_t base = word[0] == 'p' ? ep->irs : word[0] == 'i' ? ep->iss : 0;
	const char *digits = word[0] == 'p' || word[0] == 'i' ? word + 1 : word;
	char *end;
	long n = strtol(digits, &end, 10);

	require(*end == '\0' || strcmp(word, "i=") == 0, "no number", word);
	return base + (uint32_t)n;
}

/* key=value words of '>' and '<'. */
static void
take_option(const struct ep *ep, struct ep_seg *seg, const char *word)
{
	char l[16], r[16];
	unsigned int a = 0, b = 0;

	if (sscanf(word, "len=%u", &a) == 1) {
		seg->len = a;
	} else if (sscanf(word, "urg=%u", &a) == 1) {
		seg->urg = (uint16_t)a;
	} else if (sscanf(word, "wnd=%u", &a) == 1) {
		seg->wnd = (int32_t)a;
	} else if (sscanf(word, "mss=%u", &a) == 1) {
		seg->mss = (int32_t)a;
	} else if (sscanf(word, "ws=%u", &a) == 1) {
		seg->wscale = (int32_t)a;
	} else if (sscanf(word, "ts=%u:%u", &a, &b) >= 1) {
		seg->has_ts = true;
		seg->tsval = a;
		seg->tsecr = b;
	} else if (strcmp(word, "ect") == 0 || strcmp(word, "ce") == 0) {
		seg->ecn = word[0] == 'e' ? 2 : 3;
	} else if (sscanf(word, "sack=%15[^:]:%15s", l, r) == 2 && seg->n_sack < PKT_SACK_MAX) {
		seg->sack[seg->n_sack++] = (struct pkt_sack){number_of(ep, l), number_of(ep, r)};
	} else {
		seg->has_sack_perm = strcmp(word, "sackok") == 0;
		require(seg->has_sack_perm, "unknown word", word);
	}
}

static struct ep_seg
segment_of(const struct ep *ep, const struct words *w)
{
	struct ep_seg seg = {.wnd = -1, .mss = -1, .wscale = -1};
	int at = 3;

	require(w->n >= 3, "flags and SEQ are missing", w->at[0]);
	seg.flags = w->at[1];
	seg.seq = number_of(ep, w->at[2]);
	if (w->n > at && strchr(w->at[at], '=') == NULL && strcmp(w->at[at], "sackok") != 0)
		seg.ack = number_of(ep, w->at[at++]);
	for (; at < w->n; at++)
		take_option(ep, &seg, w->at[at]);
	return seg;
}

static void
do_inject(struct ep *ep, const struct words *w)
{
	struct ep_seg seg = segment_of(ep, w);

	if (strchr(seg.flags, 'S') != NULL && seg.mss < 0)
		seg.mss = 1460;
	ep_inject(ep, &seg);
}

/* ! icmp TYPE/CODE SEQ */
static void
do_inject_icmp(struct ep *ep, const struct words *w)
{
	struct ep_icmp e = {.len = 40};

	require(w->n >= 4 && strcmp(w->at[1], "icmp") == 0 &&
					sscanf(w->at[2], "%hhu/%hhu", &e.type, &e.code) == 2,
			"icmp, type/code and SEQ", w->at[0]);
	e.seq = number_of(ep, w->at[3]);
	for (int i = 4; i < w->n; i++)
		require(sscanf(w->at[i], "mtu=%hu", &e.mtu) == 1 ||
						sscanf(w->at[i], "len=%hu", &e.len) == 1,
				"unknown word", w->at[i]);
	ep_inject_icmp(ep, &e);
}

static void
do_expect(struct ep *ep, const struct words *w)
{
	struct ep_seg seg;

	ep_turn(ep);
	if (w->n > 2 && strcmp(w->at[2], "i=") == 0) {
		const struct pkt *p = ep_peek(ep);

		if (p != NULL)
			ep->iss = p->seq;
	}
	seg = segment_of(ep, w);
	/* The peer learns our clock from each frame it expects. */
	if (seg.has_ts)
		seg.tsecr = seg.tsval;
	ep_expect(ep, &seg);
}

static int
call_one(struct ep *ep, const char *verb, uint32_t n)
{
	const struct word_value *opt = find_word(options, verb);

	if (opt != NULL)
		return ep_set(ep, (enum pmtcp_opt)opt->value, n);
	if (strcmp(verb, "listen") == 0)
		return ep_listen(ep);
	if (strcmp(verb, "open") == 0)
		return ep_open_active(ep);
	if (strcmp(verb, "send") == 0)
		return ep_write(ep, n);
	if (strcmp(verb, "recv") == 0)
		return ep_read(ep, n);
	if (strcmp(verb, "urgent") == 0)
		return pmtcp_urgent(ep->conn);
	if (strcmp(verb, "shutdown") == 0)
		return pmtcp_shutdown(ep->conn);
	if (strcmp(verb, "close") == 0)
		ep_close(ep);
	else if (strcmp(verb, "abort") == 0)
		ep_abort(ep);
	else if (strcmp(verb, "detach") == 0)
		ep_detach(ep);
	else if (strcmp(verb, "unlisten") == 0)
		ep_unlisten(ep);
	else if (strcmp(verb, "cookies") == 0)
		ep->cookies = PMTCP_COOKIES_ALWAYS;
	else
		require(false, "unknown call", verb);
	return 0;
}

/* {verb n}=result */
static void
do_call(struct ep *ep, const char *text)
{
	char verb[32], result[32];
	unsigned int n = 0;
	int fields = sscanf(text, "{%31[a-z_0-9]%u", verb, &n);
	const char *tail = strchr(text, '}');
	const struct word_value *error;
	int want = 0, got;

	require(fields >= 1 && tail != NULL, "no call", text);
	if (sscanf(tail, "}=%31s", result) == 1) {
		error = find_word(errors, result);
		want = error != NULL ? error->value : atoi(result);
	} else if (strcmp(verb, "send") == 0 || strcmp(verb, "recv") == 0) {
		want = (int)n;
	}
	ep_poll(ep);
	got = call_one(ep, verb, n);
	if (got != want)
		fail_msg("%s: %s returned %d (%s)", ep->name, text, got,
				got < 0 ? strerror(-got) : "octets");
}

static void
do_events(struct ep *ep, char *text)
{
	const struct word_value *found;
	int reason = PMTCP_REASON_NONE;
	uint32_t flags = 0;
	char *save = NULL;

	for (char *w = strtok_r(text, "[] ", &save); w != NULL; w = strtok_r(NULL, "[] ", &save)) {
		found = find_word(events, w);
		if (found != NULL) {
			flags |= (uint32_t)found->value;
			continue;
		}
		found = find_word(reasons, w);
		require(found != NULL, "unknown event", w);
		reason = found->value;
	}
	ep_expect_event(ep, flags, reason);
}

static enum pmtcp_counter
counter_of(const char *name)
{
	int c = 0;

	while (c < PMTCP_C_MAX && strcmp(pmtcp_counter_name((enum pmtcp_counter)c), name) != 0)
		c++;
	require(c < PMTCP_C_MAX, "unknown counter", name);
	return (enum pmtcp_counter)c;
}

/* Returns how many of the named counters' gains are fates of injected frames. */
static uint32_t
do_counters(struct ep *ep, const struct words *w)
{
	uint32_t n_fates = 0;

	ep_turn(ep);
	for (int i = 1; i < w->n; i++) {
		char *plus = strchr(w->at[i], '+');
		uint32_t want = plus == NULL ? 1 : (uint32_t)atoi(plus + 1);
		enum pmtcp_counter c;

		if (plus != NULL)
			*plus = '\0';
		c = counter_of(w->at[i]);
		if (ep_gained(ep, c) != want)
			fail_msg("%s: %s gained %u instead of %u", ep->name, w->at[i],
					(unsigned int)ep_gained(ep, c), want);
		n_fates += (int)c < PMTCP_FATE_MAX ? want : 0;
	}
	return n_fates;
}

static void
do_advance(struct ep *ep, const char *text)
{
	uint64_t unit = EP_MS;
	char suffix[4] = "";
	unsigned int n;

	require(sscanf(text, "+%u%3s", &n, suffix) >= 1, "no time", text);
	if (strcmp(suffix, "s") == 0)
		unit = 1000 * EP_MS;
	else if (strcmp(suffix, "us") == 0)
		unit = EP_MS / 1000;
	else
		require(suffix[0] == '\0', "unknown unit", text);
	ep_advance(ep, n * unit);
}

static struct pmtcp_conn_info
info_of(struct ep *ep)
{
	struct pmtcp_conn_info info;

	require(ep->conn != NULL, "no connection", "?");
	pmtcp_conn_info(ep->conn, &info);
	return info;
}

static void
do_info(struct ep *ep, const struct words *w)
{
	const struct pmtcp_conn_info info = info_of(ep);
	const struct {
		const char *name;
		uint32_t value;
	} fields[] = {
			{"snd_una", info.snd_una},
			{"snd_nxt", info.snd_nxt},
			{"snd_wnd", info.snd_wnd},
			{"rcv_nxt", info.rcv_nxt},
			{"unread", info.unread},
			{"unsent", info.unsent},
			{"unacked", info.unacked},
			{"urgent", info.urgent},
			{"mss", info.mss},
	};

	require(w->n == 3, "field and value", w->at[0]);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(fields); i++) {
		if (strcmp(fields[i].name, w->at[1]) != 0)
			continue;
		if (fields[i].value != number_of(ep, w->at[2]))
			fail_msg("%s: %s is %u, not %s", ep->name, w->at[1], fields[i].value,
					w->at[2]);
		return;
	}
	require(false, "unknown field", w->at[1]);
}

static void
do_forget(struct ep *ep)
{
	ep_turn(ep);
	while (ep_take(ep) != NULL)
		;
}

static struct words
split_words(char *text)
{
	struct words w = {0};
	char *save = NULL;

	for (char *s = strtok_r(text, " ", &save); s != NULL; s = strtok_r(NULL, " ", &save)) {
		require(w.n < CELL_WORDS_MAX, "too many words", s);
		w.at[w.n++] = s;
	}
	return w;
}

static uint32_t
do_statement(struct ep *ep, char *text)
{
	struct words w;

	if (text[0] == '{') {
		do_call(ep, text);
		return 0;
	}
	if (text[0] == '[') {
		do_events(ep, text);
		return 0;
	}
	w = split_words(text);
	switch (text[0]) {
	case '>':
		do_inject(ep, &w);
		break;
	case '!':
		do_inject_icmp(ep, &w);
		break;
	case '<':
		do_expect(ep, &w);
		break;
	case '.':
		ep_expect_nothing(ep);
		break;
	case '~':
		do_forget(ep);
		break;
	case '?':
		ep_turn(ep);
		do_info(ep, &w);
		break;
	case '+':
		do_advance(ep, text);
		break;
	case '=':
		require(w.n == 2 && find_word(states, w.at[1]) != NULL, "no state", text);
		ep_expect_state(ep, (enum pmtcp_state)find_word(states, w.at[1])->value);
		break;
	case '#':
		return do_counters(ep, &w);
	default:
		require(false, "unknown statement", text);
	}
	return 0;
}

/* Returns how many fates the script has named. */
static uint32_t
run_statements(struct ep *ep, const char *script)
{
	char copy[CELL_SCRIPT_MAX];
	uint32_t n_fates = 0;
	char *save = NULL;

	require(strlen(script) < sizeof(copy), "too long", script);
	strcpy(copy, script);
	for (char *s = strtok_r(copy, ";", &save); s != NULL; s = strtok_r(NULL, ";", &save)) {
		s += strspn(s, " ");
		if (s[0] != '\0')
			n_fates += do_statement(ep, s);
	}
	return n_fates;
}

void
cell_script(struct ep *ep, const char *script)
{
	run_statements(ep, script);
}

static void
run_once(const struct cell *cell, const struct ep_opts *opts)
{
	static struct ep ep;
	uint32_t n_fates;

	ep_create(&ep, cell->name, opts);
	run_statements(&ep, cell->reach);
	ep_expect_nothing(&ep);
	ep_expect_event(&ep, 0, PMTCP_REASON_NONE);
	ep_mark(&ep);
	n_fates = run_statements(&ep, cell->script);
	ep_advance(&ep, CELL_QUIET_NS);
	ep_expect_nothing(&ep);
	if (n_fates != ep.n_injected)
		fail_msg("%s: %u frames injected, the fate of %u named", ep.name, ep.n_injected,
				n_fates);
	ep_destroy(&ep);
}

/* The initial number rises by one each 4 us (RFC 6528), so that a later start makes
 * it any number: how much later for this one? */
uint64_t
cell_later_for_iss(const struct ep_opts *opts, uint32_t iss)
{
	static struct ep ep;
	const struct pkt *p;
	uint32_t first;

	ep_create(&ep, "iss", opts);
	ep_turn(&ep);
	assert_int_equal(ep_open_active(&ep), 0);
	ep_turn(&ep);
	p = ep_take(&ep);
	assert_non_null(p);
	first = p->seq;
	ep_drop(&ep);
	return (uint64_t)(iss - first) * 4000;
}

/* As it is, then with both sides' initial numbers just below 2^32, so
 * that every comparison of the cell is made across the wrap (DATA-10). */
void
cell_run(const struct cell *cell, const struct ep_opts *opts)
{
	static const uint32_t before_wrap[] = {2, 4, 8, 13};

	run_once(cell, opts);
	for (size_t i = 0; i < PMTCP_ARRAY_SIZE(before_wrap); i++) {
		struct ep_opts wrapped = *opts;

		wrapped.peer_iss = 0u - before_wrap[i];
		wrapped.later_ns = cell_later_for_iss(opts, 0u - before_wrap[i]);
		run_once(cell, &wrapped);
	}
}

/* Of the group that runs. */
static const struct ep_opts *group_opts;

static void
run_as_test(void **state)
{
	const struct cell *cell = *state;

	if (cell->script == NULL) {
		print_message("%s: %s\n", cell->name, cell->reach);
		skip();
	}
	cell_run(cell, group_opts);
}

int
cell_run_all_with(const char *group, const struct cell *cells, size_t n, const struct ep_opts *opts)
{
	static struct CMUnitTest tests[CELL_TESTS_MAX];

	CHECK(n <= CELL_TESTS_MAX);
	group_opts = opts;
	for (size_t i = 0; i < n; i++) {
		tests[i] = (struct CMUnitTest){.name = cells[i].name,
				.test_func = run_as_test,
				.initial_state = (void *)(uintptr_t)&cells[i]};
	}
	return _cmocka_run_group_tests(group, tests, n, NULL, NULL);
}

int
cell_run_all(const char *group, const struct cell *cells, size_t n)
{
	static const struct ep_opts opts = {
			.conn = {.no_timestamps = true, .no_sack = true, .no_wscale = true}};

	return cell_run_all_with(group, cells, n, &opts);
}
