/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What the packetdrill tool calls in a plug-in given by --so_filename: it looks up
 * packetdrill_interface_init() and has it fill a table of functions. The order of
 * the members is the binary interface; the words are ours. */

#ifndef PMTCP_PACKETDRILL_INTERFACE_H
#define PMTCP_PACKETDRILL_INTERFACE_H

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct packetdrill_interface {
	void *userdata;               /* first argument of every call below */
	void (*free)(void *userdata); /* at the end of a script that passed */

	/* Socket calls: as those of libc, errno included. */
	int (*socket)(void *userdata, int domain, int type, int protocol);
	int (*bind)(void *userdata, int fd, const struct sockaddr *sa, socklen_t len);
	int (*listen)(void *userdata, int fd, int backlog);
	int (*accept)(void *userdata, int fd, struct sockaddr *sa, socklen_t *len);
	int (*connect)(void *userdata, int fd, const struct sockaddr *sa, socklen_t len);
	ssize_t (*read)(void *userdata, int fd, void *buf, size_t len);
	ssize_t (*readv)(void *userdata, int fd, const struct iovec *iov, int n);
	ssize_t (*recv)(void *userdata, int fd, void *buf, size_t len, int flags);
	ssize_t (*recvfrom)(void *userdata, int fd, void *buf, size_t len, int flags,
			struct sockaddr *from, socklen_t *from_len);
	ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *msg, int flags);
	ssize_t (*write)(void *userdata, int fd, const void *buf, size_t len);
	ssize_t (*writev)(void *userdata, int fd, const struct iovec *iov, int n);
	ssize_t (*send)(void *userdata, int fd, const void *buf, size_t len, int flags);
	ssize_t (*sendto)(void *userdata, int fd, const void *buf, size_t len, int flags,
			const struct sockaddr *to, socklen_t to_len);
	ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *msg, int flags);
	int (*fcntl)(void *userdata, int fd, int cmd, ...);
	int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
	int (*close)(void *userdata, int fd);
	int (*shutdown)(void *userdata, int fd, int how);
	int (*getsockopt)(void *userdata, int fd, int level, int name, void *val, socklen_t *len);
	int (*setsockopt)(void *userdata, int fd, int level, int name, const void *val,
			socklen_t len);
	int (*poll)(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms);

	/* An IP packet arrives. 0 or -1. */
	int (*netdev_send)(void *userdata, const void *buf, size_t len);
	/* The next IP packet that leaves: *len is the room and then the length, *time_us
	 * when it left. *len 0: none came. 0 or -1. */
	int (*netdev_receive)(void *userdata, void *buf, size_t *len, long long *time_us);

	/* The clock of all of the above. */
	int (*usleep)(void *userdata, useconds_t us);
	int (*gettimeofday)(void *userdata, struct timeval *tv, struct timezone *tz);

	int (*epoll_create)(void *userdata, int size);
	int (*epoll_ctl)(void *userdata, int epfd, int op, int fd, struct epoll_event *ev);
	int (*epoll_wait)(void *userdata, int epfd, struct epoll_event *ev, int n, int timeout_ms);
	int (*pipe)(void *userdata, int fds[2]);
	ssize_t (*splice)(void *userdata, int in, loff_t *in_off, int out, loff_t *out_off,
			size_t len, unsigned int flags);
};

/* The one symbol the tool looks up; so_flags may be NULL. */
void packetdrill_interface_init(const char *so_flags, struct packetdrill_interface *ifc);

#endif /* PMTCP_PACKETDRILL_INTERFACE_H */
