//! What a user reads: the timeline, tables, records.
pub mod annotations;
pub mod cast;
pub mod causes;
pub mod compare;
pub mod coverage;
pub mod databases;
pub mod dns;
pub mod history;
pub mod html;
pub mod junit;
pub mod mermaid;
pub mod perfetto;
pub mod sweep;
pub mod timeline;
pub mod unready;
pub mod verdicts;
pub mod why;
