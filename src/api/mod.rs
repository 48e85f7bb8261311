//! api
pub mod manifest;
