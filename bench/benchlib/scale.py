# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""How far it goes: idle connections, latency under load, cores side by side, curves."""

import math
import re
import statistics

from . import cases, lab, load, steady
from .lab import say

HELD_FEW, HELD_MANY, HELD_QUICK = 1000, 10000000, 20000
HELD_2MSL_S = 10
LOADS = (50, 90)
LOAD_CURVE = (10, 25, 50, 75, 90, 95)
CONCURRENCY_CURVE = (10, 100, 1000, 10000, 100000, 1000000)
BURST_CURVE = (8, 16, 24, 32, 48, 64)
FLOW_TABLE_SIZE = 1000000


def short(number):
    """1000: 1k."""
    for unit, letter in ((1000000, "M"), (1000, "k")):
        if number >= unit and number % unit == 0:
            return f"{number // unit}{letter}"
    return str(number)


def ring_runs(tools, args, name, *words, cpu=None, timeout_s=120):
    return [load.Load(tools, f"{name}-{i}", "run", "--tw", "1s", "--warmup", "2s", "--duration",
                      f"{args.seconds}s", *words, cpu=cpu).finish(timeout_s)
            for i in range(args.runs)]


# ---- connections that are idle ----

def held(tools, results, args):
    """Open and close beside many idle connections, against beside few."""
    for number in (HELD_FEW, HELD_QUICK if args.quick else HELD_MANY):
        steady.measure(tools, results, args, f"held.{short(number)}",
                       1 if args.quick else HELD_2MSL_S,
                       [*steady.OPEN_CLOSE, "--concurrency", steady.RING_CONCURRENCY, "--hold",
                        number])


def idle(tools, results, args):
    """Bytes of an idle connection; what does not fit makes the program fail."""
    cases.c_bench(tools, results, args, "bench_idle", 900)
    series = {}
    for name, case in results.cases.items():
        match = re.fullmatch(r"idle\.(\w+)\.(\w+)\.(\d+)([kM])", name)
        if match:
            size = int(match[3]) * (1000 if match[4] == "k" else 1000000)
            series.setdefault(f"{match[1]}, {match[2]} pages", []).append((size, case))
    results.curve("bytes", "connections", "bytes per end", series, log="x")


# ---- latency ----

def top_rate(tools, results, args):
    """As fast as it goes, measured in the same run."""
    if "ring.open_close" not in results.cases:
        say(f"latency: how fast does it go at most? {args.runs} runs")
        reports = ring_runs(tools, args, "latency.top", "--concurrency", 256)
        results.add("latency.top", [r["closes_per_s"] for r in reports], concurrency=256)
    return results.cases.get("ring.open_close", results.cases.get("latency.top"))["median"]


def at_load(tools, results, args, percent, rate):
    say(f"latency at {percent} %: {args.runs} runs")
    reports = ring_runs(tools, args, f"latency.{percent}", "--rate", rate)
    for what in ("connect", "close"):
        for key in ("p50", "p99"):
            results.add(f"latency.{what}_{key}.{percent}",
                        [r[f"{what}_us"][key] for r in reports], "us", 1, rate=rate,
                        opens=statistics.median(r["opens_per_s"] for r in reports),
                        late=sum(r["pace"]["late"] for r in reports),
                        retransmitted=sum(r["retransmitted"] for r in reports))


def latency(tools, results, args, loads=LOADS):
    """From the intended launch, in an open loop."""
    top = top_rate(tools, results, args)
    for percent in loads:
        if f"latency.connect_p50.{percent}" not in results.cases:
            at_load(tools, results, args, percent, int(top * percent / 100))
    measured = [p for p in LOAD_CURVE if f"latency.connect_p50.{p}" in results.cases]
    results.curve("latency", "load (% of the highest rate)", "connect, us",
                  {key: [(p, results.cases[f"latency.connect_{key}.{p}"]) for p in measured]
                   for key in ("p50", "p99")}, log="y")


# ---- one core and two, with nothing in common ----

def cores(tools, results, args):
    """A client and a server on one core, then two such pairs, each on a core of its own; and
    what the machine itself loses then, by two copies of bench_flow_table."""
    say(f"cores: {args.runs} runs of one, then of two")
    one = ring_runs(tools, args, "cores.one", "--concurrency", 256, cpu=0)
    results.add("cores.one", [r["closes_per_s"] for r in one], concurrency=256)
    two = []
    for i in range(args.runs):
        pair = [load.Load(tools, f"cores.two-{i}-{cpu}", "run", "--tw", "1s", "--warmup", "2s",
                          "--duration", f"{args.seconds}s", "--concurrency", 256, cpu=cpu)
                for cpu in (0, 1)]
        two.append(sum(each.finish(120)["closes_per_s"] for each in pair))
    results.add("cores.two", two, concurrency=512)
    results.ratio("cores.two_to_one", "cores.two", "cores.one", 0.5)
    share = flow_table_share(tools, args)
    results.put("cores.flow_table_share", "x", 2,
                {"median": share, "min": share, "max": share, "n": 1})
    results.ratio("cores.of_flow_table", "cores.two", "cores.one", 0.5 / share)


def flow_table_share(tools, args):
    """How fast a copy is that has another beside it; 1: as fast as alone."""
    size = "--quick" if args.quick else str(FLOW_TABLE_SIZE)
    say("cores: bench_flow_table alone, then two copies")
    alone = flow_table_ns(tools.run("bench_flow_table", size, cpu=0, timeout_s=300))
    both = [tools.start("bench_flow_table", size, cpu=cpu) for cpu in (0, 1)]
    shares = []
    for text in [each.finish(300) for each in both]:
        beside = flow_table_ns(text)
        shares += [math.log(alone[name] / beside[name]) for name in alone]
    return math.exp(statistics.mean(shares))


def flow_table_ns(text):
    found = dict(re.findall(r"^(flow_table\.\S+)  ([\d.]+) ns/op", text, re.M))
    if not found:
        raise lab.Failure(f"no line of the flow table in:\n{text}")
    return {name: float(ns) for name, ns in found.items()}


# ---- curves ----

def curves(tools, results, args):
    """Rate against connections open at once, frames a burst and idle connections; latency
    against load."""
    points = []
    for number in (10, 1000) if args.quick else CONCURRENCY_CURVE:
        name = f"curve.concurrency.{short(number)}"
        say(f"{name}: {args.runs} runs")
        reports = ring_runs(tools, args, name, "--concurrency", number)
        results.add(name, [r["closes_per_s"] for r in reports],
                    connect_p50_us=float(statistics.median(r["connect_us"]["p50"]
                                                           for r in reports)))
        points.append((number, results.cases[name]))
    results.curve("rate_concurrency", "connections open at once", "connections/s",
                  {"net_ring": points}, log="x")
    curve_of_bursts(tools, results, args)
    curve_of_held(tools, results, args)
    latency(tools, results, args, (50,) if args.quick else LOAD_CURVE)


def curve_of_bursts(tools, results, args):
    points = []
    for number in (8, 32) if args.quick else BURST_CURVE:
        name = f"curve.burst.{number}"
        say(f"{name}: {args.runs} runs")
        reports = ring_runs(tools, args, name, "--concurrency", 256, "--burst", number)
        results.add(name, [r["closes_per_s"] for r in reports],
                    connect_p50_us=float(statistics.median(r["connect_us"]["p50"]
                                                           for r in reports)))
        points.append((number, results.cases[name]))
    results.curve("rate_burst", "frames moved at a time", "connections/s", {"net_ring": points},
                  log="x")


def curve_of_held(tools, results, args):
    points = []
    for number in (1000, 10000) if args.quick else (10 ** n for n in range(3, 8)):
        name = f"curve.held.{short(number)}"
        say(f"{name}: {args.runs} runs")
        reports = ring_runs(tools, args, name, "--concurrency", 256, "--hold", number,
                            timeout_s=300)
        results.add(name, [r["closes_per_s"] for r in reports],
                    rss_mb=reports[-1]["box"]["resident_octets"] // 1000000)
        points.append((number, results.cases[name]))
    results.curve("rate_held", "idle connections beside", "connections/s", {"net_ring": points},
                  log="x")
