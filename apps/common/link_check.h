/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the system says about a link before and beside EAL: whether a device can be had
 * at all, told in words, and whether the kernel's side of the wire will behave (W-35).
 * Linux only. Reads, and for tap tries; the one thing it changes is an address. */

#ifndef PMTCP_APPS_LINK_CHECK_H
#define PMTCP_APPS_LINK_CHECK_H

#include "common/link_word.h"

/* Finds what would make EAL fail. Returns 0, or a negative errno and the sentence. */
int link_check_device(const struct link_word *word, char *problem);

/* Gives the kernel's end of a tap device an address and brings it up. Returns 0 or a
 * negative errno. */
int link_give_address(const char *name, const struct args_subnet *subnet);

/* MiB of huge pages that this user can have now. */
uint64_t link_check_huge_mb(void);

/* MiB of memory that can be had now. */
uint64_t link_check_memory_mb(void);

/* The first address of the range that the kernel owns; 0: none. name (IFNAMSIZ octets)
 * gets the interface. */
uint32_t link_check_address(const struct pmtcp_range *range, char *name);

/* The same of IPv6: true, and the address in found (16 octets). */
bool link_check_address6(const struct pmtcp_range6 *range, char *name, uint8_t *found);

/* The `ethtool -K` settings that keep an interface from making oversized or unfinished
 * frames, such as "tx off tso off"; "" if all is well. sees_received: frames the
 * interface received are handed on as well (af_packet), so merging matters. */
void link_check_offloads(const char *name, bool sees_received, char *settings, size_t size);

#endif /* PMTCP_APPS_LINK_CHECK_H */
