#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: how connections between pmtcp and the Linux kernel's TCP begin and end, where that is
not plain: by SYN cookies; by a peer that is silent; by timeouts and resets that were asked
for; and very many times in each closing mode.
Method: as test_kernel.py, over af_packet. The kernel falls silent by a rule that drops
whatever comes and goes, pmtcp by being stopped. Both have counted and timed what they did.
Usage: tools/netns.sh test_ends.py PEER KERNEL_PEER ECHO LOAD RELAY [CASE]...
PMTCP_INTEROP_CLOSES=N sets the short connections of each closing mode and direction."""

import os
import re
import signal
import sys

from rig import OUT, main, run, until
from suite import (CLOSE_MODES, TOOLS, report_of, short_to_kernel, short_to_us,
                   the_kernel_resets_us, we_reset_the_client, we_reset_the_server)

CLOSES = int(os.environ.get("PMTCP_INTEROP_CLOSES", "100000"))
ADDRESSES = 8  # of ours for each of them
LATE_MS = 2500  # a timeout on a busy machine
TIMEOUT_S = 1740

SILENCE = """
table inet silence {
    chain i { type filter hook input priority 0; tcp dport %(port)u drop; tcp sport %(port)u drop; }
    chain o { type filter hook output priority 0; tcp dport %(port)u drop; tcp sport %(port)u drop; }
}
"""

END = re.compile(r"^(fine|FAILED): (\w+) after (\d+) ms", re.M)
OPTIONS = re.compile(r"^options: mss (\d+), scales (\d+) (\d+), timestamps (\d), sack (\d)$", re.M)
COUNTER = re.compile(r"^(\w+) (\d+)$", re.M)


def counters(text):
    return {name: int(n) for name, n in COUNTER.findall(text)}


def sockets(state, port):
    """What the kernel tells of its connections with that port, in that state."""
    return run("ss", "-Htino", "state", state, "dport", f":{port}", ns="linux") + \
        run("ss", "-Htino", "state", state, "sport", f":{port}", ns="linux")


def established(port):
    until(lambda: sockets("established", port), f"established with port {port}")
    return sockets("established", port)


def of_its_own(rig, n):
    """Addresses for one case: what the kernel still has to say to the last one's is no
    business of this one's."""
    return rig.net.replace(".2/", f".{n}/") if rig.version == 4 else rig.net.replace("::2/", f"::{n}/")


# ---- SYN cookies ------------------------------------------------------------------------


def cookies(rig, has_timestamps):
    """All SYNs get cookies; the options are those of any other connection if there were
    timestamps to keep them in, else there are none (RFC 4987 3.6)."""
    count, ours, theirs = 20, 300_000, 200_000
    run("sysctl", "-qw", f"net.ipv4.tcp_timestamps={int(has_timestamps)}", ns="linux")
    try:
        server = rig.pmtcp("peer", "--listen", 5001, "--syn-cookies", "always", "--count", count,
                           "--send", ours, "--expect", theirs, "--hold", "2s")
        server.says("ready")
        client = rig.kernel("kernel_peer", "--connect", rig.at(5001, rig.ip), "--count", count,
                            "--concurrency", count, "--send", theirs, "--expect", ours)
        seen = established(5001)
        client.ends()
        text = server.ends()
    finally:
        run("sysctl", "-qw", "net.ipv4.tcp_timestamps=1", ns="linux")
    count_of = counters(text)
    assert count_of["cookies_accepted"] == count <= count_of["cookies_sent"] <= count + 5, text
    assert "half_open_created" not in count_of and "cookies_failed" not in count_of, text
    mss = 1460 - 20 * (rig.version == 6)
    scale = int(re.search(r"wscale:\d+,(\d+)", seen).group(1)) if has_timestamps else 0
    options = {tuple(int(n) for n in found[:2]) + found[3:] for found in OPTIONS.findall(text)}
    expected = (mss - 12, scale, "1", "1") if has_timestamps else (mss, 0, "0", "0")
    assert options == {expected}, f"{options} instead of {expected}"
    words = [word for word in ("ts", "sack", "wscale") if re.search(rf"\s{word}[\s:]", seen)]
    assert len(words) == 3 * has_timestamps, f"{words} in the kernel:\n{seen}"
    return f"{count_of['cookies_sent']} cookies, the kernel has {' '.join(words) or 'no option'}"


def cookies_lossy(rig):
    """A lost third ACK opens nothing; the text behind it does."""
    count, path = 1000, f"{OUT}/cookies.json"
    server = rig.pmtcp("load", "server", "--listen", 5001, "--close", "client-fin", "--request",
                       100, "--response", 1000, "--json", path, "--idle", "sleep", "--rate",
                       "20k", "--syn-cookies", "always")
    server.says("waiting for the first connection")
    text = rig.kernel("kernel_peer", "--connect", rig.at(5001, rig.ip), "--count", count,
                      "--expect", 1000, "--send", 100, "--close-first").ends(60)
    server.stop(signal.SIGINT)
    report_of(server, path, count)
    return text


def lose(rig):
    rig.impair("lost", 50)
    rig.is_lossy = True


# ---- silence ----------------------------------------------------------------------------


def silenced(rig, number, *options, ends, expected_ms, hold_ms=2000, expect=1, send=1000):
    """Our connection to a kernel that falls silent; how and when it ends."""
    port = 5000 + number
    server = rig.kernel("kernel_peer", "--listen", rig.any(port), "--expect", 2000)
    server.says("listening")
    client = rig.pmtcp("peer", "--ip", of_its_own(rig, number), "--connect", rig.at(port),
                       "--expect", expect, "--send", send, "--hold", f"{hold_ms}ms", *options,
                       "--ends", ends)
    established(port)
    run("nft", SILENCE % {"port": port}, ns="linux")
    try:
        text = client.ends()
    finally:
        server.kill()  # whose last words nobody hears
        run("nft", "delete", "table", "inet", "silence", ns="linux")
    after_ms = int(END.search(text).group(3))
    assert expected_ms <= after_ms <= expected_ms + LATE_MS, f"{after_ms} ms\n{text}"
    return f"{ends} after {after_ms} ms"


def keepalive_in_vain(rig):
    """RFC 9293 3.8.4: nine probes, the first after the silence, each the same time after the
    last, and that time again."""
    return silenced(rig, 11, "--keepalive", "300ms", ends="timeout_ka", expected_ms=10 * 300,
                    hold_ms=60_000)


def user_timeout(rig):
    """RFC 9293 3.10.8: text that nobody acknowledges for so long."""
    return silenced(rig, 12, "--user-timeout", "2s", ends="timeout_user", expected_ms=2000 + 2000)


def linger_in_vain(rig):
    """A close with text that nobody acknowledges: a reset when its time is over."""
    return silenced(rig, 13, "--linger", "1s", ends="timeout_linger", expected_ms=2000 + 1000,
                    expect=0)


for silent in (keepalive_in_vain, user_timeout, linger_in_vain):
    silent.allowed = ("TcpOutRsts",)  # our last word


def still_but_alive(rig, ours, theirs):
    """Nobody says anything for some time, but who is asked answers; then all is said."""
    server = rig.pmtcp("peer", "--listen", 5001, "--hold", "4s", "--send", 1000, "--expect", 2000,
                       *ours)
    server.says("ready")
    before = rig.nstat()
    rig.kernel("kernel_peer", "--connect", rig.at(5001, rig.ip), "--send", 2000, "--expect", 1000,
               *theirs).ends()
    asked = counters(server.ends()).get("keepalive_sent", 0)
    their_asked = rig.nstat()["TcpExtTCPKeepAlive"] - before["TcpExtTCPKeepAlive"]
    # In 4 s of silence, after each second without an answer to the last.
    assert asked >= 2 * bool(ours) and their_asked >= 2 * bool(theirs), (asked, their_asked)
    return f"asked {asked} times by us, {their_asked} times by the kernel"


def stopped(rig):
    """The kernel's keepalive finds out that we are gone, by three probes."""
    run("sysctl", "-qw", "net.ipv4.tcp_keepalive_probes=3", ns="linux")
    server = rig.pmtcp("peer", "--ip", of_its_own(rig, 14), "--listen", 5001, "--hold", "60s",
                       "--expect", 1)
    server.says("ready")
    client = rig.kernel("kernel_peer", "--connect", rig.at(5001, of_its_own(rig, 14).split("/")[0]),
                        "--expect", 1, "--keepalive", "1s")
    established(5001)
    server.process.send_signal(signal.SIGSTOP)
    return client.ends(code=1)


stopped.allowed = ("TcpExtTCPAbortOnTimeout", "TcpEstabResets", "TcpOutRsts")


# ---- the list -------------------------------------------------------------------------

COOKIES = [
    ("SYN cookies, all options in the timestamp", cookies, True),
    ("SYN cookies without timestamps", cookies, False),
]
ENDS = [
    ("keepalive of ours, the kernel lives", still_but_alive, ("--keepalive", "1s"), ()),
    ("keepalive of the kernel's, we live", still_but_alive, (), ("--keepalive", "1s")),
    ("keepalive of ours, the kernel is silent", keepalive_in_vain),
    ("keepalive of the kernel's, we are stopped", stopped),
    ("user timeout, the kernel is silent", user_timeout),
    ("close with linger time, the kernel is silent", linger_in_vain),
    ("50 connections, we reset the kernel's server", we_reset_the_server, 50),
    ("50 connections, we reset the kernel's client", we_reset_the_client, 50),
    ("50 connections, the kernel resets us", the_kernel_resets_us, 50),
]
MANY = [(f"{CLOSES} connections {way}, {close}", function, CLOSES, close, (100, 1000), ADDRESSES)
        for close in CLOSE_MODES
        for way, function in (("to the kernel", short_to_kernel), ("to us", short_to_us))]

GROUPS = [
    ("", 4, False, None, COOKIES + ENDS),
    ("IPv6", 6, False, None, COOKIES + ENDS[2:3]),
    ("5 % loss", 4, True, lose,
     [("1 000 short connections to us, SYN cookies", cookies_lossy)]),
    ("very many", 4, False, None, MANY),
]


if __name__ == "__main__":
    main("af_packet", GROUPS, TOOLS, TIMEOUT_S, sys.argv[1:])
