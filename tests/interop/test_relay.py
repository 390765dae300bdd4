#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: two programs of the kernel's side that know nothing of pmtcp, iperf3's client and its
server, talk through pmtcp: one of its connections to each, in both directions at full speed.
Method: the program `relay` in between joins each connection of the client to one to the
server. iperf3 says how much each of its ends wrote and read, relay how much it carried.
iperf3 resets connections when its time is over; that all octets are right, and ends of
stream and resets passed on, is seen with plain sockets instead of it.
Usage: tools/netns.sh test_relay.py tap|af_packet PEER KERNEL_PEER ECHO LOAD RELAY [CASE]..."""

import json
import re
import sys

from rig import main, run, until
from suite import MIB

PORT = 5201
SECONDS = 1
COOKIE = 37  # octets of iperf3's at the begin of each of its connections
TIMEOUT_S = 240
TOOLS = ("ip", "nft", "nstat", "ethtool", "sysctl", "iperf3", "ss")
LOSS_PERMILLE = 10

# What may wait on the way from one program to the other: two sockets of the kernel, each
# with 6 MiB at most for receiving (tcp_rmem) or 4 for sending, and two of ours.
ON_THE_WAY = 12 * MIB

# The relay's last words about a pair of connections.
PAIR = re.compile(r"^pair (\d+): (\w+), down \w+ got (\d+) sent (\d+), up \w+ got (\d+) sent (\d+)$",
                  re.M)


class Pair:
    """What came from the client (forth) and from the server (back), and what was passed on."""

    def __init__(self, number, word, forth_taken, back_given, back_taken, forth_given):
        self.number, self.word = int(number), word
        self.forth_taken, self.forth_given = int(forth_taken), int(forth_given)
        self.back_taken, self.back_given = int(back_taken), int(back_given)


def pairs_of(text):
    """In the order in which they were accepted."""
    return sorted((Pair(*found) for found in PAIR.findall(text)), key=lambda pair: pair.number)


def is_listening():
    return f":{PORT} " in run("ss", "-Htln", ns="linux")


# ---- iperf3 ---------------------------------------------------------------------------


def report_of(program):
    report = json.loads(program.ends(SECONDS + 60))
    assert "error" not in report, report["error"]
    return report["end"]


def in_order(what, streams, written, taken, given, read):
    """From one program to the other: nobody gets more than was there, all of it came as far
    as sockets and buffers hold."""
    assert written >= taken >= given >= read > 0, \
        f"{what}: {written} written, {taken} taken, {given} given, {read} read"
    assert written - read <= streams * ON_THE_WAY, f"{what}: {written} octets written, {read} read"
    return f"{what} {read * 8 / SECONDS / 1e6:.0f} Mbit/s"


def iperf3(rig, *options):
    """Each direction's octets: the sender's, the relay's, the receiver's."""
    streams = 4 if "-P" in options else 1
    is_both, is_back = "--bidir" in options, "-R" in options
    relay = rig.pmtcp("relay", "--listen", PORT, "--connect", rig.at(PORT), "--count",
                      1 + streams * (1 + is_both))
    relay.says("ready")
    server = rig.kernel("iperf3", "-s", "-1", "-J")
    until(is_listening, "iperf3 listening")
    client = rig.kernel("iperf3", "-c", rig.ip, "-t", SECONDS, "-J", *options)
    ours, theirs = report_of(client), report_of(server)
    text = relay.ends()
    control, *data = pairs_of(text)
    forth = [pair for pair in data if pair.forth_taken > COOKIE]
    back = [pair for pair in data if pair.forth_taken == COOKIE]
    assert control.word == "whole" and len(forth) == streams * (not is_back) and \
        len(back) == streams * (is_both or is_back), text
    notes = []
    if forth:
        taken, given = (sum(octets) - COOKIE * streams for octets in
                        zip(*((pair.forth_taken, pair.forth_given) for pair in forth)))
        assert ours["sum_received"]["bytes"] == theirs["sum_received"]["bytes"]
        notes.append(in_order("forth", streams, ours["sum_sent"]["bytes"], taken, given,
                              theirs["sum_received"]["bytes"]))
    if back:
        suffix = "_bidir_reverse" if is_both else ""
        taken, given = (sum(octets) for octets in
                        zip(*((pair.back_taken, pair.back_given) for pair in back)))
        assert ours["sum_sent" + suffix]["bytes"] == theirs["sum_sent" + suffix]["bytes"]
        notes.append(in_order("back", streams, theirs["sum_sent" + suffix]["bytes"], taken, given,
                              ours["sum_received" + suffix]["bytes"]))
    resets = sum(pair.word == "cut" for pair in data)
    return f"{', '.join(notes)}, {resets} of {len(data)} connections reset in the end"


# What iperf3 does when its time is over, to what is under way.
iperf3.allowed = ("TcpEstabResets", "TcpExtTCPAbortOnData", "TcpExtTCPAbortOnClose", "TcpOutRsts")


def lose(rig):
    rig.impair("lost", LOSS_PERMILLE)
    rig.is_lossy = True


# ---- every octet ----------------------------------------------------------------------


def sockets(rig, count, request, response, client=(), server=(), word="whole"):
    """Plain sockets on both sides: each octet compared, each end of stream waited for."""
    relay = rig.pmtcp("relay", "--listen", PORT, "--connect", rig.at(5001), "--count", count)
    relay.says("ready")
    listening = rig.kernel("kernel_peer", "--listen", rig.any(5001), "--count", count,
                           "--expect", request, "--send", response, *server)
    listening.says("listening")
    rig.kernel("kernel_peer", "--connect", rig.at(PORT, rig.ip), "--count", count,
               "--concurrency", 16, "--expect", response, "--send", request, *client).ends(60)
    listening.ends()
    text = relay.ends()
    pairs = pairs_of(text)
    good = [pair for pair in pairs if pair.word == word and
            pair.forth_taken == pair.forth_given == request and
            pair.back_taken == pair.back_given == response]
    assert len(good) == len(pairs) == count, f"{len(good)} of {count} as expected: {text}"
    return f"{count} pairs {word}"


def sockets_reset(rig, *args):
    return sockets(rig, *args, ("--reset",), ("--reset",), word="cut")


sockets_reset.allowed = ("TcpEstabResets", "TcpExtTCPAbortOnData", "TcpOutRsts")


STRAIGHT = [
    *((f"iperf3 {' '.join(options)}", iperf3, *options)
      for options in ((), ("-R",), ("--bidir",), ("-P", "4"), ("-P", "4", "-R"),
                      ("-P", "4", "--bidir"))),
    ("100 pairs of sockets, the client ends its stream first", sockets, 100, 300_000, 400_000,
     ("--close-first",)),
    ("100 pairs of sockets, the server does", sockets, 100, 300_000, 400_000, (), ("--close-first",)),
    ("100 pairs of sockets that the client resets", sockets_reset, 100, 3000, 4000),
]
SIX = [STRAIGHT[i] for i in (0, 1, 5, 7)]
# Not --bidir: its server tells directions by the order in which connections come, and a
# lost third ACK changes that.
LOSSY = [STRAIGHT[i] for i in (0, 1, 3, 4, 6)]

WIRES = [("", 4, False, None, STRAIGHT), ("IPv6", 6, False, None, SIX),
         ("1 % loss", 4, True, lose, LOSSY), ("IPv6, 1 % loss", 6, True, lose, LOSSY[:2])]
GROUPS = {"af_packet": WIRES, "tap": [("", 4, False, None, SIX)]}


if __name__ == "__main__":
    main(sys.argv[1], GROUPS[sys.argv[1]], TOOLS, TIMEOUT_S, sys.argv[2:])
