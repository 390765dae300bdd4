#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors
#
# From a bare clone to a verdict: installs what is missing, builds with sanitizers,
# in release and with clang, runs everything. The last line is
# "N passed, N failed, N skipped"; the exit code is 1 if anything failed.
#
# Root gets the whole suite, and then a skipped program is a failure. Anyone else
# gets what works without root, and a SKIP line for each program that does not.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

STEP_LINES_MAX=200
passed=0
failed=0
logs=()

# step NAME COMMAND...: quiet if good, its last lines if not; one of the results.
step()
{
	local name=$1 log=build/logs/$1.log
	shift
	echo "== $name"
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		return 0
	fi
	failed=$((failed + 1))
	echo "FAIL $name (all of it in $log):"
	tail -n "$STEP_LINES_MAX" "$log" | sed 's/^/    /'
	return 1
}

finish()
{
	local strict=()
	if [ "$(id -u)" -eq 0 ]; then
		strict=(--strict)
	fi
	if command -v python3 >/dev/null; then
		python3 tools/test_report.py "${strict[@]}" --extra "$passed,$failed,0" "${logs[@]}"
		exit $?
	fi
	echo "$passed passed, $failed failed, 0 skipped"
	exit 1
}

# A build directory that another version or another path left half-made is made anew.
# shellcheck disable=SC2317 # called through step
configure()
{
	local dir=$1
	shift
	meson setup "$dir" "$@" && return 0
	echo "configuring $dir anew"
	meson setup --wipe "$dir" "$@"
}

# build NAME MESON-OPTIONS...
build()
{
	local dir=build/$1 name=$1
	shift
	step "configure-$name" configure "$dir" "$@" && step "build-$name" ninja -C "$dir"
}

# run NAME MESON-TEST-OPTIONS...: failures are read from the log, not from here.
run()
{
	local dir=build/$1 name=$1
	shift
	echo "== test-$name"
	rm -f "$dir/meson-logs/testlog.json"
	meson test -C "$dir" --no-rebuild "$@" >"build/logs/test-$name.log" 2>&1
	logs+=("$dir/meson-logs/testlog.json")
}

main()
{
	if ! mkdir -p build/logs || [ ! -w build/logs ]; then
		echo "build/ belongs to somebody else; remove it or use a clone of your own" >&2
		echo "0 passed, 1 failed, 0 skipped"
		exit 1
	fi
	step deps tools/deps.sh --test || finish
	export UBSAN_OPTIONS=${UBSAN_OPTIONS-halt_on_error=1:print_stacktrace=1}
	export ASAN_OPTIONS=${ASAN_OPTIONS-detect_stack_use_after_return=1:strict_string_checks=1}

	if build asan -Db_sanitize=address,undefined -Dasserts=true -Dbuildtype=debugoptimized; then
		run asan --no-suite interop --no-suite style --timeout-multiplier 4
	fi
	# Only what clang says of the sources, which it does not say for its optimisers.
	CC=clang build clang -Dbuildtype=debug
	if build release -Dbuildtype=release; then
		# One more than there are processors: many wait for the kernel's timers.
		run release --num-processes $(($(nproc) + 1))
	fi
	finish
}

main "$@"
