# shellcheck shell=bash
# A host: systemd-nspawn --boot on an overlay, in its own network namespace and cgroups, supervised by one shell.

host_address() { awk -v h="$1" '$1 == h { print $2 }' "$STATE/hosts"; }

host_need() { # host_need COMMAND HOST
  state_need
  [[ -n ${2:-} ]] && state_hosts | grep -qx -- "$2" || die "$1: no such host: ${2:-(none)}" "have $(state_hosts | xargs)"
}

host_known() { echo "$1,$(host_address "$1") $(cut -d' ' -f1,2 "$STATE/h/$1/root/etc/ssh/ssh_host_ed25519_key.pub")"; }

host_start() { # HOST
  local dir=$STATE/h/$1
  ! process_alive "$dir/supervisor.pid" || return 0
  setsid "$SELF" _supervise "$1" </dev/null >>"$dir/console.log" 2>&1 &
  process_record "$dir/supervisor.pid" $!
}

host_supervise() { # in the background: boot, and boot again after a reboot, until power is off
  local host=$1 dir=$STATE/h/$1 status
  set +eE
  while :; do
    cable_up "$host"
    cgroup_remove "$host"
    (host_boot "$host") &
    process_record "$dir/nspawn.pid" $!
    wait $!
    status=$?
    log "$host: nspawn ended with $status"
    rm -f "$dir/nspawn.pid"
    cable_down "$host"
    cgroup_remove "$host"
    ((status == 133)) || break # that is a reboot, with --keep-unit
    sleep "$BOOT_DELAY"
  done
  rm -f "$dir/supervisor.pid"
}

host_boot() { # becomes nspawn
  local host=$1 dir=$STATE/h/$1
  cgroup_make "$host" "$BASHPID" || exit 125
  # No seccomp filter: runc wants keyctl and bpf. All capabilities but the clock's, which is the whole machine's.
  # /dev/kmsg is what the kubelet watches for OOM kills.
  SYSTEMD_SECCOMP=0 exec systemd-nspawn --quiet --boot --directory="$dir/root" --machine="$TAG-$host" --hostname="$host" \
    --register=no --keep-unit --network-namespace-path="/run/netns/$TAG-$host" \
    --capability=all --drop-capability=CAP_SYS_TIME --bind=/dev/kmsg \
    --bind="$dir/disk/containerd:/var/lib/containerd" --bind="$dir/disk/kubelet:/var/lib/kubelet" \
    --bind-ro="$CACHE/images/store:$STORE" \
    --link-journal=no --resolv-conf=off --timezone=off --console=pipe
}

host_kill() { # power cut
  local _
  cable_cut "$1"
  for _ in {1..250}; do
    process_alive "$STATE/h/$1/supervisor.pid" || return 0
    cgroup_kill "$1"
    sleep 0.02
  done
  die "$1 does not die" "see $STATE/h/$1/console.log"
}

host_is_on() { process_alive "$STATE/h/$1/nspawn.pid"; }

host_init() { # the host's process 1, as this machine numbers it
  local pid
  pid=$(process_id "$STATE/h/$1/nspawn.pid") || die "$1 is off" "\`lab start $1\`"
  pgrep -P "$pid" | head -1
}

host_run() { # host_run HOST COMMAND...: as root, not through ssh, so that faults of ssh and network do not matter
  local init
  init=$(host_init "$1")
  shift
  timeout 60 nsenter -t "$init" -m -u -i -n -p -- env -i "PATH=$PATH" LC_ALL=C "$@"
}

host_ssh() { # host_ssh HOST COMMAND...: as root
  local host=$1
  shift
  ssh -F "$STATE/ssh_config" -l root "$host" "$@"
}

host_wait() { # host_wait HOST [SECONDS]: until its systemd says that it is up
  local end=$((SECONDS + ${2:-60})) state
  while ((SECONDS < end)); do
    state=$(host_ssh "$1" -o ConnectTimeout=2 systemctl is-system-running --wait 2>/dev/null) || true
    case $state in
      running) return ;;
      degraded)
        log "$1 is degraded: $(host_ssh "$1" systemctl --failed --plain --no-legend | cut -d' ' -f1 | xargs)"
        return ;;
    esac
    sleep 0.1
  done
  log "$1 did not come up in ${2:-60} s; see $STATE/h/$1/console.log"
  return 1
}

host_remove() { # HOST: after which nothing of it is left but its directory
  local dir=$STATE/h/$1 mount _
  cable_down "$1"
  for _ in {1..50}; do
    cgroup_remove "$1"
    [[ -d $(cgroup_of "$1") ]] || break
    sleep 0.02
  done
  rm -rf "$(stat -c '/run/systemd/nspawn/locks/inode-%d:%i' "$dir/root")" "/run/systemd/nspawn/propagate/$TAG-$1"
  for mount in "$dir/root" "$dir/disk"; do
    for _ in {1..100}; do
      mountpoint -q "$mount" || break
      umount "$mount" 2>/dev/null || sleep 0.05
    done
  done
}
