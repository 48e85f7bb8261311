//! Outages as clients saw them, and what each was spent on.
//!
//! An outage begins when no writer gets through any more and ends when one does. Its budget is read off the record of
//! the run: what happened to the pod, node and volume of the instance that ended it, in order; each step accounts for
//! the time since the one before it. Without a record (it is off in large sweeps) only the instance's own steps are known.
use crate::api::kind::Kind;
use crate::api::objects::{NodeReady, Volume};
use crate::kernel::{Duration, Id, Time};
use crate::trace::record::{Note, Record};
use crate::workload::sight::{Life, Process, Storage};
use crate::world::{Actor, World};

/// A time in which no writer got through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outage {
    /// Since when.
    pub from: Time,
    /// Until when; None: it is not over.
    pub to: Option<Time>,
    /// The instance whose end began it.
    pub victim: Process,
    /// The instance that ended it.
    pub winner: Option<Process>,
    /// What it was spent on, in order; together its whole length.
    pub budget: Vec<(&'static str, Duration)>,
}

/// All outages so far.
#[derive(Clone, Debug, Default)]
pub struct Outages {
    all: Vec<Outage>,
    /// Who served last.
    server: Option<Process>,
    /// What instances did during the present outage.
    marks: Vec<(Time, Life, &'static str)>,
}

/// Outages that are kept; more of them are not told one by one.
const KEPT: usize = 256;

impl Outages {
    /// An instance has got somewhere.
    pub(super) fn mark(&mut self, now: Time, life: Life, what: &'static str) {
        if self.is_open() {
            self.marks.push((now, life, what));
        }
    }

    fn is_open(&self) -> bool {
        self.all.last().is_some_and(|outage| outage.to.is_none())
    }

    /// This instance serves writers now, or none does.
    pub(super) fn sees(&mut self, server: Option<Process>, world: &World) {
        let now = world.now();
        match (server, self.server) {
            (None, Some(victim)) if !self.is_open() && self.all.len() < KEPT => {
                self.marks.clear();
                self.all.push(Outage { from: now, to: None, victim, winner: None, budget: Vec::new() });
            }
            (Some(winner), _) if self.is_open() => {
                let marks = std::mem::take(&mut self.marks);
                if let Some(outage) = self.all.last_mut() {
                    outage.to = Some(now);
                    outage.winner = Some(winner);
                    outage.budget = budget(outage, now, &winner, &marks, world);
                }
                // What ends at the instant at which it began was none.
                self.all.retain(|outage| outage.to != Some(outage.from));
            }
            _ => {}
        }
        if server.is_some() {
            self.server = server;
        }
    }

    /// All of them, in order.
    pub fn all(&self) -> &[Outage] {
        &self.all
    }

    /// How long the last one that is over took.
    pub(super) fn last_over(&self) -> Duration {
        let over = self.all.iter().rev().find_map(|outage| Some(outage.to? - outage.from));
        over.unwrap_or_default()
    }
}

/// What the time until an instance served was spent on.
fn budget(
    outage: &Outage,
    to: Time,
    winner: &Process,
    marks: &[(Time, Life, &'static str)],
    world: &World,
) -> Vec<(&'static str, Duration)> {
    let records = world.recorder.records();
    let first = records.partition_point(|record| record.time < outage.from);
    let during = records.get(first..).unwrap_or_default().iter().filter(|record| record.time <= to);
    let mut steps: Vec<(Time, &'static str)> =
        during.filter_map(|record| Some((record.time, step(record, outage, winner, world)?))).collect();
    if winner.life.since > outage.from {
        steps.push((winner.life.since, "container start"));
    }
    steps.extend(marks.iter().filter(|mark| mark.1 == winner.life).map(|mark| (mark.0, mark.2)));
    steps.push((to, "clients reconnect"));
    steps.sort_by_key(|(time, _)| *time);
    let mut at = outage.from;
    let mut budget: Vec<(&'static str, Duration)> = Vec::new();
    for (time, what) in steps {
        let takes = time.elapsed_since(at);
        at = at.max(time);
        if takes == Duration::ZERO {
            continue;
        }
        match budget.iter_mut().find(|(name, _)| *name == what) {
            Some((_, sum)) => *sum = *sum + takes,
            None => budget.push((what, takes)),
        }
    }
    budget
}

/// What a record says the time before it was spent on, if it concerns the instance that ended the outage, or the one
/// that began it.
fn step(record: &Record, outage: &Outage, winner: &Process, world: &World) -> Option<&'static str> {
    let is_pod = |process: &Process| record.index == process.life.pod.as_u32();
    match (record.kind, record.note) {
        (Kind::Node, Note::NodeReady(NodeReady::Unknown | NodeReady::False)) => {
            (record.index == outage.victim.node.as_u32()).then_some("detection")
        }
        (Kind::Node, Note::NodeReady(NodeReady::True)) => {
            (record.index == winner.node.as_u32()).then_some("node return")
        }
        (Kind::Pod, Note::Deleting) if is_pod(&outage.victim) => Some(match record.actor {
            Actor::TaintEviction => "toleration",
            Actor::User => "operator",
            _ => "deletion",
        }),
        (Kind::Pod, Note::Deleted) if is_pod(&outage.victim) => {
            Some(if record.actor == Actor::User { "operator" } else { "termination" })
        }
        (Kind::Pod, Note::Created(_)) if is_pod(winner) => Some("recreation"),
        (Kind::Pod, Note::Scheduled(_)) if is_pod(winner) => Some("scheduling"),
        (Kind::Pod, Note::Ready) if is_pod(winner) => Some("readiness"),
        (Kind::Attachment, note) => {
            let (volume, _) = record.name.attachment()?;
            let volume: Id<Volume> = Id::from_index(volume as usize);
            let disk = world.store.volumes.last_known(volume).map(|volume| Storage::Disk(volume.disk));
            match note {
                Note::Deleting if disk == Some(winner.storage) => Some("wait for unmount"),
                Note::Deleted if disk == Some(winner.storage) => Some("detach"),
                Note::Attached if disk == Some(winner.storage) => Some("attach"),
                _ => None,
            }
        }
        _ => None,
    }
}
