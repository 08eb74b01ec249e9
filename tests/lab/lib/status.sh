# shellcheck shell=bash
# Status: what people see of the labs that are up.

status_list() {
  local dir
  for dir in "$CACHE"/run/*/; do
    [[ ! -f $dir/hosts ]] || printf '%-8s %s\n' "$(basename "$dir")" "$(cut -d' ' -f1 "$dir/hosts" | xargs)"
  done
}

status_show() {
  local h format='%-6s %-13s %-10s %-22s %-8s %-9s %-10s %s\n'
  state_need
  # shellcheck disable=SC2059  # one format for head and rows
  {
    printf "$format" HOST ADDRESS POWER NETWORK RSS_MIB DISK_MIB KUBELET NODE
    for h in $(state_hosts); do
      printf "$format" "$h" "$(host_address "$h")" "$(status_power "$h")" "$(status_cable "$h")" "$(cgroup_memory "$h")" \
        "$(df --output=used -m "$STATE/h/$h/disk" | tail -1 | tr -d ' ')" "$(status_kubelet "$h")" "$(status_node "$h")"
    done
  }
}

status_power() {
  if cgroup_frozen "$1"; then echo frozen
  elif host_is_on "$1"; then echo on
  elif process_alive "$STATE/h/$1/supervisor.pid"; then echo rebooting
  else echo off; fi
}

status_cable() {
  local dir=$STATE/h/$1 is=''
  [[ ! -f $dir/partition ]] || is+=" partitioned"
  [[ ! -f $dir/isolate ]] || is+=" isolated"
  [[ ! -f $dir/delay ]] || is+=" delay $(<"$dir/delay")"
  is=${is# }
  echo "${is:-ok}"
}

status_kubelet() { # as installed
  awk '/^Package: kubelet$/ { found = 1 } found && /^Version:/ { print $2; exit }' "$STATE/h/$1/root/var/lib/dpkg/status"
}

status_node() {
  [[ ! -f $STATE/kubeconfig ]] ||
    { cluster_kubectl get node "$1" --no-headers --request-timeout=3s 2>/dev/null || true; } | awk '{ print $2, $5 }'
}
