# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Wires between pmtcp and the Linux kernel, in the namespaces of tools/netns.sh.

Straight:  [linux: kernel's TCP, 198.18.0.1] ---- [pmtcp, 198.18.0.2]
Routed:    [linux: 198.18.0.1] ---- [router: loses frames] ---- [pmtcp, 198.19.0.2]

or the same with IPv6 addresses, see ADDRESSES.

Over af_packet each line is a veth pair, and pmtcp's end has a namespace where the
kernel has no address at all. Over tap the interface is made by pmtcp, in the
namespace of its neighbour, and configured here once it is there.

Why a router: a rule that drops in the sender's own output hook is no loss to its
TCP, which is told about it at once and keeps the segment. Only frames that are
under way can be lost.

Everything runs below the first process of a PID namespace, so that nothing can
outlive it; see tools/netns.sh."""

import collections
import contextlib
import ipaddress
import json
import os
import signal
import struct
import subprocess
import sys
import time

# Of each IP version: the kernel, its router, we without one, the router on our side, we.
ADDRESSES = {
    4: ("198.18.0.1", "198.18.0.254", "198.18.0.2", "198.19.0.254", "198.19.0.2", 24),
    6: ("2001:db8:18::1", "2001:db8:18::fe", "2001:db8:18::2", "2001:db8:19::fe",
        "2001:db8:19::2", 64),
}
WAIT_S = 20
OUT = "/run/interop"
FRESH = 30  # from here on addresses of pmtcp's are fresh
OFFLOADS = ("rx", "off", "tx", "off", "sg", "off", "tso", "off", "gso", "off", "gro", "off")

# Counters of the kernel that must not move: bad checksums and broken segments,
# connections that ended by a reset or were given up, and every kind of abort.
NEVER = ("TcpInCsumErrors", "IpInHdrErrors", "TcpEstabResets", "TcpAttemptFails",
         "TcpExtTCPAbortOnData", "TcpExtTCPAbortOnClose", "TcpExtTCPAbortOnTimeout",
         "TcpExtTCPAbortFailed", "TcpExtTCPReqQFullDrop", "TcpExtListenOverflows",
         "TcpExtListenDrops", "TcpExtTCPSACKDiscard", "Ip6InHdrErrors",
         "Ip6InAddrErrors", "TcpExtTWRecycled", "TcpExtTCPTimeWaitOverflow")

# And these only if something was sent twice: segments that RFC 5961 has doubts about, and
# answers to them that were held back.
DOUBTS = ("TcpExtTCPChallengeACK", "TcpExtTCPSYNChallenge", "TcpExtTCPACKSkippedSynRecv",
          "TcpExtTCPACKSkippedPAWS", "TcpExtTCPACKSkippedSeq", "TcpExtTCPACKSkippedFinWait2",
          "TcpExtTCPACKSkippedTimeWait", "TcpExtTCPACKSkippedChallenge")

# And these only by frames that were overtaken.
OLD = ("TcpExtPAWSEstab",)

# What the kernel sent twice, and what it received twice from us: RFC 2883 has it say so.
REPEATED = ("TcpRetransSegs", "TcpExtTCPDSACKOldSent", "TcpExtTCPDSACKOfoSent")

# Both ways, whoever they are for: pmtcp's resets are not in the kernel's counters. And what
# is said about congestion: offers and consents (RFC 3168 6.1.1), SYNs without, echoes of
# marks, and answers to echoes.
WATCHED = ("rst", "ecn_offer", "ecn_consent", "ecn_none", "ece", "cwr")
WATCH_RULES = """
        tcp flags & rst == rst counter name rst_%(way)s
        tcp flags & (syn | ack | ecn | cwr) == syn | ecn | cwr counter name ecn_offer_%(way)s
        tcp flags & (syn | ack | ecn | cwr) == syn | ack | ecn counter name ecn_consent_%(way)s
        tcp flags & (syn | ecn) == syn counter name ecn_none_%(way)s
        tcp flags & (syn | ecn) == ecn counter name ece_%(way)s
        tcp flags & (syn | cwr) == cwr counter name cwr_%(way)s
"""
WATCH = "table inet watch {\n" + "".join(
    f"counter {name}_{way} {{ }}\n" for name in WATCHED for way in ("to_linux", "from_linux")
) + "".join(
    f"chain {hook} {{\n type filter hook {hook} priority -300\n{WATCH_RULES % {'way': way}} }}\n"
    for hook, way in (("input", "to_linux"), ("output", "from_linux"))) + "}\n"

# What the router does to frames on their way, see Rig.impair().
IMPAIR = """
table inet %(table)s {
    counter %(table)s_to_linux { }
    counter %(table)s_to_pmtcp { }
    chain f {
        type filter hook forward priority 0;
        %(ip)s daddr %(linux)s %(match)s numgen random mod 1000 < %(permille)u counter name %(table)s_to_linux %(act)s
        %(ip)s saddr %(linux)s %(match)s numgen random mod 1000 < %(permille)u counter name %(table)s_to_pmtcp %(act)s
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


def quieten(interface, ns, version=4):
    """No IPv6 chatter, and frames as a wire would carry them (W-35)."""
    words = ["disable_ipv6=1"] if version == 4 else \
        ["disable_ipv6=0", "accept_dad=0", "accept_ra=0", "router_solicitations=0"]
    run("sysctl", "-qw", *(f"net.ipv6.conf.{interface}.{word}" for word in words), ns=ns)
    run("ethtool", "-K", interface, *OFFLOADS, ns=ns)


class Rig:
    """One device between pmtcp and the kernel; routed: with the router in between."""

    def __init__(self, device, programs, routed=False, version=4):
        self.device, self.programs, self.routed, self.version = device, programs, routed, version
        os.makedirs(OUT, exist_ok=True)
        self.taps, self.word, self.options = 0, "", []
        self.spaces = ["linux"] + ["router"] * routed + ["pmtcp"] * (device == "af_packet")
        self.running, self.tables = [], []
        self.wire = "w0"  # the neighbour's interface towards us
        self.switch, self.counts, self.late = None, f"{OUT}/switch", False
        self.is_lossy = False
        self.each = lambda function, *args: contextlib.nullcontext()  # around each case
        self.addresses = 0  # of fresh()
        self.linux, far, ours, near, behind, length = ADDRESSES[version]
        self.ip = behind if routed else ours
        self.net = f"{self.ip}/{length}"
        self.near = f"{near if routed else self.linux}/{length}"  # the neighbour's end
        self.gateway = near if routed else None  # ours, and the kernel's
        self.near_kernel = far
        self.neighbour = "router" if routed else "linux"
        for ns in self.spaces:
            run("ip", "netns", "add", ns)
            run("ip", "link", "set", "lo", "up", ns=ns)
            off = int(version == 4)
            # Only a router needs link-local addresses: it asks for neighbours with them.
            mode = int(ns != "router")
            run("sysctl", "-qw", f"net.ipv6.conf.all.disable_ipv6={off}",
                f"net.ipv6.conf.default.disable_ipv6={off}", "net.ipv6.conf.default.accept_dad=0",
                f"net.ipv6.conf.default.addr_gen_mode={mode}", ns=ns)
        # Servers' ports are not to be in TIME-WAIT as those of clients.
        run("sysctl", "-qw", "net.ipv4.ip_local_port_range=1024 65535",
            "net.ipv4.ip_local_reserved_ports=5000-5299",
            "net.core.somaxconn=8192", "net.ipv4.tcp_max_syn_backlog=8192",
            "net.ipv4.tcp_max_tw_buckets=1000000", ns="linux")
        if not routed:
            # No tail loss probes: on a busy machine they repeat FINs that were not lost.
            run("sysctl", "-qw", "net.ipv4.tcp_early_retrans=0", ns="linux")
        if routed:
            self.pair("linux", "k0", f"{self.linux}/{length}", "router", "r0", f"{far}/{length}")
            run("ip", f"-{version}", "route", "add", "default", "via", far, ns="linux")
            forwarding = "net.ipv4.ip_forward" if version == 4 else "net.ipv6.conf.all.forwarding"
            run("sysctl", "-qw", f"{forwarding}=1", ns="router")
        if device == "af_packet":
            self.pair(self.neighbour, "w0", self.near, "pmtcp", "d0", None)
        run("nft", WATCH, ns="linux")

    def at(self, port, address=None):
        """The kernel's address, or another, with a port as command lines and URLs want it."""
        address = address or self.linux
        return f"[{address}]:{port}" if self.version == 6 else f"{address}:{port}"

    def any(self, port):
        return self.at(port, "::" if self.version == 6 else "0.0.0.0")

    def pair(self, ns_a, a, net_a, ns_b, b, net_b):
        run("ip", "link", "add", a, "netns", ns_a, "type", "veth", "peer", "name", b,
            "netns", ns_b)
        for ns, name, net in ((ns_a, a, net_a), (ns_b, b, net_b)):
            quieten(name, ns, self.version)
            if net:
                run("ip", "addr", "add", net, "dev", name, *self.nodad(), ns=ns)
            else:
                run("ip", "link", "set", name, "promisc", "on", ns=ns)
            run("ip", "link", "set", name, "up", ns=ns)
            # One CPU for all that arrives. Otherwise frames that two CPUs send overtake
            # each other, and a repeated FIN behind the last ACK is answered by a reset.
            run("sh", "-c", f"echo 1 >/sys/class/net/{name}/queues/rx-0/rps_cpus", ns=ns)
        for ns, name in ((ns_a, a), (ns_b, b)):
            until(lambda ns=ns, name=name: self.is_in_use(ns, name), f"carrier of {name} in {ns}")

    def insert_switch(self, vid=0, late_permille=0):
        """Two ports of a switch between pmtcp and its neighbour; see switch.py."""
        run("ip", "netns", "add", "switch")
        self.spaces.append("switch")
        run("ip", "link", "del", "d0", ns="pmtcp")
        self.pair(self.neighbour, "w0", self.near, "switch", "inside", None)
        self.pair("switch", "outside", None, "pmtcp", "d0", None)
        self.late = late_permille > 0
        program = os.path.join(os.path.dirname(__file__), "switch.py")
        self.switch = Program(sys.executable, program, "inside", "outside", vid, late_permille,
                              self.counts, ns="switch")
        self.switch.says("forwarding")

    def is_in_use(self, ns, name):
        """The kernel notices a carrier up to a second after `up`. Until then it drops what it
        is to send there, and has no link-local address: a router that asks for a neighbour
        without one says nothing at all, and asks again a second later (RFC 4861 7.2.2)."""
        link, = json.loads(run("ip", "-j", "addr", "show", "dev", name, ns=ns))
        can_ask = self.version == 4 or ns != "router" or any(
            address["scope"] == "link" and not address.get("tentative")
            for address in link["addr_info"])
        return link["operstate"] in ("UP", "UNKNOWN") and can_ask

    def nodad(self):
        return ["nodad"] if self.version == 6 else []

    def impair(self, table, permille, act="drop", match=""):
        """The router does this to so many of the frames, in each direction."""
        ip = "ip6" if self.version == 6 else "ip"
        run("nft", IMPAIR % {"table": table, "permille": permille, "ip": ip, "linux": self.linux,
                             "match": match.replace("IP", ip), "act": act.replace("IP", ip)},
            ns="router")
        self.tables.append(table)

    def repair(self):
        for table in self.tables:
            run("nft", "delete", "table", "inet", table, ns="router")
        self.tables = []

    def impaired(self):
        """Frames the router and the switch did it to so far, in each direction."""
        counts = {name: n for table in self.tables
                  for name, n in self.counters("router", table).items()}
        if self.late:
            with open(self.counts, "rb") as file:
                counts.update(zip(("late_to_linux", "late_to_pmtcp"),
                                  struct.unpack("QQ", file.read())))
        return counts

    def fresh(self, n=1):
        """So many addresses in a row that no case on this rig had before: what the kernel
        still remembers of connections to the others is no business of the next case."""
        first = ipaddress.ip_address(self.ip) + FRESH + self.addresses
        self.addresses += n
        return [str(first + i) for i in range(n)]

    def own(self, addresses):
        """As --ip wants them."""
        return f"{addresses[0]}-{addresses[-1]}/{self.net.split('/')[1]}"

    def pmtcp(self, program, *args, configure=True, **more):
        """Starts one of our programs on the wire; the tap is configured on the way."""
        ns, word = "pmtcp", "af_packet:d0"
        if self.device == "tap":
            self.taps += 1
            ns, word = self.neighbour, f"tap:pm{self.taps}"
        gateway = ["--gateway", self.gateway] if self.gateway else []
        own = [] if "--ip" in args else ["--ip", self.net]
        # Who lost our last ACK repeats a FIN.
        stay = ["--stay", "500ms"] if program == "peer" and self.is_lossy else []
        started = self.start(self.programs[program], *args, "--link", word + self.word, *own,
                             *gateway, *self.options, *stay, ns=ns, **more)
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
        quieten(name, ns, self.version)
        run("ip", "addr", "add", self.near, "dev", name, *self.nodad(), ns=ns)
        run("ip", "link", "set", name, "up", ns=ns)
        if ns == "router":
            until(lambda: self.is_in_use(ns, name), f"carrier of {name}")

    def advertise_mss(self, mss):
        """What the kernel's next SYNs to us say; 0: the usual."""
        if self.routed:
            run("ip", f"-{self.version}", "route", "replace", "default", "via",
                self.near_kernel, *(["advmss", mss] if mss else []), ns="linux")
            return
        name = f"pm{self.taps}" if self.device == "tap" else self.wire
        if mss == 0 and self.device == "tap":
            return  # the interface is gone, and its route with it
        # The metric is the one that the kernel gives the route of an address.
        run("ip", "route", "replace", ipaddress.ip_interface(self.net).network, "dev", name,
            "src", self.linux, "metric", 256 if self.version == 6 else 0,
            *(["advmss", mss] if mss else []), ns="linux")

    def kernel(self, program, *args, **more):
        return self.start(self.programs.get(program, program), *args, ns="linux", **more)

    def start(self, *args, **more):
        self.running.append(Program(*args, **more))
        return self.running[-1]

    @staticmethod
    def counters(ns, table, family="inet"):
        listed = json.loads(run("nft", "-j", "list", "counters", "table", family, table, ns=ns))
        return {item["counter"]["name"]: item["counter"]["packets"]
                for item in listed["nftables"] if "counter" in item}

    def nstat(self):
        """Everything the kernel's side counted, the resets on its wire, lost frames."""
        text = run("nstat", "-a", "-s", "-z", "-j", ns="linux")
        count = {name: int(value) for name, value in json.loads(text)["kernel"].items()}
        return {**count, **self.counters("linux", "watch"), **self.impaired()}

    def check(self, before, allowed=()):
        """No checksum error, no connection reset; what did move, for the log.

        Only one kind of reset is expected: a segment that was repeated (since it, or
        its answer, was lost or late) can meet a connection that is over. And a lost
        third ACK makes us repeat the SYN, which the kernel answers as RFC 5961 says, and
        counts as an error unless it has sent its FIN."""
        now = self.nstat()
        moved = {name: now[name] - before.get(name, 0) for name in now
                 if now[name] != before.get(name, 0)}
        again = sum(moved.get(name, 0) for name in (*REPEATED, *self.impaired()))
        bad = [name for name in NEVER if name in moved and name not in allowed]
        bad += [name for name in DOUBTS if moved.get(name, 0) > again]
        bad += [name for name in OLD if moved.get(name, 0) > moved.get("late_to_linux", 0)]
        if moved.get("TcpInErrs", 0) > moved.get("TcpExtTCPSYNChallenge", 0):
            bad.append("TcpInErrs")
        resets = moved.get("rst_to_linux", 0) + moved.get("rst_from_linux", 0)
        if resets > again and "TcpOutRsts" not in allowed:
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
        if self.switch:
            self.switch.kill()
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


# What a case's note shows of the kernel's counters.
SHOWN = ("TcpActiveOpens", "TcpPassiveOpens", "TcpInSegs", "TcpOutSegs", "TcpRetransSegs",
         "TcpInCsumErrors", "rst_to_linux", "rst_from_linux")
SHOWN_IF = ("TcpExtTW", "TcpExtTCPTimeWaitOverflow", "TcpExtTCPChallengeACK",
            "TcpExtTCPSYNChallenge", "TcpExtTCPACKSkipped", "Icmp6InPktTooBigs", "IpExtInCEPkts",
            "TcpExtTCPDeliveredCE", "TcpExtTCPAbort", "TcpExtPAWS", "ecn_offer", "ecn_consent",
            "ece_", "cwr_")


def allowed_of(function, args):
    """Counters of NEVER that may move in this case."""
    allowed = getattr(function, "allowed", ())
    return allowed(*args) if callable(allowed) else allowed


def run_cases(cases, rig, wanted, label):
    """Each case with the kernel's counters before and after it."""
    def checked(function, *args):
        before = rig.nstat()
        try:
            with rig.each(function, *args):
                note = function(rig, *args)
            moved = rig.check(before, allowed_of(function, args))
        finally:
            rig.clear()
        shown = {name: moved.get(name, 0) for name in (*SHOWN, *rig.impaired())}
        shown.update({name: n for name, n in moved.items() if name.startswith(SHOWN_IF)})
        return f"{note or ''}\nnstat {shown}".lstrip()

    for name, function, *args in wanted:
        cases.case(f"{rig.device} {label}".rstrip() + f": {name}", checked, function, *args)


PROGRAMS = ("peer", "kernel_peer", "echo", "load", "relay")

# Cases on a rig of their own: name, IP version, with a router?, what is done to the rig first
# (which may return a line for the log, or None), cases. A case: name, function, arguments
# behind the rig; what the function returns is for the log. left_out: functions of cases that
# make no sense there, and why.
Group = collections.namedtuple("Group", "name version routed prepare cases left_out",
                               defaults=({},))


def chosen(group, only):
    """The group's cases that make sense and whose names have one of these words, if any."""
    return [case for case in group.cases if case[1] not in group.left_out and
            (not only or any(word in f"{group.name}: {case[0]}" for word in only))]


def main(device, groups, tools, seconds, words):
    """Runs the cases of the groups. words: the paths of PROGRAMS, then parts of the names of
    the cases that are wanted; none: all."""
    signal.alarm(seconds)
    paths, only = dict(zip(PROGRAMS, words)), words[len(PROGRAMS):]
    groups = [Group(*group) for group in groups]
    wanted = [(group, chosen(group, only)) for group in groups]
    missing = missing_tools(tools)
    cases = Cases(sum(len(some) for _, some in wanted))
    if missing or len(paths) != len(PROGRAMS):
        print(f"Bail out! missing: {' '.join(missing)} (tools/deps.sh --test)")
        sys.exit(1)
    for group, some in wanted:
        if not some:
            continue
        for name, function, *_ in group.cases:
            if function in group.left_out:
                print(f"# {group.name}, left out: {name}: {group.left_out[function]}")
        rig = Rig(device, paths, group.routed, group.version)
        how = group.prepare(rig) if group.prepare else None
        if how:
            print(f"# {group.name}: {how}", flush=True)
        run_cases(cases, rig, some, group.name)
        rig.close()
    cases.exit()
