//! What objects that are not as they should be wait for, at every moment at which something noteworthy happened.
//!
//! Where many wait at once, as when a large set starts, nothing is kept here: what is told of each pod in a few words
//! has to do.
use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::api::objects::{ClaimPhase, NodeReady};
use crate::cluster::Cluster;
use crate::kernel::Time;
use crate::report::history::{WaitLine, Waiting};
use crate::report::why;
use crate::rule::Rule;
use crate::run::Play;
use crate::why::look::Look;
use crate::why::{Thing, stuck, waits};
use std::collections::BTreeMap;

/// More objects than this that wait at once are not asked.
const MOST: usize = 24;

/// Who waits, and what was told of it last.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    records: usize,
    told: BTreeMap<u32, (Vec<WaitLine>, Vec<String>)>,
}

impl Waiters {
    /// Tells what has changed; `number` is that of an object in the history.
    pub(super) fn look(
        &mut self,
        play: &Play<'_>,
        number: impl Fn(Kind, Uid) -> Option<u32>,
        out: &mut Vec<Waiting>,
    ) {
        let world = &play.cluster.world;
        let records = world.recorder.records().len();
        if records == self.records {
            return;
        }
        self.records = records;
        let waiting = waiting(&play.cluster);
        let mut now = BTreeMap::new();
        if (1..=MOST).contains(&waiting.len()) {
            let look = Look::new(play);
            for (thing, kind, uid) in waiting {
                if let Some(object) = number(kind, uid) {
                    now.insert(object, told(&look, &thing));
                }
            }
        }
        now.retain(|_, (waits, _)| !waits.is_empty());
        let time = world.now();
        for object in self.told.keys().filter(|object| !now.contains_key(object)) {
            push(out, time, *object, Vec::new(), Vec::new());
        }
        for (object, known) in &now {
            if self.told.get(object) != Some(known) {
                let (waits, stuck) = known.clone();
                push(out, time, *object, waits, stuck);
            }
        }
        self.told = now;
    }
}

/// Of what is told at one instant the last counts.
fn push(out: &mut Vec<Waiting>, time: Time, object: u32, waits: Vec<WaitLine>, stuck: Vec<String>) {
    let of_now = out.iter_mut().rev().take_while(|known| known.time == time);
    match of_now.into_iter().find(|known| known.object == object) {
        Some(known) => (known.waits, known.stuck) = (waits, stuck),
        None => out.push(Waiting { time, object, waits, stuck }),
    }
}

/// Everything that is not as it should be.
fn waiting(cluster: &Cluster) -> Vec<(Thing, Kind, Uid)> {
    let store = &cluster.world.store;
    let pods =
        store.pods.iter().filter(|(_, pod)| pod.is_terminating() || !pod.is_ready() && !pod.is_terminal());
    let mut all: Vec<_> =
        pods.map(|(id, pod)| (Thing::of(id), Kind::Pod, pod.meta.uid)).take(MOST + 1).collect();
    let sets = store.stateful_sets.iter();
    let sets = sets.filter(|(id, _)| cluster.manager.stateful_set.wait(id.as_u32()).is_some());
    all.extend(sets.map(|(id, set)| (Thing::of(id), Kind::StatefulSet, set.meta.uid)).take(MOST + 1));
    let behind = store.deployments.iter().filter(|(_, it)| it.status.available < it.spec.replicas);
    all.extend(behind.map(|(id, it)| (Thing::of(id), Kind::Deployment, it.meta.uid)).take(MOST + 1));
    let claims = store.claims.iter();
    let claims = claims.filter(|(_, it)| it.phase() != ClaimPhase::Bound || it.meta.is_terminating());
    all.extend(claims.map(|(id, it)| (Thing::of(id), Kind::Claim, it.meta.uid)).take(MOST + 1));
    let nodes = store.nodes.iter().filter(|(_, node)| node.ready != NodeReady::True);
    all.extend(nodes.map(|(id, node)| (Thing::of(id), Kind::Node, node.meta.uid)).take(MOST + 1));
    all
}

fn told(look: &Look<'_>, thing: &Thing) -> (Vec<WaitLine>, Vec<String>) {
    let (waits, circle) = waits::all(look, thing);
    let found = stuck::found(look, thing, &waits, &circle);
    let stuck = found.iter().map(|state| {
        format!(
            "STUCK-{} {}: {} What ends it: {}",
            state.id,
            state.name,
            sentence(state.says),
            sentence(state.way_out)
        )
    });
    let name = thing.text(look);
    let lines = waits.iter().map(|wait| {
        let of =
            if wait.depth == 0 && wait.name == name { String::new() } else { format!("{}: ", wait.name) };
        WaitLine {
            depth: u32::try_from(wait.depth).unwrap_or(u32::MAX),
            text: format!("{of}{} waits for {}", wait.who, wait.on),
            end: why::end(&wait.until).unwrap_or_default(),
            rule: if wait.rule == Rule::NONE { String::new() } else { wait.rule.to_string() },
        }
    });
    (lines.collect(), stuck.collect())
}

/// With a full stop.
fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}
