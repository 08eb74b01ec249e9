# shellcheck shell=bash
# Packages of Kubernetes with the conventions of the community's (kubelet.service in kubelet, the drop-in in kubeadm, no
# restart on upgrade), in signed apt repositories, one per minor: core:/stable:/vX.Y/deb/.

minor() { cut -d. -f1,2 <<<"$1"; }
package_path() { echo "core:/stable:/v$(minor "$1")/deb"; } # VERSION

package_keys() {
  local k=$CACHE/keys who
  mkdir -p "$k"
  chmod 700 "$k"
  [[ -f $k/id ]] || ssh-keygen -q -t ed25519 -N '' -C rollbook-lab -f "$k/id"
  for who in repo stranger; do # `repo break signature` signs with the stranger's
    [[ ! -f $k/$who/public ]] || continue
    rm -rf "${k:?}/$who"
    mkdir -m 700 "$k/$who"
    gpg --homedir "$k/$who" --batch --quiet --passphrase '' --quick-gen-key "rollbook lab $who <lab@invalid>" ed25519 sign never 2>/dev/null
    gpg --homedir "$k/$who" --batch --export >"$k/$who/exported"
    gpgconf --homedir "$k/$who" --kill gpg-agent
    mv "$k/$who/exported" "$k/$who/public"
  done
}

package_make() { # package_make TREE NAME VERSION OUT DEPENDS DESCRIPTION: the tree is used up
  mkdir -p "$1/DEBIAN"
  {
    printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: rollbook lab <lab@invalid>\n' "$2" "$3"
    printf 'Section: admin\nPriority: optional\nInstalled-Size: %s\n' "$(du -sk "$1" | cut -f1)"
    [[ -z $5 ]] || printf 'Depends: %s\n' "$5"
    printf 'Description: %s\n' "$6"
  } >"$1/DEBIAN/control"
  dpkg-deb --root-owner-group -Zgzip -z1 -b "$1" "$4/$2_$3_amd64.deb" >/dev/null
  rm -rf "$1"
}

package_kubelet() { # VERSION OUT
  local tree=$CACHE/pkg
  install -D -t "$tree/usr/bin" "$CACHE/bin/v$1/kubelet"
  install -D -m 644 -t "$tree/usr/lib/systemd/system" "$FILES/kubelet.service"
  install -d "$tree/etc/kubernetes/manifests" "$tree/var/lib/kubelet" "$tree/DEBIAN"
  install "$FILES/kubelet.postinst" "$tree/DEBIAN/postinst"
  install "$FILES/kubelet.prerm" "$tree/DEBIAN/prerm"
  package_make "$tree" kubelet "$1-$REVISION" "$2" \
    "iptables (>= 1.4.21), kubernetes-cni (>= 0.8.7), iproute2, socat, util-linux, mount, ebtables, ethtool, conntrack" \
    "Node agent for Kubernetes clusters"
}

package_kubectl() {
  install -D -t "$CACHE/pkg/usr/bin" "$CACHE/bin/v$1/kubectl"
  package_make "$CACHE/pkg" kubectl "$1-$REVISION" "$2" "" "Command-line utility for interacting with a Kubernetes cluster"
}

package_kubeadm() {
  install -D -t "$CACHE/pkg/usr/bin" "$CACHE/bin/v$1/kubeadm"
  install -D -m 644 -t "$CACHE/pkg/usr/lib/systemd/system/kubelet.service.d" "$FILES/10-kubeadm.conf"
  package_make "$CACHE/pkg" kubeadm "$1-$REVISION" "$2" \
    "kubelet (>= 1.19.0), kubectl (>= 1.19.0), kubernetes-cni (>= 0.8.7), cri-tools (>= 1.19.0)" \
    "Command-line utility for administering a Kubernetes cluster"
}

package_cni() {
  install -D -t "$CACHE/pkg/opt/cni/bin" "$CACHE"/debian/usr/lib/cni/*
  package_make "$CACHE/pkg" kubernetes-cni "$CNI_VERSION" "$1" "" "Binaries required to provision container networking"
}

package_crictl() {
  install -D -t "$CACHE/pkg/usr/bin" "$FILES/crictl"
  package_make "$CACHE/pkg" cri-tools "$CRI_VERSION" "$1" "" "Command-line utility for a container runtime (stand-in over ctr)"
}

package_index() { # package_index DIR KEY [DATE]: Packages, Release and InRelease of what lies in DIR
  local ftp=APT::FTPArchive::Release
  (
    cd "$1"
    rm -f Packages* ./*Release
    apt-ftparchive packages . >Packages
    gzip -9kf Packages
    apt-ftparchive -o $ftp::Origin=rollbook-lab -o $ftp::Label=rollbook-lab -o $ftp::Suite=stable release . >../Release.new
    # A repository whose date goes backwards is ignored by apt: a broken one carries the date of the good one.
    [[ -z ${3:-} ]] || sed -i "s/^Date: .*/Date: $3/" ../Release.new
    mv ../Release.new Release
    gpg --homedir "$CACHE/keys/$2" --batch --quiet --clearsign -o InRelease Release
    gpgconf --homedir "$CACHE/keys/$2" --kill gpg-agent
  )
}

package_date() { sed -n 's/^Date: //p' "$CACHE/repo/$1/Release"; } # PATH

package_key() {
  local v keys=()
  for v in "${VERSIONS[@]}"; do keys+=("$v" "$(cache_key "bin/v$v")"); done
  digest "${keys[@]}" "$HERE/lib/package.sh" "$FILES"/{kubelet.*,10-kubeadm.conf,crictl} "$CACHE/keys/repo/public" \
    "$REVISION" "$CNI_VERSION" "$CRI_VERSION"
}

package_repository() {
  local key v out started=$SECONDS
  key=$(package_key)
  ! cache_has repo "$key" || return 0
  cache_drop repo
  rm -rf "$CACHE/pkg"
  for v in "${VERSIONS[@]}"; do
    out=$CACHE/repo/$(package_path "$v")/amd64
    mkdir -p "$out"
    package_kubelet "$v" "$out"
    package_kubectl "$v" "$out"
    package_kubeadm "$v" "$out"
    package_cni "$out"
    package_crictl "$out"
  done
  for out in "$CACHE"/repo/core:/stable:/*/deb; do package_index "$out" repo; done
  (cd "$CACHE/repo" && find core: -type f -exec sha256sum {} + >SHA256SUMS)
  cache_put repo "$key"
  log "apt repositories ready in $((SECONDS - started)) s, $(du -sm "$CACHE/repo" | cut -f1) MiB"
}
