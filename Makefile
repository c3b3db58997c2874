# What a newcomer needs. Each target says which Debian packages it installs before it does.

# For building: SQLite is compiled from C; the screens' compiler looks fonts up by fontconfig.
BUILD := build-essential pkg-config libfontconfig1-dev
# For the tablet's window.
WINDOW := libx11-6 libx11-xcb1 libxcursor1 libxi6 libxrandr2 libxkbcommon-x11-0
# For tests: an independent broker, a display, a browser, the tracer of system calls, a clock that jumps, and what a cluster of
# brokers is built with.
TESTS := mosquitto strace libfaketime xvfb xdotool chromium protobuf-compiler procps

# For the pages' tests in a browser, where no other Node.js is there, whose npm would not stand beside Debian's.
NODE := $(if $(shell command -v npm),,nodejs npm)

.PHONY: help demo test browser rmqtt-node openid soak fleet rehearsal bench screenshots fmt lint deny sbom

help:
	@echo "make demo         市の一日を見る / a city's day at 60 times speed"
	@echo "make test         すべてのテスト / every test"
	@echo "make soak         長い障害試験 / an hour under faults, the books balanced after"
	@echo "make fleet        模擬端末の一団 / simulated terminals against a gateway: docs/fleet.md"
	@echo "make rehearsal    業者切替の予行 / a contractor switchover, rehearsed: docs/rehearsal.md"
	@echo "make bench        速さを測る / every figure beside its limit (BENCH=ingest: some)"
	@echo "make screenshots  画面の絵を docs に / pictures of the screens for docs"
	@echo "make fmt lint     整形と検査 / format and lint"
	@echo "make deny         ライセンスと依存の検査 / licences and dependencies"
	@echo "make sbom         部品表 / what each program is made of"

# The tablet is built only where it can be shown.
demo:
	@sh tests/prepare.sh $(BUILD) $(if $(DISPLAY),$(WINDOW))
	cargo build $(if $(DISPLAY),-p meguri-app --bin tablet) -p meguri-gateway --bin meguri-gateway -p meguri-tests --bin demo
	@exec target/debug/demo $(DEMO)

# Whole-system tests run the programs themselves, so those are built first.
test:
	@sh tests/prepare.sh $(BUILD) $(WINDOW) $(TESTS) $(NODE)
	cargo build --workspace --bins
	$(MAKE) --no-print-directory browser rmqtt-node openid
	cargo test --workspace

# Playwright's core and axe-core, by the lock file; no browser is downloaded.
browser:
	npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund

# A node of an RMQTT cluster for tests, a workspace of its own; see its Cargo.toml.
rmqtt-node:
	cargo build --locked --manifest-path tests/rmqtt-node/Cargo.toml --target-dir target/rmqtt-node

# An identity provider to sign in at, run by node; Debian's own where there is none.
openid: tests/openid/node_modules/.package-lock.json
tests/openid/node_modules/.package-lock.json: tests/openid/package-lock.json
	@command -v npm >/dev/null || sh tests/prepare.sh nodejs npm
	npm ci --prefix tests/openid --ignore-scripts --no-audit --no-fund
	@touch $@

# An hour, with release builds, as a city runs them; MEGURI_SOAK=90 for 90 minutes, MEGURI_SOAK=2000000facts until so many are written.
# BROKER=mosquitto for the other one.
soak:
	@sh tests/prepare.sh $(BUILD) $(TESTS)
	cargo build --release -p meguri-gateway --bin meguri-gateway
	MEGURI_SOAK=$${MEGURI_SOAK:-60} cargo test --release -p meguri-tests --test soak -- --nocapture $(if $(filter mosquitto,$(BROKER)),on_mosquitto,on_the_embedded_broker)

# FLEET is its command line, like FLEET="stage --out rehearsal --terminals 20".
fleet:
	@sh tests/prepare.sh $(BUILD)
	cargo build -p meguri-gateway --bin meguri-gateway -p meguri-tests --bin fleet
	target/debug/fleet $(or $(FLEET),--help)

# Three months in minutes, so a release build. REHEARSAL is its command line, like REHEARSAL="plans --before 40".
rehearsal:
	@sh tests/prepare.sh $(BUILD)
	cargo build --release -p meguri-tests --bin meguri-rehearsal
	target/release/meguri-rehearsal $(or $(REHEARSAL),--report target/rehearsal-report.md)

# Release builds, as a city runs them. iproute2 sets up the mobile line where the kernel has netem.
bench:
	@sh tests/prepare.sh $(BUILD) $(WINDOW) iproute2 xvfb xdotool chromium
	cargo build --release -p meguri-gateway --bin meguri-gateway --example broker
	cargo build --release -p meguri-app --features frames --bin tablet
	cargo build --release -p meguri-tests --bin bench
	@target/release/bench $(BENCH)

# The browser writes dates as its language does, which comes in a package of its own.
screenshots:
	@sh tests/prepare.sh $(BUILD) $(WINDOW) chromium chromium-l10n $(NODE)
	$(MAKE) --no-print-directory browser
	sh tests/screenshots.sh

fmt:
	cargo fmt --all

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

# Licences, banned crates and sources of all that is built; known holes where their list can be had.
deny:
	@sh tests/prepare.sh $(BUILD)
	@sh tests/deny.sh

# What each program is made of, as CycloneDX.
sbom:
	@sh tests/prepare.sh $(BUILD)
	cargo run --quiet -p meguri-tests --bin sbom -- target/sbom
