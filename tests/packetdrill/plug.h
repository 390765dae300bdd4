/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* One context in virtual time behind the socket calls of a packet script.
 *
 * The clock stands still unless the script waits: then the main thread moves it from
 * deadline to deadline of the context. A blocking call of the script runs on a second
 * thread and sleeps on a condition; the main thread wakes it at the virtual time at
 * which it can return, and stands still until it has returned. One lock is held by
 * whoever is inside the plug-in.
 *
 * What the script sees on the wire is what the context sent, but for the order of the
 * options, the initial sequence numbers and the window scale, which the script's
 * author wrote down for another stack (canon.c, isn.c). */

#ifndef PMTCP_PACKETDRILL_PLUG_H
#define PMTCP_PACKETDRILL_PLUG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "packetdrill/interface.h"
#include "packetdrill/profile.h"
#include "support/ctx_mem.h"
#include "support/pkt.h"

enum {
	PLUG_SOCKS_MAX = 256,
	PLUG_FLOWS_MAX = 512,
	PLUG_QUEUE_MAX = 4096,
	PLUG_PACKET_MAX = 9000, /* the largest MTU of a context */
	PLUG_KEEP_SHIFT = 255,
};

enum { IP4_LEN = 20, IP6_LEN = 40 };

enum oob { OOB_NONE, OOB_AHEAD, OOB_TAKEN };

struct sock {
	bool is_used;
	bool is_nonblock;
	bool is_connecting; /* SYN-SENT, SYN-RECEIVED of an active open */
	bool is_connected;  /* was ESTABLISHED */
	bool has_fin;       /* the peer's */
	bool has_ended;     /* CLOSED was seen; the handle still lives */
	bool is_rd_shut;
	bool is_wr_shut;
	int fd; /* -1: not accepted yet */
	int domain;
	int err;        /* SO_ERROR */
	int soft_err;   /* told by ICMP, and what a later timeout is called */
	int idle_s;     /* TCP_KEEPIDLE */
	int linger2_s;  /* 0: default */
	uint32_t order; /* of the accept queue */
	struct pmtcp_addr local;
	struct pmtcp_listener *listener;
	struct pmtcp_conn *conn;
	struct sock *parent; /* the listener, until accepted */
	struct pmtcp_conn_opts opts;
	bool has_keepalive;
	bool is_reuse;      /* SO_REUSEADDR */
	bool is_oob_inline; /* SO_OOBINLINE */
	enum oob oob;
	uint64_t mark; /* where in the stream the urgent octet is, unless OOB_NONE */
	struct linger linger;
	uint8_t *peeked; /* taken from the context, not yet from us; malloc */
	uint32_t n_peeked;
	uint64_t n_read; /* by the script, since the connection began */
};

/* A blocking call that cannot return yet. */
struct wait {
	bool (*is_ready)(const struct wait *w);
	struct sock *sock;
	struct plug *plug;
	struct pollfd *fds;
	nfds_t n_fds;
	uint64_t deadline_us; /* UINT64_MAX: none */
};

enum wait_state { WAIT_NONE, WAIT_SLEEPS, WAIT_GRANTED };

struct out {
	uint64_t time_us;
	uint32_t len;
	uint8_t *bytes; /* malloc */
};

struct tuple {
	uint8_t version;
	uint8_t addr_len;
	const uint8_t *laddr;
	const uint8_t *raddr;
	uint16_t lport;
	uint16_t rport;
};

/* Where things lie in an IP packet. */
struct layout {
	uint8_t *ip;
	uint32_t len; /* of the whole packet */
	uint8_t version;
	uint8_t proto;
	uint8_t *l4;
	uint32_t l4_len;
	const uint8_t *saddr;
	const uint8_t *daddr;
	uint8_t addr_len;
};

/* Both directions of one tuple, as far as wire and context differ. */
struct flow {
	bool is_used;
	bool has_iss;
	bool own_wscale;  /* our last SYN offered */
	bool peer_wscale; /* the peer's did */
	uint8_t version;
	uint8_t shift; /* the context's */
	uint8_t laddr[16];
	uint8_t raddr[16];
	uint16_t lport;
	uint16_t rport;
	uint32_t iss;    /* the context's */
	uint32_t delta;  /* wire minus context, of our sequence numbers */
	uint32_t used;   /* the oldest goes first */
	uint32_t n_text; /* segments with text that came since the last ACK left */
};

struct plug {
	struct profile profile;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the second thread may go on */
	pthread_cond_t gone; /* it has left, or sleeps again */
	pthread_t main_thread;
	enum wait_state wait_state;
	struct wait *wait;

	uint64_t now_us;
	struct pmtcp_conf conf;
	struct pmtcp_ctx *ctx; /* NULL until the own address is known */
	struct rte_mempool *pool;
	void *mem;
	size_t mem_len;

	uint32_t first_out;
	uint32_t n_out;
	struct out out[PLUG_QUEUE_MAX]; /* a ring */
	struct pkt pkt;                 /* of the packet that is being checked */

	uint32_t n_isn;
	uint32_t clock;         /* of flow.used and sock.order */
	struct flow *text_flow; /* whose text came last, in this packet; NULL: it was none */
	struct flow flows[PLUG_FLOWS_MAX];
	struct sock socks[PLUG_SOCKS_MAX];
	char state_text[1024]; /* as last written */
	int icmp_err;          /* errno of the last ICMP error that came */
	bool has_warned_size;
};

/* The one instance of the process, NULL before init and after free. */
extern struct plug *plug_current;

/* Sets errno, returns -1. */
int plug_fail(int err);

/* ---- clock.c ---------------------------------------------------------------- */

bool plug_is_main(const struct plug *p);
void plug_enter(struct plug *p);
void plug_leave(struct plug *p);
uint64_t plug_core_ns(const struct plug *p);
/* The context does all that is due now; its packets leave. */
void plug_turn(struct plug *p);
/* To the next deadline of context or sleeper, but not behind `until_us`. */
void plug_step(struct plug *p, uint64_t until_us);
void plug_advance(struct plug *p, uint64_t until_us);
/* Until w->is_ready(): true; its deadline, or never: false. */
bool plug_wait(struct plug *p, struct wait *w);
int plug_usleep(void *userdata, useconds_t us);
int plug_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz);

/* ---- sockets.c -------------------------------------------------------------- */

/* With a descriptor of its own; NULL if there is none left. */
struct sock *sock_new(struct plug *p, int domain);
int sock_give_fd(struct plug *p, struct sock *s);
/* NULL with errno EBADF. */
struct sock *sock_of(struct plug *p, int fd);
void sock_drop(struct plug *p, struct sock *s);
/* A listener is none any more; whom nobody accepted is reset. */
void sock_unlisten(struct plug *p, struct sock *s);
void sock_event(struct plug *p, const struct pmtcp_event *ev);
/* The oldest connection that nobody accepted; NULL if none. */
struct sock *sock_pending(struct plug *p, const struct sock *listener);
bool sock_is_readable(const struct sock *s);
bool sock_is_writable(const struct sock *s);
uint32_t sock_unread(const struct sock *s);
/* All that is unread becomes ours, but is not done with: the window stays shut. */
void sock_pull(struct sock *s);
/* Nothing came of its connection: it may try again. */
void sock_forget_conn(struct sock *s);
/* SO_ERROR and clears it. */
int sock_take_err(struct sock *s);
enum pmtcp_state sock_state(const struct sock *s);
/* sockaddr <-> address; IPv4 in IPv6 form for sockets of that domain. */
int sock_addr_get(const struct sockaddr *sa, socklen_t len, struct pmtcp_addr *addr);
void sock_addr_put(const struct sock *s, const struct pmtcp_addr *addr, struct sockaddr *sa,
		socklen_t *len);

/* ---- urgent.c --------------------------------------------------------------- */

/* The context told that the peer's mark moved. */
void urgent_event(struct sock *s);
bool urgent_is_at_mark(const struct sock *s);
/* Of so many unread octets those that one read can give. */
uint32_t urgent_readable(const struct sock *s, uint32_t unread);
/* 1: a read must first pass over an octet. */
uint32_t urgent_hole(const struct sock *s);
/* How far a read of `len` may go. */
uint32_t urgent_limit(const struct sock *s, uint32_t len);
void urgent_was_read(struct sock *s);
/* Can it be read out of band? */
bool urgent_is_there(const struct sock *s);
/* MSG_OOB: 1, 0 or -1. */
int urgent_take(struct sock *s, uint8_t *buf, bool is_peek);

/* ---- context.c -------------------------------------------------------------- */

/* Makes the context, once; addr NULL or unspecified: the profile's own addresses. */
void plug_start(struct plug *p, const struct pmtcp_addr *addr);
void plug_stop(struct plug *p);
bool plug_addr_is_any(const struct pmtcp_addr *addr);
/* Or any address. Caller: plug_start(). */
bool plug_is_own(const struct plug *p, const struct pmtcp_addr *addr);

/* ---- netdev.c --------------------------------------------------------------- */

void plug_drop_output(struct plug *p);
/* A frame of the context leaves: checked, made presentable, queued. Takes m. */
void plug_transmit(struct plug *p, struct rte_mbuf *m);
int plug_netdev_send(void *userdata, const void *buf, size_t len);
int plug_netdev_receive(void *userdata, void *buf, size_t *len, long long *time_us);

/* ---- flow.c, delack.c --------------------------------------------------------- */

/* NULL: never seen, or forgotten. */
struct flow *flow_find(struct plug *p, const struct tuple *t);
struct flow *flow_make(struct plug *p, const struct tuple *t);

/* Before p->text_flow's segment goes in: shall it be acknowledged at once, because it is the
 * profile's n-th with text? Then the socket; NULL: as the context thinks. */
struct sock *delack_end(struct plug *p);
/* And after it: as before. */
void delack_resume(struct sock *s);

/* ---- packet.c, isn.c, canon.c ------------------------------------------------- */

uint16_t get16(const uint8_t *b);
uint32_t get32(const uint8_t *b);
void put16(uint8_t *b, uint16_t v);
void put32(uint8_t *b, uint32_t v);

/* False if the lengths do not agree or it is a fragment. Options and extension
 * headers: IPv4's are skipped, with IPv6's it is not TCP. */
bool packet_lay_out(struct layout *l, void *bytes, uint32_t len);
/* The length of a TCP header; 0 if it is torn. */
uint32_t packet_tcp_header(const struct layout *l);
/* Of the upper layer; 0 is right. */
uint16_t packet_l4_sum(const struct layout *l);
/* Fills in the upper layer's checksum, which lies `at` bytes into it. */
void packet_l4_fill(struct layout *l, uint32_t at);

/* Our sequence numbers as the script will see them, and back. */
void isn_out(struct plug *p, struct layout *l);
void isn_in(struct plug *p, struct layout *l);
/* Options in the order of the profile, PSH. */
void canon_out(const struct plug *p, struct layout *l);

/* ---- state.c ---------------------------------------------------------------- */

/* Writes the states to the file named by PMTCP_STATE_FILE, if they changed. */
void state_write(struct plug *p);
int state_linux(enum pmtcp_state state);
void state_tcp_info(const struct plug *p, const struct sock *s, void *val, socklen_t len);

/* ---- the calls ---------------------------------------------------------------- */

int plug_socket(void *userdata, int domain, int type, int protocol);
int plug_bind(void *userdata, int fd, const struct sockaddr *sa, socklen_t len);
int plug_listen(void *userdata, int fd, int backlog);
void plug_listen_anew(struct plug *p, struct sock *s);
int plug_accept(void *userdata, int fd, struct sockaddr *sa, socklen_t *len);
int plug_connect(void *userdata, int fd, const struct sockaddr *sa, socklen_t len);
int plug_close(void *userdata, int fd);
int plug_shutdown(void *userdata, int fd, int how);
int plug_fcntl(void *userdata, int fd, int cmd, ...);
int plug_ioctl(void *userdata, int fd, unsigned long request, ...);
int plug_poll(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms);

ssize_t plug_read(void *userdata, int fd, void *buf, size_t len);
ssize_t plug_readv(void *userdata, int fd, const struct iovec *iov, int n);
ssize_t plug_recv(void *userdata, int fd, void *buf, size_t len, int flags);
ssize_t plug_recvfrom(void *userdata, int fd, void *buf, size_t len, int flags,
		struct sockaddr *from, socklen_t *from_len);
ssize_t plug_recvmsg(void *userdata, int fd, struct msghdr *msg, int flags);
ssize_t plug_write(void *userdata, int fd, const void *buf, size_t len);
ssize_t plug_writev(void *userdata, int fd, const struct iovec *iov, int n);
ssize_t plug_send(void *userdata, int fd, const void *buf, size_t len, int flags);
ssize_t plug_sendto(void *userdata, int fd, const void *buf, size_t len, int flags,
		const struct sockaddr *to, socklen_t to_len);
ssize_t plug_sendmsg(void *userdata, int fd, const struct msghdr *msg, int flags);

int plug_getsockopt(void *userdata, int fd, int level, int name, void *val, socklen_t *len);
int plug_setsockopt(void *userdata, int fd, int level, int name, const void *val, socklen_t len);

#endif /* PMTCP_PACKETDRILL_PLUG_H */
