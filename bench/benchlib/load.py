# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Runs pmtcp-load, and believes its report only if every key is there and in order."""

import json
import os

from . import box

PERCENTILES = ("count", "min", "mean", "p50", "p90", "p99", "p999", "max")
KEYS = {
    "version": int, "opens_per_s": float, "closes_per_s": float, "window_s": float,
    "opened": int, "closed": int, "live": int, "failed": dict, "open_errors": dict,
    "connect_us": dict, "close_us": dict, "life_us": dict, "time_wait": dict,
    "retransmitted": int, "challenges": int, "packets_per_connection": float, "pace": dict,
    "conservation": dict, "errors": list, "config": dict, "plan": dict, "box": dict,
}
TIME_WAIT_KEYS = ("entered", "expired", "evicted", "skipped", "reused", "current", "peak",
                  "entered_per_s", "expired_per_s")


class BadReport(Exception):
    """The report lacks something, or tells of errors."""


def check_shape(report):
    for key, kind in KEYS.items():
        value = report.get(key)
        is_right = isinstance(value, (int, float)) if kind is float else isinstance(value, kind)
        if not is_right or isinstance(value, bool):
            raise BadReport(f"key {key} is missing or no {kind.__name__}: {value!r}")
    missing = [key for key in TIME_WAIT_KEYS if key not in report["time_wait"]]
    for name in ("connect_us", "close_us", "life_us"):
        missing += [f"{name}.{key}" for key in PERCENTILES if key not in report[name]]
    if missing:
        raise BadReport(f"keys are missing: {', '.join(missing)}")
    if report["version"] != 1:
        raise BadReport(f"version {report['version']}, not 1")


def read(path):
    with open(path, encoding="utf-8") as lines:
        report = json.load(lines)
    check_shape(report)
    if report["errors"] or not report["conservation"].get("balanced"):
        raise BadReport(f"errors: {report['errors']}, books: {report['conservation']}")
    return report


class Load:
    """One pmtcp-load: start, then finish() or interrupt() gives its report."""

    def __init__(self, tools, name, *args, netns=None, cpu=None):
        self.json = os.path.join(tools.out, f"{name}.json")
        if os.path.exists(self.json):
            os.unlink(self.json)
        self.process = tools.start("pmtcp-load", *args, "--json", self.json, netns=netns, cpu=cpu)

    def finish(self, timeout_s):
        self.process.finish(timeout_s)
        return read(self.json)

    def interrupt(self):
        self.process.interrupt()
        return read(self.json)


def cycles(report, end):
    """Busy TSC cycles of one end per closed connection; None if that end is not here."""
    busy = report["box"].get(f"{end}_busy_percent")
    if busy is None or report["closes_per_s"] == 0:
        return None
    return busy / 100 * box.tsc_hz() / report["closes_per_s"]
