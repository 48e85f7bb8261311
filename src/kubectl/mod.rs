//! kubectl
pub mod human;
pub mod jsonpath;
pub mod run;
pub mod table;
