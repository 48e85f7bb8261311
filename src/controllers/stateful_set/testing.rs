//! What the tests of this controller share: sets, pods and claims made directly, and a cluster with nothing but this
//! controller's own doing in it.
use super::StatefulSets;
use crate::api::kind::Kind;
use crate::api::labels::{LabelsId, OwnersId};
use crate::api::names::{Name, Sym};
use crate::api::objects::*;
use crate::api::pod_spec::{AccessModes, ClaimSpec, Template};
use crate::api::rare::RareId;
use crate::api::selector::Selector;
use crate::api::store::{Change, REVISION_LABEL, Store};
use crate::config::Config;
use crate::controllers::runner::Runner;
use crate::event::{Event, Process};
use crate::kernel::{Duration, Id};
use crate::rule::Rule;
use crate::world::World;
use serde_json::json;
use std::sync::Arc;

/// A set to be made.
#[derive(Clone, Debug)]
pub(super) struct SetOptions {
    pub(super) replicas: i32,
    pub(super) start: Option<i32>,
    pub(super) policy: PodManagement,
    pub(super) strategy: UpdateStrategy,
    pub(super) min_ready: u32,
    pub(super) claims: usize,
    pub(super) when_scaled: Retention,
    pub(super) when_deleted: Retention,
    pub(super) history_limit: i32,
    pub(super) image: &'static str,
}

impl Default for SetOptions {
    fn default() -> Self {
        SetOptions {
            replicas: 3,
            start: None,
            policy: PodManagement::OrderedReady,
            strategy: UpdateStrategy::RollingUpdate(Some(RollingUpdate::default())),
            min_ready: 0,
            claims: 0,
            when_scaled: Retention::Retain,
            when_deleted: Retention::Retain,
            history_limit: 10,
            image: "web:v1",
        }
    }
}

/// A template with this image.
pub(super) fn template(world: &mut World, image: &str) -> TemplateId {
    let mut json = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    });
    crate::api::template_defaults::default_pod_template(&mut json);
    let labels = app_labels(world);
    world.store.intern_template(image, |_| Template {
        json: Arc::new(json),
        labels,
        annotations: LabelsId::EMPTY,
        finalizers: Default::default(),
    })
}

fn app_labels(world: &mut World) -> LabelsId {
    let (key, value) = (world.store.names.word("app"), world.store.names.word("web"));
    world.store.labels.of(vec![(key, value)])
}

/// The spec these options mean.
pub(super) fn spec(world: &mut World, options: &SetOptions) -> StatefulSetSpec {
    let size = world.store.names.word("1Gi");
    let claim = world.store.intern_claim_spec("1Gi", |_| ClaimSpec {
        class: None,
        bytes: 1 << 30,
        size,
        modes: AccessModes::RWO,
        block: false,
        selector: None,
        volume_name: Sym::EMPTY,
        json: Arc::new(json!({"resources": {"requests": {"storage": "1Gi"}}})),
    });
    let labels = app_labels(world);
    let names = ["data", "logs", "wal"].map(|name| world.store.names.word(name));
    let claims = names.iter().take(options.claims).map(|name| ClaimTemplate {
        name: *name,
        labels,
        annotations: LabelsId::EMPTY,
        spec: claim,
        json: Arc::new(json!({})),
    });
    StatefulSetSpec {
        replicas: options.replicas,
        selector: Arc::new(Selector::from_pairs([("app", "web")])),
        selector_json: Arc::new(json!({"matchLabels": {"app": "web"}})),
        claims: claims.collect(),
        template: template(world, options.image),
        service_name: world.store.names.word("web"),
        policy: options.policy,
        strategy: options.strategy,
        history_limit: options.history_limit,
        min_ready: options.min_ready,
        when_deleted: options.when_deleted,
        when_scaled: options.when_scaled,
        start: options.start,
    }
}

/// Creates a set.
pub(super) fn set(world: &mut World, name: &str, options: &SetOptions) -> Id<StatefulSet> {
    let spec = Arc::new(spec(world, options));
    let meta = Meta { name: world.store.names.name(name), namespace: Sym::DEFAULT, ..Meta::default() };
    world
        .create(
            StatefulSet { meta, spec, status: StatefulSetStatus::default(), conditions: None },
            Rule::NONE,
        )
        .unwrap()
}

/// Writes the spec of a set anew.
pub(super) fn respec(world: &mut World, id: Id<StatefulSet>, options: &SetOptions) {
    let spec = Arc::new(spec(world, options));
    world.update_spec(id, Rule::NONE, |set| set.spec = spec);
}

/// The id of a pod by its name as text.
pub(super) fn pod(world: &World, name: &str) -> Option<Id<Pod>> {
    let name = world.store.names.known_name(name)?;
    world.store.pods.find(Sym::DEFAULT, name).map(|(id, _)| id)
}

/// The id of a claim by its name as text.
pub(super) fn claim(world: &World, name: &str) -> Option<Id<Claim>> {
    let name = world.store.names.known_name(name)?;
    world.store.claims.find(Sym::DEFAULT, name).map(|(id, _)| id)
}

/// A set called `web` and its pods, all healthy.
pub(super) fn healthy(options: &SetOptions) -> (Bench, Id<StatefulSet>) {
    let mut bench = Bench::new();
    let id = set(&mut bench.world, "web", options);
    bench.run();
    for index in 0..options.replicas {
        bench.ready(&format!("web-{}", options.start.unwrap_or(0) + index));
        bench.run();
    }
    (bench, id)
}

/// The revision label of a pod as text.
pub(super) fn revision_of(world: &World, pod: &Pod) -> String {
    let key = world.store.names.known(REVISION_LABEL);
    let value = key.and_then(|key| world.store.labels.value(pod.meta.labels, key)).unwrap_or_default();
    world.store.names.text(value).to_owned()
}

/// A bare pod with the labels of the set, owned by nobody.
pub(super) fn bare_pod(world: &mut World, name: &str) -> Id<Pod> {
    owned_pod(world, name, OwnersId::EMPTY)
}

/// The same with owners.
pub(super) fn owned_pod(world: &mut World, name: &str, owners: OwnersId) -> Id<Pod> {
    let labels = app_labels(world);
    let spec = {
        let template = template(world, "web:v1");
        let World { store, config, .. } = world;
        crate::api::admission::pod_spec_for_template(store, config, template, "bare").unwrap()
    };
    let name: Name = world.store.names.name(name);
    let meta = Meta { name, namespace: Sym::DEFAULT, labels, owners, ..Meta::default() };
    world.create(super::pod_control::new_pod(meta, spec, PodFlags::default()), Rule::NONE).unwrap()
}

/// The kubelet's part: the pod runs and is ready, or not.
pub(super) fn report(world: &mut World, id: Id<Pod>, phase: Phase, ready: bool) {
    let now = Seconds::of(world.now());
    world.update(id, Rule::NONE, |pod| {
        pod.phase = phase;
        pod.flags.set(PodFlags::READY, ready);
        pod.ready_since = now;
    });
}

/// A world in which only this controller acts; what kubelets and people do is up to the test.
pub(super) struct Bench {
    pub(super) world: World,
    pub(super) runner: Runner<StatefulSets>,
    /// Keys that syncs were due for, in order.
    pub(super) woken: Vec<u32>,
    told: u64,
}

impl Bench {
    pub(super) fn new() -> Bench {
        let mut world = World::new(1, Config::recorded());
        world.events.turn_on();
        Bench { world, runner: Runner::default(), woken: Vec::new(), told: 0 }
    }

    /// Handles one event of the controller manager's.
    fn step(&mut self) {
        let world = &mut self.world;
        match world.pop() {
            // The other watches never move, so the store keeps every state to tell of.
            Some(Event::Deliver(Process::ControllerManager, _)) => {
                while let Some(change) = world.next_delivery(Process::ControllerManager) {
                    self.runner.observe(&change, world);
                }
                world.delivered(Process::ControllerManager);
            }
            Some(Event::Sync(_, key, _)) => {
                self.woken.push(key);
                self.runner.sync(key, world);
            }
            Some(Event::Call(_, slot, _)) => self.runner.call(slot, world),
            Some(Event::Requeue(_, key, token)) => self.runner.requeue(key, token, world),
            _ => {}
        }
    }

    /// Lets the controller work for this many milliseconds of virtual time; what was written meanwhile, one text each.
    pub(super) fn run_for(&mut self, millis: u64) -> Vec<String> {
        let until = self.world.now() + Duration::from_millis(millis);
        // An event that marks the end, so that the clock gets there.
        self.world.at(until, Event::Runner(0));
        while self.world.next_time().is_some_and(|time| time <= until) {
            self.step();
        }
        self.news()
    }

    /// Lets the controller work until it has settled.
    pub(super) fn run(&mut self) -> Vec<String> {
        self.run_for(500)
    }

    /// What was written since the last call.
    pub(super) fn news(&mut self) -> Vec<String> {
        let mut news = Vec::new();
        let end = self.world.store.log_end();
        for position in self.told..end {
            if let Some(change) = self.world.store.log_entry(position).copied() {
                news.extend(self.tell(&change));
            }
        }
        self.told = end;
        news
    }

    fn tell(&self, change: &Change) -> Option<String> {
        let store = &self.world.store;
        let name = |meta: &Meta| store.name_of(meta.name);
        match change.kind {
            Kind::Pod => {
                let (old, new) = store.before_and_after::<Pod>(change);
                match (old, new) {
                    (None, Some(pod)) => {
                        Some(format!("create {} {}", name(&pod.meta), revision_of(&self.world, pod)))
                    }
                    (Some(pod), None) => Some(format!("gone {}", name(&pod.meta))),
                    (Some(old), Some(pod)) if !old.is_terminating() && pod.is_terminating() => {
                        Some(format!("delete {}", name(&pod.meta)))
                    }
                    (Some(old), Some(pod)) if old.meta.owners != pod.meta.owners => {
                        Some(format!("own {} {}", name(&pod.meta), owners_of(store, pod.meta.owners)))
                    }
                    (Some(old), Some(pod))
                        if !old.flags.has(PodFlags::NAME_LABEL) && pod.flags.has(PodFlags::NAME_LABEL) =>
                    {
                        Some(format!("label {}", name(&pod.meta)))
                    }
                    _ => None,
                }
            }
            Kind::Claim => {
                let (old, new) = store.before_and_after::<Claim>(change);
                match (old, new) {
                    (None, Some(claim)) => Some(format!("create {}", name(&claim.meta))),
                    (Some(old), Some(claim)) if old.meta.owners != claim.meta.owners => {
                        Some(format!("own {} {}", name(&claim.meta), owners_of(store, claim.meta.owners)))
                    }
                    _ => None,
                }
            }
            Kind::Revision => {
                let (old, new) = store.before_and_after::<ControllerRevision>(change);
                match (old, new) {
                    (None, Some(revision)) => Some(format!("revision {}", revision.number)),
                    (Some(old), Some(revision)) if old.number != revision.number => {
                        Some(format!("revision {}->{}", old.number, revision.number))
                    }
                    (Some(_), Some(revision)) => Some(format!(
                        "own revision {} {}",
                        revision.number,
                        owners_of(store, revision.meta.owners)
                    )),
                    (Some(revision), None) => Some(format!("forget revision {}", revision.number)),
                    (None, None) => None,
                }
            }
            Kind::StatefulSet => {
                let (old, new) = store.before_and_after::<StatefulSet>(change);
                let (old, new) = (old?.status, new?.status);
                (old != new).then(|| {
                    let same = new.current_revision == new.update_revision;
                    let StatefulSetStatus { replicas, ready, available, current, updated, .. } = new;
                    let eq = if same { "=" } else { "!" };
                    format!("status {replicas} {ready} {available} {current}{eq}{updated}")
                })
            }
            _ => None,
        }
    }

    pub(super) fn pod(&self, name: &str) -> Id<Pod> {
        pod(&self.world, name).unwrap()
    }

    /// The kubelet runs the pod and finds it ready.
    pub(super) fn ready(&mut self, name: &str) {
        let id = self.pod(name);
        self.world.update(id, Rule::NONE, |pod| pod.node = Id::from_index(0));
        report(&mut self.world, id, Phase::Running, true);
    }

    /// The kubelet runs the pod and does not find it ready.
    pub(super) fn unready(&mut self, name: &str) {
        let id = self.pod(name);
        self.world.update(id, Rule::NONE, |pod| pod.node = Id::from_index(0));
        report(&mut self.world, id, Phase::Running, false);
    }

    /// All containers of the pod have ended.
    pub(super) fn ended(&mut self, name: &str) {
        let id = self.pod(name);
        report(&mut self.world, id, Phase::Succeeded, false);
    }

    /// The pod is taken away.
    pub(super) fn gone(&mut self, name: &str) {
        let id = self.pod(name);
        self.world.remove(id, Rule::NONE);
    }

    /// The set is deleted and what it owned left behind, as `--cascade=orphan` does (STS-91).
    pub(super) fn orphan(&mut self, id: Id<StatefulSet>) {
        let uid = self.world.store.get(id).unwrap().meta.uid;
        let rare = self.world.store.rares.ending(RareId::default(), Seconds(0), 0);
        self.world.update(id, Rule::NONE, |set| {
            set.meta.rare = rare;
            set.meta.finalizers = Finalizers::ORPHAN;
        });
        let pods: Vec<_> = self.world.store.pods.iter().map(|(id, pod)| (id, pod.meta.owners)).collect();
        for (pod, owners) in pods {
            let owners = self.world.store.owners.without(owners, uid);
            self.world.update(pod, Rule::NONE, |pod| pod.meta.owners = owners);
        }
        let revisions: Vec<_> =
            self.world.store.revisions.iter().map(|(id, r)| (id, r.meta.owners)).collect();
        for (revision, owners) in revisions {
            let owners = self.world.store.owners.without(owners, uid);
            self.world.update(revision, Rule::NONE, |revision| revision.meta.owners = owners);
        }
        self.world.remove(id, Rule::NONE);
    }

    /// Reasons and messages of the Events of the set so far.
    pub(super) fn events(&self) -> Vec<(&'static str, String)> {
        self.world.events.iter().map(|event| (event.reason, event.message.clone())).collect()
    }
}

/// Writes without the revisions of new pods.
pub(super) fn cut(writes: &[String]) -> Vec<String> {
    let of_pod = |write: &String| write.starts_with("create web-") && write.matches(' ').count() == 2;
    let plain = |write: &String| write.rsplit_once(' ').map_or(String::new(), |(start, _)| start.to_owned());
    writes.iter().map(|write| if of_pod(write) { plain(write) } else { write.clone() }).collect()
}

fn owners_of(store: &Store, owners: OwnersId) -> String {
    let names = store
        .owners
        .get(owners)
        .iter()
        .map(|owner| format!("{}/{}", owner.kind.as_str(), store.name_of(owner.name)));
    format!("[{}]", names.collect::<Vec<_>>().join(","))
}
