//! `spec.jobManager` and `spec.taskManager`: what a role asks for, in today's field `resources` or in the older
//! `resource` (FLINK-33548, operator 1.16).
//!
//! Read as the operator reads them (`FlinkConfigBuilder`, `ResourceConfigUtils`): memory and CPU become Flink's
//! settings, and everything else goes into the pod template.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::session::flink_config::memory;
use crate::session::manifest::pod_template::PodTemplate;
use crate::session::spec::origin::{Place, Places};
use crate::session::spec::quantity::{self, Cpu, Memory};
use crate::session::text::yaml::YamlError;

use crate::session::flinkdeployment::parse::{Field, all_fields, fields};

/// What `jobManager` or `taskManager` says.
#[derive(Default)]
pub struct Role {
    pub memory: Option<Memory>,
    pub cpu: Option<Cpu>,
    pub replicas: Option<u16>,
    pub template: Option<PodTemplate>,
    /// How much larger than the request the limit is, for each of `memory` and `cpu` where it is larger.
    pub limit_factors: BTreeMap<&'static str, f64>,
    /// Where `memory`, `cpu`, `replicas` and `podTemplate` are set, and the limits as `memory limit` and `cpu limit`.
    pub places: BTreeMap<&'static str, Place>,
    /// What is left out, in sentences.
    pub notes: Vec<String>,
}

impl Role {
    pub fn read(role: &Field) -> Result<Self, YamlError> {
        let mut read = Self::default();
        let (mut resource, mut resources) = (None, None);
        for field in fields(role.value, &role.path, &["resource", "resources", "replicas", "podTemplate"])? {
            match field.name {
                "replicas" => {
                    read.replicas = Some(count(&field)?);
                    read.places.insert("replicas", field.place());
                }
                "podTemplate" => {
                    read.template = Some(PodTemplate::read(field.value, &field.path)?);
                    read.places.insert("podTemplate", field.place());
                }
                "resource" => resource = Some(field),
                _ => resources = Some(field),
            }
        }
        let is_set = match &resources {
            Some(resources) => read.resources(resources)?,
            None => false,
        };
        match (&resources, resource) {
            (Some(resources), Some(resource)) if is_set => {
                read.notes.push(format!("{} is left out: {} replaces it", resource.path, resources.path))
            }
            (_, Some(resource)) => read.resource(&resource)?,
            (_, None) => {}
        }
        Ok(read)
    }

    /// Stores where each setting of this role is set; the flags are those of the role.
    pub fn locate(&self, flags: impl IntoIterator<Item = (&'static str, &'static str)>, places: &mut Places) {
        for (name, flag) in flags {
            places.extend(self.places.get(name).map(|place| (flag.to_owned(), place.clone())));
        }
    }

    /// The older form: one amount for request and limit alike.
    fn resource(&mut self, resource: &Field) -> Result<(), YamlError> {
        for field in fields(resource.value, &resource.path, &["memory", "cpu", "ephemeralStorage"])? {
            match field.name {
                "memory" => self.set_memory(&field)?,
                "cpu" => self.set_cpu(&field)?,
                _ => {
                    let amounts = Map::from_iter([("ephemeral-storage".to_owned(), amount(&field)?)]);
                    self.add_to_template(resource, amounts.clone(), amounts);
                }
            }
        }
        Ok(())
    }

    /// A ResourceRequirements of Kubernetes. False when it has neither requests nor limits: then the operator
    /// reads the older field.
    fn resources(&mut self, resources: &Field) -> Result<bool, YamlError> {
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        let mut claims = None;
        for field in fields(resources.value, &resources.path, &["requests", "limits", "claims"])? {
            match field.name {
                "requests" => requests = all_fields(field.value, &field.path)?,
                "limits" => limits = all_fields(field.value, &field.path)?,
                _ => claims = Some(field.path),
            }
        }
        self.notes.extend(claims.map(|path| {
            format!("{path} is left out, as the operator leaves it out: a pod template can have such claims")
        }));
        if requests.is_empty() && limits.is_empty() {
            return Ok(false);
        }
        let named = |list: &[Field<'_>], name: &str| list.iter().position(|field| field.name == name);
        let [memory, cpu] = ["memory", "cpu"].map(|name| {
            let request = named(&requests, name).map(|at| &requests[at]);
            (request, named(&limits, name).map(|at| &limits[at]))
        });
        if let Some(field) = memory.0.or(memory.1) {
            self.set_memory(field)?;
        }
        if let Some(field) = cpu.0.or(cpu.1) {
            self.set_cpu(field)?;
        }
        if let ((Some(request), Some(limit)), Some(size)) = (memory, self.memory) {
            let most = bytes(limit)?;
            not_less(limit, request, most < bytes(request)?)?;
            self.limit("memory", limit, memory_factor(size, most));
        }
        if let ((Some(request), Some(limit)), Some(asked)) = (cpu, self.cpu) {
            let most = cores(limit)?;
            not_less(limit, request, most < asked)?;
            self.limit("cpu", limit, most.millicores() as f64 / asked.millicores() as f64);
        }
        self.add_to_template(resources, others(&requests)?, others(&limits)?);
        Ok(true)
    }

    fn set_memory(&mut self, field: &Field) -> Result<(), YamlError> {
        self.memory = Some(Memory::from_mebibytes(bytes(field)? >> 20).ok_or_else(|| too_small(field))?);
        self.places.insert("memory", field.place());
        Ok(())
    }

    fn set_cpu(&mut self, field: &Field) -> Result<(), YamlError> {
        self.cpu = Some(cores(field)?);
        self.places.insert("cpu", field.place());
        Ok(())
    }

    /// A factor of 1 is Flink's default, and Flink before 1.15 knows no other.
    fn limit(&mut self, name: &'static str, limit: &Field, factor: f64) {
        if factor > 1.0 {
            self.limit_factors.insert(name, factor);
            self.places.insert(if name == "cpu" { "cpu limit" } else { "memory limit" }, limit.place());
        }
    }

    fn add_to_template(&mut self, field: &Field, requests: Amounts, limits: Amounts) {
        if requests.is_empty() && limits.is_empty() {
            return;
        }
        let template = self.template.take().unwrap_or_else(|| PodTemplate::from_json(json!({})));
        self.template = Some(template.with_resources(requests, limits));
        self.places.entry("podTemplate").or_insert_with(|| field.place());
    }
}

type Amounts = Map<String, Value>;

/// What Flink has no settings for.
fn others(list: &[Field<'_>]) -> Result<Amounts, YamlError> {
    let others = list.iter().filter(|field| !["memory", "cpu"].contains(&field.name));
    others.map(|field| Ok((field.name.to_owned(), amount(field)?))).collect()
}

/// The factor with which Flink, which cuts off what is less than a MiB, gets the limit from the request.
fn memory_factor(request: Memory, limit: u64) -> f64 {
    let limit_mebibytes = limit >> 20;
    if limit_mebibytes <= request.mebibytes() {
        return 1.0;
    }
    let mut factor = limit as f64 / request.mebibytes().saturating_mul(1 << 20) as f64;
    while ((request.mebibytes() as f64 * factor) as u64) < limit_mebibytes {
        factor = factor.next_up();
    }
    factor
}

/// Flink and Kubernetes refuse a limit below the request.
fn not_less(limit: &Field, request: &Field, is_less: bool) -> Result<(), YamlError> {
    let text = |field: &Field| field.value.text(&field.path).unwrap_or_default().to_owned();
    match is_less {
        true => Err(limit.value.error(format!(
            "{}: {} is less than {}, which is {}",
            limit.path,
            text(limit),
            request.path,
            text(request)
        ))),
        false => Ok(()),
    }
}

fn count(field: &Field) -> Result<u16, YamlError> {
    let text = field.value.text(&field.path)?;
    text.parse().map_err(|_| field.value.error(format!("{}: {text:?} is not a whole number", field.path)))
}

/// The bytes of a size, tried as Flink's and then as a quantity of Kubernetes: `2048m` is 2048 MiB, although `m`
/// is a thousandth for Kubernetes. Like the operator, this reads a limit by the same rule as the request.
fn bytes(field: &Field) -> Result<u64, YamlError> {
    let text = field.value.text(&field.path)?.trim();
    memory::bytes(text).or_else(|| quantity_of_bytes(text)).ok_or_else(|| {
        field.value.error(format!("{}: {text:?} is not a memory size such as 2048m, 2g or 2Gi", field.path))
    })
}

/// A quantity whatever its case, with spaces and a final B, as the operator takes them.
fn quantity_of_bytes(text: &str) -> Option<u64> {
    let upper: String = text.split_whitespace().collect::<String>().to_uppercase();
    let number = upper.strip_suffix('B').unwrap_or(&upper);
    let quantity = match number.strip_suffix('I') {
        Some(number) => format!("{number}i"),
        None => number.to_owned(),
    };
    u64::try_from(quantity::kubernetes(&quantity)? / 1000).ok()
}

/// A small number without a unit is meant as one of MiB, and read as one of bytes.
fn too_small(field: &Field) -> YamlError {
    let text = field.value.text(&field.path).unwrap_or_default().trim();
    field.value.error(match text.parse::<u64>() {
        Ok(number) => format!("{}: {text} has no unit: use {number}m for MiB", field.path),
        Err(_) => format!("{}: {text:?} is less than one MiB", field.path),
    })
}

fn cores(field: &Field) -> Result<Cpu, YamlError> {
    let text = field.value.text(&field.path)?;
    let millicores = quantity::kubernetes(text).and_then(|millicores| u64::try_from(millicores).ok());
    millicores.and_then(Cpu::from_millicores).ok_or_else(|| {
        field
            .value
            .error(format!("{}: {text:?} is not a number of CPU cores such as 0.5, 2 or 500m", field.path))
    })
}

/// An amount of something that Flink has no setting for, as Kubernetes reads it.
fn amount(field: &Field) -> Result<Value, YamlError> {
    let text = field.value.text(&field.path)?.trim();
    match quantity::kubernetes(text).filter(|amount| *amount >= 0) {
        Some(_) => Ok(Value::String(text.to_owned())),
        None => Err(field.value.error(format!(
            "{}: {text:?} is not a quantity of Kubernetes such as 2, 500m or 2Gi",
            field.path
        ))),
    }
}
