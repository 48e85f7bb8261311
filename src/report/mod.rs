//! What a user reads: the timeline, tables, records.
pub mod coverage;
pub mod dns;
pub mod timeline;
