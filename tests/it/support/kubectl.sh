#!/bin/sh
# A cluster of nodes that are directories below NODES, for runs over throwaway hosts: `machine` holds the machine id,
# `by` and `cordoned` exist where the node is annotated and cordoned. Knows the calls of `cordon` and `uncordon`.
nodes=@NODES@
echo "$(date +%s%N) $*" >>"$nodes/../kubectl.log"
row() {
  name=${1##*/}
  cordoned='<no value>' by=
  [ ! -e "$1/cordoned" ] || cordoned=true
  [ ! -e "$1/by" ] || by="\"$(cat "$1/by")\""
  printf '%s\tuid-%s\t"True"\t%s\t%s\t\t"v1.31.4"\t"%s"\t"boot"\t"containerd://1.7"\t\n' \
    "$name" "$name" "$cordoned" "$by" "$(cat "$1/machine")"
}
refuse() {
  echo "The request is invalid: the server rejected our request due to an error in our request" >&2
  exit 1
}
patch() {
  node=$nodes/$1
  case $2 in
  *'"value":null'*)
    [ ! -e "$node/cordoned" ] || refuse
    : >"$node/cordoned"
    added "$2" >"$node/by"
    ;;
  *'"value":false'*)
    [ "$(tested "$2")" = "$(cat "$node/by" 2>/dev/null)" ] || refuse
    rm -f "$node/cordoned" "$node/by"
    ;;
  *cordoned-by*)
    [ -e "$node/cordoned" ] && [ "$(tested "$2")" = "$(cat "$node/by" 2>/dev/null)" ] || refuse
    added "$2" >"$node/by"
    ;;
  *) [ -e "$node/cordoned" ] || refuse ;;
  esac
  echo "node/$1 patched"
}
tested() { echo "$1" | sed -n 's/.*"op":"test","path":"[^"]*cordoned-by","value":"\([^"]*\)".*/\1/p'; }
added() { echo "$1" | sed -n 's/.*"op":"add","path":"[^"]*cordoned-by","value":"\([^"]*\)".*/\1/p'; }
case "$*" in
*' version '*) echo '{"clientVersion":{"gitVersion":"v1.31.4"},"serverVersion":{"gitVersion":"v1.31.4"}}' ;;
*' get nodes '*metadata.name=*)
  name=${*##*metadata.name=}
  row "$nodes/${name%% *}"
  ;;
*' get nodes '*) for node in "$nodes"/*; do row "$node"; done ;;
*' patch node '*)
  name=${*##* patch node }
  for last; do :; done
  patch "${name%% *}" "$last"
  ;;
*) refuse ;;
esac
