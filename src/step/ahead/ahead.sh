# Looks at packages as they will be once other package sources are in place, and changes nothing: whatever apt writes
# lies in a directory of its own, which is gone at the end, also after a time limit.
#
# $1: seconds that fetching the lists may take.
# Standard input, in records of whole lines:
#   key COUNT NAME      a key for the sources; COUNT lines follow
#   source COUNT PATH   the file as it will be; COUNT lines follow, in which @private@/ is where the keys are
#   run COUNT           a command to run with these sources; COUNT words follow, one on each line
# Standard output: for fetching the lists, then for every command, `@ CODE OUT ERR` and so many lines of either stream.
set -u
umask 077
command -v apt-config >/dev/null || exit 127
private=$(mktemp -d /tmp/rollbook-ahead.XXXXXXXXXX) || exit 90
trap 'rm -rf -- "$private"' EXIT
trap 'exit 143' HUP INT PIPE TERM

# apt's fetchers and its check of signatures run as another user where root starts them: they come through to the lists
# and keys, and see no other file's content.
chmod 711 "$private" || exit 90
mkdir -m 755 "$private/lists" "$private/cache" || exit 90
mkdir "$private/new" "$private/parts" || exit 90

main= parts= lists=
eval "$(apt-config shell main Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d lists Dir::State::lists/d)"

# The hooks of a host belong to its own lists: some clean the cache, others stamp a success.
cat >"$private/apt.conf" <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "$private/sources.list";
Dir::Etc::sourceparts "$private/parts/";
Dir::State::lists "$private/lists/";
Dir::Cache::pkgcache "$private/cache/pkgcache.bin";
Dir::Cache::srcpkgcache "";
Dir::Log::Planner "/dev/null";
Dir::Log::Solver "/dev/null";
END

take() {
  left=$1
  while [ "$left" -gt 0 ]; do
    IFS= read -r line || exit 91
    case $line in
    *@private@/*) line=${line%%@private@/*}$private/${line#*@private@/} ;;
    esac
    printf '%s\n' "$line"
    left=$((left - 1))
  done
}

answer() {
  "$@" >"$private/out" 2>"$private/err" </dev/null
  code=$?
  for stream in out err; do
    [ -z "$(tail -c 1 "$private/$stream")" ] || echo >>"$private/$stream"
  done
  printf '@ %s %s %s\n' "$code" $(wc -l <"$private/out") $(wc -l <"$private/err")
  cat "$private/out" "$private/err"
  return "$code"
}

# Only the new sources are fetched; of all others the host's own lists are looked at as they are.
fetched=
fetch() {
  [ -z "$fetched" ] || return 0
  fetched=yes
  answer timeout --foreground -k 5 "$limit" apt-get -c "$private/apt.conf" -q \
    -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$private/new/" -o Dir::Cache="$private/cache/" \
    -o APT::Update::Error-Mode=any -o APT::Get::List-Cleanup=0 -o Acquire::Languages=none \
    -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 update || exit 0
  # After the update, so that it never sees a file of the host, let alone through a link.
  for file in "$lists"*; do
    [ ! -f "$file" ] || [ -e "$private/lists/${file##*/}" ] || ln -s "$file" "$private/lists/"
  done
  for file in "$parts"*.list "$parts"*.sources; do
    [ ! -f "$file" ] || [ -e "$private/parts/${file##*/}" ] || ln -s "$file" "$private/parts/"
  done
  [ ! -f "$main" ] || [ -e "$private/sources.list" ] || ln -s "$main" "$private/sources.list"
}

limit=$1
while IFS=' ' read -r what count name; do
  case $what in
  key)
    take "$count" >"$private/$name"
    chmod 644 "$private/$name"
    ;;
  source)
    take "$count" >"$private/new/${name##*/}"
    if [ "$name" = "$main" ]; then
      cp "$private/new/${name##*/}" "$private/sources.list"
    else
      cp "$private/new/${name##*/}" "$private/parts/"
    fi
    ;;
  run)
    fetch
    set --
    while [ "$count" -gt 0 ]; do
      IFS= read -r word || exit 91
      set -- "$@" "$word"
      count=$((count - 1))
    done
    case $1 in
    apt-get | apt-cache)
      tool=$1
      shift
      set -- "$tool" -c "$private/apt.conf" "$@"
      ;;
    esac
    answer "$@"
    ;;
  *) exit 92 ;;
  esac
done
fetch
exit 0
