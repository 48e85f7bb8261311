//! What is kept of a run, and how it is told.
pub mod notes;
pub mod record;
pub mod tell;
