# shellcheck shell=bash
# What dist/build and dist/complete share. macOS has Bash 3.2, so what a Mac runs goes without anything newer.

root=$(cd "$own/.." && pwd)
dist=${DIST:-$root/target/dist}
lib=$root/tests/cluster/lib
cd "$root"

# shellcheck source=../../tests/cluster/lib/say.sh
. "$lib/say.sh"
# shellcheck source=../../tests/cluster/lib/cache.sh
. "$lib/cache.sh"
# shellcheck source=../../tests/cluster/lib/host.sh
. "$lib/host.sh"
# shellcheck source=../../tests/cluster/lib/tools.sh
. "$lib/tools.sh"
# For their messages; host.sh has one of its own.
# shellcheck disable=SC2034
instead="then run the same command again"

version=v$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

# sums_of FILE...: their SHA-256, as `sha256sum --check` reads them. macOS has the second program.
sums_of() { if command -v sha256sum >/dev/null; then sha256sum "$@"; else shasum -a 256 "$@"; fi; }

usage() {
  sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//p;}' "$0" >&2
  exit 2
}
