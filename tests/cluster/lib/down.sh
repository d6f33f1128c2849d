# shellcheck shell=bash
# The end of a cluster, whatever state it is in: running, half started, half ended.

down() {
  lock_cluster
  clear_cluster
  unlock_and_forget
}

# clear_cluster: everything that the cluster of this name made on the host. Says nothing when that is nothing.
clear_cluster() {
  local socket mount cgroup
  [ -e "$dir" ] || [ -n "$(cgroup_directories)" ] || return 0
  end_processes
  remove_strays
  remove_wire
  # Last mounted first. Lazily, as a mount may be busy for a moment after its process has ended.
  awk -v d="$dir/" 'index($2, d) == 1 {print $2}' /proc/mounts | tac |
    while read -r mount; do umount -l "$mount" || true; done
  remove_cgroups
  rm -rf --one-file-system "$dir"
}

# remove_strays: what containerd and the kubelet keep outside our directory, whatever they are told.
remove_strays() {
  local sandbox socket
  # libcni's record of each pod's networks, by the pod's sandbox.
  for sandbox in "$dir"/containerd/io.containerd.grpc.v1.cri/sandboxes/*/; do
    rm -f /var/lib/cni/results/*-"$(basename "$sandbox")"-*
  done
  # The sockets of containerd's shims, which had no time to remove them.
  [ ! -d "$dir/containerd-state" ] || find "$dir/containerd-state" -name address -exec grep -ohE '/run/containerd/s/[0-9a-f]{64}' {} + |
    while read -r socket; do rm -f "$socket"; done || true
  # The kubelet's links to the logs.
  [ ! -d /var/log/containers ] || find /var/log/containers -lname "$dir/*" -delete
}

cgroup_directories() {
  local cgroup
  for cgroup in "${cgroups[@]}"; do [ ! -d "$cgroup/$cgroup_name" ] || echo "$cgroup/$cgroup_name"; done
}

# remove_cgroups: the kernel takes a moment to empty the cgroup of a process that was killed.
remove_cgroups() {
  local end=$((SECONDS + 10)) left
  while left=$(cgroup_directories) && [ -n "$left" ]; do
    # shellcheck disable=SC2086 # one word for each directory
    find $left -depth -type d -exec rmdir {} + 2>/dev/null && continue
    [ "$SECONDS" -lt "$end" ] || die "cannot remove the cgroups of $name: ${left//$'\n'/ }"
    sleep 0.05
  done
}

# remove_wire: the kernel would remove it with the namespace, but at a time of its own.
remove_wire() {
  [ ! -f "$dir/slot" ] || {
    set_addresses "$(<"$dir/slot")"
    ip link del "$wire" 2>/dev/null || true
  }
}
