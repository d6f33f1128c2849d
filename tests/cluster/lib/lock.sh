# shellcheck shell=bash
# Names of clusters, and one command at a time on each of them.

# {cluster_lock}>&- needs a number, also before there is a lock.
cluster_lock=9

check_name() { # check_name NAME
  # Short, because a Unix socket in its directory has 108 bytes for the whole path.
  [[ $1 =~ ^[a-z0-9]([-a-z0-9]{0,28}[a-z0-9])?$ ]] ||
    die "the name '$1' is no good: give 1 to 30 of a-z, 0-9 and '-', with no '-' at either end"
}

# lock_cluster: one command that changes a cluster at a time.
lock_cluster() {
  local file=$clusters/.$name.lock
  while :; do
    mkdir -p "$clusters"
    exec {cluster_lock}>"$file"
    if ! flock -n "$cluster_lock"; then
      say "waiting for another command on $name"
      flock "$cluster_lock"
    fi
    # The one before us may have been a `down`, which takes the file away with the rest.
    [ ! "$file" -ef "/proc/$$/fd/$cluster_lock" ] || return 0
    exec {cluster_lock}>&-
  done
}

unlock_and_forget() {
  rm -f "$clusters/.$name.lock"
  exec {cluster_lock}>&-
  rmdir --ignore-fail-on-non-empty "$clusters"
}
