//! stsim: a deterministic discrete-event simulator of Kubernetes StatefulSet semantics.
//!
//! A map of the house, in the order in which to read it:
//!
//! - [`kernel`]: virtual time, the event queue, the one source of chance, arenas and bitsets. Knows no Kubernetes.
//! - [`api`]: the API server in miniature: objects, the store with its change log and watch cursors, defaults,
//!   validation, patches.
//! - [`controllers`], [`scheduler`], [`kubelet`], [`storage`], [`network`]: the processes of a cluster.
//!   They never import one another; they meet in the API.
//! - [`workload`]: databases and their clients on top of what really runs.
//! - [`kubectl`] and [`scenario`]: what a user types.
//! - [`sweep`]: many runs of one scenario, and what came of them in numbers.
//! - [`trace`], [`why`], [`report`], [`lessons`], [`cli`]: what a user reads.
pub mod api;
pub mod behavior;
pub mod cli;
pub mod cluster;
pub mod compare;
pub mod config;
pub mod conform;
pub mod controllers;
pub mod decision;
pub mod event;
pub mod expect;
pub mod fault;
pub mod invariants;
pub mod kernel;
pub mod kubectl;
pub mod kubelet;
pub mod lessons;
pub mod limits;
pub mod network;
pub mod report;
pub mod rule;
pub mod run;
pub mod scenario;
pub mod scheduler;
pub mod storage;
pub mod sweep;
pub mod trace;
pub mod why;
pub mod workload;
pub mod world;
