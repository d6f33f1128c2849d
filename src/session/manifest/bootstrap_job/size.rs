//! What the bootstrap pod asks for, within the LimitRanges of its namespace.

use std::collections::BTreeMap;

use crate::session::spec::PodSize;
use crate::session::spec::quantity::{Cpu, Memory};

/// The client ends within seconds; a whole CPU halves them.
const CPU_REQUEST: &str = "100m";
const CPU_LIMIT: &str = "1";
const MEMORY: &str = "512Mi";

/// With less memory the client does not end.
const LEAST_MEMORY: &str = "300Mi";

/// Amounts by the name of the resource, in thousandths of its unit: cores, bytes.
type Amounts = BTreeMap<String, i128>;

/// One rule of a LimitRange for containers or for pods, which a pod with one container meets alike.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    pub most: &'a Amounts,
    pub least: &'a Amounts,
    /// How many times its request a limit may be.
    pub ratio: &'a Amounts,
}

/// Request and limit of one resource, in the thousandths that [`Bounds`] counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    request: i128,
    limit: i128,
}

impl Range {
    /// The nearest range that the limits admit. A minimum is met before a maximum: where they contradict each other,
    /// the API server refuses any pod.
    ///
    /// Both stay multiples of `unit`.
    fn within(self, name: &str, unit: i128, limits: &[Bounds<'_>]) -> Self {
        let Self { mut request, mut limit } = self;
        let of = |amounts: for<'a> fn(&Bounds<'a>) -> &'a Amounts| {
            let amounts = limits.iter().map(amounts);
            amounts.filter_map(|amounts| amounts.get(name).copied()).collect::<Vec<_>>()
        };
        let up = |amount: i128| amount.saturating_add(unit - 1) / unit * unit;
        if let Some(most) = of(|rule| rule.most).into_iter().min() {
            limit = limit.min(most / unit * unit);
        }
        if let Some(least) = of(|rule| rule.least).into_iter().max() {
            request = request.max(up(least));
            limit = limit.max(up(least));
        }
        request = request.min(limit);
        // A larger request, not a smaller limit: the client needs its CPU for seconds only.
        if let Some(ratio) = of(|rule| rule.ratio).into_iter().filter(|ratio| *ratio >= 1000).min() {
            let needed = limit.saturating_mul(1000).saturating_add(ratio - 1) / ratio;
            request = request.max(up(needed)).min(limit);
        }
        Self { request, limit }
    }
}

/// What the bootstrap pod asks for where nothing limits it.
pub fn usual() -> PodSize {
    within(&[])
}

/// What it asks for under `limits`.
pub fn within(limits: &[Bounds<'_>]) -> PodSize {
    let cpu = |text: &str| text.parse::<Cpu>().map_or(0, |cpu| i128::from(cpu.millicores()));
    let cpu = Range { request: cpu(CPU_REQUEST), limit: cpu(CPU_LIMIT) }.within("cpu", 1, limits);
    let memory = Range { request: bytes(MEMORY), limit: bytes(MEMORY) }.within("memory", MEBIBYTE, limits);
    let least = bytes(LEAST_MEMORY);
    PodSize {
        cpu_request: u64::try_from(cpu.request).unwrap_or(0),
        cpu_limit: u64::try_from(cpu.limit).unwrap_or(0),
        memory_request: Some(mebibytes(memory.request.max(least))),
        memory_limit: Some(mebibytes(memory.limit.max(least))),
    }
}

/// In thousandths of a byte.
const MEBIBYTE: i128 = 1000 << 20;

fn bytes(text: &str) -> i128 {
    let mebibytes = text.parse::<Memory>().map_or(0, Memory::mebibytes);
    i128::from(mebibytes) * MEBIBYTE
}

fn mebibytes(thousandths: i128) -> u64 {
    u64::try_from(thousandths / MEBIBYTE).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::spec::quantity;

    fn amounts(of: &[(&str, &str)]) -> Amounts {
        of.iter().map(|(name, text)| ((*name).to_owned(), quantity::kubernetes(text).expect(text))).collect()
    }

    /// Under one rule: most, least, ratio.
    fn of(most: &[(&str, &str)], least: &[(&str, &str)], ratio: &[(&str, &str)]) -> PodSize {
        let (most, least, ratio) = (amounts(most), amounts(least), amounts(ratio));
        within(&[Bounds { most: &most, least: &least, ratio: &ratio }])
    }

    fn size(cpu_request: u64, cpu_limit: u64, memory: u64) -> PodSize {
        PodSize { cpu_request, cpu_limit, memory_request: Some(memory), memory_limit: Some(memory) }
    }

    #[test]
    fn the_bootstrap_pod_meets_every_limit_that_it_can_meet() {
        assert_eq!(usual(), size(100, 1000, 512));
        assert_eq!(of(&[], &[], &[("cpu", "4")]), size(250, 1000, 512));
        assert_eq!(of(&[], &[], &[("cpu", "3")]), size(334, 1000, 512));
        assert_eq!(of(&[], &[], &[("cpu", "1"), ("memory", "1")]), size(1000, 1000, 512));
        assert_eq!(of(&[], &[("cpu", "250m"), ("memory", "768Mi")], &[]), size(250, 1000, 768));
        assert_eq!(of(&[("cpu", "500m"), ("memory", "400Mi")], &[], &[]), size(100, 500, 400));
        assert_eq!(of(&[("cpu", "50m")], &[], &[]), size(50, 50, 512));
        assert_eq!(of(&[], &[("cpu", "2")], &[]), size(2000, 2000, 512));
        assert_eq!(of(&[("cpu", "800m")], &[("cpu", "200m")], &[("cpu", "2")]), size(400, 800, 512));
        // It cannot end with less: then the check before the first write refuses.
        assert_eq!(of(&[("memory", "128Mi")], &[], &[]), size(100, 1000, 300));
        // A ratio below one admits nothing.
        assert_eq!(of(&[], &[], &[("cpu", "500m")]), usual());
    }

    #[test]
    fn all_rules_are_met_together() {
        let (half, two, large, none) = (
            amounts(&[("cpu", "500m")]),
            amounts(&[("cpu", "2")]),
            amounts(&[("memory", "1Gi")]),
            Amounts::new(),
        );
        let of_pods = Bounds { most: &half, least: &none, ratio: &two };
        let of_containers = Bounds { most: &none, least: &large, ratio: &none };
        assert_eq!(within(&[of_pods, of_containers]), size(250, 500, 1024));
    }

    #[test]
    fn a_bound_between_two_mebibytes_is_met() {
        let least = of(&[], &[("memory", "800M")], &[]).memory_request.expect("memory");
        assert!(least * (1 << 20) >= 800_000_000, "{least}");
        let most = of(&[("memory", "500M")], &[], &[]).memory_limit.expect("memory");
        assert!(most * (1 << 20) <= 500_000_000, "{most}");
    }
}
