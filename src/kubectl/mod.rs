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

use crate::kernel::Time;
use resource::ResourceKind;
use serde_json::Value;

/// An object as `kubectl get -o yaml` prints it.
pub fn yaml_of(object: &Value) -> String {
    yaml::write(object)
}

/// What the table of `kubectl get -o wide` shows of an object: titles and cells.
pub fn cells_of(object: &Value, now: Time) -> Vec<(&'static str, String)> {
    let kind = ResourceKind::EVERY.into_iter().find(|kind| object["kind"] == kind.kind());
    let tables::Printer { columns, row } = tables::printer(kind);
    columns.iter().map(|column| column.name).zip(row(object, now)).collect()
}
