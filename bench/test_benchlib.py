#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: bench/run counts no figure that it should not: each way in which a state is not steady
is told, and a row is reached, above its floor or missed as its numbers say.
Method: reports and results made by hand, then falsified one entry at a time."""

import copy
import io
import os
import sys
import unittest
from contextlib import redirect_stdout

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
from benchlib import cases, cycles, goals, plots, steady  # noqa: E402

SOUND = {
    "opens_per_s": 1000.0, "closes_per_s": 1000.0, "window_s": 30.0, "opened": 100000,
    "closed": 100000, "live": 0, "failed": {}, "open_errors": {}, "retransmitted": 0,
    "challenges": 0, "held": {"opened": 5, "established": 5, "lost": 0, "released": 5},
    "time_wait": {"evicted": 0, "skipped": 0, "reused": 0, "peak": 60000,
                  "entered_per_s": 1000.0, "expired_per_s": 1000.0},
}


def quietly(call, *args):
    with redirect_stdout(io.StringIO()) as out:
        call(*args)
    return out.getvalue()


class Steady(unittest.TestCase):
    def found(self, *changes, two_msl=60, rate=0):
        report = copy.deepcopy(SOUND)
        for change in changes:
            change(report)
        return steady.failures([report], two_msl, rate, 30, False)

    def test_sound_run_has_no_failures(self):
        self.assertEqual(self.found(), [])
        self.assertEqual(self.found(rate=1000), [])

    def test_each_fault_is_told(self):
        for path, value in (("window_s", 29.0), ("live", 1), ("retransmitted", 1),
                            ("challenges", 1), ("failed", {"timeout_syn": 1}),
                            ("open_errors", {"ports_exhausted": 1}), ("closed", 99999),
                            ("held.lost", 1), ("time_wait.evicted", 1), ("time_wait.skipped", 1),
                            ("time_wait.reused", 1), ("time_wait.entered_per_s", 949.0),
                            ("time_wait.expired_per_s", 1051.0)):
            def change(report, path=path, value=value):
                *outer, key = path.split(".")
                (report[outer[0]] if outer else report)[key] = value
            with self.subTest(path=path):
                self.assertEqual(len(self.found(change)), 1)

    def test_five_percent_are_within(self):
        self.assertEqual(self.found(lambda r: r["time_wait"].update(expired_per_s=1049.0)), [])

    def test_rate_that_was_asked_for_must_be_there(self):
        self.assertIn("asked for 1060/s", self.found(rate=1060)[0])
        self.assertIn("60000 entries", self.found(two_msl=50, rate=1000)[0])

    def test_without_2msl_nothing_expires(self):
        def change(report):
            report["time_wait"].update(skipped=100000, entered_per_s=0.0, expired_per_s=0.0)
        self.assertEqual(self.found(change, two_msl=0), [])
        self.assertEqual(len(self.found(change)), 3)

    def test_either_end_can_fail(self):
        other = copy.deepcopy(SOUND)
        other["retransmitted"] = 3
        self.assertEqual(steady.failures([SOUND, other], 60, 0, 30, False), ["3 retransmitted"])

    def test_warm_up_is_longer_than_2msl(self):
        for two_msl in steady.MSL_CURVE:
            warmup, window = steady.times(two_msl, False)
            self.assertGreaterEqual(warmup, two_msl + 10)
            self.assertEqual(window, 30)

    def test_words_go_with_their_values(self):
        words = ["--rate", 5, "--request", 64, "--tw", "1s"]
        self.assertEqual(steady.without(words, "--rate", "--tw"), ["--request", 64])


class Goals(unittest.TestCase):
    def row(self, name):
        return next(row for row in goals.ROWS if row.name == name)

    def test_rows_are_judged(self):
        rate, size = self.row("steady.ring.open_close"), self.row("idle.ipv4.plain.10M")
        for row, value, words in ((rate, 2500000, "goal"), (rate, 2499999, "floor"),
                                  (rate, 1499999, "missed"), (size, 144, "goal"),
                                  (size, 144.1, "floor"), (size, 160.1, "missed")):
            self.assertEqual(goals.verdict(row, value), words)

    def results(self, **medians):
        results = cases.Results()
        for name, median in medians.items():
            quietly(results.add, name.replace("__", "."), [median])
        return results

    def test_ratios_are_of_the_right_cases(self):
        results = self.results(held__1k=1000, held__10M=700, msl__0s=100, msl__60s=90,
                               steady__ring__open_close=80, kernel__loopback__open_close=2,
                               rte_hash__insert__1M=60, rte_hash__delete__1M=40,
                               flow_table__insert_burst__1M=15, flow_table__delete_burst__1M=10,
                               workers__one__1=500, workers__two__2=550,
                               workers__two_half_wrong__2=625)
        quietly(goals.derive, results)
        for name, value in (("held.many_to_few", 0.7), ("msl.60s_to_0", 0.9),
                            ("open_close.steady_to_kernel", 40),
                            ("flow_table.insert_delete.1M", 4),
                            ("workers.cycles_two_to_one", 1.1), ("workers.wrong_core", 0.88)):
            self.assertAlmostEqual(results.ratios[name]["median"], value, msg=name)
        self.assertNotIn("flow_table.insert_delete.10M", results.ratios)
        lines = quietly(goals.judge, results)
        self.assertIn("must.held.many_to_few  0.70 x  goal=0.7 floor=0.5 reached=goal", lines)
        self.assertIn("# not measured in this run: steady.memif.request_response", lines)

    def test_ratio_is_not_taken_for_the_case_of_its_name(self):
        results = self.results(flow_table__bulk__1M=38.1)
        results.ratios["flow_table.bulk.1M"] = {"median": 1.2, "min": 1.1, "max": 1.3}
        lines = quietly(goals.judge, results)
        self.assertIn("must.flow_table.bulk.1M  1.20 x  goal=1.3 floor=1.0 reached=floor", lines)

    def test_plot_has_the_points(self):
        results = self.results(a=5)
        results.curve("c", "number", "connections/s", {"one": [(10, results.cases["a"])]}, "x")
        text = plots.script(results.curves["c"], "/x.svg")
        for part in ('set output "/x.svg"', "set logscale x", "10 5 5 5", 'title "one"'):
            self.assertIn(part, text)
        self.assertNotIn("logscale y", text)

    def test_stacks_have_their_parts(self):
        results = self.results()
        results.bars("c", "cycles", ["device", "state machine"], {"client": [1, 2.5],
                                                                 "server": [3, 4]})
        text = plots.script(results.curves["c"], "/x.svg")
        for part in ('set output "/x.svg"', '"end" "device" "state machine"',
                     '"client" 1.0 2.5', '"server" 3.0 4.0', "plot for [i=2:3]"):
            self.assertIn(part, text)


class Cycles(unittest.TestCase):
    def test_files_belong_to_parts(self):
        for path, part in (("../lib/wire/wire_parse.c:12", "parse"),
                           ("../lib/wire/wire_emit.h:9", "output"),
                           ("../lib/flow/flow_table.c:1", "lookup"),
                           ("../lib/tcp/tcp_port.c:3", "ports and secrets"),
                           ("../lib/tcp/tcp_input.c:3", "state machine"),
                           ("../lib/tcp/tcp_event.c:3", "calls and events"),
                           ("../lib/wheel/wheel.c:3", "timers"), ("apps/load/client.c:1",
                                                                 "application"),
                           ("/usr/include/dpdk/rte_ring.h:8", "device"),
                           ("../lib/dpdk/worker.c:8", "device"), ("../lib/base/base.h:5", None),
                           ("../lib/tcp/tcp.h:5", None), ("??:0", None)):
            self.assertEqual(cycles.part_of_file(path), part, path)

    def test_polling_in_vain_is_not_counted(self):
        counter = {part: 0 for part in cycles.PARTS}
        counter.update({"device": 3 * cycles.FREQUENCY_HZ, "parse": cycles.FREQUENCY_HZ})
        idle = {part: 0 for part in cycles.PARTS}
        idle.update({"device": 75, "timers": 25})
        found = cycles.per_connection(counter, idle, 4, 50, 1000)
        each = cycles.box.tsc_hz() / 4 / 1000
        self.assertAlmostEqual(found["parse"], each)
        self.assertAlmostEqual(found["device"], each * 1.5)
        self.assertEqual(found["timers"], 0)


if __name__ == "__main__":
    unittest.main()
