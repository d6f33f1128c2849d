# Runs Flink's own client inside the image, with the settings that the image's Flink understands.
#
# usage: bootstrap FILES GIVEN EXPECTED [plugin:NAME | locale:ROLE]... @SINCE -Dkey=value... [@SINCE ...]...
# FILES is a directory to make. GIVEN is one with files: what is in GIVEN/file goes to FILES, for Flink's client to read, and
# what is in GIVEN/conf into Flink's configuration directory. EXPECTED is the version that the user named, or empty. `plugin`
# is one that the image brings along. The pods of ROLE (master or taskmanager) get a UTF-8 locale where the image has
# none. SINCE is
# major * 1000 + minor; of the groups, oldest first, the last one that is not newer than the image's
# Flink is used, whole. Instead of settings a group may hold one "!REASON": that version cannot do it. After the settings
# it may hold one "~REASON": that version cannot do it with an image that has a flink-conf.yaml.
#
# The reason of a refusal also goes to the termination message, which can be read without the
# permission to read logs.
set -u
shopt -s nullglob
# The kernel gives the first process of a container no default action for signals, so without this the client
# would work on through its grace period, and make a session that was deleted meanwhile.
stop() {
  for group in $(jobs -p); do
    kill -KILL -- "-$group" 2>/dev/null
  done
  exit 143
}
trap stop TERM INT HUP QUIT
files=$1 given=$2
mkdir -p "$files"
shift 2
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

shopt -s dotglob
for file in "$given"/file/*; do
  cp "$file" "$files/" || refuse 70 "cannot write $files/${file##*/}"
done
for file in "$given"/conf/*; do
  # A copy: what the image has stays as it is, and the directory need not be ours to write.
  [ -d "$files/conf" ] || cp -rL "$home/conf" "$files/conf" || refuse 70 "cannot copy $home/conf"
  export FLINK_CONF_DIR=$files/conf
  rm -f "$files/conf/${file##*/}"
  cp "$file" "$files/conf/" || refuse 70 "cannot write $files/conf/${file##*/}"
done
shopt -u dotglob

plugins=
roles=()
while :; do
  case ${1-} in
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
  locale:*)
    roles+=("${1#locale:}")
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
# Flink 1.19 and 1.20 prefer the file of older versions to config.yaml.
conf=${FLINK_CONF_DIR:-$home/conf}
last=$((${#settings[@]} - 1))
case ${settings[last]} in
"~"*)
  [ ! -e "$conf/flink-conf.yaml" ] ||
    refuse 71 "the image holds Flink $version with a flink-conf.yaml, which cannot hold ${settings[last]#\~}"
  unset "settings[last]"
  ;;
esac
# The image's entrypoint puts them in their place.
[ -z "$plugins" ] || for role in master taskmanager; do
  settings+=("-Dcontainerized.$role.env.ENABLE_BUILT_IN_PLUGINS=$plugins")
done

# Java reads its arguments in the encoding of the locale, and up to Java 17 Flink's files, too. Without a locale, what
# is not ASCII gets lost.
case ${LC_ALL:-${LC_CTYPE:-${LANG-}}} in
*[Uu][Tt][Ff]-8* | *[Uu][Tt][Ff]8*) ;;
*)
  locale=C.UTF-8
  for known in C.UTF-8 en_US.UTF-8; do
    # bash warns of one that the image does not have.
    if [ -z "$( (LC_ALL=$known) 2>&1)" ]; then
      locale=$known
      break
    fi
  done
  # The others count more than LANG.
  variable=LANG
  [ -z "${LC_ALL-}${LC_CTYPE-}" ] || variable=LC_ALL
  export "$variable=$locale"
  for role in ${roles[@]+"${roles[@]}"}; do
    settings+=("-Dcontainerized.$role.env.$variable=$locale")
  done
  ;;
esac

# Who has the same name in another cluster has another one.
[ -z "${SESSION_ID-}" ] || settings+=("-Dkubectl-flink.session-id=$SESSION_ID")

# Flink's client deletes a Deployment of the session's name that is there already. Somebody may have made one since
# `create` looked. Which program can ask the API server depends on the image; without one, or without the right,
# nothing is known and the client starts.
name=
namespace=
for word in "${settings[@]}"; do
  case $word in
  -Dkubernetes.cluster-id=*) name=${word#*=} ;;
  -Dkubernetes.namespace=*) namespace=${word#*=} ;;
  esac
done
account=${ACCOUNT_FILES:-/var/run/secrets/kubernetes.io/serviceaccount}
status_of() {
  local server=${KUBERNETES_SERVICE_HOST-} token
  [ -n "$server" ] && [ -r "$account/token" ] || return 0
  token=$(<"$account/token")
  case $server in *:*) server=[$server] ;; esac
  server=$server:${KUBERNETES_SERVICE_PORT:-443}
  if command -v curl >/dev/null; then
    printf 'header = "Authorization: Bearer %s"\n' "$token" |
      curl -s -o /dev/null -w '%{http_code}' --max-time 5 --noproxy '*' --cacert "$account/ca.crt" -K - "https://$server$1"
  elif command -v openssl >/dev/null; then
    printf 'GET %s HTTP/1.0\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n' "$1" "$server" "$token" |
      timeout 5 openssl s_client -quiet -verify_return_error -CAfile "$account/ca.crt" -connect "$server" 2>/dev/null |
      sed -n '1s/^HTTP[^ ]* \([0-9]*\).*/\1/p'
  fi
}
if [ "$(status_of "/apis/apps/v1/namespaces/$namespace/deployments/$name")" = 200 ]; then
  refuse 72 "somebody else has made deployment.apps/$name meanwhile, and Flink's client would delete it"
fi

printf 'Flink %s' "$version" >/dev/termination-log 2>/dev/null
# A process group of its own, with Java in it. bash handles a signal while it waits for a job, but not while it
# waits for a command in the foreground. While job control is on, bash may print a line about a job that has ended,
# which must not be in the client's log.
exec 3>&2
{
  set -m
  "$home/bin/kubernetes-session.sh" "${settings[@]}" 2>&3 3>&- &
  set +m
} 2>/dev/null
exec 3>&-
wait "$!"
