# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Processes and networks of a measurement, all of which end with it."""

import os
import signal
import subprocess
import sys
import time

DPDK_CPU, KERNEL_CPU = 0, 1
READY_S = 15


class Failure(Exception):
    """Something did not do what it is measured for."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def is_root():
    return os.geteuid() == 0


class Process:
    """A program in a namespace, on a CPU, its words in a file."""

    def __init__(self, command, log, netns=None, cpu=None):
        prefix = ["ip", "netns", "exec", netns] if netns else []
        if is_root():
            prefix += ["nice", "-n", "-20"]
        if cpu is not None:
            prefix += ["taskset", "-c", str(cpu)]
        self.command, self.log = [str(word) for word in command], log
        with open(log, "w", encoding="utf-8") as out:
            self.popen = subprocess.Popen(prefix + self.command, stdout=out,
                                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                          start_new_session=True)
        self.prefer()

    def prefer(self):
        """What else runs on this machine is not to be measured. With autogroups nice(1)
        orders only the processes of one session, and the session has a value of its own."""
        try:
            with open(f"/proc/{self.popen.pid}/autogroup", "w", encoding="utf-8") as out:
                out.write("-20")
        except OSError:
            pass  # not root, or a kernel without

    def words(self):
        with open(self.log, encoding="utf-8", errors="replace") as lines:
            return lines.read()

    def wait_for(self, text):
        """Until it has said so."""
        until = time.monotonic() + READY_S
        while text not in self.words():
            if time.monotonic() > until or self.popen.poll() is not None:
                self.fail(f"never said {text!r}")
            time.sleep(0.05)

    def finish(self, timeout_s):
        try:
            code = self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            self.fail(f"did not end within {timeout_s:.0f} s")
        if code != 0:
            self.fail(f"exit code {code}")
        return self.words()

    def interrupt(self, timeout_s=30):
        self.popen.send_signal(signal.SIGINT)
        return self.finish(timeout_s)

    def kill(self):
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()

    def fail(self, why):
        self.kill()
        tail = "\n".join(self.words().splitlines()[-12:])
        raise Failure(f"{' '.join(self.command)}: {why}\n{tail}")


class Tools:
    """Where the programs are, and what was started."""

    def __init__(self, build, out):
        self.build, self.out = os.path.abspath(build), os.path.abspath(out)
        self.started, self.n_logs = [], 0

    def path(self, program):
        folder = "apps/load" if program == "pmtcp-load" else "bench"
        return os.path.join(self.build, folder, program)

    def start(self, program, *args, netns=None, cpu=None):
        self.n_logs += 1
        log = os.path.join(self.out, f"log-{self.n_logs:03d}-{program}.txt")
        process = Process([self.path(program), *args], log, netns, cpu)
        self.started.append(process)
        return process

    def run(self, program, *args, netns=None, cpu=None, timeout_s=120):
        return self.start(program, *args, netns=netns, cpu=cpu).finish(timeout_s)

    def stop_all(self):
        for process in self.started:
            process.kill()
        self.started.clear()


def ip(*args):
    done = subprocess.run(["ip", *args], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"ip {' '.join(args)}: {done.stderr.strip()}")


class Network:
    """Two namespaces of our own: `kernel` has sockets, `dpdk` the other end of a veth.
    198.18.0.0/15 is set aside for benchmarks (RFC 2544). The kernel end takes connections
    of 198.18.128.0/17 without configuring each address, and keeps every TIME-WAIT."""

    VETH_KERNEL, VETH_DPDK = "198.18.0.1", "198.18.0.2"
    SOURCES_DPDK, SOURCES_KERNEL = "198.18.1.1-198.18.1.250", "198.18.128.1-198.18.128.250"
    TAP_KERNEL = "198.19.0.1"
    TAP_DPDK, TAP_SOURCES_KERNEL = "198.19.1.1-198.19.1.64", "198.19.128.1-198.19.128.250"
    SYSCTLS = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv4.tcp_max_tw_buckets=8000000",
               "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_max_syn_backlog=8192",
               "net.core.somaxconn=8192")

    def __init__(self, tools):
        self.tools = tools
        self.kernel, self.dpdk = (f"pmtcp-{end}-{os.getpid()}" for end in ("k", "d"))

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
        try:
            for name in (self.kernel, self.dpdk):
                ip("netns", "add", name)
                ip("-n", name, "link", "set", "lo", "up")
                subprocess.run(["ip", "netns", "exec", name, "sysctl", "-q", "-w", *self.SYSCTLS],
                               check=False, stderr=subprocess.DEVNULL)
            ip("link", "add", "pmv0", "netns", self.dpdk, "type", "veth", "peer", "name", "pmv1",
               "netns", self.kernel)
            for name, end in ((self.dpdk, "pmv0"), (self.kernel, "pmv1")):
                subprocess.run(["ip", "netns", "exec", name, "ethtool", "-K", end, "tx", "off",
                                "rx", "off", "gso", "off", "tso", "off", "gro", "off"],
                               check=True, capture_output=True)
                ip("-n", name, "link", "set", end, "up")
            ip("-n", self.kernel, "addr", "add", self.VETH_KERNEL + "/16", "dev", "pmv1")
            self.receive_on_kernel_core()
            for routes in ("198.18.128.0/17", "198.19.128.0/17"):
                ip("-n", self.kernel, "route", "add", "local", routes, "dev", "lo")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        self.tools.stop_all()
        for name in (self.kernel, self.dpdk):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def receive_on_kernel_core(self):
        """A veth receives within the sender's call. Packet steering (RPS) moves the kernel's
        TCP to the kernel's core, so that each core does its own end's work."""
        path = "/sys/class/net/pmv1/queues/rx-0/rps_cpus"
        subprocess.run(["ip", "netns", "exec", self.kernel, "sh", "-c",
                        f"echo {1 << KERNEL_CPU:x} > {path}"], check=True, capture_output=True)

    def kernel_address_at_dpdk_end(self, present):
        """For the kernel against itself; DPDK's end must have no address of its own."""
        ip("-n", self.dpdk, "addr", "add" if present else "del", self.VETH_DPDK + "/16", "dev",
           "pmv0")
