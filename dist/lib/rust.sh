# shellcheck shell=bash
# The program for a platform: Rust's standard library for it, zig as the linker, and nothing of this machine in it.

ziglang_pypi=0.17.1 zigbuild_pypi=0.24.1

# The libraries are built once for all checkouts of this user. Their places are in no program: see flags.
target=$cache/cross

# build_programs PLATFORM...: builds them all at once, which keeps more than one core at work.
build_programs() {
  local platform triple cargo=(cargo build) targets=()
  for platform; do
    triple=$(triple_of "$platform")
    need_std "$triple"
    targets+=(--target "$triple")
  done
  case $1 in
  # The first macOS that every Mac of both kinds can have.
  darwin/*) export MACOSX_DEPLOYMENT_TARGET=11.0 ;;
  *)
    need_zig
    cargo=(cargo zigbuild)
    ;;
  esac
  mkdir -p "$target"
  # Until this script ends: the program of another checkout would take this one's place.
  if command -v flock >/dev/null; then
    exec 9>"$target/.lock"
    flock 9
  fi
  say "building for $* ..."
  cargo fetch --quiet --locked
  CARGO_ENCODED_RUSTFLAGS=$(flags) "${cargo[@]}" --release --locked --bin kubectl-flink \
    "${targets[@]}" --target-dir "$target"
}

# program_of PLATFORM: where it has been built.
program_of() {
  local name=kubectl-flink
  case $1 in windows/*) name=kubectl-flink.exe ;; esac
  echo "$target/$(triple_of "$1")/release/$name"
}

triple_of() { # triple_of PLATFORM
  case $1 in
  linux/amd64) echo x86_64-unknown-linux-musl ;;
  linux/arm64) echo aarch64-unknown-linux-musl ;;
  windows/amd64) echo x86_64-pc-windows-gnu ;;
  darwin/amd64) echo x86_64-apple-darwin ;;
  darwin/arm64) echo aarch64-apple-darwin ;;
  esac
}

# flags: what keeps the places of this machine out of the messages that a program is built with. That of the checkout
# is in none: cargo names a package's own files from there.
flags() {
  local place separator=$'\x1f'
  printf '%s' "--remap-path-prefix=$target="
  for place in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
    printf '%s' "$separator--remap-path-prefix=$place/="
  done
}

# need_zig: puts cargo-zigbuild on PATH, and zig where that looks for it. Zig has a C library, a linker and a C
# compiler for every platform in one package.
need_zig() {
  need_packages python3:pip
  part tool-zig "$ziglang_pypi" "installing zig $ziglang_pypi" pip_install "ziglang==$ziglang_pypi"
  export CARGO_ZIGBUILD_ZIG_PATH=$part/ziglang/zig
  part tool-cargo-zigbuild "$zigbuild_pypi" "installing cargo-zigbuild $zigbuild_pypi" \
    pip_install "cargo-zigbuild==$zigbuild_pypi"
  case $PATH in "$part/bin":*) ;; *) PATH=$part/bin:$PATH ;; esac
  export CARGO_ZIGBUILD_CACHE_DIR=$target/zig ZIG_GLOBAL_CACHE_DIR=$target/zig/cache
}

# need_std TRIPLE: Rust's standard library for it, from rustup when it is not there yet.
need_std() {
  local said
  ! has_std "$1" || return 0
  command -v rustup >/dev/null ||
    die "Rust's standard library for $1 is missing, and so is rustup: install the library as Rust was installed"
  say "adding Rust's standard library for $1"
  # It has to be of the very compiler that rust-toolchain.toml names, so it cannot come from anywhere else.
  said=$(rustup target add "$1" 2>&1) || die "rustup cannot add the standard library for $1: $said"
}

has_std() { compgen -G "$(rustc --print target-libdir --target "$1")/libstd-*.rlib" >/dev/null; }
