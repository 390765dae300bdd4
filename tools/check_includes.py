#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Keeps the layers apart: who may include whom.

base <- wheel, flow, wire, stream, recovery <- tcp <- stack <- dpdk <- apps, and
left never includes right. The core (base to stack) sees DPDK as data layout
only, and neither clocks, files, threads nor sockets. Applications see
lib/include and apps/common. Tests and benches may include all of lib.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
from check_size import list_sources  # noqa: E402

# A module may include itself and those of a lower rank; equal ranks stay apart.
RANK = {"base": 0, "wheel": 1, "flow": 1, "wire": 1, "stream": 1, "recovery": 1,
        "tcp": 2, "stack": 3, "dpdk": 4}

# (includer, included) beyond the ranks, each with its reason.
SIDEWAYS = {
    ("wire", "flow"): "a parsed segment carries its flow key",
}
PUBLIC = {"pmtcp.h": 2, "pmtcp_stats.h": 2, "pmtcp_steer.h": 2, "pmtcp_dpdk.h": 4, "pmtcp_counters.def": 0}  # file: lowest rank

CORE_C = {"errno.h", "inttypes.h", "limits.h", "stdalign.h", "stdbool.h", "stddef.h", "stdint.h",
          "string.h"}
CORE_CPU = {"arm_neon.h", "emmintrin.h", "immintrin.h", "smmintrin.h", "x86intrin.h"}
CORE_DPDK = {"rte_mbuf.h", "rte_ether.h", "rte_arp.h", "rte_ip.h", "rte_icmp.h", "rte_tcp.h",
             "rte_byteorder.h", "rte_prefetch.h", "rte_branch_prediction.h"}
FLOW_DPDK = {"rte_thash.h"}
APP_DPDK = {"rte_mbuf.h"}  # the packet type of the public API

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]", re.M)


def is_dpdk(name):
    return name.startswith(("rte_", "bus_", "ethdev_"))


def core_angle(module, name):
    """Why the core may not include <name>, or None."""
    if name in PUBLIC:
        return quoted_from_lib(module, name)
    if name in CORE_C or name in CORE_CPU:
        return None
    if is_dpdk(name) and module == "base":
        return "lib/base knows no DPDK"
    if name in CORE_DPDK or (module == "flow" and name in FLOW_DPDK):
        return None
    if is_dpdk(name):
        return "the core includes only layout headers of DPDK"
    return "the core has no I/O, clock, thread or allocation: header not on its list"


def quoted_from_lib(module, name):
    """Why a module of lib may not include "name", or None."""
    if name in PUBLIC:
        return None if RANK[module] >= PUBLIC[name] else f"lib/{module} is below the public API"
    other = name.split("/")[0]
    if "/" not in name or other not in RANK:
        return "includes are spelled \"module/header.h\""
    if other == module or RANK[other] < RANK[module] or (module, other) in SIDEWAYS:
        return None
    return f"lib/{module} may not include lib/{other}"


def judge_lib(path, quote, name):
    module = path.split("/")[1]
    if module == "include":
        if quote == '"' or name in PUBLIC:
            return None if name in PUBLIC else "public headers include public headers only"
        return core_angle("stack", name) if path.endswith("/pmtcp.h") else None
    if module not in RANK:
        return f"lib/{module} is no module that the layers know"
    if quote == '"':
        return quoted_from_lib(module, name)
    return None if module == "dpdk" else core_angle(module, name)


def judge_app(path, quote, name):
    app = path.split("/")[1]
    if name in PUBLIC:
        return None
    if quote == "<":
        if not is_dpdk(name) or name in APP_DPDK or app == "common":
            return None
        return "applications know DPDK only through lib/include and apps/common"
    other = name.split("/")[0]
    if "/" in name and other in (app, "common"):
        return None
    if "/" not in name:
        return "includes are spelled \"module/header.h\""
    return f"apps/{app} may include lib/include, apps/common and itself"


def judge(path, quote, name):
    """Why the file `path` may not include `name`, or None."""
    if name.startswith(("../", "./")) or "/../" in name:
        return "includes climb no folders"
    if path.startswith("lib/"):
        return judge_lib(path, quote, name)
    if path.startswith("apps/"):
        return judge_app(path, quote, name)
    return None


def check_text(path, text):
    """(line, sentence) of each include that breaks a rule."""
    found = []
    for match in INCLUDE.finditer(text):
        why = judge(path, match.group(1), match.group(2))
        if why is not None:
            line = text.count("\n", 0, match.start()) + 1
            found.append((line, f"{match.group(2)}: {why}"))
    return found


def check_tree(root):
    """Prints what is included against the rules; returns the exit code."""
    bad, paths = 0, list_sources(root)
    for path in paths:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found = check_text(path, file.read())
        for line, sentence in found:
            print(f"{path}:{line}: {sentence}")
        bad += len(found)
    if not paths:
        print("check_includes: no source file found")
        bad += 1
    print(f"check_includes: {len(paths)} files, {bad} findings")
    return 1 if bad else 0


def self_test():
    """One row per rule: the file, what it includes, whether that is allowed."""
    rows = [
        ("lib/tcp/a.c", '"base/base.h"', True),
        ("lib/tcp/a.c", '"tcp/tcb.h"', True),
        ("lib/tcp/a.c", '"stack/stack.h"', False),
        ("lib/tcp/a.c", '"tcb.h"', False),
        ("lib/tcp/a.c", '"../base/base.h"', False),
        ("lib/tcp/a.c", '"pmtcp.h"', True),
        ("lib/tcp/a.c", "<pmtcp.h>", True),
        ("lib/tcp/a.c", '"pmtcp_dpdk.h"', False),
        ("lib/wire/a.h", '"flow/flow_key.h"', True),
        ("lib/flow/a.h", '"wire/seg.h"', False),
        ("lib/wheel/a.c", '"stream/sendq.h"', False),
        ("lib/recovery/a.c", '"pmtcp.h"', False),
        ("lib/base/a.c", '"wheel/wheel.h"', False),
        ("lib/base/a.c", "<rte_mbuf.h>", False),
        ("lib/wire/a.c", "<rte_mbuf.h>", True),
        ("lib/flow/a.c", "<rte_thash.h>", True),
        ("lib/wire/a.c", "<rte_thash.h>", False),
        ("lib/stack/a.c", "<rte_ethdev.h>", False),
        ("lib/stack/a.c", "<rte_cycles.h>", False),
        ("lib/stack/a.c", "<stdio.h>", False),
        ("lib/tcp/a.c", "<time.h>", False),
        ("lib/tcp/a.c", "<sys/socket.h>", False),
        ("lib/tcp/a.c", "<stdlib.h>", False),
        ("lib/flow/a.c", "<emmintrin.h>", True),
        ("lib/tcp/a.c", "<errno.h>", True),
        ("lib/dpdk/a.c", "<rte_ethdev.h>", True),
        ("lib/dpdk/a.c", '"stack/stack.h"', True),
        ("lib/dpdk/a.c", '"pmtcp_dpdk.h"', True),
        ("lib/dpdk/a.c", '"load/pace.h"', False),
        ("lib/novel/a.c", "<stdint.h>", False),
        ("lib/include/pmtcp.h", "<rte_mbuf.h>", True),
        ("lib/include/pmtcp.h", "<rte_ethdev.h>", False),
        ("lib/include/pmtcp.h", '"tcp/tcb.h"', False),
        ("lib/include/pmtcp_dpdk.h", '"pmtcp.h"', True),
        ("apps/load/a.c", '"pmtcp.h"', True),
        ("apps/load/a.c", '"pmtcp_dpdk.h"', True),
        ("apps/load/a.c", '"common/hist.h"', True),
        ("apps/load/a.c", '"load/pace.h"', True),
        ("apps/load/a.c", '"proxy/conf.h"', False),
        ("apps/load/a.c", '"tcp/tcb.h"', False),
        ("apps/load/a.c", '"base/base.h"', False),
        ("apps/load/a.c", "<rte_ethdev.h>", False),
        ("apps/load/a.c", "<stdio.h>", True),
        ("apps/common/a.c", "<rte_eal.h>", True),
        ("apps/common/a.c", '"load/pace.h"', False),
        ("tests/unit/a.c", '"tcp/tcb.h"', True),
        ("tests/unit/a.c", "<stdio.h>", True),
        ("bench/a.c", '"flow/flow_table.h"', True),
    ]
    bad = 0
    for path, name, is_allowed in rows:
        found = check_text(path, f"/* x */\n\n#include {name}\n")
        if (found == []) != is_allowed or (found and found[0][0] != 3):
            print(f"not ok: {path} includes {name}: {found}")
            bad += 1
    print(f"check_includes: self-test of {len(rows)} rows, {bad} failed")
    return 1 if bad else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if sys.argv[1:]:
        print("usage: check_includes.py [--self-test]", file=sys.stderr)
        return 2
    return check_tree(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


if __name__ == "__main__":
    sys.exit(main())
