/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* How fast does the kernel open and close connections here? Sockets and epoll, one
 * client thread and one server thread, each on a core of its own: what pmtcp-load
 * is compared with, and, as one end alone, what it talks to over tap and veth.
 * Loopback unless --server says otherwise; bench/run starts it in a namespace.
 *
 * The client connects, sends --request octets, waits for --response octets and
 * closes; the server answers and closes when the client has. A large request ends
 * with shutdown(), and counts once the server has closed too. Sources rotate over
 * a range of addresses, since a tuple is taken for the 60 s of its TIME-WAIT.
 * It uses what the kernel offers for the purpose: non-blocking sockets, accept4()
 * until nothing is left, no epoll_ctl() for what is already there. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum {
	FDS_MAX = 65536,
	EVENTS = 256,
	SLOTS_MAX = 4096,
	ACCEPTS_MAX = 64,
	CHUNK = 65536,
	PATTERN_PERIOD = 65521, /* as in apps/load: octet values depend on their position */
	WAIT_MS = 50,
	DRAIN_S = 5, /* for what is still open at the end */
};

struct options {
	const char *role; /* both, client, server */
	const char *name; /* of the case, in the report */
	uint32_t server;
	uint16_t port;
	uint32_t source_first;
	uint32_t source_last;
	uint64_t request;
	uint64_t response;
	uint32_t concurrency;
	double seconds; /* of each run */
	double warmup;
	int runs;
	uint64_t count; /* stop after so many; 0: by time */
	int client_cpu;
	int server_cpu;
};

static struct options opt = {
		.role = "both",
		.name = "kernel_loop",
		.server = INADDR_LOOPBACK,
		.port = 5001,
		.source_first = 0x7f010001,
		.source_last = 0x7f0100fe,
		.concurrency = 64,
		.seconds = 3,
		.warmup = 1,
		.runs = BENCH_RUNS,
		.client_cpu = 0,
		.server_cpu = 1,
};

static uint8_t pattern[PATTERN_PERIOD + CHUNK];
static atomic_bool is_over;        /* no more connections */
static atomic_bool is_server_over; /* the client has seen the end of its last */

struct tally {
	_Atomic uint64_t closed;
	_Atomic uint64_t octets;
	_Atomic uint64_t errors;
};
static struct tally client_tally, server_tally;

static void
tally_add(_Atomic uint64_t *what, uint64_t n)
{
	/* One writer: no read-modify-write. */
	atomic_store_explicit(what, atomic_load_explicit(what, memory_order_relaxed) + n,
			memory_order_relaxed);
}

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

static double
seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void
pattern_fill(void)
{
	uint64_t x = 0x9e3779b97f4a7c15u;

	for (uint32_t i = 0; i < PATTERN_PERIOD; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		pattern[i] = (uint8_t)(x >> 32);
	}
	for (uint32_t i = 0; i < CHUNK; i++)
		pattern[PATTERN_PERIOD + i] = pattern[i % PATTERN_PERIOD];
}

static void
pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void
watch(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = {.events = events, .data.u64 = data};

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) != 0)
		die("epoll_ctl");
}

/* ---- one direction of a connection ---- */

struct stream {
	uint64_t sent;
	uint64_t got;
};

enum step {
	STEP_MORE,  /* nothing more now */
	STEP_DONE,  /* all that was asked for */
	STEP_END,   /* the peer closed */
	STEP_ERROR, /* reset, or octets that are wrong */
};

static enum step
send_some(int fd, struct stream *s, uint64_t want, struct tally *tally)
{
	while (s->sent < want) {
		uint64_t len = want - s->sent < CHUNK ? want - s->sent : CHUNK;
		ssize_t n = send(fd, pattern + s->sent % PATTERN_PERIOD, len, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? STEP_MORE : STEP_ERROR;
		s->sent += (uint64_t)n;
		tally_add(&tally->octets, (uint64_t)n);
	}
	return STEP_DONE;
}

/* Reads until there is nothing; what comes has to be the pattern, and no more than wanted. */
static enum step
receive_some(int fd, struct stream *s, uint64_t want, struct tally *tally)
{
	static _Thread_local uint8_t chunk[CHUNK];

	for (;;) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n == 0)
			return STEP_END;
		if (n < 0)
			return errno == EAGAIN ? STEP_MORE : STEP_ERROR;
		if (s->got + (uint64_t)n > want ||
				memcmp(chunk, pattern + s->got % PATTERN_PERIOD, (size_t)n) != 0)
			return STEP_ERROR;
		s->got += (uint64_t)n;
		tally_add(&tally->octets, (uint64_t)n);
		if (s->got == want && want <= 1)
			return STEP_DONE; /* a lone octet: asking again would only cost a call */
	}
}

/* ---- server ---- */

static struct stream served[FDS_MAX];

/* True while the connection lives on. */
static bool
serve(int fd)
{
	struct stream *s = &served[fd];
	enum step step = receive_some(fd, s, opt.request, &server_tally);
	bool is_complete = s->got == opt.request;

	if (step != STEP_ERROR && is_complete && s->sent < opt.response &&
			send_some(fd, s, opt.response, &server_tally) == STEP_ERROR)
		step = STEP_ERROR;
	if (step == STEP_MORE || step == STEP_DONE)
		return true;
	close(fd);
	if (step == STEP_END && is_complete && s->sent == opt.response)
		tally_add(&server_tally.closed, 1);
	else
		tally_add(&server_tally.errors, 1);
	return false;
}

static int
server_socket(void)
{
	struct sockaddr_in local = {.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(opt.server),
			.sin_port = htons(opt.port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
			bind(fd, (struct sockaddr *)&local, sizeof(local)) != 0 ||
			listen(fd, SLOTS_MAX) != 0)
		die("listen");
	return fd;
}

static void
accept_some(int ep, int listener)
{
	for (int i = 0; i < ACCEPTS_MAX; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

		if (fd < 0)
			return;
		BENCH_VERIFY(fd < FDS_MAX);
		served[fd] = (struct stream){0};
		/* The whole of a short connection may be here already. */
		if (serve(fd))
			watch(ep, fd, EPOLLIN | (opt.response > CHUNK ? EPOLLOUT : 0),
					(uint64_t)fd);
	}
}

static void *
server_main(void *arg)
{
	struct epoll_event ev[EVENTS];
	int listener = *(int *)arg;
	int ep = epoll_create1(0);

	pin(opt.server_cpu);
	watch(ep, listener, EPOLLIN, (uint64_t)listener);
	while (!atomic_load_explicit(&is_server_over, memory_order_relaxed)) {
		int n = epoll_wait(ep, ev, EVENTS, WAIT_MS);

		for (int i = 0; i < n; i++) {
			if (ev[i].data.u64 == (uint64_t)listener)
				accept_some(ep, listener);
			else
				serve((int)ev[i].data.u64);
		}
	}
	return NULL;
}

/* ---- client ---- */

struct slot {
	int fd; /* -1: free */
	bool is_shut;
	struct stream s;
};

struct client {
	int ep;
	uint32_t source;
	uint64_t left; /* connections still to open */
	uint32_t live;
	struct slot slot[SLOTS_MAX];
};

static void
open_one(struct client *c, uint32_t i)
{
	struct sockaddr_in source = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(c->source)};
	struct sockaddr_in server = {.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(opt.server),
			.sin_port = htons(opt.port)};
	int fd, on = 1;

	if (c->left == 0 || atomic_load_explicit(&is_over, memory_order_relaxed))
		return;
	c->left--;
	c->live++;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("socket");
	/* The port is chosen in connect(), so that it is free for this tuple only. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (c->source != 0 && bind(fd, (struct sockaddr *)&source, sizeof(source)) != 0)
		die("bind");
	if (connect(fd, (struct sockaddr *)&server, sizeof(server)) != 0 && errno != EINPROGRESS)
		die("connect");
	c->slot[i] = (struct slot){.fd = fd};
	c->source = c->source == opt.source_last ? opt.source_first : c->source + 1;
	watch(c->ep, fd, EPOLLIN | EPOLLOUT | EPOLLET, i);
}

/* Whether the connection is over, and how. */
static enum step
advance(struct slot *slot)
{
	enum step step = send_some(slot->fd, &slot->s, opt.request, &client_tally);

	if (step != STEP_DONE)
		return step;
	if (opt.request > 1 && opt.response == 0 && !slot->is_shut) {
		slot->is_shut = true;
		shutdown(slot->fd, SHUT_WR);
	}
	if (opt.response == 0 && !slot->is_shut)
		return STEP_DONE;
	step = receive_some(slot->fd, &slot->s, opt.response, &client_tally);
	if (slot->s.got == opt.response && (opt.response > 0 || step == STEP_END))
		return STEP_DONE;
	return step == STEP_END ? STEP_ERROR : step;
}

static void
client_event(struct client *c, const struct epoll_event *ev)
{
	uint32_t i = (uint32_t)ev->data.u64;
	struct slot *slot = &c->slot[i];
	enum step step = ev->events & EPOLLERR ? STEP_ERROR : advance(slot);

	if (step == STEP_MORE)
		return;
	close(slot->fd);
	slot->fd = -1;
	c->live--;
	tally_add(step == STEP_DONE ? &client_tally.closed : &client_tally.errors, 1);
	open_one(c, i);
}

static void *
client_main(void *arg)
{
	struct client *c = arg;
	struct epoll_event ev[EVENTS];
	double until = opt.warmup + opt.seconds * opt.runs + DRAIN_S + seconds_now();

	pin(opt.client_cpu);
	for (uint32_t i = 0; i < opt.concurrency; i++) {
		c->slot[i].fd = -1;
		open_one(c, i);
	}
	while (!atomic_load_explicit(&is_over, memory_order_relaxed) ||
			(c->live > 0 && seconds_now() < until)) {
		int n = epoll_wait(c->ep, ev, EVENTS, WAIT_MS);

		for (int i = 0; i < n; i++)
			client_event(c, &ev[i]);
	}
	tally_add(&client_tally.errors, c->live);
	return NULL;
}

/* ---- runs ---- */

/* Returns early when `count` is reached. */
static void
wait_seconds(double seconds, const struct tally *tally)
{
	double until = seconds_now() + seconds;

	while (seconds_now() < until && !atomic_load(&is_over) &&
			(opt.count == 0 ||
					atomic_load(&tally->closed) + atomic_load(&tally->errors) <
							opt.count))
		usleep(opt.count == 0 ? 1000 : 100);
}

/* Sockets beyond net.ipv4.tcp_max_tw_buckets lose their TIME-WAIT: then the kernel
 * did less than it should, and the report has to say so. */
static uint64_t
time_wait_overflows(void)
{
	char names[4096], values[4096];
	FILE *file = fopen("/proc/net/netstat", "r");
	char *name, *value, *name_at, *value_at;
	uint64_t found = 0;

	if (file == NULL)
		return 0;
	if (fgets(names, sizeof(names), file) != NULL &&
			fgets(values, sizeof(values), file) != NULL) {
		name = strtok_r(names, " \n", &name_at);
		value = strtok_r(values, " \n", &value_at);
		for (int i = 0; i < 512 && name != NULL && value != NULL; i++) {
			if (strcmp(name, "TCPTimeWaitOverflow") == 0)
				found = strtoull(value, NULL, 10);
			name = strtok_r(NULL, " \n", &name_at);
			value = strtok_r(NULL, " \n", &value_at);
		}
	}
	fclose(file);
	return found;
}

static void
report(double *rates, int n, uint64_t overflows)
{
	const struct tally *tally = strcmp(opt.role, "server") == 0 ? &server_tally : &client_tally;

	qsort(rates, (size_t)n, sizeof(rates[0]), bench_compare_doubles);
	printf("%s  %.1f conn/s  n=%d min=%.1f max=%.1f closed=%llu octets=%llu errors=%llu "
	       "concurrency=%u request=%llu response=%llu tw_overflows=%llu\n",
			opt.name, rates[n / 2], n, rates[0], rates[n - 1],
			(unsigned long long)atomic_load(&tally->closed),
			(unsigned long long)atomic_load(&tally->octets),
			(unsigned long long)(atomic_load(&client_tally.errors) +
					     atomic_load(&server_tally.errors)),
			opt.concurrency, (unsigned long long)opt.request,
			(unsigned long long)opt.response, (unsigned long long)overflows);
	fflush(stdout);
}

static void
measure(const struct tally *tally)
{
	double rates[BENCH_RUNS_MAX];
	uint64_t overflows;

	wait_seconds(opt.warmup, tally);
	overflows = time_wait_overflows();
	for (int i = 0; i < opt.runs; i++) {
		uint64_t before = opt.count == 0 ? atomic_load(&tally->closed) : 0;
		double start = seconds_now();

		wait_seconds(opt.seconds, tally);
		rates[i] = (double)(atomic_load(&tally->closed) - before) / (seconds_now() - start);
	}
	report(rates, opt.runs, time_wait_overflows() - overflows);
}

static void
on_signal(int number)
{
	atomic_store(&is_over, true);
}

/* ---- options ---- */

static uint32_t
address_of(const char *text)
{
	struct in_addr a;

	if (inet_pton(AF_INET, text, &a) != 1) {
		fprintf(stderr, "not an IPv4 address: %s\n", text);
		exit(2);
	}
	return ntohl(a.s_addr);
}

static void
sources_of(char *text)
{
	char *dash = strchr(text, '-');

	if (dash != NULL)
		*dash = '\0';
	opt.source_first = address_of(text);
	opt.source_last = dash == NULL ? opt.source_first : address_of(dash + 1);
}

static const struct option long_options[] = {
		{"role", required_argument, NULL, 'r'},
		{"name", required_argument, NULL, 'N'},
		{"server", required_argument, NULL, 's'},
		{"port", required_argument, NULL, 'p'},
		{"sources", required_argument, NULL, 'S'},
		{"request", required_argument, NULL, 'q'},
		{"response", required_argument, NULL, 'a'},
		{"concurrency", required_argument, NULL, 'n'},
		{"seconds", required_argument, NULL, 'd'},
		{"warmup", required_argument, NULL, 'w'},
		{"runs", required_argument, NULL, 'R'},
		{"count", required_argument, NULL, 'c'},
		{"client-cpu", required_argument, NULL, 'C'},
		{"server-cpu", required_argument, NULL, 'D'},
		{NULL, 0, NULL, 0},
};

static bool
option_set(int letter, char *value)
{
	/* clang-format off */
	switch (letter) {
	case 'r': opt.role = value; break;
	case 'N': opt.name = value; break;
	case 's': opt.server = address_of(value); break;
	case 'p': opt.port = (uint16_t)strtoul(value, NULL, 10); break;
	case 'S': sources_of(value); break;
	case 'q': opt.request = strtoull(value, NULL, 10); break;
	case 'a': opt.response = strtoull(value, NULL, 10); break;
	case 'n': opt.concurrency = (uint32_t)strtoul(value, NULL, 10); break;
	case 'd': opt.seconds = strtod(value, NULL); break;
	case 'w': opt.warmup = strtod(value, NULL); break;
	case 'R': opt.runs = (int)strtol(value, NULL, 10); break;
	case 'c': opt.count = strtoull(value, NULL, 10); break;
	case 'C': opt.client_cpu = (int)strtol(value, NULL, 10); break;
	case 'D': opt.server_cpu = (int)strtol(value, NULL, 10); break;
	default: return false;
	}
	/* clang-format on */
	return true;
}

static bool
options_read(int argc, char **argv)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		if (!option_set(letter, optarg))
			return false;
	if (opt.count > 0) {
		opt.runs = 1;
		opt.warmup = 0;
	}
	return optind == argc && opt.runs >= 1 && opt.runs <= BENCH_RUNS_MAX &&
	       opt.concurrency >= 1 && opt.concurrency <= SLOTS_MAX && opt.seconds > 0 &&
	       opt.seconds <= 600 && opt.warmup >= 0 && opt.warmup <= 600 && opt.port != 0;
}

int
main(int argc, char **argv)
{
	static struct client client;
	bool has_client, has_server;
	pthread_t server_thread, client_thread;
	int listener;

	if (!options_read(argc, argv)) {
		fprintf(stderr, "usage: kernel_loop [--role both|client|server] [--server IP] "
				"[--port N]\n  [--sources IP-IP] [--request N] [--response N] "
				"[--concurrency N] [--seconds S]\n  [--warmup S] [--runs N] "
				"[--count N] [--client-cpu N] [--server-cpu N] [--name TEXT]\n");
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	pattern_fill();
	has_server = strcmp(opt.role, "client") != 0;
	has_client = strcmp(opt.role, "server") != 0;
	if (has_server) {
		listener = server_socket();
		BENCH_VERIFY(pthread_create(&server_thread, NULL, server_main, &listener) == 0);
	}
	if (has_client) {
		client.ep = epoll_create1(0);
		client.source = opt.source_first;
		client.left = opt.count == 0 ? UINT64_MAX : opt.count;
		BENCH_VERIFY(pthread_create(&client_thread, NULL, client_main, &client) == 0);
	}
	measure(has_client ? &client_tally : &server_tally);
	atomic_store(&is_over, true);
	if (has_client)
		pthread_join(client_thread, NULL);
	atomic_store(&is_server_over, true);
	if (has_server)
		pthread_join(server_thread, NULL);
	return atomic_load(&client_tally.errors) + atomic_load(&server_tally.errors) != 0;
}
