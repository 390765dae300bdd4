#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 pmtcp authors
#
# Installs the Debian packages that are missing, and does nothing if none is.
#     tools/deps.sh            what building needs
#     tools/deps.sh --test     and what the tests need
#     tools/deps.sh --bench    and what bench/run needs to draw plots
# Only installing needs root. No package may leave a service running or enabled.
set -euo pipefail

BASE="gcc libc6-dev meson ninja-build pkg-config python3
    libdpdk-dev libnuma-dev libcmocka-dev libcyaml-dev libyaml-dev"
TEST="clang libclang-rt-14-dev clang-format-14 valgrind tshark nginx-light ncat curl nftables
    iproute2 iperf3 ethtool procps openssl"
BENCH="gnuplot-nox iproute2 ethtool"

POLICY=/usr/sbin/policy-rc.d
POLICY_SAVED=$POLICY.pmtcp-saved

is_installed()
{
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Package scripts ask this file whether they may start a service: 101 is no. One of
# ours that a killed run left behind is not worth saving.
forbid_services()
{
	trap allow_services EXIT
	trap 'exit 1' INT TERM HUP
	if [ -e "$POLICY" ] && ! grep -q pmtcp "$POLICY" && [ ! -e "$POLICY_SAVED" ]; then
		mv "$POLICY" "$POLICY_SAVED"
	fi
	printf '#!/bin/sh\n# for the time of pmtcp tools/deps.sh\nexit 101\n' >"$POLICY"
	chmod 755 "$POLICY"
}

allow_services()
{
	rm -f "$POLICY"
	if [ -e "$POLICY_SAVED" ]; then
		mv "$POLICY_SAVED" "$POLICY"
	fi
}

# The tests start their own nginx; the system's is only disabled if it came with us.
disable_nginx()
{
	if [ -d /run/systemd/system ]; then
		systemctl disable --quiet nginx.service
	elif command -v deb-systemd-helper >/dev/null; then
		deb-systemd-helper disable nginx.service >/dev/null 2>&1 || true
		update-rc.d nginx disable >/dev/null 2>&1 || true
	fi
}

main()
{
	local wanted missing=() package nginx_is_new=false
	case "${1-}" in
	"") wanted=$BASE ;;
	--test) wanted="$BASE $TEST" ;;
	--bench) wanted="$BASE $BENCH" ;;
	*)
		echo "usage: tools/deps.sh [--test | --bench]" >&2
		exit 2
		;;
	esac
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "tools/deps.sh knows only Debian; please install by hand what it names:" >&2
		echo "$wanted" >&2
		exit 1
	fi
	for package in $wanted; do
		is_installed "$package" || missing+=("$package")
	done
	if [ ${#missing[@]} -eq 0 ]; then
		exit 0
	fi
	if [ "$(id -u)" -ne 0 ]; then
		echo "Packages are missing, and installing them needs root: ${missing[*]}" >&2
		echo "Please run as root: $0${1:+ $1}" >&2
		exit 1
	fi
	case " ${missing[*]} " in
	*" nginx-light "*) is_installed nginx-common || nginx_is_new=true ;;
	esac
	echo "installing: ${missing[*]}"
	forbid_services
	export DEBIAN_FRONTEND=noninteractive
	apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 -q update
	apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 -q -y \
		--no-install-recommends install "${missing[@]}"
	if $nginx_is_new; then
		disable_nginx
	fi
}

main "$@"
