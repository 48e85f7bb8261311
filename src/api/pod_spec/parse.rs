//! From the JSON of an admitted pod spec to [`PodSpec`].
//!
//! What belongs to the single pod is split off, so that all pods of a set share one spec: `nodeName`, a hostname that
//! is the pod's own name, and the volumes in front whose claims end in the pod's ordinal (STS-15, STS-20). The split
//! is a function of the text alone: it does not matter whether a controller or a person wrote the pod.
use super::*;
use crate::api::names::Name;
use crate::api::objects::PodSpecId;
use crate::api::store::Store;
use crate::api::wire::fields::{at, count, int, int32, list, object, text};
use serde_json::json;

/// A pod spec as it is shared, and what was split off.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    /// The spec without `nodeName`, `hostname` and the claims per ordinal.
    pub(crate) json: Value,
    /// What `hostname` said.
    pub(crate) hostname: Hostname,
    /// The claims per ordinal, in front of all other volumes.
    pub(crate) claims: Vec<ClaimUse>,
    /// `nodeName` as the creator gave it; empty: none.
    pub(crate) node_name: Sym,
}

impl Shared {
    /// Splits the whole spec of the pod called `name`. `nodeName` is dropped; the caller knows who set it.
    pub(crate) fn split(store: &mut Store, name: Name, mut json: Value) -> Shared {
        let Some(fields) = json.as_object_mut() else {
            return Shared { json, hostname: Hostname::None, claims: Vec::new(), node_name: Sym::EMPTY };
        };
        fields.remove("nodeName");
        let hostname = match fields.remove("hostname") {
            Some(Value::String(text)) if text == store.name_of(name) => Hostname::PodName,
            Some(Value::String(text)) if !text.is_empty() => Hostname::Fixed(store.names.word(&text)),
            _ => Hostname::None,
        };
        let mut claims = Vec::new();
        if let (Some(ordinal), Some(Value::Array(volumes))) = (name.ordinal(), fields.get_mut("volumes")) {
            while let Some(claim) = volumes.first().and_then(|v| claim_of_ordinal(store, v, ordinal)) {
                claims.push(claim);
                volumes.remove(0);
            }
            if volumes.is_empty() {
                fields.remove("volumes");
            }
        }
        Shared { json, hostname, claims, node_name: Sym::EMPTY }
    }

    /// The number of this spec.
    pub(crate) fn intern(self, store: &mut Store) -> PodSpecId {
        let claims: Vec<_> = self.claims.iter().map(|claim| (claim.volume, claim.claim)).collect();
        let key = format!("{:?} {claims:?} {:?} {}", self.hostname, self.node_name, self.json);
        store.intern_pod_spec(&key, |store| self.parse(store))
    }

    fn parse(self, store: &mut Store) -> PodSpec {
        let Shared { json, hostname, mut claims, node_name } = self;
        let ((cpu, memory), (scored_cpu, scored_memory)) = resources::requests(&json);
        claims.extend(list(&json, "volumes").iter().filter_map(|volume| fixed_claim(store, volume)));
        PodSpec {
            containers: list(&json, "containers").iter().map(|c| container(store, c)).collect(),
            inits: list(&json, "initContainers").iter().map(|c| container(store, c)).collect(),
            cpu,
            memory,
            scored_cpu,
            scored_memory,
            grace: grace(&json),
            priority: int32(&json, "priority").unwrap_or(0),
            preempts: text(&json, "preemptionPolicy") != "Never",
            tolerations: list(&json, "tolerations").iter().map(|t| toleration(store, t)).collect(),
            placement: placement::parse(store, &json),
            claims: claims.into(),
            has_empty_dir: list(&json, "volumes").iter().any(|volume| volume.get("emptyDir").is_some()),
            hostname,
            subdomain: store.names.word(text(&json, "subdomain")),
            foreign_scheduler: !matches!(text(&json, "schedulerName"), "" | "default-scheduler"),
            gated: !list(&json, "schedulingGates").is_empty(),
            restart: restart_policy(&json).unwrap_or_default(),
            node_name,
            qos: resources::qos(&json),
            json: Arc::new(json),
        }
    }
}

impl PodSpec {
    /// The whole spec of a pod with this name, on this node (empty: none).
    pub(crate) fn render(&self, store: &Store, name: Name, node: &str) -> Value {
        let mut json = Value::clone(&self.json);
        let Some(fields) = json.as_object_mut() else { return json };
        if !node.is_empty() {
            fields.insert("nodeName".into(), node.into());
        }
        match self.hostname {
            Hostname::None => {}
            Hostname::PodName => {
                fields.insert("hostname".into(), store.name_of(name).into());
            }
            Hostname::Fixed(word) => {
                fields.insert("hostname".into(), store.names.text(word).into());
            }
        }
        let mut volumes: Vec<Value> = self
            .claims
            .iter()
            .filter_map(|claim| match claim.claim {
                ClaimName::PerOrdinal(stem) => Some((claim.volume, Name::numbered(stem, name.ordinal()?))),
                ClaimName::Fixed(_) => None,
            })
            .map(|(volume, claim)| {
                json!({
                    "name": store.names.text(volume),
                    "persistentVolumeClaim": {"claimName": store.name_of(claim)},
                })
            })
            .collect();
        if !volumes.is_empty() {
            if let Some(Value::Array(rest)) = fields.remove("volumes") {
                volumes.extend(rest);
            }
            fields.insert("volumes".into(), volumes.into());
        }
        json
    }
}

/// A volume that is nothing but a claim whose name ends in this ordinal.
fn claim_of_ordinal(store: &mut Store, volume: &Value, ordinal: u32) -> Option<ClaimUse> {
    let source = object(volume, "persistentVolumeClaim")?;
    let plain = volume.as_object()?.len() == 2 && source.len() == 1;
    let claim = store.names.name(source.get("claimName")?.as_str()?);
    (plain && claim.ordinal() == Some(ordinal)).then(|| ClaimUse {
        volume: store.names.word(text(volume, "name")),
        claim: ClaimName::PerOrdinal(claim.stem()),
    })
}

fn fixed_claim(store: &mut Store, volume: &Value) -> Option<ClaimUse> {
    let claim = at(volume, &["persistentVolumeClaim", "claimName"])?.as_str()?;
    Some(ClaimUse {
        volume: store.names.word(text(volume, "name")),
        claim: ClaimName::Fixed(store.names.name(claim)),
    })
}

fn container(store: &mut Store, container: &Value) -> Container {
    let ports = list(container, "ports").iter().filter_map(|port| {
        let number = u16::try_from(int(port, "containerPort")?).ok()?;
        Some((store.names.word(text(port, "name")), store.names.word(text(port, "protocol")), number))
    });
    Container {
        ports: ports.collect(),
        name: store.names.word(text(container, "name")),
        image: store.names.word(text(container, "image")),
        restart: restart_policy(container),
        restart_rules: list(container, "restartPolicyRules").iter().filter_map(restart_rule).collect(),
        startup: container.get("startupProbe").map(probe),
        liveness: container.get("livenessProbe").map(probe),
        readiness: container.get("readinessProbe").map(probe),
        post_start: at(container, &["lifecycle", "postStart"]).map(hook),
        pre_stop: at(container, &["lifecycle", "preStop"]).map(hook),
    }
}

fn restart_policy(of: &Value) -> Option<RestartPolicy> {
    match text(of, "restartPolicy") {
        "Always" => Some(RestartPolicy::Always),
        "OnFailure" => Some(RestartPolicy::OnFailure),
        "Never" => Some(RestartPolicy::Never),
        _ => None,
    }
}

/// A rule about exit codes (POD-26).
fn restart_rule(rule: &Value) -> Option<RestartRule> {
    let codes = at(rule, &["exitCodes"])?;
    Some(RestartRule {
        all: text(rule, "action") == "RestartAllContainers",
        not_in: text(codes, "operator") == "NotIn",
        codes: list(codes, "values").iter().filter_map(|code| i32::try_from(code.as_i64()?).ok()).collect(),
    })
}

fn hook(hook: &Value) -> Hook {
    hook.get("sleep").map_or(Hook::Runs, |sleep| Hook::Sleep(count(sleep, "seconds")))
}

/// terminationGracePeriodSeconds; negative values act as 1 (POD-2).
fn grace(spec: &Value) -> u32 {
    match int(spec, "terminationGracePeriodSeconds") {
        Some(seconds) if seconds < 0 => 1,
        Some(seconds) => u32::try_from(seconds).unwrap_or(u32::MAX),
        None => 30,
    }
}

/// A toleration of a spec.
fn toleration(store: &mut Store, toleration: &Value) -> Toleration {
    Toleration {
        key: store.names.word(text(toleration, "key")),
        exists: text(toleration, "operator") == "Exists",
        value: store.names.word(text(toleration, "value")),
        effect: Effect::parse(text(toleration, "effect")),
        seconds: int(toleration, "tolerationSeconds"),
    }
}

/// A probe (POD-27); what is not given counts as the default.
fn probe(probe: &Value) -> Probe {
    let handlers = [
        ("httpGet", Handler::HttpGet),
        ("tcpSocket", Handler::TcpSocket),
        ("grpc", Handler::Grpc),
        ("exec", Handler::Exec),
    ];
    let handler = handlers.iter().find(|(field, _)| probe.get(field).is_some());
    Probe {
        initial_delay: count(probe, "initialDelaySeconds"),
        period: count(probe, "periodSeconds").max(1),
        timeout: count(probe, "timeoutSeconds").max(1),
        success: count(probe, "successThreshold").max(1),
        failure: count(probe, "failureThreshold").max(1),
        grace: int(probe, "terminationGracePeriodSeconds")
            .map(|n| u32::try_from(n.max(1)).unwrap_or(u32::MAX)),
        handler: handler.map_or(Handler::Exec, |(_, handler)| *handler),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Value {
        json!({
            "hostname": "web-1",
            "subdomain": "web",
            "nodeName": "node-a",
            "containers": [{"name": "web", "image": "web:v1", "ports": [{"containerPort": 80, "protocol": "TCP"}],
                            "readinessProbe": {"periodSeconds": 5}}],
            "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 7}],
            "terminationGracePeriodSeconds": -5,
            "volumes": [
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}},
                {"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}},
                {"name": "tmp", "emptyDir": {}},
            ],
        })
    }

    #[test]
    fn pods_of_a_set_share_a_spec_and_render_back() {
        let mut store = Store::default();
        let [one, two] = [
            ("web-1", full()),
            ("web-2", serde_json::from_str(&full().to_string().replace("web-1", "web-2")).expect("JSON")),
        ]
        .map(|(name, json)| {
            let name = store.names.name(name);
            let id = Shared::split(&mut store, name, json.clone()).intern(&mut store);
            let spec = store.pod_spec(id).clone();
            assert_eq!(spec.render(&store, name, "node-a"), json);
            id
        });
        assert_eq!(one, two);
        let spec = store.pod_spec(one).clone();
        assert_eq!(spec.hostname, Hostname::PodName);
        assert_eq!(spec.grace, 1);
        assert!(spec.has_empty_dir);
        assert_eq!(spec.claims.len(), 2);
        assert_eq!(spec.claims[0].claim, ClaimName::PerOrdinal(store.names.word("data-web")));
        assert_eq!(spec.claims[1].claim, ClaimName::Fixed(store.names.name("shared")));
        assert_eq!(spec.containers[0].readiness.map(|probe| (probe.period, probe.failure)), Some((5, 1)));
        assert_eq!(spec.tolerations[0].seconds, Some(7));
        assert_eq!(spec.tolerations[0].effect, Some(Effect::NoExecute));
    }
}
