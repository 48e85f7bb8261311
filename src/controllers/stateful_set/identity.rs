//! Who belongs to a set and at which place: names, ordinals, the range, and what a conforming pod looks like.
//!
//! Follows pkg/controller/statefulset/stateful_set_utils.go. Left out: a pod whose name ends in a padded number
//! (`web-007`) is a member without an ordinal here; the real controller reads 7 and tries in vain to rename it.
use super::calls::Ordinal;
use crate::api::kind::Kind;
use crate::api::labels::Owner;
use crate::api::names::{Interner, Name, Sym, Uid};
use crate::api::objects::{Pod, PodFlags, StatefulSet, StatefulSetSpec, UpdateStrategy};
use crate::api::pod_spec::ClaimName;
use crate::api::store::Store;
use crate::kernel::Id;
use std::sync::Arc;

/// What of a set decides which pods are its own and where they stand; fixed until the set is written again.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) id: Id<StatefulSet>,
    pub(super) uid: Uid,
    pub(super) namespace: Sym,
    pub(super) name: Name,
    /// The set's whole name as one word: the stem of its pods' names.
    pub(super) stem: Sym,
    pub(super) spec: Arc<StatefulSetSpec>,
    /// Stems `<template>-<set>` of its claims' names, by template (STS-19).
    pub(super) claim_stems: Box<[Sym]>,
    /// deletionTimestamp is set (STS-90).
    pub(super) deleting: bool,
}

impl Frame {
    pub(super) fn new(names: &mut Interner, id: Id<StatefulSet>, set: &StatefulSet, name: &str) -> Frame {
        let stems = set.spec.claims.iter().map(|claim| format!("{}-{name}", names.text(claim.name)));
        let stems: Vec<String> = stems.collect();
        Frame {
            id,
            uid: set.meta.uid,
            namespace: set.meta.namespace,
            name: set.meta.name,
            stem: names.word(name),
            spec: set.spec.clone(),
            claim_stems: stems.iter().map(|stem| names.word(stem)).collect(),
            deleting: set.meta.is_terminating(),
        }
    }

    /// spec.replicas.
    pub(super) fn replicas(&self) -> u32 {
        u32::try_from(self.spec.replicas).unwrap_or(0)
    }

    fn start(&self) -> i64 {
        i64::from(self.spec.start.unwrap_or(0))
    }

    /// podManagementPolicy is not Parallel.
    pub(super) fn is_ordered(&self) -> bool {
        self.spec.policy == crate::api::objects::PodManagement::OrderedReady
    }

    /// The index of an ordinal, if it is in range (STS-84).
    pub(super) fn index_of(&self, ordinal: u32) -> Option<u32> {
        let index = u32::try_from(i64::from(ordinal) - self.start()).ok()?;
        (index < self.replicas()).then_some(index)
    }

    /// The ordinal of an index; [`Ordinal::NONE`] where it does not fit the parser any more (STUCK-15).
    pub(super) fn ordinal_at(&self, index: u32) -> Ordinal {
        Ordinal::from_i64(self.start() + i64::from(index))
    }

    /// The first index that a rolling update touches (STS-73).
    pub(super) fn partition(&self) -> u32 {
        match self.spec.strategy {
            UpdateStrategy::RollingUpdate(Some(rolling)) => u32::try_from(rolling.partition).unwrap_or(0),
            _ => 0,
        }
    }

    /// A new pod at this index is made from the current revision; otherwise from the update revision (STS-48).
    /// `current_replicas` as the stored status has it.
    pub(super) fn wants_current(&self, index: u32, current_replicas: i32) -> bool {
        match self.spec.strategy {
            UpdateStrategy::OnDelete => false,
            UpdateStrategy::RollingUpdate(None) => i64::from(index) < i64::from(current_replicas),
            UpdateStrategy::RollingUpdate(Some(_)) => index < self.partition(),
        }
    }

    /// The owner reference that pods, revisions and claims carry (STS-15).
    pub(super) fn owner(&self) -> Owner {
        Owner { kind: Kind::StatefulSet, controller: true, block: true, name: self.name, uid: self.uid }
    }

    /// The name of the pod with this ordinal (STS-14).
    pub(super) fn pod_name(&self, names: &mut Interner, ordinal: Ordinal) -> Name {
        match self.plain_name(self.stem, ordinal) {
            Some(name) => name,
            None => {
                let text = self.odd_name(names, self.stem, ordinal);
                names.name(&text)
            }
        }
    }

    /// The same, if anything in the run has been called so.
    pub(super) fn known_pod_name(&self, names: &Interner, ordinal: Ordinal) -> Option<Name> {
        self.known(names, self.stem, ordinal)
    }

    /// The name of the claim of a template for the pod with this ordinal (STS-19).
    pub(super) fn claim_name(&self, names: &mut Interner, template: usize, ordinal: Ordinal) -> Name {
        let stem = self.claim_stems[template];
        match self.plain_name(stem, ordinal) {
            Some(name) => name,
            None => {
                let text = self.odd_name(names, stem, ordinal);
                names.name(&text)
            }
        }
    }

    /// The same, if anything in the run has been called so.
    pub(super) fn known_claim_name(
        &self,
        names: &Interner,
        template: usize,
        ordinal: Ordinal,
    ) -> Option<Name> {
        self.known(names, self.claim_stems[template], ordinal)
    }

    fn known(&self, names: &Interner, stem: Sym, ordinal: Ordinal) -> Option<Name> {
        self.plain_name(stem, ordinal).or_else(|| names.known_name(&self.odd_name(names, stem, ordinal)))
    }

    /// `pvc-<number>` is how volumes are called: pods of a set `pvc` are not numbered names.
    fn plain_name(&self, stem: Sym, ordinal: Ordinal) -> Option<Name> {
        ordinal.number().filter(|_| stem != Sym::PVC).map(|number| Name::numbered(stem, number))
    }

    fn odd_name(&self, names: &Interner, stem: Sym, ordinal: Ordinal) -> String {
        format!("{}-{ordinal}", names.text(stem))
    }

    /// Whether a pod of this name is a member, and its ordinal if the parser can read it (STS-14).
    pub(super) fn member(&self, store: &Store, name: Name) -> Option<Ordinal> {
        if let Some(number) = name.ordinal() {
            return (name.stem() == self.stem).then_some(Ordinal::of(number));
        }
        let text = store.name_of(name);
        let (parent, digits) = text.rsplit_once('-')?;
        let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !numeric || parent != store.names.text(self.stem) {
            return None;
        }
        let canonical = digits == "0" || !digits.starts_with('0');
        let number = digits.parse::<i64>().ok().filter(|_| canonical);
        Some(number.map_or(Ordinal::NONE, Ordinal::from_i64))
    }
}

/// The word before the ordinal of a pod's name: the name its set would have (STS-14).
pub(super) fn parent_of(names: &mut Interner, name: Name) -> Option<Sym> {
    if name.ordinal().is_some() {
        return Some(name.stem());
    }
    let text = names.render(name);
    let (parent, digits) = text.rsplit_once('-')?;
    let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    numeric.then(|| names.word(parent))
}

/// The pod carries the label with its own name (STS-16). The rest of its identity is its name, by which it was found.
pub(super) fn identity_matches(pod: &Pod) -> bool {
    pod.flags.has(PodFlags::NAME_LABEL)
}

/// Each claim template is a volume of the pod, and that of the right claim (STS-25).
pub(super) fn storage_matches(frame: &Frame, store: &Store, pod: &Pod) -> bool {
    if frame.claim_stems.is_empty() {
        return true;
    }
    let spec = store.pod_spec(pod.spec);
    frame.spec.claims.iter().zip(&frame.claim_stems).all(|(template, stem)| {
        spec.claims.iter().any(|used| {
            used.volume == template.name
                && match used.claim {
                    ClaimName::PerOrdinal(of) => of == *stem,
                    ClaimName::Fixed(name) => {
                        name.stem() == *stem && name.ordinal() == pod.meta.name.ordinal()
                    }
                }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Bench, SetOptions, bare_pod, set};
    use super::*;
    use crate::api::pod_spec::{ClaimUse, PodSpec};
    use crate::rule::Rule;

    /// A frame of a set of this name with three claim templates.
    fn frame(bench: &mut Bench, name: &str) -> Frame {
        let id = set(&mut bench.world, name, &SetOptions { replicas: 0, claims: 3, ..SetOptions::default() });
        let object = bench.world.store.get(id).cloned().unwrap();
        Frame::new(&mut bench.world.store.names, id, &object, name)
    }

    #[test]
    fn t_sts_110_112_parent_and_ordinal_of_a_name() {
        let mut bench = Bench::new();
        let frames = ["foo", "foo2", "foo-2", "my-set"].map(|name| frame(&mut bench, name));
        let cases: [(&str, Option<&str>, Option<i64>); 12] = [
            ("foo-0", Some("foo"), Some(0)),
            ("foo-17", Some("foo"), Some(17)),
            ("foo2-0", Some("foo2"), Some(0)),
            ("foo-2-3", Some("foo-2"), Some(3)),
            ("my-set-2", Some("my-set"), Some(2)),
            ("foo-2147483647", Some("foo"), Some(2_147_483_647)),
            // Beyond 2^31-1 there is no ordinal.
            ("foo-2147483648", Some("foo"), Some(-1)),
            ("foo-99999999999999999999", Some("foo"), Some(-1)),
            ("1-bar", None, None),
            ("foo", None, None),
            ("foo-", None, None),
            ("foo-1x", None, None),
        ];
        for (text, parent, ordinal) in cases {
            let store = &mut bench.world.store;
            let name = store.names.name(text);
            let found = parent_of(&mut store.names, name).map(|parent| store.names.text(parent).to_owned());
            assert_eq!(found.as_deref(), parent, "{text}");
            for frame in &frames {
                let is_parent = parent == Some(store.names.text(frame.stem));
                let expected = ordinal.filter(|_| is_parent).map(Ordinal::from_i64);
                assert_eq!(frame.member(store, name), expected, "{text} of {}", store.names.text(frame.stem));
            }
        }
        assert_eq!(Ordinal::NONE.to_string(), "-1");
    }

    /// By name and namespace a pod is found; what is left to look at is the label with its name.
    #[test]
    fn t_sts_113_identity_is_name_namespace_and_label() {
        let mut bench = Bench::new();
        let frame = frame(&mut bench, "web");
        let id = bare_pod(&mut bench.world, "web-1");
        let other = bare_pod(&mut bench.world, "other-1");
        bench.world.update(id, Rule::NONE, |pod| pod.flags.set(PodFlags::NAME_LABEL, true));
        let pod = *bench.world.store.get(id).unwrap();
        assert!(identity_matches(&pod));
        let mut without = pod;
        without.flags.set(PodFlags::NAME_LABEL, false);
        assert!(!identity_matches(&without));
        without = pod;
        without.flags.set(PodFlags::INDEX_LABEL, false);
        assert!(identity_matches(&without), "the index label is not looked at (STS-16)");
        let elsewhere = bench.world.store.names.word("elsewhere");
        let store = &bench.world.store;
        assert_eq!(frame.member(store, pod.meta.name), Some(Ordinal::of(1)));
        assert_eq!(frame.member(store, store.get(other).unwrap().meta.name), None);
        assert!(store.pods.find(elsewhere, pod.meta.name).is_none(), "of another namespace it is not found");
    }

    #[test]
    fn t_sts_114_storage_is_a_volume_of_the_right_claim_for_each_template() {
        let mut bench = Bench::new();
        let frame = frame(&mut bench, "web");
        let other = self::frame(&mut bench, "other");
        let id = bare_pod(&mut bench.world, "web-1");
        let store = &mut bench.world.store;
        let right: Vec<ClaimUse> = (frame.spec.claims.iter().zip(&frame.claim_stems))
            .map(|(template, stem)| ClaimUse { volume: template.name, claim: ClaimName::PerOrdinal(*stem) })
            .collect();
        let fixed = |stem: Sym, number: u32| ClaimName::Fixed(Name::numbered(stem, number));
        let with_first = |claim: ClaimName| {
            let mut claims = right.clone();
            claims[0].claim = claim;
            claims
        };
        let mut renamed = right.clone();
        renamed[0].volume = right[1].volume;
        let mut more = right.clone();
        more.push(ClaimUse { volume: frame.stem, claim: fixed(frame.stem, 9) });
        let cases = [
            (right.clone(), true),
            (with_first(fixed(frame.claim_stems[0], 1)), true),
            (more, true),
            (right[1..].to_vec(), false),
            (Vec::new(), false),
            (with_first(fixed(frame.claim_stems[0], 2)), false),
            (with_first(fixed(other.claim_stems[0], 1)), false),
            (with_first(ClaimName::PerOrdinal(other.claim_stems[0])), false),
            (renamed, false),
        ];
        for (number, (claims, expected)) in cases.into_iter().enumerate() {
            let mut pod = *store.get(id).unwrap();
            let claims = claims.into();
            let spec = PodSpec { claims, ..PodSpec::clone(store.pod_spec(pod.spec)) };
            pod.spec = store.intern_pod_spec(&format!("case {number}"), |_| spec);
            assert_eq!(storage_matches(&frame, store, &pod), expected, "case {number}");
        }
    }
}
