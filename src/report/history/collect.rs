//! Watches a run and keeps its history.
//!
//! After each event the objects that were written are looked at once; what they went through within one event is no
//! state that anybody could have seen at an instant of the clock.
use crate::api::events::ApiEvent;
use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::api::objects::Revision;
use crate::api::rest::ObjectRef;
use crate::api::store::Verb;
use crate::cluster::Cluster;
use crate::controllers::plan::Wait;
use crate::event::Process;
use crate::kernel::Time;
use crate::kubectl::{self, run::Output};
use crate::network::dns::Zone;
use crate::report::history::waiting::Waiters;
use crate::report::history::{
    Deed, DnsChange, Happening, History, Machine, Mark, Note, Object, Role, Running, State, VERSION_LINE,
    diff, facts, narrative, version_line,
};
use crate::report::timeline::{Filter, clock};
use crate::report::verdicts;
use crate::run::{Ended, Outcome, Play, Watch};
use crate::scenario::{Action, Scenario, Step};
use crate::trace::record::Note as Noted;
use crate::trace::tell;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of an object that is there.
#[derive(Debug, Default)]
struct Live {
    object: u32,
    lines: Vec<u32>,
    facts: Vec<u32>,
}

/// See the module documentation.
#[derive(Debug)]
pub struct Collector<'s> {
    scenario: &'s Scenario,
    history: History,
    live: BTreeMap<(Kind, u32), Live>,
    by_uid: BTreeMap<(Kind, Uid), u32>,
    /// Table positions of the objects of the history.
    places: Vec<u32>,
    /// Objects that others are told by, by kind and what tells families of objects apart.
    families: BTreeMap<(Kind, String), u32>,
    writes: usize,
    records: usize,
    /// For each record that was told, the happening it became.
    told: BTreeMap<Revision, u32>,
    waits: BTreeMap<u32, Option<Wait>>,
    events: u64,
    seen_by_dns: Revision,
    dns: BTreeSet<String>,
    processes: u64,
    running: BTreeMap<(u32, String), usize>,
    roles: BTreeMap<u32, String>,
    machines: BTreeMap<u32, &'static str>,
    waiting: Waiters,
}

impl<'s> Collector<'s> {
    /// A collector for a run of this scenario with this seed.
    pub fn new(scenario: &'s Scenario, seed: u64) -> Collector<'s> {
        let mut history = History {
            name: scenario.name.clone(),
            about: scenario.about.clone(),
            head: narrative::head(scenario),
            seed,
            ..History::default()
        };
        history.texts.of(VERSION_LINE);
        Collector {
            scenario,
            history,
            live: BTreeMap::new(),
            by_uid: BTreeMap::new(),
            places: Vec::new(),
            families: BTreeMap::new(),
            writes: 0,
            records: 0,
            told: BTreeMap::new(),
            waits: BTreeMap::new(),
            events: 0,
            seen_by_dns: Revision(0),
            dns: BTreeSet::new(),
            processes: 0,
            running: BTreeMap::new(),
            roles: BTreeMap::new(),
            machines: BTreeMap::new(),
            waiting: Waiters::default(),
        }
    }

    /// The history of the run, which is over.
    pub fn finish(mut self, cluster: &Cluster, outcome: &Outcome) -> History {
        self.look(cluster);
        let now = cluster.world.now();
        self.history.end = now;
        self.history.ended = match outcome.ended {
            Ended::Settled => format!("settled at {}", clock(now)),
            Ended::Until | Ended::Moment => format!("stopped at {}, the virtual end", clock(now)),
            Ended::Limit(_) => format!("stopped at {} by a limit", clock(now)),
        };
        self.history.verdicts = verdicts::items(self.scenario, &cluster.world, outcome);
        self.history
    }

    /// Takes in everything that is new.
    fn look(&mut self, cluster: &Cluster) {
        let touched = self.touched(cluster);
        for (kind, index, uid) in touched {
            self.snapshot(ObjectRef { kind, index, uid }, cluster);
        }
        self.happenings(cluster);
        self.events(cluster);
        self.names(cluster);
        self.processes(cluster);
        self.databases(cluster);
        self.machines(cluster);
    }

    // ---- Objects ---------------------------------------------------------------------------------------------------

    /// What has been written, or is to be told anew for another reason. What was removed is gone.
    fn touched(&mut self, cluster: &Cluster) -> Vec<(Kind, u32, Uid)> {
        let world = &cluster.world;
        let writes = world.recorder.writes();
        let mut touched: Vec<(Kind, u32, Uid)> = Vec::new();
        for write in writes.iter().skip(self.writes) {
            let key = (write.kind, write.index, write.uid);
            if write.verb == Verb::Removed {
                touched.retain(|known| *known != key);
                self.remove(write.kind, write.index, write.uid, write.time);
            } else if !touched.contains(&key) {
                touched.push(key);
            }
        }
        self.writes = writes.len();
        for (id, set) in world.store.stateful_sets.iter() {
            let wait = cluster.manager.stateful_set.wait(id.as_u32());
            let key = (Kind::StatefulSet, id.as_u32(), set.meta.uid);
            if self.waits.insert(id.as_u32(), wait) != Some(wait) && !touched.contains(&key) {
                touched.push(key);
            }
        }
        if world.events.added() != self.events {
            // The scheduler's message is part of what the API shows of a pod, and changes without a write.
            let now = world.now();
            let refused = |event: &&ApiEvent| event.last == now && event.reason == "FailedScheduling";
            for event in world.events.recent().iter().filter(refused) {
                let number = self.by_uid.get(&(Kind::Pod, event.uid));
                let place = number.and_then(|n| self.places.get(*n as usize));
                let key = place.map(|index| (Kind::Pod, *index, event.uid));
                touched.extend(key.filter(|key| !touched.contains(key)));
            }
        }
        touched
    }

    fn remove(&mut self, kind: Kind, index: u32, uid: Uid, time: Time) {
        let Some(number) = self.by_uid.get(&(kind, uid)) else { return };
        if let Some(object) = self.history.objects.get_mut(*number as usize) {
            object.gone = Some(time);
        }
        if self.live.get(&(kind, index)).is_some_and(|live| live.object == *number) {
            self.live.remove(&(kind, index));
        }
    }

    /// Keeps how an object is now, if that is new.
    fn snapshot(&mut self, object: ObjectRef, cluster: &Cluster) {
        let Ok(json) = cluster.world.rest_get(object) else { return };
        let now = cluster.world.now();
        let text =
            |pointer: &str| json.pointer(pointer).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let revision: u32 = text("/metadata/resourceVersion").parse().unwrap_or(0);
        let version = version_line(revision);
        let yaml = kubectl::yaml_of(&json);
        let texts = &mut self.history.texts;
        let lines = yaml.lines().map(|line| texts.of(if line == version { VERSION_LINE } else { line }));
        let lines: Vec<u32> = lines.collect();
        let facts = facts::facts(object.kind, object.index, &json, cluster);
        let kind = text("/kind");
        if !self.history.titles.contains_key(&kind) {
            let titles = facts.iter().map(|(title, _)| *title).collect();
            self.history.titles.insert(kind.clone(), titles);
        }
        let facts: Vec<u32> = facts.iter().map(|(_, value)| texts.of(value)).collect();
        let known = self.by_uid.get(&(object.kind, object.uid)).copied();
        let number = known.unwrap_or_else(|| self.meet(object, &json, now));
        let Some(live) = self.live.get_mut(&(object.kind, object.index)) else { return };
        let Some(known) = self.history.objects.get_mut(number as usize) else { return };
        let edits = diff::edits(&live.lines, &lines);
        let new_facts: Vec<_> = (0..)
            .zip(&facts)
            .filter(|(n, value)| live.facts.get(*n as usize) != Some(value))
            .map(|(n, value)| (n, *value))
            .collect();
        let same = known.states.last().is_some_and(|last| last.revision == revision);
        if same && edits.is_empty() && new_facts.is_empty() {
            return;
        }
        known.states.push(State { time: now, revision, facts: new_facts, edits });
        (live.lines, live.facts) = (lines, facts);
    }

    /// Begins the history of an object; its number.
    fn meet(&mut self, object: ObjectRef, json: &Value, now: Time) -> u32 {
        let text =
            |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = text("/metadata/name");
        let family = (object.kind, family(json, &name));
        let number = u32::try_from(self.history.objects.len()).unwrap_or(u32::MAX);
        let like = self.families.get(&family).copied();
        self.families.entry(family).or_insert(number);
        let before = like.and_then(|n| self.history.objects.get(n as usize)?.states.first());
        let lines = before.map(|first| diff::apply(&[], &first.edits)).unwrap_or_default();
        self.history.objects.push(Object {
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name,
            uid: text("/metadata/uid"),
            born: now,
            gone: None,
            like,
            states: Vec::new(),
        });
        self.places.push(object.index);
        self.by_uid.insert((object.kind, object.uid), number);
        let live = Live { object: number, lines, facts: Vec::new() };
        self.live.insert((object.kind, object.index), live);
        number
    }

    // ---- What happened ---------------------------------------------------------------------------------------------

    fn happenings(&mut self, cluster: &Cluster) {
        let world = &cluster.world;
        let (store, recorder) = (&world.store, &world.recorder);
        let (filter, records) = (Filter::default(), recorder.records());
        for (n, record) in records.iter().enumerate().skip(self.records) {
            // An object that goes at once says so in one line.
            let next = records.get(n + 1);
            let vanishes = record.note == Noted::Deleting
                && next.is_some_and(|next| next.revision == record.revision && next.note == Noted::Deleted);
            let number = u32::try_from(self.history.happenings.len()).unwrap_or(u32::MAX);
            let because = recorder.because(record).filter(|cause| cause.revision != record.revision);
            let rule =
                if record.rule == crate::rule::Rule::NONE { String::new() } else { record.rule.to_string() };
            self.history.happenings.push(Happening {
                time: record.time,
                object: self.by_uid.get(&(record.kind, record.uid)).copied(),
                subject: tell::subject(record, store),
                what: tell::predicate(record, store),
                cause: because.and_then(|cause| self.told.get(&cause.revision)).copied(),
                rule,
                actor: record.actor.as_str(),
                told: filter.shows(record) && !vanishes,
            });
            self.told.entry(record.revision).or_insert(number);
        }
        self.records = records.len();
    }

    fn events(&mut self, cluster: &Cluster) {
        let events = &cluster.world.events;
        if events.added() == self.events {
            return;
        }
        let now = cluster.world.now();
        for event in events.recent().iter().filter(|event| event.last == now) {
            let Some(object) = self.by_uid.get(&(event.kind, event.uid)).copied() else { continue };
            let text = format!("{}: {}", event.reason, event.message);
            let note = Note { object, time: now, warning: event.warning, text };
            let of_now = self.history.notes.iter().rev().take_while(|known| known.time == now);
            if of_now.into_iter().all(|known| *known != note) {
                self.history.notes.push(note);
            }
        }
        self.events = events.added();
    }

    // ---- What the API does not say ---------------------------------------------------------------------------------

    /// The records of the DNS server, when its view has moved over something they are made of.
    fn names(&mut self, cluster: &Cluster) {
        let world = &cluster.world;
        let seen = world.seen(Process::CoreDns);
        if seen == self.seen_by_dns {
            return;
        }
        let writes = world.recorder.writes();
        let from = writes.partition_point(|write| write.revision <= self.seen_by_dns);
        let made_of = |kind| matches!(kind, Kind::Service | Kind::EndpointSlice | Kind::Namespace);
        let mut moved = writes[from..].iter().take_while(|write| write.revision <= seen);
        let concerns = moved.any(|write| made_of(write.kind));
        self.seen_by_dns = seen;
        if !concerns {
            return;
        }
        let records = Zone::of(world).records(crate::api::names::Sym::EMPTY);
        let line = |record: &crate::network::answer::Record| {
            let name = record.name.trim_end_matches('.');
            format!("{name} {} {}", record.data.record_type().as_str(), record.data.render())
        };
        let now: BTreeSet<String> = records.iter().map(line).collect();
        let new: Vec<_> = now.difference(&self.dns).cloned().collect();
        let gone: Vec<_> = self.dns.difference(&now).cloned().collect();
        if !new.is_empty() || !gone.is_empty() {
            self.history.dns.push(DnsChange { time: world.now(), new, gone });
        }
        self.dns = now;
    }

    fn processes(&mut self, cluster: &Cluster) {
        if cluster.kubelets.changes() == self.processes {
            return;
        }
        self.processes = cluster.kubelets.changes();
        let (store, now) = (&cluster.world.store, cluster.world.now());
        let mut running = BTreeMap::new();
        for (node, _, uid) in cluster.kubelets.running() {
            let Some(object) = self.by_uid.get(&(Kind::Pod, uid)).copied() else { continue };
            let node =
                store.nodes.last_known(node).map(|node| store.name_of(node.meta.name)).unwrap_or_default();
            let key = (object, node);
            let known = self.running.remove(&key).unwrap_or_else(|| {
                let (object, node) = key.clone();
                self.history.running.push(Running { object, node, from: now, to: None });
                self.history.running.len() - 1
            });
            running.insert(key, known);
        }
        for ended in std::mem::replace(&mut self.running, running).into_values() {
            if let Some(run) = self.history.running.get_mut(ended) {
                run.to = Some(now);
            }
        }
    }

    fn databases(&mut self, cluster: &Cluster) {
        if cluster.databases.is_empty() {
            return;
        }
        let mut roles = BTreeMap::new();
        for (life, role) in cluster.databases.iter().flat_map(|database| database.roles()) {
            if let Some(object) = self.by_uid.get(&(Kind::Pod, life.uid)) {
                roles.insert(*object, role.to_owned());
            }
        }
        let time = cluster.world.now();
        for object in self.roles.keys().filter(|object| !roles.contains_key(object)) {
            self.history.roles.push(Role { time, object: *object, role: String::new() });
        }
        for (object, role) in &roles {
            if self.roles.get(object) != Some(role) {
                self.history.roles.push(Role { time, object: *object, role: role.clone() });
            }
        }
        self.roles = roles;
    }

    fn machines(&mut self, cluster: &Cluster) {
        for (id, node) in cluster.world.store.nodes.iter() {
            let Some(object) = self.by_uid.get(&(Kind::Node, node.meta.uid)).copied() else { continue };
            let state = if !cluster.kubelets.is_node_alive(id) {
                "off"
            } else if !cluster.kubelets.is_node_linked(id) {
                "cut off"
            } else {
                ""
            };
            if self.machines.insert(object, state).unwrap_or_default() != state {
                self.history.machines.push(Machine { time: cluster.world.now(), object, state });
            }
        }
    }
}

/// What objects that look alike have in common: their owner, or the name without its number.
fn family(json: &Value, name: &str) -> String {
    let owner = json.pointer("/metadata/ownerReferences/0/uid").and_then(|uid| uid.as_str());
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    owner.map_or_else(
        || if stem.starts_with("pvc-") { "pvc-".to_owned() } else { stem.to_owned() },
        str::to_owned,
    )
}

impl Watch for Collector<'_> {
    fn happened(&mut self, cluster: &Cluster) {
        self.look(cluster);
    }

    fn moment(&mut self, play: &Play<'_>) {
        let by_uid = &self.by_uid;
        self.waiting.look(play, |kind, uid| by_uid.get(&(kind, uid)).copied(), &mut self.history.waiting);
    }

    fn step(&mut self, cluster: &Cluster, step: Option<&Step>) {
        self.look(cluster);
        let time = cluster.world.now();
        let mark = match step {
            None if self.scenario.manifests.is_empty() => return,
            None => Mark {
                time,
                until: None,
                deed: Deed::Apply,
                title: "kubectl apply -f <the manifests of this scenario>".to_owned(),
                comment: String::new(),
                output: String::new(),
            },
            Some(step) => {
                let lasts = match &step.action {
                    Action::Fault(fault) => fault.lasts,
                    _ => None,
                };
                let deed = match &step.action {
                    Action::Kubectl { .. } | Action::Apply(_) => Deed::Command,
                    Action::Fault(_) => Deed::Fault,
                    Action::Sleep(_) | Action::Lookup(_) | Action::AddNode(_) | Action::Behavior(_) => {
                        Deed::Other
                    }
                };
                Mark {
                    time,
                    until: lasts.map(|lasts| time + lasts),
                    deed,
                    title: step.title.clone(),
                    comment: narrative::above(self.scenario, step.place),
                    output: String::new(),
                }
            }
        };
        self.history.marks.push(mark);
    }

    fn output(&mut self, cluster: &Cluster, step: Option<&Step>, output: &Output) {
        self.look(cluster);
        let title = step.map(|step| step.title.as_str());
        let of_step = |mark: &&mut Mark| match title {
            None => mark.deed == Deed::Apply,
            Some(title) => mark.title == title,
        };
        if let Some(mark) = self.history.marks.iter_mut().rev().find(of_step) {
            mark.output = format!("{}{}", output.stdout, output.stderr);
            if output.exit != 0 {
                mark.output += &format!("[exit {}]\n", output.exit);
            }
        }
    }
}
