//! Whether a pod can ever find room on the nodes that there are.

use crate::diagnosis::rules::preflight::demand::amount;
use crate::model::surroundings::{Amounts, Node};

/// What of `requests` is more than every node has in all, in words; none when a node is large enough, when a provider
/// may add larger ones, or when nothing is known of the nodes.
pub fn too_large(requests: &Amounts, nodes: &[Node]) -> Option<String> {
    if nodes.is_empty() || nodes.iter().any(|node| node.is_provided) {
        return None;
    }
    // A resource that a node does not name may be that of a device plugin that has not started yet.
    let fits = |node: &Node, resource: &str, asked: i128| {
        node.allocatable.get(resource).is_none_or(|has| *has >= asked)
    };
    let holds = |node: &Node| requests.iter().all(|(resource, asked)| fits(node, resource, *asked));
    if nodes.iter().any(holds) {
        return None;
    }
    let missing =
        requests.iter().find(|(resource, asked)| !nodes.iter().any(|node| fits(node, resource, **asked)));
    let Some((resource, asked)) = missing else {
        let asked: Vec<String> = requests.iter().map(|(resource, asked)| amount(resource, *asked)).collect();
        return Some(format!("{}: no node has all of it", asked.join(" and ")));
    };
    let has = |node: &&Node| node.allocatable.get(resource).copied().unwrap_or(0);
    let largest = nodes.iter().max_by_key(has)?;
    Some(format!(
        "{}: the largest, {}, has {} in all",
        amount(resource, *asked),
        largest.name,
        amount(resource, has(&largest))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::spec::quantity;

    fn amounts(cpu: &str, memory: &str) -> Amounts {
        [("cpu", cpu), ("memory", memory)]
            .into_iter()
            .map(|(name, text)| (name.to_owned(), quantity::kubernetes(text).expect(text)))
            .collect()
    }

    fn node(name: &str, cpu: &str, memory: &str) -> Node {
        Node { name: name.to_owned(), allocatable: amounts(cpu, memory), ..Node::default() }
    }

    #[test]
    fn only_what_is_more_than_every_node_has_never_fits() {
        let nodes = [node("a", "2", "4Gi"), node("b", "8", "1Gi")];
        assert_eq!(too_large(&amounts("2", "4Gi"), &nodes), None);
        assert_eq!(
            too_large(&amounts("16", "1Gi"), &nodes).as_deref(),
            Some("16 CPU: the largest, b, has 8 CPU in all")
        );
        assert_eq!(
            too_large(&amounts("1", "8Gi"), &nodes).as_deref(),
            Some("8192 MiB: the largest, a, has 4096 MiB in all")
        );
        assert_eq!(
            too_large(&amounts("4", "2Gi"), &nodes).as_deref(),
            Some("4 CPU and 2048 MiB: no node has all of it")
        );
    }

    #[test]
    fn nothing_is_said_of_nodes_that_are_not_known_or_may_grow() {
        assert_eq!(too_large(&amounts("16", "1Gi"), &[]), None);
        let cloud = Node { is_provided: true, ..node("a", "2", "4Gi") };
        assert_eq!(too_large(&amounts("16", "1Gi"), &[cloud]), None);
        // A resource that no node names yet.
        let gpu: Amounts = [("example.com/gpu".to_owned(), 1000)].into();
        assert_eq!(too_large(&gpu, &[node("a", "2", "4Gi")]), None);
        assert_eq!(too_large(&Amounts::new(), &[node("a", "2", "4Gi")]), None);
    }
}
