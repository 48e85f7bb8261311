//! A YAML value that knows its place in the text, and its JSON form as `sigs.k8s.io/yaml` makes it (YAMLToJSON): keys
//! become text, whole floats become integers.
//!
//! Left out: comments and styles; a tree cannot be written back as it was.

use super::diagnostic::Span;
use super::scalar;
use crate::api::manifest::Segment;

/// A value and its place in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it is written; for a value taken through an alias or a merge key, where it is defined.
    pub span: Span,
}

/// A YAML value as kubectl understands it.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// A YAML 1.1 boolean.
    Bool(bool),
    /// A whole number, always within `i64::MIN..=u64::MAX`.
    Integer(i128),
    /// Another number; always finite.
    Float(f64),
    /// Text.
    String(String),
    /// `- a` or `[a]`.
    Sequence(Vec<Node>),
    /// `a: b` or `{a: b}`, in file order, entries of merge keys last. Keys are scalars other than null and pairwise
    /// different as text.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// What kubectl would send: the same as JSON, keys as text, whole floats as integers.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Integer(value) => integer_to_json(*value),
            Value::Float(value) => float_to_json(*value),
            Value::String(value) => value.as_str().into(),
            Value::Sequence(items) => items.iter().map(Node::to_json).collect(),
            Value::Mapping(entries) => serde_json::Value::Object(
                entries.iter().map(|(key, value)| (key.key_text(), value.to_json())).collect(),
            ),
        }
    }

    /// The text of a scalar used as a mapping key: `true` for `yes`, `493` for `0755`.
    pub fn key_text(&self) -> String {
        match &self.value {
            Value::String(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Float(value) => scalar::go_float_text(*value),
            Value::Null | Value::Sequence(_) | Value::Mapping(_) => String::new(),
        }
    }

    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value of one entry of a mapping.
    pub fn entry(&self, key: &str) -> Option<(&Node, &Node)> {
        let entries = self.as_mapping()?;
        let (found, value) = entries.iter().find(|(candidate, _)| match &candidate.value {
            Value::String(text) => text == key,
            _ => candidate.key_text() == key,
        })?;
        Some((found, value))
    }

    /// The node at a JSON path, if there is one.
    pub fn at_path(&self, path: &[Segment]) -> Option<&Node> {
        path.iter().try_fold(self, Node::step)
    }

    /// Where to point when something is wrong at a JSON path: at the value there, else at the nearest enclosing
    /// value that exists.
    pub fn span_of(&self, path: &[Segment]) -> Span {
        let mut node = self;
        for segment in path {
            match node.step(segment) {
                Some(next) => node = next,
                None => break,
            }
        }
        node.span
    }

    /// Where to point when a field itself is wrong (unknown, forbidden): at its key; for an item of a sequence, at the
    /// item; if there is no such place, as [`Node::span_of`].
    pub fn key_span_of(&self, path: &[Segment]) -> Span {
        if let Some((Segment::Field(name), parents)) = path.split_last()
            && let Some((key, _)) = self.at_path(parents).and_then(|parent| parent.entry(name))
        {
            return key.span;
        }
        self.span_of(path)
    }

    fn step(&self, segment: &Segment) -> Option<&Node> {
        match segment {
            Segment::Field(name) => self.get(name),
            Segment::Index(index) => self.as_sequence()?.get(*index),
        }
    }

    /// The text of a string; none for other values, `123` included.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The value of an integer.
    pub fn as_integer(&self) -> Option<i128> {
        match self.value {
            Value::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// The value of a number, whole or not.
    pub fn as_number(&self) -> Option<f64> {
        match self.value {
            Value::Integer(value) => Some(value as f64),
            Value::Float(value) => Some(value),
            _ => None,
        }
    }

    /// The items of a sequence.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The entries of a mapping.
    pub fn as_mapping(&self) -> Option<&[(Node, Node)]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Whether the value is null.
    pub fn is_null(&self) -> bool {
        self.value == Value::Null
    }

    /// What kind of value this is, for messages: "null", "a boolean", "a number", "a string", "a list", "a mapping".
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) | Value::Float(_) => "a number",
            Value::String(_) => "a string",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}

fn integer_to_json(value: i128) -> serde_json::Value {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => value.into(),
        (_, Ok(value)) => value.into(),
        _ => serde_json::Value::Null,
    }
}

/// Go prints a whole float below 1e21 without exponent, so that the server reads an integer.
fn float_to_json(value: f64) -> serde_json::Value {
    if value == value.trunc() && value.abs() < 1e19 {
        let whole = value as i128;
        if i64::try_from(whole).is_ok() || u64::try_from(whole).is_ok() {
            return integer_to_json(whole);
        }
    }
    serde_json::Number::from_f64(value).map_or(serde_json::Value::Null, serde_json::Value::Number)
}
