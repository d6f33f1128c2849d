# shellcheck shell=bash
# Processes that go on after this script: started, recognised, waited for.

# launch PART COMMAND...: in the background, with a log and its process id and start time on record.
launch() {
  local part=$1 pid
  shift
  # The lock must not outlive this script in a process that goes on.
  setsid "$@" >"$dir/$part.log" 2>&1 </dev/null {cluster_lock}>&- &
  pid=$!
  echo "$pid $(started "$pid")" >"$dir/$part.pid"
}

# started PID: when the kernel started it, in ticks since boot. With it a process id is used only once.
# The name in the second field may hold spaces, so count from its closing parenthesis. A zombie counts as
# ended: in a container nobody may ever fetch it.
started() { sed -n 's/.*) \([^Z]\)/\1/p' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

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
  die "the whole log is $dir/$1.log; $afresh"
}
