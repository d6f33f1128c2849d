# shellcheck shell=bash
# The parts that are made here. Each is one cache entry under a hash of its inputs.

# build_all FLINK_VERSION...: sets $kube, $coredns (binaries), $pause, $base (images), $parts (all keys).
build_all() {
  local version
  install_packages
  need_kubectl
  build_programs
  build_base
  for version; do build_flink "$version"; done
}

build_programs() {
  local go_version kubernetes minor module=k8s.io/component-base/version
  local sources=("$here"/kube/{go.mod,go.sum,main.go})
  need_go
  go_version=$(GOTOOLCHAIN=local go env GOVERSION)
  kubernetes=$(sed -n 's|^\tk8s.io/kubernetes \(v[0-9.]*\)$|\1|p' "$here/kube/go.mod")
  minor=${kubernetes#v1.}
  # Without these the version reads v0.0.0, and the parts refuse each other.
  part kube "$(key_of "$go_version" "${sources[@]}")" \
    "building Kubernetes $kubernetes from Go modules (about 7 minutes the first time)" \
    go_build kube "-X $module.gitVersion=$kubernetes -X $module.gitMajor=1 -X $module.gitMinor=${minor%%.*}"
  kube=$part/kube parts=$part
  part coredns "$(key_of "$go_version" "$here"/coredns/{go.mod,go.sum,main.go})" \
    "building CoreDNS from Go modules (about 2 minutes the first time)" go_build coredns ""
  coredns=$part/coredns parts+=" $part"
  part image-pause "$(key_of "$go_version" "$here"/images/pause/* "$here/images/oci.py")" \
    "building the pause image" "$here/images/pause/build"
  pause=$part/pause.tar parts+=" $part"
}

# go_build NAME LDFLAGS OUT: tests/cluster/NAME to OUT/NAME.
# Without cgo, so that no C compiler and no C library of the host has a say in it.
go_build() {
  cd "$here/$1" &&
    CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false go build -trimpath -ldflags "-s -w $2" -o "$3/$1" .
}

build_base() {
  part image-base "$(key_of "$here/images/base" "$here/images/oci.py")" \
    "building the base image with debootstrap (about 45 s)" "$here/images/base"
  base=$part
}

# build_flink VERSION: sets $flink to the archive of its image.
build_flink() {
  part "image-flink-$1" "$(key_of "$(<"$base/layer")" "$here"/images/{flink,entrypoint.sh,oci.py})" \
    "building the image flink:$1 (about 20 s)" flink_image "$1"
  flink=$part/flink.tar
}

flink_image() { PYTHON=$python "$here/images/flink" "$2" "$1" "$(<"$base/layer")"; }
