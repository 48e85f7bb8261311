//! api
mod decode;
pub mod manifest;
