//! Deletion as the API server does it: preconditions, grace, finalizers, propagation
//! (`k8s.io/apiserver/pkg/registry/generic/registry/store.go`, `registry/rest/delete.go`).
use super::{Attempt, Request, World};
use crate::api::kind::Kind;
use crate::api::names::Uid;
use crate::api::objects::*;
use crate::api::status::Status;
use crate::api::store::Stored;
use crate::kernel::{Duration, Id};
use crate::rule::{Rule, mark};
use crate::trace::notes::Noted;
use crate::world::Actor;

/// What a delete asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeleteOptions {
    /// Precondition: only this incarnation (POD-7).
    pub uid: Option<Uid>,
    /// Precondition: the object as of this resourceVersion.
    pub revision: Option<Revision>,
    /// gracePeriodSeconds; None: the object's own.
    pub grace: Option<u32>,
    /// propagationPolicy.
    pub propagation: Propagation,
}

/// What becomes of an owner's dependents.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Propagation {
    /// The owner goes, dependents follow (STS-89).
    #[default]
    Background,
    /// The owner waits for its blocking dependents (STS-90).
    Foreground,
    /// Dependents lose their reference and stay (STS-91).
    Orphan,
}

/// How a delete ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deleted {
    /// The object is gone.
    Gone,
    /// The object is terminating: a grace period or a finalizer holds it.
    Terminating,
    /// It was already terminating and nothing changed (POD-4).
    Unchanged,
}

impl World {
    /// Deletes an object as the API server does: gracefully (POD-3 to POD-6), held by finalizers, with the propagation
    /// asked for.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the uid precondition does not hold (POD-7); the answer of a fault of writes.
    pub fn delete<T: Stored + Noted>(
        &mut self,
        id: Id<T>,
        options: DeleteOptions,
        rule: Rule,
    ) -> Result<Deleted, Status> {
        let told = match T::table(&self.store).get(id).map(|object| object.meta().name) {
            None => None,
            Some(name) => {
                let index = Some(id.as_u32());
                self.let_pass(Attempt { request: Request::Delete, kind: T::KIND, name, index })?
            }
        };
        let deleted = self.delete_now(id, options, rule);
        told.map_or(deleted, Err)
    }

    /// As [`World::delete`], past all faults of writes.
    ///
    /// # Errors
    /// `NotFound`, `Conflict`.
    pub(crate) fn delete_now<T: Stored + Noted>(
        &mut self,
        id: Id<T>,
        options: DeleteOptions,
        rule: Rule,
    ) -> Result<Deleted, Status> {
        let Some(object) = T::table(&self.store).get(id) else {
            let name = T::table(&self.store)
                .last_known(id)
                .map_or_else(String::new, |o| self.store.name_of(o.meta().name));
            return Err(Status::not_found(T::KIND.resource(), &name));
        };
        let meta = *object.meta();
        let natural = object.natural_grace(&self.store);
        if let Some(uid) = options.uid.filter(|uid| *uid != meta.uid) {
            mark!("POD-7");
            let name = self.store.name_of(meta.name);
            let why = format!(
                "Precondition failed: UID in precondition: {}, UID in object meta: {}",
                self.store.uid_text(uid),
                self.store.uid_text(meta.uid)
            );
            return Err(Status::conflict(T::KIND.resource(), &name, &why));
        }
        if let Some(revision) = options.revision.filter(|revision| *revision != meta.revision) {
            let name = self.store.name_of(meta.name);
            let why = format!(
                "Precondition failed: ResourceVersion in precondition: {}, ResourceVersion in object meta: {}",
                revision.0, meta.revision.0
            );
            return Err(Status::conflict(T::KIND.resource(), &name, &why));
        }
        let added = match options.propagation {
            Propagation::Background => Finalizers::NONE,
            Propagation::Foreground => Finalizers::FOREGROUND,
            Propagation::Orphan => Finalizers::ORPHAN,
        };
        let grace = if natural == 0 { 0 } else { options.grace.unwrap_or(natural) };
        if meta.is_terminating() {
            return Ok(self.delete_again::<T>(
                id,
                &meta,
                options.grace.map(|g| if natural == 0 { 0 } else { g }),
                rule,
            ));
        }
        mark!("POD-5" if T::KIND == Kind::Pod && self.actor == Actor::User && options.grace == Some(0));
        mark!("POD-3" if T::KIND == Kind::Pod);
        if grace == 0 && !meta.has_finalizers() && added == Finalizers::NONE {
            self.remove(id, rule);
            return Ok(Deleted::Gone);
        }
        let deleted = Seconds::of(self.now() + Duration::from_secs(u64::from(grace)));
        let rare = self.store.rares.ending(meta.rare, deleted, grace);
        self.update(id, rule, |object| {
            let meta = object.meta_mut();
            meta.rare = rare;
            meta.finalizers = meta.finalizers.with(added);
            if meta.generation.get() > 0 {
                meta.generation = meta.generation.next();
            }
        });
        Ok(Deleted::Terminating)
    }

    /// A delete of what is already terminating may only shorten the grace period (POD-4).
    fn delete_again<T: Stored + Noted>(
        &mut self,
        id: Id<T>,
        meta: &Meta,
        grace: Option<u32>,
        rule: Rule,
    ) -> Deleted {
        mark!("POD-4" if T::KIND == Kind::Pod);
        let before = self.store.rare(meta);
        let Some(grace) = grace.filter(|grace| *grace < before.grace || *grace == 0) else {
            return Deleted::Unchanged;
        };
        if grace == 0 && !meta.has_finalizers() {
            mark!("POD-5" if T::KIND == Kind::Pod && self.actor == Actor::User);
            self.remove(id, rule);
            return Deleted::Gone;
        }
        if grace == before.grace {
            return Deleted::Unchanged;
        }
        let requested = before.deleted.0.saturating_sub(before.grace);
        let now = Seconds::of(self.now());
        let shortened = Seconds(requested.saturating_add(grace)).max(now);
        let grace = if shortened == now && grace > 0 { 1 } else { grace };
        let rare = self.store.rares.ending(meta.rare, shortened, grace);
        self.update(id, rule, |object| object.meta_mut().rare = rare);
        Deleted::Terminating
    }
}
