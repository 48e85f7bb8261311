//! The recorder of a run, and what is told from it.
pub mod record;
