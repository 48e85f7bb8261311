//! What one sync of a Deployment decides (DEP-6 to DEP-17).
//!
//! Follows pkg/controller/deployment/sync.go, rolling.go, recreate.go and progress.go step by step. The real code
//! writes as it goes and works on with its old copies; here the writes become calls of a plan, made from those same
//! copies. Where the real code would certainly be refused at a write (its second one to an object it has not read
//! again), the plan ends with that write, and the back-off follows.
use super::calls::{Call, SetUpdate};
use super::index::Index;
use super::maths::{self, Bounds, Size};
use super::revision::{self, Templates};
use super::status::{self, PAUSED, PROGRESSING, TIMED_OUT};
use crate::api::labels::LabelsId;
use crate::api::objects::*;
use crate::controllers::plan::{Plan, Wait, WaitOn};
use crate::event::Process;
use crate::kernel::{Id, Time};
use crate::rule::{Rule, mark};
use crate::world::World;
use std::sync::Arc;

/// The plan ends here: its last call is refused, or the Deployment is not synced further.
struct Ended;

/// A ReplicaSet as the sync knows it.
#[derive(Clone, Debug)]
pub(super) struct Set {
    pub(super) id: Id<ReplicaSet>,
    pub(super) set: ReplicaSet,
    /// This sync has written it, so its copy is newer than the cache.
    written: bool,
}

impl Set {
    fn is_active(&self) -> bool {
        self.set.spec.replicas > 0
    }
}

/// The ReplicaSets of a Deployment. Old ones are sorted by age, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Sets {
    pub(super) new: Option<Set>,
    pub(super) old: Vec<Set>,
}

impl Sets {
    pub(super) fn all(&self) -> impl Iterator<Item = &ReplicaSet> + Clone {
        self.old.iter().chain(&self.new).map(|set| &set.set)
    }

    fn active(&self) -> impl Iterator<Item = &Set> {
        self.old.iter().chain(&self.new).filter(|set| set.is_active())
    }
}

/// A sync under way.
pub(super) struct Sync<'a> {
    id: Id<Deployment>,
    /// The copy that the sync works on: status and annotations change as it goes.
    pub(super) deployment: Deployment,
    index: &'a Index,
    templates: &'a mut Templates,
    pub(super) world: &'a mut World,
    pub(super) now: Time,
    pub(super) bounds: Bounds,
    /// Claimed ReplicaSets, oldest first.
    cached: Vec<Set>,
    pub(super) plan: Plan<Call>,
}

/// One sync.
pub(super) fn decide(
    id: Id<Deployment>,
    deployment: Deployment,
    index: &Index,
    templates: &mut Templates,
    world: &mut World,
) -> Plan<Call> {
    let (now, bounds) = (world.now(), Bounds::of(&deployment.spec));
    let plan = Plan::default();
    let mut sync = Sync { id, deployment, index, templates, world, now, bounds, cached: Vec::new(), plan };
    // An early end is one of the ends of a sync.
    let _ = sync.run();
    sync.plan
}

impl Sync<'_> {
    /// DEP-6.
    fn run(&mut self) -> Result<(), Ended> {
        if self.deployment.spec.selector.is_empty() {
            return self.refuse();
        }
        self.claim();
        if self.deployment.meta.is_terminating() {
            let sets = self.revisions(false)?;
            self.plain_status(&sets);
            return Ok(());
        }
        self.pause_conditions();
        if self.deployment.spec.paused || self.is_scaling()? {
            return self.scale_only();
        }
        match self.deployment.spec.strategy {
            DeploymentStrategy::Recreate => self.recreate(),
            DeploymentStrategy::RollingUpdate { .. } => self.roll(),
        }
    }

    fn refuse(&mut self) -> Result<(), Ended> {
        self.world.emit(self.id, true, "SelectingAll", |_| {
            "This deployment is selecting all pods. A non-empty selector is required.".into()
        });
        let generation = self.deployment.meta.generation.get();
        if self.deployment.status.observed_generation < generation {
            self.deployment.status.observed_generation = generation;
            self.write_status(Rule::dep(6));
        }
        Ok(())
    }

    /// Adopts, keeps and releases ReplicaSets by selector (DEP-6). A Deployment that is being deleted only keeps.
    fn claim(&mut self) {
        let view = self.world.view(Process::ControllerManager);
        let meta = &self.deployment.meta;
        let deleting = meta.is_terminating();
        let matches =
            |set: &ReplicaSet| view.store.labels_match(set.meta.labels, &self.deployment.spec.selector);
        let (mut claimed, mut calls) = (Vec::new(), Vec::new());
        for (id, set) in self.index.owned(meta.uid).iter().filter_map(|id| Some((*id, view.get(*id)?))) {
            if matches(set) {
                claimed.push(Set { id, set: set.clone(), written: false });
            } else if !deleting {
                calls.push(Call::Release(id, set.meta.uid));
            }
        }
        for (id, set) in self.index.orphans(meta.namespace).filter_map(|id| Some((id, view.get(id)?))) {
            if !deleting && !set.meta.is_terminating() && matches(set) {
                claimed.push(Set { id, set: set.clone(), written: false });
                calls.push(Call::Adopt(id, set.meta.uid));
            }
        }
        let store = view.store;
        claimed.sort_by_cached_key(|set| (set.set.meta.created, store.name_of(set.set.meta.name)));
        self.cached = claimed;
        for call in calls {
            self.plan.call_in(0, 0, Rule::dep(6), call);
        }
    }

    // ---- Revisions (DEP-7, DEP-8) ----------------------------------------------------------------------------------

    /// The new ReplicaSet and the old ones. Brings the annotations of the new one and the number of the Deployment up
    /// to date; makes the new one if there is none and `create` is set.
    fn revisions(&mut self, create: bool) -> Result<Sets, Ended> {
        let wanted = self.templates.plain(self.deployment.spec.template, &mut self.world.store);
        let mut sets = Sets::default();
        for set in self.cached.clone() {
            let plain = self.templates.plain(set.set.spec.template, &mut self.world.store);
            if sets.new.is_none() && plain == wanted {
                mark!("DEP-7" if self.cached.len() > 1);
                sets.new = Some(set);
            } else {
                sets.old.push(set);
            }
        }
        let numbers = sets.old.iter().filter_map(|set| revision::number(&self.world.store, &set.set));
        let number = numbers.max().unwrap_or(0).max(0) + 1;
        sets.new = match sets.new.take() {
            Some(new) => Some(self.renumber(new, number)?),
            None if create => Some(self.create(&sets.old, number)),
            None => None,
        };
        Ok(sets)
    }

    fn renumber(&mut self, mut new: Set, number: i64) -> Result<Set, Ended> {
        let store = &mut self.world.store;
        let annotations = revision::with_revision(
            store,
            self.deployment.meta.annotations,
            new.set.meta.annotations,
            number,
        );
        let min_ready = self.deployment.spec.min_ready;
        if annotations != new.set.meta.annotations || min_ready != new.set.spec.min_ready {
            let again = self
                .plan
                .steps
                .iter()
                .any(|step| matches!(step.call, Call::Update(other) if other.id == new.id));
            let replicas = new.set.spec.replicas;
            let read = Some(new.set.meta.revision);
            let update = SetUpdate { id: new.id, read, replicas, min_ready, annotations, tolerant: false };
            self.plan.call(Rule::dep(8), Call::Update(update));
            if again {
                return Err(Ended);
            }
            new.set.meta.annotations = annotations;
            Arc::make_mut(&mut new.set.spec).min_ready = min_ready;
            new.written = true;
            return Ok(new);
        }
        let own = revision::of_deployment(store, self.deployment.meta.annotations, annotations);
        let mut outdated = own != self.deployment.meta.annotations;
        self.deployment.meta.annotations = own;
        if status::has_deadline(&self.deployment)
            && status::find(&self.deployment.status, PROGRESSING).is_none()
        {
            let text = format!("Found new replica set {:?}", self.name_of(&new));
            self.set_condition(PROGRESSING, "True", "FoundNewReplicaSet", &text);
            outdated = true;
        }
        if outdated {
            self.write_status(Rule::dep(8));
        }
        Ok(new)
    }

    /// DEP-9 a.
    fn create(&mut self, old: &[Set], number: i64) -> Set {
        let store = &mut self.world.store;
        mark!("DEP-4");
        let (name, labels, mut spec) = revision::new_set(store, &self.deployment);
        spec.replicas = self.bounds.new_size(0, old.iter().map(|set| set.set.spec.replicas).sum());
        let annotations =
            revision::with_revision(store, self.deployment.meta.annotations, LabelsId::EMPTY, number);
        let annotations = revision::with_sizes(store, annotations, self.bounds.replicas, self.bounds.most());
        let meta =
            Meta { name, namespace: self.deployment.meta.namespace, labels, annotations, ..Meta::default() };
        let set = ReplicaSet { meta, spec: Arc::new(spec), status: ReplicaSetStatus::default() };
        self.plan.call(Rule::dep(9), Call::Create(Box::new(set.clone())));
        let own = revision::of_deployment(store, self.deployment.meta.annotations, annotations);
        let outdated = own != self.deployment.meta.annotations;
        self.deployment.meta.annotations = own;
        let new = Set { id: Id::NONE, set, written: true };
        let deadline = status::has_deadline(&self.deployment);
        if deadline {
            let text = format!("Created new replica set {:?}", self.name_of(&new));
            self.set_condition(PROGRESSING, "True", "NewReplicaSetCreated", &text);
        }
        if outdated || deadline {
            self.write_status(Rule::dep(17));
        }
        new
    }

    // ---- Scaling (DEP-13, DEP-14) ----------------------------------------------------------------------------------

    /// DEP-14: lack of progress is not counted while paused, nor against the time before.
    fn pause_conditions(&mut self) {
        let progressing = status::find(&self.deployment.status, PROGRESSING).copied();
        if !status::has_deadline(&self.deployment) || progressing.is_some_and(|c| c.reason == TIMED_OUT) {
            return;
        }
        let was_paused = progressing.is_some_and(|c| c.reason == PAUSED);
        match (self.deployment.spec.paused, was_paused) {
            (true, false) => self.set_condition(PROGRESSING, "Unknown", PAUSED, "Deployment is paused"),
            (false, true) => {
                self.set_condition(PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed");
            }
            _ => return,
        }
        self.write_status(Rule::dep(14));
    }

    /// An active ReplicaSet was made for another number of replicas.
    fn is_scaling(&mut self) -> Result<bool, Ended> {
        let sets = self.revisions(false)?;
        let store = &self.world.store;
        let scaled = |set: &Set| {
            revision::desired(store, &set.set).is_some_and(|desired| desired != self.bounds.replicas)
        };
        Ok(sets.active().any(scaled))
    }

    fn scale_only(&mut self) -> Result<(), Ended> {
        let sets = self.revisions(false)?;
        self.scale(&sets);
        if self.deployment.spec.paused {
            self.clean_up(&sets.old);
        }
        self.plain_status(&sets);
        Ok(())
    }

    /// DEP-13.
    fn scale(&mut self, sets: &Sets) {
        let replicas = self.bounds.replicas;
        let active: Vec<&Set> = sets.active().collect();
        let only = match active[..] {
            [] => sets.new.as_ref().or(sets.old.last()),
            [only] => Some(only),
            _ => None,
        };
        if active.len() <= 1 {
            if let Some(only) = only {
                self.resize(only, replicas, Rule::dep(13), false);
            }
            return;
        }
        if sets.new.as_ref().is_some_and(|new| self.is_saturated(new)) {
            for old in sets.old.iter().filter(|set| set.is_active()) {
                self.resize(old, 0, Rule::dep(13), false);
            }
            return;
        }
        if self.bounds.rolling {
            self.scale_proportionally(active);
        }
    }

    fn scale_proportionally(&mut self, mut active: Vec<&Set>) {
        let growing = self.bounds.replicas > 0
            && self.bounds.most() > active.iter().map(|set| set.set.spec.replicas).sum();
        let store = &self.world.store;
        active.sort_by_cached_key(|set| (set.set.meta.created, store.name_of(set.set.meta.name)));
        if growing {
            active.reverse();
        }
        active.sort_by_key(|set| std::cmp::Reverse(set.set.spec.replicas));
        let sizes: Vec<Size> = active.iter().map(|set| self.size(set)).collect();
        let sizes = maths::proportional(self.bounds, &sizes, self.deployment.status.replicas);
        for (set, size) in active.into_iter().zip(sizes) {
            self.write_size(set, size, Rule::dep(13), false);
        }
    }

    fn is_saturated(&self, new: &Set) -> bool {
        let replicas = self.bounds.replicas;
        new.set.spec.replicas == replicas
            && revision::desired(&self.world.store, &new.set) == Some(replicas)
            && new.set.status.available == replicas
    }

    fn size(&self, set: &Set) -> Size {
        Size {
            replicas: set.set.spec.replicas,
            available: set.set.status.available,
            max_replicas: revision::max_replicas(&self.world.store, &set.set),
        }
    }

    /// Sets the size of a ReplicaSet if it has another one. True if it has.
    fn resize(&mut self, set: &Set, to: i32, rule: Rule, tolerant: bool) -> bool {
        let other = set.set.spec.replicas != to;
        if other {
            self.write_size(set, to, rule, tolerant);
        }
        other
    }

    fn write_size(&mut self, set: &Set, to: i32, rule: Rule, tolerant: bool) {
        let (desired, most) = (self.bounds.replicas, self.bounds.most());
        let annotations =
            revision::with_sizes(&mut self.world.store, set.set.meta.annotations, desired, most);
        if set.set.spec.replicas == to && set.set.meta.annotations == annotations {
            return;
        }
        let update = SetUpdate {
            id: set.id,
            read: (!set.written).then_some(set.set.meta.revision),
            replicas: to,
            min_ready: set.set.spec.min_ready,
            annotations,
            tolerant,
        };
        self.plan.call(rule, Call::Update(update));
    }

    // ---- Rollouts --------------------------------------------------------------------------------------------------

    /// DEP-9: at most one direction in a sync.
    fn roll(&mut self) -> Result<(), Ended> {
        let sets = self.revisions(true)?;
        let Some(new) = &sets.new else { return Err(Ended) };
        let total = sets.all().map(|set| set.spec.replicas).sum();
        let size = new.set.spec.replicas;
        let wanted = if size > self.bounds.replicas {
            self.bounds.replicas
        } else {
            self.bounds.new_size(size, total)
        };
        mark!("DEP-10");
        let scaled = self.resize(new, wanted, Rule::dep(9), false) || self.shrink_old(&sets, new);
        if !scaled && status::is_complete(&self.deployment, &self.deployment.status) {
            self.clean_up(&sets.old);
        }
        self.rollout_status(&sets);
        if !scaled && (sets.old.iter().any(Set::is_active) || new.set.status.available < self.bounds.replicas)
        {
            self.plan.wait = Some(Wait { rule: Rule::dep(11), on: WaitOn::NewPods });
        }
        Ok(())
    }

    /// DEP-11. True if anything is to be scaled.
    fn shrink_old(&mut self, sets: &Sets, new: &Set) -> bool {
        let mut old: Vec<Set> = sets.old.iter().filter(|set| set.is_active()).cloned().collect();
        let sizes: Vec<Size> = old.iter().map(|set| self.size(set)).collect();
        let shrinks = maths::shrink(self.bounds, &sizes, self.size(new));
        for shrink in &shrinks {
            let Some(set) = old.get_mut(shrink.set) else { continue };
            let before = set.clone();
            set.written = true;
            Arc::make_mut(&mut set.set.spec).replicas = shrink.to;
            let (desired, most) = (self.bounds.replicas, self.bounds.most());
            set.set.meta.annotations =
                revision::with_sizes(&mut self.world.store, set.set.meta.annotations, desired, most);
            self.resize(&before, shrink.to, Rule::dep(11), true);
        }
        !shrinks.is_empty()
    }

    /// DEP-12.
    fn recreate(&mut self) -> Result<(), Ended> {
        let mut sets = self.revisions(false)?;
        let mut scaled = false;
        for old in sets.old.iter().filter(|set| set.is_active()) {
            scaled |= self.resize(old, 0, Rule::dep(12), false);
        }
        if scaled || self.has_old_pods(&sets) {
            self.rollout_status(&sets);
            self.plan.wait = Some(Wait { rule: Rule::dep(12), on: WaitOn::OldPods });
            return Ok(());
        }
        if sets.new.is_none() {
            sets = self.revisions(true)?;
        }
        let Some(new) = &sets.new else { return Err(Ended) };
        self.resize(new, self.bounds.replicas, Rule::dep(12), false);
        if status::is_complete(&self.deployment, &self.deployment.status) {
            self.clean_up(&sets.old);
        }
        self.rollout_status(&sets);
        Ok(())
    }

    /// A ReplicaSet reports old replicas, or an old pod has not ended: terminating ones count.
    fn has_old_pods(&self, sets: &Sets) -> bool {
        sets.old.iter().any(|set| set.set.status.replicas > 0)
            || sets.old.iter().any(|set| self.index.pods(set.set.meta.uid).running > 0)
    }

    /// DEP-15.
    fn clean_up(&mut self, old: &[Set]) {
        let limit = self.deployment.spec.history_limit;
        let mut alive: Vec<&Set> = old.iter().filter(|set| !set.set.meta.is_terminating()).collect();
        let surplus = alive.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
        if limit == i32::MAX || surplus == 0 {
            return;
        }
        // Oldest first already; those whose number cannot be read stay where their age puts them.
        let store = &self.world.store;
        alive.sort_by_key(|set| revision::number(store, &set.set).unwrap_or(0));
        for set in alive.into_iter().take(surplus) {
            let idle = set.set.status.replicas == 0
                && set.set.spec.replicas == 0
                && set.set.meta.generation.get() <= set.set.status.observed_generation;
            if idle {
                self.plan.call(Rule::dep(15), Call::Delete(set.id));
            }
        }
    }
}
