# shellcheck shell=bash
# The cluster's network: a namespace with one wire to the host and no route out. Nothing in it can reach
# another machine, and the host's own iptables, bridges and containers stay as they are.

services=10.96.0.0/16
pods=10.244.0.0/24
# The API server's.
port=6443

# set_addresses SLOT: slot N is the subnet 10.199.N.0/30 with the host at .1 and the node at .2.
set_addresses() {
  host=10.199.$1.1
  node=10.199.$1.2
  wire=kflink$1
}

# make_network: takes the first slot that no cluster and no interface of the host has.
make_network() {
  local slots slot=0
  touch "$dir/netns"
  unshare --net="$dir/netns" true
  # One at a time, or two clusters that start together take the same slot.
  exec {slots}<"$clusters"
  flock "$slots"
  while
    set_addresses $((++slot))
    ip link show "$wire" >/dev/null 2>&1 || ip -4 -o addr | grep -qF " 10.199.$slot."
  do
    [ "$slot" -lt 254 ] || die "all subnets 10.199.N.0/30 are in use: remove clusters with 'cluster down --all'"
  done
  inside ip link add node type veth peer name "$wire" netns $$
  ip addr add "$host/30" dev "$wire"
  exec {slots}>&-
  echo "$slot" >"$dir/slot"
  ip link set "$wire" up
  inside ip link set lo up
  inside ip addr add "$node/30" dev node
  inside ip link set node up
  inside sysctl -qw net.ipv4.ip_forward=1
}

# end_network: the host's end of the wire goes with the namespace, which lives on while a mount holds it.
end_network() {
  [ ! -e "$dir/netns" ] || umount "$dir/netns" 2>/dev/null || true
}
