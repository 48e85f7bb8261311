//! A document of the input as a Kubernetes manifest, with every complaint pointed at its place in the file.
//!
//! The checks are [`crate::api::manifest`]'s; an unknown field is an error here, as with `kubectl --validate=strict`.

use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::node::Node;
use crate::api::manifest::{self, Kind, Segment, display_path};

/// A manifest that was read: its kind and the JSON kubectl would send.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What it is.
    pub kind: &'static Kind,
    /// The manifest, nothing added and nothing dropped.
    pub value: Value,
}

/// Reads a document as a manifest. Items of a `List` are not looked into.
///
/// # Errors
/// One diagnostic for a manifest that cannot be decoded, else one for every unknown field.
pub fn read(file: &str, document: &Node) -> Result<Manifest, Vec<Diagnostic>> {
    let value = document.to_json();
    let checked = manifest::check(&value).map_err(|error| {
        let diagnostic = Diagnostic::new(file, document.span_of(&error.path), error.to_string());
        vec![match error.help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        }]
    })?;
    if checked.unknown_fields.is_empty() {
        return Ok(Manifest { kind: checked.kind, value });
    }
    let complaint = |field: &manifest::UnknownField| {
        let (name, parent) = match field.path.split_last() {
            Some((Segment::Field(name), parent)) => (name.as_str(), display_path(parent)),
            _ => ("", String::new()),
        };
        let message = match parent.as_str() {
            "" => format!("unknown field `{name}`"),
            parent => format!("unknown field `{name}` in `{parent}`"),
        };
        let diagnostic = Diagnostic::new(file, document.key_span_of(&field.path), message);
        match field.nearest {
            Some(nearest) => diagnostic.with_help(format!("did you mean `{nearest}`?")),
            None => diagnostic,
        }
    };
    Err(checked.unknown_fields.iter().map(complaint).collect())
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    fn complaints(text: &str) -> Vec<String> {
        let documents = yaml::parse("web.yaml", text).unwrap();
        match read("web.yaml", &documents[0]) {
            Ok(_) => Vec::new(),
            Err(diagnostics) => diagnostics.iter().map(|diagnostic| diagnostic.render(text)).collect(),
        }
    }

    #[test]
    fn a_good_manifest_is_kept_as_written() {
        let documents =
            yaml::parse("f", "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {}}\n").unwrap();
        let manifest = read("f", &documents[0]).unwrap();
        assert_eq!(manifest.kind.kind, "Pod");
        assert_eq!(manifest.value, documents[0].to_json());
    }

    #[test]
    fn every_unknown_field_is_underlined() {
        let text = "apiVersion: apps/v1\nkind: StatefulSet\nmetdata: {name: web}\nspec:\n  replcas: 3\n";
        let expected = [
            "error: unknown field `metdata`\n --> web.yaml:3:1\n  |\n3 | metdata: {name: web}\n  | ^^^^^^^\n  |\n  \
             = help: did you mean `metadata`?",
            "error: unknown field `replcas` in `spec`\n --> web.yaml:5:3\n  |\n5 |   replcas: 3\n  |   ^^^^^^^\n  |\n  \
             = help: did you mean `replicas`?",
        ];
        assert_eq!(complaints(text), expected);
    }

    #[test]
    fn a_wrong_type_and_a_wrong_kind_are_underlined() {
        let text = "apiVersion: v1\nkind: Service\nspec:\n  ports: [{port: http}]\n";
        assert_eq!(
            complaints(text),
            [
                "error: spec.ports[0].port: invalid type: string \"http\", expected i32\n --> web.yaml:4:18\n  |\n4 |   \
              ports: [{port: http}]\n  |                  ^^^^"
            ]
        );
        let text = "apiVersion: apps/v1\nkind: StatfulSet\n";
        assert_eq!(
            complaints(text),
            [
                "error: kind: no matches for kind \"StatfulSet\" in version \"apps/v1\"\n --> web.yaml:2:7\n  |\n2 | kind: \
              StatfulSet\n  |       ^^^^^^^^^^\n  |\n  = help: did you mean `StatefulSet`?"
            ]
        );
        assert_eq!(complaints("just a string\n").len(), 1);
        assert_eq!(
            complaints("a: b\n")[0].lines().next().unwrap(),
            "error: apiVersion not set, kind not set"
        );
    }
}
