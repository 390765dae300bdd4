# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""The curves that a device reaches, with the kernel as the server: connections open at once,
2MSL, latency under load; and of the kernel with itself what it can show."""

import statistics

from . import cases, lab
from .lab import say

CONCURRENCY_CURVE = (8, 32, 128, 512, 2048)
MSL_CURVE_S = (0, 1, 10, 60)
LOAD_CURVE = (25, 50, 75, 90)
KINDS = (("veth", "net_af_packet to kernel"), ("tap", "net_tap to kernel"))
CONCURRENCY = 512


def devices(tools, results, args):
    """Each curve for net_af_packet and net_tap."""
    if not lab.is_root():
        say("devices: skipped, it needs root")
        return
    with lab.Network(tools) as net:
        of_concurrency(tools, net, results, args)
        of_two_msl(tools, net, results, args)
        of_load(tools, net, results, args)


def runs(device, args, name, *words):
    """Reports of pmtcp as the client of a socket."""
    say(f"{name}: {args.runs} runs")
    server = device.kernel_server()
    reports = [device.load(f"{name}-{i}", "client", "--target",
                           f"{device.kernel_ip}:{cases.PORT}", "--warmup", "1s", "--duration",
                           f"{args.seconds}s", *words).finish(120) for i in range(args.runs)]
    server.interrupt()
    return reports


def point(device, results, args, name, *words):
    reports = runs(device, args, name, *words)
    results.add(name, [r["closes_per_s"] for r in reports],
                tw=f"{reports[0]['config']['tw_s']:g}s",
                retransmitted=sum(r["retransmitted"] for r in reports))
    return results.cases[name]


def of_concurrency(tools, net, results, args):
    series = {}
    for number in (8, 32) if args.quick else CONCURRENCY_CURVE:
        name = f"curve.kernel.{number}"
        text = tools.run("kernel_loop", *cases.kernel_loop_args(args, name, 0, 0, number),
                         netns=net.kernel)
        cases.add_kernel_line(results, text, name)
        series.setdefault("kernel, loopback", []).append((number, results.cases[name]))
        for kind, title in KINDS:
            case = point(cases.Device(tools, net, kind), results, args, f"curve.{kind}.{number}",
                         "--concurrency", number)
            series.setdefault(title, []).append((number, case))
    results.curve("rate_devices", "connections open at once", "connections/s", series, log="x")


def of_two_msl(tools, net, results, args):
    """Short runs: what the length of TIME-WAIT costs where the device sets the pace."""
    series = {}
    for seconds in (0, 1) if args.quick else MSL_CURVE_S:
        for kind, title in KINDS:
            case = point(cases.Device(tools, net, kind), results, args,
                         f"curve.{kind}.tw{seconds}s", "--concurrency", CONCURRENCY, "--tw",
                         f"{seconds}s" if seconds else "0")
            series.setdefault(title, []).append((seconds, case))
    results.curve("rate_msl_devices", "2MSL (s)", "connections/s", series)


def of_load(tools, net, results, args):
    """From the intended launch; 100 % is what the same device did with so many open at once."""
    series = {}
    for kind, title in KINDS:
        device = cases.Device(tools, net, kind)
        top = point(device, results, args, f"curve.{kind}.top", "--concurrency", CONCURRENCY)
        for percent in (50,) if args.quick else LOAD_CURVE:
            name, rate = f"curve.{kind}.load{percent}", int(top["median"] * percent / 100)
            reports = runs(device, args, name, "--rate", rate)
            for key in ("p50", "p99"):
                results.add(f"{name}.connect_{key}", [r["connect_us"][key] for r in reports], "us",
                            1, rate=rate,
                            opens=statistics.median(r["opens_per_s"] for r in reports),
                            late=sum(r["pace"]["late"] for r in reports),
                            retransmitted=sum(r["retransmitted"] for r in reports))
                series.setdefault(f"{title}, {key}", []).append(
                    (percent, results.cases[f"{name}.connect_{key}"]))
    results.curve("latency_devices", "load (% of the highest rate)", "connect, us", series,
                  log="y")
