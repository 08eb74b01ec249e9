# shellcheck shell=bash
# Control groups: TAG/HOST in every hierarchy of the machine, so that a host can be frozen, killed and counted as one.

cgroup_roots() {
  awk '{ for (i = 7; i <= NF; i++) if ($i == "-") { if ($(i+1) == "cgroup" || $(i+1) == "cgroup2") print $5; break } }' /proc/self/mountinfo
}
cgroup_root2() {
  awk '{ for (i = 7; i <= NF; i++) if ($i == "-" && $(i+1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo
}
cgroup_of() { echo "$(cgroup_root2)/$TAG/$1"; } # HOST: freezing and killing are v2's

cgroup_make() { # cgroup_make HOST PID: a subtree in each hierarchy, and the process in it
  local root dir x
  for root in $(cgroup_roots); do
    mkdir -p "$root/$TAG"
    [[ ! -e $root/$TAG/cpu.shares ]] || cgroup_shares >"$root/$TAG/cpu.shares"
    for dir in "$root/$TAG" "$root/$TAG/$1"; do
      mkdir -p "$dir"
      for x in cpuset.cpus cpuset.mems; do # empty in a new cpuset, and no process may enter it
        [[ ! -e $dir/$x ]] || cat "${dir%/*}/$x" >"$dir/$x"
      done
    done
    echo "$2" >"$dir/cgroup.procs"
  done
}

# The lab is as nice to the rest of the machine as the command that boots its hosts: niceness itself ends at the edge of a group.
cgroup_shares() { awk -v nice="$(nice)" 'BEGIN { printf "%d\n", 1024 / 1.25 ^ nice }'; }

cgroup_remove() { # HOST: as far as it is empty
  local root
  for root in $(cgroup_roots); do
    [[ ! -d $root/$TAG/$1 ]] || find "$root/$TAG/$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}

cgroup_remove_all() {
  local root
  for root in $(cgroup_roots); do rmdir "$root/$TAG" 2>/dev/null || true; done
}

cgroup_left() {
  local root
  for root in $(cgroup_roots); do [[ ! -d $root/$TAG ]] || echo "cgroup $root/$TAG"; done
}

cgroup_kill() { { echo 1 >"$(cgroup_of "$1")/cgroup.kill"; } 2>/dev/null || true; } # it may be gone any moment
cgroup_freeze() { echo "$2" >"$(cgroup_of "$1")/cgroup.freeze"; } # HOST 0|1
cgroup_frozen() { grep -qs '^frozen 1' "$(cgroup_of "$1")/cgroup.events"; }
cgroup_populated() { grep -qs '^populated 1' "$(cgroup_of "$1")/cgroup.events"; }

cgroup_memory() { # MiB of anonymous memory
  local f=/sys/fs/cgroup/memory/$TAG/$1/memory.stat
  if [[ -e $f ]]; then awk '$1 == "total_rss" { printf "%d\n", $2 / 1048576 }' "$f"; else echo -; fi
}
