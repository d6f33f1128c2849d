# Runs Flink's own client inside the image, with the settings that the image's Flink understands.
#
# usage: bootstrap FILES EXPECTED [file:NAME TEXT | conf:NAME TEXT | plugin:NAME]... @SINCE -Dkey=value... [@SINCE ...]...
# FILES is a directory to make. EXPECTED is the version that the user named, or empty. `file` is for Flink's client to read, `conf`
# goes into Flink's configuration directory, `plugin` is one that the image brings along. SINCE is
# major * 1000 + minor; of the groups, oldest first, the last one that is not newer than the image's
# Flink is used, whole. Instead of settings a group may hold one "!REASON": that version cannot do it.
#
# The reason of a refusal also goes to the termination message, which can be read without the
# permission to read logs.
set -u
shopt -s nullglob
files=$1
mkdir -p "$files"
shift
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
  refuse 64 "$home/lib of the image has ${#jars[@]} flink-dist jars, and Flink has one"
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

plugins=
while :; do
  case ${1-} in
  file:*)
    printf '%s' "$2" >"$files/${1#file:}" || refuse 70 "cannot write $files/${1#file:}"
    shift 2
    ;;
  conf:*)
    # A copy: what the image has stays as it is, and the directory need not be ours to write.
    [ -d "$files/conf" ] || cp -rL "$home/conf" "$files/conf" || refuse 70 "cannot copy $home/conf"
    export FLINK_CONF_DIR=$files/conf
    rm -f "$files/conf/${1#conf:}"
    printf '%s' "$2" >"$files/conf/${1#conf:}" || refuse 70 "cannot write $files/conf/${1#conf:}"
    shift 2
    ;;
  plugin:*)
    jar=flink-${1#plugin:}-$version.jar
    if [ ! -e "$home/opt/$jar" ]; then
      has=
      for jar in "$home"/opt/flink-*-"$version.jar"; do
        jar=${jar##*/flink-}
        has+=" ${jar%"-$version.jar"}"
      done
      refuse 69 "the image has no plugin ${1#plugin:}; its opt directory has:${has:- nothing}"
    fi
    plugins+=${plugins:+;}$jar
    shift
    ;;
  *) break ;;
  esac
done

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

[ "${settings[0]}" = "${settings[0]#!}" ] ||
  refuse 68 "the image holds Flink $version, and ${settings[0]#!}"
# The image's entrypoint puts them in their place.
[ -z "$plugins" ] || for role in master taskmanager; do
  settings+=("-Dcontainerized.$role.env.ENABLE_BUILT_IN_PLUGINS=$plugins")
done

printf 'Flink %s' "$version" >/dev/termination-log 2>/dev/null
exec "$home/bin/kubernetes-session.sh" "${settings[@]}"
