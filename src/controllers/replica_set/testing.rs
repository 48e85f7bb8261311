//! A bench for the tests of workload controllers: the whole controller manager over one API, with nodes and kubelets
//! reduced to "bound at once, running, ready after a while, gone a while after the delete".
use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::api::rest::ObjectRef;
use crate::api::store::{Change, Store};
use crate::config::Config;
use crate::controllers::ControllerManager;
use crate::event::{Event, Process};
use crate::kernel::{Duration, Id};
use crate::rule::Rule;
use crate::trace::notes::REVISION_ANNOTATION;
use crate::world::World;
use serde_json::{Value, json};

/// What the outside does at a time it was asked for.
#[derive(Clone, Copy, Debug)]
enum Act {
    Ready(Id<Pod>, crate::api::names::Uid),
    Gone(Id<Pod>, crate::api::names::Uid),
    Stop,
}

/// See the module documentation.
pub(in crate::controllers) struct Bench {
    pub(in crate::controllers) world: World,
    pub(in crate::controllers) manager: ControllerManager,
    /// Pods of this image never get ready.
    pub(in crate::controllers) broken: &'static str,
    /// From SIGTERM to the end.
    pub(in crate::controllers) stop: Duration,
    acts: Vec<Act>,
    told: u64,
    running: bool,
}

impl Bench {
    pub(in crate::controllers) fn new() -> Bench {
        Bench::with(1, Config::recorded())
    }

    pub(in crate::controllers) fn with(seed: u64, config: Config) -> Bench {
        let mut world = World::new(seed, config);
        world.events.turn_on();
        world
            .rest_create(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}))
            .unwrap();
        Bench {
            world,
            manager: ControllerManager::default(),
            broken: "web:broken",
            stop: Duration::from_millis(200),
            acts: Vec::new(),
            told: 0,
            running: false,
        }
    }

    /// Creates an object of group apps with replicas pods of this image.
    pub(in crate::controllers) fn create(&mut self, kind: &str, replicas: i32, more: Value) -> ObjectRef {
        let mut object = json!({
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": template("web:v1"),
            },
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            object["spec"][key] = value.clone();
        }
        self.apply(object)
    }

    pub(in crate::controllers) fn apply(&mut self, object: Value) -> ObjectRef {
        self.world.rest_create(object).unwrap()
    }

    /// A merge patch, as a user's.
    pub(in crate::controllers) fn patch(&mut self, object: ObjectRef, patch: Value) {
        self.world.rest_patch(object, crate::api::patch::PatchType::Merge, &patch, "").unwrap();
    }

    pub(in crate::controllers) fn set_image(&mut self, object: ObjectRef, image: &str) {
        self.patch(object, json!({"spec": {"template": template(image)}}));
    }

    /// A pod of this name that nobody manages, bound to a node.
    pub(in crate::controllers) fn bare_pod(&mut self, name: &str) -> Id<Pod> {
        let mut pod = template("web:v1");
        pod["apiVersion"] = "v1".into();
        pod["kind"] = "Pod".into();
        pod["metadata"]["name"] = name.into();
        pod["metadata"]["namespace"] = "default".into();
        self.apply(pod).id()
    }

    fn after(&mut self, delay: Duration, act: Act) {
        self.acts.push(act);
        let number = u32::try_from(self.acts.len() - 1).unwrap();
        self.world.delay(delay, Event::Runner(number));
    }

    fn act(&mut self, act: Act) {
        let now = Seconds::of(self.world.now());
        match act {
            Act::Ready(id, uid) => {
                let broken = self.world.store.pods.get_uid(id, uid).is_some_and(|pod| {
                    let spec = self.world.store.pod_spec(pod.spec).clone();
                    spec.containers.iter().any(|c| self.world.store.names.text(c.image) == self.broken)
                });
                self.world.update_uid(id, uid, Rule::NONE, |pod| {
                    pod.phase = Phase::Running;
                    pod.flags.set(PodFlags::READY, !broken);
                    pod.ready_since = now;
                });
            }
            Act::Gone(id, uid) => {
                if self.world.store.pods.get_uid(id, uid).is_some() {
                    self.world.remove(id, Rule::NONE);
                }
            }
            Act::Stop => self.running = false,
        }
    }

    /// The outside takes notice of what was written.
    fn notice(&mut self) {
        let end = self.world.store.log_end();
        for position in self.told..end {
            let Some(change) = self.world.store.log_entry(position).copied() else { continue };
            if change.kind != Kind::Pod {
                continue;
            }
            let (old, new) = self.world.store.before_and_after::<Pod>(&change);
            let (old, new) = (old.copied(), new.copied());
            let (id, Some(pod)) = (change.id::<Pod>(), new) else { continue };
            if old.is_none() && !pod.is_bound() {
                self.world.update(id, Rule::NONE, |pod| pod.node = Id::from_index(0));
                self.after(Duration::from_millis(400), Act::Ready(id, pod.meta.uid));
            }
            if pod.is_terminating() && old.is_some_and(|old| !old.is_terminating()) {
                self.after(self.stop, Act::Gone(id, pod.meta.uid));
            }
        }
        self.told = end;
    }

    /// Plays this long; one line for each noteworthy write of a controller.
    pub(in crate::controllers) fn run(&mut self, millis: u64) -> Vec<String> {
        let mut lines = Vec::new();
        self.after(Duration::from_millis(millis), Act::Stop);
        self.running = true;
        let mut shown = self.told;
        while self.running {
            while shown < self.world.store.log_end() {
                lines.extend(
                    self.world.store.log_entry(shown).and_then(|change| line(&self.world.store, change)),
                );
                shown += 1;
            }
            self.notice();
            self.step();
        }
        lines
    }

    fn step(&mut self) {
        let world = &mut self.world;
        match world.pop() {
            // The other watches never move, so the store keeps every state to tell of.
            Some(Event::Deliver(Process::ControllerManager, _)) => {
                while let Some(change) = world.next_delivery(Process::ControllerManager) {
                    self.manager.observe(&change, world);
                }
                world.delivered(Process::ControllerManager);
            }
            Some(Event::Runner(number)) => self.act(self.acts[number as usize]),
            Some(event @ (Event::Sync(..) | Event::Call(..) | Event::Requeue(..) | Event::Collect(..))) => {
                self.manager.handle(event, world);
            }
            Some(_) => {}
            None => self.running = false,
        }
    }

    /// The controller manager restarts.
    pub(in crate::controllers) fn restart(&mut self) {
        self.world.stop(Process::ControllerManager);
        self.manager.stop();
        self.world.start(Process::ControllerManager);
        self.manager.restart(&mut self.world);
    }

    pub(in crate::controllers) fn pods(&self) -> Vec<(Id<Pod>, Pod)> {
        self.world.store.pods.iter().map(|(id, pod)| (id, *pod)).collect()
    }

    /// Pods that are not being deleted.
    pub(in crate::controllers) fn active(&self) -> usize {
        self.pods().iter().filter(|(_, pod)| !pod.is_terminating()).count()
    }

    /// ReplicaSets in order of appearance: desired size, revision.
    pub(in crate::controllers) fn sets(&self) -> Vec<(i32, String)> {
        let mut sets: Vec<_> = self.world.store.replica_sets.iter().map(|(_, set)| set).collect();
        sets.sort_by_key(|set| set.meta.uid);
        sets.iter().map(|set| (set.spec.replicas, revision(&self.world.store, set))).collect()
    }

    /// Reasons and messages of the Events so far.
    pub(in crate::controllers) fn events(&self) -> Vec<(&'static str, String)> {
        self.world.events.iter().map(|event| (event.reason, event.message.clone())).collect()
    }
}

/// A pod template with this image.
pub(in crate::controllers) fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    })
}

fn revision(store: &Store, set: &ReplicaSet) -> String {
    let key = store.names.known(REVISION_ANNOTATION);
    let value = key.and_then(|key| store.labels.value(set.meta.annotations, key)).unwrap_or_default();
    store.names.text(value).to_owned()
}

fn line(store: &Store, change: &Change) -> Option<String> {
    match change.kind {
        Kind::ReplicaSet => {
            let (old, new) = store.before_and_after::<ReplicaSet>(change);
            let number = store
                .replica_sets
                .iter_at(change.revision)
                .filter(|(_, set)| set.meta.uid <= change.uid)
                .count();
            match (old, new) {
                (None, Some(set)) => Some(format!("rs-{number} created {}", set.spec.replicas)),
                (Some(_), None) => Some("rs deleted".into()),
                (Some(old), Some(set)) if old.spec.replicas != set.spec.replicas => {
                    Some(format!("rs-{number} {}->{}", old.spec.replicas, set.spec.replicas))
                }
                (Some(old), Some(set)) if revision(store, old) != revision(store, set) => {
                    Some(format!("rs-{number} revision={}", revision(store, set)))
                }
                _ => None,
            }
        }
        Kind::Deployment => {
            let (old, new) = store.before_and_after::<Deployment>(change);
            let (old, new) = (&old?.status, &new?.status);
            (old != new).then(|| {
                let reasons: Vec<_> = new.conditions.iter().map(|c| c.reason).collect();
                format!(
                    "deploy {} {} {} {} {} {:?} {}",
                    new.replicas,
                    new.updated,
                    new.ready,
                    new.available,
                    new.unavailable,
                    new.terminating.unwrap_or(-1),
                    reasons.join(" ")
                )
            })
        }
        Kind::Pod => {
            let (old, new) = store.before_and_after::<Pod>(change);
            match (old, new) {
                (None, Some(_)) => Some("pod created".into()),
                (Some(old), Some(new)) if !old.is_terminating() && new.is_terminating() => {
                    Some("pod deleting".into())
                }
                _ => None,
            }
        }
        Kind::Budget => {
            let (old, new) = store.before_and_after::<Budget>(change);
            let (old, new) = (&old?.status, &new?.status);
            (old != new).then(|| {
                format!("pdb {} {} {} {} {}", new.allowed, new.healthy, new.desired, new.expected, new.reason)
            })
        }
        _ => None,
    }
}
