//! What is kept of a run, and how it is told.
pub mod coverage;
pub mod happening;
pub mod notes;
pub mod record;
pub mod tell;
