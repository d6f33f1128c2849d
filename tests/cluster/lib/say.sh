# shellcheck shell=bash
# What a person sees: progress and errors on stderr, so that stdout holds only what was asked for.

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

die() {
  say "$@"
  exit 1
}

# tail_of FILE: its last 15 lines, set off from our own words.
tail_of() {
  [ ! -s "$1" ] || tail -n 15 "$1" | sed 's/^/  | /' >&2
}

# step "WHAT" LOG COMMAND...: runs COMMAND with its output in LOG and says what is going on:
# once at the start, once a minute, at the end. A failure shows the end of LOG and ends the script.
step() {
  local what=$1 log=$2 began=$SECONDS ticker status=0
  shift 2
  say "$what ..."
  # The ticker ends by itself when the other end of its pipe closes, so even a killed script leaves none.
  exec {ticker}> >(
    while :; do
      read -r -t 60 && continue
      [ $? -gt 128 ] || exit 0
      say "still $what, $((SECONDS - began)) s"
    done
  )
  "$@" >"$log" 2>&1 </dev/null {ticker}>&- || status=$?
  exec {ticker}>&-
  if [ "$status" != 0 ]; then
    say "failed after $((SECONDS - began)) s: $what (exit code $status)"
    tail_of "$log"
    die "the whole log is $log; run the same command again to go on from here"
  fi
  say "done in $((SECONDS - began)) s"
}
