#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: pmtcp and the Linux kernel's TCP understand each other, in both directions, over
each kind of device and both IP versions.
Method: curl, nginx, ncat and plain sockets on the kernel's side of a tap or of a veth
pair, pmtcp's programs on the other; octets are compared, and the kernel's counters
must show no checksum error and no reset. The cases are those of suite.py; test_paths.py
has them on other paths.
Usage: tools/netns.sh test_kernel.py tap|af_packet PEER KERNEL_PEER ECHO LOAD RELAY [CASE]..."""

import sys

from rig import main
from suite import (MIB, PLAIN, TOOLS, bulk_to_kernel, bulk_to_us, short_to_kernel, short_to_us,
                   suite)

LOSS_PERMILLE = 20
TIMEOUT_S = 540  # of all cases; no process outlives this one (tools/netns.sh)


def lose(rig):
    rig.impair("lost", LOSS_PERMILLE)
    rig.is_lossy = True


LOSSY = [
    *((f"1 000 short connections {way}, {close}", function, 1000, close, (100, 1000))
      for way, function in (("to the kernel", short_to_kernel), ("to us", short_to_us))
      for close in ("client-fin", "server-fin")),
    ("10 MiB from our server", bulk_to_kernel, 10 * MIB),
    ("10 MiB to our server", bulk_to_us, 10 * MIB),
]

# The same stack on another device: fewer of each. The loss is for tap alone, since
# test_paths.py, which has af_packet, has worse.
LESS = PLAIN._replace(short=2000, segments=200_000)
GROUPS = {
    "af_packet": [("", 4, False, None, suite(PLAIN)), ("IPv6", 6, False, None, suite(PLAIN))],
    "tap": [("", 4, False, None, suite(LESS)), ("IPv6", 6, False, None, suite(LESS)),
            ("2 % loss each way", 4, True, lose, LOSSY)],
}


if __name__ == "__main__":
    main(sys.argv[1], GROUPS[sys.argv[1]], TOOLS, TIMEOUT_S, sys.argv[2:])
