//! api
pub mod quantity;
pub mod selector;
pub mod text;
