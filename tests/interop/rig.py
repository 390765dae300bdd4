# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Wires between pmtcp and the Linux kernel, in the namespaces of tools/netns.sh.

Straight:  [linux: kernel's TCP, 198.18.0.1] ---- [pmtcp, 198.18.0.2]
Lossy:     [linux: 198.18.0.1] ---- [router: loses frames] ---- [pmtcp, 198.19.0.2]

Over af_packet each line is a veth pair, and pmtcp's end has a namespace where the
kernel has no address at all. Over tap the interface is made by pmtcp, in the
namespace of its neighbour, and configured here once it is there.

Why a router: a rule that drops in the sender's own output hook is no loss to its
TCP, which is told about it at once and keeps the segment. Only frames that are
under way can be lost.

Everything runs below the first process of a PID namespace, so that nothing can
outlive it; see tools/netns.sh."""

import json
import os
import signal
import subprocess
import sys
import time

LINUX_IP, LINUX_NET = "198.18.0.1", "198.18.0.1/24"
WAIT_S = 20
OUT = "/run/interop"
OFFLOADS = ("rx", "off", "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off")

# Counters of the kernel that must not move: bad checksums and broken segments,
# connections that ended by a reset or were given up, and every kind of abort.
NEVER = ("TcpInCsumErrors", "IpInHdrErrors", "TcpEstabResets", "TcpAttemptFails",
         "TcpExtTCPAbortOnData", "TcpExtTCPAbortOnClose", "TcpExtTCPAbortOnTimeout",
         "TcpExtTCPAbortFailed", "TcpExtTCPReqQFullDrop", "TcpExtListenOverflows",
         "TcpExtListenDrops", "TcpExtPAWSEstab", "TcpExtTCPSACKDiscard")

# Both ways, whoever they are for: pmtcp's resets are not in the kernel's counters.
WATCH = """
table ip watch {
    counter rst_to_linux { }
    counter rst_from_linux { }
    chain i { type filter hook input priority -300; tcp flags & rst == rst counter name rst_to_linux; }
    chain o { type filter hook output priority -300; tcp flags & rst == rst counter name rst_from_linux; }
}
"""

LOSS = """
table ip loss {
    counter lost_to_linux { }
    counter lost_to_pmtcp { }
    chain f {
        type filter hook forward priority 0;
        ip daddr 198.18.0.1 numgen random mod 1000 < %(permille)u counter name lost_to_linux drop
        ip saddr 198.18.0.1 numgen random mod 1000 < %(permille)u counter name lost_to_pmtcp drop
    }
}
"""


def run(*args, ns=None, timeout=60, check=True, **more):
    """Runs a command to its end; its output as text. Fails loudly."""
    full = (["ip", "netns", "exec", ns] if ns else []) + [str(arg) for arg in args]
    done = subprocess.run(full, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=timeout, check=False, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(full)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def until(condition, what, seconds=WAIT_S):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.01)


class Program:
    """A program in the background; its output goes to a file."""

    count = 0

    def __init__(self, *args, ns, **more):
        Program.count += 1
        self.args = [str(arg) for arg in args]
        self.name = os.path.basename(self.args[0])
        self.path = f"{OUT}/{Program.count:03d}-{self.name}.log"
        with open(self.path, "wb") as log:
            more = {"stdin": subprocess.DEVNULL, "stdout": log, **more}
            self.process = subprocess.Popen(["ip", "netns", "exec", ns, *self.args],
                                            stderr=log, **more)

    def text(self):
        with open(self.path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def says(self, word):
        """Waits for a word in the output."""
        until(lambda: word in self.text() or self.process.poll() is not None,
              f"'{word}' from {self.name}")
        if word not in self.text():
            self.fail(f"ended without saying '{word}'")

    def fail(self, what):
        raise AssertionError(f"{self.name}: {what}\n$ {' '.join(self.args)}\n{self.text()}")

    def ends(self, seconds=WAIT_S, code=0):
        """Waits for its end, and expects that exit code; the output."""
        try:
            got = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            # A shell knows what it is doing there: ask for its report first.
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self.fail(f"did not end within {seconds} s")
        if got != code:
            self.fail(f"exit code {got} instead of {code}")
        return self.text()

    def stop(self, sig=signal.SIGTERM, code=0):
        self.process.send_signal(sig)
        return self.ends(code=code)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def quieten(interface, ns):
    """No IPv6 chatter, and frames as a wire would carry them (W-35)."""
    run("sysctl", "-qw", f"net.ipv6.conf.{interface}.disable_ipv6=1", ns=ns)
    run("ethtool", "-K", interface, *OFFLOADS, ns=ns)


class Rig:
    """One device between pmtcp and the kernel; lossy: with the router in between."""

    def __init__(self, device, programs, lossy=False):
        self.device, self.programs, self.lossy = device, programs, lossy
        os.makedirs(OUT, exist_ok=True)
        self.taps = 0
        self.spaces = ["linux"] + ["router"] * lossy + ["pmtcp"] * (device == "af_packet")
        self.running = []
        subnet = 19 if lossy else 18
        self.ip, self.net = f"198.{subnet}.0.2", f"198.{subnet}.0.2/24"
        self.near = f"198.{subnet}.0.{254 if lossy else 1}/24"  # the neighbour's end
        self.neighbour = "router" if lossy else "linux"
        for ns in self.spaces:
            run("ip", "netns", "add", ns)
            run("ip", "link", "set", "lo", "up", ns=ns)
            run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                "net.ipv6.conf.default.disable_ipv6=1", ns=ns)
        run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535",
            "net.core.somaxconn=8192", "net.ipv4.tcp_max_syn_backlog=8192", ns="linux")
        if not lossy:
            # No tail loss probes: on a busy machine they repeat FINs that were not lost.
            run("sysctl", "-qw", "net.ipv4.tcp_early_retrans=0", ns="linux")
        if lossy:
            self.pair("linux", "k0", LINUX_NET, "router", "r0", "198.18.0.254/24")
            run("ip", "route", "add", "default", "via", "198.18.0.254", ns="linux")
            run("sysctl", "-qw", "net.ipv4.ip_forward=1", ns="router")
        if device == "af_packet":
            self.pair(self.neighbour, "w0", self.near, "pmtcp", "d0", None)
        run("nft", WATCH, ns="linux")

    @staticmethod
    def pair(ns_a, a, net_a, ns_b, b, net_b):
        run("ip", "link", "add", a, "netns", ns_a, "type", "veth", "peer", "name", b,
            "netns", ns_b)
        for ns, name, net in ((ns_a, a, net_a), (ns_b, b, net_b)):
            quieten(name, ns)
            if net:
                run("ip", "addr", "add", net, "dev", name, ns=ns)
            else:
                run("ip", "link", "set", name, "promisc", "on", ns=ns)
            run("ip", "link", "set", name, "up", ns=ns)
            # One CPU for all that arrives. Otherwise frames that two CPUs send overtake
            # each other, and a repeated FIN behind the last ACK is answered by a reset.
            run("sh", "-c", f"echo 1 >/sys/class/net/{name}/queues/rx-0/rps_cpus", ns=ns)

    def lose(self, permille):
        run("nft", LOSS % {"permille": permille}, ns="router")

    def lost(self):
        """Frames the router lost so far, in each direction."""
        return self.counters("router", "loss") if self.lossy else {}

    def pmtcp(self, program, *args, configure=True, **more):
        """Starts one of our programs on the wire; the tap is configured on the way."""
        ns, word = "pmtcp", "af_packet:d0"
        if self.device == "tap":
            self.taps += 1
            ns, word = self.neighbour, f"tap:pm{self.taps}"
        gateway = ["--gateway", "198.19.0.254"] if self.lossy else []
        started = self.start(self.programs[program], *args, "--link", word, "--ip",
                             self.net, *gateway, ns=ns, **more)
        if self.device == "tap" and configure:
            self.configure_tap(started, f"pm{self.taps}", ns)
        return started

    def configure_tap(self, started, name, ns):
        """pmtcp is about to make the interface; it may need a moment after it."""
        def is_there():
            if started.process.poll() is not None:
                started.fail("ended at once")
            return "UP" in run("ip", "-o", "link", "show", name, ns=ns, check=False)
        # Up, that is: the program's self-check makes and removes one of that name first.
        until(is_there, f"interface {name}")
        quieten(name, ns)
        run("ip", "addr", "add", self.near, "dev", name, ns=ns)
        run("ip", "link", "set", name, "up", ns=ns)

    def advertise_mss(self, mss):
        """What the kernel's next SYNs to us say; 0: the usual."""
        name = f"pm{self.taps}" if self.device == "tap" else "w0"
        if mss == 0 and self.device == "tap":
            return  # the interface is gone, and its route with it
        run("ip", "route", "replace", self.net.replace(".2/", ".0/"), "dev", name, "src",
            LINUX_IP, *(["advmss", mss] if mss else []), ns="linux")

    def kernel(self, program, *args, **more):
        return self.start(self.programs.get(program, program), *args, ns="linux", **more)

    def start(self, *args, **more):
        self.running.append(Program(*args, **more))
        return self.running[-1]

    @staticmethod
    def counters(ns, table):
        listed = json.loads(run("nft", "-j", "list", "counters", "table", "ip", table, ns=ns))
        return {item["counter"]["name"]: item["counter"]["packets"]
                for item in listed["nftables"] if "counter" in item}

    def nstat(self):
        """Everything the kernel's side counted, the resets on its wire, lost frames."""
        text = run("nstat", "-a", "-s", "-z", "-j", ns="linux")
        count = {name: int(value) for name, value in json.loads(text)["kernel"].items()}
        return {**count, **self.counters("linux", "watch"), **self.lost()}

    def check(self, before):
        """No checksum error, no connection reset; what did move, for the log.

        Only one kind of reset is expected: a segment that was repeated (since it, or
        its answer, was lost or late) can meet a connection that is over. And a lost
        third ACK makes us repeat the SYN, which the kernel counts as an error and
        answers as RFC 5961 says."""
        now = self.nstat()
        moved = {name: now[name] - before.get(name, 0) for name in now
                 if now[name] != before.get(name, 0)}
        bad = [name for name in NEVER if name in moved]
        if moved.get("TcpInErrs", 0) != moved.get("TcpExtTCPSYNChallenge", 0):
            bad.append("TcpInErrs")
        resets = moved.get("rst_to_linux", 0) + moved.get("rst_from_linux", 0)
        if resets > sum(moved.get(name, 0) for name in ("TcpRetransSegs", *self.lost())):
            bad.append("TcpOutRsts, or our resets")
        assert not bad, f"the kernel's counters moved: {bad}\nall that moved: {moved}"
        return moved

    def clear(self):
        """After each case, good or bad: the next one finds an idle wire."""
        for program in self.running:
            program.kill()
        self.running = []

    def close(self):
        self.clear()
        for ns in self.spaces:
            run("ip", "netns", "del", ns, check=False)


def missing_tools(tools):
    path = os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin"]
    return [tool for tool in tools
            if not any(os.access(os.path.join(place, tool), os.X_OK) for place in path)]


class Cases:
    """Runs functions one after the other, and prints TAP."""

    def __init__(self, total):
        self.n, self.failed = 0, 0
        print(f"1..{total}", flush=True)

    def case(self, name, function, *args):
        start = time.monotonic()
        self.n += 1
        try:
            note = function(*args)
            word = "ok"
        except (AssertionError, OSError, subprocess.SubprocessError, ValueError) as error:
            note, word = f"{type(error).__name__}: {error}", "not ok"
            self.failed += 1
        print(f"{word} {self.n} - {name} ({time.monotonic() - start:.1f} s)")
        for line in str(note or "").splitlines():
            print(f"# {line}")
        sys.stdout.flush()

    def exit(self):
        sys.exit(1 if self.failed else 0)
