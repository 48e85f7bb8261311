//! The JSON Schema of the scenario file: fresh, valid, and of one mind with the reader.
//!
//! `BLESS=1 cargo test --test schema` writes `schema/scenario.v1alpha1.json`.
#![allow(
    clippy::disallowed_methods,
    reason = "outside the simulator: a harness reads its environment and talks"
)]
mod common;

use common::{root, stsim};
use jsonschema::Validator;
use serde_json::Value;
use std::path::{Path, PathBuf};
use stsim::scenario::schema::schema;
use stsim::scenario::yaml;

const FILE: &str = "schema/scenario.v1alpha1.json";

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).expect("the schema is a schema")
}

fn yaml_files(directory: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The Scenario document of a file, if it has one that can be parsed.
fn scenario_of(path: &Path) -> Option<Value> {
    let bytes = std::fs::read(path).expect("a file");
    let text = yaml::decode("f", &bytes).ok()?;
    let documents = yaml::parse("f", &text).ok()?;
    let mut document =
        documents.iter().map(yaml::Node::to_json).find(|document| document["kind"] == "Scenario")?;
    bare_on(&mut document);
    Some(document)
}

/// Editors read YAML 1.2, in which the key `on` is text; what kubectl reads takes it for a boolean.
fn bare_on(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(bare_on),
        Value::Object(fields) => {
            if let Some(workload) = fields.remove("true") {
                fields.insert("on".to_owned(), workload);
            }
            fields.values_mut().for_each(bare_on);
        }
        _ => {}
    }
}

#[test]
fn the_published_schema_is_fresh() {
    let output = stsim(&["schema"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    let path = root().join(FILE);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &text).expect("can be written");
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == text, "{FILE} is stale: BLESS=1 cargo test --test schema");
}

#[test]
fn every_shipped_scenario_is_valid() {
    let validator = validator();
    let mut judged = 0;
    for directory in ["scenarios", "tests/conformance"] {
        for path in yaml_files(directory) {
            if path.starts_with(root().join("scenarios/invalid")) {
                continue;
            }
            let Some(document) = scenario_of(&path) else { continue };
            judged += 1;
            let wrong: Vec<_> = validator
                .iter_errors(&document)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect();
            assert!(wrong.is_empty(), "{}:\n{}", path.display(), wrong.join("\n"));
        }
    }
    assert!(judged >= 200, "only {judged} scenarios");
}

#[test]
fn what_the_reader_refuses_for_its_names_and_shapes_is_refused() {
    let validator = validator();
    for name in [
        "bare-number-duration",
        "no-verb-in-step",
        "param-without-default",
        "two-verbs-in-one-step",
        "unknown-behavior-field",
        "unknown-component",
        "unknown-field-scenario",
        "unknown-verb",
    ] {
        let path = root().join(format!("scenarios/invalid/{name}.yaml"));
        let document = scenario_of(&path).unwrap_or_else(|| panic!("{name} has no Scenario document"));
        assert!(!validator.is_valid(&document), "{name} is valid by the schema");
    }
}

/// A mapping is read by its table or not at all, so no name can be known to the reader only.
#[test]
fn the_reader_knows_names_from_tables_only() {
    let mut reads = 0;
    for path in std::fs::read_dir(root().join("src/scenario")).expect("a directory") {
        let path = path.expect("an entry").path();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for call in text.split(".fields(").skip(1) {
            let arguments = call.split(")?").next().unwrap_or_default();
            let from_a_table = ["language::", "Gates::NAMES", "Timers::NAMES", "Latencies::NAMES"];
            assert!(
                from_a_table.iter().any(|table| arguments.contains(table)),
                "{}: .fields({arguments}) takes its names from no table",
                path.display()
            );
            reads += 1;
        }
    }
    assert!(reads >= 15, "only {reads} mappings are read");
}

/// Every table is reached from the document: what the reader knows, the schema shows.
#[test]
fn every_table_is_in_the_schema() {
    let schema = schema();
    let language = std::fs::read_to_string(root().join("src/scenario/language.rs")).expect("a file");
    let tables = language.matches(": Table = ").count();
    let defined = schema["$defs"].as_object().expect("definitions").values();
    let objects = defined.filter(|definition| definition["additionalProperties"] == false).count();
    assert_eq!(tables, objects);
}
