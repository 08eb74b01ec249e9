# Saves etcd and opens what was saved, or looks whether that was done. Read whole from standard input before anything
# runs; needs nothing beyond the base system and an etcdctl, which may be the one in etcd's own container.
#
# $1: rollbook-etcd-snapshot, by which it is known in a list of processes
# $2: `look`, which changes nothing, or `save`
# $3: the file to have  $4: how many snapshots of its directory stay, 0 for all  $5: seconds that saving may take
# $6 $7 $8: CA, certificate and key  $9: the node, for kubectl; $10: endpoints, comma in between; empty for the host's own
#
# A snapshot counts when FILE.json stands beside it, which is written last: sizes and the digest of the file, and what
# etcd's own tools read from it. `look` prints lines of a word and a value; the last line of `save` is FILE.json.
set -u
umask 077
verb=$2 file=$3 keep=$4 limit=$5 ca=$6 cert=$7 key=$8 node=$9
shift 9
endpoints=${1:-}
manifest=/etc/kubernetes/manifests/etcd.yaml
directory=${file%/*}
record=$file.json
part=$file.part

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# The value of a flag in the static pod's manifest.
flag() { sed -n "s/^ *- --$1=//p" "$manifest" 2>/dev/null | head -n 1; }
data=$(flag data-dir)
data=${data:-/var/lib/etcd}

# --- Who runs etcdctl ---

# The container of etcd on this host, by the runtime itself: it needs no API server.
container() {
  command -v crictl >/dev/null &&
    crictl ps --name "^etcd$" --state running -q 2>/dev/null | grep -m 1 "^[0-9a-f]\{6,\}$"
}

find_tool() {
  how=none box=
  if command -v etcdctl >/dev/null; then
    how=host
  elif [ -r "$manifest" ]; then
    box=$(container)
    if [ -n "$box" ]; then
      how=crictl
    elif [ -r /etc/kubernetes/admin.conf ] && [ -n "$node" ] && command -v kubectl >/dev/null; then
      how=kubectl
    fi
  fi
}

# Runs a program of etcd's, wherever it is. etcdctl before 3.4 speaks the old interface unless it is told.
tool() {
  case $how in
  host) ETCDCTL_API=3 "$@" ;;
  crictl) crictl exec "$box" "$@" ;;
  kubectl) kubectl --kubeconfig=/etc/kubernetes/admin.conf -n kube-system exec "etcd-$node" -c etcd -- "$@" ;;
  esac
}

ask() {
  at=$1 within=$2
  shift 2
  tool etcdctl --endpoints="$at" --cacert="$ca" --cert="$cert" --key="$key" --dial-timeout=5s --command-timeout="${within}s" "$@"
}

# --- What is there ---

number() { printf '%s' "$2" | sed -n "s/.*\"$1\": *\([0-9][0-9]*\).*/\1/p"; }
digest() { sha256sum <"$1" | cut -d' ' -f1; }
size() { stat -c %s -- "$1"; }

# The nearest directory that is there, on whose file system a path will lie.
lies_in() {
  above=$1
  while [ ! -d "$above" ]; do above=${above%/*}; above=${above:-/}; done
  printf '%s' "$above"
}
free() { df -B1 --output=avail -- "$(lies_in "$1")" | tail -n 1 | tr -d ' '; }

# Sets state: absent, good, or what is wrong with it.
find_snapshot() {
  state=absent
  [ -e "$file" ] || [ -L "$file" ] || return 0
  if [ -L "$file" ] || [ ! -f "$file" ]; then
    state='it is no file'
  elif [ ! -s "$record" ]; then
    state='nothing tells that it was opened again'
  elif [ "$(stat -c %a -- "$file")" != 600 ]; then
    state='others may read it'
  else
    wrote=$(cat -- "$record")
    sum=$(printf '%s' "$wrote" | sed -n 's/.*"sha256": *"\([0-9a-f]*\)".*/\1/p')
    if [ "$sum" = "$(digest "$file")" ]; then state=good; else state='it is not what was saved'; fi
  fi
}

# How much a snapshot takes: as much as the database, which is at hand where etcd runs here.
size_of_database() {
  need=$(size "$data/member/snap/db" 2>/dev/null) || need=
  if [ -n "$endpoints" ] || [ -z "$need" ]; then
    for each in $(printf '%s' "${endpoints:-https://127.0.0.1:2379}" | tr , ' '); do
      need=$(number dbSize "$(ask "$each" 10 endpoint status -w json 2>/dev/null)")
      [ -z "$need" ] || break
    done
  fi
}

look() {
  find_snapshot
  printf 'snapshot %s\n' "$state"
  [ "$state" != good ] || { printf 'record %s\n' "$wrote"; return; }
  [ -n "$endpoints" ] || [ -r "$manifest" ] || echo 'etcd elsewhere'
  for each in "$ca" "$cert" "$key"; do
    [ -r "$each" ] || printf 'unreadable %s\n' "$each"
  done
  find_tool
  printf 'etcdctl %s\n' "$how"
  size_of_database
  printf 'size %s\n' "${need:-unknown}"
  printf 'free %s %s\n' "$(free "$directory")" "$directory"
  case $how in crictl | kubectl) printf 'free %s %s\n' "$(free "$data")" "$data" ;; esac
}

# --- Saving ---

# What etcd appends to a snapshot is the digest of all before it: a stream that was cut off has another one.
is_whole() {
  bytes=$(size "$1")
  [ $((bytes % 512)) -eq 32 ] || return 1
  said=$(tail -c 32 -- "$1" | od -An -tx1 | tr -d ' \n')
  [ "$said" = "$(head -c $((bytes - 32)) -- "$1" | sha256sum | cut -d' ' -f1)" ]
}

make_directory() {
  if [ ! -d "$directory" ]; then
    mkdir -p -m 0700 -- "$directory" || fail "cannot make $directory"
  fi
  [ ! -L "$directory" ] || fail "$directory is a symbolic link: name the directory itself"
  case $(stat -c '%u %A' -- "$directory") in
  "$(id -u) d"????-??-?*) ;;
  *) fail "$directory belongs to somebody else, or others may write to it" ;;
  esac
}

# Where etcdctl writes: straight to the place, or below the directory that etcd's container shares with the host.
take() {
  to=$1
  rm -f -- "$to" "$to.part"
  for each in $(printf '%s' "${endpoints:-https://127.0.0.1:2379}" | tr , ' '); do
    if ask "$each" 10 endpoint status >/dev/null 2>"$part.why"; then
      ask "$each" "$limit" snapshot save "$to" 2>"$part.why" && return 0
      why=$(tail -n 3 -- "$part.why" | tr '\n' ' ')
      fail "etcdctl cannot save a snapshot of $each: $why"
    fi
  done
  why=$(tail -n 1 -- "$part.why")
  fail "etcd does not answer at ${endpoints:-https://127.0.0.1:2379}: $why"
}

# Opens a snapshot again: with etcdutl where there is one, which alone can from etcd 3.6 on.
open() {
  status=$(tool etcdutl snapshot status "$1" -w json 2>/dev/null) ||
    status=$(tool etcdctl snapshot status "$1" -w json 2>"$part.why") ||
    fail "the snapshot cannot be opened again: $(tail -n 1 -- "$part.why")"
  hash=$(number hash "$status") revision=$(number revision "$status") keys=$(number totalKey "$status")
  [ -n "$hash" ] && [ -n "$revision" ] && [ "${keys:-0}" -gt 0 ] ||
    fail "the snapshot was opened again, and holds nothing: $status"
}

# Older snapshots of this directory that were made here; files without a record of ours are somebody else's.
drop_old() {
  [ "$keep" -gt 0 ] || return 0
  for each in "$directory"/*.json; do
    [ ! -L "$each" ] && [ "$each" != "$record" ] &&
      grep -qF "{\"kind\":\"EtcdSnapshot\",\"file\":\"${each%.json}\"," -- "$each" 2>/dev/null || continue
    stat -c '%Y %n' -- "$each"
  done | sort -rn | tail -n "+$keep" | cut -d' ' -f2- | while IFS= read -r each; do
    rm -f -- "${each%.json}" "$each" && printf 'removed %s\n' "${each%.json}"
  done
}

save() {
  find_snapshot
  if [ "$state" = good ]; then
    printf 'it is saved already\n%s\n' "$wrote"
    return
  fi
  find_tool
  [ "$how" != none ] || fail 'there is no etcdctl, and no running container of etcd that has one'
  make_directory
  trap 'rm -f -- "$part" "$part.part" "$part.why" "$part.json" "$data/rollbook-snapshot.db" "$data/rollbook-snapshot.db.part"' EXIT
  trap 'exit 143' HUP INT PIPE TERM
  rm -f -- "$record"
  if [ "$how" = host ]; then
    take "$part"
    open "$part"
  else
    inside=$data/rollbook-snapshot.db
    take "$inside"
    [ -s "$inside" ] || fail "$data in etcd's container is not the host's: install etcdctl on the host"
    open "$inside"
    mv -f -- "$inside" "$part" || fail "cannot move the snapshot to $directory"
  fi
  is_whole "$part" || fail 'the snapshot is not whole: what etcd says of it at its end does not fit'
  chmod 0600 -- "$part" && chown "$(id -u):$(id -g)" -- "$part" || fail "cannot make $part private"
  printf '{"kind":"EtcdSnapshot","file":"%s","hash":%s,"revision":%s,"keys":%s,"size":%s,"sha256":"%s"}\n' \
    "$file" "$hash" "$revision" "$keys" "$(size "$part")" "$(digest "$part")" >"$part.json" ||
    fail "cannot write to $directory"
  sync -- "$part" "$part.json" && mv -f -- "$part" "$file" && mv -f -- "$part.json" "$record" && sync -- "$directory" ||
    fail "cannot put the snapshot in its place"
  drop_old
  cat -- "$record"
}

case $verb in look) look ;; *) save ;; esac
