#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors
#
# tools/coverage.sh: which lines and branches of lib/ the tests reach that need neither
# root nor a kernel: the suites unit (with tests/rfc and tests/packetdrill) and sim, and the
# corpora of the fuzzers. Builds in build/coverage, runs everything once, writes
# doc/coverage.md, and fails if a test fails or a figure is below its threshold.
#
# BUILD=DIR tools/coverage.sh uses another build directory.
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD=${BUILD:-build/coverage}

need()
{
	command -v "$1" >/dev/null && return 0
	echo "$1 is missing: apt-get install $2" >&2
	exit 1
}

# Programs of tests and applications, without what clang makes of the fuzzers.
programs()
{
	ninja -C "$BUILD" -t targets all | sed -n 's/: c_LINKER$//p' | grep -E '^(tests|apps)/'
}

need gcovr gcovr
need gcov gcc
need meson meson
[ -d "$BUILD" ] || meson setup "$BUILD" -Db_coverage=true -Dbuildtype=debug >/dev/null
ninja -C "$BUILD" build.ninja >/dev/null # sources may have come since
mapfile -t targets < <(programs)
ninja -C "$BUILD" "${targets[@]}" >"$BUILD/build.log" || {
	tail -n 40 "$BUILD/build.log"
	exit 1
}
find "$BUILD" -name '*.gcda' -delete
meson test -C "$BUILD" --no-rebuild --suite unit --suite sim --timeout-multiplier 4 \
	>"$BUILD/test.log" || {
	grep -E 'FAIL|TIMEOUT|ERROR' "$BUILD/test.log"
	exit 1
}
meson test -C "$BUILD" --no-rebuild replay_opt replay_wire replay_segment replay_sim \
	>>"$BUILD/test.log" || {
	grep -E 'FAIL|TIMEOUT|ERROR' "$BUILD/test.log"
	exit 1
}
# Not counted as branches: an assertion that does not hold, and what the compiler makes of
# nothing in the source.
gcovr --root . --object-directory "$BUILD" --filter 'lib/' --exclude-unreachable-branches \
	--exclude-branches-by-pattern '.*\b(CHECK|ASSERT)\(.*' \
	--csv "$BUILD/coverage.csv" "$BUILD" 2>"$BUILD/gcovr.log" || {
	tail -n 20 "$BUILD/gcovr.log"
	exit 1
}
python3 tools/coverage_report.py "$BUILD/coverage.csv" doc/coverage.md
