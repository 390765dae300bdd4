/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* With LD_PRELOAD the same object also stands before libc: the tool closes sockets and
 * reads their TCP_INFO by libc directly. Whatever is no socket of ours goes on to the
 * kernel. The rest keeps a virtual clock from being held up by the real one. */

#include "packetdrill/plug.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/times.h>

#define EXPORTED __attribute__((visibility("default")))

/* The lock is not ours to take here: only whether the number is one of ours. */
static bool
is_ours(int fd)
{
	struct plug *p = plug_current;

	for (uint32_t i = 0; p && fd >= 0 && i < PLUG_SOCKS_MAX; i++)
		if (p->socks[i].is_used && p->socks[i].fd == fd)
			return true;
	return false;
}

EXPORTED int
close(int fd)
{
	return is_ours(fd) ? plug_close(plug_current, fd) : (int)syscall(SYS_close, fd);
}

EXPORTED int
getsockopt(int fd, int level, int name, void *restrict val, socklen_t *restrict len)
{
	if (is_ours(fd))
		return plug_getsockopt(plug_current, fd, level, name, val, len);
	return (int)syscall(SYS_getsockopt, fd, level, name, val, len);
}

/* The tool waits for the next tick of this clock to start on it. */
EXPORTED clock_t
times(struct tms *buf)
{
	static clock_t ticks;

	if (buf)
		*buf = (struct tms){0};
	return ++ticks;
}

EXPORTED int
sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	return 0;
}

/* MCL_FUTURE would pin the address space that a context reserves. */
EXPORTED int
mlockall(int flags)
{
	return 0;
}
