//! What tests of the binary share.
use std::path::Path;
use std::process::{Command, Output};

/// The root of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the tool at the root of the project.
pub(crate) fn stsim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stsim"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("stsim starts")
}
