//! The Deployment twin of a StatefulSet: the same scenario with the same pods, owned by a Deployment.
//!
//! The twin is a scenario file like any other: it is written as text, read by the ordinary reader and played, so that
//! what is compared is what `-o scenario` prints. Fields that both kinds have are kept (replicas, selector, template,
//! minReadySeconds, revisionHistoryLimit), the others are dropped. A claim template becomes one claim that all pods
//! mount, which is all that a pod template can say about a claim, or an emptyDir. Everything that is said about the set
//! is said about the twin ([`Names`]); what cannot be is left out, and noted.
mod retold;

use crate::compare::names::Names;
use crate::expect::Constant;
use serde_json::{Map, Value, json};

/// What becomes of claim templates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Storage {
    /// One claim per template, mounted by all pods.
    #[default]
    Shared,
    /// An emptyDir: what is in it goes with the pod.
    None,
}

/// Something about the twin that is not as in the original.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// What it is about: `step 3 (kubectl delete pod web-1)`.
    pub about: String,
    /// What became of it.
    pub text: String,
    /// It was left out.
    pub left_out: bool,
}

/// A Deployment twin as a scenario.
#[derive(Clone, Debug)]
pub struct Twin {
    /// The scenario file.
    pub text: String,
    /// Both names.
    pub names: Names,
    /// Namespace of both.
    pub namespace: String,
    /// The numbers of the steps that the twin has too, in order.
    pub steps: Vec<usize>,
    /// The same for the lane.
    pub faults: Vec<usize>,
    /// What is not as in the original.
    pub remarks: Vec<Remark>,
}

/// A scenario as values.
#[derive(Clone, Debug, Default)]
pub struct Original {
    /// metadata.name, or what plain manifests are called.
    pub name: String,
    /// The Scenario document, parameters replaced; plain manifests have none.
    pub own: Option<Value>,
    /// All manifests in order, those of other files too.
    pub manifests: Vec<Value>,
    /// What conditions call `params.NAME`.
    pub params: Vec<(String, Constant)>,
    /// Manifests given for the twin in place of the StatefulSet: a Deployment, and what belongs to it.
    pub given: Option<Vec<Value>>,
}

/// The only workload of a kind among manifests.
fn only<'v>(manifests: &'v [Value], kind: &str, wanted: Option<&str>) -> Result<&'v Value, String> {
    let all: Vec<&Value> = manifests.iter().filter(|value| value["kind"] == kind).collect();
    let named: Vec<&str> = all.iter().map(|value| name_of(value)).collect();
    match (all.as_slice(), wanted) {
        (_, Some(name)) => {
            let found = all.iter().find(|value| name_of(value) == name);
            found.copied().ok_or_else(|| match named.as_slice() {
                [] => format!("there is no {kind} `{name}`; there is none at all"),
                names => format!("there is no {kind} `{name}`; there is {}", names.join(", ")),
            })
        }
        ([one], None) => Ok(one),
        ([], None) => Err(format!("there is no {kind} in it")),
        (_, None) => Err(format!(
            "there are {} of kind {kind} ({})\n  = help: say which with --workload NAME",
            all.len(),
            named.join(", ")
        )),
    }
}

fn name_of(value: &Value) -> &str {
    value["metadata"]["name"].as_str().unwrap_or_default()
}

fn namespace_of(value: &Value) -> &str {
    value["metadata"]["namespace"].as_str().unwrap_or("default")
}

/// Makes the twin.
///
/// # Errors
/// Why there is none: no StatefulSet, or several of them.
pub fn twin(original: &Original, workload: Option<&str>, storage: Storage) -> Result<Twin, String> {
    let set = only(&original.manifests, "StatefulSet", workload).map_err(|why| {
        let deployments = original.manifests.iter().any(|value| value["kind"] == "Deployment");
        let help =
            "\n  = help: a StatefulSet is compared with the Deployment made of it, not the other way round";
        if deployments && !why.contains("help") { why + help } else { why }
    })?;
    let namespace = namespace_of(set).to_owned();
    let mut names = Names {
        set: name_of(set).to_owned(),
        twin: name_of(set).to_owned(),
        start: u32::try_from(set["spec"]["ordinals"]["start"].as_u64().unwrap_or(0)).unwrap_or(0),
        claims: claim_templates(set, storage),
    };
    if let Some(given) = &original.given {
        name_of(only(given, "Deployment", None)?).clone_into(&mut names.twin);
        let claims = given.iter().filter(|value| value["kind"] == "PersistentVolumeClaim").map(name_of);
        let mut claims = claims.map(str::to_owned);
        for (_, shared) in &mut names.claims {
            *shared = claims.next();
        }
    }
    let mut making = Making { names, namespace, steps: Vec::new(), faults: Vec::new(), remarks: Vec::new() };
    let manifests = making.manifests(original);
    let own = making.own(original);
    let mut text = String::new();
    for (n, document) in std::iter::once(&own).chain(&manifests).enumerate() {
        if n > 0 {
            text.push_str("---\n");
        }
        text.push_str(&crate::kubectl::yaml_of(document));
    }
    let Making { names, namespace, steps, faults, remarks } = making;
    Ok(Twin { text, names, namespace, steps, faults, remarks })
}

/// The claim templates of a set, each with the claim the twin's pods share.
fn claim_templates(set: &Value, storage: Storage) -> Vec<(String, Option<String>)> {
    let templates = set["spec"]["volumeClaimTemplates"].as_array();
    let names = templates.into_iter().flatten().map(name_of);
    let shared = |name: &str| (storage == Storage::Shared).then(|| format!("{name}-{}", name_of(set)));
    names.map(|name| (name.to_owned(), shared(name))).collect()
}

/// The twin in the making.
struct Making {
    names: Names,
    namespace: String,
    steps: Vec<usize>,
    faults: Vec<usize>,
    remarks: Vec<Remark>,
}

impl Making {
    fn remark(&mut self, about: impl Into<String>, text: impl Into<String>, left_out: bool) {
        self.remarks.push(Remark { about: about.into(), text: text.into(), left_out });
    }

    fn is_set(&self, value: &Value) -> bool {
        value["kind"] == "StatefulSet"
            && name_of(value) == self.names.set
            && namespace_of(value) == self.namespace
    }

    fn manifests(&mut self, original: &Original) -> Vec<Value> {
        let mut twins = Vec::new();
        for manifest in &original.manifests {
            if !self.is_set(manifest) {
                let replaced =
                    original.given.iter().flatten().any(|given| {
                        given["kind"] == manifest["kind"] && name_of(given) == name_of(manifest)
                    });
                if !replaced {
                    self.selected(manifest);
                    twins.push(manifest.clone());
                }
            } else if let Some(given) = &original.given {
                twins.extend(given.iter().cloned());
            } else {
                self.lost_fields(manifest);
                twins.extend(self.documents(manifest));
            }
        }
        twins
    }

    /// A service that picks one pod by its name.
    fn selected(&mut self, manifest: &Value) {
        let label = "statefulset.kubernetes.io/pod-name";
        if manifest["kind"] == "Service" && manifest["spec"]["selector"].get(label).is_some() {
            let about = format!("service {}", name_of(manifest));
            self.remark(
                about,
                format!("it selects by {label}, a label that no pod of a Deployment has"),
                false,
            );
        }
    }

    /// Fields of the set that say something a Deployment cannot.
    fn lost_fields(&mut self, set: &Value) {
        let spec = &set["spec"];
        for (template, shared) in self.names.claims.clone() {
            let text = match shared {
                Some(claim) => format!("one claim {claim} that all pods mount (--storage none: an emptyDir)"),
                None => "an emptyDir, which goes with its pod".to_owned(),
            };
            self.remark(format!("volumeClaimTemplate {template}"), text, false);
        }
        for field in ["serviceName", "podManagementPolicy", "ordinals"] {
            if spec.get(field).is_some_and(|value| value != "") {
                self.remark(field, "dropped, a Deployment has no such field", false);
            }
        }
        let strategy = &spec["updateStrategy"];
        if strategy["type"] == "OnDelete" {
            self.remark("updateStrategy OnDelete", "the twin rolls by itself, as Deployments do", false);
        }
        if strategy["rollingUpdate"]["partition"].as_i64().is_some_and(|partition| partition > 0) {
            self.remark("updateStrategy.rollingUpdate.partition", "a Deployment has no partition", false);
        }
        if spec["persistentVolumeClaimRetentionPolicy"]["whenScaled"] == "Delete"
            || spec["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Delete"
        {
            self.remark("persistentVolumeClaimRetentionPolicy", "a Deployment owns no claims", false);
        }
    }

    /// The Deployment of a StatefulSet, after the claims that its pods share.
    fn documents(&self, set: &Value) -> Vec<Value> {
        let mut documents = Vec::new();
        let mut spec = Map::new();
        for field in ["replicas", "selector", "template", "minReadySeconds", "revisionHistoryLimit"] {
            if let Some(value) = set["spec"].get(field) {
                spec.insert(field.to_owned(), value.clone());
            }
        }
        let mut volumes = set["spec"]["template"]["spec"]["volumes"].as_array().cloned().unwrap_or_default();
        for template in set["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
            let name = name_of(template);
            let shared = self.names.claims.iter().find(|(known, _)| known == name);
            volumes.retain(|volume| volume["name"] != name);
            match shared.and_then(|(_, claim)| claim.as_ref()) {
                Some(claim) => {
                    let mut metadata = json!({"name": claim, "namespace": self.namespace});
                    for field in ["labels", "annotations"] {
                        if let Some(value) = template["metadata"].get(field) {
                            metadata[field] = value.clone();
                        }
                    }
                    documents.push(json!({
                        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                        "metadata": metadata, "spec": template["spec"],
                    }));
                    volumes.push(json!({"name": name, "persistentVolumeClaim": {"claimName": claim}}));
                }
                None => volumes.push(json!({"name": name, "emptyDir": {}})),
            }
        }
        if !volumes.is_empty() {
            let template = spec.entry("template").or_insert_with(|| json!({}));
            template["spec"]["volumes"] = Value::Array(volumes);
        }
        let mut metadata = set["metadata"].clone();
        metadata["name"] = self.names.twin.as_str().into();
        documents.push(json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec,
        }));
        documents
    }
}
