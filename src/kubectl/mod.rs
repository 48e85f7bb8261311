//! kubectl
pub mod human;
pub mod jsonpath;
pub mod table;
