#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Sums what `meson test` logged: one line per failure and per skip, then totals.

    test_report.py [--strict] [--extra PASSED,FAILED,SKIPPED] testlog.json ...

Counts test cases where a program prints cmocka's or TAP's lines, and the program
as one where it does not. A program that ends badly counts at least one failure,
whatever it printed. --strict: whole programs that were skipped, and each skip of
the suite `interop`, count as failures; that is the rule for root, who has all
that a test could want. The last line is `N passed, N failed, N skipped`.
"""

import argparse
import json
import re
import sys

OUTPUT_LINES_MAX = 200
CMOCKA = re.compile(r"^\[  (PASSED|SKIPPED|FAILED) {1,2}\] (\d+) test\(s\)", re.M)
CMOCKA_CASE = re.compile(r"^\[  SKIPPED ?\] (?!\d+ test\(s\))(\S+)", re.M)
TAP = re.compile(r"^(not ok|ok)\b[^\n#]*(#[^\n]*)?$", re.M)
TAP_PLAN = re.compile(r"^1\.\.\d+", re.M)


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def tuple(self):
        return self.passed, self.failed, self.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def cases_of_cmocka(output):
    count = Count()
    for word, number in CMOCKA.findall(output):
        count.add(Count(**{word.lower(): int(number)}))
    return count


def cases_of_tap(output):
    count = Count()
    if not TAP_PLAN.search(output):
        return count
    for verdict, directive in TAP.findall(output):
        if "skip" in directive.lower():
            count.skipped += 1
        elif verdict == "ok":
            count.passed += 1
        else:
            count.failed += 1
    return count


def count_test(test, strict):
    """(Count, names of skipped cases) of one entry of a test log."""
    output = test.get("stdout", "") + "\n" + test.get("stderr", "")
    result = test["result"]
    if result == "SKIP":
        return (Count(failed=1) if strict else Count(skipped=1)), [test["name"]]
    count = cases_of_cmocka(output)
    count.add(cases_of_tap(output))
    is_good = result in ("OK", "EXPECTEDFAIL")
    if count.tuple() == (0, 0, 0) and is_good:
        count.passed = 1
    if not is_good and count.failed == 0:
        count.failed = 1
    skipped = [f"{test['name']}: {case}" for case in sorted(set(CMOCKA_CASE.findall(output)))]
    skipped += [f"{test['name']}: {match.group(0)}" for match in TAP.finditer(output)
                if "skip" in (match.group(2) or "").lower()]
    if strict and count.skipped and is_interop(test):
        count = Count(count.passed, count.failed + count.skipped, 0)
    return count, skipped


def is_interop(test):
    suites = test.get("suite") or [test["name"].split(" / ")[0]]
    return any(suite.split(":")[-1] == "interop" for suite in suites)


def bounded(output):
    """All of a short output; head and tail of a long one."""
    lines = output.rstrip("\n").split("\n")
    if len(lines) <= OUTPUT_LINES_MAX:
        return lines
    half = OUTPUT_LINES_MAX // 2
    left_out = len(lines) - 2 * half
    return lines[:half] + [f"... {left_out} lines left out ..."] + lines[-half:]


def print_failure(where, test):
    print(f"FAIL {where} {test['name']} ({test['result']}, exit code {test.get('returncode')})")
    output = test.get("stdout", "") + test.get("stderr", "")
    for line in bounded(output):
        print("    " + line)


def read_log(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return [json.loads(line) for line in file if line.strip()]


def report(path, strict):
    """Prints one log's failures and skips; returns its Count."""
    total = Count()
    where = path.split("/meson-logs/")[0]
    try:
        tests = read_log(path)
    except (OSError, ValueError) as error:
        print(f"FAIL {where}: no readable test log: {error}")
        return Count(failed=1)
    for test in tests:
        count, skipped = count_test(test, strict)
        total.add(count)
        for name in skipped:
            print(f"SKIP {where} {name}")
        if count.failed:
            print_failure(where, test)
    print(f"{where}: {len(tests)} programs, {total}")
    return total


def self_test():
    """Hand-written entries with the counts they must give."""
    cmocka = "[==========] 5 test(s) run.\n[  PASSED  ] 3 test(s).\n" \
             "[  SKIPPED ] 1 test(s), listed below:\n[  SKIPPED ] a_b\n"
    cmocka_bad = cmocka + "[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] c_d\n"
    tap = "1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP no tap\n"
    rows = [
        ({"result": "OK"}, False, (1, 0, 0)),
        ({"result": "FAIL"}, False, (0, 1, 0)),
        ({"result": "TIMEOUT", "stdout": "[  PASSED  ] 3 test(s)."}, False, (3, 1, 0)),
        ({"result": "OK", "stderr": cmocka}, False, (3, 0, 1)),
        ({"result": "OK", "stderr": cmocka}, True, (3, 0, 1)),
        ({"result": "FAIL", "stderr": cmocka_bad}, False, (3, 1, 1)),
        ({"result": "FAIL", "stdout": tap}, False, (1, 1, 1)),
        ({"result": "FAIL", "stdout": tap, "suite": ["pmtcp:interop"]}, True, (1, 2, 0)),
        ({"result": "FAIL", "stdout": tap, "suite": ["pmtcp:interop"]}, False, (1, 1, 1)),
        ({"result": "OK", "stdout": "ok then\nnot ok\n"}, False, (1, 0, 0)),
        ({"result": "SKIP"}, False, (0, 0, 1)),
        ({"result": "SKIP"}, True, (0, 1, 0)),
        ({"result": "ERROR", "stdout": ""}, False, (0, 1, 0)),
    ]
    bad = 0
    for entry, strict, expected in rows:
        got = count_test({"name": "unit / x", **entry}, strict)[0].tuple()
        if got != expected:
            print(f"not ok: {entry} strict={strict}: {got} instead of {expected}")
            bad += 1
    if len(bounded("x\n" * 1000)) != OUTPUT_LINES_MAX + 1 or bounded("a\nb\n") != ["a", "b"]:
        print("not ok: bounded")
        bad += 1
    print(f"test_report: self-test of {len(rows) + 1} rows, {bad} failed")
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser(description="sums meson test logs")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--strict", action="store_true")
    parser.add_argument("--extra", default="0,0,0", help="PASSED,FAILED,SKIPPED of other steps")
    parser.add_argument("logs", nargs="*")
    args = parser.parse_args()
    if args.self_test:
        return self_test()
    total = Count(*(int(number) for number in args.extra.split(",")))
    for path in args.logs:
        total.add(report(path, args.strict))
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
