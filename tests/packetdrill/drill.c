/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* See drill.h. */

#include "packetdrill/drill.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "pmtcp.h"

enum {
	ETH_LEN = 14,
	SPIN_US = 20, /* the tool never sleeps for less */
	ISS_NONE = 0,
};

/* Not those that the plug-in takes if it is told none. */
#define LOCAL4  PMTCP_IP4(192, 168, 5, 9)
#define REMOTE4 PMTCP_IP4(192, 0, 2, 1)
#define LOCAL6  "fd00:5::9"
#define REMOTE6 "2001:db8::1"

/* As the tool loads it, but that ASan refuses one of the flags. */
#ifdef __SANITIZE_ADDRESS__
#define DLOPEN_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)
#else
#define DLOPEN_FLAGS (RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND)
#endif

static const char *drill_path;
static int drill_domain = AF_INET;

bool
drill_args(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[2], "ipv6") == 0)
		drill_domain = AF_INET6;
	else if (argc != 2)
		return false;
	drill_path = argv[1];
	return true;
}

void
drill_begin(struct drill *d, const char *so_flags)
{
	void (*init)(const char *, struct packetdrill_interface *);

	memset(d, 0, sizeof(*d));
	d->so = dlopen(drill_path, DLOPEN_FLAGS);
	if (d->so == NULL)
		fail_msg("%s", dlerror());
	*(void **)&init = dlsym(d->so, "packetdrill_interface_init");
	assert_non_null(init);
	init(so_flags, &d->ifc);
	d->ud = d->ifc.userdata;
	d->domain = drill_domain;
	d->mss = d->domain == AF_INET6 ? 1440 : 1460;
	d->rport = DRILL_PEER_PORT;
	d->ip4 = LOCAL4;
	inet_pton(AF_INET6, LOCAL6, d->ip6);
	d->t0 = drill_now(d);
}

void
drill_end(struct drill *d)
{
	d->ifc.free(d->ud);
	dlclose(d->so);
}

long long
drill_now(struct drill *d)
{
	struct timeval tv;

	assert_int_equal(d->ifc.gettimeofday(d->ud, &tv, NULL), 0);
	return tv.tv_sec * 1000000ll + tv.tv_usec - d->t0;
}

void
drill_at(struct drill *d, long long us)
{
	long long wait;

	while ((wait = us - drill_now(d)) > 0)
		if (wait > SPIN_US)
			d->ifc.usleep(d->ud, (useconds_t)(wait - SPIN_US));
}

/* ---- packets ------------------------------------------------------------------------- */

/* From the peer to us. */
static void
fill_addresses(const struct drill *d, struct build *b)
{
	b->version = d->domain == AF_INET6 ? 6 : 4;
	b->saddr = REMOTE4;
	b->daddr = d->ip4;
	inet_pton(AF_INET6, REMOTE6, b->saddr6);
	memcpy(b->daddr6, d->ip6, 16);
	b->sport = b->sport ? b->sport : d->rport;
	b->dport = b->dport ? b->dport : d->port;
}

void
drill_in(struct drill *d, const struct build *b)
{
	static uint8_t bytes[BUILD_BYTES_MAX];
	struct build full = *b;
	size_t len;

	fill_addresses(d, &full);
	full.wnd = full.wnd ? full.wnd : d->win;
	if (full.flags & PKT_ACK)
		full.ack += d->iss;
	for (uint8_t i = 0; i < full.n_sack; i++) {
		full.sack[i].left += d->iss;
		full.sack[i].right += d->iss;
	}
	len = build_tcp_bytes(&full, bytes, sizeof(bytes));
	assert_int_equal(d->ifc.netdev_send(d->ud, bytes + ETH_LEN, len - ETH_LEN), 0);
}

void
drill_seg(struct drill *d, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	static const uint8_t text[9000];
	struct build b = {.flags = flags, .seq = seq, .ack = ack, .payload = text, .len = len};

	b.wnd = d->win ? d->win : 65535;
	if (flags & PKT_SYN)
		b.opts = PKT_OPT_MSS;
	b.mss = (uint16_t)d->mss;
	if (d->has_ts)
		b.opts |= PKT_OPT_TS;
	b.tsval = d->tsval;
	b.tsecr = d->tsecr;
	drill_in(d, &b);
}

static void
put_cksum(uint8_t *at, uint32_t sum)
{
	uint16_t cksum = build_cksum(sum);

	at[0] = (uint8_t)(cksum >> 8);
	at[1] = (uint8_t)cksum;
}

void
drill_big(struct drill *d, uint8_t flags, uint32_t seq, uint32_t len)
{
	static uint8_t ip[UINT16_MAX];
	struct build b = {.flags = flags, .seq = seq, .ack = d->iss + 1, .wnd = 65535};
	bool is_v6 = d->domain == AF_INET6;
	uint32_t header = is_v6 ? 40 : 20;
	uint32_t tcp_len = 20 + len;
	uint32_t ip_len = is_v6 ? tcp_len : header + tcp_len;
	uint8_t frame[128];
	uint32_t sum;

	fill_addresses(d, &b);
	(void)build_tcp_bytes(&b, frame, sizeof(frame));
	memcpy(ip, frame + ETH_LEN, header + 20);
	memset(ip + header + 16, 0, 2);
	sum = build_sum(IPPROTO_TCP + tcp_len, ip + (is_v6 ? 8 : 12), is_v6 ? 32 : 8);
	put_cksum(ip + header + 16, build_sum(sum, ip + header, tcp_len));
	ip[is_v6 ? 4 : 2] = (uint8_t)(ip_len >> 8);
	ip[is_v6 ? 5 : 3] = (uint8_t)ip_len;
	if (!is_v6) {
		memset(ip + 10, 0, 2);
		put_cksum(ip + 10, build_sum(0, ip, header));
	}
	assert_int_equal(d->ifc.netdev_send(d->ud, ip, header + tcp_len), 0);
}

/* 8 octets of ICMP, then the quoted header with 8 octets of its TCP. */
void
drill_icmp(struct drill *d, uint8_t type, uint8_t code, uint32_t rest)
{
	static uint8_t bytes[BUILD_BYTES_MAX];
	const uint8_t *quoted = d->pkt.bytes + ETH_LEN;
	struct build b = {
			.version = d->pkt.version,
			.saddr = d->pkt.daddr,
			.daddr = d->pkt.saddr,
			.payload = quoted,
			.len = (d->pkt.version == 6 ? 40 : 20) + 8,
	};
	struct build_icmp icmp = {.type = type, .code = code, .rest = rest};
	size_t len;

	memcpy(b.saddr6, d->pkt.daddr6, 16);
	memcpy(b.daddr6, d->pkt.saddr6, 16);
	len = build_icmp_bytes(&b, &icmp, bytes, sizeof(bytes));
	assert_int_equal(d->ifc.netdev_send(d->ud, bytes + ETH_LEN, len - ETH_LEN), 0);
}

const struct pkt *
drill_out(struct drill *d)
{
	uint8_t bytes[ETH_LEN + 9000] = {0};
	size_t len = sizeof(bytes) - ETH_LEN;
	long long time_us;

	assert_int_equal(d->ifc.netdev_receive(d->ud, bytes + ETH_LEN, &len, &time_us), 0);
	if (len == 0)
		return NULL;
	bytes[12] = bytes[ETH_LEN] >> 4 == 6 ? 0x86 : 0x08;
	bytes[13] = bytes[ETH_LEN] >> 4 == 6 ? 0xdd : 0x00;
	assert_int_equal(pkt_decode_bytes(&d->pkt, bytes, ETH_LEN + len), 0);
	assert_true(d->pkt.is_ip_cksum_good);
	assert_true(d->pkt.is_l4_cksum_good);
	if (d->pkt.flags & PKT_SYN) {
		d->iss = d->pkt.seq;
		d->ip4 = d->pkt.saddr;
		memcpy(d->ip6, d->pkt.saddr6, 16);
	}
	d->port = d->pkt.sport;
	d->pkt_time = time_us - d->t0;
	if (d->pkt.opts & PKT_OPT_TS)
		d->tsecr = d->pkt.tsval;
	if (d->pkt.seq != 0 || !(d->pkt.flags & PKT_RST))
		d->pkt.seq -= d->iss;
	return &d->pkt;
}

const struct pkt *
drill_expect(struct drill *d, uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
	const struct pkt *p = drill_out(d);

	assert_non_null(p);
	assert_int_equal(p->kind, PKT_KIND_TCP);
	assert_int_equal(p->version, d->domain == AF_INET6 ? 6 : 4);
	assert_int_equal(p->flags, flags);
	assert_int_equal(p->seq, seq);
	assert_int_equal(p->ack, ack);
	assert_int_equal(p->len, len);
	assert_int_equal(p->dport, d->rport);
	return p;
}

/* It is the first of the options of each order. */
static void
write_mss(uint8_t *opts, uint32_t mss)
{
	assert_int_equal(opts[0], 2);
	opts[2] = (uint8_t)(mss >> 8);
	opts[3] = (uint8_t)mss;
}

const char *
drill_options(const struct drill *d)
{
	static char text[2 * 40 + 1];
	uint32_t ip_len = d->pkt.version == 6 ? 40 : 20;
	const uint8_t *opts = d->pkt.bytes + ETH_LEN + ip_len + 20;
	uint8_t shown[40];

	text[0] = '\0';
	memcpy(shown, opts, d->pkt.opts_len);
	if (d->pkt.version == 6 && (d->pkt.opts & PKT_OPT_MSS))
		write_mss(shown, d->pkt.mss + 20);
	for (uint8_t i = 0; i < d->pkt.opts_len; i++)
		snprintf(text + 2 * (size_t)i, 3, "%02x", shown[i]);
	return text;
}

/* ---- calls ----------------------------------------------------------------------------- */

socklen_t
drill_address(const struct drill *d, bool is_peer, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)d->domain;
	if (d->domain == AF_INET) {
		in->sin_addr.s_addr = htonl(is_peer ? REMOTE4 : d->ip4);
		in->sin_port = htons(is_peer ? d->rport : DRILL_PORT);
		return sizeof(*in);
	}
	memcpy(&in6->sin6_addr, d->ip6, 16);
	if (is_peer)
		inet_pton(AF_INET6, REMOTE6, &in6->sin6_addr);
	in6->sin6_port = htons(is_peer ? d->rport : DRILL_PORT);
	return sizeof(*in6);
}

int
drill_socket(struct drill *d)
{
	int fd = d->ifc.socket(d->ud, d->domain, SOCK_STREAM, IPPROTO_TCP);

	assert_true(fd > 2);
	return fd;
}

int
drill_listener(struct drill *d)
{
	struct sockaddr_storage ss;
	int fd = drill_socket(d);

	assert_int_equal(drill_set(d, fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(d->ifc.bind(d->ud, fd, (void *)&ss, drill_address(d, false, &ss)), 0);
	assert_int_equal(d->ifc.listen(d->ud, fd, 1), 0);
	d->port = DRILL_PORT;
	return fd;
}

int
drill_accept(struct drill *d, int fd)
{
	struct sockaddr_storage want, got;
	socklen_t len = sizeof(got);
	socklen_t want_len = drill_address(d, true, &want);
	int ret;

	memset(&got, 0, sizeof(got));
	ret = d->ifc.accept(d->ud, fd, (void *)&got, &len);
	if (ret >= 0) {
		assert_int_equal(len, want_len);
		assert_memory_equal(&got, &want, want_len);
	}
	return ret;
}

int
drill_accepted(struct drill *d, int listener)
{
	int fd;

	drill_seg(d, PKT_SYN, 0, 0, 0);
	drill_expect(d, PKT_SYN | PKT_ACK, 0, 1, 0);
	drill_seg(d, PKT_ACK, 1, 1, 0);
	fd = drill_accept(d, listener);
	assert_true(fd > 2);
	return fd;
}

int
drill_connect(struct drill *d, int fd)
{
	struct sockaddr_storage ss;

	return d->ifc.connect(d->ud, fd, (void *)&ss, drill_address(d, true, &ss));
}

int
drill_connected(struct drill *d)
{
	int fd = drill_socket(d);

	assert_int_equal(drill_nonblock(d, fd), 0);
	assert_int_equal(drill_connect(d, fd), -1);
	assert_int_equal(errno, EINPROGRESS);
	drill_expect(d, PKT_SYN, 0, 0, 0);
	drill_seg(d, PKT_SYN | PKT_ACK, 0, 1, 0);
	drill_expect(d, PKT_ACK, 1, 1, 0);
	return fd;
}

int
drill_set(struct drill *d, int fd, int level, int name, int value)
{
	return d->ifc.setsockopt(d->ud, fd, level, name, &value, sizeof(value));
}

int
drill_get(struct drill *d, int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	assert_int_equal(d->ifc.getsockopt(d->ud, fd, level, name, &value, &len), 0);
	assert_int_equal(len, sizeof(int));
	return value;
}

int
drill_error(struct drill *d, int fd)
{
	return drill_get(d, fd, SOL_SOCKET, SO_ERROR);
}

int
drill_state(struct drill *d, int fd)
{
	struct tcp_info ti;
	socklen_t len = sizeof(ti);

	memset(&ti, 0xff, sizeof(ti));
	assert_int_equal(d->ifc.getsockopt(d->ud, fd, IPPROTO_TCP, TCP_INFO, &ti, &len), 0);
	assert_int_equal(len, sizeof(ti));
	return ti.tcpi_state;
}

int
drill_nonblock(struct drill *d, int fd)
{
	return d->ifc.fcntl(d->ud, fd, F_SETFL, O_RDWR | O_NONBLOCK);
}

/* ---- blocking calls ------------------------------------------------------------------- */

static void *
run_call(void *arg)
{
	struct drill_call *call = arg;

	__atomic_store_n(&call->tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	call->ret = call->fn(call);
	call->err = errno;
	if (!call->is_at_end)
		call->done_us = drill_now(call->d);
	__atomic_store_n(&call->is_over, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool
sleeps(int tid)
{
	char name[64], text[256];
	FILE *file;
	size_t n;
	const char *paren;

	snprintf(name, sizeof(name), "/proc/self/task/%d/stat", tid);
	file = fopen(name, "r");
	if (!file)
		return false;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	paren = strrchr(text, ')');
	return paren && paren[1] == ' ' && paren[2] == 'S';
}

void
drill_start(struct drill_call *call)
{
	int tid;

	assert_int_equal(pthread_create(&call->thread, NULL, run_call, call), 0);
	while ((tid = __atomic_load_n(&call->tid, __ATOMIC_ACQUIRE)) == 0)
		;
	while (!__atomic_load_n(&call->is_over, __ATOMIC_ACQUIRE) && !sleeps(tid))
		;
}

void
drill_join(struct drill_call *call)
{
	assert_int_equal(pthread_join(call->thread, NULL), 0);
}
