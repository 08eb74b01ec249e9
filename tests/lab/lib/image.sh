# shellcheck shell=bash
# Images: names as `kubeadm config images list` prints them, one layer each, unpacked once into images/store.

image_key() {
  local v keys=()
  for v in "${VERSIONS[@]}"; do keys+=("$v" "$(cache_key "bin/v$v")"); done
  digest "${keys[@]}" "$FILES/pod.go" "$FILES/mkimage.py" "$HERE/lib/image.sh" "$(cache_key debian)"
}

image_store() {
  local key started=$SECONDS dir=$CACHE/images
  key=$(image_key)
  ! cache_has images "$key" || return 0
  cache_drop images
  mkdir -p "$dir"
  image_program "$dir/pod"
  image_archives "$dir"
  image_unpack "$dir"
  cache_put images "$key"
  log "images ready in $((SECONDS - started)) s: $(cut -d' ' -f2 "$dir/names" | sort -u | wc -l) + 1, $(du -sm "$dir/store" | cut -f1) MiB"
}

image_program() { # OUT: the one program that Debian has no binary for
  mkdir -p "$CACHE/gopath/src/pod"
  cp "$FILES/pod.go" "$CACHE/gopath/src/pod/main.go"
  (
    kubernetes_go
    cd "$CACHE/gopath/src/pod"
    go build -ldflags '-s -w' -o "$1" .
  )
}

image_libc() { # SRC=DEST words: what a dynamic program needs
  local lib=/lib/x86_64-linux-gnu
  echo "$CACHE/debian$lib/libc.so.6=$lib/libc.so.6" "$CACHE/debian$lib/ld-linux-x86-64.so.2=/lib64/ld-linux-x86-64.so.2"
}

image_iptables() { # SRC=DEST words: kube-proxy runs these
  local debian=$CACHE/debian lib=/usr/lib/x86_64-linux-gnu x suffix
  for x in iptables ip6tables; do
    for suffix in "" -save -restore; do echo "$debian/usr/sbin/xtables-legacy-multi=/usr/sbin/$x$suffix"; done
  done
  for x in libip4tc.so.2 libip6tc.so.2 libxtables.so.12; do echo "$(readlink -f "$debian$lib/$x")=${lib#/usr}/$x"; done
  for x in "$debian$lib"/xtables/*.so; do echo "$(readlink -f "$x")=$lib/xtables/$(basename "$x")"; done
}

image_archive() { [[ -s $1 ]] || python3 "$FILES/mkimage.py" "$@"; } # OUT NAME ENTRYPOINT SRC=DEST...

image_archives() { # DIR
  local dir=$1 debian=$CACHE/debian v name base libc iptables
  read -ra libc <<<"$(image_libc)"
  mapfile -t iptables < <(image_iptables)
  for v in "${VERSIONS[@]}"; do
    while read -r name; do
      base=${name##*/} base=${base%%:*}
      echo "v$v $name" >>"$dir/names"
      case $base in
        pause) image_archive "$dir/pause.tar" "$name" '["/pod","pause"]' "$dir/pod=/pod" ;;
        coredns) image_archive "$dir/coredns.tar" "$name" '["/pod","coredns"]' "$dir/pod=/pod" ;;
        etcd) image_archive "$dir/etcd.tar" "$name" '[]' "$debian/usr/bin/etcd=/usr/local/bin/etcd" \
          "$debian/usr/bin/etcdctl=/usr/local/bin/etcdctl" "${libc[@]}" ;;
        kube-proxy) image_archive "$dir/$base-$v.tar" "$name" '[]' "$CACHE/bin/v$v/$base=/usr/local/bin/$base" \
          "${iptables[@]}" "${libc[@]}" ;;
        *) image_archive "$dir/$base-$v.tar" "$name" '[]' "$CACHE/bin/v$v/$base=/usr/local/bin/$base" ;;
      esac
    done < <("$CACHE/bin/v$v/kubeadm" config images list --kubernetes-version "v$v" 2>/dev/null)
  done
  image_archive "$dir/app.tar" "$APP_IMAGE" '["/pod","web"]' "$dir/pod=/pod"
}

image_unpack() { # DIR: with a containerd of our own, that has its mounts to itself
  local dir=$1 run=$1/run pid archive ctr _
  mkdir -p "$run"
  printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$run/config.toml"
  ctr=("$CACHE/debian/usr/bin/ctr" -a "$run/sock")
  PATH=$CACHE/debian/usr/bin:$CACHE/debian/usr/sbin:$PATH unshare -m "$CACHE/debian/usr/bin/containerd" \
    --config "$run/config.toml" --root "$dir/store" --state "$run/state" --address "$run/sock" >"$run/log" 2>&1 9>&- &
  pid=$!
  for _ in {1..100}; do
    "${ctr[@]}" version >/dev/null 2>&1 && break
    sleep 0.1
  done
  for archive in "$dir"/*.tar; do
    nsenter -t $pid -m "${ctr[@]}" -n k8s.io images import "$archive" >/dev/null ||
      { kill $pid; die_with_tail "$run/log" "containerd does not import $archive"; }
  done
  kill $pid
  wait $pid || true
  rm -rf "$run" "$dir"/*.tar
}

image_pause() { awk -v v="v$1" '$1 == v && $2 ~ /\/pause:/ { print $2 }' "$CACHE/images/names"; } # VERSION
