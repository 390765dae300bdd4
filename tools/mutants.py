#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""The engine of tools/mutants.sh, which says what it is for.

A mutant in tests/mutants/*.txt, blank lines between them:

    name: any-rst-kills
    file: lib/tcp/tcp_check.c
    test: test_state_established
    -       if (seg->seq == c->rcv.nxt)
    +       if (true)

The lines behind `-` must stand in the file exactly once, whatever their indentation.
More than one test may be named; the mutant is killed by the first that fails."""

import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEST_TIMEOUT_S = 120
BUILD_TIMEOUT_S = 900
JOBS_MAX = 8


class Mutant:
    def __init__(self, where):
        self.where = where
        self.name = self.file = ""
        self.tests, self.old, self.new = [], [], []

    def missing(self):
        return not (self.name and self.file and self.tests and self.old)


def parse(path):
    mutants, current = [], None
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line.strip():
                current = None
                continue
            if line.startswith("#"):
                continue
            if current is None:
                current = Mutant("%s:%d" % (path, number))
                mutants.append(current)
            if line[0] in "+-":
                (current.new if line[0] == "+" else current.old).append(line[1:].strip())
                continue
            key, _, value = line.partition(":")
            if key == "test":
                current.tests += value.split()
            elif key in ("name", "file"):
                setattr(current, key, value.strip())
            else:
                sys.exit("%s:%d: what is %r?" % (path, number, key))
    return mutants


def load():
    mutants = []
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/mutants/*.txt"))):
        mutants += parse(path)
    names = [m.name for m in mutants]
    for mutant in mutants:
        if mutant.missing():
            sys.exit("%s: needs name, file, test and a line to change" % mutant.where)
        if names.count(mutant.name) > 1:
            sys.exit("%s: the name %s is taken" % (mutant.where, mutant.name))
    return mutants


def planted(text, mutant):
    """The source with the bug in it; None if its place is not found exactly once."""
    pattern = r"\n".join(r"([ \t]*)" + re.escape(line) for line in mutant.old)
    found = list(re.finditer(r"(?m)^" + pattern + r"$", text))
    if len(found) != 1:
        return None
    indent = found[0].group(1)
    new = "\n".join(indent + line if line else "" for line in mutant.new)
    return text[:found[0].start()] + new + text[found[0].end():]


def copy_sources(to):
    """What git knows, changes included; not what was built."""
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT,
                            check=True, capture_output=True).stdout.decode().split("\0")
    for name in filter(None, listed):
        source, target = os.path.join(ROOT, name), os.path.join(to, name)
        if os.path.exists(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(source, target)


def ninja(folder, targets):
    return subprocess.run(["ninja", "-j1", "-C", folder + "/build", *targets],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          timeout=BUILD_TIMEOUT_S)


def test_targets(folder):
    """Test program -> its path in the build folder."""
    out = subprocess.run(["ninja", "-C", folder + "/build", "-t", "targets", "all"], check=True,
                         capture_output=True, text=True).stdout
    names = re.findall(r"^(\S*tests/\S*/(test_\w+)):", out, re.M)
    return {name: path for path, name in names}


def make_room(number):
    folder = tempfile.mkdtemp(prefix="pmtcp-mutants-%d-" % number)
    copy_sources(folder)
    subprocess.run(["meson", "setup", folder + "/build", folder, "-Dbuildtype=plain",
                    "-Doptimization=1", "-Dasserts=true", "-Dwerror=false"], check=True, stdout=subprocess.DEVNULL)
    return folder


def fails(folder, path):
    """The last line of what the test says if it fails, None if it passes."""
    try:
        done = subprocess.run([folder + "/build/" + path], cwd=folder, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=TEST_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return "no end after %d s" % TEST_TIMEOUT_S
    if done.returncode == 0:
        return None
    said = done.stdout.decode(errors="replace")
    failed = re.findall(r"^\[  FAILED  \] (?:\w+: )?(\w+)$", said, re.M)
    return failed[0] if failed else "exit %d" % done.returncode


def judge(folder, targets, mutant):
    """(verdict, what was seen)"""
    path = os.path.join(folder, mutant.file)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    bug = planted(text, mutant)
    unknown = [t for t in mutant.tests if t not in targets]
    if bug is None or unknown:
        return "broken", "no such place" if bug is None else "no such test: %s" % unknown[0]
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(bug)
        for test in mutant.tests:
            built = ninja(folder, [targets[test]])
            if built.returncode != 0:
                return "broken", "does not compile: " + built.stdout.decode()[-300:]
            seen = fails(folder, targets[test])
            if seen:
                return "killed", "%s: %s" % (test, seen)
        return "survived", " ".join(mutant.tests)
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def work(number, mutants, report):
    """One worker: a copy of the sources, its share of the mutants one after another."""
    folder = make_room(number)
    try:
        targets = test_targets(folder)
        wanted = sorted({targets[t] for m in mutants for t in m.tests if t in targets})
        if ninja(folder, wanted).returncode != 0:
            sys.exit("the unchanged sources do not build")
        for path in wanted:
            if fails(folder, path):
                sys.exit("%s fails without any mutant" % path)
        return [report(m, *judge(folder, targets, m)) for m in mutants]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def say(mutant, verdict, seen):
    print("%-8s %-44s %s" % (verdict, mutant.name, seen), flush=True)
    return verdict


def check(mutants):
    """Does each still find its place and its tests? Builds nothing."""
    tests = {os.path.basename(path)[:-2] for path in glob.glob(ROOT + "/tests/*/test_*.c")}
    broken = 0
    for mutant in mutants:
        with open(os.path.join(ROOT, mutant.file), encoding="utf-8") as file:
            is_placed = planted(file.read(), mutant) is not None
        missing = [t for t in mutant.tests if t not in tests]
        if not is_placed or missing:
            say(mutant, "broken", "no such test: %s" % missing[0] if missing else "no such place")
            broken += 1
    print("%d mutants, %d broken" % (len(mutants), broken))
    return 1 if broken else 0


def main(args):
    mutants = load()
    if args == ["--list"]:
        for mutant in mutants:
            print("%-44s %s (%s)" % (mutant.name, mutant.file, " ".join(mutant.tests)))
        return 0
    if args == ["--check"]:
        return check(mutants)
    if args:
        mutants = [m for m in mutants if any(a in m.name for a in args)]
    jobs = min(os.cpu_count() or 1, JOBS_MAX, max(1, len(mutants) // 4))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        shares = [pool.submit(work, i, mutants[i::jobs], say) for i in range(jobs)]
        verdicts = [v for share in shares for v in share.result()]
    print("%d killed, %d survived, %d broken" % tuple(
        verdicts.count(v) for v in ("killed", "survived", "broken")))
    return 0 if verdicts and verdicts.count("killed") == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
