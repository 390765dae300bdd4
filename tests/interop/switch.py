#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Two ports of a switch, for what a kernel may not be able to do.

VID, where there are no VLAN devices: frames of INSIDE are untagged, those of OUTSIDE carry
that tag, and none other passes. 0: all are untagged.
LATE, where there is no netem: so many of 1 000 frames are held back for 2 ms, in each
direction. COUNTS, a file, has the numbers of those that were overtaken meanwhile, to INSIDE
and to OUTSIDE.
Usage: switch.py INSIDE OUTSIDE VID LATE COUNTS"""

import collections
import errno
import mmap
import random
import selectors
import socket
import struct
import sys
import time

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 3, 263, 8, 4
TP_STATUS_VLAN_VALID = 0x10
BUFFER = 4 << 20
LATE_S = 0.002
NO_ROOM = (errno.EAGAIN, errno.ENOBUFS, errno.ENETDOWN)
SO_SNDBUFFORCE = 32
SEED = 7


def open_port(name):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    port.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, BUFFER)
    port.bind((name, 0))
    port.setblocking(False)
    return port


def tag_of(ancillary):
    """The VID the kernel took out of the frame; 0: none."""
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, _ = struct.unpack("IIIHHHH", data[:20])
            return tci & 0xfff if status & TP_STATUS_VLAN_VALID else 0
    return 0


class Direction:
    """From one port to the other. vids: what is expected, and what is put in; 0: no tag."""

    def __init__(self, source, sink, vids, late_permille, seed):
        self.source, self.sink = source, sink
        self.vid, self.new_vid = vids
        self.share, self.random = late_permille / 1000, random.Random(seed)
        self.held = collections.deque()  # due time, frame
        self.overtaken, self.fresh = 0, 0  # fresh: of the held, nobody has overtaken them

    def put(self, frame):
        """As a switch does: what the port has no room for is lost, and the next one goes."""
        try:
            self.sink.send(frame)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise

    def forward(self):
        """One frame; False if there is none."""
        try:
            frame, ancillary, _, address = self.source.recvmsg(65536, 64)
        except BlockingIOError:
            return False
        if address[2] == PACKET_OUTGOING or tag_of(ancillary) != self.vid:
            return True
        if self.new_vid:
            frame = frame[:12] + struct.pack("!HH", 0x8100, self.new_vid) + frame[12:]
        if self.random.random() < self.share:
            self.held.append((time.monotonic() + LATE_S, frame))
            self.fresh += 1
            return True
        self.overtaken, self.fresh = self.overtaken + self.fresh, 0
        self.put(frame)
        return True

    def release(self):
        """What was held back long enough. Returns how long to wait for the next, or None."""
        while self.held:
            wait = self.held[0][0] - time.monotonic()
            if wait > 0:
                return wait
            self.put(self.held.popleft()[1])
            self.fresh = min(self.fresh, len(self.held))
        return None


def main():
    inside, outside = open_port(sys.argv[1]), open_port(sys.argv[2])
    vid, late = int(sys.argv[3]), int(sys.argv[4])
    with open(sys.argv[5], "w+b") as file:
        file.write(bytes(16))
        file.flush()
        counts = mmap.mmap(file.fileno(), 16)
    outwards = Direction(inside, outside, (0, vid), late, SEED)
    inwards = Direction(outside, inside, (vid, 0), late, SEED + 1)
    select = selectors.DefaultSelector()
    select.register(inside, selectors.EVENT_READ, outwards)
    select.register(outside, selectors.EVENT_READ, inwards)
    print("forwarding", flush=True)
    while True:
        waits = [wait for wait in (outwards.release(), inwards.release()) if wait is not None]
        for key, _ in select.select(min(waits, default=None)):
            for _ in range(64):
                if not key.data.forward():
                    break
        counts[:] = struct.pack("QQ", inwards.overtaken, outwards.overtaken)


if __name__ == "__main__":
    main()
