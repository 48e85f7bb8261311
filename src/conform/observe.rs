//! Telling a run of ours in the words of the recorded traces.
use crate::api::kind::Kind;
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::api::store::{REVISION_LABEL, Store};
use crate::cluster::Cluster;
use crate::kernel::{Id, Time};
use crate::kubectl::run::Output;
use crate::run::Watch;
use crate::scenario::aliases::Aliases;
use crate::scenario::{Start, Step};
use crate::trace::notes::REVISION_ANNOTATION;
use crate::trace::record::{Note, Record};
use crate::trace::tell;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// One event of a segment.
#[derive(Clone, Debug)]
pub struct Event {
    /// `kind/name what`.
    pub text: String,
    /// The write it belongs to; 0 for derived ones.
    pub revision: Revision,
    /// Derived kinds may be skipped or passed through.
    pub derived: bool,
}

/// One segment of a run.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    /// Events, in order.
    pub events: Vec<Event>,
    /// Results of its commands, in order.
    pub outputs: Vec<Output>,
    /// The state at its end, by kind and object.
    pub settled: Value,
    /// Event reasons, by object.
    pub reasons: BTreeMap<String, Vec<String>>,
}

/// Watches a run.
#[derive(Debug, Default)]
pub struct Observer {
    /// What has been seen.
    pub segments: Vec<Segment>,
    began: bool,
    seen: usize,
    seen_for_aliases: usize,
    aliases: Aliases,
    /// `rev-N` of each ControllerRevision, by its name.
    revisions: BTreeMap<String, String>,
    revisions_of: BTreeMap<String, u32>,
    /// What each volume is called: its claim, `~2` for the second of a claim of that name.
    volumes: BTreeMap<Name, String>,
    volumes_of: BTreeMap<String, u32>,
    /// How many pods of a name there have been.
    generations: BTreeMap<String, u32>,
    endpoints: BTreeMap<String, String>,
    /// When the current segment began.
    began_at: Time,
}

impl Watch for Observer {
    fn happened(&mut self, cluster: &Cluster) {
        self.read(cluster);
    }

    fn step(&mut self, cluster: &Cluster, step: Option<&Step>) {
        self.read(cluster);
        let new = step.is_none_or(|step| step.start != Start::AtOnce);
        if new {
            self.close(cluster);
            self.segments.push(Segment::default());
            // What the cluster did before anything was applied belongs to the first segment.
            let first = self.segments.len() == 1;
            self.began_at = if first { Time::ZERO } else { cluster.world.now() };
        }
        self.began = true;
    }

    fn output(&mut self, _: &Cluster, _: Option<&Step>, output: &Output) {
        if let Some(segment) = self.segments.last_mut() {
            let (stdout, stderr) = (self.aliases.tell(&output.stdout), self.aliases.tell(&output.stderr));
            segment.outputs.push(Output { stdout, stderr, exit: output.exit });
        }
    }
}

impl Observer {
    /// Closes the last segment.
    pub fn finish(&mut self, cluster: &Cluster) {
        self.read(cluster);
        self.close(cluster);
    }

    fn read(&mut self, cluster: &Cluster) {
        self.aliases.learn(cluster, &mut self.seen_for_aliases);
        let records = cluster.world.recorder.records();
        while let Some(record) = records.get(self.seen) {
            self.seen += 1;
            self.learn(record, &cluster.world.store);
            if self.began
                && let Some(event) = self.event(record, cluster)
                && let Some(segment) = self.segments.last_mut()
            {
                segment.events.push(event);
            }
        }
    }

    fn learn(&mut self, record: &Record, store: &Store) {
        let name = store.name_of(record.name);
        match (record.kind, record.note) {
            (Kind::Revision, Note::CreatedWith(_)) => {
                let revision = store.revisions.last_known(Id::from_index(record.index as usize));
                let owner = revision.and_then(|revision| store.controller_of(revision.meta.owners));
                let set = owner.map_or_else(String::new, |owner| store.name_of(owner.name));
                let n = self.revisions_of.entry(set).or_default();
                *n += 1;
                self.revisions.entry(name).or_insert(format!("rev-{n}"));
            }
            (Kind::Volume, Note::Created(_)) => {
                if let Some(volume) = store.volumes.last_known(Id::from_index(record.index as usize)) {
                    let claim = store.name_of(volume.claim.name);
                    let n = self.volumes_of.entry(claim.clone()).or_default();
                    *n += 1;
                    let alias = if *n == 1 { claim } else { format!("{claim}~{n}") };
                    self.volumes.insert(record.name, alias);
                }
            }
            (Kind::Pod, Note::Created(_)) => *self.generations.entry(name).or_default() += 1,
            _ => {}
        }
    }

    fn volume(&self, id: Id<Volume>, store: &Store) -> String {
        let name = store.volumes.last_known(id).map(|volume| volume.meta.name);
        name.and_then(|name| self.volumes.get(&name).cloned()).unwrap_or_default()
    }

    fn revision(&self, name: &str) -> String {
        self.revisions.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn event(&mut self, record: &Record, cluster: &Cluster) -> Option<Event> {
        let store = &cluster.world.store;
        let name = store.name_of(record.name);
        let alias = self.aliases.alias(&name).to_owned();
        if record.kind == Kind::EndpointSlice {
            return self.endpoints_event(record, store);
        }
        let (subject, what) = match record.kind {
            Kind::Pod => (format!("pod/{alias}"), self.pod_event(record, store)?),
            Kind::Claim => (format!("pvc/{alias}"), self.claim_event(record, store)?),
            Kind::Volume => (format!("pv/{}", self.volumes.get(&record.name)?), plain(record)?),
            Kind::Attachment => {
                let attachment = store.attachments.last_known(Id::from_index(record.index as usize))?;
                (format!("va/{}", self.volume(attachment.volume, store)), plain(record)?)
            }
            Kind::ReplicaSet => (format!("rs/{alias}"), set_event(record, store)?),
            Kind::Revision => {
                let revision = store.revisions.last_known(Id::from_index(record.index as usize))?;
                let set = self.set_of_revision(revision, &name, store);
                (format!("revision/{set}/{}", self.revision(&name)), revision_event(record, store)?)
            }
            Kind::Node => (format!("node/{alias}"), node_event(record, store)?),
            Kind::StatefulSet => {
                if let Note::SetStatus(status) = record.note {
                    return Some(self.set_status(record, &alias, &status, store));
                }
                (format!("sts/{alias}"), plain(record)?)
            }
            Kind::Deployment => {
                if let Some(derived) = deployment_event(record, &alias, store) {
                    return Some(derived);
                }
                (format!("deploy/{alias}"), plain(record)?)
            }
            Kind::Service => (format!("service/{alias}"), plain(record)?),
            Kind::Budget => (format!("pdb/{alias}"), budget_event(record)?),
            _ => return None,
        };
        Some(Event { text: format!("{subject} {what}"), revision: record.revision, derived: false })
    }

    /// The set a revision belongs to, also when it is an orphan just now.
    fn set_of_revision(&self, revision: &ControllerRevision, name: &str, store: &Store) -> String {
        match store.controller_of(revision.meta.owners) {
            Some(owner) => store.name_of(owner.name),
            None => name.rsplit_once('-').map_or_else(String::new, |(set, _)| set.to_owned()),
        }
    }

    fn owners(&self, owners: crate::api::labels::OwnersId, store: &Store) -> String {
        let names: Vec<_> = store
            .owners
            .get(owners)
            .iter()
            .map(|owner| {
                let name = store.name_of(owner.name);
                format!("{}/{}", owner.kind.as_str(), self.aliases.alias(&name))
            })
            .collect();
        format!("[{}]", names.join(","))
    }

    fn pod_event(&self, record: &Record, store: &Store) -> Option<String> {
        Some(match record.note {
            Note::Created(revision) => {
                let revision = store.names.text(revision);
                if revision.is_empty() {
                    "created".into()
                } else {
                    format!("created rev={}", self.revision(revision))
                }
            }
            Note::Scheduled(_) => "scheduled".into(),
            Note::Unschedulable => "unschedulable".into(),
            Note::SchedulingConflict => "scheduling-conflict".into(),
            Note::Running(_) => "running".into(),
            Note::Ready => "ready".into(),
            Note::Unready => "unready".into(),
            Note::Restarted(_) => "restarted".into(),
            Note::CrashLoop => "crashloop".into(),
            Note::Failed(PodReason::Evicted) => "failed reason=Evicted".into(),
            Note::Failed(_) => "failed".into(),
            Note::Succeeded => "succeeded".into(),
            Note::Disrupted(by) => format!("disruption-target reason={}", by.as_str()),
            Note::Relabeled => "relabeled".into(),
            Note::Owners(owners) => format!("owners={}", self.owners(owners, store)),
            Note::Deleting => "deleting".into(),
            Note::Deleted => "deleted".into(),
            _ => return None,
        })
    }

    fn claim_event(&self, record: &Record, store: &Store) -> Option<String> {
        match record.note {
            Note::Owners(owners) => Some(format!("owners={}", self.owners(owners, store))),
            Note::Lost => Some("lost".into()),
            _ => plain(record),
        }
    }

    fn set_status(&self, record: &Record, set: &str, s: &StatefulSetStatus, store: &Store) -> Event {
        let revision = |name: Name| self.revision(&store.name_of(name));
        let text = format!(
            "sts-status/{set} replicas={} ready={} available={} current={} updated={} currentRevision={} updateRevision={}",
            s.replicas,
            s.ready,
            s.available,
            s.current,
            s.updated,
            revision(s.current_revision),
            revision(s.update_revision)
        );
        Event { text, revision: record.revision, derived: true }
    }

    fn endpoints_event(&mut self, record: &Record, store: &Store) -> Option<Event> {
        let slice = store.slices.last_known(Id::from_index(record.index as usize))?;
        let service = store.services.last_known(slice.service)?;
        let name = store.name_of(service.meta.name);
        store.services.get(slice.service)?;
        let members = self.members(slice.service, store);
        let list: Vec<_> = members.iter().map(|(pod, flags)| format!("{pod}:{flags}")).collect();
        let text = format!("endpoints/{name} [{}]", list.join(" "));
        if self.endpoints.get(&name) == Some(&text) {
            return None;
        }
        self.endpoints.insert(name, text.clone());
        Some(Event { text, revision: record.revision, derived: true })
    }

    fn members(&self, service: Id<Service>, store: &Store) -> BTreeMap<String, String> {
        let slices = store.slices.iter().filter(|(_, slice)| slice.service == service);
        slices
            .flat_map(|(_, slice)| slice.endpoints.iter())
            .map(|endpoint| {
                let name = store
                    .pods
                    .last_known(endpoint.pod)
                    .map_or_else(String::new, |pod| store.name_of(pod.meta.name));
                let flags: String =
                    [(endpoint.ready, 'R'), (endpoint.serving, 'S'), (endpoint.terminating, 'T')]
                        .into_iter()
                        .filter_map(|(on, flag)| on.then_some(flag))
                        .collect();
                (self.aliases.alias(&name).to_owned(), if flags.is_empty() { "-".into() } else { flags })
            })
            .collect()
    }

    fn close(&mut self, cluster: &Cluster) {
        if self.segments.is_empty() {
            return;
        }
        let settled = self.state(&cluster.world.store);
        let reasons = self.reasons(cluster);
        if let Some(segment) = self.segments.last_mut() {
            segment.settled = settled;
            segment.reasons = reasons;
        }
    }

    fn reasons(&self, cluster: &Cluster) -> BTreeMap<String, Vec<String>> {
        let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in cluster.world.events.iter().filter(|event| event.last >= self.began_at) {
            let name = cluster.world.store.name_of(event.name);
            let object = format!("{}/{}", event.kind.as_str(), self.aliases.alias(&name));
            reasons.entry(object).or_default().push(event.reason.to_owned());
        }
        reasons
    }

    fn state(&self, store: &Store) -> Value {
        let mut kinds = Map::new();
        let mut put = |kind: &str, objects: Vec<(String, Value)>| {
            if !objects.is_empty() {
                kinds.insert(kind.to_owned(), Value::Object(objects.into_iter().collect()));
            }
        };
        put("nodes", store.nodes.iter().map(|(_, node)| node_state(node, store)).collect());
        put("pods", store.pods.iter().map(|(_, pod)| self.pod_state(pod, store)).collect());
        put("pvcs", store.claims.iter().map(|(_, claim)| self.claim_state(claim, store)).collect());
        put("pvs", store.volumes.iter().map(|(_, volume)| self.volume_state(volume, store)).collect());
        put(
            "attachments",
            store.attachments.iter().map(|(_, va)| self.attachment_state(va, store)).collect(),
        );
        put("statefulsets", store.stateful_sets.iter().map(|(_, set)| self.set_state(set, store)).collect());
        put("deployments", store.deployments.iter().map(|(_, d)| deployment_state(d, store)).collect());
        put(
            "replicasets",
            store.replica_sets.iter().map(|(_, rs)| self.replica_set_state(rs, store)).collect(),
        );
        put("revisions", store.revisions.iter().map(|(_, r)| self.revision_state(r, store)).collect());
        put("pdbs", store.budgets.iter().map(|(_, budget)| budget_state(budget, store)).collect());
        let services = store.services.iter().filter(|(_, s)| store.name_of(s.meta.name) != "kubernetes");
        put("services", services.map(|(id, service)| self.service_state(id, service, store)).collect());
        Value::Object(kinds)
    }

    fn pod_state(&self, pod: &Pod, store: &Store) -> (String, Value) {
        let name = store.name_of(pod.meta.name);
        let mut state = Map::new();
        state.insert("phase".into(), json!(pod.phase.as_str()));
        state.insert("ready".into(), json!(pod.is_ready()));
        if let Some(node) = store.nodes.last_known(pod.node) {
            state.insert("node".into(), json!(store.name_of(node.meta.name)));
        }
        state.insert("gen".into(), json!(self.generations.get(&name).copied().unwrap_or(1)));
        let revision =
            store.names.known(REVISION_LABEL).and_then(|key| store.labels.value(pod.meta.labels, key));
        if let Some(revision) = revision {
            state.insert("rev".into(), json!(self.revision(store.names.text(revision))));
        }
        if let Some(owner) = store.controller_of(pod.meta.owners) {
            let owner_name = store.name_of(owner.name);
            state.insert(
                "owner".into(),
                json!(format!("{}/{}", owner.kind.as_str(), self.aliases.alias(&owner_name))),
            );
        }
        if pod.is_terminating() {
            state.insert("terminating".into(), json!(true));
        }
        if pod.restarts.get() > 0 {
            state.insert("restarts".into(), json!(pod.restarts.get()));
        }
        if pod.flags.has(PodFlags::UNSCHEDULABLE) && pod.reason == PodReason::Unschedulable {
            state.insert("unschedulable".into(), json!(true));
        }
        if pod.phase == Phase::Failed && pod.reason == PodReason::Evicted {
            state.insert("reason".into(), json!("Evicted"));
        }
        (self.aliases.alias(&name).to_owned(), Value::Object(state))
    }

    fn claim_state(&self, claim: &Claim, store: &Store) -> (String, Value) {
        let mut state = Map::new();
        let phase = match claim.phase() {
            ClaimPhase::Pending => "Pending",
            ClaimPhase::Bound => "Bound",
            ClaimPhase::Lost => "Lost",
        };
        state.insert("phase".into(), json!(phase));
        if !claim.volume.is_none() {
            state.insert("volume".into(), json!(format!("pv:{}", self.volume(claim.volume, store))));
        }
        if !claim.meta.owners.is_empty() {
            let owners = store.owners.get(claim.meta.owners).iter().map(|owner| {
                let name = store.name_of(owner.name);
                json!(format!("{}/{}", owner.kind.as_str(), self.aliases.alias(&name)))
            });
            state.insert("owners".into(), owners.collect());
        }
        if claim.meta.is_terminating() {
            state.insert("terminating".into(), json!(true));
        }
        (store.name_of(claim.meta.name), Value::Object(state))
    }

    fn volume_state(&self, volume: &Volume, store: &Store) -> (String, Value) {
        let phase = match volume.phase() {
            VolumePhase::Pending => "Pending",
            VolumePhase::Available => "Available",
            VolumePhase::Bound => "Bound",
            VolumePhase::Released => "Released",
            VolumePhase::Failed => "Failed",
        };
        let state = json!({
            "phase": phase,
            "claim": store.name_of(volume.claim.name),
            "zone": store.names.text(volume.zone),
        });
        (self.volumes.get(&volume.meta.name).cloned().unwrap_or_default(), state)
    }

    fn attachment_state(&self, va: &Attachment, store: &Store) -> (String, Value) {
        let node =
            store.nodes.last_known(va.node).map_or_else(String::new, |node| store.name_of(node.meta.name));
        (self.volume(va.volume, store), json!({"attached": va.attached, "node": node}))
    }

    fn set_state(&self, set: &StatefulSet, store: &Store) -> (String, Value) {
        let s = &set.status;
        let state = json!({
            "specReplicas": set.spec.replicas,
            "replicas": s.replicas, "ready": s.ready, "available": s.available,
            "current": s.current, "updated": s.updated,
            "currentRevision": self.revision(&store.name_of(s.current_revision)),
            "updateRevision": self.revision(&store.name_of(s.update_revision)),
            "observed": s.observed_generation == set.meta.generation.get(),
        });
        (store.name_of(set.meta.name), state)
    }

    fn replica_set_state(&self, rs: &ReplicaSet, store: &Store) -> (String, Value) {
        let s = &rs.status;
        let mut state = json!({
            "specReplicas": rs.spec.replicas, "replicas": s.replicas, "ready": s.ready, "available": s.available,
            "terminatingReplicas": s.terminating.unwrap_or(0),
        });
        if let Some(revision) = annotation(rs.meta.annotations, REVISION_ANNOTATION, store) {
            state["revision"] = json!(revision);
        }
        let name = store.name_of(rs.meta.name);
        (self.aliases.alias(&name).to_owned(), state)
    }

    fn revision_state(&self, revision: &ControllerRevision, store: &Store) -> (String, Value) {
        let name = store.name_of(revision.meta.name);
        let set = self.set_of_revision(revision, &name, store);
        let owned = store.controller_of(revision.meta.owners).is_some();
        (format!("{set}/{}", self.revision(&name)), json!({"number": revision.number, "owned": owned}))
    }

    fn service_state(&self, id: Id<Service>, service: &Service, store: &Store) -> (String, Value) {
        let endpoints: Map<String, Value> =
            self.members(id, store).into_iter().map(|(pod, flags)| (pod, json!(flags))).collect();
        let state = json!({
            "headless": service.service_type == ServiceType::Headless,
            "publishNotReadyAddresses": service.publish_not_ready,
            "endpoints": endpoints,
        });
        (store.name_of(service.meta.name), state)
    }
}

fn annotation(annotations: crate::api::labels::LabelsId, key: &str, store: &Store) -> Option<String> {
    let value: Sym = store.labels.value(annotations, store.names.known(key)?)?;
    Some(store.names.text(value).to_owned())
}

/// Words that are the same for all kinds.
fn plain(record: &Record) -> Option<String> {
    Some(match record.note {
        Note::Created(_) => "created".into(),
        Note::CreatedWith(n) => format!("created replicas={n}"),
        Note::Deleting => "deleting".into(),
        Note::Deleted => "deleted".into(),
        Note::Bound => "bound".into(),
        Note::Released => "released".into(),
        Note::Attached => "attached".into(),
        Note::AttachError(_) => "attach-error".into(),
        Note::Scaled(from, to) => format!("scaled {from}->{to}"),
        Note::Paused => "paused".into(),
        Note::Resumed => "resumed".into(),
        _ => return None,
    })
}

fn set_event(record: &Record, store: &Store) -> Option<String> {
    match record.note {
        Note::RevisionSet(revision) => Some(format!("revision={}", store.names.text(revision))),
        Note::Owners(owners) => Some(if owners.is_empty() { "orphaned".into() } else { "owned".into() }),
        _ => plain(record),
    }
}

fn revision_event(record: &Record, _: &Store) -> Option<String> {
    Some(match record.note {
        Note::CreatedWith(n) => format!("created number={n}"),
        Note::Renumbered(from, to) => format!("renumbered {from}->{to}"),
        Note::Owners(owners) if owners.is_empty() => "orphaned".into(),
        Note::Owners(_) => "owned".into(),
        Note::Deleted => "deleted".into(),
        _ => return None,
    })
}

fn node_event(record: &Record, store: &Store) -> Option<String> {
    Some(match record.note {
        Note::NodeReady(ready) => format!("ready={}", tell::ready_text(ready)),
        Note::Tainted(taint) => format!("taint+ {}", tell::taint(&taint, store)),
        Note::Untainted(taint) => format!("taint- {}", tell::taint(&taint, store)),
        Note::Cordoned => "cordoned".into(),
        Note::Uncordoned => "uncordoned".into(),
        Note::Created(_) => "created".into(),
        Note::Deleted => "deleted".into(),
        _ => return None,
    })
}

fn budget_event(record: &Record) -> Option<String> {
    match record.note {
        Note::Budget(allowed, healthy, desired, expected) => {
            Some(format!("allowed={allowed} healthy={healthy} desired={desired} expected={expected}"))
        }
        Note::Deleting => None,
        _ => plain(record),
    }
}

fn deployment_event(record: &Record, name: &str, store: &Store) -> Option<Event> {
    let text = match record.note {
        Note::DeploymentCondition(c) => {
            format!("deploy-status/{name} condition {}={}/{}", c.kind, c.status, c.reason)
        }
        Note::DeploymentStatus => {
            let deployment = store.deployments.last_known(Id::from_index(record.index as usize))?;
            let s = &deployment.status;
            format!(
                "deploy-status/{name} replicas={} updated={} ready={} available={} unavailable={} terminating={}",
                s.replicas,
                s.updated,
                s.ready,
                s.available,
                s.unavailable,
                s.terminating.unwrap_or(0)
            )
        }
        _ => return None,
    };
    Some(Event { text, revision: record.revision, derived: true })
}

fn node_state(node: &Node, store: &Store) -> (String, Value) {
    let mut taints: Vec<_> = node.taints.iter().map(|taint| tell::taint(taint, store)).collect();
    taints.sort();
    let mut state = json!({"ready": tell::ready_text(node.ready), "taints": taints});
    if node.unschedulable {
        state["unschedulable"] = json!(true);
    }
    (store.name_of(node.meta.name), state)
}

fn deployment_state(deployment: &Deployment, store: &Store) -> (String, Value) {
    let s = &deployment.status;
    let conditions: Map<String, Value> = s
        .conditions
        .iter()
        .map(|c| (c.kind.to_owned(), json!(format!("{}/{}", c.status, c.reason))))
        .collect();
    let mut state = json!({
        "specReplicas": deployment.spec.replicas, "replicas": s.replicas, "ready": s.ready,
        "available": s.available, "updated": s.updated, "unavailable": s.unavailable,
        "terminatingReplicas": s.terminating.unwrap_or(0),
        "observed": s.observed_generation == deployment.meta.generation.get(), "conditions": conditions,
    });
    if let Some(revision) = annotation(deployment.meta.annotations, REVISION_ANNOTATION, store) {
        state["revision"] = json!(revision);
    }
    if deployment.spec.paused {
        state["paused"] = json!(true);
    }
    (store.name_of(deployment.meta.name), state)
}

fn budget_state(budget: &Budget, store: &Store) -> (String, Value) {
    let s = &budget.status;
    let state =
        json!({"allowed": s.allowed, "healthy": s.healthy, "desired": s.desired, "expected": s.expected});
    (store.name_of(budget.meta.name), state)
}
