/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* Addresses on command lines; see args.h and args_addr.h. */

#include "common/args_addr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>

#define TEXT_MAX  128 /* a range of two IPv6 addresses and a length */
#define LIST_MAX  1024
#define HIGH_SIZE 12

static int
parse_ip(const char *text, struct pmtcp_addr *out)
{
	struct in_addr ip4;
	struct in6_addr ip6;

	if (inet_pton(AF_INET, text, &ip4) == 1)
		*out = pmtcp_addr4(ntohl(ip4.s_addr), 0);
	else if (inet_pton(AF_INET6, text, &ip6) == 1)
		*out = pmtcp_addr6(ip6.s6_addr, 0);
	else
		return -EINVAL;
	return 0;
}

static uint32_t
low_of(const struct pmtcp_addr *addr)
{
	const uint8_t *low = addr->ip6 + HIGH_SIZE;

	return addr->version == 4 ? addr->ip4 : PMTCP_IP4(low[0], low[1], low[2], low[3]);
}

static int
parse_range(const char *text, struct args_subnet *out)
{
	struct args_subnet subnet = {.prefix_len = 0};
	struct pmtcp_addr first, last;
	char copy[TEXT_MAX];
	char *last_text;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	last_text = args_split(copy, '-');
	if (parse_ip(copy, &first) != 0)
		return -EINVAL;
	last = first;
	if (last_text != NULL && parse_ip(last_text, &last) != 0)
		return -EINVAL;
	if (first.version != last.version || low_of(&last) < low_of(&first))
		return -EINVAL;
	if (memcmp(first.ip6, last.ip6, HIGH_SIZE) != 0)
		return -EINVAL;
	subnet.version = first.version;
	subnet.range = (struct pmtcp_range){low_of(&first), low_of(&last)};
	memcpy(subnet.high, first.ip6, HIGH_SIZE);
	*out = subnet;
	return 0;
}

struct pmtcp_addr
args_subnet_addr(const struct args_subnet *subnet, uint32_t low, uint16_t port)
{
	struct pmtcp_addr addr = pmtcp_addr4(low, port);
	uint32_t wire = htonl(low);

	if (subnet->version != 6)
		return addr;
	addr = (struct pmtcp_addr){.version = 6, .port = port};
	memcpy(addr.ip6, subnet->high, HIGH_SIZE);
	memcpy(addr.ip6 + HIGH_SIZE, &wire, sizeof(wire));
	return addr;
}

bool
args_subnet_has(const struct args_subnet *subnet, const struct pmtcp_addr *addr)
{
	struct pmtcp_addr own = args_subnet_addr(subnet, subnet->range.first, 0);
	unsigned int whole = subnet->prefix_len / 8u;
	unsigned int rest = subnet->prefix_len % 8u;

	if (own.version != addr->version || subnet->prefix_len == 0)
		return false;
	if (own.version == 4)
		return (own.ip4 ^ addr->ip4) >> (32 - subnet->prefix_len) == 0;
	return memcmp(own.ip6, addr->ip6, whole) == 0 &&
	       (rest == 0 || (own.ip6[whole] ^ addr->ip6[whole]) >> (8 - rest) == 0);
}

static int
parse_subnet(const char *text, struct args_subnet *out)
{
	struct args_subnet subnet;
	struct pmtcp_addr last;
	uint16_t len = 0;
	char copy[TEXT_MAX];
	char *prefix;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	prefix = args_split(copy, '/');
	if (parse_range(copy, &subnet) != 0)
		return -EINVAL;
	if (prefix != NULL && (args_value(ARG_U16, prefix, &len) != 0 || len == 0 ||
					      len > (subnet.version == 4 ? 30 : 126)))
		return -EINVAL;
	subnet.prefix_len = subnet.version == 4 ? 24 : 64;
	if (prefix != NULL)
		subnet.prefix_len = (uint8_t)len;
	last = args_subnet_addr(&subnet, subnet.range.last, 0);
	if (!args_subnet_has(&subnet, &last))
		return -EINVAL; /* the range leaves the subnet */
	*out = subnet;
	return 0;
}

static int
append(struct args_subnets *list, const char *text)
{
	struct args_subnet subnet;
	struct pmtcp_addr first;

	if (list->n == PMTCP_RANGES_MAX || parse_subnet(text, &subnet) != 0)
		return -EINVAL;
	first = args_subnet_addr(&subnet, subnet.range.first, 0);
	for (uint16_t i = 0; i < list->n; i++) {
		const struct args_subnet *other = &list->item[i];

		if (other->version == subnet.version &&
				(other->prefix_len != subnet.prefix_len ||
						!args_subnet_has(other, &first)))
			return -EINVAL;
	}
	list->item[list->n++] = subnet;
	return 0;
}

static int
parse_subnets(const char *text, struct args_subnets *out)
{
	struct args_subnets list = *out;
	char copy[LIST_MAX];
	char *rest = NULL;

	if (strlen(text) >= sizeof(copy) || text[0] == '\0')
		return -EINVAL;
	strcpy(copy, text);
	for (char *item = strtok_r(copy, ",", &rest); item != NULL;
			item = strtok_r(NULL, ",", &rest))
		if (append(&list, item) != 0)
			return -EINVAL;
	*out = list;
	return 0;
}

static int
parse_gateway(const char *text, struct args_gateway *out)
{
	struct pmtcp_addr addr;

	if (parse_ip(text, &addr) != 0)
		return -EINVAL;
	if (addr.version == 4)
		out->ip4 = addr.ip4;
	else
		memcpy(out->ip6, addr.ip6, sizeof(out->ip6));
	return 0;
}

/* An IPv6 address stands in brackets (RFC 3986 3.2.2): its colons are not the port's. */
static int
parse_addr(const char *text, struct pmtcp_addr *out)
{
	char copy[TEXT_MAX];
	struct pmtcp_addr addr;
	char *port_text;
	char *ip = copy;
	size_t len;

	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	port_text = args_split(copy, ':');
	len = strlen(copy);
	if (copy[0] == '[' && copy[len - 1] == ']') {
		copy[len - 1] = '\0';
		ip++;
	}
	if (port_text == NULL || parse_ip(ip, &addr) != 0 || (ip == copy) != (addr.version == 4) ||
			args_value(ARG_PORT, port_text, &addr.port) != 0)
		return -EINVAL;
	*out = addr;
	return 0;
}

int
args_addr_value(enum arg_type type, const char *text, void *out)
{
	switch (type) {
	case ARG_ADDR:
		return parse_addr(text, out);
	case ARG_RANGE:
		return parse_range(text, out);
	case ARG_SUBNET:
		return parse_subnet(text, out);
	case ARG_SUBNETS:
		return parse_subnets(text, out);
	case ARG_GATEWAY:
		return parse_gateway(text, out);
	default:
		return -EINVAL;
	}
}

char *
args_ip_text(const struct pmtcp_addr *addr, char *text)
{
	if (addr->version == 6)
		(void)inet_ntop(AF_INET6, addr->ip6, text, ARGS_IP_TEXT);
	else
		snprintf(text, ARGS_IP_TEXT, "%u.%u.%u.%u", addr->ip4 >> 24, addr->ip4 >> 16 & 255,
				addr->ip4 >> 8 & 255, addr->ip4 & 255);
	return text;
}

char *
args_addr_text(const struct pmtcp_addr *addr, char *text)
{
	char ip[ARGS_IP_TEXT];

	snprintf(text, ARGS_ADDR_TEXT, addr->version == 6 ? "[%s]:%u" : "%s:%u",
			args_ip_text(addr, ip), addr->port);
	return text;
}

int
args_add_range(const struct args_subnet *subnet, struct pmtcp_conf *conf)
{
	struct pmtcp_addr first = args_subnet_addr(subnet, subnet->range.first, 0);
	struct pmtcp_addr last = args_subnet_addr(subnet, subnet->range.last, 0);

	if ((subnet->version == 6 ? conf->n_ranges6 : conf->n_ranges) == PMTCP_RANGES_MAX)
		return -ENOSPC;
	if (subnet->version != 6) {
		conf->ranges[conf->n_ranges++] = subnet->range;
		conf->prefix_len = subnet->prefix_len;
		return 0;
	}
	memcpy(conf->ranges6[conf->n_ranges6].first, first.ip6, sizeof(first.ip6));
	memcpy(conf->ranges6[conf->n_ranges6].last, last.ip6, sizeof(last.ip6));
	conf->n_ranges6++;
	conf->prefix6_len = subnet->prefix_len;
	return 0;
}

void
args_conf(const struct args_subnets *own, const struct args_gateway *gateway,
		struct pmtcp_conf *conf)
{
	for (uint16_t i = 0; i < own->n; i++)
		(void)args_add_range(&own->item[i], conf); /* a list is no longer than that */
	conf->gateway = gateway->ip4;
	memcpy(conf->gateway6, gateway->ip6, sizeof(conf->gateway6));
}
