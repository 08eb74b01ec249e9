# shellcheck shell=bash
# A layer: what lies over the base system on every host of one Kubernetes version. Users, our units, the packages held.

layer_key() { # VERSION
  local files
  mapfile -t files < <(find "$ROOTFS" -type f | sort)
  digest "$1" "${files[@]}" "$HERE/lib/layer.sh" "$FILES/containerd.toml" "$CACHE/keys/id.pub" \
    "$(cache_key base)" "$(cache_key repo)" "$(cache_key images)"
}

layer_build() { # VERSION
  local v=$1 dir=$CACHE/layer-$1 root=$CACHE/layer-$1/root key started=$SECONDS
  key=$(layer_key "$v")
  ! cache_has "layer-$v" "$key" || return 0
  [[ -f $CACHE/repo/$(package_path "$v")/amd64/kubeadm_$v-${REVISION}_amd64.deb ]] ||
    die "no package of Kubernetes $v" "have ${VERSIONS[*]}; LAB_VERSIONS names others"
  ! mountpoint -q "$root" || umount "$root"
  cache_drop "layer-$v"
  mkdir -p "$dir"/{up,work,root}
  mount -t overlay lab-layer -o "lowerdir=$CACHE/base,upperdir=$dir/up,workdir=$dir/work" "$root"
  : >"$dir/log"
  layer_fill "$root" "$v" "$dir/log" & # so that the mount goes whatever fails, and the first failure ends it
  wait $! || { umount "$root"; die_with_tail "$dir/log" "layer $v failed"; }
  umount "$root"
  rm -rf "$dir/work" "$root"
  cache_put "layer-$v" "$key"
  log "layer $v ready in $((SECONDS - started)) s"
}

layer_fill() { # ROOT VERSION LOG
  layer_identity "$1"
  layer_apt "$1"
  layer_users "$1"
  layer_units "$1"
  layer_runtime "$1" "$2"
  layer_packages "$1" "$2" "$3"
}

layer_identity() { # none: each host gets its own
  rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname" "$1/var/lib/dbus/machine-id" "$1/etc/resolv.conf"
  : >"$1/etc/machine-id"
  : >"$1/etc/resolv.conf"
}

layer_apt() { # only the lab's repository, so that apt-get update works without a network
  rm -f "$1/etc/apt/sources.list" "$1"/etc/apt/sources.list.d/*
  install -D -m 644 "$CACHE/keys/repo/public" "$1/etc/apt/keyrings/kubernetes-apt-keyring.gpg"
  printf 'Acquire::Languages "none";\nAcquire::Retries "0";\n' >"$1/etc/apt/apt.conf.d/99lab"
}

layer_users() { # root, ops with sudo, nosudo without; all with the lab's key
  local user
  install -d -m 700 "$1/root/.ssh"
  install -m 600 "$CACHE/keys/id.pub" "$1/root/.ssh/authorized_keys"
  for user in ops nosudo; do
    chroot "$1" useradd -m -s /bin/bash "$user"
    chroot "$1" install -d -m 700 -o "$user" -g "$user" "/home/$user/.ssh"
    chroot "$1" install -m 600 -o "$user" -g "$user" /root/.ssh/authorized_keys "/home/$user/.ssh/authorized_keys"
  done
  echo 'ops ALL=(ALL) NOPASSWD:ALL' >"$1/etc/sudoers.d/ops"
  chmod 440 "$1/etc/sudoers.d/ops"
}

layer_units() {
  local masked=(apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
    fstrim.timer sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount sys-fs-fuse-connections.mount
    systemd-networkd.service systemd-resolved.service console-getty.service getty@tty1.service etcd.service)
  cp -r "$ROOTFS/." "$1/"
  chmod 755 "$1"/usr/local/sbin/*
  systemctl --quiet --root="$1" enable lab-prepare.service
  systemctl --quiet --root="$1" mask "${masked[@]}" 2>/dev/null
}

layer_runtime() { # ROOT VERSION
  local x
  # The same (legacy) tables as in the kube-proxy image.
  for x in iptables ip6tables; do chroot "$1" update-alternatives --quiet --set $x "/usr/sbin/$x-legacy"; done
  mkdir -p "$1/etc/containerd" "$1/etc/cni/net.d"
  sed "s#@PAUSE@#$(image_pause "$2")#" "$FILES/containerd.toml" >"$1/etc/containerd/config.toml"
}

layer_packages() { # ROOT VERSION LOG
  local from
  from=$CACHE/repo/$(package_path "$2")/amd64
  mkdir "$1/.packages"
  cp "$from"/{kubeadm,kubelet,kubectl}_"$2-$REVISION"_amd64.deb "$from"/{kubernetes-cni,cri-tools}_*.deb "$1/.packages/"
  chroot "$1" sh -c 'dpkg --force-unsafe-io -i /.packages/*.deb && apt-mark hold kubeadm kubelet kubectl' >"$3" 2>&1
  rm -r "$1/.packages"
}
