#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: two workers share one wire to the Linux kernel, which spreads frames over one queue or
two as it likes: every connection ends as it should, every frame reaches its owner and is
counted once, and one worker alone answers who asks for our address (RES-14, RES-16).
Method: cases of suite.py; the report of pmtcp-load tells what was handed over.
Usage: tools/netns.sh test_workers.py tap|af_packet PEER KERNEL_PEER ECHO LOAD RELAY [CASE]..."""

import json
import subprocess
import sys

from rig import OUT, main, run
from suite import MIB, TOOLS, ncat_half_closes_to_our_echo, short_to_kernel, short_to_us

SHORT = 10_000
TEXT = (100, 1000)
WORKERS = 2
TIMEOUT_S = 540

# Whoever asks for an address of ours, and what they are told.
ASKED = """
table arp asked {
    counter asked { }
    counter told { }
    chain o { type filter hook output priority 0; arp operation request counter name asked; }
    chain i { type filter hook input priority 0; arp operation reply counter name told; }
}
"""


def share(rig, queues, wrong=0):
    rig.word = f",queues={queues},wrong={wrong}%"
    rig.options = ["--workers", str(WORKERS)]


def check_handing_over(end, queues, wrong):
    """Of the report of one end, whose books balance already."""
    with open(f"{OUT}/{end}.json", encoding="utf-8") as file:
        report = json.load(file)
    worker, counters = report[end]["worker"], report[end]["counters"]
    handed, frames = counters.get("misdirected", 0), worker["rx_packets"]
    asked = counters.get("arp_taken", 0) + counters.get("nd_taken", 0)
    assert (report["box"]["workers"], report["box"]["queues"]) == (WORKERS, queues), report["box"]
    assert worker["steer_dropped"] == 0 and "drop_misdirected" not in counters, worker
    assert worker["steer_taken"] == handed, (worker, counters)
    assert counters["rx_frames"] - handed == frames, (worker, counters)
    assert (worker["tx_relayed"] > 0) == (queues < WORKERS), worker
    if wrong == 100:
        others = sum(n for name, n in counters.items() if name.startswith("drop_"))
        assert frames - asked - others <= handed <= frames - asked, (worker, counters)
    elif queues == 1:
        assert 0.2 < handed / frames < 0.8, (worker, counters)
    else:  # a tap learns which queue we send a connection's frames from
        assert 0 < handed < frames, (worker, counters)
    return f"{handed} of {frames} frames handed over"


def ours_to_kernel(rig, queues, wrong):
    share(rig, queues, wrong)
    note = short_to_kernel(rig, SHORT, "client-fin", TEXT)
    return f"{note}\n{check_handing_over('client', queues, wrong)}"


def kernel_to_ours(rig, queues, wrong):
    share(rig, queues, wrong)
    note = short_to_us(rig, SHORT, "client-fin", TEXT)
    return f"{note}\n{check_handing_over('server', queues, wrong)}"


def kernel_to_ours_on_two(rig, *args):
    """Of several tap queues the kernel takes the one that it got the connection's last frame from,
    so that it changes over in the middle; then frames overtake each other, an old ACK behind the
    last one finds no connection any more, and text behind a FIN is challenged. Over one queue,
    none may."""
    rig.is_lossy = rig.device == "tap"
    try:
        return kernel_to_ours(rig, *args)
    finally:
        rig.is_lossy = False


kernel_to_ours_on_two.allowed = ("TcpOutRsts",)


def one_answers(rig):
    """The kernel asks by broadcast, a few times anew, and is told once each time."""
    share(rig, 1)
    echo = rig.pmtcp("echo", "--listen", 7)
    echo.says("listening")
    run("nft", ASKED, ns="linux")
    try:
        for _ in range(5):
            run("ip", "neigh", "flush", "all", ns="linux")
            done = subprocess.run(["ip", "netns", "exec", "linux", "ncat", rig.ip, "7"],
                                  input=b"hello", stdout=subprocess.PIPE, timeout=20, check=True)
            assert done.stdout == b"hello", done.stdout
        count = rig.counters("linux", "asked", "arp")
    finally:
        run("nft", "delete", "table", "arp", "asked", ns="linux")
    echo.stop()
    assert count["asked"] >= 5 and count["told"] == count["asked"], count
    return count


def echo_on_all(rig, queues):
    share(rig, queues)
    return ncat_half_closes_to_our_echo(rig)


STRAIGHT = [
    *((f"{SHORT} short connections {name}, {queues} queue(s), {wrong} % of the tuples elsewhere",
       function, queues, wrong)
      for name, function, queues, wrong in (
          ("to the kernel", ours_to_kernel, 1, 0), ("to the kernel", ours_to_kernel, 2, 0),
          ("to the kernel", ours_to_kernel, 1, 100), ("to us", kernel_to_ours, 1, 0),
          ("to us", kernel_to_ours_on_two, 2, 0), ("to us", kernel_to_ours, 1, 100))),
    ("one worker answers a request for our address", one_answers),
    *((f"ncat's {2 * MIB} octets come back, {queues} queue(s)", echo_on_all, queues)
      for queues in (1, 2)),
]

SIX = [case for case in STRAIGHT if case[1] in (ours_to_kernel, kernel_to_ours) and case[2] == 1]


if __name__ == "__main__":
    main(sys.argv[1], [("", 4, False, None, STRAIGHT), ("IPv6", 6, False, None, SIX)], TOOLS,
         TIMEOUT_S, sys.argv[2:])
