//! Putting calls together: what creating, repairing, conforming and deleting one pod takes.
//!
//! Follows CreateStatefulPod, createMissingPersistentVolumeClaims and UpdateStatefulPod of stateful_pod_control.go, as
//! far as they decide which calls to make. Who is to be created or repaired is decided elsewhere.
use super::calls::{Call, Claims, Ordinal, Which};
use super::claims::{self, PodRef};
use super::identity::{Frame, identity_matches, storage_matches};
use super::pod_control::refused;
use super::revision::{Choice, Pending};
use super::slot::{Slot, flag};
use crate::api::objects::{Claim, Pod, Retention, StatefulSetStatus, UpdateStrategy};
use crate::api::store::View;
use crate::controllers::plan::{Plan, Wait, WaitOn};
use crate::kernel::Id;
use crate::rule::{Rule, mark, marks};

/// How the calls for one pod follow those for others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pace {
    /// One after another: each waits for the one before it to succeed.
    InOrder,
    /// Together with all calls of this group (STS-64).
    Batch(u32),
}

/// A plan being made.
pub(super) struct Draft<'a> {
    pub(super) frame: &'a Frame,
    pub(super) cache: View<'a>,
    pub(super) choice: &'a Choice,
    /// Status as the cache has it.
    pub(super) stored: &'a StatefulSetStatus,
    pub(super) plan: Plan<Call>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        frame: &'a Frame,
        cache: View<'a>,
        choice: &'a Choice,
        stored: &'a StatefulSetStatus,
    ) -> Draft<'a> {
        Draft { frame, cache, choice, stored, plan: Plan::default() }
    }

    /// Ownership and revisions, which come before everything else (STS-54 steps 4 to 7).
    pub(super) fn preface(
        &mut self,
        release: impl Iterator<Item = Id<Pod>>,
        adopt: impl Iterator<Item = Id<Pod>>,
    ) {
        for id in &self.choice.adopt {
            self.plan.call(Rule::sts(88), Call::AdoptRevision(*id));
        }
        let group = self.plan.next_group();
        for id in release {
            self.plan.call_in(group, 0, Rule::sts(87), Call::ReleasePod(id));
        }
        for id in adopt {
            self.plan.call_in(group, 0, Rule::sts(86), Call::AdoptPod(id));
        }
        match self.choice.pending {
            Pending::Nothing => {}
            Pending::Renumber(id) => self.plan.call(Rule::sts(46), Call::RenumberRevision(id)),
            Pending::Create => self.plan.call(Rule::sts(39), Call::CreateRevision),
        }
    }

    /// What the set waits for, unless something before this is in the way already.
    pub(super) fn wait(&mut self, rule: Rule, on: WaitOn) {
        marks::note(rule);
        self.plan.wait.get_or_insert(Wait { rule, on });
    }

    /// What it waits for about a pod that is not healthy.
    pub(super) fn wait_for(&mut self, rule: Rule, slot: &Slot) {
        let on = if slot.any(flag::TERMINATING) {
            WaitOn::Termination(slot.pod)
        } else if slot.any(flag::NOT_READY) {
            WaitOn::Readiness(slot.pod)
        } else {
            let pod = self.cache.get(slot.pod);
            let at = pod.and_then(|pod| pod.available_at(self.frame.spec.min_ready));
            WaitOn::Availability(slot.pod, at.unwrap_or_default())
        };
        self.wait(rule, on);
    }

    fn group(&self, pace: Pace) -> u32 {
        match pace {
            Pace::InOrder => self.plan.next_group(),
            Pace::Batch(group) => group,
        }
    }

    /// The revision of a new pod at this index (STS-48).
    pub(super) fn which(&self, index: u32) -> Which {
        if self.choice.current.label != self.choice.update.label {
            mark!("STS-48");
            mark!("STS-85" if self.frame.spec.start.is_some_and(|start| start > 0) && self.frame.partition() > 0);
            match self.frame.spec.strategy {
                UpdateStrategy::OnDelete => mark!("STS-51"),
                UpdateStrategy::RollingUpdate(None) => mark!("STS-52"),
                UpdateStrategy::RollingUpdate(Some(_)) if self.frame.partition() > 0 => mark!("STS-50"),
                UpdateStrategy::RollingUpdate(Some(_)) => mark!("STS-49"),
            }
        }
        if self.frame.wants_current(index, self.stored.current) { Which::Current } else { Which::Update }
    }

    /// Claims, then the pod (STS-21, STS-58).
    pub(super) fn create(&mut self, pace: Pace, index: u32) {
        let ordinal = self.frame.ordinal_at(index);
        if let Some(claim) = claims::stale(self.frame, self.cache, ordinal) {
            self.wait(Rule::sts(32), WaitOn::Claim(claim));
            return;
        }
        let which = self.which(index);
        self.wait_for_creation(pace, ordinal, which);
        let created = self.create_claims(pace, ordinal, Claims::OfNewPod);
        let group = self.group(pace);
        self.plan.call_in(group, created, Rule::sts(58), Call::CreatePod(ordinal, which));
        let pod = PodRef::not_created(self.frame, self.cache, ordinal);
        self.update_claims(pace, ordinal, pod, 1, Claims::OfNewPod);
    }

    fn wait_for_creation(&mut self, pace: Pace, ordinal: Ordinal, which: Which) {
        let names = &self.cache.store.names;
        let revision = match which {
            Which::Current => self.choice.current.label,
            Which::Update => self.choice.update.label,
        };
        let name = self.frame.known_pod_name(names, ordinal);
        let holder = name.and_then(|name| self.cache.find::<Pod>(self.frame.namespace, name));
        if let Some(claim) = claims::terminating(self.frame, self.cache, ordinal) {
            self.wait(Rule::sts(22), WaitOn::Claim(claim));
        } else if let Some((foreign, _)) = holder {
            self.wait(Rule::sts(87), WaitOn::Name(foreign));
        } else if name.map_or(ordinal == Ordinal::NONE, |name| refused(names, name, ordinal, revision)) {
            self.wait(Rule::sts(5), WaitOn::Retry);
        } else if pace == Pace::InOrder {
            let id = name.and_then(|name| self.cache.store.pods.id(self.frame.namespace, name));
            self.wait(Rule::sts(58), WaitOn::Creation(id.unwrap_or(Id::NONE)));
        }
    }

    /// Creates what is missing; how many calls that takes.
    fn create_claims(&mut self, pace: Pace, ordinal: Ordinal, why: Claims) -> u8 {
        let missing: Vec<usize> = claims::of_ordinal(self.frame, self.cache, ordinal)
            .filter(|(_, claim)| claim.is_none())
            .map(|(template, _)| template)
            .collect();
        mark!("STS-30" if why == Claims::OfNewPod && missing.len() < self.frame.claim_stems.len() && self.frame.spec.when_scaled == Retention::Delete);
        mark!("STS-26" if why == Claims::OfNewPod && missing.len() < self.frame.claim_stems.len());
        let group = self.group(pace);
        for template in &missing {
            let last = Some(template) == missing.last();
            let template = u16::try_from(*template).unwrap_or(u16::MAX);
            let call = Call::CreateClaim { ordinal, template, last, claims: why };
            self.plan.call_in(group, 0, Rule::sts(21), call);
        }
        u8::try_from(missing.len()).unwrap_or(u8::MAX)
    }

    /// Writes the owner references of claims that are there, one after the other, if the `after` calls before have
    /// succeeded. How many calls that takes.
    fn update_claims(&mut self, pace: Pace, ordinal: Ordinal, pod: PodRef, after: u8, why: Claims) -> u8 {
        let wrong = |claim: &Claim| {
            let owners = self.cache.store.owners.get(claim.meta.owners);
            !claims::owners_match(self.frame, owners, pod)
                || (matches!(why, Claims::OfNewPod | Claims::OfPendingPod)
                    && claims::has_unexpected_controller(self.frame, owners, pod))
        };
        let wrong: Vec<usize> = claims::of_ordinal(self.frame, self.cache, ordinal)
            .filter(|(_, claim)| claim.is_some_and(|(_, claim)| wrong(claim)))
            .map(|(template, _)| template)
            .collect();
        for (nth, template) in wrong.iter().enumerate() {
            let group = self.group(pace);
            let needs = if nth == 0 { after } else { 1 };
            let template = u16::try_from(*template).unwrap_or(u16::MAX);
            let call = Call::UpdateClaim { ordinal, template, claims: why };
            self.plan.call_in(group, needs, Rule::sts(28), call);
        }
        u8::try_from(wrong.len()).unwrap_or(u8::MAX)
    }

    /// Missing claims of a Pending pod are created, and their owners set (STS-23). False: the sync fails because a
    /// claim is being deleted.
    pub(super) fn repair(&mut self, pace: Pace, ordinal: Ordinal, pod: &Pod) -> bool {
        mark!("STS-23", "STS-59");
        let created = self.create_claims(pace, ordinal, Claims::OfPendingPod);
        if let Some(claim) = claims::terminating(self.frame, self.cache, ordinal) {
            let group = self.group(pace);
            self.plan.call_in(group, 0, Rule::sts(23), Call::DemandClaims(ordinal));
            self.wait(Rule::sts(23), WaitOn::Claim(claim));
            return false;
        }
        let owner = PodRef { name: Some(pod.meta.name), uid: pod.meta.uid, condemned: false };
        self.update_claims(pace, ordinal, owner, created, Claims::OfPendingPod);
        true
    }

    /// A pod is written as it should be: missing claims if its volumes are wrong, then claim owners, then the pod
    /// (STS-61).
    pub(super) fn conform(&mut self, pace: Pace, ordinal: Ordinal, id: Id<Pod>, owners: bool) {
        let Some(pod) = self.cache.get(id) else { return };
        let storage = storage_matches(self.frame, self.cache.store, pod);
        let mut needs = 0;
        if !storage {
            needs += self.create_claims(pace, ordinal, Claims::OfUpdatedPod);
            self.wait(Rule::sts(25), WaitOn::Retry);
        }
        if owners {
            let owner = PodRef { name: Some(pod.meta.name), uid: pod.meta.uid, condemned: false };
            needs += self.update_claims(pace, ordinal, owner, needs, Claims::OfUpdatedPod);
        }
        let rule = Rule::sts(if identity_matches(pod) { 61 } else { 16 });
        let group = self.group(pace);
        mark!("STS-61");
        self.plan.call_in(group, needs, rule, Call::UpdatePod(ordinal));
    }

    /// The claims of a condemned pod get their owners (STS-28).
    pub(super) fn condemn_claims(&mut self, pace: Pace, ordinal: Ordinal, id: Id<Pod>) {
        let Some(pod) = self.cache.get(id) else { return };
        let owner = PodRef { name: Some(pod.meta.name), uid: pod.meta.uid, condemned: true };
        self.update_claims(pace, ordinal, owner, 0, Claims::OfCondemnedPod);
    }

    /// A pod is deleted.
    pub(super) fn delete(&mut self, pace: Pace, rule: Rule, ordinal: Ordinal, for_update: bool) {
        let group = self.group(pace);
        self.plan.call_in(group, 0, rule, Call::DeletePod(ordinal, for_update));
    }
}
