//! What a session's settings say of high availability.

use std::collections::BTreeMap;

/// Who keeps what is needed to take jobs up again, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HighAvailability {
    /// `kubernetes`, `zookeeper`, or the class that does it; none without high availability.
    pub service: Option<String>,
    /// Where job graphs and checkpoints' metadata are.
    pub storage_directory: Option<String>,
}

/// Reads it. `high-availability` is the name up to 1.16, and an alias since (facts as in
/// `session/flink_config/keys.tsv`); the class of Kubernetes' is its name before 1.16.
pub fn of(settings: &BTreeMap<String, String>) -> HighAvailability {
    let get = |keys: [&str; 2]| keys.iter().find_map(|key| settings.get(*key)).cloned();
    let service = get(["high-availability.type", "high-availability"]);
    let service = service.filter(|service| !service.is_empty() && !service.eq_ignore_ascii_case("none"));
    HighAvailability {
        service: service.map(|service| match service.ends_with(".KubernetesHaServicesFactory") {
            true => "kubernetes".to_owned(),
            false => service.to_lowercase(),
        }),
        storage_directory: get(["high-availability.storageDir", "high-availability.zookeeper.storageDir"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_from_every_spelling() {
        let read = |pairs: &[(&str, &str)]| {
            let settings =
                pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let read = of(&settings);
            (read.service, read.storage_directory)
        };
        assert_eq!(read(&[]), (None, None));
        assert_eq!(read(&[("high-availability", "NONE")]), (None, None));
        let class = "org.apache.flink.kubernetes.highavailability.KubernetesHaServicesFactory";
        let there = (Some("kubernetes".to_owned()), Some("s3://b/ha".to_owned()));
        assert_eq!(
            read(&[("high-availability", class), ("high-availability.storageDir", "s3://b/ha")]),
            there
        );
        assert_eq!(
            read(&[("high-availability.type", "kubernetes"), ("high-availability.storageDir", "s3://b/ha")]),
            there
        );
        assert_eq!(read(&[("high-availability.type", "ZooKeeper")]).0.as_deref(), Some("zookeeper"));
    }
}
