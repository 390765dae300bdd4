# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""The cases: each section measures, each result is one line; ratios come last."""

import json
import os
import re
import statistics
import time

from . import cpu, goals, lab, load
from .lab import DPDK_CPU, KERNEL_CPU, say

OCTETS = 10000000
PORT = 5001
CONCURRENCY = 256
# More at once only fills queues on devices that are slower than either end.
DEVICE_CONCURRENCY = 128
# And what is tried as well, so that nobody waits for want of connections.
DEEP_CONCURRENCY = 512
PERCENT = ("own_", "kernel_")
REQUEST = {"open_close": (0, 0), "request_response": (1, 1)}


class Results:
    """Lines on standard output, and all of it as JSON and as a table."""

    def __init__(self):
        self.cases, self.ratios, self.curves = {}, {}, {}
        self.boxes, self.problems, self.verdicts, self.hosts = [], [], [], {}

    def read(self, folder):
        """What an earlier run left there: ratios and curves may span both."""
        path = os.path.join(folder, "results.json")
        if not os.path.exists(path):
            return
        with open(path, encoding="utf-8") as lines:
            old = json.load(lines)
        self.cases, self.ratios = old["cases"], old["ratios"]
        self.curves, self.boxes = old["curves"], old["boxes"]
        self.hosts = old["hosts"]

    def problem(self, words):
        """A figure that does not count."""
        self.problems.append(words)
        print(f"FAIL {words}", flush=True)

    def curve(self, name, x, y, series, log=""):
        """Points of each series: x and a case. `log`: x, y or xy have such a scale."""
        self.curves[name] = {"x": x, "y": y, "log": log, "series": {
            title: [{"x": at, **{key: case[key] for key in ("median", "min", "max", "n")}}
                    for at, case in sorted(points, key=lambda point: point[0])]
            for title, points in series.items()}}

    def bars(self, name, y, parts, stacks):
        """Stacks of parts, one for each name in `stacks`, which lists a value for each part."""
        self.curves[name] = {"y": y, "parts": parts, "stacks": stacks}

    def add(self, name, values, unit="conn/s", digits=0, **extra):
        self.put(name, unit, digits, {"median": statistics.median(values), "min": min(values),
                                      "max": max(values), "n": len(values), **extra})

    def put(self, name, unit, digits, case):
        case["unit"] = unit
        self.cases[name] = case
        words = " ".join(f"{key}={value:.0f}{'%' if key.startswith(PERCENT) else ''}"
                         if isinstance(value, float) else f"{key}={value}"
                         for key, value in case.items()
                         if key not in ("median", "min", "max", "n", "unit") and value is not None)
        print(f"{name}  {case['median']:.{digits}f} {unit}  n={case['n']} "
              f"min={case['min']:.{digits}f} max={case['max']:.{digits}f} {words}", flush=True)

    def ratio(self, name, above, below, factor=1.0):
        """Medians; the spread is worst against best and the other way round."""
        a, b = self.cases.get(above), self.cases.get(below)
        if a is None or b is None or not b["median"]:
            return
        least, most = (a["min"] / b["max"] if b["max"] else 0,
                       a["max"] / b["min"] if b["min"] else float("inf"))
        self.put_ratio(name, a["median"] / b["median"] * factor, least * factor, most * factor,
                       f"above={above} below={below}")

    def put_ratio(self, name, median, least, most, words):
        self.ratios[name] = {"median": median, "min": least, "max": most}
        print(f"ratio.{name}  {median:.2f} x  min={least:.2f} max={most:.2f} {words}", flush=True)

    def write(self, folder, line):
        if line not in self.boxes:
            self.boxes.append(line)
        with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as out:
            json.dump({"box": line, "boxes": self.boxes, "hosts": self.hosts, "cases": self.cases,
                       "ratios": self.ratios, "curves": self.curves, "problems": self.problems},
                      out, indent=1)
            out.write("\n")
        with open(os.path.join(folder, "results.md"), "w", encoding="utf-8") as out:
            out.write("| Case | Median | Spread | n | |\n|---|---|---|---|---|\n")
            for name, c in self.cases.items():
                digits = 0 if c["median"] >= 1000 else 2
                rest = ", ".join(f"{key} {value:,.0f}" for key, value in c.items()
                                 if key.endswith("cyc") and value is not None)
                out.write(f"| {name} | {c['median']:,.{digits}f} {c['unit']} | {c['min']:,.{digits}f}"
                          f"–{c['max']:,.{digits}f} | {c['n']} | {rest} |\n")
            out.write("\n| Ratio | Medians | Spread |\n|---|---|---|\n")
            for name, r in self.ratios.items():
                out.write(f"| {name} | {r['median']:.2f} | {r['min']:.2f}–{r['max']:.2f} |\n")
            goals.table(self, out)


def parse_line(text, name):
    """A C bench's own line: value and what follows it."""
    match = re.search(rf"^{re.escape(name)}  ([\d.]+) (\S+)  (.*)$", text, re.M)
    if match is None:
        raise lab.Failure(f"no line {name} in:\n{text}")
    rest = dict(word.split("=", 1) for word in match.group(3).split() if "=" in word)
    return float(match.group(1)), match.group(2), rest


def add_kernel_line(results, text, name, is_bulk=False, **extra):
    value, _, rest = parse_line(text, name)
    factor, unit, digits = (OCTETS * 8 / 1e9, "Gbit/s", 2) if is_bulk else (1.0, "conn/s", 0)
    if int(rest["errors"]) != 0:
        raise lab.Failure(f"{name}: {rest['errors']} connections failed")
    results.put(name, unit, digits, {
        "median": value * factor, "min": float(rest["min"]) * factor,
        "max": float(rest["max"]) * factor, "n": int(rest["n"]),
        "concurrency": int(rest["concurrency"]), "tw_overflows": int(rest["tw_overflows"]), **extra})


# ---- pmtcp-load with both ends in one process ----

def ring(tools, results, args):
    for case, (request, response) in REQUEST.items():
        name = f"ring.{case}"
        say(f"{name}: {args.runs} runs")
        reports = [load.Load(tools, f"{name}-{i}", "run", "--tw", "1s", "--warmup", "2s",
                             "--duration", f"{args.seconds}s", "--concurrency", CONCURRENCY,
                             "--request", request, "--response", response).finish(120)
                   for i in range(args.runs)]
        results.add(name, [r["closes_per_s"] for r in reports],
                    client_cyc=median_cycles(reports, "client"),
                    server_cyc=median_cycles(reports, "server"),
                    packets=f"{reports[-1]['packets_per_connection']:.2f}",
                    retransmitted=sum(r["retransmitted"] for r in reports),
                    concurrency=CONCURRENCY, tw="1s", checksums="software")
    bulk_runs = [load.Load(tools, f"ring.bulk-{i}", "run", *bulk_args(args, "--request")).finish(120)
                 for i in range(args.runs)]
    results.add("ring.bulk", [gigabits(r) for r in bulk_runs], "Gbit/s", 2, octets=OCTETS)


def median_cycles(reports, end):
    found = [load.cycles(r, end) for r in reports]
    return None if None in found else statistics.median(found)


def bulk_args(args, direction):
    count = 10 if args.quick else 50
    return (direction, OCTETS, "--count", count, "--concurrency", 1, "--tw", "1s")


def gigabits(report):
    return report["closed"] * OCTETS * 8 / report["window_s"] / 1e9


# ---- the kernel against itself ----

def kernel_loop_args(args, name, request=0, response=0, concurrency=CONCURRENCY):
    return ("--name", name, "--request", request, "--response", response, "--concurrency",
            concurrency, "--runs", args.runs, "--seconds", args.seconds, "--warmup", 1)


def kernel(tools, results, args):
    if not lab.is_root():
        say("kernel: not root, so in the host's own loopback, whose TIME-WAIT may overflow")
        kernel_loopback(tools, results, args, None)
        return
    with lab.Network(tools) as net:
        kernel_loopback(tools, results, args, net.kernel)


def kernel_loopback(tools, results, args, netns):
    for case, (request, response) in REQUEST.items():
        name = f"kernel.loopback.{case}"
        say(f"{name}: {args.runs} runs")
        text = tools.run("kernel_loop", *kernel_loop_args(args, name, request, response),
                         netns=netns)
        add_kernel_line(results, text, name)
    text = tools.run("kernel_loop", *kernel_loop_args(args, "kernel.loopback.bulk", OCTETS, 0, 1),
                     netns=netns)
    add_kernel_line(results, text, "kernel.loopback.bulk", is_bulk=True)


# ---- pmtcp and the kernel on one device ----

class Device:
    """One link between a namespace with sockets and pmtcp."""

    def __init__(self, tools, net, kind):
        self.tools, self.net, self.kind = tools, net, kind
        if kind == "veth":
            self.link, self.interface, self.dpdk_ns = "af_packet:pmv0", "pmv1", net.dpdk
            self.kernel_ip, self.own_ip = net.VETH_KERNEL, net.SOURCES_DPDK
            self.kernel_sources = net.SOURCES_KERNEL
        else:
            # The kernel's end of a tap is where the device is made.
            self.link, self.interface = f"tap:pmt0,kernel={net.TAP_KERNEL}/16", "pmt0"
            self.dpdk_ns, self.kernel_ip, self.own_ip = net.kernel, net.TAP_KERNEL, net.TAP_DPDK
            self.kernel_sources = net.TAP_SOURCES_KERNEL
        self.server_ip = self.own_ip.split("-", maxsplit=1)[0]

    def load(self, name, *words):
        return load.Load(self.tools, name, *words, "--link", self.link, "--ip",
                         self.own_ip + "/16", netns=self.dpdk_ns, cpu=DPDK_CPU)

    def kernel_server(self, request=0, response=0):
        return self.tools.start("kernel_loop", "--role", "server", "--server", "0.0.0.0",
                                "--port", PORT, "--request", request, "--response", response,
                                "--seconds", 600, "--runs", 1, "--warmup", 0, "--server-cpu",
                                KERNEL_CPU, netns=self.net.kernel)

    def kernel_client(self, args, name, server, *more):
        return self.start_kernel_client(args, name, server, *more).finish(120)

    def start_kernel_client(self, args, name, server, *more):
        return self.tools.start("kernel_loop", "--role", "client", "--server", server, "--port",
                              PORT, "--sources", self.kernel_sources, "--client-cpu", KERNEL_CPU,
                              *args, "--name", name, *more, netns=self.net.kernel)


def echo_ceiling(device, results, args):
    name = f"{device.kind}.echo_ceiling"
    say(f"{name}: {args.runs} runs")
    echo = device.tools.start("echo_ceiling", "echo", device.link, args.seconds, args.runs,
                              netns=device.dpdk_ns, cpu=DPDK_CPU)
    time.sleep(1.5)
    device.tools.run("echo_ceiling", "source", device.interface,
                     args.seconds * args.runs + 2.5, netns=device.net.kernel, cpu=KERNEL_CPU)
    text = echo.finish(60)
    match = re.search(r"^(echo_ceiling\.\S+)", text, re.M)
    value, unit, rest = parse_line(text, match.group(1) if match else "echo_ceiling")
    results.put(name, unit, 0, {"median": value, "min": float(rest["min"]),
                                "max": float(rest["max"]), "n": int(rest["n"]),
                                "device_cyc": float(rest["cyc"]), "frame": rest["frame"]})


def depths(device):
    """Suffix of a case's name, and connections in flight."""
    deep = {f".c{DEEP_CONCURRENCY}": DEEP_CONCURRENCY} if device.kind == "veth" else {}
    return {"": DEVICE_CONCURRENCY, **deep}.items()


def as_client(device, results, args):
    for case in REQUEST:
        for suffix, concurrency in depths(device):
            client_case(device, results, args, case + suffix, concurrency)


def client_case(device, results, args, case, concurrency):
    name = f"{device.kind}.client.{case}"
    request, response = REQUEST[case.split(".", maxsplit=1)[0]]
    say(f"{name}: {args.runs} runs")
    server = device.kernel_server(request, response)
    reports, cores = [], []
    for i in range(args.runs):
        own = device.load(f"{name}-{i}", "client", "--target", f"{device.kernel_ip}:{PORT}",
                          "--warmup", "1s", "--duration", f"{args.seconds}s", "--concurrency",
                          concurrency, "--request", request, "--response", response)
        own.process.wait_for("plan")
        watch = cpu.Watch(own.process, server, 1.1, args.seconds * 0.8)
        reports.append(own.finish(120))
        cores.append(watch.finish())
    server.interrupt()
    results.add(name, [r["closes_per_s"] for r in reports],
                client_cyc=median_cycles(reports, "client"),
                packets=f"{statistics.median(r['packets_per_connection'] for r in reports):.2f}",
                retransmitted=sum(r["retransmitted"] for r in reports),
                challenges=sum(r["challenges"] for r in reports),
                own_working=statistics.median(float(r["box"]["client_busy_percent"])
                                              for r in reports),
                **{key: statistics.median(c[key] for c in cores) for key in cores[0]},
                concurrency=concurrency, tw="60s")
    add_verdict(results, device, name)


def as_server(device, results, args):
    for case in REQUEST:
        for suffix, concurrency in depths(device):
            server_case(device, results, args, case + suffix, concurrency)


def server_case(device, results, args, case, concurrency):
    name = f"{device.kind}.server.{case}"
    request, response = REQUEST[case.split(".", maxsplit=1)[0]]
    say(f"{name}: {args.runs} runs")
    server = device.load(name, "server", "--listen", PORT, "--request", request, "--response",
                         response)
    server.process.wait_for("plan")
    time.sleep(1)
    client = device.start_kernel_client(kernel_loop_args(args, name, request, response,
                                                         concurrency), name, device.server_ip)
    watch = cpu.Watch(server.process, client, 1.1, args.seconds * args.runs * 0.9)
    text = client.finish(120)
    report, cores = server.interrupt(), watch.finish()
    add_kernel_line(results, text, name, server_cyc=load.cycles(report, "server"),
                    packets=f"{report['packets_per_connection']:.2f}", **cores)
    add_verdict(results, device, name)


def add_verdict(results, device, name):
    """What is full: the device, the kernel's core, or neither."""
    case, ceiling = results.cases[name], results.cases[f"{device.kind}.echo_ceiling"]
    of_ceiling = case["median"] * float(case["packets"]) / 2 / ceiling["median"]
    case["of_ceiling"], case["verdict"] = of_ceiling, cpu.verdict(of_ceiling, case)
    print(f"{device.kind}.verdict  {case['verdict']}  case={name} of_ceiling={of_ceiling:.2f} "
          f"kernel_cpu_busy={case['kernel_cpu_busy']:.0f}% "
          f"kernel_cpu_other={case['kernel_cpu_other']:.0f}% "
          f"own_cpu_busy={case['own_cpu_busy']:.0f}% own_user={case['own_user']:.0f}% "
          f"own_system={case['own_system']:.0f}% own_softirq={case['own_softirq']:.0f}%",
          flush=True)


def bulk(device, results, args):
    server = device.kernel_server(OCTETS, 0)
    name = f"{device.kind}.client.bulk_send"
    say(f"{name}: {args.runs} runs")
    sent = [device.load(f"{name}-{i}", "client", "--target", f"{device.kernel_ip}:{PORT}",
                        *bulk_args(args, "--request")).finish(180) for i in range(args.runs)]
    server.interrupt()
    results.add(name, [gigabits(r) for r in sent], "Gbit/s", 2, octets=OCTETS,
                retransmitted=sum(r["retransmitted"] for r in sent))
    server = device.kernel_server(0, OCTETS)
    name = f"{device.kind}.client.bulk_receive"
    say(f"{name}: {args.runs} runs")
    got = [device.load(f"{name}-{i}", "client", "--target", f"{device.kernel_ip}:{PORT}",
                       *bulk_args(args, "--response")).finish(180) for i in range(args.runs)]
    server.interrupt()
    results.add(name, [gigabits(r) for r in got], "Gbit/s", 2, octets=OCTETS)
    for direction, (request, response) in {"receive": (OCTETS, 0), "send": (0, OCTETS)}.items():
        server_bulk(device, results, args, direction, (request, response))


def server_bulk(device, results, args, direction, octets):
    """The same with the kernel as the one that opens."""
    name = f"{device.kind}.server.bulk_{direction}"
    say(f"{name}: {args.runs} runs")
    server = device.load(name, "server", "--listen", PORT, "--request", octets[0], "--response",
                         octets[1])
    server.process.wait_for("plan")
    time.sleep(1)
    text = device.kernel_client(kernel_loop_args(args, name, *octets, 1), name, device.server_ip)
    server.interrupt()
    add_kernel_line(results, text, name, is_bulk=True, octets=OCTETS)


def kernel_pair(device, results, args):
    """The kernel against itself, on the same veth."""
    net = device.net
    net.kernel_address_at_dpdk_end(True)
    for case, (request, response) in {**REQUEST, "bulk": (OCTETS, 0)}.items():
        name = f"veth.kernel.{case}"
        say(f"{name}: {args.runs} runs")
        server = device.tools.start("kernel_loop", "--role", "server", "--server",
                                    net.VETH_DPDK, "--request", request, "--response", response,
                                    "--seconds", 600, "--runs", 1, "--warmup", 0, "--server-cpu",
                                    DPDK_CPU, netns=net.dpdk)
        time.sleep(0.3)
        concurrency = 1 if case == "bulk" else DEVICE_CONCURRENCY
        text = device.kernel_client(kernel_loop_args(args, name, request, response, concurrency),
                                    name, net.VETH_DPDK)
        server.interrupt()
        add_kernel_line(results, text, name, is_bulk=case == "bulk")
    net.kernel_address_at_dpdk_end(False)


def on_device(tools, results, args, kind):
    if not lab.is_root():
        say(f"{kind}: skipped, it needs root")
        return
    with lab.Network(tools) as net:
        device = Device(tools, net, kind)
        if kind == "veth":
            kernel_pair(device, results, args)
        for measure in (echo_ceiling, as_client, as_server, bulk):
            measure(device, results, args)


def veth(tools, results, args):
    on_device(tools, results, args, "veth")


def tap(tools, results, args):
    on_device(tools, results, args, "tap")


# ---- data structures ----

def c_bench(tools, results, args, program, timeout_s, core=DPDK_CPU):
    """Its lines become ours; its own first line is for when it runs alone."""
    say(f"{program}: up to {timeout_s} s")
    text = tools.run(program, *(["--quick"] if args.quick else []), cpu=core,
                     timeout_s=timeout_s)
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = re.match(r"(\S+)  ([\d.]+) (\S+)  (.*)$", line)
        if match is None:
            raise lab.Failure(f"{program}: {line}")
        print(line, flush=True)
        rest = dict(word.split("=", 1) for word in match.group(4).split() if "=" in word)
        case = {"median": float(match.group(2)), "min": float(rest["min"]),
                "max": float(rest["max"])}
        if match.group(1).startswith("ratio."):
            subject = program.replace("bench_", "")
            name = match.group(1)[len("ratio."):].replace(subject + ".", "", 1)
            results.ratios[f"{subject}.{name}"] = case
        else:
            results.cases[match.group(1)] = {**case, "n": int(rest["n"]), "unit": match.group(3)}


def table(tools, results, args):
    c_bench(tools, results, args, "bench_flow_table", 900)


def wheel(tools, results, args):
    c_bench(tools, results, args, "bench_wheel", 900)


def workers(tools, results, args):
    """Several workers with something in common: it has threads of its own on both cores."""
    c_bench(tools, results, args, "bench_workers", 300, None)


def host(tools, results, section):
    """What the machine left at that time: figures of different hours are not alike."""
    text = tools.run("bench_host", "--quick", timeout_s=60)
    found = {name: float(value)
             for name, value in re.findall(r"^host\.(\S+)  ([\d.]+)", text, re.M)}
    results.hosts[section] = found
    print(f"# host before {section}: " + " ".join(f"{name}={value:g}"
                                                  for name, value in found.items()), flush=True)


# ---- side by side ----

def ratios(results):
    for case in REQUEST:
        results.ratio(f"{case}.ring_to_kernel", f"ring.{case}", f"kernel.loopback.{case}")
        for end in ("client", "server"):
            results.ratio(f"{case}.veth_{end}_to_kernel", f"veth.{end}.{case}",
                          f"veth.kernel.{case}")
    for kind in ("veth", "tap"):
        for end in ("client", "server"):
            case = results.cases.get(f"{kind}.{end}.open_close")
            if case is not None:
                # An echo is two packets.
                results.ratio(f"open_close.{kind}_{end}_of_ceiling", f"{kind}.{end}.open_close",
                              f"{kind}.echo_ceiling", float(case["packets"]) / 2)
        for direction in ("send", "receive"):
            results.ratio(f"bulk.{kind}_{direction}_to_kernel", f"{kind}.client.bulk_{direction}",
                          "veth.kernel.bulk")
