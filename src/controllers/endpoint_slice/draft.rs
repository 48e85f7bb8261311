//! From the endpoints a service should have to the writes that make its slices so.
//!
//! Follows `endpointslice/reconciler.go` (reconcileByPortMapping, finalize) and `utils.go` (getSliceToFill): endpoints
//! are kept where they are, slices that are written anyway are filled first, then one slice with room takes what is
//! left, then new slices are made; slices to delete are written over rather than deleted if others are to be created.
//! Where the real one takes slices or endpoints from an unordered map, here the order is that of ids.
//! Left out: topology hints, dual stack, the annotation with the trigger time.
use super::members::{MAX_ENDPOINTS, Member, Members};
use crate::api::labels::LabelsId;
use crate::api::names::Uid;
use crate::api::objects::{Endpoint, EndpointSlice, Pod, Revision, Service, ServicePort};
use crate::api::store::View;
use crate::controllers::plan::Plan;
use crate::kernel::Id;
use crate::rule::Rule;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a slice is to hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    /// Labels.
    pub labels: LabelsId,
    /// Ports.
    pub ports: Arc<[ServicePort]>,
    /// Endpoints.
    pub endpoints: Vec<Endpoint>,
}

/// A call of the controller.
#[derive(Clone, Debug)]
pub enum Call {
    /// Creates a slice owned by this incarnation of the service.
    Create(Uid, Arc<Content>),
    /// Writes a slice, if it is still as it was read.
    Update(Id<EndpointSlice>, Revision, Arc<Content>),
    /// Deletes a slice.
    Delete(Id<EndpointSlice>, Uid),
}

struct Edit<'a> {
    slice: &'a EndpointSlice,
    endpoints: Vec<Endpoint>,
}

/// The slices of one service while they are being rearranged.
pub(super) struct Draft<'a> {
    view: View<'a>,
    id: Id<Service>,
    service: &'a Service,
    members: &'a Members,
    member: &'a Member,
    /// The sets of ports that endpoints have; one, unless ports go by name (SVC-4).
    groups: &'a [Arc<[ServicePort]>],
    edits: BTreeMap<Id<EndpointSlice>, Edit<'a>>,
    /// Endpoints that have no place yet, per group.
    homeless: Vec<Vec<Endpoint>>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(
        view: View<'a>,
        id: Id<Service>,
        service: &'a Service,
        members: &'a Members,
        member: &'a Member,
        groups: &'a [Arc<[ServicePort]>],
    ) -> Draft<'a> {
        let homeless = vec![Vec::new(); groups.len()];
        Draft { view, id, service, members, member, groups, edits: BTreeMap::new(), homeless }
    }

    fn is_owned(&self, slice: &EndpointSlice) -> bool {
        self.view.store.owners.get(slice.meta.owners).iter().any(|owner| owner.uid == self.service.meta.uid)
    }

    fn owned(&self, id: Id<EndpointSlice>) -> Option<&'a EndpointSlice> {
        self.view.get(id).filter(|slice| slice.service == self.id && self.is_owned(slice))
    }

    fn edit(&mut self, id: Id<EndpointSlice>, slice: &'a EndpointSlice) -> &mut Vec<Endpoint> {
        let edit = self.edits.entry(id).or_insert_with(|| Edit { slice, endpoints: slice.endpoints.clone() });
        &mut edit.endpoints
    }

    /// Gives a pod the endpoint it should have, in the slices of its group; None: it should have none.
    pub(super) fn place(&mut self, pod: Id<Pod>, mut wanted: Option<(usize, Endpoint)>) {
        let places: Vec<_> = self.members.slices_of(pod).collect();
        for id in places {
            let Some(slice) = self.owned(id) else { continue };
            let endpoints = self.edits.get(&id).map_or(&slice.endpoints, |edit| &edit.endpoints);
            let Some(at) = endpoints.iter().position(|endpoint| endpoint.pod == pod) else { continue };
            let old = endpoints[at];
            // An endpoint of another address or hostname is another endpoint.
            let same = wanted.filter(|(group, new)| {
                self.groups[*group] == slice.ports && new.ip == old.ip && new.hostname == old.hostname
            });
            match same {
                Some((_, new)) => {
                    if new != old {
                        self.edit(id, slice)[at] = new;
                    }
                    wanted = None;
                }
                None => {
                    self.edit(id, slice).remove(at);
                }
            }
        }
        if let Some((group, endpoint)) = wanted {
            self.homeless[group].push(endpoint);
        }
    }

    /// Slices with endpoints that do not carry these labels are written as well.
    pub(super) fn relabel(&mut self, labels: LabelsId) {
        for id in &self.member.slices {
            if let Some(slice) = self.owned(*id).filter(|slice| slice.meta.labels != labels)
                && !slice.endpoints.is_empty()
            {
                self.edit(*id, slice);
            }
        }
    }

    /// Finds places for the homeless: new slices are returned.
    fn settle(&mut self) -> Vec<(usize, Vec<Endpoint>)> {
        let mut created = Vec::new();
        for group in 0..self.groups.len() {
            let mut homeless = std::mem::take(&mut self.homeless[group]);
            homeless.reverse();
            let ports = &self.groups[group];
            let mut edited: Vec<_> = self
                .edits
                .values_mut()
                .filter(|e| !e.endpoints.is_empty() && e.slice.ports == *ports)
                .collect();
            edited.sort_by_key(|edit| std::cmp::Reverse(edit.endpoints.len()));
            for edit in edited {
                fill(&mut edit.endpoints, &mut homeless);
            }
            while !homeless.is_empty() {
                match self.slice_with_room(ports, homeless.len()) {
                    Some((id, slice)) => fill(self.edit(id, slice), &mut homeless),
                    None => {
                        let mut endpoints = Vec::new();
                        fill(&mut endpoints, &mut homeless);
                        created.push((group, endpoints));
                    }
                }
            }
        }
        created
    }

    /// The untouched slice that is nearest to full with `count` more endpoints; None for a whole slice of them.
    fn slice_with_room(
        &self,
        ports: &Arc<[ServicePort]>,
        count: usize,
    ) -> Option<(Id<EndpointSlice>, &'a EndpointSlice)> {
        if count >= MAX_ENDPOINTS {
            return None;
        }
        let open = self.member.open.range((count, Id::from_index(0))..);
        let mut fitting = open.filter(|(_, id)| !self.edits.contains_key(id));
        fitting.find_map(|(_, id)| Some((*id, self.owned(*id).filter(|slice| slice.ports == *ports)?)))
    }

    /// Adds the calls to a plan: creations, then updates, then deletions.
    pub(super) fn finish(mut self, labels: LabelsId, plan: &mut Plan<Call>) {
        let created = self.settle();
        let content =
            |ports: &Arc<[ServicePort]>, endpoints| Content { labels, ports: ports.clone(), endpoints };
        let mut creates: Vec<Content> =
            created.into_iter().map(|(group, endpoints)| content(&self.groups[group], endpoints)).collect();
        let mut deletes = self.deletions();
        let kept = self.member.slices.len() - deletes.len();
        if kept == 0 && creates.is_empty() {
            // Without endpoints one empty slice without ports is kept (SVC-5).
            let placeholder = deletes.iter().position(|(_, slice)| {
                let bare = slice.endpoints.is_empty() && slice.ports.is_empty();
                bare && slice.meta.labels == labels && self.is_owned(slice)
            });
            match placeholder {
                Some(at) => drop(deletes.remove(at)),
                None => creates.push(content(&Arc::from([]), Vec::new())),
            }
        }
        let mut updates = Vec::new();
        deletes.retain(|(id, slice)| {
            let Some(content) = creates.pop_if(|_| self.is_owned(slice)) else { return true };
            updates.push((*id, *slice, content));
            false
        });
        if self.service.meta.is_terminating() {
            // The garbage collector is deleting what would be made here.
            creates.clear();
        }
        for (id, edit) in self.edits {
            if !edit.endpoints.is_empty() {
                updates.push((id, edit.slice, content(&edit.slice.ports, edit.endpoints)));
            }
        }
        for content in creates {
            let rule = if content.endpoints.is_empty() { Rule::svc(5) } else { Rule::svc(1) };
            plan.call(rule, Call::Create(self.service.meta.uid, Arc::new(content)));
        }
        for (id, slice, content) in updates {
            let pods = |endpoints: &[Endpoint]| -> Vec<_> { endpoints.iter().map(|e| e.pod).collect() };
            let same = pods(&slice.endpoints) == pods(&content.endpoints);
            let rule = if same { Rule::svc(2) } else { Rule::svc(1) };
            plan.call(rule, Call::Update(id, slice.meta.revision, Arc::new(content)));
        }
        for (id, slice) in deletes {
            plan.call(Rule::svc(5), Call::Delete(id, slice.meta.uid));
        }
    }

    /// Slices to delete: those that have lost their last endpoint, those that were empty and are not needed any more,
    /// and those of an earlier service of this name.
    fn deletions(&self) -> Vec<(Id<EndpointSlice>, &'a EndpointSlice)> {
        let looked_at = if self.member.all_slices { self.member.slices.len() } else { 0 };
        let foreign = self.member.slices.iter().take(looked_at);
        let foreign = foreign.filter_map(|id| Some((*id, self.view.get(*id).filter(|s| !self.is_owned(s))?)));
        let mut deletions: Vec<_> = foreign.collect();
        let emptied = self.edits.iter().filter(|(_, edit)| edit.endpoints.is_empty());
        deletions.extend(emptied.map(|(id, edit)| (*id, edit.slice)));
        let empty = self.member.open.range((MAX_ENDPOINTS, Id::from_index(0))..);
        let empty = empty.filter(|(_, id)| !self.edits.contains_key(id));
        deletions.extend(empty.filter_map(|(_, id)| Some((*id, self.owned(*id)?))));
        deletions
    }
}

/// Moves endpoints from the end of `from` until the slice is full.
fn fill(endpoints: &mut Vec<Endpoint>, from: &mut Vec<Endpoint>) {
    let room = MAX_ENDPOINTS.saturating_sub(endpoints.len()).min(from.len());
    endpoints.extend(from.drain(from.len() - room..).rev());
}
