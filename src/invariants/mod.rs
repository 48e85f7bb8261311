//! What must hold at every change, whatever happens: judged while a run goes on.
//!
//! Three kinds of judgement, never mixed. A *decision* is judged at the instant a controller makes it, from that
//! controller's own view: a fault can make the view wrong, never the reasoning. The *API* is judged at each committed
//! write. The *world*, what really runs and is attached, is judged where it changes. A finding is a bug of the
//! simulator, not of the simulated cluster. Sentences and ids: `docs/semantics/invariants.md`.
//!
//! What really runs and is attached can also break though nobody reasoned wrongly: a person removed a pod whose processes
//! live on. That is a [`Breach`], by a licence, and no bug: the simulated cluster really does it. A scenario that teaches
//! it says so (`expect: - violates:`); in any other run it is a failure, unless it is a database that breaks as it is
//! configured to ([`Breakable::fails`]).
//!
//! The checks are plain and recompute from the view; they are for tests and small clusters, and cost one branch when
//! they are off.
mod decisions;
pub mod licence;
mod objects;
pub mod registry;
mod storage;
mod workload;
mod world;

use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::api::store::Change;
use crate::decision::Moment;
use crate::event::Controller;
use crate::invariants::licence::Licence;
use crate::kernel::Time;
use crate::kubelet::Kubelets;
use crate::storage::Csi;
use crate::workload::Databases;
use crate::world::{Actor, World};

/// An invariant that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// `INV-<number>`.
    pub invariant: u8,
    /// When.
    pub time: Time,
    /// The write it was seen at.
    pub revision: Revision,
    /// What was seen.
    pub message: String,
}

/// An invariant that a breach can be of.
#[derive(PartialEq, Eq, Debug)]
pub struct Breakable {
    /// Its name in scenarios.
    pub name: &'static str,
    /// `INV-<number>`.
    pub invariant: u8,
    /// A run that does not say so fails. Not so what a database is configured for: no fencing, asynchronous
    /// replication, a number of disks that it may lose. Its figures say what that cost.
    pub fails: bool,
}

/// The invariants of the world that can break by a licence.
pub static BREAKABLE: [Breakable; 4] = [
    Breakable { name: "at-most-one", invariant: 2, fails: true },
    Breakable { name: "data-sticks", invariant: 45, fails: false },
    Breakable { name: "one-primary", invariant: 86, fails: false },
    Breakable { name: "acknowledged-is-durable", invariant: 87, fails: false },
];

/// An invariant of the world that was broken by a licence: something to teach, not a bug.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Breach {
    /// `INV-<number>`.
    pub invariant: u8,
    /// What made it possible.
    pub licence: Licence,
    /// When it began.
    pub time: Time,
    /// When it was over; None: it lasts, or it is no state but one moment.
    pub until: Option<Time>,
    /// The write that led to it.
    pub revision: Revision,
    /// What was seen.
    pub message: String,
}

/// Clusters with more pods than this are not judged: the checks recompute from the view.
pub const MOST_PODS: usize = 1_000;

/// Findings that are kept; one is enough to fail a run.
const KEPT: usize = 16;

/// What of a run is judged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Checks {
    /// Nothing.
    #[default]
    Off,
    /// Decisions only: what no fault excuses.
    Decision,
    /// Everything.
    All,
}

/// Watches a cluster.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    checks: Checks,
    position: u64,
    findings: Vec<Finding>,
    breaches: Vec<Breach>,
    /// Some change was not judged, because there were too many pods.
    skipped: bool,
    /// How often each invariant was judged with a premise that was met: one that never was proves nothing.
    judged: Vec<u64>,
    /// Highest uid seen (INV-1).
    last_uid: u32,
    /// Syncs under way (INV-8).
    syncs: Vec<(Controller, u32)>,
    world: world::Seen,
    databases: workload::Seen,
}

impl Checker {
    /// A checker that judges this much.
    pub fn new(checks: Checks) -> Checker {
        Checker { checks, judged: vec![0; 128], ..Checker::default() }
    }

    /// True if anything is judged.
    pub fn is_on(&self) -> bool {
        self.checks != Checks::Off
    }

    /// What is judged.
    pub fn checks(&self) -> Checks {
        self.checks
    }

    /// What was broken, first things first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What was broken by a licence, first things first.
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// True if everything that happened was judged.
    pub fn judged_all(&self) -> bool {
        self.checks == Checks::All && !self.skipped
    }

    /// How often an invariant was judged with a premise that was met.
    pub fn judged(&self, invariant: u8) -> u64 {
        self.judged.get(invariant as usize).copied().unwrap_or(0)
    }

    /// Judges what has happened since the last look.
    pub fn look(&mut self, world: &mut World, kubelets: &Kubelets, csi: &Csi, databases: &Databases) {
        if world.store.pods.len() > MOST_PODS {
            world.take_moments();
            self.skipped = true;
            self.position = world.store.log_end();
            return;
        }
        for moment in world.take_moments() {
            self.moment(&moment, world);
        }
        if self.checks == Checks::Decision {
            self.position = world.store.log_end();
            return;
        }
        let end = world.store.log_end();
        while self.position < end {
            let change = world.store.log_entry(self.position).copied();
            self.position += 1;
            if let Some(change) = change {
                self.change(&change, world, kubelets, csi);
            }
        }
        let mut judge = Judge { checker: self, world, at: world.store.revision(), actor: world.actor };
        world::judge(&mut judge, kubelets);
        workload::judge(&mut judge, databases, csi);
    }

    fn moment(&mut self, moment: &Moment, world: &World) {
        let mut judge = Judge { checker: self, world, at: world.store.revision(), actor: world.actor };
        match *moment {
            Moment::Began(controller, key) => {
                let alone = !judge.checker.syncs.contains(&(controller, key));
                judge.holds(8, alone, || format!("{controller:?} runs two syncs of key {key} at once"));
                judge.checker.syncs.push((controller, key));
            }
            Moment::Ended(controller, key) => {
                let syncs = &mut judge.checker.syncs;
                if let Some(place) = syncs.iter().position(|sync| *sync == (controller, key)) {
                    syncs.swap_remove(place);
                }
            }
            Moment::Stopped => judge.checker.syncs.clear(),
            Moment::Decided(ref decision) => decisions::judge(&mut judge, decision),
        }
    }

    fn change(&mut self, change: &Change, world: &World, kubelets: &Kubelets, csi: &Csi) {
        let store = &world.store;
        let mut judge = Judge { checker: self, world, at: change.revision, actor: change.actor };
        objects::judge_uid(&mut judge, change);
        match change.kind {
            Kind::Pod => {
                let (old, new) = store.before_and_after::<Pod>(change);
                objects::judge_pod(&mut judge, old, new);
                storage::judge_pod(&mut judge, old, new);
                world::judge_pod(&mut judge, change.id(), old, new, kubelets);
            }
            Kind::StatefulSet => {
                let (old, new) = store.before_and_after::<StatefulSet>(change);
                objects::judge_set(&mut judge, old, new);
            }
            Kind::Revision => {
                let (old, new) = store.before_and_after::<ControllerRevision>(change);
                objects::judge_revision(&mut judge, change.id(), old, new);
            }
            Kind::Claim => {
                let (old, new) = store.before_and_after::<Claim>(change);
                storage::judge_claim(&mut judge, old, new);
            }
            Kind::Volume => {
                let (old, new) = store.before_and_after::<Volume>(change);
                storage::judge_volume(&mut judge, old, new);
            }
            Kind::Attachment => {
                let (old, new) = store.before_and_after::<Attachment>(change);
                storage::judge_attachment(&mut judge, change.id(), old, new, csi);
            }
            _ => {}
        }
    }
}

/// One judgement in progress.
struct Judge<'a> {
    checker: &'a mut Checker,
    world: &'a World,
    at: Revision,
    /// Who wrote, or decided.
    actor: Actor,
}

impl Judge<'_> {
    /// Notes that the premise of an invariant was met, and a finding if its conclusion was not.
    fn holds(&mut self, invariant: u8, holds: bool, message: impl FnOnce() -> String) {
        debug_assert!(registry::Invariant::of(invariant).is_some(), "INV-{invariant} is not in the registry");
        if let Some(count) = self.checker.judged.get_mut(invariant as usize) {
            *count += 1;
        }
        if !holds && self.checker.findings.len() < KEPT {
            let (time, revision) = (self.world.now(), self.at);
            self.checker.findings.push(Finding { invariant, time, revision, message: message() });
        }
    }

    /// Notes that an invariant is broken by a licence, at one moment. Each is noted once per message.
    fn broken_by(&mut self, invariant: u8, licence: Licence, message: String) {
        let known = self.checker.breaches.iter().any(|breach| breach.message == message);
        if !known {
            self.open(invariant, licence, message);
        }
    }

    /// Notes in which ways an invariant is broken by licences now. What is no longer among them is over.
    fn stands(&mut self, invariant: u8, broken: Vec<(Licence, String)>) {
        let now = self.world.now();
        for breach in &mut self.checker.breaches {
            let lasts = breach.invariant == invariant && breach.until.is_none();
            if lasts && !broken.iter().any(|(_, message)| *message == breach.message) {
                breach.until = Some(now);
            }
        }
        for (licence, message) in broken {
            let lasts = |breach: &Breach| breach.message == message && breach.until.is_none();
            if !self.checker.breaches.iter().any(lasts) {
                self.open(invariant, licence, message);
            }
        }
    }

    fn open(&mut self, invariant: u8, licence: Licence, message: String) {
        debug_assert!(
            registry::Invariant::of(invariant).is_some_and(|known| known.licences.contains(&licence)),
            "{} is no licence of INV-{invariant}",
            licence.name()
        );
        if self.checker.breaches.len() < KEPT {
            let (time, revision) = (self.world.now(), self.world.write_behind());
            let breach = Breach { invariant, licence, time, until: None, revision, message };
            self.checker.breaches.push(breach);
        }
    }

    fn name(&self, meta: &Meta) -> String {
        self.world.store.name_of(meta.name)
    }
}
