# shellcheck shell=bash
# A cluster: kubeadm init and join on the hosts, as its documentation says, and the wait until all of it is there.

cluster_make() { # cluster_make CONTROL_PLANES WORKERS VERSION
  local i join pids=()
  cluster_init "$@"
  join=$(cluster_discovery)
  for ((i = 1; i <= $2; i++)); do
    cluster_join "w$i" "$join" & # workers at once
    pids+=($!)
  done
  for ((i = 2; i <= $1; i++)); do # control planes in turn, as etcd wants it
    cluster_join "cp$i" "$join" --control-plane --certificate-key "$(<"$STATE/certificate_key")" \
      --apiserver-advertise-address "$(host_address "cp$i")" || die "the cluster did not come up"
    cluster_admin "cp$i"
  done
  for i in "${pids[@]}"; do wait "$i" || die "the cluster did not come up"; done
  rm "$STATE/certificate_key"
  cluster_kubectl wait --for=condition=Ready node --all --timeout=180s >/dev/null
  log "all nodes Ready"
  cluster_settle
}

cluster_config() { # CONTROL_PLANES VERSION: one control plane is its own endpoint, more have a load balancer
  local endpoint=$GATEWAY
  (($1 > 1)) || endpoint=$(host_address cp1)
  sed "s/@ADDRESS@/$(host_address cp1)/; s/@ENDPOINT@/$endpoint/; s/@VERSION@/$2/; s/@GRACE@/$GRACE/
    s/@CERTIFICATE_KEY@/$(<"$STATE/certificate_key")/" "$FILES/kubeadm.yaml"
}

cluster_init() { # CONTROL_PLANES WORKERS VERSION
  local args=(--config /root/kubeadm.yaml) out=$STATE/h/cp1/kubeadm.log
  (umask 77 && head -c32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$STATE/certificate_key")
  (($1 == 1)) || { args+=(--upload-certs); balancer_up; }
  cluster_config "$1" "$3" | host_ssh cp1 "umask 77; cat >/root/kubeadm.yaml"
  host_ssh cp1 "kubeadm init ${args[*]}" >"$out" 2>&1 || die_with_tail "$out" "kubeadm init failed on cp1"
  # A user of the lab's own, so that the audit log tells its requests from those of the program under test.
  (umask 77 && host_ssh cp1 "kubeadm alpha kubeconfig user --client-name=lab --org=system:masters --config /root/kubeadm.yaml" \
    2>>"$out" >"$STATE/kubeconfig") || die_with_tail "$out" "cp1: no kubeconfig for the lab"
  cluster_kubectl create clusterrolebinding kubeadm:cluster-admins --clusterrole=cluster-admin \
    --group=kubeadm:cluster-admins >>"$out" 2>&1 || die_with_tail "$out" "no ClusterRoleBinding for admin.conf"
  cluster_admin cp1
  log "cp1: kubeadm init done"
}

# As kubeadm makes it since 1.29: admin.conf of a group that RBAC knows, not of system:masters, so that a starting API
# server forbids it everything. `kubeadm upgrade` and `certs renew` keep a certificate's group when they renew it.
cluster_admin() { # HOST, a control plane
  local out=$STATE/h/$1/kubeadm.log config
  config=$(host_ssh cp1 "kubeadm alpha kubeconfig user --client-name=kubernetes-admin --org=kubeadm:cluster-admins \
    --config /root/kubeadm.yaml" 2>>"$out") || die_with_tail "$out" "$1: no admin.conf outside system:masters"
  [[ $config == *client-certificate-data* ]] || die "$1: kubeadm gave no kubeconfig for admin.conf"
  host_ssh "$1" "umask 77; cat >/etc/kubernetes/admin.conf.new && mv /etc/kubernetes/admin.conf.new /etc/kubernetes/admin.conf" \
    <<<"$config" || die "$1: admin.conf cannot be written"
}

cluster_discovery() { # the file that join reads: cluster and CA without a user, which saves waiting for a signed ConfigMap
  sed -n '1,/^contexts:/p' "$STATE/kubeconfig" | sed '$d; s/^  name: .*/  name: ""/'
}

cluster_join() { # cluster_join HOST DISCOVERY ARGS...
  local host=$1 out=$STATE/h/$1/kubeadm.log
  host_ssh "$host" "cat >/root/discovery.conf" <<<"$2"
  shift 2
  host_ssh "$host" "kubeadm join --discovery-file /root/discovery.conf --tls-bootstrap-token abcdef.0123456789abcdef \
    --node-name $host --cri-socket /run/containerd/containerd.sock $*" >"$out" 2>&1 ||
    { log "$host: kubeadm join failed; see $out"; return 1; }
  log "$host: kubeadm join done"
}

balancer_up() {
  local addresses
  mapfile -t addresses < <(awk '/^cp/ { print $2 }' "$STATE/hosts")
  process_alive "$STATE/balancer.pid" || process_daemon balancer python3 "$FILES/balance.py" "$GATEWAY" 6443 "${addresses[@]}"
}

balancer_down() { process_end "$STATE/balancer.pid"; }

cluster_resume() { # cluster_resume CONTROL_PLANES: hosts were booted from saved disks
  (($1 == 1)) || balancer_up
  state_each cluster_wait_node "the saved cluster did not come back" "up --fresh makes a new one"
  log "all nodes Ready"
  cluster_settle
}

cluster_wait_node() { # HOST: Ready, as reported since this boot
  local id end=$((SECONDS + 180))
  id=$(host_ssh "$1" cat /proc/sys/kernel/random/boot_id)
  while ((SECONDS < end)); do
    [[ $(cluster_kubectl get node "$1" --request-timeout=5s -o \
      jsonpath='{.status.nodeInfo.bootID} {.status.conditions[?(@.type=="Ready")].status}' 2>/dev/null) != "$id True" ]] || return 0
    sleep 0.5
  done
  log "$1: its node is not back after 180 s"
  return 1
}

cluster_settle() { # what an upgrade looks at first: static pods known to the API, DaemonSets and CoreDNS ready
  cluster_until cluster_kubectl -n kube-system rollout status ds/kube-proxy --timeout=60s
  cluster_until cluster_kubectl -n kube-system rollout status deploy/coredns --timeout=60s
  cluster_until cluster_has_static_pods
}

cluster_has_static_pods() {
  (($(cluster_kubectl -n kube-system get pods -l tier=control-plane --no-headers | wc -l) >= 4 * $(state_hosts | grep -c ^cp)))
}

cluster_until() { # cluster_until COMMAND...: the API of a cluster that just booted may be away for a moment once more
  local end=$((SECONDS + 180)) out
  until out=$("$@" 2>&1); do
    ((SECONDS < end)) || die "not after 180 s: ${*#cluster_}"$'\n'"$out" "\`lab kubectl get pods -A -o wide\`"
    sleep 1
  done
}

cluster_need() {
  state_need
  [[ -f $STATE/kubeconfig ]] || die "there is no cluster in lab $NAME" "it was started with --hosts-only"
}

cluster_wait() { # static pods say that they are Ready 10 to 30 s after they are
  cluster_need
  cluster_settle
  cluster_until cluster_kubectl -n kube-system wait --for=condition=Ready pod --all --timeout=240s
  log "all pods of kube-system Ready"
}

cluster_kubectl() {
  cluster_need
  "$CACHE/bin/v$(state_version)/kubectl" --kubeconfig "$STATE/kubeconfig" "$@"
}

cluster_etcdctl() { # HOST ARGS...: against its own member
  local host=${1:-} pki=/etc/kubernetes/pki/etcd
  host_need etcdctl "$host"
  shift
  host_ssh "$host" "ETCDCTL_API=3 etcdctl --endpoints=https://127.0.0.1:2379 --cacert=$pki/ca.crt --cert=$pki/server.crt --key=$pki/server.key ${*@Q}"
}

cluster_audit() { # from the disks, so also from hosts that are off
  cluster_need
  python3 "$FILES/audit.py" "$STATE"/h/cp*/root/var/log/kubernetes -- "$@"
}
