//! Revisions: which one new pods get, when one is made, and which are forgotten (STS-35 to STS-47).
//!
//! Follows getStatefulSetRevisions, setMatchesLatestExistingRevision and truncateHistory of stateful_set_control.go,
//! and pkg/controller/history. The template is rendered and hashed when it has changed, not in every sync.
use super::view::{OwnedRevision, SetView};
use crate::api::names::{Name, Sym};
use crate::api::objects::{ControllerRevision, Revision, Seconds, StatefulSet, TemplateId};
use crate::api::template_defaults::default_pod_template;
use crate::api::template_hash::{revision_data, revision_hash, revision_name};
use crate::event::Process;
use crate::kernel::Id;
use crate::rule::mark;
use crate::world::World;
use serde_json::Value;
use std::sync::Arc;

/// A revision as pods refer to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Target {
    /// Value of the label `controller-revision-hash`.
    pub(super) label: Sym,
    pub(super) name: Name,
    pub(super) template: TemplateId,
}

/// What has to be done for the update revision to be there (STS-39).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pending {
    /// It is the last of the list already.
    Nothing,
    /// An older revision is the same: its number rises (STS-46).
    Renumber(Id<ControllerRevision>),
    /// It is new.
    Create,
}

/// Both revisions of a sync, and what goes with them.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) current: Target,
    pub(super) update: Target,
    pub(super) pending: Pending,
    /// `.revision` of the update revision if it is created or renumbered.
    pub(super) number: i64,
    /// `.data` of the update revision if it is created.
    pub(super) data: Arc<str>,
    pub(super) collisions: i32,
    /// Ownerless revisions to be adopted (STS-88).
    pub(super) adopt: Vec<Id<ControllerRevision>>,
    /// Revisions to be deleted at the end (STS-43).
    pub(super) expired: Vec<Id<ControllerRevision>>,
}

/// A revision of the list, with what is asked about it.
#[derive(Clone, Copy, Debug)]
struct Listed {
    id: Id<ControllerRevision>,
    target: Target,
    number: i64,
    created: Seconds,
    /// resourceVersion.
    version: Revision,
    /// Its data are those of the candidate, byte for byte (STS-45).
    same: bool,
}

/// Chooses the update and the current revision of a set. `orphans`: ownerless revisions in its namespace.
pub(super) fn choose(
    view: &mut SetView,
    set: &StatefulSet,
    orphans: Vec<Id<ControllerRevision>>,
    world: &mut World,
) -> Choice {
    let data = candidate(view, set.spec.template, world);
    let orphans: Vec<OwnedRevision> =
        orphans.into_iter().map(|id| OwnedRevision { id, label: revision_label(id, world) }).collect();
    let collisions = set.status.collisions.unwrap_or(0);
    let (listed, adopt) = list(view, &orphans, &data, world);
    let number = listed.last().map_or(1, |last| last.number + 1);
    let (update, pending) = match listed.iter().rposition(|listed| listed.same) {
        Some(last) if last + 1 == listed.len() => (listed[last].target, Pending::Nothing),
        Some(older) => (listed[older].target, Pending::Renumber(listed[older].id)),
        None => {
            match listed.last().filter(|last| means_the_same(view, last, set.spec.template, &data, world)) {
                Some(last) => (last.target, Pending::Nothing),
                None => (new_target(set, &data, collisions, world), Pending::Create),
            }
        }
    };
    let named = |listed: &&Listed| listed.target.name == set.status.current_revision;
    let current = listed.iter().find(named).map_or(update, |listed| listed.target);
    mark!("STS-40" if current != update);
    mark!("STS-41" if !listed.iter().any(|listed| named(&listed)));
    mark!("STS-45" if listed.iter().any(|listed| listed.same));
    let expired = expired(view, &listed, set.spec.history_limit, [current.label, update.label]);
    Choice { current, update, pending, number, data, collisions, adopt, expired }
}

/// A revision of the present template under the name it will have, unless that is taken (STS-44, STS-42).
fn new_target(set: &StatefulSet, data: &str, collisions: i32, world: &mut World) -> Target {
    let name = world.store.name_of(set.meta.name);
    let text = revision_name(&name, &revision_hash(data, collisions));
    let names = &mut world.store.names;
    Target { label: names.word(&text), name: names.name(&text), template: set.spec.template }
}

/// The data of a revision of the present template (STS-35, STS-39).
fn candidate(view: &mut SetView, template: TemplateId, world: &World) -> Arc<str> {
    if let Some((of, data)) = &view.candidate
        && *of == template
    {
        return data.clone();
    }
    mark!("STS-35");
    let data: Arc<str> = revision_data(&world.store.template(template).json).into();
    view.candidate = Some((template, data.clone()));
    data
}

/// The name of a revision as a label's value.
pub(super) fn revision_label(id: Id<ControllerRevision>, world: &mut World) -> Sym {
    let name = world.store.revisions.last_known(id).map(|revision| revision.meta.name);
    let text = world.store.name_of(name.unwrap_or_default());
    world.store.names.word(&text)
}

/// The revisions of the set in order (STS-37, STS-38), and those of them that have no owner yet.
fn list(
    view: &SetView,
    orphans: &[OwnedRevision],
    data: &Arc<str>,
    world: &World,
) -> (Vec<Listed>, Vec<Id<ControllerRevision>>) {
    let cache = world.view(Process::ControllerManager);
    let selected = |owned: &OwnedRevision| {
        let revision = cache.get(owned.id)?;
        let matches = cache.store.labels_match(revision.meta.labels, &view.frame.spec.selector);
        matches.then(|| Listed {
            id: owned.id,
            target: Target { label: owned.label, name: revision.meta.name, template: revision.template },
            number: revision.number,
            created: revision.meta.created,
            version: revision.meta.revision,
            same: Arc::ptr_eq(&revision.data, data) || revision.data == *data,
        })
    };
    let mut listed: Vec<Listed> = view.owned_revisions.iter().filter_map(selected).collect();
    let orphans: Vec<Listed> = orphans.iter().filter_map(selected).collect();
    let adopt = orphans.iter().map(|orphan| orphan.id).collect();
    listed.extend(orphans);
    mark!("STS-38" if !listed.is_empty());
    mark!("STS-37" if listed.len() > 1);
    listed.sort_by(|a, b| {
        let text = |listed: &Listed| cache.store.names.text(listed.target.label);
        (a.number, a.created).cmp(&(b.number, b.created)).then_with(|| text(a).cmp(text(b)))
    });
    (listed, adopt)
}

/// The last revision, written differently, stands for the same template (STS-47).
fn means_the_same(
    view: &mut SetView,
    last: &Listed,
    template: TemplateId,
    data: &str,
    world: &World,
) -> bool {
    if !world.config.gates.semantic_revision_comparison {
        return false;
    }
    let question = (template, last.id, last.version);
    if let Some((asked, verdict)) = view.semantic
        && asked == question
    {
        return verdict;
    }
    let revision = world.view(Process::ControllerManager).get(last.id);
    let verdict = revision.and_then(|revision| rewritten(&revision.data)).is_some_and(|text| text == data);
    view.semantic = Some((question, verdict));
    mark!("STS-47" if verdict);
    verdict
}

/// The data of a revision as it would be written now: its template read, defaulted and written again.
fn rewritten(data: &str) -> Option<String> {
    let mut value: Value = serde_json::from_str(data).ok()?;
    let mut template = value.pointer_mut("/spec/template")?.take();
    template.as_object_mut()?.remove("$patch");
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|_, value| !value.is_null());
    }
    default_pod_template(&mut template);
    Some(revision_data(&template))
}

/// The oldest of what nothing refers to, down to the history limit (STS-43). A negative limit keeps all.
fn expired(view: &SetView, listed: &[Listed], limit: i32, live: [Sym; 2]) -> Vec<Id<ControllerRevision>> {
    let Ok(limit) = usize::try_from(limit) else { return Vec::new() };
    let history: Vec<_> = listed
        .iter()
        .filter(|listed| !live.contains(&listed.target.label) && !view.is_in_use(listed.target.label))
        .map(|listed| listed.id)
        .collect();
    let surplus = history.len().saturating_sub(limit);
    history.into_iter().take(surplus).collect()
}
