# shellcheck shell=bash
# Workload: something for a drain to move, and on request something for it to trip over. One manifest per kind.

workload_command() {
  local kind
  cluster_need
  [[ ${1:-} != --delete ]] || { workload_delete; return; }
  for kind; do
    [[ -f $HERE/workload/$kind.yaml ]] || die "workload: no such kind: $kind" "bare, blocking, emptydir or finalizer"
  done
  workload_apply web
  # A pod that comes before its namespace's service account is refused; Deployments only try again.
  until cluster_kubectl -n lab get serviceaccount default >/dev/null 2>&1; do sleep 0.1; done
  for kind; do workload_apply "$kind"; done
  workload_wait
}

workload_apply() { sed "s#@IMAGE@#$APP_IMAGE#" "$HERE/workload/$1.yaml" | cluster_kubectl apply -f - >&2; }

workload_wait() {
  local x
  for x in $(cluster_kubectl -n lab get deploy,ds -o name); do cluster_kubectl -n lab rollout status "$x" --timeout=120s >&2; done
  cluster_kubectl -n lab wait --for=condition=Ready pod --all --timeout=120s >/dev/null
}

workload_delete() { # the namespace stays, empty: deleting it takes most of a minute
  local pod
  cluster_kubectl -n lab delete deploy,ds,pdb,svc --all >&2
  cluster_kubectl -n lab delete pods --all --wait=false >&2
  for pod in $(cluster_kubectl -n lab get pods -l stuck -o name); do
    cluster_kubectl -n lab patch "$pod" --type=merge -p '{"metadata":{"finalizers":null}}' >&2
  done
  [[ -z $(cluster_kubectl -n lab get pods -o name) ]] || cluster_kubectl -n lab wait --for=delete pod --all --timeout=60s >&2
}
