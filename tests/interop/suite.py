# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""What pmtcp and the Linux kernel's TCP do with each other, on whatever path (rig.py) there
is between them: files, half-closes, short connections of each closing mode, much text,
resets, each of them both ways. suite() is the list of all."""

import collections
import filecmp
import json
import os
import re
import signal
import subprocess
import time

from rig import OUT, run, until

MIB = 1 << 20
CLOSES_PER_S = 500  # on a busy machine; an idle one has 24 000
CLOSE_MODES = ("client-fin", "server-fin", "simultaneous", "client-rst")
TOOLS = ("ip", "nft", "nstat", "ethtool", "sysctl", "ss", "curl", "nginx", "ncat", "tshark")
RESETS = ("TcpEstabResets", "TcpExtTCPAbortOnData", "TcpOutRsts")  # move if that is the point

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


def curl_from_our_server(rig, octets):
    times = 4
    server = rig.pmtcp("peer", "--listen", 80, "--http", "/", "--send", octets, "--count", times)
    server.says("ready")
    for i in range(times):
        run("curl", "-sS", "--max-time", 20, "-o", f"{OUT}/curl{i}",
            f"http://{rig.at(80, rig.ip)}/", ns="linux")
        same(f"{OUT}/curl{i}", rig, octets)
    server.ends()


def our_client_from_nginx(rig, octets):
    times = 4
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


# What our side counts when it has doubts about a segment, or a TIME-WAIT does not last.
OUR_DOUBTS = ("challenge_sent", "challenge_throttled", "drop_rst_challenge", "drop_syn_challenge",
              "drop_tw_rst", "drop_tw_syn", "tw_evicted", "tw_rst_ignored", "drop_no_tcb")


def without_doubt(rig, counted, before):
    """counted: what moved on our side; before: the kernel's counters. What either side has
    repeated may be in doubt."""
    moved = {name: counted[name] for name in OUR_DOUBTS if name in counted}
    repeated = rig.nstat()["TcpRetransSegs"] - before["TcpRetransSegs"]
    assert not moved or "retransmitted" in counted or repeated or rig.is_lossy, moved
    return ", ".join(f"{name} {n}" for name, n in moved.items()) or "no segment in doubt"


def report_of(program, path, count):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    if not (report["conservation"]["balanced"] and not report["errors"]
            and report["closed"] == report["opened"] == count):
        program.fail(f"the report is not of {count} good connections")
    return report


def kernel_end(close, first):
    """The closing mode as the kernel's end wants it; first: the mode in which that end is."""
    if close == "client-rst":
        return ["--reset"]
    return ["--close-first"] if close in (first, "simultaneous") else []


def watchful(rig):
    """A lost reset is not repeated: whoever waits for one has to ask."""
    return ["--keepalive", "1s"] if rig.is_lossy else []


def ends_by_reset(rig, program, address):
    """The last resets may be lost when we are gone: who has our address next answers to what
    is left of the connections (RFC 9293 3.5.1)."""
    if rig.is_lossy:
        rig.pmtcp("peer", "--listen", 9, "--ip", address)
    program.ends(60)


def of_text(text):
    """What is asked for and what is answered, for pmtcp-load. It sleeps when there is nothing
    to do: who only yields is not woken in time on a busy machine."""
    return ["--request", text[0], "--response", text[1], "--idle", "sleep"]


def short_to_kernel(rig, count, close, text, addresses=1):
    """From pmtcp-load to plain sockets. Its addresses are fresh: where the kernel keeps
    TIME-WAIT, timestamps of another process may lie behind the last ones, and its SYN is
    then answered by an ACK and that by a reset."""
    before, own = rig.nstat(), rig.own(rig.fresh(addresses))
    server = rig.kernel("kernel_peer", "--listen", rig.any(5001), "--count", count, "--expect",
                        text[0], "--send", text[1], *kernel_end(close, "server-fin"),
                        *watchful(rig))
    server.says("listening")
    path = f"{OUT}/client.json"
    client = rig.pmtcp("load", "client", "--target", rig.at(5001), "--count", count,
                       "--concurrency", 64, "--close", close, *of_text(text), "--json", path,
                       "--syn-retries", 6, "--ip", own)
    client.ends(60 + count / CLOSES_PER_S)
    if close == "client-rst":
        ends_by_reset(rig, server, own)
    else:
        server.ends()
    report = report_of(client, path, count)
    return f"{report['closes_per_s']:.0f} connections/s, connect p50 " \
           f"{report['connect_us']['p50']} us, " \
           f"{without_doubt(rig, report['client']['counters'], before)}"


def short_to_us(rig, count, close, text, addresses=1):
    """From plain sockets to pmtcp-load. The kernel has 64 512 ports for each address that it
    opens to."""
    path, own, before = f"{OUT}/server.json", rig.fresh(addresses), rig.nstat()
    server = rig.pmtcp("load", "server", "--listen", 5001, "--close", close, *of_text(text),
                       "--json", path, "--rate", "20k", "--ip", rig.own(own), *watchful(rig))
    server.says("waiting for the first connection")
    start = time.monotonic()
    for n, address in enumerate(own):
        part = count * (n + 1) // len(own) - count * n // len(own)
        rig.kernel("kernel_peer", "--connect", rig.at(5001, address), "--count", part, "--expect",
                   text[1], "--send", text[0],
                   *kernel_end(close, "client-fin")).ends(60 + part / CLOSES_PER_S)
    seconds = time.monotonic() - start
    server.stop(signal.SIGINT)
    report = report_of(server, path, count)
    return f"{count / seconds:.0f} connections/s, " \
           f"{without_doubt(rig, report['server']['counters'], before)}"


def resets_of(count, close, *_):
    return RESETS if close == "client-rst" else ()


short_to_kernel.allowed = short_to_us.allowed = resets_of


# ---- much text ------------------------------------------------------------------


def odd_segments(rig, count, mss):
    """W-26: checksums over odd lengths and chains of buffers."""
    octets = count * (mss - 12)
    server = rig.pmtcp("peer", "--listen", 5001, "--send", octets)
    server.says("ready")
    rig.advertise_mss(mss)
    before, start = rig.nstat()["TcpInSegs"], time.monotonic()
    rig.kernel("kernel_peer", "--connect", rig.at(5001, rig.ip), "--expect", octets).ends(120)
    seconds = time.monotonic() - start
    server.ends()
    rig.advertise_mss(0)
    segments = rig.nstat()["TcpInSegs"] - before
    assert segments >= count, f"only {segments} segments"
    return rate(octets, seconds)


def bulk_to_kernel(rig, octets):
    server = rig.pmtcp("peer", "--listen", 5001, "--send", octets)
    server.says("ready")
    start = time.monotonic()
    with open(f"{OUT}/bulk", "wb") as back:
        rig.kernel("ncat", "--recv-only", rig.ip, 5001, stdout=back).ends(120)
    seconds = time.monotonic() - start
    same(f"{OUT}/bulk", rig, octets)
    server.ends(60)
    return rate(octets, seconds)


def bulk_to_us(rig, octets):
    server = rig.pmtcp("peer", "--listen", 5001, "--expect", octets)
    server.says("ready")
    start = time.monotonic()
    with open(pattern(rig, octets), "rb") as file:
        rig.kernel("ncat", "--send-only", rig.ip, 5001, stdin=file).ends(120)
    seconds = time.monotonic() - start
    server.ends(60)
    return rate(octets, seconds)


def bulk_of_our_client(rig, ours, theirs):
    """ours: octets that it sends; theirs: that the kernel does."""
    server = rig.kernel("kernel_peer", "--listen", rig.any(5004), "--expect", ours, "--send",
                        theirs)
    server.says("listening")
    start = time.monotonic()
    rig.pmtcp("peer", "--connect", rig.at(5004), "--send", ours, "--expect", theirs).ends(120)
    server.ends()
    return rate(ours + theirs, time.monotonic() - start)


# ---- resets that were asked for -----------------------------------------------------------


def we_reset_the_server(rig, count):
    """SO_LINGER's zero: our close is a reset, and the kernel's socket is told so."""
    server = rig.kernel("kernel_peer", "--listen", rig.any(5001), "--count", count, "--expect",
                        1000, "--send", 2000, "--is-reset", *watchful(rig))
    server.says("listening")
    rig.pmtcp("peer", "--connect", rig.at(5001), "--count", count, "--send", 1000, "--expect", 2000,
              "--linger", 0, "--ends", "local_abort").ends(60)
    ends_by_reset(rig, server, rig.net)


def we_reset_the_client(rig, count):
    server = rig.pmtcp("peer", "--listen", 5001, "--count", count, "--expect", 1000, "--linger", 0,
                       "--ends", "local_abort")
    server.says("ready")
    client = rig.kernel("kernel_peer", "--connect", rig.at(5001, rig.ip), "--count", count,
                        "--send", 1000, "--is-reset", *watchful(rig))
    server.ends(60)
    ends_by_reset(rig, client, rig.net)


def the_kernel_resets_us(rig, count):
    server = rig.pmtcp("peer", "--listen", 5001, "--count", count, "--expect", 1000, "--send",
                       2000, "--ends", "peer_reset", *watchful(rig))
    server.says("ready")
    rig.kernel("kernel_peer", "--connect", rig.at(5001, rig.ip), "--count", count, "--send", 1000,
               "--expect", 2000, "--reset").ends(60)
    server.ends()


for asked_for in (we_reset_the_server, we_reset_the_client, the_kernel_resets_us):
    asked_for.allowed = RESETS


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


def as_in_manual(rig, view):
    """The manual has a path without a router, IPv4, no talk about congestion."""
    view = view.replace(f" {rig.ip} ", " 198.18.0.2 ").replace(f" {rig.linux} ", " 198.18.0.1 ")
    if "--ecn" in rig.options:
        view = re.sub(r"\[SYN, (ACK, )?(ECE|ECN)(, CWR)?\]",
                      lambda flags: "[SYN, ACK]" if flags.group(1) else "[SYN]", view)
    return view


def tshark(*args):
    return run("tshark", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", *args)


def open_and_four_way_close(rig):
    """tshark finds nothing to complain of, and sees what the manual shows."""
    capture = f"{OUT}/open-close.pcap"
    server = rig.kernel("kernel_peer", "--listen", rig.any(5001), "--close-delay", "300ms")
    server.says("listening")
    rig.pmtcp("peer", "--connect", rig.at(5001), "--hold", "100ms", "--pcap",
              capture).ends()
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
        assert sights(as_in_manual(rig, view)) == sights(file.read()), f"not as in {VIEW}:\n{view}"
    return view


# ---- all of them ----------------------------------------------------------------

# How much of it: short connections of each mode and direction and their text, octets of a
# file, of bulk transfers, segments of odd length and the MSS that makes them so (12 are
# timestamps), resets.
Size = collections.namedtuple("Size", "short text file bulk segments mss resets")
PLAIN = Size(10_000, (100, 1000), 3 * MIB, 10 * MIB, 1_000_000, 1437, 50)


def suite(size):
    shorts = [("client-fin", (0, 0)), *((close, size.text) for close in CLOSE_MODES)]
    mib = f"{size.bulk // MIB} MiB"
    return [
        ("tshark reads an open and a four-way close without a warning", open_and_four_way_close),
        ("the self-check names the kernel's address and its offloads", self_check),
        ("curl gets files from our server", curl_from_our_server, size.file),
        ("our client gets files from nginx", our_client_from_nginx, size.file),
        ("ncat half-closes to our echo", ncat_half_closes_to_our_echo),
        ("we half-close to ncat", we_half_close_to_ncat),
        ("a listening ncat half-closes to us", ncat_server_half_closes),
        ("we half-close to plain sockets", we_half_close_to_sockets),
        *((f"{size.short} short connections {way}, {close}, {text[0]}+{text[1]} octets", function,
           size.short, close, text)
          for way, function in (("to the kernel", short_to_kernel), ("to us", short_to_us))
          for close, text in shorts),
        (f"{mib} from our server", bulk_to_kernel, size.bulk),
        (f"{mib} to our server", bulk_to_us, size.bulk),
        (f"{mib} from our client", bulk_of_our_client, size.bulk, 0),
        (f"{mib} to our client", bulk_of_our_client, 0, size.bulk),
        (f"{size.segments} segments of odd length", odd_segments, size.segments, size.mss),
        (f"{size.resets} connections, we reset the kernel's server", we_reset_the_server,
         size.resets),
        (f"{size.resets} connections, we reset the kernel's client", we_reset_the_client,
         size.resets),
        (f"{size.resets} connections, the kernel resets us", the_kernel_resets_us, size.resets),
    ]
