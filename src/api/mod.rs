//! The API server in miniature: objects, names, the store with its change log, defaults, validation, patches.
mod decode;
pub mod events;
pub mod kind;
pub mod labels;
pub mod manifest;
pub mod names;
pub mod objects;
pub mod patch;
pub mod pod_spec;
pub mod quantity;
pub mod selector;
pub mod status;
pub mod store;
pub mod strategic;
pub mod template_defaults;
pub mod template_hash;
pub mod text;
