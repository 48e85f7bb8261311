//! What an object waits for, and what that waits for: a walk over the graph of waits, from component to component.
//!
//! Each file asks the component that decides what it waits for, and when that is to end; nothing is guessed from the
//! object alone. The walk is depth first. An object that is met again on the way down closes a circle: what is in it waits
//! for itself, for ever.
mod claims;
pub mod dns;
mod nodes;
pub(in crate::why) mod pods;
mod volumes;
mod workloads;

use crate::api::kind::Kind;
use crate::api::objects::*;
use crate::kernel::Time;
use crate::rule::Rule;
use crate::why::look::Look;
use crate::why::thing::Thing;
use crate::why::{Until, Wait, chain};
use std::collections::BTreeSet;

/// Waits of one answer at most: a set of a thousand pods is told by its first ones.
const MOST: usize = 40;
/// Things that one wait depends on and that are followed at most.
const FOLLOWED: usize = 4;

/// All waits below a thing, depth first, and the circle among them, if there is one.
pub fn all(look: &Look<'_>, thing: &Thing) -> (Vec<Wait>, Vec<String>) {
    let mut walk =
        Walk { look, path: vec![thing.clone()], seen: BTreeSet::new(), out: Vec::new(), circle: Vec::new() };
    walk.seen.insert(thing.clone());
    walk.follow(thing);
    (walk.out, walk.circle)
}

struct Walk<'l, 'a> {
    look: &'l Look<'a>,
    path: Vec<Thing>,
    seen: BTreeSet<Thing>,
    out: Vec<Wait>,
    circle: Vec<String>,
}

impl Walk<'_, '_> {
    fn follow(&mut self, thing: &Thing) {
        for mut wait in of(self.look, thing) {
            if self.out.len() >= MOST {
                return;
            }
            wait.depth = self.path.len() - 1;
            if wait.depth > 0 && matches!(wait.until, Until::Never(_) | Until::At(..)) {
                wait.began = chain::origin(self.look, &wait.thing).filter(|link| link.time > Time::ZERO);
            }
            let next: Vec<Thing> = wait.next.iter().take(FOLLOWED).cloned().collect();
            self.out.push(wait);
            for thing in next {
                if let Some(at) = self.path.iter().position(|other| *other == thing) {
                    if self.circle.is_empty() {
                        let circle = self.path[at..].iter().chain([&thing]);
                        self.circle = circle.map(|thing| thing.text(self.look)).collect();
                    }
                } else if self.seen.insert(thing.clone()) {
                    self.path.push(thing.clone());
                    self.follow(&thing);
                    self.path.pop();
                }
            }
        }
    }
}

/// What a thing waits for, one step deep. Empty: nothing, as far as any component knows.
pub fn of(look: &Look<'_>, thing: &Thing) -> Vec<Wait> {
    let store = look.store();
    match thing {
        Thing::Name(namespace, name) => dns::waits(look, thing, namespace, name),
        Thing::Absent(namespace, name) => workloads::absent(look, thing, namespace, name),
        Thing::Object(kind, _) => {
            let Some(meta) = thing.meta(store) else {
                return match (thing.last_meta(store), kind) {
                    (Some(meta), Kind::Pod) => {
                        workloads::absent(look, thing, look.word(meta.namespace), &look.name(&meta))
                    }
                    _ => Vec::new(),
                };
            };
            let mut waits = match kind {
                Kind::Pod => thing.id().map_or_else(Vec::new, |id| pods::waits(look, thing, id)),
                Kind::StatefulSet => thing.id().map_or_else(Vec::new, |id| workloads::set(look, thing, id)),
                Kind::Deployment => {
                    thing.id().map_or_else(Vec::new, |id| workloads::deployment(look, thing, id))
                }
                Kind::ReplicaSet => {
                    thing.id().map_or_else(Vec::new, |id| workloads::replica_set(look, thing, id))
                }
                Kind::Claim => thing.id().map_or_else(Vec::new, |id| claims::claim(look, thing, id)),
                Kind::Volume => thing.id().map_or_else(Vec::new, |id| claims::volume(look, thing, id)),
                Kind::Attachment => {
                    thing.id().map_or_else(Vec::new, |id| volumes::attachment(look, thing, id))
                }
                Kind::Node => thing.id().map_or_else(Vec::new, |id| nodes::node(look, thing, id)),
                Kind::Budget => thing.id().map_or_else(Vec::new, |id| nodes::budget(look, thing, id)),
                Kind::Service => thing.id().map_or_else(Vec::new, |id| dns::service(look, thing, id)),
                _ => Vec::new(),
            };
            if meta.is_terminating() {
                waits.extend(finalizers(look, thing, &meta));
            }
            waits
        }
    }
}

/// A terminating object waits for those who hold it with finalizers that no file here tells more about.
fn finalizers(look: &Look<'_>, thing: &Thing, meta: &Meta) -> Vec<Wait> {
    let store = look.store();
    let mut waits = Vec::new();
    if meta.finalizers.has(Finalizers::FOREGROUND) {
        let blocking = dependents(look, meta);
        let on = match blocking.len() {
            0 => "its dependents to be gone".to_owned(),
            n => format!("the {n} objects that it owns to be gone (foregroundDeletion)"),
        };
        let wait = Wait::new(look, thing, "garbage collector", on).by(Rule::sts(90));
        let wait =
            if blocking.is_empty() { wait.until(None, "the garbage collector looks again") } else { wait };
        waits.push(wait.then(blocking));
    }
    let others = store.words.get(store.rare(meta).other_finalizers);
    for finalizer in others {
        let name = look.word(*finalizer);
        let wait = Wait::new(look, thing, "API server", format!("finalizer {name} to be removed"));
        let unless = format!("whoever owns {name} takes it off; no component here does");
        waits.push(wait.by(Rule::pod(6)).never(unless));
    }
    waits
}

/// Objects that an object owns and that block its foreground deletion.
fn dependents(look: &Look<'_>, meta: &Meta) -> Vec<Thing> {
    let store = look.store();
    let blocks = |owners| store.owners.get(owners).iter().any(|owner| owner.uid == meta.uid && owner.block);
    let mut found = Vec::new();
    for kind in [Kind::ReplicaSet, Kind::Pod, Kind::Claim, Kind::Revision] {
        found.extend(
            Thing::all(kind, look)
                .into_iter()
                .filter(|thing| thing.meta(store).is_some_and(|meta| blocks(meta.owners))),
        );
    }
    found
}

/// A component that is stopped keeps everything waiting.
fn stopped(look: &Look<'_>, thing: &Thing, process: crate::event::Process, on: &str) -> Option<Wait> {
    look.stopped(process).then(|| {
        let name = process.as_str();
        let wait = Wait::new(look, thing, name, on);
        match look.started_at(process) {
            Some(time) => wait.until(Some(time), format!("{name} is started again: it is stopped")),
            None => wait.never(format!("{name} is started again: it is stopped")),
        }
    })
}
