# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Where the cycles of an open and close go, by the source file a sample falls in.

perf samples both cores by time while pmtcp-load runs; addr2line says which file each sample is
of, inlined or not, so the program needs line numbers (meson setup -Dc_args=-g)."""

import collections
import os
import re
import shutil
import subprocess

from . import box, lab, load
from .lab import say

FREQUENCY_HZ = 4000
IDLE_RATE = 10
BEGIN_MS = 4000  # from the start of the program: set-up and warm-up are over
PARTS = ("device", "parse", "lookup", "state machine", "ports and secrets", "timers",
         "calls and events", "output", "application", "kernel", "other")
# The first that fits; a file that fits none is that of a helper: its caller's counts.
FILES = (
    ("parse", r"lib/wire/wire_(parse|opt|ext)\.|lib/wire/seg\.h|lib/stack/stack_input"),
    ("output", r"lib/wire/|lib/tcp/tcp_(output|mark|rexmit|reply)\.c|lib/stack/neigh"),
    ("lookup", r"lib/flow/|lib/tcp/tcp_burst"),
    ("timers", r"lib/wheel/|lib/tcp/tcp_timer\.c"),
    ("ports and secrets", r"lib/tcp/tcp_port|lib/base/siphash"),
    ("calls and events", r"lib/stack/|lib/tcp/tcp_(user|event|stream)\.c"),
    ("state machine", r"lib/tcp/\w+\.c|lib/tcp/slab|lib/recovery/|lib/stream/"),
    ("application", r"apps/"),
    ("device", r"lib/dpdk/|/dpdk/"),
)
BATCH = 2000


def part_of_file(path):
    return next((part for part, pattern in FILES if re.search(pattern, path)), None)


def has_lines(exe):
    done = subprocess.run(["readelf", "-S", exe], capture_output=True, text=True, check=False)
    return ".debug_line" in done.stdout


def parts_of(exe, offsets):
    """{offset: part} by the innermost frame whose file tells."""
    found, offsets = {}, sorted(offsets)
    for i in range(0, len(offsets), BATCH):
        batch = offsets[i:i + BATCH]
        text = subprocess.run(["addr2line", "-a", "-i", "-e", exe, *(hex(at) for at in batch)],
                              capture_output=True, text=True, check=True).stdout
        at = None
        for line in text.splitlines():
            if re.fullmatch(r"0x[0-9a-f]+", line):
                at = int(line, 16)
            elif found.get(at) is None:
                found[at] = part_of_file(os.path.normpath(line))
    return found


def record(tools, name, exe, seconds, *words):
    """[(thread, address, function, where)] of so many seconds in the measured window of a run,
    where the program lay, and the run's report. perf starts it, so that it need not wait for
    a core that the run has to itself."""
    data, report = (os.path.join(tools.out, name + end) for end in (".perf", ".json"))
    process = lab.Process(["perf", "record", "-q", "-e", "cpu-clock", "-F", FREQUENCY_HZ, "-D",
                           BEGIN_MS, "-o", data, "--", exe, "run", "--tw", "1s", "--warmup", "2s",
                           "--duration", f"{seconds + 3}s", "--json", report, *words], data + ".txt")
    process.finish(seconds + 60)
    text = subprocess.run(["perf", "script", "--show-mmap-events", "-i", data, "-F",
                           "tid,time,event,ip,sym,dso"], capture_output=True, text=True,
                          check=True).stdout
    base = re.search(rf"\[(0x[0-9a-f]+)\((?:0x[0-9a-f]+)\) @ (\S+) .* r-xp {re.escape(exe)}$",
                     text, re.M)
    if base is None:
        raise lab.Failure(f"perf does not say where {exe} lay")
    found = [(int(tid), float(at), int(ip, 16), sym, dso) for tid, at, ip, sym, dso in
             re.findall(r"^\s*(\d+)\s+([\d.]+):\s+\S*cpu-clock\S*\s+([0-9a-f]+) (.*?) "
                        r"\(([^()]*)\)\s*$", text, re.M)]
    begin = min((at for _, at, _, _, _ in found), default=0)
    samples = [(tid, ip, sym, dso) for tid, at, ip, sym, dso in found if at < begin + seconds]
    return samples, int(base.group(1), 16) - int(base.group(2), 0), load.read(report)


def count(samples, base, exe):
    """{thread: Counter of samples by part} of the two busiest."""
    parts = parts_of(exe, {ip - base for _, ip, _, dso in samples if dso == exe})
    threads = collections.defaultdict(collections.Counter)
    for tid, ip, _, dso in samples:
        if dso == exe:
            part = parts.get(ip - base) or "other"
        elif dso.startswith("["):
            part = "kernel" if "kernel" in dso else "device"  # the clock, by the vDSO
        else:
            part = "device" if "librte" in dso else "other"
        threads[tid][part] += 1
    busiest = sorted(threads, key=lambda tid: -sum(threads[tid].values()))[:2]
    return {tid: threads[tid] for tid in busiest}


def per_connection(counter, idle, seconds, busy_percent, rate):
    """Cycles of each part. What the thread does while it waits, as the samples of an idle one
    show, is taken off."""
    cycles = {part: counter[part] / FREQUENCY_HZ * box.tsc_hz() / seconds / rate
              for part in PARTS}
    in_vain = sum(cycles.values()) * max(0, 1 - busy_percent / 100)
    return {part: max(0, cycles[part] - in_vain * idle[part] / max(1, sum(idle.values())))
            for part in PARTS}


def cycles(tools, results, args):
    """One table for each end."""
    exe = os.path.realpath(tools.path("pmtcp-load"))
    for program in ("perf", "addr2line"):
        if shutil.which(program) is None:
            say(f"cycles: skipped, {program} is not installed")
            return
    if not has_lines(exe):
        say("cycles: skipped, the build has no line numbers: meson setup -Dc_args=-g")
        return
    seconds = 1 if args.quick else max(args.seconds, 5)
    say(f"cycles: {args.runs} runs")
    found = {"client": [], "server": []}
    samples, base, _ = record(tools, "cycles-idle", exe, 1, "--rate", IDLE_RATE)
    idle = by_end(samples, base, exe)
    for i in range(args.runs):
        samples, base, report = record(tools, f"cycles-{i}", exe, seconds,
                                       "--concurrency", 256)
        for end, counter in by_end(samples, base, exe).items():
            found[end].append(per_connection(counter, idle[end], seconds,
                                             report["box"][f"{end}_busy_percent"],
                                             report["closes_per_s"]))
    for end, runs in found.items():
        for part in PARTS:
            results.add(f"cycles.{end}.{part.replace(' ', '_')}", [r[part] for r in runs],
                        "cyc/conn")
    results.bars("cycles", "cycles per open + close", list(PARTS),
                 {end: [results.cases[f"cycles.{end}.{part.replace(' ', '_')}"]["median"]
                        for part in PARTS] for end in found})


def by_end(samples, base, exe):
    """Whose thread is whose: by the function that is the application of each."""
    threads = count(samples, base, exe)
    ends = {}
    for end in ("client", "server"):
        turns = collections.Counter(tid for tid, _, sym, _ in samples
                                    if tid in threads and sym.startswith(f"{end}_turn"))
        if not turns:
            raise lab.Failure(f"no sample of {end}_turn()")
        ends[end] = threads[turns.most_common(1)[0][0]]
    return ends
