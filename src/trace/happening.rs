//! What leads to writes without being one: a step of the scenario, the end of a fault, a container that ends.
//!
//! The cause of a write is an earlier write, or nothing. Where something else came in between, the cause that the world
//! carries on is a *mark*: the number of a [`Happened`], which knows what led to itself. Marks pass through the queue as
//! any cause does. Records keep both: the write that led to them as ever, and the happening in between, if there is one,
//! so that `why` can go back to the step that began it all. A recorder that is off makes no marks.
use crate::api::names::Uid;
use crate::api::objects::{Pod, Revision};
use crate::kernel::{Id, Time};

/// Something that is no write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happening {
    /// The manifests of the scenario are applied.
    Manifests,
    /// A step, or an entry of the lane: its number among all steps.
    Step(u32),
    /// What this step did is undone, for its time is over.
    Undone(u32),
    /// A container of a pod has ended by itself, or was killed from outside, with this exit code.
    ContainerEnded(Id<Pod>, Uid, u8),
    /// A liveness or startup probe of a container has failed often enough.
    ProbeFailed(Id<Pod>, Uid),
    /// The eviction of a pod was refused because of a budget (429) or of several (500).
    EvictionRefused(Id<Pod>, Uid),
}

/// A happening, and what led to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Happened {
    /// When.
    pub time: Time,
    /// The write or the mark that led to it.
    pub cause: Revision,
    /// What.
    pub what: Happening,
}

/// Bit of a cause that is a mark.
const MARK: u32 = 1 << 29;

/// All happenings of a run, by their marks.
#[derive(Clone, Debug, Default)]
pub struct Happenings {
    all: Vec<Happened>,
}

impl Happenings {
    /// Notes one; the mark that stands for it.
    pub(super) fn add(&mut self, happened: Happened) -> Revision {
        let number = u32::try_from(self.all.len()).unwrap_or(MARK);
        if number >= MARK {
            return happened.cause;
        }
        self.all.push(happened);
        Revision(number | MARK)
    }

    /// What a mark stands for; None: it is a write.
    pub fn of(&self, cause: Revision) -> Option<&Happened> {
        (cause.0 & MARK != 0).then(|| self.all.get((cause.0 & !MARK) as usize)).flatten()
    }

    /// The write behind a cause: itself, or the nearest one that led to what happened.
    pub fn write_behind(&self, mut cause: Revision) -> Revision {
        // What led to a happening is older than it, so this ends.
        while let Some(happened) = self.of(cause) {
            cause = happened.cause;
        }
        cause
    }

    /// All, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Happened> {
        self.all.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_lead_back_to_writes() {
        let mut happenings = Happenings::default();
        let mut add = |cause, what| happenings.add(Happened { time: Time::ZERO, cause, what });
        let first = add(Revision(7), Happening::Step(0));
        let second = add(first, Happening::Undone(0));
        let third = add(Revision(0), Happening::Manifests);
        assert_eq!(happenings.of(second).map(|happened| happened.cause), Some(first));
        assert_eq!(happenings.of(Revision(7)), None);
        for (cause, write) in [(second, 7), (first, 7), (third, 0), (Revision(9), 9)] {
            assert_eq!(happenings.write_behind(cause), Revision(write));
        }
    }
}
