# What a newcomer needs. Each target says which Debian packages it installs before it does.

# For building: SQLite is compiled from C; the screens' compiler looks fonts up by fontconfig.
BUILD := build-essential pkg-config libfontconfig1-dev
# For the tablet's window.
WINDOW := libx11-6 libx11-xcb1 libxcursor1 libxi6 libxrandr2 libxkbcommon-x11-0
# For tests: an independent broker, a display, a browser, and the tracer of system calls.
TESTS := mosquitto strace xvfb xdotool chromium

.PHONY: help demo test soak bench screenshots fmt lint

help:
	@echo "make demo         市の一日を見る / a city's day at 60 times speed"
	@echo "make test         すべてのテスト / every test"
	@echo "make soak         長い障害試験 / hundreds of killed processes"
	@echo "make bench        速さを測る / every figure beside its limit (BENCH=ingest: some)"
	@echo "make screenshots  画面の絵を docs に / pictures of the screens for docs"
	@echo "make fmt lint     整形と検査 / format and lint"

# The tablet is built only where it can be shown.
demo:
	@sh tests/prepare.sh $(BUILD) $(if $(DISPLAY),$(WINDOW))
	cargo build $(if $(DISPLAY),-p meguri-app --bin tablet) -p meguri-gateway --bin meguri-gateway -p meguri-tests --bin demo
	@exec target/debug/demo $(DEMO)

# Whole-system tests run the programs themselves, so those are built first.
test:
	@sh tests/prepare.sh $(BUILD) $(WINDOW) $(TESTS)
	cargo build --workspace --bins
	cargo test --workspace

# MEGURI_SOAK multiplies the kills of a test run; MEGURI_SEED repeats one.
soak:
	@sh tests/prepare.sh $(BUILD) $(WINDOW) $(TESTS)
	cargo build --workspace --bins
	MEGURI_SOAK=$${MEGURI_SOAK:-15} cargo test -p meguri-tests --test chaos -- --nocapture

# Release builds, as a city runs them. iproute2 sets up the mobile line where the kernel has netem.
bench:
	@sh tests/prepare.sh $(BUILD) iproute2
	cargo build --release -p meguri-gateway --bin meguri-gateway --example broker
	cargo build --release -p meguri-tests --bin bench
	@target/release/bench $(BENCH)

# The browser writes dates as its language does, which comes in a package of its own.
screenshots:
	@sh tests/prepare.sh $(BUILD) $(WINDOW) chromium chromium-l10n
	sh tests/screenshots.sh

fmt:
	cargo fmt --all

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
