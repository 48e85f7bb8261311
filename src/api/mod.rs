//! The API server in miniature: objects, names, the store with its change log, defaults, validation, patches.
pub mod decode;
pub mod manifest;
pub mod quantity;
pub mod selector;
pub mod strategic;
pub mod text;
