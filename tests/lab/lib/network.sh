# shellcheck shell=bash
# The network: one bridge per lab, one namespace and one cable per host. No route leads out of it.

network_up() {
  [[ ! -d /sys/class/net/$BRIDGE ]] || return 0
  [[ -z $(ip -br addr show to "$NET.0/24") ]] ||
    die "addresses $NET.0/24 are taken: $(ip -br addr show to "$NET.0/24" | awk '{print $1, $3}' | xargs)" "take another --name, or set LAB_NET"
  ip link add "$BRIDGE" type bridge forward_delay 0
  sysctl -qw "net.ipv6.conf.$BRIDGE.disable_ipv6=1" || true
  ip addr add "$GATEWAY/24" dev "$BRIDGE"
  ip link set "$BRIDGE" up
}

network_down() { ip link del "$BRIDGE" 2>/dev/null || true; }

network_left() {
  ip netns | awk -v t="$TAG-" 'index($1, t) == 1 { print "namespace", $1 }'
  ip -br link | awk -v t="$TAG" '$1 ~ "^" t "([vd]-|br$)" { print "interface", $1 }'
}

network_mac() { local IFS=. && set -- "$1" $2 && printf '%s:%02x:%02x:%02x:%02x:00' "$@"; } # FIRST_BYTE ADDRESS

cable_up() { # cable_up HOST: a fresh namespace and cable, so that no socket outlives a power cut
  local host=$1 addr netns=$TAG-$1
  addr=$(host_address "$host")
  cable_down "$host"
  ip netns add "$netns"
  ip link add "${TAG}v-$host" address "$(network_mac fe "$addr")" type veth \
    peer name eth0 address "$(network_mac 02 "$addr")" netns "$netns"
  ip netns exec "$netns" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv4.ip_forward=1 || true
  ip -n "$netns" link set lo up
  ip -n "$netns" addr add "$addr/24" dev eth0
  ip -n "$netns" link set eth0 up
  cable_pod_routes "$addr" | ip -n "$netns" -batch -
  ip link set "${TAG}v-$host" master "$BRIDGE" up
  cable_apply "$host"
}

cable_pod_routes() { # ADDRESS: to the pods of all other hosts
  awk -v me="$1" '$2 != me { split($2, b, "."); print "route add 10.244." b[4] ".0/24 via " $2 }' "$STATE/hosts"
}

cable_down() { # HOST
  relay_stop "$1"
  ip link del "${TAG}v-$1" 2>/dev/null || true
  ip netns del "$TAG-$1" 2>/dev/null || true
}

cable_cut() { ip link set "${TAG}v-$1" nomaster down 2>/dev/null || true; }

cable_apply() { # cable_apply HOST: make the bridge's port match the marks in the host's directory
  local dir=$STATE/h/$1 state=3 isolated=off port=${TAG}v-$1
  if [[ -f $dir/delay ]]; then relay_start "$1"; else relay_stop "$1"; fi
  [[ -d /sys/class/net/$port ]] || return 0
  [[ ! -d /sys/class/net/${TAG}d-$1 ]] || port=${TAG}d-$1
  [[ ! -f $dir/partition ]] || state=0
  [[ ! -f $dir/isolate ]] || isolated=on
  bridge link set dev "$port" state $state isolated $isolated
}

relay_start() { # HOST: frames go through a program that delays and loses them
  local dir=$STATE/h/$1 args _
  [[ -d /sys/class/net/${TAG}v-$1 ]] || return 0
  relay_stop "$1"
  ip link set "${TAG}v-$1" nomaster
  read -ra args <"$dir/delay"
  process_daemon "h/$1/relay" python3 "$FILES/relay.py" "${TAG}v-$1" "${TAG}d-$1" "${args[@]}"
  for _ in {1..100}; do
    [[ ! -d /sys/class/net/${TAG}d-$1 ]] || break
    sleep 0.02
  done
  ip link set "${TAG}d-$1" master "$BRIDGE" up || die "the relay of $1 did not start" "see $dir/relay.log"
}

relay_stop() { # HOST
  process_end "$STATE/h/$1/relay.pid"
  [[ ! -d /sys/class/net/${TAG}v-$1 ]] || ip link set "${TAG}v-$1" master "$BRIDGE" up
}

network_forget_neighbours() { # failed ARP entries, or connections say "No route to host" for some seconds more
  local host
  ip neigh flush dev "$BRIDGE"
  for host in $(state_hosts); do ip -n "$TAG-$host" neigh flush dev eth0 2>/dev/null || true; done
}
