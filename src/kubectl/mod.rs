//! The command lines inside scenarios, and what they print.
//!
//! A line becomes [`words`], the words become a typed [`command`]; [`resource`] knows how object types are called,
//! [`jsonpath`], [`table`] and [`human`] how kubectl prints.
pub mod command;
pub mod human;
pub mod jsonpath;
pub mod resource;
pub mod run;
pub mod table;
pub mod words;
