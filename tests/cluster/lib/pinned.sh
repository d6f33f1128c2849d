# shellcheck shell=bash
# Downloads whose content the project knows beforehand: each is compared with its hash in ../pins before anything of it
# is run or unpacked. Go modules have go.sum, crates of the program Cargo.lock, Debian's packages apt's signatures.

setuptools_pypi=80.9.0
pins=$(cd "$(dirname "${BASH_SOURCE[0]}")/../pins" && pwd)

# pip_pinned download|install PACKAGE==VERSION OPTION...: with $python, a Python 3 that has pip.
pip_pinned() {
  local command=$1 requirement=$2
  shift 2
  # Of a requirement without a hash pip prints the line that is missing, and takes nothing.
  "${python:-python3}" -m pip "$command" -q --disable-pip-version-check --no-deps --require-hashes "$@" \
    -r <(pypi_pin "$requirement") || {
    echo "pip has not installed $requirement; the hashes that it must have are in $pins/pypi.txt" >&2
    return 1
  }
}

# sdist_pinned PACKAGE==VERSION DIR: its source package. pip runs that for its metadata, and would fetch what it is built
# with from PyPI past all hashes: that is fetched here, too.
sdist_pinned() {
  local tools status=0
  tools=$(mktemp -d) || return
  PIP_ROOT_USER_ACTION=ignore pip_pinned install "setuptools==$setuptools_pypi" --only-binary :all: --no-compile \
    --target "$tools" &&
    PYTHONPATH=$tools pip_pinned download "$1" --no-binary :all: --no-build-isolation -d "$2" || status=$?
  rm -rf "$tools"
  return "$status"
}

# pypi_pin PACKAGE==VERSION: what pins/pypi.txt says of it, or the requirement alone.
pypi_pin() {
  awk -v wanted="$1" '
    $1 == wanted {found = is_of = 1}
    is_of {print; is_of = / \\$/}
    END {if (!found) print wanted}
  ' "$pins/pypi.txt"
}

# crate_install NAME VERSION DIR: the program of a crate, built into DIR/bin. cargo compares what the crate depends on
# with the Cargo.lock in it. Not optimised: such a program runs for seconds, and optimising takes minutes.
crate_install() {
  local file=$1-$2.crate crate
  # It downloads the crate, and compares it with the registry's own index only.
  cargo info --quiet "$1@$2" >/dev/null || return
  for crate in "${CARGO_HOME:-$HOME/.cargo}"/registry/cache/*/"$file"; do
    cp "$crate" "$3/$file" || return
  done
  (cd "$3" && grep " $file\$" "$pins/crates.txt" | sha256sum --check --strict --quiet -) || {
    echo "$file is not what $pins/crates.txt says" >&2
    return 1
  }
  mkdir "$3/source" && tar -xzf "$3/$file" -C "$3/source" --strip-components=1 &&
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --no-track --path "$3/source" \
      --root "$3" --target-dir "$3/target" &&
    rm -rf "$3/source" "$3/target" "${3:?}/$file"
}
