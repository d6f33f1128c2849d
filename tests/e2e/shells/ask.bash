# usage: bash --norc ask.bash LINE: prints what a Tab behind LINE offers, a word a line
source /usr/share/bash-completion/bash_completion
source <(kubectl completion bash)
source <(kubectl-flink completion bash)
# There is no readline here that it would tell.
compopt() { :; }

COMP_LINE=$1
COMP_POINT=${#1}
# That of menu-complete, for which there are no descriptions.
COMP_TYPE=37
# As readline takes words apart.
COMP_WORDS=()
word=
for ((i = 0; i < ${#1}; i++)); do
  char=${1:i:1}
  case $char in
  ' ' | = | :)
    [[ -z $word ]] || COMP_WORDS+=("$word")
    word=
    [[ $char == ' ' ]] || COMP_WORDS+=("$char")
    ;;
  *) word+=$char ;;
  esac
done
[[ -z $word && $1 != *' ' ]] || COMP_WORDS+=("$word")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
read -r function < <(complete -p "${COMP_WORDS[0]}" | sed 's/.* -F \([^ ]*\) .*/\1/')
COMPREPLY=()
"$function" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
