//! What the API server adds to objects on their way in, beyond defaults: admission plug-ins.
//!
//! DefaultTolerationSeconds (NODE-20), Priority, DefaultStorageClass (VOL-5), PersistentVolumeClaimResize,
//! TaintNodesByCondition (NODE-11); the
//! protection finalizers come with every create ([`crate::api::objects::Object::PROTECTION`]). Follows plugin/pkg/admission. Here is also what a workload controller's
//! pods look like once admitted ([`pod_spec_for_set`], [`pod_spec_for_template`]): the same for all pods of a
//! template, so a controller asks once. Left out: ServiceAccount (no token volumes), LimitRanger, ResourceQuota,
//! PodSecurity, RuntimeClass.
use crate::api::names::Sym;
use crate::api::objects::*;
use crate::api::pod_spec::{ClaimName, ClaimUse, Hostname, Shared, Template};
use crate::api::quantity::Quantity;
use crate::api::status::Status;
use crate::api::store::Store;
use crate::api::template_defaults::default_pod;
use crate::api::wire::fields::{Object, at, ensure, list, set_default, text, text_at};
use crate::config::Config;
use crate::rule::mark;
use serde_json::{Value, json};

/// Tolerations of these taints are added to every pod (NODE-20), in this order.
const TOLERATED: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
/// The taint every new node gets (NODE-11).
const NOT_READY_TAINT: &str = "node.kubernetes.io/not-ready";
/// Annotation that named a claim's class before there was a field for it.
pub(crate) const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// The admitted spec that all pods of a StatefulSet with this template share: hostname is the pod's name, subdomain
/// the service's, and each claim template a volume in front of those of the template (STS-15, STS-20).
/// `set_stem` is the set's whole name as one word.
///
/// # Errors
/// `Forbidden` by the Priority plug-in; the message names the pod of ordinal 0.
pub fn pod_spec_for_set(
    store: &mut Store,
    config: &Config,
    template: TemplateId,
    claims: &[ClaimTemplate],
    set_stem: Sym,
    service_name: Sym,
) -> Result<PodSpecId, Status> {
    let template = store.template(template).clone();
    let set = store.names.text(set_stem).to_owned();
    let mut json = template.json.get("spec").cloned().unwrap_or_else(|| json!({}));
    if let Some(spec) = json.as_object_mut() {
        spec.remove("hostname");
        spec.remove("subdomain");
        // STS-17: the name is taken as it is, nobody looks for the Service.
        mark!("STS-17");
        if !service_name.is_empty() {
            spec.insert("subdomain".into(), store.names.text(service_name).into());
        }
        if let Some(Value::Array(volumes)) = spec.get_mut("volumes") {
            let names: Vec<_> = claims.iter().map(|claim| store.names.text(claim.name)).collect();
            volumes.retain(|volume| !names.contains(&text(volume, "name")));
            if volumes.is_empty() {
                spec.remove("volumes");
            }
        }
    }
    let node_name = take_node_name(store, &mut json);
    let json = admitted(store, config, &template, json, &format!("{set}-0"))?;
    mark!("STS-20" if !claims.is_empty());
    let claims = claims
        .iter()
        .map(|claim| {
            let stem = format!("{}-{set}", store.names.text(claim.name));
            ClaimUse { volume: claim.name, claim: ClaimName::PerOrdinal(store.names.word(&stem)) }
        })
        .collect();
    Ok(Shared { json, hostname: Hostname::PodName, claims, node_name }.intern(store))
}

/// The admitted spec that all pods of a ReplicaSet with this template share. `name` is for messages: their
/// generateName, since admission changes a pod before it gets its name.
///
/// # Errors
/// `Forbidden` by the Priority plug-in.
pub fn pod_spec_for_template(
    store: &mut Store,
    config: &Config,
    template: TemplateId,
    name: &str,
) -> Result<PodSpecId, Status> {
    let template = store.template(template).clone();
    let mut json = template.json.get("spec").cloned().unwrap_or_else(|| json!({}));
    let node_name = take_node_name(store, &mut json);
    let hostname = match json.as_object_mut().and_then(|spec| spec.remove("hostname")) {
        Some(Value::String(text)) if !text.is_empty() => Hostname::Fixed(store.names.word(&text)),
        _ => Hostname::None,
    };
    let json = admitted(store, config, &template, json, name)?;
    Ok(Shared { json, hostname, claims: Vec::new(), node_name }.intern(store))
}

fn take_node_name(store: &mut Store, spec: &mut Value) -> Sym {
    match spec.as_object_mut().and_then(|spec| spec.remove("nodeName")) {
        Some(Value::String(name)) => store.names.word(&name),
        _ => Sym::EMPTY,
    }
}

/// The spec of a pod made from a template, defaulted and admitted.
fn admitted(
    store: &Store,
    config: &Config,
    template: &Template,
    spec: Value,
    name: &str,
) -> Result<Value, Status> {
    let metadata = template.json.get("metadata").cloned().unwrap_or_else(|| json!({}));
    let mut pod = json!({"metadata": metadata, "spec": spec});
    default_pod(&mut pod);
    admit_pod(store, config, &mut pod, name)?;
    Ok(pod.get_mut("spec").map(Value::take).unwrap_or_default())
}

/// Admits a defaulted pod that is about to be created; `name` is for messages.
///
/// # Errors
/// `Forbidden`: the priority class does not exist, or the priority given is not that of the class.
pub fn admit_pod(store: &Store, config: &Config, pod: &mut Value, name: &str) -> Result<(), Status> {
    let Some(spec) = ensure(pod, "spec") else { return Ok(()) };
    add_tolerations(spec, i64::try_from(config.timers.default_toleration.as_secs()).unwrap_or(i64::MAX));
    set_priority(store, spec, name)
}

/// DefaultTolerationSeconds (NODE-20): an empty key or effect covers the taint too.
fn add_tolerations(spec: &mut Object, seconds: i64) {
    let given = spec.get("tolerations").and_then(Value::as_array).cloned().unwrap_or_default();
    let covered = |key: &str| {
        given.iter().any(|toleration| {
            let (of, effect) = (text(toleration, "key"), text(toleration, "effect"));
            (of == key || of.is_empty()) && (effect == "NoExecute" || effect.is_empty())
        })
    };
    let added: Vec<Value> = TOLERATED
        .into_iter()
        .filter(|key| !covered(key))
        .map(|key| {
            json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds})
        })
        .collect();
    mark!("NODE-20");
    if !added.is_empty() {
        spec.insert("tolerations".into(), given.into_iter().chain(added).collect());
    }
}

/// Priority plug-in: the class' number and preemption policy are written into the spec.
fn set_priority(store: &Store, spec: &mut Object, name: &str) -> Result<(), Status> {
    let forbidden = |why: String| Err(Status::forbidden(format!("pods \"{name}\" is forbidden: {why}")));
    let given = spec.get("priorityClassName").and_then(Value::as_str).unwrap_or_default().to_owned();
    let class = if given.is_empty() {
        default_priority_class(store)
    } else {
        let found = store.names.known_name(&given).and_then(|n| store.priorities.find(Sym::EMPTY, n));
        match found {
            Some((_, class)) => Some(class),
            None => return forbidden(format!("no PriorityClass with name {given} was found")),
        }
    };
    let (value, preempts) = class.map_or((0, true), |class| (class.value, class.preempts));
    if let Some(wrong) = spec.get("priority").and_then(Value::as_i64).filter(|n| *n != i64::from(value)) {
        return forbidden(format!(
            "the integer value of priority ({wrong}) must not be provided in pod spec; priority admission \
             controller computed {value} from the given PriorityClass name"
        ));
    }
    let policy = if preempts { "PreemptLowerPriority" } else { "Never" };
    if let Some(wrong) = spec.get("preemptionPolicy").and_then(Value::as_str).filter(|p| *p != policy) {
        return forbidden(format!(
            "the string value of PreemptionPolicy ({wrong}) must not be provided in pod spec; priority admission \
             controller computed {policy} from the given PriorityClass name"
        ));
    }
    if given.is_empty()
        && let Some(class) = class
    {
        spec.insert("priorityClassName".into(), store.name_of(class.meta.name).into());
    }
    spec.insert("priority".into(), value.into());
    spec.insert("preemptionPolicy".into(), policy.into());
    Ok(())
}

/// The global default class; the lowest if there are several.
fn default_priority_class(store: &Store) -> Option<&PriorityClass> {
    let classes = store.priorities.iter().map(|(_, class)| class).filter(|class| class.global_default);
    classes.min_by_key(|class| class.value)
}

/// The class that claims without one get: of several default classes the newest, then the first by name (VOL-5).
pub fn default_storage_class(store: &Store) -> Option<(crate::kernel::Id<StorageClass>, &StorageClass)> {
    let key = |class: &StorageClass| (std::cmp::Reverse(class.meta.created), store.name_of(class.meta.name));
    store.classes.iter().filter(|(_, class)| class.is_default).min_by_key(|(_, class)| key(class))
}

/// The claim spec with the default class filled in if it names none (VOL-5). For claims that a controller creates
/// from a claim template.
pub fn admit_claim_spec(store: &mut Store, id: ClaimSpecId) -> ClaimSpecId {
    let spec = store.claim_spec(id).clone();
    if spec.class.is_some() {
        return id;
    }
    let Some(class) = default_storage_class(store).map(|(_, class)| store.name_of(class.meta.name)) else {
        return id;
    };
    let mut json = Value::clone(&spec.json);
    if let Some(fields) = json.as_object_mut() {
        fields.insert("storageClassName".into(), class.as_str().into());
    }
    crate::api::wire::intern_claim_spec(store, json, spec.volume_name, None)
}

/// Admits a claim that is about to be created: default class (VOL-5).
pub fn admit_claim(store: &Store, claim: &mut Value) {
    let classed = at(claim, &["spec", "storageClassName"]).is_some()
        || at(claim, &["metadata", "annotations", BETA_CLASS]).is_some();
    if let Some((_, class)) = default_storage_class(store).filter(|_| !classed)
        && let Some(spec) = ensure(claim, "spec")
    {
        spec.insert("storageClassName".into(), store.name_of(class.meta.name).into());
    }
}

/// PersistentVolumeClaimResize: a bound claim may ask for more if its class allows volumes to grow.
///
/// # Errors
/// `Forbidden`.
pub fn admit_claim_update(store: &Store, old: &Value, new: &Value) -> Result<(), Status> {
    let size = |claim| Quantity::from_json(at(claim, &["spec", "resources", "requests", "storage"])?).ok();
    if size(new) <= size(old) {
        return Ok(());
    }
    let class = store.names.known_name(text_at(new, &["spec", "storageClassName"]));
    let class = class.and_then(|name| store.classes.find(Sym::EMPTY, name));
    let why = if text_at(old, &["status", "phase"]) != "Bound" {
        "Only bound persistent volume claims can be expanded"
    } else if class.is_none_or(|(_, class)| !class.expandable) {
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support \
         resize"
    } else {
        mark!("VOL-21");
        return Ok(());
    };
    let name = text_at(old, &["metadata", "name"]);
    Err(Status::forbidden(format!("persistentvolumeclaims \"{name}\" is forbidden: {why}")))
}

/// Admits a node that is about to be created: it is tainted not-ready until its kubelet has reported (NODE-11).
pub fn admit_node(node: &mut Value) {
    let tainted = at(node, &["spec"]).is_some_and(|spec| {
        list(spec, "taints")
            .iter()
            .any(|taint| text(taint, "key") == NOT_READY_TAINT && text(taint, "effect") == "NoSchedule")
    });
    let Some(spec) = ensure(node, "spec").filter(|_| !tainted) else { return };
    mark!("NODE-11");
    set_default(spec, "taints", json!([]));
    if let Some(taints) = spec.get_mut("taints").and_then(Value::as_array_mut) {
        taints.push(json!({"key": NOT_READY_TAINT, "effect": "NoSchedule"}));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::pod_spec::PodSpec;
    use crate::api::template_defaults::default_pod_template;
    use crate::api::wire::{Wire, intern_template};

    fn template(store: &mut Store, spec: Value) -> TemplateId {
        let mut json = json!({"metadata": {"labels": {"app": "web"}}, "spec": spec});
        default_pod_template(&mut json);
        intern_template(store, &json)
    }

    fn claim(store: &mut Store, name: &str) -> ClaimTemplate {
        let json = json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"]}});
        let spec = crate::api::wire::intern_claim_spec(store, json["spec"].clone(), Sym::EMPTY, None);
        ClaimTemplate {
            name: store.names.word(name),
            labels: Default::default(),
            annotations: Default::default(),
            spec,
            json: json.into(),
        }
    }

    #[test]
    fn a_pod_of_a_set_looks_as_the_controller_makes_it() {
        let mut store = Store::default();
        let volumes = json!([{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]);
        let spec =
            json!({"containers": [{"name": "web", "image": "web:v1"}], "volumes": volumes, "hostname": "x"});
        let template = template(&mut store, spec);
        let claims = [claim(&mut store, "data")];
        let [set, service] = ["web", "svc"].map(|word| store.names.word(word));
        let config = Config::recorded();
        let id = pod_spec_for_set(&mut store, &config, template, &claims, set, service).expect("admitted");
        let name = store.names.name("web-3");
        let json = store.pod_spec(id).render(&store, name, "");
        assert_eq!((text(&json, "hostname"), text(&json, "subdomain")), ("web-3", "svc"));
        assert_eq!(
            json["volumes"],
            json!([
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-3"}},
                {"name": "tmp", "emptyDir": {}},
            ])
        );
        assert_eq!(json["priority"], 0);
        assert_eq!(json["enableServiceLinks"], true);
        let seconds: Vec<_> =
            list(&json, "tolerations").iter().map(|t| t["tolerationSeconds"].clone()).collect();
        assert_eq!(seconds, [300, 300]);
        // The same pod, written by a person, shares the spec.
        let again = Shared::split(&mut store, name, json).intern(&mut store);
        assert_eq!(again, id);
    }

    #[test]
    fn tolerations_that_cover_the_taints_are_enough() {
        let none = |given: Value| {
            let mut pod = json!({"spec": {"tolerations": given}});
            admit_pod(&Store::default(), &Config::default(), &mut pod, "web-0").expect("admitted");
            list(&pod["spec"], "tolerations").len()
        };
        assert_eq!(none(json!([])), 2);
        assert_eq!(none(json!([{"operator": "Exists"}])), 1);
        assert_eq!(none(json!([{"key": TOLERATED[0], "operator": "Exists", "effect": "NoExecute"}])), 2);
        assert_eq!(none(json!([{"key": TOLERATED[0], "operator": "Exists", "effect": "NoSchedule"}])), 3);
    }

    #[test]
    fn priority_comes_from_the_class() {
        let mut store = Store::default();
        let class = json!({"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"});
        let class = PriorityClass::from_json(&mut store, &class);
        store.priorities.insert(class, Revision(1));
        let admit = |spec: Value| {
            let mut pod = json!({"spec": spec});
            admit_pod(&store, &Config::default(), &mut pod, "a").map(|()| pod["spec"].take())
        };
        let spec = admit(json!({"priorityClassName": "high"})).expect("admitted");
        assert_eq!((&spec["priority"], &spec["preemptionPolicy"]), (&json!(1000), &json!("Never")));
        let refused = |spec| admit(spec).expect_err("refused").message;
        assert_eq!(
            refused(json!({"priorityClassName": "low"})),
            "pods \"a\" is forbidden: no PriorityClass with name low was found"
        );
        assert_eq!(
            refused(json!({"priority": 5})),
            "pods \"a\" is forbidden: the integer value of priority (5) must not be provided in pod spec; priority \
             admission controller computed 0 from the given PriorityClass name"
        );
    }

    #[test]
    fn claims_without_a_class_get_the_default_class() {
        let mut store = Store::default();
        let template = claim(&mut store, "data");
        assert_eq!(admit_claim_spec(&mut store, template.spec), template.spec);
        for (name, created) in [("old", 1), ("new", 2)] {
            let mut json = json!({"metadata": {"name": name}, "provisioner": "p"});
            json["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] = json!("true");
            let mut class = StorageClass::from_json(&mut store, &json);
            class.meta.created = Seconds(created);
            store.classes.insert(class, Revision(created));
        }
        let admitted = admit_claim_spec(&mut store, template.spec);
        let spec = store.claim_spec(admitted);
        assert_eq!(spec.class.map(|class| store.names.text(class)), Some("new"));
        assert_eq!(text(&spec.json, "storageClassName"), "new");
        let none = json!({"spec": {"storageClassName": ""}});
        let mut claim = none.clone();
        admit_claim(&store, &mut claim);
        assert_eq!(claim["spec"], none["spec"]);
    }

    #[test]
    fn a_new_node_is_tainted_once() {
        let mut node = json!({"metadata": {"name": "a"}});
        admit_node(&mut node);
        admit_node(&mut node);
        assert_eq!(node["spec"]["taints"], json!([{"key": NOT_READY_TAINT, "effect": "NoSchedule"}]));
    }

    #[test]
    fn specs_are_shared_between_equal_templates() {
        let mut store = Store::default();
        let config = Config::default();
        let spec = json!({"containers": [{"name": "web", "image": "web:v1"}]});
        let template = template(&mut store, spec);
        let one = pod_spec_for_template(&mut store, &config, template, "web-").expect("admitted");
        assert_eq!(pod_spec_for_template(&mut store, &config, template, "web-"), Ok(one));
        let PodSpec { cpu, grace, claims, .. } = &**store.pod_spec(one);
        assert_eq!((*cpu, *grace, claims.len()), (0, 30, 0));
    }
}
