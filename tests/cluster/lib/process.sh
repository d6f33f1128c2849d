# shellcheck shell=bash
# The cluster's processes: started inside its network namespace, found there again, ended.

# inside COMMAND...: in the cluster's network. Not `ip netns exec`: that mounts /sys anew, and the
# kubelet then finds no cgroups.
inside() { nsenter --net="$dir/netns" "$@"; }

start() { # start PART COMMAND...
  launch "$1" nsenter --net="$dir/netns" "${@:2}"
}

# http_ok ADDRESS PORT PATH: whether the answer is 200. No curl needed.
http_ok() {
  local connection line
  exec {connection}<>"/dev/tcp/$1/$2" || return 1
  printf 'GET %s HTTP/1.0\r\n\r\n' "$3" >&"$connection"
  read -r -t 2 line <&"$connection" || true
  exec {connection}>&-
  [[ ${line:-} == *" 200 "* ]]
}

# own_processes: the ids of all that belongs to this cluster, by the kernel's own books: what runs in
# its network namespace (our processes, containerd's shims) or in its cgroup (the pods). No name is
# matched and no old id trusted, so nothing else can be hit, and nothing of a killed start is missed.
own_processes() {
  local cgroup
  if [ -e "$dir/netns" ]; then
    find -L /proc/[0-9]*/ns/net -maxdepth 0 -samefile "$dir/netns" 2>/dev/null | cut -d/ -f3 || true
  fi
  for cgroup in "${cgroups[@]}"; do
    [ ! -d "$cgroup/$cgroup_name" ] || find "$cgroup/$cgroup_name" -name cgroup.procs -exec cat {} + 2>/dev/null || true
  done
}

# end_processes: kills them all at once: the state goes too, so there is nothing to save by a slow end.
end_processes() {
  local end=$((SECONDS + 20)) pids
  while pids=$(own_processes | sort -un) && [ -n "$pids" ]; do
    # shellcheck disable=SC2086 # one word for each process id
    kill -9 $pids 2>/dev/null || true
    [ "$SECONDS" -lt "$end" ] || die "processes of $name do not end; see: ps -fp ${pids//$'\n'/,}"
    sleep 0.05
  done
}
