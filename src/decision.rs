//! Decisions of controllers in terms that an invariant can judge.

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
