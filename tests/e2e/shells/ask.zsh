# usage: zsh -f ask.zsh LINE: prints what a Tab behind LINE offers, a word a line
# zsh completes at a prompt only: here at that of another zsh, in a terminal that nobody sees. What is
# offered goes through compadd, which tells it.
zmodload zsh/zpty
zmodload zsh/datetime

zpty shell zsh -f -i
until_said() {
  local said all
  float end=$((EPOCHREALTIME + 20))
  while ((EPOCHREALTIME < end)); do
    if zpty -r -t shell said; then
      all+=$said
      [[ $all == *$1* ]] && return 0
    else
      sleep 0.05
    fi
  done
  print -u2 -r -- "no $1 within 20 s: $all"
  return 1
}

told=$(mktemp)
setup=$(mktemp)
cat >$setup <<SETUP
autoload -Uz compinit && compinit -u -D
source <(kubectl completion zsh)
source <(kubectl-flink completion zsh)
told=$told
SETUP
cat >>$setup <<'SETUP'
compadd() {
  local -a matches
  if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)* ]]; then
    builtin compadd -O matches "$@"
    print -rl -- $matches >>$told
  fi
  builtin compadd "$@"
}
tell() { zle complete-word; print -n 'TO''LD'; }
zle -N tell
bindkey '^X' tell
print REA''DY
SETUP
zpty -w shell "source $setup"
until_said READY
zpty -w -n shell "$1"$'\x18'
until_said TOLD
zpty -d shell
# Several calls of compadd may have offered the same.
sort -u $told
rm $told $setup
