# shellcheck shell=bash
# The disk of a host: a tmpfs with the upper directory of its overlay, containerd's and the kubelet's. The latter two are
# beside the overlay, because overlayfs is no upper directory for containerd's own overlays.

disk_create() { # disk_create HOST VERSION [SAVED_DISK]
  local host=$1 dir=$STATE/h/$1
  mkdir -p "$dir/disk" "$dir/root"
  mount -t tmpfs -o "size=${DISK_MB}m,mode=755" "$TAG-$host" "$dir/disk"
  if [[ ${3:-} ]]; then cp -a "$3/." "$dir/disk/"; else mkdir "$dir"/disk/{up,containerd,kubelet}; fi
  mkdir "$dir/disk/work"
  mount -t overlay "$TAG-$host" -o "lowerdir=$CACHE/layer-$2/up:$CACHE/base,upperdir=$dir/disk/up,workdir=$dir/disk/work" "$dir/root"
  [[ ${3:-} ]] || { disk_furnish "$host" "$2" && disk_link_store "$dir/disk/containerd"; }
}

disk_furnish() { # HOST VERSION: what differs from host to host
  local root=$STATE/h/$1/root addr
  addr=$(host_address "$1")
  echo "$1" >"$root/etc/hostname"
  cp "$STATE/etc_hosts" "$root/etc/hosts"
  ssh-keygen -q -t ed25519 -N '' -C "root@$1" -f "$root/etc/ssh/ssh_host_ed25519_key"
  echo "deb [signed-by=/etc/apt/keyrings/kubernetes-apt-keyring.gpg] http://repo:$REPO_PORT/$(package_path "$2")/ /" \
    >"$root/etc/apt/sources.list.d/kubernetes.list"
  sed "s/@SUBNET@/10.244.${addr##*.}.0\/24/" "$FILES/cni.conflist" >"$root/etc/cni/net.d/10-lab.conflist"
  [[ $1 != cp* ]] || install -D -m 644 "$FILES/audit-policy.yaml" "$root/etc/kubernetes/audit-policy.yaml"
}

disk_link_store() { # DIR: a containerd root with all images: databases copied, blobs and layers links to the shared store
  local to=$1 x snapshots=io.containerd.snapshotter.v1.overlayfs/snapshots
  (
    cd "$CACHE/images/store"
    find . -mindepth 1 -path "./$snapshots" -prune -o -type d -printf '%P\0' | (cd "$to" && xargs -0 mkdir -p --)
    mkdir -p "$to/$snapshots"
    find . -name '*.db' -not -path '*/snapshots/*' -exec cp --parents {} "$to" \;
    for x in io.containerd.content.v1.content/blobs/sha256/* "$snapshots"/*; do ln -s "$STORE/$x" "$to/$x"; done
  )
}
