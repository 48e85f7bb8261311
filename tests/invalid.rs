//! Every file of `scenarios/invalid` is refused as its `.expected` says: exit status, and how standard error begins.
//!
//! `BLESS=1 cargo test --test invalid` writes the expectations.
#![allow(
    clippy::disallowed_methods,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
mod common;

use common::{root, stsim};

#[test]
fn invalid_input_gets_one_clear_error() {
    let root = root();
    let bless = std::env::var_os("BLESS").is_some();
    let mut files: Vec<_> = std::fs::read_dir(root.join("scenarios/invalid"))
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() >= 20, "only {} files", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
        let output = stsim(&["run", &name]);
        let found = format!(
            "exit {}\n{}",
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
        let file = path.with_extension("expected");
        if bless {
            std::fs::write(&file, format!("{found}\n")).expect("can be written");
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if !matches!(output.status.code(), Some(2 | 3)) {
            wrong.push(format!("{name}: exit status {:?}", output.status.code()));
        } else if found != expected.trim_end() {
            wrong.push(format!("{name}:\nexpected\n{}\nfound\n{found}\n", expected.trim_end()));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
