//! StatefulSets, Deployments, ReplicaSets and ControllerRevisions on the wire.
use super::fields::{at, count, flag, int, int32, list, pairs, text, text_at};
use super::{Wire, head, intern_claim_spec, meta, unless_empty, unless_zero, without_nulls};
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::api::pod_spec::Template;
use crate::api::selector::Selector;
use crate::api::store::Store;
use crate::api::template_hash::revision_data;
use serde_json::{Value, json};
use std::sync::Arc;

impl IntOrPercent {
    /// From a JSON number or a text such as `25%`.
    pub(crate) fn from_json(value: Option<&Value>) -> Option<IntOrPercent> {
        match value? {
            Value::Number(number) => Some(IntOrPercent::Int(i32::try_from(number.as_i64()?).ok()?)),
            Value::String(text) => Some(IntOrPercent::Percent(text.strip_suffix('%')?.parse().ok()?)),
            _ => None,
        }
    }

    /// As it is written in JSON.
    pub(crate) fn to_json(self) -> Value {
        match self {
            IntOrPercent::Int(number) => number.into(),
            IntOrPercent::Percent(percent) => format!("{percent}%").into(),
        }
    }
}

/// The number of a defaulted pod template.
pub fn intern_template(store: &mut Store, template: &Value) -> TemplateId {
    store.intern_template(&template.to_string(), |store| {
        let empty = Value::Null;
        let metadata = template.get("metadata").unwrap_or(&empty);
        let words: Vec<Sym> =
            super::fields::texts(metadata, "finalizers").map(|word| store.names.word(word)).collect();
        Template {
            json: Arc::new(template.clone()),
            labels: meta::labels_from(store, pairs(metadata, "labels")),
            annotations: meta::labels_from(store, pairs(metadata, "annotations")),
            finalizers: store.words.intern(&words),
        }
    })
}

fn template_of(store: &mut Store, spec: &Value) -> TemplateId {
    intern_template(store, spec.get("template").unwrap_or(&json!({})))
}

/// spec.selector: compiled, and as given. One that cannot be read selects nothing; validation has refused it before.
fn selector_of(spec: &Value) -> (Arc<Selector>, Arc<Value>) {
    let json = spec.get("selector").cloned().unwrap_or_else(|| json!({}));
    let selector = Selector::from_label_selector(&json).unwrap_or_else(|_| Selector::from_pairs([("", " ")]));
    (Arc::new(selector), Arc::new(json))
}

fn name_or_null(store: &Store, name: Name) -> Value {
    if name == Name::default() { Value::Null } else { unless_empty(store.name_of(name)) }
}

fn name_of(store: &mut Store, status: &Value, field: &str) -> Name {
    match text(status, field) {
        "" => Name::default(),
        name => store.name_from_text(name),
    }
}

fn retention(text: &str) -> Retention {
    if text == "Delete" { Retention::Delete } else { Retention::Retain }
}

fn retention_text(retention: Retention) -> &'static str {
    match retention {
        Retention::Retain => "Retain",
        Retention::Delete => "Delete",
    }
}

fn strategy_to_json(strategy: UpdateStrategy) -> Value {
    match strategy {
        UpdateStrategy::OnDelete => json!({"type": "OnDelete"}),
        UpdateStrategy::RollingUpdate(None) => json!({"type": "RollingUpdate"}),
        UpdateStrategy::RollingUpdate(Some(rolling)) => json!({
            "type": "RollingUpdate",
            "rollingUpdate": without_nulls(json!({
                "partition": rolling.partition,
                "maxUnavailable": rolling.max_unavailable.map(IntOrPercent::to_json),
            })),
        }),
    }
}

fn strategy_from_json(spec: &Value) -> UpdateStrategy {
    if text_at(spec, &["updateStrategy", "type"]) == "OnDelete" {
        return UpdateStrategy::OnDelete;
    }
    UpdateStrategy::RollingUpdate(at(spec, &["updateStrategy", "rollingUpdate"]).map(|rolling| {
        RollingUpdate {
            partition: int32(rolling, "partition").unwrap_or(0),
            max_unavailable: IntOrPercent::from_json(rolling.get("maxUnavailable")),
        }
    }))
}

/// A claim template; its claims carry the selector's `matchLabels` over its own labels (STS-19).
fn claim_template(store: &mut Store, template: &Value, selector: &Value) -> ClaimTemplate {
    let empty = Value::Null;
    let metadata = template.get("metadata").unwrap_or(&empty);
    let beta_class = text_at(metadata, &["annotations", crate::api::admission::BETA_CLASS]);
    let mut spec = template.get("spec").cloned().unwrap_or_else(|| json!({}));
    let volume_name = store.names.word(text(&spec, "volumeName"));
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("volumeName");
    }
    ClaimTemplate {
        name: store.names.word(text(metadata, "name")),
        labels: meta::labels_from(store, pairs(metadata, "labels").chain(pairs(selector, "matchLabels"))),
        annotations: meta::labels_from(store, pairs(metadata, "annotations")),
        spec: intern_claim_spec(store, spec, volume_name, Some(beta_class).filter(|class| !class.is_empty())),
        json: Arc::new(template.clone()),
    }
}

fn set_spec(store: &mut Store, spec: &Value) -> StatefulSetSpec {
    let (selector, selector_json) = selector_of(spec);
    let claims = list(spec, "volumeClaimTemplates").iter();
    let retain = |half| retention(text_at(spec, &["persistentVolumeClaimRetentionPolicy", half]));
    StatefulSetSpec {
        replicas: int32(spec, "replicas").unwrap_or(1),
        selector,
        template: template_of(store, spec),
        claims: claims.map(|template| claim_template(store, template, &selector_json)).collect(),
        selector_json,
        service_name: store.names.word(text(spec, "serviceName")),
        policy: match text(spec, "podManagementPolicy") {
            "Parallel" => PodManagement::Parallel,
            _ => PodManagement::OrderedReady,
        },
        strategy: strategy_from_json(spec),
        history_limit: int32(spec, "revisionHistoryLimit").unwrap_or(10),
        min_ready: count(spec, "minReadySeconds"),
        when_deleted: retain("whenDeleted"),
        when_scaled: retain("whenScaled"),
        start: at(spec, &["ordinals"]).map(|ordinals| int32(ordinals, "start").unwrap_or(0)),
    }
}

impl Wire for StatefulSet {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<StatefulSet>(store, &self.meta);
        let spec = &self.spec;
        let claims: Vec<Value> = spec.claims.iter().map(|claim| Value::clone(&claim.json)).collect();
        json["spec"] = without_nulls(json!({
            "replicas": spec.replicas,
            "selector": *spec.selector_json,
            "template": *store.template(spec.template).json,
            "volumeClaimTemplates": if claims.is_empty() { Value::Null } else { claims.into() },
            "serviceName": unless_empty(store.names.text(spec.service_name)),
            "podManagementPolicy": match spec.policy {
                PodManagement::OrderedReady => "OrderedReady",
                PodManagement::Parallel => "Parallel",
            },
            "updateStrategy": strategy_to_json(spec.strategy),
            "revisionHistoryLimit": spec.history_limit,
            "minReadySeconds": unless_zero(spec.min_ready),
            "persistentVolumeClaimRetentionPolicy": {
                "whenDeleted": retention_text(spec.when_deleted),
                "whenScaled": retention_text(spec.when_scaled),
            },
            "ordinals": spec.start.map(|start| json!({"start": start})),
        }));
        let status = &self.status;
        json["status"] = without_nulls(json!({
            "observedGeneration": unless_zero(status.observed_generation),
            "replicas": status.replicas,
            "readyReplicas": unless_zero(status.ready),
            "availableReplicas": status.available,
            "currentReplicas": unless_zero(status.current),
            "updatedReplicas": unless_zero(status.updated),
            "currentRevision": name_or_null(store, status.current_revision),
            "updateRevision": name_or_null(store, status.update_revision),
            "collisionCount": status.collisions,
            "conditions": self.conditions.as_deref(),
        }));
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> StatefulSet {
        let empty = Value::Null;
        let status = json.get("status").unwrap_or(&empty);
        let number = |field| int32(status, field).unwrap_or(0);
        StatefulSet {
            meta: meta::from_json(store, StatefulSet::KIND, json, |_, _| true),
            spec: Arc::new(set_spec(store, json.get("spec").unwrap_or(&empty))),
            status: StatefulSetStatus {
                observed_generation: count(status, "observedGeneration"),
                replicas: number("replicas"),
                ready: number("readyReplicas"),
                available: number("availableReplicas"),
                current: number("currentReplicas"),
                updated: number("updatedReplicas"),
                current_revision: name_of(store, status, "currentRevision"),
                update_revision: name_of(store, status, "updateRevision"),
                collisions: int32(status, "collisionCount"),
            },
            conditions: status.get("conditions").filter(|all| *all != &json!([])).cloned().map(Arc::new),
        }
    }

    fn keep_spec(&mut self, old: &StatefulSet) {
        self.spec = old.spec.clone();
    }

    fn keep_status(&mut self, old: &StatefulSet) {
        self.status = old.status;
        self.conditions.clone_from(&old.conditions);
    }
}

impl Wire for ControllerRevision {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<ControllerRevision>(store, &self.meta);
        json["data"] = serde_json::from_str(&self.data).unwrap_or_default();
        json["revision"] = self.number.into();
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> ControllerRevision {
        let mut template = at(json, &["data", "spec", "template"]).cloned().unwrap_or_else(|| json!({}));
        if let Some(fields) = template.as_object_mut() {
            fields.remove("$patch");
        }
        ControllerRevision {
            meta: meta::from_json(store, ControllerRevision::KIND, json, |_, _| true),
            data: revision_data(&template).into(),
            template: intern_template(store, &template),
            number: int(json, "revision").unwrap_or(0),
        }
    }

    fn keep_status(&mut self, _: &ControllerRevision) {}
}

/// Every word a condition of a Deployment or ReplicaSet can be made of.
const CONDITION_WORDS: [&str; 19] = [
    "Available",
    "Progressing",
    "ReplicaFailure",
    "True",
    "False",
    "Unknown",
    "MinimumReplicasAvailable",
    "MinimumReplicasUnavailable",
    "NewReplicaSetCreated",
    "NewReplicaSetAvailable",
    "FoundNewReplicaSet",
    "ReplicaSetUpdated",
    "ReplicaSetCreateError",
    "ProgressDeadlineExceeded",
    "DeploymentPaused",
    "DeploymentResumed",
    "FailedCreate",
    "FailedDelete",
    "",
];

fn conditions_to_json(store: &Store, conditions: &[Condition]) -> Value {
    if conditions.is_empty() {
        return Value::Null;
    }
    let conditions = conditions.iter().map(|condition| {
        without_nulls(json!({
            "type": condition.kind,
            "status": condition.status,
            "reason": unless_empty(condition.reason),
            "message": unless_empty(store.names.text(condition.message)),
            "lastUpdateTime": meta::time(condition.updated),
            "lastTransitionTime": meta::time(condition.since),
        }))
    });
    conditions.collect()
}

fn conditions_from(store: &mut Store, status: &Value) -> Vec<Condition> {
    let word = |text: &str| CONDITION_WORDS.into_iter().find(|known| *known == text).unwrap_or_default();
    list(status, "conditions")
        .iter()
        .map(|condition| Condition {
            kind: word(text(condition, "type")),
            status: word(text(condition, "status")),
            reason: word(text(condition, "reason")),
            message: store.names.word(text(condition, "message")),
            updated: meta::seconds(condition, "lastUpdateTime"),
            since: meta::seconds(condition, "lastTransitionTime"),
        })
        .collect()
}

impl Wire for Deployment {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<Deployment>(store, &self.meta);
        let (spec, status) = (&self.spec, &self.status);
        let strategy = match spec.strategy {
            DeploymentStrategy::Recreate => json!({"type": "Recreate"}),
            DeploymentStrategy::RollingUpdate { max_surge, max_unavailable } => json!({
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": max_surge.to_json(), "maxUnavailable": max_unavailable.to_json()},
            }),
        };
        json["spec"] = without_nulls(json!({
            "replicas": spec.replicas,
            "selector": *spec.selector_json,
            "template": *store.template(spec.template).json,
            "strategy": strategy,
            "minReadySeconds": unless_zero(spec.min_ready),
            "revisionHistoryLimit": spec.history_limit,
            "progressDeadlineSeconds": spec.progress_deadline,
            "paused": spec.paused.then_some(true),
        }));
        json["status"] = without_nulls(json!({
            "observedGeneration": unless_zero(status.observed_generation),
            "replicas": unless_zero(status.replicas),
            "updatedReplicas": unless_zero(status.updated),
            "readyReplicas": unless_zero(status.ready),
            "availableReplicas": unless_zero(status.available),
            "unavailableReplicas": unless_zero(status.unavailable),
            "terminatingReplicas": status.terminating,
            "collisionCount": status.collisions,
            "conditions": conditions_to_json(store, &status.conditions),
        }));
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> Deployment {
        let empty = Value::Null;
        let (spec, status) = (json.get("spec").unwrap_or(&empty), json.get("status").unwrap_or(&empty));
        let (selector, selector_json) = selector_of(spec);
        let number = |field| int32(status, field).unwrap_or(0);
        let rolling = at(spec, &["strategy", "rollingUpdate"]).unwrap_or(&empty);
        let part = |field| IntOrPercent::from_json(rolling.get(field)).unwrap_or(IntOrPercent::Percent(25));
        Deployment {
            meta: meta::from_json(store, Deployment::KIND, json, |_, _| true),
            spec: Arc::new(DeploymentSpec {
                replicas: int32(spec, "replicas").unwrap_or(1),
                selector,
                selector_json,
                template: template_of(store, spec),
                strategy: match text_at(spec, &["strategy", "type"]) {
                    "Recreate" => DeploymentStrategy::Recreate,
                    _ => DeploymentStrategy::RollingUpdate {
                        max_surge: part("maxSurge"),
                        max_unavailable: part("maxUnavailable"),
                    },
                },
                min_ready: count(spec, "minReadySeconds"),
                history_limit: int32(spec, "revisionHistoryLimit").unwrap_or(10),
                progress_deadline: int32(spec, "progressDeadlineSeconds").unwrap_or(600),
                paused: flag(spec, "paused"),
            }),
            status: DeploymentStatus {
                observed_generation: count(status, "observedGeneration"),
                replicas: number("replicas"),
                updated: number("updatedReplicas"),
                ready: number("readyReplicas"),
                available: number("availableReplicas"),
                unavailable: number("unavailableReplicas"),
                terminating: int32(status, "terminatingReplicas"),
                collisions: int32(status, "collisionCount"),
                conditions: conditions_from(store, status),
            },
        }
    }

    fn keep_spec(&mut self, old: &Deployment) {
        self.spec = old.spec.clone();
    }

    fn keep_status(&mut self, old: &Deployment) {
        self.status = old.status.clone();
    }
}

impl Wire for ReplicaSet {
    fn to_json(&self, store: &Store) -> Value {
        let mut json = head::<ReplicaSet>(store, &self.meta);
        let (spec, status) = (&self.spec, &self.status);
        json["spec"] = without_nulls(json!({
            "replicas": spec.replicas,
            "selector": *spec.selector_json,
            "template": *store.template(spec.template).json,
            "minReadySeconds": unless_zero(spec.min_ready),
        }));
        json["status"] = without_nulls(json!({
            "observedGeneration": unless_zero(status.observed_generation),
            "replicas": status.replicas,
            "fullyLabeledReplicas": unless_zero(status.fully_labeled),
            "readyReplicas": unless_zero(status.ready),
            "availableReplicas": unless_zero(status.available),
            "terminatingReplicas": status.terminating,
            "conditions": conditions_to_json(store, &status.conditions),
        }));
        json
    }

    fn from_json(store: &mut Store, json: &Value) -> ReplicaSet {
        let empty = Value::Null;
        let (spec, status) = (json.get("spec").unwrap_or(&empty), json.get("status").unwrap_or(&empty));
        let (selector, selector_json) = selector_of(spec);
        let number = |field| int32(status, field).unwrap_or(0);
        ReplicaSet {
            meta: meta::from_json(store, ReplicaSet::KIND, json, |_, _| true),
            spec: Arc::new(ReplicaSetSpec {
                replicas: int32(spec, "replicas").unwrap_or(1),
                selector,
                selector_json,
                template: template_of(store, spec),
                min_ready: count(spec, "minReadySeconds"),
            }),
            status: ReplicaSetStatus {
                observed_generation: count(status, "observedGeneration"),
                replicas: number("replicas"),
                fully_labeled: number("fullyLabeledReplicas"),
                ready: number("readyReplicas"),
                available: number("availableReplicas"),
                terminating: int32(status, "terminatingReplicas"),
                conditions: conditions_from(store, status),
            },
        }
    }

    fn keep_spec(&mut self, old: &ReplicaSet) {
        self.spec = old.spec.clone();
    }

    fn keep_status(&mut self, old: &ReplicaSet) {
        self.status = old.status.clone();
    }
}
