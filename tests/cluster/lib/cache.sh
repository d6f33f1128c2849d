# shellcheck shell=bash
# The cache: CACHE/PART/KEY/, where KEY is a hash of all that went into the part.
# A directory appears under its key only when it is complete, so whatever is there is good to use.

cache=${KUBECTL_FLINK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-flink}

# key_of WORD...: a hash over the words; a word that is a file stands for what is in it.
key_of() {
  local word
  for word; do
    if [ -f "$word" ]; then sha256sum <"$word"; else printf '%s\n' "$word"; fi
  done | sha256sum | cut -c1-16
}

# part NAME KEY "WHAT" COMMAND...: sets $part to CACHE/NAME/KEY; when that is not there yet,
# COMMAND fills it: it is called with an empty directory as its last argument.
part() {
  local name=$1 key=$2 what=$3 new old lock
  shift 3
  part=$cache/$name/$key
  if [ -d "$part" ]; then
    # The time of last use decides which old keys go.
    touch -c "$part"
    return
  fi
  mkdir -p "$cache/$name" "$cache/logs"
  exec {lock}>"$cache/$name/.lock"
  if ! flock -n "$lock"; then
    say "waiting for another build of $name"
    flock "$lock"
  fi
  if [ ! -d "$part" ]; then
    # Whoever holds the lock is the only builder: anything unfinished is of one that was killed.
    rm -rf "$cache/$name"/.new.*
    new=$(mktemp -d "$cache/$name/.new.XXXXXX")
    chmod 755 "$new"
    step "$what" "$cache/logs/$name.log" "$@" "$new"
    mv -T "$new" "$part"
    # Two keys stay, so that going back and forth between two branches builds nothing.
    find "$cache/$name" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %f\n' | sort -rn | tail -n +3 |
      while read -r _ old; do rm -rf "${cache:?}/$name/$old"; done
  fi
  exec {lock}>&-
}
