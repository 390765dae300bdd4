#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Keeps the contract, the code and the tests together.

Every row of doc/requirements.md must be named in a comment of lib/ or apps/ where
it is done, and in the name of a test that shows it (`close_7_ack_of_fin_...` is one
for CLOSE-7), or stand in tests/rfc/reasons.tsv with the reason why not. What of
a row that has both is not done stands there, too ("but"). What must not
happen (NEG) may have its code in the rows that guard against it. Each cell of the
state table must have a script in tests/unit/test_state_*.c. From this
doc/conformance.md is made.

A test is what a program registers, or a Python method: labels and comments are none.

    check_rfc.py             fails on a row without code, test or reason, on an id
                             that is no row, and on a stale doc/conformance.md
    check_rfc.py --update    writes doc/conformance.md
    check_rfc.py --missing   lists the rows that lack something, and fails not
"""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CATALOGUE = "doc/requirements.md"
OUTPUT = "doc/conformance.md"
REASONS = "tests/rfc/reasons.tsv"
DIFFERENCES = "tests/differential/differences.tsv"
PREFIXES = ("W", "OPEN", "DATA", "CLOSE", "TW", "RES", "SEC", "NEG", "DEC")
AREAS = {"W": "Wire", "OPEN": "Opening", "DATA": "Data transfer", "CLOSE": "Closing",
         "TW": "TIME-WAIT", "RES": "Resources and diagnosis", "SEC": "Security",
         "NEG": "What must not happen", "DEC": "Decisions"}
SHOWN_MAX = 3

ROW = re.compile(r"^\| ((?:%s)-\d+) \| (?:([MS]) \| )?(.*?) \|" % "|".join(PREFIXES))
# "TW-8", "TW-8..10", "W-5 to W-8", "CLOSE-7, -12, -15"
MENTION = re.compile(
    r"\b(%s)-(\d+)(?:\.\.(\d+)| to \1-(\d+))?((?:(?:,| and) -\d+)*)" % "|".join(PREFIXES))
REGISTERED = re.compile(r"\b(?:cmocka_unit_test\w*|sim_test|T)\(\s*(\w+)")
PYTHON_TEST = re.compile(r"^\s+def (test_\w+)\(", re.M)
TEST_ID = re.compile(r"(?:^|_)(%s)_(\d+)(?=_)" % "|".join(p.lower() for p in PREFIXES))
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
FUNCTION = re.compile(r"^(\w+)\(")
BLOCK = re.compile(r"^(?:struct|enum|union) (\w+) \{")
# The scripts of test_state_*.c; a macro there has the state's name in `prefix`.
CELL = re.compile(r'(?:\bprefix |\{)"(\w+)"')
STATES = ("closed", "listen", "syn_sent", "syn_rcvd", "established", "fin_wait_1", "fin_wait_2",
          "close_wait", "closing", "last_ack", "time_wait")
# Row of the state table, by the beginning of its first cell -> what the names of its
# tests begin with, behind the state.
STIMULI = {
    "OPEN": "open", "LISTEN": "listen", "SEND": "send", "RECEIVE": "receive",
    "SHUTDOWN": "shutdown", "CLOSE": "close", "ABORT": "abort",
    "SYN": "syn_(?!ack)", "SYN+ACK": "syn_ack", "ACK new": "ack_(?:new|of_fin)",
    "ACK old or equal": "ack_(?:old|equal)", "ACK > SND.MAX": "ack_(?:too_high|below)",
    "RST exact": "rst_exact", "RST in window": "rst_in_window",
    "RST outside": "rst_outside", "Data in order": "data_in_order",
    "Data above": "data_above", "Data old": "data_(?:old|beyond)",
    "FIN in order": "fin_(?:in_order|(?:not_)?acking_ours)", "FIN repeated": "fin_repeated",
    "FIN above": "fin_above", "No SYN, RST, ACK": "null_segment", "ICMP hard": "icmp_hard",
    "RTO": "rto", "Persist": "persist", "Delayed ACK": "delayed_ack", "2MSL": "2msl",
    "Keepalive": "keepalive", "User timeout": "user_timeout", "FW2": "fw2",
    "Linger": "linger"}
# How the state was reached, where it matters.
WAYS = "(?:(?:active|passive|orphan|simultaneous|held)_)*"
TYPE = re.compile(r"^(?:struct|enum|union) (\w+) \{|^#define (\w+)|^(?:static |extern )?[\w ]+?\*?(\w+)\(")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def source_files(*folders, ends=(".c", ".h")):
    for folder in folders:
        for path, folders_in, names in os.walk(os.path.join(ROOT, folder)):
            folders_in[:] = sorted(f for f in folders_in if f != "corpus")
            for name in sorted(names):
                if name.endswith(ends):
                    yield os.path.relpath(os.path.join(path, name), ROOT)


def catalogue(text):
    """Row id -> its first words, in the order of the page."""
    rows = {}
    for line in text.split("\n"):
        match = ROW.match(line)
        if match:
            rows[match.group(1)] = match.group(3)
    return rows


def ids_in(comment):
    """(id, offset) of each row that a comment names."""
    for match in MENTION.finditer(comment):
        prefix, first = match.group(1), int(match.group(2))
        last = int(match.group(3) or match.group(4) or first)
        numbers = list(range(first, last + 1)) if first <= last <= first + 20 else [first]
        numbers += [int(n) for n in re.findall(r"-(\d+)", match.group(5) or "")]
        for number in numbers:
            yield "%s-%d" % (prefix, number), match.start()


def owner_of(lines, number, is_inside):
    """The function or the type around a line, or the one that a comment stands before."""
    if is_inside:
        for i in range(number, -1, -1):
            match = FUNCTION.match(lines[i]) or BLOCK.match(lines[i])
            if match or lines[i].startswith("}"):
                return match.group(1) if match else ""
        return ""
    for line in lines[number:number + 12]:
        match = FUNCTION.match(line) or TYPE.match(line)
        if match:
            return next(g for g in match.groups() if g)
    return ""


def code_places(path, text):
    """(id, path, line number, function) for each mention in a comment."""
    lines = text.split("\n")
    for comment in COMMENT.finditer(text):
        first = text.count("\n", 0, comment.start())
        last = text.count("\n", 0, comment.end())
        is_inside = lines[first][:1] in ("\t", " ") or not lines[first].startswith("/")
        owner = owner_of(lines, first if is_inside else last + 1, is_inside)
        for row, offset in ids_in(comment.group(0)):
            at = first + comment.group(0).count("\n", 0, offset)
            yield row, path, at + 1, owner


def registered(path, text):
    """The names of the tests that a program runs."""
    if path.endswith(".py"):
        return set(PYTHON_TEST.findall(text))
    return set(REGISTERED.findall(COMMENT.sub("", text)))


def test_names(path, text):
    for name in sorted(registered(path, text)):
        for prefix, number in TEST_ID.findall(name):
            yield "%s-%s" % (prefix.upper(), number), path, name


def collect():
    code, tests = {}, {}
    for path in source_files("lib", "apps"):
        for row, *place in code_places(path, read(path)):
            code.setdefault(row, []).append(tuple(place))
    for path in source_files("tests", ends=(".c", ".h", ".py")):
        for row, *place in test_names(path, read(path)):
            tests.setdefault(row, []).append(tuple(place))
    return code, tests


def reasons(text):
    """(id, "code" or "test") -> why it has none; (id, "but") -> what of the row is not done."""
    out = {}
    for line in text.split("\n"):
        if line.strip() and not line.startswith("#"):
            row, what, why = line.split("\t")
            out[(row, what)] = why
    return out


def guards(text):
    """NEG row -> the rows that its last column names."""
    out = {}
    for line in text.split("\n"):
        if line.startswith("| NEG-"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            out[cells[0]] = [row for row, _ in ids_in(cells[-1])]
    return out


def guard_places(row, code, guarded_by):
    """(guarding row, path, line number, function): one place for each row that has one."""
    return [(by, *sorted(code[by], key=lambda p: p[0].endswith(".h"))[0])
            for by in guarded_by.get(row, []) if by in code]


def matrix_rows(text):
    """The first cells of the state table, which is all of section H."""
    part = text.split("\n## H.", 1)[-1].split("\n## ", 1)[0]
    names = re.findall(r"^\| ([^|]+?) \|", part, re.M)
    return [n for n in names if n not in ("App call", "Segment", "Timer")]


def cell_names(state, text):
    """The tests of a state, without its name."""
    names = CELL.findall(text) + REGISTERED.findall(text)
    return [n[len(state) + 1:] if n.startswith(state + "_") else n for n in names]


def matrix(text):
    """State -> (its file, how many tests)."""
    out, lacks = {}, []
    rows = matrix_rows(text)
    for state in STATES:
        path = "tests/unit/test_state_%s.c" % state
        names = cell_names(state, read(path))
        out[state] = (path, len(names))
        lacks += ["%s: no test in %s" % (row, path) for row in cells_missing(rows, names)]
    return len(rows), out, lacks


def cells_missing(rows, names):
    for row in rows:
        known = max((s for s in STIMULI if row.startswith(s)), key=len, default=None)
        if known is None or not any(re.match(WAYS + STIMULI[known], n) for n in names):
            yield row


def first_words(text):
    words = re.split(r"(?<=[a-z0-9\)])(?<!Fig)(?:; |\. |: )", text)[0]
    return words if len(words) <= 110 else words[:107].rsplit(" ", 1)[0] + " ..."


def shown(items):
    more = "" if len(items) <= SHOWN_MAX else "<br>and %d more" % (len(items) - SHOWN_MAX)
    return "<br>".join(items[:SHOWN_MAX]) + more


def code_cell(row, code, guarded_by, why):
    places, seen = [], set()
    # A place in the code proper says more than one in a header.
    for path, line, owner in sorted(code.get(row, []), key=lambda p: p[0].endswith(".h")):
        if (path, owner) not in seen:
            seen.add((path, owner))
            places.append("`%s:%d` %s" % (path, line, owner))
    for by, path, line, owner in guard_places(row, code, guarded_by):
        if (path, owner) not in seen:
            seen.add((path, owner))
            places.append("%s: `%s:%d` %s" % (by, path, line, owner))
    return shown(places) if places else "*%s*" % why.get((row, "code"), "none")


def test_cell(row, tests, why):
    names = sorted(tests.get(row, []), key=lambda t: not t[0].startswith("tests/rfc"))
    names = ["%s `%s`" % (os.path.basename(path), name) for path, name in names]
    return shown(names) if names else "*%s*" % why.get((row, "test"), "none")


def departures(why):
    out = ["", "## Departures", "",
           "Rows above that are done but for this. What of a row is measured and not tested is",
           "here, too.", "", "| Row | But |", "|---|---|"]
    out += ["| %s | %s |" % (row, text) for (row, what), text in why.items() if what == "but"]
    return "\n".join(out) + "\n"


def state_table(n_rows, states):
    out = ["", "## State table", "",
           "Section H of the requirements, %d rows for each of %d states: each of the %d cells has"
           % (n_rows, len(states), n_rows * len(states)),
           "at least one script. `tools/check_rfc.py` fails where one has none.", "",
           "| State | Scripts | File |", "|---|---|---|"]
    out += ["| %s | %d | `%s` |" % (state.upper().replace("_", "-"), n, path)
            for state, (path, n) in states.items()]
    return "\n".join(out) + "\n"


def page(rows, code, tests, guarded_by, why):
    out = ["# Conformance", "",
           "Row of [requirements.md](requirements.md) → the code that does it → the test that shows",
           "it. Made by `tools/check_rfc.py --update`; a row with neither is a failing test.", ""]
    area = None
    for row, text in rows.items():
        prefix = row.split("-")[0]
        if prefix != area:
            area = prefix
            out += ["", "## " + AREAS[area], "", "| Row | What | Code | Test |", "|---|---|---|---|"]
        but = " ([but](#departures))" if (row, "but") in why else ""
        out.append("| %s | %s | %s | %s |" % (row, first_words(text).replace("|", "\\|") + but,
                                              code_cell(row, code, guarded_by, why),
                                              test_cell(row, tests, why)))
    return "\n".join(out) + "\n"


def differences(text):
    """The table of what the Linux kernel does otherwise, one row per reason."""
    out = ["", "## Beside the Linux kernel", "",
           "Each segment of the state table goes to a kernel socket and to pmtcp in each state",
           "(`tests/differential`); the answers and the states that follow are compared. Where they",
           "differ (an answer is the segments sent → the state after):", "",
           "| State | Segments | pmtcp | Linux | Why |", "|---|---|---|---|---|"]
    for line in text.split("\n"):
        if line.strip() and not line.startswith("#"):
            state, segments, ours, theirs, why = line.split("\t")
            ours, theirs = (("nothing" + a if a.startswith(" ->") else a).replace("->", "→")
                            for a in (ours, theirs))
            out.append("| %s | %s | %s | %s | %s |" % (
                state, segments.replace(",", ", "), ours, theirs, why))
    return "\n".join(out) + "\n"


def without_line_numbers(text):
    return re.sub(r"(`lib[^`:]*|`apps[^`:]*):\d+`", r"\1`", text)


def problems(rows, code, tests, guarded_by, why):
    for row in rows:
        if row not in code and not guard_places(row, code, guarded_by) and (row, "code") not in why:
            yield "%s: no code names it" % row
        if row not in tests and (row, "test") not in why:
            yield "%s: no test is named for it" % row
    for what, found in (("code", code), ("tests", tests)):
        for row in sorted(set(found) - set(rows)):
            yield "%s is no row: %s names it in %s" % (row, what, found[row][0][0])
    for row, what in sorted(why):
        if what not in ("code", "test", "but"):
            yield "%s: '%s' is neither code, test nor but" % (row, what)
        if what == "but" and not (row in tests and (row in code or row in guarded_by)):
            yield "%s: done but for something, yet without code or test" % row
        if row not in rows or (what == "code" and row in code) or (what == "test" and row in tests):
            yield "%s: the reason for no %s is not needed" % (row, what)


def self_test():
    text = ("/* TW-8..10, CLOSE-7, -12 and W-5 to W-6. */\nvoid\nf(int a)\n{\n"
            "\t/* SEC-1 */\n}\nstruct s {\n\tint a; /* SEC-2 */\n};\nenum {\n\tB, /* SEC-3 */\n};\n")
    got = [(row, line, owner) for row, _, line, owner in code_places("x.c", text)]
    want = [("TW-8", 1, "f"), ("TW-9", 1, "f"), ("TW-10", 1, "f"), ("CLOSE-7", 1, "f"),
            ("CLOSE-12", 1, "f"), ("W-5", 1, "f"), ("W-6", 1, "f"), ("SEC-1", 5, "f"),
            ("SEC-2", 8, "s"), ("SEC-3", 11, "")]
    assert got == want, got
    text = ("/* T(tw_1_comment) */\nROW(tw_2_unused, x)\nstatic void\nclose_3_function(void **s)\n"
            "run(\"data_9_label\");\nT(data_4_neg_5_cut), cmocka_unit_test_setup(\n\tclose_43_tail, f),"
            "sim_test(w_1_lost), T(tw_2msl)")
    got = [row for row, _, _ in test_names("x.c", text)]
    assert got == ["CLOSE-43", "DATA-4", "NEG-5", "W-1"], got
    text = "# test_w_2_x(\nclass T:\n    def test_sec_11_y(self):\n        self.w_3_z()\n"
    assert [row for row, _, _ in test_names("x.py", text)] == ["SEC-11"]
    assert catalogue("| W-1 | M | Read it | 1122 | x |\n| NEG-2 | hang | a | b |") == {
        "W-1": "Read it", "NEG-2": "hang"}
    rows = {"W-1": "a", "W-2": "b", "NEG-1": "c"}
    code = {"W-1": [("p", 1, "f")]}
    found = list(problems(rows, code, {"W-9": [("t", "w_9_x")]},
                          {"NEG-1": ["W-2"]}, {("W-2", "test"): "why"}))
    assert found == ["W-1: no test is named for it", "W-2: no code names it",
                     "NEG-1: no code names it", "NEG-1: no test is named for it",
                     "W-9 is no row: tests names it in t"], found
    assert guards("| NEG-2 | hang | a W-7 | W-28..29 OPEN-1 |") == {
        "NEG-2": ["W-28", "W-29", "OPEN-1"]}
    assert code_cell("NEG-1", code, {"NEG-1": ["W-2", "W-1"]}, {}) == "W-1: `p:1` f"
    assert matrix_rows("## G\n| x | y |\n## H. T\n| Timer | CLD |\n|---|\n| RTO (TLP) | - |\n## I\n"
                       ) == ["RTO (TLP)"]
    names = cell_names("listen", '{"listen_syn_ack_gets", {prefix "orphan_rto_x", NO(prefix "linger"), T(listen_send)')
    assert names == ["syn_ack_gets", "orphan_rto_x", "linger", "send"], names
    assert list(cells_missing(["SYN", "SYN+ACK", "RTO (TLP)", "SEND", "New"], names)) == ["SYN", "New"]
    why = reasons("# x\nW-1\tbut\tnot on Sundays\nW-2\tcode\tnone\nW-3\tbutt\tx\n")
    assert departures(why).endswith("| W-1 | not on Sundays |\n"), departures(why)
    assert "| W-1 | a ([but](#departures)) | `p:1` f |" in page({"W-1": "a"}, code, {}, {}, why)
    found = list(problems({"W-1": "a", "W-3": "c"}, code, {"W-1": [("t", "x")]}, {}, why))
    assert "W-1: done but for something, yet without code or test" not in found, found
    assert "W-3: 'butt' is neither code, test nor but" in found, found
    found = list(problems({"W-1": "a"}, code, {}, {}, why))
    assert "W-1: done but for something, yet without code or test" in found, found
    assert without_line_numbers("`lib/a.c:12` f") == without_line_numbers("`lib/a.c:99` f")


def main(args):
    if args == ["--self-test"]:
        self_test()
        return 0
    contract = read(CATALOGUE)
    rows, guarded_by = catalogue(contract), guards(contract)
    code, tests = collect()
    why = reasons(read(REASONS))
    n_matrix, states, lacks = matrix(contract)
    found = list(problems(rows, code, tests, guarded_by, why)) + lacks
    new = (page(rows, code, tests, guarded_by, why) + departures(why) +
           state_table(n_matrix, states) +
           differences(read(DIFFERENCES)))
    if args == ["--update"]:
        with open(os.path.join(ROOT, OUTPUT), "w", encoding="utf-8") as file:
            file.write(new)
    elif args != ["--missing"] and (not os.path.exists(os.path.join(ROOT, OUTPUT)) or
                                    without_line_numbers(read(OUTPUT)) != without_line_numbers(new)):
        found.append("%s is stale: run tools/check_rfc.py --update" % OUTPUT)
    for line in found:
        print(line)
    print("%d rows, %d findings" % (len(rows), len(found)))
    return 1 if found and args != ["--missing"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
