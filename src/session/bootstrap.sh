# Runs Flink's own client inside the image, with the settings that the image's Flink understands.
#
# usage: bootstrap EXPECTED @SINCE -Dkey=value... [@SINCE -Dkey=value...]...
# EXPECTED is the version that the user named, or empty. SINCE is major * 1000 + minor; of the
# groups, oldest first, the last one that is not newer than the image's Flink is used, whole.
#
# The reason of a refusal also goes to the termination message, which can be read without the
# permission to read logs.
set -u
shopt -s nullglob
refuse() {
  printf '%s\n' "$2"
  printf '%s' "$2" >/dev/termination-log 2>/dev/null
  exit "$1"
}

home=${FLINK_HOME:-/opt/flink}
# The jar is the truth about the version, whatever the image's tag says. Up to 1.14 its name has
# the Scala version: flink-dist_2.11-1.10.3.jar.
jars=("$home"/lib/flink-dist*.jar)
[ ${#jars[@]} -eq 1 ] ||
  refuse 64 "the image holds no Flink: $home/lib has ${#jars[@]} flink-dist jars, expected one"
version=${jars[0]##*/flink-dist}
version=${version#*-}
version=${version%.jar}
major=${version%%.*}
minor=${version#*.}
minor=${minor%%[!0-9]*}
case $major:$minor in
:* | *: | *[!0-9:]*) refuse 65 "cannot read the version of Flink from ${jars[0]##*/}" ;;
esac
number=$((major * 1000 + minor))

expected=$1
shift
case $version in
"$expected" | "$expected".* | "$expected"-*) ;;
*) [ -z "$expected" ] || refuse 66 "the image holds Flink $version, and --flink-version says $expected" ;;
esac

settings=()
chosen=
for word; do
  case $word in
  @*)
    chosen=
    if [ "${word#@}" -le "$number" ]; then
      chosen=1
      settings=()
    fi
    ;;
  *) [ -z "$chosen" ] || settings+=("$word") ;;
  esac
done
[ ${#settings[@]} -gt 0 ] ||
  refuse 67 "the image holds Flink $version, which has no native Kubernetes sessions: they came with 1.10"

printf 'Flink %s' "$version" >/dev/termination-log 2>/dev/null
exec "$home/bin/kubernetes-session.sh" "${settings[@]}"
