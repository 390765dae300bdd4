#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors
#
# Runs a command in network, process and mount namespaces of its own:
#     tools/netns.sh COMMAND [ARGUMENT]...
# Nothing outside them is touched. /run is an empty file system there, for sockets,
# `ip netns add` and temporary files. Whatever ends the command, or this script, the
# kernel ends every process it started and takes interfaces and files back: nothing
# is left to be cleaned up, even after kill -9.
#
# Needs root: others get a SKIP line and exit code 77.
set -uo pipefail

if [ $# -eq 0 ]; then
	sed -n '5,13s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "SKIP: network namespaces and interfaces of its own need root"
	exit 77
fi

# The first process of the namespaces: at its end the kernel kills the others.
if [ "${PMTCP_NETNS_STAGE-}" = inside ]; then
	unset PMTCP_NETNS_STAGE
	trap 'exit 143' TERM INT HUP
	mount -t tmpfs -o mode=0755,size=1g pmtcp-run /run || exit 1
	ip link set lo up || exit 1
	"$@"
	exit $?
fi

# A shell in between, since unshare(1) itself does not mind signals.
setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc \
	env PMTCP_NETNS_STAGE=inside "$0" "$@" <&0 &
child=$!
trap 'kill -KILL $child 2>/dev/null; exit 143' TERM INT HUP
wait $child
exit $?
