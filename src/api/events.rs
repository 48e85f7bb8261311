//! Kubernetes Events: what `kubectl get events` and the end of `kubectl describe` show.
use crate::api::kind::Kind;
use crate::api::names::{Name, Sym, Uid};
use crate::kernel::Time;
use crate::rule::mark;
use crate::world::Actor;

/// The last so many events are searched for an identical one.
const SEARCHED: usize = 256;

/// One Event, possibly repeated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApiEvent {
    /// Kind of the object it is about.
    pub kind: Kind,
    /// Its name.
    pub name: Name,
    /// Its namespace.
    pub namespace: Sym,
    /// Its incarnation.
    pub uid: Uid,
    /// Type Warning, else Normal.
    pub warning: bool,
    /// Reason.
    pub reason: &'static str,
    /// Message.
    pub message: String,
    /// Reporting component.
    pub source: Actor,
    /// First occurrence.
    pub first: Time,
    /// Last occurrence.
    pub last: Time,
    /// How often.
    pub count: u32,
}

/// All Events of a run, in order of first occurrence. Off by default: then nothing is kept and no text is made.
#[derive(Clone, Debug, Default)]
pub struct EventLog {
    on: bool,
    events: Vec<ApiEvent>,
    added: u64,
}

impl EventLog {
    /// Keeps events from now on.
    pub fn turn_on(&mut self) {
        self.on = true;
    }

    /// True if events are kept.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Adds an event; an identical one only counts up (STS-112).
    pub fn add(&mut self, event: ApiEvent) {
        self.added += 1;
        let same = self.events.iter_mut().rev().take(SEARCHED).find(|e| {
            e.kind == event.kind
                && e.uid == event.uid
                && e.name == event.name
                && e.reason == event.reason
                && e.source == event.source
                && e.message == event.message
        });
        match same {
            Some(known) => {
                mark!("STS-112");
                known.count += 1;
                known.last = event.last;
            }
            None => self.events.push(event),
        }
    }

    /// How many have been added, repeated ones included.
    pub fn added(&self) -> u64 {
        self.added
    }

    /// The last events, those that could have been counted up by the last one added included.
    pub fn recent(&self) -> &[ApiEvent] {
        &self.events[self.events.len().saturating_sub(SEARCHED)..]
    }

    /// All events.
    pub fn iter(&self) -> impl Iterator<Item = &ApiEvent> {
        self.events.iter()
    }
}
