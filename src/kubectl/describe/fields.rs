//! Kinds without a describer of their own: all fields, names written as words (`genericDescriber`).
use super::{Doc, head, labels_and_annotations};
use serde_json::{Map, Value};

/// What is shown above the other fields.
const SHOWN: [&str; 5] = [
    ".metadata.managedFields",
    ".metadata.name",
    ".metadata.namespace",
    ".metadata.labels",
    ".metadata.annotations",
];

pub(super) fn describe(doc: &mut Doc, object: &Value) {
    head(doc, object);
    labels_and_annotations(doc, object);
    if let Value::Object(fields) = object {
        content(doc, 0, fields, "");
    }
}

fn content(doc: &mut Doc, level: usize, fields: &Map<String, Value>, prefix: &str) {
    for (field, value) in fields {
        let path = format!("{prefix}.{field}");
        if SHOWN.contains(&path.as_str()) {
            continue;
        }
        let label = label(field);
        match value {
            Value::Object(inner) => {
                doc.line(level, format!("{label}:"));
                content(doc, level + 1, inner, &path);
            }
            Value::Array(items) => {
                doc.line(level, format!("{label}:"));
                for item in items {
                    match item {
                        Value::Object(inner) => content(doc, level + 1, inner, &path),
                        other => doc.line(level + 1, crate::api::text::go_format(other)),
                    }
                }
            }
            other => doc.field(level, &label, crate::api::text::go_format(other)),
        }
    }
}

/// `creationTimestamp` as `Creation Timestamp` (`smartLabelFor`).
fn label(field: &str) -> String {
    if !field.chars().all(|c| c.is_alphabetic() || c == '-') {
        return field.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    let mut previous_lower = false;
    let characters: Vec<char> = field.chars().collect();
    for (n, character) in characters.iter().enumerate() {
        let next_lower = characters.get(n + 1).is_some_and(|next| next.is_lowercase());
        let begins = character.is_uppercase() && (previous_lower || next_lower);
        match words.last_mut() {
            Some(word) if !begins => word.push(*character),
            _ => words.push(character.to_string()),
        }
        previous_lower = character.is_lowercase();
    }
    let shown = |word: String| match word.to_uppercase() {
        upper if matches!(upper.as_str(), "API" | "URL" | "UID" | "GUID") => upper,
        _ => {
            let mut characters = word.chars();
            let first = characters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            first + characters.as_str()
        }
    };
    words.into_iter().map(shown).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_of_fields() {
        let cases = [
            ("creationTimestamp", "Creation Timestamp"),
            ("apiVersion", "API Version"),
            ("uid", "UID"),
            ("ownerReferences", "Owner References"),
            ("app.kubernetes.io/name", "app.kubernetes.io/name"),
        ];
        for (field, expected) in cases {
            assert_eq!(label(field), expected);
        }
    }

    #[test]
    fn all_fields_but_those_above() {
        let mut doc = Doc::default();
        describe(
            &mut doc,
            &json!({"kind": "ConfigMap", "metadata": {"name": "a", "uid": "x"}, "data": {"k": "v"}}),
        );
        assert_eq!(
            doc.text,
            "Name:\ta\nNamespace:\t\nLabels:\t<none>\nAnnotations:\t<none>\nData:\n  K:\tv\nKind:\tConfigMap\nMetadata:\n  \
             UID:\tx\n"
        );
    }
}
