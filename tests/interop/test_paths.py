#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: pmtcp and the Linux kernel's TCP still understand each other on paths that are not
plain: tagged, congested, bad, narrow.
Method: the whole of suite.py, over af_packet, with a router and a switch (switch.py) that
do it to the frames, both ways. What a path is said to do is counted in each case. Cases
that make no sense on a path are left out with a reason.
Usage: tools/netns.sh test_paths.py 4|6 PEER KERNEL_PEER ECHO LOAD RELAY [CASE]..."""

import contextlib
import ipaddress
import subprocess
import sys

from rig import Group, allowed_of, main, run
from suite import (MIB, PLAIN, TOOLS, bulk_of_our_client, bulk_to_kernel, bulk_to_us,
                   odd_segments, open_and_four_way_close, self_check, short_to_kernel,
                   short_to_us, suite, we_reset_the_client)

VID = 42
TIMEOUT_S = 900

NO_FRAME = "it looks at this machine's interfaces, before the first frame"


# ---- VLAN -------------------------------------------------------------------------


def tag(rig):
    """pmtcp's wire carries tagged frames only. Returns how."""
    rig.word = f",vlan={VID}"
    done = subprocess.run(["ip", "netns", "exec", "linux", "ip", "link", "add", "link", "w0",
                           "name", f"w0.{VID}", "type", "vlan", "id", str(VID)], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        rig.insert_switch(vid=VID)
        return "a port of a switch that tags"
    rig.wire = f"w0.{VID}"
    run("ip", "addr", "flush", "dev", "w0", "scope", "global", ns="linux")
    run("ip", "addr", "add", rig.near, "dev", rig.wire, *rig.nodad(), ns="linux")
    run("ip", "link", "set", rig.wire, "up", ns="linux")
    return "the kernel's VLAN device"


# ---- congestion ---------------------------------------------------------------------

MARK_PERMILLE = 20


ENOUGH = 5  # marks in few connections, for an echo to be expected


def moved_since(rig, before):
    now = rig.nstat()
    return {name: now[name] - before.get(name, 0) for name in now}


def was_heard(moved, is_each_alone):
    """What the router did to text reached its receiver, whose echo came back; and nobody
    echoes what was not marked. is_each_alone: no two marks share an echo."""
    seen = moved["IpExtInCEPkts"] + moved.get("Ip6InCEPkts", 0)
    assert seen == moved["marked_to_linux"], f"of the marks the kernel saw {seen}"
    for way, back in (("to_linux", "from_linux"), ("to_pmtcp", "to_linux")):
        marks, echoes = moved[f"marked_{way}"], moved[f"ece_{back}"]
        assert marks or not echoes, f"{echoes} echoes of nothing"
        assert echoes >= (marks if is_each_alone else marks >= ENOUGH), \
            f"{marks} marked {way}, {echoes} echoes"
    assert not moved["ece_to_linux"] or moved["TcpExtTCPDeliveredCE"], "our echo was not heard"


def congested(rig):
    """The router marks ECT frames instead of losing them, and all connections agree to that
    (6.1.1), whoever opens them."""
    @contextlib.contextmanager
    def agreed(function, *args):
        before = rig.nstat()
        yield
        moved = moved_since(rig, before)
        ours, theirs = moved["TcpPassiveOpens"], moved["TcpActiveOpens"]
        # A SYN that the kernel repeats does not offer any more (6.1.1.1).
        plain = min(moved["ecn_none_from_linux"], moved["TcpExtTCPSynRetrans"])
        said = {name: moved[f"ecn_{name}"] for name in (
            "offer_to_linux", "consent_from_linux", "offer_from_linux", "consent_to_linux",
            "none_from_linux", "none_to_linux")}
        least = (ours, ours, theirs, theirs - plain)
        assert ours + theirs > 0 and said["none_from_linux"] <= plain and \
            said["none_to_linux"] <= 2 * plain and \
            all(n >= of for n, of in zip(said.values(), least)), \
            f"{ours} opened by us, {theirs} by the kernel, but {said}"
        if not allowed_of(function, args):  # a reset leaves no time for an echo
            was_heard(moved, function in (short_to_kernel, short_to_us))

    run("sysctl", "-qw", "net.ipv4.tcp_ecn=1", ns="linux")
    rig.impair("marked", MARK_PERMILLE, "IP ecn set ce", "IP ecn ect0")
    rig.options, rig.each = ["--ecn", "offer"], agreed


def marked(rig, function, args, ours, theirs):
    """Each end's least wish is enough for what the other offers. Much text, so that there
    are windows reduced in the end, and the echo is said to have been heard."""
    wish, rig.options = rig.options, ["--ecn", ours]
    run("sysctl", "-qw", f"net.ipv4.tcp_ecn={theirs}", ns="linux")
    before = rig.nstat()
    try:
        note = function(rig, *args)
    finally:
        rig.options = wish
        run("sysctl", "-qw", "net.ipv4.tcp_ecn=1", ns="linux")
    moved = moved_since(rig, before)
    way, other = ("to_pmtcp", "from_linux") if function is bulk_to_us else ("to_linux", "to_linux")
    assert moved[f"marked_{way}"] >= 5 and moved[f"cwr_{other}"] > 0, moved
    return note


# ---- bad paths ------------------------------------------------------------------------

LOSS_PERMILLE, LATE_PERMILLE = 50, 20


def lose_and_disorder(rig):
    rig.insert_switch(late_permille=LATE_PERMILLE)
    rig.impair("lost", LOSS_PERMILLE)
    rig.is_lossy = True


def both_ways(rig, least):
    """All that was done to frames in the cases before."""
    count = rig.impaired()
    assert all(n >= least for n in count.values()), count
    return count


# ---- narrow paths ---------------------------------------------------------------------

NARROW = 1400
TOO_BIG = """
table inet narrow {
    counter too_big_to_linux { }
    counter too_big_to_pmtcp { }
    chain o {
        type filter hook output priority 0
        %(big)s %(ip)s daddr %(linux)s counter name too_big_to_linux
        %(big)s %(ip)s daddr != %(linux)s counter name too_big_to_pmtcp
    }
    chain hole {
        type filter hook output priority 1
        %(hole)s
    }
}
"""


def is_small(function, args):
    """These send no segment that is too big for the path."""
    return function in (open_and_four_way_close, we_reset_the_client, odd_segments,
                        both_ways) or (0, 0) in args


def too_big(rig):
    """The router's word for it, of pmtcp's or of the kernel's packets."""
    return "icmpv6 type packet-too-big" if rig.version == 6 else \
        "icmp type destination-unreachable icmp code frag-needed"


def narrow(rig, hole=""):
    """Both ways are narrower than either end's MSS tells; each case finds out anew."""
    @contextlib.contextmanager
    def found_out(function, *args):
        run("ip", f"-{rig.version}", "route", "flush", "cache", ns="linux")
        before = sum(rig.impaired().values())
        yield
        said = sum(rig.impaired().values()) - before
        assert is_small(function, args) or said > 0, "nothing was too big"

    for address, name in ((rig.linux, "r0"), (rig.ip, "w0")):
        run("ip", f"-{rig.version}", "route", "replace", network_of(rig, address), "dev", name,
            "metric", 256 if rig.version == 6 else 0, "mtu", "lock", NARROW, ns="router")
    run("nft", TOO_BIG % {"big": too_big(rig), "linux": rig.linux, "hole": hole,
                          "ip": "ip6" if rig.version == 6 else "ip"}, ns="router")
    rig.tables.append("narrow")
    rig.each = found_out


def network_of(rig, address):
    return ipaddress.ip_interface(f"{address}/{rig.net.split('/')[1]}").network


def narrow_untold(rig):
    """A black hole: RFC 4821, RFC 8899. The kernel, which is slow to find it, is told."""
    ip = "ip6" if rig.version == 6 else "ip"
    narrow(rig, f"{too_big(rig)} {ip} daddr {network_of(rig, rig.ip)} drop")


def untold_both(rig, function, *args):
    """The kernel is not told, either, and looks for a black hole, as it does only if asked."""
    run("sysctl", "-qw", "net.ipv4.tcp_mtu_probing=1", ns="linux")
    run("nft", f"add rule inet narrow hole {too_big(rig)} drop", ns="router")
    return function(rig, *args)


# ---- the list -------------------------------------------------------------------------

TAGGED = suite(PLAIN._replace(short=2000, segments=50_000))
CONGESTED = [
    *suite(PLAIN._replace(short=1000, segments=50_000)),
    ("10 MiB from our client, the kernel accepts what we offer", marked, bulk_of_our_client,
     (10 * MIB, 0), "offer", 2),
    ("10 MiB from our server, we accept what the kernel offers", marked, bulk_to_kernel,
     (10 * MIB,), "accept", 1),
    ("10 MiB to our server, we accept what the kernel offers", marked, bulk_to_us,
     (10 * MIB,), "accept", 1),
]
BAD = [
    *suite(PLAIN._replace(short=200, file=MIB // 2, bulk=2 * MIB, segments=2000, resets=10)),
    ("frames were lost and late both ways", both_ways, 100),
]
# Requests and responses, too, are too big; 1325 octets of text fit beside timestamps.
NARROWS = [
    *suite(PLAIN._replace(short=500, text=(2000, 3000), segments=50_000, mss=1337)),
    ("frames were too big both ways", both_ways, 20),
]
HOLES = [
    *suite(PLAIN._replace(short=200, text=(2000, 3000), segments=50_000, mss=1337)),
    ("frames were too big both ways", both_ways, 20),
    ("10 MiB to our server, the kernel is not told either", untold_both, bulk_to_us, 10 * MIB),
    ("10 MiB from our server, the kernel is not told either", untold_both, bulk_to_kernel,
     10 * MIB),
]
WHOLE = "a picture of a path that loses nothing"

PATHS = (
    ("VLAN", tag, TAGGED, {}),
    ("ECN", congested, CONGESTED, {}),
    ("5 % loss, reordered", lose_and_disorder, BAD, {open_and_four_way_close: WHOLE}),
    ("MTU 1400", narrow, NARROWS, {}),
    ("MTU 1400, we are not told", narrow_untold, HOLES, {}),
)


def groups(version):
    """The paths with that IP version; only the tag needs no router."""
    return [Group(f"{name} IPv{version}", version, prepare is not tag, prepare, cases,
                  {self_check: NO_FRAME, **left_out})
            for name, prepare, cases, left_out in PATHS]


if __name__ == "__main__":
    main("af_packet", groups(int(sys.argv[1])), TOOLS, TIMEOUT_S, sys.argv[2:])
