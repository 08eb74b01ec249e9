# shellcheck shell=bash
# The machine that carries the labs: what it must have, and the two kernel limits that a lab raises for a while.

machine_lacks() { # prints a line per thing that is missing, with what to do
  [[ $(uname -s) == Linux ]] || { echo "not Linux: the lab is made of Linux namespaces"; return; }
  [[ $(uname -m) == x86_64 ]] || echo "not x86_64: packages are built for amd64 only"
  [[ $(id -u) == 0 ]] || { echo "not root: namespaces and mounts need it; run it with sudo"; return; }
  grep -qs '^VERSION_CODENAME=bookworm$' /etc/os-release || echo "not Debian 12: build and base system come from its packages"
  machine_has_overlay || echo "no overlayfs: \`modprobe overlay\`; inside a container it may be forbidden"
  machine_has_network || echo "no network namespaces, bridges or veth: in a container it needs --privileged"
  [[ -n $(cgroup_root2) ]] || echo "no cgroup v2 hierarchy: boot with the hybrid or unified layout"
  [[ -d /sys/fs/cgroup/memory ]] || echo "no cgroup v1 controllers: boot with systemd.unified_cgroup_hierarchy=0 (pure v2 is untested)"
  [[ -e /dev/kmsg ]] || echo "no /dev/kmsg: the kubelet ends without it"
}

machine_has_overlay() {
  local d ok=1
  grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || return 1
  d=$(mktemp -d)
  # upper and work on a tmpfs of our own: that is what a host has
  if mount -t tmpfs lab-check "$d" 2>/dev/null; then
    mkdir "$d"/{low,up,work,root}
    mount -t overlay lab-check -o "lowerdir=$d/low,upperdir=$d/up,workdir=$d/work" "$d/root" 2>/dev/null && ok=0 && umount "$d/root"
    umount "$d"
  fi
  rmdir "$d"
  return $ok
}

machine_has_network() {
  local n=rlcheck$$ ok=1
  command -v ip >/dev/null || return 0 # `build` installs it
  ip netns add "$n" 2>/dev/null || return 1
  ip -n "$n" link add b0 type bridge 2>/dev/null && ip -n "$n" link add v0 type veth peer name v1 2>/dev/null && ok=0
  ip netns del "$n"
  return $ok
}

machine_need() {
  local lacks
  lacks=$(machine_lacks)
  [[ -z $lacks ]] || die "this machine cannot run a lab"$'\n'"$(sed 's/^/  - /' <<<"$lacks")"
}

machine_check() {
  machine_need
  machine_need_memory 3 2
  machine_need_disk
  echo "this machine can run a lab: $(nproc) CPUs, $(awk '/MemAvailable/{printf "%.1f", $2 / 1048576}' /proc/meminfo) GiB free"
  [[ -c /dev/net/tun ]] || echo "but not \`delay\` and \`loss\`: there is no /dev/net/tun"
}

machine_need_memory() { # machine_need_memory CONTROL_PLANES WORKERS: measured with a little to spare
  local want=$(($1 * 700 + $2 * 300)) have
  have=$(awk '/MemAvailable/{print int($2 / 1024)}' /proc/meminfo)
  ((have >= want)) || die "$1 control planes and $2 workers want $want MiB of memory; free are $have" "ask for fewer hosts"
}

machine_need_disk() { # for the cache, where it is still to be built, and two saved clusters of three control planes
  local dir=$CACHE have
  [[ ! -d $CACHE/clusters ]] || return 0
  while [[ ! -d $dir ]]; do dir=$(dirname "$dir"); done
  have=$(df --output=avail -m "$dir" | tail -1)
  ((have >= 8192)) || die "the cache wants 8192 MiB; free on $dir are $((have))" "set XDG_CACHE_HOME to a larger disk"
}

# Each systemd, kubelet and containerd holds several inotify instances; the kernel's 128 per user are soon gone. The
# limits are the whole machine's: the first lab up raises them, the last one down puts them back.
machine_limits_raise() {
  local dir=/run/rollbook-lab
  mkdir -p $dir/up
  (
    flock 9
    touch "$dir/up/$NAME"
    [[ -f $dir/limits ]] || sysctl fs.inotify.max_user_instances fs.inotify.max_user_watches | tr -d ' ' >$dir/limits
    machine_limit fs.inotify.max_user_instances 8192
    machine_limit fs.inotify.max_user_watches 1048576
  ) 9>$dir/lock
}

machine_limit() { (($(sysctl -n "$1") >= $2)) || sysctl -qw "$1=$2"; }

machine_limits_restore() {
  local dir=/run/rollbook-lab
  [[ -f $dir/up/$NAME ]] || return 0
  (
    flock 9
    rm "$dir/up/$NAME"
    rmdir $dir/up 2>/dev/null || exit 0 # another lab needs them
    sysctl -qp $dir/limits
    rm $dir/limits
  ) 9>$dir/lock
}
