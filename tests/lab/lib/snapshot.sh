# shellcheck shell=bash
# Saved clusters: the disks of all hosts at one instant. Certificates hold addresses and disks lie over a layer, so a
# saved cluster belongs to both, and its key says so.

snapshot_key() { # in a lab whose hosts are listed
  digest "$STATE/shape" "$STATE/etc_hosts" "$(cache_key "layer-$(state_version)")" "$FILES"/{kubeadm,audit-policy}.yaml \
    "$FILES/cni.conflist" "$HERE"/lib/{cluster,disk}.sh "$GRACE"
}

snapshot_auto() { echo "auto-$1-$2-$3-$NET"; } # CONTROL_PLANES WORKERS VERSION: the name of the one that `up` keeps

snapshot_fits() { [[ $(cat "$CACHE/clusters/$1/key" 2>/dev/null) == "$(snapshot_key)" ]]; }

snapshot_save() { # NAME
  local dir=$CACHE/clusters/$1 h started=$SECONDS
  rm -rf "$dir" "$dir.new"
  mkdir -p "$dir.new/h"
  for h in $(state_hosts); do cgroup_freeze "$h" 1; done
  for h in $(state_hosts); do
    until cgroup_frozen "$h"; do sleep 0.02; done
  done
  for h in $(state_hosts); do
    mkdir "$dir.new/h/$h"
    cp -a "$STATE/h/$h"/disk/{up,containerd,kubelet} "$dir.new/h/$h/"
  done
  for h in $(state_hosts); do cgroup_freeze "$h" 0; done
  cp "$STATE"/{shape,kubeconfig} "$dir.new/"
  snapshot_key >"$dir.new/key"
  mv "$dir.new" "$dir"
  log "saved as $1 in $((SECONDS - started)) s, $(du -sm "$dir" | cut -f1) MiB"
}

snapshot_save_command() {
  cluster_need
  [[ ${1:-} =~ ^[a-z0-9][a-z0-9.-]*$ && $1 != auto-* ]] || die "save: bad name: ${1:-(none)}" "lower-case letters, digits, dots, dashes; not auto-*"
  local h
  for h in $(state_hosts); do host_is_on "$h" || die "save: $h is off" "\`lab start $h\`"; done
  snapshot_save "$1"
}

snapshot_list() {
  local dir
  for dir in "$CACHE"/clusters/*/; do
    [[ ! -f $dir/shape ]] || printf '%-34s %s MiB, control planes, workers, version: %s\n' "$(basename "$dir")" "$(du -sm "$dir" | cut -f1)" "$(<"$dir/shape")"
  done
}

snapshot_forget() {
  [[ ${1:-} =~ ^[a-z0-9][a-z0-9.-]*$ && -d $CACHE/clusters/$1 ]] || die "forget: no saved cluster: ${1:-(none)}" "\`lab saved\` lists them"
  rm -r "$CACHE/clusters/$1"
}
