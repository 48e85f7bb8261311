//! Decisions of controllers in terms that an invariant can judge.
use crate::api::objects::StatefulSetStatus;
use crate::event::Controller;

/// What one step of a decision does to a pod, in terms an invariant can judge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    /// A pod is created; an ordinal beyond what names can carry reads as -1 (STS-14).
    CreatePod {
        /// Ordinal.
        ordinal: i64,
        /// At the update revision, rather than the current one.
        updated: bool,
    },
    /// A claim of a pod about to be created is created before it.
    CreateClaim {
        /// Ordinal of the pod.
        ordinal: i64,
    },
    /// A pod is deleted.
    DeletePod {
        /// Ordinal.
        ordinal: i64,
        /// For a rolling update, rather than because it is finished or surplus.
        update: bool,
    },
}

/// A decision of the StatefulSet controller, as it was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The set.
    pub key: u32,
    /// What it does to pods, in order.
    pub deeds: Vec<Deed>,
    /// The status as it was counted; None: there is nothing to do at all.
    pub status: Option<StatefulSetStatus>,
}

/// A moment in the work of controllers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Moment {
    /// A worker has taken a key.
    Began(Controller, u32),
    /// A sync is over.
    Ended(Controller, u32),
    /// The process of all controllers has stopped: nothing goes on.
    Stopped,
    /// A decision was made.
    Decided(Decision),
}

impl Decision {
    /// Ordinals of the pods it deletes.
    pub fn deletions(&self) -> impl Iterator<Item = i64> {
        self.deeds.iter().filter_map(|deed| match deed {
            Deed::DeletePod { ordinal, .. } => Some(*ordinal),
            Deed::CreatePod { .. } | Deed::CreateClaim { .. } => None,
        })
    }
}
