//! Names and virtual addresses: what a client that wants to reach pods gets.
//!
//! [`service`] says which pods a connection to a ClusterIP may reach (kube-proxy), [`dns`] which records the cluster's
//! DNS server has, [`lookup`] what becomes of a name inside a pod (hosts file, search path), [`resolver`] what caches
//! on the way still believe, [`proxy`] what the rules of a node still say. [`Network`] puts them together: the answers
//! and connections that somebody at a given place gets now. All of it reads Services and EndpointSlices as the reader's
//! watch shows them, and nothing writes: records are not objects, they are a view of the slices.
pub mod answer;
pub mod dns;
pub mod lookup;
pub mod proxy;
pub mod resolver;
pub mod service;
mod system;
#[cfg(test)]
pub(crate) mod testing;

pub use system::{Asker, Network};
