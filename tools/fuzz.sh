#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors
#
# tools/fuzz.sh NAME SECONDS     runs one fuzzer (opt, wire, segment, sim) for a time and
#                                prints executions, coverage, the share of executions that
#                                reached tcp_input() and the states in which segments met
#                                a connection. A finding is kept beside the log; exit 1.
# tools/fuzz.sh minimise NAME    what it found out goes into tests/fuzz/corpus/NAME, the
#                                fewest inputs that reach the same code
# tools/fuzz.sh coverage         lines of lib/ that the corpora reach, file by file
#
# BUILD=build/asan tools/fuzz.sh ... uses another build directory (default: build).
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD=${BUILD:-build}

usage()
{
	sed -n '5,13s/^# \{0,1\}//p' "$0" >&2
	exit 2
}

fuzzer()
{
	local path=$BUILD/tests/fuzz/fuzz_$1

	[ -d "tests/fuzz/corpus/$1" ] || usage
	if ! ninja -C "$BUILD" "tests/fuzz/fuzz_$1" >/dev/null 2>&1; then
		echo "no $path: clang and its runtime are needed (meson test --suite fuzz says why)" >&2
		exit 1
	fi
	echo "$path"
}

# Inputs as long as the programs read: more only slows them down.
length_of()
{
	case $1 in
	opt) echo 41 ;;
	wire) echo 400 ;;
	segment) echo 600 ;;
	*) echo 800 ;;
	esac
}

run()
{
	local name=$1 seconds=$2 path work log status=0
	path=$(fuzzer "$name")
	work=$BUILD/fuzz/$name
	log=$work.log
	mkdir -p "$work"
	"$path" -max_total_time="$seconds" -max_len="$(length_of "$name")" -len_control=0 \
		-artifact_prefix="$work-" -print_final_stats=1 "$work" "tests/fuzz/corpus/$name" \
		>"$log" 2>&1 || status=1
	grep -E "DONE|exec_per_sec|^executions|^segments|^states|not so|runtime error|ERROR|Test unit" "$log" || true
	if [ "$status" -ne 0 ]; then
		echo "FINDING: see $log"
	fi
	exit "$status"
}

minimise()
{
	local name=$1 path fresh
	path=$(fuzzer "$name")
	fresh=$(mktemp -d)
	"$path" -set_cover_merge=1 -use_counters=0 "$fresh" "tests/fuzz/corpus/$name" "$BUILD/fuzz/$name" \
		>"$BUILD/fuzz/$name-merge.log" 2>&1
	find "tests/fuzz/corpus/$name" -type f ! -name 'found-*' -delete
	cp "$fresh"/* "tests/fuzz/corpus/$name/"
	rm -r "$fresh"
	echo "$(find "tests/fuzz/corpus/$name" -type f | wc -l) inputs"
}

coverage()
{
	local dir=$BUILD/coverage objects=() name
	[ -d "$dir" ] || CC=clang meson setup "$dir" -Dasserts=true -Dbuildtype=debugoptimized \
		-Dc_args='-fprofile-instr-generate -fcoverage-mapping' \
		-Dc_link_args='-fprofile-instr-generate' >/dev/null
	ninja -C "$dir" tests/fuzz/replay_{opt,wire,segment,sim} >/dev/null
	for name in opt wire segment sim; do
		LLVM_PROFILE_FILE=$dir/$name.profraw "$dir/tests/fuzz/replay_$name" \
			"tests/fuzz/corpus/$name" >/dev/null 2>&1
		objects+=(-object "$dir/tests/fuzz/replay_$name")
	done
	"$(tool llvm-profdata)" merge -o "$dir/all.profdata" "$dir"/*.profraw
	"$(tool llvm-cov)" report "${objects[@]:1}" -instr-profile="$dir/all.profdata" \
		-show-region-summary=false -show-branch-summary=false lib/
}

# llvm-cov may carry its version in its name.
tool()
{
	command -v "$1" || compgen -c "$1-" | sort -V | tail -1
}

case "${1:-}:$#" in
minimise:2) minimise "$2" ;;
coverage:1) coverage ;;
*:2) run "$1" "$2" ;;
*) usage ;;
esac
