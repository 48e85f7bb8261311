//! kubectl
pub mod human;
pub mod table;
