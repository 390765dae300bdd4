#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: pmtcp and the Linux kernel's TCP understand each other, in both directions.
Method: curl, nginx, ncat and plain sockets on the kernel's side of a tap or of a veth
pair, pmtcp's programs on the other; octets are compared, and the kernel's counters
must show no checksum error and no reset.
Usage: tools/netns.sh test_kernel.py tap|af_packet PEER KERNEL_PEER ECHO LOAD RELAY [CASE]..."""

import filecmp
import json
import os
import re
import signal
import subprocess
import sys
import time

from rig import OUT, main, run, until

MIB = 1 << 20
SHORT = 10_000
SHORT_LOSSY = 1_000
SEGMENTS, ODD_MSS = 1_000_000, 1437  # 1425 octets of text beside timestamps; fits IPv6, too
LOSS_PERMILLE = 20
TIMEOUT_S = 540  # of all cases; no process outlives this one (tools/netns.sh)
TOOLS = ("ip", "nft", "nstat", "ethtool", "sysctl", "curl", "nginx", "ncat",
         "tshark")

NGINX = """
daemon off; worker_processes 1; pid {out}/nginx.pid; error_log {out}/nginx.log;
events {{ worker_connections 256; }}
http {{
    access_log off; keepalive_timeout 0; sendfile on;
    client_body_temp_path {out}/t1; proxy_temp_path {out}/t2; fastcgi_temp_path {out}/t3;
    uwsgi_temp_path {out}/t4; scgi_temp_path {out}/t5;
    server {{ listen 80; listen [::]:80; root {out}/www; }}
}}
"""


def pattern(rig, octets):
    """A file with so much of the payload pattern."""
    path = f"{OUT}/www/p{octets}"
    if not os.path.exists(path):
        os.makedirs(f"{OUT}/www", exist_ok=True)
        os.chmod(f"{OUT}/www", 0o755)
        with open(path, "wb") as file:
            subprocess.run([rig.programs["kernel_peer"], "--pattern", str(octets)], stdout=file,
                           check=True, timeout=30)
    return path


def same(path, rig, octets):
    size = os.path.getsize(path)
    assert size == octets, f"{path}: {size} octets instead of {octets}"
    assert filecmp.cmp(path, pattern(rig, octets), shallow=False), f"{path}: wrong octets"


def rate(octets, seconds):
    return f"{octets / seconds / 1e6:.1f} MB/s"


# ---- files and half-closes ----------------------------------------------------


def curl_from_our_server(rig):
    octets, times = 3 * MIB, 4
    server = rig.pmtcp("peer", "--listen", 80, "--http", "/", "--send", octets, "--count", times)
    server.says("ready")
    for i in range(times):
        run("curl", "-sS", "--max-time", 20, "-o", f"{OUT}/curl{i}", f"http://{rig.at(80, rig.ip)}/", ns="linux")
        same(f"{OUT}/curl{i}", rig, octets)
    server.ends()


def our_client_from_nginx(rig):
    octets, times = 3 * MIB, 4
    with open(f"{OUT}/nginx.conf", "w", encoding="utf-8") as file:
        file.write(NGINX.format(out=OUT))
    page = pattern(rig, octets)
    nginx = rig.kernel("nginx", "-c", f"{OUT}/nginx.conf", "-p", OUT)
    until(lambda: ":80 " in run("ss", "-Htln", ns="linux"), "nginx listening")
    rig.pmtcp("peer", "--connect", rig.at(80), "--http", "/" + os.path.basename(page),
              "--expect", octets, "--count", times).ends()
    nginx.stop(signal.SIGQUIT)


def ncat_half_closes_to_our_echo(rig):
    octets = 2 * MIB
    echo = rig.pmtcp("echo", "--listen", 7)
    echo.says("listening")
    with open(pattern(rig, octets), "rb") as file, open(f"{OUT}/echoed", "wb") as back:
        rig.kernel("ncat", rig.ip, 7, stdin=file, stdout=back).ends()
    same(f"{OUT}/echoed", rig, octets)
    echo.stop()


def we_half_close_to_ncat(rig):
    """Our server ends its direction first; ncat has all the time of the world."""
    ours, theirs = 1 * MIB, 2 * MIB
    server = rig.pmtcp("peer", "--listen", 5001, "--send", ours, "--expect", theirs)
    server.says("ready")
    with open(f"{OUT}/received", "wb") as back:
        ncat = rig.kernel("ncat", rig.ip, 5001, stdin=subprocess.PIPE, stdout=back)
    until(lambda: os.path.getsize(f"{OUT}/received") == ours, "all of ours at ncat")
    time.sleep(0.3)
    with open(pattern(rig, theirs), "rb") as file:
        ncat.process.stdin.write(file.read())
    ncat.process.stdin.close()
    server.ends()
    ncat.ends()
    same(f"{OUT}/received", rig, ours)


def ncat_server_half_closes(rig):
    """A listening ncat ends its direction first, our client sends after that."""
    ours, theirs = 2 * MIB, 1 * MIB
    with open(pattern(rig, theirs), "rb") as file, open(f"{OUT}/stored", "wb") as back:
        ncat = rig.kernel("ncat", f"-{rig.version}", "-l", 5002, stdin=file, stdout=back)
        until(lambda: ":5002 " in run("ss", "-Htln", ns="linux"), "ncat listening")
        rig.pmtcp("peer", "--connect", rig.at(5002), "--reply", "--send", ours, "--expect",
                  theirs).ends()
        ncat.ends()
    same(f"{OUT}/stored", rig, ours)


def we_half_close_to_sockets(rig):
    """Our client's FIN follows its request; the kernel answers behind it."""
    ours, theirs = 1 * MIB, 2 * MIB
    server = rig.kernel("kernel_peer", "--listen", rig.any(5003), "--expect", ours, "--send",
                        theirs)
    server.says("listening")
    rig.pmtcp("peer", "--connect", rig.at(5003), "--send", ours, "--expect", theirs).ends()
    server.ends()


# ---- many short connections ---------------------------------------------------


def report_of(program, path, count):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    if not (report["conservation"]["balanced"] and not report["errors"]
            and report["closed"] == report["opened"] == count):
        program.fail(f"the report is not of {count} good connections")
    return report


def short_ours_to_kernel(rig, count, close, request, response):
    """From pmtcp-load to plain sockets."""
    closes_first = ["--close-first"] if close == "server-fin" else []
    server = rig.kernel("kernel_peer", "--listen", rig.any(5001), "--count", count, "--expect",
                        request, "--send", response, *closes_first)
    server.says("listening")
    path = f"{OUT}/client.json"
    client = rig.pmtcp("load", "client", "--target", rig.at(5001), "--count", count, "--concurrency",
                       64, "--close", close, "--request", request, "--response", response,
                       "--json", path, "--idle", "yield",
                       "--syn-retries", 6)
    client.ends(60)
    server.ends()
    report = report_of(client, path, count)
    return f"{report['closes_per_s']:.0f} connections/s, connect p50 {report['connect_us']['p50']} us"


def short_kernel_to_ours(rig, count, close, request, response):
    """From plain sockets to pmtcp-load."""
    closes_first = ["--close-first"] if close == "client-fin" else []
    path = f"{OUT}/server.json"
    server = rig.pmtcp("load", "server", "--listen", 5001, "--close", close, "--request", request,
                       "--response", response, "--json", path, "--idle", "yield",
                       "--rate", "20k")
    server.says("waiting for the first connection")
    client = rig.kernel("kernel_peer", "--connect", rig.at(5001, rig.ip), "--count", count,
                        "--expect", response, "--send", request, *closes_first)
    text = client.ends(60)
    server.stop(signal.SIGINT)
    report_of(server, path, count)
    return text


# ---- much text ------------------------------------------------------------------


def million_segments(rig):
    """W-26: checksums over odd lengths and chains of buffers."""
    octets = SEGMENTS * (ODD_MSS - 12)
    server = rig.pmtcp("peer", "--listen", 5001, "--send", octets)
    server.says("ready")
    rig.advertise_mss(ODD_MSS)
    before, start = rig.nstat()["TcpInSegs"], time.monotonic()
    rig.kernel("kernel_peer", "--connect", rig.at(5001, rig.ip), "--expect", octets).ends(120)
    seconds = time.monotonic() - start
    server.ends()
    rig.advertise_mss(0)
    segments = rig.nstat()["TcpInSegs"] - before
    assert segments >= SEGMENTS, f"only {segments} segments"
    return rate(octets, seconds)


# ---- loss ---------------------------------------------------------------------


def lose(rig):
    rig.impair("lost", LOSS_PERMILLE)


def bulk_to_kernel(rig):
    octets = 10 * MIB
    server = rig.pmtcp("peer", "--listen", 5001, "--send", octets)
    server.says("ready")
    start = time.monotonic()
    with open(f"{OUT}/bulk", "wb") as back:
        rig.kernel("ncat", "--recv-only", rig.ip, 5001, stdout=back).ends(120)
    seconds = time.monotonic() - start
    same(f"{OUT}/bulk", rig, octets)
    server.ends(60)
    return rate(octets, seconds)


def bulk_to_us(rig):
    octets = 10 * MIB
    server = rig.pmtcp("peer", "--listen", 5001, "--expect", octets)
    server.says("ready")
    start = time.monotonic()
    with open(pattern(rig, octets), "rb") as file:
        rig.kernel("ncat", "--send-only", rig.ip, 5001, stdin=file).ends(120)
    seconds = time.monotonic() - start
    server.ends(60)
    return rate(octets, seconds)


# ---- the start-up self-check (W-35) ---------------------------------------------


def self_check(rig):
    """An address that is the kernel's ends the program, offloads are worth a line."""
    ns = "pmtcp" if rig.device == "af_packet" else "linux"
    run("ip", "addr", "add", f"{rig.ip}/{32 if rig.version == 4 else 128}", "dev", "lo", ns=ns)
    refused = rig.pmtcp("peer", "--listen", 5001, configure=False)
    text = refused.ends(code=2)
    run("ip", "addr", "del", f"{rig.ip}/{32 if rig.version == 4 else 128}", "dev", "lo", ns=ns)
    assert f"{rig.ip} belongs to the kernel (lo)" in text, text
    if rig.device == "tap":
        return text  # made anew each time: its offloads cannot be set beforehand
    run("ethtool", "-K", "d0", "tx", "on", ns=ns)
    warned = rig.pmtcp("peer", "--listen", 5001)
    warned.says("ready")
    warned.kill()
    run("ethtool", "-K", "d0", "tx", "off", ns=ns)
    assert "type: ethtool -K d0 tx off" in warned.text(), warned.text()
    return text + warned.text()


# ---- the picture ----------------------------------------------------------------

VIEW = "doc/open-close.txt"
SIGHT = re.compile(r"^ *[0-9.]+ +(\S+) → (\S+) .*(\[[A-Z, ]+\]) Seq=(\d+)(?: Ack=(\d+))?.* Len=(\d+)",
                   re.M)


def sights(text):
    """What a view shows, without times, ports, windows and options."""
    return SIGHT.findall(text)


def tshark(*args):
    return run("tshark", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", *args)


def open_and_four_way_close(rig):
    """tshark finds nothing to complain of, and sees what the manual shows."""
    capture = f"{OUT}/open-close.pcap"
    server = rig.kernel("kernel_peer", "--listen", rig.any(5001), "--close-delay", "300ms")
    server.says("listening")
    rig.pmtcp("peer", "--connect", rig.at(5001), "--hold", "100ms", "--pcap", capture).ends()
    server.ends()
    lines = tshark("-r", capture, "-Y", "tcp", "-T", "fields", "-e", "frame.time_relative", "-e",
                   "_ws.col.Source", "-e", "_ws.col.Destination", "-e", "_ws.col.Info")
    # The first frames are ARP's: the time of a picture begins with its first line.
    rows = [line.split("\t") for line in lines.splitlines() if line.count("\t") == 3]
    view = "".join(f"{float(row[0]) - float(rows[0][0]):.6f}  {row[1]} → {row[2]}  "
                   + re.sub(r" TSval=\d+ TSecr=\d+", "", row[3]) + "\n" for row in rows)
    expert = tshark("-r", capture, "-q", "-z", "expert")
    complaints = [line for line in expert.splitlines()
                  if re.match(r"(Errors|Warns) \(", line) or
                  re.search("(?i)retransmission|out-of-order|checksum|lost|duplicate", line)]
    assert not complaints, f"tshark complains: {complaints}\n{view}\n{expert}"
    with open(os.path.join(os.path.dirname(__file__), "../..", VIEW), encoding="utf-8") as file:
        assert sights(view) == sights(file.read()), f"not as in {VIEW}:\n{view}"
    return view


STRAIGHT = [
    ("tshark reads an open and a four-way close without a warning", open_and_four_way_close),
    ("the self-check names the kernel's address and its offloads", self_check),
    ("curl gets files from our server", curl_from_our_server),
    ("our client gets files from nginx", our_client_from_nginx),
    ("ncat half-closes to our echo", ncat_half_closes_to_our_echo),
    ("we half-close to ncat", we_half_close_to_ncat),
    ("a listening ncat half-closes to us", ncat_server_half_closes),
    ("we half-close to plain sockets", we_half_close_to_sockets),
    *((f"10 000 short connections, ours to the kernel, {close}, {request}+{response} octets",
       short_ours_to_kernel, SHORT, close, request, response)
      for close, request, response in (("client-fin", 0, 0), ("client-fin", 100, 1000),
                                       ("server-fin", 100, 1000))),
    *((f"10 000 short connections, the kernel to ours, {close}, {request}+{response} octets",
       short_kernel_to_ours, SHORT, close, request, response)
      for close, request, response in (("client-fin", 0, 0), ("client-fin", 100, 1000),
                                       ("server-fin", 100, 1000))),
    ("a million segments of odd length", million_segments),
]

LOSSY = [
    *((f"1 000 short connections {name} with 2 % loss each way, {close}", function, SHORT_LOSSY,
       close, 100, 1000)
      for name, function in (("to the kernel", short_ours_to_kernel),
                             ("to us", short_kernel_to_ours))
      for close in ("client-fin", "server-fin")),
    ("10 MB to the kernel with 2 % loss each way", bulk_to_kernel),
    ("10 MB to us with 2 % loss each way", bulk_to_us),
]


# The picture is drawn with IPv4 addresses.
SIX = [case for case in STRAIGHT if case[1] is not open_and_four_way_close]


GROUPS = [("", 4, False, None, STRAIGHT), ("lossy", 4, True, lose, LOSSY),
          ("IPv6", 6, False, None, SIX), ("IPv6 lossy", 6, True, lose, LOSSY)]


if __name__ == "__main__":
    main(sys.argv[1], GROUPS, TOOLS, TIMEOUT_S, sys.argv[2:])
