/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The plug-in's one symbol, its instance, and what it has no use for. */

#include "packetdrill/plug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"

/* The context's clock starts here whatever the time of day, so that a script that ran
 * twice sent the same octets twice. */
#define START_US (1000ull * 1000 * 1000)

struct plug *plug_current;

int
plug_fail(int err)
{
	errno = err;
	return -1;
}

static void
plug_free(void *userdata)
{
	struct plug *p = userdata;

	plug_enter(p);
	for (uint32_t i = 0; i < PLUG_SOCKS_MAX; i++)
		if (p->socks[i].is_used && !p->socks[i].parent)
			sock_drop(p, &p->socks[i]);
	plug_turn(p);
	plug_leave(p); /* who still sleeps wakes and finds its socket gone */
	plug_drop_output(p);
	plug_stop(p);
	if (plug_current == p)
		plug_current = NULL;
	pthread_cond_destroy(&p->gone);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static int
no_epoll_create(void *userdata, int size)
{
	return plug_fail(ENOSYS);
}

static int
no_epoll_ctl(void *userdata, int epfd, int op, int fd, struct epoll_event *ev)
{
	return plug_fail(ENOSYS);
}

static int
no_epoll_wait(void *userdata, int epfd, struct epoll_event *ev, int n, int timeout_ms)
{
	return plug_fail(ENOSYS);
}

static int
no_pipe(void *userdata, int fds[2])
{
	return plug_fail(ENOSYS);
}

static ssize_t
no_splice(void *userdata, int in, loff_t *in_off, int out, loff_t *out_off, size_t len,
		unsigned int flags)
{
	return plug_fail(ENOSYS);
}

static void
fill_table(struct packetdrill_interface *ifc, struct plug *p)
{
	*ifc = (struct packetdrill_interface){
			.userdata = p,
			.free = plug_free,
			.socket = plug_socket,
			.bind = plug_bind,
			.listen = plug_listen,
			.accept = plug_accept,
			.connect = plug_connect,
			.read = plug_read,
			.readv = plug_readv,
			.recv = plug_recv,
			.recvfrom = plug_recvfrom,
			.recvmsg = plug_recvmsg,
			.write = plug_write,
			.writev = plug_writev,
			.send = plug_send,
			.sendto = plug_sendto,
			.sendmsg = plug_sendmsg,
			.fcntl = plug_fcntl,
			.ioctl = plug_ioctl,
			.close = plug_close,
			.shutdown = plug_shutdown,
			.getsockopt = plug_getsockopt,
			.setsockopt = plug_setsockopt,
			.poll = plug_poll,
			.netdev_send = plug_netdev_send,
			.netdev_receive = plug_netdev_receive,
			.usleep = plug_usleep,
			.gettimeofday = plug_gettimeofday,
			.epoll_create = no_epoll_create,
			.epoll_ctl = no_epoll_ctl,
			.epoll_wait = no_epoll_wait,
			.pipe = no_pipe,
			.splice = no_splice,
	};
}

/* The tool cannot be told that this failed: it ends here, with a sentence. */
__attribute__((visibility("default"))) void
packetdrill_interface_init(const char *so_flags, struct packetdrill_interface *ifc)
{
	struct plug *p = calloc(1, sizeof(*p));
	char why[160];

	CHECK(p);
	if (profile_parse(&p->profile, so_flags, why, sizeof(why)) != 0) {
		fprintf(stderr, "pmtcp: so_flags: %s\n", why);
		free(p);
		exit(2);
	}
	unsetenv("LD_PRELOAD"); /* what the script starts shall be as ever */
	p->now_us = START_US;
	p->main_thread = pthread_self();
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	pthread_cond_init(&p->gone, NULL);
	for (uint32_t i = 0; i < PLUG_SOCKS_MAX; i++)
		p->socks[i].fd = -1;
	fill_table(ifc, p);
	plug_current = p;
}
