# shellcheck shell=bash
# The package repository as a lab serves it: the cache's, and over it what was broken on request. Only this lab sees it.

repo_start() {
  mkdir -p "$STATE/repo/over"
  touch "$STATE/repo/rules"
  process_alive "$STATE/http.pid" ||
    process_daemon http python3 "$FILES/serve.py" "$GATEWAY" "$REPO_PORT" "$STATE/repo" "$CACHE/repo"
}

repo_stop() { process_end "$STATE/http.pid"; }

repo_command() {
  state_need
  local action=${1:-}
  shift || true
  case $action in
    break) repo_break "$@" ;;
    heal) repo_heal ;;
    status) repo_status ;;
    *) die "repo: no such action: ${action:-(none)}" "repo break missing|unlisted|signature|postinst|hang|conffile|dependency|dead|slow [VERSION or KIB/S] | heal | status" ;;
  esac
}

repo_break() {
  local kind=${1:-} versions=("${VERSIONS[@]}") v
  if [[ $kind == slow ]]; then
    [[ ${2:-64} =~ ^[1-9][0-9]*$ ]] || die "repo break slow: not a number of KiB/s: $2"
    echo "slow ${2:-64}" >>"$STATE/repo/rules"
  elif [[ $kind == dead ]]; then
    repo_stop
  else
    [[ $kind =~ ^(missing|unlisted|signature|postinst|hang|conffile|dependency)$ ]] ||
      die "repo break: no such kind: ${kind:-(none)}" "missing, unlisted, signature, postinst, hang, conffile, dependency, dead or slow"
    if [[ ${2:-} ]]; then
      [[ " ${VERSIONS[*]} " == *" ${2#v} "* ]] || die "repo break: no package of version $2" "have ${VERSIONS[*]}"
      versions=("${2#v}")
    fi
    for v in "${versions[@]}"; do "repo_break_$kind" "$v"; done
  fi
  echo "$*" >>"$STATE/repo/broken"
  log "repository: $*"
}

repo_break_missing() { echo "missing */$(package_path "$1")/*_$1-*.deb" >>"$STATE/repo/rules"; } # listed, but gone

repo_break_unlisted() { # as if it had never been published
  repo_copy "$1"
  rm "$STATE/repo/next/amd64"/*_"$1"-*.deb
  repo_publish "$1" repo
}

repo_break_signature() { # signed, but with a key that the hosts do not know
  repo_copy "$1"
  repo_publish "$1" stranger
}

repo_break_postinst() { # the kubelet's package fails when it is configured
  repo_change_kubelet "$1" repo_into_postinst
}
repo_into_postinst() { install "$FILES/kubelet.postinst-broken" "$1/DEBIAN/postinst"; }

repo_break_hang() { # ... never ends being configured while the host has /run/lab-hang
  repo_change_kubelet "$1" repo_into_hang
}
repo_into_hang() { install "$FILES/hanging-postinst" "$1/DEBIAN/postinst"; }

repo_break_conffile() { # the kubelet's package brings a configuration file that hosts may have written themselves
  repo_change_kubelet "$1" repo_into_conffile
}
repo_into_conffile() {
  install -d "$1/etc/default"
  echo "KUBELET_EXTRA_ARGS=" >"$1/etc/default/kubelet"
  echo /etc/default/kubelet >"$1/DEBIAN/conffiles"
}

repo_break_dependency() { # the kubelet wants a newer kubernetes-cni, which is there
  local tree=$STATE/repo/tree
  repo_change_kubelet "$1" repo_into_dependency
  repo_copy "$1"
  dpkg-deb -R "$STATE/repo/next/amd64/kubernetes-cni_${CNI_VERSION}_amd64.deb" "$tree"
  sed -i "s/^Version: .*/Version: $NEWER_CNI/" "$tree/DEBIAN/control"
  dpkg-deb --root-owner-group -Zgzip -z1 -b "$tree" "$STATE/repo/next/amd64/kubernetes-cni_${NEWER_CNI}_amd64.deb" >/dev/null
  rm -r "$tree"
  repo_publish "$1" repo
}
repo_into_dependency() { sed -i "s/kubernetes-cni ([^)]*)/kubernetes-cni (>= $NEWER_CNI)/" "$1/DEBIAN/control"; }
NEWER_CNI=9.0-1

repo_change_kubelet() { # VERSION FUNCTION: the package is unpacked, the function changes its tree, and it is packed again
  local deb tree=$STATE/repo/tree
  repo_copy "$1"
  deb=$STATE/repo/next/amd64/kubelet_$1-${REVISION}_amd64.deb
  dpkg-deb -R "$deb" "$tree"
  "$2" "$tree"
  rm "$deb" # a link to the good one
  dpkg-deb --root-owner-group -Zgzip -z1 -b "$tree" "$deb" >/dev/null
  rm -r "$tree"
  repo_publish "$1" repo
}

repo_copy() { # VERSION: the minor's directory as it is served now, to be changed
  local from
  from=$STATE/repo/over/$(package_path "$1")
  [[ -d $from ]] || from=$CACHE/repo/$(package_path "$1")
  rm -rf "$STATE/repo/next"
  cp -al "$from" "$STATE/repo/next" 2>/dev/null || { rm -rf "$STATE/repo/next"; cp -a "$from" "$STATE/repo/next"; }
}

repo_publish() { # VERSION KEY: put the changed directory in place at once
  local over
  over=$STATE/repo/over/$(package_path "$1")
  package_index "$STATE/repo/next" "$2" "$(package_date "$(package_path "$1")")"
  mkdir -p "$(dirname "$over")"
  rm -rf "$over"
  mv "$STATE/repo/next" "$over"
}

repo_heal() {
  rm -rf "$STATE/repo"/{over,next,tree,broken,rules}
  repo_start
  log "repository: healed"
}

repo_status() { if [[ -s $STATE/repo/broken ]]; then sed 's/^/broken: /' "$STATE/repo/broken"; else echo ok; fi; }
