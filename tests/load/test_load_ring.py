#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Goal: pmtcp-load does what its manual says: every closing mode, payload, loss,
pace, exhaustion, refusal, timeout, Ctrl-C and outputs, with its exit codes.
Method: the program runs over a ring (and once over memif, as two processes) and
its JSON is looked at. Usage: test_load_ring.py PROGRAM [unittest arguments]"""

import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = ""
CLOSES = ("client-fin", "server-fin", "simultaneous", "client-rst")


def start(*args):
    return subprocess.Popen([PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True)


def load(*args, timeout=60):
    """Runs to the end: exit code, JSON report or None, the words for people."""
    with start(*args) as p:
        out, err = p.communicate(timeout=timeout)
    return p.returncode, json.loads(out) if out.startswith("{") else None, err


class Ring(unittest.TestCase):
    def run_fine(self, *args):
        # A machine that stood still for half a second proves nothing: once more.
        for _ in range(3):
            code, report, text = load("run", "--json", "-", *args)
            if code == 0 or report["pace"]["late_max_us"] < 500000:
                break
        self.assertEqual(code, 0, text)
        self.check_books(report, text)
        self.assertEqual(report["failed"], {}, text)
        self.assertEqual(report["errors"], [])
        self.assertEqual(report["live"], 0)
        self.assertEqual(report["opened"], report["closed"])
        return report

    def run_failing(self, *args):
        code, report, text = load("run", "--json", "-", *args)
        self.assertEqual(code, 3, text)
        self.check_books(report, text)
        self.assertTrue(report["errors"], text)
        return report, text

    def check_books(self, report, text):
        self.assertTrue(report["conservation"]["balanced"], text)
        self.assertEqual(report["opened"],
                         report["closed"] + sum(report["failed"].values()) + report["live"])
        self.assertEqual(report["time_wait"]["evicted"], 0)

    def test_full_speed_measures_a_window(self):
        report = self.run_fine("--duration", "1s", "--warmup", "200ms")
        self.assertGreater(report["opens_per_s"], 1000)
        self.assertAlmostEqual(report["window_s"], 1.0, delta=0.2)
        self.assertAlmostEqual(report["opens_per_s"] / report["closes_per_s"], 1, delta=0.05)
        self.assertEqual(report["time_wait"]["entered"], report["closed"])
        self.assertEqual(report["time_wait"]["current"], report["closed"])
        self.assertEqual(report["client"]["connected"], report["server"]["opened"])
        ladder = report["connect_us"]
        self.assertGreater(ladder["p50"], 0)
        self.assertLessEqual(ladder["p50"], ladder["p90"])
        self.assertLessEqual(ladder["p999"], ladder["max"])

    def test_one_cpu_runs_both_ends_on_one_thread(self):
        mask = os.sched_getaffinity(0)
        try:
            os.sched_setaffinity(0, {min(mask)})
            report = self.run_fine("--duration", "500ms", "--warmup", "0")
        finally:
            os.sched_setaffinity(0, mask)
        self.assertTrue(report["box"]["one_thread"])
        self.assertGreater(report["opened"], 1000)

    def test_every_close_without_payload(self):
        for close in CLOSES:
            with self.subTest(close=close):
                report = self.run_fine("--count", "20000", "--close", close)
                self.assertEqual(report["closed"], 20000)
                entered = {side: report[side]["counters"].get("tw_entered", 0)
                           for side in ("client", "server")}
                if close == "client-fin":
                    self.assertEqual(entered, {"client": 20000, "server": 0})
                elif close == "server-fin":
                    self.assertEqual(entered, {"client": 0, "server": 20000})
                elif close == "client-rst":
                    self.assertEqual(entered, {"client": 0, "server": 0})
                else:
                    # Who is first stays in TIME-WAIT; both do where the FINs cross.
                    self.assertGreaterEqual(sum(entered.values()), 20000)

    def test_every_close_with_payload(self):
        for close in CLOSES:
            for request, response in ((1, 1), (0, 500), (500, 0), (3000, 100000)):
                with self.subTest(close=close, request=request, response=response):
                    report = self.run_fine("--count", "500", "--close", close,
                                           "--concurrency", "32", "--request", str(request),
                                           "--response", str(response))
                    self.assertEqual(report["closed"], 500)
                    self.assertEqual(report["server"]["rx_octets"], 500 * request)
                    self.assertEqual(report["client"]["rx_octets"], 500 * response)

    def test_time_wait_steady_state_expires_as_fast_as_it_opens(self):
        report = self.run_fine("--tw", "1s", "--rate", "20k", "--warmup", "2s", "--duration", "4s")
        opens = report["opens_per_s"]
        self.assertAlmostEqual(opens, 20000, delta=1000)
        self.assertAlmostEqual(report["time_wait"]["expired_per_s"], opens, delta=opens * 0.05)

    def test_tw_zero_leaves_none(self):
        report = self.run_fine("--tw", "0", "--count", "1000")
        self.assertEqual(report["time_wait"]["skipped"], 1000)
        self.assertEqual(report["time_wait"]["current"], 0)
        self.assertEqual(report["box"]["two_msl_s"], 0)

    def test_dec_8_short_2msl_is_said_before_the_run_and_in_the_report(self):
        for tw, words, times in (("0", "2MSL is 0, for benchmarks only", 2),
                                 ("1s", "2MSL is below 30 s", 2), ("30s", "warning", 0)):
            _, _, text = load("run", "--json", "-", "--count", "10", "--tw", tw)
            self.assertEqual(text.count(words), times, text)

    def test_held_connections_stay_while_others_come_and_go(self):
        held = {"opened": 2000, "established": 2000, "lost": 0, "released": 2000}
        # Two probes a second are answered (SEC-4); of ten, nine in a row might not be.
        for more in ((), ("--request", "64", "--response", "64"), ("--close", "client-rst"),
                     ("--ip", "2001:db8:1::1/64"), ("--keepalive", "500ms")):
            with self.subTest(more=more):
                report = self.run_fine("--hold", "2k", "--rate", "5k", "--count", "5000", *more)
                self.assertEqual(report["closed"], 5000)
                self.assertEqual(report["held"], held)
                self.assertEqual(report["server"]["held"], held)
                self.assertEqual(report["server"]["closed"], 5000)
                entered = 0 if "client-rst" in more else 5000
                self.assertEqual(report["time_wait"]["entered"], entered)

    def test_held_connections_cost_no_frames_of_the_others(self):
        # By number: a window of time may end while many are half-way.
        report = self.run_fine("--hold", "5k", "--rate", "5k", "--count", "5000")
        # SYN, SYN-ACK, FIN, FIN, ACK; and an ACK alone now and then.
        self.assertAlmostEqual(report["packets_per_connection"], 5, delta=0.5)
        self.assertEqual(report["config"]["hold"], 5000)

    def test_held_connections_over_a_bad_wire(self):
        report = self.run_fine("--hold", "500", "--link", "ring,loss=3%,seed=9", "--count", "500")
        self.assertEqual(report["held"]["established"], 500)
        self.assertEqual(report["held"]["released"], 500)

    def test_ctrl_c_while_holding_lets_all_go(self):
        with start("run", "--hold", "50", "--link", "ring,delay=500ms", "--concurrency", "1",
                   "--json", "-") as p:
            time.sleep(4)
            p.send_signal(signal.SIGINT)
            out, err = p.communicate(timeout=30)
        self.assertEqual(p.returncode, 0, err)
        report = json.loads(out)
        self.check_books(report, err)
        self.assertEqual(report["opened"], 0)
        self.assertGreater(report["held"]["established"], 0)
        self.assertLess(report["held"]["opened"], 50)

    def test_refused_held_connections_are_lost(self):
        report, text = self.run_failing("--hold", "20", "--listen", "5001", "--target",
                                        "198.19.0.1:6000", "--count", "5")
        self.assertEqual(report["held"], {"opened": 20, "established": 0, "lost": 20,
                                          "released": 0})
        self.assertIn("20 of the client's 20 held connections ended before the run", text)

    def check_workers(self, workers, queues, wrong):
        count = 3000
        report = self.run_fine("--workers", str(workers), "--link",
                               f"ring,queues={queues},wrong={wrong}%", "--count", str(count),
                               "--request", "100", "--response", "1000")
        self.assertEqual(report["opened"], count)
        self.assertEqual((report["box"]["workers"], report["box"]["queues"]), (workers, queues))
        for end in ("client", "server"):
            worker, counters = report[end]["worker"], report[end]["counters"]
            handed = counters.get("misdirected", 0)
            self.assertEqual(worker["steer_dropped"], 0)
            self.assertEqual(worker["steer_taken"], handed)
            self.assertEqual(counters["rx_frames"] - handed, worker["rx_packets"])
            self.assertEqual(worker["tx_relayed"] > 0, queues < workers)
        return report

    def test_res_14_workers_on_their_own_queues_hand_nothing_over(self):
        report = self.check_workers(2, 2, 0)
        self.assertNotIn("misdirected", report["client"]["counters"])
        self.assertNotIn("misdirected", report["server"]["counters"])

    def test_res_14_every_frame_on_the_wrong_queue(self):
        report = self.check_workers(2, 2, 100)
        for end in ("client", "server"):
            self.assertEqual(report[end]["counters"]["misdirected"],
                             report[end]["worker"]["rx_packets"])

    def test_res_14_fewer_queues_than_workers(self):
        self.check_workers(2, 1, 0)
        self.check_workers(3, 2, 0)

    def test_workers_share_what_is_held(self):
        held = {"opened": 1001, "established": 1001, "lost": 0, "released": 1001}
        # All end at once, by resets that nobody repeats: a ring between two workers has room
        # for them.
        for link in ("ring", "ring,queues=1", "ring,wrong=100%"):
            with self.subTest(link=link):
                report = self.run_fine("--workers", "2", "--link", link, "--hold", "1001",
                                       "--count", "3000")
                self.assertEqual(report["closed"], 3000)
                self.assertEqual(report["held"], held)
                self.assertEqual(report["server"]["held"], held)
                self.assertEqual(report["server"]["closed"], 3000)

    def test_fewer_connections_than_workers(self):
        report = self.run_fine("--workers", "4", "--count", "2")
        self.assertEqual(report["opened"], 2)

    def test_loss_is_repaired_and_counted(self):
        report = self.run_fine("--link", "ring,loss=2%,dup=1%,reorder=1%,seed=5",
                               "--count", "1000", "--concurrency", "500",
                               "--request", "100", "--response", "5000")
        self.assertGreater(report["retransmitted"], 0)
        self.assertEqual(report["closed"], 1000)

    def test_rate_sets_the_speed(self):
        report = self.run_fine("--rate", "5k", "--warmup", "200ms", "--duration", "1s")
        self.assertAlmostEqual(report["opens_per_s"], 5000, delta=500)
        self.assertAlmostEqual(report["pace"]["launched"], 6000, delta=300)
        self.assertEqual(report["pace"]["bound_by"], "rate")
        self.assertEqual(report["pace"]["loop"], "open")

    def test_concurrency_holds_the_rate_and_is_named(self):
        report = self.run_fine("--link", "ring,delay=2ms", "--rate", "50k", "--concurrency", "4",
                               "--warmup", "0", "--duration", "1s")
        self.assertLess(report["opens_per_s"], 5000)
        self.assertEqual(report["pace"]["bound_by"], "concurrency")
        self.assertGreater(report["pace"]["late"], 0)
        # From the intended launch, not from the SYN: far more than the 4 ms of the wire.
        self.assertGreater(report["connect_us"]["p90"], 100000)

    def test_refused_is_the_cause(self):
        report, text = self.run_failing("--listen", "5001", "--target", "198.19.0.1:6000",
                                        "--count", "20")
        self.assertEqual(report["failed"], {"refused": 20})
        self.assertIn("refused", text)

    def test_silence_is_a_timeout(self):
        report, text = self.run_failing("--link", "ring,loss=100%", "--count", "5",
                                        "--syn-retries", "1")
        self.assertEqual(report["failed"], {"timeout_syn": 5})
        self.assertIn("timeout_syn", text)

    def test_silence_beyond_the_drain_is_told_by_state(self):
        report, text = self.run_failing("--link", "ring,loss=100%", "--rate", "5",
                                        "--warmup", "0", "--duration", "900ms")
        self.assertEqual(report["live"], 5)
        self.assertEqual(list(report["client"]["live_by_state"].values()), [5])
        self.assertIn("5 SYN-SENT", text)

    def test_ports_exhausted_gives_the_numbers(self):
        report, text = self.run_failing("--ip", "198.18.0.1/16", "--source", "198.18.0.1",
                                        "--ports", "2000-2099", "--listen", "5001",
                                        "--rate", "1k", "--duration", "5s")
        self.assertEqual(report["open_errors"], {"ports_exhausted": 1})
        self.assertEqual(report["opened"], 100)
        self.assertIn("of 100 ports", text)
        numbers = re.search(r"ports (\d+) are in use and (\d+) in TIME-WAIT", text)
        self.assertEqual(sum(int(n) for n in numbers.groups()), 100)
        self.assertIn("sustain", text)

    def test_unpaced_small_plan_keeps_to_it(self):
        report = self.run_fine("--ip", "198.18.0.1/16", "--source", "198.18.0.1",
                               "--ports", "2000-11999", "--listen", "5001", "--concurrency", "64",
                               "--warmup", "0", "--duration", "2s")
        self.assertEqual(report["plan"]["bound_by"], "tuples")
        self.assertAlmostEqual(report["opens_per_s"], report["plan"]["sustained_per_s"],
                               delta=report["opens_per_s"] * 0.1)

    def test_ctrl_c_ends_with_all_outputs(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "out.json")
            with start("run", "--duration", "0", "--tw", "1s", "--rate", "1k",
                       "--json", path) as p:
                time.sleep(2)
                p.send_signal(signal.SIGINT)
                out, err = p.communicate(timeout=30)
            self.assertEqual(p.returncode, 0, out + err)
            self.assertIn("window", out)
            with open(path, encoding="utf-8") as f:
                report = json.load(f)
        self.check_books(report, out)
        self.assertEqual(report["live"], 0)

    def test_res_15_sigterm_with_1000_live_leaks_nothing(self):
        # The wire takes its time, so thousands are in every state. One signal lets them end;
        # with two nobody waits, and who is left gets FIN, then RST.
        for signals in (1, 2):
            with self.subTest(signals=signals), start(
                    "run", "--link", "ring,delay=200ms", "--rate", "2k", "--duration", "0",
                    "--warmup", "0", "--request", "10", "--response", "10", "--json", "-") as p:
                time.sleep(4)
                begun = time.monotonic()
                for _ in range(signals):
                    p.send_signal(signal.SIGTERM)
                    time.sleep(0.1)
                out, err = p.communicate(timeout=30)
                self.assertLess(time.monotonic() - begun, 7 if signals == 1 else 3)
                report = json.loads(out)
                self.check_books(report, err)
                if signals == 1:
                    self.assertEqual(p.returncode, 0, err)
                    self.assertEqual(report["live"], 0)
                else:
                    self.assertEqual(p.returncode, 3, err)
                    self.assertGreater(report["live"], 1000)
                self.assertGreater(report["opened"], 3000)
                self.assertNotIn("did not come back", err)

    def test_capture_is_a_pcap(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.pcap")
            self.run_fine("--count", "10", "--pcap", path)
            with open(path, "rb") as f:
                magic, = struct.unpack("<I", f.read(4))
            self.assertIn(magic, (0xa1b2c3d4, 0xa1b23c4d))
            self.assertGreater(os.path.getsize(path), 10 * 5 * 54)

    def test_sec_11_no_output_holds_a_secret(self):
        # Everything that is written, in a run whose random octets are known: neither the
        # octets, nor their digits in either base and order, nor addresses in memory.
        words = b"".join((n * 0x9e3779b97f4a7c15 % (1 << 64)).to_bytes(8, "little")
                         for n in range(1, 257))
        secrets = [words[i:i + 8] for i in range(len(words) - 7)]
        with tempfile.TemporaryDirectory() as folder:
            mark, pcap, report = (os.path.join(folder, name)
                                  for name in ("mark", "x.pcap", "x.json"))
            env = dict(os.environ, LD_PRELOAD=os.environ["FIXED_RANDOM"],
                       FIXED_RANDOM_MARK=mark, ASAN_OPTIONS="verify_asan_link_order=0")
            done = subprocess.run([PROGRAM, "run", "--count", "300", "--request", "100",
                                   "--response", "100", "--syn-cookies", "always", "--pcap", pcap,
                                   "--json", report], env=env, capture_output=True, timeout=60,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertTrue(os.path.exists(mark))
            outputs = [done.stdout, done.stderr]
            for path in (pcap, report):
                with open(path, "rb") as f:
                    outputs.append(f.read())
        raw = b"\0".join(outputs)
        text = (done.stdout + done.stderr + outputs[3]).decode().lower()
        self.assertIn("opened", text)
        numbers = set(re.findall(r"\d{9,}", text))
        digits = "".join(re.findall(r"[0-9a-f]{12,}", text))
        for s in secrets:
            self.assertNotIn(s, raw)
            for order in ("little", "big"):
                value = int.from_bytes(s, order)
                self.assertNotIn(str(value), numbers)
                self.assertNotIn(str(value - (1 << 64)).lstrip("-"), numbers)
                self.assertNotIn("%016x" % value, digits)
        self.assertIsNone(re.search(r"0x[0-9a-f]{9,}", text))

    def test_check_prints_the_plan_and_opens_nothing(self):
        with start("run", "--check", "--rate", "1m") as p:
            out, _ = p.communicate(timeout=10)
        self.assertEqual(p.returncode, 0)
        self.assertIn("tuples", out)
        self.assertNotIn("window", out)

    def test_sample_configuration_runs(self):
        self.run_fine("-c", "config/load.yaml", "--rate", "2k", "--warmup", "0",
                      "--duration", "500ms")

    def test_exit_codes_of_usage_and_set_up(self):
        self.assertEqual(load("run", "--nonsense")[0], 1)
        self.assertEqual(load("client", "--link", "tap:x")[0], 1)
        self.assertEqual(load("client", "--link", "pci:0000:ff:1f.7", "--ip", "10.0.0.2/24",
                              "--target", "10.0.0.1:80")[0], 2)
        for option in ("--json", "--pcap"):
            with start("run", "--count", "1", option, "/nowhere/x") as p:
                out, err = p.communicate(timeout=10)
            self.assertEqual(p.returncode, 2)
            self.assertEqual(err, "pmtcp-load: cannot write /nowhere/x: "
                                  "No such file or directory.\n")
            self.assertNotIn("window", out)

    def test_report_has_the_addresses_as_they_came_out(self):
        config = self.run_fine("--count", "10", "--source", "10.1.0.3-10.1.0.4", "--target",
                               "10.2.0.1:80-81", "--ports", "2000-3000", "--mtu", "1400")["config"]
        want = {"ip": "10.1.0.3-10.1.0.4/16", "source": "10.1.0.3-10.1.0.4",
                "target": "10.2.0.1:80-81", "listen": "80-81", "ports": "2000-3000",
                "gateway": "10.1.255.254", "mac": None, "mtu": "1400"}
        self.assertEqual({key: config[key] for key in want}, want)

    def test_end_in_the_warm_up_is_said(self):
        code, _, text = load("run", "--json", "-", "--count", "10", "--warmup", "5s")
        self.assertEqual(code, 0, text)
        self.assertIn("ended during the warm-up: no window", text)

    def test_server_plan_is_what_its_context_gets(self):
        words = ("server", "--check", "--link", "memif:server:/tmp/x", "--ip", "10.7.0.1/24")
        with start(*words) as p:
            out, err = p.communicate(timeout=10)
        self.assertEqual(p.returncode, 0, err)
        self.assertIn("max_time_wait 1024 (0.1 MB)", out)


class Memif(unittest.TestCase):
    def test_two_processes_agree(self):
        with tempfile.TemporaryDirectory() as folder:
            sock = os.path.join(folder, "m")
            server = start("server", "--link", "memif:server:" + sock, "--ip", "10.7.0.1/24",
                           "--listen", "5001-5002", "--json", "-", "--idle", "sleep")
            time.sleep(2)
            code, report, text = load("client", "--link", "memif:client:" + sock,
                                      "--ip", "10.7.0.2/24", "--source", "10.7.0.2-10.7.0.5",
                                      "--target", "10.7.0.1:5001-5002", "--count", "1000",
                                      "--concurrency", "32", "--json", "-")
            server.send_signal(signal.SIGINT)
            out, err = server.communicate(timeout=30)
        self.assertEqual(code, 0, text)
        self.assertEqual(server.returncode, 0, err)
        other = json.loads(out)
        self.assertEqual(report["closed"], 1000)
        self.assertEqual(other["closed"], 1000)
        self.assertTrue(other["conservation"]["balanced"])

    def test_held_connections_of_two_processes(self):
        with tempfile.TemporaryDirectory() as folder:
            sock = os.path.join(folder, "m")
            server = start("server", "--link", "memif:server:" + sock, "--ip", "10.7.0.1/24",
                           "--hold", "3k", "--request", "64", "--response", "64", "--json", "-")
            time.sleep(2)
            code, report, text = load("client", "--link", "memif:client:" + sock, "--ip",
                                      "10.7.0.2/24", "--target", "10.7.0.1:5001", "--hold", "3k",
                                      "--request", "64", "--response", "64", "--count", "1000",
                                      "--concurrency", "32", "--json", "-")
            server.send_signal(signal.SIGINT)
            out, err = server.communicate(timeout=30)
        self.assertEqual(code, 0, text)
        self.assertEqual(server.returncode, 0, err)
        other = json.loads(out)
        held = {"opened": 3000, "established": 3000, "lost": 0, "released": 3000}
        self.assertEqual(report["held"], held)
        self.assertEqual(other["held"], held)
        self.assertEqual(other["closed"], 1000)
        self.assertTrue(other["conservation"]["balanced"])

    def end_echo(self, is_peer_dead):
        """SIGTERM to an echo server with 1000 connections: (exit code, seconds, its line)."""
        with tempfile.TemporaryDirectory() as folder:
            sock = os.path.join(folder, "m")
            echo = subprocess.Popen([os.environ["ECHO"], "--link", "memif:server:" + sock, "--ip",
                                     "10.7.0.1/24", "-l", "5001"], stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
            time.sleep(2)
            client = start("client", "--link", "memif:client:" + sock + ",delay=2s",
                           "--ip", "10.7.0.2/24", "--target", "10.7.0.1:5001", "--rate", "1k",
                           "--warmup", "0", "--request", "10", "--response", "10", "--json", "-")
            time.sleep(7)
            if is_peer_dead:
                client.kill()
            begun = time.monotonic()
            echo.send_signal(signal.SIGTERM)
            out, err = echo.communicate(timeout=30)
            seconds = time.monotonic() - begun
            client.kill()
            client.communicate(timeout=30)
        return echo.returncode, seconds, out.splitlines()[-1] + err

    def test_res_15_echo_ends_within_its_deadline(self):
        for is_peer_dead in (False, True):
            with self.subTest(is_peer_dead=is_peer_dead):
                code, seconds, line = self.end_echo(is_peer_dead)
                self.assertEqual(code, 0, line)
                self.assertLess(seconds, 3)
                found = re.fullmatch(r"pmtcp-echo: (\d+) connections at the end, (\d+) of them "
                                     r"aborted, 0 blocks left, the books balance", line)
                self.assertTrue(found, line)
                self.assertGreaterEqual(int(found[1]), 1000)

    def test_dead_next_hop_is_said_before_the_clock_starts(self):
        with tempfile.TemporaryDirectory() as folder:
            sock = os.path.join(folder, "m")
            server = start("server", "--link", "memif:server:" + sock, "--ip", "10.7.0.1/24")
            time.sleep(2)
            code, report, text = load("client", "--link", "memif:client:" + sock,
                                      "--ip", "10.7.0.2/24", "--target", "10.7.0.9:5001",
                                      "--count", "10", "--json", "-")
            server.send_signal(signal.SIGINT)
            server.communicate(timeout=30)
        self.assertEqual(code, 3, text)
        self.assertEqual(report["opened"], 0)
        self.assertIn("does not answer ARP", text)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=2)
