#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors
#
# From a clone to a measurement: two endpoints in one process open and close
# connections over a ring for ten seconds. Needs no NIC, no huge pages, and root
# only if packages are missing. Further arguments go to pmtcp-load.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/deps.sh
if ! mkdir -p build || [ ! -w build ] || { [ -e build/release ] && [ ! -w build/release ]; }; then
	echo "build/ belongs to somebody else; remove it or use a clone of your own" >&2
	exit 1
fi
if [ ! -f build/release/build.ninja ]; then
	meson setup build/release --buildtype=release
fi
ninja -C build/release
exec build/release/apps/load/pmtcp-load run --link ring --duration 10s "$@"
