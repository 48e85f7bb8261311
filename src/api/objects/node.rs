//! Nodes and taints.
use crate::api::kind::Kind;
use crate::api::names::{Sym, Uid};
use crate::api::objects::{Meta, Object, Seconds, Volume};
use crate::api::store::Store;
use crate::event::KubeletEvent;
use crate::kernel::Id;
use std::sync::Arc;

/// Status of a node's condition Ready (NODE-4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum NodeReady {
    /// The kubelet has not reported yet.
    #[default]
    Missing,
    /// Reported by the kubelet.
    True,
    /// Reported by the kubelet: something is wrong with the node.
    False,
    /// Written by the node lifecycle controller: the kubelet is silent (NODE-7).
    Unknown,
}

/// Effect of a taint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Effect {
    /// New pods do not come.
    NoSchedule,
    /// New pods come only if there is no better node.
    PreferNoSchedule,
    /// Pods that do not tolerate it go.
    NoExecute,
}

impl Effect {
    /// The API's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Effect::NoSchedule => "NoSchedule",
            Effect::PreferNoSchedule => "PreferNoSchedule",
            Effect::NoExecute => "NoExecute",
        }
    }

    /// The effect with this text.
    pub fn parse(text: &str) -> Option<Effect> {
        [Effect::NoSchedule, Effect::PreferNoSchedule, Effect::NoExecute]
            .into_iter()
            .find(|e| e.as_str() == text)
    }
}

/// A taint of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Taint {
    /// Key.
    pub key: Sym,
    /// Value; may be empty.
    pub value: Sym,
    /// Effect.
    pub effect: Effect,
    /// timeAdded of a NoExecute taint; nobody acts on it (NODE-18).
    pub added: Seconds,
}

/// v1 Node, with what its CSINode says.
#[derive(Clone, Debug)]
pub struct Node {
    /// Metadata.
    pub meta: Meta,
    /// Label `topology.kubernetes.io/zone`; empty if it has none.
    pub zone: Sym,
    /// Label `topology.kubernetes.io/region`; empty if it has none.
    pub region: Sym,
    /// spec.unschedulable.
    pub unschedulable: bool,
    /// spec.taints.
    pub taints: Arc<[Taint]>,
    /// status.allocatable: cpu in thousandths.
    pub cpu: u64,
    /// status.allocatable: memory in bytes.
    pub memory: u64,
    /// status.allocatable: number of pods.
    pub pods: u32,
    /// CSINode allocatable count of the EBS driver (SCHED-18); None: unlimited.
    pub volumes: Option<u32>,
    /// Condition Ready.
    pub ready: NodeReady,
    /// lastTransitionTime of condition Ready.
    pub ready_since: Seconds,
    /// status.volumesInUse: written by the kubelet (VOL-32, VOL-40). Sorted.
    pub volumes_in_use: Arc<Vec<Id<Volume>>>,
    /// status.volumesAttached: written by the attach/detach controller (VOL-29). Sorted.
    pub volumes_attached: Arc<Vec<Id<Volume>>>,
}

impl Object for Node {
    const KIND: Kind = Kind::Node;
    fn meta(&self) -> &Meta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut Meta {
        &mut self.meta
    }
    fn kubelet_event(
        id: Id<Node>,
        _: Uid,
        old: Option<&Node>,
        new: Option<&Node>,
        _: &Store,
    ) -> Option<KubeletEvent> {
        let same = old.zip(new).is_some_and(|(old, new)| {
            Arc::ptr_eq(&old.volumes_attached, &new.volumes_attached) && Arc::ptr_eq(&old.taints, &new.taints)
        });
        (!same).then_some(KubeletEvent::SeesNode(id))
    }
}

/// The volumes of `after` that are not in `before`; both are sorted. Lists of a node are long, and differ by little.
pub fn added_volumes(before: &[Id<Volume>], after: &[Id<Volume>]) -> Vec<Id<Volume>> {
    /// Compared at a time: as much as fits well into a few instructions.
    const CHUNK: usize = 32;
    let alike = before.chunks_exact(CHUNK).zip(after.chunks_exact(CHUNK)).take_while(|(a, b)| a == b);
    let head = alike.count() * CHUNK;
    let (before, after) = (&before[head..], &after[head..]);
    let alike = before.rchunks_exact(CHUNK).zip(after.rchunks_exact(CHUNK)).take_while(|(a, b)| a == b);
    let tail = alike.count() * CHUNK;
    let mut rest = before[..before.len() - tail].iter().peekable();
    let after = after[..after.len() - tail].iter().copied();
    let is_new = |volume: &Id<Volume>| {
        while rest.next_if(|other| *other < volume).is_some() {}
        rest.peek() != Some(&volume)
    };
    after.filter(is_new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_added_is_what_was_not_there(
            common in prop::collection::btree_set(0usize..400, 0..200),
            [gone, new] in [(); 2].map(|()| prop::collection::btree_set(0usize..400, 0..4)),
        ) {
            let ids = |list: &std::collections::BTreeSet<usize>| -> Vec<Id<Volume>> {
                list.iter().copied().map(Id::from_index).collect()
            };
            let (before, after) = (&common | &gone, &common | &new);
            prop_assert_eq!(added_volumes(&ids(&before), &ids(&after)), ids(&(&after - &before)));
            prop_assert_eq!(added_volumes(&ids(&after), &ids(&before)), ids(&(&before - &after)));
        }
    }
}
