# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""What is to be reached, and what must be: each with the figure of this run beside it."""

from collections import namedtuple

Goal = namedtuple("Goal", "name what goal floor unit is_most")


def least(name, what, goal, floor, unit="x"):
    return Goal(name, what, goal, floor, unit, False)


def most(name, what, goal, floor, unit="x"):
    return Goal(name, what, goal, floor, unit, True)


ROWS = (
    least("steady.memif.request_response", "open + 64 + 64 octets + close over net_memif, two "
          "processes", 1800000, 1200000, "conn/s"),
    least("steady.ring.open_close", "open + close over net_ring", 2500000, 1500000, "conn/s"),
    least("open_close.steady_to_kernel", "the same against kernel sockets on loopback", 40, 25),
    least("held.many_to_few", "rate beside 10,000,000 idle connections against 1000", 0.70, 0.50),
    least("msl.60s_to_0", "rate at 2MSL 60 s against 0", 0.85, 0.65),
    most("idle.ipv4.plain.10M", "bytes of an idle connection at one end, IPv4", 144, 160, "bytes"),
    most("idle.ipv6.plain.10M", "the same, IPv6", 176, 192, "bytes"),
    least("flow_table.bulk.1M", "bulk lookup against rte_hash, 1e6 entries", 1.3, 1.0),
    least("flow_table.bulk.10M", "the same, 1e7", 1.3, 1.0),
    least("flow_table.insert_delete.1M", "insert + delete against rte_hash, 1e6 entries", 3, 2),
    least("flow_table.insert_delete.10M", "the same, 1e7", 3, 2),
    least("wheel.cancel.1M", "cancel in random order against rte_timer, 1e6 timers", 10, 5),
    least("wheel.life.1M", "the life of a connection against rte_timer", 50, 20),
    least("ring.bulk", "one stream over net_ring", 40, 0, "Gbit/s"),
    least("bulk.ring_to_kernel", "the same against kernel loopback", 1, 1),
    most("latency.connect_p99.50", "connect p99 at 50 % load over net_ring", 50, 200, "us"),
    least("cores.of_flow_table", "two independent cores against one, as a share of what two "
          "copies of bench_flow_table reach", 0.95, 0.9),
    most("workers.cycles_two_to_one", "cycles per open + close and worker, two workers against "
         "one", 1.15, 1.3),
    least("workers.wrong_core", "every second packet on the wrong core: share of the rate that is "
          "left", 0.85, 0.75),
)


def derive(results):
    """Ratios that two or more cases make."""
    many = [name for name in results.cases if name.startswith("held.") and name != "held.1k"]
    results.ratio("held.many_to_few", "held.10M" if "held.10M" in many else "".join(many[-1:]),
                  "held.1k")
    results.ratio("msl.60s_to_0", "msl.60s", "msl.0s")
    results.ratio("open_close.steady_to_kernel", "steady.ring.open_close",
                  "kernel.loopback.open_close")
    # Cycles of all threads together: twice as many workers have as many if they cost the same.
    results.ratio("workers.cycles_two_to_one", "workers.two.2", "workers.one.1")
    results.ratio("workers.wrong_core", "workers.two.2", "workers.two_half_wrong.2")
    results.ratio("bulk.ring_to_kernel", "ring.bulk", "kernel.loopback.bulk")
    for size in ("1M", "10M"):
        insert_delete(results, size)


def insert_delete(results, size):
    """Both together, ours in bursts, as packets come."""
    names = [f"{kind}.{size}" for kind in ("rte_hash.insert", "rte_hash.delete",
                                          "flow_table.insert_burst", "flow_table.delete_burst")]
    if any(name not in results.cases for name in names):
        return
    theirs, ours = ({key: sum(results.cases[name][key] for name in pair)
                     for key in ("median", "min", "max")} for pair in (names[:2], names[2:]))
    results.put_ratio(f"flow_table.insert_delete.{size}", theirs["median"] / ours["median"],
                      theirs["min"] / ours["max"], theirs["max"] / ours["min"],
                      f"above=rte_hash below=flow_table size={size}")


def verdict(row, value):
    is_reached = value <= row.goal if row.is_most else value >= row.goal
    is_above_floor = value <= row.floor if row.is_most else value >= row.floor
    return "goal" if is_reached else "floor" if is_above_floor else "missed"


def shown(value):
    return f"{value:.2f}" if value < 1000 else f"{value:.0f}"


def judge(results):
    """One line for each row that this run has a figure for; the others are named."""
    for row in ROWS:
        # A row that counts times is a ratio; a case of the same name counts something else.
        found = (results.ratios if row.unit == "x" else results.cases).get(row.name)
        if found is None:
            results.verdicts.append((row, None, "not measured"))
            continue
        value = found["median"]
        results.verdicts.append((row, value, verdict(row, value)))
    for row, value, words in results.verdicts:
        if value is not None:
            print(f"must.{row.name}  {shown(value)} {row.unit}  goal={row.goal} "
                  f"floor={row.floor} reached={words}", flush=True)
    missing = [row.name for row, value, _ in results.verdicts if value is None]
    if missing:
        print(f"# not measured in this run: {' '.join(missing)}", flush=True)


def table(results, out):
    out.write("\n| To be reached | This run | Goal | Floor | |\n|---|---|---|---|---|\n")
    for row, value, words in results.verdicts:
        figure = "" if value is None else shown(value)
        sign = "≤" if row.is_most else "≥"
        out.write(f"| {row.what} | {figure} {row.unit if figure else ''} | {sign} {row.goal:,} | "
                  f"{row.floor:,} | {words} |\n")
