# shellcheck shell=bash
# What the host must have, and the Debian packages that it lacks.

instead="or use a cluster that you have: make test CONTEXT=kind-kind"

# check_host: one sentence for what is missing and cannot be installed from here.
check_host() {
  [ "$(uname -s)" = Linux ] || die "the test cluster needs Linux, this is $(uname -s): run it in a Linux VM, $instead"
  [ "$(id -u)" = 0 ] || die "the test cluster needs root for namespaces, mounts and cgroups: run it with sudo, $instead"
  case $(uname -m) in
  x86_64 | aarch64) ;;
  *) die "the test cluster runs on x86_64 and aarch64, this is $(uname -m): take another machine, $instead" ;;
  esac
}

# check_start: what only a start needs, not a build.
check_start() {
  local available
  unshare --net true 2>/dev/null ||
    die "this machine does not allow network namespaces: start the container with --privileged, $instead"
  [ "${#cgroups[@]}" -gt 0 ] && [ -w "${cgroups[0]}" ] ||
    die "no cgroups can be made under /sys/fs/cgroup: start the container with --privileged, $instead"
  available=$(awk '/^MemAvailable:/ {print int($2 / 1024)}' /proc/meminfo)
  [ "$available" -ge 6000 ] ||
    say "only $available MB of memory are free; with less than 6000 MB a Flink session may not fit: stop something else"
}

# install_packages: all that a cluster needs.
install_packages() {
  # On another Debian or Ubuntu release debootstrap cannot check bookworm's signature without the keyring.
  need_packages containerd:containerd runc:runc containernetworking-plugins:"$cni_plugins/ptp" \
    conntrack:conntrack iptables:iptables iproute2:ip openssl:openssl debootstrap:debootstrap \
    debian-archive-keyring:/usr/share/keyrings/debian-archive-keyring.gpg unzip:unzip python3:pip
}

# need_packages PACKAGE:USED...: installs those that are missing, found by the command or path that is used
# of them, as a host may have it from elsewhere. python3:pip stands for a Python 3 with pip.
need_packages() {
  local package missing=() pip=
  for package; do
    case $package in
    python3:pip)
      pip=wanted
      command -v python3 >/dev/null || missing+=(python3)
      find_pip || missing+=(python3-pip)
      ;;
    *) [ -e "${package#*:}" ] || command -v "${package#*:}" >/dev/null || missing+=("${package%%:*}") ;;
    esac
  done
  if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null ||
      die "this machine has no apt-get to install ${missing[*]}: install them, $instead"
    [ "$(id -u)" = 0 ] || die "Debian packages are missing: sudo apt-get install ${missing[*]}, $instead"
    mkdir -p "$cache/logs"
    step "installing Debian packages: ${missing[*]}" "$cache/logs/apt.log" apt_install "${missing[@]}"
  fi
  [ -z "$pip" ] || find_pip || die "found no Python 3 with pip after installing python3-pip: put one first on PATH"
}

# The wait is for an unattended upgrade that holds the package database.
apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o DPkg::Lock::Timeout=300 update &&
    apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}

# find_pip: sets $python to a Python 3 that has pip: the first on PATH, or else Debian's own.
find_pip() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import pip' 2>/dev/null; then
      python=$candidate
      return
    fi
  done
  return 1
}
