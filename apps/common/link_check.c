/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the system says about a link; see link_check.h. */

#include "common/link_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

__attribute__((format(printf, 3, 4))) static int
say(char *problem, int err, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(problem, LINK_TEXT_MAX, format, values);
	va_end(values);
	return -err;
}

/* Makes the interface for a moment: nothing tells better whether it can be made. */
static int
check_tap(const char *name, char *problem)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int err = errno;

	if (fd < 0 && (err == ENOENT || err == ENXIO || err == ENODEV))
		return say(problem, err,
				"cannot create tap device '%s': no /dev/net/tun; "
				"type: modprobe tun",
				name);
	if (fd < 0)
		return say(problem, err,
				"cannot create tap device '%s': no permission; run as "
				"root or give the program CAP_NET_ADMIN",
				name);
	strcpy(ifr.ifr_name, name);
	err = ioctl(fd, TUNSETIFF, &ifr) == 0 ? 0 : errno;
	(void)close(fd);
	if (err == 0)
		return 0;
	if (err == EPERM || err == EACCES)
		return say(problem, err,
				"cannot create tap device '%s': no permission; run as "
				"root or give the program CAP_NET_ADMIN",
				name);
	if (err == EBUSY)
		return say(problem, err,
				"cannot create tap device '%s': another program has it; "
				"end that or choose another name",
				name);
	return say(problem, err,
			"cannot create tap device '%s': an interface of that name "
			"exists; choose another name or type: ip link del %s",
			name, name);
}

static int
check_interface(const char *name, char *problem)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return say(problem, errno, "cannot look at interface '%s': no sockets", name);
	strcpy(ifr.ifr_name, name);
	err = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 ? 0 : errno;
	(void)close(fd);
	if (err != 0)
		return say(problem, ENODEV, "there is no interface '%s'; type: ip link", name);
	if ((ifr.ifr_flags & IFF_UP) == 0)
		return say(problem, ENETDOWN, "interface '%s' is down; type: ip link set %s up",
				name, name);
	return 0;
}

static int
check_packet_socket(const char *name, char *problem)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return say(problem, errno,
				"cannot open interface '%s': no permission; run as "
				"root or give the program CAP_NET_RAW",
				name);
	(void)close(fd);
	return 0;
}

static int
check_xdp(const char *name, char *problem)
{
	if (geteuid() != 0)
		return say(problem, EPERM,
				"cannot open interface '%s' for af_xdp: no "
				"permission; run as root",
				name);
	return 0;
}

static int
check_pci(const char *name, char *problem)
{
	char path[LINK_TEXT_MAX];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s%s",
			strlen(name) == strlen("00:00.0") ? "0000:" : "", name);
	if (access(path, F_OK) != 0)
		return say(problem, ENODEV,
				"there is no PCI device '%s'; type: "
				"dpdk-devbind.py --status-dev net",
				name);
	if (link_check_huge_mb() == 0)
		return say(problem, ENOMEM,
				"PCI device '%s' needs huge pages and none is free; "
				"type as root: echo 512 > "
				"/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
				name);
	return 0;
}

static int
check_memif(const struct link_word *word, char *problem)
{
	char dir[LINK_NAME_MAX];
	char *slash;

	strcpy(dir, word->name);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		strcpy(dir, ".");
	else if (slash == dir)
		strcpy(dir, "/");
	else
		*slash = '\0';
	if (word->is_server && access(dir, W_OK | X_OK) != 0)
		return say(problem, errno,
				"cannot create a memif socket in '%s'; choose a "
				"directory that exists and that you may write to",
				dir);
	if (!word->is_server && access(word->name, F_OK) != 0)
		return say(problem, ENOENT,
				"there is no memif socket '%s'; start the end with "
				"memif:server:%s first",
				word->name, word->name);
	if (!word->is_server && access(word->name, W_OK) != 0)
		return say(problem, errno,
				"cannot open memif socket '%s': no permission; run "
				"both ends as the same user",
				word->name);
	return 0;
}

int
link_check_device(const struct link_word *word, char *problem)
{
	int ret = 0;

	switch (word->kind) {
	case LINK_RING:
		break;
	case LINK_MEMIF:
		ret = check_memif(word, problem);
		break;
	case LINK_TAP:
		ret = check_tap(word->name, problem);
		break;
	case LINK_AF_PACKET:
		ret = check_interface(word->name, problem);
		if (ret == 0)
			ret = check_packet_socket(word->name, problem);
		break;
	case LINK_AF_XDP:
		ret = check_interface(word->name, problem);
		if (ret == 0)
			ret = check_xdp(word->name, problem);
		break;
	case LINK_PCI:
		ret = check_pci(word->name, problem);
		break;
	}
	return ret;
}

/* The first number in a file behind this word ("" for a file that is just a number). */
static uint64_t
read_number(const char *path, const char *word)
{
	unsigned long long number = 0;
	char line[128];
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, word, strlen(word)) == 0 &&
				sscanf(line + strlen(word), "%llu", &number) == 1)
			break;
	fclose(f);
	return number;
}

uint64_t
link_check_huge_mb(void)
{
	const char *dir = "/sys/kernel/mm/hugepages";
	char path[LINK_TEXT_MAX];
	uint64_t mb = 0;

	/* Others may have them too, but what EAL takes besides needs root. */
	if (geteuid() != 0)
		return 0;
	snprintf(path, sizeof(path), "%s/hugepages-2048kB/free_hugepages", dir);
	mb += 2 * read_number(path, "");
	snprintf(path, sizeof(path), "%s/hugepages-1048576kB/free_hugepages", dir);
	mb += 1024 * read_number(path, "");
	return mb;
}

uint64_t
link_check_memory_mb(void)
{
	return read_number("/proc/meminfo", "MemAvailable:") / 1024;
}

uint32_t
link_check_address(const struct pmtcp_range *range, char *name)
{
	struct ifaddrs *list;
	uint32_t found = 0;

	if (getifaddrs(&list) != 0)
		return 0;
	for (const struct ifaddrs *i = list; i != NULL && found == 0; i = i->ifa_next) {
		struct sockaddr_in addr;
		uint32_t ip4;

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET)
			continue;
		memcpy(&addr, i->ifa_addr, sizeof(addr));
		ip4 = ntohl(addr.sin_addr.s_addr);
		if (ip4 < range->first || ip4 > range->last)
			continue;
		found = ip4;
		snprintf(name, IFNAMSIZ, "%s", i->ifa_name);
	}
	freeifaddrs(list);
	return found;
}

bool
link_check_address6(const struct pmtcp_range6 *range, char *name, uint8_t *found)
{
	struct ifaddrs *list;
	bool is_found = false;

	if (getifaddrs(&list) != 0)
		return false;
	for (const struct ifaddrs *i = list; i != NULL && !is_found; i = i->ifa_next) {
		struct sockaddr_in6 addr;

		if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET6)
			continue;
		memcpy(&addr, i->ifa_addr, sizeof(addr));
		if (memcmp(addr.sin6_addr.s6_addr, range->first, sizeof(range->first)) < 0 ||
				memcmp(addr.sin6_addr.s6_addr, range->last, sizeof(range->last)) >
						0)
			continue;
		is_found = true;
		memcpy(found, addr.sin6_addr.s6_addr, sizeof(addr.sin6_addr.s6_addr));
		snprintf(name, IFNAMSIZ, "%s", i->ifa_name);
	}
	freeifaddrs(list);
	return is_found;
}

/* What SIOCSIFADDR wants of an IPv6 socket; the kernel's header of it does not go together
 * with the C library's. */
struct ifreq6 {
	struct in6_addr addr;
	uint32_t prefix_len;
	int index;
};

static int
set_address6(const char *name, const struct args_subnet *subnet)
{
	struct pmtcp_addr addr = args_subnet_addr(subnet, subnet->range.first, 0);
	struct ifreq6 ifr = {.prefix_len = subnet->prefix_len, .index = (int)if_nametoindex(name)};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	memcpy(ifr.addr.s6_addr, addr.ip6, sizeof(addr.ip6));
	ret = ioctl(fd, SIOCSIFADDR, &ifr) == 0 ? 0 : -errno;
	(void)close(fd);
	return ret;
}

static int
set_address(int fd, const char *name, unsigned long request, uint32_t ip4)
{
	struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip4)};
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	memcpy(&ifr.ifr_addr, &addr, sizeof(addr));
	return ioctl(fd, request, &ifr) == 0 ? 0 : -errno;
}

static int
set_address4(int fd, const char *name, const struct args_subnet *subnet)
{
	int ret = set_address(fd, name, SIOCSIFADDR, subnet->range.first);

	return ret != 0 ? ret
			: set_address(fd, name, SIOCSIFNETMASK,
					  UINT32_MAX << (32 - subnet->prefix_len));
}

int
link_give_address(const char *name, const struct args_subnet *subnet)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = subnet->version == 6 ? set_address6(name, subnet) : set_address4(fd, name, subnet);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ret == 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) != 0)
		ret = -errno;
	ifr.ifr_flags |= IFF_UP;
	if (ret == 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) != 0)
		ret = -errno;
	(void)close(fd);
	return ret;
}

static bool
is_offload_on(int fd, const char *name, uint32_t command)
{
	struct ethtool_value value = {.cmd = command};
	struct ifreq ifr = {.ifr_data = (char *)&value};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &ifr) == 0 && value.data != 0;
}

void
link_check_offloads(const char *name, bool sees_received, char *settings, size_t size)
{
	static const struct {
		uint32_t command;
		const char *setting;
		bool of_received; /* GSO and GRO matter only where whole frames pass through */
	} offloads[] = {
			{ETHTOOL_GTXCSUM, "tx off", false},
			{ETHTOOL_GTSO, "tso off", false},
			{ETHTOOL_GGSO, "gso off", true},
			{ETHTOOL_GGRO, "gro off", true},
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	settings[0] = '\0';
	if (fd < 0)
		return;
	for (size_t i = 0; i < sizeof(offloads) / sizeof(offloads[0]); i++) {
		size_t len = strlen(settings);

		if (offloads[i].of_received && !sees_received)
			continue;
		if (is_offload_on(fd, name, offloads[i].command))
			snprintf(settings + len, size - len, "%s%s", len == 0 ? "" : " ",
					offloads[i].setting);
	}
	(void)close(fd);
}
