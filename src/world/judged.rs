//! What is kept of a run for those who judge it and for those who are told: controllers' moments, Kubernetes Events.
use super::World;
use crate::api::objects::Revision;
use crate::api::store::Stored;
use crate::decision::Moment;
use crate::kernel::Id;
use crate::trace::happening::Happening;

impl World {
    /// Keeps what controllers do from now on, or no longer does.
    pub fn keep_moments(&mut self, keep: bool) {
        self.moments = keep.then(Vec::new);
    }

    /// True if somebody judges what controllers do.
    pub(crate) fn is_judged(&self) -> bool {
        self.moments.is_some()
    }

    /// Notes what a controller does, if anybody judges it.
    pub(crate) fn note(&mut self, moment: impl FnOnce() -> Moment) {
        if let Some(moments) = &mut self.moments {
            moments.push(moment());
        }
    }

    /// Takes what was noted since the last look.
    pub(crate) fn take_moments(&mut self) -> Vec<Moment> {
        self.moments.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Something has happened that is no write: what follows from now on is caused by it.
    pub fn happens(&mut self, what: Happening) {
        self.cause = self.recorder.happen(self.now(), self.cause, what);
    }

    /// The same as the present cause, but no write has led to it.
    pub(crate) fn cause_without_write(&mut self) -> Revision {
        match self.recorder.happenings().of(self.cause).copied() {
            Some(happened) => self.recorder.happen(happened.time, Revision(0), happened.what),
            None => Revision(0),
        }
    }

    /// The write that led to what is being done now; 0: none.
    pub fn write_behind(&self) -> Revision {
        self.recorder.happenings().write_behind(self.cause)
    }

    /// Records a Kubernetes Event about an object. The message is made only if events are kept.
    pub fn emit<T: Stored>(
        &mut self,
        about: Id<T>,
        warning: bool,
        reason: &'static str,
        message: impl FnOnce(&World) -> String,
    ) {
        if !self.events.is_on() {
            return;
        }
        let Some(object) = T::table(&self.store).last_known(about) else { return };
        let (name, namespace, uid) = (object.meta().name, object.meta().namespace, object.meta().uid);
        let message = message(self);
        let (now, source) = (self.now(), self.actor);
        self.events.add(crate::api::events::ApiEvent {
            kind: T::KIND,
            name,
            namespace,
            uid,
            warning,
            reason,
            message,
            source,
            first: now,
            last: now,
            count: 1,
        });
    }
}
