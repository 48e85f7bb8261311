//! api
pub mod quantity;
