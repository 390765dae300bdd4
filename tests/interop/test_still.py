#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: connections with the Linux kernel that are half closed may be still for a minute.
Method: as test_kernel.py, over af_packet. Others may use the machine meanwhile.
Usage: tools/netns.sh test_still.py PEER KERNEL_PEER ECHO LOAD RELAY [CASE]..."""

import os
import subprocess
import sys
import time

from rig import OUT, main, run, until
from suite import MIB, TOOLS, pattern, same

STILL_S = 60
TIMEOUT_S = 150


def half_closed_for_a_minute(rig):
    """Both ways at once: nothing happens for a minute after the first FIN, then the other
    direction carries its text and ends."""
    ours, theirs = 1 * MIB, 2 * MIB
    peers = [rig.pmtcp("peer", "--ip", rig.net, "--listen", 5001, "--send", ours, "--expect",
                       theirs),
             rig.pmtcp("peer", "--ip", rig.net.replace(".2/", ".3/"), "--listen", 5002, "--send",
                       ours, "--expect", theirs, "--reply", "--hold", f"{STILL_S}s")]
    for peer in peers:
        peer.says("ready")
    data = pattern(rig, theirs)
    with open(f"{OUT}/first", "wb") as back:
        first = rig.kernel("ncat", rig.ip, 5001, stdin=subprocess.PIPE, stdout=back)
    with open(data, "rb") as file, open(f"{OUT}/second", "wb") as back:
        second = rig.kernel("ncat", rig.ip.replace(".2", ".3"), 5002, stdin=file, stdout=back)
    start = time.monotonic()
    until(lambda: os.path.getsize(f"{OUT}/first") == ours, "all of ours at ncat")
    until(lambda: all(word in run("ss", "-Htn", ns="linux") for word in ("CLOSE-WAIT", "FIN-WAIT-2")),
          "one half-closed in each direction")
    time.sleep(max(0, STILL_S - (time.monotonic() - start)))
    with open(data, "rb") as file:
        first.process.stdin.write(file.read())
    first.process.stdin.close()
    for program in (*peers, first, second):
        program.ends()
    same(f"{OUT}/first", rig, ours)
    same(f"{OUT}/second", rig, ours)
    return f"{time.monotonic() - start:.1f} s"


GROUPS = [("very still", 4, False, None,
           [("half-closed for a minute, both ways", half_closed_for_a_minute)])]


if __name__ == "__main__":
    main("af_packet", GROUPS, TOOLS, TIMEOUT_S, sys.argv[1:])
