# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""One connection of one stack as its peer drives it: the ways into the states, and what
is compared of an answer."""

from segment import Segment, icmp_frame, options_of

P = 1_000_000      # the peer's ISN
GUESS = 0x10000000  # what a segment acknowledges where nothing was ever sent
RPORT = 40000
WAIT_MS = 60       # longer than a delayed ACK, shorter than an RTO
REACH_MS = 3
MTU = 1500
MSS = MTU - 40
FLIGHT = 4 * MSS   # within the initial window (RFC 6928)
UNREAD = 500
FAR = 300_000      # beyond any window here
OPT_MSS, OPT_WS, OPT_SACK_OK, OPT_SACK, OPT_TS = 2, 3, 4, 5, 8
NAMES = {OPT_MSS: "mss", OPT_WS: "ws", OPT_SACK_OK: "sackok", OPT_TS: "ts"}


def number(octets):
    return int.from_bytes(octets, "big")


def relative(value, base):
    """A number as an offset of one of the two ISNs, or as it is."""
    offset = (value - base + 2**31) % 2**32 - 2**31
    return "%+d" % offset if abs(offset) < 2 * FAR else str(value)


class Script:
    """offers: what the peer's SYN has beside its MSS: "", "ts" or "sack" (which brings a
    window scale of 0 along)."""

    def __init__(self, stack, lport, offers=""):
        self.stack, self.lport, self.offers = stack, lport, offers
        self.seq, self.ack = P, GUESS  # next to send; next expected
        self.base_seq = P  # what the peer's numbers are told as offsets of
        self.has_isn = False
        self.flight = 0  # octets before ack that are not acknowledged
        self.ts_dut = self.shift = 0
        self.edge = None  # right edge of the window we were given
        self.way = []

    def options(self, tsval, is_syn, blocks):
        opts = b"\x02\x04" + MSS.to_bytes(2, "big") if is_syn else b""
        if self.offers == "ts":
            opts += b"\x01\x01\x08\x0a" + tsval.to_bytes(4, "big") + self.ts_dut.to_bytes(4, "big")
        if self.offers == "sack" and is_syn:
            opts += b"\x04\x02\x03\x03\0"
        if blocks:
            opts += b"\x01\x01\x05" + bytes([2 + 8 * len(blocks)])
            for edge in sum(blocks, ()):
                opts += ((self.ack + edge) % 2**32).to_bytes(4, "big")
        return opts

    def inject(self, flags, seq=0, ack=0, text=0, urg=0, tsval=5000, blocks=(), wnd=65535):
        """seq counts from what is next, ack and blocks from the end of what was sent."""
        opts = self.options(tsval, "S" in flags, blocks)
        ack = self.ack + ack if "A" in flags else 0
        segment = Segment(flags, self.seq + seq, ack, bytes(text), wnd, urg, opts)
        self.stack.inject(segment.frame(RPORT, self.lport))

    def inject_icmp(self, kind, code, seq):
        """seq counts from the oldest octet in flight."""
        self.stack.inject(icmp_frame(kind, code, self.lport, RPORT,
                                     self.ack - self.flight + seq))

    def note(self, segment):
        """What every answer tells, whichever is compared."""
        options = options_of(segment.opts)
        if OPT_TS in options:
            self.ts_dut = number(options[OPT_TS][:4])
        if "S" in segment.flags:
            self.edge = None
            if self.offers == "sack" and OPT_WS in options:
                self.shift = options[OPT_WS][0]
        segment.is_shrunk = False
        if "A" in segment.flags and "R" not in segment.flags:
            room = segment.wnd << (0 if "S" in segment.flags else self.shift)
            edge = segment.ack + room
            segment.is_shrunk = self.edge is not None and (edge - self.edge) % 2**32 >= 2**31
            self.edge = edge

    def collect(self, ms):
        """On the way."""
        for segment in self.stack.collect(ms):
            if not self.has_isn and "S" in segment.flags:
                self.has_isn, self.ack = True, segment.seq
            self.note(segment)
            self.way.append(segment)

    def step(self, flags, wnd=65535):
        """A segment on the way to the state, and what it took of the number spaces."""
        self.inject(flags, wnd=wnd)
        self.seq += ("S" in flags) + ("F" in flags)
        # The kernel may delay the ACK of a FIN.
        self.collect(WAIT_MS if "F" in flags else REACH_MS)

    def sent(self, n):
        """So much of what the stack sent is now in flight."""
        self.collect(REACH_MS)
        self.ack += n
        self.flight += n

    # ---- the ways into the states ----

    def reach(self, state):
        getattr(self, "to_" + state.lower().replace("-", "_").replace("/", "_"))()
        got = self.stack.state()
        want = "CLOSED" if state == "LISTEN" else state.split("/")[0]
        assert got == want, "%s: %s instead of %s" % (self.stack.name, got, state)

    def to_closed(self):
        pass

    def to_listen(self):
        self.stack.listen(self.lport)

    def to_syn_sent(self):
        self.stack.connect(self.lport, RPORT)
        self.sent(1)

    def to_syn_rcvd(self):
        self.to_listen()
        self.step("S")
        self.sent(1)

    def to_syn_rcvd_active(self):
        self.to_syn_sent()
        self.step("S")

    def to_estab(self):
        self.to_syn_sent()
        self.step("SA")
        self.flight = 0

    def to_estab_passive(self):
        self.to_syn_rcvd()
        self.step("A")
        self.flight = 0
        self.stack.accept()

    def to_estab_flight(self):
        self.to_estab()
        self.stack.send(FLIGHT)
        self.sent(FLIGHT)

    def to_estab_queued(self):
        """The peer's window takes a quarter of the text."""
        self.to_estab()
        self.step("A", wnd=MSS)
        self.stack.send(FLIGHT)
        self.sent(MSS)

    def to_estab_unread(self):
        self.to_estab()
        self.feed(UNREAD)

    def to_estab_read(self):
        self.to_estab_unread()
        self.stack.recv(UNREAD)

    def to_estab_shut(self):
        """Unread text fills the window."""
        self.to_estab()
        for _ in range(1000):
            room = (self.edge - self.seq) % 2**32
            if room == 0:
                # How much it took is the buffer's business.
                self.way, self.base_seq = self.way[-1:], self.seq - 1
                return
            self.feed(min(room, MSS), 0 if room > MSS else WAIT_MS)
        raise AssertionError("the window does not close")

    def feed(self, n, ms=WAIT_MS):
        self.inject("PA", text=n)
        self.seq += n
        self.collect(ms)

    def to_fin_wait_1(self):
        self.to_estab()
        self.stack.shutdown()
        self.sent(1)

    def to_fin_wait_1_orphan(self):
        self.to_estab()
        self.stack.close()
        self.sent(1)

    def to_fin_wait_1_queued(self):
        """Text in flight, text and FIN behind it that the peer's window has no room for."""
        self.to_estab_queued()
        self.stack.shutdown()
        self.sent(0)

    def to_fin_wait_2(self):
        self.to_fin_wait_1()
        self.step("A")
        self.flight = 0

    def to_fin_wait_2_orphan(self):
        self.to_fin_wait_1_orphan()
        self.step("A")
        self.flight = 0

    def to_close_wait(self):
        self.to_estab()
        self.step("FA")

    def to_close_wait_flight(self):
        self.to_close_wait()
        self.stack.send(FLIGHT)
        self.sent(FLIGHT)

    def to_closing(self):
        self.to_fin_wait_1()
        self.ack -= 1
        self.step("FA")
        self.ack += 1

    def to_last_ack(self):
        self.to_close_wait()
        self.stack.shutdown()
        self.sent(1)

    def to_time_wait(self):
        self.to_fin_wait_2()
        self.step("FA")


def option_words(script, options):
    for kind in sorted(options):
        if kind == OPT_MSS and number(options[kind]) != MSS:
            yield "mss=%d" % number(options[kind])
        elif kind == OPT_SACK:
            for at in range(0, len(options[kind]), 8):
                yield "sack" + "..".join(relative(
                    number(options[kind][at + i:at + i + 4]), script.base_seq)
                                         for i in (0, 4))
        else:
            yield NAMES.get(kind, "option-%d" % kind)


def normal(script, segment):
    """What is compared of an answer. The window of an RST means nothing."""
    words = [segment.flags or "-", "seq" + relative(segment.seq, script.base)]
    if "A" in segment.flags:
        words.append("ack" + relative(segment.ack, script.base_seq))
    elif segment.ack:
        words.append("ack-field-not-zero")
    if segment.text:
        words.append("len=%d" % len(segment.text))
    if segment.urg:
        words.append("urg=%d" % segment.urg)
    words += option_words(script, options_of(segment.opts))
    if "R" not in segment.flags and segment.wnd == 0:
        words.append("shut")
    if segment.is_shrunk:
        words.append("shrunk")
    return " ".join(words)


def run(stack, lport, state, segments, offers):
    """The answers of one stack and its state after them, as text. Without segments: the
    answers on the way to the state."""
    stack.reset(lport)
    script = Script(stack, lport, offers)
    script.reach(state)
    script.base = script.ack
    has_icmp = False
    for segment in segments:
        if segment[0] == "ICMP":
            has_icmp = True
            script.inject_icmp(*segment[1:])
        else:
            script.inject(*segment)
    answers = [] if segments else script.way
    for segment in stack.collect(WAIT_MS):
        script.note(segment)
        if "S" in segment.flags and state in ("LISTEN", "TIME-WAIT"):
            segment.seq = script.base  # a fresh ISN
        answers.append(segment)
    end = stack.state() + (", told" if has_icmp and stack.is_told() else "")
    # The kernel also ends its batches for segmentation offload with PSH: compared only at
    # the end of new text.
    texts = [s for s in answers if s.text]
    for segment in texts:
        if segments and ((segment.seq - script.base) % 2**32 >= 2**31 or segment is not texts[-1]):
            segment.flags = segment.flags.replace("P", "")
    return "; ".join(normal(script, s) for s in answers) + " -> " + end
