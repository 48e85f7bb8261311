//! Claims of a set's pods: which are there, and who is to own them (STS-19 to STS-34).
//!
//! Follows the claim half of pkg/controller/statefulset/stateful_pod_control.go and stateful_set_utils.go. Everything
//! here is a pure function of what the informer cache shows; the calls are made in `calls.rs`.
use super::calls::Ordinal;
use super::identity::Frame;
use crate::api::kind::Kind;
use crate::api::labels::Owner;
use crate::api::names::{Name, Uid};
use crate::api::objects::{Claim, Retention};
use crate::api::store::View;
use crate::kernel::Id;
use crate::rule::mark;

/// The claim of each template for a pod, as the cache shows it.
pub(super) fn of_ordinal<'a>(
    frame: &'a Frame,
    cache: View<'a>,
    ordinal: Ordinal,
) -> impl Iterator<Item = (usize, Option<(Id<Claim>, &'a Claim)>)> {
    (0..frame.claim_stems.len()).map(move |template| {
        let name = frame.known_claim_name(&cache.store.names, template, ordinal);
        (template, name.and_then(|name| cache.find::<Claim>(frame.namespace, name)))
    })
}

/// A claim that is being deleted blocks its pod (STS-22): the first such.
pub(super) fn terminating(frame: &Frame, cache: View<'_>, ordinal: Ordinal) -> Option<Id<Claim>> {
    let mut claims = of_ordinal(frame, cache, ordinal).filter_map(|(_, claim)| claim);
    claims.find(|(_, claim)| claim.meta.is_terminating()).map(|(id, _)| id)
}

/// A claim that an earlier pod of this name still owns (STS-32): the first such. Asked only before a pod is created,
/// and only if claims go with a scale-down.
pub(super) fn stale(frame: &Frame, cache: View<'_>, ordinal: Ordinal) -> Option<Id<Claim>> {
    if frame.spec.when_scaled == Retention::Retain {
        return None;
    }
    let pod = PodRef::not_created(frame, cache, ordinal);
    let mut claims = of_ordinal(frame, cache, ordinal).filter_map(|(_, claim)| claim);
    claims
        .find(|(_, claim)| {
            is_stale(cache.store.owners.get(claim.meta.owners), |owner| pod.is_named(owner), pod.uid)
        })
        .map(|(id, _)| id)
}

/// The pod a claim may be owned by.
#[derive(Clone, Copy, Debug)]
pub(super) struct PodRef {
    pub(super) name: Option<Name>,
    /// [`Uid::NONE`] for a pod that is not created yet.
    pub(super) uid: Uid,
    /// Not in range: being scaled away.
    pub(super) condemned: bool,
}

impl PodRef {
    /// The in-range pod of this ordinal before it exists.
    pub(super) fn not_created(frame: &Frame, cache: View<'_>, ordinal: Ordinal) -> PodRef {
        PodRef { name: frame.known_pod_name(&cache.store.names, ordinal), uid: Uid::NONE, condemned: false }
    }

    fn is_named(&self, owner: &Owner) -> bool {
        owner.kind == Kind::Pod && Some(owner.name) == self.name
    }
}

fn is_set_named(frame: &Frame, owner: &Owner) -> bool {
    owner.kind == Kind::StatefulSet && owner.name == frame.name
}

fn is_stale(owners: &[Owner], matches: impl Fn(&Owner) -> bool, uid: Uid) -> bool {
    owners.iter().find(|owner| matches(owner)).is_some_and(|owner| owner.uid != uid)
}

/// The references are as the retention policy wants them, or not to be touched (STS-27, STS-33).
pub(super) fn owners_match(frame: &Frame, owners: &[Owner], pod: PodRef) -> bool {
    if is_stale(owners, |owner| is_set_named(frame, owner), frame.uid)
        || is_stale(owners, |owner| pod.is_named(owner), pod.uid)
    {
        mark!("STS-33");
        return true;
    }
    let owned_by = |uid: Uid| owners.iter().any(|owner| owner.uid == uid);
    if has_unexpected_controller(frame, owners, pod) {
        mark!("STS-33");
        return !owned_by(frame.uid) && !owned_by(pod.uid);
    }
    let ours = owners.iter().find(|owner| owner.uid == frame.uid || owner.uid == pod.uid);
    if ours.is_some_and(|owner| !owner.controller) {
        mark!("STS-33");
        return false;
    }
    let (by_set, by_pod) = wanted(frame, pod);
    by_set == owned_by(frame.uid) && by_pod == owned_by(pod.uid)
}

/// Whether the set and whether the pod is to own the claim: the table of STS-27.
fn wanted(frame: &Frame, pod: PodRef) -> (bool, bool) {
    match (frame.spec.when_scaled, frame.spec.when_deleted) {
        (Retention::Retain, Retention::Retain) => (false, false),
        (Retention::Retain, Retention::Delete) => (true, false),
        (Retention::Delete, Retention::Retain) => (false, pod.condemned),
        (Retention::Delete, Retention::Delete) => (!pod.condemned, pod.condemned),
    }
}

/// Somebody else controls the claim, or a set or pod of the same name and another uid does (STS-33).
pub(super) fn has_unexpected_controller(frame: &Frame, owners: &[Owner], pod: PodRef) -> bool {
    if (frame.spec.when_scaled, frame.spec.when_deleted) == (Retention::Retain, Retention::Retain) {
        return false;
    }
    owners.iter().any(|owner| {
        if is_set_named(frame, owner) {
            owner.uid != frame.uid
        } else if pod.is_named(owner) {
            owner.uid != pod.uid
        } else {
            owner.controller
        }
    })
}

/// The references as they should be (STS-27, STS-33).
pub(super) fn rewritten(frame: &Frame, owners: &[Owner], pod: PodRef) -> Vec<Owner> {
    let mut kept: Vec<Owner> =
        owners.iter().copied().filter(|owner| !is_set_named(frame, owner) && !pod.is_named(owner)).collect();
    if has_unexpected_controller(frame, owners, pod) {
        return kept;
    }
    let (by_set, by_pod) = wanted(frame, pod);
    if by_set {
        kept.push(frame.owner());
    }
    if by_pod && let Some(name) = pod.name {
        kept.push(Owner { kind: Kind::Pod, controller: true, block: true, name, uid: pod.uid });
    }
    kept
}

/// What the claims of an existing pod ask for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Needs {
    /// Some are missing, going, or wrongly owned: a Pending pod is helped (STS-23).
    pub(super) repair: bool,
    /// Some are wrongly owned (STS-28).
    pub(super) owners: bool,
}

/// Looks at all claims of a pod.
pub(super) fn needs(frame: &Frame, cache: View<'_>, ordinal: Ordinal, pod: PodRef) -> Needs {
    let mut needs = Needs::default();
    for (_, claim) in of_ordinal(frame, cache, ordinal) {
        let Some((_, claim)) = claim else {
            needs.repair = true;
            continue;
        };
        let owners = cache.store.owners.get(claim.meta.owners);
        let matches = owners_match(frame, owners, pod);
        needs.owners |= !matches;
        needs.repair |=
            !matches || claim.meta.is_terminating() || has_unexpected_controller(frame, owners, pod);
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SetOptions, set};
    use super::*;
    use crate::api::objects::{Meta, StatefulSetSpec};
    use crate::config::Config;
    use crate::world::World;
    use Retention::{Delete, Retain};

    fn frame(when_scaled: Retention, when_deleted: Retention) -> (World, Frame) {
        let mut world = World::new(1, Config::recorded());
        let id = set(&mut world, "web", &SetOptions { when_scaled, when_deleted, ..SetOptions::default() });
        let object = world.store.get(id).cloned().unwrap();
        (World::new(1, Config::recorded()), Frame::new(&mut world.store.names, id, &object, "web"))
    }

    /// The table of STS-27.
    #[test]
    fn owners_by_policy() {
        let cases = [
            (Retain, Retain, false, false, false),
            (Retain, Retain, true, false, false),
            (Retain, Delete, false, true, false),
            (Retain, Delete, true, true, false),
            (Delete, Retain, false, false, false),
            (Delete, Retain, true, false, true),
            (Delete, Delete, false, true, false),
            (Delete, Delete, true, false, true),
        ];
        for (scaled, deleted, condemned, by_set, by_pod) in cases {
            let (_, frame) = frame(scaled, deleted);
            let pod = PodRef { name: Some(Name::numbered(frame.stem, 0)), uid: Uid(900), condemned };
            let owners = rewritten(&frame, &[], pod);
            let has = |uid| owners.iter().any(|owner| owner.uid == uid && owner.controller && owner.block);
            assert_eq!(
                (has(frame.uid), has(pod.uid)),
                (by_set, by_pod),
                "{scaled:?} {deleted:?} {condemned}"
            );
            assert!(owners_match(&frame, &owners, pod));
            assert_eq!(owners_match(&frame, &[], pod), owners.is_empty());
        }
    }

    /// STS-33: upstream TestStatefulPodControlUpdatePodClaimForRetentionPolicy.
    #[test]
    fn foreign_and_stale_owners_are_left_alone() {
        let (_, frame) = frame(Delete, Delete);
        let pod = PodRef { name: Some(Name::numbered(frame.stem, 0)), uid: Uid(900), condemned: false };
        let foreign =
            Owner { kind: Kind::Inert, controller: true, block: true, name: frame.name, uid: Uid(77) };
        assert!(has_unexpected_controller(&frame, &[foreign], pod));
        assert!(owners_match(&frame, &[foreign], pod), "nothing of ours on it: left alone");
        let both = [frame.owner(), foreign];
        assert!(!owners_match(&frame, &both, pod));
        assert_eq!(rewritten(&frame, &both, pod), [foreign]);

        let stale = Owner { uid: Uid(5), ..frame.owner() };
        assert!(owners_match(&frame, &[stale], pod), "a set of the same name and another uid");
        let plain = Owner { controller: false, ..frame.owner() };
        assert!(!owners_match(&frame, &[plain], pod), "an owner that does not control is rewritten");
        assert_eq!(rewritten(&frame, &[plain], pod), [frame.owner()]);
    }

    /// A claim that nobody owns is what no policy but Retain and Retain leaves as it is, in range or not.
    #[test]
    fn t_sts_078_a_bare_claim_matches_if_everything_is_retained() {
        for (scaled, deleted, in_range, condemned) in [
            (Retain, Retain, true, true),
            (Retain, Delete, false, false),
            (Delete, Retain, true, false),
            (Delete, Delete, false, false),
        ] {
            let (_, frame) = frame(scaled, deleted);
            let pod = PodRef { name: Some(Name::numbered(frame.stem, 0)), uid: Uid(900), condemned: false };
            assert_eq!(owners_match(&frame, &[], pod), in_range, "{scaled:?} {deleted:?}");
            let pod = PodRef { condemned: true, ..pod };
            assert_eq!(owners_match(&frame, &[], pod), condemned, "{scaled:?} {deleted:?}, condemned");
        }
    }

    /// What one of two claims of a pod is like.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum State {
        Missing,
        Bare,
        OfThisPod,
        OfAnOlderPod,
    }

    /// STS-32: stale if any claim names a pod of this name with another uid; a pod that is not there has none.
    #[test]
    fn t_sts_080_a_claim_of_an_earlier_pod_is_stale() {
        use State::{Bare, Missing, OfAnOlderPod, OfThisPod};
        let uid = Uid(900);
        for states in [Missing, Bare, OfThisPod, OfAnOlderPod]
            .into_iter()
            .flat_map(|a| [Missing, Bare, OfThisPod, OfAnOlderPod].map(|b| [a, b]))
        {
            let (world, frame, pod) = with_claims(states, uid);
            let cache = world.store.view(world.store.revision());
            let owned = |state: &State| matches!(state, OfThisPod | OfAnOlderPod);
            let found = stale(&frame, cache, Ordinal::of(0));
            assert_eq!(found.is_some(), states.iter().any(owned), "{states:?}, the pod is not there");
            let by_uid =
                of_ordinal(&frame, cache, Ordinal::of(0)).filter_map(|(_, claim)| claim).any(|(_, claim)| {
                    is_stale(world.store.owners.get(claim.meta.owners), |owner| pod.is_named(owner), uid)
                });
            assert_eq!(by_uid, states.contains(&OfAnOlderPod), "{states:?}, the pod is there");
        }
        let (world, frame, _) = with_claims([OfAnOlderPod; 2], uid);
        let retain = Frame {
            spec: std::sync::Arc::new(StatefulSetSpec { when_scaled: Retain, ..(*frame.spec).clone() }),
            ..frame
        };
        assert_eq!(stale(&retain, world.store.view(world.store.revision()), Ordinal::of(0)), None);
    }

    /// A set with two claim templates whose claims of ordinal 0 are like this.
    fn with_claims(states: [State; 2], uid: Uid) -> (World, Frame, PodRef) {
        let mut world = World::new(1, Config::recorded());
        let options = SetOptions { claims: 2, when_scaled: Delete, ..SetOptions::default() };
        let id = set(&mut world, "web", &options);
        let object = world.store.get(id).cloned().unwrap();
        let frame = Frame::new(&mut world.store.names, id, &object, "web");
        let name = frame.pod_name(&mut world.store.names, Ordinal::of(0));
        let pod = PodRef { name: Some(name), uid, condemned: false };
        for (template, state) in states.into_iter().enumerate() {
            let owners: &[Owner] = match state {
                State::Missing => continue,
                State::Bare => &[],
                State::OfThisPod => &[Owner { kind: Kind::Pod, controller: true, block: true, name, uid }],
                State::OfAnOlderPod => {
                    &[Owner { kind: Kind::Pod, controller: true, block: true, name, uid: Uid(5) }]
                }
            };
            let meta = Meta {
                name: frame.claim_name(&mut world.store.names, template, Ordinal::of(0)),
                namespace: frame.namespace,
                owners: world.store.owners.intern(owners),
                ..Meta::default()
            };
            let claim = Claim::new(meta, object.spec.claims[template].spec);
            world.create(claim, crate::rule::Rule::NONE).unwrap();
        }
        (world, frame, pod)
    }

    /// The condemned or in-range pod `web-0`.
    fn pod_of(frame: &Frame, condemned: bool) -> PodRef {
        PodRef { name: Some(Name::numbered(frame.stem, 0)), uid: Uid(900), condemned }
    }

    fn pod_owner(pod: PodRef) -> Owner {
        Owner { kind: Kind::Pod, controller: true, block: true, name: pod.name.unwrap(), uid: pod.uid }
    }

    /// An owner that is neither the set nor the pod; of kind StatefulSet, to be harder to tell apart.
    fn stranger(frame: &Frame, controller: bool) -> Owner {
        let name = Name::numbered(frame.stem, 77);
        Owner { kind: Kind::StatefulSet, controller, block: false, name, uid: Uid(77) }
    }

    const POLICIES: [(Retention, Retention); 4] =
        [(Retain, Retain), (Retain, Delete), (Delete, Retain), (Delete, Delete)];

    /// Kind and name count, the uid does not.
    #[test]
    fn t_sts_118_owners_are_known_by_kind_and_name() {
        let (_, frame) = frame(Delete, Delete);
        let (pod, other) = (pod_of(&frame, false), Name::numbered(frame.stem, 1));
        let (of_set, of_pod) = (frame.owner(), pod_owner(pod));
        for uid in [of_set.uid, of_pod.uid, Uid(5), Uid::NONE] {
            assert!(is_set_named(&frame, &Owner { uid, ..of_set }));
            assert!(pod.is_named(&Owner { uid, ..of_pod }));
            for kind in [Kind::Pod, Kind::Deployment, Kind::Inert] {
                assert!(!is_set_named(&frame, &Owner { uid, kind, ..of_set }));
            }
            for kind in [Kind::StatefulSet, Kind::Inert] {
                assert!(!pod.is_named(&Owner { uid, kind, ..of_pod }));
            }
            assert!(!is_set_named(&frame, &Owner { uid, name: other, ..of_set }));
            assert!(!pod.is_named(&Owner { uid, name: other, ..of_pod }));
        }
    }

    /// The policies, condemned or not, times other owners, times the pod's and the set's reference: 48 cases.
    #[test]
    fn t_sts_119_133_owners_are_up_to_date_if_they_are_those_of_the_policy_in_any_order() {
        let rows = [
            (Retain, Retain, false, false, false),
            (Retain, Delete, false, false, true),
            (Delete, Retain, false, false, false),
            (Delete, Retain, true, true, false),
            (Delete, Delete, false, false, true),
            (Delete, Delete, true, true, false),
        ];
        for (scaled, deleted, condemned, wants_pod, wants_set) in rows {
            let (_, frame) = frame(scaled, deleted);
            let pod = pod_of(&frame, condemned);
            for case in 0..8_u8 {
                let (others, by_pod, by_set) = (case & 1 != 0, case & 2 != 0, case & 4 != 0);
                let mut owners = Vec::new();
                owners.extend(others.then(|| stranger(&frame, false)));
                owners.extend(by_pod.then(|| pod_owner(pod)));
                owners.extend(by_set.then(|| frame.owner()));
                let expected = (by_pod, by_set) == (wants_pod, wants_set);
                // Turned and reversed: every order of up to three.
                for turn in 0..=owners.len() {
                    let mut owners = owners.clone();
                    owners.rotate_left(turn);
                    let matches = owners_match(&frame, &owners, pod);
                    assert_eq!(matches, expected, "{scaled:?} {deleted:?} {condemned} {owners:?}");
                    owners.reverse();
                    assert_eq!(owners_match(&frame, &owners, pod), expected, "{owners:?}");
                }
                let fixed = rewritten(&frame, &owners, pod);
                assert!(owners_match(&frame, &fixed, pod), "{scaled:?} {deleted:?} {condemned} {fixed:?}");
                assert_eq!(fixed.contains(&stranger(&frame, false)), others, "others are kept");
            }
        }
    }

    #[test]
    fn t_sts_120_owners_at_the_edges() {
        let (_, frame) = frame(Retain, Delete);
        let pod = pod_of(&frame, false);
        let plain = Owner { controller: false, ..frame.owner() };
        assert!(!owners_match(&frame, &[plain], pod), "it does not control");
        let stale = Owner { uid: Uid(5), ..frame.owner() };
        assert!(owners_match(&frame, &[stale], pod), "of another life: hands off");
        let stale_pod = Owner { uid: Uid(5), ..pod_owner(pod) };
        assert!(owners_match(&frame, &[stale_pod], pod), "of another life: hands off");
        assert!(!owners_match(&frame, &[frame.owner(), stranger(&frame, true)], pod), "a second controller");
        assert!(owners_match(&frame, &[frame.owner(), stranger(&frame, false)], pod));
    }

    #[test]
    fn t_sts_121_a_foreign_controller_ousts_set_and_pod() {
        for (scaled, deleted) in POLICIES {
            let (_, frame) = frame(scaled, deleted);
            for condemned in [false, true] {
                let pod = pod_of(&frame, condemned);
                let foreign = stranger(&frame, true);
                let owners = rewritten(&frame, &[frame.owner(), foreign, pod_owner(pod)], pod);
                assert_eq!(owners, [foreign], "{scaled:?} {deleted:?} {condemned}");
            }
        }
    }

    #[test]
    fn t_sts_122_references_are_repaired() {
        let (_, frame) = frame(Retain, Delete);
        let pod = pod_of(&frame, false);
        let others = [stranger(&frame, false), Owner { uid: Uid(78), ..stranger(&frame, false) }];
        let repaired = |ours: Owner| rewritten(&frame, &[others[0], ours, others[1]], pod);
        let plain = Owner { controller: false, block: false, ..frame.owner() };
        assert_eq!(repaired(plain), [others[0], others[1], frame.owner()], "it controls now");
        // Without a uid it is one of another life: it goes, and none takes its place.
        let nameless = Owner { uid: Uid::NONE, ..frame.owner() };
        assert_eq!(repaired(nameless), others);
    }

    #[test]
    fn t_sts_123_unexpected_controllers() {
        for (scaled, deleted) in POLICIES {
            let (_, frame) = frame(scaled, deleted);
            let pod = pod_of(&frame, false);
            let minds = (scaled, deleted) != (Retain, Retain);
            let cases = [
                (vec![], false),
                (vec![frame.owner(), pod_owner(pod)], false),
                (vec![stranger(&frame, false)], false),
                (vec![frame.owner(), stranger(&frame, false)], false),
                (vec![stranger(&frame, true)], true),
                (vec![frame.owner(), stranger(&frame, true)], true),
                (vec![Owner { uid: Uid(5), ..frame.owner() }], true),
                (vec![Owner { uid: Uid(5), ..pod_owner(pod) }], true),
            ];
            for (owners, unexpected) in cases {
                let found = has_unexpected_controller(&frame, &owners, pod);
                assert_eq!(found, unexpected && minds, "{scaled:?} {deleted:?} {owners:?}");
            }
        }
    }

    /// What the policy wants is there; whether it controls decides.
    #[test]
    fn t_sts_124_owners_that_do_not_control() {
        let plain = |owner: Owner| Owner { controller: false, ..owner };
        let (_, by_set) = frame(Retain, Delete);
        let (_, by_pod) = frame(Delete, Retain);
        for (frame, condemned) in [(by_set, false), (by_pod, true)] {
            let pod = pod_of(&frame, condemned);
            let ours = if condemned { pod_owner(pod) } else { frame.owner() };
            assert!(owners_match(&frame, &[ours], pod));
            assert!(!owners_match(&frame, &[plain(ours)], pod));
            let other = stranger(&frame, false);
            assert!(owners_match(&frame, &[other, ours], pod), "others need not");
            assert!(!owners_match(&frame, &[other, plain(ours)], pod));
        }
    }

    #[test]
    fn t_sts_125_stale_is_the_name_with_another_uid() {
        let (_, frame) = frame(Delete, Delete);
        let pod = pod_of(&frame, false);
        let stale = |owners: &[Owner]| is_stale(owners, |owner| pod.is_named(owner), pod.uid);
        assert!(!stale(&[]));
        assert!(!stale(&[pod_owner(pod)]));
        assert!(stale(&[Owner { uid: Uid(5), ..pod_owner(pod) }]));
        assert!(stale(&[stranger(&frame, true), Owner { uid: Uid::NONE, ..pod_owner(pod) }]));
        assert!(!stale(&[Owner { uid: Uid(5), name: stranger(&frame, true).name, ..pod_owner(pod) }]));
        assert!(!stale(&[Owner { uid: Uid(5), ..frame.owner() }]), "of the set's kind");
    }
}
