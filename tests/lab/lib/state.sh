# shellcheck shell=bash
# The state of one lab, from up to down: its directory holds all there is to know of it.

state_hosts() { [[ ! -f $STATE/hosts ]] || cut -d' ' -f1 "$STATE/hosts"; }
state_version() { cut -d' ' -f3 "$STATE/shape"; }
state_need() { [[ -n $(state_hosts) ]] || die "lab $NAME is not up" "\`lab up\`; \`lab list\` shows which labs are"; }

state_each() { # state_each FUNCTION WHAT HINT: on all hosts at once; says what did not work, if one fails
  # Not for use in a condition: the functions would no longer stop at their first error.
  local h pid bad=0 pids=()
  for h in $(state_hosts); do
    "$1" "$h" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
  ((bad == 0)) || die "$2" "$3"
}

# --- up

state_up() { # what the options say is seen by the functions it calls: mode, from, version
  local control_planes=1 workers=2 version=${VERSIONS[0]} mode=cached from='' started
  while (($#)); do
    case $1 in
      --control-planes | --workers | --kubernetes | --from) [[ ${2:-} ]] || die "up: $1 wants a value" ;;&
      --control-planes) control_planes=$2; shift 2 ;;
      --workers) workers=$2; shift 2 ;;
      --kubernetes) version=${2#v}; shift 2 ;;
      --from) mode=from from=$2; shift 2 ;;
      --fresh) mode=fresh; shift ;;
      --hosts-only) mode=hosts; shift ;;
      *) die "up: unknown argument: $1" "\`lab help\` lists them" ;;
    esac
  done
  [[ $mode != from ]] || read -r control_planes workers version 2>/dev/null <"$CACHE/clusters/$from/shape" ||
    die "up: no saved cluster: $from" "\`lab saved\` lists them"
  state_need_counts "$control_planes" "$workers"
  [[ " ${VERSIONS[*]} " == *" $version "* ]] || die "up: no Kubernetes $version" "have ${VERSIONS[*]}; LAB_VERSIONS names others"
  machine_need
  machine_need_memory "$control_planes" "$workers"
  cache_fill "$version"
  started=$SECONDS
  state_claim
  machine_limits_raise
  access_files "$control_planes" "$workers" "$version"
  state_choose_disks
  network_up
  repo_start
  state_boot
  state_populate "$control_planes" "$workers" "$version"
  log "lab $NAME is up after $((SECONDS - started)) s: $STATE"
}

state_need_counts() {
  [[ $1 =~ ^[0-9]+$ && $2 =~ ^[0-9]+$ ]] && (($1 >= 1 && $1 + $2 <= 60)) ||
    die "up: $1 control planes and $2 workers" "at least one control plane, at most 60 hosts"
}

state_claim() {
  mkdir -p "$CACHE/run"
  mkdir "$STATE" 2>/dev/null || die "lab $NAME is up already: $(state_hosts | xargs)" "\`lab down\`, or take another --name"
  mkdir "$STATE/h"
}

state_choose_disks() { # sets from: the saved cluster to boot, empty for new disks
  case $mode in
    cached)
      from=$(snapshot_auto "$control_planes" "$workers" "$version")
      snapshot_fits "$from" || from='' ;;
    from) snapshot_fits "$from" || { state_down; die "$from was saved with other layers or addresses" "\`lab forget $from\` and save it anew"; } ;;
    *) from='' ;;
  esac
}

state_boot() {
  local h started=$SECONDS
  state_each state_create "the hosts cannot be made" "\`lab down\` cleans up"
  for h in $(state_hosts); do host_known "$h"; done >"$STATE/known_hosts"
  for h in $(state_hosts); do host_start "$h"; done
  state_each host_wait "some hosts did not come up" "see $STATE/h/*/console.log; \`lab down\` cleans up"
  log "$(state_hosts | wc -l) hosts up in $((SECONDS - started)) s"
}

state_create() { disk_create "$1" "$version" "${from:+$CACHE/clusters/$from/h/$1}"; }

state_populate() { # CONTROL_PLANES WORKERS VERSION
  case $mode in
    hosts) return ;;
    fresh) cluster_make "$@"; return ;;
  esac
  if [[ $from ]]; then
    cp "$CACHE/clusters/$from/kubeconfig" "$STATE/"
    cluster_resume "$1"
  else
    cluster_make "$@"
    cluster_wait
    snapshot_save "$(snapshot_auto "$@")"
  fi
}

# --- down

state_down_command() {
  local dir
  case ${1:-} in
    '') state_down ;;
    --all) for dir in "$CACHE"/run/*/; do [[ ! -d $dir ]] || "$SELF" --name "$(basename "$dir")" down; done ;;
    *) die "down: unknown argument: $1" "down [--all]" ;;
  esac
}

state_down() { # at any time, any number of times; fails only when something is left over
  local h left
  [[ $(id -u) == 0 ]] || die "not root: \`down\` removes namespaces and mounts" "run it with sudo"
  set +eE # goes on whatever fails, for hosts end meanwhile by themselves; what counts is what is left
  for h in $(state_hosts); do
    cable_cut "$h"
    cgroup_kill "$h"
  done
  for h in $(state_hosts); do
    state_end_host "$h"
    host_remove "$h"
  done
  cgroup_remove_all
  [[ ! -d $STATE ]] || { repo_stop; balancer_down; }
  network_down
  left=$(network_left; cgroup_left; awk -v d="$STATE/" 'index($5, d) == 1 { print "mount", $5 }' /proc/self/mountinfo)
  [[ -z $left ]] || die "lab $NAME leaves something behind"$'\n'"${left}" "run it again; console logs are in $STATE/h"
  rm -rf "$STATE"
  machine_limits_restore
  log "lab $NAME is down"
}

state_end_host() { # until neither its supervisor nor any of its processes lives
  local _
  for _ in {1..250}; do
    process_alive "$STATE/h/$1/supervisor.pid" || cgroup_populated "$1" || return 0
    cgroup_kill "$1"
    sleep 0.02
  done
  process_end "$STATE/h/$1/supervisor.pid"
}
