#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors
#
# Can this clang build a libFuzzer program with sanitizers? Says why not.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cat >"$dir/probe.c" <<'END'
#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return data == NULL && size; }
END
if ! "$1" -fsanitize=fuzzer,address,undefined "$dir/probe.c" -o "$dir/probe" >"$dir/log" 2>&1; then
	echo "clang cannot link libFuzzer and sanitizers (compiler-rt is missing?)"
	exit 1
fi
"$dir/probe" -runs=1 >"$dir/log" 2>&1 || {
	echo "a libFuzzer program does not run here"
	exit 1
}
