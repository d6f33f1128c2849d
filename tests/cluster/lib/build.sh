# shellcheck shell=bash
# The parts that are made here. Each is one cache entry under a hash of its inputs.

# build_all FLINK_VERSION...: sets $kube and $coredns (programs), $parts (the keys of what a running cluster
# has of them) and $archives (images).
build_all() {
  local version
  install_packages
  need_kubectl
  build_programs
  build_base
  archives=("$pause" "$base/base.tar")
  for version; do build_flink "$version"; done
}

build_programs() {
  build_kube
  parts=${kube%/*}
  part coredns "$(key_of "$go_version" "$here"/coredns/{go.mod,go.sum,main.go})" \
    "building CoreDNS from Go modules (about 2 minutes the first time)" go_build "$here/coredns" ""
  coredns=$part/coredns parts+=" $part"
  part image-pause "$(key_of "$go_version" "$here"/images/pause/* "$here/images/oci.py")" \
    "building the pause image" "$here/images/pause/build"
  pause=$part/pause.tar parts+=" $part"
}

# build_kube: sets $kube, and $go_version for the keys of what else Go builds.
build_kube() {
  local kubernetes minor module=k8s.io/component-base/version
  local sources=("$here"/kube/{go.mod,go.sum,main.go})
  need_go
  go_version=$(GOTOOLCHAIN=local go env GOVERSION)
  kubernetes=$(sed -n 's|^\tk8s.io/kubernetes \(v[0-9.]*\)$|\1|p' "$here/kube/go.mod")
  minor=${kubernetes#v1.}
  # Without these the version reads v0.0.0, and the parts refuse each other.
  part kube "$(key_of "$go_version" "${sources[@]}")" \
    "building Kubernetes $kubernetes from Go modules (about 7 minutes the first time)" \
    go_build "$here/kube" "-X $module.gitVersion=$kubernetes -X $module.gitMajor=1 -X $module.gitMinor=${minor%%.*}"
  kube=$part/kube
}

# go_build SOURCES LDFLAGS OUT: the program in the directory SOURCES, to OUT under the directory's name.
# Without cgo, so that no C compiler and no C library of the host has a say in it.
go_build() {
  cd "$1" &&
    CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false go build -trimpath -ldflags "-s -w $2" -o "$3/${1##*/}" .
}

build_base() {
  part image-base "$(key_of "$here/images/base" "$here/images/oci.py")" \
    "building the base image with debootstrap (about 45 s)" "$here/images/base"
  base=$part
}

build_flink() { # build_flink VERSION
  local pinned
  pinned=$(pypi_pin "apache-flink==$1" && pypi_pin "apache-flink-libraries==$1")
  part "image-flink-$1" \
    "$(key_of "$(<"$base/layer")" "$pinned" "$here"/images/{flink,entrypoint.sh,java,oci.py,record})" \
    "building the image flink:$1 (about a minute)" flink_image "$1"
  archives+=("$part/flink.tar")
}

flink_image() { PYTHON=$python "$here/images/flink" "$2" "$1" "$base"; }

# build_store: sets $store to containerd's root directory with $archives in it, and the marks that they are loaded.
build_store() {
  part image-store "$(key_of "$(containerd --version)" "$here/images/store" "${archives[@]#"$cache"/}")" \
    "unpacking the images (about 20 s)" fill_store "${archives[@]}"
  store=$part
}

fill_store() { # fill_store ARCHIVE... OUT_DIR
  local archive out=${!#}
  set -- "${@:1:$#-1}"
  "$here/images/store" "$out" "$@" || return
  mkdir "$out/loaded"
  for archive; do touch "$out/loaded/$(mark_of "$archive")"; done
}

# mark_of ARCHIVE: the name of the mark that it is loaded. The cache's key in its path stands for its content.
mark_of() { key_of "archive ${1#"$cache"/}"; }
