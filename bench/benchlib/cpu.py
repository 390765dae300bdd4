# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Whose core is full while a case is measured: /proc/stat, and /proc/<pid>/stat of both ends.

Not a profiler: it says which core, and whether user or system; perf says which function."""

import os
import threading
import time

from .lab import DPDK_CPU, KERNEL_CPU, Failure

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL = range(8)
FULL_PERCENT, CEILING_SHARE = 95, 0.8


def core_ticks(cpu):
    with open("/proc/stat", encoding="ascii") as lines:
        for line in lines:
            words = line.split()
            if words[0] == f"cpu{cpu}":
                return [int(word) for word in words[1:9]]
    raise OSError(f"no cpu{cpu} in /proc/stat")


def process_ticks(pid):
    """User and system time of all its threads."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as line:
        words = line.read().rsplit(")", 1)[1].split()
    return [int(words[11]), int(words[12])]


class Sample:
    """One moment."""

    def __init__(self, own_pid, kernel_pid):
        self.seconds = time.monotonic()
        self.own, self.kernel = core_ticks(DPDK_CPU), core_ticks(KERNEL_CPU)
        self.own_process, self.kernel_process = process_ticks(own_pid), process_ticks(kernel_pid)


def percent(first, last):
    """What happened between two samples. A core's shares are of that core's own ticks."""
    wall = (last.seconds - first.seconds) * TICKS_PER_S
    own, kernel = ([b - a for a, b in zip(old, new)] for old, new in
                   ((first.own, last.own), (first.kernel, last.kernel)))
    own_process, kernel_process = ([b - a for a, b in zip(old, new)] for old, new in
                                   ((first.own_process, last.own_process),
                                    (first.kernel_process, last.kernel_process)))

    def of(core, ticks):
        return 100 * ticks / max(1, sum(core))

    return {"kernel_cpu_busy": of(kernel, sum(kernel) - kernel[IDLE] - kernel[IOWAIT]),
            # What others compute on the peer's core must not pass for the peer's work.
            "kernel_cpu_other": of(kernel, max(0, kernel[USER] + kernel[NICE] + kernel[STEAL] -
                                               kernel_process[0])),
            "kernel_user": 100 * kernel_process[0] / wall,
            "kernel_system": 100 * kernel_process[1] / wall,
            "own_cpu_busy": of(own, sum(own) - own[IDLE] - own[IOWAIT]),
            "own_user": 100 * own_process[0] / wall, "own_system": 100 * own_process[1] / wall,
            "own_softirq": of(own, own[SOFTIRQ] + own[IRQ])}


class Watch(threading.Thread):
    """Samples at both edges of the measured time, beside whoever waits for its end."""

    def __init__(self, own, kernel, delay_s, seconds):
        super().__init__(daemon=True)
        self.pids, self.delay_s, self.seconds = (own.popen.pid, kernel.popen.pid), delay_s, seconds
        self.result, self.error = None, None
        self.start()

    def run(self):
        try:
            time.sleep(self.delay_s)
            first = Sample(*self.pids)
            time.sleep(self.seconds)
            self.result = percent(first, Sample(*self.pids))
        except OSError as error:
            self.error = error

    def finish(self):
        self.join()
        if self.result is None:
            raise Failure(f"an end was gone before the measured time was over: {self.error}")
        return self.result


def verdict(of_ceiling, case):
    """The device, the kernel's core, or neither is what limits."""
    if of_ceiling >= CEILING_SHARE:
        return "ceiling"
    if case["kernel_cpu_busy"] - case["kernel_cpu_other"] >= FULL_PERCENT:
        return "kernel_full"
    return "neither"
