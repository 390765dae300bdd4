#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Keeps functions, files, nesting and parameter lists small.

A function counts from the line of its name to its closing brace. Nesting counts
control statements inside each other, with or without braces; `else if` and
`case` add no level. Of #if ... #else only the first branch is read. This is a
reader of our own style, not a C parser.
"""

import os
import re
import subprocess
import sys

LINES_MAX_FILE = 600
LINES_MAX_FUNCTION = 70
NESTING_MAX = 3
PARAMETERS_MAX = 5
FOLDERS = ("lib", "apps", "tests", "bench")

# "path:function:rule" (rule: function, nesting, parameters) or "path::file",
# each with the reason why the code is better so. An entry that is not needed
# any more is an error too.
EXEMPT = {
    "tests/packetdrill/calls_data.c:plug_recvfrom:parameters": "as the tool calls it",
    "tests/packetdrill/calls_data.c:plug_sendto:parameters": "as the tool calls it",
    "tests/packetdrill/opts.c:plug_getsockopt:parameters": "as the tool calls it",
    "tests/packetdrill/opts.c:plug_setsockopt:parameters": "as the tool calls it",
    "tests/packetdrill/opts.c:do_getsockopt:parameters": "the same call, under the lock",
    "tests/packetdrill/opts.c:get_struct:parameters": "the same call, under the lock",
    "tests/packetdrill/plugin.c:no_splice:parameters": "as the tool calls it",
}

TOKEN = re.compile(r"[A-Za-z_]\w*|[{}()\[\];:,?]|\.\.\.|[^\s\w]|\w+")
CONTROL = {"if", "for", "while", "switch"}
LEXICAL = re.compile(
    r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.S)


def blank_literals(text):
    """Comments become spaces, strings and characters 0; lines stay where they are."""
    def blank(match):
        newlines = "\n" * match.group(0).count("\n")
        return " " + newlines if match.group(0)[0] == "/" else "0" + newlines
    return LEXICAL.sub(blank, text)


def blank_directives(text):
    """Directives with their continuations, and every branch but the first, go."""
    out = []
    skipping = []  # one flag per open #if
    continued = False
    for line in text.split("\n"):
        directive = re.match(r"\s*#\s*(\w+)", line) if not continued else None
        is_gone = continued or directive is not None or any(skipping)
        word = directive.group(1) if directive else ""
        if word in ("if", "ifdef", "ifndef"):
            skipping.append(False)
        elif word in ("else", "elif") and skipping:
            skipping[-1] = True
        elif word == "endif" and skipping:
            skipping.pop()
        continued = (directive is not None or continued) and line.endswith("\\")
        out.append("" if is_gone else line)
    return "\n".join(out)


def tokenize(text):
    """(word, line) pairs."""
    tokens = []
    for number, line in enumerate(text.split("\n"), 1):
        tokens += [(word, number) for word in TOKEN.findall(line)]
    return tokens


def skip_group(tokens, at):
    """The index behind the group that opens at `at`."""
    depth = 0
    while at < len(tokens):
        word = tokens[at][0]
        if word in "({[":
            depth += 1
        elif word in ")}]":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return at


class Nesting:
    """Walks the statements of one function body; `deepest` is (depth, line)."""

    def __init__(self, tokens):
        self.tokens = tokens
        self.deepest = (0, 0)

    def word(self, at):
        return self.tokens[at][0] if at < len(self.tokens) else ""

    def enter(self, at, depth):
        self.deepest = max(self.deepest, (depth, -self.tokens[at][1]))

    def is_loop_macro(self, at):
        if not re.match(r"[A-Z_]*FOREACH\w*$", self.word(at)):
            return False
        return self.word(at + 1) == "("

    def statement(self, at, depth):
        """The index behind the statement that begins at `at`."""
        word = self.word(at)
        if word == "{":
            return self.block(at, depth)
        if word in CONTROL or self.is_loop_macro(at):
            self.enter(at, depth + 1)
            at = self.statement(skip_group(self.tokens, at + 1), depth + 1)
            if word == "if" and self.word(at) == "else":
                chained = self.word(at + 1) == "if"
                at = self.statement(at + 1, depth if chained else depth + 1)
            return at
        if word == "do":
            self.enter(at, depth + 1)
            at = self.statement(at + 1, depth + 1)
            return self.simple(at)
        if word in ("case", "default") or self.word(at + 1) == ":":
            while at < len(self.tokens) and self.word(at) != ":":
                at += 1
            return at + 1
        return self.simple(at)

    def block(self, at, depth):
        at += 1
        while at < len(self.tokens) and self.word(at) != "}":
            at = self.statement(at, depth)
        return at + 1

    def simple(self, at):
        while at < len(self.tokens) and self.word(at) != ";":
            if self.word(at) == "}":
                return at
            at = skip_group(self.tokens, at) if self.word(at) in "({[" else at + 1
        return at + 1


def parameter_count(tokens):
    """Of the words between the parentheses; `...` is not counted."""
    words = [word for word, _ in tokens]
    if words in ([], ["void"]):
        return 0
    count, depth = 1, 0
    for word in words:
        depth += (word in "([{") - (word in ")]}")
        count += word == "," and depth == 0
    return count - (words[-1] == "...")


def function_head(head):
    """(name, line, parameters) of the words before a brace, or None if no function."""
    words = [word for word, _ in head]
    if not words or words[-1] != ")" or "=" in words:
        return None
    depth = 0
    for at in range(len(head) - 1, 0, -1):
        depth += (words[at] == ")") - (words[at] == "(")
        if depth == 0:
            break
    if at == 0 or not re.match(r"[A-Za-z_]\w*$", words[at - 1]):
        return None
    return words[at - 1], head[at - 1][1], parameter_count(head[at + 1:-1])


def functions(text):
    """Yields (name, first line, last line, parameters, deepest)."""
    tokens = tokenize(blank_directives(blank_literals(text)))
    at, begin = 0, 0
    while at < len(tokens):
        word = tokens[at][0]
        if word == "{":
            head = function_head(tokens[begin:at])
            end = skip_group(tokens, at)
            if head is not None:
                nesting = Nesting(tokens[at:end])
                nesting.block(0, 0)
                yield (head[0], head[1], tokens[end - 1][1], head[2], nesting.deepest)
                begin = end
            at = end
        else:
            at = skip_group(tokens, at) if word in "([" else at + 1
            if word == ";":
                begin = at


def check_text(path, text):
    """(key, line, sentence) of each limit that `text` exceeds."""
    found = []
    n_lines = text.count("\n") + (not text.endswith("\n") and text != "")
    if n_lines > LINES_MAX_FILE:
        found.append((f"{path}::file", 1, f"file of {n_lines} lines, limit {LINES_MAX_FILE}"))
    for name, first, last, n_parameters, (depth, line) in functions(text):
        n_lines = last - first + 1
        if n_lines > LINES_MAX_FUNCTION:
            found.append((f"{path}:{name}:function", first,
                          f"{name} has {n_lines} lines, limit {LINES_MAX_FUNCTION}"))
        if depth > NESTING_MAX:
            found.append((f"{path}:{name}:nesting", -line,
                          f"{name} nests {depth} deep, limit {NESTING_MAX}"))
        if n_parameters > PARAMETERS_MAX:
            found.append((f"{path}:{name}:parameters", first,
                          f"{name} takes {n_parameters} parameters, limit {PARAMETERS_MAX}"))
    return found


def list_sources(root):
    """C files that git knows or would take; all of them outside a checkout."""
    try:
        out = subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", root, "ls-files", "-co",
             "--exclude-standard", "--", *FOLDERS],
            check=True, capture_output=True, text=True).stdout.split("\n")
    except (OSError, subprocess.CalledProcessError):
        out = [os.path.relpath(os.path.join(folder, name), root)
               for top in FOLDERS
               for folder, _, names in os.walk(os.path.join(root, top)) for name in names]
    paths = {path for path in out if path.endswith((".c", ".h"))}
    return sorted(path for path in paths if os.path.isfile(os.path.join(root, path)))


def check_tree(root):
    """Prints what is too large; returns the exit code."""
    used, bad, paths = set(), 0, list_sources(root)
    for path in paths:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            found = check_text(path, file.read())
        for key, line, sentence in found:
            if key in EXEMPT:
                used.add(key)
                continue
            print(f"{path}:{line}: {sentence}")
            bad += 1
    for key in sorted(EXEMPT.keys() - used):
        print(f"tools/check_size.py: the exemption {key} is not needed")
        bad += 1
    if not paths:
        print("check_size: no source file found")
        bad += 1
    print(f"check_size: {len(paths)} files, {bad} findings")
    return 1 if bad else 0


def body(lines):
    return "static int\nf(void)\n{\n" + "\n".join(lines) + "\n}\n"


def self_test():
    """Each limit at its edge, and what must not be mistaken for code."""
    def rules(text):
        return [key.split(":")[2] for key, _, _ in check_text("x.c", text)]

    deep3 = "for (;;) if (a) { while (b) c(); }"
    deep4 = "for (;;) if (a) { while (b) if (c) d(); }"
    rows = [
        (body(["x();"] * 67), []),
        (body(["x();"] * 68), ["function"]),
        ("\n" * 600, []),
        ("\n" * 601, ["file"]),
        (body([deep3]), []),
        (body([deep4]), ["nesting"]),
        (body(["if (a) b(); else if (c) d(); else if (e) f(); else if (g) h(); else i();"]), []),
        (body(["if (a) b(); else { if (c) { if (d) { if (e) f(); } } }"]), ["nesting"]),
        (body(["switch (a) {", "case 1:", "for (;;) if (b) c();", "break;", "default: d(); }"]),
         []),
        (body(["switch (a) {", "case 1:", "for (;;) if (b) while (c) d();", "}"]), ["nesting"]),
        (body(["do { do { do { do x(); while (0); } while (0); } while (0); } while (0);"]),
         ["nesting"]),
        (body(["RTE_TAILQ_FOREACH(e, l, n) { for (;;) { if (a) { if (b) c(); } } }"]),
         ["nesting"]),
        (body(["struct s v = {.a = {1, 2}, .b = (struct t){3}};", "out:", deep3]), []),
        (body(["puts(\"{{{ if for\"); /* } } } */ c = '{'; // }"]), []),
        (body(["#if A", "if (a) {", "#else", "if (b) {", "#endif", "c(); }"]), []),
        ("int f(int a, int b, int c, int d, int e)\n{\n}\n", []),
        ("int f(int a, int b, int c, int d, int e, int g)\n{\n}\n", ["parameters"]),
        ("int f(int a, void (*b)(int, int, int), int c, int d, const char *e, ...)\n{\n}\n", []),
        ("MACRO(x)\n\nint __attribute__((format(printf, 2, 3)))\nf(void)\n{\n}\n", []),
        ("static const int t[] = {f(1, 2, 3, 4, 5, 6)};\nstruct s { int a; };\n", []),
    ]
    bad = 0
    for number, (text, expected) in enumerate(rows, 1):
        if rules(text) != expected:
            print(f"not ok {number}: {rules(text)} instead of {expected}:\n{text[:400]}")
            bad += 1
    line = check_text("x.c", "\n\n" + body(["", deep4]))[0][1]
    if line != 7:
        print(f"not ok: finding at line {line} instead of 7")
        bad += 1
    print(f"check_size: self-test of {len(rows) + 1} rows, {bad} failed")
    return 1 if bad else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if sys.argv[1:]:
        print("usage: check_size.py [--self-test]", file=sys.stderr)
        return 2
    return check_tree(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


if __name__ == "__main__":
    sys.exit(main())
