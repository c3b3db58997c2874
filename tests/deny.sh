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
# The workspace, and the node of a cluster that tests build.
both="Cargo.toml tests/rmqtt-node/Cargo.toml"
for manifest in $both; do
    echo "$manifest"
    # Crates' archives are asked for only now, so that the check itself needs no network.
    cargo fetch --quiet --locked --manifest-path "$manifest"
    "$deny" --offline --manifest-path "$manifest" check --config deny.toml --hide-inclusion-graph licenses bans sources
done

if "$deny" fetch db >target/advisories.log 2>&1; then
    for manifest in $both; do
        "$deny" --manifest-path "$manifest" check --config deny.toml --disable-fetch --hide-inclusion-graph advisories
    done
elif [ "${MEGURI_ADVISORIES:-}" = must ]; then
    cat target/advisories.log >&2
    echo "既知の脆弱性の一覧を取得できません / the list of known holes can't be had" >&2
    exit 1
else
    echo "既知の脆弱性は確かめていません：一覧（github.com/rustsec/advisory-db）を取得できません" >&2
    echo "Known holes were NOT checked: their list (github.com/rustsec/advisory-db) can't be had here" >&2
fi
