#!/bin/sh
# Checks licences, banned crates and sources of everything that is built (deny.toml), and known holes where their list can be
# had: it comes from GitHub. MEGURI_ADVISORIES=must makes it an error that it can't.
set -eu
cd "$(dirname "$0")/.."
version=0.20.2
tools=$PWD/target/tools
deny=$tools/bin/cargo-deny
if ! [ -x "$deny" ] || [ "$("$deny" --version)" != "cargo-deny $version" ]; then
    echo "cargo-deny $version を target/tools に入れます（数分） / installing it into target/tools (a few minutes)"
    cargo install --quiet --locked --root "$tools" --version "=$version" cargo-deny
fi
# The workspace, and the node of a cluster that tests build: that one needs not every licence and has no Slint.
check() {
    echo "$1"
    "$deny" --offline --config "$PWD/deny.toml" --manifest-path "$@"
}
for manifest in Cargo.toml tests/rmqtt-node/Cargo.toml; do
    # Crates' archives are asked for only now, so that the check itself needs no network.
    cargo fetch --quiet --locked --manifest-path "$manifest"
done
check Cargo.toml check --hide-inclusion-graph licenses bans sources
check tests/rmqtt-node/Cargo.toml check --hide-inclusion-graph --allow license-not-encountered \
    --allow license-exception-not-encountered licenses bans sources

if "$deny" fetch db >target/advisories.log 2>&1; then
    check Cargo.toml check --disable-fetch --hide-inclusion-graph advisories
    check tests/rmqtt-node/Cargo.toml check --disable-fetch --hide-inclusion-graph advisories
elif [ "${MEGURI_ADVISORIES:-}" = must ]; then
    cat target/advisories.log >&2
    echo "既知の脆弱性の一覧を取得できません / the list of known holes can't be had" >&2
    exit 1
else
    echo "既知の脆弱性は確かめていません：一覧（github.com/rustsec/advisory-db）を取得できません" >&2
    echo "Known holes were NOT checked: their list (github.com/rustsec/advisory-db) can't be had here" >&2
fi
