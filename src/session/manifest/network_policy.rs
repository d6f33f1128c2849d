//! The NetworkPolicy of a session: only its own pods reach each other, and whom the user names reaches REST.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::labels;
use crate::session::spec::SessionSpec;
use crate::session::spec::name::is_dns_subdomain;

/// The kind, as kubectl writes it in front of a slash and a name.
pub const RESOURCE: &str = "networkpolicy.networking.k8s.io";

/// Kubernetes gives every namespace this label, with its name.
const NAME_OF_NAMESPACE: &str = "kubernetes.io/metadata.name";

/// Who else reaches REST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Addresses.
    Cidr(String),
    /// Pods with these labels, in the session's namespace or in another; without labels all pods.
    Pods { namespace: Option<String>, labels: BTreeMap<String, String> },
}

/// What a peer is written as.
const FORM: &str = "cidr:10.0.0.0/8, namespace:NAME, pods:KEY=VALUE,... or namespace:NAME/pods:KEY=VALUE,...";

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("invalid peer {text:?}: expected {FORM}");
        if let Some(cidr) = text.strip_prefix("cidr:") {
            return is_cidr(cidr).then(|| Self::Cidr(cidr.to_owned())).ok_or_else(wrong);
        }
        let (namespace, pods) = match text.strip_prefix("namespace:") {
            Some(rest) => match rest.split_once("/pods:") {
                Some((namespace, pods)) => (Some(namespace), Some(pods)),
                None => (Some(rest), None),
            },
            None => (None, Some(text.strip_prefix("pods:").ok_or_else(wrong)?)),
        };
        if namespace.is_some_and(|name| !is_dns_subdomain(name) || name.contains('.')) {
            return Err(wrong());
        }
        let labels = pods.into_iter().flat_map(|pods| pods.split(',')).map(|pair| {
            let (key, value) = pair.split_once('=')?;
            let is_fit = |text: &str| !text.contains(|c: char| c.is_whitespace() || "=:\"{}()!".contains(c));
            (!key.is_empty() && is_fit(key) && is_fit(value)).then(|| (key.to_owned(), value.to_owned()))
        });
        let labels: Option<BTreeMap<_, _>> = labels.collect();
        let labels = labels.ok_or_else(wrong)?;
        Ok(Self::Pods { namespace: namespace.map(str::to_owned), labels })
    }
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most && bits.to_string() == text[address.len() + 1..])
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, labels) = match self {
            Self::Cidr(cidr) => return write!(f, "cidr:{cidr}"),
            Self::Pods { namespace, labels } => (namespace, labels),
        };
        if let Some(namespace) = namespace {
            write!(f, "namespace:{namespace}")?;
        }
        if labels.is_empty() {
            return Ok(());
        }
        let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        write!(f, "{}pods:{}", if namespace.is_some() { "/" } else { "" }, pairs.join(","))
    }
}

impl Peer {
    fn as_kubernetes_has_it(&self) -> NetworkPolicyPeer {
        match self {
            Self::Cidr(cidr) => NetworkPolicyPeer {
                ip_block: Some(IPBlock { cidr: cidr.clone(), except: None }),
                ..NetworkPolicyPeer::default()
            },
            Self::Pods { namespace, labels } => NetworkPolicyPeer {
                namespace_selector: namespace
                    .as_ref()
                    .map(|name| selector([(NAME_OF_NAMESPACE.to_owned(), name.clone())].into())),
                pod_selector: (!labels.is_empty()).then(|| selector(labels.clone())),
                ..NetworkPolicyPeer::default()
            },
        }
    }
}

fn selector(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), match_expressions: None }
}

/// Text of several peers, as an annotation holds it.
pub fn text(peers: &[Peer]) -> String {
    peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub fn read(text: &str) -> Result<Vec<Peer>, String> {
    text.split_whitespace().map(str::parse).collect()
}

impl SessionSpec {
    /// True when the session has a NetworkPolicy.
    pub fn has_network_policy(&self) -> bool {
        self.settings.network_policy == Some(true) || !self.settings.network_policy_from.is_empty()
    }

    /// Why a policy would protect nothing, if so: Kubernetes leaves pods in the network of their node out.
    pub(in crate::session) fn is_in_network_of_node(&self) -> bool {
        let by_key = self.settings.config.get("kubernetes.hostnetwork.enabled");
        by_key.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
            || self
                .templates()
                .into_iter()
                .flatten()
                .any(|template| template.pod_spec().host_network == Some(true))
    }

    /// The port on which the JobManager's REST listens in its pod: Flink's client makes 8081 of 0, and refuses a range.
    fn rest_port(&self) -> u16 {
        let settings = self.flink_settings(self.expected_dialect(), "").unwrap_or_default();
        let keys = ["rest.bind-port", "rest.port"];
        let port = keys.iter().find_map(|key| settings.get(*key)).and_then(|text| text.trim().parse().ok());
        port.filter(|port| *port > 0).unwrap_or(8081)
    }
}

/// The policy of `spec`. It selects the pods of both roles, by the labels that every Flink version gives them: 1.10 to 2.3.
/// Between them every port is open, for RPC, blobs and data have ports of their own, some of them chosen at random.
pub fn policy(spec: &SessionSpec, namespace: &str) -> NetworkPolicy {
    let pods = || {
        selector(
            [(labels::APP, spec.name.as_str()), (labels::TYPE, labels::TYPE_NATIVE)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        )
    };
    let own = NetworkPolicyIngressRule {
        from: Some(vec![NetworkPolicyPeer { pod_selector: Some(pods()), ..NetworkPolicyPeer::default() }]),
        ports: None,
    };
    let peers = &spec.settings.network_policy_from;
    let named = (!peers.is_empty()).then(|| NetworkPolicyIngressRule {
        from: Some(peers.iter().map(Peer::as_kubernetes_has_it).collect()),
        ports: Some(vec![NetworkPolicyPort {
            port: Some(IntOrString::Int(spec.rest_port().into())),
            protocol: Some("TCP".to_owned()),
            end_port: None,
        }]),
    });
    NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(spec.name.to_string()),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels::network_policy(&spec.name)),
            ..ObjectMeta::default()
        },
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods()),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some([own].into_iter().chain(named).collect()),
            egress: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::spec::settings::Settings;
    use crate::session::spec::tests::with;

    fn peers(texts: &[&str]) -> Vec<Peer> {
        texts.iter().map(|text| text.parse().expect(text)).collect()
    }

    #[test]
    fn a_peer_is_read_as_it_is_written() {
        let texts = [
            "cidr:10.0.0.0/8",
            "cidr:fd00::/64",
            "namespace:monitoring",
            "pods:app=gateway,tier=web",
            "namespace:edge/pods:app.kubernetes.io/name=gateway",
        ];
        assert_eq!(text(&peers(&texts)), texts.join(" "));
        assert_eq!(read(&texts.join(" ")), Ok(peers(&texts)));
        for wrong in [
            "",
            "10.0.0.0/8",
            "cidr:10.0.0.0",
            "cidr:10.0.0.0/33",
            "cidr:10.0.0.0/+8",
            "cidr:x/8",
            "namespace:",
            "namespace:A_B",
            "pods:",
            "pods:app",
            "pods:=x",
            "pods:a=b=c",
            "namespace:x/pods:",
            "namespace:x/app=y",
            "pods:a b=c",
        ] {
            assert!(wrong.parse::<Peer>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn own_pods_reach_every_port_and_peers_reach_rest() {
        let of = |settings: Settings| {
            serde_json::to_value(policy(&with(settings), "team-a").spec).expect("JSON")["ingress"].clone()
        };
        let alone = of(Settings { network_policy: Some(true), ..Settings::default() });
        let own = serde_json::json!([{"from": [{"podSelector": {"matchLabels": {"app": "roc", "type": "flink-native-kubernetes"}}}]}]);
        assert_eq!(alone, own);
        let port = |config: &[(&str, &str)]| {
            let config = config.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let network_policy_from = peers(&["namespace:monitoring"]);
            of(Settings { network_policy_from, config, ..Settings::default() })[1]["ports"][0]["port"].clone()
        };
        assert_eq!(port(&[]), 8081);
        assert_eq!(port(&[("rest.port", "9000")]), 9000);
        assert_eq!(port(&[("rest.port", "9000"), ("rest.bind-port", "9001")]), 9001);
        assert_eq!(port(&[("rest.bind-port", "0")]), 8081);
    }

    #[test]
    fn peers_are_kubernetes_own() {
        let all = peers(&["cidr:10.0.0.0/8", "namespace:m", "pods:a=b", "namespace:m/pods:a=b"]);
        let json: Vec<_> =
            all.iter().map(|peer| serde_json::to_value(peer.as_kubernetes_has_it()).expect("JSON")).collect();
        let namespace = serde_json::json!({"matchLabels": {"kubernetes.io/metadata.name": "m"}});
        let pods = serde_json::json!({"matchLabels": {"a": "b"}});
        assert_eq!(
            json,
            [
                serde_json::json!({"ipBlock": {"cidr": "10.0.0.0/8"}}),
                serde_json::json!({"namespaceSelector": namespace}),
                serde_json::json!({"podSelector": pods}),
                serde_json::json!({"namespaceSelector": namespace, "podSelector": pods}),
            ]
        );
    }
}
