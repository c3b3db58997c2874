#!/bin/sh
# Draws the tablet's screens and the city's page into docs/screenshots.
set -eu
cd "$(dirname "$0")/.."
out=docs/screenshots
mkdir -p "$out"

cargo run -p meguri-app --example screenshots -- "$out"

cargo build -p meguri-gateway --example page
work=$(mktemp -d)
page=
# The page's server is this script's own; it ends with it.
trap '[ -z "$page" ] || kill "$page" 2>/dev/null || true; rm -rf "$work"' EXIT
target/debug/examples/page >"$work/address" &
page=$!
tries=0
until address=$(grep -o 'http://[^ ]*' "$work/address"); do
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ] || ! kill -0 "$page" 2>/dev/null; then
        echo "the page's server did not start" >&2
        exit 1
    fi
    sleep 0.1
done

# The tablet's own face, so that pictures are the same on a machine without Japanese fonts.
cat >"$work/fonts.conf" <<END
<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig><dir>$PWD/app/fonts</dir><include ignore_missing="yes">/etc/fonts/fonts.conf</include></fontconfig>
END
export FONTCONFIG_FILE="$work/fonts.conf"

# The sandbox can't be had as root, nor in most containers; the page is this machine's own.
shot() { # NAME WIDTH HEIGHT PATH
    LANGUAGE=ja chromium --headless --lang=ja --accept-lang=ja --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/browser" \
        --window-size="$2,$3" --timeout=10000 --screenshot="$PWD/$out/$1.png" "${address%/}$4" >"$work/log" 2>&1 || {
        cat "$work/log" >&2
        exit 1
    }
    echo "$out/$1.png"
}
shot city-board 1440 900 /
shot city-board-phone 390 844 /
shot city-aside 1440 900 /aside

# Pages that need somebody signed in, terminals that enrol, a handover and a switchover are those of the tests that go through them.
cargo build -p meguri-gateway --bin meguri-gateway -p meguri-config --bin meguri-config -p meguri-app --no-default-features --bin terminal
MEGURI_PICTURES="$PWD/$out" cargo test -p meguri-tests --test browser
