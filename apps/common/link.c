/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Opening a link: EAL's start, quiet and sized to what is needed, then the ports. The
 * words are link_word.c's, the state of the system is link_check.c's. */

#include "common/link.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <net/if.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_log.h>
#include <rte_ring.h>

#include "common/link_check.h"
#include "common/link_word.h"

#define EAL_ARGS_MAX 48
#define EAL_TEXT_MAX 4096

#define LINK_QUEUES_MAX 16u

/* Frames in flight one way between the two ports of a ring, in each queue. */
#define RING_FRAMES 1024

/* Without huge pages EAL sets its memory aside at the start: packet buffers with their
 * headers, half as much again since pools want long pieces, and this for the rest. What
 * is never touched is never taken from the system. */
#define BUF_OCTETS  2496u
#define BUFS        16384u
#define CTL_BUFS    2048u
#define EAL_REST_MB 64u

#define LOG_MAX 65536

/* EAL's words, kept for the one line that matters. Bounded: the last piece is kept. */
static struct {
	char text[LOG_MAX];
	size_t len;
} eal_log;

struct eal_args {
	int argc;
	char *argv[EAL_ARGS_MAX + 1];
	char text[EAL_TEXT_MAX]; /* what argv points into */
	size_t used;
};

__attribute__((format(printf, 2, 3))) static int
complain(const char *program, const char *format, ...)
{
	va_list values;

	fprintf(stderr, "%s: ", program);
	va_start(values, format);
	vfprintf(stderr, format, values);
	va_end(values);
	fputc('\n', stderr);
	return 0;
}

/* ---- EAL's words ----------------------------------------------------------- */

static ssize_t
log_write(void *cookie, const char *text, size_t size)
{
	size_t keep = size < LOG_MAX / 2 ? size : LOG_MAX / 2;

	(void)cookie;
	if (eal_log.len + keep > LOG_MAX)
		eal_log.len = 0;
	memcpy(eal_log.text + eal_log.len, text + size - keep, keep);
	eal_log.len += keep;
	return (ssize_t)size;
}

static void
quieten_log(bool verbose)
{
	cookie_io_functions_t functions = {.write = log_write};
	FILE *stream = verbose ? stderr : fopencookie(NULL, "w", functions);

	if (stream == NULL)
		return;
	(void)setvbuf(stream, NULL, _IONBF, 0);
	(void)rte_openlog_stream(stream);
}

/* The last line EAL said, without its newline. */
static const char *
last_words(void)
{
	static char line[256];
	size_t end = eal_log.len, start;

	while (end > 0 && eal_log.text[end - 1] == '\n')
		end--;
	for (start = end; start > 0 && eal_log.text[start - 1] != '\n'; start--)
		continue;
	if (end == start)
		return "it gave no reason";
	snprintf(line, sizeof(line), "%.*s", (int)(end - start), eal_log.text + start);
	return line;
}

/* Parts of EAL and of drivers print past its log. Both outputs go to a memory file for a
 * while; saved is what give_back_output() needs. */
static void
take_output(int saved[2], bool verbose)
{
	int sink;

	saved[0] = saved[1] = -1;
	if (verbose)
		return;
	sink = memfd_create("eal-output", MFD_CLOEXEC);
	fflush(NULL);
	for (int fd = 1; fd <= 2; fd++) {
		saved[fd - 1] = dup(fd);
		if (sink >= 0)
			(void)dup2(sink, fd);
	}
	if (sink >= 0)
		(void)close(sink);
}

static void
give_back_output(const int saved[2])
{
	fflush(NULL);
	for (int fd = 1; fd <= 2; fd++) {
		if (saved[fd - 1] < 0)
			continue;
		(void)dup2(saved[fd - 1], fd);
		(void)close(saved[fd - 1]);
	}
}

/* ---- EAL's arguments ------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void
add_arg(struct eal_args *args, const char *format, ...)
{
	va_list values;
	char *place = args->text + args->used;
	int len;

	va_start(values, format);
	len = vsnprintf(place, EAL_TEXT_MAX - args->used, format, values);
	va_end(values);
	if (len <= 0 || (size_t)len >= EAL_TEXT_MAX - args->used || args->argc == EAL_ARGS_MAX)
		return;
	args->used += (size_t)len + 1;
	args->argv[args->argc++] = place;
}

/* One lcore for the main thread, free to run on every CPU we may use. EAL would start a
 * thread on each, and pin the main thread: both of no use to workers of our own. */
static void
add_lcores(struct eal_args *args)
{
	char list[1024] = "";
	size_t len = 0;
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
		return;
	for (unsigned int cpu = 0; cpu < CPU_SETSIZE && len < sizeof(list) - 16; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%u",
					len == 0 ? "" : ",", cpu);
	add_arg(args, "--lcores=0@(%s)", list);
}

static uint32_t
needed_mb(const struct link_conf *conf, const struct link_word *word)
{
	/* Pools round up to a power of two. */
	uint64_t bufs = (conf->bufs == 0 ? BUFS : 2ull * conf->bufs) + CTL_BUFS;
	uint64_t octets = BUF_OCTETS + (conf->mtu > RTE_ETHER_MTU ? conf->mtu : 0u);
	uint64_t workers = conf->workers * (word->kind == LINK_RING ? 2u : 1u);

	/* What lies in the rings to other workers comes on top, and may round up a pool. */
	if (conf->workers > 1)
		bufs = 2 * bufs + CTL_BUFS;
	return (uint32_t)(bufs * octets * workers * 3 / 2 >> 20) + EAL_REST_MB;
}

/* Returns 0, or -ENOMEM after a sentence. */
static int
add_memory(struct eal_args *args, const struct link_conf *conf, const struct link_word *word)
{
	uint32_t mb = needed_mb(conf, word);
	uint64_t free_mb = link_check_memory_mb();

	/* Nothing to share with other processes, and no files left behind; EAL has two
	 * words for it and takes the first with huge pages only. */
	if (word->kind == LINK_PCI || link_check_huge_mb() >= mb) {
		add_arg(args, "--in-memory");
		return 0;
	}
	if (free_mb != 0 && free_mb < mb) {
		complain(conf->program,
				"not enough memory for packet buffers: %u MiB needed, %llu MiB "
				"free; ask for fewer buffers",
				mb, (unsigned long long)free_mb);
		return -ENOMEM;
	}
	add_arg(args, "--no-shconf");
	add_arg(args, "--no-huge");
	add_arg(args, "-m");
	add_arg(args, "%u", mb);
	return 0;
}

static int
make_args(struct eal_args *args, const struct link_conf *conf, const struct link_word *word)
{
	char device[LINK_TEXT_MAX];
	char more[EAL_TEXT_MAX / 2];
	char *rest = NULL;
	int ret;

	add_arg(args, "%s", conf->program);
	add_arg(args, "--file-prefix=pmtcp");
	add_lcores(args);
	if (word->kind != LINK_PCI) {
		add_arg(args, "--no-pci");
		add_arg(args, "--iova-mode=va");
	}
	if (!conf->telemetry)
		add_arg(args, "--no-telemetry");
	ret = add_memory(args, conf, word);
	if (ret != 0)
		return ret;
	link_word_device(word, device, sizeof(device));
	if (device[0] != '\0')
		add_arg(args, "%s", device);
	snprintf(more, sizeof(more), "%s", conf->eal == NULL ? "" : conf->eal);
	for (char *item = strtok_r(more, " ", &rest); item != NULL;
			item = strtok_r(NULL, " ", &rest))
		add_arg(args, "%s", item);
	return 0;
}

static int
start_eal(const struct link_conf *conf, const struct link_word *word)
{
	static struct eal_args args;
	int saved[2];
	int ret = make_args(&args, conf, word);

	if (ret != 0)
		return ret;
	quieten_log(conf->verbose);
	take_output(saved, conf->verbose);
	ret = rte_eal_init(args.argc, args.argv);
	give_back_output(saved);
	if (ret >= 0)
		return 0;
	complain(conf->program, "cannot start DPDK for --link %s: %s; -v shows all it says",
			conf->word, last_words());
	return -rte_errno;
}

/* ---- ports ----------------------------------------------------------------- */

static int
make_rings(const char *way, struct rte_ring **rings, uint16_t n)
{
	const unsigned int flags = RING_F_SP_ENQ | RING_F_SC_DEQ;
	char name[RTE_RING_NAMESIZE];

	for (uint16_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "pmtcp_%s%u", way, i);
		rings[i] = rte_ring_create(name, RING_FRAMES, SOCKET_ID_ANY, flags);
		if (rings[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

/* Two rings for each queue, two ports: what one sends the other receives. One thread at each
 * end. */
static int
make_ring_ports(uint16_t ids[LINK_PORTS_MAX], uint16_t queues)
{
	struct rte_ring *there[LINK_QUEUES_MAX], *back[LINK_QUEUES_MAX];
	int first, second;

	if (make_rings("there", there, queues) != 0 || make_rings("back", back, queues) != 0)
		return -ENOMEM;
	first = rte_eth_from_rings("pmtcp0", back, queues, there, queues, 0);
	second = rte_eth_from_rings("pmtcp1", there, queues, back, queues, 0);
	if (first < 0 || second < 0)
		return -ENODEV;
	ids[0] = (uint16_t)first;
	ids[1] = (uint16_t)second;
	return 2;
}

/* The ethdevs of a link. Returns how many, or a negative errno. */
static int
find_ports(const struct link_word *word, uint16_t ids[LINK_PORTS_MAX])
{
	const char *name = link_word_ethdev(word);

	if (word->kind == LINK_RING)
		return make_ring_ports(ids, word->queues);
	if (name != NULL)
		return rte_eth_dev_get_port_by_name(name, &ids[0]) == 0 ? 1 : -ENODEV;
	ids[0] = (uint16_t)rte_eth_find_next_owned_by(0, RTE_ETH_DEV_NO_OWNER);
	return ids[0] < RTE_MAX_ETHPORTS ? 1 : -ENODEV;
}

/* net_tap reports the MAC address of the kernel's end. Ours must be another, or the two
 * ends of the wire could not be told apart. */
static void
choose_tap_mac(uint16_t id, struct rte_ether_addr *mac)
{
	if (rte_eth_macaddr_get(id, mac) != 0)
		return;
	mac->addr_bytes[0] |= RTE_ETHER_LOCAL_ADMIN_ADDR;
	mac->addr_bytes[RTE_ETHER_ADDR_LEN - 1] ^= 1;
}

static int
open_ports(const struct link_conf *conf, const struct link_word *word, struct link *link)
{
	uint16_t ids[LINK_PORTS_MAX];
	int n = find_ports(word, ids);
	int ret = n < 0 ? n : 0;

	for (int i = 0; i < n && ret == 0; i++) {
		struct pmtcp_port_conf port = {
				.port_id = ids[i],
				.workers = conf->workers,
				.queues = word->queues,
				.wrong_permille = i == n - 1 ? word->wrong_permille : 0,
				.mtu = conf->mtu,
				.bufs = conf->bufs,
				.no_offloads = conf->no_offloads,
		};

		if (word->kind == LINK_TAP)
			choose_tap_mac(ids[i], &port.mac);
		ret = pmtcp_port_open(&port, &link->ports[i]);
		if (ret == 0)
			link->n_ports++;
	}
	return ret;
}

static void
complain_ports(const struct link_conf *conf, const struct link_word *word, int ret)
{
	if (ret == -ENOMEM)
		complain(conf->program,
				"no memory for the packet buffers of --link %s; ask for "
				"fewer, or give EAL more: --eal \"-m MIB\"",
				conf->word);
	else if (ret == -ENODEV && word->kind == LINK_PCI)
		complain(conf->program,
				"PCI device '%s' has no DPDK driver; type: "
				"dpdk-devbind.py -b vfio-pci %s",
				word->name, word->name);
	else
		complain(conf->program, "cannot open --link %s: %s; -v shows more", conf->word,
				strerror(-ret));
}

/* A queue for each worker unless the word says otherwise; memif has one. Returns 0, or -EINVAL
 * after a sentence. */
static int
choose_queues(struct link_conf *conf, struct link_word *word)
{
	if (conf->workers == 0)
		conf->workers = word->queues == 0 ? 1 : word->queues;
	if (word->queues == 0)
		word->queues = word->kind == LINK_MEMIF ? 1 : conf->workers;
	if (conf->workers <= LINK_QUEUES_MAX && word->queues <= conf->workers)
		return 0;
	complain(conf->program, "--link %s: at most %u workers, and a worker for each queue",
			conf->word, LINK_QUEUES_MAX);
	return -EINVAL;
}

int
link_open(const struct link_conf *given, struct link *link)
{
	struct link_conf conf = *given;
	char problem[LINK_TEXT_MAX];
	struct link_word word;
	int saved[2];
	int ret;

	memset(link, 0, sizeof(*link));
	link->program = conf.program;
	if (conf.word == NULL)
		conf.word = "ring";
	ret = link_word_parse(conf.word, &word, problem);
	if (ret != 0) {
		complain(conf.program, "--link %s", problem);
		return ret;
	}
	ret = choose_queues(&conf, &word);
	if (ret != 0)
		return ret;
	ret = link_check_device(&word, problem);
	if (ret != 0) {
		complain(conf.program, "%s", problem);
		return ret;
	}
	ret = start_eal(&conf, &word);
	if (ret != 0)
		return ret;
	link->faults = word.faults;
	link->vlan = word.vlan;
	link->is_memif = word.kind == LINK_MEMIF;
	link->kernel_forwards = word.kind == LINK_AF_PACKET || word.kind == LINK_AF_XDP;
	if (word.kind == LINK_TAP || link->kernel_forwards)
		snprintf(link->kernel_if, sizeof(link->kernel_if), "%.15s", word.name);
	take_output(saved, conf.verbose);
	ret = open_ports(&conf, &word, link);
	give_back_output(saved);
	if (ret == 0 && word.kernel.version != 0)
		ret = link_give_address(word.name, &word.kernel);
	if (ret != 0) {
		complain_ports(&conf, &word, ret);
		link_close(link);
	}
	return ret;
}

void
link_close(struct link *link)
{
	for (uint16_t i = 0; i < link->n_ports; i++)
		pmtcp_port_close(link->ports[i]);
	/* A memif's socket may be in the hands of EAL's interrupt thread, which goes on while
	 * rte_eal_cleanup() takes the memory away. No file would be left behind. */
	if (link->n_ports > 0 && !link->is_memif)
		(void)rte_eal_cleanup();
	link->n_ports = 0;
}

/* Says that one of the addresses is the kernel's; returns false if none is. */
static bool
has_kernel_address(const struct link *link, const struct pmtcp_conf *conf)
{
	struct pmtcp_addr found = {.version = 0};
	char text[ARGS_IP_TEXT];
	char name[IFNAMSIZ];

	for (uint16_t i = 0; i < conf->n_ranges && found.version == 0; i++) {
		uint32_t ip4 = link_check_address(&conf->ranges[i], name);

		if (ip4 != 0)
			found = pmtcp_addr4(ip4, 0);
	}
	for (uint16_t i = 0; i < conf->n_ranges6 && found.version == 0; i++)
		if (link_check_address6(&conf->ranges6[i], name, found.ip6))
			found.version = 6;
	if (found.version == 0)
		return false;
	complain(link->program,
			"%s belongs to the kernel (%s), which would reset our connections; choose "
			"another address of that subnet",
			args_ip_text(&found, text), name);
	return true;
}

int
link_check(const struct link *link, const struct pmtcp_conf *conf)
{
	char settings[LINK_TEXT_MAX];

	if (link->kernel_if[0] == '\0')
		return 0;
	if (has_kernel_address(link, conf))
		return -EADDRINUSE;
	link_check_offloads(link->kernel_if, link->kernel_forwards, settings, sizeof(settings));
	if (settings[0] != '\0')
		complain(link->program,
				"warning: %s may hand over frames above the MTU or with unfinished "
				"checksums; type: ethtool -K %s %s (of a veth pair: at both ends)",
				link->kernel_if, link->kernel_if, settings);
	return 0;
}
