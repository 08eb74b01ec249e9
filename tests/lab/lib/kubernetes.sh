# shellcheck shell=bash
# Kubernetes, built from Debian's source package with Debian's Go. One code base, stamped with several versions.

KUBERNETES_SOURCE=1.20.5+really1.20.2-1.1+deb12u1
KUBERNETES_TREE=$CACHE/gopath/src/k8s.io/kubernetes

kubernetes_key() { digest "$KUBERNETES_SOURCE" "$FILES/patch.py" "$1" "${COMPONENTS[*]}"; } # VERSION

kubernetes_binaries() { # kubernetes_binaries [DIR]: DIR/vX/{kubeadm,...} were built elsewhere
  local v
  for v in "${VERSIONS[@]}"; do
    ! cache_has "bin/v$v" "$(kubernetes_key "$v")" || continue
    if [[ -n ${1:-} && -d $1/v$v ]]; then
      kubernetes_copy "$v" "$1/v$v"
    else
      kubernetes_source
      kubernetes_compile "$v"
    fi
    (cd "$CACHE/bin/v$v" && sha256sum "${COMPONENTS[@]}" >SHA256SUMS)
    cache_put "bin/v$v" "$(kubernetes_key "$v")"
  done
}

kubernetes_copy() { # VERSION DIR
  local c
  mkdir -p "$CACHE/bin/v$1"
  for c in "${COMPONENTS[@]}"; do
    [[ -x $2/$c ]] || die "--binaries: no $2/$c"
    cp "$2/$c" "$CACHE/bin/v$1/$c"
  done
  log "v$1: copied from $2"
}

kubernetes_go() { # the environment of the compiler, in this shell
  export GOROOT=$CACHE/debian/usr/lib/go-1.19 GOPATH=$CACHE/gopath GOCACHE=$CACHE/gocache
  export GO111MODULE=off CGO_ENABLED=0 GOFLAGS=-trimpath PATH=$CACHE/debian/usr/lib/go-1.19/bin:$PATH
}

kubernetes_ldflags() { # VERSION
  local major minor pkg flags="-s -w"
  IFS=. read -r major minor _ <<<"$1"
  for pkg in client-go/pkg/version component-base/version; do
    pkg=k8s.io/kubernetes/vendor/k8s.io/$pkg
    flags+=" -X $pkg.gitVersion=v$1 -X $pkg.gitMajor=$major -X $pkg.gitMinor=$minor -X $pkg.gitTreeState=clean"
    flags+=" -X $pkg.gitCommit=faecb196815e248d3ecfb03c680a4507229c2a56 -X $pkg.buildDate=2021-01-13T13:20:00Z"
  done
  pkg=k8s.io/kubernetes/cmd/kubeadm/app/constants
  echo "$flags -X $pkg.labMinimum=v$major.$((minor - 1)).0 -X $pkg.labCurrent=v$major.$minor.0"
}

kubernetes_compile() { # VERSION
  local c flags started=$SECONDS
  flags=$(kubernetes_ldflags "$1")
  log "v$1: compiling (the first version takes minutes)"
  mkdir -p "$CACHE/bin/v$1"
  (
    kubernetes_go
    cd "$KUBERNETES_TREE"
    for c in "${COMPONENTS[@]}"; do
      nice -n 10 go build -tags "providerless dockerless" -ldflags "$flags" -o "$CACHE/bin/v$1/$c" "./cmd/$c"
    done
  )
  log "v$1: built in $((SECONDS - started)) s"
}

kubernetes_source() {
  local key started=$SECONDS
  key=$(digest "$KUBERNETES_SOURCE" "$FILES/patch.py")
  ! cache_has source "$key" || return 0
  rm -rf "$KUBERNETES_TREE" "$CACHE/source" "$CACHE/source.key"
  mkdir -p "$(dirname "$KUBERNETES_TREE")" "$CACHE/source"
  (
    debian_private_apt
    cd "$CACHE/source"
    apt-get source -qq --download-only "kubernetes=$KUBERNETES_SOURCE"
    dpkg-source --no-check -x kubernetes_*.dsc "$KUBERNETES_TREE" >/dev/null
  )
  # The vendored reflect2 1.0.1 crashes under Go 1.18 and later (any map in JSON: "unexpected fault address").
  rm "$KUBERNETES_TREE"/vendor/github.com/modern-go/reflect2/*.{go,s}
  cp "$CACHE"/debian/usr/share/gocode/src/github.com/modern-go/reflect2/*.{go,s} \
    "$KUBERNETES_TREE/vendor/github.com/modern-go/reflect2/"
  python3 "$FILES/patch.py" "$KUBERNETES_TREE"
  (kubernetes_openapi)
  cache_put source "$key"
  log "source ready in $((SECONDS - started)) s"
}

kubernetes_openapi() { # the one generated file that the tarball lacks; ends this shell's directory and environment
  local packages
  kubernetes_go
  cd "$KUBERNETES_TREE"
  nice -n 10 go build -o "$CACHE/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
  packages=$(find -L pkg cmd plugin vendor/k8s.io -name '*.go' -type f |
    grep -vE '^vendor/k8s.io/(code-generator|sample-apiserver)/|/testdata/|/_examples/' |
    xargs grep -l '^// *+k8s:openapi-gen=' | xargs -n1 dirname | LC_ALL=C sort -u | sed 's#^#k8s.io/kubernetes/#' | paste -sd,)
  nice -n 10 "$CACHE/openapi-gen" --logtostderr -i "$packages" -p k8s.io/kubernetes/pkg/generated/openapi \
    -O zz_generated.openapi -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt -r "$CACHE/openapi-violations"
  # The generator's own test: it has seen what upstream saw.
  cmp "$CACHE/openapi-violations" api/api-rules/violation_exceptions.list
}
