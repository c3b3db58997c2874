#!/bin/sh
# Checks that Rust is new enough and that the Debian packages named on the command line are there; says which ones are
# missing and installs those. Called by the Makefile: `sh tests/prepare.sh mosquitto strace …`.
set -eu

need=1.95
if ! command -v cargo >/dev/null 2>&1; then
    echo "Rust $need 以降が必要です。/ Rust $need or newer is needed, and there is no cargo: see https://rustup.rs" >&2
    exit 1
fi
have=$(rustc --version | sed -E 's/^rustc ([0-9]+\.[0-9]+).*/\1/')
if [ "${have%%.*}" -lt "${need%%.*}" ] ||
    { [ "${have%%.*}" -eq "${need%%.*}" ] && [ "${have#*.}" -lt "${need#*.}" ]; }; then
    echo "Rust $need 以降が必要です（今は $have）。/ Rust $need or newer is needed, this is $have: run 'rustup update'." >&2
    exit 1
fi

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "Debian ではないため、次のものを自分で入れてください。/ This is no Debian: see to these yourself: $*" >&2
    exit 0
fi
missing=
for package in "$@"; do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true) in
    *"ok installed"*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

echo "次の Debian パッケージを入れます。/ These Debian packages will be installed:$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "root でも sudo でもないので入れられません。/ Neither root nor sudo. As root, run: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # words are meant to be split
$as_root apt-get update -q </dev/null
# shellcheck disable=SC2086
$as_root apt-get install -q -y --no-install-recommends $missing </dev/null
