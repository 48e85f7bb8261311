//! The JSON Schema (draft 2020-12) of the scenario file, for editors: made of the tables that the reader reads by
//! ([`super::language`]).
//!
//! It is as strict about names as the reader; of values it knows the shape, and leaves to the reader what needs more
//! than a look at one value. Everywhere but in `params` and `matrix` a reference to a parameter is a value, too.
//! Left out: the manifests of the stream, for which Kubernetes publishes its own schemas.
use super::chaos::SAME;
use super::faults::VERBS;
use super::lane::{self, LANE_OPTIONS};
use super::language;
use super::steps::OPTIONS;
use super::table::{Field, Shape, Table};
use serde_json::{Map, Value, json};

/// The schema of the Scenario document.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    define(&language::SCENARIO, &mut definitions);
    for (name, schema) in scalars() {
        definitions.insert(name.to_owned(), schema);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "stsim scenario, stsim/v1alpha1",
        "$ref": "#/$defs/scenario",
        "$defs": definitions,
    })
}

/// What is shared: the scalars with a form of their own.
fn scalars() -> Vec<(&'static str, Value)> {
    vec![
        (
            "reference",
            json!({
                "type": "string",
                "pattern": r"^\s*\$\{\{\s*params\.[A-Za-z][A-Za-z0-9_-]*\s*\}\}\s*$",
                "description": "The value of a parameter",
            }),
        ),
        (
            "duration",
            json!({
                "type": "string",
                "pattern": r"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))*\s*$|^0$",
                "examples": ["500ms", "10s", "1h30m"],
            }),
        ),
        (
            "latency",
            json!({
                "description": "A duration, never, or a distribution",
                "anyOf": [
                    {"$ref": "#/$defs/duration"},
                    {"const": "never"},
                    {"$ref": "#/$defs/distribution"},
                ],
            }),
        ),
        (
            "manifest",
            json!({"type": "object", "required": ["apiVersion", "kind"], "description": "A Kubernetes manifest"}),
        ),
    ]
}

/// Adds the definition of a table, and of all it mentions.
fn define(table: &Table, definitions: &mut Map<String, Value>) {
    if definitions.contains_key(table.name) {
        return;
    }
    // In first, so that a table that mentions itself comes to an end.
    definitions.insert(table.name.to_owned(), Value::Null);
    let mut properties = Map::new();
    for field in table.fields {
        properties.insert(field.name.to_owned(), property(field, definitions));
    }
    let mut schema = json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !table.required.is_empty() {
        schema["required"] = json!(table.required);
    }
    definitions.insert(table.name.to_owned(), schema);
}

/// A step: one of the forms that its verbs give it.
fn step(
    verbs: impl Iterator<Item = (&'static str, &'static [&'static str])>,
    options: &[&'static str],
    definitions: &mut Map<String, Value>,
) -> Value {
    define(&language::STEP, definitions);
    // A word of another tool stands for our verb, with the same options.
    let words = |verb: &'static str| {
        let theirs = SAME.iter().filter(move |(_, ours)| *ours == verb).map(|(theirs, _)| *theirs);
        std::iter::once(verb).chain(theirs)
    };
    let form = |word: &'static str, verb: &'static str, own: &[&'static str]| {
        let field = |name: &str| json!({"$ref": format!("#/$defs/stepFields/properties/{name}")});
        let names = own.iter().chain(options).copied();
        let mut properties: Map<_, _> = names.map(|name| (name.to_owned(), field(name))).collect();
        properties.insert(word.to_owned(), field(verb));
        json!({"type": "object", "required": [word], "properties": properties, "additionalProperties": false})
    };
    let forms = verbs.flat_map(|(verb, own)| words(verb).map(move |word| form(word, verb, own)));
    json!({"oneOf": forms.collect::<Vec<_>>()})
}

fn property(field: &Field, definitions: &mut Map<String, Value>) -> Value {
    let mut schema = shaped(&field.shape, definitions);
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), field.about.into());
    }
    schema
}

/// The schema of a shape or of a reference to a parameter in its place.
fn shaped(shape: &Shape, definitions: &mut Map<String, Value>) -> Value {
    let reference = json!({"$ref": "#/$defs/reference"});
    match shape {
        // These take any text already.
        Shape::Any | Shape::NoMapping | Shape::Text | Shape::Word | Shape::Quantity => {
            exact(shape, definitions)
        }
        Shape::Either(shapes) => {
            let mut all: Vec<_> = shapes.iter().map(|shape| exact(shape, definitions)).collect();
            all.push(reference);
            json!({"anyOf": all})
        }
        _ => json!({"anyOf": [exact(shape, definitions), reference]}),
    }
}

fn exact(shape: &Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::NoMapping => json!({"type": ["string", "number", "boolean", "array"]}),
        Shape::Text => json!({"type": "string"}),
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Whole => json!({"type": "integer", "minimum": 0}),
        Shape::Duration => json!({"$ref": "#/$defs/duration"}),
        Shape::Latency => {
            define(&language::DISTRIBUTION, definitions);
            json!({"$ref": "#/$defs/latency"})
        }
        Shape::Quantity => json!({"type": ["string", "integer"]}),
        Shape::Word => json!({"type": ["string", "integer", "boolean"]}),
        Shape::OneOf(words) => json!({"enum": words}),
        Shape::Like(pattern) => json!({"type": "string", "pattern": pattern}),
        Shape::Named(words) => json!({"enum": words()}),
        Shape::List(item) => json!({"type": "array", "items": shaped(item, definitions)}),
        Shape::Map(value) => json!({"type": "object", "additionalProperties": shaped(value, definitions)}),
        Shape::MapOf(names, value) => {
            let value = shaped(value, definitions);
            let properties: Map<_, _> =
                names.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
            json!({"type": "object", "properties": properties, "additionalProperties": false})
        }
        Shape::Of(table) => {
            define(table, definitions);
            json!({"$ref": format!("#/$defs/{}", table.name)})
        }
        Shape::Either(shapes) => {
            let all: Vec<_> = shapes.iter().map(|shape| exact(shape, definitions)).collect();
            json!({"anyOf": all})
        }
        Shape::Manifest => json!({"$ref": "#/$defs/manifest"}),
        Shape::Step => defined_once("step", definitions, |definitions| {
            step(VERBS.iter().copied(), &OPTIONS, definitions)
        }),
        Shape::Fault => {
            defined_once("fault", definitions, |definitions| step(lane::verbs(), &LANE_OPTIONS, definitions))
        }
    }
}

/// A reference to a definition, which is made if it is not there yet.
fn defined_once(
    name: &str,
    definitions: &mut Map<String, Value>,
    make: impl FnOnce(&mut Map<String, Value>) -> Value,
) -> Value {
    if !definitions.contains_key(name) {
        definitions.insert(name.to_owned(), Value::Null);
        let schema = make(definitions);
        definitions.insert(name.to_owned(), schema);
    }
    json!({"$ref": format!("#/$defs/{name}")})
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_verb_and_option_of_a_step_is_described() {
        let described: BTreeSet<_> = language::STEP.names().collect();
        let read: BTreeSet<_> = VERBS
            .iter()
            .flat_map(|(verb, own)| own.iter().chain([verb]))
            .chain(&OPTIONS)
            .chain(&LANE_OPTIONS)
            .copied()
            .collect();
        assert_eq!(described, read, "left: language::STEP, right: VERBS and OPTIONS");
    }
}
