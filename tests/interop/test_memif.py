#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: two processes, connected by shared memory only, open and close hundreds of
thousands of connections without one error, and agree about them.
Method: pmtcp-load as server and as client over a memif socket; the two reports are
compared. Needs no root and no namespace. The programs die with this one, however
it ends. Usage: test_memif.py LOAD"""

import json
import signal
import subprocess
import sys
import tempfile
import time

COUNT = 300_000
TUPLES = "10.7.0.2-10.7.0.33/24"
TIMEOUT_S = 120


def start(*args):
    return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *map(str, args)],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def check(condition, *words):
    if not condition:
        print("not ok 1 - memif")
        print("#", *words)
        sys.exit(1)


def said(program, word):
    """The lines up to the one with this word."""
    lines = []
    for line in program.stdout:
        lines.append(line)
        if word in line:
            return
    check(False, f"ended without saying '{word}':", *lines)


def report(path, text):
    with open(path, encoding="utf-8") as file:
        r = json.load(file)
    check(r["conservation"]["balanced"], text)
    check(r["errors"] == [] and r["failed"] == {} and r["live"] == 0, text)
    check(r["opened"] == r["closed"] == COUNT, text)
    check(r["time_wait"]["evicted"] == 0, text)
    return r


def main():
    load = sys.argv[1]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.alarm(TIMEOUT_S)
    print("1..1", flush=True)
    with tempfile.TemporaryDirectory(prefix="pmtcp-memif-") as folder:
        socket = f"{folder}/m"
        server = start(load, "server", "--link", f"memif:server:{socket}", "--ip", "10.7.0.1/24",
                       "--listen", "5001-5004", "--request", 100, "--response", 1000, "--rate",
                       "100k", "--idle", "yield", "--json", f"{folder}/server")
        said(server, "waiting for the first connection")
        client = start(load, "client", "--link", f"memif:client:{socket}", "--ip", TUPLES,
                       "--target", "10.7.0.1:5001-5004", "--request", 100, "--response", 1000,
                       "--count", COUNT, "--idle", "yield", "--json", f"{folder}/client")
        client_text = client.communicate()[0]
        time.sleep(0.2)
        server.send_signal(signal.SIGINT)
        server_text = server.communicate()[0]
        check(client.returncode == 0, "client", client.returncode, client_text, server_text)
        check(server.returncode == 0, "server", server.returncode, server_text)
        ours = report(f"{folder}/client", client_text)
        theirs = report(f"{folder}/server", server_text)
    sides = ours["client"], theirs["server"]
    check(sides[0]["tx_octets"] == sides[1]["rx_octets"] == 100 * COUNT, "requests")
    check(sides[1]["tx_octets"] == sides[0]["rx_octets"] == 1000 * COUNT, "responses")
    print(f"ok 1 - memif: {COUNT} connections")
    print(f"# {ours['closes_per_s']:.0f} connections/s, {ours['retransmitted']} + "
          f"{theirs['retransmitted']} retransmitted, connect p50 {ours['connect_us']['p50']} us")


if __name__ == "__main__":
    main()
