# shellcheck shell=bash
# The start of a cluster: each part in the order in which the others need it.

up() { # up FLINK_VERSION...
  check_host
  check_start
  build_all "$@"
  lock_cluster
  if is_up; then
    [ "$(<"$dir/parts")" = "$parts" ] ||
      say "$name runs programs of an older build; for the new ones: cluster down, then cluster up"
    load_images
    echo "$dir/kubeconfig"
    return
  fi
  clear_cluster
  build_store
  say "starting $name ..."
  local began=$SECONDS
  mkdir -p "$dir"/{cni,kubelet}
  cd "$dir"
  take_store
  make_network
  make_keys
  make_user node /O=system:nodes/CN=system:node:node1 node.kubeconfig
  start_etcd
  start_apiserver
  start_containerd
  await etcd 30 "its port" etcd_ready
  await kube-apiserver 60 "/readyz" api get --raw /readyz
  start_controllers
  await containerd 30 "its socket" ctr_ version
  load_images
  start_kubelet
  start_proxy
  start_coredns
  await kubelet 60 "node1 to be Ready" node_ready
  await kube-proxy 30 "/healthz" http_ok "$node" 10256 /healthz
  await coredns 30 "/ready" http_ok "$node" 8181 /ready
  # Without it the first pod of a test is refused.
  await kube-controller-manager 30 "the default ServiceAccount" api -n default get serviceaccount default
  await kube-controller-manager 30 "the CA's ConfigMap" api -n default get configmap kube-root-ca.crt
  echo "$parts" >"$dir/parts"
  say "$name is up after $((SECONDS - began)) s"
  echo "$dir/kubeconfig"
}

# is_up: whether a start was completed, all parts still run and the API answers.
is_up() {
  local part
  [ -f "$dir/parts" ] || return 1
  for part in "${all_parts[@]}"; do runs "$part" || return 1; done
  api get --raw /readyz --request-timeout 5s >/dev/null 2>&1
}

api() { kubectl --kubeconfig "$dir/kubeconfig" "$@"; }
ctr_() { ctr -a "$dir/containerd.sock" -n k8s.io "$@"; }
etcd_ready() { inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/2379'; }
node_ready() {
  [ "$(api get node node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]
}

# take_store: hard links cost neither time nor space, and are safe: what is in there is only ever read.
# Not so the databases. Across file systems there are no hard links; then the images are imported one by one.
take_store() {
  local database
  if ! cp -al "$store/containerd" containerd 2>/dev/null; then
    rm -rf containerd
    mkdir loaded
    return
  fi
  find containerd -name '*.db' | while read -r database; do
    cp "$database" "$database.new"
    mv "$database.new" "$database"
  done
  cp -r "$store/loaded" loaded
}

# load_images: those of $archives that the cluster does not have yet.
load_images() {
  local archive mark
  for archive in "${archives[@]}"; do
    mark=$dir/loaded/$(mark_of "$archive")
    [ ! -e "$mark" ] || continue
    # In the cluster's network, although it needs none: so a later start or end finds it and ends it.
    inside ctr -a "$dir/containerd.sock" -n k8s.io image import "$archive" >/dev/null ||
      die "containerd cannot import $archive: remove its directory, then run the same command again"
    touch "$mark"
  done
}

start_etcd() {
  # No fsync: the data is thrown away with the cluster.
  start etcd "$kube" etcd --data-dir "$dir/etcd" --unsafe-no-fsync --log-level error \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380
}

start_apiserver() {
  # InternalIP: for logs, exec and port-forward it would look up the node's name in the host's DNS.
  start kube-apiserver "$kube" kube-apiserver --etcd-servers http://127.0.0.1:2379 \
    --bind-address 0.0.0.0 --secure-port "$port" --advertise-address "$node" --service-cluster-ip-range "$services" \
    --tls-cert-file pki/apiserver.crt --tls-private-key-file pki/apiserver.key --client-ca-file pki/ca.crt \
    --service-account-key-file pki/sa.pub --service-account-signing-key-file pki/sa.key \
    --service-account-issuer https://kubernetes.default.svc --authorization-mode Node,RBAC --allow-privileged \
    --kubelet-client-certificate pki/admin.crt --kubelet-client-key pki/admin.key \
    --kubelet-preferred-address-types InternalIP
}

start_containerd() {
  # restrict_oom_score_adj: a root without CAP_SYS_RESOURCE may not lower it, and runc fails at that.
  # The network namespaces of pods are mounted in our directory, so that `down` finds them.
  cat >containerd.toml <<TOML
version = 2
root = "$dir/containerd"
state = "$dir/containerd-state"
[grpc]
  address = "$dir/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$dir/containerd-opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/pause:test"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$cni_plugins"
    conf_dir = "$dir/cni"
TOML
  # ptp, not bridge: traffic between pods is routed, so Service addresses work without br_netfilter.
  cat >cni/10-ptp.conflist <<JSON
{
  "cniVersion": "0.4.0",
  "name": "$cni_network",
  "plugins": [
    {
      "type": "ptp",
      "ipMasq": false,
      "ipam": {
        "type": "host-local",
        "dataDir": "$dir/ipam",
        "ranges": [[{"subnet": "$pods"}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
JSON
  start containerd containerd -c containerd.toml
}

start_controllers() {
  start kube-controller-manager "$kube" kube-controller-manager --kubeconfig kubeconfig --leader-elect=false \
    --service-account-private-key-file pki/sa.key --root-ca-file pki/ca.crt --use-service-account-credentials \
    --cluster-signing-cert-file pki/ca.crt --cluster-signing-key-file pki/ca.key --bind-address 127.0.0.1 \
    --flex-volume-plugin-dir "$dir/kubelet/volume-plugins"
  start kube-scheduler "$kube" kube-scheduler --kubeconfig kubeconfig --leader-elect=false --bind-address 127.0.0.1
}

start_kubelet() {
  local cgroup
  # cpuCFSQuota off: Flink sets limit = request, and tests ask for 0.1 CPU so that several sessions fit on
  # two cores; throttled to that, a JobManager takes 100 s to start.
  # A cgroup root of its own: two kubelets under one root kill each other's pods.
  # failCgroupV1 off: from 1.35 on the kubelet refuses cgroup v1 hosts by default.
  for cgroup in "${cgroups[@]}"; do mkdir -p "$cgroup/$cgroup_name"; done
  echo "nameserver 127.0.0.1" >resolv.conf
  cat >kubelet.yaml <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: $dir/pki/ca.crt}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupRoot: /$cgroup_name
cpuCFSQuota: false
failCgroupV1: false
failSwapOn: false
clusterDNS: [$node]
clusterDomain: cluster.local
resolvConf: $dir/resolv.conf
containerRuntimeEndpoint: unix://$dir/containerd.sock
evictionHard: {memory.available: 100Mi, nodefs.available: 1Gi, imagefs.available: 1Gi}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
podLogsDir: $dir/podlogs
volumePluginDir: $dir/kubelet/volume-plugins
YAML
  start kubelet "$kube" kubelet --config kubelet.yaml --kubeconfig node.kubeconfig --root-dir "$dir/kubelet" \
    --cert-dir "$dir/kubelet/pki" --node-ip "$node" --hostname-override node1
}

start_proxy() {
  # The conntrack limits are the host's, so leave them.
  cat >proxy.yaml <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $pods
hostnameOverride: node1
clientConnection: {kubeconfig: $dir/kubeconfig}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
YAML
  start kube-proxy "$kube" kube-proxy --config proxy.yaml
}

start_coredns() {
  cat >Corefile <<CORE
.:53 {
  bind $node
  errors
  ready $node:8181
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $dir/kubeconfig $name
    pods insecure
  }
  cache 5
}
CORE
  start coredns "$coredns" -conf Corefile
}
