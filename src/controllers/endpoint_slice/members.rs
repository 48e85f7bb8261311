//! What the controller remembers of each service: its slices as the watch shows them, where each pod's endpoint is,
//! and which pods to look at again.
//!
//! The real controller lists all pods and slices of a service at every sync. This is the same knowledge kept up to
//! date change by change, so that a sync costs what changed: 8 bytes for a pod in one slice, 16 for one in two.
use crate::api::objects::{Endpoint, EndpointSlice, Node, Pod, Revision, Service};
use crate::kernel::{Id, Time};
use std::collections::BTreeSet;

/// Endpoints in a slice at most (SVC-5).
pub(super) const MAX_ENDPOINTS: usize = 100;

/// One service.
#[derive(Clone, Debug, Default)]
pub(super) struct Member {
    /// Its slices.
    pub(super) slices: BTreeSet<Id<EndpointSlice>>,
    /// Those of them with room: (free places, slice).
    pub(super) open: BTreeSet<(usize, Id<EndpointSlice>)>,
    /// Pods whose endpoint may have to change.
    pub(super) dirty: BTreeSet<Id<Pod>>,
    /// All its slices have to be looked at: the service changed, or somebody else wrote one.
    pub(super) all_slices: bool,
    /// All pods have to be looked at: the selector is new.
    pub(super) all_pods: bool,
    /// Nodes that are gone since the last sync (SVC-1).
    pub(super) lost_nodes: Vec<Id<Node>>,
    /// Own writes that the watch has not shown yet (SVC-6), and when the API server's answer to each arrives.
    pub(super) own_writes: Vec<(Revision, Time)>,
    /// Names made so far, for the draw of the next.
    pub(super) names: u64,
}

/// All services, by table index.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    members: Vec<Option<Box<Member>>>,
    places: Places,
}

impl Members {
    /// What is remembered of a service; nothing yet: an empty memory.
    pub(super) fn of(&mut self, id: Id<Service>) -> &mut Member {
        if id.index() >= self.members.len() {
            self.members.resize(id.index() + 1, None);
        }
        self.members[id.index()].get_or_insert_default()
    }

    /// What is remembered of a service, if anything.
    pub(super) fn get(&self, id: Id<Service>) -> Option<&Member> {
        self.members.get(id.index())?.as_deref()
    }

    /// The service is gone; its slices stay known until the garbage collector has taken them (SVC-5).
    pub(super) fn service_gone(&mut self, id: Id<Service>) {
        let Some(slot) = self.members.get_mut(id.index()) else { return };
        let Some(member) = slot else { return };
        if member.slices.is_empty() {
            *slot = None;
        } else {
            **member = Member {
                slices: std::mem::take(&mut member.slices),
                open: std::mem::take(&mut member.open),
                all_slices: true,
                ..Member::default()
            };
        }
    }

    /// A node is gone: endpoints on it have to go as well.
    pub(super) fn node_gone(&mut self, node: Id<Node>) {
        for member in self.members.iter_mut().flatten() {
            member.lost_nodes.push(node);
        }
    }

    /// A slice of a service is as `new` now, after having been as `old`.
    pub(super) fn slice_changed(
        &mut self,
        id: Id<EndpointSlice>,
        old: Option<&EndpointSlice>,
        new: Option<&EndpointSlice>,
    ) {
        let free = |slice: &EndpointSlice| MAX_ENDPOINTS.saturating_sub(slice.endpoints.len());
        if let Some(old) = old {
            let member = self.of(old.service);
            member.open.remove(&(free(old), id));
            if new.is_none() {
                member.slices.remove(&id);
            }
        }
        if let Some(new) = new {
            let member = self.of(new.service);
            member.slices.insert(id);
            if free(new) > 0 {
                member.open.insert((free(new), id));
            }
        }
        let (before, after) = (pods(old), pods(new));
        for (position, endpoint) in before.iter().enumerate() {
            if after.get(position).is_none_or(|same| same.pod != endpoint.pod) {
                self.places.remove(endpoint.pod, id);
            }
        }
        for (position, endpoint) in after.iter().enumerate() {
            if before.get(position).is_none_or(|same| same.pod != endpoint.pod) {
                self.places.add(endpoint.pod, id);
            }
        }
    }

    /// The slices, of whatever service, with an endpoint for this pod.
    pub(super) fn slices_of(&self, pod: Id<Pod>) -> impl Iterator<Item = Id<EndpointSlice>> {
        self.places.of(pod)
    }
}

fn pods(slice: Option<&EndpointSlice>) -> &[Endpoint] {
    slice.map_or(&[], |slice| &slice.endpoints)
}

const NOTHING: u32 = u32::MAX;

/// Which slices have an endpoint for a pod: one of them in place, the others, if there are more, aside.
#[derive(Clone, Debug, Default)]
struct Places {
    first: Vec<u32>,
    more: BTreeSet<(u32, u32)>,
}

impl Places {
    fn of(&self, pod: Id<Pod>) -> impl Iterator<Item = Id<EndpointSlice>> {
        let first = self.first.get(pod.index()).copied().filter(|slice| *slice != NOTHING);
        let more = self.more.range((pod.as_u32(), 0)..=(pod.as_u32(), NOTHING)).map(|(_, slice)| *slice);
        first.into_iter().chain(more).map(|slice| Id::from_index(slice as usize))
    }

    fn add(&mut self, pod: Id<Pod>, slice: Id<EndpointSlice>) {
        if pod.index() >= self.first.len() {
            self.first.resize(pod.index() + 1, NOTHING);
        }
        let first = &mut self.first[pod.index()];
        if *first == NOTHING {
            *first = slice.as_u32();
        } else {
            self.more.insert((pod.as_u32(), slice.as_u32()));
        }
    }

    fn remove(&mut self, pod: Id<Pod>, slice: Id<EndpointSlice>) {
        let Some(first) = self.first.get_mut(pod.index()) else { return };
        if *first != slice.as_u32() {
            self.more.remove(&(pod.as_u32(), slice.as_u32()));
            return;
        }
        let next = self.more.range((pod.as_u32(), 0)..=(pod.as_u32(), NOTHING)).next().copied();
        *first = next.map_or(NOTHING, |next| {
            self.more.remove(&next);
            next.1
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn places_behave_as_sets(steps in prop::collection::vec((0usize..4, 0usize..6, any::<bool>()), 0..80)) {
            let mut places = Places::default();
            let mut model = BTreeSet::new();
            for (pod, slice, add) in steps {
                let (id, at) = (Id::from_index(pod), Id::from_index(slice));
                if add && model.insert((pod, slice)) {
                    places.add(id, at);
                } else if !add && model.remove(&(pod, slice)) {
                    places.remove(id, at);
                }
                for pod in 0..4 {
                    let found: BTreeSet<_> = places.of(Id::from_index(pod)).map(Id::index).collect();
                    let expected: BTreeSet<_> = model.range((pod, 0)..(pod + 1, 0)).map(|pair| pair.1).collect();
                    prop_assert_eq!(found, expected);
                }
                prop_assert_eq!(places.more.len(), model.len() - (0..4).filter(|p| places.first.get(*p).is_some_and(|l| *l != NOTHING)).count());
            }
        }
    }
}
