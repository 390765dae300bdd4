#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""coverage_report.py FILE.csv FILE.md: gcovr's table of lib/ as a page, held against the
thresholds; exit 1 if a figure is below. Called by tools/coverage.sh."""

import csv
import os
import sys

LINES_MIN = 90.0
BRANCHES_MIN = 80.0
STATE_LINES_MIN = 95.0

# The state machine of RFC 9293: the files that move a connection from one state to another,
# make or end its block, or decide in which order a segment does so.
STATE_MACHINE = (
    "tcb.c",  # the gate through which each state is set
    "tcp_input.c",  # 3.10.7: the steps in order
    "tcp_check.c",  # acceptability, RST, SYN
    "tcp_ack.c",  # step 5: FIN-WAIT-1 to 2, CLOSING to TIME-WAIT, LAST-ACK to the end
    "tcp_text.c",  # steps 7 and 8: the peer's FIN
    "tcp_listen.c",  # LISTEN, SYN-RECEIVED
    "tcp_cookie.c",  # the same without a block
    "tcp_open.c",  # SYN-SENT
    "tcp_user.c",  # OPEN, CLOSE, ABORT
    "tcp_stream.c",  # SEND, RECEIVE, shutdown
    "tcp_conn.c",  # the end of a connection and of its block
    "tcp_output.c",  # our FIN leaves
    "tcp_timer.c",  # time-outs that end or move
    "tcp_timewait.c",  # TIME-WAIT
    "tcp_keepalive.c",  # ends by silence
    "tcp_user_timeout.c",  # and by the user's patience
    "tcp_icmp.c",  # ends of openings
)

HEAD = """# Coverage

`tools/coverage.sh` makes this page: an unoptimised build, the suites `unit` and `sim`, and the
corpora of the fuzzers, each once; what needs root (`interop`, the comparison with the kernel) is
not in it. It fails below {lines:g} % of the lines or {branches:g} % of the branches of `lib/`, and
below {state:g} % of the lines of a file of the state machine, marked \\* (`tools/coverage_report.py`
says which and why).

A branch is one way out of a condition, each part of `a && b` for itself, as gcov counts them. Not
counted are those on lines with `CHECK` or `ASSERT`, one way out of which traps: no test can take it
and go on; and those that the compiler makes on lines without a statement. Lines are all counted.
"""


def read(path):
    """Rows of gcovr as (file, lines, covered, branches, covered)."""
    with open(path, encoding="utf-8") as f:
        for row in csv.DictReader(f):
            yield (row["filename"],) + tuple(
                int(row[k]) for k in ("line_total", "line_covered", "branch_total", "branch_covered"))


def percent(part, whole):
    return 100.0 if whole == 0 else 100.0 * part / whole


def line(name, n):
    share = f"{percent(n[3], n[2]):.1f} %" if n[2] else "-"
    return f"| {name} | {n[0]} | {percent(n[1], n[0]):.1f} % | {n[2]} | {share} |"


def table(title, rows):
    yield f"| {title} | lines | reached | branches | taken |"
    yield "|---|---:|---:|---:|---:|"
    for name, n in rows:
        yield line(name, n)


def add(a, b):
    return tuple(x + y for x, y in zip(a, b))


def is_state_machine(path):
    return os.path.dirname(path) == "lib/tcp" and os.path.basename(path) in STATE_MACHINE


def page(files, folders, total):
    yield HEAD.format(lines=LINES_MIN, branches=BRANCHES_MIN, state=STATE_LINES_MIN)
    yield from table("folder", [(f"`{k}`", v) for k, v in sorted(folders.items())])
    yield line("**all**", total)
    yield ""
    rows = [(f"`{k}`" + (" \\*" if is_state_machine(k) else ""), v) for k, v in files if v[0]]
    yield from table("file", rows)


def findings(files, total):
    if percent(total[1], total[0]) < LINES_MIN:
        yield f"lib/: {percent(total[1], total[0]):.1f} % of the lines, {LINES_MIN:g} % are asked for"
    if percent(total[3], total[2]) < BRANCHES_MIN:
        yield (f"lib/: {percent(total[3], total[2]):.1f} % of the branches, "
               f"{BRANCHES_MIN:g} % are asked for")
    seen = {os.path.basename(k) for k, _ in files if is_state_machine(k)}
    for name in sorted(set(STATE_MACHINE) - seen):
        yield f"lib/tcp/{name}: no figures"
    for name, n in files:
        if is_state_machine(name) and percent(n[1], n[0]) < STATE_LINES_MIN:
            yield (f"{name}: {percent(n[1], n[0]):.1f} % of the lines, "
                   f"{STATE_LINES_MIN:g} % are asked for")


def main():
    files = sorted((r[0], r[1:]) for r in read(sys.argv[1]))
    folders = {}
    total = (0, 0, 0, 0)
    for name, n in files:
        folder = "/".join(name.split("/")[:2])
        folders[folder] = add(folders.get(folder, (0, 0, 0, 0)), n)
        total = add(total, n)
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        f.write("\n".join(page(files, folders, total)) + "\n")
    print(f"lib/: lines {percent(total[1], total[0]):.1f} %, branches {percent(total[3], total[2]):.1f} %")
    bad = list(findings(files, total))
    for text in bad:
        print(text)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
