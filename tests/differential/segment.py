# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""TCP/IPv4 segments as Python values and as frames, for the differential test."""

import socket
import struct

DUT_IP, PEER_IP = "198.18.0.1", "198.18.0.2"
FLAGS = "FSRPAUEC"  # from bit 0


def mac_of(ip):
    return b"\x02\x00" + socket.inet_aton(ip)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def flag_bits(flags):
    return sum(1 << FLAGS.index(f) for f in flags)


class Segment:
    """One segment; numbers are absolute and modulo 2^32."""

    def __init__(self, flags="", seq=0, ack=0, text=b"", wnd=65535, urg=0, opts=b""):
        self.flags, self.seq, self.ack = flags, seq % 2**32, ack % 2**32
        self.text, self.wnd, self.urg, self.opts = text, wnd, urg, opts
        self.sport = self.dport = 0

    def frame(self, sport, dport):
        opts = self.opts + b"\0" * (-len(self.opts) % 4)
        head = struct.pack("!HHIIBBHHH", sport, dport, self.seq, self.ack,
                           (20 + len(opts)) // 4 << 4, flag_bits(self.flags), self.wnd, 0, self.urg)
        tcp = head + opts + self.text
        pseudo = socket.inet_aton(PEER_IP) + socket.inet_aton(DUT_IP) + struct.pack(
            "!BBH", 0, 6, len(tcp))
        tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
        return ip_frame(6, tcp)


def ip_header(proto, length, source, dest):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0x4000, 64, proto, 0,
                     socket.inet_aton(source), socket.inet_aton(dest))
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]


def ip_frame(proto, body):
    """From the peer to the device under test."""
    return (mac_of(DUT_IP) + mac_of(PEER_IP) + b"\x08\x00"
            + ip_header(proto, len(body), PEER_IP, DUT_IP) + body)


def icmp_frame(kind, code, sport, dport, seq):
    """An ICMP error that quotes the first octets of a segment of the device under test."""
    quoted = ip_header(6, 20, DUT_IP, PEER_IP) + struct.pack("!HHI", sport, dport, seq % 2**32)
    body = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    return ip_frame(1, body[:2] + struct.pack("!H", checksum(body)) + body[4:])


def parse(frame):
    """The segment in a frame from the device under test, or None if it holds none."""
    if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
        return None
    ip = frame[14:]
    if socket.inet_ntoa(ip[12:16]) != DUT_IP or socket.inet_ntoa(ip[16:20]) != PEER_IP:
        return None
    total = struct.unpack("!H", ip[2:4])[0]
    assert checksum(ip[:20]) == 0, "IP header checksum"
    tcp = ip[20:total]
    pseudo = ip[12:20] + struct.pack("!BBH", 0, 6, len(tcp))
    assert checksum(pseudo + tcp) == 0, "TCP checksum"
    sport, dport, seq, ack, off, bits, wnd, _, urg = struct.unpack("!HHIIBBHHH", tcp[:20])
    flags = "".join(f for i, f in enumerate(FLAGS) if bits >> i & 1)
    found = Segment(flags, seq, ack, tcp[(off >> 4) * 4:], wnd, urg, tcp[20:(off >> 4) * 4])
    found.sport, found.dport = sport, dport
    return found


def options_of(opts):
    """Kind -> its octets; NOPs and end marks left out."""
    found, i = {}, 0
    while i < len(opts) and opts[i] != 0:
        if opts[i] == 1:
            i += 1
            continue
        assert opts[i] not in found and opts[i + 1] >= 2, "options: " + opts.hex()
        found[opts[i]] = opts[i + 2:i + opts[i + 1]]
        i += opts[i + 1]
    return found
