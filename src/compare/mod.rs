//! One workload as StatefulSet and as Deployment, in the same cluster, with the same seed and the same faults.
//!
//! [`twin`] makes the other scenario, [`observe`] looks at both runs and keeps what it has [`seen`], [`rows`] and
//! [`effects`] say what that was. Draws
//! are keyed by what they are for, not drawn one after another, so both runs have the same luck where they do the same.
//! Nothing in a [`Comparison`] is known beforehand: a StatefulSet whose pods come in parallel reads "parallel".
pub mod effects;
pub mod names;
pub mod observe;
pub mod rows;
pub mod seen;
pub mod twin;

use crate::kernel::Time;
use seen::Observed;
use twin::Remark;

/// A moment that shows something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moment {
    /// When.
    pub time: Time,
    /// What happened.
    pub what: String,
}

/// What was seen of one thing in one run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cell {
    /// In a word.
    pub word: String,
    /// In a line; may be empty.
    pub detail: String,
    /// The moments that show it.
    pub shown: Vec<Moment>,
}

/// One row of the table: one thing, seen in both runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// What is compared.
    pub feature: &'static str,
    /// In the run with the StatefulSet.
    pub set: Cell,
    /// In the run with the Deployment.
    pub twin: Cell,
}

/// What one step or fault did to both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effect {
    /// What was done, as the original says it; as the twin says it, if that is something else.
    pub title: String,
    /// What came of it: with the StatefulSet. None: its run ended before.
    pub set: Option<effects::Consequence>,
    /// With the Deployment. None: it was left out, or its run ended before.
    pub twin: Option<effects::Consequence>,
}

/// Two runs, compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The scenario.
    pub name: String,
    /// Seed of both runs.
    pub seed: u64,
    /// The table.
    pub rows: Vec<Row>,
    /// Step by step.
    pub effects: Vec<Effect>,
    /// What the twin does not have as the original has it.
    pub remarks: Vec<Remark>,
    /// The run with the StatefulSet.
    pub set: Observed,
    /// The run with the Deployment.
    pub twin: Observed,
}

/// Compares two runs.
pub fn compare(name: &str, seed: u64, set: Observed, twin: Observed, remarks: Vec<Remark>) -> Comparison {
    Comparison {
        name: name.to_owned(),
        seed,
        rows: rows::rows(&set, &twin),
        effects: effects::effects(&set, &twin),
        remarks,
        set,
        twin,
    }
}
