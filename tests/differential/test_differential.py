#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: pmtcp answers as the Linux kernel does, segment by segment and state by state,
or we know why not. Method: each segment of the state table (requirements.md, section
"State table") is sent to a kernel socket and to pmtcp in each state, with and without
text in flight, unread text and an application; the answers are compared field by field
after ISNs and the MSS are normalised (options by kind, SACK blocks as offsets, the window
as shut or not and by its right edge, which must not move left), and so is the state that
follows and, after an ICMP error, whether the application is told. Known differences
stand, with their reason, in differences.tsv; one that is not there fails the test, and so
does one that has gone. Several workers, each with a namespace, a kernel and a pmtcp of
its own, since nearly all the time is waiting for delayed ACKs.
Usage: tools/netns.sh test_differential.py DUT [STATE:SEGMENT]...   (-v prints all)"""

import ctypes
import multiprocessing
import os
import sys

from script import FAR, FLIGHT, MSS, run
from stacks import Kernel, Pmtcp

WORKERS = 4
CLONE_NEWNET = 0x40000000
FIRST_PORT = 10000

# name -> what is injected, seq and ack counted from what is next (so ack 0 acknowledges
# all that was sent, a FIN included). ICMP: type, code, and the number quoted, counted
# from the oldest octet in flight.
SEGMENTS = {
    "way": [],  # nothing: what was sent on the way to the state
    "syn": [("S", 0)],
    "syn-above": [("S", 100)],
    "syn-below": [("S", -1000)],
    "syn-far": [("S", FAR)],
    "syn-ack": [("SA", 0)],
    "syn-ack-below": [("SA", -1)],
    "syn-ack-far": [("SA", FAR)],
    "syn-ack-too-high": [("SA", 0, 1)],
    "ack": [("A", 0)],
    "ack-old": [("A", 0, -1)],
    "ack-twice": [("A", 0), ("A", 0)],
    "ack-too-high": [("A", 0, 1)],
    "ack-far-too-high": [("A", 0, FAR)],
    "ack-below-range": [("A", 0, -FAR)],
    "ack-seq-below": [("A", -1)],
    "ack-seq-above": [("A", 100)],
    "ack-seq-far": [("A", FAR)],
    "rst-exact": [("R", 0)],
    "rst-ack-exact": [("RA", 0)],
    "rst-above": [("R", 1)],
    "rst-far": [("R", FAR)],
    "rst-below": [("R", -1)],
    "rst-ack-bad-ack": [("RA", 0, FAR)],
    "data": [("PA", 0, 0, 10)],
    "data-old-ack": [("PA", 0, -1, 10)],
    "data-bad-ack": [("PA", 0, 5, 10)],
    "data-above-hole": [("PA", 100, 0, 10)],
    "data-old": [("PA", -10, 0, 10)],
    "data-part-old": [("PA", -5, 0, 10)],
    "data-far": [("PA", FAR, 0, 10)],
    "keepalive-octet": [("A", -1, 0, 1)],
    "urgent": [("PAU", 0, 0, 10, 5)],
    "fin": [("FA", 0)],
    "fin-old-ack": [("FA", 0, -1)],
    "fin-with-data": [("PFA", 0, 0, 10)],
    "fin-again": [("FA", -1)],
    "fin-above-hole": [("FA", 100)],
    "fin-far": [("FA", FAR)],
    "null": [("", 0)],
    "push-only": [("P", 0, 0, 10)],
    "bare-fin": [("F", 0)],
    "syn-fin": [("SF", 0)],
    "syn-rst": [("SR", 0)],
    "fin-rst": [("FR", 0)],
    "everything": [("FSRPAU", 0)],
    "icmp-port": [("ICMP", 3, 3, 0)],
    "icmp-protocol": [("ICMP", 3, 2, 0)],
    "icmp-host": [("ICMP", 3, 1, 0)],
    "icmp-time": [("ICMP", 11, 0, 0)],
    "icmp-port-stale": [("ICMP", 3, 3, -1)],
    "icmp-port-far": [("ICMP", 3, 3, FAR)],
}
# Where text is in flight: ACKs of none of it, of some, and more than a duplicate.
IN_FLIGHT = {
    "ack-none": [("A", 0, -FLIGHT)],
    "ack-none-5": [("A", 0, -FLIGHT)] * 5,
    "ack-first": [("A", 0, MSS - FLIGHT)],
    "ack-below-flight": [("A", 0, -FLIGHT - 1)],
    "data-ack-none": [("PA", 0, -FLIGHT, 10)],
    "fin-ack-none": [("FA", 0, -FLIGHT)],
}
STATES = ["CLOSED", "LISTEN", "SYN-SENT", "SYN-RCVD", "ESTAB", "FIN-WAIT-1", "FIN-WAIT-2",
          "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
          "SYN-RCVD/active", "ESTAB/passive", "ESTAB/flight", "ESTAB/queued", "ESTAB/unread",
          "ESTAB/read", "ESTAB/shut", "FIN-WAIT-1/orphan", "FIN-WAIT-1/queued", "FIN-WAIT-2/orphan",
          "CLOSE-WAIT/flight"]
IN_FLIGHT_STATES = ["ESTAB/flight", "CLOSE-WAIT/flight"]
# With timestamps negotiated: old, missing and equal values.
STAMPED = {
    "stamped-way": [],
    "old-stamp-ack": [("A", 0, 0, 0, 0, 4000)],
    "old-stamp-data": [("PA", 0, 0, 10, 0, 4000)],
    "old-stamp-fin": [("FA", 0, 0, 0, 0, 4000)],
    "old-stamp-rst": [("R", 0, 0, 0, 0, 4000)],
    "equal-stamp-data": [("PA", 0, 0, 10, 0, 5000)],
    "old-stamp-syn": [("S", 0, 0, 0, 0, 4000)],
}
STAMPED_STATES = STATES[4:11]
# With SACK and window scaling negotiated: blocks of holes and of duplicates.
SACKED = {
    "sack-way": [],
    "sack-hole": [("PA", 100, 0, 10)],
    "sack-holes": [("PA", 100, 0, 10), ("PA", 200, 0, 10), ("PA", 300, 0, 10),
                   ("PA", 400, 0, 10)],
    "sack-hole-filled": [("PA", 10, 0, 10), ("PA", 0, 0, 10)],
    "sack-duplicate": [("PA", -10, 0, 10)],
    "sack-hole-twice": [("PA", 100, 0, 10), ("PA", 100, 0, 10)],
    "sack-fin-above-hole": [("FA", 100)],
    "sack-data-far": [("PA", FAR, 0, 10)],
}
SACKED_STATES = ["ESTAB", "ESTAB/passive", "ESTAB/unread", "ESTAB/read", "FIN-WAIT-1", "FIN-WAIT-2",
                 "CLOSE-WAIT"]
SACKS = {
    "sack-of-last": [("A", 0, -FLIGHT, 0, 0, 5000, [(-MSS, 0)])],
    "sack-of-three": [("A", 0, -FLIGHT, 0, 0, 5000, [(-MSS * n, 0)]) for n in (1, 2, 3)],
    "sack-of-unsent": [("A", 0, -FLIGHT, 0, 0, 5000, [(0, MSS)])],
}


def scripts():
    """State, name, what is injected, what the peer offers."""
    for states, segments, offers in (
            (STATES, SEGMENTS, ""), (IN_FLIGHT_STATES, IN_FLIGHT, ""),
            (STAMPED_STATES, STAMPED, "ts"), (SACKED_STATES, SACKED, "sack"),
            (IN_FLIGHT_STATES, SACKS, "sack")):
        for state in states:
            for name, injected in segments.items():
                yield state, name, injected, offers


def start_worker(dut):
    """In a worker: a network namespace of its own and the two stacks in it."""
    global stacks
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    stacks = Pmtcp(dut), Kernel()


def answers(job):
    """What pmtcp and the kernel answer."""
    lport, (state, _, injected, offers) = job
    return [run(stack, lport, state, injected, offers) for stack in stacks]


def known_differences(path):
    known = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#") or not line.strip():
                continue
            states, segments, ours, theirs, why = line.rstrip("\n").split("\t")
            for state in states.split(","):
                for segment in segments.split(","):
                    known[(state, segment)] = (ours, theirs, why)
    return known


def verdict_of(ours, theirs, expected):
    if ours == theirs:
        return "equal" if expected is None else "NO LONGER DIFFERENT"
    return "known" if expected and expected[:2] == (ours, theirs) else "DIFFERENT"


def main(args):
    verbose = "-v" in args
    args = [a for a in args if a != "-v"]
    known = known_differences(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                           "differences.tsv"))
    wanted = [s for s in scripts()
              if not args[1:] or any(a in "%s:%s" % s[:2] for a in args[1:])]
    equal, unexplained = 0, 0
    with multiprocessing.Pool(WORKERS, start_worker, (args[0],)) as pool:
        jobs = list(enumerate(wanted, FIRST_PORT))
        for job, (ours, theirs) in zip(jobs, pool.imap(answers, jobs)):
            state, name = job[1][:2]
            expected = known.pop((state, name), None)
            verdict = verdict_of(ours, theirs, expected)
            if verdict.isupper():
                # A busy machine may hold the kernel's answer back: a true difference stays.
                ours, theirs = pool.apply(answers, ((job[0] + len(jobs), job[1]),))
                verdict = verdict_of(ours, theirs, expected)
            equal += ours == theirs
            unexplained += verdict.isupper()
            if verbose or verdict.isupper():
                print("%s\t%s\t%s\t%s\t%s" % (verdict, state, name, ours, theirs))
    if not args[1:]:
        for state, name in known:
            print("NO SUCH SCRIPT\t%s\t%s" % (state, name))
            unexplained += 1
    print("%d scripts: %d answered alike, %d differ for a known reason, %d unexplained" % (
        len(wanted), equal, len(wanted) - equal - unexplained, unexplained))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
