# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""The steady state: at 2MSL 60 s as many TIME-WAIT entries expire as are made."""

from . import load
from .lab import say

TWO_MSL_S, WARMUP_S, WINDOW_S = 60, 75, 30
DEVIATION_MAX = 0.05
RATE_SHARE = 0.7  # of the highest rate, so that a noisy machine can hold it
CONCURRENCY = 4096


def pick_rate(tools):
    say("steady: how fast does it go at most? (5 s)")
    report = load.Load(tools, "steady-rate", "run", "--tw", "1s", "--warmup", "2s", "--duration",
                       "3s", "--concurrency", "256").finish(60)
    return int(report["closes_per_s"] * RATE_SHARE) // 10000 * 10000


def failures(report, rate):
    """What does not hold, in words."""
    tw, opens = report["time_wait"], report["opens_per_s"]
    found = []

    def expect(is_so, words):
        if not is_so:
            found.append(words)

    expect(abs(opens / rate - 1) <= DEVIATION_MAX, f"opened {opens:.0f}/s, asked for {rate}/s")
    expect(abs(tw["expired_per_s"] / opens - 1) <= DEVIATION_MAX,
           f"{tw['expired_per_s']:.0f} entries expired/s, {opens:.0f} opened/s")
    expect(abs(tw["entered_per_s"] / opens - 1) <= DEVIATION_MAX,
           f"{tw['entered_per_s']:.0f} entries made/s, {opens:.0f} opened/s")
    expect(abs(tw["peak"] / (opens * TWO_MSL_S) - 1) <= DEVIATION_MAX,
           f"{tw['peak']} entries at most, {opens * TWO_MSL_S:.0f} expected")
    for key in ("evicted", "skipped", "reused"):
        expect(tw[key] == 0, f"{tw[key]} entries {key}")
    for key in ("retransmitted", "live"):
        expect(report[key] == 0, f"{report[key]} {key}")
    for key in ("failed", "open_errors"):
        expect(not any(report[key].values()), f"{key}: {report[key]}")
    expect(report["opened"] == report["closed"], f"{report['opened']} opened, "
           f"{report['closed']} closed")
    expect(report["window_s"] >= WINDOW_S * 0.99, f"the window was {report['window_s']} s")
    return found


def prove(tools, rate):
    rate = rate or pick_rate(tools)
    say(f"steady: {rate} opens/s, {rate * TWO_MSL_S} TIME-WAIT entries, "
        f"{WARMUP_S + WINDOW_S} s")
    report = load.Load(tools, "steady", "run", "--rate", str(rate), "--tw", f"{TWO_MSL_S}s",
                       "--warmup", f"{WARMUP_S}s", "--duration", f"{WINDOW_S}s", "--concurrency",
                       str(CONCURRENCY)).finish(WARMUP_S + WINDOW_S + 120)
    tw, found = report["time_wait"], failures(report, rate)
    print(f"steady.ring.open_close  {report['opens_per_s']:.0f} conn/s  "
          f"expired={tw['expired_per_s']:.0f}/s entries={tw['peak']} evicted={tw['evicted']} "
          f"skipped={tw['skipped']} retransmitted={report['retransmitted']} "
          f"connect_p50_us={report['connect_us']['p50']:.0f} "
          f"connect_p99_us={report['connect_us']['p99']:.0f} "
          f"client_cyc={load.cycles(report, 'client'):.0f} "
          f"server_cyc={load.cycles(report, 'server'):.0f} 2msl={TWO_MSL_S}s window={WINDOW_S}s")
    for words in found:
        print(f"FAIL {words}")
    print("steady.verdict  " + ("does not hold" if found else "holds"))
    return 1 if found else 0
