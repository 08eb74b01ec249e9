# shellcheck shell=bash
# The cache: what is made once and shared by all labs. Each piece stands next to a key, the digest of all that went
# into it, written last; a piece whose key is another is made anew. Nothing goes by modification times.
#   bin/vX/*     Kubernetes                  base/    the hosts' root file system, nothing of ours
#   repo/        apt repositories            images/  a containerd root with all images unpacked
#   layer-X/     on base: our users and units, Kubernetes X installed      clusters/  disks of whole clusters

digest() { # digest WORD-OR-FILE...
  local x
  for x; do
    if [[ -f $x ]]; then sha256sum <"$x"; else echo "$x"; fi
  done | sha256sum | cut -c1-16
}

cache_has() { [[ -f $CACHE/$1.key && $(<"$CACHE/$1.key") == "$2" ]]; } # PIECE KEY
cache_put() { mkdir -p "$(dirname "$CACHE/$1")" && echo "$2" >"$CACHE/$1.key"; }
cache_key() { cat "$CACHE/$1.key" 2>/dev/null || echo none; }
cache_drop() { rm -rf "${CACHE:?}/$1" "$CACHE/$1.key"; }

cache_fill() { # cache_fill VERSION [BINARIES_DIR]
  machine_need
  mkdir -p "$CACHE"
  (
    flock -n 9 || { log "waiting for another build"; flock 9; }
    debian_tools
    package_keys
    debian_unpack
    kubernetes_binaries "${2:-}"
    debian_base
    package_repository
    image_store
    layer_build "$1"
  ) 9>"$CACHE/lock"
}

cache_command() {
  local dir='' verify=''
  while (($#)); do
    case $1 in
      --binaries) dir=${2:?--binaries wants a directory}; shift 2 ;;
      --verify) verify=1; shift ;;
      *) die "build: unknown argument: $1" "build [--binaries DIR] [--verify]" ;;
    esac
  done
  cache_fill "${VERSIONS[0]}" "$dir"
  [[ ! $verify ]] || cache_verify
  log "cache ready: $CACHE, $(du -sm --exclude=run "$CACHE" 2>/dev/null | cut -f1) MiB"
}

cache_verify() { # against the sums taken when it was made: a disk or a restored CI cache may have lost something
  local v blob
  for v in "${VERSIONS[@]}"; do
    (cd "$CACHE/bin/v$v" && sha256sum --quiet -c SHA256SUMS) || die "damaged: $CACHE/bin/v$v" "remove it and build again"
  done
  (cd "$CACHE/repo" && sha256sum --quiet -c SHA256SUMS) || die "damaged: $CACHE/repo" "remove it and build again"
  for blob in "$CACHE"/images/store/io.containerd.content.v1.content/blobs/sha256/*; do
    [[ $(sha256sum <"$blob" | cut -d' ' -f1) == "${blob##*/}" ]] || die "damaged: $blob" "remove $CACHE/images and build again"
  done
  log "binaries, packages and images are as they were made"
}
