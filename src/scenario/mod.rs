//! What a user writes: YAML with places, diagnostics, manifests.
pub mod diagnostic;
pub mod manifest;
mod node;
mod scalar;
mod tree;
pub mod yaml;
