//! scenario
pub mod diagnostic;
mod node;
mod scalar;
mod tree;
pub mod yaml;
