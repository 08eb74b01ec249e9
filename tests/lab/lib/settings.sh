# shellcheck shell=bash disable=SC2034  # read by the other files
# Settings: what the environment may change, and what follows from the lab's name. Nothing happens here.
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

NAME=${LAB_NAME:-lab}
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/rollbook-lab
FILES=$HERE/files
ROOTFS=$HERE/rootfs

DISK_MB=${LAB_DISK_MB:-3072}         # size of each host's disk (tmpfs)
BOOT_DELAY=${LAB_BOOT_DELAY:-2}      # seconds that a reboot stays dark
GRACE=${LAB_GRACE:-20s}              # node-monitor-grace-period; Kubernetes' own 40s makes tests wait
NET_PREFIX=${LAB_NET:-10.77}         # a /16 that this machine does not use
REPO_PORT=8081

read -ra VERSIONS <<<"${LAB_VERSIONS:-1.20.2 1.21.0 1.22.0}" # the first costs a compile, the others a relink
REVISION=1.1                                                 # Debian revision of the packages: 1.20.2-1.1
CNI_VERSION=1.1.1-1.1
CRI_VERSION=1.20.0-1.1
COMPONENTS=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubeadm kubelet kubectl)
APP_IMAGE=lab.invalid/pod:1
STORE=/var/lib/rollbook-lab/store # where a host sees the unpacked images

settings_of_name() {
  # Interface names have 15 characters: rl + name + "v-" + host.
  [[ $NAME =~ ^[a-z][a-z0-9]{0,5}$ ]] ||
    die "bad lab name: ${NAME:-(empty)}" "a letter, then up to five letters or digits"
  export LAB_NAME=$NAME
  STATE=$CACHE/run/$NAME # all that `up` makes; `down` removes it
  TAG=rl$NAME            # prefix of bridge, veth, namespace and cgroup names
  BRIDGE=${TAG}br
  # The third byte follows from the name, so that a lab finds the clusters that were saved with its addresses.
  local byte=0
  [[ $NAME == lab ]] || byte=$((1 + $(cksum <<<"$NAME" | cut -d' ' -f1) % 254))
  NET=$NET_PREFIX.$byte # hosts are .11, .12, ...
  GATEWAY=$NET.1        # this machine: repository, load balancer, and where ssh comes from
}
