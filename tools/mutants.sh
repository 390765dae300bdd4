#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors
#
# Plants one small bug at a time into a copy of the sources and wants the test that is
# named for it to fail: a test that cannot fail proves nothing. The bugs stand in
# tests/mutants/*.txt.
#     tools/mutants.sh              all of them
#     tools/mutants.sh NAME...      those whose names contain one of these
#     tools/mutants.sh --list       what there is
#     tools/mutants.sh --check      does each still have a place and a test? (a style test)
# The last line is "N killed, N survived, N broken"; survived or broken ones fail the run.
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 tools/mutants.py "$@"
