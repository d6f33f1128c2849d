# shellcheck shell=bash
# The cluster's processes: started inside its network namespace, waited for, ended.

# inside COMMAND...: in the cluster's network. Not `ip netns exec`: that mounts /sys anew, and the
# kubelet then finds no cgroups.
inside() { nsenter --net="$dir/netns" "$@"; }

# start PART COMMAND...: in the background, with a log and its process id and start time on record.
start() {
  local part=$1 pid
  shift
  # The lock must not outlive this script in a process that goes on.
  setsid nsenter --net="$dir/netns" "$@" >"$dir/$part.log" 2>&1 </dev/null {cluster_lock}>&- &
  pid=$!
  echo "$pid $(started "$pid")" >"$dir/$part.pid"
}

# started PID: when the kernel started it, in ticks since boot. With it a process id is used only once.
# The name in the second field may hold spaces, so count from its closing parenthesis.
started() { sed -n 's/.*) //p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# runs PART: whether the process on record is alive, and still that one.
runs() {
  local pid ticks
  read -r pid ticks 2>/dev/null <"$dir/$1.pid" && [ -n "$ticks" ] && [ "$(started "$pid")" = "$ticks" ]
}

# await PART SECONDS "WHAT" COMMAND...: until COMMAND succeeds. Gives up at once when PART has died.
await() {
  local part=$1 seconds=$2 end=$((SECONDS + $2)) what=$3
  shift 3
  until "$@" >/dev/null 2>&1; do
    runs "$part" || failed "$part" "$part ended while waiting for $what"
    [ "$SECONDS" -lt "$end" ] || failed "$part" "gave up after $seconds s waiting for $what"
    sleep 0.1
  done
}

# failed PART "WHAT HAPPENED": with the end of that part's log.
failed() {
  say "the start of $name failed: $2"
  tail_of "$dir/$1.log"
  die "the whole log is $dir/$1.log; 'cluster up' starts afresh, 'cluster down' removes what is left"
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
