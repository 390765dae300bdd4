#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""An access port of a switch, where the kernel has no VLAN devices: frames of INSIDE are
untagged, those of OUTSIDE carry the tag VID, and none other passes.
Usage: access_port.py INSIDE OUTSIDE VID"""

import selectors
import socket
import struct
import sys

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 3, 263, 8, 4
TP_STATUS_VLAN_VALID = 0x10
BUFFER = 4 << 20


def open_port(name):
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    port.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    port.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
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


def forward(port, inside, outside, vid):
    """One frame; False if there is none."""
    try:
        frame, ancillary, _, address = port.recvmsg(65536, 64)
    except BlockingIOError:
        return False
    if address[2] == PACKET_OUTGOING:
        return True
    seen = tag_of(ancillary)
    if port is inside and seen == 0:
        outside.send(frame[:12] + struct.pack("!HH", 0x8100, vid) + frame[12:])
    elif port is outside and seen == vid:
        inside.send(frame)
    return True


def main():
    inside, outside, vid = open_port(sys.argv[1]), open_port(sys.argv[2]), int(sys.argv[3])
    select = selectors.DefaultSelector()
    for port in (inside, outside):
        select.register(port, selectors.EVENT_READ)
    print("forwarding", flush=True)
    while True:
        for key, _ in select.select():
            for _ in range(64):
                if not forward(key.fileobj, inside, outside, vid):
                    break


if __name__ == "__main__":
    main()
