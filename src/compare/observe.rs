//! What one workload did in one run, as it was seen: its pods' lives, how many of them served, and where each step began.
//!
//! Nothing here knows what kind of workload it looks at, except to find the pods that belong to it; whether names are
//! ordered or scaling is sequential is read off what is kept here. Pods are API truth and physical truth: a pod *serves*
//! if its condition Ready is True, it is not being deleted, and its containers really run on a machine with power.
use crate::api::kind::Kind;
use crate::api::names::Sym;
use crate::api::objects::{Claim, EndpointSlice, Ip, Pod, ReplicaSet, ServiceType};
use crate::cluster::Cluster;
use crate::compare::seen::{Level, Life, Mark, MarkKey, Observed, Wish, Workload};
use crate::expect::verdict::Judged;
use crate::fault::Victims;
use crate::kernel::{Id, Time};
use crate::kubectl::run::Output;
use crate::run::{Outcome, Watch};
use crate::scenario::{Action, Deed, Scenario, Step, aliases};
use crate::trace::record::{Note, Record};
use std::collections::{BTreeMap, BTreeSet};

/// Looks at a run.
pub struct Observer<'s> {
    scenario: &'s Scenario,
    workload: Workload,
    /// Numbers of the original's steps and entries of the lane.
    steps: Vec<usize>,
    faults: Vec<usize>,
    occurred: BTreeMap<usize, u32>,
    records: usize,
    writes: usize,
    ids: Vec<Id<Pod>>,
    templates: u32,
    lives: Vec<Life>,
    levels: Vec<Level>,
    wishes: Vec<(Time, Wish)>,
    marks: Vec<Mark>,
}

impl<'s> Observer<'s> {
    /// Nothing seen yet. `steps` and `faults` are the numbers that those of this scenario have in the original.
    pub fn new(scenario: &'s Scenario, workload: Workload, steps: Vec<usize>, faults: Vec<usize>) -> Self {
        Observer {
            scenario,
            workload,
            steps,
            faults,
            occurred: BTreeMap::new(),
            records: 0,
            writes: 0,
            ids: Vec::new(),
            templates: 0,
            lives: Vec::new(),
            levels: Vec::new(),
            wishes: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// What was seen.
    pub fn finish(mut self, cluster: &Cluster, outcome: &Outcome) -> Observed {
        self.look(cluster);
        let store = &cluster.world.store;
        for life in self.lives.iter_mut().filter(|life| life.ready.is_none()) {
            let about = cluster.world.events.iter().filter(|event| event.warning && event.uid == life.uid);
            if let Some(event) = about.max_by_key(|event| event.last) {
                life.trouble = format!("{}: {}", event.reason, event.message);
            }
        }
        let verdict = |judged: &Judged| {
            let list = match judged.step {
                None => &self.scenario.expect,
                Some(step) => &self.scenario.steps.get(step)?.expect,
            };
            let title = list.get(judged.index)?.title.clone();
            Some((title, judged.verdict.word(), judged.verdict.why().to_owned()))
        };
        let failure = |failure: &crate::run::Failure| {
            let step =
                failure.step.map_or_else(|| "the manifests".to_owned(), |n| self.scenario.number_of(n));
            (failure.time, format!("{step}: {}", failure.message))
        };
        let databases = cluster.databases.iter();
        Observed {
            title: format!("{} {}", self.workload.kind.as_str(), self.workload.name),
            name: self.workload.name.clone(),
            databases: databases
                .map(|database| (database.spec.name.clone(), database.facts(store)))
                .collect(),
            end: cluster.world.now(),
            ended: outcome.ended,
            failures: outcome.failures.iter().map(failure).collect(),
            verdicts: outcome.verdicts.iter().filter_map(verdict).collect(),
            lives: self.lives,
            levels: self.levels,
            wishes: self.wishes,
            marks: self.marks,
        }
    }

    fn look(&mut self, cluster: &Cluster) {
        let recorder = &cluster.world.recorder;
        let writes = recorder.writes();
        let slices = writes.iter().skip(self.writes).any(|write| write.kind == Kind::EndpointSlice);
        self.writes = writes.len();
        for record in recorder.records().iter().skip(self.records) {
            self.record(record, cluster);
        }
        self.records = recorder.records().len();
        if slices {
            self.learn_dns(cluster);
        }
        self.count(cluster);
    }

    fn record(&mut self, record: &Record, cluster: &Cluster) {
        match record.kind {
            Kind::Pod => self.pod(record, cluster),
            Kind::ReplicaSet if matches!(record.note, Note::CreatedWith(_)) => {
                self.new_template(record, cluster)
            }
            Kind::StatefulSet | Kind::Deployment if self.is_workload(record, cluster) => match record.note {
                Note::Scaled(from, to) => {
                    let count = |n: i32| usize::try_from(n).unwrap_or(0);
                    self.wishes.push((record.time, Wish::Scale(count(from), count(to))));
                }
                Note::TemplateChanged => self.wishes.push((record.time, Wish::Template)),
                _ => {}
            },
            _ => {}
        }
    }

    fn is_workload(&self, record: &Record, cluster: &Cluster) -> bool {
        let store = &cluster.world.store;
        record.kind == self.workload.kind
            && store.names.text(record.namespace) == self.workload.namespace
            && store.name_of(record.name) == self.workload.name
    }

    /// A Deployment has a new template when it has a new ReplicaSet; the first one is its first template.
    fn new_template(&mut self, record: &Record, cluster: &Cluster) {
        let store = &cluster.world.store;
        let id: Id<ReplicaSet> = Id::from_index(record.index as usize);
        let Some(set) = store.replica_sets.get_uid(id, record.uid) else { return };
        let owner = store.controller_of(set.meta.owners);
        let ours = owner.is_some_and(|owner| {
            owner.kind == self.workload.kind && store.name_of(owner.name) == self.workload.name
        });
        if ours && store.names.text(record.namespace) == self.workload.namespace {
            self.templates += 1;
            if self.templates > 1 {
                self.wishes.push((record.time, Wish::Template));
            }
        }
    }

    /// The workload owns this pod, directly or through a ReplicaSet.
    fn owns(&self, pod: &Pod, cluster: &Cluster) -> bool {
        let store = &cluster.world.store;
        let Some(owner) = store.controller_of(pod.meta.owners) else { return false };
        let set = || store.replica_sets.find(pod.meta.namespace, owner.name);
        let owner = match owner.kind {
            Kind::ReplicaSet => set().and_then(|(_, set)| store.controller_of(set.meta.owners)),
            _ => Some(owner),
        };
        store.names.text(pod.meta.namespace) == self.workload.namespace
            && owner.is_some_and(|owner| {
                owner.kind == self.workload.kind && store.name_of(owner.name) == self.workload.name
            })
    }

    fn pod(&mut self, record: &Record, cluster: &Cluster) {
        let store = &cluster.world.store;
        let id: Id<Pod> = Id::from_index(record.index as usize);
        if let Note::Created(revision) = record.note {
            let Some(pod) = store.pods.get_uid(id, record.uid).filter(|pod| self.owns(pod, cluster)) else {
                return;
            };
            let claims = store.pod_spec(pod.spec).claims_of(pod.meta.name);
            self.ids.push(id);
            self.lives.push(Life {
                name: store.name_of(record.name),
                uid: record.uid,
                revision: template_of(pod, revision, cluster),
                created: record.time,
                ready: None,
                deleting: None,
                over: None,
                gone: None,
                node: String::new(),
                ip: String::new(),
                dns: BTreeSet::new(),
                claims: claims.map(|claim| store.name_of(claim)).collect(),
                volumes: Vec::new(),
                trouble: String::new(),
            });
            return;
        }
        let Some(life) = self.lives.iter_mut().rev().find(|life| life.uid == record.uid) else { return };
        match record.note {
            Note::Scheduled(node) => {
                let node = store.nodes.last_known(node);
                life.node = node.map_or_else(String::new, |node| store.name_of(node.meta.name));
            }
            Note::Running(_) | Note::Ready => {
                if let Some(pod) = store.pods.get_uid(id, record.uid) {
                    if pod.ip != Ip::NONE {
                        life.ip = pod.ip.render();
                    }
                    life.volumes = volumes(&life.claims, pod.meta.namespace, cluster);
                }
                if record.note == Note::Ready {
                    life.ready.get_or_insert(record.time);
                }
            }
            Note::Deleting => drop(life.deleting.get_or_insert(record.time)),
            Note::Failed(_) | Note::Succeeded => drop(life.over.get_or_insert(record.time)),
            Note::Deleted => life.gone = Some(record.time),
            _ => {}
        }
    }

    /// Headless services give each endpoint a name of its own: its hostname, or its address with dashes (DNS-3).
    fn learn_dns(&mut self, cluster: &Cluster) {
        let store = &cluster.world.store;
        let slices = store.slices.iter().map(|(_, slice): (_, &EndpointSlice)| slice);
        for slice in slices {
            let service = store.services.get(slice.service);
            let Some(service) = service.filter(|service| service.service_type == ServiceType::Headless)
            else {
                continue;
            };
            for endpoint in &slice.endpoints {
                let Some(life) = self.lives.iter_mut().rev().find(|life| life.uid == endpoint.uid) else {
                    continue;
                };
                let host = endpoint.hostname_text(store);
                let host = host.unwrap_or_else(|| endpoint.ip.render().replace('.', "-"));
                life.dns.insert(format!("{host}.{}", store.name_of(service.meta.name)));
            }
        }
    }

    fn wanted(&self, cluster: &Cluster) -> usize {
        let store = &cluster.world.store;
        let namespace = store.names.known(&self.workload.namespace).unwrap_or(Sym::EMPTY);
        let Some(name) = store.known_name(&self.workload.name) else { return 0 };
        let replicas = match self.workload.kind {
            Kind::StatefulSet => store.stateful_sets.find(namespace, name).map(|(_, set)| set.spec.replicas),
            _ => store.deployments.find(namespace, name).map(|(_, deployment)| deployment.spec.replicas),
        };
        replicas.and_then(|replicas| usize::try_from(replicas).ok()).unwrap_or(0)
    }

    fn count(&mut self, cluster: &Cluster) {
        let store = &cluster.world.store;
        let (mut living, mut serving) = (0, 0);
        for (id, life) in self.ids.iter().zip(&self.lives).filter(|(_, life)| life.left().is_none()) {
            let Some(pod) = store.pods.get_uid(*id, life.uid) else { continue };
            living += 1;
            let runs = cluster.kubelets.is_running(*id, life.uid) && cluster.kubelets.is_node_alive(pod.node);
            serving += usize::from(pod.is_ready() && runs);
        }
        let level = Level { time: cluster.world.now(), wanted: self.wanted(cluster), living, serving };
        let same = |last: &Level| Level { time: level.time, ..*last } == level;
        match self.levels.last_mut() {
            Some(last) if same(last) => {}
            Some(last) if last.time == level.time => *last = level,
            _ => self.levels.push(level),
        }
    }

    fn key(&mut self, step: &Step) -> Option<MarkKey> {
        if let Some(n) = self.scenario.steps.iter().position(|other| std::ptr::eq(other, step)) {
            return Some(MarkKey::Step(self.steps.get(n).copied().unwrap_or(n)));
        }
        let n = self.scenario.faults.iter().position(|entry| std::ptr::eq(&entry.step, step))?;
        let n = self.faults.get(n).copied().unwrap_or(n);
        let times = self.occurred.entry(n).or_default();
        *times += 1;
        Some(MarkKey::Fault(n, *times))
    }

    /// The pods or nodes that a fault is about to hit; nodes with how many of the workload's pods are there.
    fn hits(&self, action: &Action, cluster: &Cluster) -> Vec<String> {
        let store = &cluster.world.store;
        let Action::Fault(fault) = action else { return Vec::new() };
        let (Deed::Hit(_, targets) | Deed::Partition { targets, .. }) = &fault.deed else {
            return Vec::new();
        };
        match cluster.all_victims(targets) {
            Ok(Victims::Pods(pods)) => {
                let names = pods.iter().filter_map(|pod| store.pods.get(*pod));
                names.map(|pod| store.name_of(pod.meta.name)).collect()
            }
            Ok(Victims::Nodes(nodes)) => {
                let names = nodes.iter().filter_map(|node| store.nodes.get(*node));
                let told = names.map(|node| {
                    let name = store.name_of(node.meta.name);
                    let there = |life: &&Life| life.left().is_none() && life.node == name;
                    match self.lives.iter().filter(there).count() {
                        1 => format!("{name} (1 pod)"),
                        n => format!("{name} ({n} pods)"),
                    }
                });
                told.collect()
            }
            Err(_) => Vec::new(),
        }
    }
}

/// Which template a pod was made of: its revision label, or its ReplicaSet.
fn template_of(pod: &Pod, revision: Sym, cluster: &Cluster) -> String {
    let store = &cluster.world.store;
    match store.controller_of(pod.meta.owners) {
        Some(owner) if owner.kind == Kind::ReplicaSet => store.name_of(owner.name),
        _ => store.names.text(revision).to_owned(),
    }
}

/// The volumes of claims, as far as they are bound.
fn volumes(claims: &[String], namespace: Sym, cluster: &Cluster) -> Vec<String> {
    let store = &cluster.world.store;
    let volume = |name: &String| {
        let (_, claim): (_, &Claim) = store.claims.find(namespace, store.known_name(name)?)?;
        let volume = store.volumes.last_known(claim.volume)?;
        Some(match volume.disk {
            0 => store.name_of(volume.meta.name),
            disk => store.volume_handle(disk),
        })
    };
    claims.iter().filter_map(volume).collect()
}

/// It changes nothing: what happens meanwhile belongs to the step before it.
fn only_looks(action: &Action) -> bool {
    match action {
        Action::Kubectl { words, .. } => {
            let verbs = words.iter().filter(|word| !word.starts_with('-'));
            let verb: Vec<&str> = verbs.take(2).map(String::as_str).collect();
            matches!(
                verb.as_slice(),
                ["get" | "describe" | "logs" | "wait" | "diff" | "version" | "events", ..]
            ) || matches!(verb.as_slice(), ["rollout", "status" | "history"])
        }
        Action::Sleep(_) | Action::Lookup(_) => true,
        _ => false,
    }
}

/// What a step does in one line, with the names that pods have at this moment.
fn told(step: &Step, cluster: &Cluster) -> String {
    let real = |text: &str| aliases::resolve_by_age(text, &cluster.world.store);
    match &step.action {
        Action::Kubectl { words, .. } => {
            let words: Vec<String> = words.iter().map(|word| real(word)).collect();
            format!("kubectl {}", words.join(" "))
        }
        _ => real(&step.title),
    }
}

impl Watch for Observer<'_> {
    fn happened(&mut self, cluster: &Cluster) {
        self.look(cluster);
    }

    fn step(&mut self, cluster: &Cluster, step: Option<&Step>) {
        self.look(cluster);
        if step.is_some_and(|step| only_looks(&step.action)) {
            return;
        }
        let key = match step {
            None => Some(MarkKey::Start),
            Some(step) => self.key(step),
        };
        let Some(key) = key else { return };
        let store = &cluster.world.store;
        self.marks.push(Mark {
            key,
            time: cluster.world.now(),
            title: step.map_or_else(|| "the manifests are applied".to_owned(), |step| told(step, cluster)),
            hits: step.map(|step| self.hits(&step.action, cluster)).unwrap_or_default(),
            facts: cluster.databases.iter().map(|database| database.facts(store)).collect(),
        });
    }

    fn output(&mut self, cluster: &Cluster, _: Option<&Step>, _: &Output) {
        self.look(cluster);
    }
}
