# shellcheck shell=bash
# Keys, certificates and kubeconfigs of a cluster, whose API server is at $node:$port.

# make_keys: those of the API server and of its administrator, with his kubeconfig.
make_keys() {
  mkdir "$dir/pki"
  cd "$dir/pki"
  openssl ecparam -genkey -name prime256v1 -noout -out ca.key
  openssl req -x509 -new -key ca.key -subj "/CN=$name" -days 365 -out ca.crt
  openssl genrsa -out sa.key 2048 2>/dev/null
  openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
  sign apiserver /CN=kube-apiserver "extendedKeyUsage=serverAuth
subjectAltName=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:${services%.*}.1,IP:127.0.0.1,IP:$node"
  sign admin /O=system:masters/CN=admin "extendedKeyUsage=clientAuth"
  cd "$dir"
  make_kubeconfig kubeconfig admin
}

# make_user KEY SUBJECT FILE: a key of that name with a certificate, and the kubeconfig FILE of its owner.
make_user() {
  cd "$dir/pki"
  sign "$1" "$2" "extendedKeyUsage=clientAuth"
  cd "$dir"
  make_kubeconfig "$3" "$1"
}

sign() { # sign NAME SUBJECT EXTENSIONS
  openssl ecparam -genkey -name prime256v1 -noout -out "$1.key"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -out "$1.crt" \
    -extfile <(echo "$3") 2>/dev/null
}

make_kubeconfig() { # make_kubeconfig FILE KEY
  (umask 077 && cat >"$1") <<YAML
apiVersion: v1
kind: Config
clusters:
- name: $name
  cluster: {server: "https://$node:$port", certificate-authority-data: $(base64 -w0 pki/ca.crt)}
users:
- name: $name-$2
  user: {client-certificate-data: $(base64 -w0 "pki/$2.crt"), client-key-data: $(base64 -w0 "pki/$2.key")}
contexts:
- name: $name
  context: {cluster: $name, user: $name-$2, namespace: default}
current-context: $name
YAML
}
