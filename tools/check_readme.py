#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors
"""README shows files of the tree: what it shows must be what they say.

A block of README between the lines `<!-- file: PATH -->` and `<!-- end -->` holds, fenced,
the text of PATH from its first line that begins with `#include` or a digit to its end.
`--update` writes the blocks anew.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- file: (\S+) -->\n```(\w*)\n)(.*?)(```\n<!-- end -->)", re.S)


def shown(path):
    """The part of a file that README shows."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines(keepends=True)
    for i, line in enumerate(lines):
        if line.startswith("#include") or line[:1].isdigit():
            return "".join(lines[i:])
    sys.exit(f"check_readme: {path} has nothing to show")


def main():
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    if not blocks:
        sys.exit("check_readme: README.md shows no file")
    if "--update" in sys.argv[1:]:
        readme.write_text(BLOCK.sub(lambda m: m[1] + shown(m[2]) + m[5], text), encoding="utf-8")
        return
    stale = [path for _, path, _, body, _ in blocks if body != shown(path)]
    for path in stale:
        print(f"README.md: the block of {path} is not what the file says; "
              "type: tools/check_readme.py --update")
    print(f"check_readme: {len(blocks)} blocks, {len(stale)} stale")
    sys.exit(1 if stale else 0)


if __name__ == "__main__":
    main()
