# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Where the numbers come from: one line, the same shape as the C benches print."""

import os
import re
import subprocess


def first(pattern, path, default="unknown"):
    try:
        with open(path, encoding="utf-8") as lines:
            match = re.search(pattern, lines.read(), re.M)
    except OSError:
        return default
    return match.group(1).strip() if match else default


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def tsc_hz():
    """The kernel's BogoMIPS is twice the TSC's rate; "cpu MHz" moves with the governor."""
    bogomips = first(r"^bogomips\s*:\s*([\d.]+)", "/proc/cpuinfo", "0")
    return float(bogomips) / 2 * 1e6


def compiler_of(exe):
    match = re.search(r"\]\s+(.*)", output("readelf", "-p", ".comment", exe))
    return match.group(1).strip() if match else "unknown"


def chosen(path):
    """The one of several words that stands in brackets."""
    return first(r"\[(\S+)\]", path, "none")


def pages():
    """How the kernel gives huge pages: to memory as such, to shared memory, and set aside."""
    thp = "/sys/kernel/mm/transparent_hugepage/"
    aside = first(r"^HugePages_Total:\s*(\d+)", "/proc/meminfo", "0")
    return (f'thp={chosen(thp + "enabled")} shmem_thp={chosen(thp + "shmem_enabled")} '
            f"hugetlb_pages={aside}")


def line(build):
    commit = output("git", "-C", os.path.dirname(__file__), "describe", "--always", "--dirty",
                    "--abbrev=12")
    governor = first(r"(\w+)", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "none")
    load = os.getloadavg()[0]
    return (f'# commit={commit} compiler="{compiler_of(os.path.join(build, "bench/kernel_loop"))}" '
            f'cpu="{first(r"^model name.*: (.*)", "/proc/cpuinfo")}" cpus={os.cpu_count()} '
            f"tsc_mhz={tsc_hz() / 1e6:.0f} governor={governor} kernel={os.uname().release} "
            f'dpdk={output("pkg-config", "--modversion", "libdpdk")} {pages()} '
            f"load_before={load:.1f}")
