# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""The two ends that are compared, behind one set of calls: a kernel socket that is
reached over a tap device, and pmtcp on a virtual clock."""

import fcntl
import os
import select
import socket
import struct
import subprocess
import time

from segment import DUT_IP, PEER_IP, mac_of, parse

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454ca, 0x0002, 0x1000
KERNEL_STATES = {1: "ESTAB", 2: "SYN-SENT", 3: "SYN-RCVD", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2",
                 6: "TIME-WAIT", 7: "CLOSED", 8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN",
                 11: "CLOSING", 12: "SYN-RCVD"}
# No tail loss probe: within the time that answers are collected nothing is to come by
# itself. No budget shared between connections: each script stands alone.
SYSCTLS = {"net/ipv4/tcp_early_retrans": 0, "net/ipv4/tcp_challenge_ack_limit": 2**31 - 1,
           "net/ipv4/tcp_syncookies": 0, "net/ipv4/tcp_rfc1337": 1, "net/ipv4/conf/all/rp_filter": 0,
           "net/ipv4/tcp_no_metrics_save": 1, "net/ipv4/icmp_ratelimit": 0,
           "net/ipv6/conf/all/disable_ipv6": 1}


def colons(mac):
    return ":".join("%02x" % b for b in mac)


class Kernel:
    name = "Linux"

    def __init__(self):
        self.tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(self.tap, TUNSETIFF, struct.pack("16sH", b"diff0", IFF_TAP | IFF_NO_PI))
        for key, value in SYSCTLS.items():
            if os.path.exists("/proc/sys/" + key):
                with open("/proc/sys/" + key, "w", encoding="ascii") as file:
                    file.write(str(value))
        for command in ("link set diff0 address " + colons(mac_of(DUT_IP)),
                        "addr add %s/24 dev diff0" % DUT_IP, "link set diff0 up",
                        # Nothing is repeated while a busy machine keeps us waiting. A longer
                        # RTO would make old timestamps pass for reordered ACKs.
                        "route replace %s/32 dev diff0 rto_min 700ms" % PEER_IP,
                        "neigh add %s lladdr %s dev diff0 nud permanent" % (
                            PEER_IP, colons(mac_of(PEER_IP)))):
            subprocess.run(["ip"] + command.split(), check=True)
        self.sock = self.listener = None
        self.port = 0

    def reset(self, port):
        """A script with this port of ours begins."""
        for sock in (self.sock, self.listener):
            if sock:
                # Whatever is left of the last script ends at once.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
        self.sock = self.listener = None
        self.collect(0)
        self.port = port

    def inject(self, frame):
        os.write(self.tap, frame)

    def collect(self, ms):
        found, end = [], time.monotonic() + ms / 1000
        while True:
            left = max(0, end - time.monotonic())
            if not select.select([self.tap], [], [], left)[0]:
                return found
            segment = parse(os.read(self.tap, 65536))
            # An orphan of an earlier script may still be repeating its FIN.
            if segment and segment.sport == self.port:
                found.append(segment)

    def new_socket(self, port):
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((DUT_IP, port))
        return sock

    def listen(self, port):
        self.listener = self.new_socket(port)
        self.listener.listen(8)

    def connect(self, lport, rport):
        self.sock = self.new_socket(lport)
        try:
            self.sock.connect((PEER_IP, rport))
        except BlockingIOError:
            pass

    def accept(self):
        self.sock = self.listener.accept()[0]
        self.sock.setblocking(False)

    def send(self, n):
        self.sock.send(bytes(n))

    def recv(self, n):
        self.sock.recv(n)

    def shutdown(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()
        self.sock = None

    def state(self):
        """Of what is not the listener; CLOSED if there is nothing else."""
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        for row in rows:
            if int(row[1].split(":")[1], 16) == self.port:
                state = KERNEL_STATES[int(row[3], 16)]
                if state != "LISTEN":
                    return state
        return "CLOSED"

    def is_told(self):
        """Whether the application has an error to read, if it has a socket."""
        return self.sock is not None and 0 != self.sock.getsockopt(
            socket.SOL_SOCKET, socket.SO_ERROR)


class Pmtcp:
    name = "pmtcp"

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.frames = []

    def call(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("pmtcp's end died at: %s" % (words,))
            if line.startswith("ok"):
                return line.split()[1:]
            self.frames.append(bytes.fromhex(line.split()[1]))

    def reset(self, _):
        self.call("reset")
        self.frames = []

    def inject(self, frame):
        self.call("in", frame.hex())

    def collect(self, ms):
        self.call("adv", ms)
        found = [parse(f) for f in self.frames]
        self.frames = []
        return [s for s in found if s]

    def must(self, *words):
        result = int(self.call(*words)[0])
        assert result >= 0, "%s: %d" % (" ".join(str(w) for w in words), result)

    def listen(self, port):
        self.must("listen", port)

    def connect(self, lport, rport):
        self.must("connect", lport, rport)

    def accept(self):
        self.must("accept")

    def send(self, n):
        self.must("send", n)

    def recv(self, n):
        self.must("recv", n)

    def shutdown(self):
        self.must("shutdown")

    def close(self):
        self.must("close")

    def state(self):
        return self.call("state")[0]

    def is_told(self):
        return self.call("state")[1] == "told"
