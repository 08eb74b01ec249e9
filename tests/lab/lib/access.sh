# shellcheck shell=bash
# Access: the files that the program under test is given, and the list of hosts they are made from.

access_files() { # CONTROL_PLANES WORKERS VERSION
  local i
  echo "$*" >"$STATE/shape"
  for ((i = 1; i <= $1 + $2; i++)); do
    if ((i <= $1)); then echo "cp$i $NET.$((10 + i))"; else echo "w$((i - $1)) $NET.$((10 + i))"; fi
  done >"$STATE/hosts"
  { echo "127.0.0.1 localhost"; echo "$GATEWAY runner repo"; awk '{ print $2, $1 }' "$STATE/hosts"; } >"$STATE/etc_hosts"
  access_ssh_config >"$STATE/ssh_config"
  access_inventory >"$STATE/inventory.yaml"
}

access_ssh_config() {
  awk '{ printf "Host %s\n  HostName %s\n  HostKeyAlias %s\n", $1, $2, $1 }' "$STATE/hosts"
  cat <<CONFIG
Host *
  User ops
  IdentityFile $CACHE/keys/id
  IdentitiesOnly yes
  UserKnownHostsFile $STATE/known_hosts
  StrictHostKeyChecking yes
  BatchMode yes
CONFIG
}

access_inventory() { # workers are spread over three zones
  cat <<HEAD
apiVersion: rollbook/v1
kind: Inventory
metadata: { name: $NAME }
connection: { user: ops, ssh_config: $STATE/ssh_config }
become: { method: sudo }
hosts:
HEAD
  awk '/^cp/ { printf "  %s: { labels: { role: control-plane } }\n", $1 }
    /^w/ { printf "  %s: { labels: { role: worker, zone: %s } }\n", $1, substr("abc", n++ % 3 + 1, 1) }' "$STATE/hosts"
  echo "groups:"
  echo "  control_plane: { hosts: [$(state_hosts | grep ^cp | paste -sd, | sed 's/,/, /g')] }"
  echo "  workers: { hosts: [$(state_hosts | grep ^w | paste -sd, | sed 's/,/, /g')] }"
}

access_path() {
  state_need
  [[ ! ${1:-} || -e $STATE/$1 ]] || die "no $1 in $STATE"
  echo "$STATE${1:+/$1}"
}
