#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors

"""Holds every C file against .clang-format; exits with 77 (skip) without the tool.

clang-format 14 is Debian 12's; other versions lay out some lines differently.
"""

import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from check_size import list_sources  # noqa: E402

SKIP = 77


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if tool is None:
        print("SKIP check_format: clang-format is not installed (tools/deps.sh --test)")
        return SKIP
    paths = list_sources(root)
    if not paths:
        print("check_format: no source file found")
        return 1
    code = subprocess.run([tool, "--dry-run", "-Werror", *paths], cwd=root, check=False).returncode
    print(f"check_format: {len(paths)} files, {'bad' if code else 'good'}")
    return 1 if code else 0


if __name__ == "__main__":
    sys.exit(main())
