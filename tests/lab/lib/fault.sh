# shellcheck shell=bash
# Faults: one function each. What lies in the network or in the power supply is a mark in the host's directory or a
# signal to its cgroup; what lies on the host is a unit `lab-fault-*` or a file there. `heal` undoes all of them.

FAULT_DROPIN=/etc/systemd/system/kubelet.service.d/99-lab-fault.conf
FAULT_KUBEADM=/usr/local/sbin/kubeadm

fault_command() { # fault_command COMMAND HOST [ARGS]
  local command=$1
  host_need "$@"
  shift
  "fault_$command" "$@"
  log "$command $*: done"
}

fault_number() { # fault_number VALUE USAGE
  [[ ${1:-} =~ ^-?[0-9]+(\.[0-9]+)?$ ]] || die "not a number: ${1:-(none)}" "usage: $2"
}

# --- power

fault_kill() { host_kill "$1"; }

fault_start() { host_start "$1" && host_wait "$1"; }

fault_reset() { host_kill "$1" && fault_start "$1"; }

fault_reboot() {
  local before now end=$((SECONDS + 90)) file=/proc/sys/kernel/random/boot_id
  before=$(host_run "$1" cat $file)
  host_run "$1" systemctl reboot || true
  while ((SECONDS < end)); do
    now=$(host_ssh "$1" -o ConnectTimeout=2 cat $file 2>/dev/null) || now=$before
    [[ $now == "$before" ]] || { host_wait "$1"; return; }
    sleep 0.2
  done
  die "$1 did not reboot in 90 s" "see $STATE/h/$1/console.log"
}

fault_freeze() { cgroup_freeze "$1" 1; }

# --- network

fault_partition() { touch "$STATE/h/$1/partition" && cable_apply "$1"; }

fault_isolate() { touch "$STATE/h/$1/isolate" && cable_apply "$1"; }

fault_delay() { # HOST MS [JITTER] [LOSS%]
  local host=$1 x
  shift
  (($#)) || die "delay: how much?" "usage: delay HOST MS [JITTER] [LOSS%]"
  [[ -c /dev/net/tun ]] || die "this machine cannot delay: it has no /dev/net/tun"
  for x; do fault_number "$x" "delay HOST MS [JITTER] [LOSS%]"; done
  echo "$*" >"$STATE/h/$host/delay"
  cable_apply "$host"
}

fault_loss() { fault_number "${2:-}" "loss HOST PERCENT" && fault_delay "$1" 0 0 "$2"; }

fault_sshdkill() { host_run "$1" sh -c 'for p in $(pidof sshd); do kill -9 $p; done'; }

# --- disk and packages

fault_fill() { # HOST [KIB]: the disk shrinks to what is on it, so that healing brings the space back
  local used
  fault_number "${2:-0}" "fill HOST [KIB]"
  used=$(df --output=used -k "$STATE/h/$1/disk" | tail -1)
  mount -o "remount,size=$((used + ${2:-0}))k" "$STATE/h/$1/disk"
}

fault_aptlock() { fault_lock "$1" "${2:-}" /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock; }

fault_listslock() { fault_lock "$1" "${2:-}" /var/lib/apt/lists/lock; }

fault_lock() { # HOST SECONDS FILE...: returns when they are held
  local host=$1 seconds=$2 unit
  unit=lab-fault-$(basename "$3")
  fault_number "$seconds" "aptlock|listslock HOST SECONDS"
  shift 2
  host_run "$host" sh -c 'rm -f /run/lab/lock-held; unit=$1; shift
    systemd-run --quiet --collect --unit="$unit" lab-hold-lock "$@" || exit 1
    for _ in $(seq 100); do [ -e /run/lab/lock-held ] && exit; sleep 0.05; done; exit 1' sh "$unit" "$seconds" "$@" ||
    die "$host: the lock is not to be had" "somebody holds it: \`lab ssh -l root $host journalctl -u $unit\`"
}

fault_mirrorgone() {
  host_run "$1" iptables -w -I OUTPUT -p tcp -d "$GATEWAY" --dport "$REPO_PORT" -m comment --comment lab-fault \
    -j REJECT --reject-with tcp-reset
}

# --- Kubernetes

fault_breakkubelet() { # the drop-in is as old as the package, or it would itself be a reason to restart the kubelet
  host_run "$1" sh -c 'mkdir -p "$(dirname "$1")"
    start=$(systemctl cat kubelet | sed -n "s/^ExecStart=\(.*[^ ]\)$/\1/p" | tail -1)
    printf "[Service]\nExecStart=\nExecStart=/usr/local/sbin/lab-kubelet \"%s\" %s\n" "$(kubelet --version)" "${start#/usr/bin/kubelet }" >"$1"
    touch -d 2021-01-13 "$1" && systemctl daemon-reload' sh "$FAULT_DROPIN"
}

fault_crashloop() { # HOST COMPONENT [now]
  [[ ${2:-} =~ ^(etcd|kube-(apiserver|controller-manager|scheduler))$ ]] ||
    die "crashloop: no such component: ${2:-(none)}" "etcd, kube-apiserver, kube-controller-manager or kube-scheduler"
  [[ $1 == cp* ]] || die "crashloop: $1 is no control plane"
  host_run "$1" systemd-run --quiet --collect --unit="lab-fault-crashloop-$2" lab-crashloop "$2" "${3:-}"
}

fault_kubeadmsays() { # HOST hollow|reworded: found before the package's, as sudo looks for programs
  [[ ${2:-} =~ ^(hollow|reworded)$ ]] || die "kubeadmsays: no such kind: ${2:-(none)}" "hollow or reworded"
  install "$FILES/kubeadm-$2" "$STATE/h/$1/root$FAULT_KUBEADM"
}

# --- kernel: /proc is the machine's, so the host is shown other files in its place

fault_swap() {
  host_run "$1" sh -c 'mountpoint -q /proc/swaps && exit
    printf "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/swapfile                               file\t\t1048572\t\t0\t\t-2\n" >/run/lab/swaps
    sed "s/^SwapTotal:.*/SwapTotal:       1048572 kB/; s/^SwapFree:.*/SwapFree:        1048572 kB/" /proc/meminfo >/run/lab/meminfo
    mount --bind /run/lab/swaps /proc/swaps && mount --bind /run/lab/meminfo /proc/meminfo'
}

# --- and back

fault_heal() {
  local dir=$STATE/h/$1
  rm -f "$dir"/{partition,isolate,delay}
  cable_apply "$1"
  ! cgroup_frozen "$1" || cgroup_freeze "$1" 0
  network_forget_neighbours
  mount -o "remount,size=${DISK_MB}m" "$dir/disk"
  rm -f "$dir/root$FAULT_KUBEADM"
  if host_is_on "$1"; then fault_heal_inside "$1"; else rm -f "$dir/root$FAULT_DROPIN"; fi
}

fault_heal_inside() {
  # shellcheck disable=SC2016
  host_run "$1" bash -c 'systemctl stop "lab-fault-*"
    iptables-save -t filter | sed -n "/lab-fault/s/^-A/iptables -w -D/p" | sh
    for f in /proc/swaps /proc/meminfo; do ! mountpoint -q $f || umount $f; done
    [[ ! -e $1 ]] || { rm "$1"; systemctl daemon-reload; }' bash "$FAULT_DROPIN"
}
