# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""The steady state: as many TIME-WAIT entries expire as are made, and nothing else happens.

A run warms up for twice 2MSL and 10 s, so that what expires in its window was opened when the
table was as full as it is now; then 30 s count."""

import os
import shutil
import statistics
import tempfile

from . import load
from .lab import DPDK_CPU, KERNEL_CPU, say

WINDOW_S = 30
DEVIATION_MAX = 0.05
MSL_CURVE = (0, 1, 10, 60)
OPEN_CLOSE = ("--request", 0, "--response", 0)
REQUEST_RESPONSE = ("--request", 64, "--response", 64)
RING_CONCURRENCY, MEMIF_CONCURRENCY = 256, 128
OWN_SERVER, OWN_CLIENT, PORTS = "10.7.0.1", "10.7.1.1-10.7.1.250", "5001-5016"


def times(two_msl, quick):
    """Warm-up and window, in seconds."""
    return (2 * two_msl + 0.5, 2) if quick else (2 * two_msl + 10, WINDOW_S)


# ---- two ends ----

def over_ring(tools, name, timeout_s, words):
    """Both ends in one process."""
    return [load.Load(tools, name, "run", *words).finish(timeout_s)]


def over_memif(tools, name, timeout_s, words):
    """Two processes, each on its core: the report of the client, then the server's."""
    folder = tempfile.mkdtemp(prefix="pmtcp-")
    try:
        sock = os.path.join(folder, "m")
        server = load.Load(tools, name + "-server", "server", "--link", "memif:server:" + sock,
                           "--ip", OWN_SERVER + "/16", "--listen", PORTS,
                           *without(words, "--rate", "--warmup", "--duration", "--concurrency"),
                           cpu=KERNEL_CPU)
        server.process.wait_for("waiting for the first connection")
        client = load.Load(tools, name, "client", "--link", "memif:client:" + sock, "--ip",
                           OWN_CLIENT + "/16", "--target", f"{OWN_SERVER}:{PORTS}", *words,
                           cpu=DPDK_CPU)
        report = client.finish(timeout_s)
        return [report, server.interrupt()]
    finally:
        shutil.rmtree(folder)


def without(words, *names):
    """The words less those, each of which has a value."""
    pairs = zip(words[::2], words[1::2])
    return [word for pair in pairs if pair[0] not in names for word in pair]


# ---- what must hold ----

def deviates(value, wanted):
    return wanted == 0 or abs(value / wanted - 1) > DEVIATION_MAX


def of_rates(report, two_msl, rate):
    """Rates that are not what they should be, in words."""
    tw, opens = report["time_wait"], report["opens_per_s"]
    if rate and deviates(opens, rate):
        yield f"opened {opens:.0f}/s, asked for {rate}/s"
    if two_msl == 0:
        return
    for key in ("entered_per_s", "expired_per_s"):
        if deviates(tw[key], opens):
            yield f"{tw[key]:.0f} entries {key.replace('_per_s', '')}/s, {opens:.0f} opened/s"
    if rate and deviates(tw["peak"], opens * two_msl):
        yield f"{tw['peak']} entries at most, {opens * two_msl:.0f} expected"


def of_errors(report, two_msl):
    """What must not have happened at an end, in words."""
    tw = report["time_wait"]
    # Without 2MSL each entry is skipped: that is what it means.
    for key in ("evicted", "skipped", "reused") if two_msl else ("evicted", "reused"):
        if tw[key] != 0:
            yield f"{tw[key]} entries {key}"
    for key in ("retransmitted", "challenges", "live"):
        if report[key] != 0:
            yield f"{report[key]} {key}"
    for key in ("failed", "open_errors"):
        if any(report[key].values()):
            yield f"{key}: {report[key]}"
    if report["opened"] != report["closed"]:
        yield f"{report['opened']} opened, {report['closed']} closed"
    if report.get("held", {}).get("lost"):
        yield f"{report['held']['lost']} held connections lost"


def failures(reports, two_msl, rate, window_s, quick):
    """What does not hold. A quick run has no time for rates to settle."""
    found = [] if quick else list(of_rates(reports[0], two_msl, rate))
    for report in reports:
        found += of_errors(report, two_msl)
    if reports[0]["window_s"] < window_s * 0.99:
        found.append(f"the window was {reports[0]['window_s']} s")
    return found


# ---- one case ----

def measure(tools, results, args, name, two_msl, words, over=over_ring):
    """A case of its own: n runs, all of which must be in the steady state."""
    warmup, window = times(two_msl, args.quick)
    say(f"{name}: {args.runs} runs of {warmup + window:.0f} s")
    words = [*words, "--tw", f"{two_msl}s" if two_msl else "0", "--warmup", f"{warmup}s",
             "--duration", f"{window}s"]
    runs = []
    for i in range(args.runs):
        runs.append(over(tools, f"{name}-{i}", warmup + window + 240, words))
        for found in failures(runs[-1], two_msl, args.rate, window, args.quick):
            results.problem(f"{name}, run {i}: {found}")
    report(results, name, two_msl, window, runs)


def report(results, name, two_msl, window, runs):
    main = [reports[0] for reports in runs]

    def median(key, *more):
        values = [r[key] if not more else r[key][more[0]] for r in main]
        return statistics.median(values)

    server = [load.cycles(reports[-1], "server") for reports in runs]
    client = [load.cycles(reports[0], "client") for reports in runs]
    results.add(name, [r["closes_per_s"] for r in main],
                two_msl=f"{two_msl}s", window=f"{window}s", entries=median("time_wait", "peak"),
                expired_per_s=float(median("time_wait", "expired_per_s")),
                retransmitted=sum(r["retransmitted"] for reports in runs for r in reports),
                challenges=sum(r["challenges"] for reports in runs for r in reports),
                packets=f"{median('packets_per_connection'):.2f}",
                octets=f"{main[0]['config']['request']}+{main[0]['config']['response']}",
                concurrency=main[0]["config"]["concurrency"], held=main[0]["held"]["established"],
                bound_by=main[0]["plan"]["bound_by"],
                connect_p50_us=float(median("connect_us", "p50")),
                connect_p99_us=float(median("connect_us", "p99")),
                client_cyc=statistics.median(client) if None not in client else None,
                server_cyc=statistics.median(server) if None not in server else None,
                rss_mb=sum(r["box"]["resident_octets"] for r in runs[-1]) // 1000000,
                thp_mb=sum(r["box"]["thp_octets"] for r in runs[-1]) // 1000000,
                hugetlb_mb=sum(r["box"]["hugetlb_octets"] for r in runs[-1]) // 1000000,
                checksums=main[0]["box"]["tx_checksums"], device=main[0]["box"]["device"])


def rate_words(args):
    return ("--rate", args.rate) if args.rate else ()


# ---- sections ----

def steady(tools, results, args):
    """The two rates that count, at the longest 2MSL asked for."""
    two_msl = 1 if args.quick else args.two_msl
    measure(tools, results, args, "steady.ring.open_close", two_msl,
            [*OPEN_CLOSE, "--concurrency", RING_CONCURRENCY, *rate_words(args)])
    measure(tools, results, args, "steady.memif.request_response", two_msl,
            [*REQUEST_RESPONSE, "--concurrency", MEMIF_CONCURRENCY, *rate_words(args)], over_memif)


def msl(tools, results, args):
    """The same rate at other 2MSLs."""
    points = []
    for two_msl in (0, 1) if args.quick else MSL_CURVE:
        name = f"msl.{two_msl}s"
        measure(tools, results, args, name, two_msl,
                [*OPEN_CLOSE, "--concurrency", RING_CONCURRENCY])
        points.append((two_msl, results.cases[name]))
    results.curve("rate_msl", "2MSL (s)", "connections/s", {"net_ring": points})
