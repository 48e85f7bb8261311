//! What users of Kubernetes rely on, one test a behaviour, named by its id in the catalogue of accepted behaviours.
//!
//! The ids (`T-STS-001`, in test names `t_sts_001_...`) are stable: a behaviour may be corrected, an id is never reused.
mod api_faults;
mod catalogue;
mod convergence;
mod deployment;
mod disruption;
mod dns;
mod drill;
mod endpoints;
mod garbage_collection;
mod nodes;
mod peers;
mod replica_set;
mod stateful_pod_control;
mod stateful_set_availability;
mod stateful_set_control;
mod stateful_set_end_to_end;
mod stateful_set_integration;
mod stateful_set_refusals;
mod stateful_set_retention;
mod stateful_set_syncs;
mod stateful_set_updates;
mod stateful_set_validation;
mod stateful_set_wiring;
mod volumes;
