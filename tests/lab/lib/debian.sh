# shellcheck shell=bash
# Debian: the tools that this machine needs, the packages that are unpacked but never installed, and the base system.

MACHINE_PACKAGES=(mmdebstrap systemd-container iproute2 openssh-client apt-utils gnupg python3 procps dpkg-dev util-linux)

# The Go toolchain, and what goes into images and packages.
UNPACKED_PACKAGES=(golang-1.19-go golang-1.19-src golang-github-modern-go-reflect2-dev etcd-server etcd-client containerd
  runc containernetworking-plugins iptables libxtables12 libip4tc2 libip6tc2 libc6)

# No python and no curl: Rollbook needs nothing on a host beyond sshd, sudo and the base system, and this is the proof.
HOST_PACKAGES=(systemd-sysv dbus libpam-systemd openssh-server sudo iproute2 iputils-ping procps apt-utils ca-certificates
  kmod util-linux mount containerd runc iptables conntrack socat ebtables ethtool etcd-client less)

debian_tools() {
  local missing=() p
  for p in "${MACHINE_PACKAGES[@]}"; do
    dpkg-query -W -f='${db:Status-Abbrev}' "$p" 2>/dev/null | grep -q '^ii' || missing+=("$p")
  done
  ((${#missing[@]})) || return 0
  log "apt-get install ${missing[*]}"
  {
    apt-get -qq -o DPkg::Lock::Timeout=300 update
    apt-get -qq -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "${missing[@]}"
  } >"$CACHE/apt.log" 2>&1 || die_with_tail "$CACHE/apt.log" "cannot install ${missing[*]}"
}

debian_repositories() { # as this machine's apt already knows them, mirror included: URI SUITE COMPONENT
  # shellcheck disable=SC2016  # the dollars are apt's
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
    awk '$4 == "Debian" && $3 == "main" && $2 !~ /updates|backports/ { print $1, $2, $3 }' | sort -u
}

debian_private_apt() { # in this shell, an apt of our own: those repositories and their sources, own lists, no shared lock
  local dir=$CACHE/apt key=/usr/share/keyrings/debian-archive-keyring.gpg uri suite component
  mkdir -p "$dir"/{lists/partial,archives/partial,empty}
  while read -r uri suite component; do
    printf 'deb [signed-by=%s] %s %s %s\n' "$key" "$uri" "$suite" "$component"
    printf 'deb-src [signed-by=%s] %s %s %s\n' "$key" "$uri" "$suite" "$component"
  done < <(debian_repositories) >"$dir/sources.list"
  [[ -s $dir/sources.list ]] || die "this machine's apt knows no Debian repository" "run apt-get update"
  printf '%s "%s";\n' Dir::Etc::sourcelist "$dir/sources.list" Dir::Etc::sourceparts "$dir/empty" \
    Dir::State::lists "$dir/lists" Dir::Cache "$dir" Dir::Cache::archives "$dir/archives" APT::Sandbox::User root >"$dir/apt.conf"
  export APT_CONFIG=$dir/apt.conf
  [[ -n $(find "$dir/lists" -name '*Sources*' -mmin -1440 2>/dev/null | head -1) ]] || apt-get update -qq
}

debian_unpack() {
  local key started=$SECONDS
  key=$(digest "${UNPACKED_PACKAGES[*]}")
  ! cache_has debian "$key" || return 0
  cache_drop debian
  mkdir -p "$CACHE/debian"
  (
    debian_private_apt
    cd "$CACHE/apt/archives"
    rm -f ./*.deb
    apt-get download -qq "${UNPACKED_PACKAGES[@]}"
    for p in ./*.deb; do dpkg -x "$p" "$CACHE/debian"; done
    rm -f ./*.deb
  )
  cache_put debian "$key"
  log "Debian packages unpacked in $((SECONDS - started)) s"
}

debian_base() {
  local key started=$SECONDS
  key=$(digest "${HOST_PACKAGES[*]}")
  ! cache_has base "$key" || return 0
  log "base system: mmdebstrap"
  cache_drop base
  rm -rf "$CACHE/base.new"
  (debian_private_apt)
  grep -v ^deb-src "$CACHE/apt/sources.list" >"$CACHE/base.list"
  mmdebstrap --quiet --variant=minbase --include="$(IFS=,; echo "${HOST_PACKAGES[*]}")" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$CACHE/base.new" "$CACHE/base.list" >"$CACHE/base.log" 2>&1 ||
    die_with_tail "$CACHE/base.log" "mmdebstrap failed"
  mv "$CACHE/base.new" "$CACHE/base"
  cache_put base "$key"
  log "base system ready in $((SECONDS - started)) s, $(du -sm "$CACHE/base" | cut -f1) MiB"
}
