//! The command lines inside scenarios, and what they print.
//!
//! A line becomes [`words`], the words become a typed [`command`]; [`resource`] knows how object types are called,
//! [`jsonpath`], [`table`] and [`human`] how kubectl prints. [`run`] carries commands out: `exec` has the verbs, `get`
//! and `describe` show objects, `server` is the API server as a client sees it.
pub mod command;
mod describe;
mod exec;
mod failure;
mod get;
pub mod human;
pub mod jsonpath;
pub mod resource;
pub mod run;
mod server;
mod session;
pub mod table;
mod tables;
pub mod words;
mod yaml;
