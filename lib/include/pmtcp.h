/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/**
 * @file
 * pmtcp: a poll-mode TCP endpoint without I/O.
 *
 * A context (struct pmtcp_ctx) is one lockless TCP engine: connection blocks,
 * flow table, timing wheel, neighbours. It never touches a device, a clock or
 * the heap. Whoever drives it gives packets in, tells the time, takes packets
 * out and asks for the next deadline; the DPDK shell (pmtcp_dpdk.h) does that
 * for real ports, a test does it with a virtual clock.
 *
 * One turn of a driver:
 * @code
 *	pmtcp_input(ctx, now_ns, pkts, n);
 *	pmtcp_tick(ctx, now_ns);
 *	... the application: pmtcp_events(), pmtcp_recv(), pmtcp_send(), pmtcp_close() ...
 *	while ((n = pmtcp_output(ctx, now_ns, pkts, 32)) > 0)
 *		transmit(pkts, n);
 * @endcode
 *
 * Nothing blocks. Errors are negative errno values; burst calls return counts.
 * A context belongs to one thread at a time; every call below must come from
 * that thread unless it says otherwise. A thread may own several contexts.
 *
 * Times are nanoseconds of one monotonic clock chosen by the caller, the same
 * for all calls on a context, never going back. Addresses and ports in this
 * header are in host byte order.
 */

#ifndef PMTCP_H
#define PMTCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pmtcp_ctx;      /**< one engine, of one core */
struct pmtcp_conn;     /**< a connection handle */
struct pmtcp_listener; /**< a listening port */
struct pmtcp_rss;      /**< who owns a tuple (pmtcp_steer.h) */

/** 198.18.0.1 is PMTCP_IP4(198, 18, 0, 1): an address in host byte order. As RTE_IPV4(), but
 * unsigned throughout, so that it is defined from 128.0.0.0 on. */
#define PMTCP_IP4(a, b, c, d)                                                                      \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/** An endpoint address. */
struct pmtcp_addr {
	uint8_t version; /**< 4 or 6; 0, for a local address only: any address of either */
	uint16_t port;   /**< host byte order; 0 = let pmtcp_connect() choose */
	uint32_t ip4;    /**< host byte order, as PMTCP_IP4() makes it; 0 = any */
	uint8_t ip6[16]; /**< as on the wire; all zero = any */
};

/** An IPv4 endpoint address; both in host byte order. */
static inline struct pmtcp_addr
pmtcp_addr4(uint32_t ip4, uint16_t port)
{
	return (struct pmtcp_addr){.version = 4, .port = port, .ip4 = ip4};
}

/** An IPv6 endpoint address; ip6: its 16 octets as on the wire. */
static inline struct pmtcp_addr
pmtcp_addr6(const uint8_t *ip6, uint16_t port)
{
	struct pmtcp_addr addr = {.version = 6, .port = port};

	for (int i = 0; i < 16; i++)
		addr.ip6[i] = ip6[i];
	return addr;
}

/** RFC 9293 connection states, in the order of the section 3.3.2 diagram. */
enum pmtcp_state {
	PMTCP_CLOSED,
	PMTCP_LISTEN,
	PMTCP_SYN_SENT,
	PMTCP_SYN_RCVD,
	PMTCP_ESTABLISHED,
	PMTCP_FIN_WAIT_1,
	PMTCP_FIN_WAIT_2,
	PMTCP_CLOSE_WAIT,
	PMTCP_CLOSING,
	PMTCP_LAST_ACK,
	PMTCP_TIME_WAIT,
	PMTCP_STATE_MAX,
};

/** Why a connection ended: exactly one per connection. */
enum pmtcp_reason {
	PMTCP_REASON_NONE,
	PMTCP_GRACEFUL,       /**< both directions closed by FIN and acknowledged */
	PMTCP_PEER_RESET,     /**< acceptable RST from the peer */
	PMTCP_REFUSED,        /**< RST in answer to our SYN */
	PMTCP_TIMEOUT_SYN,    /**< our SYN was never answered */
	PMTCP_TIMEOUT_RTX,    /**< data or FIN was never acknowledged (R2) */
	PMTCP_TIMEOUT_USER,   /**< user timeout */
	PMTCP_TIMEOUT_KA,     /**< keepalive unanswered */
	PMTCP_TIMEOUT_FW2,    /**< the peer's FIN did not come in FIN-WAIT-2 */
	PMTCP_TIMEOUT_LINGER, /**< linger time over */
	PMTCP_LOCAL_ABORT,    /**< pmtcp_abort() */
	PMTCP_LOCAL_CLOSE,    /**< pmtcp_close() before the peer answered */
	PMTCP_DATA_LOST,      /**< closed with text unread, or text came after the close */
	PMTCP_NO_RESOURCE,    /**< the core was out of a resource */
	PMTCP_UNREACHABLE,    /**< ICMP said so, or the next hop does not answer */
	PMTCP_REASON_MAX,
};

/** Event flags, coalesced per connection; handle them in this bit order. */
enum {
	PMTCP_EV_ACCEPTED = 0x01,  /**< a listener's new connection */
	PMTCP_EV_CONNECTED = 0x02, /**< an active open reached ESTABLISHED */
	PMTCP_EV_READABLE = 0x04,  /**< data arrived since the last pop: read until -EAGAIN */
	PMTCP_EV_URGENT = 0x08,    /**< urgent pointer moved ahead: pmtcp_conn_info().urgent */
	PMTCP_EV_PEER_FIN = 0x10,  /**< the peer is done: recv() gives the rest, then 0 */
	PMTCP_EV_WRITABLE = 0x20,  /**< after a short send or -EAGAIN: there is room again */
	PMTCP_EV_ERROR = 0x40,     /**< soft error, the connection lives on; reason tells it */
	PMTCP_EV_CLOSED = 0x80,    /**< the end, once, with its reason; last event of the handle */
};

struct pmtcp_event {
	struct pmtcp_conn *conn;
	void *user;     /**< as set by the open options or pmtcp_set_user() */
	uint32_t flags; /**< PMTCP_EV_* */
	int32_t reason; /**< enum pmtcp_reason; CLOSED's if that bit is set, else ERROR's */
};

/** Congestion control: RFC 9438, or RFC 5681 and 6582. DEFAULT: the context's. */
enum pmtcp_cc { PMTCP_CC_DEFAULT, PMTCP_CC_CUBIC, PMTCP_CC_NEWRENO, PMTCP_CC_MAX };

/** Explicit congestion notification, RFC 3168. ACCEPT agrees if the peer's SYN offers it, OFFER
 * offers it in the first SYN too. DEFAULT: the context's. */
enum pmtcp_ecn { PMTCP_ECN_DEFAULT, PMTCP_ECN_OFF, PMTCP_ECN_ACCEPT, PMTCP_ECN_OFFER };

/** Per-connection options for pmtcp_set(); the range is checked, -EINVAL outside it. */
enum pmtcp_opt {
	PMTCP_OPT_NODELAY, /**< 1 switches Nagle's algorithm off; 0..1 */
	PMTCP_OPT_TW_MS,   /**< 2MSL of this connection in ms; 0 or 1000..240000 */
	PMTCP_OPT_FW2_MS, /**< FIN-WAIT-2 limit, ms: for orphans always, attached only if set here */
	PMTCP_OPT_SEND_BUFFER,  /**< octets, 2048..4 MiB */
	PMTCP_OPT_RECV_BUFFER,  /**< octets, 2048..4 MiB; never retracts an offered window */
	PMTCP_OPT_DSCP,         /**< 0..63 */
	PMTCP_OPT_TTL,          /**< 1..255 */
	PMTCP_OPT_DELACK_MS,    /**< delayed-ACK time, 0 (every segment at once) ..200 */
	PMTCP_OPT_RETRIES,      /**< R2: retransmissions of one segment before the end, 1..255 */
	PMTCP_OPT_KEEPALIVE_MS, /**< silence before the first probe, ms; 0 (off), 100..604800000 */
	PMTCP_OPT_KEEPALIVE_INTVL_MS, /**< between probes, ms; 100..604800000 */
	PMTCP_OPT_KEEPALIVE_COUNT,    /**< probes without answer before the end, 1..255 */
	PMTCP_OPT_USER_TIMEOUT_MS,    /**< of what is sent or queued; 0 (off) ..604800000 */
	PMTCP_OPT_LINGER_MS, /**< pmtcp_close() to RST, ms: 0 (abort) ..604800000, PMTCP_LINGER_OFF */
	PMTCP_OPT_MSS,       /**< octets per segment before options, 88..65535; open: only lowers */
	PMTCP_OPT_CC,        /**< enum pmtcp_cc, not DEFAULT; goes on from the present window */
	PMTCP_OPT_ECN,       /**< enum pmtcp_ecn, not DEFAULT; before the handshake only */
	PMTCP_OPT_MAX,
};

/** Options common to both kinds of open; zero means the context's default. */
struct pmtcp_conn_opts {
	void *user;           /**< handed back in every event */
	uint32_t send_buffer; /**< octets queued, sent or not */
	uint32_t recv_buffer; /**< octets offered to the peer */
	uint32_t tw_ms;       /**< 2MSL in ms; PMTCP_TW_NONE for none at all (benchmarks only) */
	uint32_t fw2_ms;      /**< FIN-WAIT-2 limit in ms, also while attached */
	uint16_t delack_ms;   /**< delayed-ACK time; PMTCP_DELACK_NONE acknowledges at once */
	uint8_t syn_retries;  /**< SYN (or SYN-ACK) repetitions before giving up */
	uint8_t retries;      /**< R2, repetitions of data and FIN */
	uint8_t ttl;
	uint8_t dscp;
	uint16_t mss; /**< cap of the MSS offered and of segments sent, 88..65535 */
	/** Keepalive (RFC 9293 3.8.4): silence in ms before the first probe; 0: off. */
	uint32_t keepalive_ms;
	/** Between probes, ms; 0: 75000. Below 500 a peer may leave some without answer: we, for
	 * one, answer two unacceptable segments a second (SEC-4). */
	uint32_t keepalive_intvl_ms;
	uint8_t keepalive_count; /**< probes without answer before TIMEOUT_KA; 0: 9 */
	/** User timeout (RFC 9293 3.10.8): ms that SYN, data or FIN may wait without SND.UNA
	 * moving, then RST and TIMEOUT_USER; 0: off. */
	uint32_t user_timeout_ms;
	/** What pmtcp_close() does about unsent and unacknowledged data: 0 goes on in the
	 * background, up to R2; so many ms, then RST and TIMEOUT_LINGER; PMTCP_LINGER_ABORT: RST
	 * at once, LOCAL_ABORT. pmtcp_close() never blocks. */
	uint32_t linger_ms;
	uint8_t cc;         /**< congestion control, enum pmtcp_cc */
	uint8_t ecn;        /**< explicit congestion notification, enum pmtcp_ecn */
	bool nodelay;       /**< no Nagle */
	bool no_timestamps; /**< do not offer, do not accept */
	bool no_sack;
	bool no_wscale;
};

#define PMTCP_TW_NONE      UINT32_MAX
#define PMTCP_DELACK_NONE  UINT16_MAX
#define PMTCP_LINGER_OFF   UINT32_MAX
#define PMTCP_LINGER_ABORT (UINT32_MAX - 1)
/** The idle time that RFC 1122 4.2.3.6 asks for as a default, 2 h. */
#define PMTCP_KEEPALIVE_DEFAULT_MS 7200000

/** SYN cookies (RFC 4987 section 3.6): a SYN is answered without keeping anything; what must be
 * known at the third ACK travels in the SYN-ACK's number and, if the SYN had timestamps, in
 * its timestamp. Without timestamps such a connection has neither window scaling nor SACK nor
 * ECN, and a lost SYN-ACK is not repeated: the peer's SYN must come again. */
enum pmtcp_syn_cookies {
	PMTCP_COOKIES_DEFAULT, /**< a listener: as the context; a context: AUTO */
	PMTCP_COOKIES_AUTO,    /**< above half_open_max, without a half-open block, and while packet
				* buffers are short */
	PMTCP_COOKIES_ALWAYS,  /**< for every SYN */
	PMTCP_COOKIES_OFF, /**< above half_open_max the half-open repeated most often gives way */
};

struct pmtcp_listen_opts {
	struct pmtcp_conn_opts conn; /**< for the accepted, `user` included */
	uint32_t half_open_max;      /**< 0: the context's share */
	uint32_t conn_max;           /**< 0: the context's share */
	bool rst_on_overflow;        /**< answer a SYN above conn_max by RST instead of silence */
	enum pmtcp_syn_cookies syn_cookies; /**< DEFAULT: the context's */
};

/** May an active open take over a tuple in TIME-WAIT, from one second after its entry (TW-12)? */
enum pmtcp_tw_reuse {
	PMTCP_TW_REUSE_OFF,   /**< never: -EBUSY, or another port */
	PMTCP_TW_REUSE_SAFE,  /**< if it had timestamps, by which the peer tells old from new */
	PMTCP_TW_REUSE_FORCE, /**< without, too: the new ISN is above all old numbers, but an old
			       * segment that comes late can be taken for new text */
};

/** An inclusive range of own IPv4 addresses, host byte order. */
struct pmtcp_range {
	uint32_t first;
	uint32_t last;
};

/** An inclusive range of own IPv6 addresses that differ in the last 4 octets only. */
struct pmtcp_range6 {
	uint8_t first[16];
	uint8_t last[16];
};

/** A neighbour that needs neither ARP nor ND and never ages. */
struct pmtcp_static_neigh {
	uint32_t ip4; /**< host byte order; 0: ip6 is meant */
	struct rte_ether_addr mac;
	uint8_t ip6[16];
};

#define PMTCP_IW_RFC5681       255 /**< 2 to 4 segments by their size, RFC 5681 3.1 (DEC-13) */
#define PMTCP_RANGES_MAX       8
#define PMTCP_STATIC_NEIGH_MAX 16

/** What the output path may use of the device. All false is right everywhere. */
struct pmtcp_caps {
	bool tx_ip_cksum;    /**< the device fills the IPv4 header checksum */
	bool tx_tcp_cksum;   /**< the device fills the TCP checksum */
	bool rx_ip_cksum;    /**< the mbuf's IP checksum flags may be believed */
	bool rx_tcp_cksum;   /**< the mbuf's TCP checksum flags may be believed */
	bool rx_vlan_strip;  /**< the device takes VLAN tags out of frames, into the mbuf */
	bool tx_multi_seg;   /**< chained mbufs may be sent */
	bool peer_owns_mbuf; /**< the peer gets the very mbuf (net_ring): never send clones */
};

/** Keys of 128 bits from a secure source, one per purpose (SEC-11). */
struct pmtcp_secrets {
	uint64_t isn[2];
	uint64_t ts[2];
	uint64_t port[2];
	uint64_t flow[2];
	uint64_t cookie[2]; /**< the keys in use are derived from it and change every 1024 s */
};

/**
 * Configuration of a context. Fill it with pmtcp_conf_init(), change what
 * matters, give it to pmtcp_ctx_init(); it is copied.
 */
struct pmtcp_conf {
	struct rte_mempool *pool;     /**< packet buffers of this context; direct mbufs */
	struct rte_mempool *ctl_pool; /**< reserve for control segments; NULL: pool */
	struct rte_ether_addr mac;
	uint16_t mtu;       /**< of the link, IP packet octets, 576..9000 */
	uint8_t prefix_len; /**< of the subnet all ranges lie in, 1..30 */
	uint8_t ttl;        /**< sent TTL */
	uint16_t n_ranges;  /**< 0: no IPv4 */
	uint16_t n_ranges6; /**< 0: no IPv6, its memory included */
	struct pmtcp_range ranges[PMTCP_RANGES_MAX]; /**< own addresses */
	uint32_t gateway;                            /**< next hop outside the subnet; 0: none */
	uint16_t vlan; /**< 802.1Q VID of all frames, in and out, 1..4094; 0: untagged (W-3) */
	uint8_t prefix6_len; /**< of the IPv6 subnet all ranges6 lie in, 1..126: 64 */
	struct pmtcp_range6 ranges6[PMTCP_RANGES_MAX]; /**< own IPv6 addresses */
	uint8_t gateway6[16];                          /**< all zero: none */
	uint16_t n_static_neigh;
	struct pmtcp_static_neigh static_neigh[PMTCP_STATIC_NEIGH_MAX];
	struct pmtcp_caps caps;
	struct pmtcp_secrets secrets; /**< zero is taken literally: tests only */
	uint64_t seed;                /**< of jitter and probabilistic choices, not of secrets */

	uint32_t max_conns;     /**< connection blocks of 128 bytes */
	uint32_t max_half_open; /**< half-open blocks of 64 bytes */
	/** TIME-WAIT blocks of 64 bytes; 0: a quarter of the flow table, which is a third of
	 * max_conns + max_half_open (TW-14). A host that closes first needs closes/s * 2MSL. */
	uint32_t max_time_wait;
	uint32_t max_transfers; /**< connections with data in flight or unread at one time; above,
				  * sends say -EAGAIN, windows stay where they are, text that
				  * comes is dropped unacknowledged, drop_rec_full (RES-10) */
	uint32_t max_rares; /**< connections with keepalive, user timeout, linger, urgent data or a
				  * reduced path MTU at one time; 0: max_conns */
	uint32_t max_records;    /**< segments in flight and out-of-order ranges */
	uint32_t max_port_pairs; /**< distinct (local, remote, remote port) of active opens */
	uint16_t max_listeners;
	uint16_t max_classes; /**< distinct sets of per-connection options in use */
	uint16_t max_neighbours;
	uint16_t spare_max; /**< received mbufs kept for replies, 0..64; 0 in sanitizer builds */

	uint16_t port_first; /**< ephemeral ports, RFC 6056 */
	uint16_t port_last;
	uint16_t owner;  /**< this worker's number ... */
	uint16_t owners; /**< ... of so many that share the addresses, see pmtcp_steer.h */
	/** Who owns what; read by pmtcp_ctx_init() only. NULL: pmtcp_rss.key_len and reta_size 0 */
	const struct pmtcp_rss *rss;

	uint32_t tw_ms;          /**< 2MSL, DEC-8: 60000; 0 or 1000..240000 */
	uint8_t tw_reuse;        /**< enum pmtcp_tw_reuse: SAFE */
	bool tw_skip_new;        /**< at the cap drop the new entry, not the oldest (TW-14) */
	bool tw_after_rst;       /**< DEC-2: an abort that sends an RST keeps its tuple for 2MSL */
	uint32_t fw2_ms;         /**< orphans in FIN-WAIT-2: 60000 */
	uint32_t rto_min_ms;     /**< DEC-6: 200 */
	uint32_t rto_initial_ms; /**< 1000 */
	uint32_t rto_max_ms;     /**< 60000 */
	uint16_t delack_ms;      /**< 40; 1..200 */
	uint8_t ack_stretch;     /**< DEC-5: full segments per ACK inside a burst, 8; 2 is strict */
	uint8_t syn_retries;     /**< 7: gives up after about 187 s (MUST-23) */
	uint8_t synack_retries;  /**< 5 */
	uint8_t retries;         /**< R2: 15 */
	uint8_t orphan_retries;  /**< 8 */
	uint8_t cc;              /**< congestion control, enum pmtcp_cc: CUBIC */
	uint8_t ecn;             /**< enum pmtcp_ecn: ACCEPT */
	uint8_t initial_window;  /**< first flight, segments: 10; 1..100 or PMTCP_IW_RFC5681 */
	uint32_t orphan_max;     /**< closed by the application, unfinished; above: RST */
	uint32_t send_buffer;    /**< 262144 */
	uint32_t recv_buffer;    /**< 262144 */
	uint32_t rst_per_s;      /**< RSTs without a connection: 1000 */
	uint32_t icmp_per_s;     /**< ICMP replies: 100 */
	enum pmtcp_syn_cookies syn_cookies; /**< AUTO */
	/** SYNs beyond the half-open limits that are answered per millisecond, by cookie or by
	 * replacement: 500; 0: no bound. The others are dropped, so that a flood leaves most of
	 * the core to connections that live (RES-12). SYNs below the limits are not bounded. */
	uint32_t syn_per_ms;
	uint32_t neigh_reachable_ms; /**< a resolved neighbour is probed again after: 30000 */
	/** Connections in CLOSE-WAIT that make a diagnosis: 1024; 0: none does by number. */
	uint32_t close_wait_warn;
	uint32_t close_wait_warn_ms; /**< and how long one may be there: 60000; 0: for ever */
	/** More than so many in CLOSE-WAIT and the oldest are aborted, with NO_RESOURCE; 0: off.
	 * TCP itself never closes for the application (RES-2). */
	uint32_t close_wait_limit;
	/** While packet buffers or connection blocks are gone, connections whose peer has taken
	 * nothing of what waits for it for so many ms are aborted, with NO_RESOURCE, the oldest
	 * first (RES-13); 0: off. */
	uint32_t stall_abort_ms;
	/** Octets of an IP packet; an ICMPv4 too-big that says less is ignored: 552, 160..1280. */
	uint16_t pmtu_min;
	bool pmtu_blackhole; /**< lost full segments, no ICMP: smaller ones (RFC 2923): true */
	bool tlp;            /**< probe a flight's tail before its RTO (RFC 8985 section 7): true */
	uint32_t pmtu_raise_ms; /**< lowered path MTUs are forgotten after: 600000; 0: never */
	bool ts_lenient;        /**< take segments without the negotiated timestamp (DEC-10) */
	bool fin_rst_lenient;   /**< RST at RCV.NXT-1 after the peer's FIN is exact (CLOSE-34) */
};

/** Fills in every default; addresses, pool and secrets remain to be set. */
void pmtcp_conf_init(struct pmtcp_conf *conf);

/** Preset "rfc", after pmtcp_conf_init(): RTO floor 1 s (RFC 6298), 2MSL 240 s (RFC 9293). */
void pmtcp_conf_rfc(struct pmtcp_conf *conf);

/* ---- drive: the whole boundary to the outside -------------------------- */

/** Bytes of memory a context of this configuration needs. They are touched on
 * first use only, so an idle share costs address space, not memory. */
size_t pmtcp_ctx_memsize(const struct pmtcp_conf *conf);

/**
 * Makes a context in the caller's memory. Its clock stands at 0: call pmtcp_tick()
 * once before the first open, or that SYN counts as overdue.
 *
 * @param mem  zeroed memory, aligned to PMTCP_CTX_ALIGN; kept until pmtcp_ctx_fini()
 * @param len  at least pmtcp_ctx_memsize(conf)
 * @param conf copied
 * @param ctx  the context
 * @return 0, -EINVAL for a value out of range, -ENOMEM for too little memory
 */
int pmtcp_ctx_init(void *mem, size_t len, const struct pmtcp_conf *conf, struct pmtcp_ctx **ctx);
#define PMTCP_CTX_ALIGN (2u << 20)

/** Frees every mbuf the context holds and forgets it; nothing is sent. To end
 * politely, drive pmtcp_ctx_shutdown() first. */
void pmtcp_ctx_fini(struct pmtcp_ctx *ctx);

/**
 * Segments arrive (RFC 9293 3.10.7). Changes state and marks what is owed; sends nothing.
 *
 * @param now_ns time of arrival
 * @param pkts   Ethernet frames; ownership of all passes to the context
 * @param n      any number
 */
void pmtcp_input(struct pmtcp_ctx *ctx, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n);

/** Time passes: runs what is due, a bounded number per call (TW-17). */
void pmtcp_tick(struct pmtcp_ctx *ctx, uint64_t now_ns);

/** When pmtcp_tick() or pmtcp_output() is next needed without input; UINT64_MAX: never.
 * May be early, is never late. */
uint64_t pmtcp_deadline(const struct pmtcp_ctx *ctx);

/**
 * Packets leave: replies first, then control segments, then data.
 *
 * @param pkts filled with up to n frames; the caller owns them and must send or
 *             free each; payload of the send queue may be referenced only if
 *             caps.tx_multi_seg is set
 * @return how many; call until 0
 */
uint16_t pmtcp_output(struct pmtcp_ctx *ctx, uint64_t now_ns, struct rte_mbuf **pkts, uint16_t n);

/** Share of free packet buffers, 0..1000; below 250 new SYNs get cookies (or are dropped,
 * with cookies off) and own windows stop growing, below 100 out-of-order text goes (RES-5). */
void pmtcp_set_pressure(struct pmtcp_ctx *ctx, uint16_t free_permille);

/** Starts resolving the next hop to an address ahead of traffic.
 * @return 1 resolved, 0 asked, -EHOSTUNREACH it did not answer, -ENETUNREACH no route,
 *         -EAFNOSUPPORT no such version here */
int pmtcp_neigh_resolve(struct pmtcp_ctx *ctx, uint64_t now_ns, const struct pmtcp_addr *addr);

/* ---- endpoint ----------------------------------------------------------- */

/**
 * LISTEN (RFC 9293 3.10.1 passive).
 *
 * @param local address 0: all own addresses of its version; version 0: of both; port not 0
 * @param opts  NULL: defaults
 * @param out   the listener, valid until pmtcp_unlisten()
 * @return 0, -EINVAL (port 0, foreign address, option out of range), -EADDRINUSE, -ENOBUFS
 *         (listeners or option classes used up), -EAFNOSUPPORT
 */
int pmtcp_listen(struct pmtcp_ctx *ctx, const struct pmtcp_addr *local,
		const struct pmtcp_listen_opts *opts, struct pmtcp_listener **out);

/** Ends a listener: its half-opens are reset, accepted connections stay (OPEN-39). */
void pmtcp_unlisten(struct pmtcp_listener *listener);

/**
 * OPEN (RFC 9293 3.10.1 active). The SYN leaves with the next pmtcp_output().
 *
 * @param local  NULL or ip4 0: an own address; port 0: an ephemeral port
 * @param remote address and port
 * @param opts   NULL: defaults
 * @param conn   the handle; lives until both pmtcp_close()/pmtcp_abort() was called and
 *               its CLOSED was popped (or until pmtcp_detach())
 * @return 0, -EINVAL (E_ADDR: zero, broadcast, multicast or own remote, port 0, foreign local),
 *         -EISCONN (tuple in use), -EBUSY (tuple in TIME-WAIT and not reusable),
 *         -EADDRNOTAVAIL (no ephemeral port: pmtcp_port_report() has the numbers),
 *         -ENFILE (no connection block: pmtcp_close_wait_report() tells how many wait for
 *         the application), -ENOBUFS (table, port pairs or option classes full),
 *         -ENETUNREACH (no route), -EAFNOSUPPORT
 */
int pmtcp_connect(struct pmtcp_ctx *ctx, const struct pmtcp_addr *local,
		const struct pmtcp_addr *remote, const struct pmtcp_conn_opts *opts,
		struct pmtcp_conn **conn);

/** One open of pmtcp_connect_burst(). */
struct pmtcp_open {
	struct pmtcp_addr local; /**< all zero: an own address, an ephemeral port */
	struct pmtcp_addr remote;
	const struct pmtcp_conn_opts *opts; /**< NULL: defaults; its `user` is not looked at */
	void *user;                         /**< handed back in every event */
	struct pmtcp_conn *conn;            /**< out: the handle, as of pmtcp_connect() */
};

/** OPEN, any number n: as pmtcp_connect() for one after the other up to the first that fails,
 * but what they look up in cold memory is waited for together. 8 to 64 with the same opts get
 * the most out of it. opens[] is read, and `conn` of what was opened set, before the return.
 * @param err 0, or pmtcp_connect()'s for the first that failed; those behind it are not tried
 * @return how many were opened, the first so many: handles that are the caller's */
uint16_t pmtcp_connect_burst(struct pmtcp_ctx *ctx, struct pmtcp_open *opens, uint16_t n, int *err);

/** Pops up to n connections with events; each connection appears at most once. */
uint16_t pmtcp_events(struct pmtcp_ctx *ctx, struct pmtcp_event *ev, uint16_t n);

/**
 * RECEIVE, zero copy (RFC 9293 3.10.3).
 *
 * @param pkts single-segment mbufs trimmed to payload, in order; the caller owns them
 * @return n > 0 mbufs; 0 end of stream, every time; -EAGAIN nothing yet;
 *         -EBADF after pmtcp_close(); -ENOTCONN if the connection never opened or was reset
 */
int pmtcp_recv(struct pmtcp_conn *conn, struct rte_mbuf **pkts, uint16_t n);

/** The application is done with so many received octets: the window may open again.
 * May come later than pmtcp_recv(), in any pieces. */
void pmtcp_recv_done(struct pmtcp_conn *conn, uint32_t octets);

/** RECEIVE by copy, recv_done included. @return octets, else as pmtcp_recv() */
int pmtcp_read(struct pmtcp_conn *conn, void *buf, uint32_t len);

/**
 * SEND, zero copy (RFC 9293 3.10.2).
 *
 * @param pkts packets with payload only (any chain); the first `ret` are taken and are
 *             read-only from now on, the rest stays the caller's
 * @return packets taken, 0..n; -EAGAIN if the buffer is full, or if pmtcp_conf.max_transfers
 *         connections of the context send already: WRITABLE will come when there is room again
 *         (RES-10); -EPIPE after shutdown, -EBADF after close, -ENOTCONN after the end
 */
int pmtcp_send(struct pmtcp_conn *conn, struct rte_mbuf **pkts, uint16_t n);

/** SEND by copy. @return octets taken (0 for len 0), or as pmtcp_send(); -ENOBUFS if no
 * packet buffer is free: no event follows, try again later */
int pmtcp_write(struct pmtcp_conn *conn, const void *buf, uint32_t len);

/** Octets pmtcp_write() would take now. */
uint32_t pmtcp_send_space(const struct pmtcp_conn *conn);

/**
 * Urgent data (RFC 9293 3.8.5): everything given to pmtcp_send() or pmtcp_write() so far is
 * urgent. It stays in its place in the stream; segments up to its end carry the URG flag
 * and the pointer. For peers that expect it only: new protocols should not (RFC 6093).
 *
 * @return 0; -EPIPE after shutdown, -EBADF after close, -ENOTCONN after the end, -ENOBUFS no
 *         side record (pmtcp_conf.max_rares)
 */
int pmtcp_urgent(struct pmtcp_conn *conn);

/** CLOSE of RFC 9293 3.10.4: FIN after what is queued; receiving goes on.
 * @return 0 (also if it was called before, even after the end), -ENOTCONN in SYN-SENT
 *         and after an end that came without it */
int pmtcp_shutdown(struct pmtcp_conn *conn);

/** Both directions given up. FIN after what is queued; unread text turns it into RST
 * (CLOSE-29), as does text that comes later (CLOSE-30). Only CLOSED follows. */
void pmtcp_close(struct pmtcp_conn *conn);

/** ABORT (RFC 9293 3.10.5): RST, queues dropped; CLOSED follows with LOCAL_ABORT. */
void pmtcp_abort(struct pmtcp_conn *conn);

/** pmtcp_close() and no event at all: the handle and `user` are dead at once. */
void pmtcp_detach(struct pmtcp_conn *conn);

/**
 * The end of the process (RES-15): to be called in every turn until it returns 0.
 *
 * The first call ends all listeners as pmtcp_unlisten() does, and closes the sending direction
 * of every connection as pmtcp_shutdown() does; in SYN-SENT it ends, with LOCAL_CLOSE. The
 * application goes on: it reads, pops CLOSED and closes its handles. From the deadline on the
 * connections that are left are aborted as by pmtcp_abort(), handles that were never closed
 * given up. Once no connection lives, TIME-WAIT entries go as soon as their last ACK has left.
 * The first call, and those after the deadline or without a connection, visit every block.
 *
 * @param deadline_ns of the driver's clock; not after pmtcp_now(): all are aborted at once
 * @return blocks in use, handles whose CLOSED was not popped among them; 0: all is given back
 */
uint32_t pmtcp_ctx_shutdown(struct pmtcp_ctx *ctx, uint64_t deadline_ns);

/** Takes effect at once. @return 0, -EINVAL for an unknown option or value, -ENOBUFS no
 * option class free, or no side record for a timer that the option switches on */
int pmtcp_set(struct pmtcp_conn *conn, enum pmtcp_opt opt, uint64_t value);

/** Changes what events of this connection carry from now on; the context never looks at it. */
void pmtcp_set_user(struct pmtcp_conn *conn, void *user);

/** What was set last. */
void *pmtcp_user(const struct pmtcp_conn *conn);

/** The context that a handle belongs to. */
struct pmtcp_ctx *pmtcp_conn_ctx(const struct pmtcp_conn *conn);

/** Octets of payload per segment now (effective MSS). */
uint16_t pmtcp_mss(const struct pmtcp_conn *conn);

/** An empty mbuf with head room for our headers, from the context's pool; NULL if dry. The
 * caller's: to be filled and given to pmtcp_send(), or freed. */
struct rte_mbuf *pmtcp_buf_alloc(struct pmtcp_ctx *ctx);

/** Time of the running turn. */
uint64_t pmtcp_now(const struct pmtcp_ctx *ctx);

#ifdef __cplusplus
}
#endif

#include <pmtcp_stats.h>
#include <pmtcp_steer.h>

#endif /* PMTCP_H */
