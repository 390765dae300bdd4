#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: pmtcp and the Linux kernel's TCP still understand each other on paths that are not
plain: tagged, congested, bad, narrow; and when connections are very still.
Method: as test_kernel.py, over af_packet, with a router that does it to the frames. What a
router cannot do here (reordering: there is no netem) the link word's faults do, to the
frames that pmtcp receives.
Usage: tools/netns.sh test_paths.py PEER KERNEL_PEER ECHO LOAD RELAY [CASE]..."""

import os
import subprocess
import sys
import time

from rig import OUT, main, run, until
from test_kernel import (MIB, TOOLS, bulk_to_kernel, bulk_to_us, curl_from_our_server, pattern,
                         ncat_half_closes_to_our_echo, rate, same,
                         short_kernel_to_ours, short_ours_to_kernel, we_half_close_to_sockets)

STILL_S = 60
VID = 42
TIMEOUT_S = 540


# ---- VLAN -------------------------------------------------------------------------


def tag(rig):
    """pmtcp's wire carries tagged frames only. Returns how."""
    done = subprocess.run(["ip", "netns", "exec", "linux", "ip", "link", "add", "link", "w0",
                           "name", f"w0.{VID}", "type", "vlan", "id", str(VID)], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    length = rig.near.split("/")[1]
    if done.returncode == 0:
        run("ip", "addr", "flush", "dev", "w0", "scope", "global", ns="linux")
        run("ip", "addr", "add", f"{rig.linux}/{length}", "dev", f"w0.{VID}", *rig.nodad(),
            ns="linux")
        run("ip", "link", "set", f"w0.{VID}", "up", ns="linux")
        return "the kernel's VLAN device"
    # No VLAN devices in this kernel: a port that tags stands between the two.
    run("ip", "netns", "add", "switch")
    rig.spaces.append("switch")
    for ns, name in (("pmtcp", "d0"), ("linux", "w0")):
        run("ip", "link", "del", name, ns=ns, check=False)
    rig.pair("linux", "w0", rig.near, "switch", "inside", None)
    rig.pair("switch", "outside", None, "pmtcp", "d0", None)
    return "a port of a switch that tags"


def tagged(rig, function, *args):
    if "switch" in rig.spaces:
        port = rig.start(sys.executable, os.path.join(os.path.dirname(__file__), "access_port.py"),
                         "inside", "outside", VID, ns="switch")
        port.says("forwarding")
    rig.word = f",vlan={VID}"
    return function(rig, *args)


# ---- congestion ---------------------------------------------------------------------

MARK_PERMILLE = 20


def bulk_from_our_client(rig):
    octets = 10 * MIB
    server = rig.kernel("kernel_peer", "--listen", rig.any(5004), "--expect", octets)
    server.says("listening")
    start = time.monotonic()
    rig.pmtcp("peer", "--connect", rig.at(5004), "--send", octets).ends(60)
    server.ends()
    return rate(octets, time.monotonic() - start)


def marked(rig, function, ours, theirs):
    """The router marks ECT frames instead of losing them; both ends must have agreed."""
    run("sysctl", "-qw", f"net.ipv4.tcp_ecn={theirs}", ns="linux")
    rig.impair("marked", MARK_PERMILLE, "IP ecn set ce", "IP ecn ect0")
    rig.options = ["--ecn", ours]
    before = rig.nstat()
    try:
        note = function(rig)
        now = rig.nstat()
        to_linux, to_pmtcp = now["marked_to_linux"], now["marked_to_pmtcp"]
        assert to_linux + to_pmtcp >= 5, f"only {to_linux} + {to_pmtcp} frames were ECT and marked"
        if function is not bulk_to_us:
            seen = (now["IpExtInCEPkts"] - before["IpExtInCEPkts"] +
                    now.get("Ip6InCEPkts", 0) - before.get("Ip6InCEPkts", 0))
            assert seen == to_linux, f"{to_linux} frames marked, the kernel saw {seen}"
        else:
            echoed = now["TcpExtTCPDeliveredCE"] - before["TcpExtTCPDeliveredCE"]
            assert echoed > 0, f"{to_pmtcp} frames marked, no echo (ECE) reached the kernel"
            note = f"{note}, {echoed} echoes"
        again = now["TcpRetransSegs"] - before["TcpRetransSegs"]
        return f"{note}, {to_linux} + {to_pmtcp} marked, {again} retransmitted by the kernel"
    finally:
        rig.repair()
        run("sysctl", "-qw", "net.ipv4.tcp_ecn=2", ns="linux")


# ---- bad paths ------------------------------------------------------------------------


def disordered(rig, function, *args):
    """What pmtcp receives comes in another order, too."""
    rig.word = ",reorder=2%,seed=7"
    return function(rig, *args)


# ---- narrow paths ---------------------------------------------------------------------

NARROW = 1400
BLACK_HOLE = """
table inet hole {
    chain o {
        type filter hook output priority 0;
        icmp type destination-unreachable icmp code frag-needed drop
        icmpv6 type packet-too-big drop
    }
}
"""


def narrow(rig):
    """The way to the kernel is narrower than its MSS tells, and it keeps to that itself."""
    far = rig.near_kernel
    run("ip", "link", "set", "r0", "mtu", NARROW, ns="router")
    run("ip", f"-{rig.version}", "route", "replace", "default", "via", far, "mtu", NARROW,
        "advmss", 1460 if rig.version == 4 else 1440, ns="linux")


def narrow_told(rig):
    """The router says so: RFC 1191, RFC 8201."""
    return bulk_to_kernel(rig)


def narrow_untold(rig):
    """A black hole: RFC 4821."""
    run("nft", BLACK_HOLE, ns="router")
    try:
        return bulk_to_kernel(rig)
    finally:
        run("nft", "delete", "table", "inet", "hole", ns="router")


# ---- very still -----------------------------------------------------------------------


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


# ---- the list -------------------------------------------------------------------------

TAGGED = [
    ("curl gets files from our server", tagged, curl_from_our_server),
    ("ncat half-closes to our echo", tagged, ncat_half_closes_to_our_echo),
    ("we half-close to plain sockets", tagged, we_half_close_to_sockets),
    ("500 short connections, ours to the kernel", tagged, short_ours_to_kernel, 500, "client-fin",
     100, 1000),
    ("500 short connections, the kernel to ours", tagged, short_kernel_to_ours, 500, "server-fin",
     100, 1000),
]
CONGESTED = [
    ("10 MB to the kernel, which accepts what we offer", marked, bulk_from_our_client, "offer", 2),
    ("10 MB to the kernel, we accept what it offers", marked, bulk_to_kernel, "accept", 1),
    ("10 MB to us, who accept what the kernel offers", marked, bulk_to_us, "accept", 1),
]
BAD = [
    ("10 MB to the kernel", bulk_to_kernel),
    ("10 MB to us, reordered", disordered, bulk_to_us),
    ("10 MB to the kernel, its ACKs reordered", disordered, bulk_to_kernel),
    ("200 short connections to the kernel, reordered", disordered, short_ours_to_kernel, 200,
     "client-fin", 100, 1000),
    ("200 short connections to us, reordered", disordered, short_kernel_to_ours, 200,
     "server-fin", 100, 1000),
]
NARROWS = [
    ("10 MB to the kernel", narrow_told),
    ("10 MB to us", bulk_to_us),
    ("10 MB to the kernel, and nobody tells", narrow_untold),
]
STILL = [("half-closed for a minute, both ways", half_closed_for_a_minute)]

# Name, IP version, router, what is done to the wire, cases.
GROUPS = [
    ("VLAN", 4, False, tag, TAGGED),
    ("VLAN IPv6", 6, False, tag, TAGGED),
    ("ECN", 4, True, None, CONGESTED),
    ("ECN IPv6", 6, True, None, CONGESTED),
    ("5 % loss", 4, True, lambda rig: rig.impair("lost", 50), BAD),
    ("5 % loss IPv6", 6, True, lambda rig: rig.impair("lost", 50), BAD),
    ("MTU 1400", 4, True, narrow, NARROWS),
    ("MTU 1400 IPv6", 6, True, narrow, NARROWS),
    ("very still", 4, False, None, STILL),
]


if __name__ == "__main__":
    main("af_packet", GROUPS, TOOLS, TIMEOUT_S, sys.argv[1:])
