#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: pmtcp answers as the Linux kernel does, segment by segment and state by state,
or we know why not. Method: each segment of the state table (requirements.md, section
"State table") is sent to a kernel socket and to pmtcp in each state; the answers are
compared field by field after ISNs and options are normalised, and so is the state that
follows. Known differences stand, with their reason, in differences.tsv; one that is not
there fails the test, and so does one that has gone.
Usage: tools/netns.sh test_differential.py DUT [STATE/SEGMENT]...   (-v prints all)"""

import os
import sys

from segment import Segment, option_kinds
from stacks import Kernel, Pmtcp

P = 1_000_000      # the peer's ISN
GUESS = 0x10000000  # what a segment acknowledges where nothing was ever sent
RPORT = 40000
WAIT_MS = 60       # longer than a delayed ACK, shorter than an RTO
REACH_MS = 3
MSS = b"\x02\x04\x05\xb4"
FAR = 300_000      # beyond any window here


class Script:
    """One connection of one stack, as its peer sees it."""

    def __init__(self, stack, lport, with_ts):
        self.stack, self.lport, self.with_ts = stack, lport, with_ts
        self.seq, self.ack = P, GUESS  # next to send; next expected
        self.has_isn = False
        self.ts_dut = 0

    def options(self, tsval, is_syn):
        opts = MSS if is_syn else b""
        if self.with_ts:
            opts += b"\x01\x01\x08\x0a" + tsval.to_bytes(4, "big") + self.ts_dut.to_bytes(4, "big")
        return opts

    def inject(self, flags, seq=0, ack=0, text=0, tsval=5000, urg=0, wnd=65535):
        """seq and ack count from what is next."""
        opts = self.options(tsval, "S" in flags)
        ack = self.ack + ack if "A" in flags else 0
        self.stack.inject(Segment(flags, self.seq + seq, ack, bytes(text), wnd, urg, opts),
                          RPORT, self.lport)

    def collect(self, ms):
        found = self.stack.collect(ms)
        for segment in found:
            if not self.has_isn and "S" in segment.flags:
                self.has_isn, self.ack = True, segment.seq
            at = segment.opts.find(b"\x08\x0a")
            if at >= 0:
                self.ts_dut = int.from_bytes(segment.opts[at + 2:at + 6], "big")
        return found

    def step(self, flags):
        """A segment on the way to the state, and what it took of the number spaces."""
        self.inject(flags)
        self.seq += ("S" in flags) + ("F" in flags)
        # The kernel may delay the ACK of a FIN.
        self.collect(WAIT_MS if "F" in flags else REACH_MS)

    # ---- the ways into the states ----

    def reach(self, state):
        getattr(self, "to_" + state.lower().replace("-", "_"))()
        got = self.stack.state()
        want = "CLOSED" if state == "LISTEN" else state
        assert got == want, "%s: %s instead of %s" % (self.stack.name, got, state)

    def to_closed(self):
        pass

    def to_listen(self):
        self.stack.listen(self.lport)

    def to_syn_sent(self):
        self.stack.connect(self.lport, RPORT)
        self.collect(REACH_MS)
        self.ack += 1

    def to_syn_rcvd(self):
        self.to_listen()
        self.step("S")
        self.ack += 1

    def to_estab(self):
        self.to_syn_sent()
        self.step("SA")

    def to_fin_wait_1(self):
        self.to_estab()
        self.stack.shutdown()
        self.collect(REACH_MS)
        self.ack += 1

    def to_fin_wait_2(self):
        self.to_fin_wait_1()
        self.step("A")

    def to_close_wait(self):
        self.to_estab()
        self.step("FA")

    def to_closing(self):
        self.to_fin_wait_1()
        self.ack -= 1
        self.step("FA")
        self.ack += 1

    def to_last_ack(self):
        self.to_close_wait()
        self.stack.shutdown()
        self.collect(REACH_MS)
        self.ack += 1

    def to_time_wait(self):
        self.to_fin_wait_2()
        self.step("FA")


# name -> what is injected, seq and ack counted from what is next (so ack 0 acknowledges
# all that was sent, a FIN included)
SEGMENTS = {
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
}
STATES = ["CLOSED", "LISTEN", "SYN-SENT", "SYN-RCVD", "ESTAB", "FIN-WAIT-1", "FIN-WAIT-2",
          "CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"]
# With timestamps negotiated: old, missing and equal values.
STAMPED = {
    "old-stamp-ack": [("A", 0, 0, 0, 0, 4000)],
    "old-stamp-data": [("PA", 0, 0, 10, 0, 4000)],
    "old-stamp-fin": [("FA", 0, 0, 0, 0, 4000)],
    "old-stamp-rst": [("R", 0, 0, 0, 0, 4000)],
    "equal-stamp-data": [("PA", 0, 0, 10, 0, 5000)],
    "old-stamp-syn": [("S", 0, 0, 0, 0, 4000)],
}
STAMPED_STATES = STATES[4:]


def scripts():
    for state in STATES:
        for name in SEGMENTS:
            yield state, name, False
    for state in STAMPED_STATES:
        for name in STAMPED:
            yield state, name, True


def relative(number, base):
    """A number as an offset of one of the two ISNs, or as it is."""
    offset = (number - base + 2**31) % 2**32 - 2**31
    return "%+d" % offset if abs(offset) < 2 * FAR else str(number)


def normal(script, segment):
    """What is compared of an answer."""
    kinds = option_kinds(segment.opts)
    words = [segment.flags or "-"]
    is_guess = not script.has_isn
    words.append("seq" + relative(segment.seq, script.ack if is_guess else script.base))
    if "A" in segment.flags:
        words.append("ack" + relative(segment.ack, P))
    elif segment.ack:
        words.append("ack-field-not-zero")
    if segment.text:
        words.append("len=%d" % len(segment.text))
    if segment.urg:
        words.append("urg=%d" % segment.urg)
    if 8 in kinds:
        words.append("ts")
    return " ".join(words)


def run(stack, lport, state, name, with_ts):
    """The answers of one stack and its state after them, as text."""
    stack.reset()
    script = Script(stack, lport, with_ts)
    script.reach(state)
    script.base = script.ack
    for segment in (STAMPED if with_ts else SEGMENTS)[name]:
        flags, seq, ack, text, urg, tsval = (segment + (0,) * 4)[:4] + (
            segment[4] if len(segment) > 4 else 0, segment[5] if len(segment) > 5 else 5000)
        script.inject(flags, seq, ack, text, tsval=tsval, urg=urg)
    if state in ("LISTEN", "CLOSED"):
        script.has_isn = True  # a SYN-ACK's ISN is its own business
    answers = []
    for segment in stack.collect(WAIT_MS):
        if "S" in segment.flags and state in ("LISTEN", "TIME-WAIT"):
            segment.seq = script.base  # a fresh ISN
        answers.append(normal(script, segment))
    return "; ".join(answers) + " -> " + stack.state()


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


def main(args):
    verbose = "-v" in args
    args = [a for a in args if a != "-v"]
    known = known_differences(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                           "differences.tsv"))
    stacks = Pmtcp(args[0]), Kernel()
    lport, n, equal, unexplained = 10000, 0, 0, 0
    for state, name, with_ts in scripts():
        if args[1:] and not any(a in "%s/%s" % (state, name) for a in args[1:]):
            continue
        n += 1
        lport += 1
        ours, theirs = (run(s, lport, state, name, with_ts) for s in stacks)
        expected = known.pop((state, name), None)
        if ours == theirs:
            equal += 1
            verdict = "equal" if expected is None else "NO LONGER DIFFERENT"
        else:
            verdict = "known" if expected and expected[:2] == (ours, theirs) else "DIFFERENT"
        unexplained += verdict.isupper()
        if verbose or verdict.isupper():
            print("%s\t%s\t%s\t%s\t%s" % (verdict, state, name, ours, theirs))
    if not args[1:]:
        for state, name in known:
            print("NO SUCH SCRIPT\t%s\t%s" % (state, name))
            unexplained += 1
    print("%d scripts: %d answered alike, %d differ for a known reason, %d unexplained" % (
        n, equal, n - equal - unexplained, unexplained))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
